"""The short way of a setData against the long one: the same replies, events, entries and figures."""

from random import Random

import pytest
from tests.coord.zookeeper.keepers import ANYONE, Told, opened

from cloudlet.coord.zookeeper import plain
from cloudlet.coord.zookeeper.paths import ZNODES, ZNODES_STOP, key_of
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.keys import Author, Commit, Put
from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import (
    ACL,
    MULTI_END,
    CreateRequest,
    CreateTTLRequest,
    Id,
    MultiHeader,
    OpCode,
    PathVersionRequest,
    PathWatchRequest,
    SetACLRequest,
    SetDataRequest,
)

PATHS = ("/a", "/a/b", "/a/b/c", "/e", "/")
QUOTA_PATHS = (*PATHS, "/zookeeper/quota", "/zookeeper/quota/a", "/zookeeper/quota/a/zookeeper_limits")
ODD_PATHS = ("/a/", "a", "", "/a//b", "/none")
LISTS = ([ACL(31, Id("world", "anyone"))], [ACL(1, Id("world", "anyone"))], [ACL(31, Id("ip", "10.0.0.1"))])


class Pair:
    """A keeper with the short way and one without, asked the same."""

    def __init__(self, patch):
        self.clock = ManualClock()
        self.patch = patch
        self.keepers = [opened(clock=self.clock, enforces_quotas=True) for _ in range(2)]
        self.clients = [Told(keeper) for keeper in self.keepers]
        self.watchers = [Told(keeper) for keeper in self.keepers]

    def ask(self, kind, record, *, by_watcher=False):
        short, long = self.watchers if by_watcher else self.clients
        found = short.call(kind, record)
        with self.patch.context() as patch:
            patch.setattr(plain, "set_data", lambda *_: None)
            assert found == long.call(kind, record), (kind, record)
        assert self.clients[0].events() == self.clients[1].events()
        assert self.watchers[0].events() == self.watchers[1].events()

    def outside(self, path, value):
        """Another face writes, which knows of no meta."""
        for keeper in self.keepers:
            keeper.keys.commit_now(Commit(Author("etcd"), put=[Put(key_of(path), value)]))
            keeper.repay()

    def hold(self):
        """Both stores, and what is known beside them, are the same."""
        short, long = self.keepers
        for range_ in ((ZNODES, ZNODES_STOP), (b"", b"\xff")):
            assert without_sessions(short, range_) == without_sessions(long, range_)
        assert (short.tree.sides, short.tree.timed) == (long.tree.sides, long.tree.timed)
        assert (short.tree.nodes, short.tree.bytes) == (long.tree.nodes, long.tree.bytes)


def without_sessions(keeper, range_):
    return [entry for entry in keeper.keys.scan(*range_) if b"session" not in entry.key]


def random_request(random, paths):
    """(kind, record)"""
    path, data = random.choice(paths), random.choice((b"", b"x", b"y" * 30, None, b"count=9,bytes=40"))
    if random.random() < 0.5:
        version = random.choice((-1, -1, -1, 0, 1, 2))
        return OpCode.setData, SetDataRequest(random.choice((*paths, *paths, *ODD_PATHS)), data, version)
    flags, acl = random.choice((0, 0, 0, 1, 4)), random.choice(LISTS) if path == "/a/b/c" else ANYONE
    create = CreateRequest(path, data, acl, flags)
    delete = PathVersionRequest(path, -1)
    return random.choice(
        (
            (OpCode.create2, create),
            (OpCode.create, create),
            (OpCode.createTTL, CreateTTLRequest(path, data, ANYONE, 5, 60_000)),
            (OpCode.delete, delete),
            (OpCode.delete, delete),
            (OpCode.setACL, SetACLRequest(path, acl, -1)),
            (OpCode.multi, multi((OpCode.delete, delete), (OpCode.create, create))),
            (
                OpCode.multi,
                multi(
                    (OpCode.setData, SetDataRequest(path, data, -1)),
                )
                * 2,
            ),
        )
    )


def multi(*parts):
    rows = [codec(MultiHeader).encode(MultiHeader(kind, False, -1)) + codec(type(request)).encode(request)
            for kind, request in parts]  # fmt: skip
    return b"".join(rows) + MULTI_END


@pytest.mark.parametrize("seed", range(12))
def test_both_ways_are_one(seed, monkeypatch):
    random = Random(seed)
    paths = PATHS if seed % 3 else QUOTA_PATHS
    pair = Pair(monkeypatch)
    taken = []
    whole = plain.set_data

    def counted(*words):
        done = whole(*words)
        taken.append(done is not None)
        return done

    monkeypatch.setattr(plain, "set_data", counted)
    for _ in range(400):
        if random.random() < 0.2:
            watch = PathWatchRequest(random.choice(PATHS), watch=True)
            pair.ask(random.choice((OpCode.exists, OpCode.getChildren)), watch, by_watcher=True)
        if random.random() < 0.03:
            pair.outside(random.choice(PATHS), b"outside")
        pair.clock.pass_ms(random.randrange(50))
        pair.ask(*random_request(random, paths))
        pair.hold()
    assert 0 < sum(taken) < len(taken)


def test_what_is_plain_takes_the_short_way(monkeypatch):
    keeper = opened()
    client = Told(keeper)
    client.create("/a", b"1")
    client.create("/a/b")
    monkeypatch.setattr(keeper, "begin", None)  # of a transaction
    stat = client.set("/a", b"22", 0)
    assert (stat.version, stat.dataLength, stat.numChildren, stat.cversion) == (1, 2, 1, 1)
    assert client.data("/a") == (b"22", stat)
