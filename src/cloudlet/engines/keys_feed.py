"""Who waits on a keys store: the watches, and the callers of `settle`; shared by the local engines.

State   in memory: the settled mark, steps above it, watches by range, what each has not taken yet
Source  docs/architecture.md, "Keys"
Absent  none

Theory of operation
    A watch is *live* or *behind*. A live one queues every step that touches its range; `take`
    gives out what is settled. One that is behind reads the engine's past from its position up to the settled
    mark, in pages, and then goes live: the steps above the mark are kept here until they settle, so it takes
    over exactly those that the past has not shown yet. Between the last look at the mark and the switch
    nothing is awaited, so there is no gap, and no step is seen twice.

                   since <= head                         caught up with the settled mark
        watch() ------------------> behind  ---------------------------------------------> live
           |                          ^                                                     |  ^
           |                          '----- more than PENDING_MAX steps not taken ---------'  |
           '------------------------------------ since > head, or None ------------------------'

    A commit finds its watches without walking all of them: every key of a range [start, stop) begins with
    the longest common prefix of start and stop. So the watches stand in a dict by that prefix, and a key is
    looked up once for each *length* of prefix in use.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right, insort_right
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter, itemgetter
from typing import Protocol

from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.keys import FIRST_REVISION, Change, Event, Revision
from cloudlet.kernel.keys_newest import Step, change_of, change_within, in_order, key_of, tombstone

log = logging.getLogger(__name__)

revision_of = attrgetter("revision")
EVENTS_MAX = 1000  # of a long step that are made in one turn
PENDING_MAX = 1024  # steps queued for one watch; beyond, it reads them from the past


class Past(Protocol):
    """What an engine remembers."""

    async def changes(
        self,
        start: bytes,
        stop: bytes,
        since: Revision,
        until: Revision,
        free_after: Revision,
        changes_max: int,
    ) -> tuple[Sequence[Change], Revision]:
        """A page of the changes of [start, stop) in revisions since … until, history-free spaces only above
        `free_after`; and the revision to go on from, above `since`. Compacted."""


class Feed:
    """The settled mark and everyone who waits for it to move."""

    def __init__(self, past: Past, head: Revision = FIRST_REVISION) -> None:
        self.past = past
        self.head = head
        self.settled = head
        self.is_closed = False
        self.unsettled: list[Step] = []
        self._due: deque[tuple[Revision, Callable[[], None]]] = deque()  # to be called, by revision
        self._watches: dict[bytes, set[FeedWatch]] = {}
        self._lengths: Counter[int] = Counter()  # of the prefixes in `_watches`
        self.taps: list[FeedTap] = []
        self._assembling = asyncio.Lock()

    # --- what the engine tells

    def publish(self, step: Step, settled: Revision) -> None:
        """A step was applied; the mark stands at `settled` (the step's own revision, or below)."""
        self.head = step.revision
        if settled != step.revision:
            self.unsettled.append(step)
        elif self._due:
            self.advance(settled)
        else:
            self.settled = settled
        if step.long is not None:
            self._publish_long(step)
            return
        keys: Sequence[bytes] = ()  # looked up once, if anybody wants to know
        if self._lengths:
            keys = step_keys(step)
            self._deliver(step, keys)
        for tap in self.taps:
            if not tap.is_paused:
                keys = keys or step_keys(step)
                if touches(keys, tap.start, tap.stop):
                    tap.applied(change_of(step))

    def _publish_long(self, step: Step) -> None:
        """Look for the step's keys in the ranges; for the ranges' in the step where these are more."""
        if len(self._watches) > len(step.dropped):
            self._deliver(step, step_keys(step))
        else:
            for group in self._watches.values():
                for watch in group:
                    if step_touches(step, watch.start, watch.stop):
                        watch.push(step)
        for tap in self.taps:
            if not tap.is_paused and step_touches(step, tap.start, tap.stop):
                tap.applied(change_of(step))

    async def assemble(self, step: Step) -> None:
        """Make the change of a long step, some events in a turn, once for all who watch it."""
        async with self._assembling:
            gone: list[Event] = []
            while step.whole is None:
                some = step.dropped[len(gone) : len(gone) + EVENTS_MAX]
                gone += [Event(tombstone(old.key, step.revision), old) for old in some]
                if len(gone) == len(step.dropped):
                    come = list(map(Event, step.entries, step.previous))
                    step.whole = Change(step.revision, step.author, tuple(in_order(gone, come, step.after)))
                await asyncio.sleep(0)

    def tap(self, start: bytes, stop: bytes, applied: Callable[[Change], None]) -> FeedTap:
        """Call `applied` with each change of the range as it is published."""
        tap = FeedTap(self, start, stop, applied)
        self.taps.append(tap)
        return tap

    def advance(self, settled: Revision) -> None:
        """The mark moved up."""
        self.settled = settled
        unsettled, due = self.unsettled, self._due
        del unsettled[: bisect_right(unsettled, settled, key=revision_of)]
        while due and due[0][0] <= settled:
            self._call(*due.popleft())

    def _call(self, revision: Revision, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            log.exception("whoever waited for revision %d has failed", revision)  # the others wait as well

    def lose(self, revision: Revision) -> None:
        """The steps up to `revision` come to nobody: whoever waits for them has to read the past."""
        missed = Revision(self.head + 1)
        self.head = revision
        self.unsettled.clear()
        for watch in [watch for group in self._watches.values() for watch in group]:
            watch.fall_behind(missed)
        self.advance(revision)

    def close(self) -> None:
        """No more steps will come."""
        self.is_closed = True
        due, self._due = self._due, deque()
        for revision, call in due:
            self._call(revision, call)
        for watch in [watch for group in self._watches.values() for watch in group]:
            watch.wake()

    # --- settling

    async def settle(self, revision: Revision) -> None:
        """Wait until the mark has reached `revision`; StoreError if the store closes first."""
        if revision <= self.settled:
            return
        if self.is_closed:
            raise StoreError("the store is closed")
        future = asyncio.get_running_loop().create_future()
        self.when_settled(revision, partial(_release, future))
        await future
        if self.settled < revision:
            raise StoreError("the store is closed")

    def when_settled(self, revision: Revision, call: Callable[[], None]) -> None:
        """See kernel/keys.py, LocalKeys."""
        if self.is_closed:
            return
        due = self._due
        if due and revision < due[-1][0]:
            # For an older step than another waits for: rare, and kept in order.
            insort_right(due, (revision, call), key=itemgetter(0))
        else:
            due.append((revision, call))

    # --- watches

    def watch(self, start: bytes, stop: bytes, since: Revision | None) -> FeedWatch:
        """A new watch, live unless its first revision has happened."""
        watch = FeedWatch(self, start, stop, Revision(self.head + 1) if since is None else since)
        if watch.prefix not in self._watches:
            self._lengths[len(watch.prefix)] += 1
        self._watches.setdefault(watch.prefix, set()).add(watch)
        return watch

    def forget(self, watch: FeedWatch) -> None:
        """The watch was closed."""
        group = self._watches.get(watch.prefix)
        if group is None or watch not in group:
            return
        group.discard(watch)
        if not group:
            del self._watches[watch.prefix]
            length = len(watch.prefix)
            self._lengths[length] -= 1
            if not self._lengths[length]:
                del self._lengths[length]

    def _deliver(self, step: Step, keys: Sequence[bytes]) -> None:
        find, lengths = self._watches.get, self._lengths
        touched: set[FeedWatch] | None = None  # most steps touch nobody's range
        for key in keys:
            for length in lengths:
                group = find(key[:length])
                if group is None:
                    continue
                for watch in group:
                    if watch.start <= key < watch.stop:
                        if touched is None:
                            touched = set()
                        touched.add(watch)
        if touched is not None:
            for watch in touched:
                watch.push(step)


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class FeedTap:
    """See kernel/keys.py, Tap."""

    __slots__ = ("_feed", "applied", "is_paused", "start", "stop")

    def __init__(self, feed: Feed, start: bytes, stop: bytes, applied: Callable[[Change], None]) -> None:
        self._feed = feed
        self.start = start
        self.stop = stop
        self.applied = applied
        self.is_paused = False

    def end(self) -> None:
        if self in self._feed.taps:
            self._feed.taps.remove(self)


def touches(keys: Sequence[bytes], start: bytes, stop: bytes) -> bool:
    """Whether one of the keys is in [start, stop)."""
    for key in keys:  # noqa: SIM110 - a generator costs more than the usual one key
        if start <= key < stop:
            return True
    return False


def step_keys(step: Step) -> Sequence[bytes]:
    """The keys that a step touches."""
    if not step.dropped:
        return list(map(key_of, step.entries))
    return list(map(key_of, (*step.dropped, *step.entries)))


def step_touches(step: Step, start: bytes, stop: bytes) -> bool:
    """Whether a step changes a key of [start, stop)."""
    if step.long is not None:
        return step.long.touches(start, stop) or any(start <= each.key < stop for each in step.entries)
    return touches(step_keys(step), start, stop)


def step_lies_within(step: Step, start: bytes, stop: bytes) -> bool:
    """Whether a long step changes no key outside of [start, stop)."""
    long = step.long
    return (
        long is not None
        and long.lies_within(start, stop)
        and all(start <= each.key < stop for each in step.entries)
    )


def common_prefix(start: bytes, stop: bytes) -> bytes:
    """The longest common prefix: every key between the two begins with it."""
    for at, (left, right) in enumerate(zip(start, stop, strict=False)):
        if left != right:
            return start[:at]
    return min(start, stop, key=len)


class FeedWatch:
    """A cursor over the changes of a range: see the theory above."""

    __slots__ = (
        "_feed",
        "_free_after",
        "_is_closed",
        "_is_live",
        "_pending",
        "_position",
        "_waiting",
        "prefix",
        "start",
        "stop",
    )

    def __init__(self, feed: Feed, start: bytes, stop: bytes, since: Revision) -> None:
        self._feed = feed
        self.start = start
        self.stop = stop
        self.prefix = common_prefix(start, stop)
        self._position = since  # while live, the floor: nothing below it is wanted
        self._is_live = since > feed.head
        self._free_after = feed.head
        self._pending: list[Step] = []  # a deque would take half of a watch's memory
        self._waiting: list[asyncio.Future[None]] = []
        self._is_closed = False

    @property
    def position(self) -> Revision:
        """The next revision that `take` may return."""
        if not self._is_live:
            return self._position
        if self._pending:
            return self._pending[0].revision
        return max(self._position, Revision(self._feed.head + 1))

    async def take(self, changes_max: int = 1000) -> Sequence[Change]:
        """The next changes, at least one; empty once closed."""
        feed = self._feed
        while not self._is_closed:
            if feed.is_closed:
                raise StoreError("the store is closed")
            if not self._is_live and self._position > feed.settled:
                self._go_live()
            if self._is_live:
                found = self._ready(changes_max)
                if found:
                    return found
                if self._pending and self._pending[0].revision <= feed.settled:
                    await feed.assemble(self._pending[0])
                else:
                    await self._wait()
                continue
            since = self._position
            changes, position = await feed.past.changes(
                self.start, self.stop, since, feed.settled, self._free_after, changes_max
            )
            if self._is_closed or self._position != since:
                continue  # closed, or another task took these
            self._position = position
            if changes:
                return changes
        return ()

    def _go_live(self) -> None:
        self._is_live = True
        for step in self._feed.unsettled:
            if step.revision >= self._position and step_touches(step, self.start, self.stop):
                self._pending.append(step)

    def _ready(self, changes_max: int) -> Sequence[Change]:
        settled = self._feed.settled
        found: list[Change] = []
        for step in self._pending:
            if step.revision > settled or len(found) == changes_max:
                break
            if step.long is not None and step.whole is None:
                break
            whole = change_of(step)
            is_whole = step_lies_within(step, self.start, self.stop)
            change = whole if is_whole else change_within(whole, self.start, self.stop)
            assert change is not None
            found.append(change)
        del self._pending[: len(found)]
        return found

    async def _wait(self) -> None:
        if self._pending:
            self._feed.when_settled(self._pending[0].revision, self.wake)
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            if future in self._waiting:
                self._waiting.remove(future)

    def push(self, step: Step) -> None:
        """A step touched the range."""
        if not self._is_live or step.revision < self._position:
            return
        pending = self._pending
        if len(pending) >= PENDING_MAX:
            self._is_live = False
            self._position = pending[0].revision
            pending.clear()
            return
        pending.append(step)
        if self._waiting and len(pending) == 1:
            if step.revision <= self._feed.settled:
                self.wake()
            else:
                self._feed.when_settled(step.revision, self.wake)

    def fall_behind(self, missed: Revision) -> None:
        """Steps from `missed` on were not pushed."""
        if self._is_live:
            self._is_live = False
            self._position = self._pending[0].revision if self._pending else max(self._position, missed)
            self._pending.clear()
            self.wake()

    def wake(self) -> None:
        """Let the waiting `take` look again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def close(self) -> None:
        """End the watch; a waiting `take` returns empty."""
        self._is_closed = True
        self._feed.forget(self)
        self._pending.clear()
        self.wake()
