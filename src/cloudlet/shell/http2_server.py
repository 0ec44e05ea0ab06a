"""A port that speaks gRPC and HTTP: HTTP/2 for calls, HTTP/1.1 (and HTTP/2) for pages.

State   the open connections
Source  RFC 9113 section 3 (prior knowledge, ALPN); RFC 7301; docs/decisions/0004-http-server.md
Absent  the upgrade from HTTP/1.1 (h2c), which RFC 9113 has given up

    server = await serve(methods, app=pages, sockets=bound)

The first bytes tell which protocol a client speaks: the preface of HTTP/2 begins like no request of HTTP/1.1
does. Under TLS the handshake may have told already. A server that is given `tls` takes plain clients too, on
the same port (shell/either.py).
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

import msgspec

from cloudlet.kernel.clock import Clock, SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.shell import http
from cloudlet.shell.either import EitherListener
from cloudlet.shell.grpc_call import ServerCall
from cloudlet.shell.http2_connection import NEVER, Http2Connection
from cloudlet.shell.open_files import leaves_room
from cloudlet.wire.grpc import Code, Method
from cloudlet.wire.http1 import App, Head, Request, Response
from cloudlet.wire.http2_frames import PREFACE, ErrorCode
from cloudlet.wire.http2_streams import Http2Limits

LOG = logging.getLogger(__name__)

BACKLOG = 1024
REQUEST_LINE = re.compile(rb"[^\n]* HTTP/1\.[0-9]\r?\n")
TICK_MS = 1000
SWEEP_SLICE = 1000  # connections looked at in one turn of the loop
DEADLINE_MS = 50  # how late a call may learn that its deadline has passed
LINGER_MS = 50  # Go's client pings again when it is answered, which nobody needs more often
ABORT_MS = 1000


class Limits(msgspec.Struct, frozen=True):
    """What clients may take of the server."""

    connections_max: int = 16_384
    handshake_ms: int = 30_000  # from the connection to the client's first SETTINGS, or its first request
    idle_ms: int = 7_200_000  # without a byte from the client: then it is pinged (etcd's default)
    ping_ms: int = 20_000  # for its answer
    write_ms: int = 60_000  # without the client taking anything
    http2: Http2Limits = Http2Limits()


class Connection(Protocol):
    """What the sweep looks at."""

    def tick(self) -> None: ...
    def drain(self) -> None: ...
    def abort(self) -> None: ...


class Shared:
    """What the connections of a server have in common; `tick` counts its sweeps."""

    def __init__(
        self, methods: Mapping[str, Method], app: App | None, web: http.Server, limits: Limits, clock: Clock
    ) -> None:
        self.methods = methods
        self.app = app
        self.web = web
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self.is_closing = False
        self.is_held = False
        self.rejects: Callable[[], bool] = lambda: False  # connections that come now
        self.handled: Counter[tuple[str, Code]] = Counter()
        self.timed: set[ServerCall] = set()  # calls with a deadline that are being answered
        self.emptied: asyncio.Future[None] | None = None
        self.date_field: list[tuple[bytes, bytes]] = []
        self.tick = 0
        self._clock = clock
        self.now_ms = clock.monotonic_ms
        self._marked: list[Http2Connection] = []
        self._lingering: set[Http2Connection] = set()
        self._linger_timer: asyncio.TimerHandle | None = None
        self._deadlines: asyncio.TimerHandle | None = None
        shortest = min(limits.handshake_ms, limits.ping_ms, limits.write_ms, limits.idle_ms)
        self._tick_ms = max(1, min(TICK_MS, shortest // 4))
        self.handshake_ticks = self._ticks(limits.handshake_ms)
        self.idle_ticks = self._ticks(limits.idle_ms)
        self.ping_ticks = self._ticks(limits.ping_ms)
        self.write_ticks = self._ticks(limits.write_ms)
        self._sweep()

    def _ticks(self, time_ms: int) -> int:
        return time_ms // self._tick_ms + 1

    def _sweep(self) -> None:
        self.tick += 1
        self.date_field = [(b"date", http.http_date(self._clock.wall_ms()).encode())]
        self._timer = self.loop.call_later(self._tick_ms / 1000, self._sweep)
        self._sweep_some(list(self.connections))

    def _sweep_some(self, connections: list[Connection]) -> None:
        """Look at a slice, and at the rest in the next turns of the loop."""
        some = connections[-SWEEP_SLICE:]
        del connections[-SWEEP_SLICE:]
        for connection in some:
            connection.tick()
        if connections:
            self.loop.call_soon(self._sweep_some, connections)

    def stop(self) -> None:
        self._timer.cancel()
        for timer in (self._deadlines, self._linger_timer):
            if timer is not None:
                timer.cancel()

    # --- writing

    def schedule(self, connection: Http2Connection) -> None:
        """Write the connection's frames at the end of this turn."""
        if not self._marked:
            self.loop.call_soon(self._flush)
        self._marked.append(connection)

    def linger(self, connection: Http2Connection) -> None:
        """Write the connection's frames in a while, if nothing else has by then."""
        if not self._lingering:
            self._linger_timer = self.loop.call_later(LINGER_MS / 1000, self._lingered)
        self._lingering.add(connection)

    def _lingered(self) -> None:
        lingering, self._lingering = self._lingering, set()
        for connection in lingering:
            connection.flush()

    def _flush(self) -> None:
        marked, self._marked = self._marked, []
        for connection in marked:
            connection.flush()

    # --- calls

    def count(self, path: str, code: Code) -> None:
        self.handled[path, code] += 1

    def time(self, call: ServerCall) -> None:
        """Watch a call's deadline."""
        self.timed.add(call)
        if self._deadlines is None:
            self._deadlines = self.loop.call_later(DEADLINE_MS / 1000, self._look_at_deadlines)

    def _look_at_deadlines(self) -> None:
        now_ms = self.loop.time() * 1000
        for call in list(self.timed):
            if call.deadline_ms is not None and call.deadline_ms <= now_ms:
                call.expire()
        self._deadlines = None
        if self.timed:
            self._deadlines = self.loop.call_later(DEADLINE_MS / 1000, self._look_at_deadlines)

    # --- connections

    def forget(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if self.emptied is not None and not self.connections and not self.emptied.done():
            self.emptied.set_result(None)

    def note_failure(self, peer: str, code: ErrorCode, message: str) -> None:
        LOG.debug("%s broke HTTP/2: %s, %s", peer, code.name, message)

    async def wait_emptied(self, time_ms: float) -> None:
        if self.connections:
            self.emptied = self.loop.create_future()
            await asyncio.wait([self.emptied], timeout=time_ms / 1000)


class Greeting(asyncio.Protocol):
    """A connection whose protocol is not known yet."""

    __slots__ = ("_data", "_deadline", "_shared", "_transport", "is_eof")

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._data = b""
        self._deadline = NEVER
        self.is_eof = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        shared = self._shared
        self._transport = cast(asyncio.Transport, transport)
        full = len(shared.connections) >= shared.limits.connections_max or not leaves_room(transport)
        if full or shared.is_closing or shared.rejects():
            self._transport.abort()
            return
        shared.connections.add(self)
        self._deadline = shared.tick + shared.handshake_ticks
        if shared.is_held:
            self._transport.pause_reading()
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() == "h2" and not shared.is_held:
            self._become(Http2Connection(shared))

    def data_received(self, data: bytes) -> None:
        self._data = data = self._data + data
        if self._shared.is_held:
            # Python 3.11.2 begins to read right after connection_made, paused or not
            self._transport.resume_reading()
            self._transport.pause_reading()
            return
        if data.startswith(PREFACE[: len(data)]) and len(data) < len(PREFACE):
            return
        if data.startswith(PREFACE):
            self._become(Http2Connection(self._shared))
        elif b"\n" in data and not REQUEST_LINE.match(data):
            self._transport.abort()  # neither protocol: an answer in one would only confuse
        else:
            self._become(self._shared.web.connect())

    def _become(self, protocol: asyncio.Protocol) -> None:
        self._deadline = NEVER
        data, self._data = self._data, b""
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        self._shared.forget(self)
        if data:
            protocol.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline = NEVER
        self._shared.forget(self)

    def tick(self) -> None:
        if self._deadline <= self._shared.tick:
            self._transport.abort()

    def release(self) -> None:
        """The server serves again."""
        self._deadline = self._shared.tick + self._shared.handshake_ticks
        self._transport.resume_reading()
        if self._data:
            self.data_received(b"")

    def drain(self) -> None:
        self._transport.abort()

    def abort(self) -> None:
        self._transport.abort()


class Server:
    """A listening server; made by `serve`."""

    def __init__(
        self, shared: Shared, listeners: Sequence[asyncio.Server | EitherListener], ports: Sequence[int]
    ) -> None:
        self._shared = shared
        self._listeners = listeners
        self.ports = ports

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._shared.connections) + self._shared.web.connections

    @property
    def handled(self) -> Mapping[tuple[str, Code], int]:
        """How many calls have ended, by path and status."""
        return self._shared.handled

    def drop(self) -> int:
        """Break every connection off; how many there were."""
        dropped = self.connections
        for connection in list(self._shared.connections):
            connection.abort()
        self._shared.web.shed()
        return dropped

    async def silence(self) -> None:
        """Break every connection off; clients that come now wait for `release`."""
        self._shared.is_held = True
        self.drop()
        await self._shared.wait_emptied(ABORT_MS)

    def release(self) -> None:
        """Serve again."""
        self._shared.is_held = False
        for connection in list(self._shared.connections):
            if isinstance(connection, Greeting):
                connection.release()

    async def close(self, grace_ms: float = 2_000) -> None:
        """Stop accepting; answer the unary calls at hand, end the streams, close."""
        shared = self._shared
        shared.is_closing = True
        for listener in self._listeners:
            if isinstance(listener, EitherListener):
                await listener.close()
            else:
                listener.close()
        for connection in list(shared.connections):
            connection.drain()
        await shared.web.close(grace_ms)
        await shared.wait_emptied(grace_ms)
        for connection in list(shared.connections):
            connection.abort()
        await shared.wait_emptied(ABORT_MS)
        shared.stop()


class Nothing:
    """The pages of a server that has none."""

    def admit(self, head: Head, peer: str) -> Response:
        return Response(404, [(b"content-type", b"text/plain")], b"there is only gRPC here\n")

    def respond(self, request: Request) -> Response:
        return self.admit(request.head, request.peer)


async def serve(
    methods: Mapping[str, Method],
    *,
    app: App | None = None,
    sockets: Sequence[socket.socket] = (),
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    tls: ssl.SSLContext | Callable[[], ssl.SSLContext] | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
    rejects: Callable[[], bool] | None = None,
) -> Server:
    """Serve gRPC methods by path, and pages, on bound sockets (TCP or Unix). A connection that comes while
    `rejects()` is broken off at once."""
    clock = clock or SystemClock()
    web = await http.serve(app or Nothing(), clock=clock, ids=ids)
    shared = Shared(methods, app, web, limits, clock)
    if rejects is not None:
        shared.rejects = rejects
    listeners: list[asyncio.Server | EitherListener] = []
    ports = [name[1] for sock in sockets if isinstance(name := sock.getsockname(), tuple)]

    def connect() -> Greeting:
        return Greeting(shared)

    try:
        if tls is not None:
            listeners.append(EitherListener(connect, sockets, lambda: offering(tls)))
        else:
            for sock in sockets:
                loop = shared.loop
                create = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
                listeners.append(await create(connect, sock=sock, backlog=BACKLOG))
    except BaseException:
        shared.stop()
        await web.close(0)
        for listener in listeners:
            if isinstance(listener, asyncio.Server):
                listener.close()
        raise
    return Server(shared, listeners, ports)


def offering(tls: ssl.SSLContext | Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """The context, which lets the client choose between h2 and HTTP/1.1."""
    context = tls if isinstance(tls, ssl.SSLContext) else tls()
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context
