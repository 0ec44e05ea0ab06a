"""Compresses the records of a batch, piece by piece, where a topic wants another codec than its producer.

State   none
Source  kafka/compression.py; Apache Kafka 4.3: SnappyOutputStream and Lz4BlockOutputStream as it sets them up
Absent  levels of lz4 and zstd without liblz4 and libzstd: lz4 is written by a few lines of Python then, zstd
        uncompressed within its frame

The machine's libraries are used where it has them. Else snappy and lz4 look for matches in a table of four
bytes, as their own fast modes do, and step the wider the longer they find none. A piece takes the loop for a
millisecond or two at most.
"""

from __future__ import annotations

import ctypes
import importlib
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from cloudlet.kafka.compression import GZIP, LZ4, SNAPPY, ZSTD, ZstdBuffer
from cloudlet.kafka.turns import Steps, whole

NONE = 0
CODEC_OF = {"uncompressed": NONE, "none": NONE, "gzip": GZIP, "snappy": SNAPPY, "lz4": LZ4, "zstd": ZSTD}
PIECE_BYTES = 64 << 10
SNAPPY_PIECE_BYTES = 32 << 10  # what Kafka's brokers write as one chunk
SLOW_PIECE_BYTES = 16 << 10  # of Python's own
LZ4_LEVEL_DEFAULT = 9  # which Kafka takes for the fast mode
ZSTD_BLOCK_BYTES_MAX = 128 << 10

_XERIAL_FRONT = b"\x82SNAPPY\0" + (1).to_bytes(4, "big") * 2  # version, least compatible version
_LZ4_FRONT = b"\x04\x22\x4d\x18\x60\x40\x82"  # independent blocks of 64 KiB; the checksum of these two bytes
_LZ4_STOP = b"\0\0\0\0"
_LZ4_PLAIN = 1 << 31
_ZSTD_FRONT = b"\x28\xb5\x2f\xfd\xa0"  # one segment, its size in four bytes
_ZSTD_LEVEL, _ZSTD_GO_ON, _ZSTD_END = 100, 0, 2  # of ZSTD_cParameter and ZSTD_EndDirective
_MATCH_BYTES_MIN = 4
_OFFSET_MAX = 65_535
_LZ4_TAIL_BYTES, _LZ4_LAST_MATCH = 5, 12  # the last bytes are literals, the last match begins before them
_SNAPPY_COPY_MAX = 64
_SKIP = 5  # after 2^5 misses in a row two bytes are passed over at once, and so on


class Levels(NamedTuple):
    """How hard each codec tries, by Kafka's properties."""

    gzip: int = -1
    lz4: int = LZ4_LEVEL_DEFAULT
    zstd: int = 3


DEFAULTS = Levels()


def compress(codec: int, data: bytes, levels: Levels = DEFAULTS) -> Iterator[bytes]:
    """The compressed form in parts; between two of them others may have their turn."""
    if codec == GZIP:
        return _gzip(data, levels.gzip)
    if codec == SNAPPY:
        return _snappy_stream(data)
    if codec == LZ4:
        return _lz4_frame(data, levels.lz4)
    assert codec == ZSTD, codec
    return _zstd_frame(data, levels.zstd)


def packing(codec: int, data: bytes) -> Steps[bytes]:
    """The compressed form, in steps."""
    parts = []
    for part in compress(codec, data):
        parts.append(part)
        yield
    return b"".join(parts)


def pack(codec: int, data: bytes) -> bytes:
    """The compressed form, whole."""
    return whole(packing(codec, data))


def _gzip(data: bytes, level: int) -> Iterator[bytes]:
    packer = zlib.compressobj(level, wbits=31)
    for at in range(0, len(data), PIECE_BYTES):
        yield packer.compress(data[at : at + PIECE_BYTES])
    yield packer.flush()


# Snappy


def _snappy_stream(data: bytes) -> Iterator[bytes]:
    """Chunks with their sizes before them, as Java writes them and all clients read them."""
    yield _XERIAL_FRONT
    library = _snappy_library()
    block, size = (_snappy, SLOW_PIECE_BYTES) if library is None else (library, SNAPPY_PIECE_BYTES)
    for at in range(0, len(data), size):
        chunk = block(data[at : at + size])
        yield len(chunk).to_bytes(4, "big") + chunk


def _snappy(data: bytes) -> bytes:
    out = bytearray()
    rest = len(data)
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    anchor = 0
    for at, offset, length in _matches(data, len(data) - _MATCH_BYTES_MIN, len(data)):
        _snappy_literal(out, data[anchor:at])
        anchor = at + length
        while length:
            size = min(length, _SNAPPY_COPY_MAX)
            out.append((size - 1) << 2 | 2)
            out += offset.to_bytes(2, "little")
            length -= size
    _snappy_literal(out, data[anchor:])
    return bytes(out)


def _snappy_literal(out: bytearray, data: bytes) -> None:
    size = len(data) - 1
    if size < 0:
        return
    if size < 60:
        out.append(size << 2)
    elif size < 256:
        out += bytes((60 << 2, size))
    else:
        out.append(61 << 2)
        out += size.to_bytes(2, "little")
    out += data


# LZ4


def _lz4_frame(data: bytes, level: int) -> Iterator[bytes]:
    yield _LZ4_FRONT
    library = _lz4_library()
    size = SLOW_PIECE_BYTES if library is None else PIECE_BYTES
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        block = _lz4_block(piece) if library is None else library(piece, level)
        if len(block) < len(piece):
            yield len(block).to_bytes(4, "little") + block
        else:
            yield (len(piece) | _LZ4_PLAIN).to_bytes(4, "little") + piece
    yield _LZ4_STOP


def _lz4_block(data: bytes) -> bytes:
    out = bytearray()
    anchor = 0
    for at, offset, length in _matches(data, len(data) - _LZ4_LAST_MATCH, len(data) - _LZ4_TAIL_BYTES):
        literals, more = at - anchor, length - _MATCH_BYTES_MIN
        out.append(min(literals, 15) << 4 | min(more, 15))
        _lz4_length(out, literals)
        out += data[anchor:at]
        out += offset.to_bytes(2, "little")
        _lz4_length(out, more)
        anchor = at + length
    literals = len(data) - anchor
    out.append(min(literals, 15) << 4)
    _lz4_length(out, literals)
    out += data[anchor:]
    return bytes(out)


def _lz4_length(out: bytearray, length: int) -> None:
    if length >= 15:
        whole, rest = divmod(length - 15, 255)
        out += b"\xff" * whole
        out.append(rest)


def _matches(data: bytes, last: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """(where, how far back, how long) of repetitions, one behind the other; none begins after `last` or goes
    beyond `stop`."""
    seen: dict[bytes, int] = {}
    at = misses = 0
    while at <= last:
        key = data[at : at + _MATCH_BYTES_MIN]
        before = seen.get(key)
        seen[key] = at
        if before is None or at - before > _OFFSET_MAX:
            misses += 1
            at += 1 + (misses >> _SKIP)
            continue
        misses = 0
        length = _MATCH_BYTES_MIN + _alike(data, before + _MATCH_BYTES_MIN, at + _MATCH_BYTES_MIN, stop)
        yield at, at - before, length
        at += length


def _alike(data: bytes, one: int, other: int, stop: int) -> int:
    """How many bytes are the same at both places, before `stop`."""
    length, step = 0, 16
    while other + length + step <= stop and (
        data[one + length : one + length + step] == data[other + length : other + length + step]
    ):
        length += step
        step *= 2
    while step := step >> 1:
        if other + length + step <= stop and (
            data[one + length : one + length + step] == data[other + length : other + length + step]
        ):
            length += step
    return length


# Zstandard


def _zstd_frame(data: bytes, level: int) -> Iterator[bytes]:
    library = _zstd_library()
    if library is not None:
        yield from library(data, level)
        return
    yield _ZSTD_FRONT + len(data).to_bytes(4, "little")
    for at in range(0, len(data), ZSTD_BLOCK_BYTES_MAX):
        piece = data[at : at + ZSTD_BLOCK_BYTES_MAX]
        is_last = at + len(piece) == len(data)
        yield (len(piece) << 3 | is_last).to_bytes(3, "little") + piece


# The machine's libraries


def _loaded(name: str, version: int) -> ctypes.CDLL | None:
    for file in (f"lib{name}.so.{version}", f"lib{name}.{version}.dylib"):
        try:
            return ctypes.CDLL(file)
        except OSError:
            continue
    return None


@lru_cache(maxsize=1)
def _snappy_library() -> Callable[[bytes], bytes] | None:
    library = _loaded("snappy", 1)
    if library is None:
        return None
    library.snappy_max_compressed_length.restype = ctypes.c_size_t
    library.snappy_max_compressed_length.argtypes = (ctypes.c_size_t,)
    library.snappy_compress.argtypes = (
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.POINTER(ctypes.c_size_t),
    )  # fmt: skip

    def block(data: bytes) -> bytes:
        size = ctypes.c_size_t(library.snappy_max_compressed_length(len(data)))
        out = ctypes.create_string_buffer(size.value)
        status = library.snappy_compress(data, len(data), out, ctypes.byref(size))
        assert status == 0, f"snappy_compress: {status}"
        return out.raw[: size.value]

    return block


@lru_cache(maxsize=1)
def _lz4_library() -> Callable[[bytes, int], bytes] | None:
    library = _loaded("lz4", 1)
    if library is None:
        return None
    buffers = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int)
    library.LZ4_compressBound.argtypes = (ctypes.c_int,)
    library.LZ4_compress_default.argtypes = buffers
    library.LZ4_compress_HC.argtypes = (*buffers, ctypes.c_int)

    def block(data: bytes, level: int) -> bytes:
        size = library.LZ4_compressBound(len(data))
        out = ctypes.create_string_buffer(size)
        if level == LZ4_LEVEL_DEFAULT:
            size = library.LZ4_compress_default(data, out, len(data), size)
        else:
            size = library.LZ4_compress_HC(data, out, len(data), size, level)
        assert size > 0, f"LZ4_compress: {size}"
        return out.raw[:size]

    return block


@lru_cache(maxsize=1)
def _zstd_library() -> Callable[[bytes, int], Iterator[bytes]] | None:
    try:
        module = importlib.import_module("compression.zstd")
    except ImportError:
        library = _loaded("zstd", 1)
        return None if library is None else _ZstdLibrary(library)

    def frame(data: bytes, level: int) -> Iterator[bytes]:
        packer = module.ZstdCompressor(level)
        packer.set_pledged_input_size(len(data))
        for at in range(0, len(data), PIECE_BYTES):
            yield packer.compress(data[at : at + PIECE_BYTES])
        yield packer.flush()

    return frame


class _ZstdLibrary:
    """libzstd's streaming encoder."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.ZSTD_createCCtx.restype = ctypes.c_void_p
        library.ZSTD_freeCCtx.argtypes = (ctypes.c_void_p,)
        library.ZSTD_CCtx_setParameter.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
        library.ZSTD_CCtx_setPledgedSrcSize.argtypes = (ctypes.c_void_p, ctypes.c_ulonglong)
        library.ZSTD_compressStream2.argtypes = (
            ctypes.c_void_p, ctypes.POINTER(ZstdBuffer), ctypes.POINTER(ZstdBuffer), ctypes.c_int,
        )  # fmt: skip
        for function in (
            library.ZSTD_CCtx_setParameter, library.ZSTD_CCtx_setPledgedSrcSize, library.ZSTD_compressStream2,
        ):  # fmt: skip
            function.restype = ctypes.c_size_t
        library.ZSTD_isError.argtypes = (ctypes.c_size_t,)
        library.ZSTD_isError.restype = ctypes.c_uint

    def __call__(self, data: bytes, level: int) -> Iterator[bytes]:
        library = self._library
        context = library.ZSTD_createCCtx()
        chunk = ctypes.create_string_buffer(ZSTD_BLOCK_BYTES_MAX)
        source = ZstdBuffer(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), 0, 0)
        try:
            self._checked(library.ZSTD_CCtx_setParameter(context, _ZSTD_LEVEL, level))
            self._checked(library.ZSTD_CCtx_setPledgedSrcSize(context, len(data)))
            is_over = False
            while not is_over:
                source.size = min(source.size + PIECE_BYTES, len(data))
                how = _ZSTD_END if source.size == len(data) else _ZSTD_GO_ON
                while True:
                    target = ZstdBuffer(ctypes.cast(chunk, ctypes.c_void_p), len(chunk), 0)
                    left = self._checked(
                        library.ZSTD_compressStream2(context, ctypes.byref(target), ctypes.byref(source), how)
                    )
                    yield chunk.raw[: target.position]
                    is_over = how == _ZSTD_END and not left
                    if is_over or (how == _ZSTD_GO_ON and source.position == source.size):
                        break
        finally:
            library.ZSTD_freeCCtx(context)

    def _checked(self, size: int) -> int:
        assert not self._library.ZSTD_isError(size), "libzstd"
        return size
