"""How the keys port is laid out in an etcd: names, the record at `head`, commits as transactions.

State   none
Source  docs/architecture.md, "Keys"; etcd 3.4 to 3.6 for what a transaction may hold
Absent  none

Everything of a cloud stands under one prefix:

    PREFIX h              head: who made the newest commit, when, and the token by which it is recognised
    PREFIX k KEY          an entry's value; etcd's revisions, version and lease are the entry's own
    PREFIX m KEY          its `meta`, if it has one; written in the transaction that writes the value. It
                          counts only if both have the same mod revision: one that is left over does no harm
    PREFIX s SESSION      a fence: a transaction of the session is refused once this key is there

A commit is one transaction: the guards and the fence as comparisons; then `head`, the drops, the puts, the
metas. etcd takes 128 comparisons and 128 operations, and in a transaction that stands among the operations
what is left of the 128 then: a commit with many metas is cut into several of those. A commit without puts may
find nothing to drop, and must then leave no revision: its drops and `head` stand in a transaction inside that
looks first. Where that would be too many, the mirror is asked whether there is something to drop, and a
comparison holds it to that.

A guard over a range differs from etcd's comparison of it: etcd lets an empty range stand for a key of zeroes.
The engine looks into its mirror instead, and asks of etcd that nothing in the range was put since; what was
deleted since cannot break a guard that has to hold for every key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from cloudlet.kernel.keys import (
    Author,
    Commit,
    Compare,
    Drop,
    Durability,
    Entry,
    Guard,
    LeaseId,
    Put,
    Revision,
    Target,
)
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.protobuf import decode

HEAD = b"h"
VALUES = b"k"
METAS = b"m"
SESSIONS = b"s"

LEVEL_MAX = 128  # comparisons, and operations, of a transaction and of those inside it together
UNKNOWN = Author("etcd", "a lease that ended, or a stranger")
REVOKED_MAX = 60  # keys of a lease in one inner transaction
DELETE = int(pb.Event.EventType.DELETE)
LEASE_GRACE_S = 10  # a lease outlives the session that holds it: etcd ends it only if no node lives

Find = Callable[[bytes], Entry | None]
Scan = Callable[[bytes, bytes, int], Sequence[Entry]]


class HeadRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The value at `head`."""

    face: str
    principal: str
    address: str
    request_id: str
    wall_ms: int
    token: bytes
    durability: int = int(Durability.SYNC)  # as the writer asked; an etcd gives the most to all

    @property
    def author(self) -> Author:
        return Author(self.face, self.principal, self.address, self.request_id)


def prefix_end(prefix: bytes) -> bytes:
    """The end of the range of all keys with a prefix."""
    return prefix[:-1] + bytes((prefix[-1] + 1,))


class Layout:
    """The names under one prefix."""

    def __init__(self, prefix: bytes) -> None:
        assert prefix
        assert prefix[-1] < 0xFF
        self.start = prefix
        self.stop = prefix_end(prefix)
        self.head = prefix + HEAD
        self.values = prefix + VALUES
        self.metas = prefix + METAS
        self.sessions = prefix + SESSIONS
        self._cut = len(prefix) + 1

    def part(self, name: bytes) -> tuple[bytes, bytes]:
        """(HEAD, VALUES, METAS or SESSIONS; the rest) of a name under the prefix."""
        return name[self._cut - 1 : self._cut], name[self._cut :]

    def fence(self, session: bytes) -> pb.Compare:
        """That the session's fence is not there."""
        return pb.Compare(
            result=Compare.EQUAL, target=Target.CREATE, key=self.sessions + session, create_revision=0
        )

    # --- commits

    def transaction(
        self, commit: Commit, record: HeadRecord, compares: Sequence[pb.Compare], find: Find, scan: Scan
    ) -> pb.TxnRequest:
        """A commit; `find` and `scan` give the entries of the mirror, `compares` are its guards. One that has
        drops and no puts, and comes back without operations, finds nothing to drop."""
        look = pb.RequestOp(request_range=pb.RangeRequest(key=self.head, keys_only=True))
        request = pb.TxnRequest(compare=list(compares), failure=[look])
        head = pb.RequestOp(request_put=pb.PutRequest(key=self.head, value=msgspec.msgpack.encode(record)))
        changes = [self._delete(self.values, drop) for drop in commit.drop]
        changes += [
            pb.RequestOp(
                request_put=pb.PutRequest(key=self.values + put.key, value=put.value, lease=put.lease)
            )
            for put in commit.put
        ]
        metas = [self._delete(self.metas, drop) for drop in commit.drop if self._may_have_meta(drop, find)]
        metas += self._metas(commit.put, find)
        operations = [head, *changes, *metas]
        guards = len(compares) + 1  # and the fence
        if commit.put:
            request.success = levelled(operations, guards)
        elif guards + max(len(commit.drop), len(operations)) <= LEVEL_MAX:
            inner = pb.TxnRequest(
                compare=[self._nothing_in(drop) for drop in commit.drop], failure=operations
            )
            request.success = [pb.RequestOp(request_txn=inner)]
        elif (present := self._present(commit.drop, scan)) is not None:
            request.compare.append(present)
            request.success = levelled(operations, guards + 1)
        return request

    def _present(self, drops: Sequence[Drop], scan: Scan) -> pb.Compare | None:
        """That a key is there which the drops take; None where the mirror has none."""
        for drop in drops:
            stop = drop.start + b"\x00" if drop.stop is None else drop.stop
            for entry in scan(drop.start, stop, 1):
                return self.compare(Guard(entry.key, Target.MOD, Compare.EQUAL, entry.mod_revision))
        return None

    def _delete(self, space: bytes, drop: Drop) -> pb.RequestOp:
        stop = b"" if drop.stop is None else space + drop.stop
        return pb.RequestOp(
            request_delete_range=pb.DeleteRangeRequest(key=space + drop.start, range_end=stop)
        )

    def _may_have_meta(self, drop: Drop, find: Find) -> bool:
        if drop.stop is not None:
            return True
        entry = find(drop.start)
        return entry is not None and bool(entry.meta)

    def _metas(self, puts: Sequence[Put], find: Find) -> list[pb.RequestOp]:
        found = []
        for put in puts:
            if put.meta:
                request = pb.PutRequest(key=self.metas + put.key, value=put.meta, lease=put.lease)
                found.append(pb.RequestOp(request_put=request))
            elif self._may_have_meta(Drop(put.key), find):
                found.append(self._delete(self.metas, Drop(put.key)))
        return found

    def _nothing_in(self, drop: Drop) -> pb.Compare:
        return pb.Compare(
            result=Compare.EQUAL,
            target=Target.CREATE,
            key=self.values + drop.start,
            range_end=b"" if drop.stop is None else self.values + drop.stop,
            create_revision=0,
        )

    def revocation(self, lease: LeaseId, keys: Sequence[bytes], record: HeadRecord) -> pb.TxnRequest:
        """The end of a lease's keys as one commit: each goes if it is still the lease's."""
        head = pb.RequestOp(request_put=pb.PutRequest(key=self.head, value=msgspec.msgpack.encode(record)))
        ends = []
        for key in keys:
            drop = Drop(key)
            compare = pb.Compare(
                result=Compare.EQUAL, target=Target.LEASE, key=self.values + key, lease=lease
            )
            gone = [self._delete(self.values, drop), self._delete(self.metas, drop)]
            ends.append(pb.RequestOp(request_txn=pb.TxnRequest(compare=[compare], success=gone)))
        groups = [ends[at : at + REVOKED_MAX] for at in range(0, len(ends), REVOKED_MAX)]
        inner = [pb.RequestOp(request_txn=pb.TxnRequest(success=group)) for group in groups]
        return pb.TxnRequest(success=[head, *inner])

    def compare(self, guard: Guard) -> pb.Compare:
        """A guard that etcd decides as the port does: on one key, or `nothing put since` over a range."""
        compare = pb.Compare(
            result=guard.compare,
            target=guard.target,
            key=self.values + guard.start,
            range_end=b"" if guard.stop is None else self.values + guard.stop,
        )
        operand = guard.operand
        if guard.target is Target.VALUE:
            assert isinstance(operand, bytes)
            compare.value = operand
            return compare
        assert isinstance(operand, int)
        if guard.target is Target.VERSION:
            compare.version = operand
        elif guard.target is Target.CREATE:
            compare.create_revision = operand
        elif guard.target is Target.MOD:
            compare.mod_revision = operand
        else:
            compare.lease = operand
        return compare


def is_exact(guard: Guard) -> bool:
    """Whether etcd's comparison decides as the guard does."""
    if guard.stop is None:
        return True
    is_since = guard.target is Target.MOD and guard.compare is Compare.LESS
    return is_since and isinstance(guard.operand, int) and guard.operand > 0


def unchanged_since(guard: Guard, revision: Revision) -> Guard:
    """What to ask of etcd instead of a guard over a range that holds at a revision of the mirror."""
    return Guard(guard.start, Target.MOD, Compare.LESS, revision + 1, guard.stop)


def levelled(operations: list[pb.RequestOp], compares: int) -> list[pb.RequestOp]:
    """The operations, cut into transactions of their own where they are more than one level takes."""
    if len(operations) <= LEVEL_MAX:
        return operations
    size = LEVEL_MAX - max(compares, LEVEL_MAX // 2)
    return [
        pb.RequestOp(request_txn=pb.TxnRequest(success=operations[at : at + size]))
        for at in range(0, len(operations), size)
    ]


# --- what etcd tells


class Told(NamedTuple):
    """The events of one revision, sorted out: `changes` are (key, new or None, entry before or None) in their
    order."""

    revision: Revision
    author: Author
    token: bytes
    changes: list[tuple[bytes, Entry | None, Entry | None]]


def entry_of(key: bytes, kv: pb.KeyValue, meta: bytes) -> Entry:
    return Entry(
        key,
        kv.value,
        meta,
        Revision(kv.create_revision),
        Revision(kv.mod_revision),
        kv.version,
        LeaseId(kv.lease),
    )


def told(layout: Layout, events: Sequence[pb.Event]) -> Told:
    """Read the events of one revision."""
    author, token = UNKNOWN, b""
    metas: dict[bytes, bytes] = {}
    metas_before: dict[bytes, pb.KeyValue] = {}
    values: list[tuple[bytes, pb.Event]] = []
    revision = 0
    for event in events:
        kv = event.kv
        assert kv is not None
        revision = kv.mod_revision
        part, key = layout.part(kv.key)
        if part == VALUES:
            values.append((key, event))
        elif part == METAS:
            if event.type != DELETE:
                metas[key] = kv.value
            if event.prev_kv is not None:
                metas_before[key] = event.prev_kv
        elif part == HEAD and event.type != DELETE:
            record = msgspec.msgpack.decode(kv.value, type=HeadRecord)
            author, token = record.author, record.token
    changes: list[tuple[bytes, Entry | None, Entry | None]] = []
    for key, event in values:
        kv, old = event.kv, event.prev_kv
        assert kv is not None
        before = None
        if old is not None:
            meta_before = metas_before.get(key)
            is_its = meta_before is not None and meta_before.mod_revision == old.mod_revision
            before = entry_of(key, old, meta_before.value if is_its and meta_before is not None else b"")
        changes.append(
            (key, None if event.type == DELETE else entry_of(key, kv, metas.get(key, b"")), before)
        )
    return Told(Revision(revision), author, token, changes)


class Revisions:
    """Puts the events of a watch together, revision by revision."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._held: list[pb.Event] = []

    def feed(self, response: pb.WatchResponse) -> list[Told]:
        """The revisions that are whole now; a fragment's last one may go on in the next."""
        found: list[Told] = []
        held = self._held
        for event in response.events:
            assert event.kv is not None
            if held and held[-1].kv is not None and held[-1].kv.mod_revision != event.kv.mod_revision:
                found.append(told(self._layout, held))
                held.clear()
            held.append(event)
        if held and not response.fragment:
            found.append(told(self._layout, held))
            held.clear()
        return found


def watch_response(message: bytes) -> pb.WatchResponse:
    return decode(pb.WatchResponse, message)
