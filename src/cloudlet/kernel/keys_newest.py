"""The newest version of every key and the leases: what a commit is decided on; shared by the local engines.

State   in memory: key -> Entry, the keys in order, lease -> its time and its keys
Source  docs/architecture.md, "Keys"; etcd v3.5 for the order of the checks (guards first, then leases)
Absent  none

`decide` turns a commit into a `Step` or refuses it and changes nothing; `apply` makes the step so. In between
an engine writes the step to wherever it must not be lost, and may still refuse.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from operator import attrgetter
from typing import TypeVar

import msgspec

from cloudlet.kernel.fault import Conflict, LeaseExists, NoSuchLease
from cloudlet.kernel.keys import (
    FIRST_REVISION,
    NO_LEASE,
    Author,
    Change,
    Commit,
    Compare,
    Drop,
    Entry,
    Event,
    Guard,
    Lease,
    LeaseId,
    MonotonicMs,
    Revision,
    Target,
    check_limits,
    guard_holds,
)
from cloudlet.kernel.ordered_keys import OrderedKeys

key_of, mod_revision = attrgetter("key"), attrgetter("mod_revision")
ABSENT = Revision(0)
MOD, EQUAL = Target.MOD, Compare.EQUAL


class Step(msgspec.Struct, gc=False):
    """A commit that was decided: one revision's worth of change."""

    revision: Revision
    author: Author
    dropped: list[Entry]  # the entries that go
    entries: list[Entry]  # the entries that come
    previous: list[Entry | None]  # what each of them replaces
    after: Sequence[int] = ()  # how many entries come before each that goes; none when it is empty
    whole: Change | None = None  # made once, shared by all who watch it


def tombstone(key: bytes, revision: Revision) -> Entry:
    """What an event shows of a key that is gone."""
    return Entry(key, b"", b"", ABSENT, revision, 0, NO_LEASE)


def change_of(step: Step) -> Change:
    """The step as a watcher of everything sees it."""
    if step.whole is None:
        revision = step.revision
        gone = [Event(tombstone(old.key, revision), old) for old in step.dropped]
        come = list(map(Event, step.entries, step.previous))
        step.whole = Change(revision, step.author, tuple(in_order(gone, come, step.after)))
    return step.whole


Gone = TypeVar("Gone")
Come = TypeVar("Come")


def in_order(gone: Sequence[Gone], come: Sequence[Come], after: Sequence[int]) -> list[Gone | Come]:
    """What goes and what comes with a step, as its events are ordered; `after` as in `Step`."""
    if not after:
        return [*gone, *come]
    found: list[Gone | Come] = []
    shown = 0
    for each, number in zip(gone, after, strict=True):
        found += come[shown:number]
        found.append(each)
        shown = number
    return [*found, *come[shown:]]


def change_within(change: Change, start: bytes, stop: bytes) -> Change | None:
    """The part of a change that touches [start, stop), or None."""
    events = change.events
    inside = [event for event in events if start <= event.entry.key < stop]
    if len(inside) == len(events):
        return change
    return Change(change.revision, change.author, tuple(inside)) if inside else None


class HeldLease:
    """A lease, when it ends, and its keys."""

    __slots__ = ("ends_ms", "keys", "ttl_ms")

    def __init__(self, ttl_ms: int, ends_ms: float) -> None:
        self.ttl_ms = ttl_ms
        self.ends_ms = ends_ms
        self.keys: set[bytes] = set()


class Newest:
    """The store at head."""

    __slots__ = ("_monotonic_ms", "entries", "head", "leases", "order")

    def __init__(self, monotonic_ms: MonotonicMs) -> None:
        self._monotonic_ms = monotonic_ms
        self.head = FIRST_REVISION
        self.entries: dict[bytes, Entry] = {}
        self.order = OrderedKeys()
        self.leases: dict[LeaseId, HeldLease] = {}

    def scan(self, start: bytes, stop: bytes, limit: int | None, *, reverse: bool) -> list[Entry]:
        """The entries of [start, stop)."""
        cut = self.order.slice_reverse if reverse else self.order.slice
        return list(map(self.entries.__getitem__, cut(start, stop, limit)))

    def decide(self, commit: Commit) -> Step | None:
        """What the commit would do, or None if nothing; InvalidCommit, Conflict, NoSuchLease."""
        puts = commit.put
        check_limits(commit)
        find = self.entries.get
        for guard in commit.expect:
            if guard.stop is None and guard.target is MOD and guard.compare is EQUAL:  # what every `get` adds
                found = find(guard.start)
                holds = guard.operand == (0 if found is None else found.mod_revision)
            else:
                holds = self._holds(guard)
            if not holds:
                # The guard may have been broken by a drop, which leaves no trace at the key: the head has it.
                raise Conflict(self.head)
        if not puts and not commit.drop:
            return None
        revision: Revision = self.head + 1  # type: ignore[assignment]
        dropped, after = self._dropped(commit.drop, commit.after) if commit.drop else ([], ())
        entries: list[Entry] = []
        previous: list[Entry | None] = []
        for put in puts:
            lease = put.lease
            if lease and lease not in self.leases:
                raise NoSuchLease(lease)
            old = find(put.key)
            previous.append(old)
            if old is None:
                entries.append(Entry(put.key, put.value, put.meta, revision, revision, 1, lease))
            else:
                # The old entry's key object goes on living: one key, one object, in the map, the order and
                # the entry.
                entries.append(
                    Entry(old.key, put.value, put.meta, old.create_revision, revision, old.version + 1, lease)
                )
        if not entries and not dropped:
            return None
        return Step(revision, commit.author, dropped, entries, previous, after)

    def _holds(self, guard: Guard) -> bool:
        stop = guard.stop
        if stop is None:
            return guard_holds(guard, self.entries.get(guard.start))
        found = self.scan(guard.start, stop, None, reverse=False)
        if guard.target is Target.MOD and guard.compare is Compare.LESS:
            # "Nothing in the range was put since": every AWS listing carries it, so it walks in C.
            assert isinstance(guard.operand, int)
            return max(map(mod_revision, found), default=-1) < guard.operand
        return all(guard_holds(guard, entry) for entry in found)

    def _dropped(self, drops: Sequence[Drop], after: Sequence[int]) -> tuple[list[Entry], Sequence[int]]:
        """The entries that the drops take, each once, in the order of the drops; and `after` for each."""
        find = self.entries.get
        if len(drops) == 1:
            (only,) = drops
            if only.stop is not None:
                found = self.scan(only.start, only.stop, None, reverse=False)
                return found, [after[0]] * len(found) if after else ()
            old = find(only.start)
            return ([], ()) if old is None else ([old], after)
        gone: dict[bytes, Entry] = {}
        places: list[int] = []
        for number, drop in enumerate(drops):
            if drop.stop is not None:
                for entry in self.scan(drop.start, drop.stop, None, reverse=False):
                    gone.setdefault(entry.key, entry)
            elif (old := find(drop.start)) is not None:
                gone.setdefault(old.key, old)
            if after:
                places += [after[number]] * (len(gone) - len(places))
        return list(gone.values()), places

    def apply(self, step: Step) -> None:
        """Make it so."""
        held = self.entries
        if step.dropped:
            gone = list(map(key_of, step.dropped))
            deque(map(held.pop, gone), maxlen=0)
            self.order.remove_all(gone)
            if self.leases:
                for old in step.dropped:
                    if old.lease:
                        self.leases[old.lease].keys.discard(old.key)
        for entry, before in zip(step.entries, step.previous, strict=True):
            key, lease = entry.key, entry.lease
            held[key] = entry
            if before is None:
                self.order.add(key)
            elif before.lease == lease:
                continue
            elif before.lease:
                self.leases[before.lease].keys.discard(key)
            if lease:
                self.leases[lease].keys.add(key)
        self.head = step.revision

    # --- leases

    def held(self, lease: LeaseId) -> HeldLease:
        """The lease, or NoSuchLease."""
        found = self.leases.get(lease)
        if found is None:
            raise NoSuchLease(lease)
        return found

    def check_new(self, lease: LeaseId) -> None:
        """LeaseExists, or nothing."""
        if lease in self.leases:
            raise LeaseExists(lease)

    def grant(self, lease: LeaseId, ttl_ms: int) -> None:
        self.leases[lease] = HeldLease(ttl_ms, self._monotonic_ms() + ttl_ms)

    def decide_revoke(self, lease: LeaseId, author: Author) -> Step | None:
        """The end of a lease that has keys; NoSuchLease. The lease itself goes with `forget`."""
        keys = sorted(self.held(lease).keys)
        if not keys:
            return None
        return Step(Revision(self.head + 1), author, [self.entries[key] for key in keys], [], [])

    def forget(self, lease: LeaseId) -> None:
        del self.leases[lease]

    def keepalive(self, lease: LeaseId) -> int:
        held = self.held(lease)
        held.ends_ms = self._monotonic_ms() + held.ttl_ms
        return held.ttl_ms

    def lease_rows(self) -> list[Lease]:
        return [Lease(lease, held.ttl_ms, held.ends_ms) for lease, held in self.leases.items()]

    def lease_keys(self, lease: LeaseId) -> list[bytes]:
        return sorted(self.held(lease).keys)
