"""Transactions by Kafka's own Java client, and by its tools: kafka-transactions, and the formatter of the
records of __transaction_state.

Needs a Java 17 development kit and Maven; the artifacts come from Maven's repository.
"""

import json
import re
import subprocess
import time

import pytest
from confluent_kafka import Producer
from tests.interop.kafka_tools_run import HERE, RUN_SECONDS, find_class_path, run_tool
from tests.kafka.groups.test_group_clients import make_topic
from tests.kafka.running_broker import running_broker

pytestmark = pytest.mark.interop

COUNT = 200
SECONDS = 20
CONSUMER = "consumer.ConsoleConsumer"
TRANSACTIONS = "TransactionsCommand"
FORMATTER = "org.apache.kafka.tools.consumer.TransactionLogMessageFormatter"


@pytest.fixture(scope="module")
def class_path(tmp_path_factory):
    return find_class_path(tmp_path_factory.mktemp("maven"))


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    with running_broker(tmp_path_factory.mktemp("kafka"), offsets_topic_num_partitions=3) as broker:
        yield broker


@pytest.fixture
def tool(kafka, class_path):
    return lambda name, *words: run_tool(class_path, name, "--bootstrap-server", kafka.address, *words)


def open_transaction(kafka, name):
    make_topic(kafka, name, 1)
    producer = Producer(kafka.client(transactional_id=name))
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    producer.produce(name, b"open")
    producer.flush(SECONDS)
    return producer


def table(said):
    """The rows of a tool's table as dictionaries."""
    first, *rest = (line.split("\t") for line in said.splitlines() if "\t" in line)
    names = [name.strip() for name in first]
    return [dict(zip(names, (cell.strip() for cell in row), strict=True)) for row in rest]


def test_the_java_client_copies_exactly_once_and_is_fenced(kafka, class_path):
    for name in ("source", "target", "target-fenced"):
        make_topic(kafka, name, 2)
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", class_path, str(HERE / "ExactlyOnce.java")]
    done = subprocess.run(
        [*command, kafka.address, "source", "target", "copier", str(COUNT)],
        capture_output=True, text=True, timeout=RUN_SECONDS, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        f"copied {COUNT}", "uncommitted true", "fenced", "left [of the second]"
    ], done.stderr[-3000:]  # fmt: skip


def test_kafka_transactions_lists_describes_and_aborts(kafka, tool):
    name = "seen-by-tools"
    producer = open_transaction(kafka, name)
    (listed,) = [row for row in table(tool(TRANSACTIONS, "list")) if row["TransactionalId"] == name]
    assert listed["TransactionState"] == "Ongoing"
    (described,) = table(tool(TRANSACTIONS, "describe", "--transactional-id", name))
    assert described["TransactionState"] == "Ongoing"
    assert described["TopicPartitions"] == f"{name}-0"
    (writer,) = table(tool(TRANSACTIONS, "describe-producers", "--topic", name, "--partition", "0"))
    assert writer["ProducerId"] == listed["ProducerId"]
    assert writer["CurrentTransactionStartOffset"] == "0"
    tool(TRANSACTIONS, "abort", "--topic", name, "--partition", "0", "--start-offset", "0")
    (writer,) = table(tool(TRANSACTIONS, "describe-producers", "--topic", name, "--partition", "0"))
    assert writer["CurrentTransactionStartOffset"] == "None"
    assert tool(TRANSACTIONS, "find-hanging", "--broker-id", "1", "--max-transaction-timeout", "1")
    producer.abort_transaction(SECONDS)


def test_the_transaction_log_is_kafkas(kafka, tool):
    name = "logged"
    producer = open_transaction(kafka, name)
    producer.commit_transaction(SECONDS)
    words = ["--topic", "__transaction_state", "--from-beginning", "--timeout-ms", "3000"]
    states = []
    deadline = time.monotonic() + SECONDS
    while len(states) < 4:
        assert time.monotonic() < deadline
        said = tool(CONSUMER, *words, "--formatter", FORMATTER)
        records = [json.loads(text) for text in re.findall(r'\{"key":.*?(?=\{"key":|$|\n)', said)]
        states = [
            record["value"]["data"]["transactionStatus"]
            for record in records
            if record["key"]["data"]["transactionalId"] == name
        ]
    assert states == [0, 1, 2, 4]  # Empty, Ongoing, PrepareCommit, CompleteCommit
