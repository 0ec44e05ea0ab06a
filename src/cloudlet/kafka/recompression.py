"""Brings the batches of an append into the codec that its topic wants (`compression.type`).

State   none
Source  Apache Kafka 4.3: LogValidator, BrokerCompressionType; KIP-390 (levels)
Absent  none

A batch that is in the codec already stays as it came, and so does a control batch. What is written anew keeps
its header but for codec, size and checksum: offsets, times, producer, epoch and sequence are what they were.
It may have become too large for the topic, which Kafka finds out after it has compressed, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from cloudlet.kafka.batch_checks import Batch, checksum
from cloudlet.kafka.compressing import NONE, compress
from cloudlet.kafka.compression import Unreadable, decompressing
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.turns import Turn, in_turns
from cloudlet.kernel.batches import CRC_START, HEADER_BYTES, LENGTH_STOP
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import ProtocolError
from cloudlet.kernel.partition_logs import Bytes
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import CODEC_MASK, CONTROL

RECORDS_A_LOOK = 512  # between two looks at the clock
_LENGTH, _LENGTH_AT = Struct(">i"), 8
_CRC_AND_ATTRIBUTES, _CRC_AT = Struct(">Ih"), 17


async def in_codec(
    data: Bytes, found: Sequence[Batch], settings: LogSettings, clock: Clock, partition: str
) -> tuple[Bytes, Sequence[Batch]]:
    """The batches in the topic's codec, and where they are then. KafkaFault for records that cannot be read,
    and for what has become too large."""
    codec = settings.codec
    assert codec is not None
    if all(batch.attributes & CODEC_MASK == codec or batch.attributes & CONTROL for batch in found):
        return data, found
    turn = Turn(clock)
    out = bytearray()
    batches: list[Batch] = []
    for batch in found:
        raw = bytearray(data[batch.position : batch.position + batch.size_bytes])
        attributes = batch.attributes
        if attributes & CODEC_MASK != codec and not attributes & CONTROL:
            attributes = attributes & ~CODEC_MASK | codec
            body = await _records(raw, batch, partition, turn)
            del raw[HEADER_BYTES:]
            if codec == NONE:
                raw += body
            else:
                for part in compress(codec, body, settings.levels):
                    raw += part
                    if turn.is_over():
                        await turn.end()
            _seal(raw, attributes)
            _check_size(len(raw), settings, partition)
        batches.append(batch._replace(position=len(out), size_bytes=len(raw), attributes=attributes))
        out += raw
    return out, batches


async def _records(raw: bytearray, batch: Batch, partition: str, turn: Turn) -> bytes:
    """The records as they are without a codec, as many as the header says."""
    body = bytes(memoryview(raw)[HEADER_BYTES:])
    codec = batch.attributes & CODEC_MASK
    try:
        if codec:
            body = await in_turns(decompressing(codec, body), turn)
        await _count(body, batch.records_count, turn)
    except (ProtocolError, Unreadable) as error:
        raise KafkaFault(
            ErrorCode.INVALID_RECORD,
            f"Records of a batch in topic partition {partition} are not read: {error}",
        ) from error
    return body


async def _count(body: bytes, count: int, turn: Turn) -> None:
    """ProtocolError unless these are so many records and nothing else."""
    at, size = 0, len(body)
    for number in range(count):
        length = shift = 0
        while True:
            if at >= size or shift > 28:
                raise ProtocolError("a record without a length")
            byte = body[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        at += length >> 1
        if length & 1 or at > size:
            raise ProtocolError("a record that is cut short")
        if number % RECORDS_A_LOOK == 0 and turn.is_over():
            await turn.end()
    if at != size:
        raise ProtocolError(f"{size - at} bytes after the last record of a batch")


def _seal(raw: bytearray, attributes: int) -> None:
    _LENGTH.pack_into(raw, _LENGTH_AT, len(raw) - LENGTH_STOP)
    _CRC_AND_ATTRIBUTES.pack_into(raw, _CRC_AT, 0, attributes)
    _CRC_AND_ATTRIBUTES.pack_into(raw, _CRC_AT, checksum(raw, CRC_START, len(raw)), attributes)


def _check_size(size: int, settings: LogSettings, partition: str) -> None:
    if size > settings.max_message_bytes:
        raise KafkaFault(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"Message batch size is {size} bytes in append to partition {partition} which exceeds the "
            f"maximum configured size of {settings.max_message_bytes}.",
        )
    if size > settings.segment_bytes:
        raise KafkaFault(
            ErrorCode.RECORD_LIST_TOO_LARGE,
            f"Message batch size is {size} bytes in append to partition {partition}, which exceeds the "
            f"maximum configured segment size of {settings.segment_bytes}.",
        )
