"""A face for the HTTP server's tests, and a bare client that speaks in bytes."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path

from cloudlet.wire.http1 import BodyStream, BrokenBody, Buffer, FileBody, Head, Request, Response, Stream


class Face:
    """One path per behaviour; what happened is kept for the test to look at."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.gate = asyncio.Event()
        self.waiting = asyncio.Event()
        self.gone = asyncio.Event()
        self.file: Path | None = None
        self.closed: list[int] = []
        self.pieces = 0
        self.message = b""

    def admit(self, head: Head, peer: str) -> Response | Buffer | Stream:
        self.seen.append(f"admit {head.method} {head.path.decode()}")
        if head.path.startswith(b"/refuse"):
            return Response(403, [], b"refused")
        if head.path.startswith(b"/buffer/"):
            return Buffer(int(head.path[8:]))
        if head.path == b"/admit-boom":
            raise ValueError("admit")
        carries = {
            b"/digest": self.digest,
            b"/held": self.held,
            b"/ignored": self.ignored,
            b"/first": self.first,
            b"/held-first": self.held_first,
            b"/carry-boom": self.carry_boom,
        }
        carry = carries.get(head.path)
        return Buffer(1 << 30) if carry is None else Stream(carry)

    async def digest(self, body: BodyStream) -> Response:
        """Hash the body."""
        digest = hashlib.sha256()
        size = 0
        try:
            async for piece in body:
                digest.update(piece)
                size += len(piece)
                self.pieces += 1
        except BrokenBody:
            self.seen.append("broken")
            self.gone.set()
            raise
        fields = ",".join(f"{k.decode()}={v.decode()}" for k, v in body.trailers.items())
        return Response(200, [], f"{size} {digest.hexdigest()} {fields}".encode())

    async def held(self, body: BodyStream) -> Response:
        """Take nothing of the body before the gate opens."""
        self.waiting.set()
        await self.gate.wait()
        return await self.digest(body)

    async def held_first(self, body: BodyStream) -> Response:
        """Take the whole body, then wait."""
        async for _ in body:
            pass
        return await self.wait()

    async def ignored(self, body: BodyStream) -> Response:
        """Never look at the body."""
        await asyncio.sleep(0)
        return Response(200, [], b"ignored")

    async def first(self, body: BodyStream) -> Response:
        """Look at the first piece only."""
        async for piece in body:
            return Response(200, [], b"%d" % min(1, len(piece)))
        return Response(200, [], b"none")

    async def carry_boom(self, body: BodyStream) -> Response:
        raise ValueError("carry")

    def respond(self, request: Request) -> Response | Coroutine[object, object, Response]:
        path = request.head.path
        self.seen.append(f"{request.head.method} {path.decode('latin-1')}")
        if path == b"/echo" or path.startswith(b"/buffer/"):
            return Response(200, [(b"content-type", b"text/plain")], request.body)
        if path == b"/task":
            return self.task(request)
        if path == b"/wait":
            return self.wait()
        if path == b"/boom":
            raise ValueError("boom")
        if path == b"/boom-task":
            return self.boom()
        if path == b"/inject":
            return Response(200, [(b"x", b"a\r\nset-cookie: b")], b"")
        if path == b"/peer":
            return Response(200, [], f"{request.peer} {request.secure}".encode())
        if path.startswith(b"/status/"):
            return Response(int(path[8:]), [], b"")
        if path == b"/length":
            return Response(200, [], b"", 1234)
        if path == b"/file":
            return self.open_file(request.head.query)
        if path == b"/iterate":
            return Response(200, [], self.iterate(request.head.query))
        if path == b"/iterate-length":
            wanted = int(request.head.query)
            return Response(200, [], self.iterate(b"10"), wanted)
        if path == b"/endless":
            return Response(200, [], self.endless())
        if path == b"/quiet":
            return Response(200, [], self.quiet())
        if path == b"/large":
            return Response(200, [], b"x" * int(request.head.query))
        return Response(200, [(b"content-type", b"text/plain")], b"hello " + path)

    async def task(self, request: Request) -> Response:
        await asyncio.sleep(0)
        return Response(200, [], b"task " + request.body)

    async def wait(self) -> Response:
        """The long poll: takes the message only if it is still wanted."""
        self.waiting.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            self.gone.set()
            raise
        self.seen.append("took")
        return Response(200, [], b"message")

    async def boom(self) -> Response:
        await asyncio.sleep(0)
        raise ValueError("boom")

    def open_file(self, query: bytes) -> Response:
        assert self.file is not None
        start, stop = (int(part) for part in query.split(b"-"))
        fileno = os.open(self.file, os.O_RDONLY)

        def close() -> None:
            os.close(fileno)
            self.closed.append(fileno)
            self.gone.set()

        return Response(200, [], FileBody(fileno, start, stop, close))

    async def iterate(self, query: bytes) -> AsyncIterator[bytes]:
        for number in range(int(query)):
            yield b"" if number == 3 else b"%d" % number
            await asyncio.sleep(0)

    async def endless(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.pieces += 1
                yield b"x" * 100_000
        finally:
            self.gone.set()

    async def quiet(self) -> AsyncIterator[bytes]:
        try:
            yield b"first"
            self.waiting.set()
            await self.gate.wait()
        finally:
            self.gone.set()


class Client:
    """A connection that sends bytes and reads replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        """The next head; EOFError at the end of the stream."""
        try:
            raw = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise EOFError(error.partial) from None
        first, *lines = raw.decode("latin-1")[:-4].split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        return int(first.split(" ")[1]), fields

    async def reply(self, *, empty: bool = False) -> tuple[int, dict[str, str], bytes]:
        """The next reply with its body; `empty` for a reply to HEAD."""
        status, fields = await self.head()
        if empty or status in (204, 304) or status < 200:
            return status, fields, b""
        if fields.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
            return status, fields, body
        if "content-length" in fields:
            return status, fields, await self.reader.readexactly(int(fields["content-length"]))
        return status, fields, await self.reader.read()

    async def ended(self) -> bytes:
        """What comes until the server closes."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionError, OSError):
            pass

    def abort(self) -> None:
        self.writer.transport.abort()
