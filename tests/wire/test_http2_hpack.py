"""HPACK against the hpack package, both ways, and the ways to be wrong."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.http2_hpack import STATIC, HeaderDecoder, HeaderEncoder, ListTooLarge

NAMES = st.sampled_from([b":method", b":path", b"content-type", b"te", b"grpc-timeout", b"x-a", b"y" * 300])
VALUES = st.sampled_from([b"POST", b"GET", b"/a/b", b"trailers", b"", b"z" * 500]) | st.binary(max_size=40)
LISTS = st.lists(st.lists(st.tuples(NAMES, VALUES), max_size=8), max_size=12)


@given(LISTS, st.booleans(), st.lists(st.integers(0, 4096), max_size=3))
@settings(max_examples=200, deadline=None)
def test_what_the_package_writes_is_read(blocks, huffman, sizes):
    encoder, decoder = hpack.Encoder(), HeaderDecoder(1 << 20)
    for number, fields in enumerate(blocks):
        if number < len(sizes):
            encoder.header_table_size = sizes[number]
        block = encoder.encode(fields, huffman=huffman)
        assert list(decoder.decode(block).fields) == fields
        assert list(decoder.decode(encoder.encode(fields, huffman=huffman)).fields) == fields


@given(LISTS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_we_write_is_read_by_the_package(blocks, indexes):
    encoder, decoder = HeaderEncoder(indexes=indexes), hpack.Decoder()
    ours = HeaderDecoder(1 << 20)
    for fields in blocks:
        block = encoder.encode(fields, fresh=(b"grpc-timeout",))
        assert [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)] == fields
        assert list(ours.decode(block).fields) == fields


@given(st.binary(max_size=80))
@settings(max_examples=1000, deadline=None)
def test_any_bytes_are_taken_or_refused_as_by_the_package(block):
    theirs = hpack.Decoder(max_header_list_size=1 << 20)
    try:
        expected = [(bytes(name), bytes(value)) for name, value in theirs.decode(block, raw=True)]
    except (hpack.HPACKError, IndexError):
        expected = None
    try:
        found = list(HeaderDecoder(1 << 20).decode(block).fields)
    except ProtocolError:
        found = None
    if expected is None or found is not None:
        assert found == expected


def test_a_block_of_indices_is_read_once_until_the_table_moves():
    encoder, decoder = HeaderEncoder(indexes=True), HeaderDecoder(1 << 16)
    fields = [(b":method", b"POST"), (b"x-a", b"1"), (b"te", b"trailers")]
    decoder.decode(encoder.encode(fields))
    block = encoder.encode(fields)
    first = decoder.decode(block)
    assert decoder.decode(block) is first
    decoder.decode(encoder.encode([(b"x-b", b"2")]))  # moves the table: the same bytes mean something else
    moved = decoder.decode(block)
    assert moved is not first
    assert list(moved.fields) != fields
    assert list(decoder.decode(encoder.encode(fields)).fields) == fields


def test_a_list_that_is_too_large_leaves_the_tables_in_step():
    encoder, decoder = hpack.Encoder(), HeaderDecoder(200)
    with pytest.raises(ListTooLarge):
        decoder.decode(encoder.encode([(b"x-%d" % number, b"v" * 20) for number in range(10)]))
    fields = [(b"x-9", b"v" * 20), (b"x-8", b"v" * 20)]
    assert list(decoder.decode(encoder.encode(fields)).fields) == fields


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",  # index 0
        b"\xff\xff\xff\xff\xff\xff\x0f",  # an index over 32 bits
        b"\xbe",  # the first of an empty dynamic table
        b"\x82\x3f\xe1\x0f",  # a size update behind a field
        b"\x3f\xe2\x1f",  # a table of 4,097 bytes
        b"\x40\x05ab",  # a string beyond the block
        b"\x40",
        b"\x40\x81\xff\x00",  # Huffman padding of eight bits
    ],
)
def test_broken_blocks_are_refused(block):
    with pytest.raises(ProtocolError):
        HeaderDecoder(1 << 16).decode(block)


def test_a_lowered_table_is_acknowledged_once():
    encoder = HeaderEncoder(indexes=True)
    encoder.encode([(b"x-a", b"1")])
    encoder.resize(0)
    assert encoder.prefix() == b"\x20"
    assert encoder.prefix() == b""
    block = encoder.encode([(b"x-a", b"1")])
    assert list(HeaderDecoder(1 << 16, 0).decode(block).fields) == [(b"x-a", b"1")]


def test_the_static_table_counts_from_1():
    assert STATIC[1] == (b":authority", b"")
    assert STATIC[61] == (b"www-authenticate", b"")
