"""A range of many keys: read, chosen, sorted and encoded over several turns of the loop.

State   none
Source  etcd 3.6, rpc.proto, RangeRequest; what is chosen is told in kv.py
Absent  the same for a range within a transaction: one turn

A hundred thousand keys take a tenth of a second to encode, and nobody else is to wait for that. The entries
are those of one revision, however long it takes to look at them: if the store forgets it meanwhile, the head
is read anew, unless the client has named the revision.
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
    if not request.range_end or request.count_only:
        return False
    if 0 < request.limit <= KEYS_MAX and not is_sorted(request) and not is_filtered(request):
        return False
    return keys.count(*range_of(request.key, request.range_end)) > KEYS_MAX


async def long_range(keys: LocalKeys, replies: Replies, request: pb.RangeRequest) -> bytes:
    """The whole reply; FutureRev, Compacted."""
    revision, entries = await _read(keys, request)
    count = len(entries)
    if is_filtered(request):
        passed: list[Entry] = []
        for some in _slices(entries):
            passed += [entry for entry in some if passes(request, entry)]
            await asyncio.sleep(0)
        entries = passed
    limit = request.limit if request.limit > 0 else None
    if limit is not None and request.sort_order == NONE and not is_filtered(request):
        entries = entries[: limit + 1]  # a target alone sorts what was fetched
    has_more = limit is not None and len(entries) > limit
    ordered: Iterator[Entry] = iter(entries)
    if is_sorted(request):
        runs: list[list[Entry]] = []
        for some in _slices(entries):
            runs.append(in_order(request, some))
            await asyncio.sleep(0)
        ordered = merge(*runs, key=sort_field(request), reverse=request.sort_order == DESCEND)
    # What is concatenated is one message: each piece adds to its list.
    shown = revision if not request.revision else keys.head
    pieces = [encode(pb.RangeResponse(header=replies.header(shown)))]
    ordered = islice(ordered, limit)
    with_value = not request.keys_only
    while some := list(islice(ordered, KEYS_MAX)):
        kvs = [key_value(entry, with_value=with_value) for entry in some]
        pieces.append(encode(pb.RangeResponse(kvs=kvs)))
        await asyncio.sleep(0)
    pieces.append(encode(pb.RangeResponse(more=has_more, count=count)))
    await keys.settle(shown)
    return b"".join(pieces)


async def _read(keys: LocalKeys, request: pb.RangeRequest) -> tuple[Revision, Sequence[Entry]]:
    start, stop = range_of(request.key, request.range_end)
    while True:
        revision = Revision(request.revision) if request.revision > 0 else keys.head
        if revision > keys.head:
            raise refused("FutureRev")
        try:
            return revision, await keys.scan_at(revision, start, stop)
        except Compacted as error:
            if request.revision > 0:
                raise of_store(error) from None


def _slices(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    for at in range(0, len(entries), KEYS_MAX):
        yield entries[at : at + KEYS_MAX]
