"""The keys store in memory: the reference engine, with its whole history in lists.

State   in memory: the newest entry of each key, every version since the last compaction, the leases
Source  docs/architecture.md, "Keys"
Absent  slices for a drop of very many keys: one turn

It stands among the engines and not in the kernel because a watch that waits needs asyncio; what is decided
without waiting is kernel/keys_newest.py. Nothing but a waiting `take` suspends.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from cloudlet.engines.keys_feed import Feed, FeedTap, FeedWatch
from cloudlet.kernel.fault import Compacted, FutureRevision, StoreError
from cloudlet.kernel.keys import (
    Author,
    Change,
    Commit,
    Entry,
    Event,
    Foreseen,
    Lease,
    LeaseId,
    LocalKeys,
    MonotonicMs,
    Revision,
)
from cloudlet.kernel.keys_newest import Newest, Step, change_of, mod_revision
from cloudlet.kernel.ordered_keys import OrderedKeys

ENTRY_BYTES = 100  # of an entry beside its bytes


class MemoryKeys:
    """The port over plain containers. Every commit is settled at once."""

    def __init__(self, monotonic_ms: MonotonicMs, history_free: Sequence[bytes] = ()) -> None:
        self._newest = Newest(monotonic_ms)
        self._past = MemoryPast(tuple(history_free))
        self._feed = Feed(self._past)

    @property
    def head(self) -> Revision:
        return self._newest.head

    @property
    def settled(self) -> Revision:
        return self._newest.head

    async def settle(self, revision: Revision) -> None:
        await self._feed.settle(revision)

    def get(self, key: bytes) -> Entry | None:
        """The entry at head."""
        return self._newest.entries.get(key)

    def scan(
        self, start: bytes, stop: bytes, *, limit: int | None = None, reverse: bool = False
    ) -> Sequence[Entry]:
        return self._newest.scan(start, stop, limit, reverse=reverse)

    async def scan_at(
        self,
        revision: Revision,
        start: bytes,
        stop: bytes,
        *,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Sequence[Entry]:
        if revision > self._newest.head:
            raise FutureRevision(self._newest.head)
        if revision == self._newest.head:
            return self._newest.scan(start, stop, limit, reverse=reverse)
        if meets(start, stop, self._past.history_free):
            raise Compacted(self._newest.head)
        return self._past.scan(revision, start, stop, limit, reverse=reverse)

    async def commit(self, commit: Commit) -> Revision:
        return self.commit_now(commit)

    def commit_now(self, commit: Commit) -> Revision:
        self._check_open()
        step = self._newest.decide(commit)
        return self._newest.head if step is None else self._apply(step)

    @asynccontextmanager
    async def foresee(self, ranges: Sequence[tuple[bytes, bytes]]) -> AsyncIterator[Foreseen]:
        yield self.scan

    def _apply(self, step: Step) -> Revision:
        self._newest.apply(step)
        self._past.remember(change_of(step))
        self._feed.publish(step, step.revision)
        return step.revision

    def _check_open(self) -> None:
        if self._feed.is_closed:
            raise StoreError("the store is closed")

    def watch(self, start: bytes, stop: bytes, since: Revision | None = None) -> FeedWatch:
        return self._feed.watch(start, stop, since)

    @property
    def compacted(self) -> Revision:
        return self._past.mark

    @property
    def size_bytes(self) -> int:
        return self._past.size_bytes

    def count(self, start: bytes, stop: bytes) -> int:
        return self._newest.order.count(start, stop)

    def keys_within(self, start: bytes, stop: bytes) -> Sequence[bytes]:
        return self._newest.order.slice(start, stop)

    def when_settled(self, revision: Revision, call: Callable[[], None]) -> None:
        self._feed.when_settled(revision, call)

    def tap(self, start: bytes, stop: bytes, applied: Callable[[Change], None]) -> FeedTap:
        return self._feed.tap(start, stop, applied)

    async def lease_grant(self, lease: LeaseId, ttl_ms: int, author: Author) -> None:
        self._check_open()
        self._newest.check_new(lease)
        self._newest.grant(lease, ttl_ms)

    async def lease_revoke(self, lease: LeaseId, author: Author) -> Revision:
        self._check_open()
        step = self._newest.decide_revoke(lease, author)
        if step is not None:
            self._apply(step)
        self._newest.forget(lease)
        return self._newest.head

    def lease_begin(self, lease: LeaseId, ttl_ms: int) -> None:
        self._check_open()
        self._newest.check_new(lease)
        self._newest.grant(lease, ttl_ms)

    def lease_end(self, lease: LeaseId) -> None:
        self._check_open()
        assert not self._newest.held(lease).keys, "its keys are dropped first"
        self._newest.forget(lease)

    def lease_keepalive(self, lease: LeaseId) -> int:
        return self._newest.keepalive(lease)

    def leases(self) -> Sequence[Lease]:
        return self._newest.lease_rows()

    def some_lease_keys(self, lease: LeaseId, limit: int) -> Sequence[bytes]:
        return self._newest.some_lease_keys(lease, limit)

    def find_lease(self, lease: LeaseId) -> Lease | None:
        return self._newest.find_lease(lease)

    def lease_keys(self, lease: LeaseId) -> Sequence[bytes]:
        return self._newest.lease_keys(lease)

    async def compact(self, revision: Revision) -> None:
        self._check_open()
        if revision > self._newest.head:
            raise FutureRevision(self._newest.head)
        self._past.compact(revision)

    async def close(self) -> None:
        self._feed.close()


class MemoryPast:
    """Every change since the compaction mark, and every version of each key with a history."""

    def __init__(self, history_free: tuple[bytes, ...]) -> None:
        self.history_free = history_free
        self._mark = Revision(0)  # the oldest revision that can be read
        self._changes: list[Change] = []
        self._versions: dict[bytes, list[Entry]] = {}  # oldest first, tombstones too
        self._order = OrderedKeys()
        self.size_bytes = 0

    @property
    def mark(self) -> Revision:
        return self._mark

    def remember(self, change: Change) -> None:
        """Add the newest change."""
        self._changes.append(change)
        for event in change.events:
            key = event.entry.key
            self.size_bytes += size_of(event.entry)
            if key.startswith(self.history_free):
                continue
            versions = self._versions.get(key)
            if versions is None:
                self._versions[key] = [event.entry]
                self._order.add(key)
            else:
                versions.append(event.entry)

    def scan(
        self, revision: Revision, start: bytes, stop: bytes, limit: int | None, *, reverse: bool
    ) -> list[Entry]:
        """The entries of the range at a past revision; Compacted."""
        if revision < self._mark:
            raise Compacted(self._mark)
        cut = self._order.slice_reverse if reverse else self._order.slice
        found: list[Entry] = []
        for key in cut(start, stop):
            versions = self._versions[key]
            at = bisect_right(versions, revision, key=mod_revision)
            if at and versions[at - 1].version:
                found.append(versions[at - 1])
                if len(found) == limit:
                    break
        return found if limit != 0 else []

    async def changes(
        self,
        start: bytes,
        stop: bytes,
        since: Revision,
        until: Revision,
        free_after: Revision,
        changes_max: int,
    ) -> tuple[Sequence[Change], Revision]:
        """See `Past`."""
        if since < self._mark:
            raise Compacted(self._mark)
        found: list[Change] = []
        position = since
        at = bisect_left(self._changes, since, key=lambda change: change.revision)
        while at < len(self._changes) and len(found) < changes_max:
            change = self._changes[at]
            at += 1
            if change.revision > until:
                break
            position = Revision(change.revision + 1)
            events = tuple(
                self._known(event)
                for event in change.events
                if start <= event.entry.key < stop
                and (change.revision > free_after or not event.entry.key.startswith(self.history_free))
            )
            if events:
                found.append(Change(change.revision, change.author, events))
        return found, position if len(found) == changes_max else Revision(until + 1)

    def _known(self, event: Event) -> Event:
        """The event; at the mark its entry before is compacted, as only revisions below show that."""
        if event.previous is not None and event.entry.mod_revision <= self._mark:
            return Event(event.entry, None)
        return event

    def compact(self, revision: Revision) -> None:
        """Forget what only revisions below show; Compacted."""
        if revision <= self._mark:
            raise Compacted(self._mark)
        self._mark = revision
        del self._changes[: bisect_left(self._changes, revision, key=lambda change: change.revision)]
        for key in list(self._versions):
            versions = self._versions[key]
            at = bisect_right(versions, revision, key=mod_revision)
            if at and versions[at - 1].version:
                at -= 1  # a live entry is what the mark itself shows
            self.size_bytes -= sum(map(size_of, versions[:at]))
            del versions[:at]
            if not versions:
                del self._versions[key]
                self._order.remove(key)


def size_of(entry: Entry) -> int:
    return ENTRY_BYTES + len(entry.key) + len(entry.value) + len(entry.meta)


def meets(start: bytes, stop: bytes, prefixes: Sequence[bytes]) -> bool:
    """Whether [start, stop) may hold a key that begins with one of the prefixes."""
    return any(start[: len(prefix)] <= prefix < stop for prefix in prefixes)


def _port(engine: MemoryKeys) -> LocalKeys:
    """Holds the engine against the port when types are checked."""
    return engine
