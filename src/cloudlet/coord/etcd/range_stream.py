"""RangeStream: a range in pieces, all of one revision, for lists too large for one message.

State   none: the entries of the call, while it lasts
Source  etcd 3.7, rpc.proto, RangeStreamResponse; v3_server.go, rangeStream (what is in which piece)
Absent  other orders than that of the keys, and filters by revision: refused by name, as etcd refuses them

The entries are looked up once, at the revision of the beginning; a compaction meanwhile takes nothing
from it. Header, `more` and `count` come with the last piece: all pieces merged are what Range answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from cloudlet.coord.etcd.kv import ASCEND, NONE, check_range, is_filtered, sort_field
from cloudlet.coord.etcd.long_range import Turns, read_range
from cloudlet.coord.etcd.ranges import key_value
from cloudlet.coord.etcd.replies import Replies
from cloudlet.kernel.keys import LocalKeys
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Call, Code, GrpcStatus
from cloudlet.wire.protobuf import encode

FIRST_KEYS = 10
KEYS_MAX = 2000  # in one piece, which is made in one turn of the loop


def check_stream(request: pb.RangeRequest) -> None:
    check_range(request)
    is_by_key = request.sort_target == 0 and request.sort_order == ASCEND
    if request.sort_order != NONE and not is_by_key:
        raise GrpcStatus(Code.UNIMPLEMENTED, "RangeStream does not support custom sort orders")
    if is_filtered(request):
        raise GrpcStatus(Code.UNIMPLEMENTED, "RangeStream does not support revision filters")


def next_size(size: int, sent_bytes: int, wanted_bytes: int) -> int:
    """How many keys the next piece holds, so that it comes near the wanted size."""
    if sent_bytes < wanted_bytes // 2:
        size *= 2
    elif sent_bytes > wanted_bytes * 2:
        size //= 2
    return min(max(size, 1), KEYS_MAX)


async def pieces(
    keys: LocalKeys, replies: Replies, turns: Turns, request: pb.RangeRequest, piece_bytes: int
) -> AsyncIterator[bytes]:
    """The messages of the reply; FutureRev, Compacted."""
    check_stream(request)
    # No order is what is asked for: the order of the keys. A target alone sorts what is fetched at once, as
    # it does for Range: the keys of each piece.
    field = sort_field(request)
    request.sort_order = request.sort_target = NONE
    if request.count_only:
        request.limit = 1  # none are sent: the count is enough
    revision, entries, count = await read_range(keys, request)
    shown = revision if not request.revision else keys.head
    await keys.settle(shown)
    limit = request.limit if request.limit > 0 else len(entries)
    has_more = len(entries) > limit and not request.count_only
    chosen = entries[: 0 if request.count_only else limit]
    at, size = 0, FIRST_KEYS
    while True:
        await turns.next()
        some = sorted(chosen[at : at + size], key=field)
        kvs = [key_value(entry, with_value=not request.keys_only) for entry in some]
        at += len(kvs)
        reply = pb.RangeResponse(kvs=kvs)
        is_last = at == len(chosen)
        if is_last:
            reply.header, reply.more, reply.count = replies.header(shown), has_more, count
        message = encode(pb.RangeStreamResponse(range_response=reply))
        yield message
        if is_last:
            return
        size = next_size(size, len(message), piece_bytes)


async def range_stream(
    keys: LocalKeys, replies: Replies, turns: Turns, call: Call, request: pb.RangeRequest, piece_bytes: int
) -> None:
    async for message in pieces(keys, replies, turns, request, piece_bytes):
        await call.send(message)
        if call.is_cancelled:
            return
