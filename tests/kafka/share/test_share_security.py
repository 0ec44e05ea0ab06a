"""Share groups of a secured broker: who may read in which group, and which topics."""

import time

import pytest
from confluent_kafka import KafkaException, Producer, ShareConsumer
from confluent_kafka.admin import AclOperation, NewTopic, ResourceType
from tests.kafka.running_broker import running_broker
from tests.kafka.security.test_clients import PASSWORD, allow, make_user, rule, settings

from cloudlet.shell.kafka_security import KafkaSecurity

SECONDS = 20
WHO = {"user": "dave", "password": "wonder", "mechanism": "SCRAM-SHA-256"}


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secured")
    security = KafkaSecurity(folder, (), PASSWORD, account="000000000000")
    more = {"group_share_min_heartbeat_interval_ms": 100, "group_share_heartbeat_interval_ms": 100}
    with running_broker(folder / "data", security=security, **more) as broker:
        broker.authority = folder / "tls" / "ca.pem"
        yield broker


def outcome(secured, name):
    """The first value that a share consumer gets, or the code of the first error."""
    consumer = ShareConsumer(settings(secured, **WHO, **{"group.id": name}))
    consumer.subscribe([name])
    producer = Producer(settings(secured))
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            producer.produce(name, b"value")  # the group begins behind what was there before
            producer.flush(SECONDS)
            for message in consumer.poll(0.3):
                return message.value() if message.error() is None else message.error().name()
    except KafkaException as refused:
        return refused.args[0].name()
    finally:
        consumer.close()
    return None


def test_a_group_and_its_topics_must_be_ones_own_to_read(secured):
    name = "shared"
    admin = make_user(secured, "dave")
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(SECONDS)
    allow(admin, rule(ResourceType.TOPIC, name, "dave", AclOperation.DESCRIBE))
    allow(admin, rule(ResourceType.GROUP, name, "dave", AclOperation.DESCRIBE))
    assert outcome(secured, name) == "GROUP_AUTHORIZATION_FAILED"
    allow(admin, rule(ResourceType.GROUP, name, "dave", AclOperation.READ))
    assert outcome(secured, name) == "TOPIC_AUTHORIZATION_FAILED"
    allow(admin, rule(ResourceType.TOPIC, name, "dave", AclOperation.READ))
    assert outcome(secured, name) == b"value"
