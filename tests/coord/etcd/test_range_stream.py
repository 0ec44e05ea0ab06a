"""The pieces of a streamed range, merged, are what Range answers; they are of one revision."""

import asyncio

import pytest
from tests.coord.etcd.running import run, running

from cloudlet.coord.etcd.kv import Kv
from cloudlet.coord.etcd.long_range import Turns
from cloudlet.coord.etcd.range_stream import KEYS_MAX, next_size, pieces
from cloudlet.coord.etcd.replies import Replies
from cloudlet.engines.grpc_client import GrpcStatus
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.protobuf import decode, encode

KEYS = 57
ALL = {"key": b"\0", "range_end": b"\0"}


async def fill(client):
    for number in range(KEYS):
        await client.Put(key=b"k%02d" % number, value=b"%d" % number)
    await client.Put(key=b"k03", value=b"again")
    await client.DeleteRange(key=b"k05")


async def streamed(client, **fields):
    """The messages of one call."""
    stream = client.stream("RangeStream")
    stream.send(**fields)
    stream.end()
    found = []
    while (reply := await stream.receive()) is not None:
        found.append(reply.range_response)
    return found


def merged(parts):
    last = parts[-1]
    kvs = [each for part in parts for each in part.kvs]
    return pb.RangeResponse(header=last.header, kvs=kvs, more=last.more, count=last.count)


@pytest.mark.parametrize(
    "fields",
    [
        ALL,
        {"key": b"k10"},
        {"key": b"nothing"},
        {**ALL, "limit": 1},
        {**ALL, "limit": 25},
        {**ALL, "limit": KEYS - 1},
        {**ALL, "limit": 500},
        {**ALL, "keys_only": True},
        {**ALL, "count_only": True},
        {**ALL, "count_only": True, "limit": 3, "revision": 9},
        {**ALL, "revision": 20},
        {**ALL, "revision": 20, "limit": 12},
        {"key": b"k2", "range_end": b"k4", "sort_order": 1, "serializable": True},
        {"key": b"k2", "range_end": b"k25", "sort_target": 4},
        {**ALL, "sort_target": 2, "limit": 3},
    ],
)
def test_merged_it_is_the_reply_of_range(tmp_path, fields):
    async def body():
        async with running(tmp_path) as served:
            await fill(served.client)
            parts = await streamed(served.client, **fields)
            assert merged(parts) == await served.client.Range(**fields)
            for part in parts[:-1]:
                assert part.kvs
                assert (part.header, part.more, part.count) == (None, False, 0)

    run(body)


def test_a_target_alone_sorts_each_piece():
    async def body():
        async with running() as served:
            for number in range(40):
                await served.client.Put(key=b"k%02d" % number, value=b"%d" % (number * 7 % 10))
            parts = await streamed(served.client, **ALL, sort_target=4)
            shown = [[kv.value for kv in part.kvs] for part in parts]
            assert [len(values) for values in shown] == [10, 20, 10]
            assert shown == [sorted(values) for values in shown]
            assert len({kv.key for part in parts for kv in part.kvs}) == 40

    run(body)


def test_pieces_grow_up_to_the_size_of_a_request():
    async def body():
        async with running(request_bytes_max=20_000) as served:
            for number in range(120):
                await served.client.Put(key=b"k%03d" % number, value=bytes(1000))
            whole = await streamed(served.client, **ALL)
            assert [len(part.kvs) for part in whole] == [10] * 12
            small = await streamed(served.client, **ALL, keys_only=True)
            assert [len(part.kvs) for part in small] == [10, 20, 40, 50]

    run(body)


def test_the_next_size():
    assert next_size(10, 0, 100) == 20
    assert next_size(10, 100, 100) == 10
    assert next_size(10, 201, 100) == 5
    assert next_size(1, 500, 100) == 1
    assert next_size(KEYS_MAX, 1, 100) == KEYS_MAX


def test_it_shows_one_revision_whatever_happens_meanwhile(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            client, keys = served.client, served.keys
            await fill(client)
            wanted, _ = Kv(keys).range(pb.RangeRequest(**ALL))
            found = []
            async for message in pieces(keys, Replies(keys), Turns(), pb.RangeRequest(**ALL), 1000):
                found.append(decode(pb.RangeStreamResponse, message).range_response)
                await client.Put(key=b"k%02d" % (56 - len(found)), value=b"new")
                await client.DeleteRange(key=b"k5", range_end=b"k6")
                await client.Compact(revision=keys.head)
            assert len(found) == 3
            assert merged(found).kvs == wanted.kvs

    run(body)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "etcdserver: key is not provided"),
        ({**ALL, "sort_order": 2}, "RangeStream does not support custom sort orders"),
        ({**ALL, "sort_order": 1, "sort_target": 1}, "RangeStream does not support custom sort orders"),
        ({**ALL, "min_mod_revision": 1}, "RangeStream does not support revision filters"),
        ({**ALL, "revision": 900}, "etcdserver: mvcc: required revision is a future revision"),
        ({**ALL, "revision": 2}, "etcdserver: mvcc: required revision has been compacted"),
    ],
)
def test_what_is_refused(fields, text):
    async def body():
        async with running() as served:
            await fill(served.client)
            await served.client.Compact(revision=5)
            with pytest.raises(GrpcStatus) as caught:
                await streamed(served.client, **fields)
            assert caught.value.message == text

    run(body)


def test_a_client_that_goes_away_ends_it():
    async def body():
        async with running() as served:
            for number in range(40):
                await served.client.Put(key=b"k%03d" % number, value=bytes(200_000))
            stream = served.client.stream("RangeStream")
            stream.send(**ALL)
            stream.end()
            await stream.receive()
            stream.cancel()
            await asyncio.sleep(0)
            assert (await served.client.Range(**ALL, count_only=True)).count == 40

    run(body)


def test_only_who_may_read():
    async def body():
        async with running() as served:
            client = served.client
            await client.UserAdd(name="root", password="r")
            await client.UserGrantRole(user="root", role="root")
            await client.AuthEnable()
            with pytest.raises(GrpcStatus, match="user name is empty"):
                await streamed(client, **ALL)

    run(body)


def test_bytes_that_are_no_request():
    async def body():
        async with running() as served:
            raw = served.client.wire.stream("/etcdserverpb.KV/RangeStream")
            raw.send(b"\xff\xff")
            raw.end()
            with pytest.raises(GrpcStatus, match="error unmarshalling request"):
                await raw.receive()
            assert encode(pb.RangeRequest()) == b""

    run(body)
