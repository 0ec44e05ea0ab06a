"""Streamed bodies as a service's author meets them: a small object store under S3's model."""

import asyncio
import base64
import hashlib
import socket
import urllib.error
import urllib.request

import boto3
import botocore.exceptions
import msgspec
import pytest
from tests.cloud import running

from cloudlet.aws.bodies import Bodies, Intake, Slice, Slices
from cloudlet.aws.record import Record
from cloudlet.aws.service import Answer, Service, Several
from cloudlet.kernel.blobs_memory import MemoryBlobs
from cloudlet.kernel.clock import ManualClock, SystemClock
from cloudlet.kernel.collect import UNREFERENCED_MS
from cloudlet.kernel.fault import Fault, NoSpace
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Durability
from cloudlet.wire.aws_chunked import PlainBody
from cloudlet.wire.checksums import digest_of
from cloudlet.wire.http1 import Head

BYTES_MAX = 20 << 20
LARGE = bytes(range(256)) * (3 << 12)  # 3 MiB: comes in pieces, and is admitted before it is read

s3 = Service("s3", unsigned=Fault("AccessDenied", "Access Denied", status=403))
NoSuchBucket = s3.fault("NoSuchBucket", "The specified bucket does not exist", status=404)
NoSuchKey = s3.fault("NoSuchKey", "The specified key does not exist.", status=404)
TooLarge = Fault("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
BadDigest = Fault("BadDigest", "The Content-MD5 you specified did not match what we received.")


class Object(Record):
    blob: str | None
    size_bytes: int
    etag: str


@s3.holds("s3")
def blobs_of(key, value):
    blob = msgspec.msgpack.decode(value, type=Object).blob
    return [blob] if blob else []


def admit(rq, p):
    if p.Bucket == "missing":
        raise NoSuchBucket
    return Intake(BYTES_MAX, TooLarge, ("MD5",))


@s3.op(admit=admit, harmless=["ChecksumAlgorithm", "ChecksumCRC32", "ChecksumSHA256"])
def put_object(rq, p, body):
    etag = body.digests["MD5"].hex()
    if p.ContentMD5 and base64.b64decode(p.ContentMD5).hex() != etag:
        raise BadDigest
    rq.get(("s3", p.Bucket, p.Key), Object)
    rq.commit(put={("s3", p.Bucket, p.Key): Object(body.blob, body.size_bytes, etag)})
    return {"ETag": f'"{etag}"'}


@s3.op(harmless=["ChecksumMode"])
def get_object(rq, p):
    found = rq.get(("s3", p.Bucket, p.Key), Object)
    if found is None:
        raise NoSuchKey
    if p.Range:
        half = found.size_bytes // 2
        slices = Slices([Slice(found.blob, 0, half), Slice(found.blob, half, found.size_bytes)])
        return Answer({"Body": slices}, status=206, headers=[("x-halves", "2")])
    slices = [] if found.blob is None else [Slice(found.blob, 0, found.size_bytes)]
    return {"Body": Slices(slices), "ETag": found.etag}


@s3.op(harmless=["ChecksumAlgorithm", "Quiet"])
def delete_objects(rq, p):
    names = [each.Key for each in p.Delete.Objects]

    def drop(name):
        def step(rq):
            if rq.get(("s3", p.Bucket, name), Object) is None:
                raise NoSuchKey
            rq.commit(drop=[("s3", p.Bucket, name)])
            return name

        return step

    def join(outcomes):
        pairs = list(zip(names, outcomes, strict=True))
        return {
            "Deleted": [{"Key": name} for name, each in pairs if each == name],
            "Errors": [
                {"Key": name, "Code": each.code} for name, each in pairs if isinstance(each, Exception)
            ],
        }

    return Several([drop(name) for name in names], join)


@pytest.fixture(params=["memory", "disk", "hostile"])
def cloud(request, tmp_path):
    with running(engine=request.param, folder=tmp_path, services=[s3]) as cloud:
        yield cloud


def blobs_kept(cloud):
    found = asyncio.run_coroutine_threadsafe(cloud.face.desk.bodies.blobs.ids(), cloud.loop).result(10)
    return [facts.id for facts in found]


@pytest.mark.parametrize("body", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_a_body_comes_back_as_it_went_in(cloud, body):
    client = cloud.client("s3")
    said = client.put_object(Bucket="bucket", Key="a//key%2F", Body=body)
    assert said["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    found = client.get_object(Bucket="bucket", Key="a//key%2F")
    assert found["ContentLength"] == len(body)
    assert found["Body"].read() == body
    if body:
        halves = client.get_object(Bucket="bucket", Key="a//key%2F", Range="bytes=0-")
        assert halves["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert halves["ResponseMetadata"]["HTTPHeaders"]["x-halves"] == "2"
        assert halves["Body"].read() == body
    assert len(blobs_kept(cloud)) == bool(body)


@pytest.mark.parametrize("body", [b"small", LARGE], ids=["small", "large"])
def test_a_refused_body_leaves_nothing(cloud, body):
    client = cloud.client("s3")
    client.put_object(Bucket="bucket", Key="key", Body=b"the old one")
    kept = blobs_kept(cloud)
    for code, more in {
        "NoSuchBucket": {"Bucket": "missing"},
        "BadDigest": {"ContentMD5": base64.b64encode(b"0" * 16).decode()},
        "XAmzContentSHA256Mismatch": {},
    }.items():
        if code == "XAmzContentSHA256Mismatch":
            client.meta.events.register("before-send.s3.PutObject", send_another_body)
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            client.put_object(**{"Bucket": "bucket", "Key": "key", "Body": body, **more})
        assert refused.value.response["Error"]["Code"] == code
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        cloud.client("s3").put_object(Bucket="bucket", Key="key", Body=body, ChecksumCRC32="AAAAAA==")
    assert refused.value.response["Error"]["Code"] == "BadDigest"
    assert blobs_kept(cloud) == kept
    assert cloud.client("s3").get_object(Bucket="bucket", Key="key")["Body"].read() == b"the old one"


def send_another_body(request, **_):
    request.body = b"?" * int(request.headers["Content-Length"])


LARGER = 1_100_000  # than a batch
SIZES = [
    (300_000, 10, 300_000, 5),
    (70_000,),
    (9, 600_000, 600_000),
    (1 << 20, 1),
    (LARGER, 7, LARGER, LARGER, 3),
    (70_000, *([1] * 600)),
]


@pytest.mark.parametrize("sizes", SIZES)
def test_pieces_of_any_size_are_summed_and_kept_in_their_order(sizes):
    pieces = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    whole = b"".join(pieces)
    sums = ("MD5", "CRC32", "CRC32C", "SHA1", "CRC64NVME")

    async def come():
        for piece in pieces:
            yield piece

    async def main(bytes_max):
        blobs = MemoryBlobs(ManualClock(), Ids())
        bodies = Bodies(blobs, Durability.RELAXED)
        head = Head("PUT", b"/", b"/", b"", {}, True, len(whole), False, False)
        reader = PlainBody(hashlib.sha256(whole).hexdigest().encode(), len(whole))
        body = await bodies.receive(head, come(), reader, Intake(bytes_max, TooLarge, sums))
        reader = await blobs.open(body.blob)
        kept = b"".join([chunk async for chunk in reader.chunks(0, body.size_bytes)])
        reader.close()
        return kept, body.digests

    kept, digests = asyncio.run(main(len(whole)))
    assert kept == whole
    assert digests == {name: digest_of(name, whole) for name in sums}
    with pytest.raises(Fault, match="exceeds the maximum"):
        asyncio.run(main(len(whole) - 1))


class Held(MemoryBlobs):
    """Writes nothing until it is let, and refuses some of it."""

    def __init__(self, refused_at=None):
        super().__init__(ManualClock(), Ids())
        self.let, self.is_written, self.events = asyncio.Event(), asyncio.Event(), []
        self.refused_at = refused_at

    def create(self):
        return self

    async def write(self, *chunks):
        self.is_written.set()
        await self.let.wait()
        self.events.append(sum(map(len, chunks)))
        if len(self.events) == self.refused_at:
            raise NoSpace("the disk")

    async def abandon(self):
        self.events.append("abandoned")


def receiving(blobs, sizes):
    async def come():
        for size in sizes:
            yield bytes(size)

    head = Head("PUT", b"/", b"/", b"", {}, True, sum(sizes), False, False)
    reader = PlainBody(hashlib.sha256(bytes(sum(sizes))).hexdigest().encode(), sum(sizes))
    return Bodies(blobs, Durability.RELAXED).receive(
        head, come(), reader, Intake(1 << 30, TooLarge, ("MD5",))
    )


@pytest.mark.parametrize("refused_at", [1, 2, 3])
def test_what_is_refused_while_the_next_batch_comes_is_told(refused_at):
    async def main():
        blobs = Held(refused_at)
        blobs.let.set()
        with pytest.raises(NoSpace):
            await receiving(blobs, [LARGER] * 3)
        assert blobs.events == [LARGER] * refused_at + ["abandoned"]

    asyncio.run(main())


def test_nothing_is_abandoned_under_the_hands_of_a_thread():
    async def main():
        blobs = Held()
        task = asyncio.create_task(receiving(blobs, [LARGER] * 3))
        await blobs.is_written.wait()
        task.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        assert blobs.events == []
        blobs.let.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert blobs.events == [LARGER, "abandoned"]

    asyncio.run(main())


def test_too_large_a_body_is_refused_before_it_is_sent(cloud):
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as line:
        line.sendall(head_of_put(cloud, BYTES_MAX + 1, "Expect: 100-continue\r\n"))
        said = line.recv(65536)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"EntityTooLarge" in said


def test_a_body_that_breaks_off_leaves_nothing(cloud):
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as line:
        line.sendall(head_of_put(cloud, len(LARGE)))
        line.sendall(LARGE[: len(LARGE) // 2])
    client = cloud.client("s3")
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket="bucket", Key="key")
    for _ in range(1_000):  # the server learns of the end of the connection in a later turn of its loop
        if not blobs_kept(cloud):
            break
    assert blobs_kept(cloud) == []


def head_of_put(cloud, length, more=""):
    url = cloud.client("s3", signature_version="s3v4").generate_presigned_url(
        "put_object", {"Bucket": "bucket", "Key": "key"}
    )
    target, host = url.removeprefix(cloud.url), f"127.0.0.1:{cloud.port}"
    return f"PUT {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{more}\r\n".encode()


def test_signed_chunks_and_trailers(cloud):
    # botocore sends an unsigned trailer over TLS only; asked for by name it does so here too.
    client = cloud.client(
        "s3", request_checksum_calculation="when_required", s3={"payload_signing_enabled": False}
    )
    client.put_object(Bucket="bucket", Key="key", Body=LARGE, ChecksumAlgorithm="SHA256")
    assert client.get_object(Bucket="bucket", Key="key")["Body"].read() == LARGE


def test_a_bucket_may_stand_in_the_host_name(cloud):
    client = boto3.session.Session().client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://localhost:{cloud.port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    )
    url = client.generate_presigned_url("get_object", {"Bucket": "my.bucket", "Key": "a/b"})
    assert url.startswith("http://my.bucket.localhost:")
    cloud.client("s3").put_object(Bucket="my.bucket", Key="a/b", Body=b"found")
    assert fetched(cloud, url) == (200, b"found")


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_a_url_presigned_with_version_2(cloud, style):
    cloud.client("s3").put_object(Bucket="bucket", Key="a b/c", Body=b"found")
    client = boto3.session.Session().client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://localhost:{cloud.port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=botocore.config.Config(signature_version="s3", s3={"addressing_style": style}),
    )
    url = client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "a b/c"})
    assert "AWSAccessKeyId=test" in url
    assert fetched(cloud, url) == (200, b"found")
    status, said = fetched(cloud, url.replace("a%20b/c", "another"))
    assert (status, b"<Code>SignatureDoesNotMatch</Code>" in said) == (403, True)
    url = client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "a b/c"}, ExpiresIn=-5)
    status, said = fetched(cloud, url)
    assert (status, b"<Message>Request has expired</Message>" in said) == (403, True)


def fetched(cloud, url):
    """What a GET of a URL answers, whatever host it names."""
    host = url.removeprefix("http://").partition("/")[0]
    request = urllib.request.Request(url.replace(host, f"127.0.0.1:{cloud.port}"), headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def test_who_shows_no_credentials_is_told_so_by_s3(cloud):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{cloud.url}/bucket/key", timeout=10)
    assert refused.value.code == 403
    assert b"<Code>AccessDenied</Code>" in refused.value.read()


def test_what_is_no_uri_is_refused_without_a_wrapper_as_s3_does(cloud):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{cloud.url}/bucket/%ff", timeout=10)
    said = refused.value.read()
    assert refused.value.code == 400
    assert b"<Error><Code>InvalidURI</Code>" in said
    assert b"ErrorResponse" not in said


def test_steps_may_fail_one_by_one(cloud):
    client = cloud.client("s3")
    for name in "ac":
        client.put_object(Bucket="bucket", Key=name, Body=b"")
    said = client.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": name} for name in "abc"]})
    assert [each["Key"] for each in said["Deleted"]] == ["a", "c"]
    assert [(each["Key"], each["Code"]) for each in said["Errors"]] == [("b", "NoSuchKey")]


def test_what_nothing_names_is_collected_after_an_hour(tmp_path):
    clock = ManualClock(SystemClock().wall_ms())
    with running(engine="disk", folder=tmp_path, services=[s3], clock=clock) as cloud:
        client = cloud.client("s3")
        client.put_object(Bucket="bucket", Key="a", Body=b"first")
        client.put_object(Bucket="bucket", Key="b", Body=b"kept")
        old, kept = blobs_kept(cloud)
        client.put_object(Bucket="bucket", Key="a", Body=b"second")
        assert collect(cloud) == 0  # the hour begins
        clock.pass_ms(UNREFERENCED_MS - 1)
        assert collect(cloud) == 0
        clock.pass_ms(1)
        assert collect(cloud) == 1
        assert old not in blobs_kept(cloud)
        assert kept in blobs_kept(cloud)
        assert len(blobs_kept(cloud)) == 2


def collect(cloud):
    return asyncio.run_coroutine_threadsafe(cloud.face.collector.collect(), cloud.loop).result(10)
