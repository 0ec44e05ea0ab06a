"""ListOffsets, OffsetForLeaderEpoch and DeleteRecords: where a partition begins, ends, and was at a time.

State   the partitions' (partition.py)
Source  Apache Kafka 4.3: ListOffsetsRequest, ReplicaManager.fetchOffset, OffsetsForLeaderEpoch; KIP-79,
        KIP-101, KIP-320, KIP-405, KIP-734, KIP-1023
Absent  tiered storage: what would lie in it is answered as not there
"""

from __future__ import annotations

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.faults import KafkaFault, code_of
from cloudlet.kafka.partition import Isolation, Partition
from cloudlet.kafka.turns import Turn, in_turns
from cloudlet.kernel.fault import StoreError
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING = -1, -2, -3, -4, -5, -6
SINCE = {MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, EARLIEST_PENDING: 11}
UNKNOWN = -1
CONSUMER = -1  # replica id; -2 is a debugging one
EPOCH_SINCE = 4

OffsetRow = messages.ListOffsetsResponse.ListOffsetsPartitionResponse


async def list_offsets(call: Call, request: messages.ListOffsetsRequest) -> messages.ListOffsetsResponse:
    """The offset of each partition at a time, or at a special place."""
    cls = messages.ListOffsetsResponse
    isolation = Isolation.READ_COMMITTED if request.IsolationLevel == 1 else Isolation.READ_UNCOMMITTED
    if request.ReplicaId >= 0:
        isolation = Isolation.LOG_END
    seen: set[tuple[str, int]] = set()
    doubled: set[tuple[str, int]] = set()
    for topic in request.Topics:
        for wanted in topic.Partitions:
            place = (topic.Name, wanted.PartitionIndex)
            (doubled if place in seen else seen).add(place)
    topics: list[messages.ListOffsetsResponse.ListOffsetsTopicResponse] = []
    turn = Turn(call.broker.clock)
    for topic in request.Topics:
        rows: list[OffsetRow] = []
        for wanted in topic.Partitions:
            row = OffsetRow(PartitionIndex=wanted.PartitionIndex)
            rows.append(row)
            try:
                if (topic.Name, wanted.PartitionIndex) in doubled:
                    raise KafkaFault(ErrorCode.INVALID_REQUEST)
                partition = call.broker.partition(topic.Name, wanted.PartitionIndex)
                partition.check_leader_epoch(wanted.CurrentLeaderEpoch)
                await _find(row, call.api_version, partition, wanted.Timestamp, isolation, turn)
            except (KafkaFault, StoreError) as error:
                row.ErrorCode = code_of(error)
            if turn.is_over():
                await turn.end()
        topics.append(cls.ListOffsetsTopicResponse(Name=topic.Name, Partitions=rows))
    return cls(Topics=topics)


async def _find(
    row: OffsetRow, version: int, partition: Partition, timestamp: int, isolation: Isolation, turn: Turn
) -> None:
    if timestamp < EARLIEST_PENDING or version < SINCE.get(timestamp, 0):
        raise KafkaFault(ErrorCode.UNSUPPORTED_VERSION)
    if timestamp == LATEST:
        row.Offset = _end(partition, isolation)
        row.LeaderEpoch = partition.leader_epoch
    elif timestamp in (EARLIEST, EARLIEST_LOCAL):
        row.Offset = partition.start_offset
        row.LeaderEpoch = partition.epoch_at(partition.start_offset)
    elif timestamp in (LATEST_TIERED, EARLIEST_PENDING):
        row.Offset = UNKNOWN
    else:
        steps = (
            partition.offset_of_max_timestamp(isolation)
            if timestamp == MAX_TIMESTAMP
            else partition.offset_for_timestamp(timestamp, isolation)
        )
        found = await in_turns(steps, turn)
        if found is not None:
            row.Offset, row.Timestamp, row.LeaderEpoch = found


def _end(partition: Partition, isolation: Isolation) -> int:
    if isolation is Isolation.READ_COMMITTED:
        return partition.last_stable_offset
    return partition.stop_offset if isolation is Isolation.LOG_END else partition.high_watermark


async def offset_for_leader_epoch(
    call: Call, request: messages.OffsetForLeaderEpochRequest
) -> messages.OffsetForLeaderEpochResponse:
    """Where the records of a leader epoch end."""
    cls = messages.OffsetForLeaderEpochResponse
    topics: list[messages.OffsetForLeaderEpochResponse.OffsetForLeaderTopicResult] = []
    turn = Turn(call.broker.clock)
    for topic in request.Topics:
        rows: list[messages.OffsetForLeaderEpochResponse.EpochEndOffset] = []
        for wanted in topic.Partitions:
            row = cls.EpochEndOffset(Partition=wanted.Partition)
            rows.append(row)
            try:
                partition = call.broker.partition(topic.Topic, wanted.Partition)
                partition.check_leader_epoch(wanted.CurrentLeaderEpoch)
                row.LeaderEpoch, row.EndOffset = partition.epoch_end(wanted.LeaderEpoch)
            except (KafkaFault, StoreError) as error:
                row.ErrorCode = code_of(error)
            if turn.is_over():
                await turn.end()
        topics.append(cls.OffsetForLeaderTopicResult(Topic=topic.Topic, Partitions=rows))
    return cls(Topics=topics)


async def delete_records(
    call: Call, request: messages.DeleteRecordsRequest
) -> messages.DeleteRecordsResponse:
    """Move the start of partitions up; -1 stands for the high watermark."""
    cls = messages.DeleteRecordsResponse
    topics: list[messages.DeleteRecordsResponse.DeleteRecordsTopicResult] = []
    turn = Turn(call.broker.clock)
    for topic in request.Topics:
        rows: list[messages.DeleteRecordsResponse.DeleteRecordsPartitionResult] = []
        for wanted in topic.Partitions:
            row = cls.DeleteRecordsPartitionResult(PartitionIndex=wanted.PartitionIndex, LowWatermark=UNKNOWN)
            rows.append(row)
            try:
                partition = call.broker.partition(topic.Name, wanted.PartitionIndex)
                row.LowWatermark = await partition.delete_records(wanted.Offset)
            except (KafkaFault, StoreError) as error:
                row.ErrorCode = code_of(error)
            if turn.is_over():
                await turn.end()
        topics.append(cls.DeleteRecordsTopicResult(Name=topic.Name, Partitions=rows))
    return cls(Topics=topics)


HANDLERS: dict[int, Handler] = {2: list_offsets, 21: delete_records, 23: offset_for_leader_epoch}
