"""The logs store on disk: every log a folder of segments in Kafka's own layout.

State   ROOT/<log's name>/: see disk_log and disk_segment
        ROOT/~trash/: files of dropped logs, on their way out
        ROOT/~pins/: see disk_pins
Source  kernel/logs.py; docs/decisions/0003-logs-and-blobs.md
Absent  none

Theory of operation
    Opening walks the folders for names and reads no log; a log is opened (and recovered) when it is first
    asked about. An append is one `pwrite` on the event loop's thread: when it returns, the bytes are the
    operating system's and survive kill -9. The flusher's thread syncs them within milliseconds; a SYNC append
    waits for it, and all who wait share a sync. A write that finds no room is cut back, so that the log is as
    before. After a failed sync nothing more is promised: every append is refused until the store is reopened.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import NoReturn, Self

from cloudlet.engines.disk_files import OpenFiles
from cloudlet.engines.disk_flusher import Flusher
from cloudlet.engines.disk_log import DROPPED, EPOCHS, DiskLog, clear_dropped, remove_empty
from cloudlet.engines.disk_partition_log import METADATA, PartitionDiskLog
from cloudlet.engines.disk_segment import INDEX_INTERVAL_BYTES, Segment
from cloudlet.engines.disk_shortage import PASSING
from cloudlet.kernel.batches import SPAN_MAX, Mark, stamp
from cloudlet.kernel.fault import Fenced, NoSpace, OutOfRange, StoreError
from cloudlet.kernel.keys import Durability
from cloudlet.kernel.logs import Ends, LogName, Offset, check_name
from cloudlet.kernel.partition_logs import Bytes, Options

TRASH = "~trash"
SEGMENT_BYTES = 64 << 20
"""Kafka's default is 1 GiB. Here most logs are queues, trimmed all the time, and space comes back by whole
segments; the index of a full segment is 128 KiB, and deleting one takes a millisecond."""
DESCRIPTORS_MAX = 256  # a quarter of the usual soft limit; macOS has 256 in all, so set it lower there
FLUSH_INTERVAL_MS = 5.0
SMALL_BYTES = 1 << 20  # deleting less than this takes no longer than handing it to a thread


class DiskLogs:
    """The engine; made by `open`."""

    def __init__(self, root: str, segment_bytes: int, descriptors_max: int, flusher: Flusher) -> None:
        self._root = root
        self._segment_bytes = segment_bytes
        self._flusher = flusher
        self._files = OpenFiles(descriptors_max, self._flusher.lock)
        self._logs: dict[LogName, DiskLog] = {}
        self._names: list[LogName] = []  # sorted
        self._trash = count()
        self._closed = False

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str],
        *,
        segment_bytes: int = SEGMENT_BYTES,
        descriptors_max: int = DESCRIPTORS_MAX,
        flush_interval_ms: float = FLUSH_INTERVAL_MS,
        is_durable: bool = True,
    ) -> Self:
        """Open the store in a folder, made if it is not there; deletions that a crash interrupted are
        finished. One that is not durable syncs nothing: its folder does not outlive the machine's power."""
        root = os.path.abspath(folder)
        os.makedirs(f"{root}/{TRASH}", mode=0o700, exist_ok=True)
        flusher = Flusher(root, flush_interval_ms, is_durable=is_durable)
        logs = cls(root, segment_bytes, descriptors_max, flusher)
        _unlink_all([f"{root}/{TRASH}/{name}" for name in os.listdir(f"{root}/{TRASH}")])
        logs._names = sorted(_walk(root, logs._trash_path))
        return logs

    def _trash_path(self) -> str:
        return f"{self._root}/{TRASH}/{next(self._trash)}"

    # Finding a log

    def _known(self, name: LogName) -> DiskLog:
        """The log; one that is not on disk yet if there is none."""
        if self._closed or self._flusher.failure is not None:
            _refuse(self._flusher)
        log = self._logs.get(name)
        if log is None:
            listed = self._listed(name)
            log = self.new(name, is_partition=listed and os.path.exists(f"{self._root}/{name}/{METADATA}"))
            if listed:
                load(log)
                self._logs[name] = log
        return log

    def _listed(self, name: LogName) -> bool:
        number = bisect_left(self._names, name)
        return number < len(self._names) and self._names[number] == name

    def make(self, log: DiskLog) -> None:
        """Bring a new log into being, with an empty segment."""
        check_name(log.name)
        try:
            log.create()
        except OSError as error:
            remove_empty(log.folder, self._root)
            refuse_write(error)
        self._logs[log.name] = log
        self._names.insert(bisect_left(self._names, log.name), log.name)

    # The port

    async def append(
        self,
        log: LogName,
        batches: bytes,
        *,
        at: Offset | None = None,
        epoch: int = 0,
        durability: Durability = Durability.RELAXED,
    ) -> Offset:
        there = self._logs.get(log)
        if there is None or self._flusher.failure is not None:
            there = self._known(log)
        if epoch < there.epoch:
            raise Fenced(f"epoch {epoch}, the log is in {there.epoch}")
        base = there.stop
        if at is not None and at != base:
            raise OutOfRange(there.start, base)
        stamped, stop, marks = stamp(batches, base, epoch)
        if not there.segments:
            self._make_with(there, stamped, stop, marks)
        else:
            self._write(there, stamped, stop, marks)
        if epoch > there.epoch:
            self._raise_epoch(there, epoch, base)
        if durability is Durability.SYNC:
            await self._settle(there)
        return Offset(base)

    def _write(self, log: DiskLog, stamped: bytes, stop: int, marks: Sequence[Mark]) -> None:
        """Put stamped batches at the log's end."""
        segment = log.active
        size = segment.size
        length = len(stamped)
        if size and (size + length > self._segment_bytes or stop - segment.base > SPAN_MAX):
            try:
                log.roll()
            except OSError as error:
                refuse_write(error)
            segment, size = log.active, 0
        fd = segment.fd
        if fd < 0:
            fd = _opened(self._files, segment)
        segment.used = True
        try:
            if os.pwrite(fd, stamped, size) != length:
                write_rest(fd, stamped, size)
        except OSError as error:
            os.ftruncate(fd, size)
            refuse_write(error)
        if marks:
            following = [offset for offset, _ in marks] + [stop]
            segment.mark(size, following[0] - 1)
            for number, (_, position) in enumerate(marks):
                segment.mark(size + position, following[number + 1] - 1)
        elif size - segment.indexed > INDEX_INTERVAL_BYTES:
            segment.mark(size, stop - 1)
        segment.size = size + length
        log.stop = stop
        if not segment.dirty:
            self._flusher.note(segment)

    def _make_with(self, log: DiskLog, stamped: bytes, stop: int, marks: Sequence[Mark]) -> None:
        self.make(log)
        try:
            self._write(log, stamped, stop, marks)
        except NoSpace:
            self._forget(log)
            raise

    def _raise_epoch(self, log: DiskLog, epoch: int, base: int) -> None:
        """Enter the epoch that an append brought; without room for it the append is taken back."""
        before = log.epochs, log.epoch
        log.epochs = list(log.epochs)
        log.note_epoch(epoch, base)
        try:
            log.save_epochs()
        except OSError as error:
            log.epochs, log.epoch = before
            log.truncate(base)
            refuse_write(error)

    async def _settle(self, log: DiskLog | None) -> None:
        try:
            await self._flusher.settle(None if log is None else log.active)
        except OSError as error:
            refuse_sync(self._flusher, error)

    async def read(self, log: LogName, offset: Offset, *, bytes_max: int) -> bytes:
        there = self._logs.get(log) or self._known(log)
        if offset == there.stop:
            return b""
        if not there.start <= offset < there.stop:
            raise OutOfRange(there.start, there.stop)
        return _read(there, offset, bytes_max)

    def ends(self, log: LogName) -> Ends:
        there = self._logs.get(log) or self._known(log)
        return Ends(Offset(there.start), Offset(there.stop))

    def epoch(self, log: LogName) -> int:
        return (self._logs.get(log) or self._known(log)).epoch

    def size(self, log: LogName) -> int:
        there = self._logs.get(log) or self._known(log)
        return sum(segment.size for segment in there.segments)

    def names(self, prefix: str = "") -> Sequence[LogName]:
        names = self._names
        start = stop = bisect_left(names, prefix)
        while stop < len(names) and names[stop].startswith(prefix):
            stop += 1
        return names[start:stop]

    async def trim(self, log: LogName, start: Offset) -> None:
        there = self._known(log)
        if start > there.stop:
            raise OutOfRange(there.start, there.stop)
        if start > there.start:
            try:
                there.trim(start)
            except OSError as error:
                refuse_write(error)

    async def truncate(self, log: LogName, stop: Offset) -> None:
        there = self._known(log)
        there.check_ends(stop)
        if stop < there.stop:
            there.truncate(stop)
            self._flusher.note(there.active)

    async def fence(self, log: LogName, epoch: int) -> None:
        there = self._known(log)
        if epoch < there.epoch:
            raise Fenced(f"epoch {epoch}, the log is in {there.epoch}")
        new = not there.segments
        if new:
            self.make(there)
        if epoch == there.epoch and not new:
            return
        before = there.epochs
        if epoch > there.epoch:
            there.epochs = list(there.epochs)
            there.note_epoch(epoch, there.stop)
        try:
            await self._flusher.settle(there.active, there.save_epochs)
        except OSError as error:
            if there.epoch == epoch:
                there.epochs, there.epoch = before, before[-1][0] if before else 0
            refuse_write(error)

    async def drop(self, log: LogName) -> None:
        there = self._known(log)
        if there.segments:
            size = self.size(log)
            moved = self._forget(there)
            if size <= SMALL_BYTES:
                _unlink_all(moved)
            else:
                await asyncio.get_running_loop().run_in_executor(None, _unlink_all, moved)

    # For disk_pins and disk_partitions

    @property
    def root(self) -> str:
        """The folder of all logs."""
        return self._root

    @property
    def files(self) -> OpenFiles:
        """The descriptors that all logs share."""
        return self._files

    @property
    def flusher(self) -> Flusher:
        """Who syncs."""
        return self._flusher

    def find(self, name: LogName) -> DiskLog | None:
        """The log, if there is one."""
        log = self._known(name)
        return log if log.segments else None

    def new(self, name: LogName, *, is_partition: bool = False) -> DiskLog:
        """A log that is to be loaded or made."""
        if not is_partition:
            return DiskLog(name, f"{self._root}/{name}", self._files, self._flusher.lock)
        log = PartitionDiskLog(name, f"{self._root}/{name}", self._files, self._flusher.lock)
        log.prepare(Options(), self._flusher.later, partial(_discard, self._trash_path))
        return log

    def sealed(self, name: LogName) -> DiskLog:
        """The log, all of it in segments that are never written again: it goes on in a new one."""
        log = self._known(name)
        if log.segments and log.active.size:
            try:
                log.roll()
            except OSError as error:
                refuse_write(error)
            self._flusher.note(log.active)
        return log

    def adopt(self, name: LogName) -> DiskLog:
        """Take up a log whose files were put into its folder, where there was none."""
        log = self.new(name, is_partition=os.path.exists(f"{self._root}/{name}/{METADATA}"))
        log.load()
        self._logs[name] = log
        self._names.insert(bisect_left(self._names, name), name)
        self.sealed(name)
        log.active.fresh = True  # with it, the flusher syncs the folders that were made
        self._flusher.note(log.active)
        return log

    def _forget(self, log: DiskLog) -> list[str]:
        """Make the log's name free at once; what is left of it lies in the trash."""
        log.drop()
        del self._logs[log.name]
        del self._names[bisect_left(self._names, log.name)]
        return self._files.with_room(lambda: clear_dropped(log.folder, self._root, self._trash_path))

    async def sync(self) -> None:
        if self._closed or self._flusher.failure is not None:
            _refuse(self._flusher)
        await self._settle(None)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._flusher.close()
            self._files.close_all()
            self._logs.clear()


def _walk(root: str, trash: Callable[[], str]) -> list[LogName]:
    """The names of all logs, by one look at each folder."""
    found: list[LogName] = []
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        path = f"{root}/{folder}" if folder else root
        files: list[str] = []
        with os.scandir(path) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    files.append(entry.name)
                elif not entry.name.startswith("~"):
                    waiting.append(f"{folder}/{entry.name}" if folder else entry.name)
        if DROPPED in files:
            _unlink_all(clear_dropped(path, root, trash))
        elif any(name.endswith(".log") or name == EPOCHS for name in files):
            found.append(LogName(folder))
    return found


def _discard(trash: Callable[[], str], paths: list[str]) -> None:
    """Take files away at once; deleting large ones takes a while, and is done behind the caller's back where
    there is a loop."""
    moved: list[str] = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, target := trash())
            moved.append(target)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _unlink_all(moved)
    else:
        loop.run_in_executor(None, _unlink_all, moved)


def _refuse(flusher: Flusher) -> NoReturn:
    if flusher.failure is not None:
        raise StoreError(f"a sync failed ({flusher.failure}); reopen the logs")
    raise StoreError("the logs are closed")


def refuse_sync(flusher: Flusher, error: OSError) -> NoReturn:
    """What was appended may be lost: for good, or as long as nothing can be opened."""
    if flusher.failure is not None:
        _refuse(flusher)
    raise StoreError(f"not synced yet ({error})") from error


def _opened(files: OpenFiles, segment: Segment) -> int:
    try:
        return files.open(segment)
    except OSError as error:
        refuse_write(error)


def _read(log: DiskLog, offset: int, bytes_max: int) -> bytes:
    try:
        return log.read(offset, bytes_max)
    except OSError as error:
        raise StoreError(str(error)) from error


def load(log: DiskLog) -> None:
    """Take up a log from its files; StoreError where they cannot be opened now."""
    try:
        log.load()
    except OSError as error:
        for segment in log.segments:
            log.files.close(segment)
        if error.errno in PASSING:
            raise StoreError(str(error)) from error
        raise


def refuse_write(error: OSError) -> NoReturn:
    if error.errno in PASSING:
        raise NoSpace(str(error)) from error
    raise error


def write_rest(fd: int, data: Bytes, position: int) -> None:
    """Write all of it again, however many calls that takes: the first one was cut short."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, position)
        position += written
        view = view[written:]


def _unlink_all(paths: Sequence[str]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
