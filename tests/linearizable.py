"""Whether a history of concurrent calls could have come from one that carried them out one at a time.

The search of Wing and Gong with Lowe's memory of what was tried: calls are taken in any order that their
times allow, and undone when the model refuses. Keys are independent, so each key's calls are looked at alone.
"""

import math
from collections import defaultdict
from typing import Any, NamedTuple

UNKNOWN = math.inf  # when a call returned whose outcome nobody was told


class Call(NamedTuple):
    """One call on a key. An unknown outcome has no result, and may take effect at any time, or never."""

    client: int
    key: bytes
    kind: str  # put, delete, get, swap
    argument: Any  # the value; of a swap (expected, value)
    result: Any  # of a get the value or None; of a swap whether it was done; else None
    invoked: float
    returned: float


def register(state, call):
    """The next state of a key, or None if a key in this state cannot answer so; states are 1-tuples."""
    (value,) = state
    is_known = call.returned != UNKNOWN
    if call.kind == "get":
        return state if not is_known or call.result == value else None
    if call.kind == "put":
        return (call.argument,)
    if call.kind == "delete":
        return (None,)
    expected, wanted = call.argument
    is_done = value == expected
    if is_known and is_done != call.result:
        return None
    return (wanted,) if is_done else state


class _Entry:
    __slots__ = ("call", "match", "next", "number", "previous")

    def __init__(self, number, call, match):
        self.number, self.call, self.match = number, call, match
        self.previous = self.next = None


def _linked(calls):
    """A list of invocations and returns by time; a return has no match."""
    rows = []
    for number, call in enumerate(calls):
        back = _Entry(number, call, None)
        rows += [(call.invoked, 0, number, _Entry(number, call, back)), (call.returned, 1, number, back)]
    rows.sort(key=lambda row: row[:3])
    head = last = _Entry(-1, None, None)
    for *_, entry in rows:
        last.next, entry.previous = entry, last
        last = entry
    return head


def _lift(entry):
    for each in (entry, entry.match):
        each.previous.next = each.next
        if each.next is not None:
            each.next.previous = each.previous


def _put_back(entry):
    for each in (entry.match, entry):
        each.previous.next = each
        if each.next is not None:
            each.next.previous = each


def is_linearizable(calls, step=register, state=(None,)):
    """Of the calls on one key."""
    head = _linked(calls)
    entry, done = head.next, 0
    tried, taken = set(), []
    while head.next is not None:
        if entry.match is not None:
            following = step(state, entry.call)
            with_it = done | 1 << entry.number
            if following is not None and (with_it, following) not in tried:
                tried.add((with_it, following))
                taken.append((entry, state))
                state, done = following, with_it
                _lift(entry)
                entry = head.next
            else:
                entry = entry.next
        elif taken:
            entry, state = taken.pop()
            done &= ~(1 << entry.number)
            _put_back(entry)
            entry = entry.next
        else:
            return False
    return True


def violations(calls):
    """The keys whose calls cannot be put in an order."""
    of_key = defaultdict(list)
    for call in calls:
        of_key[call.key].append(call)
    return [f"not linearizable: {key!r}" for key, some in sorted(of_key.items()) if not is_linearizable(some)]
