"""HTTP/1.1 for every HTTP face: the values that a face sees, and how a reply becomes bytes.

State   none
Source  RFC 9110 (semantics), RFC 9112 (HTTP/1.1)
Absent  trailers and informational replies (but 100 Continue) on our side

Reading is in http1_receiver; `Response` and the `render_…` functions are the writing half.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Protocol

import msgspec

from cloudlet.kernel.fault import ProtocolError

CHUNK_BYTES_MAX = 256 * 1024
"""No piece of a body is larger, in either direction."""

BODY_BUFFER_MAX = 1 << 20
"""A body up to this size is read before anybody is asked."""

Fields = dict[bytes, bytes]
Headers = list[tuple[bytes, bytes]]


class BrokenBody(ProtocolError):
    """The client went away, or broke the protocol, before the body was whole."""


class HeaderInjection(AssertionError):
    """A reply's header holds a line break: whoever built it let a caller's bytes through unchecked."""


class Head(msgspec.Struct, gc=False):
    """The head of a request. Header names are in lower case, repeated fields joined by "," in their order."""

    method: str
    target: bytes  # as sent
    path: bytes  # still percent-encoded and never normalised: S3 keys hold "//" and "%2F"
    query: bytes  # after the first "?", b"" if there is none
    headers: Fields
    keep_alive: bool
    content_length: int | None  # None when chunked or without a body
    chunked: bool
    expect_continue: bool
    minor_version: int = 1  # of HTTP/1.x


class Request(msgspec.Struct, gc=False):
    """A request with its whole body. `peer` is the client's address, without its port."""

    head: Head
    body: bytes
    peer: str
    secure: bool
    trailers: Fields | None = None


class FileBody(msgspec.Struct):
    """The bytes [start, stop) of an open file; `close` is called once, whatever happens to the reply."""

    fileno: int
    start: int
    stop: int
    close: Callable[[], None]


class Response(msgspec.Struct):
    """A reply. The server adds content-length, transfer-encoding, date and connection to the headers.

    `length` says the size of the body where the body does not: of an iterator (which is sent in chunks
    otherwise), or of the body that a reply to HEAD and a 304 speak of but do not carry.
    """

    status: int
    headers: Headers
    body: bytes | AsyncIterator[bytes] | FileBody = b""
    length: int | None = None


class BodyStream(Protocol):
    """The body of a request while it arrives: pieces of at most CHUNK_BYTES_MAX, read no faster than taken.

    BrokenBody when the client goes away before the end. The first piece asked for sends `100 Continue`.
    """

    @property
    def trailers(self) -> Fields:
        """The fields after a chunked body; known once the iteration has ended."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...


class Buffer(msgspec.Struct):
    """Admitted: read the whole body, then `respond`. More than `bytes_max` is answered with 413."""

    bytes_max: int


class Stream(msgspec.Struct):
    """Admitted: `carry` takes the body as it comes, and answers."""

    carry: Callable[[BodyStream], Coroutine[object, object, Response]]


class App(Protocol):
    """What a face is to the server."""

    def admit(self, head: Head, peer: str) -> Response | Buffer | Stream:
        """Decide before the body is read. Only asked if it matters: the client waits for 100 Continue, the
        body is chunked, or it is longer than BODY_BUFFER_MAX.

        A Response refuses: the body is not read, and the connection closes unless little of it is left.
        """

    def respond(self, request: Request) -> Response | Coroutine[object, object, Response]:
        """Answer a request whose body is whole. A coroutine is run as one task, and cancelled when the
        client goes away."""


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CLOSE = b"connection: close\r\n"
BODILESS = frozenset((100, 101, 102, 103, 204, 304))


class Plan(msgspec.Struct):
    """How a reply is framed: RFC 9112 section 6."""

    length: int | None
    empty: bool  # it has no body, whatever its headers say
    chunked: bool
    keep: bool


def plan_reply(head: Head, response: Response, *, may_keep: bool) -> Plan:
    """The framing of any reply; `may_keep` unless the server has a reason to close."""
    body = response.body
    length = response.length
    if isinstance(body, FileBody):
        length = body.stop - body.start
    elif isinstance(body, bytes) and (body or length is None):
        length = len(body)
    status = response.status
    empty = head.method == "HEAD" or status in (204, 304) or status < 200
    chunked = length is None and not empty and head.minor_version == 1
    # An HTTP/1.0 client takes a body of unknown length to last until the close.
    delimited = empty or chunked or length is not None
    if status == 204 or status < 200 or (status == 304 and response.length is None):
        length = None
    return Plan(length, empty, chunked, keep=may_keep and head.keep_alive and delimited)


def render_planned(plan: Plan, head: Head, response: Response, date: bytes) -> bytes:
    """The head of such a reply."""
    framing = [date]
    if plan.chunked:
        framing.append(b"transfer-encoding: chunked\r\n")
    elif plan.length is not None:
        framing.append(b"content-length: %d\r\n" % plan.length)
    if not plan.keep:
        framing.append(CLOSE)
    elif head.minor_version == 0:
        framing.append(b"connection: keep-alive\r\n")
    return render_head(response.status, response.headers, b"".join(framing))


def render_plain(status: int, headers: Sequence[tuple[bytes, bytes]], date: bytes, body: bytes) -> bytes:
    """A whole reply on a connection that is kept; `date` is the server's date line."""
    lines = list(map(b": ".join, headers))
    lines.append(b"content-length: %d" % len(body))
    block = b"\r\n".join(lines)
    # One call finds every line break. Our own line is the last one, so that a break at the end of the
    # face's last value counts too.
    if len(block.splitlines()) != len(lines):
        raise HeaderInjection(block)
    line = STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return b"".join((line, date, block, b"\r\n\r\n", body))


def render_head(status: int, headers: Sequence[tuple[bytes, bytes]], framing: bytes) -> bytes:
    """The head of a reply, with its closing blank line.

    `framing` are the server's own lines (date, length, connection), each with its line break.
    """
    line = STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    lines = list(map(b": ".join, headers))
    lines.append(b"\r\n")
    block = b"\r\n".join(lines)
    if len(block.splitlines()) != len(lines):
        raise HeaderInjection(block)
    return b"".join((line, framing, block))


def render_chunk(part: bytes) -> bytes:
    """A piece of a chunked body; b"" for an empty piece, which would end the body."""
    return b"%x\r\n%b\r\n" % (len(part), part) if part else b""


_REASONS = {
    100: "Continue",
    101: "Switching Protocols",
    200: "OK",
    201: "Created",
    202: "Accepted",
    203: "Non-Authoritative Information",
    204: "No Content",
    205: "Reset Content",
    206: "Partial Content",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    424: "Failed Dependency",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    507: "Insufficient Storage",
    509: "Bandwidth Limit Exceeded",
}
STATUS_LINES = {status: f"HTTP/1.1 {status} {reason}\r\n".encode() for status, reason in _REASONS.items()}
