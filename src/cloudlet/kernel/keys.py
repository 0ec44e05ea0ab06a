"""The keys store: facts in one ordered, multi-version history; the port every engine serves.

State   none here; an engine owns the history
Source  etcd v3.5 semantics (revision, create and mod revision, version, comparisons over ranges, leases,
        compaction): etcd.io "KV API guarantees" and "etcd API"
Absent  none

Theory of operation
    A commit is one step of the history: guards, puts and drops that take effect together under one revision,
    or not at all. A commit that changes nothing keeps the revision. Revision 1 is the empty store.

    Two marks move along the history. `head` is the newest revision applied: what `get` and `scan` see.
    `settled` is the newest revision R such that every commit up to R is as durable as its writer was
    promised. Whoever shows what it read at `head` to the outside (a reply, a watch event) first waits for
    `settle(head)`; with relaxed commits alone the two marks are equal and the wait costs a comparison.

        writer promised    before `settle` returns                          survives
        relaxed            the commit is handed to the operating system     kill -9
        sync               the commit is on the disk (fdatasync)            power loss
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from enum import IntEnum
from typing import NewType, Protocol

import msgspec

from cloudlet.kernel.fault import InvalidCommit

Revision = NewType("Revision", int)
LeaseId = NewType("LeaseId", int)

FIRST_REVISION = Revision(1)
NO_LEASE = LeaseId(0)

OPERATIONS_MAX = 120  # etcd refuses the 129th operation of a transaction; 8 are left to the engines
GUARDS_MAX = 120
COMMIT_BYTES_MAX = 1 << 20


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One key at one revision. `version` counts the puts since the key was created, from 1."""

    key: bytes
    value: bytes
    meta: bytes  # small data beside the value, for a face's own use (a znode's ACL)
    create_revision: Revision
    mod_revision: Revision
    version: int
    lease: LeaseId


class Target(IntEnum):
    """What of an entry a guard compares; an absent key has zeroes, and no value."""

    VERSION = 0
    CREATE = 1
    MOD = 2
    VALUE = 3
    LEASE = 4


class Compare(IntEnum):
    """How a guard compares what it finds (left) with its operand (right)."""

    EQUAL = 0
    GREATER = 1
    LESS = 2
    NOT_EQUAL = 3


class Guard(msgspec.Struct, frozen=True, gc=False):
    """A condition on one key (`stop` is None), or on every present key of the half-open range [start, stop).

    A guard over a range without keys holds. A VALUE guard on one absent key does not hold, whatever the
    comparison.
    """

    start: bytes
    target: Target
    compare: Compare
    operand: int | bytes
    stop: bytes | None = None


class Put(msgspec.Struct, frozen=True, gc=False):
    """Write a key; the lease, if any, drops it when it ends."""

    key: bytes
    value: bytes
    meta: bytes = b""
    lease: LeaseId = NO_LEASE


class Drop(msgspec.Struct, frozen=True, gc=False):
    """Delete one key (`stop` is None), or every key of the half-open range [start, stop)."""

    start: bytes
    stop: bytes | None = None


class Author(msgspec.Struct, frozen=True, gc=False):
    """Who wrote a revision; kept with it in the history."""

    face: str  # "aws", "kafka", "etcd", "zookeeper", "consul", "controller"
    principal: str = ""  # an ARN, a session, a client id
    address: str = ""
    request_id: str = ""


class Durability(IntEnum):
    """What a writer is promised before its commit may be shown."""

    RELAXED = 0
    SYNC = 1


class Limits(msgspec.Struct, frozen=True, gc=False):
    """How large a commit may be. What is above those of the port only a local engine takes."""

    operations_max: int = OPERATIONS_MAX
    guards_max: int = GUARDS_MAX
    bytes_max: int = COMMIT_BYTES_MAX


PORT_LIMITS = Limits()
LOCAL_LIMITS = Limits(1 << 24, 1 << 24, 1 << 30)
"""Of the faces that run over local engines alone and bound their requests themselves."""


class Commit(msgspec.Struct, frozen=True, gc=False):
    """One atomic step: applied wholly if every guard holds, else `Conflict` and nothing happens.

    At most `limits` says of puts and drops (a range counts once), of guards, and of bytes of keys, values and
    metas; a key is put once, and not inside a dropped range (InvalidCommit). The events come in the order of
    `drop`, then of `put`; `after` says otherwise: for each drop, how many of the puts come before it.
    """

    author: Author
    expect: Sequence[Guard] = ()
    put: Sequence[Put] = ()
    drop: Sequence[Drop] = ()
    durability: Durability = Durability.RELAXED
    limits: Limits = PORT_LIMITS
    after: Sequence[int] = ()


class Event(msgspec.Struct, frozen=True, gc=False):
    """A change of one key. A put carries the new entry; a drop an entry with the key, the drop's
    mod_revision, and zeroes for the rest. `previous` is the entry before, unless there was none or it is
    compacted."""

    entry: Entry
    previous: Entry | None

    @property
    def dropped(self) -> bool:
        return self.entry.version == 0


class Change(msgspec.Struct, frozen=True, gc=False):
    """The events of one revision inside a watched range, drops first, then puts, each in the commit's order
    (unless it says another, see `Commit.after`); the keys of a dropped range in key order."""

    revision: Revision
    author: Author
    events: tuple[Event, ...]


class Lease(msgspec.Struct, frozen=True, gc=False):
    """A lease and when it ends, on the monotonic clock that the store was opened with."""

    id: LeaseId
    ttl_ms: int
    ends_ms: float


class Watch(Protocol):
    """A cursor over the changes of a range: every one from its first revision on, in order, once."""

    @property
    def position(self) -> Revision:
        """The next revision that `take` may return; all below have been returned or touch nothing in
        range."""

    async def take(self, changes_max: int = 1000) -> Sequence[Change]:
        """The next changes, at least one, at most `changes_max`; waits until there is one and it is settled.

        Compacted when the history below has been dropped (a watcher that fell too far behind), StoreError
        once the store is closed. Cancelling loses nothing. After `close` it returns an empty sequence.
        """

    def close(self) -> None:
        """End the watch; a waiting `take` returns empty."""


class Keys(Protocol):
    """The port. `get` and `scan` are local plain calls at `head`; what may wait is awaited.

    A local engine's `commit` applies at once and never suspends; a remote one returns when its mirror holds
    the commit. In both, when `commit` returns, `head` has reached the revision it returned.
    """

    @property
    def head(self) -> Revision:
        """The newest revision applied."""

    @property
    def settled(self) -> Revision:
        """The newest revision that may be shown: all up to it are as durable as promised."""

    async def settle(self, revision: Revision) -> None:
        """Wait until `settled` has reached `revision`."""

    def get(self, key: bytes) -> Entry | None:
        """The entry at head."""

    def scan(
        self, start: bytes, stop: bytes, *, limit: int | None = None, reverse: bool = False
    ) -> Sequence[Entry]:
        """The entries of [start, stop) at head, in key order, at most `limit` from the chosen end."""

    async def scan_at(
        self,
        revision: Revision,
        start: bytes,
        stop: bytes,
        *,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Sequence[Entry]:
        """The same at a past revision. Compacted below the compaction mark, FutureRevision above the head;
        Compacted too for a range that meets a history-free space, unless `revision` is the head."""

    async def commit(self, commit: Commit) -> Revision:
        """Apply, or raise Conflict, InvalidCommit, NoSuchLease or NoSpace with nothing changed.

        Returns the revision applied (the head when nothing changed); not yet settled: see `settle`.
        """

    def watch(self, start: bytes, stop: bytes, since: Revision | None = None) -> Watch:
        """The changes of [start, stop) from revision `since` on (after the head when None). A `since` below
        the compaction mark raises Compacted at the first `take`; history-free spaces give no past changes."""

    async def lease_grant(self, lease: LeaseId, ttl_ms: int, author: Author) -> None:
        """Make a lease that ends `ttl_ms` from now; LeaseExists. After a reopen each lease starts anew."""

    async def lease_revoke(self, lease: LeaseId, author: Author) -> Revision:
        """Drop the lease and all of its keys as one revision (not under the limits of a commit);
        NoSuchLease."""

    def lease_keepalive(self, lease: LeaseId) -> int:
        """Start its time anew and return its ttl_ms; NoSuchLease."""

    def leases(self) -> Sequence[Lease]:
        """All leases; whoever runs the store revokes the ones that ended."""

    def find_lease(self, lease: LeaseId) -> Lease | None:
        """The lease if there is one, without looking at its keys."""

    def lease_keys(self, lease: LeaseId) -> Sequence[bytes]:
        """The keys attached to a lease, in key order; NoSuchLease."""

    async def compact(self, revision: Revision) -> None:
        """Forget what only revisions below `revision` show; Compacted if done already, FutureRevision."""

    async def close(self) -> None:
        """Settle everything and let go; what waits is told."""


class Tap(Protocol):
    """What sees changes as they are applied. While it is paused it is called for none: its owner knows what
    it commits itself."""

    is_paused: bool

    def end(self) -> None:
        """See no more changes."""


Foreseen = Callable[[bytes, bytes], Sequence[Entry]]


class LocalKeys(Keys, Protocol):
    """What an engine of this process offers beside the port, to the faces that run over local engines alone:
    a commit within one turn of the loop, and every change can be seen in the turn in which it is applied."""

    def commit_now(self, commit: Commit) -> Revision:
        """`commit`, in this turn."""

    def foresee(self, ranges: Sequence[tuple[bytes, bytes]]) -> AbstractAsyncContextManager[Foreseen]:
        """Get ready for a commit that drops ranges of very many keys, over several turns. What is committed
        in the turn in which it is entered takes a small part of its time, and is otherwise the same. What it
        gives is `scan`, quick for these ranges, in that turn."""

    def tap(self, start: bytes, stop: bytes, applied: Callable[[Change], None]) -> Tap:
        """Call `applied` with every whole change that touches [start, stop), in order, as soon as it is at
        head: before `commit` returns, and before it is settled, so it may not be shown yet. It must not
        commit, nor raise."""

    def when_settled(self, revision: Revision, call: Callable[[], None]) -> None:
        """Call once `revision`, which has not settled yet, has, in the turn in which it does; or when the
        store closes before that. A closed store calls nobody. `call` must not commit, nor raise."""

    @property
    def compacted(self) -> Revision:
        """The oldest revision that can be read; 0 while nothing was ever forgotten."""

    @property
    def size_bytes(self) -> int:
        """About what the store takes, its history included."""

    def count(self, start: bytes, stop: bytes) -> int:
        """How many keys [start, stop) has at head, without looking at them."""

    def keys_within(self, start: bytes, stop: bytes) -> Sequence[bytes]:
        """The keys of [start, stop) at head, in order: a tenth of what `scan` takes."""

    def some_lease_keys(self, lease: LeaseId, limit: int) -> Sequence[bytes]:
        """At most `limit` of a lease's keys, in no order: no look at the others; NoSuchLease."""

    def lease_begin(self, lease: LeaseId, ttl_ms: int) -> None:
        """`lease_grant` in this turn: as durable as the next sync commit. LeaseExists."""

    def lease_end(self, lease: LeaseId) -> None:
        """`lease_revoke` in this turn, of a lease that has no keys: as durable as the next sync commit.
        NoSuchLease."""


MonotonicMs = Callable[[], float]


def check_limits(commit: Commit) -> None:
    """Raise InvalidCommit for a commit over the port's limits or one that contradicts itself."""
    limits, puts = commit.limits, commit.put
    operations = len(puts) + len(commit.drop)
    if operations > limits.operations_max:
        raise InvalidCommit(f"{operations} operations, at most {limits.operations_max}")
    if len(commit.expect) > limits.guards_max:
        raise InvalidCommit(f"{len(commit.expect)} guards, at most {limits.guards_max}")
    size = 0
    for put in puts:
        size += len(put.key) + len(put.value) + len(put.meta)
    if size > limits.bytes_max:
        raise InvalidCommit(f"{size} bytes, at most {limits.bytes_max}")
    if operations == 1 or not puts:
        return
    keys = {put.key for put in puts}
    if len(keys) != len(puts):
        raise InvalidCommit("a key is put twice")
    for drop in commit.drop:
        if drop.start in keys:
            raise InvalidCommit(f"key {drop.start!r} is put and dropped")
        if drop.stop is not None:
            for key in keys:
                if drop.start <= key < drop.stop:
                    raise InvalidCommit(f"key {key!r} is put and dropped")


def guard_holds(guard: Guard, entry: Entry | None) -> bool:
    """Whether one key passes; the caller walks the keys of a range."""
    found: int | bytes
    if entry is None:
        if guard.target is Target.VALUE:
            return False
        found = 0
    elif guard.target is Target.MOD:
        found = entry.mod_revision
    elif guard.target is Target.VERSION:
        found = entry.version
    elif guard.target is Target.CREATE:
        found = entry.create_revision
    elif guard.target is Target.VALUE:
        found = entry.value
    else:
        found = entry.lease
    operand = guard.operand
    if guard.compare is Compare.EQUAL:
        return found == operand
    if guard.compare is Compare.NOT_EQUAL:
        return found != operand
    if guard.compare is Compare.LESS:
        return found < operand  # type: ignore[operator]
    return found > operand  # type: ignore[operator]
