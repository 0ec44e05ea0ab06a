"""Random operations sent to us and to a real etcd, every answer compared."""

import asyncio
import base64
import random

from tests.coord.etcd.running import Client

from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import GrpcStatus
from cloudlet.wire.protobuf_json import to_json

KEYS = [b"a", b"a/1", b"a/2", b"a/2/x", b"b", b"b\x00", b"b\xff", b"\xff\xff", b"\x00", b"z"]
ENDS = [b"", b"", b"", b"\0", b"b", b"a0", b"a/2", b"\xff", b"\x01", b"a"]
VALUES = [b"", b"0", b"1", b"12", b"x" * 40]
LEASES = [7001, 7002, 7003]
IGNORED = ("cluster_id", "member_id", "raft_term", "clusterId", "memberId", "raftTerm")


class Script:
    """The next operation, from a seed and what the store has come to."""

    def __init__(self, seed, *, is_old):
        self.random = random.Random(seed)
        self.head = 1
        self.is_old = is_old  # 3.4 and 3.5 end their process over a sort order that there is not

    def revision(self):
        pick = self.random.random()
        if pick < 0.6:
            return 0
        return max(0, self.head - self.random.randrange(-2, 12))

    def range(self):
        pick = self.random
        fields = {"key": pick.choice([*KEYS, b""]), "range_end": pick.choice(ENDS)}
        if pick.random() < 0.4:
            fields["limit"] = pick.choice([1, 2, 3, -1])
        if pick.random() < 0.4:
            fields["revision"] = self.revision()
        if pick.random() < 0.3:
            fields |= {"sort_order": pick.randrange(3), "sort_target": pick.randrange(5)}
        if pick.random() < 0.03 and not self.is_old:
            fields |= {"sort_order": pick.choice([0, 1, 7]), "sort_target": pick.choice([1, 9])}
        for flag in ("keys_only", "count_only", "serializable"):
            if pick.random() < 0.15:
                fields[flag] = True
        for bound in ("min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision"):
            if pick.random() < 0.08:
                fields[bound] = self.revision()
        return pb.RangeRequest(**fields)

    def put(self):
        pick = self.random
        fields = {"key": pick.choice([*KEYS, *KEYS, b""]), "value": pick.choice(VALUES)}
        if pick.random() < 0.3:
            fields["lease"] = pick.choice(LEASES)
        fields["prev_kv"] = pick.random() < 0.4
        fields["ignore_value"] = pick.random() < 0.1
        fields["ignore_lease"] = pick.random() < 0.1
        if fields["ignore_value"] and pick.random() < 0.8:
            fields["value"] = b""
        if fields["ignore_lease"] and pick.random() < 0.8:
            fields["lease"] = 0
        return pb.PutRequest(**fields)

    def delete(self):
        pick = self.random
        return pb.DeleteRangeRequest(
            key=pick.choice([*KEYS, *KEYS, b""]), range_end=pick.choice(ENDS), prev_kv=pick.random() < 0.4
        )

    def compare(self):
        pick = self.random
        fields = {"result": pick.randrange(4), "target": pick.randrange(5), "key": pick.choice(KEYS)}
        number = pick.choice([0, 1, 2, self.head, max(1, self.head - 3)])
        name = ("version", "create_revision", "mod_revision", "value", "lease")[fields["target"]]
        fields[name] = pick.choice(VALUES) if name == "value" else number
        if name == "lease":
            fields[name] = pick.choice([0, *LEASES])
        if pick.random() < 0.3:
            fields["range_end"] = pick.choice(ENDS)
        return pb.Compare(**fields)

    def operation(self, depth):
        pick = self.random.random()
        if pick < 0.35:
            return pb.RequestOp(request_range=self.range())
        if pick < 0.7:
            return pb.RequestOp(request_put=self.put())
        if pick < 0.85 or depth > 2:
            return pb.RequestOp(request_delete_range=self.delete())
        if pick < 0.98:
            return pb.RequestOp(request_txn=self.txn(depth + 1))
        return pb.RequestOp()

    def txn(self, depth=0):
        pick = self.random
        return pb.TxnRequest(
            compare=[self.compare() for _ in range(pick.choice([0, 0, 1, 1, 2]))],
            success=[self.operation(depth) for _ in range(pick.randrange(4))],
            failure=[self.operation(depth) for _ in range(pick.randrange(3))],
        )

    def step(self):
        """(method, request)."""
        pick = self.random.random()
        if pick < 0.3:
            return "Range", self.range()
        if pick < 0.6:
            return "Put", self.put()
        if pick < 0.7:
            return "DeleteRange", self.delete()
        if pick < 0.92:
            return "Txn", self.txn()
        if pick < 0.94:
            return "Compact", pb.CompactionRequest(revision=self.revision(), physical=True)
        lease = self.random.choice(LEASES)
        if pick < 0.97:
            return "LeaseGrant", pb.LeaseGrantRequest(
                ID=lease, TTL=self.random.choice([500, 600, 9_000_000_001])
            )
        if pick < 0.98:
            return "LeaseRevoke", pb.LeaseRevokeRequest(ID=lease)
        if pick < 0.99:
            return "LeaseTimeToLive", pb.LeaseTimeToLiveRequest(ID=lease, keys=self.random.random() < 0.7)
        return "LeaseLeases", pb.LeaseLeasesRequest()


def deletes_what_it_puts(request):
    """Whether one of the kinds of transaction that etcd takes by an oversight."""
    puts, drops = set(), []

    def walk(operations):
        for each in operations:
            if each.request_put is not None:
                puts.add(each.request_put.key)
            elif each.request_delete_range is not None:
                drops.append((each.request_delete_range.key, each.request_delete_range.range_end))
            elif each.request_txn is not None:
                walk(each.request_txn.success)
                walk(each.request_txn.failure)

    walk(request.success)
    walk(request.failure)
    is_nested = any(each.request_txn is not None for each in (*request.success, *request.failure))
    return any(
        (end == b"\0" or is_nested) and key <= put and (put == key or end == b"\0" or put < end)
        for put in puts
        for key, end in drops
    )


def plain(value):
    """A reply as JSON values, without what names the server, and in one order where etcd has none."""
    if isinstance(value, dict):
        found = {name: plain(inner) for name, inner in value.items() if name not in IGNORED}
        for name in ("leases", "keys"):
            if isinstance(found.get(name), list):
                found[name] = sorted(found[name], key=repr)
        return found
    return [plain(each) for each in value] if isinstance(value, list) else value


async def answer(client, name, request):
    """What is said: the reply, or the status."""
    try:
        found = plain(to_json(await getattr(client, name)(request)))
    except GrpcStatus as status:
        return {"code": status.code.name, "message": status.message}
    if name == "LeaseTimeToLive" and found.get("TTL", "-1") != "-1":
        found["TTL"] = "some"
    return found


def shown(request):
    return to_json(request)


class Watched:
    """A watch on both; what each has told."""

    def __init__(self, client, stream):
        self.stream = stream
        self.told = []
        self.task = asyncio.create_task(self._run())

    async def _run(self):
        while (reply := await self.stream.receive()) is not None:
            if reply.canceled:
                self.told.append(("canceled", reply.watch_id, reply.compact_revision, reply.cancel_reason))
            self.told += [(reply.watch_id, repr(plain(to_json(event)))) for event in reply.events]

    async def until(self, client, key):
        """Wait until what was written last is told by the watcher with id 0."""
        while not any(row[0] == 0 and key in row[1] for row in self.told[-200:]):
            await asyncio.sleep(0.01)

    def of(self, watch_id):
        return [row for row in self.told if row[0] == watch_id]

    async def close(self):
        self.stream.cancel()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


WATCHES = [
    {"key": b"\0", "range_end": b"\0"},
    {"key": b"\0", "range_end": b"\0", "prev_kv": True},
    {"key": b"a", "range_end": b"b", "filters": [0]},
    {"key": b"a", "filters": [1], "prev_kv": True},
]


async def cross_check(ours, theirs, seed, steps, *, is_old):
    """The differences, as lines; empty when all was alike."""
    script = Script(seed, is_old=is_old)
    left, right = await Client.connect(ours), await Client.connect(theirs)
    watched = []
    for client in (left, right):
        stream = client.stream("Watch")
        for fields in WATCHES:
            await stream.create(**fields)
        for _ in WATCHES:
            assert (await stream.receive()).created
        watched.append(Watched(client, stream))
    differences = []
    for number in range(steps):
        name, request = script.step()
        if name == "Txn" and deletes_what_it_puts(request):
            continue  # see coord/etcd/kv.py, Absent
        mine, real = await asyncio.gather(answer(left, name, request), answer(right, name, request))
        if mine != real:
            differences.append(
                f"seed {seed} step {number}: {name} {shown(request)}\n   ours {mine}\n   etcd {real}"
            )
            if "header" in mine and "header" in real and mine["header"] != real["header"]:
                break  # the histories have parted: nothing that follows would be alike
        script.head = int(real.get("header", {}).get("revision", script.head))
    mark = pb.PutRequest(key=b"mark", value=b"%d" % seed)
    for client in (left, right):
        await client.Put(mark)
    if not differences:
        key = base64.b64encode(b"mark").decode()
        for each, client in zip(watched, (left, right), strict=True):
            async with asyncio.timeout(10):
                await each.until(client, key)
        await asyncio.sleep(0.1)
        for number in range(len(WATCHES)):
            mine, real = (each.of(number) for each in watched)
            if mine != real:
                at = next(
                    (n for n, pair in enumerate(zip(mine, real, strict=False)) if pair[0] != pair[1]), -1
                )
                differences.append(
                    f"seed {seed} watch {number} at {at}:\n   ours {len(mine)} {mine[at : at + 3]}"
                    f"\n   etcd {len(real)} {real[at : at + 3]}"
                )
    for each in watched:
        await each.close()
    # Leave both empty, and at one revision.
    for client in (left, right):
        for lease in LEASES:
            await answer(client, "LeaseRevoke", pb.LeaseRevokeRequest(ID=lease))
        await client.DeleteRange(key=b"\0", range_end=b"\0")
        await client.close()
    return differences
