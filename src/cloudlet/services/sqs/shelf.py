"""The live messages of a queue: which may be given out, to whom and when.

State   in memory: every live message without its body, message groups, two heaps
Source  SQS Developer Guide: visibility timeout, FIFO delivery logic, delay queues
Absent  fair queues' order (a group id on a standard queue is kept and returned, and changes no order);
        a FIFO queue's changed DelaySeconds for messages that wait already

Theory of operation
        added ---> READY --hide--> HELD --remove--> gone
          \\        ^  ^             |
         DELAYED --+  +--- its time -+      (advance, at the next look)

    `ready` is a heap of places that may be given out, lowest first: a message's sequence, and in a FIFO queue
    the time of its last receive above it, so that a group whose head has come back stands behind those that
    nobody was given yet, as on AWS. It is cleaned lazily: an entry counts only if its message is READY now
    and, in a FIFO queue, at the head of its group and at this place. So a FIFO group gives out its messages
    from the head up to the first that is hidden: whatever comes behind a hidden message waits.
    `timers` is a heap of (time, sequence), cleaned in the same way: an entry counts only if it names the time
    at which its message becomes visible.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import islice

import msgspec

from cloudlet.kernel.logs import Offset

READY, HELD, DELAYED = 0, 1, 2

UNIT_BYTES = 64  # sizes are counted in units: numbers to 256 cost no memory of their own
FRAME_BYTES = 80  # what an append adds around a record
LOOKED_AT_MAX = 1000  # messages that one decision may find expired or dead
SLACK = 1000  # stale entries that a heap may hold for free
GROUP_SLACK = 32
PLACE_BITS = 64  # of a place, those that hold the sequence
SEQUENCE_MASK = (1 << PLACE_BITS) - 1
PACKED_MAX = 8000  # messages that a snapshot takes in or out in one turn of the loop: some milliseconds
FREED_MAX = 5000  # messages of a purged queue that one decision frees: about a millisecond


class Message(msgspec.Struct, gc=False, array_like=True):
    """A live message; its body is in the log at `offset`. Times are cloud time, 0 where there is none."""

    offset: Offset
    units: int
    sent_ms: int
    status: int = READY
    visible_ms: int = 0
    received: int = 0
    received_ms: int = 0
    first_received_ms: int = 0
    group: Group | None = None


class Group(msgspec.Struct, gc=False):
    """A FIFO queue's message group: its sequences in order, those before `start` and some others gone."""

    name: str
    sequences: list[int]
    start: int = 0


class Packed(msgspec.Struct, array_like=True, gc=False):
    """Some messages of a shelf; `groups` of a FIFO queue."""

    sequences: list[int]
    messages: list[Message]
    groups: list[str]


class Sums(msgspec.Struct, array_like=True, gc=False):
    """What a shelf knows beside its messages."""

    counts: list[int]
    units: int
    late: list[tuple[int, int]]
    newest_sent_ms: int


class Choice(msgspec.Struct, gc=False):
    """What a receive finds: messages to give out, too often received ones, too old ones."""

    deliver: list[int]
    dead: list[int]
    expired: list[int]


class Counts(msgspec.Struct, frozen=True, gc=False):
    """How many messages are in each state."""

    ready: int
    held: int
    delayed: int


class Shelf:
    """See the module."""

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}
        self._counts = [0, 0, 0]
        self._units = 0
        self._ready: list[int] = []
        self._timers: list[tuple[int, int]] = []
        self._late: list[tuple[int, int]] = []  # (sent_ms, sequence) of those older than one before them
        self._newest_sent_ms = 0
        self._groups: dict[str, Group] = {}
        self._cleared: list[dict[int, Message]] = []
        self._is_heap = True  # what a snapshot has brought is sorted, and a sorted list is a heap

    # --- what records do

    def add(self, sequence: int, message: Message, group: str | None) -> None:
        """A message arrives; `group` is a FIFO queue's."""
        self.messages[sequence] = message
        self._counts[message.status] += 1
        self._units += message.units
        if message.sent_ms < self._newest_sent_ms:
            heappush(self._late, (message.sent_ms, sequence))
        else:
            self._newest_sent_ms = message.sent_ms
        if group is not None:
            self._join(sequence, message, group)
        if message.status == READY:
            if group is None or self._is_offered(sequence, message):
                self._offer(sequence)
        else:
            self._time(message.visible_ms, sequence)

    def remove(self, sequence: int) -> None:
        """A message is gone; no error if it was before."""
        message = self.messages.pop(sequence, None)
        if message is None:
            return
        self._counts[message.status] -= 1
        self._units -= message.units
        group = message.group
        if group is not None and group.sequences[group.start] == sequence:
            self._pass_on(group)

    def hide(self, sequence: int, visible_ms: int) -> None:
        """A message is hidden until its time; no error if it is gone."""
        message = self.messages.get(sequence)
        if message is None:
            return
        self._counts[message.status] -= 1
        self._counts[HELD] += 1
        message.status = HELD
        message.visible_ms = visible_ms
        self._time(visible_ms, sequence)

    def clear(self) -> None:
        """All messages are gone; their memory is given back bit by bit, in the turns of later calls."""
        self._cleared.append(self.messages)
        self.messages = {}
        self._counts = [0, 0, 0]
        self._units = 0
        self._ready, self._timers, self._late = [], [], []
        self._groups = {}

    def _join(self, sequence: int, message: Message, name: str) -> None:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group(name, [])
        if group.sequences and group.sequences[-1] > sequence:
            insort(group.sequences, sequence, group.start)  # a kept message, behind newer ones in the log
        else:
            group.sequences.append(sequence)
        message.group = group

    def _pass_on(self, group: Group) -> None:
        """The head of a group is gone: the next live message takes its place."""
        sequences, start = group.sequences, group.start
        while start < len(sequences) and sequences[start] not in self.messages:
            start += 1
        if start == len(sequences):
            del self._groups[group.name]
            return
        head = sequences[start]
        if start > GROUP_SLACK and start * 2 > len(sequences):
            del sequences[:start]
            start = 0
        group.start = start
        message = self.messages[head]
        if message.status == READY:
            heappush(self._ready, _place(head, message))

    def _offer(self, sequence: int) -> None:
        """Put a READY message, which waits behind no other of its group, where `take` finds it."""
        heappush(self._ready, _place(sequence, self.messages[sequence]))
        if len(self._ready) > 2 * len(self.messages) + SLACK:
            self._ready = [
                _place(each, other) for each, other in self.messages.items() if self._is_offered(each, other)
            ]
            heapify(self._ready)

    def _is_offered(self, sequence: int, message: Message) -> bool:
        group = message.group
        return message.status == READY and (group is None or group.sequences[group.start] == sequence)

    def _offered(self, place: int) -> Message | None:
        """The message that an entry of `ready` counts for; None for a stale one."""
        sequence = place & SEQUENCE_MASK
        message = self.messages.get(sequence)
        if message is None or not self._is_offered(sequence, message):
            return None
        return message if message.group is None or place == _place(sequence, message) else None

    def _time(self, visible_ms: int, sequence: int) -> None:
        heappush(self._timers, (visible_ms, sequence))
        if len(self._timers) > 2 * (self._counts[HELD] + self._counts[DELAYED]) + SLACK:
            self._timers = [
                (message.visible_ms, each)
                for each, message in self.messages.items()
                if message.status != READY
            ]
            heapify(self._timers)

    # --- snapshots

    def sums(self) -> Sums:
        """What `restore` ends with."""
        return Sums(self._counts, self._units, self._late, self._newest_sent_ms)

    def pack(self) -> Iterator[Packed]:
        """All messages, some at a time."""
        keys, values = iter(self.messages), iter(self.messages.values())
        while sequences := list(islice(keys, PACKED_MAX)):
            messages = list(islice(values, PACKED_MAX))
            groups = [message.group.name for message in messages if message.group is not None]
            if groups:
                messages = [msgspec.structs.replace(message, group=None) for message in messages]
            yield Packed(sequences, messages, groups)

    def restore(self, packed: Packed) -> None:
        """Take messages in, into a shelf that began empty."""
        self.messages.update(zip(packed.sequences, packed.messages, strict=True))
        pairs = zip(packed.sequences, packed.messages, strict=True)
        if packed.groups:
            for name, (sequence, message) in zip(packed.groups, pairs, strict=True):
                self._join(sequence, message, name)
            pairs = zip(packed.sequences, packed.messages, strict=True)
        else:
            ready = [sequence for sequence, message in pairs if message.status == READY]
            before = [*self._ready[-1:], *ready]
            self._is_heap = self._is_heap and before == sorted(before)
            self._ready += ready
            if len(ready) == len(packed.messages):
                return  # nothing has a time to come
            pairs = zip(packed.sequences, packed.messages, strict=True)
        self._timers += [
            (message.visible_ms, sequence) for sequence, message in pairs if message.status != READY
        ]

    def restored(self, sums: Sums) -> None:
        """The last messages were taken in."""
        self._counts, self._units, self._late = sums.counts, sums.units, sums.late
        self._newest_sent_ms = sums.newest_sent_ms
        for group in self._groups.values():
            head = group.sequences[group.start]
            message = self.messages[head]
            if message.status == READY:
                self._ready.append(_place(head, message))
        if not self._is_heap or self._groups:
            self._ready.sort()
        self._timers.sort()

    # --- time

    def advance(self, now_ms: int) -> None:
        """Let messages whose time has come be found. Every decision begins with it."""
        if self._cleared:
            self._free_some()
        timers = self._timers
        while timers and timers[0][0] <= now_ms:
            visible_ms, sequence = heappop(timers)
            message = self.messages.get(sequence)
            if message is None or message.status == READY or message.visible_ms != visible_ms:
                continue
            self._counts[message.status] -= 1
            self._counts[READY] += 1
            message.status = READY
            if self._is_offered(sequence, message):
                self._offer(sequence)

    def _free_some(self) -> None:
        cleared = self._cleared[-1]
        for _ in range(min(FREED_MAX, len(cleared))):
            cleared.popitem()
        if not cleared:
            self._cleared.pop()

    def next_visible_ms(self) -> int | None:
        """When the next hidden message becomes visible by itself."""
        timers = self._timers
        while timers:
            message = self.messages.get(timers[0][1])
            if message is not None and message.status != READY and message.visible_ms == timers[0][0]:
                return timers[0][0]
            heappop(timers)
        return None

    # --- what decisions ask

    def counts(self, now_ms: int) -> Counts:
        """How many messages are visible, held by consumers, and delayed."""
        self.advance(now_ms)
        return Counts(*self._counts)

    def held(self) -> int:
        """How many messages consumers hold, as of the last `advance`."""
        return self._counts[HELD]

    def live_bytes(self) -> int:
        """About how many bytes of the log the messages take."""
        return self._units * UNIT_BYTES

    def take(
        self, now_ms: int, count_max: int, expires_before_ms: int, receives_max: int | None = None
    ) -> Choice:
        """Choose up to `count_max` messages to give out, and set aside the dead and the expired on the way.

        Expired are messages sent at or before `expires_before_ms`; dead those that were received
        `receives_max` times already.
        """
        self.advance(now_ms)
        choice = Choice([], [], [])
        ready = self._ready
        seen: list[int] = []
        left = LOOKED_AT_MAX
        while ready and left > 0 and len(choice.deliver) < count_max:
            first = heappop(ready)
            message = self._offered(first)
            if message is None or (seen and seen[-1] == first):
                continue
            seen.append(first)
            if message.group is None:
                left -= 1
                _judge(choice, first, message, expires_before_ms, receives_max)
            else:
                left -= self._take_group(choice, message.group, count_max, expires_before_ms, receives_max)
        for first in seen:
            heappush(ready, first)
        return choice

    def _take_group(
        self, choice: Choice, group: Group, count_max: int, expires_before_ms: int, receives_max: int | None
    ) -> int:
        """Take from a group's head up to its first hidden message; returns how many were looked at."""
        looked_at = 0
        for position in range(group.start, len(group.sequences)):
            sequence = group.sequences[position]
            message = self.messages.get(sequence)
            if message is None:
                continue
            if message.status != READY or len(choice.deliver) == count_max or looked_at == LOOKED_AT_MAX:
                break
            looked_at += 1
            _judge(choice, sequence, message, expires_before_ms, receives_max)
        return looked_at

    def overdue(self, now_ms: int, expires_before_ms: int) -> list[int]:
        """Messages that are too old, as far as they are found without looking at all."""
        self.advance(now_ms)
        found: dict[int, None] = {}
        late, ready = self._late, self._ready
        while late and len(found) < LOOKED_AT_MAX:
            if late[0][1] in self.messages:
                if late[0][0] > expires_before_ms:
                    break
                found[late[0][1]] = None
            heappop(late)
        for sequence in found:
            heappush(late, (self.messages[sequence].sent_ms, sequence))
        seen: list[int] = []
        while ready and len(seen) < LOOKED_AT_MAX:
            message = self._offered(ready[0])
            if message is not None:
                if message.sent_ms > expires_before_ms:
                    break
                seen.append(ready[0])
            heappop(ready)
        for place in seen:
            heappush(ready, place)
            found[place & SEQUENCE_MASK] = None
        return list(found)


def _place(sequence: int, message: Message) -> int:
    """Where a message stands among those that may be given out: see the module."""
    return sequence if message.group is None else message.received_ms << PLACE_BITS | sequence


def _judge(
    choice: Choice, sequence: int, message: Message, expires_before_ms: int, receives_max: int | None
) -> None:
    if message.sent_ms <= expires_before_ms:
        choice.expired.append(sequence)
    elif receives_max is not None and message.received >= receives_max:
        choice.dead.append(sequence)
    else:
        choice.deliver.append(sequence)


def units_of(size_bytes: int) -> int:
    """The units that a record of this size takes in the log."""
    return (size_bytes + FRAME_BYTES + UNIT_BYTES - 1) // UNIT_BYTES
