"""A share-partition at work: who reads it, who waits for it, when its locks are over.

State   its records in __share_group_state (state_log.py); in memory the window of records under way
Source  Apache Kafka 4.3: SharePartition, DelayedShareFetch
Absent  none

Changes that must last stand in line: each is decided on the window as it is, written, and applied. A record
is acquired without being written; a restart makes it available again.

Fetches that wait are told one after the other: at a change the one that has waited longest, and when it has
looked, and there is still something, the next. So a record for which a hundred members wait wakes one of
them. Whoever was told and waits again is told at the next change only.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from math import inf

from cloudlet.kafka.call import Cancel
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.partition import Partition
from cloudlet.kafka.share.sessions import SessionKey
from cloudlet.kafka.share.share_partition import (
    Acknowledgement,
    Acquired,
    Change,
    Held,
    Limits,
    RecordState,
    SharePartition,
    Wish,
)
from cloudlet.kafka.share.state_log import StateLog
from cloudlet.kafka.share.state_records import Delivery, Kept, ShareKey, Span
from cloudlet.kafka.share.window import Window
from cloudlet.kernel.clock import Clock

log = logging.getLogger(__name__)

RETRY_MS = 100.0  # after a write that failed, before locks that are over are tried again


class Live:
    """One of them. `partition` is the log that it reads."""

    def __init__(
        self,
        key: ShareKey,
        partition: Partition,
        kept: Kept,
        state_log: StateLog,
        limits: Callable[[], Limits],
        clock: Clock,
    ) -> None:
        self.key = key
        self.partition = partition
        self.limits = limits
        self.users: set[SessionKey] = set()  # that have read from it
        self._state_log = state_log
        self._share = SharePartition(_window_of(kept))
        self._clock = clock
        self._line = asyncio.Lock()
        self._waiters: dict[int, Callable[[], None]] = {}
        self._waiter_ids = 0
        self._untold: deque[int] = deque()  # who is to be told of the last change
        self._forget = partition.on_change(self._changed)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = inf
        self._expiring: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Let go of the partition; who waits is told."""
        self._forget()
        for callback in tuple(self._waiters.values()):
            callback()
        if self._timer is not None:
            self._timer.cancel()
        if self._expiring is not None:
            self._expiring.cancel()
            await asyncio.gather(self._expiring, return_exceptions=True)

    @property
    def is_idle(self) -> bool:
        """Whether it may be forgotten: nobody has anything of it."""
        return not self.users and not self._line.locked() and self._share.deadline_ms() == inf

    # -- reading

    def next_offset(self) -> int | None:
        """Where to read from; None while nothing may be acquired."""
        self._share.trim(self.partition.start_offset)
        limits = self.limits()
        return self._share.next_offset() if self._share.may_acquire(limits) else None

    def has_more(self) -> bool:
        """Whether something may be acquired now."""
        offset = self.next_offset()
        return offset is not None and offset < self.partition.high_watermark

    def acquire(
        self,
        wish: Wish,
        batches: Sequence[tuple[int, int]],
        aborted: Sequence[tuple[int, int]],
    ) -> list[Acquired]:
        """Give a member some of what was read from `next_offset` just now; records of `aborted` ranges are
        for nobody."""
        share = self._share
        found = share.acquire(wish, batches, self.limits(), self._clock.monotonic_ms())
        if found and aborted:
            share.archive(aborted)
            found = without(found, aborted)
        self._arm()
        return found

    def on_change(self, callback: Callable[[], None]) -> Cancel:
        """Be told once when there is more to acquire; then, when that was looked at, `pass_on` is due."""
        self._waiter_ids += 1
        number = self._waiter_ids
        self._waiters[number] = callback
        return lambda: self._waiters.pop(number, None) and None

    def _changed(self) -> None:
        if self._waiters:
            self._untold = deque(self._waiters)
            self.pass_on()

    def pass_on(self) -> None:
        """Tell the next one who waits, if there is something left for him."""
        if not self._untold or not self.has_more():
            return
        while self._untold:
            callback = self._waiters.get(self._untold.popleft())
            if callback is not None:
                callback()
                return

    # -- changes

    async def acknowledge(self, member: str, batches: Sequence[Acknowledgement]) -> None:
        """Take in what a member says of its records; KafkaFault, and then nothing has changed."""
        await self._change(
            lambda share: share.decide(member, batches, self.limits(), self._clock.monotonic_ms())
        )

    async def release(self, member: str) -> None:
        """Give back all that a member has."""
        await self._change(lambda share: share.released(member, self.limits()))

    async def _change(self, decide: Callable[[SharePartition], list[Change]]) -> None:
        async with self._line:
            share = self._share
            share.trim(self.partition.start_offset)
            changes = decide(share)
            if not changes:
                return
            spans = [
                Span(first, stop - 1, Delivery(held.state, held.delivered))
                for first, stop, held in changes
                if held.state is not RecordState.ACQUIRED
            ]
            if spans:
                start, done_count = share.after(changes)
                await self._state_log.update(self.key, self.partition.leader_epoch, start, done_count, spans)
            share.apply(changes)
        self._arm()
        self._changed()

    # -- locks

    def _arm(self) -> None:
        """See to it that the next lock is let go of when it is over."""
        due_ms = self._share.deadline_ms()
        if due_ms < self._timer_ms:
            self._set_timer(due_ms)

    def _set_timer(self, due_ms: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ms = due_ms
        delay_ms = max(due_ms - self._clock.monotonic_ms(), 0.0)
        self._timer = asyncio.get_running_loop().call_later(delay_ms / 1000.0, self._ring)

    def _ring(self) -> None:
        self._timer, self._timer_ms = None, inf
        self._expiring = asyncio.get_running_loop().create_task(self._expire())

    async def _expire(self) -> None:
        try:
            await self._change(lambda share: share.expired(self.limits(), self._clock.monotonic_ms()))
        except KafkaFault as fault:
            log.warning("share group %s, %s: %s", self.key.group, self.partition.name, fault)
            self._set_timer(self._clock.monotonic_ms() + RETRY_MS)
        else:
            self._arm()


def _window_of(kept: Kept) -> Window[Held]:
    assert kept.window is not None
    window: Window[Held] = Window(kept.window.start)
    for _, stop, (state, delivered) in kept.window.runs():
        window.extend(stop, Held(state, delivered))
    return window


def without(found: Sequence[Acquired], ranges: Sequence[tuple[int, int]]) -> list[Acquired]:
    """What was acquired, without the records of some ranges [first, stop), which are in order."""
    left = []
    for first, last, delivered in found:
        begin = first
        for start, stop in ranges:
            if stop <= begin or start > last:
                continue
            if start > begin:
                left.append(Acquired(begin, start - 1, delivered))
            begin = stop
        if begin <= last:
            left.append(Acquired(begin, last, delivered))
    return left
