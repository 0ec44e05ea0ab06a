"""A cloud inside the test process: the real server on a free port, on a thread of its own.

with running(engine="disk", folder=tmp_path) as cloud:
    cloud.client("sqs").create_queue(QueueName="q")
"""

import asyncio
import contextlib
import threading
from random import Random

import boto3
import botocore.config
from tests import ledger

from cloudlet.aws.origin import OriginGuard
from cloudlet.engines.hostile_keys import HostileKeys
from cloudlet.engines.hostile_logs import HostileLogs
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.blobs_memory import MemoryBlobs
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.logs_memory import MemoryLogs
from cloudlet.shell import stores as shell_stores
from cloudlet.shell.aws_face import AwsFace
from cloudlet.shell.front import Front
from cloudlet.shell.http import serve
from cloudlet.shell.timekeeper import Timekeeper

SEED = 20_26


class RunningCloud:
    """A cloud that listens; `client` makes boto3 clients that point at it."""

    def __init__(self, engine, folder, clock, options):
        self.engine = engine
        self.folder = folder
        self.clock = clock or SystemClock()
        self.options = options
        self.port = 0
        self.face = None
        self.timekeeper = None
        self.loop = None
        self._ready = threading.Event()
        self._failure = None
        self._bodies = []
        self._thread = threading.Thread(target=self._run, name="cloud", daemon=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self, service, *, key="test", secret="test", token=None, region="us-east-1", **config):
        settings = botocore.config.Config(retries={"max_attempts": 0}, **config)
        session = boto3.session.Session()
        client = session.client(
            service, region_name=region, endpoint_url=self.url, aws_access_key_id=key,
            aws_secret_access_key=secret, aws_session_token=token, config=settings,
        )  # fmt: skip
        client.meta.events.register("after-call.s3.GetObject", self._keep_body)
        return client

    def _keep_body(self, parsed, **_):
        """A body that a test does not read holds a socket, which is closed at the end."""
        if "Body" in parsed:
            self._bodies.append(parsed["Body"])

    def call(self, function):
        """Run a plain function on the cloud's loop and return what it returns."""

        async def run():
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def move_clock(self, verb, *words):
        """`move_clock("advance", 8_000)`, "freeze" or "thaw", as the control verbs do."""
        moving = getattr(self.timekeeper, verb)(*words)
        asyncio.run_coroutine_threadsafe(moving, self.loop).result(30)

    def start(self):
        self._thread.start()
        assert self._ready.wait(30)
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self):
        for body in self._bodies:
            body.close()
        self.loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _run(self):
        try:
            asyncio.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - told to the thread that waits
            self._failure = failure
            self._ready.set()

    async def _serve(self):
        self.loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        keys, logs, blobs = await open_stores(self.engine, self.folder, self.clock)
        self.timekeeper = Timekeeper(keys, self.clock)
        await self.timekeeper.open()
        self.face = AwsFace(keys, logs, blobs, self.clock, Ids(), **self.options)
        self.timekeeper.listen(self.face.traffic.alarms.clock_moved)
        self.face.start()
        front = Front(self.face.app, OriginGuard(), self.face.metrics, self.face.reset)
        server = await serve(front, host="127.0.0.1", port=0)
        self.port = server.ports[0]
        self._ready.set()
        await self._stopping.wait()
        await server.close()
        ledger.note(self.face.metrics.answered())
        await self.face.close()
        await self.timekeeper.close()
        await blobs.close()
        await logs.close()
        await keys.close()


async def open_stores(engine, folder, clock):
    """Keys, logs and blobs over the engine asked for."""
    if engine == "memory":
        return MemoryKeys(clock.monotonic_ms), MemoryLogs(), MemoryBlobs(clock, Ids())
    if engine == "disk":
        stores = await shell_stores.open_stores(folder, clock, Ids())
        return stores.keys, stores.logs, stores.blobs
    if engine == "hostile":
        keys = HostileKeys(MemoryKeys(clock.monotonic_ms), Random(SEED), lost=0.05)
        logs = HostileLogs(MemoryLogs(), Random(SEED), lost=0.05)
        return keys, logs, MemoryBlobs(clock, Ids())
    if engine == "waiting":  # as a synced or a remote one: every append and every read takes its time
        logs = HostileLogs(MemoryLogs(), Random(SEED), conflicts=0.0, delays=1.0)
        return MemoryKeys(clock.monotonic_ms), logs, MemoryBlobs(clock, Ids())
    raise ValueError(engine)


@contextlib.contextmanager
def running(*, engine="memory", folder=None, clock=None, **options):
    """A cloud that stops with the block; `options` go to AwsFace."""
    cloud = RunningCloud(engine, folder, clock, options).start()
    try:
        yield cloud
    finally:
        cloud.stop()
