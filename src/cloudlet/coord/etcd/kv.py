"""etcd's KV: what a request reads, and what it writes in one commit.

State   none of its own: keys of the space "e"
Source  etcd 3.6, "KV API guarantees", etcdserver's apply of requests (the order of its checks), rpc.proto
Absent  A transaction that puts a key and then deletes it is refused (as a duplicate key) also where etcd
        overlooks it: in a range up to the end of everything, and in nested transactions side by side

Theory of operation
    A request is decided and applied within one turn of the loop: it reads the store at head, draws up one
    commit, and applies it, so no guard is needed. Within a transaction later operations see what earlier ones
    are about to do: the *draft* holds the entries to come and the keys to go, and reads look there first.
    Comparisons, nested ones too, are all made before the first operation.

    What a transaction reads at past revisions cannot change any more, but may have to be fetched from the
    disk: `past` is filled by whoever calls, and a read that is not in it raises `NeedsPast`, before anything
    is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter, eq, gt, lt, ne
from typing import Any, NamedTuple

from cloudlet.coord.etcd.faults import of_store, refused
from cloudlet.coord.etcd.ranges import key_value, range_of, stored
from cloudlet.coord.etcd.replies import revision_field
from cloudlet.kernel.fault import Compacted, FutureRevision, InvalidCommit, NoSuchLease, StoreError
from cloudlet.kernel.keys import (
    LOCAL_LIMITS,
    NO_LEASE,
    Author,
    Commit,
    Drop,
    Durability,
    Entry,
    LeaseId,
    LocalKeys,
    Put,
    Revision,
)
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.protobuf import encode, encoded

Past = dict[tuple[int, bytes, bytes], Sequence[Entry]]

NONE, ASCEND, DESCEND = range(3)
SORT_FIELDS = ("key", "version", "create_revision", "mod_revision", "value")


class NeedsPast(Exception):
    """A read at a past revision: fetch it and decide again."""

    def __init__(self, revision: int, start: bytes, stop: bytes) -> None:
        super().__init__(revision)
        self.place = (revision, start, stop)


class Ahead(NamedTuple):
    """What was found of long ranges before the transaction's turn, and still holds: see look_ahead.py."""

    verdicts: dict[int, bool]  # of comparisons, by their id
    replies: dict[int, bytes]  # to reads, by the request's id; without a header


NOTHING_AHEAD = Ahead({}, {})
"""Which nobody fills."""


class Applied(NamedTuple):
    """What was decided: the reply, whose header is still to be filled, and the revision to settle first."""

    reply: object
    revision: Revision


# --- checks before anything is read


def check_range(request: pb.RangeRequest) -> None:
    if not request.key:
        raise refused("EmptyKey")
    if not (0 <= request.sort_order <= DESCEND and 0 <= request.sort_target < len(SORT_FIELDS)):
        raise refused("InvalidSortOption")


def check_put(request: pb.PutRequest) -> None:
    if not request.key:
        raise refused("EmptyKey")
    if request.ignore_value and request.value:
        raise refused("ValueProvided")
    if request.ignore_lease and request.lease:
        raise refused("LeaseProvided")


def check_delete(request: pb.DeleteRangeRequest) -> None:
    if not request.key:
        raise refused("EmptyKey")


def check_txn(request: pb.TxnRequest, operations_max: int) -> None:
    """The limits, the operations, and that no key is written twice."""
    _check_operations(request, operations_max)
    _written(request.success)
    _written(request.failure)


def _check_operations(request: pb.TxnRequest, operations_max: int) -> None:
    size = max(len(request.compare), len(request.success), len(request.failure))
    if size > operations_max:
        raise refused("TooManyOps")
    if not all(compare.key for compare in request.compare):
        raise refused("EmptyKey")
    for operation in (*request.success, *request.failure):
        if operation.request_range is not None:
            check_range(operation.request_range)
        elif operation.request_put is not None:
            check_put(operation.request_put)
        elif operation.request_delete_range is not None:
            check_delete(operation.request_delete_range)
        elif operation.request_txn is not None:
            _check_operations(operation.request_txn, operations_max - size)
        else:
            raise refused("KeyNotFound")


Intervals = list[tuple[bytes, bytes]]


def _written(operations: Iterable[pb.RequestOp]) -> tuple[set[bytes], Intervals]:
    """The keys that are put and the ranges that are deleted; DuplicateKey where they meet."""
    dropped = [
        range_of(each.request_delete_range.key, each.request_delete_range.range_end)
        for each in operations
        if each.request_delete_range is not None
    ]
    put: set[bytes] = set()
    for each in operations:
        if each.request_txn is None:
            continue
        then, then_dropped = _written(each.request_txn.success)
        other, other_dropped = _written(each.request_txn.failure)
        # Both branches may put the same key: only one of them is taken.
        if not put.isdisjoint(then | other):
            raise refused("DuplicateKey")
        _check_apart(then | other, dropped)
        put |= then | other
        dropped += then_dropped + other_dropped
    for each in operations:
        if each.request_put is not None:
            key = stored(each.request_put.key)
            if key in put:
                raise refused("DuplicateKey")
            _check_apart((key,), dropped)
            put.add(key)
    return put, dropped


def _check_apart(keys: Iterable[bytes], dropped: Intervals) -> None:
    if dropped and any(start <= key < stop for key in keys for start, stop in dropped):
        raise refused("DuplicateKey")


# --- deciding


MetaOf = Callable[[bytes, Entry | None], bytes]
"""What another face keeps beside the value that is put under a key, given the entry before."""


def same_meta(key: bytes, before: Entry | None) -> bytes:
    """What was there."""
    return before.meta if before is not None else b""


class Draft:
    """What a request is about to change, over the store at head."""

    __slots__ = ("_keys", "_meta_of", "after", "ahead", "drops", "entries", "past", "puts", "revision")

    def __init__(
        self,
        keys: LocalKeys,
        past: Past | None = None,
        meta_of: MetaOf = same_meta,
        ahead: Ahead = NOTHING_AHEAD,
    ) -> None:
        self.ahead = ahead
        self._keys = keys
        self._meta_of = meta_of
        self.revision = Revision(keys.head + 1)  # of the changes, if there are any
        self.past: Past = past if past is not None else {}
        self.entries: dict[bytes, Entry] = {}
        self.puts: list[Put] = []
        self.drops: list[Drop] = []
        self.after: list[int] = []  # how many puts came before each drop

    @property
    def is_changed(self) -> bool:
        return bool(self.puts or self.drops)

    @property
    def now(self) -> int:
        """The revision that a read sees."""
        return self.revision if self.is_changed else self.revision - 1

    def get(self, key: bytes) -> Entry | None:
        """The entry as the operations before leave it."""
        found = self.entries.get(key)
        if found is not None or not self.drops:
            return found or self._keys.get(key)
        return None if self._is_dropped(key) else self._keys.get(key)

    def _is_dropped(self, key: bytes) -> bool:
        return any(drop.start <= key < (drop.stop or b"") for drop in self.drops)

    def scan(self, start: bytes, stop: bytes, limit: int | None = None) -> Sequence[Entry]:
        """The same of a range; with changes the limit is not minded."""
        if not self.is_changed_within(start, stop):
            return self._keys.scan(start, stop, limit=limit)
        if not self.puts and any(drop.start <= start and stop <= (drop.stop or b"") for drop in self.drops):
            return ()
        found = {entry.key: entry for entry in self._keys.scan(start, stop)}
        for drop in self.drops:
            for key in self._keys.keys_within(max(drop.start, start), min(drop.stop or b"", stop)):
                found.pop(key, None)
        found |= {key: entry for key, entry in self.entries.items() if start <= key < stop}
        return [found[key] for key in sorted(found)]

    def count(self, start: bytes, stop: bytes) -> int:
        if self.is_changed_within(start, stop):
            return len(self.scan(start, stop))
        return self._keys.count(start, stop)

    def is_changed_within(self, start: bytes, stop: bytes) -> bool:
        return any(start <= key < stop for key in self.entries) or any(
            drop.start < stop and start < (drop.stop or b"") for drop in self.drops
        )

    def scan_at(self, revision: int, start: bytes, stop: bytes) -> Sequence[Entry]:
        """A range as it was; NeedsPast."""
        place = (revision, start, stop)
        if place not in self.past:
            raise NeedsPast(*place)
        return self.past[place]

    def put(self, key: bytes, value: bytes, lease: LeaseId) -> None:
        """Write a key; what another face keeps beside its value stays (a znode's ACL)."""
        old = self.get(key)
        meta = self._meta_of(key, old)
        created, version = (old.create_revision, old.version + 1) if old is not None else (self.revision, 1)
        self.entries[key] = Entry(key, value, meta, created, self.revision, version, lease)
        self.puts.append(Put(key, value, meta, lease))

    def check_lease(self, lease: int) -> None:
        """LeaseNotFound."""
        if self._keys.find_lease(LeaseId(lease)) is None:
            raise of_store(NoSuchLease(LeaseId(lease)))

    def drop(self, start: bytes, stop: bytes) -> None:
        for key in [key for key in self.entries if start <= key < stop]:
            del self.entries[key]  # the commit will be refused
        self.drops.append(Drop(start, stop))
        self.after.append(len(self.puts))


def range_in(draft: Draft, request: pb.RangeRequest) -> pb.RangeResponse:
    """Read; Compacted, FutureRev, NeedsPast."""
    start, stop = range_of(request.key, request.range_end)
    now = draft.now
    limit = request.limit if request.limit > 0 else 0
    has_filters = is_filtered(request)
    # As etcd: one more than the limit is fetched in the order of the keys, unless an order was asked for; a
    # target alone sorts what was fetched.
    fetched = limit + 1 if limit and not has_filters and request.sort_order == NONE else None
    if request.revision > now:
        raise refused("FutureRev")
    if 0 < request.revision < now:
        entries = draft.scan_at(request.revision, start, stop)
        count = len(entries)
        entries = entries[:fetched]
    elif not request.range_end:
        found = draft.get(start)
        entries, count = ((found,), 1) if found is not None else ((), 0)
    elif request.count_only:
        return pb.RangeResponse(count=draft.count(start, stop))
    elif fetched is not None:
        entries = draft.scan(start, stop, fetched)[:fetched]
        count = draft.count(start, stop)
    else:
        entries = draft.scan(start, stop)
        count = len(entries)
    if request.count_only:
        return pb.RangeResponse(count=count)
    if has_filters:
        entries = [entry for entry in entries if passes(request, entry)]
    if is_sorted(request):
        entries = in_order(request, entries)
    has_more = bool(limit) and len(entries) > limit
    if has_more:
        entries = entries[:limit]
    with_value = not request.keys_only
    kvs = [key_value(entry, with_value=with_value) for entry in entries]
    return pb.RangeResponse(kvs=kvs, count=count, more=has_more)


def is_filtered(request: pb.RangeRequest) -> bool:
    return bool(
        request.min_mod_revision
        or request.max_mod_revision
        or request.min_create_revision
        or request.max_create_revision
    )


def passes(request: pb.RangeRequest, entry: Entry) -> bool:
    return (
        (not request.min_mod_revision or entry.mod_revision >= request.min_mod_revision)
        and (not request.max_mod_revision or entry.mod_revision <= request.max_mod_revision)
        and (not request.min_create_revision or entry.create_revision >= request.min_create_revision)
        and (not request.max_create_revision or entry.create_revision <= request.max_create_revision)
    )


def is_sorted(request: pb.RangeRequest) -> bool:
    """Whether the client wants another order than that of the keys."""
    return request.sort_order != NONE or request.sort_target != 0


def sort_field(request: pb.RangeRequest) -> attrgetter[Any]:
    return attrgetter(SORT_FIELDS[request.sort_target])


def in_order(request: pb.RangeRequest, entries: Sequence[Entry]) -> list[Entry]:
    """In the order asked for; entries that are alike stay in the order of their keys."""
    return sorted(entries, key=sort_field(request), reverse=request.sort_order == DESCEND)


def put_in(draft: Draft, request: pb.PutRequest) -> pb.PutResponse:
    """Write; KeyNotFound. Whether there is such a lease is found by the commit."""
    key = stored(request.key)
    old = draft.get(key)
    if old is None and (request.ignore_value or request.ignore_lease):
        raise refused("KeyNotFound")
    value, lease = request.value, LeaseId(request.lease)
    if old is not None:
        value = old.value if request.ignore_value else value
        lease = old.lease if request.ignore_lease else lease
    draft.put(key, value, lease)
    return pb.PutResponse(prev_kv=key_value(old) if request.prev_kv and old is not None else None)


def delete_in(draft: Draft, request: pb.DeleteRangeRequest) -> pb.DeleteRangeResponse:
    start, stop = range_of(request.key, request.range_end)
    prev_kvs = [key_value(entry) for entry in draft.scan(start, stop)] if request.prev_kv else []
    count = len(prev_kvs) if request.prev_kv else draft.count(start, stop)
    if count:
        draft.drop(start, stop)
    return pb.DeleteRangeResponse(deleted=count, prev_kvs=prev_kvs)


# --- transactions

RESULTS: tuple[Callable[[Any, Any], bool], ...] = (eq, gt, lt, ne)
TARGETS = ("version", "create_revision", "mod_revision", "value", "lease")
VALUE = 3
ABSENT = Entry(b"", b"", b"", Revision(0), Revision(0), 0, NO_LEASE)


def holds(keys: LocalKeys, compare: pb.Compare) -> bool:
    """Whether every key of the comparison's range passes; an absent key has zeroes, and no value."""
    found: Sequence[Entry]
    if compare.range_end:
        found = keys.scan(*range_of(compare.key, compare.range_end))
    else:
        one = keys.get(stored(compare.key))
        found = () if one is None else (one,)
    return is_met(compare, found)


def is_met(compare: pb.Compare, found: Sequence[Entry]) -> bool:
    """Whether these entries pass."""
    target = compare.target
    if not found:
        if target == VALUE:
            return False
        found = (ABSENT,)
    name = TARGETS[target] if 0 <= target < len(TARGETS) else "version"
    wanted = getattr(compare, name) or (b"" if target == VALUE else 0)
    if not 0 <= compare.result < len(RESULTS):
        return True
    decide = RESULTS[compare.result]
    for entry in found:  # noqa: SIM110 (nearly always there is one, and a generator costs as much again)
        if not decide(getattr(entry, name), wanted):
            return False
    return True


class Path(NamedTuple):
    """Which branch a transaction takes, and those that it nests in that branch, in order."""

    succeeded: bool
    nested: tuple[Path, ...]


def path_of(keys: LocalKeys, request: pb.TxnRequest, ahead: Ahead = NOTHING_AHEAD) -> Path:
    """All comparisons, also the nested ones, at head."""
    succeeded = True
    for compare in request.compare:
        verdict = ahead.verdicts.get(id(compare)) if ahead.verdicts else None
        if not (holds(keys, compare) if verdict is None else verdict):
            succeeded = False
            break
    nested: tuple[Path, ...] = ()
    for each in request.success if succeeded else request.failure:
        if each.request_txn is not None:
            nested += (path_of(keys, each.request_txn, ahead),)
    return Path(succeeded, nested)


def taken(request: pb.TxnRequest, path: Path) -> Iterator[pb.RangeRequest]:
    """The reads of ranges in the branches taken."""
    nested = iter(path.nested)
    for each in request.success if path.succeeded else request.failure:
        if each.request_range is not None and each.request_range.range_end:
            yield each.request_range
        if each.request_txn is not None:
            yield from taken(each.request_txn, next(nested))


def check_branches(draft: Draft, request: pb.TxnRequest, path: Path) -> None:
    """What must hold of the operations as the transaction begins: FutureRev, KeyNotFound, LeaseNotFound."""
    nested = iter(path.nested)
    for each in request.success if path.succeeded else request.failure:
        if each.request_range is not None and each.request_range.revision >= draft.revision:
            raise refused("FutureRev")
        put = each.request_put
        if put is not None:
            if (put.ignore_value or put.ignore_lease) and draft.get(stored(put.key)) is None:
                raise refused("KeyNotFound")
            if put.lease:
                draft.check_lease(put.lease)
        if each.request_txn is not None:
            check_branches(draft, each.request_txn, next(nested))


def _read_in(draft: Draft, request: pb.RangeRequest) -> Any:
    body = draft.ahead.replies.get(id(request)) if draft.ahead.replies else None
    if body is not None and not draft.is_changed_within(*range_of(request.key, request.range_end)):
        head = encode(pb.RangeResponse(header=encoded(revision_field(draft.now))))
        return encoded(head + body)  # which is one message
    read = range_in(draft, request)
    read.header = encoded(revision_field(draft.now))
    return read


def txn_in(draft: Draft, request: pb.TxnRequest, path: Path) -> pb.TxnResponse:
    """Run the operations of the branches taken. The header of each reply within has but the revision that the
    operation left, that of a nested transaction nothing at all."""
    responses: list[pb.ResponseOp] = []
    nested = iter(path.nested)
    for each in request.success if path.succeeded else request.failure:
        if each.request_range is not None:
            responses.append(pb.ResponseOp(response_range=_read_in(draft, each.request_range)))
        elif each.request_put is not None:
            written = put_in(draft, each.request_put)
            written.header = encoded(revision_field(draft.now))
            responses.append(pb.ResponseOp(response_put=written))
        elif each.request_delete_range is not None:
            gone = delete_in(draft, each.request_delete_range)
            gone.header = encoded(revision_field(draft.now))
            responses.append(pb.ResponseOp(response_delete_range=gone))
        elif each.request_txn is not None:
            inner = txn_in(draft, each.request_txn, next(nested))
            inner.header = pb.ResponseHeader()
            responses.append(pb.ResponseOp(response_txn=inner))
    return pb.TxnResponse(succeeded=path.succeeded, responses=responses)


def is_readonly(request: pb.TxnRequest) -> bool:
    """Whether neither branch writes."""
    return all(
        each.request_range is not None or (each.request_txn is not None and is_readonly(each.request_txn))
        for each in (*request.success, *request.failure)
    )


def is_putting(request: pb.TxnRequest) -> bool:
    """Whether a branch puts."""
    return any(
        each.request_put is not None or (each.request_txn is not None and is_putting(each.request_txn))
        for each in (*request.success, *request.failure)
    )


class Kv:
    """The service over one store; its requests have been checked."""

    def __init__(self, keys: LocalKeys, meta_of: MetaOf = same_meta) -> None:
        self._keys = keys
        self._meta_of = meta_of

    def range(self, request: pb.RangeRequest, past: Past | None = None) -> Applied:
        """NeedsPast, GrpcStatus."""
        return Applied(range_in(Draft(self._keys, past), request), self._keys.head)

    def put(self, request: pb.PutRequest, author: Author) -> Applied:
        draft = Draft(self._keys, meta_of=self._meta_of)
        if request.ignore_value and request.lease:
            draft.check_lease(request.lease)  # before the key, as in etcd, but not in its transactions
        reply = put_in(draft, request)
        return Applied(reply, self._commit(draft, author))

    def delete_range(self, request: pb.DeleteRangeRequest, author: Author) -> Applied:
        draft = Draft(self._keys)
        reply = delete_in(draft, request)
        return Applied(reply, self._commit(draft, author))

    def txn(
        self,
        request: pb.TxnRequest,
        author: Author,
        past: Past | None = None,
        ahead: Ahead = NOTHING_AHEAD,
    ) -> Applied:
        """NeedsPast with nothing applied, GrpcStatus."""
        draft = Draft(self._keys, past, self._meta_of, ahead)
        path = path_of(self._keys, request, ahead)
        check_branches(draft, request, path)
        reply = txn_in(draft, request, path)
        return Applied(reply, self._commit(draft, author))

    async def fetch(self, needed: NeedsPast, past: Past) -> None:
        """Read what a decision needs of the past; GrpcStatus."""
        revision, start, stop = needed.place
        try:
            past[needed.place] = await self._keys.scan_at(Revision(revision), start, stop)
        except (Compacted, FutureRevision) as error:
            raise of_store(error) from None

    def _commit(self, draft: Draft, author: Author) -> Revision:
        if not draft.is_changed:
            return self._keys.head
        after = draft.after if any(draft.after) else ()  # drops come first anyway
        commit = Commit(author, (), draft.puts, draft.drops, Durability.SYNC, LOCAL_LIMITS, after)
        try:
            return self._keys.commit_now(commit)
        except InvalidCommit:
            raise refused("DuplicateKey") from None
        except StoreError as error:
            raise of_store(error) from None
