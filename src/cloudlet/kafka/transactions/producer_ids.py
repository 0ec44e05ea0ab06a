"""Producer ids: numbers that are never given twice.

State   ("kafka", "producer_ids") -> NextBlock: the first id that no broker has reserved
Source  Apache Kafka 4.3, ProducerIdManager, ProducerIdsBlock (blocks of 1,000)
Absent  none

A broker reserves a block by a guarded commit and gives its ids out of memory; a crash leaves a gap.
"""

from __future__ import annotations

import asyncio

from cloudlet.aws.record import Record, decoder, encode
from cloudlet.kernel.fault import Conflict
from cloudlet.kernel.keys import Author, Commit, Compare, Durability, Guard, Keys, Put, Target
from cloudlet.kernel.tuples import pack

KEY = pack(("kafka", "producer_ids"))
BLOCK = 1_000
ATTEMPTS = 16


class NextBlock(Record):
    """The first id of the next block."""

    first: int


class ProducerIds:
    """The ids of one broker."""

    def __init__(self, keys: Keys, author: Author) -> None:
        self._keys = keys
        self._author = author
        self._next = self._stop = 0
        self._turn = asyncio.Lock()

    async def fresh(self) -> int:
        """An id that nobody has had; Conflict where other brokers are faster again and again."""
        async with self._turn:
            if self._next == self._stop:
                await self._reserve()
            self._next += 1
            return self._next - 1

    async def _reserve(self) -> None:
        for attempt in range(ATTEMPTS):
            entry = self._keys.get(KEY)
            first = 0 if entry is None else decoder(NextBlock).decode(entry.value).first
            guard = Guard(KEY, Target.MOD, Compare.EQUAL, 0 if entry is None else entry.mod_revision)
            put = Put(KEY, encode(NextBlock(first + BLOCK)))
            try:
                revision = await self._keys.commit(
                    Commit(self._author, (guard,), (put,), (), Durability.SYNC)
                )
            except Conflict:
                if attempt == ATTEMPTS - 1:
                    raise
                continue
            await self._keys.settle(revision)
            self._next, self._stop = first, first + BLOCK
            return
