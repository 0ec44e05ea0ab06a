"""etcd's methods with the faults that a test puts in force.

State   the faults of the face (coord/faults.py)
Source  docs/faults.md
Absent  delays of what streams send on their own; streams that are open go on, whatever is put in force
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from inspect import isawaitable
from typing import Any

import msgspec

from cloudlet.coord.etcd.faults import PREFIX
from cloudlet.coord.faults import Fate, Faults
from cloudlet.wire.grpc import DEFERRED, Call, Code, GrpcStatus, Kind, Method


def with_faults(methods: Mapping[str, Method], faults: Faults) -> Mapping[str, Method]:
    """The same table, each method behind the faults."""
    return {path: _behind(method, faults) for path, method in methods.items()}


def _behind(method: Method, faults: Faults) -> Method:
    handler: Any = method.handler

    def unary(call: Call, message: bytes) -> Any:
        if faults.is_idle and not faults.delay_ms:
            return handler(call, message)
        fate = faults.of_request()
        if fate is Fate.FAILED:
            raise GrpcStatus(Code.UNAVAILABLE, f"{PREFIX}request timed out")
        if fate is Fate.UNANSWERED:
            answer = handler(_Mute(call), message)
            return _unanswered(answer) if isawaitable(answer) else DEFERRED
        return _late(handler, call, message, faults.delay_ms)

    def streaming(call: Call, incoming: Any) -> Any:
        # What is no fault's is called at once: it may look at what comes in this very turn.
        return handler(call, incoming) if faults.is_idle else faulty(call, incoming)

    async def faulty(call: Call, incoming: Any) -> None:
        fate = faults.of_request()
        if fate is Fate.FAILED:
            raise GrpcStatus(Code.UNAVAILABLE, f"{PREFIX}request timed out")
        if fate is Fate.UNANSWERED:
            await _unanswered(handler(_Mute(call), incoming))
        await handler(call, incoming)

    return msgspec.structs.replace(method, handler=unary if method.kind is Kind.UNARY else streaming)


async def _late(handler: Any, call: Call, message: bytes, delay_ms: int) -> bytes:
    """The same answer, some time later."""
    await asyncio.sleep(delay_ms / 1000)
    kept = _Kept(call)
    answer = handler(kept, message)
    if answer is DEFERRED:
        return await kept.answer
    return bytes(await answer if isawaitable(answer) else answer)


async def _unanswered(answer: Awaitable[Any]) -> bytes:
    """Carry it out, and answer never: the client's deadline ends the call."""
    await answer
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


class _Seen:
    """A call as its handler sees it, whose answer goes elsewhere."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


class _Mute(_Seen):
    """Its answer goes nowhere."""

    def finish(self, message: bytes) -> None:
        """It is carried out, and that is all."""

    def fail(self, status: GrpcStatus) -> None:
        """Likewise."""

    def send_header(self, metadata: Sequence[tuple[str, str]] = ()) -> None:
        """Likewise."""

    async def send(self, message: bytes) -> None:
        """Likewise."""

    def send_nowait(self, message: bytes) -> None:
        """Likewise."""


class _Kept(_Seen):
    """Its answer is a future's."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def finish(self, message: bytes) -> None:
        if not self.answer.done():
            self.answer.set_result(message)

    def fail(self, status: GrpcStatus) -> None:
        if not self.answer.done():
            self.answer.set_exception(status)
