"""How many segment files are open at once, and the small checkpoint files beside them.

State   `leader-epoch-checkpoint`, `log-start-offset-checkpoint` in a log's folder
Source  Apache Kafka 4, CheckpointFile: a version line, a count line, one line an entry
Absent  none
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from cloudlet.engines.disk_segment import Segment
from cloudlet.engines.disk_shortage import NO_DESCRIPTOR

ASIDE = "~"
_VERSION = "0"

T = TypeVar("T")


class OpenFiles:
    """At most `descriptors_max` open segments. The one that goes has not been used since its last turn: the
    hot path sets a flag instead of moving a list's entry."""

    def __init__(self, descriptors_max: int, lock: Lock) -> None:
        self._lock = lock
        self._max = max(descriptors_max, 2)
        self._open: deque[Segment] = deque()

    def open(self, segment: Segment, flags: int = os.O_RDWR) -> int:
        """The segment's descriptor, opened if it is not."""
        if segment.fd < 0:
            while len(self._open) >= self._max:
                self._evict()
            segment.fd = self.with_room(lambda: os.open(segment.path, flags | os.O_CLOEXEC, 0o600))
            self._open.append(segment)
        segment.used = True
        return segment.fd

    def with_room(self, work: Callable[[], T]) -> T:
        """Do what opens a file before anything else; where none can be opened, a segment is let go of."""
        while True:
            try:
                return work()
            except OSError as error:
                if error.errno not in NO_DESCRIPTOR or not self._open:
                    raise
            count = len(self._open)
            while len(self._open) == count:
                self._evict()

    def close(self, segment: Segment) -> None:
        if segment.fd >= 0:
            self._open.remove(segment)
            os.close(segment.fd)
            segment.fd = -1

    def close_all(self) -> None:
        while self._open:
            self.close(self._open[0])

    def _evict(self) -> None:
        segment = self._open.popleft()
        if segment.used:
            segment.used = False
            self._open.append(segment)
            return
        os.close(segment.fd)
        segment.fd = -1
        segment.unload_index(self._lock)


def write_checkpoint(path: str, lines: list[str], *, durable: bool) -> None:
    """Replace a checkpoint file as a whole. OSError leaves the old one."""
    aside = path + ASIDE
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        data = "\n".join((_VERSION, str(len(lines)), *lines, "")).encode()
        if os.write(fd, data) != len(data):
            raise OSError(errno.ENOSPC, "no space for a checkpoint", path)
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(aside, path)
    if durable:
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_checkpoint(path: str) -> list[list[str]] | None:
    """The entries' words; None if the file is not there or not whole."""
    try:
        with open(path, encoding="ascii") as file:
            version, count, *lines = file.read().split("\n")
        if version == _VERSION and int(count) == len(lines) - 1 and not lines[-1]:
            return [line.split(" ") for line in lines[:-1]]
    except (FileNotFoundError, ValueError):
        pass
    return None
