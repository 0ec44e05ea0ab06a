"""Transactions when cloud time is moved: what is open stays open, an id that nobody uses is forgotten."""

import time

import pytest
from confluent_kafka import Producer
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
