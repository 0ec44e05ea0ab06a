"""bbolt's file: buckets of keys in order, each a B+ tree of pages, as etcd keeps and snapshots its store.

State   none
Source  go.etcd.io/bbolt 1.4: internal/common (page, meta, bucket), tx_check.go
Absent  reading; buckets within buckets, buckets inline in their parent's page, free pages

The file is written from its beginning to its end, and its first pages say how long it is and where each tree
has its root. So the sizes of all items are asked for first, and the values themselves only once their page is
written: a store of any size is never held twice.

    page 0, 1     meta: the same twice, but for the number of the transaction; the higher one counts
    page 2        the list of free pages: none
    page 3        the root: a leaf of the buckets' names, each with the page of its own root
    page 4 ...    of each bucket: its leaves, then the branches above them level by level, the root last

A page that does not hold its one item goes on in the pages behind it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from struct import Struct
from typing import Protocol

PAGE_BYTES = 4096
MAGIC, VERSION = 0xED0CDAED, 2
BRANCH, LEAF, META, FREELIST = 1, 2, 4, 16
BUCKET = 1  # of an item of a leaf: its value is the root of a bucket
FREELIST_PAGE, ROOT_PAGE, FIRST_PAGE = 2, 3, 4
HEAD = Struct("<QHHI")  # of a page: its number, kind, items, and how many pages it goes on
LEAF_ITEM = Struct("<IIII")  # flags, where the key begins (from here), sizes of key and value
BRANCH_ITEM = Struct("<IIQ")  # where the key begins (from here), its size, the page below
ROOT_VALUE = Struct("<QQ")  # of a bucket: the page of its root, a sequence number
META_FIELDS = Struct("<IIIIQQQQQ")
ITEMS_A_STEP = 2_000  # that are measured before the caller may see to something else
WRITE_BYTES = 256 << 10  # given out at once

FNV_START, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3


class Items(Protocol):
    """What a bucket holds, in the order of the keys."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> bytes: ...

    def value_bytes(self, index: int) -> int:
        """The size of the value."""

    def value(self, index: int) -> bytes: ...


class Pairs:
    """Items that are few: keys and values, in any order."""

    def __init__(self, pairs: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self._pairs = sorted(pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def key(self, index: int) -> bytes:
        return self._pairs[index][0]

    def value_bytes(self, index: int) -> int:
        return len(self._pairs[index][1])

    def value(self, index: int) -> bytes:
        return self._pairs[index][1]


class Level:
    """The pages of a tree that are equally far from its leaves."""

    def __init__(self) -> None:
        self.pages = array("Q")
        self.starts = array("Q")  # of each, the first that it holds: an item, or a page of the level below
        self.firsts = array("Q")  # of each, the first item under it: its key stands in the page above

    def held(self, number: int, count: int) -> range:
        """What a page holds, of `count` in all."""
        stop = self.starts[number + 1] if number + 1 < len(self.starts) else count
        return range(self.starts[number], stop)


class Tree:
    """The pages of one bucket, from page `first` up to, not including, `stop`."""

    def __init__(self, items: Items, first: int) -> None:
        self._items = items
        self._levels = [Level()]
        self.stop = first

    @property
    def root(self) -> int:
        return self._levels[-1].pages[0]

    def measured(self) -> Iterator[None]:
        """Lay out every page; now and then the caller has a turn."""
        items, leaves = self._items, self._levels[0]
        used, start = HEAD.size, 0
        for index in range(len(items)):
            size = LEAF_ITEM.size + len(items.key(index)) + items.value_bytes(index)
            if used + size > PAGE_BYTES and index > start:
                self._place(leaves, start, start, used)
                used, start = HEAD.size, index
            used += size
            if index % ITEMS_A_STEP == 0:
                yield
        self._place(leaves, start, start, used)
        while len(self._levels[-1].pages) > 1:
            self._lay_branches()
            yield

    def _lay_branches(self) -> None:
        below, level = self._levels[-1].firsts, Level()
        self._levels.append(level)
        used, start = HEAD.size, 0
        for child, first in enumerate(below):
            size = BRANCH_ITEM.size + len(self._items.key(first))
            if used + size > PAGE_BYTES and child > start + 1:  # at least two, or it would never narrow
                self._place(level, start, below[start], used)
                used, start = HEAD.size, child
            used += size
        self._place(level, start, below[start], used)

    def _place(self, level: Level, start: int, first: int, used: int) -> None:
        level.pages.append(self.stop)
        level.starts.append(start)
        level.firsts.append(first)
        self.stop += -(-used // PAGE_BYTES)

    def written(self) -> Iterator[bytes]:
        """Each page, in their order."""
        items, leaves = self._items, self._levels[0]
        for number, page in enumerate(leaves.pages):
            held = leaves.held(number, len(items))
            yield leaf(page, [(0, items.key(index), items.value(index)) for index in held])
        for below, level in pairwise(self._levels):
            for number, page in enumerate(level.pages):
                held = level.held(number, len(below.pages))
                yield branch(page, [(items.key(below.firsts[child]), below.pages[child]) for child in held])


def branch(page: int, children: Sequence[tuple[bytes, int]]) -> bytes:
    """A page of pages: the first key of each, and its number."""
    rows = []
    at = BRANCH_ITEM.size * len(children)
    for key, child in children:
        rows.append(BRANCH_ITEM.pack(at, len(key), child))
        at += len(key) - BRANCH_ITEM.size
    return page_of(page, BRANCH, len(rows), b"".join((*rows, *(key for key, _ in children))))


def leaf(page: int, items: Sequence[tuple[int, bytes, bytes]]) -> bytes:
    """A page of items: flags, key, value."""
    rows: list[bytes] = []
    data: list[bytes] = []
    at = LEAF_ITEM.size * len(items)
    for flags, key, value in items:
        rows.append(LEAF_ITEM.pack(flags, at, len(key), len(value)))
        data += (key, value)
        at += len(key) + len(value) - LEAF_ITEM.size
    return page_of(page, LEAF, len(items), b"".join((*rows, *data)))


def page_of(page: int, kind: int, count: int, body: bytes) -> bytes:
    """One page, or as many as the body needs."""
    size = HEAD.size + len(body)
    pages = -(-size // PAGE_BYTES)
    return HEAD.pack(page, kind, count, pages - 1) + body + bytes(pages * PAGE_BYTES - size)


def meta(number: int, stop: int) -> bytes:
    """The first or the second page."""
    fields = META_FIELDS.pack(MAGIC, VERSION, PAGE_BYTES, 0, ROOT_PAGE, 0, FREELIST_PAGE, stop, number)
    return page_of(number, META, 0, fields + fnv(fields).to_bytes(8, "little"))


def fnv(data: bytes) -> int:
    """FNV-1a of 64 bits."""
    found = FNV_START
    for byte in data:
        found = (found ^ byte) * FNV_PRIME & (1 << 64) - 1
    return found


class BboltFile:
    """A whole file: `measured` to its end, then `written`."""

    def __init__(self, buckets: Sequence[tuple[bytes, Items]]) -> None:
        self._buckets = sorted(buckets, key=lambda bucket: bucket[0])
        self._trees: list[Tree] = []
        self._stop = FIRST_PAGE

    @property
    def size_bytes(self) -> int:
        return self._stop * PAGE_BYTES

    def measured(self) -> Iterator[None]:
        """Lay out every page; now and then the caller has a turn."""
        for _, items in self._buckets:
            tree = Tree(items, self._stop)
            yield from tree.measured()
            self._trees.append(tree)
            self._stop = tree.stop

    def written(self) -> Iterator[bytes]:
        """The bytes, in pieces."""
        roots = [
            (BUCKET, name, ROOT_VALUE.pack(tree.root, 0))
            for (name, _), tree in zip(self._buckets, self._trees, strict=True)
        ]
        root = leaf(ROOT_PAGE, roots)
        assert len(root) == PAGE_BYTES, "the names of all buckets are in one page"
        held = [meta(0, self._stop), meta(1, self._stop), page_of(FREELIST_PAGE, FREELIST, 0, b""), root]
        size = len(held) * PAGE_BYTES
        for tree in self._trees:
            for page in tree.written():
                held.append(page)
                size += len(page)
                if size >= WRITE_BYTES:
                    yield b"".join(held)
                    held, size = [], 0
        if held:
            yield b"".join(held)
