"""The end of a session: it and what hangs on it go in one commit, then its lease.

State   none of its own
Source  ZooKeeper 3.9: PrepRequestProcessor, closeSession
Absent  slices for a session with very many ephemerals: one turn, 6 us each. ZooKeeper ends it in one
        transaction, and nobody is to see some of them gone
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cloudlet.coord.zookeeper.paths import ZNODES, path_of
from cloudlet.coord.zookeeper.sessions import Session, session_key
from cloudlet.coord.zookeeper.transaction import Transaction
from cloudlet.kernel.fault import NoSuchLease
from cloudlet.kernel.keys import Drop, Entry

if TYPE_CHECKING:
    from cloudlet.coord.zookeeper.keeper import Keeper


def end(keeper: Keeper, session: Session) -> None:
    """End a session; KeeperFault with nothing changed."""
    transaction = Transaction(keeper.tree, session.id, (), keeper.clock.cloud_ms())
    drops = [Drop(session_key(session.id))]
    ephemerals: list[tuple[str, Entry]] = []
    for key in _hanging_on(keeper, session):
        path = path_of(key) if key.startswith(ZNODES) else None
        entry = keeper.keys.get(key)
        if path is None or entry is None:
            drops.append(Drop(key))  # hung on the session's lease by another face
        else:
            ephemerals.append((path, entry))
    transaction.remove_all(ephemerals, is_told=not keeper.watches.is_idle)
    keeper.apply(transaction, session.author, drops)
    keeper.sessions.remove(session)
    if session.client is not None:
        session.client.close()
    try:
        keeper.keys.lease_end(session.id)
    except NoSuchLease:
        pass


def _hanging_on(keeper: Keeper, session: Session) -> list[bytes]:
    """The keys of a session."""
    try:
        return sorted(keeper.keys.some_lease_keys(session.id, sys.maxsize))
    except NoSuchLease:
        return []
