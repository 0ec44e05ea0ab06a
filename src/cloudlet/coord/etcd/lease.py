"""etcd's Lease service.

State   the store's leases; who attends them is the lessor's (coord/leases.py)
Source  etcd 3.6, lease and v3rpc/lease: TTLs in whole seconds, at least LEASE_SECONDS_MIN
Absent  checkpoints of remaining time: after a restart a lease has its full time
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from cloudlet.coord.etcd.faults import of_store, refused
from cloudlet.coord.etcd.replies import Replies
from cloudlet.coord.etcd.settings import LEASE_SECONDS_MIN
from cloudlet.coord.leases import Lessor
from cloudlet.kernel.fault import NoSuchLease, ProtocolError, StoreError
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Author, LeaseId, LocalKeys
from cloudlet.kernel.spaces import ETCD
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Call, Code, GrpcStatus
from cloudlet.wire.protobuf import decode, encode

LEASE_SECONDS_MAX = 9_000_000_000
KEYS_MAX = 2000  # shown in one turn
ATTENDED_MIN = 500  # of a stream: below twice as many nobody looks which of them are gone
MS = 1000


class Leases:
    """The service over one store."""

    def __init__(
        self,
        keys: LocalKeys,
        lessor: Lessor,
        replies: Replies,
        ids: Ids,
        *,
        seconds_min: int = LEASE_SECONDS_MIN,
    ) -> None:
        self._keys = keys
        self._lessor = lessor
        self._replies = replies
        self._ids = ids
        self._seconds_min = seconds_min

    async def grant(self, request: pb.LeaseGrantRequest, author: Author) -> bytes:
        if request.TTL > LEASE_SECONDS_MAX:
            raise refused("LeaseTTLTooLarge")
        lease = LeaseId(request.ID or self._free_id())
        seconds = max(request.TTL, self._seconds_min)
        try:
            await self._keys.lease_grant(lease, seconds * MS, author)
        except StoreError as error:
            raise of_store(error) from None
        self._lessor.renewed(lease)
        return await self._replies.settled(pb.LeaseGrantResponse(ID=lease, TTL=seconds), self._keys.head)

    def _free_id(self) -> LeaseId:
        """A positive number of 63 bits that no lease has."""
        while True:
            found = LeaseId(int.from_bytes(self._ids.token(8)) >> 1)
            if found and self._keys.find_lease(found) is None:
                return found

    async def revoke(self, request: pb.LeaseRevokeRequest, author: Author) -> bytes:
        try:
            revision = await self._keys.lease_revoke(LeaseId(request.ID), author)
        except StoreError as error:
            raise of_store(error) from None
        return await self._replies.settled(pb.LeaseRevokeResponse(), revision)

    async def keepalive(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        """A lease that is not there is answered with a TTL of zero. While the stream is open, the leases that
        it has named are attended."""
        attended: set[LeaseId] = set()
        looked_at = ATTENDED_MIN
        try:
            async for message in incoming:
                try:
                    lease = LeaseId(decode(pb.LeaseKeepAliveRequest, message).ID)
                except ProtocolError as error:
                    raise GrpcStatus(Code.INTERNAL, f"grpc: error unmarshalling request: {error}") from None
                header = self._replies.header(self._keys.settled)  # as etcd: of before the renewal
                try:
                    ttl = self._keys.lease_keepalive(lease) // MS
                except NoSuchLease:
                    ttl = 0
                else:
                    self._lessor.renewed(lease)
                    if lease not in attended:
                        attended.add(lease)
                        self._lessor.attend(lease)
                    if len(attended) > 2 * looked_at:  # a client has one stream, for all its leases of a year
                        self._leave_those_gone(attended)
                        looked_at = max(len(attended), ATTENDED_MIN)
                await call.send(encode(pb.LeaseKeepAliveResponse(header=header, ID=lease, TTL=ttl)))
        finally:
            for lease in attended:
                self._lessor.leave(lease)

    def _leave_those_gone(self, attended: set[LeaseId]) -> None:
        for lease in [lease for lease in attended if self._keys.find_lease(lease) is None]:
            attended.discard(lease)
            self._lessor.leave(lease)

    async def time_to_live(self, request: pb.LeaseTimeToLiveRequest) -> bytes:
        reply = pb.LeaseTimeToLiveResponse(ID=request.ID, TTL=-1)
        found = self._keys.find_lease(LeaseId(request.ID))
        pieces: list[bytes] = []
        if found is not None:
            reply.TTL = max(int(self._lessor.remaining_ms(found)) // MS, 0)
            reply.grantedTTL = found.ttl_ms // MS
            keys = self._keys.some_lease_keys(found.id, sys.maxsize) if request.keys else ()
            head = self._keys.head
            for at in range(0, len(keys), KEYS_MAX):  # in no order, as etcd's
                if at:
                    await asyncio.sleep(0)
                some = sorted(keys[at : at + KEYS_MAX])
                shown = [key[len(ETCD) :] for key in some if key.startswith(ETCD)]
                pieces.append(encode(pb.LeaseTimeToLiveResponse(keys=shown)))
            await self._keys.settle(head)
        # What is concatenated is one message: each piece adds to its list.
        return b"".join([await self._replies.settled(reply, self._keys.head), *pieces])

    async def leases(self, request: pb.LeaseLeasesRequest) -> bytes:
        rows = [pb.LeaseStatus(ID=lease.id) for lease in self._keys.leases()]
        return await self._replies.settled(pb.LeaseLeasesResponse(leases=rows), self._keys.head)
