"""Elections, reassignments, log folders, producers, the quorum, features: answers and texts of Kafka 4.3."""

import pytest
from tests.kafka.raw_client import RawClient
from tests.kafka.test_create_topics import creatable, create
from tests.kafka.test_produce import batch, produce

from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import Producer


@pytest.fixture
def client(kafka):
    with RawClient(kafka.address) as client:
        yield client


NOT_NEEDED = (84, "Leader election not needed for topic partition.")


def elect(client, partitions, kind=0, version=2):
    """(error code, topic -> index -> (code, message)); `partitions` is None or topic -> indexes."""
    cls = messages.ElectLeadersRequest
    topics = None
    if partitions is not None:
        topics = [cls.TopicPartitions_(Topic=name, Partitions=each) for name, each in partitions.items()]
    response = client.ask(cls(ElectionType=kind, TopicPartitions=topics), version)
    return response.ErrorCode, {
        topic.Topic: {row.PartitionId: (row.ErrorCode, row.ErrorMessage) for row in topic.PartitionResult}
        for topic in response.ReplicaElectionResults
    }


@pytest.mark.parametrize("version", range(3))
def test_elections_are_not_needed_with_one_replica(client, name, version):
    create(client, creatable(name))
    code, found = elect(client, {name: [0, 9], "nope": [0]}, version=version)
    assert code == 0
    assert found == {
        name: {0: NOT_NEEDED, 9: (3, f"No such partition as {name}-9")},
        "nope": {0: (3, "No such topic as nope")},
    }
    code, found = elect(client, None, version=version)
    assert (code, found[name]) == (0, {}), "of all partitions, only those whose election was needed are told"


def test_an_unknown_kind_of_election_is_refused(client, name):
    create(client, creatable(name))
    assert elect(client, {name: [0]}, kind=1)[1] == {name: {0: NOT_NEEDED}}
    assert elect(client, {name: [0]}, kind=5) == (42, {name: {0: (42, "Unknown election type 5")}})


def reassign(client, wanted, version=1):
    """Topic -> index -> (code, message)."""
    cls = messages.AlterPartitionReassignmentsRequest
    topics = [
        cls.ReassignableTopic(
            Name=name,
            Partitions=[
                cls.ReassignablePartition(PartitionIndex=index, Replicas=replicas)
                for index, replicas in each.items()
            ],
        )
        for name, each in wanted.items()
    ]
    response = client.ask(cls(Topics=topics), version)
    assert response.ErrorCode == 0
    return {
        topic.Name: {row.PartitionIndex: (row.ErrorCode, row.ErrorMessage) for row in topic.Partitions}
        for topic in response.Responses
    }


@pytest.mark.parametrize("version", range(2))
def test_partitions_are_reassigned_to_the_broker_that_there_is(client, name, version):
    create(client, creatable(name, 4))
    manual = "The manual partition assignment includes"
    wanted = {name: {0: [1], 1: [2], 2: None, 3: [1, 1], 7: [1]}, "nope": {0: [1]}}
    assert reassign(client, wanted, version) == {
        name: {
            0: (0, None),
            1: (39, f"{manual} broker 2, but no such broker is registered."),
            2: (85, None),
            3: (39, f"{manual} the broker 1 more than once."),
            7: (3, f"Unable to find partition {name}:7."),
        },
        "nope": {0: (3, "Unable to find a topic named nope.")},
    }
    listed = client.ask(messages.ListPartitionReassignmentsRequest(Topics=None), 0)
    assert (listed.ErrorCode, listed.Topics) == (0, [])


@pytest.mark.parametrize("version", range(1, 6))
def test_the_log_folder_tells_sizes(kafka, client, name, version):
    create(client, creatable(name, 2))
    produce(client, name, {0: batch(b"x" * 1000)})
    cls = messages.DescribeLogDirsRequest
    topic = cls.DescribableLogDirTopic(Topic=name, Partitions=[0, 1, 9])
    response = client.ask(cls(Topics=[topic, cls.DescribableLogDirTopic(Topic="no")]), version)
    (folder,) = response.Results
    assert folder.LogDir == kafka.broker.log_dir
    ((one, two),) = [each.Partitions for each in folder.Topics]
    assert one.PartitionSize > 1000
    assert two.PartitionSize == 0
    if version >= 4:
        assert 0 < folder.UsableBytes <= folder.TotalBytes
    everything = client.ask(cls(Topics=None), version).Results[0].Topics
    assert name in {each.Name for each in everything}


def test_replicas_are_moved_to_no_other_folder(kafka, client, name):
    create(client, creatable(name))
    cls = messages.AlterReplicaLogDirsRequest
    topics = [cls.AlterReplicaLogDirTopic(Name=each, Partitions=[0]) for each in (name, "no")]
    folders = [
        cls.AlterReplicaLogDir(Path=kafka.broker.log_dir, Topics=topics),
        cls.AlterReplicaLogDir(Path="/elsewhere", Topics=topics[:1]),
    ]
    response = client.ask(cls(Dirs=folders), 2)
    assert {each.TopicName: [row.ErrorCode for row in each.Partitions] for each in response.Results} == {
        name: [0, ErrorCode.LOG_DIR_NOT_FOUND], "no": [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    }  # fmt: skip


def test_producers_are_described(client, name):
    create(client, creatable(name))
    owner = client.ask(messages.InitProducerIdRequest(TransactionalId=None), 5).ProducerId
    produce(client, name, {0: batch(b"a", b"b", producer=Producer(owner, 0, 0))})
    cls = messages.DescribeProducersRequest
    topics = [
        cls.TopicRequest(Name=name, PartitionIndexes=[0, 9]),
        cls.TopicRequest(Name="no", PartitionIndexes=[0]),
    ]
    known, unknown = client.ask(cls(Topics=topics), 0).Topics
    (producer,) = known.Partitions[0].ActiveProducers
    assert (producer.ProducerId, producer.ProducerEpoch, producer.LastSequence) == (owner, 0, 1)
    assert producer.CurrentTxnStartOffset == -1
    assert known.Partitions[1].ErrorCode == unknown.Partitions[0].ErrorCode == 3
    assert unknown.Partitions[0].ErrorMessage == "This server does not host this topic-partition."


@pytest.mark.parametrize("version", range(3))
def test_the_quorum_is_this_broker(client, version):
    cls = messages.DescribeQuorumRequest
    topics = [
        cls.TopicData(TopicName=name, Partitions=[cls.PartitionData(PartitionIndex=0)])
        for name in ("__cluster_metadata", "other")
    ]
    mine, other = client.ask(cls(Topics=topics), version).Topics
    row = mine.Partitions[0]
    assert (row.ErrorCode, row.LeaderId, [voter.ReplicaId for voter in row.CurrentVoters]) == (0, 1, [1])
    assert other.Partitions[0].ErrorCode == 3


def test_the_broker_that_runs_is_not_unregistered(client):
    cls = messages.UnregisterBrokerRequest
    assert client.ask(cls(BrokerId=1), 0).ErrorCode == ErrorCode.INVALID_REQUEST
    assert client.ask(cls(BrokerId=7), 0).ErrorCode == ErrorCode.BROKER_ID_NOT_REGISTERED


def test_no_telemetry_is_asked_for(client):
    asked = client.ask(messages.GetTelemetrySubscriptionsRequest(), 0)
    assert (asked.ErrorCode, asked.RequestedMetrics) == (0, [])
    assert asked.ClientInstanceId != bytes(16)
    push = messages.PushTelemetryRequest(ClientInstanceId=asked.ClientInstanceId, SubscriptionId=5)
    assert client.ask(push, 0).ErrorCode == ErrorCode.UNKNOWN_SUBSCRIPTION_ID


FAILED = "The update failed for all features since the following feature had an error: "


@pytest.mark.parametrize(
    ("feature", "level", "code", "begins"),
    [
        ("transaction.version", 2, 0, ""),
        ("transaction.version", 9, 95, f"{FAILED}Invalid update version 9 for feature transaction.version."),
        ("nope", 1, 95, f"{FAILED}Invalid update version 1 for feature nope. "
                        "Local controller 1 does not support this feature."),
    ],
)  # fmt: skip
def test_features_stay_at_their_levels(client, feature, level, code, begins):
    cls = messages.UpdateFeaturesRequest
    update = cls.FeatureUpdateKey(Feature=feature, MaxVersionLevel=level)
    response = client.ask(cls(FeatureUpdates=[update]), 2)
    assert response.ErrorCode == code
    assert (response.ErrorMessage or "").startswith(begins)
    (row,) = client.ask(cls(FeatureUpdates=[update]), 1).Results
    assert row.ErrorCode == code
