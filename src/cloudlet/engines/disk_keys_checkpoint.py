"""A checkpoint of the keys store: everything as of one revision, so that only the log behind it is replayed.

State   DATA/keys/checkpoint; DATA/keys/checkpoint.tmp while one is written
Source  our own format, number 1; CRC-32C
Absent  none

Theory of operation
    The entries are walked in key order, a run at a time, while commits go on. Whatever a commit changes in
    the part not yet walked is kept aside first (`preserve`), and the walk takes it from there: so all pages
    show the revision at which the walk began. The file is written aside and renamed; before that, the log is
    durable up to that revision, as the old checkpoint would need it and the new one continues there.

    The file is pages, each: crc u32 | length u32 | kind u8 | MessagePack. The first is HEAD, the last END.
    Entries lie in columns, which are read back at C speed; a column of nothing but defaults is left empty.
"""

from __future__ import annotations

import asyncio
import os
import struct
from bisect import bisect_right
from collections.abc import Iterator
from functools import partial
from io import FileIO
from itertools import islice, repeat
from pathlib import Path

import msgspec

from cloudlet.engines.disk_calls import sync_folder
from cloudlet.engines.disk_keys_record import FORMAT, checksum
from cloudlet.engines.disk_shortage import patiently
from cloudlet.engines.disk_thread import on_thread
from cloudlet.kernel.fault import Damaged, StoreError
from cloudlet.kernel.keys import Entry, LeaseId, Revision
from cloudlet.kernel.keys_newest import Newest, Step
from cloudlet.kernel.ordered_keys import OrderedKeys

NAME = "checkpoint"
HEAD, ENTRIES, TOMBSTONES, LEASES, END = 1, 2, 3, 4, 5

ASIDE_MAX = 1000  # put back into one page
TOMBSTONES_MAX = 1000
WRITE_BYTES = 1 << 18

PAGE = struct.Struct("<IIB")
"""CRC-32C, length, kind: before each body."""
_encode = msgspec.msgpack.Encoder().encode


class HeadPage(msgspec.Struct, array_like=True, frozen=True):
    """What the checkpoint is of."""

    format: int
    revision: Revision
    place: int  # in the log: what lies behind is not in the checkpoint
    mark: Revision


class EntriesPage(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Some hundred entries in key order, in columns."""

    keys: list[bytes]
    values: list[bytes]
    metas: list[bytes]
    create_revisions: list[Revision]  # empty when each is its mod revision
    mod_revisions: list[Revision]
    versions: list[int]
    leases: list[LeaseId]


_read_head = msgspec.msgpack.Decoder(HeadPage).decode
_read_entries = msgspec.msgpack.Decoder(EntriesPage).decode
_read_tombstones = msgspec.msgpack.Decoder(tuple[list[bytes], list[Revision]]).decode
_read_leases = msgspec.msgpack.Decoder(list[tuple[LeaseId, int]]).decode
_read_count = msgspec.msgpack.Decoder(int).decode


def page(kind: int, body: bytes) -> bytes:
    """A page of the file."""
    return PAGE.pack(checksum(bytes([kind]) + body), len(body), kind) + body


def entries_page(entries: list[Entry]) -> bytes:
    """A page of entries in key order."""
    mods = [entry.mod_revision for entry in entries]
    creates = [entry.create_revision for entry in entries]
    metas = [entry.meta for entry in entries]
    versions = [entry.version for entry in entries]
    leases = [entry.lease for entry in entries]
    body = EntriesPage(
        [entry.key for entry in entries],
        [entry.value for entry in entries],
        metas if any(metas) else [],
        creates if creates != mods else [],
        mods,
        versions if max(versions) > 1 else [],
        leases if any(leases) else [],
    )
    return page(ENTRIES, _encode(body))


def entries_of(body: bytes) -> tuple[list[bytes], Iterator[Entry]]:
    """The keys and the entries of a page."""
    columns = _read_entries(body)
    mods = columns.mod_revisions
    return columns.keys, map(
        Entry,
        columns.keys,
        columns.values,
        columns.metas or repeat(b""),
        columns.create_revisions or mods,
        mods,
        columns.versions or repeat(1),
        columns.leases or repeat(LeaseId(0)),
    )


class Walk:
    """One checkpoint in the making: the pages of the store as of the revision at which it was made."""

    def __init__(self, newest: Newest, tombstones: dict[bytes, Revision], mark: Revision, place: int) -> None:
        self.place = place
        self._newest = newest
        self._head = HeadPage(FORMAT, newest.head, place, mark)
        self._tombstones = tombstones.copy()
        self._leases = [(lease, held.ttl_ms) for lease, held in newest.leases.items()]
        self._after: bytes | None = None  # the last key that was walked
        self._preserved: dict[bytes, Entry | None] = {}
        self._aside = OrderedKeys()  # the keys of `_preserved`

    def preserve(self, step: Step) -> None:
        """Keep aside what a step is about to change and the walk has not seen."""
        after = self._after
        for old in step.dropped:
            if after is None or old.key > after:
                self._keep(old.key, old)
        for entry, before in zip(step.entries, step.previous, strict=True):
            if after is None or entry.key > after:
                self._keep(entry.key, before)

    def _keep(self, key: bytes, entry: Entry | None) -> None:
        if key not in self._preserved:
            self._preserved[key] = entry
            self._aside.add(key)

    def pages(self) -> Iterator[bytes]:
        """Every page, each made in under a millisecond; commits may come in between."""
        yield page(HEAD, _encode(self._head))
        count = 0
        while keys := self._newest.order.page(self._after):
            entries = self._as_it_was(keys, keys[-1])
            count += len(entries)
            yield entries_page(entries) if entries else b""  # a turn either way
        while keys := self._aside.page(self._after):
            entries = self._as_it_was([], keys[-1])
            count += len(entries)
            yield entries_page(entries) if entries else b""
        rows = iter(self._tombstones.items())
        while some := list(islice(rows, TOMBSTONES_MAX)):
            kept = [row for row in some if row[1] > self._head.mark]
            yield page(TOMBSTONES, _encode(([key for key, _ in kept], [revision for _, revision in kept])))
        yield page(LEASES, _encode(self._leases))
        yield page(END, _encode(count))

    def _as_it_was(self, keys: list[bytes], last: bytes) -> list[Entry]:
        """The entries of a run of keys that ends at `last`, as they were at the checkpoint's revision; fewer
        of them where much was kept aside."""
        held = self._newest.entries
        aside = self._aside.slice(b"", last + b"\0", ASIDE_MAX) if self._preserved else []
        if len(aside) == ASIDE_MAX and aside[-1] < last:
            last = aside[-1]
            keys = keys[: bisect_right(keys, last)]
        self._after = last
        if not aside:
            return list(map(held.__getitem__, keys))
        found = {key: held[key] for key in keys}
        for key in aside:
            self._aside.remove(key)
            before = self._preserved.pop(key)
            if before is None:
                found.pop(key, None)
            else:
                found[key] = before
        return [found[key] for key in sorted(found)]


async def write(folder: Path, walk: Walk) -> None:
    """Write the pages aside and bring them to the disk, giving way to the loop after each; OSError."""
    file = (folder / f"{NAME}.tmp").open("wb", buffering=0)
    try:
        batch: list[bytes] = []
        size = 0
        for some in walk.pages():
            batch.append(some)
            size += len(some)
            if size < WRITE_BYTES:
                await asyncio.sleep(0)
            else:
                await on_thread(_write_all, file, b"".join(batch))
                batch, size = [], 0
        await on_thread(_write_all, file, b"".join(batch))
        await on_thread(os.fsync, file.fileno())
    finally:
        file.close()


def _write_all(file: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def publish(folder: Path) -> None:
    """The file written aside becomes the checkpoint."""
    (folder / f"{NAME}.tmp").rename(folder / NAME)
    patiently(partial(sync_folder, folder))


def size_bytes(folder: Path) -> int:
    """The size of the checkpoint, 0 if there is none."""
    try:
        return (folder / NAME).stat().st_size
    except FileNotFoundError:
        return 0


def load(folder: Path, newest: Newest) -> tuple[HeadPage, dict[bytes, Revision]] | None:
    """Fill `newest` from the checkpoint; its head page and tombstones, or None if there is none. Damaged."""
    (folder / f"{NAME}.tmp").unlink(missing_ok=True)
    path = folder / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    head: HeadPage | None = None
    tombstones: dict[bytes, Revision] = {}
    runs: list[list[bytes]] = []
    count: int | None = None
    for kind, body in _pages(path, data):
        if kind == HEAD:
            head = _read_head(body)
            if head.format != FORMAT:
                raise StoreError(f"{path} has format {head.format}, this version reads {FORMAT}")
        elif kind == ENTRIES:
            keys, entries = entries_of(body)
            newest.entries.update(zip(keys, entries, strict=True))
            runs.append(keys)
        elif kind == TOMBSTONES:
            tombstones.update(zip(*_read_tombstones(body), strict=True))
        elif kind == LEASES:
            for lease, ttl_ms in _read_leases(body):
                newest.grant(lease, ttl_ms)
        elif kind == END:
            count = _read_count(body)
    if head is None or count != len(newest.entries):
        raise Damaged(f"{path}: it is not whole")
    newest.order = OrderedKeys.of_runs(runs)
    newest.head = head.revision
    _attach(newest)
    return head, tombstones


def _attach(newest: Newest) -> None:
    if newest.leases:
        for entry in newest.entries.values():
            if entry.lease:
                newest.leases[entry.lease].keys.add(entry.key)


def _pages(path: Path, data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if len(data) - at < PAGE.size:
            raise Damaged(f"{path} at byte {at}")
        crc, length, kind = PAGE.unpack_from(data, at)
        start = at + PAGE.size
        body = data[start : start + length]
        if checksum(bytes([kind]) + body) != crc:
            raise Damaged(f"{path} at byte {at}")
        yield kind, body
        at = start + length
