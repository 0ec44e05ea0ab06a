"""Routing: whose request it is, seen from the wire alone."""

import orjson
import pytest

from cloudlet.aws.index import ROUTES, derive
from cloudlet.aws.models import Models
from cloudlet.aws.route import Router, Unroutable
from cloudlet.wire.http1 import Head

MODELS = Models()
ROUTER = Router(MODELS)
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def routed(method="POST", target="/", body=b"", signing_name=None, **headers):
    fields = {key.replace("_", "-").encode(): value.encode() for key, value in headers.items()}
    path, _, query = target.encode().partition(b"?")
    head = Head(method, target.encode(), path, query, fields, True, len(body), False, False)
    return ROUTER.route(head, body, signing_name)


def named(route):
    return f"{route.service}.{route.operation} {route.protocol}"


def form(text, signing_name=None):
    return named(routed(body=text.encode(), signing_name=signing_name, **FORM))


def at(method, target, signing_name, **headers):
    route = routed(method, target, b"", signing_name, **headers)
    return named(route).rpartition(" ")[0], dict(route.labels)


def test_the_shipped_index_is_the_one_that_the_models_give():
    assert orjson.loads(ROUTES.read_bytes()) == derive(MODELS), "run python -m cloudlet.aws.index"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("AmazonSQS.SendMessage", "sqs.SendMessage json"),
        ("DynamoDB_20120810.GetItem", "dynamodb.GetItem json"),
        ("BaldrApiService.DescribeClusters", "cloudhsmv2.DescribeClusters json"),
        ("CloudHsmFrontendService.ListHsms", "cloudhsm.ListHsms json"),
        ("Timestream_20181101.Query", "timestream-query.Query json"),
        ("Timestream_20181101.WriteRecords", "timestream-write.WriteRecords json"),
        ("AWSCognitoIdentityProviderService.InitiateAuth", "cognito-idp.InitiateAuth json"),
    ],
)
def test_a_target_names_service_and_operation(target, expected):
    assert named(routed(x_amz_target=target, content_type="application/x-amz-json-1.1")) == expected


def test_cbor_names_them_in_the_path():
    service = "GraniteServiceVersion20100801"  # of CloudWatch
    route = routed(target=f"/service/{service}/operation/PutMetricData", smithy_protocol="rpc-v2-cbor")
    assert named(route) == "cloudwatch.PutMetricData rpc-v2-cbor"


def test_a_version_tells_services_of_one_signing_name_apart():
    name = "elasticloadbalancing"
    assert form("Action=DescribeTags&Version=2012-06-01", name) == "elb.DescribeTags query"
    assert form("Action=DescribeTags&Version=2015-12-01", name) == "elbv2.DescribeTags query"


def test_forms_without_a_signature_go_by_version_and_action():
    assert form("Action=AssumeRoleWithSAML&Version=2011-06-15") == "sts.AssumeRoleWithSAML query"


def test_what_rds_shares_with_neptune_means_rds():
    assert form("Action=CreateDBCluster&Version=2014-10-31", "rds") == "rds.CreateDBCluster query"


def test_sqs_still_answers_the_query_protocol():
    assert form("Action=SendMessage&Version=2012-11-05", "sqs") == "sqs.SendMessage query"
    assert (
        form("Version=2012-11-05&Action=SendMessage&MessageBody=Action%3D", "sqs") == "sqs.SendMessage query"
    )


def test_an_action_may_stand_in_the_query_string():
    route = routed("GET", "/?Action=GetCallerIdentity&Version=2011-06-15")
    assert named(route) == "sts.GetCallerIdentity query"


@pytest.mark.parametrize(
    ("method", "target", "signing_name", "expected"),
    [
        ("POST", "/v2/email/outbound-emails", "ses", "sesv2.SendEmail"),
        ("POST", "/v1/email/identities", "ses", "pinpoint-email.CreateEmailIdentity"),
        ("POST", "/endpoints/e/invocations", "sagemaker", "sagemaker-runtime.InvokeEndpoint"),
        ("GET", "/greengrass/v2/components", "greengrass", "greengrassv2.ListComponents"),
        ("GET", "/greengrass/groups", "greengrass", "greengrass.ListGroups"),
        ("GET", "/bots/", "lex", "lex-models.GetBots"),
        ("POST", "/bots/", "lex", "lexv2-models.ListBots"),
        ("GET", "/bot/b/alias/a/user/u/session", "lex", "lex-runtime.GetSession"),
        ("GET", "/bots/b/botAliases/a/botLocales/l/sessions/s", "lex", "lexv2-runtime.GetSession"),
        ("GET", "/v2/apis", "apigateway", "apigatewayv2.GetApis"),
        ("GET", "/restapis", "apigateway", "apigateway.GetRestApis"),
        ("GET", "/v20180820/jobs/j", "s3", "s3control.DescribeJob"),
    ],
)
def test_a_path_tells_services_of_one_signing_name_apart(method, target, signing_name, expected):
    assert at(method, target, signing_name)[0] == expected


@pytest.mark.parametrize(
    ("method", "target", "expected", "labels"),
    [
        ("GET", "/", "s3.ListBuckets", {}),
        ("GET", "/b", "s3.ListObjects", {"Bucket": "b"}),
        ("GET", "/b/", "s3.ListObjects", {"Bucket": "b"}),
        ("GET", "/b?list-type=2", "s3.ListObjectsV2", {"Bucket": "b"}),
        ("GET", "/b?tagging", "s3.GetBucketTagging", {"Bucket": "b"}),
        ("GET", "/b?tagging=", "s3.GetBucketTagging", {"Bucket": "b"}),
        ("GET", "/b/k?tagging", "s3.GetObjectTagging", {"Bucket": "b", "Key": "k"}),
        ("GET", "/b//k", "s3.GetObject", {"Bucket": "b", "Key": "/k"}),
        ("GET", "/b/a//k/", "s3.GetObject", {"Bucket": "b", "Key": "a//k/"}),
        ("GET", "/b/a%2Fk%20%C3%A4+", "s3.GetObject", {"Bucket": "b", "Key": "a/k ä+"}),
        ("GET", "/b/k?uploadId=u", "s3.ListParts", {"Bucket": "b", "Key": "k"}),
        ("PUT", "/b/k", "s3.PutObject", {"Bucket": "b", "Key": "k"}),
        ("PUT", "/b/k?partNumber=1&uploadId=u", "s3.UploadPart", {"Bucket": "b", "Key": "k"}),
        ("DELETE", "/b/k", "s3.DeleteObject", {"Bucket": "b", "Key": "k"}),
        ("DELETE", "/b/k?uploadId=u", "s3.AbortMultipartUpload", {"Bucket": "b", "Key": "k"}),
        ("POST", "/b?delete", "s3.DeleteObjects", {"Bucket": "b"}),
        ("POST", "/b/k?uploads", "s3.CreateMultipartUpload", {"Bucket": "b", "Key": "k"}),
    ],
)
def test_objects_are_told_apart_by_their_arguments(method, target, expected, labels):
    assert at(method, target, "s3") == (expected, labels)


def test_a_header_tells_a_copy_from_a_put():
    assert at("PUT", "/b/k", "s3", x_amz_copy_source="/a/k")[0] == "s3.CopyObject"
    target = "/b/k?partNumber=1&uploadId=u"
    assert at("PUT", target, "s3", x_amz_copy_source="/a/k")[0] == "s3.UploadPartCopy"


def test_what_must_be_there_and_is_not_still_finds_its_operation():
    """So that the model's validation can name it."""
    assert at("GET", "/v20180820/jobs/j", "s3")[0] == "s3control.DescribeJob"  # without its account header


def test_a_greedy_label_takes_an_arn_whole():
    arn = "arn:aws:workspaces-web:us-east-1:000000000000:portal/p"
    found = at("PUT", f"/portals/{arn}/userSettings", "workspaces-web")
    assert found == ("workspaces-web.AssociateUserSettings", {"portalArn": arn})


def test_a_label_may_hold_escaped_slashes():
    arn = "arn:aws:kafka:us-east-1:000000000000:cluster/c/1"
    quoted = arn.replace(":", "%3A").replace("/", "%2F")
    assert at("GET", f"/v1/clusters/{quoted}", "kafka") == ("kafka.DescribeCluster", {"clusterArn": arn})


def test_a_label_is_never_empty():
    assert at("GET", "/certificate-providers/", "iot") == ("iot.ListCertificateProviders", {})


@pytest.mark.parametrize(
    ("request_of", "code", "status", "protocol", "text"),
    [
        ({"x_amz_target": "AmazonSQS.Dance"}, "UnknownOperationException", 404, "json", "Dance"),
        ({"x_amz_target": "Nobody.Dance"}, "UnknownOperationException", 404, "json", "Nobody"),
        (dict(body=b"Action=Dance&Version=2011-06-15", **FORM), "InvalidAction", 400, "query", "Dance"),
        (dict(body=b"A=b", **FORM), "MissingAction", 400, "query", "Action"),
        (
            {"target": "/service/X/operation/Dance", "smithy_protocol": "rpc-v2-cbor"},
            "UnknownOperationException", 404, "rpc-v2-cbor", "Dance",
        ),
        (
            {"method": "GET", "target": "/no/such/thing/at/all", "signing_name": "lambda"},
            "UnknownOperationException", 404, "rest-json", "/no/such/thing/at/all",
        ),
        ({"method": "TRACE", "target": "/x"}, "UnknownOperationException", 404, "rest-xml", "/x"),
    ],
)  # fmt: skip
def test_what_nobody_serves_is_named_in_the_callers_protocol(request_of, code, status, protocol, text):
    with pytest.raises(Unroutable) as refused:
        routed(**request_of)
    assert (refused.value.code, refused.value.status, refused.value.protocol) == (code, status, protocol)
    assert text in refused.value.message


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("localhost:4566", "x"),
        ("127.0.0.1:4566", "x"),
        ("s3.localhost", "x"),
        ("s3.eu-west-1.amazonaws.com", "x"),
        ("a.localhost:4566", "a"),
        ("a.b.s3.localhost", "a.b"),
        ("A.s3.eu-west-1.amazonaws.com", "a"),
        ("a.s3-eu-west-1.amazonaws.com", "a"),
        ("a.s3.localhost.localstack.cloud:4566", "a"),
        ("a.s3.dualstack.eu-west-1.amazonaws.com", "a"),
    ],
)
def test_a_bucket_stands_in_the_path_or_before_the_host(host, bucket):
    route = routed(method="GET", target="/x/y", signing_name="s3", host=host)
    assert route.labels["Bucket"] == bucket
    assert route.labels["Key"] == ("y" if bucket == "x" else "x/y")


def test_what_is_signed_for_nothing_goes_to_s3():
    assert routed(method="GET", target="/x/y").service == "s3"


def test_what_s3_does_not_do():
    kinds = []

    def refused(method, signing_name, path="/bucket", **headers):
        with pytest.raises(Unroutable) as raised:
            routed(method, path, b"", signing_name, **headers)
        kinds.append((raised.value.detail or {}).get("ResourceType"))
        return raised.value.status, raised.value.code, raised.value.protocol

    form = {"content_type": "multipart/form-data; boundary=x"}
    assert refused("POST", None, **form) == (501, "NotImplemented", "rest-xml")
    for path in ("/bucket", "/bucket/key", "/"):
        assert refused("PATCH", "s3", path) == (405, "MethodNotAllowed", "rest-xml")
    assert kinds == [None, "BUCKET", "OBJECT", "SERVICE"]


def test_an_action_that_sqs_does_not_have_is_told_in_its_own_words():
    with pytest.raises(Unroutable, match="The action FooBar is not valid for this endpoint"):
        form("Action=FooBar&Version=2012-11-05", "sqs")
