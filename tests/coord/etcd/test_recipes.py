"""Locks and elections that the server runs for its clients."""

import asyncio

import pytest
from tests.coord.etcd.running import run, running

from cloudlet.wire.grpc import Code, GrpcStatus


async def leases(client, count):
    return [(await client.LeaseGrant(TTL=60)).ID for _ in range(count)]


async def waits(task):
    done, _ = await asyncio.wait([task], timeout=0.1)
    return not done


def test_a_lock_goes_from_one_to_the_next_in_order():
    async def body():
        async with running() as served:
            client = served.client
            first, *others = await leases(client, 4)
            held = (await client.Lock(name=b"l", lease=first)).key
            assert held == b"l/%x" % first
            waiting = []
            for lease in others:
                waiting.append(asyncio.create_task(client.Lock(name=b"l", lease=lease)))
                while (await client.Range(key=b"l/%x" % lease)).count == 0:
                    await asyncio.sleep(0)
            assert await waits(waiting[0])
            for task in waiting:
                await client.Unlock(key=held)
                held = (await task).key
                rest = [other for other in waiting if not other.done()]
                assert all([await waits(other) for other in rest])

    run(body)


def test_a_lock_is_let_go_when_its_lease_ends():
    async def body():
        async with running() as served:
            client = served.client
            first, second = await leases(client, 2)
            await client.Lock(name=b"l", lease=first)
            waiting = asyncio.create_task(client.Lock(name=b"l", lease=second))
            assert await waits(waiting)
            await client.LeaseRevoke(ID=first)
            assert (await waiting).key == b"l/%x" % second

    run(body)


def test_a_waiter_whose_lease_ends_is_told():
    async def body():
        async with running() as served:
            client = served.client
            first, second = await leases(client, 2)
            await client.Lock(name=b"l", lease=first)
            waiting = asyncio.create_task(client.Lock(name=b"l", lease=second))
            assert await waits(waiting)
            await client.LeaseRevoke(ID=second)
            with pytest.raises(GrpcStatus) as caught:
                await waiting
            assert caught.value.code == Code.UNKNOWN

    run(body)


def test_a_waiter_that_goes_away_leaves_no_key():
    async def body():
        async with running() as served:
            client = served.client
            first, second, third = await leases(client, 3)
            held = (await client.Lock(name=b"l", lease=first)).key
            leaving = asyncio.create_task(client.Lock(name=b"l", lease=second))
            while (await client.Range(key=b"l/%x" % second)).count == 0:
                await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.wait([leaving])
            while (await client.Range(key=b"l/%x" % second)).count:
                await asyncio.sleep(0)
            await client.Unlock(key=held)
            await client.Lock(name=b"l", lease=third)

    run(body)


def test_an_election():
    async def body():
        async with running() as served:
            client = served.client
            first, second = await leases(client, 2)
            with pytest.raises(GrpcStatus, match="election: no leader"):
                await client.Leader(name=b"e")
            observing = client.stream("Observe")
            observing.send(name=b"e")
            observing.end()
            leader = (await client.Campaign(name=b"e", lease=first, value=b"one")).leader
            assert (leader.name, leader.lease) == (b"e", first)
            assert (await client.Leader(name=b"e")).kv.value == b"one"
            rival = asyncio.create_task(client.Campaign(name=b"e", lease=second, value=b"two"))
            assert await waits(rival)
            await client.Proclaim(leader=leader, value=b"one again")
            assert (await client.Leader(name=b"e")).kv.value == b"one again"
            await client.Resign(leader=leader)
            await rival
            with pytest.raises(GrpcStatus, match="election: not leader"):
                await client.Proclaim(leader=leader, value=b"late")
            seen = []
            while not seen or seen[-1] != b"two":
                seen.append((await observing.receive()).kv.value)
            assert seen[0] in (b"one", b"one again", b"two")
            observing.cancel()

    run(body)
