"""SASL: how a client of a secured listener proves who it is.

State   none here: an exchange lives as long as its connection's authentication
Source  Apache Kafka 4.3, "Authentication using SASL"; RFC 4616 (PLAIN), RFC 7628 and KIP-255 (OAUTHBEARER);
        Amazon MSK, "IAM access control", and its SASL signers for Java and Python
Absent  GSSAPI (Kerberos); OAUTHBEARER tokens signed by an identity provider: Kafka's own default takes
        unsecured ones (alg none), and so do we, and MSK's IAM tokens

    mechanism        what the client sends                              who it is then
    PLAIN            user and password                                  User:<user>, by its SCRAM credential
    SCRAM-SHA-…      a proof that it knows the password                 User:<user>
    OAUTHBEARER      an unsecured JWT                                   User:<its "sub">
    OAUTHBEARER      an MSK token: a URL signed with AWS credentials    User:<the caller's ARN>
    AWS_MSK_IAM      the same, as JSON                                  User:<the caller's ARN>
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import quote, urlsplit

import msgspec

from cloudlet.aws.identity import Identities
from cloudlet.kafka.security.scram import HASHES, Credential, SaslFailure, ScramExchange, is_password, refused
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import Fault
from cloudlet.wire.http1 import Head
from cloudlet.wire.sigv4 import instant_ms, read_credential

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM")
TOKEN_BYTES_MAX = 65_536
IAM_VERSION = "2020_10_22"
IAM_ACTION = "kafka-cluster:Connect"

Find = Callable[[str, str], Credential | None]
"""(mechanism, user) -> the user's credential."""


class Exchange(Protocol):
    """One client's authentication: `step` until `principal` is known."""

    principal: str | None
    expires_ms: int | None  # wall time at which the proof ends; None: never

    def step(self, message: bytes) -> bytes:
        """What is sent back. SaslFailure."""


class PlainExchange:
    """User and password, in clear: only sensible over TLS."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self.principal: str | None = None
        self.expires_ms: int | None = None

    def step(self, message: bytes) -> bytes:
        try:
            authzid, user, password = message.decode().split("\0")
        except ValueError:  # not text, or not three parts
            raise SaslFailure("Invalid SASL/PLAIN response: expected 3 tokens") from None
        if not user or not password:
            what = "username" if not user else "password"
            raise SaslFailure(f"Authentication failed: {what} not specified")
        if authzid not in ("", user):
            raise SaslFailure(
                "Authentication failed: Client requested an authorization id that is different from username"
            )
        for mechanism in HASHES:
            credential = self._find(mechanism, user)
            if credential is not None and is_password(mechanism, credential, password):
                self.principal = f"User:{user}"
                return b""
        raise SaslFailure("Authentication failed: Invalid username or password")


class Claims(msgspec.Struct):
    """What is read of a token."""

    sub: str
    exp: float
    iat: float | None = None
    nbf: float | None = None


class OAuthExchange:
    """A bearer token: unsecured, or one that an MSK signer has made."""

    def __init__(self, iam: IamVerifier, clock: Clock) -> None:
        self._iam = iam
        self._clock = clock
        self._failed = False
        self.principal: str | None = None
        self.expires_ms: int | None = None

    def step(self, message: bytes) -> bytes:
        if self._failed or len(message) > TOKEN_BYTES_MAX:
            raise refused("OAUTHBEARER")
        token = _bearer(message)
        try:
            if token.count(".") == 2:
                self._take_jwt(token)
            else:
                self.principal, self.expires_ms = self._iam.of_url(_decoded(token).decode("ascii"))
        except (Fault, ValueError, binascii.Error, msgspec.DecodeError) as error:
            self._failed = True
            said = error.message if isinstance(error, Fault) else str(error)
            raise SaslFailure(
                f"Authentication failed: {said or 'invalid token'}", b'{"status":"invalid_token"}'
            ) from None
        return b""

    def _take_jwt(self, token: str) -> None:
        header, payload, signature = token.split(".")
        algorithm = msgspec.json.decode(_decoded(header), type=dict[str, object]).get("alg")
        if algorithm != "none" or signature:
            raise ValueError(f"tokens signed with {algorithm} are not verified here; alg none is")
        claims = msgspec.json.decode(_decoded(payload), type=Claims)
        now_s = self._clock.wall_ms() / 1000
        if not claims.sub:
            raise ValueError("the token names no subject")
        if claims.exp <= now_s:
            raise ValueError("the token has expired")
        if max(claims.nbf or 0.0, claims.iat or 0.0) > now_s + SKEW_S:
            raise ValueError("the token is not valid yet")
        self.principal, self.expires_ms = f"User:{claims.sub}", int(claims.exp * 1000)


SKEW_S = 30.0


def _bearer(message: bytes) -> str:
    """The token of a client's first message: `n,[a=…],\\1auth=Bearer TOKEN\\1[extension\\1…]\\1`."""
    try:
        header, *pairs = message.decode().split("\x01")
    except UnicodeDecodeError:
        raise refused("OAUTHBEARER") from None
    found = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    scheme, _, token = found.get("auth", "").partition(" ")
    if not header.startswith("n,") or scheme.lower() != "bearer" or not token:
        raise SaslFailure("Invalid OAUTHBEARER client first message")
    return token.strip()


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


class IamVerifier:
    """Who has signed a request to connect, by the cloud's own access keys."""

    def __init__(self, identities: Identities, clock: Clock) -> None:
        self._identities = identities
        self._clock = clock

    def of_url(self, url: str) -> tuple[str, int]:
        """(principal, end of the proof) of a signed URL. Fault, ValueError."""
        parts = urlsplit(url)
        # The signers append their own name behind the signature; it is not part of what was signed.
        signed = "&".join(pair for pair in parts.query.split("&") if not pair.startswith("User-Agent="))
        return self._verified(parts.netloc, signed)

    def of_fields(self, fields: Mapping[str, str]) -> tuple[str, int]:
        """The same, of the JSON of AWS_MSK_IAM. Fault, ValueError."""
        if fields.get("version") != IAM_VERSION:
            raise ValueError(f"version {fields.get('version')} of the payload is not known")
        query = {
            "Action": fields.get("action", ""),
            **{IAM_NAMES[name]: value for name, value in fields.items() if name in IAM_NAMES},
        }
        pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
        return self._verified(fields.get("host", ""), "&".join(f"{name}={value}" for name, value in pairs))

    def _verified(self, host: str, query: str) -> tuple[str, int]:
        if f"Action={quote(IAM_ACTION, safe='')}" not in query.split("&"):
            raise ValueError(f"the token is not for {IAM_ACTION}")
        raw = query.encode("ascii")
        headers = {b"host": host.encode("ascii")}
        head = Head("GET", b"/?" + raw, b"/", raw, headers, True, None, False, False)  # noqa: FBT003
        claim = read_credential(head)
        caller = self._identities.caller(claim, head, b"")
        assert claim is not None
        signed_ms = instant_ms(claim.amz_date)
        assert signed_ms is not None
        return f"User:{caller.arn}", signed_ms + (claim.expires_s or IAM_EXPIRES_S) * 1000


IAM_EXPIRES_S = 900
IAM_NAMES = {
    f"x-amz-{name.lower()}": f"X-Amz-{name}"
    for name in ("Algorithm", "Credential", "Date", "Security-Token", "SignedHeaders", "Expires", "Signature")
}


class IamExchange:
    """AWS_MSK_IAM: one JSON object each way."""

    def __init__(self, iam: IamVerifier, request_id: str) -> None:
        self._iam = iam
        self._request_id = request_id
        self.principal: str | None = None
        self.expires_ms: int | None = None

    def step(self, message: bytes) -> bytes:
        if len(message) > TOKEN_BYTES_MAX:
            raise refused("AWS_MSK_IAM")
        try:
            fields = msgspec.json.decode(message, type=dict[str, str])
            self.principal, self.expires_ms = self._iam.of_fields(fields)
        except Fault as error:
            raise SaslFailure(f"Access denied: {error.message}") from None
        except (ValueError, msgspec.DecodeError) as error:
            raise SaslFailure(f"Access denied: {error}") from None
        return msgspec.json.encode({"version": IAM_VERSION, "request-id": self._request_id})


class Mechanisms:
    """What a secured listener offers, and how an exchange begins."""

    def __init__(self, find: Find, identities: Identities, clock: Clock, nonce: Callable[[], str]) -> None:
        self._find = find
        self._iam = IamVerifier(identities, clock)
        self._clock = clock
        self._nonce = nonce

    def begin(self, mechanism: str) -> Exchange:
        """An exchange of a mechanism that is in MECHANISMS."""
        if mechanism == "PLAIN":
            return PlainExchange(self._find)
        if mechanism == "OAUTHBEARER":
            return OAuthExchange(self._iam, self._clock)
        if mechanism == "AWS_MSK_IAM":
            return IamExchange(self._iam, self._nonce())
        return ScramExchange(mechanism, lambda user: self._find(mechanism, user), self._nonce())
