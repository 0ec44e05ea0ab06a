"""The keys store as plainly as it can be said: one dict per revision. What the engines are held against."""

from __future__ import annotations

from cloudlet.kernel.fault import Conflict, InvalidCommit, LeaseExists, NoSuchLease
from cloudlet.kernel.keys import (
    Author,
    Change,
    Commit,
    Entry,
    Event,
    Guard,
    LeaseId,
    Revision,
    check_limits,
    guard_holds,
)

Snapshot = dict[bytes, Entry]


class Model:
    """Every revision's whole content, and the change that made it."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = [{}]  # [n] is revision n + 1
        self.changes: list[Change] = []
        self.leases: set[LeaseId] = set()
        self.mark = 0

    @property
    def head(self) -> int:
        return len(self.snapshots)

    def at(self, revision: int) -> Snapshot:
        return self.snapshots[revision - 1] if revision else {}

    def scan(self, revision: int, start: bytes, stop: bytes) -> list[Entry]:
        found = self.at(revision)
        return [found[key] for key in sorted(found) if start <= key < stop]

    def _passes(self, guard: Guard) -> bool:
        if guard.stop is None:
            return guard_holds(guard, self.at(self.head).get(guard.start))
        return all(guard_holds(guard, entry) for entry in self.scan(self.head, guard.start, guard.stop))

    def commit(self, commit: Commit) -> int | type[Exception]:
        """The revision, or the error that the engine owes."""
        try:
            check_limits(commit)
        except InvalidCommit:
            return InvalidCommit
        if not all(self._passes(guard) for guard in commit.expect):
            return Conflict
        if any(put.lease and put.lease not in self.leases for put in commit.put):
            return NoSuchLease
        gone: list[bytes] = []
        for drop in commit.drop:
            stop = drop.start + b"\0" if drop.stop is None else drop.stop
            gone += [entry.key for entry in self.scan(self.head, drop.start, stop) if entry.key not in gone]
        return self._step(commit, gone)

    def _step(self, commit: Commit, gone: list[bytes]) -> int:
        revision = Revision(self.head + 1)
        after = dict(self.at(self.head))
        events: list[Event] = []
        for key in gone:
            nothing = Entry(key, b"", b"", Revision(0), revision, 0, LeaseId(0))
            events.append(Event(nothing, after.pop(key)))
        for put in commit.put:
            old = after.get(put.key)
            created, version = (old.create_revision, old.version + 1) if old else (revision, 1)
            entry = Entry(put.key, put.value, put.meta, created, revision, version, put.lease)
            after[put.key] = entry
            events.append(Event(entry, old))
        if events:
            self.snapshots.append(after)
            self.changes.append(Change(revision, commit.author, tuple(events)))
        return self.head

    def grant(self, lease: LeaseId) -> type[Exception] | None:
        if lease in self.leases:
            return LeaseExists
        self.leases.add(lease)
        return None

    def revoke(self, lease: LeaseId, author: Author) -> int | type[Exception]:
        if lease not in self.leases:
            return NoSuchLease
        self.leases.discard(lease)
        return self._step(Commit(author), self.lease_keys(lease))

    def lease_keys(self, lease: LeaseId) -> list[bytes]:
        return [entry.key for entry in self.scan(self.head, b"", b"\xff" * 9) if entry.lease == lease]

    def changes_within(self, start: bytes, stop: bytes, since: int) -> list[Change]:
        found = []
        for change in self.changes:
            events = tuple(event for event in change.events if start <= event.entry.key < stop)
            if events and change.revision >= since:
                found.append(Change(change.revision, change.author, events))
        return found
