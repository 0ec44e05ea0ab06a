"""What clients of the gRPC server may not do: keep silent, not read, come in crowds."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from types import SimpleNamespace

import hpack
import pytest
from tests.shell.grpc_face import Face, served

from cloudlet.engines.grpc_client import GrpcClient
from cloudlet.shell import http2_connection
from cloudlet.shell.http2_server import Limits, Server
from cloudlet.wire.grpc import framed
from cloudlet.wire.http2_frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD,
    HEADERS,
    PING,
    PREFACE,
    Setting,
    frame,
    settings_frame,
    window_frame,
)

QUICK = Limits(handshake_ms=200, idle_ms=300, ping_ms=200, write_ms=300)
HELLO = PREFACE + settings_frame([(Setting.INITIAL_WINDOW_SIZE, (1 << 31) - 1)])


class Raw:
    """A client in frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._encoder = hpack.Encoder()

    def call(self, number: int, name: str, message: bytes = b"") -> None:
        fields = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", b"/test.T/" + name.encode()),
            (b"content-type", b"application/grpc"),
        ]
        self.writer.write(frame(HEADERS, END_HEADERS, number, self._encoder.encode(fields)))
        self.writer.write(frame(DATA, END_STREAM, number, framed(message)))

    def call_at_once(self, count: int) -> None:
        """A greeting and so many calls, in one write."""
        real = self.writer
        gathered: list[bytes] = [HELLO]
        self.writer = SimpleNamespace(write=gathered.append)  # type: ignore[assignment]
        for number in range(count):
            self.call(2 * number + 1, "Echo", b"%d" % number)
        self.writer = real
        self.writer.write(b"".join(gathered))

    async def frames(self) -> AsyncIterator[tuple[int, int, int, bytes]]:
        """What the server says, until it closes."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionResetError):
            while True:
                high, low, kind, flags, number = HEAD.unpack(await self.reader.readexactly(HEAD.size))
                yield kind, flags, number, await self.reader.readexactly(high << 16 | low)

    async def ends(self) -> None:
        """Wait until the server has closed the connection."""
        with contextlib.suppress(ConnectionResetError):
            while await asyncio.wait_for(self.reader.read(65536), 10):
                pass


@contextlib.asynccontextmanager
async def raw(server: Server) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.ports[0])
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def run(limits: Limits, body) -> Face:
    async def whole() -> Face:
        async with served(limits) as (face, server):
            await asyncio.wait_for(body(face, server), 30)
        return face

    return asyncio.run(whole())


@pytest.mark.parametrize("said", [b"", PREFACE[:10], PREFACE, PREFACE + settings_frame([])[:5]])
def test_a_client_that_does_not_greet_is_let_go(said: bytes) -> None:
    async def body(face: Face, server: Server) -> None:
        async with raw(server) as client:
            client.writer.write(said)
            await client.ends()
        assert server.connections == 0

    run(QUICK, body)


def test_a_silent_client_is_asked_and_then_let_go() -> None:
    async def body(face: Face, server: Server) -> None:
        async with raw(server) as client:
            client.writer.write(HELLO)
            kinds = [kind async for kind, _, _, _ in client.frames()]
        assert kinds[-1] == PING

    run(QUICK, body)


def test_a_client_that_answers_stays() -> None:
    async def body(face: Face, server: Server) -> None:
        async with raw(server) as client:
            client.writer.write(HELLO)
            pings = 0
            async for kind, flags, _, payload in client.frames():
                if kind == PING and not flags:
                    pings += 1
                    if pings == 3:
                        break
                    client.writer.write(frame(PING, ACK, 0, payload))
            assert pings == 3

    run(QUICK, body)


def test_a_client_that_does_not_read_is_let_go_and_harms_no_other() -> None:
    async def body(face: Face, server: Server) -> None:
        async with raw(server) as client:
            client.writer.write(HELLO + window_frame(0, 1 << 30))
            client.call(1, "Pour")
            while not face.sent:
                await asyncio.sleep(0.01)
            other = await GrpcClient.connect(f"127.0.0.1:{server.ports[0]}")
            assert await other.unary("/test.T/Echo", b"x") == b"x"
            while face.cancelled != ["pour"]:
                await asyncio.sleep(0.01)
            await other.close()

    face = run(QUICK, body)
    assert face.sent * 100_000 < 32 << 20


def test_a_flood_of_pings_is_not_read_further_than_it_is_answered() -> None:
    async def body(face: Face, server: Server) -> None:
        async with raw(server) as client:
            client.writer.write(HELLO)
            flood = frame(PING, 0, 0, bytes(8)) * 1000
            sent = 0
            with contextlib.suppress(ConnectionError, TimeoutError):
                while sent < 64 << 20:
                    client.writer.write(flood)
                    sent += len(flood)
                    await asyncio.wait_for(client.writer.drain(), 1)
            assert sent < 64 << 20

    run(Limits(write_ms=500, handshake_ms=500, ping_ms=500, idle_ms=500), body)


def test_connections_are_bounded() -> None:
    async def body(face: Face, server: Server) -> None:
        async with raw(server), raw(server):
            while server.connections < 2:
                await asyncio.sleep(0.01)
            async with raw(server) as third:
                await third.ends()
            assert server.connections == 2

    run(Limits(connections_max=2), body)


def test_a_broken_peer_is_told_and_let_go() -> None:
    async def body(face: Face, server: Server) -> None:
        async with raw(server) as client:
            client.writer.write(HELLO + frame(DATA, 0, 9, b"x"))
            kinds = [kind async for kind, _, _, _ in client.frames()]
            assert kinds[-1] == GOAWAY
        async with raw(server) as client:
            client.writer.write(b"neither of both\r\n\r\n")
            assert await client.reader.read() == b""

    run(Limits(), body)


def test_a_connection_that_breaks_within_a_message_cancels_its_calls() -> None:
    async def body(face: Face, server: Server) -> None:
        async with raw(server) as client:
            client.writer.write(HELLO)
            client.call(1, "Hang")
            client.writer.write(frame(DATA, 0, 1, b"x")[:5])
            while server.connections != 1:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        while face.cancelled != ["hang"]:
            await asyncio.sleep(0.01)
        assert server.connections == 0

    run(Limits(), body)


def test_closing_waits_for_a_reply_that_the_client_has_not_let_out() -> None:
    async def body(face: Face, server: Server) -> None:
        async with raw(server) as client:
            client.writer.write(PREFACE + settings_frame([(Setting.INITIAL_WINDOW_SIZE, 2)]))
            client.call(1, "Echo", b"0123456789")
            found = b""
            closing = None
            async for kind, flags, _, payload in client.frames():
                if kind == DATA:
                    found += payload
                    if closing is None:
                        closing = asyncio.create_task(server.close(5_000))
                    client.writer.write(window_frame(1, 5))
                if kind == HEADERS and flags & END_STREAM:
                    found += b"!"
            assert found == framed(b"0123456789") + b"!"
            assert closing is not None
            await closing

    run(Limits(), body)


def test_who_calls_much_at_once_lets_others_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_connection, "TURN_MS", -1.0)  # every event is a turn
    count = 200

    async def body(face: Face, server: Server) -> None:
        other = await GrpcClient.connect(f"127.0.0.1:{server.ports[0]}")
        assert await other.unary("/test.T/Echo", b"hello") == b"hello"
        face.calls.clear()
        async with raw(server) as client:
            client.call_at_once(count)
            while not face.calls:
                await asyncio.sleep(0)
            assert len(face.calls) < count
            assert await other.unary("/test.T/Echo", b"now") == b"now"
            assert len(face.calls) < count, "it waited for all of them"
            ended = []
            async for kind, flags, number, _ in client.frames():
                if kind == HEADERS and flags & END_STREAM:
                    ended.append(number)
                    if len(ended) == count:
                        break
            assert ended == [2 * number + 1 for number in range(count)]
        await other.close()

    run(Limits(), body)


def test_what_is_left_of_a_turn_is_answered_before_the_server_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_connection, "TURN_MS", -1.0)
    count = 50

    async def body(face: Face, server: Server) -> None:
        async with raw(server) as client:
            client.call_at_once(count)
            while not face.calls:
                await asyncio.sleep(0)
            closing = asyncio.create_task(server.close(5_000))
            ended = [
                number
                async for kind, flags, number, _ in client.frames()
                if kind == HEADERS and flags & END_STREAM
            ]
            assert ended == [2 * number + 1 for number in range(count)]
            await closing

    run(Limits(), body)


def test_empty_messages_that_nobody_takes_hold_their_sender_back() -> None:
    """They weigh nothing in the queue but their places."""

    async def body(face: Face, server: Server) -> None:
        client = await GrpcClient.connect(f"127.0.0.1:{server.ports[0]}")
        try:
            stream = client.stream("/test.T/Idle")
            for _ in range(4):
                for _ in range(100_000):
                    stream.send(b"")
                assert await client.unary("/test.T/Echo", b"x") == b"x"
            (connection,) = server._shared.connections
            (call,) = connection._calls
            assert len(call._incoming._queue) < 300_000  # what the window lets in
            stream.cancel()
        finally:
            await client.close()

    run(Limits(), body)


@pytest.mark.parametrize("turn_ms", [http2_connection.TURN_MS, -1.0])
def test_nothing_is_left_of_connections_that_have_gone(
    turn_ms: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2_connection, "TURN_MS", turn_ms)  # below 0 what comes together is left for later

    async def body(face: Face, server: Server) -> None:
        for _ in range(3):
            async with raw(server) as client:
                client.call_at_once(20)
                await client.reader.readexactly(100)
                client.writer.transport.abort()
        while server.connections:
            await asyncio.sleep(0)
        for _ in range(3):  # what is due in the next turns is over
            await asyncio.sleep(0)
        face.calls.clear()
        gc.collect()
        there = [each for each in gc.get_objects() if isinstance(each, http2_connection.Http2Connection)]
        assert not [each for each in there if each.shared is server._shared]

    run(Limits(), body)
