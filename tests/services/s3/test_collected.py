"""Bodies go an hour after the last object that names them, and not before."""

import asyncio
import base64
import hashlib

import botocore.exceptions
import pytest
from tests.cloud import running

from cloudlet.kernel.clock import ManualClock, SystemClock
from cloudlet.kernel.collect import UNREFERENCED_MS


def blobs_kept(cloud):
    found = asyncio.run_coroutine_threadsafe(cloud.face.desk.bodies.blobs.ids(), cloud.loop).result(10)
    return {facts.id for facts in found}


PASSES = 8  # two in a row must find a body unheld, and in any of them a held one may hide it


def collected(cloud, clock):
    """Passes an hour apart: how many bodies went."""
    before = blobs_kept(cloud)
    for _ in range(PASSES):
        asyncio.run_coroutine_threadsafe(cloud.face.collector.collect(), cloud.loop).result(10)
        clock.pass_ms(UNREFERENCED_MS)
    return len(before - blobs_kept(cloud))


def test_bodies_are_collected_when_nothing_names_them(tmp_path):
    clock = ManualClock(SystemClock().wall_ms())
    with running(engine="disk", folder=tmp_path, clock=clock) as cloud:
        # A signature would be too old after the first hour: a key that nobody made is not verified.
        s3 = cloud.client("s3", key="AKIAUNKNOWN")
        s3.create_bucket(Bucket="plain")
        s3.put_object(Bucket="plain", Key="k", Body=b"first")
        s3.put_object(Bucket="plain", Key="k", Body=b"second")
        assert collected(cloud, clock) == 1
        s3.copy_object(Bucket="plain", Key="copy", CopySource="plain/k")
        s3.delete_object(Bucket="plain", Key="k")
        assert collected(cloud, clock) == 0
        assert s3.get_object(Bucket="plain", Key="copy")["Body"].read() == b"second"
        s3.delete_object(Bucket="plain", Key="copy")
        assert collected(cloud, clock) == 1


def test_a_refused_body_goes_at_once(tmp_path):
    other = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    with running(engine="disk", folder=tmp_path) as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="plain")
        s3.put_object(Bucket="plain", Key="k", Body=b"first")
        before = blobs_kept(cloud)
        with pytest.raises(botocore.exceptions.ClientError, match="BadDigest"):
            s3.put_object(Bucket="plain", Key="k", Body=b"second", ContentMD5=other)
        assert blobs_kept(cloud) == before


def test_versions_hold_their_bodies(tmp_path):
    clock = ManualClock(SystemClock().wall_ms())
    with running(engine="disk", folder=tmp_path, clock=clock) as cloud:
        s3 = cloud.client("s3", key="AKIAUNKNOWN")
        s3.create_bucket(Bucket="kept")
        s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        first = s3.put_object(Bucket="kept", Key="k", Body=b"first")["VersionId"]
        s3.put_object(Bucket="kept", Key="k", Body=b"second")
        s3.delete_object(Bucket="kept", Key="k")
        assert collected(cloud, clock) == 0
        s3.delete_object(Bucket="kept", Key="k", VersionId=first)
        assert collected(cloud, clock) == 1


PART_BYTES = 5 << 20


def upload_of(s3, *sizes, key="k"):
    """An upload with parts of these sizes: its id, and the parts as a completion lists them."""
    upload = s3.create_multipart_upload(Bucket="parts", Key=key)["UploadId"]
    return upload, [part_of(s3, upload, number, size, key) for number, size in enumerate(sizes, 1)]


def part_of(s3, upload, number, size, key="k"):
    body = bytes([number]) * size
    said = s3.upload_part(Bucket="parts", Key=key, UploadId=upload, PartNumber=number, Body=body)
    return {"PartNumber": number, "ETag": said["ETag"]}


def test_parts_are_collected(tmp_path):
    clock = ManualClock(SystemClock().wall_ms())
    with running(engine="disk", folder=tmp_path, clock=clock) as cloud:
        s3 = cloud.client("s3", key="AKIAUNKNOWN")
        s3.create_bucket(Bucket="parts")
        upload, _ = upload_of(s3, 10, 20)
        part_of(s3, upload, 2, 30)
        assert collected(cloud, clock) == 1  # of a part that was sent again
        s3.abort_multipart_upload(Bucket="parts", Key="k", UploadId=upload)
        assert collected(cloud, clock) == 2
        upload, listed = upload_of(s3, PART_BYTES, 20, 30)
        del listed[1]
        s3.complete_multipart_upload(
            Bucket="parts", Key="k", UploadId=upload, MultipartUpload={"Parts": listed}
        )
        assert collected(cloud, clock) == 1  # of the part that was not listed
        body = s3.get_object(Bucket="parts", Key="k")["Body"].read()
        assert body == b"\1" * PART_BYTES + b"\3" * 30
        s3.copy_object(Bucket="parts", Key="copy", CopySource="parts/k")
        s3.put_object(Bucket="parts", Key="k", Body=b"")
        assert collected(cloud, clock) == 0
        s3.delete_object(Bucket="parts", Key="copy")
        assert collected(cloud, clock) == 2
        assert blobs_kept(cloud) == set()


@pytest.mark.parametrize("engine", ["memory", "disk"])
def test_what_is_being_read_stays_to_its_end(tmp_path, engine):
    clock = ManualClock(SystemClock().wall_ms())
    with running(engine=engine, folder=tmp_path, clock=clock) as cloud:
        s3 = cloud.client("s3", key="AKIAUNKNOWN")
        s3.create_bucket(Bucket="parts")
        upload, listed = upload_of(s3, PART_BYTES, PART_BYTES, 20)
        s3.complete_multipart_upload(
            Bucket="parts", Key="k", UploadId=upload, MultipartUpload={"Parts": listed}
        )
        whole = b"\2" * (2 * PART_BYTES)
        s3.put_object(Bucket="parts", Key="whole", Body=whole)
        readers = [s3.get_object(Bucket="parts", Key=key)["Body"] for key in ("k", "whole")]
        begun = [reader.read(1000) for reader in readers]
        s3.delete_object(Bucket="parts", Key="k")
        s3.put_object(Bucket="parts", Key="whole", Body=b"")
        collected(cloud, clock)
        in_parts, at_once = (first + reader.read() for first, reader in zip(begun, readers, strict=True))
        assert (at_once == whole, len(in_parts)) == (True, 2 * PART_BYTES + 20)
        assert in_parts == b"\1" * PART_BYTES + b"\2" * PART_BYTES + b"\3" * 20
        collected(cloud, clock)
        assert blobs_kept(cloud) == set()
