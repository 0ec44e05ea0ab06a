"""Stock clients as black boxes: what they write they read again, in order."""

import asyncio
import shutil
import subprocess

import aiokafka
import confluent_kafka
import kafka as kafka_python
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

SECONDS = 20
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def make_topic(kafka, name, partitions=1, **config):
    admin = AdminClient(kafka.client())
    settings = {key.replace("_", "."): value for key, value in config.items()}
    topic = NewTopic(name, partitions, 1, config=settings)
    for made in admin.create_topics([topic]).values():
        made.result(SECONDS)


def read_all(kafka, name, count, partitions=1, **settings):
    """(partition, offset, key, value) of so many records, read by librdkafka."""
    consumer = confluent_kafka.Consumer(
        kafka.client(group_id="nobody", enable_auto_commit=False, auto_offset_reset="earliest", **settings)
    )
    consumer.assign([confluent_kafka.TopicPartition(name, index, 0) for index in range(partitions)])
    found = []
    while len(found) < count:
        for message in consumer.consume(count - len(found), SECONDS):
            assert message.error() is None, message.error()
            found.append((message.partition(), message.offset(), message.key(), message.value()))
    assert not consumer.consume(1, 0.05)
    return found


@pytest.mark.parametrize("codec", CODECS)
def test_librdkafka_reads_what_it_wrote(kafka, name, codec):
    make_topic(kafka, name, 3)
    producer = confluent_kafka.Producer(kafka.client(compression_type=codec, linger_ms=5))
    reports = []
    for number in range(300):
        producer.produce(
            name, b"v%d" % number, b"k%d" % number, number % 3, on_delivery=lambda *said: reports.append(said)
        )
    assert producer.flush(SECONDS) == 0
    assert all(error is None for error, _ in reports)
    found = read_all(kafka, name, 300, 3)
    for partition in range(3):
        values = [value for index, _, _, value in found if index == partition]
        assert values == [b"v%d" % number for number in range(partition, 300, 3)]
    assert sorted(offset for index, offset, _, _ in found if index == 0) == list(range(100))


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_kafka_python_reads_what_it_wrote(kafka, name, codec):
    make_topic(kafka, name)
    producer = kafka_python.KafkaProducer(
        bootstrap_servers=kafka.address, compression_type=codec, enable_idempotence=False
    )
    sent = [producer.send(name, b"v%d" % number, headers=[("h", b"x")]) for number in range(100)]
    producer.flush(SECONDS)
    assert [future.get(SECONDS).offset for future in sent] == list(range(100))
    producer.close()
    consumer = kafka_python.KafkaConsumer(
        bootstrap_servers=kafka.address, group_id=None, auto_offset_reset="earliest"
    )
    consumer.assign([kafka_python.TopicPartition(name, 0)])
    found = []
    while len(found) < 100:
        for records in consumer.poll(SECONDS * 1000).values():
            found += records
    consumer.close()
    assert [record.value for record in found] == [b"v%d" % number for number in range(100)]
    assert found[0].headers == [("h", b"x")]


def test_aiokafka_reads_what_it_wrote(kafka, name):
    make_topic(kafka, name)

    async def run():
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka.address, acks="all")
        await producer.start()
        sent = [await producer.send(name, b"v%d" % number) for number in range(100)]
        offsets = [(await future).offset for future in sent]
        await producer.stop()
        consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=kafka.address, auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([aiokafka.TopicPartition(name, 0)])
        found = [(await consumer.getone()).value for _ in range(100)]
        await consumer.stop()
        return offsets, found

    offsets, found = asyncio.run(run())
    assert offsets == list(range(100))
    assert found == [b"v%d" % number for number in range(100)]


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
@pytest.mark.parametrize("codec", CODECS)
def test_kcat_reads_what_it_wrote(kafka, name, codec):
    lines = "".join(f"line {number}\n" for number in range(50))
    command = ["kcat", "-b", kafka.address, "-t", name, "-p", "0", "-z", codec]
    subprocess.run([*command, "-P"], input=lines, text=True, check=True, timeout=SECONDS)
    command = ["kcat", "-b", kafka.address, "-t", name, "-p", "0", "-C", "-e", "-q", "-o", "beginning"]
    read = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    assert read.stdout == lines


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
def test_kcat_reads_as_a_member_of_a_group(kafka, name):
    make_topic(kafka, name)

    def read(lines):
        send = ["kcat", "-b", kafka.address, "-t", name, "-P"]
        subprocess.run(send, input=lines, text=True, check=True, timeout=SECONDS)
        join = ["kcat", "-b", kafka.address, "-G", name, "-e", "-q", "-X", "auto.offset.reset=earliest", name]
        return subprocess.run(join, capture_output=True, text=True, check=True, timeout=SECONDS).stdout

    assert read("a\nb\n") == "a\nb\n"
    assert read("c\n") == "c\n"


def test_a_topic_that_is_written_to_is_made(kafka, name):
    producer = confluent_kafka.Producer(kafka.client())
    producer.produce(name, b"v")
    assert producer.flush(SECONDS) == 0
    assert [value for *_, value in read_all(kafka, name, 1)] == [b"v"]


def test_acks_0_answers_nothing_and_writes(kafka, name):
    make_topic(kafka, name)
    producer = confluent_kafka.Producer(kafka.client(acks=0))
    for number in range(100):
        producer.produce(name, b"v%d" % number)
    assert producer.flush(SECONDS) == 0
    assert [value for *_, value in read_all(kafka, name, 100)] == [b"v%d" % number for number in range(100)]


def test_a_large_record_comes_through(kafka, name):
    make_topic(kafka, name, max_message_bytes="20000000")
    producer = confluent_kafka.Producer(kafka.client(message_max_bytes=20_000_000))
    value = bytes(range(256)) * 40_000
    producer.produce(name, value)
    producer.produce(name, b"small")
    assert producer.flush(SECONDS) == 0
    found = read_all(kafka, name, 2, fetch_message_max_bytes=20_000_000, receive_message_max_bytes=80_000_000)
    assert [found_value for *_, found_value in found] == [value, b"small"]


def test_topics_and_records_are_there_after_a_restart(kafka, name):
    make_topic(kafka, name, 2, retention_ms="123456789")
    producer = confluent_kafka.Producer(kafka.client())
    for number in range(10):
        producer.produce(name, b"v%d" % number, partition=number % 2)
    assert producer.flush(SECONDS) == 0
    before = kafka.call(lambda: kafka.broker.topics.by_name[name].id)
    kafka.restart()
    assert len(read_all(kafka, name, 10, 2)) == 10
    image = kafka.call(lambda: kafka.broker.topics.by_name[name])
    assert (image.id, image.configs) == (before, {"retention.ms": "123456789"})
