"""Running a coroutine to its first wait without a task: most calls never wait, and a task costs microseconds.

State   none
Source  PEP 492; the protocol between asyncio's tasks and futures
Absent  none
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from typing import Generic, TypeVar

T = TypeVar("T")


class Rest(Generic[T]):
    """The part of a coroutine that is still to run; await it once, in a task."""

    __slots__ = ("_awaited", "_coroutine")

    def __init__(self, coroutine: Coroutine[object, None, T], awaited: object) -> None:
        self._coroutine = coroutine
        self._awaited = awaited

    def __await__(self) -> Generator[object, None, T]:
        coroutine, awaited = self._coroutine, self._awaited
        try:
            while True:
                try:
                    yield awaited
                except GeneratorExit:
                    coroutine.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - handed on to the coroutine
                    awaited = coroutine.throw(error)
                else:
                    awaited = coroutine.send(None)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]


def begin(coroutine: Coroutine[object, None, T]) -> T | Rest[T]:
    """Run until the coroutine returns (its value) or first waits (its rest).

    Until then there is no current task: it may await futures, not asyncio.timeout.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    return Rest(coroutine, awaited)


async def unbroken(rest: Awaitable[T]) -> T:
    """The rest in a task of its own: it is run to its end although who waits for it is cancelled."""
    task = asyncio.ensure_future(finish(rest))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_forget)
        raise


def _forget(task: asyncio.Task[T]) -> None:
    """Take the outcome that nobody waits for any more, so that it is not reported as lost."""
    if not task.cancelled():
        task.exception()


async def finish(rest: Awaitable[T]) -> T:
    """The rest as a coroutine, for those who make a task of it."""
    return await rest
