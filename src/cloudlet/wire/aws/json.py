"""JSON as the AWS protocols use it: values from and to decoded JSON, compiled per shape.

State   none
Source  Smithy "AWS JSON 1.0 and 1.1 protocols", "AWS restJson1 protocol"
Absent  none
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from cloudlet.wire.aws.shapes import Member, Shape
from cloudlet.wire.aws.values import (
    DEPTH_MAX,
    Malformed,
    Reader,
    Types,
    Writer,
    instant,
    lazily,
    read_blob,
    read_timestamp,
    write_blob,
    write_float,
    write_timestamp,
)

_encode = msgspec.json.Encoder().encode

SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def load(body: bytes) -> Any:
    """Decoded JSON; Malformed."""
    try:
        return orjson.loads(body)
    except ValueError:
        raise Malformed("Could not parse request body into json") from None


def _kind(raw: Any) -> str:
    names = {str: "STRING_VALUE", bool: "TRUE_VALUE", dict: "START_OBJECT", list: "START_ARRAY"}
    return names.get(type(raw), "NUMBER_VALUE")


def _refused(raw: Any, kind: str) -> Exception:
    return Malformed(f"{_kind(raw)} can not be converted to {kind.title()}")


def _string(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    raise _refused(raw, "String")


def _integer(raw: Any) -> int:
    if type(raw) is int:
        return raw
    if type(raw) is float and raw.is_integer():
        return int(raw)
    raise _refused(raw, "Integer")


def _float(raw: Any) -> float:
    if type(raw) in (int, float):
        return float(raw)
    if isinstance(raw, str) and raw in SPECIAL_FLOATS:
        return SPECIAL_FLOATS[raw]
    raise _refused(raw, "Double")


def _boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    raise _refused(raw, "Boolean")


def _timestamp(raw: Any) -> float:
    if type(raw) in (int, float) and math.isfinite(raw):
        return instant(raw)
    if isinstance(raw, str):
        return read_timestamp(raw)
    raise _refused(raw, "Timestamp")


SCALARS: dict[str, Reader] = {
    "string": _string,
    "character": _string,
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "blob": read_blob,
}


class JsonReaders:
    """Compiles readers; one per service, so that shared shapes are compiled once."""

    def __init__(self, types: Types, *, uses_location_names: bool) -> None:
        self._types = types
        self._uses_location_names = uses_location_names
        self._made: dict[str, Reader] = {}

    def reader(self, shape: Shape) -> Reader:
        """decoded JSON -> value."""
        if shape.document:
            return lambda raw: raw
        scalar = SCALARS.get(shape.type)
        if scalar is not None:
            return scalar
        made = self._made.get(shape.name)
        if made is None:
            self._made[shape.name] = lazily(lambda: self._made[shape.name])  # a shape may contain itself
            make = {"structure": self._structure, "list": self._list, "map": self._map}[shape.type]
            made = self._made[shape.name] = make(shape)
        return made

    def whole(self, shape: Shape) -> Callable[[bytes], Any]:
        """JSON text -> value."""
        read = self.reader(shape)
        told = None if self._uses_location_names else self._types.told(shape)
        if told is None:
            return lambda body: read(load(body))
        decode = msgspec.json.Decoder(told).decode

        def read_text(body: bytes) -> Any:
            try:
                return decode(body)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                return read(load(body))  # which takes what else is allowed, and knows how a fault is worded

        return read_text

    def wire_name(self, member: Member) -> str:
        return member.wire_name if self._uses_location_names else member.name

    def members(self, shape: Shape, members: list[Member]) -> Reader:
        """A reader of some members of a structure: an object -> {member: value}."""
        readers = {self.wire_name(member): (member.name, self.reader(member.shape)) for member in members}

        def read(raw: Any) -> dict[str, Any]:
            if type(raw) is not dict:
                raise Malformed("Start of structure or map found where not expected.")
            found: dict[str, Any] = {}
            for name, value in raw.items():
                if value is not None:
                    known = readers.get(name)
                    if known is not None:
                        found[known[0]] = known[1](value)
            return found

        return read

    def _structure(self, shape: Shape) -> Reader:
        struct = self._types.struct(shape)
        read_members = self.members(shape, list(shape.members.values()))
        if not shape.union:
            return lambda raw: struct(**read_members(raw))

        def read(raw: Any) -> Any:
            found = read_members(raw)
            if len(found) != 1:
                raise Malformed(f"A {shape.name} has exactly one member, not {len(found)}")
            return struct(**found)

        return read

    def _list(self, shape: Shape) -> Reader:
        item = self.reader(shape.member.shape)
        sparse = shape.sparse

        def read(raw: Any) -> list[Any]:
            if type(raw) is not list:
                raise Malformed("Unexpected token where a list was expected")
            if sparse:
                return [None if each is None else item(each) for each in raw]
            return [item(each) for each in raw if each is not None]

        return read

    def _map(self, shape: Shape) -> Reader:
        item = self.reader(shape.value.shape)
        sparse = shape.sparse

        def read(raw: Any) -> dict[str, Any]:
            if type(raw) is not dict:
                raise Malformed("Unexpected token where a map was expected")
            return {
                name: None if value is None else item(value)
                for name, value in raw.items()
                if sparse or value is not None
            }

        return read


class JsonWriters:
    """Compiles writers: value -> what orjson can encode; None where a value is encoded as it is."""

    def __init__(self, *, uses_location_names: bool, timestamp_form: str = "unixTimestamp") -> None:
        self._uses_location_names = uses_location_names
        self._form = timestamp_form
        self._made: dict[str, Writer | None] = {}
        self._open: set[str] = set()

    def writer(self, shape: Shape, form: str | None = None) -> Writer | None:
        """The writer of a shape; None for one whose values need no change."""
        if shape.document:
            return None
        if shape.type == "timestamp":
            chosen = form or shape.raw.get("timestampFormat") or self._form
            return instant if chosen == "unixTimestamp" else lambda value: write_timestamp(value, chosen)
        if shape.type == "blob":
            return write_blob
        if shape.type in ("float", "double"):
            return lambda value: value if math.isfinite(value) else write_float(value)
        if shape.type not in ("structure", "list", "map"):
            return None
        if shape.name in self._open:
            return lazily(lambda: self._made[shape.name] or (lambda value: value))
        if shape.name not in self._made:
            self._open.add(shape.name)
            make = {"structure": self._structure, "list": self._list, "map": self._map}[shape.type]
            self._made[shape.name] = make(shape)
            self._open.discard(shape.name)
        return self._made[shape.name]

    def members(self, members: list[Member]) -> Writer:
        """A writer of some members of a structure: {member: value} -> an object."""
        writers = {
            member.name: (
                member.wire_name if self._uses_location_names else member.name,
                self.writer(member.shape, member.timestamp_format),
            )
            for member in members
        }

        def write(value: Any) -> dict[str, Any]:
            out: dict[str, Any] = {}
            for name, each in value.items():
                if each is not None:
                    wire_name, change = writers[name]
                    out[wire_name] = each if change is None else change(each)
            return out

        return write

    def _structure(self, shape: Shape) -> Writer | None:
        return self.members(list(shape.members.values()))

    def _list(self, shape: Shape) -> Writer | None:
        item = self.writer(shape.member.shape, shape.member.timestamp_format)
        if item is None:
            return None
        return lambda value: [None if each is None else item(each) for each in value]

    def _map(self, shape: Shape) -> Writer | None:
        item = self.writer(shape.value.shape, shape.value.timestamp_format)
        if item is None:
            return None
        return lambda value: {name: None if each is None else item(each) for name, each in value.items()}


def dump(value: Any) -> bytes:
    """JSON text."""
    return _encode(value)


def check_depth(raw: Any, depth: int = 0) -> None:
    """Malformed for what is nested deeper than DEPTH_MAX."""
    if depth > DEPTH_MAX:
        raise Malformed("The request is nested too deeply")
    if type(raw) is dict:
        for each in raw.values():
            check_depth(each, depth + 1)
    elif type(raw) is list:
        for each in raw:
            check_depth(each, depth + 1)
