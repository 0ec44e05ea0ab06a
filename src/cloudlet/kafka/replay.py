"""Rebuilds what a partition remembers of its producers from its log.

State   none
Source  Apache Kafka 4.3, UnifiedLog.rebuildProducerState, ProducerStateManager.truncateAndReload
Absent  none

From the newest snapshot that can be read the batches behind it are gone through, headers only, but for the
markers of transactions. Those that aborted one are entered into the index of aborted transactions anew: the
marker may have been written, and the entry not.
"""

from __future__ import annotations

import logging
from struct import Struct

from cloudlet.kafka.producers import Kept, Producers, after
from cloudlet.kafka.record_reader import read_records
from cloudlet.kernel.batches import Header, header
from cloudlet.kernel.fault import ProtocolError
from cloudlet.kernel.partition_logs import Aborted, PartitionLog
from cloudlet.wire.kafka.records import CONTROL, TRANSACTIONAL

_MARKER_KEY = Struct(">hh")
_MARKER_VALUE = Struct(">hi")
_ABORT, _COMMIT = 0, 1

logger = logging.getLogger(__name__)


def replay(log: PartitionLog, producers: Producers) -> None:
    """Make the producers what they are at the log's stop."""
    producers.clear()
    offset = 0
    for snapshot in reversed(log.snapshots()):
        if snapshot > log.stop:
            continue
        try:
            producers.load(log.read_snapshot(snapshot))
        except (ProtocolError, OSError) as error:
            logger.warning("%s: the snapshot at %d is not read: %s", log.name, snapshot, error)
            log.drop_snapshot(snapshot)
            continue
        offset = snapshot
        break
    log.forget_aborted(offset)
    for batches in log.replay(offset):
        position = 0
        while position < len(batches):
            found = header(batches, position)
            if found.producer_id >= 0 and found.base_offset >= offset:
                take(log, producers, found, batches, position)
            position += found.size_bytes


def take(log: PartitionLog, producers: Producers, found: Header, batches: bytes, position: int) -> None:
    """One batch of a producer."""
    last = found.next_offset - 1
    if not found.attributes & CONTROL:
        sequence = found.base_sequence
        kept = Kept(
            sequence,
            after(sequence, found.last_offset_delta) if sequence >= 0 else -1,
            found.base_offset,
            last,
            found.max_timestamp_ms,
        )
        is_transactional = bool(found.attributes & TRANSACTIONAL)
        producers.add(found.producer_id, found.producer_epoch, kept, is_transactional=is_transactional)
        return
    for record in read_records(batches, position):  # at most one: compaction may have taken it out
        _, kind = _MARKER_KEY.unpack_from(record.key or b"\0\0\xff\xff")
        if kind not in (_ABORT, _COMMIT):
            continue
        _, coordinator_epoch = _MARKER_VALUE.unpack_from(record.value or bytes(6))
        ended = producers.end(
            found.producer_id,
            found.producer_epoch,
            coordinator_epoch,
            found.base_offset,
            record.timestamp_ms,
            is_commit=kind == _COMMIT,
        )
        if ended is not None and not ended.is_commit:
            stable = ended.last_stable_offset
            log.note_aborted(Aborted(ended.producer_id, ended.first_offset, ended.last_offset, stable))
