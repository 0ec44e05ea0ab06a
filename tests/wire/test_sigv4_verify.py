from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPMessage
from urllib.parse import quote

import boto3
import msgspec
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.signed import (
    CREDENTIALS,
    KEY,
    NOW_MS,
    SECRET,
    changed,
    claim_of,
    code,
    frozen,
    received,
    s3,
    sign,
    sigv4,
    verify,
)

from cloudlet.kernel.fault import Fault
from cloudlet.wire.http1 import Request
from cloudlet.wire.sigv4 import read_credential
from cloudlet.wire.sigv4_verify import Verifier

HEAD = sign(sigv4(), body=b"{}").head
S3_HEAD = sign(s3(), "PUT", "http://localhost/b/k", {"x-amz-acl": "private"}, b"x").head


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
    spots = [name for name in claim.signing.names if request.head.headers.get(name)]
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


# boto3's own requests


def captured(service: str, call: Callable[[object], object], **config: object) -> Request:
    """The request that a client would send, caught before it leaves."""
    client = boto3.client(
        service,
        endpoint_url="http://localhost:4566",
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(retries={"max_attempts": 0}, **config),
    )

    def catch(request: AWSPreparedRequest, **_: object) -> None:
        raise Caught(request)

    client.meta.events.register("before-send", catch)
    with frozen(), pytest.raises(Caught) as caught:
        call(client)
    request = caught.value.request
    body = request.body
    if body is not None and not isinstance(body, (bytes, str)):
        body = body.read()
    body = body.encode() if isinstance(body, str) else body or b""
    return received(request.method, request.url, request.headers.items(), body)


class Caught(Exception):
    """Stops botocore before it opens a connection."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        self.request = request


def odd_put(client: object) -> None:
    client.put_object(Bucket="b", Key="a b/ü+%2F//./..=@:~'()*!", Body=b"x", Metadata={"a": "b  c"})  # type: ignore[attr-defined]


CALLS: dict[str, tuple[str, Callable[..., object], dict[str, object]]] = {
    "sqs json": (
        "sqs",
        lambda c: c.send_message(QueueUrl="http://localhost:4566/0/q", MessageBody="é" * 99),
        {},
    ),
    "sts query": ("sts", lambda c: c.get_caller_identity(), {}),
    "sns query": ("sns", lambda c: c.publish(TopicArn="arn:aws:sns:us-east-1:0:t", Message="a b+c&d=é"), {}),
    "ec2 query": ("ec2", lambda c: c.describe_instances(InstanceIds=["i-1", "i-2"]), {}),
    "dynamodb json": ("dynamodb", lambda c: c.get_item(TableName="tab", Key={"k": {"S": "v"}}), {}),
    "lambda rest": ("lambda", lambda c: c.invoke(FunctionName="arn:aws:lambda:us-east-1:0:function:f"), {}),
    "lambda path": ("lambda", lambda c: c.get_function(FunctionName="f:$LATEST", Qualifier="a"), {}),
    "lambda tags": (
        "lambda",
        lambda c: c.untag_resource(Resource="arn:aws:a/b c", TagKeys=["b", "a", "a b"]),
        {},
    ),
    "apigateway": ("apigateway", lambda c: c.get_resource(restApiId="a/b", resourceId="%2F"), {}),
    "route53": ("route53", lambda c: c.list_hosted_zones(Marker="a+b/c=", MaxItems="1"), {}),
    "cloudwatch": ("cloudwatch", lambda c: c.list_metrics(Namespace="a"), {}),
    "glacier": ("glacier", lambda c: c.upload_archive(vaultName="v", body=b"x" * 99), {}),
    "s3 put": ("s3", odd_put, {}),
    "s3 virtual host": ("s3", odd_put, {"s3": {"addressing_style": "virtual"}}),
    "s3 unsigned body": ("s3", odd_put, {"s3": {"payload_signing_enabled": False}}),
    "s3 no checksum": ("s3", odd_put, {"request_checksum_calculation": "when_required"}),
    "s3 list": ("s3", lambda c: c.list_objects_v2(Bucket="b", Prefix="a/ü +%", Delimiter="/", MaxKeys=9), {}),
    "s3 get": (
        "s3",
        lambda c: c.get_object(Bucket="b", Key="//k//", Range="bytes=0-1", VersionId="a.b~c"),
        {},
    ),
    "s3 acl": ("s3", lambda c: c.put_bucket_acl(Bucket="b", ACL="private", GrantRead='id="a"'), {}),
    "s3 tagging": ("s3", lambda c: c.get_object_tagging(Bucket="b", Key="k?x=y&z"), {}),
    "s3control": ("s3control", lambda c: c.get_public_access_block(AccountId="111122223333"), {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_boto3_sends_verifies(name: str) -> None:
    service, call, config = CALLS[name]
    request = captured(service, call, **config)
    fault = verify(request)
    assert fault is None, fault.message
    assert code(verify(request, secret="other")) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_presigned_urls_of_boto3_verify(style: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url="http://localhost:4566",
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        aws_session_token="t/+=",
        config=Config(signature_version="s3v4", s3={"addressing_style": style}),
    )
    params = {"Bucket": "b", "Key": "a b/ü+", "ResponseContentType": "text/plain; x"}
    with frozen():
        url = client.generate_presigned_url("get_object", params, ExpiresIn=77)
    assert verify(received("GET", url, {}.items(), b"")) is None
    assert code(verify(received("PUT", url, {}.items(), b""))) == "SignatureDoesNotMatch"
    assert code(verify(received("GET", url + "&x=y", {}.items(), b""))) == "SignatureDoesNotMatch"


def test_other_spellings_of_a_path_and_query() -> None:
    """Signers that encode or normalise otherwise than what they send."""
    s3_request = sign(s3(), "GET", "http://localhost/b/a%3Db%2B%E6?x=%7E%20")
    for path, query in [
        (b"/b/a=b+\xe6", b"x=~%20"),
        (b"/b/a%3db%2B%e6", b"x=~+"),
        (b"/b/a=b%2B%E6", b"x=%7e%20"),
    ]:
        respelled = changed(s3_request, path=path, query=query)
        # the canonical text has "~" and upper-case digits, so sign it as such
        expected = sign(s3(), "GET", "http://localhost/b/a%3Db%2B%E6?x=~%20")
        respelled = changed(respelled, headers=expected.head.headers)
        assert verify(respelled) is None
    kept = SigV4Auth(CREDENTIALS, "execute-api", "us-east-1")
    kept._normalize_url_path = lambda path: quote(path, safe="/~")  # type: ignore[method-assign]
    assert verify(sign(kept, "GET", "http://localhost/a//b/./c")) is None


MINUTE = 60_000


@pytest.mark.parametrize(
    ("drift_ms", "message"),
    [
        (15 * MINUTE, None),
        (-15 * MINUTE, None),
        (
            15 * MINUTE + 1000,
            "Signature expired: 20231114T221320Z is now earlier than 20231114T221321Z "
            "(20231114T222821Z - 15 min.)",
        ),
        (
            -15 * MINUTE - 1000,
            "Signature not yet current: 20231114T221320Z is still later than 20231114T221319Z "
            "(20231114T215819Z + 15 min.)",
        ),
    ],
)
def test_clock_skew(drift_ms: int, message: str | None) -> None:
    fault = verify(sign(sigv4()), NOW_MS + drift_ms)
    assert (fault.message if fault else None) == message
    s3_fault = verify(sign(s3(), "GET", "http://localhost/b"), NOW_MS + drift_ms)
    assert code(s3_fault) == (None if message is None else "RequestTimeTooSkewed")
    if s3_fault is not None:
        assert s3_fault.detail is not None
        assert s3_fault.detail["MaxAllowedSkewMilliseconds"] == 900_000


def test_presigned_urls_end() -> None:
    request = sign(S3SigV4QueryAuth(CREDENTIALS, "s3", "us-east-1", 60), "GET", "http://localhost/b/k")
    assert verify(request, NOW_MS + 59_999) is None
    fault = verify(request, NOW_MS + 60_000)
    assert fault is not None
    assert (fault.code, fault.status, fault.message) == ("AccessDenied", 403, "Request has expired")
    assert fault.detail is not None
    assert fault.detail["X-Amz-Expires"] == 60
    assert verify(request, NOW_MS - 15 * MINUTE) is None
    assert code(verify(request, NOW_MS - 15 * MINUTE - 1)) == "AccessDenied"
    week = sign(S3SigV4QueryAuth(CREDENTIALS, "s3", "us-east-1", 604_800), "GET", "http://localhost/b/k")
    assert verify(week, NOW_MS + 604_799_999) is None


def test_presigned_calls_of_other_services_last_fifteen_minutes_at_least() -> None:
    short = sign(SigV4QueryAuth(CREDENTIALS, "sts", "us-east-1", 60), "GET", "http://localhost/?Action=A")
    assert verify(short, NOW_MS + 15 * MINUTE) is None
    assert code(verify(short, NOW_MS + 15 * MINUTE + 1)) == "SignatureDoesNotMatch"
    hour = sign(SigV4QueryAuth(CREDENTIALS, "polly", "us-east-1", 3600), "GET", "http://localhost/v1/speech")
    assert verify(hour, NOW_MS + 60 * MINUTE) is None


def test_the_scopes_day_is_the_requests_day() -> None:
    for head, expected in [(HEAD, "SignatureDoesNotMatch"), (S3_HEAD, "AuthorizationHeaderMalformed")]:
        stale = head.headers[b"authorization"].replace(b"/20231114/", b"/20231113/")
        request = changed(sign(sigv4(), body=b"{}"), headers=head.headers | {b"authorization": stale})
        fault = verify(request)
        assert code(fault) == expected
        assert fault is not None
        assert "20231113" in fault.message


def test_the_message_shows_the_canonical_request() -> None:
    fault = verify(sign(sigv4()), secret="other")
    assert fault is not None
    assert (
        "The Canonical String for this request should have been\n'POST\n/\n\nhost:localhost:4566\n"
        in fault.message
    )
    assert "The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20231114T221320Z\n" in fault.message
    s3_fault = verify(sign(s3(), "GET", "http://localhost/b"), secret="other")
    assert s3_fault is not None
    assert s3_fault.detail is not None
    assert str(s3_fault.detail["CanonicalRequest"]).startswith("GET\n/b\n\nhost:localhost\n")
    assert (
        bytes.fromhex(str(s3_fault.detail["StringToSignBytes"])).decode() == s3_fault.detail["StringToSign"]
    )


def test_headers_that_must_be_signed() -> None:
    request = sign(s3(), "PUT", "http://localhost/b/k", body=b"x")
    fault = verify(changed(request, headers={b"x-amz-acl": b"public-read"}))
    assert fault is not None
    assert (fault.code, fault.status, fault.detail) == (
        "AccessDenied",
        403,
        {"HeadersNotSigned": "x-amz-acl"},
    )
    unsigned = sigv4()
    unsigned.headers_to_sign = lambda request: drop_host(SigV4Auth.headers_to_sign(unsigned, request))  # type: ignore[method-assign]
    assert code(verify(sign(unsigned))) == "SignatureDoesNotMatch"


def drop_host(headers: HTTPMessage) -> HTTPMessage:
    del headers["host"]
    return headers


def test_bodies_and_their_hashes() -> None:
    request = sign(s3(), "PUT", "http://localhost/b/k", body=b"x")
    fault = verify(changed(request, body=b"y"))
    assert fault is not None
    assert (fault.code, fault.status) == ("XAmzContentSHA256Mismatch", 400)
    assert fault.detail is not None
    assert (
        fault.detail["ClientComputedContentSHA256"] == request.head.headers[b"x-amz-content-sha256"].decode()
    )
    assert Verifier().verify(claim_of(request.head), request.head, None, SECRET, NOW_MS) is None
    headers = {name: value for name, value in request.head.headers.items() if name != b"x-amz-content-sha256"}
    without = msgspec.structs.replace(request, head=msgspec.structs.replace(request.head, headers=headers))
    assert code(verify(without)) == "InvalidRequest"
    for word, expected in [
        ("UNSIGNED-PAYLOAD", None),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", None),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "NotImplemented"),
        ("nonsense", "InvalidArgument"),
        ("A" * 64, "InvalidArgument"),
    ]:
        signer = s3()
        signer.payload = lambda request, word=word: word  # type: ignore[method-assign]
        assert code(verify(sign(signer, "PUT", "http://localhost/b/k", body=b"x"))) == expected


def test_a_streamed_body_of_another_service_needs_its_hash() -> None:
    request = sign(sigv4(), body=b"x")
    assert (
        code(Verifier().verify(claim_of(request.head), request.head, None, SECRET, NOW_MS))
        == "InvalidRequest"
    )


def test_signing_keys_are_remembered_within_a_bound() -> None:
    verifier = Verifier()
    request = sign(sigv4())
    claim = claim_of(request.head)
    for n in range(5000):
        verifier.verify(claim, request.head, request.body, f"secret {n}", NOW_MS)
    assert len(verifier._keys) <= 4096
    assert verifier.verify(claim, request.head, request.body, SECRET, NOW_MS) is None


def test_a_signature_that_names_itself_is_read_once() -> None:
    value = (
        b"AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/iam/aws4_request, SignedHeaders=host, Signature="
    )
    value += b"Signature=".ljust(64, b"0")
    head = msgspec.structs.replace(HEAD, headers=HEAD.headers | {b"authorization": value})
    claim = read_credential(head)
    assert claim is not None
    assert claim.signature == b"Signature=".ljust(64, b"0")


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60), st.binary(max_size=60), st.sampled_from([b"authorization", b"x-amz-date", b""])
)
def test_any_bytes_are_a_claim_a_fault_or_nothing(start: bytes, end: bytes, where: bytes) -> None:
    usual = HEAD.headers.get(where, b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A&X-Amz-Signature=")
    value = start + usual[len(start) : len(usual) - len(end)] + end
    if where:
        head = msgspec.structs.replace(HEAD, headers=HEAD.headers | {where: value})
    else:
        head = msgspec.structs.replace(HEAD, headers={b"host": b"h"}, query=value)
    try:
        claim = read_credential(head)
    except Fault:
        return
    if claim is not None:
        Verifier().verify(claim, head, b"", SECRET, NOW_MS)
