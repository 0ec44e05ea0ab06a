"""A queue's attributes: from the text of a client to a Queue record, and back.

State   none
Source  SQS API Reference 2012-11-05, CreateQueue, SetQueueAttributes, GetQueueAttributes; docs/sources/sqs.md
Absent  KmsMasterKeyId and KmsDataKeyReusePeriodSeconds are refused by name until KMS is here
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from cloudlet.aws.service import NotImplementedFault
from cloudlet.kernel.fault import Fault
from cloudlet.services.sqs.faults import InvalidAttribute, InvalidValue, UnknownAttribute
from cloudlet.services.sqs.queues import BY_GROUP, PER_GROUP, Found, Queue, find_arn
from cloudlet.services.sqs.state import QueueState

if TYPE_CHECKING:
    from cloudlet.aws.request import Request

NUMBER = re.compile(r"\d{1,9}\Z", re.ASCII)
RECEIVES_MAX = 1000

# attribute -> field of the record, first and last value
NUMBERS: Mapping[str, tuple[str, int, int]] = {
    "DelaySeconds": ("delay_seconds", 0, 900),
    "MaximumMessageSize": ("size_bytes_max", 1024, 1_048_576),
    "MessageRetentionPeriod": ("retention_seconds", 60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": ("wait_seconds", 0, 20),
    "VisibilityTimeout": ("visibility_seconds", 0, 43_200),
}
FIFO_ONLY: Mapping[str, tuple[str, tuple[str, str]]] = {
    "DeduplicationScope": ("deduplication_scope", ("queue", BY_GROUP)),
    "FifoThroughputLimit": ("throughput_limit", ("perQueue", PER_GROUP)),
}
KMS = ("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds")
COUNTED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
FIXED = ("QueueArn", "CreatedTimestamp", "LastModifiedTimestamp")


class RedrivePolicy(msgspec.Struct, frozen=True):
    """RedrivePolicy's JSON; the count may be a number or its text."""

    deadLetterTargetArn: str | None = None  # noqa: N815 - AWS's spelling, as below
    maxReceiveCount: int | str | None = None  # noqa: N815


class RedriveAllowPolicy(msgspec.Struct, frozen=True):
    """RedriveAllowPolicy's JSON."""

    redrivePermission: str | None = None  # noqa: N815
    sourceQueueArns: list[str] | None = None  # noqa: N815


def changed(rq: Request, queue: Queue, given: Mapping[str, str], *, is_new: bool) -> Queue:
    """The record with the attributes given; a fault of AWS's for what none may be."""
    fields: dict[str, object] = {}
    for name, value in given.items():
        if name == "FifoQueue":
            _check_kind(queue, value)
            continue
        fields |= _change(rq, queue, name, value)
    made = msgspec.structs.replace(queue, **fields)
    if made.throughput_limit == PER_GROUP and made.deduplication_scope != BY_GROUP:
        raise InvalidAttribute(
            "The perMessageGroupId value is allowed only when the value for DeduplicationScope is "
            "messageGroup."
        )
    return made


def _check_kind(queue: Queue, value: str) -> None:
    """FifoQueue may be said again of a FIFO queue; no other queue has it, and none loses it."""
    if not queue.is_fifo:
        raise UnknownAttribute("Unknown Attribute FifoQueue.")
    if not is_true(value):
        raise InvalidAttribute(
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
        )


def _change(rq: Request, queue: Queue, name: str, value: str) -> dict[str, object]:
    if name in KMS:
        raise NotImplementedFault(f"sqs: the attribute {name} is not implemented")
    if name in NUMBERS:
        return _number(name, value)
    if name in FIFO_ONLY:
        if not queue.is_fifo:
            raise UnknownAttribute(f"You can specify the {name} only when FifoQueue is set to true.")
        field, allowed = FIFO_ONLY[name]
        if value not in allowed:
            raise invalid_value(name)
        return {field: value}
    if name == "ContentBasedDeduplication" and queue.is_fifo:
        return {"is_deduplicated_by_content": _truth(name, value)}
    if name == "SqsManagedSseEnabled":
        return {"is_encrypted": _truth(name, value)}
    reader = READERS.get(name)
    if reader is None:
        raise UnknownAttribute(f"Unknown Attribute {name}.")
    return reader(rq, queue, value)


def invalid_value(name: str) -> Fault:
    """An attribute's value is out of what is allowed."""
    return InvalidAttribute(f"Invalid value for the parameter {name}.")


def _number(name: str, value: str) -> dict[str, object]:
    field, first, last = NUMBERS[name]
    if not NUMBER.match(value) or not first <= int(value) <= last:
        raise invalid_value(name)
    return {field: int(value)}


def is_true(value: str) -> bool:
    """Whether a text says true, in letters of either case."""
    return value.lower() == "true"


def _truth(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise invalid_value(name)
    return is_true(value)


def _policy(rq: Request, queue: Queue, value: str) -> dict[str, object]:
    if value:
        try:
            document = msgspec.json.decode(value)
        except msgspec.DecodeError:
            raise invalid_value("Policy") from None
        if not isinstance(document, dict) or "Statement" not in document:
            raise invalid_value("Policy")
    return {"policy": value}


def _redrive(rq: Request, queue: Queue, value: str) -> dict[str, object]:
    if not value:
        return {"redrive": "", "dead_letters_arn": "", "receives_max": 0}

    def refusal(reason: str) -> Fault:
        return InvalidValue(f"Value {value} for parameter RedrivePolicy is invalid. Reason: {reason}")

    try:
        policy = msgspec.json.decode(value, type=RedrivePolicy)
    except msgspec.MsgspecError:
        raise refusal(
            "Amazon SQS can't create the redrive policy, as it’s in an unsupported format."
        ) from None
    for name in ("maxReceiveCount", "deadLetterTargetArn"):
        if getattr(policy, name) is None:
            raise refusal(f"Redrive policy does not contain mandatory attribute: {name}.")
    count = str(policy.maxReceiveCount)
    if not NUMBER.match(count) or not 1 <= int(count) <= RECEIVES_MAX:
        raise refusal(
            f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive."
        )
    target = find_arn(rq, str(policy.deadLetterTargetArn))
    if target is None:
        raise refusal("Dead letter target does not exist.")
    if target.record.is_fifo != queue.is_fifo:
        raise refusal("Dead-letter queue must be same type of queue as the source.")
    if isinstance(policy.maxReceiveCount, str):  # comes back as a number
        value = msgspec.json.encode(RedrivePolicy(target.arn, int(count))).decode()
    return {"redrive": value, "dead_letters_arn": target.arn, "receives_max": int(count)}


def _redrive_allow(rq: Request, queue: Queue, value: str) -> dict[str, object]:
    if not value:
        return {"redrive_allow": ""}

    def refusal(reason: str) -> Fault:
        return InvalidValue(f"Value {value} for parameter RedriveAllowPolicy is invalid. Reason: {reason}")

    try:
        policy = msgspec.json.decode(value, type=RedriveAllowPolicy)
    except msgspec.MsgspecError:
        raise refusal(
            "Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format."
        ) from None
    if policy.redrivePermission not in ("allowAll", "denyAll", "byQueue"):
        raise refusal("Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.")
    if (policy.redrivePermission == "byQueue") != (policy.sourceQueueArns is not None):
        raise refusal("sourceQueueArns is needed with byQueue, and with nothing else.")
    if policy.sourceQueueArns is not None and not 1 <= len(policy.sourceQueueArns) <= 10:
        raise refusal("Amazon SQS can't create the redrive allow policy with more than 10 source queues.")
    return {"redrive_allow": value}


READERS: Mapping[str, Callable[[Request, Queue, str], dict[str, object]]] = {
    "Policy": _policy,
    "RedrivePolicy": _redrive,
    "RedriveAllowPolicy": _redrive_allow,
}


def allows(target: Found, source_arn: str) -> bool:
    """Whether a dead-letter queue takes dead letters of a source."""
    if not target.record.redrive_allow:
        return True
    policy = msgspec.json.decode(target.record.redrive_allow, type=RedriveAllowPolicy)
    if policy.redrivePermission == "byQueue":
        return source_arn in (policy.sourceQueueArns or ())
    return policy.redrivePermission == "allowAll"


def different(old: Queue, new: Queue, given: Sequence[str]) -> str | None:
    """The first attribute given in which two records differ."""
    for name in given:
        if shown(old, name) != shown(new, name):
            return name
    return None


def shown(queue: Queue, name: str) -> str | None:
    """An attribute that is kept, as a client sees it; None where the queue has none of it."""
    if name in NUMBERS:
        return str(getattr(queue, NUMBERS[name][0]))
    if name == "SqsManagedSseEnabled":
        return "true" if queue.is_encrypted else "false"
    texts = {
        "Policy": queue.policy,
        "RedrivePolicy": queue.redrive,
        "RedriveAllowPolicy": queue.redrive_allow,
    }
    if name in texts:
        return texts[name] or None
    if not queue.is_fifo:
        return None
    if name in FIFO_ONLY:
        return str(getattr(queue, FIFO_ONLY[name][0]))
    if name == "ContentBasedDeduplication":
        return "true" if queue.is_deduplicated_by_content else "false"
    return "true" if name == "FifoQueue" else None


KEPT = (*NUMBERS, "SqsManagedSseEnabled", *READERS, *FIFO_ONLY, "ContentBasedDeduplication", "FifoQueue")
EVERY_NAME = frozenset({*KEPT, *COUNTED, *FIXED, *KMS, "All"})


def asked(queue: Found, state: QueueState, names: Sequence[str], now_ms: int) -> dict[str, str]:
    """The attributes of these names that the queue has."""
    for name in names:
        if name not in EVERY_NAME:
            raise UnknownAttribute(f"Unknown Attribute {name}.")
    counts = state.shelf.counts(now_ms)
    record = queue.record
    every: dict[str, str | None] = {
        "QueueArn": queue.arn,
        "ApproximateNumberOfMessages": str(counts.ready),
        "ApproximateNumberOfMessagesNotVisible": str(counts.held),
        "ApproximateNumberOfMessagesDelayed": str(counts.delayed),
        "CreatedTimestamp": str(record.created_ms // 1000),
        "LastModifiedTimestamp": str(record.modified_ms // 1000),
        **{name: shown(record, name) for name in KEPT},
    }
    is_all = "All" in names
    return {name: value for name, value in every.items() if value is not None and (is_all or name in names)}
