"""Cluster and Maintenance: members, alarms, sizes, hashes, snapshots."""

import contextlib
import hashlib

import pytest
from tests.coord.etcd.running import run, running

from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Code, GrpcStatus

NOSPACE, CORRUPT = 1, 2


async def refused(call, code, text):
    with pytest.raises(GrpcStatus) as caught:
        await call
    assert (caught.value.code, caught.value.message) == (code, text)


def test_members_are_told_by_the_address_that_was_dialled():
    async def body():
        async with running() as served:
            [member] = (await served.client.MemberList()).members
            assert member.clientURLs == [f"http://{served.address}"]
            assert (await served.client.Status()).leader == member.ID

    run(body)


def test_a_member_is_told_of_other_peer_urls_and_keeps_them(tmp_path):
    async def body():
        urls = ["http://localhost:7", "https://peer.example:2380"]
        async with running(tmp_path) as served:
            [member] = (await served.client.MemberList()).members
            assert member.peerURLs == ["http://localhost:2380"]
            [updated] = (await served.client.MemberUpdate(ID=member.ID, peerURLs=urls)).members
            assert (updated.ID, updated.peerURLs) == (member.ID, urls)
            missing = (Code.NOT_FOUND, "etcdserver: member not found")
            await refused(served.client.MemberUpdate(ID=1, peerURLs=urls), *missing)
        async with running(tmp_path) as served:
            assert (await served.client.MemberList()).members[0].peerURLs == urls

    run(body)


def test_the_quota_raises_the_alarm_and_writes_are_refused_until_it_is_disarmed():
    async def body():
        async with running(quota_bytes=200_000) as served:
            client = served.client
            full = (Code.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded")
            with contextlib.suppress(GrpcStatus):
                for _ in range(100):
                    await client.Put(key=b"k", value=bytes(10_000))
            [alarm] = (await client.Alarm()).alarms
            assert (alarm.alarm, (await client.Status()).errors != []) == (NOSPACE, True)
            put = pb.RequestOp(request_put=pb.PutRequest(key=b"k"))
            await refused(client.Put(key=b"k"), *full)
            await refused(client.Txn(success=[put]), *full)
            await refused(client.LeaseGrant(TTL=5), *full)
            await refused(client.Lock(name=b"l"), Code.UNKNOWN, full[1])
            await refused(client.Put(), Code.INVALID_ARGUMENT, "etcdserver: key is not provided")
            deletion = pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=b"nosuch"))
            assert (await client.Txn(success=[deletion])).succeeded
            assert (await client.Range(key=b"k")).count == 1
            assert (await client.DeleteRange(key=b"nosuch")).deleted == 0
            await client.Compact(revision=(await client.Status()).header.revision)
            await client.Alarm(action=2, alarm=NOSPACE)  # of no member: nothing
            await refused(client.Put(key=b"k"), *full)
            await client.Alarm(action=2, alarm=NOSPACE, memberID=alarm.memberID)
            await client.Put(key=b"k")
            assert (await client.Alarm()).alarms == []

    run(body)


def test_what_is_corrupt_takes_no_write():
    async def body():
        async with running() as served:
            client = served.client
            await client.Put(key=b"k")
            lease = (await client.LeaseGrant(TTL=60)).ID
            await client.Alarm(action=1, alarm=CORRUPT)
            assert (await client.Status()).errors == ["alarm:CORRUPT "]
            corrupt = (Code.DATA_LOSS, "etcdserver: corrupt cluster")
            for call in (
                client.Put(key=b"k"),
                client.DeleteRange(key=b"k"),
                client.Txn(success=[pb.RequestOp(request_put=pb.PutRequest(key=b"k"))]),
                client.Compact(revision=2),
                client.LeaseGrant(TTL=60),
                client.LeaseRevoke(ID=lease),
            ):
                await refused(call, *corrupt)
            await refused(client.Unlock(key=b"k"), Code.UNKNOWN, corrupt[1])
            assert (await client.Range(key=b"k")).count == 1
            await client.Alarm(action=2, alarm=CORRUPT)
            await client.Put(key=b"k")

    run(body)


def test_alarms_that_there_are_not():
    async def body():
        async with running() as served:
            assert (await served.client.Alarm(action=1, alarm=9)).alarms == []
            assert (await served.client.Alarm(action=9, alarm=NOSPACE)).alarms == []
            assert (await served.client.Status()).errors == []

    run(body)


def test_a_snapshot_carries_its_sum(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            for number in range(50):
                await served.client.Put(key=b"%d" % number, value=bytes(100_000))
            stream = served.client.stream("Snapshot")
            stream.send()
            stream.end()
            blobs = []
            while (reply := await stream.receive()) is not None:
                blobs.append(reply.blob)
            whole = b"".join(blobs)
            assert len(blobs) > 2
            assert (len(whole) - 32) % 512 == 0
            assert whole[-32:] == hashlib.sha256(whole[:-32]).digest()

    run(body)


def test_hashes_tell_contents_apart():
    async def body():
        found = []
        for value in (b"1", b"1", b"2"):
            async with running() as served:
                await served.client.Put(key=b"k", value=value)
                await served.client.Put(key=b"later")
                found.append((await served.client.HashKV(revision=2)).hash)
        assert found[0] == found[1] != found[2]

    run(body)


def test_what_one_member_cannot():
    async def body():
        async with running() as served:
            client = served.client
            for call, code, text in (
                (client.MemberRemove(ID=1), Code.NOT_FOUND, "etcdserver: member not found"),
                (client.MemberAdd(peerURLs=["bad"]), Code.INVALID_ARGUMENT,
                 "etcdserver: given member URLs are invalid"),
                (client.MoveLeader(targetID=1), Code.FAILED_PRECONDITION,
                 "etcdserver: bad leader transferee"),
                (client.MemberAdd(peerURLs=["http://a:1"]), Code.UNIMPLEMENTED,
                 "cloudlet: this cluster has one member, and none can be added"),
            ):  # fmt: skip
                await refused(call, code, text)
            for version in ("3.4.0", "3.6.0", "x"):
                with pytest.raises(GrpcStatus, match="downgrade target version"):
                    await client.Downgrade(version=version)
            assert (await client.Downgrade(action=2)).version == "3.6"
            await refused(client.Downgrade(action=9), Code.UNKNOWN, "etcdserver: unknown method")
            # etcd's replies to these two have no header.
            assert (await client.Defragment()).header is None
            status = await client.Status()
            assert (await client.MoveLeader(targetID=status.leader)).header is None

    run(body)


def test_room_is_made_by_a_compaction_on_disk(tmp_path):
    """As users of etcd get out of NOSPACE: compact, defragment, disarm."""

    async def body():
        async with running(tmp_path, quota_bytes=300_000) as served:
            client = served.client
            with contextlib.suppress(GrpcStatus):
                for _ in range(100):
                    await client.Put(key=b"k", value=bytes(10_000))
            [alarm] = (await client.Alarm()).alarms
            await client.Compact(revision=(await client.Status()).header.revision, physical=True)
            await client.Defragment()
            assert (await client.Status()).dbSize < 100_000
            await client.Alarm(action=2, alarm=NOSPACE, memberID=alarm.memberID)
            for _ in range(5):
                await client.Put(key=b"k", value=bytes(10_000))

    run(body)


def test_an_empty_store_has_a_hash_too():
    async def body():
        async with running() as served:
            assert (await served.client.Hash()).hash
            assert (await served.client.HashKV()).hash
            assert (await served.client.HashKV(revision=-1)).hash_revision == 1

    run(body)
