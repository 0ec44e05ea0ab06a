"""Loop lag: how late the event loop is, measured by a timer that should have fired on time.

State   in memory: the worst lag of the last minute
Source  docs/architecture.md, "Decide, then commit, then act"
Absent  none
"""

from __future__ import annotations

import asyncio
from collections import deque

INTERVAL_S = 0.25
KEPT = 240  # a minute of measurements


class LoopLag:
    """Measures from `start` on, while the loop runs."""

    def __init__(self) -> None:
        self._lags_s: deque[float] = deque(maxlen=KEPT)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + INTERVAL_S, self._measure, loop.time() + INTERVAL_S)

    def _measure(self, due_s: float) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._lags_s.append(max(now - due_s, 0.0))
        self._timer = loop.call_at(now + INTERVAL_S, self._measure, now + INTERVAL_S)

    def worst_s(self) -> float:
        """The worst of the last minute."""
        return max(self._lags_s, default=0.0)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
