"""kazoo as a black box: what a client in Python sees."""

import contextlib
import threading

import pytest
from kazoo import exceptions
from kazoo.client import KazooClient
from kazoo.protocol.states import EventType, KazooState
from kazoo.security import make_acl, make_digest_acl
from tests.coord.zookeeper.running import running


@pytest.fixture(scope="module", params=["memory", "disk"])
def face(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys") if request.param == "disk" else None
    with running(folder) as face:
        yield face


@contextlib.contextmanager
def connected(face, path="", **options):
    client = KazooClient(face.address + path, **options)
    client.start(timeout=10)
    try:
        yield client
    finally:
        client.stop()
        client.close()


@pytest.fixture
def zk(face, request):
    """A client in a folder of the test's own."""
    with connected(face) as client:
        client.create(f"/{request.node.name}", makepath=True)
    with connected(face, f"/{request.node.name}") as client:
        yield client


class Events:
    """Collects what a watch tells."""

    def __init__(self):
        self.seen = []
        self._more = threading.Condition()

    def __call__(self, event):
        with self._more:
            self.seen.append((event.type, event.path))
            self._more.notify_all()

    def wait(self, count):
        with self._more:
            assert self._more.wait_for(lambda: len(self.seen) >= count, 10), self.seen
            return list(self.seen)


def test_a_znode_is_created_read_set_and_deleted(zk):
    assert zk.create("/a", b"one") == "/a"
    data, stat = zk.get("/a")
    assert (data, stat.version, stat.dataLength, stat.czxid) == (b"one", 0, 3, stat.mzxid)
    changed = zk.set("/a", b"three", version=0)
    assert (changed.version, changed.dataLength, changed.czxid) == (1, 5, stat.czxid)
    assert changed.mzxid > stat.mzxid
    with pytest.raises(exceptions.BadVersionError):
        zk.set("/a", b"", version=0)
    with pytest.raises(exceptions.BadVersionError):
        zk.delete("/a", version=0)
    zk.delete("/a", version=1)
    assert zk.exists("/a") is None
    with pytest.raises(exceptions.NoNodeError):
        zk.get("/a")


def test_null_data_stays_null(zk):
    zk.create_async("/null", b"").get()
    assert zk.get("/null")[0] == b""


def test_children_count_and_cversion(zk):
    zk.create("/p")
    for name in "cab":
        zk.create(f"/p/{name}")
    zk.delete("/p/b")
    children, stat = zk.get_children("/p", include_data=True)
    assert children == ["a", "c"]
    assert (stat.numChildren, stat.cversion, stat.version) == (2, 4, 0)
    with pytest.raises(exceptions.NotEmptyError):
        zk.delete("/p")
    with pytest.raises(exceptions.NodeExistsError):
        zk.create("/p/a")
    with pytest.raises(exceptions.NoNodeError):
        zk.create("/nowhere/a")


def test_sequence_numbers_count_every_create(zk):
    zk.create("/s")
    assert zk.create("/s/n-", sequence=True) == "/s/n-0000000000"
    zk.create("/s/plain")
    assert zk.create("/s/n-", sequence=True) == "/s/n-0000000002"
    zk.delete("/s/n-0000000002")
    assert zk.create("/s/", sequence=True) == "/s/0000000003"


def test_an_ephemeral_goes_with_its_session(face, zk):
    chroot = zk.chroot
    with connected(face, chroot) as other:
        other.create("/e", ephemeral=True)
        assert zk.exists("/e").ephemeralOwner == other.client_id[0]
        with pytest.raises(exceptions.NoChildrenForEphemeralsError):
            zk.create("/e/child")
        events = Events()
        zk.exists("/e", watch=events)
    assert events.wait(1) == [(EventType.DELETED, "/e")]
    assert zk.exists("/e") is None


def test_watches_tell_once_and_in_order(zk):
    events = Events()
    zk.create("/w")
    zk.get("/w", watch=events)
    zk.get_children("/w", watch=events)
    zk.exists("/w/x", watch=events)
    zk.create("/w/x")
    zk.set("/w", b"1")
    zk.set("/w", b"2")
    zk.delete("/w/x")
    assert events.wait(3) == [
        (EventType.CREATED, "/w/x"),
        (EventType.CHILD, "/w"),
        (EventType.CHANGED, "/w"),
    ]


def test_a_multi_is_all_or_nothing(zk):
    zk.create("/m")
    transaction = zk.transaction()
    transaction.create("/m/a", b"1")
    transaction.set_data("/m/a", b"2")
    transaction.set_data("/m", b"x")
    transaction.check("/m", 1)
    transaction.create("/m/b")
    transaction.delete("/m/b")
    results = transaction.commit()
    assert results[0] == "/m/a"
    assert (results[1].version, results[2].version, results[3:]) == (1, 1, [True, "/m/b", True])
    assert zk.get("/m/a")[1].version == 1
    assert zk.get("/m/a")[1].czxid == zk.get("/m")[1].mzxid

    transaction = zk.transaction()
    transaction.create("/m/c")
    transaction.delete("/m/nothing")
    transaction.create("/m/d")
    results = transaction.commit()
    assert [type(result) for result in results] == [
        exceptions.RolledBackError, exceptions.NoNodeError, exceptions.RuntimeInconsistency,
    ]  # fmt: skip
    assert zk.get_children("/m") == ["a"]


def test_a_znode_deleted_and_made_anew_in_one_multi_is_new(zk):
    zk.create("/again", b"old")
    zk.set("/again", b"old2")
    before = zk.exists("/again")
    transaction = zk.transaction()
    transaction.delete("/again")
    transaction.create("/again", b"new")
    transaction.commit()
    data, after = zk.get("/again")
    assert (data, after.version) == (b"new", 0)
    assert after.czxid == after.mzxid > before.mzxid
    assert zk.set("/again", b"x").version == 1
    assert zk.get("/again")[1].czxid == after.czxid


def test_access_control(face, zk):
    zk.create("/secret", b"s", acl=[make_digest_acl("joe", "pw", all=True)])
    with pytest.raises(exceptions.NoAuthError):
        zk.get("/secret")
    with pytest.raises(exceptions.NoAuthError):
        zk.get_acls("/secret")
    zk.add_auth("digest", "joe:pw")
    assert zk.get("/secret")[0] == b"s"
    acls, stat = zk.set_acls("/secret", [make_acl("world", "anyone", read=True)]) and zk.get_acls("/secret")
    assert acls[0].id.scheme == "world"
    assert (stat.aversion, stat.version) == (1, 0)
    with pytest.raises(exceptions.NoAuthError):
        zk.set("/secret", b"")
    with pytest.raises(exceptions.InvalidACLError):
        zk.create("/bad", acl=[make_acl("nonesuch", "x", all=True)])


def test_special_znodes(zk, face):
    with connected(face) as root:
        assert "zookeeper" in root.get_children("/")
        assert root.get_children("/zookeeper") == ["config", "quota"]
        with pytest.raises(exceptions.BadArgumentsError):
            root.delete("/zookeeper/quota")
        with pytest.raises(exceptions.NoAuthError):
            root.set("/zookeeper/config", b"")
        before = root.get("/")[1]
        assert root.set("/", b"root").version == before.version + 1
        assert root.get("/")[1].czxid == 0


def test_a_session_comes_back_on_another_connection(face, zk):
    states = []
    lost = threading.Event()

    def listen(state):
        states.append(state)
        if state == KazooState.SUSPENDED:
            lost.set()

    with connected(face, zk.chroot) as client:
        client.create("/kept", ephemeral=True)
        session = client.client_id[0]
        client.add_listener(listen)
        face.call(lambda: face.face.drop(session))
        assert lost.wait(10)
        assert client.retry(client.exists, "/kept").ephemeralOwner == session
        assert client.client_id[0] == session


def test_an_expired_session_takes_its_ephemerals(face, zk):
    lost = threading.Event()
    with connected(face, zk.chroot) as client:
        client.create("/gone", ephemeral=True)
        client.add_listener(lambda state: lost.set() if state == KazooState.LOST else None)
        assert face.call(lambda: face.face.expire(client.client_id[0])) == 1
        assert zk.exists("/gone") is None
        assert lost.wait(10)


def test_words_and_version(zk):
    assert zk.command(b"ruok") == "imok"
    assert "Mode: standalone" in zk.command(b"srvr")
    assert zk.server_version() >= (3, 9)
