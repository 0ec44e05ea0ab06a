"""One segment of a partition's log: beside the index of offsets, that of times and that of aborted
transactions.

State   `%020d.timeindex`  12 bytes an entry: timestamp i64, offset relative to the name u32
        `%020d.txnindex`   34 bytes an entry: version i16 (0), producer i64, first offset i64, last offset
                           i64, last stable offset i64; there once a transaction was aborted
Source  Apache Kafka 4.3, LogSegment, TimeIndex, TransactionIndex, AbortedTxn
Absent  none

Theory of operation
    A time entry (t, o) says: no batch that ends at or below o has a timestamp over t. One is added with each
    entry of the offset index, where t has risen, and one more when the segment is sealed, so that the last
    entry of a sealed segment is its highest timestamp. Time entries go to their file before the offset
    entries of the same flush: an offset entry vouches for them, and where the file of times is missing the
    index of offsets counts as lost.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from struct import Struct
from threading import Lock

from cloudlet.engines.disk_segment import Segment, path_of, scan, sync_file
from cloudlet.kernel.batches import MAX_TIMESTAMP, MAX_TIMESTAMP_AT
from cloudlet.kernel.partition_logs import Aborted

SUFFIXES = ("snapshot", "txnindex", "timeindex", "index", "log")
UNREAD = -2
_OFFSET = Struct(">II")
_TIME = Struct(">qI")
_ABORTED = Struct(">hqqqq")
_ABORTED_VERSION = 0


class PartitionSegment(Segment):
    """The offsets from `base` on."""

    __slots__ = (
        "_aborted",
        "_aborted_written",
        "_has_files",
        "created_ms",
        "first_timestamp",
        "interval_bytes",
        "max_timestamp",
        "max_timestamp_offset",
        "time_offsets",
        "times",
        "times_written",
    )

    def __init__(self, folder: str, base: int, size: int, *, loaded: bool, interval_bytes: int) -> None:
        super().__init__(folder, base, size, loaded=loaded)
        self.interval_bytes = interval_bytes
        self.times = array("q")
        self.time_offsets = array("I")
        self.times_written = 0
        self.max_timestamp = UNREAD if size else -1
        self.max_timestamp_offset = -1
        self.first_timestamp = UNREAD
        self.created_ms = 0
        self._aborted_written = 0
        self._has_files = False
        self._aborted: list[Aborted] | None = None if size else []

    def mark(self, position: int, last_offset: int, timestamp_ms: int = -1) -> None:
        if timestamp_ms > self.max_timestamp:
            self.max_timestamp = timestamp_ms
            self.max_timestamp_offset = last_offset
        if position - self.indexed > self.interval_bytes:
            self._note_time()
            self.offsets.append(last_offset - self.base)
            self.positions.append(position)  # last: its length is how many entries there are
            self.indexed = position

    def _note_time(self) -> None:
        if self.max_timestamp > (self.times[-1] if self.times else -1):
            self.times.append(self.max_timestamp)
            self.time_offsets.append(self.max_timestamp_offset - self.base)  # last, as above

    def seal(self) -> None:
        """It is not written from now on."""
        self._note_time()
        self.sealed = True

    # Times

    def measure(self) -> None:
        """Know the highest timestamp; the file is open."""
        if not self.loaded:
            self.load_index()
        if self.max_timestamp == UNREAD:
            self.max_timestamp = self.times[-1] if self.times else -1
            self.max_timestamp_offset = self.base + self.time_offsets[-1] if self.times else -1
        if self.sealed and self.times:
            return
        for found in scan(self.fd, self.indexed, self.base, self.size):
            if found.timestamp_ms > self.max_timestamp:
                self.max_timestamp, self.max_timestamp_offset = found.timestamp_ms, found.last

    def first(self) -> int:
        """The highest timestamp of the first batch; the file is open, and not empty."""
        if self.first_timestamp == UNREAD:
            raw = os.pread(self.fd, MAX_TIMESTAMP.size, MAX_TIMESTAMP_AT)
            self.first_timestamp = MAX_TIMESTAMP.unpack(raw)[0] if len(raw) == MAX_TIMESTAMP.size else -1
        return self.first_timestamp

    def offset_before(self, timestamp_ms: int) -> int:
        """An offset before which no batch of this segment has so high a timestamp; the index is loaded."""
        near = bisect_right(self.times, timestamp_ms - 1)
        return self.base + self.time_offsets[near - 1] if near else self.base

    def load_others(self) -> None:
        try:
            with open(path_of(self.folder, self.base, "timeindex"), "rb") as file:
                raw = file.read(self.size // 61 * _TIME.size + _TIME.size)
        except FileNotFoundError:
            raw = b""
        whole = len(raw) // _TIME.size * _TIME.size
        times, offsets = array("q"), array("I")
        for time_ms, offset in _TIME.iter_unpack(raw[:whole]):
            if times and (time_ms <= times[-1] or offset < offsets[-1]):
                break
            times.append(time_ms)
            offsets.append(offset)
        self.times, self.time_offsets, self.times_written = times, offsets, len(times)
        if self.positions and not times:  # lost: what the entries of offsets vouched for is not there
            del self.offsets[:]
            del self.positions[:]
            self.indexed = self.written = 0
        self.max_timestamp = UNREAD
        if times:
            self.max_timestamp, self.max_timestamp_offset = times[-1], self.base + offsets[-1]

    def cut_others(self, kept: int) -> None:
        stay = bisect_right(self.time_offsets, self.offsets[kept - 1]) if kept else 0
        del self.time_offsets[stay:]
        del self.times[stay:]
        if stay < self.times_written:
            os.truncate(path_of(self.folder, self.base, "timeindex"), stay * _TIME.size)
            self.times_written = stay

    def cut(self, position: int, lock: Lock) -> None:
        super().cut(position, lock)
        self.sealed = False  # only the last segment is cut, and it is written again
        self.max_timestamp = UNREAD
        if not position:
            self.first_timestamp = UNREAD
        self.measure()

    def unload_index(self, lock: Lock) -> None:
        if self.times_written == len(self.times):
            super().unload_index(lock)
            if not self.loaded:
                self.times, self.time_offsets = array("q"), array("I")

    # What the flusher does

    def _owes(self) -> bool:
        return self.sealed and self.times_written < len(self.time_offsets)

    def flush(self, lock: Lock, folders: set[str] | None) -> None:
        is_sealed = self.sealed
        super().flush(lock, folders)
        if self.gone or folders is None:
            return
        if self._aborted and self._aborted_written < len(self._aborted):
            with contextlib.suppress(OSError):
                self._write_aborted()
        if not self._has_files:
            self._make_files()
        if is_sealed:
            for suffix in ("timeindex", "index", "txnindex"):
                with contextlib.suppress(FileNotFoundError):
                    sync_file(path_of(self.folder, self.base, suffix))

    def _make_files(self) -> None:
        """Kafka's tools want an index even if it is empty."""
        with contextlib.suppress(OSError):
            for suffix in ("index", "timeindex"):
                path = path_of(self.folder, self.base, suffix)
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._has_files = True

    def _write_index(self, size: int) -> None:
        stop = len(self.time_offsets)
        if not self.sealed:
            vouched = bisect_right(self.positions, size)
            stop = bisect_right(self.time_offsets, self.offsets[vouched - 1], 0, stop) if vouched else 0
        if self.times_written < stop and not self._write_times(stop):
            return
        super()._write_index(size)

    def _write_times(self, stop: int) -> bool:
        start = self.times_written
        raw = b"".join(map(_TIME.pack, self.times[start:stop], self.time_offsets[start:stop]))
        try:
            fd = os.open(path_of(self.folder, self.base, "timeindex"), os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                whole = os.pwrite(fd, raw, start * _TIME.size) == len(raw)
            finally:
                os.close(fd)
        except OSError:
            return False  # no room: the next flush tries again
        if whole:
            self.times_written = stop
        return whole

    def write_aside(self, suffix: str, aborted: bytes) -> None:
        """Write the indexes of a segment whose batches are complete to files with a suffix."""
        offsets = b"".join(map(_OFFSET.pack, self.offsets, self.positions))
        times = b"".join(map(_TIME.pack, self.times, self.time_offsets))
        for kind, raw in (("index", offsets), ("timeindex", times), ("txnindex", aborted)):
            path = path_of(self.folder, self.base, kind) + suffix
            if raw or kind != "txnindex":
                with open(path, "wb") as file:
                    file.write(raw)
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)  # of an attempt that was given up
        self.written, self.times_written = len(self.positions), len(self.times)
        self._aborted = None

    # Aborted transactions

    def aborted(self) -> list[Aborted]:
        """Those whose marker lies in this segment, in the order of the markers."""
        if self._aborted is None:
            try:
                with open(path_of(self.folder, self.base, "txnindex"), "rb") as file:
                    raw = file.read()
            except FileNotFoundError:
                raw = b""
            whole = len(raw) // _ABORTED.size * _ABORTED.size
            found = [(version, Aborted(*fields)) for version, *fields in _ABORTED.iter_unpack(raw[:whole])]
            self._aborted = [
                entry
                for version, entry in found
                if version == _ABORTED_VERSION and max(self.base, entry.first_offset) <= entry.last_offset
            ]
            self._aborted_written = len(self._aborted)
        return self._aborted

    def note_aborted(self, entry: Aborted) -> None:
        """Enter one. Where the disk is full it is in memory, and the file is written later."""
        self.aborted().append(entry)
        with contextlib.suppress(OSError):
            self._write_aborted()

    def _write_aborted(self) -> None:
        entries = self.aborted()
        start = self._aborted_written
        fd = os.open(path_of(self.folder, self.base, "txnindex"), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            raw = encode_aborted(entries[start:])
            if os.pwrite(fd, raw, start * _ABORTED.size) == len(raw):
                self._aborted_written = len(entries)
        finally:
            os.close(fd)

    def forget_aborted(self, offset: int) -> None:
        """Forget those whose marker lies at the offset or above."""
        entries = self.aborted()
        kept = [entry for entry in entries if entry.last_offset < offset]
        if len(kept) < len(entries):
            self._aborted = kept
            if len(kept) < self._aborted_written:
                os.truncate(path_of(self.folder, self.base, "txnindex"), len(kept) * _ABORTED.size)
                self._aborted_written = len(kept)


def encode_aborted(entries: Sequence[Aborted]) -> bytes:
    """The file of an index of aborted transactions."""
    return b"".join(_ABORTED.pack(_ABORTED_VERSION, *entry) for entry in entries)
