"""Which API of a secured broker asks for which operation on which resource.

State   none
Source  Apache Kafka 4.3, "Authorization and ACLs: protocols", KafkaApis, ControllerApis
Absent  none
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.kafka.security.guards import (
    GROUP,
    TRANSACTIONAL_ID,
    Guard,
    add_partitions,
    committing,
    configs,
    create_topics,
    delete_topics,
    describe_transactions,
    each_refused,
    fetch,
    find_coordinator,
    groups_of,
    init_producer_id,
    list_groups,
    list_transactions,
    metadata,
    of_cluster,
    offset_fetch,
    produce,
    share_offsets,
    subscribing,
    topics_of,
    whole,
)
from cloudlet.kafka.security.rules import Operation
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode


def _list_offsets_row(cls: Any, topic: Any, code: ErrorCode) -> Any:
    return cls.ListOffsetsTopicResponse(
        Name=topic.Name,
        Partitions=[
            cls.ListOffsetsPartitionResponse(
                PartitionIndex=each.PartitionIndex, ErrorCode=code, Timestamp=-1, Offset=-1
            )
            for each in topic.Partitions
        ],
    )


def _epoch_row(cls: Any, topic: Any, code: ErrorCode) -> Any:
    return cls.OffsetForLeaderTopicResult(
        Topic=topic.Topic,
        Partitions=[
            cls.EpochEndOffset(Partition=each.Partition, ErrorCode=code) for each in topic.Partitions
        ],
    )


def _delete_records_row(cls: Any, topic: Any, code: ErrorCode) -> Any:
    return cls.DeleteRecordsTopicResult(
        Name=topic.Name,
        Partitions=[
            cls.DeleteRecordsPartitionResult(
                PartitionIndex=each.PartitionIndex, LowWatermark=-1, ErrorCode=code
            )
            for each in topic.Partitions
        ],
    )


def _producers_row(cls: Any, topic: Any, code: ErrorCode) -> Any:
    return cls.TopicResponse(
        Name=topic.Name,
        Partitions=[
            cls.PartitionResponse(PartitionIndex=index, ErrorCode=code) for index in topic.PartitionIndexes
        ],
    )


def _refused_scram(cls: Any, request: Any, code: ErrorCode) -> Any:
    users = dict.fromkeys(each.Name for each in (*request.Deletions, *request.Upsertions))
    return cls(Results=[cls.AlterUserScramCredentialsResult(User=user, ErrorCode=code) for user in users])


GUARDS: Mapping[int, Guard] = {
    0: produce,
    1: fetch,
    2: topics_of(Operation.DESCRIBE, "Topics", "Topics", _list_offsets_row),
    3: metadata,
    8: committing(
        messages.OffsetCommitResponse, "OffsetCommitResponseTopic", "OffsetCommitResponsePartition",
        is_transactional=False,
    ),
    9: offset_fetch,
    10: find_coordinator,
    11: whole((Operation.READ, GROUP, "GroupId")),
    12: whole((Operation.READ, GROUP, "GroupId")),
    13: whole((Operation.READ, GROUP, "GroupId")),
    14: whole((Operation.READ, GROUP, "GroupId")),
    15: groups_of(Operation.DESCRIBE, "Groups", "Groups", "DescribedGroup"),
    16: list_groups,
    19: create_topics,
    20: delete_topics,
    21: topics_of(Operation.DELETE, "Topics", "Topics", _delete_records_row),
    22: init_producer_id,
    23: topics_of(Operation.DESCRIBE, "Topics", "Topics", _epoch_row, name_field="Topic"),
    24: add_partitions,
    25: whole((Operation.WRITE, TRANSACTIONAL_ID, "TransactionalId"), (Operation.READ, GROUP, "GroupId")),
    26: whole((Operation.WRITE, TRANSACTIONAL_ID, "TransactionalId")),
    27: each_refused(
        Operation.CLUSTER_ACTION,
        lambda cls, request, code: cls(
            Markers=[
                cls.WritableTxnMarkerResult(
                    ProducerId=marker.ProducerId,
                    Topics=[
                        cls.WritableTxnMarkerTopicResult(
                            Name=topic.Name,
                            Partitions=[
                                cls.WritableTxnMarkerPartitionResult(PartitionIndex=index, ErrorCode=code)
                                for index in topic.PartitionIndexes
                            ],
                        )
                        for topic in marker.Topics
                    ],
                )
                for marker in request.Markers
            ]
        ),
    ),
    28: committing(
        messages.TxnOffsetCommitResponse, "TxnOffsetCommitResponseTopic", "TxnOffsetCommitResponsePartition",
        is_transactional=True,
    ),
    29: of_cluster(Operation.DESCRIBE),
    30: each_refused(
        Operation.ALTER,
        lambda cls, request, code: cls(
            Results=[cls.AclCreationResult(ErrorCode=code) for _ in request.Creations]
        ),
    ),
    31: each_refused(
        Operation.ALTER,
        lambda cls, request, code: cls(
            FilterResults=[cls.DeleteAclsFilterResult(ErrorCode=code) for _ in request.Filters]
        ),
    ),
    32: configs(Operation.DESCRIBE_CONFIGS, "Resources", "Results", "DescribeConfigsResult"),
    33: configs(Operation.ALTER_CONFIGS, "Resources", "Responses", "AlterConfigsResourceResponse"),
    34: each_refused(
        Operation.ALTER,
        lambda cls, request, code: cls(
            Results=[
                cls.AlterReplicaLogDirTopicResult(
                    TopicName=topic.Name,
                    Partitions=[
                        cls.AlterReplicaLogDirPartitionResult(PartitionIndex=index, ErrorCode=code)
                        for index in topic.Partitions
                    ],
                )
                for folder in request.Dirs
                for topic in folder.Topics
            ]
        ),
    ),
    35: of_cluster(Operation.DESCRIBE),
    37: topics_of(
        Operation.ALTER, "Topics", "Results",
        lambda cls, topic, code: cls.CreatePartitionsTopicResult(Name=topic.Name, ErrorCode=code),
    ),
    42: groups_of(Operation.DELETE, "GroupsNames", "Results", "DeletableGroupResult"),
    43: of_cluster(Operation.ALTER),
    44: configs(Operation.ALTER_CONFIGS, "Resources", "Responses", "AlterConfigsResourceResponse"),
    45: of_cluster(Operation.ALTER),
    46: of_cluster(Operation.DESCRIBE),
    47: whole((Operation.DELETE, GROUP, "GroupId")),
    48: of_cluster(Operation.DESCRIBE_CONFIGS),
    49: each_refused(
        Operation.ALTER_CONFIGS,
        lambda cls, request, code: cls(
            Entries=[cls.EntryData(ErrorCode=code, Entity=[]) for _ in request.Entries]
        ),
    ),
    50: of_cluster(Operation.DESCRIBE),
    51: each_refused(Operation.ALTER, _refused_scram),
    55: of_cluster(Operation.DESCRIBE),
    57: of_cluster(Operation.ALTER),
    61: topics_of(Operation.READ, "Topics", "Topics", _producers_row),
    64: of_cluster(Operation.ALTER),
    65: describe_transactions,
    66: list_transactions,
    68: subscribing,
    69: groups_of(Operation.DESCRIBE, "GroupIds", "Groups", "DescribedGroup"),
    74: of_cluster(Operation.DESCRIBE_CONFIGS),
    75: topics_of(
        Operation.DESCRIBE, "Topics", "Topics",
        lambda cls, topic, code: cls.DescribeTopicPartitionsResponseTopic(Name=topic.Name, ErrorCode=code),
    ),
    # Which topics a share group's client may read, its handlers ask: a session names them once, and is served
    # for as long as that holds.
    76: whole((Operation.READ, GROUP, "GroupId")),
    77: groups_of(Operation.DESCRIBE, "GroupIds", "Groups", "DescribedGroup"),
    78: whole((Operation.READ, GROUP, "GroupId")),
    79: whole((Operation.READ, GROUP, "GroupId")),
    90: share_offsets,
    91: whole((Operation.READ, GROUP, "GroupId")),
    92: whole((Operation.DELETE, GROUP, "GroupId")),
}  # fmt: skip
