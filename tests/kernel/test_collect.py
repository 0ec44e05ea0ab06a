"""What may be collected, and when."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.kernel.collect import UNREFERENCED_MS, Held, Unheld


@given(st.sets(st.text(min_size=1, max_size=8), max_size=200), st.integers(0, 2**64 - 1))
@settings(deadline=None)
def test_what_is_held_is_never_missed(blobs, salt):
    held = Held(len(blobs), salt)
    for blob in blobs:
        held.add(blob)
    assert all(blob in held for blob in blobs)


def test_few_others_seem_held_and_another_salt_shows_them():
    hidden = []
    for salt in range(2):
        held = Held(10_000, salt)
        for number in range(10_000):
            held.add(f"held {number}")
        hidden.append({number for number in range(10_000) if f"free {number}" in held})
    assert all(len(each) < 1_000 for each in hidden)
    assert len(hidden[0] & hidden[1]) < len(hidden[0]) / 2


def test_a_blob_goes_an_hour_after_it_was_first_found_without_a_holder():
    unheld = Unheld()
    assert unheld.note(["a", "b"], 1_000) == []
    assert unheld.note(["a", "c"], 1_000 + UNREFERENCED_MS) == ["a"]
    assert unheld.note(["b", "c"], 1_001 + 2 * UNREFERENCED_MS) == ["c"]  # b had a holder in between
    assert len(unheld) == 1
