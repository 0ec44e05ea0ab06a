"""Share sessions: which partitions a member fetches, and which fetch is to be its next.

State   in memory: the sessions; a client whose session is gone is told, and begins anew
Source  Apache Kafka 4.3: ShareSessionCache, SharePartitionManager.newContext; KIP-932
Absent  none

A session begins with epoch 0 on a connection and ends with epoch -1, or with the connection; then all that
its member has acquired is released.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cloudlet.kafka.call import Cancel
from cloudlet.kafka.faults import KafkaFault
from cloudlet.wire.kafka.error_codes import ErrorCode

FINAL_EPOCH = -1
FIRST_EPOCH = 0
EPOCH_MAX = (1 << 31) - 1

PLACES_MAX = 100_000  # of a session; Kafka knows no bound

Place = tuple[bytes, int]
"""A topic's id and a partition's index."""


class SessionKey(NamedTuple):
    group: str
    member: str


class Session:
    """One session; `epoch` is what its next request must bring."""

    __slots__ = ("cancel", "epoch", "key", "places", "used")

    def __init__(self, key: SessionKey) -> None:
        self.key = key
        self.epoch = FIRST_EPOCH + 1
        self.places: dict[Place, None] = {}
        self.used: set[Place] = set()  # those that it has read from since it began: some may be forgotten
        self.cancel: Cancel | None = None  # takes back the wish to be told when the connection is lost

    def change(self, wanted: Iterable[Place], forgotten: Iterable[Place]) -> None:
        """Take in what a fetch says of its partitions; INVALID_REQUEST for too many."""
        for place in wanted:
            self.places.setdefault(place)
        for place in forgotten:
            self.places.pop(place, None)
        if len(self.places) > PLACES_MAX:
            self.places.clear()
            raise KafkaFault(ErrorCode.INVALID_REQUEST, f"A session has at most {PLACES_MAX} partitions.")

    def step(self) -> None:
        self.epoch = 1 if self.epoch == EPOCH_MAX else self.epoch + 1

    def rotated(self, epoch: int) -> list[Place]:
        """Its partitions, another one first each time, so that none starves."""
        places = list(self.places)
        if not places:
            return places
        first = max(epoch, 0) % len(places)
        return places[first:] + places[:first]


class Sessions:
    """The sessions of a broker."""

    def __init__(self) -> None:
        self._sessions: dict[SessionKey, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def make(self, key: SessionKey, sessions_max: int) -> Session:
        """Another session; SHARE_SESSION_LIMIT_REACHED."""
        if len(self._sessions) >= sessions_max:
            raise KafkaFault(ErrorCode.SHARE_SESSION_LIMIT_REACHED)
        found = self._sessions[key] = Session(key)
        return found

    def peek(self, key: SessionKey) -> Session | None:
        return self._sessions.get(key)

    def find(self, key: SessionKey, epoch: int) -> Session:
        """The session that a request goes on with, or (-1) ends; SHARE_SESSION_NOT_FOUND,
        INVALID_SHARE_SESSION_EPOCH."""
        found = self._sessions.get(key)
        if found is None:
            raise KafkaFault(ErrorCode.SHARE_SESSION_NOT_FOUND)
        if epoch == FINAL_EPOCH:
            return found
        if found.epoch != epoch:
            raise KafkaFault(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
        found.step()
        return found

    def drop(self, session: Session) -> bool:
        """Forget a session; False if it was not there any more."""
        if self._sessions.get(session.key) is not session:
            return False
        del self._sessions[session.key]
        if session.cancel is not None:
            session.cancel()
            session.cancel = None
        return True
