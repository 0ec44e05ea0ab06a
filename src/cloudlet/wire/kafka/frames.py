"""Frames: the headers in front of requests and responses.

State   none
Source  Apache Kafka 4.3, "Request header" versions 1 and 2, "Response header" versions 0 and 1; KIP-482
Absent  none

A request begins with its API key and version, which say what the header looks like. The client id of version
2 is not compact although the header is flexible.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception by its role
from typing import Any, NamedTuple

from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka.apis import Api
from cloudlet.wire.kafka.classes import Message
from cloudlet.wire.kafka.codec import Buffer, encode_parts
from cloudlet.wire.kafka.compiler import rest_of_uvarint

_FRONT = Struct(">hhih")
_LENGTH = Struct(">i")
_CORRELATED = Struct(">ii")


class RequestHeader(NamedTuple):
    """What is in front of a request; the body starts at `stop`."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None
    stop: int


def read_front(frame: Buffer) -> tuple[int, int, int]:
    """(API key, version, correlation id), readable whatever the version. ProtocolError."""
    try:
        key, version, correlation_id, _ = _FRONT.unpack_from(frame)
    except StructError:
        raise ProtocolError("a request is shorter than its header") from None
    return key, version, correlation_id


def read_header(frame: Buffer, *, is_flexible: bool) -> RequestHeader:
    """The header of a request in version 2 (flexible) or 1. ProtocolError."""
    try:
        key, version, correlation_id, length = _FRONT.unpack_from(frame)
        position = _FRONT.size
        client_id = None
        if length >= 0:
            stop = position + length
            if stop > len(frame):
                raise ProtocolError("the client id ends behind the request")
            client_id = str(frame[position:stop], "utf-8")
            position = stop
        if is_flexible:
            position = _past_tags(frame, position)
    except (StructError, IndexError, UnicodeDecodeError) as error:
        raise ProtocolError(f"the header of a request: {error}") from None
    return RequestHeader(key, version, correlation_id, client_id, position)


def _past_tags(frame: Buffer, position: int) -> int:
    count = frame[position]
    position += 1
    if count > 127:
        count, position = rest_of_uvarint(frame, position, count)
    for _ in range(count):
        for is_size in (False, True):
            number = frame[position]
            position += 1
            if number > 127:
                number, position = rest_of_uvarint(frame, position, number)
            if is_size:
                position += number
        if position > len(frame):
            raise ProtocolError("the tags of a header end behind the request")
    return position


def request_frame(api: Api, version: int, correlation_id: int, client_id: str, request: Message) -> bytes:
    """A whole request with its length in front, for clients of ours."""
    name = client_id.encode()
    out = bytearray(_FRONT.pack(api.key, version, correlation_id, len(name)))
    out += name
    if api.request_header(version) == 2:
        out += b"\0"
    body = b"".join(encode_parts(request, version, out))
    return _LENGTH.pack(len(body)) + body


def response_parts(api: Api, version: int, correlation_id: int, response: Message) -> list[Any]:
    """A whole response with its length in front, in parts: large `records` of it are not copied."""
    return framed(api, version, correlation_id, encode_parts(response, version, bytearray()))


def framed(api: Api, version: int, correlation_id: int, parts: list[Any]) -> list[Any]:
    """The same for one that is encoded already."""
    head = b"\0" if api.response_header(version) else b""
    size = sum(map(len, parts)) + _LENGTH.size + len(head)
    front = _CORRELATED.pack(size, correlation_id) + head
    if len(parts) == 1:
        return [front + parts[0]]
    return [front, *parts]


def response_frame(api: Api, version: int, correlation_id: int, response: Message) -> bytes:
    """The same as one."""
    return b"".join(response_parts(api, version, correlation_id, response))
