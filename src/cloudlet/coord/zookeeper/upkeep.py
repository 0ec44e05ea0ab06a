"""What time alone brings about, in slices: sessions that are over end, znodes that have lived long enough go.

State   none of its own
Source  ZooKeeper 3.9: SessionTrackerImpl, ContainerManager
Absent  znode.container.maxPerMinute, by which ZooKeeper spreads deletions over the minute
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.coord.zookeeper.paths import parent_of
from cloudlet.coord.zookeeper.sessions import Session
from cloudlet.coord.zookeeper.transaction import Transaction
from cloudlet.coord.zookeeper.znode import CONTAINER, HAS_TTL
from cloudlet.kernel.keys import NO_LEASE, Author

if TYPE_CHECKING:
    from cloudlet.coord.zookeeper.keeper import Keeper

log = logging.getLogger(__name__)

TURN_COST = 2000  # of a slice, in looks at a znode: a few milliseconds
SESSION_COST = 30  # a session ends
ZNODE_COST = 20  # a znode is deleted
MANAGER = Author("zookeeper", "container manager")


def end_sessions(keeper: Keeper, sessions: Sequence[Session]) -> Iterator[None]:
    """End those of whom nothing is heard until it is their turn."""
    cost = 0
    for session in sessions:
        if cost >= TURN_COST:
            cost = 0
            yield
        nodes = keeper.tree.nodes
        if keeper.sessions.by_id.get(session.id) is not session:
            continue
        if session.is_over(keeper.clock.monotonic_ms(), keeper.clock.cloud_ms()):
            keeper.try_to_end(session)
        else:
            keeper.sessions.postpone(session)
        cost += SESSION_COST + ZNODE_COST * (nodes - keeper.tree.nodes)


def sweep(keeper: Keeper) -> Iterator[None]:
    """Delete containers that are empty again, and empty znodes whose TTL is over."""
    keeper.is_sweeping = True
    cost = 0
    try:
        for path in list(keeper.tree.timed):
            if cost >= TURN_COST:
                cost = 0
                yield
            cost += ZNODE_COST if _delete_if_over(keeper, path) else 1
    except KeeperFault as fault:
        log.warning("not every znode whose time is over can be deleted: %s", fault)
    finally:
        keeper.is_sweeping = False


def _delete_if_over(keeper: Keeper, path: str) -> bool:
    """Whether the znode was deleted; KeeperFault where it cannot be."""
    znode, now_ms = keeper.tree.find(path), keeper.clock.cloud_ms()
    if znode is None:
        return False
    side = keeper.tree.side(path)
    if side.children > 0:
        return False
    age_ms = now_ms - znode.mtime
    is_unused = 0 < keeper.settings.unused_ms_max < age_ms
    is_over = znode.flags & CONTAINER and (side.creates > 0 or is_unused)
    if not is_over and not (znode.flags & HAS_TTL and age_ms > znode.ttl):
        return False
    transaction = Transaction(keeper.tree, NO_LEASE, (), now_ms)
    transaction.remove(znode, transaction.find(parent_of(path)))
    keeper.apply(transaction, MANAGER)
    return True
