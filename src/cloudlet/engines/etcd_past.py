"""The past of the etcd engine: what was at a revision, and what changed between two; asked of etcd.

State   none
Source  etcd's watch and its reads at a revision
Absent  none
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cloudlet.engines.etcd_layout import Layout, Revisions, Told, entry_of, prefix_end, watch_response
from cloudlet.engines.etcd_link import COMPACTED, FUTURE, RETRY_S, Link
from cloudlet.engines.grpc_client import ConnectionLost
from cloudlet.kernel.fault import Compacted, FutureRevision
from cloudlet.kernel.keys import Change, Entry, Event, Revision
from cloudlet.kernel.keys_newest import tombstone
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import GrpcStatus
from cloudlet.wire.protobuf import encode

QUIET_S = 0.1  # without an event: what a lease's end has deleted comes at once, but is not announced
SORT = pb.RangeRequest.SortOrder


class EtcdPast:
    """Reads below the head."""

    def __init__(self, link: Link, layout: Layout, history_free: tuple[bytes, ...]) -> None:
        self._link = link
        self._layout = layout
        self.history_free = history_free

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
        while True:
            try:
                return await self._changes(start, stop, since, until, free_after, changes_max)
            except ConnectionLost:
                await asyncio.sleep(RETRY_S)

    async def _changes(
        self,
        start: bytes,
        stop: bytes,
        since: Revision,
        until: Revision,
        free_after: Revision,
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
                    change = self._within(told, start, stop, free_after)
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

    def _within(self, told: Told, start: bytes, stop: bytes, free_after: Revision) -> Change | None:
        events = []
        for key, new, before in told.changes:
            if not start <= key < stop:
                continue
            if told.revision <= free_after and key.startswith(self.history_free):
                continue
            events.append(Event(tombstone(key, told.revision) if new is None else new, before))
        return Change(told.revision, told.author, tuple(events)) if events else None
