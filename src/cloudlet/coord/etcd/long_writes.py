"""Deletes of very many keys, and transactions over as many: several turns of the loop before and after.

State   none
Source  etcd 3.6, rpc.proto, DeleteRangeRequest; kernel/keys_drop.py tells how
Absent  none
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cloudlet.coord.etcd.kv import Kv, NeedsPast, Past
from cloudlet.coord.etcd.long_range import Turns, slices
from cloudlet.coord.etcd.look_ahead import LookingAhead, reads_long
from cloudlet.coord.etcd.ranges import key_value, range_of
from cloudlet.coord.etcd.replies import Replies
from cloudlet.kernel.keys import Author, LocalKeys
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.protobuf import encode

KEYS_MAX = 1000  # that are deleted in one turn


def is_long(keys: LocalKeys, start: bytes, stop: bytes) -> bool:
    """Whether so many keys are worth more than one turn."""
    return keys.count(start, stop) > KEYS_MAX


def is_long_txn(keys: LocalKeys, request: pb.TxnRequest) -> bool:
    """Whether a transaction reads or deletes so many."""
    return any(is_long(keys, *place) for place in deleted_ranges(request)) or reads_long(keys, request)


def deleted_ranges(request: pb.TxnRequest) -> Iterator[tuple[bytes, bytes]]:
    """The ranges that a transaction may delete."""
    for each in (*request.success, *request.failure):
        deletion = each.request_delete_range
        if deletion is not None and deletion.range_end:
            yield range_of(deletion.key, deletion.range_end)
        if each.request_txn is not None:
            yield from deleted_ranges(each.request_txn)


async def long_delete(
    keys: LocalKeys, kv: Kv, replies: Replies, turns: Turns, request: pb.DeleteRangeRequest, author: Author
) -> bytes:
    """The whole reply."""
    place = range_of(request.key, request.range_end)
    bare = msgspec.structs.replace(request, prev_kv=False)
    async with keys.foresee([place]) as scan:
        previous = scan(*place) if request.prev_kv else ()
        reply, revision = kv.delete_range(bare, author)
    pieces: list[bytes] = []
    for some in slices(previous):
        await turns.next()
        pieces.append(encode(pb.DeleteRangeResponse(prev_kvs=list(map(key_value, some)))))
    # What is concatenated is one message: each piece adds to its list.
    return b"".join([await replies.settled(reply, revision), *pieces])


async def long_txn(
    keys: LocalKeys,
    kv: Kv,
    replies: Replies,
    turns: Turns,
    request: pb.TxnRequest,
    author: Author,
    past: Past,
) -> bytes:
    """The whole reply. What it reads of the past is fetched, and all is decided anew each time: the present
    may have moved on."""
    ranges = list(deleted_ranges(request))
    ahead = LookingAhead(keys, turns, request)
    try:
        while True:
            if reads_long(keys, request):
                await ahead.look()
            try:
                async with keys.foresee(ranges):
                    reply, revision = kv.txn(request, author, past, ahead.found)
            except NeedsPast as needed:
                await kv.fetch(needed, past)
                continue
            return await replies.settled(reply, revision)
    finally:
        ahead.close()
