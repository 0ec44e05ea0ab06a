"""One client that asks much at once, beside one that asks little."""

import asyncio
import contextlib
import itertools
import socket
import struct

import uvloop
from tests.coord.zookeeper.raw import ANYONE

from cloudlet.coord.zookeeper import requests
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.ids import Ids
from cloudlet.shell import zookeeper_connection
from cloudlet.shell.zookeeper_face import ZooKeeperFace
from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import (
    ConnectRequest,
    CreateRequest,
    OpCode,
    PathWatchRequest,
    ReplyHeader,
    RequestHeader,
    SetDataRequest,
    SetWatches,
)

COUNT = 200


def framed(body):
    return struct.pack(">i", len(body)) + body


def request(xid, kind, record):
    return framed(codec(RequestHeader).encode(RequestHeader(xid, kind)) + codec(type(record)).encode(record))


class Client:
    @classmethod
    async def connect(cls, port):
        client = cls()
        client.reader, client.writer = await asyncio.open_connection("127.0.0.1", port)
        client.writer.write(
            framed(codec(ConnectRequest).encode(ConnectRequest(0, 0, 30_000, 0, bytes(16))) + b"\0")
        )
        await client.frame()
        return client

    async def frame(self):
        (size,) = struct.unpack(">i", await self.reader.readexactly(4))
        return await self.reader.readexactly(size)

    async def reply(self):
        header, _ = codec(ReplyHeader).decode(await self.frame(), 0)
        return header.xid, header.err


@contextlib.asynccontextmanager
async def served(*, wants_face=False):
    clock = ManualClock()
    keys = MemoryKeys(clock.monotonic_ms)
    face = ZooKeeperFace(keys, clock, Ids())
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    await face.start([listener], f"127.0.0.1:{port}")
    clients = [await Client.connect(port) for _ in range(2)]
    try:
        yield face if wants_face else keys, *clients
    finally:
        for client in clients:
            client.writer.close()
            with contextlib.suppress(ConnectionError):
                await client.writer.wait_closed()
        await face.close()
        await keys.close()


def test_others_have_their_turn(monkeypatch):
    monkeypatch.setattr(zookeeper_connection, "TURN_MS", -1.0)  # every request is a turn

    async def body():
        async with asyncio.timeout(30), served() as (keys, much, little):
            little.writer.write(request(1, OpCode.create, CreateRequest("/a", b"", ANYONE, 0)))
            assert await little.reply() == (1, 0)
            begun = keys.head
            set_data = [request(xid, OpCode.setData, SetDataRequest("/a", b"v", -1)) for xid in range(COUNT)]
            much.writer.write(b"".join(set_data))
            while keys.head == begun:
                await asyncio.sleep(0)
            assert keys.head < begun + COUNT
            little.writer.write(request(2, OpCode.getData, PathWatchRequest("/a", False)))
            assert await little.reply() == (2, 0)
            assert keys.head < begun + COUNT, "it waited for all of them"
            assert [await much.reply() for _ in range(COUNT)] == [(xid, 0) for xid in range(COUNT)]

    asyncio.run(body())


def test_a_client_has_one_turn_in_each_of_the_loops(monkeypatch):
    """Reads are sent at once, and to have sent them is a second reason to read on."""
    monkeypatch.setattr(zookeeper_connection, "TURN_MS", -1.0)

    async def body():
        async with asyncio.timeout(30), served(wants_face=True) as (face, much, _):
            statistics = face.keeper.statistics
            begun = statistics.received
            exists = [request(xid, OpCode.exists, PathWatchRequest("/", False)) for xid in range(COUNT)]
            much.writer.write(b"".join(exists))
            seen = [begun]
            while seen[-1] < begun + COUNT:
                await asyncio.sleep(0)
                seen.append(statistics.received)
            assert max(then - before for before, then in itertools.pairwise(seen)) == 1
            assert [await much.reply() for _ in range(COUNT)] == [(xid, 0) for xid in range(COUNT)]

    asyncio.run(body())


def test_a_client_that_goes_amid_its_turns_harms_nobody(monkeypatch):
    monkeypatch.setattr(zookeeper_connection, "TURN_MS", -1.0)

    async def body():
        async with asyncio.timeout(30), served() as (keys, much, little):
            begun = keys.head
            create = [
                request(xid, OpCode.create, CreateRequest(f"/{xid}", b"", ANYONE, 0)) for xid in range(COUNT)
            ]
            much.writer.write(b"".join(create))
            while keys.head == begun:
                await asyncio.sleep(0)
            much.writer.transport.abort()
            little.writer.write(request(2, OpCode.exists, PathWatchRequest("/0", False)))
            assert await little.reply() == (2, 0)

    asyncio.run(body())


def test_who_does_not_read_is_not_read():
    large = bytes(500_000)

    async def body():
        async with asyncio.timeout(30), served(wants_face=True) as (face, much, little):
            much.writer.write(request(0, OpCode.create, CreateRequest("/a", large, ANYONE, 0)))
            assert await much.reply() == (0, 0)
            much.writer.transport.pause_reading()
            asked = [request(xid, OpCode.getData, PathWatchRequest("/a", False)) for xid in range(COUNT)]
            much.writer.write(b"".join(asked))
            owed = []
            for _ in range(20):
                little.writer.write(request(1, OpCode.exists, PathWatchRequest("/a", False)))
                assert await little.reply() == (1, 0)
                owed.append(
                    max(each._transport.get_write_buffer_size() for each in face._connections.values())
                )
            assert (
                zookeeper_connection.WRITE_HIGH_BYTES <= max(owed) < zookeeper_connection.WRITE_HIGH_BYTES * 2
            )
            much.writer.transport.resume_reading()
            assert [await much.reply() for _ in range(COUNT)] == [(xid, 0) for xid in range(COUNT)]

    asyncio.run(body())


def test_a_failure_in_a_later_turn_ends_no_other_s(monkeypatch, caplog):
    monkeypatch.setattr(requests, "PATHS_MAX", 2)

    def failing():
        yield
        raise ZeroDivisionError

    async def body():
        async with asyncio.timeout(30), served(wants_face=True) as (face, client, _):
            face.keeper.long_replies.work(failing())
            for xid in range(2):  # the second when nothing else was left
                client.writer.write(
                    request(xid, OpCode.setWatches, SetWatches(face.keeper.keys.head, ["/"] * 5, [], []))
                )
                assert await client.reply() == (xid, 0)

    asyncio.run(body())
    assert "ZeroDivisionError" in caplog.text


def test_a_delayed_reply_to_who_has_gone_is_let_go():
    """uvloop's transports refuse to be written to once they are closed."""
    complaints = []

    async def body():
        asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
        async with asyncio.timeout(30), served(wants_face=True) as (face, gone, kept):
            faults, statistics = face.keeper.faults, face.keeper.statistics
            faults.delay_ms = 50
            gone.writer.write(request(1, OpCode.exists, PathWatchRequest("/", False)))
            while not statistics.received:
                await asyncio.sleep(0)
            gone.writer.transport.abort()
            while len(face.keeper.clients) > 1:
                await asyncio.sleep(0)
            kept.writer.write(request(2, OpCode.exists, PathWatchRequest("/", False)))
            assert await kept.reply() == (2, 0)  # delayed behind the other

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(body())
    assert complaints == []
