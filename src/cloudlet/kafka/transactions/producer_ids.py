"""Producer ids: numbers that are never given twice.

State   ("kafka", "producer_ids") -> Reserved: who has reserved the last block
Source  Apache Kafka 4.3, ProducerIdManager, ProducerIdsBlock (blocks of 1,000)
Absent  none

A broker reserves a block by a commit, and gives its ids out of memory; a crash leaves a gap. Which block it
is the commit's revision says: no other commit has that one, and a checkpoint that is brought back, with which
a stored number would go back too, comes at a higher one. A producer of before the restore that still writes
would else share its id with a new one, whose batches would be taken for its retries.
"""

from __future__ import annotations

import asyncio

from cloudlet.aws.record import Record, encode
from cloudlet.kernel.keys import Author, Commit, Durability, Keys, Put
from cloudlet.kernel.tuples import pack

KEY = pack(("kafka", "producer_ids"))
BLOCK = 1_000


class Reserved(Record):
    """The last block was reserved by this broker."""

    broker: int


class ProducerIds:
    """The ids of one broker."""

    def __init__(self, keys: Keys, author: Author, node_id: int) -> None:
        self._keys = keys
        self._author = author
        self._value = encode(Reserved(node_id))
        self._next = self._stop = 0
        self._turn = asyncio.Lock()

    async def fresh(self) -> int:
        """An id that nobody has had. StoreError."""
        async with self._turn:
            if self._next == self._stop:
                await self._reserve()
            self._next += 1
            return self._next - 1

    async def _reserve(self) -> None:
        put = Put(KEY, self._value)
        revision = await self._keys.commit(Commit(self._author, (), (put,), (), Durability.SYNC))
        await self._keys.settle(revision)
        self._next = revision * BLOCK
        self._stop = self._next + BLOCK
