"""A share-partition: which records of a partition a share group has, and who has each for how long.

State   in memory    the window of records under way, changed by the methods of SharePartition; what must
                     outlast a restart of it is in __share_group_state (state_log.py)
Source  Apache Kafka 4.3: KIP-932, KIP-1206 (acquire modes), KIP-1222 (renewal); SharePartition
Absent  none

Theory of operation
    Records before the window are done with, records behind it have not been looked at. Within it each is in
    one of four states; only *acquired* is not kept across a restart, where it is *available* again.

                 acquire                    accept
      (behind) ----------> ACQUIRED --------------------> ACKNOWLEDGED --.
                            |   ^  \\  reject, gap                        |  at the front of the window:
        release, lock over  |   |   `--------------------> ARCHIVED -----+-> done with
                            v   | acquire                     ^
                          AVAILABLE                           | delivered too often, compacted away
                            `---------------------------------'

    `decide_…` and `expired` only say what is to change; it changes by `apply`, once that has been written.
    Meanwhile records may be acquired: those that are to change are acquired already, and stay so.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import pairwise
from math import inf
from typing import NamedTuple

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.share.window import Window
from cloudlet.wire.kafka.error_codes import ErrorCode


class RecordState(IntEnum):
    """The numbers are those of ShareSnapshot and ShareUpdate."""

    AVAILABLE = 0
    ACQUIRED = 1
    ACKNOWLEDGED = 2
    ARCHIVED = 4


class Acknowledge(IntEnum):
    """What a consumer says of a record."""

    GAP = 0  # there is none at this offset
    ACCEPT = 1
    RELEASE = 2
    REJECT = 3
    RENEW = 4


class Held(NamedTuple):
    """What a record is: how many times delivered, and if acquired by whom and until when (monotonic)."""

    state: RecordState
    delivered: int = 0
    member: str = ""
    deadline_ms: float = inf

    @property
    def is_done(self) -> bool:
        return self.state in (RecordState.ACKNOWLEDGED, RecordState.ARCHIVED)


GONE = Held(RecordState.ARCHIVED)


class Limits(NamedTuple):
    """The group's settings, or the broker's."""

    deliveries_max: int = 5
    locks_max: int = 2000
    lock_ms: int = 30_000
    may_renew: bool = True


class Wish(NamedTuple):
    """What a member would have: so many records; exactly so many, or up to the end of their batch."""

    member: str
    records_max: int
    batch_size: int = 500
    is_exact: bool = False


class Acquired(NamedTuple):
    """Records [first, last] that a member has got, and how many times they were delivered by now."""

    first: int
    last: int
    delivered: int


class Acknowledgement(NamedTuple):
    """What is said of records [first, last]: one type for all, or one for each."""

    first: int
    last: int
    types: Sequence[int]


class Change(NamedTuple):
    """Records [first, stop) become something."""

    first: int
    stop: int
    held: Held


class SharePartition:
    """One partition of one share group."""

    __slots__ = ("window",)

    def __init__(self, window: Window[Held]) -> None:
        self.window = window
        self._advance()

    @property
    def start(self) -> int:
        return self.window.start

    # -- acquiring

    def next_offset(self) -> int:
        """Where to read from: the first record that is available, else what was not looked at."""
        for first, _, held in self.window.runs():
            if held.state is RecordState.AVAILABLE:
                return first
        return self.window.stop

    def may_acquire(self, limits: Limits) -> bool:
        """Whether reading from `next_offset` may get anything."""
        return len(self.window) < limits.locks_max or self.next_offset() < self.window.stop

    def acquire(
        self, wish: Wish, batches: Sequence[tuple[int, int]], limits: Limits, now_ms: float
    ) -> list[Acquired]:
        """Give a member records of what was read from `next_offset`: batches [base, stop)."""
        found: list[Acquired] = []
        window, start = self.window, self.next_offset()
        read_stop = batches[-1][1]
        # what was here and is not any more: compacted away
        self._archive(start, min(batches[0][0], window.stop))
        window.extend(batches[0][0], GONE)
        deadline_ms = now_ms + limits.lock_ms
        left = wish.records_max
        is_throttled = False
        for first, stop, held in list(window.runs(start, read_stop)):
            if left <= 0 or is_throttled:
                break
            if held.state is not RecordState.AVAILABLE:
                continue
            count = stop - first
            few = few_of(count, held.delivered, limits.deliveries_max)
            if few is not None:
                if found:
                    break  # what may be bad goes out by itself
                count, is_throttled = few, True
            if wish.is_exact:
                count = min(count, left)
            mine = Held(RecordState.ACQUIRED, held.delivered + 1, wish.member, deadline_ms)
            window.put(first, first + count, mine)
            found.append(Acquired(first, first + count - 1, mine.delivered))
            left -= count
        room = min(left, limits.locks_max - len(window))
        if room > 0 and not is_throttled and window.stop < read_stop:
            found += self._acquire_new(wish, batches, room, deadline_ms)
        self._advance()
        return found

    def _acquire_new(
        self, wish: Wish, batches: Sequence[tuple[int, int]], room: int, deadline_ms: float
    ) -> list[Acquired]:
        window = self.window
        stops = [stop for _, stop in batches]
        first, stop = window.stop, min(window.stop + room, stops[-1])
        if not wish.is_exact:
            stop = stops[bisect_left(stops, stop)]  # whole batches
        window.extend(stop, Held(RecordState.ACQUIRED, 1, wish.member, deadline_ms))
        cuts = [first]
        if not wish.is_exact and wish.batch_size > 0:
            for base, _ in batches:
                if base < stop and base - cuts[-1] >= wish.batch_size:
                    cuts.append(base)
        return [Acquired(begin, end - 1, 1) for begin, end in zip(cuts, [*cuts[1:], stop], strict=True)]

    def archive(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Records [first, stop) are not for the group: of transactions that were aborted."""
        for first, stop in ranges:
            self.window.put(first, stop, GONE)
        self._advance()

    def _archive(self, start: int, stop: int) -> None:
        for first, end, held in list(self.window.runs(start, stop)):
            if held.state is RecordState.AVAILABLE:
                self.window.put(first, end, held._replace(state=RecordState.ARCHIVED))

    def trim(self, log_start: int) -> None:
        """The log begins later: what was before is not there any more."""
        self.window.drop_to(log_start)
        self._advance()

    # -- acknowledging

    def decide(
        self, member: str, batches: Sequence[Acknowledgement], limits: Limits, now_ms: float
    ) -> list[Change]:
        """What a member's acknowledgements change; all of them, or a KafkaFault."""
        changes: list[Change] = []
        for batch in batches:
            if batch.last < self.start:
                continue  # archived since
            if batch.last >= self.window.stop:
                raise KafkaFault(
                    ErrorCode.INVALID_RECORD_STATE
                    if batch.first >= self.window.stop
                    else ErrorCode.INVALID_REQUEST,
                    "The acknowledgement is of records that have not been acquired.",
                )
            for first, stop, held in self.window.runs(batch.first, batch.last + 1):
                if held.state is not RecordState.ACQUIRED:
                    raise KafkaFault(
                        ErrorCode.INVALID_RECORD_STATE, f"The records from {first} on are not acquired."
                    )
                if held.member != member:
                    raise KafkaFault(
                        ErrorCode.INVALID_RECORD_STATE,
                        f"Member {member} is not the owner of the records from {first} on.",
                    )
                changes += _acknowledged(batch, first, stop, held, limits, now_ms)
        changes.sort(key=lambda change: change.first)
        if any(one.stop > other.first for one, other in pairwise(changes)):
            raise KafkaFault(ErrorCode.INVALID_RECORD_STATE, "A record is acknowledged more than once.")
        return changes

    def expired(self, limits: Limits, now_ms: float) -> list[Change]:
        """Locks that are over by now."""
        return [
            Change(first, stop, freed(held, limits))
            for first, stop, held in self.window.runs()
            if held.state is RecordState.ACQUIRED and held.deadline_ms <= now_ms
        ]

    def released(self, member: str, limits: Limits) -> list[Change]:
        """All that a member has, given back."""
        return [
            Change(first, stop, freed(held, limits))
            for first, stop, held in self.window.runs()
            if held.state is RecordState.ACQUIRED and held.member == member
        ]

    def apply(self, changes: Iterable[Change]) -> None:
        """What was decided is so from now on."""
        for first, stop, held in changes:
            self.window.put(first, stop, held)
        self._advance()

    def after(self, changes: Iterable[Change]) -> tuple[int, int]:
        """(start, records behind it that are done with) as they will be."""
        twin = SharePartition(self.window.copy())
        twin.apply(changes)
        return twin.start, twin.done_count()

    # -- questions

    def done_count(self) -> int:
        return sum(stop - first for first, stop, held in self.window.runs() if held.is_done)

    def deadline_ms(self) -> float:
        """When the next lock is over."""
        return min(
            (held.deadline_ms for _, _, held in self.window.runs() if held.state is RecordState.ACQUIRED),
            default=inf,
        )

    def _advance(self) -> None:
        """Let the window begin at the first record that is not done with."""
        start = self.window.stop
        for first, _, held in self.window.runs():
            if not held.is_done:
                start = first
                break
        self.window.drop_to(start)


def freed(held: Held, limits: Limits) -> Held:
    """A record that nobody has any more; after so many deliveries nobody is to have it again."""
    is_over = held.delivered >= limits.deliveries_max
    return Held(RecordState.ARCHIVED if is_over else RecordState.AVAILABLE, held.delivered)


def few_of(count: int, delivered: int, deliveries_max: int) -> int | None:
    """How many of some records go out at once that were delivered often already, so that one which its
    consumers cannot bear does not spoil all of them; None for no limit. At the last attempt each is alone."""
    throttled_from = max(2, -(-deliveries_max // 2))
    if delivered < throttled_from:
        return None
    if deliveries_max > 2 and delivered == deliveries_max - 1:
        return 1
    return max(1, count >> (delivered - throttled_from + 1))


def _acknowledged(
    batch: Acknowledgement, first: int, stop: int, held: Held, limits: Limits, now_ms: float
) -> list[Change]:
    """What a batch says of the run [first, stop), which its member has."""
    changes: list[Change] = []
    is_one = len(batch.types) == 1
    while first < stop:
        kind = batch.types[0] if is_one else batch.types[first - batch.first]
        end = stop
        if not is_one:
            end = first + 1
            while end < stop and batch.types[end - batch.first] == kind:
                end += 1
        if kind == Acknowledge.RENEW:
            if not limits.may_renew:
                raise KafkaFault(
                    ErrorCode.INVALID_RECORD_STATE,
                    "Renewing acquisition locks is not enabled for the group.",
                )
            after = held._replace(deadline_ms=now_ms + limits.lock_ms)
        elif kind == Acknowledge.RELEASE:
            after = freed(held, limits)
        else:
            state = RecordState.ACKNOWLEDGED if kind == Acknowledge.ACCEPT else RecordState.ARCHIVED
            after = Held(state, held.delivered)
        changes.append(Change(first, end, after))
        first = end
    return changes
