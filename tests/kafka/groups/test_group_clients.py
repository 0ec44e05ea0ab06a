"""Consumer groups by stock clients: confluent-kafka, kafka-python 3, aiokafka."""

import asyncio
import contextlib
import subprocess
import sys
import threading
import time

import aiokafka
import confluent_kafka as ck
import pytest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from tests.kafka.running_broker import running_broker

from cloudlet.kafka.groups.coordinator import Groups
from cloudlet.kernel.clock import Step, SystemClock

SECONDS = 20


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    """A broker whose groups give up on a silent member after a second."""
    with running_broker(
        tmp_path_factory.mktemp("impatient"),
        group_min_session_timeout_ms=100,
        group_consumer_session_timeout_ms=1000,
        group_consumer_min_session_timeout_ms=1000,
        group_consumer_heartbeat_interval_ms=300,
        group_consumer_min_heartbeat_interval_ms=300,
    ) as broker:
        yield broker


def until(condition, seconds=SECONDS):
    """What the condition gives once it is true."""
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        if found := condition():
            return found
    raise AssertionError("it did not come to pass")


def make_topic(kafka, name, partitions=4, messages=0):
    admin = AdminClient(kafka.client())
    for future in admin.create_topics([NewTopic(name, partitions, 1)]).values():
        future.result(SECONDS)
    if messages:
        producer = ck.Producer(kafka.client())
        for number in range(messages):
            producer.produce(name, str(number), partition=number % partitions)
        assert producer.flush(SECONDS) == 0


class Member:
    """A confluent-kafka consumer, polled on a thread of its own."""

    def __init__(self, kafka, topics, group, **settings):
        config = {"group_id": group, "auto_offset_reset": "earliest", **settings}
        self.consumer = ck.Consumer({**kafka.client(**config), "log_level": 0})
        self.values = []
        self.errors = []
        self.owned = set()
        self.rebalances = 0
        self._is_stopped = threading.Event()
        self.is_cooperative = (
            settings.get("partition_assignment_strategy") == "cooperative-sticky"
            or settings.get("group_protocol") == "consumer"
        )
        self.consumer.subscribe(
            topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def _assigned(self, consumer, partitions):
        self.rebalances += 1
        found = {(each.topic, each.partition) for each in partitions}
        self.owned = self.owned | found if self.is_cooperative else found

    def _revoked(self, consumer, partitions):
        self.owned = self.owned - {(each.topic, each.partition) for each in partitions}

    def _poll(self):
        while not self._is_stopped.is_set():
            message = self.consumer.poll(0.05)
            if message is None:
                continue
            if message.error():
                self.errors.append(message.error())
            else:
                self.values.append(int(message.value()))

    def stop(self):
        self._is_stopped.set()
        self._thread.join(SECONDS)

    def close(self):
        self.stop()
        self.consumer.close()


@contextlib.contextmanager
def members(kafka, topics, group, count, **settings):
    found = [Member(kafka, topics, group, **settings) for _ in range(count)]
    try:
        yield found
    finally:
        for member in found:
            member.close()


def shares(found):
    """The members' partitions, if all are shared out and each once."""

    def look():
        sizes = [len(member.owned) for member in found]
        union = set().union(*(member.owned for member in found))
        return sizes if len(union) == sum(sizes) else None

    return look


STRATEGIES = pytest.mark.parametrize(
    "settings",
    [
        {"partition_assignment_strategy": "range", "heartbeat_interval_ms": 300},
        {"partition_assignment_strategy": "cooperative-sticky", "heartbeat_interval_ms": 300},
        {"group_protocol": "consumer"},
    ],
    ids=["eager", "cooperative", "kip-848"],
)


@STRATEGIES
def test_members_share_topics_and_take_over(impatient, name, settings):
    kafka = impatient
    topics = [f"{name}-a", f"{name}-b"]
    for topic in topics:
        make_topic(kafka, topic, 3, messages=30)
    with members(kafka, topics, name, 2, **settings) as (first, second):
        until(lambda: shares([first, second])() in ([3, 3], [4, 2], [2, 4]))
        until(lambda: len(first.values) + len(second.values) >= 60)
        assert sorted({*first.values, *second.values}) == list(range(30))
        second.close()
        until(lambda: len(first.owned) == 6)
        with members(kafka, topics, name, 1, **settings) as (third,):
            until(lambda: len(third.owned) >= 2 and shares([first, third])())
    assert not first.errors


KILLED = """
import sys, confluent_kafka
server, topic, *pairs = sys.argv[1:]
consumer = confluent_kafka.Consumer({"bootstrap.servers": server, **dict(pair.split("=") for pair in pairs)})
consumer.subscribe([topic], on_assign=lambda *_: print("assigned", flush=True))
while True:
    consumer.poll(0.1)
"""


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_killed_member_is_taken_over_when_its_session_ends(impatient, name, protocol):
    make_topic(impatient, name, 2)
    settings = {"group.id": name, "group.protocol": protocol}
    if protocol == "classic":
        settings |= {"session.timeout.ms": "1000", "heartbeat.interval.ms": "300"}
    config = {key.replace(".", "_"): value for key, value in settings.items() if key != "group.id"}
    with members(impatient, [name], name, 1, **config) as (first,):
        until(lambda: len(first.owned) == 2)
        words = [f"{key}={value}" for key, value in settings.items()]
        killed = subprocess.Popen(
            [sys.executable, "-c", KILLED, impatient.address, name, *words], stdout=subprocess.PIPE, text=True
        )
        try:
            assert killed.stdout.readline() == "assigned\n"
            until(lambda: len(first.owned) == 1)
        finally:
            killed.kill()
            killed.wait(SECONDS)
            killed.stdout.close()
        until(lambda: len(first.owned) == 2)


def test_join_to_assignment_is_quick(kafka, name):
    """A bound that only a group that waits for something would miss; what it takes is in the benchmarks."""
    make_topic(kafka, name, 1)
    with members(kafka, [name], name, 1) as (member,):
        until(lambda: member.owned, seconds=3)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_static_member_returns_without_a_rebalance(impatient, name, protocol):
    kafka = impatient
    make_topic(kafka, name, 2)
    settings = {"group_protocol": protocol}
    with members(kafka, [name], name, 1, group_instance_id="i1", **settings) as (first,):
        second = Member(kafka, [name], name, group_instance_id="i2", **settings)
        until(lambda: (len(first.owned), len(second.owned)) == (1, 1))
        had, rebalances = second.owned, first.rebalances
        second.stop()
        second.consumer.close()
        with members(kafka, [name], name, 1, group_instance_id="i2", **settings) as (back,):
            until(lambda: back.owned == had)
            assert first.rebalances == rebalances


def test_the_assignor_that_most_members_ask_for(kafka, name):
    topics = [f"{name}-a", f"{name}-b"]
    for topic in topics:
        make_topic(kafka, topic, 3)
    with members(kafka, topics, name, 1, group_protocol="consumer", group_remote_assignor="range") as (one,):
        until(lambda: len(one.owned) == 6)
        admin = AdminClient(kafka.client())
        described = admin.describe_consumer_groups([name])[name].result(SECONDS)
        assert described.partition_assignor == "range"


def test_a_second_bearer_of_an_instance_id_fences_the_first(kafka, name):
    make_topic(kafka, name, 1)
    first = Member(kafka, [name], name, group_instance_id="i1")
    until(lambda: first.owned)
    with members(kafka, [name], name, 1, group_instance_id="i1") as (second,):
        until(lambda: second.owned)
        until(lambda: any(error.code() == ck.KafkaError._FATAL for error in first.errors))
        first.close()


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_offsets_survive_a_restart(tmp_path, name, protocol):
    with running_broker(tmp_path) as kafka:
        make_topic(kafka, name, 1, messages=20)
        with members(kafka, [name], name, 1, enable_auto_commit="false", group_protocol=protocol) as (one,):
            until(lambda: len(one.values) == 20)
            one.stop()
            at = [ck.TopicPartition(name, 0, 15, "with a note")]
            one.consumer.commit(offsets=at, asynchronous=False)
        kafka.restart()
        with members(kafka, [name], name, 1, group_protocol=protocol) as (again,):
            until(lambda: len(again.values) == 5)
            assert again.values == list(range(15, 20))


def test_members_go_on_after_a_restart_of_the_broker(tmp_path, name):
    with running_broker(tmp_path) as kafka:
        make_topic(kafka, name, 2)
        with members(kafka, [name], name, 2, enable_auto_commit="false") as (first, second):
            until(lambda: (len(first.owned), len(second.owned)) == (1, 1))
            rebalances = first.rebalances + second.rebalances
            kafka.restart()
            make_topic(kafka, f"{name}-other", 1)
            producer = ck.Producer(kafka.client())
            for partition in (0, 1):
                producer.produce(name, str(partition), partition=partition)
            assert producer.flush(SECONDS) == 0
            until(lambda: sorted(first.values + second.values) == [0, 1])
            assert first.rebalances + second.rebalances == rebalances


def test_auto_commit_and_auto_offset_reset(kafka, name):
    make_topic(kafka, name, 1, messages=10)
    with members(kafka, [name], name, 1, auto_commit_interval_ms=100) as (first,):
        until(lambda: len(first.values) == 10)
    with (
        members(kafka, [name], name, 1) as (second,),
        members(kafka, [name], f"{name}-late", 1, auto_offset_reset="latest") as (late,),
    ):
        until(lambda: second.owned and late.owned)
        producer = ck.Producer(kafka.client())

        def both_read_what_is_new():
            producer.produce(name, "99")
            producer.flush(SECONDS)
            return second.values and late.values

        until(both_read_what_is_new)
        assert set(second.values) == {99}
        assert set(late.values) == {99}


def test_admin(kafka, name):
    make_topic(kafka, name, 2, messages=4)
    admin = AdminClient(kafka.client())
    classic, modern = f"{name}-classic", f"{name}-modern"
    with members(kafka, [name], classic, 1), members(kafka, [name], modern, 1, group_protocol="consumer"):

        def listed():
            valid = admin.list_consumer_groups().result(SECONDS).valid
            found = {group.group_id: (group.state, group.type) for group in valid}
            stable = ConsumerGroupState.STABLE
            return found if found.get(classic, "?")[0] == stable == found.get(modern, "?")[0] else None

        found = until(listed)
        assert found[classic][1] == ck.ConsumerGroupType.CLASSIC
        assert found[modern][1] == ck.ConsumerGroupType.CONSUMER
        only = admin.list_consumer_groups(types={ck.ConsumerGroupType.CONSUMER}).result(SECONDS).valid
        assert classic not in {group.group_id for group in only}
        for group, future in admin.describe_consumer_groups([classic, modern]).items():
            described = future.result(SECONDS)
            [member] = described.members
            assert described.state == ConsumerGroupState.STABLE
            assert described.partition_assignor == ("range" if group == classic else "uniform")
            assert sorted(each.partition for each in member.assignment.topic_partitions) == [0, 1]
            assert member.host == "/127.0.0.1"
        with pytest.raises(ck.KafkaException, match="NON_EMPTY_GROUP"):
            admin.delete_consumer_groups([classic])[classic].result(SECONDS)
    wanted = ck.ConsumerGroupTopicPartitions(classic, [ck.TopicPartition(name, 0, 1)])
    admin.alter_consumer_group_offsets([wanted])[classic].result(SECONDS)
    asked = ck.ConsumerGroupTopicPartitions(classic)
    offsets = admin.list_consumer_group_offsets([asked])[classic].result(SECONDS).topic_partitions
    assert {each.partition: each.offset for each in offsets if each.error is None}[0] == 1
    for group, future in admin.delete_consumer_groups([classic, modern]).items():
        assert future.result(SECONDS) is None, group
    left = {group.group_id for group in admin.list_consumer_groups().result(SECONDS).valid}
    assert not {classic, modern} & left


def test_a_group_changes_its_protocol_while_it_is_empty(kafka, name):
    make_topic(kafka, name, 1, messages=6)
    for count, protocol in ((6, "classic"), (0, "consumer"), (0, "classic")):
        with members(kafka, [name], name, 1, group_protocol=protocol) as (member,):
            until(lambda member=member: member.owned)
            until(lambda member=member, count=count: len(member.values) >= count)
            assert len(member.values) == count


def test_subscription_by_pattern(kafka, name):
    make_topic(kafka, f"{name}-x1", 1)
    pattern = [f"^{name}-x.*"]
    quick = {"topic_metadata_refresh_interval_ms": 500}
    with (
        members(kafka, pattern, name, 1, **quick) as (classic,),
        members(kafka, pattern, f"{name}-m", 1, group_protocol="consumer", **quick) as (modern,),
    ):
        until(lambda: len(classic.owned) == len(modern.owned) == 1)
        make_topic(kafka, f"{name}-x2", 2)
        until(lambda: len(classic.owned) == 3)
        until(lambda: len(modern.owned) == 3)


def test_expiry_of_offsets_by_cloud_time(tmp_path, name):
    clock = SystemClock()
    with running_broker(tmp_path, clock=clock) as kafka:
        make_topic(kafka, name, 1, messages=1)
        consumer = ck.Consumer(kafka.client(group_id=name))
        consumer.commit(offsets=[ck.TopicPartition(name, 0, 1)], asynchronous=False)
        [committed] = consumer.committed([ck.TopicPartition(name, 0)], timeout=SECONDS)
        assert committed.offset == 1
        groups = kafka.call(lambda: kafka.broker.part(Groups))
        retention_ms = 7 * 24 * 3600 * 1000
        kafka.call(lambda: clock.move(Step(clock.wall_ms(), clock.cloud_ms() + retention_ms - 60_000)))
        kafka.call(groups.expire_offsets)
        assert consumer.committed([ck.TopicPartition(name, 0)], timeout=SECONDS)[0].offset == 1
        kafka.call(lambda: clock.move(Step(clock.wall_ms(), clock.cloud_ms() + 60_000)))
        kafka.call(kafka.face.clock_moved)  # as whoever moves the clock tells every face
        until(lambda: consumer.committed([ck.TopicPartition(name, 0)], timeout=SECONDS)[0].offset < 0)
        consumer.close()
        until(lambda: kafka.call(groups.every) == [])


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_members_go_on_after_the_face_was_silent(tmp_path, name, protocol):
    """A checkpoint is brought back: all that was derived is forgotten, and read from the log again."""
    with running_broker(tmp_path) as kafka:
        make_topic(kafka, name, 2, messages=10)
        with members(kafka, [name], name, 1, group_protocol=protocol, auto_commit_interval_ms=100) as (one,):
            until(lambda: len(one.values) == 10 and len(one.owned) == 2)
            parked = Member(kafka, [name], name, group_protocol=protocol)
            until(lambda: kafka.call(kafka.broker.part(Groups).every))
            kafka.call(kafka.face.silence)
            kafka.call(kafka.face.go_on)
            until(lambda: (len(one.owned), len(parked.owned)) == (1, 1), seconds=2 * SECONDS)
            assert set(one.values + parked.values) == set(range(10))
            parked.close()


def test_kafka_python(kafka, name):
    make_topic(kafka, name, 2, messages=10)
    consumers = [
        KafkaConsumer(
            name,
            bootstrap_servers=kafka.address,
            group_id=name,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        for _ in range(2)
    ]
    values = []

    def both_have_one():
        for consumer in consumers:
            for records in consumer.poll(timeout_ms=100).values():
                values.extend(int(record.value) for record in records)
        return all(len(consumer.assignment()) == 1 for consumer in consumers)

    until(both_have_one)
    until(lambda: both_have_one() and set(values) == set(range(10)))
    first, second = consumers
    [mine] = first.assignment()
    first.commit({mine: OffsetAndMetadata(3, "note", -1)})
    first.close()
    until(lambda: second.poll(timeout_ms=100) is not None and len(second.assignment()) == 2)
    assert second.committed(TopicPartition(name, mine.partition)) == 3
    second.close()


def test_aiokafka(kafka, name):
    make_topic(kafka, name, 2, messages=10)

    async def consume():
        consumers = [
            aiokafka.AIOKafkaConsumer(
                name, bootstrap_servers=kafka.address, group_id=name, auto_offset_reset="earliest"
            )
            for _ in range(2)
        ]
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(consumer.start() for consumer in consumers))
            values = set()
            while len(values) < 10 or not all(len(each.assignment()) == 1 for each in consumers):
                for consumer in consumers:
                    for records in (await consumer.getmany(timeout_ms=100)).values():
                        values.update(int(record.value) for record in records)
            for consumer in consumers:
                await consumer.stop()
        return values

    assert asyncio.run(consume()) == set(range(10))


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
@pytest.mark.parametrize("is_committed", [True, False], ids=["commit", "abort"])
def test_offsets_of_a_transaction(kafka, name, is_committed, protocol):
    """KIP-447: seen after the commit alone, and while it is open a consumer must wait for it."""
    make_topic(kafka, name, 1, messages=10)
    producer = ck.Producer(kafka.client(transactional_id=name))
    producer.init_transactions(SECONDS)
    with members(kafka, [name], name, 1, enable_auto_commit="false", group_protocol=protocol) as (member,):
        until(lambda: len(member.values) == 10)
        member.stop()
        producer.begin_transaction()
        producer.produce(name, "10")
        at = [ck.TopicPartition(name, 0, 7)]
        producer.send_offsets_to_transaction(at, member.consumer.consumer_group_metadata(), SECONDS)
        other = ck.Consumer(kafka.client(group_id=name))
        with pytest.raises(ck.KafkaException, match="_TIMED_OUT"):
            other.committed([ck.TopicPartition(name, 0)], timeout=0.5)
        if is_committed:
            producer.commit_transaction(SECONDS)
        else:
            producer.abort_transaction(SECONDS)
        [committed] = other.committed([ck.TopicPartition(name, 0)], timeout=SECONDS)
        assert committed.offset == (7 if is_committed else ck.OFFSET_INVALID)
        other.close()


def test_offsets_of_a_transaction_of_version_2(kafka, name):
    """kafka-python 3 speaks transactions v2: the group is added by the commit itself."""
    make_topic(kafka, name, 1, messages=10)
    producer = KafkaProducer(bootstrap_servers=kafka.address, transactional_id=name)
    producer.init_transactions()
    for offset, is_committed in ((4, True), (9, False)):
        producer.begin_transaction()
        producer.send_offsets_to_transaction(
            {TopicPartition(name, 0): OffsetAndMetadata(offset, "", -1)}, name
        )
        if is_committed:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=kafka.address, group_id=name)
    assert consumer.committed(TopicPartition(name, 0)) == 4
    consumer.close()


def test_offsets_go_with_their_topic(kafka, name):
    make_topic(kafka, name, 1)
    consumer = ck.Consumer(kafka.client(group_id=name))
    consumer.commit(offsets=[ck.TopicPartition(name, 0, 1)], asynchronous=False)
    admin = AdminClient(kafka.client())
    admin.delete_topics([name])[name].result(SECONDS)
    make_topic(kafka, name, 1)
    until(lambda: consumer.committed([ck.TopicPartition(name, 0)], timeout=SECONDS)[0].offset < 0)
    consumer.close()


@STRATEGIES
def test_members_of_both_protocols_in_one_group(impatient, name, settings):
    """A rolling change from the classic to the consumer protocol and back, by restarts of the clients."""
    kafka = impatient
    make_topic(kafka, name, 4, messages=40)
    classic = settings if "group_protocol" not in settings else {"heartbeat_interval_ms": 300}
    modern = {"group_protocol": "consumer"}
    found = [Member(kafka, [name], name, **classic) for _ in range(2)]
    try:
        until(lambda: shares(found)() == [2, 2])
        for kind in (modern, modern, classic, classic):
            found.append(Member(kafka, [name], name, **kind))
            until(lambda: sorted(shares(found)() or []) == [1, 1, 2])
            found.pop(0).close()
            until(lambda: shares(found)() == [2, 2])
        assert not any(member.errors for member in found)
        admin = AdminClient(kafka.client())
        [listed] = [
            group for group in admin.list_consumer_groups().result(SECONDS).valid if group.group_id == name
        ]
        assert listed.type == ck.ConsumerGroupType.CLASSIC
    finally:
        for member in found:
            member.close()
