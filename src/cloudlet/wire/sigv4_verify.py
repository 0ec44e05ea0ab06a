"""AWS Signature Version 4, the proof: whether the secret agrees with a claim.

State   a bounded memory of signing keys in each Verifier
Source  IAM User Guide, "Create a signed AWS API request"; S3 API Reference, "Authenticating Requests (AWS
        Signature Version 4)", "Error responses"; RFC 2104; docs/sources/sigv4.md
Absent  whether an operation other than S3's may leave its body unsigned is not asked of its model; tokens
        that IoT's web sockets add after signing

Theory of operation
    Client and server build the same canonical text of a request, hash it, and key the hash. Clients disagree
    on the canonical text where AWS decodes and encodes again: whether a path of a service other than S3 has
    its dots and double slashes removed, whether "=" in a path is written "%3D", "+" in a query "%20". The
    text is first built from what was sent, as most clients do; only when that fails are the other spellings
    of the same path and query tried.

        S3       path as sent (encoded once)           the host and every x-amz-* header must be signed
        others   path normalised and encoded again     the host must be signed
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from urllib.parse import quote_from_bytes, unquote_to_bytes

from cloudlet.kernel.fault import Fault
from cloudlet.wire.http1 import Head
from cloudlet.wire.sigv4 import (
    ALGORITHM,
    MISMATCH,
    AccessDenied,
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    Claim,
    InvalidArgument,
    InvalidRequest,
    NotImplementedYet,
    SignatureDoesNotMatch,
    Signing,
    instant_ms,
    pairs,
    text_of,
)

UNSIGNED_PAYLOAD = b"UNSIGNED-PAYLOAD"
SIGNED_STREAM = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_STREAM_TRAILER = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_STREAM_TRAILER = b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
PAYLOAD_WORDS = frozenset({UNSIGNED_PAYLOAD, SIGNED_STREAM, SIGNED_STREAM_TRAILER, UNSIGNED_STREAM_TRAILER})
ASYMMETRIC_STREAM = b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
EMPTY_SHA256 = sha256(b"").hexdigest().encode()

SPACE, TAB = b" \t"
SKEW_MS = 15 * 60 * 1000
SIGNING_KEYS_MAX = 4096
HEX_DIGITS = b"0123456789abcdef"

RequestTimeTooSkewed = Fault(
    "RequestTimeTooSkewed",
    "The difference between the request time and the current time is too large.",
    status=403,
)
XAmzContentSHA256Mismatch = Fault(
    "XAmzContentSHA256Mismatch",
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
    status=400,
)

MISMATCH_S3 = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your key and signing method."
)
PAYLOAD_CHOICES = (
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER "
    "or a valid sha256 value."
)


class SigningKey:
    """HMAC-SHA256 under one key, kept as the two hashes that have swallowed the padded key: a signature then
    costs two copies instead of two setups."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        # RFC 2104 2; a derived key has 32 bytes, so it is never longer than a block.
        block = key.ljust(64, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def sign(self, text: bytes) -> bytes:
        """The signature in hexadecimal."""
        inner = self._inner.copy()
        inner.update(text)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest().encode()


def signing_key(secret: str, scope: bytes) -> SigningKey:
    """The key of a secret for one date/region/service/aws4_request."""
    key = b"AWS4" + secret.encode()
    for part in scope.split(b"/"):
        key = hmac_digest(key, part, "sha256")
    return SigningKey(key)


class Verifier:
    """Checks claims against secrets; remembers the derived keys."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[tuple[str, bytes], SigningKey] = {}

    def key(self, claim: Claim, secret: str) -> SigningKey:
        """The signing key of a claim, for the chunks of a streamed body too."""
        name = (secret, claim.signing.scope)
        key = self._keys.get(name)
        if key is None:
            if len(self._keys) >= SIGNING_KEYS_MAX:
                self._keys.clear()  # a day's keys are useless the next day, so all may go
            key = self._keys[name] = signing_key(secret, claim.signing.scope)
        return key

    def verify(self, claim: Claim, head: Head, body: bytes | None, secret: str, now_ms: int) -> Fault | None:
        """None when the request was signed with `secret` near `now_ms` (wall time), else the fault to answer.

        `body` is None while it is still to come: its hash is then taken as the header says, and whoever
        reads the body checks it (`wire.aws_chunked`).
        """
        signing = claim.signing
        signed_ms = instant_ms(claim.amz_date)
        if signed_ms is None or claim.expires_s is not None or not -SKEW_MS <= now_ms - signed_ms <= SKEW_MS:
            refused = _refuse_time(claim, signed_ms, now_ms)
            if refused is not None:
                return refused
        if claim.amz_date[:8] != signing.day:
            return _wrong_day(claim)
        if signing.is_s3 or not signing.signs_host:
            refused = _refuse_headers(claim, head)
            if refused is not None:
                return refused
        payload = _payload(claim, body)
        if isinstance(payload, Fault):
            return payload
        block = _header_block(signing, head)
        path = head.path
        if path != b"/" and not signing.is_s3:
            path = _path_normalised(path)
        query = head.query
        if query:
            query = _query_sorted(query)
        canonical = b"\n".join((head.method.encode(), path, query, block, payload))
        key = self.key(claim, secret)
        if not compare_digest(key.sign(string_to_sign(claim, canonical)), claim.signature):
            for spelling in _spellings(head, signing, block, payload):
                if compare_digest(key.sign(string_to_sign(claim, spelling)), claim.signature):
                    break
            else:
                return _mismatch(claim, canonical)
        if body is not None and signing.is_s3 and len(payload) == 64:
            return body_mismatch(payload, sha256(body).hexdigest().encode())
        return None


def string_to_sign(claim: Claim, canonical: bytes) -> bytes:
    """What is keyed: the algorithm, the time, the scope, and the hash of the canonical request."""
    digest = sha256(canonical).hexdigest().encode()
    return b"\n".join((ALGORITHM, claim.amz_date, claim.signing.scope, digest))


def body_mismatch(claimed: bytes, computed: bytes) -> Fault | None:
    """The fault of a body whose SHA-256 (hexadecimal) is not the one in x-amz-content-sha256."""
    if claimed == computed:
        return None
    return XAmzContentSHA256Mismatch(
        XAmzContentSHA256Mismatch.message,
        ClientComputedContentSHA256=text_of(claimed),
        S3ComputedContentSHA256=text_of(computed),
    )


# The canonical request


def _header_block(signing: Signing, head: Head) -> bytes:
    """The canonical headers, a blank line, and the list of their names."""
    try:
        block = signing.template % signing.values(head.headers)
    except KeyError:
        # A header without a value may get lost on the way; signed as empty, it is the same.
        block = signing.template % tuple(head.headers.get(name, b"") for name in signing.names)
    if (SPACE in block and b"  " in block) or TAB in block:  # to look for one byte, as a number, is cheap
        # Values: "convert sequential spaces to a single space"; the SDKs take tabs for spaces.
        block = b"\n".join(b" ".join(line.split()) for line in block.split(b"\n"))
    return block


def _payload(claim: Claim, body: bytes | None) -> bytes | Fault:
    """The last line of the canonical request."""
    claimed = claim.payload_hash
    if claimed is None:
        if claim.signing.is_s3:
            if claim.form == "presigned":
                return UNSIGNED_PAYLOAD
            return InvalidRequest("Missing required header for this request: x-amz-content-sha256")
        if body is None:
            return InvalidRequest("A body that is streamed needs the header x-amz-content-sha256")
        return sha256(body).hexdigest().encode() if body else EMPTY_SHA256
    if len(claimed) != 64 or claimed.translate(None, HEX_DIGITS):
        if claimed in PAYLOAD_WORDS:
            return claimed
        if claimed.startswith(ASYMMETRIC_STREAM):
            return NotImplementedYet(
                f"{text_of(claimed)} is not implemented; "
                "sign the chunks with STREAMING-AWS4-HMAC-SHA256-PAYLOAD."
            )
        return InvalidArgument(
            PAYLOAD_CHOICES, ArgumentName="x-amz-content-sha256", ArgumentValue=text_of(claimed)
        )
    if body is None or claim.signing.is_s3:
        return claimed
    return sha256(body).hexdigest().encode()


@lru_cache(maxsize=1024)
def _path_normalised(path: bytes) -> bytes:
    """The path without dot segments and empty ones, encoded once more."""
    return _encoded(_without_dots(path))


def _without_dots(path: bytes) -> bytes:
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment and segment != b".":
            kept.append(segment)
    slash = b"/" if kept and path.endswith(b"/") else b""
    return b"/" + b"/".join(kept) + slash


def _encoded(path: bytes) -> bytes:
    return quote_from_bytes(path, safe="/~").encode()


def _query_sorted(query: bytes) -> bytes:
    """The query as sent, in order, without the signature."""
    if b"&" not in query:
        return query if b"=" in query else query + b"="
    ordered = sorted(pairs(query))
    return b"&".join([name + b"=" + value for name, value in ordered if name != b"X-Amz-Signature"])


def _query_encoded(query: bytes) -> bytes:
    """The query decoded and encoded as AWS does it: everything but letters, digits and "-_.~"."""
    ordered = sorted(
        (_query_part(name), _query_part(value)) for name, value in pairs(query) if name != b"X-Amz-Signature"
    )
    return b"&".join(name + b"=" + value for name, value in ordered)


def _query_part(part: bytes) -> bytes:
    return quote_from_bytes(unquote_to_bytes(part.replace(b"+", b" ")), safe="~").encode()


def _spellings(head: Head, signing: Signing, block: bytes, payload: bytes) -> Iterator[bytes]:
    """The canonical requests that other clients build from the same path and query."""
    once = _encoded(unquote_to_bytes(head.path))
    if signing.is_s3:
        paths = {head.path: None, once: None}
    else:
        paths = {
            _encoded(_without_dots(head.path)): None,
            _encoded(head.path): None,
            _encoded(once): None,
            _encoded(_without_dots(once)): None,
        }
    queries = (
        {_query_sorted(head.query): None, _query_encoded(head.query): None} if head.query else {b"": None}
    )
    method = head.method.encode()
    first = True
    for path in paths:
        for query in queries:
            if not first:  # the first of both was tried before
                yield b"\n".join((method, path, query, block, payload))
            first = False


# The refusals


def _refuse_time(claim: Claim, signed_ms: int | None, now_ms: int) -> Fault | None:
    if signed_ms is None:
        return SignatureDoesNotMatch(MISMATCH)
    s3 = claim.signing.is_s3
    if claim.expires_s is None:
        if -SKEW_MS <= now_ms - signed_ms <= SKEW_MS:
            return None
        return _skewed(claim, now_ms) if s3 else _out_of_date(claim, signed_ms, now_ms)
    if not s3:
        # The services other than S3 accept any signature for its 15 minutes (tokens of EKS clusters say 60
        # seconds and live on that).
        valid_ms = max(claim.expires_s * 1000, SKEW_MS)
        return None if -SKEW_MS <= now_ms - signed_ms <= valid_ms else _out_of_date(claim, signed_ms, now_ms)
    expires_ms = signed_ms + claim.expires_s * 1000
    if signed_ms - now_ms > SKEW_MS:
        return AccessDenied("Request is not valid yet", ServerTime=extended(now_ms))
    if now_ms >= expires_ms:
        return AccessDenied(
            "Request has expired",
            **{
                "X-Amz-Expires": claim.expires_s,
                "Expires": extended(expires_ms),
                "ServerTime": extended(now_ms),
            },
        )
    return None


def _skewed(claim: Claim, now_ms: int) -> Fault:
    return RequestTimeTooSkewed(
        RequestTimeTooSkewed.message,
        RequestTime=text_of(claim.amz_date),
        ServerTime=extended(now_ms),
        MaxAllowedSkewMilliseconds=SKEW_MS,
    )


def _out_of_date(claim: Claim, signed_ms: int, now_ms: int) -> Fault:
    given, now = text_of(claim.amz_date), _basic(now_ms)
    if signed_ms < now_ms:
        return SignatureDoesNotMatch(
            f"Signature expired: {given} is now earlier than {_basic(now_ms - SKEW_MS)} ({now} - 15 min.)"
        )
    return SignatureDoesNotMatch(
        f"Signature not yet current: {given} is still later than {_basic(now_ms + SKEW_MS)} ({now} + 15 min.)"
    )


def _wrong_day(claim: Claim) -> Fault:
    given = text_of(claim.amz_date)
    if not claim.signing.is_s3:
        return SignatureDoesNotMatch(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{claim.signing.date}' != '{given[:8]}', from '{given}'."
        )
    date = claim.signing.date
    reason = f'Invalid credential date "{date}". This date is not the same as X-Amz-Date: "{given[:8]}".'
    if claim.form == "presigned":
        return AuthorizationQueryParametersError(reason)
    return AuthorizationHeaderMalformed(f"The authorization header is malformed; {reason}")


def _refuse_headers(claim: Claim, head: Head) -> Fault | None:
    signing = claim.signing
    if not signing.is_s3:
        return SignatureDoesNotMatch(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        )
    others = head.headers.keys() - signing.signed
    if claim.form == "presigned":
        others.discard(b"x-amz-content-sha256")  # counts only where it was signed
    if b"host" not in others and b"\nx-amz-" not in b"\n" + b"\n".join(others):
        return None
    unsigned = [
        name for name in head.headers if name in others and (name == b"host" or name.startswith(b"x-amz-"))
    ]
    return AccessDenied(
        "There were headers present in the request which were not signed",
        HeadersNotSigned=", ".join(text_of(name) for name in unsigned),
    )


def _mismatch(claim: Claim, canonical: bytes) -> Fault:
    text = string_to_sign(claim, canonical)
    if claim.signing.is_s3:
        return SignatureDoesNotMatch(
            MISMATCH_S3,
            AWSAccessKeyId=claim.signing.access_key,
            StringToSign=text_of(text),
            SignatureProvided=text_of(claim.signature),
            StringToSignBytes=text.hex(" "),
            CanonicalRequest=text_of(canonical),
            CanonicalRequestBytes=canonical.hex(" "),
        )
    return SignatureDoesNotMatch(
        f"{MISMATCH}\n\nThe Canonical String for this request should have been\n'{text_of(canonical)}'\n\n"
        f"The String-to-Sign should have been\n'{text_of(text)}'\n"
    )


def _basic(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")


def extended(at_ms: int) -> str:
    """A time as S3's refusals tell it."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
