"""The gateway's call events, read by a stock Kafka client."""

import json

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from tests.shell.whole_cloud import whole_cloud

SECONDS = 20


def events(cloud, count, start=0):
    """(offset, eventName) of the next events from an offset on."""
    consumer = Consumer({"bootstrap.servers": cloud.cloud.endpoints["kafka"], "group.id": "events"})
    consumer.assign([TopicPartition("aws.events", 0, start)])
    found = []
    while len(found) < count:
        message = consumer.poll(SECONDS)
        assert message is not None, found
        assert message.error() is None, message.error()
        found.append((message.offset(), json.loads(message.value())["eventName"]))
    consumer.close()
    return found


def make_topic(cloud):
    admin = AdminClient({"bootstrap.servers": cloud.cloud.endpoints["kafka"]})
    admin.create_topics([NewTopic("aws.events", 1)])["aws.events"].result(SECONDS)


def test_who_has_called_what_is_a_topic(tmp_path):
    with whole_cloud(tmp_path / "data") as cloud:
        sqs = cloud.client("sqs")
        sqs.create_queue(QueueName="before")
        make_topic(cloud)
        assert events(cloud, 1) == [(0, "CreateQueue")]
        sqs.create_queue(QueueName="after")
        sqs.list_queues()
        assert events(cloud, 2, start=1) == [(1, "CreateQueue"), (2, "ListQueues")]
    with whole_cloud(tmp_path / "data") as cloud:
        cloud.client("sqs").list_queues()
        assert events(cloud, 4) == [
            (0, "CreateQueue"),
            (1, "CreateQueue"),
            (2, "ListQueues"),
            (3, "ListQueues"),
        ]
