"""The HTTP/1.1 server of every HTTP face: sockets, deadlines, and an end that finishes what it began.

State   the open connections
Source  docs/decisions/0004-http-server.md
Absent  a least rate for bodies (each piece has its deadline, the whole has none)

`serve(app, …)` listens; see `cloudlet.wire.http1.App` for what a face owes, and `http_connection` for what
happens to its requests and when they are cancelled.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Coroutine, Sequence
from ssl import SSLContext
from time import gmtime

import msgspec

from cloudlet.kernel.clock import Clock, SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.shell.http_connection import LOG as REQUEST_LOG
from cloudlet.shell.http_connection import Connection
from cloudlet.shell.http_line import Line
from cloudlet.shell.http_outlet import Outlet
from cloudlet.shell.http_sending import dispose
from cloudlet.wire.http1 import App, Buffer, Head, Request, Response, Stream
from cloudlet.wire.http1_receiver import ReceiveLimits

BACKLOG = 1024
SWEEP_SLICE = 1000  # connections looked at in one turn of the loop
TICK_MS_MAX = 1000  # the Date header changes every second
OUTGOING_MAX = 16  # replies that wait for one another; a small request takes some 50 us
ALONE_REPLIES = 31  # until a client that seems to be alone is looked at again
ABORT_MS = 1000  # how long connections may take to notice that they were aborted

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Limits(msgspec.Struct, frozen=True):
    """What clients may take of the server."""

    connections_max: int = 16_384
    pipelined_max: int = 32  # requests that wait behind the one at work before reading stops
    head_ms: int = 30_000  # from the first byte of a head to its last
    body_ms: int = 30_000  # between two pieces of a body
    idle_ms: int = 75_000  # between two requests; longer than the pools of the usual clients keep theirs
    write_ms: int = 30_000  # without the client taking anything
    linger_ms: int = 2_000  # for the client to close after our last word
    receive: ReceiveLimits = ReceiveLimits()


class Shared:
    """What the connections of a server have in common; `tick` counts its sweeps."""

    def __init__(self, app: App, limits: Limits, clock: Clock, ids: Ids) -> None:
        self.app = app
        self.limits = limits
        self.receive_limits = limits.receive
        self.loop = asyncio.get_running_loop()
        self.ids = ids
        self.connections: set[Line] = set()
        self.left_alone: set[asyncio.Task[object]] = set()  # tasks whose connection has gone
        self.closing = False
        self.careful = False  # requests may not take the short way
        self.emptied: asyncio.Future[None] | None = None
        self._outgoing: list[Outlet] = []  # whose replies go out at the end of this turn
        self._replies = 0  # of this turn
        self._alone = 0  # replies that may go out at once: nobody else's has come with the last one
        self._clock = clock
        shortest = min(limits.head_ms, limits.body_ms, limits.idle_ms, limits.write_ms, limits.linger_ms)
        self._tick_ms = max(1, min(TICK_MS_MAX, shortest // 4))
        self.tick = 0
        self.head_ticks = self._ticks(limits.head_ms)
        self.body_ticks = self._ticks(limits.body_ms)
        self.idle_ticks = self._ticks(limits.idle_ms)
        self.write_ticks = self._ticks(limits.write_ms)
        self.linger_ticks = self._ticks(limits.linger_ms)
        self._timer: asyncio.TimerHandle | None = None
        self.sweep()

    def _ticks(self, time_ms: int) -> int:
        return time_ms // self._tick_ms + 1  # the present tick is under way: never too early

    def sweep(self) -> None:
        """Renew what changes every second, and let the overdue connections know."""
        self.tick += 1
        self.date = b"date: %b\r\n" % http_date(self._clock.wall_ms()).encode()
        self.access = REQUEST_LOG.isEnabledFor(logging.DEBUG)
        self.careful = self.access or self.closing
        self._timer = self.loop.call_later(self._tick_ms / 1000, self.sweep)
        self._sweep_some(list(self.connections))

    def _sweep_some(self, connections: list[Line]) -> None:
        """Look at a slice, and at the rest in the next turns of the loop: ten thousand take 2 ms."""
        tick = self.tick
        some = connections[-SWEEP_SLICE:]
        del connections[-SWEEP_SLICE:]
        for connection in some:
            if connection.read_deadline <= tick:
                connection.expire()
            if connection.write_deadline <= tick:
                connection.expire_write()
        if connections:
            self.loop.call_soon(self._sweep_some, connections)

    def write_soon(self, connection: Outlet) -> None:
        """Let a reply go out at the end of this turn; at once where the last ones had no other."""
        if self._alone:
            self._alone -= 1
            connection.write_out()
            return
        if not self._replies:
            self.loop.call_soon(self._end_turn)
        self._replies += 1
        outgoing = self._outgoing
        outgoing.append(connection)
        if len(outgoing) >= OUTGOING_MAX:
            self._write_out()

    def _end_turn(self) -> None:
        if self._replies == 1:
            self._alone = ALONE_REPLIES
        self._replies = 0
        self._write_out()

    def _write_out(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        for connection in outgoing:
            connection.write_out()

    def forget(self, connection: Line) -> None:
        self.connections.discard(connection)
        if self.emptied is not None and not self.connections and not self.emptied.done():
            self.emptied.set_result(None)

    def dispose(self, response: Response) -> None:
        """Let go of a reply's body that is not sent."""
        task = dispose(response)
        if task is not None:
            self.left_alone.add(task)
            task.add_done_callback(self.left_alone.discard)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    async def wait_emptied(self, time_ms: float) -> bool:
        """Wait for the last connection to go."""
        if self.connections:
            self.emptied = self.loop.create_future()
            await asyncio.wait([self.emptied], timeout=time_ms / 1000)
        return not self.connections


class Server:
    """A listening server; made by `serve`."""

    def __init__(self, shared: Shared, listeners: Sequence[asyncio.Server]) -> None:
        self._shared = shared
        self._listeners = listeners
        self.ports = [
            name[1]
            for listener in listeners
            for sock in listener.sockets
            if isinstance(name := sock.getsockname(), tuple)
        ]

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._shared.connections)

    def connect(self) -> Connection:
        """The protocol of a connection that somebody else has accepted."""
        return Connection(self._shared)

    def hold(self) -> None:
        """Let the requests of connections that come from now on wait for `release`."""
        assert not isinstance(self._shared.app, Held), "the server holds already"
        self._shared.app = Held(self._shared.app)

    def shed(self, spared: asyncio.Task[object] | None = None) -> None:
        """Close every connection: a reply that has begun goes out whole, every other request gets none. The
        connection whose request the spared task answers stays."""
        for connection in list(self._shared.connections):
            connection.shed(spared)

    def release(self) -> None:
        """Serve again."""
        held = self._shared.app
        if isinstance(held, Held):
            self._shared.app = held.app
            held.released.set_result(None)

    async def close(self, grace_ms: float = 5_000) -> None:
        """Stop accepting, close idle connections at once, and the others after the reply at hand. What is
        still at work after `grace_ms` is cancelled and its connection aborted."""
        shared = self._shared
        shared.closing = shared.careful = True
        for listener in self._listeners:
            listener.close()
        for connection in list(shared.connections):
            connection.drain()
        if not await shared.wait_emptied(grace_ms):
            for connection in list(shared.connections):
                connection.abort()
            await shared.wait_emptied(ABORT_MS)
        left_alone = list(shared.left_alone)
        for task in left_alone:
            task.cancel()
        if left_alone:
            await asyncio.wait(left_alone, timeout=ABORT_MS / 1000)
        shared.stop()


class Held:
    """An App whose requests wait; one whose body is not read at once is asked to come again."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.released = asyncio.get_running_loop().create_future()

    def admit(self, head: Head, peer: str) -> Response | Buffer | Stream:
        if self.released.done():
            return self.app.admit(head, peer)
        return Response(503, [(b"retry-after", b"1")], b"the cloud is being restored\n")

    def respond(self, request: Request) -> Response | Coroutine[object, object, Response]:
        return self.app.respond(request) if self.released.done() else self._later(request)

    async def _later(self, request: Request) -> Response:
        await asyncio.shield(self.released)
        answer = self.app.respond(request)
        return answer if isinstance(answer, Response) else await answer


async def serve(
    app: App,
    *,
    sockets: Sequence[socket.socket] = (),
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    ssl: SSLContext | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
) -> Server:
    """Serve `app` on bound sockets (TCP or Unix), or on `host` and `port`; OSError for a taken port."""
    shared = Shared(app, limits, clock or SystemClock(), ids or Ids())
    loop = shared.loop
    handshake_s = limits.head_ms / 1000 if ssl is not None else None
    listeners: list[asyncio.Server] = []

    def connect() -> Connection:
        return Connection(shared)

    try:
        for sock in sockets:
            create = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
            listeners.append(
                await create(connect, sock=sock, backlog=BACKLOG, ssl=ssl, ssl_handshake_timeout=handshake_s)
            )
        if port is not None:
            listeners.append(
                await loop.create_server(
                    connect, host, port, backlog=BACKLOG, ssl=ssl, ssl_handshake_timeout=handshake_s
                )
            )
    except BaseException:
        shared.stop()
        for listener in listeners:
            listener.close()
        raise
    return Server(shared, listeners)


def http_date(wall_ms: int) -> str:
    """The IMF-fixdate of RFC 9110 5.6.7."""
    now = gmtime(wall_ms // 1000)
    return (
        f"{DAYS[now.tm_wday]}, {now.tm_mday:02} {MONTHS[now.tm_mon - 1]} {now.tm_year}"
        f" {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} GMT"
    )
