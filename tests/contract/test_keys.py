"""The contract of the keys port: every engine passes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path

import pytest
from tests.contract import etcd_server
from tests.contract.keys_engines import DURABLE, ENGINES, REMOTE, open_engine

from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.fault import (
    Compacted,
    Conflict,
    FutureRevision,
    InvalidCommit,
    LeaseExists,
    NoSuchLease,
    StoreError,
)
from cloudlet.kernel.keys import (
    COMMIT_BYTES_MAX,
    GUARDS_MAX,
    OPERATIONS_MAX,
    Author,
    Change,
    Commit,
    Compare,
    Drop,
    Durability,
    Entry,
    Event,
    Guard,
    Keys,
    LeaseId,
    Put,
    Revision,
    Target,
    Watch,
)

ANNA = Author("etcd", "anna", "127.0.0.1", "request-1")
BERT = Author("aws", "bert")
EVERYTHING = (b"", b"\xff" * 8)
LEASE = LeaseId(7)


class Bench:
    """An engine under test, its clock, and a way to open it again."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.clock = ManualClock()
        self._folder = folder
        self.keys: Keys

    async def open(self) -> None:
        self.keys = await open_engine(self.name, self._folder, self.clock, (b"free/",))

    async def reopen(self) -> None:
        await self.keys.close()
        await self.open()

    async def put(self, key: bytes, value: bytes = b"", *, lease: int = 0, author: Author = ANNA) -> Revision:
        return await self.keys.commit(Commit(author, put=[Put(key, value, lease=LeaseId(lease))]))

    async def drop(self, start: bytes, stop: bytes | None = None) -> Revision:
        return await self.keys.commit(Commit(BERT, drop=[Drop(start, stop)]))

    async def take(self, watch: Watch, changes_max: int = 1000) -> Sequence[Change]:
        return await asyncio.wait_for(watch.take(changes_max), 10)

    def found(self) -> dict[bytes, bytes]:
        return {entry.key: entry.value for entry in self.keys.scan(*EVERYTHING)}


Body = Callable[[Bench], Coroutine[None, None, None]]
Run = Callable[[Body], None]


@pytest.fixture(
    params=[*sorted(ENGINES), "etcd face", "keys socket", pytest.param("etcd", marks=pytest.mark.interop)]
)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Runs a test's body on each engine."""

    async def whole(body: Body) -> None:
        bench = Bench(request.param, tmp_path)
        await bench.open()
        try:
            await body(bench)
        finally:
            await bench.keys.close()

    with etcd_server.running(tmp_path) if request.param == "etcd" else contextlib.nullcontext():
        yield lambda body: asyncio.run(whole(body))


def test_an_empty_store_is_at_revision_1(run: Run) -> None:
    async def body(bench: Bench) -> None:
        assert (bench.keys.head, bench.keys.settled) == (1, 1)
        assert bench.keys.get(b"a") is None
        assert list(bench.keys.scan(*EVERYTHING)) == []
        assert list(await bench.keys.scan_at(Revision(1), *EVERYTHING)) == []

    run(body)


def test_puts_and_drops_of_a_commit_are_one_revision(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.put(b"gone", b"1")
        commit = Commit(ANNA, put=[Put(b"a", b"x", b"m"), Put(b"b", b"y")], drop=[Drop(b"gone")])
        assert await bench.keys.commit(commit) == 3
        assert bench.keys.head == 3
        assert list(bench.keys.scan(*EVERYTHING)) == [
            Entry(b"a", b"x", b"m", Revision(3), Revision(3), 1, LeaseId(0)),
            Entry(b"b", b"y", b"", Revision(3), Revision(3), 1, LeaseId(0)),
        ]

    run(body)


def test_version_counts_from_the_creation(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.put(b"a", b"1")
        await bench.put(b"a", b"2")
        entry = bench.keys.get(b"a")
        assert entry == Entry(b"a", b"2", b"", Revision(2), Revision(3), 2, LeaseId(0))
        await bench.drop(b"a")
        await bench.put(b"a", b"3")
        assert bench.keys.get(b"a") == Entry(b"a", b"3", b"", Revision(5), Revision(5), 1, LeaseId(0))

    run(body)


def test_a_commit_that_changes_nothing_keeps_the_revision(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.put(b"a")
        assert await bench.drop(b"x") == 2
        assert await bench.drop(b"x", b"z") == 2
        assert await bench.keys.commit(Commit(ANNA)) == 2
        assert await bench.put(b"a") == 3  # a put of the same value is a change

    run(body)


def test_scan_has_an_order_a_limit_and_two_ends(run: Run) -> None:
    async def body(bench: Bench) -> None:
        for key in (b"d", b"b", b"a", b"c", b"e"):
            await bench.put(key)

        def names(*, limit: int | None = None, reverse: bool = False) -> bytes:
            return b"".join(e.key for e in bench.keys.scan(b"b", b"e", limit=limit, reverse=reverse))

        assert names() == b"bcd"
        assert names(limit=2) == b"bc"
        assert names(limit=2, reverse=True) == b"dc"
        assert names(limit=0) == b""
        assert list(bench.keys.scan(b"e", b"b")) == []
        for limit, reverse, expected in ((None, False, b"bcd"), (2, True, b"dc"), (0, False, b"")):
            then = await bench.keys.scan_at(Revision(6), b"b", b"e", limit=limit, reverse=reverse)
            assert b"".join(e.key for e in then) == expected
            await bench.put(b"x")
            then = await bench.keys.scan_at(Revision(6), b"b", b"e", limit=limit, reverse=reverse)
            assert b"".join(e.key for e in then) == expected

    run(body)


@pytest.mark.parametrize("durability", list(Durability))
def test_settle_returns_when_the_revision_may_be_shown(run: Run, durability: Durability) -> None:
    async def body(bench: Bench) -> None:
        commit = Commit(ANNA, put=[Put(b"a", b"1")], durability=durability)
        revision = await bench.keys.commit(commit)
        assert bench.keys.get(b"a") is not None
        await asyncio.wait_for(bench.keys.settle(revision), 10)
        assert bench.keys.settled >= revision

    run(body)


def test_a_commit_never_suspends(run: Run) -> None:
    async def body(bench: Bench) -> None:
        if bench.name in REMOTE:
            return
        for durability in Durability:
            commit = Commit(ANNA, put=[Put(b"a", b"")], durability=durability)
            with pytest.raises(StopIteration):
                bench.keys.commit(commit).send(None)  # type: ignore[attr-defined]

    run(body)


@pytest.mark.parametrize(
    ("guard", "holds"),
    [
        (Guard(b"a", Target.VERSION, Compare.EQUAL, 2), True),
        (Guard(b"a", Target.VERSION, Compare.NOT_EQUAL, 2), False),
        (Guard(b"a", Target.CREATE, Compare.EQUAL, 3), True),
        (Guard(b"a", Target.CREATE, Compare.GREATER, 3), False),
        (Guard(b"a", Target.MOD, Compare.EQUAL, 4), True),
        (Guard(b"a", Target.MOD, Compare.LESS, 4), False),
        (Guard(b"a", Target.VALUE, Compare.EQUAL, b"2"), True),
        (Guard(b"a", Target.VALUE, Compare.GREATER, b"1"), True),
        (Guard(b"a", Target.VALUE, Compare.LESS, b"10"), False),
        (Guard(b"a", Target.LEASE, Compare.EQUAL, 7), True),
        (Guard(b"a", Target.LEASE, Compare.EQUAL, 0), False),
        (Guard(b"x", Target.VERSION, Compare.EQUAL, 0), True),
        (Guard(b"x", Target.CREATE, Compare.GREATER, 0), False),
        (Guard(b"x", Target.VALUE, Compare.NOT_EQUAL, b"2"), False),
        (Guard(b"a", Target.MOD, Compare.LESS, 5, b"c"), True),
        (Guard(b"a", Target.MOD, Compare.LESS, 4, b"c"), False),
        (Guard(b"a", Target.MOD, Compare.GREATER, 1, b"c"), True),
        (Guard(b"a", Target.MOD, Compare.GREATER, 2, b"c"), False),
        (Guard(b"x", Target.VALUE, Compare.EQUAL, b"", b"z"), True),
        (Guard(b"a", Target.VALUE, Compare.LESS, b"3", b"c"), True),
        (Guard(b"a", Target.VALUE, Compare.LESS, b"2", b"c"), False),
    ],
)
def test_a_guard_decides_alone(run: Run, guard: Guard, holds: bool) -> None:
    async def body(bench: Bench) -> None:
        await bench.keys.lease_grant(LEASE, 1000, ANNA)
        await bench.put(b"b", b"0")
        await bench.put(b"a", b"1")
        await bench.put(b"a", b"2", lease=7)
        commit = Commit(ANNA, expect=[guard], put=[Put(b"done", b"")])
        if holds:
            assert await bench.keys.commit(commit) == 5
        else:
            with pytest.raises(Conflict) as refused:
                await bench.keys.commit(commit)
            assert 1 <= refused.value.revision <= bench.keys.head == 4
            assert bench.keys.get(b"done") is None

    run(body)


def test_one_broken_guard_stops_everything(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.put(b"a", b"1")
        expect = [
            Guard(b"a", Target.VERSION, Compare.EQUAL, 1),
            Guard(b"b", Target.VERSION, Compare.GREATER, 0),
        ]
        with pytest.raises(Conflict):
            await bench.keys.commit(Commit(ANNA, expect=expect, put=[Put(b"a", b"2")], drop=[Drop(b"x")]))
        assert (bench.found(), bench.keys.head) == ({b"a": b"1"}, 2)

    run(body)


def many_puts(count: int) -> list[Put]:
    return [Put(b"%04d" % n, b"") for n in range(count)]


@pytest.mark.parametrize(
    "commit",
    [
        Commit(ANNA, put=many_puts(OPERATIONS_MAX + 1)),
        Commit(ANNA, put=many_puts(OPERATIONS_MAX), drop=[Drop(b"x")]),
        Commit(ANNA, expect=[Guard(b"a", Target.MOD, Compare.EQUAL, 0)] * (GUARDS_MAX + 1)),
        Commit(ANNA, put=[Put(b"a", b"x" * COMMIT_BYTES_MAX)]),
        Commit(ANNA, put=[Put(b"a", b"", b"x" * COMMIT_BYTES_MAX)]),
        Commit(ANNA, put=[Put(b"a", b""), Put(b"b", b""), Put(b"a", b"")]),
        Commit(ANNA, put=[Put(b"a", b"")], drop=[Drop(b"a")]),
        Commit(ANNA, put=[Put(b"b", b"")], drop=[Drop(b"a", b"c")]),
    ],
)
def test_an_invalid_commit_changes_nothing(run: Run, commit: Commit) -> None:
    async def body(bench: Bench) -> None:
        await bench.put(b"a")
        with pytest.raises(InvalidCommit):
            await bench.keys.commit(commit)
        assert (bench.keys.head, list(bench.found())) == (2, [b"a"])

    run(body)


def test_a_commit_at_the_limits_is_taken(run: Run) -> None:
    async def body(bench: Bench) -> None:
        expect = [Guard(b"a", Target.MOD, Compare.EQUAL, 0)] * GUARDS_MAX
        assert await bench.keys.commit(Commit(ANNA, expect=expect, put=many_puts(OPERATIONS_MAX))) == 2
        whole = Commit(ANNA, put=[Put(b"big", b"x" * (COMMIT_BYTES_MAX - 3))])
        assert await bench.keys.commit(whole) == 3
        assert await bench.keys.commit(Commit(ANNA, drop=[Drop(b"0", b"1"), Drop(b"x", b"z")])) == 4
        assert list(bench.found()) == [b"big"]
        await bench.reopen()

    run(body)


def test_the_past_can_be_read_until_compacted(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.put(b"a", b"1")
        await bench.put(b"b", b"1")
        await bench.put(b"a", b"2")
        await bench.drop(b"b")

        async def at(revision: int) -> dict[bytes, bytes]:
            return {e.key: e.value for e in await bench.keys.scan_at(Revision(revision), b"a", b"c")}

        past = [await at(revision) for revision in range(1, 6)]
        assert past == [{}, {b"a": b"1"}, {b"a": b"1", b"b": b"1"}, {b"a": b"2", b"b": b"1"}, {b"a": b"2"}]
        with pytest.raises(FutureRevision):
            await at(6)
        await bench.keys.compact(Revision(4))
        assert [await at(4), await at(5)] == past[3:]
        with pytest.raises(Compacted) as refused:
            await at(3)
        assert refused.value.revision == 4
        with pytest.raises(Compacted):
            await bench.keys.compact(Revision(4))
        with pytest.raises(FutureRevision):
            await bench.keys.compact(Revision(6))

    run(body)


def test_a_second_compaction_at_the_head_is_refused(run: Run) -> None:
    async def body(bench: Bench) -> None:
        # The first is of an empty store, where no change follows that would end a wait.
        for head in (Revision(1), Revision(2)):
            assert head == bench.keys.head
            await bench.keys.compact(head)
            with pytest.raises(Compacted) as refused:
                await asyncio.wait_for(bench.keys.compact(head), 10)
            assert refused.value.revision == head
            await bench.put(b"a")

    run(body)


@pytest.mark.parametrize("run", sorted(ENGINES), indirect=True)
def test_a_history_free_space_has_no_past(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.put(b"free/a", b"1")
        await bench.put(b"free/a", b"2")
        await bench.put(b"kept", b"1")
        assert len(await bench.keys.scan_at(Revision(4), *EVERYTHING)) == 2  # at head
        for start, stop in (EVERYTHING, (b"free/a", b"free/a\0"), (b"fr", b"freeze")):
            with pytest.raises(Compacted) as refused:
                await bench.keys.scan_at(Revision(3), start, stop)
            assert refused.value.revision == 4  # what can be read there is the head
        assert list(await bench.keys.scan_at(Revision(3), b"k", b"z")) == []
        watch = bench.keys.watch(*EVERYTHING, Revision(2))
        await bench.put(b"free/a", b"3")
        changes = await taken(bench, watch, 2)
        assert [[e.entry.value for e in change.events] for change in changes] == [[b"1"], [b"3"]]
        assert [change.revision for change in changes] == [4, 5]

    run(body)


async def taken(bench: Bench, watch: Watch, count: int, changes_max: int = 1000) -> list[Change]:
    """The next `count` changes."""
    found: list[Change] = []
    while len(found) < count:
        more = await bench.take(watch, changes_max)
        assert 1 <= len(more) <= changes_max
        found += more
    assert len(found) == count
    return found


def test_a_change_carries_its_author_and_what_was_before(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.put(b"a", b"1")
        await bench.put(b"c", b"1")
        before = bench.keys.get(b"a")
        await bench.keys.commit(Commit(BERT, put=[Put(b"b", b"2")], drop=[Drop(b"c"), Drop(b"a", b"b")]))
        for watch in (bench.keys.watch(*EVERYTHING, Revision(2)), bench.keys.watch(*EVERYTHING, Revision(4))):
            change = (await taken(bench, watch, 5 - watch.position))[-1]
            assert (change.revision, change.author) == (4, BERT)
            assert [event.entry.key for event in change.events] == [b"c", b"a", b"b"]
            assert [event.dropped for event in change.events] == [True, True, False]
            gone = Entry(b"a", b"", b"", Revision(0), Revision(4), 0, LeaseId(0))
            assert change.events[1] == Event(gone, before)
            assert change.events[2].previous is None

    run(body)


def test_a_watch_has_no_gap_and_no_double(run: Run) -> None:
    async def body(bench: Bench) -> None:
        for n in range(30):
            await bench.put(b"k%d" % (n % 3), b"%d" % n)
        watches = [bench.keys.watch(b"k1", b"k3", Revision(since)) for since in range(2, 36, 3)]
        watches.append(bench.keys.watch(b"k1", b"k3"))
        for n in range(30, 60):
            await bench.put(b"k%d" % (n % 3), b"%d" % n)
        for at, watch in enumerate(watches):
            since = 2 + 3 * at if at < 12 else 32
            expected = [n for n in range(60) if n % 3 and n + 2 >= since]
            changes = await taken(bench, watch, len(expected), changes_max=7)
            assert [int(change.events[0].entry.value) for change in changes] == expected
            assert [change.revision for change in changes] == [n + 2 for n in expected]
            assert watch.position == 62

    run(body)


def test_a_waiting_watch_is_woken_by_its_range_alone(run: Run) -> None:
    async def body(bench: Bench) -> None:
        watch = bench.keys.watch(b"a", b"b")
        waiting = asyncio.create_task(bench.take(watch))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        await bench.put(b"b", b"beside")
        await bench.put(b"aa", b"inside")
        (change,) = await waiting
        assert change.revision == 3

    run(body)


@pytest.mark.parametrize("since", [None, Revision(2)])
def test_cancelling_a_take_loses_nothing(run: Run, since: Revision | None) -> None:
    async def body(bench: Bench) -> None:
        await bench.put(b"b")
        watch = bench.keys.watch(b"a", b"b", since)
        for cancels_first in (True, False):
            waiting = asyncio.create_task(watch.take())  # type: ignore[arg-type]
            await asyncio.sleep(0)
            if cancels_first:
                waiting.cancel()
            await bench.put(b"a")
            waiting.cancel()
            await asyncio.wait([waiting])
            # Over a server the put takes its time, and the take may have its change before it is cancelled.
            assert waiting.cancelled() or (bench.name in REMOTE and not cancels_first)
            (change,) = await bench.take(watch) if waiting.cancelled() else waiting.result()
            assert change.revision == bench.keys.head

    run(body)


def test_a_closed_watch_is_empty_and_a_closed_store_says_so(run: Run) -> None:
    async def body(bench: Bench) -> None:
        closed, orphan = bench.keys.watch(b"a", b"b"), bench.keys.watch(b"a", b"b")
        takes = [asyncio.create_task(watch.take()) for watch in (closed, orphan)]  # type: ignore[arg-type]
        await asyncio.sleep(0)
        closed.close()
        assert await takes[0] == ()
        assert await bench.take(closed) == ()
        await bench.keys.close()
        with pytest.raises(StoreError):
            await takes[1]
        with pytest.raises(StoreError):
            await bench.take(orphan)
        with pytest.raises(StoreError):
            await bench.put(b"a")
        await bench.open()

    run(body)


def test_a_watch_below_the_mark_is_told(run: Run) -> None:
    async def body(bench: Bench) -> None:
        for n in range(4):
            await bench.put(b"a", b"%d" % n)
        await bench.keys.compact(Revision(4))
        watch = bench.keys.watch(b"a", b"b", Revision(3))
        with pytest.raises(Compacted) as refused:
            await bench.take(watch)
        assert refused.value.revision == 4
        first, second = await taken(bench, bench.keys.watch(b"a", b"b", Revision(4)), 2)
        assert (first.revision, second.revision) == (4, 5)
        assert first.events[0].previous is None  # only revisions below the mark show it
        assert second.events[0].previous == first.events[0].entry

    run(body)


def test_a_watch_may_begin_in_the_future(run: Run) -> None:
    async def body(bench: Bench) -> None:
        watch = bench.keys.watch(b"a", b"b", Revision(4))
        assert watch.position == 4
        for _ in range(4):
            await bench.put(b"a")
        assert [change.revision for change in await taken(bench, watch, 2)] == [4, 5]

    run(body)


def test_a_slow_watch_still_sees_everything(run: Run) -> None:
    async def body(bench: Bench) -> None:
        watch = bench.keys.watch(b"a", b"b")
        for n in range(2500):
            await bench.put(b"a", b"%d" % n)
        changes = await taken(bench, watch, 2500, changes_max=900)
        assert [change.revision for change in changes] == list(range(2, 2502))

    run(body)


def test_a_lease_takes_its_keys_along(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.keys.lease_grant(LEASE, 5000, ANNA)
        with pytest.raises(LeaseExists):
            await bench.keys.lease_grant(LEASE, 5000, ANNA)
        with pytest.raises(NoSuchLease):
            await bench.put(b"x", lease=8)
        for key in (b"c", b"a", b"b", b"moved", b"freed"):
            await bench.put(key, lease=7)
        await bench.put(b"other")
        await bench.keys.lease_grant(LeaseId(9), 1, ANNA)
        await bench.put(b"moved", lease=9)
        await bench.put(b"freed")
        await bench.drop(b"b")
        assert bench.keys.lease_keys(LEASE) == [b"a", b"c"]
        watch = bench.keys.watch(*EVERYTHING)
        revision = await bench.keys.lease_revoke(LEASE, BERT)
        assert revision == bench.keys.head
        assert list(bench.found()) == [b"freed", b"moved", b"other"]
        (change,) = await bench.take(watch)
        assert (change.author, [event.entry.key for event in change.events]) == (BERT, [b"a", b"c"])
        for call in (bench.keys.lease_keys, bench.keys.lease_keepalive):
            with pytest.raises(NoSuchLease):
                call(LEASE)
        with pytest.raises(NoSuchLease):
            await bench.keys.lease_revoke(LEASE, BERT)
        assert [lease.id for lease in bench.keys.leases()] == [9]
        assert bench.keys.find_lease(LeaseId(9)) == bench.keys.leases()[0]
        assert bench.keys.find_lease(LeaseId(8)) is None

    run(body)


def test_a_lease_without_keys_leaves_no_revision(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.keys.lease_grant(LEASE, 5000, ANNA)
        assert bench.keys.head == 1
        assert await bench.keys.lease_revoke(LEASE, ANNA) == 1
        assert list(bench.keys.leases()) == []
        assert bench.keys.find_lease(LeaseId(9)) is None

    run(body)


def test_a_lease_lives_by_its_keepalives(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.keys.lease_grant(LEASE, 5000, ANNA)
        bench.clock.pass_ms(3000)
        (lease,) = bench.keys.leases()
        assert (lease.ttl_ms, lease.ends_ms) == (5000, 5000)
        assert bench.keys.lease_keepalive(LEASE) == 5000
        (lease,) = bench.keys.leases()
        assert lease.ends_ms == 8000

    run(body)


def test_a_lease_with_more_keys_than_a_commit_ends_in_one_revision(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.keys.lease_grant(LEASE, 5000, ANNA)
        for n in range(300):
            await bench.put(b"%03d" % n, lease=7)
        assert await bench.keys.lease_revoke(LEASE, ANNA) == 302
        assert bench.found() == {}

    run(body)


@pytest.mark.parametrize("name", sorted(DURABLE))
def test_a_durable_engine_finds_everything_again(name: str, tmp_path: Path) -> None:
    async def body() -> None:
        bench = Bench(name, tmp_path)
        await bench.open()
        await bench.keys.lease_grant(LEASE, 5000, ANNA)
        for n in range(100):
            await bench.put(b"k%d" % (n % 7), b"%d" % n, lease=7 if n % 2 else 0, author=BERT)
        await bench.drop(b"k3")
        await bench.keys.compact(Revision(5))
        watch = bench.keys.watch(*EVERYTHING, Revision(6))
        before = (list(bench.keys.scan(*EVERYTHING)), bench.keys.head, bench.keys.lease_keys(LEASE))
        changes = await taken(bench, watch, 97)
        past = [await bench.keys.scan_at(Revision(r), b"k", b"l") for r in range(5, 103)]
        bench.clock.pass_ms(9000)
        await bench.reopen()
        assert before == (list(bench.keys.scan(*EVERYTHING)), bench.keys.head, bench.keys.lease_keys(LEASE))
        assert await taken(bench, bench.keys.watch(*EVERYTHING, Revision(6)), 97) == changes
        assert [await bench.keys.scan_at(Revision(r), b"k", b"l") for r in range(5, 103)] == past
        with pytest.raises(Compacted):
            await bench.keys.scan_at(Revision(4), b"k", b"l")
        assert [lease.ends_ms for lease in bench.keys.leases()] == [14000]
        await bench.keys.close()

    asyncio.run(body())
