"""Decisions about a queue's messages: what is so now and what is asked for give the records to append.

State   none: nothing here changes anything
Source  SQS Developer Guide and API Reference 2012-11-05; limits and texts: docs/sources/sqs.md
Absent  none
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from cloudlet.kernel.fault import Fault
from cloudlet.services.sqs.recall import REMEMBERED_MS, Arrivals
from cloudlet.services.sqs.receipts import Receipt
from cloudlet.services.sqs.records import (
    Content,
    Deleted,
    Departed,
    Event,
    Leaving,
    Origin,
    Purged,
    Received,
    Sent,
    VisibilityChanged,
)
from cloudlet.services.sqs.shelf import HELD
from cloudlet.services.sqs.state import QueueState

HELD_MAX = 120_000  # "approximately 120,000 in-flight messages", of both kinds of queue
HELD_TOTAL_MS = 43_200_000  # "The maximum visibility timeout is 12 hours from the time" of the receive
KEY_BYTES = 16

InvalidValue = Fault("InvalidParameterValue")
TooManyHeld = Fault("OverLimit", "Too many messages in flight.", status=403)
PurgeInProgress = Fault("PurgeQueueInProgress", status=403)


class Rules(msgspec.Struct, frozen=True, gc=False):
    """What a queue's attributes mean to its messages."""

    is_fifo: bool = False
    retention_ms: int = 345_600_000
    receives_max: int | None = None  # None where nothing is a dead letter
    is_deduplicated_by_group: bool = False
    changed_ms: int = 0  # when an attribute was last set


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A message that a producer wants to send, and the digests that it is told."""

    message_id: bytes
    size_bytes: int
    content: Content
    delay_ms: int = 0
    group: str | None = None
    deduplication_id: str | None = None
    attributes_md5: str | None = None
    system_md5: str | None = None


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """What a producer is told; `record` is None for a duplicate."""

    message_id: bytes
    sequence: int
    record: Sent | None


def send(state: QueueState, rules: Rules, now_ms: int, drafts: Sequence[Draft]) -> list[Accepted]:
    """Accept messages in order; a duplicate is accepted as the message that it repeats."""
    sequence = state.next_sequence(now_ms)
    accepted: list[Accepted] = []
    fresh: dict[bytes, Accepted] = {}
    for draft in drafts:
        if rules.is_fifo and draft.deduplication_id is not None:
            key = deduplication_key(rules, draft.group, draft.deduplication_id)
            known = state.deduplication.find(key, now_ms) or fresh.get(key)
            if known is None and now_ms < rules.changed_ms + REMEMBERED_MS:
                known = state.deduplication.find(key_before(rules, draft), now_ms)
            if known is not None:
                accepted.append(Accepted(known.message_id, known.sequence, None))
                continue
            fresh[key] = made = _accepted(draft, now_ms, sequence, key)
        else:
            made = _accepted(draft, now_ms, sequence, None)
        accepted.append(made)
        sequence += 1
    return accepted


def _accepted(draft: Draft, now_ms: int, sequence: int, key: bytes | None) -> Accepted:
    record = Sent(
        sequence,
        now_ms,
        draft.message_id,
        draft.size_bytes,
        draft.content,
        now_ms + draft.delay_ms if draft.delay_ms else 0,
        draft.group,
        draft.deduplication_id,
        key,
    )
    return Accepted(draft.message_id, sequence, record)


def deduplication_key(rules: Rules, group: str | None, deduplication_id: str) -> bytes:
    """What a deduplication id is kept under: with its group where that is its scope."""
    scope = group.encode() if rules.is_deduplicated_by_group and group is not None else b""
    digest = hashlib.blake2b(deduplication_id.encode(), digest_size=KEY_BYTES, key=scope[:64])
    digest.update(scope[64:])
    return digest.digest()


def key_before(rules: Rules, draft: Draft) -> bytes:
    """What the id would have been kept under in the other scope: a change of scope forgets no id, and one
    that all groups shared goes on to mean a duplicate in each."""
    other = msgspec.structs.replace(rules, is_deduplicated_by_group=not rules.is_deduplicated_by_group)
    assert draft.deduplication_id is not None
    return deduplication_key(other, draft.group, draft.deduplication_id)


class Given(msgspec.Struct, frozen=True, gc=False):
    """What a receive decides: these messages with these receive counts, after `records`; `dead` ones are
    moved away before."""

    sequences: Sequence[int]
    counts: Sequence[int]
    records: Sequence[Event]
    dead: Sequence[int] = ()


def receive(
    state: QueueState, rules: Rules, now_ms: int, count_max: int, visibility_ms: int, attempt: str | None
) -> Given:
    """Give out visible messages and hide them, or repeat the answer to the same attempt.

    TooManyHeld in a standard queue that has given out all it may; a FIFO queue then gives nothing.
    """
    if attempt is not None:
        again = state.repeatable(attempt, now_ms)
        if again is not None:
            record = Received(
                now_ms,
                now_ms + visibility_ms,
                again.sequences,
                (),
                attempt,
                again.counts,
                again.now_ms,
                again=True,
            )
            return Given(again.sequences, again.counts, [record])
    shelf = state.shelf
    shelf.advance(now_ms)
    room = HELD_MAX - shelf.held()
    if room <= 0:
        if rules.is_fifo:
            return Given((), (), ())
        raise TooManyHeld
    choice = shelf.take(now_ms, min(count_max, room), now_ms - rules.retention_ms, rules.receives_max)
    counts = [shelf.messages[sequence].received + 1 for sequence in choice.deliver]
    records: list[Event] = []
    if choice.deliver:
        records.append(
            Received(
                now_ms,
                now_ms + visibility_ms,
                tuple(choice.deliver),
                tuple(choice.expired),
                attempt,
                tuple(counts) if attempt is not None else (),
                now_ms if attempt is not None else 0,
            )
        )
    elif choice.expired:
        records.append(Deleted(tuple(choice.expired)))
    return Given(choice.deliver, counts, records, choice.dead)


class Moving(msgspec.Struct, frozen=True, gc=False):
    """Messages on their way from one queue to another, under the source's next move."""

    source: QueueState
    source_id: str
    sequences: Sequence[int]
    sents: Sequence[Sent]  # their records

    def origins(self) -> list[Origin]:
        """What each message is known by in the target."""
        move = self.source.moves + 1
        return [Origin(self.source_id, move, sequence) for sequence in self.sequences]


def settle(leaving: Leaving, source_id: str, arrivals: Arrivals) -> Departed:
    """The record that ends a move which was cut short: what its target has is gone from here."""
    return Departed(
        leaving.move,
        tuple(
            sequence
            for sequence in leaving.sequences
            if arrivals.has(Origin(source_id, leaving.move, sequence))
        ),
    )


def bury(moving: Moving, target: QueueState, rules: Rules, now_ms: int, source_arn: str) -> list[Sent]:
    """The records that bring dead letters into their queue, but for those that are there already.

    A message stays what it is: id, times received, and in a standard queue its age. "For standard queues, the
    expiration of a message is always based on its original enqueue timestamp"; in FIFO queues "the enqueue
    timestamp resets".
    """
    sequence = target.next_sequence(now_ms)
    records: list[Sent] = []
    for origin, sent in zip(moving.origins(), moving.sents, strict=True):
        if target.arrivals.has(origin):
            continue
        message = moving.source.shelf.messages[origin.sequence]
        records.append(
            msgspec.structs.replace(
                sent,
                sequence=sequence + len(records),
                sent_ms=now_ms if rules.is_fifo else message.sent_ms,
                content=msgspec.structs.replace(sent.content, dead_letter_source=source_arn),
                visible_ms=0,
                deduplication_key=None,
                origin=origin,
                received=message.received,
                first_received_ms=message.first_received_ms,
            )
        )
    return records


def redrive(moving: Moving, target: QueueState, now_ms: int, fresh_ids: Sequence[bytes]) -> list[Sent]:
    """The records that bring messages of a move task into their target, but for those that are there already.

    "Redriven messages are considered new messages with a new messageID and enqueueTime".
    """
    sequence = target.next_sequence(now_ms)
    records: list[Sent] = []
    for origin, sent, message_id in zip(moving.origins(), moving.sents, fresh_ids, strict=True):
        if target.arrivals.has(origin):
            continue
        records.append(
            msgspec.structs.replace(
                sent,
                sequence=sequence + len(records),
                sent_ms=now_ms,
                message_id=message_id,
                content=msgspec.structs.replace(sent.content, dead_letter_source=None),
                visible_ms=0,
                deduplication_key=None,
                origin=origin,
                received=0,
                first_received_ms=0,
            )
        )
    return records


def deletable(state: QueueState, rules: Rules, now_ms: int, receipt: Receipt, handle: str) -> int | None:
    """The message that a receipt may delete, None if it is gone already.

    Any receipt of a message deletes it from a standard queue, as it nearly always does on AWS; a FIFO queue
    wants the one of the receive that still holds it.
    """
    state.shelf.advance(now_ms)
    message = state.shelf.messages.get(receipt.sequence)
    if message is None:
        return None
    if rules.is_fifo and not (message.status == HELD and message.received == receipt.receive):
        raise InvalidValue(
            f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
        )
    return receipt.sequence


def changeable(
    state: QueueState, rules: Rules, now_ms: int, receipt: Receipt, handle: str, visibility_ms: int
) -> int:
    """The message whose visibility a receipt may change.

    In a standard queue any receipt of a message may, also after its time; a FIFO queue wants the one of the
    receive that still holds it.
    """
    state.shelf.advance(now_ms)
    message = state.shelf.messages.get(receipt.sequence)
    if message is None or (
        rules.is_fifo and not (message.status == HELD and message.received == receipt.receive)
    ):
        raise InvalidValue(
            f"Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is "
            "not available for visibility timeout change."
        )
    if now_ms + visibility_ms > message.received_ms + HELD_TOTAL_MS:
        raise InvalidValue(
            f"Value {visibility_ms // 1000} for parameter VisibilityTimeout is invalid. Reason: Total "
            "VisibilityTimeout for the message is beyond the limit [43200 seconds]"
        )
    return receipt.sequence


def change_visibility(now_ms: int, changes: Sequence[tuple[int, int]]) -> VisibilityChanged:
    """The record for (sequence, visibility_ms) pairs."""
    return VisibilityChanged(
        now_ms,
        tuple(sequence for sequence, _ in changes),
        tuple(now_ms + visibility_ms for _, visibility_ms in changes),
    )


def purge(state: QueueState, now_ms: int, name: str, interval_ms: int) -> Purged:
    """The record that empties a queue; PurgeInProgress within the interval after the last one."""
    if state.purged_ms and now_ms < state.purged_ms + interval_ms:
        raise PurgeInProgress(f"Only one PurgeQueue operation on {name} is allowed every 60 seconds.")
    return Purged(now_ms, state.last_sequence)
