"""Transactions over long ranges: read before their turn, and as atomic as any."""

import asyncio
from collections import Counter

from tests.coord.etcd.running import run, running

from cloudlet.coord.etcd import kv, look_ahead
from cloudlet.kernel.keys import Author, Commit, Drop, Put
from cloudlet.kernel.spaces import ETCD
from cloudlet.wire import etcd_messages as pb

KEYS = 3000
RANGE = {"key": b"k", "range_end": b"l"}
NOT_EQUAL, VALUE, VERSION, GREATER = 3, 3, 0, 1


def fill(keys):
    for at in range(0, KEYS, 100):
        puts = [Put(ETCD + b"k%05d" % number, b"good") for number in range(at, at + 100)]
        keys.commit_now(Commit(Author("test"), put=puts))


def write(keys, value):
    key = ETCD + b"k%05d" % (KEYS - 1)
    if value is None:
        keys.commit_now(Commit(Author("test"), drop=[Drop(key)]))
    else:
        keys.commit_now(Commit(Author("test"), put=[Put(key, value)]))


def read(**fields):
    return pb.RequestOp(request_range=pb.RangeRequest(**RANGE, **fields))


def all_good():
    return pb.Compare(**RANGE, result=NOT_EQUAL, target=VALUE, value=b"bad")


def counted(monkeypatch, module, name, turns):
    """How many entries a function is given in each turn."""
    found, inner = Counter(), getattr(module, name)

    def counting(first, *more, **named):
        found[turns[0]] += len(more[0]) if name == "is_met" else 1
        return inner(first, *more, **named)

    monkeypatch.setattr(module, name, counting)
    return found


def test_no_turn_looks_at_many_keys(monkeypatch):
    async def body():
        async with running() as served:
            fill(served.keys)
            turns = [0]

            async def ticking():
                while True:
                    turns[0] += 1
                    await asyncio.sleep(0)

            ticker = asyncio.create_task(ticking())
            ahead = counted(monkeypatch, look_ahead, "is_met", turns)
            late = counted(monkeypatch, kv, "is_met", turns)
            shown = counted(monkeypatch, kv, "key_value", turns)
            versions = pb.Compare(**RANGE, result=GREATER, target=VERSION, version=0)
            newest = read(limit=3, sort_order=2, sort_target=0)
            nested = pb.RequestOp(request_txn=pb.TxnRequest(compare=[versions], success=[newest]))
            put = pb.RequestOp(request_put=pb.PutRequest(key=b"a", value=b"1"))
            reply = await served.client.Txn(compare=[all_good()] * 20, success=[put, read(), nested, read()])
            ticker.cancel()
            assert reply.succeeded
            assert (sum(ahead.values()), max(ahead.values())) == (21 * KEYS, 2000)
            assert (late, shown) == ({}, {})
            whole = reply.responses[1].response_range
            assert [pair.key for pair in whole.kvs] == [b"k%05d" % number for number in range(KEYS)]
            assert (whole.count, whole.more) == (KEYS, False)
            assert whole.header.revision == reply.header.revision == served.keys.head
            assert reply.responses[3].response_range.kvs == whole.kvs
            inner = reply.responses[2].response_txn.responses[0].response_range
            assert [pair.key for pair in inner.kvs] == [b"k%05d" % (KEYS - at) for at in (1, 2, 3)]
            assert (inner.count, inner.more) == (KEYS, True)

    run(body)


def test_what_was_read_before_its_turn_is_what_there_is_in_its_turn():
    async def body():
        async with running() as served:
            keys = served.keys
            fill(keys)
            outcomes = Counter()
            is_over = False

            async def others():
                value = 0
                while not is_over:
                    write(keys, (b"bad", b"good", None)[value % 3])
                    value += 1
                    for _ in range(value * 7 % 40):
                        await asyncio.sleep(0)

            writing = asyncio.create_task(others())
            for _ in range(60):
                reply = await served.client.Txn(compare=[all_good()], success=[read()], failure=[read()])
                values = {pair.value for pair in reply.responses[0].response_range.kvs}
                assert reply.succeeded == (b"bad" not in values)
                outcomes[reply.succeeded] += 1
            is_over = True
            await writing
            assert min(outcomes[True], outcomes[False]) > 0

    run(body)


def test_a_range_that_the_transaction_changes_is_read_as_it_leaves_it():
    async def body():
        async with running() as served:
            fill(served.keys)
            put = pb.RequestOp(request_put=pb.PutRequest(key=b"k1", value=b"new"))
            delete = pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(**RANGE))
            reply = await served.client.Txn(success=[read(), put, read()])
            counts = [reply.responses[at].response_range.count for at in (0, 2)]
            assert counts == [KEYS, KEYS + 1]
            reply = await served.client.Txn(success=[read(), delete, read()])
            counts = [reply.responses[at].response_range.count for at in (0, 2)]
            assert counts == [KEYS + 1, 0]
            assert served.keys._feed._watches == {}

    run(body)
