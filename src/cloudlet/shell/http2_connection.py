"""One HTTP/2 connection of a server: the socket's side of it, and which stream is served by whom.

State   the calls that are being answered, what is to be written, the deadlines of the client
Source  RFC 9113; gRPC, "PROTOCOL-HTTP2.md"
Absent  none

What is read in one turn of the loop is answered in one write; the answer to a ping waits a few milliseconds
for the reply to a call, if one is at work. What becomes ready at another time (a commit is on the disk, a
watch has events) marks the connection, and the server writes all the marked ones once at the end of the turn.
While the client does not read, nothing of it is read, and nothing more is taken out of the
streams' queues. What a client sends in one go is served for TURN_MS, then everybody else has a turn.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import msgspec

from cloudlet.shell.grpc_call import CLOSING, UNKNOWN_METHOD, ServerCall, refuse
from cloudlet.shell.http2_web import WebCall
from cloudlet.shell.http_outlet import write_past
from cloudlet.wire.grpc import Code, GrpcStatus, Method, Terms, last_block, terms
from cloudlet.wire.http2 import Http2
from cloudlet.wire.http2_sending import Stream
from cloudlet.wire.http2_streams import Data, Ended, Event, Failed, Opened, Ponged, Reset

if TYPE_CHECKING:
    from cloudlet.shell.http2_server import Shared

WRITE_BUFFER_BYTES = 256 << 10
HELD_BYTES_MAX = 64 << 20  # of messages that are not whole, over all streams of a connection
UNHURRIED_MAX = 16  # answers to pings that wait for a reply to go with
NEVER = 1 << 62
PING = b"cloudlet"
TURN_MS = 1.0  # of one client's calls, before the loop looks at the others


class Route(msgspec.Struct, frozen=True, gc=False):
    """What a head means; kept with the head, because a client sends the same one again and again."""

    method: Method | None
    terms: Terms


class Http2Connection(asyncio.Protocol):
    """See the module."""

    __slots__ = (
        "_calls",
        "_fileno",
        "_held",
        "_is_closing",
        "_is_receiving",
        "_is_scheduled",
        "_later",
        "_pinged",
        "_transport",
        "_unread",
        "_unsent",
        "_unwritten",
        "common_name",
        "http2",
        "peer",
        "read_deadline",
        "shared",
        "slow",
        "write_deadline",
    )

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.http2 = Http2(shared.limits.http2)
        self.slow: set[ServerCall] = set()
        self._calls: set[ServerCall | WebCall] = set()  # that are not answered yet
        self._held = 0
        self._is_receiving = False
        self._is_scheduled = False
        self._is_closing = False
        self._pinged = False
        self._later: list[Event] = []  # what is left for the next turn
        self._unread = b""  # what came although nothing was to be read
        self._unsent = 0
        self._unwritten = 0  # of the streams' messages, since the last write
        self.peer = ""
        self.common_name = ""
        self.read_deadline = NEVER
        self.write_deadline = NEVER

    # --- the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        if isinstance(name, tuple):
            host = f"[{name[0]}]" if ":" in name[0] else name[0]
            self.peer = f"{host}:{name[1]}"
        tls = transport.get_extra_info("ssl_object")
        self._fileno = -1 if tls is not None else transport.get_extra_info("socket").fileno()
        if tls is not None:
            self.common_name = common_name(tls.getpeercert())
        transport.set_write_buffer_limits(WRITE_BUFFER_BYTES)
        shared = self.shared
        shared.connections.add(self)
        self.read_deadline = shared.tick + shared.handshake_ticks
        self.schedule()
        if shared.is_closing:
            self.drain()

    def connection_lost(self, exc: Exception | None) -> None:
        self.read_deadline = self.write_deadline = NEVER
        self._is_closing = True
        self._later = []
        for call in list(self._calls):
            call.cancel()
        self.slow.clear()
        self.shared.forget(self)

    def eof_received(self) -> bool:
        return False  # a client without its half cannot open windows, nor cancel

    def data_received(self, data: bytes) -> None:
        if self._later:
            self._unread += data
        else:
            self._serve(self.http2.receive(data))

    def _read_on(self) -> None:
        """Another turn; not while the client does not read."""
        if self._transport.is_closing():
            self._later = []
        if not self._later or self.http2.sender.is_congested:
            return
        events, self._later = self._later, []
        self._serve(events)
        if not self._later and self._unread:
            data, self._unread = self._unread, b""
            self._serve(self.http2.receive(data))
        if not self._later and not self.http2.sender.is_congested:
            self._transport.resume_reading()

    def _serve(self, events: list[Event]) -> None:
        """What was received, as much of it as a turn takes."""
        http2 = self.http2
        now_ms = self.shared.now_ms
        until_ms = now_ms() + TURN_MS
        self._is_receiving = True
        try:
            for at, event in enumerate(events, 1):
                kind = type(event)
                if kind is Data:
                    assert isinstance(event, Data)
                    user: Any = event.stream.user
                    if user is not None:
                        user.take(event.data, event.flow_bytes, ends=event.ends)
                elif kind is Opened:
                    assert isinstance(event, Opened)
                    open_call(self, event.stream, ends=event.ends)
                else:
                    tell(self, event)
                if at < len(events) and now_ms() > until_ms:
                    self._later = events[at:]
                    self._transport.pause_reading()
                    self.shared.loop.call_soon(self._read_on)
                    break
        finally:
            self._is_receiving = False
        if http2.sender.out:
            self._write_now()
            if http2.sender.is_unfinished:
                self._go_on()
        elif http2.sender.unhurried:
            if self._calls and len(http2.sender.unhurried) < UNHURRIED_MAX:
                self.shared.linger(self)
            else:
                self._write_now()
        if self.slow:
            self._wake_slow()
        if http2.is_greeted:
            shared = self.shared
            self.read_deadline = shared.tick + shared.idle_ticks
            self._pinged = False
        if self._is_closing:
            self._close_when_done()

    # --- what calls ask for

    def await_answer(self, call: ServerCall) -> None:
        """The call is not answered in this turn."""
        if not call.is_cancelled:
            self._calls.add(call)
            if call.deadline_ms is not None:
                self.shared.time(call)

    def forget(self, call: ServerCall | WebCall, code: Code) -> None:
        """The call is over."""
        self._calls.discard(call)
        if call.held_bytes:
            self.hold(-call.held_bytes)
        if isinstance(call, ServerCall):
            self.shared.count(call.method.path, code)
            if call.deadline_ms is not None:
                self.shared.timed.discard(call)
        if not self._is_receiving:
            self.schedule()

    def hold(self, moved_bytes: int) -> None:
        """Messages that are not whole have grown; RESOURCE_EXHAUSTED beyond what a connection may have."""
        self._held += moved_bytes
        if self._held > HELD_BYTES_MAX and moved_bytes > 0:
            raise GrpcStatus(Code.RESOURCE_EXHAUSTED, "too many unfinished messages on one connection")

    # --- writing

    def schedule(self, size_bytes: int = 0) -> None:
        """Write at the end of this turn; now, if much was made: only the socket tells a sender to wait."""
        self._unwritten += size_bytes
        if self._unwritten > WRITE_BUFFER_BYTES:
            self.flush()
        elif not self._is_scheduled and not self._is_receiving:
            self._is_scheduled = True
            self.shared.schedule(self)

    def flush(self) -> None:
        """The turn is over."""
        self._is_scheduled = False
        sender = self.http2.sender
        if (sender.out or sender.unhurried) and not self._transport.is_closing():
            self._write_now()
            if sender.is_unfinished:
                self._go_on()
        if self._is_closing:
            self._close_when_done()

    def _go_on(self) -> None:
        """More may be taken from the queues, after what was is written."""
        self.http2.sender.pump()
        self.schedule()

    def _write_now(self) -> None:
        """Write past the transport, which costs less; only while the transport is not closing, as then the
        descriptor is surely ours."""
        sender = self.http2.sender
        self._unwritten = 0
        if sender.closed:
            self.http2.tidy()
        data = sender.take()
        if self._fileno < 0:
            self._transport.write(data)
        else:
            write_past(self._transport, self._fileno, data)

    def pause_writing(self) -> None:
        self.http2.sender.is_congested = True
        self._transport.pause_reading()
        self._watch_writes()

    def resume_writing(self) -> None:
        self.write_deadline = NEVER
        self.http2.sender.is_congested = False
        self.shared.loop.call_soon(self._resume)  # see Line.resume_writing

    def _resume(self) -> None:
        if self.http2.sender.is_congested or self._transport.is_closing():
            return
        if self._later:
            self._read_on()
        else:
            self._transport.resume_reading()
        self.http2.sender.pump()
        self.schedule()
        self._wake_slow()

    def _wake_slow(self) -> None:
        for call in list(self.slow):
            if call.wake():
                self.slow.discard(call)

    def _watch_writes(self) -> None:
        self._unsent = self._transport.get_write_buffer_size()
        self.write_deadline = self.shared.tick + self.shared.write_ticks

    # --- time

    def tick(self) -> None:
        """The server's sweep: every second or so."""
        self.http2.tick()
        tick = self.shared.tick
        if self.read_deadline <= tick:
            self._expire()
        if self.write_deadline <= tick:
            if self._transport.get_write_buffer_size() < self._unsent:
                self._watch_writes()
            else:
                self._transport.abort()

    def _expire(self) -> None:
        """Nothing has come for long: ask whether the client lives, then let go."""
        shared = self.shared
        if self.http2.is_greeted and not self._pinged:
            self._pinged = True
            self.http2.ping(PING)
            self.schedule()
            self.read_deadline = shared.tick + shared.ping_ticks
        else:
            self._transport.abort()

    # --- the end

    def drain(self) -> None:
        """Take no more calls, and close when those at hand are answered; streams are ended."""
        if self._is_closing:
            return
        self._is_closing = True
        if self.http2.is_greeted:
            self.http2.leave(is_final=True)
        for call in list(self._calls):
            if isinstance(call, ServerCall) and call.is_stream:
                call.cancel(CLOSING)
        self.schedule()

    def _close_when_done(self) -> None:
        is_done = not (self._calls or self._later or self.http2.sender.out or self.http2.has_unsent)
        if (is_done or self.http2.is_failed) and not self._transport.is_closing():
            self._transport.close()
            self._watch_writes()

    def abort(self) -> None:
        """Close without flushing."""
        self._transport.abort()


def common_name(certificate: Any) -> str:
    """The common name of a verified certificate, as ssl tells it."""
    for part in (certificate or {}).get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return ""


def open_call(connection: Http2Connection, stream: Stream, *, ends: bool) -> None:
    """Begin what a head asks for."""
    head = stream.head
    assert head is not None
    route = head.note
    if route is None:
        path = head.path.decode("latin-1")
        route = head.note = Route(connection.shared.methods.get(path), terms(head))
    assert isinstance(route, Route)
    method = route.method
    if route.terms.status != 200:
        if connection.shared.app is None:
            refuse(connection, stream, route.terms.status)
            return
        web = stream.user = WebCall(connection, stream, connection.shared.app)
        connection._calls.add(web)
        web.begin(ends=ends)
        return
    if method is None:
        path = head.path.decode("latin-1")
        status = GrpcStatus(Code.UNIMPLEMENTED, UNKNOWN_METHOD.format(path))
        connection.http2.sender.headers(stream, last_block(status, is_begun=False), ends=True)
        return
    call = stream.user = ServerCall(connection, stream, method, route.terms)
    call.begin()
    if ends:
        call.ended()


def tell(connection: Http2Connection, event: Event) -> None:
    """Pass on what is neither a head nor data."""
    if isinstance(event, Ended):
        user: Any = event.stream.user
        if user is not None:
            user.ended()
    elif isinstance(event, Reset):
        user = event.stream.user
        if user is not None:
            user.cancel()
    elif isinstance(event, Ponged):
        pass  # that anything came is what was asked for
    elif isinstance(event, Failed):
        connection.shared.note_failure(connection.peer, event.code, event.message)
        connection._is_closing = True
        for call in list(connection._calls):
            call.cancel()
