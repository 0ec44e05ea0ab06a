"""The checker itself: histories that are in order, and ones that are not."""

import random

import pytest
from tests.linearizable import UNKNOWN, Call, is_linearizable, violations


def history(*rows):
    """(kind, argument, result, invoked, returned)"""
    return [Call(0, b"k", *row) for row in rows]


@pytest.mark.parametrize(
    ("rows", "is_fine"),
    [
        ([("put", 1, None, 0, 1), ("get", None, 1, 2, 3)], True),
        ([("put", 1, None, 0, 1), ("get", None, None, 2, 3)], False),  # stale
        ([("put", 1, None, 0, 5), ("get", None, None, 2, 3)], True),  # at the same time
        ([("put", 1, None, 0, 5), ("get", None, 1, 1, 2), ("get", None, None, 3, 4)], False),  # back in time
        ([("put", 1, None, 0, UNKNOWN), ("get", None, 1, 7, 8)], True),
        ([("put", 1, None, 0, UNKNOWN), ("get", None, None, 7, 8)], True),
        ([("put", 1, None, 0, UNKNOWN), ("get", None, 1, 7, 8), ("get", None, None, 9, 10)], False),
        ([("put", 1, None, 5, UNKNOWN), ("get", None, 1, 1, 2)], False),  # before it was asked for
        ([("swap", (None, 1), True, 0, 4), ("swap", (None, 2), True, 1, 5)], False),  # both won
        ([("swap", (None, 1), True, 0, 4), ("swap", (None, 2), False, 1, 5)], True),
        ([("put", 1, None, 0, 1), ("delete", None, None, 2, 3), ("get", None, None, 4, 5)], True),
        ([("put", 1, None, 0, 1), ("put", 2, None, 2, 3), ("get", None, 1, 4, 5)], False),  # lost
        ([("swap", (None, 1), None, 0, UNKNOWN), ("get", None, 1, 3, 4)], True),
    ],
)
def test_small_histories(rows, is_fine):
    assert is_linearizable(history(*rows)) == is_fine


def test_keys_are_apart():
    calls = [
        Call(0, b"a", "put", 1, None, 0, 1),
        Call(0, b"b", "get", None, None, 2, 3),
        Call(0, b"a", "get", None, None, 4, 5),
    ]
    assert violations(calls) == ["not linearizable: b'a'"]


@pytest.mark.parametrize("seed", range(20))
def test_what_was_done_in_order_is_found_in_order(seed):
    """A random run of one register, its calls stretched so that they overlap; then one answer made false."""
    pick = random.Random(seed)
    value, calls, reads = None, [], []
    for moment in range(60):
        kind = pick.choice(["put", "get", "swap", "delete"])
        argument = result = None
        if kind == "put":
            argument = value = moment
        elif kind == "delete":
            value = None
        elif kind == "get":
            result = value
            reads.append(moment)
        else:
            argument = (pick.choice([value, -1]), moment)
            result = argument[0] == value
            value = moment if result else value
        calls.append(Call(moment % 4, b"k", kind, argument, result, moment - pick.random() * 3, moment + 0.5))
    assert is_linearizable(calls)
    wrong = pick.choice(reads)
    calls[wrong] = calls[wrong]._replace(result=-7)
    assert not is_linearizable(calls)
