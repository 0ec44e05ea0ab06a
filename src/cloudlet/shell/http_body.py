"""Where the body of an HTTP request goes while it arrives: gathered, streamed to a face, or thrown away.

State   the pieces that came and were not taken yet
Source  RFC 9110 section 10.1.1 (100-continue)
Absent  none
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from cloudlet.wire.http1 import CHUNK_BYTES_MAX, BrokenBody, Fields, Head, Request

QUEUE_BYTES_MAX = 2 * CHUNK_BYTES_MAX  # one piece at work, one ready: more only costs memory
QUEUE_PIECES_MAX = 256  # a client may send chunks of one byte


class Sink(Protocol):
    """The taker of one body."""

    def part(self, piece: bytes) -> None:
        """The next piece."""

    def end(self, trailers: Fields) -> None:
        """The body is whole."""

    def fail(self, error: BrokenBody) -> None:
        """The rest of the body will not come."""

    @property
    def full(self) -> bool:
        """Nothing should be read from the client for now."""


class Gathering:
    """A body that is read whole before the face sees it."""

    __slots__ = ("_bytes_max", "_done", "_head", "_overflow", "_peer", "_pieces", "_secure", "_size")

    def __init__(
        self,
        head: Head,
        peer: str,
        bytes_max: int,
        done: Callable[[Request], None],
        overflow: Callable[[], None],
        *,
        secure: bool,
    ) -> None:
        self._head = head
        self._peer = peer
        self._secure = secure
        self._bytes_max = bytes_max
        self._done = done
        self._overflow = overflow
        self._pieces: list[bytes] = []
        self._size = 0

    full = False

    def part(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._bytes_max:
            self._pieces.clear()
            self._overflow()
        else:
            self._pieces.append(piece)

    def end(self, trailers: Fields) -> None:
        self._done(Request(self._head, b"".join(self._pieces), self._peer, self._secure, trailers))

    def fail(self, error: BrokenBody) -> None:
        self._pieces.clear()


class Discarding:
    """A body that nobody wants any more, up to as much as the connection is worth."""

    __slots__ = ("_done", "_left", "_overflow")

    def __init__(self, bytes_max: int, done: Callable[[], None], overflow: Callable[[], None]) -> None:
        self._left = bytes_max
        self._done = done
        self._overflow = overflow

    full = False

    def part(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0:
            self._overflow()

    def end(self, trailers: Fields) -> None:
        self._done()

    def fail(self, error: BrokenBody) -> None:
        pass


class Incoming:
    """A body that is streamed: the BodyStream of `carry`.

    `wanted` is called when the first piece is asked for, `room` when a full queue has been taken.
    """

    __slots__ = ("_asked", "_ended", "_error", "_pieces", "_room", "_size", "_trailers", "_waiter", "_wanted")

    def __init__(self, wanted: Callable[[], None], room: Callable[[], None]) -> None:
        self._wanted = wanted
        self._room = room
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._asked = False
        self._ended = False
        self._error: BrokenBody | None = None
        self._trailers: Fields = {}
        self._waiter: asyncio.Future[None] | None = None

    @property
    def trailers(self) -> Fields:
        return self._trailers

    @property
    def full(self) -> bool:
        return self._size >= QUEUE_BYTES_MAX or len(self._pieces) >= QUEUE_PIECES_MAX

    @property
    def asked(self) -> bool:
        return self._asked

    def part(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        self._wake()

    def end(self, trailers: Fields) -> None:
        self._ended = True
        self._trailers = trailers
        self._wake()

    def fail(self, error: BrokenBody) -> None:
        self._error = error
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._asked:
            self._asked = True
            self._wanted()
        pieces = self._pieces
        while not pieces:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        was_full = self.full
        piece = pieces.popleft()
        self._size -= len(piece)
        if was_full and not self.full:
            self._room()
        return piece
