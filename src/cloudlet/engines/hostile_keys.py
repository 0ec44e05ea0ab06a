"""A keys store that behaves as badly as the port allows: it wraps another one, for tests, from a seed.

State   none of its own
Source  docs/architecture.md, "Decide, then commit, then act"
Absent  none

What it does, each with a probability of its own (0 makes it benign):

    conflicts   between a reader's decision and its guarded commit a foreign commit slips in. It puts a
                guarded key again as it is: that says nothing, but the revision moves, and guards on revisions
                or versions fail. Where no guarded key is present, it stands for a foreign put and the drop of
                it: only the head moved, and the commit is refused. At most IN_A_ROW_MAX times in a row, so
                whoever tries again gets through.
    delays      whatever may wait does, some turns of the loop. `commit` does not, as in every local engine.
    lost        the commit's outcome is not told: OutcomeUnknown, whether it was applied or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from cloudlet.kernel.fault import Conflict, OutcomeUnknown
from cloudlet.kernel.keys import (
    Author,
    Change,
    Commit,
    Drop,
    Entry,
    Keys,
    Lease,
    LeaseId,
    Put,
    Revision,
    Watch,
    check_limits,
)

FOREIGN = Author("hostile", "a stranger")
SCRATCH = b"\xfe/hostile"  # put and dropped by foreign commits, so the store's content is that of the inner
IN_A_ROW_MAX = 3
TURNS_MAX = 3


class HostileKeys:
    """The port over another engine, with foreign hands in it."""

    def __init__(
        self,
        inner: Keys,
        random: Random,
        *,
        conflicts: float = 0.25,
        delays: float = 0.25,
        lost: float = 0.0,
    ) -> None:
        self.inner = inner
        self.conflicts_made = 0
        self.replies_lost = 0
        self._random = random
        self._conflicts = conflicts
        self._delays = delays
        self._lost = lost
        self._in_a_row = 0

    @property
    def head(self) -> Revision:
        return self.inner.head

    @property
    def settled(self) -> Revision:
        return self.inner.settled

    async def settle(self, revision: Revision) -> None:
        await self.dawdle()
        await self.inner.settle(revision)

    def get(self, key: bytes) -> Entry | None:
        return self.inner.get(key)

    def scan(
        self, start: bytes, stop: bytes, *, limit: int | None = None, reverse: bool = False
    ) -> Sequence[Entry]:
        return self.inner.scan(start, stop, limit=limit, reverse=reverse)

    async def scan_at(
        self,
        revision: Revision,
        start: bytes,
        stop: bytes,
        *,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Sequence[Entry]:
        await self.dawdle()
        return await self.inner.scan_at(revision, start, stop, limit=limit, reverse=reverse)

    async def commit(self, commit: Commit) -> Revision:
        check_limits(commit)
        if commit.expect and self._in_a_row < IN_A_ROW_MAX and self._random.random() < self._conflicts:
            await self._slip_in(commit)
        self._in_a_row = 0
        if self._lost and self._random.random() < self._lost:
            self.replies_lost += 1
            if self._random.random() < 0.5:
                await self.inner.commit(commit)
            raise OutcomeUnknown
        return await self.inner.commit(commit)

    async def _slip_in(self, commit: Commit) -> None:
        """A foreign commit; Conflict if it left no trace at a guarded key."""
        self._in_a_row += 1
        self.conflicts_made += 1
        guard = self._random.choice(commit.expect)
        if guard.stop is None:
            entry = self.inner.get(guard.start)
            entries: Sequence[Entry] = [] if entry is None else [entry]
        else:
            entries = self.inner.scan(guard.start, guard.stop, limit=16)
        if entries:
            same = self._random.choice(entries)
            await self.inner.commit(Commit(FOREIGN, put=[Put(same.key, same.value, same.meta, same.lease)]))
            # Conflict, if a guard is broken now.
            await self.inner.commit(Commit(FOREIGN, expect=commit.expect))
            return
        await self.inner.commit(Commit(FOREIGN, put=[Put(SCRATCH, b"")]))
        await self.inner.commit(Commit(FOREIGN, drop=[Drop(SCRATCH)]))
        raise Conflict(self.inner.head)

    def watch(self, start: bytes, stop: bytes, since: Revision | None = None) -> Watch:
        return HostileWatch(self, self.inner.watch(start, stop, since))

    async def lease_grant(self, lease: LeaseId, ttl_ms: int, author: Author) -> None:
        await self.dawdle()
        await self.inner.lease_grant(lease, ttl_ms, author)

    async def lease_revoke(self, lease: LeaseId, author: Author) -> Revision:
        await self.dawdle()
        return await self.inner.lease_revoke(lease, author)

    def lease_keepalive(self, lease: LeaseId) -> int:
        return self.inner.lease_keepalive(lease)

    def leases(self) -> Sequence[Lease]:
        return self.inner.leases()

    def find_lease(self, lease: LeaseId) -> Lease | None:
        return self.inner.find_lease(lease)

    def lease_keys(self, lease: LeaseId) -> Sequence[bytes]:
        return self.inner.lease_keys(lease)

    async def compact(self, revision: Revision) -> None:
        await self.dawdle()
        await self.inner.compact(revision)

    async def close(self) -> None:
        await self.inner.close()

    async def dawdle(self) -> None:
        """Let some turns of the loop pass, or none."""
        if self._random.random() < self._delays:
            for _ in range(self._random.randint(1, TURNS_MAX)):
                await asyncio.sleep(0)


class HostileWatch:
    """A watch that gives out what it has late, now and then."""

    def __init__(self, keys: HostileKeys, inner: Watch) -> None:
        self._keys = keys
        self._inner = inner

    @property
    def position(self) -> Revision:
        return self._inner.position

    async def take(self, changes_max: int = 1000) -> Sequence[Change]:
        # Before, not after: a take that is cancelled behind the inner one would lose what that gave out.
        await self._keys.dawdle()
        return await self._inner.take(changes_max)

    def close(self) -> None:
        self._inner.close()


def _port(engine: HostileKeys) -> Keys:
    """Holds the engine against the port when types are checked."""
    return engine
