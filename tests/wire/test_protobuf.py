"""The Protocol Buffers codec against Google's own runtime, byte for byte."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.protobuf_oracle import classes, fill

from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire import grpc_messages
from cloudlet.wire.protobuf import DEPTH_MAX, Module, decode, decoder, encode, encoded, varint
from cloudlet.wire.protobuf_json import from_json, to_json

TABLE = """
file test.proto test
enum Colour RED GREEN BLUE
message Leaf
  1 name string
  2 data bytes
message All
  enum Size SMALL LARGE
  1 i32 int32
  2 i64 int64
  3 u32 uint32
  4 u64 uint64
  5 flag bool
  6 text string
  7 data bytes
  8 colour Colour
  9 size Size
  10 leaf Leaf
  11 i32s repeated int32
  12 u64s repeated uint64
  13 flags repeated bool
  14 texts repeated string
  15 datas repeated bytes
  16 colours repeated Colour
  17 leaves repeated Leaf
  18 one_number int64 in choice
  19 one_text string in choice
  20 one_leaf Leaf in choice
  21 other_colour Colour in other
  22 other_flag bool in other
  3000 far All
"""
TEST = Module(TABLE)
All, Leaf = TEST.attribute("All"), TEST.attribute("Leaf")
ORACLES = {module: classes(module.schema) for module in (TEST, pb.MODULE, grpc_messages.MODULE)}

BIG = {
    "int32": st.integers(-(1 << 31), (1 << 31) - 1),
    "int64": st.integers(-(1 << 63), (1 << 63) - 1),
    "uint32": st.integers(0, (1 << 32) - 1),
    "uint64": st.integers(0, (1 << 64) - 1),
    "bool": st.booleans(),
    "string": st.text(max_size=200),
    "bytes": st.binary(max_size=200),
}


def messages(module, name, depth=3):
    """Any message of a type."""
    shape = module.schema.messages[name]

    def values(field):
        if field.kind == "enum":
            return st.integers(0, len(module.schema.enums[field.type]) - 1)
        if field.kind == "message":
            return messages(module, field.type, depth - 1)
        return BIG[field.kind]

    @st.composite
    def build(draw):
        given_values = {}
        chosen = {}
        for field in shape.fields:
            if field.kind == "message" and depth == 0:
                continue
            if field.oneof:
                chosen.setdefault(field.oneof, []).append(field)
            elif field.is_repeated:
                given_values[field.name] = draw(st.lists(values(field), max_size=3))
            elif draw(st.booleans()):
                given_values[field.name] = draw(values(field))
        for fields in chosen.values():
            field = draw(st.sampled_from([None, *fields]))
            if field is not None:
                given_values[field.name] = draw(values(field))
        return module.schema.message(name)(**given_values)

    return build()


def any_message():
    names = [(module, name) for module in ORACLES for name in module.schema.messages]
    return st.sampled_from(names).flatmap(lambda row: messages(*row).map(lambda made: (row[0], made)))


@given(any_message())
@settings(max_examples=300, deadline=None)
def test_bytes_are_those_of_the_runtime(row):
    module, ours = row
    theirs = ORACLES[module][type(ours).__name__]()
    fill(theirs, ours)
    data = encode(ours)
    assert data == theirs.SerializeToString(deterministic=True)
    assert decode(type(ours), data) == ours
    assert decode(type(ours), memoryview(data)) == ours


@given(st.binary(max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_taken_or_refused_as_by_the_runtime(data):
    theirs = ORACLES[TEST]["All"]()
    try:
        theirs.ParseFromString(data)
    except DecodeError:
        theirs = None
    try:
        ours = decode(All, data)
    except ProtocolError:
        assert theirs is None
        return
    if theirs is not None:
        copy = ORACLES[TEST]["All"]()
        fill(copy, ours)
        theirs.DiscardUnknownFields()
        assert copy == theirs


@given(messages(TEST, "All"), messages(TEST, "All"))
@settings(max_examples=100, deadline=None)
def test_bytes_behind_each_other_merge(first, second):
    theirs = ORACLES[TEST]["All"]()
    data = encode(first) + encode(second)
    theirs.ParseFromString(data)
    copy = ORACLES[TEST]["All"]()
    fill(copy, decode(All, data))
    assert copy == theirs


@given(messages(TEST, "All"), st.data())
@settings(max_examples=100, deadline=None)
def test_a_cut_message_is_refused_or_a_shorter_one(message, data):
    whole = encode(message)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    theirs = ORACLES[TEST]["All"]()
    try:
        theirs.ParseFromString(cut)
    except DecodeError:
        with pytest.raises(ProtocolError):
            decode(All, cut)
    else:
        decode(All, cut)


@given(any_message())
@settings(max_examples=200, deadline=None)
def test_json_is_that_of_the_runtime(row):
    module, ours = row
    theirs = ORACLES[module][type(ours).__name__]()
    fill(theirs, ours)
    text = json_format.MessageToDict(theirs, preserving_proto_field_name=True)
    renamed = json.loads(json.dumps(to_json(ours)))
    assert strip_enums(text) == renamed
    assert from_json(type(ours), renamed) == ours
    camel = json_format.MessageToDict(theirs)
    assert from_json(type(ours), strip_enums(camel)) == ours


def strip_enums(found):
    """The oracle's enums carry their type's name in front, as one package has one namespace of values."""
    names = {
        f"{name.replace('.', '_')}_{value}": value
        for module in ORACLES
        for name, values in module.schema.enums.items()
        for value in values
    }
    if isinstance(found, dict):
        return {key: strip_enums(value) for key, value in found.items()}
    if isinstance(found, list):
        return [strip_enums(value) for value in found]
    return names.get(found, found) if isinstance(found, str) else found


def test_unknown_fields_of_every_wire_type_are_skipped():
    unknown = b"".join(
        [
            varint(900 << 3 | 0) + b"\xff\xff\x03",
            varint(901 << 3 | 1) + b"12345678",
            varint(902 << 3 | 2) + b"\x03abc",
            varint(903 << 3 | 5) + b"1234",
            varint(904 << 3 | 3) + b"\x08\x01" + varint(904 << 3 | 4),
        ]
    )
    assert decode(Leaf, unknown + encode(Leaf(name="n")) + unknown) == Leaf(name="n")
    assert decode(Leaf, b"\x08\x05") == Leaf()  # a known number in another wire type


def test_nesting_is_bounded():
    data = b""
    for _ in range(DEPTH_MAX):
        data = varint(3000 << 3 | 2) + varint(len(data)) + data
    decode(All, data)
    with pytest.raises(ProtocolError, match="deep"):
        decode(All, varint(3000 << 3 | 2) + varint(len(data)) + data)
    with pytest.raises(ProtocolError):
        decode(All, b"\x0b" * 100_000)


def test_a_field_may_hold_its_message_encoded_before():
    header = pb.ResponseHeader(cluster_id=1 << 63, revision=5)
    raw = pb.PutResponse(header=encoded(encode(header)))
    assert encode(raw) == encode(pb.PutResponse(header=header))
    assert to_json(raw) == {"header": {"cluster_id": str(1 << 63), "revision": "5"}}


def test_zero_in_a_oneof_is_told_from_nothing():
    compare = pb.Compare(target=pb.Compare.CompareTarget.MOD, mod_revision=0)
    assert decode(pb.Compare, encode(compare)).mod_revision == 0
    assert decode(pb.Compare, encode(pb.Compare())).mod_revision is None
    assert from_json(pb.Compare, to_json(compare)) == compare


@pytest.mark.parametrize(
    ("given_json", "word"),
    [
        ({"limit": "1x"}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"limit": 1 << 63}, "limit"),
        ({"limit": True}, "limit"),
        ({"key": "*"}, "key"),
        ({"key": 1}, "key"),
        ({"serializable": 1}, "serializable"),
        ({"sort_order": "UP"}, "sort_order"),
        ([], "RangeRequest"),
    ],
)
def test_json_that_is_none_is_refused_by_name(given_json, word):
    with pytest.raises(ProtocolError, match=word):
        from_json(pb.RangeRequest, given_json)


def test_json_is_taken_in_every_spelling():
    expected = pb.RangeRequest(key=b"\xfb\xff", range_end=b"a", limit=5, sort_order=2)
    for text in (
        {"key": "+/8=", "range_end": "YQ==", "limit": "5", "sort_order": "DESCEND"},
        {"key": "-_8", "rangeEnd": "YQ", "limit": 5, "sortOrder": 2, "revision": None},
        {"key": "+/8", "range_end": "YQ==", "limit": 5.0, "sort_order": "DESCEND"},
    ):
        assert from_json(pb.RangeRequest, text) == expected


def test_methods_are_told_by_path():
    put = pb.METHODS["/etcdserverpb.KV/Put"]
    assert (put.request, put.reply, put.gateway) == ("PutRequest", "PutResponse", ("/v3/kv/put",))
    watch = pb.METHODS["/etcdserverpb.Watch/Watch"]
    assert watch.streams_request
    assert watch.streams_reply
    assert len(pb.METHODS) == 49
    assert decoder(pb.PutRequest)(b"\x0a\x01k").key == b"k"


def test_json_that_the_message_does_not_have_is_passed_over():
    assert from_json(pb.RangeRequest, {"key": "YQ==", "nosuch": [1]}) == pb.RangeRequest(key=b"a")
