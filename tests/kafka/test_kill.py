"""Kafka under kill -9: what was acknowledged is there after each restart, and nothing is there twice that an
idempotent producer wrote; committed offsets do not go back.

A cloud runs in a process of its own while producers write and a consumer group reads and commits. The process
is killed at a random instant and started again on the same folder and port; the clients find it again by
themselves. At the end everything is read, and held against what the clients were told.
"""

import collections
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic

import cloudlet

SOURCE = pathlib.Path(cloudlet.__file__).parent.parent
SECONDS = 60
KILLS_DIVISOR = 2  # a round kills a whole cloud and starts it again: half the rounds of an engine's loop
PARTITIONS = 3
BACKLOG_MAX = 2000  # records that wait in a producer: what a slow machine delivers well within their time
# librdkafka says on stderr whenever the broker is gone; and it would forget who leads the partitions, and
# ask only a second later, when the broker may be gone again.
STEADY = {"log_level": 0, "metadata.recovery.strategy": "none"}


class Victim:
    """A cloud that is killed and started again on one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        self.address = None

    def start(self):
        command = [sys.executable, "-m", "cloudlet", "up", "--ports", "auto", "--only", "kafka"]
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [*command, "--data", str(self.folder)], env=environment, stdout=subprocess.PIPE, text=True
        )
        for line in self.process.stdout:
            if line.startswith("kafka"):
                self.address = line.split()[1]
            if line.startswith("ready"):
                return self
        raise AssertionError("the cloud did not start")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(SECONDS)
        self.process.stdout.close()

    def client(self, **settings):
        named = {key.replace("_", "."): value for key, value in settings.items()}
        return {"bootstrap.servers": self.address, **STEADY, **named}


class Writer(threading.Thread):
    """A producer that writes numbered records until told to stop, and notes what was acknowledged."""

    def __init__(self, victim, name, **settings):
        super().__init__(daemon=True)
        self.name = name
        self.stopping = threading.Event()
        self.acknowledged = {}  # value -> (partition, offset)
        self.sent = 0
        self.errors = []
        self._producer = confluent_kafka.Producer(
            victim.client(
                delivery_timeout_ms=SECONDS * 1000, linger_ms=1, retry_backoff_ms=20,
                reconnect_backoff_ms=10, reconnect_backoff_max_ms=100, **settings,
            )
        )  # fmt: skip

    def run(self):
        while not self.stopping.is_set():
            if len(self._producer) >= BACKLOG_MAX:
                self._producer.poll(0.01)
                continue
            value = f"{self.name}-{self.sent}".encode()
            self._producer.produce("t", value, partition=self.sent % PARTITIONS, on_delivery=self._told)
            self.sent += 1
            self._producer.poll(0)
            if self.sent % 50 == 0:
                time.sleep(0.002)  # leave the machine to the others
        self.left = self._producer.flush(SECONDS)

    def _told(self, error, message):
        if error is None:
            self.acknowledged[message.value()] = (message.partition(), message.offset())
        else:
            self.errors.append(error)


class Reader(threading.Thread):
    """A group of one that reads and commits: what it has committed it never reads again."""

    def __init__(self, victim):
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self.committed = collections.defaultdict(int)
        self.went_back = []
        self._consumer = confluent_kafka.Consumer(
            victim.client(
                group_id="g", auto_offset_reset="earliest", enable_auto_commit=False,
                session_timeout_ms=6000, reconnect_backoff_ms=10, reconnect_backoff_max_ms=100,
            )
        )  # fmt: skip
        self._consumer.subscribe(["t"])

    def run(self):
        while not self.stopping.is_set():
            messages = [message for message in self._consumer.consume(200, 0.1) if not message.error()]
            for message in messages:
                if message.offset() < self.committed[message.partition()]:
                    self.went_back.append((message.partition(), message.offset()))
            if not messages:
                continue
            try:
                for place in self._consumer.commit(asynchronous=False):
                    if place.error is None:
                        self.committed[place.partition] = place.offset
            except confluent_kafka.KafkaException:
                pass  # killed meanwhile: it may have been committed or not
        self._consumer.close()


def read_everything(victim):
    """(partition, offset) -> value of the whole topic."""
    consumer = confluent_kafka.Consumer(victim.client(group_id="checker", enable_auto_commit=False))
    ends = {}
    for partition in range(PARTITIONS):
        place = confluent_kafka.TopicPartition("t", partition)
        ends[partition] = consumer.get_watermark_offsets(place, SECONDS, cached=False)[1]
    consumer.assign([confluent_kafka.TopicPartition("t", partition, 0) for partition in range(PARTITIONS)])
    found = {}
    while len(found) < sum(ends.values()):
        messages = consumer.consume(min(1000, sum(ends.values()) - len(found)), SECONDS)
        assert messages, f"{len(found)} records of {ends}"
        for message in messages:
            assert message.error() is None, message.error()
            found[message.partition(), message.offset()] = message.value()
    consumer.close()
    return found


def test_acknowledged_records_outlive_kills(tmp_path, kills, record_property):
    chance = random.Random(4)
    rounds = max(1, kills // KILLS_DIVISOR)
    victim = Victim(tmp_path / "data").start()
    admin = AdminClient(victim.client())
    for made in admin.create_topics([NewTopic("t", PARTITIONS, 1)]).values():
        made.result(SECONDS)
    writers = [
        Writer(victim, "idempotent", enable_idempotence=True),
        Writer(victim, "all", acks="all"),
        Writer(victim, "one", acks=1),
    ]
    reader = Reader(victim)
    for each in (*writers, reader):
        each.start()
    for _ in range(rounds):
        time.sleep(chance.uniform(0.1, 0.8))  # the random instant
        victim.kill()
        victim.start()
    for each in writers:
        each.stopping.set()
    for each in writers:
        each.join(2 * SECONDS)
        assert not each.is_alive()
    reader.stopping.set()
    reader.join(SECONDS)
    found = read_everything(victim)
    victim.kill()
    counts = collections.Counter(found.values())
    for writer in writers:
        assert writer.left == 0
        assert not writer.errors, writer.errors[:3]
        assert len(writer.acknowledged) == writer.sent
        lost = [value for value, place in writer.acknowledged.items() if found.get(place) != value]
        assert not lost, f"{writer.name} lost {len(lost)}: {lost[:3]}"
    idempotent = writers[0]
    doubled = [value for value in idempotent.acknowledged if counts[value] != 1]
    assert not doubled, f"doubled: {doubled[:3]}"
    for partition in range(PARTITIONS):
        order = [value for place, value in sorted(found.items()) if place[0] == partition]
        numbers = [int(value.rpartition(b"-")[2]) for value in order if value.startswith(b"idempotent")]
        assert numbers == sorted(numbers), "an idempotent producer's records are out of order"
    assert not reader.went_back, reader.went_back[:3]
    record_property("kills", rounds)
    record_property("checked", sum(len(writer.acknowledged) for writer in writers))
