"""What administrators ask of replicas: log folders, elections, reassignments, producers.

State   none of its own: topics.py, partition.py
Source  Apache Kafka 4.3: ReplicationControlManager (elections, KIP-460; reassignments, KIP-455),
        ReplicaManager.describeLogDirs (KIP-827), alterReplicaLogDirs (KIP-113), describeProducers (KIP-664)
Absent  a second broker to elect or reassign to; a second log folder to move to: what names one is refused as
        Kafka refuses an unknown one
"""

from __future__ import annotations

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.create_topics import UNKNOWN_TOPIC, check_assignment
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.topics import TopicImage
from cloudlet.kafka.turns import Turn
from cloudlet.kernel.fault import StoreError
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

PREFERRED, UNCLEAN = 0, 1
NOT_NEEDED = "Leader election not needed for topic partition."

Elected = messages.ElectLeadersResponse.PartitionResult


async def describe_log_dirs(
    call: Call, request: messages.DescribeLogDirsRequest
) -> messages.DescribeLogDirsResponse:
    """The one log folder, with the sizes of the partitions in it."""
    broker = call.broker
    cls = messages.DescribeLogDirsResponse
    wanted: list[tuple[TopicImage, list[int]]] = []
    if request.Topics is None:
        wanted = [(image, list(range(len(image.states)))) for image in broker.topics.by_name.values()]
    else:
        for topic in request.Topics:
            image = broker.topics.by_name.get(topic.Topic)
            if image is not None:
                wanted.append((image, [one for one in topic.Partitions if 0 <= one < len(image.states)]))
    topics: list[messages.DescribeLogDirsResponse.DescribeLogDirsTopic] = []
    turn = Turn(broker.clock)
    for image, indexes in wanted:
        rows: list[messages.DescribeLogDirsResponse.DescribeLogDirsPartition] = []
        for index in indexes:
            rows.append(
                cls.DescribeLogDirsPartition(PartitionIndex=index, PartitionSize=broker.size(image, index))
            )
            if turn.is_over():
                await turn.end()
        if rows:
            topics.append(cls.DescribeLogDirsTopic(Name=image.name, Partitions=rows))
    total, usable = broker.disk_bytes()
    result = cls.DescribeLogDirsResult(
        LogDir=broker.log_dir, Topics=topics, TotalBytes=total, UsableBytes=usable
    )
    call.is_long = True
    return cls(Results=[result])


def alter_replica_log_dirs(
    call: Call, request: messages.AlterReplicaLogDirsRequest
) -> messages.AlterReplicaLogDirsResponse:
    """Move replicas to a log folder: there is one, where they are."""
    cls = messages.AlterReplicaLogDirsResponse
    rows: dict[str, list[messages.AlterReplicaLogDirsResponse.AlterReplicaLogDirPartitionResult]] = {}
    for folder in request.Dirs:
        for topic in folder.Topics:
            image = call.broker.topics.by_name.get(topic.Name)
            for index in topic.Partitions:
                code = ErrorCode.NONE
                if folder.Path != call.broker.log_dir:
                    code = ErrorCode.LOG_DIR_NOT_FOUND
                elif image is None or not 0 <= index < len(image.states):
                    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                rows.setdefault(topic.Name, []).append(
                    cls.AlterReplicaLogDirPartitionResult(PartitionIndex=index, ErrorCode=code)
                )
    return cls(
        Results=[
            cls.AlterReplicaLogDirTopicResult(TopicName=name, Partitions=partitions)
            for name, partitions in rows.items()
        ]
    )


def elect_leaders(call: Call, request: messages.ElectLeadersRequest) -> messages.ElectLeadersResponse:
    """Elect the preferred, or any, replica: the one that there is leads already."""
    cls = messages.ElectLeadersResponse
    topics = call.broker.topics
    if request.TopicPartitions is None:  # Kafka tells then only of those whose election was needed
        return cls(
            ReplicaElectionResults=[
                cls.ReplicaElectionResult(Topic=name, PartitionResult=[]) for name in topics.by_name
            ]
        )
    is_known = request.ElectionType in (PREFERRED, UNCLEAN)
    results: list[messages.ElectLeadersResponse.ReplicaElectionResult] = []
    for topic in request.TopicPartitions:
        image = topics.by_name.get(topic.Topic)
        rows = [
            _elected(topic.Topic, image, index)
            if is_known
            else Elected(
                PartitionId=index,
                ErrorCode=ErrorCode.INVALID_REQUEST,
                ErrorMessage=f"Unknown election type {request.ElectionType}",
            )
            for index in topic.Partitions
        ]
        results.append(cls.ReplicaElectionResult(Topic=topic.Topic, PartitionResult=rows))
    code = ErrorCode.NONE if is_known else ErrorCode.INVALID_REQUEST
    return cls(ErrorCode=code, ReplicaElectionResults=results)


def _elected(name: str, image: TopicImage | None, index: int) -> Elected:
    code, message = ErrorCode.ELECTION_NOT_NEEDED, NOT_NEEDED
    if image is None:
        code, message = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {name}"
    elif not 0 <= index < len(image.states):
        code, message = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {name}-{index}"
    return Elected(PartitionId=index, ErrorCode=code, ErrorMessage=message)


def alter_partition_reassignments(
    call: Call, request: messages.AlterPartitionReassignmentsRequest
) -> messages.AlterPartitionReassignmentsResponse:
    """Reassign partitions to the broker that has them, which is done at once."""
    cls = messages.AlterPartitionReassignmentsResponse
    responses: list[messages.AlterPartitionReassignmentsResponse.ReassignableTopicResponse] = []
    for topic in request.Topics:
        rows: list[messages.AlterPartitionReassignmentsResponse.ReassignablePartitionResponse] = []
        for partition in topic.Partitions:
            row = cls.ReassignablePartitionResponse(
                PartitionIndex=partition.PartitionIndex, ErrorMessage=None
            )
            rows.append(row)
            try:
                _check_reassignment(call, topic.Name, partition)
            except KafkaFault as fault:
                row.ErrorCode, row.ErrorMessage = fault.code, fault.message or None
        responses.append(cls.ReassignableTopicResponse(Name=topic.Name, Partitions=rows))
    return cls(
        AllowReplicationFactorChange=request.AllowReplicationFactorChange,
        ErrorMessage=None,
        Responses=responses,
    )


def _check_reassignment(
    call: Call, name: str, partition: messages.AlterPartitionReassignmentsRequest.ReassignablePartition
) -> None:
    image = call.broker.topics.by_name.get(name)
    if image is None:
        raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find a topic named {name}.")
    index = partition.PartitionIndex
    if not 0 <= index < len(image.states):
        raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find partition {name}:{index}.")
    if partition.Replicas is None:  # to take a reassignment back that is under way
        raise KafkaFault(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS)
    check_assignment(call.broker, partition.Replicas, None)


def list_partition_reassignments(
    call: Call, request: messages.ListPartitionReassignmentsRequest
) -> messages.ListPartitionReassignmentsResponse:
    """The reassignments under way: none ever is, with one broker."""
    return messages.ListPartitionReassignmentsResponse(ErrorMessage=None, Topics=[])


def describe_producers(
    call: Call, request: messages.DescribeProducersRequest
) -> messages.DescribeProducersResponse:
    """The producers that each partition remembers."""
    cls = messages.DescribeProducersResponse
    topics: list[messages.DescribeProducersResponse.TopicResponse] = []
    for topic in request.Topics:
        rows: list[messages.DescribeProducersResponse.PartitionResponse] = []
        for index in topic.PartitionIndexes:
            row = cls.PartitionResponse(PartitionIndex=index)
            rows.append(row)
            try:
                producers = call.broker.partition(topic.Name, index).describe_producers()
            except KafkaFault as fault:
                row.ErrorCode = fault.code
                if topic.Name not in call.broker.topics.by_name:
                    row.ErrorMessage = UNKNOWN_TOPIC
                continue
            except StoreError:
                row.ErrorCode = ErrorCode.KAFKA_STORAGE_ERROR
                continue
            row.ActiveProducers = [
                cls.ProducerState(
                    ProducerId=producer.id,
                    ProducerEpoch=producer.epoch,
                    LastSequence=producer.last_sequence,
                    LastTimestamp=producer.last_ms,
                    CoordinatorEpoch=producer.coordinator_epoch,
                    CurrentTxnStartOffset=producer.transaction_start,
                )
                for producer in producers
            ]
        topics.append(cls.TopicResponse(Name=topic.Name, Partitions=rows))
    return cls(Topics=topics)


HANDLERS: dict[int, Handler] = {
    34: alter_replica_log_dirs,
    35: describe_log_dirs,
    43: elect_leaders,
    45: alter_partition_reassignments,
    46: list_partition_reassignments,
    61: describe_producers,
}
