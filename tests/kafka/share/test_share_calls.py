"""The requests of share groups, frame by frame: what is answered, and what is refused."""

import asyncio
import time

import pytest
from confluent_kafka import Producer
from tests.kafka.groups.test_group_clients import make_topic
from tests.kafka.raw_client import RawClient
from tests.kafka.running_broker import running_broker

from cloudlet.kafka.share.coordinator import Shares
from cloudlet.kafka.share.state_records import ShareKey
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.apis import apis
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import Record, decode, encode

SECONDS = 20
MEMBER = "member"
ACCEPT, RELEASE, RENEW = 1, 2, 4
Fetch = messages.ShareFetchRequest
Say = messages.ShareAcknowledgeRequest


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    settings = {
        "group_share_min_record_lock_duration_ms": 1000,
        "group_share_max_share_sessions": 4,
        "group_share_min_session_timeout_ms": 100,
        "group_share_min_heartbeat_interval_ms": 50,
        "offsets_topic_num_partitions": 3,
        "share_coordinator_state_topic_num_partitions": 3,
    }
    with running_broker(tmp_path_factory.mktemp("kafka"), **settings) as broker:
        yield broker


def wait_until(is_so):
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


class Member:
    """A member of a share group that speaks frames."""

    def __init__(self, kafka, group, topic, member=MEMBER):
        self.client = RawClient(kafka.address)
        self.group, self.member, self.topic = group, member, topic
        named = self.client.ask(
            messages.MetadataRequest(
                Topics=[messages.MetadataRequest.MetadataRequestTopic(Name=topic)],
                AllowAutoTopicCreation=False,
            ),
            12,
        )
        self.topic_id = named.Topics[0].TopicId
        self.epoch = 0

    def beat(self, epoch, *topics):
        return self.client.ask(
            messages.ShareGroupHeartbeatRequest(
                GroupId=self.group,
                MemberId=self.member,
                MemberEpoch=epoch,
                SubscribedTopicNames=list(topics) or None,
            ),
            1,
        )

    def join(self):
        answer = self.beat(0, self.topic)
        assert answer.ErrorCode == 0
        return answer

    def request(self, *said, wait_ms=0, **more):
        wanted = Fetch.FetchPartition(
            PartitionIndex=0,
            AcknowledgementBatches=[
                Fetch.AcknowledgementBatch(FirstOffset=first, LastOffset=last, AcknowledgeTypes=list(types))
                for first, last, *types in said
            ],
        )
        values = {
            "GroupId": self.group,
            "MemberId": self.member,
            "ShareSessionEpoch": self.epoch,
            "MaxWaitMs": wait_ms,
            "MinBytes": 1,
            "MaxBytes": 1 << 20,
            "MaxRecords": 500,
            "BatchSize": 500,
            "Topics": [Fetch.FetchTopic(TopicId=self.topic_id, Partitions=[wanted])],
            **more,
        }
        return Fetch(**values)

    def fetch(self, *said, version=2, **more):
        """Fetch partition 0 once more; the row of it, None for no news."""
        self.answer = self.client.ask(self.request(*said, **more), version)
        if self.answer.ErrorCode == 0:
            self.epoch += 1
        rows = [row for topic in self.answer.Responses for row in topic.Partitions]
        return rows[0] if rows else None

    def say(self, *said, epoch=None, version=2, **more):
        request = Say(
            GroupId=self.group,
            MemberId=self.member,
            ShareSessionEpoch=self.epoch if epoch is None else epoch,
            Topics=[
                Say.AcknowledgeTopic(
                    TopicId=self.topic_id,
                    Partitions=[
                        Say.AcknowledgePartition(
                            PartitionIndex=0,
                            AcknowledgementBatches=[
                                Say.AcknowledgementBatch(
                                    FirstOffset=first, LastOffset=last, AcknowledgeTypes=list(types)
                                )
                                for first, last, *types in said
                            ],
                        )
                    ],
                )
            ],
            **more,
        )
        answer = self.client.ask(request, version)
        if answer.ErrorCode == 0:
            self.epoch += 1
            return answer.Responses[0].Partitions[0].ErrorCode
        return answer.ErrorCode


def configure(kafka, group, **values):
    with RawClient(kafka.address) as client:
        request = messages.IncrementalAlterConfigsRequest
        resource = request.AlterConfigsResource(
            ResourceType=32,
            ResourceName=group,
            Configs=[
                request.AlterableConfig(Name=name.replace("_", "."), ConfigOperation=0, Value=str(value))
                for name, value in values.items()
            ],
        )
        answer = client.ask(request(Resources=[resource]), 1)
        assert answer.Responses[0].ErrorCode == 0, answer.Responses[0].ErrorMessage


def fill(kafka, topic, *values, partition=0, **more):
    with RawClient(kafka.address) as client:
        request = messages.ProduceRequest
        batch = encode([Record(str(value).encode(), None, 1) for value in values], **more)
        row = request.PartitionProduceData(Index=partition, Records=batch)
        answer = client.ask(
            request(
                Acks=-1,
                TimeoutMs=1000,
                TopicData=[request.TopicProduceData(Name=topic, PartitionData=[row])],
            ),
            9,
        )
        assert answer.Responses[0].PartitionResponses[0].ErrorCode == 0


def acquired(row):
    return [(each.FirstOffset, each.LastOffset, each.DeliveryCount) for each in row.AcquiredRecords]


@pytest.fixture
def member(kafka, name):
    """A member that has joined, of a group that reads a topic from its beginning."""
    make_topic(kafka, name, 1)
    configure(kafka, name, share_auto_offset_reset="earliest")
    found = Member(kafka, name, name)
    found.join()
    yield found
    found.client.socket.close()


def test_a_member_joins_fetches_and_acknowledges(kafka, name, member):
    assert member.fetch().AcquiredRecords == []  # the first answer names all partitions
    assert member.fetch() is None
    fill(kafka, name, *range(5))
    row = member.fetch()
    assert acquired(row) == [(0, 4, 1)]
    assert [value for _, _, _, value in decode(bytes(row.Records))] == [b"0", b"1", b"2", b"3", b"4"]
    assert member.answer.AcquisitionLockTimeoutMs == 30_000
    assert member.say((0, 1, ACCEPT), (2, 2, RELEASE)) == 0
    row = member.fetch((3, 4, ACCEPT))
    assert (acquired(row), row.AcknowledgeErrorCode) == ([(2, 2, 2)], 0)
    assert member.say((2, 2, ACCEPT)) == 0
    assert member.say((2, 2, ACCEPT)) == 0  # done with, as all before the start is


def test_a_fetch_waits_for_records(kafka, name, member):
    member.fetch()
    member.client.socket.settimeout(SECONDS)
    began = time.monotonic()
    assert member.fetch(wait_ms=50) is None
    assert time.monotonic() - began >= 0.05
    sent = member.client.send
    request = Fetch(
        GroupId=name,
        MemberId=MEMBER,
        ShareSessionEpoch=member.epoch,
        MaxWaitMs=SECONDS * 1000,
        MinBytes=1,
        MaxBytes=1 << 20,
        MaxRecords=10,
        BatchSize=10,
    )
    sent(request, 2)
    fill(kafka, name, "x")
    _, answer = member.client.receive(apis()[78], 2)
    assert acquired(answer.Responses[0].Partitions[0]) == [(0, 0, 1)]


def test_sessions_are_held_to_their_epochs(kafka, name, member):
    assert member.say((0, 0, ACCEPT)) == ErrorCode.INVALID_SHARE_SESSION_EPOCH
    member.fetch((0, 0, ACCEPT))
    assert member.answer.ErrorCode == ErrorCode.INVALID_REQUEST
    member.epoch = 3
    member.fetch()
    assert member.answer.ErrorCode == ErrorCode.SHARE_SESSION_NOT_FOUND
    member.epoch = 0
    member.fetch()
    assert member.say(epoch=5) == ErrorCode.INVALID_SHARE_SESSION_EPOCH
    member.epoch = 5
    member.fetch()
    assert member.answer.ErrorCode == ErrorCode.INVALID_SHARE_SESSION_EPOCH
    for bad in ({"GroupId": None}, {"MemberId": None}, {"MemberId": "m" * 37}):
        member.fetch(**bad)
        assert member.answer.ErrorCode == ErrorCode.INVALID_REQUEST


def test_a_session_that_ends_gives_all_back(kafka, name, member):
    fill(kafka, name, *range(6))
    assert acquired(member.fetch()) == [(0, 5, 1)]
    member.epoch = -1
    row = member.fetch((0, 1, ACCEPT))
    assert (row.AcknowledgeErrorCode, row.AcquiredRecords) == (0, [])
    other = Member(kafka, name, name, "other")
    other.join()
    assert acquired(other.fetch()) == [(2, 5, 2)]
    other.client.socket.close()  # without a word
    again = Member(kafka, name, name, "again")
    again.join()
    rows = []
    while not rows:
        row = again.fetch(wait_ms=200)
        rows = row and acquired(row)
    assert rows == [(2, 5, 3)]
    again.client.socket.close()


def test_what_contradicts_itself_is_refused(kafka, name, member):
    fill(kafka, name, *range(4))
    member.fetch()
    for said in (
        (2, 1, ACCEPT),
        (0, 1),
        (0, 3, ACCEPT, ACCEPT),
        (0, 0, 9),
        (0, 0, -1),
        (0, 0, RENEW),
    ):
        assert member.say(said) == ErrorCode.INVALID_REQUEST, said
    assert member.say((2, 3, ACCEPT), (0, 1, ACCEPT)) == ErrorCode.INVALID_REQUEST
    assert member.say((0, 7, ACCEPT)) == ErrorCode.INVALID_REQUEST
    assert member.say((0, 3, RENEW), IsRenewAck=True) == 0
    assert member.say((0, 3, ACCEPT)) == 0
    fill(kafka, name, "x")
    member.fetch(version=1)
    assert member.say((4, 4, RENEW), version=1) == ErrorCode.INVALID_REQUEST
    member.fetch(IsRenewAck=True)
    assert member.answer.ErrorCode == ErrorCode.INVALID_REQUEST
    none = {"MaxBytes": 0, "MinBytes": 0, "MaxRecords": 0}
    row = member.fetch((4, 4, RENEW), IsRenewAck=True, **none)
    assert (row.AcknowledgeErrorCode, row.AcquiredRecords) == (0, [])


def test_another_members_records_are_not_ones_own(kafka, name, member):
    fill(kafka, name, *range(4))
    member.fetch()
    other = Member(kafka, name, name, "other")
    other.join()
    other.fetch()
    assert other.say((0, 3, ACCEPT)) == ErrorCode.INVALID_RECORD_STATE
    other.client.socket.close()


def test_partitions_that_are_not_there(kafka, name, member):
    stranger = Member(kafka, f"{name}-no", name)
    assert stranger.fetch().ErrorCode == ErrorCode.UNKNOWN_SERVER_ERROR  # no member has subscribed
    stranger.client.socket.close()
    member.topic_id = b"?" * 16
    assert member.fetch().ErrorCode == ErrorCode.UNKNOWN_TOPIC_ID
    assert member.say((0, 0, ACCEPT)) == ErrorCode.UNKNOWN_TOPIC_ID


def test_heartbeats_that_contradict_themselves(kafka, name, member):
    assert member.beat(0).ErrorCode == ErrorCode.INVALID_REQUEST
    assert member.beat(-2, name).ErrorCode == ErrorCode.INVALID_REQUEST
    assert member.beat(9).ErrorCode == ErrorCode.FENCED_MEMBER_EPOCH
    assert member.beat(-1).MemberEpoch == -1
    assert member.beat(-1).ErrorCode == ErrorCode.UNKNOWN_MEMBER_ID
    member.group = f"{name}-none"
    assert member.beat(1).ErrorCode == ErrorCode.GROUP_ID_NOT_FOUND
    member.member = ""
    assert member.beat(0, name).ErrorCode == ErrorCode.INVALID_REQUEST


def test_there_are_no_more_sessions_than_allowed(kafka, name, member):
    others = [Member(kafka, name, name, f"m{number}") for number in range(4)]
    for other in others:
        other.join()
        other.fetch()
    member.fetch(wait_ms=10)
    assert member.answer.ErrorCode == ErrorCode.SHARE_SESSION_LIMIT_REACHED
    gone = Member(kafka, name, name, "gone")
    gone.client.send(gone.request(wait_ms=(1 << 31) - 1), 2)
    tasks = kafka.face._shared.tasks
    wait_until(lambda: kafka.call(lambda: len(tasks)) == 1)
    gone.client.socket.close()
    wait_until(lambda: not kafka.call(lambda: len(tasks)))  # nobody waits for it to come again
    for other in others:
        other.epoch = -1
        other.fetch()
        other.client.socket.close()
    member.fetch()
    assert member.answer.ErrorCode == 0


def test_a_topic_is_deleted_and_made_anew(kafka, name, member):
    fill(kafka, name, *range(4))
    member.fetch()
    member.client.ask(messages.DeleteTopicsRequest(TopicNames=[name], TimeoutMs=1000), 5)
    assert member.fetch().ErrorCode == ErrorCode.UNKNOWN_TOPIC_ID
    make_topic(kafka, name, 1)
    fill(kafka, name, *range(2))
    again = Member(kafka, name, name)
    answer = again.beat(1)
    assert answer.Assignment.TopicPartitions[0].TopicId == again.topic_id
    assert acquired(again.fetch()) == [(0, 1, 1)]
    again.client.socket.close()


def test_who_is_silent_leaves_the_group(kafka, name, member):
    configure(kafka, name, share_session_timeout_ms=100, share_heartbeat_interval_ms=50)
    assert member.beat(1).ErrorCode == 0
    end = time.monotonic() + SECONDS
    while describe(member.client, name).GroupState != "Empty":
        assert time.monotonic() < end
    assert member.beat(1).ErrorCode == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_lock_that_is_over_lets_another_have_the_records(kafka, name, member):
    configure(kafka, name, share_record_lock_duration_ms=1000)
    fill(kafka, name, *range(3))
    assert acquired(member.fetch()) == [(0, 2, 1)]
    other = Member(kafka, name, name, "other")
    other.join()
    row = other.fetch(wait_ms=SECONDS * 1000)  # it waits for as long as that takes
    assert acquired(row) == [(0, 2, 2)]
    assert member.say((0, 2, ACCEPT)) == ErrorCode.INVALID_RECORD_STATE
    other.client.socket.close()


def test_a_group_begins_where_its_settings_say(kafka, name, member):
    configure(kafka, name, share_auto_offset_reset="by_duration:PT1H")
    fill(kafka, name, "old")  # of 1970
    with RawClient(kafka.address) as client:
        now_ms = int(time.time() * 1000)
        request = messages.ProduceRequest
        row = request.PartitionProduceData(Index=0, Records=encode([Record(b"new", None, now_ms)]))
        topic = request.TopicProduceData(Name=name, PartitionData=[row])
        client.ask(request(Acks=-1, TimeoutMs=1000, TopicData=[topic]), 9)
    assert acquired(member.fetch()) == [(1, 1, 1)]


def test_a_fetch_looks_behind_what_was_aborted(kafka, name, member):
    configure(kafka, name, share_isolation_level="read_committed")
    producer = Producer(kafka.client(transactional_id=name, batch_size=2000, linger_ms=0))
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    for _ in range(300):
        producer.produce(name, b"x" * 1000)
    producer.flush(SECONDS)
    producer.abort_transaction(SECONDS)
    producer.begin_transaction()
    producer.produce(name, b"committed")
    producer.commit_transaction(SECONDS)
    row = member.fetch(wait_ms=SECONDS * 1000, MaxRecords=10)
    values = [value for _, _, _, value in decode(bytes(row.Records))]
    assert values[-1] == b"committed"
    assert acquired(row)[0][0] > 250


def describe(client, group):
    answer = client.ask(
        messages.ShareGroupDescribeRequest(GroupIds=[group], IncludeAuthorizedOperations=False), 1
    )
    return answer.Groups[0]


def test_groups_of_other_kinds_are_not_share_groups(kafka, name, member):
    client = member.client
    found = describe(client, name)
    assert (found.GroupState, found.AssignorName, found.GroupEpoch) == ("Stable", "simple", 1)
    assert found.Members[0].Assignment.TopicPartitions[0].TopicName == name
    assert describe(client, f"{name}-none").ErrorCode == ErrorCode.GROUP_ID_NOT_FOUND
    commit = messages.OffsetCommitRequest
    row = commit.OffsetCommitRequestPartition(PartitionIndex=0, CommittedOffset=1)
    answer = client.ask(
        commit(GroupId=name, Topics=[commit.OffsetCommitRequestTopic(Name=name, Partitions=[row])]), 8
    )
    assert answer.Topics[0].Partitions[0].ErrorCode == ErrorCode.GROUP_ID_NOT_FOUND
    beat = messages.ConsumerGroupHeartbeatRequest(
        GroupId=name,
        MemberId="m",
        MemberEpoch=0,
        RebalanceTimeoutMs=1000,
        SubscribedTopicNames=[name],
        TopicPartitions=[],
    )
    assert client.ask(beat, 1).ErrorCode == ErrorCode.GROUP_ID_NOT_FOUND
    join = messages.JoinGroupRequest
    protocol = join.JoinGroupRequestProtocol(Name="range", Metadata=b"")
    answer = client.ask(
        join(GroupId=name, SessionTimeoutMs=10_000, ProtocolType="consumer", Protocols=[protocol]), 3
    )
    assert answer.ErrorCode == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    listed = client.ask(messages.ListGroupsRequest(TypesFilter=["share"]), 5)
    assert name in {each.GroupId for each in listed.Groups}
    assert {(each.GroupType, each.ProtocolType) for each in listed.Groups} == {("Share", "share")}
    deleted = client.ask(messages.DeleteGroupsRequest(GroupsNames=[name]), 2)
    assert deleted.Results[0].ErrorCode == ErrorCode.NON_EMPTY_GROUP


def test_what_nobody_has_read_before_comes_a_partition_at_a_time(kafka, name):
    """As from Kafka, whose partitions are there one after the other; later fetches bring both."""
    make_topic(kafka, name, 2)
    configure(kafka, name, share_auto_offset_reset="earliest")
    member = Member(kafka, name, name)
    member.join()
    partitions = [Fetch.FetchPartition(PartitionIndex=index) for index in range(2)]
    both = {"Topics": [Fetch.FetchTopic(TopicId=member.topic_id, Partitions=partitions)]}

    def fetched():
        member.fetch(**both)
        rows = [row for topic in member.answer.Responses for row in topic.Partitions]
        return sorted((row.PartitionIndex, each) for row in rows for each in acquired(row))

    for index in range(2):
        fill(kafka, name, "a", "b", partition=index)
    one, other = fetched(), fetched()
    assert sorted([one, other]) == [[(0, (0, 1, 1))], [(1, (0, 1, 1))]]
    for index in range(2):
        fill(kafka, name, "c", partition=index)
    assert fetched() == [(0, (2, 2, 1)), (1, (2, 2, 1))]
    member.client.socket.close()


def test_two_who_make_a_share_partition_at_once_make_one(kafka, name, member):
    member.join()
    shares = kafka.broker.part(Shares)
    key = ShareKey(name, member.topic_id, 0)

    async def make():
        partition = kafka.broker.partition(name, 0)
        one, other = await asyncio.gather(*(shares._make(key, partition) for _ in range(2)))
        return one is other is shares.peek(key)

    assert kafka.call(make)
