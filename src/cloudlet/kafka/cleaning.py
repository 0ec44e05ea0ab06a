"""Compaction: of each key, the newest record stays.

State   none: how far a log is clean is `Partition.cleaned_to`, kept in `cleaner-offset-checkpoint`
Source  Apache Kafka 4.3, Cleaner, LogCleanerManager, MemoryRecords.filterTo; KIP-534
Absent  keys of batches whose codec cannot be read: such a batch stays as it is, and no tombstone goes
        while the log has one

Theory of operation
    A pass goes over the dirty part of the log and notes the newest offset of each key; then it goes over the
    log from its start and writes what stays, segment group by segment group, and puts each in the place of
    the old ones at once (engines/disk_partition_log.py):

        start ...... cleaned_to ............ uncleanable ......... stop
            clean          dirty: keys are noted    active segment, open transactions, too young

    A record goes if a newer one of its key was noted. A tombstone (no value) and a transaction's marker are
    still wanted by those who read from the start: the first pass that would let them go writes a *delete
    horizon* into their batch instead (in the field of the base timestamp), and a pass after it lets them go.
    The records of aborted transactions go at once, a marker when its transaction has no records left.

    What a producer's state is rebuilt from stays, though emptied: the last batch of every producer that is
    remembered; and the last batch of the pass, so that the log does not lose its end.

    All of it is a generator that yields every few hundred records: whoever runs it gives the loop its turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from cloudlet.kafka.compressing import packing
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.partition import Partition
from cloudlet.kafka.record_reader import RecordView, Unreadable, read_records, read_slowly
from cloudlet.kafka.turns import Steps
from cloudlet.kernel.batches import Header, header
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.partition_logs import Aborted, PartitionLog, Span, Step
from cloudlet.wire.kafka.records import CONTROL, TRANSACTIONAL
from cloudlet.wire.kafka.thinning import DELETE_HORIZON, thinned

KEYS_MAX = 1_000_000
"""Keys noted in a pass; some 150 bytes each. What is beyond them is left to the next pass."""
KEY_BYTES_MAX = 32  # a longer key is noted by a digest of 16 bytes
READ_BYTES = 256 << 10


class Extent(NamedTuple):
    """What a pass would clean: offsets [start, stop) are dirty; bytes before and within."""

    start: int
    stop: int
    clean_bytes: int
    dirty_bytes: int
    oldest_ms: int  # the highest timestamp of the first dirty segment, -1 if there is none

    @property
    def ratio(self) -> float:
        whole = self.clean_bytes + self.dirty_bytes
        return self.dirty_bytes / whole if whole else 0.0


def extent(partition: Partition, clock: Clock) -> Extent:
    """The part of a log that may be cleaned now."""
    log, settings = partition.log, partition.settings
    spans = log.spans()
    start = partition.cleaned_to
    if not log.start <= start <= log.stop:
        start = log.start
    start = max((span.base for span in spans if span.base <= start), default=spans[0].base)
    stop = min(partition.last_stable_offset, spans[-1].base)
    if settings.min_compaction_lag_ms > 0:
        now_ms = clock.cloud_ms()
        for span in spans:
            if span.base >= start and now_ms - clock.cloud_at(_time(span)) < settings.min_compaction_lag_ms:
                stop = min(stop, span.base)
                break
    clean = sum(span.size_bytes for span in spans if span.base < start)
    dirty = [span for span in spans if start <= span.base < stop and span.stop <= stop and span.size_bytes]
    oldest_ms = _time(dirty[0]) if dirty else -1
    return Extent(start, max(start, stop), clean, sum(span.size_bytes for span in dirty), oldest_ms)


def _time(span: Span) -> int:
    return span.max_timestamp_ms if span.max_timestamp_ms >= 0 else span.written_ms


def is_due(found: Extent, settings: LogSettings, clock: Clock) -> bool:
    """Whether a pass is worth it, or owed by max.compaction.lag.ms."""
    if not settings.is_compacted or not found.dirty_bytes:
        return False
    if clock.cloud_ms() - clock.cloud_at(found.oldest_ms) > settings.max_compaction_lag_ms:
        return True
    return found.ratio > settings.min_cleanable_dirty_ratio


def clean(partition: Partition, found: Extent, clock: Clock) -> Iterator[Step]:
    """One pass; `partition.cleaned_to` is where the next one begins."""
    log = partition.log
    newest: dict[bytes, int] = {}
    stop, is_readable = yield from _note_keys(log, found, newest)
    if stop <= found.start:
        return
    transactions = Transactions(log.aborted(log.start, stop))
    cleaner = _Cleaner(partition, newest, transactions, stop, clock.cloud_ms(), drops_tombstones=is_readable)
    for group in _groups(log, stop, partition.settings):
        transactions.kept.clear()
        if not (yield from log.rewrite(group, cleaner.batches(log, group), lambda: transactions.kept)):
            return
    partition.cleaned_to = stop


def _groups(log: PartitionLog, stop: int, settings: LogSettings) -> list[list[Span]]:
    """The segments below `stop`, as many in a group as make up one segment."""
    groups: list[list[Span]] = []
    for span in log.spans()[:-1]:
        if span.stop > stop:
            break
        last = groups[-1] if groups else []
        size = sum(member.size_bytes for member in last) + span.size_bytes
        if last and size <= settings.segment_bytes and span.stop - last[0].base < 1 << 31:
            last.append(span)
        else:
            groups.append([span])
    return groups


def _walk(log: PartitionLog, start: int, stop: int) -> Iterator[tuple[Header, bytes]]:
    """The batches of the offsets [start, stop), a segment's or more, as far as the log has them."""
    offset = max(start, log.start)
    while offset < stop:
        raw, position = log.read(offset, READ_BYTES), 0
        if not raw:
            return
        while position < len(raw):
            found = header(raw, position)
            if found.base_offset >= stop:
                return
            yield found, raw[position : position + found.size_bytes]
            position += found.size_bytes
            offset = found.next_offset


def _mark(key: bytes) -> bytes:
    return key if len(key) <= KEY_BYTES_MAX else blake2b(key, digest_size=16).digest()


def _note_keys(
    log: PartitionLog, found: Extent, newest: dict[bytes, int]
) -> Generator[None, None, tuple[int, bool]]:
    """Note the newest offset of each key; the offset up to which that was done, a segment's end, and whether
    every batch could be read."""
    stop, is_readable = found.start, True
    transactions = Transactions(log.aborted(found.start, found.stop))
    spans = [span for span in log.spans() if found.start <= span.base and span.stop <= found.stop]
    for span in spans:
        for batch, raw in _walk(log, span.base, span.stop):
            yield
            if transactions.is_discarded(batch, raw) or batch.attributes & CONTROL:
                continue
            try:
                for record in read_slowly(raw):
                    if record is None:
                        yield
                    elif record.key is not None:
                        newest[_mark(record.key)] = record.offset
            except Unreadable:
                is_readable = False
        yield
        stop = span.stop
        if len(newest) >= KEYS_MAX:
            break
    if stop < found.stop and not spans:
        stop = found.start
    return stop, is_readable


class Transactions:
    """Which transactions the batches belong to, in the order in which they are read."""

    def __init__(self, aborted: Sequence[Aborted]) -> None:
        self._to_come = deque(sorted(aborted, key=lambda entry: entry.first_offset))
        self._aborted: dict[int, tuple[Aborted, bool]] = {}  # by producer; whether it has records left
        self._committed: set[int] = set()  # producers with records
        self.kept: list[Aborted] = []

    def is_discarded(self, batch: Header, raw: bytes) -> bool:
        """Whether a batch, the next one in the log, is of no use to a reader: records of an aborted
        transaction, the marker of one without records."""
        while self._to_come and self._to_come[0].first_offset < batch.next_offset:
            entry = self._to_come.popleft()
            self._aborted[entry.producer_id] = entry, False
        if batch.attributes & CONTROL:
            return self._ends(batch, raw)
        if not batch.attributes & TRANSACTIONAL:
            return False
        found = self._aborted.get(batch.producer_id)
        if found is None:
            self._committed.add(batch.producer_id)
            return False
        self._aborted[batch.producer_id] = found[0], True
        return True

    def _ends(self, batch: Header, raw: bytes) -> bool:
        for record in read_records(raw):
            kind = int.from_bytes((record.key or b"\0\0\xff\xff")[2:4], "big")
            if kind == 0:
                entry, has_records = self._aborted.pop(batch.producer_id, (None, False))
                if entry is not None and has_records:
                    self.kept.append(entry)
                    return False
                return True
            if kind == 1:
                has_records = batch.producer_id in self._committed
                self._committed.discard(batch.producer_id)
                return not has_records
            return False  # no marker of a transaction
        return True  # an emptied one


class _Cleaner:
    """What stays of each batch in one pass."""

    def __init__(
        self,
        partition: Partition,
        newest: dict[bytes, int],
        transactions: Transactions,
        stop: int,
        now_ms: int,
        *,
        drops_tombstones: bool,
    ) -> None:
        self._newest = newest
        self._transactions = transactions
        self._stop = stop
        self._now_ms = now_ms
        self._retention_ms = partition.settings.delete_retention_ms
        self._drops_tombstones = drops_tombstones
        self._last_of: dict[int, int] = {}
        self._epoch_of: dict[int, int] = {}
        for producer in partition.producers:
            if producer.batches:
                self._last_of[producer.id] = producer.batches[-1].last_offset
            else:
                self._epoch_of[producer.id] = producer.epoch

    def batches(self, log: PartitionLog, group: Sequence[Span]) -> Iterator[bytes]:
        """What is written in place of a group of segments; empty bytes only give the loop its turn."""
        for batch, raw in _walk(log, group[0].base, group[-1].stop):
            is_discarded = self._transactions.is_discarded(batch, raw)
            records: list[RecordView] = []
            try:
                for record in read_slowly(raw):
                    if record is None:
                        yield b""
                    else:
                        records.append(record)
            except Unreadable:
                if not is_discarded:
                    yield raw
                    continue
            steps = self._stays(batch, raw, records, is_discarded=is_discarded)
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    yield end.value
                    break
                yield b""

    def _stays(
        self, batch: Header, raw: bytes, records: list[RecordView], *, is_discarded: bool
    ) -> Steps[bytes]:
        is_marker = bool(batch.attributes & CONTROL)
        has_horizon = bool(batch.attributes & DELETE_HORIZON)
        is_past = has_horizon and batch.base_timestamp_ms <= self._now_ms
        if is_marker:
            kept = [] if is_discarded and is_past else records
            wants_horizon = is_discarded
        else:
            kept = [] if is_discarded else [r for r in records if self._keeps(r, is_past=is_past)]
            wants_horizon = any(record.value is None for record in kept)
        if not kept and not self._holds_state(batch):
            return b""
        horizon_ms = self._now_ms + self._retention_ms if wants_horizon and not has_horizon and kept else None
        if len(kept) == batch.records_count and horizon_ms is None:
            return raw
        return (
            yield from thinned(batch, [record.encoded for record in kept], _times(kept), horizon_ms, packing)
        )

    def _keeps(self, record: RecordView, *, is_past: bool) -> bool:
        if record.key is None:
            return False
        if record.offset >= self._stop:
            return True
        if record.offset < self._newest.get(_mark(record.key), -1):
            return False
        return record.value is not None or not is_past or not self._drops_tombstones

    def _holds_state(self, batch: Header) -> bool:
        last = batch.next_offset - 1
        if batch.next_offset == self._stop:
            return True
        if batch.producer_id < 0:
            return False
        if batch.producer_id in self._last_of:
            return self._last_of[batch.producer_id] == last
        is_marker = bool(batch.attributes & CONTROL)
        return is_marker and self._epoch_of.get(batch.producer_id) == batch.producer_epoch


def _times(records: Sequence[RecordView]) -> list[int]:
    return [record.timestamp_ms for record in records]
