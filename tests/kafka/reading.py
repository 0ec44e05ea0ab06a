"""Reads partitions as a consumer does."""

from __future__ import annotations

from dataclasses import dataclass

from cloudlet.kafka.partition import Isolation, Partition
from cloudlet.kafka.record_reader import read_records
from cloudlet.kernel.batches import header
from cloudlet.wire.kafka.records import CONTROL, TRANSACTIONAL


@dataclass(frozen=True)
class Entry:
    """One record."""

    offset: int
    key: bytes
    value: bytes | None
    time_ms: int


def newest(entries: list[Entry]) -> dict[bytes, bytes]:
    """Key -> value, deleted keys left out."""
    found: dict[bytes, bytes] = {}
    for entry in entries:
        if entry.value is None:
            found.pop(entry.key, None)
        else:
            found[entry.key] = entry.value
    return found


def records(partition: Partition, isolation: Isolation) -> list[Entry]:
    """What a consumer makes of what it is given: small fetches, aborted transactions passed over."""
    found: list[Entry] = []
    offset = partition.start_offset
    aborting: set[int] = set()
    while True:
        fetched = partition.read(offset, bytes_max=400, isolation=isolation)
        to_come = sorted(fetched.aborted or [], key=lambda entry: entry[1])
        aborting.clear()
        position = 0
        while position < len(fetched.records):
            batch = header(fetched.records, position)
            while to_come and to_come[0][1] < batch.next_offset:
                aborting.add(to_come.pop(0)[0])
            if batch.attributes & CONTROL:
                if any(marker.key == b"\0\0\0\0" for marker in read_records(fetched.records, position)):
                    aborting.discard(batch.producer_id)
            elif not (batch.attributes & TRANSACTIONAL and batch.producer_id in aborting):
                found += [
                    Entry(record.offset, record.key or b"", record.value, record.timestamp_ms)
                    for record in read_records(fetched.records, position)
                    if record.offset >= offset
                ]
            offset = max(offset, batch.next_offset)
            position += batch.size_bytes
        if not position:
            return found
