"""Keys as tuples: the bytes' order is the tuples' order, and a prefix is a range."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.kernel.tuples import pack, prefix_range, successor, text_range, unpack

PARTS = st.one_of(
    st.text(max_size=8),
    st.binary(max_size=8),
    st.integers(min_value=-(2**64) + 1, max_value=2**64 - 1),
)
TUPLES = st.lists(PARTS, max_size=4).map(tuple)


def ranked(parts: tuple[str | int | bytes, ...]) -> tuple[tuple[int, object], ...]:
    """What the order should be: bytes before text before integers, each in its own order."""
    return tuple(
        (0, part) if isinstance(part, bytes) else (1, part.encode()) if isinstance(part, str) else (2, part)
        for part in parts
    )


@given(TUPLES)
@settings(deadline=None)
def test_unpack_undoes_pack(parts):
    assert unpack(pack(parts)) == parts


@given(TUPLES, TUPLES)
@settings(deadline=None, max_examples=500)
def test_bytes_sort_as_the_tuples_do(left, right):
    assert (pack(left) < pack(right)) == (ranked(left) < ranked(right))


@given(TUPLES, TUPLES)
@settings(deadline=None, max_examples=500)
def test_a_prefix_is_a_range(prefix, other):
    start, stop = prefix_range(prefix)
    inside = len(other) > len(prefix) and other[: len(prefix)] == prefix
    types_agree = inside and [type(a) for a in prefix] == [type(b) for b in other[: len(prefix)]]
    assert (start <= pack(other) < stop) == types_agree


def test_an_integer_of_nine_bytes_is_refused():
    with pytest.raises(ValueError, match="9 bytes"):
        pack((1 << 64,))


@pytest.mark.parametrize("key", [b"\x02abc", b"\x02a\x00\x15", b"\x20", b"\x01a\x00\xff"])
def test_bytes_that_no_tuple_makes_are_refused(key):
    with pytest.raises(ValueError):
        unpack(key)


def test_nothing_lies_between_a_key_and_its_successor():
    assert successor(b"a") == b"a\x00"


NEAR = st.text(alphabet="a/\0\x01\x7fé\U0010ffff", max_size=5)


@given(st.lists(NEAR, max_size=1).map(tuple), NEAR, TUPLES | st.lists(NEAR, max_size=3).map(tuple))
@settings(deadline=None, max_examples=500)
def test_the_texts_that_begin_alike_are_a_range(parts, text, other):
    start, stop = text_range(parts, text)
    here = other[len(parts) : len(parts) + 1]
    inside = pack(other[: len(parts)]) == pack(parts) and here and isinstance(here[0], str)
    assert (start <= pack(other) < stop) == bool(inside and here[0].startswith(text))
