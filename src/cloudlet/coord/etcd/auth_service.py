"""etcd's Auth service: what changes users, roles and permissions, and gives tokens.

State   none of its own: see auth.py
Source  etcd 3.6, server/auth (the order of its checks)
Absent  JWT tokens
"""

from __future__ import annotations

from hmac import compare_digest

import msgspec

from cloudlet.aws.record import Record
from cloudlet.coord.etcd.auth import (
    EVERYTHING,
    READWRITE,
    ROOT,
    SALT_BYTES,
    TOKEN_MS,
    TOKENS_MAX,
    Access,
    Grant,
    RoleRecord,
    UserRecord,
    hashed,
    place,
    span_of,
)
from cloudlet.coord.etcd.faults import refused
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Author, Revision
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Code, GrpcStatus

NO_PASSWORD_TEXT = "auth: authentication failed, password was given for no password user"


class Auth:
    """The service; each method gives its reply, and the revision to settle first."""

    def __init__(self, access: Access, ids: Ids) -> None:
        self._access = access
        self._ids = ids

    async def enable(
        self, request: pb.AuthEnableRequest, author: Author
    ) -> tuple[pb.AuthEnableResponse, Revision]:
        if not self._access.is_enabled:
            user = self._access.user(ROOT)
            if user is None:
                raise refused("RootUserNotExist")
            if ROOT not in user.roles:
                raise refused("RootRoleNotExist")
            self._access.commit(author, is_enabled=True)
        return pb.AuthEnableResponse(), self._access.keys.head

    async def disable(
        self, request: pb.AuthDisableRequest, author: Author
    ) -> tuple[pb.AuthDisableResponse, Revision]:
        if self._access.is_enabled:
            self._access.commit(author, is_enabled=False)
            self._access.tokens.clear()
        return pb.AuthDisableResponse(), self._access.keys.head

    async def status(
        self, request: pb.AuthStatusRequest, author: Author
    ) -> tuple[pb.AuthStatusResponse, Revision]:
        switch = self._access.switch()
        return pb.AuthStatusResponse(
            enabled=switch.is_enabled, authRevision=switch.revision
        ), self._access.keys.head

    async def authenticate(
        self, request: pb.AuthenticateRequest, author: Author
    ) -> tuple[pb.AuthenticateResponse, Revision]:
        switch = self._access.switch()
        if not switch.is_enabled:
            raise refused("AuthNotEnabled")
        user = self._access.user(request.name)
        if user is None:
            raise refused("AuthFailed")
        if user.no_password:
            raise GrpcStatus(Code.UNKNOWN, NO_PASSWORD_TEXT)
        if not compare_digest(await hashed(request.password, user.salt), user.hash):
            raise refused("AuthFailed")
        if len(self._access.tokens) >= TOKENS_MAX:
            self._access.tokens.pop(next(iter(self._access.tokens)))
        token = f"{self._ids.token(8).hex()}.{switch.revision}"
        self._access.tokens[token] = (request.name, self._access.clock.monotonic_ms() + TOKEN_MS)
        return pb.AuthenticateResponse(token=token), self._access.keys.head

    async def user_add(
        self, request: pb.AuthUserAddRequest, author: Author
    ) -> tuple[pb.AuthUserAddResponse, Revision]:
        if not request.name:
            raise refused("UserEmpty")
        no_password = request.options is not None and request.options.no_password
        record = await self._with_password(UserRecord(no_password=no_password), request.password)
        if self._access.user(request.name) is not None:
            raise refused("UserAlreadyExist")
        return pb.AuthUserAddResponse(), self._access.commit(author, [(place("user", request.name), record)])

    async def _with_password(self, user: UserRecord, password: str) -> UserRecord:
        if user.no_password:
            return user
        salt = self._ids.token(SALT_BYTES)
        return msgspec.structs.replace(user, salt=salt, hash=await hashed(password, salt))

    async def user_get(
        self, request: pb.AuthUserGetRequest, author: Author
    ) -> tuple[pb.AuthUserGetResponse, Revision]:
        user = self._wanted_user(request.name)
        return pb.AuthUserGetResponse(roles=list(user.roles)), self._access.keys.head

    def _wanted_user(self, name: str) -> UserRecord:
        user = self._access.user(name)
        if user is None:
            raise refused("UserNotFound")
        return user

    def _wanted_role(self, name: str) -> RoleRecord:
        role = self._access.role(name)
        if role is None:
            raise refused("RoleNotFound")
        return role

    async def user_list(
        self, request: pb.AuthUserListRequest, author: Author
    ) -> tuple[pb.AuthUserListResponse, Revision]:
        return pb.AuthUserListResponse(users=self._access.names("user")), self._access.keys.head

    async def user_delete(
        self, request: pb.AuthUserDeleteRequest, author: Author
    ) -> tuple[pb.AuthUserDeleteResponse, Revision]:
        if self._access.is_enabled and request.name == ROOT:
            raise refused("InvalidAuthMgmt")
        self._wanted_user(request.name)
        self._access.forget(request.name)
        return pb.AuthUserDeleteResponse(), self._access.commit(author, drop=[place("user", request.name)])

    async def user_change_password(
        self, request: pb.AuthUserChangePasswordRequest, author: Author
    ) -> tuple[pb.AuthUserChangePasswordResponse, Revision]:
        self._wanted_user(request.name)
        record = await self._with_password(UserRecord(), request.password)
        user = self._wanted_user(request.name)  # again: the hash took its time
        record = msgspec.structs.replace(user, salt=record.salt, hash=record.hash, no_password=False)
        self._access.forget(request.name)
        return pb.AuthUserChangePasswordResponse(), self._access.commit(
            author, [(place("user", request.name), record)]
        )

    async def user_grant_role(
        self, request: pb.AuthUserGrantRoleRequest, author: Author
    ) -> tuple[pb.AuthUserGrantRoleResponse, Revision]:
        user = self._wanted_user(request.user)
        if request.role != ROOT:
            self._wanted_role(request.role)
        revision = self._access.keys.head
        if request.role not in user.roles:
            record = msgspec.structs.replace(user, roles=tuple(sorted((*user.roles, request.role))))
            revision = self._access.commit(author, [(place("user", request.user), record)])
        return pb.AuthUserGrantRoleResponse(), revision

    async def user_revoke_role(
        self, request: pb.AuthUserRevokeRoleRequest, author: Author
    ) -> tuple[pb.AuthUserRevokeRoleResponse, Revision]:
        if self._access.is_enabled and request.name == ROOT and request.role == ROOT:
            raise refused("InvalidAuthMgmt")
        user = self._wanted_user(request.name)
        if request.role not in user.roles:
            raise refused("RoleNotGranted")
        record = msgspec.structs.replace(
            user, roles=tuple(role for role in user.roles if role != request.role)
        )
        return pb.AuthUserRevokeRoleResponse(), self._access.commit(
            author, [(place("user", request.name), record)]
        )

    async def role_add(
        self, request: pb.AuthRoleAddRequest, author: Author
    ) -> tuple[pb.AuthRoleAddResponse, Revision]:
        if not request.name:
            raise refused("RoleEmpty")
        if self._access.role(request.name) is not None:
            raise refused("RoleAlreadyExist")
        return pb.AuthRoleAddResponse(), self._access.commit(
            author, [(place("role", request.name), RoleRecord())]
        )

    async def role_get(
        self, request: pb.AuthRoleGetRequest, author: Author
    ) -> tuple[pb.AuthRoleGetResponse, Revision]:
        if request.role == ROOT and self._access.role(ROOT) is None:
            perm = [pb.Permission(permType=READWRITE, key=b"", range_end=EVERYTHING)]
        else:
            perm = [
                pb.Permission(permType=grant.type, key=grant.key, range_end=grant.range_end)
                for grant in self._wanted_role(request.role).grants
            ]
        return pb.AuthRoleGetResponse(perm=perm), self._access.keys.head

    async def role_list(
        self, request: pb.AuthRoleListRequest, author: Author
    ) -> tuple[pb.AuthRoleListResponse, Revision]:
        return pb.AuthRoleListResponse(roles=self._access.names("role")), self._access.keys.head

    async def role_delete(
        self, request: pb.AuthRoleDeleteRequest, author: Author
    ) -> tuple[pb.AuthRoleDeleteResponse, Revision]:
        if self._access.is_enabled and request.role == ROOT:
            raise refused("InvalidAuthMgmt")
        self._wanted_role(request.role)
        losing: list[tuple[bytes, Record]] = []
        for name in self._access.names("user"):
            user = self._access.user(name)
            if user is not None and request.role in user.roles:
                kept = tuple(role for role in user.roles if role != request.role)
                losing.append((place("user", name), msgspec.structs.replace(user, roles=kept)))
        revision = self._access.commit(author, losing, [place("role", request.role)])
        return pb.AuthRoleDeleteResponse(), revision

    async def role_grant_permission(
        self, request: pb.AuthRoleGrantPermissionRequest, author: Author
    ) -> tuple[pb.AuthRoleGrantPermissionResponse, Revision]:
        perm = request.perm
        if perm is None:
            raise refused("PermissionNotGiven")
        start, stop = span_of(perm.key, perm.range_end)
        if not start or (stop is not None and start >= stop):
            raise refused("InvalidAuthMgmt")
        role = self._wanted_role(request.name)
        kept = [grant for grant in role.grants if (grant.key, grant.range_end) != (perm.key, perm.range_end)]
        kept.append(Grant(perm.permType, perm.key, perm.range_end))
        kept.sort(key=lambda grant: (grant.key, grant.range_end))
        record = RoleRecord(tuple(kept))
        return pb.AuthRoleGrantPermissionResponse(), self._access.commit(
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
        revision = self._access.commit(author, [(place("role", request.role), RoleRecord(kept))])
        return pb.AuthRoleRevokePermissionResponse(), revision
