"""Encodes a response with a long array, some of its rows in each turn of the loop.

State   none
Source  docs/architecture.md, "Processes": no turn of the loop is longer than 10 ms
Absent  rows that are long themselves: a topic of ten thousand partitions is one

The rows of an array lie one behind the other, whatever is before and after them. So the response is encoded
with some of its rows at a time, and what is around the rows is cut off but once: an empty array and one of a
row differ first in the last byte of their count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import TypeVar

from cloudlet.kafka.turns import Turn
from cloudlet.kernel.clock import Clock
from cloudlet.wire.kafka.classes import Message
from cloudlet.wire.kafka.codec import encode
from cloudlet.wire.kafka.compiler import uvarint

ROWS_A_STEP = 16  # fewer than 127: a compact count of them is one byte
_COUNT = Struct(">i")

T = TypeVar("T")


async def encode_long(
    response: Message,
    field: str,
    items: Sequence[T],
    row_of: Callable[[T], Message],
    version: int,
    clock: Clock,
    *,
    is_flexible: bool,
) -> bytes:
    """The response in a version, as `encode` gives it with the rows of `items` in its array `field`. The rows
    are made as they are encoded: no more of them live at once than a step has."""

    def encoded(some: Sequence[T]) -> bytes:
        setattr(response, field, [row_of(item) for item in some])
        return encode(response, version)

    if len(items) <= ROWS_A_STEP:
        return encoded(items)
    empty, one = encoded(()), encoded(items[:1])
    start = next(at for at, byte in enumerate(empty) if one[at] != byte) + 1
    count = uvarint(len(items) + 1) if is_flexible else _COUNT.pack(len(items))
    behind = len(empty) - start
    parts = [empty[: start - (1 if is_flexible else _COUNT.size)], count]
    turn = Turn(clock)
    for first in range(0, len(items), ROWS_A_STEP):
        some = encoded(items[first : first + ROWS_A_STEP])
        parts.append(some[start : len(some) - behind])
        if turn.is_over():
            await turn.end()
    parts.append(empty[start:])
    return b"".join(parts)
