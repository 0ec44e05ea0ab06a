"""ZooKeeper simulated in one thread from a seed: the production keeper, clients, crashes, a store that lags.

At each step one thing happens, chosen by the seed: a client asks, some of what waits settles, frames reach a
client, time passes, another face writes, the server crashes and starts anew. What the clients were told is
then held against the history that the store has, by these invariants:

    Linearizable          an answer shows the state of the revision it names; one that was asked after another
                          was received names no older revision
    NothingShownIsGone    after a crash the history reaches at least as far as anybody was shown
    Acknowledged          a write that was answered is in the history, with its data and its version
    InOrder               answers come in the order of the requests of their connection
    WatchReliable         a change of what is watched is told, also where the watch was set anew after a crash
    WatchOnce             nothing is told that is not watched, and nothing twice
    EventBeforeAnswer     an event comes before an answer that shows its change
    SequenceUnique        no sequence number is handed out twice
    MultiAtomic           two znodes that every multi sets alike are alike at every revision
    SessionsSurvive       a client that comes back in time has its session, and its ephemerals
    ExpiredIsGone         no ephemeral outlives its session
    StatFaithful          numChildren and cversion are those of the children that there are and were
"""

import asyncio
import random

from tests.coord.zookeeper.keepers import ANYONE
from tests.simulate.lagging_keys import LaggingKeys

from cloudlet.coord.zookeeper.keeper import Keeper
from cloudlet.coord.zookeeper.paths import key_of, path_of
from cloudlet.coord.zookeeper.recall import catch_up
from cloudlet.coord.zookeeper.requests import answer
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Author, Commit, Drop, Durability, Put
from cloudlet.wire.jute import INT, codec
from cloudlet.wire.zookeeper import (
    MULTI_END,
    Code,
    ConnectRequest,
    ConnectResponse,
    CreateRequest,
    EventType,
    GetChildren2Response,
    GetDataResponse,
    MultiHeader,
    OpCode,
    PathResponse,
    PathVersionRequest,
    PathWatchRequest,
    ReplyHeader,
    RequestHeader,
    SetDataRequest,
    SetWatches,
    StatResponse,
    WatcherEvent,
)

CLIENTS = 3
TIMEOUT_MS = 20_000
PATHS = ("/a", "/b", "/c")
PAIR = ("/left", "/right")
DATA_EVENTS = (EventType.NodeCreated, EventType.NodeDeleted, EventType.NodeDataChanged)


class Violated(AssertionError):
    """An invariant does not hold."""


def hold(condition, name, *told):
    if not condition:
        raise Violated(f"{name}: {' '.join(map(str, told))}")


class Asked:
    """A request, and what became of it."""

    def __init__(self, kind, request, step):
        self.kind = kind
        self.request = request
        self.asked = step  # when
        self.received = None
        self.zxid = None
        self.error = None
        self.body = b""


class SimClient:
    """A client: its session, what it has asked, and its watches."""

    def __init__(self, world, number):
        self.world = world
        self.number = number
        self.session = None
        self.client = None
        self.waiting = {}  # xid -> Asked, in order
        self.xid = 0
        self.zxid = 0
        self.watches = {}  # (path, is of children) -> the zxid of which the client knows
        self.ephemerals = {}  # path -> the zxid that made it
        self.rest = b""

    def connect(self):
        keeper = self.world.keeper
        self.client = keeper.join(f"10.0.0.{self.number}")
        self.waiting = {}
        asked = (0, bytes(16)) if self.session is None else (self.session.sessionId, self.session.passwd)
        keeper.connect(
            self.client,
            codec(ConnectRequest).encode(ConnectRequest(0, self.zxid, TIMEOUT_MS, *asked)) + b"\0",
        )
        self.rest = b""
        self.is_welcome = False

    def ask(self, kind, request, xid=None):
        if xid is None:
            self.xid += 1
            xid = self.xid
        body = request if isinstance(request, bytes) else codec(type(request)).encode(request)
        self.waiting[xid] = self.world.asked(kind, request)
        answer(self.world.keeper, self.client, codec(RequestHeader).encode(RequestHeader(xid, kind)) + body)

    def receive(self):
        """Take what the network brings."""
        data = self.rest + self.client.take(self.world.keys.settled)
        self.rest = b""
        while len(data) >= 4:
            (size,) = INT.unpack_from(data)
            frame, data = data[4 : 4 + size], data[4 + size :]
            if not self.is_welcome:
                self.welcome(frame)
            else:
                self.take(frame)

    def welcome(self, frame):
        answered, _ = codec(ConnectResponse).decode(frame, 0)
        self.is_welcome = True
        if self.session is not None and answered.sessionId == 0:
            hold(self.world.may_expire, "SessionsSurvive", "client", self.number)
            self.session, self.watches, self.ephemerals = None, {}, {}
            self.connect()
            return
        if self.session is not None:
            hold(answered.sessionId == self.session.sessionId, "SessionsSurvive", "another session")
        self.session = answered
        if self.watches:
            data = [path for path, of_children in self.watches if not of_children]
            # Which of the watched are there tells the history: a client knows it from its own answers.
            there = {path for path in data if self.world.was_there(path, self.zxid)}
            children = [path for path, of_children in self.watches if of_children]
            lists = [path for path in data if path in there], [path for path in data if path not in there]
            self.ask(OpCode.setWatches, SetWatches(self.zxid, *lists, children), xid=-8)

    def take(self, frame):
        header, at = codec(ReplyHeader).decode(frame, 0)
        self.world.shown = max(self.world.shown, header.zxid)
        if header.xid == -1:
            self.event(codec(WatcherEvent).decode(frame, at)[0], header.zxid)
            return
        first = next(iter(self.waiting), None)
        hold(header.xid == first, "InOrder", "client", self.number, "got", header.xid, "before", first)
        asked = self.waiting.pop(first)
        hold(header.zxid >= self.zxid, "Linearizable", "a connection's zxid went back")
        asked.received, asked.zxid, asked.error, asked.body = (
            self.world.step,
            header.zxid,
            header.err,
            frame[at:],
        )
        self.zxid = header.zxid
        self.world.answered.append(asked)
        self.known(asked)
        if asked.kind == OpCode.setWatches:
            self.set_anew(asked)
        self.check_events(header.zxid)

    def event(self, event, zxid):
        of_children = event.type == EventType.NodeChildrenChanged
        place = (event.path, of_children)
        if event.type == EventType.NodeDeleted and place not in self.watches:
            place = (event.path, True)  # a child watch hears of the end of its own znode
        hold(place in self.watches, "WatchOnce", EventType(event.type).name, event.path, "is not watched")
        del self.watches[place]
        if event.type == EventType.NodeDeleted and -8 not in self.waiting:
            self.watches.pop((event.path, True), None)  # told once, for both; when set anew, for each
        self.zxid = max(self.zxid, zxid)

    def known(self, asked):
        """What an answer means for the client's watches and ephemerals."""
        request, kind = asked.request, asked.kind
        if kind in (OpCode.getData, OpCode.getChildren2) and request.watch and asked.error == 0:
            self.watches.setdefault((request.path, kind == OpCode.getChildren2), asked.zxid)
        if kind == OpCode.exists and request.watch and asked.error in (0, Code.NONODE):
            self.watches.setdefault((request.path, False), asked.zxid)
        if kind == OpCode.create and request.flags == 1 and asked.error == 0:
            self.ephemerals[request.path] = asked.zxid
        if kind == OpCode.create and request.flags == 2 and asked.error == 0:
            self.world.numbered.append(codec(PathResponse).decode(asked.body, 0)[0].path)

    def set_anew(self, asked):
        """Watches were set anew, and what was missed has been told: what is left has missed nothing that can
        be seen any more. (What was made and deleted meanwhile cannot.)"""
        since, now = asked.request.relativeZxid, asked.zxid
        for path, of_children in list(self.watches):
            found = self.world.state(now, key_of(path)) or ([None] if path == "/" else [])
            if of_children:
                missed = not found or self.world.changed(path, True, since, now) is not None
            elif path in asked.request.dataWatches:
                missed = not found or found[0].mod_revision > since
            else:
                missed = bool(found)
            hold(not missed, "WatchReliable", path, "changed after", since, "and nobody was told")
            self.watches[(path, of_children)] = now

    def check_events(self, zxid):
        for (path, of_children), since in self.watches.items():
            changed = self.world.changed(path, of_children, since, zxid)
            hold(changed is None, "EventBeforeAnswer", path, "changed at", changed, "shown", zxid, "unheard")


class World:
    """One run."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.clock = ManualClock()
        self.keys = LaggingKeys(self.clock.monotonic_ms)
        self.step = 0
        self.shown = 0  # the newest zxid that anybody has seen
        self.answered = []
        self.may_expire = False
        self.number = 0
        self.numbered = []  # paths of sequential znodes
        self.start()
        self.clients = [SimClient(self, number) for number in range(CLIENTS)]
        for client in self.clients:
            client.connect()

    def start(self):
        self.keeper = Keeper(self.keys, self.clock, Ids(self.random.randbytes))
        self.keeper.open()
        asyncio.run(catch_up(self.keeper))

    def asked(self, kind, request):
        return Asked(kind, request, self.step)

    # --- what happens

    def run(self, steps):
        for _ in range(steps):
            self.step += 1
            chance = self.random.random()
            if chance < 0.5:
                self.request()
            elif chance < 0.7:
                self.keys.settle_some(self.random)
            elif chance < 0.93:
                self.random.choice(self.clients).receive()
            elif chance < 0.95:
                self.outside()
            elif chance < 0.97:
                self.clock.pass_ms(self.random.choice((10, 500)))
                self.keeper.tick()
            elif chance < 0.98:
                self.crash()
            elif chance < 0.985:
                self.drop(self.random.choice(self.clients))
        self.quiesce()
        self.judge()
        self.expire()

    def request(self):
        client = self.random.choice(self.clients)
        if client.session is None or not client.is_welcome or client.client.is_closing:
            client.receive()
            return
        path, chance = self.random.choice(PATHS), self.random
        self.number += 1
        data, watch = b"%d" % self.number, chance.random() < 0.5
        left = codec(MultiHeader).encode(MultiHeader(OpCode.setData, False, -1))
        body = b"".join(left + codec(SetDataRequest).encode(SetDataRequest(side, data, -1)) for side in PAIR)
        kind, request = chance.choice((
            (OpCode.create, CreateRequest(path, data, ANYONE, 0)),
            (OpCode.create, CreateRequest(path, data, ANYONE, chance.choice((0, 1)))),
            (OpCode.create, CreateRequest("/a/s-", data, ANYONE, 2)),
            (OpCode.create, CreateRequest(chance.choice(PAIR), b"", ANYONE, 0)),
            (OpCode.delete, PathVersionRequest(path, -1)),
            (OpCode.delete, PathVersionRequest(chance.choice(self.numbered or [path]), -1)),
            (OpCode.setData, SetDataRequest(path, data, -1)),
            (OpCode.setData, SetDataRequest(path, data, -1)),
            (OpCode.getData, PathWatchRequest(path, watch)),
            (OpCode.getData, PathWatchRequest(path, watch)),
            (OpCode.exists, PathWatchRequest(path, watch)),
            (OpCode.getChildren2, PathWatchRequest(chance.choice((path, "/")), watch)),
            (OpCode.multi, body + MULTI_END),
        ))  # fmt: skip
        client.ask(kind, request)

    def outside(self):
        """Another face writes."""
        path = self.random.choice(PATHS)
        key, before = key_of(path), self.keys.get(key_of(path))
        puts = [Put(key, b"outside", before.meta if before is not None else b"")]
        drops = []
        if before is not None and self.random.random() < 0.3:
            puts, drops = [], [Drop(key)]
        self.keys.commit_now(Commit(Author("etcd"), (), puts, drops, Durability.SYNC))
        self.keeper.repay()

    def drop(self, client):
        """A connection breaks: what was under way is not known."""
        self.keeper.leave(client.client)
        client.connect()

    def crash(self):
        self.keys = self.keys.crashed(self.random)
        hold(self.keys.head >= self.shown, "NothingShownIsGone", self.keys.head, "is left of", self.shown)
        self.start()
        for client in self.clients:
            if client.session is None:
                client.zxid = 0
            client.connect()

    def quiesce(self):
        """All settles, and every frame arrives."""
        for _ in range(3):
            self.step += 1
            self.keys.settle_all()
            for client in self.clients:
                client.receive()

    # --- the truth

    def was_there(self, path, zxid):
        return any(entry.key == key_of(path) for entry in self.state(zxid, key_of(path)))

    def state(self, revision, start, stop=None):
        stop = stop or start + b"\0"
        return asyncio.run(self.keys.scan_at(min(revision, self.keys.head), start, stop))

    def changes(self):
        """(revision, path, whether it is there then, whether it was before) of every znode touched."""
        if getattr(self, "_changes_head", None) != (self.keys, self.keys.head):
            found = []
            for change in self.keys._past._changes:
                for event in change.events:
                    path = path_of(event.entry.key) if event.entry.key.startswith(b"e/zk/") else None
                    if path is not None:
                        found.append((change.revision, path, not event.dropped, event.previous is not None))
            self._known, self._changes_head = found, (self.keys, self.keys.head)
        return self._known

    def changed(self, path, of_children, since, until):
        """The first revision in (since, until] that a watch hears of."""
        for revision, touched, is_there, was_there in self.changes():
            if not since < revision <= until:
                continue
            if touched == path and (not of_children or not is_there):
                return revision
            is_child = touched != path and (touched.rpartition("/")[0] or "/") == path
            if of_children and is_child and is_there != was_there:
                return revision
        return None

    # --- judging

    def judge(self):
        latest = 0
        done = [asked for asked in self.answered if asked.zxid is not None]
        for asked in sorted(done, key=lambda asked: asked.received):
            before = max((one.zxid for one in done if one.received < asked.asked), default=0)
            hold(asked.zxid >= before, "Linearizable", OpCode(asked.kind).name, "asked later, shows older")
            latest = max(latest, asked.zxid)
            self.judge_answer(asked)
        for client in self.clients:
            for (path, of_children), since in client.watches.items():
                changed = self.changed(path, of_children, since, self.keys.head)
                hold(changed is None, "WatchReliable", path, "changed at", changed, "and nobody was told")
        self.judge_history(latest)

    def judge_answer(self, asked):
        request, kind = asked.request, asked.kind
        if kind == OpCode.getData:
            found = self.state(asked.zxid, key_of(request.path))
            hold(bool(found) == (asked.error == 0), "Linearizable", "getData", request.path, asked.error)
            if found:
                reply, _ = codec(GetDataResponse).decode(asked.body, 0)
                hold(reply.data == found[0].value, "Linearizable", request.path, reply.data, found[0].value)
                hold(reply.stat.mzxid == found[0].mod_revision, "Linearizable", "mzxid of", request.path)
        elif kind == OpCode.exists:
            found = self.state(asked.zxid, key_of(request.path))
            hold(bool(found) == (asked.error == 0), "Linearizable", "exists", request.path, asked.error)
        elif kind == OpCode.getChildren2 and asked.error == 0:
            self.judge_children(asked)
        elif asked.error == 0 and kind in (OpCode.setData, OpCode.create):
            path = request.path
            if kind == OpCode.create:
                path = codec(PathResponse).decode(asked.body, 0)[0].path
            found = self.state(asked.zxid, key_of(path))
            hold(bool(found), "Acknowledged", path, "is not in the history")
            hold(found[0].value == request.data and found[0].mod_revision == asked.zxid, "Acknowledged", path)
            if kind == OpCode.setData:
                stat = codec(StatResponse).decode(asked.body, 0)[0].stat
                hold(stat.mzxid == asked.zxid, "Acknowledged", path, "answers another zxid")
        elif asked.error == 0 and kind == OpCode.delete:
            hold(
                not self.state(asked.zxid, key_of(request.path)),
                "Acknowledged",
                "a deletion of",
                request.path,
            )

    def judge_children(self, asked):
        path = asked.request.path
        start = b"e/zk/1/" if path == "/" else key_of(path).replace(b"e/zk/1", b"e/zk/2") + b"/"
        found = self.state(asked.zxid, start, start[:-1] + b"0")
        names = sorted(entry.key[len(start) :].decode() for entry in found)
        reply, _ = codec(GetChildren2Response).decode(asked.body, 0)
        seen = [name for name in reply.children if (path, name) != ("/", "zookeeper")]
        hold(seen == names, "Linearizable", "the children of", path, seen, names)
        hold(reply.stat.numChildren == len(reply.children), "StatFaithful", path, "numChildren")
        if path == "/":
            creates = sum(
                revision <= asked.zxid and is_there and not was_there and touched.count("/") == 1
                for revision, touched, is_there, was_there in self.changes()
            )
            hold(reply.stat.cversion == 2 * creates - len(reply.children), "StatFaithful", "cversion")

    def judge_history(self, latest):
        hold(latest <= self.keys.head, "NothingShownIsGone", latest)
        names = [
            codec(PathResponse).decode(asked.body, 0)[0].path
            for asked in self.answered
            if asked.kind == OpCode.create and asked.request.flags == 2 and asked.error == 0
        ]
        # The counter lives as long as its parent; each life of the parent has numbers of its own.
        lives = [revision for revision, path, is_there, was_there in self.changes()
                 if path == "/a" and is_there and not was_there]  # fmt: skip
        places = []
        for asked in self.answered:
            if asked.kind == OpCode.create and asked.request.flags == 2 and asked.error == 0:
                life = sum(born <= asked.zxid for born in lives)
                places.append((life, codec(PathResponse).decode(asked.body, 0)[0].path))
        hold(len(places) == len(set(places)), "SequenceUnique", names)
        pair = {}
        for change in self.keys._past._changes:
            for event in change.events:
                if path_of(event.entry.key) in PAIR and event.previous is not None:
                    pair.setdefault(change.revision, set()).add((event.entry.key, event.entry.value))
        for revision, sides in pair.items():
            hold(len(sides) == 2 and len({value for _, value in sides}) == 1, "MultiAtomic", "at", revision)

    def expire(self):
        """Every client goes, and time passes."""
        for client in self.clients:
            for path, zxid in client.ephemerals.items():
                touched = [row for row in self.changes() if row[1] == path and row[0] > zxid]
                if not touched:  # neither deleted nor, by another face, made to last
                    found = self.keys.get(key_of(path))
                    hold(found is not None, "SessionsSurvive", path, "is gone")
                    hold(
                        found.lease == client.session.sessionId, "SessionsSurvive", path, "has another owner"
                    )
            self.keeper.leave(client.client)
        self.may_expire = True
        for _ in range(30):
            self.clock.pass_ms(1_000)
            self.keeper.tick()
        hold(not self.keeper.sessions.by_id, "ExpiredIsGone", "sessions")
        left = [entry.key for entry in self.keys.scan(b"e/zk/", b"e/zk0") if entry.lease]
        hold(not left, "ExpiredIsGone", left)
