"""Small replies of one turn of the loop go out together at its end, in order, and into no other's socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from tests.shell.conftest import Run
from tests.shell.http_face import Face

from cloudlet.shell.http import ALONE_REPLIES, OUTGOING_MAX, Server, serve
from cloudlet.shell.http_connection import Connection

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport over one end of a pair; what is written through it, and not past it, is kept too."""

    def __init__(self) -> None:
        super().__init__()
        self.ours, self.client = socket.socketpair()
        self.ours.setblocking(False)
        self.client.setblocking(False)
        self.through: list[bytes] = []
        self.buffered = 0
        self.closed = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"socket": self.ours, "peername": ("127.0.0.1", 1)}.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.through.append(bytes(data))
        if not self.buffered:
            self.ours.send(data)

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def received(self) -> bytes:
        """What the client has got since it last looked."""
        try:
            return self.client.recv(1 << 20)
        except BlockingIOError:
            return b""

    def end(self) -> None:
        self.ours.close()
        self.client.close()


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Face, Server]]:
    face = Face()
    server = await serve(face)
    yield face, server
    assert server.connections == 0
    await server.close(grace_ms=0)


def connect(server: Server) -> tuple[Connection, Wire]:
    wire = Wire()
    connection = server.connect()
    connection.connection_made(wire)
    return connection, wire


def leave(*pairs: tuple[Connection, Wire]) -> None:
    for connection, wire in pairs:
        connection.connection_lost(None)
        wire.end()


def test_replies_of_one_turn_go_out_at_its_end(run: Run) -> None:
    async def main() -> None:
        async with serving() as (_, server):
            pairs = [connect(server) for _ in range(3)]
            for connection, _ in pairs:
                connection.data_received(GET)
            assert [wire.received() for _, wire in pairs] == [b"", b"", b""]
            await asyncio.sleep(0)
            assert all(wire.received().startswith(b"HTTP/1.1 200") for _, wire in pairs)
            assert not any(wire.through for _, wire in pairs)
            leave(*pairs)

    run(main)


def test_no_more_than_some_wait_for_one_another(run: Run) -> None:
    async def main() -> None:
        async with serving() as (_, server):
            pairs = [connect(server) for _ in range(OUTGOING_MAX + 1)]
            for connection, _ in pairs:
                connection.data_received(GET)
            got = [wire.received() for _, wire in pairs]
            assert all(got[:OUTGOING_MAX])
            assert not got[-1]
            await asyncio.sleep(0)
            assert pairs[-1][1].received()
            leave(*pairs)

    run(main)


def test_who_is_alone_is_answered_at_once_and_looked_at_again_later(run: Run) -> None:
    async def main() -> None:
        async with serving() as (_, server):
            pair = connect(server)
            connection, wire = pair
            at_once = []
            for _ in range(2 * (ALONE_REPLIES + 1)):
                connection.data_received(GET)
                at_once.append(bool(wire.received()))
                await asyncio.sleep(0)
                wire.received()
            assert at_once == [False, *[True] * ALONE_REPLIES] * 2
            leave(pair)

    run(main)


def test_two_replies_of_a_turn_keep_their_order(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        async with serving() as (face, server):
            face.file = tmp_path / "file"
            face.file.write_bytes(b"of a file")
            pair = connect(server)
            connection, wire = pair
            connection.data_received(GET)
            connection.data_received(b"GET /file?0-9 HTTP/1.1\r\nHost: h\r\n\r\n")
            connection.data_received(GET)
            await asyncio.sleep(0)
            got = wire.received()
            assert [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"200"]
            assert b"of a file" in got.split(b"HTTP/1.1 ")[2]
            leave(pair)

    run(main)


def test_a_refusal_comes_behind_the_reply_before_it(run: Run) -> None:
    async def main() -> None:
        async with serving() as (_, server):
            pair = connect(server)
            connection, wire = pair
            connection.data_received(GET)
            connection.data_received(b"nonsense\r\n\r\n")
            got = wire.received()
            assert [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]] == [b"200", b"400"]
            leave(pair)

    run(main)


def test_a_client_that_ends_its_stream_gets_its_reply(run: Run) -> None:
    async def main() -> None:
        async with serving() as (_, server):
            pair = connect(server)
            connection, wire = pair
            connection.data_received(GET)
            assert connection.eof_received() is False
            assert wire.received().startswith(b"HTTP/1.1 200")
            leave(pair)

    run(main)


def test_shedding_lets_a_waiting_reply_go_out(run: Run) -> None:
    async def main() -> None:
        async with serving() as (_, server):
            pair = connect(server)
            connection, wire = pair
            connection.data_received(GET)
            server.shed()
            assert wire.received().startswith(b"HTTP/1.1 200")
            assert wire.closed
            leave(pair)

    run(main)


def test_a_lost_connection_writes_nothing_to_a_number_that_may_be_anothers(run: Run) -> None:
    async def main() -> None:
        async with serving() as (_, server):
            connection, wire = connect(server)
            connection.data_received(GET)
            number = wire.ours.fileno()
            connection.connection_lost(None)
            wire.end()
            other, peer = socket.socketpair()
            with closing(other), closing(peer):
                peer.setblocking(False)
                assert other.fileno() == number, "the test wants the number to be used again"
                await asyncio.sleep(0)
                try:
                    found = peer.recv(100)
                except BlockingIOError:
                    found = b""
                assert found == b""

    run(main)


def test_a_reply_waits_behind_what_the_transport_holds(run: Run) -> None:
    async def main() -> None:
        async with serving() as (_, server):
            pair = connect(server)
            connection, wire = pair
            wire.buffered = 1
            connection.data_received(GET)
            await asyncio.sleep(0)
            assert wire.received() == b""
            assert [reply[:12] for reply in wire.through] == [b"HTTP/1.1 200"]
            leave(pair)

    run(main)
