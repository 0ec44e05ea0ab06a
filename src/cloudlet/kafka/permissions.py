"""What a client may do to a resource, as the responses that tell of it write it.

State   none
Source  Apache Kafka 4.3: AclEntry.supportedOperations, KIP-430 (authorized operations)
Absent  an authorizer's say: without one, everybody may do everything
"""

from __future__ import annotations

from cloudlet.kafka.security.rules import Operation

NO_OPERATIONS = -(1 << 31)
"""Authorized operations were not asked for."""


def bits(*operations: Operation) -> int:
    """A set of operations as a 32-bit field."""
    return sum(1 << operation for operation in operations)


TOPIC_OPERATIONS = bits(
    Operation.READ,
    Operation.WRITE,
    Operation.CREATE,
    Operation.DELETE,
    Operation.ALTER,
    Operation.DESCRIBE,
    Operation.DESCRIBE_CONFIGS,
    Operation.ALTER_CONFIGS,
)
CLUSTER_OPERATIONS = bits(
    Operation.CREATE,
    Operation.CLUSTER_ACTION,
    Operation.DESCRIBE_CONFIGS,
    Operation.ALTER_CONFIGS,
    Operation.IDEMPOTENT_WRITE,
    Operation.ALTER,
    Operation.DESCRIBE,
)
GROUP_OPERATIONS = bits(
    Operation.READ,
    Operation.DELETE,
    Operation.DESCRIBE,
    Operation.DESCRIBE_CONFIGS,
    Operation.ALTER_CONFIGS,
)
