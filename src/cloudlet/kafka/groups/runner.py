"""Runs one partition of __consumer_offsets: loads its state, writes what is decided, wakes what is due.

State   the partition's log; in memory its state (shard.py), and the deadlines of its groups
Source  Apache Kafka 4.3, the coordinator runtime
Absent  none

Theory of operation
    Decisions on a partition stand in line. One at a time decides on the state, has its records appended, and
    replays them; nobody else sees the state in between. The state is always that of the log up to `applied`:
    what others append there, which is the markers of transactions, is read and replayed before the next
    decision.

    A partition is loaded in slices, a loop turn each. Whoever asks meanwhile is told to come again, after a
    short wait in which most loads are done.

    Deadlines are a heap of (when, group) that is not tidied when a heartbeat moves one: the entry comes due,
    the group is asked anew, and put back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from heapq import heappop, heappush
from math import inf
from typing import TypeVar

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.classic import ClassicGroup
from cloudlet.kafka.groups.classic_values import Answer
from cloudlet.kafka.groups.consumer import ConsumerGroup
from cloudlet.kafka.groups.consumer_values import Topics
from cloudlet.kafka.groups.log_replay import LogReplay
from cloudlet.kafka.groups.records import (
    ClassicEntry,
    Entry,
    OffsetEntry,
    encode_entry,
)
from cloudlet.kafka.groups.shard import Group, Settings, Shard
from cloudlet.kafka.log_loading import Loading
from cloudlet.kafka.partition import Partition
from cloudlet.kafka.share.group import ShareGroup
from cloudlet.kafka.turns import Turn
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import StoreError
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import NO_PRODUCER, TRANSACTIONAL, Producer, Record

log = logging.getLogger(__name__)

ENTRIES_MAX = 300  # of one append: it takes a few milliseconds, and stays below max.message.bytes
RETRY_MS = 100.0  # after a write that failed, before what is due is tried again

T = TypeVar("T")

# What a client is told where its group could not be written, for what the log said.
_REFUSALS = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.REQUEST_TIMED_OUT: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER: ErrorCode.NOT_COORDINATOR,
    ErrorCode.KAFKA_STORAGE_ERROR: ErrorCode.NOT_COORDINATOR,
    ErrorCode.MESSAGE_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.RECORD_LIST_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
}


class Runner:
    """One partition at work."""

    def __init__(self, partition: Partition, settings: Settings, topics: Topics, clock: Clock) -> None:
        self.partition = partition
        self.shard = Shard(settings, clock)
        self.topics = topics
        self.clock = clock
        self._replay = LogReplay(partition, self.shard)
        self._lock = asyncio.Lock()
        self._due: list[tuple[float, str]] = []
        self._scheduled: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = inf
        self._tasks: set[asyncio.Task[None]] = set()
        self._loading = Loading(partition.name, self._replay.replay_slice, self._loaded)

    async def close(self) -> None:
        """Stop, and tell who waits to look for another coordinator."""
        if self._timer is not None:
            self._timer.cancel()
        await self._loading.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for group in self.shard.groups.values():
            if isinstance(group, ClassicGroup):
                group.bury(ErrorCode.NOT_COORDINATOR)
                self._answer(group)

    # -- loading

    async def ready(self) -> Shard:
        """The state, once loaded; COORDINATOR_LOAD_IN_PROGRESS if that takes longer."""
        await self._loading.ready()
        if not self._lock.locked():
            self._catch_up()
        return self.shard

    async def loaded(self) -> None:
        """Wait until the state is loaded; NOT_COORDINATOR where it cannot be."""
        await self._loading.done()

    def _loaded(self) -> None:
        self._replay.is_loading = False
        self.shard.loaded()
        for group_id in self.shard.groups:
            self.schedule(group_id)

    async def _current(self) -> Shard:
        """The state of the log's end, for whoever has the lock."""
        shard = await self.ready()
        self._catch_up()
        return shard

    def _catch_up(self) -> None:
        while self._replay.replay_slice():
            pass

    # -- decisions

    async def change(
        self, decide: Callable[[Shard], tuple[T, Sequence[Entry]]], producer: Producer = NO_PRODUCER
    ) -> T:
        """Decide on the state, write what comes of it, and answer. With a producer the entries are part of
        its transaction."""
        async with self._lock:
            shard = await self._current()
            answer, entries = decide(shard)
            if entries:
                await self._append(entries, producer)
                await self._after(entries)
                for group_id in dict.fromkeys(entry.group for entry in entries):
                    if group_id in shard.groups:
                        self.schedule(group_id)
            return answer

    async def _after(self, entries: Sequence[Entry]) -> None:
        """What follows from a change of groups beside their state: sessions begin, members of a group that is
        gone are told, those of one that has become a classic group are called to join."""
        buried, self.shard.buried = self.shard.buried, []
        for old in buried:
            self._answer(old)
        now_ms = self.clock.monotonic_ms()
        for entry in entries:
            group = self.shard.groups.get(entry.group)
            if isinstance(group, ConsumerGroup):
                group.watch(now_ms, self.shard.settings.consumer(group.id).session_timeout_ms)
            elif isinstance(group, ShareGroup):
                group.watch(now_ms, self.shard.settings.share(group.id).session_timeout_ms)
            elif isinstance(entry, ClassicEntry) and entry.image and entry.image.members and group:
                group.call_to_join(now_ms)
                await self._settle(group)

    async def act(self, group_id: str, act: Callable[[ClassicGroup], T], *, is_heartbeat: bool = False) -> T:
        """Let something happen to a classic group, which is there, and have its effects done. A heartbeat
        only moves a deadline away."""
        async with self._lock:
            shard = await self._current()
            group = shard.groups.get(group_id)
            if not isinstance(group, ClassicGroup):
                raise KafkaFault(ErrorCode.UNKNOWN_MEMBER_ID)
            answer = act(group)
            await self._settle(group)
            if not is_heartbeat or group_id not in self._scheduled:
                self.schedule(group_id)
            return answer

    def beaten(self, group_id: str, member_id: str, session_timeout_ms: int) -> None:
        """A heartbeat of a consumer or share group's member was answered."""
        group = self.shard.groups.get(group_id)
        if isinstance(group, ConsumerGroup | ShareGroup):
            now_ms = self.clock.monotonic_ms()
            group.beaten(member_id, now_ms, session_timeout_ms)
            has_deadlines = isinstance(group, ConsumerGroup) and group.deadlines
            # the last: its sessions have been made shorter meanwhile
            if has_deadlines or now_ms + session_timeout_ms < self._scheduled.get(group_id, inf):
                self.schedule(group_id)

    def classic_beaten(self, group_id: str, member_id: str, *, must_act: bool | None) -> None:
        """A classic member of a consumer group has been answered: its session starts anew. It must act (join
        after a heartbeat, sync after a join) within its rebalance timeout, or (False) has acted."""
        group = self.shard.groups.get(group_id)
        if not isinstance(group, ConsumerGroup) or member_id not in group.members:
            return
        now_ms = self.clock.monotonic_ms()
        side = group.members[member_id].classic
        group.sessions[member_id] = now_ms + (side.session_timeout_ms if side else 0)
        if must_act is False:
            group.deadlines.pop(member_id, None)
        elif must_act:
            group.must_act(member_id, now_ms)
        self.schedule(group_id)

    async def _settle(self, group: ClassicGroup) -> None:
        """Do what a group has asked for, in order."""
        while effects := group.take():
            for effect in effects:
                if isinstance(effect, Answer):
                    _resolve(effect)
                    continue
                error = ErrorCode.NONE
                try:
                    await self._append([ClassicEntry(group.id, effect.image)])
                except KafkaFault as fault:
                    error = fault.code
                if effect.then is not None:
                    effect.then(error, self.clock.monotonic_ms())

    def _answer(self, group: ClassicGroup) -> None:
        for effect in group.take():
            if isinstance(effect, Answer):
                _resolve(effect)

    async def _append(self, entries: Sequence[Entry], producer: Producer = NO_PRODUCER) -> None:
        """Write entries and replay them; KafkaFault where they cannot be written, and then none is there."""
        attributes = TRANSACTIONAL if producer.id >= 0 else 0
        turn = Turn(self.clock)
        for start in range(0, len(entries), ENTRIES_MAX):
            some = entries[start : start + ENTRIES_MAX]
            if isinstance(some[0], OffsetEntry) and turn.is_over():
                await turn.end()  # offsets of thousands of partitions, each of which counts by itself
            records = []
            for entry in some:
                key, value = encode_entry(entry)
                records.append(Record(value, key))
            try:
                appended = await self.partition.append_records(
                    records, producer=producer, attributes=attributes
                )
            except KafkaFault as fault:
                raise KafkaFault(_REFUSALS.get(fault.code, fault.code), fault.message) from None
            except StoreError as error:
                log.warning("%s: %s", self.partition.name, error)
                raise KafkaFault(ErrorCode.COORDINATOR_NOT_AVAILABLE, "The log cannot be written.") from None
            if appended.base_offset != self._replay.applied:
                self._catch_up()  # a marker came in between
                continue
            for place, entry in enumerate(some):
                self.shard.replay(_placed(entry, appended.base_offset + place), producer.id)
            self._replay.applied = appended.stop_offset

    # -- deadlines

    def schedule(self, group_id: str) -> None:
        """See to it that a group is looked at when something of it is due."""
        group = self.shard.groups.get(group_id)
        if group is not None:
            self._schedule_at(group_id, group.deadline_ms())

    def _schedule_at(self, group_id: str, due_ms: float) -> None:
        if due_ms < self._scheduled.get(group_id, inf):
            self._scheduled[group_id] = due_ms
            heappush(self._due, (due_ms, group_id))
            self._arm()

    def _arm(self) -> None:
        if self._due and self._due[0][0] < self._timer_ms:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_ms = self._due[0][0]
            delay_ms = max(self._timer_ms - self.clock.monotonic_ms(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(delay_ms / 1000.0, self._ring)

    def _ring(self) -> None:
        self._timer, self._timer_ms = None, inf
        self._spawn(self._expire())

    async def _expire(self) -> None:
        async with self._lock:
            now_ms = self.clock.monotonic_ms()
            while self._due and self._due[0][0] <= now_ms:
                due_ms, group_id = heappop(self._due)
                if self._scheduled.get(group_id) != due_ms:
                    continue
                del self._scheduled[group_id]
                group = self.shard.groups.get(group_id)
                if group is None:
                    continue
                try:
                    await self._tick(group, now_ms)
                except KafkaFault as fault:
                    log.warning("group %s: %s", group_id, fault)
                    self._schedule_at(group_id, now_ms + RETRY_MS)
                self.schedule(group_id)
        self._arm()

    async def _tick(self, group: Group, now_ms: float) -> None:
        if isinstance(group, ClassicGroup):
            group.tick(now_ms)
            await self._settle(group)
            return
        gone = group.expired(now_ms)
        if gone:
            entries = self.shard.fenced(group, gone, self.topics)
            await self._append(entries)
            await self._after(entries)

    async def expire_offsets(self, retention_ms: int) -> None:
        """Forget what has expired by cloud time."""
        async with self._lock:
            shard = await self._current()
            for entries in shard.expired(retention_ms):
                await self._append(entries)

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _resolve(answer: Answer) -> None:
    waiter = answer.waiter
    assert isinstance(waiter, asyncio.Future)
    if not waiter.done():
        waiter.set_result(answer.value)


def _placed(entry: Entry, record_offset: int) -> Entry:
    """The entry as it is read back: an offset knows its record."""
    if isinstance(entry, OffsetEntry) and entry.committed is not None:
        return entry._replace(committed=entry.committed._replace(record_offset=record_offset))
    return entry
