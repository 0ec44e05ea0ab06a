"""Identifiers of blobs: they sort by the time they were made, and none is given out twice.

State   in memory: the last one given out
Source  docs/architecture.md, "Blobs"
Absent  none

    48 bits of wall milliseconds | 16 bits of counter | 66 bits of tail   -> 26 characters of [0-9a-v]

The tail is a zero and randomness, or what an engine wants to know of its own bodies.

The time never goes back within a process: where the wall steps back, the counter goes on under the highest
time seen. Across a restart the tail keeps ids apart.
"""

from __future__ import annotations

from cloudlet.kernel.blobs import BlobId
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.ids import Ids

DIGITS = "0123456789abcdefghijklmnopqrstuv"
SPELLING = frozenset(DIGITS)
CHARACTERS = 26
COUNTER_BITS, TAIL_BITS = 16, 66
PAIRS = tuple(first + second for first in DIGITS for second in DIGITS)


class BlobIds:
    """Gives out ids."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._last = 0  # time and counter of the last one
        self._high = -1  # their first 60 bits, and how they are spelled
        self._stem = ""

    def fresh(self, tail: int | None = None) -> BlobId:
        """The next id, above all before it; its tail begins with a zero unless one is given."""
        self._last = max(self._last + 1, self._clock.wall_ms() << COUNTER_BITS)
        if tail is None:
            tail = int.from_bytes(self._ids.token(9), "big") >> (73 - TAIL_BITS)
        # 130 bits: 60 that stay for some ids in a row, and two numbers that are small, and so quick to shift.
        high = self._last >> 4
        if high != self._high:
            self._high = high
            self._stem = (
                f"{PAIRS[high >> 50]}{PAIRS[high >> 40 & 1023]}{PAIRS[high >> 30 & 1023]}"
                f"{PAIRS[high >> 20 & 1023]}{PAIRS[high >> 10 & 1023]}{PAIRS[high & 1023]}"
            )
        middle, low = (self._last & 15) << 26 | tail >> 40, tail & (1 << 40) - 1
        return BlobId(
            f"{self._stem}{PAIRS[middle >> 20]}{PAIRS[middle >> 10 & 1023]}{PAIRS[middle & 1023]}"
            f"{PAIRS[low >> 30]}{PAIRS[low >> 20 & 1023]}{PAIRS[low >> 10 & 1023]}{PAIRS[low & 1023]}"
        )


def made_ms_of(blob: BlobId) -> int:
    """When a blob was begun, by its id; wall time."""
    return int(blob, 32) >> (COUNTER_BITS + TAIL_BITS)


def tail_of(blob: BlobId) -> int:
    """The last 66 bits of an id."""
    return int(blob, 32) & (1 << TAIL_BITS) - 1


def is_blob_id(text: str) -> bool:
    """Whether text is spelled like an id."""
    return len(text) == CHARACTERS and SPELLING.issuperset(text)
