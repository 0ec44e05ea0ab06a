"""Whether what a producer writes is part of its transaction: asked before the first write to a partition.

State   none
Source  Apache Kafka 4.3, AddPartitionsToTxnManager; KIP-890 (verification, and partitions that are added by
        writing to them)
Absent  none

A partition that has an open transaction of the producer needs no asking. For any other one the coordinator is
asked: clients of transactions v2 have the partition added, older ones must have added it before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cloudlet.kafka.call import Call
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.hashes import java_hash
from cloudlet.kafka.topics import OFFSETS_TOPIC, TopicImage
from cloudlet.kafka.transactions.coordinator import Transactions
from cloudlet.kafka.transactions.states import Identity, Place
from cloudlet.kernel.batches import HEADER_BYTES, header
from cloudlet.kernel.fault import ProtocolError, StoreError
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import TRANSACTIONAL

PRODUCE_V2_SINCE = 12  # the versions of clients that speak transactions v2
OFFSETS_V2_SINCE = 5
PRODUCE_ABORTABLE_SINCE = 11  # the versions whose clients know TRANSACTION_ABORTABLE
OFFSETS_ABORTABLE_SINCE = 4
PRODUCE_BY_ID_SINCE = 13

# What a producer is told for what the coordinator says: these it tries again.
_AGAIN = frozenset(
    {
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
    }
)


class Verdicts(NamedTuple):
    """What the coordinator says of a Produce: what it has against some partitions, and which others it was
    asked about. None: it has not to be asked."""

    refused: Mapping[Place, KafkaFault]
    verified: frozenset[Place] | None


UNASKED = Verdicts({}, None)


async def ask(call: Call, request: messages.ProduceRequest) -> Verdicts:
    """Ask the coordinator about the partitions of a transactional Produce that know no open transaction."""
    transactional_id = request.TransactionalId
    if transactional_id is None:
        return UNASKED
    is_v2 = call.api_version >= PRODUCE_V2_SINCE
    if not is_v2 and not call.broker.configs.flag("transaction.partition.verification.enable"):
        return UNASKED
    unsure: dict[Identity, list[Place]] = {}
    found: dict[Place, KafkaFault] = {}
    for topic in request.TopicData:
        image = _image(call, topic)
        if image is None:
            continue
        for data in topic.PartitionData:
            place = image.name, data.Index
            try:
                who = _unsure(call, image, data, is_v2=is_v2)
            except KafkaFault as fault:
                found[place] = fault
                continue
            if who is not None:
                unsure.setdefault(who, []).append(place)
    transactions = call.broker.part(Transactions)
    for said, places in unsure.items():
        try:
            if is_v2:
                await transactions.add_partitions(transactional_id, said, places, version=2)
            else:
                refusal = _not_added(is_told=call.api_version >= PRODUCE_ABORTABLE_SINCE)
                missing = await transactions.missing(transactional_id, said, places)
                found |= dict.fromkeys(missing, refusal)
        except KafkaFault as fault:
            found |= dict.fromkeys(places, _as_told(fault, is_v2=is_v2))
    return Verdicts(found, frozenset(place for places in unsure.values() for place in places))


def _image(call: Call, topic: messages.ProduceRequest.TopicProduceData) -> TopicImage | None:
    topics = call.broker.topics
    if call.api_version >= PRODUCE_BY_ID_SINCE:
        return topics.by_id.get(topic.TopicId)
    return topics.by_name.get(topic.Name)


def _unsure(
    call: Call, image: TopicImage, data: messages.ProduceRequest.PartitionProduceData, *, is_v2: bool
) -> Identity | None:
    """Who writes, where the partition does not know of an open transaction; what else is wrong with the batch
    is found by the append. KafkaFault."""
    records = data.Records
    if not records or len(records) < HEADER_BYTES or not 0 <= data.Index < len(image.states):
        return None
    try:
        found = header(bytes(records[:HEADER_BYTES]))
        if not found.attributes & TRANSACTIONAL:
            return None
        partition = call.broker.open(image, data.Index)
    except (StoreError, ProtocolError):
        return None
    who = Identity(found.producer_id, found.producer_epoch)
    return who if partition.verify(*who, found.base_sequence, is_v2=is_v2) else None


def _as_told(fault: KafkaFault, *, is_v2: bool) -> KafkaFault:
    if fault.code in _AGAIN or (fault.code is ErrorCode.CONCURRENT_TRANSACTIONS and not is_v2):
        return KafkaFault(
            ErrorCode.NOT_ENOUGH_REPLICAS,
            f"Unable to verify the partition has been added to the transaction: {fault.code.name}",
        )
    if fault.code is ErrorCode.PRODUCER_FENCED:
        return KafkaFault(ErrorCode.INVALID_PRODUCER_EPOCH, fault.message)
    return fault


def _not_added(*, is_told: bool) -> KafkaFault:
    code = ErrorCode.TRANSACTION_ABORTABLE if is_told else ErrorCode.INVALID_TXN_STATE
    return KafkaFault(code, "The partition was not added to the transaction.")


async def offsets_place(call: Call, group: str) -> Place:
    """The partition that a group's offsets go to."""
    image = await call.broker.internal_topic(OFFSETS_TOPIC)
    return image.name, java_hash(group) % len(image.states)


async def check_offsets(call: Call, request: messages.TxnOffsetCommitRequest) -> None:
    """The same for offsets that are committed in a transaction. KafkaFault."""
    if not request.GroupId:
        raise KafkaFault(ErrorCode.INVALID_GROUP_ID)
    said = Identity(request.ProducerId, request.ProducerEpoch)
    place = await offsets_place(call, request.GroupId)
    transactions = call.broker.part(Transactions)
    is_v2 = call.api_version >= OFFSETS_V2_SINCE
    try:
        if is_v2:
            await transactions.add_partitions(request.TransactionalId, said, [place], version=2)
            return
        missing = await transactions.missing(request.TransactionalId, said, [place])
    except KafkaFault as fault:
        raise _as_told(fault, is_v2=is_v2) from None
    if missing:
        raise _not_added(is_told=call.api_version >= OFFSETS_ABORTABLE_SINCE)
