"""The gate between deciding and doing: who closes it finds no call half done.

State   in memory: how many calls are inside, who waits
Source  docs/checkpoints.md
Absent  none

A call enters once it has decided and leaves when its commit is settled or its last append is done; both are
on the loop, so a call on local, relaxed stores is inside for no turn of the loop at all. While the gate is
closed nobody decides, so what is decided later is decided on what the stores hold then.
"""

from __future__ import annotations

import asyncio


class Gate:
    """Open until `close`."""

    __slots__ = ("_emptied", "_inside", "_opened")

    def __init__(self) -> None:
        self._inside = 0
        self._opened: asyncio.Future[None] | None = None  # while the gate is closed
        self._emptied: asyncio.Future[None] | None = None

    @property
    def is_closed(self) -> bool:
        """Whether nobody may decide now."""
        return self._opened is not None

    async def opened(self) -> None:
        """Wait until the gate is open."""
        while self._opened is not None:
            await asyncio.shield(self._opened)

    def enter(self) -> None:
        """A call has decided."""
        self._inside += 1

    def leave(self) -> None:
        """What it decided is done, or refused."""
        self._inside -= 1
        if self._emptied is not None and not self._inside and not self._emptied.done():
            self._emptied.set_result(None)

    async def close(self) -> None:
        """Let nobody decide any more, and wait until those inside have left. One at a time."""
        assert self._opened is None, "the gate is closed"
        loop = asyncio.get_running_loop()
        self._opened = loop.create_future()
        if self._inside:
            self._emptied = loop.create_future()
            await self._emptied
            self._emptied = None

    def open(self) -> None:
        """Let calls decide again."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.set_result(None)
