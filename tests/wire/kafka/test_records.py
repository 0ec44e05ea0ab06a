"""Record batches: whole, cut anywhere, with bytes behind, corrupted; and against bytes known from Kafka."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.kernel.batches import APPEND_BYTES_MAX, HEADER_BYTES, header, stamp, whole_bytes
from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka.records import (
    CONTROL,
    LOG_APPEND_TIME,
    Producer,
    Record,
    decode,
    decode_headers,
    encode,
    encode_value,
    encode_values,
    seal,
    varint,
)

optional = st.none() | st.binary(max_size=300)
times = st.integers(0, 1 << 42)
records = st.lists(
    st.builds(
        Record,
        value=optional,
        key=optional,
        timestamp_ms=times,
        headers=st.lists(st.tuples(st.text(max_size=5), optional), max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=8,
)


@given(records=records, attributes=st.sampled_from([0, 1 << 4]))
@settings(deadline=None, max_examples=100)
def test_records_come_back(records: list[Record], attributes: int) -> None:
    batch = encode(records, producer=Producer(7, 1, 40), attributes=attributes)
    assert list(decode(batch)) == [(n, r.timestamp_ms, r.key, r.value) for n, r in enumerate(records)]
    assert list(decode_headers(batch)) == [(n, r.headers) for n, r in enumerate(records)]
    found = header(batch)
    assert found.size_bytes == len(batch)
    assert found.next_offset == found.records_count == len(records)
    assert found.max_timestamp_ms == max(r.timestamp_ms for r in records)
    assert (found.producer_id, found.producer_epoch, found.base_sequence) == (7, 1, 40)
    assert found.attributes == attributes


@given(values=st.lists(st.binary(max_size=3000), min_size=1, max_size=5), time_ms=times)
@settings(deadline=None, max_examples=50)
def test_the_short_cuts_write_what_the_long_way_writes(values: list[bytes], time_ms: int) -> None:
    long = encode([Record(value, None, time_ms) for value in values])
    assert encode_values(values, time_ms) == long
    assert encode_value(values[0], time_ms) == encode_values(values[:1], time_ms)


def test_a_large_batch_has_large_deltas() -> None:
    values = [b"%d" % n for n in range(3000)]
    assert [v for _, _, _, v in decode(encode_values(values, 5))] == values


@given(first=records, second=records, data=st.data())
@settings(deadline=None, max_examples=50)
def test_a_cut_leaves_whole_batches_in_front(
    first: list[Record], second: list[Record], data: st.DataObject
) -> None:
    one, two = encode(first), encode(second)
    buffer = one + two
    cut = data.draw(st.integers(0, len(buffer)))
    whole = whole_bytes(buffer[:cut])
    assert whole == (0 if cut < len(one) else len(one) if cut < len(buffer) else len(buffer))
    assert len(list(decode(buffer[:whole]))) == {0: 0, len(one): len(first)}.get(
        whole, len(first) + len(second)
    )
    if whole != cut:
        with pytest.raises(ProtocolError):
            list(decode(buffer[:cut]))


def test_cut_at_every_byte() -> None:
    batch = encode([Record(b"value", b"key", 12, (("name", b"v"),)), Record(None)])
    for cut in range(1, len(batch)):
        assert whole_bytes(batch[:cut]) == 0
        with pytest.raises(ProtocolError):
            list(decode(batch[:cut]))


def test_bytes_behind_are_not_passed_over() -> None:
    batch = encode_value(b"v", 1)
    for behind in (b"\0", batch[:-1], b"x" * 200):
        with pytest.raises(ProtocolError):
            list(decode(batch + behind))


def test_every_flipped_bit_under_the_checksum_is_seen() -> None:
    batch = encode_value(b"value", 1)
    for position in range(16, len(batch)):
        spoilt = bytearray(batch)
        spoilt[position] ^= 0x10
        with pytest.raises(ProtocolError):
            list(decode(bytes(spoilt)))
        with pytest.raises(ProtocolError):
            stamp(bytes(spoilt), 0, 0)


@given(body=st.binary(max_size=60), count=st.integers(1, 5))
@settings(deadline=None, max_examples=200)
def test_a_right_checksum_over_nonsense_is_a_broken_peer_and_nothing_worse(body: bytes, count: int) -> None:
    batch = seal(body, count, 0, 0)
    for decoder in (decode, decode_headers):
        try:
            assert len(list(decoder(batch))) == count
        except ProtocolError:
            pass


def test_records_that_contradict_their_batch() -> None:
    record = encode_value(b"v", 1)[HEADER_BYTES:]
    for count, body in ((2, record), (1, record + record), (1, record[:-1])):
        with pytest.raises(ProtocolError):
            list(decode(seal(body, count, 0, 0)))


@pytest.mark.parametrize(("codec", "name"), [(1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd"), (7, "7")])
def test_compressed_batches_pass_through_and_are_refused_by_name(codec: int, name: str) -> None:
    batch = seal(b"\x1f\x8b...", 3, 10, 20, attributes=codec)
    stamped, stop, marks = stamp(batch, 5, 2)
    assert (stop, marks, stamped[16:]) == (8, [], batch[16:])
    with pytest.raises(ProtocolError, match=name):
        list(decode(batch))


def test_control_batches_hold_no_data() -> None:
    marker = encode([Record(b"\0\0\0\0\0\0", b"\0\0\0\1")], attributes=CONTROL | 1 << 4)
    assert list(decode(marker + encode_value(b"v", 1))) == [(0, 1, None, b"v")]


def test_log_append_time_is_one_time_for_all() -> None:
    batch = seal(encode_values([b"a", b"b"], 5)[HEADER_BYTES:], 2, 5, 99, attributes=LOG_APPEND_TIME)
    assert [time_ms for _, time_ms, _, _ in decode(batch)] == [99, 99]


def test_stamping_gives_offsets_and_keeps_the_checksum() -> None:
    one, two, three = encode_values([b"a", b"b"], 1), encode_value(b"c", 1), encode_value(b"d", 1)
    stamped, stop, marks = stamp(one + two + three, 100, 7)
    assert stop == 104
    assert marks == [(102, len(one)), (103, len(one) + len(two))]
    assert [offset for offset, _, _, _ in decode(stamped)] == [100, 101, 102, 103]
    assert {header(stamped, p).leader_epoch for p in (0, len(one), len(one) + len(two))} == {7}


def test_bounds_of_an_append() -> None:
    with pytest.raises(ProtocolError):
        stamp(b"", 0, 0)
    with pytest.raises(ProtocolError):
        stamp(bytes(APPEND_BYTES_MAX + 1), 0, 0)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_varints_are_zigzag(number: int) -> None:
    encoded = varint(number)
    value = 0
    for shift, byte in enumerate(encoded):
        value |= (byte & 0x7F) << 7 * shift
        assert (byte > 0x7F) == (shift < len(encoded) - 1)
    assert value == (number << 1 if number >= 0 else (-number << 1) - 1)


def test_the_layout_byte_for_byte() -> None:
    """The example is spelled out field by field after "Record Batch" and "Record" of Kafka's documentation;
    only the checksum is computed."""
    batch = encode([Record(b"v1", b"k", 1000, (("h", None),)), Record(None, None, 998)])
    first = b"\x18" + b"\0" + b"\0" + b"\0" + b"\x02k" + b"\x04v1" + b"\x02" + b"\x02h" + b"\x01"
    second = b"\x0c" + b"\0" + b"\x03" + b"\x02" + b"\x01" + b"\x01" + b"\0"
    assert batch[:8] == bytes(8)
    assert batch[8:12] == (49 + len(first) + len(second)).to_bytes(4, "big")
    assert batch[12:17] == b"\xff\xff\xff\xff\x02"
    assert batch[21:27] == b"\0\0" + b"\0\0\0\1"
    assert batch[27:43] == (1000).to_bytes(8, "big") * 2
    assert batch[43:57] == b"\xff" * 14
    assert batch[57:61] == b"\0\0\0\2"
    assert batch[61:] == first + second
