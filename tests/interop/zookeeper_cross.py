"""The cross-check: random operations to two servers, each answer and event compared.

python -m tests.interop.zookeeper_cross PORT PORT [--seed N] [--steps N]

What may differ is made equal first: a zxid is named by the step whose reply told it, a session by its client;
times and passwords are left out; the children of a znode are sorted. The order of events that one change
sends to one client is compared as it is.
"""

import argparse
import random
import sys

from tests.coord.zookeeper.raw import ANYONE, RawClient

from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import (
    ACL,
    MULTI_END,
    AuthPacket,
    Create2Response,
    CreateRequest,
    CreateTTLRequest,
    GetACLResponse,
    GetChildren2Response,
    GetChildrenResponse,
    GetDataResponse,
    Id,
    MultiHeader,
    NumberResponse,
    OpCode,
    PathModeRequest,
    PathRequest,
    PathResponse,
    PathVersionRequest,
    PathWatchRequest,
    SetACLRequest,
    SetDataRequest,
    SetWatches,
    SetWatches2,
    Stat,
    StatResponse,
    WatcherEvent,
    WhoAmIResponse,
)

CLIENTS = 3
NAMES = ("a", "b", "c")
ODD_PATHS = ("", "/", "x", "/x/", "//", "/a//b", "/a/../b", "/.", "/..", "/a/.", "/a/...", "/zookeeper",
             "/zookeeper/config", "/zookeeper/quota", "/a\0b", "/a\x01", "/zookeeper/x", "/a/é",
             "/￿")  # fmt: skip
ACLS = (
    ANYONE,
    ANYONE,
    ANYONE,
    [],
    [ACL(1, Id("world", "anyone"))],
    [ACL(31, Id("auth", ""))],
    [ACL(31, Id("digest", "joe:x1nLG2Q2UTYjzQ5sV+kiWOTVmXE="))],
    [ACL(31, Id("digest", "nocolon"))],
    [ACL(31, Id("ip", "127.0.0.1"))],
    [ACL(31, Id("ip", "10.0.0.0/8")), ACL(3, Id("world", "anyone"))],
    [ACL(31, Id("ip", "rubbish"))],
    [ACL(31, Id("nonesuch", "x"))],
    [ACL(31, Id("world", "nobody"))],
    [ACL(31, Id("world", "anyone")), ACL(31, Id("world", "anyone")), ACL(1, Id("auth", ""))],
)
TTLS = (1_000_000, 1_000_000, 0, -5, 1 << 41)
OPEN_ACLS = (ANYONE, [], [ACL(31, Id("nonesuch", "x"))], [ACL(31, Id("world", "nobody"))], *ACLS[13:14])
RESPONSES = {
    OpCode.create: PathResponse,
    OpCode.create2: Create2Response,
    OpCode.createContainer: Create2Response,
    OpCode.createTTL: Create2Response,
    OpCode.exists: StatResponse,
    OpCode.getData: GetDataResponse,
    OpCode.setData: StatResponse,
    OpCode.getACL: GetACLResponse,
    OpCode.setACL: StatResponse,
    OpCode.getChildren: GetChildrenResponse,
    OpCode.getChildren2: GetChildren2Response,
    OpCode.sync: PathResponse,
    OpCode.getEphemerals: GetChildrenResponse,
    OpCode.getAllChildrenNumber: NumberResponse,
    OpCode.addWatch: NumberResponse,
    OpCode.whoAmI: WhoAmIResponse,
}
RESULTS = {
    OpCode.create: PathResponse,
    OpCode.create2: Create2Response,
    OpCode.setData: StatResponse,
    OpCode.error: NumberResponse,
    OpCode.getData: GetDataResponse,
    OpCode.getChildren: GetChildrenResponse,
}


class Server:
    """One of the two, with its clients."""

    def __init__(self, port):
        self.port = port
        self.clients = [self.connected() for _ in range(CLIENTS)]
        self.steps = {}  # zxid -> the step that made it
        self.sessions = {}

    def connected(self):
        client = RawClient(self.port)
        client.connect(30_000)
        return client

    def renew(self, at):
        """Close a client's session and begin another."""
        self.clients[at].call(OpCode.closeSession)
        self.clients[at].close()
        self.clients[at] = self.connected()

    def reconnect(self, at):
        """Come back to the session on another connection."""
        old = self.clients[at]
        client = RawClient(self.port)
        client.connect(30_000, session=old.session.sessionId, password=old.session.passwd)
        client.xid = old.xid
        old.close()
        self.clients[at] = client

    def zxid(self, value):
        return self.steps.get(value, "old" if value else 0)

    def owner(self, value):
        for at, client in enumerate(self.clients):
            if client.session.sessionId == value:
                return f"client {at}"
        return value if value <= 0 else "somebody"

    def plain(self, value):
        """A reply with all that may differ made equal."""
        if isinstance(value, Stat):
            return ("stat", self.zxid(value.czxid), self.zxid(value.mzxid), self.zxid(value.pzxid),
                    value.version, value.cversion, value.aversion, self.owner(value.ephemeralOwner),
                    value.dataLength, value.numChildren)  # fmt: skip
        if isinstance(value, GetChildrenResponse):
            return sorted(value.children)
        if isinstance(value, GetChildren2Response):
            return sorted(value.children), self.plain(value.stat)
        if isinstance(value, WhoAmIResponse):
            return sorted((info.authScheme, info.user) for info in value.clientInfo)
        if isinstance(value, list):
            return [self.plain(one) for one in value]
        if hasattr(value, "__struct_fields__"):
            return tuple(self.plain(getattr(value, name)) for name in value.__struct_fields__)
        return value

    def read(self, kind, body):
        """The reply's body as plain values; what is left of it counts too."""
        if kind in (OpCode.multi, OpCode.multiRead) and body:
            return self.read_multi(body)
        record = RESPONSES.get(kind)
        if record is None or not body:
            return body
        value, at = codec(record).decode(body, 0)
        return self.plain(value), body[at:]

    def read_multi(self, body):
        results, at = [], 0
        while True:
            header, at = codec(MultiHeader).decode(body, at)
            if header.done:
                return [*results, (header.type, header.err), body[at:]]
            record = RESULTS.get(header.type)
            value = None
            if record is not None:
                value, at = codec(record).decode(body, at)
            results.append((header.type, header.err, self.plain(value)))

    def step(self, number, at, kind, body, xid):
        """Send one request; what everybody was told."""
        client = self.clients[at]
        try:
            header, answer = client.call(kind, body, xid)
        except EOFError:
            self.reconnect(at)
            return "closed", None, []
        if header.zxid not in self.steps and is_write(kind):
            self.steps[header.zxid] = number
        return header.err, self.read(kind, answer), self.drain()

    def drain(self):
        """What each client was told since it was last asked."""
        events = []
        for client in self.clients:
            client.call(OpCode.ping, xid=-2)
            events.append([self.plain(codec(WatcherEvent).decode(event, 0)[0]) for event in client.events])
            client.events = []
        return events


def is_write(kind):
    return kind in (OpCode.create, OpCode.create2, OpCode.createTTL, OpCode.createContainer, OpCode.delete,
                    OpCode.setData, OpCode.setACL, OpCode.multi)  # fmt: skip


WRITES = (OpCode.create, OpCode.create, OpCode.create2, OpCode.delete, OpCode.setData, OpCode.check,
          OpCode.createTTL, OpCode.createContainer)  # fmt: skip
CHANGED = (OpCode.addWatch, OpCode.removeWatches, OpCode.checkWatches, OpCode.setWatches2)


class Chooser:
    """Random requests from a seed."""

    def __init__(self, seed, *, is_old=False):
        """`is_old` leaves out what ZooKeeper has changed between 3.8.0 and 3.9."""
        self.random = random.Random(seed)
        self.is_old = is_old

    def path(self):
        if self.random.random() < 0.04:
            return self.random.choice(ODD_PATHS)
        return "".join("/" + self.random.choice(NAMES) for _ in range(self.random.choice((1, 1, 2, 2, 3))))

    def version(self):
        return self.random.choice((-1, -1, -1, -1, 0, 1, 2))

    def data(self):
        return self.random.choice((b"", b"1", b"22", None, b"x" * 100))

    def acl(self):
        # 3.8.0 lets exists see, and watches tell of, what may not be read.
        return ANYONE if self.is_old or self.random.random() < 0.8 else self.random.choice(ACLS)

    def create(self):
        flags = self.random.choice((0, 0, 0, 0, 1, 2, 3, 4, 7, -1))
        return CreateRequest(self.path(), self.data(), self.acl(), flags)

    def create_ttl(self):
        # Not with the flags of another mode: that ends ZooKeeper's process.
        flags, ttl = self.random.choice((5, 5, 6)), self.random.choice(TTLS)
        return CreateTTLRequest(self.path(), self.data(), self.acl(), flags, ttl)

    def write(self):
        """(kind, request) of what may stand in a multi."""
        kind = self.random.choice(WRITES)
        if kind in (OpCode.create, OpCode.create2):
            return kind, self.create()
        if kind == OpCode.createContainer:
            return kind, CreateRequest(self.path(), self.data(), self.acl(), 4)
        if kind == OpCode.createTTL:
            return kind, self.create_ttl()
        if kind == OpCode.setData:
            return kind, SetDataRequest(self.path(), self.data(), self.version())
        return kind, PathVersionRequest(self.path(), self.version())

    def read(self):
        kind = self.random.choice((OpCode.exists, OpCode.getData, OpCode.getChildren, OpCode.getChildren2))
        return kind, PathWatchRequest(self.path(), self.random.random() < 0.5)

    def multi(self):
        parts = []
        for _ in range(self.random.choice((0, 1, 2, 2, 3, 4))):
            kind, request = self.write()
            if self.is_old and isinstance(request, CreateRequest):
                kind, request.flags = OpCode.create, abs(request.flags) % 4
            parts.append(encoded(kind, request))
        return OpCode.multi, b"".join(parts) + MULTI_END

    def multi_read(self):
        parts = []
        for _ in range(self.random.choice((1, 2, 3))):
            kind = self.random.choice((OpCode.getData, OpCode.getChildren))
            parts.append(encoded(kind, PathWatchRequest(self.path(), False)))
        return OpCode.multiRead, b"".join(parts) + MULTI_END

    def other(self):
        path = self.path()
        acl = self.random.choice(OPEN_ACLS if self.is_old else ACLS)
        return self.random.choice((
            (OpCode.getACL, PathRequest(path)),
            (OpCode.setACL, SetACLRequest(path, acl, self.version())),
            (OpCode.sync, PathRequest(path)),
            (OpCode.getEphemerals, PathRequest(self.random.choice(("/", "", "/a", path)))),
            (OpCode.getAllChildrenNumber, PathRequest(path)),
            (OpCode.addWatch, PathModeRequest(path, self.random.choice((0, 1)))),
            (OpCode.removeWatches, PathModeRequest(path, self.random.choice((1, 2, 3)))),
            (OpCode.checkWatches, PathModeRequest(path, self.random.choice((1, 2, 3)))),
            (OpCode.whoAmI, b""),
            (OpCode.reconfig, b"\xff\xff\xff\xff" * 3 + b"\xff" * 8),
            (OpCode.auth, AuthPacket(0, "digest", b"joe:secret")),
            (OpCode.setWatches, SetWatches(1 << 60, [self.path()], [self.path()], [self.path()])),
            (OpCode.setWatches2, SetWatches2(1 << 60, [self.path()], [], [], [self.path()], [self.path()])),
            (OpCode.setWatches, SetWatches(0, [self.path()], [self.path()], [self.path()])),
        ))  # fmt: skip

    def request(self):
        kind = self.random.random()
        if kind < 0.5:
            chosen = self.write()
            # A check outside of a multi, which no client sends, ends the connection, or is never answered.
            return chosen if chosen[0] != OpCode.check else self.read()
        if kind < 0.75:
            return self.read()
        if kind < 0.85:
            return self.multi()
        if kind < 0.88:
            return self.multi_read()
        chosen = self.other()
        return self.read() if self.is_old and chosen[0] in CHANGED else chosen


def encoded(kind, request):
    return codec(MultiHeader).encode(MultiHeader(kind, False, -1)) + codec(type(request)).encode(request)


def cross_check(ours, theirs, seed, steps, *, is_old=False):
    """The first steps at which the two differ, as text."""
    chooser = Chooser(seed, is_old=is_old)
    servers = [Server(ours), Server(theirs)]
    differing = []
    xid_of = {OpCode.setWatches: -8, OpCode.setWatches2: -8, OpCode.auth: -4}
    for number in range(steps):
        at = chooser.random.randrange(CLIENTS)
        turn = chooser.random.random()
        if turn < 0.01:
            told = []
            for server in servers:
                server.renew(at)
                # The ephemerals of a session go in the order of a Java set.
                told.append([sorted(events) for events in server.drain()])
            if told[0] != told[1]:
                differing.append(f"step {number}: client {at} ends\n  ours   {told[0]}\n  theirs {told[1]}")
            continue
        if turn < 0.015:
            for server in servers:
                server.reconnect(at)
            continue
        kind, request = chooser.request()
        found = [server.step(number, at, kind, request, xid_of.get(kind)) for server in servers]
        if found[0] != found[1]:
            said = f"step {number}: client {at}: {OpCode(kind).name} {request}\n"
            differing.append(f"{said}  ours   {found[0]}\n  theirs {found[1]}")
            if len(differing) >= 10:
                break
    for server in servers:
        for client in server.clients:
            client.call(OpCode.closeSession)
            client.close()
    return differing


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ours", type=int)
    parser.add_argument("theirs", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2000)
    asked = parser.parse_args()
    differing = cross_check(asked.ours, asked.theirs, asked.seed, asked.steps)
    print("\n".join(differing) or f"{asked.steps} steps alike")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
