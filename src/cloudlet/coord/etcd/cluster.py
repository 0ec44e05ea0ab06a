"""etcd's Cluster and Maintenance services, for a cluster of one member.

State   ("etcd", "alarm", kind, member's id) -> nothing: an alarm that is raised
        ("etcd", "member", "peers")          -> Peers: what MemberUpdate has made of the member's peer URLs
Source  etcd 3.6, v3rpc/member and v3rpc/maintenance
Absent  members beside this one (refused by name), downgrades

A client that asks for the members is told the address by which it came, so it never moves on to an address
that it cannot reach.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterator
from struct import Struct

from cloudlet.aws.record import Record, decoder
from cloudlet.aws.record import encode as encode_record
from cloudlet.coord.etcd import snapshot
from cloudlet.coord.etcd.faults import of_store, refused
from cloudlet.coord.etcd.replies import MEMBER_ID, RAFT_TERM, Replies
from cloudlet.coord.etcd.settings import QUOTA_BYTES
from cloudlet.kernel.fault import Compacted, FutureRevision
from cloudlet.kernel.keys import Author, Commit, Drop, Durability, Entry, LocalKeys, Put, Revision
from cloudlet.kernel.spaces import ETCD, ETCD_STOP
from cloudlet.kernel.tuples import pack, prefix_range, unpack
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Call, Code, GrpcStatus
from cloudlet.wire.protobuf import encode

VERSION = "3.6.0"
STORAGE_VERSION = "3.6.0"
CLUSTER_VERSION = "3.6.0"
NAME = "cloudlet"
PEER_URL = "http://localhost:2380"
ROWS_PER_TURN = 2_000
HASH_START = 1  # a client takes 0 for no hash at all: etcd's is never that of nothing

GET, ACTIVATE, DEACTIVATE = range(3)
VALIDATE, ENABLE, CANCEL = range(3)  # of Downgrade
NO_ALARM, NOSPACE, CORRUPT = 0, 1, 2
KINDS = {NOSPACE: "NOSPACE", CORRUPT: "CORRUPT"}

MEMBER = pack(("etcd", "member", "peers"))

_ROW = Struct(">QQQQIII")


class Peers(Record):
    """The addresses for other members; there are none to use them."""

    urls: tuple[str, ...] = (PEER_URL,)


class Cluster:
    """Both services over one store."""

    def __init__(self, keys: LocalKeys, replies: Replies, *, quota_bytes: int = QUOTA_BYTES) -> None:
        self._keys = keys
        self._replies = replies
        self.quota_bytes = quota_bytes

    # --- members

    def members(self, call: Call) -> list[pb.Member]:
        url = f"{call.scheme}://{call.authority}"
        entry = self._keys.get(MEMBER)
        peers = Peers() if entry is None else decoder(Peers).decode(entry.value)
        return [pb.Member(ID=MEMBER_ID, name=NAME, peerURLs=list(peers.urls), clientURLs=[url])]

    async def member_list(self, call: Call, request: pb.MemberListRequest) -> bytes:
        reply = pb.MemberListResponse(members=self.members(call))
        return await self._replies.settled(reply, self._keys.head)

    async def member_add(self, call: Call, request: pb.MemberAddRequest) -> bytes:
        if (
            not all(re.fullmatch(r"https?://[^/]+:\d+", url) for url in request.peerURLs)
            or not request.peerURLs
        ):
            raise refused("MemberBadURLs")
        raise GrpcStatus(Code.UNIMPLEMENTED, "cloudlet: this cluster has one member, and none can be added")

    async def member_remove(self, call: Call, request: pb.MemberRemoveRequest) -> bytes:
        raise refused("MemberNotEnoughStarted" if request.ID == MEMBER_ID else "MemberNotFound")

    async def member_update(self, call: Call, request: pb.MemberUpdateRequest, author: Author) -> bytes:
        """As etcd, which does not look at the URLs either."""
        if request.ID != MEMBER_ID:
            raise refused("MemberNotFound")
        put = Put(MEMBER, encode_record(Peers(tuple(request.peerURLs))))
        revision = self._keys.commit_now(Commit(author, (), [put], (), Durability.SYNC))
        return await self._replies.settled(pb.MemberUpdateResponse(members=self.members(call)), revision)

    async def member_promote(self, call: Call, request: pb.MemberPromoteRequest) -> bytes:
        raise refused("MemberNotLearner" if request.ID == MEMBER_ID else "MemberNotFound")

    # --- alarms

    def alarms(self) -> list[pb.AlarmMember]:
        """What is raised."""
        found = []
        for entry in self._keys.scan(*prefix_range(("etcd", "alarm"))):
            _, _, kind, member = unpack(entry.key)
            assert isinstance(kind, int)
            assert isinstance(member, bytes)
            found.append(pb.AlarmMember(memberID=int.from_bytes(member), alarm=kind))
        return found

    def raised(self) -> list[str]:
        """The alarms by their names."""
        return [KINDS[each.alarm] for each in self.alarms() if each.alarm in KINDS]

    def check_alarms(self, *, takes_space: bool) -> None:
        """Of a write: Corrupt refuses every one, NoSpace those that take space."""
        if not self._keys.count(*ALARMS):
            return
        raised = {each.alarm for each in self.alarms()}
        if CORRUPT in raised:
            raise refused("Corrupt")
        if takes_space and NOSPACE in raised:
            raise refused("NoSpace")

    def raise_alarm(self, kind: int, author: Author, member: int = MEMBER_ID) -> None:
        key = alarm_key(kind, member)
        if self._keys.get(key) is None:
            self._keys.commit_now(Commit(author, (), [Put(key, b"")], (), Durability.SYNC))

    async def alarm(self, request: pb.AlarmRequest, author: Author) -> bytes:
        before = self.alarms()
        if request.action == GET:
            found = [each for each in before if request.alarm in (NO_ALARM, each.alarm)]
        elif request.action == ACTIVATE:
            named = pb.AlarmMember(memberID=request.memberID, alarm=request.alarm)
            if request.alarm in KINDS:
                self.raise_alarm(request.alarm, author, request.memberID)
            found = [each for each in self.alarms() if each == named]
        elif request.action == DEACTIVATE:
            named = pb.AlarmMember(memberID=request.memberID, alarm=request.alarm)
            found = [each for each in before if each == named]
            drops = [Drop(alarm_key(each.alarm, each.memberID)) for each in found]
            if drops:
                self._keys.commit_now(Commit(author, (), (), drops, Durability.SYNC))
        else:
            found = []
        return await self._replies.settled(pb.AlarmResponse(alarms=found), self._keys.head)

    # --- how it is

    def size_bytes(self) -> int:
        """What the store takes, its history included: what etcd calls the size of its database."""
        return self._keys.size_bytes

    async def status(self, request: pb.StatusRequest) -> bytes:
        head = self._keys.head
        size = self.size_bytes()
        reply = pb.StatusResponse(
            version=VERSION,
            dbSize=size,
            leader=MEMBER_ID,
            raftIndex=head,
            raftTerm=RAFT_TERM,
            raftAppliedIndex=head,
            dbSizeInUse=size,
            storageVersion=STORAGE_VERSION,
            dbSizeQuota=self.quota_bytes,
            downgradeInfo=pb.DowngradeInfo(),
            errors=[alarm_text(each) for each in self.alarms() if each.alarm in KINDS],
        )
        return await self._replies.settled(reply, head)

    async def defragment(self, request: pb.DefragmentRequest) -> bytes:
        """Nothing is fragmented: the history gives its space back by whole segments. As etcd's, the reply has
        no header."""
        return encode(pb.DefragmentResponse())

    async def hash(self, request: pb.HashRequest) -> bytes:
        found, _ = await self._hash(self._keys.head)
        return await self._replies.settled(pb.HashResponse(hash=found), self._keys.head)

    async def hash_kv(self, request: pb.HashKVRequest) -> bytes:
        revision = Revision(request.revision if request.revision > 0 else self._keys.head)
        try:
            found, _ = await self._hash(revision)
        except (Compacted, FutureRevision) as error:
            raise of_store(error) from None
        reply = pb.HashKVResponse(
            hash=found, compact_revision=self._keys.compacted or -1, hash_revision=revision
        )
        return await self._replies.settled(reply, self._keys.head)

    async def _hash(self, revision: Revision) -> tuple[int, int]:
        """A checksum over every key of etcd's at a revision, and their number."""
        entries = await self._keys.scan_at(revision, ETCD, ETCD_STOP)
        found = HASH_START
        for number, entry in enumerate(entries, 1):
            found = zlib.crc32(row_of(entry), found)
            if number % ROWS_PER_TURN == 0:
                await asyncio.sleep(0)
        return found, len(entries)

    async def snapshot(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        """A file of bbolt's, and then a SHA-256 of all before."""
        async for _ in incoming:
            pass
        [member] = self.members(call)
        told = snapshot.Cluster(member, STORAGE_VERSION, RAFT_TERM)
        async for blob, left in snapshot.snapshot_of(self._keys, told):  # as etcd's, without a header
            await call.send(
                encode(pb.SnapshotResponse(blob=blob, remaining_bytes=left, version=STORAGE_VERSION))
            )

    async def move_leader(self, request: pb.MoveLeaderRequest) -> bytes:
        """To itself, the leader moves at once; as etcd's, the reply has no header."""
        if request.targetID == MEMBER_ID:
            return encode(pb.MoveLeaderResponse())
        raise refused("BadLeaderTransferee")

    async def downgrade(self, request: pb.DowngradeRequest) -> bytes:
        if request.action == CANCEL:
            reply = pb.DowngradeResponse(version=CLUSTER_VERSION.removesuffix(".0"))
            return await self._replies.settled(reply, self._keys.head)
        if request.action not in (VALIDATE, ENABLE):
            raise GrpcStatus(Code.UNKNOWN, "etcdserver: unknown method")
        if not re.fullmatch(r"\d+\.\d+(\.\d+)?", request.version):
            raise refused("WrongDowngradeVersionFormat")
        raise refused("InvalidDowngradeTargetVersion")


def alarm_key(kind: int, member: int) -> bytes:
    return pack(("etcd", "alarm", kind, member.to_bytes(8)))


ALARMS = prefix_range(("etcd", "alarm"))


def alarm_text(alarm: pb.AlarmMember) -> str:
    """As Status tells it: a message's text, which leaves a zero out."""
    member = f"memberID:{alarm.memberID} " if alarm.memberID else ""
    return f"{member}alarm:{KINDS[alarm.alarm]} "


def row_of(entry: Entry) -> bytes:
    """One key with its value and numbers, as hashes have it."""
    key = entry.key[1:]
    return b"".join(
        (
            _ROW.pack(
                entry.create_revision, entry.mod_revision, entry.version, entry.lease & ((1 << 64) - 1),
                len(key), len(entry.value), len(entry.meta),
            ),
            key,
            entry.value,
            entry.meta,
        )
    )  # fmt: skip
