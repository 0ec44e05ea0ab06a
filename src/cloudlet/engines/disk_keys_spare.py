"""The next segment of the keys log, made ready on another thread before it is needed.

State   in memory: whether one is being made
Source  disk_keys_log.py, "Space is taken before it is needed"
Absent  none
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cloudlet.engines.disk_keys_log import FULL, Log, Spare

AGAIN_S = 1.0  # after a full disk


class SpareSegments:
    """Keeps a log in spare segments."""

    def __init__(
        self, log: Log, loop: asyncio.AbstractEventLoop, fail: Callable[[BaseException], None]
    ) -> None:
        self._log = log
        self._loop = loop
        self._fail = fail
        self._preparing: asyncio.Future[Spare] | None = None
        self._is_ending = False

    def look(self) -> None:
        """It is time for one: begin, unless it is on its way."""
        if self._preparing is None and not self._is_ending:
            self._preparing = self._loop.run_in_executor(None, self._prepare)
            self._preparing.add_done_callback(self._prepared)

    async def finish(self) -> None:
        """Wait for the one that is being made, and make no other: the folder is to be somebody else's."""
        self._is_ending = True
        if self._preparing is not None:
            await asyncio.wait([self._preparing])
            await asyncio.sleep(0)  # `_prepared` runs first

    def _prepare(self) -> Spare:
        return self._log.prepare(self._log.settings.segment_bytes, zeroed=True)

    def _prepared(self, future: asyncio.Future[Spare]) -> None:
        error = future.exception()
        if error is None:
            self._log.adopt(future.result())
            self._preparing = None
        elif isinstance(error, OSError) and error.errno in FULL:
            # The commit that needs the segment tries again, and is told.
            self._loop.call_later(AGAIN_S, self._forget)
        else:
            self._fail(error)

    def _forget(self) -> None:
        self._preparing = None
