"""The thread that makes appended bytes survive power loss, behind the event loop's back.

State   which segments have bytes that are not synced, and who waits for them
Source  docs/decisions/0003-logs-and-blobs.md
Absent  none

Theory of operation
    An append hands its bytes to the operating system and notes its segment here: two attribute writes and a
    deque's append. The first note wakes the thread, which waits for a few milliseconds, takes what has
    gathered, and syncs file after file. A waiter (a SYNC append, `sync`, a fence) wakes it at once and is
    served before the rest; all who wait while a sync is under way share the next one.

    No lock is needed for the notes: a segment is marked dirty after its bytes are written, and the mark is
    taken off before its size is read. The one lock is held while index entries are written or cut.

    A failed sync is final: the kernel may have dropped the dirty pages, so what was promised can no longer be
    checked. `failure` then tells every later append. That no file could be opened to be synced is none: the
    thread waits until one can be, and if that takes too long, whoever waits is told, and the rest is tried
    again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import NamedTuple

from cloudlet.engines.disk_segment import Segment, sync_folders
from cloudlet.engines.disk_shortage import NO_DESCRIPTOR

_SOON, _NOW, _END = range(3)


class _Waiter(NamedTuple):
    future: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop
    segment: Segment | None  # None: everything
    job: Callable[[], None] | None


class Flusher:
    """One per store."""

    def __init__(self, root: str, interval_ms: float, *, is_durable: bool = True) -> None:
        self.lock = Lock()
        self._is_durable = is_durable
        self._folders: set[str] = set()  # that have new names, of this round
        self.failure: OSError | None = None
        self._root = root
        self._interval_s = interval_ms / 1000.0
        self._wakes: SimpleQueue[int] = SimpleQueue()
        self._dirty: deque[Segment] = deque()
        self._later: dict[Segment, None] = {}
        self._waiters: deque[_Waiter] = deque()
        self._awake = False
        self._thread: Thread | None = None
        self._short: list[Segment] = []  # that could not be opened in this round
        self._shortage: OSError | None = None

    def note(self, segment: Segment) -> None:
        """The segment has new bytes."""
        segment.dirty = True
        self._dirty.append(segment)
        if not self._awake:
            self._awake = True
            self._wake(_SOON)

    def later(self, segment: Segment) -> None:
        """The segment has new bytes, which are synced when its owners `hurry`: Kafka leaves them to the
        operating system."""
        segment.dirty = True
        self._later[segment] = None

    def hurry(self) -> None:
        """Sync what was left for later."""
        segments, self._later = self._later, {}
        for segment in segments:
            if segment.dirty:
                self.note(segment)

    async def settle(self, segment: Segment | None = None, job: Callable[[], None] | None = None) -> None:
        """Wait until what was appended to the segment (to all when None) is synced, and `job` has run on the
        thread; its OSError is the caller's, a failed sync everybody's."""
        if segment is None and job is None:
            self.hurry()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiters.append(_Waiter(future, loop, segment, job))
        self._wake(_NOW)
        if self.failure is not None and self._thread is not None and not self._thread.is_alive():
            self._serve()
        await future

    async def close(self) -> None:
        """Sync everything and end the thread."""
        if self._thread is None and not self._later:
            return
        with contextlib.suppress(OSError):  # told by `failure`
            await self.settle()
        self._wake(_END)
        if self._thread is not None:
            self._thread.join()
        self._thread = None

    def _wake(self, how: int) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="logs-flusher", daemon=True)
            self._thread.start()
        self._wakes.put(how)

    def _run(self) -> None:
        ended = False
        try:
            while not ended:
                wake = self._wakes.get()
                if wake == _SOON:
                    with contextlib.suppress(Empty):
                        wake = self._wakes.get(timeout=self._interval_s)
                self._awake = False  # before taking what has gathered: later notes wake anew
                self._round()
                ended = wake == _END
                if self._short and not ended:
                    self._dirty.extend(self._short)
                    self._short.clear()
                    self._wakes.put(_SOON)
        finally:
            if not ended:  # a bug of ours: nobody may wait for a thread that is gone
                self.failure = OSError("the flusher's thread died")
                self._serve()

    def _round(self) -> None:
        self._serve()
        with contextlib.suppress(IndexError):
            while True:
                self._flush(self._dirty.popleft())
                if self._waiters:
                    self._serve()
        self._sync_folders()

    def _serve(self) -> None:
        """Serve all who wait now."""
        waiters: list[_Waiter] = []
        with contextlib.suppress(IndexError):
            while True:
                waiters.append(self._waiters.popleft())
        if not waiters:
            return
        self._shortage = None
        if any(waiter.segment is None and waiter.job is None for waiter in waiters):
            with contextlib.suppress(IndexError):
                while True:
                    self._flush(self._dirty.popleft())
        for waiter in waiters:
            if waiter.segment is not None:
                self._flush(waiter.segment)
        self._sync_folders()
        errors: list[OSError | None] = []
        for waiter in waiters:
            errors.append(self.failure or self._shortage)
            if waiter.job is not None:
                try:
                    waiter.job()
                except OSError as error:
                    errors[-1] = error
        loop = waiters[0].loop
        with contextlib.suppress(RuntimeError):  # a loop that is closed waits for nothing
            loop.call_soon_threadsafe(_tell, waiters, errors)

    def _flush(self, segment: Segment) -> None:
        if not segment.dirty or self.failure is not None:
            return
        try:
            segment.flush(self.lock, self._folders if self._is_durable else None)
        except OSError as error:
            if error.errno in NO_DESCRIPTOR:
                segment.dirty = True
                self._short.append(segment)
                self._shortage = error
            else:
                self.failure = error

    def _sync_folders(self) -> None:
        """After the segments: what was made before any of them was noted is in its folder by now."""
        folders, self._folders = self._folders, set()
        if not folders or self.failure is not None:
            return
        try:
            sync_folders(folders, self._root)
        except OSError as error:
            if error.errno in NO_DESCRIPTOR:
                self._folders |= folders
                self._shortage = error
            else:
                self.failure = error


def _tell(waiters: list[_Waiter], errors: list[OSError | None]) -> None:
    for waiter, error in zip(waiters, errors, strict=True):
        if waiter.future.done():
            continue  # cancelled
        if error is None:
            waiter.future.set_result(None)
        else:
            waiter.future.set_exception(error)
