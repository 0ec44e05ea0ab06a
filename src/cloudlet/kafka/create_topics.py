"""CreateTopics, DeleteTopics and CreatePartitions: checked as Kafka's controller checks them.

State   none of its own: topics.py
Source  Apache Kafka 4.3: ControllerApis, ReplicationControlManager, their errors and texts
Absent  topic policies
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.configs import InvalidConfig, check_topic
from cloudlet.kafka.described_configs import topic_rows
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.mutation_quotas import MutationQuota
from cloudlet.kafka.topics import NO_ID, TopicImage, invalid_name
from cloudlet.kafka.turns import Turn
from cloudlet.kernel.fault import Conflict
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

if TYPE_CHECKING:
    from cloudlet.kafka.broker import Broker

METADATA_TOPIC = "__cluster_metadata"
PARTITIONS_MAX = 10_000  # of one request: the most records that Kafka's controller takes for one
CREATE_STRICT_SINCE, DELETE_STRICT_SINCE, GROW_STRICT_SINCE = 6, 5, 3  # KIP-599
UNKNOWN_TOPIC = "This server does not host this topic-partition."
UNKNOWN_ID = "This server does not host this topic ID."

Assignments = list[tuple[int, ...]]
Creatable = messages.CreateTopicsRequest.CreatableTopic
Config = messages.CreateTopicsRequest.CreatableTopicConfig
Created = messages.CreateTopicsResponse.CreatableTopicResult
Deleted = messages.DeleteTopicsResponse.DeletableTopicResult


def creation_of(
    broker: Broker, name: str, *, count: int = -1, configs: Mapping[str, str] | None = None
) -> tuple[Assignments, Mapping[str, str]]:
    """The replicas and properties of a topic that is made without CreateTopics; a count of -1 is the broker's
    default. KafkaFault where Kafka refuses it."""
    properties = [Config(Name=each, Value=value) for each, value in (configs or {}).items()]
    wanted = Creatable(
        Name=name, NumPartitions=count, ReplicationFactor=-1, Assignments=[], Configs=properties
    )
    return _check(broker, wanted)


def _check(broker: Broker, wanted: Creatable) -> tuple[Assignments, Mapping[str, str]]:
    """What is to be made of a topic's description; KafkaFault where Kafka refuses it."""
    why = invalid_name(wanted.Name)
    if why is not None:
        raise KafkaFault(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic name is invalid: {why}")
    if wanted.Name in broker.topics.by_name:
        raise KafkaFault(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{wanted.Name}' already exists.")
    clash = broker.topics.clash(wanted.Name)
    if clash is not None:
        raise KafkaFault(
            ErrorCode.INVALID_TOPIC_EXCEPTION,
            f"Topic '{wanted.Name}' collides with existing topic: {clash}",
        )
    configs = _configs(wanted)
    return _assignments(broker, wanted), configs


def _configs(wanted: Creatable) -> dict[str, str]:
    configs: dict[str, str] = {}
    for config in wanted.Configs:
        if config.Value is None:
            raise KafkaFault(
                ErrorCode.INVALID_CONFIG, f"Null value not supported for topic configs: {config.Name}"
            )
        configs[config.Name] = config.Value
    try:
        check_topic(configs)
    except InvalidConfig as error:
        raise KafkaFault(ErrorCode.INVALID_CONFIG, str(error)) from None
    return configs


def _assignments(broker: Broker, wanted: Creatable) -> Assignments:
    if wanted.Assignments:
        return _manual(broker, wanted)
    factor = wanted.ReplicationFactor
    if factor < -1 or factor == 0:
        raise KafkaFault(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        )
    count = wanted.NumPartitions
    if count < -1 or count == 0:
        raise KafkaFault(
            ErrorCode.INVALID_PARTITIONS,
            "Number of partitions was set to an invalid non-positive value.",
        )
    if count == -1:
        count = broker.configs.number("num.partitions")
    if factor == -1:
        factor = broker.configs.number("default.replication.factor")
    check_replicable(factor)
    check_count(count)
    return broker.spread(count)


def check_replicable(factor: int) -> None:
    """Raise KafkaFault for more replicas than there are brokers."""
    if factor > 1:
        raise KafkaFault(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"Unable to replicate the partition {factor} time(s): The target replication factor of {factor} "
            "cannot be reached because only 1 broker(s) are registered or some brokers have all their log "
            "directories cordoned.",
        )


def check_count(count: int) -> None:
    """Raise KafkaFault for more partitions than one request may make."""
    if count > PARTITIONS_MAX:
        raise KafkaFault(
            ErrorCode.POLICY_VIOLATION,
            f"Excessively large number of partitions per request. (Cannot create {count} partitions, "
            f"at most {PARTITIONS_MAX}.)",
        )


def _manual(broker: Broker, wanted: Creatable) -> Assignments:
    if wanted.ReplicationFactor != -1:
        raise KafkaFault(
            ErrorCode.INVALID_REQUEST,
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        )
    if wanted.NumPartitions != -1:
        raise KafkaFault(
            ErrorCode.INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        )
    found: dict[int, tuple[int, ...]] = {}
    factor: int | None = None
    for assignment in wanted.Assignments:
        if assignment.PartitionIndex in found:
            raise KafkaFault(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"Found multiple manual partition assignments for partition {assignment.PartitionIndex}",
            )
        check_assignment(broker, assignment.BrokerIds, factor)
        factor = len(assignment.BrokerIds)
        found[assignment.PartitionIndex] = tuple(assignment.BrokerIds)
    if set(found) != set(range(len(found))):
        raise KafkaFault(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            "partitions should be a consecutive 0-based integer sequence",
        )
    check_count(len(found))
    return [found[index] for index in range(len(found))]


def check_assignment(broker: Broker, replicas: Sequence[int], factor: int | None) -> None:
    """Raise KafkaFault for replicas that Kafka would not place; `factor` is how many those before had."""
    before = "The manual partition assignment includes"
    if not replicas:
        raise KafkaFault(ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"{before} an empty replica list.")
    previous: int | None = None
    for replica in sorted(replicas):
        if replica != broker.node_id:
            raise KafkaFault(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"{before} broker {replica}, but no such broker is registered.",
            )
        if replica == previous:
            raise KafkaFault(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"{before} the broker {replica} more than once."
            )
        previous = replica
    if factor is not None and len(replicas) != factor:
        raise KafkaFault(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"{before} a partition with {len(replicas)} replica(s), but this is not consistent with previous "
            f"partitions, which have {factor} replica(s).",
        )


async def create_topics(call: Call, request: messages.CreateTopicsRequest) -> messages.CreateTopicsResponse:
    """Make topics, each by itself: one that is refused does not hinder the others."""
    counts = Counter(topic.Name for topic in request.Topics)
    results: list[Created] = []
    quota = MutationQuota(call, CREATE_STRICT_SINCE)
    turn = Turn(call.broker.clock)
    for wanted in request.Topics:
        if turn.is_over():
            await turn.end()
        if counts[wanted.Name] > 1:
            continue
        try:
            results.append(await _create(call, wanted, quota, is_dry=request.validateOnly))
        except KafkaFault as fault:
            results.append(Created(Name=wanted.Name, ErrorCode=fault.code, ErrorMessage=fault.message))
        except Conflict:
            results.append(
                Created(
                    Name=wanted.Name,
                    ErrorCode=ErrorCode.TOPIC_ALREADY_EXISTS,
                    ErrorMessage=f"Topic '{wanted.Name}' already exists.",
                )
            )
    for name, count in counts.items():
        if count > 1:
            results.append(
                Created(Name=name, ErrorCode=ErrorCode.INVALID_REQUEST, ErrorMessage="Duplicate topic name.")
            )
    response = messages.CreateTopicsResponse(Topics=results)
    quota.tell(response)
    return response


async def _create(call: Call, wanted: Creatable, quota: MutationQuota, *, is_dry: bool) -> Created:
    broker = call.broker
    if wanted.Name == METADATA_TOPIC:
        raise KafkaFault(
            ErrorCode.INVALID_REQUEST, f"Creation of internal topic {METADATA_TOPIC} is prohibited."
        )
    assignments, configs = _check(broker, wanted)
    quota.take(len(assignments))
    topic_id = NO_ID
    if not is_dry:
        topic_id = (await broker.create_topic(wanted.Name, assignments, configs)).id
    cls = messages.CreateTopicsResponse.CreatableTopicConfigs
    return Created(
        Name=wanted.Name,
        TopicId=topic_id,
        ErrorMessage=None,
        NumPartitions=len(assignments),
        ReplicationFactor=len(assignments[0]),
        Configs=[
            cls(
                Name=row.name,
                Value=row.value,
                ReadOnly=row.is_read_only,
                ConfigSource=row.source,
                IsSensitive=row.is_sensitive,
            )
            for row in sorted(topic_rows(broker.configs, configs))
        ],
    )


async def delete_topics(call: Call, request: messages.DeleteTopicsRequest) -> messages.DeleteTopicsResponse:
    """Delete topics by name, or by id since version 6."""
    if not call.broker.configs.flag("delete.topic.enable"):
        return _deletion_disabled(call, request)
    results: list[Deleted] = []
    names: Counter[str] = Counter(request.TopicNames)
    ids: Counter[bytes] = Counter()
    for topic in request.Topics:
        if topic.Name is None and topic.TopicId == NO_ID:
            results.append(
                _refused(None, NO_ID, ErrorCode.INVALID_REQUEST, "Neither topic name nor id were specified.")
            )
        elif topic.Name is None:
            ids[topic.TopicId] += 1
        elif topic.TopicId == NO_ID:
            names[topic.Name] += 1
        else:
            results.append(
                _refused(
                    topic.Name,
                    topic.TopicId,
                    ErrorCode.INVALID_REQUEST,
                    "You may not specify both topic name and topic id.",
                )
            )
    turn = Turn(call.broker.clock)
    quota = MutationQuota(call, DELETE_STRICT_SINCE)
    for name, count in names.items():
        if turn.is_over():
            await turn.end()
        results.append(
            await _delete_by_name(call, name, quota)
            if count == 1
            else _refused(name, NO_ID, ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
        )
    for topic_id, count in ids.items():
        results.append(
            await _delete_by_id(call, topic_id, quota)
            if count == 1
            else _refused(None, topic_id, ErrorCode.INVALID_REQUEST, "Duplicate topic id.")
        )
    response = messages.DeleteTopicsResponse(Responses=results)
    quota.tell(response)
    return response


def _deletion_disabled(call: Call, request: messages.DeleteTopicsRequest) -> messages.DeleteTopicsResponse:
    code = ErrorCode.TOPIC_DELETION_DISABLED if call.api_version >= 3 else ErrorCode.INVALID_REQUEST
    wanted = [(name, NO_ID) for name in request.TopicNames]
    both = [*wanted, *((topic.Name, topic.TopicId) for topic in request.Topics)]
    return messages.DeleteTopicsResponse(
        Responses=[_refused(name, topic_id, code, "Topic deletion is disabled.") for name, topic_id in both]
    )


def _refused(name: str | None, topic_id: bytes, code: ErrorCode, message: str) -> Deleted:
    return Deleted(Name=name, TopicId=topic_id, ErrorCode=code, ErrorMessage=message)


async def _delete_by_name(call: Call, name: str, quota: MutationQuota) -> Deleted:
    image = call.broker.topics.by_name.get(name)
    if image is None:
        return _refused(name, NO_ID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC)
    return await _delete(call, image, quota)


async def _delete_by_id(call: Call, topic_id: bytes, quota: MutationQuota) -> Deleted:
    image = call.broker.topics.by_id.get(topic_id)
    if image is None:
        return _refused(None, topic_id, ErrorCode.UNKNOWN_TOPIC_ID, UNKNOWN_ID)
    return await _delete(call, image, quota)


async def _delete(call: Call, image: TopicImage, quota: MutationQuota) -> Deleted:
    try:
        quota.take(len(image.states))
    except KafkaFault as fault:
        return _refused(image.name, image.id, fault.code, fault.message)
    await call.broker.delete_topic(image)
    return Deleted(Name=image.name, TopicId=image.id)


async def create_partitions(
    call: Call, request: messages.CreatePartitionsRequest
) -> messages.CreatePartitionsResponse:
    """Let topics grow."""
    cls = messages.CreatePartitionsResponse.CreatePartitionsTopicResult
    counts = Counter(topic.Name for topic in request.Topics)
    results = [
        cls(Name=name, ErrorCode=ErrorCode.INVALID_REQUEST, ErrorMessage="Duplicate topic name.")
        for name, count in counts.items()
        if count > 1
    ]
    quota = MutationQuota(call, GROW_STRICT_SINCE)
    for topic in request.Topics:
        if counts[topic.Name] > 1:
            continue
        try:
            image, assignments = _growth(call.broker, topic)
            quota.take(len(assignments))
            if not request.ValidateOnly:
                await call.broker.topics.grow(image, assignments)
            results.append(cls(Name=topic.Name, ErrorMessage=None))
        except KafkaFault as fault:
            results.append(cls(Name=topic.Name, ErrorCode=fault.code, ErrorMessage=fault.message or None))
    response = messages.CreatePartitionsResponse(Results=results)
    quota.tell(response)
    return response


def _growth(
    broker: Broker, topic: messages.CreatePartitionsRequest.CreatePartitionsTopic
) -> tuple[TopicImage, Assignments]:
    image = broker.topics.by_name.get(topic.Name)
    if image is None:
        raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    have = len(image.states)
    if topic.Count == have:
        raise KafkaFault(ErrorCode.INVALID_PARTITIONS, f"Topic already has {have} partition(s).")
    if topic.Count < have:
        raise KafkaFault(
            ErrorCode.INVALID_PARTITIONS,
            f"The topic {topic.Name} currently has {have} partition(s); "
            f"{topic.Count} would not be an increase.",
        )
    additional = topic.Count - have
    check_count(additional)
    if topic.Assignments is None:
        return image, broker.spread(additional)
    if len(topic.Assignments) != additional:
        raise KafkaFault(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"Attempted to add {additional} additional partition(s), but only {len(topic.Assignments)} "
            "assignment(s) were specified.",
        )
    for assignment in topic.Assignments:
        check_assignment(broker, assignment.BrokerIds, len(image.states[0].replicas))
    return image, [tuple(assignment.BrokerIds) for assignment in topic.Assignments]


HANDLERS: dict[int, Handler] = {19: create_topics, 20: delete_topics, 37: create_partitions}
