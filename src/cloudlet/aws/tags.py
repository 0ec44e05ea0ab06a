"""Tags: one set per ARN, whatever the service, with AWS's limits.

State   ("tags", account, arn) -> Tags
Source  AWS General Reference, "Tag naming limits and requirements"
Absent  the Resource Groups Tagging API over these records
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cloudlet.aws.record import Key, Record
from cloudlet.aws.request import Request
from cloudlet.kernel.fault import Fault

TAGS_MAX = 50
KEY_CHARACTERS_MAX = 128
VALUE_CHARACTERS_MAX = 256

# "letters, numbers, and spaces representable in UTF-8, and the following characters: _ . : / = + - @"
MARKS_ALLOWED = "letters, digits, spaces and _.:/=+-@"
ALLOWED = re.compile(r"[\w\s.:/=+\-@]*\Z")


class Tags(Record):
    """The tags of one resource."""

    tags: dict[str, str]


def key(rq: Request, arn: str) -> Key:
    """Where a resource's tags are kept: put into the operation's own commit, dropped with the resource."""
    return ("tags", rq.account, arn)


def read(rq: Request, arn: str) -> Mapping[str, str]:
    """The tags of a resource, guarded."""
    kept = rq.get(key(rq, arn), Tags)
    return kept.tags if kept else {}


def added(old: Mapping[str, str], new: Mapping[str, str], invalid: Fault, too_many: Fault) -> Tags:
    """The set with `new` tags added; the service's faults for a bad tag and for more than TAGS_MAX."""
    for name, value in new.items():
        if not name or len(name) > KEY_CHARACTERS_MAX or not ALLOWED.match(name):
            raise invalid(f"Tag key '{name}' is not valid: 1 to {KEY_CHARACTERS_MAX} {MARKS_ALLOWED}")
        if name.lower().startswith("aws:"):
            raise invalid("Tag keys that start with 'aws:' are reserved for system use")
        if len(value) > VALUE_CHARACTERS_MAX or not ALLOWED.match(value):
            raise invalid(f"Tag value '{value}' is not valid: up to {VALUE_CHARACTERS_MAX} {MARKS_ALLOWED}")
    merged = {**old, **new}
    if len(merged) > TAGS_MAX:
        raise too_many
    return Tags(merged)


def removed(old: Mapping[str, str], names: list[str]) -> Tags:
    """The set without `names`; those that are not there are no error."""
    return Tags({name: value for name, value in old.items() if name not in names})
