"""The ZooKeeper face: the keeper on its port, with its admin server and its words.

State   the open connections
Source  ZooKeeper 3.9: ServerCnxnFactory, AdminServer; docs/zookeeper.md
Absent  none

All of it is on one port: ZooKeeper's protocol, its four-letter words, its admin server over HTTP (which
ZooKeeper has on 8080), and each of them with TLS: the first bytes of a connection tell which it is. `tls`
makes the context at the first handshake.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from ssl import SSLContext

from cloudlet.aws.metrics import Metrics
from cloudlet.aws.origin import OriginGuard
from cloudlet.coord.faults import Faults
from cloudlet.coord.zookeeper.client import Client
from cloudlet.coord.zookeeper.figures import nodes_count
from cloudlet.coord.zookeeper.keeper import Keeper
from cloudlet.coord.zookeeper.recall import catch_up
from cloudlet.coord.zookeeper.sessions import Session
from cloudlet.coord.zookeeper.settings import KeeperSettings
from cloudlet.coord.zookeeper.words import said
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import LocalKeys, Revision
from cloudlet.shell.control import Verbs
from cloudlet.shell.either import EitherListener, subject_of
from cloudlet.shell.http import Limits, Server, Shared
from cloudlet.shell.http_connection import Connection as HttpConnection
from cloudlet.shell.open_files import leaves_room
from cloudlet.shell.zookeeper_admin import AdminServer
from cloudlet.shell.zookeeper_connection import Connection

log = logging.getLogger(__name__)

TICK_S = 0.1
BACKLOG = 1024


class ZooKeeperFace:
    """See shell/faces.py, Face."""

    def __init__(
        self,
        keys: LocalKeys,
        clock: Clock,
        ids: Ids,
        settings: KeeperSettings = KeeperSettings(),  # noqa: B008 (frozen)
        *,
        host_names: Sequence[str] = (),
        tls: SSLContext | Callable[[], SSLContext] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.keeper = Keeper(keys, clock, ids, settings)
        self.keeper.on_outside = self._outside
        self.keeper.long_replies.wake = self._begin_long
        self.is_silent = False
        self.address = ""
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._tls = tls
        self._host_names = host_names
        self._connections: dict[Client, Connection] = {}
        self._listeners: list[asyncio.Server | EitherListener] = []
        self.waits_for = 0  # the revision at which `_settled` will be called; 0: it will not
        self._loop: asyncio.AbstractEventLoop
        self._timer: asyncio.TimerHandle | None = None
        self._is_repaying = False
        self._http: Server | None = None
        self._http_shared: Shared | None = None
        if metrics is not None:
            self._offer(metrics)

    def _offer(self, metrics: Metrics) -> None:
        """Figures for Prometheus."""
        keeper = self.keeper
        metrics.gauge(
            "cloudlet_zookeeper_connections", "ZooKeeper clients.", lambda: float(len(keeper.clients))
        )
        metrics.gauge(
            "cloudlet_zookeeper_sessions", "ZooKeeper sessions.", lambda: float(len(keeper.sessions.by_id))
        )
        metrics.gauge("cloudlet_zookeeper_znodes", "Znodes.", lambda: float(nodes_count(keeper)))

    async def start(self, sockets: Sequence[socket.socket], address: str) -> None:
        self.address = address
        loop = asyncio.get_running_loop()
        app = AdminServer(self.keeper, OriginGuard(self._host_names), address)
        self._http_shared = Shared(app, Limits(), self._clock, self._ids)
        self._http = Server(self._http_shared, ())
        self._begin()
        await catch_up(self.keeper)
        if self._tls is not None:
            silent_s = self.keeper.settings.sessionless_ms_max / 1000
            either = EitherListener(lambda: Connection(self), sockets, self._tls, silent_s=silent_s)
            self._listeners.append(either)
            return
        for listener in sockets:
            self._listeners.append(
                await loop.create_server(lambda: Connection(self), sock=listener, backlog=BACKLOG)
            )

    def _begin(self) -> None:
        self.keeper.open()
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        try:
            self.keeper.tick()
        except StoreError as error:
            log.warning("sessions cannot be ended: %s", error)
        if not self.is_silent:  # as a server that hangs closes nothing
            self.keeper.cut_strangers()
        self.flush()

    # --- connections

    def joined(self, connection: Connection, transport: asyncio.BaseTransport) -> Client:
        """A client has connected."""
        peer = transport.get_extra_info("peername") or ("", 0)
        secured = transport.get_extra_info("ssl_object")
        client = self.keeper.join(
            peer[0] or "127.0.0.1", port=peer[1], is_secure=secured is not None, subject=subject_of(secured)
        )
        self._connections[client] = connection
        is_over = self.keeper.is_full(client) or not leaves_room(transport)
        if self.keeper.faults.rejects_connections or is_over:
            self.keeper.statistics.rejected += 1
            connection.abort()
        return client

    def left(self, connection: Connection) -> None:
        """A client has gone."""
        self._connections.pop(connection.client, None)
        self.keeper.leave(connection.client)
        self.keeper.unsent.pop(connection.client, None)

    def hand_to_http(self, connection: Connection, transport: asyncio.Transport, data: bytes) -> None:
        """A client speaks HTTP: it is the admin server's from here on."""
        assert self._http_shared is not None
        self.left(connection)
        serving = HttpConnection(self._http_shared)
        transport.set_protocol(serving)
        serving.connection_made(transport)
        serving.data_received(data)

    def word(self, word: str, rest: bytes, client: Client) -> bytes:
        """What a four-letter word is answered."""
        return said(self.keeper, word, self.address, client, rest).encode()

    # --- sending

    def flush(self) -> None:
        """Send what is settled; what is not follows once it is. While `waits_for` is not 0 there is nothing
        to be sent of clients that were told of no revision below it."""
        unsent = self.keeper.unsent
        settled = self._keys.settled
        now_s = self._loop.time()
        for client in list(unsent):
            if client.outbox and client.outbox[0][0] > settled:
                continue
            connection = self._connections.get(client)
            if connection is None or connection.flush(settled, now_s):
                unsent.pop(client, None)
        if unsent and not self.waits_for:
            self.waits_for = settled + 1
            self._keys.when_settled(Revision(settled + 1), self._settled)

    def _settled(self) -> None:
        self.waits_for = 0
        self.flush()

    def _begin_long(self) -> None:
        asyncio.get_running_loop().call_soon(self._make_long)

    def _make_long(self) -> None:
        """A slice of a reply in each turn, so that everybody else is served in between."""
        try:
            is_more = self.keeper.long_replies.step()
        except StoreError as error:
            log.warning("what was left for later turns cannot be done: %s", error)
            is_more = True  # perhaps: the next step tells
        except Exception:
            log.exception("what was left for later turns has failed")
            is_more = True
        if is_more:
            asyncio.get_running_loop().call_soon(self._make_long)
        self.flush()

    def _outside(self) -> None:
        """Another face has changed znodes: tell who watches, and write what that owes, in the next turn."""
        if not self._is_repaying:
            self._is_repaying = True
            asyncio.get_running_loop().call_soon(self._repay)

    def _repay(self) -> None:
        self._is_repaying = False
        if self.is_silent:
            return
        try:
            if self.keeper.repay_some():
                self._outside()
        except StoreError as error:
            log.warning("what other faces changed cannot be noted: %s", error)
        self.flush()

    # --- what the cloud asks for

    async def silence(self) -> None:
        self.is_silent = True
        self._stop()
        connections = list(self._connections.values())
        self.keeper.forget()
        for connection in connections:
            connection.abort()
        await asyncio.sleep(0)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def go_on(self) -> None:
        self.is_silent = False
        self._begin()
        for connection in list(self._connections.values()):
            connection.release()

    def clock_moved(self) -> None:
        if not self.is_silent and self._timer is not None:
            self.keeper.clock_moved()
            self.flush()

    # --- faults

    @property
    def faults(self) -> Faults:
        """See coord/faults.py, FaultyFace."""
        return self.keeper.faults

    def expire(self, id_: int | None) -> int:
        """End a session now, or all; how many there were."""
        sessions = self._sessions(id_)
        for session in sessions:
            self.keeper.end_session(session)
        self.flush()
        return len(sessions)

    def drop(self, id_: int | None) -> int:
        """Close the connection of a session, or all connections; how many there were."""
        if id_ is None:
            connections = list(self._connections.values())
        else:
            clients = [session.client for session in self._sessions(id_) if session.client is not None]
            connections = [self._connections[client] for client in clients if client in self._connections]
        for connection in connections:
            connection.abort()
        return len(connections)

    def _sessions(self, id_: int | None) -> list[Session]:
        known = self.keeper.sessions.by_id
        return [session for number, session in known.items() if id_ in (None, number)]

    def verbs(self) -> Verbs:
        return {}

    async def close(self) -> None:
        self._stop()
        for listener in self._listeners:
            if isinstance(listener, EitherListener):
                await listener.close()
            else:
                listener.close()
        if self._timer is None and not self.is_silent and not self._listeners:
            return
        self.is_silent = True
        connections = list(self._connections.values())
        if connections and self.keeper.unsent:
            await self._keys.settle(self._keys.head)
            self.flush()
        self.keeper.forget()
        for connection in connections:
            connection.close()
        if self._http is not None:
            await self._http.close(0)
        await asyncio.sleep(0)
