"""kill -9 under load: what was acknowledged is there, what was shown is not gone, sessions come back.

Each client has a session for the whole loop and remembers what it was told. After every kill it comes back to
its session and looks:

    its counter      at least what was acknowledged, at most what was sent
    its pair         two znodes that every multi sets alike
    its ephemerals   those acknowledged, owned by the session that it has come back to
    others' counters never less than it has seen
    sequence numbers never handed out twice, never less than before
    its watch        on a neighbour's counter, renewed by setWatches: told once, before what it tells of
    zxids            never go back
"""

import os
import random
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.coord.zookeeper.raw import ANYONE, RawClient

import cloudlet
from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import (
    MULTI_END,
    Code,
    CreateRequest,
    GetDataResponse,
    MultiHeader,
    OpCode,
    PathResponse,
    PathVersionRequest,
    PathWatchRequest,
    SetDataRequest,
    SetWatches,
    StatResponse,
    WatcherEvent,
)

REPOSITORY = Path(__file__).parents[3]
CLIENTS = 4
PARTS = 2
TIMEOUT_MS = 40_000
EVENT = -1


class Gone(Exception):
    """The server was killed."""


class Worker:
    """A client that goes on from where it was after every kill."""

    def __init__(self, number, seed):
        self.number = number
        self.random = random.Random(seed)
        self.raw = None
        self.session = None
        self.zxid = 0
        self.sent = self.acknowledged = 0  # the counter
        self.seen = dict.fromkeys(range(CLIENTS), 0)
        self.sequence = -1
        self.names = []
        self.ephemerals = {}  # path -> whether its making was acknowledged
        self.checked = 0
        self.neighbour = f"/w{(number + 1) % CLIENTS}"
        self.armed = None  # the mzxid of the neighbour's counter that its watch goes on from
        self.resumed = 0

    def call(self, kind, record):
        try:
            header, body = self.raw.call(kind, record)
        except (OSError, EOFError):
            raise Gone from None
        assert header.zxid >= self.zxid, "a zxid went back"
        self.zxid = header.zxid
        return header.err, body

    def connect(self, port):
        self.raw = RawClient(port)
        if self.session is None:
            self.session, _ = self.raw.connect(TIMEOUT_MS)
            assert self.call(OpCode.create, CreateRequest(f"/w{self.number}", b"0", ANYONE, 0))[0] == 0
            for name in "ab":
                path = f"/w{self.number}/{name}"
                assert self.call(OpCode.create, CreateRequest(path, b"0", ANYONE, 0))[0] == 0
            self.call(OpCode.create, CreateRequest("/seq", b"", ANYONE, 0))
            return
        came, _ = self.raw.connect(
            TIMEOUT_MS, session=self.session.sessionId, password=self.session.passwd, zxid=self.zxid
        )
        assert came.sessionId == self.session.sessionId, "the session is lost"
        if self.armed is not None:
            assert self.call(OpCode.setWatches, SetWatches(self.zxid, [self.neighbour], [], []))[0] == 0
            self.resumed += 1
        self.look()
        self.look_at_neighbour()

    def number_at(self, path):
        error, body = self.call(OpCode.getData, PathWatchRequest(path, False))
        return int(codec(GetDataResponse).decode(body, 0)[0].data) if error == 0 else None

    def look(self):
        """After a kill."""
        found = self.number_at(f"/w{self.number}")
        assert self.acknowledged <= found <= self.sent
        self.acknowledged = self.sent = found
        assert self.number_at(f"/w{self.number}/a") == self.number_at(f"/w{self.number}/b"), "half a multi"
        for path, is_certain in list(self.ephemerals.items()):
            error, body = self.call(OpCode.exists, PathWatchRequest(path, False))
            if error == 0:
                stat = codec(StatResponse).decode(body, 0)[0].stat
                assert stat.ephemeralOwner == self.session.sessionId
            else:
                assert not is_certain, f"{path} was acknowledged"
                del self.ephemerals[path]
        self.look_at_others()

    def look_at_others(self):
        for other in range(CLIENTS):
            found = self.number_at(f"/w{other}")
            if found is not None:
                assert found >= self.seen[other], "what was shown is gone"
                self.seen[other] = found

    def look_at_neighbour(self, *, watches=False):
        """What is newer than its watch was told of first."""
        error, body = self.call(OpCode.getData, PathWatchRequest(self.neighbour, watches))
        self.hear()
        if error:
            return
        changed = codec(GetDataResponse).decode(body, 0)[0].stat.mzxid
        assert self.armed is None or changed <= self.armed, "a change was shown before the watch was told"
        if watches:
            self.armed = changed

    def hear(self):
        """The events that have come."""
        for event in self.raw.events:
            told = codec(WatcherEvent).decode(event, 0)[0]
            assert told.path == self.neighbour
            assert self.armed is not None, "a watch was told twice"
            self.armed = None
        self.raw.events.clear()

    def watch(self):
        self.look_at_neighbour(watches=True)

    def work(self):
        """Until the kill."""
        works = (
            self.count,
            self.count_in_one_go,
            self.pair,
            self.queue,
            self.appear,
            self.vanish,
            self.watch,
        )
        works += (self.look_at_neighbour, self.look_at_others)
        try:
            while True:
                self.random.choice(works)()
                self.checked += 1
        except Gone:
            self.raw.close()
            self.hear()

    def count(self):
        self.sent += 1
        request = SetDataRequest(f"/w{self.number}", b"%d" % self.sent, -1)
        assert self.call(OpCode.setData, request)[0] == 0
        self.acknowledged = self.sent

    def count_in_one_go(self):
        """Several requests before the first answer."""
        try:
            asked = []
            for _ in range(8):
                self.sent += 1
                request = SetDataRequest(f"/w{self.number}", b"%d" % self.sent, -1)
                asked.append(self.raw.ask(OpCode.setData, codec(SetDataRequest).encode(request)))
            for number, xid in enumerate(asked, self.sent - len(asked) + 1):
                header, body = self.raw.reply()
                while header.xid == EVENT:
                    self.raw.events.append(body)
                    header, body = self.raw.reply()
                assert (header.xid, header.err) == (xid, 0)
                self.acknowledged = number
                self.checked += 1
        except (OSError, EOFError):
            raise Gone from None

    def pair(self):
        value = b"%d" % self.random.getrandbits(30)
        head = codec(MultiHeader).encode(MultiHeader(OpCode.setData, False, -1))
        body = b"".join(
            head + codec(SetDataRequest).encode(SetDataRequest(f"/w{self.number}/{name}", value, -1))
            for name in "ab"
        )
        assert self.call(OpCode.multi, body + MULTI_END)[0] == 0

    def queue(self):
        error, body = self.call(OpCode.create, CreateRequest("/seq/n-", b"", ANYONE, 2))
        assert error == 0
        path = codec(PathResponse).decode(body, 0)[0].path
        assert int(path[-10:]) > self.sequence, "a sequence number came again"
        self.sequence = int(path[-10:])
        self.names.append(path)
        if self.random.random() < 0.8:  # also where the znode that had the number is gone
            assert self.call(OpCode.delete, PathVersionRequest(path, -1))[0] == 0

    def appear(self):
        path = f"/e{self.number}-{self.random.getrandbits(40)}"
        self.ephemerals[path] = False
        assert self.call(OpCode.create, CreateRequest(path, b"", ANYONE, 1))[0] == 0
        self.ephemerals[path] = True

    def vanish(self):
        if self.ephemerals:
            path = self.random.choice(list(self.ephemerals))
            self.ephemerals[path] = False
            assert self.call(OpCode.delete, PathVersionRequest(path, -1))[0] in (0, Code.NONODE)
            del self.ephemerals[path]


def started(folder, port):
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.coord.zookeeper.server_process", str(folder), str(port)],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(Path(cloudlet.__file__).parents[1])},
    )
    assert server.stdout.readline() == b"ready\n"
    return server


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def one_life(folder, port, workers, life_s):
    """Start, work, kill."""
    server = started(folder, port)
    failures = []

    def run(worker):
        try:
            worker.work()
        except BaseException as failure:  # noqa: BLE001 - told below
            failures.append(failure)

    try:
        for worker in workers:
            worker.connect(port)
        threads = [threading.Thread(target=run, args=[worker]) for worker in workers]
        killer = threading.Timer(life_s, server.kill)
        for thread in (*threads, killer):
            thread.start()
        for thread in (*threads, killer):
            thread.join()
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    for failure in failures:
        raise failure


@pytest.mark.parametrize("seed", range(PARTS))
def test_nothing_acknowledged_is_lost(tmp_path, seed, kills, record_property):
    chance = random.Random(seed)
    port = free_port()
    workers = [Worker(number, seed * CLIENTS + number) for number in range(CLIENTS)]
    lives = -(-kills // PARTS)
    for _ in range(lives):
        one_life(tmp_path, port, workers, chance.choice((0.02, 0.1, 0.3, 0.5)) * (0.5 + chance.random()))
    server = started(tmp_path, port)
    try:
        for worker in workers:
            worker.connect(port)
            worker.raw.close()
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    names = [name for worker in workers for name in worker.names]
    assert len(names) == len(set(names)), "a sequence number was handed out twice"
    record_property("kills", lives)
    record_property("checked", sum(worker.checked for worker in workers))
    record_property("resumed", sum(worker.resumed for worker in workers))
