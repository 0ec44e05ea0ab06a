"""What a queue remembers beside its messages: deduplication ids, receive attempts, arrivals of moves.

State   in memory, derived from the queue's log
Source  SQS Developer Guide: exactly-once processing, ReceiveRequestAttemptId; docs/architecture.md, "Logs and
        traffic" (a move writes its target first)
Absent  none
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec

from cloudlet.kernel.logs import Offset
from cloudlet.services.sqs.records import Arrived, Attempted, Origin, Remembered

REMEMBERED_MS = 300_000  # "the 5-minute deduplication interval", of receive attempts too


class Known(msgspec.Struct, gc=False):
    """What a deduplication id stands for."""

    sent_ms: int
    sequence: int
    message_id: bytes


class Deduplication:
    """Deduplication ids, each with its scope, for five minutes from their first message."""

    def __init__(self) -> None:
        self._known: dict[bytes, Known] = {}
        self._order: deque[tuple[int, bytes]] = deque()

    def add(self, key: bytes, known: Known, now_ms: int) -> None:
        """A message was sent under a key."""
        old = self._known.get(key)
        if old is not None and old.sent_ms > known.sent_ms:
            return  # a kept message, behind a newer one with the same key
        self._known[key] = known
        order = self._order
        order.append((known.sent_ms, key))
        while order and order[0][0] + REMEMBERED_MS <= now_ms:
            ended_ms, ended = order.popleft()
            other = self._known.get(ended)
            if other is not None and other.sent_ms == ended_ms:
                del self._known[ended]

    def find(self, key: bytes, now_ms: int) -> Known | None:
        """The message sent under this key in the last five minutes."""
        known = self._known.get(key)
        return known if known is not None and known.sent_ms + REMEMBERED_MS > now_ms else None

    def forget(self, last_sequence: int) -> None:
        """The messages up to this one were purged, and their ids with them."""
        self._known = {key: known for key, known in self._known.items() if known.sequence > last_sequence}

    def all(self) -> Iterator[Remembered]:
        """What brings every id back."""
        for key, known in self._known.items():
            yield Remembered(key, known.sent_ms, known.sequence, known.message_id)

    def keep(self, key: bytes, sequence: int, now_ms: int) -> list[Remembered]:
        """What replaces the record of the message that stands for a key."""
        known = self.find(key, now_ms)
        if known is None or known.sequence != sequence:
            return []
        return [Remembered(key, known.sent_ms, sequence, known.message_id)]


class Attempt(msgspec.Struct, gc=False):
    """What a receive attempt was answered with."""

    now_ms: int
    visible_ms: int
    sequences: tuple[int, ...]
    counts: tuple[int, ...]  # how often each had been received, this time included
    offset: Offset


class Attempts:
    """Receive attempts by their id, for five minutes from the first."""

    def __init__(self) -> None:
        self._attempts: dict[str, Attempt] = {}

    def add(self, name: str, attempt: Attempt) -> None:
        """An attempt was answered. Answered again, it keeps its first time."""
        self._attempts[name] = attempt
        while self._attempts:
            first = next(iter(self._attempts))
            if self._attempts[first].now_ms + REMEMBERED_MS > attempt.now_ms:
                break
            del self._attempts[first]

    def find(self, name: str, now_ms: int) -> Attempt | None:
        """The attempt, if its five minutes are not over."""
        attempt = self._attempts.get(name)
        return attempt if attempt is not None and attempt.now_ms + REMEMBERED_MS > now_ms else None

    def all(self) -> list[tuple[str, Attempt]]:
        """Every attempt, the oldest first."""
        return list(self._attempts.items())

    def keep(self, name: str | None, offset: Offset, now_ms: int) -> list[Attempted]:
        """What replaces the record at `offset`, if that is where the attempt is kept."""
        attempt = self.find(name, now_ms) if name is not None else None
        if name is None or attempt is None or attempt.offset != offset:
            return []
        return [Attempted(name, attempt.now_ms, attempt.visible_ms, attempt.sequences, attempt.counts)]


class Arrival(msgspec.Struct, gc=False):
    """The last move from one source."""

    move: int
    sequences: set[int]
    offset: Offset


class Arrivals:
    """The last move from each source: enough, since a source begins none before the last one is done."""

    def __init__(self) -> None:
        self._arrivals: dict[str, Arrival] = {}

    def add(self, source: str, move: int, sequences: tuple[int, ...], offset: Offset) -> None:
        """Messages came with a move."""
        arrival = self._arrivals.get(source)
        if arrival is None or arrival.move < move:
            self._arrivals[source] = Arrival(move, set(sequences), offset)
        elif arrival.move == move:
            arrival.sequences.update(sequences)
            arrival.offset = offset

    def has(self, origin: Origin) -> bool:
        """Whether this message of this move is here already, or was."""
        arrival = self._arrivals.get(origin.source)
        if arrival is None or arrival.move < origin.move:
            return False
        return arrival.move > origin.move or origin.sequence in arrival.sequences

    def all(self) -> list[tuple[str, Arrival]]:
        """The last move of every source."""
        return list(self._arrivals.items())

    def keep(self, source: str, offset: Offset) -> list[Arrived]:
        """What replaces the record at `offset`, if that is where the last move is kept."""
        arrival = self._arrivals.get(source)
        if arrival is None or arrival.offset != offset:
            return []
        return [Arrived(source, arrival.move, tuple(sorted(arrival.sequences)))]
