"""Kafka's messages: against kio's codecs byte for byte, against broken bytes, and against their own types."""

import importlib
import io
import pathlib
import random
import re

import kio.schema.errors
import kio.serial
import pytest

from cloudlet.kafka.turns import whole
from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.apis import apis
from cloudlet.wire.kafka.classes import class_of
from cloudlet.wire.kafka.codec import (
    decode,
    decode_slowly,
    decode_versioned,
    decode_whole,
    encode,
    encode_parts,
    encode_slowly,
    encode_versioned,
)
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.schema import NEVER, schema_of, texts
from tools import kafka_stubs

SEED = 2026
SAMPLES = 4
INTEGERS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}

NAMES = [name for name in texts() if schema_of(name).kind in ("request", "response", "data", "header")]


def some_value(field, version, cls, rng, schema):
    """A random value for a field in a version; texts have no surrogates."""
    if version in field.nullable and rng.random() < 0.2:
        return None
    if field.is_array:
        element = field._replace(is_array=False, nullable=NEVER)
        return [some_value(element, version, cls, rng, schema) for _ in range(rng.choice([0, 1, 3]))]
    if field.fields:
        return some_structure(cls.STRUCTURES[field.type], field.fields, version, cls, rng, schema)
    if field.type == "bool":
        return rng.random() < 0.5
    if field.type == "string":
        return rng.choice(["", "a", "topic-1", "é" * 40, "x" * 300])
    if field.type in ("bytes", "records"):
        return rng.choice([b"", b"\x00", rng.randbytes(20), rng.randbytes(500)])
    if field.type == "uuid":
        return rng.choice([bytes(16), rng.randbytes(16)])
    if field.type == "float64":
        return rng.choice([0.0, -1.5, 1e300])
    if field.type in ("uint16", "uint32"):
        return rng.randrange(2 ** int(field.type[4:]))
    half = 2 ** (INTEGERS[field.type] - 1)
    return rng.choice([0, -1, 1, half - 1, -half, rng.randrange(-half, half)])


def some_structure(kind, fields, version, cls, rng, schema):
    made = {}
    for field in fields:
        if version in field.versions and not (version in field.tagged and rng.random() < 0.3):
            made[field.name] = some_value(field, version, cls, rng, schema)
            is_structure = version in field.tagged and field.fields and not field.is_array
            if is_structure and made[field.name] == cls.STRUCTURES[field.type]():
                del made[field.name]  # it is not written, and comes back as None
    return kind(**made)


def some_message(cls, version, rng):
    return some_structure(cls, cls.SCHEMA.fields, version, cls, rng, cls.SCHEMA)


def all_versions(name):
    first, last = schema_of(name).versions
    return [(name, version) for version in range(first, last + 1)]


EVERY = [case for name in NAMES for case in all_versions(name)]


def kio_entity(name, version):
    """kio's class for a message, None where it has none."""
    base = re.sub(r"(Request|Response)$", "", name)
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", base).lower()
    kind = {"request": "request", "response": "response"}.get(schema_of(name).kind, "data")
    try:
        module = importlib.import_module(f"kio.schema.{snake}.v{version}.{kind}")
    except ModuleNotFoundError:
        return None
    return getattr(module, name)


@pytest.mark.parametrize(("name", "version"), EVERY, ids=str)
def test_what_is_written_is_read_again(name, version):
    rng = random.Random(f"{SEED} {name} {version}")
    for _ in range(SAMPLES):
        value = some_message(class_of(name), version, rng)
        raw = encode(value, version)
        assert decode(class_of(name), version, b"front" + raw + b"behind", 5) == (value, 5 + len(raw))
        assert b"".join(encode_parts(value, version, bytearray())) == raw
        assert b"".join(whole(encode_slowly(value, version))) == raw
        slowly = decode_slowly(class_of(name), version, b"front" + raw + b"behind", 5)
        assert whole(slowly) == (value, 5 + len(raw))
        with pytest.raises(ProtocolError):
            decode_whole(class_of(name), version, raw + b"\x00")


@pytest.mark.parametrize(("name", "version"), EVERY, ids=str)
def test_kio_reads_it_and_writes_the_same_bytes(name, version):
    entity = kio_entity(name, version)
    if entity is None:
        assert schema_of(name).kind in ("data", "header"), f"kio has no {name} {version}"
        return
    rng = random.Random(f"{SEED} kio {name} {version}")
    for _ in range(SAMPLES):
        raw = encode(kio_can(some_message(class_of(name), version, rng)), version)
        found = kio.serial.entity_reader(entity)(raw, 0)
        theirs = io.BytesIO()
        kio.serial.entity_writer(entity)(theirs, found[0] if isinstance(found, tuple) else found)
        assert theirs.getvalue() == raw


def kio_can(value):
    """The message without what kio's richer types refuse: codes that are none, instants out of range."""
    for name in value.FIELDS:
        found = getattr(value, name)
        if isinstance(found, int) and not isinstance(found, bool):
            if name.endswith("ErrorCode"):
                setattr(value, name, abs(found) % 100)
            elif re.search(r"Ms$|Time|Timestamp|Deadline|Expir", name):
                setattr(value, name, abs(found) % 1_000_000_000)
        for inner in found if isinstance(found, list) else [found]:
            if hasattr(inner, "FIELDS"):
                kio_can(inner)
    return value


@pytest.mark.parametrize("name", NAMES)
def test_broken_bytes_are_refused_and_nothing_else(name):
    """Every cut, and bytes changed at random: a ProtocolError, or a value; never another error."""
    cls, version = class_of(name), schema_of(name).versions.last
    rng = random.Random(f"{SEED} broken {name}")
    raw = encode(some_message(cls, version, rng), version)
    for stop in range(min(len(raw), 600)):
        with pytest.raises(ProtocolError):
            decode_whole(cls, version, raw[:stop])
        with pytest.raises(ProtocolError):
            whole(decode_slowly(cls, version, raw[:stop]))
    for _ in range(200):
        changed = bytearray(raw)
        for _ in range(rng.choice([1, 2, 5])):
            if changed:
                changed[rng.randrange(len(changed))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
        try:
            decode(cls, version, bytes(changed))
        except ProtocolError:
            pass


def test_what_is_long_is_read_and_written_in_steps():
    partitions = messages.FetchRequest.FetchPartition, messages.FetchResponse.PartitionData
    asked = messages.FetchRequest(
        Topics=[
            messages.FetchRequest.FetchTopic(
                Topic=f"t{topic}", Partitions=[partitions[0](Partition=index) for index in range(1000)]
            )
            for topic in range(2)
        ]
    )
    told = messages.FetchResponse(
        Responses=[
            messages.FetchResponse.FetchableTopicResponse(
                Topic="t",
                Partitions=[
                    partitions[1](PartitionIndex=index, Records=bytes(index % 2 * 5000))
                    for index in range(1000)
                ],
            )
        ]
    )
    assert sum(1 for _ in decode_slowly(type(asked), 12, encode(asked, 12))) == 2002
    parts = []

    def written():
        parts.extend((yield from encode_slowly(told, 12)))

    assert sum(1 for _ in written()) == 1001
    assert b"".join(parts) == encode(told, 12)
    assert max(len(part) for part in parts) < 70_000


def test_a_length_that_is_not_there_makes_nothing():
    request = messages.MetadataRequest(Topics=[])
    raw = encode(request, 1)
    assert raw == b"\x00\x00\x00\x00"
    with pytest.raises(ProtocolError):
        decode(messages.MetadataRequest, 1, b"\x7f\xff\xff\xff" + bytes(100))


def test_an_array_has_no_more_elements_than_there_is_room_for():
    """A count that is believed costs memory before the first element fails: 18 bytes are the least here."""
    elements = 20
    raw = encode(messages.MetadataRequest(Topics=[]), 12)
    for count, is_refused_at_once in ((elements + 1, True), (elements, False)):
        broken = bytes([count + 1]) + bytes(18 * elements)
        with pytest.raises(ProtocolError) as refused:
            decode_whole(messages.MetadataRequest, 12, broken)
        assert ("Topics ends behind" in str(refused.value)) is is_refused_at_once
    assert decode_whole(messages.MetadataRequest, 12, raw).Topics == []


def test_records_are_passed_through_as_they_are():
    records = bytes(100_000)
    request = messages.ProduceRequest(
        Acks=-1,
        TopicData=[
            messages.ProduceRequest.TopicProduceData(
                Name="t", PartitionData=[messages.ProduceRequest.PartitionProduceData(Records=records)]
            )
        ],
    )
    parts = encode_parts(request, 9, bytearray())
    assert any(part is records for part in parts)
    buffer = b"".join(parts)
    found = decode_whole(messages.ProduceRequest, 9, buffer).TopicData[0].PartitionData[0].Records
    assert isinstance(found, memoryview)
    assert found.obj is buffer


def test_a_tagged_field_with_its_default_is_not_written_and_unknown_ones_are_passed_over():
    plain = encode(messages.ProduceResponse(), 10)
    told = encode(messages.ProduceResponse(NodeEndpoints=[]), 10)
    assert plain == told
    assert plain.endswith(b"\x00")
    raw = encode(messages.ApiVersionsRequest(ClientSoftwareName="c", ClientSoftwareVersion="1"), 3)
    unknown = raw[:-1] + b"\x02\x63\x03abc\xe4\x01\x00"  # tags 99 (three bytes) and 228 (none)
    assert decode_whole(messages.ApiVersionsRequest, 3, unknown).ClientSoftwareName == "c"
    with pytest.raises(ProtocolError):
        decode_whole(messages.ApiVersionsRequest, 3, raw[:-1] + b"\x01\x63\x09abc")


def test_records_of_internal_topics_say_their_version():
    key = messages.GroupMetadataKey(group="g")
    raw = encode_versioned(key, 2)
    assert raw[:2] == b"\x00\x02"
    assert decode_versioned(messages.GroupMetadataKey, raw) == key
    for broken in (b"", b"\x00", b"\x00\x63abc"):
        with pytest.raises(ProtocolError):
            decode_versioned(messages.GroupMetadataKey, broken)


def test_a_version_that_a_message_does_not_have_is_an_error_of_ours():
    with pytest.raises(ValueError, match="no version"):
        encode(messages.ProduceRequest(), 99)
    with pytest.raises(AttributeError):
        messages.NonsenseRequest  # noqa: B018


def test_the_apis_are_whole():
    for api in apis().values():
        assert api.request.SCHEMA.versions == api.response.SCHEMA.versions
        assert api.request.SCHEMA.flexible == api.response.SCHEMA.flexible
    assert apis()[0].advertised_min == 0
    assert apis()[18].response_header(3) == 0
    assert (apis()[3].request_header(8), apis()[3].request_header(9)) == (1, 2)


def test_the_codes_are_kafkas():
    assert ErrorCode(3) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    theirs = {int(code): (code.name.upper(), code.retriable) for code in kio.schema.errors.ErrorCode}
    theirs[0] = ("NONE", False)
    assert {int(code): (code.name, code.is_retriable) for code in ErrorCode} == theirs


def test_the_stubs_are_current():
    assert pathlib.Path(kafka_stubs.TARGET).read_text(encoding="utf-8") == kafka_stubs.text()
