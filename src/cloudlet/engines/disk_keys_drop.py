"""Drops of very many keys by the keys store on disk, over several turns of the loop.

State   in memory: whose turn it is; the sweep that is on its way
Source  docs/decisions/0013-long-drops.md; kernel/keys_drop.py tells how
Absent  two long drops at once, or one while a checkpoint is made: the second waits. A commit that drops more
        than DROP_KEYS_MAX keys and was not foreseen, or whose drops overlap: one turn (1.5 us a key)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from heapq import merge
from itertools import islice

from cloudlet.engines.disk_keys_past import DiskPast
from cloudlet.engines.disk_keys_record import drop_rows
from cloudlet.kernel import keys as kernel
from cloudlet.kernel.keys import Entry, LeaseId
from cloudlet.kernel.keys_drop import PAGE_KEYS, Foreseen, Part
from cloudlet.kernel.keys_newest import Newest

DROP_KEYS_MAX = 1000  # that are dropped in one turn
STORES_MAX = 2  # how many entries are prepared for a commit whose ranges overlap, in stores full
SORTED_KEYS = 5000  # in one turn
ROUNDS_MAX = 64  # of patching: where others write faster, the last turn does the rest


class LongDrops:
    """One at a time."""

    def __init__(self, newest: Newest, past: DiskPast) -> None:
        self.turns = asyncio.Lock()  # of a long drop or a checkpoint: neither is to see the other half done
        self._newest = newest
        self._past = past
        self._rows_of = partial(drop_rows, free=past.history_free)
        self._sweeping: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def ranges(self, ranges: Sequence[tuple[bytes, bytes]]) -> AsyncIterator[kernel.Foreseen]:
        """Prepare for a commit that drops ranges; within, it takes a fraction of its time."""
        if not self._long(ranges):
            yield self._scan
            return
        await self.turns.acquire()
        try:
            parts = [Part(*each, None, self._rows_of) for each in self._long(ranges)]
            self._newest.foreseen = Foreseen(parts, self._rows_of)
            for part in parts:
                await self._fill(part)
            await self._patch(parts)
            self._newest.foreseen.is_ready = True
            yield self._scan
        finally:
            self._end()

    def _long(self, ranges: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The ranges that are worth it, as long as there are not many of the same keys."""
        found: list[tuple[bytes, bytes]] = []
        room = len(self._newest.entries) * STORES_MAX
        for each in dict.fromkeys(ranges):
            count = self._newest.order.count(*each)
            if count > DROP_KEYS_MAX and count <= room:
                found.append(each)
                room -= count
        return found

    def _scan(self, start: bytes, stop: bytes) -> Sequence[Entry]:
        """The entries of a range, as far as possible of one that is prepared for."""
        newest = self._newest
        foreseen = newest.foreseen
        part = foreseen.part_of(start, stop) if foreseen is not None and foreseen.is_ready else None
        if part is None:
            return newest.scan(start, stop, None, reverse=False)
        part.patch(newest.find, None)
        return part.entries()

    @asynccontextmanager
    async def lease(self, lease: LeaseId) -> AsyncIterator[None]:
        """The same for the end of a lease; NoSuchLease."""
        newest = self._newest
        if len(newest.held(lease).keys) <= DROP_KEYS_MAX:
            yield
            return
        await self.turns.acquire()
        try:
            part = Part(b"", None, lease, self._rows_of)
            newest.foreseen = Foreseen([part], self._rows_of)
            await self._fill_from(part, list(newest.held(lease).keys))
            await self._patch([part])
            newest.foreseen.is_ready = True
            yield
        finally:
            self._end()

    async def finish(self) -> None:
        """Wait for the sweep that is on its way."""
        if self._sweeping is not None:
            await asyncio.wait([self._sweeping])

    async def _fill(self, part: Part) -> None:
        newest, after = self._newest, part.start
        assert part.stop is not None
        while keys := newest.order.slice(after, part.stop, PAGE_KEYS):
            part.add(list(map(newest.entries.__getitem__, keys)))
            after = keys[-1] + b"\0"
            await asyncio.sleep(0)

    async def _fill_from(self, part: Part, keys: list[bytes]) -> None:
        runs: list[list[bytes]] = []
        for at in range(0, len(keys), SORTED_KEYS):
            runs.append(sorted(keys[at : at + SORTED_KEYS]))
            await asyncio.sleep(0)
        ordered = merge(*runs)
        while some := list(islice(ordered, PAGE_KEYS)):
            entries: list[Entry] = []
            for key in some:
                entry = self._newest.find(key)
                if entry is not None and part.concerns(entry):
                    entries.append(entry)
            if entries:
                part.add(entries)
            await asyncio.sleep(0)

    async def _patch(self, parts: Sequence[Part]) -> None:
        find: Callable[[bytes], Entry | None] = self._newest.find
        for _ in range(ROUNDS_MAX):
            if not any(part.patch(find) for part in parts):
                break
            await asyncio.sleep(0)

    def _end(self) -> None:
        self._newest.foreseen = None
        if self._newest.leaving is None:
            self.turns.release()
        else:
            self._sweeping = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        leaving = self._newest.leaving
        assert leaving is not None
        while keys := leaving.keys.take_run():
            self._newest.sweep(keys)
            self._past.bury(keys, leaving.revision)
            await asyncio.sleep(0)
        self._newest.leaving = None
        self.turns.release()

    def sweep_first(self, entries: Sequence[Entry]) -> None:
        """These are about to come; none of their keys is to be among those that leave."""
        leaving = self._newest.leaving
        assert leaving is not None
        for entry in entries:
            if entry.key in leaving.keys:
                leaving.keys.remove(entry.key)
                self._newest.sweep((entry.key,))
                self._past.bury([entry.key], leaving.revision)
