"""One partition's groups and offsets: who may commit, what expires, what a restart brings back."""

import pytest

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.classic import ClassicGroup
from cloudlet.kafka.groups.classic_values import GroupImage, Leaver, Limits, State
from cloudlet.kafka.groups.consumer import ConsumerGroup, ConsumerSettings
from cloudlet.kafka.groups.consumer_values import Beat
from cloudlet.kafka.groups.offsets import Committed
from cloudlet.kafka.groups.records import ClassicEntry, ConsumerEntry, OffsetEntry
from cloudlet.kafka.groups.roster import MemberImage
from cloudlet.kafka.groups.shard import Committer, Settings, Shard, is_subscribed
from cloudlet.kernel.clock import ManualClock
from cloudlet.wire.kafka.error_codes import ErrorCode

DAY_MS = 86_400_000
READS_T = b"\0\0" + b"\0\0\0\x01" + b"\0\x01t" + b"\xff\xff\xff\xff"


class Topics:
    version = 1

    def find(self, name):
        return (name.encode() * 16)[:16], 2

    def name(self, topic):
        return topic[:1].decode()

    def names(self):
        return ["t"]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def shard(clock):
    return Shard(Settings(Limits, lambda group: ConsumerSettings()), clock)


def apply(shard, entries):
    for entry in entries:
        shard.replay(entry)


def commit(shard, group="g", topic="t", partition=0, offset=1, **more):
    at = Committed(offset, -1, "", shard.clock.cloud_ms(), **more)
    shard.replay(OffsetEntry(group, topic, partition, at))


def stable(shard, group="g", protocol_type="consumer"):
    """A classic group with one member, m, in generation 3."""
    member = MemberImage("m", "i", "c", "/h", 60_000, 10_000, READS_T, b"")
    image = GroupImage(protocol_type, 3, "range", "m", shard.clock.cloud_ms(), (member,))
    shard.replay(ClassicEntry(group, image), is_loading=True)
    return shard.groups[group]


def modern(shard, group="k"):
    """A consumer group with one member, m, at epoch 1."""
    found, before = shard.consumer_group(group, Topics(), may_make=True)
    beat = Beat("m", 0, rebalance_timeout_ms=1000, topics=("t",), owned={})
    _, facts = found.heartbeat(beat, Topics(), ConsumerSettings(), 0)
    apply(shard, [*before, *(ConsumerEntry(group, fact) for fact in facts)])
    return shard.groups[group]


def error(function, *arguments):
    try:
        function(*arguments)
    except KafkaFault as fault:
        return fault.code.name
    return "NONE"


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (Committer("none"), "NONE"),  # a consumer that takes its partitions by itself makes the group
        (Committer("none", "m", generation=1), "ILLEGAL_GENERATION"),
        (Committer("none", "m", generation=1, version=9), "GROUP_ID_NOT_FOUND"),
        (Committer("none", generation=1, version=9, is_transactional=True), "ILLEGAL_GENERATION"),
        (Committer("g", "m", generation=3), "NONE"),
        (Committer("g", "m", "i", 3), "NONE"),
        (Committer("g", "m", "other", 3), "UNKNOWN_MEMBER_ID"),
        (Committer("g", "x", "i", 3), "FENCED_INSTANCE_ID"),
        (Committer("g", "m", generation=2), "ILLEGAL_GENERATION"),
        (Committer("g", "x", generation=3), "UNKNOWN_MEMBER_ID"),
        (Committer("g"), "UNKNOWN_MEMBER_ID"),  # only members, while there are some
        (Committer("g", is_transactional=True), "NONE"),  # as producers of old, who do not say
        (Committer("k", "m", generation=1, version=9), "NONE"),
        (Committer("k", "m", generation=2, version=9), "STALE_MEMBER_EPOCH"),
        (Committer("k", "m", generation=1, version=8), "UNSUPPORTED_VERSION"),
        (Committer("k", "x", generation=1, version=9), "UNKNOWN_MEMBER_ID"),
        (Committer("k", "m", generation=2, is_transactional=True), "ILLEGAL_GENERATION"),
        (Committer("k", version=9), "UNKNOWN_MEMBER_ID"),
    ],
)
def test_who_may_commit(shard, by, expected):
    stable(shard)
    modern(shard)
    assert error(shard.check_commit, by) == expected


def test_no_commit_while_a_rebalance_completes(shard):
    group = stable(shard)
    group.state = State.COMPLETING
    assert error(shard.check_commit, Committer("g", "m", generation=3)) == "REBALANCE_IN_PROGRESS"
    group.state = State.PREPARING
    assert error(shard.check_commit, Committer("g", "m", generation=3)) == "NONE"


def test_a_commit_is_a_sign_of_life(shard, clock):
    group = stable(shard)
    clock.pass_ms(9_000)
    shard.check_commit(Committer("g", "m", generation=3))
    assert group.deadline_ms() == 19_000


@pytest.mark.parametrize(
    ("member_id", "epoch", "expected"),
    [
        (None, -1, "NONE"),
        ("", -1, "NONE"),
        ("m", 1, "NONE"),
        ("m", 0, "STALE_MEMBER_EPOCH"),
        ("x", 1, "UNKNOWN_MEMBER_ID"),
    ],
)
def test_who_may_fetch(shard, member_id, epoch, expected):
    modern(shard)
    stable(shard)
    assert error(shard.check_fetch, "k", member_id, epoch) == expected
    assert error(shard.check_fetch, "g", member_id, epoch) == "NONE"


def expired(shard, retention_ms=7 * DAY_MS):
    entries = [entry for found in shard.expired(retention_ms) for entry in found]
    apply(shard, entries)
    return entries


def test_offsets_of_a_consumer_without_a_group_expire_after_their_commit(shard, clock):
    commit(shard)
    clock.advance_ms(3 * DAY_MS)
    commit(shard, partition=1)
    clock.advance_ms(4 * DAY_MS - 1)
    assert expired(shard) == []
    clock.advance_ms(1)
    assert expired(shard) == [OffsetEntry("g", "t", 0, None)]
    clock.advance_ms(3 * DAY_MS)
    assert expired(shard) == [OffsetEntry("g", "t", 1, None), ClassicEntry("g", None)]
    assert shard.groups == {}


def test_offsets_of_an_empty_group_expire_after_its_last_member_left(shard, clock):
    commit(shard)
    clock.advance_ms(6 * DAY_MS)
    image = GroupImage("consumer", 4, None, None, clock.cloud_ms())
    shard.replay(ClassicEntry("g", image), is_loading=True)
    clock.advance_ms(6 * DAY_MS)
    assert expired(shard) == []
    clock.advance_ms(DAY_MS)
    assert expired(shard) == [OffsetEntry("g", "t", 0, None), ClassicEntry("g", None)]


def test_what_members_read_does_not_expire(shard, clock):
    stable(shard)
    modern(shard)
    for group in ("g", "k"):
        commit(shard, group)
        commit(shard, group, "u")
    clock.advance_ms(30 * DAY_MS)
    assert expired(shard) == [OffsetEntry("g", "u", 0, None), OffsetEntry("k", "u", 0, None)]
    assert expired(shard) == []


def test_of_connects_groups_nothing_expires_while_they_live(shard, clock):
    stable(shard, protocol_type="connect")
    commit(shard)
    clock.advance_ms(30 * DAY_MS)
    assert expired(shard) == []


def test_an_expiry_of_the_clients_own_counts(shard, clock):
    commit(shard, expire_ms=clock.cloud_ms() + 1000)
    clock.advance_ms(999)
    assert expired(shard) == []
    clock.advance_ms(1)
    assert expired(shard)[0] == OffsetEntry("g", "t", 0, None)


def test_what_a_transaction_may_commit_does_not_expire(shard, clock):
    commit(shard)
    shard.replay(OffsetEntry("g", "t", 0, Committed(2, -1, "", 0)), producer_id=7)
    clock.advance_ms(30 * DAY_MS)
    assert expired(shard) == []
    shard.offsets.replay_marker(7, is_commit=False)
    assert expired(shard) == [OffsetEntry("g", "t", 0, None), ClassicEntry("g", None)]


def test_deleting_groups(shard):
    stable(shard)
    modern(shard)
    commit(shard, "simple")
    assert error(shard.delete, "none") == "GROUP_ID_NOT_FOUND"
    assert error(shard.delete, "g") == error(shard.delete, "k") == "NON_EMPTY_GROUP"
    apply(shard, shard.delete("simple"))
    errors, entries = shard.remove_members("k", [Leaver("m"), Leaver("x"), Leaver("", "i")], Topics())
    assert [each.name for each in errors] == ["NONE", "UNKNOWN_MEMBER_ID", "UNKNOWN_MEMBER_ID"]
    apply(shard, entries)
    apply(shard, shard.delete("k"))
    assert set(shard.groups) == {"g"}


def test_deleting_offsets(shard):
    stable(shard)
    stable(shard, "connect", "connect")
    assert error(shard.check_delete_offsets, "none") == "GROUP_ID_NOT_FOUND"
    assert error(shard.check_delete_offsets, "connect") == "NON_EMPTY_GROUP"
    group = shard.check_delete_offsets("g")
    assert is_subscribed(group, "t")
    assert not is_subscribed(group, "u")


def test_without_migrations_a_group_changes_its_protocol_only_while_it_is_empty(shard):
    shard.settings = shard.settings._replace(migrations=lambda: "disabled")
    stable(shard)
    with pytest.raises(KafkaFault) as caught:
        shard.consumer_group("g", Topics(), may_make=True)
    assert caught.value.code is ErrorCode.GROUP_ID_NOT_FOUND
    apply(shard, shard.new_group("h"))
    assert isinstance(shard.groups["h"], ClassicGroup)
    modern(shard, "h")
    assert isinstance(shard.groups["h"], ConsumerGroup)
    apply(shard, shard.remove_members("h", [Leaver("m")], Topics())[1])
    apply(shard, shard.new_group("h"))
    assert isinstance(shard.groups["h"], ClassicGroup)


def test_offsets_in_a_deleted_topic_are_forgotten(shard):
    commit(shard)
    commit(shard, topic="u")
    apply(shard, shard.forgotten(["t"]))
    assert shard.offsets.each("g") == [("u", 0)]
