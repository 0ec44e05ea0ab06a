"""What a partition shows: offsets, batches, times, epochs, producers.

State   derived from the log, see kafka/partition.py
Source  Apache Kafka 4.3, UnifiedLog.read, core/.../cluster/Partition; KIP-101, KIP-279, KIP-595, KIP-734
Absent  none
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.producers import Producer, Producers
from cloudlet.kafka.replicas import Replicas
from cloudlet.kafka.seeking import Found, first_at, first_of_time
from cloudlet.kafka.turns import Steps
from cloudlet.kernel.batches import end_offset
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.partition_logs import PartitionLog, PartitionLogs, cut_at, cut_to
from cloudlet.wire.kafka.error_codes import ErrorCode

NO_EPOCH = -1


class Isolation(IntEnum):
    """What a reader sees; the numbers are the protocol's, but the last one's."""

    READ_UNCOMMITTED = 0
    READ_COMMITTED = 1
    LOG_END = 2  # a follower


class Fetched(NamedTuple):
    """What a read found."""

    records: bytes
    high_watermark: int
    last_stable_offset: int
    start_offset: int
    aborted: Sequence[tuple[int, int]] | None  # (producer, first offset); None but for read_committed


class PartitionReading:
    """The half of a partition that changes nothing but what is committed."""

    __slots__ = (
        "_callback_ids",
        "_callbacks",
        "_clock",
        "_high_watermark",
        "_log",
        "_logs",
        "_stable",
        "_syncing",
        "cleaned_to",
        "index",
        "leader_epoch",
        "name",
        "producers",
        "replicas",
        "settings",
        "topic",
    )

    def __init__(
        self,
        logs: PartitionLogs,
        topic: str,
        index: int,
        settings: LogSettings,
        clock: Clock,
        *,
        broker_id: int = 1,
    ) -> None:
        self.topic = topic
        self.index = index
        self.name = f"{topic}-{index}"
        self.settings = settings
        self.producers = Producers()
        self.replicas = Replicas(broker_id)
        self.leader_epoch = 0
        self.cleaned_to = 0  # compaction goes on here
        self._clock = clock
        self._logs = logs
        self._log: PartitionLog
        self._high_watermark = 0
        self._stable = 0
        self._syncing: list[int] = []  # where the appends begin that are to be synced yet, in order
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._callback_ids = 0

    # What it is

    @property
    def topic_id(self) -> bytes:
        return self._log.topic_id

    @property
    def log(self) -> PartitionLog:
        """Its log, for its upkeep."""
        return self._log

    @property
    def start_offset(self) -> int:
        return self._log.start

    @property
    def stop_offset(self) -> int:
        return self._log.stop

    @property
    def high_watermark(self) -> int:
        return self._high_watermark

    @property
    def last_stable_offset(self) -> int:
        unstable = self.producers.first_unstable
        if unstable is None or unstable >= self._high_watermark:
            return self._high_watermark
        return max(unstable, self._log.start)

    @property
    def size_bytes(self) -> int:
        return self._log.size_bytes

    def check_leader_epoch(self, epoch: int) -> None:
        """Refuse a client whose metadata is older or newer than ours; -1 for one that does not say."""
        if epoch in (NO_EPOCH, self.leader_epoch):
            return
        code = ErrorCode.FENCED_LEADER_EPOCH if epoch < self.leader_epoch else ErrorCode.UNKNOWN_LEADER_EPOCH
        raise KafkaFault(code, f"leader epoch {epoch}, {self.name} is in {self.leader_epoch}")

    # What is committed

    def _advance(self) -> None:
        """Move the high watermark up to what is committed by now, and tell."""
        committed = self._log.stop if not self._syncing else self._syncing[0]
        if not self.replicas.is_alone:
            committed = self.replicas.committed(committed, self.settings.min_insync_replicas)
        producers = self.producers
        is_moved = committed > self._high_watermark
        if is_moved:
            self._high_watermark = committed
            if producers.is_unstable:
                producers.settle(committed)
        stable = self.last_stable_offset if producers.is_unstable else self._high_watermark
        if is_moved or stable != self._stable:
            self._stable = stable
            if self._callbacks:
                for callback in tuple(self._callbacks.values()):
                    callback()

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever the high watermark or the last stable offset has moved; the result takes that
        back."""
        self._callback_ids += 1
        number = self._callback_ids
        self._callbacks[number] = callback
        return lambda: self._callbacks.pop(number, None) and None

    def _check_in_sync(self, code: ErrorCode) -> None:
        least = self.replicas.least(self.settings.min_insync_replicas)
        if len(self.replicas.in_sync) < least:
            raise KafkaFault(
                code,
                f"The size of the current ISR {sorted(self.replicas.in_sync)} is insufficient to satisfy the "
                f"min.isr requirement of {least} for partition {self.name}",
            )

    def follower_fetched(self, replica: int, offset: int) -> None:
        """A follower asks for what follows `offset`: so far its log goes."""
        self.replicas.fetched(replica, offset)
        self._advance()

    async def _wait_committed(self, stop: int, timeout_ms: float) -> None:
        """Until the high watermark reaches `stop`."""
        done = asyncio.get_running_loop().create_future()

        def look() -> None:
            if self._high_watermark >= stop and not done.done():
                done.set_result(None)

        cancel = self.on_change(look)
        try:
            async with asyncio.timeout(timeout_ms / 1000.0):
                await done
        except TimeoutError:
            raise KafkaFault(ErrorCode.REQUEST_TIMED_OUT, f"{self.name} did not replicate in time") from None
        finally:
            cancel()
        self._check_in_sync(ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND)

    # Reading

    def read(
        self,
        offset: int,
        *,
        bytes_max: int,
        isolation: Isolation = Isolation.READ_UNCOMMITTED,
        is_first: bool = True,
    ) -> Fetched:
        """Whole batches from the one that holds `offset` on, as far as the reader may see. The first one may
        exceed `bytes_max` if it is the first of the whole response. OFFSET_OUT_OF_RANGE."""
        log = self._log
        stable = self.last_stable_offset
        if isolation is Isolation.READ_COMMITTED:
            limit = stable
        else:
            limit = self._high_watermark if isolation is Isolation.READ_UNCOMMITTED else log.stop
        if not log.start <= offset <= log.stop:
            raise KafkaFault(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"Received request for offset {offset} for partition {self.name}, but we only have log "
                f"segments from offset {log.start} up to {log.stop}.",
            )
        aborted: list[tuple[int, int]] | None = [] if isolation is Isolation.READ_COMMITTED else None
        records = b""
        if offset < limit and bytes_max >= 0:
            records = log.read(offset, bytes_max)
            if limit < log.stop:
                records = cut_at(records, limit)
            if len(records) > bytes_max:
                records = cut_to(records, bytes_max, keeps_first=is_first)
            if aborted is not None and records:
                found = log.aborted(offset, end_offset(records))
                aborted = [(entry.producer_id, entry.first_offset) for entry in found]
        return Fetched(records, self._high_watermark, stable, log.start, aborted)

    def offset_for_timestamp(
        self, timestamp_ms: int, isolation: Isolation = Isolation.READ_UNCOMMITTED
    ) -> Steps[Found | None]:
        """The first record that is not older than a time, in steps; None if there is none, or the reader may
        not see it."""
        found = yield from first_at(self._log, timestamp_ms)
        return found if found is not None and found.offset < self._visible(isolation) else None

    def offset_of_max_timestamp(
        self, isolation: Isolation = Isolation.READ_UNCOMMITTED
    ) -> Steps[Found | None]:
        """The first record with the highest timestamp (KIP-734), in steps; None for an empty log."""
        found = yield from first_of_time(self._log, *self._log.latest())
        return found if found is not None and found.offset < self._visible(isolation) else None

    def _visible(self, isolation: Isolation) -> int:
        if isolation is Isolation.READ_COMMITTED:
            return self.last_stable_offset
        return self._high_watermark if isolation is Isolation.READ_UNCOMMITTED else self._log.stop

    # Epochs

    def epoch_end(self, epoch: int) -> tuple[int, int]:
        """(epoch, end offset) of the greatest epoch that is not above the one asked for, (-1, -1) if that is
        not known: OffsetForLeaderEpoch (KIP-101, KIP-279)."""
        if epoch == self.leader_epoch:
            return epoch, self._log.stop
        epochs = self._log.epochs()
        higher = next((entry for entry in epochs if entry.epoch > epoch), None)
        if epoch < 0 or higher is None:
            return -1, -1
        floor = max((entry.epoch for entry in epochs if entry.epoch <= epoch), default=epoch)
        return floor, higher.start

    def epoch_at(self, offset: int) -> int:
        """The leader epoch in which an offset was appended; -1 for none."""
        found = [entry.epoch for entry in self._log.epochs() if entry.start <= offset]
        return found[-1] if found else -1

    def diverging(self, fetched_epoch: int, offset: int) -> tuple[int, int] | None:
        """Where a reader's log, whose last batch below `offset` is of `fetched_epoch`, parts from ours; None
        where it does not (KIP-595)."""
        if fetched_epoch < 0:
            return None
        epoch, stop = self.epoch_end(fetched_epoch)
        if epoch < 0 or stop < 0:
            raise KafkaFault(
                ErrorCode.OFFSET_OUT_OF_RANGE, f"{self.name} knows no end of leader epoch {fetched_epoch}"
            )
        return (epoch, stop) if epoch < fetched_epoch or stop < offset else None

    # Producers

    def describe_producers(self) -> list[Producer]:
        """The producers that are remembered, for DescribeProducers."""
        return list(self.producers)

    def has_open_transaction(self, producer_id: int, producer_epoch: int) -> bool:
        """Whether a producer's transaction has batches here and no marker."""
        known = self.producers.find(producer_id)
        return known is not None and known.epoch == producer_epoch and known.transaction_start >= 0

    def verify(self, producer_id: int, epoch: int, sequence: int, *, is_v2: bool) -> bool:
        """Whether the coordinator must be asked about a transactional batch before it is appended: not while
        the transaction is open here. `is_v2`: its producer speaks transactions v2. KafkaFault."""
        return self.producers.verify(producer_id, epoch, sequence, self._clock.wall_ms(), is_v2=is_v2)

    def expire_producers(self) -> None:
        """Forget the producers that have been silent for longer than producer.id.expiration.ms."""
        now_ms, expiration_ms = self._clock.cloud_ms(), self.settings.producer_id_expiration_ms
        self.producers.expire(lambda last_ms: now_ms - self._clock.cloud_at(last_ms) >= expiration_ms)
