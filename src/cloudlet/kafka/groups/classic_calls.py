"""JoinGroup, SyncGroup, Heartbeat and LeaveGroup.

State   none
Source  Apache Kafka 4.3: the requests' versions as their schemas tell them; GroupCoordinatorService
Absent  none
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeVar

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups import mixed
from cloudlet.kafka.groups.classic import ClassicGroup
from cloudlet.kafka.groups.classic_values import Join, Joined, Leaver, Synced
from cloudlet.kafka.groups.consumer import ConsumerGroup
from cloudlet.kafka.groups.coordinator import DescribedTopics, Groups
from cloudlet.kafka.groups.records import ConsumerEntry, Entry
from cloudlet.kafka.groups.roster import UNKNOWN_MEMBER, Protocol
from cloudlet.kafka.groups.runner import Runner
from cloudlet.kafka.groups.shard import Shard
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

OWN_REBALANCE_TIMEOUT_SINCE = 1
MEMBER_ID_REQUIRED_SINCE = 4
NULL_NAMES_SINCE = 7
SKIP_ASSIGNMENT_SINCE = 9
PROTOCOL_IN_SYNC_SINCE = 5
BATCH_LEAVE_SINCE = 3

A = TypeVar("A", Joined, Synced)


async def join_group(call: Call, request: messages.JoinGroupRequest) -> messages.JoinGroupResponse:
    """Answered when the rebalance has gathered its members."""
    try:
        joined = await _join(call, request)
    except KafkaFault as fault:
        joined = Joined(request.MemberId, fault.code)
    absent = None if call.api_version >= NULL_NAMES_SINCE else ""
    return messages.JoinGroupResponse(
        ErrorCode=joined.error,
        GenerationId=joined.generation,
        ProtocolType=joined.protocol_type,
        ProtocolName=absent if joined.protocol is None else joined.protocol,
        Leader=joined.leader,
        SkipAssignment=joined.must_skip_assignment,
        MemberId=joined.member_id,
        Members=[
            messages.JoinGroupResponse.JoinGroupResponseMember(
                MemberId=member.id, GroupInstanceId=member.instance_id, Metadata=member.metadata
            )
            for member in joined.members
        ],
    )


async def _join(call: Call, request: messages.JoinGroupRequest) -> Joined:
    groups = call.broker.part(Groups)
    runner = await groups.runner(request.GroupId)  # the name is looked at before all else
    number = call.broker.configs.number
    least, most = number("group.min.session.timeout.ms"), number("group.max.session.timeout.ms")
    if not least <= request.SessionTimeoutMs <= most:
        raise KafkaFault(ErrorCode.INVALID_SESSION_TIMEOUT)
    has_own = call.api_version >= OWN_REBALANCE_TIMEOUT_SINCE
    join = Join(
        request.MemberId,
        request.GroupInstanceId,
        call.client_id,
        call.host,
        request.RebalanceTimeoutMs if has_own else request.SessionTimeoutMs,
        request.SessionTimeoutMs,
        request.ProtocolType,
        tuple(Protocol(each.Name, bytes(each.Metadata)) for each in request.Protocols),
        call.api_version >= MEMBER_ID_REQUIRED_SINCE,
        call.api_version >= SKIP_ASSIGNMENT_SINCE,
    )
    prefix = call.client_id if request.GroupInstanceId is None else request.GroupInstanceId
    new_id = f"{prefix}-{call.broker.ids.uuid()}"
    known = (await runner.ready()).groups.get(request.GroupId)
    if isinstance(known, ConsumerGroup) and known.members:
        topics = DescribedTopics(call)
        return await _join_consumer_group(groups, runner, request.GroupId, join, new_id, topics)
    await _prepare(runner, request)
    waiter: asyncio.Future[Joined] = asyncio.get_running_loop().create_future()
    now_ms = call.broker.clock.monotonic_ms()
    await runner.act(request.GroupId, lambda group: group.join(join, waiter, new_id, now_ms))
    return await _answer(call, waiter, Joined(request.MemberId, ErrorCode.REBALANCE_IN_PROGRESS))


async def _join_consumer_group(
    groups: Groups, runner: Runner, group_id: str, join: Join, new_id: str, topics: DescribedTopics
) -> Joined:
    settings = groups.consumer_settings(group_id)

    def decide(shard: Shard) -> tuple[Joined, list[Entry]]:
        group, _ = shard.consumer_group(group_id, groups.topics, may_make=False)
        joined, facts = mixed.join(group, join, new_id, topics, settings, shard.clock.cloud_ms())
        return joined, [ConsumerEntry(group_id, fact) for fact in facts]

    joined = await runner.change(decide)
    if not joined.error:
        runner.classic_beaten(group_id, joined.member_id, must_act=True)
    return joined


async def _prepare(runner: Runner, request: messages.JoinGroupRequest) -> None:
    """See to it that there is a classic group to join."""
    shard = await runner.ready()
    known = shard.groups.get(request.GroupId)
    if isinstance(known, ClassicGroup):
        return
    if request.MemberId != UNKNOWN_MEMBER:
        raise KafkaFault(ErrorCode.UNKNOWN_MEMBER_ID)
    if not request.ProtocolType or not request.Protocols:
        raise KafkaFault(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)

    def decide(shard: Shard) -> tuple[None, list[Entry]]:
        group = shard.groups.get(request.GroupId)
        return None, [] if isinstance(group, ClassicGroup) else shard.new_group(request.GroupId)

    await runner.change(decide)


async def sync_group(call: Call, request: messages.SyncGroupRequest) -> messages.SyncGroupResponse:
    """Answered when the leader's assignments are written."""
    try:
        synced = await _sync(call, request)
    except KafkaFault as fault:
        synced = Synced(fault.code)
    return messages.SyncGroupResponse(
        ErrorCode=synced.error,
        ProtocolType=synced.protocol_type,
        ProtocolName=synced.protocol,
        Assignment=synced.assignment,
    )


async def _sync(call: Call, request: messages.SyncGroupRequest) -> Synced:
    if call.api_version >= PROTOCOL_IN_SYNC_SINCE and None in (request.ProtocolType, request.ProtocolName):
        raise KafkaFault(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)  # even before the group's name is looked at
    groups = call.broker.part(Groups)
    runner = await groups.runner(request.GroupId)
    known = (await runner.ready()).groups.get(request.GroupId)
    if isinstance(known, ConsumerGroup):
        synced = mixed.sync(
            known,
            request.MemberId,
            request.GroupInstanceId,
            request.GenerationId,
            request.ProtocolType,
            request.ProtocolName,
            groups.topics,
        )
        runner.classic_beaten(request.GroupId, request.MemberId, must_act=False)
        return synced
    waiter: asyncio.Future[Synced] = asyncio.get_running_loop().create_future()
    shares = {each.MemberId: bytes(each.Assignment) for each in request.Assignments}

    def act(group: ClassicGroup) -> None:
        group.sync(
            request.MemberId,
            request.GroupInstanceId,
            request.GenerationId,
            request.ProtocolType,
            request.ProtocolName,
            shares,
            waiter,
            call.broker.clock.monotonic_ms(),
        )

    await runner.act(request.GroupId, act)
    return await _answer(call, waiter, Synced(ErrorCode.REBALANCE_IN_PROGRESS))


async def _answer(call: Call, waiter: asyncio.Future[A], to_nobody: A) -> A:
    """What the group answers; a client that has gone is not waited for. Its member stays until its session
    ends: it may come again by another connection."""
    if not waiter.done():
        cancel = call.peer.on_gone(lambda: None if waiter.done() else waiter.set_result(to_nobody))
        try:
            return await waiter
        finally:
            cancel()
    return waiter.result()


async def heartbeat(call: Call, request: messages.HeartbeatRequest) -> messages.HeartbeatResponse:
    """A member lives; the answer tells it of a rebalance."""
    runner = await call.broker.part(Groups).runner(request.GroupId)
    known = (await runner.ready()).groups.get(request.GroupId)
    if isinstance(known, ConsumerGroup):
        error = mixed.heartbeat(known, request.MemberId, request.GroupInstanceId, request.GenerationId)
        runner.classic_beaten(request.GroupId, request.MemberId, must_act=bool(error) or None)
        return messages.HeartbeatResponse(ErrorCode=error)
    now_ms = call.broker.clock.monotonic_ms()
    error = await runner.act(
        request.GroupId,
        lambda group: group.heartbeat(
            request.MemberId, request.GroupInstanceId, request.GenerationId, now_ms
        ),
        is_heartbeat=True,
    )
    return messages.HeartbeatResponse(ErrorCode=error)


async def leave_group(call: Call, request: messages.LeaveGroupRequest) -> messages.LeaveGroupResponse:
    """Members leave, or are removed by an administrator."""
    is_batch = call.api_version >= BATCH_LEAVE_SINCE
    leavers = (
        [Leaver(each.MemberId, each.GroupInstanceId) for each in request.Members]
        if is_batch
        else [Leaver(request.MemberId)]
    )
    runner = await call.broker.part(Groups).runner(request.GroupId)
    now_ms = call.broker.clock.monotonic_ms()
    shard = await runner.ready()
    known = shard.groups.get(request.GroupId)
    if isinstance(known, ConsumerGroup):
        errors = await _remove(call, runner, request.GroupId, leavers)
    else:
        errors = await runner.act(request.GroupId, lambda group: group.leave(leavers, now_ms))
    if not is_batch:
        return messages.LeaveGroupResponse(ErrorCode=errors[0])
    return messages.LeaveGroupResponse(
        Members=[
            messages.LeaveGroupResponse.MemberResponse(
                MemberId=leaver.member_id, GroupInstanceId=leaver.instance_id, ErrorCode=error
            )
            for leaver, error in zip(leavers, errors, strict=True)
        ]
    )


async def _remove(call: Call, runner: Runner, group_id: str, leavers: list[Leaver]) -> list[ErrorCode]:
    """Classic members leave a consumer group, or an administrator removes members of either protocol."""
    topics = call.broker.part(Groups).topics
    return await runner.change(
        lambda shard: shard.remove_members(group_id, leavers, topics),
    )


HANDLERS: Mapping[int, Handler] = {
    11: join_group,
    12: heartbeat,
    13: leave_group,
    14: sync_group,
}
