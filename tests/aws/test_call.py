"""A call's commit in the turn in which it was decided: made once, and waited for where it has to be."""

import asyncio

from cloudlet.aws.authorise import RootOnly
from cloudlet.aws.call import Call, Desk
from cloudlet.aws.identity import root_of
from cloudlet.aws.record import Record
from cloudlet.aws.traffic import Traffic
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.blobs_memory import MemoryBlobs
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Author, Commit, Put
from cloudlet.kernel.logs_memory import MemoryLogs
from cloudlet.kernel.tuples import pack

SUM = ("tests", "sum")


class Sum(Record):
    value: int


class LateKeys(MemoryKeys):
    """Nothing is settled before `let_settle`."""

    mark = 0

    @property
    def settled(self):
        return self.mark

    async def settle(self, revision):
        while self.mark < revision:
            await asyncio.sleep(0)

    def let_settle(self):
        self.mark = self.head


class Scene:
    def __init__(self, kind):
        self.clock, self.ids = ManualClock(), Ids()
        self.keys = kind(self.clock.monotonic_ms)
        traffic, blobs = Traffic(MemoryLogs(), self.clock), MemoryBlobs(self.clock, self.ids)
        self.desk = Desk(self.keys, traffic, self.clock, self.ids, RootOnly(), blobs)

    def run(self, decide):
        caller = root_of("1")
        call = Call(caller, "us-east-1", self.ids.uuid(), self.clock, self.clock.monotonic_ms())
        return self.desk.begin_run(call, decide)


def add(rq):
    old = rq.get(SUM, Sum)
    new = Sum((old.value if old else 0) + 1)
    rq.commit(put={SUM: new})
    return new.value


def test_a_commit_that_is_settled_needs_no_waiting():
    scene = Scene(MemoryKeys)
    assert [scene.run(add) for _ in range(3)] == [1, 2, 3]
    assert scene.keys.head == scene.keys.settled


def test_a_commit_that_is_not_settled_is_waited_for_and_not_made_again():
    async def scenario():
        scene = Scene(LateKeys)
        waiting = asyncio.ensure_future(scene.run(add))
        head = scene.keys.head
        await asyncio.sleep(0)
        assert not waiting.done()
        closing = asyncio.ensure_future(scene.desk.gate.close())  # who closes the gate waits for it too
        for _ in range(3):
            await asyncio.sleep(0)
        assert not closing.done()
        scene.keys.let_settle()
        assert await waiting == 1
        await closing
        assert scene.keys.head == head

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_a_commit_that_lost_its_race_is_decided_anew():
    async def scenario():
        scene = Scene(MemoryKeys)
        tries = []

        def slip_in(rq):
            value = add(rq)
            if not tries:
                raw = pack(SUM)
                scene.keys.commit_now(Commit(Author("tests"), put=[Put(raw, b"\x81\xa5value\x07")]))
            tries.append(value)
            return value

        assert await scene.run(slip_in) == 8
        assert tries == [1, 8]

    asyncio.run(asyncio.wait_for(scenario(), 10))
