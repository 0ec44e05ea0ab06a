"""A PUT that is broken off or refused amid its body leaves the object of before, and no blob."""

import base64
import hashlib
import http.client
import socket
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from tests.cloud import running
from tests.services.s3.test_collected import blobs_kept

OLD = b"the old one"
LARGE = bytes(range(256)) * 8192  # 2 MiB: some of it is on the disk before the end comes
CHUNK_BYTES = 65536
NO_SIGNATURE = ";chunk-signature=" + "0" * 64
TURNS_MAX = 1_000


@pytest.fixture(params=["memory", "disk"])
def cloud(request, tmp_path):
    with running(engine=request.param, folder=tmp_path) as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="key", Body=OLD)
        yield cloud


class Streamed(botocore.auth.S3SigV4Auth):
    """Signs a head whose body says itself what it is."""

    def __init__(self, kind):
        super().__init__(botocore.credentials.Credentials("test", "test"), "s3", "us-east-1")
        self.kind = kind

    def payload(self, request):
        return self.kind


def head_of(cloud, kind, length, headers, target="/bucket/key"):
    """The signed head of a PUT."""
    request = botocore.awsrequest.AWSRequest("PUT", cloud.url + target, headers=headers)
    Streamed(kind).add_auth(request)
    lines = [f"PUT {target} HTTP/1.1", f"Host: 127.0.0.1:{cloud.port}", f"Content-Length: {length}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in request.headers.items()), "", ""])


def chunked(signature, trailer):
    """LARGE in chunks of the AWS kind."""
    pieces = [LARGE[start : start + CHUNK_BYTES] for start in range(0, len(LARGE), CHUNK_BYTES)]
    head = b"".join(b"%x%s\r\n%s\r\n" % (len(each), signature.encode(), each) for each in pieces)
    return head + f"0{signature}\r\n{trailer}\r\n".encode()


def sent(cloud, kind, body, headers, target="/bucket/key"):
    """The status and the code that a PUT is answered."""
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as line:
        line.sendall(head_of(cloud, kind, len(body), headers, target).encode() + body)
        reply = http.client.HTTPResponse(line)
        reply.begin()
        text = reply.read().decode()
    return reply.status, text.partition("<Code>")[2].partition("</Code>")[0]


def expect_the_old_one(cloud, kept):
    s3 = cloud.client("s3")
    for _ in range(TURNS_MAX):  # the server learns of the end of a connection in a later turn of its loop
        if blobs_kept(cloud) == kept:
            break
    assert blobs_kept(cloud) == kept
    assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == OLD
    assert cloud.call(lambda: not cloud.face.desk.bodies.reading)


DECODED = {"x-amz-decoded-content-length": str(len(LARGE)), "content-encoding": "aws-chunked"}
TRAILED = {**DECODED, "x-amz-trailer": "x-amz-checksum-crc32"}
SIGNED, TRAILING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
OTHER_MD5 = {"content-md5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}


@pytest.mark.parametrize("target", ["/bucket/key", "/bucket/key?partNumber=1&uploadId="])
@pytest.mark.parametrize(
    ("kind", "body", "headers", "status", "code"),
    [
        (SIGNED, chunked(NO_SIGNATURE, ""), DECODED, 403, "SignatureDoesNotMatch"),
        (TRAILING, chunked("", "x-amz-checksum-crc32:AAAAAA==\r\n"), TRAILED, 400, "BadDigest"),
        ("UNSIGNED-PAYLOAD", LARGE, OTHER_MD5, 400, "BadDigest"),
        (hashlib.sha256(b"other").hexdigest(), LARGE, {}, 400, "XAmzContentSHA256Mismatch"),
    ],
    ids=["chunk signature", "trailer", "MD5", "SHA-256"],
)
def test_refused_amid_its_body(cloud, target, kind, body, headers, status, code):
    s3 = cloud.client("s3")
    if target.endswith("="):
        target += s3.create_multipart_upload(Bucket="bucket", Key="key")["UploadId"]
    kept = blobs_kept(cloud)
    assert sent(cloud, kind, body, headers, target) == (status, code)
    expect_the_old_one(cloud, kept)
    for upload in s3.list_multipart_uploads(Bucket="bucket").get("Uploads", []):
        found = s3.list_parts(Bucket="bucket", Key="key", UploadId=upload["UploadId"])
        assert "Parts" not in found


def test_the_same_bodies_are_taken_when_they_are_right(cloud):
    """What the refusals above hang on is nothing but the sum."""
    crc = cloud.client("s3").put_object(Bucket="bucket", Key="k", Body=LARGE, ChecksumAlgorithm="CRC32")
    trailer = f"x-amz-checksum-crc32:{crc['ChecksumCRC32']}\r\n"
    assert sent(cloud, TRAILING, chunked("", trailer), TRAILED) == (200, "")
    assert cloud.client("s3").get_object(Bucket="bucket", Key="key")["Body"].read() == LARGE


@pytest.mark.parametrize("part", [0, 1, CHUNK_BYTES * 3, len(LARGE) - 1])
def test_a_client_that_vanishes(cloud, part):
    kept = blobs_kept(cloud)
    url = urllib.parse.urlsplit(cloud.url)
    with socket.create_connection((url.hostname, url.port), timeout=10) as line:
        line.sendall(head_of(cloud, "UNSIGNED-PAYLOAD", len(LARGE), {}).encode() + LARGE[:part])
    expect_the_old_one(cloud, kept)


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ("", 411, b"MissingContentLength"),
        ("Transfer-Encoding: chunked\r\n", 501, b"<Header>Transfer-Encoding</Header>"),
    ],
)
def test_a_body_without_its_length(cloud, more, status, code):
    kept = blobs_kept(cloud)
    head = head_of(cloud, "UNSIGNED-PAYLOAD", 0, {}).replace("Content-Length: 0\r\n", more)
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as line:
        line.sendall(head.encode())
        reply = http.client.HTTPResponse(line)
        reply.begin()
        assert (reply.status, code in reply.read()) == (status, True)
    expect_the_old_one(cloud, kept)
