"""A logs store that behaves as badly as the port allows: for tests of what stands on it.

State   none of its own; the wrapped store's
Source  docs/architecture.md, "Decide, then commit, then act"
Absent  none

It appends control batches of a foreign owner before appends that name an offset, so that they are refused;
lets turns of the loop pass in every call that may wait; and loses replies: an append is done, or not, and the
caller is told that nobody knows (OutcomeUnknown). What it does is drawn from a seed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from cloudlet.kernel.fault import OutcomeUnknown
from cloudlet.kernel.keys import Durability
from cloudlet.kernel.logs import Ends, LogName, Logs, Offset
from cloudlet.wire.kafka.records import CONTROL, Record, encode

TURNS_MAX = 3
IN_A_ROW_MAX = 4  # refusals of one appender: below what it bears


class HostileLogs:
    """Wraps any logs store."""

    def __init__(
        self, inner: Logs, random: Random, *, conflicts: float = 0.25, delays: float = 0.25, lost: float = 0.0
    ) -> None:
        self.inner = inner
        self.conflicts_made = 0
        self.replies_lost = 0
        self._random = random
        self._conflicts = conflicts
        self._delays = delays
        self._lost = lost
        self._in_a_row = 0

    async def append(
        self,
        log: LogName,
        batches: bytes,
        *,
        at: Offset | None = None,
        epoch: int = 0,
        durability: Durability = Durability.RELAXED,
    ) -> Offset:
        await self._dawdle()
        if at is not None and self._in_a_row < IN_A_ROW_MAX and self._random.random() < self._conflicts:
            self._in_a_row += 1
            self.conflicts_made += 1
            await self.inner.append(log, encode([Record(b"foreign")], attributes=CONTROL), epoch=epoch)
        else:
            self._in_a_row = 0
        if self._random.random() < self._lost:
            self.replies_lost += 1
            if self._random.random() < 0.5:
                await self.inner.append(log, batches, at=at, epoch=epoch, durability=durability)
            raise OutcomeUnknown
        offset = await self.inner.append(log, batches, at=at, epoch=epoch, durability=durability)
        await self._dawdle()
        return offset

    async def read(self, log: LogName, offset: Offset, *, bytes_max: int) -> bytes:
        await self._dawdle()
        return await self.inner.read(log, offset, bytes_max=bytes_max)

    def ends(self, log: LogName) -> Ends:
        return self.inner.ends(log)

    def epoch(self, log: LogName) -> int:
        return self.inner.epoch(log)

    def size(self, log: LogName) -> int:
        return self.inner.size(log)

    def names(self, prefix: str = "") -> Sequence[LogName]:
        return self.inner.names(prefix)

    async def trim(self, log: LogName, start: Offset) -> None:
        await self._dawdle()
        await self.inner.trim(log, start)

    async def truncate(self, log: LogName, stop: Offset) -> None:
        await self._dawdle()
        await self.inner.truncate(log, stop)

    async def fence(self, log: LogName, epoch: int) -> None:
        await self._dawdle()
        await self.inner.fence(log, epoch)

    async def drop(self, log: LogName) -> None:
        await self._dawdle()
        await self.inner.drop(log)

    async def sync(self) -> None:
        await self.inner.sync()

    async def close(self) -> None:
        await self.inner.close()

    async def _dawdle(self) -> None:
        """Let some turns of the loop pass, or none."""
        if self._random.random() < self._delays:
            for _ in range(self._random.randint(1, TURNS_MAX)):
                await asyncio.sleep(0)
