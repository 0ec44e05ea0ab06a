"""Transactions of the etcd engine read back as commits of the port.

State   none
Source  engines/etcd_layout.py tells the layout
Absent  every other transaction: it is refused, because this is no etcd for clients (coord/etcd is)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from cloudlet.engines.etcd_layout import HEAD, METAS, SESSIONS, VALUES, HeadRecord, Layout
from cloudlet.kernel.keys import (
    LOCAL_LIMITS,
    Author,
    Commit,
    Compare,
    Drop,
    Durability,
    Entry,
    Guard,
    LeaseId,
    Put,
    Target,
)
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Code, GrpcStatus

TOKEN_MARK = "#"  # between a request's id and the token of its commit
TOKEN_CHARACTERS = 32


def refused(what: str) -> GrpcStatus:
    return GrpcStatus(Code.UNIMPLEMENTED, f"the keys' socket serves the cloud's own engine alone: {what}")


class Reading:
    """One transaction, read operation by operation; `get` gives the newest entries."""

    def __init__(self, layout: Layout, get: Callable[[bytes], Entry | None]) -> None:
        self._layout = layout
        self._get = get
        self.record: HeadRecord | None = None
        self.session = b""
        self.guards: list[Guard] = []
        self.is_bare = False  # drops alone, which may find nothing
        self._puts: dict[bytes, pb.PutRequest] = {}
        self._metas: dict[bytes, bytes] = {}
        self._drops: list[Drop] = []

    def read(self, request: pb.TxnRequest) -> Commit | None:
        """The commit that the transaction stands for; None for one that only compares."""
        for compare in request.compare:
            self._compare(compare)
        self._operations(request.success)
        if self.record is None:
            if self._puts or self._drops:
                raise refused("a transaction without its head")
            return None if not self.guards else Commit(Author("keys"), expect=self.guards)
        return Commit(
            author_of(self.record),
            expect=self.guards,
            put=[
                Put(key, put.value, self._metas.get(key, b""), LeaseId(put.lease))
                for key, put in self._puts.items()
            ],
            drop=self._drops,
            durability=Durability(self.record.durability),
            limits=LOCAL_LIMITS,
        )

    def _compare(self, compare: pb.Compare) -> None:
        part, key = self._layout.part(compare.key)
        if part == SESSIONS:
            self.session = key
        elif part == VALUES:
            self.guards.append(self._guard(compare, key))
        else:
            raise refused("a comparison of another space")

    def _guard(self, compare: pb.Compare, key: bytes) -> Guard:
        stop = self._key(compare.range_end) if compare.range_end else None
        operand: int | bytes | None = {
            Target.VERSION: compare.version,
            Target.CREATE: compare.create_revision,
            Target.MOD: compare.mod_revision,
            Target.VALUE: compare.value,
            Target.LEASE: compare.lease,
        }[Target(compare.target)]
        if operand is None:
            operand = b"" if compare.target == Target.VALUE else 0
        return Guard(key, Target(compare.target), Compare(compare.result), operand, stop)

    def _key(self, name: bytes) -> bytes:
        part, key = self._layout.part(name)
        if part != VALUES:
            raise refused("a range over several spaces")
        return key

    def _operations(self, operations: Sequence[pb.RequestOp]) -> None:
        for operation in operations:
            if operation.request_put is not None:
                self._put(operation.request_put)
            elif operation.request_delete_range is not None:
                self._delete(operation.request_delete_range)
            elif operation.request_txn is not None:
                self._inner(operation.request_txn)

    def _put(self, put: pb.PutRequest) -> None:
        part, key = self._layout.part(put.key)
        if part == HEAD:
            self.record = msgspec.msgpack.decode(put.value, type=HeadRecord)
        elif part == VALUES:
            self._puts[key] = put
        elif part == METAS:
            self._metas[key] = put.value
        else:
            raise refused("a put of another space")

    def _delete(self, request: pb.DeleteRangeRequest) -> None:
        part, key = self._layout.part(request.key)
        if part == VALUES:
            self._drops.append(Drop(key, self._key(request.range_end) if request.range_end else None))
        elif part != METAS:  # the metas go with their entries
            raise refused("a deletion of another space")

    def _inner(self, inner: pb.TxnRequest) -> None:
        """Operations that were cut apart; drops that may find nothing; keys of a lease that has ended."""
        if inner.failure:
            self.is_bare = True
            self._operations(inner.failure)
        elif not inner.compare:
            self._operations(inner.success)
        else:
            if all(self._holds(compare) for compare in inner.compare):
                self._operations(inner.success)

    def _holds(self, compare: pb.Compare) -> bool:
        if compare.target != Target.LEASE or compare.result != Compare.EQUAL or compare.range_end:
            raise refused("such a comparison inside")
        entry = self._get(self._key(compare.key))
        return entry is not None and entry.lease == (compare.lease or 0)


def author_of(record: HeadRecord) -> Author:
    """The author as the store keeps it: the token stands behind the request's id, so that it is as durable as
    the commit."""
    request_id = f"{record.request_id}{TOKEN_MARK}{record.token.hex()}"
    return Author(record.face, record.principal, record.address, request_id)


def record_of(author: Author) -> HeadRecord:
    """What `head` shows of a commit by anybody."""
    request_id, mark, token = author.request_id.rpartition(TOKEN_MARK)
    if not mark or len(token) != TOKEN_CHARACTERS:
        return HeadRecord(author.face, author.principal, author.address, author.request_id, 0, b"")
    return HeadRecord(author.face, author.principal, author.address, request_id, 0, bytes.fromhex(token))
