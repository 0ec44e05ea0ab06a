"""One request of a Kafka client, as its handler sees it.

State   none
Source  Apache Kafka 4.3, "Kafka protocol guide": request header v1 and v2
Absent  none

Theory of operation
    A handler is a function `(call, request) -> response`, plain or `async`, kept in a table by API key
    (dispatch.py). It may wait as long as it likes, but holds the loop never longer than a few milliseconds.

        returns a response    it is encoded in the version of the request and sent
        returns None          nothing is sent: Produce with acks=0
        raises KafkaFault     its code, in the response's ErrorCode where there is one
        raises ProtocolError  the connection is closed, as Kafka closes it for what it cannot answer

    A connection has one request at work at a time, in the order of arrival. A client that goes does not
    cancel its request, which may be half-way through a change: a handler that only waits (a long poll) asks
    `call.peer.on_gone` to be told.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from cloudlet.kafka.broker import Broker
    from cloudlet.kafka.pacing import Pace

ANONYMOUS = "User:ANONYMOUS"
"""The principal of a client that has not authenticated."""

Cancel = Callable[[], None]


class Encoded(NamedTuple):
    """A response's body that is encoded already, in the version of the request, whole or in parts."""

    body: bytes
    more: tuple[bytes | memoryview, ...] = ()


class Peer:
    """The client at the other end of one connection: what is known of it across its requests."""

    __slots__ = (
        "_gone",
        "address",
        "authentication",
        "is_gone",
        "is_known",
        "listener",
        "local_address",
        "pace",
        "principal",
        "software_name",
        "software_version",
        "takes_sasl",
    )

    def __init__(self, address: str, local_address: str, listener: str = "PLAINTEXT") -> None:
        self.address = address  # the client's host, as Kafka shows it: "/127.0.0.1"
        self.local_address = local_address  # HOST:PORT that the client dialled
        self.listener = listener
        self.principal = ANONYMOUS
        self.is_known = False  # without SASL: by its certificate, or by a listener that does not ask
        self.takes_sasl = True  # its listener
        self.authentication: object = None  # how far it has come (security/authentication.py)
        self.pace: Pace | None = None  # of its fetches, where it is a client that has to be paced
        self.software_name = ""
        self.software_version = ""
        self.is_gone = False
        self._gone: dict[int, Callable[[], None]] = {}

    def on_gone(self, callback: Callable[[], None]) -> Cancel:
        """Be told once when the connection is lost, at once if it is; the result takes the wish back."""
        if self.is_gone:
            callback()
            return _nothing
        mark = id(callback)
        self._gone[mark] = callback
        return lambda: self._gone.pop(mark, None) and None

    def leave(self) -> None:
        """The connection is lost: tell all who asked."""
        self.is_gone = True
        callbacks, self._gone = list(self._gone.values()), {}
        for callback in callbacks:
            callback()


class Call:
    """What came with a request beside its body."""

    __slots__ = (
        "api_key",
        "api_version",
        "broker",
        "client_id",
        "correlation_id",
        "has_waited",
        "is_long",
        "mute_ms",
        "peer",
        "request_bytes",
    )

    def __init__(
        self,
        broker: Broker,
        peer: Peer,
        api_key: int,
        api_version: int,
        correlation_id: int = 0,
        client_id: str | None = None,
    ) -> None:
        self.broker = broker
        self.peer = peer
        self.api_key = api_key
        self.api_version = api_version
        self.correlation_id = correlation_id
        self.client_id = client_id or ""
        self.request_bytes = 0  # of its frame
        self.has_waited = False
        self.is_long = False  # its answer: it is written in turns (long_answers.py)
        self.mute_ms = 0  # KIP-219: nothing is read from the connection for so long after the response

    @property
    def principal(self) -> str:
        """The authenticated client, "User:NAME"."""
        return self.peer.principal

    @property
    def host(self) -> str:
        """The client's address."""
        return self.peer.address

    @property
    def listener(self) -> str:
        """The name of the listener that the client came by."""
        return self.peer.listener


# What a handler takes and gives is a pair of message classes of its API; the table cannot say which.
Handler = Callable[[Call, Any], Coroutine[object, None, Any] | Any]


class Part(Protocol):
    """What a broker keeps beside its topics, derived from internal topics and keys alone."""

    def __init__(self, broker: Broker) -> None: ...

    def start(self) -> None:
        """Begin: replay what the stores hold, set timers. The loop runs, and is not to be held long."""

    async def close(self) -> None:
        """Stop timers and tasks, answer who waits, and forget. The part is not used again: after a restore
        the broker makes a new one."""


def _nothing() -> None:
    """There is no wish to take back."""
