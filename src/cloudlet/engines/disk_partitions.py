"""The logs of Kafka partitions on disk: what kernel/partition_logs.py asks for, over the logs store's files.

State   see disk_partition_log
Source  kernel/partition_logs.py; docs/decisions/0003-logs-and-blobs.md
Absent  none

An append is one `pwrite` on the event loop's thread. It is not synced, unless somebody settles: as with
Kafka, the operating system writes it back; a sealed segment is synced soon, the active one when the owner of
all hurries the flusher every few seconds. Until then its index is not written either, so what a crash leaves
to be looked at is the appends of those seconds.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

from cloudlet.engines.disk_files import ASIDE, read_checkpoint, write_checkpoint
from cloudlet.engines.disk_logs import DiskLogs, refuse_sync, refuse_write, write_rest
from cloudlet.engines.disk_partition_log import PartitionDiskLog, no_snapshot
from cloudlet.engines.disk_partition_segment import PartitionSegment
from cloudlet.kernel.batches import end_offset
from cloudlet.kernel.fault import OutOfRange, StoreError
from cloudlet.kernel.logs import LogName
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

REPLAY_BYTES = 1 << 20


class DiskPartitions:
    """The engine."""

    def __init__(self, logs: DiskLogs) -> None:
        self._logs = logs

    def open(
        self, name: LogName, topic_id: bytes, options: Options, snapshot: Callable[[], bytes]
    ) -> DiskPartition:
        log = self._logs.find(name)
        if log is None:
            log = self._logs.new(name, is_partition=True)
            assert isinstance(log, PartitionDiskLog)
            try:
                log.identify(topic_id)
            except OSError as error:
                refuse_write(error)
            self._logs.make(log)
        if not isinstance(log, PartitionDiskLog):
            raise AssertionError(f"{name} is no partition's log")
        return DiskPartition(self._logs, log, options, snapshot)

    def release(self, log: PartitionLog) -> None:
        assert isinstance(log, DiskPartition)
        log.let_go()

    def hurry(self) -> None:
        self._logs.flusher.hurry()

    def glance(self, name: LogName) -> Glance | None:
        try:
            with os.scandir(f"{self._logs.root}/{name}") as entries:
                stats = sorted((entry.name, entry.stat()) for entry in entries if entry.name.endswith(".log"))
        except FileNotFoundError:
            return None
        if not stats:
            return None
        oldest_ms = stats[0][1].st_mtime_ns // 1_000_000
        return Glance(len(stats), sum(stat.st_size for _, stat in stats), oldest_ms)

    # The folder of a broker's logs

    def read_offsets(self, folder: str, file: str) -> dict[str, int]:
        lines = read_checkpoint(f"{self._logs.root}/{folder}/{file}") or []
        return {f"{words[0]} {words[1]}": int(words[2]) for words in lines if len(words) == 3}

    def write_offsets(self, folder: str, file: str, offsets: Mapping[str, int]) -> None:
        path = f"{self._logs.root}/{folder}/{file}"
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            lines = [f"{name} {offset}" for name, offset in sorted(offsets.items())]
            write_checkpoint(path, lines, durable=False)
        except OSError as error:
            refuse_write(error)

    def read_text(self, folder: str, file: str) -> str | None:
        try:
            with open(f"{self._logs.root}/{folder}/{file}", encoding="utf-8") as found:
                return found.read()
        except FileNotFoundError:
            return None

    def write_text(self, folder: str, file: str, text: str | None) -> None:
        path = f"{self._logs.root}/{folder}/{file}"
        try:
            if text is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                return
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            with open(path + ASIDE, "w", encoding="utf-8") as found:
                found.write(text)
            os.replace(path + ASIDE, path)
        except OSError as error:
            refuse_write(error)


class DiskPartition:
    """An open log."""

    __slots__ = ("_files", "_flusher", "_log", "name")

    def __init__(
        self, logs: DiskLogs, log: PartitionDiskLog, options: Options, snapshot: Callable[[], bytes]
    ) -> None:
        self.name = log.name
        self._log = log
        self._files = logs.files
        self._flusher = logs.flusher
        log.snapshot = snapshot
        self.options = options

    def let_go(self) -> None:
        """The owner's state is no longer asked for."""
        self._log.snapshot = no_snapshot

    @property
    def options(self) -> Options:
        return self._log.options

    @options.setter
    def options(self, options: Options) -> None:
        self._log.options = options
        self._log.active.interval_bytes = options.index_interval_bytes

    @property
    def start(self) -> int:
        return self._log.start

    @property
    def stop(self) -> int:
        return self._log.stop

    @property
    def epoch(self) -> int:
        return self._log.epoch

    @property
    def topic_id(self) -> bytes:
        return self._log.topic_id()

    @property
    def size_bytes(self) -> int:
        return sum(segment.size for segment in self._log.segments)

    @property
    def active_base(self) -> int:
        return self._log.active.base

    # Batches

    def append(self, data: Bytes, marks: Sequence[Mark], cloud_ms: Callable[[], int]) -> None:
        log = self._log
        if self._flusher.failure is not None:
            self.check()
        length, last = len(data), marks[-1]
        stop = last[1] + 1
        segment = log.active
        if segment.size:
            try:
                wants_roll = log.wants_roll(length, stop, last[2], cloud_ms)
            except OSError as error:
                refuse_write(error)
            if wants_roll:
                self.roll(cloud_ms())
                segment = log.active
        else:
            segment.created_ms = cloud_ms()
        size = segment.size
        fd = segment.fd
        if fd < 0 or not segment.loaded:
            self._check_there()
            try:
                fd = log.ready(segment).fd
            except OSError as error:
                refuse_write(error)
        segment.used = True
        try:
            if os.pwrite(fd, data, size) != length:
                write_rest(fd, data, size)
        except OSError as error:
            os.ftruncate(fd, size)
            refuse_write(error)
        for position, last_offset, timestamp_ms in marks:
            segment.mark(size + position, last_offset, timestamp_ms)
        segment.size = size + length
        log.stop = stop
        if not segment.dirty:
            self._flusher.later(segment)

    def _check_there(self) -> None:
        if self._log.active.gone:
            raise StoreError(f"{self.name} was deleted")

    def read(self, offset: int, bytes_max: int) -> bytes:
        log = self._log
        if log.active.gone:
            self._check_there()
        if offset == log.stop:
            return b""
        log.check_ends(offset)
        try:
            return log.read(offset, bytes_max)
        except OSError as error:
            raise StoreError(str(error)) from error

    def replay(self, offset: int) -> Iterator[bytes]:
        log = self._log
        offset = max(offset, log.segments[0].base)
        while offset < log.stop:
            with _told():
                batches = log.read(offset, REPLAY_BYTES)
            if not batches:
                return
            yield batches
            offset = end_offset(batches)

    def roll(self, now_ms: int) -> None:
        log = self._log
        self._check_there()
        if log.active.size:
            try:
                log.roll()
            except OSError as error:
                refuse_write(error)
        log.active.created_ms = now_ms

    def trim(self, start: int) -> None:
        log = self._log
        self._check_there()
        if start > log.stop:
            raise OutOfRange(log.start, log.stop)
        if start > log.start:
            try:
                log.trim(start)
            except OSError as error:
                refuse_write(error)

    def truncate(self, stop: int) -> None:
        log = self._log
        log.check_ends(stop)
        if stop < log.stop:
            log.truncate(stop)
            self._flusher.later(log.active)

    def truncate_fully(self, start: int) -> None:
        self._log.start_over(start)

    # Times

    def offset_before(self, timestamp_ms: int) -> int | None:
        log = self._log
        with _told():
            for segment in log.segments:
                if segment.size and log.measured(segment).max_timestamp >= timestamp_ms:
                    log.ready(segment)
                    return max(segment.offset_before(timestamp_ms), log.start)
        return None

    def latest(self) -> tuple[int, int]:
        found = (-1, -1)
        with _told():
            for segment in self._log.segments:
                if segment.size and self._log.measured(segment).max_timestamp > found[0]:
                    found = segment.max_timestamp, segment.max_timestamp_offset
        return found

    def spans(self) -> Sequence[Span]:
        log = self._log
        self._check_there()
        stops = [segment.base for segment in log.segments[1:]] + [log.stop]
        return [
            Span(
                segment.base,
                stop,
                segment.size,
                log.measured(segment).max_timestamp if segment.size else -1,
                os.stat(segment.path).st_mtime_ns // 1_000_000,
            )
            for segment, stop in zip(log.segments, stops, strict=True)
        ]

    # Epochs

    def begin_epoch(self, epoch: int) -> None:
        log = self._log
        if epoch <= log.epoch:
            return
        before = log.epochs, log.epoch
        log.epochs = list(log.epochs)
        log.note_epoch(epoch, log.stop)
        try:
            log.save_epochs(durable=False)
        except OSError as error:
            log.epochs, log.epoch = before
            refuse_write(error)

    def epochs(self) -> Sequence[EpochStart]:
        log = self._log  # a log that was never in another epoch than 0 has no file of them
        return [EpochStart(*entry) for entry in log.epochs] or [EpochStart(log.epoch, log.start)]

    # Transactions

    def aborted(self, start: int, stop: int) -> Sequence[Aborted]:
        log = self._log
        found: list[Aborted] = []
        for segment in log.segments[max(log.segment_of(start), 0) :]:
            for entry in self._aborted_of(segment):
                if entry.last_offset >= start and entry.first_offset < stop:
                    found.append(entry)
                if entry.last_stable_offset >= stop:
                    return found
        return found

    def _aborted_of(self, segment: PartitionSegment) -> Sequence[Aborted]:
        with _told():
            return self._files.with_room(segment.aborted)

    def note_aborted(self, entry: Aborted) -> None:
        log = self._log
        try:
            segment = log.segments[log.segment_of(entry.last_offset)]
            self._files.with_room(segment.aborted)
            segment.note_aborted(entry)
        except OSError as error:
            refuse_write(error)

    def forget_aborted(self, start: int) -> None:
        self._log.forget_aborted(start)

    # Snapshots

    def snapshots(self) -> Sequence[int]:
        return self._log.snapshots

    def read_snapshot(self, offset: int) -> bytes:
        with _told():
            return self._files.with_room(lambda: self._log.read_snapshot(offset))

    def write_snapshot(self, offset: int, data: bytes) -> None:
        self._check_there()
        try:
            self._log.write_snapshot(offset, data)
        except OSError as error:
            refuse_write(error)

    def drop_snapshot(self, offset: int) -> None:
        self._log.drop_snapshot(offset)

    # The rest

    def rewrite(
        self, spans: Sequence[Span], batches: Iterable[bytes], aborted: Callable[[], Sequence[Aborted]]
    ) -> Generator[Step, None, bool]:
        try:
            return (yield from self._log.rewrite([span.base for span in spans], batches, aborted))
        except OSError as error:
            refuse_write(error)

    def check(self) -> None:
        if self._flusher.failure is not None:
            refuse_sync(self._flusher, self._flusher.failure)

    async def settle(self) -> None:
        try:
            await self._flusher.settle(self._log.active)
        except OSError as error:
            refuse_sync(self._flusher, error)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What the files refuse to a reader is the store's refusal."""
    try:
        yield
    except OSError as error:
        raise StoreError(str(error)) from error
