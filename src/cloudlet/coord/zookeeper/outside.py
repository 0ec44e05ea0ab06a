"""What other faces write among the znodes: who is told of it, and what it owes.

State   none of its own: see tree.py, "owed"
Source  docs/zookeeper.md
Absent  none
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cloudlet.coord.zookeeper.acl import OPEN
from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.coord.zookeeper.paths import parent_of
from cloudlet.coord.zookeeper.transaction import Happened
from cloudlet.coord.zookeeper.tree import Touched
from cloudlet.kernel.keys import LOCAL_LIMITS, Author, Change, Commit, Durability
from cloudlet.wire.zookeeper import EventType

if TYPE_CHECKING:
    from cloudlet.coord.zookeeper.keeper import Keeper

log = logging.getLogger(__name__)

TREE = Author("zookeeper", "tree")


def follow(keeper: Keeper, change: Change) -> None:
    """A change of another face, in the turn in which it is applied."""
    for one in keeper.tree.follow(change):
        if not keeper.quotas.is_idle:
            keeper.quotas.follow({one.path: one.now})
        if not keeper.watches.is_idle:
            _tell(keeper, one, change.revision)
        if one.was is not None and one.was.owner in keeper.sessions.by_id:
            keeper.suspects[keeper.sessions.by_id[one.was.owner]] = None


def _tell(keeper: Keeper, one: Touched, revision: int) -> None:
    parent = keeper.tree.find(parent_of(one.path))
    parent_acl = keeper.tree.acl(parent) if parent is not None else OPEN
    kind = EventType.NodeDeleted
    if one.now is not None:
        kind = EventType.NodeCreated if one.was is None else EventType.NodeDataChanged
    keeper.watches.tell(Happened(kind, one.path, one.acl, parent_acl), revision)


def repay(keeper: Keeper) -> bool:
    """Commit some of what such changes owe; once it is all, end sessions whose lease was revoked. Whether
    there is more."""
    if keeper.tree.owed:
        paths, puts, drops = keeper.tree.repayment()
        try:
            keeper.write(Commit(TREE, (), puts, drops, Durability.SYNC, LOCAL_LIMITS))
        except KeeperFault as fault:
            log.warning("what other faces changed cannot be noted yet: %s", fault)
            keeper.tree.owed.update(dict.fromkeys(paths))
        else:
            if keeper.tree.owed:
                return True
    suspects, keeper.suspects = keeper.suspects, {}
    for session in suspects:
        if keeper.keys.find_lease(session.id) is None:
            keeper.try_to_end(session)
    return False
