"""ShareGroupHeartbeat and ShareGroupDescribe (KIP-932).

State   none
Source  Apache Kafka 4.3: GroupCoordinatorService.shareGroupHeartbeat; texts of errors as Kafka's
Absent  none
"""

from __future__ import annotations

from collections.abc import Mapping

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.consumer_values import JOIN_EPOCH, LEAVE_EPOCH, BeatAnswer
from cloudlet.kafka.groups.coordinator import Groups
from cloudlet.kafka.groups.records import Entry, ShareEntry
from cloudlet.kafka.groups.shard import Shard
from cloudlet.kafka.permissions import GROUP_OPERATIONS, NO_OPERATIONS
from cloudlet.kafka.security.acls import may_describe
from cloudlet.kafka.share.fetch_calls import MEMBER_ID_CHARACTERS_MAX
from cloudlet.kafka.share.group import ASSIGNOR, ShareGroup
from cloudlet.kafka.share.group_values import ShareBeat, ShareMember
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

Request = messages.ShareGroupHeartbeatRequest
Response = messages.ShareGroupHeartbeatResponse


async def share_group_heartbeat(call: Call, request: Request) -> Response:
    """A member joins, lives, says what it wants, or leaves; the answer tells what it has. KafkaFault."""
    _check(request)
    if not all(may_describe(call, name) for name in request.SubscribedTopicNames or ()):
        raise KafkaFault(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    groups = call.broker.part(Groups)
    runner = await groups.runner(request.GroupId)
    beat = ShareBeat(
        request.MemberId,
        request.MemberEpoch,
        request.RackId,
        None if request.SubscribedTopicNames is None else tuple(request.SubscribedTopicNames),
        call.client_id,
        call.host,
    )
    settings = groups.share_settings(request.GroupId)

    def decide(shard: Shard) -> tuple[BeatAnswer, list[Entry]]:
        group = shard.share_group(request.GroupId, may_make=beat.epoch == JOIN_EPOCH)
        if beat.epoch == LEAVE_EPOCH:
            member = group.member(beat.member_id)
            return BeatAnswer(member.id, LEAVE_EPOCH), shard.fenced(group, [member.id], groups.topics)
        answer, facts = group.heartbeat(beat, groups.topics, settings)
        return answer, [ShareEntry(group.id, fact) for fact in facts]

    answer = await runner.change(decide)
    if beat.epoch == LEAVE_EPOCH:
        return Response(MemberId=answer.member_id, MemberEpoch=answer.epoch)
    runner.beaten(request.GroupId, answer.member_id, settings.session_timeout_ms)
    response = Response(
        MemberId=answer.member_id,
        MemberEpoch=answer.epoch,
        HeartbeatIntervalMs=settings.heartbeat_interval_ms,
    )
    if answer.assignment is not None:
        response.Assignment = Response.Assignment_(
            TopicPartitions=[
                Response.TopicPartitions(TopicId=topic, Partitions=sorted(partitions))
                for topic, partitions in answer.assignment.items()
            ]
        )
    return response


def _check(request: Request) -> None:
    """Raise INVALID_REQUEST for what contradicts itself, in Kafka's words."""
    if not request.MemberId or len(request.MemberId) > MEMBER_ID_CHARACTERS_MAX:
        raise KafkaFault(ErrorCode.INVALID_REQUEST, "Invalid member id in the request.")
    for value, name in (
        (request.MemberId, "MemberId"),
        (request.GroupId, "GroupId"),
        (request.RackId, "RackId"),
    ):
        if value is not None and not value.strip():
            raise KafkaFault(ErrorCode.INVALID_REQUEST, f"{name} can't be empty.")
    if request.MemberEpoch == JOIN_EPOCH:
        if not request.SubscribedTopicNames:
            raise KafkaFault(ErrorCode.INVALID_REQUEST, "SubscribedTopicNames must be set in first request.")
    elif request.MemberEpoch < LEAVE_EPOCH:
        raise KafkaFault(ErrorCode.INVALID_REQUEST, "MemberEpoch is invalid.")


async def share_group_describe(
    call: Call, request: messages.ShareGroupDescribeRequest
) -> messages.ShareGroupDescribeResponse:
    """Share groups, with what each member has."""
    operations = GROUP_OPERATIONS if request.IncludeAuthorizedOperations else NO_OPERATIONS
    groups = call.broker.part(Groups)
    rows = []
    for group_id in request.GroupIds:
        try:
            runner = await groups.runner(group_id)
            group = (await runner.ready()).share_group(group_id, may_make=False)
            row = _described(call, group)
        except KafkaFault as fault:
            row = messages.ShareGroupDescribeResponse.DescribedGroup(
                GroupId=group_id, ErrorCode=fault.code, ErrorMessage=fault.message or None
            )
        row.AuthorizedOperations = operations
        rows.append(row)
    return messages.ShareGroupDescribeResponse(Groups=rows)


def _described(call: Call, group: ShareGroup) -> messages.ShareGroupDescribeResponse.DescribedGroup:
    row_of = messages.ShareGroupDescribeResponse.DescribedGroup
    by_id = call.broker.topics.by_id
    for member in group.members.values():
        names = [*member.topics, *(by_id[topic].name for topic in member.assigned if topic in by_id)]
        if not all(may_describe(call, name) for name in names):
            return row_of(
                GroupId=group.id,
                ErrorCode=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
                ErrorMessage="The client is not authorized to describe all topics of the group.",
            )
    return row_of(
        GroupId=group.id,
        GroupState=str(group.state),
        GroupEpoch=group.epoch,
        AssignmentEpoch=group.target_epoch,
        AssignorName=ASSIGNOR,
        Members=[_described_member(call, member) for member in group.members.values()],
    )


def _described_member(call: Call, member: ShareMember) -> messages.ShareGroupDescribeResponse.Member:
    shape = messages.ShareGroupDescribeResponse
    by_id = call.broker.topics.by_id
    topics = [
        shape.TopicPartitions(TopicId=topic, TopicName=by_id[topic].name, Partitions=sorted(partitions))
        for topic, partitions in member.assigned.items()
        if topic in by_id
    ]
    return shape.Member(
        MemberId=member.id,
        RackId=member.rack_id,
        MemberEpoch=member.epoch,
        ClientId=member.client_id,
        ClientHost=member.client_host,
        SubscribedTopicNames=list(member.topics),
        Assignment=shape.Assignment(TopicPartitions=topics),
    )


HANDLERS: Mapping[int, Handler] = {76: share_group_heartbeat, 77: share_group_describe}
