"""The gRPC server with Google's own client, and with curl."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from tests.shell.grpc_face import Face, served

from cloudlet.shell.http2_server import Limits, Server


def run(script: Callable[[Client], None], limits: Limits | None = None) -> Face:
    """Run a blocking script in a thread, beside the server."""

    async def whole() -> Face:
        async with served(limits) as (face, server):
            loop = asyncio.get_running_loop()
            await asyncio.to_thread(with_client, script, face, server, loop)
        return face

    return asyncio.run(whole())


def with_client(script: Callable[[Client], None], face: Face, server: Server, loop: Any) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{server.ports[0]}") as channel:
        script(Client(channel, face, server, loop))


class Client:
    def __init__(self, channel: grpc.Channel, face: Face, server: Server, loop: Any) -> None:
        self.channel = channel
        self.face = face
        self.server = server
        self.port = server.ports[0]
        self.loop = loop

    def unary(self, name: str, message: bytes = b"", **more: Any) -> bytes:
        return self.channel.unary_unary(f"/test.T/{name}")(message, timeout=more.pop("timeout", 10), **more)

    def stream(self, name: str, message: bytes = b"", **more: Any) -> Any:
        return self.channel.unary_stream(f"/test.T/{name}")(message, timeout=10, **more)

    def chat(self, name: str, messages: Any) -> Any:
        return self.channel.stream_stream(f"/test.T/{name}")(messages, timeout=10)

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.005)

    @contextlib.contextmanager
    def fails(self, code: grpc.StatusCode, details: str | None = None) -> Any:
        with pytest.raises(grpc.RpcError) as caught:
            yield
        assert caught.value.code() == code  # type: ignore[attr-defined]
        if details is not None:
            assert caught.value.details() == details  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["Echo", "Later", "Soon", "Defer"])
def test_a_unary_call_is_answered_at_once_or_later(name: str) -> None:
    def script(client: Client) -> None:
        for message in (b"", b"hello", bytes(70_000), bytes(1 << 20)):
            assert client.unary(name, message) == message

    run(script)


def test_a_handler_refuses_with_a_status_and_any_text() -> None:
    def script(client: Client) -> None:
        with client.fails(grpc.StatusCode.NOT_FOUND, "100 % é\n"):
            client.unary("Refuse", "100 % é\n".encode())
        with client.fails(grpc.StatusCode.UNIMPLEMENTED, "unknown service or method /test.T/Other"):
            client.unary("Other")
        assert client.unary("Echo", b"still there") == b"still there"

    run(script)


def test_a_bug_is_told_from_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    def script(client: Client) -> None:
        with client.fails(grpc.StatusCode.INTERNAL):
            client.unary("Bug")
        assert client.unary("Echo", b"x") == b"x"

    run(script)
    assert "ZeroDivisionError" in caplog.text


def test_a_message_over_the_limit_is_refused_and_harms_no_other() -> None:
    def script(client: Client) -> None:
        with client.fails(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "grpc: received message larger than max (2097153 vs. 2097152)",
        ):
            client.unary("Echo", bytes((1 << 21) + 1))
        assert client.unary("Echo", bytes(1 << 21)) == bytes(1 << 21)

    run(script)


def test_the_handler_sees_who_calls() -> None:
    def script(client: Client) -> None:
        client.unary("Echo", b"x", metadata=[("token", "a"), ("token", "b"), ("raw-bin", b"\x00\xff")])

    call = run(script).calls[0]
    assert call.metadata["token"] == "a,b"
    assert call.metadata["raw-bin"].rstrip("=") == "AP8"
    assert call.metadata["user-agent"].startswith("grpc-python/")
    assert call.authority.startswith("127.0.0.1:")
    assert call.peer.startswith("127.0.0.1:")
    assert call.peer != call.authority
    assert call.deadline_ms is not None


def test_a_deadline_cancels_the_handler() -> None:
    def script(client: Client) -> None:
        with client.fails(grpc.StatusCode.DEADLINE_EXCEEDED):
            client.unary("Hang", timeout=0.05)
        client.until(lambda: client.face.cancelled == ["hang"])

    run(script)


def test_a_client_that_cancels_or_goes_away_cancels_the_handler() -> None:
    def script(client: Client) -> None:
        future = client.channel.unary_unary("/test.T/Hang").future(b"")
        client.until(lambda: ("/test.T/Echo", 0) in client.server.handled or bool(client.unary("Echo", b"x")))
        future.cancel()
        client.until(lambda: client.face.cancelled == ["hang"])
        stream = client.stream("Pour")
        next(stream)
        client.channel.close()
        client.until(lambda: client.face.cancelled == ["hang", "pour"])

    run(script)


def test_streams_of_either_side() -> None:
    def script(client: Client) -> None:
        assert list(client.stream("Count", b"4")) == [b"0", b"1", b"2", b"3"]
        found = []
        with client.fails(grpc.StatusCode.ABORTED, "three"):
            found.extend(client.stream("Count", b"3"))
        messages = [b"a", b"", bytes(300_000), b"b"]
        assert list(client.chat("Chat", iter(messages))) == messages

    run(script)


def test_a_client_that_does_not_read_holds_the_handler_back() -> None:
    def script(client: Client) -> None:
        stream = client.stream("Pour")
        next(stream)
        before = -1
        while before != client.face.sent:  # until it stands still
            before = client.face.sent
            time.sleep(0.1)
        assert client.face.sent < 400  # of 100 kB: the windows of the client and what waits with us
        for _ in range(before + 100):
            assert len(next(stream)) == 100_000
        assert client.unary("Echo", b"x") == b"x"
        stream.cancel()

    run(script)


def test_a_handler_that_does_not_read_holds_the_client_back() -> None:
    def script(client: Client) -> None:
        sent = []

        def messages() -> Any:
            for _ in range(400):
                sent.append(0)
                yield bytes(100_000)

        stream = client.chat("Idle", messages())
        before = -1
        while before != len(sent) or not before:
            before = len(sent)
            time.sleep(0.1)
        assert len(sent) < 300
        client.loop.call_soon_threadsafe(client.face.release.set)
        assert list(stream) == [b"40000000"]

    run(script)


def test_a_compressed_request_is_read() -> None:
    def script(client: Client) -> None:
        assert client.unary("Echo", bytes(1 << 20), compression=grpc.Compression.Gzip) == bytes(1 << 20)
        with client.fails(grpc.StatusCode.RESOURCE_EXHAUSTED):
            client.unary("Echo", bytes((1 << 21) + 1), compression=grpc.Compression.Gzip)
        with client.fails(grpc.StatusCode.UNIMPLEMENTED):
            client.unary("Echo", bytes(100_000), compression=grpc.Compression.Deflate)

    run(script)


def test_many_calls_at_once() -> None:
    def script(client: Client) -> None:
        call = client.channel.unary_unary("/test.T/Later")
        futures = [call.future(b"%d" % number) for number in range(500)]
        assert [future.result() for future in futures] == [b"%d" % number for number in range(500)]

    run(script)


def test_silence_breaks_connections_and_lets_new_ones_wait() -> None:
    def script(client: Client) -> None:
        assert client.unary("Echo", b"x") == b"x"
        asyncio.run_coroutine_threadsafe(client.server.silence(), client.loop).result()
        assert client.server.connections == 0
        while True:
            future = client.channel.unary_unary("/test.T/Echo").future(b"y", wait_for_ready=True)
            client.until(lambda sent=future: client.server.connections == 1 or sent.done())
            if not future.done():
                break
            # it was sent on the old connection, whose end the client had not read yet
            assert future.code() is grpc.StatusCode.UNAVAILABLE
        client.loop.call_soon_threadsafe(client.server.release)
        assert future.result() == b"y"

    run(script)


def test_closing_answers_the_unary_calls_at_hand_and_ends_the_streams() -> None:
    def script(client: Client) -> None:
        chat = client.chat("Idle", iter(()))
        chat.initial_metadata()
        hang = client.channel.unary_unary("/test.T/Hang").future(b"last")
        assert client.unary("Echo", b"x") == b"x"
        closing = asyncio.run_coroutine_threadsafe(client.server.close(), client.loop)
        with client.fails(grpc.StatusCode.UNAVAILABLE):
            list(chat)
        client.loop.call_soon_threadsafe(client.face.release.set)
        assert hang.result() == b"last"
        closing.result()

    run(script)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["/page"], "GET /page 0\n"),
        (["/page?x=1", "--http2-prior-knowledge"], "GET /page 0\n"),
        (["/page", "-d", "abc"], "POST /page 3\n"),
        (["/page", "-d", "abc", "--http2-prior-knowledge"], "POST /page 3\n"),
        (["/stream", "--http2-prior-knowledge"], "0\n1\n2\n"),
    ],
)
def test_pages_over_both_protocols(arguments: list[str], expected: str) -> None:
    def script(client: Client) -> None:
        path, *options = arguments
        url = f"http://127.0.0.1:{client.port}{path}"
        found = subprocess.run(["curl", "-sS", *options, url], capture_output=True, text=True, check=True)
        assert found.stdout == expected

    run(script)
