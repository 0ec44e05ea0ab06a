"""Which blobs may go: those that nobody has held for an hour of real time.

State   in memory: since when a blob has been without a holder
Source  docs/architecture.md, "Blobs"
Absent  none

An id is never used again, so a blob that no record names stays so, once the commit that was to name it has
had its time: the hour covers the time between a body's end and that commit. It is real time, so moving the
cloud's clock never takes a body from under a request. It is counted from the first pass that finds the blob
without a holder, not from the blob's own age: an upload may have begun long ago and end now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cloudlet.kernel.blobs import BlobId

UNREFERENCED_MS = 3_600_000
BITS_PER_BLOB = 16  # one held blob in sixteen hides an unheld one, until the next pass draws other bits


class Held:
    """The blobs that something holds, in two bytes each: every one that was added is in it, and a few others
    seem to be."""

    __slots__ = ("_bits", "_salt", "_size")

    def __init__(self, blobs_max: int, salt: int) -> None:
        self._size = max(blobs_max, 64) * BITS_PER_BLOB
        self._bits = bytearray(self._size // 8 + 1)
        self._salt = salt

    def add(self, blob: BlobId) -> None:
        """Something holds this blob."""
        place = hash((self._salt, blob)) % self._size
        self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, blob: BlobId) -> bool:
        place = hash((self._salt, blob)) % self._size
        return bool(self._bits[place >> 3] & 1 << (place & 7))


class Unheld:
    """Remembers since when blobs have been without a holder."""

    __slots__ = ("_since_ms",)

    def __init__(self) -> None:
        self._since_ms: dict[BlobId, int] = {}

    def __len__(self) -> int:
        return len(self._since_ms)

    def note(self, unheld: Iterable[BlobId], wall_ms: int) -> Sequence[BlobId]:
        """All blobs that a pass found without a holder; those of them that may be dropped now."""
        since = {blob: self._since_ms.get(blob, wall_ms) for blob in unheld}
        due = [blob for blob, first_ms in since.items() if first_ms + UNREFERENCED_MS <= wall_ms]
        for blob in due:
            del since[blob]
        self._since_ms = since
        return due
