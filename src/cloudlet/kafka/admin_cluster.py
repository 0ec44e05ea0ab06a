"""The cluster as an administrator sees it: its quorum, its brokers' registrations, its clients' telemetry.

State   none
Source  Apache Kafka 4.3: DescribeQuorum (KIP-595, KIP-836, KIP-853), UnregisterBroker (KIP-631), client
        telemetry (KIP-714)
Absent  metrics of clients are asked of nobody: a subscription asks for none, and what is pushed is refused

The quorum has one voter, this broker: what Kafka keeps in the log of its metadata stands here in keys, and
their revision is the offset.
"""

from __future__ import annotations

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.create_topics import METADATA_TOPIC, UNKNOWN_TOPIC
from cloudlet.kafka.topics import NO_ID
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

QUORUM_EPOCH = 1
NODES_SINCE = 2
PUSH_INTERVAL_MS = 300_000
CODECS = [4, 3, 1, 2]  # zstd, lz4, gzip, snappy: as Kafka prefers them
SUBSCRIPTION_ID = 0


def describe_quorum(call: Call, request: messages.DescribeQuorumRequest) -> messages.DescribeQuorumResponse:
    """The voters of the metadata's partition."""
    cls = messages.DescribeQuorumResponse
    topics: list[messages.DescribeQuorumResponse.TopicData] = []
    is_found = False
    for topic in request.Topics:
        rows: list[messages.DescribeQuorumResponse.PartitionData] = []
        for partition in topic.Partitions:
            if topic.TopicName == METADATA_TOPIC and partition.PartitionIndex == 0:
                is_found = True
                rows.append(_quorum(call))
            else:
                rows.append(
                    cls.PartitionData(
                        PartitionIndex=partition.PartitionIndex,
                        ErrorCode=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                        ErrorMessage=UNKNOWN_TOPIC,
                    )
                )
        topics.append(cls.TopicData(TopicName=topic.TopicName, Partitions=rows))
    response = cls(Topics=topics, ErrorMessage="")
    if is_found and call.api_version >= NODES_SINCE:
        host, port = call.broker.endpoint(call.peer)
        listener = cls.Listener(Name="CONTROLLER", Host=host, Port=port)
        response.Nodes = [cls.Node(NodeId=call.broker.node_id, Listeners=[listener])]
    return response


def _quorum(call: Call) -> messages.DescribeQuorumResponse.PartitionData:
    cls = messages.DescribeQuorumResponse
    broker = call.broker
    now_ms = broker.clock.wall_ms()
    revision = broker.keys.head
    return cls.PartitionData(
        PartitionIndex=0,
        ErrorMessage="",
        LeaderId=broker.node_id,
        LeaderEpoch=QUORUM_EPOCH,
        HighWatermark=revision,
        CurrentVoters=[
            cls.ReplicaState(
                ReplicaId=broker.node_id,
                LogEndOffset=revision,
                LastFetchTimestamp=now_ms,
                LastCaughtUpTimestamp=now_ms,
            )
        ],
        Observers=[],
    )


def unregister_broker(
    call: Call, request: messages.UnregisterBrokerRequest
) -> messages.UnregisterBrokerResponse:
    """Forget a broker's registration; the one that there is, is in use."""
    if request.BrokerId == call.broker.node_id:
        return messages.UnregisterBrokerResponse(
            ErrorCode=ErrorCode.INVALID_REQUEST,
            ErrorMessage=f"Broker {request.BrokerId} runs: it is registered as long as it does.",
        )
    return messages.UnregisterBrokerResponse(
        ErrorCode=ErrorCode.BROKER_ID_NOT_REGISTERED,
        ErrorMessage=f"Broker ID {request.BrokerId} is not currently registered",
    )


def telemetry_subscriptions(
    call: Call, request: messages.GetTelemetrySubscriptionsRequest
) -> messages.GetTelemetrySubscriptionsResponse:
    """No metric is wanted: clients then push nothing."""
    instance = request.ClientInstanceId
    return messages.GetTelemetrySubscriptionsResponse(
        ClientInstanceId=call.broker.ids.token(16) if instance == NO_ID else instance,
        SubscriptionId=SUBSCRIPTION_ID,
        AcceptedCompressionTypes=CODECS,
        PushIntervalMs=PUSH_INTERVAL_MS,
        TelemetryMaxBytes=call.broker.configs.number("telemetry.max.bytes"),
        DeltaTemporality=True,
        RequestedMetrics=[],
    )


def push_telemetry(call: Call, request: messages.PushTelemetryRequest) -> messages.PushTelemetryResponse:
    """Refused: nothing was asked for."""
    return messages.PushTelemetryResponse(ErrorCode=ErrorCode.UNKNOWN_SUBSCRIPTION_ID)


HANDLERS: dict[int, Handler] = {
    55: describe_quorum,
    64: unregister_broker,
    71: telemetry_subscriptions,
    72: push_telemetry,
}
