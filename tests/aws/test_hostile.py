"""Calls over stores that slip foreign writes in, dawdle, and lose replies: each happens exactly once."""

import asyncio
from collections import Counter
from random import Random

import pytest

from cloudlet.aws.authorise import RootOnly
from cloudlet.aws.call import Call, Desk
from cloudlet.aws.identity import root_of
from cloudlet.aws.record import Record
from cloudlet.aws.traffic import Traffic
from cloudlet.engines.hostile_keys import HostileKeys
from cloudlet.engines.hostile_logs import HostileLogs
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.blobs_memory import MemoryBlobs
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.logs import LogName
from cloudlet.kernel.logs_memory import MemoryLogs

LOG = LogName("tests/tally")
CALLS = 120


class Tally:
    """How often each record was applied."""

    def __init__(self):
        self.seen = Counter()

    def apply(self, offset, record):
        self.seen[record] += 1

    def live_bytes(self):
        return 1 << 30

    def keep(self, offset, record):
        return record


class Sum(Record):
    value: int


@pytest.mark.parametrize("seed", range(4))
def test_every_call_takes_effect_once(seed):
    async def scenario():
        clock, ids = ManualClock(), Ids()
        keys = HostileKeys(MemoryKeys(clock.monotonic_ms), Random(seed), lost=0.2)
        logs = HostileLogs(MemoryLogs(), Random(seed), lost=0.2)
        desk = Desk(keys, Traffic(logs, clock), clock, ids, RootOnly(), MemoryBlobs(clock, ids))

        async def call(decide):
            return await desk.run(
                Call(root_of("1"), "us-east-1", ids.uuid(), clock, clock.monotonic_ms()), decide
            )

        def add(rq):
            old = rq.get(("tests", "sum"), Sum)
            rq.commit(put={("tests", "sum"): Sum((old.value if old else 0) + 1)})

        def note(number):
            def decide(rq):
                rq.log(LOG, Tally)
                rq.append(LOG, [b"%d" % number])

            return decide

        for start in range(0, CALLS, 4):
            await asyncio.gather(call(add), *(call(note(start + each)) for each in range(4)))
        assert (await call(lambda rq: rq.get(("tests", "sum"), Sum))).value == CALLS // 4
        seen = await call(lambda rq: rq.log(LOG, Tally).seen)
        assert seen == {b"%d" % number: 1 for number in range(CALLS)}
        assert min(keys.conflicts_made, keys.replies_lost, logs.conflicts_made, logs.replies_lost) > 0

    asyncio.run(asyncio.wait_for(scenario(), 30))
