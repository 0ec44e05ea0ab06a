"""What a snapshot holds; that etcd reads and restores it is seen in tests/interop/test_etcd_snapshot.py."""

import json

from tests.coord.etcd.running import run, running
from tests.wire.test_bbolt import File

from cloudlet.coord.etcd.ranges import key_value
from cloudlet.coord.etcd.snapshot import KeyRows, width
from cloudlet.kernel.keys import Entry
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.protobuf import decode, encode, varint


async def saved(client):
    stream = client.stream("Snapshot")
    stream.send()
    stream.end()
    replies = []
    while (reply := await stream.receive()) is not None:
        replies.append(reply)
    return replies


def test_it_holds_what_is_there_now(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            client = served.client
            lease = (await client.LeaseGrant(ID=77, TTL=60)).ID
            for key in (b"a", b"b", b"a", b"gone"):
                await client.Put(key=key, value=b"of " + key, lease=lease if key == b"b" else 0)
            three = [pb.RequestOp(request_put=pb.PutRequest(key=key)) for key in (b"z", b"x", b"y")]
            await client.Txn(success=three)
            last = (await client.DeleteRange(key=b"gone")).header.revision
            replies = await saved(client)
            sizes = [len(reply.blob) for reply in replies]
            assert [reply.remaining_bytes for reply in replies] == [
                sum(sizes[number + 1 : -1]) for number in range(len(sizes))
            ]
            assert {reply.header for reply in replies} == {None}
            found = File(b"".join(reply.blob for reply in replies[:-1])).buckets()
            shown = [decode(pb.KeyValue, value) for value in found[b"key"].values()]
            wanted = (await client.Range(key=b"\0", range_end=b"\0")).kvs
            assert sorted(shown, key=lambda kv: kv.key) == wanted
            places = [(int.from_bytes(key[:8]), key[8:9], int.from_bytes(key[9:])) for key in found[b"key"]]
            assert places == [(3, b"_", 0), (4, b"_", 0), (6, b"_", 0), (6, b"_", 1), (6, b"_", 2)]
            assert found[b"meta"][b"finishedCompactRev"] == last.to_bytes(8) + b"_" + bytes(8)
            assert found[b"lease"] == {(77).to_bytes(8): b"\x08\x4d\x10\x3c"}
            [member] = (await client.MemberList()).members
            [told] = found[b"members"].values()
            assert json.loads(told)["id"] == member.ID

    run(body)


def test_sizes_are_told_before_values_are_made():
    for numbers in ((1, 1, 1, 0), (127, 128, 1, 7), (1 << 40, (1 << 62) + 1, 300, (1 << 63) - 1)):
        for size in (0, 1, 127, 128, 20_000):
            entry = Entry(b"\0" + b"k" * (size or 1), bytes(size), b"", *numbers)
            rows = KeyRows([(entry.mod_revision, 0, entry)])
            assert rows.value_bytes(0) == len(rows.value(0)) == len(encode(key_value(entry)))
    assert [width(number) for number in (0, 127, 128, 1 << 62)] == [1, 1, 2, len(varint(1 << 62))]
