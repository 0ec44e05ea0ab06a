"""When the keys log is on the disk: group commit, and the settled mark that follows from it.

State   in memory: the place that is durable, the sync commits that are not
Source  docs/architecture.md, "Keys"
Absent  none

Theory of operation
    A relaxed commit is in the operating system when it returns; then only power loss can take it. One thread
    calls fdatasync, one call at a time, and what is committed meanwhile is the next group. A sync commit asks
    for a call at the end of the loop's turn, so all that the turn commits is one write and one group; a
    relaxed one lets a few milliseconds pass.

    The settled mark is the head, unless a sync commit is not durable yet: then it stands right below the
    oldest such commit, and relaxed commits behind it wait too.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from cloudlet.engines.disk_keys_log import Log, Segment, sync_data, sync_folder
from cloudlet.engines.disk_keys_record import MARK
from cloudlet.engines.disk_shortage import patiently
from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.keys import Revision

RELAXED_SYNC_S = 0.008  # what a power loss may take from relaxed writers
IDLE_MARK_S = 0.1

Fatal = Callable[[BaseException], None]
"""Told of a write error after which the process cannot go on; the default never returns."""


class GroupSync:
    """Brings the log to the disk, and tells how far."""

    def __init__(
        self,
        log: Log,
        loop: asyncio.AbstractEventLoop,
        fatal: Fatal,
        on_durable: Callable[[], None],
        relaxed_sync_s: float,
    ) -> None:
        self._relaxed_sync_s = relaxed_sync_s
        self._log = log
        self._loop = loop
        self._fatal = fatal
        self._on_durable = on_durable
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="keys-sync", daemon=True)
        self._thread.start()
        self._is_running = False  # an fdatasync is in flight
        self._is_asked = False  # one will start at the end of this turn, or right after the one in flight
        self._is_timed = False
        self._is_marked = False
        self._is_closed = False
        self._owed: deque[tuple[Revision, int]] = deque()  # sync commits: revision, the place behind
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def settled(self, head: Revision) -> Revision:
        """The newest revision that may be shown."""
        return self._owed[0][0] - 1 if self._owed else head  # type: ignore[return-value]

    def relaxed(self) -> None:
        """Something was written that can wait."""
        if not self._is_timed:
            self._is_timed = True
            self._loop.call_later(self._relaxed_sync_s, self._time)

    def owe(self, revision: Revision, place: int) -> None:
        """A sync commit was written, up to `place`."""
        self._owed.append((revision, place))
        if not self._is_asked:
            self._ask()

    async def wait(self, place: int) -> None:
        """Wait until the log is durable up to `place`; StoreError if the store fails or closes."""
        if place <= self._log.durable:
            return
        if self._is_closed:
            raise StoreError("the store is closed")
        future = self._loop.create_future()
        self._waiting.append((place, future))
        self._ask()
        await future

    def close(self) -> None:
        """Stop the thread, and whoever waits."""
        self._is_closed = True
        self._jobs.put(None)
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(StoreError("the store is closed"))
        self._waiting.clear()

    def join(self) -> None:
        """Wait for the thread to end; its descriptors may be closed then."""
        self._thread.join()

    def _time(self) -> None:
        self._is_timed = False
        if self._log.durable < self._log.stop:
            self._ask()

    def _ask(self) -> None:
        if not self._is_asked:
            self._is_asked = True
            if not self._is_running:
                self._loop.call_soon(self._start)

    def _start(self) -> None:
        if self._is_running or self._is_closed:
            return
        self._is_asked = False
        log = self._log
        if log.durable == log.stop:
            return
        try:
            log.write()
        except OSError as error:
            self._fatal(error)
            return
        self._is_running = True
        segments, log.unsynced = log.unsynced, log.unsynced[-1:]
        folder = None if log.is_folder_synced else log.folder
        self._jobs.put(partial(self._sync, segments, folder, log.stop))
        log.is_folder_synced = True

    def retire(self, files: list[tuple[Path, int]]) -> None:
        """Close and delete files, behind the sync in flight that may still use them."""
        if files:
            self._jobs.put(partial(self._retire, files))

    # --- on the thread

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _sync(self, segments: list[Segment], folder: Path | None, place: int) -> None:
        error: OSError | None = None
        try:
            for segment in segments:
                sync_data(segment.descriptor)
            if folder is not None:
                patiently(partial(sync_folder, folder))
        except OSError as raised:
            error = raised
        self._tell(self._done, place, error)

    def _retire(self, files: list[tuple[Path, int]]) -> None:
        try:
            for path, descriptor in files:
                os.close(descriptor)
                path.unlink()
        except OSError as error:
            self._tell(self._fatal, error)

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            pass  # the loop is gone, and with it everyone who could be told

    # --- on the loop

    def _done(self, place: int, error: OSError | None) -> None:
        self._is_running = False
        if self._is_closed:
            return
        if error is not None:
            self._fatal(error)
            return
        self._log.durable = place
        while self._owed and self._owed[0][1] <= place:
            self._owed.popleft()
        if self._waiting:
            waiting = self._waiting
            self._waiting = [row for row in waiting if row[0] > place]
            for wanted, future in waiting:
                if wanted <= place and not future.done():
                    future.set_result(None)
        self._on_durable()
        if self._is_asked or self._owed or self._waiting:
            self._start()
        elif not self._is_marked:
            self._is_marked = True
            self._loop.call_later(IDLE_MARK_S, self._mark)

    def _mark(self) -> None:
        self._is_marked = False
        if not self._is_closed and self._log.durable == self._log.stop:
            self.mark()

    def mark(self) -> None:
        """Leave a proof of what is durable behind it; see disk_keys_log."""
        log = self._log
        if not log.has_room_for_mark:
            return
        try:
            log.append(MARK, 0, 0, b"")
            log.write()
        except OSError as error:
            self._fatal(error)
            return
