"""What keeps a log short to replay: rewriting it where little is live, and packing a large state.

State   in memory: what runs
Source  docs/architecture.md, "Logs and traffic"
Absent  none

Both run beside the calls, one of them at a time on one log. A rewrite appends what is live again, from the
front, and then trims the front; the bytes of what was trimmed go with their segment, so a rewrite is due
again only when the log has doubled. A snapshot takes the state to itself while it packs it, in slices.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from cloudlet.aws.request import Append, Derived
from cloudlet.aws.snapshots import Begin, Packable, save
from cloudlet.kernel.batches import header
from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.logs import LogName, Logs, Offset
from cloudlet.wire.kafka.records import decode

log = logging.getLogger(__name__)

REPLAY_BYTES = 64 << 10  # a slice of a replay: some 2 ms of a loop turn
SNAPSHOT_RECORDS_MIN = 50_000  # fewer are replayed in under half a second
SNAPSHOT_SHARE = 10  # a larger state is packed once a tenth as many records are new: some 3 us of each
SNAPSHOT_AT_END_RECORDS_MIN = 20_000  # when the cloud stops there is time for one
KEPT_MAX = 16  # records of one append of a rewrite: whoever reads one decodes those before it too
REWRITE_BYTES_MIN = 4 << 20  # a smaller log is not worth rewriting


class OpenLog:
    """One log in use."""

    __slots__ = ("busy", "epoch", "name", "packed", "rewritten_bytes", "serial", "state", "stop", "task")

    def __init__(self, name: LogName, serial: int, state: Derived, stop: Offset, epoch: int) -> None:
        self.name = name
        self.serial = serial  # of this opening: no other has it
        self.epoch = epoch  # what is decided on this state is refused once the log is in a higher one
        self.state = state
        self.stop = stop  # the offset after the last record applied
        self.busy: asyncio.Future[None] | None = None  # while an append is under way
        self.packed = Offset(0)  # where the newest snapshot of the state stands
        self.task: asyncio.Task[None] | None = None  # rewriting it, or packing its state
        self.rewritten_bytes = 0  # what the last rewrite left: bytes go with their segment, so not all do


class Upkeep:
    """Of all logs in use."""

    def __init__(
        self,
        logs: Logs,
        append: Callable[[Append], Awaitable[None]],
        is_open: Callable[[OpenLog], bool],
    ) -> None:
        self._logs = logs
        self._append = append
        self._is_open = is_open
        self._tasks: set[asyncio.Task[None]] = set()

    def look(self, opened: OpenLog) -> None:
        """Begin what is due."""
        if opened.task is None:
            self._rewrite_if_due(opened)
            self._pack_if_due(opened)

    def _begin(self, opened: OpenLog, work: Coroutine[object, None, None]) -> None:
        task = opened.task = asyncio.ensure_future(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            opened.task = None

        task.add_done_callback(done)

    async def end(self, opened: OpenLog) -> None:
        """Stop what runs on one log."""
        if opened.task is not None:
            opened.task.cancel()
            await asyncio.gather(opened.task, return_exceptions=True)

    async def end_all(self) -> None:
        """Stop all that runs."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- rewriting

    def _rewrite_if_due(self, opened: OpenLog) -> None:
        size = self._logs.size(opened.name)
        if size < max(REWRITE_BYTES_MIN, 2 * opened.rewritten_bytes) or opened.state.live_bytes() * 2 > size:
            return
        self._begin(opened, self._rewrite(opened))

    async def _rewrite(self, opened: OpenLog) -> None:
        """Append what is live again, from the front up to where the log stops now, and trim the front."""
        try:
            start, stop = self._logs.ends(opened.name)
            while start < stop and self._is_open(opened):
                batch = await self._logs.read(opened.name, start, bytes_max=REPLAY_BYTES)
                records = [
                    (Offset(at), value or b"") for at, _, _, value in decode(batch) if start <= at < stop
                ]
                for first in range(0, len(records), KEPT_MAX):
                    await self._keep(opened, records[first : first + KEPT_MAX])
                start = Offset(min(stop_of(batch), stop))
                await asyncio.sleep(0)
            if self._is_open(opened):
                await self._logs.trim(opened.name, start)
                opened.rewritten_bytes = self._logs.size(opened.name)
        except StoreError as error:
            log.warning("rewriting log %s stopped: %r", opened.name, error)

    async def _keep(self, opened: OpenLog, records: Sequence[tuple[Offset, bytes]]) -> None:
        """Append what is live of some records; nothing comes between the decision and the append."""
        while opened.busy is not None:
            await asyncio.shield(opened.busy)
        kept = [again for at, value in records if (again := opened.state.keep(at, value)) is not None]
        if kept and self._is_open(opened):
            await self._append(Append(opened.name, kept, opened.stop))

    # --- snapshots

    def _unpacked(self, opened: OpenLog) -> int:
        """How many records a restart would have to replay."""
        return opened.stop - max(opened.packed, self._logs.ends(opened.name).start)

    def _pack_if_due(self, opened: OpenLog) -> None:
        state = opened.state
        if opened.task is not None or not isinstance(state, Packable):
            return
        if self._unpacked(opened) < max(SNAPSHOT_RECORDS_MIN, state.weight() // SNAPSHOT_SHARE):
            return
        self._begin(opened, self._pack(opened, state))

    async def _pack(self, opened: OpenLog, state: Packable) -> None:
        """Write a snapshot. Calls on this log wait while the state is packed, others go on."""
        try:
            while opened.busy is not None:
                await asyncio.shield(opened.busy)
            if not self._is_open(opened):
                return
            opened.busy = busy = asyncio.get_running_loop().create_future()
            stop = opened.stop
            slices: list[bytes] = []
            try:
                for packed in state.pack():
                    slices.append(packed)
                    await asyncio.sleep(0)
            finally:
                opened.busy = None
                busy.set_result(None)
            await save(self._logs, opened.name, slices, Begin(stop, opened.epoch))
            opened.packed = stop
        except StoreError as error:
            log.warning("no snapshot of log %s: %r", opened.name, error)

    async def pack_at_end(self, opened: OpenLog) -> None:
        """Leave a snapshot of a long log behind."""
        state = opened.state
        if isinstance(state, Packable) and self._unpacked(opened) >= SNAPSHOT_AT_END_RECORDS_MIN:
            await self._pack(opened, state)


def stop_of(batches: bytes) -> int:
    """The offset after the last one of whole batches, whether or not they carry data."""
    position, stop = 0, 0
    while position < len(batches):
        found = header(batches, position)
        stop = found.base_offset + found.last_offset_delta + 1
        position += found.size_bytes
    return stop
