"""The life of an object with Python's other S3 clients; prints "ok"."""

import datetime
import io
import os
import sys
import urllib.parse
import urllib.request

URL = os.environ["AWS_ENDPOINT_URL"]
KEYS = {"access_key": os.environ["AWS_ACCESS_KEY_ID"], "secret_key": os.environ["AWS_SECRET_ACCESS_KEY"]}
BODY = bytes(range(256)) * 4096


def with_minio():
    import minio
    from minio.commonconfig import CopySource, Tags

    client = minio.Minio(urllib.parse.urlsplit(URL).netloc, secure=False, region="us-east-1", **KEYS)
    client.make_bucket("minio")
    assert client.bucket_exists("minio")
    assert not client.bucket_exists("nothing")
    client.put_object("minio", "a/b c", io.BytesIO(BODY), len(BODY), metadata={"colour": "blue"})
    found = client.stat_object("minio", "a/b c")
    assert (found.size, found.metadata["x-amz-meta-colour"]) == (len(BODY), "blue")
    assert client.get_object("minio", "a/b c", offset=10, length=20).read() == BODY[10:30]
    client.copy_object("minio", "copy", CopySource("minio", "a/b c"))
    tags = Tags(for_object=True)
    tags["t"] = "1"
    client.set_object_tags("minio", "copy", tags)
    assert client.get_object_tags("minio", "copy") == {"t": "1"}
    url = client.presigned_get_object("minio", "copy", datetime.timedelta(minutes=1))
    assert urllib.request.urlopen(url, timeout=10).read() == BODY
    client.remove_object("minio", "a/b c")
    client.remove_object("minio", "copy")
    client.remove_bucket("minio")
    assert "minio" not in [each.name for each in client.list_buckets()]


def with_obstore():
    import obstore
    from obstore.store import S3Store

    with_minio_made("obstore")
    store = S3Store(
        "obstore",
        endpoint=URL,
        region="us-east-1",
        client_options={"allow_http": True},
        access_key_id=KEYS["access_key"],
        secret_access_key=KEYS["secret_key"],
    )
    small = BODY[:100_000]
    obstore.put(store, "a/b c", small, attributes={"Content-Type": "text/x"})
    found = obstore.get(store, "a/b c")
    assert found.attributes["Content-Type"] == "text/x"
    assert bytes(found.bytes()) == small
    assert bytes(obstore.get_range(store, "a/b c", start=5, end=9)) == small[5:9]
    assert obstore.head(store, "a/b c")["size"] == len(small)
    try:
        obstore.put(store, "a/b c", b"other", mode="create")
    except obstore.exceptions.AlreadyExistsError:
        pass
    else:
        raise AssertionError("an object that is there was made anew")
    obstore.copy(store, "a/b c", "copy")
    obstore.delete(store, ["a/b c", "copy"])
    try:
        obstore.head(store, "copy")
    except FileNotFoundError:
        return
    raise AssertionError("an object is still there")


def with_minio_made(bucket):
    import minio

    client = minio.Minio(urllib.parse.urlsplit(URL).netloc, secure=False, region="us-east-1", **KEYS)
    client.make_bucket(bucket)


def with_s3fs():
    import s3fs

    # With a region among its arguments s3fs names it as a bucket's place, which us-east-1 refuses.
    files = s3fs.S3FileSystem(endpoint_url=URL, key=KEYS["access_key"], secret=KEYS["secret_key"])
    files.mkdir("s3fs")
    files.pipe_file("s3fs/a/b c", BODY[:5000])
    assert files.cat_file("s3fs/a/b c") == BODY[:5000]
    assert files.cat_file("s3fs/a/b c", start=10, end=20) == BODY[10:20]
    assert files.info("s3fs/a/b c")["size"] == 5000
    with files.open("s3fs/written", "w") as target:
        target.write("hello")
    with files.open("s3fs/written") as source:
        assert source.read() == b"hello"
    files.setxattr("s3fs/written", colour="blue")
    assert files.getxattr("s3fs/written", "colour") == "blue"
    files.rm_file("s3fs/a/b c")


if __name__ == "__main__":
    {"minio": with_minio, "obstore": with_obstore, "s3fs": with_s3fs}[sys.argv[1]]()
    print("ok")
