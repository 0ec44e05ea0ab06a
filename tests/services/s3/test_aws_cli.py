"""S3 with the AWS CLI, as a person types it."""

import hashlib
import os
import pathlib
import subprocess
import sys
import urllib.request

import pytest
from tests.cloud import running
from tests.services.sqs.test_aws_cli import AWS, aws

FILES = 2000
CHANGED = 7
SECONDS = 120
MADE = 1_600_000_000
LARGE_BYTES = 100_000_000


@pytest.fixture
def cloud(tmp_path):
    with running(engine="disk", folder=tmp_path / "data") as cloud:
        yield cloud


def test_a_bucket_from_the_command_line(tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"hello")
    large.write_bytes(bytes(range(256)) * (6 << 10))  # 1.5 MiB: one PUT
    back = tmp_path / "back"
    with running() as cloud:
        s3(cloud, "mb", "s3://cli-bucket")
        for source in (small, large):
            s3(cloud, "cp", str(source), "s3://cli-bucket/a/b c")
            s3(cloud, "cp", "s3://cli-bucket/a/b c", str(back))
            assert back.read_bytes() == source.read_bytes()
        s3(cloud, "cp", "s3://cli-bucket/a/b c", "s3://cli-bucket/copy", "--metadata", "m=1")
        s3(cloud, "mv", "s3://cli-bucket/copy", "s3://cli-bucket/moved")
        found = aws(cloud, "s3api", "head-object", "--bucket", "cli-bucket", "--key", "moved")
        assert found["ContentLength"] == 1_572_864
        s3(cloud, "rm", "s3://cli-bucket/moved")
        s3(cloud, "rm", "s3://cli-bucket/a/b c")
        s3(cloud, "rb", "s3://cli-bucket")
        assert aws(cloud, "s3api", "list-buckets")["Buckets"] == []


def test_sync_of_two_thousand_files(cloud, tmp_path):
    source, back = tmp_path / "source", tmp_path / "back"
    for number in range(FILES):
        path = source / f"d{number % 13}" / f"e {number % 3}" / f"f+{number}é.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d:" % number * (number % 97))  # some are empty
        os.utime(path, (MADE, MADE))  # S3's times are whole seconds: a file of this second may seem newer
    bucket = cloud.client("s3")
    bucket.create_bucket(Bucket="synced")
    (tmp_path / "config").write_text("[default]\ns3 =\n    max_concurrent_requests = 4\n", encoding="utf-8")

    def sync(*words):
        """The lines that say what was done; each names one file."""
        return s3(cloud, "sync", "--no-progress", *words, config=tmp_path / "config").splitlines()

    assert len(sync(str(source), "s3://synced/p/")) == FILES
    pages = bucket.get_paginator("list_objects_v2").paginate(Bucket="synced", Prefix="p/")
    sizes = {each["Key"]: each["Size"] for page in pages for each in page["Contents"]}
    assert sizes == {f"p/{name}": len(body) for name, body in contents(source).items()}

    assert sync(str(source), "s3://synced/p/") == []

    every = sorted(path for path in source.rglob("*") if path.is_file())
    for path in every[:CHANGED]:
        path.write_bytes(path.read_bytes() + b"more")
    for path in every[-CHANGED:]:
        path.unlink()
    lines = sync(str(source), "s3://synced/p/", "--delete")
    assert len([line for line in lines if line.startswith("upload:")]) == CHANGED
    assert len([line for line in lines if line.startswith("delete:")]) == CHANGED

    assert len(sync("s3://synced/p/", str(back))) == FILES - CHANGED
    assert contents(back) == contents(source)


def test_a_large_file_from_the_command_line(cloud, tmp_path):
    large, back = tmp_path / "large", tmp_path / "back"
    large.write_bytes(noise(LARGE_BYTES))
    s3(cloud, "mb", "s3://large")
    s3(cloud, "cp", str(large), "s3://large/in/parts", "--no-progress")
    head = cloud.client("s3").head_object(Bucket="large", Key="in/parts")
    assert head["ETag"].endswith('-12"')  # it did go in parts, of 8 MiB
    # Over the threshold a copy is one of parts, which is not there yet.
    whole = tmp_path / "config"
    whole.write_text("[default]\ns3 =\n    multipart_threshold = 1GB\n", encoding="utf-8")
    s3(cloud, "mv", "s3://large/in/parts", "s3://large/moved/parts", "--no-progress", config=whole)
    s3(cloud, "cp", "s3://large/moved/parts", str(back), "--no-progress")
    assert sha256(back) == sha256(large)
    url = s3(cloud, "presign", "s3://large/moved/parts", "--expires-in", "60").strip()
    request = urllib.request.Request(url, headers={"Range": "bytes=99999990-"})
    assert urllib.request.urlopen(request, timeout=30).read() == back.read_bytes()[-10:]
    s3(cloud, "mv", str(large), "s3://large/other", "--no-progress")
    assert not large.exists()
    assert len(s3(cloud, "rm", "--recursive", "s3://large/").splitlines()) == 2
    s3(cloud, "rb", "s3://large")


def s3(cloud, *words, config=None):
    """What `aws s3` prints; it must succeed and warn of nothing."""
    command = [sys.executable, AWS, "--endpoint-url", cloud.url, "--region", "us-east-1", "s3", *words]
    variables = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_PAGER": "",
                 "AWS_CONFIG_FILE": str(config or os.devnull), "PYTHONUTF8": "1"}  # fmt: skip
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


def contents(folder):
    """Every file's bytes by its name in the folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def noise(size_bytes):
    """Bytes of which no two stretches are alike, so that a misplaced part shows."""
    return hashlib.shake_128(b"large").digest(size_bytes)


def sha256(path):
    with pathlib.Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
