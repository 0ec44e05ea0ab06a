"""The keys store on disk when the disk is not kind: full, torn, damaged, cut off in a checkpoint."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random

import pytest

from cloudlet.engines import disk_keys, disk_keys_log, disk_keys_past
from cloudlet.engines import disk_keys_checkpoint as checkpoint
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.disk_keys_log import LogSettings, reserve_space
from cloudlet.engines.disk_keys_record import parse_frame
from cloudlet.engines.disk_window import Window
from cloudlet.kernel.fault import Compacted, Damaged, NoSpace, StoreError
from cloudlet.kernel.keys import Author, Change, Commit, Drop, Durability, Entry, LeaseId, Put, Revision

ANNA = Author("etcd", "anna")
EVERYTHING = (b"", b"\xff" * 8)
SMALL = LogSettings(segment_bytes=4096, first_segment_bytes=4096, checkpoint_bytes=1 << 30)


def now_ms() -> float:
    return 0.0


async def open_store(folder: Path, settings: LogSettings = SMALL) -> DiskKeys:
    return await DiskKeys.open(folder, now_ms, settings=settings, history_free=[b"free/"])


async def put(keys: DiskKeys, key: bytes, value: bytes, durability: Durability = Durability.SYNC) -> Revision:
    revision = await keys.commit(Commit(ANNA, put=[Put(key, value)], durability=durability))
    await keys.settle(revision)
    return revision


def contents(keys: DiskKeys) -> list[Entry]:
    return list(keys.scan(*EVERYTHING))


async def history(keys: DiskKeys, since: int) -> list[Change]:
    """Every change from `since` on."""
    watch = keys.watch(*EVERYTHING, Revision(since))
    found: list[Change] = []
    while watch.position <= keys.head:
        found += await watch.take()
    return found


def run(body: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(body())


def last_segment(folder: Path) -> Path:
    return max(folder.glob("log-*"))


def test_a_full_disk_refuses_with_nothing_done_and_heals(tmp_path: Path) -> None:
    room = [2]

    def reserve(descriptor: int, size_bytes: int) -> None:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, "no space")
        room[0] -= 1
        reserve_space(descriptor, size_bytes)

    async def body() -> None:
        settings = LogSettings(segment_bytes=4096, first_segment_bytes=4096, reserve=reserve)
        keys = await open_store(tmp_path, settings)
        watch = keys.watch(b"a", b"b")
        taken = 0
        try:
            while taken < 1000:
                await put(keys, b"a", b"%d" % taken)
                taken += 1
        except NoSpace:
            pass
        assert 20 < taken < 1000
        before = contents(keys)
        assert (keys.head, keys.settled, before[0].value) == (taken + 1, taken + 1, b"%d" % (taken - 1))
        with pytest.raises(NoSpace):
            await put(keys, b"a", b"x" * 200)
        assert contents(keys) == before
        assert len(await watch.take()) == taken
        assert (await keys.scan_at(Revision(3), b"a", b"b"))[0].value == b"1"
        room[0] = 1
        assert await put(keys, b"a", b"room again") == taken + 2
        await keys.close()
        keys = await open_store(tmp_path)
        assert contents(keys)[0].value == b"room again"
        await keys.close()

    run(body)


def test_any_other_write_error_is_fatal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        told: list[BaseException] = []
        keys = await DiskKeys.open(tmp_path, now_ms, settings=SMALL, fatal=told.append)
        await put(keys, b"a", b"1")
        waiting = asyncio.create_task(keys.watch(b"a", b"b").take())

        def broken(_descriptor: int) -> None:
            raise OSError(errno.EIO, "the disk is gone")

        monkeypatch.setattr("cloudlet.engines.disk_keys_sync.sync_data", broken)
        revision = await keys.commit(Commit(ANNA, put=[Put(b"a", b"2")], durability=Durability.SYNC))
        with pytest.raises(StoreError):
            await keys.settle(revision)
        with pytest.raises(StoreError):
            await waiting
        assert keys.settled < revision  # it was never shown
        assert [error.errno for error in told if isinstance(error, OSError)] == [errno.EIO]
        with pytest.raises(StoreError):
            await put(keys, b"b", b"")
        monkeypatch.undo()
        await keys.close()

    run(body)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    async def body() -> None:
        keys = await open_store(tmp_path)
        with pytest.raises(StoreError, match="in use"):
            await open_store(tmp_path)
        await keys.close()
        await (await open_store(tmp_path)).close()

    run(body)


def frame_starts(path: Path) -> list[int]:
    """Where the frames of a segment begin, and where the last one ends."""
    data = path.read_bytes()
    starts = [disk_keys_log.SEGMENT_HEADER_BYTES]
    while (frame := parse_frame(data, starts[-1])) is not None:
        starts.append(frame.stop)
    return starts


@pytest.mark.parametrize("rest", [b"", b"\0", b"\xff", b"\xc1KEY"], ids=["cut", "zero", "ones", "marker"])
def test_a_tail_torn_at_any_byte_is_repaired(tmp_path: Path, rest: bytes) -> None:
    async def body() -> None:
        keys = await open_store(tmp_path / "whole")
        for n in range(4):
            await put(keys, b"k%d" % n, b"value %d" % n)
        before = contents(keys)
        await keys.commit(Commit(ANNA, put=[Put(b"a", b"x"), Put(b"b", b"y")], drop=[Drop(b"k1")]))
        after = contents(keys)
        shutil.copytree(tmp_path / "whole", tmp_path / "killed")
        await keys.close()
        path = last_segment(tmp_path / "killed")
        data = path.read_bytes()
        start, stop = frame_starts(path)[-2:]
        for cut in range(start, stop + 1):
            shutil.rmtree(tmp_path / "again", ignore_errors=True)
            shutil.copytree(tmp_path / "killed", tmp_path / "again")
            torn = data[:cut] + (rest * stop)[: stop - cut]
            # The filler may spell the lost bytes: then nothing was torn.
            is_whole = torn[:stop] == data[:stop]
            last_segment(tmp_path / "again").write_bytes(torn.ljust(len(data), b"\0") if rest else torn)
            keys = await open_store(tmp_path / "again")
            assert contents(keys) == (after if is_whole else before), cut
            assert await put(keys, b"new", b"%d" % cut) == keys.head
            settled = contents(keys)
            await keys.close()
            keys = await open_store(tmp_path / "again")
            assert contents(keys) == settled
            assert len(await history(keys, 2)) == keys.head - 1
            await keys.close()

    run(body)


def test_damage_is_told_with_the_file(tmp_path: Path) -> None:
    async def body() -> None:
        keys = await open_store(tmp_path / "whole")
        for n in range(150):
            await put(keys, b"k%d" % n, b"value %d" % n)
        await keys.close()
        segments = sorted((tmp_path / "whole").glob("log-*"))
        assert len(segments) > 2
        for path in (segments[0], segments[1], segments[-1]):
            for start in (0, *frame_starts(path)[:-2]):
                shutil.rmtree(tmp_path / "again", ignore_errors=True)
                shutil.copytree(tmp_path / "whole", tmp_path / "again")
                data = bytearray(path.read_bytes())
                data[start + 12] ^= 0x40
                (tmp_path / "again" / path.name).write_bytes(data)
                with pytest.raises(Damaged, match=path.name):
                    await open_store(tmp_path / "again")

    run(body)


def test_another_format_is_refused_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        await (await open_store(tmp_path)).close()
        monkeypatch.setattr(disk_keys_log, "FORMAT", 2)
        with pytest.raises(StoreError, match="format 1, this version reads 2"):
            await open_store(tmp_path)

    run(body)


async def fill(keys: DiskKeys) -> None:
    """Something of everything a checkpoint holds."""
    await keys.lease_grant(LeaseId(7), 1000, ANNA)
    for n in range(1500):
        lease = LeaseId(7) if n % 5 == 0 else LeaseId(0)
        meta = b"m" if n % 7 == 0 else b""
        await keys.commit(Commit(ANNA, put=[Put(b"k%04d" % (n % 1200), b"%d" % n, meta, lease)]))
    await keys.commit(Commit(ANNA, drop=[Drop(b"k0100", b"k0200"), Drop(b"k0999")]))
    await keys.compact(Revision(50))


def test_a_checkpoint_shows_one_revision_while_commits_go_on(tmp_path: Path) -> None:
    async def body() -> None:
        keys = await open_store(tmp_path / "live")
        await fill(keys)
        task = keys.start_checkpoint()
        await asyncio.sleep(0)  # it begins, at this revision
        before, head = contents(keys), keys.head
        n = 0
        while not task.done():
            await keys.commit(
                Commit(ANNA, put=[Put(b"k%04d" % (n * 37 % 1300), b"later"), Put(b"z%d" % n, b"")])
            )
            await keys.commit(Commit(ANNA, drop=[Drop(b"k%04d" % (n * 53 % 1300)), Drop(b"z%d" % (n - 5))]))
            n += 1
            await asyncio.sleep(0)
        assert n > 3
        shutil.copytree(tmp_path / "live", tmp_path / "copy")
        alone = checkpoint.Newest(now_ms)
        loaded = checkpoint.load(tmp_path / "copy", alone)
        assert loaded is not None
        assert (loaded[0].revision, alone.scan(*EVERYTHING, None, reverse=False)) == (head, before)
        after, past = contents(keys), list(await keys.scan_at(head, b"a", b"e"))
        leased = keys.lease_keys(LeaseId(7))
        changes = await history(keys, 60)
        await keys.close()
        keys = await open_store(tmp_path / "live")
        assert contents(keys) == after
        assert list(await keys.scan_at(head, b"a", b"e")) == past
        assert keys.lease_keys(LeaseId(7)) == leased
        assert await history(keys, 60) == changes
        with pytest.raises(Compacted):
            await keys.scan_at(Revision(49), b"k", b"l")
        await keys.close()

    run(body)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [None, 7])
def test_a_scan_in_turns_shows_one_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, reverse: bool, limit: int | None
) -> None:
    monkeypatch.setattr(disk_keys_past, "SCAN_KEYS", 4)
    monkeypatch.setattr(disk_keys, "SCAN_KEYS", 4)

    async def body() -> None:
        keys = await open_store(tmp_path)
        pick = Random(f"{reverse} {limit}")

        async def change() -> None:
            key = b"k%02d" % pick.randrange(40)
            drop, puts = ([], [Put(key, b"%d" % pick.randrange(99))])
            if pick.random() < 0.4:
                drop, puts = [Drop(key, key + b"5")], []
            await keys.commit(Commit(ANNA, put=puts, drop=drop))

        for _ in range(150):
            await change()
        for _ in range(20):
            revision, wanted = keys.head, keys.scan(b"k", b"l", limit=limit, reverse=reverse)
            asked = asyncio.create_task(keys.scan_at(revision, b"k", b"l", limit=limit, reverse=reverse))
            await asyncio.sleep(0)
            while not asked.done():
                await change()
                await asyncio.sleep(0)
            assert list(asked.result()) == list(wanted)
        await keys.close()

    run(body)


def test_a_checkpoint_gives_way_where_much_was_kept_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "ASIDE_MAX", 10)

    async def body() -> None:
        keys = await open_store(tmp_path)
        for number in range(30):
            await keys.commit(Commit(ANNA, put=[Put(b"k%03d" % number, b"old")]))
        walk = keys._checkpoints.walk = checkpoint.Walk(keys._newest, {}, Revision(0), 0)
        wanted = contents(keys)
        pages = walk.pages()
        next(pages)
        await keys.commit(Commit(ANNA, drop=[Drop(b"k000", b"k020")]))
        await keys.commit(Commit(ANNA, put=[Put(b"m%03d" % number, b"new") for number in range(100)]))
        found: list[Entry] = []
        turns = 0
        for some in pages:
            turns += 1
            for kind, content in checkpoint._pages(tmp_path, some):
                if kind == checkpoint.ENTRIES:
                    entries = list(checkpoint.entries_of(content)[1])
                    assert len(entries) <= 11
                    found += entries
        assert found == wanted
        assert turns > 12
        keys._checkpoints.walk = None
        await keys.close()

    run(body)


def test_a_store_that_closes_leaves_a_checkpoint_if_its_log_has_grown(tmp_path: Path) -> None:
    settings = LogSettings(
        segment_bytes=4096, first_segment_bytes=4096, checkpoint_bytes=1 << 30, end_checkpoint_bytes=2048
    )

    async def opened() -> DiskKeys:
        return await DiskKeys.open(tmp_path, now_ms, settings=settings)

    async def body() -> None:
        keys = await opened()
        await put(keys, b"a", b"little")
        await keys.close()
        assert not (tmp_path / checkpoint.NAME).exists()
        keys = await opened()
        for n in range(200):
            await put(keys, b"k%03d" % n, b"much", Durability.RELAXED)
        before, head = contents(keys), keys.head
        await keys.close()
        assert (tmp_path / checkpoint.NAME).exists()
        keys = await opened()
        assert (contents(keys), keys.head) == (before, head)
        assert await history(keys, 2)
        written = checkpoint.size_bytes(tmp_path)
        await put(keys, b"b", b"little")
        await keys.close()
        assert checkpoint.size_bytes(tmp_path) == written

    run(body)


def test_a_checkpoint_cut_off_at_any_step_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        live = tmp_path / "live"
        settings = LogSettings(segment_bytes=4096, first_segment_bytes=4096, history_bytes_max=20_000)
        monkeypatch.setattr(checkpoint, "WRITE_BYTES", 4096)
        keys = await open_store(live, settings)
        await fill(keys)
        await keys.start_checkpoint()  # an older one is there, too
        for n in range(300):
            await put(keys, b"k%04d" % n, b"second", Durability.RELAXED)
        expected = contents(keys)
        states: list[Path] = []
        one_by_one = threading.Lock()  # files are deleted on another thread, and not while one is copied

        def snapshot() -> None:
            with one_by_one:
                states.append(tmp_path / f"killed-{len(states)}")
                shutil.copytree(live, states[-1])

        write_all, publish, unlink = checkpoint._write_all, checkpoint.publish, Path.unlink

        def write_in_halves(file: object, data: bytes) -> None:
            write_all(file, data[: len(data) // 2])  # type: ignore[arg-type]
            snapshot()
            write_all(file, data[len(data) // 2 :])  # type: ignore[arg-type]

        def publish_seen(folder: Path) -> None:
            snapshot()
            publish(folder)
            snapshot()

        def unlink_seen(path: Path, missing_ok: bool = False) -> None:
            with one_by_one:
                unlink(path, missing_ok)
            if path.parent == live and path.name.startswith("log-"):
                snapshot()

        with monkeypatch.context() as patched:
            patched.setattr(checkpoint, "_write_all", write_in_halves)
            patched.setattr(checkpoint, "publish", publish_seen)
            patched.setattr(Path, "unlink", unlink_seen)
            await keys.start_checkpoint()
            await keys.close()
        assert len(states) > 5
        for state in states:
            again = await open_store(state, settings)
            assert contents(again) == expected
            assert len(again.lease_keys(LeaseId(7))) == len({e.key for e in expected if e.lease})
            await again.close()

    run(body)


def test_history_is_bounded_and_says_so(tmp_path: Path) -> None:
    async def body() -> None:
        settings = LogSettings(
            segment_bytes=4096, first_segment_bytes=4096, history_bytes_max=20_000, checkpoint_bytes=8192
        )
        keys = await open_store(tmp_path, settings)
        slow = keys.watch(b"a", b"b")
        for n in range(3000):
            await put(keys, b"a", b"%d" % n, Durability.RELAXED)
            if n % 50 == 0:
                await asyncio.sleep(0.001)
        for _ in range(2):  # one that was under way knows nothing of the last puts
            await keys.start_checkpoint()
        async with asyncio.timeout(30):
            while 4096 * len(list(tmp_path.glob("log-*"))) > 20_000 + 3 * 4096:
                await asyncio.sleep(0.01)
        with pytest.raises(Compacted) as refused:
            await keys.scan_at(Revision(5), b"a", b"b")
        oldest = refused.value.revision
        assert 2500 < oldest < 3000
        with pytest.raises(Compacted):
            await slow.take()
        for again in range(2):
            for revision in range(oldest, 3002):
                (entry,) = await keys.scan_at(Revision(revision), b"a", b"b")
                assert entry.value == b"%d" % (revision - 2)
            assert [change.revision for change in await history(keys, oldest)] == list(range(oldest, 3002))
            if again == 0:
                await keys.close()
                keys = await open_store(tmp_path, settings)
        await keys.close()

    run(body)


def test_large_frames_and_large_ranges(tmp_path: Path) -> None:
    async def body() -> None:
        keys = await open_store(tmp_path)
        big = b"x" * 900_000
        for n in range(3):
            await put(keys, b"big", big + b"%d" % n)
        for n in range(2000):
            await keys.commit(Commit(ANNA, put=[Put(b"s%04d" % n, b"%d" % n)]))
        await keys.commit(Commit(ANNA, drop=[Drop(b"s", b"t")]))  # one frame, many segments long
        await put(keys, b"end", b"")
        for again in range(2):
            assert [entry.key for entry in keys.scan(*EVERYTHING)] == [b"big", b"end"]
            assert [e.value[-1:] for e in await keys.scan_at(Revision(3), b"b", b"c")] == [b"1"]
            assert len(await keys.scan_at(Revision(2004), b"s", b"t")) == 2000
            changes = await history(keys, 2)
            assert [change.revision for change in changes] == list(range(2, keys.head + 1))
            assert len(changes[-2].events) == 2000
            if again == 0:
                await keys.close()
                keys = await open_store(tmp_path)
        await keys.close()

    run(body)


def test_a_relaxed_commit_waits_behind_a_sync_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        keys = await open_store(tmp_path)
        relaxed = await keys.commit(Commit(ANNA, put=[Put(b"a", b"1")]))
        assert keys.settled == keys.head == relaxed
        sync = await keys.commit(Commit(ANNA, put=[Put(b"a", b"2")], durability=Durability.SYNC))
        behind = await keys.commit(Commit(ANNA, put=[Put(b"a", b"3")]))
        assert (keys.settled, keys.head) == (relaxed, behind)
        watch = keys.watch(b"a", b"b", Revision(2))
        assert [change.revision for change in await watch.take(1)] == [relaxed]
        assert [change.revision for change in await watch.take()] == [sync, behind]
        assert keys.settled == behind
        await keys.close()

    run(body)


def test_what_a_turn_commits_is_one_write_and_can_be_read_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        keys = await open_store(tmp_path, LogSettings())
        sizes: list[int] = []

        def counted(way: Callable[[Window, bytes, int], None]) -> Callable[[Window, bytes, int], None]:
            def write(window: Window, data: bytes, at: int) -> None:
                sizes.append(len(data))
                way(window, data, at)

            return write

        monkeypatch.setattr(Window, "write", counted(Window.write))
        monkeypatch.setattr(Window, "call", counted(Window.call))
        for n in range(20):
            await keys.commit(Commit(ANNA, put=[Put(b"a", b"%d" % n)], durability=Durability.SYNC))
        assert sizes == []  # nobody was promised anything yet
        await keys.settle(keys.head)
        assert len(sizes) == 1
        last = await keys.commit(Commit(ANNA, put=[Put(b"a", b"new")], durability=Durability.SYNC))
        assert (await keys.scan_at(Revision(last - 1), b"a", b"b"))[0].value == b"19"
        assert len(sizes) == 2
        await keys.commit(Commit(ANNA, put=[Put(b"a", b"later")], durability=Durability.SYNC))
        await keys.commit(Commit(ANNA, put=[Put(b"b", b"")]))  # kill -9 may take neither from here on
        assert len(sizes) == 3
        monkeypatch.setattr(disk_keys_log, "GATHERED_BYTES_MAX", 100)
        await keys.commit(Commit(ANNA, put=[Put(b"a", b"x" * 200)], durability=Durability.SYNC))
        assert len(sizes) == 4
        monkeypatch.undo()
        await keys.close()
        keys = await open_store(tmp_path)
        assert [entry.key for entry in contents(keys)] == [b"a", b"b"]
        assert contents(keys)[0].value == b"x" * 200
        await keys.close()

    run(body)


def test_a_write_that_fails_is_fatal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        told: list[BaseException] = []
        keys = await DiskKeys.open(tmp_path, now_ms, settings=SMALL, fatal=told.append)
        revision = await keys.commit(Commit(ANNA, put=[Put(b"a", b"2")], durability=Durability.SYNC))

        def refuse(window: Window, data: bytes, at: int) -> None:
            raise OSError(errno.EIO, "no")

        monkeypatch.setattr(Window, "call", refuse)
        with pytest.raises(StoreError):
            await keys.settle(revision)
        assert keys.settled < revision
        assert [error.errno for error in told if isinstance(error, OSError)] == [errno.EIO]
        monkeypatch.undo()
        await keys.close()

    run(body)


def test_descriptors_and_threads_are_let_go(tmp_path: Path) -> None:
    async def body() -> None:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            keys = await open_store(tmp_path)
            for n in range(200):
                await put(keys, b"a", b"%d" % n, Durability.RELAXED)
            await keys.start_checkpoint()
            await keys.close()
        assert len(os.listdir("/proc/self/fd")) <= before + 1

    if Path("/proc/self/fd").exists():
        run(body)


@pytest.mark.parametrize("seed", range(40))
def test_a_power_loss_takes_only_what_was_not_promised(tmp_path: Path, seed: int) -> None:
    """Of what was not synced, the disk holds any sectors: old ones here, new ones there."""
    random = Random(seed)

    async def body() -> None:
        settings = LogSettings(segment_bytes=8192, first_segment_bytes=4096, checkpoint_bytes=20_000)
        keys = await open_store(tmp_path / "live", settings)
        promised = await random_puts(keys, random, random.randrange(300))
        keys._checkpoints.start_if_due = lambda _: None  # type: ignore[method-assign, assignment, return-value]
        if keys._checkpoints.making is not None:
            await asyncio.wait([keys._checkpoints.making])
        old = tmp_path / "old"
        keys._sync.retire([(old, os.open(old, os.O_CREAT))])
        while old.exists():  # behind it nothing is retired any more
            await asyncio.sleep(0)
        promised = max(promised, await random_puts(keys, random, random.randrange(120)))
        durable = keys._log.durable
        shutil.copytree(tmp_path / "live", tmp_path / "dark")
        for segment in keys._log.segments:
            path = tmp_path / "dark" / segment.path.name
            data = bytearray(path.read_bytes())
            kept = max(0, durable - segment.start)
            for start in range(0, len(data), 512):
                if start + 512 > kept and random.random() < 0.3:
                    data[max(start, kept) : start + 512] = bytes(start + 512 - max(start, kept))
            path.write_bytes(data)
        expected = await history(keys, 2)
        await keys.close()
        keys = await open_store(tmp_path / "dark", settings)
        assert keys.head >= promised
        assert await history(keys, 2) == [c for c in expected if c.revision <= keys.head]
        await keys.close()

    run(body)


async def random_puts(keys: DiskKeys, random: Random, count: int) -> Revision:
    """Put some keys; the last revision that was settled as a sync one."""
    promised = Revision(1)
    for n in range(count):
        durability = random.choice([Durability.RELAXED] * 29 + [Durability.SYNC])
        puts = [Put(b"k%d" % (n % 9), b"%d" % n + b"x" * random.randrange(300))]
        revision = await keys.commit(Commit(ANNA, put=puts, durability=durability))
        if durability and random.random() < 0.5:
            await keys.settle(revision)
            promised = revision
    return promised
