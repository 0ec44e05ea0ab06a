"""Long requests and responses: the same bytes, however many turns they take; and a topic of thousands of
partitions holds nobody up."""

import asyncio

import pytest
from tests.kafka.raw_client import RawClient
from tests.kafka.running_broker import running_broker
from tests.kafka.test_create_topics import creatable, create
from tests.kafka.test_fetch import Topic, fetch, rows
from tests.kafka.test_produce import batch, produce

from cloudlet.aws.drive import Rest
from cloudlet.kafka.answer import Answering
from cloudlet.kafka.call import Peer
from cloudlet.kafka.dispatch import handlers
from cloudlet.kafka.long_answers import Rows
from cloudlet.kafka.turns import Turn
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.apis import apis
from cloudlet.wire.kafka.codec import decode, encode
from cloudlet.wire.kafka.frames import request_frame

PARTITIONS = 6000
BY_NAME = {api.name: api for api in apis().values()}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        with RawClient(broker.address) as client:
            create(client, creatable("long", PARTITIONS))
            produce(client, "long", {7: batch(b"x")})
            client.ask(commit("g"), 8)
        yield broker


def commit(group):
    cls = messages.OffsetCommitRequest
    partitions = [
        cls.OffsetCommitRequestPartition(PartitionIndex=index, CommittedOffset=index)
        for index in range(PARTITIONS)
    ]
    return cls(
        GroupId=group,
        GenerationIdOrMemberEpoch=-1,
        Topics=[cls.OffsetCommitRequestTopic(Name="long", Partitions=partitions)],
    )


def wanted_offsets():
    cls = messages.ListOffsetsRequest
    partitions = [cls.ListOffsetsPartition(PartitionIndex=index, Timestamp=-1) for index in range(PARTITIONS)]
    return cls(ReplicaId=-1, Topics=[cls.ListOffsetsTopic(Name="long", Partitions=partitions)])


def wanted_records():
    cls = messages.FetchRequest
    partitions = [cls.FetchPartition(Partition=index, PartitionMaxBytes=100) for index in range(PARTITIONS)]
    return cls(
        MaxWaitMs=0, MinBytes=0, MaxBytes=1 << 20, SessionEpoch=-1,
        Topics=[cls.FetchTopic(Topic="long", Partitions=partitions)],
    )  # fmt: skip


def of_group():
    cls = messages.OffsetFetchRequest
    return cls(Groups=[cls.OffsetFetchRequestGroup(GroupId="g", Topics=None)])


def metadata():
    cls = messages.MetadataRequest
    return cls(Topics=[cls.MetadataRequestTopic(Name="long")], AllowAutoTopicCreation=False)


def described():
    cls = messages.DescribeTopicPartitionsRequest
    return cls(Topics=[cls.TopicRequest(Name="long")], ResponsePartitionLimit=PARTITIONS)


CASES = {
    "Metadata": (metadata, 12, lambda said: said.Topics[0].Partitions),
    "DescribeTopicPartitions": (described, 0, lambda said: said.Topics[0].Partitions),
    "ListOffsets": (wanted_offsets, 7, lambda said: said.Topics[0].Partitions),
    "OffsetFetch": (of_group, 8, lambda said: said.Groups[0].Topics[0].Partitions),
    "OffsetCommit": (lambda: commit("other"), 8, lambda said: said.Topics[0].Partitions),
    "Fetch": (wanted_records, 12, lambda said: said.Responses[0].Partitions),
}


@pytest.mark.parametrize("name", CASES)
def test_a_topic_of_many_partitions_takes_many_turns_and_all_of_them_come(kafka, monkeypatch, name):
    request, version, rows_of = CASES[name]
    api = BY_NAME[name]
    frame = memoryview(request_frame(api, version, 1, "test", request())[4:])

    async def work():
        # behind the handler's own turns, those of the codec
        monkeypatch.setattr(Turn, "is_over", lambda _: True)
        answering = asyncio.ensure_future(answer(kafka.broker, frame))
        turns = 0
        while not answering.done():
            turns += 1
            await asyncio.sleep(0)
        return turns, await answering

    turns, parts = kafka.call(work)
    whole = b"".join(parts)
    said, stop = decode(api.response, version, whole, 8 + api.response_header(version))
    assert stop == len(whole)
    limit = 2000 if name == "DescribeTopicPartitions" else PARTITIONS
    found = rows_of(said)
    assert len(found) == limit
    assert turns > limit
    key = "Partition" if "Partition" in type(found[0]).FIELDS else "PartitionIndex"
    assert [getattr(row, key) for row in found] == list(range(limit))
    assert not any(row.ErrorCode for row in found)
    if name == "OffsetFetch":
        assert [row.CommittedOffset for row in found] == list(range(limit))


async def answer(broker, frame):
    work = Answering(broker, handlers()).answer(frame, Peer("/127.0.0.1", "127.0.0.1:9092"))
    return (await work if isinstance(work, Rest) else work).parts


def test_a_session_of_many_partitions_is_told_all_of_them(kafka):
    with RawClient(kafka.address) as client:
        topic = Topic(client, "sessions", 1000)
        told = fetch(client, topic.wanted(dict.fromkeys(range(1000), 0)), version=12, session=(0, 0))
        assert len(rows(told)) == 1000


def test_rows_are_made_as_they_are_written():
    made = []

    def row_of(index):
        made.append(index)
        return messages.MetadataResponse.MetadataResponsePartition(PartitionIndex=index)

    topic = messages.MetadataResponse.MetadataResponseTopic(Name="t", TopicId=bytes(16))
    topic.Partitions = Rows(range(300), row_of)
    assert (len(topic.Partitions), made) == (300, [])
    lazily = encode(messages.MetadataResponse(Topics=[topic]), 12)
    topic.Partitions = list(topic.Partitions)
    assert lazily == encode(messages.MetadataResponse(Topics=[topic]), 12)
