"""When a sync commit of the keys store is on the disk, with the disk held still in between."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from cloudlet.engines import disk_keys_sync
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.keys import Author, Commit, Durability, Put, Revision

WAIT_S = 30
ME = Author("test")


class HeldDisk:
    """Each fdatasync begins, and ends when it is let; the descriptors in `synced`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.synced: list[int] = []
        self.error: OSError | None = None
        self._sync = disk_keys_sync.sync_data
        monkeypatch.setattr(disk_keys_sync, "sync_data", self.sync)

    def sync(self, descriptor: int) -> None:
        self.begun.release()
        assert self.let.acquire(timeout=WAIT_S)
        if self.error is not None:
            raise self.error
        self._sync(descriptor)
        self.synced.append(descriptor)

    def wait(self) -> None:
        """Until one more has begun; the loop stands still meanwhile."""
        assert self.begun.acquire(timeout=WAIT_S)


def put(keys: DiskKeys, value: bytes, durability: Durability = Durability.SYNC) -> Revision:
    return keys.commit_now(Commit(ME, put=[Put(b"k", value)], durability=durability))


async def turn() -> None:
    """A turn of the loop ends: what it has committed is asked for."""
    await asyncio.sleep(0)


def run(body: Coroutine[Any, Any, None]) -> None:
    asyncio.run(body)


def test_the_next_group_begins_without_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        keys = await DiskKeys.open(tmp_path, lambda: 0.0)
        disk = HeldDisk(monkeypatch)
        first = put(keys, b"1")
        await turn()
        disk.wait()
        second = put(keys, b"2")
        await turn()
        third = put(keys, b"3")
        await turn()
        last = put(keys, b"4")  # alone it is too little
        await turn()
        disk.let.release()
        disk.wait()  # the loop has not been told of the first group yet
        assert (keys.settled, len(disk.synced)) == (first - 1, 1)
        await keys.settle(first)
        assert keys.settled == first
        disk.let.release()
        await keys.settle(second)
        assert (keys.settled, len(disk.synced)) == (
            third,
            2,
        )  # two turns, one call
        disk.wait()
        disk.let.release()
        await keys.settle(last)
        assert (keys.settled, len(disk.synced)) == (last, 3)
        for _ in range(9):
            disk.let.release()
        await keys.close()

    run(body())


def test_what_a_turn_commits_settles_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        keys = await DiskKeys.open(tmp_path, lambda: 0.0)
        disk = HeldDisk(monkeypatch)
        before = put(keys, b"0", Durability.RELAXED)
        assert keys.settled == before
        first = put(keys, b"1")
        relaxed = put(keys, b"2", Durability.RELAXED)
        assert keys.settled == before  # a relaxed commit behind a sync one waits too
        await turn()
        disk.wait()
        assert keys.settled == before
        second = put(keys, b"3")
        assert keys.settled == before
        disk.let.release()
        await keys.settle(first)
        assert keys.settled == relaxed
        await turn()
        disk.wait()
        disk.let.release()
        await keys.settle(second)
        for _ in range(9):
            disk.let.release()
        await keys.close()

    run(body())


def test_nothing_is_believed_behind_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system reports a lost write once: a call that succeeds after that proves nothing."""

    async def body() -> None:
        told: list[BaseException] = []
        keys = await DiskKeys.open(tmp_path, lambda: 0.0, fatal=told.append)
        disk = HeldDisk(monkeypatch)
        first = put(keys, b"1")
        await turn()
        disk.wait()
        put(keys, b"2")
        await turn()
        disk.error = OSError(errno.EIO, "lost")
        disk.let.release()
        with pytest.raises(StoreError):
            await keys.settle(first)
        disk.error = None
        for _ in range(9):
            disk.let.release()
        keys._sync.join()
        await turn()
        assert (told[0].args[0], disk.synced, keys.settled) == (errno.EIO, [], first - 1)
        await keys.close()

    run(body())


def test_segments_that_one_round_has_crossed_are_all_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        keys = await DiskKeys.open(tmp_path, lambda: 0.0)
        disk = HeldDisk(monkeypatch)
        for _ in range(3):
            last = put(keys, bytes(700_000))  # the first segment has a mebibyte
        await turn()
        for _ in range(9):
            disk.let.release()
        await keys.settle(last)
        assert disk.synced == [segment.descriptor for segment in keys._log.segments]
        assert len(disk.synced) > 1
        await keys.close()

    run(body())


def test_whoever_fails_when_the_store_closes_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = HeldDisk(monkeypatch)

    async def body() -> None:
        keys = await DiskKeys.open(tmp_path, lambda: 0.0, fatal=lambda error: None)
        revision = put(keys, b"1")
        keys.when_settled(revision, lambda: 1 / 0)
        waiting = asyncio.create_task(keys.settle(revision))
        await turn()
        disk.error = OSError(errno.EIO, "gone")
        disk.let.release()
        with pytest.raises(StoreError):
            await waiting
        await keys.close()

    run(body())
    assert "ZeroDivisionError" in caplog.text
