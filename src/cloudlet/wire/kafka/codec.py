"""Messages to bytes and back.

State   none
Source  Apache Kafka 4.3, "Protocol primitive types"; see compiler.py
Absent  none
"""

from __future__ import annotations

from collections.abc import Generator
from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception by its role
from typing import Any, TypeVar

from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka.classes import Message, reader_of, steppers_of, writer_of

M = TypeVar("M", bound=Message)
Buffer = bytes | bytearray | memoryview

PART_BYTES = 64 << 10

_INT16 = Struct(">h")


def decode(message: type[M], version: int, buffer: Buffer, offset: int = 0) -> tuple[M, int]:
    """The message that begins at `offset`, and where it ends. ProtocolError for what is not whole, or not
    sane; ValueError for a version that the message does not have. Its `records` are slices of the buffer."""
    view = memoryview(buffer)
    try:
        value, stop = reader_of(message, version)(view, offset, len(view))
    except (StructError, IndexError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{message.__name__} version {version}: {error}") from None
    return value, stop


def decode_whole(message: type[M], version: int, buffer: Buffer, offset: int = 0) -> M:
    """The same, where nothing may follow. ProtocolError."""
    value, stop = decode(message, version, buffer, offset)
    if stop != len(buffer):
        raise ProtocolError(f"{message.__name__} version {version}: {len(buffer) - stop} bytes too many")
    return value


def encode(value: Message, version: int) -> bytes:
    """The message in a version of it."""
    out = bytearray()
    writer_of(type(value), version)(value, out, None)
    return bytes(out)


def encode_parts(value: Message, version: int, out: bytearray) -> list[Any]:
    """The same behind what `out` holds, in parts: large `records` are the very objects given."""
    parts: list[Any] = []
    writer_of(type(value), version)(value, out, parts)
    if out or not parts:
        parts.append(bytes(out))
    return parts


def decode_slowly(
    message: type[M], version: int, buffer: Buffer, offset: int = 0
) -> Generator[None, None, tuple[M, int]]:
    """The same as `decode`, in steps."""
    steppers = steppers_of(message, version)
    if steppers is None:
        return decode(message, version, buffer, offset)
    view = memoryview(buffer)
    try:
        value, stop = yield from steppers[0](view, offset, len(view))
    except (StructError, IndexError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{message.__name__} version {version}: {error}") from None
    return value, stop


def encode_slowly(value: Message, version: int) -> Generator[None, None, list[Any]]:
    """The same as `encode_parts`, in steps."""
    steppers = steppers_of(type(value), version)
    out = bytearray()
    if steppers is None:
        return encode_parts(value, version, out)
    parts: list[Any] = []
    for _ in steppers[1](value, out, parts):
        if len(out) >= PART_BYTES:  # or it would be copied again and again while it grows
            parts.append(bytes(out))
            out.clear()
        yield
    if out or not parts:
        parts.append(bytes(out))
    return parts


def encode_versioned(value: Message, version: int) -> bytes:
    """A record of an internal topic: its version in two bytes, then the message."""
    out = bytearray(_INT16.pack(version))
    writer_of(type(value), version)(value, out, None)
    return bytes(out)


def version_of(buffer: Buffer) -> int:
    """The version in front of a record of an internal topic. ProtocolError."""
    if len(buffer) < _INT16.size:
        raise ProtocolError("a record of an internal topic has no version")
    version: int = _INT16.unpack_from(buffer)[0]
    return version


def decode_versioned(message: type[M], buffer: Buffer) -> M:
    """A record of an internal topic, in the version that it says. ProtocolError, also for a version that is
    not known."""
    version = version_of(buffer)
    if version not in message.SCHEMA.versions:
        raise ProtocolError(f"{message.__name__} has no version {version}")
    return decode(message, version, buffer, _INT16.size)[0]
