"""Paths, and the keys they are kept under."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.coord.zookeeper.paths import (
    ZNODES,
    ZNODES_STOP,
    below,
    check_path,
    children_range,
    descendants_range,
    is_valid,
    key_of,
    parent_of,
    path_of,
    place_of,
)
from cloudlet.coord.zookeeper.tree import side_key
from cloudlet.kernel.tuples import pack

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
    lambda name: is_valid("/" + name)
)
PATHS = st.lists(NAMES.filter(lambda name: "/" not in name), min_size=1, max_size=5).map(
    lambda names: "/" + "/".join(names)
)


@given(PATHS)
def test_a_path_comes_back_from_its_key(path):
    assert path_of(key_of(path)) == path
    assert ZNODES <= key_of(path) < ZNODES_STOP
    assert place_of(path) == key_of(path)
    assert side_key(path) == pack(("zk", "stat", path))


@given(st.binary(max_size=12))
def test_no_two_keys_are_one_path(tail):
    key = ZNODES + tail
    path = path_of(key)
    assert path is None or key_of(path) == key


@given(PATHS, PATHS)
def test_the_children_of_a_znode_are_one_range_and_no_one_else(path, other):
    start, stop = children_range(path)
    assert (start <= key_of(other) < stop) == (parent_of(other) == path)


@given(PATHS, PATHS)
def test_the_descendants_at_one_depth_are_one_range(path, other):
    start, stop = descendants_range(path, other.count("/"))
    assert (start <= key_of(other) < stop) == other.startswith(below(path))


def test_the_root():
    assert (key_of("/"), path_of(b"e/zk/0/")) == (b"e/zk/0/", "/")
    assert (parent_of("/"), parent_of("/a")) == ("/", "/")
    assert children_range("/") == (b"e/zk/1/", b"e/zk/10")
    assert children_range("/a") == (b"e/zk/2/a/", b"e/zk/2/a0")


@pytest.mark.parametrize(
    "path",
    ["", "a", "/a/", "//", "/a//b", "/.", "/..", "/a/.", "/a/../b", "/./a", "/a\0", "/a\x1f", "/\x7f",
     "/\x9f", "/\ud800", "/\uf8ff", "/\ufff0"],
)  # fmt: skip
def test_what_is_no_path(path):
    with pytest.raises(KeeperFault):
        check_path(path)


@pytest.mark.parametrize("path", ["/", "/a", "/a.b", "/...", "/.a", "/a..", "/é", "/\U0001f600", "/a b"])
def test_what_is_one(path):
    check_path(path)


@pytest.mark.parametrize("path", ["", "a", "/a/", "//", "/a//b", "/..", "/a/./b", "/a\0"])
def test_what_is_no_path_has_no_place(path):
    assert place_of(path) is None
    with pytest.raises(KeeperFault):
        check_path(path)


def test_long_paths_are_not_remembered():
    """A frame may be a megabyte, and thousands of them are: what is kept of their paths stays small."""
    paths = [f"/{number:03d}" + 100_000 * "n" for number in range(100)]
    tracemalloc.start()
    try:
        for path in paths:
            assert key_of(path) == place_of(path)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
