"""The golden scripts of ZooKeeper's operations: who asks what, what is answered, who is told.

    a create /x data flags=3        client `a` asks; below stand the answer and every event, with its client
    a open timeout=4000             a client connects, with a session of its own
    a back                          it comes back to its session on another connection
    a drop                          its connection goes
    tick 5000 | advance 60000       real time passes | cloud time is moved
    etcd put /x data | etcd del /x  another face's commit

A zxid is shown as it is: the first change of an empty store has revision 2.
"""

import asyncio

import pytest
from tests.coord.zookeeper.keepers import ANYONE, Told, opened
from tests.golden.scripts import check, scripts

from cloudlet.coord.zookeeper.paths import key_of
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.keys import Author, Commit, Drop, Put
from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import (
    ACL,
    MULTI_END,
    AuthPacket,
    Code,
    CreateRequest,
    CreateTTLRequest,
    GetACLResponse,
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
    Stat,
    StatResponse,
)


class Scene:
    """A keeper on a clock of its own, and its clients by name."""

    def __init__(self):
        self.clock = ManualClock()
        self.keeper = opened(clock=self.clock)
        self.clients = {}

    def run(self, command, words, options):
        if command in ("tick", "advance", "etcd"):
            lines = getattr(self, f"do_{command}")(words)
        else:
            lines = self.ask(command, words, options)
        return [*lines, *self.told()]

    def told(self):
        lines = []
        for name, client in self.clients.items():
            lines += [f"{name} is told {event}" for event in client.events()]
            if client.client.is_closing and not client.client.is_gone:
                lines.append(f"{name} is closed")
                self.keeper.leave(client.client)
        return lines

    def do_tick(self, words):
        for _ in range(int(words[0]) // 100):
            self.clock.pass_ms(100)
            self.keeper.tick()
        return []

    def do_advance(self, words):
        self.clock.advance_ms(int(words[0]))
        self.keeper.clock_moved()
        return []

    def do_etcd(self, words):
        verb, path, *data = words
        key = key_of(path)
        before = self.keeper.keys.get(key)
        put = [Put(key, data[0].encode(), before.meta if before else b"")] if verb == "put" else []
        drop = [Drop(key)] if verb == "del" else []
        revision = asyncio.run(self.keeper.keys.commit(Commit(Author("etcd"), put=put, drop=drop)))
        self.keeper.repay()
        return [f"revision {revision}"]

    def ask(self, name, words, options):
        verb, *words = words
        if verb == "open":
            client = self.clients[name] = Told(self.keeper, int(options.get("timeout", 10_000)))
            return [f"session of {client.client.session.timeout_ms} ms"]
        if verb == "back":
            session = self.clients[name].client.session
            client = Told(self.keeper, session.timeout_ms, session=(session.id, session.password))
            self.clients[name] = client
            return ["the session goes on" if client.client.session is not None else "the session is over"]
        if verb == "drop":
            self.keeper.leave(self.clients[name].client)
            return []
        kind, body = request_of(verb, words, options)
        error, answer = self.clients[name].call(kind, body)
        return [f"{error.name}{said(kind, answer)}"]


def request_of(verb, words, options):
    """(kind, request) of a line."""
    path = words[0] if words else ""
    data = words[1].encode() if len(words) > 1 else b""
    version, acl = int(options.get("version", -1)), acl_of(options.get("acl"))
    watch = "watch" in words
    if verb == "multi":
        return OpCode.multi, multi_of(words)
    if verb == "create" and "ttl" in options:
        return OpCode.createTTL, CreateTTLRequest(path, data, acl, 5, int(options["ttl"]))
    table = {
        "create": (OpCode.create, CreateRequest(path, data, acl, int(options.get("flags", 0)))),
        "delete": (OpCode.delete, PathVersionRequest(path, version)),
        "set": (OpCode.setData, SetDataRequest(path, data, version)),
        "get": (OpCode.getData, PathWatchRequest(path, watch)),
        "exists": (OpCode.exists, PathWatchRequest(path, watch)),
        "children": (OpCode.getChildren, PathWatchRequest(path, watch)),
        "acl": (OpCode.getACL, PathRequest(path)),
        "setacl": (OpCode.setACL, SetACLRequest(path, acl, version)),
        "watch": (OpCode.addWatch, PathModeRequest(path, int("recursive" in words))),
        "unwatch": (OpCode.removeWatches, PathModeRequest(path, 3)),
        "auth": (OpCode.auth, AuthPacket(0, "digest", path.encode())),
        "count": (OpCode.getAllChildrenNumber, PathRequest(path)),
        "check": (OpCode.check, PathVersionRequest(path, version)),
        "close": (OpCode.closeSession, b""),
    }
    return table[verb]


def multi_of(words):
    """`create:/a:x set:/b:y delete:/c` as a multi."""
    parts = []
    for word in words:
        verb, *rest = word.split(":")
        kind, request = request_of(verb, rest, {})
        header = codec(MultiHeader).encode(MultiHeader(kind, False, -1))
        parts.append(header + codec(type(request)).encode(request))
    return b"".join(parts) + MULTI_END


def acl_of(text):
    """`31:world:anyone` or `1:digest:user:hash,…`."""
    if text is None:
        return ANYONE
    rows = [part.split(":", 2) for part in text.split(",") if part]
    return [ACL(int(perms), Id(scheme, name)) for perms, scheme, name in rows]


def said(kind, answer):
    """What a reply's body says, in a line."""
    from tests.interop.zookeeper_cross import RESPONSES

    if kind == OpCode.multi and answer:
        return " " + " | ".join(results(answer))
    record = RESPONSES.get(kind)
    if record is None or not answer or kind == OpCode.addWatch:
        return ""
    value, _ = codec(record).decode(answer, 0)
    if isinstance(value, GetACLResponse):
        return " " + ",".join(f"{one.perms}:{one.id.scheme}:{one.id.id}" for one in value.acl)
    parts = (getattr(value, name) for name in value.__struct_fields__)
    return " " + " ".join(stat_line(part) if isinstance(part, Stat) else str(part) for part in parts)


def stat_line(stat):
    owner = " ephemeral" if stat.ephemeralOwner else ""
    return (f"[c{stat.czxid} m{stat.mzxid} p{stat.pzxid} v{stat.version} cv{stat.cversion} av{stat.aversion} "
            f"len {stat.dataLength} children {stat.numChildren}{owner}]")  # fmt: skip


def results(answer):
    at = 0
    while True:
        header, at = codec(MultiHeader).decode(answer, at)
        if header.done:
            return
        if header.type == OpCode.error:
            _, at = codec(NumberResponse).decode(answer, at)
            yield Code(header.err).name
        elif header.type == OpCode.create:
            made, at = codec(PathResponse).decode(answer, at)
            yield made.path
        elif header.type == OpCode.setData:
            found, at = codec(StatResponse).decode(answer, at)
            yield stat_line(found.stat)
        else:
            yield OpCode(header.type).name


@pytest.mark.parametrize("path", scripts("zookeeper"), ids=lambda path: path.stem)
def test_script(path, request):
    check(path, Scene().run, is_rewritten=request.config.getoption("--rewrite"))
