"""A checkpoint brought back, and a reset, under ZooKeeper's clients."""

import pytest
from kazoo.client import KazooClient
from tests.shell.whole_cloud import whole_cloud


@pytest.fixture
def cloud(tmp_path):
    with whole_cloud(tmp_path, only=("aws", "zookeeper")) as cloud:
        yield cloud


@pytest.fixture
def zk(cloud):
    client = KazooClient(cloud.cloud.endpoints["zookeeper"], timeout=30)
    client.start(timeout=10)
    yield client
    client.stop()
    client.close()


def test_znodes_and_sessions_come_back_as_new_revisions(cloud, zk):
    zk.create("/kept", b"old")
    zk.create("/kept/s-", sequence=True)
    zk.create("/mine", ephemeral=True)
    session = zk.client_id[0]
    cloud.done("/checkpoints/save", name="one")
    zk.set("/kept", b"new")
    zk.create("/kept/s-", sequence=True)
    zk.create("/later")
    before = zk.exists("/later").czxid
    cloud.done("/checkpoints/restore", name="one")
    assert zk.retry(zk.get_children, "/") == ["kept", "mine", "zookeeper"]
    data, stat = zk.get("/kept")
    assert (data, stat.numChildren) == (b"old", 1)
    assert stat.mzxid > before
    assert zk.client_id[0] == session
    assert zk.exists("/mine").ephemeralOwner == session
    assert zk.create("/kept/s-", sequence=True) == "/kept/s-0000000001"


def test_a_reset_forgets_znodes_and_sessions(cloud, zk):
    zk.create("/gone", ephemeral=True)
    session = zk.client_id[0]
    cloud.done("/reset")
    assert zk.retry(zk.get_children, "/") == ["zookeeper"]
    assert zk.client_id[0] != session
