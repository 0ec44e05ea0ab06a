"""A process that writes until it is killed, and says on its standard output what it was promised.

    python crash_writer.py FOLDER SEED STORE…

Each store has a `run(folder, random, tell)` of its own in STORES, and runs beside the others. A line told is
a list; what it means is between the store's writer here and its checker in test_crash_<store>.py. Nothing is
told before the store has promised it: so whatever the parent has read must be there after any kill.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.disk_keys_log import LogSettings
from cloudlet.kernel.keys import Author, Commit, Drop, Durability, Keys, LeaseId, Put

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.engines.crash_packs import run_packs
from tests.engines.crash_whole import run_whole
from tests.kafka.partition_crashes import run_partition

Tell = Callable[..., None]
Run = Callable[[Path, Random, Tell], Awaitable[None]]

WRITERS = 5
SMALL = LogSettings(
    segment_bytes=16_384, first_segment_bytes=4096, history_bytes_max=100_000, checkpoint_bytes=30_000
)
EVERYTHING = (b"", b"\xff" * 8)


async def open_keys(folder: Path) -> DiskKeys:
    """The store as both the writer and the checker open it."""
    return await DiskKeys.open(folder / "keys", lambda: time.monotonic() * 1000, settings=SMALL)


async def run_keys(folder: Path, random: Random, tell: Tell) -> None:
    """Some writers and a watcher.

    A writer numbers its commits; the commit of number n leaves `a` and `b` at n, drops the `t` of n - 1 and
    puts that of n: a half commit shows. Told: ["commit", writer, n, revision] when it may be shown,
    ["seen", writer, n, revision] by the watcher, ["granted" | "revoking" | "revoked", lease].
    """
    keys = await open_keys(folder)
    tell("open", keys.head)
    writers = [write_keys(keys, writer, Random(random.random()), tell) for writer in range(WRITERS)]
    await asyncio.gather(watch_keys(keys, tell), *writers)


async def write_keys(keys: Keys, writer: int, random: Random, tell: Tell) -> None:
    prefix = b"w%d/" % writer
    last = keys.get(prefix + b"a")
    number = int(last.value) if last else 0
    while True:
        number += 1
        lease = await lease_of(keys, writer, number, random, tell)
        text = b"%d" % number
        filler = text + b" " * random.randrange(400)
        temporary = prefix + b"t" + text
        commit = Commit(
            Author("etcd", f"writer {writer}", request_id=str(number)),
            put=[Put(prefix + b"a", filler), Put(prefix + b"b", filler), Put(temporary, text, b"", lease)],
            drop=[Drop(prefix + b"t", temporary), Drop(temporary + b"\0", prefix + b"u")],
            durability=random.choice(list(Durability)),
        )
        revision = await keys.commit(commit)
        await keys.settle(revision)
        tell("commit", writer, number, revision)
        if random.random() < 0.3:
            await asyncio.sleep(random.random() * 0.004)


async def lease_of(keys: Keys, writer: int, number: int, random: Random, tell: Tell) -> LeaseId:
    """Sometimes the writer's lease, made anew."""
    if random.random() < 0.9:
        return LeaseId(0)
    author = Author("etcd", f"writer {writer}")
    lease = LeaseId(1_000_000 * (writer + 1) + number)
    if all(held.id != lease for held in keys.leases()):  # it may stand since before the last kill
        await keys.lease_grant(lease, 60_000, author)
    tell("granted", lease)
    for old in keys.leases():
        if old.id // 1_000_000 == writer + 1 and old.id != lease:
            tell("revoking", old.id)
            await keys.settle(await keys.lease_revoke(old.id, author))
            tell("revoked", old.id)
    return lease


async def watch_keys(keys: Keys, tell: Tell) -> None:
    watch = keys.watch(*EVERYTHING)
    while True:
        for change in await watch.take():
            if change.author.request_id:
                tell("seen", int(change.author.principal[7:]), int(change.author.request_id), change.revision)


STORES: dict[str, Run] = {
    "keys": run_keys,
    "whole": run_whole,
    "partition": run_partition,
    "packs": run_packs,
}


def tell_parent(*line: object) -> None:
    """One whole line, past every buffer."""
    os.write(1, json.dumps(line).encode() + b"\n")


async def main(folder: Path, seed: int, stores: list[str]) -> None:
    random = Random(seed)
    await asyncio.gather(*(STORES[name](folder, random, tell_parent) for name in stores))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
