"""From what the keys are to what they were: the differences, and the commits that undo them.

State   none
Source  docs/checkpoints.md
Absent  keys under a lease that has ended meanwhile: they stay gone, as their owner is

Old and new are walked side by side in key order, a page of the old at a time, so memory stays bounded. An
entry is the same when its mod revision is, or when its bytes are: what an earlier attempt has put back is not
put again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from cloudlet.kernel.keys import (
    COMMIT_BYTES_MAX,
    NO_LEASE,
    OPERATIONS_MAX,
    Author,
    Commit,
    Drop,
    Entry,
    Keys,
    Put,
)

Pages = Iterable[Sequence[Entry]]

SCAN_KEYS = 1000


class Difference(NamedTuple):
    """One key that differs: what it was (None: not there) and what it is."""

    key: bytes
    old: Entry | None
    new: Entry | None


def is_same(old: Entry, new: Entry) -> bool:
    """Whether a key has kept its value, whatever has happened to it in between."""
    return old.mod_revision == new.mod_revision or (old.value == new.value and old.meta == new.meta)


def differences(old: Pages, new: Pages) -> Iterator[Difference]:
    """Every key that differs, in key order; both sides are in key order."""
    for each in _side_by_side(old, new):
        if each.old is None or each.new is None or not is_same(each.old, each.new):
            yield each


def _side_by_side(old: Pages, new: Pages) -> Iterator[Difference]:
    """Every key of either side."""
    before, after = _each(old), _each(new)
    left, right = next(before, None), next(after, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.key < right.key):
            assert left is not None
            yield Difference(left.key, left, None)
            left = next(before, None)
        elif left is None or right.key < left.key:
            yield Difference(right.key, None, right)
            right = next(after, None)
        else:
            yield Difference(left.key, left, right)
            left, right = next(before, None), next(after, None)


def _each(pages: Pages) -> Iterator[Entry]:
    for page in pages:
        yield from page


def pages_of(keys: Keys, stop: bytes) -> Iterator[Sequence[Entry]]:
    """The keys below `stop` at head, a page at a time; they may change in between."""
    start = b""
    while page := keys.scan(start, stop, limit=SCAN_KEYS):
        yield page
        start = page[-1].key + b"\0"


def commits_towards(keys: Keys, old: Pages, stop: bytes, author: Author) -> Iterator[Commit]:
    """The commits that make the keys below `stop` what they were, each to be applied before the next is asked
    for."""
    puts: list[Put] = []
    drops: list[Drop] = []
    size = 0
    found = _side_by_side(old, pages_of(keys, stop))
    for is_new, group in groupby(found, key=lambda each: each.old is None):
        if is_new:
            # What has come since, with nothing of the past in between, goes as one range.
            gone = [each.key for each in group]
            drops.append(Drop(gone[0], gone[-1] + b"\0"))
        else:
            for each in group:
                assert each.old is not None
                if each.new is not None and is_same(each.old, each.new):
                    continue
                put = _put(keys, each.old)
                if put is None:
                    continue
                length = len(put.key) + len(put.value) + len(put.meta)
                if len(puts) + len(drops) + 1 >= OPERATIONS_MAX or size + length > COMMIT_BYTES_MAX:
                    yield Commit(author, (), puts, drops)
                    puts, drops, size = [], [], 0
                puts.append(put)
                size += length
        if len(puts) + len(drops) >= OPERATIONS_MAX:
            yield Commit(author, (), puts, drops)
            puts, drops, size = [], [], 0
    if puts or drops:
        yield Commit(author, (), puts, drops)


def _put(keys: Keys, old: Entry) -> Put | None:
    if old.lease != NO_LEASE and all(lease.id != old.lease for lease in keys.leases()):
        return None
    return Put(old.key, old.value, old.meta, old.lease)
