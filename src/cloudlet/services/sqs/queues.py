"""What a queue is: its record, its name, its URL, and how a call finds it.

State   ("sqs", account, region, "queue", name) -> Queue
        ("sqs", "deleted", account, region, name) -> Deleted, for a minute after a queue is gone
Source  SQS API Reference 2012-11-05; docs/sources/sqs.md
Absent  queue policies are kept and not enforced, so a queue of another account is open to its callers
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from cloudlet.aws.arn import Arn, parse_arn
from cloudlet.aws.record import Key, Record
from cloudlet.aws.service import Access
from cloudlet.kernel.logs import LogName
from cloudlet.services.sqs.decide import Rules
from cloudlet.services.sqs.faults import NoSuchQueue, missing

if TYPE_CHECKING:
    from cloudlet.aws.request import Request

BY_GROUP = "messageGroup"
PER_GROUP = "perMessageGroupId"


class Queue(Record):
    """A queue's attributes. Numbers are in AWS's units; texts are as the client gave them."""

    id: bytes  # of 8 random bytes: a queue made anew is another queue
    created_ms: int
    modified_ms: int
    is_fifo: bool = False
    delay_seconds: int = 0
    size_bytes_max: int = 1_048_576
    retention_seconds: int = 345_600
    wait_seconds: int = 0
    visibility_seconds: int = 30
    is_deduplicated_by_content: bool = False
    deduplication_scope: str = "queue"
    throughput_limit: str = "perQueue"
    is_encrypted: bool = True  # SqsManagedSseEnabled
    policy: str = ""
    redrive: str = ""
    redrive_allow: str = ""
    dead_letters_arn: str = ""  # what `redrive` says
    receives_max: int = 0


class Deleted(Record):
    """A queue that was here: its log goes, and its name is not given out again within a minute."""

    deleted_ms: int
    log: str


class Found(msgspec.Struct, frozen=True, gc=False):
    """A queue as an operation meets it."""

    account: str
    region: str
    name: str
    record: Queue
    log: LogName
    rules: Rules

    @property
    def arn(self) -> str:
        return arn_of(self.account, self.region, self.name)


def found(key: Key, record: Queue) -> Found:
    """The queue of a record and its key; a queue made anew under the name has another log."""
    _, account, region, _, name = map(str, key)
    rules = Rules(
        record.is_fifo,
        record.retention_seconds * 1000,
        record.receives_max if record.dead_letters_arn else None,
        record.deduplication_scope == BY_GROUP,
        record.modified_ms,
    )
    log = LogName(f"sqs/{account}/{region}/{name}/{record.id.hex()}")
    return Found(account, region, name, record, log, rules)


def arn_of(account: str, region: str, name: str) -> str:
    """A queue's ARN."""
    return str(Arn("sqs", region, account, name))


@lru_cache(maxsize=4096)
def key_of(account: str, region: str, name: str) -> Key:
    """Where a queue's record is kept."""
    return ("sqs", account, region, "queue", name)


def url_of(rq: Request, account: str, name: str) -> str:
    """A queue's URL under the name by which the caller reached us."""
    return f"{rq.call.base_url}/{account}/{name}"


@lru_cache(maxsize=4096)
def place_in(url: str) -> tuple[str | None, str]:
    """The account (None where the URL names none) and the queue of a URL.

    The host is of no account, so that URLs made on AWS or under another name of ours work; also taken are
    `/queue/name`, a path before the account, and a bare name.
    """
    path = url.partition("://")[2].partition("/")[2] if "://" in url else url
    parts = [unquote(part) for part in path.split("?")[0].split("/") if part]
    if not parts:
        return None, ""
    account = parts[-2] if len(parts) > 1 and len(parts[-2]) == 12 and parts[-2].isdigit() else None
    return account, parts[-1]


def place_of(rq: Request, queue_url: str | None) -> tuple[str, str]:
    """Account and name of the queue that a call is about; an old SDK names it by the path of its request."""
    if queue_url is None:
        if rq.call.path in ("", "/"):
            raise missing("QueueUrl")
        queue_url = rq.call.path
    account, name = place_in(queue_url)
    return account or rq.account, name


def find(rq: Request, queue_url: str | None) -> Found:
    """The queue of a call that changes no queue; NoSuchQueue."""
    account, name = place_of(rq, queue_url)
    queue = rq.view(key_of(account, rq.region, name), Queue, found)
    if queue is None:
        raise NoSuchQueue
    return queue


def hold(rq: Request, queue_url: str | None) -> Found:
    """The queue of a call that changes it; NoSuchQueue."""
    account, name = place_of(rq, queue_url)
    key = key_of(account, rq.region, name)
    record = rq.get(key, Queue)
    if record is None:
        raise NoSuchQueue
    return found(key, record)


def find_arn(rq: Request, text: str) -> Found | None:
    """The queue of an ARN, None where there is none of it."""
    arn = parse_arn(text)
    if arn is None or arn.service != "sqs":
        return None
    return rq.view(key_of(arn.account, arn.region, arn.resource), Queue, found)


def on_queue(action: str) -> Callable[[Request, msgspec.Struct], Sequence[Access]]:
    """The access to a call's queue, for policies."""

    def accesses(rq: Request, p: msgspec.Struct) -> Sequence[Access]:
        account, name = place_of(rq, getattr(p, "QueueUrl", None))
        return [Access(f"sqs:{action}", arn_of(account, rq.region, name), {})]

    return accesses
