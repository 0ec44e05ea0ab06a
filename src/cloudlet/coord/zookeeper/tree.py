"""The tree of znodes: reading it, and what is known of it beside the store.

State   ("zk", "stat", path) -> SideRecord: see znode.py; the znodes themselves, see paths.py
        in memory: the side of every znode that has one, how many children each has, and the paths of
        containers and of znodes with a TTL
Source  ZooKeeper 3.9, DataTree
Absent  slices for a deletion by another face of very many znodes: one turn, 9 us each

Theory of operation
    The store has the truth; this keeps what it could only tell by walking. `change` follows every change of
    the znodes' range in the turn in which it is applied, whoever made it: our own commits, which tell by a
    Transaction what they meant, and those of other faces, of which there is nothing but the keys.

    Other faces know nothing of sides. So when one makes or deletes a znode, its parent's side changes here at
    once, and is *owed*: the next `repayment` commits it. If a crash comes before that, the next start finds
    the children that are newer than their parent's side, and `recall` looks through the end of the history
    for those that are gone.

    A znode whose parent is not there (an etcd client may make one) is an *orphan*: it is read and set by its
    path as any other, is nobody's child until somebody makes its parent, and harms nothing.

    The four special znodes are there without an entry, until they are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from cloudlet.coord.zookeeper.acl import OPEN, READ_ONLY
from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.coord.zookeeper.paths import (
    CONFIG,
    QUOTA,
    ROOT,
    SPECIAL,
    ZNODES,
    ZNODES_STOP,
    ZOOKEEPER,
    descendants_range,
    key_of,
    parent_of,
    path_of,
)
from cloudlet.coord.zookeeper.znode import (
    EPHEMERAL_KINDS,
    Side,
    Znode,
    decode_side,
    encode_side,
    read,
)
from cloudlet.kernel.keys import NO_LEASE, Change, Drop, Entry, LocalKeys, Put
from cloudlet.kernel.tuples import pack, prefix_range, unpack
from cloudlet.wire.zookeeper import Code, Stat

PAGE_KEYS = 2000
SIDES_STEM = pack(("zk", "stat", ""))[:-1]
REPAYMENT_MAX = 500  # sides written by one commit: 3 ms

NO_SIDE = Side()
"""The side of a znode that has none; never changed."""

SPECIAL_CHILDREN: Mapping[str, tuple[str, ...]] = {ROOT: ("zookeeper",), ZOOKEEPER: ("config", "quota")}
SPECIAL_ACLS: Mapping[str, bytes] = {ROOT: OPEN, ZOOKEEPER: OPEN, CONFIG: READ_ONLY, QUOTA: OPEN}


class Touched(NamedTuple):
    """A znode that another face has changed, with the list in force before a deletion."""

    path: str
    now: Znode | None
    was: Znode | None
    acl: bytes


def side_key(path: str) -> bytes:
    """Where a side is kept: `pack` of ("zk", "stat", path), in which no NUL can be."""
    return SIDES_STEM + path.encode() + b"\0"


class Tree:
    """The znodes at head."""

    def __init__(self, keys: LocalKeys) -> None:
        self.keys = keys
        self.sides: dict[str, Side] = {}
        self.timed: dict[str, None] = {}  # containers, and znodes with a TTL
        self.owed: dict[str, None] = {}  # paths whose sides are to be written, or dropped
        self.nodes = 0  # with an entry
        self.bytes = 0  # of their paths and data
        self._kept: dict[str, int] = {}  # the pzxids that were found at the start

    # --- reading

    def find(self, path: str) -> Znode | None:
        """The znode, None where there is none. The empty path is the root, as in ZooKeeper."""
        entry = self.keys.get(key_of(path or ROOT))
        if entry is not None:
            return read(path, entry)
        if path in SPECIAL or not path:
            return Znode(path, b"", 0, 0, 0, 0, 0, NO_LEASE, 0, 0, SPECIAL_ACLS[path or ROOT])
        return None

    def has(self, path: str) -> bool:
        """Whether there is a znode."""
        return self.keys.get(key_of(path)) is not None or path in SPECIAL

    def need(self, path: str) -> Znode:
        """The znode; NONODE."""
        found = self.find(path)
        if found is None:
            raise KeeperFault(Code.NONODE, path)
        return found

    def side(self, path: str) -> Side:
        """What is kept beside the znode; not to be changed."""
        return self.sides.get(path or ROOT, NO_SIDE)

    def acl(self, znode: Znode) -> bytes:
        """The list in force."""
        set_anew = self.side(znode.path).acl
        return znode.acl if set_anew is None else set_anew

    def descendants(self, path: str) -> Iterator[tuple[str, Entry]]:
        """Every znode below one that has an entry, level by level."""
        depth = 1 if path == ROOT else path.count("/") + 1
        while True:
            start, stop = descendants_range(path, depth)
            if not self.keys.count(start, stop):
                return
            for entry in _pages(self.keys, start, stop):
                below = path_of(entry.key)
                if below is not None:
                    yield below, entry
            depth += 1

    def special_count(self, path: str) -> int:
        """How many znodes without an entry are below one."""
        count = 0
        for special in SPECIAL:
            is_below = special != path and (path in ("", ROOT) or special.startswith(path + "/"))
            if is_below and self.keys.get(key_of(special)) is None:
                count += 1
        return count

    def stat(self, znode: Znode) -> Stat:
        """What a client is told."""
        return stat_of(znode, self.side(znode.path))

    # --- following

    def open(self) -> None:
        """Take in what the store holds."""
        self.sides, self.timed, self.owed, self.nodes, self.bytes = {}, {}, {}, 0, 0
        for special in SPECIAL:
            if special != ROOT:
                self._side(parent_of(special)).children += 1
        self._side(CONFIG).aversion = -1  # as ZooKeeper's is, from how its list is set
        for entry in _pages(self.keys, *prefix_range(("zk", "stat"))):
            self._open_side(entry)
        kept = self._kept = {path: side.pzxid for path, side in self.sides.items()}
        for entry in _pages(self.keys, ZNODES, ZNODES_STOP):
            path = path_of(entry.key)
            if path is None:
                continue
            self._came(path, entry)
            parent = parent_of(path)
            if entry.create_revision > kept.get(parent, 0):
                self._count_late(path, parent, entry.create_revision)

    def _count_late(self, path: str, parent: str, revision: int) -> None:
        """A child that is newer than what its parent knows: a crash has taken what was owed for it, unless it
        is older than the parent itself."""
        found = self.find(parent)
        if found is not None and revision >= found.czxid:
            self._changed_children(path, max(revision, self.side(parent).pzxid), creates=1)

    def _open_side(self, entry: Entry) -> None:
        path = unpack(entry.key)[2]
        assert isinstance(path, str)
        kept = decode_side(entry.value)
        side = self._side(path)
        side.creates, side.pzxid, side.aversion = kept.creates, kept.pzxid, kept.aversion
        side.acl, side.is_kept = kept.acl, True
        if self.find(path) is None:
            self.owed[path] = None

    def recall(self, change: Change) -> None:
        """A change of the past, before anybody is served: note what another face's changed of a parent,
        unless that is noted."""
        if change.author.face == "zookeeper":
            return
        for event in change.events:
            path = path_of(event.entry.key) if event.entry.key.startswith(ZNODES) else None
            if path is None or change.revision <= self._kept.get(parent_of(path), 0):
                continue
            is_made = not event.dropped and event.previous is None
            entry = self.keys.get(event.entry.key)
            if is_made and entry is not None and entry.create_revision == change.revision:
                continue  # `open` has found it
            if is_made or event.dropped:
                newest = max(change.revision, self.side(parent_of(path)).pzxid)
                self._changed_children(path, newest, creates=int(is_made))

    def _side(self, path: str) -> Side:
        """The side, to be changed."""
        side = self.sides.get(path)
        if side is None:
            side = self.sides[path] = Side()
        return side

    def _came(self, path: str, entry: Entry) -> None:
        self.nodes += 1
        self.bytes += size_of(entry)
        if path not in SPECIAL:
            self._side(parent_of(path)).children += 1
        if entry.meta and entry.meta[0] & EPHEMERAL_KINDS:
            self.timed[path] = None

    def _went(self, path: str) -> None:
        self.nodes -= 1
        self.timed.pop(path, None)
        if path not in SPECIAL:
            parent = parent_of(path)
            self._side(parent).children -= 1
            self._tidy(parent)

    def _tidy(self, path: str) -> None:
        """Forget a side that tells nothing."""
        if self.sides.get(path) == NO_SIDE:
            del self.sides[path]

    def follow(self, change: Change) -> list[Touched]:
        """Another face's change: the znodes it touched."""
        touched: list[Touched] = []
        for event in change.events:
            key = event.entry.key
            path = path_of(key) if key.startswith(ZNODES) else None
            if path is None:
                continue
            entry = None if event.dropped else event.entry
            before = event.previous
            now = None if entry is None else read(path, entry)
            was = None if before is None else read(path, before)
            znode = now or was
            touched.append(Touched(path, now, was, self.acl(znode) if znode is not None else OPEN))
            if before is not None:
                self.bytes += (0 if entry is None else size_of(entry)) - size_of(before)
            if entry is not None and before is None:
                self._came(path, entry)
                self._changed_children(path, change.revision, creates=1)
            elif entry is None:
                self._went(path)
                self._changed_children(path, change.revision, creates=0)
                self._bury(path)
            elif not entry.meta or not entry.meta[0] & EPHEMERAL_KINDS:
                self.timed.pop(path, None)
        return touched

    def _changed_children(self, path: str, revision: int, *, creates: int) -> None:
        parent = parent_of(path)
        if path in SPECIAL or self.find(parent) is None:
            return
        side = self._side(parent)
        side.creates += creates
        side.pzxid = revision
        self.owed[parent] = None

    def _bury(self, path: str) -> None:
        """A znode is gone: nothing beside it outlives it but the count of orphans."""
        side = self.sides.get(path)
        if side is None or path in SPECIAL:
            return
        if side.is_kept:
            self.owed[path] = None
        self.sides[path] = Side(children=side.children, is_kept=side.is_kept)
        self._tidy(path)

    def take(
        self, sides: Mapping[str, Side], kinds: Mapping[str, int | None], more_nodes: int, more_bytes: int
    ) -> None:
        """Our own commit: the sides as it has written them, the flags of every znode written (None: deleted),
        and how many more there are. The children are counted in the sides already."""
        self.nodes += more_nodes
        self.bytes += more_bytes
        for path, flags in kinds.items():
            if flags:
                self.timed[path] = None
            else:
                self.timed.pop(path, None)
        for path, side in sides.items():
            self.sides[path] = side
            self.owed.pop(path, None)
            self._tidy(path)

    def repayment(self) -> tuple[list[str], list[Put], list[Drop]]:
        """Some of the sides that are owed, with their puts and drops; they are not owed any more."""
        puts: list[Put] = []
        drops: list[Drop] = []
        paths = list(islice(self.owed, REPAYMENT_MAX))
        for path in paths:
            del self.owed[path]
            side = self.sides.get(path)
            if self.has(path) and side is not None:
                side.is_kept = True
                puts.append(Put(side_key(path), side_value(side)))
            else:
                if side is not None:
                    self.sides[path] = Side(children=side.children)
                    self._tidy(path)
                drops.append(Drop(side_key(path)))
        return paths, puts, drops


def stat_of(znode: Znode, side: Side) -> Stat:
    """The Stat of a znode with this side."""
    data = znode.data
    children = side.children
    return Stat(
        znode.czxid, znode.mzxid, znode.ctime, znode.mtime, znode.version,
        2 * side.creates - children,  # "the count of the creates to the count of the changes"
        side.aversion,
        # What ZooKeeper keeps there of containers and TTLs it does not show.
        0 if znode.flags & EPHEMERAL_KINDS else znode.owner,
        0 if data is None else len(data), children,
        side.pzxid or znode.czxid,
    )  # fmt: skip


def size_of(entry: Entry) -> int:
    """What a znode weighs: its path, and a few bytes of its key's depth, and its data."""
    return len(entry.key) + len(entry.value)


def side_value(side: Side) -> bytes:
    """A side as it is kept."""
    return encode_side((side.creates, side.pzxid, side.aversion, side.acl))  # as a SideRecord is


def _pages(keys: LocalKeys, start: bytes, stop: bytes) -> Iterator[Entry]:
    """All entries of a range, in slices."""
    while True:
        page = keys.scan(start, stop, limit=PAGE_KEYS)
        yield from page
        if len(page) < PAGE_KEYS:
            return
        start = page[-1].key + b"\0"
