"""The records of __consumer_offsets: what they state, as plain values, to bytes and back.

State   none
Source  Apache Kafka 4.3, the record schemas of the group coordinator; key types 0 to 8 and 16, and in
        share/group_records.py 10 to 15
Absent  records of streams groups (key types 17 and up): passed over, as is every type that a later Kafka may
        add

A record's key and value each begin with a two-byte version; a key's is the type of the record. Versions
written are those that Kafka 4.3 writes: 3 for group metadata; for offsets 3, or 1 with an expiry of the
client's, or 4 with a topic id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from cloudlet.kafka.groups.assignors import Assignment
from cloudlet.kafka.groups.classic_values import GroupImage
from cloudlet.kafka.groups.consumer_values import (
    ClassicSide,
    ConsumerMember,
    Current,
    CurrentFact,
    Fact,
    GroupFact,
    Matched,
    MemberFact,
    MemberState,
    RegexFact,
    TargetEpochFact,
    TargetFact,
)  # fmt: skip
from cloudlet.kafka.groups.offsets import Committed
from cloudlet.kafka.groups.roster import MemberImage, Protocol
from cloudlet.kafka.share import group_records
from cloudlet.kafka.share.group_values import ShareFact
from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.codec import decode, decode_versioned, encode_versioned, version_of

NO_TOPIC_ID = bytes(16)
VERSION_BYTES = 2


class OffsetEntry(NamedTuple):
    """An offset is committed, or (None) forgotten."""

    group: str
    topic: str
    partition: int
    committed: Committed | None


class ClassicEntry(NamedTuple):
    """A classic group is as the image says, or (None) gone."""

    group: str
    image: GroupImage | None


class ConsumerEntry(NamedTuple):
    """A fact of a consumer group."""

    group: str
    fact: Fact


class ShareEntry(NamedTuple):
    """A fact of a share group."""

    group: str
    fact: ShareFact


Entry = OffsetEntry | ClassicEntry | ConsumerEntry | ShareEntry


def encode_entry(entry: Entry) -> tuple[bytes, bytes | None]:
    """(key, value) of its record; a value of None is a tombstone."""
    if isinstance(entry, OffsetEntry):
        key = messages.OffsetCommitKey(group=entry.group, topic=entry.topic, partition=entry.partition)
        return encode_versioned(key, 1), None if entry.committed is None else _offset(entry.committed)
    if isinstance(entry, ClassicEntry):
        value = None if entry.image is None else encode_versioned(_group(entry.image), 3)
        return encode_versioned(messages.GroupMetadataKey(group=entry.group), 2), value
    if isinstance(entry, ShareEntry):
        return group_records.encode_fact(entry.group, entry.fact)
    return _consumer(entry.group, entry.fact)


def _offset(committed: Committed) -> bytes:
    value = messages.OffsetCommitValue(
        offset=committed.offset,
        leaderEpoch=committed.leader_epoch,
        metadata=committed.metadata,
        commitTimestamp=committed.commit_ms,
        expireTimestamp=committed.expire_ms,
    )
    if committed.expire_ms != -1:
        return encode_versioned(value, 1)  # the only version that carries it
    if committed.topic_id != NO_TOPIC_ID:
        value.topicId = committed.topic_id
        return encode_versioned(value, 4)
    return encode_versioned(value, 3)


def _group(image: GroupImage) -> messages.GroupMetadataValue:
    return messages.GroupMetadataValue(
        protocolType=image.protocol_type or "",
        generation=image.generation,
        protocol=image.protocol,
        leader=image.leader,
        currentStateTimestamp=image.changed_ms,
        members=[
            messages.GroupMetadataValue.MemberMetadata(
                memberId=member.id,
                groupInstanceId=member.instance_id,
                clientId=member.client_id,
                clientHost=member.client_host,
                rebalanceTimeout=member.rebalance_timeout_ms,
                sessionTimeout=member.session_timeout_ms,
                subscription=member.subscription,
                assignment=member.assignment,
            )
            for member in image.members
        ],
    )


def _consumer(group: str, fact: Fact) -> tuple[bytes, bytes | None]:
    key: Any
    value: Any = None
    if isinstance(fact, GroupFact):
        version, key = 3, messages.ConsumerGroupMetadataKey(GroupId=group)
        if fact.epoch is not None:
            value = messages.ConsumerGroupMetadataValue(Epoch=fact.epoch, MetadataHash=fact.topics_hash)
    elif isinstance(fact, MemberFact):
        version, key = 5, messages.ConsumerGroupMemberMetadataKey(GroupId=group, MemberId=fact.member_id)
        value = None if fact.member is None else _member(fact.member)
    elif isinstance(fact, TargetEpochFact):
        version, key = 6, messages.ConsumerGroupTargetAssignmentMetadataKey(GroupId=group)
        if fact.epoch is not None:
            value = messages.ConsumerGroupTargetAssignmentMetadataValue(AssignmentEpoch=fact.epoch)
    elif isinstance(fact, TargetFact):
        version, key = (
            7,
            messages.ConsumerGroupTargetAssignmentMemberKey(GroupId=group, MemberId=fact.member_id),
        )
        if fact.target is not None:
            shape = messages.ConsumerGroupTargetAssignmentMemberValue
            value = shape(TopicPartitions=_partitions(shape.TopicPartition, fact.target))
    elif isinstance(fact, CurrentFact):
        version, key = (
            8,
            messages.ConsumerGroupCurrentMemberAssignmentKey(GroupId=group, MemberId=fact.member_id),
        )
        value = None if fact.current is None else _current(fact.current)
    else:
        version, key = (
            16,
            messages.ConsumerGroupRegularExpressionKey(GroupId=group, RegularExpression=fact.regex),
        )
        if fact.matched is not None:
            value = messages.ConsumerGroupRegularExpressionValue(
                Topics=list(fact.matched.topics), Version=0, Timestamp=fact.matched.resolved_ms
            )
    return encode_versioned(key, version), None if value is None else encode_versioned(value, 0)


def _member(member: ConsumerMember) -> messages.ConsumerGroupMemberMetadataValue:
    shape = messages.ConsumerGroupMemberMetadataValue
    classic = None
    if member.classic is not None:
        classic = shape.ClassicMemberMetadata_(
            SessionTimeoutMs=member.classic.session_timeout_ms,
            SupportedProtocols=[
                shape.ClassicProtocol(Name=each.name, Metadata=each.metadata)
                for each in member.classic.protocols
            ],
        )
    return shape(
        InstanceId=member.instance_id,
        RackId=member.rack_id,
        ClientId=member.client_id,
        ClientHost=member.client_host,
        SubscribedTopicNames=list(member.topics),
        SubscribedTopicRegex=member.regex or "",
        RebalanceTimeoutMs=member.rebalance_timeout_ms,
        ServerAssignor=member.assignor,
        ClassicMemberMetadata=classic,
    )


def _current(current: Current) -> messages.ConsumerGroupCurrentMemberAssignmentValue:
    shape = messages.ConsumerGroupCurrentMemberAssignmentValue
    return shape(
        MemberEpoch=current.epoch,
        PreviousMemberEpoch=current.previous_epoch,
        State=int(current.state),
        AssignedPartitions=_partitions(shape.TopicPartitions, current.assigned),
        PartitionsPendingRevocation=_partitions(shape.TopicPartitions, current.revoking),
    )


def _partitions(shape: Callable[..., Any], assignment: Assignment) -> list[Any]:
    return [shape(TopicId=topic, Partitions=sorted(partitions)) for topic, partitions in assignment.items()]


def decode_entry(key: bytes, value: bytes | None, record_offset: int = -1) -> Entry | None:
    """What a record states; None for one of a type that is not read. ProtocolError for one that is broken."""
    version = version_of(key)
    if version in (0, 1):
        found = decode_versioned(messages.OffsetCommitKey, key)
        committed = None if value is None else _committed(value, record_offset)
        return OffsetEntry(found.group, found.topic, found.partition, committed)
    if version == 2:
        group = decode_versioned(messages.GroupMetadataKey, key).group
        return ClassicEntry(group, None if value is None else _image(value))
    if version in group_records.READERS:
        shape, read_share = group_records.READERS[version]
        found = decode_versioned(shape, key)
        return ShareEntry(found.GroupId, read_share(found, value))
    reader = _READERS.get(version)
    if reader is None:
        return None
    shape, read = reader
    found = decode_versioned(shape, key)
    return ConsumerEntry(found.GroupId, read(found, value))


def _committed(data: bytes, record_offset: int) -> Committed:
    value = decode_versioned(messages.OffsetCommitValue, data)
    return Committed(
        value.offset,
        value.leaderEpoch,
        value.metadata,
        value.commitTimestamp,
        value.expireTimestamp,
        record_offset,
        bytes(value.topicId),
    )


def _image(data: bytes) -> GroupImage:
    value = decode_versioned(messages.GroupMetadataValue, data)
    return GroupImage(
        value.protocolType or None,
        value.generation,
        value.protocol,
        value.leader,
        value.currentStateTimestamp,
        tuple(
            MemberImage(
                member.memberId,
                member.groupInstanceId,
                member.clientId,
                member.clientHost,
                member.rebalanceTimeout,
                member.sessionTimeout,
                bytes(member.subscription),
                bytes(member.assignment),
            )
            for member in value.members
        ),
    )


def _read_group(key: Any, data: bytes | None) -> Fact:
    if data is None:
        return GroupFact(None)
    value = decode_versioned(messages.ConsumerGroupMetadataValue, data)
    return GroupFact(value.Epoch, value.MetadataHash)


def _read_member(key: Any, data: bytes | None) -> Fact:
    if data is None:
        return MemberFact(key.MemberId, None)
    value = decode_versioned(messages.ConsumerGroupMemberMetadataValue, data)
    member = ConsumerMember(
        key.MemberId,
        value.InstanceId,
        value.RackId,
        value.ClientId,
        value.ClientHost,
        tuple(value.SubscribedTopicNames),
        value.SubscribedTopicRegex or None,
        value.RebalanceTimeoutMs,
        value.ServerAssignor,
        _classic_side(value.ClassicMemberMetadata),
    )
    return MemberFact(key.MemberId, member)


def _classic_side(found: Any) -> ClassicSide | None:
    if found is None:
        return None
    protocols = tuple(Protocol(each.Name, bytes(each.Metadata)) for each in found.SupportedProtocols)
    return ClassicSide(found.SessionTimeoutMs, protocols)


def _read_target_epoch(key: Any, data: bytes | None) -> Fact:
    if data is None:
        return TargetEpochFact(None)
    return TargetEpochFact(
        decode_versioned(messages.ConsumerGroupTargetAssignmentMetadataValue, data).AssignmentEpoch
    )


def _read_target(key: Any, data: bytes | None) -> Fact:
    if data is None:
        return TargetFact(key.MemberId, None)
    value = decode_versioned(messages.ConsumerGroupTargetAssignmentMemberValue, data)
    return TargetFact(key.MemberId, assignment_of(value.TopicPartitions))


def _read_current(key: Any, data: bytes | None) -> Fact:
    if data is None:
        return CurrentFact(key.MemberId, None)
    value = decode_versioned(messages.ConsumerGroupCurrentMemberAssignmentValue, data)
    known = value.State in MemberState.__members__.values()
    current = Current(
        value.MemberEpoch,
        value.PreviousMemberEpoch,
        MemberState(value.State) if known else MemberState.UNKNOWN,
        assignment_of(value.AssignedPartitions),
        assignment_of(value.PartitionsPendingRevocation),
    )
    return CurrentFact(key.MemberId, current)


def _read_regex(key: Any, data: bytes | None) -> Fact:
    if data is None:
        return RegexFact(key.RegularExpression, None)
    value = decode_versioned(messages.ConsumerGroupRegularExpressionValue, data)
    return RegexFact(key.RegularExpression, Matched(tuple(value.Topics), value.Timestamp))


def assignment_of(topics: Iterable[Any]) -> Assignment:
    """An assignment from structures with TopicId and Partitions."""
    return {bytes(topic.TopicId): frozenset(topic.Partitions) for topic in topics if topic.Partitions}


_READERS: dict[int, tuple[Any, Callable[[Any, bytes | None], Fact]]] = {
    3: (messages.ConsumerGroupMetadataKey, _read_group),
    5: (messages.ConsumerGroupMemberMetadataKey, _read_member),
    6: (messages.ConsumerGroupTargetAssignmentMetadataKey, _read_target_epoch),
    7: (messages.ConsumerGroupTargetAssignmentMemberKey, _read_target),
    8: (messages.ConsumerGroupCurrentMemberAssignmentKey, _read_current),
    16: (messages.ConsumerGroupRegularExpressionKey, _read_regex),
}


def subscribed_topics(metadata: Sequence[bytes]) -> frozenset[str] | None:
    """The topics that classic consumers have subscribed to, from what they bring for the chosen protocol;
    None where one of them does not hold to the schema. Read as version 0, which all later ones begin with."""
    names: set[str] = set()
    for each in metadata:
        try:
            if version_of(each) < 0:
                return None
            value, _ = decode(messages.ConsumerProtocolSubscription, 0, each, VERSION_BYTES)
        except ProtocolError:
            return None
        names.update(value.Topics)
    return frozenset(names)
