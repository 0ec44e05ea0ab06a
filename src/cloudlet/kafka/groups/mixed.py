"""Groups of both protocols at once: classic members in a consumer group, and how a group goes from one
protocol to the other while it lives.

State   none beside the groups'
Source  Apache Kafka 4.3: KIP-848, "Upgrade and downgrade"; group.consumer.migration.policy
Absent  a downgrade by a classic static member that takes the place of the last consumer one: it is made when
        that one is fenced

Theory of operation
    The first member of the consumer protocol that joins a classic group turns it into a consumer group: its
    members keep their partitions, and their generation becomes the epoch. They go on with JoinGroup,
    SyncGroup and Heartbeat, which are told in terms of the consumer group:

        JoinGroup    a heartbeat that says what is owned; the answer's generation is the member's epoch
        SyncGroup    the partitions that the member has now
        Heartbeat    REBALANCE_IN_PROGRESS where it has a step to take: let something go, or get something

    When the last member of the consumer protocol has gone and classic ones are left, the group becomes a
    classic one again, and they are told to join.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.assignors import Assignment
from cloudlet.kafka.groups.classic import ClassicGroup
from cloudlet.kafka.groups.classic_values import GroupImage, Join, Joined, Synced
from cloudlet.kafka.groups.consumer import ConsumerGroup, ConsumerSettings
from cloudlet.kafka.groups.consumer_values import (
    NOTHING,
    ClassicSide,
    ConsumerMember,
    Current,
    CurrentFact,
    Fact,
    GroupFact,
    MemberFact,
    MemberState,
    TargetEpochFact,
    TargetFact,
    Topics,
)
from cloudlet.kafka.groups.roster import Member, MemberImage, Protocol, Roster
from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.codec import decode, encode_versioned, version_of
from cloudlet.wire.kafka.error_codes import ErrorCode

CONSUMER_PROTOCOL = "consumer"
VERSION_MAX = 3  # of what consumers embed in their requests; later ones begin with it
VERSION_BYTES = 2


class Subscription(NamedTuple):
    """What a classic consumer brings: its topics, and what it has."""

    topics: tuple[str, ...]
    owned: Assignment
    rack_id: str | None


def subscription_of(metadata: bytes, topics: Topics) -> Subscription:
    """ProtocolError for what does not hold to the consumers' schema."""
    version = min(version_of(metadata), VERSION_MAX)
    value, _ = decode(messages.ConsumerProtocolSubscription, version, metadata, VERSION_BYTES)
    owned = _by_id(((row.Topic, row.Partitions) for row in value.OwnedPartitions), topics)
    return Subscription(tuple(sorted(set(value.Topics))), owned, value.RackId)


def _by_id(rows: Iterable[tuple[str, Sequence[int]]], topics: Topics) -> Assignment:
    found: dict[bytes, frozenset[int]] = {}
    for name, partitions in rows:
        place = topics.find(name)
        if place is not None and partitions:
            found[place[0]] = found.get(place[0], frozenset()) | frozenset(partitions)
    return found


def _share_of(assignment: bytes, topics: Topics) -> Assignment:
    if not assignment:
        return NOTHING
    version = min(version_of(assignment), VERSION_MAX)
    value, _ = decode(messages.ConsumerProtocolAssignment, version, assignment, VERSION_BYTES)
    return _by_id(((row.Topic, row.Partitions) for row in value.AssignedPartitions), topics)


def _encoded(share: Assignment, metadata: bytes, topics: Topics) -> bytes:
    """A share as a classic consumer reads it, in the version of what it brought."""
    shape = messages.ConsumerProtocolAssignment
    rows = [
        shape.TopicPartition(Topic=name, Partitions=sorted(partitions))
        for topic, partitions in share.items()
        if (name := topics.name(topic)) is not None
    ]
    return encode_versioned(shape(AssignedPartitions=rows), min(version_of(metadata), VERSION_MAX))


# -- from one protocol to the other


def upgraded(group: ClassicGroup, topics: Topics) -> list[Fact]:
    """The facts of the consumer group that a classic one becomes. GROUP_ID_NOT_FOUND for one whose members do
    not hold to the consumers' schema."""
    members: list[ConsumerMember] = []
    try:
        for member in group.roster:
            metadata = member.metadata(group.protocol) or member.protocols[0].metadata
            subscription = subscription_of(metadata, topics)
            share = _share_of(member.assignment, topics)
            members.append(
                ConsumerMember(
                    member.id,
                    member.instance_id,
                    subscription.rack_id,
                    member.client_id,
                    member.client_host,
                    subscription.topics,
                    rebalance_timeout_ms=member.rebalance_timeout_ms,
                    classic=ClassicSide(member.session_timeout_ms, member.protocols),
                    assigned=share,
                )
            )
    except ProtocolError:
        raise KafkaFault(
            ErrorCode.GROUP_ID_NOT_FOUND,
            f"Cannot upgrade classic group {group.id} to consumer group because the embedded consumer "
            "protocol is malformed.",
        ) from None
    epoch = group.generation
    facts: list[Fact] = [MemberFact(each.id, each) for each in members]
    facts.append(GroupFact(epoch))
    facts += [TargetFact(each.id, each.assigned) for each in members]
    facts.append(TargetEpochFact(epoch))
    for each in members:
        current = Current(epoch, epoch, MemberState.STABLE, each.assigned, NOTHING)
        facts.append(CurrentFact(each.id, current))
    return facts


def may_downgrade(group: ConsumerGroup, gone: Sequence[str]) -> bool:
    """Whether there are members left, all of the classic protocol, once these have gone."""
    left = [member for member in group.members.values() if member.id not in gone]
    return bool(left) and all(member.classic is not None for member in left)


def downgraded(group: ConsumerGroup, gone: Sequence[str], topics: Topics, cloud_ms: int) -> GroupImage:
    """The classic group that a consumer group becomes; its members have what they were to have."""
    roster = Roster()
    for member in group.members.values():
        if member.id not in gone and member.classic is not None:
            side = member.classic
            roster.add(
                Member(
                    member.id,
                    member.instance_id,
                    member.client_id,
                    member.client_host,
                    member.rebalance_timeout_ms,
                    side.session_timeout_ms,
                    side.protocols,
                    _encoded(group.targets.get(member.id, NOTHING), side.protocols[0].metadata, topics),
                ),
                CONSUMER_PROTOCOL,
            )
    protocol = roster.select_protocol()
    members = tuple(
        MemberImage(
            each.id,
            each.instance_id,
            each.client_id,
            each.client_host,
            each.rebalance_timeout_ms,
            each.session_timeout_ms,
            each.metadata(protocol),
            each.assignment,
        )
        for each in roster
    )
    return GroupImage(CONSUMER_PROTOCOL, group.epoch, protocol, roster.leader, cloud_ms, members)


# -- classic members of a consumer group


def join(
    group: ConsumerGroup,
    asked: Join,
    new_id: str,
    topics: Topics,
    settings: ConsumerSettings,
    cloud_ms: int,
) -> tuple[Joined, list[Fact]]:
    """Decide on a JoinGroup: the answer, and what it rests on."""
    is_new = not asked.member_id
    member_id = asked.member_id or new_id
    group.check_room(member_id, settings)
    if not _knows(group, member_id, asked.protocol_type, asked.protocols):
        raise KafkaFault(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    if is_new and asked.instance_id is None and asked.must_know_its_id:
        return Joined(member_id, ErrorCode.MEMBER_ID_REQUIRED), []
    try:
        subscription = subscription_of(asked.protocols[0].metadata, topics)
    except ProtocolError:
        raise KafkaFault(ErrorCode.INCONSISTENT_GROUP_PROTOCOL) from None
    facts: list[Fact] = []
    replaced: str | None = None
    if asked.instance_id is None:
        member = group.members.get(member_id) or ConsumerMember(member_id)
    elif is_new:
        member, replaced = group.static_joiner(asked.instance_id, member_id, facts, is_classic=True)
    else:
        member = group.static_caller(asked.instance_id, member_id)
    updated = replace(
        member,
        instance_id=asked.instance_id or member.instance_id,
        rack_id=subscription.rack_id or member.rack_id,
        client_id=asked.client_id,
        client_host=asked.client_host,
        topics=subscription.topics,
        regex=None,
        rebalance_timeout_ms=asked.rebalance_timeout_ms,
        assignor=None,
        classic=ClassicSide(asked.session_timeout_ms, asked.protocols),
    )
    moved = group.step(member, updated, replaced, subscription.owned, facts, topics, settings, cloud_ms)
    answer = Joined(
        moved.id,
        generation=moved.epoch,
        protocol_type=CONSUMER_PROTOCOL,
        protocol=asked.protocols[0].name,
    )
    return answer, facts


def _knows(group: ConsumerGroup, member_id: str, protocol_type: str, protocols: Sequence[Protocol]) -> bool:
    """Whether the other classic members know one of the protocols."""
    if protocol_type != CONSUMER_PROTOCOL or not protocols:
        return False
    names = {each.name for each in protocols}
    for member in group.members.values():
        if member.classic is not None and member.id != member_id:
            names &= {each.name for each in member.classic.protocols}
    return bool(names)


def sync(
    group: ConsumerGroup,
    member_id: str,
    instance_id: str | None,
    generation: int,
    protocol_type: str | None,
    protocol: str | None,
    topics: Topics,
) -> Synced:
    """Answer a SyncGroup."""
    member = _caller(group, member_id, instance_id, generation)
    assert member.classic is not None
    known = member.classic.protocols[0]
    if protocol_type not in (None, CONSUMER_PROTOCOL) or protocol not in (None, known.name):
        raise KafkaFault(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    if group.epoch > member.epoch and member.state is not MemberState.UNREVOKED_PARTITIONS:
        raise KafkaFault(ErrorCode.REBALANCE_IN_PROGRESS)
    share = _encoded(member.assigned, known.metadata, topics)
    return Synced(ErrorCode.NONE, protocol_type, protocol, share)


def heartbeat(group: ConsumerGroup, member_id: str, instance_id: str | None, generation: int) -> ErrorCode:
    """Answer a Heartbeat: whether the member has a step to take."""
    member = _caller(group, member_id, instance_id, generation)
    must_join = (
        member.epoch < group.epoch
        or member.state is MemberState.UNREVOKED_PARTITIONS
        or (member.state is MemberState.UNRELEASED_PARTITIONS and not _must_wait(group, member))
    )
    return ErrorCode.REBALANCE_IN_PROGRESS if must_join else ErrorCode.NONE


def _must_wait(group: ConsumerGroup, member: ConsumerMember) -> bool:
    """Whether something that it is to have is still another's."""
    return any(
        group.owners.get((topic, partition)) not in (None, member.id)
        for topic, partitions in group.targets.get(member.id, NOTHING).items()
        for partition in partitions - member.assigned.get(topic, frozenset())
    )


def _caller(group: ConsumerGroup, member_id: str, instance_id: str | None, generation: int) -> ConsumerMember:
    if instance_id is None:
        member = group.member(member_id)
    else:
        member = group.static_caller(instance_id, member_id)
    if member.classic is None:
        raise KafkaFault(ErrorCode.UNKNOWN_MEMBER_ID)
    if generation != member.epoch:
        raise KafkaFault(ErrorCode.ILLEGAL_GENERATION)
    return member
