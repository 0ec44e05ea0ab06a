"""Decompresses the records of a batch.

State   none
Source  Apache Kafka, KIP-98 and KIP-110: codec ids; RFC 1952 (gzip); google/snappy format_description, and
        snappy-java's stream of chunks; LZ4 block and frame format 1.6; RFC 8878 (zstd)
Absent  zstd where neither Python (3.14 and newer) nor the machine (libzstd) brings it: Unreadable

The broker passes batches on as they came. It looks into them only for the keys of compacted topics, for the
record of a time and where a topic has a codec of its own, so that snappy and lz4 are decoded by a few lines
of Python (some 20 MB/s). A small batch may hold very much, so it is done in steps.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib
import zlib
from collections.abc import Callable
from functools import lru_cache

from cloudlet.kafka.turns import Steps, whole
from cloudlet.kernel.fault import ProtocolError

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
RECORDS_BYTES_MAX = 256 << 20
"""The most that a batch may hold: a small batch could ask for any amount of memory else."""

STEP_PARTS = 512  # literals and copies between which others may have their turn
STEP_BYTES = 1 << 20  # of one copy
GZIP_STEP_BYTES = 1 << 10  # which hold a megabyte at most
ZSTD_STEP_BYTES = 128 << 10

_XERIAL = b"\x82SNAPPY\0"
_XERIAL_HEADER_BYTES = 16
_LZ4_MAGIC = b"\x04\x22\x4d\x18"


class Unreadable(Exception):
    """The records are compressed with a codec that is not read here."""


def decompressing(codec: int, data: bytes) -> Steps[bytes]:
    """The records as they were, in steps. ProtocolError for damage, Unreadable for a codec that is not
    read."""
    try:
        if codec == GZIP:
            return (yield from _gzip(data))
        if codec == SNAPPY:
            return (yield from _snappy_stream(data))
        if codec == LZ4:
            return (yield from _lz4_frame(data))
        if codec == ZSTD:
            return (yield from _zstd()(data))
    except IndexError as error:
        raise ProtocolError("compressed records that are cut short") from error
    raise Unreadable(f"codec {codec}")


def decompress(codec: int, data: bytes) -> bytes:
    """The same at once."""
    return whole(decompressing(codec, data))


def _check_size(size: int) -> None:
    if size > RECORDS_BYTES_MAX:
        raise ProtocolError(f"records that decompress to more than {RECORDS_BYTES_MAX} bytes")


def _gzip(data: bytes) -> Steps[bytes]:
    reader = zlib.decompressobj(wbits=31)
    out = bytearray()
    for at in range(0, len(data), GZIP_STEP_BYTES):
        try:
            out += reader.decompress(data[at : at + GZIP_STEP_BYTES])
        except zlib.error as error:
            raise ProtocolError(f"records that do not decompress: {error}") from error
        _check_size(len(out))
        if reader.eof:
            break
        yield
    if not reader.eof:
        raise ProtocolError("records that are cut short")
    return bytes(out)


# Snappy


def _snappy_stream(data: bytes) -> Steps[bytes]:
    """Java's clients write chunks, each with its size before it; others one block."""
    if not data.startswith(_XERIAL):
        return (yield from _snappy(data))
    out = bytearray()
    at = _XERIAL_HEADER_BYTES
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        at += 4
        if size > len(data) - at:
            raise ProtocolError("a snappy chunk that is cut short")
        out += yield from _snappy(data[at : at + size])
        _check_size(len(out))
        yield
        at += size
    return bytes(out)


def _snappy(data: bytes) -> Steps[bytes]:
    size = shift = at = 0
    while True:
        byte = data[at]
        at += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    _check_size(size)
    out = bytearray()
    stop = len(data)
    left = STEP_PARTS
    while at < stop:
        left -= 1
        if not left:
            left = STEP_PARTS
            yield
        tag = data[at]
        kind, rest = tag & 3, tag >> 2
        at += 1
        if kind == 0:
            if rest >= 60:
                count = rest - 59
                rest = int.from_bytes(data[at : at + count], "little")
                at += count
            at = _literal(out, data, at, rest + 1)
            continue
        if kind == 1:
            length, offset = (rest & 7) + 4, (rest >> 3) << 8 | data[at]
            at += 1
        else:
            width = 2 if kind == 2 else 4
            length, offset = rest + 1, int.from_bytes(data[at : at + width], "little")
            at += width
        _repeat(out, offset, length, size)
    if len(out) != size:
        raise ProtocolError(f"snappy: {len(out)} bytes where {size} were promised")
    return bytes(out)


def _literal(out: bytearray, data: bytes, at: int, length: int) -> int:
    if length > len(data) - at:
        raise ProtocolError("a literal that is cut short")
    out += data[at : at + length]
    return at + length


def _repeat(out: bytearray, offset: int, length: int, size_max: int) -> None:
    """Append `length` bytes from `offset` bytes back; they may overlap."""
    start = len(out) - offset
    if offset <= 0 or start < 0 or len(out) + length > size_max:
        raise ProtocolError("a copy from outside of what was decompressed")
    if offset >= length:
        out += out[start : start + length]
    else:
        out += (bytes(out[start:]) * (length // offset + 1))[:length]


# LZ4


def _lz4_frame(data: bytes) -> Steps[bytes]:
    if not data.startswith(_LZ4_MAGIC):
        raise ProtocolError("no LZ4 frame")
    flags = data[4]
    if flags >> 6 != 1:
        raise ProtocolError(f"LZ4 frame of version {flags >> 6}")
    at = 7 + (8 if flags & 0x08 else 0) + (4 if flags & 0x01 else 0)  # content size, dictionary id
    out = bytearray()
    while True:
        size = int.from_bytes(data[at : at + 4], "little")
        at += 4
        if at > len(data):
            raise ProtocolError("an LZ4 frame that is cut short")
        if size == 0:
            return bytes(out)
        is_plain, size = size >> 31, size & 0x7FFF_FFFF
        if size > len(data) - at:
            raise ProtocolError("an LZ4 block that is cut short")
        if is_plain:
            out += data[at : at + size]
        else:
            yield from _lz4_block(out, data[at : at + size])
        _check_size(len(out))
        yield
        at += size + (4 if flags & 0x10 else 0)  # block checksum


def _lz4_block(out: bytearray, data: bytes) -> Steps[None]:
    at, stop = 0, len(data)
    left = STEP_PARTS
    while at < stop:
        left -= 1
        if not left:
            left = STEP_PARTS
            yield
        token = data[at]
        length, at = _lz4_length(data, at + 1, token >> 4)
        at = _literal(out, data, at, length)
        if at == stop:
            return
        offset = data[at] | data[at + 1] << 8
        length, at = _lz4_length(data, at + 2, token & 15)
        length += 4
        while length > STEP_BYTES:
            _repeat(out, offset, STEP_BYTES, RECORDS_BYTES_MAX)
            length -= STEP_BYTES
            yield
        _repeat(out, offset, length, RECORDS_BYTES_MAX)


def _lz4_length(data: bytes, at: int, length: int) -> tuple[int, int]:
    if length == 15:
        while True:
            byte = data[at]
            at += 1
            length += byte
            if byte != 255:
                break
    return length, at


# Zstandard


@lru_cache(maxsize=1)
def _zstd() -> Callable[[bytes], Steps[bytes]]:
    """Python's own decoder, or the machine's library; looked for when the first batch needs it."""
    try:
        module = importlib.import_module("compression.zstd")
    except ImportError:
        name = ctypes.util.find_library("zstd")
        if name is None:
            raise Unreadable("codec 4: this machine has no libzstd") from None
        return _ZstdLibrary(ctypes.CDLL(name))

    def decode(data: bytes) -> Steps[bytes]:
        reader = module.ZstdDecompressor()
        out = bytearray()
        try:
            out += reader.decompress(data, ZSTD_STEP_BYTES)
            while not reader.eof:
                if reader.needs_input:
                    raise ProtocolError("a zstd frame that is cut short")
                yield
                out += reader.decompress(b"", ZSTD_STEP_BYTES)
                _check_size(len(out))
        except module.ZstdError as error:
            raise ProtocolError(f"records that do not decompress: {error}") from error
        return bytes(out)

    return decode


class ZstdBuffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t))


class _ZstdLibrary:
    """libzstd's streaming decoder: a frame need not say how large it will be."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.ZSTD_createDStream.restype = ctypes.c_void_p
        library.ZSTD_freeDStream.argtypes = (ctypes.c_void_p,)
        library.ZSTD_decompressStream.argtypes = (
            ctypes.c_void_p,
            ctypes.POINTER(ZstdBuffer),
            ctypes.POINTER(ZstdBuffer),
        )
        library.ZSTD_decompressStream.restype = ctypes.c_size_t
        library.ZSTD_isError.argtypes = (ctypes.c_size_t,)
        library.ZSTD_isError.restype = ctypes.c_uint

    def __call__(self, data: bytes) -> Steps[bytes]:
        library = self._library
        stream = library.ZSTD_createDStream()
        chunk = ctypes.create_string_buffer(ZSTD_STEP_BYTES)
        source = ZstdBuffer(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data), 0)
        out = bytearray()
        try:
            while True:
                target = ZstdBuffer(ctypes.cast(chunk, ctypes.c_void_p), len(chunk), 0)
                left = library.ZSTD_decompressStream(stream, ctypes.byref(target), ctypes.byref(source))
                if library.ZSTD_isError(left):
                    raise ProtocolError("records that do not decompress: zstd")
                out += chunk.raw[: target.position]
                _check_size(len(out))
                if left == 0 and source.position == source.size:
                    return bytes(out)
                if source.position == source.size and target.position < target.size:
                    raise ProtocolError("a zstd frame that is cut short")
                yield
        finally:
            library.ZSTD_freeDStream(stream)
