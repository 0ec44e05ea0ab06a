"""SASL's requests: how a client of a secured broker shows who it is.

State   in each connection's peer: how far its authentication has come
Source  Apache Kafka 4.3, SaslServerAuthenticator; KIP-43, KIP-152, KIP-368 (re-authentication)
Absent  delegation tokens

    a connection      may ask
    new               ApiVersions, SaslHandshake
    in an exchange    SaslAuthenticate
    authenticated     everything that its principal is allowed; SaslHandshake to authenticate anew, which has
                      to be done before its proof expires

Clients of listeners without SASL need none, and may not try. Nor does one need it, at the port that takes
both, that has shown a certificate of our authority: it is known by its subject.
"""

from __future__ import annotations

from cloudlet.kafka.call import Call, Handler, Peer
from cloudlet.kafka.security.sasl import MECHANISMS, Exchange, Mechanisms
from cloudlet.kafka.security.scram import SaslFailure
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 17, 18, 36
OPEN = frozenset({SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE})


class Authentication:
    """How far a connection has come."""

    __slots__ = ("exchange", "expires_ms", "is_done")

    def __init__(self, *, is_done: bool = False) -> None:
        self.is_done = is_done
        self.exchange: Exchange | None = None
        self.expires_ms: int | None = None  # wall time


class Authenticator:
    """Of a broker whose clients have to authenticate."""

    def __init__(self, mechanisms: Mechanisms, clock: Clock) -> None:
        self._mechanisms = mechanisms
        self._clock = clock

    def check(self, call: Call) -> None:
        """Whether a request may come now; ProtocolError, which closes the connection."""
        if call.api_key in OPEN:
            return
        state = authentication_of(call.peer)
        if not state.is_done:
            raise ProtocolError(f"API {call.api_key} before authentication")
        if state.expires_ms is not None and self._clock.wall_ms() >= state.expires_ms:
            raise ProtocolError("the client's proof has expired, and it has not authenticated anew")

    def handshake(self, call: Call, request: messages.SaslHandshakeRequest) -> messages.SaslHandshakeResponse:
        """Choose a mechanism."""
        response = messages.SaslHandshakeResponse
        state = authentication_of(call.peer)
        if request.Mechanism not in MECHANISMS:
            return response(ErrorCode=ErrorCode.UNSUPPORTED_SASL_MECHANISM, Mechanisms=list(MECHANISMS))
        state.exchange = self._mechanisms.begin(request.Mechanism)
        return response(Mechanisms=list(MECHANISMS))

    def authenticate(
        self, call: Call, request: messages.SaslAuthenticateRequest
    ) -> messages.SaslAuthenticateResponse:
        """The next message of the exchange."""
        response = messages.SaslAuthenticateResponse
        state = authentication_of(call.peer)
        exchange = state.exchange
        if exchange is None:
            return response(
                ErrorCode=ErrorCode.ILLEGAL_SASL_STATE,
                ErrorMessage="SaslAuthenticate request received without a SASL handshake before it",
            )
        try:
            challenge = exchange.step(bytes(request.AuthBytes))
        except SaslFailure as failure:
            if failure.challenge is not None:
                return response(AuthBytes=failure.challenge)  # its client answers, and is then refused
            state.exchange = None
            return response(ErrorCode=ErrorCode.SASL_AUTHENTICATION_FAILED, ErrorMessage=str(failure))
        if exchange.principal is None:
            return response(AuthBytes=challenge)
        if state.is_done and exchange.principal != call.peer.principal:
            state.exchange = None
            return response(
                ErrorCode=ErrorCode.SASL_AUTHENTICATION_FAILED,
                ErrorMessage=f"Cannot change principals during re-authentication from {call.peer.principal}: "
                f"{exchange.principal}",
            )
        call.peer.principal = exchange.principal
        state.is_done, state.exchange = True, None
        state.expires_ms = exchange.expires_ms
        lifetime_ms = 0
        if exchange.expires_ms is not None:
            lifetime_ms = max(exchange.expires_ms - self._clock.wall_ms(), 1)
        return response(AuthBytes=challenge, SessionLifetimeMs=lifetime_ms)


def authentication_of(peer: Peer) -> Authentication:
    """The state of a connection, begun at its first request."""
    if peer.authentication is None:
        peer.authentication = Authentication(is_done=peer.is_known)
    assert isinstance(peer.authentication, Authentication)
    return peer.authentication


def handshake(call: Call, request: messages.SaslHandshakeRequest) -> messages.SaslHandshakeResponse:
    """Choose a mechanism."""
    authenticator = call.broker.authenticator
    if authenticator is None or not call.peer.takes_sasl:
        return messages.SaslHandshakeResponse(ErrorCode=ErrorCode.ILLEGAL_SASL_STATE)
    return authenticator.handshake(call, request)


def authenticate(call: Call, request: messages.SaslAuthenticateRequest) -> messages.SaslAuthenticateResponse:
    """The next message of the exchange."""
    authenticator = call.broker.authenticator
    if authenticator is None or not call.peer.takes_sasl:
        return messages.SaslAuthenticateResponse(
            ErrorCode=ErrorCode.ILLEGAL_SASL_STATE,
            ErrorMessage="SaslAuthenticate request received on a listener without SASL",
        )
    return authenticator.authenticate(call, request)


HANDLERS: dict[int, Handler] = {SASL_HANDSHAKE: handshake, SASL_AUTHENTICATE: authenticate}
