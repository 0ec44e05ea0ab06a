"""The two times: *liveness* is monotonic and never moves, *cloud time* is wall time plus recorded steps.

State   none here; the steps are kept in keys by whoever moves the clock (shell/timekeeper.py)
Source  docs/time.md
Absent  none

Theory of operation
    A step says what cloud time was at one wall time, and whether it went on from there or stood still. The
    newest step in force gives cloud time, the first one being "cloud is wall":

        wall       10:00          10:05           10:07            10:20
                    |              |               |                |
        step        none           advance 8d      freeze           thaw
        cloud       10:00 -> 10:05 | 8d 10:05 ->   | 8d 10:07 = = = | 8d 10:07 ->

    `cloud_ms` never goes back: where the machine's clock does, it stands still until the wall has caught up,
    or until a step of its owner lets it go on from where it is.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

STEPS_MAX = 10_000  # steps remembered: below a megabyte, and a test that moves the clock all day stays there

CLOUD_MS_MAX = 253_402_300_799_999  # the end of the year 9999: later instants have no ISO 8601 form


class Clock(Protocol):
    """Where every part of the cloud reads the time; passed in, never imported."""

    def wall_ms(self) -> int:
        """Wall time, milliseconds since 1970: what a client's signature is compared with."""

    def cloud_ms(self) -> int:
        """Cloud time, milliseconds since 1970, never backward: retention, visibility, expiry run on it."""

    def monotonic_ms(self) -> float:
        """Liveness, milliseconds from an arbitrary start: long polls, timeouts, probes."""

    def cloud_at(self, wall_ms: int) -> int:
        """What cloud time was at a wall time, by the step then in force: for a time that a client brings."""

    def until_ms(self, cloud_ms: int) -> float | None:
        """Real milliseconds until cloud time reaches an instant; None while it stands still before it."""


class Step(NamedTuple):
    """At a wall time cloud time was `cloud_ms`; from there it ran with the wall, or stood still."""

    wall_ms: int
    cloud_ms: int
    is_frozen: bool = False

    def at(self, wall_ms: int) -> int:
        """Cloud time at a wall time while this step was in force."""
        return self.cloud_ms if self.is_frozen else self.cloud_ms + wall_ms - self.wall_ms


class MovableClock(Clock, Protocol):
    """A clock that its owner moves by steps."""

    @property
    def step(self) -> Step:
        """The step in force."""

    def both_ms(self) -> tuple[int, int]:
        """Wall and cloud time of one instant: read one after the other they may be a millisecond apart."""

    def move(self, step: Step) -> None:
        """Put a step in force; what the clock has shown stays the least that it shows."""

    def held_ms(self) -> int:
        """How far the wall has gone back below what was shown: cloud time stands still that long."""


class SteppedClock(ABC):
    """Cloud time over some wall clock: what the machine's clock and the one of tests share."""

    __slots__ = ("_frozen_ms", "_highest_ms", "_offset_ms", "_steps")

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._offset_ms = 0
        self._frozen_ms: int | None = None
        self._highest_ms = 0

    @abstractmethod
    def wall_ms(self) -> int: ...

    @property
    def step(self) -> Step:
        return self._steps[-1] if self._steps else Step(0, 0)

    @property
    def steps(self) -> Sequence[Step]:
        """The steps remembered, in the order in which they were made."""
        return self._steps

    def move(self, step: Step) -> None:
        self._steps.append(step)
        del self._steps[:-STEPS_MAX]
        self._highest_ms = max(self._highest_ms, step.cloud_ms)
        self._offset_ms = step.cloud_ms - step.wall_ms
        self._frozen_ms = self._highest_ms if step.is_frozen else None

    def cloud_ms(self) -> int:
        now = self.wall_ms() + self._offset_ms if self._frozen_ms is None else self._frozen_ms
        if now > self._highest_ms:
            self._highest_ms = now
        return self._highest_ms

    def both_ms(self) -> tuple[int, int]:
        wall_ms = self.wall_ms()
        now = wall_ms + self._offset_ms if self._frozen_ms is None else self._frozen_ms
        self._highest_ms = max(self._highest_ms, now)
        return wall_ms, self._highest_ms

    def held_ms(self) -> int:
        return max(self._highest_ms - self._raw_ms(), 0)

    def cloud_at(self, wall_ms: int) -> int:
        for step in reversed(self._steps):
            if step.wall_ms <= wall_ms:
                return step.at(wall_ms)
        # Before the first step cloud time was wall time; where that one is forgotten, it was not above this.
        return min(wall_ms, self._steps[0].cloud_ms) if self._steps else wall_ms

    def until_ms(self, cloud_ms: int) -> float | None:
        left_ms = cloud_ms - self._raw_ms()
        if left_ms <= 0:
            return 0.0
        return None if self._frozen_ms is not None else float(left_ms)

    def _raw_ms(self) -> int:
        if self._frozen_ms is not None:
            return self._frozen_ms
        return self.wall_ms() + self._offset_ms


class SystemClock(SteppedClock):
    """The machine's clocks."""

    __slots__ = ()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        return time.monotonic() * 1000.0


class ManualClock(SteppedClock):
    """A clock that moves only when told: the clock of tests and simulations."""

    __slots__ = ("_monotonic_ms", "_wall_ms")

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        super().__init__()
        self._wall_ms = now_ms
        self._monotonic_ms = 0.0

    def wall_ms(self) -> int:
        return self._wall_ms

    def monotonic_ms(self) -> float:
        return self._monotonic_ms

    def pass_ms(self, elapsed_ms: int) -> None:
        """Let real time pass: all three move, but cloud time where it is frozen."""
        self._wall_ms += elapsed_ms
        self._monotonic_ms += elapsed_ms

    def set_wall_ms(self, wall_ms: int) -> None:
        """Set the wall clock, as an administrator does: liveness goes on."""
        self._wall_ms = wall_ms

    def advance_ms(self, step_ms: int) -> None:
        """Move cloud time alone, as `cloudlet clock advance` does."""
        self.move(Step(self._wall_ms, self.cloud_ms() + step_ms, self.step.is_frozen))

    def freeze(self) -> None:
        """Stop cloud time, as `cloudlet clock freeze` does."""
        self.move(Step(self._wall_ms, self.cloud_ms(), is_frozen=True))

    def thaw(self) -> None:
        """Let it go on from where it stands."""
        self.move(Step(self._wall_ms, self.cloud_ms()))
