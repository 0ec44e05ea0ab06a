"""`cloudlet kafka …` against a real cloud, beside a stock client."""

import json
import subprocess
import sys

import pytest
from confluent_kafka import Consumer, Producer
from tests.cli.test_command_line import cloudlet_command, variables

from cloudlet.cli.kafka_records import murmur2


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kafka") / "data"
    done = cloudlet_command("up", "-d", "--ports", "auto", "--only", "kafka", "--data", folder)
    assert done.returncode == 0, done.stderr
    yield folder
    cloudlet_command("down", "--data", folder)


def said(data, *words, stdin=None):
    command = [sys.executable, "-m", "cloudlet", "kafka", *words, "--data", str(data)]
    done = subprocess.run(
        command, env=variables(), input=stdin, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(data, *words):
    command = [sys.executable, "-m", "cloudlet", "kafka", *words, "--data", str(data)]
    done = subprocess.run(command, env=variables(), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    return done.stderr


def address(data):
    return json.loads(cloudlet_command("status", "--json", "--data", data).stdout)["endpoints"]["kafka"]


def test_a_topic_from_its_making_to_its_end(data):
    assert said(data, "topics", "create", "life", "--partitions", "3") == "life: 3 partitions\n"
    (row,) = [row for row in json.loads(said(data, "topics", "--json")) if row["topic"] == "life"]
    assert row == {"topic": "life", "partitions": 3, "records": 0}
    assert len(json.loads(said(data, "topics", "describe", "life", "--json"))) == 3
    said(data, "configs", "life", "--set", "cleanup.policy=compact", "--set", "retention.ms=1000")
    assert said(data, "configs", "life").split() == [
        "cleanup.policy=compact", "min.insync.replicas=1", "retention.ms=1000",
    ]  # fmt: skip
    said(data, "configs", "life", "--unset", "retention.ms")
    assert said(data, "configs", "life").split() == ["cleanup.policy=compact", "min.insync.replicas=1"]
    assert "INVALID_CONFIG" in refused(data, "configs", "life", "--set", "retention.ms=soon")
    assert said(data, "topics", "delete", "life") == "life is deleted\n"
    assert "UNKNOWN_TOPIC_OR_PARTITION" in refused(data, "topics", "describe", "life")
    assert "TOPIC_ALREADY_EXISTS" not in said(data, "topics", "create", "life")


def test_records_go_where_a_java_client_would_send_them_and_come_back(data):
    said(data, "topics", "create", "records", "--partitions", "4")
    lines = "".join(f"key-{number}:value {number}\n" for number in range(20))
    said(data, "produce", "records", "--separator", ":", stdin=lines)
    producer = Producer({"bootstrap.servers": address(data), "partitioner": "murmur2"})
    placed = {}
    for number in range(20):
        key = f"key-{number}"
        producer.produce(
            "records", b"again", key=key, on_delivery=lambda _, m: placed.update({m.key(): m.partition()})
        )
    producer.flush(20)
    rows = [json.loads(line) for line in said(data, "consume", "records", "--json").splitlines()]
    assert len(rows) == 40
    for row in rows:
        assert row["partition"] == placed[row["key"].encode()], row
    assert said(data, "consume", "records", "-n", "3").count("\n") == 3
    assert said(data, "consume", "records", "--from", "latest") == ""


def test_a_first_record_makes_its_topic_but_no_other_partition(data):
    assert said(data, "produce", "made-by-it", "first") == "made-by-it-0: 1 records\n"
    assert "has no partition 7" in refused(data, "produce", "made-by-it", "second", "--partition", "7")
    assert "UNKNOWN_TOPIC_OR_PARTITION" in refused(data, "consume", "never-made")


def test_a_group_seen_moved_and_deleted(data):
    said(data, "topics", "create", "grouped")
    said(data, "produce", "grouped", *map(str, range(10)))
    consumer = Consumer(
        {"bootstrap.servers": address(data), "group.id": "g", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["grouped"])
    message = None
    while message is None:
        message = consumer.poll(1)
    consumer.commit(message, asynchronous=False)
    assert "g  " in said(data, "groups")
    (row,) = json.loads(said(data, "groups", "lag", "g", "--json"))
    assert row == {"topic": "grouped", "partition": 0, "committed": 1, "end": 10, "lag": 9}
    consumer.close()
    assert said(data, "groups", "move", "g", "grouped", "--to", "7") == "g: grouped-0 at 7\n"
    assert json.loads(said(data, "groups", "lag", "g", "--json"))[0]["lag"] == 3
    said(data, "groups", "delete", "g")
    assert "GROUP_ID_NOT_FOUND" in refused(data, "groups", "delete", "g")


def test_rules_of_a_secured_broker(tmp_path):
    words = ("--ports", "auto", "--only", "kafka", "--data", tmp_path / "data", "--kafka-security")
    done = cloudlet_command("up", "-d", *words)
    assert done.returncode == 0, done.stderr
    assert "sasl.mechanisms=SCRAM-SHA-512" in done.stdout
    data = tmp_path / "data"
    try:
        assert said(data, "security").strip() in done.stdout
        said(data, "acls", "user", "alice", "--password", "wonder")
        said(data, "acls", "add", "alice", "write", "topic:orders", "--prefix")
        assert said(data, "acls") == "User:alice allow write topic:orders*\n"
        said(data, "topics", "create", "orders-1")
        client = {
            "bootstrap.servers": address(data), "security.protocol": "SASL_SSL", "sasl.mechanisms": "PLAIN",
            "sasl.username": "alice", "sasl.password": "wonder",
            "ssl.ca.location": str(data / "tls" / "ca.pem"),
        }  # fmt: skip
        reports = []
        producer = Producer(client)
        producer.produce("orders-1", b"one", on_delivery=lambda error, _: reports.append(error))
        producer.flush(20)
        assert reports == [None]
        assert said(data, "consume", "orders-1") == "one\n"
        said(data, "acls", "remove", "alice", "write", "topic:orders", "--prefix")
        assert said(data, "acls") == ""
    finally:
        cloudlet_command("down", "--data", data)


def test_an_open_broker_has_no_rules(data):
    assert "SECURITY_DISABLED" in refused(data, "acls")
    cloudlet_command("tls", "--data", data)  # an authority alone secures no broker
    assert "--kafka-security" in refused(data, "security")


@pytest.mark.parametrize(
    ("key", "hash_"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)],
)
def test_murmur2_is_kafkas(key, hash_):
    assert murmur2(key) == hash_ & 0xFFFFFFFF
