"""etcd's Auth: users, roles, the permissions of roles over ranges of keys, tokens.

State   ("etcd", "auth", "enabled")       -> Switch: whether it is on, and the revision of its last change
        ("etcd", "auth", "user", name)    -> UserRecord
        ("etcd", "auth", "role", name)    -> RoleRecord
        in memory: the tokens given, each good for TOKEN_MS after its last use
Source  etcd 3.6, server/auth (the order of its checks, root's privileges), authpb
Absent  JWT tokens; --auth-token-ttl; tokens do not outlive a restart, as etcd's simple tokens do not

A token is remembered with its user; a change of users or roles takes effect at the next call. The user root,
who must hold the role root, may do everything. A range is permitted if the union of the permissions of all
of the user's roles covers it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from hmac import compare_digest

import msgspec

from cloudlet.aws.record import Record, decoder
from cloudlet.aws.record import encode as encode_record
from cloudlet.coord.etcd.faults import refused
from cloudlet.coord.local import commit_now
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import LOCAL_LIMITS, Author, Commit, Drop, Durability, LocalKeys, Put, Revision
from cloudlet.kernel.tuples import pack, prefix_range
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Call

ROOT = "root"
TOKEN_MS = 300_000
TOKENS_MAX = 100_000
SALT_BYTES = 16
ROUNDS = 60_000  # 20 ms: a cloud on one's own machine, whose tests log in again and again
READ, WRITE, READWRITE = range(3)
EVERYTHING = b"\0"


class Switch(Record):
    """Whether access is checked."""

    is_enabled: bool = False
    revision: int = 1


class UserRecord(Record):
    """A user; without a password one can only be known by a certificate."""

    salt: bytes = b""
    hash: bytes = b""
    roles: tuple[str, ...] = ()
    no_password: bool = False


class Grant(Record):
    """A permission of a role: a key, or the range up to `range_end`."""

    type: int
    key: bytes
    range_end: bytes = b""


class RoleRecord(Record):
    """A role."""

    grants: tuple[Grant, ...] = ()


def place(*parts: str) -> bytes:
    return pack(("etcd", "auth", *parts))


class Auth:
    """The service, and what the others ask before they act."""

    def __init__(self, keys: LocalKeys, clock: Clock, ids: Ids) -> None:
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._tokens: dict[str, tuple[str, float]] = {}

    # --- state

    def _switch(self) -> Switch:
        entry = self._keys.get(place("enabled"))
        return Switch() if entry is None else decoder(Switch).decode(entry.value)

    @property
    def is_enabled(self) -> bool:
        entry = self._keys.get(ENABLED)
        return entry is not None and decoder(Switch).decode(entry.value).is_enabled

    def _user(self, name: str) -> UserRecord | None:
        entry = self._keys.get(place("user", name))
        return None if entry is None else decoder(UserRecord).decode(entry.value)

    def _role(self, name: str) -> RoleRecord | None:
        entry = self._keys.get(place("role", name))
        return None if entry is None else decoder(RoleRecord).decode(entry.value)

    def _names(self, kind: str) -> list[str]:
        start, stop = prefix_range(("etcd", "auth", kind))
        return [entry.key[len(start) :].rstrip(b"\0").decode() for entry in self._keys.scan(start, stop)]

    def _commit(
        self,
        author: Author,
        put: Sequence[tuple[bytes, Record]] = (),
        drop: Sequence[bytes] = (),
        *,
        is_enabled: bool | None = None,
    ) -> Revision:
        """Write, and count the change."""
        switch = self._switch()
        switch = Switch(switch.is_enabled if is_enabled is None else is_enabled, switch.revision + 1)
        puts = [Put(key, encode_record(record)) for key, record in (*put, (ENABLED, switch))]
        drops = [Drop(key) for key in drop]
        return commit_now(self._keys, Commit(author, (), puts, drops, Durability.SYNC, LOCAL_LIMITS))

    # --- who calls, and what they may

    def caller(self, call: Call) -> str | None:
        """The user that a call acts as; None while access is not checked. InvalidAuthToken, UserEmpty."""
        if self._keys.get(ENABLED) is None or not self.is_enabled:
            return None
        token = call.metadata.get("token") or call.metadata.get("authorization", "").removeprefix("Bearer ")
        if not token:
            if call.common_name and self._user(call.common_name) is not None:
                return call.common_name
            raise refused("UserEmpty")
        now_ms = self._clock.monotonic_ms()
        name, ends_ms = self._tokens.get(token, ("", 0.0))
        if not name or ends_ms < now_ms or self._user(name) is None:
            self._tokens.pop(token, None)
            raise refused("InvalidAuthToken")
        self._tokens[token] = (name, now_ms + TOKEN_MS)
        return name

    def roles_of(self, name: str) -> Sequence[str]:
        """The roles of a user."""
        user = self._user(name)
        return user.roles if user is not None else ()

    def check(self, call: Call, key: bytes, range_end: bytes, wanted: int) -> None:
        """Whether the caller may read or write a range; PermissionDenied."""
        name = self.caller(call)
        if name is not None and not self._may(name, key, range_end, wanted):
            raise refused("PermissionDenied")

    def check_root(self, call: Call) -> None:
        """Whether the caller may administer."""
        name = self.caller(call)
        if name is not None and not self._is_root(name):
            raise refused("PermissionDenied")

    def check_txn(self, call: Call, request: pb.TxnRequest) -> None:
        """Both branches, and what is compared."""
        if self.caller(call) is None:
            return
        for compare in request.compare:
            self.check(call, compare.key, compare.range_end, READ)
        for each in (*request.success, *request.failure):
            if each.request_range is not None:
                self.check(call, each.request_range.key, each.request_range.range_end, READ)
            elif each.request_put is not None:
                self.check_put(call, each.request_put)
            elif each.request_delete_range is not None:
                self.check_delete(call, each.request_delete_range)
            elif each.request_txn is not None:
                self.check_txn(call, each.request_txn)

    def check_put(self, call: Call, request: pb.PutRequest) -> None:
        self.check(call, request.key, b"", WRITE)
        if request.prev_kv:
            self.check(call, request.key, b"", READ)

    def check_delete(self, call: Call, request: pb.DeleteRangeRequest) -> None:
        self.check(call, request.key, request.range_end, WRITE)
        if request.prev_kv:
            self.check(call, request.key, request.range_end, READ)

    def _is_root(self, name: str) -> bool:
        user = self._user(name)
        return user is not None and ROOT in user.roles

    def _may(self, name: str, key: bytes, range_end: bytes, wanted: int) -> bool:
        user = self._user(name)
        if user is None:
            return False
        if ROOT in user.roles:
            return True
        spans = []
        for role in user.roles:
            found = self._role(role)
            for grant in found.grants if found is not None else ():
                if grant.type in (wanted, READWRITE):
                    spans.append(span_of(grant.key, grant.range_end))
        return covered(span_of(key, range_end), spans)

    # --- the service

    async def enable(
        self, request: pb.AuthEnableRequest, author: Author
    ) -> tuple[pb.AuthEnableResponse, Revision]:
        if not self.is_enabled:
            user = self._user(ROOT)
            if user is None:
                raise refused("RootUserNotExist")
            if ROOT not in user.roles:
                raise refused("RootRoleNotExist")
            self._commit(author, is_enabled=True)
        return pb.AuthEnableResponse(), self._keys.head

    async def disable(
        self, request: pb.AuthDisableRequest, author: Author
    ) -> tuple[pb.AuthDisableResponse, Revision]:
        if self.is_enabled:
            self._commit(author, is_enabled=False)
            self._tokens.clear()
        return pb.AuthDisableResponse(), self._keys.head

    async def status(
        self, request: pb.AuthStatusRequest, author: Author
    ) -> tuple[pb.AuthStatusResponse, Revision]:
        switch = self._switch()
        return pb.AuthStatusResponse(enabled=switch.is_enabled, authRevision=switch.revision), self._keys.head

    async def authenticate(
        self, request: pb.AuthenticateRequest, author: Author
    ) -> tuple[pb.AuthenticateResponse, Revision]:
        switch = self._switch()
        if not switch.is_enabled:
            raise refused("AuthNotEnabled")
        user = self._user(request.name)
        if user is None or user.no_password:
            raise refused("AuthFailed")
        if not compare_digest(await hashed(request.password, user.salt), user.hash):
            raise refused("AuthFailed")
        if len(self._tokens) >= TOKENS_MAX:
            self._tokens.pop(next(iter(self._tokens)))
        token = f"{self._ids.token(8).hex()}.{switch.revision}"
        self._tokens[token] = (request.name, self._clock.monotonic_ms() + TOKEN_MS)
        return pb.AuthenticateResponse(token=token), self._keys.head

    async def user_add(
        self, request: pb.AuthUserAddRequest, author: Author
    ) -> tuple[pb.AuthUserAddResponse, Revision]:
        if not request.name:
            raise refused("UserEmpty")
        no_password = request.options is not None and request.options.no_password
        record = await self._with_password(UserRecord(no_password=no_password), request.password)
        if self._user(request.name) is not None:
            raise refused("UserAlreadyExist")
        return pb.AuthUserAddResponse(), self._commit(author, [(place("user", request.name), record)])

    async def _with_password(self, user: UserRecord, password: str) -> UserRecord:
        if user.no_password:
            return user
        salt = self._ids.token(SALT_BYTES)
        return msgspec.structs.replace(user, salt=salt, hash=await hashed(password, salt))

    async def user_get(
        self, request: pb.AuthUserGetRequest, author: Author
    ) -> tuple[pb.AuthUserGetResponse, Revision]:
        user = self._wanted_user(request.name)
        return pb.AuthUserGetResponse(roles=list(user.roles)), self._keys.head

    def _wanted_user(self, name: str) -> UserRecord:
        user = self._user(name)
        if user is None:
            raise refused("UserNotFound")
        return user

    def _wanted_role(self, name: str) -> RoleRecord:
        role = self._role(name)
        if role is None:
            raise refused("RoleNotFound")
        return role

    async def user_list(
        self, request: pb.AuthUserListRequest, author: Author
    ) -> tuple[pb.AuthUserListResponse, Revision]:
        return pb.AuthUserListResponse(users=self._names("user")), self._keys.head

    async def user_delete(
        self, request: pb.AuthUserDeleteRequest, author: Author
    ) -> tuple[pb.AuthUserDeleteResponse, Revision]:
        if self.is_enabled and request.name == ROOT:
            raise refused("InvalidAuthMgmt")
        self._wanted_user(request.name)
        return pb.AuthUserDeleteResponse(), self._commit(author, drop=[place("user", request.name)])

    async def user_change_password(
        self, request: pb.AuthUserChangePasswordRequest, author: Author
    ) -> tuple[pb.AuthUserChangePasswordResponse, Revision]:
        self._wanted_user(request.name)
        record = await self._with_password(UserRecord(), request.password)
        user = self._wanted_user(request.name)  # again: the hash took its time
        record = msgspec.structs.replace(user, salt=record.salt, hash=record.hash, no_password=False)
        return pb.AuthUserChangePasswordResponse(), self._commit(
            author, [(place("user", request.name), record)]
        )

    async def user_grant_role(
        self, request: pb.AuthUserGrantRoleRequest, author: Author
    ) -> tuple[pb.AuthUserGrantRoleResponse, Revision]:
        user = self._wanted_user(request.user)
        if request.role != ROOT:
            self._wanted_role(request.role)
        revision = self._keys.head
        if request.role not in user.roles:
            record = msgspec.structs.replace(user, roles=tuple(sorted((*user.roles, request.role))))
            revision = self._commit(author, [(place("user", request.user), record)])
        return pb.AuthUserGrantRoleResponse(), revision

    async def user_revoke_role(
        self, request: pb.AuthUserRevokeRoleRequest, author: Author
    ) -> tuple[pb.AuthUserRevokeRoleResponse, Revision]:
        if self.is_enabled and request.name == ROOT and request.role == ROOT:
            raise refused("InvalidAuthMgmt")
        user = self._wanted_user(request.name)
        if request.role not in user.roles:
            raise refused("RoleNotGranted")
        record = msgspec.structs.replace(
            user, roles=tuple(role for role in user.roles if role != request.role)
        )
        return pb.AuthUserRevokeRoleResponse(), self._commit(author, [(place("user", request.name), record)])

    async def role_add(
        self, request: pb.AuthRoleAddRequest, author: Author
    ) -> tuple[pb.AuthRoleAddResponse, Revision]:
        if not request.name:
            raise refused("RoleEmpty")
        if self._role(request.name) is not None:
            raise refused("RoleAlreadyExist")
        return pb.AuthRoleAddResponse(), self._commit(author, [(place("role", request.name), RoleRecord())])

    async def role_get(
        self, request: pb.AuthRoleGetRequest, author: Author
    ) -> tuple[pb.AuthRoleGetResponse, Revision]:
        if request.role == ROOT and self._role(ROOT) is None:
            perm = [pb.Permission(permType=READWRITE, key=b"", range_end=EVERYTHING)]
        else:
            perm = [
                pb.Permission(permType=grant.type, key=grant.key, range_end=grant.range_end)
                for grant in self._wanted_role(request.role).grants
            ]
        return pb.AuthRoleGetResponse(perm=perm), self._keys.head

    async def role_list(
        self, request: pb.AuthRoleListRequest, author: Author
    ) -> tuple[pb.AuthRoleListResponse, Revision]:
        return pb.AuthRoleListResponse(roles=self._names("role")), self._keys.head

    async def role_delete(
        self, request: pb.AuthRoleDeleteRequest, author: Author
    ) -> tuple[pb.AuthRoleDeleteResponse, Revision]:
        if self.is_enabled and request.role == ROOT:
            raise refused("InvalidAuthMgmt")
        self._wanted_role(request.role)
        losing: list[tuple[bytes, Record]] = []
        for name in self._names("user"):
            user = self._user(name)
            if user is not None and request.role in user.roles:
                kept = tuple(role for role in user.roles if role != request.role)
                losing.append((place("user", name), msgspec.structs.replace(user, roles=kept)))
        revision = self._commit(author, losing, [place("role", request.role)])
        return pb.AuthRoleDeleteResponse(), revision

    async def role_grant_permission(
        self, request: pb.AuthRoleGrantPermissionRequest, author: Author
    ) -> tuple[pb.AuthRoleGrantPermissionResponse, Revision]:
        perm = request.perm
        if perm is None:
            raise refused("PermissionNotGiven")
        role = self._wanted_role(request.name)
        kept = [grant for grant in role.grants if (grant.key, grant.range_end) != (perm.key, perm.range_end)]
        kept.append(Grant(perm.permType, perm.key, perm.range_end))
        kept.sort(key=lambda grant: (grant.key, grant.range_end))
        record = RoleRecord(tuple(kept))
        return pb.AuthRoleGrantPermissionResponse(), self._commit(
            author, [(place("role", request.name), record)]
        )

    async def role_revoke_permission(
        self, request: pb.AuthRoleRevokePermissionRequest, author: Author
    ) -> tuple[pb.AuthRoleRevokePermissionResponse, Revision]:
        role = self._wanted_role(request.role)
        gone = (request.key, request.range_end)
        kept = tuple(grant for grant in role.grants if (grant.key, grant.range_end) != gone)
        if len(kept) == len(role.grants):
            raise refused("PermissionNotGranted")
        revision = self._commit(author, [(place("role", request.role), RoleRecord(kept))])
        return pb.AuthRoleRevokePermissionResponse(), revision


ENABLED = place("enabled")

Span = tuple[bytes, bytes | None]
"""Half-open; None is no end."""


async def hashed(password: str, salt: bytes) -> bytes:
    """A password as it is kept; on a thread, since it takes its time and lets go of the interpreter."""
    return await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", password.encode(), salt, ROUNDS)


def span_of(key: bytes, range_end: bytes) -> Span:
    """The keys that a request or a grant speaks of."""
    if not range_end:
        return key, key + b"\0"
    return key, None if range_end == EVERYTHING else range_end


def covered(wanted: Span, spans: Sequence[Span]) -> bool:
    """Whether the union of the spans holds all of `wanted`."""
    reached, stop = wanted
    for start, end in sorted(spans, key=lambda span: span[0]):
        if start > reached:
            break
        if end is None:
            return True
        reached = max(reached, end)
        if stop is not None and reached >= stop:
            return True
    return False
