"""CBOR as rpc-v2-cbor uses it: our own small codec, and values from and to its trees.

State   none
Source  RFC 8949; Smithy "Smithy RPC v2 CBOR protocol"
Absent  tags other than 1 (epoch time) and bignums: read as what they tag

Read are definite and indefinite strings, arrays and maps, half, single and double floats; written are
definite lengths and the shortest integers, doubles, and tag 1 for timestamps.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from cloudlet.wire.aws.shapes import Member, Shape
from cloudlet.wire.aws.values import DEPTH_MAX, Malformed, Reader, Types, Writer, instant, lazily

BREAK = object()
HALF, SINGLE, DOUBLE = struct.Struct(">e"), struct.Struct(">f"), struct.Struct(">d")
EPOCH = 1
BIGNUMS = {2: 1, 3: -1}


class Decoder:
    """Reads one value; Malformed for anything that is not whole."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def whole(self) -> Any:
        """The one value, with nothing behind it."""
        value = self.value(0)
        if value is BREAK or self._position != len(self._data):
            raise Malformed("The body is not one CBOR value")
        return value

    def value(self, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise Malformed("The request is nested too deeply")
        initial = self._take(1)[0]
        major, info = initial >> 5, initial & 0x1F
        if major == 7:
            return self._simple(info)
        if info == 31:
            return self._indefinite(major, depth)
        size = self._size(info)
        if major == 0:
            return size
        if major == 1:
            return -1 - size
        if major == 2:
            return self._take(size)
        if major == 3:
            return _text(self._take(size))
        if major == 4:
            self._fits(size)
            return [self._item(depth) for _ in range(size)]
        if major == 5:
            self._fits(size)
            return {self._key(depth): self._item(depth) for _ in range(size)}
        return _tagged(size, self._item(depth))

    def _item(self, depth: int) -> Any:
        found = self.value(depth + 1)
        if found is BREAK:
            raise Malformed("A CBOR break where a value was expected")
        return found

    def _key(self, depth: int) -> str:
        found = self._item(depth)
        if not isinstance(found, str):
            raise Malformed("A CBOR map has a key that is not text")
        return found

    def _fits(self, count: int) -> None:
        if count > len(self._data) - self._position:
            raise Malformed("The CBOR body ends inside a value")

    def _take(self, size: int) -> bytes:
        start = self._position
        stop = start + size
        if stop > len(self._data):
            raise Malformed("The CBOR body ends inside a value")
        self._position = stop
        return self._data[start:stop]

    def _size(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise Malformed("A CBOR length is not well-formed")
        return int.from_bytes(self._take(1 << (info - 24)), "big")

    def _simple(self, info: int) -> Any:
        if info in (20, 21):
            return info == 21
        if info in (22, 23):
            return None
        if info == 25:
            return HALF.unpack(self._take(2))[0]
        if info == 26:
            return SINGLE.unpack(self._take(4))[0]
        if info == 27:
            return DOUBLE.unpack(self._take(8))[0]
        if info == 31:
            return BREAK
        raise Malformed(f"CBOR simple value {info} has no meaning here")

    def _indefinite(self, major: int, depth: int) -> Any:
        if major not in (2, 3, 4, 5):
            raise Malformed("A CBOR length is not well-formed")
        parts: list[Any] = []
        while (part := self.value(depth + 1)) is not BREAK:
            parts.append(part)
        if major == 4:
            return parts
        if major == 5:
            if len(parts) % 2 or not all(isinstance(key, str) for key in parts[::2]):
                raise Malformed("A CBOR map is not well-formed")
            return dict(zip(parts[::2], parts[1::2], strict=True))
        kind = bytes if major == 2 else str
        if not all(type(part) is kind for part in parts):
            raise Malformed("A CBOR string has chunks of another type")
        return kind().join(parts)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Malformed("CBOR text is not UTF-8") from None


def _tagged(tag: int, value: Any) -> Any:
    if tag in BIGNUMS and isinstance(value, bytes):
        number = int.from_bytes(value, "big")
        return number if tag == 2 else -1 - number
    return value


def load(body: bytes) -> Any:
    """The value of a CBOR body."""
    return Decoder(body).whole()


def _head(major: int, size: int) -> bytes:
    if size < 24:
        return bytes((major << 5 | size,))
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if size < 1 << (8 * width):
            return bytes((major << 5 | info,)) + size.to_bytes(width, "big")
    raise OverflowError(size)


def dump(value: Any) -> bytes:
    """A tree as CBOR."""
    out = bytearray()
    _dump(value, out)
    return bytes(out)


def _dump(value: Any, out: bytearray) -> None:
    if isinstance(value, str):
        raw = value.encode()
        out += _head(3, len(raw))
        out += raw
    elif value is None:
        out.append(0xF6)
    elif isinstance(value, bool):
        out.append(0xF5 if value else 0xF4)
    elif isinstance(value, int):
        out += _head(0, value) if value >= 0 else _head(1, -1 - value)
    elif isinstance(value, float):
        out.append(0xFB)
        out += DOUBLE.pack(value)
    elif isinstance(value, bytes):
        out += _head(2, len(value))
        out += value
    elif isinstance(value, dict):
        out += _head(5, len(value))
        for key, each in value.items():
            _dump(key, out)
            _dump(each, out)
    elif isinstance(value, Instant):
        out.append(0xC0 | EPOCH)
        _dump(value.seconds, out)
    else:
        out += _head(4, len(value))
        for each in value:
            _dump(each, out)


class Instant:
    """A timestamp on its way out."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = instant(seconds)


ACCEPTED: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (float, int),
    "double": (float, int),
    "boolean": (bool,),
    "blob": (bytes,),
    "timestamp": (int, float),
}


def scalar(kind: str) -> Reader:
    """Checks a scalar's type."""
    accepted = ACCEPTED[kind]

    def read(raw: Any) -> Any:
        if not isinstance(raw, accepted) or (isinstance(raw, bool) and kind != "boolean"):
            raise Malformed(f"{type(raw).__name__} can not be converted to {kind.title()}")
        value: Any = raw
        if kind in ("float", "double"):
            return float(value)
        if kind == "timestamp":
            if not math.isfinite(value):
                raise Malformed("Invalid timestamp")
            return instant(value)
        return value

    return read


class CborWriters:
    """Compiles writers: value -> tree; None where a value is written as it is."""

    def __init__(self) -> None:
        self._made: dict[str, Writer | None] = {}
        self._open: set[str] = set()

    def writer(self, shape: Shape) -> Writer | None:
        if shape.type == "timestamp":
            return Instant
        if shape.type in ("float", "double"):
            return float
        if shape.type not in ("structure", "list", "map") or shape.document:
            return None
        if shape.name in self._open:
            return lazily(lambda: self._made[shape.name] or (lambda value: value))
        if shape.name not in self._made:
            self._open.add(shape.name)
            self._made[shape.name] = self._container(shape)
            self._open.discard(shape.name)
        return self._made[shape.name]

    def _container(self, shape: Shape) -> Writer | None:
        if shape.type == "structure":
            return self.members(list(shape.members.values()))
        item = self.writer((shape.member if shape.type == "list" else shape.value).shape)
        if item is None:
            return None
        if shape.type == "list":
            return lambda value: [None if each is None else item(each) for each in value]
        return lambda value: {name: None if each is None else item(each) for name, each in value.items()}

    def members(self, members: list[Member]) -> Writer:
        """{member: value} -> a map."""
        writers = {member.name: self.writer(member.shape) for member in members}

        def write(value: Any) -> dict[str, Any]:
            out: dict[str, Any] = {}
            for name, each in value.items():
                if each is not None:
                    change = writers[name]
                    out[name] = each if change is None else change(each)
            return out

        return write


class CborReaders:
    """Compiles readers: tree -> value."""

    def __init__(self, types: Types) -> None:
        self._types = types
        self._made: dict[str, Reader] = {}

    def reader(self, shape: Shape) -> Reader:
        if shape.document:
            return lambda raw: raw
        if shape.type not in ("structure", "list", "map"):
            return scalar(shape.type)
        made = self._made.get(shape.name)
        if made is None:
            self._made[shape.name] = lazily(lambda: self._made[shape.name])
            make = {"structure": self._structure, "list": self._list, "map": self._map}[shape.type]
            made = self._made[shape.name] = make(shape)
        return made

    def _structure(self, shape: Shape) -> Reader:
        struct_type = self._types.struct(shape)
        readers = {name: self.reader(member.shape) for name, member in shape.members.items()}

        def read(raw: Any) -> Any:
            if type(raw) is not dict:
                raise Malformed("A CBOR map was expected")
            found: dict[str, Any] = {}
            for name, value in raw.items():
                known = readers.get(name)
                if known is not None and value is not None:
                    found[name] = known(value)
            return struct_type(**found)

        return read

    def _list(self, shape: Shape) -> Reader:
        item = self.reader(shape.member.shape)

        def read(raw: Any) -> list[Any]:
            if type(raw) is not list:
                raise Malformed("A CBOR array was expected")
            return [None if each is None else item(each) for each in raw if each is not None or shape.sparse]

        return read

    def _map(self, shape: Shape) -> Reader:
        item = self.reader(shape.value.shape)

        def read(raw: Any) -> dict[str, Any]:
            if type(raw) is not dict:
                raise Malformed("A CBOR map was expected")
            return {
                name: None if value is None else item(value)
                for name, value in raw.items()
                if value is not None or shape.sparse
            }

        return read
