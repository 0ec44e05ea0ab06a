"""STS with boto3: who is calling, and temporary keys."""

import urllib.request

import boto3
import botocore.exceptions
import pytest
from tests.cloud import running


@pytest.fixture(scope="module", params=["memory", "hostile"])
def cloud(request):
    with running(engine=request.param) as cloud:
        yield cloud


def refused(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**arguments)
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_the_root_of_the_default_account(cloud):
    identity = cloud.client("sts").get_caller_identity()
    assert identity["Account"] == "000000000000"
    assert identity["Arn"] == "arn:aws:iam::000000000000:root"
    assert identity["UserId"] == "000000000000"
    assert (
        identity["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
        == identity["ResponseMetadata"]["RequestId"]
    )


def test_a_key_of_twelve_digits_is_an_account(cloud):
    identity = cloud.client("sts", key="123456789012", secret="any").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::123456789012:root"


def test_an_unknown_key_is_the_default_account(cloud):
    assert (
        cloud.client("sts", key="AKIAUNKNOWN", secret="x").get_caller_identity()["Account"] == "000000000000"
    )


def test_a_wrong_secret_of_a_known_key_is_refused(cloud):
    client = cloud.client("sts", key="test", secret="wrong")
    assert refused(client.get_caller_identity) == ("SignatureDoesNotMatch", 403)


def test_a_session_token_makes_a_key_that_works(cloud):
    made = cloud.client("sts", key="123456789012").get_session_token(DurationSeconds=900)["Credentials"]
    assert made["AccessKeyId"].startswith("ASIA")
    session = {"key": made["AccessKeyId"], "secret": made["SecretAccessKey"], "token": made["SessionToken"]}
    assert cloud.client("sts", **session).get_caller_identity()["Account"] == "123456789012"
    assert refused(cloud.client("sts", **session).get_session_token) == ("AccessDenied", 403)
    info = cloud.client("sts").get_access_key_info(AccessKeyId=made["AccessKeyId"])
    assert info["Account"] == "123456789012"
    wrong = {**session, "token": "nonsense"}
    assert refused(cloud.client("sts", **wrong).get_caller_identity) == ("InvalidClientTokenId", 403)
    wrong = {**session, "secret": "nonsense"}
    assert refused(cloud.client("sts", **wrong).get_caller_identity) == ("SignatureDoesNotMatch", 403)


def test_durations_out_of_range_are_refused_in_the_words_of_aws(cloud):
    client = cloud.client("sts", parameter_validation=False)
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        client.get_session_token(DurationSeconds=1)
    assert raised.value.response["Error"] == {
        "Type": "Sender",
        "Code": "ValidationError",
        "Message": "1 validation error detected: Value '1' at 'durationSeconds' failed to satisfy "
        "constraint: Member must have value greater than or equal to 900",
    }


def test_what_is_not_implemented_says_so(cloud):
    client = cloud.client("sts")
    assert refused(client.get_federation_token, Name="me") == ("NotImplemented", 501)
    device = {"SerialNumber": "arn:aws:iam::1:mfa/x", "TokenCode": "123456"}
    assert refused(client.get_session_token, **device) == (
        "NotImplemented",
        501,
    )
    assert refused(cloud.client("braket").search_jobs, filters=[]) == ("NotImplemented", 501)


def test_strict_refuses_what_is_unknown():
    with running(is_strict=True) as cloud:
        client = cloud.client("sts", key="AKIAUNKNOWN", secret="x")
        assert refused(client.get_caller_identity) == ("InvalidClientTokenId", 403)
        assert cloud.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_a_request_without_credentials_is_refused(cloud):
    config = botocore.config.Config(signature_version=botocore.UNSIGNED)
    client = boto3.client("sts", region_name="us-east-1", endpoint_url=cloud.url, config=config)
    assert refused(client.get_caller_identity) == ("MissingAuthenticationToken", 403)


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_a_web_page_does_not_drive_the_cloud(cloud, headers):
    request = urllib.request.Request(
        f"{cloud.url}/?Action=GetCallerIdentity&Version=2011-06-15", headers=headers
    )
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request)
    assert raised.value.code == 403
    raised.value.close()


def test_a_session_outlives_a_restart(tmp_path):
    with running(engine="disk", folder=tmp_path) as cloud:
        made = cloud.client("sts", key="123456789012").get_session_token()["Credentials"]
    with running(engine="disk", folder=tmp_path) as cloud:
        session = {
            "key": made["AccessKeyId"],
            "secret": made["SecretAccessKey"],
            "token": made["SessionToken"],
        }
        assert cloud.client("sts", **session).get_caller_identity()["Account"] == "123456789012"
