"""What another face writes in the znodes' range, ZooKeeper's clients see; and the other way round."""

import asyncio

import pytest
from tests.coord.zookeeper.keepers import ANYONE, Told, opened

from cloudlet.coord.zookeeper.recall import catch_up
from cloudlet.kernel.keys import Author, Commit, Drop, LeaseId, Put
from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import (
    MULTI_END,
    Code,
    CreateRequest,
    MultiHeader,
    OpCode,
    PathVersionRequest,
)

ETCD = Author("etcd", "root", "10.0.0.9")


@pytest.fixture
def keeper():
    return opened()


def outside(keeper, *, put=(), drop=()):
    """A commit of another face; then what the face does in its next turn."""
    revision = asyncio.run(keeper.keys.commit(Commit(ETCD, put=put, drop=drop)))
    keeper.repay()
    return revision


def test_a_znode_is_a_readable_key(keeper):
    client = Told(keeper)
    client.create("/a", b"data")
    client.create("/a/b", b"more")
    assert keeper.keys.get(b"e/zk/1/a").value == b"data"
    assert keeper.keys.get(b"e/zk/2/a/b").value == b"more"
    assert [entry.key for entry in keeper.keys.scan(b"e/zk/2/a/", b"e/zk/2/a0")] == [b"e/zk/2/a/b"]


def test_a_put_is_a_set(keeper):
    client = Told(keeper)
    client.create("/a", b"one")
    client.data("/a", watch=True)
    before = keeper.keys.get(b"e/zk/1/a")
    revision = outside(keeper, put=[Put(b"e/zk/1/a", b"two", before.meta)])
    assert client.events() == ["NodeDataChanged /a"]
    data, stat = client.data("/a")
    assert (data, stat.version, stat.mzxid) == (b"two", 1, revision)
    assert client.set("/a", b"three", version=1).version == 2


def test_a_put_of_a_new_key_makes_a_child(keeper):
    client = Told(keeper)
    client.create("/p")
    client.children("/p", watch=True)
    client.exists("/p/x", watch=True)
    revision = outside(keeper, put=[Put(b"e/zk/2/p/x", b"new")])
    assert client.events() == ["NodeCreated /p/x", "NodeChildrenChanged /p"]
    assert client.children("/p") == ["x"]
    stat = client.exists("/p")
    assert (stat.numChildren, stat.cversion, stat.pzxid) == (1, 1, revision)
    assert client.create("/p/n-", flags=2) == "/p/n-0000000001"


def test_a_deletion_deletes(keeper):
    client = Told(keeper)
    client.create("/p")
    client.create("/p/x")
    client.data("/p/x", watch=True)
    client.children("/p", watch=True)
    revision = outside(keeper, drop=[Drop(b"e/zk/2/p/x")])
    assert client.events() == ["NodeDeleted /p/x", "NodeChildrenChanged /p"]
    assert client.exists("/p/x") is Code.NONODE
    stat = client.exists("/p")
    assert (stat.numChildren, stat.cversion, stat.pzxid) == (0, 2, revision)


def test_what_other_faces_changed_of_a_parent_survives_a_restart(keeper):
    client = Told(keeper)
    client.create("/p")
    revision = outside(keeper, put=[Put(b"e/zk/2/p/x", b"")])
    again = Told(opened(keeper.keys))
    stat = again.exists("/p")
    assert (stat.numChildren, stat.cversion, stat.pzxid) == (1, 1, revision)


def test_the_end_of_a_lease_deletes_an_ephemeral_and_ends_the_session(keeper):
    watching = Told(keeper)
    client = Told(keeper)
    client.create("/e", flags=1)
    watching.exists("/e", watch=True)
    session = client.client.session
    assert keeper.keys.lease_keys(session.id) == [b"e/zk/1/e"]
    asyncio.run(keeper.keys.lease_revoke(session.id, ETCD))
    keeper.repay()
    assert watching.events() == ["NodeDeleted /e"]
    assert session.id not in keeper.sessions.by_id
    assert client.client.is_closing


def test_a_key_that_another_face_hangs_on_a_session_goes_with_it(keeper):
    client = Told(keeper)
    session = client.client.session
    outside(keeper, put=[Put(b"emine", b"1", lease=LeaseId(session.id))])
    before = keeper.keys.head
    keeper.end_session(session)
    assert keeper.keys.get(b"emine") is None
    assert keeper.keys.head == before + 1


def test_an_orphan_harms_nothing(keeper):
    client = Told(keeper)
    outside(keeper, put=[Put(b"e/zk/3/no/such/x", b"orphan")])
    assert client.data("/no/such/x")[0] == b"orphan"
    assert client.set("/no/such/x", b"set").version == 1
    assert client.exists("/no/such") is Code.NONODE
    assert client.create("/no/such/y") is Code.NONODE
    assert client.delete("/no/such/x") is Code.NONODE
    assert client.create("/no") == "/no"
    assert client.children("/no") == []
    assert client.create("/no/such") == "/no/such"
    assert client.children("/no/such") == ["x"]
    assert client.exists("/no/such").numChildren == 1
    assert client.delete("/no/such") is Code.NOTEMPTY
    assert client.delete("/no/such/x") is Code.OK
    assert client.delete("/no/such") is Code.OK


def test_a_parent_deleted_from_outside_leaves_orphans(keeper):
    client = Told(keeper)
    client.create("/p")
    client.create("/p/x", b"kept")
    outside(keeper, drop=[Drop(b"e/zk/1/p")])
    assert client.exists("/p") is Code.NONODE
    assert client.data("/p/x")[0] == b"kept"
    again = Told(opened(keeper.keys))
    assert again.create("/p") == "/p"
    assert again.exists("/p").numChildren == 1
    assert again.exists("/p").cversion == -1  # one child, and none that was made under this parent


@pytest.mark.parametrize(
    "key",
    [
        b"e/zk/", b"e/zk/x", b"e/zk/1", b"e/zk/1/a/b", b"e/zk/01/a", b"e/zk/2/a", b"e/zk/1/a/", b"e/zk/0/a",
        b"e/zk/1/.", b"e/zk/2/a//", b"e/zk/1/\xff", b"e/zk/1/a\0", b"e/zk/99999999999/a",
    ],
)  # fmt: skip
def test_keys_that_are_no_znodes_are_passed_over(keeper, key):
    client = Told(keeper)
    client.create("/a")
    outside(keeper, put=[Put(key, b"?")])
    assert client.children("/") == ["a", "zookeeper"]
    assert client.exists("/").numChildren == 2
    assert Told(opened(keeper.keys)).children("/") == ["a", "zookeeper"]
    outside(keeper, drop=[Drop(key)])
    assert client.exists("/").numChildren == 2


def test_a_range_dropped_from_outside_tells_of_every_znode(keeper):
    client = Told(keeper)
    client.create("/p")
    for name in "abc":
        client.create(f"/p/{name}")
    client.add_watch("/p", recursive=True)
    outside(keeper, drop=[Drop(b"e/zk/", b"e/zk0")])
    assert client.events() == ["NodeDeleted /p", "NodeDeleted /p/a", "NodeDeleted /p/b", "NodeDeleted /p/c"]
    assert client.children("/") == ["zookeeper"]
    assert client.exists("/").numChildren == 1
    assert Told(opened(keeper.keys)).exists("/").numChildren == 1


def test_the_history_tells_who_wrote(keeper):
    client = Told(keeper)
    client.create("/a")
    client.set("/a", b"1")

    async def authors():
        watch = keeper.keys.watch(b"e/zk/", b"e/zk0", since=2)
        return [change.author for change in await watch.take()]

    for author in asyncio.run(authors()):
        assert (author.face, author.principal) == ("zookeeper", f"{client.client.session.id:#x}")
        assert author.address == "127.0.0.1"


def test_what_is_counted_stays_what_is_there(keeper):
    """After any mixture of changes the indexes are those that a fresh start makes."""
    client = Told(keeper)
    for path in ("/a", "/a/b", "/a/c", "/d"):
        client.create(path, b"12345")
    client.create("/e", flags=1)
    client.set("/a/b", b"1")
    client.set("/a/b", None)
    client.delete("/a/c")
    outside(keeper, put=[Put(b"e/zk/2/a/x", b"123"), Put(b"e/zk/1/d", b"1")])
    outside(keeper, put=[Put(b"e/zk/2/lost/y", b"orphan")], drop=[Drop(b"e/zk/2/a/b")])
    client.create("/again")
    client.delete("/again")
    fresh = opened(keeper.keys)
    for name in ("nodes", "bytes", "timed", "sides"):
        assert getattr(keeper.tree, name) == getattr(fresh.tree, name), name
    keeper.end_session(client.client.session)
    fresh = opened(keeper.keys)
    assert (keeper.tree.nodes, keeper.tree.bytes) == (fresh.tree.nodes, fresh.tree.bytes)


def test_a_crash_before_the_note_loses_no_create(keeper):
    client = Told(keeper)
    client.create("/p")
    client.create("/p/s-", flags=2)
    commit = Commit(ETCD, put=[Put(b"e/zk/2/p/x", b""), Put(b"e/zk/1/q", b""), Put(b"e/zk/2/q/y", b"")])
    revision = asyncio.run(keeper.keys.commit(commit))  # and nothing follows
    again = Told(opened(keeper.keys))
    stat = again.exists("/p")
    assert (stat.numChildren, stat.cversion, stat.pzxid) == (2, 2, revision)
    assert again.create("/p/s-", flags=2) == "/p/s-0000000002"
    assert (again.exists("/q").cversion, again.exists("/q").pzxid) == (1, revision)


def test_a_crash_before_the_note_loses_no_deletion(keeper):
    client = Told(keeper)
    client.create("/p")
    client.create("/p/x")
    asyncio.run(keeper.keys.commit(Commit(ETCD, put=[Put(b"e/zk/2/p/y", b"")])))
    revision = asyncio.run(keeper.keys.commit(Commit(ETCD, drop=[Drop(b"e/zk/2/p/x"), Drop(b"e/zk/2/p/y")])))
    for _ in range(2):  # and what is noted then is not noted again
        again = opened(keeper.keys)
        asyncio.run(catch_up(again))
        stat = Told(again).exists("/p")
        assert (stat.numChildren, stat.cversion, stat.pzxid) == (0, 4, revision)


def test_other_faces_see_a_multi_in_its_order(keeper):
    client = Told(keeper)
    client.create("/b")
    seen = []
    keeper.keys.tap(b"e/zk/", b"e/zk0", seen.append)
    rows = [
        (OpCode.create, CreateRequest("/a", b"", ANYONE, 0)), (OpCode.delete, PathVersionRequest("/b", -1)),
        (OpCode.create, CreateRequest("/c", b"", ANYONE, 0)),
    ]  # fmt: skip
    body = b"".join(
        codec(MultiHeader).encode(MultiHeader(kind, False, -1)) + codec(type(request)).encode(request)
        for kind, request in rows
    )
    assert client.call(OpCode.multi, body + MULTI_END)[0] == 0
    (change,) = seen
    touched = [
        (event.entry.key, event.dropped) for event in change.events if event.entry.key.startswith(b"e")
    ]
    assert touched == [(b"e/zk/1/a", False), (b"e/zk/1/b", True), (b"e/zk/1/c", False)]


def test_what_a_deletion_of_very_many_znodes_owes_is_paid_in_several_turns(keeper):
    client = Told(keeper)
    client.create("/p")
    for number in range(1200):
        client.create(f"/p/{number:04}")
        client.create(f"/p/{number:04}/x")  # so that each has a side
    revision = asyncio.run(keeper.keys.commit(Commit(ETCD, drop=[Drop(b"e/zk/2/p/", b"e/zk/2/p0")])))
    paid = []
    while keeper.repay_some():
        paid.append(keeper.keys.head)
        stat = client.exists("/p")
        assert (stat.numChildren, stat.cversion, stat.pzxid) == (0, 2400, revision)
    assert paid == [revision + 1, revision + 2]
    assert keeper.tree.owed == {}
    again = Told(opened(keeper.keys, keeper.clock)).exists("/p")
    assert (again.numChildren, again.cversion, again.pzxid) == (0, 2400, revision)
