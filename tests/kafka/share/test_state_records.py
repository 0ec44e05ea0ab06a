"""The records of __share_group_state, and what they say together."""

import pytest

from cloudlet.kafka.share.share_partition import RecordState
from cloudlet.kafka.share.state_records import (
    Delivery,
    Kept,
    ShareKey,
    Snapshot,
    Span,
    StateEntry,
    Update,
    decode_entry,
    encode_entry,
)
from cloudlet.kernel.fault import ProtocolError

KEY = ShareKey("g", bytes(range(16)), 3)
TRIED = Delivery(RecordState.AVAILABLE, 2)
DONE = Delivery(RecordState.ACKNOWLEDGED, 1)
SNAPSHOT = Snapshot(4, 2, 1, 100, 3, 10, 20, [Span(105, 107, DONE), Span(110, 110, TRIED)])
UPDATE = Update(4, 1, 101, 4, [Span(108, 108, DONE)])


def test_what_is_written_is_read_again():
    for fact in (SNAPSHOT, UPDATE, None):
        assert decode_entry(*encode_entry(StateEntry(KEY, fact))) == StateEntry(KEY, fact)


def test_the_bytes_are_those_of_kafka():
    key, value = encode_entry(StateEntry(KEY, UPDATE))
    assert key == b"\0\x01" + b"\0\x01g" + KEY.topic_id + b"\0\0\0\x03"
    span = (108).to_bytes(8, "big") * 2 + b"\x02" + b"\0\x01" + b"\0"
    front = b"\0\0" + b"\0\0\0\x04" + b"\0\0\0\x01" + (101).to_bytes(8, "big")
    assert value == front + b"\x02" + span + b"\x01\x00\x04\0\0\0\x04"


def test_what_is_not_known_is_passed_over_and_what_is_broken_refused():
    assert decode_entry(b"\0\x07", b"") is None
    key, value = encode_entry(StateEntry(KEY, UPDATE))
    for broken in ((b"\0", value), (key[:-1], value), (key, value[:-1])):
        with pytest.raises(ProtocolError):
            decode_entry(*broken)
    with pytest.raises(ProtocolError):
        decode_entry(key, value.replace(b"\x02\0\x01\0", b"\x03\0\x01\0"))


def runs(kept):
    return [(first, stop, tuple(delivery)) for first, stop, delivery in kept.window.runs()]


def test_updates_come_on_top_of_the_snapshot():
    kept = Kept(SNAPSHOT, 7)
    kept.update(UPDATE)
    assert (kept.start, kept.done_count, kept.updates) == (101, 4, 1)
    assert runs(kept) == [(101, 105, (0, 0)), (105, 109, (2, 1)), (109, 110, (0, 0)), (110, 111, (0, 2))]
    again = Kept(kept.snapshot(30, 9), 8)
    assert (again.snapshot_epoch, again.state_epoch, again.leader_epoch) == (5, 2, 9)
    assert runs(again) == runs(kept)
    again.update(Update(5, 9, 120, 0))
    assert (again.start, runs(again)) == (120, [])


def test_one_that_nobody_has_read_from_has_no_start():
    kept = Kept(Snapshot(0, 0, 0, -1, 0, 1, 1), 0)
    assert (kept.start, kept.window) == (-1, None)
    kept.update(Update(0, 0, 50, 0, [Span(51, 51, DONE)]))
    assert runs(kept) == [(50, 51, (0, 0)), (51, 52, (2, 1))]
