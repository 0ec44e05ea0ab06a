"""DescribeShareGroupOffsets, AlterShareGroupOffsets, DeleteShareGroupOffsets (KIP-932, KIP-1226).

State   none
Source  Apache Kafka 4.3: GroupCoordinatorService, GroupMetadataManager; texts of errors as Kafka's
Absent  none
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.coordinator import Groups
from cloudlet.kafka.groups.records import Entry, ShareEntry
from cloudlet.kafka.groups.shard import Shard
from cloudlet.kafka.security.acls import may_describe, may_read
from cloudlet.kafka.share.coordinator import Shares
from cloudlet.kafka.share.group_values import StateTopic
from cloudlet.kafka.share.state_log import is_begun
from cloudlet.kafka.share.state_records import ShareKey
from cloudlet.kafka.topics import TopicImage
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

LAG_SINCE = 1
UNKNOWN = -1

Described = messages.DescribeShareGroupOffsetsResponse
Altered = messages.AlterShareGroupOffsetsResponse
Deleted = messages.DeleteShareGroupOffsetsResponse


# -- describe


async def describe_share_group_offsets(
    call: Call, request: messages.DescribeShareGroupOffsetsRequest
) -> Described:
    """Where groups are in partitions, and how many records they have yet to do with; those of all topics that
    a group keeps state of where none are named."""
    rows = []
    for wanted in request.Groups:
        row = Described.DescribeShareGroupOffsetsResponseGroup(GroupId=wanted.GroupId, Topics=[])
        try:
            if wanted.Topics is None:
                row.Topics = await _all(call, wanted.GroupId)
            else:
                row.Topics = [await _named(call, wanted.GroupId, topic) for topic in wanted.Topics]
        except KafkaFault as fault:
            row.Topics, row.ErrorCode, row.ErrorMessage = [], fault.code, fault.message or None
        rows.append(row)
    return Described(Groups=rows)


async def _all(call: Call, group_id: str) -> list[Any]:
    group = await call.broker.part(Shares).group(group_id)
    if group is None:
        return []
    rows = []
    for topic_id, state in group.state_topics.items():
        image = call.broker.topics.by_id.get(topic_id)
        if image is not None and may_describe(call, image.name):
            rows.append(await _topic_row(call, group_id, image, sorted(state.partitions)))
    return rows


async def _named(call: Call, group_id: str, topic: Any) -> Any:
    image = call.broker.topics.by_name.get(topic.TopicName)
    code = ErrorCode.NONE if may_describe(call, topic.TopicName) else ErrorCode.TOPIC_AUTHORIZATION_FAILED
    if image is not None and not code:
        return await _topic_row(call, group_id, image, topic.Partitions)
    return Described.DescribeShareGroupOffsetsResponseTopic(
        TopicName=topic.TopicName,
        Partitions=[
            Described.DescribeShareGroupOffsetsResponsePartition(
                PartitionIndex=index, StartOffset=UNKNOWN, ErrorCode=code
            )
            for index in topic.Partitions
        ],
    )


async def _topic_row(call: Call, group_id: str, image: TopicImage, indexes: Sequence[int]) -> Any:
    return Described.DescribeShareGroupOffsetsResponseTopic(
        TopicName=image.name,
        TopicId=image.id,
        Partitions=[await _partition_row(call, group_id, image, index) for index in indexes],
    )


async def _partition_row(call: Call, group_id: str, image: TopicImage, index: int) -> Any:
    key = ShareKey(group_id, image.id, index)
    row = Described.DescribeShareGroupOffsetsResponsePartition(PartitionIndex=index, StartOffset=UNKNOWN)
    kept = (await call.broker.part(Shares).state_log(key)).kept.get(key)
    if kept is None or not is_begun(kept):
        return row
    row.StartOffset, row.LeaderEpoch = kept.start, kept.leader_epoch
    if call.api_version >= LAG_SINCE and 0 <= index < len(image.states):
        end = call.broker.open(image, index).high_watermark
        row.Lag = max(end - kept.start - kept.done_count, 0)
    return row


# -- alter


async def alter_share_group_offsets(call: Call, request: messages.AlterShareGroupOffsetsRequest) -> Altered:
    """Let an empty group, perhaps one that is made by it, begin elsewhere. KafkaFault."""
    topics: dict[bytes, StateTopic] = {}
    starts: dict[ShareKey, int] = {}
    rows = []
    for topic in request.Topics:
        image = call.broker.topics.by_name.get(topic.TopicName)
        row = Altered.AlterShareGroupOffsetsResponseTopic(TopicName=topic.TopicName, Partitions=[])
        code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if not may_read(call, topic.TopicName):
            image, code = None, ErrorCode.TOPIC_AUTHORIZATION_FAILED
        known: set[int] = set()
        for each in topic.Partitions:
            index = each.PartitionIndex
            is_known = image is not None and 0 <= index < len(image.states)
            if image is not None and is_known:
                starts[ShareKey(request.GroupId, image.id, index)] = each.StartOffset
                known.add(index)
            row.Partitions.append(
                Altered.AlterShareGroupOffsetsResponsePartition(
                    PartitionIndex=index, ErrorCode=ErrorCode.NONE if is_known else code
                )
            )
        if image is not None:
            row.TopicId = image.id
            if known:
                topics[image.id] = StateTopic(topic.TopicName, frozenset(known))
        rows.append(row)

    def decide(shard: Shard) -> tuple[None, list[Entry]]:
        group = shard.share_group(request.GroupId, may_make=True)
        if group.members:
            raise KafkaFault(ErrorCode.NON_EMPTY_GROUP, "The group is not empty.")
        return None, [ShareEntry(group.id, fact) for fact in group.with_state(topics)]

    runner = await call.broker.part(Groups).runner(request.GroupId)
    await runner.change(decide)
    shares = call.broker.part(Shares)
    for key, start in starts.items():
        await shares.begin([key], max(start, UNKNOWN))
    return Altered(Responses=rows)


# -- delete


async def delete_share_group_offsets(call: Call, request: messages.DeleteShareGroupOffsetsRequest) -> Deleted:
    """Let an empty group forget topics. KafkaFault."""
    row_of = Deleted.DeleteShareGroupOffsetsResponseTopic
    runner = await call.broker.part(Groups).runner(request.GroupId)
    group = (await runner.ready()).share_group(request.GroupId, may_make=False)
    if group.members:
        raise KafkaFault(ErrorCode.NON_EMPTY_GROUP, "The group is not empty.")
    rows, gone = [], []
    for topic in request.Topics:
        image = call.broker.topics.by_name.get(topic.TopicName)
        row = row_of(TopicName=topic.TopicName)
        if not may_read(call, topic.TopicName):
            row.ErrorCode, row.ErrorMessage = ErrorCode.TOPIC_AUTHORIZATION_FAILED, "Authorization failed."
        elif image is None:
            row.ErrorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            row.ErrorMessage = "This server does not host this topic-partition."
        elif image.id not in group.state_topics:
            row.ErrorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            row.ErrorMessage = "There is no offset information to delete."
        else:
            row.TopicId = image.id
            gone.append(image.id)
        rows.append(row)
    keys = [
        ShareKey(group.id, topic, index) for topic in gone for index in group.state_topics[topic].partitions
    ]
    await call.broker.part(Shares).forget(keys)

    def decide(shard: Shard) -> tuple[None, list[Entry]]:
        facts = shard.share_group(request.GroupId, may_make=False).without_state(gone)
        return None, [ShareEntry(request.GroupId, fact) for fact in facts]

    await runner.change(decide)
    return Deleted(Responses=rows)


HANDLERS: Mapping[int, Handler] = {
    90: describe_share_group_offsets,
    91: alter_share_group_offsets,
    92: delete_share_group_offsets,
}
