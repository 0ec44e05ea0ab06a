"""A stretch of a file as memory: what is stored there is the operating system's at once, without a call.

State   none beyond the bytes of the file
Source  mmap(2), "MAP_SHARED"; docs/decisions/0007-small-bodies.md
Absent  other systems than Linux, where every write is a call: only there a sync of the file surely brings
        what was stored in its memory to the disk too

A call to write a few hundred bytes costs four microseconds of a busy process, of which the copy is the least.
Stored into a shared mapping the same bytes are in the page cache as soon as the copy is done: `pread` finds
them, fdatasync writes them, and kill -9 takes none of them. It may cut short the very copy that it
interrupts, as it may a write.

Memory cannot refuse: to store where the file has no room is the end of the process. So a window is used only
over space that was reserved before, where a full disk has been met already.
"""

from __future__ import annotations

import errno
import mmap
import os
import sys

WINDOW_BYTES = 1 << 20  # mapped at a time: what was touched of it counts as memory of the process
STORED_BYTES_MAX = 8 << 10  # more costs less by a call than by a fault for each of its pages
IS_COHERENT = sys.platform == "linux"


class Window:
    """Writes into the first `size_bytes` of a file, which are reserved."""

    __slots__ = ("_descriptor", "_is_mappable", "_length", "_map", "_start", "size_bytes")

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self._descriptor = descriptor
        self.size_bytes = size_bytes
        self._is_mappable = IS_COHERENT
        self._map: mmap.mmap | None = None
        self._start = self._length = 0

    def write(self, data: bytes, at: int) -> None:
        """Write at a place of the file; an OSError may leave a part of it there."""
        size = len(data)
        start = at - self._start
        mapped = self._map
        if mapped is not None and 0 <= start <= self._length - size and size <= STORED_BYTES_MAX:
            mapped[start : start + size] = data
        elif not self._is_mappable or size > STORED_BYTES_MAX or not self._moved(at, size):
            _write_all(self._descriptor, data, at)
        else:
            assert self._map is not None
            self._map[at - self._start : at - self._start + size] = data

    def call(self, data: bytes, at: int) -> None:
        """The same by a call: less work where a sync follows at once. Each sync protects the pages that it
        takes, and the next byte that is stored into one is a fault."""
        _write_all(self._descriptor, data, at)

    def _moved(self, at: int, size: int) -> bool:
        """Move to where a write falls; False where none can hold it."""
        start = at // WINDOW_BYTES * WINDOW_BYTES
        length = min(WINDOW_BYTES, self.size_bytes - start)
        if at + size > start + length:
            return False
        self.close()
        try:
            self._map = mmap.mmap(self._descriptor, length, offset=start)
        except (OSError, ValueError):
            self._is_mappable = False  # a file system that cannot, or a file that is shorter than was said
            return False
        self._start, self._length = start, length
        return True

    def close(self) -> None:
        """Let go of the memory; the file stays open."""
        if self._map is not None:
            self._map.close()
            self._map = None


def _write_all(descriptor: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        count = os.pwrite(descriptor, rest, at + len(data) - len(rest))
        if not count:
            raise OSError(errno.EIO, "nothing was written")
        rest = rest[count:]
