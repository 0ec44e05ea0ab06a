"""The small parts of the framework: ARNs, page tokens, tags, what an operation reads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.aws import tags
from cloudlet.aws.arn import Arn, parse_arn
from cloudlet.aws.pages import BadToken, first, seal, unseal
from cloudlet.aws.service import Service, names_read
from cloudlet.kernel.fault import Fault

Invalid = Fault("InvalidTag")
TooMany = Fault("TooManyTags", "too many")


def test_an_arn_is_its_parts():
    text = "arn:aws:sqs:us-east-1:000000000000:a:b"
    assert parse_arn(text) == Arn("sqs", "us-east-1", "000000000000", "a:b")
    assert str(parse_arn(text)) == text


@pytest.mark.parametrize(
    "text", ["", "arn:aws:sqs:us-east-1:0", "urn:aws:sqs:us-east-1:0:x", "arn:aws:::0:x", "arn:aws:s3:::"]
)
def test_text_that_is_no_arn(text):
    assert parse_arn(text) is None


@given(st.binary(max_size=100))
@settings(deadline=None)
def test_a_token_gives_its_position_back_for_its_own_listing(position):
    token = seal("ListQueues/1", position)
    assert unseal("ListQueues/1", token) == position
    with pytest.raises(BadToken):
        unseal("ListQueues/2", token)


@given(st.text(max_size=40))
@settings(deadline=None)
def test_text_that_is_no_token_is_refused(text):
    with pytest.raises(BadToken):
        unseal("ListQueues", text)


def test_a_page_knows_whether_there_is_more():
    assert first(range(3), 3) == ([0, 1, 2], False)
    assert first(range(4), 3) == ([0, 1, 2], True)


def test_tags_are_merged_and_bounded():
    assert tags.added({"a": "1"}, {"a": "2", "b": ""}, Invalid, TooMany).tags == {"a": "2", "b": ""}
    with pytest.raises(Fault, match="too many"):
        tags.added({str(n): "" for n in range(50)}, {"new": ""}, Invalid, TooMany)
    assert tags.removed({"a": "1", "b": "2"}, ["b", "c"]).tags == {"a": "1"}


@pytest.mark.parametrize(
    ("name", "value"), [("", "x"), ("a" * 129, ""), ("aws:x", ""), ("a!", ""), ("a", "b" * 257), ("a", "\0")]
)
def test_bad_tags_are_refused(name, value):
    with pytest.raises(Fault) as raised:
        tags.added({}, {name: value}, Invalid, TooMany)
    assert raised.value.code == "InvalidTag"


def reads_one(rq, p):
    return p.First, reads_another(p)


def reads_another(p):
    return [each.Second for each in p.Third]


def test_what_an_operation_reads_is_found_in_what_it_calls():
    names = names_read(reads_one, __name__.rpartition(".")[0] or __name__)
    assert {"First", "Second", "Third"} <= names


def test_a_service_is_held_against_its_model():
    service = Service("ssm")
    service.fault("ParameterNotFound")

    @service.op()
    def put_parameter(rq, p):
        return {}

    service.check(["PutParameter"], ["ParameterNotFound"])
    with pytest.raises(AssertionError, match="put_parameter"):
        service.check(["GetParameter"], ["ParameterNotFound"])
    with pytest.raises(AssertionError, match="ParameterNotFound"):
        service.check(["PutParameter"], [])
    assert service.operation("PutParameter").act is put_parameter
    assert service.operation("GetParameter") is None
