"""An etcd face on a free port, in the loop of the test, and a client for it over our own wire."""

import asyncio
import contextlib
import socket

from cloudlet.coord.etcd.settings import EtcdSettings
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.grpc_client import GrpcClient
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.shell.etcd_face import EtcdFace
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.protobuf import decode, encode

PATHS = {path.rpartition("/")[2]: path for path in pb.METHODS}
DEADLINE_S = 60


def run(main):
    """Run a coroutine function to its end, within bounds; the loop must have nothing to complain of."""
    complaints = []

    async def bounded():
        asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
        async with asyncio.timeout(DEADLINE_S):
            await main()

    asyncio.run(bounded())
    assert complaints == []


class Client:
    """`await client.Put(key=b"k", value=b"v")`; any unary method by its name."""

    def __init__(self, wire):
        self.wire = wire

    @classmethod
    async def connect(cls, address):
        return cls(await GrpcClient.connect(address))

    def __getattr__(self, name):
        path = PATHS[name]
        method = pb.METHODS[path]

        async def call(request=None, **fields):
            message = getattr(pb, method.request)(**fields) if request is None else request
            return decode(getattr(pb, method.reply), await self.wire.unary(path, encode(message)))

        return call

    def stream(self, name):
        return Stream(self.wire, PATHS[name])

    async def watch(self, **fields):
        """A stream with one watcher, whose `created` was read."""
        stream = self.stream("Watch")
        await stream.create(**fields)
        created = await stream.receive()
        assert created.created, created
        return stream

    async def close(self):
        await self.wire.close()


class Stream:
    """Messages of one streaming call."""

    def __init__(self, wire, path):
        method = pb.METHODS[path]
        self.request, self.reply = getattr(pb, method.request), getattr(pb, method.reply)
        self.raw = wire.stream(path)

    def send(self, **fields):
        self.raw.send(encode(self.request(**fields)))

    async def create(self, **fields):
        self.send(create_request=pb.WatchCreateRequest(**fields))

    async def receive(self):
        """The next message; None at the end."""
        raw = await self.raw.receive()
        return None if raw is None else decode(self.reply, raw)

    async def events(self, count):
        """The next `count` events of the one watcher."""
        found = []
        while len(found) < count:
            found += (await self.receive()).events
        assert len(found) == count
        return found

    async def nothing(self):
        """Whether nothing is on its way: a round trip on the same connection brings all that was sent."""
        return not self.raw._queue

    def end(self):
        self.raw.end()

    def cancel(self):
        self.raw.cancel()


class Running:
    """`face`, `keys`, `clock`, `client`."""

    def move_clock(self, by_ms):
        """As `cloudlet clock advance`."""
        step = self.clock.step
        self.clock.move(type(step)(self.clock.wall_ms(), self.clock.cloud_ms() + by_ms, step.is_frozen))
        self.face.clock_moved()

    async def open(self, folder, options):
        self.clock = SystemClock()
        if folder is None:
            self.keys = MemoryKeys(self.clock.monotonic_ms)
        else:
            self.keys = await DiskKeys.open(folder, self.clock.monotonic_ms)
        self.face = EtcdFace(self.keys, self.clock, Ids(), EtcdSettings(**options))
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        await self.face.start([listener], self.address)
        self.client = await Client.connect(self.address)
        return self

    async def close(self):
        await self.client.close()
        await self.face.close()
        await self.keys.close()


@contextlib.asynccontextmanager
async def running(folder=None, **options):
    """A face over memory, or over a folder; `options` are EtcdSettings."""
    served = await Running().open(folder, options)
    try:
        yield served
    finally:
        await served.close()
