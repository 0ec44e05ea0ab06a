"""The names of children: what is a name, in which order, and long lists made in slices."""

from random import Random

import pytest
from tests.coord.zookeeper.keepers import Told, opened

from cloudlet.coord.zookeeper import children, reads
from cloudlet.coord.zookeeper.children import children_of, names
from cloudlet.coord.zookeeper.paths import children_range, name_of
from cloudlet.coord.zookeeper.requests import answer
from cloudlet.kernel.keys import LOCAL_LIMITS, Author, Commit, Drop, Put
from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import (
    GetChildren2Response,
    GetChildrenResponse,
    OpCode,
    PathWatchRequest,
    ReplyHeader,
    RequestHeader,
)

ETCD = Author("etcd")
ODD = (
    b"",
    b".",
    b"..",
    b"a/b",
    b"a//",
    b"\xff",
    b"a\x01",
    b"...",
    "ä".encode(),
    b"z" * 70,
    b"zookeeper",
    b"zz",
)


@pytest.fixture
def keeper():
    return opened()


def fill(keeper, parent, raws):
    start, _ = children_range(parent)
    keeper.keys.commit_now(Commit(ETCD, put=[Put(start + raw, b"") for raw in raws], limits=LOCAL_LIMITS))
    keeper.repay()


def listed(keeper, path):
    slices, count = children_of(keeper.tree, path)
    return codec(GetChildrenResponse).decode(names(slices), 0)[0].children, count


def ask(client, kind, path, *, watch=False):
    client.xid += 1
    header = codec(RequestHeader).encode(RequestHeader(client.xid, kind))
    body = codec(PathWatchRequest).encode(PathWatchRequest(path, watch))
    answer(client.keeper, client.client, header + body)


@pytest.mark.parametrize("parent", ["/", "/a", "/a/b", "/zookeeper"])
@pytest.mark.parametrize("seed", range(8))
def test_names_are_those_of_znodes_in_order_whatever_else_is_there(keeper, monkeypatch, parent, seed):
    random = Random(seed)
    monkeypatch.setattr(children, "SLICE_NAMES", random.choice((1, 2, 3, 100)))
    raws = {b"n%02d" % random.randrange(60) for _ in range(random.randrange(30))}
    raws |= set(random.sample(ODD, random.randrange(len(ODD)))) if seed % 2 else set()
    fill(keeper, parent, raws - {b""} if parent == "/" else raws)
    expected = {name for raw in raws if (name := name_of(raw)) is not None}
    expected |= {"/": {"zookeeper"}, "/zookeeper": {"config", "quota"}}.get(parent, set())
    assert listed(keeper, parent)[0] == sorted(expected)


@pytest.mark.parametrize("kind", [OpCode.getChildren, OpCode.getChildren2])
def test_a_long_reply_tells_what_was_there_and_holds_its_place(keeper, monkeypatch, kind):
    monkeypatch.setattr(children, "SLICE_NAMES", 10)
    monkeypatch.setattr(reads, "SLICE_NAMES", 10)
    woken = []
    keeper.long_replies.wake = lambda: woken.append(1)
    client, other = Told(keeper), Told(keeper)
    client.create("/a")
    fill(keeper, "/a", [b"%03d" % n for n in range(35)])
    before, head = client.exists("/a"), keeper.keys.head
    ask(client, kind, "/a", watch=True)
    assert (woken, client.client.is_waiting) == ([1], True)
    other.create("/a/x")
    assert other.delete("/a/007") == 0  # bystanders are served, and change what is told
    assert client.frames() == []
    steps = 0
    while keeper.long_replies.step():
        steps += 1
        assert client.frames() == []
    assert steps == 4
    reply, event = client.frames()  # the reply, and only then the event of the watch that it has left
    header, at = codec(ReplyHeader).decode(reply, 0)
    assert (header.xid, header.zxid, header.err) == (client.xid, head, 0)
    found, stop = codec(GetChildrenResponse).decode(reply, at)
    assert found.children == [f"{n:03}" for n in range(35)]
    if kind == OpCode.getChildren2:
        found, stop = codec(GetChildren2Response).decode(reply, at)
        assert found.stat == before
    assert stop == len(reply)
    assert codec(ReplyHeader).decode(event, 0)[0].xid == -1
    assert not client.client.is_waiting


def test_long_replies_take_turns_and_a_client_that_goes_is_forgotten(keeper, monkeypatch):
    monkeypatch.setattr(children, "SLICE_NAMES", 10)
    monkeypatch.setattr(reads, "SLICE_NAMES", 10)
    first, second, gone = (Told(keeper) for _ in range(3))
    first.create("/long")
    first.create("/short")
    fill(keeper, "/long", [b"%03d" % n for n in range(60)])
    fill(keeper, "/short", [b"%03d" % n for n in range(11)])
    ask(first, OpCode.getChildren, "/long")
    ask(gone, OpCode.getChildren, "/long")
    ask(second, OpCode.getChildren, "/short")
    keeper.leave(gone.client)
    for _ in range(8):
        keeper.long_replies.step()
    assert (len(first.frames()), len(second.frames())) == (0, 1)
    while keeper.long_replies.step():
        pass
    assert (len(first.frames()), len(gone.frames())) == (1, 0)
    keeper.keys.commit_now(Commit(ETCD, drop=[Drop(*children_range("/long"))]))
