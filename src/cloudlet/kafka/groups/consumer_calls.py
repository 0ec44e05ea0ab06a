"""ConsumerGroupHeartbeat and ConsumerGroupDescribe (KIP-848).

State   none
Source  Apache Kafka 4.3: the requests' versions as their schemas tell them; texts of errors as Kafka's
Absent  none
"""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Mapping

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.assignors import ASSIGNORS, Assignment
from cloudlet.kafka.groups.consumer import ConsumerGroup
from cloudlet.kafka.groups.consumer_values import (
    JOIN_EPOCH,
    LEAVE_EPOCH,
    NOTHING,
    STATIC_LEAVE_EPOCH,
    Beat,
    BeatAnswer,
    ConsumerMember,
)
from cloudlet.kafka.groups.coordinator import DescribedTopics, Groups
from cloudlet.kafka.groups.records import ConsumerEntry, Entry, assignment_of
from cloudlet.kafka.groups.runner import Runner
from cloudlet.kafka.groups.shard import Shard
from cloudlet.kafka.pacing import is_paced
from cloudlet.kafka.permissions import GROUP_OPERATIONS, NO_OPERATIONS
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

OWN_MEMBER_ID_SINCE = 1
NEWS_S = 0.01
"""What a librdkafka waits for a new assignment. One that unsubscribes while it asks, and is answered before
it has heard of that itself, leaves and never joins again, whatever it subscribes to. Kafka takes longer."""
CLASSIC_MEMBER, CONSUMER_MEMBER = 0, 1  # MemberType
Request = messages.ConsumerGroupHeartbeatRequest
Response = messages.ConsumerGroupHeartbeatResponse


async def consumer_group_heartbeat(call: Call, request: Request) -> Response:
    """A member joins, lives, says what it owns or wants, or leaves; the answer tells what it has.
    KafkaFault."""
    _check(call, request)
    groups = call.broker.part(Groups)
    runner = await groups.runner(request.GroupId)
    beat = Beat(
        request.MemberId or call.broker.ids.uuid(),
        request.MemberEpoch,
        request.InstanceId,
        request.RackId,
        request.RebalanceTimeoutMs,
        None if request.SubscribedTopicNames is None else tuple(request.SubscribedTopicNames),
        request.SubscribedTopicRegex,
        request.ServerAssignor,
        None if request.TopicPartitions is None else assignment_of(request.TopicPartitions),
        call.client_id,
        call.host,
    )
    if beat.epoch in (LEAVE_EPOCH, STATIC_LEAVE_EPOCH):
        answer = await _leave(groups, runner, request.GroupId, beat)
        return Response(MemberId=answer.member_id, MemberEpoch=answer.epoch)
    settings = groups.consumer_settings(request.GroupId)
    topics = DescribedTopics(call)

    def decide(shard: Shard) -> tuple[BeatAnswer, list[Entry]]:
        group, before = shard.consumer_group(
            request.GroupId, groups.topics, may_make=beat.epoch == JOIN_EPOCH
        )
        answer, facts = group.heartbeat(beat, topics, settings, shard.clock.cloud_ms())
        return answer, [*before, *(ConsumerEntry(group.id, fact) for fact in facts)]

    answer = await runner.change(decide)
    if answer.assignment is not None and is_paced(call.peer.software_name):
        await sleep(NEWS_S)
    runner.beaten(request.GroupId, answer.member_id, settings.session_timeout_ms)
    return Response(
        MemberId=answer.member_id,
        MemberEpoch=answer.epoch,
        HeartbeatIntervalMs=settings.heartbeat_interval_ms,
        Assignment=None if answer.assignment is None else _assignment(answer.assignment),
    )


async def _leave(groups: Groups, runner: Runner, group_id: str, beat: Beat) -> BeatAnswer:
    def decide(shard: Shard) -> tuple[BeatAnswer, list[Entry]]:
        group, _ = shard.consumer_group(group_id, groups.topics, may_make=False)
        answer, facts = group.leave(beat, groups.topics, shard.clock.cloud_ms())
        if beat.epoch == LEAVE_EPOCH:
            return answer, shard.fenced(group, [answer.member_id], groups.topics)
        return answer, [ConsumerEntry(group_id, fact) for fact in facts]

    return await runner.change(decide)


def _assignment(assignment: Assignment) -> Response.Assignment_:
    return Response.Assignment_(
        TopicPartitions=[
            Response.TopicPartitions(TopicId=topic, Partitions=sorted(partitions))
            for topic, partitions in assignment.items()
        ]
    )


def _check(call: Call, request: Request) -> None:
    """Raise INVALID_REQUEST, UNSUPPORTED_ASSIGNOR for what contradicts itself, in Kafka's words."""
    for value, name in (
        (request.GroupId, "GroupId"),
        (request.InstanceId, "InstanceId"),
        (request.RackId, "RackId"),
    ):
        if value is not None and not value.strip():
            raise _invalid(f"{name} can't be empty.")
    if not request.MemberId and (
        request.MemberEpoch != JOIN_EPOCH or call.api_version >= OWN_MEMBER_ID_SINCE
    ):
        raise _invalid("MemberId can't be empty.")
    if request.MemberEpoch == JOIN_EPOCH:
        if request.RebalanceTimeoutMs == -1:
            raise _invalid("RebalanceTimeoutMs must be provided in first request.")
        if request.TopicPartitions is None or request.TopicPartitions:
            raise _invalid("TopicPartitions must be empty when (re-)joining.")
        if request.SubscribedTopicNames is None and request.SubscribedTopicRegex is None:
            raise _invalid(
                "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."
            )
    elif request.MemberEpoch == STATIC_LEAVE_EPOCH:
        if request.InstanceId is None:
            raise _invalid("InstanceId can't be null.")
    elif request.MemberEpoch < LEAVE_EPOCH:
        raise _invalid("MemberEpoch is invalid.")
    if request.ServerAssignor is not None and request.ServerAssignor not in ASSIGNORS:
        raise KafkaFault(
            ErrorCode.UNSUPPORTED_ASSIGNOR,
            f"ServerAssignor {request.ServerAssignor} is not supported. Supported assignors: "
            f"{', '.join(ASSIGNORS)}.",
        )


def _invalid(message: str) -> KafkaFault:
    return KafkaFault(ErrorCode.INVALID_REQUEST, message)


async def consumer_group_describe(
    call: Call, request: messages.ConsumerGroupDescribeRequest
) -> messages.ConsumerGroupDescribeResponse:
    """Consumer groups, with what each member has and is to have."""
    operations = GROUP_OPERATIONS if request.IncludeAuthorizedOperations else NO_OPERATIONS
    groups = call.broker.part(Groups)
    rows = []
    for group_id in request.GroupIds:
        try:
            shard = await (await groups.runner(group_id)).ready()
            if group_id not in shard.groups:
                raise KafkaFault(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
            group, _ = shard.consumer_group(group_id, groups.topics, may_make=False)
            row = _described(call, group, groups.consumer_settings(group_id).assignor)
        except KafkaFault as fault:
            row = messages.ConsumerGroupDescribeResponse.DescribedGroup(
                GroupId=group_id, ErrorCode=fault.code, ErrorMessage=fault.message or None
            )
        row.AuthorizedOperations = operations
        rows.append(row)
    return messages.ConsumerGroupDescribeResponse(Groups=rows)


def _described(
    call: Call, group: ConsumerGroup, assignor: str
) -> messages.ConsumerGroupDescribeResponse.DescribedGroup:
    votes = [member.assignor for member in group.members.values() if member.assignor]
    return messages.ConsumerGroupDescribeResponse.DescribedGroup(
        GroupId=group.id,
        GroupState=str(group.state),
        GroupEpoch=group.epoch,
        AssignmentEpoch=group.target_epoch,
        AssignorName=max(votes, key=votes.count) if votes else assignor,
        Members=[
            _described_member(call, member, group.targets.get(member.id, NOTHING))
            for member in group.members.values()
        ],
    )


def _described_member(
    call: Call, member: ConsumerMember, target: Assignment
) -> messages.ConsumerGroupDescribeResponse.Member:
    shape = messages.ConsumerGroupDescribeResponse
    by_id = call.broker.topics.by_id

    def told(assignment: Assignment) -> messages.ConsumerGroupDescribeResponse.Assignment:
        topics = [
            shape.TopicPartitions(TopicId=topic, TopicName=by_id[topic].name, Partitions=sorted(partitions))
            for topic, partitions in assignment.items()
            if topic in by_id
        ]
        return shape.Assignment(TopicPartitions=topics)

    return shape.Member(
        MemberId=member.id,
        InstanceId=member.instance_id,
        RackId=member.rack_id,
        MemberEpoch=member.epoch,
        ClientId=member.client_id,
        ClientHost=member.client_host,
        SubscribedTopicNames=list(member.topics),
        SubscribedTopicRegex=member.regex,
        Assignment=told(member.assigned),
        TargetAssignment=told(target),
        MemberType=CONSUMER_MEMBER if member.classic is None else CLASSIC_MEMBER,
    )


HANDLERS: Mapping[int, Handler] = {
    68: consumer_group_heartbeat,
    69: consumer_group_describe,
}
