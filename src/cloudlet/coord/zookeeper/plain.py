"""The short way of the commonest write: setData of a znode of which nothing special is known.

State   none
Source  coord/zookeeper/transaction.py, which is the long way, and right wherever this one steps aside
Absent  none

Nearly every znode is open to all, has no TTL, is no container and was made by one create. Setting its data is
then one put, whose meta and Stat follow from the entry before: no draft, no side, no list to check. It takes
a third of the time. Anything else, an error too, is left to a Transaction; a test holds the two ways against
each other.
"""

from __future__ import annotations

from struct import Struct

from cloudlet.coord.zookeeper.acl import OPEN
from cloudlet.coord.zookeeper.client import Client
from cloudlet.coord.zookeeper.keeper import Keeper
from cloudlet.coord.zookeeper.paths import place_of
from cloudlet.coord.zookeeper.transaction import Happened
from cloudlet.coord.zookeeper.tree import NO_SIDE
from cloudlet.coord.zookeeper.znode import TIMES
from cloudlet.kernel.keys import LOCAL_LIMITS, Commit, Durability, Put
from cloudlet.wire.zookeeper import EventType, SetDataRequest

STAT = Struct(">qqqqiiiqiiq")
"""wire/zookeeper.py, Stat: all of its fields have a fixed size."""


def set_data(keeper: Keeper, client: Client, asked: SetDataRequest) -> bytes | None:
    """The reply's body, the change made; or None, and nothing was done. KeeperFault."""
    path, data, tree = asked.path, asked.data, keeper.tree
    place = place_of(path)
    if data is None or place is None or not keeper.quotas.is_idle:
        return None
    before = keeper.keys.get(place)
    if before is None or len(before.meta) != TIMES.size:
        return None
    flags, ctime, _ = TIMES.unpack(before.meta)
    version = before.version  # the entry's, less one; and one more from now on
    side = tree.sides.get(path, NO_SIDE)
    if flags or asked.version not in (-1, version - 1) or side.acl is not None:
        return None
    now_ms = keeper.clock.cloud_ms()
    put = Put(before.key, data, TIMES.pack(0, ctime, now_ms), before.lease)
    zxid = keeper.write(Commit(client.author, (), (put,), (), Durability.SYNC, LOCAL_LIMITS))
    tree.bytes += len(data) - len(before.value)
    if not keeper.watches.is_idle:
        keeper.watches.tell(Happened(EventType.NodeDataChanged, path, OPEN, OPEN), zxid)
    created, children = before.create_revision, side.children
    return STAT.pack(
        created, zxid, ctime, now_ms, version, 2 * side.creates - children, side.aversion, before.lease,
        len(data), children, side.pzxid or created,
    )  # fmt: skip
