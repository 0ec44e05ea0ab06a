"""What the keys store on disk remembers: past versions and changes, read from its log.

State   in memory: the revision at which each deleted key went (since the mark), the mark
Source  docs/architecture.md, "Keys"
Absent  none

Theory of operation
    The newest entry of a key, or its tombstone, knows the revision R of its last change. The frame of R tells
    the entry before and the revision of *its* change, and so on: a read at revision r follows this chain down
    to the first change above r, whose entry before is the answer. So only frames above r are read.

    A frame is found by its revision: the segments know the head they began at, and each keeps a sparse index,
    grown when first asked for. All reading is done in steps of a few milliseconds on the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from operator import itemgetter

from cloudlet.engines.disk_keys_log import READ_BYTES, Log
from cloudlet.engines.disk_keys_record import (
    ROWS_MAX,
    STEP,
    DropRow,
    PutRow,
    StepBody,
    author_of,
    entry_before,
    events_within,
    parse_frame,
    rows_in_order,
    skim_frame,
    steps_of_reading,
)
from cloudlet.kernel.fault import Compacted, Damaged
from cloudlet.kernel.keys import Change, Entry, Revision
from cloudlet.kernel.keys_newest import Newest, Step, mod_revision
from cloudlet.kernel.ordered_keys import OrderedKeys

PAGE_BYTES = 1 << 16
SCAN_KEYS = 1000  # looked at before the loop gets its turn
LOOKUPS_MAX = 64  # frames found one by one before the loop gets its turn
FRAMES_KEPT = 256  # read ones, of one read of the past
ROWS_KEPT = 50_000  # in them; of longer ones FRAMES_KEPT_MIN are kept in any case
FRAMES_KEPT_MIN = 4

Rows = dict[Revision, dict[bytes, PutRow | DropRow]]
Suspect = tuple[bytes, Revision, Entry | None]
"""A key, the revision of its last change, and what it is at head."""


class DiskPast:
    """The history above the compaction mark."""

    def __init__(self, log: Log, newest: Newest, history_free: tuple[bytes, ...]) -> None:
        self.history_free = history_free
        self.mark = Revision(0)  # the oldest revision that can be read
        self.tombstones: dict[bytes, Revision] = {}
        self.buried = OrderedKeys()  # the keys of `tombstones`
        self._log = log
        self._newest = newest
        self._counted_from = 0.0  # the place in the log from which the history counts as kept

    @property
    def size_bytes(self) -> int:
        """Of the log that was not compacted, by estimate: what was, counts by its share of revisions."""
        return int(self._log.stop - max(self._counted_from, self._log.segments[0].start))

    def compact(self, revision: Revision) -> None:
        """Move the mark."""
        head = self._newest.head
        self._counted_from = self._log.stop - self.size_bytes * (head - revision) / max(head - self.mark, 1)
        self.mark = revision

    # --- keeping up

    def note(self, step: Step) -> None:
        """Remember which keys a step deletes, and which come back."""
        tombstones = self.tombstones
        dropped = step.dropped if step.long is None else step.long.others
        if dropped:
            self.bury([old.key for old in dropped], step.revision)
        if tombstones:
            for entry, before in zip(step.entries, step.previous):  # noqa: B905 - as in Newest.apply
                if before is None and tombstones.pop(entry.key, None) is not None:
                    self.buried.remove(entry.key)

    def bury(self, keys: list[bytes], revision: Revision) -> None:
        """Keys have gone by a revision."""
        if self.history_free:
            keys = [key for key in keys if not key.startswith(self.history_free)]
        if revision > self.mark:
            for key in keys:
                self.tombstones[key] = revision
            self.buried.add_all(keys)

    def _buried(self, start: bytes, stop: bytes, *, reverse: bool) -> list[bytes]:
        """Some of the keys of a range that have gone, from one end; those that are leaving too."""
        leaving = self._newest.leaving
        held = [self.buried] if leaving is None else [self.buried, leaving.keys]
        cut = OrderedKeys.slice_reverse if reverse else OrderedKeys.slice
        found = [key for keys in held for key in cut(keys, start, stop, SCAN_KEYS)]
        return sorted(found, reverse=reverse)[:SCAN_KEYS] if len(held) > 1 else found

    def _went(self, key: bytes) -> Revision:
        leaving = self._newest.leaving
        return leaving.revision if leaving is not None and key in leaving.keys else self.tombstones[key]

    async def forget_buried(self) -> None:
        """Let go of the tombstones that no readable revision needs, a few at a time."""
        after: bytes | None = None
        while page := self.buried.page(after):
            after = page[-1]
            for key in page:
                if self.tombstones[key] <= self.mark:
                    del self.tombstones[key]
                    self.buried.remove(key)
            await asyncio.sleep(0)

    # --- a past revision

    async def scan(
        self, revision: Revision, start: bytes, stop: bytes, limit: int | None, *, reverse: bool
    ) -> list[Entry]:
        """The entries of the range at a revision below the head; Compacted."""
        self._check(revision)
        held = self._newest.entries
        found: list[Entry] = []
        kept: Rows = {}
        lookups = 0
        while start < stop:
            keys, buried, start, stop = self._some(start, stop, reverse=reverse)
            entries = list(map(held.__getitem__, keys))
            if not buried and max(map(mod_revision, entries), default=0) <= revision:
                found += entries
            else:
                suspects: list[Suspect] = [(entry.key, entry.mod_revision, entry) for entry in entries]
                suspects += [(key, self._went(key), None) for key in buried]
                suspects.sort(key=itemgetter(0), reverse=reverse)
                for key, changed, newest in suspects:
                    entry = newest
                    while changed > revision:
                        lookups += 1
                        if lookups % LOOKUPS_MAX == 0:
                            await asyncio.sleep(0)
                        self._check(revision)
                        row = await self._row(changed, key, kept)
                        changed, entry = row.before, entry_before(row)
                    if entry is not None:
                        found.append(entry)
            if limit is not None and len(found) >= limit:
                return found[:limit]
            if start < stop:
                await asyncio.sleep(0)
                self._check(revision)
        return found

    def _some(
        self, start: bytes, stop: bytes, *, reverse: bool
    ) -> tuple[list[bytes], list[bytes], bytes, bytes]:
        """Some keys from one end of a range, the buried ones of the same stretch, and the range left.

        What changes until the next turn does no harm: a key that is still to be looked at is found in one of
        the two sets then, with a revision above the one asked for, from which its chain leads back.
        """
        if reverse:
            keys = self._newest.order.slice_reverse(start, stop, SCAN_KEYS)
            buried = self._buried(start, stop, reverse=True)
            low = max((some[-1] for some in (keys, buried) if len(some) == SCAN_KEYS), default=start)
            return [key for key in keys if key >= low], [key for key in buried if key >= low], start, low
        keys = self._newest.order.slice(start, stop, SCAN_KEYS)
        buried = self._buried(start, stop, reverse=False)
        last = min((some[-1] for some in (keys, buried) if len(some) == SCAN_KEYS), default=None)
        if last is None:
            return keys, buried, stop, stop
        return (
            [key for key in keys if key <= last],
            [key for key in buried if key <= last],
            last + b"\0",
            stop,
        )

    def _check(self, revision: int) -> None:
        if revision < self.mark:
            raise Compacted(self.mark)

    async def _row(self, revision: Revision, key: bytes, kept: Rows) -> PutRow | DropRow:
        """What a revision did to a key. The rows of those that were read last are kept: neighbours are often
        written together, again and again, and a drop has very many."""
        rows = kept.pop(revision, None)
        if rows is None:
            body = await self._step(revision)
            rows = {row.key: row for row in body.drops}
            rows.update((row.key, row) for row in body.puts)
            count = len(rows) + sum(map(len, kept.values()))
            while len(kept) >= FRAMES_KEPT or (count > ROWS_KEPT and len(kept) >= FRAMES_KEPT_MIN):
                count -= len(kept.pop(next(iter(kept))))
        kept[revision] = rows  # behind the others: the first is the one that was not used for longest
        row = rows.get(key)
        if row is None:
            raise Damaged(f"{self._log.folder}: revision {revision} does not change {key!r}")
        return row

    async def _step(self, revision: Revision) -> StepBody:
        """The frame of a revision."""
        segment, place = await self._log.locate(revision)
        while place < segment.stop:
            data = self._log.read(segment, place, READ_BYTES)
            at = 0
            while (skimmed := skim_frame(data, at)) is not None:
                kind, found, stop = skimmed
                if kind == STEP and found == revision:
                    if stop > len(data):
                        break  # `read` again from here, whole
                    frame = parse_frame(data, at)
                    if frame is None:
                        raise Damaged(f"{segment.path} at byte {place + at - segment.start}")
                    return await self._read(frame.body)
                at = stop
            place += at
        raise Damaged(f"{segment.path}: no revision {revision}")

    async def _read(self, body: bytes) -> StepBody:
        """A step's body; a long one over several turns."""
        found: StepBody | None = None
        for found in steps_of_reading(body):
            if found is None:
                await asyncio.sleep(0)
        assert found is not None
        return found

    # --- changes

    async def changes(
        self,
        start: bytes,
        stop: bytes,
        since: Revision,
        until: Revision,
        free_after: Revision,
        changes_max: int,
    ) -> tuple[Sequence[Change], Revision]:
        """See keys_feed.Past."""
        await asyncio.sleep(0)
        self._check(since)
        # Nothing changed in revisions 0 and 1.
        since = max(since, Revision(2))
        if since > until:
            return (), Revision(until + 1)
        segment, place = await self._log.locate(since)
        self._check(since)
        data = self._log.read(segment, place, PAGE_BYTES)
        found: list[Change] = []
        at, position = 0, since
        while len(found) < changes_max and place + at < segment.stop:
            frame = parse_frame(data, at)
            if frame is None:
                if position > since:
                    break
                place, at = place + at, 0
                data = self._log.read(segment, place, PAGE_BYTES)
                continue
            at = frame.stop
            revision = Revision(frame.revision)
            if frame.kind != STEP or revision < since:
                continue
            if revision > until:
                return found, Revision(until + 1)
            without = () if revision > free_after else self.history_free
            body = await self._read(frame.body)
            rows = rows_in_order(body)
            events = events_within(rows[:ROWS_MAX], revision, start, stop, without, self.mark)
            for behind in range(ROWS_MAX, len(rows), ROWS_MAX):
                await asyncio.sleep(0)
                some = rows[behind : behind + ROWS_MAX]
                events += events_within(some, revision, start, stop, without, self.mark)
            position = Revision(revision + 1)
            if events:
                found.append(Change(revision, author_of(body), tuple(events)))
        return found, position
