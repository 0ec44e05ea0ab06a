"""What a codec costs: us of CPU to route, parse and reply, beside botocore's walk of the same models.

State   none
Source  botocore's parsers and serialisers stand for what walks the model at each call
Absent  none

    python bench/codecs.py

Each figure is the best of many short runs, so that a shared machine disturbs it little. botocore's columns
are the opposite directions (it serialises requests and parses replies): the same walk over the same shapes.
"""

from __future__ import annotations

import sys
import time
import timeit
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT / "src"), str(ROOT)]  # our own folder goes: its http.py hides the library's

import botocore.parsers  # noqa: E402
import botocore.serialize  # noqa: E402
from tests.conformance.test_differential import (  # noqa: E402
    BOTOCORE_NAMES,
    MODELS,
    as_response,
    botocore_model,
    model_in,
    sent,
)

from cloudlet.aws.route import Router  # noqa: E402
from cloudlet.wire.aws.codec import compile_codec  # noqa: E402

CALLS = 500
ROUNDS = 15
QUEUE = "http://localhost:4566/000000000000/queue"
DOCUMENT = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}'
)
ITEM = {"id": {"S": "1"}, "n": {"N": "2"}, "m": {"M": {"a": {"L": [{"S": "x"}, {"BOOL": True}]}}}}
MESSAGE = {"MessageId": "m" * 36, "ReceiptHandle": "r" * 200, "MD5OfBody": "5" * 32, "Body": "b" * 200}
ROLE = {
    "Path": "/",
    "RoleName": "r",
    "RoleId": "A" * 20,
    "Arn": "arn:aws:iam::000000000000:role/r",
    "CreateDate": 1e9,
}
INSTANCE = {
    "InstanceId": "i-0",
    "ImageId": "ami-0",
    "State": {"Code": 16, "Name": "running"},
    "LaunchTime": 1e9,
    "Placement": {"AvailabilityZone": "us-east-1a"},
    "SecurityGroups": [{"GroupId": "sg-0", "GroupName": "g"}],
    "Tags": [{"Key": "Name", "Value": "one"}],
    "BlockDeviceMappings": [{"DeviceName": "/dev/sda1"}],
}
KEY = {
    "Key": "a/key/of/an/object",
    "LastModified": 1e9,
    "ETag": '"5"',
    "Size": 1024,
    "StorageClass": "STANDARD",
}
RUN = {
    "ImageId": "ami-0",
    "MinCount": 1,
    "MaxCount": 1,
    "InstanceType": "t3.micro",
    "SecurityGroupIds": ["sg-0"],
    "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "one"}]}],
}
CASES: list[tuple[str, str, str, dict[str, object], dict[str, object]]] = [
    (
        "sts",
        "query",
        "GetCallerIdentity",
        {},
        {"UserId": "0" * 12, "Account": "0" * 12, "Arn": "arn:aws:iam::0:root"},
    ),
    (
        "sqs",
        "json",
        "SendMessage",
        {"QueueUrl": QUEUE, "MessageBody": "b" * 200},
        {"MessageId": "m" * 36, "MD5OfMessageBody": "5" * 32},
    ),
    (
        "sqs",
        "query",
        "SendMessage",
        {"QueueUrl": QUEUE, "MessageBody": "b" * 200},
        {"MessageId": "m" * 36, "MD5OfMessageBody": "5" * 32},
    ),
    (
        "sqs",
        "json",
        "ReceiveMessage",
        {"QueueUrl": QUEUE, "MaxNumberOfMessages": 10},
        {"Messages": [MESSAGE] * 10},
    ),
    (
        "kms",
        "json",
        "Encrypt",
        {"KeyId": "k" * 36, "Plaintext": b"p" * 64},
        {"KeyId": "k" * 36, "CiphertextBlob": b"c" * 150},
    ),
    ("dynamodb", "json", "PutItem", {"TableName": "t", "Item": ITEM}, {}),
    ("dynamodb", "json", "GetItem", {"TableName": "t", "Key": {"id": {"S": "1"}}}, {"Item": ITEM}),
    (
        "cloudwatch",
        "rpc-v2-cbor",
        "PutMetricData",
        {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.5}]},
        {},
    ),
    ("iam", "query", "CreateRole", {"RoleName": "r", "AssumeRolePolicyDocument": DOCUMENT}, {"Role": ROLE}),
    ("iam", "query", "ListRoles", {}, {"Roles": [ROLE] * 20, "IsTruncated": False}),
    ("ec2", "ec2", "RunInstances", RUN, {"Instances": [INSTANCE]}),
    ("ec2", "ec2", "DescribeInstances", {}, {"Reservations": [{"Instances": [INSTANCE] * 5}]}),
    (
        "lambda",
        "rest-json",
        "ListFunctions",
        {"MaxItems": 50},
        {"Functions": [{"FunctionName": "f", "Timeout": 3}] * 10},
    ),
    (
        "s3",
        "rest-xml",
        "GetObject",
        {"Bucket": "b", "Key": "a/key"},
        {"ETag": '"5"', "ContentLength": 1, "LastModified": 1e9},
    ),
    (
        "s3",
        "rest-xml",
        "ListObjectsV2",
        {"Bucket": "b", "Prefix": "a/"},
        {"Name": "b", "Contents": [KEY] * 10},
    ),
    ("s3", "rest-xml", "ListObjectsV2", {"Bucket": "b"}, {"Name": "b", "Contents": [KEY] * 1000}),
    (
        "s3",
        "rest-xml",
        "DeleteObjects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": f"k{n}"} for n in range(100)]}},
        {},
    ),
]


def cost_us(call: Callable[[], object], calls: int = CALLS) -> float:
    """The least CPU per call over many rounds."""
    call()
    first = timeit.Timer(call, timer=time.process_time).timeit(3) / 3
    calls = max(3, min(calls, int(0.02 / max(first, 1e-7))))
    return min(timeit.Timer(call, timer=time.process_time).timeit(calls) / calls for _ in range(ROUNDS)) * 1e6


def main() -> None:
    router = Router(MODELS)
    print(f"{'':38}{'route':>8}{'parse':>8}{'check':>8}{'botocore':>10}{'reply':>8}{'botocore':>10}")
    for name, protocol, operation_name, params, result in CASES:
        service = MODELS.service(name)
        model = model_in(name, protocol)
        theirs = botocore_model(model, protocol).operation_model(operation_name)
        serializer = botocore.serialize.create_serializer(BOTOCORE_NAMES.get(protocol, protocol), False)
        parser = botocore.parsers.create_parser(BOTOCORE_NAMES.get(protocol, protocol))
        head, body = sent(serializer.serialize_to_request(params, theirs))
        codec = compile_codec(service, service.operation(operation_name), protocol)
        route = router.route(head, body, service.signing_name)
        parsed = codec.parse(head, body, route.labels)
        response = as_response(codec.reply(result, "request-1"))
        figures = [
            cost_us(lambda: router.route(head, body, service.signing_name)),  # noqa: B023
            cost_us(lambda: codec.parse(head, body, route.labels)),  # noqa: B023
            cost_us(lambda: codec.violations(parsed)),  # noqa: B023
            cost_us(lambda: serializer.serialize_to_request(params, theirs)),  # noqa: B023
            cost_us(lambda: codec.reply(result, "request-1")),  # noqa: B023
            cost_us(lambda: parser.parse(response, theirs.output_shape)),  # noqa: B023
        ]
        label = f"{name} {operation_name} ({protocol})"
        print(
            f"{label:38}"
            + "".join(f"{each:{w}.1f}" for each, w in zip(figures, (8, 8, 8, 10, 8, 10), strict=True))
        )


if __name__ == "__main__":
    main()
