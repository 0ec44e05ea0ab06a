"""HTTP bindings: members in the path, the query string, the headers and the status of a REST request or
reply.

State   none
Source  Smithy "HTTP binding traits", "AWS restJson1 protocol", "AWS restXml protocol"
Absent  none
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from cloudlet.wire.aws.percent import pairs
from cloudlet.wire.aws.shapes import Member, Shape
from cloudlet.wire.aws.values import (
    Malformed,
    read_blob,
    text_reader,
    text_writer,
    write_blob,
)
from cloudlet.wire.http1 import Head

Found = dict[str, Any]
RequestReader = Callable[[Head, Mapping[str, str], Found], None]
Headers = list[tuple[bytes, bytes]]

DEFAULT_FORMS = {"header": "rfc822", "querystring": "iso8601", "uri": "iso8601"}


def arguments(query: bytes) -> dict[str, list[str]]:
    """The query string's arguments, decoded, in order of appearance."""
    found: dict[str, list[str]] = {}
    try:
        for name, value in pairs(query):
            found.setdefault(name, []).append(value)
    except UnicodeDecodeError:
        raise Malformed("The query string is not UTF-8") from None
    return found


class RequestBindings:
    """Reads what a request carries outside of its body into {member: value}."""

    def __init__(self, shape: Shape | None) -> None:
        members = list(shape.members.values()) if shape else []
        self._labels = [
            (m.wire_name, m.name, text_reader(m.shape.type)) for m in members if m.location == "uri"
        ]
        self._query = [m for m in members if m.location == "querystring"]
        self._query_readers = {m.name: _query_reader(m) for m in self._query if m.shape.type != "map"}
        self._headers: dict[bytes, list[tuple[str, Callable[[str], Any]]]] = {}
        for m in members:
            if m.location == "header":
                bound = self._headers.setdefault(m.wire_name.lower().encode(), [])
                bound.append((m.name, _header_reader(m)))
        self._maps = [(m.wire_name.lower().encode(), m.name) for m in members if m.location == "headers"]

    def read(self, head: Head, labels: Mapping[str, str], found: Found) -> None:
        for wire_name, name, read in self._labels:
            if wire_name in labels:
                found[name] = read(labels[wire_name])
        if head.query and self._query:
            self._read_query(arguments(head.query), found)
        headers, bindings = head.headers, self._headers
        for key in headers.keys() & bindings.keys():
            text = text_of(headers[key])
            for name, read_header in bindings[key]:
                found[name] = read_header(text)
        for prefix, name in self._maps:
            if prefix in b"\n".join(headers):  # else none begins with it, as is usual
                self._read_prefixed(prefix, name, headers, found)

    def _read_prefixed(self, prefix: bytes, name: str, headers: Mapping[bytes, bytes], found: Found) -> None:
        """The member that takes all headers of a prefix."""
        several = {
            key[len(prefix) :].decode("latin-1"): text_of(raw)
            for key, raw in headers.items()
            if key.startswith(prefix) and len(key) > len(prefix)
        }
        if several:
            found[name] = several

    def _read_query(self, given: dict[str, list[str]], found: Found) -> None:
        for member in self._query:
            if member.shape.type == "map":
                # A server gives this map every argument, also those that other members are bound to.
                if given:
                    is_list = member.shape.value.shape.type == "list"
                    found[member.name] = (
                        given if is_list else {name: values[0] for name, values in given.items()}
                    )
            elif member.wire_name in given:
                found[member.name] = self._query_readers[member.name](given[member.wire_name])


def text_of(raw: bytes) -> str:
    """A header's value: UTF-8 where it is, else Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _query_reader(member: Member) -> Callable[[list[str]], Any]:
    if member.shape.type == "list":
        read_item = text_reader(member.shape.member.shape.type)
        return lambda values: [read_item(value) for value in values]
    read_one = text_reader(member.shape.type)
    return lambda values: read_one(values[0])


def _header_reader(member: Member) -> Callable[[str], Any]:
    if member.jsonvalue:
        return lambda text: _json(read_blob(text))
    if member.shape.type == "list":
        return _header_list_reader(member.shape.member.shape)
    return text_reader(member.shape.type)


def _json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except ValueError:
        raise Malformed("A header does not hold JSON") from None


def _header_list_reader(item: Shape) -> Callable[[str], list[Any]]:
    read_item = text_reader(item.type)
    if item.type == "timestamp":
        return lambda text: [read_item(part) for part in _dates(text)]
    return lambda text: [read_item(part) for part in split_list(text)]


def _dates(text: str) -> list[str]:
    """HTTP dates hold a comma each."""
    parts = [part.strip() for part in text.split(",")]
    if any(part[:1].isdigit() and "-" in part for part in parts):
        return parts
    return [f"{day}, {rest}" for day, rest in zip(parts[::2], parts[1::2], strict=False)]


def split_list(text: str) -> list[str]:
    """The items of a header's list; one in double quotes may hold commas."""
    if not text.strip():
        return []
    if '"' not in text:
        return [part.strip() for part in text.split(",")]
    items: list[str] = []
    position = 0
    while position < len(text):
        while text[position : position + 1] in (" ", "\t"):
            position += 1
        if text[position : position + 1] == '"':
            item, position = _quoted(text, position + 1)
            position = text.find(",", position) % (len(text) + 1)
        else:
            comma = text.find(",", position) % (len(text) + 1)
            item, position = text[position:comma].strip(), comma
        items.append(item)
        position += 1
    return items


def _quoted(text: str, position: int) -> tuple[str, int]:
    out: list[str] = []
    while position < len(text) and text[position] != '"':
        if text[position] == "\\":
            position += 1
        out.append(text[position : position + 1])
        position += 1
    return "".join(out), position + 1


class ReplyBindings:
    """Writes what a reply carries outside of its body."""

    def __init__(self, shape: Shape | None) -> None:
        members = list(shape.members.values()) if shape else []
        self._headers = {
            m.name: (m.wire_name.lower().encode(), _header_writer(m))
            for m in members
            if m.location == "header" and m.wire_name.lower() != "content-length"  # the server's own
        }
        self._prefixes = [(m.name, m.wire_name.lower()) for m in members if m.location == "headers"]
        self._status = next((m.name for m in members if m.location == "statusCode"), None)

    def write(self, result: Mapping[str, Any], headers: Headers) -> int | None:
        """Append the headers; the status where the result has one."""
        bindings = self._headers
        for name, value in result.items():
            bound = bindings.get(name)
            if bound is not None and (value or (value is not None and value != [])):
                wire_name, write_one = bound
                headers.append((wire_name, write_one(value).encode()))
        for name, prefix in self._prefixes:
            for key, value in (result.get(name) or {}).items():
                headers.append((f"{prefix}{key.lower()}".encode(), str(value).encode()))
        return result.get(self._status) if self._status else None


def _header_writer(member: Member) -> Callable[[Any], str]:
    if member.jsonvalue:
        return lambda value: base64.b64encode(orjson.dumps(value)).decode()
    form = member.timestamp_format or DEFAULT_FORMS["header"]
    if member.shape.type == "list":
        inner = member.shape.member
        write_item = text_writer(inner.shape.type, inner.timestamp_format or DEFAULT_FORMS["header"])
        quotes = inner.shape.type == "string"
        return lambda value: ", ".join(
            quote(write_item(each)) if quotes else write_item(each) for each in value
        )
    return write_blob if member.shape.type == "blob" else text_writer(member.shape.type, form)


def quote(text: str) -> str:
    """An item of a header's list, quoted where it holds a comma or a quote."""
    if "," not in text and '"' not in text:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
