"""What is to go wrong on a coordination face: the faults that a test puts in force.

State   in memory, until they are lifted or used up
Source  ZooKeeper 3.9, server.controller (ControllerService): its verbs, for all coordination faces
Absent  none

A face asks `of_connection` when a client connects and `of_request` for every request. What ends a session, a
lease or a connection is the face's own doing (`FaultyFace`).
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

import msgspec


class Fate(Enum):
    """What becomes of a request."""

    SERVED = 0
    FAILED = 1  # refused with the protocol's own error, and not carried out
    UNANSWERED = 2  # carried out, and no reply is sent


class Faults(msgspec.Struct):
    """The faults in force on one face."""

    rejects_connections: bool = False
    delay_ms: int = 0  # before every reply
    failing: int = 0  # how many of the next requests fail; -1: all
    unanswered: int = 0  # how many of the next requests get no reply; -1: all

    @property
    def is_idle(self) -> bool:
        """Whether every request is served."""
        return not (self.failing or self.unanswered)

    def of_request(self) -> Fate:
        """What becomes of the next request."""
        if self.failing:
            self.failing -= self.failing > 0
            return Fate.FAILED
        if self.unanswered:
            self.unanswered -= self.unanswered > 0
            return Fate.UNANSWERED
        return Fate.SERVED

    def of_ping(self) -> Fate:
        """What becomes of a sign of life: only a face that answers nothing at all leaves it out."""
        return Fate.UNANSWERED if self.unanswered < 0 else Fate.SERVED

    def lift(self) -> None:
        """No fault is in force any more."""
        self.rejects_connections = False
        self.delay_ms = self.failing = self.unanswered = 0


class FaultyFace(Protocol):
    """What `cloudlet fault` does to a face. Each answers how many it has met; ids are the protocol's own,
    None is all."""

    @property
    def faults(self) -> Faults: ...

    def expire(self, id_: int | None) -> int:
        """End sessions (ZooKeeper) or leases (etcd) now."""

    def drop(self, id_: int | None) -> int:
        """Close client connections: that of a session, or all."""
