"""A partition of __consumer_offsets at work: written, replayed, loaded, refused, woken."""

import asyncio

import pytest
from tests.kafka.groups.test_shard import Topics, error
from tests.kafka.partition_world import World, contents

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.classic_values import Join, Limits, State
from cloudlet.kafka.groups.consumer import ConsumerSettings
from cloudlet.kafka.groups.consumer_values import Beat
from cloudlet.kafka.groups.offsets import Committed
from cloudlet.kafka.groups.records import ConsumerEntry, OffsetEntry
from cloudlet.kafka.groups.roster import Protocol
from cloudlet.kafka.groups.runner import Runner
from cloudlet.kafka.groups.shard import Settings
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.fault import NoSpace
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import Producer, Record

SECONDS = 10


def run(folder, play):
    """Play on a partition that is opened, and opened again by `again`."""

    async def whole():
        world = World(folder)
        runners = []

        def start():
            settings = Settings(lambda: Limits(initial_delay_ms=1), lambda group: ConsumerSettings(300))
            partition = world.partition(name="__consumer_offsets-0")
            runner = Runner(partition, settings, Topics(), SystemClock())
            runners.append(runner)
            return runner

        async def again():
            runner = runners[-1]
            await runner.close()
            runner.partition.close()
            await world.reopen()
            return start()

        async with asyncio.timeout(SECONDS):
            await play(start(), again)
            await runners[-1].close()
        runners[-1].partition.close()
        await world.logs.close()

    asyncio.run(whole())


def commit(offset, topic="t", group="g"):
    entry = OffsetEntry(group, topic, 0, Committed(offset, -1, "", 0))
    return lambda shard: (None, [entry])


def join(waiter, member_id=""):
    return Join(
        member_id, None, "c", "/h", 60_000, 10_000, "consumer", (Protocol("range", b"x"),), False, False
    )


async def in_group(runner, group="g"):
    """A classic group with one member that has all."""
    await runner.change(lambda shard: (None, shard.new_group(group)))
    loop = asyncio.get_running_loop()
    joining, syncing = loop.create_future(), loop.create_future()
    now_ms = runner.clock.monotonic_ms()
    await runner.act(group, lambda found: found.join(join(joining), joining, "m", now_ms))
    joined = await joining
    await runner.act(
        group,
        lambda found: found.sync("m", None, joined.generation, None, None, {"m": b"all"}, syncing, now_ms),
    )
    return await syncing


def test_what_is_decided_is_written_and_comes_back(tmp_path):
    async def play(runner, again):
        await runner.change(commit(3))
        synced = await in_group(runner, "h")
        assert synced.assignment == b"all"
        live = runner.shard
        runner = await again()
        shard = await runner.ready()
        assert shard.offsets.find("g", "t", 0) == live.offsets.find("g", "t", 0)
        assert shard.offsets.find("g", "t", 0).record_offset == 0
        assert shard.groups["h"].image() == live.groups["h"].image()
        assert shard.groups["h"].state is State.STABLE

    run(tmp_path, play)


def test_consumer_groups_come_back(tmp_path):
    async def play(runner, again):
        def decide(shard):
            group, _ = shard.consumer_group("k", Topics(), may_make=True)
            beat = Beat("m", 0, rebalance_timeout_ms=1000, topics=("t",), regex=".*", owned={})
            answer, facts = group.heartbeat(beat, Topics(), ConsumerSettings(), 0)
            return answer, [ConsumerEntry("k", fact) for fact in facts]

        answer = await runner.change(decide)
        assert answer.epoch == 1
        live = runner.shard.groups["k"]
        runner = await again()
        found = (await runner.ready()).groups["k"]
        for name in ("epoch", "topics_hash", "target_epoch", "members", "targets", "owners", "regexes"):
            assert getattr(found, name) == getattr(live, name), name
        while found.members:  # its session, 300 ms, starts anew, and ends
            await asyncio.sleep(0.01)
        assert found.epoch == 2

    run(tmp_path, play)


def test_markers_that_others_append_are_seen(tmp_path):
    async def play(runner, again):
        writer = Producer(7, 0)
        for offset, is_commit in ((5, True), (9, False)):
            await runner.change(commit(offset), writer)
            assert runner.shard.offsets.is_pending("g", "t", 0)
            await runner.partition.append_marker(7, 0, is_commit=is_commit, coordinator_epoch=0)
            shard = await runner.ready()
            assert shard.offsets.find("g", "t", 0).offset == 5
            assert not shard.offsets.has_open("g")
        await runner.change(commit(6), writer)
        runner = await again()
        shard = await runner.ready()
        assert shard.offsets.find("g", "t", 0).offset == 5
        assert shard.offsets.is_pending("g", "t", 0)

    run(tmp_path, play)


def test_the_order_of_a_log_counts_when_it_is_loaded(tmp_path):
    async def play(runner, again):
        writer = Producer(7, 0)
        await runner.change(commit(1))
        await runner.change(commit(5), writer)
        await runner.change(commit(8))
        await runner.partition.append_marker(7, 0, is_commit=True, coordinator_epoch=0)
        await runner.change(commit(2, "u"))
        await runner.change(commit(9, "u"), writer)
        await runner.partition.append_marker(7, 0, is_commit=True, coordinator_epoch=0)
        await runner.change(lambda shard: (None, [OffsetEntry("g", "v", 0, None)]))
        await runner.change(commit(3, "v"))
        for shard in (await runner.ready(), await (await again()).ready()):
            assert [shard.offsets.find("g", topic, 0).offset for topic in "tuv"] == [8, 9, 3]

    run(tmp_path, play)


def test_decisions_stand_in_line(tmp_path):
    async def play(runner, again):
        def add(shard):
            known = shard.offsets.find("g", "t", 0)
            return commit((known.offset if known else 0) + 1)(shard)

        await asyncio.gather(*(runner.change(add) for _ in range(50)))
        assert (await runner.ready()).offsets.find("g", "t", 0).offset == 50

    run(tmp_path, play)


def test_a_long_log_is_loaded_in_slices(tmp_path, monkeypatch):
    monkeypatch.setattr("cloudlet.kafka.groups.log_replay.SLICE_BYTES", 1)
    monkeypatch.setattr("cloudlet.kafka.log_loading.WAIT_SECONDS", 0.0)

    async def play(runner, again):
        await runner.loaded()
        for offset in range(100):
            await runner.change(commit(offset))
        runner = await again()
        with pytest.raises(KafkaFault) as caught:
            await runner.ready()
        assert caught.value.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        with pytest.raises(KafkaFault):
            await runner.change(commit(7))
        await runner.loaded()
        assert (await runner.ready()).offsets.find("g", "t", 0).offset == 99

    run(tmp_path, play)


def test_what_cannot_be_written_has_not_happened(tmp_path, monkeypatch):
    async def play(runner, again):
        await runner.change(commit(1))
        await in_group(runner, "h")

        async def refuse(*_, **__):
            raise NoSpace("the disk is full")

        monkeypatch.setattr(type(runner.partition), "append_records", refuse)
        for decide in (commit(2), lambda shard: (None, shard.new_group("new"))):
            with pytest.raises(KafkaFault) as caught:
                await runner.change(decide)
            assert caught.value.code is ErrorCode.COORDINATOR_NOT_AVAILABLE
        assert runner.shard.offsets.find("g", "t", 0).offset == 1
        assert "new" not in runner.shard.groups

    run(tmp_path, play)


def test_who_waits_is_answered_when_the_coordinator_stops(tmp_path):
    async def play(runner, again):
        await runner.change(lambda shard: (None, shard.new_group("g")))
        waiter = asyncio.get_running_loop().create_future()
        now_ms = runner.clock.monotonic_ms()
        runner.shard.groups["g"].limits = Limits(initial_delay_ms=60_000)
        await runner.act("g", lambda group: group.join(join(waiter), waiter, "m", now_ms))
        await again()
        assert (await waiter).error is ErrorCode.NOT_COORDINATOR

    run(tmp_path, play)


def test_what_is_not_there_is_refused(tmp_path):
    async def play(runner, again):
        with pytest.raises(KafkaFault) as caught:
            await runner.act("none", lambda group: None)
        assert caught.value.code is ErrorCode.UNKNOWN_MEMBER_ID

    run(tmp_path, play)


def test_records_of_later_kinds_are_passed_over(tmp_path):
    async def play(runner, again):
        await runner.partition.append_records([Record(b"\0\0", b"\0\x63"), Record(b"?", b"\0\x01broken")])
        await runner.change(commit(4))
        runner = await again()
        shard = await runner.ready()
        assert shard.offsets.find("g", "t", 0).offset == 4
        assert len(contents(runner.partition)) == 3
        assert error(shard.delete, "none") == "GROUP_ID_NOT_FOUND"

    run(tmp_path, play)
