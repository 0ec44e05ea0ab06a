"""Written by tools/kafka_stubs.py; see messages.py."""

from cloudlet.wire.kafka.classes import Message

class ProduceRequest(Message):
    class PartitionProduceData(Message):
        Index: int
        Records: bytes | memoryview | None
        def __init__(
            self,
            *,
            Index: int = ...,
            Records: bytes | memoryview | None = ...,
        ) -> None: ...
    class TopicProduceData(Message):
        Name: str
        TopicId: bytes
        PartitionData: list[ProduceRequest.PartitionProduceData]
        def __init__(
            self,
            *,
            Name: str = ...,
            TopicId: bytes = ...,
            PartitionData: list[ProduceRequest.PartitionProduceData] = ...,
        ) -> None: ...
    TransactionalId: str | None
    Acks: int
    TimeoutMs: int
    TopicData: list[ProduceRequest.TopicProduceData]
    def __init__(
        self,
        *,
        TransactionalId: str | None = ...,
        Acks: int = ...,
        TimeoutMs: int = ...,
        TopicData: list[ProduceRequest.TopicProduceData] = ...,
    ) -> None: ...

class ProduceResponse(Message):
    class BatchIndexAndErrorMessage(Message):
        BatchIndex: int
        BatchIndexErrorMessage: str | None
        def __init__(
            self,
            *,
            BatchIndex: int = ...,
            BatchIndexErrorMessage: str | None = ...,
        ) -> None: ...
    class LeaderIdAndEpoch(Message):
        LeaderId: int
        LeaderEpoch: int
        def __init__(
            self,
            *,
            LeaderId: int = ...,
            LeaderEpoch: int = ...,
        ) -> None: ...
    class PartitionProduceResponse(Message):
        Index: int
        ErrorCode: int
        BaseOffset: int
        LogAppendTimeMs: int
        LogStartOffset: int
        RecordErrors: list[ProduceResponse.BatchIndexAndErrorMessage]
        ErrorMessage: str | None
        CurrentLeader: ProduceResponse.LeaderIdAndEpoch | None
        def __init__(
            self,
            *,
            Index: int = ...,
            ErrorCode: int = ...,
            BaseOffset: int = ...,
            LogAppendTimeMs: int = ...,
            LogStartOffset: int = ...,
            RecordErrors: list[ProduceResponse.BatchIndexAndErrorMessage] = ...,
            ErrorMessage: str | None = ...,
            CurrentLeader: ProduceResponse.LeaderIdAndEpoch | None = ...,
        ) -> None: ...
    class TopicProduceResponse(Message):
        Name: str
        TopicId: bytes
        PartitionResponses: list[ProduceResponse.PartitionProduceResponse]
        def __init__(
            self,
            *,
            Name: str = ...,
            TopicId: bytes = ...,
            PartitionResponses: list[ProduceResponse.PartitionProduceResponse] = ...,
        ) -> None: ...
    class NodeEndpoint(Message):
        NodeId: int
        Host: str
        Port: int
        Rack: str | None
        def __init__(
            self,
            *,
            NodeId: int = ...,
            Host: str = ...,
            Port: int = ...,
            Rack: str | None = ...,
        ) -> None: ...
    Responses: list[ProduceResponse.TopicProduceResponse]
    ThrottleTimeMs: int
    NodeEndpoints: list[ProduceResponse.NodeEndpoint]
    def __init__(
        self,
        *,
        Responses: list[ProduceResponse.TopicProduceResponse] = ...,
        ThrottleTimeMs: int = ...,
        NodeEndpoints: list[ProduceResponse.NodeEndpoint] = ...,
    ) -> None: ...

class FetchRequest(Message):
    class ReplicaState_(Message):
        ReplicaId: int
        ReplicaEpoch: int
        def __init__(
            self,
            *,
            ReplicaId: int = ...,
            ReplicaEpoch: int = ...,
        ) -> None: ...
    class FetchPartition(Message):
        Partition: int
        CurrentLeaderEpoch: int
        FetchOffset: int
        LastFetchedEpoch: int
        LogStartOffset: int
        PartitionMaxBytes: int
        ReplicaDirectoryId: bytes
        HighWatermark: int
        def __init__(
            self,
            *,
            Partition: int = ...,
            CurrentLeaderEpoch: int = ...,
            FetchOffset: int = ...,
            LastFetchedEpoch: int = ...,
            LogStartOffset: int = ...,
            PartitionMaxBytes: int = ...,
            ReplicaDirectoryId: bytes = ...,
            HighWatermark: int = ...,
        ) -> None: ...
    class FetchTopic(Message):
        Topic: str
        TopicId: bytes
        Partitions: list[FetchRequest.FetchPartition]
        def __init__(
            self,
            *,
            Topic: str = ...,
            TopicId: bytes = ...,
            Partitions: list[FetchRequest.FetchPartition] = ...,
        ) -> None: ...
    class ForgottenTopic(Message):
        Topic: str
        TopicId: bytes
        Partitions: list[int]
        def __init__(
            self,
            *,
            Topic: str = ...,
            TopicId: bytes = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    ClusterId: str | None
    ReplicaId: int
    ReplicaState: FetchRequest.ReplicaState_ | None
    MaxWaitMs: int
    MinBytes: int
    MaxBytes: int
    IsolationLevel: int
    SessionId: int
    SessionEpoch: int
    Topics: list[FetchRequest.FetchTopic]
    ForgottenTopicsData: list[FetchRequest.ForgottenTopic]
    RackId: str
    def __init__(
        self,
        *,
        ClusterId: str | None = ...,
        ReplicaId: int = ...,
        ReplicaState: FetchRequest.ReplicaState_ | None = ...,
        MaxWaitMs: int = ...,
        MinBytes: int = ...,
        MaxBytes: int = ...,
        IsolationLevel: int = ...,
        SessionId: int = ...,
        SessionEpoch: int = ...,
        Topics: list[FetchRequest.FetchTopic] = ...,
        ForgottenTopicsData: list[FetchRequest.ForgottenTopic] = ...,
        RackId: str = ...,
    ) -> None: ...

class FetchResponse(Message):
    class EpochEndOffset(Message):
        Epoch: int
        EndOffset: int
        def __init__(
            self,
            *,
            Epoch: int = ...,
            EndOffset: int = ...,
        ) -> None: ...
    class LeaderIdAndEpoch(Message):
        LeaderId: int
        LeaderEpoch: int
        def __init__(
            self,
            *,
            LeaderId: int = ...,
            LeaderEpoch: int = ...,
        ) -> None: ...
    class SnapshotId(Message):
        EndOffset: int
        Epoch: int
        def __init__(
            self,
            *,
            EndOffset: int = ...,
            Epoch: int = ...,
        ) -> None: ...
    class AbortedTransaction(Message):
        ProducerId: int
        FirstOffset: int
        def __init__(
            self,
            *,
            ProducerId: int = ...,
            FirstOffset: int = ...,
        ) -> None: ...
    class PartitionData(Message):
        PartitionIndex: int
        ErrorCode: int
        HighWatermark: int
        LastStableOffset: int
        LogStartOffset: int
        DivergingEpoch: FetchResponse.EpochEndOffset | None
        CurrentLeader: FetchResponse.LeaderIdAndEpoch | None
        SnapshotId: FetchResponse.SnapshotId | None
        AbortedTransactions: list[FetchResponse.AbortedTransaction] | None
        PreferredReadReplica: int
        Records: bytes | memoryview | None
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
            HighWatermark: int = ...,
            LastStableOffset: int = ...,
            LogStartOffset: int = ...,
            DivergingEpoch: FetchResponse.EpochEndOffset | None = ...,
            CurrentLeader: FetchResponse.LeaderIdAndEpoch | None = ...,
            SnapshotId: FetchResponse.SnapshotId | None = ...,
            AbortedTransactions: list[FetchResponse.AbortedTransaction] | None = ...,
            PreferredReadReplica: int = ...,
            Records: bytes | memoryview | None = ...,
        ) -> None: ...
    class FetchableTopicResponse(Message):
        Topic: str
        TopicId: bytes
        Partitions: list[FetchResponse.PartitionData]
        def __init__(
            self,
            *,
            Topic: str = ...,
            TopicId: bytes = ...,
            Partitions: list[FetchResponse.PartitionData] = ...,
        ) -> None: ...
    class NodeEndpoint(Message):
        NodeId: int
        Host: str
        Port: int
        Rack: str | None
        def __init__(
            self,
            *,
            NodeId: int = ...,
            Host: str = ...,
            Port: int = ...,
            Rack: str | None = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    SessionId: int
    Responses: list[FetchResponse.FetchableTopicResponse]
    NodeEndpoints: list[FetchResponse.NodeEndpoint]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        SessionId: int = ...,
        Responses: list[FetchResponse.FetchableTopicResponse] = ...,
        NodeEndpoints: list[FetchResponse.NodeEndpoint] = ...,
    ) -> None: ...

class ListOffsetsRequest(Message):
    class ListOffsetsPartition(Message):
        PartitionIndex: int
        CurrentLeaderEpoch: int
        Timestamp: int
        MaxNumOffsets: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            CurrentLeaderEpoch: int = ...,
            Timestamp: int = ...,
            MaxNumOffsets: int = ...,
        ) -> None: ...
    class ListOffsetsTopic(Message):
        Name: str
        Partitions: list[ListOffsetsRequest.ListOffsetsPartition]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[ListOffsetsRequest.ListOffsetsPartition] = ...,
        ) -> None: ...
    ReplicaId: int
    IsolationLevel: int
    Topics: list[ListOffsetsRequest.ListOffsetsTopic]
    TimeoutMs: int
    def __init__(
        self,
        *,
        ReplicaId: int = ...,
        IsolationLevel: int = ...,
        Topics: list[ListOffsetsRequest.ListOffsetsTopic] = ...,
        TimeoutMs: int = ...,
    ) -> None: ...

class ListOffsetsResponse(Message):
    class ListOffsetsPartitionResponse(Message):
        PartitionIndex: int
        ErrorCode: int
        OldStyleOffsets: list[int]
        Timestamp: int
        Offset: int
        LeaderEpoch: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
            OldStyleOffsets: list[int] = ...,
            Timestamp: int = ...,
            Offset: int = ...,
            LeaderEpoch: int = ...,
        ) -> None: ...
    class ListOffsetsTopicResponse(Message):
        Name: str
        Partitions: list[ListOffsetsResponse.ListOffsetsPartitionResponse]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[ListOffsetsResponse.ListOffsetsPartitionResponse] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Topics: list[ListOffsetsResponse.ListOffsetsTopicResponse]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Topics: list[ListOffsetsResponse.ListOffsetsTopicResponse] = ...,
    ) -> None: ...

class MetadataRequest(Message):
    class MetadataRequestTopic(Message):
        TopicId: bytes
        Name: str | None
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Name: str | None = ...,
        ) -> None: ...
    Topics: list[MetadataRequest.MetadataRequestTopic] | None
    AllowAutoTopicCreation: bool
    IncludeClusterAuthorizedOperations: bool
    IncludeTopicAuthorizedOperations: bool
    def __init__(
        self,
        *,
        Topics: list[MetadataRequest.MetadataRequestTopic] | None = ...,
        AllowAutoTopicCreation: bool = ...,
        IncludeClusterAuthorizedOperations: bool = ...,
        IncludeTopicAuthorizedOperations: bool = ...,
    ) -> None: ...

class MetadataResponse(Message):
    class MetadataResponseBroker(Message):
        NodeId: int
        Host: str
        Port: int
        Rack: str | None
        def __init__(
            self,
            *,
            NodeId: int = ...,
            Host: str = ...,
            Port: int = ...,
            Rack: str | None = ...,
        ) -> None: ...
    class MetadataResponsePartition(Message):
        ErrorCode: int
        PartitionIndex: int
        LeaderId: int
        LeaderEpoch: int
        ReplicaNodes: list[int]
        IsrNodes: list[int]
        OfflineReplicas: list[int]
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            PartitionIndex: int = ...,
            LeaderId: int = ...,
            LeaderEpoch: int = ...,
            ReplicaNodes: list[int] = ...,
            IsrNodes: list[int] = ...,
            OfflineReplicas: list[int] = ...,
        ) -> None: ...
    class MetadataResponseTopic(Message):
        ErrorCode: int
        Name: str | None
        TopicId: bytes
        IsInternal: bool
        Partitions: list[MetadataResponse.MetadataResponsePartition]
        TopicAuthorizedOperations: int
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            Name: str | None = ...,
            TopicId: bytes = ...,
            IsInternal: bool = ...,
            Partitions: list[MetadataResponse.MetadataResponsePartition] = ...,
            TopicAuthorizedOperations: int = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Brokers: list[MetadataResponse.MetadataResponseBroker]
    ClusterId: str | None
    ControllerId: int
    Topics: list[MetadataResponse.MetadataResponseTopic]
    ClusterAuthorizedOperations: int
    ErrorCode: int
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Brokers: list[MetadataResponse.MetadataResponseBroker] = ...,
        ClusterId: str | None = ...,
        ControllerId: int = ...,
        Topics: list[MetadataResponse.MetadataResponseTopic] = ...,
        ClusterAuthorizedOperations: int = ...,
        ErrorCode: int = ...,
    ) -> None: ...

class OffsetCommitRequest(Message):
    class OffsetCommitRequestPartition(Message):
        PartitionIndex: int
        CommittedOffset: int
        CommittedLeaderEpoch: int
        CommitTimestamp: int
        CommittedMetadata: str | None
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            CommittedOffset: int = ...,
            CommittedLeaderEpoch: int = ...,
            CommitTimestamp: int = ...,
            CommittedMetadata: str | None = ...,
        ) -> None: ...
    class OffsetCommitRequestTopic(Message):
        Name: str
        TopicId: bytes
        Partitions: list[OffsetCommitRequest.OffsetCommitRequestPartition]
        def __init__(
            self,
            *,
            Name: str = ...,
            TopicId: bytes = ...,
            Partitions: list[OffsetCommitRequest.OffsetCommitRequestPartition] = ...,
        ) -> None: ...
    GroupId: str
    GenerationIdOrMemberEpoch: int
    MemberId: str
    GroupInstanceId: str | None
    RetentionTimeMs: int
    Topics: list[OffsetCommitRequest.OffsetCommitRequestTopic]
    def __init__(
        self,
        *,
        GroupId: str = ...,
        GenerationIdOrMemberEpoch: int = ...,
        MemberId: str = ...,
        GroupInstanceId: str | None = ...,
        RetentionTimeMs: int = ...,
        Topics: list[OffsetCommitRequest.OffsetCommitRequestTopic] = ...,
    ) -> None: ...

class OffsetCommitResponse(Message):
    class OffsetCommitResponsePartition(Message):
        PartitionIndex: int
        ErrorCode: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
        ) -> None: ...
    class OffsetCommitResponseTopic(Message):
        Name: str
        TopicId: bytes
        Partitions: list[OffsetCommitResponse.OffsetCommitResponsePartition]
        def __init__(
            self,
            *,
            Name: str = ...,
            TopicId: bytes = ...,
            Partitions: list[OffsetCommitResponse.OffsetCommitResponsePartition] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Topics: list[OffsetCommitResponse.OffsetCommitResponseTopic]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Topics: list[OffsetCommitResponse.OffsetCommitResponseTopic] = ...,
    ) -> None: ...

class OffsetFetchRequest(Message):
    class OffsetFetchRequestTopic(Message):
        Name: str
        PartitionIndexes: list[int]
        def __init__(
            self,
            *,
            Name: str = ...,
            PartitionIndexes: list[int] = ...,
        ) -> None: ...
    class OffsetFetchRequestTopics(Message):
        Name: str
        TopicId: bytes
        PartitionIndexes: list[int]
        def __init__(
            self,
            *,
            Name: str = ...,
            TopicId: bytes = ...,
            PartitionIndexes: list[int] = ...,
        ) -> None: ...
    class OffsetFetchRequestGroup(Message):
        GroupId: str
        MemberId: str | None
        MemberEpoch: int
        Topics: list[OffsetFetchRequest.OffsetFetchRequestTopics] | None
        def __init__(
            self,
            *,
            GroupId: str = ...,
            MemberId: str | None = ...,
            MemberEpoch: int = ...,
            Topics: list[OffsetFetchRequest.OffsetFetchRequestTopics] | None = ...,
        ) -> None: ...
    GroupId: str
    Topics: list[OffsetFetchRequest.OffsetFetchRequestTopic] | None
    Groups: list[OffsetFetchRequest.OffsetFetchRequestGroup]
    RequireStable: bool
    def __init__(
        self,
        *,
        GroupId: str = ...,
        Topics: list[OffsetFetchRequest.OffsetFetchRequestTopic] | None = ...,
        Groups: list[OffsetFetchRequest.OffsetFetchRequestGroup] = ...,
        RequireStable: bool = ...,
    ) -> None: ...

class OffsetFetchResponse(Message):
    class OffsetFetchResponsePartition(Message):
        PartitionIndex: int
        CommittedOffset: int
        CommittedLeaderEpoch: int
        Metadata: str | None
        ErrorCode: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            CommittedOffset: int = ...,
            CommittedLeaderEpoch: int = ...,
            Metadata: str | None = ...,
            ErrorCode: int = ...,
        ) -> None: ...
    class OffsetFetchResponseTopic(Message):
        Name: str
        Partitions: list[OffsetFetchResponse.OffsetFetchResponsePartition]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[OffsetFetchResponse.OffsetFetchResponsePartition] = ...,
        ) -> None: ...
    class OffsetFetchResponsePartitions(Message):
        PartitionIndex: int
        CommittedOffset: int
        CommittedLeaderEpoch: int
        Metadata: str | None
        ErrorCode: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            CommittedOffset: int = ...,
            CommittedLeaderEpoch: int = ...,
            Metadata: str | None = ...,
            ErrorCode: int = ...,
        ) -> None: ...
    class OffsetFetchResponseTopics(Message):
        Name: str
        TopicId: bytes
        Partitions: list[OffsetFetchResponse.OffsetFetchResponsePartitions]
        def __init__(
            self,
            *,
            Name: str = ...,
            TopicId: bytes = ...,
            Partitions: list[OffsetFetchResponse.OffsetFetchResponsePartitions] = ...,
        ) -> None: ...
    class OffsetFetchResponseGroup(Message):
        GroupId: str
        Topics: list[OffsetFetchResponse.OffsetFetchResponseTopics]
        ErrorCode: int
        def __init__(
            self,
            *,
            GroupId: str = ...,
            Topics: list[OffsetFetchResponse.OffsetFetchResponseTopics] = ...,
            ErrorCode: int = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Topics: list[OffsetFetchResponse.OffsetFetchResponseTopic]
    ErrorCode: int
    Groups: list[OffsetFetchResponse.OffsetFetchResponseGroup]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Topics: list[OffsetFetchResponse.OffsetFetchResponseTopic] = ...,
        ErrorCode: int = ...,
        Groups: list[OffsetFetchResponse.OffsetFetchResponseGroup] = ...,
    ) -> None: ...

class FindCoordinatorRequest(Message):
    Key: str
    KeyType: int
    CoordinatorKeys: list[str]
    def __init__(
        self,
        *,
        Key: str = ...,
        KeyType: int = ...,
        CoordinatorKeys: list[str] = ...,
    ) -> None: ...

class FindCoordinatorResponse(Message):
    class Coordinator(Message):
        Key: str
        NodeId: int
        Host: str
        Port: int
        ErrorCode: int
        ErrorMessage: str | None
        def __init__(
            self,
            *,
            Key: str = ...,
            NodeId: int = ...,
            Host: str = ...,
            Port: int = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    NodeId: int
    Host: str
    Port: int
    Coordinators: list[FindCoordinatorResponse.Coordinator]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        NodeId: int = ...,
        Host: str = ...,
        Port: int = ...,
        Coordinators: list[FindCoordinatorResponse.Coordinator] = ...,
    ) -> None: ...

class JoinGroupRequest(Message):
    class JoinGroupRequestProtocol(Message):
        Name: str
        Metadata: bytes
        def __init__(
            self,
            *,
            Name: str = ...,
            Metadata: bytes = ...,
        ) -> None: ...
    GroupId: str
    SessionTimeoutMs: int
    RebalanceTimeoutMs: int
    MemberId: str
    GroupInstanceId: str | None
    ProtocolType: str
    Protocols: list[JoinGroupRequest.JoinGroupRequestProtocol]
    Reason: str | None
    def __init__(
        self,
        *,
        GroupId: str = ...,
        SessionTimeoutMs: int = ...,
        RebalanceTimeoutMs: int = ...,
        MemberId: str = ...,
        GroupInstanceId: str | None = ...,
        ProtocolType: str = ...,
        Protocols: list[JoinGroupRequest.JoinGroupRequestProtocol] = ...,
        Reason: str | None = ...,
    ) -> None: ...

class JoinGroupResponse(Message):
    class JoinGroupResponseMember(Message):
        MemberId: str
        GroupInstanceId: str | None
        Metadata: bytes
        def __init__(
            self,
            *,
            MemberId: str = ...,
            GroupInstanceId: str | None = ...,
            Metadata: bytes = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    GenerationId: int
    ProtocolType: str | None
    ProtocolName: str | None
    Leader: str
    SkipAssignment: bool
    MemberId: str
    Members: list[JoinGroupResponse.JoinGroupResponseMember]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        GenerationId: int = ...,
        ProtocolType: str | None = ...,
        ProtocolName: str | None = ...,
        Leader: str = ...,
        SkipAssignment: bool = ...,
        MemberId: str = ...,
        Members: list[JoinGroupResponse.JoinGroupResponseMember] = ...,
    ) -> None: ...

class HeartbeatRequest(Message):
    GroupId: str
    GenerationId: int
    MemberId: str
    GroupInstanceId: str | None
    def __init__(
        self,
        *,
        GroupId: str = ...,
        GenerationId: int = ...,
        MemberId: str = ...,
        GroupInstanceId: str | None = ...,
    ) -> None: ...

class HeartbeatResponse(Message):
    ThrottleTimeMs: int
    ErrorCode: int
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
    ) -> None: ...

class LeaveGroupRequest(Message):
    class MemberIdentity(Message):
        MemberId: str
        GroupInstanceId: str | None
        Reason: str | None
        def __init__(
            self,
            *,
            MemberId: str = ...,
            GroupInstanceId: str | None = ...,
            Reason: str | None = ...,
        ) -> None: ...
    GroupId: str
    MemberId: str
    Members: list[LeaveGroupRequest.MemberIdentity]
    def __init__(
        self,
        *,
        GroupId: str = ...,
        MemberId: str = ...,
        Members: list[LeaveGroupRequest.MemberIdentity] = ...,
    ) -> None: ...

class LeaveGroupResponse(Message):
    class MemberResponse(Message):
        MemberId: str
        GroupInstanceId: str | None
        ErrorCode: int
        def __init__(
            self,
            *,
            MemberId: str = ...,
            GroupInstanceId: str | None = ...,
            ErrorCode: int = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    Members: list[LeaveGroupResponse.MemberResponse]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        Members: list[LeaveGroupResponse.MemberResponse] = ...,
    ) -> None: ...

class SyncGroupRequest(Message):
    class SyncGroupRequestAssignment(Message):
        MemberId: str
        Assignment: bytes
        def __init__(
            self,
            *,
            MemberId: str = ...,
            Assignment: bytes = ...,
        ) -> None: ...
    GroupId: str
    GenerationId: int
    MemberId: str
    GroupInstanceId: str | None
    ProtocolType: str | None
    ProtocolName: str | None
    Assignments: list[SyncGroupRequest.SyncGroupRequestAssignment]
    def __init__(
        self,
        *,
        GroupId: str = ...,
        GenerationId: int = ...,
        MemberId: str = ...,
        GroupInstanceId: str | None = ...,
        ProtocolType: str | None = ...,
        ProtocolName: str | None = ...,
        Assignments: list[SyncGroupRequest.SyncGroupRequestAssignment] = ...,
    ) -> None: ...

class SyncGroupResponse(Message):
    ThrottleTimeMs: int
    ErrorCode: int
    ProtocolType: str | None
    ProtocolName: str | None
    Assignment: bytes
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ProtocolType: str | None = ...,
        ProtocolName: str | None = ...,
        Assignment: bytes = ...,
    ) -> None: ...

class DescribeGroupsRequest(Message):
    Groups: list[str]
    IncludeAuthorizedOperations: bool
    def __init__(
        self,
        *,
        Groups: list[str] = ...,
        IncludeAuthorizedOperations: bool = ...,
    ) -> None: ...

class DescribeGroupsResponse(Message):
    class DescribedGroupMember(Message):
        MemberId: str
        GroupInstanceId: str | None
        ClientId: str
        ClientHost: str
        MemberMetadata: bytes
        MemberAssignment: bytes
        def __init__(
            self,
            *,
            MemberId: str = ...,
            GroupInstanceId: str | None = ...,
            ClientId: str = ...,
            ClientHost: str = ...,
            MemberMetadata: bytes = ...,
            MemberAssignment: bytes = ...,
        ) -> None: ...
    class DescribedGroup(Message):
        ErrorCode: int
        ErrorMessage: str | None
        GroupId: str
        GroupState: str
        ProtocolType: str
        ProtocolData: str
        Members: list[DescribeGroupsResponse.DescribedGroupMember]
        AuthorizedOperations: int
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            GroupId: str = ...,
            GroupState: str = ...,
            ProtocolType: str = ...,
            ProtocolData: str = ...,
            Members: list[DescribeGroupsResponse.DescribedGroupMember] = ...,
            AuthorizedOperations: int = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Groups: list[DescribeGroupsResponse.DescribedGroup]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Groups: list[DescribeGroupsResponse.DescribedGroup] = ...,
    ) -> None: ...

class ListGroupsRequest(Message):
    StatesFilter: list[str]
    TypesFilter: list[str]
    def __init__(
        self,
        *,
        StatesFilter: list[str] = ...,
        TypesFilter: list[str] = ...,
    ) -> None: ...

class ListGroupsResponse(Message):
    class ListedGroup(Message):
        GroupId: str
        ProtocolType: str
        GroupState: str
        GroupType: str
        def __init__(
            self,
            *,
            GroupId: str = ...,
            ProtocolType: str = ...,
            GroupState: str = ...,
            GroupType: str = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    Groups: list[ListGroupsResponse.ListedGroup]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        Groups: list[ListGroupsResponse.ListedGroup] = ...,
    ) -> None: ...

class SaslHandshakeRequest(Message):
    Mechanism: str
    def __init__(
        self,
        *,
        Mechanism: str = ...,
    ) -> None: ...

class SaslHandshakeResponse(Message):
    ErrorCode: int
    Mechanisms: list[str]
    def __init__(
        self,
        *,
        ErrorCode: int = ...,
        Mechanisms: list[str] = ...,
    ) -> None: ...

class ApiVersionsRequest(Message):
    ClientSoftwareName: str
    ClientSoftwareVersion: str
    def __init__(
        self,
        *,
        ClientSoftwareName: str = ...,
        ClientSoftwareVersion: str = ...,
    ) -> None: ...

class ApiVersionsResponse(Message):
    class ApiVersion(Message):
        ApiKey: int
        MinVersion: int
        MaxVersion: int
        def __init__(
            self,
            *,
            ApiKey: int = ...,
            MinVersion: int = ...,
            MaxVersion: int = ...,
        ) -> None: ...
    class SupportedFeatureKey(Message):
        Name: str
        MinVersion: int
        MaxVersion: int
        def __init__(
            self,
            *,
            Name: str = ...,
            MinVersion: int = ...,
            MaxVersion: int = ...,
        ) -> None: ...
    class FinalizedFeatureKey(Message):
        Name: str
        MaxVersionLevel: int
        MinVersionLevel: int
        def __init__(
            self,
            *,
            Name: str = ...,
            MaxVersionLevel: int = ...,
            MinVersionLevel: int = ...,
        ) -> None: ...
    ErrorCode: int
    ApiKeys: list[ApiVersionsResponse.ApiVersion]
    ThrottleTimeMs: int
    SupportedFeatures: list[ApiVersionsResponse.SupportedFeatureKey]
    FinalizedFeaturesEpoch: int
    FinalizedFeatures: list[ApiVersionsResponse.FinalizedFeatureKey]
    ZkMigrationReady: bool
    def __init__(
        self,
        *,
        ErrorCode: int = ...,
        ApiKeys: list[ApiVersionsResponse.ApiVersion] = ...,
        ThrottleTimeMs: int = ...,
        SupportedFeatures: list[ApiVersionsResponse.SupportedFeatureKey] = ...,
        FinalizedFeaturesEpoch: int = ...,
        FinalizedFeatures: list[ApiVersionsResponse.FinalizedFeatureKey] = ...,
        ZkMigrationReady: bool = ...,
    ) -> None: ...

class CreateTopicsRequest(Message):
    class CreatableReplicaAssignment(Message):
        PartitionIndex: int
        BrokerIds: list[int]
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            BrokerIds: list[int] = ...,
        ) -> None: ...
    class CreatableTopicConfig(Message):
        Name: str
        Value: str | None
        def __init__(
            self,
            *,
            Name: str = ...,
            Value: str | None = ...,
        ) -> None: ...
    class CreatableTopic(Message):
        Name: str
        NumPartitions: int
        ReplicationFactor: int
        Assignments: list[CreateTopicsRequest.CreatableReplicaAssignment]
        Configs: list[CreateTopicsRequest.CreatableTopicConfig]
        def __init__(
            self,
            *,
            Name: str = ...,
            NumPartitions: int = ...,
            ReplicationFactor: int = ...,
            Assignments: list[CreateTopicsRequest.CreatableReplicaAssignment] = ...,
            Configs: list[CreateTopicsRequest.CreatableTopicConfig] = ...,
        ) -> None: ...
    Topics: list[CreateTopicsRequest.CreatableTopic]
    timeoutMs: int
    validateOnly: bool
    def __init__(
        self,
        *,
        Topics: list[CreateTopicsRequest.CreatableTopic] = ...,
        timeoutMs: int = ...,
        validateOnly: bool = ...,
    ) -> None: ...

class CreateTopicsResponse(Message):
    class CreatableTopicConfigs(Message):
        Name: str
        Value: str | None
        ReadOnly: bool
        ConfigSource: int
        IsSensitive: bool
        def __init__(
            self,
            *,
            Name: str = ...,
            Value: str | None = ...,
            ReadOnly: bool = ...,
            ConfigSource: int = ...,
            IsSensitive: bool = ...,
        ) -> None: ...
    class CreatableTopicResult(Message):
        Name: str
        TopicId: bytes
        ErrorCode: int
        ErrorMessage: str | None
        TopicConfigErrorCode: int
        NumPartitions: int
        ReplicationFactor: int
        Configs: list[CreateTopicsResponse.CreatableTopicConfigs] | None
        def __init__(
            self,
            *,
            Name: str = ...,
            TopicId: bytes = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            TopicConfigErrorCode: int = ...,
            NumPartitions: int = ...,
            ReplicationFactor: int = ...,
            Configs: list[CreateTopicsResponse.CreatableTopicConfigs] | None = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Topics: list[CreateTopicsResponse.CreatableTopicResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Topics: list[CreateTopicsResponse.CreatableTopicResult] = ...,
    ) -> None: ...

class DeleteTopicsRequest(Message):
    class DeleteTopicState(Message):
        Name: str | None
        TopicId: bytes
        def __init__(
            self,
            *,
            Name: str | None = ...,
            TopicId: bytes = ...,
        ) -> None: ...
    Topics: list[DeleteTopicsRequest.DeleteTopicState]
    TopicNames: list[str]
    TimeoutMs: int
    def __init__(
        self,
        *,
        Topics: list[DeleteTopicsRequest.DeleteTopicState] = ...,
        TopicNames: list[str] = ...,
        TimeoutMs: int = ...,
    ) -> None: ...

class DeleteTopicsResponse(Message):
    class DeletableTopicResult(Message):
        Name: str | None
        TopicId: bytes
        ErrorCode: int
        ErrorMessage: str | None
        def __init__(
            self,
            *,
            Name: str | None = ...,
            TopicId: bytes = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Responses: list[DeleteTopicsResponse.DeletableTopicResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Responses: list[DeleteTopicsResponse.DeletableTopicResult] = ...,
    ) -> None: ...

class DeleteRecordsRequest(Message):
    class DeleteRecordsPartition(Message):
        PartitionIndex: int
        Offset: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            Offset: int = ...,
        ) -> None: ...
    class DeleteRecordsTopic(Message):
        Name: str
        Partitions: list[DeleteRecordsRequest.DeleteRecordsPartition]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[DeleteRecordsRequest.DeleteRecordsPartition] = ...,
        ) -> None: ...
    Topics: list[DeleteRecordsRequest.DeleteRecordsTopic]
    TimeoutMs: int
    def __init__(
        self,
        *,
        Topics: list[DeleteRecordsRequest.DeleteRecordsTopic] = ...,
        TimeoutMs: int = ...,
    ) -> None: ...

class DeleteRecordsResponse(Message):
    class DeleteRecordsPartitionResult(Message):
        PartitionIndex: int
        LowWatermark: int
        ErrorCode: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            LowWatermark: int = ...,
            ErrorCode: int = ...,
        ) -> None: ...
    class DeleteRecordsTopicResult(Message):
        Name: str
        Partitions: list[DeleteRecordsResponse.DeleteRecordsPartitionResult]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[DeleteRecordsResponse.DeleteRecordsPartitionResult] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Topics: list[DeleteRecordsResponse.DeleteRecordsTopicResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Topics: list[DeleteRecordsResponse.DeleteRecordsTopicResult] = ...,
    ) -> None: ...

class InitProducerIdRequest(Message):
    TransactionalId: str | None
    TransactionTimeoutMs: int
    ProducerId: int
    ProducerEpoch: int
    Enable2Pc: bool
    KeepPreparedTxn: bool
    def __init__(
        self,
        *,
        TransactionalId: str | None = ...,
        TransactionTimeoutMs: int = ...,
        ProducerId: int = ...,
        ProducerEpoch: int = ...,
        Enable2Pc: bool = ...,
        KeepPreparedTxn: bool = ...,
    ) -> None: ...

class InitProducerIdResponse(Message):
    ThrottleTimeMs: int
    ErrorCode: int
    ProducerId: int
    ProducerEpoch: int
    OngoingTxnProducerId: int
    OngoingTxnProducerEpoch: int
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ProducerId: int = ...,
        ProducerEpoch: int = ...,
        OngoingTxnProducerId: int = ...,
        OngoingTxnProducerEpoch: int = ...,
    ) -> None: ...

class OffsetForLeaderEpochRequest(Message):
    class OffsetForLeaderPartition(Message):
        Partition: int
        CurrentLeaderEpoch: int
        LeaderEpoch: int
        def __init__(
            self,
            *,
            Partition: int = ...,
            CurrentLeaderEpoch: int = ...,
            LeaderEpoch: int = ...,
        ) -> None: ...
    class OffsetForLeaderTopic(Message):
        Topic: str
        Partitions: list[OffsetForLeaderEpochRequest.OffsetForLeaderPartition]
        def __init__(
            self,
            *,
            Topic: str = ...,
            Partitions: list[OffsetForLeaderEpochRequest.OffsetForLeaderPartition] = ...,
        ) -> None: ...
    ReplicaId: int
    Topics: list[OffsetForLeaderEpochRequest.OffsetForLeaderTopic]
    def __init__(
        self,
        *,
        ReplicaId: int = ...,
        Topics: list[OffsetForLeaderEpochRequest.OffsetForLeaderTopic] = ...,
    ) -> None: ...

class OffsetForLeaderEpochResponse(Message):
    class EpochEndOffset(Message):
        ErrorCode: int
        Partition: int
        LeaderEpoch: int
        EndOffset: int
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            Partition: int = ...,
            LeaderEpoch: int = ...,
            EndOffset: int = ...,
        ) -> None: ...
    class OffsetForLeaderTopicResult(Message):
        Topic: str
        Partitions: list[OffsetForLeaderEpochResponse.EpochEndOffset]
        def __init__(
            self,
            *,
            Topic: str = ...,
            Partitions: list[OffsetForLeaderEpochResponse.EpochEndOffset] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Topics: list[OffsetForLeaderEpochResponse.OffsetForLeaderTopicResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Topics: list[OffsetForLeaderEpochResponse.OffsetForLeaderTopicResult] = ...,
    ) -> None: ...

class AddPartitionsToTxnRequest(Message):
    class AddPartitionsToTxnTopic(Message):
        Name: str
        Partitions: list[int]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    class AddPartitionsToTxnTransaction(Message):
        TransactionalId: str
        ProducerId: int
        ProducerEpoch: int
        VerifyOnly: bool
        Topics: list[AddPartitionsToTxnRequest.AddPartitionsToTxnTopic]
        def __init__(
            self,
            *,
            TransactionalId: str = ...,
            ProducerId: int = ...,
            ProducerEpoch: int = ...,
            VerifyOnly: bool = ...,
            Topics: list[AddPartitionsToTxnRequest.AddPartitionsToTxnTopic] = ...,
        ) -> None: ...
    Transactions: list[AddPartitionsToTxnRequest.AddPartitionsToTxnTransaction]
    V3AndBelowTransactionalId: str
    V3AndBelowProducerId: int
    V3AndBelowProducerEpoch: int
    V3AndBelowTopics: list[AddPartitionsToTxnRequest.AddPartitionsToTxnTopic]
    def __init__(
        self,
        *,
        Transactions: list[AddPartitionsToTxnRequest.AddPartitionsToTxnTransaction] = ...,
        V3AndBelowTransactionalId: str = ...,
        V3AndBelowProducerId: int = ...,
        V3AndBelowProducerEpoch: int = ...,
        V3AndBelowTopics: list[AddPartitionsToTxnRequest.AddPartitionsToTxnTopic] = ...,
    ) -> None: ...

class AddPartitionsToTxnResponse(Message):
    class AddPartitionsToTxnPartitionResult(Message):
        PartitionIndex: int
        PartitionErrorCode: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            PartitionErrorCode: int = ...,
        ) -> None: ...
    class AddPartitionsToTxnTopicResult(Message):
        Name: str
        ResultsByPartition: list[AddPartitionsToTxnResponse.AddPartitionsToTxnPartitionResult]
        def __init__(
            self,
            *,
            Name: str = ...,
            ResultsByPartition: list[AddPartitionsToTxnResponse.AddPartitionsToTxnPartitionResult] = ...,
        ) -> None: ...
    class AddPartitionsToTxnResult(Message):
        TransactionalId: str
        TopicResults: list[AddPartitionsToTxnResponse.AddPartitionsToTxnTopicResult]
        def __init__(
            self,
            *,
            TransactionalId: str = ...,
            TopicResults: list[AddPartitionsToTxnResponse.AddPartitionsToTxnTopicResult] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ResultsByTransaction: list[AddPartitionsToTxnResponse.AddPartitionsToTxnResult]
    ResultsByTopicV3AndBelow: list[AddPartitionsToTxnResponse.AddPartitionsToTxnTopicResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ResultsByTransaction: list[AddPartitionsToTxnResponse.AddPartitionsToTxnResult] = ...,
        ResultsByTopicV3AndBelow: list[AddPartitionsToTxnResponse.AddPartitionsToTxnTopicResult] = ...,
    ) -> None: ...

class AddOffsetsToTxnRequest(Message):
    TransactionalId: str
    ProducerId: int
    ProducerEpoch: int
    GroupId: str
    def __init__(
        self,
        *,
        TransactionalId: str = ...,
        ProducerId: int = ...,
        ProducerEpoch: int = ...,
        GroupId: str = ...,
    ) -> None: ...

class AddOffsetsToTxnResponse(Message):
    ThrottleTimeMs: int
    ErrorCode: int
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
    ) -> None: ...

class EndTxnRequest(Message):
    TransactionalId: str
    ProducerId: int
    ProducerEpoch: int
    Committed: bool
    def __init__(
        self,
        *,
        TransactionalId: str = ...,
        ProducerId: int = ...,
        ProducerEpoch: int = ...,
        Committed: bool = ...,
    ) -> None: ...

class EndTxnResponse(Message):
    ThrottleTimeMs: int
    ErrorCode: int
    ProducerId: int
    ProducerEpoch: int
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ProducerId: int = ...,
        ProducerEpoch: int = ...,
    ) -> None: ...

class WriteTxnMarkersRequest(Message):
    class WritableTxnMarkerTopic(Message):
        Name: str
        PartitionIndexes: list[int]
        def __init__(
            self,
            *,
            Name: str = ...,
            PartitionIndexes: list[int] = ...,
        ) -> None: ...
    class WritableTxnMarker(Message):
        ProducerId: int
        ProducerEpoch: int
        TransactionResult: bool
        Topics: list[WriteTxnMarkersRequest.WritableTxnMarkerTopic]
        CoordinatorEpoch: int
        TransactionVersion: int
        def __init__(
            self,
            *,
            ProducerId: int = ...,
            ProducerEpoch: int = ...,
            TransactionResult: bool = ...,
            Topics: list[WriteTxnMarkersRequest.WritableTxnMarkerTopic] = ...,
            CoordinatorEpoch: int = ...,
            TransactionVersion: int = ...,
        ) -> None: ...
    Markers: list[WriteTxnMarkersRequest.WritableTxnMarker]
    def __init__(
        self,
        *,
        Markers: list[WriteTxnMarkersRequest.WritableTxnMarker] = ...,
    ) -> None: ...

class WriteTxnMarkersResponse(Message):
    class WritableTxnMarkerPartitionResult(Message):
        PartitionIndex: int
        ErrorCode: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
        ) -> None: ...
    class WritableTxnMarkerTopicResult(Message):
        Name: str
        Partitions: list[WriteTxnMarkersResponse.WritableTxnMarkerPartitionResult]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[WriteTxnMarkersResponse.WritableTxnMarkerPartitionResult] = ...,
        ) -> None: ...
    class WritableTxnMarkerResult(Message):
        ProducerId: int
        Topics: list[WriteTxnMarkersResponse.WritableTxnMarkerTopicResult]
        def __init__(
            self,
            *,
            ProducerId: int = ...,
            Topics: list[WriteTxnMarkersResponse.WritableTxnMarkerTopicResult] = ...,
        ) -> None: ...
    Markers: list[WriteTxnMarkersResponse.WritableTxnMarkerResult]
    def __init__(
        self,
        *,
        Markers: list[WriteTxnMarkersResponse.WritableTxnMarkerResult] = ...,
    ) -> None: ...

class TxnOffsetCommitRequest(Message):
    class TxnOffsetCommitRequestPartition(Message):
        PartitionIndex: int
        CommittedOffset: int
        CommittedLeaderEpoch: int
        CommittedMetadata: str | None
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            CommittedOffset: int = ...,
            CommittedLeaderEpoch: int = ...,
            CommittedMetadata: str | None = ...,
        ) -> None: ...
    class TxnOffsetCommitRequestTopic(Message):
        Name: str
        Partitions: list[TxnOffsetCommitRequest.TxnOffsetCommitRequestPartition]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[TxnOffsetCommitRequest.TxnOffsetCommitRequestPartition] = ...,
        ) -> None: ...
    TransactionalId: str
    GroupId: str
    ProducerId: int
    ProducerEpoch: int
    GenerationId: int
    MemberId: str
    GroupInstanceId: str | None
    Topics: list[TxnOffsetCommitRequest.TxnOffsetCommitRequestTopic]
    def __init__(
        self,
        *,
        TransactionalId: str = ...,
        GroupId: str = ...,
        ProducerId: int = ...,
        ProducerEpoch: int = ...,
        GenerationId: int = ...,
        MemberId: str = ...,
        GroupInstanceId: str | None = ...,
        Topics: list[TxnOffsetCommitRequest.TxnOffsetCommitRequestTopic] = ...,
    ) -> None: ...

class TxnOffsetCommitResponse(Message):
    class TxnOffsetCommitResponsePartition(Message):
        PartitionIndex: int
        ErrorCode: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
        ) -> None: ...
    class TxnOffsetCommitResponseTopic(Message):
        Name: str
        Partitions: list[TxnOffsetCommitResponse.TxnOffsetCommitResponsePartition]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[TxnOffsetCommitResponse.TxnOffsetCommitResponsePartition] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Topics: list[TxnOffsetCommitResponse.TxnOffsetCommitResponseTopic]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Topics: list[TxnOffsetCommitResponse.TxnOffsetCommitResponseTopic] = ...,
    ) -> None: ...

class DescribeAclsRequest(Message):
    ResourceTypeFilter: int
    ResourceNameFilter: str | None
    PatternTypeFilter: int
    PrincipalFilter: str | None
    HostFilter: str | None
    Operation: int
    PermissionType: int
    def __init__(
        self,
        *,
        ResourceTypeFilter: int = ...,
        ResourceNameFilter: str | None = ...,
        PatternTypeFilter: int = ...,
        PrincipalFilter: str | None = ...,
        HostFilter: str | None = ...,
        Operation: int = ...,
        PermissionType: int = ...,
    ) -> None: ...

class DescribeAclsResponse(Message):
    class AclDescription(Message):
        Principal: str
        Host: str
        Operation: int
        PermissionType: int
        def __init__(
            self,
            *,
            Principal: str = ...,
            Host: str = ...,
            Operation: int = ...,
            PermissionType: int = ...,
        ) -> None: ...
    class DescribeAclsResource(Message):
        ResourceType: int
        ResourceName: str
        PatternType: int
        Acls: list[DescribeAclsResponse.AclDescription]
        def __init__(
            self,
            *,
            ResourceType: int = ...,
            ResourceName: str = ...,
            PatternType: int = ...,
            Acls: list[DescribeAclsResponse.AclDescription] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    Resources: list[DescribeAclsResponse.DescribeAclsResource]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        Resources: list[DescribeAclsResponse.DescribeAclsResource] = ...,
    ) -> None: ...

class CreateAclsRequest(Message):
    class AclCreation(Message):
        ResourceType: int
        ResourceName: str
        ResourcePatternType: int
        Principal: str
        Host: str
        Operation: int
        PermissionType: int
        def __init__(
            self,
            *,
            ResourceType: int = ...,
            ResourceName: str = ...,
            ResourcePatternType: int = ...,
            Principal: str = ...,
            Host: str = ...,
            Operation: int = ...,
            PermissionType: int = ...,
        ) -> None: ...
    Creations: list[CreateAclsRequest.AclCreation]
    def __init__(
        self,
        *,
        Creations: list[CreateAclsRequest.AclCreation] = ...,
    ) -> None: ...

class CreateAclsResponse(Message):
    class AclCreationResult(Message):
        ErrorCode: int
        ErrorMessage: str | None
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Results: list[CreateAclsResponse.AclCreationResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Results: list[CreateAclsResponse.AclCreationResult] = ...,
    ) -> None: ...

class DeleteAclsRequest(Message):
    class DeleteAclsFilter(Message):
        ResourceTypeFilter: int
        ResourceNameFilter: str | None
        PatternTypeFilter: int
        PrincipalFilter: str | None
        HostFilter: str | None
        Operation: int
        PermissionType: int
        def __init__(
            self,
            *,
            ResourceTypeFilter: int = ...,
            ResourceNameFilter: str | None = ...,
            PatternTypeFilter: int = ...,
            PrincipalFilter: str | None = ...,
            HostFilter: str | None = ...,
            Operation: int = ...,
            PermissionType: int = ...,
        ) -> None: ...
    Filters: list[DeleteAclsRequest.DeleteAclsFilter]
    def __init__(
        self,
        *,
        Filters: list[DeleteAclsRequest.DeleteAclsFilter] = ...,
    ) -> None: ...

class DeleteAclsResponse(Message):
    class DeleteAclsMatchingAcl(Message):
        ErrorCode: int
        ErrorMessage: str | None
        ResourceType: int
        ResourceName: str
        PatternType: int
        Principal: str
        Host: str
        Operation: int
        PermissionType: int
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            ResourceType: int = ...,
            ResourceName: str = ...,
            PatternType: int = ...,
            Principal: str = ...,
            Host: str = ...,
            Operation: int = ...,
            PermissionType: int = ...,
        ) -> None: ...
    class DeleteAclsFilterResult(Message):
        ErrorCode: int
        ErrorMessage: str | None
        MatchingAcls: list[DeleteAclsResponse.DeleteAclsMatchingAcl]
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            MatchingAcls: list[DeleteAclsResponse.DeleteAclsMatchingAcl] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    FilterResults: list[DeleteAclsResponse.DeleteAclsFilterResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        FilterResults: list[DeleteAclsResponse.DeleteAclsFilterResult] = ...,
    ) -> None: ...

class DescribeConfigsRequest(Message):
    class DescribeConfigsResource(Message):
        ResourceType: int
        ResourceName: str
        ConfigurationKeys: list[str] | None
        def __init__(
            self,
            *,
            ResourceType: int = ...,
            ResourceName: str = ...,
            ConfigurationKeys: list[str] | None = ...,
        ) -> None: ...
    Resources: list[DescribeConfigsRequest.DescribeConfigsResource]
    IncludeSynonyms: bool
    IncludeDocumentation: bool
    def __init__(
        self,
        *,
        Resources: list[DescribeConfigsRequest.DescribeConfigsResource] = ...,
        IncludeSynonyms: bool = ...,
        IncludeDocumentation: bool = ...,
    ) -> None: ...

class DescribeConfigsResponse(Message):
    class DescribeConfigsSynonym(Message):
        Name: str
        Value: str | None
        Source: int
        def __init__(
            self,
            *,
            Name: str = ...,
            Value: str | None = ...,
            Source: int = ...,
        ) -> None: ...
    class DescribeConfigsResourceResult(Message):
        Name: str
        Value: str | None
        ReadOnly: bool
        ConfigSource: int
        IsDefault: bool
        IsSensitive: bool
        Synonyms: list[DescribeConfigsResponse.DescribeConfigsSynonym]
        ConfigType: int
        Documentation: str | None
        def __init__(
            self,
            *,
            Name: str = ...,
            Value: str | None = ...,
            ReadOnly: bool = ...,
            ConfigSource: int = ...,
            IsDefault: bool = ...,
            IsSensitive: bool = ...,
            Synonyms: list[DescribeConfigsResponse.DescribeConfigsSynonym] = ...,
            ConfigType: int = ...,
            Documentation: str | None = ...,
        ) -> None: ...
    class DescribeConfigsResult(Message):
        ErrorCode: int
        ErrorMessage: str | None
        ResourceType: int
        ResourceName: str
        Configs: list[DescribeConfigsResponse.DescribeConfigsResourceResult]
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            ResourceType: int = ...,
            ResourceName: str = ...,
            Configs: list[DescribeConfigsResponse.DescribeConfigsResourceResult] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Results: list[DescribeConfigsResponse.DescribeConfigsResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Results: list[DescribeConfigsResponse.DescribeConfigsResult] = ...,
    ) -> None: ...

class AlterConfigsRequest(Message):
    class AlterableConfig(Message):
        Name: str
        Value: str | None
        def __init__(
            self,
            *,
            Name: str = ...,
            Value: str | None = ...,
        ) -> None: ...
    class AlterConfigsResource(Message):
        ResourceType: int
        ResourceName: str
        Configs: list[AlterConfigsRequest.AlterableConfig]
        def __init__(
            self,
            *,
            ResourceType: int = ...,
            ResourceName: str = ...,
            Configs: list[AlterConfigsRequest.AlterableConfig] = ...,
        ) -> None: ...
    Resources: list[AlterConfigsRequest.AlterConfigsResource]
    ValidateOnly: bool
    def __init__(
        self,
        *,
        Resources: list[AlterConfigsRequest.AlterConfigsResource] = ...,
        ValidateOnly: bool = ...,
    ) -> None: ...

class AlterConfigsResponse(Message):
    class AlterConfigsResourceResponse(Message):
        ErrorCode: int
        ErrorMessage: str | None
        ResourceType: int
        ResourceName: str
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            ResourceType: int = ...,
            ResourceName: str = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Responses: list[AlterConfigsResponse.AlterConfigsResourceResponse]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Responses: list[AlterConfigsResponse.AlterConfigsResourceResponse] = ...,
    ) -> None: ...

class AlterReplicaLogDirsRequest(Message):
    class AlterReplicaLogDirTopic(Message):
        Name: str
        Partitions: list[int]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    class AlterReplicaLogDir(Message):
        Path: str
        Topics: list[AlterReplicaLogDirsRequest.AlterReplicaLogDirTopic]
        def __init__(
            self,
            *,
            Path: str = ...,
            Topics: list[AlterReplicaLogDirsRequest.AlterReplicaLogDirTopic] = ...,
        ) -> None: ...
    Dirs: list[AlterReplicaLogDirsRequest.AlterReplicaLogDir]
    def __init__(
        self,
        *,
        Dirs: list[AlterReplicaLogDirsRequest.AlterReplicaLogDir] = ...,
    ) -> None: ...

class AlterReplicaLogDirsResponse(Message):
    class AlterReplicaLogDirPartitionResult(Message):
        PartitionIndex: int
        ErrorCode: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
        ) -> None: ...
    class AlterReplicaLogDirTopicResult(Message):
        TopicName: str
        Partitions: list[AlterReplicaLogDirsResponse.AlterReplicaLogDirPartitionResult]
        def __init__(
            self,
            *,
            TopicName: str = ...,
            Partitions: list[AlterReplicaLogDirsResponse.AlterReplicaLogDirPartitionResult] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Results: list[AlterReplicaLogDirsResponse.AlterReplicaLogDirTopicResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Results: list[AlterReplicaLogDirsResponse.AlterReplicaLogDirTopicResult] = ...,
    ) -> None: ...

class DescribeLogDirsRequest(Message):
    class DescribableLogDirTopic(Message):
        Topic: str
        Partitions: list[int]
        def __init__(
            self,
            *,
            Topic: str = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    Topics: list[DescribeLogDirsRequest.DescribableLogDirTopic] | None
    def __init__(
        self,
        *,
        Topics: list[DescribeLogDirsRequest.DescribableLogDirTopic] | None = ...,
    ) -> None: ...

class DescribeLogDirsResponse(Message):
    class DescribeLogDirsPartition(Message):
        PartitionIndex: int
        PartitionSize: int
        OffsetLag: int
        IsFutureKey: bool
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            PartitionSize: int = ...,
            OffsetLag: int = ...,
            IsFutureKey: bool = ...,
        ) -> None: ...
    class DescribeLogDirsTopic(Message):
        Name: str
        Partitions: list[DescribeLogDirsResponse.DescribeLogDirsPartition]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[DescribeLogDirsResponse.DescribeLogDirsPartition] = ...,
        ) -> None: ...
    class DescribeLogDirsResult(Message):
        ErrorCode: int
        LogDir: str
        Topics: list[DescribeLogDirsResponse.DescribeLogDirsTopic]
        TotalBytes: int
        UsableBytes: int
        IsCordoned: bool
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            LogDir: str = ...,
            Topics: list[DescribeLogDirsResponse.DescribeLogDirsTopic] = ...,
            TotalBytes: int = ...,
            UsableBytes: int = ...,
            IsCordoned: bool = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    Results: list[DescribeLogDirsResponse.DescribeLogDirsResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        Results: list[DescribeLogDirsResponse.DescribeLogDirsResult] = ...,
    ) -> None: ...

class SaslAuthenticateRequest(Message):
    AuthBytes: bytes
    def __init__(
        self,
        *,
        AuthBytes: bytes = ...,
    ) -> None: ...

class SaslAuthenticateResponse(Message):
    ErrorCode: int
    ErrorMessage: str | None
    AuthBytes: bytes
    SessionLifetimeMs: int
    def __init__(
        self,
        *,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        AuthBytes: bytes = ...,
        SessionLifetimeMs: int = ...,
    ) -> None: ...

class CreatePartitionsRequest(Message):
    class CreatePartitionsAssignment(Message):
        BrokerIds: list[int]
        def __init__(
            self,
            *,
            BrokerIds: list[int] = ...,
        ) -> None: ...
    class CreatePartitionsTopic(Message):
        Name: str
        Count: int
        Assignments: list[CreatePartitionsRequest.CreatePartitionsAssignment] | None
        def __init__(
            self,
            *,
            Name: str = ...,
            Count: int = ...,
            Assignments: list[CreatePartitionsRequest.CreatePartitionsAssignment] | None = ...,
        ) -> None: ...
    Topics: list[CreatePartitionsRequest.CreatePartitionsTopic]
    TimeoutMs: int
    ValidateOnly: bool
    def __init__(
        self,
        *,
        Topics: list[CreatePartitionsRequest.CreatePartitionsTopic] = ...,
        TimeoutMs: int = ...,
        ValidateOnly: bool = ...,
    ) -> None: ...

class CreatePartitionsResponse(Message):
    class CreatePartitionsTopicResult(Message):
        Name: str
        ErrorCode: int
        ErrorMessage: str | None
        def __init__(
            self,
            *,
            Name: str = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Results: list[CreatePartitionsResponse.CreatePartitionsTopicResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Results: list[CreatePartitionsResponse.CreatePartitionsTopicResult] = ...,
    ) -> None: ...

class CreateDelegationTokenRequest(Message):
    class CreatableRenewers(Message):
        PrincipalType: str
        PrincipalName: str
        def __init__(
            self,
            *,
            PrincipalType: str = ...,
            PrincipalName: str = ...,
        ) -> None: ...
    OwnerPrincipalType: str | None
    OwnerPrincipalName: str | None
    Renewers: list[CreateDelegationTokenRequest.CreatableRenewers]
    MaxLifetimeMs: int
    def __init__(
        self,
        *,
        OwnerPrincipalType: str | None = ...,
        OwnerPrincipalName: str | None = ...,
        Renewers: list[CreateDelegationTokenRequest.CreatableRenewers] = ...,
        MaxLifetimeMs: int = ...,
    ) -> None: ...

class CreateDelegationTokenResponse(Message):
    ErrorCode: int
    PrincipalType: str
    PrincipalName: str
    TokenRequesterPrincipalType: str
    TokenRequesterPrincipalName: str
    IssueTimestampMs: int
    ExpiryTimestampMs: int
    MaxTimestampMs: int
    TokenId: str
    Hmac: bytes
    ThrottleTimeMs: int
    def __init__(
        self,
        *,
        ErrorCode: int = ...,
        PrincipalType: str = ...,
        PrincipalName: str = ...,
        TokenRequesterPrincipalType: str = ...,
        TokenRequesterPrincipalName: str = ...,
        IssueTimestampMs: int = ...,
        ExpiryTimestampMs: int = ...,
        MaxTimestampMs: int = ...,
        TokenId: str = ...,
        Hmac: bytes = ...,
        ThrottleTimeMs: int = ...,
    ) -> None: ...

class RenewDelegationTokenRequest(Message):
    Hmac: bytes
    RenewPeriodMs: int
    def __init__(
        self,
        *,
        Hmac: bytes = ...,
        RenewPeriodMs: int = ...,
    ) -> None: ...

class RenewDelegationTokenResponse(Message):
    ErrorCode: int
    ExpiryTimestampMs: int
    ThrottleTimeMs: int
    def __init__(
        self,
        *,
        ErrorCode: int = ...,
        ExpiryTimestampMs: int = ...,
        ThrottleTimeMs: int = ...,
    ) -> None: ...

class ExpireDelegationTokenRequest(Message):
    Hmac: bytes
    ExpiryTimePeriodMs: int
    def __init__(
        self,
        *,
        Hmac: bytes = ...,
        ExpiryTimePeriodMs: int = ...,
    ) -> None: ...

class ExpireDelegationTokenResponse(Message):
    ErrorCode: int
    ExpiryTimestampMs: int
    ThrottleTimeMs: int
    def __init__(
        self,
        *,
        ErrorCode: int = ...,
        ExpiryTimestampMs: int = ...,
        ThrottleTimeMs: int = ...,
    ) -> None: ...

class DescribeDelegationTokenRequest(Message):
    class DescribeDelegationTokenOwner(Message):
        PrincipalType: str
        PrincipalName: str
        def __init__(
            self,
            *,
            PrincipalType: str = ...,
            PrincipalName: str = ...,
        ) -> None: ...
    Owners: list[DescribeDelegationTokenRequest.DescribeDelegationTokenOwner] | None
    def __init__(
        self,
        *,
        Owners: list[DescribeDelegationTokenRequest.DescribeDelegationTokenOwner] | None = ...,
    ) -> None: ...

class DescribeDelegationTokenResponse(Message):
    class DescribedDelegationTokenRenewer(Message):
        PrincipalType: str
        PrincipalName: str
        def __init__(
            self,
            *,
            PrincipalType: str = ...,
            PrincipalName: str = ...,
        ) -> None: ...
    class DescribedDelegationToken(Message):
        PrincipalType: str
        PrincipalName: str
        TokenRequesterPrincipalType: str
        TokenRequesterPrincipalName: str
        IssueTimestamp: int
        ExpiryTimestamp: int
        MaxTimestamp: int
        TokenId: str
        Hmac: bytes
        Renewers: list[DescribeDelegationTokenResponse.DescribedDelegationTokenRenewer]
        def __init__(
            self,
            *,
            PrincipalType: str = ...,
            PrincipalName: str = ...,
            TokenRequesterPrincipalType: str = ...,
            TokenRequesterPrincipalName: str = ...,
            IssueTimestamp: int = ...,
            ExpiryTimestamp: int = ...,
            MaxTimestamp: int = ...,
            TokenId: str = ...,
            Hmac: bytes = ...,
            Renewers: list[DescribeDelegationTokenResponse.DescribedDelegationTokenRenewer] = ...,
        ) -> None: ...
    ErrorCode: int
    Tokens: list[DescribeDelegationTokenResponse.DescribedDelegationToken]
    ThrottleTimeMs: int
    def __init__(
        self,
        *,
        ErrorCode: int = ...,
        Tokens: list[DescribeDelegationTokenResponse.DescribedDelegationToken] = ...,
        ThrottleTimeMs: int = ...,
    ) -> None: ...

class DeleteGroupsRequest(Message):
    GroupsNames: list[str]
    def __init__(
        self,
        *,
        GroupsNames: list[str] = ...,
    ) -> None: ...

class DeleteGroupsResponse(Message):
    class DeletableGroupResult(Message):
        GroupId: str
        ErrorCode: int
        def __init__(
            self,
            *,
            GroupId: str = ...,
            ErrorCode: int = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Results: list[DeleteGroupsResponse.DeletableGroupResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Results: list[DeleteGroupsResponse.DeletableGroupResult] = ...,
    ) -> None: ...

class ElectLeadersRequest(Message):
    class TopicPartitions_(Message):
        Topic: str
        Partitions: list[int]
        def __init__(
            self,
            *,
            Topic: str = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    ElectionType: int
    TopicPartitions: list[ElectLeadersRequest.TopicPartitions_] | None
    TimeoutMs: int
    def __init__(
        self,
        *,
        ElectionType: int = ...,
        TopicPartitions: list[ElectLeadersRequest.TopicPartitions_] | None = ...,
        TimeoutMs: int = ...,
    ) -> None: ...

class ElectLeadersResponse(Message):
    class PartitionResult(Message):
        PartitionId: int
        ErrorCode: int
        ErrorMessage: str | None
        def __init__(
            self,
            *,
            PartitionId: int = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
        ) -> None: ...
    class ReplicaElectionResult(Message):
        Topic: str
        PartitionResult: list[ElectLeadersResponse.PartitionResult]
        def __init__(
            self,
            *,
            Topic: str = ...,
            PartitionResult: list[ElectLeadersResponse.PartitionResult] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ReplicaElectionResults: list[ElectLeadersResponse.ReplicaElectionResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ReplicaElectionResults: list[ElectLeadersResponse.ReplicaElectionResult] = ...,
    ) -> None: ...

class IncrementalAlterConfigsRequest(Message):
    class AlterableConfig(Message):
        Name: str
        ConfigOperation: int
        Value: str | None
        def __init__(
            self,
            *,
            Name: str = ...,
            ConfigOperation: int = ...,
            Value: str | None = ...,
        ) -> None: ...
    class AlterConfigsResource(Message):
        ResourceType: int
        ResourceName: str
        Configs: list[IncrementalAlterConfigsRequest.AlterableConfig]
        def __init__(
            self,
            *,
            ResourceType: int = ...,
            ResourceName: str = ...,
            Configs: list[IncrementalAlterConfigsRequest.AlterableConfig] = ...,
        ) -> None: ...
    Resources: list[IncrementalAlterConfigsRequest.AlterConfigsResource]
    ValidateOnly: bool
    def __init__(
        self,
        *,
        Resources: list[IncrementalAlterConfigsRequest.AlterConfigsResource] = ...,
        ValidateOnly: bool = ...,
    ) -> None: ...

class IncrementalAlterConfigsResponse(Message):
    class AlterConfigsResourceResponse(Message):
        ErrorCode: int
        ErrorMessage: str | None
        ResourceType: int
        ResourceName: str
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            ResourceType: int = ...,
            ResourceName: str = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Responses: list[IncrementalAlterConfigsResponse.AlterConfigsResourceResponse]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Responses: list[IncrementalAlterConfigsResponse.AlterConfigsResourceResponse] = ...,
    ) -> None: ...

class AlterPartitionReassignmentsRequest(Message):
    class ReassignablePartition(Message):
        PartitionIndex: int
        Replicas: list[int] | None
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            Replicas: list[int] | None = ...,
        ) -> None: ...
    class ReassignableTopic(Message):
        Name: str
        Partitions: list[AlterPartitionReassignmentsRequest.ReassignablePartition]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[AlterPartitionReassignmentsRequest.ReassignablePartition] = ...,
        ) -> None: ...
    TimeoutMs: int
    AllowReplicationFactorChange: bool
    Topics: list[AlterPartitionReassignmentsRequest.ReassignableTopic]
    def __init__(
        self,
        *,
        TimeoutMs: int = ...,
        AllowReplicationFactorChange: bool = ...,
        Topics: list[AlterPartitionReassignmentsRequest.ReassignableTopic] = ...,
    ) -> None: ...

class AlterPartitionReassignmentsResponse(Message):
    class ReassignablePartitionResponse(Message):
        PartitionIndex: int
        ErrorCode: int
        ErrorMessage: str | None
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
        ) -> None: ...
    class ReassignableTopicResponse(Message):
        Name: str
        Partitions: list[AlterPartitionReassignmentsResponse.ReassignablePartitionResponse]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[AlterPartitionReassignmentsResponse.ReassignablePartitionResponse] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    AllowReplicationFactorChange: bool
    ErrorCode: int
    ErrorMessage: str | None
    Responses: list[AlterPartitionReassignmentsResponse.ReassignableTopicResponse]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        AllowReplicationFactorChange: bool = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        Responses: list[AlterPartitionReassignmentsResponse.ReassignableTopicResponse] = ...,
    ) -> None: ...

class ListPartitionReassignmentsRequest(Message):
    class ListPartitionReassignmentsTopics(Message):
        Name: str
        PartitionIndexes: list[int]
        def __init__(
            self,
            *,
            Name: str = ...,
            PartitionIndexes: list[int] = ...,
        ) -> None: ...
    TimeoutMs: int
    Topics: list[ListPartitionReassignmentsRequest.ListPartitionReassignmentsTopics] | None
    def __init__(
        self,
        *,
        TimeoutMs: int = ...,
        Topics: list[ListPartitionReassignmentsRequest.ListPartitionReassignmentsTopics] | None = ...,
    ) -> None: ...

class ListPartitionReassignmentsResponse(Message):
    class OngoingPartitionReassignment(Message):
        PartitionIndex: int
        Replicas: list[int]
        AddingReplicas: list[int]
        RemovingReplicas: list[int]
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            Replicas: list[int] = ...,
            AddingReplicas: list[int] = ...,
            RemovingReplicas: list[int] = ...,
        ) -> None: ...
    class OngoingTopicReassignment(Message):
        Name: str
        Partitions: list[ListPartitionReassignmentsResponse.OngoingPartitionReassignment]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[ListPartitionReassignmentsResponse.OngoingPartitionReassignment] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    Topics: list[ListPartitionReassignmentsResponse.OngoingTopicReassignment]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        Topics: list[ListPartitionReassignmentsResponse.OngoingTopicReassignment] = ...,
    ) -> None: ...

class OffsetDeleteRequest(Message):
    class OffsetDeleteRequestPartition(Message):
        PartitionIndex: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
        ) -> None: ...
    class OffsetDeleteRequestTopic(Message):
        Name: str
        Partitions: list[OffsetDeleteRequest.OffsetDeleteRequestPartition]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[OffsetDeleteRequest.OffsetDeleteRequestPartition] = ...,
        ) -> None: ...
    GroupId: str
    Topics: list[OffsetDeleteRequest.OffsetDeleteRequestTopic]
    def __init__(
        self,
        *,
        GroupId: str = ...,
        Topics: list[OffsetDeleteRequest.OffsetDeleteRequestTopic] = ...,
    ) -> None: ...

class OffsetDeleteResponse(Message):
    class OffsetDeleteResponsePartition(Message):
        PartitionIndex: int
        ErrorCode: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
        ) -> None: ...
    class OffsetDeleteResponseTopic(Message):
        Name: str
        Partitions: list[OffsetDeleteResponse.OffsetDeleteResponsePartition]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[OffsetDeleteResponse.OffsetDeleteResponsePartition] = ...,
        ) -> None: ...
    ErrorCode: int
    ThrottleTimeMs: int
    Topics: list[OffsetDeleteResponse.OffsetDeleteResponseTopic]
    def __init__(
        self,
        *,
        ErrorCode: int = ...,
        ThrottleTimeMs: int = ...,
        Topics: list[OffsetDeleteResponse.OffsetDeleteResponseTopic] = ...,
    ) -> None: ...

class DescribeClientQuotasRequest(Message):
    class ComponentData(Message):
        EntityType: str
        MatchType: int
        Match: str | None
        def __init__(
            self,
            *,
            EntityType: str = ...,
            MatchType: int = ...,
            Match: str | None = ...,
        ) -> None: ...
    Components: list[DescribeClientQuotasRequest.ComponentData]
    Strict: bool
    def __init__(
        self,
        *,
        Components: list[DescribeClientQuotasRequest.ComponentData] = ...,
        Strict: bool = ...,
    ) -> None: ...

class DescribeClientQuotasResponse(Message):
    class EntityData(Message):
        EntityType: str
        EntityName: str | None
        def __init__(
            self,
            *,
            EntityType: str = ...,
            EntityName: str | None = ...,
        ) -> None: ...
    class ValueData(Message):
        Key: str
        Value: float
        def __init__(
            self,
            *,
            Key: str = ...,
            Value: float = ...,
        ) -> None: ...
    class EntryData(Message):
        Entity: list[DescribeClientQuotasResponse.EntityData]
        Values: list[DescribeClientQuotasResponse.ValueData]
        def __init__(
            self,
            *,
            Entity: list[DescribeClientQuotasResponse.EntityData] = ...,
            Values: list[DescribeClientQuotasResponse.ValueData] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    Entries: list[DescribeClientQuotasResponse.EntryData] | None
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        Entries: list[DescribeClientQuotasResponse.EntryData] | None = ...,
    ) -> None: ...

class AlterClientQuotasRequest(Message):
    class EntityData(Message):
        EntityType: str
        EntityName: str | None
        def __init__(
            self,
            *,
            EntityType: str = ...,
            EntityName: str | None = ...,
        ) -> None: ...
    class OpData(Message):
        Key: str
        Value: float
        Remove: bool
        def __init__(
            self,
            *,
            Key: str = ...,
            Value: float = ...,
            Remove: bool = ...,
        ) -> None: ...
    class EntryData(Message):
        Entity: list[AlterClientQuotasRequest.EntityData]
        Ops: list[AlterClientQuotasRequest.OpData]
        def __init__(
            self,
            *,
            Entity: list[AlterClientQuotasRequest.EntityData] = ...,
            Ops: list[AlterClientQuotasRequest.OpData] = ...,
        ) -> None: ...
    Entries: list[AlterClientQuotasRequest.EntryData]
    ValidateOnly: bool
    def __init__(
        self,
        *,
        Entries: list[AlterClientQuotasRequest.EntryData] = ...,
        ValidateOnly: bool = ...,
    ) -> None: ...

class AlterClientQuotasResponse(Message):
    class EntityData(Message):
        EntityType: str
        EntityName: str | None
        def __init__(
            self,
            *,
            EntityType: str = ...,
            EntityName: str | None = ...,
        ) -> None: ...
    class EntryData(Message):
        ErrorCode: int
        ErrorMessage: str | None
        Entity: list[AlterClientQuotasResponse.EntityData]
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            Entity: list[AlterClientQuotasResponse.EntityData] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Entries: list[AlterClientQuotasResponse.EntryData]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Entries: list[AlterClientQuotasResponse.EntryData] = ...,
    ) -> None: ...

class DescribeUserScramCredentialsRequest(Message):
    class UserName(Message):
        Name: str
        def __init__(
            self,
            *,
            Name: str = ...,
        ) -> None: ...
    Users: list[DescribeUserScramCredentialsRequest.UserName] | None
    def __init__(
        self,
        *,
        Users: list[DescribeUserScramCredentialsRequest.UserName] | None = ...,
    ) -> None: ...

class DescribeUserScramCredentialsResponse(Message):
    class CredentialInfo(Message):
        Mechanism: int
        Iterations: int
        def __init__(
            self,
            *,
            Mechanism: int = ...,
            Iterations: int = ...,
        ) -> None: ...
    class DescribeUserScramCredentialsResult(Message):
        User: str
        ErrorCode: int
        ErrorMessage: str | None
        CredentialInfos: list[DescribeUserScramCredentialsResponse.CredentialInfo]
        def __init__(
            self,
            *,
            User: str = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            CredentialInfos: list[DescribeUserScramCredentialsResponse.CredentialInfo] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    Results: list[DescribeUserScramCredentialsResponse.DescribeUserScramCredentialsResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        Results: list[DescribeUserScramCredentialsResponse.DescribeUserScramCredentialsResult] = ...,
    ) -> None: ...

class AlterUserScramCredentialsRequest(Message):
    class ScramCredentialDeletion(Message):
        Name: str
        Mechanism: int
        def __init__(
            self,
            *,
            Name: str = ...,
            Mechanism: int = ...,
        ) -> None: ...
    class ScramCredentialUpsertion(Message):
        Name: str
        Mechanism: int
        Iterations: int
        Salt: bytes
        SaltedPassword: bytes
        def __init__(
            self,
            *,
            Name: str = ...,
            Mechanism: int = ...,
            Iterations: int = ...,
            Salt: bytes = ...,
            SaltedPassword: bytes = ...,
        ) -> None: ...
    Deletions: list[AlterUserScramCredentialsRequest.ScramCredentialDeletion]
    Upsertions: list[AlterUserScramCredentialsRequest.ScramCredentialUpsertion]
    def __init__(
        self,
        *,
        Deletions: list[AlterUserScramCredentialsRequest.ScramCredentialDeletion] = ...,
        Upsertions: list[AlterUserScramCredentialsRequest.ScramCredentialUpsertion] = ...,
    ) -> None: ...

class AlterUserScramCredentialsResponse(Message):
    class AlterUserScramCredentialsResult(Message):
        User: str
        ErrorCode: int
        ErrorMessage: str | None
        def __init__(
            self,
            *,
            User: str = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Results: list[AlterUserScramCredentialsResponse.AlterUserScramCredentialsResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Results: list[AlterUserScramCredentialsResponse.AlterUserScramCredentialsResult] = ...,
    ) -> None: ...

class DescribeQuorumRequest(Message):
    class PartitionData(Message):
        PartitionIndex: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
        ) -> None: ...
    class TopicData(Message):
        TopicName: str
        Partitions: list[DescribeQuorumRequest.PartitionData]
        def __init__(
            self,
            *,
            TopicName: str = ...,
            Partitions: list[DescribeQuorumRequest.PartitionData] = ...,
        ) -> None: ...
    Topics: list[DescribeQuorumRequest.TopicData]
    def __init__(
        self,
        *,
        Topics: list[DescribeQuorumRequest.TopicData] = ...,
    ) -> None: ...

class DescribeQuorumResponse(Message):
    class ReplicaState(Message):
        ReplicaId: int
        ReplicaDirectoryId: bytes
        LogEndOffset: int
        LastFetchTimestamp: int
        LastCaughtUpTimestamp: int
        def __init__(
            self,
            *,
            ReplicaId: int = ...,
            ReplicaDirectoryId: bytes = ...,
            LogEndOffset: int = ...,
            LastFetchTimestamp: int = ...,
            LastCaughtUpTimestamp: int = ...,
        ) -> None: ...
    class PartitionData(Message):
        PartitionIndex: int
        ErrorCode: int
        ErrorMessage: str | None
        LeaderId: int
        LeaderEpoch: int
        HighWatermark: int
        CurrentVoters: list[DescribeQuorumResponse.ReplicaState]
        Observers: list[DescribeQuorumResponse.ReplicaState]
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            LeaderId: int = ...,
            LeaderEpoch: int = ...,
            HighWatermark: int = ...,
            CurrentVoters: list[DescribeQuorumResponse.ReplicaState] = ...,
            Observers: list[DescribeQuorumResponse.ReplicaState] = ...,
        ) -> None: ...
    class TopicData(Message):
        TopicName: str
        Partitions: list[DescribeQuorumResponse.PartitionData]
        def __init__(
            self,
            *,
            TopicName: str = ...,
            Partitions: list[DescribeQuorumResponse.PartitionData] = ...,
        ) -> None: ...
    class Listener(Message):
        Name: str
        Host: str
        Port: int
        def __init__(
            self,
            *,
            Name: str = ...,
            Host: str = ...,
            Port: int = ...,
        ) -> None: ...
    class Node(Message):
        NodeId: int
        Listeners: list[DescribeQuorumResponse.Listener]
        def __init__(
            self,
            *,
            NodeId: int = ...,
            Listeners: list[DescribeQuorumResponse.Listener] = ...,
        ) -> None: ...
    ErrorCode: int
    ErrorMessage: str | None
    Topics: list[DescribeQuorumResponse.TopicData]
    Nodes: list[DescribeQuorumResponse.Node]
    def __init__(
        self,
        *,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        Topics: list[DescribeQuorumResponse.TopicData] = ...,
        Nodes: list[DescribeQuorumResponse.Node] = ...,
    ) -> None: ...

class UpdateFeaturesRequest(Message):
    class FeatureUpdateKey(Message):
        Feature: str
        MaxVersionLevel: int
        AllowDowngrade: bool
        UpgradeType: int
        def __init__(
            self,
            *,
            Feature: str = ...,
            MaxVersionLevel: int = ...,
            AllowDowngrade: bool = ...,
            UpgradeType: int = ...,
        ) -> None: ...
    timeoutMs: int
    FeatureUpdates: list[UpdateFeaturesRequest.FeatureUpdateKey]
    ValidateOnly: bool
    def __init__(
        self,
        *,
        timeoutMs: int = ...,
        FeatureUpdates: list[UpdateFeaturesRequest.FeatureUpdateKey] = ...,
        ValidateOnly: bool = ...,
    ) -> None: ...

class UpdateFeaturesResponse(Message):
    class UpdatableFeatureResult(Message):
        Feature: str
        ErrorCode: int
        ErrorMessage: str | None
        def __init__(
            self,
            *,
            Feature: str = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    Results: list[UpdateFeaturesResponse.UpdatableFeatureResult]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        Results: list[UpdateFeaturesResponse.UpdatableFeatureResult] = ...,
    ) -> None: ...

class DescribeClusterRequest(Message):
    IncludeClusterAuthorizedOperations: bool
    EndpointType: int
    IncludeFencedBrokers: bool
    def __init__(
        self,
        *,
        IncludeClusterAuthorizedOperations: bool = ...,
        EndpointType: int = ...,
        IncludeFencedBrokers: bool = ...,
    ) -> None: ...

class DescribeClusterResponse(Message):
    class DescribeClusterBroker(Message):
        BrokerId: int
        Host: str
        Port: int
        Rack: str | None
        IsFenced: bool
        def __init__(
            self,
            *,
            BrokerId: int = ...,
            Host: str = ...,
            Port: int = ...,
            Rack: str | None = ...,
            IsFenced: bool = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    EndpointType: int
    ClusterId: str
    ControllerId: int
    Brokers: list[DescribeClusterResponse.DescribeClusterBroker]
    ClusterAuthorizedOperations: int
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        EndpointType: int = ...,
        ClusterId: str = ...,
        ControllerId: int = ...,
        Brokers: list[DescribeClusterResponse.DescribeClusterBroker] = ...,
        ClusterAuthorizedOperations: int = ...,
    ) -> None: ...

class DescribeProducersRequest(Message):
    class TopicRequest(Message):
        Name: str
        PartitionIndexes: list[int]
        def __init__(
            self,
            *,
            Name: str = ...,
            PartitionIndexes: list[int] = ...,
        ) -> None: ...
    Topics: list[DescribeProducersRequest.TopicRequest]
    def __init__(
        self,
        *,
        Topics: list[DescribeProducersRequest.TopicRequest] = ...,
    ) -> None: ...

class DescribeProducersResponse(Message):
    class ProducerState(Message):
        ProducerId: int
        ProducerEpoch: int
        LastSequence: int
        LastTimestamp: int
        CoordinatorEpoch: int
        CurrentTxnStartOffset: int
        def __init__(
            self,
            *,
            ProducerId: int = ...,
            ProducerEpoch: int = ...,
            LastSequence: int = ...,
            LastTimestamp: int = ...,
            CoordinatorEpoch: int = ...,
            CurrentTxnStartOffset: int = ...,
        ) -> None: ...
    class PartitionResponse(Message):
        PartitionIndex: int
        ErrorCode: int
        ErrorMessage: str | None
        ActiveProducers: list[DescribeProducersResponse.ProducerState]
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            ActiveProducers: list[DescribeProducersResponse.ProducerState] = ...,
        ) -> None: ...
    class TopicResponse(Message):
        Name: str
        Partitions: list[DescribeProducersResponse.PartitionResponse]
        def __init__(
            self,
            *,
            Name: str = ...,
            Partitions: list[DescribeProducersResponse.PartitionResponse] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Topics: list[DescribeProducersResponse.TopicResponse]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Topics: list[DescribeProducersResponse.TopicResponse] = ...,
    ) -> None: ...

class UnregisterBrokerRequest(Message):
    BrokerId: int
    def __init__(
        self,
        *,
        BrokerId: int = ...,
    ) -> None: ...

class UnregisterBrokerResponse(Message):
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
    ) -> None: ...

class DescribeTransactionsRequest(Message):
    TransactionalIds: list[str]
    def __init__(
        self,
        *,
        TransactionalIds: list[str] = ...,
    ) -> None: ...

class DescribeTransactionsResponse(Message):
    class TopicData(Message):
        Topic: str
        Partitions: list[int]
        def __init__(
            self,
            *,
            Topic: str = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    class TransactionState(Message):
        ErrorCode: int
        TransactionalId: str
        TransactionState: str
        TransactionTimeoutMs: int
        TransactionStartTimeMs: int
        ProducerId: int
        ProducerEpoch: int
        Topics: list[DescribeTransactionsResponse.TopicData]
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            TransactionalId: str = ...,
            TransactionState: str = ...,
            TransactionTimeoutMs: int = ...,
            TransactionStartTimeMs: int = ...,
            ProducerId: int = ...,
            ProducerEpoch: int = ...,
            Topics: list[DescribeTransactionsResponse.TopicData] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    TransactionStates: list[DescribeTransactionsResponse.TransactionState]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        TransactionStates: list[DescribeTransactionsResponse.TransactionState] = ...,
    ) -> None: ...

class ListTransactionsRequest(Message):
    StateFilters: list[str]
    ProducerIdFilters: list[int]
    DurationFilter: int
    TransactionalIdPattern: str | None
    def __init__(
        self,
        *,
        StateFilters: list[str] = ...,
        ProducerIdFilters: list[int] = ...,
        DurationFilter: int = ...,
        TransactionalIdPattern: str | None = ...,
    ) -> None: ...

class ListTransactionsResponse(Message):
    class TransactionState(Message):
        TransactionalId: str
        ProducerId: int
        TransactionState: str
        def __init__(
            self,
            *,
            TransactionalId: str = ...,
            ProducerId: int = ...,
            TransactionState: str = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    UnknownStateFilters: list[str]
    TransactionStates: list[ListTransactionsResponse.TransactionState]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        UnknownStateFilters: list[str] = ...,
        TransactionStates: list[ListTransactionsResponse.TransactionState] = ...,
    ) -> None: ...

class ConsumerGroupHeartbeatRequest(Message):
    class TopicPartitions_(Message):
        TopicId: bytes
        Partitions: list[int]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    GroupId: str
    MemberId: str
    MemberEpoch: int
    InstanceId: str | None
    RackId: str | None
    RebalanceTimeoutMs: int
    SubscribedTopicNames: list[str] | None
    SubscribedTopicRegex: str | None
    ServerAssignor: str | None
    TopicPartitions: list[ConsumerGroupHeartbeatRequest.TopicPartitions_] | None
    def __init__(
        self,
        *,
        GroupId: str = ...,
        MemberId: str = ...,
        MemberEpoch: int = ...,
        InstanceId: str | None = ...,
        RackId: str | None = ...,
        RebalanceTimeoutMs: int = ...,
        SubscribedTopicNames: list[str] | None = ...,
        SubscribedTopicRegex: str | None = ...,
        ServerAssignor: str | None = ...,
        TopicPartitions: list[ConsumerGroupHeartbeatRequest.TopicPartitions_] | None = ...,
    ) -> None: ...

class ConsumerGroupHeartbeatResponse(Message):
    class TopicPartitions(Message):
        TopicId: bytes
        Partitions: list[int]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    class Assignment_(Message):
        TopicPartitions: list[ConsumerGroupHeartbeatResponse.TopicPartitions]
        def __init__(
            self,
            *,
            TopicPartitions: list[ConsumerGroupHeartbeatResponse.TopicPartitions] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    MemberId: str | None
    MemberEpoch: int
    HeartbeatIntervalMs: int
    Assignment: ConsumerGroupHeartbeatResponse.Assignment_ | None
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        MemberId: str | None = ...,
        MemberEpoch: int = ...,
        HeartbeatIntervalMs: int = ...,
        Assignment: ConsumerGroupHeartbeatResponse.Assignment_ | None = ...,
    ) -> None: ...

class ConsumerGroupDescribeRequest(Message):
    GroupIds: list[str]
    IncludeAuthorizedOperations: bool
    def __init__(
        self,
        *,
        GroupIds: list[str] = ...,
        IncludeAuthorizedOperations: bool = ...,
    ) -> None: ...

class ConsumerGroupDescribeResponse(Message):
    class TopicPartitions(Message):
        TopicId: bytes
        TopicName: str
        Partitions: list[int]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            TopicName: str = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    class Assignment(Message):
        TopicPartitions: list[ConsumerGroupDescribeResponse.TopicPartitions]
        def __init__(
            self,
            *,
            TopicPartitions: list[ConsumerGroupDescribeResponse.TopicPartitions] = ...,
        ) -> None: ...
    class Member(Message):
        MemberId: str
        InstanceId: str | None
        RackId: str | None
        MemberEpoch: int
        ClientId: str
        ClientHost: str
        SubscribedTopicNames: list[str]
        SubscribedTopicRegex: str | None
        Assignment: ConsumerGroupDescribeResponse.Assignment
        TargetAssignment: ConsumerGroupDescribeResponse.Assignment
        MemberType: int
        def __init__(
            self,
            *,
            MemberId: str = ...,
            InstanceId: str | None = ...,
            RackId: str | None = ...,
            MemberEpoch: int = ...,
            ClientId: str = ...,
            ClientHost: str = ...,
            SubscribedTopicNames: list[str] = ...,
            SubscribedTopicRegex: str | None = ...,
            Assignment: ConsumerGroupDescribeResponse.Assignment = ...,
            TargetAssignment: ConsumerGroupDescribeResponse.Assignment = ...,
            MemberType: int = ...,
        ) -> None: ...
    class DescribedGroup(Message):
        ErrorCode: int
        ErrorMessage: str | None
        GroupId: str
        GroupState: str
        GroupEpoch: int
        AssignmentEpoch: int
        AssignorName: str
        Members: list[ConsumerGroupDescribeResponse.Member]
        AuthorizedOperations: int
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            GroupId: str = ...,
            GroupState: str = ...,
            GroupEpoch: int = ...,
            AssignmentEpoch: int = ...,
            AssignorName: str = ...,
            Members: list[ConsumerGroupDescribeResponse.Member] = ...,
            AuthorizedOperations: int = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Groups: list[ConsumerGroupDescribeResponse.DescribedGroup]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Groups: list[ConsumerGroupDescribeResponse.DescribedGroup] = ...,
    ) -> None: ...

class GetTelemetrySubscriptionsRequest(Message):
    ClientInstanceId: bytes
    def __init__(
        self,
        *,
        ClientInstanceId: bytes = ...,
    ) -> None: ...

class GetTelemetrySubscriptionsResponse(Message):
    ThrottleTimeMs: int
    ErrorCode: int
    ClientInstanceId: bytes
    SubscriptionId: int
    AcceptedCompressionTypes: list[int]
    PushIntervalMs: int
    TelemetryMaxBytes: int
    DeltaTemporality: bool
    RequestedMetrics: list[str]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ClientInstanceId: bytes = ...,
        SubscriptionId: int = ...,
        AcceptedCompressionTypes: list[int] = ...,
        PushIntervalMs: int = ...,
        TelemetryMaxBytes: int = ...,
        DeltaTemporality: bool = ...,
        RequestedMetrics: list[str] = ...,
    ) -> None: ...

class PushTelemetryRequest(Message):
    ClientInstanceId: bytes
    SubscriptionId: int
    Terminating: bool
    CompressionType: int
    Metrics: bytes
    def __init__(
        self,
        *,
        ClientInstanceId: bytes = ...,
        SubscriptionId: int = ...,
        Terminating: bool = ...,
        CompressionType: int = ...,
        Metrics: bytes = ...,
    ) -> None: ...

class PushTelemetryResponse(Message):
    ThrottleTimeMs: int
    ErrorCode: int
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
    ) -> None: ...

class ListConfigResourcesRequest(Message):
    ResourceTypes: list[int]
    def __init__(
        self,
        *,
        ResourceTypes: list[int] = ...,
    ) -> None: ...

class ListConfigResourcesResponse(Message):
    class ConfigResource(Message):
        ResourceName: str
        ResourceType: int
        def __init__(
            self,
            *,
            ResourceName: str = ...,
            ResourceType: int = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ConfigResources: list[ListConfigResourcesResponse.ConfigResource]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ConfigResources: list[ListConfigResourcesResponse.ConfigResource] = ...,
    ) -> None: ...

class DescribeTopicPartitionsRequest(Message):
    class TopicRequest(Message):
        Name: str
        def __init__(
            self,
            *,
            Name: str = ...,
        ) -> None: ...
    class Cursor_(Message):
        TopicName: str
        PartitionIndex: int
        def __init__(
            self,
            *,
            TopicName: str = ...,
            PartitionIndex: int = ...,
        ) -> None: ...
    Topics: list[DescribeTopicPartitionsRequest.TopicRequest]
    ResponsePartitionLimit: int
    Cursor: DescribeTopicPartitionsRequest.Cursor_ | None
    def __init__(
        self,
        *,
        Topics: list[DescribeTopicPartitionsRequest.TopicRequest] = ...,
        ResponsePartitionLimit: int = ...,
        Cursor: DescribeTopicPartitionsRequest.Cursor_ | None = ...,
    ) -> None: ...

class DescribeTopicPartitionsResponse(Message):
    class DescribeTopicPartitionsResponsePartition(Message):
        ErrorCode: int
        PartitionIndex: int
        LeaderId: int
        LeaderEpoch: int
        ReplicaNodes: list[int]
        IsrNodes: list[int]
        EligibleLeaderReplicas: list[int] | None
        LastKnownElr: list[int] | None
        OfflineReplicas: list[int]
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            PartitionIndex: int = ...,
            LeaderId: int = ...,
            LeaderEpoch: int = ...,
            ReplicaNodes: list[int] = ...,
            IsrNodes: list[int] = ...,
            EligibleLeaderReplicas: list[int] | None = ...,
            LastKnownElr: list[int] | None = ...,
            OfflineReplicas: list[int] = ...,
        ) -> None: ...
    class DescribeTopicPartitionsResponseTopic(Message):
        ErrorCode: int
        Name: str | None
        TopicId: bytes
        IsInternal: bool
        Partitions: list[DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponsePartition]
        TopicAuthorizedOperations: int
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            Name: str | None = ...,
            TopicId: bytes = ...,
            IsInternal: bool = ...,
            Partitions: list[DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponsePartition] = ...,
            TopicAuthorizedOperations: int = ...,
        ) -> None: ...
    class Cursor(Message):
        TopicName: str
        PartitionIndex: int
        def __init__(
            self,
            *,
            TopicName: str = ...,
            PartitionIndex: int = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Topics: list[DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponseTopic]
    NextCursor: DescribeTopicPartitionsResponse.Cursor | None
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Topics: list[DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponseTopic] = ...,
        NextCursor: DescribeTopicPartitionsResponse.Cursor | None = ...,
    ) -> None: ...

class ShareGroupHeartbeatRequest(Message):
    GroupId: str
    MemberId: str
    MemberEpoch: int
    RackId: str | None
    SubscribedTopicNames: list[str] | None
    def __init__(
        self,
        *,
        GroupId: str = ...,
        MemberId: str = ...,
        MemberEpoch: int = ...,
        RackId: str | None = ...,
        SubscribedTopicNames: list[str] | None = ...,
    ) -> None: ...

class ShareGroupHeartbeatResponse(Message):
    class TopicPartitions(Message):
        TopicId: bytes
        Partitions: list[int]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    class Assignment_(Message):
        TopicPartitions: list[ShareGroupHeartbeatResponse.TopicPartitions]
        def __init__(
            self,
            *,
            TopicPartitions: list[ShareGroupHeartbeatResponse.TopicPartitions] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    MemberId: str | None
    MemberEpoch: int
    HeartbeatIntervalMs: int
    Assignment: ShareGroupHeartbeatResponse.Assignment_ | None
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        MemberId: str | None = ...,
        MemberEpoch: int = ...,
        HeartbeatIntervalMs: int = ...,
        Assignment: ShareGroupHeartbeatResponse.Assignment_ | None = ...,
    ) -> None: ...

class ShareGroupDescribeRequest(Message):
    GroupIds: list[str]
    IncludeAuthorizedOperations: bool
    def __init__(
        self,
        *,
        GroupIds: list[str] = ...,
        IncludeAuthorizedOperations: bool = ...,
    ) -> None: ...

class ShareGroupDescribeResponse(Message):
    class TopicPartitions(Message):
        TopicId: bytes
        TopicName: str
        Partitions: list[int]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            TopicName: str = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    class Assignment(Message):
        TopicPartitions: list[ShareGroupDescribeResponse.TopicPartitions]
        def __init__(
            self,
            *,
            TopicPartitions: list[ShareGroupDescribeResponse.TopicPartitions] = ...,
        ) -> None: ...
    class Member(Message):
        MemberId: str
        RackId: str | None
        MemberEpoch: int
        ClientId: str
        ClientHost: str
        SubscribedTopicNames: list[str]
        Assignment: ShareGroupDescribeResponse.Assignment
        def __init__(
            self,
            *,
            MemberId: str = ...,
            RackId: str | None = ...,
            MemberEpoch: int = ...,
            ClientId: str = ...,
            ClientHost: str = ...,
            SubscribedTopicNames: list[str] = ...,
            Assignment: ShareGroupDescribeResponse.Assignment = ...,
        ) -> None: ...
    class DescribedGroup(Message):
        ErrorCode: int
        ErrorMessage: str | None
        GroupId: str
        GroupState: str
        GroupEpoch: int
        AssignmentEpoch: int
        AssignorName: str
        Members: list[ShareGroupDescribeResponse.Member]
        AuthorizedOperations: int
        def __init__(
            self,
            *,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            GroupId: str = ...,
            GroupState: str = ...,
            GroupEpoch: int = ...,
            AssignmentEpoch: int = ...,
            AssignorName: str = ...,
            Members: list[ShareGroupDescribeResponse.Member] = ...,
            AuthorizedOperations: int = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Groups: list[ShareGroupDescribeResponse.DescribedGroup]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Groups: list[ShareGroupDescribeResponse.DescribedGroup] = ...,
    ) -> None: ...

class ShareFetchRequest(Message):
    class AcknowledgementBatch(Message):
        FirstOffset: int
        LastOffset: int
        AcknowledgeTypes: list[int]
        def __init__(
            self,
            *,
            FirstOffset: int = ...,
            LastOffset: int = ...,
            AcknowledgeTypes: list[int] = ...,
        ) -> None: ...
    class FetchPartition(Message):
        PartitionIndex: int
        PartitionMaxBytes: int
        AcknowledgementBatches: list[ShareFetchRequest.AcknowledgementBatch]
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            PartitionMaxBytes: int = ...,
            AcknowledgementBatches: list[ShareFetchRequest.AcknowledgementBatch] = ...,
        ) -> None: ...
    class FetchTopic(Message):
        TopicId: bytes
        Partitions: list[ShareFetchRequest.FetchPartition]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Partitions: list[ShareFetchRequest.FetchPartition] = ...,
        ) -> None: ...
    class ForgottenTopic(Message):
        TopicId: bytes
        Partitions: list[int]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    GroupId: str | None
    MemberId: str | None
    ShareSessionEpoch: int
    MaxWaitMs: int
    MinBytes: int
    MaxBytes: int
    MaxRecords: int
    BatchSize: int
    ShareAcquireMode: int
    IsRenewAck: bool
    Topics: list[ShareFetchRequest.FetchTopic]
    ForgottenTopicsData: list[ShareFetchRequest.ForgottenTopic]
    def __init__(
        self,
        *,
        GroupId: str | None = ...,
        MemberId: str | None = ...,
        ShareSessionEpoch: int = ...,
        MaxWaitMs: int = ...,
        MinBytes: int = ...,
        MaxBytes: int = ...,
        MaxRecords: int = ...,
        BatchSize: int = ...,
        ShareAcquireMode: int = ...,
        IsRenewAck: bool = ...,
        Topics: list[ShareFetchRequest.FetchTopic] = ...,
        ForgottenTopicsData: list[ShareFetchRequest.ForgottenTopic] = ...,
    ) -> None: ...

class ShareFetchResponse(Message):
    class LeaderIdAndEpoch(Message):
        LeaderId: int
        LeaderEpoch: int
        def __init__(
            self,
            *,
            LeaderId: int = ...,
            LeaderEpoch: int = ...,
        ) -> None: ...
    class AcquiredRecords(Message):
        FirstOffset: int
        LastOffset: int
        DeliveryCount: int
        def __init__(
            self,
            *,
            FirstOffset: int = ...,
            LastOffset: int = ...,
            DeliveryCount: int = ...,
        ) -> None: ...
    class PartitionData(Message):
        PartitionIndex: int
        ErrorCode: int
        ErrorMessage: str | None
        AcknowledgeErrorCode: int
        AcknowledgeErrorMessage: str | None
        CurrentLeader: ShareFetchResponse.LeaderIdAndEpoch
        Records: bytes | memoryview | None
        AcquiredRecords: list[ShareFetchResponse.AcquiredRecords]
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            AcknowledgeErrorCode: int = ...,
            AcknowledgeErrorMessage: str | None = ...,
            CurrentLeader: ShareFetchResponse.LeaderIdAndEpoch = ...,
            Records: bytes | memoryview | None = ...,
            AcquiredRecords: list[ShareFetchResponse.AcquiredRecords] = ...,
        ) -> None: ...
    class ShareFetchableTopicResponse(Message):
        TopicId: bytes
        Partitions: list[ShareFetchResponse.PartitionData]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Partitions: list[ShareFetchResponse.PartitionData] = ...,
        ) -> None: ...
    class NodeEndpoint(Message):
        NodeId: int
        Host: str
        Port: int
        Rack: str | None
        def __init__(
            self,
            *,
            NodeId: int = ...,
            Host: str = ...,
            Port: int = ...,
            Rack: str | None = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    AcquisitionLockTimeoutMs: int
    Responses: list[ShareFetchResponse.ShareFetchableTopicResponse]
    NodeEndpoints: list[ShareFetchResponse.NodeEndpoint]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        AcquisitionLockTimeoutMs: int = ...,
        Responses: list[ShareFetchResponse.ShareFetchableTopicResponse] = ...,
        NodeEndpoints: list[ShareFetchResponse.NodeEndpoint] = ...,
    ) -> None: ...

class ShareAcknowledgeRequest(Message):
    class AcknowledgementBatch(Message):
        FirstOffset: int
        LastOffset: int
        AcknowledgeTypes: list[int]
        def __init__(
            self,
            *,
            FirstOffset: int = ...,
            LastOffset: int = ...,
            AcknowledgeTypes: list[int] = ...,
        ) -> None: ...
    class AcknowledgePartition(Message):
        PartitionIndex: int
        AcknowledgementBatches: list[ShareAcknowledgeRequest.AcknowledgementBatch]
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            AcknowledgementBatches: list[ShareAcknowledgeRequest.AcknowledgementBatch] = ...,
        ) -> None: ...
    class AcknowledgeTopic(Message):
        TopicId: bytes
        Partitions: list[ShareAcknowledgeRequest.AcknowledgePartition]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Partitions: list[ShareAcknowledgeRequest.AcknowledgePartition] = ...,
        ) -> None: ...
    GroupId: str | None
    MemberId: str | None
    ShareSessionEpoch: int
    IsRenewAck: bool
    Topics: list[ShareAcknowledgeRequest.AcknowledgeTopic]
    def __init__(
        self,
        *,
        GroupId: str | None = ...,
        MemberId: str | None = ...,
        ShareSessionEpoch: int = ...,
        IsRenewAck: bool = ...,
        Topics: list[ShareAcknowledgeRequest.AcknowledgeTopic] = ...,
    ) -> None: ...

class ShareAcknowledgeResponse(Message):
    class LeaderIdAndEpoch(Message):
        LeaderId: int
        LeaderEpoch: int
        def __init__(
            self,
            *,
            LeaderId: int = ...,
            LeaderEpoch: int = ...,
        ) -> None: ...
    class PartitionData(Message):
        PartitionIndex: int
        ErrorCode: int
        ErrorMessage: str | None
        CurrentLeader: ShareAcknowledgeResponse.LeaderIdAndEpoch
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
            CurrentLeader: ShareAcknowledgeResponse.LeaderIdAndEpoch = ...,
        ) -> None: ...
    class ShareAcknowledgeTopicResponse(Message):
        TopicId: bytes
        Partitions: list[ShareAcknowledgeResponse.PartitionData]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Partitions: list[ShareAcknowledgeResponse.PartitionData] = ...,
        ) -> None: ...
    class NodeEndpoint(Message):
        NodeId: int
        Host: str
        Port: int
        Rack: str | None
        def __init__(
            self,
            *,
            NodeId: int = ...,
            Host: str = ...,
            Port: int = ...,
            Rack: str | None = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    AcquisitionLockTimeoutMs: int
    Responses: list[ShareAcknowledgeResponse.ShareAcknowledgeTopicResponse]
    NodeEndpoints: list[ShareAcknowledgeResponse.NodeEndpoint]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        AcquisitionLockTimeoutMs: int = ...,
        Responses: list[ShareAcknowledgeResponse.ShareAcknowledgeTopicResponse] = ...,
        NodeEndpoints: list[ShareAcknowledgeResponse.NodeEndpoint] = ...,
    ) -> None: ...

class DescribeShareGroupOffsetsRequest(Message):
    class DescribeShareGroupOffsetsRequestTopic(Message):
        TopicName: str
        Partitions: list[int]
        def __init__(
            self,
            *,
            TopicName: str = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    class DescribeShareGroupOffsetsRequestGroup(Message):
        GroupId: str
        Topics: list[DescribeShareGroupOffsetsRequest.DescribeShareGroupOffsetsRequestTopic] | None
        def __init__(
            self,
            *,
            GroupId: str = ...,
            Topics: list[DescribeShareGroupOffsetsRequest.DescribeShareGroupOffsetsRequestTopic] | None = ...,
        ) -> None: ...
    Groups: list[DescribeShareGroupOffsetsRequest.DescribeShareGroupOffsetsRequestGroup]
    def __init__(
        self,
        *,
        Groups: list[DescribeShareGroupOffsetsRequest.DescribeShareGroupOffsetsRequestGroup] = ...,
    ) -> None: ...

class DescribeShareGroupOffsetsResponse(Message):
    class DescribeShareGroupOffsetsResponsePartition(Message):
        PartitionIndex: int
        StartOffset: int
        LeaderEpoch: int
        Lag: int
        ErrorCode: int
        ErrorMessage: str | None
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            StartOffset: int = ...,
            LeaderEpoch: int = ...,
            Lag: int = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
        ) -> None: ...
    class DescribeShareGroupOffsetsResponseTopic(Message):
        TopicName: str
        TopicId: bytes
        Partitions: list[DescribeShareGroupOffsetsResponse.DescribeShareGroupOffsetsResponsePartition]
        def __init__(
            self,
            *,
            TopicName: str = ...,
            TopicId: bytes = ...,
            Partitions: list[DescribeShareGroupOffsetsResponse.DescribeShareGroupOffsetsResponsePartition] = ...,
        ) -> None: ...
    class DescribeShareGroupOffsetsResponseGroup(Message):
        GroupId: str
        Topics: list[DescribeShareGroupOffsetsResponse.DescribeShareGroupOffsetsResponseTopic]
        ErrorCode: int
        ErrorMessage: str | None
        def __init__(
            self,
            *,
            GroupId: str = ...,
            Topics: list[DescribeShareGroupOffsetsResponse.DescribeShareGroupOffsetsResponseTopic] = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    Groups: list[DescribeShareGroupOffsetsResponse.DescribeShareGroupOffsetsResponseGroup]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        Groups: list[DescribeShareGroupOffsetsResponse.DescribeShareGroupOffsetsResponseGroup] = ...,
    ) -> None: ...

class AlterShareGroupOffsetsRequest(Message):
    class AlterShareGroupOffsetsRequestPartition(Message):
        PartitionIndex: int
        StartOffset: int
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            StartOffset: int = ...,
        ) -> None: ...
    class AlterShareGroupOffsetsRequestTopic(Message):
        TopicName: str
        Partitions: list[AlterShareGroupOffsetsRequest.AlterShareGroupOffsetsRequestPartition]
        def __init__(
            self,
            *,
            TopicName: str = ...,
            Partitions: list[AlterShareGroupOffsetsRequest.AlterShareGroupOffsetsRequestPartition] = ...,
        ) -> None: ...
    GroupId: str
    Topics: list[AlterShareGroupOffsetsRequest.AlterShareGroupOffsetsRequestTopic]
    def __init__(
        self,
        *,
        GroupId: str = ...,
        Topics: list[AlterShareGroupOffsetsRequest.AlterShareGroupOffsetsRequestTopic] = ...,
    ) -> None: ...

class AlterShareGroupOffsetsResponse(Message):
    class AlterShareGroupOffsetsResponsePartition(Message):
        PartitionIndex: int
        ErrorCode: int
        ErrorMessage: str | None
        def __init__(
            self,
            *,
            PartitionIndex: int = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
        ) -> None: ...
    class AlterShareGroupOffsetsResponseTopic(Message):
        TopicName: str
        TopicId: bytes
        Partitions: list[AlterShareGroupOffsetsResponse.AlterShareGroupOffsetsResponsePartition]
        def __init__(
            self,
            *,
            TopicName: str = ...,
            TopicId: bytes = ...,
            Partitions: list[AlterShareGroupOffsetsResponse.AlterShareGroupOffsetsResponsePartition] = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    Responses: list[AlterShareGroupOffsetsResponse.AlterShareGroupOffsetsResponseTopic]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        Responses: list[AlterShareGroupOffsetsResponse.AlterShareGroupOffsetsResponseTopic] = ...,
    ) -> None: ...

class DeleteShareGroupOffsetsRequest(Message):
    class DeleteShareGroupOffsetsRequestTopic(Message):
        TopicName: str
        def __init__(
            self,
            *,
            TopicName: str = ...,
        ) -> None: ...
    GroupId: str
    Topics: list[DeleteShareGroupOffsetsRequest.DeleteShareGroupOffsetsRequestTopic]
    def __init__(
        self,
        *,
        GroupId: str = ...,
        Topics: list[DeleteShareGroupOffsetsRequest.DeleteShareGroupOffsetsRequestTopic] = ...,
    ) -> None: ...

class DeleteShareGroupOffsetsResponse(Message):
    class DeleteShareGroupOffsetsResponseTopic(Message):
        TopicName: str
        TopicId: bytes
        ErrorCode: int
        ErrorMessage: str | None
        def __init__(
            self,
            *,
            TopicName: str = ...,
            TopicId: bytes = ...,
            ErrorCode: int = ...,
            ErrorMessage: str | None = ...,
        ) -> None: ...
    ThrottleTimeMs: int
    ErrorCode: int
    ErrorMessage: str | None
    Responses: list[DeleteShareGroupOffsetsResponse.DeleteShareGroupOffsetsResponseTopic]
    def __init__(
        self,
        *,
        ThrottleTimeMs: int = ...,
        ErrorCode: int = ...,
        ErrorMessage: str | None = ...,
        Responses: list[DeleteShareGroupOffsetsResponse.DeleteShareGroupOffsetsResponseTopic] = ...,
    ) -> None: ...

class RequestHeader(Message):
    RequestApiKey: int
    RequestApiVersion: int
    CorrelationId: int
    ClientId: str | None
    def __init__(
        self,
        *,
        RequestApiKey: int = ...,
        RequestApiVersion: int = ...,
        CorrelationId: int = ...,
        ClientId: str | None = ...,
    ) -> None: ...

class ResponseHeader(Message):
    CorrelationId: int
    def __init__(
        self,
        *,
        CorrelationId: int = ...,
    ) -> None: ...

class ConsumerGroupCurrentMemberAssignmentKey(Message):
    GroupId: str
    MemberId: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
        MemberId: str = ...,
    ) -> None: ...

class ConsumerGroupCurrentMemberAssignmentValue(Message):
    class TopicPartitions(Message):
        TopicId: bytes
        Partitions: list[int]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    MemberEpoch: int
    PreviousMemberEpoch: int
    State: int
    AssignedPartitions: list[ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions]
    PartitionsPendingRevocation: list[ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions]
    def __init__(
        self,
        *,
        MemberEpoch: int = ...,
        PreviousMemberEpoch: int = ...,
        State: int = ...,
        AssignedPartitions: list[ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions] = ...,
        PartitionsPendingRevocation: list[ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions] = ...,
    ) -> None: ...

class ConsumerGroupMemberMetadataKey(Message):
    GroupId: str
    MemberId: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
        MemberId: str = ...,
    ) -> None: ...

class ConsumerGroupMemberMetadataValue(Message):
    class ClassicProtocol(Message):
        Name: str
        Metadata: bytes
        def __init__(
            self,
            *,
            Name: str = ...,
            Metadata: bytes = ...,
        ) -> None: ...
    class ClassicMemberMetadata_(Message):
        SessionTimeoutMs: int
        SupportedProtocols: list[ConsumerGroupMemberMetadataValue.ClassicProtocol]
        def __init__(
            self,
            *,
            SessionTimeoutMs: int = ...,
            SupportedProtocols: list[ConsumerGroupMemberMetadataValue.ClassicProtocol] = ...,
        ) -> None: ...
    InstanceId: str | None
    RackId: str | None
    ClientId: str
    ClientHost: str
    SubscribedTopicNames: list[str]
    SubscribedTopicRegex: str | None
    RebalanceTimeoutMs: int
    ServerAssignor: str | None
    ClassicMemberMetadata: ConsumerGroupMemberMetadataValue.ClassicMemberMetadata_ | None
    def __init__(
        self,
        *,
        InstanceId: str | None = ...,
        RackId: str | None = ...,
        ClientId: str = ...,
        ClientHost: str = ...,
        SubscribedTopicNames: list[str] = ...,
        SubscribedTopicRegex: str | None = ...,
        RebalanceTimeoutMs: int = ...,
        ServerAssignor: str | None = ...,
        ClassicMemberMetadata: ConsumerGroupMemberMetadataValue.ClassicMemberMetadata_ | None = ...,
    ) -> None: ...

class ConsumerGroupMetadataKey(Message):
    GroupId: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
    ) -> None: ...

class ConsumerGroupMetadataValue(Message):
    Epoch: int
    MetadataHash: int
    def __init__(
        self,
        *,
        Epoch: int = ...,
        MetadataHash: int = ...,
    ) -> None: ...

class ConsumerGroupPartitionMetadataKey(Message):
    GroupId: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
    ) -> None: ...

class ConsumerGroupPartitionMetadataValue(Message):
    class PartitionMetadata(Message):
        Partition: int
        Racks: list[str]
        def __init__(
            self,
            *,
            Partition: int = ...,
            Racks: list[str] = ...,
        ) -> None: ...
    class TopicMetadata(Message):
        TopicId: bytes
        TopicName: str
        NumPartitions: int
        PartitionMetadata: list[ConsumerGroupPartitionMetadataValue.PartitionMetadata]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            TopicName: str = ...,
            NumPartitions: int = ...,
            PartitionMetadata: list[ConsumerGroupPartitionMetadataValue.PartitionMetadata] = ...,
        ) -> None: ...
    Topics: list[ConsumerGroupPartitionMetadataValue.TopicMetadata]
    def __init__(
        self,
        *,
        Topics: list[ConsumerGroupPartitionMetadataValue.TopicMetadata] = ...,
    ) -> None: ...

class ConsumerGroupTargetAssignmentMemberKey(Message):
    GroupId: str
    MemberId: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
        MemberId: str = ...,
    ) -> None: ...

class ConsumerGroupTargetAssignmentMemberValue(Message):
    class TopicPartition(Message):
        TopicId: bytes
        Partitions: list[int]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    TopicPartitions: list[ConsumerGroupTargetAssignmentMemberValue.TopicPartition]
    def __init__(
        self,
        *,
        TopicPartitions: list[ConsumerGroupTargetAssignmentMemberValue.TopicPartition] = ...,
    ) -> None: ...

class ConsumerGroupTargetAssignmentMetadataKey(Message):
    GroupId: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
    ) -> None: ...

class ConsumerGroupTargetAssignmentMetadataValue(Message):
    AssignmentEpoch: int
    def __init__(
        self,
        *,
        AssignmentEpoch: int = ...,
    ) -> None: ...

class ConsumerProtocolAssignment(Message):
    class TopicPartition(Message):
        Topic: str
        Partitions: list[int]
        def __init__(
            self,
            *,
            Topic: str = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    AssignedPartitions: list[ConsumerProtocolAssignment.TopicPartition]
    UserData: bytes | None
    def __init__(
        self,
        *,
        AssignedPartitions: list[ConsumerProtocolAssignment.TopicPartition] = ...,
        UserData: bytes | None = ...,
    ) -> None: ...

class ConsumerProtocolSubscription(Message):
    class TopicPartition(Message):
        Topic: str
        Partitions: list[int]
        def __init__(
            self,
            *,
            Topic: str = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    Topics: list[str]
    UserData: bytes | None
    OwnedPartitions: list[ConsumerProtocolSubscription.TopicPartition]
    GenerationId: int
    RackId: str | None
    def __init__(
        self,
        *,
        Topics: list[str] = ...,
        UserData: bytes | None = ...,
        OwnedPartitions: list[ConsumerProtocolSubscription.TopicPartition] = ...,
        GenerationId: int = ...,
        RackId: str | None = ...,
    ) -> None: ...

class GroupMetadataKey(Message):
    group: str
    def __init__(
        self,
        *,
        group: str = ...,
    ) -> None: ...

class GroupMetadataValue(Message):
    class MemberMetadata(Message):
        memberId: str
        groupInstanceId: str | None
        clientId: str
        clientHost: str
        rebalanceTimeout: int
        sessionTimeout: int
        subscription: bytes
        assignment: bytes
        def __init__(
            self,
            *,
            memberId: str = ...,
            groupInstanceId: str | None = ...,
            clientId: str = ...,
            clientHost: str = ...,
            rebalanceTimeout: int = ...,
            sessionTimeout: int = ...,
            subscription: bytes = ...,
            assignment: bytes = ...,
        ) -> None: ...
    protocolType: str
    generation: int
    protocol: str | None
    leader: str | None
    currentStateTimestamp: int
    members: list[GroupMetadataValue.MemberMetadata]
    def __init__(
        self,
        *,
        protocolType: str = ...,
        generation: int = ...,
        protocol: str | None = ...,
        leader: str | None = ...,
        currentStateTimestamp: int = ...,
        members: list[GroupMetadataValue.MemberMetadata] = ...,
    ) -> None: ...

class LeaderChangeMessage(Message):
    class Voter(Message):
        VoterId: int
        VoterDirectoryId: bytes
        def __init__(
            self,
            *,
            VoterId: int = ...,
            VoterDirectoryId: bytes = ...,
        ) -> None: ...
    Version: int
    LeaderId: int
    Voters: list[LeaderChangeMessage.Voter]
    GrantingVoters: list[LeaderChangeMessage.Voter]
    def __init__(
        self,
        *,
        Version: int = ...,
        LeaderId: int = ...,
        Voters: list[LeaderChangeMessage.Voter] = ...,
        GrantingVoters: list[LeaderChangeMessage.Voter] = ...,
    ) -> None: ...

class OffsetCommitKey(Message):
    group: str
    topic: str
    partition: int
    def __init__(
        self,
        *,
        group: str = ...,
        topic: str = ...,
        partition: int = ...,
    ) -> None: ...

class OffsetCommitValue(Message):
    offset: int
    leaderEpoch: int
    metadata: str
    commitTimestamp: int
    expireTimestamp: int
    topicId: bytes
    def __init__(
        self,
        *,
        offset: int = ...,
        leaderEpoch: int = ...,
        metadata: str = ...,
        commitTimestamp: int = ...,
        expireTimestamp: int = ...,
        topicId: bytes = ...,
    ) -> None: ...

class ShareGroupCurrentMemberAssignmentKey(Message):
    GroupId: str
    MemberId: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
        MemberId: str = ...,
    ) -> None: ...

class ShareGroupCurrentMemberAssignmentValue(Message):
    class TopicPartitions(Message):
        TopicId: bytes
        Partitions: list[int]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    MemberEpoch: int
    PreviousMemberEpoch: int
    State: int
    AssignedPartitions: list[ShareGroupCurrentMemberAssignmentValue.TopicPartitions]
    def __init__(
        self,
        *,
        MemberEpoch: int = ...,
        PreviousMemberEpoch: int = ...,
        State: int = ...,
        AssignedPartitions: list[ShareGroupCurrentMemberAssignmentValue.TopicPartitions] = ...,
    ) -> None: ...

class ShareGroupMemberMetadataKey(Message):
    GroupId: str
    MemberId: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
        MemberId: str = ...,
    ) -> None: ...

class ShareGroupMemberMetadataValue(Message):
    RackId: str | None
    ClientId: str
    ClientHost: str
    SubscribedTopicNames: list[str]
    def __init__(
        self,
        *,
        RackId: str | None = ...,
        ClientId: str = ...,
        ClientHost: str = ...,
        SubscribedTopicNames: list[str] = ...,
    ) -> None: ...

class ShareGroupMetadataKey(Message):
    GroupId: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
    ) -> None: ...

class ShareGroupMetadataValue(Message):
    Epoch: int
    MetadataHash: int
    def __init__(
        self,
        *,
        Epoch: int = ...,
        MetadataHash: int = ...,
    ) -> None: ...

class ShareGroupStatePartitionMetadataKey(Message):
    GroupId: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
    ) -> None: ...

class ShareGroupStatePartitionMetadataValue(Message):
    class TopicPartitionsInfo(Message):
        TopicId: bytes
        TopicName: str
        Partitions: list[int]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            TopicName: str = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    class TopicInfo(Message):
        TopicId: bytes
        TopicName: str
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            TopicName: str = ...,
        ) -> None: ...
    InitializingTopics: list[ShareGroupStatePartitionMetadataValue.TopicPartitionsInfo]
    InitializedTopics: list[ShareGroupStatePartitionMetadataValue.TopicPartitionsInfo]
    DeletingTopics: list[ShareGroupStatePartitionMetadataValue.TopicInfo]
    def __init__(
        self,
        *,
        InitializingTopics: list[ShareGroupStatePartitionMetadataValue.TopicPartitionsInfo] = ...,
        InitializedTopics: list[ShareGroupStatePartitionMetadataValue.TopicPartitionsInfo] = ...,
        DeletingTopics: list[ShareGroupStatePartitionMetadataValue.TopicInfo] = ...,
    ) -> None: ...

class ShareGroupTargetAssignmentMemberKey(Message):
    GroupId: str
    MemberId: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
        MemberId: str = ...,
    ) -> None: ...

class ShareGroupTargetAssignmentMemberValue(Message):
    class TopicPartition(Message):
        TopicId: bytes
        Partitions: list[int]
        def __init__(
            self,
            *,
            TopicId: bytes = ...,
            Partitions: list[int] = ...,
        ) -> None: ...
    TopicPartitions: list[ShareGroupTargetAssignmentMemberValue.TopicPartition]
    def __init__(
        self,
        *,
        TopicPartitions: list[ShareGroupTargetAssignmentMemberValue.TopicPartition] = ...,
    ) -> None: ...

class ShareGroupTargetAssignmentMetadataKey(Message):
    GroupId: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
    ) -> None: ...

class ShareGroupTargetAssignmentMetadataValue(Message):
    AssignmentEpoch: int
    AssignmentTimestamp: int
    def __init__(
        self,
        *,
        AssignmentEpoch: int = ...,
        AssignmentTimestamp: int = ...,
    ) -> None: ...

class ShareSnapshotKey(Message):
    GroupId: str
    TopicId: bytes
    Partition: int
    def __init__(
        self,
        *,
        GroupId: str = ...,
        TopicId: bytes = ...,
        Partition: int = ...,
    ) -> None: ...

class ShareSnapshotValue(Message):
    class StateBatch(Message):
        FirstOffset: int
        LastOffset: int
        DeliveryState: int
        DeliveryCount: int
        def __init__(
            self,
            *,
            FirstOffset: int = ...,
            LastOffset: int = ...,
            DeliveryState: int = ...,
            DeliveryCount: int = ...,
        ) -> None: ...
    SnapshotEpoch: int
    StateEpoch: int
    LeaderEpoch: int
    StartOffset: int
    DeliveryCompleteCount: int
    CreateTimestamp: int
    WriteTimestamp: int
    StateBatches: list[ShareSnapshotValue.StateBatch]
    def __init__(
        self,
        *,
        SnapshotEpoch: int = ...,
        StateEpoch: int = ...,
        LeaderEpoch: int = ...,
        StartOffset: int = ...,
        DeliveryCompleteCount: int = ...,
        CreateTimestamp: int = ...,
        WriteTimestamp: int = ...,
        StateBatches: list[ShareSnapshotValue.StateBatch] = ...,
    ) -> None: ...

class ShareUpdateKey(Message):
    GroupId: str
    TopicId: bytes
    Partition: int
    def __init__(
        self,
        *,
        GroupId: str = ...,
        TopicId: bytes = ...,
        Partition: int = ...,
    ) -> None: ...

class ShareUpdateValue(Message):
    class StateBatch(Message):
        FirstOffset: int
        LastOffset: int
        DeliveryState: int
        DeliveryCount: int
        def __init__(
            self,
            *,
            FirstOffset: int = ...,
            LastOffset: int = ...,
            DeliveryState: int = ...,
            DeliveryCount: int = ...,
        ) -> None: ...
    SnapshotEpoch: int
    LeaderEpoch: int
    StartOffset: int
    DeliveryCompleteCount: int
    StateBatches: list[ShareUpdateValue.StateBatch]
    def __init__(
        self,
        *,
        SnapshotEpoch: int = ...,
        LeaderEpoch: int = ...,
        StartOffset: int = ...,
        DeliveryCompleteCount: int = ...,
        StateBatches: list[ShareUpdateValue.StateBatch] = ...,
    ) -> None: ...

class TransactionLogKey(Message):
    TransactionalId: str
    def __init__(
        self,
        *,
        TransactionalId: str = ...,
    ) -> None: ...

class TransactionLogValue(Message):
    class PartitionsSchema(Message):
        Topic: str
        PartitionIds: list[int]
        def __init__(
            self,
            *,
            Topic: str = ...,
            PartitionIds: list[int] = ...,
        ) -> None: ...
    ProducerId: int
    PreviousProducerId: int
    NextProducerId: int
    ProducerEpoch: int
    TransactionTimeoutMs: int
    TransactionStatus: int
    TransactionPartitions: list[TransactionLogValue.PartitionsSchema] | None
    TransactionLastUpdateTimestampMs: int
    TransactionStartTimestampMs: int
    ClientTransactionVersion: int
    def __init__(
        self,
        *,
        ProducerId: int = ...,
        PreviousProducerId: int = ...,
        NextProducerId: int = ...,
        ProducerEpoch: int = ...,
        TransactionTimeoutMs: int = ...,
        TransactionStatus: int = ...,
        TransactionPartitions: list[TransactionLogValue.PartitionsSchema] | None = ...,
        TransactionLastUpdateTimestampMs: int = ...,
        TransactionStartTimestampMs: int = ...,
        ClientTransactionVersion: int = ...,
    ) -> None: ...

class ConsumerGroupRegularExpressionKey(Message):
    GroupId: str
    RegularExpression: str
    def __init__(
        self,
        *,
        GroupId: str = ...,
        RegularExpression: str = ...,
    ) -> None: ...

class ConsumerGroupRegularExpressionValue(Message):
    Topics: list[str]
    Version: int
    Timestamp: int
    def __init__(
        self,
        *,
        Topics: list[str] = ...,
        Version: int = ...,
        Timestamp: int = ...,
    ) -> None: ...
