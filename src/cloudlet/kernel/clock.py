"""The two times: *liveness* is monotonic and never moves, *cloud time* is wall time plus recorded steps.

State   none here; the steps are kept in keys by whoever owns the clock
Source  docs/architecture.md, "Time"
Absent  moving the clock from outside (`cloudlet clock`)
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where every part of the cloud reads the time; passed in, never imported."""

    def wall_ms(self) -> int:
        """Wall time, milliseconds since 1970: what a client's signature is compared with."""

    def cloud_ms(self) -> int:
        """Cloud time, milliseconds since 1970, never backward: retention, visibility, expiry run on it."""

    def monotonic_ms(self) -> float:
        """Liveness, milliseconds from an arbitrary start: long polls, timeouts, probes."""


class SystemClock:
    """The machine's clocks; cloud time is held at its highest value when the wall steps back."""

    __slots__ = ("_highest_ms", "_step_ms")

    def __init__(self, step_ms: int = 0) -> None:
        self._step_ms = step_ms
        self._highest_ms = 0

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def cloud_ms(self) -> int:
        now = time.time_ns() // 1_000_000 + self._step_ms
        if now > self._highest_ms:
            self._highest_ms = now
        return self._highest_ms

    def monotonic_ms(self) -> float:
        return time.monotonic() * 1000.0


class ManualClock:
    """A clock that moves only when told: the clock of tests and simulations."""

    __slots__ = ("_cloud_ms", "_monotonic_ms", "_wall_ms")

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._wall_ms = now_ms
        self._cloud_ms = now_ms
        self._monotonic_ms = 0.0

    def wall_ms(self) -> int:
        return self._wall_ms

    def cloud_ms(self) -> int:
        return self._cloud_ms

    def monotonic_ms(self) -> float:
        return self._monotonic_ms

    def pass_ms(self, elapsed_ms: int) -> None:
        """Let real time pass: all three move."""
        self._wall_ms += elapsed_ms
        self._cloud_ms += elapsed_ms
        self._monotonic_ms += elapsed_ms

    def advance_ms(self, step_ms: int) -> None:
        """Move cloud time alone, as `cloudlet clock advance` does."""
        self._cloud_ms += step_ms
