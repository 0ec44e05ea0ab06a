"""KV over the wire: what random comparison with a real etcd does not reach, and its texts by name."""

import asyncio
import gc

import pytest
from tests.coord.etcd.running import run, running

from cloudlet.kernel.keys import Author, Commit, Durability, Put
from cloudlet.shell.grpc_call import ServerCall
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Code, GrpcStatus

MIB = 1 << 20


async def refusal(call):
    with pytest.raises(GrpcStatus) as caught:
        await call
    return caught.value.code, caught.value.message


def put(key, value=b""):
    return pb.RequestOp(request_put=pb.PutRequest(key=key, value=value))


def test_a_key_lives_through_versions():
    async def body():
        async with running() as served:
            client = served.client
            first = await client.Put(key=b"k", value=b"1")
            assert first.header.revision == 2
            assert (first.header.cluster_id, first.header.member_id, first.header.raft_term) != (0, 0, 0)
            second = await client.Put(key=b"k", value=b"2", prev_kv=True)
            assert second.prev_kv.value == b"1"
            [entry] = (await client.Range(key=b"k")).kvs
            assert (entry.create_revision, entry.mod_revision, entry.version) == (2, 3, 2)
            assert (await client.DeleteRange(key=b"k")).deleted == 1
            assert (await client.DeleteRange(key=b"k")).header.revision == 4
            await client.Put(key=b"k", value=b"3")
            [entry] = (await client.Range(key=b"k")).kvs
            assert (entry.create_revision, entry.mod_revision, entry.version) == (5, 5, 1)
            [past] = (await client.Range(key=b"k", revision=3)).kvs
            assert past.value == b"2"
            assert (await client.Range(key=b"k", revision=4)).kvs == []

    run(body)


def test_the_limits_of_a_transaction():
    async def body():
        async with running() as served:
            client = served.client
            whole = await client.Txn(success=[put(b"%d" % n) for n in range(128)])
            assert len(whole.responses) == 128
            assert whole.header.revision == 2
            assert await refusal(client.Txn(success=[put(b"%d" % n) for n in range(129)])) == (
                Code.INVALID_ARGUMENT,
                "etcdserver: too many operations in txn request",
            )
            nested = pb.RequestOp(request_txn=pb.TxnRequest(success=[put(b"%d" % n) for n in range(126)]))
            assert (await client.Txn(success=[nested, put(b"x")])).succeeded
            nested = pb.RequestOp(request_txn=pb.TxnRequest(success=[put(b"%d" % n) for n in range(127)]))
            code, _ = await refusal(client.Txn(success=[nested, put(b"x")]))
            assert code == Code.INVALID_ARGUMENT

    run(body)


def test_a_request_has_a_size():
    async def body():
        async with running() as served:
            client = served.client
            await client.Put(key=b"k", value=bytes(MIB + MIB // 2 - 64))
            assert await refusal(client.Put(key=b"k", value=bytes(MIB + MIB // 2))) == (
                Code.INVALID_ARGUMENT,
                "etcdserver: request is too large",
            )
            code, _ = await refusal(client.Put(key=b"k", value=bytes(3 * MIB)))
            assert code == Code.RESOURCE_EXHAUSTED
            reply = await client.Range(key=b"k")
            assert len(reply.kvs[0].value) > MIB

    run(body)


def test_a_large_reply_is_sent_whole():
    async def body():
        async with running() as served:
            for number in range(40):
                await served.client.Put(key=b"%02d" % number, value=bytes(200_000))
            reply = await served.client.Range(key=b"\0", range_end=b"\0")
            assert sum(len(kv.value) for kv in reply.kvs) == 40 * 200_000

    run(body)


def test_a_put_keeps_what_another_face_keeps_beside_the_value():
    async def body():
        async with running() as served:
            await served.keys.commit(
                Commit(
                    Author("zookeeper"), put=[Put(b"eother", b"1", b"of another")], durability=Durability.SYNC
                )
            )
            await served.client.Put(key=b"other", value=b"2")
            entry = served.keys.get(b"eother")
            assert (entry.value, entry.meta, entry.version) == (b"2", b"of another", 2)

    run(body)


def test_others_facts_are_not_seen():
    async def body():
        async with running() as served:
            await served.keys.commit(
                Commit(Author("aws"), put=[Put(b"\x02aws", b"1"), Put(b"\x7fcloud", b"1")])
            )
            reply = await served.client.Range(key=b"\0", range_end=b"\0")
            assert (reply.kvs, reply.count) == ([], 0)
            assert (await served.client.DeleteRange(key=b"\0", range_end=b"\0")).deleted == 0
            assert served.keys.get(b"\x7fcloud") is not None

    run(body)


def test_the_history_names_who_wrote(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            await served.client.Put(key=b"k", value=b"1")
            [change] = await served.keys.watch(b"e", b"f", 2).take()
            assert change.author.face == "etcd"
            assert change.author.address.startswith("127.0.0.1:")

    run(body)


def test_nothing_is_shown_before_it_is_durable(tmp_path, monkeypatch):
    """With the sync of the disk held back no reply, read or event tells of a write."""

    async def body():
        async with running(tmp_path) as served:
            client = served.client
            await client.Put(key=b"k", value=b"1")
            stream = await client.watch(key=b"k")
            gate = served.keys._sync
            monkeypatch.setattr(type(gate), "settled", lambda self, head: type(head)(2))
            writing = asyncio.create_task(client.Put(key=b"k", value=b"2"))
            while served.keys.head < 3:
                await asyncio.sleep(0)
            reading = asyncio.create_task(client.Range(key=b"k"))
            telling = asyncio.create_task(stream.receive())
            done, _ = await asyncio.wait([writing, reading, telling], timeout=0.3)
            assert not done
            monkeypatch.undo()
            await client.Put(key=b"other", value=b"")
            await writing
            assert (await reading).kvs[0].value == b"2"
            assert (await telling).events[0].kv.value == b"2"
            stream.cancel()

    run(body)


def test_compaction():
    async def body():
        async with running() as served:
            client = served.client
            for number in range(5):
                await client.Put(key=b"k", value=b"%d" % number)
            await client.Compact(revision=4)
            assert (await client.Range(key=b"k", revision=4)).kvs[0].value == b"2"
            assert await refusal(client.Range(key=b"k", revision=3)) == (
                Code.OUT_OF_RANGE,
                "etcdserver: mvcc: required revision has been compacted",
            )
            assert await refusal(client.Compact(revision=99)) == (
                Code.OUT_OF_RANGE,
                "etcdserver: mvcc: required revision is a future revision",
            )
            assert (await refusal(client.Compact(revision=4)))[0] == Code.OUT_OF_RANGE
            assert (await client.HashKV(revision=4)).compact_revision == 4

    run(body)


def test_a_method_that_is_not_there_is_refused_by_name():
    async def body():
        async with running() as served:
            stream = served.client.wire.stream("/etcdserverpb.KV/RangeBackwards")
            stream.send(b"", ends=True)
            assert await refusal(stream.receive()) == (
                Code.UNIMPLEMENTED,
                "unknown service or method /etcdserverpb.KV/RangeBackwards",
            )

    run(body)


def test_bytes_that_are_no_request():
    async def body():
        async with running() as served:
            code, message = await refusal(served.client.wire.unary("/etcdserverpb.KV/Put", b"\xff\xff\xff"))
            assert code == Code.INTERNAL
            assert "unmarshal" in message
            assert (await served.client.Put(key=b"k")).header.revision == 2

    run(body)


def test_a_put_under_a_lease_does_not_look_at_the_keys_of_the_lease(monkeypatch):
    async def body():
        async with running() as served:
            client = served.client
            lease = (await client.LeaseGrant(TTL=60)).ID
            looked = []
            monkeypatch.setattr(served.keys, "lease_keys", looked.append)
            await client.Put(key=b"a", lease=lease)
            await client.Txn(success=[pb.RequestOp(request_put=pb.PutRequest(key=b"b", lease=lease))])
            assert (await refusal(client.Put(key=b"a", lease=lease + 1)))[0] is Code.NOT_FOUND
            assert looked == []

    run(body)


def test_what_a_client_has_sent_is_let_go_of_with_its_answer(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            gc.collect()
            gc.disable()
            try:
                for _ in range(3):
                    await served.client.Put(key=b"k", value=bytes(MIB))
                calls = [each for each in gc.get_objects() if type(each) is ServerCall]
                assert calls
                assert {call._message for call in calls} == {None}
            finally:
                gc.enable()

    run(body)
