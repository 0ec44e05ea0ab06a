"""The reads of ZooKeeper's clients.

State   none
Source  ZooKeeper 3.9, FinalRequestProcessor
Absent  none

Each is a function of (keeper, client, frame, where the request begins): see requests.py.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from typing import cast

from cloudlet.coord.zookeeper import acl as acls
from cloudlet.coord.zookeeper.children import SLICE_NAMES, Slices, children_of, names
from cloudlet.coord.zookeeper.client import Client
from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.coord.zookeeper.figures import ephemerals_of
from cloudlet.coord.zookeeper.keeper import Keeper
from cloudlet.coord.zookeeper.long_replies import Deferred
from cloudlet.coord.zookeeper.paths import CONFIG, QUOTA, ROOT, ZNODES, path_of
from cloudlet.coord.zookeeper.watches import STANDARD
from cloudlet.wire.jute import INT, Broken, codec
from cloudlet.wire.zookeeper import (
    MULTI_END,
    ClientInfo,
    Code,
    GetACLResponse,
    GetChildrenResponse,
    GetDataResponse,
    MultiHeader,
    NumberResponse,
    OpCode,
    PathRequest,
    PathResponse,
    PathWatchRequest,
    Perms,
    StatResponse,
    WhoAmIResponse,
)

Pieces = Generator[tuple[int, bytes], None, bytes]
"""Slices of a live reply, and the last of them."""

LISTED_MAX = 1000  # paths in one turn: two milliseconds
READS_MAX = 250  # of a multiRead in one turn: a millisecond
NAMES_A_READ, BYTES_A_READ = 12, 8192  # that cost as much as a read

_path = codec(PathRequest)
_path_watch = codec(PathWatchRequest)
_stat_reply = codec(StatResponse)
_data_reply = codec(GetDataResponse)
_path_reply = codec(PathResponse)
_number_reply = codec(NumberResponse)
_names_reply = codec(GetChildrenResponse)
_multi_header = codec(MultiHeader)


def exists(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _path_watch.decode(frame, at)
    path = asked.path
    if "\0" in path:
        raise KeeperFault(Code.BADARGUMENTS, path)
    znode = keeper.tree.find(path)
    if znode is not None:
        acls.check(keeper.tree.acl(znode), Perms.READ, client.identities)
    if asked.watch:
        keeper.watches.data.add(path, client, STANDARD)
    if znode is None:
        raise KeeperFault(Code.NONODE, path)
    return _stat_reply.encode(StatResponse(keeper.tree.stat(znode)))


def data(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _path_watch.decode(frame, at)
    reply = read_data(keeper, client, asked.path)
    if asked.watch:
        keeper.watches.data.add(asked.path, client, STANDARD)
    return _data_reply.encode(reply)


def read_data(keeper: Keeper, client: Client, path: str) -> GetDataResponse:
    """A znode's data and Stat."""
    tree = keeper.tree
    znode = tree.need(path)
    acl = tree.acl(znode)
    if acl:
        acls.check(acl, Perms.READ, client.identities)
    stat = tree.stat(znode)
    found = znode.data
    if path.startswith(QUOTA):
        counted = keeper.quotas.stats(path)
        if counted is not None:
            found, stat.dataLength = counted, len(counted)
    elif path == CONFIG and not found:
        found = keeper.config
        stat.dataLength = len(found)
    return GetDataResponse(found, stat)


def children(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _path_watch.decode(frame, at)
    return _children(keeper, client, asked, read_children(keeper, client, asked.path), b"")


def children2(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _path_watch.decode(frame, at)
    found = read_children(keeper, client, asked.path)
    stat = keeper.tree.stat(keeper.tree.need(asked.path))
    return _children(keeper, client, asked, found, _stat_reply.encode(StatResponse(stat)))


def _children(
    keeper: Keeper, client: Client, asked: PathWatchRequest, found: tuple[Slices, int], tail: bytes
) -> bytes:
    if asked.watch:
        keeper.watches.children.add(asked.path, client, STANDARD)
    slices, count = found
    if count > SLICE_NAMES:
        raise Deferred(slices, tail)
    return names(slices) + tail


def read_children(keeper: Keeper, client: Client, path: str) -> tuple[Slices, int]:
    """The names of a znode's children: see children.py."""
    acls.check(keeper.tree.acl(keeper.tree.need(path)), Perms.READ, client.identities)
    return children_of(keeper.tree, path)


def acl(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _path.decode(frame, at)
    znode = keeper.tree.need(asked.path)
    kept = keeper.tree.acl(znode)
    acls.check(kept, Perms.READ | Perms.ADMIN, client.identities)
    may_see = acls.allows(kept, Perms.ADMIN, client.identities)
    seen = acls.listed(kept) if may_see else acls.masked(kept)
    return codec(GetACLResponse).encode(GetACLResponse(seen, keeper.tree.stat(znode)))


def ephemerals(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _path.decode(frame, at)
    assert client.session is not None
    prefix = asked.path.strip()
    prefix = "" if prefix == ROOT else prefix
    session = client.session.id
    held = keeper.keys.find_lease(session) is not None
    keys = keeper.keys.some_lease_keys(session, LISTED_MAX + 1) if held else ()
    if len(keys) <= LISTED_MAX:
        found = [path for path in ephemerals_of(keeper, session) if path.startswith(prefix)]
        return _names_reply.encode(GetChildrenResponse(found))
    # In no order, as ZooKeeper's.
    raise Deferred(_paths(keeper.keys.some_lease_keys(session, sys.maxsize), prefix), b"")


def _paths(keys: Sequence[bytes], prefix: str) -> Slices:
    for at in range(0, len(keys), LISTED_MAX):
        found = [path_of(key) for key in keys[at : at + LISTED_MAX] if key.startswith(ZNODES)]
        shown = [path.encode() for path in found if path is not None and path.startswith(prefix)]
        yield len(shown), b"".join([part for path in shown for part in (INT.pack(len(path)), path)])


def all_children_number(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _path.decode(frame, at)
    acls.check(keeper.tree.acl(keeper.tree.need(asked.path)), Perms.READ, client.identities)
    return _now_or_later(_count_slices(keeper, asked.path), b"")


def _count_slices(keeper: Keeper, path: str) -> Pieces:
    count = 0
    for _ in keeper.tree.descendants(path):
        count += 1
        if count % LISTED_MAX == 0:
            yield 0, b""
    return _number_reply.encode(NumberResponse(count + keeper.tree.special_count(path)))


def sync(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    # Every reply waits until all that it could show is settled, so there is nothing to catch up with.
    asked, _ = _path.decode(frame, at)
    return _path_reply.encode(PathResponse(asked.path))


def ping(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    assert client.session is not None
    keeper.renew(client.session)
    return b""


def who_am_i(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    infos = [ClientInfo(who[0], acls.user_of(who)) for who in client.identities if who[0]]
    return codec(WhoAmIResponse).encode(WhoAmIResponse(infos))


def multi_read(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    """Several reads, each with its own outcome."""
    return _now_or_later(_read_slices(keeper, client, frame, at), MULTI_END)


def _now_or_later(slices: Pieces, tail: bytes) -> bytes:
    """The reply if one slice makes it; else the others follow, each in its own turn."""
    try:
        first = next(slices)
    except StopIteration as end:
        return cast(bytes, end.value) + tail
    raise Deferred(_all(first, slices), tail, is_live=True)


def _all(first: tuple[int, bytes], slices: Pieces) -> Slices:
    yield first
    yield 0, (yield from slices)


def _read_slices(keeper: Keeper, client: Client, frame: bytes, at: int) -> Pieces:
    """The results one behind the other, in slices of about READS_MAX; the last is returned."""
    results: list[bytes] = []
    weight = 0
    while True:
        header, at = _multi_header.decode(frame, at)
        if header.done:
            return b"".join(results)
        asked, at = _path_watch.decode(frame, at)
        try:
            if header.type == OpCode.getData:
                body = _data_reply.encode(read_data(keeper, client, asked.path))
            elif header.type == OpCode.getChildren:
                taken: list[tuple[int, bytes]] = []
                for some in read_children(keeper, client, asked.path)[0]:
                    taken.append(some)
                    weight += some[0] // NAMES_A_READ
                    if weight >= READS_MAX:
                        yield 0, b"".join(results)
                        results, weight = [], 0
                body = names(iter(taken))
            else:
                raise Broken(f"operation {header.type} in a multiRead")
            results.append(_multi_header.encode(MultiHeader(header.type, False, 0)) + body)  # noqa: FBT003
        except KeeperFault as fault:
            failed = MultiHeader(OpCode.error, False, fault.error)  # noqa: FBT003
            results.append(_multi_header.encode(failed) + _number_reply.encode(NumberResponse(fault.error)))
        weight += 1 + len(results[-1]) // BYTES_A_READ
        if weight >= READS_MAX:
            yield 0, b"".join(results)
            results, weight = [], 0
