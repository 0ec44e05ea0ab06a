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
from typing import TYPE_CHECKING, TypeVar, cast

from cloudlet.aws.bodies import Bodies
from cloudlet.aws.drive import Rest, begin, unbroken
from cloudlet.aws.gate import Gate
from cloudlet.aws.identity import Caller
from cloudlet.aws.request import Anew, Decoded, Request, Wait
from cloudlet.aws.traffic import Again, Traffic
from cloudlet.kernel.blobs import Blobs
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import Conflict, Fault, OutcomeUnknown, OutOfRange
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Author, Durability, Keys, Revision
from cloudlet.kernel.logs import LogName

if TYPE_CHECKING:
    from cloudlet.aws.authorise import Authoriser
    from cloudlet.aws.service import Result, Several

EVERY_KEY = b"\xff" * 8  # above every key that anybody writes

ATTEMPTS_MAX = 16  # conflicts of one call; then its service's throttling error

ANEW = Wait(LogName(""), 0)  # how `Anew` is kept until what comes first is done

T = TypeVar("T")


class Contended(Exception):
    """A call lost its race ATTEMPTS_MAX times; the service answers its throttling error."""


class Call:
    """What stays the same between the attempts of one call."""

    __slots__ = (
        "_clock",
        "_started_ms",
        "address",
        "base_url",
        "caller",
        "face",
        "path",
        "region",
        "request_id",
    )

    def __init__(
        self,
        caller: Caller,
        region: str,
        request_id: str,
        clock: Clock,
        *,
        face: str = "aws",
        address: str = "",
        base_url: str = "",
        path: str = "/",
    ) -> None:
        self.caller = caller
        self.region = region
        self.request_id = request_id
        self.face = face
        self.address = address
        self.base_url = (
            base_url  # "http://localhost:4566": how the caller reached us, for URLs that we return
        )
        self.path = path  # of the HTTP request, still encoded
        self._clock = clock
        self._started_ms = clock.monotonic_ms()

    def waited_ms(self) -> float:
        """Milliseconds since the call began, on the monotonic clock."""
        return self._clock.monotonic_ms() - self._started_ms

    def author(self) -> Author:
        """Who writes, as the history keeps it."""
        return Author(self.face, self.caller.arn, self.address, self.request_id)


class Waited:
    """How far a call has come: what it decided, or waits for; `is_anew` if what it has decided only comes
    before its decision."""

    __slots__ = ("decided", "is_anew", "log", "pending")

    def __init__(self) -> None:
        self.log: LogName | None = None  # that it waited for last
        self.decided: object = None
        self.pending: Wait | Awaitable[object] | None = None
        self.is_anew = False


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
        self.traffic = traffic
        self.clock = clock
        self.ids = ids
        self.authoriser = authoriser
        self._durability = durability
        self._decoded: Decoded = {}
        self.gate = Gate()

    def request(self, call: Call) -> Request:
        """A look at the cloud for a decision that only reads."""
        return Request(call, self, self._decoded)

    async def run(self, call: Call, decide: Callable[[Request], T | Wait]) -> T:
        """Run a decision until it stands; its faults pass through. Contended after too many conflicts."""
        waited = Waited()
        attempts = 0
        try:
            while attempts < ATTEMPTS_MAX:
                request = self._decide(call, decide, waited)
                while request is None:
                    await self._wait(call, waited)
                    request = self._decide(call, decide, waited)
                try:
                    acting = begin(self._act(request))
                    if isinstance(acting, Rest):
                        await unbroken(acting)
                except Conflict as conflict:
                    attempts += 1
                    await self.keys.settle(Revision(conflict.revision))
                except OutOfRange:  # of a log: its state is closed, the next attempt replays it
                    attempts += 1
                else:
                    if not waited.is_anew:
                        return cast(T, waited.decided)
                    await asyncio.sleep(0)
            raise Contended
        finally:
            if waited.log is not None:
                self.traffic.answered(waited.log)

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

    def _decide(self, call: Call, decide: Callable[[Request], T | Wait], waited: Waited) -> Request | None:
        """Run the decision; the call is inside of the gate then. None where it waits or lacks something."""
        if self.gate.is_closed:
            waited.pending = self.gate.opened()
            return None
        request = Request(call, self, self._decoded)
        try:
            decided = decide(request)
        except Again as again:
            waited.pending = again.ready
            return None
        except Anew:
            assert request.appends, "an operation that wants to run anew has appended"
            decided = ANEW
        waited.is_anew = False
        if isinstance(decided, Wait):
            if not request.appends:
                waited.pending = decided
                return None
            waited.is_anew = True
        waited.decided = decided
        self.gate.enter()
        return request

    async def _wait(self, call: Call, waited: Waited) -> None:
        """Wait for what the decision was lacking."""
        pending = waited.pending
        if isinstance(pending, Wait):
            left_ms = pending.timeout_ms - call.waited_ms()
            await self.traffic.wait(pending, left_ms, again=waited.log is not None)
            waited.log = pending.log
        else:
            assert pending is not None
            await pending

    async def _act(self, request: Request) -> None:
        """Make what was decided happen, as durable as promised, or raise with nothing done; then leave the
        gate."""
        keys = self.keys
        seen = keys.head
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
        finally:
            self.gate.leave()

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
