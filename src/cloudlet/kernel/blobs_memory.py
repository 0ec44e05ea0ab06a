"""The blobs store in memory: the reference engine.

State   in memory: the bodies
Source  docs/architecture.md, "Blobs"
Absent  none
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence

from cloudlet.kernel.blob_ids import BlobIds, made_ms_of
from cloudlet.kernel.blobs import CHUNK_BYTES, BlobFacts, BlobId
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import NoSuchBlob, OutOfRange
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Durability


class MemoryBlobs:
    """All bodies of a process; nothing survives it."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._ids = BlobIds(clock, ids)
        self._bodies: dict[BlobId, bytes] = {}

    async def put(self, body: bytes, durability: Durability = Durability.RELAXED) -> BlobId:
        return self.put_now(body)

    def put_now(self, body: bytes) -> BlobId:
        blob = self._ids.fresh()
        self._bodies[blob] = body
        return blob

    def create(self) -> MemoryBlobWriter:
        return MemoryBlobWriter(self._bodies, self._ids.fresh())

    async def open(self, blob: BlobId) -> MemoryBlobReader:
        body = self._bodies.get(blob)
        if body is None:
            raise NoSuchBlob(blob)
        return MemoryBlobReader(body)

    async def drop(self, blob: BlobId) -> None:
        self._bodies.pop(blob, None)

    async def ids(self, after: BlobId | None = None, *, limit: int = 1000) -> Sequence[BlobFacts]:
        names = sorted(self._bodies)
        start = bisect_right(names, after) if after is not None else 0
        return [
            BlobFacts(each, len(self._bodies[each]), made_ms_of(each))
            for each in names[start : start + limit]
        ]

    async def close(self) -> None:
        self._bodies.clear()


class MemoryBlobWriter:
    """A body on its way in."""

    def __init__(self, bodies: dict[BlobId, bytes], blob: BlobId) -> None:
        self._bodies = bodies
        self._blob = blob
        self._parts: list[bytes] | None = []

    async def write(self, *chunks: bytes | bytearray | memoryview) -> None:
        assert self._parts is not None, "the writer is spent"
        self._parts += map(bytes, chunks)

    async def finish(self, durability: Durability = Durability.RELAXED) -> BlobId:
        assert self._parts is not None, "the writer is spent"
        self._bodies[self._blob] = b"".join(self._parts)
        self._parts = None
        return self._blob

    async def abandon(self) -> None:
        self._parts = None


class MemoryBlobReader:
    """An open body."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    @property
    def size_bytes(self) -> int:
        return len(self._body)

    async def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        stop = len(self._body) if stop is None else stop
        if not 0 <= start <= stop <= len(self._body):
            raise OutOfRange(0, len(self._body))
        for position in range(start, stop, CHUNK_BYTES):
            yield self._body[position : min(position + CHUNK_BYTES, stop)]

    def whole(self) -> bytes | None:
        return self._body

    def fileno(self) -> int | None:
        return None

    def close(self) -> None:
        """Nothing to let go."""
