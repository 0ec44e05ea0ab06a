"""Who is calling: from a credential to an account and a principal.

State   ("iam-keys", access key id) -> AccessKey, written by IAM and STS, read here
Source  IAM User Guide, "IAM identifiers", "Understanding unique ID prefixes"; the services' "Common Errors";
        S3 API Reference, "Error responses"; docs/architecture.md, "Who is calling"
Absent  multi-factor devices; keys of other partitions (aws-cn, aws-us-gov)

    access key               acts as                            its signature
    made by IAM or STS       the principal it was made for      verified, with its session token
    test                     root of the default account        verified with the secret "test"
    12 digits                root of that account               not verified; strict: with the secret "test"
    any other                root of the default account        not verified; strict: refused
    none                     nobody                             only where the operation asks for none
"""

from __future__ import annotations

import base64
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from typing import Literal, NamedTuple

import msgspec

from cloudlet.aws.record import Record
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import Fault
from cloudlet.kernel.keys import Keys
from cloudlet.kernel.tuples import Tuple, pack
from cloudlet.wire import sigv2
from cloudlet.wire.aws_chunked import Chain, ChunkDecoder, PlainBody, body_of, is_framed
from cloudlet.wire.http1 import Head
from cloudlet.wire.sigv4 import Claim
from cloudlet.wire.sigv4_verify import PAYLOAD_WORDS, SigningKey, Verifier, body_mismatch

DEFAULT_ACCOUNT = "000000000000"
DEFAULT_KEY = "test"
DEFAULT_SECRET = "test"

INVALID_TOKEN = "The security token included in the request is invalid."

MissingAuthenticationToken = Fault(
    "MissingAuthenticationToken", "Request is missing Authentication Token", status=403
)
AccessDenied = Fault("AccessDenied", "Access Denied", status=403)
InvalidClientTokenId = Fault("InvalidClientTokenId", INVALID_TOKEN, status=403)
InvalidAccessKeyId = Fault(
    "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", status=403
)
InvalidToken = Fault("InvalidToken", "The provided token is malformed or otherwise invalid.", status=400)
ExpiredToken = Fault("ExpiredToken", "The security token included in the request is expired", status=403)
ExpiredTokenS3 = Fault("ExpiredToken", "The provided token has expired.", status=400)

JSON_CODES = {
    "ExpiredToken": "ExpiredTokenException",
    "IncompleteSignature": "IncompleteSignatureException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
}
"""How the services that speak JSON or CBOR spell the faults of this module and of `wire.sigv4`."""

PrincipalType = Literal["Root", "IAMUser", "AssumedRole", "Anonymous"]
"""In the words of CloudTrail's userIdentity."""


class AccessKey(Record):
    """A key that IAM or STS made. One with a session token is temporary, and useless without it."""

    secret: str
    account: str
    arn: str
    user_id: str
    principal_type: PrincipalType
    session_token: str = ""
    expires_ms: int = 0  # wall time, since its client compares it with its own clock; 0: never
    is_active: bool = True


class Caller(NamedTuple):
    """The principal of one call."""

    account: str
    arn: str
    user_id: str
    access_key: str
    principal_type: PrincipalType
    root: bool
    is_temporary: bool = False


def key_of(access_key_id: str) -> Tuple:
    """Where a key made by IAM or STS is kept."""
    return ("iam-keys", access_key_id)


def account_of_key(access_key_id: str) -> str | None:
    """The account that a 12-digit access key names."""
    if len(access_key_id) == 12 and access_key_id.isascii() and access_key_id.isdecimal():
        return access_key_id
    return None


@lru_cache(maxsize=1024)
def root_of(account: str, access_key: str = "") -> Caller:
    """The root of an account."""
    return Caller(account, f"arn:aws:iam::{account}:root", account, access_key, "Root", root=True)


def unique_id(prefix: str, token: bytes) -> str:
    """A unique id as IAM forms them: AIDA… for a user, AROA… a role, AKIA… and ASIA… keys.

    `token` are 10 random bytes, which give 16 letters and digits.
    """
    return prefix + base64.b32encode(token).decode()


def in_json(fault: Fault) -> Fault:
    """The same fault as the JSON and CBOR services spell it."""
    code = JSON_CODES.get(fault.code)
    return fault if code is None else Fault(code, fault.message, status=fault.status, detail=fault.detail)


@lru_cache(maxsize=4096)
def packed_key(access_key_id: str) -> bytes:
    """The same as it is kept."""
    return pack(key_of(access_key_id))


decode_key = msgspec.msgpack.Decoder(AccessKey).decode


class Identities:
    """Answers who a claim belongs to, over the keys that IAM and STS have made."""

    __slots__ = ("_account", "_clock", "_is_strict", "_keys", "_verifier")

    def __init__(
        self, keys: Keys, clock: Clock, *, account: str = DEFAULT_ACCOUNT, is_strict: bool = False
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._account = account
        self._is_strict = is_strict
        self._verifier = Verifier()

    def caller(
        self,
        claim: Claim | None,
        head: Head,
        body: bytes | None,
        *,
        is_free: bool = False,
        bucket: str = "",
    ) -> Caller:
        """The caller, or the fault to answer, in the codes of the query services and of S3 (see `in_json`).

        `is_free`: the operation needs no credentials. `body` is None while it is still to come. `bucket` is
        the one that a request to S3 speaks of.
        """
        if claim is None:
            if is_free:
                return Caller(self._account, "", "anonymous", "", "Anonymous", root=False)
            raise MissingAuthenticationToken
        known = self._known(claim.signing.access_key)
        if known is not None:
            self._check_token(claim, known)
            self._verify(claim, head, body, known.secret, bucket)
            return Caller(
                known.account,
                known.arn,
                known.user_id,
                claim.signing.access_key,
                known.principal_type,
                root=known.principal_type == "Root",
                is_temporary=bool(known.session_token),
            )
        secret = self._secret(claim)
        if secret is None:
            _check_body(claim, body)
        else:
            self._verify(claim, head, body, secret, bucket)
        return root_of(account_of_key(claim.signing.access_key) or self._account, claim.signing.access_key)

    def body(self, claim: Claim | None, head: Head) -> ChunkDecoder | PlainBody:
        """What reads the streamed body of a request whose claim `caller` has accepted with a body of None.

        It checks the body's hash, or each chunk's signature where the caller's was verified.
        """
        key = None if claim is None or not is_framed(head) else self.signing_key(claim)
        if claim is None or key is None:
            return body_of(head, None)
        return body_of(head, Chain(key, claim.amz_date, claim.signing.scope, claim.signature))

    def signing_key(self, claim: Claim) -> SigningKey | None:
        """The key that the chunks of a streamed body are signed with; None if they are not verified."""
        known = self._known(claim.signing.access_key)
        secret = known.secret if known is not None else self._secret(claim)
        return None if secret is None else self._verifier.key(claim, secret)

    def _known(self, access_key_id: str) -> AccessKey | None:
        entry = self._keys.get(packed_key(access_key_id))
        return None if entry is None else decode_key(entry.value)

    def _secret(self, claim: Claim) -> str | None:
        """The secret of a key that nobody made; None if any will do."""
        is_ours = claim.signing.access_key == DEFAULT_KEY
        if self._is_strict:
            if claim.session_token is not None or not (is_ours or account_of_key(claim.signing.access_key)):
                raise InvalidAccessKeyId if claim.signing.is_s3 else InvalidClientTokenId
            return DEFAULT_SECRET
        return DEFAULT_SECRET if is_ours else None

    def _check_token(self, claim: Claim, known: AccessKey) -> None:
        is_s3 = claim.signing.is_s3
        if not known.is_active:
            raise InvalidAccessKeyId if is_s3 else InvalidClientTokenId
        given = claim.session_token or ""
        if not compare_digest(given.encode(), known.session_token.encode()):
            if known.session_token and not given and is_s3:
                raise InvalidAccessKeyId
            raise InvalidToken if is_s3 else InvalidClientTokenId
        if known.expires_ms and self._clock.wall_ms() >= known.expires_ms:
            raise ExpiredTokenS3 if is_s3 else ExpiredToken

    def _verify(self, claim: Claim, head: Head, body: bytes | None, secret: str, bucket: str) -> None:
        now_ms = self._clock.wall_ms()
        if claim.form == "presigned-v2":
            fault = sigv2.verify(claim, head, secret, now_ms, bucket)
        else:
            fault = self._verifier.verify(claim, head, body, secret, now_ms)
        if fault is not None:
            raise fault


def _check_body(claim: Claim, body: bytes | None) -> None:
    """What can be checked without a secret: S3's hash of the body."""
    claimed = claim.payload_hash
    if body is None or claimed is None or not claim.signing.is_s3 or claimed in PAYLOAD_WORDS:
        return
    fault = body_mismatch(claimed, sha256(body).hexdigest().encode())
    if fault is not None:
        raise fault
