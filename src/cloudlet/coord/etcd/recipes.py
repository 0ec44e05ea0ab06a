"""etcd's Lock and Election services: client recipes that the server runs.

State   keys NAME/<lease in hexadecimal>, ordinary ones, under the waiter's lease
Source  etcd 3.6, v3lock and v3election over clientv3/concurrency
Absent  none

Whoever wants a lock, or to lead, puts a key of its own under the name, with its lease; the one that was
created first has it, and each of the others waits for the key that was created before its own to go. A
waiter whose lease ends is told so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

from cloudlet.coord.etcd.kv import Kv, check_delete
from cloudlet.coord.etcd.lease import Leases
from cloudlet.coord.etcd.ranges import key_value, range_of, stored
from cloudlet.coord.etcd.replies import Replies
from cloudlet.kernel.fault import ProtocolError
from cloudlet.kernel.keys import Author, Entry, LocalKeys, Revision
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Call, Code, GrpcStatus
from cloudlet.wire.protobuf import decode, encode


class CheckWrite(Protocol):
    """Refuses a write that an alarm forbids."""

    def __call__(self, *, takes_space: bool) -> None: ...


SESSION_SECONDS = 60  # of the lease that is made for a waiter without one


def prefix_end(prefix: bytes) -> bytes:
    """The end of the range of all keys that begin with `prefix`."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else b"\0"


class Recipes:
    """Both services over one store."""

    def __init__(
        self, keys: LocalKeys, kv: Kv, leases: Leases, replies: Replies, check_write: CheckWrite
    ) -> None:
        self._keys = keys
        self._kv = kv
        self._leases = leases
        self._replies = replies
        self._check_write = check_write

    # --- Lock

    async def lock(self, request: pb.LockRequest, author: Author) -> bytes:
        mine = await self._join(request.name, request.lease, b"", author)
        await self._wait_for_turn(request.name, mine, author)
        return await self._replies.settled(pb.LockResponse(key=mine.key[1:]), self._keys.head)

    async def unlock(self, request: pb.UnlockRequest, author: Author) -> bytes:
        deletion = pb.DeleteRangeRequest(key=request.key)
        check_delete(deletion)
        self._check_write(takes_space=False)
        applied = self._kv.delete_range(deletion, author)
        return await self._replies.settled(pb.UnlockResponse(), applied.revision)

    # --- Election

    async def campaign(self, request: pb.CampaignRequest, author: Author) -> bytes:
        mine = await self._join(request.name, request.lease, request.value, author)
        if mine.value != request.value:
            self._put(mine, request.value, author)
        await self._wait_for_turn(request.name, mine, author)
        leader = pb.LeaderKey(name=request.name, key=mine.key[1:], rev=mine.create_revision, lease=mine.lease)
        return await self._replies.settled(pb.CampaignResponse(leader=leader), self._keys.head)

    async def proclaim(self, request: pb.ProclaimRequest, author: Author) -> bytes:
        mine = self._own(request.leader)
        if mine is None:
            raise GrpcStatus(Code.UNKNOWN, "election: not leader")
        self._put(mine, request.value, author)
        return await self._replies.settled(pb.ProclaimResponse(), self._keys.head)

    async def leader(self, request: pb.LeaderRequest) -> bytes:
        found = self._first(request.name)
        if found is None:
            raise GrpcStatus(Code.UNKNOWN, "election: no leader")
        return await self._replies.settled(pb.LeaderResponse(kv=key_value(found)), self._keys.head)

    async def observe(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        """Each leader, and each value that it proclaims, from the present one on."""
        name = b""
        async for message in incoming:
            try:
                name = decode(pb.LeaderRequest, message).name
            except ProtocolError as error:
                raise GrpcStatus(Code.INTERNAL, f"grpc: error unmarshalling request: {error}") from None
        prefix = name + b"/"
        cursor = self._keys.watch(*range_of(prefix, prefix_end(prefix)))
        shown: tuple[bytes, Revision] | None = None
        try:
            while True:
                await self._keys.settle(self._keys.head)
                found = self._first(name)
                if found is not None and shown != (found.key, found.mod_revision):
                    shown = (found.key, found.mod_revision)
                    header = self._replies.header(self._keys.settled)
                    await call.send(encode(pb.LeaderResponse(header=header, kv=key_value(found))))
                await cursor.take()
        finally:
            cursor.close()

    async def resign(self, request: pb.ResignRequest, author: Author) -> bytes:
        mine = self._own(request.leader)
        if mine is not None:
            self._check_write(takes_space=False)
            self._kv.delete_range(pb.DeleteRangeRequest(key=mine.key[1:]), author)
        return await self._replies.settled(pb.ResignResponse(), self._keys.head)

    # --- what both do

    async def _join(self, name: bytes, lease: int, value: bytes, author: Author) -> Entry:
        """The waiter's key, made if it is not there."""
        self._check_write(takes_space=True)
        if not lease:
            granted = await self._leases.grant(pb.LeaseGrantRequest(TTL=SESSION_SECONDS), author)
            lease = decode(pb.LeaseGrantResponse, granted).ID
        key = name + b"/%x" % lease
        if self._keys.get(stored(key)) is None:
            self._kv.put(pb.PutRequest(key=key, value=value, lease=lease), author)
        entry = self._keys.get(stored(key))
        assert entry is not None
        return entry

    def _put(self, mine: Entry, value: bytes, author: Author) -> None:
        self._check_write(takes_space=True)
        self._kv.put(pb.PutRequest(key=mine.key[1:], value=value, lease=mine.lease), author)

    def _own(self, leader: pb.LeaderKey | None) -> Entry | None:
        """The key of a leader that still is one."""
        if leader is None:
            raise GrpcStatus(Code.INVALID_ARGUMENT, '"leader" field must be provided')
        found = self._keys.get(stored(leader.key))
        return found if found is not None and found.create_revision == leader.rev else None

    def _waiters(self, name: bytes) -> list[Entry]:
        """All keys under a name, in the order of their creation."""
        prefix = name + b"/"
        found = self._keys.scan(*range_of(prefix, prefix_end(prefix)))
        return sorted(found, key=lambda entry: entry.create_revision)

    def _first(self, name: bytes) -> Entry | None:
        return next(iter(self._waiters(name)), None)

    async def _wait_for_turn(self, name: bytes, mine: Entry, author: Author) -> None:
        """Until no key that was created before is there; an error where one's own key has gone. When the
        client gives up, its key goes."""
        try:
            await self._turn(name, mine)
        except asyncio.CancelledError:
            with contextlib.suppress(GrpcStatus):  # the store may be closed
                self._kv.delete_range(pb.DeleteRangeRequest(key=mine.key[1:]), author)
            raise

    async def _turn(self, name: bytes, mine: Entry) -> None:
        prefix = name + b"/"
        cursor = self._keys.watch(*range_of(prefix, prefix_end(prefix)))
        try:
            while True:
                waiters = self._waiters(name)
                if not any(
                    (each.key, each.create_revision) == (mine.key, mine.create_revision) for each in waiters
                ):
                    raise GrpcStatus(Code.UNKNOWN, "mutex: session is expired")
                if waiters[0].key == mine.key:
                    return
                await cursor.take()
        finally:
            cursor.close()
