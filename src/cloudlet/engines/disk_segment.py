"""One segment of a log: a file of record batches, and the sparse index of where they begin.

State   `%020d.log`    the batches as they are, named for the offset of the first
        `%020d.index`  8 bytes an entry: offset relative to the name u32, position u32, big-endian
Source  Apache Kafka 4, LogSegment and OffsetIndex: an entry holds the *last* offset of the batch at the
        position, and comes after at least 4 KiB without one
Absent  none

Theory of operation
    Appends and reads happen on the event loop's thread; `flush` on the flusher's. What they share moves one
    way: the loop appends bytes, then entries to the two arrays, then raises `size`; the flusher reads `size`,
    syncs, and writes to the index file those entries whose batches begin at or below what it synced. So **an
    index entry on disk vouches for every byte before its position**, and recovery starts at the last one:
    at most a few milliseconds of appends, whatever the log's size. Cutting takes the lock that the writing
    of entries holds, and a new generation, which voids a sync under way.
"""

from __future__ import annotations

import os
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from threading import Lock
from typing import NamedTuple

from cloudlet.engines.disk_calls import sync_data
from cloudlet.engines.disk_shortage import patiently
from cloudlet.kernel.batches import (
    FRONT,
    HEADER_BYTES,
    LENGTH_STOP,
    MAGIC,
    MAX_TIMESTAMP,
    MAX_TIMESTAMP_AT,
    checked_size,
)
from cloudlet.kernel.fault import Damaged, ProtocolError

INDEX_INTERVAL_BYTES = 4096  # Kafka's index.interval.bytes
ENTRY_BYTES = 8
WINDOW_BYTES = 8192  # an index interval and a small batch: one pread finds most records
SCAN_BYTES = 1 << 20


def path_of(folder: str, base: int, suffix: str) -> str:
    return f"{folder}/{base:020d}.{suffix}"


class Segment:
    """The offsets from `base` on. `fd` is -1 while the file is not open: see disk_files."""

    __slots__ = (
        "base",
        "dirty",
        "fd",
        "folder",
        "fresh",
        "generation",
        "gone",
        "hint_offset",
        "hint_position",
        "indexed",
        "loaded",
        "offsets",
        "positions",
        "previous",
        "sealed",
        "size",
        "used",
        "written",
    )

    def __init__(self, folder: str, base: int, size: int, *, loaded: bool) -> None:
        self.folder = folder
        self.base = base
        self.size = size
        self.fd = -1
        self.used = False
        # The index: entries in memory (when loaded), and how many of them are in the file.
        self.offsets = array("I")
        self.positions = array("I")
        self.loaded = loaded
        self.sealed = not loaded
        self.indexed = 0
        self.written = 0
        # The batch after the last read, for whoever reads on.
        self.hint_offset = -1
        self.hint_position = 0
        # For the flusher.
        self.dirty = False
        self.fresh = False
        self.gone = False
        self.generation = 0
        self.previous: Segment | None = None

    @property
    def path(self) -> str:
        return path_of(self.folder, self.base, "log")

    @property
    def index_path(self) -> str:
        return path_of(self.folder, self.base, "index")

    def mark(self, position: int, last_offset: int, timestamp_ms: int = -1) -> None:
        """Enter the batch at `position` into the index if the last entry is far enough behind. The highest
        timestamp of the batch is for the segments that have an index of them."""
        if position - self.indexed > INDEX_INTERVAL_BYTES:
            self.offsets.append(last_offset - self.base)
            self.positions.append(position)  # last: its length is how many entries there are
            self.indexed = position

    def read(self, offset: int, bytes_max: int, stop_offset: int) -> bytes:
        """Whole batches from the one that holds `offset` on, or empty if that is beyond this segment.
        `stop_offset` is where this segment's offsets end, as far as the log knows."""
        if offset == self.hint_offset:
            start = self.hint_position
        else:
            near = bisect_right(self.offsets, offset - self.base)
            start = self.positions[near - 1] if near else 0
        fd, size, unpack = self.fd, self.size, FRONT.unpack_from
        window, window_start = os.pread(fd, WINDOW_BYTES, start), start
        while True:
            if start >= size:
                return b""
            at = start - window_start
            if at + HEADER_BYTES > len(window):
                window, window_start, at = os.pread(fd, WINDOW_BYTES, start), start, 0
                self._check_window(window, start)
            base, length, _, magic, _, _, delta = unpack(window, at)
            if magic != MAGIC or length < HEADER_BYTES - LENGTH_STOP:
                self._refuse(start)
            if base + delta >= offset:
                break
            start += length + LENGTH_STOP
        stop = start + length + LENGTH_STOP
        if stop + bytes_max >= size:
            stop, following = size, stop_offset
        elif bytes_max < HEADER_BYTES:
            following = base + delta + 1
        else:
            stop, following = self._boundary(stop, base + delta + 1, stop + bytes_max)
        self.hint_offset, self.hint_position = following, stop
        if stop - window_start <= len(window):
            return window[start - window_start : stop - window_start]
        batches = os.pread(fd, stop - start, start)
        if len(batches) != stop - start:
            self._refuse(start)
        return batches

    def _boundary(self, stop: int, following: int, limit: int) -> tuple[int, int]:
        """The last end of a batch in [stop, limit], and the offset that follows there; the segment goes on
        beyond `limit`."""
        near = bisect_right(self.positions, limit)
        if near and self.positions[near - 1] > stop:
            stop = self.positions[near - 1]
        window, window_start = b"", stop
        while True:
            at = stop - window_start
            if at + HEADER_BYTES > len(window):
                window, window_start, at = os.pread(self.fd, WINDOW_BYTES, stop), stop, 0
                self._check_window(window, stop)
            base, length, _, magic, _, _, _ = FRONT.unpack_from(window, at)
            if magic != MAGIC or length < HEADER_BYTES - LENGTH_STOP:
                self._refuse(stop)
            if stop + length + LENGTH_STOP > limit:
                return stop, base
            stop += length + LENGTH_STOP

    def _check_window(self, window: bytes, position: int) -> None:
        if len(window) < HEADER_BYTES:
            self._refuse(position)

    def _refuse(self, position: int) -> None:
        raise Damaged(f"{self.path}: no record batch at {position}, where one must begin")

    def batch_at(self, offset: int) -> tuple[int, int]:
        """(base offset, position) of the first batch whose last offset is `offset` or more; (the segment's
        end, its size) is not given: the caller knows that the offset is here."""
        near = bisect_left(self.offsets, offset - self.base)
        start = self.positions[near - 1] if near else 0
        while start < self.size:
            front = os.pread(self.fd, HEADER_BYTES, start)
            self._check_window(front, start)
            base, length, _, magic, _, _, delta = FRONT.unpack_from(front)
            if magic != MAGIC or length < HEADER_BYTES - LENGTH_STOP:
                self._refuse(start)
            if base + delta >= offset:
                return base, start
            start += length + LENGTH_STOP
        raise Damaged(f"{self.path}: offset {offset} is missing")

    def cut(self, position: int, lock: Lock) -> None:
        """Forget the bytes from `position` on, here and in the files."""
        with lock:
            self.generation += 1
            kept = bisect_left(self.positions, position)
            del self.offsets[kept:]
            del self.positions[kept:]
            self.indexed = self.positions[-1] if kept else 0
            self.hint_offset = -1
            self.size = position
            # The index first: an entry must never outlive the bytes it vouches for.
            if kept < self.written:
                os.truncate(self.index_path, kept * ENTRY_BYTES)
                self.written = kept
            self.cut_others(kept)
            os.ftruncate(self.fd, position)

    def cut_others(self, kept: int) -> None:
        """Cut the indexes beside the index of offsets, of which `kept` entries stay; the lock is held."""

    def load_index(self) -> None:
        """Read the index file; entries that cannot be are cut off, with all that follow."""
        try:
            with open(self.index_path, "rb") as file:
                raw = file.read(self.size // HEADER_BYTES * ENTRY_BYTES + ENTRY_BYTES)
        except FileNotFoundError:
            raw = b""
        both = array("I", raw[: len(raw) // ENTRY_BYTES * ENTRY_BYTES])
        if sys.byteorder == "little":
            both.byteswap()
        self.offsets, self.positions = both[0::2], both[1::2]
        sane = len(both) // 2
        if not (_rises(self.offsets) and _rises(self.positions)):
            sane = _rising_prefix(self.offsets, self.positions)
        sane = min(sane, bisect_left(self.positions, self.size, 0, sane))
        del self.offsets[sane:]
        del self.positions[sane:]
        self.indexed = self.positions[-1] if sane else 0
        self.written = sane
        self.load_others()
        self.loaded = True  # last: the flusher looks at the arrays of a loaded segment only

    def load_others(self) -> None:
        """Read the indexes beside the index of offsets."""

    def unload_index(self, lock: Lock) -> None:
        """Free the memory, unless the segment is still written."""
        with lock:
            if self.sealed and self.written == len(self.positions):
                self.offsets, self.positions = array("I"), array("I")
                self.loaded = False

    def flush(self, lock: Lock, folders: set[str] | None) -> None:
        """Sync the bytes, then write the index entries that this vouches for. Runs on the flusher's thread.
        Where a new name has to survive, its folder is added to `folders`; with None nothing is synced: there
        is no power loss to survive."""
        previous = self.previous
        if previous is not None and previous.dirty:
            previous.flush(lock, folders)
        self.previous = None
        self.dirty = False  # before `size` is read: what is appended from now on marks it again
        with lock:
            generation, size = self.generation, self.size
        if folders is not None:
            try:
                sync_file(self.path)
            except OSError as error:
                if self.gone and isinstance(error, FileNotFoundError):
                    return
                self.dirty = True  # a segment behind this one may have asked, and asks again
                raise
            if self.fresh:
                self.fresh = False
                folders.add(self.folder)
        if self.written == len(self.positions) and not self._owes():
            return
        with lock:
            if generation == self.generation and self.loaded and not self.gone:
                self._write_index(size)

    def _owes(self) -> bool:
        """Whether an index beside the index of offsets has entries to be written although that one has
        none."""
        return False

    def _write_index(self, size: int) -> None:
        count = bisect_right(self.positions, size)
        both = array("I", bytes(ENTRY_BYTES * (count - self.written)))
        if not both:
            return
        both[0::2] = self.offsets[self.written : count]
        both[1::2] = self.positions[self.written : count]
        if sys.byteorder == "little":
            both.byteswap()
        try:
            fd = os.open(self.index_path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                whole = os.pwrite(fd, both, self.written * ENTRY_BYTES) == len(both) * 4
            finally:
                os.close(fd)
        except OSError:
            return  # no room: the index only saves time, and the next flush tries again
        if whole:
            self.written = count


def _rises(numbers: array[int]) -> bool:
    return all(left < right for left, right in pairwise(numbers))


def _rising_prefix(offsets: array[int], positions: array[int]) -> int:
    """How many entries rise in both columns, from the first."""
    count = min(1, len(positions))
    while count < len(positions):
        if offsets[count] <= offsets[count - 1] or positions[count] <= positions[count - 1]:
            break
        count += 1
    return count


def sync_file(path: str) -> None:
    """Sync a file's bytes, through a descriptor of its own: the loop may close the segment's meanwhile."""
    fd = patiently(partial(os.open, path, os.O_RDONLY))
    try:
        sync_data(fd)
    finally:
        os.close(fd)


def sync_folders(folders: set[str], root: str) -> None:
    """Make the names in these folders survive power loss, and their own, and those above them up to the root;
    each once."""
    every: set[str] = set()
    for folder in folders:
        while folder not in every:
            every.add(folder)
            if folder == root:
                break
            folder = os.path.dirname(folder)
    for folder in sorted(every, key=len, reverse=True):
        try:
            fd = patiently(partial(os.open, folder, os.O_RDONLY))
        except FileNotFoundError:
            continue  # the log was dropped
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


class Scanned(NamedTuple):
    """One good batch found by `scan`."""

    position: int
    base: int
    last: int
    epoch: int
    stop: int
    timestamp_ms: int


def scan(fd: int, position: int, offset: int, size: int) -> Iterator[Scanned]:
    """The whole, checksummed batches from `position` on, whose offsets start at `offset` or above and rise;
    ends at the first thing that is not one."""
    window, window_start = b"", position
    while position < size:
        at = position - window_start
        if at + _size_at(window, at) > len(window):
            need = _size_at(os.pread(fd, HEADER_BYTES, position), 0)
            window = os.pread(fd, min(max(need, SCAN_BYTES), size - position), position)
            window_start, at = position, 0
        try:
            length = checked_size(window, at)
        except ProtocolError:
            return
        base, _, epoch, _, _, _, delta = FRONT.unpack_from(window, at)
        if base < offset:
            return
        (timestamp_ms,) = MAX_TIMESTAMP.unpack_from(window, at + MAX_TIMESTAMP_AT)
        yield Scanned(position, base, base + delta, epoch, position + length, timestamp_ms)
        position += length
        offset = base + delta + 1


def _size_at(window: bytes, at: int) -> int:
    """What the batch at `at` says its size is; a header's if not even that is in the window."""
    if len(window) - at < HEADER_BYTES:
        return HEADER_BYTES
    return max(int(FRONT.unpack_from(window, at)[1]) + LENGTH_STOP, HEADER_BYTES)
