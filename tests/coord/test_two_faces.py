"""etcd and ZooKeeper over one history, in a whole cloud: what one face writes, the other sees."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import threading
import urllib.request

import pytest
from kazoo.client import KazooClient
from kazoo.protocol.states import EventType, KazooState
from tests.shell.whole_cloud import whole_cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with whole_cloud(tmp_path_factory.mktemp("data"), only=("etcd", "zookeeper", "aws")) as cloud:
        yield cloud


@pytest.fixture
def zk(cloud):
    client = KazooClient(cloud.cloud.endpoints["zookeeper"], timeout=30)
    client.start(timeout=10)
    yield client
    client.stop()
    client.close()


class Etcd:
    """The JSON gateway."""

    def __init__(self, address):
        self.address = address

    def call(self, path, **body):
        request = urllib.request.Request(
            f"http://{self.address}/v3/{path}",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.loads(reply.read())

    def put(self, key, value, **more):
        return int(self.call("kv/put", key=text(key), value=text(value), **more)["header"]["revision"])

    def get(self, key):
        (found,) = self.call("kv/range", key=text(key))["kvs"]
        return {**found, "value": base64.b64decode(found.get("value", "")).decode()}

    def delete(self, key):
        return int(self.call("kv/deleterange", key=text(key))["header"]["revision"])


def text(value):
    return base64.b64encode(value.encode()).decode()


@pytest.fixture
def etcd(cloud):
    return Etcd(cloud.cloud.endpoints["etcd"])


def watched():
    """A watch and what it was told, which can be waited for."""
    told, more = [], threading.Event()

    def tell(event):
        told.append((event.type, event.path))
        more.set()

    return tell, told, more


def test_a_znode_is_an_etcd_key(zk, etcd):
    zk.create("/seen", b"by etcd")
    stat = zk.set("/seen", b"twice")
    found = etcd.get("/zk/1/seen")
    assert (found["value"], int(found["version"])) == ("twice", stat.version + 1)
    assert (int(found["create_revision"]), int(found["mod_revision"])) == (stat.czxid, stat.mzxid)


def test_an_etcd_put_is_a_set_and_fires_watches(zk, etcd):
    zk.create("/put", b"one")
    made = zk.exists("/put")
    tell, told, more = watched()
    zk.get("/put", watch=tell)
    revision = etcd.put("/zk/1/put", "two")
    assert more.wait(10)
    assert told == [(EventType.CHANGED, "/put")]
    data, stat = zk.get("/put")
    assert (data, stat.version, stat.mzxid, stat.czxid) == (b"two", 1, revision, made.czxid)
    assert stat.mtime >= made.mtime > 0


def test_an_etcd_put_of_a_new_key_is_a_new_child_with_times(zk, etcd):
    zk.create("/parent")
    tell, told, more = watched()
    zk.get_children("/parent", watch=tell)
    etcd.put("/zk/2/parent/x", "new")
    assert more.wait(10)
    assert told == [(EventType.CHILD, "/parent")]
    assert zk.get_children("/parent") == ["x"]
    assert zk.exists("/parent/x").ctime > 0
    assert zk.create("/parent/s-", sequence=True) == "/parent/s-0000000001"


def test_a_session_is_a_lease(zk, etcd):
    zk.create("/mine", ephemeral=True)
    session = zk.client_id[0]
    assert int(etcd.get("/zk/1/mine")["lease"]) == session
    leases = etcd.call("lease/leases")["leases"]
    assert str(session) in {lease["ID"] for lease in leases}


def test_the_end_of_the_lease_is_the_end_of_the_session(cloud, zk, etcd):
    other = KazooClient(cloud.cloud.endpoints["zookeeper"], timeout=30)
    other.start(timeout=10)
    lost = threading.Event()
    other.add_listener(lambda state: lost.set() if state == KazooState.LOST else None)
    other.create("/ending", ephemeral=True)
    tell, told, more = watched()
    zk.exists("/ending", watch=tell)
    etcd.call("lease/revoke", ID=other.client_id[0])
    assert more.wait(10)
    assert told == [(EventType.DELETED, "/ending")]
    assert lost.wait(10)
    other.stop()
    other.close()


def test_a_connected_session_outlives_a_jump_of_the_clock(cloud, zk):
    zk.create("/lives", ephemeral=True)
    for _ in range(3):
        cloud.done("/clock/advance", by="1d")
    looking = cloud.cloud._faces["etcd"].lessor.sweep()  # who ends leases looks each half second
    asyncio.run_coroutine_threadsafe(looking, cloud.loop).result(10)
    assert zk.exists("/lives") is not None


def test_a_deletion_by_etcd(zk, etcd):
    zk.create("/gone")
    zk.create("/gone/child")
    tell, told, more = watched()
    zk.get("/gone/child", watch=tell)
    revision = etcd.delete("/zk/2/gone/child")
    assert more.wait(10)
    assert told == [(EventType.DELETED, "/gone/child")]
    stat = zk.exists("/gone")
    assert (stat.numChildren, stat.cversion, stat.pzxid) == (0, 2, revision)


@pytest.mark.interop
def test_etcdctl_sees_znodes(cloud, zk):
    if shutil.which("etcdctl") is None:
        pytest.skip("etcdctl is not installed")
    zk.create("/ctl", b"data")
    zk.create("/ctl/a", b"1")
    zk.create("/ctl/b", b"2")
    environment = {**os.environ, "ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": cloud.cloud.endpoints["etcd"]}

    def etcdctl(*words):
        done = subprocess.run(
            ["etcdctl", *words], env=environment, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout.splitlines()

    assert etcdctl("get", "--prefix", "/zk/2/ctl/") == ["/zk/2/ctl/a", "1", "/zk/2/ctl/b", "2"]
    assert etcdctl("put", "/zk/1/ctl", "changed") == ["OK"]
    assert zk.get("/ctl")[0] == b"changed"
    assert etcdctl("del", "/zk/2/ctl/b") == ["1"]
    assert zk.get_children("/ctl") == ["a"]
