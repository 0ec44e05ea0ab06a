"""A partition goes through random lives and stays what a plain model says: appends, retries, transactions,
trims, truncations, compactions, restarts, crashes."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from tests.kafka.partition_model import Model, Step, steps
from tests.kafka.partition_world import World

from cloudlet.kafka.log_settings import LogSettings


async def live(folder: Path, log_settings: LogSettings, life: list[Step], descriptors_max: int) -> None:
    world = World(folder, descriptors_max=descriptors_max)
    model = Model([])
    partition = world.partition(log_settings)
    copies = 0
    for kind, count, seed in life:
        if not await model.step(partition, world.clock, kind, count, seed):
            if kind == "crash":
                copies += 1
                copy = folder.with_name(f"{folder.name}-{copies}")
                shutil.copytree(world.folder, copy, ignore=shutil.ignore_patterns("~trash"))
                await world.logs.close()
                world.folder = copy
                world.open()
            else:
                partition.close()
                await world.reopen()
            cleaned_to = partition.cleaned_to
            partition = world.partition(log_settings)
            partition.cleaned_to = cleaned_to
            model.check(partition)
    model.check(partition)
    await world.logs.close()


@given(life=steps)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize(("segment_bytes", "descriptors_max"), [(500, 2), (20_000, 64)])
def test_a_partition_is_the_plain_model(
    tmp_path_factory: pytest.TempPathFactory, segment_bytes: int, descriptors_max: int, life: list[Step]
) -> None:
    shape = LogSettings(
        segment_bytes=segment_bytes,
        index_interval_bytes=100,
        cleanup_policy=frozenset({"compact"}),
        min_cleanable_dirty_ratio=0.0,
    )
    asyncio.run(live(tmp_path_factory.mktemp("partition"), shape, life, descriptors_max))
