"""The gRPC client against our own server and against Google's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from concurrent import futures

import grpc
import pytest
from tests.shell.grpc_face import served

from cloudlet.engines.grpc_client import ConnectionLost, GrpcClient
from cloudlet.shell.http2_server import Limits
from cloudlet.wire.grpc import Code, GrpcStatus
from cloudlet.wire.http2_streams import Http2Limits

Script = Callable[[GrpcClient], Awaitable[None]]


class Foreign(grpc.GenericRpcHandler):
    """The same methods on Google's server."""

    def service(self, details):
        name = details.method.rpartition("/")[2]
        make = grpc.unary_unary_rpc_method_handler
        if name == "Echo":
            return make(lambda message, _: message)
        if name == "Refuse":
            return make(lambda message, context: context.abort(grpc.StatusCode.NOT_FOUND, message.decode()))
        if name == "Count":
            return grpc.unary_stream_rpc_method_handler(
                lambda message, _: (b"%d" % number for number in range(int(message)))
            )
        if name == "Chat":
            return grpc.stream_stream_rpc_method_handler(lambda messages, _: messages)
        return None


@contextlib.asynccontextmanager
async def foreign():
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([Foreign()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        await asyncio.to_thread(server.stop(None).wait)


@contextlib.asynccontextmanager
async def own():
    async with served() as (_, server):
        yield server.ports[0]


@pytest.fixture(params=["own", "foreign"])
def run(request):
    """Runs a script with a client of each server."""
    peer = {"own": own, "foreign": foreign}[request.param]

    async def whole(script: Script) -> None:
        async with peer() as port:
            client = await GrpcClient.connect(f"127.0.0.1:{port}")
            try:
                await script(client)
            finally:
                await client.close()

    return lambda script: asyncio.run(whole(script))


def test_unary_calls_of_any_size(run):
    async def script(client):
        for message in (b"", b"x", bytes(70_000), bytes(1 << 20)):
            assert await client.unary("/test.T/Echo", message) == message

    run(script)


def test_many_calls_at_once(run):
    async def script(client):
        calls = [client.unary("/test.T/Echo", b"%d" % number) for number in range(300)]
        assert await asyncio.gather(*calls) == [b"%d" % number for number in range(300)]

    run(script)


def test_a_status_is_raised(run):
    async def script(client):
        with pytest.raises(GrpcStatus) as caught:
            await client.unary("/test.T/Refuse", "ä%".encode())
        assert (caught.value.code, caught.value.message) == (Code.NOT_FOUND, "ä%")
        with pytest.raises(GrpcStatus) as caught:
            await client.unary("/test.T/Nothing", b"")
        assert caught.value.code is Code.UNIMPLEMENTED

    run(script)


def test_streams(run):
    async def script(client):
        stream = client.stream("/test.T/Count")
        stream.send(b"4", ends=True)
        assert [await stream.receive() for _ in range(6)] == [b"0", b"1", b"2", b"3", None, None]
        chat = client.stream("/test.T/Chat")
        for message in (b"a", bytes(3 << 20), b"b"):
            chat.send(message)
            assert await asyncio.wait_for(chat.receive(), 10) == message
        chat.end()
        assert await chat.receive() is None

    run(script)


def test_a_deadline_ends_a_call():
    async def whole():
        async with own() as port:
            client = await GrpcClient.connect(f"127.0.0.1:{port}")
            with pytest.raises(GrpcStatus) as caught:
                await client.unary("/test.T/Hang", b"", timeout_ms=30)
            assert caught.value.code is Code.DEADLINE_EXCEEDED
            assert await client.unary("/test.T/Echo", b"x") == b"x"
            await client.close()

    asyncio.run(whole())


def test_a_broken_connection_is_told_to_every_call():
    async def whole():
        async with served() as (_, server):
            client = await GrpcClient.connect(f"127.0.0.1:{server.ports[0]}")
            calls = [asyncio.ensure_future(client.unary("/test.T/Hang", b"")) for _ in range(3)]
            stream = client.stream("/test.T/Idle")
            await client.unary("/test.T/Echo", b"x")
            await server.silence()
            for call in calls:
                with pytest.raises(ConnectionLost):
                    await call
            with pytest.raises(ConnectionLost):
                await stream.receive()
            with pytest.raises(ConnectionLost):
                await client.unary("/test.T/Echo", b"x")
            assert client.is_lost

    asyncio.run(whole())


def test_nobody_listening_is_told():
    async def whole():
        with pytest.raises(ConnectionLost):
            await GrpcClient.connect("127.0.0.1:1")
        with pytest.raises(ConnectionLost):
            await GrpcClient.connect("unix:/nowhere")

    asyncio.run(whole())


def test_a_reader_that_takes_nothing_holds_the_server_back():
    async def whole():
        async with served() as (face, server):
            client = await GrpcClient.connect(f"127.0.0.1:{server.ports[0]}")
            stream = client.stream("/test.T/Pour")
            stream.send(b"", ends=True)
            before = -1
            while before != face.sent or not before:
                before = face.sent
                await asyncio.sleep(0.05)
            assert face.sent * 100_000 < 8 << 20
            for _ in range(before + 20):
                assert await stream.receive() == bytes(100_000)
            stream.cancel()
            await client.close()

    asyncio.run(whole())


def test_more_calls_than_the_server_takes_at_once_wait_their_turn():
    async def whole():
        async with served(Limits(http2=Http2Limits(streams_max=4))) as (_, server):
            client = await GrpcClient.connect(f"127.0.0.1:{server.ports[0]}")
            await client.unary("/test.T/Echo", b"x")  # its settings have come
            calls = [client.unary("/test.T/Later", b"%d" % number) for number in range(40)]
            assert await asyncio.gather(*calls) == [b"%d" % number for number in range(40)]
            await client.close()

    asyncio.run(whole())
