"""One topic-partition as its leader serves it: append, read, and what is committed and stable.

State   the partition's log (kernel/partition_logs.py); the rest is derived from it and forgotten with the
        object: producers, high watermark, waiters
Source  Apache Kafka 4.3, UnifiedLog, core/.../cluster/Partition; KIP-98, KIP-101, KIP-966
Absent  followers (kafka/replicas.py)

Theory of operation
    Offsets of a partition, from its start to its stop:

        start ........ last stable ........ high watermark ........ stop
              read_committed       read_uncommitted       not yet committed

    An append is checked (batch_checks.py, producers.py), stamped with its offsets and the leader's epoch in
    place, and written by one call; nothing suspends so far, but where records have to be looked at (they need
    keys in a compacted topic), or brought into the topic's codec (recompression.py): that comes before
    producers are asked about. With `flush.messages` the
    log is synced then, and the high watermark stays below what is not synced yet: no reader sees what its
    writer was not promised. A sync that fails does not move it; a later one does, which covers all before it.
    A write of acks=all waits for the high watermark; all others return at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple, Self

from cloudlet.kafka.batch_checks import Batch, Origin, check_batches, check_records, checksum, doubtful
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_settings import INT64_MAX, LogSettings
from cloudlet.kafka.partition_reading import Fetched, Isolation, PartitionReading
from cloudlet.kafka.producers import Ended, Kept, Producers, after
from cloudlet.kafka.recompression import in_codec
from cloudlet.kafka.replay import replay
from cloudlet.kafka.turns import Turn, in_turns
from cloudlet.kernel.batches import CRC_START, LENGTH_STOP, STAMP
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import OutOfRange, StoreError
from cloudlet.kernel.logs import LogName
from cloudlet.kernel.partition_logs import Aborted, Bytes, Mark, PartitionLogs
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import CONTROL, LOG_APPEND_TIME, NO_PRODUCER, TRANSACTIONAL, Record, encode
from cloudlet.wire.kafka.records import Producer as Writer

ACKS_ALL = -1
REPLAYED_BYTES_MAX = 32 << 20
"""What a restart may have to replay of a partition, besides what was not synced: some 20 ms."""
__all__ = ["Appended", "Fetched", "Isolation", "Origin", "Partition"]

_CRC = Struct(">I")
_CRC_AT = 17
_TIMES = Struct(">h")
_ATTRIBUTES_AT = 21
_MAX_TIMESTAMP = Struct(">q")
_MAX_TIMESTAMP_AT = 35
_MARKER_KEY = Struct(">hh")  # version, type
_MARKER_VALUE = Struct(">hi")  # version, coordinator epoch
ABORT, COMMIT = 0, 1


class Appended(NamedTuple):
    """Where an append went: its offsets [base, stop), the time that it was given (-1: its records keep their
    own), the log's start. A retry gets what its first try got."""

    base_offset: int
    stop_offset: int
    append_time_ms: int
    start_offset: int
    is_retry: bool = False


class Partition(PartitionReading):
    """The leader's view."""

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
        super().__init__(logs, topic, index, settings, clock, broker_id=broker_id)
        self._unsynced = 0  # messages since the last sync
        self._unsnapped_bytes = 0
        self._flush_timer: asyncio.TimerHandle | None = None

    @classmethod
    def open(
        cls,
        logs: PartitionLogs,
        log_name: LogName,
        topic: str,
        index: int,
        topic_id: bytes,
        settings: LogSettings,
        clock: Clock,
        *,
        broker_id: int = 1,
        leader_epoch: int = 0,
        high_watermark: int | None = None,
    ) -> Self:
        """Open the log, made if there is none, and lead it. `high_watermark` is the checkpointed one, which
        counts only with followers. The epoch is the log's, if that one is higher: a checkpoint was brought
        back."""
        partition = cls(logs, topic, index, settings, clock, broker_id=broker_id)
        log = partition._log = logs.open(log_name, topic_id, settings.options(), partition.producers.encode)
        replay(log, partition.producers)
        partition._high_watermark = log.stop if high_watermark is None else min(high_watermark, log.stop)
        partition.producers.settle(partition._high_watermark)
        partition._stable = log.start
        partition.lead(max(leader_epoch, log.epoch))
        return partition

    def close(self) -> None:
        """Let go of the log; what a restart would have to replay is kept small."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        self._callbacks.clear()
        self._logs.release(self._log)

    def configure(self, settings: LogSettings) -> None:
        """The topic's configuration has changed."""
        self.settings = settings
        self._log.options = settings.options()
        self._advance()

    def lead(self, epoch: int) -> None:
        """Lead in an epoch from the log's stop on."""
        self._log.begin_epoch(epoch)
        self.leader_epoch = epoch
        self._advance()

    # Appending

    async def append(
        self,
        batches: Bytes,
        *,
        acks: int = 1,
        origin: Origin = Origin.CLIENT,
        timeout_ms: float = 30_000,
        produce_version: int = 9,
        is_verified: bool | None = None,
    ) -> Appended:
        """Append batches as they came; they are patched where they lie, if they may be written. KafkaFault
        for what Kafka refuses, StoreError where the disk does. `is_verified`: whether the coordinator was
        asked just now about the transaction of a transactional batch; None where it need not be."""
        if acks == ACKS_ALL:
            self._check_in_sync(ErrorCode.NOT_ENOUGH_REPLICAS)
        now_ms = self._clock.wall_ms()
        settings = self.settings
        found: Sequence[Batch] = check_batches(
            batches,
            settings,
            origin=origin,
            now_ms=now_ms,
            partition=self.name,
            produce_version=produce_version,
        )
        for batch in doubtful(found, settings, origin=origin, now_ms=now_ms):
            steps = check_records(batches, batch, settings, origin=origin, now_ms=now_ms, partition=self.name)
            await in_turns(steps, Turn(self._clock))
        if settings.codec is not None:
            batches, found = await in_codec(batches, found, settings, self._clock, self.name)
        if found[0].producer_id >= 0 or len(found) > 1:
            is_client = origin is Origin.CLIENT
            kept = _check_producers(self.producers, found, is_client=is_client, is_verified=is_verified)
            if kept is not None:
                return await self._retried(kept, acks, timeout_ms)
        appended = self._write(batches, found, now_ms)
        if self._unsynced >= settings.flush_messages or settings.flush_ms < INT64_MAX:
            await self._flush(appended)
        self._advance()
        if acks == ACKS_ALL and self._high_watermark < appended.stop_offset:
            await self._wait_committed(appended.stop_offset, timeout_ms)
        return appended

    async def append_records(
        self, records: Sequence[Record], *, producer: Writer = NO_PRODUCER, attributes: int = 0
    ) -> Appended:
        """Encode records as one batch and append it: what coordinators write to their topics. A record
        without a time (0) gets the present one. With a producer, `attributes` says whether it is a
        transaction's."""
        now_ms = self._clock.wall_ms()
        timed = [
            record if record.timestamp_ms else record._replace(timestamp_ms=now_ms) for record in records
        ]
        batch = encode(timed, producer=producer, attributes=attributes)
        return await self.append(batch, acks=ACKS_ALL, origin=Origin.COORDINATOR)

    async def append_marker(
        self,
        producer_id: int,
        producer_epoch: int,
        *,
        is_commit: bool,
        coordinator_epoch: int,
        transaction_version: int = 1,
    ) -> Appended:
        """End a producer's transaction here, by a control batch; KafkaFault where a newer producer or
        coordinator has been here. One that has no transaction here is no error: the marker is written."""
        self._check_in_sync(ErrorCode.NOT_ENOUGH_REPLICAS)
        self.producers.check_marker(producer_id, producer_epoch, coordinator_epoch, transaction_version)
        now_ms = self._clock.wall_ms()
        marker = encode(
            [
                Record(
                    _MARKER_VALUE.pack(0, coordinator_epoch),
                    _MARKER_KEY.pack(0, COMMIT if is_commit else ABORT),
                    now_ms,
                )
            ],
            producer=Writer(producer_id, producer_epoch, -1),
            attributes=CONTROL | TRANSACTIONAL,
        )
        batch = Batch(0, len(marker), CONTROL, 1, now_ms, now_ms, -1, -1, -1)
        appended = self._write(marker, [batch], now_ms)
        ended = self.producers.end(
            producer_id, producer_epoch, coordinator_epoch, appended.base_offset, now_ms, is_commit=is_commit
        )
        if ended is not None and not is_commit:
            self._log.note_aborted(_aborted(ended))
        if self._unsynced >= self.settings.flush_messages:
            await self._flush(appended)
        self._advance()
        if self._high_watermark < appended.stop_offset:
            await self._wait_committed(appended.stop_offset, 30_000)
        return appended

    async def _retried(self, kept: Kept, acks: int, timeout_ms: float) -> Appended:
        """What the first try got. It may have been refused because it could not be synced: that has to be
        made up for, or is refused again."""
        self._log.check()
        if self._syncing and self._syncing[0] <= kept.last_offset:
            await self._sync()
            self._advance()
        append_ms = kept.timestamp_ms if self.settings.is_log_append_time else -1
        start, stop = kept.first_offset, kept.last_offset + 1
        retry = Appended(start, stop, append_ms, self._log.start, is_retry=True)
        if acks == ACKS_ALL and self._high_watermark < retry.stop_offset:
            await self._wait_committed(retry.stop_offset, timeout_ms)
        return retry

    def _write(self, data: Bytes, found: Sequence[Batch], now_ms: int) -> Appended:
        """Stamp the batches, write them, and remember their producers."""
        log, epoch = self._log, self.leader_epoch
        base = offset = log.stop
        if isinstance(data, bytes) or (isinstance(data, memoryview) and data.readonly):
            data = bytearray(data)
        append_ms = now_ms if self.settings.is_log_append_time else -1
        marks: list[Mark] = []
        for batch in found:
            position, timestamp_ms = batch.position, batch.max_timestamp_ms
            if append_ms >= 0:
                _give_time(data, batch, append_ms)
                timestamp_ms = append_ms
            STAMP.pack_into(data, position, offset, batch.size_bytes - LENGTH_STOP, epoch)
            offset += batch.records_count
            marks.append(Mark(position, offset - 1, timestamp_ms))
        stop = position + batch.size_bytes
        log.append(data if stop == len(data) else memoryview(data)[:stop], marks, self._clock.cloud_ms)
        self._unsynced += offset - base
        self._unsnapped_bytes += stop
        if batch.producer_id >= 0 or len(found) > 1:
            first = base
            for batch in found:
                if batch.producer_id >= 0:
                    self._remember(batch, first, append_ms)
                first += batch.records_count
        if self._unsnapped_bytes > REPLAYED_BYTES_MAX:
            with contextlib.suppress(StoreError):  # no room: a restart replays more
                self.save_producers()
        return Appended(base, offset, append_ms, log.start)

    def _remember(self, batch: Batch, first: int, append_ms: int) -> None:
        sequence, count = batch.base_sequence, batch.records_count
        kept = Kept(
            sequence,
            after(sequence, count - 1) if sequence >= 0 else -1,
            first,
            first + count - 1,
            batch.max_timestamp_ms if append_ms < 0 else append_ms,
        )
        self.producers.add(
            batch.producer_id, batch.producer_epoch, kept, is_transactional=batch.is_transactional
        )

    # Syncing

    async def _flush(self, appended: Appended) -> None:
        """Sync now, or by a timer, as the topic's `flush.messages` and `flush.ms` say."""
        if self._unsynced < self.settings.flush_messages:
            if self._flush_timer is None:
                loop = asyncio.get_running_loop()
                self._flush_timer = loop.call_later(self.settings.flush_ms / 1000.0, self._flush_soon)
            return
        self._unsynced = 0
        self._syncing.append(appended.base_offset)
        await self._sync()

    async def _sync(self) -> None:
        """Sync all that was appended. Where that fails it stays unseen, and who comes next tries again."""
        stop = self._log.stop
        try:
            await self._log.settle()
        except StoreError:
            self._unsynced = max(self._unsynced, self.settings.flush_messages)
            raise
        self._syncing = [base for base in self._syncing if base >= stop]

    def _flush_soon(self) -> None:
        self._flush_timer = None
        self._unsynced = 0
        self._logs.hurry()

    def save_producers(self) -> None:
        """Write a snapshot of the producers: a restart replays what comes after it."""
        self._unsnapped_bytes = 0
        self._log.write_snapshot(self._log.stop, self.producers.encode())

    # Deleting

    async def delete_records(self, before: int) -> int:
        """Delete the records below an offset, -1 for the high watermark; the start from then on."""
        if not self.settings.is_deleted:
            raise KafkaFault(
                ErrorCode.POLICY_VIOLATION,
                f"Records of partition {self.name} can not be deleted due to the configured policy",
            )
        stop = self._high_watermark if before == -1 else before
        if not 0 <= stop <= self._high_watermark:
            raise KafkaFault(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"The specified offset {stop} is above the high watermark {self._high_watermark}",
            )
        self.trim(stop)
        return self._log.start

    def trim(self, start: int) -> None:
        """Move the start up, for DeleteRecords and for retention."""
        self._log.trim(start)
        self._advance()

    def truncate_fully(self, start: int) -> None:
        """Delete everything, and go on at `start`."""
        self._log.truncate_fully(start)
        self._syncing.clear()
        replay(self._log, self.producers)
        self._high_watermark = start
        self._advance()

    def truncate(self, stop: int) -> None:
        """Cut the log to what the leader of a later epoch has; producers are what they were then."""
        try:
            self._log.truncate(stop)
        except OutOfRange:
            self._log.truncate_fully(stop)
        self._syncing = [base for base in self._syncing if base < self._log.stop]
        replay(self._log, self.producers)
        self.cleaned_to = min(self.cleaned_to, self._log.stop)
        self._high_watermark = min(self._high_watermark, self._log.stop)
        self.producers.settle(self._high_watermark)
        self._advance()


def _check_producers(
    producers: Producers, found: Sequence[Batch], *, is_client: bool, is_verified: bool | None
) -> Kept | None:
    """Whether batches may be appended by what is known of their producers; the first try, if this is a
    retry."""
    for batch in found:
        producer_id = batch.producer_id
        if producer_id < 0:
            continue
        if not is_client:
            producers.check_epoch(producer_id, batch.producer_epoch)
            continue
        kept = producers.check(
            producer_id,
            batch.producer_epoch,
            batch.base_sequence,
            batch.records_count,
            is_transactional=batch.is_transactional,
            is_verified=is_verified,
        )
        if kept is not None:
            return kept
    return None


def _give_time(data: bytearray | memoryview, batch: Batch, append_ms: int) -> None:
    """LogAppendTime: the batch's time is the broker's, and its checksum another."""
    position = batch.position
    _TIMES.pack_into(data, position + _ATTRIBUTES_AT, batch.attributes | LOG_APPEND_TIME)
    _MAX_TIMESTAMP.pack_into(data, position + _MAX_TIMESTAMP_AT, append_ms)
    value = checksum(data, position + CRC_START, position + batch.size_bytes)
    _CRC.pack_into(data, position + _CRC_AT, value)


def _aborted(ended: Ended) -> Aborted:
    return Aborted(ended.producer_id, ended.first_offset, ended.last_offset, ended.last_stable_offset)
