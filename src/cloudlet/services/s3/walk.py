"""Walking keys in order with a prefix and a delimiter: what every S3 listing is made of.

State   none
Source  S3 User Guide, "Organizing objects using prefixes", "Listing object keys programmatically"
Absent  none

Theory of operation
    A listing walks a space of packed keys, tuples whose first element behind the space's own is the object's
    key as text: their byte order is the keys' order in UTF-8. Keys that share the text up to the first
    delimiter behind the prefix are one common prefix. The walk does not read through them: it goes on behind
    the last key that could share it, so a listing of a million keys under ten prefixes reads ten times a few.

        photos/a  photos/b … photos/z      plain
        ^ a common prefix: seek behind every "photos/…"   ^ an item

    Entries are read ahead in batches that start small, behind each seek anew, and double while keys are
    plain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from cloudlet.aws.record import Key
from cloudlet.kernel.keys import Entry
from cloudlet.kernel.tuples import pack, prefix_range, text_range, unpack

AHEAD_MIN = 8  # entries read behind a seek: a common prefix needs one of them
AHEAD_MAX = 512

Read = Callable[[bytes, bytes, int], Sequence[Entry]]
"""The first entries of a range of packed keys: `Request.entries`."""


class Row(NamedTuple):
    """One entry of the walk: the object's key, what the packed key says behind it, and the entry."""

    key: str
    rest: Key
    entry: Entry


class Rows(Protocol):
    """Rows in key order, one of them at hand."""

    @property
    def row(self) -> Row | None:
        """The row at hand, None behind the last."""

    def advance(self) -> None:
        """Go to the next row."""

    def skip(self, common: str) -> None:
        """Go on behind every key that begins with `common`, as the row at hand does."""


class Span:
    """The rows of one space of keys, `parts`, whose key begins with a prefix; from packed key `start` on."""

    __slots__ = ("_ahead", "_batch", "_body", "_next", "_parts", "_position", "_read", "_stop", "row")

    def __init__(self, read: Read, parts: Key, prefix: str, start: bytes = b"") -> None:
        self._read = read
        self._parts = parts
        self._body = len(pack(parts))
        first, self._stop = text_range(parts, prefix)
        self._position = max(start, first)
        self._ahead = AHEAD_MIN
        self._batch: Sequence[Entry] = ()
        self._next = 0  # the entry of the batch that follows the row at hand
        self.row: Row | None = None
        self.advance()

    def advance(self) -> None:
        """Go to the next row."""
        if self._next == len(self._batch):
            self._fill()
        if self._next < len(self._batch):
            entry = self._batch[self._next]
            self._next += 1
            key, *rest = unpack(entry.key[self._body :])
            assert isinstance(key, str)
            self.row = Row(key, tuple(rest), entry)
        else:
            self.row = None

    def _fill(self) -> None:
        self._batch = self._read(self._position, self._stop, self._ahead)
        self._next = 0
        if self._batch:
            self._position = self._batch[-1].key + b"\0"
            self._ahead = min(2 * self._ahead, AHEAD_MAX)

    def skip(self, common: str) -> None:
        """Go on behind every key that begins with `common`."""
        if self.row is None or not self.row.key.startswith(common):
            return
        stop = text_range(self._parts, common)[1]
        batch = self._batch
        while self._next < len(batch) and batch[self._next].key < stop:
            self._next += 1
        if self._next == len(batch):
            self._position = max(self._position, stop)
            self._ahead = AHEAD_MIN
        self.advance()


class Merged:
    """The rows of two spans in key order; of one key, the first span's rows come first."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: Span, second: Span) -> None:
        self._first = first
        self._second = second

    def _nearest(self) -> Span:
        first, second = self._first.row, self._second.row
        if first is None or (second is not None and second.key < first.key):
            return self._second
        return self._first

    @property
    def row(self) -> Row | None:
        """The row at hand."""
        return self._nearest().row

    def advance(self) -> None:
        """Go to the next row."""
        self._nearest().advance()

    def skip(self, common: str) -> None:
        """Go on behind every key that begins with `common`."""
        self._first.skip(common)
        self._second.skip(common)


class Page(NamedTuple):
    """One page: at most as many rows and common prefixes together as were asked for."""

    rows: list[Row]
    prefixes: list[str]
    last: str  # the last row's key or the last common prefix, by key order; "" on an empty page
    is_truncated: bool


def take(rows: Rows, prefix: str, delimiter: str, limit: int) -> Page:
    """The next page of a walk; a page of nothing is never truncated."""
    found: list[Row] = []
    prefixes: list[str] = []
    last = ""
    while limit and (row := rows.row) is not None:
        if len(found) + len(prefixes) == limit:
            return Page(found, prefixes, last, is_truncated=True)
        common = group_of(row.key, prefix, delimiter)
        if common is None:
            found.append(row)
            last = row.key
            rows.advance()
        else:
            prefixes.append(common)
            last = common
            rows.skip(common)
    return Page(found, prefixes, last, is_truncated=False)


def group_of(key: str, prefix: str, delimiter: str) -> str | None:
    """The common prefix that a key counts under, if any."""
    if not delimiter or not key.startswith(prefix):
        return None
    at = key.find(delimiter, len(prefix))
    return None if at < 0 else key[: at + len(delimiter)]


def behind(parts: Key, marker: str, prefix: str, delimiter: str) -> bytes:
    """Where a walk goes on behind a marker: behind its key, or behind the whole common prefix it is in."""
    group = group_of(marker, prefix, delimiter)
    return behind_key(parts, marker) if group is None else behind_group(parts, group)


def behind_key(parts: Key, key: str) -> bytes:
    """Behind one key, and all that is kept under it."""
    return prefix_range((*parts, key))[1]


def behind_group(parts: Key, group: str) -> bytes:
    """Behind every key that begins with `group`."""
    return text_range(parts, group)[1]
