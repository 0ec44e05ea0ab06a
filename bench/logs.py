"""The logs and blobs stores, and Kafka's partitions: what an append, a read and a body cost.
`python -m bench.logs`

Reports CPU per operation of this process; the wall is said where a disk decides it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from random import Random

from cloudlet.engines.disk_blobs import DiskBlobs
from cloudlet.engines.disk_logs import DiskLogs
from cloudlet.engines.disk_partitions import DiskPartitions
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.partition import Partition
from cloudlet.kernel.batches import end_offset
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.logs import LogName, Offset
from cloudlet.wire.kafka.records import Record, encode, encode_value

LOG = LogName("bench/log")
APPENDS = 50_000
READS = 20_000
MANY = 10_000
BATCHES = 300
RECORD = b"x" * 300
LARGE = encode_value(b"y" * (1 << 20), 1)
BODY_BYTES = 256 << 20


def row(name: str, count: int, started_cpu: float, started: float, size_bytes: int = 0) -> None:
    cpu, wall = time.process_time() - started_cpu, time.perf_counter() - started
    rate = f"{size_bytes / cpu / 1e6:,.0f} MB/CPU-s" if size_bytes else f"{cpu / count * 1e6:.1f} us CPU"
    print(f"| {name} | {rate} | {count / wall:,.0f}/s |")


async def many(folder: Path) -> None:
    """Ten thousand small logs, and a large one: what reopening them costs."""
    logs = DiskLogs.open(folder)
    names = [LogName(f"queues/{number}") for number in range(MANY)]
    batch = encode_value(RECORD, 1)
    marks = time.process_time(), time.perf_counter()
    for name in names:
        await logs.append(name, batch)
    row("first append to a new log", MANY, *marks)
    for _ in range(1024):
        await logs.append(LOG, LARGE)
    await logs.close()
    marks = time.process_time(), time.perf_counter()
    logs = DiskLogs.open(folder)
    row(f"open a store of {MANY:,} logs", 1, *marks)
    marks = time.process_time(), time.perf_counter()
    assert logs.ends(LOG).stop == 1024
    row("first look at a log of 1 GiB", 1, *marks)
    marks = time.process_time(), time.perf_counter()
    assert sum(logs.ends(name).stop for name in names) == MANY
    row("first look at a small log", MANY, *marks)
    await logs.close()


async def partitions(folder: Path) -> None:
    """A partition as a broker serves it: checked, stamped, written; read back by fetches of 1 MiB."""
    clock = SystemClock()
    now_ms = clock.wall_ms()
    logs = DiskLogs.open(folder)
    store = DiskPartitions(logs)

    def open_one(index: int) -> Partition:
        settings = LogSettings(max_message_bytes=2 << 20)
        name = LogName(f"kafka/1/bench-{index}")
        return Partition.open(store, name, "bench", index, bytes(16), settings, clock)

    partition = open_one(0)
    small = memoryview(bytearray(encode([Record(b"x" * 100, None, now_ms)])))
    large = memoryview(bytearray(encode([Record(b"x" * 1024, None, now_ms)] * 1000)))
    marks = time.process_time(), time.perf_counter()
    for _ in range(APPENDS):
        small[:8] = bytes(8)  # the offset was stamped into it
        await partition.append(small)
    row("produce of one record of 100 B", APPENDS, *marks)
    marks = time.process_time(), time.perf_counter()
    for _ in range(BATCHES):
        large[:8] = bytes(8)
        await partition.append(large)
    row("produce of 1,000 records of 1 KiB in a batch", BATCHES, *marks, size_bytes=BATCHES * len(large))
    marks = time.process_time(), time.perf_counter()
    offset = APPENDS
    while offset < partition.high_watermark:
        offset = end_offset(partition.read(offset, bytes_max=1 << 20).records)
    row("the same fetched", BATCHES, *marks, size_bytes=BATCHES * len(large))
    many_of_them = [open_one(index) for index in range(1, MANY + 1)]
    for each in many_of_them:
        small[:8] = bytes(8)
        await each.append(small)
    marks = time.process_time(), time.perf_counter()
    for number in range(APPENDS):
        small[:8] = bytes(8)
        await many_of_them[number % 100].append(small)
    row(f"produce of one record beside {MANY:,} partitions", APPENDS, *marks)
    await logs.close()
    marks = time.process_time(), time.perf_counter()
    logs = DiskLogs.open(folder)
    store = DiskPartitions(logs)
    row(f"open a store of {MANY:,} partitions", 1, *marks)
    marks = time.process_time(), time.perf_counter()
    assert sum(open_one(index).high_watermark for index in range(1, MANY + 1)) == MANY + APPENDS
    row("open a partition, recovered", MANY, *marks)
    await logs.close()


async def main() -> None:
    print("| what | cost | rate |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        logs = DiskLogs.open(Path(folder) / "logs")
        marks = time.process_time(), time.perf_counter()
        for _ in range(APPENDS):
            await logs.append(LOG, encode_value(RECORD, 1))
        row("relaxed append of one record of 300 B, encoding included", APPENDS, *marks)
        chance = Random(1)
        offsets = [Offset(chance.randrange(APPENDS)) for _ in range(READS)]
        marks = time.process_time(), time.perf_counter()
        for offset in offsets:
            await logs.read(LOG, offset, bytes_max=1)
        row("read of one record at a random offset", READS, *marks)
        marks = time.process_time(), time.perf_counter()
        for _ in range(200):
            await logs.append(LogName("bench/large"), LARGE)
        row("append of batches of 1 MiB", 200, *marks, size_bytes=200 << 20)
        await logs.close()
        marks = time.process_time(), time.perf_counter()
        logs = DiskLogs.open(Path(folder) / "logs")
        assert logs.ends(LOG).stop == APPENDS
        row("reopen and find the end", 1, *marks)
        await logs.close()
        await many(Path(folder) / "many")
        await partitions(Path(folder) / "partitions")
        blobs = DiskBlobs.open_folder(Path(folder) / "blobs", SystemClock(), Ids())
        marks = time.process_time(), time.perf_counter()
        writer = blobs.create()
        chunk = b"z" * (256 << 10)
        for _ in range(BODY_BYTES // len(chunk)):
            await writer.write(chunk)
        blob = await writer.finish()
        row(
            "body of 256 MiB written in pieces of 256 KiB",
            BODY_BYTES // len(chunk),
            *marks,
            size_bytes=BODY_BYTES,
        )
        marks = time.process_time(), time.perf_counter()
        reader = await blobs.open(blob)
        pieces = [len(piece) async for piece in reader.chunks()]
        row("the same read", len(pieces), *marks, size_bytes=BODY_BYTES)
        reader.close()


if __name__ == "__main__":
    asyncio.run(main())
