"""The contract of the logs store, over every engine."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from tests.contract.logs_model import Model, Step, steps

from cloudlet.engines.disk_logs import DiskLogs
from cloudlet.kernel.batches import APPEND_BYTES_MAX, header
from cloudlet.kernel.fault import Fenced, OutOfRange, ProtocolError, StoreError
from cloudlet.kernel.keys import Durability
from cloudlet.kernel.logs import Ends, LogName, Logs, Offset
from cloudlet.kernel.logs_memory import MemoryLogs
from cloudlet.wire.kafka.records import decode, encode_value, encode_values

Scenario = Callable[[Logs], Awaitable[None]]
Run = Callable[[Scenario], None]

LOG = LogName("aws/sqs/000000000000/orders")


def open_memory(folder: Path) -> Logs:
    return MemoryLogs()


def open_disk(folder: Path) -> Logs:
    return DiskLogs.open(folder)


def open_small(folder: Path) -> Logs:
    """A segment for every few batches, and never more than two files open."""
    return DiskLogs.open(folder, segment_bytes=250, descriptors_max=2, flush_interval_ms=0.1)


ENGINES: dict[str, Callable[[Path], Logs]] = {
    "memory": open_memory,
    "disk": open_disk,
    "disk, small segments": open_small,
}


@pytest.fixture(params=sorted(ENGINES))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Run a scenario on one engine."""

    def run_scenario(scenario: Scenario) -> None:
        async def whole() -> None:
            logs = ENGINES[request.param](tmp_path)
            try:
                await scenario(logs)
            finally:
                await logs.close()

        asyncio.run(whole())

    return run_scenario


def one(text: str) -> bytes:
    return encode_value(text.encode(), 1)


def at_once(work: Coroutine[object, object, object]) -> object:
    """The result of a coroutine that never suspends."""
    with pytest.raises(StopIteration) as stopped:
        work.send(None)
    return stopped.value.value


def values(batches: bytes) -> list[tuple[int, bytes | None]]:
    return [(offset, value) for offset, _, _, value in decode(batches)]


def test_a_log_that_was_never_written_is_empty(run: Run) -> None:
    async def scenario(logs: Logs) -> None:
        assert logs.ends(LOG) == Ends(Offset(0), Offset(0))
        assert logs.size(LOG) == 0
        assert await logs.read(LOG, Offset(0), bytes_max=100) == b""
        with pytest.raises(OutOfRange):
            await logs.read(LOG, Offset(1), bytes_max=100)
        await logs.trim(LOG, Offset(0))
        await logs.truncate(LOG, Offset(0))
        await logs.drop(LOG)
        assert logs.names() == []

    run(scenario)


def test_records_come_back_with_their_offsets(run: Run) -> None:
    async def scenario(logs: Logs) -> None:
        assert await logs.append(LOG, encode_values([b"a", b"b"], 1)) == 0
        assert await logs.append(LOG, one("c") + one("d")) == 2
        got = await logs.read(LOG, Offset(0), bytes_max=10_000)
        assert values(got) == [(0, b"a"), (1, b"b"), (2, b"c"), (3, b"d")]
        assert values(await logs.read(LOG, Offset(1), bytes_max=0)) == [(0, b"a"), (1, b"b")]
        assert values(await logs.read(LOG, Offset(3), bytes_max=0)) == [(3, b"d")]
        assert logs.ends(LOG) == (0, 4)
        assert logs.size(LOG) == len(got)

    run(scenario)


def test_relaxed_appends_and_reads_never_suspend(run: Run) -> None:
    async def scenario(logs: Logs) -> None:
        for number in range(50):
            assert at_once(logs.append(LOG, one(f"{number}"))) == number
            at_once(logs.append(LogName(f"other/{number}"), one("x")))
        for number in range(50):
            got = at_once(logs.read(LOG, Offset(number), bytes_max=0))
            assert isinstance(got, bytes)
            assert values(got) == [(number, b"%d" % number)]

    run(scenario)


def test_an_append_at_an_offset_that_is_taken_is_refused_and_changes_nothing(run: Run) -> None:
    async def scenario(logs: Logs) -> None:
        await logs.append(LOG, one("a"), at=Offset(0))
        with pytest.raises(OutOfRange) as refused:
            await logs.append(LOG, one("b"), at=Offset(0))
        assert (refused.value.start, refused.value.stop) == (0, 1)
        with pytest.raises(OutOfRange):
            await logs.append(LogName("never/made"), one("b"), at=Offset(1))
        assert logs.ends(LOG) == (0, 1)
        assert logs.names() == [LOG]

    run(scenario)


def test_a_fence_deposes_the_former_owner(run: Run) -> None:
    async def scenario(logs: Logs) -> None:
        await logs.append(LOG, one("a"), epoch=1)
        await logs.fence(LOG, 4)
        for epoch in (0, 1, 3):
            with pytest.raises(Fenced):
                await logs.append(LOG, one("b"), epoch=epoch)
            with pytest.raises(Fenced):
                await logs.fence(LOG, epoch)
        await logs.fence(LOG, 4)
        await logs.append(LOG, one("c"), epoch=4)
        await logs.append(LOG, one("d"), epoch=6)
        with pytest.raises(Fenced):
            await logs.append(LOG, one("e"), epoch=5)
        got = await logs.read(LOG, Offset(2), bytes_max=0)
        assert header(got).leader_epoch == 6
        await logs.truncate(LOG, Offset(0))
        with pytest.raises(Fenced):
            await logs.append(LOG, one("e"), epoch=5)

    run(scenario)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: b"",
        lambda good: good[:-1],
        lambda good: good[:60],
        lambda good: good + good[:70],
        lambda good: good + b"\0",
        lambda good: good[:16] + b"\1" + good[17:],
        lambda good: good[:-1] + bytes([good[-1] ^ 1]),
        lambda good: good + good[:-1] + bytes([good[-1] ^ 1]),
        lambda good: good[:8] + b"\xff\xff\xff\xff" + good[12:],
        lambda good: bytes(APPEND_BYTES_MAX + 1),
    ],
)
def test_what_is_not_whole_batches_is_refused(run: Run, spoil: Callable[[bytes], bytes]) -> None:
    async def scenario(logs: Logs) -> None:
        with pytest.raises(ProtocolError):
            await logs.append(LOG, spoil(one("first")))
        assert logs.names() == []
        await logs.append(LOG, one("a"))
        with pytest.raises(ProtocolError):
            await logs.append(LOG, spoil(one("later")))
        assert logs.ends(LOG) == (0, 1)
        assert logs.names() == [LOG]

    run(scenario)


def test_trim_hides_records_at_once(run: Run) -> None:
    async def scenario(logs: Logs) -> None:
        await logs.append(LOG, encode_values([b"a", b"b", b"c"], 1))
        await logs.append(LOG, one("d"))
        await logs.trim(LOG, Offset(1))
        assert logs.ends(LOG) == (1, 4)
        with pytest.raises(OutOfRange):
            await logs.read(LOG, Offset(0), bytes_max=0)
        assert values(await logs.read(LOG, Offset(1), bytes_max=0))[0] == (0, b"a")
        await logs.trim(LOG, Offset(0))
        assert logs.ends(LOG) == (1, 4)
        with pytest.raises(OutOfRange):
            await logs.trim(LOG, Offset(5))
        await logs.trim(LOG, Offset(4))
        assert logs.ends(LOG) == (4, 4)
        assert logs.size(LOG) == 0
        assert await logs.append(LOG, one("e")) == 4

    run(scenario)


def test_truncate_cuts_whole_batches(run: Run) -> None:
    async def scenario(logs: Logs) -> None:
        await logs.append(LOG, one("a"))
        await logs.append(LOG, encode_values([b"b", b"c", b"d"], 1))
        await logs.truncate(LOG, Offset(3))
        assert logs.ends(LOG) == (0, 1)
        assert await logs.append(LOG, one("e")) == 1
        assert values(await logs.read(LOG, Offset(0), bytes_max=1000)) == [(0, b"a"), (1, b"e")]
        await logs.truncate(LOG, Offset(2))
        assert logs.ends(LOG) == (0, 2)
        for stop in (3, -1):
            with pytest.raises(OutOfRange):
                await logs.truncate(LOG, Offset(stop))

    run(scenario)


def test_truncate_never_moves_the_start(run: Run) -> None:
    async def scenario(logs: Logs) -> None:
        await logs.append(LOG, encode_values([b"a", b"b", b"c", b"d"], 1))
        await logs.trim(LOG, Offset(2))
        await logs.truncate(LOG, Offset(3))
        assert logs.ends(LOG) == (2, 2)
        assert await logs.append(LOG, one("e")) == 2
        assert values(await logs.read(LOG, Offset(2), bytes_max=0)) == [(2, b"e")]

    run(scenario)


def test_a_dropped_log_starts_anew_and_leaves_its_neighbours_alone(run: Run) -> None:
    async def scenario(logs: Logs) -> None:
        inner, beside = LogName(f"{LOG}/inner"), LogName(f"{LOG}-1")
        for name in (LOG, inner, beside):
            await logs.append(name, one("a"))
        await logs.fence(LOG, 3)
        assert logs.names() == [LOG, beside, inner]
        assert logs.names(f"{LOG}/") == [inner]
        await logs.drop(LOG)
        assert logs.names() == [beside, inner]
        assert logs.ends(LOG) == (0, 0)
        assert await logs.append(LOG, one("again")) == 0
        assert values(await logs.read(inner, Offset(0), bytes_max=0)) == [(0, b"a")]
        assert logs.ends(beside) == (0, 1)

    run(scenario)


def test_sync_appends_keep_their_order(run: Run) -> None:
    async def scenario(logs: Logs) -> None:
        appends = [logs.append(LOG, one(f"{n}"), durability=Durability.SYNC) for n in range(20)]
        assert await asyncio.gather(*appends) == list(range(20))
        await logs.sync()
        assert logs.ends(LOG) == (0, 20)

    run(scenario)


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "..", "a/../b", ".", "a b", "ä", "a" * 1025, f"a/{0:020d}.log"]
)
def test_what_is_no_name_is_our_own_mistake(run: Run, name: str) -> None:
    async def scenario(logs: Logs) -> None:
        with pytest.raises(AssertionError):
            await logs.append(LogName(name), one("a"))
        assert logs.names() == []

    run(scenario)


def test_a_closed_store_refuses(run: Run) -> None:
    async def scenario(logs: Logs) -> None:
        await logs.append(LOG, one("a"))
        await logs.close()
        await logs.close()
        with pytest.raises(StoreError):
            await logs.append(LOG, one("b"))
        with pytest.raises(StoreError):
            await logs.read(LOG, Offset(0), bytes_max=1)
        with pytest.raises(StoreError):
            await logs.sync()

    run(scenario)


@given(steps=steps)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_memory_is_the_plain_model(steps: list[Step]) -> None:
    async def whole() -> None:
        logs, model = MemoryLogs(), Model()
        for step in steps:
            await model.take(logs, step)
        await model.check_all(logs)

    asyncio.run(whole())


@given(steps=steps)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize(("segment_bytes", "descriptors_max"), [(300, 2), (5000, 256)])
def test_disk_is_the_plain_model(
    tmp_path_factory: pytest.TempPathFactory, segment_bytes: int, descriptors_max: int, steps: list[Step]
) -> None:
    """Also over reopening, and over a crash at any step: a copy of the files is what a killed process
    leaves."""

    def reopened(folder: Path) -> DiskLogs:
        return DiskLogs.open(
            folder, segment_bytes=segment_bytes, descriptors_max=descriptors_max, flush_interval_ms=0.5
        )

    async def whole() -> None:
        folder = tmp_path_factory.mktemp("logs")
        logs, model, copies = reopened(folder), Model(), 0
        for step in steps:
            if step[0] != "reopen":
                await model.take(logs, step)
                continue
            if step[2] % 2:
                copies += 1
                copy = folder.with_name(f"{folder.name}-{copies}")
                shutil.copytree(folder, copy)
                await logs.close()
                folder = copy
            else:
                await logs.close()
            logs = reopened(folder)
            model.check(logs)
        await model.check_all(logs)
        await logs.close()

    asyncio.run(whole())
