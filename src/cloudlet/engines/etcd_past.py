"""The past of the etcd engine: what was at a revision, and what changed between two; asked of etcd.

State   in memory: the last changes that the mirror has seen, bounded
Source  etcd's watch and its reads at a revision
Absent  history-free spaces

What changed a moment ago is answered from memory, which is quicker.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice

from cloudlet.engines.etcd_layout import Layout, Revisions, Told, entry_of, prefix_end, watch_response
from cloudlet.engines.etcd_link import COMPACTED, FUTURE, RETRY_S, Link
from cloudlet.engines.grpc_client import ConnectionLost
from cloudlet.kernel.fault import Compacted, FutureRevision
from cloudlet.kernel.keys import FIRST_REVISION, Change, Entry, Event, Revision
from cloudlet.kernel.keys_newest import change_within, tombstone
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import GrpcStatus
from cloudlet.wire.protobuf import encode

QUIET_S = 0.1  # without an event: what a lease's end has deleted comes at once, but is not announced
RECENT_MAX = 10_000  # changes
RECENT_BYTES_MAX = 16 << 20
SORT = pb.RangeRequest.SortOrder


class EtcdPast:
    """Reads below the head."""

    def __init__(self, link: Link, layout: Layout) -> None:
        self._link = link
        self._layout = layout
        self.recent = Recent()

    async def scan(
        self,
        revision: Revision,
        start: bytes,
        stop: bytes,
        limit: int | None,
        *,
        reverse: bool,
    ) -> list[Entry]:
        """The entries of [start, stop) at a past revision; Compacted."""
        if limit == 0 or start >= stop:
            return []
        revision = max(revision, FIRST_REVISION)  # 0 would be the newest, to etcd; both are empty
        layout = self._layout
        order = SORT.DESCEND if reverse else SORT.NONE
        values = await self._range(layout.values, revision, start, stop, limit or 0, order)
        if not values:
            return []
        keys = [kv.key[len(layout.values) :] for kv in values]
        low, high = min(keys), max(keys)
        metas = {
            kv.key[len(layout.metas) :]: kv
            for kv in await self._range(layout.metas, revision, low, high + b"\x00", 0, SORT.NONE)
        }
        found = []
        for key, kv in zip(keys, values, strict=True):
            meta = metas.get(key)
            is_its = meta is not None and meta.mod_revision == kv.mod_revision
            found.append(entry_of(key, kv, meta.value if is_its and meta is not None else b""))
        return found

    async def _range(
        self, space: bytes, revision: int, start: bytes, stop: bytes, limit: int, order: int
    ) -> list[pb.KeyValue]:
        request = pb.RangeRequest(
            key=space + start, range_end=space + stop, revision=revision, limit=limit, sort_order=order
        )
        try:
            return (await self._link.range(request)).kvs
        except GrpcStatus as status:
            if status.message == COMPACTED:
                raise Compacted(await self._link.compacted_at(revision, self._layout.head)) from None
            if status.message == FUTURE:
                raise FutureRevision(revision - 1) from None
            raise

    async def changes(
        self,
        start: bytes,
        stop: bytes,
        since: Revision,
        until: Revision,
        free_after: Revision,
        changes_max: int,
    ) -> tuple[Sequence[Change], Revision]:
        """See `keys_feed.Past`."""
        first = self.recent.first
        if since >= first:
            return self.recent.page(start, stop, since, until, changes_max)
        until = min(until, Revision(first - 1))
        while True:
            try:
                return await self._changes(start, stop, since, until, changes_max)
            except ConnectionLost:
                await asyncio.sleep(RETRY_S)

    async def _changes(
        self,
        start: bytes,
        stop: bytes,
        since: Revision,
        until: Revision,
        changes_max: int,
    ) -> tuple[Sequence[Change], Revision]:
        last = await self._last_commit(until)
        found: list[Change] = []
        stream = await self._link.stream("/etcdserverpb.Watch/Watch")
        try:
            create = pb.WatchCreateRequest(
                key=self._layout.start,
                range_end=prefix_end(self._layout.start),
                start_revision=max(1, since),
                prev_kv=True,
                fragment=True,
            )
            stream.send(encode(pb.WatchRequest(create_request=create)))
            revisions = Revisions(self._layout)
            at = since - 1  # the newest revision that was told
            while True:
                waiting = stream.receive()
                try:
                    message = await (waiting if at < last else asyncio.wait_for(waiting, QUIET_S))
                except TimeoutError:
                    break
                if message is None:
                    raise ConnectionLost("the watch ended")
                response = watch_response(message)
                if response.canceled:
                    raise Compacted(response.compact_revision)
                for told in revisions.feed(response):
                    if told.revision > until:
                        return found, Revision(until + 1)
                    at = told.revision
                    change = seen_within(change_told(told), start, stop)
                    if change is not None:
                        found.append(change)
                        if len(found) == changes_max:
                            return found, Revision(at + 1)
                if at == until:
                    break
        finally:
            stream.cancel()
        return found, Revision(until + 1)

    async def _last_commit(self, until: Revision) -> int:
        """The newest commit up to a revision: so far events are sure to come."""
        request = pb.RangeRequest(key=self._layout.head, revision=until)
        try:
            kvs = (await self._link.range(request)).kvs
        except GrpcStatus as status:
            if status.message == COMPACTED:
                raise Compacted(await self._link.compacted_at(until, self._layout.head)) from None
            raise
        return kvs[0].mod_revision if kvs else 0


def change_told(told: Told) -> Change:
    """The events of one revision as the port shows them."""
    revision = told.revision
    events = [
        Event(tombstone(key, revision) if new is None else new, before) for key, new, before in told.changes
    ]
    return Change(revision, told.author, tuple(events))


def seen_within(change: Change, start: bytes, stop: bytes) -> Change | None:
    """What a watch of [start, stop) sees of a change; a commit in the etcd may have changed nothing."""
    return change_within(change, start, stop) if change.events else None


class Recent:
    """The last changes, every one from revision `first` on."""

    def __init__(self) -> None:
        self.first = Revision(0)
        self._changes: deque[Change] = deque()
        self._bytes = 0

    def begin(self, revision: Revision) -> None:
        """Keep what comes from a revision on."""
        self._changes.clear()
        self._bytes = 0
        self.first = revision

    def add(self, change: Change) -> None:
        """The newest change."""
        self._changes.append(change)
        self._bytes += size_of(change)
        while len(self._changes) > RECENT_MAX or self._bytes > RECENT_BYTES_MAX:
            self._drop_oldest()

    def forget(self, revision: Revision) -> None:
        """What was up to a revision is compacted."""
        while self._changes and self._changes[0].revision <= revision:
            self._drop_oldest()
        self.first = max(self.first, Revision(revision + 1))

    def _drop_oldest(self) -> None:
        oldest = self._changes.popleft()
        self._bytes -= size_of(oldest)
        self.first = Revision(oldest.revision + 1)

    def page(
        self,
        start: bytes,
        stop: bytes,
        since: Revision,
        until: Revision,
        changes_max: int,
    ) -> tuple[Sequence[Change], Revision]:
        """As `Past.changes`, for a revision that is kept."""
        found: list[Change] = []
        at = len(self._changes)
        while at and self._changes[at - 1].revision >= since:  # the readers are near the end
            at -= 1
        for change in islice(self._changes, at, None):
            if change.revision > until:
                break
            shown = seen_within(change, start, stop)
            if shown is not None:
                found.append(shown)
                if len(found) == changes_max:
                    return found, Revision(change.revision + 1)
        return found, Revision(until + 1)


def size_of(change: Change) -> int:
    """About what a change takes of memory."""
    return sum(200 + len(event.entry.value) + len(event.entry.key) for event in change.events)
