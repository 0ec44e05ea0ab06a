"""Long work in short turns of the loop.

State   none
Source  docs/architecture.md, "Processes": no turn of the loop is longer than 10 ms
Absent  none

Work without a loop of its own (a codec, a search) is a generator that yields between two steps of it, each of
a millisecond at most, and returns what came of it. Whoever has it done in one go takes the `whole`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TypeVar

from cloudlet.kernel.clock import Clock

TURN_MS = 2.0

T = TypeVar("T")
Steps = Generator[None, None, T]


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


async def in_turns(steps: Steps[T], turn: Turn) -> T:
    """What comes of some work, done a turn at a time."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found
        if turn.is_over():
            await turn.end()


def whole(steps: Steps[T]) -> T:
    """What comes of some work, done at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found
