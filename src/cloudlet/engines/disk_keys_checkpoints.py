"""When the keys store on disk makes a checkpoint, and what it lets go of behind one.

State   DATA/keys/checkpoint (disk_keys_checkpoint); in memory: the one in the making, where the last stands
Source  docs/architecture.md, "Keys"
Absent  none
"""

from __future__ import annotations

import asyncio
import logging

from cloudlet.engines import disk_keys_checkpoint as checkpoint
from cloudlet.engines.disk_keys_log import FULL, Log
from cloudlet.engines.disk_keys_past import DiskPast
from cloudlet.engines.disk_keys_sync import Fatal, GroupSync
from cloudlet.engines.disk_thread import on_thread
from cloudlet.kernel.keys import Revision
from cloudlet.kernel.keys_newest import Newest

logger = logging.getLogger(__name__)


class Checkpoints:
    """One at a time; `turns` is held meanwhile."""

    def __init__(self, log: Log, newest: Newest, past: DiskPast, turns: asyncio.Lock, fail: Fatal) -> None:
        self.walk: checkpoint.Walk | None = None
        self.making: asyncio.Task[None] | None = None
        self._log = log
        self._newest = newest
        self._past = past
        self._turns = turns
        self._fail = fail
        self._is_ending = False  # the last one is to come, and is made by `make_last`
        self._place = 0
        self._bytes = checkpoint.size_bytes(log.folder)

    def found(self, place: int) -> None:
        """The log's place at the checkpoint from which the store was opened."""
        self._place = place

    def start(self, sync: GroupSync) -> asyncio.Task[None]:
        """Begin one unless one is on its way."""
        if self.making is None or self.making.done():
            self.making = asyncio.create_task(self.make(sync))
        return self.making

    def start_if_due(self, sync: GroupSync) -> None:
        """The log has grown."""
        if self._is_ending:
            return
        if self._log.stop - self._place > max(self._log.settings.checkpoint_bytes, self._bytes // 4):
            self.start(sync)

    async def make(self, sync: GroupSync) -> None:
        """Make one, behind a long drop that is on its way."""
        async with self._turns:
            await self._make(sync)

    async def _make(self, sync: GroupSync) -> None:
        log, past, folder = self._log, self._past, self._log.folder
        walk = self.walk = checkpoint.Walk(self._newest, past.tombstones, past.mark, log.stop)
        aside = folder / f"{checkpoint.NAME}.tmp"
        try:
            await checkpoint.write(folder, walk)
            await sync.wait(walk.place)
            self._bytes = aside.stat().st_size
            await on_thread(checkpoint.publish, folder)
        except OSError as error:
            if error.errno not in FULL:
                self._fail(error)
                return
            logger.warning("no room for a checkpoint of the keys store: the log goes on growing")
            aside.unlink(missing_ok=True)
            self._place = walk.place  # not again before it has grown as much
            return
        finally:
            self.walk = None
        self._place = walk.place
        sync.retire(log.detach_below(walk.place))
        first = log.segments[0]
        if first.start and first.base_revision >= past.mark:
            past.mark = Revision(first.base_revision + 1)
            await past.forget_buried()

    async def cancel(self) -> None:
        """Give up the one in the making, and begin no other: the store is to close."""
        self._is_ending = True
        if self.making is not None and not self.making.done():
            self.making.cancel()
            await asyncio.wait([self.making])

    async def make_last(self, sync: GroupSync) -> None:
        """The store is to close: make one if that spares the next opening much."""
        if self._log.stop - self._place > max(self._log.settings.end_checkpoint_bytes, self._bytes // 8):
            await self.make(sync)
