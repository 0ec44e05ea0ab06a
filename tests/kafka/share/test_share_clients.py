"""Share groups by librdkafka's share consumer: who has what, across a restart, and across kill -9."""

import collections
import threading
import time

import confluent_kafka
import pytest
from confluent_kafka import AcknowledgeType, Producer, ShareConsumer
from tests.kafka.groups.test_group_clients import make_topic
from tests.kafka.running_broker import running_broker
from tests.kafka.share.test_share_calls import configure
from tests.kafka.test_kill import Victim

SECONDS = 60
COUNT = 400


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    settings = {
        "group_share_min_heartbeat_interval_ms": 100,
        "group_share_heartbeat_interval_ms": 100,
        "offsets_topic_num_partitions": 3,
        "share_coordinator_state_topic_num_partitions": 3,
    }
    with running_broker(tmp_path_factory.mktemp("kafka"), **settings) as broker:
        yield broker


def fill(client, topic, start, stop):
    producer = Producer({**client, "log_level": 0})
    for number in range(start, stop):
        producer.produce(topic, str(number).encode())
    assert producer.flush(SECONDS) == 0


def consumer(client, topic, **settings):
    named = {name.replace("_", "."): value for name, value in settings.items()}
    found = ShareConsumer({**client, "group.id": topic, "log_level": 0, **named})
    found.subscribe([topic])
    return found


def poll(consumer):
    """{number: message} of one poll."""
    return {int(each.value()): each for each in consumer.poll(0.5) if each.error() is None}


def wait(consumer, is_done):
    """Poll until enough has come: number -> message."""
    found, end = {}, time.monotonic() + SECONDS
    while not is_done(found):
        assert time.monotonic() < end, sorted(found)
        found.update(poll(consumer))
    return found


def test_two_consumers_share_one_partition(kafka, name):
    make_topic(kafka, name, 1)
    configure(kafka, name, share_auto_offset_reset="earliest")
    fill(kafka.client(), name, 0, COUNT)
    times = collections.Counter()
    consumers = [consumer(kafka.client(), name, max_poll_records="20") for _ in range(2)]
    end = time.monotonic() + SECONDS
    while len(times) < COUNT:
        assert time.monotonic() < end
        for each in consumers:
            times.update(poll(each).keys())
    assert set(times.values()) == {1}
    for each in consumers:
        each.close()


def test_what_is_released_comes_again_and_what_is_rejected_does_not(kafka, name):
    make_topic(kafka, name, 1)
    configure(kafka, name, share_auto_offset_reset="earliest")
    fill(kafka.client(), name, 0, 30)
    reader = consumer(kafka.client(), name, share_acknowledgement_mode="explicit")
    kinds = [AcknowledgeType.ACCEPT, AcknowledgeType.RELEASE, AcknowledgeType.REJECT]
    for number, message in wait(reader, lambda found: len(found) == 30).items():
        reader.acknowledge(message, kinds[number % 3])
    assert set(reader.commit_sync(timeout=SECONDS).values()) == {None}
    again = wait(reader, lambda found: len(found) == 10)
    assert set(again) == set(range(1, 30, 3))
    for message in again.values():
        reader.acknowledge(message)
    reader.commit_sync(timeout=SECONDS)
    assert poll(reader) == {}
    reader.close()


def test_after_a_restart_what_was_accepted_does_not_come_again(kafka, name):
    make_topic(kafka, name, 1)
    configure(kafka, name, share_auto_offset_reset="earliest")
    fill(kafka.client(), name, 0, 60)
    reader = consumer(kafka.client(), name, share_acknowledgement_mode="explicit")
    for number, message in wait(reader, lambda found: len(found) == 60).items():
        reader.acknowledge(message, AcknowledgeType.RELEASE if number % 4 == 3 else AcknowledgeType.ACCEPT)
    reader.commit_sync(timeout=SECONDS)
    kafka.restart()
    left = wait(reader, lambda found: len(found) == 15)
    assert set(left) == set(range(3, 60, 4))
    for message in left.values():
        reader.acknowledge(message)
    reader.commit_sync(timeout=SECONDS)
    reader.close()


class Accepter(threading.Thread):
    """A share consumer that accepts what it gets until told to stop, and notes what the broker confirmed."""

    def __init__(self, client, topic):
        super().__init__(daemon=True)
        self.client, self.topic = client, topic
        self.confirmed = set()
        self.seen_again = set()
        self.stopping = threading.Event()

    def run(self):
        reader = consumer(self.client, self.topic, share_acknowledgement_mode="explicit")
        while not self.stopping.is_set():
            try:
                found = poll(reader)
                self.seen_again |= found.keys() & self.confirmed
                for message in found.values():
                    reader.acknowledge(message)
                answers = reader.commit_sync(timeout=5.0) if found else {}
            except confluent_kafka.KafkaException:
                continue  # the broker is gone: nothing is confirmed
            if found and answers and set(answers.values()) == {None}:
                self.confirmed |= found.keys()
        reader.close()


def test_what_was_confirmed_outlasts_kill_9(tmp_path, name):
    victim = Victim(tmp_path).start()
    make_topic(victim, name, 1)
    configure(victim, name, share_auto_offset_reset="earliest")
    reader = Accepter(victim.client(), name)
    reader.start()
    for turn in range(3):
        fill(victim.client(), name, turn * 200, turn * 200 + 200)
        end = time.monotonic() + SECONDS
        while len(reader.confirmed) < turn * 200 + 50:
            assert time.monotonic() < end, len(reader.confirmed)
            time.sleep(0.01)
        victim.kill()
        victim.start()
    end = time.monotonic() + SECONDS
    while len(reader.confirmed) < 600:
        assert time.monotonic() < end, len(reader.confirmed)
        time.sleep(0.05)
    reader.stopping.set()
    reader.join(SECONDS)
    victim.kill()
    assert reader.confirmed == set(range(600))
    assert reader.seen_again == set()
