"""The logs store in memory: the reference of the port, and the engine of an ephemeral cloud.

State   every log's batches, ends and epoch; gone with the process
Source  kernel/logs.py
Absent  none

No operation suspends. Durability means nothing here, so SYNC is as RELAXED.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from cloudlet.kernel.batches import stamp
from cloudlet.kernel.fault import Fenced, OutOfRange, StoreError
from cloudlet.kernel.keys import Durability
from cloudlet.kernel.logs import Ends, LogName, Offset, check_name


class _Log:
    """One log: its batches, and the offset at which each begins."""

    __slots__ = ("bases", "batches", "epoch", "size_bytes", "start", "stop")

    def __init__(self) -> None:
        self.bases: list[int] = []
        self.batches: list[bytes] = []
        self.start = 0
        self.stop = 0
        self.epoch = 0
        self.size_bytes = 0

    def add(self, batch: bytes, base: int) -> None:
        self.bases.append(base)
        self.batches.append(batch)
        self.size_bytes += len(batch)

    def forget(self, first: int, last: int) -> None:
        """Let the batches [first, last) go."""
        self.size_bytes -= sum(map(len, self.batches[first:last]))
        del self.bases[first:last]
        del self.batches[first:last]


class MemoryLogs:
    """The engine."""

    def __init__(self) -> None:
        self._logs: dict[LogName, _Log] = {}
        self._closed = False

    def _find(self, log: LogName) -> _Log:
        """The log, made if there is none."""
        if self._closed:
            raise StoreError("the logs are closed")
        found = self._logs.get(log)
        if found is None:
            check_name(log)
            found = self._logs[log] = _Log()
        return found

    def _known(self, log: LogName) -> _Log:
        """The log; an empty one that nobody keeps if there is none."""
        if self._closed:
            raise StoreError("the logs are closed")
        return self._logs.get(log) or _Log()

    async def append(
        self,
        log: LogName,
        batches: bytes,
        *,
        at: Offset | None = None,
        epoch: int = 0,
        durability: Durability = Durability.RELAXED,
    ) -> Offset:
        there = self._known(log)
        if epoch < there.epoch:
            raise Fenced(f"epoch {epoch}, the log is in {there.epoch}")
        base = there.stop
        if at is not None and at != base:
            raise OutOfRange(there.start, base)
        stamped, stop, marks = stamp(batches, base, epoch)
        there = self._find(log)
        there.epoch = epoch
        if not marks:
            there.add(stamped, base)
        else:
            bases = [base, *(offset for offset, _ in marks)]
            cuts = [0, *(position for _, position in marks), len(stamped)]
            for number, offset in enumerate(bases):
                there.add(stamped[cuts[number] : cuts[number + 1]], offset)
        there.stop = stop
        return Offset(base)

    async def read(self, log: LogName, offset: Offset, *, bytes_max: int) -> bytes:
        there = self._known(log)
        if offset == there.stop:
            return b""
        if not there.start <= offset < there.stop:
            raise OutOfRange(there.start, there.stop)
        first = bisect_right(there.bases, offset) - 1
        batches = there.batches
        last = first + 1
        while last < len(batches) and len(batches[last]) <= bytes_max:
            bytes_max -= len(batches[last])
            last += 1
        return batches[first] if last == first + 1 else b"".join(batches[first:last])

    def ends(self, log: LogName) -> Ends:
        there = self._known(log)
        return Ends(Offset(there.start), Offset(there.stop))

    def epoch(self, log: LogName) -> int:
        return self._known(log).epoch

    def size(self, log: LogName) -> int:
        return self._known(log).size_bytes

    def names(self, prefix: str = "") -> Sequence[LogName]:
        return sorted(name for name in self._logs if name.startswith(prefix))

    async def trim(self, log: LogName, start: Offset) -> None:
        there = self._known(log)
        if start > there.stop:
            raise OutOfRange(there.start, there.stop)
        if start > there.start:
            there.start = start
            kept = len(there.bases) if start == there.stop else bisect_right(there.bases, start) - 1
            there.forget(0, kept)

    async def truncate(self, log: LogName, stop: Offset) -> None:
        there = self._known(log)
        if not there.start <= stop <= there.stop:
            raise OutOfRange(there.start, there.stop)
        if stop == there.stop:
            return
        first = bisect_left(there.bases, stop)
        if first == len(there.bases) or there.bases[first] != stop:
            first -= 1  # `stop` lies inside of a batch: that one goes as a whole
        there.stop = max(there.start, there.bases[first])
        there.forget(first, len(there.bases))

    async def fence(self, log: LogName, epoch: int) -> None:
        there = self._known(log)
        if epoch < there.epoch:
            raise Fenced(f"epoch {epoch}, the log is in {there.epoch}")
        self._find(log).epoch = epoch

    async def drop(self, log: LogName) -> None:
        self._known(log)
        self._logs.pop(log, None)

    async def sync(self) -> None:
        if self._closed:
            raise StoreError("the logs are closed")

    async def close(self) -> None:
        self._closed = True
