"""What `etcdctl snapshot save` has saved of us is read and restored by etcd, which goes on from there."""

import asyncio
import json
import shutil
import subprocess

import pytest
from tests.coord.etcd.running import Client, running
from tests.interop import real_etcd
from tests.interop.etcd_builds import built

from cloudlet.wire import etcd_messages as pb

pytestmark = pytest.mark.interop

PROGRAMS = {
    "Debian's": (lambda: shutil.which("etcdctl"), lambda: shutil.which("etcd")),
    "3.6": (lambda: built("etcdutl"), lambda: built("etcd")),
}
KEYS = 2_000


def told(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def filled(client):
    """Puts, deletions, a lease, a transaction, and a value larger than a page."""
    await client.LeaseGrant(ID=77, TTL=3600)
    for number in range(KEYS):
        await client.Put(key=b"k%05d" % number, value=bytes(number % 300), lease=77 if number == 5 else 0)
    await client.Put(key=b"large", value=bytes(100_000))
    await client.Txn(success=[pb.RequestOp(request_put=pb.PutRequest(key=key)) for key in (b"z", b"y", b"x")])
    for number in range(0, KEYS, 3):
        await client.Put(key=b"k%05d" % number, value=b"again")
    await client.DeleteRange(key=b"k00100", range_end=b"k00200")
    return await shown(client)


async def shown(client):
    everything = await client.Range(key=b"\0", range_end=b"\0")
    keys = (await client.LeaseTimeToLive(ID=77, keys=True)).keys
    return everything.header.revision, everything.kvs, keys


@pytest.mark.parametrize("version", PROGRAMS)
def test_an_etcd_goes_on_from_a_snapshot(version, tmp_path):
    tool, etcd = (find() for find in PROGRAMS[version])
    etcdctl = shutil.which("etcdctl")
    if tool is None or etcd is None or etcdctl is None:
        pytest.skip(f"no etcd {version}")
    file, folder = str(tmp_path / "snapshot"), str(tmp_path / "restored")

    async def ours():
        async with running(tmp_path / "keys") as served:
            found = await filled(served.client)
            await asyncio.to_thread(told, etcdctl, "--endpoints", served.address, "snapshot", "save", file)
            return found

    async def theirs(address):
        client = await Client.connect(address)
        try:
            found = await shown(client)
            return found, (await client.Put(key=b"after")).header.revision
        finally:
            await client.close()

    revision, kvs, keys = asyncio.run(ours())
    status = json.loads(told(tool, "snapshot", "status", file, "-w", "json"))
    assert status["revision"] == max(kv.mod_revision for kv in kvs)
    told(tool, "snapshot", "restore", file, "--data-dir", folder)
    with real_etcd.running(folder, etcd=etcd) as address:
        assert asyncio.run(theirs(address)) == ((revision, kvs, keys), revision + 1)
