"""A ZooKeeper client in a few lines, that does only what it is told."""

import socket
import struct

from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import (
    ACL,
    ConnectRequest,
    ConnectResponse,
    CreateRequest,
    Id,
    ReplyHeader,
    RequestHeader,
)

ANYONE = [ACL(31, Id("world", "anyone"))]


class RawClient:
    """A connection; `call` sends a request and returns (reply header, body)."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=10)
        self.xid = 0
        self.events = []
        self.session = None

    def close(self):
        self.socket.close()

    def send_frame(self, body):
        self.socket.sendall(struct.pack(">i", len(body)) + body)

    def take_exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError(data)
            data += piece
        return data

    def take_frame(self):
        (size,) = struct.unpack(">i", self.take_exactly(4))
        return self.take_exactly(size)

    def connect(self, timeout_ms=10_000, *, session=0, password=bytes(16), zxid=0, tail=b"\0"):
        """The ConnectResponse, and what follows it in its frame."""
        request = ConnectRequest(0, zxid, timeout_ms, session, password)
        self.send_frame(codec(ConnectRequest).encode(request) + tail)
        frame = self.take_frame()
        answer, at = codec(ConnectResponse).decode(frame, 0)
        self.session = answer
        return answer, frame[at:]

    def ask(self, kind, body=b"", xid=None):
        """Send a request; its xid."""
        if xid is None:
            self.xid += 1
            xid = self.xid
        self.send_frame(codec(RequestHeader).encode(RequestHeader(xid, kind)) + body)
        return xid

    def reply(self):
        """The next frame: (reply header, body)."""
        frame = self.take_frame()
        header, at = codec(ReplyHeader).decode(frame, 0)
        return header, frame[at:]

    def call(self, kind, record=None, xid=None):
        """The reply of a request (a record, or its bytes); the events before it are kept in `events`."""
        body = record or b""
        if not isinstance(body, bytes):
            body = codec(type(record)).encode(record)
        asked = self.ask(kind, body, xid)
        while True:
            header, body = self.reply()
            if header.xid == asked:
                return header, body
            assert header.xid == -1, header
            self.events.append(body)

    def create(self, path, data=b"", flags=0, acl=None):
        """Create a znode; its error."""
        return self.call(1, CreateRequest(path, data, acl or ANYONE, flags))[0].err
