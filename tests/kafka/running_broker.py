"""A broker inside the test process: the real face on a free port, on a loop in a thread of its own.

with running_broker(tmp_path) as broker:
    producer = confluent_kafka.Producer(broker.client())
"""

import asyncio
import contextlib
import socket
import threading

import uvloop

from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.shell.kafka_face import KafkaFace
from cloudlet.shell.stores import open_stores

SECONDS = 30


class RunningBroker:
    """`address` is HOST:PORT; `face` and `clock` may be looked at through `call`."""

    def __init__(self, folder, clock, properties, security=None):
        self.security = security
        self.folder = folder
        self.clock = clock or SystemClock()
        self.properties = properties
        self.port = 0
        self.face = None
        self.loop = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def broker(self):
        return self.face.broker

    def client(self, **settings):
        """The configuration of a librdkafka client; `_` in a name stands for `.`."""
        return {"bootstrap.servers": self.address, **{k.replace("_", "."): v for k, v in settings.items()}}

    def start(self):
        self._ready = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._thread.start()
        assert self._ready.wait(SECONDS)
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self):
        self.loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure

    def restart(self):
        """Stop, and start again on the same port and folder."""
        self.stop()
        self.start()

    def call(self, function):
        """Run a plain or an async function on the broker's loop and return what it returns."""

        async def run():
            result = function()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(SECONDS)

    def _run(self):
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - told to the thread that waits
            self._failure = failure
        finally:
            self._ready.set()

    async def _serve(self):
        self.loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        stores = await open_stores(self.folder, self.clock, Ids(), is_ephemeral=True)
        self.face = KafkaFace(
            stores.keys, stores.logs, self.clock, Ids(), properties=self.properties, security=self.security
        )
        await self.face.start([listener], self.address)
        self._ready.set()
        await self._stopping.wait()
        await self.face.close()
        await stores.close()


@contextlib.contextmanager
def running_broker(folder, *, clock=None, security=None, **properties):
    """A broker that stops with the block; `properties` are Kafka's, with `_` for `.`."""
    given = {name.replace("_", "."): str(value) for name, value in properties.items()}
    broker = RunningBroker(folder, clock, given, security).start()
    try:
        yield broker
    finally:
        broker.stop()
