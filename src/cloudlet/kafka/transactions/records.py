"""Transactions in the records of __transaction_state.

State   none
Source  Apache Kafka 4.3, TransactionLogKey, TransactionLogValue, TransactionLog
Absent  the epoch that comes next (a tag of version 1 that Kafka keeps for two-phase commits)
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from cloudlet.kafka.transactions.states import NO_EPOCH, Place, State, Transaction
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.codec import decode_versioned, encode_versioned, version_of
from cloudlet.wire.kafka.records import Record

KEY_VERSION = 0
VALUE_VERSION = 1


def encode_transaction(transaction: Transaction) -> Record:
    """A transaction as it is written."""
    schema = messages.TransactionLogValue.PartitionsSchema
    partitions = None
    if transaction.state is not State.EMPTY:
        partitions = [
            schema(Topic=topic, PartitionIds=indexes) for topic, indexes in by_topic(transaction.partitions)
        ]
    value = messages.TransactionLogValue(
        ProducerId=transaction.producer_id,
        PreviousProducerId=transaction.previous_producer_id,
        NextProducerId=transaction.next_producer_id,
        ProducerEpoch=transaction.epoch,
        TransactionTimeoutMs=transaction.timeout_ms,
        TransactionStatus=transaction.state,
        TransactionPartitions=partitions,
        TransactionLastUpdateTimestampMs=transaction.updated_ms,
        TransactionStartTimestampMs=transaction.started_ms,
        ClientTransactionVersion=transaction.version,
    )
    return Record(encode_versioned(value, VALUE_VERSION), encode_key(transaction.id))


def encode_key(transactional_id: str) -> bytes:
    return encode_versioned(messages.TransactionLogKey(TransactionalId=transactional_id), KEY_VERSION)


def tombstone(transactional_id: str) -> Record:
    """An id that is forgotten."""
    return Record(None, encode_key(transactional_id))


def decode_transaction(key: bytes, value: bytes | None) -> tuple[str, Transaction | None] | None:
    """The id, and what is known of it; None for a record of a kind that is not known. ProtocolError."""
    if version_of(key) != KEY_VERSION:
        return None
    transactional_id = decode_versioned(messages.TransactionLogKey, key).TransactionalId
    if value is None:
        return transactional_id, None
    found = decode_versioned(messages.TransactionLogValue, value)
    places = frozenset(
        (topic.Topic, index) for topic in found.TransactionPartitions or () for index in topic.PartitionIds
    )
    state = State(found.TransactionStatus)
    # The epoch before is not in the log: of a transaction that was ended by version 2 it is the one below.
    is_ended = found.ClientTransactionVersion >= 2 and (state.is_prepared or state.is_complete)
    return transactional_id, Transaction(
        transactional_id,
        found.ProducerId,
        found.ProducerEpoch,
        found.TransactionTimeoutMs,
        state,
        places,
        found.TransactionStartTimestampMs,
        found.TransactionLastUpdateTimestampMs,
        found.PreviousProducerId,
        found.NextProducerId,
        found.ProducerEpoch - 1 if is_ended and found.ProducerEpoch > 0 else NO_EPOCH,
        found.ClientTransactionVersion,
    )


def by_topic(places: Iterable[Place]) -> list[tuple[str, list[int]]]:
    """Partitions grouped by topic, in order."""
    return [
        (topic, [index for _, index in group])
        for topic, group in groupby(sorted(places), key=lambda place: place[0])
    ]
