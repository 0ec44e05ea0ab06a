"""The names of a znode's children, as a reply has them: straight from the keys, some thousand at a time.

State   none
Source  ZooKeeper 3.9: FinalRequestProcessor, GetChildrenResponse
Absent  none

The keys end with the names, and jute writes a name as its length and its bytes; so a name is never made a
string of. Those of a slice are looked at together: all are names where their text has as many slashes as it
should and nothing that no path has. Only where another face has put a key that is no znode's, each is looked
at alone.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence

from cloudlet.coord.zookeeper.paths import ROOT, children_range, is_valid, key_of, name_of
from cloudlet.coord.zookeeper.tree import SPECIAL_CHILDREN, Tree
from cloudlet.wire.jute import INT

SLICE_NAMES = 3000  # a millisecond

Slices = Iterator[tuple[int, bytes]]
"""How many names, and they one behind the other."""


def children_of(tree: Tree, path: str) -> tuple[Slices, int]:
    """The names in the order of their bytes, as they are now, whenever they are taken; and about how many."""
    path = path or ROOT
    start, stop = children_range(path)
    keys = tree.keys.keys_within(start, stop)
    stem = "/" if path == ROOT else path + "/"
    special = [name for name in SPECIAL_CHILDREN.get(path, ()) if tree.keys.get(key_of(stem + name)) is None]
    return _slices(keys, len(start), [name.encode() for name in special]), len(keys)


def _slices(keys: Sequence[bytes], at: int, special: list[bytes]) -> Slices:
    """`special` are those that have no entry, in order."""
    for begin in range(0, len(keys), SLICE_NAMES):
        names = _valid([key[at:] for key in keys[begin : begin + SLICE_NAMES]])
        while special and names and special[0] < names[-1]:
            insort(names, special.pop(0))
        yield len(names), _encoded(names)
    if special:
        yield len(special), _encoded(special)


def _encoded(names: list[bytes]) -> bytes:
    return b"".join([part for name in names for part in (INT.pack(len(name)), name)])


def _valid(raws: list[bytes]) -> list[bytes]:
    try:
        text = "/" + b"/".join(raws).decode()
    except UnicodeDecodeError:
        text = ""
    if text.count("/") == len(raws) and is_valid(text):
        return raws
    return [raw for raw in raws if name_of(raw) is not None]


def names(slices: Slices) -> bytes:
    """The vector of all."""
    taken = list(slices)
    return INT.pack(sum(count for count, _ in taken)) + b"".join([some for _, some in taken])
