"""Ordered keys against a sorted list."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.kernel.ordered_keys import RUN_KEYS, OrderedKeys

keys = st.binary(max_size=3)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.booleans(), keys), max_size=60),
    keys,
    keys,
    st.one_of(st.none(), st.integers(0, 5)),
)
def test_agrees_with_a_sorted_list(
    steps: list[tuple[bool, bytes]], start: bytes, stop: bytes, limit: int
) -> None:
    ordered, model = OrderedKeys(), set()
    for adds, key in steps:
        if adds and key not in model:
            ordered.add(key)
            model.add(key)
        elif not adds and key in model:
            ordered.remove(key)
            model.remove(key)
    assert list(ordered) == sorted(model)
    inside = sorted(key for key in model if start <= key < stop)
    assert ordered.slice(start, stop, limit) == inside[:limit]
    assert ordered.slice_reverse(start, stop, limit) == inside[::-1][:limit]


def test_runs_split_and_vanish() -> None:
    many = [b"%06d" % (n * 7919 % 10_007) for n in range(10_007)]
    ordered = OrderedKeys()
    for key in many:
        ordered.add(key)
    assert list(ordered) == sorted(many)
    assert len(ordered) == len(many)
    assert ordered.slice(b"000100", b"009000") == [b"%06d" % n for n in range(100, 9000)]
    assert ordered.slice_reverse(b"000100", b"009000", 2000) == [b"%06d" % n for n in range(8999, 6999, -1)]
    for key in many[: len(many) // 2]:
        ordered.remove(key)
    assert list(ordered) == sorted(many[len(many) // 2 :])


def test_pages_walk_everything_in_bounded_steps() -> None:
    ordered = OrderedKeys(b"%05d" % n for n in range(5 * RUN_KEYS + 3))
    walked: list[bytes] = []
    after = None
    while page := ordered.page(after):
        assert len(page) <= 2 * RUN_KEYS
        walked += page
        after = page[-1]
    assert walked == list(ordered)
