"""Consumers come and go at random, in groups of each kind, while the broker now and then forgets all that it
has derived: every message is read, and every partition has one owner at the end."""

import contextlib
import random
import threading
import time

import confluent_kafka as ck
import pytest
from tests.kafka.groups.test_group_clients import SECONDS, Member, make_topic, shares, until
from tests.kafka.running_broker import running_broker

pytestmark = pytest.mark.interop

CHURN_SECONDS = 30
MEMBERS_MAX = 4
TOPICS = {"t": 12, "u": 5}
QUICK = {"heartbeat_interval_ms": 300, "session_timeout_ms": 2000}
COOPERATIVE = {"partition_assignment_strategy": "cooperative-sticky", **QUICK}
KIP_848 = {"group_protocol": "consumer"}
KINDS = {
    "eager": [{"partition_assignment_strategy": "range", **QUICK}],
    "cooperative": [COOPERATIVE],
    "kip-848": [KIP_848],
    "mixed": [COOPERATIVE, KIP_848],
}


class Group:
    def __init__(self, kafka, name):
        self.kafka = kafka
        self.name = name
        self.members = []
        self.read = set()

    def change(self, chance):
        if len(self.members) < 2 or (chance.random() < 0.5 and len(self.members) < MEMBERS_MAX):
            settings = chance.choice(KINDS[self.name])
            self.members.append(Member(self.kafka, list(TOPICS), self.name, **settings))
        else:
            self.retire(chance.randrange(len(self.members)))

    def retire(self, place):
        member = self.members.pop(place)
        member.close()
        self.read.update(member.values)

    def values(self):
        return self.read.union(*(set(member.values) for member in self.members))


@contextlib.contextmanager
def producing(kafka):
    """Produce until the block ends; gives how many there were."""
    sent, is_over = [0], threading.Event()

    def run():
        producer = ck.Producer(kafka.client())
        while not is_over.is_set():
            for _ in range(20):
                producer.produce(list(TOPICS)[sent[0] % 2], str(sent[0]))
                sent[0] += 1
            assert producer.flush(SECONDS) == 0
            is_over.wait(0.05)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield sent
    finally:
        is_over.set()
        thread.join()


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_missed(tmp_path, seed):
    chance = random.Random(seed)
    with running_broker(
        tmp_path,
        group_min_session_timeout_ms=100,
        group_consumer_session_timeout_ms=2000,
        group_consumer_min_session_timeout_ms=1000,
        group_consumer_heartbeat_interval_ms=300,
        group_consumer_min_heartbeat_interval_ms=300,
    ) as kafka:
        for topic, partitions in TOPICS.items():
            make_topic(kafka, topic, partitions)
        groups = [Group(kafka, name) for name in KINDS]
        with producing(kafka) as sent:
            stop = time.monotonic() + CHURN_SECONDS
            while time.monotonic() < stop:
                chance.choice(groups).change(chance)
                if chance.random() < 0.05:
                    kafka.call(kafka.face.silence)
                    kafka.call(kafka.face.go_on)
                time.sleep(chance.random() * 0.5)
        for group in groups:
            until(lambda group=group: group.values() == set(range(sent[0])), 2 * SECONDS)
            until(lambda group=group: sum(shares(group.members)() or []) == sum(TOPICS.values()))
            while group.members:
                group.retire(0)
