"""compression.type: what a topic's batches are written in, and what stays of them."""

import asyncio

import confluent_kafka
import kafka as kafka_python
import pytest
from tests.kafka.partition_world import NOW_MS, World, contents
from tests.kafka.raw_client import RawClient
from tests.kafka.test_clients import CODECS, make_topic, read_all
from tests.kafka.test_create_topics import creatable, create
from tests.kafka.test_fetch import Topic, fetch, rows
from tests.kafka.test_produce import batch, produce

from cloudlet.kafka.batch_checks import Origin
from cloudlet.kafka.compressing import pack
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.record_reader import read_records
from cloudlet.kernel.batches import HEADER_BYTES, checked_size, header
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import (
    CODEC_MASK,
    LOG_APPEND_TIME,
    TRANSACTIONAL,
    Producer,
    Record,
    encode,
    seal,
)

SECONDS = 20
TYPES = ("uncompressed", "gzip", "snappy", "lz4", "zstd")
VALUES = [b"the value %d" % number for number in range(50)]


def sent(codec, *, producer=Producer(), attributes=0):  # noqa: B008 (frozen)
    """A batch as a client sends it in a codec."""
    records = [Record(value, b"k", NOW_MS + number) for number, value in enumerate(VALUES)]
    plain = encode(records, producer=producer, attributes=attributes)
    if not codec:
        return plain
    body = pack(codec, plain[HEADER_BYTES:])
    last = NOW_MS + len(VALUES) - 1
    return seal(body, len(VALUES), NOW_MS, last, producer, attributes | codec)


@pytest.mark.parametrize("source", range(5))
@pytest.mark.parametrize("target", range(5))
def test_a_batch_is_brought_into_the_topics_codec(tmp_path, source, target):
    async def run():
        world = World(tmp_path)
        partition = world.partition(LogSettings(compression_type=TYPES[target]))
        producer = Producer(7, 1, 0)
        raw = sent(source, producer=producer, attributes=TRANSACTIONAL)
        for _ in range(2):  # the second time it is a retry
            appended = await partition.append(raw)
            assert (appended.base_offset, appended.stop_offset) == (0, 50)
        written = bytes(partition.log.read(0, 1 << 20))
        assert checked_size(written) == len(written)
        found = header(written)
        assert found.attributes == TRANSACTIONAL | target
        assert (found.producer_id, found.producer_epoch, found.base_sequence) == (7, 1, 0)
        assert (found.base_timestamp_ms, found.max_timestamp_ms) == (NOW_MS, NOW_MS + 49)
        views = list(read_records(written))
        assert [(view.offset, view.timestamp_ms, view.value) for view in views] == [
            (number, NOW_MS + number, value) for number, value in enumerate(VALUES)
        ]
        if source == target:
            assert written[HEADER_BYTES:] == raw[HEADER_BYTES:], "what is in the codec stays as it came"
        await partition.append_marker(7, 1, is_commit=True, coordinator_epoch=0)
        assert not header(bytes(partition.log.read(50, 1 << 20))).attributes & CODEC_MASK, (
            "markers stay plain"
        )
        await partition.append(sent(source, producer=Producer(7, 1, 50)))
        assert len(contents(partition)) == 101
        await world.reopen()
        assert len(contents(world.partition())) == 101
        await world.logs.close()

    asyncio.run(run())


def test_the_brokers_time_and_several_batches_at_once(tmp_path):
    async def run():
        world = World(tmp_path)
        settings = LogSettings(compression_type="lz4", message_timestamp_type="LogAppendTime")
        partition = world.partition(settings)
        appended = await partition.append(sent(0) + sent(3) + sent(1), origin=Origin.COORDINATOR)
        assert (appended.base_offset, appended.stop_offset) == (0, 150)
        written, at = bytes(partition.log.read(0, 1 << 20)), 0
        for number in range(3):
            size = checked_size(written, at)
            assert header(written, at).attributes == LOG_APPEND_TIME | 3
            views = list(read_records(written[at : at + size]))
            assert [view.offset for view in views] == list(range(50 * number, 50 * number + 50))
            assert {view.timestamp_ms for view in views} == {appended.append_time_ms}
            at += size
        assert at == len(written)
        await world.logs.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "body", [b"", b"\x02", b"\x0e\0\0\0\x01\x01\0\0\0", b"\xff" * 9], ids=["none", "cut", "more", "no length"]
)
def test_records_that_cannot_be_read_are_refused(tmp_path, body):
    async def run():
        world = World(tmp_path)
        partition = world.partition(LogSettings(compression_type="gzip"))
        raw = seal(pack(2, body) if body else b"\x00", 1, NOW_MS, NOW_MS, attributes=2)
        with pytest.raises(KafkaFault) as refused:
            await partition.append(raw)
        assert refused.value.code == ErrorCode.INVALID_RECORD
        assert partition.stop_offset == 0
        await world.logs.close()

    asyncio.run(run())


def test_what_has_become_too_large_is_refused(kafka, name):
    with RawClient(kafka.address) as client:
        create(
            client,
            creatable(
                name, configs={"compression.type": "uncompressed", "max.message.bytes": "2000"}.items()
            ),
        )
        small, large = batch(b"x" * 1000), batch(b"x" * 3000)
        packed = seal(
            pack(1, large[HEADER_BYTES:]),
            1,
            header(large).base_timestamp_ms,
            header(large).max_timestamp_ms,
            attributes=1,
        )
        assert len(packed) < 2000
        (row,) = produce(client, name, {0: packed}).values()
        assert row.ErrorCode == ErrorCode.MESSAGE_TOO_LARGE
        assert row.ErrorMessage.startswith("Message batch size is 307")
        (row,) = produce(client, name, {0: small}).values()
        assert (row.ErrorCode, row.BaseOffset) == (0, 0)


def test_clients_that_do_not_know_zstd_are_told(kafka, name):
    with RawClient(kafka.address) as client:
        topic = Topic(client, name, compression_type="zstd")
        produce(client, name, {0: batch(b"x")})
        (row,) = rows(fetch(client, topic.wanted({0: 0}), version=9)).values()
        assert row.ErrorCode == ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
        (row,) = rows(fetch(client, topic.wanted({0: 0}), version=10)).values()
        assert header(row.Records).attributes == 4


@pytest.mark.parametrize("target", TYPES)
def test_clients_read_what_was_brought_into_another_codec(kafka, name, target):
    make_topic(kafka, name, compression_type=target)
    count = 0
    for codec in CODECS:
        producer = confluent_kafka.Producer(
            kafka.client(compression_type=codec, linger_ms=50, enable_idempotence=True)
        )
        for number in range(100):
            producer.produce(name, b"value %d of many" % number, b"k")
        assert producer.flush(SECONDS) == 0
        count += 100
    found = read_all(kafka, name, count)
    assert [value for *_, value in found] == [b"value %d of many" % number for number in range(100)] * 5
    consumer = kafka_python.KafkaConsumer(
        bootstrap_servers=kafka.address, group_id=None, auto_offset_reset="earliest"
    )
    consumer.assign([kafka_python.TopicPartition(name, 0)])
    again = []
    while len(again) < count:
        for records in consumer.poll(SECONDS * 1000).values():
            again += records
    consumer.close()
    assert [record.value for record in again] == [value for *_, value in found]


def test_the_brokers_own_property_and_a_change_of_it(kafka, name):
    with RawClient(kafka.address) as client:
        create(client, creatable(name, configs={"compression.type": "snappy"}.items()))
        produce(client, name, {0: batch(b"x")})
        image = kafka.broker.topics.by_name[name]
        kafka.call(lambda: kafka.broker.configure_topic(image, {"compression.type": "gzip"}))
        produce(client, name, {0: batch(b"y")})
        log = kafka.broker.partition(name, 0).log
        written = kafka.call(lambda: bytes(log.read(0, 1 << 20)))
        first = checked_size(written)
        assert [header(written).attributes, header(written, first).attributes] == [2, 1]
