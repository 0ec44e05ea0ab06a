"""Reads the records of one batch, decompressed where that is possible.

State   none
Source  Apache Kafka, "Record Batch" and "Record" (magic 2); KIP-98
Absent  the codecs that kafka/compression cannot read: Unreadable says so, and the caller does without
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cloudlet.kafka.compression import Unreadable, decompressing
from cloudlet.kernel.batches import HEADER_BYTES, header
from cloudlet.kernel.fault import ProtocolError
from cloudlet.kernel.partition_logs import Bytes
from cloudlet.wire.kafka.records import CODEC_MASK, LOG_APPEND_TIME

__all__ = ["RecordView", "Unreadable", "read_records", "read_slowly"]

RECORDS_A_STEP = 256


class RecordView(NamedTuple):
    """One record: `encoded` are its bytes after its length, as they are in the batch."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    encoded: bytes


def read_records(batch: Bytes, position: int = 0) -> Iterator[RecordView]:
    """The records of the batch at `position`, control records too. ProtocolError where it contradicts
    itself; Unreadable for a codec that is not read."""
    return (record for record in read_slowly(batch, position) if record is not None)


def read_slowly(batch: Bytes, position: int = 0) -> Iterator[RecordView | None]:
    """The same, for whoever must not hold the loop: None wherever others may have their turn."""
    found = header(bytes(batch[position : position + HEADER_BYTES]))
    body = bytes(batch[position + HEADER_BYTES : position + found.size_bytes])
    codec = found.attributes & CODEC_MASK
    if codec:
        body = yield from decompressing(codec, body)
    append_ms = found.max_timestamp_ms if found.attributes & LOG_APPEND_TIME else None
    at, size = 0, len(body)
    for number in range(found.records_count):
        if number % RECORDS_A_STEP == RECORDS_A_STEP - 1:
            yield None
        length, at = _varint(body, at, size)
        stop = at + length
        if length < 6 or stop > size:
            raise ProtocolError(f"a record of {length} bytes where {size - at} are left")
        start = at
        time_delta, at = _varint(body, at + 1, stop)  # past the attributes
        delta, at = _varint(body, at, stop)
        key_size, at = _varint(body, at, stop)
        key = None
        if key_size >= 0:
            if at + key_size > stop:
                raise ProtocolError(f"a key of {key_size} bytes where {stop - at} are left")
            key = body[at : at + key_size]
            at += key_size
        value_size, at = _varint(body, at, stop)
        if value_size > stop - at:
            raise ProtocolError(f"a value of {value_size} bytes where {stop - at} are left")
        timestamp_ms = found.base_timestamp_ms + time_delta if append_ms is None else append_ms
        value = body[at : at + value_size] if value_size >= 0 else None
        yield RecordView(found.base_offset + delta, timestamp_ms, key, value, body[start:stop])
        at = stop
    if at != size:
        raise ProtocolError(f"{size - at} bytes after the last record of a batch")


def _varint(buffer: bytes, position: int, stop: int) -> tuple[int, int]:
    """(number, position after it)."""
    rest = shift = 0
    while position < stop and shift < 70:
        byte = buffer[position]
        position += 1
        rest |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (rest >> 1) ^ -(rest & 1), position
        shift += 7
    raise ProtocolError("a number runs past the end of its record")
