"""Produce: record batches into partitions.

State   the partitions' (partition.py)
Source  Apache Kafka 4.3: KafkaApis.handleProduceRequest, ReplicaManager.appendRecords; KIP-467, KIP-516,
        KIP-951
Absent  versions 0 to 2, advertised for old librdkafka alone (KAFKA-18659): the connection is closed

The appends of one request begin one after the other, and what has to wait (a sync, other replicas) waits
together with the rest.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING

from cloudlet.aws.drive import Rest, begin
from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.topics import TopicImage
from cloudlet.kafka.transactions.writes import ask
from cloudlet.kafka.turns import Turn
from cloudlet.kernel.batches import HEADER_BYTES
from cloudlet.kernel.fault import ProtocolError, StoreError
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import TRANSACTIONAL

if TYPE_CHECKING:
    from cloudlet.kafka.partition import Appended

ACKS_NONE = 0
ACKS = (-1, 0, 1)
ADMIN_CLIENT_ID = "__admin_client"  # the one client whose records Kafka takes into internal topics
BY_ID_SINCE = 13
ATTRIBUTES_AT = 22  # the lower byte of a batch's
LEADER_HINT_SINCE = 10
LEADER_CODES = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH)

Response = messages.ProduceResponse
TopicResponse = messages.ProduceResponse.TopicProduceResponse
PartitionResponse = messages.ProduceResponse.PartitionProduceResponse
Waiting = tuple[PartitionResponse, "Rest[Appended]"]


async def produce(call: Call, request: messages.ProduceRequest) -> Response | None:
    """Append each partition's batches; one that is refused does not hinder the others. With acks=0 nothing is
    answered, and an error closes the connection: the client has no other way to learn of it."""
    waiting: list[Waiting] = []
    topics: list[TopicResponse] = []
    verdicts = await ask(call, request)
    turn = Turn(call.broker.clock)
    for topic in request.TopicData:
        image = _image(call, topic)
        rows: list[PartitionResponse] = []
        for data in topic.PartitionData:
            row = PartitionResponse(Index=data.Index)
            rows.append(row)
            place = topic.Name, data.Index
            fault = _refusal(call, request, image, data) or verdicts.refused.get(place)
            if fault is not None:
                _refuse(row, fault)
            else:
                assert image is not None
                is_verified = None if verdicts.verified is None else place in verdicts.verified
                _begin(call, request, image, data, row, waiting, is_verified=is_verified)
            if turn.is_over():
                await turn.end()
        topics.append(TopicResponse(Name=topic.Name, TopicId=topic.TopicId, PartitionResponses=rows))
    for row, rest in waiting:
        try:
            _accept(row, await rest)
        except (KafkaFault, StoreError) as error:
            _refuse(row, error)
    if request.Acks == ACKS_NONE:
        if any(row.ErrorCode for topic_row in topics for row in topic_row.PartitionResponses):
            raise ProtocolError("an error in answer to a Produce with acks=0")
        return None
    response = Response(Responses=topics)
    _hint_leaders(call, response)
    return response


def _image(call: Call, topic: messages.ProduceRequest.TopicProduceData) -> TopicImage | None:
    topics = call.broker.topics
    if call.api_version >= BY_ID_SINCE:
        image = topics.by_id.get(topic.TopicId)
        if image is not None:
            topic.Name = image.name
        return image
    return topics.by_name.get(topic.Name)


def _refusal(
    call: Call,
    request: messages.ProduceRequest,
    image: TopicImage | None,
    data: messages.ProduceRequest.PartitionProduceData,
) -> KafkaFault | None:
    """Why the batches of a partition are not appended."""
    if request.Acks not in ACKS:
        return KafkaFault(ErrorCode.INVALID_REQUIRED_ACKS)
    if image is None:
        by_id = call.api_version >= BY_ID_SINCE
        return KafkaFault(ErrorCode.UNKNOWN_TOPIC_ID if by_id else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    if not 0 <= data.Index < len(image.states):
        return KafkaFault(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    if image.is_internal and call.client_id != ADMIN_CLIENT_ID:
        return KafkaFault(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Cannot append to internal topic {image.name}")
    if not data.Records:
        return KafkaFault(
            ErrorCode.INVALID_RECORD, f"Record batch for partition {image.name}-{data.Index} is empty"
        )
    is_whole = len(data.Records) >= HEADER_BYTES
    if request.TransactionalId is None and is_whole and data.Records[ATTRIBUTES_AT] & TRANSACTIONAL:
        return KafkaFault(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    return None


def _begin(
    call: Call,
    request: messages.ProduceRequest,
    image: TopicImage,
    data: messages.ProduceRequest.PartitionProduceData,
    row: PartitionResponse,
    waiting: list[Waiting],
    *,
    is_verified: bool | None,
) -> None:
    records = data.Records
    assert records is not None
    try:
        partition = call.broker.open(image, data.Index)
        appending: Coroutine[object, None, Appended] = partition.append(
            records,
            acks=request.Acks,
            timeout_ms=request.TimeoutMs,
            produce_version=call.api_version,
            is_verified=is_verified,
        )
        result = begin(appending)
    except (KafkaFault, StoreError) as error:
        _refuse(row, error)
        return
    if isinstance(result, Rest):
        waiting.append((row, result))
    else:
        _accept(row, result)


def _accept(row: PartitionResponse, appended: Appended) -> None:
    row.BaseOffset = appended.base_offset
    row.LogAppendTimeMs = appended.append_time_ms
    row.LogStartOffset = appended.start_offset


def _refuse(row: PartitionResponse, error: KafkaFault | StoreError) -> None:
    row.BaseOffset = row.LogStartOffset = -1
    if isinstance(error, StoreError):  # no room, or a damaged log: Kafka's clients try again
        row.ErrorCode = ErrorCode.KAFKA_STORAGE_ERROR
        return
    row.ErrorCode = error.code
    row.ErrorMessage = error.message or None
    row.RecordErrors = [
        Response.BatchIndexAndErrorMessage(
            BatchIndex=record.batch_index, BatchIndexErrorMessage=record.message
        )
        for record in error.record_errors
    ]


def _hint_leaders(call: Call, response: Response) -> None:
    """Tell whoever came to the wrong broker, or with an old epoch, where the leader is (KIP-951)."""
    if call.api_version < LEADER_HINT_SINCE:
        return
    broker = call.broker
    is_hinted = False
    for topic in response.Responses:
        for row in topic.PartitionResponses:
            if row.ErrorCode not in LEADER_CODES:
                continue
            image = broker.topics.by_name.get(topic.Name) or broker.topics.by_id.get(topic.TopicId)
            if image is not None and 0 <= row.Index < len(image.states):
                state = image.states[row.Index]
                row.CurrentLeader = Response.LeaderIdAndEpoch(
                    LeaderId=state.leader, LeaderEpoch=state.leader_epoch
                )
                is_hinted = True
    if is_hinted:
        host, port = broker.endpoint(call.peer)
        response.NodeEndpoints = [Response.NodeEndpoint(NodeId=broker.node_id, Host=host, Port=port)]


HANDLERS: dict[int, Handler] = {0: produce}
