"""The Kafka face: a broker over the stores, its listeners, and its upkeep.

State   see kafka/broker.py
Source  docs/architecture.md, "Faces"; Apache Kafka 4.3, SocketServer (connections.max.idle.ms)
Absent  further brokers
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from cloudlet.aws.metrics import Metrics
from cloudlet.engines.disk_logs import DiskLogs
from cloudlet.engines.disk_partitions import DiskPartitions
from cloudlet.kafka.answer import Admit, Answering
from cloudlet.kafka.broker import NODE_ID, Broker
from cloudlet.kafka.connection_quotas import ConnectionQuotas
from cloudlet.kafka.dispatch import PARTS, handlers
from cloudlet.kafka.groups.coordinator import Groups
from cloudlet.kafka.listeners import Door, listeners_of
from cloudlet.kafka.log_upkeep import LogUpkeep
from cloudlet.kafka.quotas import Quotas
from cloudlet.kafka.security.ssl_principals import RULES, principals
from cloudlet.kafka.transactions.coordinator import Transactions
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Keys
from cloudlet.kernel.logs import Logs
from cloudlet.kernel.partition_logs import PartitionLogs
from cloudlet.kernel.settings import LOOPBACK
from cloudlet.shell.control import Verbs
from cloudlet.shell.either import EitherListener
from cloudlet.shell.kafka_connection import Connection, Shared
from cloudlet.shell.kafka_identity import identity
from cloudlet.shell.listening import Bound, bind_all, close_all

if TYPE_CHECKING:
    from cloudlet.shell.kafka_security import KafkaSecurity

log = logging.getLogger(__name__)

BACKLOG = 1024
LOOK_MS = 5_000  # between two looks at all connections
LOOK_SLICE = 1_000  # connections looked at in one turn of the loop
NONE = "none"  # of ssl.client.auth
CLOSE_S = 2.0  # how long requests at work may take to end


class KafkaFace:
    """One broker that listens."""

    def __init__(
        self,
        keys: Keys,
        logs: Logs,
        clock: Clock,
        ids: Ids,
        *,
        properties: Mapping[str, str] | None = None,
        is_advertised: bool = False,
        hosts: Sequence[str] = LOOPBACK,
        metrics: Metrics | None = None,
        security: KafkaSecurity | None = None,
    ) -> None:
        self._security = security
        if security is not None:
            from cloudlet.shell.kafka_security import PROPERTIES

            properties = {**PROPERTIES, **(properties or {})}
        assert isinstance(logs, DiskLogs), "partitions lie in a store of our own"
        partitions = cast(PartitionLogs, DiskPartitions(logs))
        self.identity = identity(logs.root, NODE_ID, ids)
        self._folder = f"{logs.root}/kafka/{NODE_ID}"
        self.broker = Broker(
            keys, logs, partitions, clock, ids, cluster_id=self.identity.cluster_id, properties=properties
        )
        self.broker.is_advertised = is_advertised
        self.prepare: Callable[[], Awaitable[None]] | None = None  # done before clients are let in
        self._listeners = listeners_of(properties or {}, is_secured=security is not None)
        self._name_of = principals(self.broker.configs.text(RULES) or "")
        self._hosts = hosts
        self._clock = clock
        self._metrics = metrics
        self._ids = ids
        self._keys = keys
        self._servers: list[asyncio.Server | EitherListener] = []
        self._shared: Shared | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._securing: asyncio.Task[None] | None = None

    # What the cloud asks of a face

    async def start(self, sockets: Sequence[socket.socket], address: str) -> None:
        loop = asyncio.get_running_loop()
        broker = self.broker
        answering = Answering(broker, handlers(), self._admit())
        broker.log_dir = self._folder
        broker.disk_bytes = self._disk_bytes
        bound = self._bound(sockets, address)
        broker.go_on(PARTS)
        if self.prepare is not None:
            await self.prepare()
        entrance = ConnectionQuotas(broker.configs, lambda host: broker.part(Quotas).connection_rate(host))
        frame_bytes = broker.configs.number("socket.request.max.bytes")
        shared = self._shared = Shared(answering.answer, entrance, self._clock, frame_bytes, self._name_of)
        broker.unread_bytes = shared.unread_bytes
        if self._security is not None:
            await self._secure(self._security)
        for door in self._listeners.doors:
            await self._listen(shared, door, bound[door.name].sockets)
        self._timer = loop.call_later(LOOK_MS / 1000, self._look)
        if self._metrics is not None:
            self._offer(self._metrics)

    def _bound(self, sockets: Sequence[socket.socket], address: str) -> dict[str, Bound]:
        """Listener -> its sockets: those of the face are the first one's. What clients are told follows from
        where they listen. PortTaken."""
        broker = self.broker
        host, _, port = address.rpartition(":")
        named, doors, advertised = self._listeners
        first = doors[0].name
        bound = {first: Bound(list(sockets), int(port), address)}
        try:
            for each in named[1:]:
                bound[each.name] = bind_all("kafka", (each.host,) if each.host else self._hosts, each.port)
        except BaseException:
            del bound[first]  # the face's own are its starter's
            close_all(bound)
            raise
        told = {
            name: each._replace(port=each.port or bound.get(name, bound[first]).port).address
            for name, each in advertised.items()
        }
        if not named and told:
            (broker.address,) = told.values()
            broker.is_advertised = True
        else:
            broker.address = told.get(first, address)
            if broker.is_advertised:  # by one name, at each listener's port
                told = {name: f"{host}:{each.port}" for name, each in bound.items()} | told
            broker.advertised = told if named else {}
        said = {
            "log.dirs": self._folder,
            "listeners": ",".join(f"{name}://{each.address}" for name, each in bound.items()),
            "advertised.listeners": ",".join(
                f"{name}://{broker.advertised.get(name, each.address if named else broker.address)}"
                for name, each in bound.items()
            ),
        }
        broker.configs.given = {**said, **broker.configs.given}
        return bound

    async def _listen(self, shared: Shared, door: Door, sockets: Sequence[socket.socket]) -> None:
        if door.has_tls:
            assert self._security is not None
            client_auth = str(self.broker.configs.value("ssl.client.auth"))
            context = self._security.context(self._clock, client_auth if door.takes_certificates else NONE)
            self._servers.append(EitherListener(lambda: Connection(shared, door), sockets, context))
            return
        loop = asyncio.get_running_loop()
        for each in sockets:
            server = await loop.create_server(lambda: Connection(shared, door), sock=each, backlog=BACKLOG)
            self._servers.append(server)

    def _admit(self) -> Admit | None:
        """What stands before the handlers, where something does."""
        if self._security is None and not self.broker.configs.text("authorizer.class.name"):
            return None
        from cloudlet.kafka.security.gate import Gate

        return Gate(self.broker).admit

    async def silence(self) -> None:
        if self._securing is not None:
            await asyncio.wait([self._securing])
        shared = self._shared
        if shared is not None:
            shared.is_held = True
            await self._end_requests(shared)
        await self.broker.silence()

    def go_on(self) -> None:
        self.broker.go_on(PARTS)
        if self._security is None:
            self._let_in()
        else:
            task = asyncio.get_running_loop().create_task(self._secure(self._security))
            self._securing = task
            task.add_done_callback(lambda _: self._let_in())

    async def _secure(self, security: KafkaSecurity) -> None:
        """The first user may be of what was forgotten: without him nobody could come in."""
        await security.secure(self.broker, self._keys, self._clock, self._ids)

    def _let_in(self) -> None:
        shared = self._shared
        if shared is not None:
            shared.is_held = False
            for connection in list(shared.connections):
                connection.begin()
            shared.let_in()

    def clock_moved(self) -> None:
        self.broker.part(LogUpkeep).clock_moved()
        self.broker.part(Groups).clock_moved()
        self.broker.part(Transactions).clock_moved()

    def verbs(self) -> Verbs:
        return {}

    async def close(self) -> None:
        for server in self._servers:
            if isinstance(server, EitherListener):
                await server.close()
            else:
                server.close()
        if self._securing is not None:
            await asyncio.wait([self._securing])
        if self._timer is not None:
            self._timer.cancel()
        if self._shared is not None:
            self._shared.close()
            await self._end_requests(self._shared)
        await self.broker.silence()

    def _disk_bytes(self) -> tuple[int, int]:
        usage = shutil.disk_usage(self._folder)
        return usage.total, usage.free

    # Connections

    async def _end_requests(self, shared: Shared) -> None:
        """Close every connection; what is at work gets a moment, and is then cancelled."""
        for connection in list(shared.connections):
            connection.close()
        await asyncio.sleep(0)  # the transports tell of their end
        tasks = list(shared.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSE_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=CLOSE_S)

    def _look(self) -> None:
        shared = self._shared
        assert shared is not None
        self._timer = shared.loop.call_later(LOOK_MS / 1000, self._look)
        shared.shed(self.broker.configs.number("max.connections"))
        shared.let_in()  # a limit may have been raised
        self._look_at(list(shared.connections))

    def _look_at(self, connections: list[Connection]) -> None:
        now_ms = self._clock.monotonic_ms()
        idle_ms_max = self.broker.configs.number("connections.max.idle.ms")
        for connection in connections[-LOOK_SLICE:]:
            connection.look(now_ms, idle_ms_max)
        del connections[-LOOK_SLICE:]
        if connections:
            asyncio.get_running_loop().call_soon(self._look_at, connections)

    def _offer(self, metrics: Metrics) -> None:
        shared = self._shared
        assert shared is not None
        metrics.gauge(
            "cloudlet_kafka_connections",
            "Open connections of Kafka clients.",
            lambda: len(shared.connections),
        )
        metrics.gauge(
            "cloudlet_kafka_partitions", "Partitions of all topics.", lambda: self.broker.topics.partitions
        )
