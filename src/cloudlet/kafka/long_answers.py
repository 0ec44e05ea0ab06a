"""Encodes a response with a long array, some of its rows in each turn of the loop.

State   none
Source  docs/architecture.md, "Processes": no turn of the loop is longer than 10 ms
Absent  rows that are long themselves: a topic of ten thousand partitions is one

The rows of an array lie one behind the other, whatever is before and after them. So the response is encoded
with some of its rows at a time, and what is around the rows is cut off but once: an empty array and one of a
row differ first in the last byte of their count.
"""

from __future__ import annotations

from struct import Struct

from cloudlet.kafka.turns import Turn
from cloudlet.kernel.clock import Clock
from cloudlet.wire.kafka.classes import Message
from cloudlet.wire.kafka.codec import encode
from cloudlet.wire.kafka.compiler import uvarint

ROWS_A_STEP = 64  # fewer than 127: a compact count of them is one byte
_COUNT = Struct(">i")


async def encode_long(
    response: Message, field: str, version: int, clock: Clock, *, is_flexible: bool
) -> bytes:
    """The response in a version, as `encode` gives it; `field` names its long array, which is consumed."""
    rows: list[Message] = getattr(response, field)
    if len(rows) <= ROWS_A_STEP:
        return encode(response, version)

    def encoded(some: list[Message]) -> bytes:
        setattr(response, field, some)
        return encode(response, version)

    empty, one = encoded([]), encoded(rows[:1])
    start = next(at for at, byte in enumerate(empty) if one[at] != byte) + 1
    count = uvarint(len(rows) + 1) if is_flexible else _COUNT.pack(len(rows))
    behind = len(empty) - start
    parts = [empty[: start - (1 if is_flexible else _COUNT.size)], count]
    turn = Turn(clock)
    for first in range(0, len(rows), ROWS_A_STEP):
        some = encoded(rows[first : first + ROWS_A_STEP])
        parts.append(some[start : len(some) - behind])
        if turn.is_over():
            await turn.end()
    parts.append(empty[start:])
    return b"".join(parts)
