"""Where topics and brokers are: by name, by id, page by page; what is made, and at which address it is."""

import pytest
from tests.kafka.raw_client import RawClient
from tests.kafka.running_broker import running_broker
from tests.kafka.test_create_topics import creatable, create, delete
from tests.kafka.test_produce import batch, produce

from cloudlet.kafka.call import Peer
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

Wanted = messages.MetadataRequest.MetadataRequestTopic


@pytest.fixture
def client(kafka):
    with RawClient(kafka.address) as client:
        yield client


def metadata(client, names=None, *, version=12, ids=(), creates=False):
    topics = None if names is None else [Wanted(Name=name) for name in names]
    if ids:
        topics = [Wanted(Name=None, TopicId=each) for each in ids]
    return client.ask(messages.MetadataRequest(Topics=topics, AllowAutoTopicCreation=creates), version)


def row(client, name, **more):
    (found,) = metadata(client, [name], **more).Topics
    return found


@pytest.mark.parametrize("version", range(14))
def test_a_topic_is_told_of_in_every_version(kafka, client, name, version):
    create(client, creatable(name, 2))
    response = metadata(client, [name], version=version)
    (broker,) = response.Brokers
    assert (broker.NodeId, f"{broker.Host}:{broker.Port}") == (1, kafka.address)
    if version >= 2:
        assert len(response.ClusterId) == 22
    (found,) = response.Topics
    assert (found.Name, found.ErrorCode, found.IsInternal) == (name, 0, False)
    assert [(one.PartitionIndex, one.LeaderId, one.IsrNodes) for one in found.Partitions] == [
        (0, 1, [1]), (1, 1, [1]),
    ]  # fmt: skip


def test_all_topics_are_told_of_where_none_is_named(client, name):
    create(client, creatable(name))
    everything = {topic.Name for topic in metadata(client).Topics}
    assert name in everything
    assert metadata(client, []).Topics == []
    oldest = client.ask(messages.MetadataRequest(Topics=[]), 0)
    assert {topic.Name for topic in oldest.Topics} == everything


def test_a_change_shows_in_the_next_response(client, name):
    for _ in range(2):
        assert row(client, name).ErrorCode == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    create(client, creatable(name))
    for _ in range(2):
        assert len(row(client, name).Partitions) == 1
    grown = messages.CreatePartitionsRequest.CreatePartitionsTopic(Name=name, Count=4, Assignments=None)
    client.ask(messages.CreatePartitionsRequest(Topics=[grown]), 3)
    assert len(row(client, name).Partitions) == 4
    delete(client, 6, names=[name])
    assert row(client, name).ErrorCode == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_topics_are_found_by_id(client, name):
    (made,) = create(client, creatable(name))
    found, unknown = metadata(client, ids=[made.TopicId, b"\7" * 16]).Topics
    assert (found.Name, found.ErrorCode) == (name, 0)
    assert (unknown.Name, unknown.ErrorCode) == (None, ErrorCode.UNKNOWN_TOPIC_ID)


def test_a_topic_is_made_where_client_and_broker_allow_it(tmp_path, client, name):
    assert row(client, name, creates=False).ErrorCode == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert row(client, name, creates=True).ErrorCode == 0
    assert row(client, "a b", creates=True).ErrorCode == ErrorCode.INVALID_TOPIC_EXCEPTION
    properties = {"auto_create_topics_enable": "false", "num_partitions": 7}
    with running_broker(tmp_path, **properties) as broker, RawClient(broker.address) as other:
        assert row(other, name, creates=True).ErrorCode == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        create(other, creatable("t", -1, -1))
        assert len(row(other, "t").Partitions) == 7


def test_internal_topics_are_made_as_kafka_makes_them(kafka, client):
    found = row(client, "__transaction_state", creates=True)
    assert (found.IsInternal, len(found.Partitions)) == (True, 50)
    image = kafka.call(lambda: kafka.broker.topics.by_name["__transaction_state"])
    assert image.configs["cleanup.policy"] == "compact"


def described(client, *names, limit=2000, cursor=None):
    cls = messages.DescribeTopicPartitionsRequest
    topics = [cls.TopicRequest(Name=name) for name in names]
    return client.ask(cls(Topics=topics, ResponsePartitionLimit=limit, Cursor=cursor), 0)


def test_partitions_are_told_of_page_by_page(client, name):
    one, two = f"{name}-a", f"{name}-b"
    create(client, creatable(one, 3), creatable(two, 2))
    found, cursor = [], None
    for _ in range(3):
        page = described(client, two, one, limit=2, cursor=cursor)
        found += [(topic.Name, each.PartitionIndex) for topic in page.Topics for each in topic.Partitions]
        if page.NextCursor is None:
            break
        cursor = messages.DescribeTopicPartitionsRequest.Cursor_(
            TopicName=page.NextCursor.TopicName, PartitionIndex=page.NextCursor.PartitionIndex
        )
    assert found == [(one, 0), (one, 1), (one, 2), (two, 0), (two, 1)]
    (missing,) = described(client, "nobody").Topics
    assert missing.ErrorCode == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.parametrize("version", range(3))
def test_the_cluster_is_described(kafka, client, version):
    response = client.ask(messages.DescribeClusterRequest(), version)
    (broker,) = response.Brokers
    assert (response.ControllerId, broker.BrokerId, f"{broker.Host}:{broker.Port}") == (1, 1, kafka.address)
    if version:
        other = client.ask(messages.DescribeClusterRequest(EndpointType=2), version)
        assert other.ErrorCode == ErrorCode.MISMATCHED_ENDPOINT_TYPE


# Addresses


def test_clients_are_told_what_they_dialled_unless_a_name_is_advertised(tmp_path):
    with running_broker(tmp_path) as running:
        broker = running.broker
        assert broker.endpoint(Peer("/10.0.0.9", "10.0.0.1:9092")) == ("10.0.0.1", 9092)
        assert broker.endpoint(Peer("/::1", "[::1]:9092")) == ("::1", 9092)
        broker.is_advertised = True
        broker.address = "kafka.example:19092"
        assert broker.endpoint(Peer("/10.0.0.9", "10.0.0.1:9092")) == ("kafka.example", 19092)


def test_logs_that_no_topic_names_are_dropped_at_the_start(tmp_path):
    """As after a crash between the commit that deletes a topic and the end of its logs."""
    with running_broker(tmp_path) as running:
        with RawClient(running.address) as client:
            create(client, creatable("gone", 3), creatable("kept"))
            produce(client, "gone", {index: batch(b"a") for index in range(3)})
            produce(client, "kept", {0: batch(b"a")})
        broker = running.broker
        running.call(lambda: broker.topics.delete(broker.topics.by_name["gone"]))
        running.restart()
        broker = running.broker
        running.call(lambda: broker.dropped("gone"))
        assert running.call(lambda: [log for log in broker.logs.names("kafka/1/") if "gone" in log]) == []
        with RawClient(running.address) as client:
            create(client, creatable("gone", 3))
            (made,) = produce(client, "gone", {0: batch(b"b")}).values()
            assert (made.ErrorCode, made.BaseOffset) == (0, 0)
            (made,) = produce(client, "kept", {0: batch(b"b")}).values()
            assert made.BaseOffset == 1
