"""One queue's log as a state: records in, and what decisions need to know.

State   in memory: shelf (messages), deduplication ids, receive attempts, moves; all derived from the log
Source  docs/architecture.md, "Logs and traffic"
Absent  none

Theory of operation
    `apply` takes records in, in the log's order, and is the only thing that changes what is true. What time
    alone changes (a message becomes visible) is in no record: every decision first lets the shelf `advance`
    to its own time, so a state that was replayed decides like one that has lived. Expiry is decided when
    somebody looks, and then written down.

    A message is known by its sequence, which it keeps for life and which grows with time; where its record is
    (`offset`) changes when the log is rewritten. A `Kept` record carries a message as it stood when it was
    written, so where the first record is gone it makes the message, and where it is not it only moves it. The
    records between the two that speak of a message which a replay does not know yet change nothing: what they
    did is in the `Kept`.

    A move out of this queue is numbered `moves + 1`: `Leaving` begins it, `Departed` ends it and takes the
    messages away that have reached their target. A state that is `leaving` decides nothing before the target
    was asked (transfer.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec

from cloudlet.kernel.logs import Offset
from cloudlet.services.sqs.recall import Arrival, Arrivals, Attempt, Attempts, Deduplication, Known
from cloudlet.services.sqs.records import (
    AnyHead,
    Arrived,
    Attempted,
    Counted,
    Deleted,
    Departed,
    KeptHead,
    Leaving,
    Purged,
    Received,
    Remembered,
    SentHead,
    SeveralHead,
    VisibilityChanged,
    encode,
    read_head,
)
from cloudlet.services.sqs.shelf import (
    DELAYED,
    HELD,
    PACKED_MAX,
    READY,
    Message,
    Packed,
    Shelf,
    Sums,
    units_of,
)

PURGE_INTERVAL_MS = 60_000  # "You can purge a queue once every 60 seconds"
SEQUENCES_PER_MS = 1 << 12  # a sequence is at least its time times this, so it grows though the log forgets
NOWHERE = Offset(-1)


class Facts(msgspec.Struct, array_like=True, gc=False):
    """A snapshot's first slice: all but messages and deduplication ids."""

    sums: Sums
    attempts: list[tuple[str, Attempt]]
    arrivals: list[tuple[str, Arrival]]
    moves: int
    departed: int
    leaving: Leaving | None
    purged_ms: int
    last_sequence: int
    now_ms: int
    leaving_offset: Offset
    departed_offset: Offset
    purged_offset: Offset


_decode_facts = msgspec.msgpack.Decoder(Facts).decode
_decode_packed = msgspec.msgpack.Decoder(Packed).decode
_decode_remembered = msgspec.msgpack.Decoder(list[Remembered]).decode


class QueueState:
    """See the module."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.deduplication = Deduplication()
        self.attempts = Attempts()
        self.arrivals = Arrivals()
        self.moves = 0  # how many moves out of this queue are done
        self.departed = 0  # how many messages the last of them took away
        self.leaving: Leaving | None = None  # the move that has begun
        self.purged_ms = 0
        self.last_sequence = 0
        self._facts: Facts | None = None  # while a snapshot is taken in
        self._now_ms = 0  # the newest time in any record
        self._leaving_offset = NOWHERE
        self._departed_offset = NOWHERE
        self._purged_offset = NOWHERE

    # --- records

    def apply(self, offset: Offset, record: bytes) -> None:
        """Take one record in."""
        self._apply(offset, read_head(record), len(record))

    def _apply(self, offset: Offset, event: AnyHead, size_bytes: int) -> None:
        if isinstance(event, SentHead):
            self._apply_sent(offset, event, size_bytes)
        elif isinstance(event, Received):
            self._apply_received(offset, event)
        elif isinstance(event, Deleted):
            for sequence in event.sequences:
                self.shelf.remove(sequence)
        elif isinstance(event, VisibilityChanged):
            self._now_ms = max(self._now_ms, event.now_ms)
            for sequence, visible_ms in zip(event.sequences, event.visible_ms, strict=True):
                self.shelf.hide(sequence, visible_ms)
        elif isinstance(event, Departed):
            self._apply_departed(offset, event)
        elif isinstance(event, KeptHead):
            self._apply_kept(offset, event, size_bytes)
        elif isinstance(event, SeveralHead):
            for each in event.events:
                self._apply(offset, each, size_bytes)
        elif isinstance(event, Purged):
            self._apply_purged(offset, event)
        else:
            self._apply_recalled(offset, event)

    def _apply_sent(self, offset: Offset, event: SentHead, size_bytes: int) -> None:
        origin = event.origin
        if origin is not None:
            if self.arrivals.has(origin):
                return  # a second copy of a moved message
            self.arrivals.add(origin.source, origin.move, (origin.sequence,), offset)
        self._now_ms = max(self._now_ms, event.sent_ms)
        self.last_sequence = max(self.last_sequence, event.sequence)
        if event.deduplication_key is not None:
            self._recall_sent(event)
        message = Message(
            offset,
            units_of(size_bytes),
            event.sent_ms,
            DELAYED if event.visible_ms else READY,
            event.visible_ms,
            event.received,
            0,
            event.first_received_ms,
        )
        self.shelf.add(event.sequence, message, event.group)

    def _apply_kept(self, offset: Offset, event: KeptHead, size_bytes: int) -> None:
        sent = event.sent
        known = self.shelf.messages.get(sent.sequence)
        if known is not None:
            known.offset = offset
            return
        self.last_sequence = max(self.last_sequence, sent.sequence)
        if sent.deduplication_key is not None:
            self._recall_sent(sent)
        message = Message(
            offset,
            units_of(size_bytes),
            sent.sent_ms,
            event.status,
            event.visible_ms,
            event.received,
            event.received_ms,
            event.first_received_ms,
        )
        self.shelf.add(sent.sequence, message, sent.group)

    def _recall_sent(self, event: SentHead) -> None:
        assert event.deduplication_key is not None
        known = Known(event.sent_ms, event.sequence, event.message_id)
        self.deduplication.add(event.deduplication_key, known, self._now_ms)

    def _apply_received(self, offset: Offset, event: Received) -> None:
        self._now_ms = max(self._now_ms, event.now_ms)
        messages = self.shelf.messages
        for sequence in event.expired:
            self.shelf.remove(sequence)
        for sequence in event.sequences:
            message = messages.get(sequence)
            if message is None:
                continue
            if not event.again:
                message.received += 1
                message.received_ms = event.now_ms
                message.first_received_ms = message.first_received_ms or event.now_ms
            self.shelf.hide(sequence, event.visible_ms)
        if event.attempt is not None:
            attempt = Attempt(event.began_ms, event.visible_ms, event.sequences, event.counts, offset)
            self.attempts.add(event.attempt, attempt)

    def _apply_departed(self, offset: Offset, event: Departed) -> None:
        for sequence in event.sequences:
            self.shelf.remove(sequence)
        if event.move > self.moves:
            self.moves, self.departed = event.move, len(event.sequences)
        self._departed_offset = offset
        if self.leaving is not None and self.leaving.move <= self.moves:
            self.leaving = None

    def _apply_purged(self, offset: Offset, event: Purged) -> None:
        self._now_ms = max(self._now_ms, event.now_ms)
        self.purged_ms = max(self.purged_ms, event.now_ms)
        self._purged_offset = offset
        self.deduplication.forget(event.sequence)
        if event.sequence >= self.last_sequence:
            # A rewrite may have left nothing else: the next message must not fall under this purge.
            self.last_sequence = event.sequence
            self.shelf.clear()
            return
        for sequence in [each for each in self.shelf.messages if each <= event.sequence]:
            self.shelf.remove(sequence)

    def _apply_recalled(
        self, offset: Offset, event: Remembered | Attempted | Arrived | Counted | Leaving
    ) -> None:
        if isinstance(event, Remembered):
            self.last_sequence = max(self.last_sequence, event.sequence)
            known = Known(event.sent_ms, event.sequence, event.message_id)
            self.deduplication.add(event.key, known, self._now_ms)
        elif isinstance(event, Attempted):
            attempt = Attempt(event.now_ms, event.visible_ms, event.sequences, event.counts, offset)
            self.attempts.add(event.attempt, attempt)
        elif isinstance(event, Arrived):
            self.arrivals.add(event.source, event.move, event.sequences, offset)
        elif isinstance(event, Leaving):
            if event.move > self.moves:
                self.leaving, self._leaving_offset = event, offset
        else:
            self.last_sequence = max(self.last_sequence, event.sequence)

    # --- what decisions ask

    def next_sequence(self, now_ms: int) -> int:
        """The sequence of the next message; a batch counts on from it."""
        return max(self.last_sequence + 1, now_ms * SEQUENCES_PER_MS)

    def repeatable(self, name: str, now_ms: int) -> Attempt | None:
        """The answer to repeat: an attempt of the last five minutes whose messages are as it left them."""
        attempt = self.attempts.find(name, now_ms)
        if attempt is None:
            return None
        self.shelf.advance(now_ms)
        for sequence, count in zip(attempt.sequences, attempt.counts, strict=True):
            message = self.shelf.messages.get(sequence)
            if message is None or message.status != HELD:
                return None
            if message.received != count or message.visible_ms != attempt.visible_ms:
                return None
        return attempt

    # --- snapshots

    def weight(self) -> int:
        """How many messages there are."""
        return len(self.shelf.messages)

    def pack(self) -> Iterator[bytes]:
        """The facts first, then messages, then what is remembered of messages gone."""
        yield encode(
            Facts(
                self.shelf.sums(),
                self.attempts.all(),
                self.arrivals.all(),
                self.moves,
                self.departed,
                self.leaving,
                self.purged_ms,
                self.last_sequence,
                self._now_ms,
                self._leaving_offset,
                self._departed_offset,
                self._purged_offset,
            )
        )
        for packed in self.shelf.pack():
            yield b"m" + encode(packed)
        remembered = self.deduplication.all()
        while some := list(islice(remembered, PACKED_MAX)):
            yield b"d" + encode(some)

    def unpack(self, packed: bytes) -> None:
        """Take one slice in, in the order of `pack`."""
        if self._facts is None:
            self._facts = _decode_facts(packed)
        elif packed.startswith(b"m"):
            self.shelf.restore(_decode_packed(memoryview(packed)[1:]))
        else:
            for each in _decode_remembered(memoryview(packed)[1:]):
                known = Known(each.sent_ms, each.sequence, each.message_id)
                self.deduplication.add(each.key, known, self._facts.now_ms)

    def unpacked(self) -> None:
        """The last slice was taken in."""
        facts = self._facts
        assert facts is not None, "a snapshot has its facts"
        self._facts = None
        self.shelf.restored(facts.sums)
        for name, attempt in facts.attempts:
            self.attempts.add(name, attempt)
        for source, arrival in facts.arrivals:
            self.arrivals.add(source, arrival.move, tuple(arrival.sequences), arrival.offset)
        self.moves, self.departed, self.leaving = facts.moves, facts.departed, facts.leaving
        self.purged_ms, self.last_sequence, self._now_ms = facts.purged_ms, facts.last_sequence, facts.now_ms
        self._leaving_offset, self._departed_offset = facts.leaving_offset, facts.departed_offset
        self._purged_offset = facts.purged_offset

    # --- rewriting the log

    def live_bytes(self) -> int:
        """About how many bytes of the log are still needed."""
        return self.shelf.live_bytes()

    def keep(self, offset: Offset, record: bytes) -> bytes | None:
        """What must be appended so that the record at `offset` may go: None if nothing in it is needed."""
        kept = self._keep(offset, read_head(record))
        if not kept:
            return None
        return encode(kept[0] if len(kept) == 1 else SeveralHead(tuple(kept)))

    def _keep(self, offset: Offset, event: AnyHead) -> list[AnyHead]:
        if isinstance(event, SentHead):
            return self._keep_sent(offset, event)
        if isinstance(event, KeptHead):
            return self._keep_sent(offset, event.sent)
        if isinstance(event, SeveralHead):
            return [kept for each in event.events for kept in self._keep(offset, each)]
        if isinstance(event, Received | Attempted):
            return [*self.attempts.keep(event.attempt, offset, self._now_ms)]
        if isinstance(event, Remembered):
            return [*self.deduplication.keep(event.key, event.sequence, self._now_ms)]
        if isinstance(event, Counted):
            return [event] if event.sequence == self.last_sequence else []
        if isinstance(event, Arrived):
            return [*self.arrivals.keep(event.source, offset)]
        if isinstance(event, Leaving):
            return [event] if self.leaving is not None and offset == self._leaving_offset else []
        if isinstance(event, Departed):
            return [Departed(self.moves)] if offset == self._departed_offset else []
        if isinstance(event, Purged):
            is_recent = event.now_ms + PURGE_INTERVAL_MS > self._now_ms
            return [event] if is_recent and offset == self._purged_offset else []
        return []

    def _keep_sent(self, offset: Offset, event: SentHead) -> list[AnyHead]:
        kept: list[AnyHead] = []
        message = self.shelf.messages.get(event.sequence)
        if message is not None and message.offset == offset:
            kept.append(
                KeptHead(
                    event,
                    message.status,
                    message.visible_ms,
                    message.received,
                    message.received_ms,
                    message.first_received_ms,
                )
            )
        elif event.deduplication_key is not None:
            kept.extend(self.deduplication.keep(event.deduplication_key, event.sequence, self._now_ms))
        if event.sequence == self.last_sequence:
            kept.append(Counted(event.sequence))
        if event.origin is not None:
            kept.extend(self.arrivals.keep(event.origin.source, offset))
        return kept
