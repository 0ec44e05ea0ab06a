"""Leases: their times on both clocks, their end as one revision, their keepers."""

import asyncio

import pytest
from tests.coord.etcd.running import run, running

from cloudlet.coord import leases
from cloudlet.coord.etcd import lease as etcd_lease
from cloudlet.kernel.keys import Author
from cloudlet.wire.grpc import Code, GrpcStatus

DAY_MS = 86_400_000


def test_a_lease_takes_its_keys_along_in_one_revision():
    async def body():
        async with running() as served:
            client = served.client
            lease = (await client.LeaseGrant(TTL=60)).ID
            assert 0 < lease < 1 << 63
            for key in (b"a", b"b", b"c"):
                await client.Put(key=key, lease=lease)
            assert (await client.LeaseTimeToLive(ID=lease, keys=True)).keys == [b"a", b"b", b"c"]
            stream = await client.watch(key=b"\0", range_end=b"\0")
            revoked = await client.LeaseRevoke(ID=lease)
            events = await stream.events(3)
            assert {event.kv.mod_revision for event in events} == {revoked.header.revision}
            assert all(event.type == 1 for event in events)
            assert (await client.Range(key=b"\0", range_end=b"\0")).kvs == []
            stream.cancel()

    run(body)


def test_a_lease_is_let_go_by_a_put_without_it():
    async def body():
        async with running() as served:
            client = served.client
            lease = (await client.LeaseGrant(TTL=60, ID=77)).ID
            await client.Put(key=b"a", lease=lease)
            await client.Put(key=b"a")
            before = (await client.LeaseRevoke(ID=77)).header.revision
            assert before == 3  # nothing was deleted, so nothing happened
            assert (await client.Range(key=b"a")).count == 1

    run(body)


@pytest.mark.parametrize(("asked", "granted"), [(0, 2), (1, 2), (2, 2), (-5, 2), (60, 60)])
def test_the_least_time(asked, granted):
    async def body():
        async with running() as served:
            lease = await served.client.LeaseGrant(TTL=asked)
            assert granted == lease.TTL

    run(body)


def test_a_setting_allows_less():
    async def body():
        async with running(lease_seconds_min=1) as served:
            assert (await served.client.LeaseGrant(TTL=1)).TTL == 1

    run(body)


def test_what_is_refused():
    async def body():
        async with running() as served:
            client = served.client
            await client.LeaseGrant(TTL=60, ID=77)
            for call, code, text in (
                (client.LeaseGrant(TTL=60, ID=77), Code.FAILED_PRECONDITION, "lease already exists"),
                (client.LeaseGrant(TTL=9_000_000_001), Code.OUT_OF_RANGE, "too large lease TTL"),
                (client.LeaseRevoke(ID=78), Code.NOT_FOUND, "requested lease not found"),
                (client.Put(key=b"a", lease=78), Code.NOT_FOUND, "requested lease not found"),
            ):
                with pytest.raises(GrpcStatus) as caught:
                    await call
                assert (caught.value.code, caught.value.message) == (code, f"etcdserver: {text}")
            assert (await client.LeaseTimeToLive(ID=78)).TTL == -1
            stream = client.stream("LeaseKeepAlive")
            stream.send(ID=78)
            assert (await stream.receive()).TTL == 0
            stream.send(ID=77)
            assert (await stream.receive()).TTL == 60
            stream.cancel()

    run(body)


def test_a_lease_ends_by_itself():
    async def body():
        async with running(lease_seconds_min=1) as served:
            client = served.client
            lease = (await client.LeaseGrant(TTL=1)).ID
            await client.Put(key=b"a", lease=lease)
            stream = await client.watch(key=b"a")
            [event] = await stream.events(1)
            assert event.type == 1
            assert (await client.LeaseTimeToLive(ID=lease)).TTL == -1
            stream.cancel()

    run(body)


def test_a_move_of_the_clock_ends_whom_nobody_keeps():
    async def body():
        async with running() as served:
            client = served.client
            kept, alone = [(await client.LeaseGrant(TTL=100)).ID for _ in range(2)]
            for lease, key in ((kept, b"kept"), (alone, b"alone")):
                await client.Put(key=key, lease=lease)
            keeper = client.stream("LeaseKeepAlive")
            keeper.send(ID=kept)
            assert (await keeper.receive()).TTL == 100
            served.move_clock(DAY_MS)
            await served.face.lessor.sweep()
            assert [kv.key for kv in (await client.Range(key=b"\0", range_end=b"\0")).kvs] == [b"kept"]
            keeper.end()
            assert await keeper.receive() is None
            served.move_clock(DAY_MS)
            await served.face.lessor.sweep()
            assert (await client.Range(key=b"kept")).count == 0

    run(body)


def test_many_leases_are_looked_at_in_several_turns(monkeypatch):
    monkeypatch.setattr(leases, "LOOKED_AT_MAX", 10)

    async def body():
        async with running() as served:
            lessor, keys = served.face.lessor, served.keys
            for number in range(1, 36):
                await keys.lease_grant(number, 100_000, Author("test", "test"))
            await lessor.sweep()
            served.move_clock(DAY_MS)
            keys.lease_keepalive(35)
            sweeping = asyncio.create_task(lessor.sweep())
            while keys.find_lease(1) is not None:
                await asyncio.sleep(0)
            assert keys.find_lease(34) is not None
            keys.lease_keepalive(34)  # by another face, behind the sweep's back
            await sweeping
            assert [lease.id for lease in keys.leases()] == [34, 35]

    run(body)


def test_leases_survive_a_restart(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            await served.client.LeaseGrant(TTL=60, ID=77)
            await served.client.Put(key=b"a", lease=77)
        async with running(tmp_path) as served:
            assert [each.ID for each in (await served.client.LeaseLeases()).leases] == [77]
            assert (await served.client.LeaseTimeToLive(ID=77, keys=True)).keys == [b"a"]

    run(body)


def test_a_keepalive_that_came_before_the_end_is_answered_before_it():
    async def body():
        async with running() as served:
            client = served.client
            for is_new in (True, False):
                lease = (await client.LeaseGrant(TTL=60)).ID
                stream = client.stream("LeaseKeepAlive")
                if not is_new:
                    stream.send(ID=lease)
                    assert (await stream.receive()).TTL == 60
                stream.send(ID=lease)  # in one write with what follows
                await client.LeaseRevoke(ID=lease)
                assert (await stream.receive()).TTL == 60
                stream.cancel()

    run(body)


def test_a_stream_forgets_leases_that_are_gone(monkeypatch):
    """A client keeps one stream, and may make leases all year."""
    monkeypatch.setattr(etcd_lease, "ATTENDED_MIN", 3)

    async def body():
        async with running() as served:
            client = served.client
            stream = client.stream("LeaseKeepAlive")
            await client.LeaseGrant(TTL=60, ID=1)
            for number in range(1, 40):
                await client.LeaseGrant(TTL=60, ID=number + 1)
                stream.send(ID=number)
                assert (await stream.receive()).TTL == 60
                if number > 1:
                    await client.LeaseRevoke(ID=number)
            attended = served.face.server.leases._lessor._attended
            assert len(attended) <= 7
            assert attended[1] == 1
            stream.end()
            assert await stream.receive() is None
            assert not attended

    run(body)
