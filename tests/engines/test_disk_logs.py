"""The logs store on disk when the disk is not kind: full, torn, damaged, cut off in a deletion; and its files
as Kafka has them."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudlet.engines.disk_logs import DiskLogs
from cloudlet.kernel.batches import header
from cloudlet.kernel.fault import Damaged, Fenced, NoSpace, StoreError
from cloudlet.kernel.keys import Durability
from cloudlet.kernel.logs import Ends, LogName, Logs, Offset
from cloudlet.wire.kafka.records import decode, encode_value, encode_values

LOG = LogName("kafka/orders-0")
FIRST = f"{0:020d}"


def one(text: str, size: int = 0) -> bytes:
    return encode_value(text.encode().ljust(size, b"."), 1)


async def records(logs: Logs, log: LogName = LOG) -> list[tuple[int, bytes | None]]:
    """Every record, by as many reads as it takes."""
    offset, stop = logs.ends(log)
    found: list[tuple[int, bytes | None]] = []
    while offset < stop:
        for at, _, _, value in decode(await logs.read(log, offset, bytes_max=3000)):
            if at >= offset:
                found.append((at, value))
        offset = Offset(found[-1][0] + 1)
    return found


async def write(folder: Path, batches: list[bytes], segment_bytes: int = 1 << 20) -> None:
    logs = DiskLogs.open(folder, segment_bytes=segment_bytes)
    for batch in batches:
        await logs.append(LOG, batch)
    await logs.close()


@pytest.mark.parametrize("rest", [b"", b"\0", b"\xff", b"\0\0\0\0\0\0\0\2\0\0\0\x40"])
@pytest.mark.parametrize("indexed", [False, True])
def test_a_tail_torn_at_any_byte_is_cut_to_the_last_whole_batch(
    tmp_path: Path, rest: bytes, indexed: bool
) -> None:
    """Also where the rest of the block holds zeroes, ones, or what looks like the beginning of a batch."""

    async def scenario() -> None:
        first, last = one("first", 5000 if indexed else 0), encode_values([b"y", b"z"], 1)
        await write(tmp_path / "whole", [first, one("second"), last])
        path = tmp_path / "whole" / LOG / f"{FIRST}.log"
        data = path.read_bytes()
        due = [(0, b"first".ljust(5000 if indexed else 0, b".")), (1, b"second")]
        for cut in range(len(data) - len(last), len(data)):
            torn = data[:cut] + (rest * len(last))[: len(data) - cut]
            if torn == data:
                continue  # the filler spells the lost bytes
            path.write_bytes(torn)
            logs = DiskLogs.open(tmp_path / "whole")
            assert logs.ends(LOG) == (0, 2), cut
            assert await records(logs) == due
            assert path.stat().st_size == len(data) - len(last)
            await logs.append(LOG, one("third"))
            assert await records(logs) == [*due, (2, b"third")]
            await logs.close()

    asyncio.run(scenario())


def test_an_old_batch_behind_the_tail_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """Whole and right by its checksum, but its offsets were given already."""

    async def scenario() -> None:
        await write(tmp_path, [one("a"), one("b")])
        path = tmp_path / LOG / f"{FIRST}.log"
        data = path.read_bytes()
        path.write_bytes(data + data[: len(data) // 2])
        logs = DiskLogs.open(tmp_path)
        assert logs.ends(LOG) == (0, 2)
        assert path.stat().st_size == len(data)
        await logs.close()

    asyncio.run(scenario())


def test_the_index_is_kafkas(tmp_path: Path) -> None:
    """An entry: the last offset of a batch relative to the file's name, and the batch's position; the first
    and each later one more than 4 KiB behind the one before."""

    async def scenario() -> None:
        batches = [encode_values([b"x" * 200] * (number % 5 + 1), 1) for number in range(200)]
        await write(tmp_path, batches)
        positions = [0]
        for batch in batches:
            positions.append(positions[-1] + len(batch))
        data = (tmp_path / LOG / f"{FIRST}.log").read_bytes()
        raw = (tmp_path / LOG / f"{FIRST}.index").read_bytes()
        entries = list(struct.iter_unpack(">ii", raw))
        assert len(entries) > 10
        before = 0
        for offset, position in entries:
            assert position - before > 4096
            assert max(at for at in positions if at < position) - before <= 4096
            assert position in positions
            assert header(data, position).next_offset - 1 == offset
            before = position

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: os.truncate(path, 21),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        lambda path: path.write_bytes(path.read_bytes() + b"\0\0\xff\xff\0\0\xff\xff" * 3),
        lambda path: path.write_bytes(path.read_bytes()[:16] + b"\0\0\0\1\0\0\0\2" + path.read_bytes()[24:]),
    ],
)
def test_an_index_that_is_lost_or_wrong_is_made_again(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    async def scenario() -> None:
        await write(tmp_path, [one(f"{n}", 300) for n in range(300)], segment_bytes=30_000)
        paths = sorted((tmp_path / LOG).glob("*.index"))
        assert len(paths) > 2
        for path in paths:
            spoil(path)
        logs = DiskLogs.open(tmp_path, segment_bytes=30_000)
        assert logs.ends(LOG) == (0, 300)
        assert await records(logs) == [(n, (b"%d" % n).ljust(300, b".")) for n in range(300)]
        for offset in range(0, 300, 7):
            got = await logs.read(LOG, Offset(offset), bytes_max=0)
            assert [at for at, _, _, _ in decode(got)] == [offset]
        await logs.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("written", [0, 1, 70])
def test_a_full_disk_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """The write fails wholly, or after some of its bytes."""
    pwrite = os.pwrite

    async def scenario() -> None:
        logs = DiskLogs.open(tmp_path, segment_bytes=400)
        await logs.append(LOG, one("a"))
        await logs.sync()
        before = (tmp_path / LOG / f"{FIRST}.log").read_bytes()
        room = [written]

        def full(fd: int, data: bytes, position: int) -> int:
            part = min(room[0], len(data))
            room[0] -= part
            if not part:
                raise OSError(errno.ENOSPC, "no space")
            return pwrite(fd, data[:part], position)

        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", full)
            for name, data in ((LOG, one("b", 100)), (LOG, one("c", 900)), (LogName("new"), one("d", 200))):
                room[0] = written
                with pytest.raises(NoSpace):
                    await logs.append(name, data, epoch=0)
                room[0] = written
                with pytest.raises(NoSpace):
                    await logs.append(name, data, epoch=5)
        assert logs.names() == [LOG]
        assert logs.ends(LOG) == Ends(Offset(0), Offset(1))
        assert await records(logs) == [(0, b"a")]
        assert (tmp_path / LOG / f"{FIRST}.log").read_bytes() == before
        await logs.append(LOG, one("e"))
        await logs.close()
        logs = DiskLogs.open(tmp_path)
        assert await records(logs) == [(0, b"a"), (1, b"e")]
        await logs.close()

    asyncio.run(scenario())


def test_a_failed_sync_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: str) -> None:
        raise OSError(errno.EIO, "input/output error", path)

    async def scenario() -> None:
        logs = DiskLogs.open(tmp_path)
        await logs.append(LOG, one("a"), durability=Durability.SYNC)
        monkeypatch.setattr("cloudlet.engines.disk_segment.sync_file", broken)
        with pytest.raises(StoreError):
            await logs.append(LOG, one("b"), durability=Durability.SYNC)
        with pytest.raises(StoreError):
            await logs.append(LOG, one("c"))
        with pytest.raises(StoreError):
            await logs.sync()
        await logs.close()

    asyncio.run(scenario())


def test_damage_that_no_crash_explains_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        batch = one("x", 300)
        await write(tmp_path, [batch] * 100)
        path = tmp_path / LOG / f"{FIRST}.log"
        data = bytearray(path.read_bytes())
        data[len(batch) * 3 : len(batch) * 3 + 20] = b"\xee" * 20
        path.write_bytes(data)
        logs = DiskLogs.open(tmp_path)
        assert logs.ends(LOG) == (0, 100)
        with pytest.raises(Damaged, match=f"{FIRST}.log"):
            await logs.read(LOG, Offset(5), bytes_max=0)
        assert await logs.read(LOG, Offset(99), bytes_max=0)
        await logs.close()

    asyncio.run(scenario())


def test_a_log_whose_deletion_was_cut_off_never_comes_back(tmp_path: Path) -> None:
    """A kill after the mark and any number of its files."""

    async def scenario() -> None:
        inner = LogName(f"{LOG}/inner")
        logs = DiskLogs.open(tmp_path / "whole", segment_bytes=300)
        for number in range(10):
            await logs.append(LOG, one(f"{number}", 100))
            await logs.append(inner, one(f"{number}", 100))
        await logs.fence(LOG, 3)
        await logs.close()
        names = sorted(path.name for path in (tmp_path / "whole" / LOG).iterdir() if path.is_file())
        assert len(names) > 4
        for gone in range(len(names)):
            folder = tmp_path / f"cut-{gone}"
            shutil.copytree(tmp_path / "whole", folder)
            (folder / LOG / f"{FIRST}.log").rename(folder / LOG / "~dropped")
            for name in [name for name in names if name != f"{FIRST}.log"][:gone]:
                (folder / LOG / name).unlink()
            logs = DiskLogs.open(folder, segment_bytes=300)
            assert logs.names() == [inner]
            assert logs.ends(LOG) == (0, 0)
            assert len(await records(logs, inner)) == 10
            await logs.append(LOG, one("again"))
            assert await records(logs) == [(0, b"again")]
            await logs.close()

    asyncio.run(scenario())


def test_a_hole_between_segments_ends_the_log(tmp_path: Path) -> None:
    """Power loss: the tail of one segment was lost, and the one behind it, not vouched for, was kept."""

    async def scenario() -> None:
        await write(tmp_path, [one(f"{n}", 100) for n in range(10)], segment_bytes=450)
        paths = sorted((tmp_path / LOG).glob("*.log"))
        assert len(paths) > 3
        os.truncate(paths[1], paths[1].stat().st_size - 1)
        logs = DiskLogs.open(tmp_path, segment_bytes=450)
        stop = int(paths[2].stem) - 1
        assert logs.ends(LOG) == (0, stop)
        assert [at for at, _ in await records(logs)] == list(range(stop))
        assert not paths[2].exists()
        assert await logs.append(LOG, one("on")) == stop
        await logs.close()

    asyncio.run(scenario())


def test_start_and_epochs_survive_in_kafkas_checkpoints(tmp_path: Path) -> None:
    async def scenario() -> None:
        logs = DiskLogs.open(tmp_path)
        for number in range(4):
            await logs.append(LOG, one(f"{number}"))
        await logs.fence(LOG, 2)
        await logs.append(LOG, one("4"), epoch=2)
        await logs.append(LOG, one("5"), epoch=7)
        await logs.trim(LOG, Offset(3))
        await logs.close()
        assert (tmp_path / LOG / "leader-epoch-checkpoint").read_text() == "0\n3\n0 0\n2 4\n7 5\n"
        assert (tmp_path / LOG / "log-start-offset-checkpoint").read_text() == "0\n1\norders 0 3\n"
        logs = DiskLogs.open(tmp_path)
        assert logs.ends(LOG) == (3, 6)
        with pytest.raises(Fenced):
            await logs.append(LOG, one("6"), epoch=6)
        await logs.close()

    asyncio.run(scenario())


def test_an_epoch_that_came_with_an_append_is_found_without_its_checkpoint(tmp_path: Path) -> None:
    """The kill came between the batch and the checkpoint."""

    async def scenario() -> None:
        logs = DiskLogs.open(tmp_path)
        await logs.append(LOG, one("a"))
        await logs.append(LOG, one("b"), epoch=4)
        await logs.close()
        (tmp_path / LOG / "leader-epoch-checkpoint").unlink()
        logs = DiskLogs.open(tmp_path)
        assert logs.ends(LOG) == (0, 2)
        with pytest.raises(Fenced):
            await logs.append(LOG, one("c"), epoch=3)
        await logs.close()

    asyncio.run(scenario())


def test_few_descriptors_serve_many_logs(tmp_path: Path) -> None:
    async def scenario() -> None:
        before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
        logs = DiskLogs.open(tmp_path, descriptors_max=8)
        names = [LogName(f"queues/{number}") for number in range(300)]
        for _ in range(2):
            for name in names:
                await logs.append(name, one(name))
        await logs.sync()
        if before is not None:
            assert len(os.listdir("/proc/self/fd")) <= before + 8 + 2
        for name in names:
            assert await records(logs, name) == [(0, name.encode()), (1, name.encode())]
        await logs.close()

    asyncio.run(scenario())
