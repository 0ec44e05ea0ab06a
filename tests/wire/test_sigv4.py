from __future__ import annotations

import re

import msgspec
import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.credentials import Credentials
from tests.wire.signed import (
    CREDENTIALS,
    KEY,
    SECRET,
    claim_of,
    refusal,
    s3,
    sign,
    sigv4,
    verify,
)

from cloudlet.wire.http1 import Head
from cloudlet.wire.sigv4 import Claim, read_credential


def test_claim_says_what_the_header_says() -> None:
    claim = claim_of(sign(sigv4(token="Token/=="), headers={"X-Amz-Target": "A.B"}, body=b"{}").head)
    assert claim.form == "header"
    assert (claim.signing.access_key, claim.signing.date, claim.signing.region, claim.signing.service) == (
        KEY,
        "20231114",
        "us-east-1",
        "sqs",
    )
    assert claim.signing.names == (b"host", b"x-amz-date", b"x-amz-security-token", b"x-amz-target")
    assert (claim.amz_date, claim.expires_s) == (b"20231114T221320Z", None)
    assert (claim.session_token, claim.payload_hash) == ("Token/==", None)
    assert len(claim.signature) == 64


def test_claim_says_what_the_presigned_query_says() -> None:
    signer = S3SigV4QueryAuth(Credentials(KEY, SECRET, "a+b/=="), "s3", "eu-west-1", expires=60)
    claim = claim_of(sign(signer, "GET", "http://localhost:4566/b/k").head)
    assert (claim.form, claim.signing.access_key, claim.signing.region, claim.signing.service) == (
        "presigned",
        KEY,
        "eu-west-1",
        "s3",
    )
    assert (claim.expires_s, claim.session_token, claim.signing.names) == (60, "a+b/==", (b"host",))


# What is refused

HEAD = sign(sigv4(), body=b"{}").head
S3_HEAD = sign(s3(), "PUT", "http://localhost/b/k", {"x-amz-acl": "private"}, b"x").head
REQUIRED = "Authorization header requires"
SIGNATURE = "0" * 64
SCOPE = "Credential=A/20231114/us-east-1/sqs/aws4_request"


@pytest.mark.parametrize(
    ("authorization", "expected", "words"),
    [
        (
            "AWS4-HMAC-SHA256",
            "IncompleteSignature",
            f"{REQUIRED} 'Credential' parameter. {REQUIRED} 'Signature'",
        ),
        (
            f"AWS4-HMAC-SHA256 {SCOPE}",
            "IncompleteSignature",
            f"{REQUIRED} 'Signature' parameter. {REQUIRED} 'Signed",
        ),
        (
            f"AWS4-HMAC-SHA256 {SCOPE}, Signature={SIGNATURE}",
            "IncompleteSignature",
            f"{REQUIRED} 'SignedHeaders'",
        ),
        (
            f"AWS4-HMAC-SHA256 Credential=A/b/c, SignedHeaders=host, Signature={SIGNATURE}",
            "IncompleteSignature",
            "exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'A/b/c'",
        ),
        (
            f"AWS4-HMAC-SHA256 Credential=A/1/r/sqs/aws5, SignedHeaders=host, Signature={SIGNATURE}",
            "SignatureDoesNotMatch",
            "valid terminator: 'aws4_request', not 'aws5'",
        ),
        (
            f"AWS4-HMAC-SHA256 Credential=/s3/aws4_request, SignedHeaders=host, Signature={SIGNATURE}",
            "AuthorizationHeaderMalformed",
            'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"',
        ),
        (
            "AWS4-HMAC-SHA256 Credential=A/1/r/s3/aws4_request",
            "AuthorizationHeaderMalformed",
            "three components",
        ),
        (
            f"AWS4-HMAC-SHA512 {SCOPE}",
            "IncompleteSignature",
            "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512'",
        ),
        (
            f"AWS4-HMAC-SHA256 {SCOPE}, SignedHeaders=host, Signature=0",
            "SignatureDoesNotMatch",
            "does not match",
        ),
        ("AWS AKID:c2lnbmF0dXJl", "InvalidRequest", "Please use AWS4-HMAC-SHA256"),
        (f"AWS4-ECDSA-P256-SHA256 {SCOPE}", "NotImplemented", "AWS4-ECDSA-P256-SHA256"),
    ],
)
def test_malformed_and_unsupported_headers(authorization: str, expected: str, words: str) -> None:
    head = msgspec.structs.replace(HEAD, headers=HEAD.headers | {b"authorization": authorization.encode()})
    got, message = refusal(head)
    assert got == expected
    assert words in message


@pytest.mark.parametrize("authorization", [b"Bearer token", b"Basic dTpw", b"", b"Signature=" + b"0" * 64])
def test_other_schemes_are_no_credential(authorization: bytes) -> None:
    head = msgspec.structs.replace(HEAD, headers=HEAD.headers | {b"authorization": authorization})
    assert read_credential(head) is None


def test_no_credential() -> None:
    head = msgspec.structs.replace(HEAD, headers={b"host": b"localhost"}, query=b"")
    assert read_credential(head) is None
    assert read_credential(msgspec.structs.replace(head, query=b"a=Signature=&X-Amz-Meta=1")) is None


@pytest.mark.parametrize(
    "spelling",
    [
        b"AWS4-HMAC-SHA256 Credential=%b,SignedHeaders=%b,Signature=%b",
        b"AWS4-HMAC-SHA256  Credential=%b ,  SignedHeaders=%b ,\tSignature=%b",
        b"AWS4-HMAC-SHA256 Credential=%b SignedHeaders=%b Signature=%b",
    ],
)
def test_spacing_and_order_of_the_parameters(spelling: bytes) -> None:
    usual = HEAD.headers[b"authorization"]
    found = re.fullmatch(rb"AWS4-HMAC-SHA256 Credential=(.*), SignedHeaders=(.*), Signature=(.*)", usual)
    assert found is not None
    respelled = spelling % found.groups()
    claim = claim_of(msgspec.structs.replace(HEAD, headers=HEAD.headers | {b"authorization": respelled}))
    assert shown(claim) == shown(claim_of(HEAD))
    other = b"AWS4-HMAC-SHA256 Signature=%b, SignedHeaders=%b, Credential=%b" % found.groups()[::-1]
    reordered = claim_of(msgspec.structs.replace(HEAD, headers=HEAD.headers | {b"authorization": other}))
    assert shown(reordered) == shown(claim_of(HEAD))


def shown(claim: Claim) -> list[object]:
    return [getattr(claim, name) for name in claim.__struct_fields__ if name != "signing"]


def test_a_key_with_slashes_in_it() -> None:
    request = sign(SigV4Auth(Credentials("a/b", SECRET), "sqs", "us-east-1"))
    assert claim_of(request.head).signing.access_key == "a/b"
    assert verify(request) is None


DATE_MISSING = "requires existence of either a 'X-Amz-Date' or a 'Date' header"


@pytest.mark.parametrize(
    ("head", "date", "expected", "words"),
    [
        (HEAD, None, "IncompleteSignature", DATE_MISSING),
        (HEAD, b"yesterday", "IncompleteSignature", "'basic format'. Got 'yesterday'"),
        (HEAD, b"20231399T000000Z", "IncompleteSignature", "'basic format'. Got '20231399T000000Z'"),
        (S3_HEAD, None, "AccessDenied", "requires a valid Date or x-amz-date header"),
        (S3_HEAD, b"yesterday", "AccessDenied", "requires a valid Date or x-amz-date header"),
    ],
)
def test_a_date_that_is_none(head: Head, date: bytes | None, expected: str, words: str) -> None:
    headers = {name: value for name, value in head.headers.items() if name != b"x-amz-date"}
    if date is not None:
        headers[b"x-amz-date"] = date
    got, message = refusal(msgspec.structs.replace(head, headers=headers))
    assert got == expected
    assert words in message


def test_the_date_header_may_stand_for_x_amz_date() -> None:
    request = sign(sigv4(), headers={"Date": "Tue, 14 Nov 2023 22:13:20 GMT"})
    assert b"x-amz-date" not in request.head.headers
    assert claim_of(request.head).amz_date == b"20231114T221320Z"
    assert verify(request) is None


@pytest.mark.parametrize(
    ("old", "new", "expected", "words"),
    [
        ("X-Amz-Expires=3600", "", "AuthorizationQueryParametersError", "and X-Amz-Expires parameters."),
        ("X-Amz-Expires=3600", "X-Amz-Expires=x", "AuthorizationQueryParametersError", "should be a number"),
        (
            "X-Amz-Expires=3600",
            "X-Amz-Expires=-1",
            "AuthorizationQueryParametersError",
            "must be non-negative",
        ),
        (
            "X-Amz-Expires=3600",
            "X-Amz-Expires=604801",
            "AuthorizationQueryParametersError",
            "less than a week",
        ),
        (
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA1",
            "AuthorizationQueryParametersError",
            "X-Amz-Algorithm only supports",
        ),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "NotImplemented", "4A"),
        ("X-Amz-Signature=", "X-Amz-Region-Set=*&X-Amz-Signature=", "NotImplemented", "X-Amz-Region-Set"),
        (
            "20231114T221320Z",
            "2023",
            "AuthorizationQueryParametersError",
            "X-Amz-Date must be in the ISO8601",
        ),
        ("%2F20231114%2F", "%2F", "AuthorizationQueryParametersError", "the Credential is mal-formed"),
        ("%2Faws4_request", "%2Faws5", "AuthorizationQueryParametersError", 'incorrect terminal "aws5"'),
    ],
)
def test_malformed_presigned_queries_of_s3(old: str, new: str, expected: str, words: str) -> None:
    signer = S3SigV4QueryAuth(CREDENTIALS, "s3", "us-east-1", 3600)
    head = sign(signer, "GET", "http://localhost/b/k").head
    assert old.encode() in head.query
    got, message = refusal(
        msgspec.structs.replace(head, query=head.query.replace(old.encode(), new.encode()))
    )
    assert got == expected
    assert words in message


def test_malformed_presigned_queries_of_others() -> None:
    head = sign(SigV4QueryAuth(CREDENTIALS, "sts", "us-east-1"), "GET", "http://localhost/?Action=A").head
    without = msgspec.structs.replace(head, query=head.query.replace(b"X-Amz-SignedHeaders=host&", b""))
    assert refusal(without) == (
        "IncompleteSignature",
        "AWS query-string parameters must include 'X-Amz-SignedHeaders'. "
        "Re-examine the query-string parameters.",
    )
    short = msgspec.structs.replace(head, query=head.query.replace(b"20231114T221320Z", b"x"))
    assert refusal(short)[0] == "IncompleteSignature"


def test_old_presigned_urls_are_refused_by_name() -> None:
    query = b"AWSAccessKeyId=A&Signature=abc%3D&SignatureVersion=2&Expires=1700000000"
    head = msgspec.structs.replace(HEAD, headers={b"host": b"localhost"}, query=query)
    got, message = refusal(head)
    assert got == "InvalidRequest"
    assert "Signature Version 2" in message


def test_one_mechanism_at_a_time() -> None:
    presigned = sign(S3SigV4QueryAuth(CREDENTIALS, "s3", "us-east-1"), "GET", "http://localhost/b/k").head
    head = msgspec.structs.replace(S3_HEAD, query=presigned.query)
    assert refusal(head)[0] == "InvalidArgument"
