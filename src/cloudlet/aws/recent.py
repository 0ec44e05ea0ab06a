"""The records appended last, so that a consumer close behind its producer reads no disk.

State   in memory: at most twice BYTES_MAX
Source  docs/architecture.md, "Logs and traffic"
Absent  none
"""

from __future__ import annotations

BYTES_MAX = 512 << 10  # of each of two generations
RECORD_BYTES = 200  # what keeping one takes beside itself


class Recent:
    """Records under their opened log's serial and their offset, in two generations: when the young one is
    full the old one goes."""

    __slots__ = ("_bytes", "_old", "_young")

    def __init__(self) -> None:
        self._young: dict[tuple[int, int], bytes] = {}
        self._old: dict[tuple[int, int], bytes] = {}
        self._bytes = 0

    def put(self, serial: int, offset: int, record: bytes) -> None:
        """Keep one for a while."""
        self._bytes += len(record) + RECORD_BYTES
        if self._bytes > BYTES_MAX:
            self._old, self._young = self._young, {}
            self._bytes = len(record) + RECORD_BYTES
        self._young[serial, offset] = record

    def find(self, serial: int, offset: int) -> bytes | None:
        """The record, if it is still kept."""
        key = serial, offset
        return self._young.get(key) or self._old.get(key)

    def clear(self) -> None:
        """Let all go."""
        self._young, self._old, self._bytes = {}, {}, 0
