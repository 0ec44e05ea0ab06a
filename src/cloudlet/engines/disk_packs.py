"""Small bodies on disk, many to a file: making a file costs a hundred times what appending a kilobyte does.

State   FOLDER/%06x        a pack, see disk_pack_file.py
        FOLDER/%06x.new    one that is being compacted; what a crash has left of it goes at the next opening
Source  docs/architecture.md, "Blobs"; docs/decisions/0007-small-bodies.md
Absent  none

Theory of operation
    An id says where its body is, so there is no index to keep or to rebuild: the last 66 bits of a packed
    body's id are

        1 | pack, 24 bits | position, 24 bits | size of the body, 17 bits

    and those of a body with a file of its own begin with 0. An entry is written in one piece, into space
    that was reserved for it, so it is there as soon as that is done and survives kill -9. Each opening begins
    a new pack: what a crash has torn at the end of an old one, and what it had reserved, stays there, named
    by nothing. A drop marks the entry; a pack goes when all of its entries have been dropped. How many are
    left in a pack of an earlier opening is counted at the first drop in it, or when a listing meets it. One
    that cannot be read to its end, by a crash or by damage, stays as it is: nobody knows what is behind the
    damage.

    A pack of which under half is left is compacted: what is there is written aside, synced, and takes the
    pack's name. What is dropped meanwhile is marked in both.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cloudlet.engines.disk_calls import reserve, sync_data, sync_folder
from cloudlet.engines.disk_pack_file import (
    ENTRY,
    PACK_BYTES,
    THERE,
    Entry,
    PackFile,
    Place,
    compacted,
    entries_of,
    place_of,
    tail_for,
)
from cloudlet.engines.disk_shortage import NO_ROOM
from cloudlet.engines.disk_thread import on_thread
from cloudlet.engines.disk_window import WINDOW_BYTES, Window
from cloudlet.kernel.blob_ids import BlobIds
from cloudlet.kernel.blobs import BlobId

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 64 << 10
OPEN_MAX = 64  # packs open for reading
COMPACTED_BYTES_MIN = 1 << 20  # the room of a smaller pack is not worth the trouble

NAME = re.compile(r"[0-9a-f]{6}")
ASIDE = re.compile(r"[0-9a-f]{6}\.new")


class Left:
    """What is there of a pack: entries, bytes; `is_whole` unless some of it cannot be read, `is_stuck` once
    it could not be compacted."""

    __slots__ = ("bytes", "count", "is_stuck", "is_whole")

    def __init__(self, entries: Sequence[Entry] = (), *, is_whole: bool = True) -> None:
        self.count = len(entries)
        self.bytes = sum(ENTRY.size + entry.size_bytes for entry in entries)
        self.is_whole = is_whole
        self.is_stuck = False


class Packs:
    """The packs of a folder."""

    def __init__(self, folder: Path, ids: BlobIds) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._ids = ids
        for left_over in [each for each in folder.iterdir() if ASIDE.fullmatch(each.name)]:
            left_over.unlink()
        self._packs = sorted(int(each.name, 16) for each in folder.iterdir() if NAME.fullmatch(each.name))
        self._files: dict[int, PackFile] = {}  # the one opened longest ago first
        self._left: dict[int, Left] = {}  # of the packs of which it is known
        self._dropped: dict[int, list[int]] = {}  # of a pack that is being compacted: positions, meanwhile
        self._firsts: dict[int, BlobId] = {}
        self._lasts: dict[int, BlobId] = {}  # of packs that are full
        self._active = 0  # 0 until there is one
        self._size = 0  # of the active pack
        self._window: Window | None = None  # onto it, as far as space is reserved
        self._named = 0  # the newest pack whose name in the folder survives power loss

    def put(self, body: bytes) -> BlobId:
        """Write a body of at most BODY_BYTES_MAX; it is there when this returns. OSError."""
        length = ENTRY.size + len(body)
        if not self._active or self._size + length > PACK_BYTES:
            self._begin_pack()
        pack, position = self._active, self._size
        window = self._window
        assert window is not None
        blob = self._ids.fresh(tail_for(pack, position, len(body)))
        try:
            if position + length > window.size_bytes:
                self._reserve(window, position + length)
            window.write(ENTRY.pack(len(body), blob.encode(), THERE) + body, position)
        except OSError:
            self._cut(window)
            raise
        self._size = position + length
        left = self._left[pack]
        left.count += 1
        left.bytes += length
        if not position:
            self._firsts[pack] = blob
        self._lasts[pack] = blob
        return blob

    def _reserve(self, window: Window, stop: int) -> None:
        """Take space for more than is needed now, or, on a disk that is nearly full, for just that."""
        file, start = self._files[self._active].file, window.size_bytes
        wanted = max(min(start + WINDOW_BYTES, PACK_BYTES), stop)
        try:
            reserve(file, start, wanted)
        except OSError as error:
            if error.errno not in NO_ROOM or wanted == stop:
                raise
            wanted = stop
            reserve(file, start, wanted)
        window.size_bytes = wanted

    def _cut(self, window: Window) -> None:
        """Give back what is reserved of the active pack and not written."""
        window.close()
        os.ftruncate(self._files[self._active].file, self._size)
        window.size_bytes = self._size

    async def sync(self, blob: BlobId) -> None:
        """Make a body that was put survive power loss."""
        place = place_of(blob)
        assert place is not None
        file = self._file(place.pack)
        assert file is not None
        copy = os.dup(file.file)  # stays open whatever happens to the pack meanwhile
        try:
            await on_thread(sync_data, copy)
            if place.pack > self._named:
                newest = self._active
                for folder in (self._folder, self._folder.parent):
                    await on_thread(sync_folder, folder)
                self._named = max(self._named, newest)
        finally:
            os.close(copy)

    def _begin_pack(self) -> None:
        pack = max(self._packs[-1] if self._packs else 0, self._active) + 1
        file = os.open(self._path(pack), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        if self._window is not None:
            self._cut(self._window)
        self._window = Window(file, 0)
        full, self._active, self._size = self._active, pack, 0
        self._packs.append(pack)
        self._left[pack] = Left()
        self._keep_open(pack, PackFile(file))
        if full and not self._left[full].count:
            self._remove(full)

    def _path(self, pack: int) -> Path:
        return self._folder / f"{pack:06x}"

    def _keep_open(self, pack: int, file: PackFile) -> None:
        self._files[pack] = file
        if len(self._files) > OPEN_MAX:
            oldest = next(each for each in self._files if each != self._active)
            self._files.pop(oldest).close()

    def _file(self, pack: int) -> PackFile | None:
        """A pack, opened; None where there is no such pack."""
        file = self._files.get(pack)
        if file is None:
            file = PackFile.open(self._path(pack))
            if file is not None:
                self._keep_open(pack, file)
        return file

    def read(self, blob: BlobId, place: Place) -> bytes | None:
        """A body, None where it is not there."""
        file = self._file(place.pack)
        return None if file is None else file.read(blob, place)

    async def drop(self, blob: BlobId, place: Place) -> None:
        """Delete a body; no error if it is not there."""
        if self.read(blob, place) is None:
            return
        pack = place.pack
        if pack not in self._left:
            entries, is_whole = await self._entries(pack)
            self._left.setdefault(pack, Left(entries, is_whole=is_whole))
        file = self._file(pack)
        if file is None or file.read(blob, place) is None:
            return  # while it was counted
        file.drop(place.position)
        if pack in self._dropped:
            self._dropped[pack].append(place.position)
        left = self._left[pack]
        left.count -= 1
        left.bytes -= ENTRY.size + place.size_bytes
        if pack == self._active or not left.is_whole:
            return
        if not left.count:
            self._remove(pack)
        elif pack not in self._dropped and self._is_sparse(file, left):
            await self._compact(pack, file)

    def _is_sparse(self, file: PackFile, left: Left) -> bool:
        size_bytes = os.fstat(file.file).st_size
        return size_bytes >= COMPACTED_BYTES_MIN and left.bytes * 2 < size_bytes and not left.is_stuck

    async def _compact(self, pack: int, file: PackFile) -> None:
        """Let what is there of a pack take its place."""
        aside = self._folder / f"{pack:06x}.new"
        source = PackFile(os.dup(file.file), file.moved)  # stays open whatever happens to the pack meanwhile
        self._dropped[pack] = []
        made: PackFile | None = None
        try:
            made = await on_thread(compacted, source, pack, aside)
        except OSError as error:  # no room, as it seems: the pack stays as it is
            log.warning("pack %06x was not compacted: %s", pack, error)
        finally:
            source.close()
            dropped = self._dropped.pop(pack)
        if made is None:
            if pack in self._left:
                self._left[pack].is_stuck = True
            return
        if pack not in self._packs:  # all of it was dropped meanwhile
            made.close()
            aside.unlink(missing_ok=True)
            return
        for position in dropped:
            made.drop(position)
        aside.rename(self._path(pack))
        former = self._files.pop(pack, None)
        if former is not None:
            former.close()
        self._keep_open(pack, made)

    def _remove(self, pack: int) -> None:
        self._path(pack).unlink(missing_ok=True)
        file = self._files.pop(pack, None)
        if file is not None:
            file.close()
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
        first = None if file is None else file.first()
        if first is not None:
            self._firsts[pack] = first

    def _is_spent(self, pack: int) -> bool:
        """Whether nothing is written into a pack any more, nor was while it was looked at."""
        left = self._left.get(pack)
        return pack in self._packs and pack != self._active and (left is None or not left.count)

    async def _entries(self, pack: int) -> tuple[Sequence[Entry], bool]:
        """The bodies in a pack in id order, and whether it could be read to its end."""
        file = self._file(pack)
        if file is None:
            return [], False
        copy = os.dup(file.file)
        stop = self._size if pack == self._active else PACK_BYTES
        try:
            return await on_thread(entries_of, copy, pack, stop)
        finally:
            os.close(copy)

    def close(self) -> None:
        """Let go."""
        if self._window is not None and self._active:
            self._cut(self._window)
        self._window = None
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._active = 0
