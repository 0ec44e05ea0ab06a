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


@settings(deadline=None, max_examples=60)
@given(
    st.sets(st.integers(0, 4000), max_size=1500),
    st.integers(0, 4000),
    st.integers(1, 3000),
    st.sets(st.integers(0, 4000), max_size=200),
)
def test_many_at_a_time_are_each_one_at_a_time(
    there: set[int], start: int, length: int, scattered: set[int]
) -> None:
    one_by_one, at_once = OrderedKeys(), OrderedKeys()
    base = {b"%05d" % (2 * n) for n in there}
    for key in base:
        one_by_one.add(key)
    at_once.add_all(list(base))
    more = [b"%05d" % n for n in range(start, start + length) if b"%05d" % n not in base]
    at_once.add_all(more)
    for key in more:
        one_by_one.add(key)
    assert list(at_once) == list(one_by_one) == sorted(base | set(more))
    gone = [b"%05d" % n for n in (*range(start + 7, start + length), *scattered)]
    gone = [key for key in dict.fromkeys(gone) if key in base or key in more]
    at_once.remove_all(gone)
    left = sorted((base | set(more)) - set(gone))
    assert list(at_once) == left
    assert at_once.slice(b"00100", b"03000", 50) == [key for key in left if b"00100" <= key < b"03000"][:50]
    for key in gone:  # the order goes on to be one that single keys enter and leave
        at_once.add(key)
    assert list(at_once) == sorted(base | set(more))
