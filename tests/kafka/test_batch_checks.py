"""What a client's batches are refused for, in Kafka's codes and words."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import google_crc32c
import pytest
from tests.kafka.partition_world import NOW_MS, batch

from cloudlet.kafka.batch_checks import Origin, check_batches, check_records, checksum, doubtful
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_settings import HOUR_MS, LogSettings
from cloudlet.kafka.turns import whole
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import CONTROL, LOG_APPEND_TIME, Producer, Record, encode, seal

COMPACT = LogSettings(cleanup_policy=frozenset({"compact"}))


def checked(data: bytes, settings: LogSettings | None = None, **more: object):
    arguments = {"origin": Origin.CLIENT, "now_ms": NOW_MS, "partition": "t-0", **more}
    settings = settings or LogSettings()
    found = check_batches(data, settings, **arguments)
    arguments.pop("produce_version", None)
    for one in doubtful(found, settings, origin=arguments["origin"], now_ms=NOW_MS):
        whole(check_records(data, one, settings, **arguments))
    return found


def changed(raw: bytes, position: int, form: str, value: int, *, is_sealed: bool = True) -> bytes:
    """A batch with another value in one field of its header, the checksum made right again."""
    found = bytearray(raw)
    struct.pack_into(form, found, position, value)
    if is_sealed:
        struct.pack_into(">I", found, 17, google_crc32c.value(bytes(found[21:])))
    return bytes(found)


def compressed(codec: int, *records: Record) -> bytes:
    """A batch whose records are gzip's, whatever codec its header says."""
    plain = encode(records)
    packer = zlib.compressobj(wbits=31)
    body = packer.compress(plain[61:]) + packer.flush()
    return seal(body, len(records), records[0].timestamp_ms, records[-1].timestamp_ms, attributes=codec)


good = batch("a", "b", "c")


def test_a_good_batch_is_told_about() -> None:
    (found,) = checked(batch("a", "b", producer=Producer(7, 2, 5)))
    assert (found.position, found.records_count, found.max_timestamp_ms) == (0, 2, NOW_MS)
    assert (found.producer_id, found.producer_epoch, found.base_sequence) == (7, 2, 5)
    assert not found.is_transactional


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (lambda raw: b"", ErrorCode.INVALID_RECORD, "at least one record batch"),
        (lambda raw: raw[:-1], ErrorCode.INVALID_RECORD, "at least one record batch"),
        (lambda raw: raw + raw, ErrorCode.INVALID_RECORD, "exactly one record batch"),
        (lambda raw: changed(raw, 8, ">i", 40), ErrorCode.CORRUPT_MESSAGE, "minimum record overhead"),
        (lambda raw: changed(raw, 16, ">b", 1), ErrorCode.INVALID_RECORD, "magic version 2"),
        (lambda raw: changed(raw, 16, ">b", 3), ErrorCode.INVALID_RECORD, "magic version 2"),
        (lambda raw: changed(raw, 0, ">q", 9), ErrorCode.INVALID_RECORD, "baseOffset"),
        (lambda raw: raw[:-1] + b"\x7f", ErrorCode.CORRUPT_MESSAGE, "Record is corrupt (stored crc ="),
        (lambda raw: changed(raw, 23, ">i", 1), ErrorCode.INVALID_RECORD, "Inconsistent batch offset range"),
        (lambda raw: changed(raw, 23, ">i", -1), ErrorCode.INVALID_RECORD, "Inconsistent batch offset range"),
        (lambda raw: changed(raw, 57, ">i", 0), ErrorCode.INVALID_RECORD, "Inconsistent batch offset range"),
        (lambda raw: changed(raw, 21, ">h", CONTROL), ErrorCode.INVALID_RECORD, "control records"),
        (lambda raw: changed(raw, 43, ">q", 5), ErrorCode.INVALID_RECORD, "Invalid sequence number"),
        (lambda raw: changed(raw, 21, ">h", 5), ErrorCode.INVALID_RECORD, "Unknown compression type"),
        (lambda raw: changed(raw, 21, ">h", LOG_APPEND_TIME), ErrorCode.INVALID_TIMESTAMP, "timestamp type"),
    ],
)
def test_what_is_refused(spoil: Callable[[bytes], bytes], code: ErrorCode, words: str) -> None:
    with pytest.raises(KafkaFault) as refused:
        checked(spoil(good))
    assert refused.value.code is code
    assert words in refused.value.message


def test_offsets_are_not_given_to_records_that_cannot_be_there() -> None:
    for count in (4, 1 << 30):
        raw = changed(changed(batch("aaaaa", "b", "c"), 23, ">i", count - 1), 57, ">i", count)
        if count == 4:
            assert checked(raw)  # three records have room enough for four small ones
            continue
        with pytest.raises(KafkaFault) as refused:
            checked(raw)
        assert refused.value.code is ErrorCode.INVALID_RECORD
    many = encode([Record(None, None, NOW_MS)] * 100)
    assert len(many) == 61 + 64 * 7 + 36 * 8
    assert checked(many)


def test_whole_batches_before_a_cut_one_are_what_counts() -> None:
    (found,) = checked(good + good[:-1])
    assert found.size_bytes == len(good)


def test_sizes_have_bounds() -> None:
    for settings, code in (
        (LogSettings(max_message_bytes=len(good) - 1), ErrorCode.MESSAGE_TOO_LARGE),
        (LogSettings(segment_bytes=len(good) - 1), ErrorCode.RECORD_LIST_TOO_LARGE),
    ):
        with pytest.raises(KafkaFault) as refused:
            checked(good, settings)
        assert refused.value.code is code
    assert checked(good, LogSettings(max_message_bytes=len(good), segment_bytes=len(good)))


def test_zstd_came_with_version_7() -> None:
    raw = compressed(4, Record(b"v", None, NOW_MS))
    with pytest.raises(KafkaFault) as refused:
        checked(raw, produce_version=6)
    assert refused.value.code is ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
    assert checked(raw, produce_version=7)


def test_timestamps_have_bounds_on_both_sides() -> None:
    late = [Record(b"v", None, NOW_MS), Record(b"v", None, NOW_MS + HOUR_MS + 1)]
    with pytest.raises(KafkaFault) as refused:
        checked(encode(late))
    assert refused.value.code is ErrorCode.INVALID_TIMESTAMP
    assert [error.batch_index for error in refused.value.record_errors] == [1]
    assert checked(encode([Record(b"v", None, NOW_MS + HOUR_MS)]))
    old = encode([Record(b"v", None, NOW_MS - 11), Record(b"v", None, NOW_MS)])
    assert checked(old)
    with pytest.raises(KafkaFault) as refused:
        checked(old, LogSettings(message_timestamp_before_max_ms=10))
    assert [error.batch_index for error in refused.value.record_errors] == [0]
    assert checked(batch("v", time_ms=-1), LogSettings(message_timestamp_before_max_ms=10))
    append_time = LogSettings(message_timestamp_type="LogAppendTime", message_timestamp_before_max_ms=10)
    assert checked(old, append_time)


@pytest.mark.parametrize("codec", [0, 1])
def test_compacted_topics_want_keys(codec: int) -> None:
    records = [Record(b"v", b"k", NOW_MS), Record(b"v", None, NOW_MS), Record(b"v", None, NOW_MS)]
    raw = compressed(1, *records) if codec else encode(records)
    assert checked(raw)
    with pytest.raises(KafkaFault) as refused:
        checked(raw, COMPACT)
    assert refused.value.code is ErrorCode.INVALID_RECORD
    assert [error.batch_index for error in refused.value.record_errors] == [1, 2]
    assert "due to 2 record errors in total" in refused.value.message
    words = "Compacted topic cannot accept message without key in topic partition t-0."
    assert refused.value.record_errors[0].message == words
    keyed = [Record(b"v", b"k", NOW_MS)]
    assert checked(compressed(1, *keyed) if codec else encode(keyed), COMPACT)


def test_coordinators_write_several_batches_without_sequences() -> None:
    found = checked(
        batch("a") + batch("b", "c", producer=Producer(9, 1, -1)), COMPACT, origin=Origin.COORDINATOR
    )
    assert [one.position for one in found] == [0, len(batch("a"))]


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 100_001])
def test_checksums_of_all_sizes_are_the_same(size: int) -> None:
    data = bytes(range(256)) * 500
    expected = google_crc32c.value(data[3 : 3 + size])
    for form in (data, bytearray(data), memoryview(bytearray(data))):
        assert checksum(form, 3, 3 + size) == expected
