"""Transactions as stock clients know them: all or nothing, once, and fenced."""

import asyncio
import time

import aiokafka
import kafka
import pytest
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from tests.kafka.running_broker import running_broker

from cloudlet.kafka.transactions.coordinator import Transactions

SECONDS = 20


@pytest.fixture(scope="module")
def kafka_broker(tmp_path_factory):
    with running_broker(
        tmp_path_factory.mktemp("transactions"), group_initial_rebalance_delay_ms=0
    ) as broker:
        yield broker


def topic(broker, name, partitions=1):
    admin = AdminClient(broker.client())
    admin.create_topics([NewTopic(name, partitions)])[name].result(SECONDS)
    return name


def producer_of(broker, transactional_id, **more):
    made = Producer({**broker.client(transactional_id=transactional_id, **more), "log_level": 0})
    made.init_transactions(SECONDS)
    return made


def read_all(broker, name, isolation="read_committed", count=None):
    """The values that a reader sees up to the end that the broker tells it."""
    consumer = Consumer(
        broker.client(group_id=f"reader-{name}", isolation_level=isolation, enable_auto_commit=False)
    )
    found = []
    for index in consumer.list_topics(name, SECONDS).topics[name].partitions:
        place = TopicPartition(name, index, 0)
        _, stop = consumer.get_watermark_offsets(place, SECONDS)
        consumer.assign([place])
        while consumer.position([place])[0].offset < stop:
            message = consumer.poll(0.2)
            if message is not None:
                assert message.error() is None, message.error()
                found.append(message.value())
    consumer.close()
    return found


def test_a_commit_shows_all_and_an_abort_nothing(kafka_broker, name):
    topic(kafka_broker, name, 2)
    producer = producer_of(kafka_broker, name)
    for number, ends in enumerate(("commit", "abort", "commit")):
        producer.begin_transaction()
        for index in (0, 1):
            producer.produce(name, f"{number}-{index}".encode(), partition=index)
        if ends == "commit":
            producer.commit_transaction(SECONDS)
        else:
            producer.flush(SECONDS)
            producer.abort_transaction(SECONDS)
    assert sorted(read_all(kafka_broker, name)) == [b"0-0", b"0-1", b"2-0", b"2-1"]
    assert len(read_all(kafka_broker, name, "read_uncommitted")) == 6


def test_what_is_open_is_not_read_until_it_is_decided(kafka_broker, name):
    topic(kafka_broker, name)
    producer = producer_of(kafka_broker, name)
    plain = Producer(kafka_broker.client())
    producer.begin_transaction()
    producer.produce(name, b"open")
    producer.flush(SECONDS)
    plain.produce(name, b"behind it")
    plain.flush(SECONDS)
    consumer = Consumer(
        kafka_broker.client(group_id=name, isolation_level="read_committed", auto_offset_reset="earliest")
    )
    consumer.assign([TopicPartition(name, 0, 0)])
    assert consumer.poll(0.5) is None
    producer.commit_transaction(SECONDS)
    assert [consumer.poll(SECONDS).value() for _ in range(2)] == [b"open", b"behind it"]
    consumer.close()


def test_a_second_producer_of_the_id_fences_the_first(kafka_broker, name):
    topic(kafka_broker, name)
    first = producer_of(kafka_broker, name)
    first.begin_transaction()
    first.produce(name, b"of the first")
    first.flush(SECONDS)
    second = producer_of(kafka_broker, name)
    first.produce(name, b"too late")
    with pytest.raises(KafkaException) as refused:
        first.commit_transaction(SECONDS)
    assert refused.value.args[0].fatal()
    second.begin_transaction()
    second.produce(name, b"of the second")
    second.commit_transaction(SECONDS)
    assert read_all(kafka_broker, name) == [b"of the second"]


def test_offsets_are_committed_with_the_output_or_not_at_all(kafka_broker, name):
    source, target = topic(kafka_broker, f"{name}-in"), topic(kafka_broker, f"{name}-out")
    plain = Producer(kafka_broker.client())
    for number in range(10):
        plain.produce(source, b"%d" % number)
    plain.flush(SECONDS)
    producer = producer_of(kafka_broker, name)
    for ends in ("abort", "commit"):
        consumer = Consumer(
            kafka_broker.client(group_id=name, auto_offset_reset="earliest", enable_auto_commit=False)
        )
        consumer.subscribe([source])
        producer.begin_transaction()
        for _ in range(5):
            message = consumer.poll(SECONDS)
            producer.produce(target, b"out " + message.value())
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), SECONDS
        )
        if ends == "commit":
            producer.commit_transaction(SECONDS)
        else:
            producer.flush(SECONDS)
            producer.abort_transaction(SECONDS)
        consumer.close()
    assert read_all(kafka_broker, target) == [b"out %d" % number for number in range(5)]
    consumer = Consumer(kafka_broker.client(group_id=name))
    assert consumer.committed([TopicPartition(source, 0)], SECONDS)[0].offset == 5
    consumer.close()


def test_a_transaction_that_is_never_ended_is_aborted_in_time(kafka_broker, name):
    topic(kafka_broker, name)
    forgotten = producer_of(kafka_broker, name, transaction_timeout_ms=1000)
    forgotten.begin_transaction()
    forgotten.produce(name, b"forgotten")
    forgotten.flush(SECONDS)
    plain = Producer(kafka_broker.client())
    plain.produce(name, b"plain")
    plain.flush(SECONDS)
    consumer = Consumer(kafka_broker.client(group_id=name, isolation_level="read_committed"))
    consumer.assign([TopicPartition(name, 0, 0)])
    assert consumer.poll(SECONDS).value() == b"plain"
    consumer.close()
    with pytest.raises(KafkaException):
        forgotten.commit_transaction(SECONDS)


def test_what_was_committed_is_there_after_a_restart_and_an_open_one_is_aborted(tmp_path, name):
    with running_broker(tmp_path, group_initial_rebalance_delay_ms=0) as broker:
        topic(broker, name)
        producer = producer_of(broker, name, transaction_timeout_ms=2000)
        producer.begin_transaction()
        producer.produce(name, b"committed")
        producer.commit_transaction(SECONDS)
        other = producer_of(broker, f"{name}-2", transaction_timeout_ms=2000)
        other.begin_transaction()
        other.produce(name, b"open")
        other.flush(SECONDS)
        broker.restart()
        assert read_all(broker, name) == [b"committed"]
        producer.begin_transaction()
        producer.produce(name, b"and on")
        producer.commit_transaction(SECONDS)
        # It stands behind the open one, so it is not stable before that one has been aborted.
        deadline = time.monotonic() + SECONDS
        while read_all(broker, name) != [b"committed", b"and on"]:
            assert time.monotonic() < deadline


def test_kafka_python_speaks_transactions_too(kafka_broker, name):
    topic(kafka_broker, name)
    producer = kafka.KafkaProducer(bootstrap_servers=kafka_broker.address, transactional_id=name)
    producer.init_transactions()
    for number, ends in enumerate((producer.commit_transaction, producer.abort_transaction) * 2):
        producer.begin_transaction()
        producer.send(name, b"%d" % number).get(SECONDS)
        ends()
    producer.close()
    assert read_all(kafka_broker, name) == [b"0", b"2"]


def test_aiokafka_speaks_transactions_too(kafka_broker, name):
    topic(kafka_broker, name)

    async def scenario():
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka_broker.address, transactional_id=name)
        await producer.start()
        try:
            async with producer.transaction():
                await producer.send_and_wait(name, b"committed")
            await producer.begin_transaction()
            await producer.send_and_wait(name, b"aborted")
            await producer.abort_transaction()
        finally:
            await producer.stop()

    asyncio.run(scenario())
    assert read_all(kafka_broker, name) == [b"committed"]


def test_tools_see_transactions(kafka_broker, name):
    topic(kafka_broker, name)
    producer = producer_of(kafka_broker, name)
    producer.begin_transaction()
    producer.produce(name, b"open")
    producer.flush(SECONDS)
    admin = kafka.KafkaAdminClient(bootstrap_servers=kafka_broker.address)
    try:
        listed = admin.list_transactions()
        assert any(name in str(row) for row in [listed])
        assert "Ongoing" in str(admin.describe_transactions([name]))
    finally:
        admin.close()
    producer.commit_transaction(SECONDS)


@pytest.mark.parametrize("ends", ["commit", "abort"])
def test_what_was_decided_before_a_crash_is_carried_out_after_it(tmp_path, name, monkeypatch, ends):
    async def crashed(*_):
        """No marker is written any more."""

    with running_broker(tmp_path, group_initial_rebalance_delay_ms=0) as broker:
        topic(broker, name, 2)
        producer = producer_of(broker, name)
        producer.begin_transaction()
        for index in (0, 1):
            producer.produce(name, b"%d" % index, partition=index)
        producer.send_offsets_to_transaction(
            [TopicPartition(name, 0, 7)], Consumer(broker.client(group_id=name)).consumer_group_metadata()
        )
        producer.flush(SECONDS)
        with monkeypatch.context() as patch:
            patch.setattr(Transactions, "_complete", crashed)
            producer.commit_transaction(SECONDS) if ends == "commit" else producer.abort_transaction(SECONDS)
            assert open_producers(broker, name) == 2
            broker.restart()
            assert open_producers(broker, name) == 2
        broker.restart()
        deadline = time.monotonic() + SECONDS
        while open_producers(broker, name):
            assert time.monotonic() < deadline
        assert sorted(read_all(broker, name)) == ([b"0", b"1"] if ends == "commit" else [])
        consumer = Consumer(broker.client(group_id=name))
        offset = consumer.committed([TopicPartition(name, 0)], SECONDS)[0].offset
        assert offset == (7 if ends == "commit" else OFFSET_INVALID)
        consumer.close()


def open_producers(broker, name):
    """In how many partitions a transaction is open."""

    def count():
        partitions = [broker.broker.partition(name, index) for index in (0, 1)]
        return sum(each.last_stable_offset < each.high_watermark for each in partitions)

    return broker.call(count)
