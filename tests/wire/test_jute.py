"""Jute records: whole, byte by byte, with trailing bytes, and what is broken."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cloudlet.wire import zookeeper
from cloudlet.wire.jute import Broken, Record, codec
from cloudlet.wire.zookeeper import (
    ACL,
    MULTI_END,
    ConnectRequest,
    CreateRequest,
    EventType,
    GetDataResponse,
    Id,
    ReplyHeader,
    SetWatches2,
    Stat,
    WatcherEvent,
    event_frame,
    reply_frame,
)

RECORDS = sorted(
    (
        kind
        for kind in vars(zookeeper).values()
        if isinstance(kind, type) and issubclass(kind, Record) and kind is not Record
    ),
    key=lambda kind: kind.__name__,
)
INT = st.integers(-(1 << 31), (1 << 31) - 1)
LONG = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
DATA = st.one_of(st.none(), st.binary(max_size=20))
STAT = st.builds(Stat, LONG, LONG, LONG, LONG, INT, INT, INT, LONG, INT, INT, LONG)
ACLS = st.lists(st.builds(ACL, INT, st.builds(Id, TEXT, TEXT)), max_size=3)
PATHS = st.lists(TEXT, max_size=3)
VALUES = st.one_of(
    STAT,
    st.builds(ConnectRequest, INT, LONG, INT, LONG, DATA),
    st.builds(CreateRequest, TEXT, DATA, ACLS, INT),
    st.builds(GetDataResponse, DATA, STAT),
    st.builds(SetWatches2, LONG, PATHS, PATHS, PATHS, PATHS, PATHS),
    st.builds(ReplyHeader, INT, LONG, INT),
)


@given(VALUES, st.binary(max_size=8))
def test_a_record_is_read_as_it_was_written_and_leaves_what_follows(value, tail):
    data = codec(type(value)).encode(value)
    assert codec(type(value)).decode(data + tail, 0) == (value, len(data))
    assert codec(type(value)).decode(b"xy" + data, 2) == (value, len(data) + 2)


@given(VALUES)
def test_a_record_that_is_cut_is_broken(value):
    data = codec(type(value)).encode(value)
    for size in range(len(data)):
        with pytest.raises(Broken):
            codec(type(value)).decode(data[:size], 0)


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_record_has_a_codec(kind):
    with pytest.raises(Broken):
        codec(kind).decode(b"", 0)


def test_the_bytes_of_a_create():
    request = CreateRequest("/a", b"x", [ACL(31, Id("world", "anyone"))], 3)
    assert codec(CreateRequest).encode(request) == bytes.fromhex(
        "00000002 2f61 00000001 78 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000003"
    )


def test_null_strings_and_vectors_are_empty_and_null_buffers_are_null():
    data = bytes.fromhex("ffffffff ffffffff ffffffff 00000000")
    assert codec(CreateRequest).decode(data, 0) == (CreateRequest("", None, [], 0), 16)


@pytest.mark.parametrize("data", ["fffffffe", "7fffffff", "00000005 61"])
def test_a_length_that_is_a_lie_is_broken(data):
    with pytest.raises(Broken):
        codec(CreateRequest).decode(bytes.fromhex(data), 0)


def test_a_vector_that_is_longer_than_its_frame_is_not_begun():
    data = bytes.fromhex("00000002 2f61 00000000 7fffffff")
    with pytest.raises(Broken, match="a vector of"):
        codec(CreateRequest).decode(data, 0)


def test_text_that_is_no_utf8_is_replaced():
    assert codec(zookeeper.PathRequest).decode(b"\0\0\0\x02/\xff", 0)[0].path == "/\ufffd"


def test_frames():
    assert reply_frame(1, 2, -101) == bytes.fromhex("00000010 00000001 0000000000000002 ffffff9b")
    event = event_frame(EventType.NodeDeleted, "/a", 9)
    assert event[:20] == bytes.fromhex("00000022 ffffffff 0000000000000009 00000000".replace("22", "1e"))
    assert codec(WatcherEvent).decode(event, 20) == (WatcherEvent(2, 3, "/a"), len(event))
    assert bytes.fromhex("ffffffff 01 ffffffff") == MULTI_END
