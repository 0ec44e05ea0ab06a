"""Message classes, made from their schemas at first use.

State   none
Source  Apache Kafka 4.3, message definitions; see schema.py
Absent  none

A message is a plain object with a slot for every field of every version, spelled as in the schema, made from
keywords; what is left out has its default. The classes of its structures hang on it by their names:
`ProduceRequest.TopicProduceData`; with an underscore behind it where the message has a field of that name. A
tagged structure is None where it holds its defaults.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar

from cloudlet.wire.kafka.compiler import NO_UUID, Compiler, Reader, Writer, default_source
from cloudlet.wire.kafka.schema import Field, Schema, schema_of
from cloudlet.wire.kafka.stepping import SlowReader, SlowWriter, SteppingCompiler

EMPTY: Any = object()
"""Stands for a fresh empty array in a signature."""


class Message:
    """The base of every message and structure; `SCHEMA` is that of the message."""

    __slots__ = ()
    SCHEMA: ClassVar[Schema]
    STRUCTURES: ClassVar[dict[str, type]]  # the message's own class and those of its structures, by name
    FIELDS: ClassVar[tuple[str, ...]]
    READERS: ClassVar[dict[int, Reader]]  # by version, once they are compiled
    WRITERS: ClassVar[dict[int, Writer]]
    STEPPERS: ClassVar[dict[int, tuple[SlowReader, SlowWriter] | None]]  # None: it has nothing long

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.FIELDS)

    def __hash__(self) -> int:
        raise TypeError(f"a {type(self).__name__} may change, so it has no hash")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.FIELDS)
        return f"{type(self).__name__}({shown})"


@cache
def class_of(name: str) -> type[Message]:
    """The class of a message; KeyError for a name that is none."""
    schema = schema_of(name)
    structures: dict[str, type] = {}
    for inner in _structures(schema.fields):
        if inner.type not in structures:
            structures[inner.type] = _make(inner.type, inner.fields, schema, structures)
    made = _make(name, schema.fields, schema, structures)
    for kind, structure in structures.items():
        setattr(made, attribute_of(kind, made.FIELDS), structure)
    structures[name] = made
    return made


def attribute_of(structure: str, names: tuple[str, ...]) -> str:
    """Where the class of a structure hangs on its message, which may have a field of that very name."""
    return f"{structure}_" if structure in names else structure


def _structures(fields: tuple[Field, ...]) -> Iterator[Field]:
    """Every field that is a structure, the inner ones first."""
    for field in fields:
        if field.fields:
            yield from _structures(field.fields)
            yield field


def _make(name: str, fields: tuple[Field, ...], schema: Schema, structures: dict[str, type]) -> type[Message]:
    names = tuple(field.name for field in fields)
    members: dict[str, Any] = {
        "__slots__": names,
        "FIELDS": names,
        "SCHEMA": schema,
        "READERS": {},
        "WRITERS": {},
        "STEPPERS": {},
    }
    made = type(name, (Message,), {**members, "STRUCTURES": structures, "__module__": __name__})
    if fields:
        made.__init__ = _initialiser(fields, structures)  # type: ignore[misc]
    return made


def _initialiser(fields: tuple[Field, ...], structures: dict[str, type]) -> Any:
    signature, body = [], []
    for field in fields:
        default = default_source(field)
        fresh = "[]" if default == "[]" else default if default.startswith("class_") else None
        signature.append(f"{field.name}={'EMPTY' if fresh else default}")
        value = f"{fresh} if {field.name} is EMPTY else {field.name}" if fresh else field.name
        body.append(f"    self.{field.name} = {value}")
    source = f"def __init__(self, *, {', '.join(signature)}):\n" + "\n".join(body)
    names: dict[str, Any] = {"EMPTY": EMPTY, "NO_UUID": NO_UUID}
    names |= {f"class_{key}": value for key, value in structures.items()}
    exec(compile(source, f"<{fields[0].name} …>", "exec"), names)
    return names["__init__"]


def reader_of(message: type[Message], version: int) -> Reader:
    """What reads a message in one version of it; ValueError for one that it does not have."""
    found = message.READERS.get(version)
    if found is None:
        found = message.READERS[version] = _compiler(message, version).reader()
    return found


def writer_of(message: type[Message], version: int) -> Writer:
    """What writes it."""
    found = message.WRITERS.get(version)
    if found is None:
        found = message.WRITERS[version] = _compiler(message, version).writer()
    return found


def steppers_of(message: type[Message], version: int) -> tuple[SlowReader, SlowWriter] | None:
    """What reads and writes it in steps; None where it has no arrays that could be long."""
    try:
        return message.STEPPERS[version]
    except KeyError:
        schema = message.SCHEMA
        reading, writing = (SteppingCompiler(schema, version, message.STRUCTURES) for _ in range(2))
        found: Any = None
        if reading.has_steps(schema.fields):
            found = reading.reader(), writing.writer()
        message.STEPPERS[version] = found
        return found


def _compiler(message: type[Message], version: int) -> Compiler:
    schema = message.SCHEMA
    if version not in schema.versions:
        raise ValueError(f"{schema.name} has no version {version}")
    return Compiler(schema, version, message.STRUCTURES)
