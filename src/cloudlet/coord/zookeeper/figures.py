"""What is counted of a keeper, for those who watch over it.

State   none
Source  ZooKeeper 3.9: ServerStats, DataTree
Absent  none
"""

from __future__ import annotations

from cloudlet.coord.zookeeper.keeper import Keeper
from cloudlet.coord.zookeeper.paths import SPECIAL, ZNODES, key_of, path_of
from cloudlet.kernel.fault import NoSuchLease
from cloudlet.kernel.keys import LeaseId


def nodes_count(keeper: Keeper) -> int:
    """All znodes, with those that are there without an entry."""
    return keeper.tree.nodes + sum(1 for path in SPECIAL if keeper.keys.get(key_of(path)) is None)


def data_bytes(keeper: Keeper) -> int:
    """The size of all paths and data, about."""
    return keeper.tree.bytes


def uptime_ms(keeper: Keeper) -> int:
    """Since this server was made."""
    return int(keeper.clock.monotonic_ms() - keeper.began_ms)


def ephemerals_of(keeper: Keeper, session: LeaseId) -> list[str]:
    """The paths of a session's ephemerals."""
    try:
        keys = keeper.keys.lease_keys(session)
    except NoSuchLease:
        return []
    return [path for key in keys if key.startswith(ZNODES) and (path := path_of(key)) is not None]
