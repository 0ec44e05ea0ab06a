"""The blobs store on disk: a file per body, made whole under another name.

State   FOLDER/new/ID        a body on its way in; what is there at open is left over from a crash and goes
        FOLDER/XX/ID         a finished body; XX are the last two characters of its id, 1,024 folders
Source  docs/architecture.md, "Blobs"; rename(2)
Absent  none

    write  -> new/ID        (large pieces in a thread: writing releases the GIL)
    finish -> XX/ID         rename, which a reader sees wholly or not at all; with SYNC the file is synced
                            before it, and the folders after

The rename is the moment at which a body exists. An open reader holds the file, so a body that is dropped
while it is read is read to its end.
"""

from __future__ import annotations

import asyncio
import errno
import heapq
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from cloudlet.kernel.blob_ids import DIGITS, BlobIds, is_blob_id, made_ms_of
from cloudlet.kernel.blobs import CHUNK_BYTES, BlobFacts, BlobId
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import NoSpace, NoSuchBlob, OutOfRange
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Durability

INLINE_BYTES = 64 << 10  # a smaller write costs less than the way to a thread and back
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FOLDERS = tuple(first + second for first in DIGITS for second in DIGITS)


class DiskBlobs:
    """The port over a folder."""

    def __init__(self, folder: Path, clock: Clock, ids: Ids) -> None:
        self._folder = folder
        self._ids = BlobIds(clock, ids)
        self._writers: set[DiskBlobWriter] = set()

    @classmethod
    def open_folder(cls, folder: Path, clock: Clock, ids: Ids) -> DiskBlobs:
        """Open or make the store; bodies that a crash left unfinished are removed."""
        fresh = folder / "new"
        fresh.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left_over in fresh.iterdir():
            left_over.unlink()
        return cls(folder, clock, ids)

    def create(self) -> DiskBlobWriter:
        writer = DiskBlobWriter(self._folder, self._ids.fresh(), self._writers)
        self._writers.add(writer)
        return writer

    def _place(self, blob: BlobId) -> Path:
        if not is_blob_id(blob):
            raise NoSuchBlob(blob)
        return place(self._folder, blob)

    async def open(self, blob: BlobId) -> DiskBlobReader:
        try:
            return DiskBlobReader(os.open(self._place(blob), os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            raise NoSuchBlob(blob) from None

    async def drop(self, blob: BlobId) -> None:
        try:
            self._place(blob).unlink(missing_ok=True)
        except NoSuchBlob:
            return

    async def ids(self, after: BlobId | None = None, *, limit: int = 1000) -> Sequence[BlobFacts]:
        found: list[BlobId] = []
        for name in FOLDERS:
            try:
                entries = os.listdir(self._folder / name)
            except FileNotFoundError:
                continue
            found += [
                BlobId(each) for each in entries if is_blob_id(each) and (after is None or each > after)
            ]
            if len(found) > 4 * limit + 1000:
                found = heapq.nsmallest(limit, found)
                await asyncio.sleep(0)
        facts: list[BlobFacts] = []
        for blob in heapq.nsmallest(limit, found):
            try:
                facts.append(BlobFacts(blob, place(self._folder, blob).stat().st_size, made_ms_of(blob)))
            except FileNotFoundError:
                continue  # dropped since
        return facts

    async def close(self) -> None:
        for writer in list(self._writers):
            await writer.abandon()


def place(folder: Path, blob: BlobId) -> Path:
    """Where a finished body stands."""
    return folder / blob[-2:] / blob


class DiskBlobWriter:
    """A body on its way in."""

    def __init__(self, folder: Path, blob: BlobId, writers: set[DiskBlobWriter]) -> None:
        self._folder = folder
        self._blob = blob
        self._writers = writers
        self._path = folder / "new" / blob
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _refusal(error) from error

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        assert self._file >= 0, "the writer is spent"
        try:
            if len(chunk) <= INLINE_BYTES:
                _write_all(self._file, chunk)
            else:
                await asyncio.get_running_loop().run_in_executor(None, _write_all, self._file, chunk)
        except OSError as error:
            raise _refusal(error) from error

    async def finish(self, durability: Durability = Durability.RELAXED) -> BlobId:
        assert self._file >= 0, "the writer is spent"
        target = place(self._folder, self._blob)
        loop = asyncio.get_running_loop()
        try:
            if durability is Durability.SYNC:
                await loop.run_in_executor(None, os.fsync, self._file)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            self._path.rename(target)
            if durability is Durability.SYNC:
                await loop.run_in_executor(None, _sync_folders, target.parent, self._folder)
        except OSError as error:
            raise _refusal(error) from error
        self._let_go()
        return self._blob

    async def abandon(self) -> None:
        if self._file >= 0:
            self._path.unlink(missing_ok=True)
            self._let_go()

    def _let_go(self) -> None:
        os.close(self._file)
        self._file = -1
        self._writers.discard(self)


def _write_all(file: int, chunk: bytes | bytearray | memoryview) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(file, rest) :]


def _sync_folders(*folders: Path) -> None:
    """Make names in folders survive power loss."""
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refusal(error: OSError) -> Exception:
    return NoSpace(str(error)) if error.errno in NO_SPACE else error


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
        loop = asyncio.get_running_loop()
        position = start
        while position < stop:
            size = min(CHUNK_BYTES, stop - position)
            if size <= INLINE_BYTES:
                chunk = os.pread(self._file, size, position)
            else:
                chunk = await loop.run_in_executor(None, os.pread, self._file, size, position)
            position += len(chunk)
            yield chunk

    def fileno(self) -> int | None:
        return self._file

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
