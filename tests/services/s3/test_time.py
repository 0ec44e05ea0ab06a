"""S3 on two times: what is kept tells cloud time, and no move of it breaks a signature or a connection."""

import hashlib
import itertools
import threading
import urllib.error
import urllib.request

import pytest
from tests.cloud import running

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SECONDS = 30
PART_BYTES = 5 << 20
LARGE = hashlib.shake_128(b"time").digest(16 << 20)


@pytest.fixture(params=["memory", "disk"])
def cloud(request, tmp_path):
    with running(engine=request.param, folder=tmp_path) as cloud:
        cloud.client("s3").create_bucket(Bucket="bucket")
        yield cloud


def put(url, body):
    request = urllib.request.Request(url, body, {"Content-Type": "text/x"}, method="PUT")
    return urllib.request.urlopen(request, timeout=SECONDS).status


def read(url):
    return urllib.request.urlopen(url, timeout=SECONDS).read()


def modified_ms(s3, key):
    return s3.head_object(Bucket="bucket", Key=key)["LastModified"].timestamp() * 1000


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls_made_before_and_after(cloud, version):
    s3 = cloud.client("s3", signature_version=version)

    def urls(key):
        asked = {"Bucket": "bucket", "Key": key}
        sign = s3.generate_presigned_url
        return [
            sign("put_object", {**asked, "ContentType": "text/x"}, ExpiresIn=60),
            sign("get_object", asked, ExpiresIn=60),
        ]

    before = urls("before")
    cloud.move_clock("advance", 8 * DAY_MS)
    after = urls("after")
    for (where, whence), key in ((before, "before"), (after, "after")):
        assert put(where, key.encode()) == 200
        assert read(whence) == key.encode()
    late = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "after"}, ExpiresIn=-5)
    with pytest.raises(urllib.error.HTTPError):  # wall time still counts
        read(late)


def test_what_is_made_after_a_move_tells_cloud_time(cloud):
    s3 = cloud.client("s3")
    s3.put_object(Bucket="bucket", Key="old", Body=b"old")
    before_ms = modified_ms(s3, "old")
    cloud.move_clock("advance", 8 * DAY_MS)
    s3.put_object(Bucket="bucket", Key="new", Body=b"new")
    s3.copy_object(Bucket="bucket", Key="copy", CopySource="bucket/old")
    s3.create_bucket(Bucket="later")
    assert modified_ms(s3, "old") == before_ms
    listed = {each["Key"]: each["LastModified"] for each in s3.list_objects_v2(Bucket="bucket")["Contents"]}
    buckets = {each["Name"]: each["CreationDate"] for each in s3.list_buckets()["Buckets"]}
    since = listed["old"]
    moved = [listed["new"], listed["copy"], buckets["later"]]
    assert all(abs((each - since).total_seconds() - 8 * 86_400) < SECONDS for each in moved)
    assert abs((buckets["bucket"] - since).total_seconds()) < SECONDS
    asked = {"Bucket": "bucket", "Key": "new"}
    assert s3.get_object(**asked, IfUnmodifiedSince=listed["new"])["Body"].read() == b"new"
    with pytest.raises(s3.exceptions.ClientError) as refused:
        s3.get_object(**asked, IfUnmodifiedSince=since)
    assert refused.value.response["Error"]["Code"] == "PreconditionFailed"
    # The Date of a reply is what clients correct their own clocks by: it stays wall time.
    said = s3.head_object(**asked)["ResponseMetadata"]["HTTPHeaders"]
    assert said["date"] != said["last-modified"]


def test_an_upload_a_download_and_a_session_amid_a_move(cloud):
    key = cloud.client("sts").get_session_token()["Credentials"]
    s3 = cloud.client("s3", key=key["AccessKeyId"], secret=key["SecretAccessKey"], token=key["SessionToken"])
    s3.put_object(Bucket="bucket", Key="large", Body=LARGE)
    reading = s3.get_object(Bucket="bucket", Key="large")["Body"]
    begun = reading.read(1000)
    upload = s3.create_multipart_upload(Bucket="bucket", Key="parts")["UploadId"]
    asked = {"Bucket": "bucket", "Key": "parts", "UploadId": upload}
    parts = []

    def part(number, body):
        said = s3.upload_part(**asked, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": said["ETag"]})

    part(1, LARGE[:PART_BYTES])
    cloud.move_clock("advance", 8 * DAY_MS)
    part(2, LARGE[PART_BYTES:])
    assert begun + reading.read() == LARGE
    first, second = (each["LastModified"] for each in s3.list_parts(**asked)["Parts"])
    assert (second - first).days in (7, 8)
    s3.complete_multipart_upload(**asked, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket="bucket", Key="parts")["Body"].read() == LARGE


def until_busy(counts, stopping):
    """Wait until eight more turns are done, or something is wrong."""
    wanted = sum(counts) + 8
    while sum(counts) < wanted and not stopping.wait(0.001):
        pass


def test_moves_disturb_no_busy_client(cloud):
    """Four clients whose retries are off, while the clock goes eight days five times."""
    stopping, errors = threading.Event(), []
    counts = [0] * 4

    def work(number):
        s3 = cloud.client("s3")
        try:
            for turn in itertools.count():
                body = f"{number}:{turn}".encode() * 1000
                s3.put_object(Bucket="bucket", Key=f"k{number}", Body=body)
                assert s3.get_object(Bucket="bucket", Key=f"k{number}")["Body"].read() == body
                counts[number] = turn + 1
                if stopping.is_set():
                    return
        except Exception as error:  # noqa: BLE001 - told below
            errors.append(error)
            stopping.set()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        until_busy(counts, stopping)
        cloud.move_clock("advance", 8 * DAY_MS)
    until_busy(counts, stopping)
    stopping.set()
    for thread in threads:
        thread.join(SECONDS)
    assert errors == []
    s3 = cloud.client("s3")
    ahead = modified_ms(s3, "k0") - cloud.clock.wall_ms()
    assert abs(ahead - 40 * DAY_MS) < HOUR_MS
