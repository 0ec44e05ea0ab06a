"""A listener of plain and TLS connections where the system gives it none."""

import asyncio
import errno
import socket

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
