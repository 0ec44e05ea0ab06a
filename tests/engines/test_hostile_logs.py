"""The hostile logs engine does what it threatens, and nothing worse."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from cloudlet.engines.hostile_logs import IN_A_ROW_MAX, HostileLogs
from cloudlet.kernel.fault import OutcomeUnknown, OutOfRange
from cloudlet.kernel.logs import LogName, Offset
from cloudlet.kernel.logs_memory import MemoryLogs
from cloudlet.wire.kafka.records import decode, encode_value

LOG = LogName("log")


def hostile(seed: int = 7, **how: float) -> HostileLogs:
    return HostileLogs(MemoryLogs(), Random(seed), **how)


async def values(logs: HostileLogs) -> list[bytes | None]:
    return [value for *_, value in decode(await logs.read(LOG, Offset(0), bytes_max=1 << 20))]


def test_conflicts_come_and_a_retry_gets_through() -> None:
    async def body() -> None:
        logs = hostile(conflicts=1.0)
        for number in range(20):
            for _ in range(IN_A_ROW_MAX):
                at = logs.ends(LOG).stop
                with pytest.raises(OutOfRange) as refused:
                    await logs.append(LOG, encode_value(b"%d" % number, 1), at=at)
                assert refused.value.stop == at + 1 == logs.ends(LOG).stop
            at = logs.ends(LOG).stop
            assert await logs.append(LOG, encode_value(b"%d" % number, 1), at=at) == at
        assert logs.conflicts_made == 20 * IN_A_ROW_MAX
        assert await values(logs) == [b"%d" % number for number in range(20)]  # the stranger's hold no data

    asyncio.run(body())


def test_an_append_anywhere_is_left_alone() -> None:
    async def body() -> None:
        logs = hostile(conflicts=1.0)
        for number in range(10):
            assert await logs.append(LOG, encode_value(b"v", 1)) == number
        assert logs.conflicts_made == 0

    asyncio.run(body())


def test_a_lost_reply_is_settled_by_looking() -> None:
    async def body() -> None:
        logs = hostile(conflicts=0.0, lost=0.5)
        outcomes = set()
        for number in range(100):
            before = logs.ends(LOG).stop
            try:
                await logs.append(LOG, encode_value(b"%d" % number, 1), at=before)
            except OutcomeUnknown:
                outcomes.add(logs.ends(LOG).stop - before)
            else:
                assert logs.ends(LOG).stop == before + 1
        assert outcomes == {0, 1}, "some done, some not"
        assert 20 < logs.replies_lost < 80

    asyncio.run(body())


def test_a_seed_says_all() -> None:
    async def trace(seed: int) -> list[str]:
        logs = hostile(seed, lost=0.2)
        seen = []
        for number in range(60):
            try:
                await logs.append(LOG, encode_value(b"%d" % number, 1), at=logs.ends(LOG).stop)
                seen.append("done")
            except (OutOfRange, OutcomeUnknown) as error:
                seen.append(type(error).__name__)
        return seen

    first = asyncio.run(trace(1))
    assert first == asyncio.run(trace(1)) != asyncio.run(trace(2))
    assert set(first) == {"done", "OutOfRange", "OutcomeUnknown"}
