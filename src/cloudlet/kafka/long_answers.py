"""Requests and responses of thousands of rows: read, made and written some rows in each turn of the loop.

State   none
Source  docs/architecture.md, "Processes": no turn of the loop is longer than 10 ms
Absent  none

A request is long by its bytes (answer.py looks at that), and so is then what answers it. A handler whose
answer to a short request may be long says so: `call.is_long`. Rows may be made when they are written, so that
they do not all live at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from cloudlet.wire.kafka.classes import Message

LONG_BYTES = 64 << 10  # of a frame: two thousand partitions of a fetch
LONG_PRODUCE_BYTES = 512 << 10  # of a Produce's (key 0): most of it are records, which nobody reads
LONG_ROWS = 256  # of an answer

T = TypeVar("T")


class Rows(Generic[T]):
    """An array of a response, of which each row is made when it is written."""

    __slots__ = ("_items", "_row_of")

    def __init__(self, items: Sequence[T], row_of: Callable[[T], Message]) -> None:
        self._items = items
        self._row_of = row_of

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Message]:
        return map(self._row_of, self._items)


def rows(items: Sequence[T], row_of: Callable[[T], Message]) -> Any:
    """The same, for a field whose type is a list: its writer asks for no more than these."""
    return Rows(items, row_of)
