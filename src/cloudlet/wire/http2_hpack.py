"""HPACK: blocks of header fields to fields and back, with a short way for the blocks that repeat.

State   the dynamic table of one direction of one connection
Source  RFC 7541; the static table and the Huffman code come from the hpack package
Absent  Huffman coding of what we send (the peers are near), never-indexed literals (sent as not indexed)

A client that makes the same call again sends a block in which every field is an index. As long as the dynamic
table has not moved, such a block means what it meant before: it is looked up as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from cloudlet.kernel.fault import ProtocolError

Fields = tuple[tuple[bytes, bytes], ...]

STATIC: Fields = (((b"", b"")), *HeaderTable.STATIC_TABLE)  # RFC 7541 2.3.1: indices count from 1
STATIC_SIZE = len(STATIC)  # 62: the first index of the dynamic table
STATIC_FIELDS = {field: index for index, field in reversed(list(enumerate(STATIC)))}
STATIC_NAMES = {field[0]: index for index, field in reversed(list(enumerate(STATIC)))}

TABLE_BYTES = 4096  # RFC 9113 6.5.2: the initial SETTINGS_HEADER_TABLE_SIZE
ENTRY_BYTES = 32  # RFC 7541 4.1: an entry's overhead
CACHED_BLOCKS_MAX = 256
CACHED_BLOCK_BYTES_MAX = 128


class ListTooLarge(ProtocolError):
    """The fields are more than the reader allows; the tables are still in step."""


class Block:
    """The fields of one block, in order; `head` is what its first reader made of them."""

    __slots__ = ("fields", "head")

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.head: object = None


class HeaderDecoder:
    """Reads the blocks of one direction, in the order in which they came."""

    def __init__(self, list_bytes_max: int, table_bytes_max: int = TABLE_BYTES) -> None:
        self._list_bytes_max = list_bytes_max
        self._allowed_bytes = table_bytes_max  # what our SETTINGS promised to keep
        self._bytes_max = table_bytes_max
        self._bytes = 0
        self._dynamic: list[tuple[bytes, bytes]] = []  # the newest first
        self._cached: dict[bytes, Block] = {}

    def decode(self, block: bytes) -> Block:
        """What a block holds; the same object for a repeated block. ProtocolError when the block is none,
        after which the connection is lost; ListTooLarge when it is too much."""
        found = self._cached.get(block)
        if found is not None:
            return found
        try:
            return self._decode(block)
        except (IndexError, HPACKDecodingError) as error:
            raise ProtocolError(f"header block: {error}") from None

    def _decode(self, block: bytes) -> Block:
        fields: list[tuple[bytes, bytes]] = []
        at, end, size = 0, len(block), 0
        is_all_indexed = True
        while at < end:
            byte = block[at]
            if byte & 0x80:  # RFC 7541 6.1
                at += 1
                index = byte & 0x7F
                if index == 0x7F:
                    index, at = _more(block, at, index)
                field = self._field(index)
            elif byte & 0xE0 == 0x20:  # 6.3
                index, at = _number(block, at, 0x1F)
                if fields:
                    raise ProtocolError("a table size update behind a field")  # 4.2
                self._resize(index)
                is_all_indexed = False
                continue
            else:  # 6.2
                is_all_indexed = False
                mask = 0x3F if byte & 0x40 else 0x0F
                index, at = _number(block, at, mask)
                if index:
                    name = self._field(index)[0]
                else:
                    name, at = _string(block, at)
                value, at = _string(block, at)
                field = (name, value)
                if mask == 0x3F:
                    self._add(field)
            size += len(field[0]) + len(field[1]) + ENTRY_BYTES
            if size <= self._list_bytes_max:
                fields.append(field)
        if size > self._list_bytes_max:
            raise ListTooLarge(f"header fields of {size} bytes, at most {self._list_bytes_max}")
        found = Block(tuple(fields))
        if is_all_indexed and end <= CACHED_BLOCK_BYTES_MAX and len(self._cached) < CACHED_BLOCKS_MAX:
            self._cached[block] = found
        return found

    def _field(self, index: int) -> tuple[bytes, bytes]:
        if index < STATIC_SIZE:
            if not index:
                raise ProtocolError("header index 0")
            return STATIC[index]
        index -= STATIC_SIZE
        if index >= len(self._dynamic):
            raise ProtocolError("a header index beyond the table")
        return self._dynamic[index]

    def _add(self, field: tuple[bytes, bytes]) -> None:
        self._cached.clear()
        size = len(field[0]) + len(field[1]) + ENTRY_BYTES
        self._bytes += size
        self._dynamic.insert(0, field)
        self._evict()

    def _resize(self, bytes_max: int) -> None:
        if bytes_max > self._allowed_bytes:
            raise ProtocolError("a header table larger than allowed")
        self._cached.clear()
        self._bytes_max = bytes_max
        self._evict()

    def _evict(self) -> None:
        while self._bytes > self._bytes_max:
            name, value = self._dynamic.pop()
            self._bytes -= len(name) + len(value) + ENTRY_BYTES


def _number(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """RFC 7541 5.1."""
    value = block[at] & mask
    return _more(block, at + 1, value) if value == mask else (value, at + 1)


def _more(block: bytes, at: int, value: int) -> tuple[int, int]:
    shift = 0
    while True:
        byte = block[at]
        at += 1
        value += (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 28:
            raise ProtocolError("a header number over 32 bits")


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    """RFC 7541 5.2."""
    is_huffman = block[at] & 0x80
    size, at = _number(block, at, 0x7F)
    raw = block[at : at + size]
    if len(raw) != size:
        raise ProtocolError("a header string beyond its block")
    return (decode_huffman(raw) if is_huffman else raw), at + size


class HeaderEncoder:
    """Writes blocks. `indexes` lets repeated fields enter the peer's table, up to `INDEXED_BYTES_MAX`."""

    INDEXED_BYTES_MAX = 2048  # never evicted then: half of what every peer begins with

    def __init__(self, *, indexes: bool = False) -> None:
        self._indexes = indexes
        self._numbers: dict[tuple[bytes, bytes], int] = {}
        self._bytes = 0
        self.update = b""  # what the next block that is sent has to begin with

    def resize(self, bytes_max: int) -> None:
        """The peer's SETTINGS_HEADER_TABLE_SIZE."""
        if bytes_max < TABLE_BYTES:
            # RFC 7541 4.2: a lowered maximum has to be acknowledged at the start of the next block.
            self._indexes = False
            self._numbers.clear()
            self.update = b"\x20"

    def prefix(self) -> bytes:
        """Take `update`, because a block is sent."""
        update, self.update = self.update, b""
        return update

    def encode(self, fields: Iterable[tuple[bytes, bytes]], fresh: Sequence[bytes] = ()) -> bytes:
        """A block; fields whose names are among `fresh` differ from call to call and are not indexed."""
        parts = []
        for field in fields:
            index = STATIC_FIELDS.get(field)
            if index is not None:
                parts.append(bytes((0x80 | index,)))
                continue
            number = self._numbers.get(field)
            if number is not None:
                parts.append(_write_number(STATIC_SIZE + len(self._numbers) - 1 - number, 0x7F, 0x80))
                continue
            size = len(field[0]) + len(field[1]) + ENTRY_BYTES
            if self._indexes and field[0] not in fresh and self._bytes + size <= self.INDEXED_BYTES_MAX:
                self._numbers[field] = len(self._numbers)
                self._bytes += size
                parts.append(literal(*field, mask=0x3F, kind=0x40))
            else:
                parts.append(literal(*field))
        return b"".join(parts)


def literal(name: bytes, value: bytes, mask: int = 0x0F, kind: int = 0) -> bytes:
    """A field spelled out; not indexed unless the kind says so."""
    index = STATIC_NAMES.get(name, 0) if name else 0
    head = _write_number(index, mask, kind)
    if not index:
        head += _write_number(len(name), 0x7F, 0) + name
    return head + _write_number(len(value), 0x7F, 0) + value


def _write_number(value: int, mask: int, kind: int) -> bytes:
    if value < mask:
        return bytes((kind | value,))
    out = bytearray((kind | mask,))
    value -= mask
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
