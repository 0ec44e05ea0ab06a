"""The requests of groups as they are on the wire: versions, errors, what a client of each age is told."""

import pytest
from tests.kafka.raw_client import RawClient

from cloudlet.kafka.groups import consumer_calls
from cloudlet.wire.kafka import messages as m
from cloudlet.wire.kafka.error_codes import ErrorCode

NULL_ID = bytes(16)


@pytest.fixture
def client(kafka):
    with RawClient(kafka.address) as found:
        yield found


@pytest.fixture
def topic(client, name):
    create(client, name)
    return name


def create(client, name, partitions=2):
    row = m.CreateTopicsRequest.CreatableTopic(Name=name, NumPartitions=partitions, ReplicationFactor=1)
    answer = client.ask(m.CreateTopicsRequest(Topics=[row], timeoutMs=5000), 7)
    assert answer.Topics[0].ErrorCode == 0
    return answer.Topics[0].TopicId


def join(
    client, group, version=9, member="", session_ms=10_000, kind="consumer", protocols=("range",), **more
):
    request = m.JoinGroupRequest(
        GroupId=group,
        SessionTimeoutMs=session_ms,
        RebalanceTimeoutMs=20_000,
        MemberId=member,
        ProtocolType=kind,
        Protocols=[
            m.JoinGroupRequest.JoinGroupRequestProtocol(Name=protocol, Metadata=b"") for protocol in protocols
        ],
        **more,
    )
    return client.ask(request, version)


def commit(client, group, rows, version=8, **more):
    """rows: topic (a name, or an id) -> partition -> (offset, metadata)"""
    shape = m.OffsetCommitRequest
    topics = [
        shape.OffsetCommitRequestTopic(
            **({"TopicId": topic} if version >= 10 else {"Name": topic}),
            Partitions=[
                shape.OffsetCommitRequestPartition(
                    PartitionIndex=index, CommittedOffset=offset, CommittedMetadata=metadata
                )
                for index, (offset, metadata) in partitions.items()
            ],
        )
        for topic, partitions in rows.items()
    ]
    answer = client.ask(shape(GroupId=group, Topics=topics, **more), version)
    return [row.ErrorCode for found in answer.Topics for row in found.Partitions]


def test_find_coordinator(client, kafka):
    port = int(kafka.address.rpartition(":")[2])
    for kind in (0, 1):
        answer = client.ask(m.FindCoordinatorRequest(Key="g", KeyType=kind), 3)
        assert (answer.ErrorCode, answer.NodeId, answer.Host, answer.Port) == (0, 1, "127.0.0.1", port)
        answer = client.ask(m.FindCoordinatorRequest(CoordinatorKeys=["a", "b"], KeyType=kind), 6)
        assert [(row.Key, row.ErrorCode, row.NodeId) for row in answer.Coordinators] == [
            ("a", 0, 1),
            ("b", 0, 1),
        ]
    answer = client.ask(m.FindCoordinatorRequest(Key="g", KeyType=9), 3)
    assert (answer.ErrorCode, answer.NodeId) == (ErrorCode.INVALID_REQUEST, -1)


@pytest.mark.parametrize("version", range(10))
def test_a_member_of_every_age_joins_and_syncs(client, name, version):
    answer = join(client, name, version)
    if version >= 4:
        assert answer.ErrorCode == ErrorCode.MEMBER_ID_REQUIRED
        assert answer.MemberId.startswith("raw-")
        answer = join(client, name, version, member=answer.MemberId)
    assert (answer.ErrorCode, answer.GenerationId, answer.ProtocolName) == (0, 1, "range")
    assert answer.Leader == answer.MemberId == answer.Members[0].MemberId
    share = m.SyncGroupRequest.SyncGroupRequestAssignment(MemberId=answer.MemberId, Assignment=b"all")
    request = m.SyncGroupRequest(GroupId=name, GenerationId=1, MemberId=answer.MemberId, Assignments=[share])
    if version >= 5:
        request.ProtocolType, request.ProtocolName = "consumer", "range"
    synced = client.ask(request, min(version, 5))
    assert (synced.ErrorCode, bytes(synced.Assignment)) == (0, b"all")
    beat = m.HeartbeatRequest(GroupId=name, GenerationId=1, MemberId=answer.MemberId)
    assert client.ask(beat, min(version, 4)).ErrorCode == 0
    [row] = client.ask(m.DescribeGroupsRequest(Groups=[name]), min(version, 6)).Groups
    assert (row.GroupState, row.ProtocolType, row.ProtocolData) == ("Stable", "consumer", "range")
    assert bytes(row.Members[0].MemberAssignment) == b"all"
    leave = m.LeaveGroupRequest(GroupId=name)
    if version >= 3:
        leave.Members = [m.LeaveGroupRequest.MemberIdentity(MemberId=answer.MemberId)]
    else:
        leave.MemberId = answer.MemberId
    left = client.ask(leave, min(version, 5))
    assert (left.ErrorCode, [row.ErrorCode for row in left.Members]) == (0, [0] if version >= 3 else [])
    [row] = client.ask(m.DescribeGroupsRequest(Groups=[name]), 5).Groups
    assert row.GroupState == "Empty"


def test_joins_that_are_refused(client, name):
    assert join(client, "").ErrorCode == ErrorCode.INVALID_GROUP_ID
    assert join(client, "", session_ms=0).ErrorCode == ErrorCode.INVALID_GROUP_ID
    for session_ms in (5_999, 1_800_001):
        assert join(client, name, session_ms=session_ms).ErrorCode == ErrorCode.INVALID_SESSION_TIMEOUT
    assert join(client, name, kind="").ErrorCode == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert join(client, name, protocols=()).ErrorCode == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    for version in (4, 9):
        answer = join(client, name, version, member="nobody")
        assert answer.ErrorCode == ErrorCode.UNKNOWN_MEMBER_ID
        assert answer.ProtocolName == ("" if version < 7 else None)
    beat = m.HeartbeatRequest(GroupId=name, GenerationId=1, MemberId="nobody")
    assert client.ask(beat, 4).ErrorCode == ErrorCode.UNKNOWN_MEMBER_ID
    sync = m.SyncGroupRequest(GroupId=name, GenerationId=1, MemberId="nobody")
    assert client.ask(sync, 4).ErrorCode == ErrorCode.UNKNOWN_MEMBER_ID
    assert client.ask(sync, 5).ErrorCode == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    sync.ProtocolType, sync.ProtocolName = "consumer", "range"
    assert client.ask(sync, 5).ErrorCode == ErrorCode.UNKNOWN_MEMBER_ID
    assert client.ask(m.LeaveGroupRequest(GroupId=name, MemberId="nobody"), 2).ErrorCode == 25


def test_a_client_that_goes_while_its_join_is_parked_harms_nobody(kafka, client, name):
    first = join(client, name, 3)
    with RawClient(kafka.address) as other:
        protocol = m.JoinGroupRequest.JoinGroupRequestProtocol(Name="range", Metadata=b"")
        other.send(
            m.JoinGroupRequest(
                GroupId=name,
                SessionTimeoutMs=6_000,
                RebalanceTimeoutMs=20_000,
                ProtocolType="consumer",
                Protocols=[protocol],
            ),
            3,
        )
        beat = m.HeartbeatRequest(GroupId=name, GenerationId=1, MemberId=first.MemberId)
        while client.ask(beat, 4).ErrorCode != ErrorCode.REBALANCE_IN_PROGRESS:
            pass
    again = join(client, name, 3, member=first.MemberId)
    assert (again.ErrorCode, again.GenerationId) == (0, 2)


def test_offsets_by_name_and_by_id(client, name):
    topic_id = create(client, name)
    assert commit(client, name, {name: {0: (5, "note"), 1: (6, None)}}) == [0, 0]
    assert commit(client, name, {topic_id: {1: (7, "")}}, version=10) == [0]
    assert commit(client, name, {name: {2: (1, "")}}) == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    assert commit(client, name, {"none": {0: (1, "")}}) == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    assert commit(client, name, {b"?" * 16: {0: (1, "")}}, version=10) == [ErrorCode.UNKNOWN_TOPIC_ID]
    long = commit(client, name, {name: {0: (9, "x" * 4097), 1: (8, "x" * 4096)}})
    assert long == [ErrorCode.OFFSET_METADATA_TOO_LARGE, 0]
    shape = m.OffsetFetchRequest
    for version in range(1, 8):
        wanted = [shape.OffsetFetchRequestTopic(Name=name, PartitionIndexes=[0, 1, 9])]
        answer = client.ask(shape(GroupId=name, Topics=wanted), version)
        [row] = answer.Topics
        assert [(each.PartitionIndex, each.CommittedOffset) for each in row.Partitions] == [
            (0, 5),
            (1, 8),
            (9, -1),
        ]
        assert row.Partitions[0].Metadata == "note"
        if version >= 2:
            [row] = client.ask(shape(GroupId=name, Topics=None), version).Topics
            assert len(row.Partitions) == 2
    for version in (8, 9, 10):
        by_id = version == 10
        place = {"TopicId": topic_id} if by_id else {"Name": name}
        topic = shape.OffsetFetchRequestTopics(**place, PartitionIndexes=[0])
        groups = [
            shape.OffsetFetchRequestGroup(GroupId=name, Topics=[topic]),
            shape.OffsetFetchRequestGroup(GroupId="nobody", Topics=None),
        ]
        first, second = client.ask(shape(Groups=groups), version).Groups
        [row] = first.Topics
        assert (row.Name, row.TopicId) == (("", topic_id) if by_id else (name, NULL_ID))
        assert row.Partitions[0].CommittedOffset == 5
        assert (second.GroupId, second.ErrorCode, second.Topics) == ("nobody", 0, [])


def test_an_expiry_of_the_clients_own_is_kept(client, topic):
    assert commit(client, topic, {topic: {0: (1, "")}}, version=4, RetentionTimeMs=1000) == [0]


def test_commits_of_strangers(client, topic):
    answer = join(client, topic, 3)
    rows = {topic: {0: (1, "")}}
    assert commit(client, topic, rows) == [ErrorCode.UNKNOWN_MEMBER_ID]
    mine = {"MemberId": answer.MemberId, "GenerationIdOrMemberEpoch": 1}
    assert commit(client, topic, rows, **mine) == [ErrorCode.REBALANCE_IN_PROGRESS]
    other = {**mine, "GenerationIdOrMemberEpoch": 2}
    assert commit(client, topic, rows, **other) == [ErrorCode.ILLEGAL_GENERATION]
    lost = {"MemberId": "x", "GenerationIdOrMemberEpoch": 1}
    assert commit(client, f"{topic}-none", rows, **lost) == [ErrorCode.ILLEGAL_GENERATION]
    assert commit(client, f"{topic}-none", rows, version=9, **lost) == [ErrorCode.GROUP_ID_NOT_FOUND]


def test_deleting_offsets_and_groups(client, topic):
    commit(client, topic, {topic: {0: (5, "")}})
    shape = m.OffsetDeleteRequest
    rows = [shape.OffsetDeleteRequestPartition(PartitionIndex=index) for index in (0, 1, 9)]
    request = shape(GroupId=topic, Topics=[shape.OffsetDeleteRequestTopic(Name=topic, Partitions=rows)])
    answer = client.ask(request, 0)
    assert [row.ErrorCode for row in answer.Topics[0].Partitions] == [0, 0, 3]
    request.GroupId = "nobody"
    assert client.ask(request, 0).ErrorCode == ErrorCode.GROUP_ID_NOT_FOUND
    member = join(client, f"{topic}-live", 3)
    assert member.ErrorCode == 0
    answer = client.ask(m.DeleteGroupsRequest(GroupsNames=[topic, "nobody", f"{topic}-live"]), 2)
    found = {row.GroupId: row.ErrorCode for row in answer.Results}
    assert found == {topic: 0, "nobody": 69, f"{topic}-live": 68}


def test_describing_what_is_not_there(client, name):
    [row] = client.ask(m.DescribeGroupsRequest(Groups=[name]), 5).Groups
    assert (row.ErrorCode, row.GroupState) == (0, "Dead")
    [row] = client.ask(m.DescribeGroupsRequest(Groups=[name]), 6).Groups
    assert (row.ErrorCode, row.ErrorMessage) == (69, f"Group {name} not found.")
    [row] = client.ask(m.ConsumerGroupDescribeRequest(GroupIds=[name]), 1).Groups
    assert (row.ErrorCode, row.ErrorMessage) == (69, f"Group {name} not found.")
    answer = beat(client, name, epoch=3)
    assert (answer.ErrorCode, answer.ErrorMessage) == (69, f"Consumer group {name} not found.")


def test_listing_by_states_and_types(client, name):
    join(client, f"{name}-a", 3)
    join(client, f"{name}-b", 9)

    def listed(version=5, **more):
        answer = client.ask(m.ListGroupsRequest(**more), version)
        return {row.GroupId: row for row in answer.Groups if row.GroupId.startswith(name)}

    assert set(listed()) == set(listed(0)) == {f"{name}-a", f"{name}-b"}
    assert set(listed(StatesFilter=["EMPTY"])) == {f"{name}-b"}
    assert set(listed(StatesFilter=["completingrebalance"])) == {f"{name}-a"}
    assert set(listed(TypesFilter=["consumer"])) == set()
    row = listed(TypesFilter=["CLASSIC"])[f"{name}-a"]
    assert (row.ProtocolType, row.GroupState, row.GroupType) == ("consumer", "CompletingRebalance", "Classic")


def beat(client, group, version=1, member="m", epoch=0, **more):
    if epoch == 0:
        more = {"RebalanceTimeoutMs": 1000, "SubscribedTopicNames": [group], "TopicPartitions": [], **more}
    request = m.ConsumerGroupHeartbeatRequest(GroupId=group, MemberId=member, MemberEpoch=epoch, **more)
    return client.ask(request, version)


def test_the_heartbeats_of_a_consumer_group(client, topic):
    answer = beat(client, topic)
    assert (answer.ErrorCode, answer.MemberId, answer.MemberEpoch) == (0, "m", 1)
    assert answer.HeartbeatIntervalMs == 5000
    assert [sorted(each.Partitions) for each in answer.Assignment.TopicPartitions] == [[0, 1]]
    assert beat(client, topic, epoch=1).Assignment is None
    [row] = client.ask(m.ConsumerGroupDescribeRequest(GroupIds=[topic]), 1).Groups
    assert (row.GroupState, row.GroupEpoch, row.AssignmentEpoch) == ("Stable", 1, 1)
    [member] = row.Members
    assert (member.ClientId, member.ClientHost, member.MemberType) == ("raw", "/127.0.0.1", 1)
    assert member.TargetAssignment.TopicPartitions[0].TopicName == topic
    assert commit(client, topic, {topic: {0: (3, "")}}, version=9) == [ErrorCode.UNKNOWN_MEMBER_ID]
    mine = {"MemberId": "m", "GenerationIdOrMemberEpoch": 1}
    assert commit(client, topic, {topic: {0: (3, "")}}, version=9, **mine) == [0]
    assert commit(client, topic, {topic: {0: (3, "")}}, **mine) == [ErrorCode.UNSUPPORTED_VERSION]
    assert join(client, topic).ErrorCode == ErrorCode.MEMBER_ID_REQUIRED
    broken = join(client, topic, member="x")  # what it brings is not what consumers bring
    assert broken.ErrorCode == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert beat(client, topic, epoch=-1).MemberEpoch == -1


def test_an_expression_stands_for_internal_topics_too(client, topic):
    more = {"SubscribedTopicNames": [], "SubscribedTopicRegex": "__consumer_off.*"}
    answer = beat(client, topic, **more)
    [found] = answer.Assignment.TopicPartitions
    row = m.MetadataRequest.MetadataRequestTopic(Name="__consumer_offsets")
    [known] = client.ask(m.MetadataRequest(Topics=[row]), 12).Topics
    assert (found.TopicId, len(found.Partitions)) == (known.TopicId, len(known.Partitions))


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"member": ""}, "MemberId can't be empty."),
        ({"InstanceId": " "}, "InstanceId can't be empty."),
        ({"RackId": ""}, "RackId can't be empty."),
        ({"RebalanceTimeoutMs": -1}, "RebalanceTimeoutMs must be provided in first request."),
        ({"TopicPartitions": None}, "TopicPartitions must be empty when (re-)joining."),
        (
            {"SubscribedTopicNames": None},
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
        ({"epoch": -2}, "InstanceId can't be null."),
        ({"epoch": -3}, "MemberEpoch is invalid."),
    ],
)
def test_heartbeats_that_contradict_themselves(client, name, more, text):
    answer = beat(client, name, **more)
    assert (answer.ErrorCode, answer.ErrorMessage) == (ErrorCode.INVALID_REQUEST, text)


def test_other_heartbeats_that_are_refused(client, name):
    assert beat(client, "").ErrorCode == ErrorCode.INVALID_REQUEST
    assert beat(client, name, ServerAssignor="best").ErrorCode == ErrorCode.UNSUPPORTED_ASSIGNOR
    assert beat(client, name, epoch=3).ErrorCode == ErrorCode.GROUP_ID_NOT_FOUND
    assert beat(client, name, SubscribedTopicRegex="(").ErrorCode == ErrorCode.INVALID_REGULAR_EXPRESSION
    assert beat(client, name, 0, member="").MemberId  # of old, the broker named its members
    assert beat(client, name, member="x", epoch=1).ErrorCode == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_groups_own_properties_hold(client, topic):
    shape = m.IncrementalAlterConfigsRequest
    change = shape.AlterableConfig(Name="consumer.heartbeat.interval.ms", ConfigOperation=0, Value="7000")
    resource = shape.AlterConfigsResource(ResourceType=32, ResourceName=topic, Configs=[change])
    assert client.ask(shape(Resources=[resource]), 1).Responses[0].ErrorCode == 0
    assert beat(client, topic).HeartbeatIntervalMs == 7000


@pytest.mark.parametrize("software", ["librdkafka", "apache-kafka-java"])
def test_a_librdkafka_waits_a_moment_for_a_new_assignment(client, name, topic, monkeypatch, software):
    """Or one that has unsubscribed meanwhile never comes back: consumer_calls.NEWS_S."""
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    monkeypatch.setattr(consumer_calls, "sleep", sleep)
    client.ask(m.ApiVersionsRequest(ClientSoftwareName=software, ClientSoftwareVersion="2.15.0"), 3)
    answer = beat(
        client, name, epoch=0, SubscribedTopicNames=[topic], RebalanceTimeoutMs=1000, TopicPartitions=[]
    )
    assert answer.ErrorCode == 0
    assert (consumer_calls.NEWS_S in waited) is (software == "librdkafka")
    waited.clear()
    beat(client, name, epoch=answer.MemberEpoch)
    assert consumer_calls.NEWS_S not in waited
