"""What tests of partitions share: a store in a folder, a clock, batches as clients send them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cloudlet.engines.disk_logs import DiskLogs
from cloudlet.engines.disk_partitions import DiskPartitions
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.partition import Partition
from cloudlet.kafka.record_reader import read_records
from cloudlet.kernel.batches import header
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.logs import LogName
from cloudlet.wire.kafka.records import Producer, Record, encode

TOPIC_ID = bytes(range(16))
NOW_MS = 1_700_000_000_000


@dataclass
class World:
    """A logs store that can be closed and opened again."""

    folder: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW_MS))
    descriptors_max: int = 64

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.logs = DiskLogs.open(self.folder, descriptors_max=self.descriptors_max, flush_interval_ms=1)
        self.partitions = DiskPartitions(self.logs)

    async def reopen(self) -> None:
        await self.logs.close()
        self.open()

    def move_clock(self, step_ms: int) -> None:
        """A step of cloud time, after all that was done before."""
        self.clock.pass_ms(1)
        self.clock.advance_ms(step_ms)

    def partition(self, settings: LogSettings | None = None, name: str = "t-0", **more: int) -> Partition:
        topic, _, index = name.rpartition("-")
        return Partition.open(
            self.partitions,
            LogName(f"kafka/1/{name}"),
            topic,
            int(index),
            TOPIC_ID,
            settings or LogSettings(),
            self.clock,
            **more,
        )


def batch(
    *values: str | None,
    key: str | None = None,
    time_ms: int = NOW_MS,
    producer: Producer = Producer(),  # noqa: B008  # frozen
    attributes: int = 0,
) -> bytes:
    """A batch as a client sends it, one record a value."""
    keyed = None if key is None else key.encode()
    records = [Record(None if value is None else value.encode(), keyed, time_ms) for value in values]
    return encode(records, producer=producer, attributes=attributes)


def contents(partition: Partition, start: int | None = None) -> list[tuple[int, bytes | None]]:
    """Every record of the log, control records too, whether committed or not."""
    log, found = partition.log, []
    offset = log.start if start is None else start
    first = offset
    while offset < log.stop:
        raw, position = log.read(offset, 5_000), 0
        while position < len(raw):
            found += [(record.offset, record.value) for record in read_records(raw, position)]
            one = header(raw, position)
            position, offset = position + one.size_bytes, one.next_offset
    return [entry for entry in found if entry[0] >= first]


def offsets(entries: Sequence[tuple[int, bytes | None]]) -> list[int]:
    return [offset for offset, _ in entries]
