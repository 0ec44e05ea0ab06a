"""Small bodies on disk, many to a file: making a file costs a hundred times what appending a kilobyte does.

State   FOLDER/%06x     entries one after another, each the size of its body (u32), its id (26 bytes), whether
                        it is there (u8), a zero byte, and the body
Source  docs/architecture.md, "Blobs"; docs/decisions/0007-small-bodies.md
Absent  taking back the room of dropped bodies while another body in their pack is held

Theory of operation
    An id says where its body is, so there is no index to keep or to rebuild: the last 66 bits of a packed
    body's id are

        1 | pack, 24 bits | position, 24 bits | size of the body, 17 bits

    and those of a body with a file of its own begin with 0. An entry is written with one call, so it is
    there as soon as that returns and survives kill -9. Each opening begins a new pack: what a crash has torn
    at the end of an old one stays there, named by nothing. A drop marks the entry; a pack goes when all of
    its entries have been dropped. How many are left in a pack of an earlier opening is counted at the first
    drop in it, or when a listing meets it. One that cannot be read to its end, by a crash or by damage,
    stays: nobody knows what is behind the damage.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from cloudlet.engines.disk_segment import fdatasync
from cloudlet.kernel.blob_ids import TAIL_BITS, BlobIds, is_blob_id, tail_of
from cloudlet.kernel.blobs import BlobId

BODY_BYTES_MAX = 64 << 10
PACK_BYTES = 8 << 20
OPEN_MAX = 64  # packs open for reading
SCANNED_BYTES = 1 << 20

NAME = re.compile(r"[0-9a-f]{6}")
ENTRY = Struct(">I26sBx")
THERE, DROPPED = 1, 0
STATE_AT = 30  # of an entry
SIZE_BITS, POSITION_BITS, PACK_BITS = 17, 24, 24
PACKED = 1 << TAIL_BITS - 1


class Place(NamedTuple):
    """Where a body is, as its id says."""

    pack: int
    position: int
    size_bytes: int


class Entry(NamedTuple):
    """A body that is there."""

    id: BlobId
    size_bytes: int


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


class Packs:
    """The packs of a folder."""

    def __init__(self, folder: Path, ids: BlobIds) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._ids = ids
        self._packs = sorted(int(each.name, 16) for each in folder.iterdir() if NAME.fullmatch(each.name))
        self._files: dict[int, int] = {}  # pack -> descriptor, the one opened longest ago first
        self._left: dict[int, int] = {}  # pack -> entries that are there, where that is known
        self._firsts: dict[int, BlobId] = {}
        self._lasts: dict[int, BlobId] = {}  # of packs that are full
        self._active = 0  # 0 until there is one
        self._size = 0  # of the active pack
        self._named = 0  # the newest pack whose name in the folder survives power loss

    def put(self, body: bytes) -> BlobId:
        """Write a body of at most BODY_BYTES_MAX; it is there when this returns. OSError."""
        length = ENTRY.size + len(body)
        if not self._active or self._size + length > PACK_BYTES:
            self._begin_pack()
        pack, position = self._active, self._size
        blob = self._ids.fresh(PACKED | pack << SIZE_BITS + POSITION_BITS | position << SIZE_BITS | len(body))
        file = self._files[pack]
        try:
            written = os.pwrite(file, ENTRY.pack(len(body), blob.encode(), THERE) + body, position)
            if written != length:
                _write_rest(file, ENTRY.pack(len(body), blob.encode(), THERE) + body, position, written)
        except OSError:
            os.ftruncate(file, position)
            raise
        self._size = position + length
        self._left[pack] += 1
        self._firsts.setdefault(pack, blob)
        self._lasts[pack] = blob
        return blob

    async def sync(self, blob: BlobId) -> None:
        """Make a body that was put survive power loss."""
        place = place_of(blob)
        assert place is not None
        file = self._file(place.pack)
        assert file is not None
        copy = os.dup(file)  # stays open whatever happens to the pack meanwhile
        try:
            await asyncio.get_running_loop().run_in_executor(None, fdatasync, copy)
            if place.pack > self._named:
                newest = self._active
                for folder in (self._folder, self._folder.parent):
                    await asyncio.get_running_loop().run_in_executor(None, sync_folder, folder)
                self._named = max(self._named, newest)
        finally:
            os.close(copy)

    def _begin_pack(self) -> None:
        pack = max(self._packs[-1] if self._packs else 0, self._active) + 1
        file = os.open(self._path(pack), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        full, self._active, self._size = self._active, pack, 0
        self._packs.append(pack)
        self._left[pack] = 0
        self._keep_open(pack, file)
        if full and not self._left[full]:
            self._remove(full)

    def _path(self, pack: int) -> Path:
        return self._folder / f"{pack:06x}"

    def _keep_open(self, pack: int, file: int) -> None:
        self._files[pack] = file
        if len(self._files) > OPEN_MAX:
            oldest = next(each for each in self._files if each != self._active)
            os.close(self._files.pop(oldest))

    def _file(self, pack: int) -> int | None:
        """The descriptor of a pack, None where there is no such pack."""
        file = self._files.get(pack)
        if file is None:
            try:
                file = os.open(self._path(pack), os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            self._keep_open(pack, file)
        return file

    def read(self, blob: BlobId, place: Place) -> bytes | None:
        """A body, None where it is not there."""
        file = self._file(place.pack)
        if file is None:
            return None
        found = os.pread(file, ENTRY.size + place.size_bytes, place.position)
        return found[ENTRY.size :] if is_entry(found, blob, place) else None

    async def drop(self, blob: BlobId, place: Place) -> None:
        """Delete a body; no error if it is not there."""
        if self.read(blob, place) is None:
            return
        if place.pack not in self._left:
            left, is_whole = await self._entries(place.pack)
            self._left.setdefault(place.pack, len(left) + (not is_whole))
        file = self._file(place.pack)
        if file is None or self.read(blob, place) is None:
            return  # while it was counted
        os.pwrite(file, bytes((DROPPED,)), place.position + STATE_AT)
        self._left[place.pack] -= 1
        if not self._left[place.pack] and place.pack != self._active:
            self._remove(place.pack)

    def _remove(self, pack: int) -> None:
        self._path(pack).unlink(missing_ok=True)
        file = self._files.pop(pack, None)
        if file is not None:
            os.close(file)
        self._packs.remove(pack)
        for known in (self._left, self._firsts, self._lasts):
            known.pop(pack, None)

    async def listed(self, after: BlobId | None, limit: int) -> Sequence[Entry]:
        """At least the first `limit` bodies after `after` in id order, where there are as many."""
        found: list[Entry] = []
        for pack in list(self._packs):
            if pack not in self._firsts:
                self._look_at(pack)
        for pack in sorted(self._firsts, key=self._firsts.__getitem__):
            first, last = self._firsts.get(pack), self._lasts.get(pack)
            if first is None or (after is not None and last is not None and last <= after):
                continue
            if len(found) >= limit and first > sorted(found)[limit - 1].id:
                break
            entries, is_whole = await self._entries(pack)
            if entries and pack not in self._lasts:
                self._lasts[pack] = entries[-1].id
            if not entries and is_whole and self._is_spent(pack):
                self._remove(pack)
            found += [each for each in entries if after is None or each.id > after]
        return found

    def _look_at(self, pack: int) -> None:
        """Learn the first id of a pack of an earlier opening."""
        file = self._file(pack)
        head = os.pread(file, ENTRY.size, 0) if file is not None else b""
        if len(head) == ENTRY.size:
            name = ENTRY.unpack(head)[1].decode("latin-1")
            if is_blob_id(name):
                self._firsts[pack] = BlobId(name)

    def _is_spent(self, pack: int) -> bool:
        """Whether nothing is written into a pack any more, nor was while it was looked at."""
        return pack in self._packs and pack != self._active and not self._left.get(pack)

    async def _entries(self, pack: int) -> tuple[Sequence[Entry], bool]:
        """The bodies in a pack in id order, and whether it could be read to its end."""
        file = self._file(pack)
        if file is None:
            return [], False
        copy = os.dup(file)
        stop = self._size if pack == self._active else PACK_BYTES
        try:
            return await asyncio.get_running_loop().run_in_executor(None, entries_of, copy, pack, stop)
        finally:
            os.close(copy)

    def close(self) -> None:
        """Let go."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()
        self._active = 0


def is_entry(found: bytes, blob: BlobId, place: Place) -> bool:
    """Whether these bytes are the entry of a body that is there."""
    if len(found) != ENTRY.size + place.size_bytes:
        return False
    return ENTRY.unpack_from(found) == (place.size_bytes, blob.encode(), THERE)


def entries_of(file: int, pack: int, stop: int) -> tuple[Sequence[Entry], bool]:
    """The bodies in a pack up to a position, and whether what it holds ends there: not so where a crash has
    torn an entry, or where one is damaged."""
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
    return found, position == stop


def sync_folder(folder: Path) -> None:
    """Make names in a folder survive power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_rest(file: int, entry: bytes, position: int, written: int) -> None:
    rest = memoryview(entry)[written:]
    while rest:
        count = os.pwrite(file, rest, position + len(entry) - len(rest))
        rest = rest[count:]
