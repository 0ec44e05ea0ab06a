"""Clients whose sessions end with thousands of ephemerals, and what must hold of what they were told.

An etcd watcher over the same store sees the history; `judged` walks through it, keeps the children of each
parent, and holds against it whatever ZooKeeper's clients saw, and which sessions have ended.
"""

import random
import threading
import time
from collections import Counter
from typing import NamedTuple

from tests.coord.zookeeper.raw import ANYONE, RawClient

from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import (
    MULTI_END,
    CreateRequest,
    EventType,
    GetChildren2Response,
    MultiHeader,
    OpCode,
    PathModeRequest,
    PathVersionRequest,
    PathWatchRequest,
    WatcherEvent,
)

PARENTS = ("/p0", "/p1", "/p2", "/q")
SIZES = (300, 1_500, 2_500, 3_000, 5_000, 9_000)
OUTSIDE = 2_500  # children of /q, that etcd deletes
BATCH = 250
TIMEOUT_MS, SHORT_MS = 40_000, 4_000
PERSISTENT_RECURSIVE = 1
PAUSE_S = 0.02
STEM = b"/zk/2"


class Gone(Exception):
    """The server was killed."""


class Wrong(Exception):
    """What must not be."""


class Life:
    """A session: what it has made for certain, and what is known of its end."""

    def __init__(self, name, session):
        self.name = name
        self.session = session
        self.made = {}  # path -> zxid
        self.is_whole = False
        self.is_asked = False  # to end
        self.ended = None  # the zxid of the answer
        self.missed = None  # a zxid at which it did not come back


class Read(NamedTuple):
    """A list, and at which zxid."""

    zxid: int
    parent: str
    children: frozenset
    numbers: tuple  # numChildren, cversion, pzxid


class Heard(NamedTuple):
    """What a listener was told of below a path, between two zxids."""

    start: int
    stop: int
    events: list  # (is made, path)


class Known:
    """What all clients were told."""

    def __init__(self, port):
        self.port = port
        self.lives = []
        self.reads = []
        self.heard = []
        self.wrong = []
        self.is_over = threading.Event()
        self.is_ending = threading.Event()  # the end of many has just been asked for
        self.done = self.resumed = 0


class Caller:
    """A client that never sees a zxid go back, and comes back to its session."""

    def __init__(self, known, timeout_ms=TIMEOUT_MS, *, is_last=False):
        self.known = known
        self.is_last = is_last
        self.timeout_ms = timeout_ms
        self.zxid = 0
        self.raw = self.session = None

    def connect(self):
        """Connect, as soon as somebody listens; whether the session goes on, or begins."""
        while True:
            self.close()
            try:
                self.raw = RawClient(self.known.port)
                if self.session is None:
                    self.session, _ = self.raw.connect(self.timeout_ms)
                    return True
                came, _ = self.raw.connect(
                    self.timeout_ms,
                    session=self.session.sessionId,
                    password=self.session.passwd,
                    zxid=self.zxid,
                )
            except (OSError, EOFError):
                if self.known.is_over.is_set() and not self.is_last:
                    raise Gone from None
                time.sleep(PAUSE_S)
                continue
            self.known.resumed += 1
            return came.sessionId == self.session.sessionId

    def close(self):
        if self.raw is not None:
            self.raw.close()

    def call(self, kind, record=None):
        try:
            header, body = self.raw.call(kind, record)
        except (OSError, EOFError):
            raise Gone from None
        if header.zxid < self.zxid:
            raise Wrong("a zxid went back")
        self.zxid = header.zxid
        self.known.done += 1
        return header, body

    def list(self, parent):
        """Read a parent's children, for the judge too."""
        header, body = self.call(OpCode.getChildren2, PathWatchRequest(parent, False))
        if header.err:
            raise Wrong(f"{parent}: error {header.err}")
        found, _ = codec(GetChildren2Response).decode(body, 0)
        stat = found.stat
        numbers = (stat.numChildren, stat.cversion, stat.pzxid)
        self.known.reads.append(Read(header.zxid, parent, frozenset(found.children), numbers))
        return found.children

    def make(self, paths, flags):
        """Create znodes, in one transaction."""
        head = codec(MultiHeader).encode(MultiHeader(OpCode.create, False, -1))
        body = b"".join(
            head + codec(CreateRequest).encode(CreateRequest(path, b"", ANYONE, flags)) for path in paths
        )
        header, _ = self.call(OpCode.multi, body + MULTI_END)
        if header.err:
            raise Wrong(f"creates: error {header.err}")
        return header.zxid


class Worker:
    """Does one kind of work until all is over, across kills."""

    def __init__(self, known, number, seed, work):
        self.known = known
        self.number = number
        self.random = random.Random(seed * 100 + number)
        self.caller = None
        self.life = None
        self.lives = 0
        self._work = work

    def run(self):
        try:
            while not self.known.is_over.is_set():
                try:
                    self._work(self)
                except Gone:
                    time.sleep(PAUSE_S)
        except Exception as failure:  # noqa: BLE001 - told by the judge
            self.known.wrong.append(f"client {self.number}: {failure!r}")
        finally:
            if self.caller is not None:
                self.caller.close()

    def connected(self):
        """A client whose session goes on for ever."""
        if self.caller is None:
            self.caller = Caller(self.known)
        if not self.caller.connect():
            raise Wrong("the session is lost")
        return self.caller


def end_sessions(worker):
    """One session after the other, each with many ephemerals."""
    known, life = worker.known, worker.life
    if life is not None:  # the server was killed
        if worker.caller.connect():
            if life.ended is not None:
                raise Wrong(f"{life.name} has come back")
        else:
            if not life.is_asked:
                raise Wrong(f"{life.name} is lost")
            worker.life = None
            look = Caller(known)
            look.connect()
            try:
                for parent in PARENTS:
                    look.list(parent)
                life.missed = look.zxid
                look.call(OpCode.closeSession)
            finally:
                look.close()
            return
    while not known.is_over.is_set():
        if worker.life is None:
            worker.lives += 1
            is_short = worker.random.random() < 0.2
            if worker.caller is not None:
                worker.caller.close()
            worker.caller = Caller(known, SHORT_MS if is_short else TIMEOUT_MS)
            worker.caller.connect()
            worker.life = Life(f"s{worker.number}x{worker.lives}-", worker.caller.session.sessionId)
            worker.life.size = worker.random.choice(SIZES)
            known.lives.append(worker.life)
        _fill(worker)
        _end(worker)


def _fill(worker):
    life = worker.life
    while len(life.made) < life.size and not life.is_asked and not worker.known.is_over.is_set():
        worker.tries = getattr(worker, "tries", 0) + 1
        paths = [f"{worker.random.choice(PARENTS[:3])}/{life.name}{worker.tries}-{n}" for n in range(BATCH)]
        zxid = worker.caller.make(paths, 1)
        life.made.update(dict.fromkeys(paths, zxid))


def _end(worker):
    life, known = worker.life, worker.known
    life.is_asked = True
    known.is_ending.set()
    if worker.caller.timeout_ms == SHORT_MS:
        worker.caller.close()  # its time passes
    else:
        header, _ = worker.caller.call(OpCode.closeSession)
        if header.err:
            raise Wrong(f"the end: error {header.err}")
        life.ended = header.zxid
        worker.caller.close()
    worker.life = None


def meddle(worker):
    """Make and delete other children, and list them."""
    caller = worker.connected()
    while not worker.known.is_over.is_set():
        parent = worker.random.choice(PARENTS)
        children = caller.list(parent)
        mine = [name for name in children if name.startswith(f"m{worker.number}")]
        if mine and worker.random.random() < 0.4:
            path = f"{parent}/{worker.random.choice(mine)}"
            caller.call(OpCode.delete, PathVersionRequest(path, -1))
        else:
            caller.make([f"{parent}/m{worker.number}-{worker.random.getrandbits(40)}"], 0)


def listen(worker):
    """Be told of everything below a parent, until the server is killed."""
    caller = worker.connected()
    header, _ = caller.call(OpCode.addWatch, PathModeRequest("/p0", PERSISTENT_RECURSIVE))
    start, events = header.zxid, []
    caller.raw.events.clear()
    while not worker.known.is_over.is_set():
        caller.list(worker.random.choice(PARENTS[1:]))
        for raw in caller.raw.events:
            told = codec(WatcherEvent).decode(raw, 0)[0]
            events.append((told.type == EventType.NodeCreated, told.path))
        caller.raw.events.clear()
        worker.known.heard.append(Heard(start, caller.zxid, events))
        start, events = caller.zxid, []


def fill_outside(worker):
    """Make the znodes that an etcd client deletes."""
    caller = worker.connected()
    while not worker.known.is_over.is_set():
        if len(caller.list("/q")) < OUTSIDE:
            caller.make([f"/q/o{worker.random.getrandbits(50)}" for _ in range(BATCH)], 0)
        else:
            time.sleep(PAUSE_S)


class Judge:
    """Walks through the history."""

    def __init__(self, known, history):
        self.known = known
        self.history = history
        self.found = list(known.wrong)
        self.children = {parent: set() for parent in PARENTS}
        self.changes = dict.fromkeys(PARENTS, 0)
        self.pzxid = dict.fromkeys(PARENTS, 0)
        self.leases = {}  # session -> paths

    def say(self, text):
        if len(self.found) < 10:
            self.found.append(text)

    def run(self):
        by_revision = {}
        for event in self.history:
            if event.key.startswith(b"/zk/"):
                by_revision.setdefault(event.revision, []).append(event)
        reads = sorted(self.known.reads, reverse=True)
        for revision in [*sorted(by_revision), 1 << 62]:
            while reads and reads[-1].zxid < revision:
                self._read(reads.pop())
            if revision in by_revision:
                self._apply(revision, by_revision[revision])
        self._lives()
        for heard in self.known.heard:
            self._heard(heard)
        return self.found

    def _apply(self, revision, events):
        gone = {}
        for event in events:
            path = event.key[len(STEM) :].decode() if event.key.startswith(STEM) else None
            if path is None:
                name = event.key.rpartition(b"/")[2].decode()
                if "/" + name in self.pzxid:
                    self.pzxid["/" + name] = revision
                continue
            parent, _, name = path.rpartition("/")
            if event.now is None:
                self.children[parent].discard(name)
                if event.before.lease:
                    gone.setdefault(event.before.lease, set()).add(path)
            elif event.before is None:
                self.children[parent].add(name)
                if event.now.lease:
                    self.leases.setdefault(event.now.lease, set()).add(path)
            else:
                continue
            self.changes[parent] += 1
            self.pzxid[parent] = revision
        for session, paths in gone.items():
            left = self.leases[session] = self.leases[session] - paths
            if left:
                self.say(f"{revision}: a session ended, and {len(left)} of its ephemerals stayed")

    def _read(self, read):
        there = self.children[read.parent]
        numbers = (len(there), self.changes[read.parent], self.pzxid[read.parent])
        if read.children != there:
            self.say(f"{read.zxid}: {len(read.children)} children shown in {read.parent}, not {len(there)}")
        if read.numbers != numbers:
            self.say(f"{read.zxid}: {read.parent} has {read.numbers}, not {numbers}")

    def _lives(self):
        went, came = {}, {}
        for event in self.history:
            if event.now is None and event.before.lease:
                went[event.before.lease] = event.revision
            elif event.before is None and event.now.lease:
                came[event.now.lease, event.key] = event.revision
        for life in self.known.lives:
            for path, zxid in life.made.items():
                if came.get((life.session, STEM + path.encode())) != zxid:
                    self.say(f"{path} is lost, which was made by {zxid}")
                    break
            over = life.ended or life.missed
            if over is not None and life.made and not went.get(life.session, over + 1) <= over:
                self.say(f"{life.name} was over by {over}; its ephemerals: {went.get(life.session)}")
            if went.get(life.session) and not life.is_asked:
                self.say(f"{life.name} has ended, and nobody wanted it to")

    def _heard(self, heard):
        wanted = Counter()
        for event in self.history:
            is_within = heard.start < event.revision <= heard.stop
            if is_within and event.key.startswith(STEM + b"/p0/") and not (event.now and event.before):
                wanted[event.now is not None, event.key[len(STEM) :].decode()] += 1
        if Counter(heard.events) != wanted:
            self.say(f"a listener has heard {len(heard.events)} events, not {sum(wanted.values())}")
