"""The records of share groups in __consumer_offsets: what they state, to bytes and back.

State   none
Source  Apache Kafka 4.3, the record schemas of the group coordinator; key types 10 to 15
Absent  topics whose state is being begun or deleted (InitializingTopics, DeletingTopics): both are done in
        one commit here, so that nobody is between; they are passed over
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cloudlet.kafka.groups.assignors import Assignment
from cloudlet.kafka.groups.consumer_values import (
    NOTHING,
    Current,
    CurrentFact,
    GroupFact,
    MemberState,
    TargetEpochFact,
    TargetFact,
)
from cloudlet.kafka.share.group_values import (
    ShareFact,
    ShareMember,
    ShareMemberFact,
    StateTopic,
    StateTopicsFact,
)
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.codec import decode_versioned, encode_versioned

MEMBER, GROUP, TARGET_EPOCH, TARGET, CURRENT, STATE_TOPICS = 10, 11, 12, 13, 14, 15


def encode_fact(group: str, fact: ShareFact) -> tuple[bytes, bytes | None]:
    """(key, value) of its record; a value of None is a tombstone."""
    kind, key, value = _shapes(group, fact)
    return encode_versioned(key, kind), None if value is None else encode_versioned(value, 0)


def _shapes(group: str, fact: ShareFact) -> tuple[int, Any, Any]:
    if isinstance(fact, GroupFact):
        value = messages.ShareGroupMetadataValue(Epoch=fact.epoch or 0, MetadataHash=fact.topics_hash)
        return GROUP, messages.ShareGroupMetadataKey(GroupId=group), None if fact.epoch is None else value
    if isinstance(fact, TargetEpochFact):
        target_key = messages.ShareGroupTargetAssignmentMetadataKey(GroupId=group)
        if fact.epoch is None:
            return TARGET_EPOCH, target_key, None
        epoch = messages.ShareGroupTargetAssignmentMetadataValue(AssignmentEpoch=fact.epoch)
        return TARGET_EPOCH, target_key, epoch
    if isinstance(fact, StateTopicsFact):
        topics_key = messages.ShareGroupStatePartitionMetadataKey(GroupId=group)
        return STATE_TOPICS, topics_key, None if fact.topics is None else _state_topics(fact)
    if isinstance(fact, ShareMemberFact):
        member_key = messages.ShareGroupMemberMetadataKey(GroupId=group, MemberId=fact.member_id)
        return MEMBER, member_key, None if fact.member is None else _member(fact.member)
    if isinstance(fact, TargetFact):
        key = messages.ShareGroupTargetAssignmentMemberKey(GroupId=group, MemberId=fact.member_id)
        if fact.target is None:
            return TARGET, key, None
        shape = messages.ShareGroupTargetAssignmentMemberValue
        return TARGET, key, shape(TopicPartitions=_partitions(shape.TopicPartition, fact.target))
    current_key = messages.ShareGroupCurrentMemberAssignmentKey(GroupId=group, MemberId=fact.member_id)
    return CURRENT, current_key, None if fact.current is None else _current(fact.current)


def _member(member: ShareMember) -> messages.ShareGroupMemberMetadataValue:
    return messages.ShareGroupMemberMetadataValue(
        RackId=member.rack_id,
        ClientId=member.client_id,
        ClientHost=member.client_host,
        SubscribedTopicNames=list(member.topics),
    )


def _current(current: Current) -> messages.ShareGroupCurrentMemberAssignmentValue:
    shape = messages.ShareGroupCurrentMemberAssignmentValue
    return shape(
        MemberEpoch=current.epoch,
        PreviousMemberEpoch=current.previous_epoch,
        State=int(current.state),
        AssignedPartitions=_partitions(shape.TopicPartitions, current.assigned),
    )


def _state_topics(fact: StateTopicsFact) -> messages.ShareGroupStatePartitionMetadataValue:
    shape = messages.ShareGroupStatePartitionMetadataValue
    return shape(
        InitializingTopics=[],
        InitializedTopics=[
            shape.TopicPartitionsInfo(
                TopicId=topic, TopicName=state.name, Partitions=sorted(state.partitions)
            )
            for topic, state in (fact.topics or {}).items()
        ],
        DeletingTopics=[],
    )


def _partitions(shape: Callable[..., Any], assignment: Assignment) -> list[Any]:
    return [shape(TopicId=topic, Partitions=sorted(partitions)) for topic, partitions in assignment.items()]


def assignment_of(topics: Iterable[Any]) -> Assignment:
    return {bytes(topic.TopicId): frozenset(topic.Partitions) for topic in topics if topic.Partitions}


def _read_member(key: Any, data: bytes | None) -> ShareFact:
    if data is None:
        return ShareMemberFact(key.MemberId, None)
    value = decode_versioned(messages.ShareGroupMemberMetadataValue, data)
    topics = tuple(value.SubscribedTopicNames)
    return ShareMemberFact(
        key.MemberId, ShareMember(key.MemberId, value.RackId, value.ClientId, value.ClientHost, topics)
    )


def _read_group(key: Any, data: bytes | None) -> ShareFact:
    if data is None:
        return GroupFact(None)
    value = decode_versioned(messages.ShareGroupMetadataValue, data)
    return GroupFact(value.Epoch, value.MetadataHash)


def _read_target_epoch(key: Any, data: bytes | None) -> ShareFact:
    if data is None:
        return TargetEpochFact(None)
    return TargetEpochFact(
        decode_versioned(messages.ShareGroupTargetAssignmentMetadataValue, data).AssignmentEpoch
    )


def _read_target(key: Any, data: bytes | None) -> ShareFact:
    if data is None:
        return TargetFact(key.MemberId, None)
    value = decode_versioned(messages.ShareGroupTargetAssignmentMemberValue, data)
    return TargetFact(key.MemberId, assignment_of(value.TopicPartitions))


def _read_current(key: Any, data: bytes | None) -> ShareFact:
    if data is None:
        return CurrentFact(key.MemberId, None)
    value = decode_versioned(messages.ShareGroupCurrentMemberAssignmentValue, data)
    assigned = assignment_of(value.AssignedPartitions)
    current = Current(value.MemberEpoch, value.PreviousMemberEpoch, MemberState.STABLE, assigned, NOTHING)
    return CurrentFact(key.MemberId, current)


def _read_state_topics(key: Any, data: bytes | None) -> ShareFact:
    if data is None:
        return StateTopicsFact(None)
    value = decode_versioned(messages.ShareGroupStatePartitionMetadataValue, data)
    return StateTopicsFact(
        {
            bytes(each.TopicId): StateTopic(each.TopicName, frozenset(each.Partitions))
            for each in value.InitializedTopics
        }
    )


READERS: Mapping[int, tuple[Any, Callable[[Any, bytes | None], ShareFact]]] = {
    MEMBER: (messages.ShareGroupMemberMetadataKey, _read_member),
    GROUP: (messages.ShareGroupMetadataKey, _read_group),
    TARGET_EPOCH: (messages.ShareGroupTargetAssignmentMetadataKey, _read_target_epoch),
    TARGET: (messages.ShareGroupTargetAssignmentMemberKey, _read_target),
    CURRENT: (messages.ShareGroupCurrentMemberAssignmentKey, _read_current),
    STATE_TOPICS: (messages.ShareGroupStatePartitionMetadataKey, _read_state_topics),
}
