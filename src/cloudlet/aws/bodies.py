"""Bodies that are streamed: into a blob on the way in, out of blobs on the way out.

State   blobs; in memory: which blobs a reply is still reading
Source  docs/architecture.md, "Decide, then commit, then act"; S3 API Reference, "Checking object integrity"
Absent  none

An operation with a streamed body is run in three steps:

    admit    a plain decision, before `100 Continue`: may this come, how large, which sums are wanted
    carry    here: the body goes aside into a blob of its own, hashed and verified on the way
    decide   the operation, with the `Body` as its third argument: it commits a record that names the blob

Nothing of a body is visible before the commit: one that is broken off or refused leaves what was there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing

import msgspec

from cloudlet.aws.traffic import Again
from cloudlet.kernel.blobs import BlobId, BlobReader, Blobs, BlobWriter
from cloudlet.kernel.fault import Fault
from cloudlet.kernel.keys import Durability
from cloudlet.wire.aws_chunked import (
    ChunkDecoder,
    MissingContentLength,
    PlainBody,
    check_whole,
    decoded_length,
)
from cloudlet.wire.checksums import Promise, checksum, digest_of, promise_of
from cloudlet.wire.http1 import Fields, FileBody, Head

NO_TRAILERS: Fields = {}
SUMMED_MAX = 64
INLINE_BYTES = 64 << 10  # hashing less takes less time than the way to a thread and back
SPREAD_BYTES = 1 << 20  # of a large body taken in at a time: each way to a thread and back costs some 50 us
SPREAD_PIECES = 256  # or so many pieces, whatever their size
QUICK_SUMS = frozenset({"CRC32", "CRC32C"})  # summing a piece takes less than half of that

Piece = bytes | memoryview

UNKNOWN_LENGTH = Fault(
    "NotImplemented",
    "A header you provided implies functionality that is not implemented",
    status=501,
    detail={"Header": "Transfer-Encoding"},
)


class Intake(msgspec.Struct, frozen=True, gc=False):
    """What `admit` wants of a body: at most so many bytes, and which sums over it (see `wire.checksums`)."""

    bytes_max: int
    too_large: Fault
    digests: Sequence[str] = ()


class Body(msgspec.Struct, frozen=True, gc=False):
    """A body that is whole. `blob` is None for an empty one; `promised` is the algorithm of the checksum
    that the client sent along, which agreed, and is among the digests."""

    blob: BlobId | None
    size_bytes: int
    digests: Mapping[str, bytes]
    promised: str | None = None


class Slice(msgspec.Struct, frozen=True, gc=False):
    """The bytes [start, stop) of a blob."""

    blob: BlobId
    start: int
    stop: int


class Slices(msgspec.Struct, frozen=True, gc=False):
    """A result's streaming payload: these bytes, one after the other."""

    slices: Sequence[Slice]

    @property
    def size_bytes(self) -> int:
        return sum(each.stop - each.start for each in self.slices)


async def at_once(body: bytes) -> AsyncIterator[bytes]:
    """A body that is here, as one that comes in pieces."""
    if body:
        yield body


def check_length(head: Head, intake: Intake) -> None:
    """Refuse by what the head says of the body; a body of unknown length is refused as S3 does."""
    if b"x-amz-decoded-content-length" in head.headers:
        length = decoded_length(head)
    elif head.content_length is None:  # an empty body says so too
        raise UNKNOWN_LENGTH if head.chunked else MissingContentLength
    else:
        length = head.content_length
    if length > intake.bytes_max:
        raise intake.too_large


class Bodies:
    """Streams into and out of one store of blobs."""

    def __init__(self, blobs: Blobs, durability: Durability) -> None:
        self.blobs = blobs
        self.reading: Counter[BlobId] = Counter()  # a blob in here is not collected
        self._durability = durability
        self._summed: dict[tuple[Slice | str, ...], Mapping[str, bytes]] = {}  # what was asked for of late

    async def receive(
        self, head: Head, pieces: AsyncIterable[bytes], reader: ChunkDecoder | PlainBody, intake: Intake
    ) -> Body:
        """Take a body in as it comes; a Fault, and nothing left behind, where it is not what was promised."""
        incoming = _Incoming(self.blobs, reader, promise_of(head.headers), intake)
        try:
            async for piece in pieces:
                await incoming.take(piece)
            return await incoming.finish(self._durability)
        finally:
            await incoming.abandon()  # which does nothing to one that is finished

    async def keep(self, head: Head, body: bytes, intake: Intake) -> Body:
        """The same for a body that is here, small and without framing."""
        digests, promised = _summed(head, body, intake)
        blob = await self.blobs.put(body, self._durability) if body else None
        return Body(blob, len(body), digests, promised)

    def keep_now(self, head: Head, body: bytes, intake: Intake) -> Body | None:
        """`keep` in this turn; None, with nothing done, where it would have to wait."""
        if self._durability:
            return None
        digests, promised = _summed(head, body, intake)
        blob = None
        if body:
            blob = self.blobs.put_now(body)
            if blob is None:
                return None
        return Body(blob, len(body), digests, promised)

    def sums(self, slices: Sequence[Slice], algorithms: Sequence[str]) -> Mapping[str, bytes]:
        """The sums over some bytes that are here; Again until they have been read, which takes its time."""
        known = self._summed.get((*slices, *algorithms))
        if known is None:
            raise Again(self._sum(slices, algorithms))
        return known

    async def _sum(self, slices: Sequence[Slice], algorithms: Sequence[str]) -> None:
        """Read and sum on other threads: both release the GIL."""
        loop = asyncio.get_running_loop()
        sums = {name: checksum(name) for name in algorithms}
        async with aclosing(self._read_all(slices)) as pieces:
            async for piece in pieces:
                for each in sums.values():
                    await loop.run_in_executor(None, each.update, piece)
        if len(self._summed) >= SUMMED_MAX:
            self._summed.clear()
        self._summed[(*slices, *algorithms)] = {name: each.digest() for name, each in sums.items()}

    async def drop(self, body: Body) -> None:
        """Forget a body that no commit names."""
        if body.blob is not None:
            await self.blobs.drop(body.blob)

    async def open(self, slices: Slices) -> bytes | FileBody | AsyncIterator[bytes]:
        """The bytes of a reply; every blob in it is held until the reply is done or given up."""
        wanted = [each for each in slices.slices if each.stop > each.start]
        if not wanted:
            return b""
        if len(wanted) == 1:
            start, stop = wanted[0].start, wanted[0].stop
            reader = await self.blobs.open(wanted[0].blob)
            whole = reader.whole()
            if whole is not None:
                reader.close()
                return whole[start:stop]
            fileno = reader.fileno()
            if fileno is not None:
                return FileBody(fileno, start, stop, reader.close)
            return _read_one(reader, start, stop)
        return self._read_all(wanted)

    async def _read_all(self, wanted: Sequence[Slice]) -> AsyncGenerator[bytes, None]:
        names = [each.blob for each in wanted]
        self.reading.update(names)
        try:
            for each in wanted:
                reader = await self.blobs.open(each.blob)
                try:
                    async for chunk in reader.chunks(each.start, each.stop):
                        yield chunk
                finally:
                    reader.close()
        finally:
            self.reading.subtract(names)
            for name in names:
                if not self.reading[name]:
                    del self.reading[name]


async def _read_one(reader: BlobReader, start: int, stop: int) -> AsyncIterator[bytes]:
    try:
        async for chunk in reader.chunks(start, stop):
            yield chunk
    finally:
        reader.close()


def _summed(head: Head, body: bytes, intake: Intake) -> tuple[Mapping[str, bytes], str | None]:
    """The sums over a whole body, and which of them was promised; a Fault unless it is as promised."""
    promise = promise_of(head.headers)
    if len(body) > intake.bytes_max:
        raise intake.too_large
    check_whole(head, body)
    digests = {}
    for name in intake.digests:
        digests[name] = digest_of(name, body)
    if promise is None:
        return digests, None
    promised = promise.algorithm
    if promised not in digests:
        digests[promised] = digest_of(promised, body)
    promise.compare(digests[promised], NO_TRAILERS)
    return digests, promised


def _fed(feed: Callable[[bytes], Sequence[Piece]], pieces: Sequence[bytes]) -> Sequence[Piece]:
    return [data for piece in pieces for data in feed(piece)]


def _update_with(update: Callable[[Piece], object], pieces: Sequence[Piece]) -> None:
    for piece in pieces:
        update(piece)


class _Incoming:
    """One body on its way in.

    Small pieces are summed and written at once. With the first large one the body takes to the threads: its
    pieces are gathered into batches, and the file and each slow sum take a batch in a thread of their own
    (all of them release the GIL), while the next one comes in.
    """

    def __init__(
        self, blobs: Blobs, reader: ChunkDecoder | PlainBody, promise: Promise | None, intake: Intake
    ) -> None:
        self._blobs = blobs
        self._reader = reader
        self._promise = promise
        self._intake = intake
        self._size = 0
        wanted = intake.digests if promise is None else {*intake.digests, promise.algorithm}
        self._sums = {name: checksum(name) for name in wanted}
        self._updates = [each.update for each in self._sums.values()]
        self._quick = [each.update for name, each in self._sums.items() if name in QUICK_SUMS]
        self._slow = [each.update for name, each in self._sums.items() if name not in QUICK_SUMS]
        self._is_large = False
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._spread: asyncio.Future[list[object]] | None = None  # what the threads have of the batch before
        self._writer: BlobWriter | None = None  # made with the first byte: an empty body is no blob

    async def take(self, piece: bytes) -> None:
        if self._is_large or len(piece) > INLINE_BYTES:
            self._is_large = True
            self._batch.append(piece)
            self._batch_bytes += len(piece)
            if self._batch_bytes >= SPREAD_BYTES or len(self._batch) >= SPREAD_PIECES:
                await self._spread_batch()
            return
        for data in self._reader.feed(piece):
            for update in self._updates:
                update(data)
            writer = self._counted(len(data))
            if writer is not None:
                await writer.write(data)

    async def _spread_batch(self) -> None:
        """Give the batch to the threads, once they are done with the one before."""
        await self._settle()
        pieces, self._batch, self._batch_bytes = self._batch, [], 0
        loop, reader = asyncio.get_running_loop(), self._reader
        slow: Sequence[Callable[[Piece], object]] = self._slow
        data: Sequence[Piece] = pieces
        if isinstance(reader, PlainBody):  # its bytes are the pieces', so its hash is one of the sums
            if reader.is_hashed:
                slow = [reader.feed, *slow]
            else:
                _update_with(reader.feed, pieces)
        else:
            data = await loop.run_in_executor(None, _fed, reader.feed, pieces)
        writer = self._counted(sum(map(len, data)))
        if writer is None:
            return
        for update in self._quick:
            _update_with(update, data)
        sums = [loop.run_in_executor(None, _update_with, update, data) for update in slow]
        self._spread = asyncio.gather(writer.write(*data), *sums, return_exceptions=True)

    async def _settle(self) -> None:
        """Wait for the threads; what was wrong with one of them."""
        spread = self._spread
        if spread is None:
            return
        await asyncio.wait([spread])  # which is not cancelled with us: nothing stops a thread
        self._spread = None
        for outcome in spread.result():
            if isinstance(outcome, BaseException):
                raise outcome

    def _counted(self, size_bytes: int) -> BlobWriter | None:
        """Who writes so many bytes more, None where that is nothing."""
        self._size += size_bytes
        if self._size > self._intake.bytes_max:
            raise self._intake.too_large
        if self._writer is None and size_bytes:
            self._writer = self._blobs.create()
        return self._writer if size_bytes else None

    async def finish(self, durability: Durability) -> Body:
        if self._batch:
            await self._spread_batch()
        await self._settle()
        self._reader.finish()
        digests = {name: each.digest() for name, each in self._sums.items()}
        promised = None
        if self._promise is not None:
            promised = self._promise.algorithm
            self._promise.compare(digests[promised], self._reader.trailers)
        blob = None if self._writer is None else await self._writer.finish(durability)
        return Body(blob, self._size, digests, promised)

    async def abandon(self) -> None:
        if self._spread is not None:  # nothing may touch the sums and the file once this has returned
            await asyncio.wait([self._spread])
        if self._writer is not None:
            await self._writer.abandon()
