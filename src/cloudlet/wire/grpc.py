"""gRPC over HTTP/2: messages in their frames, statuses in their trailers, and what a served method is.

State   none; `Messages` holds the piece of a message that has come
Source  gRPC, "PROTOCOL-HTTP2.md", "statuscodes.md", "compression.md"
Absent  compression of replies (requests may come as gzip), gRPC-Web

A face serves a table of methods, path -> Method:

    def range_(call: Call, message: bytes) -> bytes            unary; answers in the same turn of the loop
    async def put(call: Call, message: bytes) -> bytes         unary; may wait
    def put(call: Call, message: bytes) -> Deferred            unary; keeps `call`, returns DEFERRED, and
                                                               answers later: call.finish(reply), call.fail(…)
    async def watch(call: Call, incoming: AsyncIterator[bytes]) -> None          server_stream and bidi

    table = [unary("/etcdserverpb.KV/Range", range_), bidi("/etcdserverpb.Watch/Watch", watch), …]
    METHODS = {method.path: method for method in table}

A handler refuses with `raise GrpcStatus(Code.NOT_FOUND, "etcdserver: member not found")`; any other exception
is logged and becomes INTERNAL. A stream's handler gets each message of the client (`incoming` ends when the
client has said its last; a server_stream's gives one), and sends with

    await call.send(message)           waits while more than `slow_bytes` of the stream are unsent
    call.send_nowait(message)          never waits; whoever uses it looks at `call.is_slow`, and waits in
                                       `await call.drained()`. RESOURCE_EXHAUSTED beyond `unsent_bytes_max`

Replies and stream messages that become ready in one turn of the loop leave in one write per connection. A
coroutine whose client has cancelled, gone away, or whose deadline has passed, is cancelled.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from enum import Enum, IntEnum
from typing import Final, Protocol

import msgspec

from cloudlet.wire.http2_fields import Head
from cloudlet.wire.http2_hpack import HeaderEncoder

MESSAGE_BYTES_MAX = 4 << 20  # gRPC's default
PREFIX_BYTES = 5
CONTENT_TYPE = re.compile(rb"application/grpc(\+proto)?(;.*)?")
TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
UNITS_MS = {b"H": 3_600_000, b"M": 60_000, b"S": 1000, b"m": 1, b"u": 0.001, b"n": 0.000_001}
PLAIN = re.compile(r"[\x20-\x24\x26-\x7e]*")


class Code(IntEnum):
    """statuscodes.md."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class GrpcStatus(Exception):
    """How a call ends if not well; what a handler raises, and a client meets."""

    def __init__(self, code: Code, message: str = "", details: bytes = b"") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.details = details  # grpc-status-details-bin: a google.rpc.Status, encoded


class Kind(Enum):
    """Which side of a call says more than one message."""

    UNARY = "unary"
    SERVER_STREAM = "server_stream"
    BIDI = "bidi"  # and a client's stream, which is a bidi whose server says one thing


class Deferred(Enum):
    """What a handler returns that has kept the call and will answer later."""

    DEFERRED = 0


DEFERRED: Final = Deferred.DEFERRED


class Call(Protocol):
    """One call, as its handler sees it."""

    @property
    def method(self) -> Method: ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the client sent along; names in lower case, binary values (-bin) in base64 as they came. Not
        to be changed."""

    @property
    def authority(self) -> str:
        """The address that the client dialled, as it says."""

    @property
    def scheme(self) -> str:
        """How the client came, as it says: http or https."""

    @property
    def peer(self) -> str:
        """The client's address, HOST:PORT."""

    @property
    def common_name(self) -> str:
        """The common name of the client's certificate; empty without one."""

    @property
    def deadline_ms(self) -> float | None:
        """On the loop's clock, when the client stops waiting."""

    @property
    def is_cancelled(self) -> bool:
        """Nobody waits for the answer any more."""

    @property
    def is_slow(self) -> bool:
        """The client has not taken what was sent: more than `slow_bytes` wait."""

    @property
    def unsent_bytes(self) -> int:
        """What waits."""

    def finish(self, message: bytes) -> None:
        """Answer a deferred call; nothing if it was cancelled."""

    def fail(self, status: GrpcStatus) -> None:
        """Refuse a deferred call; nothing if it was cancelled."""

    def send_header(self, metadata: Sequence[tuple[str, str]] = ()) -> None:
        """Begin the reply, with metadata of its own, before its first message; later calls do nothing."""

    def add_trailers(self, metadata: Sequence[tuple[str, str]]) -> None:
        """Metadata to stand behind the reply."""

    async def send(self, message: bytes) -> None: ...

    def send_nowait(self, message: bytes) -> None: ...

    async def drained(self) -> None:
        """Wait until the stream is not slow any more."""


Answer = bytes | Deferred
Unary = Callable[[Call, bytes], Answer | Awaitable[bytes]]
Streaming = Callable[[Call, AsyncIterator[bytes]], Coroutine[object, object, None]]


class Method(msgspec.Struct, frozen=True, gc=False):
    """A method that is served."""

    path: str
    kind: Kind
    handler: Callable[..., object]  # Unary or Streaming, as `kind` says
    message_bytes_max: int = MESSAGE_BYTES_MAX  # of what the client sends


def unary(path: str, handler: Unary, message_bytes_max: int = MESSAGE_BYTES_MAX) -> Method:
    return Method(path, Kind.UNARY, handler, message_bytes_max)


def server_stream(path: str, handler: Streaming, message_bytes_max: int = MESSAGE_BYTES_MAX) -> Method:
    return Method(path, Kind.SERVER_STREAM, handler, message_bytes_max)


def bidi(path: str, handler: Streaming, message_bytes_max: int = MESSAGE_BYTES_MAX) -> Method:
    return Method(path, Kind.BIDI, handler, message_bytes_max)


# --- messages


def framed(message: bytes) -> bytes:
    """A message with its prefix."""
    return b"\x00" + len(message).to_bytes(4) + message


class Messages:
    """Puts the messages of one direction of a call together."""

    __slots__ = ("_bytes_max", "_encoding", "_needed", "_parts", "held_bytes")

    def __init__(self, bytes_max: int, encoding: bytes = b"") -> None:
        self._bytes_max = bytes_max
        self._encoding = encoding
        self._parts: list[bytes] = []  # of a message that is still to become whole
        self._needed = 0  # its bytes, once they are known
        self.held_bytes = 0  # those that have come

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are now whole; GrpcStatus for one that is too large or cannot be read."""
        if self._parts:
            self._parts.append(data)
            self.held_bytes += len(data)
            if self.held_bytes < self._needed:
                return []  # joined once, not at every piece
            data = b"".join(self._parts)
            self._parts.clear()
        at, end = 0, len(data)
        found: list[bytes] = []
        self._needed = PREFIX_BYTES
        while end - at >= PREFIX_BYTES:
            size = int.from_bytes(data[at + 1 : at + PREFIX_BYTES])
            if size > self._bytes_max:
                raise self._too_large(size)
            stop = at + PREFIX_BYTES + size
            if stop > end:
                self._needed = PREFIX_BYTES + size
                break
            message = data[at + PREFIX_BYTES : stop]
            found.append(self._expanded(message) if data[at] else message)
            at = stop
        self.held_bytes = end - at
        if at < end:
            self._parts.append(data[at:])
        return found

    def _too_large(self, size: int) -> GrpcStatus:
        return GrpcStatus(
            Code.RESOURCE_EXHAUSTED, f"grpc: received message larger than max ({size} vs. {self._bytes_max})"
        )

    def _expanded(self, message: bytes) -> bytes:
        if self._encoding != b"gzip":
            # compression.md: a flag without an encoding that says how is an internal error
            raise GrpcStatus(Code.INTERNAL, "grpc: compressed flag set with identity or empty encoding")
        engine = zlib.decompressobj(31)
        try:
            data = engine.decompress(message, self._bytes_max + 1)
        except zlib.error:
            raise GrpcStatus(Code.INTERNAL, "grpc: failed to decompress the received message") from None
        if len(data) > self._bytes_max:
            raise self._too_large(len(data))
        if not engine.eof:
            raise GrpcStatus(Code.INTERNAL, "grpc: failed to decompress the received message")
        return data


# --- requests


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What a request's head says about the call."""

    refusal: GrpcStatus | None
    status: int  # of HTTP, where the request is none of gRPC's
    timeout_ms: float | None
    encoding: bytes
    metadata: Mapping[str, str]
    authority: str
    scheme: str


def terms(head: Head) -> Terms:
    """Read a request's head."""
    refusal = None
    status = 200
    content_type = head.value(b"content-type") or b""
    if head.method != b"POST":
        status = 405
    elif not CONTENT_TYPE.fullmatch(content_type):
        status = 415  # PROTOCOL-HTTP2.md: so that other clients do not take a gRPC error for success
    timeout_ms: float | None = None
    raw = head.value(b"grpc-timeout")
    if raw is not None:
        match = TIMEOUT.fullmatch(raw)
        if match is None:
            refusal = GrpcStatus(Code.INTERNAL, f"malformed grpc-timeout: {raw.decode('latin-1')}")
        else:
            timeout_ms = int(match[1]) * UNITS_MS[match[2]]
    encoding = head.value(b"grpc-encoding") or b"identity"
    if encoding not in (b"identity", b"gzip"):
        refusal = GrpcStatus(
            Code.UNIMPLEMENTED,
            f'grpc: Decompressor is not installed for grpc-encoding "{encoding.decode("latin-1")}"',
        )
    metadata: dict[str, str] = {}
    for name, value in head.fields:
        word, text = name.decode("latin-1"), value.decode("latin-1")
        metadata[word] = f"{metadata[word]},{text}" if word in metadata else text
    authority, scheme = head.authority.decode("latin-1"), head.scheme.decode("latin-1")
    return Terms(refusal, status, timeout_ms, encoding, metadata, authority, scheme)


# --- replies

_PLAIN_ENCODER = HeaderEncoder()
REPLY_FIELDS = ((b":status", b"200"), (b"content-type", b"application/grpc"))
REPLY_BLOCK = _PLAIN_ENCODER.encode(REPLY_FIELDS)
OK_BLOCK = _PLAIN_ENCODER.encode([(b"grpc-status", b"0")])


def status_fields(status: GrpcStatus) -> list[tuple[bytes, bytes]]:
    """The trailers of a status."""
    fields = [
        (b"grpc-status", b"%d" % status.code),
        (b"grpc-message", percent_encoded(status.message)),
    ]
    if status.details:
        fields.append((b"grpc-status-details-bin", b64encode(status.details).rstrip(b"=")))
    return fields


def last_block(status: GrpcStatus, metadata: Sequence[tuple[str, str]] = (), *, is_begun: bool) -> bytes:
    """The last block of a call; with the head of the reply where none is out yet."""
    fields = [*status_fields(status), *metadata_fields(metadata)]
    return _PLAIN_ENCODER.encode(fields if is_begun else [*REPLY_FIELDS, *fields])


def metadata_fields(metadata: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in metadata]


def refusal_block(status: int) -> bytes:
    """The whole reply to what is no gRPC request."""
    return _PLAIN_ENCODER.encode([(b":status", b"%d" % status), (b"content-length", b"0")])


def header_block(metadata: Sequence[tuple[str, str]]) -> bytes:
    """The head of a reply with metadata of its own."""
    return _PLAIN_ENCODER.encode([*REPLY_FIELDS, *metadata_fields(metadata)])


def percent_encoded(message: str) -> bytes:
    """grpc-message: what is not printable ASCII, and '%', as %XX of its UTF-8."""
    if PLAIN.fullmatch(message):
        return message.encode("ascii")
    out = bytearray()
    for byte in message.encode():
        if 0x20 <= byte <= 0x7E and byte != 0x25:
            out.append(byte)
        else:
            out += b"%%%02X" % byte
    return bytes(out)


def percent_decoded(raw: bytes) -> str:
    """The message of a status; a broken escape stays as it is, as PROTOCOL-HTTP2.md wants."""
    whole = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes((int(match[1], 16),)), raw)
    return whole.decode("utf-8", "replace")


def status_of(trailers: Head) -> GrpcStatus | None:
    """How the call ended; None for well. Without a status of gRPC's, the one of HTTP says it."""
    raw = trailers.value(b"grpc-status")
    if raw is None or not raw.isdigit():
        return GrpcStatus(Code.INTERNAL if raw else Code.UNKNOWN, f"no grpc-status, HTTP {trailers.status}")
    number = int(raw)
    if not number:
        return None
    code = Code(number) if number <= Code.UNAUTHENTICATED else Code.UNKNOWN
    return GrpcStatus(code, percent_decoded(trailers.value(b"grpc-message") or b""))
