"""The timekeeper: steps recorded before they take force, and never backward."""

import asyncio
import inspect
from random import Random

import msgspec
import pytest

from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.hostile_keys import HostileKeys
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.clock import STEPS_MAX, ManualClock
from cloudlet.kernel.fault import NoSpace
from cloudlet.kernel.keys import Author
from cloudlet.kernel.tuples import TUPLES_STOP
from cloudlet.shell import timekeeper as shell_timekeeper
from cloudlet.shell.control import Control
from cloudlet.shell.timekeeper import CLOCK_SPACE, CLOCK_STOP, Timekeeper, clock_verbs
from cloudlet.wire.http1 import Head, Request

DAY_MS = 86_400_000
NOW_MS = 1_700_000_000_000


def memory_keys():
    return MemoryKeys(ManualClock().monotonic_ms)


async def reopened(keys, now_ms, mark=None):
    clock = ManualClock(now_ms)
    keeper = Timekeeper(keys, clock, mark=mark)
    await keeper.open()
    return clock, keeper


def test_steps_hold_after_a_restart():
    async def scenario():
        keys = memory_keys()
        clock, keeper = await reopened(keys, NOW_MS)
        moved = []
        keeper.listen(lambda: moved.append(clock.cloud_ms()))
        await keeper.advance(8 * DAY_MS)
        clock.pass_ms(1000)
        again, _ = await reopened(keys, NOW_MS + 5000)
        assert again.cloud_ms() == NOW_MS + 5000 + 8 * DAY_MS
        await keeper.freeze()
        await keeper.freeze()
        assert keys.head == 3, "a second freeze is nothing new"
        clock.pass_ms(1000)
        await keeper.advance(10)
        again, _ = await reopened(keys, NOW_MS + 9000)
        assert (again.cloud_ms(), again.step.is_frozen) == (NOW_MS + 1010 + 8 * DAY_MS, True)
        await keeper.thaw()
        await keeper.thaw()
        again, _ = await reopened(keys, NOW_MS + 9000)
        assert again.cloud_ms() == NOW_MS + 1010 + 8 * DAY_MS + 7000
        assert again.cloud_at(NOW_MS + 500) == NOW_MS + 500 + 8 * DAY_MS
        assert len(moved) == 4

    asyncio.run(scenario())


class TickingClock(ManualClock):
    """A millisecond passes with each look at the wall, as it may between any two."""

    def wall_ms(self):
        self.pass_ms(1)
        return super().wall_ms()


def test_two_advances_are_their_sum_whenever_the_wall_ticks():
    async def scenario():
        keeper = Timekeeper(memory_keys(), TickingClock(NOW_MS))
        await keeper.open()
        await keeper.advance(8 * DAY_MS)
        await keeper.advance(8 * DAY_MS)
        assert keeper.ahead_ms() == 16 * DAY_MS
        assert b'"ahead":"16d"' in keeper.shown().body

    asyncio.run(scenario())


def test_the_steps_are_nobodys_resources_and_say_who_wrote_them():
    async def scenario():
        keys = memory_keys()
        _, keeper = await reopened(keys, NOW_MS)
        watch = keys.watch(CLOCK_SPACE, CLOCK_STOP)
        await keeper.advance(1)
        (change,) = await watch.take()
        assert change.author == Author("clock", principal="advance")
        assert all(entry.key > TUPLES_STOP for entry in keys.scan(b"", b"\xff"))

    asyncio.run(scenario())


def test_a_step_that_cannot_be_recorded_moves_nothing(monkeypatch):
    async def scenario():
        keys = memory_keys()
        clock, keeper = await reopened(keys, NOW_MS)

        async def full(commit):
            raise NoSpace

        monkeypatch.setattr(keys, "commit", full)
        for moving in (keeper.advance(DAY_MS), keeper.freeze()):
            with pytest.raises(NoSpace):
                await moving
        clock.pass_ms(7)
        assert clock.cloud_ms() == NOW_MS + 7

    asyncio.run(scenario())


def test_every_advance_counts_once_on_a_hostile_store():
    async def scenario():
        keys = HostileKeys(memory_keys(), Random(7), lost=0.3)
        clock, keeper = await reopened(keys, NOW_MS)
        await asyncio.gather(*(keeper.advance(1000) for _ in range(40)))
        assert clock.cloud_ms() == NOW_MS + 40_000
        again, _ = await reopened(keys, NOW_MS)
        assert again.cloud_ms() == NOW_MS + 40_000

    asyncio.run(scenario())


def test_two_keepers_of_one_store_go_one_way():
    async def scenario():
        keys = memory_keys()
        clock, keeper = await reopened(keys, NOW_MS)
        other_clock, other = await reopened(keys, NOW_MS)
        await keeper.advance(1000)
        await other.advance(500)
        assert other_clock.cloud_ms() == NOW_MS + 1500
        await keeper.advance(1)
        assert clock.cloud_ms() == NOW_MS + 1501

    asyncio.run(scenario())


def test_old_steps_are_dropped(monkeypatch):
    monkeypatch.setattr(shell_timekeeper, "STEPS_MAX", 3)

    async def scenario():
        keys = memory_keys()
        _, keeper = await reopened(keys, NOW_MS)
        for _ in range(8):
            await keeper.advance(10)
        assert len(keys.scan(CLOCK_SPACE, CLOCK_STOP)) == 3
        again, keeper = await reopened(keys, NOW_MS)
        await keeper.advance(10)
        assert again.cloud_ms() == NOW_MS + 90
        assert STEPS_MAX > 3

    asyncio.run(scenario())


def test_on_disk_too(tmp_path):
    async def scenario():
        for days in (1, 2, 3):
            keys = await DiskKeys.open(tmp_path / "keys", ManualClock().monotonic_ms)
            clock, keeper = await reopened(keys, NOW_MS)
            await keeper.advance(DAY_MS)
            assert clock.cloud_ms() == NOW_MS + days * DAY_MS
            await keys.close()

    asyncio.run(scenario())


# --- a wall that goes back


def test_a_wall_that_went_back_between_two_runs_takes_no_time_back(tmp_path):
    async def scenario():
        keys, mark = memory_keys(), tmp_path / "clock"
        clock, keeper = await reopened(keys, NOW_MS, mark)
        keeper.start()
        clock.pass_ms(50_000)
        await keeper.close()
        again, _ = await reopened(keys, NOW_MS - DAY_MS, mark)
        assert again.cloud_ms() == NOW_MS + 50_000
        again.pass_ms(10)
        assert again.cloud_ms() == NOW_MS + 50_010, "and it runs on from there"

    asyncio.run(scenario())


def test_a_wall_that_goes_back_before_the_newest_step_takes_none_back():
    async def scenario():
        keys = memory_keys()
        _, keeper = await reopened(keys, NOW_MS)
        await keeper.advance(DAY_MS)
        again, _ = await reopened(keys, NOW_MS - 10 * DAY_MS)
        assert again.cloud_ms() == NOW_MS + DAY_MS
        again.pass_ms(10)
        assert again.cloud_ms() == NOW_MS + DAY_MS + 10

    asyncio.run(scenario())


def test_a_wall_that_goes_back_meanwhile_stops_cloud_time_for_a_moment_only(monkeypatch):
    monkeypatch.setattr(shell_timekeeper, "TICK_S", 0.001)

    async def scenario():
        clock, keeper = await reopened(memory_keys(), NOW_MS)
        assert clock.cloud_ms() == NOW_MS
        looked = asyncio.Event()
        keeper.listen(looked.set)
        keeper.start()
        clock.set_wall_ms(NOW_MS - DAY_MS)
        await asyncio.wait_for(looked.wait(), 10)
        while clock.held_ms():
            await asyncio.sleep(0.001)
        clock.pass_ms(10)
        assert clock.cloud_ms() == NOW_MS + 10
        await keeper.close()

    asyncio.run(scenario())


# --- the verbs


def said(answer):
    if inspect.iscoroutine(answer):
        answer = asyncio.run(answer)
    return answer.status, msgspec.json.decode(answer.body)


@pytest.fixture
def ask():
    clock, keeper = asyncio.run(reopened(memory_keys(), NOW_MS))
    control = Control(clock_verbs(keeper))

    def ask(method, path, **body):
        raw = msgspec.json.encode(body)
        head = Head(method, path.encode(), path.encode(), b"", {}, True, len(raw), False, False)
        return said(control.respond(Request(head, raw, "", False)))

    ask.clock = clock
    return ask


def test_the_clock_is_shown(ask):
    assert ask("GET", "/clock") == (
        200,
        {
            "cloud": "2023-11-14T22:13:20.000Z", "wall": "2023-11-14T22:13:20.000Z", "ahead": "0s",
            "cloud_ms": NOW_MS, "wall_ms": NOW_MS, "ahead_ms": 0, "frozen": False, "steps": 0,
        },
    )  # fmt: skip


def test_the_clock_is_moved_by_durations_and_to_instants(ask):
    assert ask("POST", "/clock/advance", by="1d12h")[1]["ahead"] == "1d12h"
    assert ask("POST", "/clock/advance", by_ms=1)[1]["ahead"] == "1d12h1ms"
    assert ask("POST", "/clock/advance", to="2024-01-01T00:00:00Z")[1]["cloud"] == "2024-01-01T00:00:00.000Z"
    assert ask("POST", "/clock/freeze")[1]["frozen"] is True
    ask.clock.pass_ms(60_000)
    found = ask("POST", "/clock/thaw")[1]
    assert (found["frozen"], found["cloud"]) == (False, "2024-01-01T00:00:00.000Z")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"by": "-8d"}, "not negative"),
        ({"by_ms": -1}, "never goes back"),
        ({"to": "2001-01-01"}, "never goes back"),
        ({"to": "9999-12-31T23:59:59.999+00:00", "by": "1s"}, "one of"),
        ({"by": "9999999w"}, "year 9999"),
        ({"by": "soon"}, "not a duration"),
        ({"to": "soon"}, "ISO 8601"),
        ({}, "one of"),
        ({"days": 8}, "days"),
        ({"by": 8}, "str"),
    ],
)
def test_what_the_clock_refuses(ask, body, words):
    status, answer = ask("POST", "/clock/advance", **body)
    assert (status, words in answer["error"]) == (400, True), answer
    assert ask("GET", "/clock")[1]["steps"] == 0
