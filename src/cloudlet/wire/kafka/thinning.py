"""A batch from which records were taken out, or whose delete horizon was set, by compaction.

State   none
Source  Apache Kafka 4.3, MemoryRecords.filterTo, DefaultRecordBatch.writeEmptyHeader; KIP-534
Absent  none

The offsets stay: the base offset, the last offset, and each record's own. So do the producer's id, epoch and
sequence. With a delete horizon the base timestamp is the horizon, and the records' times count from there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from struct import Struct

import google_crc32c

from cloudlet.kernel.batches import HEADER_BYTES, LENGTH_STOP, MAGIC, Header
from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka.records import CODEC_MASK, varint

DELETE_HORIZON = 1 << 6
_FRONT = Struct(">qiibI")  # base_offset, length, leader_epoch, magic, crc
_BACK = Struct(">hiqqqhii")  # attributes … records_count


def thinned(
    batch: Header,
    records: Sequence[bytes],
    times_ms: Sequence[int],
    horizon_ms: int | None,
    packing: Callable[[int, bytes], Generator[None, None, bytes]],
) -> Generator[None, None, bytes]:
    """The batch with only these records (each without its length), whose times are given; with a new delete
    horizon if there is one. `packing` compresses by a codec's number. In steps."""
    attributes, base_ms = batch.attributes, batch.base_timestamp_ms
    if horizon_ms is not None:
        attributes |= DELETE_HORIZON
        records = [
            _retimed(record, time - horizon_ms) for record, time in zip(records, times_ms, strict=True)
        ]
        base_ms = horizon_ms
    if not records:
        base_ms = batch.max_timestamp_ms
        attributes &= ~DELETE_HORIZON
    body = b"".join(varint(len(record)) + record for record in records)
    if attributes & CODEC_MASK and records:
        body = yield from packing(attributes & CODEC_MASK, body)
    else:
        attributes &= ~CODEC_MASK
    back = _BACK.pack(
        attributes,
        batch.last_offset_delta,
        base_ms,
        max(times_ms, default=batch.max_timestamp_ms),
        batch.producer_id,
        batch.producer_epoch,
        batch.base_sequence,
        len(records),
    )
    back += body
    front = _FRONT.pack(
        batch.base_offset,
        HEADER_BYTES - LENGTH_STOP + len(body),
        batch.leader_epoch,
        MAGIC,
        google_crc32c.value(back),
    )
    return front + back


def _retimed(record: bytes, delta: int) -> bytes:
    """A record whose time is `delta` from its batch's: attributes, then the old delta, then the rest."""
    at = 1
    while record[at] & 0x80:
        at += 1
        if at >= len(record):
            raise ProtocolError("a record ends within its timestamp")
    return record[:1] + varint(delta) + record[at + 1 :]
