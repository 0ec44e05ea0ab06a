"""The name in a certificate, as Java spells it: X500Principal.getName().

State   none
Source  RFC 2253; X.690 (DER), RFC 5280 4.1 (where a certificate has its subject); OpenJDK, X500Principal
Absent  none

The last part comes first. A part whose kind has no short name there, or whose value is no text, is told by
its numbers: 1.2.840.113549.1.9.1=#1605612e622e63.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cloudlet.kernel.fault import ProtocolError

SHORT = {
    "2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O",
    "2.5.4.11": "OU", "0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
}  # fmt: skip
TEXTS = frozenset({12, 19, 20, 22, 27, 28, 30})  # each of which Java reads as if it were UTF-8
ESCAPED = frozenset(',=+<>#;"\\')
VERSION = 0xA0  # what only certificates of version 1 have not


class Element(NamedTuple):
    """A value: its tag, its contents, and all of its bytes."""

    tag: int
    contents: bytes
    raw: bytes


def elements(data: bytes) -> Iterator[Element]:
    """The values that lie one behind the other. ProtocolError."""
    at = 0
    while at < len(data):
        start = at
        try:
            tag, size = data[at], data[at + 1]
        except IndexError:
            raise ProtocolError("DER that ends within a length") from None
        at += 2
        if size & 0x80:
            width = size & 0x7F
            size = int.from_bytes(data[at : at + width], "big")
            at += width
        if at + size > len(data):
            raise ProtocolError("DER that ends within a value")
        yield Element(tag, data[at : at + size], data[start : at + size])
        at += size


def subject(certificate: bytes) -> str:
    """The subject of a certificate in DER; "" for an empty one. ProtocolError."""
    try:
        signed = list(elements(next(elements(certificate)).contents))
        fields = list(elements(signed[0].contents))
        name = fields[5 if fields[0].tag == VERSION else 4]
        parts = [_part(relative.contents) for relative in elements(name.contents)]
    except (IndexError, StopIteration, ValueError) as error:
        raise ProtocolError(f"no certificate: {error}") from None
    return ",".join(reversed(parts))


def _part(pairs: bytes) -> str:
    found = []
    for pair in elements(pairs):
        kind, value = elements(pair.contents)
        number = _number(kind.contents)
        short = SHORT.get(number)
        if short is None or value.tag not in TEXTS:
            found.append(f"{short or number}=#{value.raw.hex()}")
        else:
            found.append(f"{short}={_escaped(value.contents.decode('utf-8', 'replace'))}")
    return "+".join(found)


def _number(data: bytes) -> str:
    numbers, rest = [], 0
    for byte in data:
        rest = rest << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(rest)
            rest = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))


def _escaped(text: str) -> str:
    inner = text.strip(" \r")
    before = len(text) - len(text.lstrip(" \r")) if inner else 0
    behind = len(text) - before - len(inner)
    said = [f"\\{c}" if c in ESCAPED else "\\00" if c == "\0" else c for c in inner]
    outer = [f"\\{c}" for c in text[:before]], [f"\\{c}" for c in text[len(text) - behind :]]
    return "".join([*outer[0], *said, *outer[1]])
