"""The end of a session: what hangs on it goes, then it itself.

State   none of its own
Source  ZooKeeper 3.9: PrepRequestProcessor, closeSession
Absent  the end of a session with more than EPHEMERALS_MAX ephemerals in one commit: it takes several, in
        between which others see some of them gone

A large one first loses its password, so nobody can come back to what is left of it, not after a crash either:
then it is over by its time, and ended as any.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.coord.zookeeper.paths import ZNODES, parent_of, path_of
from cloudlet.coord.zookeeper.sessions import Session, session_key
from cloudlet.coord.zookeeper.transaction import Transaction
from cloudlet.kernel.fault import NoSuchLease
from cloudlet.kernel.keys import Commit, Drop, Durability

if TYPE_CHECKING:
    from cloudlet.coord.zookeeper.keeper import Keeper

log = logging.getLogger(__name__)

EPHEMERALS_MAX = 2000  # that go in one commit, as they do in ZooKeeper: 20 ms
SLICE = 200  # of more than that in one turn: 2 ms


def end(keeper: Keeper, session: Session) -> None:
    """End a session: it and all that hangs on it go in one commit, then its lease. KeeperFault with nothing
    changed. A large one is ending when this returns."""
    keys = _hanging_on(keeper, session, EPHEMERALS_MAX + 1)
    if len(keys) <= EPHEMERALS_MAX:
        _drop(keeper, session, keys, is_last=True)
        return
    keeper.write(Commit(session.author, (), [session.last_record()], (), Durability.SYNC))
    session.is_ending = True
    if session.client is not None:
        session.client.close()
    keeper.long_replies.work(_ending(keeper, session))


def _ending(keeper: Keeper, session: Session) -> Iterator[None]:
    try:
        while len(keys := _hanging_on(keeper, session, SLICE)) == SLICE:
            _drop(keeper, session, keys, is_last=False)
            yield
        _drop(keeper, session, keys, is_last=True)
    except KeeperFault as fault:
        log.warning("session %#x cannot be ended: %s", session.id, fault)
        keeper.sessions.postpone(session)
    finally:
        session.is_ending = False


def _hanging_on(keeper: Keeper, session: Session, limit: int) -> list[bytes]:
    """Some of the keys of a session."""
    try:
        return sorted(keeper.keys.some_lease_keys(session.id, limit))
    except NoSuchLease:
        return []


def _drop(keeper: Keeper, session: Session, keys: Sequence[bytes], *, is_last: bool) -> None:
    transaction = Transaction(keeper.tree, session.id, (), keeper.clock.cloud_ms())
    drops = [Drop(session_key(session.id))] if is_last else []
    for key in keys:
        path = path_of(key) if key.startswith(ZNODES) else None
        znode = transaction.find(path) if path is not None else None
        if znode is None:
            drops.append(Drop(key))  # hung on the session's lease by another face
        else:
            transaction.remove(znode, transaction.find(parent_of(znode.path)))
    keeper.apply(transaction, session.author, drops)
    if not is_last:
        return
    keeper.sessions.remove(session)
    if session.client is not None:
        session.client.close()
    try:
        keeper.keys.lease_end(session.id)
    except NoSuchLease:
        pass
