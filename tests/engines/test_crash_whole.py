"""kill -9 of a process that writes to all three stores: what was acknowledged is there with its body."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from tests.engines.crash_whole import LOG, WRITERS, check_whole, open_whole
from tests.engines.crashes import Line, Note, killed_writer

from cloudlet.kernel.logs import Offset
from cloudlet.wire.kafka.records import decode

PARTS = 2  # so that both workers share the kills


@pytest.mark.parametrize("seed", range(PARTS))
def test_what_was_acknowledged_is_there_with_its_body(
    tmp_path: Path, seed: int, kills: int, record_property: Note
) -> None:
    told = kill_again_and_again(tmp_path, seed, -(-kills // PARTS))
    record_property("kills", -(-kills // PARTS))
    record_property("checked", len(told))


def kill_again_and_again(folder: Path, seed: int, kills: int) -> list[Line]:
    random = Random(seed)
    told: list[Line] = []
    for _ in range(kills):
        told += killed_writer(folder, random, ["whole"])
        asyncio.run(check(folder, told))
    assert sum(line[0] == "named" for line in told) > 10
    return told


async def check(folder: Path, told: list[Line]) -> None:
    stores = await open_whole(folder)
    found = await check_whole(stores)
    for line in told:
        if line[0] in ("named", "read"):
            assert (line[1], line[2]) in found, f"{line} is gone"
    for writer in range(WRITERS):
        numbers = [number for owner, number in found if owner == writer]
        assert numbers == list(range(len(numbers))), "a gap in a writer's commits"
    await check_log(stores.logs)
    assert list((folder / "whole" / "blobs" / "new").iterdir()) == [], "half a body is left"
    await stores.close()


async def check_log(logs) -> None:
    """The log is whole batches from end to end, without a gap."""
    start, stop = logs.ends(LOG)
    offset = start
    while offset < stop:
        for at, _, _, value in decode(await logs.read(LOG, offset, bytes_max=1 << 16)):
            assert at == offset
            assert value is not None
            offset = Offset(at + 1)
