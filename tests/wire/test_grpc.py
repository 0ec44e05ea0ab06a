"""gRPC's framing, heads, statuses."""

from __future__ import annotations

import gzip
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.wire.grpc import (
    OK_BLOCK,
    REPLY_BLOCK,
    Code,
    GrpcStatus,
    Messages,
    framed,
    last_block,
    percent_decoded,
    percent_encoded,
    status_of,
    terms,
)
from cloudlet.wire.http2_fields import Head, trailers
from cloudlet.wire.http2_hpack import HeaderDecoder


def cuts(data, at):
    """The data cut at the given places."""
    places = [0, *sorted(each % (len(data) + 1) for each in at), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(places)]


@given(
    st.lists(st.binary(max_size=50), max_size=6),
    st.lists(st.integers(0, 400), max_size=8),
    st.binary(max_size=4),
)
def test_messages_come_whole_from_any_cut(sent, at, rest):
    reader = Messages(100)
    data = b"".join(map(framed, sent)) + rest
    found = [message for piece in cuts(data, at) for message in reader.feed(piece)]
    assert found == sent
    assert reader.held_bytes == len(rest)


def test_messages_come_whole_byte_by_byte():
    reader = Messages(100)
    sent = [b"", b"a", b"x" * 100]
    data = b"".join(map(framed, sent))
    found = [message for at in range(len(data)) for message in reader.feed(data[at : at + 1])]
    assert found == sent


def test_a_message_over_the_limit_is_refused_before_it_has_come():
    with pytest.raises(GrpcStatus) as caught:
        Messages(100).feed(b"\0" + (101).to_bytes(4))
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    assert caught.value.message == "grpc: received message larger than max (101 vs. 100)"


def test_compressed_messages():
    packed = gzip.compress(b"y" * 100)
    data = b"\1" + len(packed).to_bytes(4) + packed
    assert Messages(100, b"gzip").feed(data) == [b"y" * 100]
    for reader, code in [
        (Messages(99, b"gzip"), Code.RESOURCE_EXHAUSTED),  # however small it came
        (Messages(100, b"identity"), Code.INTERNAL),
    ]:
        with pytest.raises(GrpcStatus) as caught:
            reader.feed(data)
        assert caught.value.code is code
    for broken in (packed[:-9], b"nonsense"):
        with pytest.raises(GrpcStatus) as caught:
            Messages(100, b"gzip").feed(b"\1" + len(broken).to_bytes(4) + broken)
        assert caught.value.code is Code.INTERNAL


def request(*more, method=b"POST"):
    head = Head((((b"content-type", b"application/grpc")), *more))
    head.method = method
    head.authority = b"here:1"
    return head


@pytest.mark.parametrize(
    ("text", "timeout_ms"),
    [(b"1H", 3_600_000), (b"2M", 120_000), (b"3S", 3000), (b"4m", 4), (b"5000u", 5), (b"6000000n", 6)],
)
def test_timeouts(text, timeout_ms):
    assert terms(request((b"grpc-timeout", text))).timeout_ms == pytest.approx(timeout_ms)


@pytest.mark.parametrize("text", [b"", b"1", b"S", b"-1S", b"123456789S", b"1s", b"1 S"])
def test_a_timeout_that_is_none_is_refused(text):
    refusal = terms(request((b"grpc-timeout", text))).refusal
    assert refusal is not None
    assert refusal.code is Code.INTERNAL


def test_what_is_no_grpc_request_gets_a_status_of_http():
    assert terms(request(method=b"GET")).status == 405
    head = Head(((b"content-type", b"application/json"),))
    head.method = b"POST"
    assert terms(head).status == 415
    for kind in (b"application/grpc+proto", b"application/grpc;charset=utf-8"):
        head = Head(((b"content-type", kind),))
        head.method = b"POST"
        assert terms(head).status == 200


def test_metadata_of_one_name_is_joined():
    found = terms(request((b"a", b"1"), (b"b", b"2"), (b"a", b"3")))
    assert found.metadata == {"content-type": "application/grpc", "a": "1,3", "b": "2"}
    assert found.authority == "here:1"


@given(st.text())
def test_messages_of_statuses_are_printable_and_come_back(text):
    raw = percent_encoded(text)
    assert all(0x20 <= byte <= 0x7E for byte in raw)
    assert percent_decoded(raw) == text


def test_a_broken_escape_stays_as_it_is():
    assert percent_decoded(b"50% of %C3%A9 %zz") == "50% of é %zz"


def fields(block):
    return HeaderDecoder(1 << 16).decode(block).fields


def test_statuses_become_trailers_and_come_back():
    status = GrpcStatus(Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted", b"\xff")
    found = fields(last_block(status, is_begun=True))
    assert (b"grpc-status-details-bin", b"/w") in found
    back = status_of(trailers(found))
    assert (back.code, back.message) == (status.code, status.message)
    assert status_of(trailers(fields(OK_BLOCK))) is None
    whole = fields(last_block(status, is_begun=False))
    assert whole[:2] == fields(REPLY_BLOCK) == ((b":status", b"200"), (b"content-type", b"application/grpc"))


@pytest.mark.parametrize(("raw", "code"), [(b"99", Code.UNKNOWN), (b"x", Code.INTERNAL)])
def test_a_status_that_is_none_is_an_error(raw, code):
    assert status_of(Head(((b"grpc-status", raw),))).code is code


def test_no_status_is_an_error():
    assert status_of(Head(())).code is Code.UNKNOWN
