"""What a share fetch reads of one partition, and what of it is for the group.

State   none
Source  Apache Kafka 4.3: ShareFetchUtils, SharePartition (filterAbortedTransactionalAcquiredRecords); KIP-98
Absent  none
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cloudlet.kafka.partition import Fetched, Isolation, Partition
from cloudlet.kernel.batches import Header, header
from cloudlet.wire.kafka.records import CONTROL, TRANSACTIONAL

BYTES_LEAST = 64 << 10
RECORD_BYTES = 1 << 10  # what a record is taken for, when as much is read as records are asked for


class Batch(NamedTuple):
    """Where a batch is: offsets [base, stop), bytes [position, end)."""

    base: int
    stop: int
    position: int
    end: int


class Read(NamedTuple):
    """Some batches of a partition."""

    records: bytes
    batches: tuple[Batch, ...]
    aborted: tuple[tuple[int, int], ...]  # offsets [first, stop) of transactions that were aborted

    @property
    def spans(self) -> list[tuple[int, int]]:
        return [(batch.base, batch.stop) for batch in self.batches]


def read(
    partition: Partition,
    offset: int,
    *,
    bytes_max: int,
    records_max: int,
    isolation: Isolation,
    is_first: bool,
) -> Read | None:
    """What follows an offset, about as much as so many records are; None for nothing. KafkaFault."""
    if offset >= partition.high_watermark:
        return None
    wanted = min(bytes_max, max(BYTES_LEAST, records_max * RECORD_BYTES))
    fetched = partition.read(offset, bytes_max=wanted, isolation=isolation, is_first=is_first)
    return parse(fetched) if fetched.records else None


def parse(fetched: Fetched) -> Read:
    """The batches of what was read, and which of them are of aborted transactions."""
    pending = sorted(fetched.aborted or (), key=lambda entry: entry[1])
    active: set[int] = set()
    batches: list[Batch] = []
    aborted: list[tuple[int, int]] = []
    position, records = 0, fetched.records
    while position < len(records):
        found = header(records, position)
        end = position + found.size_bytes
        batches.append(Batch(found.base_offset, found.next_offset, position, end))
        while pending and pending[0][1] < found.next_offset:
            active.add(pending.pop(0)[0])
        if _is_aborted(found, active):
            aborted.append((found.base_offset, found.next_offset))
        position = end
    return Read(records, tuple(batches), tuple(aborted))


def _is_aborted(found: Header, active: set[int]) -> bool:
    """Whether a batch is of a transaction that was aborted; its marker ends that."""
    if found.producer_id not in active or not found.attributes & TRANSACTIONAL:
        return False
    if found.attributes & CONTROL:
        active.discard(found.producer_id)
        return False
    return True


def cut(found: Read, first: int, last: int) -> bytes:
    """The bytes of the batches that hold records [first, last]."""
    held = [batch for batch in found.batches if batch.stop > first and batch.base <= last]
    return found.records[held[0].position : held[-1].end] if held else b""


def size_of(reads: Sequence[Read]) -> int:
    return sum(len(each.records) for each in reads)
