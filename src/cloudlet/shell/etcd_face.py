"""The etcd face: gRPC, the JSON gateway and etcd's pages on one port.

State   the open connections
Source  etcd 3.6; docs/etcd.md
Absent  none
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Sequence

from cloudlet.aws.metrics import Metrics
from cloudlet.aws.origin import OriginGuard
from cloudlet.coord.etcd.cluster import VERSION
from cloudlet.coord.etcd.faulty import with_faults
from cloudlet.coord.etcd.gateway import Gateway
from cloudlet.coord.etcd.server import EtcdServer
from cloudlet.coord.etcd.settings import EtcdSettings
from cloudlet.coord.faults import Faults
from cloudlet.coord.leases import Lessor
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import LeaseId, LocalKeys
from cloudlet.kernel.spaces import ETCD, ETCD_STOP
from cloudlet.shell.control import Verbs
from cloudlet.shell.http2_server import Server, serve

log = logging.getLogger(__name__)


class EtcdFace:
    """See shell/faces.py, Face."""

    def __init__(
        self,
        keys: LocalKeys,
        clock: Clock,
        ids: Ids,
        settings: EtcdSettings = EtcdSettings(),  # noqa: B008 (frozen)
        *,
        host_names: Sequence[str] = (),
        tls: ssl.SSLContext | Callable[[], ssl.SSLContext] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._tls = tls
        self.lessor = Lessor(keys, clock)
        self.server = EtcdServer(keys, clock, ids, self.lessor, settings)
        self._guard = OriginGuard(host_names)
        self._metrics = metrics
        self._faults = Faults()
        self._transport: Server | None = None
        self.address = ""

    async def start(self, sockets: Sequence[socket.socket], address: str) -> None:
        self.address = address
        methods = with_faults(self.server.methods(), self._faults)
        gateway = Gateway(methods, self._exposition, self._guard.refusal, self.server.cluster.raised)
        self.lessor.start()
        self._transport = await serve(
            methods, app=gateway, sockets=sockets, tls=self._tls, clock=self._clock, ids=self._ids,
            rejects=lambda: self._faults.rejects_connections,
        )  # fmt: skip

    def _exposition(self) -> str:
        """etcd's own names for what a dashboard of etcd's looks at, then the cloud's figures."""
        keys = self._keys
        rows = [
            ("etcd_server_has_leader", "gauge", 1),
            ("etcd_server_is_leader", "gauge", 1),
            ("etcd_server_leader_changes_seen_total", "counter", 1),
            (f'etcd_server_version{{server_version="{VERSION}"}}', "gauge", 1),
            ("etcd_debugging_mvcc_current_revision", "gauge", int(keys.head)),
            ("etcd_debugging_mvcc_keys_total", "gauge", keys.count(ETCD, ETCD_STOP)),
            ("etcd_mvcc_db_total_size_in_bytes", "gauge", self.server.cluster.size_bytes()),
            ("etcd_mvcc_db_total_size_in_use_in_bytes", "gauge", self.server.cluster.size_bytes()),
            ("etcd_server_quota_backend_bytes", "gauge", self.server.cluster.quota_bytes),
            ("etcd_debugging_lease_active_total", "gauge", len(keys.leases())),
        ]
        lines = []
        for name, kind, value in rows:
            lines += [f"# TYPE {name.partition('{')[0]} {kind}", f"{name} {value}"]
        lines.append("# TYPE grpc_server_handled_total counter")
        if self._transport is not None:
            for (path, code), count in sorted(self._transport.handled.items()):
                service, _, method = path.strip("/").partition("/")
                labels = f'grpc_service="{service}",grpc_method="{method}",grpc_code="{code.name}"'
                lines.append(f"grpc_server_handled_total{{{labels}}} {count}")
        more = self._metrics.exposition() if self._metrics is not None else ""
        return "\n".join(lines) + "\n" + more

    # --- what the cloud asks for

    async def silence(self) -> None:
        if self._transport is not None:
            await self._transport.silence()
        await self.lessor.close()

    def go_on(self) -> None:
        self.lessor.start()
        if self._transport is not None:
            self._transport.release()

    def clock_moved(self) -> None:
        self.lessor.clock_moved()

    # --- faults

    @property
    def faults(self) -> Faults:
        """See coord/faults.py, FaultyFace."""
        return self._faults

    def expire(self, id_: int | None) -> int:
        """End a lease now, or all; how many there are."""
        return self.lessor.expire(None if id_ is None else LeaseId(id_))

    def drop(self, id_: int | None) -> int:
        """Close all connections (a lease has none of its own); how many there were."""
        return self._transport.drop() if self._transport is not None else 0

    def verbs(self) -> Verbs:
        return {}

    async def close(self) -> None:
        await self.lessor.close()
        if self._transport is not None:
            await self._transport.close()
        await self.server.close()
