"""The keys store shown as the etcd engine lays it out in an etcd, for the cloud's other processes.

State   the sessions that were fenced off since the process began
Source  engines/etcd_layout.py tells the layout, docs/architecture.md why
Absent  all that the engine does not ask for. It is no etcd for clients: they would see the cloud's own facts,
        and could write them. Stores with history-free spaces (no store of the cloud has one): the engine
        reads its pages and its watches at past revisions, which such a space does not show

All spaces of keys are here, not only etcd's. `head`, the metas and the fences are not kept as keys: they are
made from what the store knows of every commit (its author, its entries' metas), whoever made it. So a process
on this socket and one that stands on the store see one history, with the same revisions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

import msgspec

from cloudlet.coord.keys_commits import Reading, record_of, refused
from cloudlet.engines.etcd_layout import HEAD, LEASE_GRACE_S, METAS, SESSIONS, VALUES, Layout, prefix_end
from cloudlet.engines.etcd_link import COMPACTED, FUTURE, LEASE_EXISTS, NO_LEASE, NO_SPACE
from cloudlet.kernel.fault import (
    Compacted,
    Conflict,
    FutureRevision,
    LeaseExists,
    NoSpace,
    NoSuchLease,
    StoreError,
)
from cloudlet.kernel.keys import Author, Change, Entry, Keys, LeaseId, Revision
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Call, Code, GrpcStatus, bidi, unary
from cloudlet.wire.protobuf import decode, encode

PREFIX = b"k/"
LAST = b"\xff" * 32  # behind every key of the store
ME = Author("keys", "DATA/keys.sock")
MESSAGE_BYTES_MAX = 8 << 20
FRAGMENT_BYTES = 1 << 20
FENCES_MAX = 10_000
PAGE_ENTRIES = 1001  # looked at in one turn of the loop: a page of the engine, and whether there is more
DELETE = int(pb.Event.EventType.DELETE)
DESCEND = int(pb.RangeRequest.SortOrder.DESCEND)

REFUSALS: dict[type[StoreError], tuple[Code, str]] = {
    FutureRevision: (Code.OUT_OF_RANGE, FUTURE),
    Compacted: (Code.OUT_OF_RANGE, COMPACTED),
    NoSuchLease: (Code.NOT_FOUND, NO_LEASE),
    LeaseExists: (Code.FAILED_PRECONDITION, LEASE_EXISTS),
    NoSpace: (Code.RESOURCE_EXHAUSTED, NO_SPACE),
}


def refusal(error: StoreError) -> GrpcStatus:
    """What the engine reads a store's refusal from."""
    code, message = REFUSALS.get(type(error), (Code.INVALID_ARGUMENT, str(error)))
    return GrpcStatus(code, message)


class KeysEndpoint:
    """The methods; `methods` is the table for the server."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._layout = Layout(PREFIX)
        self._fences: dict[bytes, None] = {}
        table = [
            unary("/etcdserverpb.KV/Range", self._range, MESSAGE_BYTES_MAX),
            unary("/etcdserverpb.KV/Put", self._put, MESSAGE_BYTES_MAX),
            unary("/etcdserverpb.KV/Txn", self._txn, MESSAGE_BYTES_MAX),
            unary("/etcdserverpb.KV/Compact", self._compact, MESSAGE_BYTES_MAX),
            unary("/etcdserverpb.Lease/LeaseGrant", self._lease_grant),
            unary("/etcdserverpb.Lease/LeaseRevoke", self._lease_revoke),
            unary("/etcdserverpb.Lease/LeaseTimeToLive", self._lease_time_to_live),
            unary("/etcdserverpb.Lease/LeaseLeases", self._lease_leases),
            bidi("/etcdserverpb.Lease/LeaseKeepAlive", self._lease_keepalive),
            bidi("/etcdserverpb.Watch/Watch", self._watch),
        ]
        self.methods = {method.path: method for method in table}

    def _header(self, revision: int | None = None) -> pb.ResponseHeader:
        return pb.ResponseHeader(revision=self._keys.head if revision is None else revision)

    # --- reads

    async def _range(self, call: Call, message: bytes) -> bytes:
        request = decode(pb.RangeRequest, message)
        head = self._keys.head
        try:
            part, _ = self._layout.part(request.key)
            if part == HEAD and not request.range_end:
                kvs, more = await self._read_head(request), False
            elif part in (VALUES, METAS):
                kvs, more = await self._read(request, request.revision or head, is_meta=part == METAS)
            else:
                raise refused("a read of another space")
        except StoreError as error:
            raise refusal(error) from None
        await self._keys.settle(head)
        return encode(pb.RangeResponse(header=self._header(head), kvs=kvs, more=more, count=len(kvs)))

    async def _read_head(self, request: pb.RangeRequest) -> list[pb.KeyValue]:
        """Every revision but the first was a commit."""
        revision = request.revision or self._keys.head
        if request.revision:
            await self._keys.scan_at(Revision(revision), b"", b"", limit=0)  # Compacted, FutureRevision
        return [self._head_kv(revision, b"")] if revision > 1 else []

    def _head_kv(self, revision: int, value: bytes) -> pb.KeyValue:
        return pb.KeyValue(
            key=self._layout.head,
            value=value,
            create_revision=2,
            mod_revision=revision,
            version=revision - 1,
        )

    async def _read(
        self, request: pb.RangeRequest, revision: int, *, is_meta: bool
    ) -> tuple[list[pb.KeyValue], bool]:
        space, start = self._layout.part(request.key)
        end_space, stop = self._layout.part(request.range_end)
        if not request.range_end:
            stop = start + b"\x00"
        elif end_space != space:
            if stop or end_space != prefix_end(space):
                raise refused("a range over several spaces")
            stop = LAST
        reverse = request.sort_order == DESCEND
        found: list[Entry] = []
        limit = request.limit + 1 if request.limit else 0
        while True:
            page = await self._scan(revision, start, stop, PAGE_ENTRIES, reverse=reverse)
            found += [entry for entry in page if entry.meta or not is_meta]
            if len(page) < PAGE_ENTRIES or (limit and len(found) >= limit):
                break
            if reverse:
                stop = page[-1].key
            else:
                start = page[-1].key + b"\x00"
            await asyncio.sleep(0)
        more = bool(request.limit) and len(found) > request.limit
        show = self._meta_kv if is_meta else self._value_kv
        return [show(entry) for entry in (found[: request.limit] if request.limit else found)], more

    async def _scan(
        self, revision: int, start: bytes, stop: bytes, limit: int, *, reverse: bool
    ) -> Sequence[Entry]:
        keys = self._keys
        if revision == keys.head:
            return keys.scan(start, stop, limit=limit, reverse=reverse)
        return await keys.scan_at(Revision(revision), start, stop, limit=limit, reverse=reverse)

    def _value_kv(self, entry: Entry) -> pb.KeyValue:
        return self._kv(self._layout.values, entry, entry.value)

    def _meta_kv(self, entry: Entry) -> pb.KeyValue:
        return self._kv(self._layout.metas, entry, entry.meta)

    def _kv(self, space: bytes, entry: Entry, value: bytes) -> pb.KeyValue:
        return pb.KeyValue(
            key=space + entry.key,
            value=value,
            create_revision=entry.create_revision,
            mod_revision=entry.mod_revision,
            version=entry.version,
            lease=entry.lease,
        )

    # --- commits

    async def _put(self, call: Call, message: bytes) -> bytes:
        """A fence: no transaction of the session is let through any more."""
        request = decode(pb.PutRequest, message)
        part, session = self._layout.part(request.key)
        if part != SESSIONS:
            raise refused("a put outside of a transaction")
        self._fences[session] = None
        if len(self._fences) > FENCES_MAX:
            del self._fences[next(iter(self._fences))]
        head = self._keys.head
        await self._keys.settle(head)
        return encode(pb.PutResponse(header=self._header(head)))

    async def _txn(self, call: Call, message: bytes) -> bytes:
        request = decode(pb.TxnRequest, message)
        keys = self._keys
        reading = Reading(self._layout, keys.get)
        commit = reading.read(request)
        before = keys.head
        revision = before
        try:
            if reading.session in self._fences:
                raise Conflict(before)
            if commit is not None:
                revision = await keys.commit(commit)
        except Conflict:
            await keys.settle(before)
            looked = pb.RangeResponse(kvs=[self._head_kv(before, b"")] if before > 1 else [])
            return encode(
                pb.TxnResponse(header=self._header(before), responses=[pb.ResponseOp(response_range=looked)])
            )
        except StoreError as error:
            raise refusal(error) from None
        await keys.settle(revision)
        reply = pb.TxnResponse(header=self._header(revision), succeeded=True)
        if revision > before:
            reply.responses = [pb.ResponseOp(response_put=pb.PutResponse())]
        return encode(reply)

    async def _compact(self, call: Call, message: bytes) -> bytes:
        try:
            await self._keys.compact(Revision(decode(pb.CompactionRequest, message).revision))
        except StoreError as error:
            raise refusal(error) from None
        return encode(pb.CompactionResponse(header=self._header()))

    # --- leases

    async def _lease_grant(self, call: Call, message: bytes) -> bytes:
        request = decode(pb.LeaseGrantRequest, message)
        ttl_ms = max(1, request.TTL - LEASE_GRACE_S) * 1000
        try:
            await self._keys.lease_grant(LeaseId(request.ID), ttl_ms, ME)
        except StoreError as error:
            raise refusal(error) from None
        return encode(pb.LeaseGrantResponse(header=self._header(), ID=request.ID, TTL=request.TTL))

    async def _lease_revoke(self, call: Call, message: bytes) -> bytes:
        try:
            revision = await self._keys.lease_revoke(LeaseId(decode(pb.LeaseRevokeRequest, message).ID), ME)
        except StoreError as error:
            raise refusal(error) from None
        await self._keys.settle(revision)
        return encode(pb.LeaseRevokeResponse(header=self._header()))

    def _lease_time_to_live(self, call: Call, message: bytes) -> bytes:
        request = decode(pb.LeaseTimeToLiveRequest, message)
        found = self._keys.find_lease(LeaseId(request.ID))
        if found is None:
            return encode(pb.LeaseTimeToLiveResponse(header=self._header(), ID=request.ID, TTL=-1))
        seconds = -(-found.ttl_ms // 1000) + LEASE_GRACE_S
        return encode(
            pb.LeaseTimeToLiveResponse(header=self._header(), ID=request.ID, TTL=seconds, grantedTTL=seconds)
        )

    def _lease_leases(self, call: Call, message: bytes) -> bytes:
        rows = [pb.LeaseStatus(ID=lease.id) for lease in self._keys.leases()]
        return encode(pb.LeaseLeasesResponse(header=self._header(), leases=rows))

    async def _lease_keepalive(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        async for message in incoming:
            lease = decode(pb.LeaseKeepAliveRequest, message).ID
            try:
                seconds = -(-self._keys.lease_keepalive(LeaseId(lease)) // 1000)
            except NoSuchLease:
                seconds = 0
            await call.send(encode(pb.LeaseKeepAliveResponse(header=self._header(), ID=lease, TTL=seconds)))

    # --- watches

    async def _watch(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        """One watch over everything."""
        async for message in incoming:
            create = decode(pb.WatchRequest, message).create_request
            break
        else:
            return
        if create is None or create.key not in (self._layout.start, self._layout.head):
            raise refused("a watch of a part")
        await call.send(encode(pb.WatchResponse(header=self._header(), created=True)))
        since = Revision(create.start_revision) if create.start_revision else None
        watch = self._keys.watch(b"", LAST, since)
        ending = asyncio.create_task(self._ended(incoming))
        ending.add_done_callback(lambda _: watch.close())
        try:
            while changes := await watch.take():
                for change in changes:
                    for response in self._responses(change, with_previous=create.prev_kv):
                        await call.send(response)
        except Compacted as error:
            gone = pb.WatchResponse(canceled=True, compact_revision=error.revision)
            await call.send(encode(gone))
        except StoreError as error:
            raise GrpcStatus(Code.UNAVAILABLE, str(error)) from None
        finally:
            watch.close()
            ending.cancel()

    async def _ended(self, incoming: AsyncIterator[bytes]) -> None:
        async for _ in incoming:
            pass

    def _responses(self, change: Change, *, with_previous: bool) -> Iterator[bytes]:
        """A change, in pieces that a client may take; all but the last say that the revision goes on."""
        events: list[pb.Event] = []
        size = 0
        for event in self._events(change, with_previous=with_previous):
            events.append(event)
            size += sum(len(kv.value) for kv in (event.kv, event.prev_kv) if kv is not None)
            if size > FRAGMENT_BYTES:
                yield encode(pb.WatchResponse(header=self._header(), events=events, fragment=True))
                events, size = [], 0
        record = record_of(change.author)
        head = self._head_kv(change.revision, msgspec.msgpack.encode(record))
        events.append(pb.Event(kv=head))
        yield encode(pb.WatchResponse(header=self._header(), events=events))

    def _events(self, change: Change, *, with_previous: bool) -> Iterator[pb.Event]:
        layout, revision = self._layout, change.revision
        for event in change.events:
            entry, old = event.entry, event.previous
            before = old if with_previous else None
            gone = pb.KeyValue(key=layout.values + entry.key, mod_revision=revision)
            yield pb.Event(
                type=DELETE if event.dropped else 0,
                kv=gone if event.dropped else self._value_kv(entry),
                prev_kv=None if before is None else self._value_kv(before),
            )
            had_meta = old is not None and bool(old.meta)
            if entry.meta or had_meta:
                yield pb.Event(
                    type=0 if entry.meta else DELETE,
                    kv=self._meta_kv(entry)
                    if entry.meta
                    else pb.KeyValue(key=layout.metas + entry.key, mod_revision=revision),
                    prev_kv=self._meta_kv(before) if before is not None and before.meta else None,
                )
