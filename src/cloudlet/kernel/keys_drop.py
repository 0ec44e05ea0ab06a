"""A drop of very many keys: foreseen page by page, and then let go of page by page.

State   in memory: the pages of a drop that is to come; the keys of one that has come, until they are swept
Source  docs/decisions/0013-long-drops.md
Absent  none

Theory of operation
    A drop of a hundred thousand keys is one revision, and nobody sees half of it; but what it takes to decide
    and to record it is not to be done in one turn of the loop. So most of it is done before and after:

        foresee     in pages, a turn each: which entries go, and their rows of the log's frame. What other
                    commits change meanwhile is noted, and patched into its page.
        the turn    the last patches; the frame is written; the keys leave the order of keys, by whole runs.
                    From here on the drop has happened: the keys are *leaving*, and whoever looks one up is
                    told that it is not there.
        sweep       in runs, a turn each: the entries are let go of, and become tombstones.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence

from cloudlet.kernel.keys import Entry, LeaseId, Revision
from cloudlet.kernel.ordered_keys import OrderedKeys

PAGE_KEYS = 500
PATCHED_PAGES = 4  # in one turn

RowsOf = Callable[[Sequence[Entry]], bytes]
Find = Callable[[bytes], Entry | None]


class Page:
    """Some of the entries that go, in key order."""

    __slots__ = ("entries", "keys", "rows")

    def __init__(self, entries: list[Entry], rows: bytes) -> None:
        self.entries = entries
        self.keys = [entry.key for entry in entries]
        self.rows = rows


class Part:
    """What one drop takes: the keys of [start, stop), or (`lease`) those of a lease."""

    __slots__ = ("_rows_of", "_starts", "changed", "lease", "pages", "start", "stop")

    def __init__(self, start: bytes, stop: bytes | None, lease: LeaseId | None, rows_of: RowsOf) -> None:
        self.start = start
        self.stop = stop
        self.lease = lease
        self.pages: list[Page] = []
        self.changed: set[bytes] = set()
        self._starts: list[bytes] = []
        self._rows_of = rows_of

    def add(self, entries: list[Entry]) -> None:
        """The next page."""
        self._starts.append(entries[0].key if self.pages else self.start)
        self.pages.append(Page(entries, self._rows_of(entries)))

    def concerns(self, entry: Entry | None) -> bool:
        """Whether an entry is one of those that go."""
        if entry is None:
            return False
        if self.lease is not None:
            return entry.lease == self.lease
        return self.start <= entry.key and (self.stop is None or entry.key < self.stop)

    def patch(self, find: Find, pages_max: int | None = PATCHED_PAGES) -> bool:
        """Bring some pages up to date with what has changed; whether there is more."""
        waiting: dict[int, list[bytes]] = {}
        for key in self.changed:
            at = max(bisect_right(self._starts, key) - 1, 0)
            if at in waiting or pages_max is None or len(waiting) < pages_max:
                waiting.setdefault(at, []).append(key)
        for at, keys in waiting.items():
            self.changed.difference_update(keys)
            self._patch(at, keys, find)
        return bool(self.changed)

    def _patch(self, at: int, keys: Iterable[bytes], find: Find) -> None:
        if not self.pages:
            self._starts.append(self.start)
            self.pages.append(Page([], b""))
        there = {entry.key: entry for entry in self.pages[at].entries}
        for key in keys:
            now = find(key)
            if self.concerns(now):
                assert now is not None
                there[key] = now
            else:
                there.pop(key, None)
        entries = [there[key] for key in sorted(there)]
        self.pages[at] = Page(entries, self._rows_of(entries))

    def entries(self) -> list[Entry]:
        """All that go, in key order."""
        found: list[Entry] = []
        for page in self.pages:
            found += page.entries
        return found

    def touches(self, start: bytes, stop: bytes) -> bool:
        """Whether one of the keys that go is in [start, stop)."""
        for at in range(max(bisect_right(self._starts, start) - 1, 0), len(self.pages)):
            if self._starts[at] >= stop:
                break
            keys = self.pages[at].keys
            low = bisect_left(keys, start)
            if low < len(keys):
                return keys[low] < stop
        return False


class Foreseen:
    """The drops of a commit that is to come."""

    def __init__(self, parts: Sequence[Part], rows_of: RowsOf) -> None:
        self.parts = parts
        self.rows_of = rows_of
        self.is_ready = False  # the pages are all there; until then it stands for nothing

    def note(self, entries: Sequence[Entry], previous: Sequence[Entry | None], gone: Sequence[Entry]) -> None:
        """Another commit has come first."""
        for part in self.parts:
            for entry, before in zip(entries, previous, strict=True):
                if part.concerns(entry) or part.concerns(before):
                    part.changed.add(entry.key)
            for entry in gone:
                if part.concerns(entry):
                    part.changed.add(entry.key)

    def part_of(self, start: bytes, stop: bytes | None) -> Part | None:
        """What was prepared for a drop of a range."""
        for part in self.parts:
            if part.lease is None and part.start == start and part.stop == stop:
                return part
        return None


class LongDrop:
    """What a step drops by what was foreseen, and beside it."""

    __slots__ = ("others", "parts", "rows")

    def __init__(self, parts: Sequence[Part], others: list[Entry], rows: list[bytes]) -> None:
        self.parts = parts
        self.others = others
        self.rows = rows  # of the frame, in the order of the step's drops

    def lies_within(self, start: bytes, stop: bytes) -> bool:
        """Whether all of the keys are surely in [start, stop): one look at a page, none at a key."""
        pages = [page.keys for part in self.parts for page in part.pages if page.keys]
        return all(start <= keys[0] and keys[-1] < stop for keys in pages) and all(
            start <= entry.key < stop for entry in self.others
        )

    def written(self) -> None:
        """The frame has its rows: they need not be held any longer."""
        self.rows = []
        for part in self.parts:
            for page in part.pages:
                page.rows = b""

    def touches(self, start: bytes, stop: bytes) -> bool:
        """Whether one of the keys is in [start, stop)."""
        return any(part.touches(start, stop) for part in self.parts) or any(
            start <= entry.key < stop for entry in self.others
        )


class Leaving:
    """Keys that are gone by `revision`, whose entries are still there."""

    __slots__ = ("keys", "revision")

    def __init__(self, keys: OrderedKeys, revision: Revision) -> None:
        self.keys = keys
        self.revision = revision
