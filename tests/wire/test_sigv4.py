from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from botocore.auth import (
    S3SigV4Auth,
    S3SigV4QueryAuth,
    SigV4Auth,
    SigV4QueryAuth,
)
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.signed import NOW_MS, SECRET, received, sign

from cloudlet.kernel.fault import Fault
from cloudlet.wire.http1 import Head, Request
from cloudlet.wire.sigv4 import Claim, read_credential
from cloudlet.wire.sigv4_verify import Verifier

KEY = "AKIDEXAMPLE"
CREDENTIALS = Credentials(KEY, SECRET)


def sigv4(service: str = "sqs", token: str | None = None) -> SigV4Auth:
    return SigV4Auth(Credentials(KEY, SECRET, token), service, "us-east-1")


def s3() -> S3SigV4Auth:
    return S3SigV4Auth(CREDENTIALS, "s3", "us-east-1")


def claim_of(head: Head) -> Claim:
    claim = read_credential(head)
    assert claim is not None
    return claim


def verify(request: Request, now_ms: int = NOW_MS, secret: str = SECRET) -> Fault | None:
    return Verifier().verify(claim_of(request.head), request.head, request.body, secret, now_ms)


def changed(request: Request, *, headers: dict[bytes, bytes] | None = None, **fields: object) -> Request:
    head = request.head
    if headers:
        fields["headers"] = head.headers | headers
    body = fields.pop("body", request.body)
    return msgspec.structs.replace(request, head=msgspec.structs.replace(head, **fields), body=body)


def refusal(head: Head) -> tuple[str, str]:
    with pytest.raises(Fault) as caught:
        read_credential(head)
    return caught.value.code, caught.value.message


def code(fault: Fault | None) -> str | None:
    return fault.code if fault else None


def test_claim_says_what_the_header_says() -> None:
    claim = claim_of(sign(sigv4(token="Token/=="), headers={"X-Amz-Target": "A.B"}, body=b"{}").head)
    assert (claim.form, claim.algorithm) == ("header", "AWS4-HMAC-SHA256")
    assert (claim.access_key, claim.date, claim.region, claim.service) == (
        KEY,
        "20231114",
        "us-east-1",
        "sqs",
    )
    assert claim.signed_headers == (b"host", b"x-amz-date", b"x-amz-security-token", b"x-amz-target")
    assert (claim.amz_date, claim.expires_s) == (b"20231114T221320Z", None)
    assert (claim.session_token, claim.payload_hash) == ("Token/==", None)
    assert len(claim.signature) == 64


def test_claim_says_what_the_presigned_query_says() -> None:
    signer = S3SigV4QueryAuth(Credentials(KEY, SECRET, "a+b/=="), "s3", "eu-west-1", expires=60)
    claim = claim_of(sign(signer, "GET", "http://localhost:4566/b/k").head)
    assert (claim.form, claim.access_key, claim.region, claim.service) == (
        "presigned",
        KEY,
        "eu-west-1",
        "s3",
    )
    assert (claim.expires_s, claim.session_token, claim.signed_headers) == (60, "a+b/==", (b"host",))


# The requests and signatures of AWS's signature test suite.

SUITE_KEY = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
SUITE_MS = 1_440_938_160_000
VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
SUITE = {
    "get-vanilla": ("GET", "/", {}, b"", VANILLA),
    "get-relative": ("GET", "/example/..", {}, b"", VANILLA),
    "get-slash": ("GET", "//", {}, b"", VANILLA),
    "get-slash-dot-slash": ("GET", "/./", {}, b"", VANILLA),
    "get-slash-pointless-dot": (
        "GET", "/./example", {}, b"",
        "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
    ),
    "get-slashes": (
        "GET", "//example//", {}, b"",
        "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    ),
    "get-query-order-key-case": (
        "GET", "/?Param2=value2&Param1=value1", {}, b"",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "post-vanilla": (
        "POST", "/", {}, b"",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "get-header-key-duplicate": (
        "GET", "/", {"my-header1": "value2,value2,value1"}, b"",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    "get-header-value-multiline": (
        "GET", "/", {"my-header1": "value1,value2,value3"}, b"",
        "ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790",
    ),
    "get-header-value-trim": (
        "GET", "/", {"my-header1": "  value1", "my-header2": ' "a   b   c"'}, b"",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "post-x-www-form-urlencoded": (
        "POST", "/", {"content-type": "application/x-www-form-urlencoded"}, b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SUITE)
def test_signature_test_suite(name: str) -> None:
    method, target, headers, body, signature = SUITE[name]
    headers = {"x-amz-date": "20150830T123600Z", **headers}
    names = ";".join(sorted(["host", *headers]))
    headers["authorization"] = f"{SUITE_KEY}SignedHeaders={names}, Signature={signature}"
    request = received(method, f"https://example.amazonaws.com{target}", headers.items(), body)
    assert verify(request, SUITE_MS) is None
    assert verify(request, SUITE_MS, "another") is not None


def test_s3_example_of_the_documentation() -> None:
    # S3 API Reference, "Signature Calculations …: Transferring Payload in a Single Chunk", GET Object
    headers = {
        "Range": "bytes=0-9",
        "x-amz-date": "20130524T000000Z",
        "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "Authorization": "AWS4-HMAC-SHA256 "
        "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    }
    request = received("GET", "https://examplebucket.s3.amazonaws.com/test.txt", headers.items(), b"")
    assert verify(request, 1_369_353_600_000, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY") is None


def test_s3_presigned_example_of_the_documentation() -> None:
    # S3 API Reference, "Authenticating Requests: Using Query Parameters"
    target = (
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1"
        "%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    request = received("GET", f"https://examplebucket.s3.amazonaws.com{target}", {}.items(), b"")
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    assert verify(request, 1_369_353_600_000, secret) is None
    assert code(verify(request, 1_369_353_600_000 + 86_400_000, secret)) == "AccessDenied"


# botocore's signers as oracle

PATHS = st.one_of(
    st.sampled_from(
        ["/", "//", "/a/", "/a//b", "/./a", "/a/../b", "/a%2Fb/c%20d", "/a+b", "/a=b:c@d", "/~a_b-c.d"]
    ),
    st.text(st.sampled_from("ab/%.~+=:@$,;!*'()&-_é日"), max_size=12).map(
        lambda text: "/" + text.replace("%", "%25").replace("é", "%C3%A9").replace("日", "%e6%97%a5")
    ),
)


def joined(pieces: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=4).map("".join)


QUERIES = st.lists(
    st.tuples(
        joined(["a", "b", "A", "a-b", "acl", "%20", "%2B", ".", "~"]).filter(bool),
        st.none() | joined(["1", "", "%2F", "%3D", "z", "-"]),
    ),
    max_size=5,
).map(lambda pairs: "&".join(name if value is None else f"{name}={value}" for name, value in pairs))
HEADERS = st.dictionaries(
    st.sampled_from(["X-Amz-Target", "Content-Type", "X-Amz-Meta-A", "x-b", "X-Amz-Acl", "Range"]),
    st.text(st.sampled_from("ab \t\"=;,%"), max_size=8).map(lambda text: f"a{text}b"),
    max_size=4,
)  # fmt: skip
SIGNERS: dict[str, Callable[[str | None], SigV4Auth]] = {
    "header": lambda token: SigV4Auth(Credentials(KEY, SECRET, token), "sqs", "us-east-1"),
    "s3 header": lambda token: S3SigV4Auth(Credentials(KEY, SECRET, token), "s3", "us-east-1"),
    "query": lambda token: SigV4QueryAuth(Credentials(KEY, SECRET, token), "sts", "eu-central-1"),
    "s3 query": lambda token: S3SigV4QueryAuth(Credentials(KEY, SECRET, token), "s3", "eu-central-1", 99),
}


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(sorted(SIGNERS)),
    st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    PATHS,
    QUERIES,
    HEADERS,
    st.binary(max_size=20),
    st.sampled_from([None, "FwoGZ/+=="]),
    st.data(),
)
def test_what_botocore_signs_verifies_and_a_changed_byte_does_not(
    name: str,
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    body: bytes,
    token: str | None,
    data: st.DataObject,
) -> None:
    if "query" in name:
        body = b""
        query = "&".join(dict.fromkeys(query.split("&")))  # botocore's presigner drops repeated names
    request = sign(
        SIGNERS[name](token), method, f"http://localhost:4566{path}?{query}".rstrip("?"), headers, body
    )
    fault = verify(request)
    assert fault is None, fault.message
    tampered = flip(request, data)
    try:
        claim = read_credential(tampered.head)
    except Fault:
        return
    assert claim is None or Verifier().verify(claim, tampered.head, tampered.body, SECRET, NOW_MS) is not None


def flip(request: Request, data: st.DataObject) -> Request:
    """Change one signed byte (in its lowest bit) of the request."""
    claim = claim_of(request.head)
    spots = [name for name in claim.signed_headers if request.head.headers.get(name)]
    choices: list[object] = [*spots, "signature"]
    if request.body:
        choices.append("body")
    where = data.draw(st.sampled_from(choices))
    if where == "body":
        return changed(request, body=flipped(request.body, data))
    if where == "signature":
        if claim.form == "presigned":
            stem, mark, signature = request.head.query.partition(b"X-Amz-Signature=")
            return changed(request, query=stem + mark + flipped(signature, data))
        stem, mark, signature = request.head.headers[b"authorization"].partition(b"Signature=")
        return changed(request, headers={b"authorization": stem + mark + flipped(signature, data)})
    assert isinstance(where, bytes)
    return changed(request, headers={where: flipped(request.head.headers[where], data)})


def flipped(value: bytes, data: st.DataObject) -> bytes:
    spots = [i for i, byte in enumerate(value) if byte not in b" \t\x08"]
    at = data.draw(st.sampled_from(spots))
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
