"""The blobs store: bodies, written once under an id that is never used again; the port every engine serves.

State   none here; an engine owns the blobs
Source  docs/architecture.md, "Blobs"
Absent  none

A body is written aside, and exists once `finish` has returned: from then on it survives kill -9, and (with
Durability.SYNC) power loss. Whoever names a blob in a commit finishes it first. A blob that no commit,
reader or checkpoint holds is garbage; `ids` and `drop` are what a collector needs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, NewType, Protocol

from cloudlet.kernel.keys import Durability

BlobId = NewType("BlobId", str)
"""[0-9a-v]{26}: sorts by the time it was made; never reused."""


CHUNK_BYTES = 256 << 10  # the largest piece that a reader gives


class BlobFacts(NamedTuple):
    """What the store knows of a blob; `made_ms` is wall time."""

    id: BlobId
    size_bytes: int
    made_ms: int


class BlobWriter(Protocol):
    """A body on its way in. Unless finished it leaves nothing behind, also after kill -9."""

    async def write(self, *chunks: bytes | bytearray | memoryview) -> None:
        """Append to the body; the chunks may be reused when it returns. NoSpace."""

    async def finish(self, durability: Durability = Durability.RELAXED) -> BlobId:
        """Make the body whole, readable and durable as asked; the writer is spent."""

    async def abandon(self) -> None:
        """Forget the body; no error after `finish`."""


class BlobReader(Protocol):
    """An open body: it stays readable to its end even when it is dropped meanwhile."""

    @property
    def size_bytes(self) -> int:
        """The size of the whole body."""

    def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of [start, stop) in pieces of at most 256 KiB; OutOfRange outside of the body."""

    def whole(self) -> bytes | None:
        """The body, where the engine has it in memory anyway."""

    def fileno(self) -> int | None:
        """A descriptor of the body for sendfile (positioned reads only), or None where there is no file."""

    def close(self) -> None:
        """Let go; a body dropped meanwhile goes now."""


class Blobs(Protocol):
    """The port."""

    async def put(self, body: bytes, durability: Durability = Durability.RELAXED) -> BlobId:
        """Keep a body that is whole; readable and as durable as asked when it returns. NoSpace."""

    def put_now(self, body: bytes) -> BlobId | None:
        """`put` in this turn, relaxed; None, with nothing done, where it would have to wait. NoSpace."""

    def create(self) -> BlobWriter:
        """Begin a body."""

    async def open(self, blob: BlobId) -> BlobReader:
        """Open a body for reading; NoSuchBlob."""

    async def drop(self, blob: BlobId) -> None:
        """Delete a body, for readers that are yet to come; no error if there is none."""

    async def ids(self, after: BlobId | None = None, *, limit: int = 1000) -> Sequence[BlobFacts]:
        """A page of the finished bodies in id order, those after `after`."""

    async def close(self) -> None:
        """Let go; bodies on their way in are abandoned."""
