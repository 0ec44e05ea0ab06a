"""Finds records of a partition's log by their time.

State   none
Source  Apache Kafka 4.3, LogSegment.findOffsetByTimestamp, UnifiedLog.fetchOffsetByTimestamp; KIP-79, KIP-734
Absent  the record within a batch whose codec cannot be read: the batch's first (or last) stands for it
"""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.kafka.record_reader import Unreadable, read_slowly
from cloudlet.kafka.turns import Steps
from cloudlet.kernel.batches import header
from cloudlet.kernel.partition_logs import PartitionLog

READ_BYTES = 64 << 10


class Found(NamedTuple):
    """A record, and the epoch of the leader that appended it."""

    offset: int
    timestamp_ms: int
    leader_epoch: int


def first_at(log: PartitionLog, timestamp_ms: int) -> Steps[Found | None]:
    """The first record, from the log's start on, that is not older than `timestamp_ms`; in steps."""
    offset = log.offset_before(timestamp_ms)
    while offset is not None and offset < log.stop:
        batches = log.read(offset, READ_BYTES)
        position = 0
        while position < len(batches):
            batch = header(batches, position)
            offset = batch.next_offset
            if batch.max_timestamp_ms >= timestamp_ms:
                found = yield from _in_batch(batches, position, timestamp_ms, log.start)
                if found is not None:
                    return found
            position += batch.size_bytes
        yield
    return None


def first_of_time(log: PartitionLog, timestamp_ms: int, last_offset: int) -> Steps[Found | None]:
    """The first record with a timestamp in the batch that ends at `last_offset`; in steps."""
    if last_offset < 0 or not log.start <= last_offset < log.stop:
        return None
    return (yield from _in_batch(log.read(last_offset, 0), 0, timestamp_ms, log.start))


def _in_batch(batches: bytes, position: int, timestamp_ms: int, start: int) -> Steps[Found | None]:
    batch = header(batches, position)
    epoch = batch.leader_epoch
    try:
        for record in read_slowly(batches, position):
            if record is None:
                yield
            elif record.timestamp_ms >= timestamp_ms and record.offset >= start:
                return Found(record.offset, record.timestamp_ms, epoch)
    except Unreadable:
        if batch.base_timestamp_ms >= timestamp_ms:
            return Found(max(batch.base_offset, start), batch.base_timestamp_ms, epoch)
        return Found(batch.next_offset - 1, batch.max_timestamp_ms, epoch)
    return None
