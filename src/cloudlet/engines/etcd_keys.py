"""The keys store in a real etcd (or whatever speaks as one): the port over a mirror that a watch feeds.

State   the mirror (etcd_mirror.py); in the etcd, what etcd_layout.py tells
Source  docs/architecture.md, "Keys"; etcd 3.4 to 3.6
Absent  history-free spaces: an etcd keeps the history of everything, and `open` takes none

Theory of operation
    `get` and `scan` read the mirror. A commit is one transaction; its reply waits until the mirror holds it,
    so who has committed reads what it wrote. The mirror may lag behind what others commit: `refresh` reads
    the head of etcd once for everybody who waits, and returns when the mirror has reached it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from cloudlet.engines.etcd_commits import Commits
from cloudlet.engines.etcd_layout import LEASE_GRACE_S, HeadRecord, Layout, is_exact, unchanged_since
from cloudlet.engines.etcd_link import COMPACTED, FUTURE, LEASE_EXISTS, NO_LEASE, Link
from cloudlet.engines.etcd_mirror import Mirror
from cloudlet.engines.etcd_past import EtcdPast
from cloudlet.engines.keys_feed import FeedWatch
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import (
    Compacted,
    Conflict,
    FutureRevision,
    InvalidCommit,
    LeaseExists,
    NoSuchLease,
    StoreError,
)
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import (
    COMMIT_BYTES_MAX,
    GUARDS_MAX,
    OPERATIONS_MAX,
    Author,
    Commit,
    Durability,
    Entry,
    Guard,
    Keys,
    Lease,
    LeaseId,
    Revision,
    check_limits,
    guard_holds,
)
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import GrpcStatus
from cloudlet.wire.protobuf import encode

PREFIX = b"/cloudlet/"
DROPS_EXACT_MAX = 3  # at most so many fit beside the most guards
KEEPALIVE_S = 1.0
KEEPALIVE = "/etcdserverpb.Lease/LeaseKeepAlive"


class EtcdKeys:
    """See the module."""

    def __init__(self, link: Link, clock: Clock, ids: Ids, prefix: bytes) -> None:
        self._link = link
        self._clock = clock
        self._ids = ids
        self._layout = Layout(prefix)
        self._past = EtcdPast(link, self._layout)
        self._mirror = Mirror(link, self._layout, clock.monotonic_ms, self._past)
        self._commits = Commits(link, self._layout, self._mirror, ids)
        self._reading: asyncio.Task[None] | None = None
        self._next_reading: asyncio.Task[None] | None = None
        self._kept: set[LeaseId] = set()  # whose time was started anew since etcd was told
        self._keeper: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        addresses: Sequence[str],
        clock: Clock,
        *,
        ids: Ids | None = None,
        prefix: bytes = PREFIX,
        tls: ssl.SSLContext | None = None,
    ) -> EtcdKeys:
        """Connect (HOST:PORT, or unix:PATH) and read everything; GrpcStatus when nobody answers."""
        link = Link(addresses, tls)
        keys = cls(link, clock, ids or Ids(), prefix)
        try:
            await (await link.connect()).close()  # so that a wrong address is told, and not waited for
            await keys._mirror.open()
        except BaseException:
            await keys.close()
            raise
        keys._keeper = asyncio.create_task(keys._keep_leases())
        return keys

    async def close(self) -> None:
        """Let go; what waits is told."""
        self._link.is_closed = True
        running = (self._keeper, self._commits.fencing, self._reading, self._next_reading)
        tasks = [task for task in running if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._mirror.close()
        await self._link.close()

    # --- reading

    @property
    def head(self) -> Revision:
        return self._mirror.newest.head

    @property
    def settled(self) -> Revision:
        return self._mirror.newest.head  # etcd answers and tells only what is on its disks

    async def settle(self, revision: Revision) -> None:
        await self._mirror.feed.settle(revision)

    async def refresh(self) -> None:
        """Wait until the mirror holds everything that was committed before this call, by anyone: one
        linearizable read for all who wait."""
        if self._reading is None:
            self._reading = reading = asyncio.create_task(self._read_head())
        else:
            # The reading under way may have begun before this call did: the next one is for us.
            if self._next_reading is None:
                self._next_reading = asyncio.create_task(self._read_after(self._reading))
            reading = self._next_reading
        await asyncio.shield(reading)

    async def _read_after(self, reading: asyncio.Task[None]) -> None:
        await asyncio.wait([reading])
        self._reading, self._next_reading = self._next_reading, None
        await self._read_head()

    async def _read_head(self) -> None:
        try:
            found = await self._link.range(pb.RangeRequest(key=self._layout.head, keys_only=True))
            if found.kvs:
                await self.settle(Revision(found.kvs[0].mod_revision))
        finally:
            self._reading = None

    def get(self, key: bytes) -> Entry | None:
        """The entry at head."""
        return self._mirror.newest.entries.get(key)

    def scan(
        self, start: bytes, stop: bytes, *, limit: int | None = None, reverse: bool = False
    ) -> Sequence[Entry]:
        return self._mirror.newest.scan(start, stop, limit, reverse=reverse)

    async def scan_at(
        self,
        revision: Revision,
        start: bytes,
        stop: bytes,
        *,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Sequence[Entry]:
        if revision > self.head:
            raise FutureRevision(self.head)
        if revision == self.head:
            return self.scan(start, stop, limit=limit, reverse=reverse)
        return await self._past.scan(revision, start, stop, limit, reverse=reverse)

    def watch(self, start: bytes, stop: bytes, since: Revision | None = None) -> FeedWatch:
        return self._mirror.feed.watch(start, stop, since)

    # --- committing

    async def commit(self, commit: Commit) -> Revision:
        self._check_open()
        check_limits(commit)
        self._check_port_limits(commit)
        if len(commit.drop) > DROPS_EXACT_MAX:
            await self.refresh()  # whether there is something to drop is read in the mirror
        compares = [self._layout.compare(guard) for guard in await self._guards(commit)]
        record = self._record(commit.author, commit.durability)
        return await self._commits.apply(
            record,
            lambda: self._layout.transaction(
                commit,
                record,
                compares,
                self.get,
                lambda start, stop, limit: self.scan(start, stop, limit=limit),
            ),
        )

    def _check_port_limits(self, commit: Commit) -> None:
        size = sum(len(put.key) + len(put.value) + len(put.meta) for put in commit.put)
        if (
            len(commit.put) + len(commit.drop) > OPERATIONS_MAX
            or len(commit.expect) > GUARDS_MAX
            or size > COMMIT_BYTES_MAX
        ):
            raise InvalidCommit("more than an etcd takes in one transaction")

    def _record(self, author: Author, durability: Durability = Durability.RELAXED) -> HeadRecord:
        return HeadRecord(
            author.face,
            author.principal,
            author.address,
            author.request_id,
            self._clock.wall_ms(),
            self._ids.token(16),
            int(durability),
        )

    async def _guards(self, commit: Commit) -> Sequence[Guard]:
        """The guards as etcd can decide them; Conflict for one that does not hold."""
        if all(map(is_exact, commit.expect)):
            return commit.expect
        found: list[Guard] = []
        for guard in commit.expect:
            if not is_exact(guard):
                if not self._holds(guard):
                    await self.refresh()  # it may have come to hold
                    if not self._holds(guard):
                        raise Conflict(self.head)
                guard = unchanged_since(guard, self.head)
            found.append(guard)
        return found

    def _holds(self, guard: Guard) -> bool:
        assert guard.stop is not None
        return all(guard_holds(guard, entry) for entry in self.scan(guard.start, guard.stop))

    def _check_open(self) -> None:
        if self._link.is_closed:
            raise StoreError("the store is closed")

    # --- leases

    async def lease_grant(self, lease: LeaseId, ttl_ms: int, author: Author) -> None:
        self._check_open()
        newest = self._mirror.newest
        newest.check_new(lease)
        seconds = -(-ttl_ms // 1000) + LEASE_GRACE_S
        try:
            await self._link.again(
                "/etcdserverpb.Lease/LeaseGrant",
                pb.LeaseGrantRequest(ID=lease, TTL=seconds),
                pb.LeaseGrantResponse,
            )
        except GrpcStatus as status:
            if status.message == LEASE_EXISTS:
                raise LeaseExists(lease) from None
            raise
        if lease not in newest.leases:
            newest.grant(lease, ttl_ms)

    async def lease_revoke(self, lease: LeaseId, author: Author) -> Revision:
        self._check_open()
        newest = self._mirror.newest
        keys = newest.lease_keys(lease) if lease in newest.leases else []
        if keys:
            record = self._record(author)
            await self._commits.apply(record, lambda: self._layout.revocation(lease, keys, record))
        try:
            await self._link.again(
                "/etcdserverpb.Lease/LeaseRevoke", pb.LeaseRevokeRequest(ID=lease), pb.LeaseRevokeResponse
            )
        except GrpcStatus as status:
            if status.message != NO_LEASE:
                raise
            if not keys:
                newest.leases.pop(lease, None)
                raise NoSuchLease(lease) from None
        newest.leases.pop(lease, None)
        return self.head

    def lease_keepalive(self, lease: LeaseId) -> int:
        ttl_ms = self._mirror.newest.keepalive(lease)
        self._kept.add(lease)
        return ttl_ms

    def leases(self) -> Sequence[Lease]:
        return self._mirror.newest.lease_rows()

    def find_lease(self, lease: LeaseId) -> Lease | None:
        return self._mirror.newest.find_lease(lease)

    def lease_keys(self, lease: LeaseId) -> Sequence[bytes]:
        return self._mirror.newest.lease_keys(lease)

    async def _keep_leases(self) -> None:
        """Pass the keepalives on, together, once a while: etcd's leases last longer than the port's."""
        while True:
            await asyncio.sleep(KEEPALIVE_S)
            kept, self._kept = self._kept, set()
            try:
                if kept:
                    stream = await self._link.stream(KEEPALIVE)
                    for lease in kept:
                        stream.send(encode(pb.LeaseKeepAliveRequest(ID=lease)))
                    stream.end()
                    while await stream.receive() is not None:
                        pass
            except GrpcStatus:
                self._kept |= kept

    # --- history

    async def compact(self, revision: Revision) -> None:
        self._check_open()
        try:
            await self._link.again(
                "/etcdserverpb.KV/Compact", pb.CompactionRequest(revision=revision), pb.CompactionResponse
            )
        except GrpcStatus as status:
            if status.message == COMPACTED:
                raise Compacted(await self._link.compacted_at(revision, self._layout.head)) from None
            if status.message == FUTURE:
                raise FutureRevision(self.head) from None
            raise
        self._past.recent.forget(revision)


def _port(engine: EtcdKeys) -> Keys:
    """Holds the engine against the port when types are checked."""
    return engine
