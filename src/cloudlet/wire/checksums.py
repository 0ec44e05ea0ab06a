"""The checksums that S3 takes with a body, in a header or after it.

State   none beyond the body at hand
Source  S3 User Guide, "Checking object integrity"; RFC 3720 appendix B.4 (CRC-32C); NVM Express, NVM Command
        Set specification 1.0, "64b CRC" (polynomial ad93d23594c93659)
Absent  MD5, XXHASH and SHA-512 as flexible checksums
"""

from __future__ import annotations

import binascii
import hashlib
import importlib
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
NotImplementedYet = Fault("NotImplemented", status=501)

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


class Crc64Nvme:
    """CRC-64/NVME, the sum that S3 adds to a body that has none."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: Piece, /) -> None:
        """The next piece."""
        self._value = _model("CRC64NVME").calc(data, self._value)

    def digest(self) -> bytes:
        """Eight bytes."""
        return self._value.to_bytes(8, "big")


MODELS = {"CRC32": "CRC32", "CRC32C": "CRC32-ISCSI", "CRC64NVME": "CRC64-NVME"}
"""The CRCs, by the names that the library has for them."""


class Model(Protocol):
    """A CRC of the library."""

    def calc(self, data: Piece, value: int) -> int:
        """The sum of what has been read and of more."""

    def combine(self, value: int, more: int, more_bytes: int) -> int:
        """The sum of two bodies in a row, from their sums and the length of the second."""


@lru_cache(maxsize=4)
def _model(algorithm: str) -> Model:
    """Loaded when the first body asks for it: 14 ms."""
    found: Model = importlib.import_module("anycrc").Model(MODELS[algorithm])
    return found


def combined(algorithm: str, parts: Sequence[tuple[bytes, int]]) -> bytes:
    """The CRC of a body from the CRCs and the sizes, in bytes, of the parts that it is cut into."""
    model = _model(algorithm)
    value = 0
    for digest, size_bytes in parts:
        value = model.combine(value, int.from_bytes(digest, "big"), size_bytes)
    return value.to_bytes(DIGEST_BYTES[algorithm], "big")


DIGEST_BYTES = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}
"""The algorithms, and the size of their sums."""

ANNOUNCEMENT = b"x-amz-sdk-checksum-algorithm"
SUM_PREFIX = b"x-amz-checksum-"
NO_SUMS = frozenset({b"x-amz-checksum-algorithm", b"x-amz-checksum-mode", b"x-amz-checksum-type"})

ALGORITHMS_ABSENT = frozenset({"MD5", "SHA512", "XXHASH3", "XXHASH64", "XXHASH128"})

ALGORITHM_OF_HEADER = {f"x-amz-checksum-{name.lower()}".encode(): name for name in DIGEST_BYTES}


def checksum(algorithm: str) -> Checksum:
    """A fresh sum of one of DIGEST_BYTES."""
    if algorithm == "CRC32":
        return Crc32()
    if algorithm == "CRC32C":
        return Crc32c()
    if algorithm == "CRC64NVME":
        return Crc64Nvme()
    return hashlib.new(algorithm.lower(), usedforsecurity=False)


def digest_of(algorithm: str, data: bytes) -> bytes:
    """The sum of a body that is whole."""
    if algorithm == "MD5":
        return hashlib.md5(data, usedforsecurity=False).digest()
    if algorithm == "CRC32":
        return isal_zlib.crc32(data).to_bytes(4, "big")
    summed = checksum(algorithm)
    summed.update(data)
    return summed.digest()


def algorithm_of(header: bytes) -> str | None:
    """The algorithm that a header or trailer named x-amz-checksum-… gives the sum of."""
    return ALGORITHM_OF_HEADER.get(header)


class Promise:
    """A sum that a client promises: given in a header now, or in a trailer later."""

    __slots__ = ("_given", "algorithm", "header")

    def __init__(self, header: bytes, algorithm: str, given: bytes | None) -> None:
        self.header = header
        self.algorithm = algorithm
        self._given = None if given is None else self._decoded(given)

    def compare(self, computed: bytes, trailers: Fields) -> None:
        """BadDigest or InvalidRequest when the sum of the whole body is not as promised."""
        given = self._given
        if given is None:
            given = self._decoded(trailers.get(self.header, b""), " trailing")
        if not compare_digest(given, computed):
            raise BadDigest(f"The {self.algorithm} you specified did not match the calculated checksum.")

    def _decoded(self, given: bytes, kind: str = "") -> bytes:
        try:
            decoded = binascii.a2b_base64(given, strict_mode=True)
        except binascii.Error:
            decoded = b""
        if len(decoded) != DIGEST_BYTES[self.algorithm]:
            raise InvalidRequest(f"Value for {self.header.decode('latin-1')}{kind} header is invalid.")
        return decoded


def promise_of(headers: Fields) -> Promise | None:
    """The sum that a request promises for its body; InvalidRequest for more than one."""
    found: Promise | None = None
    given = headers.keys() & ALGORITHM_OF_HEADER.keys()
    if len(given) > 1:
        raise _several()
    for header in given:
        found = Promise(header, ALGORITHM_OF_HEADER[header], headers[header])
    trailers = headers.get(b"x-amz-trailer")
    if trailers is not None:
        for part in trailers.split(b","):
            name = part.strip().lower()
            promised = algorithm_of(name)
            if promised is None:
                algorithm = name.decode("latin-1").removeprefix("x-amz-checksum-").upper()
                if algorithm in ALGORITHMS_ABSENT:
                    raise absent(algorithm)
                raise InvalidRequest("The value specified in the x-amz-trailer header is not supported")
            if found is not None:
                raise _several()
            found = Promise(name, promised, None)
    announced = headers.get(ANNOUNCEMENT)
    if announced is not None:
        check_announced(announced, found)
    elif found is None and any(map(is_unknown_sum, headers)):
        raise InvalidRequest("The algorithm type you specified in x-amz-checksum- header is invalid.")
    return found


def absent(algorithm: str) -> Fault:
    """S3 has this algorithm and this cloud has not."""
    return NotImplementedYet(f"The checksum algorithm {algorithm} is not implemented by cloudlet")


def check_announced(announced: bytes, found: Promise | None) -> None:
    """Refuse a sum that is announced and does not come, or another one."""
    name = ANNOUNCEMENT.decode()
    algorithm = announced.decode("latin-1").upper()
    if algorithm in ALGORITHMS_ABSENT:
        raise absent(algorithm)
    if found is None:
        raise InvalidRequest(
            f"{name} specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
        )
    if algorithm != found.algorithm:
        raise InvalidRequest(f"Value for {name} header is invalid.")


def is_unknown_sum(header: bytes) -> bool:
    """Whether a header's name is that of a sum, and of none that there is."""
    if not header.startswith(SUM_PREFIX) or header in NO_SUMS:
        return False
    return header.removeprefix(SUM_PREFIX).decode("latin-1").upper() not in ALGORITHMS_ABSENT


def _several() -> Fault:
    return InvalidRequest(
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
    )
