"""A log as plain lists, and the steps that a property test takes on an engine and on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from cloudlet.kernel.batches import header, whole_bytes
from cloudlet.kernel.fault import Fenced, OutOfRange, ProtocolError
from cloudlet.kernel.logs import Ends, LogName, Logs, Offset
from cloudlet.wire.kafka.records import decode, encode_values

Step = tuple[str, int, int, int]

NAMES = [LogName("plain"), LogName("nested"), LogName("nested/inner"), LogName("a=b@c/d-0")]

# (what, which log, a number, another number)
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["append"] * 6
            + ["append_at", "read", "read", "trim", "truncate", "fence", "drop", "sync", "reopen", "garbage"]
        ),
        st.integers(0, len(NAMES) - 1),
        st.integers(0, 40),
        st.integers(0, 600),
    ),
    max_size=40,
)


@dataclass
class Batch:
    base: int
    values: list[bytes]
    epoch: int

    @property
    def stop(self) -> int:
        return self.base + len(self.values)


@dataclass
class Plain:
    """One log."""

    batches: list[Batch] = field(default_factory=list)
    start: int = 0
    stop: int = 0
    epoch: int = 0


async def refused(error: type[Exception], awaited: object) -> None:
    try:
        await awaited  # type: ignore[misc]
    except error:
        return
    raise AssertionError(f"{error.__name__} was due")


class Model:
    """What the logs must look like after the steps so far."""

    def __init__(self) -> None:
        self.logs: dict[LogName, Plain] = {}
        self.written = 0

    async def take(self, logs: Logs, step: Step) -> None:
        what, which, number, other = step
        name = NAMES[which]
        log = self.logs.get(name, Plain())
        if what in ("append", "append_at"):
            await self.append(logs, name, log, step)
        elif what == "garbage":
            good = encode_values([b"v" * other], 0)
            cut = good[: number % len(good)]
            await refused(ProtocolError, logs.append(name, good + cut if cut else b"", epoch=log.epoch))
        elif what == "read":
            await self.read(logs, name, log, log.start - 1 + number % (log.stop - log.start + 3), other)
        elif what == "trim":
            await self.trim(logs, name, log, log.start - 1 + number % (log.stop - log.start + 3))
        elif what == "truncate":
            await self.truncate(logs, name, log, log.start - 1 + number % (log.stop - log.start + 3))
        elif what == "fence":
            await self.fence(logs, name, log, log.epoch + number % 3 - 1)
        elif what == "drop":
            await logs.drop(name)
            self.logs.pop(name, None)
        elif what == "sync":
            await logs.sync()
        self.check(logs)

    async def append(self, logs: Logs, name: LogName, log: Plain, step: Step) -> None:
        what, _, number, other = step
        batches: list[Batch] = []
        base = log.stop
        for index in range(number % 3 + 1):
            values = [b"%d:%b" % (self.written + n, b"x" * other) for n in range((number + index) % 4 + 1)]
            self.written += len(values)
            batches.append(Batch(base, values, log.epoch))
            base += len(values)
        data = b"".join(encode_values(batch.values, number) for batch in batches)
        if log.epoch:
            await refused(Fenced, logs.append(name, data, epoch=log.epoch - 1))
        if what == "append_at":
            await refused(OutOfRange, logs.append(name, data, at=Offset(log.stop + 1), epoch=log.epoch))
            assert await logs.append(name, data, at=Offset(log.stop), epoch=log.epoch) == log.stop
        else:
            assert await logs.append(name, data, epoch=log.epoch) == log.stop
        log.batches += batches
        log.stop = base
        self.logs[name] = log

    async def read(self, logs: Logs, name: LogName, log: Plain, offset: int, bytes_max: int) -> None:
        if not log.start <= offset <= log.stop:
            await refused(OutOfRange, logs.read(name, Offset(offset), bytes_max=bytes_max))
            return
        got = await logs.read(name, Offset(offset), bytes_max=bytes_max)
        if offset == log.stop:
            assert got == b""
            return
        assert whole_bytes(got) == len(got)
        due = [batch for batch in log.batches if batch.stop > offset]
        position = 0
        for batch in due:
            found = header(got, position)
            assert (found.base_offset, found.leader_epoch) == (batch.base, batch.epoch)
            chunk = got[position : position + found.size_bytes]
            assert [(o, v) for o, _, _, v in decode(chunk)] == [
                (batch.base + n, value) for n, value in enumerate(batch.values)
            ]
            position += found.size_bytes
            if position == len(got):
                break
        assert position == len(got) > 0
        assert len(got) <= header(got).size_bytes + bytes_max

    async def trim(self, logs: Logs, name: LogName, log: Plain, start: int) -> None:
        if start > log.stop:
            await refused(OutOfRange, logs.trim(name, Offset(start)))
            return
        await logs.trim(name, Offset(start))
        log.start = max(log.start, start)

    async def truncate(self, logs: Logs, name: LogName, log: Plain, stop: int) -> None:
        if not log.start <= stop <= log.stop:
            await refused(OutOfRange, logs.truncate(name, Offset(stop)))
            return
        await logs.truncate(name, Offset(stop))
        for batch in log.batches:
            if batch.stop > stop:
                log.stop = max(log.start, batch.base)
                break
        log.batches = [batch for batch in log.batches if batch.stop <= stop]

    async def fence(self, logs: Logs, name: LogName, log: Plain, epoch: int) -> None:
        if epoch < log.epoch:
            await refused(Fenced, logs.fence(name, epoch))
            return
        await logs.fence(name, epoch)
        log.epoch = epoch
        self.logs[name] = log

    def check(self, logs: Logs) -> None:
        """What can be seen without waiting."""
        assert logs.names() == sorted(self.logs)
        for name in NAMES:
            log = self.logs.get(name, Plain())
            assert logs.ends(name) == Ends(Offset(log.start), Offset(log.stop))

    async def check_all(self, logs: Logs) -> None:
        """Everything, by reading it all."""
        self.check(logs)
        for name, log in self.logs.items():
            for offset in range(log.start - 1, log.stop + 2):
                await self.read(logs, name, log, offset, offset * 100 % 700)
