"""When the keys log is on the disk: group commit, and the settled mark that follows from it.

State   in memory: the place that is durable, the sync commits that are not
Source  docs/architecture.md, "Keys"
Absent  none

Theory of operation
    A relaxed commit is in the operating system when it returns; then only power loss can take it. A sync
    commit is written at the end of the loop's turn with all others of the turn, and one thread is asked for
    an fdatasync; a relaxed one lets a few milliseconds pass before it is asked for.

    The thread takes all that it was asked for so far, brings it to the disk with one call, tells the loop,
    and looks again. So what is committed while a call is in flight is the next group, and that begins without
    the loop: it may be in the middle of a long turn, and the disk would wait for it, then the thread for
    being woken. Only where there is little of it, it waits for the loop to hear of the group before, and what
    comes until then goes along.

        loop    turn 1: write, ask   turn 2: write, ask   turn 3: write, ask   told of 1: replies
        thread  fdatasync (1) ....................... told, fdatasync (2, 3) .........

    The settled mark is the head, unless a sync commit is not durable yet: then it stands right below the
    oldest such commit, and relaxed commits behind it wait too. What a turn has written becomes durable
    together, so of each turn only its oldest sync commit is kept.
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
from typing import NamedTuple

from cloudlet.engines.disk_calls import sync_data, sync_folder
from cloudlet.engines.disk_keys_log import Log
from cloudlet.engines.disk_keys_record import MARK
from cloudlet.engines.disk_shortage import patiently
from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.keys import Revision

RELAXED_SYNC_S = 0.008  # what a power loss may take from relaxed writers
IDLE_MARK_S = 0.1
ENOUGH = 2  # a call of its own is for at least the half of what is in flight: each costs 50 us of CPU

Fatal = Callable[[BaseException], None]
"""Told of a write error after which the process cannot go on; the default never returns."""


class Round(NamedTuple):
    """What the thread is asked for."""

    place: int  # how far the log will be durable
    descriptors: tuple[int, ...] = ()  # of the segments that have it
    folder: Path | None = None  # whose names are new
    retired: tuple[tuple[Path, int], ...] = ()  # files to close and delete behind it
    is_last: bool = False

    def joined(self, later: Round) -> Round:
        """Both as one."""
        return Round(
            max(self.place, later.place),
            tuple(dict.fromkeys(self.descriptors + later.descriptors)),
            later.folder or self.folder,
            self.retired + later.retired,
            self.is_last or later.is_last,
        )


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
        self._rounds: SimpleQueue[Round] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="keys-sync", daemon=True)
        self._thread.start()
        self._is_asked = False  # this turn will end with a round
        self._asked = log.durable  # the place up to which the thread has been asked
        self._is_held_back = False  # a turn has written too little
        self._is_timed = False
        self._is_marked = False
        self._is_closed = False
        self._oldest: Revision | None = None  # the first sync commit of this turn
        self._owed: deque[tuple[Revision, int]] = deque()  # of each turn before: the same, the place behind
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def settled(self, head: Revision) -> Revision:
        """The newest revision that may be shown."""
        if self._owed:
            return self._owed[0][0] - 1  # type: ignore[return-value]
        return head if self._oldest is None else self._oldest - 1  # type: ignore[return-value]

    def relaxed(self) -> None:
        """Something was written that can wait."""
        if not self._is_timed:
            self._is_timed = True
            self._loop.call_later(self._relaxed_sync_s, self._time)

    def owe(self, revision: Revision) -> None:
        """A sync commit was taken into the log."""
        if self._oldest is None:
            self._oldest = revision
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
        self._rounds.put(Round(0, is_last=True))
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
            self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        """Write what the turn has gathered, and have it brought to the disk."""
        self._is_asked = False
        log = self._log
        place, durable = log.stop, log.durable
        if self._is_closed or place == self._asked:
            return
        if (place - self._asked) * ENOUGH < self._asked - durable:
            self._is_held_back = True
            return
        self._is_held_back = False
        try:
            log.write(is_to_be_synced=True)
        except OSError as error:
            self._fatal(error)
            return
        if self._oldest is not None:
            self._owed.append((self._oldest, place))
            self._oldest = None
        self._asked = place
        segments, log.unsynced = log.unsynced, log.unsynced[-1:]
        folder = None if log.is_folder_synced else log.folder
        self._rounds.put(Round(place, tuple(segment.descriptor for segment in segments), folder))
        log.is_folder_synced = True

    def retire(self, files: list[tuple[Path, int]]) -> None:
        """Close and delete files, behind the rounds that may still use them."""
        if files:
            self._rounds.put(Round(0, retired=tuple(files)))

    # --- on the thread

    def _work(self) -> None:
        rounds, is_last = self._rounds, False
        while not is_last:
            taken = rounds.get()
            while not rounds.empty():
                taken = taken.joined(rounds.get())
            is_last = not self._serve(taken) or taken.is_last

    def _serve(self, taken: Round) -> bool:
        """Serve a round, and tell; False after an error, behind which nothing may be believed."""
        try:
            if taken.place:
                for descriptor in taken.descriptors:
                    sync_data(descriptor)
                if taken.folder is not None:
                    patiently(partial(sync_folder, taken.folder))
                self._tell(self._done, taken.place)
            for path, descriptor in taken.retired:
                os.close(descriptor)
                path.unlink()
        except OSError as error:
            self._tell(self._failed, error)
            return False
        return True

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            pass  # the loop is gone, and with it everyone who could be told

    # --- on the loop

    def _failed(self, error: OSError) -> None:
        if not self._is_closed:
            self._fatal(error)

    def _done(self, place: int) -> None:
        if self._is_closed:
            return
        self._log.durable = place
        owed = self._owed
        while owed and owed[0][1] <= place:
            owed.popleft()
        if self._waiting:
            waiting = self._waiting
            self._waiting = [row for row in waiting if row[0] > place]
            for wanted, future in waiting:
                if wanted <= place and not future.done():
                    future.set_result(None)
        if self._is_held_back:
            self._end_turn()
        if not self._is_marked:
            self._is_marked = True
            self._loop.call_later(IDLE_MARK_S, self._mark)
        self._on_durable()

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
