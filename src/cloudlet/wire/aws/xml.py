"""XML as the AWS protocols use it: bodies of rest-xml, replies of query and EC2.

State   none
Source  Smithy "XML binding traits", "AWS restXml protocol", "AWS query protocol", "AWS EC2 query protocol"
Absent  document type declarations: refused, so no entity is ever expanded
"""

from __future__ import annotations

import re
from typing import Any
from xml.parsers import expat

from cloudlet.kernel.fault import Fault
from cloudlet.wire.aws.shapes import Member, Shape
from cloudlet.wire.aws.values import DEPTH_MAX, Reader, Types, Writer, lazily, text_reader, text_writer

MalformedXML = Fault(
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema",
)

ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;"}
UNSAFE_TEXT = re.compile(r"[&<>\r]")
# What stays as it is between tags, of ASCII: to delete these takes less time than to look for others.
PLAIN = b"\t\n" + bytes(set(range(0x20, 0x7F)) - set(b"&<>"))
UNSAFE_ATTRIBUTE = re.compile(r'[&<>"\r\n]')
# Characters that XML 1.0 has no spelling for; a reply that holds one is written without it.
IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


ELSEWHERE = ("header", "headers", "statusCode")  # places of a reply's members outside of its body


class Element:
    """An element: local name, attributes, children, text."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element] = []
        self.text = ""


def parse(body: bytes) -> Element:
    """The root element; MalformedXML for what is not XML, has a DTD or is nested too deeply."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    stack: list[Element] = [Element("", {})]
    texts: list[list[str]] = [[]]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > DEPTH_MAX:
            raise MalformedXML
        found = Element(name.rpartition(":")[2], attributes)
        stack[-1].children.append(found)
        stack.append(found)
        texts.append([])

    def end(_: str) -> None:
        stack.pop().text = "".join(texts.pop())

    def collect(text: str) -> None:
        texts[-1].append(text)

    def refuse(*_: object) -> None:
        raise MalformedXML

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = collect
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)  # noqa: FBT003 - expat's own signature
    except (expat.ExpatError, ValueError):
        raise MalformedXML from None
    return stack[0].children[0]


class XmlReaders:
    """Compiles readers: an element -> value."""

    def __init__(self, types: Types) -> None:
        self._types = types
        self._made: dict[str, Reader] = {}

    def structure(self, shape: Shape) -> Reader:
        """An element -> struct."""
        made = self._made.get(shape.name)
        if made is not None:
            return made
        self._made[shape.name] = lazily(lambda: self._made[shape.name])
        struct = self._types.struct(shape)
        read_members = self.members([m for m in shape.members.values() if m.location is None])
        self._made[shape.name] = lambda element: struct(**read_members(element))
        return self._made[shape.name]

    def members(self, members: list[Member]) -> Reader:
        """An element -> {member: value}."""
        attributes = [(m.wire_name, m.name, self.reader(m)) for m in members if m.xml_attribute]
        named = self._named([m for m in members if not m.xml_attribute])
        readers = {name: (m.name, self.reader(m)) for name, m in named.items()}
        flat = {name for name, m in named.items() if m.shape.type in ("list", "map") and m.flattened}

        def read(element: Element) -> dict[str, Any]:
            found: dict[str, Any] = {}
            several: dict[str, list[Element]] = {}
            for child in element.children:
                known = readers.get(child.name)
                if known is None:
                    continue
                if child.name in flat:
                    several.setdefault(child.name, []).append(child)
                else:
                    found[known[0]] = known[1](child)
            for name, children in several.items():
                member, read_all = readers[name]
                found[member] = read_all(children)
            for wire_name, member, read_one in attributes:
                text = element.attributes.get(wire_name)
                if text is not None:
                    attribute = Element(wire_name, {})
                    attribute.text = text
                    found[member] = read_one(attribute)
            return found

        return read

    @staticmethod
    def _named(members: list[Member]) -> dict[str, Member]:
        """The members by the names that clients may send: their own, or those of a flattened list's items."""
        found: dict[str, Member] = {}
        for member in members:
            inner = member.shape.member.location_name if member.shape.type == "list" else None
            if inner and member.flattened and member.location_name is None:
                found[inner] = member
        return {**found, **{member.wire_name.rpartition(":")[2]: member for member in members}}

    def reader(self, member: Member) -> Reader:
        """An element (the elements, of a flattened list or map) -> value."""
        shape = member.shape
        if shape.type == "structure":
            return self.structure(shape)
        if shape.type == "list":
            item = self.reader(shape.member)
            if member.flattened:
                return lambda elements: [item(each) for each in elements]
            return lambda element: [item(each) for each in element.children]
        if shape.type == "map":
            return self._map(member)
        read_text = text_reader(shape.type)
        return lambda element: read_text(element.text)

    def _map(self, member: Member) -> Reader:
        shape = member.shape
        key_name = shape.key.location_name or "key"
        value_name = shape.value.location_name or "value"
        key, value = self.reader(shape.key), self.reader(shape.value)

        def entries(elements: list[Element]) -> dict[str, Any]:
            found: dict[str, Any] = {}
            for entry in elements:
                parts = {child.name: child for child in entry.children}
                if key_name in parts and value_name in parts:
                    found[key(parts[key_name])] = value(parts[value_name])
            return found

        return entries if member.flattened else lambda element: entries(element.children)


def escape(text: str) -> str:
    """Text between tags."""
    if text.isascii() and not text.encode().translate(None, PLAIN):  # nearly always
        return text
    if not text.isprintable():
        text = IMPOSSIBLE.sub("", text)
    return UNSAFE_TEXT.sub(lambda found: ESCAPES[found[0]], text)


def escape_attribute(text: str) -> str:
    """Text between double quotes."""
    return UNSAFE_ATTRIBUTE.sub(lambda found: ESCAPES[found[0]], IMPOSSIBLE.sub("", text))


def namespace_of(raw: Any) -> str:
    """The attribute that declares a namespace, with a space before it."""
    if not raw:
        return ""
    if isinstance(raw, str):
        raw = {"uri": raw}
    prefix = f":{raw['prefix']}" if raw.get("prefix") else ""
    return f' xmlns{prefix}="{escape_attribute(raw["uri"])}"'


def _nothing(value: Any) -> str:
    """A member whose place is elsewhere."""
    return ""


class XmlWriters:
    """Compiles writers: a value -> the text inside its element."""

    def __init__(self, *, timestamp_form: str = "iso8601") -> None:
        self._form = timestamp_form
        self._made: dict[str, Writer] = {}

    def members(self, members: list[Member]) -> Writer:
        """{member: value} -> the elements of those members that the body carries."""
        writers = {
            member.name: _nothing
            if member.xml_attribute or member.location in ELSEWHERE
            else self.element(member)
            for member in members
        }

        def write(value: Any) -> str:
            try:
                return "".join([writers[name](each) for name, each in value.items() if each is not None])
            except KeyError as unknown:
                raise AssertionError(f"the model has no member {unknown}") from None

        return write

    def attributes(self, members: list[Member]) -> Writer:
        """{member: value} -> the attributes of those members."""
        found = [member for member in members if member.xml_attribute]

        def write(value: Any) -> str:
            return "".join(
                f' {member.wire_name}="{escape_attribute(str(value[member.name]))}"'
                for member in found
                if value.get(member.name) is not None
            )

        return write

    def element(self, member: Member, name: str | None = None) -> Writer:
        """A value -> its whole element, or elements."""
        shape = member.shape
        if shape.type in ("list", "map") and member.flattened:
            return self._flat(member)
        tag = name or member.wire_name
        opening = f"{tag}{namespace_of(member.xml_namespace)}"
        inside = self._inside(shape, member)
        if shape.type == "structure":
            attributes = self.attributes(list(shape.members.values()))
            return lambda value: f"<{opening}{attributes(value)}>{inside(value)}</{tag}>"
        before, after = f"<{opening}>", f"</{tag}>"
        if shape.type == "string":
            return lambda value: f"{before}{escape(value)}{after}"
        return lambda value: f"{before}{inside(value)}{after}"

    def _inside(self, shape: Shape, member: Member) -> Writer:
        if shape.type == "structure":
            return self.structure(shape)
        if shape.type == "list":
            item = self.element(shape.member, shape.member.location_name or "member")
            return lambda value: "".join([item(each) for each in value if each is not None])
        if shape.type == "map":
            entry = self._entry(member)
            return lambda value: "".join([f"<entry>{entry(pair)}</entry>" for pair in value.items()])
        if shape.type == "string":
            return escape
        return text_writer(shape.type, member.timestamp_format or self._form)

    def structure(self, shape: Shape) -> Writer:
        """A structure's members as elements."""
        made = self._made.get(shape.name)
        if made is None:
            self._made[shape.name] = lazily(lambda: self._made[shape.name])
            made = self._made[shape.name] = self.members(list(shape.members.values()))
        return made

    def _flat(self, member: Member) -> Writer:
        shape = member.shape
        if shape.type == "map":
            entry = self._entry(member)
            tag = member.wire_name
            opening = f"{tag}{namespace_of(member.xml_namespace)}"
            return lambda value: "".join([f"<{opening}>{entry(pair)}</{tag}>" for pair in value.items()])
        item = self.element(shape.member, member.location_name or shape.member.location_name or member.name)
        return lambda value: "".join([item(each) for each in value if each is not None])

    def _entry(self, member: Member) -> Writer:
        shape = member.shape
        key = self.element(shape.key, shape.key.location_name or "key")
        value = self.element(shape.value, shape.value.location_name or "value")
        return lambda pair: key(pair[0]) + ("" if pair[1] is None else value(pair[1]))
