"""What a broker checks of record batches before it appends them, without decoding a record where it need not.

State   none
Source  Apache Kafka 4.3, ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords, LogValidator
Absent  the keys of compressed batches in compacted topics, where the codec cannot be read (kafka/compression)

The headers are trusted where Kafka looks at the records: the highest timestamp is the header's, and so is the
number of records, as long as the bytes could hold so many. Records are decoded in compacted topics, whose
records need keys, and to name the record that a refusal is about. That takes a while, so it comes behind the
rest, in steps, and only for batches that need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

import anycrc
import google_crc32c

from cloudlet.kafka.compression import RECORDS_BYTES_MAX
from cloudlet.kafka.faults import KafkaFault, RecordError
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.record_reader import Unreadable, read_slowly
from cloudlet.kafka.turns import Steps
from cloudlet.kernel.batches import CRC_START, HEADER, HEADER_BYTES, LENGTH_STOP, MAGIC
from cloudlet.kernel.fault import ProtocolError
from cloudlet.kernel.partition_logs import Bytes
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import CODEC_MASK, CONTROL, LOG_APPEND_TIME, TRANSACTIONAL

ZSTD = 4
ZSTD_SINCE = 7  # KIP-110: the first version of Produce with zstd
COPIED_BYTES_MAX = 16 << 10  # copying less than this costs less than the slower checksum's call
RECORD_ERRORS_MAX = 3  # in the message; the list has all
NO_TIMESTAMP = -1
RECORD_BYTES_MIN = 7  # seven fields of at least a byte

_CRC32C = anycrc.Model("CRC32C")


class Origin(Enum):
    """Who appends."""

    CLIENT = auto()
    COORDINATOR = auto()  # groups and transactions, into their internal topics


class Batch(NamedTuple):
    """What counts of a batch that was checked. `position` is where it begins in the bytes."""

    position: int
    size_bytes: int
    attributes: int
    records_count: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int
    producer_epoch: int
    base_sequence: int

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL)


def checksum(data: Bytes, start: int, stop: int) -> int:
    """CRC-32C of a part; a large one is not copied for it."""
    if stop - start <= COPIED_BYTES_MAX:
        small: int = google_crc32c.value(bytes(data[start:stop]))
        return small
    found: int = _CRC32C.calc(memoryview(data)[start:stop])
    return found


_Fields = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int]


def check_batches(
    data: Bytes,
    settings: LogSettings,
    *,
    origin: Origin,
    now_ms: int,
    partition: str,
    produce_version: int = ZSTD_SINCE,
) -> list[Batch]:
    """The batches of an append, each checked; a client's append is exactly one. KafkaFault for what Kafka
    refuses. `now_ms` is wall time."""
    size = len(data)
    if size >= HEADER_BYTES:  # nearly always it is one whole batch
        fields: _Fields = HEADER.unpack_from(data)
        is_one = fields[1] == size - LENGTH_STOP and fields[3] == MAGIC
    else:
        is_one = False
    if is_one:
        position = size
        found = [_check(data, 0, fields, settings, origin, now_ms, partition)]
    else:
        found, position = _check_all(data, settings, origin, now_ms, partition)
    if origin is Origin.CLIENT:
        if len(found) != 1:
            what = "at least one record batch" if not found else "exactly one record batch"
            raise KafkaFault(
                ErrorCode.INVALID_RECORD,
                f"Produce requests with version {produce_version} must have {what} per partition",
            )
        if found[0].attributes & CODEC_MASK == ZSTD and produce_version < ZSTD_SINCE:
            raise KafkaFault(
                ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
                f"Produce requests with version {produce_version} are not allowed to use ZStandard "
                "compression",
            )
    elif not found:
        raise AssertionError("an append without a batch")
    if position > settings.segment_bytes:
        raise KafkaFault(
            ErrorCode.RECORD_LIST_TOO_LARGE,
            f"Message batch size is {position} bytes in append to partition {partition}, which exceeds the "
            f"maximum configured segment size of {settings.segment_bytes}.",
        )
    return found


def _check_all(
    data: Bytes, settings: LogSettings, origin: Origin, now_ms: int, partition: str
) -> tuple[list[Batch], int]:
    """The whole batches, however many, and where the last one ends."""
    found: list[Batch] = []
    position, size = 0, len(data)
    while size - position >= LENGTH_STOP:
        fields = _header(data, position, size, partition)
        if fields is None:
            break
        found.append(_check(data, position, fields, settings, origin, now_ms, partition))
        position += found[-1].size_bytes
    return found, position


def _header(data: Bytes, position: int, size: int, partition: str) -> _Fields | None:
    """The fields of the batch at `position`; None where the rest is not a whole one, which Kafka passes
    over."""
    length = int.from_bytes(data[position + 8 : position + LENGTH_STOP], "big", signed=True)
    if length < HEADER_BYTES - LENGTH_STOP:
        raise KafkaFault(
            ErrorCode.CORRUPT_MESSAGE,
            f"Record size {length} is less than the minimum record overhead in topic partition {partition}.",
        )
    if length + LENGTH_STOP > size - position:
        return None
    fields: _Fields = HEADER.unpack_from(data, position)
    if fields[3] != MAGIC:
        raise KafkaFault(
            ErrorCode.INVALID_RECORD,
            "Produce requests are only allowed to contain record batches with magic version 2",
        )
    return fields


def _check(
    data: Bytes,
    position: int,
    fields: _Fields,
    settings: LogSettings,
    origin: Origin,
    now_ms: int,
    partition: str,
) -> Batch:
    base, length, _, _, crc, attributes, last_delta, base_ms, max_ms, producer_id, epoch, sequence, count = (
        fields
    )
    size = length + LENGTH_STOP
    if base != 0 and origin is Origin.CLIENT:
        _refuse(
            f"The baseOffset of the record batch in the append to {partition} should be 0, but it is {base}"
        )
    if size > settings.max_message_bytes:
        raise KafkaFault(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"The record batch size in the append to {partition} is {size} bytes which exceeds the maximum "
            f"configured value of {settings.max_message_bytes}.",
        )
    computed = checksum(data, position + CRC_START, position + size)
    if computed != crc:
        raise KafkaFault(
            ErrorCode.CORRUPT_MESSAGE,
            f"Record is corrupt (stored crc = {crc}, computed crc = {computed}) in topic partition "
            f"{partition}.",
        )
    if count <= 0 or last_delta + 1 != count:
        _refuse(f"Inconsistent batch offset range [0, {last_delta}] and count of records {count}")
    if count > (RECORDS_BYTES_MAX if attributes & CODEC_MASK else size - HEADER_BYTES) // RECORD_BYTES_MIN:
        _refuse(f"Found {size - HEADER_BYTES} bytes, which do not hold the {count} records that are promised")
    if attributes & CONTROL:
        _refuse("Clients are not allowed to write control records")
    if producer_id >= 0 and sequence < 0 and origin is Origin.CLIENT:
        _refuse(f"Invalid sequence number {sequence} in record batch with producerId {producer_id}")
    if attributes & CODEC_MASK > ZSTD:
        _refuse(f"Unknown compression type id: {attributes & CODEC_MASK}")
    batch = Batch(position, size, attributes, count, base_ms, max_ms, producer_id, epoch, sequence)
    if not settings.is_log_append_time and attributes & LOG_APPEND_TIME:
        message = f"Invalid message timestamp type LogAppendTime for message batch {base_ms}"
        raise KafkaFault(ErrorCode.INVALID_TIMESTAMP, message, [RecordError(0, message)])
    return batch


def doubtful(found: Sequence[Batch], settings: LogSettings, *, origin: Origin, now_ms: int) -> list[Batch]:
    """The batches that are good by their headers, and not surely by their records: `check_records` looks."""
    if settings.is_compacted and origin is Origin.CLIENT:
        return list(found)
    if settings.is_log_append_time:
        return []
    return [batch for batch in found if not _is_timely(batch, settings, now_ms)]


def check_records(
    data: Bytes, batch: Batch, settings: LogSettings, *, origin: Origin, now_ms: int, partition: str
) -> Steps[None]:
    """Look at each record of a batch, in steps. KafkaFault."""
    if not settings.is_log_append_time and not _is_timely(batch, settings, now_ms):
        yield from _check_timestamps(data, batch, settings, now_ms)
    if settings.is_compacted and origin is Origin.CLIENT:
        yield from _check_keys(data, batch, partition)


def _refuse(message: str) -> None:
    raise KafkaFault(ErrorCode.INVALID_RECORD, message)


def _is_timely(batch: Batch, settings: LogSettings, now_ms: int) -> bool:
    """Whether none of its records is too old or too new, by its header."""
    before, after = settings.message_timestamp_before_max_ms, settings.message_timestamp_after_max_ms
    lowest, highest = batch.base_timestamp_ms, batch.max_timestamp_ms
    return highest - now_ms <= after and (now_ms - lowest <= before or lowest == NO_TIMESTAMP)


def _check_timestamps(data: Bytes, batch: Batch, settings: LogSettings, now_ms: int) -> Steps[None]:
    before, after = settings.message_timestamp_before_max_ms, settings.message_timestamp_after_max_ms
    errors: list[RecordError] = []
    stamps: list[int] = []
    try:
        for record in read_slowly(data, batch.position):
            if record is None:
                yield
            else:
                stamps.append(record.timestamp_ms)
    except (ProtocolError, Unreadable):
        stamps = [batch.max_timestamp_ms]
    for number, stamp in enumerate(stamps):
        if stamp != NO_TIMESTAMP and not -after <= now_ms - stamp <= before:
            errors.append(
                RecordError(
                    number,
                    f"Timestamp {stamp} of message with offset {number} is out of range. The timestamp "
                    f"should be within [{now_ms - before}, {now_ms + after}]",
                )
            )
    if errors:
        raise KafkaFault(
            ErrorCode.INVALID_TIMESTAMP,
            "One or more records have been rejected due to invalid timestamp",
            errors,
        )


def _check_keys(data: Bytes, batch: Batch, partition: str) -> Steps[None]:
    errors: list[RecordError] = []
    number = 0
    try:
        for record in read_slowly(data, batch.position):
            if record is None:
                yield
                continue
            if record.key is None:
                message = f"Compacted topic cannot accept message without key in topic partition {partition}."
                errors.append(RecordError(number, message))
            number += 1
    except ProtocolError as error:
        raise KafkaFault(ErrorCode.INVALID_RECORD, str(error)) from error
    except Unreadable:
        return
    if errors:
        shown = ", ".join(f"{error.batch_index}: {error.message}" for error in errors[:RECORD_ERRORS_MAX])
        raise KafkaFault(
            ErrorCode.INVALID_RECORD,
            f"One or more records have been rejected due to {len(errors)} record errors in total, and only "
            f"showing the first three errors at most: [{shown}]",
            errors,
        )
