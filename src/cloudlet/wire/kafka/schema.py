"""Kafka's message schemas: the table, and how it is read.

State   none
Source  Apache Kafka 4.3, message definitions (names, types, versions, tags, defaults), written by
        tools/kafka_schemas.py
Absent  the messages between brokers and controllers of KRaft, those by which brokers keep the state of share
        groups with each other, and those of Streams groups (KIP-1071)

The notation, a message after the other with an empty line between them:

    request 0 ProduceRequest 3-13 flexible 9+        kind, API key, name, versions, versions that are flexible
      TransactionalId string 3+ null 3+ = null       name, type, versions, versions that may be null, default
      TopicData []TopicProduceData 0+                an array of structures, whose fields follow, indented
        Name string 0-12
      NodeEndpoints []NodeEndpoint 10+ tag 0 10+     a tagged field: its tag, and the versions that tag it
      ClientId string 1+ flexible none               a field that is not compact although its message is

A default that is not written is the type's zero: 0, false, the empty text, no bytes, an empty array, a
structure of defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

EVER = 32_767


class Versions(NamedTuple):
    """A range of versions, both ends in it; an empty one has no version."""

    first: int
    last: int

    def __contains__(self, version: object) -> bool:
        return isinstance(version, int) and self.first <= version <= self.last

    def __bool__(self) -> bool:
        return self.first <= self.last


NEVER = Versions(1, 0)


class Field(NamedTuple):
    """One field of a message or a structure."""

    name: str
    type: str  # a primitive's name, or that of a structure
    is_array: bool
    versions: Versions
    nullable: Versions
    tag: int | None
    tagged: Versions
    compact: Versions | None  # where it is flexible; None: where its message is
    default: str | None
    fields: tuple[Field, ...]  # of a structure


class Schema(NamedTuple):
    """One message."""

    kind: str  # request, response, header, data, …
    key: int | None
    name: str
    versions: Versions
    flexible: Versions
    fields: tuple[Field, ...]


FILES = ("apis.txt", "records.txt")


def versions_of(text: str) -> Versions:
    """`3`, `3-13`, `9+`, `none`."""
    if text == "none":
        return NEVER
    if text.endswith("+"):
        return Versions(int(text[:-1]), EVER)
    first, _, last = text.partition("-")
    return Versions(int(first), int(last or first))


@cache
def texts() -> Mapping[str, str]:
    """Name of a message -> its lines; nothing of them is read yet."""
    found: dict[str, str] = {}
    for name in FILES:
        for part in (Path(__file__).parent / "schemas" / name).read_text(encoding="utf-8").split("\n\n"):
            head = part.split(None, 3)
            found[head[2] if head[0] in ("request", "response") else head[1]] = part
    return found


@cache
def schema_of(name: str) -> Schema:
    """The schema of a message; KeyError for a name that is none."""
    first, *lines = texts()[name].splitlines()
    words = first.split()
    key = int(words.pop(1)) if words[0] in ("request", "response") else None
    kind, name, versions, _, flexible = words
    rows = [(len(line) - len(line.lstrip()), line.split()) for line in lines if line.strip()]
    return Schema(kind, key, name, versions_of(versions), versions_of(flexible), tuple(_fields(rows)))


Row = tuple[int, list[str]]


def _fields(rows: list[Row]) -> Iterator[Field]:
    """The fields at the indentation of the first row."""
    at = 0
    while at < len(rows):
        indent, words = rows[at]
        stop = at + 1
        while stop < len(rows) and rows[stop][0] > indent:
            stop += 1
        yield _field(words, tuple(_fields(rows[at + 1 : stop])))
        at = stop


def _field(words: list[str], inner: tuple[Field, ...]) -> Field:
    name, kind, versions, *rest = words
    nullable, tag, tagged, compact, default = NEVER, None, NEVER, None, None
    while rest:
        word = rest.pop(0)
        if word == "null":
            nullable = versions_of(rest.pop(0))
        elif word == "tag":
            tag, tagged = int(rest.pop(0)), versions_of(rest.pop(0))
        elif word == "flexible":
            compact = versions_of(rest.pop(0))
        elif word == "=":
            default = rest.pop(0)
        else:
            raise ValueError(f"{name}: {word}")
    plain = kind.removeprefix("[]")
    return Field(
        name,
        plain,
        kind.startswith("[]"),
        versions_of(versions),
        nullable,
        tag,
        tagged,
        compact,
        default,
        inner,
    )
