"""A partition of __share_group_state: what is written is there after a reload, whatever snapshots came."""

import asyncio

import pytest
from tests.kafka.partition_world import World

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.share.share_partition import RecordState
from cloudlet.kafka.share.state_log import StateLog, is_begun
from cloudlet.kafka.share.state_records import Delivery, ShareKey, Span

DONE = Delivery(RecordState.ACKNOWLEDGED, 1)
TRIED = Delivery(RecordState.AVAILABLE, 2)
KEYS = [ShareKey("g", bytes(16), index) for index in range(3)]


def said(log):
    return {
        key: (kept.start, kept.done_count, None if kept.window is None else list(kept.window.runs()))
        for key, kept in log.kept.items()
    }


async def loaded(world, updates_max=10):
    log = StateLog(world.partition(name="__share_group_state-0"), world.clock, updates_max)
    await log.ready()
    return log


async def reloaded(world, log):
    """The same state, read from the log."""
    before = said(log)
    await log.close()
    log.partition.close()
    await world.reopen()
    again = await loaded(world)
    assert said(again) == before
    return again


def run(work, tmp_path):
    async def whole():
        world = World(tmp_path)
        await work(world)
        await world.logs.close()

    asyncio.run(whole())


def test_what_was_written_is_read_again(tmp_path):
    async def work(world):
        log = await loaded(world)
        await log.begin(KEYS[0], 5, 0)
        await log.begin(KEYS[1], -1, 0)
        await log.update(KEYS[0], 1, 7, 1, [Span(8, 8, DONE), Span(9, 12, TRIED)])
        assert is_begun(log.kept[KEYS[0]])
        assert not is_begun(log.kept[KEYS[1]])
        log = await reloaded(world, log)
        await log.begin(KEYS[0], 100, 1)
        await log.forget([KEYS[1], KEYS[2]])
        log = await reloaded(world, log)
        assert said(log) == {KEYS[0]: (100, 0, [])}
        assert log.kept[KEYS[0]].state_epoch == 1
        log.partition.close()

    run(work, tmp_path)


def test_of_one_that_is_gone_nothing_is_kept(tmp_path):
    async def work(world):
        log = await loaded(world)
        with pytest.raises(KafkaFault):
            await log.update(KEYS[0], 0, 1, 0, [])
        log.partition.close()

    run(work, tmp_path)


def test_snapshots_make_the_log_before_them_superfluous(tmp_path):
    async def work(world):
        log = await loaded(world)
        for key in KEYS:
            await log.begin(key, 0, 0)
        for offset in range(200):
            await log.update(KEYS[0], 0, offset, 1, [Span(offset + 1, offset + 1, DONE)])
            if offset % 50 == 0:
                await log.update(KEYS[1], 0, 0, 1, [Span(offset, offset, TRIED)])
        held = log.partition.stop_offset - log.partition.start_offset
        assert held < 60, "what is quiet does not keep the log from being trimmed"
        log = await reloaded(world, log)
        assert set(log.kept) == set(KEYS)
        log.partition.close()

    run(work, tmp_path)
