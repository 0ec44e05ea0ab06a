"""Traffic: logs with derived state. Decide on the state, append records, apply them; replay after a restart.

State   log NAME     records of the service that owns it
        in memory    the state derived from each log in use, and who waits for it
Source  docs/architecture.md, "Logs and traffic"
Absent  ownership of a log by a leased key and fencing between several nodes

Theory of operation
    A log is opened at its first use: its records are replayed in slices of REPLAY_BYTES, a loop turn each,
    into a state that only `apply` changes. From then on a decision, its append and its application follow
    each other with nothing in between: the append names the offset it was decided at, and while one append
    is under way on a slow engine no other operation sees that log's state (it is run again afterwards). A
    call with several appends keeps all their logs to itself until the last one is done: nobody decides on one
    half of a move, nor drops a log in the middle of it. An append that was refused because somebody else
    appended closes the state, and the next user replays; so does one whose outcome is unknown, unless its
    records are found where they should be.

    Waiters queue per log. A change wakes the first. Woken, it runs its operation again: if that answers, the
    next is woken too, since there may be more; if it must still wait it keeps its place and the chain stops.

        append, or a time reached -> first waiter -> answered      -> next waiter
                                                  -> waits again   -> (front of the queue)

    A state that can be packed leaves a snapshot behind now and then, and when the cloud stops (snapshots.py).

    A log of which under half is live is rewritten: live records are appended again from the front, and the
    front is trimmed; a crash in between leaves some records twice, which `apply` must bear.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from typing import cast

from cloudlet.aws.alarms import Alarms
from cloudlet.aws.drive import Rest, begin, unbroken
from cloudlet.aws.recent import Recent
from cloudlet.aws.request import Append, D, Derived, Wait
from cloudlet.aws.snapshots import Packable, beside, load
from cloudlet.aws.upkeep import REPLAY_BYTES, OpenLog, Upkeep, stop_of
from cloudlet.aws.waiting import WaitingLine
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import OutcomeUnknown, OutOfRange
from cloudlet.kernel.keys import Durability
from cloudlet.kernel.logs import LogName, Logs, Offset
from cloudlet.wire.kafka.records import decode, encode_value, encode_values

log = logging.getLogger(__name__)

FETCHED_MAX = 5000  # records read ahead for operations that had to wait for them: above what one may ask for


class Again(Exception):
    """The operation cannot go on before `ready` is done; then it is run again from the start."""

    def __init__(self, ready: Awaitable[object]) -> None:
        super().__init__()
        self.ready = ready


class Traffic:
    """All logs in use, by name."""

    def __init__(self, logs: Logs, clock: Clock, durability: Durability = Durability.RELAXED) -> None:
        self.logs = logs
        self.alarms = Alarms(clock)
        self._clock = clock
        self._durability = durability
        self._open: dict[LogName, OpenLog] = {}
        self._opening: dict[LogName, asyncio.Task[None]] = {}
        self._lines: dict[LogName, WaitingLine] = {}
        self._serials = count(1)
        self._recent = Recent()
        self._fetched: dict[tuple[LogName, Offset], bytes] = {}
        self._upkeep = Upkeep(logs, self.append, lambda opened: self._open.get(opened.name) is opened)

    # --- what a Request offers

    def state(self, name: LogName, empty: Callable[[], D]) -> D:
        """The log's state, replayed; Again while it is being opened or appended to."""
        opened = self._open.get(name)
        if opened is None:
            if self.logs.ends(name).stop != 0:
                raise Again(self._open_soon(name, empty))
            opened = self._open[name] = OpenLog(
                name, next(self._serials), empty(), Offset(0), self.logs.epoch(name)
            )
        if opened.busy is not None:
            raise Again(asyncio.shield(opened.busy))
        return cast(D, opened.state)

    def stop(self, name: LogName) -> Offset:
        """Where the log stops for an operation that has looked at its state."""
        return self._open[name].stop

    def records(self, name: LogName, offsets: Sequence[Offset]) -> Sequence[bytes]:
        """The records at these offsets; Again where the engine has to wait for them."""
        found: list[bytes] = []
        waiting: list[Awaitable[None]] = []
        opened = self._open.get(name)
        for offset in offsets:
            recent = None if opened is None else self._recent.find(opened.serial, offset)
            if recent is not None:
                found.append(recent)
                continue
            known = self._fetched.get((name, offset)) if self._fetched else None
            batch = begin(self.logs.read(name, offset, bytes_max=1)) if known is None else b""
            if isinstance(batch, Rest):
                waiting.append(self._fetch(name, offset, batch))
            else:
                found.append(record_at(batch, offset) if known is None else known)
        if waiting:
            raise Again(asyncio.gather(*waiting))
        for offset in offsets if self._fetched else ():
            self._fetched.pop((name, offset), None)
        return found

    async def _fetch(self, name: LogName, offset: Offset, batch: Rest[bytes]) -> None:
        record = record_at(await batch, offset)
        if len(self._fetched) >= FETCHED_MAX:
            self._fetched.clear()
        self._fetched[name, offset] = record

    # --- appending

    async def append(self, append: Append) -> None:
        """Append and apply. OutOfRange when somebody else appended meanwhile: run the call again."""
        appending = self.begin_append((append,))
        if appending is not None:
            await appending

    def begin_append(self, appends: Sequence[Append]) -> Awaitable[None] | None:
        """Append and apply one after the other, nobody else seeing any of the logs before the last is done.

        What is left to await where the engine waits. OutOfRange when somebody else appended meanwhile; what
        comes before the refused one is done then.
        """
        first = appends[0]
        opened = self._undisturbed(first)
        if len(appends) == 1:
            writing = begin(self._write(opened, first))
            if not isinstance(writing, Rest):
                return None
            opened.busy = asyncio.get_running_loop().create_future()
            return unbroken(_release_after(writing, [opened]))
        held = {append.log: self._undisturbed(append) for append in _firsts(appends)}
        busy = asyncio.get_running_loop().create_future()
        for opened in held.values():
            opened.busy = busy
        all_written = begin(_release_after(self._write_all(appends), list(held.values())))
        return unbroken(all_written) if isinstance(all_written, Rest) else None

    async def _write_all(self, appends: Sequence[Append]) -> None:
        for append in appends:
            await self._write(self._unmoved(append), append)

    def _undisturbed(self, append: Append) -> OpenLog:
        """The same, while nobody else appends to it."""
        opened = self._unmoved(append)
        if opened.busy is not None:
            raise OutOfRange(append.at, opened.stop)
        return opened

    def _unmoved(self, append: Append) -> OpenLog:
        """The log of an append, as it was when that was decided; OutOfRange if it is not."""
        opened = self._open.get(append.log)
        if opened is None or opened.stop != append.at:
            raise OutOfRange(append.at, append.at if opened is None else opened.stop)
        return opened

    async def _write(self, opened: OpenLog, append: Append) -> None:
        """Append and apply, the log being the caller's alone."""
        records, now_ms = append.records, self._clock.cloud_ms()
        batch = encode_value(records[0], now_ms) if len(records) == 1 else encode_values(records, now_ms)
        offset: Offset | None = None
        try:
            offset = await self.logs.append(
                append.log, batch, at=append.at, epoch=opened.epoch, durability=self._durability
            )
        except OutcomeUnknown:
            if not await self._is_there(opened, records):
                raise OutOfRange(append.at, append.at) from None
            offset = append.at
        finally:
            if offset is None:
                self._open.pop(opened.name, None)  # the next user replays
        self._apply(opened, offset, records)

    async def _is_there(self, opened: OpenLog, records: Sequence[bytes]) -> bool:
        """Whether an append whose reply was lost has been done: its records stand where they should."""
        if self.logs.ends(opened.name).stop <= opened.stop:
            return False
        found = await self.logs.read(opened.name, opened.stop, bytes_max=1)
        return [(at, value) for at, _, _, value in decode(found)] == [
            (opened.stop + number, record) for number, record in enumerate(records)
        ]

    def _apply(self, opened: OpenLog, offset: Offset, records: Sequence[bytes]) -> None:
        state = opened.state
        for record in records:
            state.apply(offset, record)
            self._recent.put(opened.serial, offset, record)
            offset = Offset(offset + 1)
        opened.stop = offset
        line = self._lines.get(opened.name)
        if line is not None:
            line.wake()
        if offset & 0xFF < len(records):
            self._upkeep.look(opened)

    # --- opening

    def _open_soon(self, name: LogName, empty: Callable[[], Derived]) -> Awaitable[None]:
        task = self._opening.get(name)
        if task is None:
            task = self._opening[name] = asyncio.ensure_future(self._replay(name, empty()))
        return asyncio.shield(task)

    async def _replay(self, name: LogName, state: Derived) -> None:
        try:
            self._open[name] = await self._replayed(name, state)
        finally:
            self._opening.pop(name, None)  # at once: whoever finds the state closed again opens it anew

    async def _replayed(self, name: LogName, state: Derived) -> OpenLog:
        offset, epoch = self.logs.ends(name).start, self.logs.epoch(name)
        packed = Offset(0)
        if isinstance(state, Packable):
            found = await load(self.logs, name, epoch, type(state))
            if found is not None:
                state, offset = cast(Derived, found.state), found.offset
                packed = offset
        while offset < self.logs.ends(name).stop:
            batches = await self.logs.read(name, offset, bytes_max=REPLAY_BYTES)
            for at, _, _, value in decode(batches):
                if at >= offset:
                    state.apply(Offset(at), value or b"")
            offset = Offset(stop_of(batches))
            await asyncio.sleep(0)
        opened = OpenLog(name, next(self._serials), state, offset, epoch)
        opened.packed = packed
        return opened

    async def drop(self, name: LogName) -> None:
        """Delete a log and its state; who waits for it runs again and finds it gone."""
        while (opened := self._open.get(name)) is not None and opened.busy is not None:
            await asyncio.shield(opened.busy)
        self._open.pop(name, None)
        if opened is not None:
            await self._upkeep.end(opened)
        await self.logs.drop(beside(name))
        await self.logs.drop(name)
        line = self._lines.get(name)
        if line is not None:
            line.wake_all()

    # --- waiting

    def line(self, name: LogName) -> WaitingLine:
        """The waiters of a log."""
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = WaitingLine(self.alarms, partial(self._lines.pop, name, None))
        return line

    async def wait(self, wait: Wait, left_ms: float, *, again: bool) -> None:
        """Wait until the log has changed, the wait's own time has come, or `left_ms` have passed.

        `again` says that the call has waited before: it goes to the front of the line.
        """
        await self.line(wait.log).wait(left_ms, wait.wake_at_ms, again=again)

    def answered(self, name: LogName) -> None:
        """A call that had waited for this log is done: the next in line has its turn."""
        line = self._lines.get(name)
        if line is not None:
            line.wake()

    def waiting(self) -> int:
        """How many calls wait, for all logs together."""
        return sum(len(line) for line in self._lines.values())

    async def forget(self) -> None:
        """Let every state go: the next user of a log replays what it holds then."""
        await self._end_tasks()
        self._opening.clear()
        self._open.clear()
        self._recent.clear()
        self._fetched.clear()

    async def _end_tasks(self) -> None:
        await self._upkeep.end_all()
        tasks = list(self._opening.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while busy := [opened.busy for opened in self._open.values() if opened.busy is not None]:
            await asyncio.wait(busy)

    async def close(self) -> None:
        """End what runs in the background and tell who waits."""
        await self._end_tasks()
        for opened in list(self._open.values()):
            await self._upkeep.pack_at_end(opened)
        await self.forget()
        for line in list(self._lines.values()):
            line.wake_all()


def _firsts(appends: Sequence[Append]) -> Sequence[Append]:
    """The first append to each log."""
    return list({append.log: append for append in reversed(appends)}.values())


async def _release_after(writing: Awaitable[None], held: Sequence[OpenLog]) -> None:
    """Write, then let others see the logs."""
    try:
        await writing
    finally:
        busy = held[0].busy
        assert busy is not None
        for opened in held:
            opened.busy = None
        busy.set_result(None)


def record_at(batch: bytes, offset: Offset) -> bytes:
    """The value of one record of a batch; OutOfRange if it is not there."""
    for at, _, _, value in decode(batch):
        if at == offset:
            return value or b""
    raise OutOfRange(offset, offset)
