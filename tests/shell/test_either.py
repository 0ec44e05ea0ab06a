"""A listener of plain and TLS connections where the system gives it none."""

import asyncio
import errno
import socket
import ssl

import uvloop

from cloudlet.shell import either
from cloudlet.shell.either import EitherListener


class Poor(socket.socket):
    """A listener in a process without files left, for a while."""

    tries = 0
    is_poor = True

    def accept(self):
        self.tries += 1
        if self.is_poor:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


def test_a_listener_rests_while_nothing_can_be_accepted_and_goes_on_then(monkeypatch):
    async def main():
        monkeypatch.setattr(either, "REST_S", 3600.0)
        listener = Poor()
        listener.bind(("127.0.0.1", 0))
        server = EitherListener(Echo, [listener], lambda: None)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        while not listener.tries:
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert listener.tries == 1
        listener.is_poor = False
        server._listen(listener)
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), 10) == b"hello"
        writer.close()
        await writer.wait_closed()
        await server.close()

    asyncio.run(main())


def test_a_connection_made_while_the_listener_closes_is_a_whole_one():
    """Its task was cancelled, and uvloop then closed the descriptor under a protocol that was not told."""

    class Serving(Echo):
        def connection_made(self, transport):
            super().connection_made(transport)
            self.closing = asyncio.get_running_loop().create_task(server.close())
            served.append(self)

        def connection_lost(self, exc):
            lost.append(exc)

    served, lost = [], []

    async def main():
        nonlocal server
        listener = socket.create_server(("127.0.0.1", 0))
        server = EitherListener(Serving, [listener], lambda: None)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), 10) == b"hello"
        await served[0].closing
        served[0].transport.write(b"more")
        assert await asyncio.wait_for(reader.readexactly(4), 10) == b"more"
        served[0].transport.close()
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        assert lost == [None]

    server = None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_a_handshake_that_goes_on_ends_with_the_listener():
    async def main():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        listener = socket.create_server(("127.0.0.1", 0))
        server = EitherListener(Echo, [listener], context)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(either.HANDSHAKE)
        while not server._making:
            await asyncio.sleep(0)
        await asyncio.wait_for(server.close(), 5)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
