"""A store that refuses to write: nothing changes, and what was due is done once it writes again."""

import asyncio

import pytest
from tests.coord.zookeeper.keepers import ANYONE, Told, opened

from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.fault import NoSpace
from cloudlet.kernel.keys import Author, Commit, Put
from cloudlet.wire.zookeeper import Code, CreateRequest, OpCode


class FullKeys(MemoryKeys):
    """Refuses commits while it is full."""

    is_full = False

    def commit_now(self, commit):
        if self.is_full:
            raise NoSpace("full")
        return super().commit_now(commit)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def keeper(clock):
    return opened(FullKeys(clock.monotonic_ms), clock)


def test_a_write_is_refused_and_reads_go_on(keeper):
    client = Told(keeper)
    client.create("/a", b"kept")
    keeper.keys.is_full = True
    assert client.set("/a", b"lost") is Code.SYSTEMERROR
    assert client.create("/b") is Code.SYSTEMERROR
    assert client.delete("/a") is Code.SYSTEMERROR
    assert client.call(OpCode.create2, CreateRequest("/b", b"", ANYONE, 0))[0] is Code.SYSTEMERROR
    data, stat = client.data("/a")
    assert (data, stat.version) == (b"kept", 0)
    assert client.exists("/").numChildren == 2
    keeper.keys.is_full = False
    assert client.create("/b") == "/b"
    assert client.exists("/").numChildren == 3


def test_no_session_is_made_and_the_client_turned_away(keeper):
    keeper.keys.is_full = True
    client = Told(keeper)
    assert client.client.session is None
    assert client.client.is_closing
    assert keeper.sessions.by_id == {}


def test_a_session_ends_once_the_store_writes_again(keeper, clock):
    client, other = Told(keeper), Told(keeper, 40_000)
    client.create("/e", flags=1)
    keeper.keys.is_full = True
    for _ in range(30):
        clock.pass_ms(500)
        keeper.tick()
    assert other.exists("/e").ephemeralOwner == client.client.session.id
    keeper.keys.is_full = False
    clock.pass_ms(500)
    keeper.tick()
    assert other.exists("/e") is Code.NONODE


def test_a_close_that_is_refused_may_be_tried_again(keeper):
    client = Told(keeper)
    keeper.keys.is_full = True
    assert client.call(OpCode.closeSession)[0] is Code.SYSTEMERROR
    keeper.keys.is_full = False
    assert client.call(OpCode.closeSession)[0] is Code.OK


def test_what_other_faces_changed_is_noted_later(keeper, clock):
    client = Told(keeper)
    client.create("/p")
    revision = asyncio.run(keeper.keys.commit(Commit(Author("etcd"), put=[Put(b"e/zk/2/p/x", b"")])))
    keeper.keys.is_full = True
    keeper.repay()
    assert client.exists("/p").pzxid == revision
    keeper.keys.is_full = False
    keeper.repay()
    again = Told(opened(keeper.keys, clock))
    assert (again.exists("/p").pzxid, again.exists("/p").cversion) == (revision, 1)
