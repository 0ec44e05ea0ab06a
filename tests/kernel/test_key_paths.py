"""Paths of keys: what people type, and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.kernel.key_paths import key_of, path_of, prefix_of
from cloudlet.kernel.tuples import pack

PARTS = st.one_of(st.text(), st.binary(), st.integers(-(2**63), 2**63))


@settings(deadline=None, max_examples=300)
@given(st.lists(PARTS, min_size=1, max_size=5).map(tuple))
def test_every_tuple_has_a_path_of_its_own(parts):
    path = path_of(pack(parts))
    assert key_of(path) == pack(parts)
    assert all(character >= " " for character in path)


@settings(deadline=None)
@given(st.binary(min_size=1))
def test_every_key_has_a_path(key):
    assert key_of(path_of(key)) == key


def test_a_path_is_what_one_would_write():
    assert path_of(pack(("sqs", "000000000000", 7, b"\x01"))) == "sqs/000000000000/#7/#x01"
    assert path_of(pack(("a/b", "#1", "", "50%"))) == "a%2Fb/%231/%/50%25"
    assert path_of(b"\x7fclock") == "#raw/7f636c6f636b"
    assert path_of(b"e/zk/1/a") == "#etcd//zk/1/a"
    assert path_of("e50% é\n".encode() + b"\xff") == "#etcd/50%25 é%0A%FF"


def test_a_prefix_takes_its_own_key_and_what_goes_on_behind_it():
    start, stop = prefix_of("sqs/1")
    inside = [pack(("sqs", "1")), pack(("sqs", "1", "a")), pack(("sqs", "1", -5, b""))]
    outside = [pack(("sqs", "10")), pack(("sqs",)), pack(("sqs", "2")), pack(("sqs", "0", "a"))]
    assert all(start <= key < stop for key in inside)
    assert not any(start <= key < stop for key in outside)
    assert prefix_of("") == (b"", b"\xff")
    assert prefix_of("#etcd/foo") == (b"efoo", b"efop")
    assert prefix_of("#etcd/foo%FF") == (b"efoo\xff", b"efop")
    assert prefix_of("#etcd/") == prefix_of("#etcd") == (b"e", b"f")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("#", "no number"),
        ("#x1", "'#x1' is no number as #7 and no bytes"),
        ("a/#seven", "'#seven' is no number as #7"),
        ("#raw/0", "what follows #raw/ is hexadecimal"),
    ],
)
def test_what_is_no_path_is_refused(path, why):
    with pytest.raises(ValueError, match=why):
        key_of(path)
