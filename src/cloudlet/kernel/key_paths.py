"""Keys as text: the path of a tuple's parts, for people and command lines.

State   none
Source  docs/cli.md, "Keys"
Absent  none

    ("sqs", "000000000000", 7, b"\\x01")    sqs/000000000000/#7/#x01
    a key that is no tuple                 #raw/7f636c6f636b

In a text part, "%", "/", characters below the space, and a "#" at its front are written as %XX.
"""

from __future__ import annotations

import re

from cloudlet.kernel.tuples import Part, pack, unpack

RAW = "#raw/"
_QUOTED = re.compile(r"[%/\x00-\x1f\x7f]|^#|^$")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
EMPTY = "%"
"""An empty text: nothing else is a lone percent sign."""


def path_of(key: bytes) -> str:
    """The path of a key, whatever it is."""
    try:
        parts = unpack(key)
    except ValueError:
        return RAW + key.hex()
    return "/".join(map(_spelled, parts)) if parts else RAW


def key_of(path: str) -> bytes:
    """The key of a path; ValueError for what is none."""
    if path.startswith(RAW):
        return bytes.fromhex(path.removeprefix(RAW))
    return pack(tuple(map(_part, path.strip("/").split("/"))))


def prefix_of(path: str) -> tuple[bytes, bytes]:
    """The range (start, stop) of a path's key and of all that goes on behind it; of everything for ""."""
    if not path.strip("/"):
        return b"", b"\xff"
    if path.startswith(RAW):
        start = key_of(path)
        return start, start + b"\xff" * 8
    start = key_of(path)
    return start, start + b"\xff"


def _spelled(part: Part) -> str:
    if isinstance(part, int):
        return f"#{part}"
    if isinstance(part, bytes):
        return f"#x{part.hex()}"
    return _QUOTED.sub(lambda found: f"%{ord(found[0]):02X}" if found[0] else EMPTY, part)


def _part(text: str) -> Part:
    if text.startswith("#x"):
        return bytes.fromhex(text[2:])
    if text.startswith("#"):
        return int(text[1:])
    if text == EMPTY:
        return ""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
