"""Watches: who is told of which change, in which order.

State   in memory: path -> client -> modes, one table for data and one for children
Source  ZooKeeper 3.9: WatchManager, WatchStats, DataTree.addWatch, DataTree.processTxn
Absent  the compact table of WatchManagerOptimized

What a change tells:

    create  NodeCreated to the path's data watches, then NodeChildrenChanged to the parent's child watches
    delete  NodeDeleted to the path's data watches, then to its child watches unless the client was told
            already, then NodeChildrenChanged to the parent's child watches
    set     NodeDataChanged to the path's data watches

A standard watch is spent by the event; a persistent one stays; a recursive one, which stands in the data
table alone, hears of every path below its own too. Whoever may not read the znode is not told
(CVE-2024-23944).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from cloudlet.coord.zookeeper.acl import Identity, allows
from cloudlet.coord.zookeeper.paths import ROOT, parent_of
from cloudlet.coord.zookeeper.transaction import Happened
from cloudlet.wire.zookeeper import EventType, Perms, event_frame

FORGOTTEN_MAX = 1000  # in one turn
STANDARD, PERSISTENT, RECURSIVE = 1, 2, 4
STAYS = PERSISTENT | RECURSIVE

CHILDREN_TYPE, DATA_TYPE, ANY_TYPE, PERSISTENT_TYPE, RECURSIVE_TYPE = 1, 2, 3, 4, 5  # Watcher.WatcherType
WATCHER_TYPES = range(CHILDREN_TYPE, RECURSIVE_TYPE + 1)

MODES_OF: Mapping[int, int] = MappingProxyType(
    {CHILDREN_TYPE: STANDARD, DATA_TYPE: STANDARD, PERSISTENT_TYPE: PERSISTENT, RECURSIVE_TYPE: RECURSIVE}
)


class Watcher(Protocol):
    """A client as a watch knows it."""

    @property
    def identities(self) -> Sequence[Identity]: ...

    @property
    def name(self) -> str: ...

    def send(self, frame: bytes) -> None: ...


class Table:
    """One kind of watches."""

    def __init__(self) -> None:
        self.by_path: dict[str, dict[Watcher, int]] = {}
        self.by_watcher: dict[Watcher, set[str]] = {}

    def add(self, path: str, watcher: Watcher, mode: int) -> int:
        """Add a mode; the modes before."""
        watchers = self.by_path.setdefault(path, {})
        before = watchers.get(watcher, 0)
        watchers[watcher] = before | mode
        if not before:
            self.by_watcher.setdefault(watcher, set()).add(path)
        return before

    def modes(self, path: str, watcher: Watcher) -> int:
        """The modes of a watcher at a path, 0 for none."""
        return self.by_path.get(path, {}).get(watcher, 0)

    def leave(self, path: str, watcher: Watcher, modes: int) -> int:
        """Take modes away; those that were there."""
        watchers = self.by_path.get(path)
        before = watchers.get(watcher, 0) if watchers else 0
        if watchers is None or not before:
            return 0
        left = before & ~modes
        if left:
            watchers[watcher] = left
            return before & modes
        del watchers[watcher]
        if not watchers:
            del self.by_path[path]
        paths = self.by_watcher[watcher]
        paths.discard(path)
        if not paths:
            del self.by_watcher[watcher]
        return before & modes

    def count(self) -> int:
        """All watches."""
        return sum(map(len, self.by_watcher.values()))


class Watches:
    """Both tables."""

    def __init__(self) -> None:
        self.data = Table()
        self.children = Table()
        self._recursive = 0  # how many there are: without one, no path is walked up
        self.fired = 0

    # --- adding and removing

    def add(self, path: str, watcher: Watcher, mode: int) -> None:
        """A persistent or recursive watch."""
        before = self.data.add(path, watcher, mode)
        if mode == RECURSIVE:
            self._recursive += not before & RECURSIVE
        else:
            self.children.add(path, watcher, mode)

    def has(self, path: str, watcher: Watcher, kind: int) -> bool:
        """Whether the client has a watch of a WatcherType there."""
        data, children = self.data.modes(path, watcher), self.children.modes(path, watcher)
        if kind == CHILDREN_TYPE:
            return bool(children & STANDARD)
        if kind == DATA_TYPE:
            return bool(data & STANDARD)
        if kind == PERSISTENT_TYPE:
            return bool(data & PERSISTENT)
        if kind == RECURSIVE_TYPE:
            return bool(data & RECURSIVE)
        return bool(data | children)

    def remove(self, path: str, watcher: Watcher, kind: int) -> bool:
        """Remove the client's watches of a WatcherType there; whether there was one."""
        modes = MODES_OF.get(kind, STANDARD | STAYS)
        gone = 0
        if kind != CHILDREN_TYPE:
            gone_data = self.data.leave(path, watcher, modes)
            self._recursive -= bool(gone_data & RECURSIVE)
            gone |= gone_data
        if kind != DATA_TYPE:
            gone |= self.children.leave(path, watcher, modes)
        return bool(gone)

    def forget(self, watcher: Watcher) -> Iterator[None]:
        """The client has gone: some of its watches go with each step."""
        for table in (self.data, self.children):
            for number, path in enumerate(list(table.by_watcher.get(watcher, ())), 1):
                gone = table.leave(path, watcher, STANDARD | STAYS)
                self._recursive -= bool(table is self.data and gone & RECURSIVE)
                if number % FORGOTTEN_MAX == 0:
                    yield

    # --- telling

    @property
    def is_idle(self) -> bool:
        """Whether nobody watches anything."""
        return not self.data.by_path and not self.children.by_path

    def tell(self, happened: Happened, zxid: int) -> None:
        """Send what one change tells."""
        kind, path = happened.kind, happened.path
        told = self._trigger(self.data, kind, path, happened.acl, zxid, ())
        if kind is EventType.NodeDataChanged:
            return
        if kind is EventType.NodeDeleted:
            self._trigger(self.children, kind, path, happened.acl, zxid, told)
        changed = EventType.NodeChildrenChanged
        self._trigger(self.children, changed, parent_of(path), happened.parent_acl, zxid, ())

    def _trigger(
        self,
        table: Table,
        kind: EventType,
        path: str,
        acl: bytes,
        zxid: int,
        spared: Sequence[Watcher],
    ) -> Sequence[Watcher]:
        """Tell the watchers of a path in one table, but for those spared; who was found."""
        found: list[Watcher] = []
        for watcher, modes in list(table.by_path.get(path, {}).items()):
            found.append(watcher)
            if modes & STANDARD:
                table.leave(path, watcher, STANDARD)
        if self._recursive and table is self.data:
            known = set(found)
            for above in _above(path):
                for watcher, modes in table.by_path.get(above, {}).items():
                    if modes & RECURSIVE and watcher not in known:
                        known.add(watcher)
                        found.append(watcher)
        if not found:
            return found
        frame = event_frame(kind, path, zxid)
        for watcher in found:
            if watcher not in spared and (not acl or allows(acl, Perms.READ, watcher.identities)):
                self.fired += 1
                watcher.send(frame)
        return found


def _above(path: str) -> Iterator[str]:
    """Every path above one, the nearest first."""
    while path != ROOT:
        path = parent_of(path)
        yield path
