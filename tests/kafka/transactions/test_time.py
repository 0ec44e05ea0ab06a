"""Transactions when cloud time is moved on, or a checkpoint is brought back."""

import time

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from tests.kafka.raw_client import RawClient
from tests.kafka.test_clients import SECONDS, make_topic, read_all
from tests.kafka.test_restore import Place
from tests.shell.whole_cloud import whole_cloud

from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode


@pytest.fixture
def cloud(tmp_path):
    with whole_cloud(tmp_path / "data") as cloud:
        cloud.kafka = Place(cloud.cloud.endpoints["kafka"])
        yield cloud


def state_of(cloud, transactional_id):
    with RawClient(cloud.kafka.address) as client:
        request = messages.DescribeTransactionsRequest(TransactionalIds=[transactional_id])
        row = client.ask(request, 0).TransactionStates[0]
    return row.TransactionState or ErrorCode(row.ErrorCode).name


def test_a_week_aborts_nothing_that_is_open_and_forgets_what_is_not_used(cloud):
    make_topic(cloud.kafka, "t", retention_ms="-1")
    Producer(cloud.kafka.client(transactional_id="unused")).init_transactions(SECONDS)
    producer = Producer(cloud.kafka.client(transactional_id="open", transaction_timeout_ms=60_000))
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    producer.produce("t", b"value")
    producer.flush(SECONDS)
    cloud.done("/clock/advance", by="6d")
    assert (state_of(cloud, "open"), state_of(cloud, "unused")) == ("Ongoing", "Empty")
    cloud.done("/clock/advance", by="2d")
    deadline = time.monotonic() + SECONDS
    while state_of(cloud, "unused") != "TRANSACTIONAL_ID_NOT_FOUND":
        assert time.monotonic() < deadline
    assert state_of(cloud, "open") == "Ongoing"
    producer.commit_transaction(SECONDS)
    assert [value for *_, value in read_all(cloud.kafka, "t", 1)] == [b"value"]


def test_a_checkpoint_brings_transactions_back(cloud):
    """What was open then is open again, until the id is taken; offsets go with the records."""
    make_topic(cloud.kafka, "t")
    before = Producer(cloud.kafka.client(transactional_id="id"))
    before.init_transactions(SECONDS)
    transact(before, b"kept", 1)
    before.begin_transaction()
    before.produce("t", b"open")
    before.flush(SECONDS)
    cloud.done("/checkpoints/save", name="one")
    before.commit_transaction(SECONDS)
    transact(before, b"later", 2)
    assert committed(cloud) == 2
    cloud.done("/checkpoints/restore", name="one")
    assert state_of(cloud, "id") == "Ongoing"
    after = Producer(cloud.kafka.client(transactional_id="id"))
    after.init_transactions(SECONDS)
    assert committed(cloud) == 1
    transact(after, b"another", 3)
    assert committed(cloud) == 3
    assert read_committed(cloud, 2) == [b"kept", b"another"]
    with pytest.raises(KafkaException):
        transact(before, b"of another history", 4)


def transact(producer, value, offset):
    producer.begin_transaction()
    producer.produce("t", value)
    group = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0})
    producer.send_offsets_to_transaction(
        [TopicPartition("t", 0, offset)], group.consumer_group_metadata(), SECONDS
    )
    producer.commit_transaction(SECONDS)
    group.close()


def committed(cloud):
    consumer = Consumer(cloud.kafka.client(group_id="g"))
    try:
        return consumer.committed([TopicPartition("t", 0)], SECONDS)[0].offset
    finally:
        consumer.close()


def read_committed(cloud, count):
    consumer = Consumer(cloud.kafka.client(group_id="reader", isolation_level="read_committed"))
    consumer.assign([TopicPartition("t", 0, 0)])
    try:
        found = [consumer.poll(SECONDS).value() for _ in range(count)]
        assert consumer.poll(0.5) is None
        return found
    finally:
        consumer.close()
