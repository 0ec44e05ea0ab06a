"""One client's connection, without its socket: who it is, and the frames that wait to be sent to it.

State   in memory
Source  ZooKeeper 3.9, ServerCnxn
Absent  none

Each frame waits for the revision that was the head when it was made: what it shows may not be seen before
that is settled. As the head never goes back, the frames are in the order of what they wait for, so one that
waits holds back nothing that could go.
"""

from __future__ import annotations

from collections import deque

from cloudlet.coord.zookeeper.acl import Identity
from cloudlet.coord.zookeeper.sasl import DigestServer
from cloudlet.coord.zookeeper.sessions import Session
from cloudlet.kernel.keys import Author, LocalKeys
from cloudlet.wire.zookeeper import reply_frame

NEVER = 1 << 63
"""Of a frame that is being made: the store's head never gets there."""

OUTBOX_BYTES_MAX = 64 << 20
"""A client that takes nothing while it is told this much is cut off."""


class Client:
    """A connection."""

    __slots__ = (
        "_keys",
        "_unsent",
        "address",
        "author",
        "began_ms",
        "identities",
        "is_closing",
        "is_gone",
        "is_overfull",
        "is_secure",
        "is_waiting",
        "last_op",
        "last_xid",
        "last_zxid",
        "outbox",
        "outbox_bytes",
        "received",
        "sasl",
        "sent",
        "session",
    )

    def __init__(
        self,
        keys: LocalKeys,
        address: str,
        unsent: dict[Client, None],
        *,
        port: int = 0,
        is_secure: bool = False,
        subject: str | None = None,
        began_ms: int = 0,
    ) -> None:
        """`unsent` are those with something to send; `subject` is the name in a TLS client's certificate."""
        self._keys = keys
        self._unsent = unsent
        self.address = f"{address}:{port}"
        self.author = Author("zookeeper", "", address)
        self.identities: list[Identity] = [("ip", address)]
        if subject is not None:
            self.identities.append(("x509", subject))
        self.is_secure = is_secure
        self.session: Session | None = None
        self.sasl: DigestServer | None = None
        self.outbox: deque[tuple[int, bytes]] = deque()
        self.outbox_bytes = 0
        self.is_closing = False  # once the outbox is empty
        self.is_gone = False
        self.is_overfull = False
        self.is_waiting = False  # for a frame that is being made
        self.began_ms = began_ms
        self.received = 0
        self.sent = 0
        self.last_op = "NA"
        self.last_xid = 0
        self.last_zxid = 0

    @property
    def name(self) -> str:
        """Its session, as dumps show it."""
        return f"{self.session.id:#x}" if self.session is not None else self.address

    def send(self, frame: bytes, head: int | None = None) -> None:
        """Send a frame once what it shows is settled; `head` is the store's, where it was just looked at."""
        if self.is_gone:
            return
        outbox = self.outbox
        if not outbox:
            self._unsent[self] = None
        outbox.append((self._keys.head if head is None else head, frame))
        self.outbox_bytes += len(frame)
        if self.outbox_bytes > OUTBOX_BYTES_MAX:
            self.is_overfull = True

    def wait(self) -> None:
        """Keep a place for a frame that is being made: what is sent from now on comes behind it."""
        self.send(b"", NEVER)
        self.is_waiting = True

    def fulfil(self, frame: bytes, head: int) -> None:
        """The frame that a place was kept for."""
        at = next(at for at, kept in enumerate(self.outbox) if kept[0] == NEVER)
        self.outbox[at] = (head, frame)
        self.outbox_bytes += len(frame)
        self.is_waiting = False

    def send_instead(self, xid: int, body: bytes, error: int) -> None:
        """Give up the place that was kept: the reply comes behind what was sent meanwhile."""
        place = next(kept for kept in self.outbox if kept[0] == NEVER)
        self.outbox.remove(place)
        self.is_waiting = False
        head = self.last_zxid = self._keys.head
        self.send(reply_frame(xid, head, error, body), head)

    def close(self) -> None:
        """Close the connection behind what is to be sent."""
        self.is_closing = True
        self._unsent[self] = None

    def take(self, settled: int) -> bytes:
        """The frames that may be sent now, taken out."""
        outbox = self.outbox
        if not outbox or outbox[0][0] > settled:
            return b""
        data = outbox.popleft()[1]
        self.sent += 1
        if outbox and outbox[0][0] <= settled:
            ready = [data]
            while outbox and outbox[0][0] <= settled:
                ready.append(outbox.popleft()[1])
            self.sent += len(ready) - 1
            data = b"".join(ready)
        self.outbox_bytes -= len(data)
        return data

    def be(self, identity: Identity) -> None:
        """The client has proven who else it is, or is given a right."""
        if identity not in self.identities:
            self.identities.append(identity)
