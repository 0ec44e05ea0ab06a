"""The contract of partitions' logs, over both engines: through a partition's random lives, and by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from tests.kafka.partition_model import Model, steps
from tests.kafka.partition_model import Step as Turn
from tests.kafka.partition_world import NOW_MS, TOPIC_ID, batch

from cloudlet.engines.disk_logs import DiskLogs
from cloudlet.engines.disk_partitions import DiskPartitions
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.partition import Partition
from cloudlet.kernel.batches import STAMP, end_offset, header
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.fault import OutOfRange
from cloudlet.kernel.logs import LogName
from cloudlet.kernel.partition_logs import (
    Aborted,
    EpochStart,
    Mark,
    Options,
    PartitionLog,
    PartitionLogs,
    Step,
    cut_at,
    cut_to,
)
from cloudlet.kernel.partition_logs_memory import MemoryPartitions

NAME = LogName("kafka/1/t-0")
SMALL = Options(segment_bytes=300, index_interval_bytes=50)

Scenario = Callable[[PartitionLogs], Awaitable[None]]
Run = Callable[[Scenario], None]


@pytest.fixture(params=["memory", "disk"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    def run_scenario(scenario: Scenario) -> None:
        async def whole() -> None:
            if request.param == "memory":
                await scenario(MemoryPartitions())
                return
            logs = DiskLogs.open(tmp_path, descriptors_max=2, flush_interval_ms=1)
            await scenario(DiskPartitions(logs))
            await logs.close()

        asyncio.run(whole())

    return run_scenario


def add(log: PartitionLog, *values: str, time_ms: int = NOW_MS, now_ms: int = 0) -> None:
    raw = bytearray(batch(*values, time_ms=time_ms))
    STAMP.pack_into(raw, 0, log.stop, len(raw) - 12, log.epoch)
    log.append(raw, [Mark(0, log.stop + len(values) - 1, time_ms)], lambda: now_ms)


def bases(raw: bytes) -> list[int]:
    found, position = [], 0
    while position < len(raw):
        one = header(raw, position)
        found.append(one.base_offset)
        position += one.size_bytes
    return found


def test_batches_are_read_from_the_one_that_holds_the_offset(run: Run) -> None:
    async def scenario(logs: PartitionLogs) -> None:
        log = logs.open(NAME, TOPIC_ID, Options(), bytes)
        assert (log.start, log.stop, log.epoch, log.size_bytes, log.topic_id) == (0, 0, 0, 0, TOPIC_ID)
        assert log.read(0, 10) == b""
        add(log, "a", "b")
        add(log, "c")
        add(log, "d")
        assert bases(log.read(1, 0)) == [0]
        assert bases(log.read(0, 1000)) == [0, 2, 3]
        assert bases(log.read(2, len(batch("d")))) == [2, 3]
        assert log.read(4, 10) == b""
        for wrong in (-1, 5):
            with pytest.raises(OutOfRange):
                log.read(wrong, 10)
        await log.settle()

    run(scenario)


def test_segments_are_rolled_trimmed_and_cut(run: Run) -> None:
    async def scenario(logs: PartitionLogs) -> None:
        log = logs.open(NAME, TOPIC_ID, SMALL, lambda: b"state")
        for number in range(10):
            add(log, f"{number}".ljust(50))
        spans = log.spans()
        assert [(span.base, span.stop) for span in spans] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]
        assert log.snapshots() == [2, 4, 6, 8]
        assert log.read_snapshot(4) == b"state"
        log.trim(3)
        assert (log.start, log.spans()[0].base) == (3, 2)
        with pytest.raises(OutOfRange):
            log.read(2, 0)
        assert [end_offset(raw) for raw in log.replay(0)][-1] == 10
        log.truncate(7)
        assert (log.start, log.stop) == (3, 7)
        assert log.snapshots()[-1] == 6
        add(log, "again")
        assert log.stop == 8
        log.trim(8)
        assert (log.start, log.stop) == (8, 8)
        with pytest.raises(OutOfRange):
            log.trim(9)
        log.truncate_fully(20)
        assert (log.start, log.stop, log.size_bytes) == (20, 20, 0)
        add(log, "far")
        assert bases(log.read(20, 0)) == [20]

    run(scenario)


def test_a_log_is_searched_by_time(run: Run) -> None:
    async def scenario(logs: PartitionLogs) -> None:
        log = logs.open(NAME, TOPIC_ID, SMALL, bytes)
        assert log.latest() == (-1, -1)
        times = [5, 3, 9, 9, 7, 20, 8, 20]
        for later in times:
            add(log, "x" * 50, time_ms=NOW_MS + later)
        assert log.latest() == (NOW_MS + 20, 5)
        for later in range(22):
            offset = log.offset_before(NOW_MS + later)
            first = next((n for n, at in enumerate(times) if at >= later), None)
            assert (offset is None) == (first is None)
            if offset is not None:
                assert first is not None
                assert offset <= first

    run(scenario)


def test_epochs_and_aborted_transactions_follow_the_log(run: Run) -> None:
    async def scenario(logs: PartitionLogs) -> None:
        log = logs.open(NAME, TOPIC_ID, SMALL, bytes)
        assert log.epochs() == [EpochStart(0, 0)]
        log.begin_epoch(3)
        for number in range(6):
            add(log, f"{number}".ljust(50))
        log.begin_epoch(5)
        log.begin_epoch(4)
        add(log, "x")
        assert (log.epoch, log.epochs()) == (5, [EpochStart(3, 0), EpochStart(5, 6)])
        early, late = Aborted(7, 0, 2, 3), Aborted(8, 1, 5, 6)
        log.note_aborted(early)
        log.note_aborted(late)
        assert log.aborted(0, 10) == [early, late]
        assert log.aborted(3, 10) == [late]
        assert log.aborted(0, 1) == [early]
        log.truncate(5)
        assert log.aborted(0, 10) == [early]
        assert log.epochs() == [EpochStart(3, 0), EpochStart(5, 5)]
        log.forget_aborted(0)
        assert log.aborted(0, 10) == []

    run(scenario)


def through(steps: Generator[Step, None, bool]) -> bool:
    """What a rewrite says at its end."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return bool(end.value)
        if step is not None:
            step()


def test_sealed_segments_are_rewritten_unless_they_changed(run: Run) -> None:
    async def scenario(logs: PartitionLogs) -> None:
        log = logs.open(NAME, TOPIC_ID, SMALL, bytes)
        for number in range(8):
            add(log, f"{number}".ljust(50))
        spans = log.spans()[:2]
        kept = [log.read(offset, 0) for offset in (1, 3)]
        mark = Aborted(7, 1, 3, 4)
        steps = log.rewrite(spans, iter(kept), lambda: [mark])
        done = through(steps)
        assert done is True
        assert [(span.base, span.stop) for span in log.spans()] == [(0, 4), (4, 6), (6, 8)]
        assert bases(log.read(0, 1000)) == [1, 3]
        assert bases(log.read(2, 0)) == [3]
        assert log.aborted(0, 10) == [mark]
        steps = log.rewrite(log.spans()[:2], iter(kept[:1]), list)
        next(steps)
        log.trim(4)
        assert through(steps) is False
        assert bases(log.read(4, 1000)) == [4, 5]

    run(scenario)


def test_small_files_and_glances(run: Run) -> None:
    async def scenario(logs: PartitionLogs) -> None:
        assert logs.glance(NAME) is None
        assert logs.read_offsets("kafka/1", "x-checkpoint") == {}
        logs.write_offsets("kafka/1", "x-checkpoint", {"t 0": 5, "a.b 11": 7})
        assert logs.read_offsets("kafka/1", "x-checkpoint") == {"t 0": 5, "a.b 11": 7}
        assert logs.read_text("kafka/1", "mark") is None
        logs.write_text("kafka/1", "mark", "here\n")
        assert logs.read_text("kafka/1", "mark") == "here\n"
        for _ in range(2):
            logs.write_text("kafka/1", "mark", None)
        assert logs.read_text("kafka/1", "mark") is None
        log = logs.open(NAME, TOPIC_ID, SMALL, bytes)
        for number in range(4):
            add(log, f"{number}".ljust(50))
        found = logs.glance(NAME)
        assert found is not None
        assert (found.segments, found.size_bytes) == (2, log.size_bytes)
        logs.release(log)
        logs.hurry()
        assert logs.open(NAME, TOPIC_ID, SMALL, bytes).stop == 4

    run(scenario)


def test_batches_are_cut_at_an_offset_and_to_a_size() -> None:
    parts = []
    for base in (0, 2, 5):
        raw = bytearray(batch("a"))
        STAMP.pack_into(raw, 0, base, len(raw) - 12, 0)
        parts.append(bytes(raw))
    whole, one = b"".join(parts), len(parts[0])
    assert [len(cut_at(whole, stop)) // one for stop in (0, 1, 2, 3, 5, 6)] == [0, 1, 1, 2, 2, 3]
    sizes = (0, one - 1, one, 2 * one, 9 * one)
    assert [len(cut_to(whole, size, keeps_first=False)) // one for size in sizes] == [0, 0, 1, 2, 3]
    assert [len(cut_to(whole, size, keeps_first=True)) // one for size in sizes] == [1, 1, 1, 2, 3]


@given(life=steps)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_a_partition_over_memory_is_the_plain_model(life: list[Turn]) -> None:
    async def whole() -> None:
        store, clock = MemoryPartitions(), ManualClock(NOW_MS)
        shape = LogSettings(
            segment_bytes=500, cleanup_policy=frozenset({"compact"}), min_cleanable_dirty_ratio=0.0
        )

        def opened() -> Partition:
            return Partition.open(store, NAME, "t", 0, TOPIC_ID, shape, clock)

        model, partition = Model([]), opened()
        for kind, count, seed in life:
            if not await model.step(partition, clock, kind, count, seed):
                cleaned_to = partition.cleaned_to
                partition.close()
                partition = opened()
                partition.cleaned_to = cleaned_to
                model.check(partition)
        model.check(partition)

    asyncio.run(whole())
