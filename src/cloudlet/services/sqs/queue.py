"""Operations on queues: made, found, listed, changed, purged, deleted, tagged, shared.

State   as in queues.py; ("tags", account, arn) -> Tags
Source  SQS API Reference 2012-11-05; limits and texts: docs/sources/sqs.md
Absent  policies are kept and not enforced
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from cloudlet.aws import tags
from cloudlet.aws.controller import Controller
from cloudlet.aws.pages import BadToken, seal, unseal
from cloudlet.aws.record import Key
from cloudlet.aws.request import Anew
from cloudlet.aws.service import Result
from cloudlet.kernel.fault import Fault
from cloudlet.kernel.logs import LogName
from cloudlet.services.sqs import attributes, decide
from cloudlet.services.sqs.faults import (
    DeletedRecently,
    InvalidValue,
    NoSuchQueue,
    QueueExists,
    invalid,
    missing,
    sqs,
    within,
)
from cloudlet.services.sqs.queues import (
    Deleted,
    Found,
    Queue,
    arn_of,
    find,
    hold,
    key_of,
    on_queue,
    url_of,
)
from cloudlet.services.sqs.records import Deleted as MessagesDeleted
from cloudlet.services.sqs.records import encode
from cloudlet.services.sqs.state import PURGE_INTERVAL_MS
from cloudlet.services.sqs.transfer import look

if TYPE_CHECKING:
    from cloudlet.aws.request import Request
    from cloudlet.services.sqs import shapes

NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")
FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo\Z")
DELETED_MS = 60_000  # "you must wait at least 60 seconds before creating a queue with the same name"
LISTED_MAX = 1000
LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")
STATEMENTS_MAX = 20
ACTIONS_MAX = 7


DELETED = ("sqs", "deleted")  # a range of its own: its controller need not look at the queues


def deleted_key(account: str, region: str, name: str) -> Key:
    """Where a queue that is gone is remembered."""
    return (*DELETED, account, region, name)


@sqs.op(resource="arn:aws:sqs:{region}:{account}:{QueueName}")
def create_queue(rq: Request, p: shapes.CreateQueueRequest) -> Result:
    """Make a queue; the same name with the same attributes gives the queue that is there."""
    name = p.QueueName
    given: Mapping[str, str] = p.Attributes or {}
    is_fifo = attributes.is_true(given.get("FifoQueue", ""))
    _check_name(name, is_fifo=is_fifo)
    key = key_of(rq.account, rq.region, name)
    old = rq.get(key, Queue)
    if old is not None:
        wanted = attributes.changed(
            rq, old, {n: v for n, v in given.items() if n != "FifoQueue"}, is_new=True
        )
        differing = attributes.different(old, wanted, list(given))
        if differing is not None:
            raise QueueExists(
                "A queue already exists with the same name and a different value for attribute " + differing
            )
        return {"QueueUrl": url_of(rq, rq.account, name)}
    gone = rq.get(deleted_key(rq.account, rq.region, name), Deleted)
    if gone is not None and rq.now_ms < gone.deleted_ms + rq.cooldown_ms(DELETED_MS):
        raise DeletedRecently
    if gone is not None:
        rq.drop_log(LogName(gone.log))  # a crash may have left it, and the next deletion forgets its name
    fresh = Queue(rq.token(8), rq.now_ms, rq.now_ms, is_fifo)
    made: dict[Key, Queue | tags.Tags] = {key: attributes.changed(rq, fresh, given, is_new=True)}
    if p.tags:
        arn = arn_of(rq.account, rq.region, name)
        made[tags.key(rq, arn)] = tags.added({}, p.tags, InvalidValue, too_many_tags(name))
    rq.commit(put=made)
    return {"QueueUrl": url_of(rq, rq.account, name)}


def too_many_tags(name: str) -> Fault:
    """More than 50."""
    return InvalidValue(f"Too many tags added for queue {name}.")


def _check_name(name: str, *, is_fifo: bool) -> None:
    if is_fifo and not FIFO_NAME.match(name):
        raise InvalidValue(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
            "must end with .fifo suffix and be 1 to 80 in length."
        )
    if not is_fifo and not NAME.match(name):
        raise InvalidValue(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


@sqs.op(resource=on_queue("DeleteQueue"))
def delete_queue(rq: Request, p: shapes.DeleteQueueRequest) -> None:
    """Delete a queue and its messages; its name rests for a minute."""
    queue = hold(rq, p.QueueUrl)
    rq.commit(
        put={deleted_key(queue.account, queue.region, queue.name): Deleted(rq.now_ms, queue.log)},
        drop=[key_of(queue.account, queue.region, queue.name), ("tags", queue.account, queue.arn)],
    )
    rq.drop_log(queue.log)


@sqs.controller
async def forget_deleted(ctl: Controller) -> None:
    """Drop the logs that a crash left without a queue, and the names whose minute is over."""
    while True:
        head = ctl.head
        for key in ctl.names(DELETED):
            await ctl.decide(str(key[2]), str(key[3]), partial(_forget, key))
        await ctl.changed(DELETED, head, DELETED_MS)


def _forget(key: Key, rq: Request) -> None:
    gone = rq.get(key, Deleted)
    if gone is not None and rq.now_ms >= gone.deleted_ms + DELETED_MS:
        rq.commit(drop=[key])
        rq.drop_log(LogName(gone.log))


@sqs.op(resource="arn:aws:sqs:{region}:{account}:{QueueName}")
def get_queue_url(rq: Request, p: shapes.GetQueueUrlRequest) -> Result:
    """The URL of a queue, by its name and, for another account's, its owner."""
    account = p.QueueOwnerAWSAccountId or rq.account
    if rq.peek(key_of(account, rq.region, p.QueueName), Queue) is None:
        raise NoSuchQueue
    return {"QueueUrl": url_of(rq, account, p.QueueName)}


@sqs.op(resource="arn:aws:sqs:{region}:{account}:*")
def list_queues(rq: Request, p: shapes.ListQueuesRequest) -> Result:
    """The queues whose name begins with a prefix, in order; in pages where MaxResults is given."""
    within("MaxResults", p.MaxResults, 1, LISTED_MAX, "MaxResults must be between 1 and 1000.")
    prefix = p.QueueNamePrefix or ""
    listing = f"ListQueues/{rq.account}/{rq.region}/{prefix}"
    after = prefix
    if p.NextToken:
        try:
            after = unseal(listing, p.NextToken).decode()
        except (BadToken, UnicodeDecodeError):
            raise invalid("NextToken", p.NextToken, "The token is not valid.") from None
    size = p.MaxResults or LISTED_MAX
    names: list[str] = []
    first = ("sqs", rq.account, rq.region, "queue")
    for key, _ in rq.glance(first, Queue, first=(*first, after), limit=size + 2):
        name = str(key[-1])
        if not name.startswith(prefix):
            break
        if not p.NextToken or name > after:
            names.append(name)
    page = names[:size]
    result: dict[str, object] = {}
    if page:
        result["QueueUrls"] = [url_of(rq, rq.account, name) for name in page]
    if p.MaxResults and len(names) > size:
        result["NextToken"] = seal(listing, page[-1].encode())
    return result


@sqs.op(resource=on_queue("GetQueueAttributes"))
def get_queue_attributes(rq: Request, p: shapes.GetQueueAttributesRequest) -> Result:
    """A queue's attributes, and how many messages it has in each state."""
    queue = find(rq, p.QueueUrl)
    state = look(rq, queue)
    overdue = state.shelf.overdue(rq.now_ms, rq.now_ms - queue.rules.retention_ms)
    if overdue:
        rq.append(queue.log, [encode(MessagesDeleted(tuple(overdue)))])
        raise Anew  # there may be others behind these
    found = attributes.asked(queue, state, p.AttributeNames or (), rq.now_ms)
    return {"Attributes": found} if found else {}


@sqs.op(resource=on_queue("SetQueueAttributes"))
def set_queue_attributes(rq: Request, p: shapes.SetQueueAttributesRequest) -> None:
    """Change attributes; those not given stay as they are."""
    if not p.Attributes:
        raise missing("Attribute.Name")
    queue = hold(rq, p.QueueUrl)
    changed = attributes.changed(rq, queue.record, p.Attributes, is_new=False)
    changed = msgspec.structs.replace(changed, modified_ms=rq.now_ms)
    rq.commit(put={key_of(queue.account, queue.region, queue.name): changed})


@sqs.op(resource=on_queue("PurgeQueue"))
def purge_queue(rq: Request, p: shapes.PurgeQueueRequest) -> None:
    """Delete every message, at most once a minute."""
    queue = find(rq, p.QueueUrl)
    state = look(rq, queue)
    interval_ms = rq.cooldown_ms(PURGE_INTERVAL_MS)
    rq.append(queue.log, [encode(decide.purge(state, rq.now_ms, queue.name, interval_ms))])


@sqs.op(resource=on_queue("ListDeadLetterSourceQueues"))
def list_dead_letter_source_queues(rq: Request, p: shapes.ListDeadLetterSourceQueuesRequest) -> Result:
    """The queues whose dead letters come here."""
    within("MaxResults", p.MaxResults, 1, LISTED_MAX, "MaxResults must be between 1 and 1000.")
    queue = find(rq, p.QueueUrl)
    listing = f"ListDeadLetterSourceQueues/{queue.arn}"
    after = ""
    if p.NextToken:
        try:
            after = unseal(listing, p.NextToken).decode()
        except (BadToken, UnicodeDecodeError):
            raise invalid("NextToken", p.NextToken, "The token is not valid.") from None
    sources = [
        str(key[-1])
        for key, record in rq.glance(("sqs", queue.account, queue.region, "queue"), Queue)
        if record.dead_letters_arn == queue.arn and str(key[-1]) > after
    ]
    size = p.MaxResults or LISTED_MAX
    result: dict[str, object] = {"queueUrls": [url_of(rq, queue.account, name) for name in sources[:size]]}
    if p.MaxResults and len(sources) > size:
        result["NextToken"] = seal(listing, sources[size - 1].encode())
    return result


# --- tags


@sqs.op(resource=on_queue("TagQueue"))
def tag_queue(rq: Request, p: shapes.TagQueueRequest) -> None:
    """Add tags, or change the values of those that are there."""
    queue = hold(rq, p.QueueUrl)
    if not p.Tags:
        raise missing("Tags")
    merged = tags.added(tags.read(rq, queue.arn), p.Tags, InvalidValue, too_many_tags(queue.name))
    rq.commit(put={tags.key(rq, queue.arn): merged})


@sqs.op(resource=on_queue("UntagQueue"))
def untag_queue(rq: Request, p: shapes.UntagQueueRequest) -> None:
    """Take tags away."""
    queue = hold(rq, p.QueueUrl)
    if not p.TagKeys:
        raise InvalidValue("Tag keys must be between 1 and 128 characters in length.")
    rq.commit(put={tags.key(rq, queue.arn): tags.removed(tags.read(rq, queue.arn), p.TagKeys)})


@sqs.op(resource=on_queue("ListQueueTags"))
def list_queue_tags(rq: Request, p: shapes.ListQueueTagsRequest) -> Result:
    """A queue's tags."""
    found = tags.read(rq, find(rq, p.QueueUrl).arn)
    return {"Tags": dict(found)} if found else {}


# --- permissions: statements of the policy under a label


class Statement(msgspec.Struct, omit_defaults=True):
    """A statement of a queue's policy, as AddPermission writes it."""

    Sid: str
    Effect: str
    Principal: dict[str, object]
    Action: list[str] | str
    Resource: str


class Policy(msgspec.Struct, omit_defaults=True):
    """A queue's policy, its statements as they are. One without a version means that of 2008."""

    Version: str = ""
    Id: str = ""
    Statement: list[msgspec.Raw] = []


@sqs.op(resource=on_queue("AddPermission"))
def add_permission(rq: Request, p: shapes.AddPermissionRequest) -> None:
    """Add a statement that lets accounts do actions."""
    queue = hold(rq, p.QueueUrl)
    if not LABEL.match(p.Label):
        raise invalid("Label", p.Label, "Can only include alphanumeric characters, hyphens, or underscores.")
    if not p.AWSAccountIds:
        raise InvalidValue("Value [] for parameter PrincipalId is invalid. Reason: Unable to verify.")
    if not p.Actions:
        raise missing("Actions")
    if len(p.Actions) > ACTIONS_MAX:
        raise OverPermission(f"{len(p.Actions)} Actions were found, maximum allowed is {ACTIONS_MAX}.")
    for action in p.Actions:
        if action != "*" and sqs.operation(action) is None:
            reason = "Please refer to the appropriate WSDL for a list of valid actions. "
            raise invalid("ActionName", action, reason)
        if action in OWNERS_ONLY:
            reason = "Only the queue owner is allowed to invoke this action."
            raise invalid("ActionName", f"SQS:{action}", reason)
    policy = _policy_of(queue)
    if any(_label(each) == p.Label for each in policy.Statement):
        raise invalid("Label", p.Label, "Already exists.")
    if len(policy.Statement) >= STATEMENTS_MAX:
        raise OverPermission(f"{STATEMENTS_MAX} statements are the most that a queue's policy may have.")
    principals = [f"arn:aws:iam::{account}:root" for account in p.AWSAccountIds]
    actions = [f"SQS:{action}" for action in p.Actions]
    statement = Statement(
        p.Label,
        "Allow",
        {"AWS": principals[0] if len(principals) == 1 else principals},
        actions[0] if len(actions) == 1 else actions,
        queue.arn,
    )
    policy.Id = policy.Id or f"{queue.arn}/SQSDefaultPolicy"
    _write_policy(rq, queue, policy, [*policy.Statement, msgspec.Raw(msgspec.json.encode(statement))])


# SQS Developer Guide, "Overview of managing access": cross-account permissions do not apply to these.
OWNERS_ONLY = frozenset(
    {
        "AddPermission", "CancelMessageMoveTask", "CreateQueue", "DeleteQueue", "ListMessageMoveTasks",
        "ListQueues", "ListQueueTags", "RemovePermission", "SetQueueAttributes", "StartMessageMoveTask",
        "TagQueue", "UntagQueue",
    }
)  # fmt: skip

OverPermission = sqs.fault("OverLimit", status=403)


@sqs.op(resource=on_queue("RemovePermission"))
def remove_permission(rq: Request, p: shapes.RemovePermissionRequest) -> None:
    """Take the statement of a label away."""
    queue = hold(rq, p.QueueUrl)
    policy = _policy_of(queue)
    left = [each for each in policy.Statement if _label(each) != p.Label]
    if len(left) == len(policy.Statement):
        raise invalid("Label", p.Label, "can't find label.")
    _write_policy(rq, queue, policy, left)


def _policy_of(queue: Found) -> Policy:
    return (
        msgspec.json.decode(queue.record.policy, type=Policy)
        if queue.record.policy
        else Policy(Version="2008-10-17")
    )


def _label(statement: msgspec.Raw) -> object:
    found = msgspec.json.decode(statement)
    return found.get("Sid") if isinstance(found, dict) else None


def _write_policy(rq: Request, queue: Found, policy: Policy, statements: list[msgspec.Raw]) -> None:
    policy.Statement = statements
    text = msgspec.json.encode(policy).decode() if statements else ""
    changed = msgspec.structs.replace(queue.record, policy=text, modified_ms=rq.now_ms)
    rq.commit(put={key_of(queue.account, queue.region, queue.name): changed})
