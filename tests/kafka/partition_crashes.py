"""What a process does to partitions until it is killed; tests/engines/crash_writer.py runs it.

State   partition `plain-0`: values "w WRITER NUMBER" by idempotent producers, "x NUMBER HALF" by a
        transactional one, whose every third transaction is aborted; partition `keyed-0`: key ->
        number, compacted all the time

Told    ["kept", writer, number, offset]   ["committed" | "aborted", number]   ["key", key, number]
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.kafka.partition_world import World, batch
from tests.kafka.reading import records

from cloudlet.kafka.cleaning import clean, extent, is_due
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.partition import Isolation, Partition
from cloudlet.wire.kafka.records import TRANSACTIONAL, Producer

Tell = Callable[..., None]
WRITERS = 3
KEYS = 10
TRANSACTIONAL_ID = 50
PLAIN = LogSettings(segment_bytes=6_000, index_interval_bytes=300)
KEYED = LogSettings(
    segment_bytes=1_500,
    index_interval_bytes=300,
    cleanup_policy=frozenset({"compact"}),
    min_cleanable_dirty_ratio=0.1,
)


def words(partition: Partition, isolation: Isolation) -> list[tuple[int, list[str]]]:
    """(offset, the words of the value) of every record."""
    found = records(partition, isolation)
    return [(entry.offset, (entry.value or b"").decode().split()) for entry in found]


async def run_partition(folder: Path, random: Random, tell: Tell) -> None:
    world = World(folder / "partition")
    plain = world.partition(PLAIN, "plain-0")
    keyed = world.partition(KEYED, "keyed-0")
    tell("open", plain.stop_offset)
    held = words(plain, Isolation.READ_UNCOMMITTED)
    await asyncio.gather(
        *(write(plain, writer, held, Random(random.random()), tell) for writer in range(WRITERS)),
        transact(plain, held, tell),
        write_keys(keyed, Random(random.random()), tell),
        compact(world, keyed),
    )


async def write(
    partition: Partition, writer: int, held: list[tuple[int, list[str]]], random: Random, tell: Tell
) -> None:
    """Numbered values. A new life begins with what the last one may have lost: the retry of its last."""
    mine = [int(value[2]) for _, value in held if value[:2] == ["w", str(writer)]]
    number = max(mine, default=0)
    while True:
        value = f"w {writer} {number} ".ljust(random.randrange(20, 200), ".")
        sent = batch(value, producer=Producer(writer, 0, number))
        offset = (await partition.append(sent)).base_offset
        tell("kept", writer, number, offset)
        number += 1
        await asyncio.sleep(0)


async def transact(partition: Partition, held: list[tuple[int, list[str]]], tell: Tell) -> None:
    number = 1 + max((int(value[1]) for _, value in held if value[:1] == ["x"]), default=-1)
    known = partition.producers.find(TRANSACTIONAL_ID)
    sequence = known.last_sequence + 1 if known else 0
    if partition.has_open_transaction(TRANSACTIONAL_ID, 0):
        await partition.append_marker(TRANSACTIONAL_ID, 0, is_commit=False, coordinator_epoch=0)
    while True:
        for half in ("a", "b"):
            producer = Producer(TRANSACTIONAL_ID, 0, sequence)
            await partition.append(batch(f"x {number} {half}", producer=producer, attributes=TRANSACTIONAL))
            sequence += 1
            await asyncio.sleep(0)
        is_commit = number % 3 != 0
        await partition.append_marker(TRANSACTIONAL_ID, 0, is_commit=is_commit, coordinator_epoch=0)
        tell("committed" if is_commit else "aborted", number)
        number += 1


async def write_keys(partition: Partition, random: Random, tell: Tell) -> None:
    number = partition.stop_offset
    while True:
        key = f"k{random.randrange(KEYS)}"
        await partition.append(batch(f"{number} ".ljust(random.randrange(20, 100), "."), key=key))
        tell("key", key, number)
        number += 1
        await asyncio.sleep(0)


async def compact(world: World, partition: Partition) -> None:
    while True:
        found = extent(partition, world.clock)
        if is_due(found, partition.settings, world.clock):
            for step in clean(partition, found, world.clock):
                if step is not None:
                    await asyncio.get_running_loop().run_in_executor(None, step)
                await asyncio.sleep(0)
        await asyncio.sleep(0)
