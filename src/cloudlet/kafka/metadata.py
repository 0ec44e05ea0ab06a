"""Metadata, DescribeTopicPartitions and DescribeCluster: where topics and brokers are.

State   none kept; encoded responses in memory, good for one epoch of the topics
Source  Apache Kafka 4.3: MetadataRequest, KafkaApis, DescribeTopicPartitionsRequestHandler (KIP-966), KIP-700
Absent  fenced brokers
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudlet.kafka.call import Call, Encoded, Handler
from cloudlet.kafka.create_topics import creation_of
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.long_answers import rows
from cloudlet.kafka.permissions import (
    CLUSTER_OPERATIONS,
    NO_OPERATIONS,
    TOPIC_OPERATIONS,
)
from cloudlet.kafka.topics import INTERNAL_TOPICS, NO_ID, PartitionState, TopicImage, invalid_name
from cloudlet.kafka.turns import Turn, in_turns
from cloudlet.kernel.fault import Conflict
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.codec import encode_slowly
from cloudlet.wire.kafka.error_codes import ErrorCode

CACHE_ENTRIES_MAX = 64
CACHED_TOPICS_MAX = 8  # of a request by names; longer lists differ from client to client
BROKER_ENDPOINT = 1  # KIP-919

Response = messages.MetadataResponse
TopicRow = messages.MetadataResponse.MetadataResponseTopic
PartitionRow = messages.MetadataResponse.MetadataResponsePartition


class MetadataCache:
    """Encoded responses of one epoch of the topics."""

    def __init__(self, broker: object) -> None:
        self._epoch = -1
        self._bodies: dict[tuple[object, ...], bytes] = {}

    def start(self) -> None:
        """Nothing runs by itself."""

    async def close(self) -> None:
        self._bodies.clear()

    def find(self, epoch: int, key: tuple[object, ...]) -> bytes | None:
        """The body that was encoded for this epoch."""
        if epoch != self._epoch:
            self._bodies.clear()
            self._epoch = epoch
        return self._bodies.get(key)

    def keep(self, epoch: int, key: tuple[object, ...], body: bytes) -> None:
        """Remember a body; the oldest goes."""
        if epoch == self._epoch:
            while len(self._bodies) >= CACHE_ENTRIES_MAX:
                del self._bodies[next(iter(self._bodies))]
            self._bodies[key] = body


async def metadata(call: Call, request: messages.MetadataRequest) -> Encoded | Response:
    """Brokers and topics; topics that are wanted and not there are made, where client and broker allow it."""
    key = _cache_key(call, request)
    cache = call.broker.part(MetadataCache)
    epoch = call.broker.topics.epoch
    body = cache.find(epoch, key) if key is not None else None
    if body is not None:
        return Encoded(body)
    host, port = call.broker.endpoint(call.peer)
    response = Response(
        Brokers=[
            Response.MetadataResponseBroker(
                NodeId=call.broker.node_id, Host=host, Port=port, Rack=_rack(call)
            )
        ],
        ClusterId=call.broker.cluster_id,
        ControllerId=call.broker.node_id,
    )
    if request.IncludeClusterAuthorizedOperations:
        response.ClusterAuthorizedOperations = CLUSTER_OPERATIONS
    operations = TOPIC_OPERATIONS if request.IncludeTopicAuthorizedOperations else NO_OPERATIONS
    found = await _found(call, request, operations)
    is_kept = key is not None and not any(isinstance(each, TopicRow) for each in found)
    response.Topics = rows(
        found, lambda each: each if isinstance(each, TopicRow) else row_of(each, operations)
    )
    if is_kept:
        assert key is not None
        parts = await in_turns(encode_slowly(response, call.api_version), Turn(call.broker.clock))
        body = b"".join(parts)
        cache.keep(epoch, key, body)
        return Encoded(body)
    call.is_long = True
    return response


def _cache_key(call: Call, request: messages.MetadataRequest) -> tuple[object, ...] | None:
    wanted: tuple[object, ...] | None = None
    if request.Topics is not None and (request.Topics or call.api_version > 0):
        if len(request.Topics) > CACHED_TOPICS_MAX:
            return None
        wanted = tuple((topic.Name, topic.TopicId) for topic in request.Topics)
    return (
        call.api_version,
        call.broker.endpoint(call.peer),
        request.IncludeTopicAuthorizedOperations,
        request.IncludeClusterAuthorizedOperations,
        wanted,
    )


def _rack(call: Call) -> str | None:
    return call.broker.configs.text("broker.rack")


async def _found(
    call: Call, request: messages.MetadataRequest, operations: int
) -> Sequence[TopicImage | TopicRow]:
    """The topics that are asked for; a row says what is wrong with one, or that it has just been made."""
    topics = call.broker.topics
    if request.Topics is None or (not request.Topics and call.api_version == 0):
        return list(topics.by_name.values())
    found: list[TopicImage | TopicRow] = []
    for wanted in request.Topics:
        image: TopicImage | TopicRow | None
        if wanted.Name is None:
            image = topics.by_id.get(wanted.TopicId)
            if image is None:
                image = TopicRow(ErrorCode=ErrorCode.UNKNOWN_TOPIC_ID, Name=None, TopicId=wanted.TopicId)
        else:
            image = topics.by_name.get(wanted.Name)
            if image is None:
                image = await _missing(call, wanted.Name, request.AllowAutoTopicCreation, operations)
        found.append(image)
    return found


async def _missing(call: Call, name: str, is_allowed: bool, operations: int) -> TopicRow:  # noqa: FBT001
    """The row of a topic that is not there; it is made first where that is allowed."""
    broker = call.broker
    if invalid_name(name) is not None:
        return _error_row(name, ErrorCode.INVALID_TOPIC_EXCEPTION)
    if not is_allowed or not broker.configs.flag("auto.create.topics.enable"):
        return _error_row(name, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    try:
        if name in INTERNAL_TOPICS:
            image = await broker.internal_topic(name)
        else:
            assignments, configs = creation_of(broker, name)
            image = await broker.create_topic(name, assignments, configs)
    except KafkaFault as fault:
        return _error_row(name, fault.code)
    except Conflict:
        found = broker.topics.by_name.get(name)
        if found is None:
            return _error_row(name, ErrorCode.LEADER_NOT_AVAILABLE)
        image = found
    return row_of(image, operations)


def _error_row(name: str, code: ErrorCode) -> TopicRow:
    return TopicRow(ErrorCode=code, Name=name, TopicId=NO_ID, IsInternal=name in INTERNAL_TOPICS)


def row_of(image: TopicImage, operations: int) -> TopicRow:
    """A topic as Metadata tells of it; its partitions' rows are made as they are written."""
    return TopicRow(
        ErrorCode=0,
        Name=image.name,
        TopicId=image.id,
        IsInternal=image.is_internal,
        Partitions=rows(range(len(image.states)), lambda index: _partition_row(index, image.states[index])),
        TopicAuthorizedOperations=operations,
    )


def _partition_row(index: int, state: PartitionState) -> PartitionRow:
    return PartitionRow(
        ErrorCode=0 if state.leader >= 0 else ErrorCode.LEADER_NOT_AVAILABLE,
        PartitionIndex=index,
        LeaderId=state.leader,
        LeaderEpoch=state.leader_epoch,
        ReplicaNodes=list(state.replicas),
        IsrNodes=list(state.isr),
        OfflineReplicas=[],
    )


def describe_topic_partitions(
    call: Call, request: messages.DescribeTopicPartitionsRequest
) -> messages.DescribeTopicPartitionsResponse:
    """Topics page by page, in the order of their names."""
    cls = messages.DescribeTopicPartitionsResponse
    topics = call.broker.topics
    cursor = request.Cursor
    names = sorted({topic.Name for topic in request.Topics}) if request.Topics else sorted(topics.by_name)
    start = 0
    if cursor is not None:
        if cursor.PartitionIndex < 0:
            raise KafkaFault(
                ErrorCode.INVALID_REQUEST,
                "DescribeTopicPartitionsRequest cursor partition must be valid: "
                f"{cursor.TopicName}-{cursor.PartitionIndex}",
            )
        names = [name for name in names if name >= cursor.TopicName]
        start = cursor.PartitionIndex if names and names[0] == cursor.TopicName else 0
    limit = call.broker.configs.number("max.request.partition.size.limit")
    left = max(min(request.ResponsePartitionLimit, limit), 1)
    response = cls(Topics=[], NextCursor=None)
    for name in names:
        if left == 0:
            response.NextCursor = cls.Cursor(TopicName=name, PartitionIndex=start)
            break
        image = topics.by_name.get(name)
        if image is None:
            code = (
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                if invalid_name(name) is None
                else ErrorCode.INVALID_TOPIC_EXCEPTION
            )
            response.Topics.append(
                cls.DescribeTopicPartitionsResponseTopic(ErrorCode=code, Name=name, TopicId=NO_ID)
            )
            continue
        stop = min(start + left, len(image.states))
        response.Topics.append(_described(image, start, stop))
        left -= stop - start
        if stop < len(image.states):
            response.NextCursor = cls.Cursor(TopicName=name, PartitionIndex=stop)
            break
        start = 0
    call.is_long = True
    return response


def _described(
    image: TopicImage, start: int, stop: int
) -> messages.DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponseTopic:
    cls = messages.DescribeTopicPartitionsResponse
    return cls.DescribeTopicPartitionsResponseTopic(
        Name=image.name,
        TopicId=image.id,
        IsInternal=image.is_internal,
        Partitions=rows(range(start, stop), lambda index: _described_partition(index, image.states[index])),
        TopicAuthorizedOperations=TOPIC_OPERATIONS,
    )


def _described_partition(
    index: int, state: PartitionState
) -> messages.DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponsePartition:
    return messages.DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponsePartition(
        ErrorCode=0 if state.leader >= 0 else ErrorCode.LEADER_NOT_AVAILABLE,
        PartitionIndex=index,
        LeaderId=state.leader,
        LeaderEpoch=state.leader_epoch,
        ReplicaNodes=list(state.replicas),
        IsrNodes=list(state.isr),
        EligibleLeaderReplicas=[],
        LastKnownElr=[],
        OfflineReplicas=[],
    )


def describe_cluster(
    call: Call, request: messages.DescribeClusterRequest
) -> messages.DescribeClusterResponse:
    """The cluster and its brokers."""
    cls = messages.DescribeClusterResponse
    if request.EndpointType != BROKER_ENDPOINT:
        return cls(
            ErrorCode=ErrorCode.MISMATCHED_ENDPOINT_TYPE,
            ErrorMessage="The request was sent to an endpoint of type BROKER, but we wanted an endpoint of "
            f"type {'CONTROLLER' if request.EndpointType == 2 else 'UNKNOWN'}",
        )
    host, port = call.broker.endpoint(call.peer)
    broker = cls.DescribeClusterBroker(BrokerId=call.broker.node_id, Host=host, Port=port, Rack=_rack(call))
    return cls(
        EndpointType=BROKER_ENDPOINT,
        ClusterId=call.broker.cluster_id,
        ControllerId=call.broker.node_id,
        Brokers=[broker],
        ClusterAuthorizedOperations=(
            CLUSTER_OPERATIONS if request.IncludeClusterAuthorizedOperations else NO_OPERATIONS
        ),
    )


HANDLERS: dict[int, Handler] = {3: metadata, 60: describe_cluster, 75: describe_topic_partitions}
