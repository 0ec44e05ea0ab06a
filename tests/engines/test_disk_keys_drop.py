"""Drops of very many keys: the same as short ones to everybody who looks, and short turns."""

import asyncio
import shutil
from itertools import pairwise
from random import Random

import pytest

from cloudlet.engines import disk_keys_drop, disk_keys_past, keys_dump, keys_feed
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.disk_keys_log import LogSettings
from cloudlet.engines.disk_keys_past import DiskPast
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel import keys_drop
from cloudlet.kernel.fault import NoSuchLease
from cloudlet.kernel.keys import Author, Commit, Drop, Durability, LeaseId, Put

ME = Author("test")
START, STOP = b"k", b"l"
LEASES = (LeaseId(1), LeaseId(2))


@pytest.fixture
def small(monkeypatch):
    """What is long, and a page, are small."""
    monkeypatch.setattr(disk_keys_drop, "DROP_KEYS_MAX", 3)
    monkeypatch.setattr(disk_keys_drop, "PAGE_KEYS", 2)
    monkeypatch.setattr(disk_keys_drop, "SORTED_KEYS", 3)
    monkeypatch.setattr(keys_drop, "PATCHED_PAGES", 1)


def numbered(number):
    return b"k%02d" % number


async def every(watch, count):
    found = []
    while len(found) < count:
        found += await watch.take()
    return found


class Both:
    """A store on disk and one in memory, to which the same is done in the same turns."""

    def __init__(self, disk, random):
        self.disk = disk
        self.memory = MemoryKeys(lambda: 0.0)
        self.random = random
        self.is_done = False

    def commit(self, commit):
        assert self.disk.commit_now(commit) == self.memory.commit_now(commit)

    async def drop(self):
        """A long drop, alone or with more in the same commit."""
        puts = [Put(b"a", b"")] if self.random.random() < 0.5 else []
        cuts = sorted(self.random.sample(range(61), 4))
        ranges = [(numbered(cuts[0]), numbered(cuts[1])), (numbered(cuts[2]), numbered(cuts[3]))]
        if self.random.random() < 0.5:
            ranges = ranges[::-1]
        if self.random.random() < 0.2:
            ranges.append((numbered(cuts[0]), STOP))  # which overlaps
        drops = [Drop(start, stop) for start, stop in ranges]
        if cuts[2] > cuts[1] and self.random.random() < 0.5:
            drops.insert(1, Drop(numbered(cuts[1])))  # a single key in between
        after = [self.random.randint(0, len(puts))] * len(drops)
        async with self.disk.foresee(ranges):
            self.commit(Commit(ME, (), puts, drops, Durability.SYNC, after=after))

    async def revoke(self):
        lease = self.random.choice(LEASES)
        self.commit(Commit(ME, put=[Put(b"a%d" % lease, b"", lease=lease)]))  # so that it has one in any case
        revision = await self.disk.lease_revoke(lease, ME)
        assert await self.memory.lease_revoke(lease, ME) == revision
        for keys in (self.disk, self.memory):
            keys.lease_begin(lease, 1000)

    async def others(self):
        """Somebody else writes all the time."""
        while not self.is_done:
            for _ in range(self.random.randint(0, 2)):
                key = numbered(self.random.randrange(60))
                if self.random.random() < 0.3:
                    self.commit(Commit(ME, drop=[Drop(key)]))
                else:
                    self.commit(Commit(ME, put=[Put(key, b"v", lease=self.random.choice((0, *LEASES)))]))
                self.compare()
            if self.random.random() < 0.02:
                self.disk.start_checkpoint()
            await asyncio.sleep(0)

    def compare(self):
        disk, memory = self.disk, self.memory
        assert disk.head == memory.head
        assert list(disk.scan(b"", b"z")) == list(memory.scan(b"", b"z"))
        assert disk.count(START, STOP) == memory.count(START, STOP)
        for number in range(60):
            assert disk.get(numbered(number)) == memory.get(numbered(number))
        for lease in LEASES:
            assert disk.lease_keys(lease) == memory.lease_keys(lease)

    async def compare_past(self):
        head = self.disk.head
        for revision in {head, *(self.random.randint(1, head) for _ in range(5))}:
            for reverse in (False, True):
                there = await self.memory.scan_at(revision, START, STOP, limit=40, reverse=reverse)
                assert await self.disk.scan_at(revision, START, STOP, limit=40, reverse=reverse) == there


@pytest.mark.parametrize("seed", range(6))
def test_a_long_drop_is_to_others_what_a_short_one_is(small, tmp_path, seed):
    async def run():
        random = Random(seed)
        settings = LogSettings(segment_bytes=8192, first_segment_bytes=4096)
        both = Both(await DiskKeys.open(tmp_path, lambda: 0.0, settings=settings), random)
        for keys in (both.disk, both.memory):
            for lease in LEASES:
                keys.lease_begin(lease, 1000)
        ranges = [(START, STOP), (b"", b"z"), (numbered(20), numbered(30))]
        live = [[keys.watch(*each) for each in ranges] for keys in (both.disk, both.memory)]
        writing = asyncio.create_task(both.others())
        for _ in range(15):
            await (both.drop() if random.random() < 0.7 else both.revoke())
            both.compare()
            await both.compare_past()
            for _ in range(random.randint(0, 20)):
                await asyncio.sleep(0)
        both.is_done = True
        await writing
        for keys in (both.disk, both.memory):
            keys.commit_now(Commit(ME, put=[Put(b"k25", b"end")]))
            await keys.settle(keys.head)
        late = [[keys.watch(*each, 1) for each in ranges] for keys in (both.disk, both.memory)]
        for of_disk, of_memory in (live, late):
            for watch, model in zip(of_disk, of_memory, strict=True):
                expected = await model.take(1 << 20)
                assert await every(watch, len(expected)) == list(expected)
        await both.disk.close()
        both.disk = await DiskKeys.open(tmp_path, lambda: 0.0, settings=settings)
        both.compare()
        await both.compare_past()
        await both.disk.close()

    asyncio.run(run())


def filled(keys, count):
    for at in range(0, count, 100):
        keys.commit_now(Commit(ME, put=[Put(b"k%05d" % number, b"v" * 20) for number in range(at, at + 100)]))


def test_nobody_sees_half_of_a_long_drop_and_no_turn_looks_at_many_keys(tmp_path, monkeypatch):
    async def run():
        keys = await DiskKeys.open(tmp_path / "keys", lambda: 0.0)
        filled(keys, 5000)
        made, swept, seen = [], [], []
        add, bury = keys_drop.Part.add, keys._past.bury
        monkeypatch.setattr(
            keys_drop.Part, "add", lambda part, some: made.append(len(some)) or add(part, some)
        )
        monkeypatch.setattr(
            keys._past, "bury", lambda some, revision: swept.append(len(some)) or bury(some, revision)
        )
        watch = keys.watch(START, STOP)

        async def look():
            while True:
                there = keys.count(START, STOP)
                assert [keys.get(b"k%05d" % number) is not None for number in range(0, 5000, 999)] == [
                    bool(there)
                ] * 6
                seen.append((there, len(made), len(swept)))
                await asyncio.sleep(0)

        looking = asyncio.create_task(look())
        before = keys.head
        async with keys.foresee([(START, STOP)]):
            keys.commit_now(Commit(ME, drop=[Drop(START, STOP)]))
        assert keys.head == before + 1
        shutil.copytree(tmp_path / "keys", tmp_path / "copy")  # a crash before anything is swept
        [change] = await watch.take()
        assert [event.entry.key for event in change.events] == [b"k%05d" % number for number in range(5000)]
        while len(await keys.scan_at(before, START, STOP)) != 5000 or keys._newest.leaving is not None:
            await asyncio.sleep(0)
        looking.cancel()
        assert {there for there, _, _ in seen} == {5000, 0}
        assert max(made) <= 500
        assert max(swept) <= 1024
        for one, next_one in pairwise(seen):
            assert next_one[1] - one[1] <= 1
            assert next_one[2] - one[2] <= 1
        assert not keys._newest.entries
        await keys.close()
        copy = await DiskKeys.open(tmp_path / "copy", lambda: 0.0)
        assert copy.head == before + 1
        assert copy.count(START, STOP) == 0
        assert len(await copy.scan_at(before, START, STOP)) == 5000
        await copy.close()

    asyncio.run(run())


def test_a_long_drop_that_is_given_up_leaves_nothing_behind(tmp_path):
    async def run():
        keys = await DiskKeys.open(tmp_path, lambda: 0.0)
        filled(keys, 3000)

        async def drop():
            async with keys.foresee([(START, STOP)]):
                raise AssertionError("cancelled before")

        task = asyncio.create_task(drop())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert keys._newest.foreseen is None
        async with keys.foresee([(START, STOP)]):
            pass  # nor does one that commits nothing
        await asyncio.wait_for(keys.start_checkpoint(), 30)
        assert keys.count(START, STOP) == 3000
        with pytest.raises(NoSuchLease):
            await keys.lease_revoke(LeaseId(9), ME)
        await keys.close()

    asyncio.run(run())


def test_the_past_of_a_long_drop_is_read_once_and_in_slices(tmp_path, monkeypatch):
    async def run():
        keys = await DiskKeys.open(tmp_path, lambda: 0.0)
        filled(keys, 5000)
        before = keys.head
        async with keys.foresee([(START, STOP)]):
            keys.commit_now(Commit(ME, drop=[Drop(START, STOP)]))
        read, sliced = [], []
        step, within = DiskPast._step, disk_keys_past.events_within
        monkeypatch.setattr(
            DiskPast, "_step", lambda past, revision: read.append(revision) or step(past, revision)
        )
        monkeypatch.setattr(
            disk_keys_past, "events_within", lambda rows, *of: sliced.append(len(rows)) or within(rows, *of)
        )
        assert len(await keys.scan_at(before, START, STOP)) == 5000
        assert len(read) < 10
        [change] = await keys.watch(START, STOP, before + 1).take()
        assert len(change.events) == 5000
        assert max(sliced) <= 1000
        await keys.close()

    asyncio.run(run())


def test_the_same_drop_by_somebody_else_takes_all_keys_also_while_one_is_prepared(small, tmp_path):
    async def run():
        keys = await DiskKeys.open(tmp_path, lambda: 0.0)
        lease = LeaseId(1)

        def fill():
            keys.lease_begin(lease, 1000)
            puts = [Put(numbered(number), b"v", lease=lease) for number in range(40)]
            keys.commit_now(Commit(ME, put=puts))

        async def drop():
            async with keys.foresee([(START, STOP)]):
                return keys.commit_now(Commit(ME, drop=[Drop(START, STOP)]))

        async def begun(coroutine):
            task = asyncio.create_task(coroutine)
            while keys._newest.foreseen is None or not keys._newest.foreseen.parts[0].pages:
                await asyncio.sleep(0)
            assert len(keys._newest.foreseen.parts[0].pages) < 3
            return task

        fill()
        task = await begun(drop())
        revision = keys.commit_now(Commit(ME, drop=[Drop(START, STOP)]))
        assert keys.count(START, STOP) == 0
        assert await task == revision  # there was nothing left to drop
        keys.lease_end(lease)
        fill()
        task = await begun(keys.lease_revoke(lease, ME))
        keys.commit_now(Commit(ME, drop=[Drop(numbered(3), STOP)]))
        await keys.lease_revoke(lease, ME)  # of few keys now: in this turn
        assert keys.count(START, STOP) == 0
        with pytest.raises(NoSuchLease):
            await task
        await keys.close()

    asyncio.run(run())


def test_the_past_below_many_writes_of_many_keys_is_read_frame_by_frame(tmp_path, monkeypatch):
    """Each key's way back leads through the same frames, long ones among them: none is read for each key."""

    async def run():
        keys = await DiskKeys.open(tmp_path, lambda: 0.0)
        filled(keys, 3000)
        before = keys.head
        for _ in range(3):
            async with keys.foresee([(START, STOP)]):
                keys.commit_now(Commit(ME, drop=[Drop(START, STOP)]))
            filled(keys, 3000)
            filled(keys, 3000)
        frames = keys.head - before
        read = []
        step = DiskPast._step
        monkeypatch.setattr(
            DiskPast, "_step", lambda past, revision: read.append(revision) or step(past, revision)
        )
        assert len(await keys.scan_at(before, START, STOP)) == 3000
        assert len(read) == frames
        monkeypatch.setattr(disk_keys_past, "ROWS_KEPT", 100)  # not even that much room
        monkeypatch.setattr(disk_keys_past, "FRAMES_KEPT_MIN", 1)
        assert len(await keys.scan_at(before, START, START + b"0002")) == 20
        await keys.close()

    asyncio.run(run())


def test_of_more_watches_than_keys_only_those_of_the_keys_are_looked_at(small, tmp_path, monkeypatch):
    async def run():
        keys = await DiskKeys.open(tmp_path, lambda: 0.0)
        keys.commit_now(Commit(ME, put=[Put(numbered(number), b"") for number in range(20)]))
        watches = [keys.watch(numbered(number), numbered(number) + b"\0") for number in range(60)]
        everything = keys.watch(b"", b"z")
        looked, touches = [], keys_feed.step_touches
        monkeypatch.setattr(
            keys_feed, "step_touches", lambda step, *place: looked.append(place) or touches(step, *place)
        )
        async with keys.foresee([(numbered(5), STOP)]):
            keys.commit_now(Commit(ME, put=[Put(b"a", b"")], drop=[Drop(numbered(5), STOP)]))
        assert looked == []
        keys.commit_now(Commit(ME, put=[Put(numbered(number), b"end") for number in range(60)]))
        for number, watch in enumerate(watches):
            events = [event for change in await every(watch, 1) for event in change.events]
            assert events[0].dropped == (5 <= number < 20)
        [change, _] = await every(everything, 2)
        assert [event.entry.key for event in change.events] == [
            *map(numbered, range(5, 20)),
            b"a",
        ]
        await keys.close()

    asyncio.run(run())


def test_ranges_that_overlap_are_not_prepared_again_and_again(small, tmp_path):
    async def run():
        keys = await DiskKeys.open(tmp_path, lambda: 0.0)
        keys.commit_now(Commit(ME, put=[Put(numbered(number), b"") for number in range(60)]))
        ranges = [(numbered(number), STOP) for number in range(30)]
        async with keys.foresee(ranges):
            parts = keys._newest.foreseen.parts
            assert 1 < len(parts) < 4
            assert sum(len(part.entries()) for part in parts) <= 2 * 60
            keys.commit_now(Commit(ME, drop=[Drop(*each) for each in ranges]))
        assert keys.count(b"", b"z") == 0
        await keys.close()

    asyncio.run(run())


def test_a_save_of_before_a_long_drop_is_written_in_slices(tmp_path, monkeypatch):
    async def run():
        keys = await DiskKeys.open(tmp_path / "keys", lambda: 0.0)
        filled(keys, 5000)
        before = keys.head
        async with keys.foresee([(START, STOP)]):
            keys.commit_now(Commit(ME, drop=[Drop(START, STOP)]))
        sizes, page = [], keys_dump.entries_page
        monkeypatch.setattr(
            keys_dump, "entries_page", lambda entries: sizes.append(len(entries)) or page(entries)
        )
        path = tmp_path / "dump"
        assert await keys_dump.write_dump(path, keys, before, b"", b"z", is_durable=False) == 5000
        assert sizes == [1000] * 5
        found = [entry for some in keys_dump.read_dump(path) for entry in some]
        assert found == list(await keys.scan_at(before, b"", b"z"))
        await keys.close()

    asyncio.run(run())
