"""Bodies go an hour after the last object that names them, and not before."""

import asyncio

from tests.cloud import running

from cloudlet.kernel.clock import ManualClock, SystemClock
from cloudlet.kernel.collect import UNREFERENCED_MS


def blobs_kept(cloud):
    found = asyncio.run_coroutine_threadsafe(cloud.face.desk.bodies.blobs.ids(), cloud.loop).result(10)
    return {facts.id for facts in found}


def collected(cloud, clock):
    """Two passes, an hour apart: how many bodies went."""
    before = blobs_kept(cloud)
    for _ in range(2):
        asyncio.run_coroutine_threadsafe(cloud.face.collector.collect(), cloud.loop).result(10)
        clock.pass_ms(UNREFERENCED_MS)
    asyncio.run_coroutine_threadsafe(cloud.face.collector.collect(), cloud.loop).result(10)
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
