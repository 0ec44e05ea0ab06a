"""boto3's transfer manager: a large body in parts and in ranges, on several threads."""

import hashlib
import io

import pytest
from boto3.s3.transfer import TransferConfig
from tests.cloud import running

SIZE_BYTES = 100_000_000
PART_BYTES = 8 << 20
MANY = TransferConfig(multipart_chunksize=PART_BYTES, max_concurrency=8)
WHOLE = TransferConfig(multipart_threshold=1 << 30)  # over the threshold a copy is one of parts: absent


@pytest.fixture(scope="module")
def noise():
    """Bytes of which no two stretches are alike, so that a misplaced part shows."""
    return hashlib.shake_128(b"transfer").digest(SIZE_BYTES)


@pytest.fixture
def s3(tmp_path):
    with running(engine="disk", folder=tmp_path / "data") as cloud:
        client = cloud.client("s3", max_pool_connections=8)
        client.create_bucket(Bucket="moved")
        yield client


def test_a_file_goes_up_and_down(s3, noise, tmp_path):
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(noise)
    s3.upload_file(str(source), "moved", "file", Config=MANY, ExtraArgs={"Metadata": {"m": "1"}})
    found = s3.head_object(Bucket="moved", Key="file", ChecksumMode="ENABLED")
    parts = [noise[start : start + PART_BYTES] for start in range(0, SIZE_BYTES, PART_BYTES)]
    sums = b"".join(hashlib.md5(part).digest() for part in parts)
    assert found["ETag"] == f'"{hashlib.md5(sums).hexdigest()}-{len(parts)}"'
    assert (found["ContentLength"], found["Metadata"]) == (SIZE_BYTES, {"m": "1"})
    assert "ChecksumCRC32" in found or "ChecksumCRC64NVME" in found
    s3.download_file("moved", "file", str(back), Config=MANY)
    assert back.read_bytes() == noise


def test_objects_that_are_like_files(s3, noise):
    s3.upload_fileobj(Unseekable(noise), "moved", "stream", Config=MANY)
    s3.copy({"Bucket": "moved", "Key": "stream"}, "moved", "copy", Config=WHOLE)
    s3.delete_object(Bucket="moved", Key="stream")
    back = io.BytesIO()
    s3.download_fileobj("moved", "copy", back, Config=MANY)
    assert back.getbuffer() == noise
    body = s3.get_object(Bucket="moved", Key="copy")["Body"].read()  # with its checksum, where it has one
    assert body == noise


class Unseekable(io.RawIOBase):
    """A stream: its end is not known before it comes."""

    def __init__(self, content):
        self._inner = io.BytesIO(content)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._inner.read(size)
