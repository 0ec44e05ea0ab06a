"""Quotas: how many znodes and bytes a subtree may have.

State   /zookeeper/quota/PATH/zookeeper_limits, a znode that a client makes; in memory: what each such subtree
        holds, counted at the start and followed from then on
Source  ZooKeeper 3.9: StatsTrack, Quotas, DataTree.updateQuotaStat, ZooKeeperServer.checkQuota
Absent  none

A limit is text, "count=5,bytes=1024", where -1 is none; ";byteHardLimit=…;countHardLimit=…" add hard ones.
Going over a soft limit is only logged; over a hard one is refused, where quotas are enforced. The znode
zookeeper_stats beside the limits, where a client has made it, is read with what the subtree holds now.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

import msgspec

from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.coord.zookeeper.paths import LIMITS_NAME, QUOTA, ROOT, STATS_NAME, parent_of
from cloudlet.coord.zookeeper.tree import Tree
from cloudlet.coord.zookeeper.znode import Znode
from cloudlet.wire.zookeeper import Code

log = logging.getLogger(__name__)

_FIELD = re.compile(r"([A-Za-z]+)=(-?\d+)")
_SUFFIX = "/" + LIMITS_NAME
_STATS_SUFFIX = "/" + STATS_NAME


class Limits(msgspec.Struct, frozen=True):
    """What a limits znode says; -1 is no limit."""

    count: int = -1
    bytes: int = -1
    count_hard: int = -1
    bytes_hard: int = -1


class Held(msgspec.Struct):
    """A subtree with a quota, and what it holds with its root."""

    limits: Limits
    sizes: dict[str, int]  # by path: what a change takes away is known without the entry before
    bytes: int = 0


class Quotas:
    """All quotas."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._held: dict[str, Held] = {}

    @property
    def is_idle(self) -> bool:
        """Whether there is no quota, and none is being made: then nothing needs to be followed."""
        if self._held:
            return False
        side = self._tree.sides.get(QUOTA)
        return side is None or not side.children

    def open(self) -> None:
        """Find the quotas and count what they hold."""
        self._held = {}
        for path, entry in list(self._tree.descendants(QUOTA)):
            if path.endswith(_SUFFIX):
                self._set(path, entry.value)

    def _set(self, path: str, data: bytes | None) -> None:
        """A limits znode was written; None: deleted."""
        of = path[len(QUOTA) : -len(_SUFFIX)] or ROOT
        if data is None:
            self._held.pop(of, None)
            return
        limits = parse(data)
        held = self._held.get(of)
        if held is not None:
            held.limits = limits
            return
        sizes = {below: len(entry.value) for below, entry in self._tree.descendants(of)}
        root = self._tree.find(of)
        if root is not None:
            sizes[of] = len(root.data or b"")
        self._held[of] = Held(limits, sizes, sum(sizes.values()))

    def follow(self, nodes: Mapping[str, Znode | None]) -> None:
        """Znodes as they are after a commit."""
        for path, znode in nodes.items():
            if path.endswith(_SUFFIX) and path.startswith(QUOTA + "/"):
                self._set(path, None if znode is None else znode.data or b"")
            for of in self._over(path):
                held = self._held[of]
                held.bytes -= held.sizes.pop(path, 0)
                if znode is not None:
                    held.sizes[path] = len(znode.data or b"")
                    held.bytes += held.sizes[path]

    def _over(self, path: str) -> list[str]:
        """The quotas that a path counts for. Those below /zookeeper count for none."""
        if path == QUOTA or path.startswith("/zookeeper/"):
            return []
        found: list[str] = []
        while True:
            if path in self._held:
                found.append(path)
            if path == ROOT:
                return found
            path = parent_of(path)

    def check(self, path: str, more_bytes: int, more_nodes: int, *, enforced: bool) -> None:
        """A znode is about to change its size: QUOTAEXCEEDED over a hard limit, a warning over a soft one.
        What is over its limit already may not even shrink, unless to below it."""
        for of in self._over(path):
            held = self._held[of]
            count, size = len(held.sizes) + more_nodes, held.bytes + more_bytes
            limits = held.limits
            if more_nodes > 0 and 0 <= limits.count_hard < count:
                self._exceed(of, f"count={count}, hard limit {limits.count_hard}", enforced=enforced)
            if more_bytes and 0 <= limits.bytes_hard < size:
                self._exceed(of, f"bytes={size}, hard limit {limits.bytes_hard}", enforced=enforced)
            if more_nodes > 0 and 0 <= limits.count < count:
                log.warning("quota of %s exceeded: count=%d, limit %d", of, count, limits.count)
            if more_bytes and 0 <= limits.bytes < size:
                log.warning("quota of %s exceeded: bytes=%d, limit %d", of, size, limits.bytes)

    def _exceed(self, of: str, what: str, *, enforced: bool) -> None:
        log.warning("quota of %s exceeded: %s", of, what)
        if enforced:
            raise KeeperFault(Code.QUOTAEXCEEDED, of)

    def stats(self, path: str) -> bytes | None:
        """What a stats znode tells now; None for any other path, or without limits beside it."""
        if not (path.startswith(QUOTA + "/") and path.endswith(_STATS_SUFFIX)):
            return None
        held = self._held.get(path[len(QUOTA) : -len(_STATS_SUFFIX)] or ROOT)
        return None if held is None else b"count=%d,bytes=%d" % (len(held.sizes), held.bytes)


def parse(data: bytes) -> Limits:
    """The limits that a znode's data says; what is not said is no limit."""
    found = {name.lower(): int(number) for name, number in _FIELD.findall(data.decode("utf-8", "replace"))}
    return Limits(
        found.get("count", -1),
        found.get("bytes", -1),
        found.get("counthardlimit", -1),
        found.get("bytehardlimit", -1),
    )
