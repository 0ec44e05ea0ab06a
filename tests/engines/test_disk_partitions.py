"""Partitions' logs on disk: files as Kafka has them, torn tails, lost indexes, rewrites that are cut off."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.kafka.partition_world import NOW_MS, World, batch, contents

from cloudlet.kafka.cleaning import clean, extent
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.partition import Isolation, Partition
from cloudlet.kafka.turns import whole as done
from cloudlet.kernel.fault import NoSpace, StoreError
from cloudlet.wire.kafka.records import TRANSACTIONAL, Producer

NAME = "kafka/1/t-0"
FIRST = f"{0:020d}"


def test_the_time_index_is_kafkas(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition(LogSettings(index_interval_bytes=200, segment_bytes=1000))
        for number, later_ms in enumerate((0, 5, 3, 9, 9, 7, 20, 8, 1, 2)):
            await partition.append(batch(f"{number}".ljust(60), time_ms=NOW_MS + later_ms))
        await world.logs.close()
        entries = list(struct.iter_unpack(">qi", (tmp_path / NAME / f"{FIRST}.timeindex").read_bytes()))
        index = list(struct.iter_unpack(">ii", (tmp_path / NAME / f"{FIRST}.index").read_bytes()))
        # A batch has 129 bytes: an entry at every second one, holding the highest time so far, and one at the
        # end of the segment.
        assert index == [(2, 258), (4, 516), (6, 774)]
        assert entries == [(NOW_MS + 5, 1), (NOW_MS + 9, 3), (NOW_MS + 20, 6)]
        assert len(list((tmp_path / NAME).glob("*.log"))) == 2

    asyncio.run(scenario())


def test_a_sealed_segment_keeps_its_highest_time(tmp_path: Path) -> None:
    """Also where it was synced before it was sealed, and has no new bytes then."""

    async def scenario() -> None:
        world = World(tmp_path)
        settings = LogSettings(segment_bytes=500, index_interval_bytes=200)
        partition = world.partition(settings)
        for number in range(4):  # an entry at the third; the fourth is younger
            await partition.append(batch("x" * 50, time_ms=NOW_MS + number))
        await partition.log.settle()
        for _ in range(3):  # the segment behind has an entry, which vouches for this one
            await partition.append(batch("y" * 50, time_ms=NOW_MS))
        assert [span.max_timestamp_ms for span in partition.log.spans()] == [NOW_MS + 3, NOW_MS]
        await world.reopen()
        partition = world.partition(settings)
        assert [span.max_timestamp_ms for span in partition.log.spans()] == [NOW_MS + 3, NOW_MS]
        assert done(partition.offset_for_timestamp(NOW_MS + 3)) == (3, NOW_MS + 3, 0)
        await world.logs.close()

    asyncio.run(scenario())


def test_the_index_of_aborted_transactions_is_kafkas(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition()
        await partition.append(batch("a", producer=Producer(7, 0, 0), attributes=TRANSACTIONAL))
        await partition.append(batch("b", producer=Producer(8, 0, 0), attributes=TRANSACTIONAL))
        await partition.append_marker(7, 0, is_commit=False, coordinator_epoch=0)
        await partition.append_marker(8, 0, is_commit=True, coordinator_epoch=0)
        await world.logs.close()
        raw = (tmp_path / NAME / f"{FIRST}.txnindex").read_bytes()
        assert raw == struct.pack(">hqqqq", 0, 7, 0, 2, 1)

    asyncio.run(scenario())


async def write(folder: Path, settings: LogSettings) -> int:
    """Two producers, one of whose transactions is aborted; the size of the last batch."""
    world = World(folder)
    partition = world.partition(settings)
    for number in range(8):
        await partition.append(batch(f"v{number}", producer=Producer(1, 0, number), time_ms=NOW_MS + number))
    await partition.append(batch("t", producer=Producer(2, 0, 0), attributes=TRANSACTIONAL))
    await partition.append_marker(2, 0, is_commit=False, coordinator_epoch=0)
    before = partition.size_bytes
    await partition.append(batch("last", producer=Producer(1, 0, 8), time_ms=NOW_MS + 50))
    size = partition.size_bytes - before
    partition.close()
    await world.logs.close()
    return size


@pytest.mark.parametrize("interval", [1, 100_000])
@pytest.mark.parametrize("filler", [b"", b"\0", b"\xff"])
def test_a_tail_torn_at_any_byte_is_cut_and_all_is_rebuilt(
    tmp_path: Path, interval: int, filler: bytes
) -> None:
    """Producers, aborted transactions and times are those of what is left, wherever the tear is."""

    async def scenario() -> None:
        settings = LogSettings(index_interval_bytes=interval)
        size = await write(tmp_path / "whole", settings)
        log = tmp_path / "whole" / NAME / f"{FIRST}.log"
        whole = log.stat().st_size
        for lost in range(1, size + 1):
            folder = tmp_path / f"torn-{lost}"
            shutil.copytree(tmp_path / "whole", folder)
            torn = folder / NAME / f"{FIRST}.log"
            os.truncate(torn, whole - lost)
            if filler:
                with open(torn, "ab") as file:
                    file.write(filler * lost)
                if torn.read_bytes() == log.read_bytes():
                    continue  # it ends with what fills it
            world = World(folder)
            partition = world.partition(settings)
            assert partition.stop_offset == 10
            assert partition.last_stable_offset == 10
            committed = partition.read(0, bytes_max=100_000, isolation=Isolation.READ_COMMITTED)
            assert committed.aborted == [(2, 8)]
            assert done(partition.offset_for_timestamp(NOW_MS + 50)) is None
            found = done(partition.offset_for_timestamp(NOW_MS + 7))
            assert found is not None
            assert found.offset == 7
            again = await partition.append(batch("last", producer=Producer(1, 0, 8), time_ms=NOW_MS + 50))
            assert again[:2] == (10, 11)
            assert not again.is_retry
            assert (await partition.append(batch("v7", producer=Producer(1, 0, 7)))).base_offset == 7
            await world.logs.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "suffixes", [("index",), ("timeindex",), ("index", "timeindex", "txnindex", "snapshot")]
)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-3]),
        lambda path: path.write_bytes(b"\xff" * 40),
        lambda path: path.write_bytes(bytes(40)),
    ],
)
def test_indexes_that_are_lost_or_wrong_are_made_again(
    tmp_path: Path, suffixes: tuple[str, ...], spoil: Callable[[Path], None]
) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        settings = LogSettings(index_interval_bytes=100, segment_bytes=900)
        partition = world.partition(settings)
        for number in range(30):
            await partition.append(
                batch(f"v{number}", producer=Producer(1, 0, number), time_ms=NOW_MS + number * 7 % 40)
            )
        await partition.append(batch("t", producer=Producer(2, 0, 0), attributes=TRANSACTIONAL))
        await partition.append_marker(2, 0, is_commit=False, coordinator_epoch=0)
        before = facts(partition)
        partition.close()
        await world.logs.close()
        for suffix in suffixes:
            for path in sorted((tmp_path / NAME).glob(f"*.{suffix}"))[-1:]:
                spoil(path)
        world.open()
        partition = world.partition(settings)
        assert facts(partition) == before
        await world.logs.close()

    asyncio.run(scenario())


def facts(partition: Partition) -> list[object]:
    """What a reader can learn."""
    seen = [done(partition.offset_for_timestamp(NOW_MS + later)) for later in range(42)]
    committed = partition.read(partition.start_offset, bytes_max=1 << 20, isolation=Isolation.READ_COMMITTED)
    return [
        contents(partition),
        seen,
        done(partition.offset_of_max_timestamp()),
        partition.last_stable_offset,
        partition.log.aborted(0, 1000),
        [partition.read(offset, bytes_max=0).records for offset in range(partition.stop_offset)],
        committed.aborted,
    ]


def compacted(world: World) -> Partition:
    return world.partition(
        LogSettings(
            segment_bytes=300,
            cleanup_policy=frozenset({"compact"}),
            min_cleanable_dirty_ratio=0.0,
            index_interval_bytes=50,
        )
    )


async def write_keys(folder: Path) -> World:
    world = World(folder)
    partition = compacted(world)
    for number in range(24):
        await partition.append(batch(f"{number}".ljust(20), key=f"k{number % 3}"))
    await partition.append(batch("t", key="t", producer=Producer(2, 0, 0), attributes=TRANSACTIONAL))
    await partition.append_marker(2, 0, is_commit=False, coordinator_epoch=0)
    for number in range(6):
        await partition.append(batch(f"{number}".ljust(20), key="z"))
    return world


def test_a_rewrite_that_is_cut_off_anywhere_is_finished_or_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies at each of the renames, unlinks and steps of a compaction; what is read then is what
    was there before, or what is there after it."""

    async def scenario() -> None:
        world = await write_keys(tmp_path / "whole")
        partition = compacted(world)
        before, newest_before = contents(partition), newest(partition)
        await world.logs.close()
        outcomes = set()
        step, is_done = 0, False
        while not is_done:
            folder = tmp_path / f"step-{step}"
            shutil.copytree(tmp_path / "whole", folder)
            world = World(folder)
            partition = compacted(world)
            with monkeypatch.context() as patch:
                is_done = not dies_at(step, patch, partition, world)
            copy = tmp_path / f"copy-{step}"
            shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("~trash"))
            await world.logs.close()
            world = World(copy)
            partition = compacted(world)
            found = contents(partition)
            assert set(found) <= set(before)
            assert newest(partition) == newest_before
            assert partition.stop_offset == 32
            assert partition.read(0, bytes_max=10_000, isolation=Isolation.READ_COMMITTED).aborted in (
                [(2, 24)],
                [],
            )
            names = {path.name for path in (copy / NAME).iterdir()}
            assert not any(name.endswith((".cleaned", ".swap")) for name in names)
            assert (await partition.append(batch("more", key="k0"))).base_offset == 32
            outcomes.add(len(found))
            await world.logs.close()
            step += 1
        assert step > 30
        assert len(outcomes) > 2

    asyncio.run(scenario())


def newest(partition: Partition) -> dict[bytes, bytes | None]:
    from cloudlet.kafka.record_reader import read_records
    from cloudlet.kernel.batches import header

    found, offset = {}, partition.start_offset
    while offset < partition.stop_offset:
        raw = partition.log.read(offset, 0)
        for record in read_records(raw):
            if record.key not in (b"t", b"\0\0\0\0"):
                found[record.key] = record.value
        offset = header(raw).next_offset
    return found


class Killed(Exception):
    """The process is dead."""


def dies_at(step: int, patch: pytest.MonkeyPatch, partition: Partition, world: World) -> bool:
    """Compact, and die before the given file operation; whether it came to that."""
    left = step

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **more: object) -> object:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return real(*args, **more)

        return call

    for name in ("rename", "replace", "utime"):
        patch.setattr(os, name, dying(getattr(os, name)))
    try:
        for work in clean(partition, extent(partition, world.clock), world.clock):
            if work is not None:
                work()
            if left == 0:
                raise Killed
            left -= 1
    except Killed:
        return True
    return False


def test_a_full_disk_leaves_a_partition_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition()
        await partition.append(batch("a", producer=Producer(1, 0, 0)))

        def full(*args: object) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", full)
            with pytest.raises(NoSpace):
                await partition.append(batch("b", producer=Producer(1, 0, 1)))
        assert partition.stop_offset == partition.high_watermark == 1
        assert (await partition.append(batch("b", producer=Producer(1, 0, 1)))).base_offset == 1
        await world.logs.close()

    asyncio.run(scenario())


def test_a_deleted_partition_refuses_and_its_name_is_free(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        old = compacted(world)
        for number in range(12):
            await old.append(batch(f"{number}".ljust(20), key="k"))
        steps = clean(old, extent(old, world.clock), world.clock)
        cleaned = tmp_path / NAME / f"{FIRST}.log.cleaned"
        while not cleaned.exists():
            next(steps)
        await world.logs.drop(old.log.name)
        new = compacted(world)
        for number in range(12):
            await new.append(batch(f"new {number}".ljust(20), key="k"))
        with contextlib.suppress(StoreError):
            list(steps)  # the rewrite of the old one is given up
        for work in (
            lambda: old.read(0, bytes_max=10),
            lambda: old.trim(1),
            old.log.spans,
        ):
            with pytest.raises(StoreError):
                work()
        with pytest.raises(StoreError):
            await old.append(batch("x", key="k"))
        assert [value[:3] for _, value in contents(new)] == [b"new"] * 12
        await world.logs.close()

    asyncio.run(scenario())
