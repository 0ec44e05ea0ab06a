"""Who may call what: the checks before etcd's slower methods.

State   none
Source  etcd 3.6, server/etcdserver/api/v3rpc and apply's auth layer
Absent  none
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from cloudlet.coord.etcd.auth import Access
from cloudlet.coord.etcd.faults import of_store
from cloudlet.coord.etcd.recipes import prefix_end
from cloudlet.coord.etcd.replies import Replies
from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.keys import Author, Revision
from cloudlet.wire.grpc import Call, Code, GrpcStatus

Service = Callable[[Any, Author], Awaitable[tuple[Any, Revision]]]


@lru_cache(maxsize=4096)
def _author(user: str, peer: str) -> Author:
    return Author("etcd", user, peer)


def author_of(access: Access, call: Call) -> Author:
    """Who writes what a call changes."""
    return _author(access.caller(call) or "", call.peer)


class Doors:
    """Wraps a method with the check that stands before it."""

    def __init__(self, access: Access, replies: Replies) -> None:
        self._access = access
        self._replies = replies

    def permitted(self, serve: Callable[[Any, Author], Awaitable[bytes]], member: str, wanted: int) -> Any:
        """A recipe: its caller must be allowed to write or read what is under the name. What goes wrong has
        no code: in etcd it is the error of a client that its server runs."""

        async def checked(call: Call, request: Any) -> bytes:
            try:
                return await allowed(call, request)
            except StoreError as error:
                raise GrpcStatus(Code.UNKNOWN, of_store(error).message) from None
            except GrpcStatus as status:
                raise GrpcStatus(Code.UNKNOWN, status.message) from None

        async def allowed(call: Call, request: Any) -> bytes:
            key: Any = request
            for part in member.split("."):
                key = getattr(key, part) if key is not None else None
            name = key or b"\0"
            self._access.check(call, name, prefix_end(name) if member == "name" else b"", wanted)
            return await serve(request, author_of(self._access, call))

        return checked

    def known(self, serve: Callable[[Call, Any], Awaitable[bytes]]) -> Any:
        """What every user may, but none who is none."""

        async def checked(call: Call, request: Any) -> bytes:
            self._access.caller(call)
            return await serve(call, request)

        return checked

    def administered(self, serve: Callable[[Call, Any], Awaitable[bytes]]) -> Any:
        async def checked(call: Call, request: Any) -> bytes:
            self._access.check_root(call)
            return await serve(call, request)

        return checked

    def open(self, serve: Service) -> Any:
        """Of Auth's: what needs no token."""

        async def served(call: Call, request: Any) -> bytes:
            reply, revision = await serve(request, _author("", call.peer))
            return await self._replies.settled(reply, revision)

        return served

    def rooted(self, serve: Service) -> Any:
        """Of Auth's: what only root may."""

        async def served(call: Call, request: Any) -> bytes:
            self._access.check_root(call)
            reply, revision = await serve(request, author_of(self._access, call))
            return await self._replies.settled(reply, revision)

        return served

    def of_oneself(self, serve: Service, kind: str) -> Any:
        """Of Auth's: what users may ask of themselves and of their roles."""

        async def served(call: Call, request: Any) -> bytes:
            caller = self._access.caller(call)
            named = request.name if kind == "user" else request.role
            if caller is not None and named not in (
                (caller,) if kind == "user" else self._access.roles_of(caller)
            ):
                self._access.check_root(call)
            reply, revision = await serve(request, author_of(self._access, call))
            return await self._replies.settled(reply, revision)

        return served
