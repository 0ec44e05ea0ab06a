"""Produce in every version: offsets, errors by partition, acks, internal topics, ids."""

import pytest
from tests.kafka.raw_client import RawClient
from tests.kafka.running_broker import running_broker
from tests.kafka.test_create_topics import creatable, create

from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import TRANSACTIONAL, Producer, Record, encode

NOW_MS = 1_795_000_000_000
Request = messages.ProduceRequest


@pytest.fixture
def client(kafka):
    with RawClient(kafka.address) as client:
        yield client


def batch(*values, key=b"k", producer=Producer(), time_ms=NOW_MS, attributes=0):  # noqa: B008 (frozen)
    records = [Record(value, key, time_ms) for value in values]
    return encode(records, producer=producer, attributes=attributes)


def request(name, batches, *, acks=1, topic_id=bytes(16)):
    """`batches`: index -> bytes."""
    data = [Request.PartitionProduceData(Index=index, Records=each) for index, each in batches.items()]
    topic = Request.TopicProduceData(Name=name, TopicId=topic_id, PartitionData=data)
    return Request(Acks=acks, TimeoutMs=5000, TopicData=[topic])


def produce(client, name, batches, *, version=9, **more):
    """Index -> row of the response."""
    (topic,) = client.ask(request(name, batches, **more), version).Responses
    return {row.Index: row for row in topic.PartitionResponses}


@pytest.mark.parametrize("version", range(3, 13))
def test_offsets_go_on_by_partition(client, name, version):
    create(client, creatable(name, 2))
    for first in (0, 3):
        rows = produce(client, name, {0: batch(b"a", b"b", b"c"), 1: batch(b"d")}, version=version)
        assert {index: (row.ErrorCode, row.BaseOffset) for index, row in rows.items()} == {
            0: (0, first), 1: (0, first // 3),
        }  # fmt: skip
        assert rows[0].LogAppendTimeMs == -1
        if version >= 5:
            assert rows[0].LogStartOffset == 0


def test_a_topic_is_written_to_by_its_id(client, name):
    (made,) = create(client, creatable(name))
    (row,) = produce(client, "", {0: batch(b"a")}, version=13, topic_id=made.TopicId).values()
    assert (row.ErrorCode, row.BaseOffset) == (0, 0)
    (row,) = produce(client, "", {0: batch(b"a")}, version=13, topic_id=b"\1" * 16).values()
    assert row.ErrorCode == ErrorCode.UNKNOWN_TOPIC_ID


def test_a_bad_partition_does_not_hinder_the_others(client, name):
    create(client, creatable(name))
    broken = bytearray(batch(b"a"))
    broken[-1] ^= 1
    rows = produce(client, name, {5: batch(b"a"), 0: batch(b"b")})
    assert (rows[5].ErrorCode, rows[5].BaseOffset) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1)
    assert (rows[0].ErrorCode, rows[0].BaseOffset) == (0, 0)
    (row,) = produce(client, name, {0: bytes(broken)}).values()
    assert row.ErrorCode == ErrorCode.CORRUPT_MESSAGE
    (row,) = produce(client, name, {0: batch(b"c")}).values()
    assert row.BaseOffset == 1, "what was refused left nothing behind"


def test_a_record_that_is_too_large_is_refused(client, name):
    create(client, creatable(name, configs=[("max.message.bytes", "1000")]))
    (row,) = produce(client, name, {0: batch(b"x" * 1000)}).values()
    assert row.ErrorCode == ErrorCode.MESSAGE_TOO_LARGE


def test_records_of_a_compacted_topic_need_keys_and_are_named(client, name):
    create(client, creatable(name, configs=[("cleanup.policy", "compact")]))
    (row,) = produce(client, name, {0: batch(b"a", b"b", key=None)}).values()
    assert row.ErrorCode == ErrorCode.INVALID_RECORD
    assert [error.BatchIndex for error in row.RecordErrors] == [0, 1]
    (row,) = produce(client, name, {0: batch(b"a", b"b")}).values()
    assert row.ErrorCode == 0


@pytest.mark.parametrize("acks", [-2, 2, 7])
def test_other_acks_are_refused(client, name, acks):
    create(client, creatable(name))
    (row,) = produce(client, name, {0: batch(b"a")}, acks=acks).values()
    assert row.ErrorCode == ErrorCode.INVALID_REQUIRED_ACKS


def test_acks_all_never_wants_more_replicas_than_there_are(client, name):
    create(client, creatable(name, configs=[("min.insync.replicas", "2")]))
    (row,) = produce(client, name, {0: batch(b"a")}, acks=-1).values()
    assert row.ErrorCode == 0, "as Kafka, since its Partition.effectiveMinIsr"


def test_acks_0_says_nothing_and_an_error_closes_the_connection(client, name):
    create(client, creatable(name))
    client.send(request(name, {0: batch(b"a")}, acks=0), 9)
    (row,) = produce(client, name, {0: batch(b"b")}).values()
    assert row.BaseOffset == 1, "the response is that of the second request"
    client.send(request(name, {9: batch(b"a")}, acks=0), 9)
    assert client.is_closed()


def test_append_time_is_the_brokers(client, name):
    create(client, creatable(name, configs=[("message.timestamp.type", "LogAppendTime")]))
    (row,) = produce(client, name, {0: batch(b"a", time_ms=5)}).values()
    assert row.LogAppendTimeMs > NOW_MS - 10**12


def test_times_out_of_bounds_are_refused(client, name):
    create(client, creatable(name, configs=[("message.timestamp.before.max.ms", "1000")]))
    (row,) = produce(client, name, {0: batch(b"a", time_ms=5)}).values()
    assert row.ErrorCode == ErrorCode.INVALID_TIMESTAMP


def test_internal_topics_take_records_of_the_admin_client_alone(kafka, client):
    kafka.call(lambda: kafka.broker.internal_topic("__consumer_offsets"))
    (row,) = produce(client, "__consumer_offsets", {0: batch(b"a")}).values()
    assert row.ErrorCode == ErrorCode.INVALID_TOPIC_EXCEPTION


def test_sequences_of_an_idempotent_producer_are_checked(client, name):
    create(client, creatable(name))
    owner = client.ask(messages.InitProducerIdRequest(TransactionalId=None), 5).ProducerId

    def write(sequence, epoch=0):
        (row,) = produce(
            client, name, {0: batch(b"a", b"b", producer=Producer(owner, epoch, sequence))}, acks=-1
        ).values()
        return row.ErrorCode, row.BaseOffset

    assert write(0) == (0, 0)
    assert write(2) == (0, 2)
    assert write(2) == (0, 2), "a retry gets the offset of the first try"
    assert write(6)[0] == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert write(4) == (0, 4)


def test_a_wrong_empty_or_missing_batch_is_refused(client, name):
    create(client, creatable(name))
    for records in (None, b"", b"\0" * 20, batch(b"a")[:-3]):
        (row,) = produce(client, name, {0: records}).values()
        assert row.ErrorCode in (ErrorCode.INVALID_RECORD, ErrorCode.CORRUPT_MESSAGE), records


def test_records_are_synced_before_the_answer_where_the_topic_says_so(tmp_path):
    synced = {"log_flush_interval_messages": 1}
    with running_broker(tmp_path, **synced) as broker, RawClient(broker.address) as client:
        create(client, creatable("t", 20))
        rows = produce(client, "t", {index: batch(b"a") for index in range(20)})
        assert {row.ErrorCode for row in rows.values()} == {0}


def test_a_transactional_batch_without_a_transactional_id_is_refused(client, name):
    """It would belong to no transaction that anybody ends, and read_committed would stop at it."""
    create(client, creatable(name))
    sent = batch(b"a", producer=Producer(7, 0, 0), attributes=TRANSACTIONAL)
    (row,) = produce(client, name, {0: sent}).values()
    assert row.ErrorCode == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    (row,) = produce(client, name, {0: batch(b"b")}).values()
    assert (row.ErrorCode, row.BaseOffset) == (0, 0)
