"""The calls that bring bytes and names to the disk, and take space there before it is needed.

State   none
Source  fdatasync(2), fsync(2), posix_fallocate(3)
Absent  fdatasync and posix_fallocate where the system has none (macOS): fsync, and zeroes that are written
"""

from __future__ import annotations

import os
from collections.abc import Callable

ZEROES = bytes(1 << 20)

sync_data: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
"""Bring a file's bytes to the disk."""


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Make the names in a folder survive power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_zeroes(descriptor: int, start: int, stop: int) -> None:
    """Overwrite [start, stop)."""
    while start < stop:
        start += os.pwrite(descriptor, ZEROES[: stop - start], start)


def reserve(descriptor: int, start: int, stop: int) -> None:
    """Take the blocks of [start, stop) of a file, or OSError (ENOSPC)."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, start, stop - start)
    else:
        write_zeroes(descriptor, start, stop)
