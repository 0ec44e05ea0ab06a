"""Settings: one frozen value, built by the command line and passed down.

State   none
Source  docs/cli.md
Absent  --brokers, --kafka, --kafka-security, --keys, --logs and --blobs come with the faces and engines that
        they configure, and are refused by name until then
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_AWS_PORT = 4566
FACES = ("aws",)
"""What can be asked for with --only today."""

FACES_TO_COME = ("kafka", "etcd", "zookeeper", "consul", "dns")


@dataclass(frozen=True, slots=True)
class Settings:
    """How one cloud is started. `data` is its folder; an ephemeral cloud has one that goes with it."""

    data: str
    ephemeral: bool = False
    ports: str = "default"  # "auto": free ones, picked once per data folder and kept; or "aws=PORT"
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

    @property
    def aws_port(self) -> int:
        """The port of the AWS face that `ports` names, 0 where it names none."""
        face, _, port = self.ports.partition("=")
        return int(port) if face == "aws" else 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which clients may reach us, beside localhost's."""
        given = (self.host, self.advertise)
        return tuple(name for name in given if name)
