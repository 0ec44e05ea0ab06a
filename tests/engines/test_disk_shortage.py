"""No descriptor is free for a while: what is appended waits or is refused, and is none the worse for it."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.kafka.partition_world import World, batch, contents

from cloudlet.engines import disk_segment, disk_shortage
from cloudlet.engines.disk_logs import DiskLogs
from cloudlet.engines.disk_shortage import patiently
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kernel.fault import NoSpace, StoreError
from cloudlet.kernel.keys import Durability
from cloudlet.kernel.logs import LogName
from cloudlet.wire.kafka.records import encode_value


class Shortage:
    """Refuses to open files while it lasts; on the flusher's thread, or on the loop's."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.is_on_thread = self.is_on_loop = False
        self.refused = 0
        self.files_left: Callable[[], bool] = lambda: False
        self._open = os.open
        patch.setattr(os, "open", self.open)

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        on_loop = threading.current_thread() is threading.main_thread()
        if (self.is_on_loop if on_loop else self.is_on_thread) and not self.files_left():
            self.refused += 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
        return self._open(path, flags, mode)


@pytest.fixture
def shortage(monkeypatch: pytest.MonkeyPatch) -> Shortage:
    return Shortage(monkeypatch)


def test_a_sync_waits_until_a_file_can_be_opened(tmp_path: Path, shortage: Shortage) -> None:
    async def scenario() -> None:
        logs = DiskLogs.open(tmp_path, flush_interval_ms=1)
        log = LogName("queues/a")
        await logs.append(log, encode_value(b"0", 1))
        shortage.is_on_thread = True
        appending = asyncio.create_task(logs.append(log, encode_value(b"1", 1), durability=Durability.SYNC))
        while not shortage.refused:
            await asyncio.sleep(0.001)
        assert not appending.done()
        await logs.append(log, encode_value(b"2", 1))
        shortage.is_on_thread = False
        assert await appending == 1
        assert await logs.append(log, encode_value(b"3", 1), durability=Durability.SYNC) == 3
        await logs.close()
        logs = DiskLogs.open(tmp_path)
        assert logs.ends(log) == (0, 4)
        await logs.close()

    asyncio.run(scenario())


def test_who_waits_too_long_is_told_and_the_log_goes_on(
    tmp_path: Path, shortage: Shortage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(disk_segment, "patiently", partial(patiently, patience_s=0.0))
        world = World(tmp_path)
        partition = world.partition(LogSettings(flush_messages=1))
        await partition.append(batch("a"))
        shortage.is_on_thread = True
        with pytest.raises(StoreError, match="not synced yet"):
            await partition.append(batch("b"))
        shortage.is_on_thread = False
        await partition.append(batch("c"))
        assert [value for _, value in contents(partition)] == [b"a", b"b", b"c"]
        await world.reopen()
        assert world.partition().stop_offset == 3
        await world.logs.close()

    asyncio.run(scenario())


def test_a_sealed_segment_that_could_not_be_synced_is_synced_before_what_follows_it(
    tmp_path: Path, shortage: Shortage, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = disk_segment.sync_data

    def fdatasync(fd: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        real(fd)

    async def scenario() -> None:
        monkeypatch.setattr(disk_segment, "patiently", partial(patiently, patience_s=0.0))
        monkeypatch.setattr(disk_segment, "sync_data", fdatasync)
        world = World(tmp_path)
        partition = world.partition(LogSettings(segment_bytes=200, flush_messages=2))
        await partition.append(batch("x" * 100))
        shortage.is_on_thread = True
        with pytest.raises(StoreError, match="not synced yet"):
            await partition.append(batch("y" * 100))  # in a segment of its own
        assert (synced, partition.high_watermark) == ([], 1)
        shortage.is_on_thread = False
        await partition.append(batch("z"))
        logs = [name for name in synced if name.endswith(".log")]
        assert logs[:2] == [f"{0:020}.log", f"{1:020}.log"]
        assert partition.high_watermark == 3
        await world.logs.close()

    asyncio.run(scenario())


def test_a_segment_that_is_needed_takes_the_file_of_another(tmp_path: Path, shortage: Shortage) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        settings = LogSettings(segment_bytes=200)
        partitions = [world.partition(settings, name=f"t-{number}") for number in range(10)]
        for partition in partitions:
            await partition.append(batch("x" * 100))
        files = world.logs.files
        before = len(files._open)
        shortage.files_left = lambda: len(files._open) < before - 2
        shortage.is_on_loop = True
        for _ in range(3):  # each append goes into a new segment
            for partition in partitions:
                await partition.append(batch("y" * 100))
        assert len(files._open) < before
        assert shortage.refused
        for partition in partitions:
            assert len(contents(partition)) == 4
        shortage.is_on_loop = False
        await world.logs.close()

    asyncio.run(scenario())


def test_without_any_file_an_append_is_refused_whole(tmp_path: Path, shortage: Shortage) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition(LogSettings(segment_bytes=200))
        await partition.append(batch("x" * 100))
        world.logs.files.close_all()
        shortage.is_on_loop = True
        for _ in range(3):
            with pytest.raises(NoSpace):
                await partition.append(batch("y" * 100))
            with pytest.raises(StoreError):
                partition.read(0, bytes_max=1000)
            with pytest.raises(StoreError):
                world.partition(name="new-0")
        shortage.is_on_loop = False
        assert (await partition.append(batch("z"))).base_offset == 1
        assert len(contents(partition)) == 2
        other = world.partition(name="new-0")
        assert (await other.append(batch("a"))).base_offset == 0
        await world.reopen()
        assert len(contents(world.partition())) == 2
        assert len(contents(world.partition(name="new-0"))) == 1
        await world.logs.close()

    asyncio.run(scenario())


def test_a_log_that_cannot_be_taken_up_now_is_later(tmp_path: Path, shortage: Shortage) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        partition = world.partition()
        await partition.append(batch("x"))
        await world.reopen()
        shortage.is_on_loop = True
        with pytest.raises(StoreError):
            world.partition()
        shortage.is_on_loop = False
        assert len(contents(world.partition())) == 1
        assert len(world.logs.files._open) == 1
        await world.logs.close()

    asyncio.run(scenario())


def test_patience_ends_and_is_only_for_files(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(disk_shortage.time, "sleep", pauses.append)
    errors = [errno.EMFILE, errno.ENFILE]

    def work() -> str:
        if errors:
            raise OSError(errors.pop(0), "none")
        return "done"

    assert patiently(work) == "done"
    assert len(pauses) == 2
    errors[:] = [errno.EIO]
    with pytest.raises(OSError, match="none"):
        patiently(work)
    errors[:] = [errno.EMFILE] * 10_000
    with pytest.raises(OSError, match="none"):
        patiently(work, patience_s=1.0)
    assert sum(pauses[2:]) == pytest.approx(1.0)
