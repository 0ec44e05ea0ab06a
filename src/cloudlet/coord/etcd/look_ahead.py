"""What a transaction reads of long ranges, read before it over several turns of the loop.

State   none
Source  etcd 3.6, rpc.proto, TxnRequest; long_range.py and kv.py tell what is read
Absent  ranges that others change all the time, that the transaction itself writes into, or of a branch that
        is not the one expected: they are read in the transaction's own turn

The ranges are watched meanwhile. If nothing has touched them when the transaction's turn comes, they are then
what they were: what was found of them holds, and the transaction is as atomic as any.
"""

from __future__ import annotations

from collections.abc import Iterator

from cloudlet.coord.etcd.kv import NOTHING_AHEAD, Ahead, is_met, path_of, taken
from cloudlet.coord.etcd.long_range import KEYS_MAX, Turns, keys_looked_at, range_body, slices
from cloudlet.coord.etcd.ranges import range_of
from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.keys import Entry, LocalKeys, Watch
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import GrpcStatus

TRIES_MAX = 3
WORTH_KEYS = 100  # a range of fewer is read in the transaction's turn


def comparisons(request: pb.TxnRequest) -> Iterator[pb.Compare]:
    """All comparisons over ranges, also nested ones."""
    for compare in request.compare:
        if compare.range_end:
            yield compare
    for each in (*request.success, *request.failure):
        if each.request_txn is not None:
            yield from comparisons(each.request_txn)


def reads(request: pb.TxnRequest) -> Iterator[pb.RangeRequest]:
    """All reads of ranges, in both branches, also nested ones."""
    for each in (*request.success, *request.failure):
        if each.request_range is not None and each.request_range.range_end:
            yield each.request_range
        if each.request_txn is not None:
            yield from reads(each.request_txn)


def reads_long(keys: LocalKeys, request: pb.TxnRequest) -> bool:
    """Whether a transaction may look at more keys than a turn should."""
    looked = sum(keys.count(*range_of(each.key, each.range_end)) for each in comparisons(request))
    return looked + sum(keys_looked_at(keys, each) for each in reads(request)) > KEYS_MAX


class LookingAhead:
    """One transaction's; close it when it is done."""

    def __init__(self, keys: LocalKeys, turns: Turns, request: pb.TxnRequest) -> None:
        self._keys = keys
        self._turns = turns
        self._request = request
        self._watches: dict[tuple[bytes, bytes], Watch] = {}
        self._found = NOTHING_AHEAD

    async def look(self) -> None:
        """Read what the transaction would read now."""
        for _ in range(TRIES_MAX):
            self.close()
            await self._look()
            if self._is_unchanged():
                return

    @property
    def found(self) -> Ahead:
        """What was read, if it still holds in this turn."""
        return self._found if self._is_unchanged() else NOTHING_AHEAD

    def close(self) -> None:
        """Watch nothing any longer."""
        for watch in self._watches.values():
            watch.close()
        self._watches.clear()

    def _is_unchanged(self) -> bool:
        return all(watch.position > self._keys.head for watch in self._watches.values())

    def _watch(self, start: bytes, stop: bytes) -> None:
        if (start, stop) not in self._watches:
            self._watches[start, stop] = self._keys.watch(start, stop)

    async def _look(self) -> None:
        keys, turns = self._keys, self._turns
        found = self._found = Ahead({}, {})
        entries: dict[tuple[bytes, bytes], list[Entry]] = {}
        for compare in comparisons(self._request):
            start, stop = range_of(compare.key, compare.range_end)
            if keys.count(start, stop) < WORTH_KEYS:
                continue
            if (start, stop) not in entries:
                self._watch(start, stop)
                entries[start, stop] = await self._entries(start, stop)
            verdict = True
            for some in slices(entries[start, stop]):
                await turns.next()
                if not is_met(compare, some):
                    verdict = False
                    break
            found.verdicts[id(compare)] = verdict
        for request in taken(self._request, path_of(keys, self._request, found)):
            if keys_looked_at(keys, request) < WORTH_KEYS:
                continue
            if not request.revision:
                self._watch(*range_of(request.key, request.range_end))
            try:
                _, body = await range_body(keys, turns, request)
            except GrpcStatus:
                continue  # the transaction itself is refused, if it comes to that
            found.replies[id(request)] = body

    async def _entries(self, start: bytes, stop: bytes) -> list[Entry]:
        try:
            return list(await self._keys.scan_at(self._keys.head, start, stop))
        except StoreError:
            return list(self._keys.scan(start, stop))  # so much is written that the head was forgotten
