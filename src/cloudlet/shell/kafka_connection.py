"""One connection of a Kafka client: frames in, one request at a time at work, replies out in order.

State   the buffer, and the request at work
Source  Apache Kafka 4.3: SocketServer, KafkaChannel (one request of a channel at work), KIP-219 (muting)
Absent  none

Theory of operation
    Bytes are received straight into a buffer of the connection's own, and a request is a view of it: the
    record batches of a Produce are copied once, into the log. What a request looks at must stay where it is
    until it is answered, so the buffer is tidied up only between two requests:

        0          start     frame             stop            size
        | answered | at work | next requests … |  room to read |

    With no room left, nothing is read until the request at work is answered. An idle connection holds the
    least buffer. One that a larger frame comes by gets a larger one as the frame arrives: its length is only
    what a client says, so no room is made for more than a few times of what has come. It gives the room back
    when it has been idle.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections import deque
from collections.abc import Callable
from itertools import islice
from struct import Struct
from typing import cast

from cloudlet.aws.drive import Rest, finish
from cloudlet.kafka.answer import Answer
from cloudlet.kafka.call import Peer
from cloudlet.kafka.connection_quotas import ConnectionQuotas
from cloudlet.kafka.listeners import Door
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import ProtocolError
from cloudlet.shell.either import subject_of
from cloudlet.shell.open_files import leaves_room

log = logging.getLogger(__name__)

SIZE = Struct(">i")
SIZE_BYTES = 4
HEADER_BYTES_MIN = 8  # API key, version, correlation id
BUFFER_BYTES_MIN = 8 << 10  # what an idle connection holds: ten thousand of them 80 MB
BUFFER_GROWTH = 4  # times larger at once: a frame is copied by a third of its length while it arrives
BUFFER_BYTES_BUSY = 4 << 20  # the most that is held beyond the frame at hand
WRITE_BYTES_HIGH = 1 << 20  # to be sent before the next request is begun
TURN_REQUESTS_MAX = 32  # of one connection in one turn of the loop
LOOKED_AT_MAX = 4096  # of the connections, for one that is silent
WAITING_MAX = 1024  # connections that are not let in yet, as many as a backlog holds; more are closed


Answering = Callable[[memoryview, Peer], "Answer | Rest[Answer]"]
"""Takes a frame without its length. ProtocolError: the connection is to be closed."""


class Shared:
    """What the connections of a face have in common, and who of them is let in."""

    def __init__(
        self,
        answer: Answering,
        entrance: ConnectionQuotas,
        clock: Clock,
        frame_bytes: int,
        name_of: Callable[[str], str | None] = str,
    ) -> None:
        """`name_of`: who somebody is by the name in his certificate, None where he is not to be let in."""
        self.loop = asyncio.get_running_loop()
        self.answer = answer
        self.frame_bytes_max = frame_bytes
        self.name_of = name_of
        self._entrance = entrance
        self._clock = clock
        self.connections: dict[Connection, None] = {}  # in the order in which they came
        self._waiting: deque[Connection] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.tasks: set[asyncio.Task[Answer]] = set()
        self.slow: set[Connection] = set()  # those whose client does not read what it is sent
        self.is_held = False  # new clients wait: the stores are being brought elsewhere
        self.is_closing = False

    def arrive(self, connection: Connection, *, is_crowded: bool = False) -> None:
        """A connection has come: it is let in, waits its turn, or is closed. One that takes a file which the
        stores need is closed, and so is one that has never asked for anything: who comes again finds room."""
        if is_crowded:
            silent = next((one for one in islice(self.connections, LOOKED_AT_MAX) if one.is_silent), None)
            if silent is not None:
                silent.close()
        if is_crowded or self.is_closing or len(self._waiting) >= WAITING_MAX:
            connection.close()
            return
        self._waiting.append(connection)
        self.let_in()

    def let_in(self) -> None:
        """Let in those whose turn it is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting = self._waiting
        while waiting and not (self.is_held or self.is_closing):
            now_ms = self._clock.monotonic_ms()
            ready_ms = self._entrance.ready_ms(now_ms)
            if ready_ms > 0:
                if ready_ms != math.inf:
                    self._timer = self.loop.call_later(ready_ms / 1000, self.let_in)
                return
            connection = waiting.popleft()
            closed_ms = self._entrance.enter(connection.host, now_ms)
            if closed_ms is None:
                self.connections[connection] = None
                connection.enter()
            elif closed_ms == 0:
                connection.close()
            else:
                self.loop.call_later(closed_ms / 1000, connection.close)

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        self.slow.discard(connection)
        if connection in self.connections:
            del self.connections[connection]
            self._entrance.leave(connection.host)
            self.let_in()
        elif connection in self._waiting:
            self._waiting.remove(connection)

    def shed(self, limit: int) -> None:
        """Close who has been idle for longest, where there are more than the limit: it was lowered."""
        excess = len(self.connections) - limit
        if excess > 0:
            for connection in sorted(self.connections, key=lambda each: each.idle_since_ms)[:excess]:
                connection.close()

    def close(self) -> None:
        """Let nobody in any more."""
        self.is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self._waiting):
            connection.close()

    def unread_bytes(self) -> int:
        """Of answers that wait in memory for clients that do not read."""
        return sum(connection.unread_bytes for connection in self.slow)


class Connection(asyncio.BufferedProtocol):
    """Frames of one client."""

    __slots__ = (
        "_at_work",
        "_buffer",
        "_door",
        "_is_in",
        "_reading",
        "_shared",
        "_start",
        "_stop",
        "_transport",
        "_view",
        "_writable",
        "host",
        "idle_since_ms",
        "peer",
        "requests",
        "seen",
    )

    def __init__(self, shared: Shared, door: Door) -> None:
        self._shared = shared
        self._door = door
        self._buffer = bytearray(BUFFER_BYTES_MIN)
        self._view = memoryview(self._buffer)
        self._start = self._stop = 0
        self._at_work = False
        self._is_in = False
        self._reading = True
        self._writable = True
        self._transport: asyncio.Transport | None = None
        self.requests = 0
        self.seen = 0  # of the requests, at the last look
        self.idle_since_ms = math.inf  # until the first look

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._transport = transport
        self.host = _host(transport.get_extra_info("peername"))
        transport.set_write_buffer_limits(WRITE_BYTES_HIGH)
        # asyncio leaves Nagle's algorithm on where a listener was made without naming its protocol: 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = transport.get_extra_info("ssl_object")
        door = self._door.seen_from(is_tls=tls is not None)
        name = (door or self._door).name
        self.peer = Peer(f"/{self.host}", _address(transport.get_extra_info("sockname")), name)
        if door is None or not self._identify(door, subject_of(tls)):
            transport.abort()
            return
        self._shared.arrive(self, is_crowded=not leaves_room(transport))

    def _identify(self, door: Door, subject: str | None) -> bool:
        """Note who the client is, as far as can be told before it has said anything; False where no rule says
        who the owner of its certificate is."""
        peer = self.peer
        peer.takes_sasl = door.takes_sasl
        peer.is_known = not door.takes_sasl
        if subject is not None and door.takes_certificates:
            name = self._shared.name_of(subject)
            if name is None:
                log.info("connection of %s closed: no rule applies to %s", peer.address, subject)
                return False
            peer.principal, peer.is_known = f"User:{name}", True
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._shared.forget(self)
        self.peer.leave()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._writable = False
        self._shared.slow.add(self)

    def resume_writing(self) -> None:
        self._writable = True
        self._shared.slow.discard(self)
        if not self._at_work:
            self._go_on()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view[self._stop :]

    def buffer_updated(self, nbytes: int) -> None:
        self._stop += nbytes
        if not self._at_work and self._writable:
            self._go_on()
        if self._stop == len(self._buffer):  # and a request is at work: there is no room to read into
            self._pause()

    # What it does with the frames

    def _go_on(self) -> None:
        """Answer the requests that are whole, and make room for the one that is not."""
        if self._shared.is_held or not self._is_in:
            self._pause()
            return
        turns = TURN_REQUESTS_MAX
        transport = self._transport
        while not self._at_work and self._writable and transport is not None and not transport.is_closing():
            start, have = self._start, self._stop - self._start
            size = SIZE_BYTES
            if have >= SIZE_BYTES:
                (size,) = SIZE.unpack_from(self._buffer, start)
                if not HEADER_BYTES_MIN <= size <= self._shared.frame_bytes_max:
                    self._break_off(f"a frame of {size} bytes")
                    return
                size += SIZE_BYTES
            if have < size or have < SIZE_BYTES:
                self._make_room(size)
                return
            if turns == 0:
                self._shared.loop.call_soon(self._go_on)
                self._pause()
                return
            turns -= 1
            self._start = start + size
            self._begin(self._view[start + SIZE_BYTES : start + size])

    def _make_room(self, size: int) -> None:
        """Let a frame of `size` bytes fit behind `start`, and read on; no request is at work."""
        start, stop = self._start, self._stop
        buffer = self._buffer
        if start == stop:
            self._start = self._stop = start = stop = 0
            if size <= BUFFER_BYTES_BUSY < len(buffer):  # one huge frame is no reason to keep so much
                self._replace(bytearray(BUFFER_BYTES_BUSY), 0)
                buffer = self._buffer
        if size > len(buffer):
            if start or stop == len(buffer):
                # Room for some more of the kind, so that reading goes on while one is at work.
                room = max(size, min(4 * size, BUFFER_BYTES_BUSY))
                larger = bytearray(min(room, BUFFER_GROWTH * len(buffer)))
                larger[: stop - start] = self._view[start:stop]
                self._replace(larger, stop - start)
        elif start + size > len(buffer) or stop == len(buffer):
            # A view of it may still be held by a reply on its way out, so it is moved only within itself.
            self._view[: stop - start] = bytes(self._view[start:stop])
            self._start, self._stop = 0, stop - start
        self._resume()

    def _replace(self, buffer: bytearray, stop: int) -> None:
        self._buffer = buffer
        self._view = memoryview(buffer)
        self._start, self._stop = 0, stop

    def _begin(self, frame: memoryview) -> None:
        self.requests += 1
        self._at_work = True
        try:
            answer = self._shared.answer(frame, self.peer)
        except ProtocolError as error:
            self._break_off(str(error))
            return
        except Exception:
            log.exception("a request of %s failed", self.peer.address)
            self._break_off("an error of ours")
            return
        if isinstance(answer, Rest):
            task = self._shared.loop.create_task(finish(answer))
            self._shared.tasks.add(task)
            task.add_done_callback(self._finished)
        else:
            self._reply(answer)

    def _finished(self, task: asyncio.Task[Answer]) -> None:
        self._shared.tasks.discard(task)
        if task.cancelled():
            self._break_off("the broker stops")
            return
        error = task.exception()
        if error is None:
            self._reply(task.result())
            self._go_on()
            return
        if not isinstance(error, ProtocolError):
            log.error("a request of %s failed", self.peer.address, exc_info=error)
        self._break_off(str(error))

    def _reply(self, answer: Answer) -> None:
        transport = self._transport
        if transport is not None:
            if len(answer.parts) == 1:
                transport.write(answer.parts[0])
            elif answer.parts:
                transport.writelines(answer.parts)
        if answer.mute_ms:
            self._pause()
            self._shared.loop.call_later(answer.mute_ms / 1000, self._unmute)
        else:
            self._at_work = False

    def _unmute(self) -> None:
        self._at_work = False
        self._go_on()

    def _break_off(self, why: str) -> None:
        """Close the connection, as Kafka does for whoever breaks the protocol; what is written goes out."""
        if self._transport is not None:
            log.debug("connection of %s closed: %s", self.peer.address, why)
            self._transport.close()

    def _pause(self) -> None:
        if self._reading and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    def _resume(self) -> None:
        if not self._reading and self._transport is not None and not self._shared.is_held:
            self._reading = True
            self._transport.resume_reading()

    # What the face calls

    @property
    def is_silent(self) -> bool:
        """It has sent nothing since it came, and is not closing already."""
        transport = self._transport
        return not (self.requests or self._stop) and transport is not None and not transport.is_closing()

    @property
    def unread_bytes(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def look(self, now_ms: float, idle_ms_max: float) -> None:
        """Now and then: close a connection that has been idle, take back a large buffer."""
        if self.requests != self.seen or self._at_work or self.idle_since_ms == math.inf:
            self.seen = self.requests
            self.idle_since_ms = now_ms
            return
        if 0 <= idle_ms_max <= now_ms - self.idle_since_ms and self._transport is not None:
            self._transport.close()
        elif self._start == self._stop and len(self._buffer) > BUFFER_BYTES_MIN:
            self._replace(bytearray(BUFFER_BYTES_MIN), 0)

    def enter(self) -> None:
        """It is let in: what has come meanwhile is answered."""
        self._is_in = True
        if self._stop:
            self.begin()

    def begin(self) -> None:
        """Read, after the clients were held."""
        self._resume()
        if not self._at_work:
            self._go_on()

    def close(self) -> None:
        """Close at once; what is at work goes on without us."""
        if self._transport is not None:
            self._transport.abort()


def _host(name: object) -> str:
    return str(name[0]) if isinstance(name, tuple) else "127.0.0.1"


def _address(name: object) -> str:
    """HOST:PORT of a socket's name."""
    if not isinstance(name, tuple):
        return ""
    host = str(name[0])
    return f"[{host}]:{name[1]}" if ":" in host else f"{host}:{name[1]}"
