"""One log on disk: its segments, its ends, its epochs; how it is recovered, cut and deleted.

State   a folder: segments (disk_segment); `leader-epoch-checkpoint`, Kafka's: an epoch and its first offset
        a line; `log-start-offset-checkpoint`: the start, once it was trimmed; `~dropped`: there while the
        log is being deleted
Source  Apache Kafka 4, UnifiedLog, LogLoader, LeaderEpochFileCache
Absent  none

Recovery looks at the end of the last segment: from its last index entry on, batch by batch, and cuts what is
not whole. A segment before it is looked at only while the segments behind have no index entry: the flusher
syncs in order, so an entry vouches for all earlier segments as well.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
from bisect import bisect_right
from collections.abc import Callable, Sequence
from threading import Lock
from typing import ClassVar

from cloudlet.engines.disk_files import ASIDE, OpenFiles, read_checkpoint, write_checkpoint
from cloudlet.engines.disk_segment import INDEX_INTERVAL_BYTES, Segment, path_of, scan
from cloudlet.kernel.fault import OutOfRange
from cloudlet.kernel.logs import LogName

EPOCHS = "leader-epoch-checkpoint"
START = "log-start-offset-checkpoint"
DROPPED = "~dropped"  # no log's name has a tilde
_SEGMENT_FILE = re.compile(r"(\d{20})\.log")
_PARTITION = re.compile(r"(.+)-(0|[1-9]\d{0,8})")

logger = logging.getLogger(__name__)


class DiskLog:
    """An open log. `active` is the last segment, the one that is written."""

    __slots__ = ("active", "epoch", "epochs", "files", "folder", "lock", "name", "segments", "start", "stop")

    suffixes: ClassVar[Sequence[str]] = ("index", "log")  # of a segment's files, the batches last

    def __init__(self, name: LogName, folder: str, files: OpenFiles, lock: Lock) -> None:
        self.name = name
        self.folder = folder
        self.files = files
        self.lock = lock
        self.start = 0
        self.stop = 0
        self.epoch = 0
        self.epochs: list[tuple[int, int]] = []
        self.segments: list[Segment] = []
        self.active: Segment

    # How it begins

    def create(self) -> None:
        """Make the folder and the first segment."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self._begin_segment(0)

    def load(self) -> None:
        """Find the segments, finish what a crash interrupted, and cut a torn tail."""
        self._load_checkpoints()
        bases: list[int] = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if found := _SEGMENT_FILE.fullmatch(entry.name):
                    bases.append(int(found[1]))
                elif entry.name.endswith(ASIDE):
                    os.unlink(entry.path)
        bases.sort()
        while len(bases) > 1 and bases[1] <= self.start:
            self._unlink(bases.pop(0))  # a trim had begun to delete them
        for base in bases:
            size = os.stat(path_of(self.folder, base, "log")).st_size
            self.segments.append(self._segment(base, size, loaded=False))
        if not self.segments:
            self.stop = self.start
            self._begin_segment(self.start)
            return
        self.start = max(self.start, self.segments[0].base)
        self._recover()
        self.active = self.segments[-1]
        self.active.sealed = False
        if self.active.size and os.stat(self.active.path).st_nlink > 1:
            self.roll()  # the file is pinned too: a crash came before its follower was there to stay

    def _load_checkpoints(self) -> None:
        for words in read_checkpoint(f"{self.folder}/{START}") or []:
            self.start = int(words[-1])
        for words in read_checkpoint(f"{self.folder}/{EPOCHS}") or []:
            self.epochs.append((int(words[0]), int(words[1])))
        if self.epochs:
            self.epoch = self.epochs[-1][0]

    def _recover(self) -> None:
        """Look at segments from the last one back to the first that is vouched for."""
        first = len(self.segments) - 1
        self.segments[first].load_index()
        while first > 0 and not self.segments[first].written:
            first -= 1
            self.segments[first].load_index()
        number = first
        while number < len(self.segments):
            segment = self.segments[number]
            before = segment.size
            self.stop = max(self._recover_tail(segment), self.start)
            number += 1
            if number < len(self.segments) and self.stop > self.segments[number].base:
                self._lose(number, f"offsets up to {self.stop} precede it")
            elif segment.size < before:
                self._lose(number, "the segment before it lost its tail")

    def _recover_tail(self, segment: Segment) -> int:
        """Check the batches from the last index entry on; cut what is not whole; the offset that follows."""
        fd = self.files.open(segment)
        position, offset, torn = segment.indexed, segment.base, segment.size
        for found in scan(fd, segment.indexed, segment.base, segment.size):
            segment.mark(found.position, found.last, found.timestamp_ms)
            position, offset = found.stop, found.last + 1
            if found.epoch > self.epoch:  # appended, but its checkpoint was not written yet
                self.note_epoch(found.epoch, found.base)
        if position < torn:
            if position == segment.indexed and segment.written:
                return self._recover_before_entry(segment)
            logger.warning("%s: %d bytes after offset %d were torn", segment.path, torn - position, offset)
            segment.cut(position, self.lock)
        return offset

    def _recover_before_entry(self, segment: Segment) -> int:
        """The index vouches for a batch that is not there (power was lost while its file was written): look
        at the whole segment."""
        segment.written = 0
        del segment.offsets[:]
        del segment.positions[:]
        segment.indexed = 0
        os.truncate(segment.index_path, 0)
        segment.cut_others(0)
        return self._recover_tail(segment)

    def _lose(self, number: int, why: str) -> None:
        """Drop the segments from `number` on: there is a hole before them."""
        for segment in self.segments[number:]:
            logger.warning("%s: %d bytes dropped: %s", segment.path, segment.size, why)
            self._delete(segment)
        del self.segments[number:]

    # How it grows

    def roll(self) -> None:
        """Go on in a new segment. OSError leaves all as it was."""
        before = self.active
        self._begin_segment(self.stop)
        if self.active is not before:
            before.sealed = True
            self.active.previous = before

    def _begin_segment(self, base: int) -> None:
        segment = self._segment(base, 0, loaded=True)
        segment.fresh = True
        self.files.open(segment, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        self.segments.append(segment)
        self.active = segment

    def _segment(self, base: int, size: int, *, loaded: bool) -> Segment:
        return Segment(self.folder, base, size, loaded=loaded)

    def segment_of(self, offset: int) -> int:
        """The number of the segment whose range holds the offset."""
        if offset >= self.active.base:
            return len(self.segments) - 1
        return bisect_right(self.segments, offset, key=_base_of) - 1

    def ready(self, segment: Segment) -> Segment:
        """The segment with its file open and its index in memory."""
        self.files.open(segment)
        if not segment.loaded:
            self.files.with_room(segment.load_index)
            if segment.size - segment.indexed > INDEX_INTERVAL_BYTES:  # the index file lost entries
                for found in scan(segment.fd, segment.indexed, segment.base, segment.size):
                    segment.mark(found.position, found.last, found.timestamp_ms)
        return segment

    def read(self, offset: int, bytes_max: int) -> bytes:
        """From the first batch whose last offset is `offset` or more; the log holds one."""
        number = self.segment_of(offset)
        while True:
            segment = self.segments[number]
            if segment.fd < 0 or not segment.loaded:
                self.ready(segment)
            segment.used = True
            number += 1
            stop = self.segments[number].base if number < len(self.segments) else self.stop
            found = segment.read(offset, bytes_max, stop)
            if found or number == len(self.segments):
                return found

    # How it shrinks

    def trim(self, start: int) -> None:
        """Move the start up, and delete the segments that lie below it as a whole."""
        self.save_start(start)
        self.start = start
        if start == self.stop and self.active.size:
            with contextlib.suppress(OSError):  # no room: the bytes stay until there is
                self.roll()
        gone = max(self.segment_of(start), 0)
        for segment in self.segments[:gone]:
            self._delete(segment)
        del self.segments[:gone]

    def save_start(self, start: int) -> None:
        """Write where the log starts; OSError leaves what was written before."""
        path = f"{self.folder}/{START}"
        lines = [f"{kafka_name(self.name)} {start}"]
        self.files.with_room(lambda: write_checkpoint(path, lines, durable=False))

    def truncate(self, stop: int) -> None:
        """Cut from the batch that holds `stop` on, in an order in which a crash leaves a log that is cut less
        far."""
        number = self.segment_of(stop)
        segment = self.ready(self.segments[number])
        base, position = segment.batch_at(stop)
        for later in reversed(self.segments[number + 1 :]):
            self._delete(later)
            self.segments.pop()
        if os.stat(segment.path).st_nlink > 1:
            self._unshare(segment)
        segment.cut(position, self.lock)
        segment.sealed = False
        self.active = segment
        self.stop = max(base, self.start)
        if self.epochs:
            self.epochs = [entry for entry in self.epochs if entry[1] < self.stop]
            self.epochs.append((self.epoch, self.stop))
            with contextlib.suppress(OSError):  # no room: the old file ends in the same epoch
                self.save_epochs()

    def _unshare(self, segment: Segment) -> None:
        """Give the segment files of its own: the present ones are pinned (disk_pins) and stay as they are."""
        with self.lock:
            for suffix in self.suffixes:
                path = path_of(self.folder, segment.base, suffix)
                if os.path.exists(path):
                    shutil.copyfile(path, path + ASIDE)
                    os.replace(path + ASIDE, path)
        self.files.close(segment)
        self.files.open(segment)
        segment.fresh = True

    def _delete(self, segment: Segment) -> None:
        self.files.close(segment)
        with self.lock:
            segment.gone = True
            self._unlink(segment.base)

    def _unlink(self, base: int) -> None:
        """Delete a segment, the batches last: a segment without an index can be read, not the reverse."""
        for suffix in self.suffixes:
            try:
                os.unlink(path_of(self.folder, base, suffix))
            except FileNotFoundError:
                continue

    def drop(self) -> None:
        """Mark the log as deleted; its files are garbage from then on, for `clear_dropped`.

        The mark is a rename, which is one step and needs no room.
        """
        with self.lock:
            for segment in self.segments:
                segment.gone = True  # before the file is: the flusher may be about to open it
            os.rename(self.segments[0].path, f"{self.folder}/{DROPPED}")
        for segment in self.segments:
            self.files.close(segment)

    # Epochs

    def check_ends(self, offset: int) -> None:
        if not self.start <= offset <= self.stop:
            raise OutOfRange(self.start, self.stop)

    def note_epoch(self, epoch: int, offset: int) -> None:
        """Go over to a higher epoch, whose first offset is `offset`."""
        if not self.epochs and offset > self.start:
            self.epochs.append((self.epoch, self.start))
        if self.epochs and self.epochs[-1][1] == offset:
            self.epochs.pop()  # nothing was appended in it
        self.epochs.append((epoch, offset))
        self.epoch = epoch

    def save_epochs(self, *, durable: bool = True) -> None:
        """Write the epochs as they are now; durable when it returns, unless told otherwise."""
        with self.lock:
            lines = [f"{epoch} {offset}" for epoch, offset in self.epochs]
            path = f"{self.folder}/{EPOCHS}"
            self.files.with_room(lambda: write_checkpoint(path, lines, durable=durable))


def _base_of(segment: Segment) -> int:
    return segment.base


def kafka_name(name: LogName) -> str:
    """Topic and partition, as Kafka's checkpoints have them; partition -1 for a log that is none."""
    found = _PARTITION.fullmatch(name.rsplit("/", 1)[-1])
    return f"{found[1]} {found[2]}" if found else f"{name} -1"


def clear_dropped(folder: str, root: str, trash: Callable[[], str]) -> list[str]:
    """Move the files of a dropped log to paths that `trash` makes up, the mark last; returns them. Logs in
    sub-folders stay; folders that are empty then go."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name != DROPPED and not entry.is_dir()]
    moved: list[str] = []
    for name in (*names, DROPPED):
        target = trash()
        os.rename(f"{folder}/{name}", target)
        moved.append(target)
    remove_empty(folder, root)
    return moved


def remove_empty(folder: str, root: str) -> None:
    """Remove the folder if it is empty, and those above it that are then, below the root."""
    while folder != root:
        try:
            os.rmdir(folder)
        except OSError:
            return
        folder = os.path.dirname(folder)
