"""DATA/keys.sock of a whole cloud."""

from __future__ import annotations

import asyncio
import stat

from tests.shell.whole_cloud import WholeCloud

from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.keys import Author, Commit, Put
from cloudlet.shell.keys_socket import open_keys


def test_another_process_may_read_and_commit(tmp_path):
    async def script() -> None:
        keys = await open_keys(path, SystemClock())
        revision = await keys.commit(Commit(Author("kafka"), put=[Put(b"\x01x", b"1")]))
        assert cloud.cloud._stores.keys.get(b"\x01x").mod_revision == revision == keys.head
        await keys.close()

    cloud = WholeCloud(tmp_path, only=("aws", "etcd")).start()
    path = tmp_path / "keys.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    asyncio.run(script())
    cloud.stop()
    assert not path.exists()


def test_a_reset_breaks_the_connections_and_is_seen(tmp_path):
    async def script() -> None:
        keys = await open_keys(path, SystemClock())
        await keys.commit(Commit(Author("kafka"), put=[Put(b"\x01x", b"1")]))
        await asyncio.to_thread(cloud.tell, "POST", "/reset")
        await keys.refresh()
        assert keys.get(b"\x01x") is None
        revision = await keys.commit(Commit(Author("kafka"), put=[Put(b"\x01x", b"2")]))
        assert cloud.cloud._stores.keys.get(b"\x01x").mod_revision == revision
        await keys.close()

    cloud = WholeCloud(tmp_path, only=("aws", "etcd")).start()
    path = tmp_path / "keys.sock"
    asyncio.run(script())
    cloud.stop()


def test_a_cloud_of_the_aws_face_alone_has_none(tmp_path):
    cloud = WholeCloud(tmp_path, only=("aws",)).start()
    assert not (tmp_path / "keys.sock").exists()
    cloud.stop()
