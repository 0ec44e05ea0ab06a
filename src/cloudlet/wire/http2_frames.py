"""The layout of HTTP/2 frames, their types, flags, settings and error codes.

State   none
Source  RFC 9113 sections 4, 6, 7
Absent  server push (PUSH_PROMISE is neither sent nor taken)
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct

from cloudlet.kernel.fault import ProtocolError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

HEAD = Struct(">BHBBL")  # the length in two parts, type, flags, stream
HEAD_BYTES = 9
SETTING = Struct(">HL")

DATA = 0
HEADERS = 1
PRIORITY = 2
RST_STREAM = 3
SETTINGS = 4
PUSH_PROMISE = 5
PING = 6
GOAWAY = 7
WINDOW_UPDATE = 8
CONTINUATION = 9

ACK = 0x1
END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
HAS_PRIORITY = 0x20

WINDOW_START = 65_535  # RFC 9113 6.9.2
WINDOW_MAX = (1 << 31) - 1
FRAME_BYTES = 16_384  # the least SETTINGS_MAX_FRAME_SIZE, and the one that we keep
FRAME_BYTES_MAX = (1 << 24) - 1


class ErrorCode(IntEnum):
    """RFC 9113 7."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class Setting(IntEnum):
    """RFC 9113 6.5.2."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class ConnectionFault(ProtocolError):
    """The peer broke the protocol for the whole connection: it ends with GOAWAY."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class StreamFault(ProtocolError):
    """The peer broke the protocol for one stream: it ends with RST_STREAM."""

    def __init__(self, code: ErrorCode, stream: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.stream = stream


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    size = len(payload)
    return HEAD.pack(size >> 16, size & 0xFFFF, kind, flags, stream) + payload


def settings_frame(settings: Sequence[tuple[Setting, int]]) -> bytes:
    """A SETTINGS frame of ours."""
    return frame(SETTINGS, 0, 0, b"".join(SETTING.pack(*row) for row in settings))


def goaway_frame(last_stream: int, code: ErrorCode, debug: bytes = b"") -> bytes:
    return frame(GOAWAY, 0, 0, last_stream.to_bytes(4) + code.to_bytes(4) + debug)


def reset_frame(stream: int, code: ErrorCode) -> bytes:
    return frame(RST_STREAM, 0, stream, code.to_bytes(4))


def window_frame(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4))


def headers_frames(stream: int, block: bytes, *, ends: bool, frame_bytes_max: int = FRAME_BYTES) -> bytes:
    """A block of fields: HEADERS, and CONTINUATION for what does not fit."""
    flags = END_STREAM if ends else 0
    if len(block) <= frame_bytes_max:
        return frame(HEADERS, flags | END_HEADERS, stream, block)
    parts = [frame(HEADERS, flags, stream, block[:frame_bytes_max])]
    for start in range(frame_bytes_max, len(block), frame_bytes_max):
        last = END_HEADERS if start + frame_bytes_max >= len(block) else 0
        parts.append(frame(CONTINUATION, last, stream, block[start : start + frame_bytes_max]))
    return b"".join(parts)


def unpadded(flags: int, payload: bytes) -> bytes:
    """The payload of a DATA or HEADERS frame without its padding; ConnectionFault (RFC 9113 6.1)."""
    if not flags & PADDED:
        return payload
    if not payload:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a padded frame without its length of padding")
    padding = payload[0]
    if padding >= len(payload):
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "more padding than frame")
    return payload[1 : len(payload) - padding]
