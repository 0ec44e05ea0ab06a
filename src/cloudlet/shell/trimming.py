"""Memory that a burst of load has left with the C library goes back to the system when the loop is idle.

State   in memory: what the process took after the last time, and the CPU time until the last look
Source  malloc_trim(3), mallopt(3): a freed block above the mmap threshold raises the threshold, so that the
        next ones lie in the heap, where one small block that lives keeps hundreds of megabytes below it
Absent  C libraries without malloc_trim (musl, macOS): nothing is done

A trim takes about 0.2 ms a megabyte that it gives back, on a thread, but who allocates meanwhile waits. So
it is done only after a second in which the process did next to nothing, and only if it may be worth it.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import time
from collections.abc import Callable
from pathlib import Path

INTERVAL_S = 1.0
IDLE_SHARE = 0.1  # of the time between two looks
GROWN_BYTES = 32 << 20  # since the last time
STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """What the process takes of the machine's memory; 0 where the system does not tell."""
    try:
        return int(STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def malloc_trim() -> Callable[[], object] | None:
    """The C library's function, bound to keep nothing; None where there is none."""
    try:
        found = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return lambda: found(ctypes.c_size_t(0))


class Trimmer:
    """Looks every second from `start` on."""

    def __init__(
        self,
        trim: Callable[[], object] | None,
        resident: Callable[[], int] = resident_bytes,
        used_s: Callable[[], float] = time.process_time,
    ) -> None:
        self._trim = trim
        self._resident = resident
        self._used_s = used_s
        self._last_s = used_s()
        self._floor = 0
        self._timer: asyncio.TimerHandle | None = None
        self._trimming: asyncio.Future[object] | None = None

    def start(self) -> None:
        if self._trim is not None:
            self._floor = self._resident()
            self._again()

    def _again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._tick)

    def _tick(self) -> None:
        self._again()
        self.look()

    def look(self) -> asyncio.Future[object] | None:
        """Trim if it is time for it; the thread's future."""
        used_s = self._used_s()
        is_idle = used_s - self._last_s < IDLE_SHARE * INTERVAL_S
        self._last_s = used_s
        if not is_idle or self._trim is None or self._trimming is not None:
            return None
        resident = self._resident()
        self._floor = min(self._floor, resident)
        if resident - self._floor < GROWN_BYTES:
            return None
        gc.collect(1)  # what the last calls have left in cycles
        self._trimming = asyncio.get_running_loop().run_in_executor(None, self._trim)
        self._trimming.add_done_callback(self._trimmed)
        return self._trimming

    def _trimmed(self, trimming: asyncio.Future[object]) -> None:
        self._trimming = None
        self._floor = self._resident()  # what is left now is in use

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
