"""Alarms: wake-ups by cloud time, which tests and users may move or stop.

State   in memory: the alarms set
Source  docs/time.md
Absent  none

An alarm rings once, at the turn of the loop after cloud time has reached its instant: when real time has
brought it there, or when the clock is moved over it. While cloud time stands still nothing ticks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cloudlet.kernel.clock import Clock


class Alarm:
    """One alarm; `cancel` it where nobody waits any more."""

    __slots__ = ("_alarms", "_timer", "at_ms", "ring")

    def __init__(self, alarms: Alarms, at_ms: int, ring: Callable[[], None]) -> None:
        self._alarms = alarms
        self._timer: asyncio.TimerHandle | None = None
        self.at_ms = at_ms
        self.ring = ring

    def arm(self, left_ms: float | None) -> None:
        """Look again after so much real time, or not before the clock is moved."""
        self.disarm()
        if left_ms is not None:
            self._timer = asyncio.get_running_loop().call_later(left_ms / 1000, self._alarms.look, self)

    def disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def cancel(self) -> None:
        """Never ring."""
        self.disarm()
        self._alarms.forget(self)


class Alarms:
    """All alarms of a cloud."""

    __slots__ = ("_clock", "_set")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._set: dict[Alarm, None] = {}

    def __len__(self) -> int:
        return len(self._set)

    def at(self, cloud_ms: int, ring: Callable[[], None]) -> Alarm:
        """Ring when cloud time has reached an instant, never within this call."""
        alarm = Alarm(self, cloud_ms, ring)
        self._set[alarm] = None
        alarm.arm(self._clock.until_ms(cloud_ms))
        return alarm

    def look(self, alarm: Alarm) -> None:
        """Ring if it is time, else wait for the rest: a timer of the loop may be early by its resolution."""
        if alarm.at_ms <= self._clock.cloud_ms():
            alarm.cancel()
            alarm.ring()
        else:
            alarm.arm(self._clock.until_ms(alarm.at_ms))

    def clock_moved(self) -> None:
        """Cloud time has jumped, stopped or gone on: everything that waits for it looks again."""
        for alarm in list(self._set):
            alarm.arm(self._clock.until_ms(alarm.at_ms))

    def forget(self, alarm: Alarm) -> None:
        self._set.pop(alarm, None)

    async def wait(self, cloud_ms: int) -> None:
        """Wait until cloud time has reached an instant."""
        rung = asyncio.Event()
        alarm = self.at(cloud_ms, rung.set)
        try:
            await rung.wait()
        finally:
            alarm.cancel()
