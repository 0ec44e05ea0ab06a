"""Wake-ups by cloud time."""

import asyncio

from cloudlet.aws.alarms import Alarms
from cloudlet.kernel.clock import ManualClock

LONG_MS = 8 * 86_400_000


def run(scenario):
    clock = ManualClock()
    alarms = Alarms(clock)
    rung = []
    asyncio.run(asyncio.wait_for(scenario(clock, alarms, rung), 10))
    return rung


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_move_over_its_instant_rings_an_alarm_once():
    async def scenario(clock, alarms, rung):
        start = clock.cloud_ms()
        for days in (1, 2, 30):
            alarms.at(start + days * 86_400_000, lambda days=days: rung.append(days))
        clock.advance_ms(LONG_MS)
        assert rung == []
        alarms.clock_moved()
        assert rung == [], "never within the move itself"
        await asyncio.sleep(0.01)
        alarms.clock_moved()
        await turns()
        assert len(alarms) == 1

    assert run(scenario) == [1, 2]


def test_what_is_due_rings_in_the_next_turn_and_not_at_once():
    async def scenario(clock, alarms, rung):
        alarms.at(clock.cloud_ms(), lambda: rung.append("due"))
        assert rung == []
        await asyncio.sleep(0.01)

    assert run(scenario) == ["due"]


def test_nothing_ticks_while_time_stands_still():
    async def scenario(clock, alarms, rung):
        clock.freeze()
        alarm = alarms.at(clock.cloud_ms() + 1, lambda: rung.append("x"))
        assert alarm._timer is None
        clock.pass_ms(LONG_MS)
        await asyncio.sleep(0.01)
        assert rung == []
        clock.advance_ms(1)
        alarms.clock_moved()
        await asyncio.sleep(0.01)

    assert run(scenario) == ["x"]


def test_a_thaw_sets_alarms_going_again():
    async def scenario(clock, alarms, rung):
        alarms.at(clock.cloud_ms() + 5, lambda: rung.append("x"))
        clock.freeze()
        alarms.clock_moved()
        clock.thaw()
        alarms.clock_moved()
        clock.pass_ms(5)
        await asyncio.sleep(0.03)

    assert run(scenario) == ["x"]


def test_a_timer_that_fires_before_its_instant_waits_for_the_rest():
    async def scenario(clock, alarms, rung):
        alarms.at(clock.cloud_ms() + 2, lambda: rung.append("x"))
        await asyncio.sleep(0.02)  # the loop's time passes, the clock's does not
        assert rung == []
        clock.pass_ms(2)
        await asyncio.sleep(0.02)

    assert run(scenario) == ["x"]


def test_a_cancelled_alarm_is_forgotten():
    async def scenario(clock, alarms, rung):
        alarms.at(clock.cloud_ms() + 1, lambda: rung.append("x")).cancel()
        waiting = asyncio.ensure_future(alarms.wait(clock.cloud_ms() + LONG_MS))
        await turns()
        assert len(alarms) == 1
        waiting.cancel()
        await turns()
        assert len(alarms) == 0
        await asyncio.sleep(0.01)

    assert run(scenario) == []


def test_waiting_ends_when_the_clock_is_moved_there():
    async def scenario(clock, alarms, rung):
        waiting = asyncio.ensure_future(alarms.wait(clock.cloud_ms() + LONG_MS))
        await turns()
        assert not waiting.done()
        clock.advance_ms(LONG_MS)
        alarms.clock_moved()
        await waiting

    run(scenario)
