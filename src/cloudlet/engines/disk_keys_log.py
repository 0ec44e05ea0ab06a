"""The keys log: preallocated segment files of frames, appended to, read at any place, repaired when opened.

State   DATA/keys/log-<start>: segments; DATA/keys/next-<n>.tmp: one in preparation
Source  disk_keys_record.py for the bytes
Absent  none

Theory of operation
    Space is taken before it is needed: a segment's blocks are allocated (and, when there is time, zeroed,
    which makes a later fdatasync a third cheaper) before the first frame goes in. So a full disk shows when a
    segment is made, never in the middle of one, and `append` refuses with NoSpace before anything happened.

    What a turn of the loop appends is handed to the operating system by one call of `write`, at the latest
    before it is synced, read, or promised to survive the process; `append` only gathers. So the operating
    system has a prefix of the log at any time, and kill -9 takes from its end alone.

    A crash may leave any mix of new bytes and zeroes beyond what was synced last. On opening, the first place
    without a whole frame is either the end, or a torn tail, or damage. It is damage if a whole frame behind
    it says (in `durable`) that the place was on the disk before that frame was written: no crash explains
    that. Everything else was never promised to survive a power loss, and what kill -9 leaves has no holes; so
    it is zeroed, and later segments go. When the log falls idle it is closed by a MARK, an empty frame that
    proves what the last sync brought to the disk.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from cloudlet.engines.disk_calls import reserve, sync_data, sync_folder, write_zeroes
from cloudlet.engines.disk_keys_record import (
    FORMAT,
    FRAME_BYTES,
    MARKER,
    SEGMENT_HEADER_BYTES,
    STEP,
    Frame,
    frame,
    long_frame,
    parse_frame,
    parse_segment_header,
    segment_header,
    skim_frame,
)
from cloudlet.engines.disk_shortage import PASSING
from cloudlet.engines.disk_window import Window
from cloudlet.kernel.fault import Compacted, Damaged, NoSpace, StoreError

FULL = PASSING  # what is refused now, and goes later
FIRST_SEGMENT_BYTES = 1 << 20  # a small cloud stays small; zeroed at once, in 0.3 ms
GATHERED_BYTES_MAX = 1 << 20  # more is written at once: a slow disk does not fill the memory
INDEX_BYTES = 1 << 20  # looked at in one go: 7,000 frames, 3 ms
INDEX_STEP_BYTES = 4096  # a place is kept for one frame in so many bytes; the rest is walked
READ_BYTES = 8192
BLOCK_BYTES = 512  # of st_blocks
CLOSED = -1

Reserve = Callable[[int, int], None]
"""(descriptor, size in bytes): take the space of a new file, or OSError."""


def reserve_space(descriptor: int, size_bytes: int) -> None:
    """Take the blocks of a file, or OSError (ENOSPC)."""
    reserve(descriptor, 0, size_bytes)


def read_at(descriptor: int, size_bytes: int, offset: int) -> bytes:
    """So many bytes, fewer only at the end of the file: one call gives no more than 2 GiB, and a drop of many
    large values is longer."""
    data = os.pread(descriptor, size_bytes, offset)
    if len(data) == size_bytes:
        return data
    pieces = [data]
    while data and (left := size_bytes - sum(map(len, pieces))):
        data = os.pread(descriptor, left, offset + size_bytes - left)
        pieces.append(data)
    return b"".join(pieces)


class LogSettings(msgspec.Struct, frozen=True):
    """How the log uses the disk; tests make it small."""

    segment_bytes: int = 16 << 20
    first_segment_bytes: int = FIRST_SEGMENT_BYTES
    history_bytes_max: int = 1 << 30
    checkpoint_bytes: int = 16 << 20  # of log: 100,000 small commits, a quarter of a second to replay
    end_checkpoint_bytes: int = 4 << 20  # when the store closes: a tenth of a second to replay
    reserve: Reserve = reserve_space


class Spare(NamedTuple):
    """A file that will be a segment."""

    path: Path
    descriptor: int
    size_bytes: int


class Segment:
    """One file: frames from place start + SEGMENT_HEADER_BYTES to place `stop`."""

    __slots__ = ("base_revision", "descriptor", "index", "indexed", "path", "size_bytes", "start", "stop")

    def __init__(self, path: Path, descriptor: int, start: int, base_revision: int, size_bytes: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.start = start
        self.base_revision = base_revision  # the head when it began
        self.size_bytes = size_bytes
        self.stop = start + SEGMENT_HEADER_BYTES
        self.index: list[tuple[int, int]] = []  # (revision, place) of some frames, ascending
        self.indexed = self.stop  # the place up to which frames were looked at


def segment_path(folder: Path, start: int) -> Path:
    return folder / f"log-{start:016x}"


class Log:
    """The segments of a folder; one process, one thread appends."""

    def __init__(self, folder: Path, settings: LogSettings) -> None:
        self.folder = folder
        self.settings = settings
        self.segments: list[Segment] = []
        self.durable = 0  # every byte below this place is on the disk
        self.unsynced: list[Segment] = []  # segments with bytes that may not be
        self.is_folder_synced = False
        self._spare: Spare | None = None
        self._spares = itertools.count()
        self._is_closed = False
        self._last: Segment
        self._window = Window(CLOSED, 0)  # onto it
        self._offset = 0
        self._size = 0
        self._gathered: list[bytes] = []  # frames of the last segment that the system does not have yet
        self._gathered_at = 0  # where in it they begin

    @property
    def stop(self) -> int:
        """The place behind the newest frame."""
        return self._last.stop

    # --- appending

    def append(self, kind: int, revision: int, head: int, body: bytes | list[bytes]) -> int:
        """Take a frame in and return the place behind it; NoSpace with nothing done. It is the operating
        system's with the next `write`. Any other OSError leaves the log unusable."""
        if isinstance(body, list):
            pieces = long_frame(kind, revision, self.durable, body)
            size = sum(map(len, pieces))
        else:
            pieces = [frame(kind, revision, self.durable, body)]
            size = len(pieces[0])
        offset = self._offset + size
        if offset > self._size:
            self._roll(size, head)
            offset = self._offset + size
        self._gathered += pieces
        self._offset = offset
        stop = self._last.stop = self._last.stop + size
        if offset - self._gathered_at > GATHERED_BYTES_MAX:
            self.write()
        return stop

    def write(self, *, is_to_be_synced: bool = False) -> None:
        """Hand what was gathered to the operating system; an OSError leaves the log unusable."""
        gathered = self._gathered
        if not gathered:
            return
        if len(gathered) > 1 and self._offset - self._gathered_at <= 2 * GATHERED_BYTES_MAX:
            gathered = [b"".join(gathered)]  # else one frame is nearly all of it
        write = self._window.call if is_to_be_synced else self._window.write
        for data in gathered:
            write(data, self._gathered_at)
            self._gathered_at += len(data)
        self._gathered.clear()

    def _roll(self, size_bytes: int, head: int) -> None:
        self.write()
        needed = size_bytes + SEGMENT_HEADER_BYTES
        start = self._last.stop if self.segments else 0
        wanted = self.settings.segment_bytes if self.segments else self.settings.first_segment_bytes
        try:
            if self._spare is None or self._spare.size_bytes < needed:
                self._discard_spare()
                self._spare = self.prepare(max(wanted, needed), zeroed=not self.segments)
        except OSError as error:
            if error.errno in FULL:
                raise NoSpace(str(self.folder)) from None
            raise
        assert self._spare is not None
        spare, self._spare = self._spare, None
        os.pwrite(spare.descriptor, segment_header(start, head), 0)
        path = segment_path(self.folder, start)
        spare.path.rename(path)
        self._use(Segment(path, spare.descriptor, start, head, spare.size_bytes))
        self.is_folder_synced = False

    def _use(self, segment: Segment) -> None:
        self.segments.append(segment)
        self.unsynced.append(segment)
        self._last = segment
        self._offset = self._gathered_at = segment.stop - segment.start
        self._size = segment.size_bytes
        self._window.close()
        self._window = Window(segment.descriptor, segment.size_bytes)

    @property
    def has_room_for_mark(self) -> bool:
        """Whether an empty frame fits without a new segment."""
        return self._offset + FRAME_BYTES <= self._size

    @property
    def wants_spare(self) -> bool:
        """Whether it is time to prepare the next segment."""
        return self._spare is None and self._offset * 2 > self._size

    def prepare(self, size_bytes: int, *, zeroed: bool) -> Spare:
        """Make the next segment's file; it may run on another thread."""
        path = self.folder / f"next-{next(self._spares)}.tmp"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self.settings.reserve(descriptor, size_bytes)
            if zeroed:
                write_zeroes(descriptor, 0, size_bytes)
                sync_data(descriptor)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return Spare(path, descriptor, size_bytes)

    def adopt(self, spare: Spare) -> None:
        """Take a segment's file that was prepared on another thread."""
        self._discard_spare()
        self._spare = spare

    def _discard_spare(self) -> None:
        if self._spare is not None:
            os.close(self._spare.descriptor)
            self._spare.path.unlink(missing_ok=True)
            self._spare = None

    # --- reading

    def segment_at(self, place: int) -> Segment:
        """The segment that holds the frame at `place`."""
        return self.segments[bisect_right(self.segments, place, key=lambda segment: segment.start) - 1]

    def read(self, segment: Segment, place: int, size_bytes: int) -> bytes:
        """Bytes of the segment's frames from `place` on: at least one whole frame, unless at the stop."""
        self.write()
        offset = place - segment.start
        data = os.pread(segment.descriptor, min(size_bytes, segment.stop - place), offset)
        skimmed = skim_frame(data, 0)
        if skimmed is not None and skimmed[2] > len(data):
            data = read_at(segment.descriptor, skimmed[2], offset)
        if place < segment.stop and parse_frame(data, 0) is None:
            raise Damaged(f"{segment.path} at byte {offset}")
        return data

    async def locate(self, revision: int) -> tuple[Segment, int]:
        """The segment of a kept step, and the place of a frame at or shortly before it."""
        if self._is_closed:
            raise StoreError("the store is closed")
        at = bisect_right(self.segments, revision - 1, key=lambda segment: segment.base_revision) - 1
        segment = self.segments[max(at, 0)]
        while not (segment.index and segment.index[-1][0] >= revision) and self._extend_index(segment):
            await asyncio.sleep(0)
            if self._is_closed:
                raise StoreError("the store is closed")
            if segment.descriptor == CLOSED:
                raise Compacted(self.segments[0].base_revision + 1)
        at = bisect_right(segment.index, revision, key=lambda row: row[0]) - 1
        return segment, segment.index[at][1] if at >= 0 else segment.start + SEGMENT_HEADER_BYTES

    def _extend_index(self, segment: Segment) -> bool:
        """Look at more frames; whether there may be still more."""
        self.write()
        place = segment.indexed
        size = min(INDEX_BYTES, segment.stop - place)
        data = os.pread(segment.descriptor, size, place - segment.start)
        at, known = 0, segment.index[-1][1] if segment.index else -INDEX_STEP_BYTES
        while (skimmed := skim_frame(data, at)) is not None:
            kind, revision, stop = skimmed
            if kind == STEP and place + at - known >= INDEX_STEP_BYTES:
                known = place + at
                segment.index.append((revision, known))
            at = stop  # of a large frame, this may lie beyond the data
        if at == 0 and size:
            raise Damaged(f"{segment.path} at byte {place - segment.start}")
        segment.indexed = place + at
        return segment.indexed < segment.stop

    # --- letting go

    def detach_below(self, place: int) -> list[tuple[Path, int]]:
        """Let go of old segments while the history is over its bound, only of whole ones below `place`; the
        files (path, descriptor) are left to the caller to close and delete, oldest first."""
        detached: list[tuple[Path, int]] = []
        while len(self.segments) > 1 and self.segments[1].start <= place:
            if self.stop - self.segments[0].start <= self.settings.history_bytes_max:
                break
            gone = self.segments.pop(0)
            if gone in self.unsynced:
                self.unsynced.remove(gone)
            detached.append((gone.path, gone.descriptor))
            gone.descriptor = CLOSED
        return detached

    def close(self) -> None:
        self._is_closed = True
        self._window.close()
        for segment in self.segments:
            os.close(segment.descriptor)
            segment.descriptor = CLOSED
        self._discard_spare()

    # --- opening

    def open(self, place: int) -> Iterator[Frame]:
        """Find the segments, repair a torn tail, and give every frame from `place` on. Run it to its end
        before anything else; Damaged."""
        for left in self.folder.glob("next-*.tmp"):
            left.unlink()
        paths = sorted(self.folder.glob("log-*"))
        self._find(paths)
        if not self.segments:
            if place:
                raise Damaged(f"{self.folder}: a checkpoint, and no log")
            self._roll(0, 1)
            self._finish_opening()
            return
        if place and place < self.segments[0].start:
            raise Damaged(f"{self.segments[0].path}: the log begins after the checkpoint")
        first = self.segments.index(self.segment_at(place))
        for segment, behind in zip(self.segments, self.segments[1:], strict=False):
            segment.stop = behind.start
        for at in range(first, len(self.segments)):
            segment = self.segments[at]
            begin = max(place, segment.start + SEGMENT_HEADER_BYTES)
            yield from self._walk(segment, begin, is_last=at == len(self.segments) - 1)
            if segment is not self.segments[-1] and segment.stop != self.segments[at + 1].start:
                self._cut_behind(segment)
                break
        if self.stop < place:
            raise Damaged(f"{self._last.path}: the log ends before the checkpoint")
        self._finish_opening()

    def _find(self, paths: list[Path]) -> None:
        for at, path in enumerate(paths):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            header = parse_segment_header(os.pread(descriptor, SEGMENT_HEADER_BYTES, 0))
            if header is None:
                os.close(descriptor)
                self._forget_begun(paths[at:])
                return
            if header[0] != FORMAT:
                os.close(descriptor)
                raise StoreError(f"{path} has format {header[0]}, this version reads {FORMAT}")
            size = os.fstat(descriptor).st_size
            self._use(Segment(path, descriptor, header[1], header[2], size))

    def _forget_begun(self, paths: list[Path]) -> None:
        """Delete segments, the first without a header, that were begun when the power went; Damaged."""
        place = int(paths[0].name.removeprefix("log-"), 16)
        if any(proves(path.read_bytes(), 0, place) for path in paths):
            raise Damaged(f"{paths[0]} at byte 0")
        for path in reversed(paths):  # so that at any instant the rest is a log
            path.unlink()

    def _walk(self, segment: Segment, place: int, *, is_last: bool) -> Iterator[Frame]:
        data = read_at(segment.descriptor, segment.size_bytes, 0)
        at = place - segment.start
        behind = len(data) if is_last else segment.stop - segment.start
        while (found := parse_frame(data, at)) is not None and found.stop <= behind:
            yield found
            at = found.stop
        segment.stop = segment.start + at
        if not is_last and at == behind:
            return
        if data[at:].strip(b"\0"):
            self._check_torn(segment, data, at)
            write_zeroes(segment.descriptor, at, len(data))
        elif not is_last:
            self._check_torn(segment, data, at)

    def _check_torn(self, segment: Segment, data: bytes, at: int) -> None:
        """Damaged if anything behind `at` proves that it was on the disk once."""
        place = segment.start + at
        damaged = proves(data, at, place)
        for later in self.segments[self.segments.index(segment) + 1 :]:
            whole = read_at(later.descriptor, later.size_bytes, 0)
            damaged = damaged or proves(whole, SEGMENT_HEADER_BYTES, place)
        if damaged:
            raise Damaged(f"{segment.path} at byte {at}")

    def _cut_behind(self, segment: Segment) -> None:
        while self.segments[-1] is not segment:
            gone = self.segments.pop()
            gone.path.unlink()
            os.close(gone.descriptor)
            self.unsynced.remove(gone)

    def _finish_opening(self) -> None:
        """All that was found is shown from now on, so it is made durable first."""
        last = self.segments.pop()
        self.unsynced = [each for each in self.unsynced if each is not last]
        self._use(last)
        self._size = last.size_bytes if has_space(last, self.settings.reserve) else self._offset
        for segment in self.unsynced:
            sync_data(segment.descriptor)
        sync_folder(self.folder)
        self.unsynced = [last]
        self.is_folder_synced = True
        self.durable = self.stop


def has_space(segment: Segment, take: Reserve) -> bool:
    """Whether a segment has the space that it needs. A folder that was copied may have lost some; then it is
    taken again, where there is as much."""
    if os.fstat(segment.descriptor).st_blocks * BLOCK_BYTES >= segment.size_bytes:
        return True
    try:
        take(segment.descriptor, segment.size_bytes)
    except OSError as error:
        if error.errno not in FULL:
            raise
        return False
    return True


def proves(data: bytes, at: int, place: int) -> bool:
    """Whether a whole frame behind `at` was written when `place` was on the disk already."""
    while (at := data.find(MARKER, at)) >= 0:
        found = parse_frame(data, at)
        if found is not None and found.durable > place:
            return True
        at += 1
    return False
