"""A plain HTTP request on an HTTP/2 connection, given to the same App that HTTP/1.1 requests go to.

State   the request while its body comes; the reply while its body goes
Source  RFC 9113 section 8
Absent  bodies that are streamed in (they are gathered, up to `BODY_BYTES_MAX`), trailers, files as bodies

Faces that speak gRPC have small pages beside it (health, metrics, a JSON gateway); a client that is offered
h2 in the TLS handshake asks for them over HTTP/2.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from cloudlet.wire.grpc import Code
from cloudlet.wire.http1 import BODY_BUFFER_MAX, App, FileBody, Request, Response
from cloudlet.wire.http1 import Head as WebHead
from cloudlet.wire.http2_fields import Head
from cloudlet.wire.http2_frames import ErrorCode
from cloudlet.wire.http2_sending import Stream

if TYPE_CHECKING:
    from cloudlet.shell.http2_connection import Http2Connection

LOG = logging.getLogger(__name__)

BODY_BYTES_MAX = 2 * BODY_BUFFER_MAX
SLOW_BYTES = 64 << 10


class WebCall:
    """One request and its reply."""

    __slots__ = ("_app", "_connection", "_parts", "_stream", "_task", "held_bytes", "is_cancelled")

    def __init__(self, connection: Http2Connection, stream: Stream, app: App) -> None:
        self._connection = connection
        self._stream = stream
        self._app = app
        self._parts: list[bytes] = []
        self._task: asyncio.Task[None] | None = None
        self.held_bytes = 0
        self.is_cancelled = False

    def begin(self, *, ends: bool) -> None:
        if ends:
            self.ended()

    def take(self, data: bytes, flow_bytes: int, *, ends: bool) -> None:
        """A piece of the body."""
        if self.is_cancelled:
            return
        self._connection.http2.consume(self._stream, flow_bytes)
        self._parts.append(data)
        size = sum(map(len, self._parts)) if len(self._parts) < 3 else self.held_bytes + len(data)
        self._connection.hold(size - self.held_bytes)
        self.held_bytes = size
        if size > BODY_BYTES_MAX:
            self._reply(Response(413, [(b"content-type", b"text/plain")], b"the body is too large\n"))
        elif ends:
            self.ended()

    def ended(self) -> None:
        """The request is whole."""
        if self.is_cancelled:
            return
        head = self._stream.head
        assert head is not None
        body = b"".join(self._parts)
        self._parts.clear()
        request = Request(web_head(head), body, self._connection.peer.rpartition(":")[0], secure=False)
        try:
            answer = self._app.respond(request)
        except Exception as error:  # noqa: BLE001 (the connection loop)
            answer = self._failed(error)
        if isinstance(answer, Response) and isinstance(answer.body, bytes):
            self._reply(answer)
            return
        self._task = self._connection.shared.loop.create_task(self._answer(answer))

    async def _answer(self, answer: object) -> None:
        try:
            response = answer if isinstance(answer, Response) else await answer  # type: ignore[misc]
            await self._stream_reply(response)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 (the connection loop)
            self._reply(self._failed(error))

    def _failed(self, error: BaseException) -> Response:
        LOG.error("a page over HTTP/2 failed", exc_info=error)
        return Response(500, [(b"content-type", b"text/plain")], b"internal error\n")

    def _head(self, response: Response) -> bytes:
        fields = [
            (b":status", b"%d" % response.status),
            *response.headers,
            *self._connection.shared.date_field,
        ]
        length = len(response.body) if isinstance(response.body, bytes) else response.length
        if length is not None:
            fields.append((b"content-length", b"%d" % length))
        return self._connection.http2.sender.encoder.encode(fields)

    def _reply(self, response: Response) -> None:
        """Answer with a body that is at hand."""
        if self.is_cancelled:
            return
        body = response.body
        assert isinstance(body, bytes)
        head = self._stream.head
        sender = self._connection.http2.sender
        is_empty = not body or (head is not None and head.method == b"HEAD")
        sender.headers(self._stream, self._head(response), ends=is_empty)
        if not is_empty:
            sender.data(self._stream, body, ends=True)
        self._done()

    async def _stream_reply(self, response: Response) -> None:
        body = response.body
        if isinstance(body, bytes):
            self._reply(response)
            return
        assert not isinstance(body, FileBody), "no page of a gRPC face is a file"
        connection, stream = self._connection, self._stream
        connection.http2.sender.headers(stream, self._head(response))
        connection.schedule()
        async for piece in body:
            connection.http2.sender.data(stream, piece)
            connection.schedule(len(piece))
            while stream.unsent > SLOW_BYTES:
                await asyncio.sleep(0.01)
        connection.http2.sender.data(stream, b"", ends=True)
        self._done()

    def _done(self) -> None:
        self.is_cancelled = True
        self._connection.forget(self, Code.OK)

    def cancel(self) -> None:
        """The client has gone."""
        if self.is_cancelled:
            return
        self.is_cancelled = True
        self._connection.forget(self, Code.CANCELLED)
        if self._task is not None:
            self._task.cancel()
        elif self._stream.is_remote_closed:
            self._connection.http2.reset(self._stream, ErrorCode.CANCEL)


def web_head(head: Head) -> WebHead:
    """The head as HTTP/1.1 would have said it."""
    path, _, query = head.path.partition(b"?")
    fields: dict[bytes, bytes] = {b"host": head.authority}
    for name, value in head.fields:
        if name in fields and name != b"host":
            value = fields[name] + (b"; " if name == b"cookie" else b",") + value
        fields[name] = value
    return WebHead(
        method=head.method.decode("latin-1"),
        target=head.path,
        path=path,
        query=query,
        headers=fields,
        keep_alive=True,
        content_length=head.content_length,
        chunked=False,
        expect_continue=False,
    )
