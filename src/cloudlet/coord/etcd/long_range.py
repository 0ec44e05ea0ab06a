"""A range of many keys: read, chosen, sorted and encoded over several turns of the loop.

State   in memory: whose turn it is
Source  etcd 3.6, rpc.proto, RangeRequest; what is chosen is told in kv.py
Absent  none

A hundred thousand keys take a tenth of a second to encode, and nobody else is to wait for that. The entries
are those of one revision, however long it takes to look at them: if the store forgets it meanwhile, the head
is read anew, unless the client has named the revision.

However many such ranges are asked for at once, a turn of the loop holds one slice of one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice

from cloudlet.coord.etcd.faults import of_store, refused
from cloudlet.coord.etcd.kv import DESCEND, NONE, in_order, is_filtered, is_sorted, passes, sort_field
from cloudlet.coord.etcd.ranges import key_value, range_of
from cloudlet.coord.etcd.replies import Replies
from cloudlet.kernel.fault import Compacted
from cloudlet.kernel.keys import Entry, LocalKeys, Revision
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.protobuf import encode

KEYS_MAX = 2000  # that are looked at in one turn


def is_long(keys: LocalKeys, request: pb.RangeRequest) -> bool:
    """Whether a range is worth more than one turn; of a past revision too, which is about as long as now."""
    return bool(request.range_end) and keys_looked_at(keys, request) > KEYS_MAX


def keys_looked_at(keys: LocalKeys, request: pb.RangeRequest) -> int:
    """How many keys a read of a range has to do with."""
    if request.count_only:
        return 0
    count = keys.count(*range_of(request.key, request.range_end))
    if request.limit > 0 and not is_sorted(request) and not is_filtered(request):
        return min(count, request.limit)
    return count


class Turns:
    """Who makes a slice: each once, then the next, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self.message = asyncio.Lock()  # of a long message that many are to have

    async def next(self) -> None:
        """Wait for a turn of the loop in which nobody else makes one."""
        async with self._lock:
            await asyncio.sleep(0)


async def long_range(keys: LocalKeys, replies: Replies, turns: Turns, request: pb.RangeRequest) -> bytes:
    """The whole reply; FutureRev, Compacted."""
    shown, body = await range_body(keys, turns, request)
    await keys.settle(shown)
    # What is concatenated is one message: each piece adds to its list.
    return encode(pb.RangeResponse(header=replies.header(shown))) + body


async def range_body(keys: LocalKeys, turns: Turns, request: pb.RangeRequest) -> tuple[Revision, bytes]:
    """The revision to be shown, and the reply without its header; FutureRev, Compacted."""
    revision, entries, count = await read_range(keys, request)
    if is_filtered(request):
        passed: list[Entry] = []
        for some in slices(entries):
            await turns.next()
            passed += [entry for entry in some if passes(request, entry)]
        entries = passed
    limit = request.limit if request.limit > 0 else None
    entries = entries[: _fetched(request)]
    has_more = limit is not None and len(entries) > limit
    ordered: Iterator[Entry] = iter(entries)
    if is_sorted(request):
        runs: list[list[Entry]] = []
        for some in slices(entries):
            await turns.next()
            runs.append(in_order(request, some))
        ordered = merge(*runs, key=sort_field(request), reverse=request.sort_order == DESCEND)
    shown = revision if not request.revision else keys.head
    pieces: list[bytes] = []
    ordered = islice(ordered, limit)
    with_value = not request.keys_only
    await turns.next()
    while some := list(islice(ordered, KEYS_MAX)):
        kvs = [key_value(entry, with_value=with_value) for entry in some]
        pieces.append(encode(pb.RangeResponse(kvs=kvs)))
        await turns.next()
    pieces.append(encode(pb.RangeResponse(more=has_more, count=count)))
    return shown, b"".join(pieces)


def _fetched(request: pb.RangeRequest) -> int | None:
    """How many entries are looked at, in the order of their keys: one more than the limit, unless an order or
    a filter decides which ones they are. A target alone sorts what was fetched."""
    if request.limit <= 0 or request.sort_order != NONE or is_filtered(request):
        return None
    return request.limit + 1


async def read_range(keys: LocalKeys, request: pb.RangeRequest) -> tuple[Revision, Sequence[Entry], int]:
    """The revision, the entries to look at, and how many there are: at head that needs no look at them."""
    start, stop = range_of(request.key, request.range_end)
    while True:
        head = keys.head
        revision = Revision(request.revision) if request.revision > 0 else head
        if revision > head:
            raise refused("FutureRev")
        fetched = _fetched(request) if revision == head else None
        count = keys.count(start, stop) if fetched is not None else None
        try:
            entries = await keys.scan_at(revision, start, stop, limit=fetched)
        except Compacted as error:
            if request.revision > 0:
                raise of_store(error) from None
        else:
            return revision, entries, len(entries) if count is None else count


def slices(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """The entries by as many as are looked at in one turn."""
    for at in range(0, len(entries), KEYS_MAX):
        yield entries[at : at + KEYS_MAX]
