"""One call: decide, commit or append, settle; again when something came in between.

State   none; what a call reads and writes is in the stores
Source  docs/architecture.md, "Decide, then commit, then act"
Absent  several nodes: an operation on a log that another node owns

    decide -> Wait       -> wait in the log's line            -> decide again
           -> Again      -> wait for the state to be there    -> decide again
           -> commit     -> Conflict: wait for that revision  -> decide again (ATTEMPTS_MAX times)
           -> appends    -> OutOfRange: somebody else wrote   -> decide again (ATTEMPTS_MAX times)
           -> appends and Anew or Wait: they come first       -> decide again
           -> a result   -> settle what was read or written   -> answer

A client that goes away ends a call while it waits, never between deciding and having done it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from cloudlet.aws.bodies import Bodies
from cloudlet.aws.drive import Rest, begin, unbroken
from cloudlet.aws.gate import Gate
from cloudlet.aws.identity import Caller
from cloudlet.aws.request import Anew, Decoded, Request, Views, Wait
from cloudlet.aws.traffic import Again, Traffic
from cloudlet.kernel.blobs import Blobs
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import Conflict, Fault, OutcomeUnknown, OutOfRange
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Author, Commit, Durability, Keys, Revision
from cloudlet.kernel.logs import LogName
from cloudlet.wire.http1 import Head

if TYPE_CHECKING:
    from cloudlet.aws.authorise import Authoriser
    from cloudlet.aws.service import Result, Several

EVERY_KEY = b"\xff" * 8  # above every key that anybody writes

ATTEMPTS_MAX = 16  # conflicts of one call; then its service's throttling error

ANEW = Wait(LogName(""), 0)  # how `Anew` is kept until what comes first is done

T = TypeVar("T")


class Contended(Exception):
    """A call lost its race ATTEMPTS_MAX times; the service answers its throttling error."""


class Call(msgspec.Struct):
    """What stays the same between the attempts of one call."""

    caller: Caller
    region: str
    request_id: str
    clock: Clock
    started_ms: float  # on the monotonic clock
    face: str = "aws"
    address: str = ""
    head: Head | None = None  # of the HTTP request that it came by
    is_secure: bool = False
    own_url: str = ""  # of one that came by none: the cloud's

    @property
    def base_url(self) -> str:
        """How the caller reached us ("http://localhost:4566"), for URLs that we return."""
        if self.head is None:
            return self.own_url
        host = self.head.headers.get(b"host", b"localhost").decode("latin-1")
        return f"{'https' if self.is_secure else 'http'}://{host}"

    @property
    def path(self) -> str:
        """The path of the HTTP request, still encoded."""
        return "/" if self.head is None else self.head.path.decode("latin-1")

    @property
    def trace(self) -> str:
        """Its X-Amzn-Trace-Id."""
        return "" if self.head is None else self.head.headers.get(b"x-amzn-trace-id", b"").decode("latin-1")

    def waited_ms(self) -> float:
        """Milliseconds since the call began, on the monotonic clock."""
        return self.clock.monotonic_ms() - self.started_ms

    def author(self) -> Author:
        """Who writes, as the history keeps it."""
        return Author(self.face, self.caller.arn, self.address, self.request_id)


class Attempt(msgspec.Struct):
    """One attempt to decide: what was decided, or what that has to wait for; how far it has been done."""

    request: Request
    decided: object
    pending: Wait | Awaitable[object] | None
    acting: Rest[bool] | bool | None = None  # None: not begun


class Desk:
    """Where calls meet the stores: runs decisions and carries out what they decided."""

    def __init__(
        self,
        keys: Keys,
        traffic: Traffic,
        clock: Clock,
        ids: Ids,
        authoriser: Authoriser,
        blobs: Blobs,
        durability: Durability = Durability.RELAXED,
        *,
        has_cooldowns: bool = True,
    ) -> None:
        self.has_cooldowns = has_cooldowns
        self.bodies = Bodies(blobs, durability)
        self.keys = keys
        self._commit_now: Callable[[Commit], Revision] | None = getattr(keys, "commit_now", None)
        self.traffic = traffic
        self.clock = clock
        self.ids = ids
        self.authoriser = authoriser
        self._durability = durability
        self._decoded: Decoded = {}
        self.views: Views = {}  # for Request.view
        self.gate = Gate()

    def request(self, call: Call) -> Request:
        """A look at the cloud, for one attempt to decide."""
        caller = call.caller
        return Request(
            call, caller.account, call.region, self.clock.cloud_ms(), self, self.keys, self._decoded
        )

    async def run(
        self, call: Call, decide: Callable[[Request], T | Wait], request: Request | None = None
    ) -> T:
        """Run a decision until it stands; its faults pass through. Contended after too many conflicts.

        `request` is one that was looked through already: the first attempt goes on with it.
        """
        running = self.begin_run(call, decide, request)
        return await running if isinstance(running, CoroutineType) else running

    def begin_run(
        self, call: Call, decide: Callable[[Request], T | Wait], request: Request | None = None
    ) -> T | CoroutineType[object, None, T]:
        """The same as far as it goes without waiting, which is nearly always to its end: what was decided, or
        the rest as a coroutine."""
        keys = self.keys
        if self.gate.is_closed:
            return cast("CoroutineType[object, None, T]", self._go_on(call, decide, request))
        if request is None:
            request = self.request(call)
        decided, pending = _decided(request, decide)
        acting: Rest[bool] | bool | None = None
        if pending is None:
            if request.is_idle and keys.settled >= keys.head:
                return decided  # type: ignore[return-value]  # it only read, and what it may have read is settled
            seen = None if request.appends else self._committed(request)
            if seen is not None and seen <= keys.settled:
                return decided  # type: ignore[return-value]
            acting = begin(self._act(request) if seen is None else self._settle(seen))
            if acting is True and decided is not ANEW:
                return cast(T, decided)
        attempt = Attempt(request, decided, pending, acting)
        return cast("CoroutineType[object, None, T]", self._go_on(call, decide, request, attempt))

    async def _go_on(
        self,
        call: Call,
        decide: Callable[[Request], T | Wait],
        request: Request | None,
        attempt: Attempt | None = None,
    ) -> T:
        """Go on with an attempt that has to wait, and make others until one stands."""
        keys, gate = self.keys, self.gate
        attempts = 0
        log: LogName | None = None  # that it waited for last
        try:
            while attempts < ATTEMPTS_MAX:
                if attempt is None:
                    if gate.is_closed:
                        await gate.opened()
                    request = request or self.request(call)
                    attempt = Attempt(request, *_decided(request, decide))
                decided, pending = attempt.decided, attempt.pending
                if isinstance(pending, Wait):
                    left_ms = pending.timeout_ms - call.waited_ms()
                    await self.traffic.wait(pending, left_ms, again=log is not None)
                    log = pending.log
                elif pending is not None:
                    await pending
                elif attempt.acting is None and attempt.request.is_idle and keys.settled >= keys.head:
                    return cast(T, decided)
                else:
                    acting = attempt.acting
                    if acting is None:
                        acting = begin(self._act(attempt.request))
                    done = await unbroken(acting) if isinstance(acting, Rest) else acting
                    if not done:
                        attempts += 1
                    elif decided is not ANEW:
                        return cast(T, decided)
                    else:
                        await asyncio.sleep(0)
                request = attempt = None
            raise Contended
        finally:
            if log is not None:
                self.traffic.answered(log)

    async def run_several(self, call: Call, several: Several, throttling: Fault) -> Result:
        """Run the steps of a call that may fail in part; one that loses every race answers `throttling`."""
        outcomes: list[object] = []
        for step in several.steps:
            try:
                outcomes.append(await self.run(call, step))
            except Fault as fault:
                outcomes.append(fault.spent())
            except Contended:
                outcomes.append(throttling)
        return several.join(outcomes)

    def _committed(self, request: Request) -> Revision | None:
        """The revision of a commit that can be made in this turn, to be settled; None, with nothing done,
        where it takes `_act`, which does the same and all else in a coroutine. Nothing is to be appended."""
        if self._commit_now is None or request.dropped_logs:
            return None
        commit = request.decided(self._durability)
        if commit is None:
            return None
        try:
            return self._commit_now(commit)
        except Conflict:
            return None  # `_act` meets it again, and waits

    async def _settle(self, seen: Revision) -> bool:
        """Wait inside of the gate for what was committed."""
        self.gate.enter()
        try:
            await self.keys.settle(seen)
        finally:
            self.gate.leave()
        return True

    async def _act(self, request: Request) -> bool:
        """Make what was decided happen, as durable as promised, inside of the gate; False, with nothing done,
        where something came in between."""
        keys = self.keys
        seen = keys.head
        self.gate.enter()
        try:
            commit = request.decided(self._durability)
            if commit is not None:
                assert not request.appends, "no commit spans a log and the keys"
                try:
                    seen = await keys.commit(commit)
                except OutcomeUnknown:
                    seen = await self._settle_unknown(seen, request.call)
            if request.appends:
                appending = self.traffic.begin_append(request.appends)
                if appending is not None:
                    await appending
            if keys.settled < seen:
                await keys.settle(seen)
            for name in request.dropped_logs:
                await self.traffic.drop(name)
        except Conflict as conflict:
            await keys.settle(Revision(conflict.revision))
            return False
        except OutOfRange:  # of a log: its state is closed, the next attempt replays it
            return False
        finally:
            self.gate.leave()
        return True

    async def _settle_unknown(self, seen: Revision, call: Call) -> Revision:
        """The revision of a commit whose reply was lost, by its request id; Conflict if there is none."""
        keys = self.keys
        watch = keys.watch(b"", EVERY_KEY, Revision(seen + 1))
        try:
            while watch.position <= keys.head:
                for change in await watch.take():
                    if change.author.request_id == call.request_id:
                        return change.revision
        finally:
            watch.close()
        raise Conflict(keys.head)


def _decided(
    request: Request, decide: Callable[[Request], T | Wait]
) -> tuple[object, Wait | Awaitable[object] | None]:
    """Run the decision: what it decided, and what it has to wait for before it can decide, if anything."""
    try:
        decided = decide(request)
    except Again as again:
        return None, again.ready
    except Anew:
        assert request.appends, "an operation that wants to run anew has appended"
        return ANEW, None
    if isinstance(decided, Wait):
        return (ANEW, None) if request.appends else (None, decided)
    return decided, None
