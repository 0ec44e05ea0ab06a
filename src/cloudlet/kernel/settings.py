"""Settings: one frozen value, built by the command line and passed down.

State   none
Source  docs/cli.md
Absent  --brokers, --keys, --logs and --blobs come with the faces and engines that they
        configure, and are refused by name until then
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cloudlet.kernel.listeners import Listener, parse_listeners

DEFAULT_PORTS: Mapping[str, int] = MappingProxyType(
    {"aws": 4566, "kafka": 9092, "etcd": 2379, "zookeeper": 2181}
)
LOOPBACK = ("127.0.0.1", "::1")
FACES = ("aws", "kafka", "etcd", "zookeeper")
"""What can be asked for with --only today; all of it is started without."""

FACES_TO_COME = ("consul", "dns")


@dataclass(frozen=True, slots=True)
class Settings:
    """How one cloud is started. `data` is its folder; an ephemeral cloud has one that goes with it."""

    data: str
    ephemeral: bool = False
    ports: str = "default"  # "auto": free ones, picked once per data folder and kept; or "aws=PORT,…"
    only: tuple[str, ...] = FACES
    host: str | None = None  # None: 127.0.0.1 and ::1
    advertise: str | None = None
    account: str = "000000000000"
    region: str = "us-east-1"
    strict: bool = False
    sync: bool = False
    data_events: bool = False
    no_cooldowns: bool = False
    init: str | None = None  # a file that says what is to be there at start
    kafka: tuple[tuple[str, str], ...] = ()  # properties of the broker
    etcd: tuple[tuple[str, str], ...] = ()  # flags of etcd's
    zookeeper: tuple[tuple[str, str], ...] = ()  # properties of ZooKeeper's
    kafka_security: bool = False  # clients authenticate, TLS is spoken, access is checked

    def port_of(self, face: str, kept: int = 0) -> int:
        """The port of a face: as named, its default, or what was picked at an earlier start (0: any)."""
        if self.ports == "default":
            listeners = self.listeners_of(face)
            return listeners[0].port if listeners else DEFAULT_PORTS[face]
        return kept if self.is_picked(face) else self._named_ports()[face]

    def is_picked(self, face: str) -> bool:
        """Whether the face gets a free port: `auto`, or a list of others' ports."""
        return self.ports == "auto" or (self.ports != "default" and face not in self._named_ports())

    def listeners_of(self, face: str) -> tuple[Listener, ...]:
        """Where a face is to listen by properties of its own; the first one is its port."""
        said = dict(self.kafka).get("listeners", "") if face == "kafka" else ""
        return parse_listeners(said)

    def hosts_of(self, face: str) -> tuple[str, ...]:
        """The addresses that a face listens on."""
        listeners = self.listeners_of(face)
        if listeners and listeners[0].host:
            return (listeners[0].host,)
        return self.hosts

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses that faces listen on."""
        return (self.host,) if self.host else LOOPBACK

    def _named_ports(self) -> dict[str, int]:
        pairs = (part.partition("=") for part in self.ports.split(",") if "=" in part)
        return {face.strip(): int(port) for face, _, port in pairs}

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which clients may reach us, beside localhost's."""
        given = (self.host, self.advertise)
        return tuple(name for name in given if name)
