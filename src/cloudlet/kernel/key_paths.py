"""Keys as text: the path of a tuple's parts, for people and command lines.

State   none
Source  docs/cli.md, "Keys"
Absent  none

    ("sqs", "000000000000", 7, b"\\x01")    sqs/000000000000/#7/#x01
    etcd's key "/zk/1/a", a znode          #etcd//zk/1/a
    a key that is neither                  #raw/7f636c6f636b

In a text part, "%", "/", characters below the space, and a "#" at its front are written as %XX; in a key of
etcd, "%", characters below the space, and bytes that are no text.
"""

from __future__ import annotations

import re

from cloudlet.kernel.spaces import ETCD
from cloudlet.kernel.tuples import Part, pack, unpack

RAW = "#raw/"
OF_ETCD = "#etcd/"
_QUOTED = re.compile(r"[%/\x00-\x1f\x7f]|^#|^$")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_ETCD_QUOTED = re.compile("[%\x00-\x1f\x7f\udc80-\udcff]")  # with what surrogateescape makes of other bytes
_ETCD_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
EMPTY = "%"
"""An empty text: nothing else is a lone percent sign."""


def path_of(key: bytes) -> str:
    """The path of a key, whatever it is."""
    if key.startswith(ETCD):
        text = key[len(ETCD) :].decode("utf-8", "surrogateescape")
        return OF_ETCD + _ETCD_QUOTED.sub(lambda found: f"%{ord(found[0]) & 0xFF:02X}", text)
    try:
        parts = unpack(key)
    except ValueError:
        return RAW + key.hex()
    return "/".join(map(_spelled, parts)) if parts else RAW


def key_of(path: str) -> bytes:
    """The key of a path; ValueError for what is none."""
    if path.startswith(OF_ETCD):
        quoted = path.removeprefix(OF_ETCD).encode()
        return ETCD + _ETCD_ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), quoted)
    if path.startswith(RAW):
        try:
            return bytes.fromhex(path.removeprefix(RAW))
        except ValueError:
            raise ValueError(f"what follows {RAW} is hexadecimal") from None
    return pack(tuple(map(_part, path.strip("/").split("/"))))


def prefix_of(path: str) -> tuple[bytes, bytes]:
    """The range (start, stop) of a path's key and of all that goes on behind it; of everything for "".

    Of a key of etcd: every key that begins so; of "#etcd" all of them.
    """
    if not path.strip("/"):
        return b"", b"\xff"
    if path == OF_ETCD.strip("/"):
        path = OF_ETCD
    if path.startswith(OF_ETCD):
        start = key_of(path)
        kept = start.rstrip(b"\xff")  # never empty: the space's own byte is below 0xff
        return start, kept[:-1] + bytes([kept[-1] + 1])
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
    try:
        if text.startswith("#x"):
            return bytes.fromhex(text[2:])
        if text.startswith("#"):
            return int(text[1:])
    except ValueError:
        raise ValueError(f"{text!r} is no number as #7 and no bytes as #x0a1b") from None
    if text == EMPTY:
        return ""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
