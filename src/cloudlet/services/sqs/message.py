"""Operations on messages: sent, received, hidden, deleted; one by one and in batches.

State   the log of each queue, see records.py
Source  SQS API Reference 2012-11-05; limits and texts: docs/sources/sqs.md
Absent  none
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudlet.aws.request import Anew, Wait
from cloudlet.aws.service import Result
from cloudlet.kernel.fault import Fault
from cloudlet.kernel.ids import uuid_of
from cloudlet.services.sqs import batch, decide
from cloudlet.services.sqs.attributes import EVERY_NAME, allows
from cloudlet.services.sqs.contents import (
    SYSTEM_NAMES,
    check_fifo,
    delivered,
    prepare,
    sequence_number_of,
    wanted,
)
from cloudlet.services.sqs.faults import (
    BatchTooLong,
    InvalidReceipt,
    InvalidValue,
    OverLimit,
    UnknownAttribute,
    invalid,
    missing,
    sqs,
    within,
)
from cloudlet.services.sqs.queues import Found, find, find_arn, on_queue
from cloudlet.services.sqs.receipts import Receipt, seal, unseal
from cloudlet.services.sqs.records import Deleted, encode, read_sent
from cloudlet.services.sqs.state import QueueState
from cloudlet.services.sqs.transfer import look, source_id, transfer

if TYPE_CHECKING:
    from cloudlet.aws.request import Request
    from cloudlet.services.sqs import shapes

BATCH_BYTES_MAX = 1_048_576
RECEIVED_MAX = 10
WAIT_SECONDS_MAX = 20
VISIBILITY_SECONDS_MAX = 43_200


@sqs.op(resource=on_queue("SendMessage"), is_data=True)
def send_message(rq: Request, p: shapes.SendMessageRequest) -> Result:
    """Put one message into a queue."""
    queue = find(rq, p.QueueUrl)
    state = rq.log(queue.log, QueueState)
    draft = prepare(rq, queue, p)
    if draft.size_bytes > queue.record.size_bytes_max:
        raise _too_long(queue, "One or more parameters are invalid.")
    (accepted,) = decide.send(state, queue.rules, rq.now_ms, (draft,))
    if accepted.record is not None:
        rq.append(queue.log, (encode(accepted.record),))
    return _answer(queue, draft, accepted)


@sqs.op(resource=on_queue("SendMessage"), action="sqs:SendMessage", is_data=True)
def send_message_batch(rq: Request, p: shapes.SendMessageBatchRequest) -> Result:
    """Put up to ten messages into a queue; each is accepted or refused by itself.

    What a FIFO queue needs of every message is refused for the whole batch.
    """
    queue = find(rq, p.QueueUrl)
    entries = batch.checked(p.Entries, "SendMessageBatchRequestEntry")
    for entry in entries if queue.record.is_fifo else ():
        check_fifo(queue, entry.MessageGroupId, entry.MessageDeduplicationId)
    state = rq.log(queue.log, QueueState)
    drafts: dict[str, decide.Draft] = {}
    sizes: list[int] = []

    def attempt(entry: shapes.SendMessageBatchRequestEntry) -> Result:
        draft = prepare(rq, queue, entry)
        sizes.append(draft.size_bytes)
        if draft.size_bytes > queue.record.size_bytes_max:
            raise _too_long(queue, "One or more parameters cannot be validated.")
        drafts[entry.Id] = draft
        return {}

    _, failed = batch.each(entries, attempt)
    if sum(sizes) > BATCH_BYTES_MAX:
        raise BatchTooLong(
            f"Batch requests cannot be longer than {BATCH_BYTES_MAX} bytes. You have sent {sum(sizes)} bytes."
        )
    accepted = decide.send(state, queue.rules, rq.now_ms, list(drafts.values()))
    records = [encode(each.record) for each in accepted if each.record is not None]
    if records:
        rq.append(queue.log, records)
    successful: list[Result] = [
        {"Id": name, **_answer(queue, draft, each)}
        for (name, draft), each in zip(drafts.items(), accepted, strict=True)
    ]
    return batch.result(successful, failed)


def _too_long(queue: Found, what: str) -> Fault:
    limit = queue.record.size_bytes_max
    return InvalidValue(f"{what} Reason: Message must be shorter than {limit} bytes.")


def _answer(queue: Found, draft: decide.Draft, accepted: decide.Accepted) -> Result:
    result: dict[str, object] = {
        "MessageId": uuid_of(accepted.message_id),
        "MD5OfMessageBody": draft.content.body_md5,
    }
    if draft.attributes_md5 is not None:
        result["MD5OfMessageAttributes"] = draft.attributes_md5
    if draft.system_md5 is not None:
        result["MD5OfMessageSystemAttributes"] = draft.system_md5
    if queue.record.is_fifo:
        result["SequenceNumber"] = sequence_number_of(accepted.sequence)
    return result


# --- receiving


@sqs.op(resource=on_queue("ReceiveMessage"), is_data=True)
def receive_message(rq: Request, p: shapes.ReceiveMessageRequest) -> Result | Wait:
    """Give out up to ten messages and hide them; waits for the first if the caller or the queue says so."""
    queue = find(rq, p.QueueUrl)
    count = p.MaxNumberOfMessages
    within("MaxNumberOfMessages", count, 1, RECEIVED_MAX, "Must be between 1 and 10, if provided.")
    within("WaitTimeSeconds", p.WaitTimeSeconds, 0, WAIT_SECONDS_MAX, "Must be >= 0 and <= 20, if provided.")
    visibility = p.VisibilityTimeout
    reason = "Must be between 0 and 43200, if provided."
    within("VisibilityTimeout", visibility, 0, VISIBILITY_SECONDS_MAX, reason)
    _system_names(p)
    attempt = p.ReceiveRequestAttemptId if queue.record.is_fifo else None
    state = look(rq, queue)
    hidden_ms = (queue.record.visibility_seconds if visibility is None else visibility) * 1000
    target = _dead_letters(rq, queue)
    rules = queue.rules if target is not None else decide.Rules(
        queue.rules.is_fifo, queue.rules.retention_ms, None, queue.rules.is_deduplicated_by_group
    )  # fmt: skip
    wait_ms = (queue.record.wait_seconds if p.WaitTimeSeconds is None else p.WaitTimeSeconds) * 1000
    try:
        given = decide.receive(state, rules, rq.now_ms, 1 if count is None else count, hidden_ms, attempt)
    except Fault as fault:
        if fault.code != OverLimit.code or not wait_ms:
            raise
        given = decide.Given((), (), ())  # "If you use long polling, Amazon SQS returns no error messages"
    result = _messages(rq, queue, state, given, p)
    if not given.sequences and not given.records and not given.dead:
        if rq.waited_ms >= wait_ms:
            return {}
        return Wait(queue.log, wait_ms, state.shelf.next_visible_ms())
    if given.dead and target is not None:
        _bury(rq, queue, state, target, given)
    elif given.records:
        rq.append(queue.log, [encode(record) for record in given.records])
    if not given.sequences:
        raise Anew  # there may be others behind these
    return result


def _dead_letters(rq: Request, queue: Found) -> Found | None:
    """The queue that takes this one's dead letters, None where there is none that does."""
    if not queue.record.dead_letters_arn:
        return None
    target = find_arn(rq, queue.record.dead_letters_arn)
    return target if target is not None and allows(target, queue.arn) else None


def _bury(rq: Request, queue: Found, state: QueueState, target: Found, given: decide.Given) -> None:
    """Move dead letters into their queue."""
    target_state = rq.log(target.log, QueueState)
    records = rq.records(queue.log, [state.shelf.messages[sequence].offset for sequence in given.dead])
    sents = [read_sent(record) for record in records]
    moving = decide.Moving(state, source_id(queue), given.dead, sents)
    buried = decide.bury(moving, target_state, target.rules, rq.now_ms, queue.arn)
    transfer(rq, queue, target, given.dead, buried, given.records)


def _messages(
    rq: Request, queue: Found, state: QueueState, given: decide.Given, p: shapes.ReceiveMessageRequest
) -> Result:
    if not given.sequences:
        return {}
    ask = wanted(_system_names(p), p.MessageAttributeNames or ())
    messages = [state.shelf.messages[sequence] for sequence in given.sequences]
    records = rq.records(queue.log, [message.offset for message in messages])
    return {
        "Messages": [
            delivered(
                read_sent(record), message, seal(queue.record.id, sequence, count), count, ask, rq.now_ms
            )
            for sequence, count, message, record in zip(
                given.sequences, given.counts, messages, records, strict=True
            )
        ]
    }


def _system_names(p: shapes.ReceiveMessageRequest) -> Sequence[str]:
    """The system attributes asked for under the member's new name and its old one; UnknownAttribute."""
    system, legacy = p.MessageSystemAttributeNames or (), p.AttributeNames or ()
    for name in system:
        if name not in SYSTEM_NAMES:
            raise UnknownAttribute(f"Unknown Attribute {name}.")
    for name in legacy:  # whose type lists the attributes of queues too
        if name not in SYSTEM_NAMES and name not in EVERY_NAME:
            raise UnknownAttribute(f"Unknown Attribute {name}.")
    return (*system, *legacy) if system and legacy else system or legacy


# --- deleting and hiding


@sqs.op(resource=on_queue("DeleteMessage"), is_data=True)
def delete_message(rq: Request, p: shapes.DeleteMessageRequest) -> None:
    """Delete a message that was received; one that is gone already is no error."""
    queue = find(rq, p.QueueUrl)
    state = look(rq, queue)
    handle = p.ReceiptHandle
    sequence = decide.deletable(state, queue.rules, rq.now_ms, _receipt(queue, handle), handle)
    if sequence is not None:
        rq.append(queue.log, (encode(Deleted((sequence,))),))


@sqs.op(resource=on_queue("DeleteMessage"), action="sqs:DeleteMessage", is_data=True)
def delete_message_batch(rq: Request, p: shapes.DeleteMessageBatchRequest) -> Result:
    """Delete up to ten messages, each by itself."""
    queue = find(rq, p.QueueUrl)
    entries = batch.checked(p.Entries, "DeleteMessageBatchRequestEntry")
    state = look(rq, queue)
    gone: dict[int, None] = {}

    def attempt(entry: shapes.DeleteMessageBatchRequestEntry) -> Result:
        receipt = _receipt(queue, entry.ReceiptHandle)
        sequence = decide.deletable(state, queue.rules, rq.now_ms, receipt, entry.ReceiptHandle)
        if sequence is not None:
            gone[sequence] = None
        return {}

    successful, failed = batch.each(entries, attempt)
    if gone:
        rq.append(queue.log, (encode(Deleted(tuple(gone))),))
    return batch.result(successful, failed)


@sqs.op(resource=on_queue("ChangeMessageVisibility"), is_data=True)
def change_message_visibility(rq: Request, p: shapes.ChangeMessageVisibilityRequest) -> None:
    """Let a message that was received become visible at another time, counted from now."""
    queue = find(rq, p.QueueUrl)
    state = look(rq, queue)
    change = _change(rq, queue, state, p.ReceiptHandle, p.VisibilityTimeout)
    rq.append(queue.log, (encode(decide.change_visibility(rq.now_ms, (change,))),))


@sqs.op(resource=on_queue("ChangeMessageVisibility"), action="sqs:ChangeMessageVisibility", is_data=True)
def change_message_visibility_batch(rq: Request, p: shapes.ChangeMessageVisibilityBatchRequest) -> Result:
    """The same for up to ten messages, each by itself."""
    queue = find(rq, p.QueueUrl)
    entries = batch.checked(p.Entries, "ChangeMessageVisibilityBatchRequestEntry")
    state = look(rq, queue)
    changes: list[tuple[int, int]] = []

    def attempt(entry: shapes.ChangeMessageVisibilityBatchRequestEntry) -> Result:
        changes.append(_change(rq, queue, state, entry.ReceiptHandle, entry.VisibilityTimeout))
        return {}

    successful, failed = batch.each(entries, attempt)
    if changes:
        rq.append(queue.log, (encode(decide.change_visibility(rq.now_ms, changes)),))
    return batch.result(successful, failed)


def _change(
    rq: Request, queue: Found, state: QueueState, handle: str, seconds: int | None
) -> tuple[int, int]:
    if seconds is None:
        raise missing("VisibilityTimeout")
    if not 0 <= seconds <= VISIBILITY_SECONDS_MAX:
        raise invalid("VisibilityTimeout", seconds, "Must be between 0 and 43200.")
    receipt = _receipt(queue, handle)
    sequence = decide.changeable(state, queue.rules, rq.now_ms, receipt, handle, seconds * 1000)
    return sequence, seconds * 1000


def _receipt(queue: Found, handle: str) -> Receipt:
    """What a handle says, if it is one of this queue."""
    if not handle:
        raise missing("ReceiptHandle")
    receipt = unseal(handle)
    if receipt is None or receipt.queue != queue.record.id:
        raise InvalidReceipt(f'The input receipt handle "{handle}" is not a valid receipt handle.')
    return receipt
