"""Record batches of magic 2: records to bytes and back.

State   none
Source  Apache Kafka, "Record Batch" and "Record" (magic 2), KIP-98; varints: Protocol Buffers, zigzag
Absent  none

A record, every number but the attributes a zigzag varint:

    length   attributes i8 (0)   timestamp delta   offset delta   key length, key   value length, value
    headers count, then for each: key length, key, value length, value            (length -1: null)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple

import google_crc32c

from cloudlet.kernel.batches import HEADER_BYTES, LENGTH_STOP, MAGIC, Header, checked_size, header
from cloudlet.kernel.fault import ProtocolError

Headers = Sequence[tuple[str, bytes | None]]
Decoded = tuple[int, int, bytes | None, bytes | None]
"""(offset, timestamp_ms, key, value)."""

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
CODEC_MASK = 0b111
LOG_APPEND_TIME = 1 << 3
TRANSACTIONAL = 1 << 4
CONTROL = 1 << 5

_FRONT = Struct(">qiibI")  # base_offset, length, leader_epoch, magic, crc
_BACK = Struct(">hiqqqhii")  # attributes … records_count
_LENGTH_OF_EMPTY = HEADER_BYTES - LENGTH_STOP


class Producer(NamedTuple):
    """Who wrote a batch, for idempotent and transactional writes."""

    id: int = -1
    epoch: int = -1
    base_sequence: int = -1


class Record(NamedTuple):
    """A record to be encoded."""

    value: bytes | None
    key: bytes | None = None
    timestamp_ms: int = 0
    headers: Headers = ()


NO_PRODUCER = Producer()


def varint(number: int) -> bytes:
    """The zigzag varint of a signed 64-bit integer."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


_NULL = varint(-1)
NULL_BYTE = _NULL[0]
# Lengths and deltas of ordinary records, so that a small batch is encoded without a loop. 1,024 cost 0.4 ms
# at import.
_VARINTS = tuple(varint(number) for number in range(1024))


def _small(number: int) -> bytes:
    return _VARINTS[number] if 0 <= number < 1024 else varint(number)


def encode_value(value: bytes, timestamp_ms: int) -> bytes:
    """A batch of one record without key and headers: what a log of our own is mostly written with."""
    size = len(value)
    sized = (_VARINTS[size] if size < 1024 else varint(size)) + value
    # attributes, timestamp delta, offset delta, no key … no headers
    length = len(sized) + 5
    record = b"%b\0\0\0\x01%b\0" % (_VARINTS[length] if length < 1024 else varint(length), sized)
    back = _BACK.pack(0, 0, timestamp_ms, timestamp_ms, -1, -1, -1, 1) + record
    return _FRONT.pack(0, _LENGTH_OF_EMPTY + len(record), -1, MAGIC, google_crc32c.value(back)) + back


def encode_values(values: Sequence[bytes], timestamp_ms: int) -> bytes:
    """A batch of at least one record without keys and headers, all of one time."""
    parts: list[bytes] = []
    for delta, value in enumerate(values):
        size = len(value)
        body = b"\0\0%b\x01%b%b\0" % (_small(delta), _small(size), value)
        parts += (_small(len(body)), body)
    return seal(b"".join(parts), len(values), timestamp_ms, timestamp_ms)


def encode(records: Sequence[Record], *, producer: Producer = NO_PRODUCER, attributes: int = 0) -> bytes:
    """A batch of at least one record; its base timestamp is the first record's."""
    base_ms = records[0].timestamp_ms
    parts: list[bytes] = []
    for delta, record in enumerate(records):
        body = b"".join(
            (
                b"\0",
                _small(record.timestamp_ms - base_ms),
                _small(delta),
                _nullable(record.key),
                _nullable(record.value),
                _headers(record.headers) if record.headers else b"\0",
            )
        )
        parts += (_small(len(body)), body)
    highest_ms = max(record.timestamp_ms for record in records)
    return seal(b"".join(parts), len(records), base_ms, highest_ms, producer, attributes)


def seal(
    body: bytes,
    records_count: int,
    base_timestamp_ms: int,
    max_timestamp_ms: int,
    producer: Producer = NO_PRODUCER,
    attributes: int = 0,
) -> bytes:
    """A batch of encoded records: the header, checksum included, before them."""
    if records_count < 1:
        raise AssertionError("a batch has at least one record")
    back = (
        _BACK.pack(
            attributes,
            records_count - 1,
            base_timestamp_ms,
            max_timestamp_ms,
            producer.id,
            producer.epoch,
            producer.base_sequence,
            records_count,
        )
        + body
    )
    return _FRONT.pack(0, _LENGTH_OF_EMPTY + len(body), -1, MAGIC, google_crc32c.value(back)) + back


def _nullable(data: bytes | None) -> bytes:
    return _NULL if data is None else _small(len(data)) + data


def _headers(headers: Headers) -> bytes:
    parts = [_small(len(headers))]
    for name, value in headers:
        parts += (_nullable(name.encode()), _nullable(value))
    return b"".join(parts)


def decode(batches: bytes) -> Iterator[Decoded]:
    """The records of whole batches, in order. Control batches carry no data and are passed over.

    ProtocolError at the batch that is not whole, fails its checksum, is compressed, or contradicts itself;
    the batches before it have been yielded.
    """
    for found, position in _data_batches(batches):
        yield from _records(batches, position, found)


def decode_headers(batches: bytes) -> Iterator[tuple[int, tuple[tuple[str, bytes | None], ...]]]:
    """(offset, headers) of the same records."""
    for found, position in _data_batches(batches):
        start = position + HEADER_BYTES
        stop = position + found.size_bytes
        for _ in range(found.records_count):
            delta, at, start = _skip_to_headers(batches, start, stop)
            yield found.base_offset + delta, tuple(_decode_headers(batches, at, start))


def _data_batches(batches: bytes) -> Iterator[tuple[Header, int]]:
    position = 0
    while position < len(batches):
        size = checked_size(batches, position)
        found = header(batches, position)
        codec = found.attributes & CODEC_MASK
        if codec:
            name = CODECS[codec] if codec < len(CODECS) else f"number {codec}"
            raise ProtocolError(f"records compressed with {name} are not read")
        if not found.attributes & CONTROL:
            yield found, position
        position += size


def _varint(buffer: bytes, position: int, stop: int) -> tuple[int, int]:
    """(number, position after it)."""
    if stop - position > 1:  # nearly every one has one byte, or two
        byte = buffer[position]
        if byte < 0x80:
            return (byte >> 1) ^ -(byte & 1), position + 1
        second = buffer[position + 1]
        if second < 0x80:
            return (byte & 0x7F | second << 7) >> 1 ^ -(byte & 1), position + 2
    rest = shift = 0
    while position < stop and shift < 70:
        byte = buffer[position]
        position += 1
        rest |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (rest >> 1) ^ -(rest & 1), position
        shift += 7
    raise ProtocolError("a number runs past the end of its record")


def _records(buffer: bytes, position: int, found: Header) -> Iterator[Decoded]:
    base, base_ms = found.base_offset, found.base_timestamp_ms
    append_ms = found.max_timestamp_ms if found.attributes & LOG_APPEND_TIME else None
    stop = position + found.size_bytes
    start = position + HEADER_BYTES
    for _ in range(found.records_count):
        length, at = _varint(buffer, start, stop)
        end = at + length
        if length < 6 or end > stop:
            raise ProtocolError(f"a record of {length} bytes where {stop - at} are left")
        if buffer[at + 1] == 0:  # past the attributes; records of ours come with one time
            time_delta, at = 0, at + 2
        else:
            time_delta, at = _varint(buffer, at + 1, end)
        delta, at = _varint(buffer, at, end)
        key: bytes | None = None
        if at < end and buffer[at] == NULL_BYTE:
            at += 1
        else:
            size, at = _varint(buffer, at, end)
            key, at = _slice(buffer, at, size, end)
        size, at = _varint(buffer, at, end)
        value, at = _slice(buffer, at, size, end)
        yield base + delta, base_ms + time_delta if append_ms is None else append_ms, key, value
        start = end
    if start != stop:
        raise ProtocolError(f"{stop - start} bytes after the last record of a batch")


def _slice(buffer: bytes, position: int, size: int, stop: int) -> tuple[bytes | None, int]:
    if size < 0:
        return None, position
    if position + size > stop:
        raise ProtocolError(f"a field of {size} bytes where {stop - position} are left")
    return buffer[position : position + size], position + size


def _skip_to_headers(buffer: bytes, start: int, stop: int) -> tuple[int, int, int]:
    """(offset delta, position of the headers, end of the record)."""
    length, at = _varint(buffer, start, stop)
    end = at + length
    if length < 6 or end > stop:
        raise ProtocolError(f"a record of {length} bytes where {stop - at} are left")
    _, at = _varint(buffer, at + 1, end)
    delta, at = _varint(buffer, at, end)
    for _ in range(2):  # key, value
        size, at = _varint(buffer, at, end)
        _, at = _slice(buffer, at, size, end)
    return delta, at, end


def _decode_headers(buffer: bytes, at: int, end: int) -> Iterator[tuple[str, bytes | None]]:
    count, at = _varint(buffer, at, end)
    for _ in range(count):
        size, at = _varint(buffer, at, end)
        name, at = _slice(buffer, at, size, end)
        size, at = _varint(buffer, at, end)
        value, at = _slice(buffer, at, size, end)
        if name is None:
            raise ProtocolError("a record header without a key")
        yield name.decode(errors="replace"), value
    if at != end:
        raise ProtocolError(f"{end - at} bytes after the headers of a record")
