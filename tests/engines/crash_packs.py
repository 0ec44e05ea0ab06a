"""Packs that are small and compacted all the time: bodies come and go until the process is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

from cloudlet.engines import disk_packs
from cloudlet.engines.disk_pack_file import place_of
from cloudlet.engines.disk_packs import Packs
from cloudlet.kernel.blob_ids import BlobIds
from cloudlet.kernel.blobs import BlobId
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids

Tell = Callable[..., None]

PACK_BYTES = 60_000
BODY_BYTES_MAX = 3000
KEPT_MIN = 50
WORKERS = 4


def open_packs(folder: Path) -> Packs:
    """The packs as both the writer and the checker open them."""
    return Packs(folder / "packs", BlobIds(SystemClock(), Ids()))


def body_of(seed: int, size: int) -> bytes:
    """The body that a line tells of."""
    return Random(seed).randbytes(size)


async def run_packs(folder: Path, random: Random, tell: Tell) -> None:
    """Told: ["put", id, seed, size] once it is there, ["dropping", id] before, ["dropped", id] after."""
    disk_packs.PACK_BYTES, disk_packs.COMPACTED_BYTES_MIN = PACK_BYTES, 0
    packs = open_packs(folder)
    kept = [each.id for each in await packs.listed(None, 1 << 30)]
    tell("open", len(kept))
    await asyncio.gather(*(put_and_drop(packs, kept, Random(random.random()), tell) for _ in range(WORKERS)))


async def put_and_drop(packs: Packs, kept: list[BlobId], random: Random, tell: Tell) -> None:
    while True:
        if len(kept) < KEPT_MIN or random.random() < 0.5:
            seed, size = random.getrandbits(32), random.randrange(BODY_BYTES_MAX)
            blob = packs.put(body_of(seed, size))
            tell("put", blob, seed, size)
            kept.append(blob)
        else:
            blob = kept.pop(random.randrange(len(kept)))
            place = place_of(blob)
            assert place is not None
            tell("dropping", blob)
            await packs.drop(blob, place)
            tell("dropped", blob)
        await asyncio.sleep(0)
