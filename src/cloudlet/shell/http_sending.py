"""The body of an HTTP reply on its way out, when it is a file or an iterator.

State   how far it is
Source  RFC 9112 section 7.1 (chunks)
Absent  sendfile under TLS; a read of a file that is not in the page cache holds the loop until the disk
        answers

A file goes to a plain socket by sendfile, without waiting. When the socket takes no more, one small piece is
given to the transport instead: it waits for room, as it would for any reply, and its `resume` is our turn.
So nobody but the transport ever watches the descriptor (uvloop allows no other, and has no sendfile).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from cloudlet.wire.http1 import CHUNK_BYTES_MAX, LAST_CHUNK, FileBody, Response, render_chunk

TURN_PIECES_MAX = 4  # of a file in one turn of the loop, 0.1 ms each
SENDFILE_BYTES = 512 * 1024
ARM_BYTES = 16 * 1024  # given to the transport to make it wait

Done = Callable[[BaseException | None], None]
"""Called once when a body is handed over whole, or with what was wrong; not after `abandon`."""


class Sending(Protocol):
    """A body that is being sent. `paused` while the transport has enough to send."""

    paused: bool
    outlives_eof: bool
    """It goes on when the client has ended its stream, until writing fails."""

    def start(self) -> None:
        """Begin."""

    def resume(self) -> None:
        """The client has read: go on."""

    def abandon(self) -> None:
        """The connection is gone: let go of everything."""


class FileSending:
    """Pieces of a file, while the client keeps up and the turn is not too long.

    `fileno` is the socket below a plain transport, or negative.
    """

    __slots__ = ("_done", "_file", "_fileno", "_loop", "_position", "_transport", "paused")

    outlives_eof = True

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.WriteTransport,
        fileno: int,
        file: FileBody,
        done: Done,
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._fileno = fileno
        self._file: FileBody | None = file
        self._position = file.start
        self._done = done
        self.paused = False

    def start(self) -> None:
        if self._fileno >= 0:
            self._transport.set_write_buffer_limits(0)  # resume only when all is sent: sendfile goes past it
        self._go_on()

    def _go_on(self) -> None:
        file = self._file
        turns = TURN_PIECES_MAX
        while file is not None and not self.paused:
            if self._position >= file.stop:
                self._finish(None)
                return
            if turns == 0:
                self._loop.call_soon(self._go_on)
                return
            turns -= 1
            try:
                size = self._send_piece(file)
            except OSError as error:
                self._finish(error)
                return
            if not size:
                self._finish(EOFError(f"the file ends at {self._position}, not at {file.stop}"))
                return
            self._position += size
            file = self._file  # a failed write may have abandoned us

    def _send_piece(self, file: FileBody) -> int:
        """The bytes sent, 0 at the end of the file."""
        transport = self._transport
        left = file.stop - self._position
        piece_max = CHUNK_BYTES_MAX
        if self._fileno >= 0:
            piece_max = ARM_BYTES
            # A transport that is closing may have closed the descriptor, whose number may be another's now.
            if not transport.is_closing() and not transport.get_write_buffer_size():
                try:
                    return os.sendfile(self._fileno, file.fileno, self._position, min(SENDFILE_BYTES, left))
                except OSError:  # full, or broken, or no such file system: the way below meets it again
                    pass
        piece = os.pread(file.fileno, min(piece_max, left), self._position)
        if piece:
            transport.write(piece)
        return len(piece)

    def resume(self) -> None:
        self.paused = False
        self._go_on()

    def _finish(self, error: BaseException | None) -> None:
        self._transport.set_write_buffer_limits(CHUNK_BYTES_MAX)
        try:
            self.abandon()
        finally:
            self._done(error)

    def abandon(self) -> None:
        file = self._file
        if file is not None:
            self._file = None
            file.close()


class IteratorSending:
    """The pieces of an asynchronous iterator, run as one task."""

    __slots__ = (
        "_abandoned",
        "_body",
        "_chunked",
        "_done",
        "_drained",
        "_length",
        "_loop",
        "_task",
        "_transport",
        "paused",
    )

    outlives_eof = False

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.WriteTransport,
        body: AsyncIterator[bytes],
        length: int | None,
        done: Done,
        *,
        chunked: bool,
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._body = body
        self._length = length
        self._chunked = chunked
        self._done = done
        self._drained: asyncio.Future[None] | None = None
        self._abandoned = False
        self.paused = False

    def start(self) -> None:
        self._task = self._loop.create_task(self._send())
        self._task.add_done_callback(self._sent)

    async def _send(self) -> None:
        transport = self._transport
        length = self._length
        sent = 0
        try:
            async for piece in self._body:
                sent += len(piece)
                if length is not None and sent > length:
                    raise AssertionError(f"a body of {length} bytes went on")
                transport.write(render_chunk(piece) if self._chunked else piece)
                if self.paused:
                    self._drained = self._loop.create_future()
                    await self._drained
        finally:
            await close_iterator(self._body)
        if length is not None and sent < length:
            raise AssertionError(f"a body of {length} bytes ended after {sent}")
        if self._chunked:
            transport.write(LAST_CHUNK)

    def _sent(self, task: asyncio.Task[None]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if not self._abandoned:
            self._done(error)

    def resume(self) -> None:
        self.paused = False
        drained = self._drained
        if drained is not None:
            self._drained = None
            if not drained.done():
                drained.set_result(None)

    def abandon(self) -> None:
        self._abandoned = True
        self._task.cancel()


async def close_iterator(body: AsyncIterator[bytes]) -> None:
    """Let a generator run its clean-up now rather than when it is collected."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()


def dispose(response: Response) -> asyncio.Task[None] | None:
    """Let go of a body that will not be sent; the task, if that takes one."""
    body = response.body
    if isinstance(body, FileBody):
        body.close()
    elif not isinstance(body, bytes):
        return asyncio.get_running_loop().create_task(close_iterator(body))
    return None
