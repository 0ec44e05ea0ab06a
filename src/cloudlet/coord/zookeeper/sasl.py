"""SASL DIGEST-MD5, the server's side.

State   in memory: one exchange
Source  RFC 2831; ZooKeeper 3.9: ZooKeeperSaslServer, SaslServerCallbackHandler, DigestLoginModule
Absent  GSSAPI; the qualities auth-int and auth-conf, which ZooKeeper's clients never ask for; subsequent
        authentication (the client begins anew)

    client  (empty)              server  realm, nonce, qop="auth", charset, algorithm=md5-sess
    client  username, response   server  rspauth, and the exchange is complete
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from hmac import compare_digest

from cloudlet.kernel.fault import Fault

REALM = "zk-sasl-md5"
PROTOCOL = "zookeeper"
TOKEN_BYTES_MAX = 4096  # RFC 2831 2.1.1: "The size of a digest-challenge MUST be less than 2048 bytes"

Failed = Fault("AUTHFAILED")

_DIRECTIVE = re.compile(rb'\s*([a-zA-Z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^,"\s]*))\s*(?:,|\Z)', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


class DigestServer:
    """One exchange; `users` are names and their passwords."""

    def __init__(self, users: Mapping[str, str], nonce: str) -> None:
        self._users = users
        self._nonce = nonce
        self._is_asked = False
        self.user: str | None = None  # once complete

    def step(self, token: bytes) -> bytes | None:
        """What is said to a client's token; Failed."""
        if self.user is not None or len(token) > TOKEN_BYTES_MAX:
            raise Failed("the exchange is over")
        if not self._is_asked:
            self._is_asked = True
            if not token:
                return (
                    f'realm="{REALM}",nonce="{self._nonce}",qop="auth",charset=utf-8,algorithm=md5-sess'
                ).encode()
        return self._prove(parse(token))

    def _prove(self, said: Mapping[str, bytes]) -> bytes:
        user = said.get("username", b"").decode("utf-8", "replace")
        password = self._users.get(user)
        if said.get("nonce", b"").decode("latin-1") != self._nonce or said.get("nc") != b"00000001":
            raise Failed("the nonce is not the one given")
        if said.get("qop", b"auth") != b"auth" or "cnonce" not in said:
            raise Failed("only the quality auth is offered")
        if not said.get("digest-uri", b"").startswith(PROTOCOL.encode() + b"/"):
            raise Failed("the digest-uri is another service's")
        authzid = said.get("authzid", b"").decode("utf-8", "replace")
        expected = response_of(said, password or "", "AUTHENTICATE")
        if not compare_digest(expected.encode(), said.get("response", b"")) or password is None:
            raise Failed(f"the password of {user!r} is not right")
        if authzid and authzid != user:
            raise Failed(f"{user!r} may not act as {authzid!r}")
        self.user = user
        return b"rspauth=" + response_of(said, password, "").encode()


def parse(token: bytes) -> dict[str, bytes]:
    """The directives of a token; Failed for what is none, or one that comes twice."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(token):
        match = _DIRECTIVE.match(token, at)
        if match is None or match.end() == at:
            raise Failed("the response cannot be read")
        name = match[1].decode().lower()
        if name in found:
            raise Failed(f"{name} is there twice")
        found[name] = match[3] if match[2] is None else _ESCAPED.sub(rb"\1", match[2])
        at = match.end()
    return found


def response_of(said: Mapping[str, bytes], password: str, method: str) -> str:
    """RFC 2831 2.1.2.1, with qop auth; `method` is empty for the server's own answer."""
    user, realm = said.get("username", b""), said.get("realm", b"")
    nonce, cnonce = said.get("nonce", b""), said.get("cnonce", b"")
    secret = _md5(user + b":" + realm + b":" + password.encode())
    a1 = secret + b":" + nonce + b":" + cnonce
    if said.get("authzid"):
        a1 += b":" + said["authzid"]
    a2 = method.encode() + b":" + said.get("digest-uri", b"")
    middle = b":".join((nonce, said.get("nc", b""), cnonce, b"auth"))
    return _md5(_md5(a1).hex().encode() + b":" + middle + b":" + _md5(a2).hex().encode()).hex()


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
