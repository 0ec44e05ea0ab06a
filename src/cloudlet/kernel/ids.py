"""Identifiers and randomness, passed in so that a simulation can replay them from a seed.

State   none
Source  RFC 4122 section 4.4 (version 4 UUIDs)
Absent  none
"""

from __future__ import annotations

import os
from collections.abc import Callable

RandomBytes = Callable[[int], bytes]
"""n -> n random bytes."""

VARIANTS = "89ab"
POOL_BYTES = 4096  # one system call then serves 256 UUIDs


class Ids:
    """A source of random identifiers; `random_bytes` is the operating system's unless a test passes
    another."""

    __slots__ = ("_pool", "_position", "_random_bytes", "_uuids")

    def __init__(self, random_bytes: RandomBytes = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._pool = b""
        self._position = 0
        self._uuids: list[str] = []  # made many at a time, while what it takes is at hand

    def token(self, size_bytes: int) -> bytes:
        """Fresh random bytes, never handed out twice."""
        start = self._position
        stop = start + size_bytes
        if stop > len(self._pool):
            self._pool = self._random_bytes(max(POOL_BYTES, size_bytes))
            start, stop = 0, size_bytes
        self._position = stop
        return self._pool[start:stop]

    def uuid(self) -> str:
        """A version 4 UUID in its canonical spelling."""
        if not self._uuids:
            raw = self._random_bytes(POOL_BYTES)
            self._uuids = [uuid_of(raw[start : start + 16]) for start in range(0, POOL_BYTES, 16)]
        return self._uuids.pop()


def uuid_of(raw: bytes) -> str:
    """16 random bytes as a version 4 UUID."""
    # RFC 4122 4.4: "Set the two most significant bits (bits 6 and 7) of the clock_seq_hi_and_reserved to zero
    # and one"; the version, 0100, goes into the top of time_hi_and_version.
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{VARIANTS[raw[8] >> 4 & 3]}{text[17:20]}-{text[20:]}"
