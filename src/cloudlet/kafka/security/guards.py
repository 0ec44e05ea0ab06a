"""What of each request its client may do: the rest is refused before the handler sees it.

State   none
Source  Apache Kafka 4.3, KafkaApis, ControllerApis; which API asks for what: guard_table.py
Absent  authorized operations of topics and groups in responses tell what exists, not what is allowed

A guard takes the request apart: what is allowed goes to the handler, what is not is put into the response
beside what the handler says, with the code of its resource. A topic that may not even be described is refused
in the same words whether it exists or not.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from cloudlet.kafka.call import Call, Encoded, Handler
from cloudlet.kafka.security.acls import allowed, allowed_some
from cloudlet.kafka.security.rules import CLUSTER_NAME, Operation, ResourceType
from cloudlet.kafka.turns import Turn, in_turns
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.apis import apis
from cloudlet.wire.kafka.codec import decode_slowly
from cloudlet.wire.kafka.error_codes import ErrorCode

Guard = Callable[[Call, Any, Handler], Coroutine[object, None, Any]]

TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID = (
    ResourceType.TOPIC,
    ResourceType.GROUP,
    ResourceType.CLUSTER,
    ResourceType.TRANSACTIONAL_ID,
)
REFUSED = {
    TOPIC: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    GROUP: ErrorCode.GROUP_AUTHORIZATION_FAILED,
    CLUSTER: ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
    TRANSACTIONAL_ID: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}
BROKER_RESOURCES = (4, 8)  # of configurations: brokers and their loggers
TOPIC_RESOURCE = 2


async def run(call: Call, request: Any, handler: Handler) -> Any:
    """What the handler says."""
    result = handler(call, request)
    return await result if isinstance(result, Coroutine) else result


def may_cluster(call: Call, operation: Operation) -> bool:
    return allowed(call, operation, CLUSTER, CLUSTER_NAME)


def _response(call: Call) -> Any:
    return apis()[call.api_key].response


# --- requests that are allowed or refused as one


def whole(*wanted: tuple[Operation, ResourceType, str]) -> Guard:
    """Refused as one, in the response's ErrorCode; the names are in the fields of the request."""

    async def guard(call: Call, request: Any, handler: Handler) -> Any:
        for operation, kind, field in wanted:
            name = CLUSTER_NAME if kind is CLUSTER else getattr(request, field)
            if not allowed(call, operation, kind, name or ""):
                return _response(call)(ErrorCode=REFUSED[kind])
        return await run(call, request, handler)

    return guard


async def subscribing(call: Call, request: messages.ConsumerGroupHeartbeatRequest, handler: Handler) -> Any:
    """A heartbeat: refused as one, too, where one of the topics that it names may not be described."""
    names = request.SubscribedTopicNames or ()
    if not allowed(call, Operation.READ, GROUP, request.GroupId):
        return _response(call)(ErrorCode=REFUSED[GROUP])
    if not all(allowed(call, Operation.DESCRIBE, TOPIC, name) for name in names):
        return _response(call)(ErrorCode=REFUSED[TOPIC])
    return await run(call, request, handler)


def of_cluster(operation: Operation) -> Guard:
    return whole((operation, CLUSTER, ""))


def each_refused(operation: Operation, rows: Callable[[Any, Any, ErrorCode], Any]) -> Guard:
    """Of the cluster too, where the response has no code of its own: every row has it."""

    async def guard(call: Call, request: Any, handler: Handler) -> Any:
        if may_cluster(call, operation):
            return await run(call, request, handler)
        return rows(_response(call), request, REFUSED[CLUSTER])

    return guard


# --- topics


def _split(
    call: Call, operation: Operation, topics: list[Any], field: str = "Name"
) -> tuple[list[Any], list[Any]]:
    """The topics that are allowed, and the others."""
    yes: list[Any] = []
    no: list[Any] = []
    for topic in topics:
        name = _name(call, topic, field)
        (yes if name is None or allowed(call, operation, TOPIC, name) else no).append(topic)
    return yes, no


def _name(call: Call, topic: Any, field: str) -> str | None:
    """A topic's name, by its id where it has no other; None for an id that is not known, which the handler
    refuses."""
    name = getattr(topic, field)
    if name:
        return str(name)
    topic_id = getattr(topic, "TopicId", None)
    image = call.broker.topics.by_id.get(topic_id) if topic_id else None
    return image.name if image is not None else None


def topics_of(
    operation: Operation,
    request_field: str,
    response_field: str,
    row: Callable[[Any, Any, ErrorCode], Any],
    *,
    name_field: str = "Name",
) -> Guard:
    """The topics of a request, refused one by one; `row` makes a refused topic's part of the response."""

    async def guard(call: Call, request: Any, handler: Handler) -> Any:
        yes, no = _split(call, operation, getattr(request, request_field), name_field)
        if not no:
            return await run(call, request, handler)
        setattr(request, request_field, yes)
        response = await run(call, request, handler) if yes else _response(call)()
        if response is not None:
            rows = getattr(response, response_field)
            rows += [row(_response(call), topic, REFUSED[TOPIC]) for topic in no]
        return response

    return guard


async def produce(call: Call, request: messages.ProduceRequest, handler: Handler) -> Any:
    if request.TransactionalId and not allowed(
        call, Operation.WRITE, TRANSACTIONAL_ID, request.TransactionalId
    ):
        yes, no, code = list[Any](), request.TopicData, REFUSED[TRANSACTIONAL_ID]
    else:
        yes, no = _split(call, Operation.WRITE, request.TopicData)
        code = REFUSED[TOPIC]
    if not no:
        return await run(call, request, handler)
    request.TopicData = yes
    response = await run(call, request, handler)
    if response is None:
        return None
    cls = messages.ProduceResponse
    response.Responses += [
        cls.TopicProduceResponse(
            Name=topic.Name,
            TopicId=topic.TopicId,
            PartitionResponses=[
                cls.PartitionProduceResponse(
                    Index=data.Index, ErrorCode=code, BaseOffset=-1, LogStartOffset=-1
                )
                for data in topic.PartitionData
            ],
        )
        for topic in no
    ]
    return response


async def fetch(call: Call, request: messages.FetchRequest, handler: Handler) -> Any:
    yes, no = _split(call, Operation.READ, request.Topics, "Topic")
    if not no:
        return await run(call, request, handler)
    request.Topics = yes
    request.MaxWaitMs = request.MaxWaitMs if yes else 0
    response = await run(call, request, handler)
    cls = messages.FetchResponse
    response.Responses += [
        cls.FetchableTopicResponse(
            Topic=topic.Topic,
            TopicId=topic.TopicId,
            Partitions=[
                cls.PartitionData(
                    PartitionIndex=each.Partition, ErrorCode=REFUSED[TOPIC], HighWatermark=-1, Records=b""
                )
                for each in topic.Partitions
            ],
        )
        for topic in no
    ]
    return response


async def metadata(call: Call, request: messages.MetadataRequest, handler: Handler) -> Any:
    cls = messages.MetadataResponse.MetadataResponseTopic
    no: list[Any] = []
    if request.Topics is not None and (request.Topics or call.api_version > 0):
        yes, no = _split(call, Operation.DESCRIBE, request.Topics)
        if request.AllowAutoTopicCreation and not may_cluster(call, Operation.CREATE):
            known = call.broker.topics.by_name
            new = [topic for topic in yes if topic.Name and topic.Name not in known]
            barred = [topic for topic in new if not allowed(call, Operation.CREATE, TOPIC, topic.Name)]
            yes = [topic for topic in yes if topic not in barred]
            no += barred
        request.Topics = yes
        if not yes and call.api_version == 0:
            request.Topics = [messages.MetadataRequest.MetadataRequestTopic(Name="")]
    response = await run(call, request, handler)
    turn = Turn(call.broker.clock)
    if isinstance(response, Encoded):  # for all who may see all of it
        steps = decode_slowly(messages.MetadataResponse, call.api_version, response.body)
        response, _ = await in_turns(steps, turn)
        call.is_long = True
    is_whole = request.Topics is None or (call.api_version == 0 and not request.Topics)
    topics, response.Topics = response.Topics, []
    for topic in topics:
        if not is_whole or allowed(call, Operation.DESCRIBE, TOPIC, topic.Name or ""):
            response.Topics.append(topic)
        if turn.is_over():
            await turn.end()
    response.Topics += [
        cls(
            ErrorCode=ErrorCode.UNKNOWN_TOPIC_ID if not topic.Name else REFUSED[TOPIC],
            Name=topic.Name,
            TopicId=topic.TopicId,
        )
        for topic in no
    ]
    return response


async def create_topics(call: Call, request: messages.CreateTopicsRequest, handler: Handler) -> Any:
    if may_cluster(call, Operation.CREATE):
        return await run(call, request, handler)
    guard = topics_of(
        Operation.CREATE, "Topics", "Topics",
        lambda cls, topic, code: cls.CreatableTopicResult(
            Name=topic.Name, ErrorCode=code, ErrorMessage="Authorization failed."
        ),
    )  # fmt: skip
    return await guard(call, request, handler)


async def delete_topics(call: Call, request: messages.DeleteTopicsRequest, handler: Handler) -> Any:
    cls = messages.DeleteTopicsResponse.DeletableTopicResult
    yes, no = _split(call, Operation.DELETE, request.Topics)
    barred = [name for name in request.TopicNames if not allowed(call, Operation.DELETE, TOPIC, name)]
    request.Topics = yes
    request.TopicNames = [name for name in request.TopicNames if name not in barred]
    response = await run(call, request, handler)
    response.Responses += [
        cls(Name=name, ErrorCode=REFUSED[TOPIC])
        for name in (*barred, *(_name(call, topic, "Name") for topic in no))
    ]
    return response


def configs(operation: Operation, request_field: str, response_field: str, row_name: str) -> Guard:
    """Configurations: of brokers by the cluster's rules, of topics by their own."""

    async def guard(call: Call, request: Any, handler: Handler) -> Any:
        yes, no = [], []
        for resource in getattr(request, request_field):
            if resource.ResourceType == TOPIC_RESOURCE:
                may, code = allowed(call, operation, TOPIC, resource.ResourceName), REFUSED[TOPIC]
            else:
                may, code = may_cluster(call, operation), REFUSED[CLUSTER]
            if may:
                yes.append(resource)
            else:
                no.append((resource, code))
        setattr(request, request_field, yes)
        response = await run(call, request, handler)
        make = getattr(_response(call), row_name)
        rows = getattr(response, response_field)
        rows += [
            make(
                ErrorCode=code,
                ErrorMessage="Authorization failed.",
                ResourceType=each.ResourceType,
                ResourceName=each.ResourceName,
            )
            for each, code in no
        ]
        return response

    return guard


# --- groups


async def find_coordinator(call: Call, request: messages.FindCoordinatorRequest, handler: Handler) -> Any:
    kind = TRANSACTIONAL_ID if request.KeyType == 1 else GROUP
    if call.api_version < 4:
        if not allowed(call, Operation.DESCRIBE, kind, request.Key):
            return messages.FindCoordinatorResponse(ErrorCode=REFUSED[kind], NodeId=-1, Port=-1)
        return await run(call, request, handler)
    no = [key for key in request.CoordinatorKeys if not allowed(call, Operation.DESCRIBE, kind, key)]
    request.CoordinatorKeys = [key for key in request.CoordinatorKeys if key not in no]
    response = await run(call, request, handler)
    response.Coordinators += [
        messages.FindCoordinatorResponse.Coordinator(Key=key, NodeId=-1, Port=-1, ErrorCode=REFUSED[kind])
        for key in no
    ]
    return response


def groups_of(operation: Operation, request_field: str, response_field: str, row_name: str) -> Guard:
    """The groups of a request, refused one by one."""

    async def guard(call: Call, request: Any, handler: Handler) -> Any:
        names = getattr(request, request_field)
        no = [name for name in names if not allowed(call, operation, GROUP, name)]
        setattr(request, request_field, [name for name in names if name not in no])
        response = await run(call, request, handler)
        make = getattr(_response(call), row_name)
        rows = getattr(response, response_field)
        rows += [make(GroupId=name, ErrorCode=REFUSED[GROUP]) for name in no]
        return response

    return guard


async def list_groups(call: Call, request: Any, handler: Handler) -> Any:
    """Those that may be described; all of them for who may describe the cluster."""
    response = await run(call, request, handler)
    if not may_cluster(call, Operation.DESCRIBE):
        response.Groups = [
            row for row in response.Groups if allowed(call, Operation.DESCRIBE, GROUP, row.GroupId)
        ]
    return response


async def offset_fetch(call: Call, request: messages.OffsetFetchRequest, handler: Handler) -> Any:
    """The offsets of topics that may not be described are left out, or refused where they are named."""
    response_class = messages.OffsetFetchResponse
    if call.api_version < 8 and not allowed(call, Operation.DESCRIBE, GROUP, request.GroupId):
        return response_class(ErrorCode=REFUSED[GROUP])
    no = [group for group in request.Groups if not allowed(call, Operation.DESCRIBE, GROUP, group.GroupId)]
    request.Groups = [group for group in request.Groups if group not in no]
    response = await run(call, request, handler)
    for group in (response, *response.Groups):
        for topic in group.Topics:
            name = _name(call, topic, "Name")
            if name is not None and not allowed(call, Operation.DESCRIBE, TOPIC, name):
                for row in topic.Partitions:
                    row.CommittedOffset, row.CommittedLeaderEpoch = -1, -1
                    row.Metadata, row.ErrorCode = "", REFUSED[TOPIC]
    response.Groups += [
        response_class.OffsetFetchResponseGroup(GroupId=group.GroupId, ErrorCode=REFUSED[GROUP])
        for group in no
    ]
    return response


async def share_offsets(call: Call, request: Any, handler: Handler) -> Any:
    """The offsets of share groups, refused group by group."""
    no = [group for group in request.Groups if not allowed(call, Operation.DESCRIBE, GROUP, group.GroupId)]
    request.Groups = [group for group in request.Groups if group not in no]
    response = await run(call, request, handler)
    row_of = messages.DescribeShareGroupOffsetsResponse.DescribeShareGroupOffsetsResponseGroup
    response.Groups += [row_of(GroupId=group.GroupId, Topics=[], ErrorCode=REFUSED[GROUP]) for group in no]
    return response


def committing(response_class: Any, topic_row: str, partition_row: str, *, is_transactional: bool) -> Guard:
    """Commits of offsets: the group must be readable, and each topic."""

    def refused(topics: list[Any], code: ErrorCode) -> list[Any]:
        return [
            getattr(response_class, topic_row)(
                Name=topic.Name,
                Partitions=[
                    getattr(response_class, partition_row)(PartitionIndex=each.PartitionIndex, ErrorCode=code)
                    for each in topic.Partitions
                ],
            )
            for topic in topics
        ]

    async def guard(call: Call, request: Any, handler: Handler) -> Any:
        if is_transactional and not allowed(call, Operation.WRITE, TRANSACTIONAL_ID, request.TransactionalId):
            return response_class(Topics=refused(request.Topics, REFUSED[TRANSACTIONAL_ID]))
        if not allowed(call, Operation.READ, GROUP, request.GroupId):
            return response_class(Topics=refused(request.Topics, REFUSED[GROUP]))
        yes, no = _split(call, Operation.READ, request.Topics)
        if not no:
            return await run(call, request, handler)
        request.Topics = yes
        response = await run(call, request, handler)
        response.Topics += refused(no, REFUSED[TOPIC])
        return response

    return guard


# --- producers and transactions


async def init_producer_id(call: Call, request: messages.InitProducerIdRequest, handler: Handler) -> Any:
    code = None
    if request.TransactionalId is not None:
        if not allowed(call, Operation.WRITE, TRANSACTIONAL_ID, request.TransactionalId):
            code = REFUSED[TRANSACTIONAL_ID]
    elif not may_cluster(call, Operation.IDEMPOTENT_WRITE) and not allowed_some(call, Operation.WRITE, TOPIC):
        code = REFUSED[CLUSTER]
    if code is not None:
        return messages.InitProducerIdResponse(ErrorCode=code, ProducerId=-1, ProducerEpoch=-1)
    return await run(call, request, handler)


async def add_partitions(call: Call, request: messages.AddPartitionsToTxnRequest, handler: Handler) -> Any:
    cls = messages.AddPartitionsToTxnResponse
    if call.api_version >= 4:  # between brokers
        if may_cluster(call, Operation.CLUSTER_ACTION):
            return await run(call, request, handler)
        return cls(ErrorCode=REFUSED[CLUSTER])
    topics = request.V3AndBelowTopics
    code = None
    barred: list[Any] = []
    if not allowed(call, Operation.WRITE, TRANSACTIONAL_ID, request.V3AndBelowTransactionalId):
        code = REFUSED[TRANSACTIONAL_ID]
    else:
        _, barred = _split(call, Operation.WRITE, topics)
    if code is None and not barred:
        return await run(call, request, handler)

    def of(topic: Any) -> ErrorCode:
        if code is not None:
            return code
        return REFUSED[TOPIC] if topic in barred else ErrorCode.OPERATION_NOT_ATTEMPTED

    return cls(
        ResultsByTopicV3AndBelow=[
            cls.AddPartitionsToTxnTopicResult(
                Name=topic.Name,
                ResultsByPartition=[
                    cls.AddPartitionsToTxnPartitionResult(PartitionIndex=index, PartitionErrorCode=of(topic))
                    for index in topic.Partitions
                ],
            )
            for topic in topics
        ]
    )


async def describe_transactions(call: Call, request: Any, handler: Handler) -> Any:
    ids = request.TransactionalIds
    no = [each for each in ids if not allowed(call, Operation.DESCRIBE, TRANSACTIONAL_ID, each)]
    request.TransactionalIds = [each for each in ids if each not in no]
    response = await run(call, request, handler)
    cls = messages.DescribeTransactionsResponse.TransactionState
    response.TransactionStates += [
        cls(TransactionalId=each, ErrorCode=REFUSED[TRANSACTIONAL_ID]) for each in no
    ]
    return response


async def list_transactions(call: Call, request: Any, handler: Handler) -> Any:
    response = await run(call, request, handler)
    response.TransactionStates = [
        row
        for row in response.TransactionStates
        if allowed(call, Operation.DESCRIBE, TRANSACTIONAL_ID, row.TransactionalId)
    ]
    return response
