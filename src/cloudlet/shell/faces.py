"""The faces beside AWS's: what the cloud needs of one, and how each is made.

State   none
Source  docs/architecture.md, "Processes"
Absent  none

A face gets bound sockets and the address that clients are told. While a checkpoint is brought back, `silence`
makes it forget everything that it derived from the stores, and `go_on` lets it start again from what they
hold then.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cloudlet.aws.metrics import Metrics
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.settings import Settings
from cloudlet.shell.control import Verbs
from cloudlet.shell.stores import Stores

if TYPE_CHECKING:
    from ssl import SSLContext

    from cloudlet.shell.kafka_security import KafkaSecurity


class Face(Protocol):
    """A protocol over the stores, as the cloud runs it."""

    async def start(self, sockets: Sequence[socket.socket], address: str) -> None:
        """Serve on bound sockets; `address` is HOST:PORT as clients are told."""

    async def silence(self) -> None:
        """Close the clients' connections, stop what runs by itself, forget what was derived from the stores.
        New clients wait until `go_on`."""

    def go_on(self) -> None:
        """Serve again, from what the stores hold now."""

    def clock_moved(self) -> None:
        """Cloud time has made a step."""

    def verbs(self) -> Verbs:
        """The control verbs of this face."""

    async def close(self) -> None:
        """Finish what is being answered; what was acknowledged is in the stores already."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a face stands on."""

    stores: Stores
    clock: Clock
    ids: Ids
    settings: Settings
    metrics: Metrics
    folder: Path
    token: str  # of the folder


Maker = Callable[[Ground], Face]


def makers() -> Mapping[str, Maker]:
    """How each face beside AWS's is made; a face's modules are imported when it is."""
    return {"kafka": _kafka, "etcd": _etcd, "zookeeper": _zookeeper}


def _kafka(ground: Ground) -> Face:
    from cloudlet.shell.kafka_face import KafkaFace

    stores, settings = ground.stores, ground.settings
    # As Kafka, a topic syncs by its flush settings; --sync makes everything sync that says nothing else.
    synced = {"log.flush.interval.messages": "1"} if settings.sync else {}
    return KafkaFace(
        stores.keys,
        stores.logs,
        ground.clock,
        ground.ids,
        properties={**synced, **dict(settings.kafka)},
        is_advertised=settings.advertise is not None,
        hosts=settings.hosts,
        metrics=ground.metrics,
        security=_kafka_security(ground) if settings.kafka_security else None,
    )


def _kafka_security(ground: Ground) -> KafkaSecurity:
    from cloudlet.shell.kafka_security import KafkaSecurity

    settings = ground.settings
    return KafkaSecurity(ground.folder, settings.names, ground.token, account=settings.account)


def _etcd(ground: Ground) -> Face:
    from cloudlet.coord.etcd.settings import settings_of
    from cloudlet.shell.etcd_face import EtcdFace

    return EtcdFace(
        ground.stores.keys, ground.clock, ground.ids, settings_of(ground.settings.etcd),
        host_names=ground.settings.names, tls=partial(_tls, ground), metrics=ground.metrics,
    )  # fmt: skip


def _zookeeper(ground: Ground) -> Face:
    from cloudlet.coord.zookeeper.settings import settings_of
    from cloudlet.shell.zookeeper_face import ZooKeeperFace

    return ZooKeeperFace(
        ground.stores.keys, ground.clock, ground.ids, settings_of(ground.settings.zookeeper),
        host_names=ground.settings.names, tls=partial(_tls, ground), metrics=ground.metrics,
    )  # fmt: skip


def _tls(ground: Ground) -> SSLContext:
    """How a face speaks TLS; made at the first handshake, as it needs a slow import."""
    from cloudlet.shell.local_ca import LocalAuthority

    return LocalAuthority(ground.folder, ground.clock.wall_ms()).server_context(ground.settings.names)
