"""All three stores at once: a body, a record, and a commit that names both."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

from cloudlet.engines.disk_blobs import DiskBlobs
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.disk_logs import DiskLogs
from cloudlet.kernel.blobs import BlobId
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Author, Commit, Durability, Put
from cloudlet.kernel.logs import LogName, Offset
from cloudlet.wire.kafka.records import encode_value

LOG = LogName("whole/records")
WRITERS = 3
SEGMENT_BYTES = 1 << 16


class Stores(NamedTuple):
    """The three engines of one folder."""

    keys: DiskKeys
    logs: DiskLogs
    blobs: DiskBlobs

    async def close(self) -> None:
        await self.blobs.close()
        await self.logs.close()
        await self.keys.close()


class Named(msgspec.Struct):
    """What a commit says of the body and the record that were made before it."""

    blob: str
    offset: int
    size: int


async def open_whole(folder: Path) -> Stores:
    """The stores as both the writer and the checker open them."""
    clock = SystemClock()
    keys = await DiskKeys.open(folder / "whole" / "keys", lambda: time.monotonic() * 1000)
    logs = DiskLogs.open(folder / "whole" / "logs", segment_bytes=SEGMENT_BYTES)
    return Stores(keys, logs, DiskBlobs.open_folder(folder / "whole" / "blobs", clock, Ids()))


def key_of(writer: int, number: int) -> bytes:
    return b"w%d/%06d" % (writer, number)


def body_of(writer: int, number: int, size: int) -> bytes:
    """The bytes that body `number` of a writer has: nobody else's."""
    seed = hashlib.sha256(b"%d/%d" % (writer, number)).digest()
    return (seed * (size // len(seed) + 1))[:size]


async def run_whole(folder: Path, random: Random, tell) -> None:
    """Told: ["named", writer, number] when the commit may be shown, ["read", writer, number] when read."""
    stores = await open_whole(folder)
    tell("open")
    await asyncio.gather(*(write(stores, writer, Random(random.random()), tell) for writer in range(WRITERS)))


async def write(stores: Stores, writer: int, random: Random, tell) -> None:
    prefix = b"w%d/" % writer
    number = len(stores.keys.scan(prefix, prefix + b"~"))
    while True:
        durability = random.choice(list(Durability))
        size = random.choice([0, 10, 1000, 100_000])
        body = body_of(writer, number, size)
        blob_writer = stores.blobs.create()
        await blob_writer.write(body[: size // 2])
        await asyncio.sleep(0)
        await blob_writer.write(body[size // 2 :])
        if random.random() < 0.1:
            await blob_writer.abandon()
            continue
        blob = await blob_writer.finish(durability)
        record = encode_value(b"%d/%d" % (writer, number), 1)
        offset = await stores.logs.append(LOG, record, durability=durability)
        named = msgspec.json.encode(Named(blob, offset, size))
        author = Author("aws", f"writer {writer}", request_id=str(number))
        put = Put(key_of(writer, number), named)
        await stores.keys.settle(await stores.keys.commit(Commit(author, put=[put], durability=durability)))
        tell("named", writer, number)
        other = stores.keys.scan(b"w", b"x", limit=1, reverse=True)[0].key
        revision = stores.keys.head
        await stores.keys.settle(revision)
        tell("read", int(other[1:2]), int(other[3:]))
        number += 1


async def check_whole(stores: Stores) -> dict[tuple[int, int], Named]:
    """Every commit that is there has its body and its record; what each says."""
    found: dict[tuple[int, int], Named] = {}
    for entry in stores.keys.scan(b"w", b"x"):
        writer, number = int(entry.key[1:2]), int(entry.key[3:])
        named = msgspec.json.decode(entry.value, type=Named)
        reader = await stores.blobs.open(BlobId(named.blob))
        body = b"".join([chunk async for chunk in reader.chunks()])
        reader.close()
        assert body == body_of(writer, number, named.size), "a commit without its body"
        record = await stores.logs.read(LOG, Offset(named.offset), bytes_max=1)
        assert b"%d/%d" % (writer, number) in record, "a commit without its record"
        found[writer, number] = named
    return found
