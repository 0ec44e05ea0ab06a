"""The requests of transactions.

State   none
Source  Apache Kafka 4.3: KafkaApis, TransactionCoordinator; KIP-98, KIP-360, KIP-664 (tools), KIP-890
Absent  two-phase commit (KIP-939): version 6 of InitProducerId, which Kafka does not serve either by itself
"""

from __future__ import annotations

import re

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.long_answers import LONG_ROWS
from cloudlet.kafka.transactions.coordinator import Transactions
from cloudlet.kafka.transactions.records import by_topic
from cloudlet.kafka.transactions.states import Identity, Place, State
from cloudlet.kafka.transactions.writes import offsets_place
from cloudlet.kernel.fault import StoreError
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

FENCED_SINCE = {22: 4, 24: 2, 25: 2, 26: 2}  # the versions whose clients know PRODUCER_FENCED
EPOCH_BUMP_SINCE = 5  # of EndTxn: transactions v2
BATCH_SINCE = 4  # of AddPartitionsToTxn: many transactions at once, for brokers
NO_PRODUCER_ID = -1
PATTERN_CHARACTERS_MAX = 1000


def _code(call: Call, fault: KafkaFault) -> ErrorCode:
    """A fenced producer, as the client's version knows it."""
    since = FENCED_SINCE.get(call.api_key, 0)
    if fault.code is ErrorCode.PRODUCER_FENCED and call.api_version < since:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    return fault.code


async def init_producer_id(
    call: Call, request: messages.InitProducerIdRequest
) -> messages.InitProducerIdResponse:
    """A producer id: for an idempotent producer a fresh one, for a transactional id its next epoch."""
    response = messages.InitProducerIdResponse
    transactions = call.broker.part(Transactions)
    said = None
    if (request.ProducerId < 0) != (request.ProducerEpoch < 0):
        return response(ErrorCode=ErrorCode.INVALID_REQUEST, ProducerId=NO_PRODUCER_ID, ProducerEpoch=-1)
    if request.ProducerId >= 0:
        said = Identity(request.ProducerId, request.ProducerEpoch)
    try:
        if request.TransactionalId is None:
            return response(ProducerId=await transactions.producer_ids.fresh(), ProducerEpoch=0)
        found = await transactions.initialise(request.TransactionalId, request.TransactionTimeoutMs, said)
    except KafkaFault as fault:
        return response(ErrorCode=_code(call, fault), ProducerId=NO_PRODUCER_ID, ProducerEpoch=-1)
    except StoreError:
        return response(
            ErrorCode=ErrorCode.COORDINATOR_NOT_AVAILABLE, ProducerId=NO_PRODUCER_ID, ProducerEpoch=-1
        )
    return response(ProducerId=found.producer_id, ProducerEpoch=found.epoch)


async def add_partitions(
    call: Call, request: messages.AddPartitionsToTxnRequest
) -> messages.AddPartitionsToTxnResponse:
    """Add partitions to a producer's transaction; from version 4 on to many transactions, or ask whether they
    have them."""
    response = messages.AddPartitionsToTxnResponse
    if call.api_version < BATCH_SINCE:
        said = Identity(request.V3AndBelowProducerId, request.V3AndBelowProducerEpoch)
        places = [(topic.Name, index) for topic in request.V3AndBelowTopics for index in topic.Partitions]
        errors = await _added(call, request.V3AndBelowTransactionalId, said, places, is_verify_only=False)
        return response(ResultsByTopicV3AndBelow=_topic_results(places, errors))
    results = []
    for each in request.Transactions:
        said = Identity(each.ProducerId, each.ProducerEpoch)
        places = [(topic.Name, index) for topic in each.Topics for index in topic.Partitions]
        errors = await _added(call, each.TransactionalId, said, places, is_verify_only=each.VerifyOnly)
        results.append(
            response.AddPartitionsToTxnResult(
                TransactionalId=each.TransactionalId, TopicResults=_topic_results(places, errors)
            )
        )
    return response(ResultsByTransaction=results)


async def _added(
    call: Call, transactional_id: str, said: Identity, places: list[Place], *, is_verify_only: bool
) -> dict[Place, ErrorCode]:
    """An error for each partition. One that does not exist spoils the request for all."""
    refused = {place: code for place in places if (code := _refusal(call, place))}
    if refused:
        return {place: refused.get(place, ErrorCode.OPERATION_NOT_ATTEMPTED) for place in places}
    transactions = call.broker.part(Transactions)
    try:
        if is_verify_only:
            missing = await transactions.missing(transactional_id, said, places)
            return {
                place: ErrorCode.TRANSACTION_ABORTABLE if place in missing else ErrorCode.NONE
                for place in places
            }
        version = 2 if call.api_version >= BATCH_SINCE else 0
        await transactions.add_partitions(transactional_id, said, places, version=version)
    except KafkaFault as fault:
        return dict.fromkeys(places, _code(call, fault))
    return dict.fromkeys(places, ErrorCode.NONE)


def _refusal(call: Call, place: Place) -> ErrorCode:
    """Why a partition cannot be part of a transaction; clients have no business in internal topics."""
    topic = call.broker.topics.by_name.get(place[0])
    if topic is None or not 0 <= place[1] < len(topic.states):
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if topic.is_internal and call.api_version < BATCH_SINCE:
        return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    return ErrorCode.NONE


def _topic_results(
    places: list[Place], errors: dict[Place, ErrorCode]
) -> list[messages.AddPartitionsToTxnResponse.AddPartitionsToTxnTopicResult]:
    response = messages.AddPartitionsToTxnResponse
    return [
        response.AddPartitionsToTxnTopicResult(
            Name=topic,
            ResultsByPartition=[
                response.AddPartitionsToTxnPartitionResult(
                    PartitionIndex=index, PartitionErrorCode=errors[topic, index]
                )
                for index in indexes
            ],
        )
        for topic, indexes in by_topic(set(places))
    ]


async def add_offsets(
    call: Call, request: messages.AddOffsetsToTxnRequest
) -> messages.AddOffsetsToTxnResponse:
    """Add the partition that a group's offsets go to."""
    try:
        place = await offsets_place(call, request.GroupId)
        said = Identity(request.ProducerId, request.ProducerEpoch)
        await call.broker.part(Transactions).add_partitions(request.TransactionalId, said, [place])
    except KafkaFault as fault:
        return messages.AddOffsetsToTxnResponse(ErrorCode=_code(call, fault))
    return messages.AddOffsetsToTxnResponse()


async def end(call: Call, request: messages.EndTxnRequest) -> messages.EndTxnResponse:
    """Commit or abort."""
    version = 2 if call.api_version >= EPOCH_BUMP_SINCE else 0
    try:
        found = await call.broker.part(Transactions).end(
            request.TransactionalId,
            Identity(request.ProducerId, request.ProducerEpoch),
            is_commit=request.Committed,
            version=version,
        )
    except KafkaFault as fault:
        return messages.EndTxnResponse(ErrorCode=_code(call, fault))
    if version < 2:
        return messages.EndTxnResponse()
    return messages.EndTxnResponse(ProducerId=found.producer_id, ProducerEpoch=found.epoch)


async def write_markers(
    call: Call, request: messages.WriteTxnMarkersRequest
) -> messages.WriteTxnMarkersResponse:
    """Write markers as an administrator says, who ends a transaction that hangs (KIP-664)."""
    response = messages.WriteTxnMarkersResponse
    results = []
    for marker in request.Markers:
        topics = []
        for topic in marker.Topics:
            rows = []
            for index in topic.PartitionIndexes:
                code = await _marked(call, marker, topic.Name, index)
                rows.append(response.WritableTxnMarkerPartitionResult(PartitionIndex=index, ErrorCode=code))
            topics.append(response.WritableTxnMarkerTopicResult(Name=topic.Name, Partitions=rows))
        results.append(response.WritableTxnMarkerResult(ProducerId=marker.ProducerId, Topics=topics))
    return response(Markers=results)


async def _marked(
    call: Call, marker: messages.WriteTxnMarkersRequest.WritableTxnMarker, topic: str, index: int
) -> ErrorCode:
    try:
        await call.broker.partition(topic, index).append_marker(
            marker.ProducerId,
            marker.ProducerEpoch,
            is_commit=marker.TransactionResult,
            coordinator_epoch=marker.CoordinatorEpoch,
            transaction_version=marker.TransactionVersion,
        )
    except KafkaFault as fault:
        return fault.code
    except StoreError:
        return ErrorCode.KAFKA_STORAGE_ERROR
    return ErrorCode.NONE


async def describe_transactions(
    call: Call, request: messages.DescribeTransactionsRequest
) -> messages.DescribeTransactionsResponse:
    """What is known of transactional ids."""
    response = messages.DescribeTransactionsResponse
    rows = []
    for transactional_id in request.TransactionalIds:
        row = response.TransactionState(TransactionalId=transactional_id)
        rows.append(row)
        try:
            shard = await call.broker.part(Transactions).shard_of(transactional_id)
        except KafkaFault as fault:
            row.ErrorCode = fault.code
            continue
        found = shard.transactions.get(transactional_id)
        if found is None or found.state is State.DEAD:
            row.ErrorCode = ErrorCode.TRANSACTIONAL_ID_NOT_FOUND
            continue
        row.TransactionState = found.state.spelled
        row.TransactionTimeoutMs = found.timeout_ms
        row.TransactionStartTimeMs = found.started_ms
        row.ProducerId = found.producer_id
        row.ProducerEpoch = found.epoch
        row.Topics = [
            response.TopicData(Topic=topic, Partitions=indexes)
            for topic, indexes in by_topic(found.partitions)
        ]
    return response(TransactionStates=rows)


async def list_transactions(
    call: Call, request: messages.ListTransactionsRequest
) -> messages.ListTransactionsResponse:
    """All transactional ids, or those of the states, producers, age and pattern asked for."""
    response = messages.ListTransactionsResponse
    known = {state.spelled: state for state in State}
    wanted = {known[name] for name in request.StateFilters if name in known}
    unknown = [name for name in request.StateFilters if name not in known]
    pattern = None
    if request.TransactionalIdPattern:
        try:
            if len(request.TransactionalIdPattern) > PATTERN_CHARACTERS_MAX:
                raise re.error("the pattern is too long")
            pattern = re.compile(request.TransactionalIdPattern)
        except re.error:
            return response(ErrorCode=ErrorCode.INVALID_REGULAR_EXPRESSION)
    try:
        found = await call.broker.part(Transactions).every()
    except KafkaFault as fault:
        return response(ErrorCode=fault.code)
    now_ms = call.broker.clock.wall_ms()
    rows = []
    for each in found:
        if request.StateFilters and each.state not in wanted:
            continue
        if request.ProducerIdFilters and each.producer_id not in request.ProducerIdFilters:
            continue
        # What has never begun counts as begun at -1, as in Kafka: it is older than everything.
        if request.DurationFilter >= 0 and now_ms - each.started_ms <= request.DurationFilter:
            continue
        if pattern is not None and not pattern.fullmatch(each.id):
            continue
        rows.append(
            response.TransactionState(
                TransactionalId=each.id, ProducerId=each.producer_id, TransactionState=each.state.spelled
            )
        )
    call.is_long = len(rows) > LONG_ROWS
    return response(UnknownStateFilters=unknown, TransactionStates=rows)


HANDLERS: dict[int, Handler] = {
    22: init_producer_id,
    24: add_partitions,
    25: add_offsets,
    26: end,
    27: write_markers,
    65: describe_transactions,
    66: list_transactions,
}
