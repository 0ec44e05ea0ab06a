"""What the keys store on disk costs: commits, reads, reopening, memory.

State   none
Source  none; the figures in docs/decisions/0002-keys-store.md are from this file
Absent  none

    python -m bench.keys [FOLDER]

CPU is that of the process, all threads, so it holds on a busy machine; rates are the machine's at that time.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import uvloop

from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.kernel.keys import Author, Commit, Compare, Durability, Guard, Put, Revision, Target

ANNA = Author("etcd", "anna", "127.0.0.1:50000", "6d0a1f2e")
VALUE = b"v" * 64
KEYS = 1_000_000


def key(n: int) -> bytes:
    return b"/registry/pods/%08d" % n


async def open_keys(folder: Path) -> DiskKeys:
    return await DiskKeys.open(folder, lambda: time.monotonic() * 1000)


class Clock:
    """Wall and CPU seconds since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def row(self, label: str, count: int) -> None:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        print(f"{label:44} {count / wall:12,.0f} /s {cpu / count * 1e6:10.2f} us CPU")


def bare_disk(folder: Path) -> None:
    """What the disk itself takes for one small durable write."""
    descriptor = os.open(folder / "bare", os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(descriptor, bytes(1 << 20), 0)
    os.fsync(descriptor)
    clock = Clock()
    for n in range(2000):
        os.pwrite(descriptor, VALUE, n * 200)
        os.fdatasync(descriptor)
    clock.row("(bare pwrite + fdatasync)", 2000)
    os.close(descriptor)


def one_put(n: int) -> Commit:
    return Commit(ANNA, put=[Put(key(n % 1000), VALUE)])


async def sync_writers(keys: DiskKeys, writers: int, count: int) -> None:
    async def write(writer: int) -> None:
        for n in range(count // writers):
            commit = Commit(ANNA, put=[Put(key(writer * 1000 + n % 1000), VALUE)], durability=Durability.SYNC)
            await keys.settle(await keys.commit(commit))

    clock = Clock()
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    clock.row(f"sync commit of one put, {writers} writers", count)


async def relaxed(keys: DiskKeys, label: str, count: int, make: Callable[[int], Commit]) -> None:
    clock = Clock()
    for n in range(count):
        await keys.commit(make(n))
        if n % 50 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    clock.row(label, count)


def guarded(keys: DiskKeys) -> Callable[[int], Commit]:
    """What an AWS operation commits: one key read, written back."""

    def make(n: int) -> Commit:
        old = keys.get(key(n % 1000))
        assert old is not None
        return Commit(
            ANNA, [Guard(old.key, Target.MOD, Compare.EQUAL, old.mod_revision)], [Put(old.key, VALUE)]
        )

    return make


async def watched(keys: DiskKeys) -> None:
    """10,000 watches on other ranges beside the written one."""
    watches = [keys.watch(b"/w/%05d/" % n, b"/w/%05d0" % n) for n in range(10_000)]
    await relaxed(
        keys,
        "relaxed commit beside 10,000 watches",
        50_000,
        lambda n: Commit(ANNA, put=[Put(key(n % 1000), VALUE)]),
    )
    for watch in watches:
        watch.close()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def new_key(n: int) -> Commit:
    return Commit(ANNA, put=[Put(key(n), VALUE)])


async def fill(keys: DiskKeys) -> None:
    await relaxed(
        keys,
        "relaxed commit of a new key, to 1 M keys",
        KEYS,
        lambda n: Commit(ANNA, put=[Put(key(n), VALUE)]),
    )


async def reads(keys: DiskKeys) -> None:
    names = [key(n * 7919 % KEYS) for n in range(200_000)]
    clock = Clock()
    for name in names:
        keys.get(name)
    clock.row("get", len(names))
    clock = Clock()
    for name in names[:50_000]:
        keys.scan(name, b"\xff", limit=10)
    clock.row("scan of 10", 50_000)
    clock = Clock()
    keys.scan(b"", b"\xff")
    clock.row("scan of everything, a row", KEYS)
    for n in range(2000):
        await keys.commit(Commit(ANNA, put=[Put(key(n), b"new")]))
    clock = Clock()
    for n in range(500):
        await keys.scan_at(Revision(KEYS), key(n), key(n) + b"\0")
    clock.row("get at a past revision", 500)
    clock = Clock()
    watch, seen = keys.watch(b"", b"\xff", Revision(KEYS - 200_000)), 0
    while seen < 200_000:
        seen += len(await watch.take())
    watch.close()
    clock.row("catch up of a watch, a change", seen)


async def checkpointed(keys: DiskKeys) -> None:
    """A checkpoint of everything, and the longest turn of the loop meanwhile."""
    clock, longest = Clock(), 0.0
    task = keys.start_checkpoint()
    while not task.done():
        begun = time.perf_counter()
        await asyncio.sleep(0)
        longest = max(longest, time.perf_counter() - begun)
    clock.row(f"checkpoint, a key (longest turn {longest * 1e3:.1f} ms)", KEYS)


async def reopened(folder: Path) -> None:
    gc.collect()
    before = resident_bytes()
    clock = Clock()
    keys = await open_keys(folder)
    clock.row("reopen with 1 M keys", 1)
    gc.collect()
    bare = len(key(0)) + len(VALUE)
    print(
        f"{'memory beside key and value, a key':44} {(resident_bytes() - before) / KEYS - bare:12,.0f} bytes"
    )
    await keys.close()


async def whole(folder: Path) -> None:
    bare_disk(folder)
    keys = await open_keys(folder / "a")
    await sync_writers(keys, 1, 5_000)
    await sync_writers(keys, 64, 100_000)
    await relaxed(
        keys, "relaxed commit of one put", 100_000, lambda n: Commit(ANNA, put=[Put(key(n % 1000), VALUE)])
    )
    await relaxed(keys, "relaxed, guarded: get, decide, commit", 100_000, guarded(keys))
    await watched(keys)
    await keys.close()
    keys = await open_keys(folder / "b")
    await fill(keys)
    await reads(keys)
    await checkpointed(keys)
    await keys.close()


def in_child(body: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run in a process of its own, so that memory starts from nothing."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        uvloop.run(body())
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def main(folder: Path) -> None:
    in_child(lambda: whole(folder))
    in_child(lambda: reopened(folder / "b"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as own:
        main(Path(own))
