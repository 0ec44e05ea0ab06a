"""A line of calls that wait for one log, woken one by one in the order in which they came.

State   in memory: the line
Source  docs/architecture.md, "Decide, then commit, then act"
Absent  none
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from cloudlet.aws.alarms import Alarm, Alarms

LINE_MAX = 10_000  # calls waiting for one log; one more is not queued, it looks again when its time is up

Turn = asyncio.Future[None]


class WaitingLine:
    """Made with the first waiter, forgotten (`forget`) with the last."""

    __slots__ = ("_alarm", "_alarms", "_forget", "_turns")

    def __init__(self, alarms: Alarms, forget: Callable[[], object]) -> None:
        self._alarms = alarms
        self._forget = forget
        self._turns: OrderedDict[Turn, None] = OrderedDict()
        self._alarm: Alarm | None = None

    def __len__(self) -> int:
        return len(self._turns)

    async def wait(self, left_ms: float, wake_at_ms: int | None, *, again: bool) -> None:
        """Wait for one's turn, at most `left_ms`; a cancelled wait passes its turn on.

        All who wait judge the same state, so the newest `wake_at_ms` (cloud time at which it changes by
        itself) holds for everybody.
        """
        loop = asyncio.get_running_loop()
        if len(self._turns) >= LINE_MAX:
            await asyncio.sleep(left_ms / 1000)
            return
        turn: Turn = loop.create_future()
        self._turns[turn] = None
        if again:
            self._turns.move_to_end(turn, last=False)
        timeout = loop.call_later(max(left_ms, 0) / 1000, _give, turn)
        self._set_alarm(wake_at_ms)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._turns.pop(turn, None)
                self.wake()
            raise
        finally:
            timeout.cancel()
            self._leave(turn)

    def wake(self) -> None:
        """Give the first in line its turn."""
        for turn in self._turns:
            if not turn.cancelled():  # one whose client is gone has not left the line yet
                _give(turn)
                return

    def wake_all(self) -> None:
        """Give everybody a turn."""
        for turn in list(self._turns):
            _give(turn)

    def _leave(self, turn: Turn) -> None:
        self._turns.pop(turn, None)
        if not self._turns:
            self._set_alarm(None)
            self._forget()

    def _set_alarm(self, wake_at_ms: int | None) -> None:
        if self._alarm is not None:
            if wake_at_ms == self._alarm.at_ms:
                return
            self._alarm.cancel()
            self._alarm = None
        if wake_at_ms is not None:
            self._alarm = self._alarms.at(wake_at_ms, self._on_time)

    def _on_time(self) -> None:
        self._alarm = None
        self.wake()


def _give(turn: Turn) -> None:
    if not turn.done():
        turn.set_result(None)
