"""The record batch header: what a log's engine reads and stamps without looking at a record.

State   none
Source  Apache Kafka, "Record Batch" (magic 2), KIP-98; CRC-32C: RFC 3720 appendix B.4
Absent  magic 0 and 1: refused, as Kafka does since 4.0

The fields, at their byte offsets. The checksum covers everything from `attributes` on, so that whoever
assigns offsets writes the first sixteen bytes anew and leaves the checksum alone.

    0 base_offset i64   8 length i32   12 leader_epoch i32   16 magic i8   17 crc u32
    21 attributes i16   23 last_offset_delta i32   27 base_timestamp i64   35 max_timestamp i64
    43 producer_id i64   51 producer_epoch i16   53 base_sequence i32   57 records_count i32   61 records

`length` counts what follows it: a batch is length + 12 bytes.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

import google_crc32c

from cloudlet.kernel.fault import ProtocolError

HEADER_BYTES = 61
LENGTH_STOP = 12  # where `length` begins to count
CRC_START = 21
STAMP_BYTES = 16
MAGIC = 2
APPEND_BYTES_MAX = 64 << 20
"""The most that one append takes, so that one read can always hold what one append wrote. Kafka's default for
a batch is 1 MiB; whoever serves a topic checks its own, lower bound first."""
SPAN_MAX = (1 << 31) - 1
"""The most offsets that one append takes: an index entry is relative, in 31 bits, to its segment's base."""

FRONT = Struct(">qiibIhi")  # base_offset … last_offset_delta
STAMP = Struct(">qii")  # base_offset, length, leader_epoch
MAX_TIMESTAMP = Struct(">q")
MAX_TIMESTAMP_AT = 35
HEADER = Struct(">qiibIhiqqqhii")


class Header(NamedTuple):
    """The fields of one batch, in the order of the wire."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records_count: int

    @property
    def size_bytes(self) -> int:
        return self.length + LENGTH_STOP

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1


Mark = tuple[int, int]
"""Where a batch begins: (base offset, position in bytes)."""


def header(batches: bytes, position: int = 0) -> Header:
    """The header of the batch at `position`; ProtocolError for fewer than 61 bytes or another magic."""
    if len(batches) - position < HEADER_BYTES:
        raise ProtocolError(f"{len(batches) - position} bytes hold no record batch header")
    found = Header(*HEADER.unpack_from(batches, position))
    if found.magic != MAGIC or found.length < HEADER_BYTES - LENGTH_STOP:
        raise ProtocolError(f"magic {found.magic}, length {found.length}: not a record batch of magic 2")
    return found


def stamp(batches: bytes, offset: int, epoch: int) -> tuple[bytes, int, list[Mark]]:
    """Check whole batches and give them consecutive offsets from `offset` on, and the epoch.

    Returns the stamped bytes, the offset after the last one, and the beginnings of the second batch and
    those that follow. ProtocolError for anything that is not whole, checksummed batches, or over the bounds.
    """
    size = len(batches)
    if not HEADER_BYTES <= size <= APPEND_BYTES_MAX:
        raise ProtocolError(f"an append of {size} bytes; {HEADER_BYTES} to {APPEND_BYTES_MAX} make sense")
    _, length, _, magic, crc, _, last_delta = FRONT.unpack_from(batches)
    if length + LENGTH_STOP != size:
        return _stamp_many(batches, offset, epoch)
    if magic != MAGIC or google_crc32c.value(batches[CRC_START:]) != crc or last_delta < 0:
        _refuse(magic, last_delta)
    return STAMP.pack(offset, length, epoch) + batches[STAMP_BYTES:], offset + last_delta + 1, []


def _stamp_many(batches: bytes, offset: int, epoch: int) -> tuple[bytes, int, list[Mark]]:
    stamped = bytearray(batches)
    marks: list[Mark] = []
    position, next_offset = 0, offset
    while position < len(batches):
        size = checked_size(batches, position)
        STAMP.pack_into(stamped, position, next_offset, size - LENGTH_STOP, epoch)
        if position:
            marks.append((next_offset, position))
        next_offset += FRONT.unpack_from(batches, position)[6] + 1
        position += size
    if next_offset - offset > SPAN_MAX:
        raise ProtocolError(f"an append of {next_offset - offset} offsets, at most {SPAN_MAX}")
    return bytes(stamped), next_offset, marks


def checked_size(batches: bytes, position: int = 0) -> int:
    """The size of the batch at `position`, its checksum verified; ProtocolError if it is not whole and
    right."""
    left = len(batches) - position
    if left < HEADER_BYTES:
        raise ProtocolError(f"{left} bytes left over: not a whole record batch")
    _, length, _, magic, crc, _, last_delta = FRONT.unpack_from(batches, position)
    size: int = length + LENGTH_STOP
    if not HEADER_BYTES <= size <= left:
        raise ProtocolError(f"a batch of {size} bytes where {left} are left: not a whole record batch")
    body = batches[position + CRC_START : position + size]
    if magic != MAGIC or google_crc32c.value(body) != crc or last_delta < 0:
        _refuse(magic, last_delta)
    return size


def _refuse(magic: int, last_delta: int) -> None:
    if magic != MAGIC:
        raise ProtocolError(f"a record batch of magic {magic}; only magic {MAGIC} is served")
    if last_delta < 0:
        raise ProtocolError(f"a record batch with last offset delta {last_delta}")
    raise ProtocolError("a record batch fails its checksum")


def whole_bytes(buffer: bytes) -> int:
    """How many bytes of the buffer's front are whole batches (by their lengths): the rest is a cut one, as a
    fetch may end with."""
    position, stop = 0, len(buffer)
    while stop - position >= HEADER_BYTES:
        length = header(buffer, position).length
        if length + LENGTH_STOP > stop - position:
            break
        position += length + LENGTH_STOP
    return position


def end_offset(batches: bytes) -> int:
    """The offset that follows the last of whole batches."""
    position, following, size = 0, 0, len(batches)
    while position < size:
        base, length, _, _, _, _, delta = FRONT.unpack_from(batches, position)
        following = base + delta + 1
        position += length + LENGTH_STOP
    return following
