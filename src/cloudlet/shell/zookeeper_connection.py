"""One connection of the ZooKeeper face: bytes to frames, frames to bytes.

State   the bytes of a frame that is not whole yet
Source  ZooKeeper 3.9, NIOServerCnxn
Absent  none

The first four bytes tell what a connection is: the length of a frame, one of the four-letter words, or the
beginning of an HTTP request, which is the admin server's. No length is so large that it could be taken for
text.

A client may send thousands of requests in one go. They are served for TURN_MS, then it is the others' turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from cloudlet.coord.zookeeper.client import Client
from cloudlet.coord.zookeeper.requests import answer
from cloudlet.coord.zookeeper.words import WORDS
from cloudlet.shell.http_outlet import write_past
from cloudlet.wire.jute import INT, Broken

if TYPE_CHECKING:
    from cloudlet.shell.zookeeper_face import ZooKeeperFace

log = logging.getLogger(__name__)

OUTSTANDING_MAX = 1000  # replies that wait to be settled, or delayed, before nothing more is read
TURN_MS = 1.0  # of one client's requests, before the loop looks at the others
HTTP = (b"GET ", b"HEAD", b"POST", b"OPTI", b"PUT ", b"DELE")
WRITE_HIGH_BYTES = 4 << 20  # owed to a client that does not take it: nothing more is read of it
TAKES_MAX_BYTES = 64 << 20  # with the events, which come unasked: then it is cut off


class Connection(asyncio.Protocol):
    """A client of the face."""

    __slots__ = (
        "_asked_s",
        "_delayed",
        "_face",
        "_fileno",
        "_is_begun",
        "_is_congested",
        "_is_held",
        "_is_waking",
        "_loop",
        "_rest",
        "_transport",
        "client",
    )

    def __init__(self, face: ZooKeeperFace) -> None:
        self._face = face
        self._rest = b""
        self._is_begun = False  # the first four bytes have been looked at
        self._is_held = False  # nothing is read: too much is owed
        self._is_congested = False  # the client does not take what was written
        self._is_waking = False  # `release` is due in the next turn
        self._asked_s = 0.0  # when what is being answered came; 0: nothing is
        self._loop = asyncio.get_running_loop()
        self._delayed: deque[tuple[float, bytes]] = deque()  # what a fault keeps back, and when it is due
        self._fileno = -1  # of a plain connection, until it is closed or lost
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self.client: Client = None  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]
        socket = transport.get_extra_info("socket")
        if socket is not None and transport.get_extra_info("ssl_object") is None:
            self._fileno = socket.fileno()
        transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)  # type: ignore[attr-defined]
        self.client = self._face.joined(self, transport)
        if self._face.is_silent:
            self.hold()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fileno = -1
        self._delayed.clear()
        self._face.left(self)

    # --- reading

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if self._is_held:
            self._rest = data
            return
        if not self._is_begun:
            if len(data) < 4:
                self._rest = data
                return
            self._is_begun = True
            if data[:4] in WORDS or data[:4] in HTTP:
                self._begin_text(data)
                return
        self._frames(data)
        if not 0 < self._face.waits_for <= self.client.last_zxid:
            self._face.flush()

    def _begin_text(self, data: bytes) -> None:
        if data[:4] in WORDS:
            self._transport.write(self._face.word(data[:4].decode(), data[4:], self.client))
            self.close()
        else:
            self._face.hand_to_http(self, self._transport, data)

    def _frames(self, data: bytes) -> None:
        """Serve every whole frame."""
        at, size, received, until_ms = 0, len(data), 0, 0.0
        client, keeper = self.client, self._face.keeper
        most = keeper.settings.buffer_bytes_max
        now_ms = keeper.clock.monotonic_ms
        if not self._asked_s:
            self._asked_s = self._loop.time()
        try:
            while at + 4 <= size and not client.is_closing and not client.is_gone:
                (length,) = INT.unpack_from(data, at)
                if not 0 <= length <= most:
                    log.info("%s sends a frame of %d bytes", client.address, length)
                    self.close()
                    return
                stop = at + 4 + length
                if stop > size:
                    break
                if stop < size and not until_ms:
                    until_ms = now_ms() + TURN_MS
                frame = data[at + 4 : stop]
                at = stop
                if client.session is None:
                    keeper.connect(client, frame)
                else:
                    answer(keeper, client, frame)
                    received += 1
                if (
                    len(client.outbox) > OUTSTANDING_MAX
                    or client.outbox_bytes > WRITE_HIGH_BYTES
                    or client.is_waiting
                ):
                    self.hold()
                    break
                if at < size and now_ms() > until_ms:
                    self.hold()
                    self._release_soon()
                    break
        except Broken as error:
            log.info("%s breaks the protocol: %s", client.address, error)
            self.close()
            return
        except Exception:
            log.exception("a request of %s failed", client.address)
            self._transport.abort()
            return
        keeper.statistics.received += received
        self._rest = data[at:] if at else data

    def hold(self) -> None:
        """Read nothing for now."""
        if not self._is_held:
            self._is_held = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._is_congested = True
        self.hold()

    def resume_writing(self) -> None:
        self._is_congested = False
        self._release_soon()  # not within the transport's write

    def _release_soon(self) -> None:
        """Once in the next turn, however many ask for it: each time that it reads on is a turn of its own."""
        if not self._is_waking:
            self._is_waking = True
            self._loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._is_waking = False
        self.release()

    def release(self) -> None:
        """Read on."""
        if self._is_congested or self.client.is_waiting or self._transport.is_closing():
            return
        if self._is_held and not self._face.is_silent:
            self._is_held = False
            self._transport.resume_reading()
            data, self._rest = self._rest, b""
            if data:
                self.data_received(data)

    # --- writing

    def flush(self, settled: int, now_s: float) -> bool:
        """Send what may be sent; whether nothing waits any more."""
        client, keeper = self.client, self._face.keeper
        sent = client.sent
        data = client.take(settled)
        statistics = keeper.statistics
        statistics.sent += client.sent - sent
        if data:
            delay_ms = keeper.faults.delay_ms
            if delay_ms or self._delayed:
                self._delay(data, now_s + delay_ms / 1000)
            elif self._fileno < 0:
                self._transport.write(data)
            else:
                write_past(self._transport, self._fileno, data)
            if client.is_overfull or (
                self._is_congested and self._transport.get_write_buffer_size() > TAKES_MAX_BYTES
            ):
                log.warning("%s does not read what it is told: cut off", client.address)
                self._transport.abort()
        if client.outbox:
            return False
        if self._asked_s:
            statistics.note((now_s - self._asked_s) * 1000)
            self._asked_s = 0.0
        if client.is_closing and not self._delayed:
            self.close()
        elif self._is_held and not self._delayed:
            self._release_soon()
        return True

    def _delay(self, data: bytes, due_s: float) -> None:
        """Write at a time to come, and never before what is kept back already: the delay may have changed."""
        delayed = self._delayed
        if not delayed:
            self._loop.call_at(due_s, self._write_delayed)
        delayed.append((max(due_s, delayed[-1][0]) if delayed else due_s, data))
        if len(delayed) > OUTSTANDING_MAX:
            self.hold()

    def _write_delayed(self) -> None:
        if not self._delayed:
            return  # the connection is lost
        self._transport.write(self._delayed.popleft()[1])
        if self._delayed:
            self._loop.call_at(self._delayed[0][0], self._write_delayed)
        elif not self.client.outbox:
            if self.client.is_closing:
                self.close()
            else:
                self.release()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def close(self) -> None:
        """Close behind what was written; nothing more is."""
        self._fileno = -1
        self._transport.close()
