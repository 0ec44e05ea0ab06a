"""Logs with derived state: decide, append, apply; replay, waiting and rewriting."""

import asyncio
import random

import pytest

from cloudlet.aws.authorise import RootOnly
from cloudlet.aws.call import Call, Contended, Desk
from cloudlet.aws.identity import root_of
from cloudlet.aws.record import Record
from cloudlet.aws.request import Anew, Wait
from cloudlet.aws.traffic import Traffic
from cloudlet.engines.hostile_logs import HostileLogs
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.blobs_memory import MemoryBlobs
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.fault import Fault
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.logs import LogName, Offset
from cloudlet.kernel.logs_memory import MemoryLogs

LOG = LogName("tests/stock")


class Stock:
    """Numbers put in and taken out: the smallest state that can go wrong."""

    def __init__(self):
        self.held = {}
        self.applied = 0

    def apply(self, offset, record):
        self.applied += 1
        verb, number = record.split()
        if verb == b"put":
            self.held.setdefault(int(number), offset)
        elif verb == b"keep":
            self.held[int(number)] = offset
        else:
            self.held.pop(int(number), None)  # its put may have been trimmed away

    def live_bytes(self):
        return 70 * len(self.held)

    def keep(self, offset, record):
        number = int(record.split()[1])
        return b"keep %d" % number if self.held.get(number) == offset else None


class Scene:
    def __init__(self, keys=None, logs=None):
        self.clock = ManualClock()
        self.keys = keys or MemoryKeys(self.clock.monotonic_ms)
        self.logs = logs or MemoryLogs()
        self.restart()

    def restart(self):
        self.traffic = Traffic(self.logs, self.clock)
        self.desk = Desk(
            self.keys, self.traffic, self.clock, Ids(), RootOnly(), MemoryBlobs(self.clock, Ids())
        )

    async def run(self, decide):
        return await self.desk.run(
            Call(root_of("1"), "us-east-1", "id", self.clock, self.clock.monotonic_ms()), decide
        )

    async def put(self, number):
        def decide(rq):
            rq.log(LOG, Stock)
            rq.append(LOG, [b"put %d" % number])

        await self.run(decide)

    async def take(self, wait_ms=0, wake_at_ms=None):
        def decide(rq):
            stock = rq.log(LOG, Stock)
            if not stock.held:
                return Wait(LOG, wait_ms, wake_at_ms) if rq.waited_ms < wait_ms else None
            number = min(stock.held)
            rq.append(LOG, [b"take %d" % number])
            return number

        return await self.run(decide)

    async def held(self):
        return await self.run(lambda rq: set(rq.log(LOG, Stock).held))


def test_state_after_a_restart_is_the_state_before():
    async def scenario():
        scene = Scene()
        for number in range(5):
            await scene.put(number)
        assert await scene.take() == 0
        before = await scene.held()
        scene.restart()
        assert await scene.held() == before == {1, 2, 3, 4}

    asyncio.run(scenario())


def test_calls_on_the_local_engine_never_suspend():
    scene = Scene()
    for step in (scene.put(1), scene.take(), scene.held()):
        with pytest.raises(StopIteration):
            step.send(None)


def test_waiters_are_answered_in_their_order():
    async def scenario():
        scene = Scene()
        answers = []

        async def taker(name):
            answers.append((name, await scene.take(wait_ms=60_000)))

        tasks = [asyncio.ensure_future(taker(name)) for name in "abc"]
        await asyncio.sleep(0.01)
        for number in (7, 8, 9):
            await scene.put(number)
        await asyncio.gather(*tasks)
        assert answers == [("a", 7), ("b", 8), ("c", 9)]

    asyncio.run(scenario())


def test_a_cancelled_waiter_takes_nothing():
    async def scenario():
        scene = Scene()
        gone = asyncio.ensure_future(scene.take(wait_ms=60_000))
        stays = asyncio.ensure_future(scene.take(wait_ms=60_000))
        await asyncio.sleep(0.01)
        gone.cancel()
        await scene.put(1)
        assert await asyncio.wait_for(stays, 5) == 1
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(scenario())


def test_a_foreign_append_makes_the_call_decide_again():
    async def scenario():
        scene = Scene()
        await scene.put(1)
        await scene.put(2)
        other = Scene(scene.keys, scene.logs)
        assert await other.take() == 1
        assert await scene.take() == 2, "the first attempt was refused, the second replayed"
        assert await scene.held() == set()

    asyncio.run(scenario())


def test_a_record_is_read_back_by_its_offset():
    async def scenario():
        scene = Scene()
        for number in (5, 6):
            await scene.put(number)
        records = await scene.run(lambda rq: rq.records(LOG, [Offset(1), Offset(0)]))
        assert list(records) == [b"put 6", b"put 5"]

    asyncio.run(scenario())


def test_what_was_just_appended_is_read_from_memory(monkeypatch):
    monkeypatch.setattr("cloudlet.aws.recent.BYTES_MAX", 2000)

    async def scenario():
        logs = CountingLogs()
        scene = Scene(logs=logs)
        for number in range(30):
            await scene.put(number)
        before = logs.reads
        newest = await scene.run(lambda rq: (rq.log(LOG, Stock), rq.records(LOG, [Offset(29)]))[1])
        assert (list(newest), logs.reads) == ([b"put 29"], before)
        oldest = await scene.run(lambda rq: (rq.log(LOG, Stock), rq.records(LOG, [Offset(0)]))[1])
        assert (list(oldest), logs.reads) == ([b"put 0"], before + 1)

    asyncio.run(scenario())


def test_a_log_that_was_made_anew_shows_none_of_its_old_records():
    async def scenario():
        scene = Scene()
        await scene.put(1)
        await scene.run(lambda rq: rq.drop_log(LOG))
        await scene.put(2)
        assert list(await scene.run(lambda rq: rq.records(LOG, [Offset(0)]))) == [b"put 2"]

    asyncio.run(scenario())


def test_records_that_have_to_be_waited_for_are_read_together():
    async def scenario():
        scene = Scene(logs=HostileLogs(MemoryLogs(), random.Random(1), conflicts=0.0, delays=1.0))
        for number in range(20):
            await scene.put(number)
        scene.restart()
        runs = []

        def read(rq):
            runs.append(1)
            return rq.records(LOG, [Offset(number) for number in range(20)])

        assert await scene.run(read) == [b"put %d" % number for number in range(20)]
        assert len(runs) == 2

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_dropped_log_starts_anew():
    async def scenario():
        scene = Scene()
        await scene.put(1)
        await scene.run(lambda rq: rq.drop_log(LOG))
        assert await scene.held() == set()
        assert scene.logs.ends(LOG) == (0, 0)

    asyncio.run(scenario())


def test_a_log_of_which_little_is_live_is_rewritten(monkeypatch):
    monkeypatch.setattr("cloudlet.aws.upkeep.REWRITE_BYTES_MIN", 1000)

    async def scenario():
        scene = Scene()
        for number in range(1000):
            await scene.put(number)
        for _ in range(990):
            await scene.take()
        for _ in range(100):
            await asyncio.sleep(0)
        assert scene.logs.ends(LOG).start > 0
        before = await scene.held()
        assert len(before) == 10
        scene.restart()
        assert await scene.held() == before

    asyncio.run(scenario())


class CountingLogs(MemoryLogs):
    """Logs that count how often they are read."""

    reads = 0

    async def read(self, log, offset, *, bytes_max):
        self.reads += 1
        return await super().read(log, offset, bytes_max=bytes_max)


class HoardingLogs(MemoryLogs):
    """Logs whose bytes do not go when they are trimmed, as those of a segment that is not full."""

    def __init__(self):
        super().__init__()
        self.trims = self.written = 0

    async def append(self, log, batches, **options):
        self.written += len(batches)
        return await super().append(log, batches, **options)

    async def trim(self, log, start):
        self.trims += 1
        await super().trim(log, start)

    def size(self, log):
        return self.written


def test_a_log_whose_bytes_stay_is_rewritten_once(monkeypatch):
    monkeypatch.setattr("cloudlet.aws.upkeep.REWRITE_BYTES_MIN", 1000)

    async def scenario():
        scene = Scene(logs=HoardingLogs())
        for number in range(1000):
            await scene.put(number)
        for _ in range(990):
            await scene.take()
        while not scene.logs.trims:
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        trims = scene.logs.trims
        assert trims == 1
        for number in range(1000, 1600):
            await scene.put(number)
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert scene.logs.trims == trims

    asyncio.run(scenario())


class Counter(Record):
    value: int


def count_up(rq):
    old = rq.get(("tests", "counter"), Counter)
    rq.commit(put={("tests", "counter"): Counter((old.value if old else 0) + 1)})
    return old.value if old else 0


def test_a_lost_race_is_run_again():
    async def scenario():
        scene = Scene()
        raced = []

        def decide(rq):
            answer = count_up(rq)
            if len(raced) < 3:
                raced.append(1)
                begun = scene.run(count_up)
                with pytest.raises(StopIteration):
                    begun.send(None)
            return answer

        assert await scene.run(decide) == 3
        assert await scene.run(count_up) == 4

    asyncio.run(scenario())


def test_who_loses_sixteen_times_is_told():
    async def scenario():
        scene = Scene()

        def decide(rq):
            count_up(rq)
            with pytest.raises(StopIteration):
                scene.run(count_up).send(None)

        with pytest.raises(Contended):
            await scene.run(decide)

    asyncio.run(scenario())


def test_a_scan_guards_against_what_is_put_into_its_range():
    async def scenario():
        scene = Scene()
        sizes = []

        def decide(rq):
            found = rq.scan(("tests", "list"), Counter)
            sizes.append(len(found))
            if len(sizes) == 1:
                put = scene.run(lambda other: other.commit(put={("tests", "list", "x"): Counter(1)}))
                with pytest.raises(StopIteration):
                    put.send(None)
            rq.commit(put={("tests", "size"): Counter(len(found))})

        await scene.run(decide)
        assert sizes == [0, 1]

    asyncio.run(scenario())


def test_a_fault_after_a_wait_gives_the_next_its_turn():
    async def scenario():
        scene = Scene()

        def picky(rq):
            stock = rq.log(LOG, Stock)
            if stock.held:
                raise Fault("Picky")
            return Wait(LOG, 60_000)

        first = asyncio.ensure_future(scene.run(picky))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(scene.take(wait_ms=60_000))
        await asyncio.sleep(0.01)
        await scene.put(4)
        with pytest.raises(Fault):
            await first
        assert await asyncio.wait_for(second, 5) == 4

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(5))
def test_many_takers_and_putters_lose_and_double_nothing(seed):
    async def scenario():
        scene = Scene()
        chance = random.Random(seed)
        taken = []

        async def taker():
            for _ in range(50):
                taken.append(await scene.take(wait_ms=60_000))

        async def putter(start):
            for number in range(start, start + 50):
                await scene.put(number)
                if chance.random() < 0.3:
                    await asyncio.sleep(0)

        await asyncio.gather(*(taker() for _ in range(4)), *(putter(base * 50) for base in range(4)))
        assert sorted(taken) == list(range(200))

    asyncio.run(asyncio.wait_for(scenario(), 20))


class GatedLogs:
    """Logs of which one waits for a gate before each append, as a synced or remote engine does."""

    def __init__(self, gated, gate):
        self.inner = MemoryLogs()
        self.gated = gated
        self.gate = gate

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def append(self, log, batches, **options):
        if log == self.gated:
            await self.gate.wait()
        return await self.inner.append(log, batches, **options)


def test_a_second_append_is_not_overtaken_during_the_first():
    async def scenario():
        target = LogName("tests/target")
        gate = asyncio.Event()
        scene = Scene(logs=GatedLogs(target, gate))
        await scene.put(1)
        await scene.put(2)

        def move(rq):
            stock = rq.log(LOG, Stock)
            number = min(stock.held)
            if number not in rq.log(target, Stock).held:
                rq.append(target, [b"put %d" % number])
            rq.append(LOG, [b"take %d" % number])
            return number

        moving = asyncio.ensure_future(scene.run(move))
        await asyncio.sleep(0)
        taking = asyncio.ensure_future(scene.take())
        dropping = asyncio.ensure_future(scene.run(lambda rq: rq.drop_log(target)))
        await asyncio.sleep(0.01)
        assert not taking.done(), "the source's state was seen in the middle of a move"
        assert not dropping.done(), "the target was dropped in the middle of a move"
        gate.set()
        assert (await moving, await taking) == (1, 2)
        await dropping
        assert await scene.held() == set()
        assert scene.logs.ends(target) == (0, 0)

    asyncio.run(scenario())


def test_a_client_that_goes_away_leaves_no_move_half_done():
    async def scenario():
        target = LogName("tests/target")
        gate = asyncio.Event()
        scene = Scene(logs=GatedLogs(target, gate))
        await scene.put(1)

        def move(rq):
            rq.log(LOG, Stock)
            rq.log(target, Stock)
            rq.append(target, [b"put 1"])
            rq.append(LOG, [b"take 1"])

        moving = asyncio.ensure_future(scene.run(move))
        await asyncio.sleep(0.01)
        moving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await moving
        closing = asyncio.ensure_future(scene.desk.gate.close())
        await asyncio.sleep(0.01)
        assert not closing.done(), "a checkpoint could see one half of a move"
        gate.set()
        await closing
        scene.desk.gate.open()
        assert await scene.held() == set()
        assert await scene.run(lambda rq: set(rq.log(target, Stock).held)) == {1}

    asyncio.run(scenario())


def test_what_is_appended_before_a_wait_or_a_retry_comes_first():
    async def scenario():
        scene = Scene()

        def sweep(rq):
            stock = rq.log(LOG, Stock)
            odd = [number for number in stock.held if number % 2]
            if odd:
                rq.append(LOG, [b"take %d" % odd[0]])
                if odd[0] == 1:
                    raise Anew
                return Wait(LOG, 60_000)
            if not stock.held:
                return Wait(LOG, 60_000)
            number = min(stock.held)
            rq.append(LOG, [b"take %d" % number])
            rq.append(LOG, [b"put 100"])
            return number

        for number in (1, 3, 5):
            await scene.put(number)
        sweeping = asyncio.ensure_future(scene.run(sweep))
        while await scene.held():
            await asyncio.sleep(0)
        assert not sweeping.done()
        await scene.put(8)
        assert await asyncio.wait_for(sweeping, 5) == 8
        assert await scene.held() == {100}, "two appends to one log, one behind the other"

    asyncio.run(scenario())
