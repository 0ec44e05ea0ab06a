"""Message move tasks: a dead-letter queue's messages go back to where they came from, or elsewhere.

State   ("sqs", "move", account, region, queue name, task number) -> Move
Source  SQS API Reference 2012-11-05, StartMessageMoveTask and its companions; docs/sources/sqs.md
Absent  none

Theory of operation
    A task is a record; a controller does its work in steps of up to ten messages, each a transfer (see
    transfer.py), so nothing is lost and nothing doubled. The count of moved messages is kept in the task's
    record afterwards; a crash before that makes it too small, never the queues wrong.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import TYPE_CHECKING

import msgspec

from cloudlet.aws.arn import parse_arn
from cloudlet.aws.controller import Controller
from cloudlet.aws.record import Key, Record
from cloudlet.aws.service import Access, Result
from cloudlet.services.sqs import decide
from cloudlet.services.sqs.faults import (
    InvalidValue,
    NoSuchResource,
    invalid,
    sqs,
    within,
)
from cloudlet.services.sqs.queues import Found, Queue, find_arn
from cloudlet.services.sqs.records import read_sent
from cloudlet.services.sqs.state import QueueState
from cloudlet.services.sqs.transfer import look, source_id, transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudlet.aws.request import Request
    from cloudlet.services.sqs import shapes

MOVES = ("sqs", "move")  # a range of its own: its controller need not look at the queues

STEP_MAX = 10
PER_SECOND_MAX = 500
LISTED_MAX = 10
KEPT_MAX = 10  # tasks of one queue that are remembered
IDLE_MS = 60_000
NEVER_MS = 0  # before every message: what a task moves does not expire on the way
RUNNING, CANCELLING = "RUNNING", "CANCELLING"
COMPLETED, CANCELLED, FAILED = "COMPLETED", "CANCELLED", "FAILED"


class Move(Record):
    """One task."""

    source_arn: str
    destination_arn: str  # "" where each message goes back to its own source
    per_second: int  # 0: as fast as it goes
    started_ms: int
    status: str
    to_move: int
    moved: int = 0
    failure: str = ""


def on_source(action: str) -> object:
    """The access to a task's source queue, for policies."""

    def accesses(rq: Request, p: msgspec.Struct) -> Sequence[Access]:
        return [Access(f"sqs:{action}", str(getattr(p, "SourceArn", None) or "*"), {})]

    return accesses


def _key(queue: Found, number: int) -> Key:
    return (*MOVES, queue.account, queue.region, queue.name, number)


def _tasks(rq: Request, queue: Found) -> list[tuple[Key, Move]]:
    """A queue's tasks, the newest first."""
    prefix = (*MOVES, queue.account, queue.region, queue.name)
    return sorted(rq.scan(prefix, Move), key=lambda pair: -int(pair[0][-1]))


class Handle(msgspec.Struct, frozen=True):
    """What a task's handle says, in AWS's own form."""

    taskId: str  # noqa: N815 - AWS's spelling, as below
    sourceArn: str  # noqa: N815


def _task_id(key: Key) -> str:
    """A task's id: a UUID made of its key, the same for all time."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, key))))


def _handle(key: Key, source_arn: str) -> str:
    return base64.b64encode(msgspec.json.encode(Handle(_task_id(key), source_arn))).decode()


def _unsealed(text: str) -> Handle:
    try:
        return msgspec.json.decode(base64.b64decode(text, validate=True), type=Handle)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidValue("Value for parameter TaskHandle is invalid.") from None


def _source(rq: Request, arn: str) -> Found:
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "sqs":
        raise invalid("SourceArn", arn, "The ARN of a queue is needed.")
    queue = find_arn(rq, arn)
    if queue is None:
        raise NoSuchResource("The resource that you specified for the SourceArn parameter doesn't exist.")
    return queue


@sqs.op(resource=on_source("StartMessageMoveTask"))  # type: ignore[arg-type]
def start_message_move_task(rq: Request, p: shapes.StartMessageMoveTaskRequest) -> Result:
    """Begin to move all messages of a dead-letter queue."""
    within(
        "MaxNumberOfMessagesPerSecond", p.MaxNumberOfMessagesPerSecond, 1, PER_SECOND_MAX,
        f"Must be between 1 and {PER_SECOND_MAX}.",
    )  # fmt: skip
    source = _source(rq, p.SourceArn)
    if not _is_dead_letter_queue(rq, source):
        raise InvalidValue("Source queue must be configured as a Dead Letter Queue.")
    if p.DestinationArn:
        target = find_arn(rq, p.DestinationArn)
        if target is None:
            raise NoSuchResource(
                "The resource that you specified for the DestinationArn parameter doesn't exist."
            )
        if target.arn == source.arn:
            raise invalid("DestinationArn", p.DestinationArn, "It is the source's.")
        if target.record.is_fifo != source.record.is_fifo:
            raise invalid("DestinationArn", p.DestinationArn, "Both queues must be of the same type.")
    tasks = _tasks(rq, source)
    if any(task.status in (RUNNING, CANCELLING) for _, task in tasks):
        raise InvalidValue(
            "There is already a task running. Only one active task is allowed for a source queue arn at a "
            "given time."
        )
    state = look(rq, source)
    key = _key(source, int(tasks[0][0][-1]) + 1 if tasks else 1)
    count = state.shelf.counts(rq.now_ms).ready
    task = Move(
        source.arn, p.DestinationArn or "", p.MaxNumberOfMessagesPerSecond or 0, rq.now_ms, RUNNING, count
    )
    rq.commit(put={key: task}, drop=[old for old, _ in tasks[KEPT_MAX - 1 :]])
    return {"TaskHandle": _handle(key, source.arn)}


def _is_dead_letter_queue(rq: Request, queue: Found) -> bool:
    return any(
        record.dead_letters_arn == queue.arn
        for _, record in rq.glance(("sqs", queue.account, queue.region, "queue"), Queue)
    )


@sqs.op(resource=on_source("CancelMessageMoveTask"))  # type: ignore[arg-type]
def cancel_message_move_task(rq: Request, p: shapes.CancelMessageMoveTaskRequest) -> Result:
    """Stop a task after its step at hand; what it has moved stays moved."""
    handle = _unsealed(p.TaskHandle)
    source = _source(rq, handle.sourceArn)
    tasks = _tasks(rq, source) if source.account == rq.account else []
    key = next((key for key, _ in tasks if _task_id(key) == handle.taskId), None)
    task = rq.get(key, Move) if key is not None else None
    if key is None or task is None or task.status != RUNNING:
        raise NoSuchResource("Task does not exist.")
    rq.commit(put={key: msgspec.structs.replace(task, status=CANCELLING)})
    return {"ApproximateNumberOfMessagesMoved": task.moved}


@sqs.op(resource=on_source("ListMessageMoveTasks"))  # type: ignore[arg-type]
def list_message_move_tasks(rq: Request, p: shapes.ListMessageMoveTasksRequest) -> Result:
    """A queue's tasks, the newest first."""
    within("MaxResults", p.MaxResults, 1, LISTED_MAX, "Must be between 1 and 10.")
    source = _source(rq, p.SourceArn)
    return {"Results": [_shown(key, task) for key, task in _tasks(rq, source)[: p.MaxResults or 1]]}


def _shown(key: Key, task: Move) -> Result:
    result: dict[str, object] = {
        "Status": task.status,
        "SourceArn": task.source_arn,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "StartedTimestamp": task.started_ms,
    }
    if task.status == RUNNING:
        result["TaskHandle"] = _handle(key, task.source_arn)
    if task.destination_arn:
        result["DestinationArn"] = task.destination_arn
    if task.per_second:
        result["MaxNumberOfMessagesPerSecond"] = task.per_second
    if task.failure:
        result["FailureReason"] = task.failure
    return result


# --- the controller


@sqs.controller
async def carry_out_moves(ctl: Controller) -> None:
    """Work on every running task, a step of each in turn."""
    while True:
        head = ctl.head
        pauses: list[float] = []
        for key in ctl.names(MOVES):
            pause_ms = await _step(ctl, key)
            if pause_ms is not None:
                pauses.append(pause_ms)
        if pauses:
            await ctl.sleep(min(pauses))
        else:
            await ctl.changed(MOVES, head, IDLE_MS)


async def _step(ctl: Controller, key: Key) -> float | None:
    """One step of a task; how long until its next one, None when it is at its end."""
    account, region = str(key[2]), str(key[3])
    begun: list[int] = []
    moved = await ctl.decide(account, region, lambda rq: _move_some(rq, key, begun))
    if moved is None:
        return None
    status = await ctl.decide(account, region, lambda rq: _note(rq, key, moved))
    if status is None:
        return None
    return 1000.0 * moved / status if status else 0.0


def _move_some(rq: Request, key: Key, begun: list[int]) -> int | None:
    """Move up to a step's messages; how many, None where the task is not running.

    `begun` are the numbers of the moves that this step has tried: one that was cut short and is done after
    all is the step.
    """
    task = rq.peek(key, Move)
    if task is None or task.status not in (RUNNING, CANCELLING):
        return None
    source = find_arn(rq, task.source_arn)
    if source is None or task.status == CANCELLING:
        return 0
    state = look(rq, source)
    if state.moves in begun and state.departed:
        return state.departed
    step = max(1, min(STEP_MAX, task.per_second or STEP_MAX))
    sequences = state.shelf.take(rq.now_ms, step, NEVER_MS).deliver
    if not sequences:
        return 0
    sents = [
        read_sent(record)
        for record in rq.records(source.log, [state.shelf.messages[each].offset for each in sequences])
    ]
    arn = task.destination_arn or sents[0].content.dead_letter_source
    target = find_arn(rq, arn) if arn else None
    if target is None:
        return 0
    same = 0
    while same < len(sents) and (task.destination_arn or sents[same].content.dead_letter_source) == arn:
        same += 1
    moving = decide.Moving(state, source_id(source), sequences[:same], sents[:same])
    target_state = rq.log(target.log, QueueState)
    records = decide.redrive(moving, target_state, rq.now_ms, [rq.token(16) for _ in range(same)])
    transfer(rq, source, target, sequences[:same], records)
    begun.append(state.moves + 1)
    return same


def _note(rq: Request, key: Key, moved: int) -> int | None:
    """Keep how far the task is; its rate while it goes on (0: none), None at its end."""
    task = rq.get(key, Move)
    if task is None:
        return None
    status, failure = task.status, ""
    if status == CANCELLING:
        status = CANCELLED
    elif not moved:
        status, failure = _end(rq, task)
    noted = msgspec.structs.replace(task, moved=task.moved + moved, status=status, failure=failure)
    rq.commit(put={key: noted})
    return task.per_second if status == RUNNING else None


def _end(rq: Request, task: Move) -> tuple[str, str]:
    """Why a step found nothing to move."""
    source = find_arn(rq, task.source_arn)
    if source is None:
        return FAILED, "AWS.SimpleQueueService.NonExistentQueue"
    state = look(rq, source)
    if state.shelf.counts(rq.now_ms).ready == 0:
        return COMPLETED, ""
    if task.destination_arn and find_arn(rq, task.destination_arn) is None:
        return FAILED, "AWS.SimpleQueueService.NonExistentQueue"
    return FAILED, "CouldNotDetermineMessageSource"
