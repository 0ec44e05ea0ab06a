"""A whole cloud with Kafka: checkpoints bring topics and records back, and time deletes them."""

import time

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient
from tests.kafka.test_clients import SECONDS, make_topic, read_all
from tests.shell.whole_cloud import whole_cloud


class Place:
    """A cloud's broker, as the functions of test_clients take it."""

    def __init__(self, address):
        self.address = address

    def client(self, **settings):
        return {"bootstrap.servers": self.address, **{k.replace("_", "."): v for k, v in settings.items()}}


@pytest.fixture
def cloud(tmp_path):
    with whole_cloud(tmp_path / "data") as cloud:
        cloud.kafka = Place(cloud.cloud.endpoints["kafka"])
        yield cloud


def produce(place, name, *values):
    producer = confluent_kafka.Producer(place.client(enable_idempotence=False))
    for value in values:
        producer.produce(name, value)
    assert producer.flush(SECONDS) == 0


def values(place, name, count):
    return [value for *_, value in read_all(place, name, count)]


def test_a_checkpoint_brings_topics_and_records_back(cloud):
    make_topic(cloud.kafka, "kept")
    produce(cloud.kafka, "kept", b"a", b"b")
    cloud.done("/checkpoints/save", name="one")
    make_topic(cloud.kafka, "later")
    produce(cloud.kafka, "kept", b"c")
    assert values(cloud.kafka, "kept", 3) == [b"a", b"b", b"c"]
    cloud.done("/checkpoints/restore", name="one")
    assert set(AdminClient(cloud.kafka.client()).list_topics(timeout=SECONDS).topics) == {"kept"}
    assert values(cloud.kafka, "kept", 2) == [b"a", b"b"]
    produce(cloud.kafka, "kept", b"d")
    assert values(cloud.kafka, "kept", 3) == [b"a", b"b", b"d"]
    partition = cloud.cloud._faces["kafka"].broker.partition("kept", 0)
    assert partition.leader_epoch > 0, "what was cut off was another history"


def ends(place, name):
    consumer = confluent_kafka.Consumer(place.client(group_id="x"))
    return consumer.get_watermark_offsets(confluent_kafka.TopicPartition(name, 0), SECONDS, cached=False)


def test_cloud_time_deletes_old_records(cloud):
    make_topic(cloud.kafka, "old", retention_ms="3600000")
    produce(cloud.kafka, "old", b"a", b"b")
    cloud.done("/clock/advance", by="59m")
    assert ends(cloud.kafka, "old") == (0, 2)
    cloud.done("/clock/advance", by="2m")
    deadline = time.monotonic() + SECONDS
    while ends(cloud.kafka, "old") != (2, 2):
        assert time.monotonic() < deadline
    produce(cloud.kafka, "old", b"c")
    assert ends(cloud.kafka, "old") == (2, 3)


def test_sync_makes_topics_sync_every_record(tmp_path):
    with whole_cloud(tmp_path / "data", sync=True, only=("kafka",)) as cloud:
        broker = cloud.cloud._faces["kafka"].broker
        assert broker.configs.number("log.flush.interval.messages") == 1
        place = Place(cloud.cloud.endpoints["kafka"])
        make_topic(place, "t")
        produce(place, "t", b"a", b"b")
        assert values(place, "t", 2) == [b"a", b"b"]
        assert broker.partition("t", 0).settings.flush_messages == 1
