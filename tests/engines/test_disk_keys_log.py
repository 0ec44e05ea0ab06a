"""The keys log where its file has lost the space that it had."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Coroutine
from pathlib import Path
from struct import Struct
from typing import Any

import pytest

from cloudlet.engines import disk_keys_record
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.disk_keys_log import LogSettings, reserve_space
from cloudlet.kernel.fault import NoSpace
from cloudlet.kernel.keys import Author, Commit, Drop, Durability, Put, Revision

ME = Author("test")
EVERYTHING = (b"", b"\xff")


def run(body: Coroutine[Any, Any, None]) -> None:
    asyncio.run(body)


async def opened(folder: Path, settings: LogSettings | None = None) -> DiskKeys:
    return await DiskKeys.open(folder, lambda: 0.0, settings=settings or LogSettings())


def put(keys: DiskKeys, key: bytes, value: bytes, durability: Durability = Durability.SYNC) -> Revision:
    return keys.commit_now(Commit(ME, put=[Put(key, value)], durability=durability))


def copy_with_holes(folder: Path) -> None:
    """What `cp --sparse=always` makes of the last segment."""
    segment = max(folder.glob("log-*"))
    data = segment.read_bytes()
    segment.unlink()
    with segment.open("wb") as file:
        file.write(data.rstrip(b"\0"))
        file.truncate(len(data))
    assert segment.stat().st_blocks * 512 < len(data)


def test_a_segment_with_holes_has_its_space_again(tmp_path: Path) -> None:
    """To store into the memory of a hole on a full disk is the end of the process."""

    async def body() -> None:
        keys = await opened(tmp_path)
        put(keys, b"a", b"1")
        await keys.close()
        copy_with_holes(tmp_path)
        keys = await opened(tmp_path)
        status = os.stat(max(tmp_path.glob("log-*")))
        assert status.st_blocks * 512 >= status.st_size
        await keys.close()

    run(body())


def test_without_room_for_its_holes_a_segment_takes_no_more(tmp_path: Path) -> None:
    room = [False]

    def reserve(descriptor: int, size_bytes: int) -> None:
        if not room[0]:
            raise OSError(errno.ENOSPC, "no space")
        reserve_space(descriptor, size_bytes)

    async def body() -> None:
        keys = await opened(tmp_path)
        put(keys, b"a", b"1")
        await keys.close()
        copy_with_holes(tmp_path)
        keys = await opened(tmp_path, LogSettings(reserve=reserve))
        with pytest.raises(NoSpace):
            put(keys, b"a", b"2")
        room[0] = True
        put(keys, b"a", b"3")
        await keys.close()
        keys = await opened(tmp_path)
        assert [entry.value for entry in keys.scan(*EVERYTHING)] == [b"3"]
        await keys.close()

    run(body())


def test_a_frame_longer_than_one_call_reads_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux gives 2 GiB at a time; here it is less. What lies behind was taken for torn, and zeroed."""

    async def body() -> None:
        keys = await opened(tmp_path, LogSettings(segment_bytes=4096, first_segment_bytes=4096))
        for number in range(3):
            put(keys, b"k%d" % number, bytes(9000))
        keys.commit_now(Commit(ME, drop=[Drop(*EVERYTHING)], durability=Durability.SYNC))
        put(keys, b"last", b"1")
        await keys.settle(keys.head)
        pread = os.pread
        monkeypatch.setattr(os, "pread", lambda file, size, at: pread(file, min(size, 8192), at))
        assert len(await keys.scan_at(Revision(4), *EVERYTHING)) == 3
        await keys.close()
        keys = await opened(tmp_path)
        assert keys.head == 6
        assert [entry.key for entry in keys.scan(*EVERYTHING)] == [b"last"]
        watch = keys.watch(*EVERYTHING, Revision(2))
        shown = 0
        while watch.position <= keys.head:
            shown += len(await watch.take())
        assert shown == 5
        await keys.close()

    run(body())


def test_a_commit_that_no_frame_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 GiB, with all that it drops; here it is 64 KiB."""

    async def body() -> None:
        keys = await opened(tmp_path)
        for number in range(3):
            put(keys, b"k%d" % number, bytes(30_000))
        monkeypatch.setattr(disk_keys_record, "_tail", Struct("<HxxQQB"))
        with pytest.raises(NoSpace):
            keys.commit_now(Commit(ME, drop=[Drop(*EVERYTHING)]))
        assert keys.count(*EVERYTHING) == 3
        put(keys, b"k0", b"goes on")
        await keys.close()
        keys = await opened(tmp_path)
        assert (keys.head, keys.count(*EVERYTHING)) == (5, 3)
        await keys.close()

    run(body())
