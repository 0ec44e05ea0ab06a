"""The end of a session with many ephemerals: one commit, or nothing."""

import pytest
from tests.coord.zookeeper.keepers import Told, opened

from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.kernel.fault import NoSpace
from cloudlet.kernel.keys import Author, Commit, LeaseId, Put
from cloudlet.wire.zookeeper import OpCode

COUNT = 2_500


@pytest.fixture
def keeper():
    return opened()


def hanging(keeper, count=COUNT):
    """A client with that many ephemerals, and keys that another face has hung on its session: one beside the
    znodes, one below an ephemeral, and one of a znode that is always there."""
    client = Told(keeper)
    client.create("/e")
    client.create("/f")
    for number in range(count):
        client.create(f"/{'ef'[number % 2]}/{number:04}", flags=1)
    session = client.client.session
    hung = [b"ehung", b"e/zk/3/e/0000/below", b"e/zk/1/zookeeper"]
    keeper.keys.commit_now(Commit(Author("etcd"), put=[Put(key, b"", lease=session.id) for key in hung]))
    return client, session


def numbers(client, path):
    stat = client.exists(path)
    return stat.numChildren, stat.cversion, stat.pzxid


def test_it_is_one_revision_that_its_parents_and_watchers_see_whole(keeper):
    client, session = hanging(keeper)
    other = Told(keeper)
    for path in ("/e", "/f"):
        other.children(path, watch=True)
    other.exists("/e/2498", watch=True)
    before, nodes, weight = keeper.keys.head, keeper.tree.nodes, keeper.tree.bytes
    roots = len(other.children("/"))
    client.call(OpCode.closeSession, b"")
    assert keeper.keys.head == before + 1
    for path in ("/e", "/f"):
        assert other.children(path) == []
        assert numbers(other, path) == (0, COUNT, before + 1)
    told = other.events()
    assert sorted(told) == ["NodeChildrenChanged /e", "NodeChildrenChanged /f", "NodeDeleted /e/2498"]
    assert client.client.is_closing
    assert keeper.keys.get(b"ehung") is None
    assert keeper.keys.find_lease(session.id) is None
    assert Told(keeper, session=(session.id, session.password)).client.session is None
    assert (len(other.children("/")), other.exists("/").numChildren) == (roots, roots)
    assert keeper.tree.nodes == nodes - COUNT - 2
    again = opened(keeper.keys, keeper.clock)  # what the store tells is what was kept
    assert (again.tree.nodes, again.tree.bytes) == (keeper.tree.nodes, keeper.tree.bytes)
    assert again.tree.bytes < weight
    reader = Told(again)
    for path in ("/", "/e", "/f"):
        assert numbers(reader, path) == numbers(other, path)


def test_it_is_the_same_where_nobody_is_told(keeper):
    _, session = hanging(keeper)
    before = keeper.keys.head
    keeper.end_session(session)
    assert keeper.keys.head == before + 1
    reader = Told(opened(keeper.keys, keeper.clock))
    assert numbers(reader, "/e") == (0, COUNT, before + 1)


def test_where_it_is_refused_nothing_has_happened(keeper, monkeypatch):
    _, session = hanging(keeper)
    before = keeper.keys.head

    def refuse(commit):
        raise NoSpace("full")

    with monkeypatch.context() as full:
        full.setattr(keeper.keys, "commit_now", refuse)
        with pytest.raises(KeeperFault):
            keeper.end_session(session)
    other = Told(keeper)
    assert len(other.children("/e")) == COUNT // 2
    assert Told(keeper, session=(session.id, session.password)).client.session is session
    keeper.end_session(session)
    assert keeper.keys.find_lease(LeaseId(session.id)) is None
    assert other.children("/e") == []
    assert keeper.keys.head > before
