"""A transaction: what one request changes, staged, then one commit.

State   in memory, until it is committed: the znodes and sides as they will be, the events in order
Source  ZooKeeper 3.9: PrepRequestProcessor (the order of the checks), DataTree.processTxn (what changes)
Absent  local sessions

The operations of a multi see what the earlier ones have staged. Nothing is changed by a transaction that is
given up. Between staging and commit nothing else runs, so no guards are needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cloudlet.coord.zookeeper import acl as acls
from cloudlet.coord.zookeeper.acl import Identity
from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.coord.zookeeper.paths import (
    ROOT,
    SPECIAL,
    check_path,
    key_of,
    parent_of,
)
from cloudlet.coord.zookeeper.tree import NO_SIDE, Tree, side_key, side_value, size_of, stat_of
from cloudlet.coord.zookeeper.znode import (
    CONTAINER,
    EPHEMERAL_KINDS,
    HAS_TTL,
    Side,
    Znode,
    fresh,
    read,
    written,
)
from cloudlet.kernel.keys import LOCAL_LIMITS, Author, Commit, Drop, Durability, Entry, LeaseId, Put
from cloudlet.wire.zookeeper import ACL, TTL_MS_MAX, Code, CreateMode, EventType, Perms, Stat

NO_TTL = -1
PERSISTENT = CreateMode.PERSISTENT


class Happened(msgspec.Struct, frozen=True, gc=False):
    """An event for watches, with the list that says who may see it."""

    kind: EventType
    path: str
    acl: bytes
    parent_acl: bytes


class Transaction:
    """One request's changes; `commit` tells the store."""

    __slots__ = (
        "_has_digest",
        "_identities",
        "_now_ms",
        "_session",
        "_were",
        "events",
        "kinds",
        "more_bytes",
        "more_nodes",
        "nodes",
        "sides",
        "tree",
        "zxid",
    )

    def __init__(
        self,
        tree: Tree,
        session: LeaseId,
        identities: Sequence[Identity],
        now_ms: int,
        *,
        has_digest: bool = True,
    ) -> None:
        """`has_digest`: whether access control lists may name users of scheme digest."""
        self.tree = tree
        self.zxid = tree.keys.head + 1
        self._session = session
        self._identities = identities
        self._has_digest = has_digest
        self._now_ms = now_ms
        self.nodes: dict[str, Znode | None] = {}
        self._were: dict[str, Entry | None] = {}  # of those that go, where it is known
        self.sides: dict[str, Side] = {}
        self.events: list[Happened] = []
        self.kinds: dict[str, int | None] = {}  # of the znodes written, by `commit`; None: deleted
        self.more_nodes = self.more_bytes = 0

    # --- what is there

    def find(self, path: str) -> Znode | None:
        """The znode as staged."""
        return self.nodes[path] if path in self.nodes else self.tree.find(path)

    def need(self, path: str) -> Znode:
        """The same; NONODE."""
        found = self.nodes[path] if path in self.nodes else self.tree.find(path)
        if found is None:
            raise KeeperFault(Code.NONODE, path)
        return found

    def side(self, path: str) -> Side:
        """The side as staged; not to be changed."""
        return self.sides.get(path) or self.tree.sides.get(path or ROOT, NO_SIDE)

    def acl(self, znode: Znode) -> bytes:
        """The list in force."""
        set_anew = self.side(znode.path).acl
        return znode.acl if set_anew is None else set_anew

    def stat(self, znode: Znode) -> Stat:
        """What a client is told once this is committed."""
        return stat_of(znode, self.side(znode.path))

    def _staged_side(self, path: str) -> Side:
        side = self.sides.get(path)
        if side is None:
            side = self.sides[path] = self.tree.side(path).copy()
        return side

    # --- operations

    def create(
        self, path: str, data: bytes | None, acl: Sequence[ACL], flags: int, ttl: int = NO_TTL
    ) -> Znode:
        """Make a znode; its path has the sequence number."""
        mode = _mode_of(path, flags, ttl)
        if path.find("/") < 0 or "\0" in path:
            raise KeeperFault(Code.BADARGUMENTS, path)
        kept = acls.resolve(acl, self._identities, has_digest=self._has_digest)
        parent = self.need(parent_of(path))
        parent_acl = self.acl(parent)
        acls.check(parent_acl, Perms.CREATE, self._identities)
        if mode is not PERSISTENT and mode.is_sequential:
            path += f"{self.side(parent.path).creates:010d}"
        check_path(path)
        if self.find(path) is not None:
            raise KeeperFault(Code.NODEEXISTS, path)
        if parent.owner and not parent.flags & EPHEMERAL_KINDS:
            raise KeeperFault(Code.NOCHILDRENFOREPHEMERALS, path)
        made = fresh(path, data, self.zxid, self._now_ms)
        made.acl = kept
        if mode is PERSISTENT:
            pass  # as nearly all are
        elif mode.is_ephemeral:
            made.owner = self._session
        elif mode is CreateMode.CONTAINER:
            made.flags = CONTAINER
        elif mode.has_ttl:
            made.flags, made.ttl = HAS_TTL, ttl
        self.nodes[path] = made
        side = self._staged_side(parent.path)
        side.creates += 1
        side.children += 1
        side.pzxid = self.zxid
        orphans = self.tree.side(path)
        if path not in self.sides and orphans.is_kept:
            self.sides[path] = Side(children=orphans.children, is_kept=True)
        self.events.append(Happened(EventType.NodeCreated, path, kept, parent_acl))
        return made

    def delete(self, path: str, version: int) -> None:
        """Delete a znode without children."""
        if path.find("/") < 0 or "\0" in path or path in SPECIAL:
            raise KeeperFault(Code.BADARGUMENTS, path)
        parent = self.need(parent_of(path))
        acls.check(self.acl(parent), Perms.DELETE, self._identities)
        znode = self.need(path)
        _check_version(path, znode.version, version)
        if self.side(path).children > 0:
            raise KeeperFault(Code.NOTEMPTY, path)
        self.remove(znode, parent)

    def remove(self, znode: Znode, parent: Znode | None) -> None:
        """Delete a znode, unasked; an orphan has no parent."""
        path, acl = znode.path, self.acl(znode)
        self._forget(path, znode.entry)
        side = self._staged_side(parent_of(path))
        side.children -= 1
        if parent is not None:
            side.pzxid = self.zxid
        parent_acl = self.acl(parent) if parent is not None else acls.OPEN
        self.events.append(Happened(EventType.NodeDeleted, path, acl, parent_acl))

    def _forget(self, path: str, entry: Entry | None) -> None:
        self.nodes[path] = None
        self._were[path] = entry
        old = self.side(path)
        if old.is_kept or old.children or path in self.sides:
            self.sides[path] = Side(children=old.children, is_kept=old.is_kept)

    def remove_all(self, found: Sequence[tuple[str, Entry]], *, is_told: bool) -> None:
        """`remove` of very many that are there, in half of its time: each parent is looked at once, and where
        nobody is told, no znode."""
        counts: dict[str, int] = {}
        above, parent_acl = "", acls.OPEN
        for path, entry in found:
            above_this = parent_of(path)
            if is_told:
                if above_this != above:
                    above, parent = above_this, self.find(above_this)
                    parent_acl = self.acl(parent) if parent is not None else acls.OPEN
                acl = self.acl(read(path, entry))
                self.events.append(Happened(EventType.NodeDeleted, path, acl, parent_acl))
            self._forget(path, entry)
            if path not in SPECIAL:
                counts[above_this] = counts.get(above_this, 0) + 1
        for path, count in counts.items():
            side = self._staged_side(path)
            side.children -= count
            if self.find(path) is not None:
                side.pzxid = self.zxid

    def set_data(self, path: str, data: bytes | None, version: int) -> Znode:
        """Set a znode's data."""
        check_path(path)
        znode = self.need(path)
        acl = self.acl(znode)
        if acl:
            acls.check(acl, Perms.WRITE, self._identities)
        _check_version(path, znode.version, version)
        changed = Znode(
            path, data, znode.czxid, self.zxid, znode.ctime, self._now_ms, znode.version + 1, znode.owner,
            znode.flags, znode.ttl, znode.acl, znode.entry,
        )  # fmt: skip
        self.nodes[path] = changed
        self.events.append(Happened(EventType.NodeDataChanged, path, acl, acls.OPEN))
        return changed

    def set_acl(self, path: str, acl: Sequence[ACL], version: int) -> Znode:
        """Set a znode's list."""
        check_path(path)
        kept = acls.resolve(acl, self._identities, has_digest=self._has_digest)
        znode = self.need(path)
        acls.check(self.acl(znode), Perms.ADMIN, self._identities)
        _check_version(path, self.side(path).aversion, version)
        side = self._staged_side(path)
        side.aversion += 1
        side.acl = kept
        return znode

    def check(self, path: str, version: int) -> None:
        """BADVERSION unless the znode has this version."""
        check_path(path)
        znode = self.need(path)
        acls.check(self.acl(znode), Perms.READ, self._identities)
        _check_version(path, znode.version, version)

    # --- committing

    def commit(self, author: Author, drops: Sequence[Drop] = ()) -> Commit | None:
        """The commit of all that is staged, and of further drops; None where nothing changes."""
        keys = self.tree.keys
        puts: list[Put] = []
        gone = list(drops)
        after = [0] * len(gone)  # so that other faces see the changes in the order of the operations
        for path, znode in self.nodes.items():
            before = znode.entry if znode is not None else self._were.get(path)
            key = before.key if before is not None else key_of(path)
            if before is None:
                before = keys.get(key)
            if znode is not None:
                put = written(key, znode, before, self.zxid)
                puts.append(put)
                self.more_bytes += len(put.value) - (-len(key) if before is None else len(before.value))
                self.more_nodes += before is None
                self.kinds[path] = znode.flags & EPHEMERAL_KINDS
            elif before is not None:
                gone.append(Drop(key))
                after.append(len(puts))
                self.more_nodes -= 1
                self.more_bytes -= size_of(before)
                self.kinds[path] = None
        for path, side in self.sides.items():
            is_there = self.nodes[path] is not None if path in self.nodes else self.tree.has(path)
            if is_there and (side.creates or side.pzxid or side.aversion or side.acl is not None):
                side.is_kept = True
                puts.append(Put(side_key(path), side_value(side)))
            elif side.is_kept:
                side.is_kept = False
                gone.append(Drop(side_key(path)))
                after.append(len(puts))
        if not puts and not gone:
            return None
        return Commit(author, (), puts, gone, Durability.SYNC, LOCAL_LIMITS, after)


def _mode_of(path: str, flags: int, ttl: int) -> CreateMode:
    if flags == 0 and ttl < 0:
        return PERSISTENT
    try:
        mode = CreateMode(flags)
    except ValueError:
        raise KeeperFault(Code.BADARGUMENTS, path) from None
    if not 0 < ttl <= TTL_MS_MAX if mode.has_ttl else ttl >= 0:
        raise KeeperFault(Code.BADARGUMENTS, path)
    return mode


def _check_version(path: str, found: int, wanted: int) -> None:
    if wanted not in (-1, found):
        raise KeeperFault(Code.BADVERSION, path)
