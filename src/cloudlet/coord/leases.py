"""Leases that end: those of every coordination face, in one place.

State   in memory: when each lease was last renewed on cloud time, and which are attended; the leases
        themselves are the store's
Source  etcd 3.6, lease; docs/architecture.md, "Time"
Absent  none

A lease ends when its time has passed on the monotonic clock, or when cloud time was moved over its end. A
move counts a connected client as having just said that it lives: a lease is *attended* while a stream keeps
it alive, and attended leases are renewed by a move. What has ended is revoked within half a second, all of
its keys in one revision.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import NoSuchLease, StoreError
from cloudlet.kernel.keys import Author, Lease, LeaseId, LocalKeys

log = logging.getLogger(__name__)

SWEEP_S = 0.5  # as etcd
LOOKED_AT_MAX = 1000  # in one turn


class Lessor:
    """Ends leases; one for each store."""

    def __init__(self, keys: LocalKeys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        # When it was to end by the monotonic clock at the last look, and cloud time at its last renewal.
        self._seen: dict[LeaseId, tuple[float | None, int]] = {}
        self._attended: Counter[LeaseId] = Counter()
        self._ending: set[LeaseId] = set()  # whose end was asked for
        self._due = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Sweep from now on; every lease that there is starts anew."""
        self._seen.clear()
        self._attended.clear()
        self._ending.clear()
        self._look(self._keys.leases())
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def renewed(self, lease: LeaseId) -> None:
        """A lease was made or kept alive; who does not say so is found out by the next look."""
        self._seen[lease] = (None, self._clock.cloud_ms())

    def attend(self, lease: LeaseId) -> None:
        """A stream keeps this lease alive."""
        self._attended[lease] += 1

    def leave(self, lease: LeaseId) -> None:
        """That stream has ended."""
        self._attended[lease] -= 1
        if self._attended[lease] <= 0:
            del self._attended[lease]

    def clock_moved(self) -> None:
        """Cloud time has made a step: attended leases begin anew, others may have ended."""
        for lease in self._attended:
            try:
                self._keys.lease_keepalive(lease)
            except NoSuchLease:
                continue
            self.renewed(lease)

    def expire(self, lease: LeaseId | None) -> int:
        """End a lease, or all, as if its time had passed; how many are meant."""
        meant = {one.id for one in self._keys.leases() if lease in (None, one.id)}
        self._ending |= meant
        self._due.set()
        return len(meant)

    def remaining_ms(self, lease: Lease) -> float:
        """How long a lease has, on whichever clock ends it first."""
        if lease.id in self._ending:
            return 0
        now_ms = self._clock.cloud_ms()
        _, renewed_ms = self._seen.get(lease.id, (None, now_ms))
        return min(lease.ends_ms - self._clock.monotonic_ms(), lease.ttl_ms - (now_ms - renewed_ms))

    def _look(self, leases: Sequence[Lease]) -> None:
        """See what was made or renewed (its end has moved) since the last look."""
        now_ms = self._clock.cloud_ms()
        for lease in leases:
            ends_ms, renewed_ms = self._seen.get(lease.id, (-1.0, now_ms))
            is_renewed = ends_ms is not None and ends_ms != lease.ends_ms
            self._seen[lease.id] = (lease.ends_ms, now_ms if is_renewed else renewed_ms)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            timer = loop.call_later(SWEEP_S, self._due.set)
            await self._due.wait()
            timer.cancel()
            self._due.clear()
            await self.sweep()

    async def sweep(self) -> None:
        """Revoke what has ended: a look at all leases, at some in a turn, which is a microsecond for each."""
        leases = self._keys.leases()
        gone = self._seen.keys() - {lease.id for lease in leases}
        for lease_id in gone:
            del self._seen[lease_id]
        self._ending &= self._seen.keys() | {lease.id for lease in leases}
        for at in range(0, len(leases), LOOKED_AT_MAX):
            if at:
                await asyncio.sleep(0)
            some = leases[at : at + LOOKED_AT_MAX]
            self._look(some)
            for lease in some:
                if self.remaining_ms(lease) <= 0 and not await self._end(lease.id):
                    return

    async def _end(self, lease_id: LeaseId) -> bool:
        """Revoke a lease unless it was renewed since; False if the store takes nothing."""
        lease = self._keys.find_lease(lease_id)
        if lease is None:
            return True
        self._look([lease])
        if self.remaining_ms(lease) > 0:
            return True
        try:
            await self._keys.lease_revoke(lease_id, Author("etcd", "lease expired"))
        except NoSuchLease:
            return True
        except StoreError as error:
            log.warning("lease %x cannot be revoked: %r", lease_id, error)
            return False
        log.debug("lease %x has ended", lease_id)
        return True
