"""A sorted set of byte strings, cut into short lists.

State   in memory only
Source  the list-of-lists layout known from sortedcontainers; ours slices whole runs, and keeps no index
        by rank, which the stores never ask for
Absent  none

An insertion bisects twice (which run, where in it) and moves at most a run of pointers. A range is a few list
slices: 10 ns a key, where an iterator costs 100.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator

MANY_KEYS = 1000
MERGE_RATIO = 20  # what a search costs, in keys walked by a merge
RUN_KEYS = 512  # a run is split at twice this; 8 KiB of pointers move in well under a microsecond


class OrderedKeys:
    """Keys in byte order, each once."""

    __slots__ = ("_lasts", "_runs")

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        ordered = sorted(keys)
        self._runs = [ordered[at : at + RUN_KEYS] for at in range(0, len(ordered), RUN_KEYS)]
        self._lasts = [run[-1] for run in self._runs]

    @classmethod
    def of_runs(cls, runs: list[list[bytes]]) -> OrderedKeys:
        """The set whose runs these are: in order, none empty, none longer than twice RUN_KEYS."""
        made = cls()
        made._runs = runs
        made._lasts = [run[-1] for run in runs]
        return made

    @property
    def runs(self) -> list[list[bytes]]:
        """The keys as they are kept."""
        return self._runs

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def __iter__(self) -> Iterator[bytes]:
        for run in self._runs:
            yield from run

    def add(self, key: bytes) -> None:
        """Insert a key that is not there."""
        runs = self._runs
        if not runs:
            runs.append([key])
            self._lasts.append(key)
            return
        at = bisect_left(self._lasts, key)
        if at == len(runs):
            at -= 1
            runs[at].append(key)
            self._lasts[at] = key
        else:
            insort(runs[at], key)
        if len(runs[at]) >= 2 * RUN_KEYS:
            self._split(at)

    def _split(self, at: int) -> None:
        run = self._runs[at]
        self._runs[at : at + 1] = [run[:RUN_KEYS], run[RUN_KEYS:]]
        self._lasts.insert(at, run[RUN_KEYS - 1])

    def remove(self, key: bytes) -> None:
        """Take out a key that is there."""
        at = bisect_left(self._lasts, key)
        run = self._runs[at]
        position = bisect_left(run, key)
        assert run[position] == key
        del run[position]
        if not run:
            del self._runs[at], self._lasts[at]
        elif position == len(run):
            self._lasts[at] = run[-1]

    def add_all(self, keys: list[bytes]) -> None:
        """Insert keys, none of which is there and each once; many take a merge, not a search each."""
        if len(keys) < MANY_KEYS or len(keys) * MERGE_RATIO < len(self):
            for key in keys:
                self.add(key)
            return
        ordered = sorted(keys) if not self._runs else sorted([*self, *keys])  # which merges what is sorted
        self._runs = [ordered[at : at + RUN_KEYS] for at in range(0, len(ordered), RUN_KEYS)]
        self._lasts = [run[-1] for run in self._runs]

    def remove_all(self, keys: list[bytes]) -> None:
        """Take out keys that are there; neighbours go together."""
        if len(keys) < MANY_KEYS:
            for key in keys:
                self.remove(key)
            return
        ordered = sorted(keys)
        at, done = 0, 0
        kept_runs: list[list[bytes]] = []
        while at < len(self._runs):
            run = self._runs[at]
            at += 1
            if done == len(ordered) or run[-1] < ordered[done]:
                kept_runs.append(run)
                continue
            if ordered[done : done + len(run)] == run:
                done += len(run)
                continue
            upto = bisect_right(ordered, run[-1], done)
            gone = set(ordered[done:upto])
            kept = [key for key in run if key not in gone]
            assert len(kept) + len(gone) == len(run)
            done = upto
            if kept:
                kept_runs.append(kept)
        assert done == len(ordered)
        self._runs = kept_runs
        self._lasts = [run[-1] for run in kept_runs]

    def cut(self, start: bytes, stop: bytes) -> OrderedKeys:
        """Take out [start, stop), by whole runs: no key of them is looked at."""
        runs, lasts = self._runs, self._lasts
        if start >= stop or not runs:
            return OrderedKeys()
        first, last = bisect_left(lasts, start), bisect_left(lasts, stop)
        if first == len(runs):
            return OrderedKeys()
        whole = runs[first : last + 1]
        low = bisect_left(whole[0], start)
        high = bisect_left(whole[-1], stop) if last < len(runs) else len(whole[-1])
        kept = [whole[0][:low], whole[-1][high:]]
        whole[-1] = whole[-1][:high]
        whole[0] = whole[0][low:]
        kept = [run for run in kept if run]
        runs[first : last + 1] = kept
        lasts[first : last + 1] = [run[-1] for run in kept]
        return OrderedKeys.of_runs([run for run in whole if run])

    def take_run(self) -> list[bytes]:
        """Take out the first run of keys; empty where there is none."""
        if not self._runs:
            return []
        del self._lasts[0]
        return self._runs.pop(0)

    def __contains__(self, key: bytes) -> bool:
        at = bisect_left(self._lasts, key)
        if at == len(self._runs):
            return False
        run = self._runs[at]
        return run[bisect_left(run, key)] == key

    def slice(self, start: bytes, stop: bytes, limit: int | None = None) -> list[bytes]:
        """The first `limit` keys of [start, stop), in order."""
        runs = self._runs
        found: list[bytes] = []
        if start >= stop:
            return []
        first = bisect_left(self._lasts, start)
        for at in range(first, len(runs)):
            run = runs[at]
            low = bisect_left(run, start) if at == first else 0
            high = len(run) if self._lasts[at] < stop else bisect_left(run, stop)
            if limit is not None and high - low >= limit - len(found):
                found += run[low : low + limit - len(found)]
                break
            found += run[low:high]
            if high < len(run):
                break
        return found

    def count(self, start: bytes, stop: bytes) -> int:
        """How many keys [start, stop) has: two bisections, and a look at each run in between."""
        runs, lasts = self._runs, self._lasts
        if start >= stop:
            return 0
        first, last = bisect_left(lasts, start), bisect_left(lasts, stop)
        if first == len(runs):
            return 0
        below = bisect_left(runs[first], start)
        above = bisect_left(runs[last], stop) if last < len(runs) else 0
        return sum(map(len, runs[first:last])) - below + above

    def slice_reverse(self, start: bytes, stop: bytes, limit: int | None = None) -> list[bytes]:
        """The last `limit` keys of [start, stop), from the greatest down."""
        runs = self._runs
        found: list[bytes] = []
        if start >= stop or not runs:
            return []
        last = min(bisect_left(self._lasts, stop), len(runs) - 1)
        for at in range(last, -1, -1):
            run = runs[at]
            high = bisect_left(run, stop) if at == last else len(run)
            low = 0 if run[0] >= start else bisect_left(run, start)
            if limit is not None and high - low >= limit - len(found):
                low = high - (limit - len(found))
                found += run[low:high][::-1]
                break
            found += run[low:high][::-1]
            if low > 0:
                break
        return found

    def page(self, after: bytes | None) -> list[bytes]:
        """A run of the keys behind `after` (from the first on when None), empty at the end: a walk in bounded
        steps that survives changes in between."""
        if after is None:
            return list(self._runs[0]) if self._runs else []
        at = bisect_right(self._lasts, after)
        if at == len(self._runs):
            return []
        run = self._runs[at]
        return run[bisect_right(run, after) :]
