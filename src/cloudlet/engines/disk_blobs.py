"""The blobs store on disk: a file per body, made whole under another name; small bodies share files.

State   FOLDER/new/ID        a body on its way in; what is there at open is left over from a crash and goes
        FOLDER/XX/ID         a finished body; XX are the last two characters of its id, 1,024 folders
        FOLDER/packs/        small bodies, see disk_packs.py
Source  docs/architecture.md, "Blobs"; rename(2)
Absent  none

    write  -> memory, up to BODY_BYTES_MAX; beyond that new/ID
                             (large pieces in a thread: writing releases the GIL)
    finish -> a pack         or
           -> XX/ID          rename, which a reader sees wholly or not at all; with SYNC the file is synced
                             before it, and the folders after

The rename, or the write into the pack, is the moment at which a body exists. An open reader holds the file,
or has the small body in memory, so a body that is dropped while it is read is read to its end.
"""

from __future__ import annotations

import asyncio
import heapq
import os
from collections import deque
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from pathlib import Path

from cloudlet.engines.disk_calls import sync_folder
from cloudlet.engines.disk_pack_file import place_of
from cloudlet.engines.disk_packs import BODY_BYTES_MAX, Packs
from cloudlet.engines.disk_shortage import NO_ROOM
from cloudlet.engines.disk_thread import on_thread
from cloudlet.kernel.blob_ids import DIGITS, BlobIds, is_blob_id, made_ms_of
from cloudlet.kernel.blobs import CHUNK_BYTES, BlobFacts, BlobId, BlobReader
from cloudlet.kernel.blobs_memory import MemoryBlobReader
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import NoSpace, NoSuchBlob, OutOfRange
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Durability

VECTORS_MAX = 256  # pieces that one call writes; the system takes 1,024
INLINE_BYTES = 64 << 10  # a smaller write costs less than the way to a thread and back
FOLDERS = tuple(first + second for first in DIGITS for second in DIGITS)


class DiskBlobs:
    """The port over a folder."""

    def __init__(self, folder: Path, clock: Clock, ids: Ids) -> None:
        self.folder = folder
        self.ids_of_files = BlobIds(clock, ids)
        self.packs = Packs(folder / "packs", self.ids_of_files)
        self.writers: set[DiskBlobWriter] = set()  # that have a file

    @classmethod
    def open_folder(cls, folder: Path, clock: Clock, ids: Ids) -> DiskBlobs:
        """Open or make the store; bodies that a crash left unfinished are removed."""
        fresh = folder / "new"
        fresh.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left_over in fresh.iterdir():
            left_over.unlink()
        return cls(folder, clock, ids)

    async def put(self, body: bytes, durability: Durability = Durability.RELAXED) -> BlobId:
        if len(body) > BODY_BYTES_MAX:
            writer = DiskBlobWriter(self)
            try:
                await writer.write(body)
                return await writer.finish(durability)
            finally:
                await writer.abandon()  # which does nothing to one that is finished
        try:
            blob = self.packs.put(body)
            if durability:
                await self.packs.sync(blob)
        except OSError as error:
            raise _refusal(error) from error
        return blob

    def put_now(self, body: bytes) -> BlobId | None:
        if len(body) > BODY_BYTES_MAX:
            return None
        try:
            return self.packs.put(body)
        except OSError as error:
            raise _refusal(error) from error

    def create(self) -> DiskBlobWriter:
        return DiskBlobWriter(self)

    def _file_of(self, blob: BlobId) -> Path:
        if not is_blob_id(blob):
            raise NoSuchBlob(blob)
        return place(self.folder, blob)

    async def open(self, blob: BlobId) -> BlobReader:
        packed = place_of(blob)
        body = None if packed is None else self.packs.read(blob, packed)
        if body is not None:
            return MemoryBlobReader(body)
        try:  # what is not in a pack too: before there were packs, half of all ids looked like theirs
            return DiskBlobReader(os.open(self._file_of(blob), os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            raise NoSuchBlob(blob) from None

    async def drop(self, blob: BlobId) -> None:
        packed = place_of(blob)
        if packed is not None and self.packs.read(blob, packed) is not None:
            await self.packs.drop(blob, packed)
        elif is_blob_id(blob):
            self._file_of(blob).unlink(missing_ok=True)

    async def ids(self, after: BlobId | None = None, *, limit: int = 1000) -> Sequence[BlobFacts]:
        facts = [
            BlobFacts(each.id, each.size_bytes, made_ms_of(each.id))
            for each in await self.packs.listed(after, limit)
        ]
        for blob in await self._ids_of_files(after, limit):
            try:
                facts.append(BlobFacts(blob, self._file_of(blob).stat().st_size, made_ms_of(blob)))
            except FileNotFoundError:
                continue  # dropped since
        return heapq.nsmallest(limit, facts)

    async def _ids_of_files(self, after: BlobId | None, limit: int) -> Sequence[BlobId]:
        found: list[BlobId] = []
        for name in FOLDERS:
            try:
                entries = os.listdir(self.folder / name)
            except FileNotFoundError:
                continue
            found += [
                BlobId(each) for each in entries if is_blob_id(each) and (after is None or each > after)
            ]
            if len(found) > 4 * limit + 1000:
                found = heapq.nsmallest(limit, found)
                await asyncio.sleep(0)
        return heapq.nsmallest(limit, found)

    async def close(self) -> None:
        for writer in list(self.writers):
            await writer.abandon()
        self.packs.close()


def place(folder: Path, blob: BlobId) -> Path:
    """Where a finished body stands."""
    return folder / blob[-2:] / blob


class DiskBlobWriter:
    """A body on its way in."""

    __slots__ = ("_blob", "_file", "_parts", "_path", "_size", "_store")

    def __init__(self, store: DiskBlobs) -> None:
        self._store = store
        self._parts: list[bytes] | None = []  # of a body that is small so far; None once it is spent
        self._size = 0
        self._file = -1  # of one that is not small
        self._blob: BlobId
        self._path: Path

    async def write(self, *chunks: bytes | bytearray | memoryview) -> None:
        assert self._parts is not None, "the writer is spent"
        size = sum(map(len, chunks))
        self._size += size
        try:
            if self._file < 0:
                if self._size <= BODY_BYTES_MAX:
                    self._parts += map(bytes, chunks)
                    return
                self._begin_file(self._parts)
            if size <= INLINE_BYTES:
                _write_all(self._file, chunks)
            else:
                await on_thread(_write_all, self._file, chunks)
        except OSError as error:
            raise _refusal(error) from error

    def _begin_file(self, parts: list[bytes]) -> None:
        store = self._store
        self._blob = store.ids_of_files.fresh()
        self._path = store.folder / "new" / self._blob
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        store.writers.add(self)
        _write_all(self._file, parts)
        parts.clear()

    async def finish(self, durability: Durability = Durability.RELAXED) -> BlobId:
        parts = self._parts
        assert parts is not None, "the writer is spent"
        try:
            if self._file >= 0:
                await self._finish_file(durability)
            else:
                self._blob = await self._store.put(b"".join(parts), durability)
        except OSError as error:
            raise _refusal(error) from error
        self._let_go()
        return self._blob

    async def _finish_file(self, durability: Durability) -> None:
        target = place(self._store.folder, self._blob)
        if durability is Durability.SYNC:
            await on_thread(os.fsync, self._file)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        self._path.rename(target)
        if durability is Durability.SYNC:
            for folder in (target.parent, self._store.folder):
                await on_thread(sync_folder, folder)

    async def abandon(self) -> None:
        if self._file >= 0:
            self._path.unlink(missing_ok=True)
        self._let_go()

    def _let_go(self) -> None:
        self._parts = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._store.writers.discard(self)


def _write_all(file: int, chunks: Sequence[bytes | bytearray | memoryview]) -> None:
    rest = deque(memoryview(chunk) for chunk in chunks if len(chunk))
    while rest:
        written = os.writev(file, list(islice(rest, VECTORS_MAX)))
        while rest and written >= len(rest[0]):
            written -= len(rest.popleft())
        if written:
            rest[0] = rest[0][written:]


def _refusal(error: OSError) -> Exception:
    return NoSpace(str(error)) if error.errno in NO_ROOM else error


class DiskBlobReader:
    """An open body."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._size_bytes = os.fstat(file).st_size

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    async def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        stop = self._size_bytes if stop is None else stop
        if not 0 <= start <= stop <= self._size_bytes:
            raise OutOfRange(0, self._size_bytes)
        position = start
        while position < stop:
            size = min(CHUNK_BYTES, stop - position)
            if size <= INLINE_BYTES:
                chunk = os.pread(self._file, size, position)
            else:
                chunk = await on_thread(os.pread, self._file, size, position)
            position += len(chunk)
            yield chunk

    def whole(self) -> bytes | None:
        return None

    def fileno(self) -> int | None:
        return self._file

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
