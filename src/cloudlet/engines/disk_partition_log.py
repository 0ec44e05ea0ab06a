"""The log of a Kafka partition on disk: a log with snapshots of its producers, whose segments may be
rewritten.

State   the folder of a log (disk_log), its segments (disk_partition_segment), and
        `%020d.snapshot`      the producers' state as of the offset, as the partition encodes it
        `partition.metadata`  the topic's id; it makes the log one of a partition
        `*.cleaned`, `*.swap`   of a rewrite that is under way
Source  Apache Kafka 4.3, LogLoader, UnifiedLog.replaceSegments, PartitionMetadataFile
Absent  none

Theory of operation
    A rewrite puts one segment in the place of several. It is written aside, synced, and becomes what counts
    by one rename; whatever was cut off by a crash is finished or forgotten when the log is loaded:

        N.*.cleaned written   ->  indexes renamed to N.*.swap  ->  N.log.swap     here it counts
            -> the old files moved to the trash  ->  *.swap renamed to their place

        found at loading     .log.cleaned: all of N aside is deleted
                             .log.swap: the segments within its offsets are deleted, and it takes its place
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from typing import ClassVar

from cloudlet.engines.disk_files import ASIDE
from cloudlet.engines.disk_log import DiskLog
from cloudlet.engines.disk_partition_segment import SUFFIXES, PartitionSegment, encode_aborted
from cloudlet.engines.disk_segment import Segment, path_of, scan, sync_file
from cloudlet.kernel.batches import SPAN_MAX
from cloudlet.kernel.fault import Damaged
from cloudlet.kernel.partition_logs import Aborted, Options, Step

METADATA = "partition.metadata"
CLEANER = "cleaner-offset-checkpoint"  # beside the logs of a broker: how far each is compacted
CLEANED, SWAP = ".cleaned", ".swap"
_REWRITTEN = ("txnindex", "timeindex", "index", "log")  # the batches last
_SNAPSHOT = re.compile(r"(\d{20})\.snapshot")
_OF_REWRITE = re.compile(r"(\d{20})\.([a-z]+)\.(cleaned|swap)")
INDEXED_A_TURN = 64  # batches, or
INDEXED_BYTES_A_TURN = 1 << 20  # whose checksums take a tenth of a millisecond


def no_snapshot() -> bytes:
    """What a log without an owner has to say of its producers: nothing, and the owner to come replays."""
    return b""


class PartitionDiskLog(DiskLog):
    """An open log of a partition."""

    __slots__ = ("discard", "later", "options", "snapshot", "snapshots")

    suffixes: ClassVar[Sequence[str]] = SUFFIXES
    active: PartitionSegment
    segments: list[PartitionSegment]  # type: ignore[assignment]  # a log makes segments of one kind only

    def prepare(
        self, options: Options, later: Callable[[Segment], None], discard: Callable[[list[str]], None]
    ) -> None:
        """Before `create` and `load`: how it is laid out, who syncs segments, who takes away files."""
        self.options = options
        self.later = later
        self.discard = discard
        self.snapshot: Callable[[], bytes] = no_snapshot
        self.snapshots: list[int] = []

    def _segment(self, base: int, size: int, *, loaded: bool) -> PartitionSegment:
        interval = self.options.index_interval_bytes
        return PartitionSegment(self.folder, base, size, loaded=loaded, interval_bytes=interval)

    # How it begins

    def identify(self, topic_id: bytes) -> None:
        """Make the folder, and write whose log it is; that comes before the first segment."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        text = base64.urlsafe_b64encode(topic_id).rstrip(b"=").decode()
        path = f"{self.folder}/{METADATA}"
        with open(path + ASIDE, "w", encoding="ascii") as file:
            file.write(f"version: 0\ntopic_id: {text}")
        os.replace(path + ASIDE, path)

    def topic_id(self) -> bytes:
        """The topic's id, 16 bytes; Damaged where the file does not say it."""
        with open(f"{self.folder}/{METADATA}", encoding="ascii") as file:
            found = re.search(r"^topic_id: ([A-Za-z0-9_-]{22})$", file.read(), re.MULTILINE)
        if found is None:
            raise Damaged(f"{self.folder}/{METADATA}: no topic_id")
        return base64.urlsafe_b64decode(found[1] + "==")

    def load(self) -> None:
        self._finish_rewrites()
        with os.scandir(self.folder) as entries:
            names = [entry.name for entry in entries]
        self.snapshots = sorted(int(found[1]) for name in names if (found := _SNAPSHOT.fullmatch(name)))
        super().load()
        for segment in self.segments[:-1]:
            if segment.loaded:  # it was recovered
                segment.seal()
        while self.snapshots and self.snapshots[-1] > self.stop:
            self.drop_snapshot(self.snapshots[-1])

    def _finish_rewrites(self) -> None:
        with os.scandir(self.folder) as entries:
            found = [match for entry in entries if (match := _OF_REWRITE.fullmatch(entry.name))]
        names = {match[0] for match in found}
        for match in found:
            path = f"{self.folder}/{match[0]}"
            base, suffix, state = match.groups()
            if f".{state}" == SWAP and f"{base}.log{CLEANED}" not in names:
                if suffix == "log":
                    continue  # below: it counts
                if f"{base}.log{SWAP}" in names:
                    continue
            os.unlink(path)
        for match in found:
            base, suffix, state = match.groups()
            if suffix == "log" and f".{state}" == SWAP and f"{base}.log{CLEANED}" not in names:
                self._finish_swap(int(base))

    def _finish_swap(self, base: int) -> None:
        """A rewritten segment counts: delete what it replaces, and put it into place."""
        path = path_of(self.folder, base, "log") + SWAP
        last = base
        fd = os.open(path, os.O_RDONLY)
        try:
            for found in scan(fd, 0, base, os.stat(path).st_size):
                last = found.last
        finally:
            os.close(fd)
        for name in os.listdir(self.folder):
            if name.endswith(".log") and name[:-4].isdigit() and base <= int(name[:-4]) <= last:
                self._unlink_rewritten(int(name[:-4]))
        self._put_into_place(base)

    def _unlink_rewritten(self, base: int) -> None:
        for suffix in _REWRITTEN:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path_of(self.folder, base, suffix))

    def _put_into_place(self, base: int) -> None:
        for suffix in _REWRITTEN:
            path = path_of(self.folder, base, suffix)
            with contextlib.suppress(FileNotFoundError):
                os.rename(path + SWAP, path)

    def ready(self, segment: Segment) -> Segment:
        self.files.open(segment)
        assert isinstance(segment, PartitionSegment)
        if not segment.loaded:
            self.files.with_room(segment.load_index)
            if segment.size - segment.indexed > segment.interval_bytes:
                for found in scan(segment.fd, segment.indexed, segment.base, segment.size):
                    segment.mark(found.position, found.last, found.timestamp_ms)
        return segment

    def measured(self, segment: PartitionSegment) -> PartitionSegment:
        """The segment, its highest timestamp known."""
        if segment.max_timestamp < -1:
            self.files.open(segment)
            segment.measure()
        return segment

    # How it grows

    def wants_roll(self, length: int, stop: int, timestamp_ms: int, cloud_ms: Callable[[], int]) -> bool:
        """Whether an append goes into a new segment; Kafka's LogSegment.shouldRoll. The active segment is not
        empty."""
        segment, options = self.active, self.options
        if segment.size + length > options.segment_bytes or stop - segment.base > SPAN_MAX:
            return True
        first_ms = segment.first_timestamp
        if first_ms < -1:
            self.files.open(segment)
            first_ms = segment.first()
        if first_ms >= 0:
            if timestamp_ms - first_ms > options.segment_ms:
                return True
        elif segment.created_ms and cloud_ms() - segment.created_ms > options.segment_ms:
            return True  # a segment of a process before this one does not know when it began
        return len(segment.positions) * 8 >= options.segment_index_bytes

    def roll(self) -> None:
        before = self.active
        self.write_snapshot(self.stop, self.snapshot())
        super().roll()
        if self.active is not before:
            before.seal()
            self.later(before)  # even if all its bytes are synced: its indexes are not complete
        self.active.interval_bytes = self.options.index_interval_bytes

    # How it shrinks

    def _delete(self, segment: Segment) -> None:
        """As a log does, but large files take a while to delete: they are out of the way at once."""
        self.files.close(segment)
        with self.lock:
            segment.gone = True
            self.discard([path_of(self.folder, segment.base, suffix) for suffix in _REWRITTEN])
        if segment.base in self.snapshots and segment.base != self.snapshots[-1]:
            self.drop_snapshot(segment.base)

    def truncate(self, stop: int) -> None:
        super().truncate(stop)
        while self.snapshots and self.snapshots[-1] > self.stop:
            self.drop_snapshot(self.snapshots[-1])
        self.forget_aborted(self.stop)

    def start_over(self, start: int) -> None:
        """Delete everything, and go on at `start`."""
        self.save_start(start)
        for segment in reversed(self.segments):
            self._delete(segment)
        self.segments.clear()
        for offset in list(self.snapshots):
            self.drop_snapshot(offset)
        self.epochs = [(self.epoch, start)] if self.epochs else []
        self.save_epochs()
        self.start = self.stop = start
        self._begin_segment(start)

    # Snapshots

    def write_snapshot(self, offset: int, data: bytes) -> None:
        """Keep the producers' state; the newest that lies at no segment's base makes the older such go."""
        if not data:
            return
        path = path_of(self.folder, offset, "snapshot")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        fd = self.files.with_room(lambda: os.open(path + ASIDE, flags, 0o600))
        try:
            os.write(fd, data)
        finally:
            os.close(fd)
        os.replace(path + ASIDE, path)
        if offset not in self.snapshots:
            self.snapshots = sorted([*self.snapshots, offset])
        bases = {segment.base for segment in self.segments}
        for other in self.snapshots[:-1]:
            if other not in bases:
                self.drop_snapshot(other)

    def read_snapshot(self, offset: int) -> bytes:
        """The producers' state as of an offset."""
        with open(path_of(self.folder, offset, "snapshot"), "rb") as file:
            return file.read()

    def drop_snapshot(self, offset: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path_of(self.folder, offset, "snapshot"))
        self.snapshots.remove(offset)

    # Aborted transactions

    def forget_aborted(self, offset: int) -> None:
        """Forget those whose marker lies at the offset or above."""
        for segment in self.segments[max(self.segment_of(offset), 0) :]:
            segment.forget_aborted(offset)

    # Rewriting

    def rewrite(
        self, bases: Sequence[int], batches: Iterable[bytes], aborted: Callable[[], Sequence[Aborted]]
    ) -> Generator[Step, None, bool]:
        """Put one segment with `batches` in the place of the adjacent ones with these bases."""
        old = [segment for segment in self.segments if segment.base in bases]
        if len(old) != len(bases) or self.active in old:
            raise AssertionError(f"{self.folder}: no sealed segments {bases}")
        sizes = [segment.size for segment in old]
        new = self._segment(bases[0], 0, loaded=True)
        aside = new.path + CLEANED
        with open(aside, "w+b", buffering=0) as file:
            for batch in batches:
                file.write(batch)
                yield None
            yield from _index(new, file.fileno())
        new.seal()
        if not _is_unchanged(old, sizes):
            return False
        new.write_aside(CLEANED, encode_aborted(aborted()))
        yield partial(_sync_all, [path_of(self.folder, new.base, suffix) + CLEANED for suffix in _REWRITTEN])
        if not _is_unchanged(old, sizes):
            return False
        self._swap(old, new)
        return True

    def _swap(self, old: list[PartitionSegment], new: PartitionSegment) -> None:
        """What was written aside takes the place of the old segments."""
        written = os.stat(old[-1].path)
        os.utime(new.path + CLEANED, ns=(written.st_atime_ns, written.st_mtime_ns))
        for suffix in _REWRITTEN:
            path = path_of(self.folder, new.base, suffix)
            with contextlib.suppress(FileNotFoundError):
                os.rename(path + CLEANED, path + SWAP)
        with self.lock:
            for segment in old:
                self.files.close(segment)
                segment.gone = True
                self.discard([path_of(self.folder, segment.base, suffix) for suffix in _REWRITTEN])
            self._put_into_place(new.base)
        number = self.segments.index(old[0])
        self.segments[number : number + len(old)] = [new]


def _index(segment: PartitionSegment, fd: int) -> Iterator[None]:
    """Know a segment that was written as a whole."""
    size = os.fstat(fd).st_size
    number = turned = 0
    for found in scan(fd, 0, segment.base, size):
        segment.mark(found.position, found.last, found.timestamp_ms)
        segment.size = found.stop
        number += 1
        if number == INDEXED_A_TURN or found.stop - turned > INDEXED_BYTES_A_TURN:
            number, turned = 0, found.stop
            yield
    if segment.size != size:
        raise AssertionError(f"{segment.path}: not whole batches after {segment.size}")


def _is_unchanged(segments: Sequence[PartitionSegment], sizes: Sequence[int]) -> bool:
    """Whether segments are still there, as large as they were: not trimmed, cut, or dropped with their
    log, in whose place another one may lie."""
    return all(
        not segment.gone and segment.size == size for segment, size in zip(segments, sizes, strict=True)
    )


def _sync_all(paths: Sequence[str]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            sync_file(path)
