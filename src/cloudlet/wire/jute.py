"""Jute, the encoding of ZooKeeper's records: compiled from the record classes themselves.

State   none
Source  ZooKeeper 3.9: zookeeper-jute, BinaryOutputArchive and BinaryInputArchive
Absent  none

A record is a class whose fields are annotated with the types below; `codec` makes its two functions. All is
big-endian:

    boolean   1 byte               ustring   int length, UTF-8      vector   int count, elements
    int       4 bytes              buffer    int length, bytes      record   its fields in order
    long      8 bytes              (length -1: null; count -1: a null vector, read as an empty one)

Neighbouring fields of a fixed size are one `struct` call. A null string is read as an empty one, as several
clients write it so; bytes behind a record are left to the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from struct import Struct, error
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from cloudlet.kernel.fault import ProtocolError


class Broken(ProtocolError):
    """Bytes that are not the record expected."""


class Kind(str):
    """The jute type of a field, in its annotation."""


Int = Annotated[int, Kind("i")]
Long = Annotated[int, Kind("q")]
Ustring = Annotated[str, Kind("ustring")]
Buffer = Annotated[bytes | None, Kind("buffer")]


class Record(msgspec.Struct, gc=False):
    """The base of every record."""


R = TypeVar("R", bound=Record)

INT = Struct(">i")
BYTES_MAX = 1 << 31


class Codec(Generic[R]):
    """Both directions of one record: `encode(value)`, and `decode(data, at)` -> (value, where it ends).

    `decode` raises Broken for what is not whole or not sane.
    """

    __slots__ = ("decode", "encode")

    def __init__(self, encode: Callable[[R], bytes], decode: Callable[[bytes, int], tuple[R, int]]) -> None:
        self.encode = encode
        self.decode = decode


def read_int(data: bytes, at: int) -> int:
    """The int at a place."""
    try:
        return int(INT.unpack_from(data, at)[0])
    except error:
        raise Broken("the record ends inside an int") from None


def read_bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    """The buffer at a place, None for null, and where it ends."""
    try:
        (size,) = INT.unpack_from(data, at)
    except error:
        raise Broken("the record ends inside an int") from None
    at += 4
    stop = at + size
    if size >= 0 and stop <= len(data):
        return data[at:stop], stop
    if size == -1:
        return None, at
    raise Broken(f"a length of {size}, and {len(data) - at} bytes left")


def read_text(data: bytes, at: int) -> tuple[str, int]:
    """The string at a place and where it ends. What is no UTF-8 is replaced, as Java does."""
    raw, at = read_bytes(data, at)
    return (raw.decode("utf-8", "replace") if raw else ""), at


def read_count(data: bytes, at: int) -> tuple[int, int]:
    """The number of a vector's elements; each takes a byte at least, so a lie is found here."""
    count = read_int(data, at)
    if count > len(data) - at - 4:
        raise Broken(f"a vector of {count} elements in {len(data) - at - 4} bytes")
    return max(count, 0), at + 4


def write_bytes(value: bytes | None) -> bytes:
    """A buffer."""
    return INT.pack(-1) if value is None else INT.pack(len(value)) + value


def write_text(value: str) -> bytes:
    """A string."""
    raw = value.encode("utf-8", "replace")
    return INT.pack(len(raw)) + raw


FIXED = {"i": "i", "q": "q", "?": "?"}
SLICES = {"ustring": "data[start:stop].decode('utf-8', 'replace')", "buffer": "data[start:stop]"}


def _kind_of(hint: Any) -> Any:
    """What a field's annotation says: a letter of FIXED, "ustring", "buffer", ("vector", kind), a Record."""
    if hint is bool:
        return "?"
    if get_origin(hint) is Annotated:
        return str(next(part for part in get_args(hint) if isinstance(part, Kind)))
    if get_origin(hint) is list:
        return ("vector", _kind_of(get_args(hint)[0]))
    assert isinstance(hint, type), hint
    assert issubclass(hint, Record), hint
    return hint


class _Source:
    """The text of the two functions while they are composed."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {
            "read_bytes": read_bytes, "read_text": read_text, "read_count": read_count,
            "int_at": INT.unpack_from,
            "write_bytes": write_bytes, "write_text": write_text, "INT": INT, "Broken": Broken,
            "error": error,
        }  # fmt: skip
        self.reading: list[str] = []
        self.writing: list[str] = []

    def bind(self, value: Any) -> str:
        name = f"given_{len(self.names)}"
        self.names[name] = value
        return name

    def fixed(self, fields: list[tuple[str, str]]) -> None:
        """Neighbours of a fixed size."""
        struct = Struct(">" + "".join(kind for _, kind in fields))
        name, read = self.bind(struct), self.bind(struct.unpack_from)
        targets = "".join(f"f_{field}, " for field, _ in fields)
        self.reading += [f"{targets}= {read}(data, at)", f"at += {struct.size}"]
        self.writing.append(f"{name}.pack({', '.join(f'value.{field}' for field, _ in fields)})")

    def other(self, field: str, kind: Any) -> None:
        read, write = self.element(kind)
        if isinstance(kind, tuple):
            read, write = self.vector(kind[1])
        if kind in SLICES:
            # What is there and whole is read in place: a call each would be half of a request's decoding.
            self.reading += [
                "size, = int_at(data, at)",
                "start, stop = at + 4, at + 4 + size",
                f"if start < stop <= len(data): f_{field}, at = {SLICES[kind]}, stop",
                f"else: f_{field}, at = {read}",
            ]
        else:
            self.reading.append(f"f_{field}, at = {read}")
        self.writing.append(write.format(f"value.{field}"))

    def element(self, kind: Any) -> tuple[str, str]:
        """How one value is read, and how it is written (with {} for the value)."""
        if kind == "ustring":
            return "read_text(data, at)", "write_text({})"
        if kind == "buffer":
            return "read_bytes(data, at)", "write_bytes({})"
        if kind in FIXED:
            struct = Struct(f">{kind}")
            name = self.bind(struct)
            return f"({name}.unpack_from(data, at)[0], at + {struct.size})", f"{name}.pack({{}})"
        if isinstance(kind, tuple):
            return "", ""
        inner = self.bind(codec(kind))
        return f"{inner}.decode(data, at)", f"{inner}.encode({{}})"

    def vector(self, kind: Any) -> tuple[str, str]:
        read, write = self.element(kind)
        name = f"vector_{len(self.names)}"
        text = [
            f"def {name}(data, at):",
            "    count, at = read_count(data, at)",
            "    found = []",
            "    for _ in range(count):",
            f"        one, at = {read}",
            "        found.append(one)",
            "    return found, at",
        ]
        self.names[name] = _compiled("\n".join(text), self.names, name)
        one = write.format("one")
        return f"{name}(data, at)", f"INT.pack(len({{}})) + b''.join([{one} for one in {{}}])".replace(
            "{}", "{0}"
        )


def _compiled(text: str, names: dict[str, Any], wanted: str) -> Any:
    space = names
    exec(text, space)
    return space[wanted]


@cache
def codec(kind: type[R]) -> Codec[R]:
    """The codec of a record class, made once."""
    source = _Source()
    record = source.bind(kind)
    hints = get_type_hints(kind, include_extras=True)
    names = kind.__struct_fields__
    run: list[tuple[str, str]] = []
    for field in names:
        wanted = _kind_of(hints[field])
        if isinstance(wanted, str) and wanted in FIXED:
            run.append((field, FIXED[wanted]))
            continue
        if run:
            source.fixed(run)
            run = []
        source.other(field, wanted)
    if run:
        source.fixed(run)
    made = f"return {record}({', '.join(f'f_{field}' for field in names)}), at"
    body = "\n        ".join([*source.reading, made])
    reading = (
        f"def decode(data, at=0):\n    try:\n        {body}\n"
        "    except error:\n        raise Broken('the record ends too early') from None"
    )
    writing = f"def encode(value):\n    return {' + '.join(source.writing) or repr(b'')}"
    return Codec(
        _compiled(writing, source.names, "encode"),
        _compiled(reading, source.names, "decode"),
    )
