"""The mirror of the etcd engine: what the cloud holds at head, fed by a watch.

State   in memory: the newest entry of each key, the leases as far as they are known, who waits
Source  etcd's watch: "ordered, reliable, resumable" (etcd.io, "KV API guarantees")
Absent  none

It is read once, at one revision, page by page; from there a watch tells every change. A watch that breaks off
goes on where it was. If what it needs has been compacted meanwhile, the mirror is read anew, and watches of
the port that had not yet been given the changes in between are told Compacted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from cloudlet.engines.etcd_layout import Layout, Revisions, Told, entry_of, watch_response
from cloudlet.engines.etcd_link import RETRY_S, RETRY_S_MAX, Link
from cloudlet.engines.etcd_past import EtcdPast
from cloudlet.engines.keys_feed import Feed
from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.keys import Entry, LeaseId, MonotonicMs, Revision
from cloudlet.kernel.keys_newest import Newest, Step, change_of
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import GrpcStatus
from cloudlet.wire.protobuf import encode

LOG = logging.getLogger(__name__)

PAGE_ENTRIES = 100
PAGE_ENTRIES_MAX = 1000  # read and made in one turn of the loop
PAGE_BYTES = 1 << 20  # a page of less than this lets the next be larger

WATCH = "/etcdserverpb.Watch/Watch"


class Mirror:
    """See the module."""

    def __init__(self, link: Link, layout: Layout, monotonic_ms: MonotonicMs, past: EtcdPast) -> None:
        self._link = link
        self._layout = layout
        self._monotonic_ms = monotonic_ms
        self.newest = Newest(monotonic_ms)
        self.feed = Feed(past)
        self._recent = past.recent
        self.mine: dict[bytes, Revision | None] = {}  # tokens of commits whose outcome somebody waits for
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read everything, and begin to watch."""
        await self._read()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        self.feed.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # --- reading

    async def _read(self) -> None:
        layout = self._layout
        newest = Newest(self._monotonic_ms)
        values, revision = await self._pages(layout.values, 0)
        metas = {kv.key[len(layout.metas) :]: kv for kv in (await self._pages(layout.metas, revision))[0]}
        newest.leases.update(self.newest.leases)
        for held in newest.leases.values():
            held.keys = set()
        for kv in values:
            key = kv.key[len(layout.values) :]
            meta = metas.get(key)
            is_its = meta is not None and meta.mod_revision == kv.mod_revision
            entry = entry_of(key, kv, meta.value if is_its and meta is not None else b"")
            newest.entries[key] = entry
            newest.order.add(key)
        newest.head = Revision(revision)
        await self._learn_leases(newest, list(newest.entries.values()), is_first=True)
        for entry in newest.entries.values():
            if entry.lease:
                newest.leases[entry.lease].keys.add(entry.key)
        self.newest = newest
        self._recent.begin(Revision(newest.head + 1))
        self.feed.lose(newest.head)

    async def _pages(self, space: bytes, revision: int) -> tuple[list[pb.KeyValue], int]:
        """Every key of a space, at one revision (0: the newest)."""
        found: list[pb.KeyValue] = []
        start, stop = space, space[:-1] + bytes((space[-1] + 1,))
        limit = PAGE_ENTRIES
        while True:
            page = await self._link.range(
                pb.RangeRequest(key=start, range_end=stop, limit=limit, revision=revision)
            )
            if not revision:
                assert page.header is not None
                revision = page.header.revision
            found += page.kvs
            if not page.more:
                return found, revision
            start = page.kvs[-1].key + b"\x00"
            size = sum(len(kv.value) for kv in page.kvs)
            limit = min(2 * limit, PAGE_ENTRIES_MAX) if size < PAGE_BYTES else max(10, limit // 2)

    # --- leases

    async def _learn_leases(
        self, newest: Newest, entries: Sequence[Entry], *, is_first: bool = False
    ) -> None:
        """Make rows for leases that others have granted."""
        wanted = {entry.lease for entry in entries if entry.lease}
        if is_first:
            leases = await self._link.again(
                "/etcdserverpb.Lease/LeaseLeases", pb.LeaseLeasesRequest(), pb.LeaseLeasesResponse
            )
            wanted |= {LeaseId(row.ID) for row in leases.leases}
        for lease in sorted(wanted - newest.leases.keys()):
            newest.grant(lease, await self.lease_ttl_ms(lease))

    async def lease_ttl_ms(self, lease: LeaseId) -> int:
        """What a lease of somebody else was granted; whole seconds, as etcd keeps them."""
        found = await self._link.again(
            "/etcdserverpb.Lease/LeaseTimeToLive",
            pb.LeaseTimeToLiveRequest(ID=lease),
            pb.LeaseTimeToLiveResponse,
        )
        return granted_ms(found.grantedTTL)

    # --- watching

    async def _run(self) -> None:
        pause = RETRY_S
        while not self._link.is_closed:
            try:
                await self._watch()
                pause = RETRY_S
            except StoreError:
                return
            except GrpcStatus as status:
                LOG.info("the watch broke off: %s", status.message)
            except Exception:
                LOG.exception("the mirror failed, and is read anew")
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_S_MAX)

    async def _watch(self) -> None:
        """Follow the changes until the stream ends."""
        stream = await self._link.stream(WATCH)
        revisions = Revisions(self._layout)
        create = pb.WatchCreateRequest(
            key=self._layout.start,
            range_end=self._layout.stop,
            start_revision=self.newest.head + 1,
            fragment=True,
        )
        try:
            stream.send(encode(pb.WatchRequest(create_request=create)))
            while (message := await stream.receive()) is not None:
                response = watch_response(message)
                if response.canceled:
                    LOG.warning("the watch was cancelled at %d: reading anew", response.compact_revision)
                    await self._read()
                    return
                for told in revisions.feed(response):
                    await self._apply(told)
        finally:
            stream.cancel()

    async def _apply(self, told: Told) -> None:
        """One revision's events become the head."""
        newest = self.newest
        if told.revision <= newest.head:
            return
        dropped: list[Entry] = []
        entries: list[Entry] = []
        previous: list[Entry | None] = []
        for key, new, _ in told.changes:
            old = newest.entries.get(key)
            if new is not None:
                entries.append(new)
                previous.append(old)
            elif old is not None:
                dropped.append(old)
        if any(entry.lease and entry.lease not in newest.leases for entry in entries):
            await self._learn_leases(newest, entries)
        for old in (*dropped, *previous):
            if old is not None and old.lease and old.lease not in newest.leases:
                newest.grant(old.lease, 0)  # it has ended already
        step = Step(told.revision, told.author, dropped, entries, previous)
        newest.apply(step)
        self._recent.add(change_of(step))
        if told.token in self.mine:
            self.mine[told.token] = told.revision
        self.feed.publish(step, told.revision)


def granted_ms(seconds: int) -> int:
    """The ttl of the port that a lease of etcd's stands for."""
    return max(1, seconds - 10) * 1000
