"""Classic members in consumer groups, and groups that change their protocol while they live."""

import pytest
from tests.kafka.groups.test_consumer import Known, read, shown

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups import mixed
from cloudlet.kafka.groups.classic import ClassicGroup
from cloudlet.kafka.groups.classic_values import Join, Limits
from cloudlet.kafka.groups.consumer import ConsumerGroup, ConsumerSettings
from cloudlet.kafka.groups.consumer_values import Beat
from cloudlet.kafka.groups.roster import Member, Protocol
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.codec import decode_versioned, encode_versioned
from cloudlet.wire.kafka.error_codes import ErrorCode

SETTINGS = ConsumerSettings()


@pytest.fixture
def topics():
    known = Known()
    known.counts["t"] = 4
    return known


def subscription(owned=(), version=1, names=("t",)):
    shape = messages.ConsumerProtocolSubscription
    rows = [shape.TopicPartition(Topic="t", Partitions=list(owned))] if owned else []
    return encode_versioned(shape(Topics=list(names), OwnedPartitions=rows), version)


def assignment(partitions, version=1):
    shape = messages.ConsumerProtocolAssignment
    rows = [shape.TopicPartition(Topic="t", Partitions=list(partitions))]
    return encode_versioned(shape(AssignedPartitions=rows), version)


def partitions_of(share):
    value = decode_versioned(messages.ConsumerProtocolAssignment, share)
    return {row.Topic: list(row.Partitions) for row in value.AssignedPartitions}


def classic(shares, generation=3):
    group = ClassicGroup("g", Limits(), lambda: 0)
    group.generation, group.protocol = generation, "range"
    for name, share in shares.items():
        protocols = (Protocol("range", subscription(share)), Protocol("other", subscription(share)))
        member = Member(name, None, "c", "/h", 60_000, 9_000, protocols, assignment(share))
        group.roster.add(member, "consumer")
    return group


def apply(group, facts):
    for fact in facts:
        group.apply(fact)
    return group


def beat(group, topics, name, epoch=0, owned=None):
    first = {"rebalance_timeout_ms": 1000, "topics": ("t",), "owned": {}} if epoch == 0 else {}
    given = {} if owned is None else {"owned": read(owned)}
    answer, facts = group.heartbeat(Beat(name, epoch, **{**first, **given}), topics, SETTINGS, 0)
    apply(group, facts)
    return answer


def join(group, topics, name, owned=(), must_know=True, instance=None, protocols=("range",)):
    asked = Join(
        name,
        instance,
        "c",
        "/h",
        60_000,
        9_000,
        "consumer",
        tuple(Protocol(each, subscription(owned)) for each in protocols),
        must_know,
        True,
    )
    joined, facts = mixed.join(group, asked, "new", topics, SETTINGS, 0)
    apply(group, facts)
    return joined


def sync(group, topics, name, generation):
    synced = mixed.sync(group, name, None, generation, "consumer", "range", topics)
    return partitions_of(synced.assignment)


def refused(function, *arguments, **more):
    with pytest.raises(KafkaFault) as caught:
        function(*arguments, **more)
    return caught.value.code.name


def test_a_rolling_upgrade_and_back(topics):
    old = classic({"a": (0, 1), "b": (2, 3)})
    group = apply(ConsumerGroup("g"), mixed.upgraded(old, topics))
    assert (group.epoch, group.target_epoch) == (3, 3)
    assert [shown(group.members[name].assigned) for name in "ab"] == ["t:0,1", "t:2,3"]
    assert mixed.heartbeat(group, "a", None, 3) is ErrorCode.NONE

    # the first member of the consumer protocol comes: the others are to join, and let something go
    assert beat(group, topics, "c").epoch == 4
    assert mixed.heartbeat(group, "a", None, 3) is ErrorCode.REBALANCE_IN_PROGRESS
    assert refused(mixed.sync, group, "a", None, 3, None, None, topics) == "REBALANCE_IN_PROGRESS"
    joined = join(group, topics, "b", owned=(2, 3))
    assert (joined.generation, joined.protocol, joined.leader) == (3, "range", "")
    assert sync(group, topics, "b", 3) == {"t": [2]}
    assert mixed.heartbeat(group, "b", None, 3) is ErrorCode.REBALANCE_IN_PROGRESS
    joined = join(group, topics, "b", owned=(2,))
    assert joined.generation == 4
    assert sync(group, topics, "b", 4) == {"t": [2]}
    assert mixed.heartbeat(group, "b", None, 4) is ErrorCode.NONE
    assert shown(beat(group, topics, "c", 4, owned="").assignment) == "t:3"
    assert join(group, topics, "a", owned=(0, 1)).generation == 4
    assert sync(group, topics, "a", 4) == {"t": [0, 1]}

    # it leaves, and classic ones are left
    assert mixed.may_downgrade(group, ["c"])
    assert not mixed.may_downgrade(group, [])
    image = mixed.downgraded(group, ["c"], topics, 7)
    assert image[:4] == ("consumer", 4, "range", "a")
    assert [partitions_of(member.assignment) for member in image.members] == [{"t": [0, 1]}, {"t": [2]}]
    again = ClassicGroup.of("g", image, Limits(), lambda: 7, 0.0)
    assert [member.session_timeout_ms for member in again.roster] == [9_000, 9_000]


def test_the_last_classic_member_may_go_too(topics):
    group = apply(ConsumerGroup("g"), mixed.upgraded(classic({"a": (0, 1, 2, 3)}), topics))
    beat(group, topics, "c")
    assert not mixed.may_downgrade(group, ["a", "c"])
    apply(group, group.fence(["a"], topics, 0))
    assert shown(beat(group, topics, "c", 4, owned="").assignment) == "t:0,1,2,3"


def test_a_new_classic_member_learns_its_name_first(topics):
    group = ConsumerGroup("g")
    beat(group, topics, "c")
    joined = join(group, topics, "")
    assert (joined.error, joined.member_id) == (ErrorCode.MEMBER_ID_REQUIRED, "new")
    assert "new" not in group.members
    assert join(group, topics, "new").generation == 2
    assert join(group, topics, "", must_know=False, instance="i").member_id == "new"


def test_a_static_member_changes_its_protocol(topics):
    group = ConsumerGroup("g")
    beat(group, topics, "c")
    assert join(group, topics, "", instance="i").generation == 2
    asked = Beat("d", 0, "i", rebalance_timeout_ms=1000, topics=("t",), owned={})
    answer, facts = group.heartbeat(asked, topics, SETTINGS, 0)
    apply(group, facts)
    assert answer.member_id == "d"
    assert set(group.members) == {"c", "d"}
    assert group.members["d"].classic is None


def test_what_is_refused(topics):
    group = ConsumerGroup("g")
    beat(group, topics, "c")
    join(group, topics, "a")
    assert refused(join, group, topics, "b", protocols=("sticky",)) == "INCONSISTENT_GROUP_PROTOCOL"
    assert refused(join, group, topics, "b", protocols=()) == "INCONSISTENT_GROUP_PROTOCOL"
    assert refused(mixed.heartbeat, group, "c", None, 1) == "UNKNOWN_MEMBER_ID"
    assert refused(mixed.heartbeat, group, "none", None, 1) == "UNKNOWN_MEMBER_ID"
    assert refused(mixed.heartbeat, group, "a", None, 9) == "ILLEGAL_GENERATION"
    assert refused(mixed.heartbeat, group, "a", "i", 2) == "UNKNOWN_MEMBER_ID"
    assert refused(mixed.sync, group, "a", None, 2, "connect", None, topics) == "INCONSISTENT_GROUP_PROTOCOL"
    assert refused(mixed.sync, group, "a", None, 2, None, "sticky", topics) == "INCONSISTENT_GROUP_PROTOCOL"
    broken = classic({"a": ()})
    broken.roster.members["a"].protocols = (Protocol("range", b"\0"),)
    assert refused(mixed.upgraded, broken, topics) == "GROUP_ID_NOT_FOUND"


@pytest.mark.parametrize("version", [0, 1, 2, 3, 9])
def test_subscriptions_of_every_version_are_read(topics, version):
    data = subscription((1,), min(version, 3))
    found = mixed.subscription_of(version.to_bytes(2, "big") + data[2:], topics)
    assert found.topics == ("t",)
    assert shown(found.owned) == ("nothing" if version == 0 else "t:1")
