"""Protocol Buffers schemas as compact tables: what a message holds, what a service offers.

State   none: a schema is read once and never changes
Source  protobuf.dev, "Language Guide (proto 3)" and "Field Presence"
Absent  maps, groups, extensions, default values, the fixed-width, zigzag and floating-point types: none of
        the tables needs them, and a table that asks for one is refused when it is read

The tables are text, one fact a line:

    file PATH PACKAGE
    service NAME
      METHOD [stream ]REQUEST [stream ]REPLY [GATEWAY-PATH …]
    enum NAME VALUE VALUE …                         numbered from 0; inside a message, indented
    message NAME
      NUMBER NAME [repeated ]TYPE [in ONEOF]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import cast

import msgspec

VARINTS = frozenset({"int32", "int64", "uint32", "uint64", "bool"})
SCALARS = VARINTS | {"string", "bytes"}
ZEROES: Mapping[str, object] = {"bool": False, "string": "", "bytes": b""}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message. `kind` is a scalar's name, "enum" or "message"; `type` names the enum or
    message, else equals `kind`."""

    number: int
    name: str
    kind: str
    type: str
    is_repeated: bool = False
    oneof: str = ""

    @property
    def wire_type(self) -> int:
        """How one value, or a packed run of them, is laid out."""
        return 0 if self.kind in VARINTS or self.kind == "enum" else 2

    @property
    def may_lack(self) -> bool:
        """Whether it is None when absent, so that a zero is told from nothing."""
        return not self.is_repeated and (self.kind == "message" or bool(self.oneof))

    @property
    def json_name(self) -> str:
        """The lowerCamelCase name of the JSON mapping."""
        first, *rest = self.name.split("_")
        return first + "".join(part[:1].upper() + part[1:] for part in rest)


@dataclass(frozen=True, slots=True)
class Message:
    """A message's shape."""

    name: str
    file: str
    package: str
    fields: tuple[Field, ...]
    enums: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Method:
    """An RPC. `path` is what a call's `:path` says; `gateway` the paths of its JSON form."""

    service: str
    name: str
    request: str
    reply: str
    streams_request: bool
    streams_reply: bool
    gateway: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.name}"


@dataclass(frozen=True, slots=True)
class File:
    """What one file declares, by name, in order: what reflection tells."""

    path: str
    package: str
    messages: list[str]
    enums: list[str]
    services: list[str]


class Schema:
    """The tables of some files, read. `message` and `enum` make the Python classes at their first use."""

    def __init__(self, *texts: str) -> None:
        self.files: dict[str, File] = {}
        self.messages: dict[str, Message] = {}
        self.enums: dict[str, tuple[str, ...]] = {}
        self.methods: dict[str, Method] = {}  # by path
        self.codec: object = None  # what the classes made here are written and read with
        self._classes: dict[str, type[msgspec.Struct]] = {}
        self._enum_classes: dict[str, type[IntEnum]] = {}
        for text in texts:
            _Reader(self).read(text)
        for message in self.messages.values():
            for field in message.fields:
                known = field.kind in SCALARS or field.type in self.enums or field.type in self.messages
                assert known, f"{message.name}.{field.name} has the unknown type {field.type}"

    def message(self, name: str) -> type[msgspec.Struct]:
        """The class of a message: keyword arguments, zero values by default, comparable."""
        found = self._classes.get(name)
        if found is None:
            found = self._classes[name] = self._make(self.messages[name])
        return found

    def enum(self, name: str) -> type[IntEnum]:
        """The class of an enum; a message's own is named Message.Enum."""
        found = self._enum_classes.get(name)
        if found is None:
            values = {value: number for number, value in enumerate(self.enums[name])}
            made = cast(type[IntEnum], IntEnum(name.rpartition(".")[2], values))
            found = self._enum_classes[name] = made
        return found

    def _make(self, message: Message) -> type[msgspec.Struct]:
        rows = [(field.name, object, _default(field)) for field in message.fields]
        names = {enum: self.enum(f"{message.name}.{enum}") for enum in message.enums}
        made = msgspec.defstruct(
            message.name, rows, namespace={"__module__": message.package}, gc=False, kw_only=True
        )
        for name, enum in names.items():
            setattr(made, name, enum)
        made.codec_of = self.codec  # type: ignore[attr-defined]
        return made


def _default(field: Field) -> object:
    if field.is_repeated:
        return msgspec.field(default_factory=list)
    return None if field.may_lack else ZEROES.get(field.kind, 0)


class _Reader:
    """Reads the text of tables into a schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._file = File("", "", [], [], [])
        self._service = ""
        self._message: Message | None = None

    def read(self, text: str) -> None:
        rows: list[tuple[Message, list[str]]] = []
        for line in text.splitlines():
            words = line.split()
            if not words:
                continue
            if line[0] != " ":
                self._open(words)
            elif words[0] == "enum":
                assert self._message is not None
                self._message.enums[words[1]] = tuple(words[2:])
                self._schema.enums[f"{self._message.name}.{words[1]}"] = tuple(words[2:])
            elif self._message is not None:
                rows.append((self._message, words))
            else:
                self._method(words)
        self._fields(rows)

    def _open(self, words: list[str]) -> None:
        kind, name, *rest = words
        file = self._file
        self._message = None
        if kind == "file":
            self._file = self._schema.files[name] = File(name, rest[0], [], [], [])
        elif kind == "service":
            self._service = f"{file.package}.{name}"
            file.services.append(self._service)
        elif kind == "enum":
            file.enums.append(name)
            self._schema.enums[name] = tuple(rest)
        else:
            assert kind == "message", kind
            file.messages.append(name)
            self._message = Message(name, file.path, file.package, (), {})
            self._schema.messages[name] = self._message

    def _method(self, words: list[str]) -> None:
        name, *rest = words
        streams_request = rest[0] == "stream"
        if streams_request:
            del rest[0]
        streams_reply = rest[1] == "stream"
        if streams_reply:
            del rest[1]
        request, reply, *gateway = rest
        method = Method(self._service, name, request, reply, streams_request, streams_reply, tuple(gateway))
        self._schema.methods[method.path] = method

    def _fields(self, rows: list[tuple[Message, list[str]]]) -> None:
        fields: dict[str, list[Field]] = {}
        for message, words in rows:
            fields.setdefault(message.name, []).append(self._field(message.name, words))
        for name, found in fields.items():
            old = self._schema.messages[name]
            numbered = tuple(sorted(found, key=lambda field: field.number))
            self._schema.messages[name] = Message(old.name, old.file, old.package, numbered, old.enums)

    def _field(self, message: str, words: list[str]) -> Field:
        number, name, *rest = words
        is_repeated = rest[0] == "repeated"
        if is_repeated:
            del rest[0]
        type_name, *oneof = rest
        if f"{message}.{type_name}" in self._schema.enums:
            type_name = f"{message}.{type_name}"
        if type_name in SCALARS:
            kind = type_name
        else:
            kind = "enum" if type_name in self._schema.enums else "message"
        return Field(int(number), name, kind, type_name, is_repeated, oneof[1] if oneof else "")
