"""A share-partition at work: writes that fail, writes during which others acquire, who is told."""

import asyncio

import pytest
from tests.kafka.partition_world import World, batch

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.share.live import Live, without
from cloudlet.kafka.share.share_partition import Acknowledgement, Acquired, Limits, Wish
from cloudlet.kafka.share.state_log import StateLog
from cloudlet.kafka.share.state_records import ShareKey
from cloudlet.wire.kafka.error_codes import ErrorCode

KEY = ShareKey("g", bytes(16), 0)
ACCEPT, RELEASE = 1, 2


def test_ranges_are_left_out_of_what_was_acquired():
    found = [Acquired(0, 9, 1), Acquired(10, 14, 2), Acquired(20, 29, 1)]
    assert without(found, [(3, 5), (8, 12), (14, 25)]) == [
        Acquired(0, 2, 1),
        Acquired(5, 7, 1),
        Acquired(12, 13, 2),
        Acquired(25, 29, 1),
    ]
    assert without(found, [(0, 100)]) == []


class Stage:
    async def start(self, folder):
        self.world = World(folder)
        self.partition = self.world.partition()
        await self.partition.append(batch(*"0123456789"))
        self.log = StateLog(self.world.partition(name="__share_group_state-0"), self.world.clock, 100)
        await self.log.ready()
        await self.log.begin(KEY, 0, 0)
        self.live = self.make()
        return self

    def make(self):
        limits = Limits(lock_ms=1000)
        return Live(KEY, self.partition, self.log.kept[KEY], self.log, lambda: limits, self.world.clock)

    def take(self, member, count=3):
        offset = self.live.next_offset()
        if offset is None or offset >= 10:
            return []
        return [tuple(each) for each in self.live.acquire(Wish(member, count, 500, True), [(0, 10)], ())]

    async def stop(self):
        await self.live.close()
        await self.log.close()
        self.partition.close()
        self.log.partition.close()
        await self.world.logs.close()


def run(work, tmp_path):
    async def whole():
        stage = await Stage().start(tmp_path)
        await work(stage)
        await stage.stop()

    asyncio.run(whole())


def test_what_cannot_be_written_has_not_happened(tmp_path):
    async def work(stage):
        stage.take("a")
        written = stage.log.update

        async def failing(*_):
            raise KafkaFault(ErrorCode.COORDINATOR_NOT_AVAILABLE)

        stage.log.update = failing
        with pytest.raises(KafkaFault):
            await stage.live.acknowledge("a", [Acknowledgement(0, 2, [ACCEPT])])
        stage.log.update = written
        await stage.live.acknowledge("a", [Acknowledgement(0, 2, [ACCEPT])])
        assert stage.log.kept[KEY].start == 3

    run(work, tmp_path)


def test_while_one_is_written_others_acquire_and_wait_in_line(tmp_path):
    async def work(stage):
        stage.take("a")
        stage.take("b")
        written, gate = stage.log.update, asyncio.Event()

        async def slow(*words):
            await gate.wait()
            await written(*words)

        stage.log.update = slow
        first = asyncio.create_task(stage.live.acknowledge("a", [Acknowledgement(0, 2, [ACCEPT])]))
        again = asyncio.create_task(stage.live.acknowledge("a", [Acknowledgement(0, 2, [RELEASE])]))
        other = asyncio.create_task(stage.live.acknowledge("b", [Acknowledgement(3, 5, [RELEASE])]))
        await asyncio.sleep(0)
        assert stage.take("c") == [(6, 8, 1)]
        gate.set()
        await asyncio.gather(first, again, other)  # what is done with may be said again
        assert stage.live.next_offset() == 3
        assert stage.log.kept[KEY].start == 3

    run(work, tmp_path)


def test_whoever_waits_is_told_when_there_is_more(tmp_path):
    async def work(stage):
        told = []
        stage.take("a", 10)
        cancels = {name: stage.live.on_change(lambda name=name: told.append(name)) for name in "bcd"}
        assert stage.take("b") == []
        await stage.live.release("a")
        assert told == ["b"]
        cancels["b"]()
        assert stage.take("b", 3) == [(0, 2, 2)]
        cancels["c"]()  # gone meanwhile
        stage.live.pass_on()
        assert told == ["b", "d"]
        stage.live.pass_on()  # all have been told
        cancels["d"]()
        stage.live.on_change(lambda: told.append("e"))
        assert stage.take("d", 10) == [(3, 9, 2)]
        stage.live.pass_on()
        await stage.live.acknowledge("d", [Acknowledgement(3, 9, [ACCEPT])])
        assert told == ["b", "d"], "there is nothing for anybody"
        await stage.partition.append(batch("more"))
        assert told == ["b", "d", "e"]
        assert not stage.live.is_idle
        await stage.live.release("b")
        assert stage.live.is_idle

    run(work, tmp_path)


def test_it_is_made_again_from_what_was_written(tmp_path):
    async def work(stage):
        stage.take("a", 6)
        await stage.live.acknowledge("a", [Acknowledgement(0, 1, [ACCEPT]), Acknowledgement(3, 3, [RELEASE])])
        await stage.live.close()
        stage.live = stage.make()
        assert stage.take("b", 3) == [(2, 2, 1), (3, 3, 2), (4, 4, 1)]  # who had them is not known any more

    run(work, tmp_path)
