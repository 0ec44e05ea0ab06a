"""Percent-encoding, read quickly: forms, query strings and labels are full of it.

State   none
Source  RFC 3986 section 2.1; HTML "application/x-www-form-urlencoded"
Absent  none
"""

from __future__ import annotations

from functools import lru_cache

REPEATED_MAX = 256  # characters of a value that is worth remembering

DIGITS = "0123456789ABCDEFabcdef"
OCTETS = {(high + low).encode(): bytes((int(high + low, 16),)) for high in DIGITS for low in DIGITS}
LETTERS = {pair.decode(): octet.decode() for pair, octet in OCTETS.items() if octet < b"\x80"}


def unquote(text: str) -> str:
    """The text with its escapes read; what is no escape stays. UnicodeDecodeError for what is not UTF-8."""
    if "%" not in text:
        return text
    first, *rest = text.split("%")
    try:
        return first + "".join([LETTERS[part[:2]] + part[2:] for part in rest])
    except KeyError:  # beyond ASCII, or not an escape
        return _unquote_octets(text.encode()).decode()


def _unquote_octets(raw: bytes) -> bytes:
    first, *rest = raw.split(b"%")
    parts = [first]
    for part in rest:
        octet = OCTETS.get(part[:2])
        parts += (octet, part[2:]) if octet is not None else (b"%", part)
    return b"".join(parts)


def unquote_plus(text: str) -> str:
    """The same, where a plus sign is a space."""
    if "+" in text:
        text = text.replace("+", " ")
    return unquote(text) if "%" in text else text


repeated = lru_cache(maxsize=4096)(unquote_plus)
"""The same with a memory, for what requests repeat: names, queue URLs, ARNs."""


def value_of(text: str) -> str:
    """A value of a form."""
    if "%" not in text and "+" not in text:
        return text
    return repeated(text) if len(text) <= REPEATED_MAX else unquote_plus(text)


def pairs(query: bytes) -> list[tuple[str, str]]:
    """The names and values of a form or a query string. UnicodeDecodeError for what is not UTF-8."""
    found: list[tuple[str, str]] = []
    for pair in query.decode().split("&"):
        if pair:
            name, _, value = pair.partition("=")
            if "%" in pair or "+" in pair:
                name = repeated(name) if len(name) <= REPEATED_MAX else unquote_plus(name)
                value = repeated(value) if len(value) <= REPEATED_MAX else unquote_plus(value)
            found.append((name, value))
    return found
