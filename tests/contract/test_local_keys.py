"""What local engines offer beside the port."""

import asyncio

import pytest

from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.fault import InvalidCommit, LeaseExists, NoSuchLease
from cloudlet.kernel.keys import LOCAL_LIMITS, Author, Commit, Drop, Durability, LeaseId, Put

ME = Author("test")


async def opened(engine, folder):
    return MemoryKeys(lambda: 0.0) if engine == "memory" else await DiskKeys.open(folder, lambda: 0.0)


@pytest.fixture(params=["memory", "disk"])
def engine(request):
    return request.param


def test_a_tap_sees_a_change_before_its_commit_returns(engine, tmp_path):
    async def run():
        keys = await opened(engine, tmp_path)
        seen = []
        tap = keys.tap(b"b", b"c", lambda change: seen.append((change.revision, keys.get(b"b1"))))
        await keys.commit(Commit(ME, put=[Put(b"a", b"1")]))
        assert seen == []
        puts = [Put(b"a", b"2"), Put(b"b1", b"1")]
        assert keys.commit_now(Commit(ME, put=puts, durability=Durability.SYNC)) == keys.head
        assert seen == [(keys.head, keys.get(b"b1"))]
        assert seen[0][1].value == b"1"
        tap.is_paused = True
        await keys.commit(Commit(ME, put=[Put(b"b1", b"2")]))
        assert len(seen) == 1
        tap.is_paused = False
        await keys.commit(Commit(ME, put=[Put(b"b1", b"3")]))
        assert len(seen) == 2
        tap.end()
        tap.end()
        await keys.commit(Commit(ME, drop=[Drop(b"b1")]))
        assert len(seen) == 2
        await keys.close()

    asyncio.run(run())


def test_whoever_waits_is_called_once_when_the_mark_gets_there(tmp_path):
    async def run():
        keys = await opened("disk", tmp_path)
        called = []
        for value in (b"1", b"2", b"3"):
            revision = keys.commit_now(Commit(ME, put=[Put(b"a", value)], durability=Durability.SYNC))
            keys.when_settled(revision, lambda at=revision: called.append((at, keys.settled)))
        # Out of order, and for one that is not there yet.
        keys.when_settled(revision - 1, lambda: called.append((revision - 1, "late")))
        keys.when_settled(revision + 1, lambda: called.append((revision + 1, keys.settled)))
        assert called == []
        await keys.settle(revision)
        assert called == [
            (revision - 2, revision),
            (revision - 1, revision),
            (revision - 1, "late"),
            (revision, revision),
        ]
        del called[:]
        keys.commit_now(Commit(ME, put=[Put(b"a", b"4")]))
        assert called == [(revision + 1, revision + 1)]
        keys.when_settled(revision + 2, lambda: called.append("closed"))
        await keys.close()
        assert called[1:] == ["closed"]
        keys.when_settled(revision + 2, lambda: called.append("never"))
        assert called[1:] == ["closed"]

    asyncio.run(run())


def test_one_who_fails_keeps_nobody_else_waiting(tmp_path, caplog):
    """A broken connection's reply once did: nobody was told any more, and the cloud never ended."""

    async def run():
        keys = await opened("disk", tmp_path)
        revision = keys.commit_now(Commit(ME, put=[Put(b"a", b"1")], durability=Durability.SYNC))
        called = []
        keys.when_settled(revision, lambda: called.append(1 // 0))
        keys.when_settled(revision, lambda: called.append("next"))
        await keys.settle(revision)
        assert called == ["next"]
        await keys.close()

    asyncio.run(run())
    assert "ZeroDivisionError" in caplog.text


def test_a_tap_is_given_the_whole_change(engine, tmp_path):
    async def run():
        keys = await opened(engine, tmp_path)
        seen = []
        keys.tap(b"b", b"c", seen.append)
        await keys.commit(Commit(ME, put=[Put(b"a", b"1"), Put(b"b", b"1")]))
        assert [event.entry.key for event in seen[0].events] == [b"a", b"b"]
        await keys.close()

    asyncio.run(run())


def test_leases_begin_and_end_in_the_turn(engine, tmp_path):
    async def run():
        keys = await opened(engine, tmp_path)
        keys.lease_begin(LeaseId(7), 5_000)
        with pytest.raises(LeaseExists):
            keys.lease_begin(LeaseId(7), 5_000)
        await keys.commit(Commit(ME, put=[Put(b"a", b"1", lease=LeaseId(7))]))
        with pytest.raises(AssertionError):
            keys.lease_end(LeaseId(7))
        await keys.commit(Commit(ME, drop=[Drop(b"a")]))
        keys.lease_begin(LeaseId(8), 5_000)
        found = keys.find_lease(LeaseId(7))
        assert found in keys.leases()
        keys.lease_end(LeaseId(7))
        assert keys.find_lease(LeaseId(7)) is None
        with pytest.raises(NoSuchLease):
            keys.lease_end(LeaseId(7))
        await keys.commit(Commit(ME, put=[Put(b"a", b"1")], durability=Durability.SYNC))
        await keys.settle(keys.head)
        await keys.close()
        if engine == "disk":
            keys = await opened(engine, tmp_path)
            assert [lease.id for lease in keys.leases()] == [8]
            await keys.close()

    asyncio.run(run())


def test_a_local_commit_may_be_larger(engine, tmp_path):
    async def run():
        keys = await opened(engine, tmp_path)
        puts = [Put(b"%05d" % number, b"x" * 1000) for number in range(2000)]
        with pytest.raises(InvalidCommit):
            await keys.commit(Commit(ME, put=puts))
        before = keys.head
        assert await keys.commit(Commit(ME, put=puts, limits=LOCAL_LIMITS)) == before + 1
        drops = [Drop(put.key) for put in puts]
        with pytest.raises(InvalidCommit):
            await keys.commit(Commit(ME, put=puts[:1], drop=drops, limits=LOCAL_LIMITS))
        await keys.commit(Commit(ME, drop=drops, limits=LOCAL_LIMITS))
        assert not keys.scan(b"0", b"1")
        await keys.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((), [b"d1", b"d2", b"e", b"p1", b"p2"]),
        ((1, 2), [b"p1", b"d1", b"d2", b"p2", b"e"]),
        ((0, 1), [b"d1", b"d2", b"p1", b"e", b"p2"]),
        ((2, 2), [b"p1", b"p2", b"d1", b"d2", b"e"]),
    ],
)
def test_events_come_in_the_order_that_the_commit_says(engine, tmp_path, after, expected):
    async def run():
        keys = await opened(engine, tmp_path)
        await keys.commit(Commit(ME, put=[Put(b"d1", b"1"), Put(b"d2", b"1"), Put(b"e", b"1")]))
        live = keys.watch(b"", b"z")
        commit = Commit(
            ME,
            put=[Put(b"p1", b"1"), Put(b"p2", b"1")],
            drop=[Drop(b"d", b"dz"), Drop(b"e")],
            durability=Durability.SYNC,
            after=after,
        )
        revision = await keys.commit(commit)
        [seen] = await live.take()
        assert [event.entry.key for event in seen.events] == expected
        assert await keys.watch(b"", b"z", revision).take() == [seen]
        [part] = await keys.watch(b"d2", b"p2", revision).take()
        assert [event.entry.key for event in part.events] == [key for key in expected if b"d2" <= key < b"p2"]
        await keys.close()
        if engine == "disk":
            keys = await opened(engine, tmp_path)
            assert await keys.watch(b"", b"z", revision).take() == [seen]
            await keys.close()

    asyncio.run(run())


def test_the_mark_and_the_size_are_told(engine, tmp_path):
    async def run():
        keys = await opened(engine, tmp_path)
        assert keys.compacted == 0
        before = keys.size_bytes
        for number in range(3):
            await keys.commit(Commit(ME, put=[Put(b"a", bytes(1000 * number))]))
        assert keys.size_bytes > before + 3000
        await keys.compact(keys.head)
        assert keys.compacted == keys.head
        await keys.close()

    asyncio.run(run())


def test_the_keys_of_a_range_are_counted_and_told_in_order(engine, tmp_path):
    async def run():
        keys = await opened(engine, tmp_path)
        names = [b"k%04d" % number for number in range(1500)]
        await keys.commit(Commit(ME, put=[Put(name, b"") for name in reversed(names)], limits=LOCAL_LIMITS))
        before = keys.keys_within(b"k0100", b"k1400")
        await keys.commit(Commit(ME, drop=[Drop(b"k0200")]))
        assert list(before) == names[100:1400]  # as it was
        assert keys.count(b"k0100", b"k1400") == len(keys.keys_within(b"k0100", b"k1400")) == 1299
        assert list(keys.keys_within(b"x", b"a")) == []
        await keys.close()

    asyncio.run(run())
