"""OffsetCommit, OffsetFetch, OffsetDelete and TxnOffsetCommit.

State   none
Source  Apache Kafka 4.3: the requests' versions as their schemas tell them; KafkaApis; KIP-447, KIP-709,
        KIP-848 (member epochs and topic ids)
Absent  none
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.coordinator import Groups
from cloudlet.kafka.groups.offsets import Committed
from cloudlet.kafka.groups.records import Entry, OffsetEntry
from cloudlet.kafka.groups.shard import Committer, Shard, is_subscribed
from cloudlet.kafka.long_answers import LONG_ROWS, rows
from cloudlet.kafka.topics import TopicImage
from cloudlet.kafka.transactions.writes import check_offsets
from cloudlet.kafka.turns import Turn
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import Producer

TOPIC_IDS_SINCE = 10
MANY_GROUPS_SINCE = 8
ERROR_OF_GROUP_SINCE = 2
NO_OFFSET = -1
NO_EPOCH = -1

R = TypeVar("R")


class Place(NamedTuple):
    """One partition of a commit: where, what, and what was wrong with it before the group was asked."""

    topic: str
    partition: int
    committed: Committed | None
    error: ErrorCode


async def offset_commit(call: Call, request: messages.OffsetCommitRequest) -> messages.OffsetCommitResponse:
    """Commit offsets for a group, or for a consumer that is in none."""
    response = messages.OffsetCommitResponse
    by = Committer(
        request.GroupId,
        request.MemberId,
        request.GroupInstanceId,
        request.GenerationIdOrMemberEpoch,
        version=call.api_version,
    )
    retention_ms = request.RetentionTimeMs
    turn = Turn(call.broker.clock)
    places = [await _places(call, topic, retention_ms, turn) for topic in request.Topics]
    errors = await _commit(call, by, [place for found in places for place in found])
    made = []
    for topic, found in zip(request.Topics, places, strict=True):
        partitions = rows(list(zip(found, errors, strict=False)), _committed_row)
        del errors[: len(found)]
        made.append(
            response.OffsetCommitResponseTopic(Name=topic.Name, TopicId=topic.TopicId, Partitions=partitions)
        )
    return response(Topics=made)


def _committed_row(
    each: tuple[Place, ErrorCode],
) -> messages.OffsetCommitResponse.OffsetCommitResponsePartition:
    return messages.OffsetCommitResponse.OffsetCommitResponsePartition(
        PartitionIndex=each[0].partition, ErrorCode=each[1]
    )


async def txn_offset_commit(
    call: Call, request: messages.TxnOffsetCommitRequest
) -> messages.TxnOffsetCommitResponse:
    """Write offsets that count once the producer's transaction commits."""
    response = messages.TxnOffsetCommitResponse
    by = Committer(
        request.GroupId,
        request.MemberId,
        request.GroupInstanceId,
        request.GenerationId,
        is_transactional=True,
        version=call.api_version,
    )
    producer = Producer(request.ProducerId, request.ProducerEpoch)
    turn = Turn(call.broker.clock)
    places = [await _places(call, topic, -1, turn) for topic in request.Topics]
    every = [place for found in places for place in found]
    try:
        await check_offsets(call, request)
        errors = await _commit(call, by, every, producer)
    except KafkaFault as fault:
        errors = [place.error or fault.code for place in every]
    made = []
    for topic, found in zip(request.Topics, places, strict=True):
        partitions = [
            response.TxnOffsetCommitResponsePartition(PartitionIndex=place.partition, ErrorCode=error)
            for place, error in zip(found, errors, strict=False)
        ]
        del errors[: len(found)]
        made.append(response.TxnOffsetCommitResponseTopic(Name=topic.Name, Partitions=partitions))
    return response(Topics=made)


async def _places(call: Call, topic: Any, retention_ms: int, turn: Turn) -> list[Place]:
    """The partitions of one topic of a request, looked up."""
    broker = call.broker
    by_id = call.api_version >= TOPIC_IDS_SINCE
    image = broker.topics.by_id.get(topic.TopicId) if by_id else broker.topics.by_name.get(topic.Name)
    missing = ErrorCode.UNKNOWN_TOPIC_ID if by_id else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    metadata_max = broker.configs.number("offset.metadata.max.bytes")
    now_ms = broker.clock.cloud_ms()
    places = []
    for each in topic.Partitions:
        metadata = each.CommittedMetadata or ""
        error = ErrorCode.NONE
        if image is None:
            error = missing
        elif not 0 <= each.PartitionIndex < len(image.states):
            error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        elif len(metadata) > metadata_max:
            error = ErrorCode.OFFSET_METADATA_TOO_LARGE
        committed = Committed(
            each.CommittedOffset,
            each.CommittedLeaderEpoch,
            metadata,
            now_ms,
            now_ms + retention_ms if retention_ms != -1 else -1,
            topic_id=topic.TopicId if by_id else bytes(16),
        )
        places.append(Place(image.name if image else "", each.PartitionIndex, committed, error))
        if turn.is_over():
            await turn.end()
    return places


async def _commit(
    call: Call, by: Committer, places: Sequence[Place], producer: Producer | None = None
) -> list[ErrorCode]:
    """Commit the good ones; an error for each."""

    def decide(shard: Shard) -> tuple[None, list[Entry]]:
        shard.check_commit(by)
        entries: list[Entry] = [
            OffsetEntry(by.group, place.topic, place.partition, place.committed)
            for place in places
            if not place.error
        ]
        return None, entries

    try:
        runner = await call.broker.part(Groups).runner(by.group, may_be_empty=not by.is_transactional)
        if producer is None:
            await runner.change(decide)
        else:
            await runner.change(decide, producer)
    except KafkaFault as fault:
        return [place.error or fault.code for place in places]
    return [place.error for place in places]


async def offset_fetch(call: Call, request: messages.OffsetFetchRequest) -> messages.OffsetFetchResponse:
    """The committed offsets of groups; of all partitions where none are named."""
    if call.api_version >= MANY_GROUPS_SINCE:
        groups = [await _fetch_group(call, group, request) for group in request.Groups]
        return messages.OffsetFetchResponse(Groups=groups)
    return await _fetch_one(call, request)


Found = tuple[int, int, str, ErrorCode]
"""(offset, leader epoch, metadata, error) of one partition."""


async def _fetch_one(call: Call, request: messages.OffsetFetchRequest) -> messages.OffsetFetchResponse:
    response = messages.OffsetFetchResponse

    def row(name: str, each: list[tuple[int, Found]]) -> Any:
        return response.OffsetFetchResponseTopic(
            Name=name,
            Partitions=rows(each, partition_row),
        )

    def partition_row(each: tuple[int, Found]) -> Any:
        partition, (offset, epoch, metadata, error) = each
        return response.OffsetFetchResponsePartition(
            PartitionIndex=partition,
            CommittedOffset=offset,
            CommittedLeaderEpoch=epoch,
            Metadata=metadata,
            ErrorCode=error,
        )

    wanted = None
    if request.Topics is not None and (request.Topics or call.api_version < ERROR_OF_GROUP_SINCE):
        wanted = [(topic.Name, topic.PartitionIndexes) for topic in request.Topics]
    elif request.Topics is not None:
        wanted = []
    try:
        shard = await _shard(call, request.GroupId)
    except KafkaFault as fault:
        refused = [
            row(name, [(partition, (NO_OFFSET, NO_EPOCH, "", fault.code)) for partition in partitions])
            for name, partitions in wanted or []
        ]
        return response(Topics=refused, ErrorCode=fault.code)
    found = _found(shard, request.GroupId, wanted, must_be_stable=request.RequireStable)
    call.is_long = call.is_long or sum(len(each) for _, each in found) > LONG_ROWS
    return response(Topics=[row(name, each) for name, each in found])


async def _fetch_group(
    call: Call,
    group: messages.OffsetFetchRequest.OffsetFetchRequestGroup,
    request: messages.OffsetFetchRequest,
) -> messages.OffsetFetchResponse.OffsetFetchResponseGroup:
    response = messages.OffsetFetchResponse
    by_id = call.api_version >= TOPIC_IDS_SINCE
    topics = call.broker.topics
    try:
        shard = await _shard(call, group.GroupId)
        shard.check_fetch(group.GroupId, group.MemberId, group.MemberEpoch)
    except KafkaFault as fault:
        return response.OffsetFetchResponseGroup(GroupId=group.GroupId, ErrorCode=fault.code)
    wanted = None
    unknown = []
    if group.Topics is not None:
        wanted = []
        for topic in group.Topics:
            image = topics.by_id.get(topic.TopicId) if by_id else None
            if by_id and image is None:
                unknown.append(topic)
            else:
                wanted.append((image.name if image else topic.Name, topic.PartitionIndexes))
    made = []
    for name, found in _found(shard, group.GroupId, wanted, must_be_stable=request.RequireStable):
        call.is_long = call.is_long or len(found) > LONG_ROWS
        topic_id = _id_of(topics.by_name.get(name)) if by_id else bytes(16)
        if topic_id is not None:  # a topic that is gone has no id to be told by
            made.append(_group_row(name, topic_id, found))
    for topic in unknown:
        refused: Found = (NO_OFFSET, NO_EPOCH, "", ErrorCode.UNKNOWN_TOPIC_ID)
        made.append(_group_row("", topic.TopicId, [(index, refused) for index in topic.PartitionIndexes]))
    return response.OffsetFetchResponseGroup(GroupId=group.GroupId, Topics=made)


def _group_row(
    name: str, topic_id: bytes, found: Sequence[tuple[int, Found]]
) -> messages.OffsetFetchResponse.OffsetFetchResponseTopics:
    response = messages.OffsetFetchResponse
    return response.OffsetFetchResponseTopics(
        Name=name,
        TopicId=topic_id,
        Partitions=rows(found, _group_partition_row),
    )


def _group_partition_row(
    each: tuple[int, Found],
) -> messages.OffsetFetchResponse.OffsetFetchResponsePartitions:
    partition, (offset, epoch, metadata, error) = each
    return messages.OffsetFetchResponse.OffsetFetchResponsePartitions(
        PartitionIndex=partition,
        CommittedOffset=offset,
        CommittedLeaderEpoch=epoch,
        Metadata=metadata,
        ErrorCode=error,
    )


def _id_of(image: TopicImage | None) -> bytes | None:
    return None if image is None else image.id


async def _shard(call: Call, group_id: str) -> Shard:
    runner = await call.broker.part(Groups).runner(group_id, may_be_empty=True)
    return await runner.ready()


def _found(
    shard: Shard,
    group_id: str,
    wanted: Sequence[tuple[str, Sequence[int]]] | None,
    *,
    must_be_stable: bool,
) -> list[tuple[str, list[tuple[int, Found]]]]:
    """What is committed at each place; at all places of the group where none are named."""
    offsets = shard.offsets
    if wanted is None:
        wanted = [(topic, list(partitions)) for topic, partitions in offsets.topics(group_id).items()]

    def at(topic: str, partition: int) -> Found:
        if must_be_stable and offsets.is_pending(group_id, topic, partition):
            return NO_OFFSET, NO_EPOCH, "", ErrorCode.UNSTABLE_OFFSET_COMMIT
        committed = offsets.find(group_id, topic, partition)
        if committed is None:
            return NO_OFFSET, NO_EPOCH, "", ErrorCode.NONE
        return committed.offset, committed.leader_epoch, committed.metadata, ErrorCode.NONE

    return [
        (topic, [(partition, at(topic, partition)) for partition in partitions])
        for topic, partitions in wanted
    ]


async def offset_delete(call: Call, request: messages.OffsetDeleteRequest) -> messages.OffsetDeleteResponse:
    """Forget committed offsets of partitions that the group does not read."""
    response = messages.OffsetDeleteResponse
    topics = call.broker.topics

    def decide(shard: Shard) -> tuple[list[Any], list[Entry]]:
        group = shard.check_delete_offsets(request.GroupId)
        rows, entries = [], []
        there = set(shard.offsets.each(request.GroupId))
        for topic in request.Topics:
            image = topics.by_name.get(topic.Name)
            is_read = is_subscribed(group, topic.Name)
            partitions = []
            for each in topic.Partitions:
                error = ErrorCode.NONE
                if image is None or not 0 <= each.PartitionIndex < len(image.states):
                    error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                elif is_read:
                    error = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
                elif (topic.Name, each.PartitionIndex) in there:
                    entries.append(OffsetEntry(request.GroupId, topic.Name, each.PartitionIndex, None))
                partitions.append(
                    response.OffsetDeleteResponsePartition(
                        PartitionIndex=each.PartitionIndex, ErrorCode=error
                    )
                )
            rows.append(response.OffsetDeleteResponseTopic(Name=topic.Name, Partitions=partitions))
        return rows, list(entries)

    runner = await call.broker.part(Groups).runner(request.GroupId)
    return response(Topics=await runner.change(decide))


HANDLERS: Mapping[int, Handler] = {
    8: offset_commit,
    9: offset_fetch,
    28: txn_offset_commit,
    47: offset_delete,
}
