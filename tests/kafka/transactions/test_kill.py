"""Exactly once under kill -9: numbers that go to two partitions, and how far one has come as a group's
offset, in transactions that are cut off at random instants.

Whoever starts, or starts again after an error, reads the group's offset and goes on from there. At the end
each number up to the offset stands in each partition once, in order, whatever was killed when.
"""

import random
import subprocess
import sys
import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from tests.kafka.test_kill import Victim
from tests.kafka.transactions import worker_process
from tests.kafka.transactions.worker_process import (
    CLIENTS,
    ID,
    OUT,
    PARTITIONS,
    PLACE,
    SECONDS,
    progress,
    settings,
)

HUNG_SECONDS = 10
KILLS_DIVISOR = 2  # a round kills a whole cloud and starts it again


class Worker:
    """The process, and what it has said; made anew when it hangs."""

    def __init__(self, victim, client, seed):
        self.arguments = [sys.executable, worker_process.__file__, victim.address, client, seed]
        self.acknowledged = 0  # numbers that are committed for sure
        self.commits = 0
        self.went_back = []
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()

    def _listen(self, lines):
        with lines:
            for line in lines:
                word, number = line.split()
                if word == "committed":
                    self.commits += 1
                    self.acknowledged = int(number)
                elif int(number) < self.acknowledged:
                    self.went_back.append((int(number), self.acknowledged))

    def kill(self):
        self.process.kill()
        self.process.wait(SECONDS)

    def get_on(self):
        """Wait for a commit. One that hangs is killed and followed by another: librdkafka (2.15) never ends
        send_offsets_to_transaction when its question for the group's coordinator is cut off."""
        seen, until = self.commits, time.monotonic() + SECONDS
        deadline = time.monotonic() + HUNG_SECONDS
        while self.commits == seen:
            assert time.monotonic() < until, "no transaction is committed any more"
            if time.monotonic() > deadline:
                self.kill()
                self.start()
                deadline = time.monotonic() + HUNG_SECONDS
            time.sleep(0.01)


def read_partition(victim, partition):
    """The numbers that a committed reader sees."""
    consumer = Consumer(
        victim.client(
            group_id="reader", isolation_level="read_committed", enable_auto_commit=False,
            enable_partition_eof=True,
        )
    )  # fmt: skip
    consumer.assign([TopicPartition(OUT, partition, 0)])
    found = []
    deadline = time.monotonic() + SECONDS
    while True:
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            found.append(int(message.value()))
        elif message is not None and message.error().code() == KafkaError._PARTITION_EOF:
            consumer.close()
            return found
        assert time.monotonic() < deadline


def wait_for_a_commit(workers):
    """Until the worker has got on. One that hangs is left to itself and followed by another, as a process
    would be: librdkafka (2.15) never ends send_offsets_to_transaction when its question for the group's
    coordinator is cut off."""
    worker = workers[-1]
    seen, deadline = worker.commits, time.monotonic() + HUNG_SECONDS
    until = time.monotonic() + SECONDS
    while worker.commits == seen:
        assert worker.failure is None, worker.failure
        assert time.monotonic() < until, "no transaction is committed any more"
        if time.monotonic() > deadline:
            worker.stopping.set()
            worker = Worker(worker.victim, worker.client, worker.chance, worker.acknowledged)
            worker.start()
            workers.append(worker)
            seen, deadline = 0, time.monotonic() + HUNG_SECONDS
        time.sleep(0.01)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_number_is_there_once(tmp_path, kills, record_property, client):
    chance = random.Random(f"transactions {client}")
    rounds = max(1, kills // KILLS_DIVISOR)
    victim = Victim(tmp_path / "data").start()
    admin = AdminClient(victim.client())
    for made in admin.create_topics([NewTopic(OUT, PARTITIONS, 1), NewTopic(PLACE, 1, 1)]).values():
        made.result(SECONDS)
    worker = Worker(victim, client, f"{client} {kills}")
    try:
        for _ in range(rounds):
            worker.get_on()
            time.sleep(chance.uniform(0.0, 0.3))  # the random instant
            victim.kill()
            victim.start()
        worker.get_on()
    finally:
        worker.kill()
    last = Producer(settings(victim.address, transactional_id=ID))
    last.init_transactions(SECONDS)  # ends what the worker has left open
    end = progress(victim.address)
    assert end >= worker.acknowledged
    assert not worker.went_back, "a commit that was acknowledged is gone"
    for partition in range(PARTITIONS):
        assert read_partition(victim, partition) == list(range(end))
    victim.kill()
    record_property("kills", rounds)
    record_property("checked", worker.commits)
