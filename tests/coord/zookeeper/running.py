"""A ZooKeeper face on a free port, on a thread of the test process."""

import asyncio
import contextlib
import socket
import threading

from cloudlet.coord.zookeeper.settings import KeeperSettings
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.shell.zookeeper_face import ZooKeeperFace


class RunningFace:
    """`address` is what clients connect to; `call` runs a function on the loop."""

    def __init__(self, folder, options):
        self.folder = folder
        self.options = options
        self.clock = SystemClock()
        self.failure = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="zookeeper", daemon=True)

    def start(self):
        self._thread.start()
        assert self._ready.wait(30)
        if self.failure is not None:
            raise self.failure
        return self

    def stop(self):
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(30)
        assert not self._thread.is_alive()
        if self.failure is not None:
            raise self.failure

    def call(self, function, *words):
        async def run():
            return function(*words)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def move_clock(self, by_ms):
        """As `cloudlet clock advance`."""

        def move():
            step = self.clock.step
            self.clock.move(type(step)(self.clock.wall_ms(), self.clock.cloud_ms() + by_ms, step.is_frozen))
            self.face.clock_moved()

        self.call(move)

    def _run(self):
        try:
            asyncio.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - told to the thread that waits
            self.failure = failure
            self._ready.set()

    async def _serve(self):
        self.loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        if self.folder is None:
            self.keys = MemoryKeys(self.clock.monotonic_ms)
        else:
            self.keys = await DiskKeys.open(self.folder, self.clock.monotonic_ms)
        options = dict(self.options)
        tls = options.pop("tls", None)
        self.face = ZooKeeperFace(self.keys, self.clock, Ids(), KeeperSettings(**options), tls=tls)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        await self.face.start([listener], self.address)
        self._ready.set()
        await self._stopping.wait()
        await self.face.close()
        await self.keys.close()


@contextlib.contextmanager
def running(folder=None, **options):
    """A face over memory, or over a folder; `options` are KeeperSettings."""
    face = RunningFace(folder, options).start()
    try:
        yield face
    finally:
        face.stop()
