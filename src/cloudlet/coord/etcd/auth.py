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

from cloudlet.aws.record import Record, decoder
from cloudlet.aws.record import encode as encode_record
from cloudlet.coord.etcd.faults import refused
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import NoSuchLease
from cloudlet.kernel.keys import (
    LOCAL_LIMITS,
    Author,
    Commit,
    Drop,
    Durability,
    LeaseId,
    LocalKeys,
    Put,
    Revision,
)
from cloudlet.kernel.spaces import ETCD
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


class Access:
    """Users, roles and tokens, and what the services ask before they act."""

    def __init__(self, keys: LocalKeys, clock: Clock) -> None:
        self.keys = keys
        self.clock = clock
        self.tokens: dict[str, tuple[str, float]] = {}

    # --- state

    def switch(self) -> Switch:
        entry = self.keys.get(place("enabled"))
        return Switch() if entry is None else decoder(Switch).decode(entry.value)

    @property
    def is_enabled(self) -> bool:
        entry = self.keys.get(ENABLED)
        return entry is not None and decoder(Switch).decode(entry.value).is_enabled

    def user(self, name: str) -> UserRecord | None:
        entry = self.keys.get(place("user", name))
        return None if entry is None else decoder(UserRecord).decode(entry.value)

    def role(self, name: str) -> RoleRecord | None:
        entry = self.keys.get(place("role", name))
        return None if entry is None else decoder(RoleRecord).decode(entry.value)

    def names(self, kind: str) -> list[str]:
        start, stop = prefix_range(("etcd", "auth", kind))
        return [entry.key[len(start) :].rstrip(b"\0").decode() for entry in self.keys.scan(start, stop)]

    def commit(
        self,
        author: Author,
        put: Sequence[tuple[bytes, Record]] = (),
        drop: Sequence[bytes] = (),
        *,
        is_enabled: bool | None = None,
    ) -> Revision:
        """Write, and count the change."""
        switch = self.switch()
        switch = Switch(switch.is_enabled if is_enabled is None else is_enabled, switch.revision + 1)
        puts = [Put(key, encode_record(record)) for key, record in (*put, (ENABLED, switch))]
        drops = [Drop(key) for key in drop]
        return self.keys.commit_now(Commit(author, (), puts, drops, Durability.SYNC, LOCAL_LIMITS))

    # --- who calls, and what they may

    def caller(self, call: Call) -> str | None:
        """The user that a call acts as; None while access is not checked. InvalidAuthToken, UserEmpty."""
        if self.keys.get(ENABLED) is None or not self.is_enabled:
            return None
        token = call.metadata.get("token") or call.metadata.get("authorization", "").removeprefix("Bearer ")
        if not token:
            if call.common_name and self.user(call.common_name) is not None:
                return call.common_name
            raise refused("UserEmpty")
        now_ms = self.clock.monotonic_ms()
        name, ends_ms = self.tokens.get(token, ("", 0.0))
        if not name or ends_ms < now_ms or self.user(name) is None:
            self.tokens.pop(token, None)
            raise refused("InvalidAuthToken")
        self.tokens[token] = (name, now_ms + TOKEN_MS)
        return name

    def forget(self, name: str) -> None:
        """The tokens of a user are good no longer."""
        for token in [token for token, (user, _) in self.tokens.items() if user == name]:
            del self.tokens[token]

    def roles_of(self, name: str) -> Sequence[str]:
        """The roles of a user."""
        user = self.user(name)
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
        """Who may not end a lease, as it has a key that is not theirs to write, may add none to it."""
        self.check(call, request.key, b"", WRITE)
        if request.lease:
            self.check_lease(call, request.lease, WRITE)
        if request.prev_kv:
            self.check(call, request.key, b"", READ)

    def check_delete(self, call: Call, request: pb.DeleteRangeRequest) -> None:
        self.check(call, request.key, request.range_end, WRITE)
        if request.prev_kv:
            self.check(call, request.key, request.range_end, READ)

    def check_lease(self, call: Call, lease: int, wanted: int) -> None:
        """A lease may be ended, or its keys seen, by who may do so to each of its keys."""
        name = self.caller(call)
        if name is None or self._is_root(name):
            return
        for key in etcd_keys(self.keys, lease):
            if not self._may(name, key, b"", wanted):
                raise refused("PermissionDenied")

    def _is_root(self, name: str) -> bool:
        user = self.user(name)
        return user is not None and ROOT in user.roles

    def _may(self, name: str, key: bytes, range_end: bytes, wanted: int) -> bool:
        user = self.user(name)
        if user is None:
            return False
        if ROOT in user.roles:
            return True
        spans = []
        for role in user.roles:
            found = self.role(role)
            for grant in found.grants if found is not None else ():
                if grant.type in (wanted, READWRITE):
                    spans.append(span_of(grant.key, grant.range_end))
        return covered(span_of(key, range_end), spans)


ENABLED = place("enabled")


def etcd_keys(keys: LocalKeys, lease: int) -> list[bytes]:
    """The keys of etcd's that a lease has; none for one that is not there."""
    try:
        found = keys.lease_keys(LeaseId(lease))
    except NoSuchLease:
        return []
    return [key[len(ETCD) :] for key in found if key.startswith(ETCD)]


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
