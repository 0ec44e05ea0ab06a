"""Who is cancelled while a thread is at a file of his: the thread is done first."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from cloudlet.engines import disk_blobs
from cloudlet.engines.disk_blobs import DiskBlobs
from cloudlet.engines.disk_thread import on_thread
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.ids import Ids

WAIT_S = 30


class Held:
    """A call on a thread that begins, and ends when it is let."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.let.wait(WAIT_S)
        return "done"

    async def has_begun(self) -> None:
        while not self.begun.is_set():
            await asyncio.sleep(0)


def run(body: Coroutine[Any, Any, None]) -> None:
    asyncio.run(body)


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_it_gives_what_the_call_returns_or_raises() -> None:
    async def body() -> None:
        assert await on_thread(int, "7") == 7
        with pytest.raises(ValueError, match="invalid literal"):
            await on_thread(int, "x")

    run(body())


def test_however_often_it_is_cancelled_the_call_returns_first() -> None:
    async def body() -> None:
        held = Held()
        task = asyncio.create_task(on_thread(held))
        await held.has_begun()
        for _ in range(3):
            task.cancel()
            await turns()
            assert not task.done()
        held.let.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(body())


def test_a_put_that_is_cancelled_writes_into_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread would write by a number that the next file has."""

    async def body() -> None:
        blobs = DiskBlobs.open_folder(tmp_path / "blobs", ManualClock(), Ids())
        held, write_all = Held(), disk_blobs._write_all

        def held_write(file: int, chunks: Any) -> None:
            if sum(map(len, chunks)) > 100_000:
                held()
            write_all(file, chunks)

        monkeypatch.setattr(disk_blobs, "_write_all", held_write)
        putting = asyncio.create_task(blobs.put(bytes(200_000)))
        await held.has_begun()
        putting.cancel()
        await turns()
        other = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)
        held.let.set()
        with pytest.raises(asyncio.CancelledError):
            await putting
        await asyncio.get_running_loop().shutdown_default_executor()
        assert os.fstat(other).st_size == 0
        os.close(other)
        assert not list((tmp_path / "blobs" / "new").iterdir())
        await blobs.close()

    run(body())
