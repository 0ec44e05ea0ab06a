"""AWS Signature Version 4, the claim: who a request says it is from.

State   none
Source  IAM User Guide, "Create a signed AWS API request"; S3 API Reference, "Authenticating Requests (AWS
        Signature Version 4)"; docs/sources/sigv4.md
Absent  Signature Version 4A (asymmetric) and, but for S3's presigned URLs (`wire.sigv2`), Version 2 are
        refused by name; S3's browser form (POST policy)

A credential is read first and verified later (`wire.sigv4_verify`), because routing needs its service and
region. Everything of a claim that repeats from one request of a client to the next (all but time, signature,
token and payload hash) is parsed once and remembered as `Signing`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from typing import Literal, Protocol
from urllib.parse import unquote_to_bytes

import msgspec

from cloudlet.kernel.fault import Fault
from cloudlet.wire.http1 import Fields, Head

ALGORITHM = b"AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
EXPIRES_S_MAX = 604_800  # "the maximum … is 604800 seconds (7 days)"
REMEMBERED_BYTES_MAX = (
    2048  # a longer Authorization header is parsed anew each time, so the memory is bounded
)

S3_SERVICES = frozenset({"s3", "s3express", "s3-object-lambda", "s3-outposts"})
"""Signing names with S3's canonical path (encoded once, never normalised) and S3's errors."""

IncompleteSignature = Fault("IncompleteSignature", status=400)
SignatureDoesNotMatch = Fault("SignatureDoesNotMatch", status=403)
InvalidRequest = Fault("InvalidRequest", status=400)
InvalidArgument = Fault("InvalidArgument", status=400)
AccessDenied = Fault("AccessDenied", status=403)
NotImplementedYet = Fault("NotImplemented", status=501)
AuthorizationHeaderMalformed = Fault("AuthorizationHeaderMalformed", status=400)
AuthorizationQueryParametersError = Fault("AuthorizationQueryParametersError", status=400)

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)
EXPECTED_CREDENTIAL = '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"'
PRESIGNED_REQUIRED = (
    b"X-Amz-Algorithm",
    b"X-Amz-Credential",
    b"X-Amz-Signature",
    b"X-Amz-Date",
    b"X-Amz-SignedHeaders",
    b"X-Amz-Expires",
)


VERSION_2_REGION = "us-east-1"  # its signatures name no region
EPOCH_DIGITS_MAX = 12


class HeaderValues(Protocol):
    """Takes the signed headers' values out of a request's, in order; KeyError for one that is missing."""

    def __call__(self, headers: Fields, /) -> bytes | tuple[bytes, ...]: ...


class Signing(msgspec.Struct, frozen=True, gc=False):
    """What a credential and a list of signed headers say, with the work that can be done once."""

    access_key: str
    date: str
    region: str
    service: str
    scope: bytes  # date/region/service/aws4_request
    names: tuple[bytes, ...]  # of the signed headers
    values: HeaderValues
    template: bytes  # the canonical headers and the list of their names, a %b for each value
    is_s3: bool
    signs_host: bool
    day: bytes  # `date` again
    signed: frozenset[bytes]  # `names` again


class Claim(msgspec.Struct, gc=False):
    """A credential as a request shows it; nothing in it is verified."""

    form: Literal["header", "presigned", "presigned-v2"]
    signing: Signing
    signature: bytes  # hexadecimal
    amz_date: bytes  # YYYYMMDDTHHMMSSZ
    expires_s: int | None  # after amz_date; of Version 2: since 1970
    session_token: str | None
    payload_hash: bytes | None  # x-amz-content-sha256 as sent, which may be a word such as UNSIGNED-PAYLOAD


# Reading


def read_credential(head: Head) -> Claim | None:
    """The credential of a request, None if it shows none; a malformed or unsupported one is a Fault.

    An Authorization of another scheme (Bearer, Basic) is not a signature, so it counts as none.
    """
    headers = head.headers
    authorization = headers.get(b"authorization")
    if authorization is None:
        return _read_query(head) if b"Signature=" in head.query or b"X-Amz-" in head.query else None
    stem, mark, signature = authorization.rpartition(b"Signature=")
    # The signature comes last in what every SDK sends; all before it repeats, and is remembered.
    if not mark or len(signature) != 64 or len(stem) > REMEMBERED_BYTES_MAX:
        return _read_unusual(head, authorization)
    signing = _signing_of_stem(stem)
    if signing is None:
        return _read_unusual(head, authorization)
    return _claim_of_header(head, signing, signature, authorization)


def _claim_of_header(head: Head, signing: Signing, signature: bytes, authorization: bytes) -> Claim:
    headers = head.headers
    if head.query and b"X-Amz-Algorithm=" in head.query:
        raise _two_mechanisms()
    amz_date = headers.get(b"x-amz-date")
    if amz_date is None or instant_ms(amz_date) is None:
        amz_date = _header_date(headers, signing, authorization)
    token = headers.get(b"x-amz-security-token")
    return Claim(
        "header",
        signing,
        signature,
        amz_date,
        None,
        None if token is None else token.decode("latin-1"),
        headers.get(b"x-amz-content-sha256"),
    )


AUTHORIZATION = re.compile(
    rb"AWS4-HMAC-SHA256[ \t]+Credential=([^, \t]+)[, \t]+SignedHeaders=([^, \t]+)[, \t]*", re.DOTALL
)
PARAMETER = re.compile(rb"(?:^|[, \t])(Credential|SignedHeaders|Signature)[ \t]*=[ \t]*([^, \t]+)")


@lru_cache(maxsize=1024)
def _signing_of_stem(stem: bytes) -> Signing | None:
    """The parse of an Authorization header up to its signature; None unless it has the usual order."""
    found = AUTHORIZATION.fullmatch(stem)
    return None if found is None else _signing(found[1], found[2])


def _read_unusual(head: Head, authorization: bytes) -> Claim | None:
    """A header that is of another scheme, malformed, or has its parameters in another order."""
    scheme, _, rest = authorization.partition(b" ")
    if scheme in (b"AWS", b"AWS3", b"AWS3-HTTPS"):
        raise _version_2()
    if scheme.startswith(b"AWS4-ECDSA-P256-SHA256"):
        raise _version_4a()
    if not scheme.startswith(b"AWS4-"):
        return None
    if scheme.partition(b",")[0] != ALGORITHM:
        raise IncompleteSignature(f"Unsupported AWS 'algorithm': '{text_of(scheme)}'.")
    parameters = {found[1]: found[2] for found in PARAMETER.finditer(rest)}
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if name.encode() not in parameters
    ]
    if missing:
        raise _incomplete(missing, authorization, b"/s3/aws4_request" in authorization)
    signature = parameters[b"Signature"]
    if len(signature) != 64 or len(authorization) > REMEMBERED_BYTES_MAX:
        # A signature of another length matches nothing, and no SDK signs two kilobytes of header names.
        raise SignatureDoesNotMatch(MISMATCH)
    signing = _signing(parameters[b"Credential"], parameters[b"SignedHeaders"])
    return _claim_of_header(head, signing, signature, authorization)


def _incomplete(missing: list[str], authorization: bytes, is_s3: bool) -> Fault:  # noqa: FBT001
    if is_s3:
        return AuthorizationHeaderMalformed(
            "The authorization header is malformed; the authorization header requires three components: "
            "Credential, SignedHeaders, and Signature."
        )
    # AWS shows a hash, so that no log keeps the header itself.
    shown = b64encode(sha256(authorization).digest()).decode()
    return IncompleteSignature(
        " ".join(missing) + f" (Hashed with SHA-256 and encoded with Base64) Authorization={shown}"
    )


def _header_date(headers: Fields, signing: Signing, authorization: bytes) -> bytes:
    """The time of a header without a plain x-amz-date, from Date, or the fault that says what is wrong."""
    given = headers.get(b"x-amz-date") or headers.get(b"date")
    if given is not None:
        amz_date = given if instant_ms(given) else _amz_date(given)
        if amz_date is not None and instant_ms(amz_date):
            return amz_date
    if signing.is_s3:
        raise AccessDenied("AWS authentication requires a valid Date or x-amz-date header")
    if given is None:
        missing = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        raise _incomplete([missing], authorization, is_s3=False)
    raise _bad_date(given)


def _signing(credential: bytes, signed_headers: bytes, *, presigned: bool = False) -> Signing:
    """Parse the two parameters; the faults are worded for the service that the credential names."""
    parts = text_of(credential).rsplit("/", 4)
    is_s3 = len(parts) == 5 and parts[3] in S3_SERVICES
    if len(parts) != 5 or not all(parts):
        if presigned or credential.endswith(b"/s3/aws4_request"):
            raise _malformed(f"the Credential is mal-formed; expecting {EXPECTED_CREDENTIAL}.", presigned)
        raise IncompleteSignature(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{text_of(credential)}'"
        )
    access_key, date, region, service, term = parts
    if term != TERMINATOR:
        if is_s3:
            raise _malformed(
                f'incorrect terminal "{term}". This endpoint belongs to "{TERMINATOR}".', presigned
            )
        raise SignatureDoesNotMatch(
            f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{term}'."
        )
    names = tuple(signed_headers.lower().split(b";"))
    template = b"".join(b"%b:%%b\n" % name.replace(b"%", b"%%") for name in names)
    return Signing(
        access_key,
        date,
        region,
        service,
        "/".join(parts[1:]).encode("latin-1"),
        names,
        itemgetter(*names),
        template + b"\n" + signed_headers.lower().replace(b"%", b"%%"),
        is_s3,
        b"host" in names or b":authority" in names,
        date.encode("latin-1"),
        frozenset(names),
    )


def _malformed(reason: str, presigned: bool) -> Fault:  # noqa: FBT001
    if presigned:
        return AuthorizationQueryParametersError(f"Error parsing the X-Amz-Credential parameter; {reason}")
    return AuthorizationHeaderMalformed(f"The authorization header is malformed; {reason}")


def _read_query(head: Head) -> Claim | None:
    """The credential of a presigned request."""
    found: dict[bytes, bytes] = {}
    for name, value in pairs(head.query):
        found.setdefault(unquote_to_bytes(name) if b"%" in name else name, value)
    if b"X-Amz-Algorithm" not in found:
        if b"AWSAccessKeyId" in found and b"Signature" in found:
            if b"SignatureVersion" in found:  # of the query services
                raise _version_2()
            return _claim_version_2(found)
        if b"X-Amz-Signature" not in found and b"X-Amz-Credential" not in found:
            return None
    algorithm = found.get(b"X-Amz-Algorithm", b"")
    if algorithm == b"AWS4-ECDSA-P256-SHA256" or b"X-Amz-Region-Set" in found:
        raise _version_4a()
    if algorithm and algorithm != ALGORITHM:
        raise AuthorizationQueryParametersError(
            'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'
        )
    credential = unquote_to_bytes(found.get(b"X-Amz-Credential", b""))
    tail = unquote_to_bytes(credential).rsplit(b"/", 2)
    is_s3 = len(tail) == 3 and text_of(tail[1]) in S3_SERVICES
    missing = [name for name in PRESIGNED_REQUIRED if not found.get(name)]
    if missing == [b"X-Amz-Expires"] and not is_s3 and credential:
        missing = []  # only S3 insists; elsewhere the signature lasts as long as one in a header
    if missing:
        raise _incomplete_query(missing, is_s3)
    signing = _signing_of_query(credential, found[b"X-Amz-SignedHeaders"], is_s3)
    amz_date = found[b"X-Amz-Date"]
    if instant_ms(amz_date) is None:
        raise _bad_query_date(amz_date, is_s3)
    token = found.get(b"X-Amz-Security-Token")
    payload_hash = found.get(b"X-Amz-Content-Sha256")
    if payload_hash is None and b"x-amz-content-sha256" in signing.signed:
        payload_hash = head.headers.get(b"x-amz-content-sha256")
    return Claim(
        "presigned",
        signing,
        found[b"X-Amz-Signature"],
        amz_date,
        _expires_s(found.get(b"X-Amz-Expires")),
        None if token is None else text_of(unquote_to_bytes(token)),
        payload_hash,
    )


def _claim_version_2(found: dict[bytes, bytes]) -> Claim:
    """The credential of a URL that was presigned for S3 with Version 2 (see `wire.sigv2`)."""
    expires = unquote_to_bytes(found.get(b"Expires", b""))
    if not expires:
        raise AccessDenied(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        )
    if not expires.isdigit() or len(expires) > EPOCH_DIGITS_MAX:
        raise AccessDenied("Invalid date (should be seconds since epoch): " + text_of(expires))
    token = found.get(b"x-amz-security-token")
    signature = unquote_to_bytes(found[b"Signature"])
    access_key = text_of(unquote_to_bytes(found[b"AWSAccessKeyId"]))
    signing = Signing(
        access_key,
        "",
        VERSION_2_REGION,
        "s3",
        b"",
        (),
        _no_values,
        b"",
        is_s3=True,
        signs_host=True,
        day=b"",
        signed=frozenset(),
    )
    return Claim(
        "presigned-v2",
        signing,
        signature,
        b"",
        int(expires),
        None if token is None else text_of(unquote_to_bytes(token)),
        None,
    )


def _no_values(headers: Fields) -> tuple[bytes, ...]:
    return ()


@lru_cache(maxsize=256)
def _signing_of_query(credential: bytes, signed_headers: bytes, is_s3: bool) -> Signing:  # noqa: FBT001
    """The parse of a presigned query's two parameters; a target has 16 KiB at most, so this is bounded."""
    return _signing(credential, unquote_to_bytes(signed_headers), presigned=is_s3)


def _incomplete_query(missing: list[bytes], is_s3: bool) -> Fault:  # noqa: FBT001
    if is_s3:
        return AuthorizationQueryParametersError(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    text = " ".join(f"AWS query-string parameters must include '{text_of(name)}'." for name in missing)
    return IncompleteSignature(f"{text} Re-examine the query-string parameters.")


def _expires_s(given: bytes | None) -> int | None:
    if given is None:
        return None
    try:
        expires_s = int(given)
    except ValueError:
        raise AuthorizationQueryParametersError("X-Amz-Expires should be a number") from None
    if expires_s < 0:
        raise AuthorizationQueryParametersError("X-Amz-Expires must be non-negative")
    if expires_s > EXPIRES_S_MAX:
        raise AuthorizationQueryParametersError(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be "
            f"less than {EXPIRES_S_MAX} seconds"
        )
    return expires_s


def _bad_query_date(given: bytes, is_s3: bool) -> Fault:  # noqa: FBT001
    if not is_s3:
        return _bad_date(given)
    return AuthorizationQueryParametersError(
        "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
    )


def _bad_date(given: bytes) -> Fault:
    return IncompleteSignature(
        f"Date must be in ISO-8601 'basic format'. Got '{text_of(given)}'. "
        "See http://en.wikipedia.org/wiki/ISO_8601"
    )


def _two_mechanisms() -> Fault:
    return InvalidArgument(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
        "parameter or the Authorization header should be specified"
    )


def _version_2() -> Fault:
    return InvalidRequest(
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256. "
        "(The request is signed with Signature Version 2 or 3.)"
    )


def _version_4a() -> Fault:
    return NotImplementedYet(
        "Signature Version 4A (AWS4-ECDSA-P256-SHA256, X-Amz-Region-Set) is not implemented; "
        "sign with AWS4-HMAC-SHA256."
    )


def text_of(raw: bytes) -> str:
    """Header bytes as text, one character for each."""
    return raw.decode("latin-1")


def pairs(query: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and values of a query as sent."""
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            yield name, value


INSTANT = re.compile(rb"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z")


@lru_cache(maxsize=512)
def instant_ms(amz_date: bytes) -> int | None:
    """Milliseconds since 1970 of YYYYMMDDTHHMMSSZ; None for anything else."""
    found = INSTANT.fullmatch(amz_date)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()) * 1000
    except ValueError:
        return None


HTTP_DATE = re.compile(
    rb"[A-Z][a-z][a-z], (\d\d) ([A-Z][a-z][a-z]) (\d{4}) (\d\d):(\d\d):(\d\d) (?:GMT|UTC|[+-]0000)"
)
MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def _amz_date(http_date: bytes) -> bytes | None:
    """The time of a Date header (RFC 9110 5.6.7) as YYYYMMDDTHHMMSSZ."""
    found = HTTP_DATE.fullmatch(http_date)
    if found is None or found[2] not in MONTHS:
        return None
    day, name, year, hour, minute, second = found.groups()
    return b"%b%02d%bT%b%b%bZ" % (year, MONTHS.index(name) + 1, day, hour, minute, second)
