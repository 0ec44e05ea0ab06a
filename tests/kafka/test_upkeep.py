"""Retention on cloud time, compaction in its rounds, producers that are forgotten, Kafka's checkpoints."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest
from tests.kafka.partition_world import NOW_MS, World, batch, contents

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_settings import DAY_MS, HOUR_MS, LogSettings
from cloudlet.kafka.partition import Partition
from cloudlet.kafka.upkeep import Held, Rhythm, Upkeep
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import Producer

FOLDER = "kafka/1"


def upkeep_of(world: World, partition: Partition, *, is_open: bool = True, **rhythm: float) -> Upkeep:
    held = Held(
        "t",
        0,
        partition.log.name,
        partition if is_open else None,
        lambda: partition.settings,
        lambda: partition,
    )
    return Upkeep(world.partitions, FOLDER, lambda: [held], world.clock, lambda: Rhythm(**rhythm))


def test_a_week_is_kept_and_no_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition(LogSettings(segment_bytes=300))
        upkeep = upkeep_of(world, partition)
        for _ in range(10):
            await partition.append(batch("x" * 50, time_ms=world.clock.wall_ms()))
            world.clock.pass_ms(DAY_MS)
        await upkeep.retain()
        # Segments of two records: one whose youngest record is a week old is gone.
        assert [offset for offset, _ in contents(partition)] == [2, 3, 4, 5, 6, 7, 8, 9]
        world.move_clock(100 * DAY_MS)
        await partition.append(batch("young", time_ms=world.clock.wall_ms()))
        await upkeep.retain()
        assert [offset for offset, _ in contents(partition)] == [10]
        world.move_clock(8 * DAY_MS)
        await upkeep.retain()
        assert (partition.start_offset, partition.stop_offset) == (11, 11)
        assert (await partition.append(batch("next", time_ms=world.clock.wall_ms()))).base_offset == 11
        await world.logs.close()

    asyncio.run(scenario())


def test_records_without_a_time_are_as_old_as_their_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition(LogSettings(retention_ms=HOUR_MS))
        await partition.append(batch("x", time_ms=-1))
        file_ms = partition.log.spans()[0].written_ms
        world.clock.set_wall_ms(file_ms)
        upkeep = upkeep_of(world, partition, is_open=False)
        await upkeep.retain()
        assert partition.start_offset == 0
        world.move_clock(HOUR_MS + 1)
        await upkeep.retain()
        assert partition.start_offset == 1
        await world.logs.close()

    asyncio.run(scenario())


def test_retention_by_size_leaves_at_least_so_much(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition(LogSettings(segment_bytes=300, retention_bytes=500, retention_ms=-1))
        for _ in range(10):
            await partition.append(batch("x" * 50))
        one = partition.log.spans()[0].size_bytes
        await upkeep_of(world, partition).retain()
        assert 500 <= partition.size_bytes < 500 + one
        await world.logs.close()

    asyncio.run(scenario())


def test_delete_records_moves_the_start_for_good(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition()
        for number in range(6):
            await partition.append(batch(f"{number}", producer=Producer(5, 0, number)))
        assert await partition.delete_records(4) == 4
        assert await partition.delete_records(2) == 4
        for wrong in (7, -2):
            with pytest.raises(KafkaFault) as refused:
                await partition.delete_records(wrong)
            assert refused.value.code is ErrorCode.OFFSET_OUT_OF_RANGE
        partition.close()
        await world.reopen()
        partition = world.partition()
        assert partition.start_offset == 4
        assert await partition.delete_records(-1) == 6
        assert (await partition.append(batch("5", producer=Producer(5, 0, 5)))).is_retry
        partition.configure(LogSettings(cleanup_policy=frozenset({"compact"})))
        with pytest.raises(KafkaFault) as refused:
            await partition.delete_records(6)
        assert refused.value.code is ErrorCode.POLICY_VIOLATION
        await world.logs.close()

    asyncio.run(scenario())


def test_compaction_is_due_when_half_is_dirty(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        settings = LogSettings(segment_bytes=1000, cleanup_policy=frozenset({"compact"}))
        partition = world.partition(settings)
        upkeep = upkeep_of(world, partition)
        for number in range(60):
            await partition.append(batch(f"{number}", key=f"k{number % 4}"))
        before = partition.size_bytes
        await upkeep.compact()
        assert partition.size_bytes < before / 2
        cleaned_to = partition.cleaned_to
        assert 40 < cleaned_to < 60
        assert (tmp_path / FOLDER / "cleaner-offset-checkpoint").read_text() == f"0\n1\nt 0 {cleaned_to}\n"
        await partition.append(batch("more", key="k0"))
        await upkeep.compact()
        assert partition.cleaned_to == cleaned_to  # too little is dirty
        newest = dict(contents(partition))
        assert [newest[offset] for offset in sorted(newest)][-5:] == [b"56", b"57", b"58", b"59", b"more"]
        # A broker that starts again knows how far it is clean.
        partition.close()
        await world.reopen()
        partition = world.partition(settings)
        await upkeep_of(world, partition).compact()
        assert partition.cleaned_to == cleaned_to
        await world.logs.close()

    asyncio.run(scenario())


def test_too_young_records_wait_and_too_old_ones_do_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        settings = LogSettings(
            segment_bytes=300, cleanup_policy=frozenset({"compact"}), min_compaction_lag_ms=HOUR_MS
        )
        partition = world.partition(settings)
        upkeep = upkeep_of(world, partition)
        for number in range(20):
            await partition.append(batch(f"{number}".ljust(50), key="k"))
        await upkeep.compact()
        assert len(contents(partition)) == 20
        world.move_clock(HOUR_MS + 1)
        await upkeep.compact()
        assert len(contents(partition)) < 5
        lagging = LogSettings(
            segment_bytes=300,
            cleanup_policy=frozenset({"compact"}),
            min_cleanable_dirty_ratio=1.0,
            max_compaction_lag_ms=DAY_MS,
        )
        partition.configure(lagging)
        for number in range(20):
            await partition.append(batch(f"{number}".ljust(50), key="k"))
        await upkeep.compact()
        assert len(contents(partition)) > 20
        world.move_clock(DAY_MS + 1)
        await upkeep.compact()
        assert len(contents(partition)) < 5
        await world.logs.close()

    asyncio.run(scenario())


def test_a_tombstone_goes_a_day_after_the_first_pass(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition(
            LogSettings(
                segment_bytes=200, cleanup_policy=frozenset({"compact"}), min_cleanable_dirty_ratio=0.0
            )
        )
        upkeep = upkeep_of(world, partition)
        await partition.append(batch("v", key="gone"))
        await partition.append(batch(None, key="gone"))
        for number in range(4):
            await partition.append(batch("x" * 60, key=f"{number}"))
        await upkeep.compact()
        assert contents(partition)[0] == (1, None)
        await partition.append(batch("x" * 60, key="other"))
        await partition.append(batch("x" * 60, key="other"))
        await upkeep.compact()
        assert contents(partition)[0] == (1, None)
        world.move_clock(DAY_MS + 1)
        await partition.append(batch("x" * 60, key="other"))
        await partition.append(batch("x" * 60, key="other"))
        await upkeep.compact()
        assert contents(partition)[0][0] == 2
        await world.logs.close()

    asyncio.run(scenario())


def test_silent_producers_are_forgotten_after_a_day_of_cloud_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition()
        upkeep = upkeep_of(world, partition)
        await partition.append(batch("x", producer=Producer(1, 0, 0)))
        await upkeep.expire_producers()
        assert len(partition.producers) == 1
        world.move_clock(DAY_MS + 1)
        await upkeep.expire_producers()
        assert len(partition.producers) == 0
        await world.logs.close()

    asyncio.run(scenario())


def test_the_folder_holds_kafkas_files(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition(LogSettings(segment_bytes=130))
        folder = tmp_path / FOLDER
        upkeep = upkeep_of(world, partition)
        upkeep.start()
        for _ in range(5):
            await partition.append(batch("x" * 50))
        partition.trim(2)
        await upkeep.checkpoint()
        assert (folder / "replication-offset-checkpoint").read_text() == "0\n1\nt 0 5\n"
        assert (folder / "recovery-point-offset-checkpoint").read_text() == "0\n1\nt 0 4\n"
        assert (folder / "log-start-offset-checkpoint").read_text() == "0\n1\nt 0 2\n"
        assert not (folder / ".kafka_cleanshutdown").exists()
        await upkeep.close()
        assert (folder / ".kafka_cleanshutdown").read_text() == '{"version":0,"brokerEpoch":-1}'
        assert (folder / "recovery-point-offset-checkpoint").read_text() == "0\n1\nt 0 5\n"
        metadata = (folder / "t-0" / "partition.metadata").read_text()
        assert metadata == "version: 0\ntopic_id: AAECAwQFBgcICQoLDA0ODw"
        await world.logs.close()

    asyncio.run(scenario())


def test_a_step_of_the_clock_starts_a_round_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition()
        upkeep = upkeep_of(world, partition)
        upkeep.start()
        await partition.append(batch("x", time_ms=NOW_MS))
        moved = asyncio.Event()
        partition.on_change(moved.set)
        world.move_clock(8 * DAY_MS)
        upkeep.clock_moved()
        async with asyncio.timeout(10):
            while partition.start_offset == 0:
                await asyncio.sleep(0.001)
        await upkeep.close()
        await world.logs.close()

    asyncio.run(scenario())


def test_intervals_may_change_while_it_runs_and_a_cleaner_may_be_off(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition(LogSettings(cleanup_policy=frozenset({"compact"}), segment_bytes=300))
        held = Held("t", 0, partition.log.name, partition, lambda: partition.settings, lambda: partition)
        rhythm = Rhythm(sync_s=0.01, cleaning_s=math.inf, retention_s=math.inf)
        upkeep = Upkeep(world.partitions, FOLDER, lambda: [held], world.clock, lambda: rhythm)
        for number in range(20):
            await partition.append(batch("x" * 50, key=f"k{number % 2}"))
        upkeep.start()
        before = len(contents(partition))
        upkeep.clock_moved()
        for _ in range(20):
            world.clock.pass_ms(3_600_000)
            await asyncio.sleep(0.01)
        assert len(contents(partition)) == before, "nobody cleans, however long it takes"
        rhythm = Rhythm(sync_s=0.01, cleaning_s=15, retention_s=math.inf)
        async with asyncio.timeout(20):
            while len(contents(partition)) == before:
                world.clock.pass_ms(1000)
                await asyncio.sleep(0.01)
        await upkeep.close()
        await world.logs.close()

    asyncio.run(scenario())
