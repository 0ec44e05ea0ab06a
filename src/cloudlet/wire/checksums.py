"""The checksums that S3 takes with a body, in a header or after it.

State   none beyond the body at hand
Source  S3 User Guide, "Checking object integrity"; RFC 3720 appendix B.4 (CRC-32C); NVM Express, NVM Command
        Set specification 1.0, "64b CRC" (polynomial ad93d23594c93659)
Absent  MD5, XXHASH and SHA-512 as flexible checksums

    No wheel that we depend on has CRC-64/NVME, so it is computed here, on many lanes at once: the body is cut
    into equal strips, and one step takes the next byte of every strip with `bytes.translate`, which looks up
    a table for each byte at C's speed. The strips' values are then joined as if they had been read in a row.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from hmac import compare_digest
from typing import Protocol

import google_crc32c
from isal import isal_zlib

from cloudlet.kernel.fault import Fault
from cloudlet.wire.http1 import Fields

BadDigest = Fault("BadDigest")
InvalidRequest = Fault("InvalidRequest")

Piece = bytes | bytearray | memoryview


class Checksum(Protocol):
    """Sums a body piece by piece."""

    def update(self, data: Piece, /) -> None:
        """The next piece."""

    def digest(self) -> bytes:
        """The sum of what has come so far, most significant byte first."""


class Crc32:
    """CRC-32 as in gzip."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: Piece, /) -> None:
        """The next piece."""
        self._value = isal_zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        """Four bytes."""
        return self._value.to_bytes(4, "big")


class Crc32c:
    """CRC-32C (Castagnoli)."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: Piece, /) -> None:
        """The next piece."""
        self._value = google_crc32c.extend(self._value, bytes(data))

    def digest(self) -> bytes:
        """Four bytes."""
        return self._value.to_bytes(4, "big")


POLYNOMIAL = 0x9A6C9329AC4BC9B5  # of CRC-64/NVME, reflected
MASK = (1 << 64) - 1
STRIP_BYTES = 512
LANES_MIN = 64
LANES_MAX = 4096


class Crc64Nvme:
    """CRC-64/NVME: see the theory above."""

    __slots__ = ("_register",)

    def __init__(self) -> None:
        self._register = MASK

    def update(self, data: Piece, /) -> None:
        """The next piece."""
        raw = bytes(data)
        position = 0
        while len(raw) - position >= LANES_MIN * STRIP_BYTES:
            lanes = min((len(raw) - position) // STRIP_BYTES, LANES_MAX)
            stop = position + lanes * STRIP_BYTES
            self._register = _join(self._register, _strips(raw[position:stop], lanes))
            position = stop
        table = _table()
        register = self._register
        for byte in raw[position:]:
            register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
        self._register = register

    def digest(self) -> bytes:
        """Eight bytes."""
        return (self._register ^ MASK).to_bytes(8, "big")


@lru_cache(maxsize=1)
def _table() -> Sequence[int]:
    """The register after one byte, from a register of zero."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ POLYNOMIAL if byte & 1 else byte >> 1
        table.append(byte)
    return tuple(table)


@lru_cache(maxsize=1)
def _planes() -> Sequence[bytes]:
    """The table cut into its eight bytes, the least significant first."""
    return tuple(bytes(entry >> shift & 0xFF for entry in _table()) for shift in range(0, 64, 8))


def _strips(raw: bytes, lanes: int) -> Sequence[int]:
    """The registers of all strips, each from zero."""
    planes = _planes()
    # registers[n] holds byte n of every lane's register, as one long number.
    registers = [0] * 8
    number = int.from_bytes
    for step in range(STRIP_BYTES):
        index = (registers[0] ^ number(raw[step::STRIP_BYTES], "little")).to_bytes(lanes, "little")
        for n in range(7):
            registers[n] = registers[n + 1] ^ number(index.translate(planes[n]), "little")
        registers[7] = number(index.translate(planes[7]), "little")
    columns = [register.to_bytes(lanes, "little") for register in registers]
    return [number(bytes(column), "little") for column in zip(*columns, strict=True)]


@lru_cache(maxsize=1)
def _skip_tables() -> Sequence[Sequence[int]]:
    """For each byte of a register, what it becomes when STRIP_BYTES of zeroes are read."""
    table = _table()

    def skipped(register: int) -> int:
        for _ in range(STRIP_BYTES):
            register = table[register & 0xFF] ^ (register >> 8)
        return register

    bits = [skipped(1 << bit) for bit in range(64)]
    tables = []
    for first in range(0, 64, 8):
        entries = [0] * 256
        for byte in range(1, 256):
            low = byte & -byte
            entries[byte] = entries[byte ^ low] ^ bits[first + low.bit_length() - 1]
        tables.append(tuple(entries))
    return tuple(tables)


def _join(register: int, strips: Sequence[int]) -> int:
    """The register after all strips; reading is linear, so each strip adds to the zeroes in its place."""
    t0, t1, t2, t3, t4, t5, t6, t7 = _skip_tables()
    for strip in strips:
        register = (
            t0[register & 0xFF]
            ^ t1[register >> 8 & 0xFF]
            ^ t2[register >> 16 & 0xFF]
            ^ t3[register >> 24 & 0xFF]
            ^ t4[register >> 32 & 0xFF]
            ^ t5[register >> 40 & 0xFF]
            ^ t6[register >> 48 & 0xFF]
            ^ t7[register >> 56]
            ^ strip
        )
    return register


POLYNOMIALS = {"CRC32": 0xEDB88320, "CRC32C": 0x82F63B78, "CRC64NVME": POLYNOMIAL}  # reflected


def combined(algorithm: str, parts: Sequence[tuple[bytes, int]]) -> bytes:
    """The CRC of a body from the CRCs and the sizes, in bytes, of the parts that it is cut into.

    A CRC is a polynomial's remainder: reading n bytes of zeroes behind a part multiplies it by x to the
    power 8n, and the sum of all parts, each moved to its place, is the whole's. The inversions at both ends
    cancel out, but for those of an empty body.
    """
    polynomial = POLYNOMIALS[algorithm]
    width = 8 * DIGEST_BYTES[algorithm]
    register = 0
    for digest, size_bytes in parts:
        if register:
            register = _times(register, _power(polynomial, width, 8 * size_bytes), polynomial, width)
        register ^= int.from_bytes(digest, "big")
    return register.to_bytes(DIGEST_BYTES[algorithm], "big")


def _times(left: int, right: int, polynomial: int, width: int) -> int:
    """The product of two remainders; reflected, so the highest bit is x to the power 0."""
    product = 0
    bit = 1 << (width - 1)
    while left:
        if left & bit:
            product ^= right
            left ^= bit
        bit >>= 1
        right = right >> 1 ^ polynomial if right & 1 else right >> 1
    return product


@lru_cache(maxsize=256)
def _power(polynomial: int, width: int, exponent: int) -> int:
    """x to a power: parts are mostly of one size, so it is remembered."""
    power = 1 << (width - 1)
    for bit, square in enumerate(_squares(polynomial, width)):
        if exponent >> bit & 1:
            power = _times(power, square, polynomial, width)
    return power


@lru_cache(maxsize=4)
def _squares(polynomial: int, width: int) -> Sequence[int]:
    """x to the powers 1, 2, 4, … up to 2**63."""
    squares = [1 << (width - 2)]
    for _ in range(63):
        squares.append(_times(squares[-1], squares[-1], polynomial, width))
    return tuple(squares)


DIGEST_BYTES = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}
"""The algorithms, and the size of their sums."""

HEADER_PREFIX = b"x-amz-checksum-"


def checksum(algorithm: str) -> Checksum:
    """A fresh sum of one of DIGEST_BYTES."""
    if algorithm == "CRC32":
        return Crc32()
    if algorithm == "CRC32C":
        return Crc32c()
    if algorithm == "CRC64NVME":
        return Crc64Nvme()
    return hashlib.new(algorithm.lower(), usedforsecurity=False)


def algorithm_of(header: bytes) -> str | None:
    """The algorithm that a header or trailer named x-amz-checksum-… gives the sum of."""
    name = header.removeprefix(HEADER_PREFIX).decode("latin-1").upper()
    return name if header.startswith(HEADER_PREFIX) and name in DIGEST_BYTES else None


class Promise:
    """A sum that a client promises: given in a header now, or in a trailer later."""

    __slots__ = ("_given", "_sum", "algorithm", "header")

    def __init__(self, header: bytes, algorithm: str, given: bytes | None) -> None:
        self.header = header
        self.algorithm = algorithm
        self._given = None if given is None else self._decoded(given)
        self._sum = checksum(algorithm)

    def update(self, data: Piece) -> None:
        """The next piece of the body."""
        self._sum.update(data)

    def verify(self, trailers: Fields) -> bytes:
        """The sum of the whole body; BadDigest or InvalidRequest when it is not as promised."""
        given = self._given
        if given is None:
            given = self._decoded(trailers.get(self.header, b""))
        computed = self._sum.digest()
        if not compare_digest(given, computed):
            raise BadDigest(f"The {self.algorithm} you specified did not match the calculated checksum.")
        return computed

    def _decoded(self, given: bytes) -> bytes:
        try:
            decoded = base64.b64decode(given, validate=True)
        except binascii.Error:
            decoded = b""
        if len(decoded) != DIGEST_BYTES[self.algorithm]:
            raise InvalidRequest(f"Value for {self.header.decode('latin-1')} header is invalid.")
        return decoded


def promise_of(headers: Fields) -> Promise | None:
    """The sum that a request promises for its body; InvalidRequest for more than one."""
    found = [(name, headers[name]) for name in headers if name.startswith(HEADER_PREFIX)]
    promised: list[tuple[bytes, bytes | None]] = [pair for pair in found if algorithm_of(pair[0])]
    trailers = headers.get(b"x-amz-trailer")
    if trailers is not None:
        for part in trailers.split(b","):
            name = part.strip().lower()
            if algorithm_of(name) is None:
                raise InvalidRequest("The value specified in the x-amz-trailer header is not supported")
            promised.append((name, None))
    if not promised:
        return None
    if len(promised) > 1:
        raise InvalidRequest(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    header, given = promised[0]
    algorithm = algorithm_of(header)
    assert algorithm is not None
    return Promise(header, algorithm, given)
