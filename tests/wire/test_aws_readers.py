"""Readers that take a short way, against those that go the long one."""

import json
from urllib.parse import quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudlet.aws.models import Models
from cloudlet.kernel.fault import Fault
from cloudlet.wire.aws import form
from cloudlet.wire.aws import json as aws_json
from cloudlet.wire.aws.form import FormReaders
from cloudlet.wire.aws.json import JsonReaders
from cloudlet.wire.aws.values import Types

SQS = Models().service("sqs")
SEND = SQS.operation("SendMessage").input
RECEIVE = SQS.operation("ReceiveMessage").input
OLD_SEND = SQS.as_query.operation("SendMessage").input


def outcome(read, *arguments):
    try:
        return read(*arguments)
    except Fault as fault:
        return (fault.code, fault.message)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["YQ==", "YQ", "Y Q=="]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
attribute = st.dictionaries(
    st.sampled_from(["StringValue", "BinaryValue", "StringListValues", "BinaryListValues", "DataType"]),
    values,
)
bodies = st.dictionaries(
    st.sampled_from(
        ["QueueUrl", "MessageBody", "DelaySeconds", "MessageAttributes", "MessageGroupId", "Other"]
    ),
    values | st.dictionaries(st.text(max_size=3), attribute, max_size=2),
)


@settings(max_examples=400, deadline=None)
@given(bodies, st.integers(0, 60), st.binary(max_size=2))
def test_text_that_a_typed_decoder_reads_is_read_as_the_long_way_does(body, cut, junk):
    text = json.dumps(body).encode()
    readers = JsonReaders(Types(), uses_location_names=False)
    whole, long = readers.whole(SEND), readers.reader(SEND)
    spoilt = text[:cut] + junk + text[cut:]
    for each in (text, spoilt):
        expected = outcome(lambda raw: long(aws_json.load(raw)), each)
        found = outcome(whole, each)
        if expected != found:
            # The two differ only in text that nobody reads: the short way does not look whether it is UTF-8.
            with pytest.raises(UnicodeDecodeError):
                each.decode()


def test_numbers_of_any_size_and_nested_text_are_no_accident():
    read = JsonReaders(Types(), uses_location_names=False).whole(RECEIVE)
    assert read(b'{"MaxNumberOfMessages": 3.0}').MaxNumberOfMessages == 3
    assert read(b'{"AttributeNames": ["All", null]}').AttributeNames == ["All"]
    assert outcome(read, b'{"AttributeNames": "All"}')[0] == "SerializationException"
    assert outcome(read, b"[" * 100_000)[0] == "SerializationException"
    assert outcome(read, b'{"x": ' + b"[" * 100_000)[0] == "SerializationException"


def test_a_shape_that_contains_itself_has_no_type_that_says_all():
    model = Models().service("dynamodb")
    types = Types()
    shape = model.operation("PutItem").input
    assert types.told(shape) is None
    readers = JsonReaders(types, uses_location_names=False)
    item = readers.whole(shape)(b'{"TableName": "t", "Item": {"a": {"M": {"b": {"L": [{"S": "c"}]}}}}}').Item
    assert item["a"].M["b"].L[0].S == "c"


names = st.sampled_from(
    ["Action", "Version", "QueueUrl", "MessageBody", "DelaySeconds", "MessageAttribute.1.Name", "Other",
     "A+b", "QueueUrl.x", ""]
)  # fmt: skip
pairs = st.tuples(
    names, st.text(max_size=8) | st.sampled_from(["5", "%", "+", "%zz", "%C3%A4"]), st.booleans()
)


@settings(max_examples=400, deadline=None)
@example([("DelaySeconds", "", False), ("DelaySeconds", "0", False)], b"")
@given(st.lists(pairs, max_size=6), st.sampled_from([b"", b"&", b"&&", b"&MessageBody=%ff", b"&MessageBody"]))
def test_a_flat_form_is_read_as_its_tree_is(fields, tail):
    text = "&".join(f"{name}={quote_plus(value) if quoted else value}" for name, value, quoted in fields)
    body = text.encode() + tail
    readers = FormReaders(Types(), is_ec2=False)
    expected = outcome(lambda raw: readers.structure(OLD_SEND)(form.tree(form.fields(raw))), body)
    found = outcome(readers.flat(OLD_SEND), body)
    assert found is None or found == expected


def test_a_flat_form_does_need_no_tree():
    read = FormReaders(Types(), is_ec2=False).flat(OLD_SEND)
    params = read(
        b"Action=SendMessage&Version=2012&QueueUrl=http%3A%2F%2Fh%2Fq&MessageBody=a+b&DelaySeconds=3"
    )
    assert (params.QueueUrl, params.MessageBody, params.DelaySeconds) == ("http://h/q", "a b", 3)
    assert read(b"&".join([b"MessageBody=x"] * 101)) is None
