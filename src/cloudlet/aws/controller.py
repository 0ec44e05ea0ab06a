"""Controllers: what takes time. Each watches a range of keys, compares wanted with actual, and acts.

State   none: what a controller needs to know is in keys and logs, so a restart needs no recovery of its own
Source  docs/architecture.md, "Decide, then commit, then act"
Absent  a lease that picks one node's controller among several nodes

A controller is an async function of a service, run from the moment the service is loaded until the cloud
stops; a service that has anything in keys is loaded at start. Every step it takes is a decision like a
call's: re-run on conflict, one commit or some appends. It must be idempotent: it may be stopped between any
two steps.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from cloudlet.aws.call import Call, Contended, Desk
from cloudlet.aws.catalogue import Catalogue, LoadedService
from cloudlet.aws.identity import Caller, root_of
from cloudlet.aws.record import Key
from cloudlet.aws.request import Request, Wait
from cloudlet.aws.service import ControllerRun
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import Compacted, Fault, StoreError
from cloudlet.kernel.keys import Revision
from cloudlet.kernel.tuples import prefix_range, unpack

log = logging.getLogger(__name__)

RESTART_MS_MIN = 100
RESTART_MS_MAX = 10_000

T = TypeVar("T")


class Controller:
    """What a controller function works with."""

    def __init__(self, service: str, desk: Desk) -> None:
        self.service = service
        self._desk = desk

    @property
    def clock(self) -> Clock:
        """Both times."""
        return self._desk.clock

    async def decide(self, account: str, region: str, decide: Callable[[Request], T | Wait]) -> T:
        """Run one decision in an account and region, as the service itself."""
        caller: Caller = root_of(account)
        clock = self._desk.clock
        call = Call(
            caller, region, self._desk.ids.uuid(), clock, clock.monotonic_ms(), "controller", self.service
        )
        return await self._desk.run(call, decide)

    def names(self, prefix: Key) -> Sequence[Key]:
        """The keys that begin with `prefix` and go on, at head, for all accounts and regions."""
        start, stop = prefix_range(prefix)
        return [unpack(entry.key) for entry in self._desk.keys.scan(start, stop)]

    @property
    def head(self) -> Revision:
        """The newest revision: read it before `names`, and wait with it for what comes after."""
        return self._desk.keys.head

    async def changed(
        self,
        prefix: Key,
        seen: Revision,
        timeout_ms: float | None = None,
        *,
        wake_at_ms: int | None = None,
    ) -> None:
        """Wait until something under `prefix` changes after the revision `seen`, for some real time at most,
        or until cloud time reaches `wake_at_ms`."""
        watch = self._desk.keys.watch(*prefix_range(prefix), Revision(seen + 1))
        alarm = None if wake_at_ms is None else self._desk.traffic.alarms.at(wake_at_ms, watch.close)
        try:
            await asyncio.wait_for(watch.take(), None if timeout_ms is None else timeout_ms / 1000)
        except (TimeoutError, Compacted):
            pass
        finally:
            if alarm is not None:
                alarm.cancel()
            watch.close()

    async def until(self, cloud_ms: int) -> None:
        """Wait until cloud time has reached an instant: for what a moved clock is to bring about."""
        await self._desk.traffic.alarms.wait(cloud_ms)

    async def sleep(self, wait_ms: float) -> None:
        """Let real time pass: for pauses and rates, which a moved clock does not change."""
        await asyncio.sleep(wait_ms / 1000)


class Controllers:
    """Starts each loaded service's controllers and restarts the ones that fail, with growing pauses."""

    def __init__(self, catalogue: Catalogue, desk: Desk) -> None:
        self._catalogue = catalogue
        self._desk = desk
        self._tasks: set[asyncio.Task[None]] = set()
        self._loaded: list[LoadedService] = []
        catalogue.on_load = self._start

    def resume(self) -> None:
        """Load every service that has left something in keys, so that its controllers go on."""
        for name in self._catalogue.in_use(self._desk.keys):
            self._catalogue.service(name)

    def restart(self) -> None:
        """Begin again after `close`, on whatever the stores hold now."""
        loaded, self._loaded = self._loaded, []
        for each in loaded:
            self._start(each)

    def _start(self, loaded: LoadedService) -> None:
        self._loaded.append(loaded)
        for run in loaded.service.controllers:
            task = asyncio.ensure_future(self._supervise(loaded.service.name, run))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _supervise(self, service: str, run: ControllerRun) -> None:
        pause_ms = RESTART_MS_MIN
        while True:
            try:
                await run(Controller(service, self._desk))
                return
            except (Fault, StoreError, Contended) as error:
                log.warning("controller %s of %s failed, again in %d ms: %r", run, service, pause_ms, error)
            await asyncio.sleep(pause_ms / 1000)
            pause_ms = min(pause_ms * 2, RESTART_MS_MAX)

    async def close(self) -> None:
        """End all controllers between two steps."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
