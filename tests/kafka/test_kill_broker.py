"""kill -9 of a broker under the load of an idempotent producer: every record that was acknowledged is there,
none twice, each partition in order. The producer is librdkafka, and goes on by itself after each kill."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic
from tests.engines.crashes import Note

import cloudlet

TOPIC = "load"
PARTITIONS = 3
SECONDS = 60
QUEUED_MAX = 5_000
QUICK = {
    "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50, "retry.backoff.ms": 10, "log_level": 0,
    "metadata.recovery.strategy": "none",  # it would forget the leaders, and ask only a second later
}  # fmt: skip


class Broker:
    """A process on a folder and a port, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        program = Path(__file__).with_name("broker_process.py")
        source = Path(cloudlet.__file__).parents[1]
        self.process = subprocess.Popen(
            [sys.executable, program, self.folder, str(self.port)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(source)},
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.stdout.close()
        assert self.process.wait() == -9


def test_what_was_acknowledged_is_there_once_and_in_order(
    tmp_path: Path, kills: int, record_property: Note
) -> None:
    kills = -(-kills // 2)  # each costs a start, and librdkafka's pauses between tries
    random = Random(1)
    broker = Broker(tmp_path)
    broker.start()
    try:
        admin = AdminClient({"bootstrap.servers": broker.address})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(SECONDS)
        acknowledged = produce_under_kills(broker, random, kills)
        found = consume(broker, max(acknowledged))
    finally:
        broker.kill()
    numbers = [number for partition in found for number in partition]
    assert len(numbers) == len(set(numbers)), "a record is there twice"
    assert acknowledged <= set(numbers), f"lost: {sorted(acknowledged - set(numbers))[:10]}"
    for partition in found:
        assert partition == sorted(partition), "out of order"
    assert len(acknowledged) > 100 * kills
    record_property("kills", kills)
    record_property("checked", len(acknowledged))


def produce_under_kills(broker: Broker, random: Random, kills: int) -> set[int]:
    """Produce numbers all the time, and kill the broker at random instants; the numbers acknowledged."""
    acknowledged: set[int] = set()

    def done(error: confluent_kafka.KafkaError | None, message: confluent_kafka.Message) -> None:
        assert error is None, error
        acknowledged.add(int(message.value().split()[0]))

    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": broker.address,
            "enable.idempotence": True,
            "linger.ms": 1,
            "batch.num.messages": 50,
            "on_delivery": done,
            **QUICK,
        }
    )
    number = 0
    for _ in range(kills):
        stop = time.monotonic() + random.uniform(0.02, 0.4)
        before = len(acknowledged)
        while time.monotonic() < stop or len(acknowledged) < before + 100:
            for _ in range(20 if len(producer) < QUEUED_MAX else 0):
                value = f"{number} ".ljust(random.randrange(20, 300), ".")
                producer.produce(TOPIC, value, partition=number % PARTITIONS)
                number += 1
            producer.poll(0.001)
        broker.kill()
        broker.start()
    assert producer.flush(SECONDS) == 0
    assert len(acknowledged) == number
    return acknowledged


def consume(broker: Broker, last: int) -> list[list[int]]:
    """The numbers of every partition, in the order of offsets."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker.address, "group.id": "check", "enable.partition.eof": True}
    )
    consumer.assign([confluent_kafka.TopicPartition(TOPIC, index, 0) for index in range(PARTITIONS)])
    found: list[list[int]] = [[] for _ in range(PARTITIONS)]
    ended: set[int] = set()
    while len(ended) < PARTITIONS:
        for message in consumer.consume(500, SECONDS):
            if message.error() is None:
                found[message.partition()].append(int(message.value().split()[0]))
            else:
                assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF
                ended.add(message.partition())
    consumer.close()
    return found
