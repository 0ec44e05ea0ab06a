"""Deletes of many keys: one revision, the replies of etcd, and turns for everybody else in between."""

import asyncio

from tests.coord.etcd.running import run, running

from cloudlet.kernel.keys import Author, Commit, Put
from cloudlet.kernel.spaces import ETCD
from cloudlet.wire import etcd_messages as pb

KEYS = 5000
RANGE = {"key": b"k", "range_end": b"l"}


def fill(keys):
    """KEYS keys of 100 revisions."""
    for at in range(0, KEYS, 50):
        puts = [Put(ETCD + b"k%05d" % number, b"%d" % number) for number in range(at, at + 50)]
        keys.commit_now(Commit(Author("test"), put=puts))


class Turns:
    """Counts the turns of the loop."""

    def __enter__(self):
        self.count = 0
        self._task = asyncio.create_task(self._run())
        return self

    def __exit__(self, *raised):
        self._task.cancel()

    async def _run(self):
        while True:
            self.count += 1
            await asyncio.sleep(0)


def test_a_long_delete_gives_others_their_turns(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            client = served.client
            fill(served.keys)
            watch = await client.watch(**RANGE, prev_kv=True)
            before = served.keys.head
            with Turns() as turns:
                reply = await client.DeleteRange(**RANGE, prev_kv=True)
            assert turns.count > 2 * KEYS // 2000 + KEYS // 500
            assert (reply.header.revision, reply.deleted, len(reply.prev_kvs)) == (before + 1, KEYS, KEYS)
            assert [kv.value for kv in reply.prev_kvs] == [b"%d" % number for number in range(KEYS)]
            events = await watch.events(KEYS)
            assert {event.kv.mod_revision for event in events} == {before + 1}
            assert [event.prev_kv for event in events] == reply.prev_kvs
            assert (await client.Range(**RANGE)).count == 0
            assert (await client.Range(**RANGE, revision=before, count_only=True)).count == KEYS
            again = await client.DeleteRange(**RANGE, prev_kv=True)
            assert (again.header.revision, again.deleted, again.prev_kvs) == (before + 1, 0, [])

    run(body)


def test_a_long_delete_in_a_transaction(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            client = served.client
            fill(served.keys)
            before = served.keys.head
            ranged = pb.RequestOp(request_range=pb.RangeRequest(**RANGE, count_only=True))
            past = pb.RequestOp(request_range=pb.RangeRequest(**RANGE, revision=before - 50, count_only=True))
            delete = pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(**RANGE))
            put = pb.RequestOp(request_put=pb.PutRequest(key=b"p"))
            nested = pb.RequestOp(request_txn=pb.TxnRequest(success=[delete, ranged]))
            watch = await client.watch(key=b"\0", range_end=b"\0")
            with Turns() as turns:
                reply = await client.Txn(success=[put, ranged, past, nested])
            assert turns.count > KEYS // 500
            assert reply.header.revision == before + 1
            counted = reply.responses
            assert counted[1].response_range.count == KEYS
            assert 0 < counted[2].response_range.count < KEYS
            inner = counted[3].response_txn.responses
            assert (inner[0].response_delete_range.deleted, inner[1].response_range.count) == (KEYS, 0)
            events = await watch.events(KEYS + 1)
            assert [event.type for event in events[:2]] == [0, 1]

    run(body)


def test_the_end_of_a_lease_with_many_keys(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            client = served.client
            lease = (await client.LeaseGrant(TTL=600)).ID
            for at in range(0, KEYS, 100):
                puts = [Put(ETCD + b"k%05d" % n, b"", lease=lease) for n in range(at, at + 100)]
                served.keys.commit_now(Commit(Author("test"), put=puts))
            before = served.keys.head
            with Turns() as turns:
                assert (await client.LeaseRevoke(ID=lease)).header.revision == before + 1
            assert turns.count > KEYS // 500
            assert (await client.Range(**RANGE)).count == 0
            assert (await client.LeaseTimeToLive(ID=lease)).TTL == -1

    run(body)
