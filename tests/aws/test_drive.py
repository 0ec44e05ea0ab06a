"""Coroutines that run to their first wait without a task."""

import asyncio

import pytest

from cloudlet.aws.drive import Rest, begin, finish


async def doubled(future):
    value = await future
    return value * 2


def test_a_coroutine_that_never_waits_is_done_at_once():
    async def three():
        return 3

    assert begin(three()) == 3


def test_an_error_before_the_first_wait_is_raised_at_once():
    async def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        begin(fail())


def test_the_rest_runs_in_a_task():
    async def scenario():
        future = asyncio.get_running_loop().create_future()
        rest = begin(doubled(future))
        assert isinstance(rest, Rest)
        task = asyncio.ensure_future(finish(rest))
        await asyncio.sleep(0)
        future.set_result(21)
        return await task

    assert asyncio.run(scenario()) == 42


def test_a_failed_wait_is_raised_inside_the_coroutine():
    async def scenario():
        future = asyncio.get_running_loop().create_future()
        rest = begin(doubled(future))
        future.set_exception(ValueError("late"))
        with pytest.raises(ValueError, match="late"):
            await rest

    asyncio.run(scenario())


def test_cancelling_the_task_cancels_the_coroutine():
    seen = []

    async def waits(future):
        try:
            await future
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def scenario():
        rest = begin(waits(asyncio.get_running_loop().create_future()))
        task = asyncio.ensure_future(finish(rest))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert seen == ["cancelled"]
