"""The records of share groups in __consumer_offsets."""

import pytest

from cloudlet.kafka.groups.consumer_values import (
    Current,
    CurrentFact,
    GroupFact,
    MemberState,
    TargetEpochFact,
    TargetFact,
)
from cloudlet.kafka.groups.records import ShareEntry, decode_entry, encode_entry
from cloudlet.kafka.share.group_values import ShareMember, ShareMemberFact, StateTopic, StateTopicsFact

TOPIC = bytes(range(16))
ASSIGNMENT = {TOPIC: frozenset({0, 3})}
FACTS = {
    10: [ShareMemberFact("m", ShareMember("m", "r", "c", "/h", ("a", "b"))), ShareMemberFact("m", None)],
    11: [GroupFact(7, -5), GroupFact(None)],
    12: [TargetEpochFact(7), TargetEpochFact(None)],
    13: [TargetFact("m", ASSIGNMENT), TargetFact("m", {}), TargetFact("m", None)],
    14: [
        CurrentFact("m", Current(7, 6, MemberState.STABLE, ASSIGNMENT, {})),
        CurrentFact("m", None),
    ],
    15: [StateTopicsFact({TOPIC: StateTopic("t", frozenset({0, 1}))}), StateTopicsFact(None)],
}


@pytest.mark.parametrize("kind", FACTS)
def test_what_is_written_is_read_again(kind):
    for fact in FACTS[kind]:
        key, value = encode_entry(ShareEntry("g", fact))
        assert key[:4] == bytes([0, kind, 0, 1])
        assert decode_entry(key, value) == ShareEntry("g", fact)


def test_the_bytes_are_those_of_kafka():
    assert encode_entry(ShareEntry("g", GroupFact(7, 1))) == (
        b"\0\x0b\0\x01g",
        b"\0\0" + b"\0\0\0\x07" + b"\0\0\0\0\0\0\0\x01" + b"\0",
    )
    key, value = encode_entry(ShareEntry("g", FACTS[15][0]))
    assert key == b"\0\x0f\0\x01g"
    topic = TOPIC + b"\x02t" + b"\x03" + b"\0\0\0\0" + b"\0\0\0\x01" + b"\0"
    assert value == b"\0\0" + b"\x01" + b"\x02" + topic + b"\x01" + b"\0"
