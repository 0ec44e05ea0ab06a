"""A file with the keys of one revision: what a checkpoint remembers of the keys store.

State   the file; its path is the caller's
Source  the pages of disk_keys_checkpoint
Absent  none

The revision is read as a past one while commits go on, range by range, so nobody waits for a large store.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from cloudlet.engines.disk_keys_checkpoint import END, ENTRIES, PAGE, entries_of, entries_page, page
from cloudlet.engines.disk_keys_record import checksum
from cloudlet.engines.disk_thread import on_thread
from cloudlet.kernel.fault import Damaged
from cloudlet.kernel.keys import Entry, Keys, Revision

PAGE_KEYS = 1000  # some 2 ms of a loop turn
WRITE_BYTES = 1 << 20


async def write_dump(
    path: Path, keys: Keys, revision: Revision, start: bytes, stop: bytes, *, is_durable: bool
) -> int:
    """Write the entries of [start, stop) at a revision; how many. Compacted when the history has gone."""
    count = 0
    with path.open("wb") as file:
        batch: list[bytes] = []
        while start < stop:
            bound = keys.scan(start, stop, limit=PAGE_KEYS)
            upto = bound[-1].key + b"\0" if len(bound) == PAGE_KEYS else stop
            entries = list(await keys.scan_at(revision, start, upto))
            start = upto
            count += len(entries)
            for at in range(0, len(entries), PAGE_KEYS):  # more where many have been deleted since
                if at:
                    await asyncio.sleep(0)
                batch.append(entries_page(entries[at : at + PAGE_KEYS]))
            if sum(map(len, batch)) > WRITE_BYTES:
                await on_thread(file.write, b"".join(batch))
                batch = []
            await asyncio.sleep(0)
        batch.append(page(END, msgspec.msgpack.encode(count)))
        file.write(b"".join(batch))
        file.flush()
        if is_durable:
            await on_thread(os.fsync, file.fileno())
    return count


def read_dump(path: Path) -> Iterator[list[Entry]]:
    """The entries, a page at a time, in key order; Damaged where the file is not what was written."""
    count: int | None = None
    found = 0
    with path.open("rb") as file:
        while front := file.read(PAGE.size):
            if len(front) < PAGE.size:
                raise Damaged(f"{path}: it is not whole")
            crc, length, kind = PAGE.unpack(front)
            body = file.read(length)
            if len(body) != length or checksum(bytes([kind]) + body) != crc:
                raise Damaged(f"{path} at byte {file.tell() - len(body)}")
            if kind == ENTRIES:
                entries = list(entries_of(body)[1])
                found += len(entries)
                yield entries
            else:
                count = msgspec.msgpack.decode(body, type=int)
    if count != found:
        raise Damaged(f"{path}: it is not whole")
