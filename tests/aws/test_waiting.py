"""The line of calls that wait for one log."""

import asyncio

import pytest

from cloudlet.aws.alarms import Alarms
from cloudlet.aws.waiting import WaitingLine
from cloudlet.kernel.clock import ManualClock

LONG_MS = 60_000.0


class Scene:
    """A line, and tasks that note in which order they were woken."""

    def __init__(self):
        self.clock = ManualClock()
        self.forgotten = 0
        self.line = WaitingLine(Alarms(self.clock), self.forget)
        self.woken = []

    def forget(self):
        self.forgotten += 1

    def join(self, name, *, left_ms=LONG_MS, wake_at_ms=None, again=False):
        async def wait():
            await self.line.wait(left_ms, wake_at_ms, again=again)
            self.woken.append(name)

        return asyncio.ensure_future(wait())


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


def run(scenario):
    scene = Scene()
    asyncio.run(scenario(scene))
    return scene


def test_the_first_to_come_is_the_first_woken():
    async def scenario(scene):
        tasks = [scene.join(name) for name in "abc"]
        await turns()
        scene.line.wake()
        await turns()
        assert scene.woken == ["a"]
        scene.line.wake()
        scene.line.wake()
        await turns()
        assert scene.woken == ["a", "b"], "a second wake before the first has acted wakes nobody else"
        scene.line.wake()
        await asyncio.gather(*tasks)

    scene = run(scenario)
    assert scene.woken == ["a", "b", "c"]
    assert scene.forgotten == 1


def test_who_must_wait_again_keeps_the_first_place():
    async def scenario(scene):
        scene.join("b")
        await turns()
        scene.join("a", again=True)
        await turns()
        scene.line.wake_all()
        await turns()

    assert run(scenario).woken == ["a", "b"]


def test_a_wait_ends_at_its_time():
    async def scenario(scene):
        await asyncio.wait_for(scene.join("a", left_ms=1), 5)

    assert run(scenario).woken == ["a"]


def test_a_cloud_time_wakes_the_first():
    async def scenario(scene):
        first = scene.join("a", wake_at_ms=scene.clock.cloud_ms() + 1)
        second = scene.join("b", wake_at_ms=scene.clock.cloud_ms() + 1)
        await turns()
        scene.clock.pass_ms(1)
        await asyncio.wait_for(first, 5)
        assert not second.done()
        second.cancel()

    assert run(scenario).woken == ["a"]


def test_who_goes_away_after_its_wake_passes_its_turn_on():
    async def scenario(scene):
        first = scene.join("a")
        second = scene.join("b")
        await turns()
        scene.line.wake()
        first.cancel()
        await asyncio.wait_for(second, 5)
        with pytest.raises(asyncio.CancelledError):
            await first

    assert run(scenario).woken == ["b"]
