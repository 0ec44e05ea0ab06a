"""Snapshots: a restart reads one and the log's rest; whatever is wrong with one, the log is replayed."""

import asyncio

import pytest

from cloudlet.aws.snapshots import beside
from cloudlet.kernel.logs import Offset
from cloudlet.wire.kafka.records import encode_value

from .test_traffic import LOG, GatedLogs, Scene, Stock


class Shelves(Stock):
    """A stock that can be packed, three numbers to a slice."""

    def weight(self):
        return len(self.held)

    def pack(self):
        numbers = list(self.held.items())
        for start in range(0, len(numbers), 3):
            yield b" ".join(b"%d:%d" % pair for pair in numbers[start : start + 3])

    def unpack(self, packed):
        for pair in packed.split():
            number, offset = pair.split(b":")
            self.held[int(number)] = Offset(int(offset))

    def unpacked(self):
        pass


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr("cloudlet.aws.upkeep.SNAPSHOT_RECORDS_MIN", 100)
    monkeypatch.setattr("cloudlet.aws.upkeep.SNAPSHOT_AT_END_RECORDS_MIN", 10)


class Warehouse(Scene):
    kind = Shelves

    async def add(self, *numbers):
        def decide(rq):
            rq.log(LOG, self.kind)
            rq.append(LOG, [b"put %d" % number for number in numbers])

        await self.run(decide)

    async def remove(self, number):
        def decide(rq):
            rq.log(LOG, self.kind)
            rq.append(LOG, [b"take %d" % number])

        await self.run(decide)

    async def state(self):
        return await self.run(lambda rq: rq.log(LOG, self.kind))

    async def filled(self):
        await self.add(*range(300))
        await self.remove(7)


def run(scenario):
    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_after_a_clean_end_nothing_is_replayed():
    async def scenario():
        scene = Warehouse()
        await scene.filled()
        held = (await scene.state()).held
        await scene.traffic.close()
        scene.restart()
        state = await scene.state()
        assert state.held == held
        assert state.applied == 0
        await scene.add(1000)
        assert state.applied == 1

    run(scenario)


def test_a_snapshot_is_taken_on_the_way_and_only_the_rest_is_replayed():
    async def scenario():
        scene = Warehouse()
        await scene.filled()
        while not scene.logs.ends(beside(LOG)).stop:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        await scene.add(900)
        await scene.remove(8)
        held = (await scene.state()).held
        scene.restart()  # as after a kill: nobody has closed anything
        state = await scene.state()
        assert state.held == held
        assert state.applied < 10

    run(scenario)


def test_one_snapshot_is_kept():
    async def scenario():
        scene = Warehouse()
        for start in range(0, 3000, 50):
            await scene.add(*range(start, start + 50))
            await asyncio.sleep(0.001)
        await scene.traffic.close()
        start, stop = scene.logs.ends(beside(LOG))
        assert start > 0
        assert stop - start == 2 + 3000 // 3

    run(scenario)


async def spoil(scene, how):
    snapshot, logs = beside(LOG), scene.logs
    if how == "missing":
        await logs.drop(snapshot)
    elif how == "torn":
        await logs.truncate(snapshot, Offset(logs.ends(snapshot).stop - 1))
    elif how == "bent":
        start, stop = logs.ends(snapshot)
        batches = [await logs.read(snapshot, Offset(each), bytes_max=1) for each in range(start, stop)]
        await logs.truncate(snapshot, Offset(start + 2))
        for batch in batches[3:]:  # one slice is not there
            await logs.append(snapshot, batch)
    elif how == "nonsense":
        await logs.drop(snapshot)
        await logs.append(snapshot, encode_value(b"nonsense", 0))
    elif how == "of another epoch":
        await logs.fence(LOG, 7)
    elif how == "behind the log's start":
        await scene.add(*range(500, 600))
        await logs.trim(LOG, logs.ends(LOG).stop)
    elif how == "ahead of its log":
        await logs.truncate(LOG, Offset(0))


@pytest.mark.parametrize(
    "how",
    [
        "missing", "torn", "bent", "nonsense", "of another epoch", "behind the log's start",
        "ahead of its log",
    ],
)  # fmt: skip
def test_a_snapshot_that_is_no_good_is_not_used(how):
    async def scenario():
        scene = Warehouse()
        await scene.filled()
        held = set((await scene.state()).held)
        await scene.traffic.close()
        scene.restart()
        await spoil(scene, how)
        scene.restart()
        state = await scene.state()
        if how in ("behind the log's start", "ahead of its log"):
            assert not state.held
        else:
            assert set(state.held) == held
            assert state.applied == 301

    run(scenario)


def test_dropping_a_log_drops_its_snapshot():
    async def scenario():
        scene = Warehouse()
        await scene.filled()
        await scene.traffic.close()
        scene.restart()
        await scene.run(lambda rq: rq.drop_log(LOG))
        assert list(scene.logs.names()) == []

    run(scenario)


def test_a_log_that_a_restore_has_brought_back_is_packed_again():
    async def scenario():
        scene = Warehouse()
        await scene.filled()
        await scene.traffic.close()
        for name in list(scene.logs.names()):
            await scene.logs.fence(name, 5)
        scene.restart()
        held = set((await scene.state()).held)
        await scene.traffic.close()
        scene.restart()
        state = await scene.state()
        assert set(state.held) == held
        assert state.applied == 0

    run(scenario)


def test_a_log_dropped_while_its_snapshot_is_written_leaves_nothing():
    async def scenario():
        scene = Warehouse(logs=GatedLogs(beside(LOG), asyncio.Event()))
        await scene.filled()
        await asyncio.sleep(0.01)
        await scene.run(lambda rq: rq.drop_log(LOG))
        scene.logs.gate.set()
        await asyncio.sleep(0.01)
        assert list(scene.logs.names()) == []

    run(scenario)


def test_while_a_state_is_packed_calls_on_its_log_wait():
    async def scenario():
        scene = Warehouse(logs=GatedLogs(beside(LOG), asyncio.Event()))
        await scene.filled()
        adding = asyncio.ensure_future(scene.add(900))
        await asyncio.sleep(0)
        assert not adding.done()
        await asyncio.wait_for(adding, 5)
        assert 900 in (await scene.state()).held, "the writing itself is not waited for"
        scene.logs.gate.set()
        while not scene.logs.ends(beside(LOG)).stop:
            await asyncio.sleep(0)
        held = (await scene.state()).held
        await asyncio.sleep(0.01)
        scene.restart()
        assert (await scene.state()).held == held

    run(scenario)
