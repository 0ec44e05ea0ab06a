"""SCRAM: the salted credentials of users, and the server's side of the exchange.

State   none here: credentials are kept by users.py
Source  RFC 5802 and RFC 7677; Apache Kafka 4.3, "Authentication using SASL/SCRAM", KIP-84, KIP-554
Absent  channel binding (no client of Kafka's offers it); SASLprep beyond plain text; delegation tokens

    client                                        server
    n,,n=alice,r=ABC                      ->
                                          <-      r=ABCxyz,s=<salt>,i=4096
    c=biws,r=ABCxyz,p=<proof>             ->
                                          <-      v=<signature>

The proof is the client's key, covered by a signature that only the stored key makes: the server learns the
key, hashes it, and compares the hash with what it keeps, so it never holds anything that could log in.
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from hmac import compare_digest
from hmac import digest as hmac_digest
from types import MappingProxyType

from cloudlet.aws.record import Record

HASHES = MappingProxyType({"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"})
"""Mechanism -> the name of its hash."""

NUMBERS = MappingProxyType({"SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2})
"""Mechanism -> its number on the wire."""

ITERATIONS_MIN = 4096
ITERATIONS_MAX = 16_384
SALT_BYTES = 24
NONCE_BYTES = 18
MESSAGE_BYTES_MAX = 8192


class Credential(Record):
    """What is kept of a password under one mechanism."""

    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int


class SaslFailure(Exception):
    """The exchange has failed; the message is what the client is told. `challenge` is sent first, where the
    mechanism gives the client a last word."""

    def __init__(self, message: str, challenge: bytes | None = None) -> None:
        super().__init__(message)
        self.challenge = challenge


def salted_password(mechanism: str, password: str, salt: bytes, iterations: int) -> bytes:
    """What both sides derive from a password: 1 ms for 4,096 iterations."""
    return hashlib.pbkdf2_hmac(HASHES[mechanism], password.encode(), salt, iterations)


def credential_of(mechanism: str, salted: bytes, salt: bytes, iterations: int) -> Credential:
    """What is kept of a salted password."""
    name = HASHES[mechanism]
    client_key = hmac_digest(salted, b"Client Key", name)
    return Credential(
        salt, hashlib.new(name, client_key).digest(), hmac_digest(salted, b"Server Key", name), iterations
    )


def is_password(mechanism: str, credential: Credential, password: str) -> bool:
    """Whether a password is the one that a credential was made from: for PLAIN, which sends it."""
    salted = salted_password(mechanism, password, credential.salt, credential.iterations)
    made = credential_of(mechanism, salted, credential.salt, credential.iterations)
    return compare_digest(made.stored_key, credential.stored_key)


def refused(mechanism: str) -> SaslFailure:
    """What is said to who does not know the password, or whom nobody knows."""
    return SaslFailure(
        "Authentication failed during authentication due to invalid credentials with SASL mechanism "
        + mechanism
    )


class ScramExchange:
    """One client's exchange. `find` gives a user's credential; `nonce` is random text of our own."""

    def __init__(self, mechanism: str, find: Callable[[str], Credential | None], nonce: str) -> None:
        self._mechanism = mechanism
        self._find = find
        self._own_nonce = nonce
        self._credential: Credential | None = None
        self._user = ""
        self._first = b""  # both first messages, as they are signed
        self._nonce = ""
        self._header = b""
        self.principal: str | None = None  # once the client has proven itself
        self.expires_ms: int | None = None

    def step(self, message: bytes) -> bytes:
        """The answer to the client's next message. SaslFailure."""
        if self.principal is not None or len(message) > MESSAGE_BYTES_MAX:
            raise refused(self._mechanism)
        try:
            return self._final(message) if self._credential else self._begin(message)
        except (UnicodeDecodeError, binascii.Error, ValueError):
            raise refused(self._mechanism) from None

    def _begin(self, message: bytes) -> bytes:
        flag, authzid, bare = message.split(b",", 2)
        if flag not in (b"n", b"y"):
            raise ValueError("channel binding")
        fields = bare.split(b",")
        name, nonce = (field.partition(b"=") for field in fields[:2])
        if name[0] != b"n" or nonce[0] != b"r" or not nonce[2]:
            raise ValueError("no user or no nonce")
        self._user = name[2].decode().replace("=2C", ",").replace("=3D", "=")
        if authzid not in (b"", b"a=" + name[2]):
            raise SaslFailure(
                "Authentication failed: Client requested an authorization id that is different from username"
            )
        found = self._find(self._user)
        if found is None:
            raise refused(self._mechanism)
        self._credential = found
        self._header = flag + b"," + authzid + b","
        self._nonce = nonce[2].decode("ascii") + self._own_nonce
        salt = b64encode(found.salt).decode()
        reply = f"r={self._nonce},s={salt},i={found.iterations}".encode()
        self._first = bare + b"," + reply
        return reply

    def _final(self, message: bytes) -> bytes:
        assert self._credential is not None
        bare, _, proof = message.rpartition(b",p=")
        fields = bare.split(b",")
        header, nonce = fields[:2]
        # librdkafka before 2.6.1 says its own nonce twice, so Kafka (3.8.1 and later) looks at the end alone.
        if (
            header != b"c=" + b64encode(self._header)
            or not nonce.startswith(b"r=")
            or not nonce.endswith(self._nonce.encode())
        ):
            raise ValueError("another nonce, or another header than the first message's")
        name = HASHES[self._mechanism]
        signed = self._first + b"," + bare
        signature = hmac_digest(self._credential.stored_key, signed, name)
        given = b64decode(proof, validate=True)
        if len(given) != len(signature):
            raise ValueError("a proof of another length")
        client_key = bytes(left ^ right for left, right in zip(given, signature, strict=True))
        if not compare_digest(hashlib.new(name, client_key).digest(), self._credential.stored_key):
            raise refused(self._mechanism)
        self.principal = f"User:{self._user}"
        return b"v=" + b64encode(hmac_digest(self._credential.server_key, signed, name))
