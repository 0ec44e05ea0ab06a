"""The records of __consumer_offsets: to bytes as Kafka writes them, and back."""

import pytest

from cloudlet.kafka.groups.classic_values import GroupImage
from cloudlet.kafka.groups.consumer_values import (
    ClassicSide,
    ConsumerMember,
    Current,
    CurrentFact,
    GroupFact,
    Matched,
    MemberFact,
    MemberState,
    RegexFact,
    TargetEpochFact,
    TargetFact,
)
from cloudlet.kafka.groups.offsets import Committed
from cloudlet.kafka.groups.records import (
    ClassicEntry,
    ConsumerEntry,
    OffsetEntry,
    decode_entry,
    encode_entry,
    subscribed_topics,
)
from cloudlet.kafka.groups.roster import MemberImage, Protocol
from cloudlet.kernel.fault import ProtocolError

TOPIC = bytes(range(16))
ASSIGNMENT = {TOPIC: frozenset({0, 3})}
MEMBER = ConsumerMember("m", "i", "r", "c", "/h", ("a", "b"), "x.*", 30_000, "range")

ENTRIES = [
    OffsetEntry("g", "t", 3, Committed(42, 7, "note", 1_700_000_000_000, record_offset=5)),
    OffsetEntry("g", "t", 3, Committed(42, -1, "", 1, expire_ms=99, record_offset=5)),
    OffsetEntry("g", "t", 3, Committed(42, 7, "", 1, record_offset=5, topic_id=TOPIC)),
    OffsetEntry("g", "t", 3, None),
    ClassicEntry("g", GroupImage(None, 0, None, None, 5)),
    ClassicEntry(
        "g",
        GroupImage(
            "consumer",
            3,
            "range",
            "m",
            5,
            (MemberImage("m", "i", "c", "/h", 60_000, 10_000, b"sub", b"share"),),
        ),
    ),
    ClassicEntry("g", None),
    ConsumerEntry("g", GroupFact(4, -9)),
    ConsumerEntry("g", GroupFact(None)),
    ConsumerEntry("g", MemberFact("m", MEMBER)),
    ConsumerEntry("g", MemberFact("m", ConsumerMember("m"))),
    ConsumerEntry(
        "g", MemberFact("m", ConsumerMember("m", classic=ClassicSide(9_000, (Protocol("range", b"x"),))))
    ),
    ConsumerEntry("g", MemberFact("m", None)),
    ConsumerEntry("g", TargetEpochFact(4)),
    ConsumerEntry("g", TargetEpochFact(None)),
    ConsumerEntry("g", TargetFact("m", ASSIGNMENT)),
    ConsumerEntry("g", TargetFact("m", {})),
    ConsumerEntry("g", TargetFact("m", None)),
    ConsumerEntry("g", CurrentFact("m", Current(4, 3, MemberState.UNREVOKED_PARTITIONS, ASSIGNMENT, {}))),
    ConsumerEntry("g", CurrentFact("m", None)),
    ConsumerEntry("g", RegexFact("x.*", Matched(("x1",), 7))),
    ConsumerEntry("g", RegexFact("x.*", None)),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_an_entry_comes_back(entry):
    key, value = encode_entry(entry)
    assert decode_entry(key, value, 5) == entry


def test_an_offset_as_kafka_writes_it():
    key, value = encode_entry(ENTRIES[0])
    assert key == b"\0\x01" + b"\0\x01g" + b"\0\x01t" + (3).to_bytes(4, "big")
    assert value == (
        b"\0\x03"
        + (42).to_bytes(8, "big")
        + (7).to_bytes(4, "big")
        + b"\0\x04note"
        + (1_700_000_000_000).to_bytes(8, "big")
    )


def test_the_version_of_an_offset_says_what_it_carries():
    assert [encode_entry(entry)[1][:2] for entry in ENTRIES[:3]] == [b"\0\x03", b"\0\x01", b"\0\x04"]


def test_records_of_other_kinds_are_passed_over():
    assert decode_entry(b"\0\x11\0\x01g", b"\0\0") is None
    assert decode_entry(b"\0\xff", None) is None


def test_broken_records_are_refused():
    for key, value in ((b"", None), (b"\0", None), (b"\0\x01\0\x09g", None), (b"\0\x02\0\x01g", b"\0\x63")):
        with pytest.raises(ProtocolError):
            decode_entry(key, value)


def test_an_unknown_state_of_a_member_is_read_as_unknown():
    key, value = encode_entry(ENTRIES[18])
    at = 2 + 4 + 4
    later = value[:at] + b"\x09" + value[at + 1 :]
    assert decode_entry(key, later).fact.current.state is MemberState.UNKNOWN


def test_subscriptions_are_read_in_any_version():
    plain = b"\0\0" + b"\0\0\0\x02" + b"\0\x01a" + b"\0\x01b" + b"\xff\xff\xff\xff"
    later = b"\0\x09" + b"\0\0\0\x01" + b"\0\x01c" + b"\xff\xff\xff\xff" + b"whatever"
    assert subscribed_topics([plain, later]) == {"a", "b", "c"}
    assert subscribed_topics([b"\0"]) is None
    assert subscribed_topics([b"\0\0\0\0\0\x05"]) is None
