"""Apache Kafka's own tools, on the folders that our logs leave: kafka-dump-log reads every file of a
partition, verifies indexes against batches, and finds nothing to say.

Needs a Java 17 runtime and Maven; the artifacts come from Maven's repository.
"""

import asyncio
import re
import subprocess

import pytest
from tests.interop.kafka_tools_run import RUN_SECONDS, find_class_path
from tests.kafka.partition_world import NOW_MS, World, batch

from cloudlet.kafka.cleaning import clean, extent
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.upkeep import Held, Upkeep
from cloudlet.wire.kafka.records import TRANSACTIONAL, Producer

SETTINGS = LogSettings(segment_bytes=20_000, index_interval_bytes=500, cleanup_policy=frozenset({"compact"}))

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def class_path(tmp_path_factory):
    return find_class_path(tmp_path_factory.mktemp("maven"))


def dump(class_path, *files, arguments=()):
    """What kafka-dump-log prints of files."""
    names = ",".join(str(file) for file in files)
    command = ["java", "-cp", class_path, "org.apache.kafka.tools.DumpLogSegments", "--files", names]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


async def write(folder):
    """Keys, transactions, restarts, compaction: a partition that has seen life."""
    world = World(folder)
    partition = world.partition(SETTINGS, leader_epoch=2)
    for number in range(200):
        text = f"value {number} ".ljust(120, ".")
        await partition.append(
            batch(
                text,
                text,
                key=f"k{number % 30}",
                time_ms=NOW_MS + number * 10 % 700,
                producer=Producer(9, 0, number * 2),
            )
        )
        if number % 20 == 10:
            for producer, is_commit in ((21, True), (22, False)):
                sequence = number // 20
                await partition.append(
                    batch("t", key="t", producer=Producer(producer, 1, sequence), attributes=TRANSACTIONAL)
                )
                await partition.append_marker(producer, 1, is_commit=is_commit, coordinator_epoch=3)
    steps = clean(partition, extent(partition, world.clock), world.clock)
    for step in steps:
        if step is not None:
            step()
    assert partition.cleaned_to > 100
    partition.lead(5)
    await partition.append(batch("open", key="t", producer=Producer(23, 0, 0), attributes=TRANSACTIONAL))
    await partition.append(batch("last", key="last"))
    partition.log.write_snapshot(partition.stop_offset, partition.producers.encode())
    held = Held("t", 0, partition.log.name, partition, lambda: SETTINGS, lambda: partition)
    upkeep = Upkeep(world.partitions, "kafka/1", lambda: [held], world.clock)
    upkeep.start()
    await upkeep.close()
    partition.close()
    await world.logs.close()
    return partition.stop_offset


def test_dump_log_reads_every_file(class_path, tmp_path):
    stop = asyncio.run(write(tmp_path))
    folder = tmp_path / "kafka/1/t-0"
    names = sorted(file.name for file in folder.iterdir())
    suffixes = {name.partition(".")[2] for name in names if name[:1].isdigit()}
    assert suffixes == {"log", "index", "timeindex", "txnindex", "snapshot"}
    logs = sorted(folder.glob("*.log"))
    said = dump(class_path, *logs, arguments=["--deep-iteration"])
    assert "isvalid: false" not in said.lower()
    offsets = [int(found) for found in re.findall(r"^\| offset: (\d+)", said, re.MULTILINE)]
    assert offsets == sorted(offsets)
    assert offsets[-1] == stop - 1
    assert "endTxnMarker: COMMIT" in said
    assert "endTxnMarker: ABORT" in said
    for suffix in ("index", "timeindex"):
        files = sorted(folder.glob(f"*.{suffix}"))
        for arguments in (["--verify-index-only"], []):
            said = dump(class_path, *files, arguments=arguments).lower()
            for complaint in ("mismatch", "out of order", "non-secutive", "couldn't", "could not"):
                assert complaint not in said, said
        assert said.count("offset: ") >= len(files)
        said = dump(class_path, *files, arguments=["--index-sanity-check"])
        assert said.count("passed sanity check") + said.count("is empty") == len(files), said
        assert "passed sanity check" in said
    said = dump(class_path, *sorted(folder.glob("*.txnindex")))
    assert re.search(r"producerId.*22", said), said
    said = dump(class_path, max(folder.glob("*.snapshot")))
    assert re.search(r"producerId: 23 producerEpoch: 0 .*currentTxnFirstOffset: (Optional\w*\[)?\d+", said), (
        said
    )
    assert "producerId: 9" in said
