"""What a share fetch reads: batches, those of aborted transactions, and the bytes of what was acquired."""

import asyncio

from tests.kafka.partition_world import World, batch

from cloudlet.kafka.partition import Isolation
from cloudlet.kafka.share.reading import cut, read
from cloudlet.kernel.batches import header
from cloudlet.wire.kafka.records import TRANSACTIONAL, Producer


async def written(folder):
    """Two records, an aborted transaction around a committed one, a record, an open transaction."""
    world = World(folder)
    partition = world.partition()
    await partition.append(batch("0", "1"))
    for producer in (7, 8):
        await partition.append(batch("x", "y", producer=Producer(producer, 0, 0), attributes=TRANSACTIONAL))
    await partition.append_marker(8, 0, is_commit=True, coordinator_epoch=0)
    await partition.append_marker(7, 0, is_commit=False, coordinator_epoch=0)
    await partition.append(batch("8", producer=Producer(7, 0, 2), attributes=TRANSACTIONAL))
    await partition.append_marker(7, 0, is_commit=True, coordinator_epoch=0)
    await partition.append(batch("open", producer=Producer(9, 0, 0), attributes=TRANSACTIONAL))
    return world, partition


def run(work, tmp_path):
    async def whole():
        world, partition = await written(tmp_path)
        work(partition)
        partition.close()
        await world.logs.close()

    asyncio.run(whole())


def look(partition, offset, isolation, **more):
    limits = {"bytes_max": 1 << 20, "records_max": 100, "is_first": True, **more}
    return read(partition, offset, isolation=isolation, **limits)


def test_a_reader_of_committed_records_is_told_what_was_aborted(tmp_path):
    def work(partition):
        found = look(partition, 0, Isolation.READ_COMMITTED)
        assert found.spans == [(0, 2), (2, 4), (4, 6), (6, 7), (7, 8), (8, 9), (9, 10)]
        assert found.aborted == ((2, 4),)
        assert look(partition, 3, Isolation.READ_COMMITTED).aborted == ((2, 4),)
        assert look(partition, 10, Isolation.READ_COMMITTED) is None  # the rest is open

    run(work, tmp_path)


def test_others_see_all(tmp_path):
    def work(partition):
        found = look(partition, 0, Isolation.READ_UNCOMMITTED)
        assert (found.spans[-1], found.aborted) == ((10, 11), ())
        assert look(partition, 11, Isolation.READ_UNCOMMITTED) is None

    run(work, tmp_path)


def test_the_bytes_are_those_of_the_batches_that_hold_what_was_acquired(tmp_path):
    def work(partition):
        found = look(partition, 0, Isolation.READ_UNCOMMITTED)
        part = cut(found, 3, 4)
        assert header(part).base_offset == 2
        assert len(part) == found.batches[2].end - found.batches[1].position
        assert cut(found, 0, 10) == found.records
        assert cut(found, 50, 60) == b""

    run(work, tmp_path)


def test_it_reads_about_as_much_as_is_asked_for(tmp_path):
    async def whole():
        world = World(tmp_path)
        partition = world.partition()
        for _ in range(40):
            await partition.append(batch("x" * 10_000))
        few = look(partition, 0, Isolation.READ_UNCOMMITTED, records_max=1)
        assert len(few.batches) == 6  # 64 KiB
        assert len(look(partition, 0, Isolation.READ_UNCOMMITTED, bytes_max=1).batches) == 1
        assert look(partition, 0, Isolation.READ_UNCOMMITTED, bytes_max=1, is_first=False) is None
        partition.close()
        await world.logs.close()

    asyncio.run(whole())
