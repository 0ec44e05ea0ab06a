"""Random histories: each engine against the plain model, with watches that come and go."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.keys_engines import DURABLE, ENGINES, REMOTE, open_engine
from tests.contract.keys_model import Model

from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.fault import Compacted, FutureRevision
from cloudlet.kernel.keys import (
    Author,
    Change,
    Commit,
    Compare,
    Drop,
    Durability,
    Event,
    Guard,
    Keys,
    LeaseId,
    Put,
    Revision,
    Target,
    Watch,
)

FREE = b"f"  # keys that begin with it have no past, in an engine that has such spaces
KEYS = [b"a", b"ab", b"b", b"c", b"f1", b"f2", b"g"]
RANGES = [
    (b"", b"\xff"),
    (b"a", b"b"),
    (b"a", b"a\0"),
    (b"ab", b"d"),
    (b"f", b"g"),
    (b"c", b"f2"),
    (b"d", b"e"),
]

keys = st.sampled_from(KEYS)
stops = st.one_of(st.none(), st.sampled_from([b"b", b"d", b"g", b"z"]))
values = st.sampled_from([b"", b"1", b"22", b"x" * 300])
leases = st.sampled_from([LeaseId(n) for n in (0, 0, 0, 1, 2)])
revisions = st.integers(0, 30)
limits = st.sampled_from([None, 0, 1, 3])
guards = st.one_of(
    st.builds(
        Guard,
        keys,
        st.sampled_from([Target.VERSION, Target.CREATE, Target.MOD, Target.LEASE]),
        st.sampled_from(Compare),
        st.integers(0, 12),
        stops,
    ),
    st.builds(Guard, keys, st.just(Target.VALUE), st.sampled_from(Compare), values, stops),
)
commits = st.builds(
    Commit,
    st.builds(Author, st.sampled_from(["aws", "etcd"]), st.sampled_from(["", "anna", "bert"])),
    st.one_of(st.just(()), st.lists(guards, max_size=2)),
    st.lists(st.builds(Put, keys, values, st.sampled_from([b"", b"meta"]), leases), max_size=4),
    st.lists(st.builds(Drop, keys, stops), max_size=2),
    st.sampled_from(Durability),
)
steps = st.one_of(
    st.tuples(st.just("commit"), commits),
    st.tuples(st.just("commit"), commits),
    st.tuples(st.just("commit"), commits),
    st.tuples(
        st.just("look"), revisions, st.sampled_from(RANGES), st.booleans(), st.sampled_from([None, 0, 1, 3])
    ),
    st.tuples(st.just("watch"), st.one_of(st.none(), revisions), st.sampled_from(RANGES)),
    st.tuples(st.just("take"), st.integers(0, 5), st.integers(1, 3)),
    st.tuples(st.just("compact"), revisions),
    st.tuples(st.just("grant"), leases.filter(bool)),
    st.tuples(st.just("revoke"), leases.filter(bool)),
    st.tuples(st.just("reopen")),
)


class Watched:
    """A watch and how far its reader has come."""

    def __init__(
        self, watch: Watch, start: bytes, stop: bytes, since: int, made_at: int, free: tuple[bytes, ...]
    ) -> None:
        self.watch = watch
        self.start, self.stop, self.since, self.made_at = start, stop, since, made_at
        self.free = free
        self.got: list[Change] = []

    def owed(self, model: Model) -> list[Change]:
        """What the reader should have seen by now."""
        found = []
        for change in model.changes_within(self.start, self.stop, self.since):
            kept = tuple(
                event
                for event in change.events
                if change.revision > self.made_at or not event.entry.key.startswith(self.free)
            )
            if kept:
                found.append(Change(change.revision, change.author, kept))
        return found


class Pair:
    """An engine and the model, going through the same steps."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.free = () if name in REMOTE else (FREE,)
        self.clock = ManualClock()
        self.model = Model()
        self.keys: Keys
        self.watches: list[Watched] = []

    async def open(self) -> None:
        self.keys = await open_engine(self.name, self.folder, self.clock, self.free)

    async def commit(self, commit: Commit) -> None:
        expected = self.model.commit(commit)
        await self.same(expected, self.keys.commit(commit))

    async def same(self, expected: object, outcome: object) -> None:
        if isinstance(expected, type):
            with pytest.raises(expected):
                await outcome  # type: ignore[misc]
        else:
            assert await outcome == expected  # type: ignore[misc]
        assert self.keys.head == self.model.head

    async def look(
        self, revision: int, range_: tuple[bytes, bytes], reverse: bool, limit: int | None
    ) -> None:
        start, stop = range_

        def cut(entries: list[object]) -> list[object]:
            return (entries[::-1] if reverse else entries)[:limit]

        head = self.model.head
        assert list(self.keys.scan(start, stop, limit=limit, reverse=reverse)) == cut(
            list(self.model.scan(head, start, stop))
        )
        try:
            found = await self.keys.scan_at(Revision(revision), start, stop, limit=limit, reverse=reverse)
        except Compacted:
            is_free = bool(self.free) and start < FREE + b"\xff" and stop > FREE and revision != head
            assert is_free or revision < self.model.mark
        except FutureRevision:
            assert revision > head
        else:
            assert list(found) == cut(list(self.model.scan(revision, start, stop)))

    async def watch(self, since: int | None, range_: tuple[bytes, bytes]) -> None:
        head = self.model.head
        watch = self.keys.watch(*range_, None if since is None else Revision(since))
        self.watches.append(Watched(watch, *range_, head + 1 if since is None else since, head, self.free))

    async def take(self, at: int, changes_max: int) -> None:
        if at >= len(self.watches):
            return
        watched = self.watches[at]
        if len(watched.owed(self.model)) > len(watched.got):
            await self.take_once(watched, changes_max)

    async def take_once(self, watched: Watched, changes_max: int) -> None:
        position = watched.watch.position
        try:
            found = await asyncio.wait_for(watched.watch.take(changes_max), 10)
        except Compacted:
            assert position < self.model.mark
            watched.watch.close()
            self.watches.remove(watched)
            return
        assert 1 <= len(found) <= changes_max
        watched.got += found
        owed = watched.owed(self.model)[: len(watched.got)]
        for mine, theirs in zip(watched.got, owed, strict=True):
            assert (mine.revision, mine.author) == (theirs.revision, theirs.author)
            for event, expected in zip(mine.events, theirs.events, strict=True):
                self.same_event(event, expected, watched)
        later = watched.owed(self.model)[len(watched.got) :]
        assert watched.watch.position > watched.got[-1].revision
        assert not later or watched.watch.position <= later[0].revision

    def same_event(self, event: Event, expected: Event, watched: Watched) -> None:
        assert event.entry == expected.entry
        if event.previous is None and event.entry.mod_revision <= self.model.mark:
            return  # compacted
        if event.previous is None and event.entry.key.startswith(self.free):
            return  # has no past
        assert event.previous == expected.previous

    async def compact(self, revision: int) -> None:
        if revision > self.model.head:
            await self.same(FutureRevision, self.keys.compact(Revision(revision)))
        elif revision <= self.model.mark:
            await self.same(Compacted, self.keys.compact(Revision(revision)))
        else:
            await self.keys.compact(Revision(revision))
            self.model.mark = revision

    async def grant(self, lease: LeaseId) -> None:
        await self.same(self.model.grant(lease), self.keys.lease_grant(lease, 1000, Author("etcd")))

    async def revoke(self, lease: LeaseId) -> None:
        author = Author("etcd")
        await self.same(self.model.revoke(lease, author), self.keys.lease_revoke(lease, author))

    async def reopen(self) -> None:
        if self.name in DURABLE:
            await self.keys.close()
            await self.open()
            self.watches.clear()

    async def finish(self) -> None:
        await self.keys.settle(self.keys.head)
        assert self.keys.settled == self.keys.head == self.model.head
        for watched in list(self.watches):
            while watched in self.watches and len(watched.owed(self.model)) > len(watched.got):
                await self.take_once(watched, 2)
        assert {lease.id for lease in self.keys.leases()} == self.model.leases
        for lease in self.model.leases:
            assert list(self.keys.lease_keys(lease)) == self.model.lease_keys(lease)
        for revision in range(self.model.mark, self.model.head + 1):
            await self.look(revision, (b"a", b"d"), False, None)
        await self.look(self.model.head, RANGES[0], True, None)
        await self.keys.close()


@pytest.mark.parametrize("name", [*sorted(ENGINES), "keys socket"])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(story=st.lists(steps, min_size=5, max_size=40))
def test_a_random_history_is_that_of_the_model(name: str, story: list[tuple[object, ...]]) -> None:
    async def body(folder: Path) -> None:
        pair = Pair(name, folder)
        await pair.open()
        for verb, *arguments in story:
            await getattr(pair, str(verb))(*arguments)
        await pair.finish()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(body(Path(folder)))
