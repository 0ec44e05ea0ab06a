"""CreateTopics, DeleteTopics, CreatePartitions: the errors and texts are those of Apache Kafka 4.3."""

import pytest
from tests.kafka.raw_client import RawClient
from tests.kafka.running_broker import running_broker

from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

Creatable = messages.CreateTopicsRequest.CreatableTopic
ILLEGAL = "contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
INVALID = "Topic name is invalid: "
MANUAL = "The manual partition assignment includes"


@pytest.fixture
def client(kafka):
    with RawClient(kafka.address) as client:
        yield client


def assigned(*replicas):
    cls = messages.CreateTopicsRequest.CreatableReplicaAssignment
    return [cls(PartitionIndex=index, BrokerIds=list(each)) for index, each in enumerate(replicas)]


def creatable(name, partitions=1, factor=1, configs=(), assignments=()):
    cls = messages.CreateTopicsRequest.CreatableTopicConfig
    return Creatable(
        Name=name,
        NumPartitions=-1 if assignments else partitions,
        ReplicationFactor=-1 if assignments else factor,
        Configs=[cls(Name=key, Value=value) for key, value in configs],
        Assignments=list(assignments),
    )


def create(client, *topics, version=7, dry=False):
    return client.ask(messages.CreateTopicsRequest(Topics=list(topics), validateOnly=dry), version).Topics


@pytest.mark.parametrize("version", range(2, 8))
def test_a_topic_is_made(client, name, version):
    (made,) = create(client, creatable(name, 3, configs=[("retention.ms", "5000")]), version=version)
    assert (made.ErrorCode, made.ErrorMessage) == (0, None)
    if version >= 5:
        assert (made.NumPartitions, made.ReplicationFactor) == (3, 1)
        configs = {config.Name: (config.Value, config.ConfigSource) for config in made.Configs}
        assert configs["retention.ms"] == ("5000", 1)
        assert configs["cleanup.policy"] == ("delete", 5)
    wanted = messages.MetadataRequest.MetadataRequestTopic(Name=name)
    (row,) = client.ask(messages.MetadataRequest(Topics=[wanted]), 12).Topics
    assert [partition.LeaderId for partition in row.Partitions] == [1, 1, 1]
    if version >= 7:
        assert row.TopicId == made.TopicId != bytes(16)


REFUSED = {
    "zero partitions": (
        creatable("x", 0), ErrorCode.INVALID_PARTITIONS,
        "Number of partitions was set to an invalid non-positive value.",
    ),
    "zero replicas": (
        creatable("x", 1, 0), ErrorCode.INVALID_REPLICATION_FACTOR,
        "Replication factor must be larger than 0, or -1 to use the default value.",
    ),
    "more replicas than brokers": (
        creatable("x", 1, 3), ErrorCode.INVALID_REPLICATION_FACTOR,
        "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached "
        "because only 1 broker(s) are registered or some brokers have all their log directories cordoned.",
    ),
    "no name": (
        creatable(""), ErrorCode.INVALID_TOPIC_EXCEPTION, INVALID + "the empty string is not allowed"
    ),
    "dots": (creatable(".."), ErrorCode.INVALID_TOPIC_EXCEPTION, INVALID + "'..' is not allowed"),
    "a blank": (creatable("a b"), ErrorCode.INVALID_TOPIC_EXCEPTION, f"{INVALID}'a b' {ILLEGAL}"),
    "a long name": (
        creatable("a" * 250), ErrorCode.INVALID_TOPIC_EXCEPTION,
        f"{INVALID}the length of '{'a' * 250}' is longer than the max allowed length 249",
    ),
    "the metadata's name": (
        creatable("__cluster_metadata"), ErrorCode.INVALID_REQUEST,
        "Creation of internal topic __cluster_metadata is prohibited.",
    ),
    "an unknown property": (
        creatable("x", configs=[("nosuch", "1")]), ErrorCode.INVALID_CONFIG,
        "Unknown topic config name: nosuch",
    ),
    "an unknown broker": (
        creatable("x", assignments=assigned([1], [2])), ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        f"{MANUAL} broker 2, but no such broker is registered.",
    ),
    "a broker twice": (
        creatable("x", assignments=assigned([1, 1])), ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        f"{MANUAL} the broker 1 more than once.",
    ),
    "no replicas": (
        creatable("x", assignments=assigned([])), ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        f"{MANUAL} an empty replica list.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_kafka_refuses_is_refused_in_its_words(client, case):
    topic, code, text = REFUSED[case]
    (made,) = create(client, topic)
    assert (made.ErrorCode, made.ErrorMessage) == (code, text)


def test_a_null_property_is_refused(client, name):
    (made,) = create(client, creatable(name, configs=[("retention.ms", None)]))
    assert made.ErrorCode == ErrorCode.INVALID_CONFIG
    assert made.ErrorMessage == "Null value not supported for topic configs: retention.ms"


def test_a_name_is_taken_once(client, name):
    create(client, creatable(name))
    (made,) = create(client, creatable(name))
    assert (made.ErrorCode, made.ErrorMessage) == (
        ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.",
    )  # fmt: skip
    twice = create(client, creatable(name + "x"), creatable(name + "x"), creatable(name + "y"))
    assert {(made.Name, made.ErrorCode) for made in twice} == {
        (name + "x", ErrorCode.INVALID_REQUEST), (name + "y", 0),
    }  # fmt: skip


def test_dots_and_underscores_clash(client, name):
    dotted, scored = name.replace("_", "."), name.replace("-", "_")
    create(client, creatable(f"{scored}_a"))
    (made,) = create(client, creatable(f"{scored}.a"))
    assert made.ErrorCode == ErrorCode.INVALID_TOPIC_EXCEPTION
    assert made.ErrorMessage == f"Topic '{scored}.a' collides with existing topic: {scored}_a"
    assert dotted


def test_validation_makes_nothing(client, name):
    (made,) = create(client, creatable(name), dry=True)
    assert made.ErrorCode == 0
    (made,) = create(client, creatable(name))
    assert made.ErrorCode == 0


def test_many_partitions_take_several_commits_and_are_all_there_after_a_restart(tmp_path):
    with running_broker(tmp_path) as broker:
        with RawClient(broker.address) as client:
            (made,) = create(client, creatable("large", 333))
            assert made.ErrorCode == 0
            grown = messages.CreatePartitionsRequest.CreatePartitionsTopic(
                Name="large", Count=555, Assignments=None
            )
            (result,) = client.ask(messages.CreatePartitionsRequest(Topics=[grown]), 3).Results
            assert result.ErrorCode == 0
        broker.restart()
        with RawClient(broker.address) as client:
            (row,) = client.ask(messages.MetadataRequest(Topics=None), 12).Topics
            assert [partition.PartitionIndex for partition in row.Partitions] == list(range(555))


def test_too_many_partitions_are_refused(client, name):
    (made,) = create(client, creatable(name, 10_001))
    assert made.ErrorCode == ErrorCode.POLICY_VIOLATION


def delete(client, version, *, names=(), ids=()):
    cls = messages.DeleteTopicsRequest.DeleteTopicState
    if version >= 6:
        topics = [cls(Name=each) for each in names] + [cls(Name=None, TopicId=each) for each in ids]
        request = messages.DeleteTopicsRequest(Topics=topics)
    else:
        request = messages.DeleteTopicsRequest(TopicNames=list(names))
    return client.ask(request, version).Responses


@pytest.mark.parametrize("version", range(1, 7))
def test_topics_are_deleted_by_name(client, name, version):
    create(client, creatable(name))
    gone, unknown = delete(client, version, names=[name, "nobody"])
    assert gone.ErrorCode == 0
    assert unknown.ErrorCode == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if version >= 5:
        assert unknown.ErrorMessage == "This server does not host this topic-partition."
    wanted = messages.MetadataRequest.MetadataRequestTopic(Name=name)
    request = messages.MetadataRequest(Topics=[wanted], AllowAutoTopicCreation=False)
    (row,) = client.ask(request, 12).Topics
    assert row.ErrorCode == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_topics_are_deleted_by_id(client, name):
    (made,) = create(client, creatable(name))
    gone, unknown = delete(client, 6, ids=[made.TopicId, b"\7" * 16])
    assert (gone.ErrorCode, gone.Name) == (0, name)
    assert unknown.ErrorCode == ErrorCode.UNKNOWN_TOPIC_ID
    assert unknown.ErrorMessage == "This server does not host this topic ID."


def test_what_names_a_topic_twice_or_not_at_all_is_refused(client, name):
    (made,) = create(client, creatable(name))
    cls = messages.DeleteTopicsRequest.DeleteTopicState
    topics = [cls(Name=None), cls(Name=name, TopicId=made.TopicId), cls(Name=name), cls(Name=name)]
    said = client.ask(messages.DeleteTopicsRequest(Topics=topics), 6).Responses
    assert [row.ErrorMessage for row in said] == [
        "Neither topic name nor id were specified.",
        "You may not specify both topic name and topic id.",
        "Duplicate topic name.",
    ]


def test_a_topic_made_anew_is_empty_and_has_another_id(kafka, client, name):
    (first,) = create(client, creatable(name))
    kafka.call(lambda: produced(kafka, name))
    delete(client, 6, names=[name])
    (second,) = create(client, creatable(name))
    assert second.TopicId != first.TopicId
    assert kafka.call(lambda: kafka.broker.partition(name, 0).stop_offset) == 0


async def produced(kafka, name):
    from cloudlet.wire.kafka.records import Record, encode

    await kafka.broker.partition(name, 0).append(encode([Record(b"v")]))


def test_deletion_may_be_forbidden(tmp_path):
    with running_broker(tmp_path, delete_topic_enable="false") as broker, RawClient(broker.address) as client:
        create(client, creatable("t"))
        (row,) = delete(client, 6, names=["t"])
        assert row.ErrorCode == ErrorCode.TOPIC_DELETION_DISABLED


GROWTHS = {
    1: (ErrorCode.INVALID_PARTITIONS,
        "The topic {} currently has 2 partition(s); 1 would not be an increase."),
    2: (ErrorCode.INVALID_PARTITIONS, "Topic already has 2 partition(s)."),
    3: (0, None),
}  # fmt: skip


@pytest.mark.parametrize("count", GROWTHS)
def test_topics_grow_and_never_shrink(client, name, count):
    create(client, creatable(name, 2))
    grown = messages.CreatePartitionsRequest.CreatePartitionsTopic(Name=name, Count=count, Assignments=None)
    (row,) = client.ask(messages.CreatePartitionsRequest(Topics=[grown]), 3).Results
    code, text = GROWTHS[count]
    assert (row.ErrorCode, row.ErrorMessage) == (code, text and text.format(name))
