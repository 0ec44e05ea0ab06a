"""What the header fields of HTTP/2 requests and replies must be, checked once per distinct block.

State   none
Source  RFC 9113 sections 8.1 to 8.3
Absent  CONNECT (refused as malformed: no face tunnels)
"""

from __future__ import annotations

import re

from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.http2_hpack import Fields

REQUEST_PSEUDO = (b":method", b":scheme", b":path", b":authority")
REPLY_PSEUDO = (b":status",)
CONNECTION_FIELDS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
VALUE_REFUSED = re.compile(rb"[\x00\r\n]")


class Head:
    """The fields of a request or reply, read and checked. `note` is for whoever serves it: a repeated block
    gives the same Head."""

    __slots__ = ("authority", "content_length", "fields", "method", "note", "path", "scheme", "status")

    def __init__(self, fields: Fields) -> None:
        self.fields = fields  # the regular ones
        self.method = self.path = self.scheme = self.authority = b""
        self.status = 0
        self.content_length: int | None = None
        self.note: object = None

    def value(self, name: bytes) -> bytes | None:
        """The first field of a name."""
        for each, value in self.fields:
            if each == name:
                return value
        return None


def check_regular(fields: Fields) -> int | None:
    """Check fields that are no pseudo-fields; the content-length among them. ProtocolError."""
    content_length = None
    for name, value in fields:
        if not NAME.fullmatch(name):
            raise ProtocolError(f"header name {name!r}")  # 8.2.1: upper case, colons, control characters
        if VALUE_REFUSED.search(value):
            raise ProtocolError(f"header value of {name!r}")
        if value[:1] in (b" ", b"\t") or value[-1:] in (b" ", b"\t"):
            raise ProtocolError(f"white space around the value of {name!r}")
        if name in CONNECTION_FIELDS:
            raise ProtocolError(f"header {name!r} of HTTP/1.1")  # 8.2.2
        if name == b"te" and value != b"trailers":
            raise ProtocolError("te other than trailers")
        if name == b"content-length":
            if not value.isdigit() or content_length not in (None, int(value)):
                raise ProtocolError("content-length")
            content_length = int(value)
    return content_length


def _split(fields: Fields, allowed: tuple[bytes, ...]) -> tuple[dict[bytes, bytes], Fields]:
    """8.3: pseudo-fields stand before all others, each once, none that is not defined."""
    pseudo: dict[bytes, bytes] = {}
    at = 0
    for name, value in fields:
        if name[:1] != b":":
            break
        if name not in allowed or name in pseudo:
            raise ProtocolError(f"pseudo-header {name!r}")
        pseudo[name] = value
        at += 1
    return pseudo, fields[at:]


def request_head(fields: Fields) -> Head:
    """The head of a request; ProtocolError for a malformed one."""
    pseudo, regular = _split(fields, REQUEST_PSEUDO)
    head = Head(regular)
    head.content_length = check_regular(regular)
    head.method = pseudo.get(b":method", b"")
    head.scheme = pseudo.get(b":scheme", b"")
    head.path = pseudo.get(b":path", b"")
    if not head.method or not head.scheme or not head.path:
        raise ProtocolError("a request without its method, scheme or path")  # 8.3.1
    for value in pseudo.values():
        if VALUE_REFUSED.search(value):
            raise ProtocolError("a pseudo-header's value")
    authority = pseudo.get(b":authority")
    head.authority = head.value(b"host") or b"" if authority is None else authority
    return head


def reply_head(fields: Fields) -> Head:
    """The head of a reply; ProtocolError for a malformed one."""
    pseudo, regular = _split(fields, REPLY_PSEUDO)
    status = pseudo.get(b":status", b"")
    if len(status) != 3 or not status.isdigit():
        raise ProtocolError(f"status {status!r}")
    head = Head(regular)
    head.content_length = check_regular(regular)
    head.status = int(status)
    return head


def trailers(fields: Fields) -> Head:
    """The fields behind a body; ProtocolError."""
    for name, _ in fields:
        if name[:1] == b":":
            raise ProtocolError("a pseudo-header in trailers")  # 8.1
    check_regular(fields)
    return Head(fields)
