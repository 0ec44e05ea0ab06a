"""kill -9 of a process that writes to partitions: what was acknowledged is there, once, and in order;
committed transactions are whole, aborted ones unseen; of each key the newest value is there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from tests.engines.crashes import Line, Note, killed_writer
from tests.kafka.partition_crashes import KEYED, PLAIN, WRITERS, words
from tests.kafka.partition_world import World
from tests.kafka.reading import records

from cloudlet.kafka.partition import Isolation

PARTS = 2  # so that both workers share the kills


@pytest.mark.parametrize("seed", range(PARTS))
def test_what_was_acknowledged_is_there_once(
    tmp_path: Path, seed: int, kills: int, record_property: Note
) -> None:
    random = Random(seed)
    told: list[Line] = []
    for _ in range(-(-kills // PARTS)):
        told += killed_writer(tmp_path, random, ["partition"])
        asyncio.run(check(tmp_path, told))
    assert {line[0] for line in told} == {"open", "kept", "committed", "aborted", "key"}
    record_property("kills", -(-kills // PARTS))
    record_property("checked", len(told))


async def check(folder: Path, told: list[Line]) -> None:
    world = World(folder / "partition")
    plain = world.partition(PLAIN, "plain-0")
    there = words(plain, Isolation.READ_UNCOMMITTED)
    at = dict(there)
    for line in told:
        if line[0] == "kept":
            assert at[int(str(line[3]))][:3] == ["w", str(line[1]), str(line[2])], line
    for writer in range(WRITERS):
        numbers = [int(value[2]) for _, value in there if value[:2] == ["w", str(writer)]]
        assert numbers == list(range(len(numbers))), "lost, twice, or out of order"
    shown = [value[1:3] for _, value in words(plain, Isolation.READ_COMMITTED) if value[0] == "x"]
    committed = {str(line[1]) for line in told if line[0] == "committed"}
    assert len({number for number, _ in shown}) * 2 == len(shown), "half a transaction"
    assert committed <= {number for number, _ in shown}
    assert not {str(line[1]) for line in told if line[0] == "aborted"} & {number for number, _ in shown}
    keyed = world.partition(KEYED, "keyed-0")
    entries = records(keyed, Isolation.LOG_END)
    newest = {entry.key.decode(): int((entry.value or b"").split()[0]) for entry in entries}
    wanted = {str(line[1]): int(str(line[2])) for line in told if line[0] == "key"}
    assert all(newest[key] >= number for key, number in wanted.items())
    await world.logs.close()
