"""The blobs engines against one contract."""

import asyncio
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.engines.disk_blobs import DiskBlobs
from cloudlet.kernel.blob_ids import BlobIds, is_blob_id, made_ms_of
from cloudlet.kernel.blobs import CHUNK_BYTES, Blobs
from cloudlet.kernel.blobs_memory import MemoryBlobs
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.fault import NoSpace, NoSuchBlob, OutOfRange
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Durability


@pytest.fixture(params=["memory", "disk", "files only"])
def opened(request, tmp_path, monkeypatch):
    """Opens the engine; again on the same folder where there is one."""
    clock, ids = ManualClock(), Ids()
    if request.param == "files only":
        monkeypatch.setattr("cloudlet.engines.disk_blobs.BODY_BYTES_MAX", -1)

    def open_engine() -> Blobs:
        if request.param == "memory":
            return MemoryBlobs(clock, ids)
        return DiskBlobs.open_folder(tmp_path, clock, ids)

    open_engine.survives = request.param != "memory"
    return open_engine


async def put(blobs, *parts, durability=Durability.RELAXED):
    writer = blobs.create()
    for part in parts:
        await writer.write(part)
    return await writer.finish(durability)


async def body(blobs, blob, *bounds):
    reader = await blobs.open(blob)
    try:
        return b"".join([chunk async for chunk in reader.chunks(*bounds)])
    finally:
        reader.close()


def run(scenario, *arguments):
    asyncio.run(scenario(*arguments))


@pytest.mark.parametrize("durability", list(Durability))
def test_a_body_is_read_back(opened, durability):
    async def scenario():
        blobs = opened()
        large = os.urandom(3 * CHUNK_BYTES + 5)
        blob = await put(blobs, b"head", memoryview(large), bytearray(b"tail"), durability=durability)
        whole = b"head" + large + b"tail"
        assert await body(blobs, blob) == whole
        assert await body(blobs, blob, 3, 7) == whole[3:7]
        assert await body(blobs, blob, 5, CHUNK_BYTES * 2) == whole[5 : CHUNK_BYTES * 2]
        assert await body(blobs, await put(blobs)) == b""
        await blobs.close()

    run(scenario)


@pytest.mark.parametrize("size", [0, 1, 64 << 10, (64 << 10) + 1])
def test_a_body_is_put_in_this_turn_or_not_at_all(opened, size):
    async def scenario():
        blobs = opened()
        whole = os.urandom(size)
        blob = blobs.put_now(whole)
        found = await blobs.ids()
        if blob is None:
            assert not found
        else:
            assert await body(blobs, blob) == whole
            assert [(each.id, each.size_bytes) for each in found] == [(blob, size)]
            assert is_blob_id(blob)
        await blobs.close()
        if blob is not None and opened.survives:
            again = opened()
            assert await body(again, blob) == whole
            await again.close()

    run(scenario)


@pytest.mark.parametrize("durability", list(Durability))
@pytest.mark.parametrize("size", [0, 1, 64 << 10, (64 << 10) + 1, CHUNK_BYTES + 1])
def test_a_whole_body_is_put_at_once(opened, durability, size):
    async def scenario():
        blobs = opened()
        whole = os.urandom(size)
        blob = await blobs.put(whole, durability)
        assert await body(blobs, blob) == whole
        assert [(each.id, each.size_bytes) for each in await blobs.ids()] == [(blob, size)]
        await blobs.close()
        if opened.survives:
            again = opened()
            assert await body(again, blob) == whole
            await again.close()

    run(scenario)


def test_ranges_outside_are_refused(opened):
    async def scenario():
        blobs = opened()
        blob = await put(blobs, b"12345")
        assert await body(blobs, blob, 5, 5) == b""
        for bounds in ((0, 6), (6,), (-1, 2), (3, 2)):
            with pytest.raises(OutOfRange):
                await body(blobs, blob, *bounds)

    run(scenario)


def test_what_is_not_finished_does_not_exist(opened):
    async def scenario():
        blobs = opened()
        writer = blobs.create()
        await writer.write(b"half")
        assert await blobs.ids() == []
        await writer.abandon()
        await writer.abandon()
        assert await blobs.ids() == []
        for blob in ("0" * 26, "nonsense", "../../etc/passwd"):
            with pytest.raises(NoSuchBlob):
                await blobs.open(blob)
            await blobs.drop(blob)

    run(scenario)


def test_a_reader_reads_a_dropped_body_to_its_end(opened):
    async def scenario():
        blobs = opened()
        whole = os.urandom(2 * CHUNK_BYTES)
        blob = await put(blobs, whole)
        reader = await blobs.open(blob)
        chunks = reader.chunks()
        first = await anext(chunks)
        await blobs.drop(blob)
        await blobs.drop(blob)
        assert first + b"".join([chunk async for chunk in chunks]) == whole
        reader.close()
        with pytest.raises(NoSuchBlob):
            await blobs.open(blob)

    run(scenario)


def test_bodies_are_listed_in_the_order_they_were_made(opened):
    async def scenario():
        blobs = opened()
        made = [await put(blobs, b"x" * size) for size in range(10)]
        assert made == sorted(made)
        page = await blobs.ids(limit=4)
        assert [(facts.id, facts.size_bytes) for facts in page] == [(made[n], n) for n in range(4)]
        rest = await blobs.ids(page[-1].id)
        assert [facts.id for facts in rest] == made[4:]
        await blobs.drop(made[5])
        assert made[5] not in [facts.id for facts in await blobs.ids()]

    run(scenario)


def test_finished_bodies_survive_a_reopen_and_others_do_not(opened):
    if not opened.survives:
        return

    async def scenario():
        blobs = opened()
        blob = await put(blobs, b"kept")
        half = blobs.create()
        await half.write(b"half")
        again = opened()
        assert [facts.id for facts in await again.ids()] == [blob]
        assert await body(again, blob) == b"kept"
        await half.abandon()

    run(scenario)


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    async def scenario():
        blobs = DiskBlobs.open_folder(tmp_path, ManualClock(), Ids())
        writer = blobs.create()

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.posix_fallocate", full)
        for _ in range(2):
            with pytest.raises(NoSpace):
                await put(blobs, b"small")
        monkeypatch.undo()
        kept = await put(blobs, b"kept")
        monkeypatch.setattr("os.writev", full)
        monkeypatch.setattr("os.pwrite", full)
        with pytest.raises(NoSpace):
            await put(blobs, b"x" * 60_000)
        for size in (100_000, 1 << 20):
            with pytest.raises(NoSpace):
                await writer.write(b"x" * size)
        monkeypatch.undo()
        await writer.abandon()
        assert await body(blobs, kept) == b"kept"
        assert list((tmp_path / "new").iterdir()) == []

    run(scenario)


@given(st.lists(st.integers(min_value=-50, max_value=50), max_size=60))
@settings(deadline=None)
def test_ids_grow_whatever_the_clock_does(steps):
    clock = ManualClock()
    ids = BlobIds(clock, Ids())
    given_out = [ids.fresh()]
    for step in steps:
        clock.pass_ms(step)
        given_out.append(ids.fresh())
    assert given_out == sorted(set(given_out))
    assert all(is_blob_id(blob) for blob in given_out)
    assert made_ms_of(given_out[0]) == 1_700_000_000_000
