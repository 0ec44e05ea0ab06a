"""Scalars as the AWS protocols spell them, and the structs that requests become.

State   none
Source  Smithy 2.0 "Timestamp serialization and formats"; AWS's protocol documents
Absent  none

A timestamp is a number of seconds since 1970 (int where it is whole, else float), a blob is bytes, an
integer is an int, a float a float, a structure a struct whose fields are the model's members, None where
absent.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import msgspec

from cloudlet.kernel.fault import Fault
from cloudlet.wire.aws.shapes import Shape

Malformed = Fault("SerializationException")
Reader = Callable[[Any], Any]
Writer = Callable[[Any], Any]

DEPTH_MAX = 100  # of nested values, in every protocol


SCALAR_TYPES: dict[str, Any] = {
    "string": str, "character": str, "integer": int, "long": int, "boolean": bool, "blob": bytes,
}  # fmt: skip


class Types:
    """The struct type of each structure of a service, and the type of each shape of which that says all there
    is to know about reading its JSON."""

    def __init__(self) -> None:
        self._types: dict[str, type[msgspec.Struct]] = {}
        self._told: dict[str, Any] = {}

    def struct(self, shape: Shape) -> type[msgspec.Struct]:
        """The type of a structure."""
        told: type[msgspec.Struct] | None = self.told(shape)
        if told is not None:
            return told
        found = self._types.get(shape.name)
        if found is None:
            found = self._types[shape.name] = _struct(shape, [(name, Any, None) for name in shape.members])
        return found

    def told(self, shape: Shape) -> Any:
        """A type by which a decoder reads a shape just as `wire.aws.json` does; None where none says all."""
        if shape.type in SCALAR_TYPES:
            return SCALAR_TYPES[shape.type]
        if shape.name not in self._told:
            self._told[shape.name] = None  # while it is made: a shape that contains itself has no such type
            self._told[shape.name] = self._made(shape)
        return self._told[shape.name]

    def _made(self, shape: Shape) -> Any:
        if shape.document or shape.union or shape.sparse:
            return None
        if shape.type == "list":
            item = self.told(shape.member.shape)
            return None if item is None else list[item]  # type: ignore[valid-type]
        if shape.type == "map":
            item = self.told(shape.value.shape)
            return None if item is None else dict[str, item]  # type: ignore[valid-type]
        if shape.type != "structure":
            return None
        types = {name: self.told(member.shape) for name, member in shape.members.items()}
        if None in types.values():
            return None
        return _struct(shape, [(name, each | None, None) for name, each in types.items()])


def _struct(shape: Shape, fields: list[tuple[str, Any, None]]) -> type[msgspec.Struct]:
    return msgspec.defstruct(shape.name, fields, omit_defaults=True, gc=False)


NOTHING = msgspec.defstruct("Nothing", [])
"""The parameters of an operation without input."""


def instant(seconds: float) -> float:
    """A timestamp: whole seconds as int."""
    whole = int(seconds)
    return whole if whole == seconds else seconds


def read_timestamp(text: str) -> float:
    """Any of the three formats, as text."""
    try:
        if text[:1].isdigit() and "-" in text[1:]:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return instant(moment.timestamp())
        if "," in text:
            return instant(_http_date(text))
        seconds = float(text)
        if not math.isfinite(seconds):
            raise ValueError(text)
        return instant(seconds)
    except (ValueError, TypeError, OverflowError, IndexError):
        raise Malformed(f"Invalid timestamp: {text[:100]!r}") from None


def _http_date(text: str) -> float:
    whole, dot, rest = text.partition(".")
    fraction, _, zone = rest.partition(" ")
    moment = parsedate_to_datetime(f"{whole} {zone}" if dot else text)
    return moment.timestamp() + (float(f"0.{fraction}") if dot else 0.0)


def write_iso8601(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    if moment.microsecond >= 1000:
        return f"{moment.isoformat(timespec='milliseconds')[:23]}Z"
    return f"{moment.isoformat()[:19]}Z"


@lru_cache(maxsize=1024)
def write_http_date(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[moment.month * 3 - 3 : moment.month * 3]
    return f"{day}, {moment.day:02d} {month} {moment.year:04d} {moment:%H:%M:%S} GMT"


ISO8601_MILLISECONDS = "iso8601-milliseconds"


def write_timestamp(seconds: float, form: str) -> str:
    """A timestamp as text: iso8601, rfc822, unixTimestamp, or iso8601 with milliseconds that are none."""
    if form == "iso8601":
        return write_iso8601(seconds)
    if form == ISO8601_MILLISECONDS:
        return f"{write_iso8601(int(seconds))[:-1]}.000Z"
    if form == "rfc822":
        return write_http_date(seconds)
    return str(instant(seconds))


def read_blob(text: Any) -> bytes:
    if not isinstance(text, str):
        raise Malformed("A blob is not base64 text")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("Invalid base64 encoding") from None


def write_blob(data: Any) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def read_integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Malformed(f"{text[:100]!r} is not an integer") from None


def read_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Malformed(f"{text[:100]!r} is not a number") from None


def read_boolean(text: str) -> bool:
    lower = text.lower()
    if lower not in ("true", "false"):
        raise Malformed(f"{text[:100]!r} is neither true nor false")
    return lower == "true"


def write_float(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return str(number)


def text_reader(kind: str) -> Reader:
    """How a scalar is read from text (forms, XML, headers, labels)."""
    return {
        "integer": read_integer,
        "long": read_integer,
        "float": read_float,
        "double": read_float,
        "boolean": read_boolean,
        "timestamp": read_timestamp,
        "blob": read_blob,
    }.get(kind, str)


def text_writer(kind: str, form: str) -> Writer:
    """How a scalar is written as text; `form` is a timestamp's."""
    if kind == "boolean":
        return lambda value: "true" if value else "false"
    if kind in ("float", "double"):
        return write_float
    if kind == "timestamp":
        return lambda value: write_timestamp(value, form)
    return write_blob if kind == "blob" else str


def lazily(make: Callable[[], Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """A function that is made at its first call: for shapes that contain themselves."""
    made: list[Callable[[Any], Any]] = []

    def call(value: Any) -> Any:
        if not made:
            made.append(make())
        return made[0](value)

    return call
