"""A face of gRPC to test the server with: every kind of method, and one page."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from cloudlet.shell.http2_server import Limits, Server, serve
from cloudlet.wire.grpc import DEFERRED, Call, Code, GrpcStatus, bidi, server_stream, unary
from cloudlet.wire.http1 import Buffer, Head, Request, Response


class Face:
    """What its methods have seen, for the tests to look at."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.cancelled: list[str] = []
        self.sent = 0
        self.release = asyncio.Event()
        table = [
            unary("/test.T/Echo", self.echo, 1 << 21),
            unary("/test.T/Later", self.later),
            unary("/test.T/Soon", self.soon),
            unary("/test.T/Defer", self.defer),
            unary("/test.T/Hang", self.hang),
            unary("/test.T/Refuse", self.refuse),
            unary("/test.T/Bug", self.bug),
            server_stream("/test.T/Count", self.count),
            server_stream("/test.T/Pour", self.pour),
            bidi("/test.T/Chat", self.chat),
            bidi("/test.T/Idle", self.idle),
        ]
        self.methods = {method.path: method for method in table}

    def echo(self, call: Call, message: bytes) -> bytes:
        self.calls.append(call)
        return message

    async def later(self, call: Call, message: bytes) -> bytes:
        await asyncio.sleep(0)
        return message

    async def soon(self, call: Call, message: bytes) -> bytes:
        return message

    def defer(self, call: Call, message: bytes) -> object:
        asyncio.get_running_loop().call_soon(call.finish, message)
        return DEFERRED

    async def hang(self, call: Call, message: bytes) -> bytes:
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.append("hang")
            raise
        return message

    def refuse(self, call: Call, message: bytes) -> bytes:
        raise GrpcStatus(Code.NOT_FOUND, message.decode())

    def bug(self, call: Call, message: bytes) -> bytes:
        raise ZeroDivisionError

    async def count(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        async for message in incoming:
            for number in range(int(message)):
                await call.send(b"%d" % number)
        if message == b"3":
            raise GrpcStatus(Code.ABORTED, "three")

    async def pour(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        """Sends for ever, as fast as the client takes it."""
        try:
            while True:
                await call.send(bytes(100_000))
                self.sent += 1
        finally:
            self.cancelled.append("pour")

    async def chat(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        async for message in incoming:
            call.send_nowait(message)

    async def idle(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        """Takes nothing until it is released."""
        call.send_header()
        await self.release.wait()
        total = 0
        async for message in incoming:
            total += len(message)
        await call.send(b"%d" % total)

    # pages

    def admit(self, head: Head, peer: str) -> Buffer:
        return Buffer(1 << 20)

    def respond(self, request: Request) -> Response:
        if request.head.path == b"/stream":
            return Response(200, [], pieces())
        text = b"%b %b %d\n" % (request.head.method.encode(), request.head.path, len(request.body))
        return Response(200, [(b"content-type", b"text/plain")], text)


async def pieces() -> AsyncIterator[bytes]:
    for number in range(3):
        await asyncio.sleep(0)
        yield b"%d\n" % number


@contextlib.asynccontextmanager
async def served(limits: Limits | None = None, tls: object = None) -> AsyncIterator[tuple[Face, Server]]:
    """The face on a free port of the loopback."""
    face = Face()
    listener = socket.create_server(("127.0.0.1", 0))
    server = await serve(
        face.methods,
        app=face,
        sockets=[listener],
        limits=limits or Limits(),
        tls=tls,  # type: ignore[arg-type]
    )
    try:
        yield face, server
    finally:
        face.release.set()
        await server.close(500)
