"""The bytes of the keys log: segment headers, frames, and the records inside.

State   none
Source  our own format, number 1; CRC-32C (RFC 3720, appendix B.4)
Absent  none

A segment is a header and frames, then zeroes:

    segment   magic "cloudlet" | format u16 | crc u32 | start u64 | base revision u64 | zeroes to 64 bytes
    frame     marker u32 | crc u32 | length u32 | durable u64 | revision u64 | kind u8 | body (MessagePack)

`start` is the segment's place in the log, counted in bytes since the log began, so a place is one number over
all segments. `durable` says up to which place the log was known to be on the disk when the frame was written:
a broken frame below the `durable` of a whole one was lost by the disk, not by a crash (see disk_keys_log).

A step carries, beside each new entry, the entry before it. So one frame shows a watcher both sides of a
change, and to read the past one needs only frames *above* the revision asked for: old segments may go any
time, and what they alone told is below the compaction mark.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

import google_crc32c
import msgspec

from cloudlet.kernel.fault import NoSpace
from cloudlet.kernel.keys import Author, Entry, Event, LeaseId, Revision
from cloudlet.kernel.keys_newest import Step, in_order, tombstone

FORMAT = 1
MAGIC = b"cloudlet"
MARKER = b"\xc1KEY"  # 0xc1 is never used by MessagePack, so a body holds it only inside a string
SEGMENT_HEADER_BYTES = 64
LONG_BYTES = 1 << 17  # of a body that is read in slices
ROWS_MAX = 1000  # in a slice

STEP, GRANT, REVOKE, COMPACT, MARK = 1, 2, 3, 4, 5

_segment = struct.Struct("<8sHIQQ")
_frame = struct.Struct("<4sIIQQB")
_tail = struct.Struct("<IQQB")
_crc = struct.Struct("<I")
_array = struct.Struct(">BI")
FRAME_BYTES = _frame.size
_TAIL_AT = 8

checksum = google_crc32c.value
_encode = msgspec.msgpack.Encoder().encode


class Frame(NamedTuple):
    """A whole frame and where it lies in the bytes it was found in."""

    kind: int
    revision: int
    durable: int
    body: bytes
    stop: int


class Image(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The rest of an entry whose key and mod revision stand beside it."""

    value: bytes
    meta: bytes
    create_revision: Revision
    version: int
    lease: LeaseId


class PutRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A new entry; `before` is the revision of the key's change before (0: none known)."""

    key: bytes
    value: bytes
    meta: bytes
    create_revision: Revision
    version: int
    lease: LeaseId
    before: Revision
    image: Image | None


class DropRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An entry that goes."""

    key: bytes
    before: Revision
    image: Image | None


class StepBody(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One revision; `lease` ends with it, unless 0. `after` as in a step: only where the order is not the
    usual one, and not in logs of before."""

    face: str
    principal: str
    address: str
    request_id: str
    lease: LeaseId
    drops: list[DropRow]
    puts: list[PutRow]
    after: list[int] = []


class LongBody(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A step with its rows as they lie there."""

    face: str
    principal: str
    address: str
    request_id: str
    lease: LeaseId
    drops: list[msgspec.Raw]
    puts: list[msgspec.Raw]
    after: list[int] = []


class GrantBody(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A new lease."""

    lease: LeaseId
    ttl_ms: int


read_step = msgspec.msgpack.Decoder(StepBody).decode
read_long = msgspec.msgpack.Decoder(LongBody).decode
_read_drops = msgspec.msgpack.Decoder(list[DropRow]).decode
_read_puts = msgspec.msgpack.Decoder(list[PutRow]).decode
read_grant = msgspec.msgpack.Decoder(GrantBody).decode
read_number = msgspec.msgpack.Decoder(int).decode


def steps_of_reading(body: bytes) -> Iterator[StepBody | None]:
    """A step's body, read in slices: None after each, the whole at last."""
    if len(body) <= LONG_BYTES:
        yield read_step(body)
        return
    raw = read_long(body)
    drops: list[DropRow] = []
    puts: list[PutRow] = []
    for at in range(0, len(raw.drops), ROWS_MAX):
        yield None
        some = raw.drops[at : at + ROWS_MAX]
        drops += _read_drops(b"".join([array_head(len(some)), *some]))
    for at in range(0, len(raw.puts), ROWS_MAX):
        yield None
        some = raw.puts[at : at + ROWS_MAX]
        puts += _read_puts(b"".join([array_head(len(some)), *some]))
    yield StepBody(raw.face, raw.principal, raw.address, raw.request_id, raw.lease, drops, puts, raw.after)


def segment_header(start: int, base_revision: int) -> bytes:
    """The first bytes of a segment."""
    bare = _segment.pack(MAGIC, FORMAT, 0, start, base_revision)
    whole = _segment.pack(MAGIC, FORMAT, checksum(bare), start, base_revision)
    return whole.ljust(SEGMENT_HEADER_BYTES, b"\0")


def parse_segment_header(data: bytes) -> tuple[int, int, int] | None:
    """(format, start, base revision), or None unless whole."""
    if len(data) < SEGMENT_HEADER_BYTES:
        return None
    magic, number, crc, start, base_revision = _segment.unpack_from(data)
    if magic != MAGIC or crc != checksum(_segment.pack(magic, number, 0, start, base_revision)):
        return None
    return number, start, base_revision


def frame(kind: int, revision: int, durable: int, body: bytes) -> bytes:
    """The frame around a body; NoSpace for one that no frame holds."""
    try:
        tail = _tail.pack(len(body), durable, revision, kind) + body
    except struct.error:
        raise _too_long(len(body)) from None
    return MARKER + _crc.pack(checksum(tail)) + tail


def long_frame(kind: int, revision: int, durable: int, body: list[bytes]) -> list[bytes]:
    """The same in pieces, none of which is copied."""
    size = sum(map(len, body))
    try:
        tail = _tail.pack(size, durable, revision, kind)
    except struct.error:
        raise _too_long(size) from None
    crc = checksum(tail)
    for piece in body:
        crc = google_crc32c.extend(crc, piece)
    return [MARKER + _crc.pack(crc) + tail, *body]


def _too_long(size_bytes: int) -> NoSpace:
    return NoSpace(f"a commit of {size_bytes >> 20} MiB, with all that it drops: more than one frame holds")


def parse_frame(data: bytes, at: int) -> Frame | None:
    """The frame that begins at `at`, or None unless it is whole and passes its checksum."""
    if len(data) - at < FRAME_BYTES:
        return None
    marker, crc, length, durable, revision, kind = _frame.unpack_from(data, at)
    stop = at + FRAME_BYTES + length
    if marker != MARKER or stop > len(data) or checksum(data[at + _TAIL_AT : stop]) != crc:
        return None
    return Frame(kind, revision, durable, data[at + FRAME_BYTES : stop], stop)


def skim_frame(data: bytes, at: int) -> tuple[int, int, int] | None:
    """(kind, revision, stop) of the frame at `at` by its header alone; `stop` may lie beyond the data."""
    if len(data) - at < FRAME_BYTES:
        return None
    marker, _, length, _, revision, kind = _frame.unpack_from(data, at)
    return (kind, revision, at + FRAME_BYTES + length) if marker == MARKER else None


def drop_rows(entries: Sequence[Entry], free: tuple[bytes, ...]) -> bytes:
    """The rows of entries that go, one behind the other."""
    rows = _drops(entries, free)
    count = len(rows)
    return _encode(rows)[1 if count < 16 else 3 if count < 1 << 16 else 5 :]  # without the array's head


def _drops(entries: Sequence[Entry], free: tuple[bytes, ...]) -> list[tuple[object, ...]]:
    return [
        (old.key, old.mod_revision, None if free and old.key.startswith(free) else image(old))
        for old in entries
    ]


def array_head(count: int) -> bytes:
    """The head of an array, as MessagePack has it."""
    return bytes((0x90 | count,)) if count < 16 else _array.pack(0xDD, count)


def step_body(
    step: Step, lease: int, tombstones: Mapping[bytes, Revision], free: tuple[bytes, ...]
) -> bytes | list[bytes]:
    """A step's body, in pieces where it was foreseen. Keys that begin with one of `free` keep no entry
    before."""
    author = step.author
    puts: list[tuple[object, ...]] = []
    for e, old in zip(step.entries, step.previous):  # noqa: B905 - `strict` costs 0.1 us
        key = e.key
        before, was = 0, None
        if old is not None:
            before = old.mod_revision
            if not free or not key.startswith(free):
                was = (old.value, old.meta, old.create_revision, old.version, old.lease)
        elif tombstones:
            before = tombstones.get(key, 0)
        puts.append((key, e.value, e.meta, e.create_revision, e.version, e.lease, before, was))
    if step.long is not None:
        who = map(_encode, (author.face, author.principal, author.address, author.request_id, lease))
        pieces = [array_head(8 if step.after else 7), *who, array_head(len(step.dropped)), *step.long.rows]
        return [*pieces, _encode(puts), *([_encode(step.after)] if step.after else [])]
    drops = _drops(step.dropped, free) if step.dropped else []
    row = (author.face, author.principal, author.address, author.request_id, lease, drops, puts)
    return _encode((*row, step.after) if step.after else row)


image = attrgetter("value", "meta", "create_revision", "version", "lease")
"""Of an entry: what `Image` is read from."""


def grant_body(lease: int, ttl_ms: int) -> bytes:
    return _encode((lease, ttl_ms))


def number_body(number: int) -> bytes:
    return _encode(number)


def entry_of(row: PutRow, revision: Revision) -> Entry:
    """The entry that a put of `revision` made."""
    # One integer object for both revisions where they are the same: a million keys hold them in memory.
    created = revision if row.create_revision == revision else row.create_revision
    return Entry(row.key, row.value, row.meta, created, revision, row.version, row.lease)


def entry_before(row: PutRow | DropRow) -> Entry | None:
    """The entry that a put or a drop replaced."""
    found = row.image
    if found is None:
        return None
    return Entry(
        row.key, found.value, found.meta, found.create_revision, row.before, found.version, found.lease
    )


def events_within(
    rows: Sequence[PutRow | DropRow],
    revision: Revision,
    start: bytes,
    stop: bytes,
    without: tuple[bytes, ...],
    mark: Revision,
) -> list[Event]:
    """The events of a step's rows that touch [start, stop) and no key that begins with one of `without`. At
    the compaction mark and below, the entries before are compacted."""
    events: list[Event] = []
    for row in rows:
        if start <= row.key < stop and not row.key.startswith(without):
            entry = entry_of(row, revision) if isinstance(row, PutRow) else tombstone(row.key, revision)
            events.append(Event(entry, entry_before(row) if revision > mark else None))
    return events


def rows_in_order(body: StepBody) -> Sequence[PutRow | DropRow]:
    """The rows of a step in the order of its events."""
    return in_order(body.drops, body.puts, body.after)


def author_of(body: StepBody) -> Author:
    return Author(body.face, body.principal, body.address, body.request_id)
