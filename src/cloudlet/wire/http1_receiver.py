"""HTTP/1.1, the reading half: any cut of a connection's bytes becomes requests, refusals, bodies in parts.

State   the message at hand
Source  RFC 9112; llhttp through httptools reads the grammar
Absent  upgrades (WebSocket, h2c: the request is served as if it had not asked), CONNECT, transfer codings
        other than chunked, folded header lines (obsolete: 400)

Theory of operation
    `Receiver.feed` takes any cut of a connection's bytes and returns what became whole:

        a small request                     Request
        a request that needs a word first   Opening, then bytes …, then Ending
        a request that is refused           Refusal, after which nothing is read any more

    A request needs a word first when the client waits for `100 Continue`, when its body is chunked, or when
    it is longer than `body_buffer_max`: its sender may be refused before the body is read, or the body may
    be streamed. A body of known length that is being streamed passes by the parser, uncopied.

    A proxy in front of us must never see other message borders than we do (request smuggling): what is
    ambiguous is refused and the connection closed, it is never repaired.
"""

from __future__ import annotations

import httptools
import msgspec

from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.http1 import BODY_BUFFER_MAX, Fields, Head, Request


class Opening(msgspec.Struct, gc=False):
    """A request of which the head is whole; its body follows in parts (bytes), closed by Ending."""

    head: Head


class Ending(msgspec.Struct, gc=False):
    """The body is whole."""

    trailers: Fields


class Refusal(msgspec.Struct, gc=False):
    """The client broke the protocol: say so with this status, then close."""

    status: int
    reason: str


Event = Request | Opening | bytes | Ending | Refusal


class ReceiveLimits(msgspec.Struct, frozen=True):
    """What a request may be at most."""

    head_bytes_max: int = 64 * 1024
    fields_max: int = 200
    target_bytes_max: int = 16 * 1024
    body_buffer_max: int = BODY_BUFFER_MAX
    body_bytes_max: int = 6 << 30  # an S3 part has 5 GiB at most, and its aws-chunked frame some more


ASKED, REPLAYED = 1, 2  # what `_upgrade` holds while an upgrade is being ignored


class Receiver:
    """The receiving half of a connection: bytes in, events out. See the module's theory of operation."""

    __slots__ = (
        "_body", "_dead", "_events", "_execute", "_fields", "_head", "_large", "_left", "_limits",
        "_machine", "_opened", "_parts", "_peer", "_received", "_refusal", "_repeated", "_secure",
        "_target", "_unfinished", "_upgrade", "idle", "on_message_begin",
    )  # fmt: skip

    def __init__(self, limits: ReceiveLimits, peer: str = "", *, secure: bool = False) -> None:
        self._limits = limits
        self._peer = peer
        self._secure = secure
        self._events: list[Event] = []
        self._fields: Fields = {}
        self._target = b""
        self._head: Head | None = None  # of the message whose body is being read
        self._opened = False  # its Opening was given out, its body goes out in parts
        self._body = b""  # the only part of a body that is read first
        self._parts: list[bytes] = []  # or all, where there are more
        self._received = 0  # bytes of a body that goes out in parts
        self._left = 0  # bytes of such a body that pass by the parser
        self._repeated = 0
        self._unfinished = 0  # bytes of a head that came in an earlier cut, or 1 where that is not known
        self._refusal: Refusal | None = None
        self._large = False  # this cut could hold a head over the limit
        self._upgrade = 0
        self._dead = False
        self.idle = [True]
        """True between two messages, empty inside of one."""
        # The parser calls its `clear` when a message begins: a C method without arguments costs a third of
        # one of ours.
        self.on_message_begin = self.idle.clear
        self._restart()

    def _restart(self) -> None:
        self._machine = httptools.HttpRequestParser(self)
        self._execute = self._machine.feed_data

    @property
    def in_body(self) -> bool:
        """A head is whole, and its body is not."""
        return self._head is not None

    @property
    def dead(self) -> bool:
        """Nothing that comes will be looked at: after a refusal, and after a last request."""
        return self._dead

    @property
    def body_left(self) -> int | None:
        """Bytes of the opened body that are still to come; None if nobody knows."""
        if self._head is None:
            return 0
        if self._head.content_length is None:
            return None
        return self._head.content_length - self._received

    def close(self) -> None:
        """Let go of the parser, which holds on to us."""
        if hasattr(self, "_machine"):
            del self._machine, self._execute
        self._dead = True

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete, in order."""
        if self._dead:
            return []
        if self._left:
            return self._pass_by(data)
        limits = self._limits
        self._large = len(data) > limits.head_bytes_max
        try:
            self._execute(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._ignore_upgrade(data, upgrade.args[0])
        except httptools.HttpParserError as error:
            if not self._dead:  # else it complains of data after the last message
                self._refuse(self._refusal or Refusal(400, str(error)))
        if self._head is not None:
            if self._opened and self._head.content_length is not None:
                self._left = self._head.content_length - self._received
        elif self.idle:
            self._unfinished = 0
        elif self._unfinished:
            self._unfinished += len(data)
            if self._unfinished > limits.head_bytes_max and not self._dead:
                self._refuse(Refusal(431, f"the head has more than {limits.head_bytes_max} bytes"))
        else:
            self._unfinished = 1
        events = self._events
        self._events = []
        return events

    def _pass_by(self, data: bytes) -> list[Event]:
        """Hand on a piece of a body of known length."""
        size = len(data)
        if size < self._left:
            self._left -= size
            self._received += size
            return [data]
        part = data[: self._left]
        rest = data[self._left :]
        self._left = 0
        self._restart()
        self._opened = False
        head = self._head
        self._head = None
        self.idle.append(True)
        if head is not None and not head.keep_alive:
            self._dead = True
        return [part, Ending({}), *(self.feed(rest) if rest else ())]

    def _ignore_upgrade(self, data: bytes, position: int) -> list[Event]:
        """Go on in HTTP/1.1 after a head that asked for an upgrade."""
        # RFC 9110 7.8: "A server MAY ignore a received Upgrade header field". The parser does not: it takes
        # the message to end with its head. So a fresh parser is shown a head of the same framing without the
        # wish, and its callbacks skip that head.
        head = self._head
        assert head is not None
        framing = b""
        if head.chunked:
            framing = b"transfer-encoding: chunked\r\n"
        elif head.content_length is not None:
            framing = b"content-length: %d\r\n" % head.content_length
        self._upgrade = REPLAYED
        self._restart()
        self._execute(b"POST / HTTP/1.1\r\nhost: h\r\n%b\r\n" % framing)
        events = self._events
        self._events = []
        rest = data[position:]
        return events + self.feed(rest) if rest else events

    def _refuse(self, refusal: Refusal) -> None:
        self._events.append(refusal)
        self._dead = True
        self._head = None

    def _stop(self, status: int, reason: str) -> ProtocolError:
        """Out of a callback of the parser: the exception makes it stop."""
        self._refusal = Refusal(status, reason)
        return ProtocolError(reason)

    # The parser's callbacks. They run for every field of every request: see docs/decisions/0004.

    def on_url(self, part: bytes) -> None:
        if self._target:
            part = self._target + part
        if len(part) > self._limits.target_bytes_max:
            raise self._stop(414, f"the target has more than {self._limits.target_bytes_max} bytes")
        self._target = part

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        fields = self._fields
        if name in fields:
            self._repeat(name, value)
        else:
            # The parser keeps trailing blanks, which RFC 9110 5.5 excludes from the value; it refuses the
            # other characters that rstrip knows.
            fields[name] = value.rstrip()

    def _repeat(self, name: bytes, value: bytes) -> None:
        # RFC 9112 3.2: "A server MUST respond with a 400 status code to any request message that ...
        # contains more than one Host header field line".
        if name == b"host":
            raise self._stop(400, "more than one Host")
        self._repeated += 1
        if self._repeated > self._limits.fields_max:
            raise self._stop(431, f"more than {self._limits.fields_max} header fields")
        self._fields[name] += b"," + value.rstrip()

    def on_headers_complete(self) -> None:
        fields = self._fields
        self._fields = {}
        if self._upgrade:
            self._upgrade = 0
            self._target = b""
            return
        limits = self._limits
        if self._large or self._unfinished:
            self._measure(fields)
        if len(fields) + self._repeated > limits.fields_max:
            raise self._stop(431, f"more than {limits.fields_max} header fields")
        self._repeated = 0
        machine = self._machine
        keep_alive = machine.should_keep_alive()
        # Only an HTTP/1.1 message keeps the connection without saying so; asking for the version builds
        # a string each time.
        minor = 1 if keep_alive and b"connection" not in fields else self._minor_version()
        if b"host" not in fields and self._minor_version() == 1:
            # RFC 9112 3.2: "... to any HTTP/1.1 request message that lacks a Host header field"
            raise self._stop(400, "no Host")
        path = target = self._target
        self._target = b""
        query = b""
        if b"?" in target:
            path, _, query = target.partition(b"?")
        if not path.startswith(b"/"):
            path = _origin_form(path, fields)
        length = None
        if b"content-length" in fields:
            length = int(fields[b"content-length"])  # the parser takes nothing but one run of digits
            if length > limits.body_bytes_max:
                raise self._stop(413, f"the body has more than {limits.body_bytes_max} bytes")
        chunked = b"transfer-encoding" in fields
        if chunked:
            self._check_coding(fields, minor)
        expect = b"expect" in fields and self._expects(fields, minor)
        method = machine.get_method().decode()
        if method == "CONNECT":
            raise self._stop(501, "CONNECT")
        if b"upgrade" in fields and machine.should_upgrade():
            self._upgrade = ASKED
        self._head = head = Head(
            method, target, path, query, fields, keep_alive, length, chunked, expect, minor
        )
        if chunked or (length and (expect or length > limits.body_buffer_max)):
            self._opened = True
            self._received = 0
            self._events.append(Opening(head))

    def _minor_version(self) -> int:
        version = self._machine.get_http_version()
        if version == "1.1":
            return 1
        if version == "1.0":
            return 0
        raise self._stop(505, f"HTTP/{version}")

    def _measure(self, fields: Fields) -> None:
        """Check the size of a head that came in several cuts, or in a large one."""
        self._unfinished = 0
        size = len(self._target) + sum(map(len, fields)) + sum(map(len, fields.values())) + 4 * len(fields)
        if size > self._limits.head_bytes_max:
            raise self._stop(431, f"the head has more than {self._limits.head_bytes_max} bytes")

    def _check_coding(self, fields: Fields, minor: int) -> None:
        if b"content-length" in fields:  # the parser refuses it before us; smuggling is worth two locks
            raise self._stop(400, "both Content-Length and Transfer-Encoding")
        if minor == 0:
            # RFC 9112 6.1: such a message is to be treated "as if the framing is faulty"
            raise self._stop(400, "Transfer-Encoding in HTTP/1.0")
        if fields[b"transfer-encoding"].lower() != b"chunked":
            raise self._stop(501, "a transfer coding other than chunked")

    def _expects(self, fields: Fields, minor: int) -> bool:
        if fields[b"expect"].lower() != b"100-continue":
            raise self._stop(417, "an expectation other than 100-continue")
        # RFC 9110 10.1.1: "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST
        # ignore that expectation."
        return minor == 1

    def on_body(self, part: bytes) -> None:
        if not self._opened:
            if not self._body:
                self._body = part
            elif not self._parts:
                self._parts = [self._body, part]
            else:
                self._parts.append(part)
            return
        self._received += len(part)
        if self._received > self._limits.body_bytes_max:
            raise self._stop(413, f"the body has more than {self._limits.body_bytes_max} bytes")
        self._events.append(part)

    def on_message_complete(self) -> None:
        if self._upgrade:
            return
        head = self._head
        assert head is not None
        self._head = None
        self.idle.append(True)
        if not head.keep_alive:
            self._dead = True
        if self._opened:
            self._opened = False
            trailers = self._fields
            self._fields = {}
            self._events.append(Ending(trailers))
            return
        body = self._body
        self._body = b""
        if self._parts:
            body = b"".join(self._parts)
            self._parts = []
        self._events.append(Request(head, body, self._peer, self._secure))


def _origin_form(path: bytes, fields: Fields) -> bytes:
    """The path of an absolute-form target; others ("*", an authority) stay as they are."""
    scheme, mark, rest = path.partition(b"://")
    if not mark or scheme.lower() not in (b"http", b"https"):
        return path
    authority, slash, tail = rest.partition(b"/")
    # RFC 9112 3.2.2: "When an origin server receives a request with an absolute-form of request-target, the
    # origin server MUST ignore the received Host header field (if any) and instead use the host information
    # of the request-target."
    fields[b"host"] = authority
    return slash + tail or b"/"
