"""A window of offsets, each with a value: the records of a share-partition that are under way.

State   in memory
Source  none
Absent  none

Neighbours of equal value are one run, so that a window of thousands of records, most of which were fetched
and acknowledged together, is a handful of runs:

    start     firsts[1]        firsts[2]   stop
    |.values[0]|...values[1]....|values[2].|
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Generic, TypeVar

V = TypeVar("V")


class Window(Generic[V]):
    """Offsets [start, stop), every one of which has a value."""

    __slots__ = ("_firsts", "_values", "start", "stop")

    def __init__(self, start: int) -> None:
        self.start = self.stop = start
        self._firsts: list[int] = []
        self._values: list[V] = []

    def __len__(self) -> int:
        """How many offsets it has."""
        return self.stop - self.start

    def copy(self) -> Window[V]:
        twin: Window[V] = Window(self.start)
        twin.stop = self.stop
        twin._firsts, twin._values = self._firsts[:], self._values[:]
        return twin

    def runs(self, start: int | None = None, stop: int | None = None) -> Iterator[tuple[int, int, V]]:
        """(first, stop, value) of each run, as far as it lies in [start, stop). The window is not to be
        changed meanwhile."""
        begin = self.start if start is None else max(start, self.start)
        end = self.stop if stop is None else min(stop, self.stop)
        if begin >= end:
            return
        place = bisect_right(self._firsts, begin) - 1
        while begin < end:
            run_stop = self._stop_of(place)
            yield begin, min(run_stop, end), self._values[place]
            begin = run_stop
            place += 1

    def _stop_of(self, place: int) -> int:
        return self._firsts[place + 1] if place + 1 < len(self._firsts) else self.stop

    def extend(self, stop: int, value: V) -> None:
        """Let the window reach to `stop`, the new offsets having a value."""
        if stop <= self.stop:
            return
        if not self._values or self._values[-1] != value:
            self._firsts.append(self.stop)
            self._values.append(value)
        self.stop = stop

    def put(self, first: int, stop: int, value: V) -> None:
        """Give the offsets of [first, stop) that are in the window another value."""
        first, stop = max(first, self.start), min(stop, self.stop)
        if first >= stop:
            return
        low = bisect_right(self._firsts, first) - 1
        high = bisect_right(self._firsts, stop - 1)  # behind the last run that is touched
        pieces: list[tuple[int, V]] = []
        if self._firsts[low] < first:
            pieces.append((self._firsts[low], self._values[low]))
        pieces.append((first, value))
        if self._stop_of(high - 1) > stop:
            pieces.append((stop, self._values[high - 1]))
        if low:  # the neighbours too: they may be joined
            low -= 1
            pieces.insert(0, (self._firsts[low], self._values[low]))
        if high < len(self._firsts):
            pieces.append((self._firsts[high], self._values[high]))
            high += 1
        kept = [piece for place, piece in enumerate(pieces) if not place or pieces[place - 1][1] != piece[1]]
        self._firsts[low:high] = [piece[0] for piece in kept]
        self._values[low:high] = [piece[1] for piece in kept]

    def drop_to(self, start: int) -> None:
        """Let the window begin at `start`; behind its stop, it is empty there."""
        if start <= self.start:
            return
        if start >= self.stop:
            self.start = self.stop = start
            self._firsts.clear()
            self._values.clear()
            return
        place = bisect_right(self._firsts, start) - 1
        del self._firsts[:place], self._values[:place]
        self._firsts[0] = self.start = start
