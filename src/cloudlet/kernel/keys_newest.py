"""The newest version of every key and the leases: what a commit is decided on; shared by the local engines.

State   in memory: key -> Entry, the keys in order, lease -> its time and its keys
Source  docs/architecture.md, "Keys"; etcd v3.5 for the order of the checks (guards first, then leases)
Absent  none

`decide` turns a commit into a `Step` or refuses it and changes nothing; `apply` makes the step so. In between
an engine writes the step to wherever it must not be lost, and may still refuse.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain, islice, pairwise
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
from cloudlet.kernel.keys_drop import Foreseen, Leaving, LongDrop, Part
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
    long: LongDrop | None = None  # where it was foreseen what is dropped


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
    at, shown = 0, 0
    while at < len(gone):
        number = after[at]
        next_at = bisect_right(after, number, at)
        found += come[shown:number]
        found += gone[at:next_at]
        at, shown = next_at, number
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

    __slots__ = ("_monotonic_ms", "entries", "foreseen", "head", "leases", "leaving", "order")

    def __init__(self, monotonic_ms: MonotonicMs) -> None:
        self._monotonic_ms = monotonic_ms
        self.head = FIRST_REVISION
        self.entries: dict[bytes, Entry] = {}
        self.order = OrderedKeys()
        self.leases: dict[LeaseId, HeldLease] = {}
        self.foreseen: Foreseen | None = None
        self.leaving: Leaving | None = None

    def find(self, key: bytes) -> Entry | None:
        """The entry of a key."""
        leaving = self.leaving
        found = self.entries.get(key)
        return found if leaving is None or found is None or key not in leaving.keys else None

    def scan(self, start: bytes, stop: bytes, limit: int | None, *, reverse: bool) -> list[Entry]:
        """The entries of [start, stop)."""
        cut = self.order.slice_reverse if reverse else self.order.slice
        return list(map(self.entries.__getitem__, cut(start, stop, limit)))

    def decide(self, commit: Commit) -> Step | None:
        """What the commit would do, or None if nothing; InvalidCommit, Conflict, NoSuchLease."""
        puts = commit.put
        check_limits(commit)
        find = self.entries.get if self.leaving is None else self.find
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
        dropped: list[Entry] = []
        after: Sequence[int] = ()
        long: LongDrop | None = None
        if not commit.drop:
            pass
        elif (
            self.foreseen is not None
            and self.foreseen.is_ready
            and (found_long := self._foreseen(commit.drop, commit.after))
        ):
            dropped, after, long = found_long
        else:
            dropped, after = self._dropped(commit.drop, commit.after)
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
        return Step(revision, commit.author, dropped, entries, previous, after, long=long)

    def _holds(self, guard: Guard) -> bool:
        stop = guard.stop
        if stop is None:
            return guard_holds(guard, self.find(guard.start))
        found = self.scan(guard.start, stop, None, reverse=False)
        if guard.target is Target.MOD and guard.compare is Compare.LESS:
            # "Nothing in the range was put since": every AWS listing carries it, so it walks in C.
            assert isinstance(guard.operand, int)
            return max(map(mod_revision, found), default=-1) < guard.operand
        return all(guard_holds(guard, entry) for entry in found)

    def _dropped(self, drops: Sequence[Drop], after: Sequence[int]) -> tuple[list[Entry], Sequence[int]]:
        """The entries that the drops take, each once, in the order of the drops; and `after` for each."""
        find = self.find
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

    def _foreseen(
        self, drops: Sequence[Drop], after: Sequence[int]
    ) -> tuple[list[Entry], Sequence[int], LongDrop] | None:
        """The same where a drop of very many keys was foreseen; None where none of these was, or where two
        meet, so that it must be found which of them takes a key."""
        assert self.foreseen is not None
        ranges = sorted(
            (drop.start, drop.start + b"\0" if drop.stop is None else drop.stop) for drop in drops
        )
        if any(stop > start for (_, stop), (start, _) in pairwise(ranges)):
            return None
        dropped: list[Entry] = []
        others: list[Entry] = []
        places: list[int] = []
        parts: list[Part] = []
        rows: list[bytes] = []
        for number, drop in enumerate(drops):
            part = self.foreseen.part_of(drop.start, drop.stop)
            if part is None:
                found, _ = self._dropped((drop,), ())
                others += found
                rows.append(self.foreseen.rows_of(found))
            else:
                part.patch(self.find, None)
                parts.append(part)
                found = part.entries()
                rows += [page.rows for page in part.pages]
            dropped += found
            if any(after):
                places += [after[number]] * len(found)
        return (dropped, places, LongDrop(parts, others, rows)) if parts else None

    def apply(self, step: Step) -> None:
        """Make it so."""
        held = self.entries
        if step.long is not None:
            self._leave(step.long, step.revision)
            self.foreseen = None
            self._let_go(step.long.others)
        else:
            if self.foreseen is not None:
                self.foreseen.note(step.entries, step.previous, step.dropped)
            if step.dropped:
                self._let_go(step.dropped)
        for entry, before in zip(step.entries, step.previous):  # noqa: B905 - `strict` costs 0.1 us
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

    def _let_go(self, dropped: Sequence[Entry]) -> None:
        held, leases = self.entries, self.leases
        gone: list[bytes] = []
        for old in dropped:
            gone.append(old.key)
            del held[old.key]
            if old.lease:
                leases[old.lease].keys.discard(old.key)
        self.order.remove_all(gone)

    def _leave(self, long: LongDrop, revision: Revision) -> None:
        """The keys of a long drop are gone, though their entries are still there."""
        assert self.leaving is None
        runs: list[list[bytes]] = []
        for part in sorted(long.parts, key=lambda part: part.start):
            if part.lease is None:
                assert part.stop is not None
                runs += self.order.cut(part.start, part.stop).runs
            else:
                keys = [page.keys for page in part.pages if page.keys]
                self.order.remove_all(list(chain.from_iterable(keys)))
                runs += keys
        self.leaving = Leaving(OrderedKeys.of_runs(runs), revision)

    def sweep(self, keys: Sequence[bytes]) -> None:
        """Let go of the entries of keys that are no longer among those that leave."""
        for key in keys:
            lease = self.entries.pop(key).lease
            if lease and (held := self.leases.get(lease)) is not None:
                held.keys.discard(key)

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
        revision = Revision(self.head + 1)
        for part in self.foreseen.parts if self.foreseen is not None and self.foreseen.is_ready else ():
            if part.lease == lease:
                self.held(lease)
                part.patch(self.find, None)
                gone = part.entries()
                long = LongDrop([part], [], [page.rows for page in part.pages])
                return Step(revision, author, gone, [], [], long=long) if gone else None
        keys = self.lease_keys(lease)
        if not keys:
            return None
        return Step(revision, author, [self.entries[key] for key in keys], [], [])

    def forget(self, lease: LeaseId) -> None:
        del self.leases[lease]

    def keepalive(self, lease: LeaseId) -> int:
        held = self.held(lease)
        held.ends_ms = self._monotonic_ms() + held.ttl_ms
        return held.ttl_ms

    def find_lease(self, lease: LeaseId) -> Lease | None:
        held = self.leases.get(lease)
        return None if held is None else Lease(lease, held.ttl_ms, held.ends_ms)

    def lease_rows(self) -> list[Lease]:
        return [Lease(lease, held.ttl_ms, held.ends_ms) for lease, held in self.leases.items()]

    def some_lease_keys(self, lease: LeaseId, limit: int) -> list[bytes]:
        keys = self.held(lease).keys
        if self.leaving is None:
            return list(islice(keys, limit))
        leaving = self.leaving.keys
        return list(islice((key for key in keys if key not in leaving), limit))

    def lease_keys(self, lease: LeaseId) -> list[bytes]:
        keys = self.held(lease).keys
        if self.leaving is not None:
            leaving = self.leaving.keys
            return sorted(key for key in keys if key not in leaving)
        return sorted(keys)
