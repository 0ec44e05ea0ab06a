"""A partition: what is appended, refused, committed and read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.kafka.partition_world import NOW_MS, TOPIC_ID, World, batch, contents

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.partition import Isolation
from cloudlet.kernel.batches import header
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import TRANSACTIONAL, Producer, Record, decode

Scenario = Callable[[World], Awaitable[None]]
Play = Callable[[Scenario], None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def run(scenario: Scenario) -> None:
        async def whole() -> None:
            world = World(tmp_path)
            try:
                await scenario(world)
            finally:
                await world.logs.close()

        asyncio.run(whole())

    return run


async def refused(code: ErrorCode, work: Awaitable[object]) -> KafkaFault:
    with pytest.raises(KafkaFault) as fault:
        await work
    assert fault.value.code is code, fault.value
    return fault.value


def test_appends_are_stamped_and_read_back(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition(leader_epoch=3)
        assert await partition.append(batch("a", "b")) == (0, 2, -1, 0, False)
        view = memoryview(bytearray(batch("c")))
        assert (await partition.append(view)).base_offset == 2
        fetched = partition.read(0, bytes_max=10_000)
        assert [value for _, _, _, value in decode(fetched.records)] == [b"a", b"b", b"c"]
        assert header(fetched.records).leader_epoch == 3
        assert fetched[1:] == (3, 3, 0, None)
        assert partition.topic_id == TOPIC_ID
        assert partition.read(3, bytes_max=10).records == b""
        await refused(ErrorCode.OFFSET_OUT_OF_RANGE, _read(partition, 4))

    play(scenario)


async def _read(partition, offset):
    return partition.read(offset, bytes_max=10)


def test_everything_is_there_after_a_restart(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition()
        for number in range(10):
            await partition.append(batch(f"{number}", producer=Producer(7, 0, number)))
        partition.close()
        await world.reopen()
        partition = world.partition()
        assert partition.high_watermark == 10
        assert len(contents(partition)) == 10
        again = await partition.append(batch("7", producer=Producer(7, 0, 7)))
        assert again == (7, 8, -1, 0, True)
        await refused(
            ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, partition.append(batch("x", producer=Producer(7, 0, 12)))
        )

    play(scenario)


def test_read_committed_ends_before_the_first_open_transaction(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition()
        moves: list[int] = []
        partition.on_change(lambda: moves.append(partition.last_stable_offset))
        await partition.append(batch("before"))
        await partition.append(batch("t1", producer=Producer(1, 0, 0), attributes=TRANSACTIONAL))
        await partition.append(batch("t2", producer=Producer(2, 0, 0), attributes=TRANSACTIONAL))
        await partition.append(batch("plain"))
        assert (partition.last_stable_offset, partition.high_watermark) == (1, 4)
        committed = partition.read(0, bytes_max=1000, isolation=Isolation.READ_COMMITTED)
        assert [offset for offset, _, _, _ in decode(committed.records)] == [0]
        await partition.append_marker(1, 0, is_commit=False, coordinator_epoch=0)
        assert partition.last_stable_offset == 2
        await partition.append_marker(2, 0, is_commit=True, coordinator_epoch=0)
        assert partition.last_stable_offset == 6
        committed = partition.read(0, bytes_max=1000, isolation=Isolation.READ_COMMITTED)
        assert [offset for offset, _, _, _ in decode(committed.records)] == [0, 1, 2, 3]
        assert committed.aborted == [(1, 1)]
        assert moves == [1, 1, 1, 1, 2, 6]
        partition.close()
        await world.reopen()
        partition = world.partition()
        assert partition.read(0, bytes_max=1000, isolation=Isolation.READ_COMMITTED).aborted == [(1, 1)]

    play(scenario)


def test_coordinators_append_records_as_one_batch(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition(LogSettings(cleanup_policy=frozenset({"compact"})))
        appended = await partition.append_records([Record(b"v1", b"k1"), Record(None, b"k2")])
        assert appended[:2] == (0, 2)
        found = list(decode(partition.read(0, bytes_max=1000).records))
        assert found == [(0, NOW_MS, b"k1", b"v1"), (1, NOW_MS, b"k2", None)]

    play(scenario)
