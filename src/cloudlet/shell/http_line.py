"""The socket's side of an HTTP connection: what time the client has, when nothing is read, and how it ends.

State   the deadlines and the halves of one connection
Source  RFC 9112 section 9.6 (closing)
Absent  none

Two deadlines watch a client, counted in ticks of the server's one sweep, so that no request costs a timer:

    read_deadline    idle        between two requests
                     head        from its first byte to its last: a byte now and then does not buy time
                     body        from one piece to the next, while we would read it
                     linger      after our last word
                     none        while the face is at work
    write_deadline   while the client leaves in our buffer what it should read, without taking any of it
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, cast

from cloudlet.shell.http_body import Incoming, Sink
from cloudlet.shell.http_outlet import Outlet
from cloudlet.shell.http_sending import Sending
from cloudlet.shell.open_files import leaves_room
from cloudlet.wire.http1 import CHUNK_BYTES_MAX, CLOSE, BrokenBody, Head, Response, render_head
from cloudlet.wire.http1_receiver import Event, Receiver, Refusal

if TYPE_CHECKING:
    from cloudlet.shell.http import Shared

NEVER = 1 << 62
TURN_BYTES = 16 * 1024  # of pipelined requests in one turn of the loop: some hundred of the shortest
SLICE_BYTES = 64 * 1024  # of a body, and what follows it
TEXT = (b"content-type", b"text/plain; charset=utf-8")


class Line(Outlet):
    """A connection without its requests; `Connection` adds them."""

    __slots__ = (
        "_gone",
        "_head",
        "_heading",
        "_last",
        "_lingering",
        "_peer",
        "_reading",
        "_receiver",
        "_rest",
        "_secure",
        "_sending",
        "_sink",
        "_task",
        "_unsent",
        "_waiting",
        "_write_paused",
        "read_deadline",
        "write_deadline",
    )

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._head: Head | None = None  # of the request at work
        self._task: asyncio.Task[Response] | None = None  # that answers it, if that takes time
        self._sink: Sink | None = None  # where the body of the request at work goes, until it is whole
        self._sending: Sending | None = None  # the body of its reply, if that takes time
        self._waiting: deque[Event] | None = None  # behind the request at work
        self._rest = b""  # read, not parsed: too many wait
        self._heading = False  # a head is arriving, and its deadline is set
        self._last = False  # close after this reply
        self._lingering = False  # our last word is said
        self._gone = False  # the client has ended its stream
        self._reading = True
        self._write_paused = False
        self._unsent = 0
        self.read_deadline = NEVER
        self.write_deadline = NEVER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        shared = self._shared
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        name = transport.get_extra_info("peername")
        self._peer = str(name[0]) if isinstance(name, tuple) else ""
        self._secure = transport.get_extra_info("ssl_object") is not None
        # Below the transport of a plain connection: the transport closes it, but not before it has told so.
        self._fileno = -1 if self._secure else transport.get_extra_info("socket").fileno()
        self._receiver = Receiver(shared.receive_limits, self._peer, secure=self._secure)
        full = len(shared.connections) >= shared.limits.connections_max
        shared.connections.add(self)
        transport.set_write_buffer_limits(CHUNK_BYTES_MAX)
        if not leaves_room(transport):
            transport.abort()  # at once: an error that is read slowly would keep the file
        elif full:
            self._send_error(503, "too many connections")
        elif shared.closing:
            self.drain()
        else:
            self._rearm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fileno = -1
        self._unwritten = b""
        self._leave()
        if self._sending is not None:
            self._sending.abandon()
            self._sending = None
        self._receiver.close()
        self._shared.forget(self)
        self.read_deadline = self.write_deadline = NEVER

    def eof_received(self) -> bool:
        if self._lingering:
            return False
        self.write_out()
        self._leave()
        self._last = True
        return self._sending is not None and not self._secure  # keeps our half open; TLS has no halves

    def drain(self) -> None:
        """Finish what has begun, then close: the server stops, and its replies say so."""
        if self._head is None and not self._waiting and self._receiver.idle and not self._lingering:
            self._end()

    @abstractmethod
    def _leave(self) -> None:
        """The client has gone."""

    @abstractmethod
    def _take(self, event: Event) -> None:
        """Act upon what was read."""

    @abstractmethod
    def abort(self) -> None:
        """Close without flushing."""

    def shed(self, spared: asyncio.Task[object] | None) -> None:
        """Close without a further answer, unless it is the task's; one that is on its way goes out whole."""
        if self._task is None or self._task is not spared:
            self._last = True
            self._waiting = None
            self._rest = b""
            if self._sending is None and not self._lingering:
                self._leave()
                self._close()

    @abstractmethod
    def _refuse(self, refusal: Refusal) -> None:
        """Answer a client that broke the protocol."""

    # Reading

    def _receive_slices(self, data: bytes) -> None:
        """Take some requests now, and the next in another turn of the loop: others get theirs."""
        while data:
            size = SLICE_BYTES if self._receiver.in_body else TURN_BYTES
            self._take_all(self._receiver.feed(data[:size]))
            data = data[size:]
            if not self._receiver.in_body or len(self._waiting or ()) > self._shared.limits.pipelined_max:
                break
        self._rest = data
        if data:
            self._update_reading()
            self._shared.loop.call_soon(self._advance)

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

    def _advance(self) -> None:
        """Go on with what waits, after a reply is done or the client has read."""
        waiting = self._waiting
        while waiting and self._may_take():
            self._take(waiting.popleft())
        if self._rest and not (waiting and len(waiting) > self._shared.limits.pipelined_max):
            rest, self._rest = self._rest, b""
            self._receive_slices(rest)
        self._update_reading()
        self._rearm()

    def _update_reading(self) -> None:
        """Read, unless that would only fill memory."""
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
        if self._lingering:
            return
        if self._sink is None and self._head is None and not receiver.idle and not receiver.in_body:
            if not self._heading:
                self._heading = True
                self.read_deadline = shared.tick + shared.head_ticks
            return
        self._heading = False
        if self._sink is not None:
            self.read_deadline = shared.tick + shared.body_ticks if self._awaits_body() else NEVER
        elif self._head is not None:
            self.read_deadline = NEVER
        elif receiver.idle:
            self.read_deadline = shared.tick + shared.idle_ticks
        else:
            self.read_deadline = shared.tick + shared.body_ticks

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

    # Writing

    def pause_writing(self) -> None:
        self._write_paused = True
        if self._sending is not None:
            self._sending.paused = True
        self._watch_writes()
        self._update_reading()

    def resume_writing(self) -> None:
        self._write_paused = False
        self.write_deadline = NEVER
        # Not at once: asyncio's transport, when it is closed inside of this call, tells so twice (CPython
        # 3.11, _write_ready), and fails the second time.
        self._shared.loop.call_soon(self._resume)

    def _resume(self) -> None:
        if self._write_paused:
            return
        if self._sending is not None:
            self._sending.resume()
        elif not self._gone:
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

    # Closing

    def _send_error(self, status: int, reason: str) -> None:
        """The server's own last word."""
        self._last = True
        self._head = None
        text = reason.encode() + b"\n"
        framing = b"%bcontent-length: %d\r\n%b" % (self._shared.date, len(text), CLOSE)
        self._write(render_head(status, [TEXT], framing) + text)
        self._linger()

    def _end(self) -> None:
        """The last reply is out."""
        if self._sink is not None:
            self._linger()
        else:
            self._close()

    def _close(self) -> None:
        self._sink = None
        self.write_out()
        if not self._transport.is_closing():  # asyncio's TLS transport loses its buffers at a second close
            self._transport.close()
            self._watch_writes()

    def _linger(self) -> None:
        """Close our half and swallow what comes: a close with unread bytes would reset the connection, and
        the client could lose our reply (RFC 9112 9.6)."""
        if self._lingering or self._transport.is_closing():
            return
        self._lingering = self._last = True
        self.write_out()
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
