"""The errors that a Kafka client sees.

State   none
Source  Apache Kafka 4.3, org.apache.kafka.common.protocol.Errors
Absent  none
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cloudlet.kernel.fault import StoreError
from cloudlet.wire.kafka.error_codes import ErrorCode


class RecordError(NamedTuple):
    """What is wrong with one record of a batch (KIP-467); the index counts from the first."""

    batch_index: int
    message: str


class KafkaFault(Exception):
    """An error that the client of a request sees: its code, and the words where the response carries them."""

    def __init__(self, code: ErrorCode, message: str = "", record_errors: Sequence[RecordError] = ()) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.record_errors = record_errors


def code_of(error: KafkaFault | StoreError) -> ErrorCode:
    """What the row of a partition says of an error; a store's is one that clients try again after."""
    return error.code if isinstance(error, KafkaFault) else ErrorCode.KAFKA_STORAGE_ERROR
