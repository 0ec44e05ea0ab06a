"""A keys store that closes while it makes a checkpoint, or owes one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from cloudlet.engines import disk_keys_checkpoint as checkpoint
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.disk_keys_log import LogSettings, Spare
from cloudlet.kernel.keys import Author, Commit, Put

WAIT_S = 30
SETTINGS = LogSettings(
    segment_bytes=4096, first_segment_bytes=4096, checkpoint_bytes=1 << 30, end_checkpoint_bytes=2048
)


def run(body: Coroutine[Any, Any, None]) -> None:
    """In a loop that has nothing to complain of."""
    complaints: list[object] = []

    async def whole() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
        await body

    asyncio.run(whole())
    assert complaints == []


async def opened(folder: Path, settings: LogSettings = SETTINGS) -> DiskKeys:
    return await DiskKeys.open(folder, lambda: 0.0, settings=settings)


def put(keys: DiskKeys, count: int) -> None:
    for number in range(count):
        keys.commit_now(Commit(Author("test"), put=[Put(b"k%03d" % number, bytes(100))]))


def test_a_checkpoint_is_published_before_the_last_one_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are written under one name: half of the last would take the place of the first."""

    async def body() -> None:
        begun, let = threading.Event(), threading.Event()
        publish, write = checkpoint.publish, checkpoint.write
        order: list[str] = []

        def held_publish(folder: Path) -> None:
            begun.set()
            assert let.wait(WAIT_S)
            publish(folder)
            order.append("published")

        async def seen_write(folder: Path, walk: checkpoint.Walk) -> None:
            order.append("begun")
            await write(folder, walk)

        monkeypatch.setattr(checkpoint, "publish", held_publish)
        monkeypatch.setattr(checkpoint, "write", seen_write)
        keys = await opened(tmp_path)
        put(keys, 50)
        keys.start_checkpoint()
        while not begun.is_set():
            await asyncio.sleep(0)
        put(keys, 50)
        await keys._sync.wait(keys._log.stop)  # so that a close waits for no other thread
        closing = asyncio.create_task(keys.close())
        for _ in range(20):
            await asyncio.sleep(0)
        let.set()
        await closing
        assert order == ["begun", "published", "begun", "published"]
        keys = await opened(tmp_path)
        assert keys.head == 101
        await keys.close()

    run(body())


def test_a_checkpoint_that_is_given_up_is_made_before_the_store_closes(tmp_path: Path) -> None:
    async def body() -> None:
        keys = await opened(tmp_path)
        put(keys, 50)
        keys.start_checkpoint()
        await asyncio.sleep(0)  # it has begun
        await keys.close()
        assert checkpoint.size_bytes(tmp_path)

    run(body())


def test_no_checkpoint_begins_in_a_store_that_closes(tmp_path: Path) -> None:
    """It would go on in a folder that another process may have opened since."""

    async def body() -> None:
        keys = await opened(tmp_path, LogSettings(checkpoint_bytes=4096, end_checkpoint_bytes=2048))
        put(keys, 50)  # so much that one is due as soon as they are on the disk
        await keys.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(body())


def test_no_spare_segment_is_begun_in_a_store_that_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        keys = await opened(tmp_path, LogSettings(segment_bytes=1 << 16, first_segment_bytes=4096))
        put(keys, 15)  # over the half of the first segment
        begun, prepare = threading.Event(), keys._log.prepare

        def seen(size_bytes: int, *, zeroed: bool) -> Spare:
            begun.set()
            return prepare(size_bytes, zeroed=zeroed)

        monkeypatch.setattr(keys._log, "prepare", seen)
        assert keys._log.wants_spare
        await keys.close()
        await asyncio.get_running_loop().shutdown_default_executor()
        assert not begun.is_set()
        assert not list(tmp_path.glob("next-*"))

    run(body())
