"""One connection of the HTTP server: what is read goes to the face, what the face answers goes out, in order.

State   the request at hand, those that wait behind it, and how long the client may take
Source  RFC 9112 sections 9.3 (persistence, pipelining) and 9.6 (closing); RFC 9110 section 10.1.1
Absent  sendfile (a file body is read and written in pieces)

Theory of operation
    One request at a time is at work. RFC 9112 9.3.2 lets a server run pipelined requests side by side only
    if all are safe, so those behind wait; when more than `pipelined_max` do, nothing is read any more.

        waiting for a request   ──Request──▶ respond ──▶ reply
                                ──Opening─▶ admit ──Response──▶ reply, the body is thrown away
                                                  ──Buffer────▶ gather ──▶ respond ──▶ reply
                                                  ──Stream────▶ carry  ──▶ reply

    A client that ends its stream has gone (a killed client does just that, and most never half-close). Then
    - a coroutine of `respond`, a `carry` whose body is whole, and an iterator that is being sent are
      cancelled, so that a long poll of a dead client takes nothing;
    - a `carry` whose body is not whole is not cancelled: its stream raises BrokenBody, so it can tidy up;
    - what was handed over already, and a file body, still go out: `nc -N` half-closes and reads on.

    Two deadlines watch a client, counted in ticks of the server's one sweep: one for what we read (a head as
    a whole, each piece of a body, idleness), one for what we write (progress of the send buffer).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, cast

from cloudlet.kernel.fault import ProtocolError
from cloudlet.shell.http_body import Discarding, Gathering, Incoming, Sink
from cloudlet.wire.http1 import (
    CHUNK_BYTES_MAX,
    CHUNKED,
    CLOSE,
    CONTINUE,
    KEEP_ALIVE,
    LAST_CHUNK,
    BrokenBody,
    Buffer,
    Ending,
    Event,
    FileBody,
    Head,
    Opening,
    Receiver,
    Refusal,
    Request,
    Response,
    Stream,
    bodiless,
    render_chunk,
    render_head,
    render_plain,
)

if TYPE_CHECKING:
    from cloudlet.shell.http import Shared

LOG = logging.getLogger(__name__)

NEVER = 1 << 62
SLICE_BYTES = 64 * 1024  # a read of many pipelined requests is parsed in slices, so that few are in memory
DISCARD_BYTES_MAX = 256 * 1024  # reading this much costs less than a new connection
JOIN_BYTES_MAX = 64 * 1024  # a body up to this size is copied behind its head: one write is cheaper
TURN_CHUNKS_MAX = 4  # pieces of a file in one turn of the loop, 0.1 ms each
TEXT = (b"content-type", b"text/plain; charset=utf-8")


class Connection(asyncio.Protocol):
    """The pump of one connection."""

    __slots__ = (
        "_app",
        "_drained",
        "_file",
        "_gone",
        "_head",
        "_heading",
        "_last",
        "_lingering",
        "_peer",
        "_position",
        "_reading",
        "_receiver",
        "_refusal",
        "_rest",
        "_secure",
        "_shared",
        "_sink",
        "_started",
        "_status",
        "_task",
        "_transport",
        "_unsent",
        "_waiting",
        "_write_paused",
        "read_deadline",
        "write_deadline",
    )

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._app = shared.app
        self._head: Head | None = None  # of the request at work
        self._task: asyncio.Task[Response] | asyncio.Task[None] | None = None
        self._sink: Sink | None = None  # where the body of the request at work goes, until it is whole
        self._waiting: deque[Event] | None = None
        self._rest = b""  # read, not parsed: too many wait
        self._refusal: Refusal | None = None  # what a carry's BrokenBody is answered with
        self._file: FileBody | None = None
        self._position = 0
        self._drained: asyncio.Future[None] | None = None
        self._heading = False  # a head is arriving, and its deadline is set
        self._last = False  # close after this reply
        self._lingering = False  # we have said our last, and wait for the client to close
        self._gone = False
        self._reading = True
        self._write_paused = False
        self._unsent = 0
        self._status = 0
        self._started = 0.0
        self.read_deadline = NEVER
        self.write_deadline = NEVER

    # Life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        shared = self._shared
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        name = transport.get_extra_info("peername")
        self._peer = str(name[0]) if isinstance(name, tuple) else ""
        self._secure = transport.get_extra_info("ssl_object") is not None
        self._receiver = Receiver(shared.receive_limits, self._peer, secure=self._secure)
        full = len(shared.connections) >= shared.limits.connections_max
        shared.connections.add(self)
        transport.set_write_buffer_limits(CHUNK_BYTES_MAX)
        if full:
            self._send_error(503, "too many connections")
        elif shared.closing:
            self.drain()
        else:
            self._rearm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._close_file()
        self._receiver.close()
        self._shared.forget(self)
        self.read_deadline = self.write_deadline = NEVER

    def eof_received(self) -> bool:
        if self._lingering:
            return False
        self._leave()
        self._last = True
        return self._file is not None

    def _leave(self) -> None:
        """The client has gone."""
        if self._gone:
            return
        self._gone = True
        self._waiting = None
        self._rest = b""
        sink = self._sink
        self._sink = None
        task = self._task
        if isinstance(sink, Incoming):
            sink.fail(BrokenBody("the client went away before the end of its body"))
            if task is not None:
                self._shared.left_alone.add(task)
        elif task is not None:
            task.cancel()

    def drain(self) -> None:
        """Finish what is at work, then close: the server stops."""
        self._last = True
        if self._head is None and not self._waiting and self._receiver.idle and not self._lingering:
            self._end()

    def abort(self) -> None:
        """Close without flushing."""
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

    # Reading

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        if len(data) > SLICE_BYTES and not self._receiver.in_body:
            self._receive_slices(data)
        else:
            events = self._receiver.feed(data)
            if len(events) == 1 and self._head is None and not self._waiting and not self._write_paused:
                event = events[0]
                if type(event) is Request:
                    self._serve(event)
                else:
                    self._take(event)
            elif events:
                self._take_all(events)
        self._rearm()

    def _receive_slices(self, data: bytes) -> None:
        for start in range(0, len(data), SLICE_BYTES):
            if self._waiting and len(self._waiting) > self._shared.limits.pipelined_max:
                self._rest = data[start:]
                break
            self._take_all(self._receiver.feed(data[start : start + SLICE_BYTES]))

    def _take_all(self, events: list[Event]) -> None:
        for event in events:
            if self._waiting or not self._may_take():
                if self._waiting is None:
                    self._waiting = deque()
                self._waiting.append(event)
            else:
                self._take(event)
        self._update_reading()

    def _may_take(self) -> bool:
        if self._sink is not None:
            return True
        return self._head is None and not self._write_paused and not self._last

    def _take(self, event: Event) -> None:
        sink = self._sink
        if type(event) is Request:
            self._serve(event)
        elif type(event) is Opening:
            self._open(event.head)
        elif isinstance(event, Refusal):
            self._refuse(event)
        elif sink is None:
            pass  # of a body that was given up
        elif isinstance(event, bytes):
            sink.part(event)
            if sink.full:
                self._update_reading()
        elif type(event) is Ending:
            self._sink = None
            sink.end(event.trailers)

    def _advance(self) -> None:
        """Go on with what waits, after a reply is done or the client has read."""
        limit = self._shared.limits.pipelined_max
        while not self._gone:
            waiting = self._waiting
            while waiting and self._may_take():
                self._take(waiting.popleft())
            if not self._rest or (waiting and len(waiting) > limit):
                break
            rest = self._rest
            self._rest = b""
            self._receive_slices(rest)
        self._update_reading()
        self._rearm()

    def _update_reading(self) -> None:
        if self._gone or self._transport.is_closing():
            return
        waiting = self._waiting
        sink = self._sink
        wanted = self._lingering or not (
            self._write_paused
            or self._rest
            or (waiting and len(waiting) > self._shared.limits.pipelined_max)
            or (sink is not None and sink.full)
        )
        if wanted != self._reading:
            self._reading = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _rearm(self) -> None:
        """Set the reading deadline for what is expected of the client now."""
        shared = self._shared
        receiver = self._receiver
        if self._sink is not None:
            self._heading = False
            self.read_deadline = shared.tick + shared.body_ticks if self._awaits_body() else NEVER
        elif self._head is not None:
            self._heading = False
            self.read_deadline = NEVER
        elif self._lingering:
            pass
        elif receiver.idle:
            self._heading = False
            self.read_deadline = shared.tick + shared.idle_ticks
        elif receiver.in_body:
            self._heading = False
            self.read_deadline = shared.tick + shared.body_ticks
        elif not self._heading:
            self._heading = True
            self.read_deadline = shared.tick + shared.head_ticks

    def _awaits_body(self) -> bool:
        """Whether the client is to send: we read, and do not keep it waiting for 100 Continue."""
        sink = self._sink
        waits = isinstance(sink, Incoming) and not sink.asked and self._head and self._head.expect_continue
        return self._reading and not waits

    def expire(self) -> None:
        """The reading deadline has passed."""
        self.read_deadline = NEVER
        if self._lingering or (self._head is None and self._receiver.idle):
            self._close()
        elif self._sink is not None:
            self._refuse(Refusal(408, "the body did not come in time"))
        else:
            self._send_error(408, "the request did not come in time")

    # Serving

    def _serve(self, request: Request) -> None:
        self._head = request.head
        if self._shared.access:
            self._started = self._shared.loop.time()
        try:
            answer = self._app.respond(request)
        except Exception as error:  # noqa: BLE001 (the connection loop)
            answer = self._failed(error)
        if isinstance(answer, Response):
            self._reply(answer)
        else:
            self._task = task = self._shared.loop.create_task(answer)
            task.add_done_callback(self._answered)

    def _open(self, head: Head) -> None:
        """A request that needs a word before its body."""
        self._head = head
        if self._shared.access:
            self._started = self._shared.loop.time()
        try:
            answer = self._app.admit(head, self._peer)
        except Exception as error:  # noqa: BLE001 (the connection loop)
            answer = self._failed(error)
        if isinstance(answer, Stream):
            self._sink = sink = Incoming(self._continue, self._room)
            self._task = task = self._shared.loop.create_task(answer.carry(sink))
            task.add_done_callback(self._answered)
        elif isinstance(answer, Buffer):
            self._sink = Gathering(
                head, self._peer, answer.bytes_max, self._serve, self._overflow, secure=self._secure
            )
            if head.content_length is not None and head.content_length > answer.bytes_max:
                self._overflow()
            else:
                self._continue()
        else:
            self._sink = Discarding(DISCARD_BYTES_MAX, self._discarded, self._linger)
            self._reply(answer)

    def _continue(self) -> None:
        """Let the client send its body."""
        head = self._head
        # RFC 9110 10.1.1: "A server MAY omit sending a 100 (Continue) response if it has already received
        # some or all of the content".
        if head is not None and head.expect_continue and self._sink is not None and not self._gone:
            left = self._receiver.body_left
            if left == head.content_length and not self._waiting:
                self._transport.write(CONTINUE)
            self._rearm()

    def _room(self) -> None:
        self._update_reading()
        self._rearm()

    def _discarded(self) -> None:
        if self._head is None:
            self._advance()

    def _overflow(self) -> None:
        """More of a body than the face would have."""
        self._refuse(Refusal(413, "the body is larger than this operation takes"))

    def _refuse(self, refusal: Refusal) -> None:
        """The client broke the protocol, or was too slow, or too much."""
        sink = self._sink
        self._sink = None
        self._last = True
        if isinstance(sink, Incoming):
            self._refusal = refusal
            sink.fail(BrokenBody(refusal.reason))
        elif isinstance(sink, Discarding):
            if self._head is None:
                self._linger()  # its reply is out
        else:
            self._send_error(refusal.status, refusal.reason)

    def _answered(self, task: asyncio.Task[Response]) -> None:
        """A coroutine of the face is done."""
        self._task = None
        self._shared.left_alone.discard(task)
        if task.cancelled():
            if not self._gone:
                self._transport.abort()
            return
        error = task.exception()
        if error is None:
            response = task.result()
            if self._gone:
                self._dispose(response)
                return
        elif self._gone:
            if not isinstance(error, BrokenBody):
                self._failed(error)
            return
        elif isinstance(error, ProtocolError):
            refusal = self._refusal or Refusal(400, str(error))
            self._send_error(refusal.status, refusal.reason)
            return
        else:
            response = self._failed(error)
        self._reply(response)
        self._advance()

    def _failed(self, error: BaseException) -> Response:
        """The face has a bug: log it once, with an id that the client sees too."""
        request_id = self._shared.ids.uuid()
        head = self._head
        what = f"{head.method} {head.path.decode('latin-1')}" if head is not None else "a request"
        LOG.error("%s failed, request id %s", what, request_id, exc_info=error)
        return Response(
            500,
            [TEXT, (b"x-request-id", request_id.encode())],
            f"internal error, request id {request_id}\n".encode(),
        )

    # Replying

    def _reply(self, response: Response) -> None:
        try:
            self._begin_reply(response)
        except Exception as error:  # noqa: BLE001 (the connection loop)
            self._dispose(response)
            self._begin_reply(self._failed(error))

    def _begin_reply(self, response: Response) -> None:
        head = self._head
        assert head is not None
        body = response.body
        status = response.status
        self._status = status
        shared = self._shared
        if (
            type(body) is bytes
            and head.keep_alive
            and self._sink is None
            and head.minor_version == 1
            and not self._last
            and head.method != "HEAD"
            and status not in BODILESS
        ):
            if len(body) <= JOIN_BYTES_MAX:
                self._transport.write(render_plain(status, response.headers, shared.date, body))
            else:
                framing = b"%bcontent-length: %d\r\n" % (shared.date, len(body))
                self._transport.write(render_head(status, response.headers, framing))
                self._transport.write(body)
            self._head = None
            if shared.access:
                self._log(head)
            return
        self._begin_other_reply(head, response)

    def _begin_other_reply(self, head: Head, response: Response) -> None:
        """A reply that is not a plain one on a connection that is kept."""
        body = response.body
        length = response.length
        if isinstance(body, bytes):
            length = len(body) if length is None or body else length
        elif isinstance(body, FileBody):
            length = body.stop - body.start
        empty = bodiless(response.status, head.method)
        delimited = empty or length is not None or head.minor_version == 1
        keep = head.keep_alive and delimited and not self._last and self._body_can_end(head)
        self._last = not keep
        chunked = length is None and not empty and head.minor_version == 1
        framing = self._framing(head, response, length, chunked=chunked)
        self._transport.write(render_head(response.status, response.headers, framing))
        if empty:
            self._dispose(response)
            self._finish()
        elif isinstance(body, bytes):
            self._transport.write(body)
            self._finish()
        elif isinstance(body, FileBody):
            self._file = body
            self._position = body.start
            self._pump()
        else:
            self._task = task = self._shared.loop.create_task(self._stream(body, length, chunked=chunked))
            task.add_done_callback(self._streamed)

    def _body_can_end(self, head: Head) -> bool:
        """Whether the body that is still arriving may be read to its end, to keep the connection."""
        if self._sink is None:
            return True
        if self._waiting and any(type(event) is Ending for event in self._waiting):
            return True
        left = self._receiver.body_left
        if left is None or left > DISCARD_BYTES_MAX:
            return False
        # A client that was not told to continue may, or may not, send its body: the bytes that come next
        # could be read either way.
        return not (head.expect_continue and left == head.content_length)

    def _framing(self, head: Head, response: Response, length: int | None, *, chunked: bool) -> bytes:
        lines = [self._shared.date]
        if chunked:
            lines.append(CHUNKED)
        elif response.status == 304 or head.method == "HEAD":
            # The length of what is not sent: only if the face knows it.
            if response.length is not None or not isinstance(response.body, bytes) or response.body:
                lines.append(b"content-length: %d\r\n" % length if length is not None else b"")
        elif length is not None and response.status != 204 and response.status >= 200:
            lines.append(b"content-length: %d\r\n" % length)
        if self._last:
            lines.append(CLOSE)
        elif head.minor_version == 0:
            lines.append(KEEP_ALIVE)
        return b"".join(lines)

    def _pump(self) -> None:
        """Send pieces of the file until the client is behind, or the turn is long enough."""
        file = self._file
        turns = TURN_CHUNKS_MAX
        while file is not None and not self._write_paused:
            if self._position >= file.stop:
                self._close_file()
                self._finish()
                self._advance()
                return
            if turns == 0:
                self._shared.loop.call_soon(self._pump)
                return
            turns -= 1
            size = min(CHUNK_BYTES_MAX, file.stop - self._position)
            try:
                piece = os.pread(file.fileno, size, self._position)
            except OSError as error:
                self._break_off(error)
                return
            if not piece:
                self._break_off(EOFError(f"the file ends at {self._position}, not at {file.stop}"))
                return
            self._position += len(piece)
            self._transport.write(piece)
            file = self._file

    def _close_file(self) -> None:
        file = self._file
        if file is not None:
            self._file = None
            file.close()

    async def _stream(self, body: AsyncIterator[bytes], length: int | None, *, chunked: bool) -> None:
        transport = self._transport
        sent = 0
        try:
            async for piece in body:
                sent += len(piece)
                if length is not None and sent > length:
                    raise AssertionError(f"a body of {length} bytes went on")
                transport.write(render_chunk(piece) if chunked else piece)
                if self._write_paused:
                    self._drained = self._shared.loop.create_future()
                    await self._drained
        finally:
            close = getattr(body, "aclose", None)
            if close is not None:
                await close()
        if length is not None and sent < length:
            raise AssertionError(f"a body of {length} bytes ended after {sent}")
        if chunked:
            transport.write(LAST_CHUNK)

    def _streamed(self, task: asyncio.Task[None]) -> None:
        """The iterator of a reply is done."""
        self._task = None
        if task.cancelled():
            self._transport.abort()
            return
        error = task.exception()
        if error is not None:
            self._break_off(error)
        elif not self._gone:
            self._finish()
            self._advance()

    def _break_off(self, error: BaseException) -> None:
        """A reply cannot be finished: the client must not take it for whole."""
        self._failed(error)
        self._close_file()
        self._transport.abort()

    def _dispose(self, response: Response) -> None:
        """Let go of a body that is not sent."""
        body = response.body
        if isinstance(body, FileBody):
            body.close()
        elif not isinstance(body, bytes):
            close = getattr(body, "aclose", None)
            if close is not None:
                task = self._shared.loop.create_task(close())
                self._shared.left_alone.add(task)
                task.add_done_callback(self._shared.left_alone.discard)

    def _finish(self) -> None:
        """The reply is handed over whole."""
        head = self._head
        self._head = None
        if head is not None and self._shared.access:
            self._log(head)
        if self._last:
            self._end()
        elif isinstance(self._sink, Incoming):
            self._sink.fail(BrokenBody("the reply is out"))
            self._sink = Discarding(DISCARD_BYTES_MAX, self._discarded, self._linger)

    def _log(self, head: Head) -> None:
        elapsed_ms = (self._shared.loop.time() - self._started) * 1000
        path = head.path.decode("latin-1")  # without the query: presigned ones are secrets
        LOG.debug("%s %s %s %d %.1f ms", self._peer, head.method, path, self._status, elapsed_ms)

    # Closing

    def _send_error(self, status: int, reason: str) -> None:
        """The server's own last word."""
        self._last = True
        self._head = None
        text = reason.encode() + b"\n"
        framing = b"%bcontent-length: %d\r\n%b" % (self._shared.date, len(text), CLOSE)
        self._transport.write(render_head(status, [TEXT], framing) + text)
        self._linger()

    def _end(self) -> None:
        if self._sink is not None:
            self._linger()
        else:
            self._close()

    def _close(self) -> None:
        self._sink = None
        self._transport.close()
        self._watch_writes()

    def _linger(self) -> None:
        """Close our half and swallow what comes: a close with unread bytes would reset the connection, and
        the client could lose our reply (RFC 9112 9.6)."""
        if self._lingering or self._transport.is_closing():
            return
        self._lingering = self._last = True
        sink = self._sink
        self._sink = None
        if isinstance(sink, Incoming):
            sink.fail(BrokenBody("the connection is closing"))
        self._waiting = None
        self._rest = b""
        self.read_deadline = self._shared.tick + self._shared.linger_ticks
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._update_reading()

    # Writing

    def pause_writing(self) -> None:
        self._write_paused = True
        self._watch_writes()
        self._update_reading()

    def resume_writing(self) -> None:
        self._write_paused = False
        self.write_deadline = NEVER
        drained = self._drained
        if drained is not None:
            self._drained = None
            if not drained.done():
                drained.set_result(None)
        if self._file is not None:
            self._pump()
        else:
            self._advance()

    def _watch_writes(self) -> None:
        self._unsent = self._transport.get_write_buffer_size()
        self.write_deadline = self._shared.tick + self._shared.write_ticks

    def expire_write(self) -> None:
        """The writing deadline has passed: give up, unless the client took something meanwhile."""
        if self._transport.get_write_buffer_size() < self._unsent:
            self._watch_writes()
        else:
            self._transport.abort()


BODILESS = frozenset((100, 101, 102, 103, 204, 304))
