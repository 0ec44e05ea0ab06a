"""Identifiers of blobs: they sort by the time they were made, and none is given out twice.

State   in memory: the last one given out
Source  docs/architecture.md, "Blobs"
Absent  none

    48 bits of wall milliseconds | 16 bits of counter | 66 bits of randomness   -> 26 characters of [0-9a-v]

The time never goes back within a process: where the wall steps back, the counter goes on under the highest
time seen. Across a restart the randomness keeps ids apart.
"""

from __future__ import annotations

from cloudlet.kernel.blobs import BlobId
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.ids import Ids

DIGITS = "0123456789abcdefghijklmnopqrstuv"
CHARACTERS = 26
COUNTER_BITS, RANDOM_BITS = 16, 66


class BlobIds:
    """Gives out ids."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._last = 0  # time and counter of the last one

    def fresh(self) -> BlobId:
        """The next id, above all before it."""
        self._last = max(self._last + 1, self._clock.wall_ms() << COUNTER_BITS)
        chance = int.from_bytes(self._ids.token(9), "big") >> (72 - RANDOM_BITS)
        number = self._last << RANDOM_BITS | chance
        return BlobId("".join(DIGITS[number >> shift & 31] for shift in range(5 * (CHARACTERS - 1), -1, -5)))


def made_ms_of(blob: BlobId) -> int:
    """When a blob was begun, by its id; wall time."""
    number = 0
    for character in blob:
        number = number << 5 | DIGITS.index(character)
    return number >> (COUNTER_BITS + RANDOM_BITS)


def is_blob_id(text: str) -> bool:
    """Whether text is spelled like an id."""
    return len(text) == CHARACTERS and all(character in DIGITS for character in text)
