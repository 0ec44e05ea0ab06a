"""Deletes of many keys: one revision, the replies of etcd, and turns for everybody else in between."""

import asyncio
from collections import Counter

import pytest
from tests.coord.etcd.running import run, running

from cloudlet.coord.etcd import lease as leases
from cloudlet.coord.etcd import watch as watching
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


def test_the_end_of_a_lease_with_many_keys(tmp_path, monkeypatch):
    async def body():
        async with running(tmp_path) as served:
            client = served.client
            lease = (await client.LeaseGrant(TTL=600)).ID
            for at in range(0, KEYS, 100):
                puts = [Put(ETCD + b"k%05d" % n, b"", lease=lease) for n in range(at, at + 100)]
                served.keys.commit_now(Commit(Author("test"), put=puts))
            before = served.keys.head
            monkeypatch.setattr(leases, "KEYS_MAX", 50)
            with Turns() as turns:
                shown = await client.LeaseTimeToLive(ID=lease, keys=True)
            assert turns.count > KEYS // 50
            assert (shown.grantedTTL, sorted(shown.keys)) == (600, [b"k%05d" % n for n in range(KEYS)])
            with Turns() as turns:
                assert (await client.LeaseRevoke(ID=lease)).header.revision == before + 1
            assert turns.count > KEYS // 500
            assert (await client.Range(**RANGE)).count == 0
            assert (await client.LeaseTimeToLive(ID=lease)).TTL == -1

    run(body)


@pytest.mark.parametrize("fragment", [False, True])
def test_no_turn_encodes_many_events_of_a_watched_delete(tmp_path, monkeypatch, fragment):
    async def body():
        async with running(tmp_path) as served:
            client = served.client
            fill(served.keys)
            begun = served.keys.head
            with Turns() as turns:
                shown = Counter()
                event_of = watching.event_of

                def counted(event, *, with_previous):
                    shown[turns.count] += 1
                    return event_of(event, with_previous=with_previous)

                monkeypatch.setattr(watching, "event_of", counted)
                live = await client.watch(**RANGE, fragment=fragment)
                putless = await client.watch(**RANGE, filters=[1], fragment=fragment)
                await client.DeleteRange(**RANGE)
                events = await live.events(KEYS)
                late = await client.watch(**RANGE, start_revision=begun + 1, fragment=fragment)
                assert await late.events(KEYS) == events
                old = await client.watch(**RANGE, start_revision=2, fragment=fragment)
                everything = []
                while len(everything) < 2 * KEYS:
                    everything += (await old.receive()).events
                assert everything[KEYS:] == events
            assert {event.kv.mod_revision for event in events} == {begun + 1}
            assert [event.kv.key for event in events] == [b"k%05d" % number for number in range(KEYS)]
            assert max(shown.values()) < 2 * watching.EVENTS_MAX
            await client.Put(key=b"k")
            assert [event.type for event in await putless.events(1)] == [0]

    run(body)


def test_one_message_of_a_watched_delete_is_made_after_the_other(tmp_path, monkeypatch):
    async def body():
        async with running(tmp_path) as served:
            client = served.client
            fill(served.keys)
            making, most = [0], []
            slices = watching.WatchStream._slices

            async def counted(stream, watcher, change):
                making[0] += 1
                most.append(making[0])
                async for some in slices(stream, watcher, change):
                    yield some
                making[0] -= 1

            monkeypatch.setattr(watching.WatchStream, "_slices", counted)
            watches = [await client.watch(**RANGE, prev_kv=True) for _ in range(6)]
            await client.DeleteRange(**RANGE)
            for watch in watches:
                assert len(await watch.events(KEYS)) == KEYS
            assert most == [1] * 6

    run(body)
