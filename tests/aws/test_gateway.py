"""The framework as a service's author meets it: a small Parameter Store, driven by boto3."""

import asyncio
import json
import urllib.error
import urllib.request

import botocore.exceptions
import pytest
from tests.cloud import running

from cloudlet.aws.events import EVENTS_LOG, HIDDEN, shown
from cloudlet.aws.identity import MissingAuthenticationToken
from cloudlet.aws.pages import seal, unseal
from cloudlet.aws.record import Record
from cloudlet.aws.service import Service
from cloudlet.wire.kafka.records import decode

ssm = Service("ssm")
AlreadyExists = ssm.fault("ParameterAlreadyExists", "The parameter already exists.")
NotFound = ssm.fault("ParameterNotFound")


class Parameter(Record):
    name: str
    value: str
    version: int


class Window(Record):
    name: str


def key(rq, *parts):
    return ("ssm", rq.account, rq.region, *parts)


@ssm.op(resource="arn:aws:ssm:{region}:{account}:parameter/{Name}", harmless=["Type"])
def put_parameter(rq, p):
    latest = key(rq, "latest", p.Name)
    old = rq.get(latest, Parameter)
    if old and not p.Overwrite:
        raise AlreadyExists
    version = old.version + 1 if old else 1
    rq.commit(put={latest: Parameter(p.Name, p.Value, version)})
    return {"Version": version}


@ssm.op(harmless=["WithDecryption"])
def get_parameter(rq, p):
    found = rq.get(key(rq, "latest", p.Name), Parameter)
    if found is None:
        raise NotFound(f"Parameter {p.Name} not found.")
    return {"Parameter": {"Name": found.name, "Value": found.value, "Version": found.version}}


@ssm.op()
def describe_parameters(rq, p):
    after = unseal("describe", p.NextToken) if p.NextToken else b""
    names = [
        found.name for _, found in rq.glance(key(rq, "latest"), Parameter) if found.name.encode() > after
    ]
    page = names[: p.MaxResults]
    more = {"NextToken": seal("describe", page[-1].encode())} if len(names) > len(page) else {}
    return {"Parameters": [{"Name": name} for name in page], **more}


@ssm.op(harmless=["Schedule", "Duration", "Cutoff", "AllowUnassociatedTargets"])
def create_maintenance_window(rq, p):
    window = f"mw-{rq.token(8).hex()}"
    rq.commit(put={key(rq, "window", window): Window(p.Name)})
    return {"WindowId": window}


@ssm.op()
def delete_parameter(rq, p):
    rq.commit(drop=[key(rq, "latest", p.Name)])


@pytest.fixture(scope="module", params=["memory", "hostile"])
def cloud(request):
    with running(engine=request.param, services=[ssm]) as cloud:
        yield cloud


@pytest.fixture
def client(cloud, request):
    account = f"{abs(hash(request.node.name)) % 10**12:012d}"  # an account per test
    return cloud.client("ssm", key=account)


def refused(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**arguments)
    return raised.value.response["Error"]["Code"], raised.value.response["Error"].get("Message", "")


WINDOW = {
    "Name": "abc",
    "Schedule": "rate(1 day)",
    "Duration": 2,
    "Cutoff": 1,
    "AllowUnassociatedTargets": True,
}


def window(client, token):
    return client.create_maintenance_window(**WINDOW, ClientToken=token)["WindowId"]


def test_what_is_put_is_found(client):
    assert client.put_parameter(Name="a", Value="1", Type="String")["Version"] == 1
    assert client.put_parameter(Name="a", Value="2", Type="String", Overwrite=True)["Version"] == 2
    assert client.get_parameter(Name="a")["Parameter"]["Value"] == "2"


def test_faults_carry_their_code_and_message(client):
    client.put_parameter(Name="a", Value="1", Type="String")
    assert refused(client.put_parameter, Name="a", Value="1", Type="String") == (
        "ParameterAlreadyExists",
        "The parameter already exists.",
    )
    assert refused(client.get_parameter, Name="b") == ("ParameterNotFound", "Parameter b not found.")


def test_a_fault_forgets_where_it_was_raised(client):
    """A fault declared once gathered the frames of every raise, and with them every refused request."""
    client.put_parameter(Name="a", Value="1", Type="String")
    refused(client.put_parameter, Name="a", Value="1", Type="String")
    assert AlreadyExists.__traceback__ is None
    assert AlreadyExists.__context__ is None


def test_a_refused_key_leaves_nothing_behind(cloud):
    anonymous = urllib.request.Request(cloud.url, b"Action=GetCallerIdentity&Version=2011-06-15")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(anonymous)
    assert MissingAuthenticationToken.__traceback__ is None


def test_accounts_and_regions_are_apart(cloud, client):
    client.put_parameter(Name="a", Value="1", Type="String")
    elsewhere = cloud.client("ssm", key=client._request_signer._credentials.access_key, region="eu-north-1")
    assert refused(elsewhere.get_parameter, Name="a")[0] == "ParameterNotFound"
    assert refused(cloud.client("ssm", key="999999999999").get_parameter, Name="a")[0] == "ParameterNotFound"


def test_a_member_that_nobody_reads_is_refused_by_name(client):
    code, message = refused(client.put_parameter, Name="a", Value="1", Type="String", Tier="Advanced")
    assert (code, "Tier" in message, "PutParameter" in message) == ("NotImplemented", True, True)


def test_an_operation_that_is_not_there_is_refused_by_name(client):
    code, message = refused(client.get_parameters_by_path, Path="/")
    assert (code, "GetParametersByPath" in message) == ("NotImplemented", True)


def test_pages_follow_each_other(client):
    for number in range(7):
        client.put_parameter(Name=f"p{number}", Value="x", Type="String")
    pages = list(client.get_paginator("describe_parameters").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Parameters"]) for page in pages] == [3, 3, 1]
    assert [found["Name"] for page in pages for found in page["Parameters"]] == [f"p{n}" for n in range(7)]


def test_a_client_token_gives_the_first_answer_again(client):
    first = window(client, "token-1")
    assert window(client, "token-1") == first
    assert window(client, "token-2") != first
    other = {**WINDOW, "Name": "other", "ClientToken": "token-1"}
    assert refused(client.create_maintenance_window, **other)[0] == "IdempotentParameterMismatch"


def events(cloud):
    logs = cloud.face.desk.traffic.logs
    batch = asyncio.run_coroutine_threadsafe(logs.read(EVENTS_LOG, 0, bytes_max=1 << 24), cloud.loop).result(
        10
    )
    return [json.loads(value) for _, _, _, value in decode(batch)]


def test_each_call_leaves_an_event_without_its_secrets():
    with running(services=[ssm]) as cloud:
        client = cloud.client("ssm", key="444455556666")
        client.put_parameter(Name="secret", Value="hunter2", Type="String")
        refused(client.get_parameter, Name="nothing")
        put, got = events(cloud)
    assert put["recipientAccountId"] == "444455556666"
    assert (put["eventName"], put["eventSource"], put["readOnly"]) == (
        "PutParameter",
        "ssm.amazonaws.com",
        False,
    )
    assert put["requestParameters"]["Name"] == "secret"
    assert put["responseElements"]["Version"] == 1
    assert got["responseElements"] is None
    assert "hunter2" not in json.dumps(put)
    assert put["userIdentity"]["arn"] == "arn:aws:iam::444455556666:root"
    assert (got["eventName"], got["errorCode"], got["readOnly"]) == (
        "GetParameter",
        "ParameterNotFound",
        True,
    )


def test_what_a_call_answers_is_shown_without_its_secrets():
    answered = {"Credentials": {"AccessKeyId": "A", "SecretAccessKey": "hunter2"}, "Users": [{"Token": "t"}]}
    hidden = [("Credentials", "SecretAccessKey"), ("Users", "Token"), ("Absent",)]
    assert json.loads(bytes(shown(answered, hidden))) == {
        "Credentials": {"AccessKeyId": "A", "SecretAccessKey": HIDDEN},
        "Users": [{"Token": HIDDEN}],
    }
    assert answered["Credentials"]["SecretAccessKey"] == "hunter2"


def test_calls_are_counted(cloud, client):
    client.put_parameter(Name="counted", Value="1", Type="String")
    refused(client.get_parameter, Name="nothing")
    with urllib.request.urlopen(f"{cloud.url}/metrics") as reply:
        text = reply.read().decode()
    assert 'service="ssm",operation="PutParameter",code="OK"' in text
    assert 'service="ssm",operation="GetParameter",code="ParameterNotFound"' in text


@pytest.mark.parametrize("slash", ["/", "//"])  # s3fs's suite joins it to an endpoint that ends with one
def test_a_reset_forgets_everything_and_goes_forward(cloud, client, slash):
    client.put_parameter(Name="a", Value="1", Type="String")
    before = cloud.call(lambda: cloud.face.desk.keys.head)
    request = urllib.request.Request(f"{cloud.url}{slash}moto-api/reset", method="POST")
    with urllib.request.urlopen(request) as reply:
        assert reply.status == 200
    assert refused(client.get_parameter, Name="a")[0] == "ParameterNotFound"
    assert cloud.call(lambda: cloud.face.desk.keys.head) > before
