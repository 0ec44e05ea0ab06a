"""Batches: their entries' ids, and an answer of which ones went well.

State   none
Source  SQS API Reference 2012-11-05, "Common errors" of the batch operations; docs/sources/sqs.md
Absent  none
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from cloudlet.aws.service import Result
from cloudlet.kernel.fault import Fault
from cloudlet.services.sqs.faults import EmptyBatch, InvalidEntryId, RepeatedEntryId, TooManyEntries

ENTRIES_MAX = 10
ID = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")


class Entry(Protocol):
    """An entry of any batch."""

    Id: str


E = TypeVar("E", bound=Entry)


def checked(entries: Sequence[E] | None, kind: str) -> Sequence[E]:
    """The entries of a batch, their number and their ids checked."""
    if not entries:
        raise EmptyBatch(f"There should be at least one {kind} in the request.")
    if len(entries) > ENTRIES_MAX:
        raise TooManyEntries(
            f"Maximum number of entries per request are {ENTRIES_MAX}. You have sent {len(entries)}."
        )
    seen: set[str] = set()
    for entry in entries:
        if not ID.match(entry.Id or ""):
            raise InvalidEntryId
        if entry.Id in seen:
            raise RepeatedEntryId(f"Id {entry.Id} repeated.")
        seen.add(entry.Id)
    return entries


def each(entries: Sequence[E], attempt: Callable[[E], Result]) -> tuple[list[Result], list[Result]]:
    """What every entry comes to by itself: the answers of those that went well, and the failures."""
    successful: list[Result] = []
    failed: list[Result] = []
    for entry in entries:
        try:
            successful.append({"Id": entry.Id, **attempt(entry)})
        except Fault as fault:
            failed.append({"Id": entry.Id, "SenderFault": True, "Code": fault.code, "Message": fault.message})
    return successful, failed


def result(successful: list[Result], failed: list[Result]) -> Result:
    """The answer of a batch."""
    return {"Successful": successful, "Failed": failed} if failed else {"Successful": successful}
