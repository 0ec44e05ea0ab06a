"""Fetch in every version: limits, long polls, isolation, sessions, epochs; ListOffsets and its relatives."""

import threading
import time

import pytest
from tests.kafka.raw_client import RawClient
from tests.kafka.running_broker import running_broker
from tests.kafka.test_create_topics import creatable, create, delete
from tests.kafka.test_produce import NOW_MS, batch, produce

from cloudlet.kernel.batches import header
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

Request = messages.FetchRequest
NEW, NONE = 0, -1
BY_ID_SINCE = 13


@pytest.fixture
def client(kafka):
    with RawClient(kafka.address) as client:
        yield client


class Topic:
    """A topic that is fetched by name or by id, as the version has it."""

    def __init__(self, client, name, partitions=1, **configs):
        settings = [(key.replace("_", "."), value) for key, value in configs.items()]
        (made,) = create(client, creatable(name, partitions, configs=settings))
        assert made.ErrorCode == 0, made.ErrorMessage
        self.name, self.id = name, made.TopicId

    def wanted(self, offsets, bytes_max=1 << 20, epoch=-1, fetched_epoch=-1):
        partitions = [
            Request.FetchPartition(
                Partition=index, FetchOffset=offset, PartitionMaxBytes=bytes_max, CurrentLeaderEpoch=epoch,
                LastFetchedEpoch=fetched_epoch,
            )
            for index, offset in offsets.items()
        ]  # fmt: skip
        return Request.FetchTopic(Topic=self.name, TopicId=self.id, Partitions=partitions)


def fetch(client, *topics, version=16, wait_ms=0, bytes_min=1, bytes_max=50 << 20, session=(0, NONE), **more):
    request = Request(
        MaxWaitMs=wait_ms, MinBytes=bytes_min, MaxBytes=bytes_max, SessionId=session[0],
        SessionEpoch=session[1], Topics=list(topics), **more,
    )  # fmt: skip
    return client.ask(request, version)


def rows(response):
    """Partition -> row of a response about one topic."""
    return {row.PartitionIndex: row for topic in response.Responses for row in topic.Partitions}


@pytest.mark.parametrize("version", range(4, 19))
def test_records_come_as_they_went_in(client, name, version):
    topic = Topic(client, name)
    sent = batch(b"a", b"b")
    produce(client, name, {0: sent})
    (row,) = rows(fetch(client, topic.wanted({0: 0}), version=version)).values()
    assert (row.ErrorCode, row.HighWatermark, row.LastStableOffset) == (0, 2, 2)
    assert bytes(row.Records)[16:] == sent[16:], "all but the offset and the epoch is untouched"
    assert row.AbortedTransactions is None


def test_a_fetch_from_the_middle_of_a_batch_gets_the_whole_batch(client, name):
    topic = Topic(client, name)
    produce(client, name, {0: batch(b"a", b"b", b"c")})
    (row,) = rows(fetch(client, topic.wanted({0: 2}))).values()
    assert header(bytes(row.Records)).base_offset == 0


def test_the_first_batch_may_exceed_every_limit_and_no_other(client, name):
    topic = Topic(client, name, 3)
    for index in range(3):
        produce(client, name, {index: batch(b"x" * 5000)})
        produce(client, name, {index: batch(b"y" * 5000)})
    found = rows(fetch(client, topic.wanted({0: 0, 1: 0, 2: 0}, bytes_max=100), bytes_max=100))
    assert [bool(found[index].Records) for index in range(3)] == [True, False, False]
    found = rows(fetch(client, topic.wanted({0: 0, 1: 0, 2: 0}), bytes_max=12_000))
    assert [len(found[index].Records) > 0 for index in range(3)] == [True, False, False]
    found = rows(fetch(client, topic.wanted({0: 0, 1: 0, 2: 0}), bytes_max=16_000))
    assert [len(found[index].Records) // 5000 for index in range(3)] == [2, 1, 0]


def test_offsets_out_of_range_are_told_at_once(client, name):
    topic = Topic(client, name)
    produce(client, name, {0: batch(b"a")})
    began = time.monotonic()
    (row,) = rows(fetch(client, topic.wanted({0: 7}), wait_ms=10_000)).values()
    assert (row.ErrorCode, row.HighWatermark) == (ErrorCode.OFFSET_OUT_OF_RANGE, -1)
    assert time.monotonic() - began < 9


def test_what_is_not_there_is_told(client, name):
    topic = Topic(client, name)
    (row,) = rows(fetch(client, topic.wanted({5: 0}))).values()
    assert row.ErrorCode == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    topic.id, topic.name = b"\1" * 16, "nobody"
    (row,) = rows(fetch(client, topic.wanted({0: 0}))).values()
    assert row.ErrorCode == ErrorCode.UNKNOWN_TOPIC_ID
    (row,) = rows(fetch(client, topic.wanted({0: 0}), version=12)).values()
    assert row.ErrorCode == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_a_poll_waits_until_something_comes(kafka, client, name):
    topic = Topic(client, name, 2)
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(fetch(client, topic.wanted({0: 0, 1: 0}), wait_ms=20_000))
    )
    waiting.start()
    with RawClient(kafka.address) as other:
        produce(other, name, {1: batch(b"a")})
    waiting.join(15)
    assert not waiting.is_alive()
    found = rows(answers[0])
    assert (bool(found[0].Records), bool(found[1].Records)) == (False, True)


def test_a_poll_waits_for_enough_bytes(kafka, client, name):
    topic = Topic(client, name)
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(fetch(client, topic.wanted({0: 0}), wait_ms=20_000, bytes_min=2500))
    )
    waiting.start()
    with RawClient(kafka.address) as other:
        for _ in range(3):
            produce(other, name, {0: batch(b"x" * 900)})
    waiting.join(15)
    assert not waiting.is_alive()
    assert len(rows(answers[0])[0].Records) >= 2500


def test_a_poll_ends_with_what_there_is(client, name):
    topic = Topic(client, name)
    produce(client, name, {0: batch(b"a")})
    (row,) = rows(fetch(client, topic.wanted({0: 0}), wait_ms=50, bytes_min=10_000)).values()
    assert row.Records


def test_a_client_that_goes_leaves_no_poll_behind(kafka, client, name):
    topic = Topic(client, name)
    with RawClient(kafka.address) as going:
        going.send(Request(MaxWaitMs=600_000, MinBytes=1, SessionEpoch=-1, Topics=[topic.wanted({0: 0})]), 16)
        deadline = time.monotonic() + 20
        while not kafka.call(lambda: len(kafka.face._shared.tasks)):
            assert time.monotonic() < deadline
    while kafka.call(lambda: len(kafka.face._shared.tasks)):
        assert time.monotonic() < deadline


def test_leader_epochs_are_compared(client, name):
    topic = Topic(client, name)
    produce(client, name, {0: batch(b"a")})
    for epoch, code in ((0, 0), (1, ErrorCode.UNKNOWN_LEADER_EPOCH)):
        (row,) = rows(fetch(client, topic.wanted({0: 0}, epoch=epoch))).values()
        assert row.ErrorCode == code
    (row,) = rows(fetch(client, topic.wanted({0: 1}, fetched_epoch=0))).values()
    assert (row.ErrorCode, row.DivergingEpoch) == (0, None)


# Sessions (KIP-227)


def test_a_session_tells_news_alone(client, name):
    topic = Topic(client, name, 3)
    first = fetch(client, topic.wanted({0: 0, 1: 0, 2: 0}), session=(0, NEW))
    assert first.ErrorCode == 0
    assert first.SessionId > 0
    assert sorted(rows(first)) == [0, 1, 2]
    session = first.SessionId
    assert fetch(client, session=(session, 1)).Responses == []
    produce(client, name, {1: batch(b"a")})
    found = rows(fetch(client, session=(session, 2)))
    assert list(found) == [1]
    assert found[1].Records
    again = rows(fetch(client, session=(session, 3)))
    assert again[1].Records, "the reader has not moved on"
    assert fetch(client, topic.wanted({1: 1}), session=(session, 4)).Responses == []


def test_a_session_forgets_and_takes_up_partitions(client, name):
    topic = Topic(client, name, 3)
    session = fetch(client, topic.wanted({0: 0, 1: 0}), session=(0, NEW)).SessionId
    forgotten = Request.ForgottenTopic(Topic=name, TopicId=topic.id, Partitions=[0])
    fetch(client, topic.wanted({2: 0}), session=(session, 1), ForgottenTopicsData=[forgotten])
    produce(client, name, {index: batch(b"a") for index in range(3)})
    assert sorted(rows(fetch(client, session=(session, 2)))) == [1, 2]


def test_a_sessions_poll_is_woken(kafka, client, name):
    topic = Topic(client, name, 50)
    everything = topic.wanted(dict.fromkeys(range(50), 0))
    session = fetch(client, everything, session=(0, NEW)).SessionId
    assert fetch(client, session=(session, 1), wait_ms=10).Responses == []
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(fetch(client, session=(session, 2), wait_ms=20_000))
    )
    waiting.start()
    with RawClient(kafka.address) as other:
        produce(other, name, {33: batch(b"a")})
    waiting.join(15)
    assert list(rows(answers[0])) == [33]


def test_a_session_wants_the_next_epoch_and_its_own_kind_of_names(client, name):
    topic = Topic(client, name)
    session = fetch(client, topic.wanted({0: 0}), session=(0, NEW)).SessionId
    assert fetch(client, session=(session, 5)).ErrorCode == ErrorCode.INVALID_FETCH_SESSION_EPOCH
    assert fetch(client, session=(session + 1, 1)).ErrorCode == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    by_name = fetch(client, session=(session, 1), version=12)
    assert by_name.ErrorCode == ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR
    assert fetch(client, session=(session, 1)).ErrorCode == 0
    ended = fetch(client, topic.wanted({0: 0}), session=(session, NONE))
    assert ended.SessionId == 0
    assert fetch(client, session=(session, 2)).ErrorCode == ErrorCode.FETCH_SESSION_ID_NOT_FOUND


def test_sessions_are_bounded(tmp_path):
    slots = {"max_incremental_fetch_session_cache_slots": 2}
    with running_broker(tmp_path, **slots) as broker, RawClient(broker.address) as client:
        topic = Topic(client, "t")
        made = [fetch(client, topic.wanted({0: 0}), session=(0, NEW)).SessionId for _ in range(3)]
    assert made[0]
    assert made[1]
    assert made[2] == 0, "a full fetch without a session"


def test_a_session_learns_that_its_topic_is_gone(client, name):
    topic = Topic(client, name)
    session = fetch(client, topic.wanted({0: 0}), session=(0, NEW)).SessionId
    assert fetch(client, session=(session, 1)).Responses == []
    delete(client, 6, names=[name])
    for epoch in (2, 3):
        found = rows(fetch(client, topic.wanted({0: 0}), session=(session, epoch)))
        assert found[0].ErrorCode == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


# Offsets


def offsets(client, name, timestamp, *, version=11, index=0, epoch=-1):
    cls = messages.ListOffsetsRequest
    wanted = cls.ListOffsetsPartition(PartitionIndex=index, Timestamp=timestamp, CurrentLeaderEpoch=epoch)
    request = cls(ReplicaId=-1, Topics=[cls.ListOffsetsTopic(Name=name, Partitions=[wanted])])
    ((row,),) = [topic.Partitions for topic in client.ask(request, version).Topics]
    return row.ErrorCode, row.Offset, row.Timestamp


@pytest.mark.parametrize("version", range(1, 12))
def test_offsets_are_found_by_their_place(client, name, version):
    Topic(client, name)
    for number, value in enumerate((b"a", b"b", b"c")):
        produce(client, name, {0: batch(value, time_ms=NOW_MS + 10 * number)})
    assert offsets(client, name, -1, version=version) == (0, 3, -1)
    assert offsets(client, name, -2, version=version) == (0, 0, -1)
    assert offsets(client, name, NOW_MS + 5, version=version) == (0, 1, NOW_MS + 10)
    assert offsets(client, name, NOW_MS + 500, version=version) == (0, -1, -1)
    for timestamp, since, found in (
        (-3, 7, (2, NOW_MS + 20)),
        (-4, 8, (0, -1)),
        (-5, 9, (-1, -1)),
        (-6, 11, (-1, -1)),
    ):
        code = 0 if version >= since else ErrorCode.UNSUPPORTED_VERSION
        assert offsets(client, name, timestamp, version=version) == (code, *(found if not code else (-1, -1)))
    assert offsets(client, name, -7, version=version)[0] == ErrorCode.UNSUPPORTED_VERSION


def test_offsets_of_what_is_not_there(client, name):
    Topic(client, name)
    assert offsets(client, name, -1, index=4)[0] == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert offsets(client, "nobody", -1)[0] == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert offsets(client, name, -1, epoch=3)[0] == ErrorCode.UNKNOWN_LEADER_EPOCH
    assert offsets(client, name, -3) == (0, -1, -1)


def delete_records(client, name, offset):
    cls = messages.DeleteRecordsRequest
    wanted = cls.DeleteRecordsPartition(PartitionIndex=0, Offset=offset)
    request = cls(Topics=[cls.DeleteRecordsTopic(Name=name, Partitions=[wanted])], TimeoutMs=1000)
    ((row,),) = [topic.Partitions for topic in client.ask(request, 2).Topics]
    return row.ErrorCode, row.LowWatermark


def test_records_are_deleted_up_to_an_offset(client, name):
    topic = Topic(client, name)
    produce(client, name, {0: batch(b"a", b"b", b"c")})
    assert delete_records(client, name, 2) == (0, 2)
    assert offsets(client, name, -2) == (0, 2, -1)
    (row,) = rows(fetch(client, topic.wanted({0: 1}))).values()
    assert row.ErrorCode == ErrorCode.OFFSET_OUT_OF_RANGE
    assert delete_records(client, name, 9)[0] == ErrorCode.OFFSET_OUT_OF_RANGE
    assert delete_records(client, name, -1) == (0, 3)


@pytest.mark.parametrize("version", range(2, 5))
def test_the_end_of_an_epoch_is_found(client, name, version):
    Topic(client, name)
    produce(client, name, {0: batch(b"a", b"b")})
    cls = messages.OffsetForLeaderEpochRequest
    wanted = cls.OffsetForLeaderPartition(Partition=0, LeaderEpoch=0)
    request = cls(Topics=[cls.OffsetForLeaderTopic(Topic=name, Partitions=[wanted])])
    ((row,),) = [topic.Partitions for topic in client.ask(request, version).Topics]
    assert (row.ErrorCode, row.LeaderEpoch, row.EndOffset) == (0, 0, 2)
