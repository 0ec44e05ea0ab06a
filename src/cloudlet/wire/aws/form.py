"""The query protocols: parameters as a form of dotted names, for AWS query and for EC2.

State   none
Source  Smithy "AWS query protocol", "AWS EC2 query protocol"
Absent  none

A form is first folded into a tree by the dots of its names, so reading costs what was sent, not what the
model has:

    Attribute.1.Name=a&Attribute.1.Value=b  ->  {"Attribute": {"1": {"Name": "a", "Value": "b"}}}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudlet.kernel.fault import Fault
from cloudlet.wire.aws.percent import pairs, value_of
from cloudlet.wire.aws.shapes import Member, Shape
from cloudlet.wire.aws.values import DEPTH_MAX, Malformed, Reader, Types, lazily, text_reader

FIELDS_MAX = 100_000
FLAT_FIELDS_MAX = 100
PROTOCOLS_OWN = frozenset({"Action", "Version"})
Tree = dict[str, Any]


def fields(form: bytes) -> list[tuple[str, str]]:
    """The (name, value) pairs of a form, decoded."""
    if form.count(b"&") >= FIELDS_MAX:
        raise Malformed("The form has too many fields")
    try:
        return pairs(form)
    except UnicodeDecodeError:
        raise Malformed("The form is not UTF-8") from None


def tree(given: list[tuple[str, str]]) -> Tree:
    """The pairs folded by their dots; a name that is both a value and a prefix is a value under ""."""
    root: Tree = {}
    for name, value in given:
        if "." not in name:
            known = root.get(name)
            if type(known) is dict:
                known[""] = value
            else:
                root[name] = value
            continue
        parts = name.split(".", DEPTH_MAX)
        node = root
        for part in parts[:-1]:
            inner = node.get(part)
            if type(inner) is not dict:
                inner = node[part] = {} if inner is None else {"": inner}
            node = inner
        known = node.get(parts[-1])
        if type(known) is dict:
            known[""] = value
        else:
            node[parts[-1]] = value
    return root


class FormReaders:
    """Compiles readers of trees."""

    def __init__(self, types: Types, *, is_ec2: bool) -> None:
        self._types = types
        self._is_ec2 = is_ec2
        self._made: dict[str, Reader] = {}

    def reader(self, member: Member) -> Reader:
        """A node of the tree -> value; lists and maps depend on how the member is used."""
        shape = member.shape
        if shape.type == "list":
            return self._list(member)
        if shape.type == "map":
            return self._map(member)
        if shape.type == "structure":
            return self.structure(shape)
        return _scalar(shape.type)

    def structure(self, shape: Shape) -> Reader:
        """A node -> struct."""
        made = self._made.get(shape.name)
        if made is not None:
            return made
        self._made[shape.name] = lazily(lambda: self._made[shape.name])
        struct = self._types.struct(shape)
        readers = {
            name: (member.name, self.reader(member))
            for member in shape.members.values()
            for name in self._names(member)
        }

        def read(node: Any) -> Any:
            if type(node) is not dict:
                raise Malformed(f"{shape.name} is a structure, not a value")
            found: dict[str, Any] = {}
            for name, value in node.items():
                known = readers.get(name)
                if known is not None:
                    found[known[0]] = known[1](value)
            return struct(**found)

        self._made[shape.name] = read
        return read

    def flat(self, shape: Shape) -> Callable[[bytes], Any]:
        """A reader of whole forms without a dot in any name, as most are: it needs no tree. A form -> struct,
        or None for one that needs it."""
        struct = self._types.struct(shape)
        scalars = {
            name: (member.name, text_reader(member.shape.type))
            for member in shape.members.values()
            if member.shape.type not in ("list", "map", "structure")
            for name in self._names(member)
        }

        def read(body: bytes) -> Any:
            if body.count(b"&") >= FLAT_FIELDS_MAX:
                return None
            try:
                text = body.decode()
            except UnicodeDecodeError:
                return None
            found: dict[str, Any] = {}
            for pair in text.split("&"):
                name, _, raw = pair.partition("=")
                known = scalars.get(name)
                if known is not None and known[0] not in found:
                    try:
                        found[known[0]] = known[1](value_of(raw))
                    except (UnicodeDecodeError, Fault):
                        return None  # the name may come again; the long way words what is wrong
                elif name not in PROTOCOLS_OWN:
                    return None
            return struct(**found)

        return read

    def _names(self, member: Member) -> tuple[str, ...]:
        """The names that clients may send: botocore and the protocol's text differ on some."""
        if self._is_ec2:
            named = member.query_name or member.location_name or member.name
            return (member.query_name or named[:1].upper() + named[1:], member.name)
        inner = member.shape.member.location_name if self._is_flat_list(member) else None
        return (inner, member.wire_name) if inner else (member.wire_name,)

    def _is_flat_list(self, member: Member) -> bool:
        return member.shape.type == "list" and (self._is_ec2 or member.flattened)

    def _list(self, member: Member) -> Reader:
        item = self.reader(member.shape.member)
        inside = None if self._is_flat_list(member) else member.shape.member.location_name or "member"

        def read(node: Any) -> list[Any]:
            if inside is not None and type(node) is dict:
                node = node.get(inside, node if _is_numbered(node) else {})
            if type(node) is not dict:
                return [] if node == "" else [item(node)]
            return [item(value) for value in _in_order(node)]

        return read

    def _map(self, member: Member) -> Reader:
        shape = member.shape
        key_name = shape.key.location_name or "key"
        value_name = shape.value.location_name or "value"
        key, value = self.reader(shape.key), self.reader(shape.value)
        is_flat = member.flattened

        def read(node: Any) -> dict[str, Any]:
            if not is_flat and type(node) is dict:
                node = node.get("entry", {})
            if type(node) is not dict:
                return {}
            found: dict[str, Any] = {}
            for entry in _in_order(node):
                if type(entry) is not dict or key_name not in entry:
                    raise Malformed(f"An entry of {member.name} has no {key_name}")
                found[key(entry[key_name])] = value(entry.get(value_name, ""))
            return found

        return read


def _scalar(kind: str) -> Reader:
    read_text = text_reader(kind)

    def read(node: Any) -> Any:
        if type(node) is dict:
            node = node.get("")
            if node is None:
                raise Malformed("A value is needed where a structure was given")
        return read_text(node)

    return read


def _is_numbered(node: Tree) -> bool:
    return all(name.isdecimal() for name in node if name)


def _in_order(node: Tree) -> list[Any]:
    """The values under 1, 2, 3 …, in that order, gaps allowed."""
    numbered: list[tuple[int, Any]] = []
    for name, value in node.items():
        if name:
            if not (name.isascii() and name.isdecimal()) or len(name) > 9:
                raise Malformed(f"{name[:100]!r} is not a position in a list")
            numbered.append((int(name), value))
    numbered.sort(key=lambda pair: pair[0])
    return [value for _, value in numbered]
