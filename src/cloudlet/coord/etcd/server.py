"""etcd's v3 API as gRPC methods: from a message to a reply.

State   none of its own: see the services
Source  etcd 3.6, server/etcdserver/api/v3rpc (the order of its checks and limits)
Absent  client-api-version is not looked at

A unary method that writes applies its change in the turn in which the call came and answers once the change
has settled (replies.py). Reads answer at once unless a write before them is still on its way to the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from cloudlet.coord.etcd import reflection
from cloudlet.coord.etcd.auth import READ, WRITE, Access
from cloudlet.coord.etcd.auth_service import Auth
from cloudlet.coord.etcd.cluster import Cluster
from cloudlet.coord.etcd.doors import Doors, author_of
from cloudlet.coord.etcd.faults import of_store, refused
from cloudlet.coord.etcd.kv import (
    Kv,
    NeedsPast,
    Past,
    check_delete,
    check_put,
    check_range,
    check_txn,
    is_putting,
    is_readonly,
)
from cloudlet.coord.etcd.lease import Leases
from cloudlet.coord.etcd.long_range import Turns, is_long, long_range
from cloudlet.coord.etcd.long_writes import is_long as is_long_drop
from cloudlet.coord.etcd.long_writes import is_long_txn, long_delete, long_txn
from cloudlet.coord.etcd.range_stream import range_stream
from cloudlet.coord.etcd.ranges import range_of
from cloudlet.coord.etcd.recipes import Recipes
from cloudlet.coord.etcd.replies import Replies
from cloudlet.coord.etcd.settings import EtcdSettings
from cloudlet.coord.etcd.watch import Shown, WatchStream
from cloudlet.coord.leases import Lessor
from cloudlet.coord.zookeeper.znode import meta_beside
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import ProtocolError, StoreError
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Author, LocalKeys, Revision
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Answer, Call, Code, GrpcStatus, Method, bidi, server_stream, unary
from cloudlet.wire.protobuf import decoder

OVERHEAD_BYTES = 512 << 10  # what gRPC may add to a request


class EtcdServer:
    """Every service over one store."""

    def __init__(
        self,
        keys: LocalKeys,
        clock: Clock,
        ids: Ids,
        lessor: Lessor,
        settings: EtcdSettings = EtcdSettings(),  # noqa: B008 (frozen)
    ) -> None:
        self._keys = keys
        self._settings = settings
        self.replies = Replies(keys)
        self._shown = Shown()
        self._turns = Turns()
        self.kv = Kv(keys, partial(meta_beside, clock))
        self.access = Access(keys, clock)
        self.auth = Auth(self.access, ids)
        self.cluster = Cluster(keys, self.replies, quota_bytes=settings.quota_bytes)
        self.leases = Leases(keys, lessor, self.replies, ids, seconds_min=settings.lease_seconds_min)
        self.recipes = Recipes(keys, self.kv, self.leases, self.replies, self._check_write)
        self._is_compacted_at_zero = False
        self._range_request = decoder(pb.RangeRequest)
        self._put_request = decoder(pb.PutRequest)
        self._delete_request = decoder(pb.DeleteRangeRequest)
        self._txn_request = decoder(pb.TxnRequest)

    async def close(self) -> None:
        self.replies.close()

    def methods(self) -> Mapping[str, Method]:
        """The table that the transport serves."""
        found: dict[str, Method] = {}

        def add(service: str, name: str, handler: Any, kind: Callable[..., Method] = unary) -> None:
            path = f"/{service}/{name}"
            found[path] = kind(path, handler, self._settings.request_bytes_max + OVERHEAD_BYTES)

        kv = "etcdserverpb.KV"
        add(kv, "Range", self._range)
        add(kv, "Put", self._put)
        add(kv, "DeleteRange", self._delete_range)
        add(kv, "Txn", self._txn)
        add(kv, "Compact", self._compact)
        add(kv, "RangeStream", self._range_stream, server_stream)
        add("etcdserverpb.Watch", "Watch", self._watch, bidi)
        add("etcdserverpb.Lease", "LeaseKeepAlive", self.leases.keepalive, bidi)
        add("etcdserverpb.Maintenance", "Snapshot", self._snapshot, server_stream)
        add("v3electionpb.Election", "Observe", self._observe, server_stream)
        for path, cls, handler in self._others():
            service, _, name = path.strip("/").partition("/")
            add(service, name, self._waiting(cls, handler))
        return found | reflection.methods(list(found))

    def _others(self) -> list[tuple[str, type, Callable[[Call, Any], Coroutine[Any, Any, bytes]]]]:
        """The methods that are not worth a fast path: each waits for what it shows."""
        recipes, cluster, auth = self.recipes, self.cluster, self.auth
        doors = Doors(self.access, self.replies)
        rows: list[tuple[str, Callable[[Call, Any], Coroutine[Any, Any, bytes]]]] = [
            ("/etcdserverpb.Lease/LeaseGrant", self._lease_grant),
            ("/etcdserverpb.Lease/LeaseRevoke", self._lease_revoke),
            ("/etcdserverpb.Lease/LeaseTimeToLive", self._lease_time_to_live),
            ("/etcdserverpb.Lease/LeaseLeases", self._lease_leases),
            ("/v3lockpb.Lock/Lock", doors.permitted(recipes.lock, "name", WRITE)),
            ("/v3lockpb.Lock/Unlock", doors.permitted(recipes.unlock, "key", WRITE)),
            ("/v3electionpb.Election/Campaign", doors.permitted(recipes.campaign, "name", WRITE)),
            ("/v3electionpb.Election/Proclaim", doors.permitted(recipes.proclaim, "leader.key", WRITE)),
            ("/v3electionpb.Election/Resign", doors.permitted(recipes.resign, "leader.key", WRITE)),
            (
                "/v3electionpb.Election/Leader",
                doors.permitted(lambda request, author: recipes.leader(request), "name", READ),
            ),
            ("/etcdserverpb.Cluster/MemberList", doors.known(cluster.member_list)),
            ("/etcdserverpb.Cluster/MemberAdd", doors.administered(cluster.member_add)),
            ("/etcdserverpb.Cluster/MemberRemove", doors.administered(cluster.member_remove)),
            ("/etcdserverpb.Cluster/MemberUpdate", doors.administered(self._member_update)),
            ("/etcdserverpb.Cluster/MemberPromote", doors.administered(cluster.member_promote)),
            ("/etcdserverpb.Maintenance/Alarm", self._alarm),
            (
                "/etcdserverpb.Maintenance/Status",
                doors.known(lambda call, request: cluster.status(request)),
            ),
            (
                "/etcdserverpb.Maintenance/Defragment",
                doors.administered(lambda call, request: cluster.defragment(request)),
            ),
            (
                "/etcdserverpb.Maintenance/Hash",
                doors.administered(lambda call, request: cluster.hash(request)),
            ),
            (
                "/etcdserverpb.Maintenance/HashKV",
                doors.administered(lambda call, request: cluster.hash_kv(request)),
            ),
            (
                "/etcdserverpb.Maintenance/MoveLeader",
                doors.administered(lambda call, request: cluster.move_leader(request)),
            ),
            (
                "/etcdserverpb.Maintenance/Downgrade",
                doors.administered(lambda call, request: cluster.downgrade(request)),
            ),
            ("/etcdserverpb.Auth/Authenticate", doors.open(auth.authenticate)),
            ("/etcdserverpb.Auth/AuthStatus", doors.rooted(auth.status)),
            ("/etcdserverpb.Auth/AuthEnable", doors.rooted(auth.enable)),
            ("/etcdserverpb.Auth/UserGet", doors.of_oneself(auth.user_get, "user")),
            ("/etcdserverpb.Auth/RoleGet", doors.of_oneself(auth.role_get, "role")),
        ]
        for name, service in (
            ("AuthDisable", auth.disable),
            ("UserAdd", auth.user_add),
            ("UserList", auth.user_list),
            ("UserDelete", auth.user_delete),
            ("UserChangePassword", auth.user_change_password),
            ("UserGrantRole", auth.user_grant_role),
            ("UserRevokeRole", auth.user_revoke_role),
            ("RoleAdd", auth.role_add),
            ("RoleList", auth.role_list),
            ("RoleDelete", auth.role_delete),
            ("RoleGrantPermission", auth.role_grant_permission),
            ("RoleRevokePermission", auth.role_revoke_permission),
        ):
            rows.append((f"/etcdserverpb.Auth/{name}", doors.rooted(service)))
        return [(path, getattr(pb, pb.METHODS[path].request), handler) for path, handler in rows]

    def _waiting(self, cls: type, handler: Callable[[Call, Any], Coroutine[Any, Any, bytes]]) -> Any:
        decode: Callable[[bytes], Any] = decoder(cls)

        async def serve(call: Call, message: bytes) -> bytes:
            try:
                return await handler(call, parsed(decode, message))
            except StoreError as error:
                raise of_store(error) from None

        return serve

    # --- KV

    def _author(self, call: Call) -> Author:
        return author_of(self.access, call)

    def _range(self, call: Call, message: bytes) -> Answer | Awaitable[bytes]:
        request = parsed(self._range_request, message)
        check_range(request)
        self.access.check(call, request.key, request.range_end, READ)
        try:
            if request.range_end and is_long(self._keys, request):
                return long_range(self._keys, self.replies, self._turns, request)
            reply, revision = self.kv.range(request)
        except NeedsPast as needed:
            return self._range_past(request, needed)
        return self.replies.answer(call, reply, revision)

    async def _range_past(self, request: pb.RangeRequest, needed: NeedsPast) -> bytes:
        past: Past = {}
        await self.kv.fetch(needed, past)
        reply, revision = self.kv.range(request, past)
        return await self.replies.settled(reply, revision)

    async def _range_stream(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        async for message in incoming:
            request = parsed(self._range_request, message)
            self.access.check(call, request.key, request.range_end, READ)
            size = self._settings.request_bytes_max
            await range_stream(self._keys, self.replies, self._turns, call, request, size)
            return

    def _put(self, call: Call, message: bytes) -> Answer:
        request = parsed(self._put_request, message)
        check_put(request)
        self._check_size(message)
        self.access.check_put(call, request)
        self._check_write(takes_space=True)
        reply, revision = self.kv.put(request, self._author(call))
        return self.replies.answer(call, reply, revision)

    def _delete_range(self, call: Call, message: bytes) -> Answer | Awaitable[bytes]:
        request = parsed(self._delete_request, message)
        check_delete(request)
        self._check_size(message)
        self.access.check_delete(call, request)
        self._check_write(takes_space=False)
        if request.range_end and is_long_drop(self._keys, *range_of(request.key, request.range_end)):
            return long_delete(self._keys, self.kv, self.replies, self._turns, request, self._author(call))
        reply, revision = self.kv.delete_range(request, self._author(call))
        return self.replies.answer(call, reply, revision)

    def _txn(self, call: Call, message: bytes) -> Answer | Awaitable[bytes]:
        request = parsed(self._txn_request, message)
        check_txn(request, self._settings.operations_max)
        self._check_size(message)
        self.access.check_txn(call, request)
        if not is_readonly(request):
            self._check_write(takes_space=is_putting(request))
        author = self._author(call)
        past: Past = {}
        if is_long_txn(self._keys, request):
            return long_txn(self._keys, self.kv, self.replies, self._turns, request, author, past)
        try:
            reply, revision = self.kv.txn(request, author)
        except NeedsPast:
            return long_txn(self._keys, self.kv, self.replies, self._turns, request, author, past)
        return self.replies.answer(call, reply, revision)

    async def _compact(self, call: Call, message: bytes) -> bytes:
        request = parsed(decoder(pb.CompactionRequest), message)
        self.access.check_root(call)
        self._check_write(takes_space=False)
        if not (request.revision or self._keys.compacted or self._is_compacted_at_zero):
            self._is_compacted_at_zero = True  # etcd takes a 0, once, while nothing was compacted
        else:
            try:
                await self._keys.compact(Revision(request.revision))
            except StoreError as error:
                raise of_store(error) from None
        return await self.replies.settled(pb.CompactionResponse(), self._keys.head)

    def _check_size(self, message: bytes) -> None:
        if len(message) > self._settings.request_bytes_max:
            raise refused("RequestTooLarge")

    def _check_write(self, *, takes_space: bool) -> None:
        """Corrupt, NoSpace."""
        self.cluster.check_alarms(takes_space=takes_space)
        if takes_space and self.cluster.size_bytes() > self._settings.quota_bytes:
            self.cluster.raise_alarm(1, Author("etcd", "quota"))
            raise refused("NoSpace")

    # --- Watch, streams

    def _watch(self, call: Call, incoming: AsyncIterator[bytes]) -> Coroutine[Any, Any, None]:
        stream = WatchStream(
            call,
            self._keys,
            self.replies,
            self._watch_refusal,
            self._settings.progress_s,
            self._shown,
            self._turns,
        )
        return stream.serve(incoming)

    def _watch_refusal(self, call: Call, key: bytes, range_end: bytes) -> str | None:
        try:
            self.access.check(call, key, range_end, READ)
        except GrpcStatus as status:
            return f"rpc error: code = {CODE_NAMES[status.code]} desc = {status.message}"
        return None

    async def _snapshot(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        self.access.check_root(call)
        await self.cluster.snapshot(call, incoming)

    async def _observe(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        self.access.caller(call)
        await self.recipes.observe(call, incoming)

    # --- the others

    async def _lease_grant(self, call: Call, request: pb.LeaseGrantRequest) -> bytes:
        self._check_write(takes_space=True)
        return await self.leases.grant(request, self._author(call))

    async def _lease_revoke(self, call: Call, request: pb.LeaseRevokeRequest) -> bytes:
        author = self._author(call)
        self.access.check_lease(call, request.ID, WRITE)
        self._check_write(takes_space=False)
        # A keepalive that came before it, on a stream, is read in the loop's next turn: it goes first.
        await asyncio.sleep(0)
        return await self.leases.revoke(request, author)

    async def _lease_time_to_live(self, call: Call, request: pb.LeaseTimeToLiveRequest) -> bytes:
        self.access.caller(call)
        if request.keys:
            self.access.check_lease(call, request.ID, READ)
        return await self.leases.time_to_live(request)

    async def _lease_leases(self, call: Call, request: pb.LeaseLeasesRequest) -> bytes:
        self.access.caller(call)
        for lease in self._keys.leases():
            self.access.check_lease(call, lease.id, READ)
        return await self.leases.leases(request)

    async def _member_update(self, call: Call, request: pb.MemberUpdateRequest) -> bytes:
        return await self.cluster.member_update(call, request, self._author(call))

    async def _alarm(self, call: Call, request: pb.AlarmRequest) -> bytes:
        if request.action:
            self.access.check_root(call)
        return await self.cluster.alarm(request, self._author(call))


CODE_NAMES = {
    code: "".join(word.capitalize() for word in code.name.split("_")).replace("Cancelled", "Canceled")
    for code in Code
}


def parsed(decode: Callable[[bytes], Any], message: bytes) -> Any:
    """A request, or the status of bytes that are none."""
    try:
        return decode(message)
    except ProtocolError as error:
        raise GrpcStatus(Code.INTERNAL, f"grpc: error unmarshalling request: {error}") from None
