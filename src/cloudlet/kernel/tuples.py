"""Keys as tuples: an encoding whose byte order is the tuples' order, so a prefix of a tuple is a range of
keys.

State   none
Source  the order-preserving tuple layout as known from FoundationDB's tuple layer; ours keeps three types
Absent  floats, booleans, nesting

Layout of an element, by its first byte:

    0x01  bytes, 0x00 written as 0x00 0xff, closed by 0x00
    0x02  text as UTF-8, likewise
    0x0c … 0x1c  an integer: 0x14 is zero, 0x14 ± n an n-byte magnitude, big-endian (complemented below zero)

No element starts with a byte of 0x20 or above, so the faces with keys of their own (etcd, ZooKeeper) own the
spaces that start there and never meet a tuple.
"""

from __future__ import annotations

Part = str | int | bytes
Tuple = tuple[Part, ...]

TUPLES_START = b"\x01"
TUPLES_STOP = b"\x20"
"""The space of all tuples."""

ZERO = 0x14
INTEGER_BYTES_MAX = 8


def pack(parts: Tuple) -> bytes:
    """The key of a tuple."""
    out = bytearray()
    for part in parts:
        if isinstance(part, str):
            text = part.encode()
            out.append(0x02)
            out += text if b"\0" not in text else text.replace(b"\0", b"\0\xff")
            out.append(0x00)
        elif isinstance(part, int):
            _pack_integer(out, part)
        else:
            out.append(0x01)
            out += part.replace(b"\0", b"\0\xff")
            out.append(0x00)
    return bytes(out)


def _pack_integer(out: bytearray, number: int) -> None:
    size = (abs(number).bit_length() + 7) // 8
    if size > INTEGER_BYTES_MAX:
        raise ValueError(f"an integer of {size} bytes in a key")
    if number >= 0:
        out.append(ZERO + size)
        out += number.to_bytes(size, "big")
    else:
        out.append(ZERO - size)
        out += (number + (1 << (8 * size)) - 1).to_bytes(size, "big")


def unpack(key: bytes) -> Tuple:
    """The tuple of a key; ValueError for bytes that `pack` never makes."""
    parts: list[Part] = []
    position = 0
    while position < len(key):
        tag = key[position]
        position += 1
        if tag in (0x01, 0x02):
            raw, position = _unpack_closed(key, position)
            parts.append(raw.decode() if tag == 0x02 else raw)
        elif ZERO - INTEGER_BYTES_MAX <= tag <= ZERO + INTEGER_BYTES_MAX:
            size = abs(tag - ZERO)
            number = int.from_bytes(key[position : position + size], "big")
            position += size
            if position > len(key):
                raise ValueError("the key ends inside an integer")
            parts.append(number if tag >= ZERO else number - (1 << (8 * size)) + 1)
        else:
            raise ValueError(f"no element starts with byte {tag:#04x}")
    return tuple(parts)


def _unpack_closed(key: bytes, start: int) -> tuple[bytes, int]:
    position = start
    while True:
        position = key.find(b"\0", position)
        if position < 0:
            raise ValueError("the key ends inside an element")
        if key[position + 1 : position + 2] != b"\xff":
            return key[start:position].replace(b"\0\xff", b"\0"), position + 1
        position += 2


def prefix_range(parts: Tuple) -> tuple[bytes, bytes]:
    """The half-open range (start, stop) of every key whose tuple begins with `parts` and goes on."""
    packed = pack(parts)
    # Element tags lie between 0x01 and 0x1c, so 0xff is above every continuation and 0x00 below.
    return packed + b"\x00", packed + b"\xff"


def successor(key: bytes) -> bytes:
    """The first key after `key`."""
    return key + b"\0"


def text_range(parts: Tuple, text: str) -> tuple[bytes, bytes]:
    """The half-open range (start, stop) of every key whose tuple begins with `parts` and goes on with a text
    that begins with `text`."""
    opened = pack((*parts, text))[:-1]
    # What may follow inside a text: UTF-8, which has no 0xff, or the 0x00 that closes it.
    return opened, opened + b"\xff"
