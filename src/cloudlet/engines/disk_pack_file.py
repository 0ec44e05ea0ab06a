"""One pack of small bodies as a file: its entries, and what is left of it once it is compacted.

State   a pack as it is written: entries one after another, each the size of its body (u32), its id (26
        bytes), whether it is there (u8), a zero byte, and the body; then zeroes, if a crash ended it
        a compacted one: MAGIC, how many entries (u32), for each where it stood in the pack and where it
        stands here (u32 both, big-endian, in the order of the first), and the entries
Source  docs/decisions/0007-small-bodies.md
Absent  none

The id of a body says where it stood in its pack, and no body changes its id; so a compacted pack begins with
a table. MAGIC begins with no byte that the size of a body does.
"""

from __future__ import annotations

import os
import sys
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from cloudlet.engines.disk_calls import sync_data
from cloudlet.kernel.blob_ids import TAIL_BITS, is_blob_id, tail_of
from cloudlet.kernel.blobs import BlobId

PACK_BYTES = 8 << 20
SCANNED_BYTES = 1 << 20

ENTRY = Struct(">I26sBx")
THERE, DROPPED = 1, 0
STATE_AT = 30  # of an entry
SIZE_BITS, POSITION_BITS, PACK_BITS = 17, 24, 24
PACKED = 1 << TAIL_BITS - 1

MAGIC = b"\xffcompact"
COUNT = Struct(">I")


class Place(NamedTuple):
    """Where a body is, as its id says."""

    pack: int
    position: int
    size_bytes: int


class Entry(NamedTuple):
    """A body that is there."""

    id: BlobId
    size_bytes: int


def tail_for(pack: int, position: int, size_bytes: int) -> int:
    """The tail of the id of a body at this place."""
    return PACKED | pack << SIZE_BITS + POSITION_BITS | position << SIZE_BITS | size_bytes


def place_of(blob: BlobId) -> Place | None:
    """The place that an id names; None for the id of a body with a file of its own, and for what is none."""
    if not is_blob_id(blob):
        return None
    tail = tail_of(blob)
    if not tail & PACKED:
        return None
    return Place(
        tail >> SIZE_BITS + POSITION_BITS & (1 << PACK_BITS) - 1,
        tail >> SIZE_BITS & (1 << POSITION_BITS) - 1,
        tail & (1 << SIZE_BITS) - 1,
    )


class Moved:
    """The table of a compacted pack."""

    __slots__ = ("_offsets", "_positions")

    def __init__(self, positions: array[int], offsets: array[int]) -> None:
        self._positions = positions
        self._offsets = offsets

    def offset_of(self, position: int) -> int | None:
        """Where the entry stands that stood at a position; None for one that was not kept."""
        at = bisect_left(self._positions, position)
        is_there = at < len(self._positions) and self._positions[at] == position
        return self._offsets[at] if is_there else None

    def rows(self) -> Sequence[tuple[int, int]]:
        """(position in the pack, offset in the file), in order."""
        return list(zip(self._positions, self._offsets, strict=True))


class PackFile:
    """An open pack."""

    __slots__ = ("file", "moved")

    def __init__(self, file: int, moved: Moved | None = None) -> None:
        self.file = file
        self.moved = moved

    @classmethod
    def open(cls, path: Path) -> PackFile | None:
        """The pack of a path, None where there is none."""
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        return cls(file, moved_of(file))

    def offset_of(self, position: int) -> int | None:
        """Where the entry stands in the file whose id names a position."""
        return position if self.moved is None else self.moved.offset_of(position)

    def read(self, blob: BlobId, place: Place) -> bytes | None:
        """A body, None where it is not there."""
        offset = self.offset_of(place.position)
        if offset is None:
            return None
        found = os.pread(self.file, ENTRY.size + place.size_bytes, offset)
        return found[ENTRY.size :] if is_entry(found, blob, place) else None

    def drop(self, position: int) -> None:
        """Mark the entry that stood at a position."""
        offset = self.offset_of(position)
        if offset is not None:
            os.pwrite(self.file, bytes((DROPPED,)), offset + STATE_AT)

    def first(self) -> BlobId | None:
        """The id of the first entry, None where there is none."""
        rows = [(0, 0)] if self.moved is None else self.moved.rows()[:1]
        head = os.pread(self.file, ENTRY.size, rows[0][1]) if rows else b""
        name = ENTRY.unpack(head)[1].decode("latin-1") if len(head) == ENTRY.size else ""
        return BlobId(name) if is_blob_id(name) else None

    def close(self) -> None:
        """Let go."""
        os.close(self.file)


def is_entry(found: bytes, blob: BlobId, place: Place) -> bool:
    """Whether these bytes are the entry of a body that is there."""
    if len(found) != ENTRY.size + place.size_bytes:
        return False
    return ENTRY.unpack_from(found) == (place.size_bytes, blob.encode(), THERE)


def moved_of(file: int) -> Moved | None:
    """The table of a compacted pack; None for one that is as it was written."""
    head = os.pread(file, len(MAGIC) + COUNT.size, 0)
    if not head.startswith(MAGIC):
        return None
    (count,) = COUNT.unpack_from(head, len(MAGIC))
    both = array("I", os.pread(file, count * 8, len(head)))
    if sys.byteorder == "little":
        both.byteswap()
    return Moved(both[::2], both[1::2])


def entries_of(file: int, pack: int, stop: int) -> tuple[Sequence[Entry], bool]:
    """The bodies in a pack up to a position, and whether what it holds ends there: not so where a crash has
    torn an entry, or where one is damaged."""
    moved = moved_of(file)
    if moved is not None:
        return _entries_moved(file, pack, moved)
    found: list[Entry] = []
    position, window, window_start = 0, b"", 0
    stop = min(stop, os.fstat(file).st_size)
    while position + ENTRY.size <= stop:
        if position + ENTRY.size > window_start + len(window):
            window, window_start = os.pread(file, SCANNED_BYTES, position), position
            if len(window) < ENTRY.size:
                break
        size, name, state = ENTRY.unpack_from(window, position - window_start)
        blob = BlobId(name.decode("latin-1"))
        if place_of(blob) != (pack, position, size) or position + ENTRY.size + size > stop:
            break
        if state == THERE:
            found.append(Entry(blob, size))
        position += ENTRY.size + size
    return found, not os.pread(file, stop - position, position).strip(b"\0")  # zeroes were reserved only


def _entries_moved(file: int, pack: int, moved: Moved) -> tuple[Sequence[Entry], bool]:
    found: list[Entry] = []
    is_whole = True
    data = os.pread(file, PACK_BYTES * 2, 0)
    for position, offset in moved.rows():
        if offset + ENTRY.size > len(data):
            return found, False
        size, name, state = ENTRY.unpack_from(data, offset)
        blob = BlobId(name.decode("latin-1"))
        if place_of(blob) != (pack, position, size) or offset + ENTRY.size + size > len(data):
            is_whole = False
        elif state == THERE:
            found.append(Entry(blob, size))
    return found, is_whole


def compacted(source: PackFile, pack: int, path: Path) -> PackFile | None:
    """Write what is there of a pack to a file of its own; None, and no file, for a pack that cannot be read
    to its end. Both are synced: whichever of them a power loss leaves is whole. For a thread."""
    entries, is_whole = entries_of(source.file, pack, PACK_BYTES)
    if not is_whole:
        return None
    sync_data(source.file)
    data = os.pread(source.file, os.fstat(source.file).st_size, 0)
    rows = array("I")
    parts: list[bytes] = []
    offset = len(MAGIC) + COUNT.size + 8 * len(entries)
    for entry in entries:
        place = place_of(entry.id)
        assert place is not None
        at = source.offset_of(place.position)
        assert at is not None
        rows.extend((place.position, offset))
        parts.append(data[at : at + ENTRY.size + place.size_bytes])
        offset += ENTRY.size + place.size_bytes
    moved = Moved(rows[::2], rows[1::2])
    if sys.byteorder == "little":
        rows.byteswap()
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(b"".join((MAGIC, COUNT.pack(len(entries)), rows.tobytes(), *parts)))
        while rest:
            rest = rest[os.write(file, rest) :]
        sync_data(file)
    except OSError:
        os.close(file)
        path.unlink(missing_ok=True)
        raise
    return PackFile(file, moved)
