"""FindCoordinator, and the requests that administrators ask of groups: list, describe, delete.

State   none
Source  Apache Kafka 4.3: the requests' versions as their schemas tell them; KIP-518, KIP-699, KIP-848
Absent  coordinators of share-partitions, for whom only brokers ask (key type 2): INVALID_REQUEST
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.classic import ClassicGroup
from cloudlet.kafka.groups.classic_values import State
from cloudlet.kafka.groups.coordinator import Groups
from cloudlet.kafka.groups.mixed import CONSUMER_PROTOCOL
from cloudlet.kafka.groups.records import Entry
from cloudlet.kafka.groups.shard import Group, Shard
from cloudlet.kafka.long_answers import LONG_ROWS
from cloudlet.kafka.permissions import GROUP_OPERATIONS, NO_OPERATIONS
from cloudlet.kafka.share.coordinator import Shares
from cloudlet.kafka.share.group import ShareGroup
from cloudlet.kafka.share.state_records import ShareKey
from cloudlet.kafka.topics import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

BATCH_SINCE = 4
NOT_FOUND_SINCE = 6
GROUP_KEY, TRANSACTION_KEY = 0, 1
TOPIC_OF_KEY = {GROUP_KEY: OFFSETS_TOPIC, TRANSACTION_KEY: TRANSACTIONS_TOPIC}
CLASSIC, CONSUMER, SHARE = "Classic", "Consumer", "Share"
SHARE_PROTOCOL = "share"


async def find_coordinator(
    call: Call, request: messages.FindCoordinatorRequest
) -> messages.FindCoordinatorResponse:
    """Who coordinates groups or transactions: this broker. The internal topic is made at the first question,
    as Kafka does it."""
    response = messages.FindCoordinatorResponse
    node_id, host, port = call.broker.node_id, *call.broker.endpoint(call.peer)
    if call.api_version < BATCH_SINCE:
        try:
            await _check_key(call, request.Key, request.KeyType)
        except KafkaFault as fault:
            return response(ErrorCode=fault.code, ErrorMessage=fault.message, NodeId=-1, Host="", Port=-1)
        return response(ErrorMessage="NONE", NodeId=node_id, Host=host, Port=port)
    rows = []
    for key in request.CoordinatorKeys:
        row = response.Coordinator(Key=key, NodeId=node_id, Host=host, Port=port, ErrorMessage="")
        try:
            await _check_key(call, key, request.KeyType)
        except KafkaFault as fault:
            row = response.Coordinator(
                Key=key, NodeId=-1, Host="", Port=-1, ErrorCode=fault.code, ErrorMessage=fault.message
            )
        rows.append(row)
    return response(Coordinators=rows)


async def _check_key(call: Call, key: str, key_type: int) -> None:
    topic = TOPIC_OF_KEY.get(key_type)
    if topic is None:
        raise KafkaFault(ErrorCode.INVALID_REQUEST, f"There is no coordinator of type {key_type}.")
    await call.broker.internal_topic(topic)


async def list_groups(call: Call, request: messages.ListGroupsRequest) -> messages.ListGroupsResponse:
    """All groups, or those of some states and types; spelled as one likes."""
    states = {state.lower() for state in request.StatesFilter or ()}
    types = {kind.lower() for kind in request.TypesFilter or ()}
    rows = []
    for group in await call.broker.part(Groups).every():
        kind, protocol_type = _type_of(group)
        if (states and group.state.lower() not in states) or (types and kind.lower() not in types):
            continue
        rows.append(
            messages.ListGroupsResponse.ListedGroup(
                GroupId=group.id, ProtocolType=protocol_type, GroupState=str(group.state), GroupType=kind
            )
        )
    call.is_long = len(rows) > LONG_ROWS
    return messages.ListGroupsResponse(Groups=rows)


def _type_of(group: Group) -> tuple[str, str]:
    if isinstance(group, ClassicGroup):
        return CLASSIC, group.roster.protocol_type or ""
    if isinstance(group, ShareGroup):
        return SHARE, SHARE_PROTOCOL
    return CONSUMER, CONSUMER_PROTOCOL


async def describe_groups(
    call: Call, request: messages.DescribeGroupsRequest
) -> messages.DescribeGroupsResponse:
    """Classic groups with their members; one that is not there is Dead, or since version 6 an error."""
    operations = GROUP_OPERATIONS if request.IncludeAuthorizedOperations else NO_OPERATIONS
    row_of = messages.DescribeGroupsResponse.DescribedGroup
    rows = []
    for group_id in request.Groups:
        try:
            group = await _classic(call, group_id)
            row = _described(group)
        except KafkaFault as fault:
            is_missing = fault.code == ErrorCode.GROUP_ID_NOT_FOUND
            code = ErrorCode.NONE if is_missing and call.api_version < NOT_FOUND_SINCE else fault.code
            row = row_of(GroupId=group_id, ErrorCode=code, ErrorMessage=fault.message or None)
            if is_missing:
                row.GroupState = str(State.DEAD)
        row.AuthorizedOperations = operations
        rows.append(row)
    return messages.DescribeGroupsResponse(Groups=rows)


async def _classic(call: Call, group_id: str) -> ClassicGroup:
    runner = await call.broker.part(Groups).runner(group_id, may_be_empty=True)
    group = (await runner.ready()).groups.get(group_id)
    if group is None:
        raise KafkaFault(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
    if not isinstance(group, ClassicGroup):
        raise KafkaFault(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a classic group.")
    return group


def _described(group: ClassicGroup) -> messages.DescribeGroupsResponse.DescribedGroup:
    shape = messages.DescribeGroupsResponse
    is_stable = group.state is State.STABLE
    return shape.DescribedGroup(
        GroupId=group.id,
        GroupState=str(group.state),
        ProtocolType=group.roster.protocol_type or "",
        ProtocolData=(group.protocol or "") if is_stable else "",
        Members=[
            shape.DescribedGroupMember(
                MemberId=member.id,
                GroupInstanceId=member.instance_id,
                ClientId=member.client_id,
                ClientHost=member.client_host,
                # what a member brings and has is told once it is agreed upon
                MemberMetadata=member.metadata(group.protocol) if is_stable else b"",
                MemberAssignment=member.assignment if is_stable else b"",
            )
            for member in group.roster
        ],
    )


def _deletion(group_id: str, shard: Shard) -> tuple[None, list[Entry]]:
    return None, shard.delete(group_id)


async def _forget_state(call: Call, group: Group | None) -> None:
    """Forget what is kept of the records of a share group that nobody is in."""
    if isinstance(group, ShareGroup) and not group.members:
        keys = [
            ShareKey(group.id, topic, index)
            for topic, state in group.state_topics.items()
            for index in state.partitions
        ]
        await call.broker.part(Shares).forget(keys)


async def delete_groups(call: Call, request: messages.DeleteGroupsRequest) -> messages.DeleteGroupsResponse:
    """Delete groups that nobody is in, with their offsets; each by itself."""
    row_of = messages.DeleteGroupsResponse.DeletableGroupResult
    rows = []
    for group_id in dict.fromkeys(request.GroupsNames):
        error = ErrorCode.NONE
        try:
            runner = await call.broker.part(Groups).runner(group_id, may_be_empty=True)
            await _forget_state(call, (await runner.ready()).groups.get(group_id))
            await runner.change(partial(_deletion, group_id))
        except KafkaFault as fault:
            error = fault.code
        rows.append(row_of(GroupId=group_id, ErrorCode=error))
    return messages.DeleteGroupsResponse(Results=rows)


HANDLERS: Mapping[int, Handler] = {
    10: find_coordinator,
    15: describe_groups,
    16: list_groups,
    42: delete_groups,
}
