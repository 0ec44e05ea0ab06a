"""kill -9 of a process that puts and drops small bodies while their packs are compacted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from tests.engines.crash_packs import body_of, open_packs
from tests.engines.crashes import Note, killed_writer

from cloudlet.engines.disk_pack_file import place_of
from cloudlet.kernel.blobs import BlobId

Bodies = dict[BlobId, tuple[int, int]]


def test_bodies_outlive_the_compaction_of_their_packs(
    tmp_path: Path, kills: int, record_property: Note
) -> None:
    random = Random(kills)
    there: Bodies = {}
    checked = cut_off = 0
    for _ in range(kills):
        going: set[BlobId] = set()
        for what, blob, *rest in killed_writer(tmp_path, random, ["packs"]):
            if what == "put":
                there[blob] = (rest[0], rest[1])
                checked += 1
            elif what == "dropping":
                going.add(blob)
            elif what == "dropped":
                going.discard(blob)
                there.pop(blob, None)  # of one that was put and not told, or dropped in vain before
        cut_off += len(list((tmp_path / "packs").glob("*.new")))
        asyncio.run(check(tmp_path, there, going))
        for blob in going:  # it may have gone, or not
            there.pop(blob, None)
    assert checked > 10
    assert cut_off or kills < 100, "no compaction was cut off"
    record_property("kills", kills)
    record_property("checked", checked)


async def check(folder: Path, there: Bodies, going: set[BlobId]) -> None:
    packs = open_packs(folder)
    listed = {each.id for each in await packs.listed(None, 1 << 30)}
    for blob, (seed, size) in there.items():
        if blob not in going:
            assert packs.read(blob, place_of(blob)) == body_of(seed, size)
            assert blob in listed
    packs.close()
