"""Sessions: who is connected, or may come back, and when each is over.

State   ("zk", "session", id) -> SessionRecord; the lease with the session's id, whose keys are its ephemerals
        in memory: when each was last heard of
Source  ZooKeeper 3.9: SessionTrackerImpl, ExpiryQueue, ZooKeeperServer.processConnectRequest
Absent  local sessions

Theory of operation
    A session is over when nothing was heard of it for its timeout, on the monotonic clock; after a restart
    each has its whole timeout anew. A jump of cloud time counts a connected client as having just been heard
    of, and is time that passed for one that is away. The end is an ordinary commit of ours; the lease, which
    lives ten seconds longer, is the backstop for when nobody is here to make one.

    Sessions stand in buckets by the earliest instant at which they may be over. When that comes, one that was
    heard of since moves to a later bucket. So hearing of a session is one assignment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from cloudlet.kernel.keys import Author, LeaseId, LocalKeys, Put
from cloudlet.kernel.tuples import pack, prefix_range, unpack
from cloudlet.wire.zookeeper import PASSWORD_BYTES

if TYPE_CHECKING:
    from cloudlet.coord.zookeeper.client import Client

BACKSTOP_MS = 10_000
BUCKET_MS = 100

SESSIONS_SPACE = prefix_range(("zk", "session"))


class SessionRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A session as it is kept."""

    password: bytes
    timeout_ms: int


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(SessionRecord).decode


def session_key(session: LeaseId) -> bytes:
    """Where a session is kept."""
    return pack(("zk", "session", session))


class Session:
    """One session."""

    __slots__ = (
        "author",
        "client",
        "heard_cloud_ms",
        "heard_ms",
        "id",
        "lease_ms",
        "password",
        "timeout_ms",
    )

    def __init__(self, session: LeaseId, password: bytes, timeout_ms: int) -> None:
        self.id = session
        self.password = password
        self.timeout_ms = timeout_ms
        self.client: Client | None = None
        self.heard_ms = 0.0
        self.heard_cloud_ms = 0
        self.lease_ms = timeout_ms  # the lease has this and BACKSTOP_MS, whatever was agreed later
        self.author = Author("zookeeper", f"{session:#x}")

    def is_over(self, now_ms: float, cloud_ms: int) -> bool:
        """Nothing was heard for too long: on the monotonic clock, or, of who is away, on cloud time."""
        if self.heard_ms + self.timeout_ms <= now_ms:
            return True
        return self.client is None and cloud_ms - self.heard_cloud_ms >= self.timeout_ms

    def record(self) -> Put:
        """What is kept of it."""
        return Put(session_key(self.id), encode(SessionRecord(self.password, self.timeout_ms)))


class Sessions:
    """All sessions."""

    def __init__(self, keys: LocalKeys) -> None:
        self._keys = keys
        self.by_id: dict[LeaseId, Session] = {}
        self._buckets: dict[int, set[Session]] = {}
        self._reached = 0  # the last bucket looked at
        self._numbered = 0
        self._renewing: list[Session] = []

    def open(self, now_ms: float, cloud_ms: int) -> None:
        """Take in what the store holds, each heard of just now."""
        self.by_id, self._buckets = {}, {}
        self._reached = int(now_ms) // BUCKET_MS
        leases = {lease.id for lease in self._keys.leases()}
        for entry in self._keys.scan(*SESSIONS_SPACE):
            number = unpack(entry.key)[2]
            assert isinstance(number, int)
            kept = decode(entry.value)
            session = Session(LeaseId(number), kept.password, kept.timeout_ms)
            if session.id not in leases:  # the crash came between the two
                self._keys.lease_begin(session.id, session.timeout_ms + BACKSTOP_MS)
            session.heard_cloud_ms = cloud_ms
            self.add(session, now_ms)

    def add(self, session: Session, now_ms: float) -> None:
        """A session begins, or is taken in."""
        session.heard_ms = now_ms
        self.by_id[session.id] = session
        self._place(session)

    def remove(self, session: Session) -> None:
        """A session is over."""
        self.by_id.pop(session.id, None)

    def next_id(self, wall_ms: int) -> LeaseId:
        """A fresh id, laid out as ZooKeeper's server 1 does: 1, 40 bits of time, 16 of a count. No lease has
        it either: a crash may have left one without its session."""
        while True:
            self._numbered += 1
            number = 1 << 56 | (wall_ms & (1 << 40) - 1) << 16 | self._numbered & 0xFFFF
            if self._keys.find_lease(LeaseId(number)) is None:
                return LeaseId(number)

    @staticmethod
    def as_id(number: int) -> LeaseId:
        """The id that a client names."""
        return LeaseId(number)

    def postpone(self, session: Session) -> None:
        """It is over and could not be ended: `due` gives it again."""
        self._place(session)

    def to_renew(self) -> list[Session]:
        """The sessions whose lease is to be renewed, each once: `due` has seen that they live."""
        found, self._renewing = self._renewing, []
        return found

    def _place(self, session: Session) -> None:
        over_ms = session.heard_ms + min(session.timeout_ms, session.lease_ms)
        at = int(over_ms) // BUCKET_MS + 1
        self._buckets.setdefault(max(at, self._reached + 1), set()).add(session)

    def due(self, now_ms: float) -> Iterator[Session]:
        """The sessions that are over by now; each once."""
        reached = int(now_ms) // BUCKET_MS
        for at in sorted(at for at in self._buckets if at <= reached):
            for session in self._buckets.pop(at):
                self._reached = max(self._reached, at)
                if self.by_id.get(session.id) is not session:
                    continue
                if session.heard_ms + session.timeout_ms <= now_ms:
                    yield session
                else:
                    self._renewing.append(session)
                    self._place(session)

    def jumped(self, now_ms: float, cloud_ms: int) -> list[Session]:
        """Cloud time has made a step: those that are away and are over by it. Who is connected has been
        heard of."""
        over: list[Session] = []
        for session in self.by_id.values():
            if session.client is not None:
                session.heard_ms, session.heard_cloud_ms = now_ms, cloud_ms
                self._renewing.append(session)
            elif cloud_ms - session.heard_cloud_ms >= session.timeout_ms:
                over.append(session)
        return over


def is_password(session: Session, given: bytes | None) -> bool:
    """Whether a client that comes back has the session's password."""
    return given is not None and len(given) == PASSWORD_BYTES and given == session.password
