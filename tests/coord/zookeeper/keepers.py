"""A keeper over memory, without sockets, and clients that speak to it in records."""

from cloudlet.coord.zookeeper.keeper import Keeper
from cloudlet.coord.zookeeper.requests import answer
from cloudlet.coord.zookeeper.settings import KeeperSettings
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.ids import Ids
from cloudlet.wire.jute import INT, codec
from cloudlet.wire.zookeeper import (
    ACL,
    Code,
    ConnectRequest,
    CreateRequest,
    EventType,
    GetChildrenResponse,
    GetDataResponse,
    Id,
    OpCode,
    PathModeRequest,
    PathResponse,
    PathVersionRequest,
    PathWatchRequest,
    ReplyHeader,
    RequestHeader,
    SetDataRequest,
    StatResponse,
    WatcherEvent,
)

ANYONE = [ACL(31, Id("world", "anyone"))]


def opened(keys=None, clock=None, **settings):
    """A keeper; over the keys of another one it is that one's next start."""
    clock = clock or ManualClock()
    keeper = Keeper(keys or MemoryKeys(clock.monotonic_ms), clock, Ids(), KeeperSettings(**settings))
    keeper.open()
    return keeper


class Told:
    """A client; its calls return what the reply says, or the error."""

    def __init__(self, keeper, timeout_ms=10_000, *, session=None, address="127.0.0.1"):
        self.keeper = keeper
        self.client = keeper.join(address)
        self.xid = 0
        self.told = []
        asked = (0, bytes(16)) if session is None else session
        request = ConnectRequest(0, 0, timeout_ms, *asked)
        keeper.connect(self.client, codec(ConnectRequest).encode(request) + b"\0")
        self.welcome = self.frames()

    def frames(self):
        """The frames that may be sent now."""
        data, at, found = self.client.take(self.keeper.keys.settled), 0, []
        while at < len(data):
            (size,) = INT.unpack_from(data, at)
            found.append(data[at + 4 : at + 4 + size])
            at += 4 + size
        return found

    def call(self, kind, record=None, xid=None):
        """(error, body); events are kept."""
        self.xid += 1
        xid = self.xid if xid is None else xid
        body = record if isinstance(record, bytes) else b"" if record is None else None
        if body is None:
            body = codec(type(record)).encode(record)
        answer(self.keeper, self.client, codec(RequestHeader).encode(RequestHeader(xid, kind)) + body)
        for frame in self.frames():
            header, at = codec(ReplyHeader).decode(frame, 0)
            if header.xid == xid:
                return Code(header.err), frame[at:]
            self.note(frame, at)
        raise AssertionError("no reply")

    def note(self, frame, at):
        event, _ = codec(WatcherEvent).decode(frame, at)
        self.told.append(f"{EventType(event.type).name} {event.path}")

    def events(self):
        """What was told since the last time."""
        for frame in self.frames():
            header, at = codec(ReplyHeader).decode(frame, 0)
            assert header.xid == -1
            self.note(frame, at)
        found, self.told = self.told, []
        return found

    def read(self, kind, request, response):
        error, body = self.call(kind, request)
        return error if error else codec(response).decode(body, 0)[0]

    def create(self, path, data=b"", flags=0, acl=None):
        found = self.read(
            OpCode.create, CreateRequest(path, data, ANYONE if acl is None else acl, flags), PathResponse
        )
        return found if isinstance(found, Code) else found.path

    def delete(self, path, version=-1):
        return self.call(OpCode.delete, PathVersionRequest(path, version))[0]

    def exists(self, path, *, watch=False):
        found = self.read(OpCode.exists, PathWatchRequest(path, watch), StatResponse)
        return found if isinstance(found, Code) else found.stat

    def data(self, path, *, watch=False):
        found = self.read(OpCode.getData, PathWatchRequest(path, watch), GetDataResponse)
        return found if isinstance(found, Code) else (found.data, found.stat)

    def set(self, path, data, version=-1):
        found = self.read(OpCode.setData, SetDataRequest(path, data, version), StatResponse)
        return found if isinstance(found, Code) else found.stat

    def children(self, path, *, watch=False):
        found = self.read(OpCode.getChildren, PathWatchRequest(path, watch), GetChildrenResponse)
        return found if isinstance(found, Code) else found.children

    def add_watch(self, path, *, recursive=False):
        return self.call(OpCode.addWatch, PathModeRequest(path, int(recursive)))[0]
