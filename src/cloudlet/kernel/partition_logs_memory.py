"""The logs of Kafka partitions in memory: the reference of kernel/partition_logs.py.

State   every log's batches by segment, aborted transactions, snapshots, epochs; gone with the process
Source  kernel/partition_logs.py
Absent  none

Nothing is an index here: every search looks at every batch. A log that was released is found again by its
name, as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cloudlet.kernel.batches import header
from cloudlet.kernel.fault import OutOfRange, StoreError
from cloudlet.kernel.logs import LogName, check_name
from cloudlet.kernel.partition_logs import (
    Aborted,
    Bytes,
    EpochStart,
    Glance,
    Mark,
    Options,
    PartitionLog,
    Span,
    Step,
)


class _Batch(NamedTuple):
    base: int
    last: int
    timestamp_ms: int
    data: bytes


class _Segment:
    """Batches from `base` on."""

    def __init__(self, base: int, now_ms: int) -> None:
        self.base = base
        self.written_ms = now_ms
        self.created_ms = now_ms
        self.batches: list[_Batch] = []
        self.aborted: list[Aborted] = []

    @property
    def size_bytes(self) -> int:
        return sum(len(batch.data) for batch in self.batches)

    @property
    def max_timestamp_ms(self) -> int:
        return max((batch.timestamp_ms for batch in self.batches), default=-1)


class MemoryPartitions:
    """The engine."""

    def __init__(self) -> None:
        self._logs: dict[LogName, MemoryPartition] = {}
        self._offsets: dict[tuple[str, str], dict[str, int]] = {}
        self._texts: dict[tuple[str, str], str] = {}

    def open(
        self, name: LogName, topic_id: bytes, options: Options, snapshot: Callable[[], bytes]
    ) -> MemoryPartition:
        log = self._logs.get(name)
        if log is None:
            check_name(name)
            log = self._logs[name] = MemoryPartition(name, topic_id)
        log.options, log.snapshot = options, snapshot
        return log

    def release(self, log: PartitionLog) -> None:
        log.snapshot = bytes

    def drop(self, name: LogName) -> None:
        """Delete a log; no error if there is none."""
        log = self._logs.pop(name, None)
        if log is not None:
            log.is_gone = True

    def hurry(self) -> None:
        """There is nothing to sync."""

    def glance(self, name: LogName) -> Glance | None:
        log = self._logs.get(name)
        if log is None:
            return None
        spans = log.spans()
        return Glance(len(spans), log.size_bytes, spans[0].written_ms)

    def read_offsets(self, folder: str, file: str) -> dict[str, int]:
        return dict(self._offsets.get((folder, file), {}))

    def write_offsets(self, folder: str, file: str, offsets: Mapping[str, int]) -> None:
        self._offsets[folder, file] = dict(offsets)

    def read_text(self, folder: str, file: str) -> str | None:
        return self._texts.get((folder, file))

    def write_text(self, folder: str, file: str, text: str | None) -> None:
        if text is None:
            self._texts.pop((folder, file), None)
        else:
            self._texts[folder, file] = text


class MemoryPartition:
    """One log."""

    def __init__(self, name: LogName, topic_id: bytes) -> None:
        self.name = name
        self.topic_id = topic_id
        self.options = Options()
        self.snapshot: Callable[[], bytes] = bytes
        self.start = 0
        self.stop = 0
        self.is_gone = False
        self._epochs: list[EpochStart] = []
        self._segments = [_Segment(0, 0)]
        self._snapshots: dict[int, bytes] = {}

    @property
    def epoch(self) -> int:
        return self._epochs[-1].epoch if self._epochs else 0

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self._segments)

    @property
    def active_base(self) -> int:
        return self._segments[-1].base

    def _check_there(self) -> None:
        if self.is_gone:
            raise StoreError(f"{self.name} was deleted")

    def _batches(self) -> Iterator[_Batch]:
        for segment in self._segments:
            yield from segment.batches

    # Batches

    def append(self, data: Bytes, marks: Sequence[Mark], cloud_ms: Callable[[], int]) -> None:
        self._check_there()
        now_ms = cloud_ms()
        if self._wants_roll(len(data), marks[-1], now_ms):
            self.roll(now_ms)
        active = self._segments[-1]
        if not active.batches:
            active.created_ms = now_ms
        raw = bytes(data)
        cuts = [mark.position for mark in marks] + [len(raw)]
        for mark, stop in zip(marks, cuts[1:], strict=True):
            batch = raw[mark.position : stop]
            active.batches.append(
                _Batch(header(batch).base_offset, mark.last_offset, mark.max_timestamp_ms, batch)
            )
        active.written_ms = now_ms
        self.stop = marks[-1].last_offset + 1

    def _wants_roll(self, length: int, last: Mark, now_ms: int) -> bool:
        active, options = self._segments[-1], self.options
        if not active.batches:
            return False
        first_ms = active.batches[0].timestamp_ms
        waited_ms = last.max_timestamp_ms - first_ms if first_ms >= 0 else now_ms - active.created_ms
        return active.size_bytes + length > options.segment_bytes or waited_ms > options.segment_ms

    def read(self, offset: int, bytes_max: int) -> bytes:
        self._check_there()
        if offset == self.stop:
            return b""
        if not self.start <= offset <= self.stop:
            raise OutOfRange(self.start, self.stop)
        for segment in self._segments:
            rest = [batch for batch in segment.batches if batch.last >= offset]
            if rest:
                found = rest[0].data
                for batch in rest[1:]:
                    bytes_max -= len(batch.data)
                    if bytes_max < 0:
                        break
                    found += batch.data
                return found
        return b""

    def replay(self, offset: int) -> Iterator[bytes]:
        for batch in list(self._batches()):
            if batch.last >= offset:
                yield batch.data

    def offset_before(self, timestamp_ms: int) -> int | None:
        for batch in self._batches():
            if batch.timestamp_ms >= timestamp_ms:
                return max(batch.base, self.start)
        return None

    def latest(self) -> tuple[int, int]:
        highest = max((batch.timestamp_ms for batch in self._batches()), default=-1)
        if highest < 0:
            return (-1, -1)
        return highest, next(batch.last for batch in self._batches() if batch.timestamp_ms == highest)

    def spans(self) -> Sequence[Span]:
        self._check_there()
        stops = [segment.base for segment in self._segments[1:]] + [self.stop]
        return [
            Span(segment.base, stop, segment.size_bytes, segment.max_timestamp_ms, segment.written_ms)
            for segment, stop in zip(self._segments, stops, strict=True)
        ]

    def roll(self, now_ms: int) -> None:
        self._check_there()
        if self._segments[-1].batches:
            self.write_snapshot(self.stop, self.snapshot())
            self._segments.append(_Segment(self.stop, now_ms))

    def trim(self, start: int) -> None:
        self._check_there()
        if start > self.stop:
            raise OutOfRange(self.start, self.stop)
        if start <= self.start:
            return
        self.start = start
        if start == self.stop:
            self.roll(self._segments[-1].written_ms)
        while len(self._segments) > 1 and self._segments[1].base <= start:
            del self._segments[0]

    def truncate(self, stop: int) -> None:
        if not self.start <= stop <= self.stop:
            raise OutOfRange(self.start, self.stop)
        kept = [batch for batch in self._batches() if batch.last < stop]
        cut = [batch.base for batch in self._batches() if batch.last >= stop]
        if not cut:
            return
        for segment in self._segments:
            segment.batches = [batch for batch in segment.batches if batch in kept]
        while len(self._segments) > 1 and self._segments[-1].base > cut[0]:
            del self._segments[-1]
        self._end_at(max(cut[0], self.start))

    def truncate_fully(self, start: int) -> None:
        self._segments = [_Segment(start, 0)]
        self._snapshots.clear()
        self.start = start
        self._end_at(start)

    def _end_at(self, stop: int) -> None:
        self.stop = stop
        for offset in [offset for offset in self._snapshots if offset > stop]:
            del self._snapshots[offset]
        self.forget_aborted(stop)
        if self._epochs:
            epoch = self.epoch
            self._epochs = [entry for entry in self._epochs if entry.start < stop]
            self._epochs.append(EpochStart(epoch, stop))

    # Epochs

    def begin_epoch(self, epoch: int) -> None:
        if epoch <= self.epoch:
            return
        if not self._epochs and self.stop > self.start:
            self._epochs.append(EpochStart(0, self.start))
        if self._epochs and self._epochs[-1].start == self.stop:
            self._epochs.pop()
        self._epochs.append(EpochStart(epoch, self.stop))

    def epochs(self) -> Sequence[EpochStart]:
        return list(self._epochs) or [EpochStart(0, self.start)]

    # Transactions

    def aborted(self, start: int, stop: int) -> Sequence[Aborted]:
        return [
            entry
            for segment in self._segments
            for entry in segment.aborted
            if entry.last_offset >= start and entry.first_offset < stop
        ]

    def note_aborted(self, entry: Aborted) -> None:
        held = [segment for segment in self._segments if segment.base <= entry.last_offset]
        held[-1].aborted.append(entry)

    def forget_aborted(self, start: int) -> None:
        for segment in self._segments:
            segment.aborted = [entry for entry in segment.aborted if entry.last_offset < start]

    # Snapshots

    def snapshots(self) -> Sequence[int]:
        return sorted(self._snapshots)

    def read_snapshot(self, offset: int) -> bytes:
        return self._snapshots[offset]

    def write_snapshot(self, offset: int, data: bytes) -> None:
        if data:
            self._snapshots[offset] = data
            bases = {segment.base for segment in self._segments}
            for other in self.snapshots()[:-1]:
                if other not in bases:
                    del self._snapshots[other]

    def drop_snapshot(self, offset: int) -> None:
        del self._snapshots[offset]

    # The rest

    def rewrite(
        self, spans: Sequence[Span], batches: Iterable[bytes], aborted: Callable[[], Sequence[Aborted]]
    ) -> Generator[Step, None, bool]:
        bases = [span.base for span in spans]
        old = [segment for segment in self._segments if segment.base in bases]
        counts = [len(segment.batches) for segment in old]
        new = _Segment(bases[0], old[-1].written_ms)
        for data in batches:
            if data:
                found = header(data)
                new.batches.append(
                    _Batch(found.base_offset, found.next_offset - 1, found.max_timestamp_ms, data)
                )
            yield None
        is_there = [segment for segment in self._segments if segment in old] == old
        if self.is_gone or not is_there or counts != [len(segment.batches) for segment in old]:
            return False
        new.aborted = list(aborted())
        number = self._segments.index(old[0])
        self._segments[number : number + len(old)] = [new]
        return True

    def check(self) -> None:
        """There is nothing to lose."""

    async def settle(self) -> None:
        """There is nothing to sync."""
