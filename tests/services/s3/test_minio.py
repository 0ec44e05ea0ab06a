"""S3 with the minio package: its own signer, its own XML, parts on several threads."""

import datetime
import hashlib
import io
import itertools
import urllib.parse
import urllib.request

import pytest
from tests.cloud import running

minio = pytest.importorskip("minio")
commonconfig = pytest.importorskip("minio.commonconfig")
deleteobjects = pytest.importorskip("minio.deleteobjects")

BODY = hashlib.shake_128(b"minio").digest(12_000_000)
PART_BYTES = 5 << 20
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def client(tmp_path):
    with running(engine="disk", folder=tmp_path / "data") as cloud:
        place = urllib.parse.urlsplit(cloud.url).netloc
        client = minio.Minio(
            endpoint=place, access_key="test", secret_key="test", region="us-east-1", secure=False
        )
        client.make_bucket(bucket_name="minio")
        yield client
        client._http.clear()


def put(client, name, body, **more):
    return client.put_object(
        bucket_name="minio", object_name=name, data=io.BytesIO(body), length=len(body), **more
    )


def read(client, name, **more):
    reply = client.get_object(bucket_name="minio", object_name=name, **more)
    try:
        return reply.read()
    finally:
        reply.close()
        reply.release_conn()


def test_small_and_large(client, tmp_path):
    tags = commonconfig.Tags.new_object_tags()
    tags["colour"] = "blue + green"
    put(client, "a/é +&", b"hello", content_type="text/x", metadata={"m": "1"}, tags=tags)
    found = client.stat_object(bucket_name="minio", object_name="a/é +&")
    assert (found.size, found.content_type, found.metadata["x-amz-meta-m"]) == (5, "text/x", "1")
    assert found.etag == hashlib.md5(b"hello").hexdigest()
    assert client.get_object_tags(bucket_name="minio", object_name="a/é +&") == {"colour": "blue + green"}

    put(client, "parts", BODY, part_size=PART_BYTES, num_parallel_uploads=3)
    found = client.stat_object(bucket_name="minio", object_name="parts")
    assert (found.size, found.etag[-2:]) == (len(BODY), "-3")
    assert read(client, "parts") == BODY
    assert read(client, "parts", offset=PART_BYTES - 3, length=6) == BODY[PART_BYTES - 3 : PART_BYTES + 3]

    unknown = client.put_object(  # of unknown length
        bucket_name="minio", object_name="stream", data=io.BytesIO(BODY), length=-1, part_size=PART_BYTES
    )
    assert unknown.object_name == "stream"
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(BODY)
    client.fput_object(bucket_name="minio", object_name="file", file_path=str(source))
    for name in ("stream", "file"):
        client.fget_object(bucket_name="minio", object_name=name, file_path=str(back))
        assert back.read_bytes() == BODY


def test_listing_is_a_stream(client):
    names = [f"d{number % 3}/{number:04}" for number in range(1100)]
    for name in names:
        put(client, name, b"")

    def listed(**more):
        return [each.object_name for each in client.list_objects(bucket_name="minio", **more)]

    assert listed(recursive=True) == sorted(names)
    assert listed() == ["d0/", "d1/", "d2/"]
    assert listed(prefix="d1/", start_after="d1/1000") == [
        n for n in sorted(names) if n > "d1/1000" and n < "d2"
    ]
    assert listed(recursive=True, use_api_v1=True) == sorted(names)
    pages = client.list_objects(bucket_name="minio", recursive=True)
    assert [each.object_name for each in itertools.islice(pages, 3)] == sorted(names)[:3]

    doomed = [deleteobjects.DeleteObject(name) for name in names]
    assert list(client.remove_objects(bucket_name="minio", delete_object_list=doomed)) == []
    assert listed(recursive=True) == []


def test_copies_versions_and_presigned_urls(client):
    versioning = pytest.importorskip("minio.versioningconfig")
    client.set_bucket_versioning(
        bucket_name="minio", config=versioning.VersioningConfig(commonconfig.ENABLED)
    )
    first = put(client, "k", b"first").version_id
    second = put(client, "k", b"second").version_id
    assert read(client, "k", version_id=first) == b"first"
    copied = client.copy_object(
        bucket_name="minio", object_name="copy",
        source=commonconfig.CopySource(bucket_name="minio", object_name="k", version_id=first),
        metadata={"colour": "blue"}, metadata_directive=commonconfig.REPLACE,
    )  # fmt: skip
    assert copied.version_id not in (None, first, second)
    assert read(client, "copy") == b"first"
    client.remove_object(bucket_name="minio", object_name="k")
    versions = client.list_objects(bucket_name="minio", prefix="k", include_version=True)
    shown = [(each.version_id, each.is_delete_marker, each.is_latest == "true") for each in versions]
    marker = next(version for version, is_marker, _ in shown if is_marker)
    assert sorted(shown) == sorted([(marker, True, True), (second, False, False), (first, False, False)])
    with pytest.raises(minio.S3Error) as refused:
        client.stat_object(bucket_name="minio", object_name="k")
    assert refused.value.code == "NoSuchKey"

    where = client.presigned_put_object(bucket_name="minio", object_name="signed", expires=MINUTE)
    request = urllib.request.Request(where, data=b"by hand", method="PUT")
    assert urllib.request.urlopen(request, timeout=10).status == 200
    where = client.presigned_get_object(bucket_name="minio", object_name="signed", expires=MINUTE)
    assert urllib.request.urlopen(where, timeout=10).read() == b"by hand"
