"""The keys store on this machine's disk: the embedded engine.

State   DATA/keys: the log (disk_keys_log), the checkpoint (disk_keys_checkpoint), a lock file; in memory the
        newest entry of each key (kernel/keys_newest) and the tombstones (disk_keys_past)
Source  docs/architecture.md, "Keys"; docs/decisions/0002-keys-store.md
Absent  none

Theory of operation
    A commit goes through decide -> append -> apply -> publish without a pause: `decide` looks at memory and
    may refuse; `append` takes one frame into the log and may refuse for want of space; from there on nothing
    can fail. The operating system has the frame when a relaxed commit returns; that of a sync one goes there
    with all others of the turn. An error of the disk other than a full one is not survived: nobody could tell
    any more what of memory is on the disk, so the process ends and opens again from the log.

    Reads at head are lookups in memory and wait for nobody. Reads of the past, and watches that are behind,
    read the log (disk_keys_past); live watches are fed by `publish` (keys_feed); what may be shown follows
    the fdatasync thread (disk_keys_sync).
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from cloudlet.engines.disk_keys_checkpoints import Checkpoints
from cloudlet.engines.disk_keys_drop import LongDrops
from cloudlet.engines.disk_keys_log import Log, LogSettings
from cloudlet.engines.disk_keys_past import SCAN_KEYS, DiskPast
from cloudlet.engines.disk_keys_record import (
    COMPACT,
    GRANT,
    REVOKE,
    STEP,
    grant_body,
    number_body,
    step_body,
)
from cloudlet.engines.disk_keys_replay import replay
from cloudlet.engines.disk_keys_spare import SpareSegments
from cloudlet.engines.disk_keys_sync import RELAXED_SYNC_S, Fatal, GroupSync
from cloudlet.engines.keys_feed import Feed, FeedTap, FeedWatch
from cloudlet.engines.memory_keys import ENTRY_BYTES, meets
from cloudlet.kernel.fault import Compacted, FutureRevision, StoreError
from cloudlet.kernel.keys import (
    NO_LEASE,
    Author,
    Change,
    Commit,
    Durability,
    Entry,
    Foreseen,
    Lease,
    LeaseId,
    LocalKeys,
    MonotonicMs,
    Revision,
)
from cloudlet.kernel.keys_newest import Newest, Step

logger = logging.getLogger(__name__)

EXIT_STATUS = 70  # EX_SOFTWARE of sysexits.h
SETTINGS = LogSettings()


def end_process(error: BaseException) -> None:
    """Say why, and end at once: nothing may be answered any more."""
    logger.critical("the keys store cannot write, ending: %s", error)
    logging.shutdown()
    os._exit(EXIT_STATUS)


class DiskKeys:
    """The port over one folder, which it locks."""

    def __init__(
        self, newest: Newest, log: Log, past: DiskPast, lock: int, fatal: Fatal, relaxed_sync_s: float
    ) -> None:
        """Use `open`."""
        self._newest = newest
        self._log = log
        self._past = past
        self._lock = lock
        self._fatal = fatal
        self._feed = Feed(past, newest.head)
        self._loop = asyncio.get_running_loop()
        self._sync = GroupSync(log, self._loop, self._fail, self._on_durable, relaxed_sync_s)
        self._spares = SpareSegments(log, self._loop, self._fail)
        self._is_failed = False
        self._drops = LongDrops(newest, past)
        self._checkpoints = Checkpoints(log, newest, past, self._drops.turns, self._fail)

    @classmethod
    async def open(
        cls,
        folder: Path,
        monotonic_ms: MonotonicMs,
        *,
        history_free: Sequence[bytes] = (),
        settings: LogSettings = SETTINGS,
        fatal: Fatal = end_process,
        relaxed_sync_s: float = RELAXED_SYNC_S,
    ) -> DiskKeys:
        """Open or make the store in a folder. Damaged; StoreError if another process has it open or its
        format is not known."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        log = Log(folder, settings)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreError(f"{folder} is in use by another process") from None
            newest = Newest(monotonic_ms)
            past = DiskPast(log, newest, tuple(history_free))
            place = replay(folder, log, newest, past)
        except BaseException:
            log.close()
            os.close(lock)
            raise
        store = cls(newest, log, past, lock, fatal, relaxed_sync_s)
        store._checkpoints.found(place)
        return store

    # --- reading

    @property
    def head(self) -> Revision:
        return self._newest.head

    @property
    def settled(self) -> Revision:
        return self._feed.settled

    async def settle(self, revision: Revision) -> None:
        if revision > self._feed.settled:
            await self._feed.settle(revision)

    def get(self, key: bytes) -> Entry | None:
        newest = self._newest
        return newest.entries.get(key) if newest.leaving is None else newest.find(key)

    def scan(
        self, start: bytes, stop: bytes, *, limit: int | None = None, reverse: bool = False
    ) -> Sequence[Entry]:
        return self._newest.scan(start, stop, limit, reverse=reverse)

    async def scan_at(
        self,
        revision: Revision,
        start: bytes,
        stop: bytes,
        *,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Sequence[Entry]:
        head = self._newest.head
        if revision > head:
            raise FutureRevision(head)
        is_free = meets(start, stop, self._past.history_free)
        if revision == head and (is_free or self._newest.order.count(start, stop) <= SCAN_KEYS):
            return self._newest.scan(start, stop, limit, reverse=reverse)
        if is_free:
            raise Compacted(head)
        return await self._past.scan(revision, start, stop, limit, reverse=reverse)

    def watch(self, start: bytes, stop: bytes, since: Revision | None = None) -> FeedWatch:
        return self._feed.watch(start, stop, since)

    @property
    def compacted(self) -> Revision:
        return self._past.mark

    @property
    def size_bytes(self) -> int:
        return self._past.size_bytes + len(self._newest.entries) * ENTRY_BYTES

    def count(self, start: bytes, stop: bytes) -> int:
        return self._newest.order.count(start, stop)

    def keys_within(self, start: bytes, stop: bytes) -> Sequence[bytes]:
        return self._newest.order.slice(start, stop)

    def when_settled(self, revision: Revision, call: Callable[[], None]) -> None:
        self._feed.when_settled(revision, call)

    def tap(self, start: bytes, stop: bytes, applied: Callable[[Change], None]) -> FeedTap:
        return self._feed.tap(start, stop, applied)

    # --- writing

    async def commit(self, commit: Commit) -> Revision:
        return self.commit_now(commit)

    def commit_now(self, commit: Commit) -> Revision:
        if self._is_failed or self._feed.is_closed:
            raise StoreError("the store is closed")
        step = self._newest.decide(commit)
        if step is None:
            return self._newest.head
        self._apply(step, commit.durability)
        return step.revision

    def _apply(self, step: Step, durability: Durability, ended: LeaseId = NO_LEASE) -> int:
        """Write a step and make it so; the place behind its frame. NoSpace."""
        past, sync = self._past, self._sync
        if self._newest.leaving is not None:
            self._drops.sweep_first(step.entries)
        body = step_body(step, ended, past.tombstones, past.history_free)
        place = self._append(STEP, step.revision, body)
        if not durability:
            self._write()
        if step.long is not None:
            step.long.written()
        if self._checkpoints.walk is not None:
            self._checkpoints.walk.preserve(step)
        self._newest.apply(step)
        if step.dropped or past.tombstones:
            past.note(step)
        if durability:
            sync.owe(step.revision)
        else:
            sync.relaxed()
        self._feed.publish(step, sync.settled(step.revision))
        return place

    def foresee(self, ranges: Sequence[tuple[bytes, bytes]]) -> AbstractAsyncContextManager[Foreseen]:
        return self._drops.ranges(ranges)

    def _append(self, kind: int, revision: int, body: bytes | list[bytes]) -> int:
        """Take a frame into the log, which gets it at the end of the turn; the place behind it. NoSpace."""
        try:
            return self._log.append(kind, revision, self._newest.head, body)
        except OSError as error:
            raise self._broken(error) from error

    def _write(self) -> None:
        """Hand what was taken in to the operating system now."""
        try:
            self._log.write()
        except OSError as error:
            raise self._broken(error) from error

    def _broken(self, error: OSError) -> StoreError:
        self._fail(error)
        return StoreError(f"the keys store cannot write: {error}")

    def _fail(self, error: BaseException) -> None:
        self._is_failed = True
        self._fatal(error)
        self._feed.close()
        self._sync.close()

    def _on_durable(self) -> None:
        feed = self._feed
        settled = self._sync.settled(self._newest.head)
        if settled != feed.settled:
            feed.advance(settled)
        if self._log.wants_spare:
            self._spares.look()
        self._checkpoints.start_if_due(self._sync)

    # --- leases

    async def lease_grant(self, lease: LeaseId, ttl_ms: int, author: Author) -> None:
        await self._sync.wait(self._grant(lease, ttl_ms))

    def lease_begin(self, lease: LeaseId, ttl_ms: int) -> None:
        self._grant(lease, ttl_ms)
        self._sync.relaxed()

    def _grant(self, lease: LeaseId, ttl_ms: int) -> int:
        """Make a lease; the place behind its frame."""
        self._check_open()
        self._newest.check_new(lease)
        place = self._append(GRANT, self._newest.head, grant_body(lease, ttl_ms))
        self._newest.grant(lease, ttl_ms)
        return place

    async def lease_revoke(self, lease: LeaseId, author: Author) -> Revision:
        async with self._drops.lease(lease):
            self._check_open()
            step = self._newest.decide_revoke(lease, author)
            if step is not None:
                self._apply(step, Durability.SYNC, lease)
                self._newest.forget(lease)
                return step.revision
        await self._sync.wait(self._revoke_bare(lease))
        return self._newest.head

    def lease_end(self, lease: LeaseId) -> None:
        self._check_open()
        assert not self._newest.lease_keys(lease), "its keys are dropped first"
        self._revoke_bare(lease)
        self._sync.relaxed()

    def _revoke_bare(self, lease: LeaseId) -> int:
        """End a lease that has no keys; the place behind its frame."""
        place = self._append(REVOKE, self._newest.head, number_body(lease))
        self._newest.forget(lease)
        return place

    def lease_keepalive(self, lease: LeaseId) -> int:
        return self._newest.keepalive(lease)

    def leases(self) -> Sequence[Lease]:
        return self._newest.lease_rows()

    def some_lease_keys(self, lease: LeaseId, limit: int) -> Sequence[bytes]:
        return self._newest.some_lease_keys(lease, limit)

    def find_lease(self, lease: LeaseId) -> Lease | None:
        return self._newest.find_lease(lease)

    def lease_keys(self, lease: LeaseId) -> Sequence[bytes]:
        return self._newest.lease_keys(lease)

    def _check_open(self) -> None:
        if self._is_failed or self._feed.is_closed:
            raise StoreError("the store is closed")

    # --- letting history go

    async def compact(self, revision: Revision) -> None:
        self._check_open()
        if revision > self._newest.head:
            raise FutureRevision(self._newest.head)
        if revision <= self._past.mark:
            raise Compacted(self._past.mark)
        place = self._append(COMPACT, self._newest.head, number_body(revision))
        self._past.compact(revision)
        await self._past.forget_buried()
        await self._sync.wait(place)

    def start_checkpoint(self) -> asyncio.Task[None]:
        """Begin a checkpoint unless one is on its way; the store calls it by itself as the log grows."""
        return self._checkpoints.start(self._sync)

    async def close(self) -> None:
        if self._lock < 0:
            return
        await self._checkpoints.cancel()
        await self._drops.finish()
        await self._spares.finish()
        if not self._is_failed:
            await self._sync.wait(self._log.stop)
            await self._checkpoints.make_last(self._sync)
            self._sync.mark()
        self._feed.close()
        self._sync.close()
        await self._loop.run_in_executor(None, self._sync.join)
        self._log.close()
        os.close(self._lock)
        self._lock = -1


def _port(engine: DiskKeys) -> LocalKeys:
    """Holds the engine against the port when types are checked."""
    return engine
