"""Long work in short turns of the loop.

State   none
Source  docs/architecture.md, "Processes": no turn of the loop is longer than 10 ms
Absent  none
"""

from __future__ import annotations

import asyncio

from cloudlet.kernel.clock import Clock

TURN_MS = 2.0


class Turn:
    """One piece of work that may take long: `if turn.is_over(): await turn.end()` between two steps of it."""

    __slots__ = ("_clock", "_ends_ms")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends_ms = clock.monotonic_ms() + TURN_MS

    def is_over(self) -> bool:
        """Whether others are to have their turn."""
        return self._clock.monotonic_ms() > self._ends_ms

    async def end(self) -> None:
        """Let others have their turn."""
        await asyncio.sleep(0)
        self._ends_ms = self._clock.monotonic_ms() + TURN_MS
