"""One cloud: its folder, its stores, its faces; from start to stop.

State   the data folder and what the stores keep in it
Source  docs/architecture.md, "Processes"; docs/cli.md
Absent  none
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cloudlet import __version__
from cloudlet.aws.inside import Place
from cloudlet.aws.origin import OriginGuard
from cloudlet.engines.disk_logs import DiskLogs
from cloudlet.engines.disk_pins import DiskPins
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Durability
from cloudlet.kernel.settings import Settings
from cloudlet.shell.aws_face import AwsFace
from cloudlet.shell.checkpoint_verbs import CheckpointVerbs
from cloudlet.shell.checkpoints import Checkpoints
from cloudlet.shell.control import Control, Tokened, Verbs, life_verbs
from cloudlet.shell.faces import Face, Ground, makers
from cloudlet.shell.fault_verbs import FaultVerbs
from cloudlet.shell.folder import DataFolder, Running
from cloudlet.shell.front import Front
from cloudlet.shell.http import Server, serve
from cloudlet.shell.initialise import Initialiser
from cloudlet.shell.key_verbs import KeyVerbs
from cloudlet.shell.lag import LoopLag
from cloudlet.shell.listening import Bound, bind_faces, close_all, ports_to_keep
from cloudlet.shell.open_files import allow_files
from cloudlet.shell.quiet import QuietCloud, Silent
from cloudlet.shell.socket_paths import short
from cloudlet.shell.stores import Stores, open_stores
from cloudlet.shell.timekeeper import Timekeeper, clock_verbs
from cloudlet.shell.tls_verbs import TlsVerbs
from cloudlet.shell.trimming import Trimmer, malloc_trim
from cloudlet.wire.http1 import App

if TYPE_CHECKING:
    from cloudlet.shell.kafka_face import KafkaFace
    from cloudlet.shell.keys_socket import KeysSocket

log = logging.getLogger(__name__)

GRACE_MS = 5_000
SWITCH_INTERVAL_S = 0.0005
"""How long a thread that is back from the disk waits for a busy loop to let it go on. With Python's 5 ms a
group commit began and ended up to that much late, and 64 writers stood still meanwhile."""
GC_THRESHOLDS = (10_000, 5, 80)
"""A call leaves few cycles: the default collects every ten calls. The middle generation stays so small that
a walk of it takes a few milliseconds."""


class Cloud:
    """A cloud over one data folder. `start`, then `run` until told to stop, then `close`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.started_ms = self.clock.wall_ms()
        self._ids = Ids()
        self.endpoints: dict[str, str] = {}
        self._temporary = tempfile.TemporaryDirectory(prefix="cloudlet-") if settings.ephemeral else None
        self._folder = DataFolder(Path(self._temporary.name if self._temporary else settings.data))
        self._stop = asyncio.Event()
        self._lag = LoopLag()
        self._trimmer = Trimmer(malloc_trim())
        self._stores: Stores | None = None
        self._timekeeper: Timekeeper | None = None
        self._face: AwsFace | None = None
        self._faces: dict[str, Face] = {}
        self._servers: list[Server] = []
        self._keys_socket: KeysSocket | None = None
        self._public: list[Server] = []  # those of them that clients of the cloud use

    @property
    def data(self) -> Path:
        """The folder in use."""
        return self._folder.path

    async def start(self) -> None:
        """Open the stores and listen; on any failure everything is let go again."""
        bound: dict[str, Bound] = {}
        try:
            bound = self._bind()
            self._stores = await open_stores(
                self._folder.path, self.clock, self._ids, is_ephemeral=self.settings.ephemeral
            )
            timekeeper = await self._keep_time(self._stores)
            self._face = self._aws_face(self._stores)
            timekeeper.listen(self._face.traffic.alarms.clock_moved)
            self._make_faces(
                Ground(
                    self._stores,
                    self.clock,
                    self._ids,
                    self.settings,
                    self._face.metrics,
                    self._folder.path,
                    self._folder.token(),
                )
            )
            for face in self._faces.values():
                timekeeper.listen(face.clock_moved)
            checkpoints = self._checkpoints(self._stores)
            await checkpoints.recover()
            self._face.collector.walks.append(checkpoints.walk)
            self._face.start()
            verbs = CheckpointVerbs(checkpoints, self._stores.keys, self._stores.logs, self._quiet)
            guard = OriginGuard(self.settings.names)
            initialiser = await self._initialise(self._face)
            control = Control(self._verbs(self._stores, timekeeper, verbs, initialiser))
            tokened = Tokened(control, self._folder.token())
            front = Front(self._face.app, guard, self._face.metrics, verbs.reset, tokened)
            await self._listen(bound, front)
            self._servers.append(await self._serve_control(control))
            if self._faces:
                await self._serve_keys(self._stores)
        except BaseException:
            close_all(bound)
            await self.close()
            raise
        self._lag.start()
        self._trimmer.start()
        timekeeper.start()
        self._face.metrics.gauge(
            "cloudlet_clock_ahead_seconds",
            "How far cloud time is before the wall.",
            lambda: timekeeper.ahead_ms() / 1000,
        )
        self._face.metrics.gauge(
            "cloudlet_loop_lag_seconds", "Worst lag of the last minute.", self._lag.worst_s
        )
        self._face.metrics.gauge("cloudlet_keys_revision", "The cloud's revision.", self._revision)
        self._folder.announce(self.said())
        let_start_up_stay()

    async def _initialise(self, face: AwsFace) -> Initialiser:
        """Make what `--init` asks for, before anybody is answered."""
        settings = self.settings
        inside = face.inside("init", self.endpoints.get("aws", ""))
        kafka = cast("KafkaFace | None", self._faces.get("kafka"))
        initialiser = Initialiser(
            inside, Place(settings.account, settings.region), lambda: kafka.broker if kafka else None
        )
        if settings.init is not None:
            await initialiser.make_file(settings.init)
        if initialiser.topics and kafka is not None:
            kafka.prepare = initialiser.make_topics
        elif initialiser.topics:
            await initialiser.make_topics()  # which says that there is no broker
        return initialiser

    def said(self) -> Running:
        """What this cloud says of itself."""
        settings = self.settings
        return Running(
            os.getpid(), __version__, self.started_ms, self.endpoints, settings.ephemeral, settings.account,
            settings.region,
        )  # fmt: skip

    def _revision(self) -> float:
        return float(self._stores.keys.head) if self._stores else 0.0

    async def _keep_time(self, stores: Stores) -> Timekeeper:
        """Cloud time as the recorded steps say, before anything looks at it."""
        mark = None if self.settings.ephemeral else self._folder.path / "clock"
        self._timekeeper = Timekeeper(stores.keys, self.clock, mark=mark, durability=self._durability)
        await self._timekeeper.open()
        return self._timekeeper

    @property
    def _durability(self) -> Durability:
        return Durability.SYNC if self.settings.sync else Durability.RELAXED

    def _aws_face(self, stores: Stores) -> AwsFace:
        settings = self.settings
        return AwsFace(
            stores.keys,
            stores.logs,
            stores.blobs,
            self.clock,
            self._ids,
            account=settings.account,
            region=settings.region,
            is_strict=settings.strict,
            host_names=settings.names,
            durability=self._durability,
            records_data_events=settings.data_events,
            has_cooldowns=not settings.no_cooldowns,
        )

    # --- listening

    def _bind(self) -> dict[str, Bound]:
        """The sockets of every face asked for."""
        kept = self._folder.ports()
        bound = bind_faces(self.settings, kept)
        if (picked := ports_to_keep(self.settings, bound, kept)) != kept:
            self._folder.keep_ports(picked)
        for face, each in bound.items():
            self.endpoints[face] = f"http://{each.address}" if face == "aws" else each.address
        return bound

    def _make_faces(self, ground: Ground) -> None:
        """The faces asked for beside AWS's, not listening yet."""
        known = makers()
        self._faces = {name: known[name](ground) for name in self.settings.only if name in known}

    async def _listen(self, bound: dict[str, Bound], app: App) -> None:
        if "aws" in bound:
            self._public.append(await serve(app, sockets=bound.pop("aws").sockets, clock=self.clock))
            self._servers += self._public
        for name, face in self._faces.items():
            each = bound.pop(name)
            await face.start(each.sockets, each.address)

    def _verbs(
        self, stores: Stores, timekeeper: Timekeeper, checkpoints: CheckpointVerbs, initialiser: Initialiser
    ) -> Verbs:
        """Every control verb, from each part that has some."""
        return {
            **life_verbs(self._status, self._stop),
            **clock_verbs(timekeeper),
            **checkpoints.verbs(),
            **KeyVerbs(stores.keys).verbs(),
            **initialiser.verbs(),
            **FaultVerbs(self._faces).verbs(),
            **TlsVerbs(self._folder.path, self.clock).verbs(),
            **{verb: answer for face in self._faces.values() for verb, answer in face.verbs().items()},
        }

    def _checkpoints(self, stores: Stores) -> Checkpoints:
        assert isinstance(stores.logs, DiskLogs), "logs over another system cannot be pinned"
        is_durable = not self.settings.ephemeral
        pins = DiskPins(stores.logs, is_durable=is_durable)
        folder = self._folder.path / "checkpoints"
        return Checkpoints(folder, stores.keys, stores.logs, pins, self.clock, is_durable=is_durable)

    def _quiet(self, spared: asyncio.Task[object] | None) -> QuietCloud:
        assert self._face is not None
        silent: list[Silent] = list(self._faces.values())
        if self._keys_socket is not None:
            silent.append(self._keys_socket)
        return QuietCloud(self._face, silent, self._public, self.stop, spared)

    async def _serve_keys(self, stores: Stores) -> None:
        """The keys for processes of the cloud beside this one; none belongs to the AWS face alone."""
        from cloudlet.shell.keys_socket import NAME, serve_keys

        self._keys_socket = await serve_keys(self._folder.path / NAME, stores.keys, self.clock)

    async def _serve_control(self, control: Control) -> Server:
        path = self._folder.path / "control.sock"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        old = os.umask(0o177)
        try:
            with short(path) as name:
                listener.bind(name)
        finally:
            os.umask(old)
        return await serve(control, sockets=[listener], clock=self.clock)

    def _status(self) -> Mapping[str, object]:
        return {
            "pid": os.getpid(),
            "version": __version__,
            "data": str(self._folder.path),
            "ephemeral": self.settings.ephemeral,
            "uptime_ms": self.clock.wall_ms() - self.started_ms,
            "revision": int(self._revision()),
            "loop_lag_ms": round(self._lag.worst_s() * 1000, 3),
            "endpoints": self.endpoints,
        }

    # --- stopping

    def stop(self) -> None:
        """Let `run` end."""
        self._stop.set()

    def stop_with(self, pipe: int) -> None:
        """Let `run` end, too, when the other end of a pipe is closed: its holder is gone."""
        loop = asyncio.get_running_loop()

        def closed() -> None:
            loop.remove_reader(pipe)
            self.stop()

        loop.add_reader(pipe, closed)

    async def run(self) -> None:
        """Serve until a signal or a control verb says stop."""
        await self._stop.wait()

    async def close(self) -> None:
        """Finish what is being answered, settle the stores, give the folder back."""
        self._lag.stop()
        self._trimmer.stop()
        for server in self._servers:
            await server.close(GRACE_MS)
        for face in self._faces.values():
            await face.close()
        if self._face is not None:
            await self._face.close()
        if self._keys_socket is not None:
            await self._keys_socket.close()
        if self._timekeeper is not None:
            await self._timekeeper.close()
        if self._stores is not None:
            await self._stores.close()
        for name in ("control.sock", "keys.sock"):
            (self._folder.path / name).unlink(missing_ok=True)
        self._folder.close()
        if self._temporary is not None:
            self._temporary.cleanup()


def let_start_up_stay() -> None:
    """What start-up made stays, so that collections need not walk it."""
    if gc.isenabled():
        gc.collect()
    else:
        gc.enable()  # the command line has it off so far: all garbage of a start is a third of a megabyte
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def _serve_until_stopped(settings: Settings, on_ready: Callable[[Cloud], None]) -> None:
    cloud = Cloud(settings)
    loop = asyncio.get_running_loop()
    numbers = [
        signal.SIGINT,
        signal.SIGTERM,
    ]  # a script's `cloudlet up &` has INT ignored, and is sent it all the same
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, cloud.stop)
    await cloud.start()
    try:
        on_ready(cloud)
        await cloud.run()
    finally:
        await cloud.close()


def serve_cloud(settings: Settings, on_ready: Callable[[Cloud], None]) -> None:
    """Run a cloud in this process until it is told to stop; uvloop where it is there."""
    allow_files()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve_until_stopped(settings, on_ready))
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve_until_stopped(settings, on_ready))
