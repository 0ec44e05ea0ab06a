"""Our codecs against botocore's own: its requests through our router and parsers, our replies through its
parsers, for every operation of every implemented service and of a sample of many others."""

import datetime
import math
from urllib.parse import urlencode

import botocore.awsrequest
import botocore.model
import botocore.parsers
import botocore.serialize
import botocore.utils
import msgspec
import pytest
from tests.conformance.sample import STYLES, Sample

from cloudlet.aws.implemented import implemented
from cloudlet.aws.models import Models
from cloudlet.aws.route import Router
from cloudlet.kernel.fault import Fault
from cloudlet.wire.aws.codec import compile_codec
from cloudlet.wire.http1 import Head

OTHERS = (
    "apigateway", "apigatewayv2", "athena", "cloudformation", "cloudfront", "cloudwatch", "codebuild",
    "cognito-idp", "dynamodb", "ec2", "ecs", "elbv2", "events", "iam", "iot", "kinesis", "kms", "lambda",
    "logs", "organizations", "rds", "route53", "s3", "s3control", "secretsmanager", "ses", "sesv2", "sns",
    "sqs", "ssm", "stepfunctions", "sts",
)  # fmt: skip
# Several operations, or services, at one place on the wire: whose request it is cannot be seen.
SAME_PLACE = {
    ("s3", "ListDirectoryBuckets"): ("s3", "ListBuckets"),  # sent to another host
    ("s3", "GetBucketLifecycle"): ("s3", "GetBucketLifecycleConfiguration"),  # the former is deprecated
    ("s3", "GetBucketNotification"): ("s3", "GetBucketNotificationConfiguration"),
    ("s3", "PutBucketLifecycle"): ("s3", "PutBucketLifecycleConfiguration"),
    ("s3", "PutBucketNotification"): ("s3", "PutBucketNotificationConfiguration"),
}
# Bodies that cannot be told: the deprecated Event of these and their Events are one name in XML.
AMBIGUOUS = {("s3", "GetBucketNotification"), ("s3", "PutBucketNotification")}
# Replies whose root is their one member: botocore's client reads them beside its parser.
UNWRAPPED = {("s3", "GetBucketLocation")}
MODELS = Models()
ROUTER = Router(MODELS)
BOTOCORE_NAMES = {"rpc-v2-cbor": "smithy-rpc-v2-cbor"}
SPELLS_EMPTINESS = {"json", "rpc-v2-cbor", "rest-json"}


def spoken():
    """(service, protocol) pairs."""
    names = sorted({*implemented(), *OTHERS})
    return [(name, protocol) for name in names for protocol in MODELS.service(name).protocols]


@pytest.fixture(params=spoken(), ids=lambda pair: f"{pair[0]}-{pair[1]}")
def pair(request):
    return request.param


def model_in(name, protocol):
    service = MODELS.service(name)
    return service.as_query if protocol in ("query", "ec2") else service


def botocore_model(model, protocol):
    raw = dict(model.raw)
    raw["metadata"] = {**raw["metadata"], "protocol": BOTOCORE_NAMES.get(protocol, protocol)}
    return botocore.model.ServiceModel(raw, model.name)


def operations(name, protocol):
    """Every operation without event streams, with its codec."""
    service = MODELS.service(name)
    for operation_name in service.operations:
        operation = service.operation(operation_name)
        if not operation.event_streams:
            yield operation_name, operation, compile_codec(service, operation, protocol)


def sent(serialized):
    """The head and the body of what botocore's serializer made."""
    headers = {key.lower(): value for key, value in serialized["headers"].items()}
    body = serialized["body"]
    if isinstance(body, dict):
        body = urlencode(body)
    if hasattr(body, "read"):
        body = body.read()
    body = body.encode() if isinstance(body, str) else bytes(body)
    path = serialized["url_path"]
    query = serialized["query_string"]
    if query:
        joined = query if isinstance(query, str) else botocore.utils.percent_encode_sequence(query)
        path = f"{path}{'&' if '?' in path else '?'}{joined}"
    target = path.encode()
    plain, _, rest = target.partition(b"?")
    raw = {
        key.encode(): (value.decode() if isinstance(value, bytes) else str(value)).encode()
        for key, value in headers.items()
    }
    return Head(serialized["method"], target, plain, rest, raw, True, len(body), False, False), body


def plain(value):
    """Structs as dicts, without what is absent."""
    if isinstance(value, msgspec.Struct):
        fields = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name: plain(each) for name, each in fields if each is not None}
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def bare(value):
    """Without empty structures, lists and maps, for protocols that cannot tell them from absent ones."""
    if isinstance(value, dict):
        found = {name: bare(each) for name, each in value.items()}
        return {name: each for name, each in found.items() if each is not None and each not in ({}, [])}
    if not isinstance(value, list):
        return value
    return [each for each in map(bare, value) if each != {}]


def seconds(value):
    """botocore's datetimes as our numbers."""
    if isinstance(value, datetime.datetime):
        return round(value.timestamp(), 3)
    if isinstance(value, dict):
        return {name: seconds(each) for name, each in value.items()}
    return [seconds(each) for each in value] if isinstance(value, list) else value


def times(shape, value):
    """Numbers as datetimes, where the shape is a timestamp: what a caller of botocore passes."""
    if value is None or shape.document:
        return value
    if shape.type == "timestamp":
        return datetime.datetime.fromtimestamp(value, datetime.UTC)
    if shape.type == "structure" and isinstance(value, dict):
        return {
            n: each if shape.members[n].jsonvalue else times(shape.members[n].shape, each)
            for n, each in value.items()
        }
    if shape.type == "list":
        return [times(shape.member.shape, each) for each in value]
    if shape.type == "map":
        return {name: times(shape.value.shape, each) for name, each in value.items()}
    return value


def comparable(value, protocol):
    return value if protocol in SPELLS_EMPTINESS else bare(value)


def differences(wanted, found, place=""):
    """Where two plain values differ."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name in sorted({*wanted, *found}, key=str):
            if name not in wanted or name not in found:
                yield f"{place}.{name}: {wanted.get(name, 'absent')!r} <> {found.get(name, 'absent')!r}"
            else:
                yield from differences(wanted[name], found[name], f"{place}.{name}")
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, f"{place}[{number}]")
    elif isinstance(wanted, float) and isinstance(found, float):
        if not (wanted == found or math.isclose(wanted, found, rel_tol=1e-6)):
            yield f"{place}: {wanted!r} <> {found!r}"
    elif wanted != found or isinstance(wanted, bool) != isinstance(found, bool):
        yield f"{place}: {wanted!r} <> {found!r}"


@pytest.mark.parametrize("style", STYLES)
def test_requests_of_botocore_are_read(pair, style):
    name, protocol = pair
    model = model_in(name, protocol)
    theirs = botocore_model(model, protocol)
    serializer = botocore.serialize.create_serializer(BOTOCORE_NAMES.get(protocol, protocol), False)
    wrong = []
    for operation_name, _, codec in operations(name, protocol):
        if (name, operation_name) in AMBIGUOUS:
            continue
        shape = model.operation(operation_name).input
        given = Sample(style, protocol in SPELLS_EMPTINESS).structure(shape) if shape else {}
        given = without_streams(model.operation(operation_name), given)
        serialized = serializer.serialize_to_request(
            times(shape, given) if shape else {}, theirs.operation_model(operation_name)
        )
        head, body = sent(serialized)
        try:
            route = ROUTER.route(head, body, MODELS.service(name).signing_name)
            place = SAME_PLACE.get((name, operation_name), (name, operation_name))
            assert (route.service, route.operation, route.protocol) == (*place, protocol), route
            found = plain(codec.parse(head, body, route.labels))
        except (Fault, AssertionError) as error:
            wrong.append(f"{operation_name}: {error!r}")
            continue
        found = without_streams(model.operation(operation_name), found)
        only_asked_for(shape, given, found)
        kind = "" if shape and shape.payload else protocol  # an empty payload is no body
        wrong += [
            f"{operation_name}{line}"
            for line in differences(comparable(given, kind), comparable(found, kind))
        ]
    assert not wrong, "\n".join([str(len(wrong)), *wrong[:40]])


def only_asked_for(shape, given, found):
    """A map bound to the query string holds every argument there is: keep those that the test put in."""
    for member in shape.members.values() if shape else ():
        if member.location == "querystring" and member.shape.type == "map" and member.name in found:
            kept = given.get(member.name, {})
            found[member.name] = {name: each for name, each in found[member.name].items() if name in kept}
            if not kept:
                del found[member.name]


def without_streams(operation, given):
    return {name: value for name, value in given.items() if name != operation.streaming_input}


@pytest.mark.parametrize("style", STYLES)
def test_replies_are_read_by_botocore(pair, style):
    name, protocol = pair
    model = model_in(name, protocol)
    theirs = botocore_model(model, protocol)
    parser = botocore.parsers.create_parser(BOTOCORE_NAMES.get(protocol, protocol))
    wrong = []
    for operation_name, _, codec in operations(name, protocol):
        if (name, operation_name) in AMBIGUOUS | UNWRAPPED:
            continue
        operation = model.operation(operation_name)
        sample = Sample(style, protocol in SPELLS_EMPTINESS, is_request=False)
        result = sample.structure(operation.output) if operation.output else {}
        result.pop(operation.streaming_output, None)
        reply = codec.reply(result, "request-1")
        parsed = parser.parse(as_response(reply), theirs.operation_model(operation_name).output_shape)
        parsed.pop("ResponseMetadata", None)
        parsed.pop(operation.streaming_output, None)
        for member in operation.output.members.values() if operation.output else ():
            if member.location == "statusCode":
                parsed.pop(member.name, None)
        payload = operation.output.payload if operation.output else None
        if payload and isinstance(result.get(payload, b""), bytes) and isinstance(parsed.get(payload), str):
            parsed[payload] = parsed[
                payload
            ].encode()  # botocore reads a payload that is not streamed as text
            if not parsed[payload]:
                del parsed[payload]
        wanted, found = comparable(result, protocol), comparable(seconds(parsed), protocol)
        wrong += [f"{operation_name}{line}" for line in differences(wanted, found)]
    assert not wrong, "\n".join([str(len(wrong)), *wrong[:40]])


def as_response(reply):
    headers = botocore.awsrequest.HeadersDict()
    if reply.length is not None:  # the server writes that header
        headers["content-length"] = str(reply.length)
    for key, value in reply.headers:
        headers[key.decode()] = value.decode()
    return {"status_code": reply.status, "headers": headers, "body": reply.body, "context": {}}


def test_errors_are_read_by_botocore(pair):
    name, protocol = pair
    model = model_in(name, protocol)
    theirs = botocore_model(model, protocol)
    parser = botocore.parsers.create_parser(BOTOCORE_NAMES.get(protocol, protocol))
    wrong = []
    seen = set()
    for operation_name, operation, codec in operations(name, protocol):
        for error_name in operation.error_names:
            if error_name in seen:
                continue
            seen.add(error_name)
            error = model.errors[error_name]
            sample = Sample("all", protocol in SPELLS_EMPTINESS, is_request=False)
            detail = sample.structure(error.shape)
            detail = {n: v for n, v in detail.items() if n.lower() not in ("message", "code", "type")}
            reply = codec.refuse(Fault(error_name, "Not <so>.", detail=detail), "request-1")
            response = as_response(reply)
            parsed = parser.parse(response, theirs.operation_model(operation_name).output_shape)
            code = parsed["Error"]["Code"]
            spelled = {error_name, error.code, error.query_code}
            if code not in spelled or parsed["Error"]["Message"] != "Not <so>.":
                wrong.append(f"{error_name}: {parsed}")
            if reply.status != error.status:
                wrong.append(f"{error_name}: status {reply.status}")
            read = parser.parse(response, theirs.shape_for(error_name))
            read = {n: v for n, v in seconds(read).items() if n in detail}
            wanted, found = comparable(detail, protocol), comparable(read, protocol)
            wrong += [f"{error_name}{line}" for line in differences(wanted, found)]
    assert not wrong, "\n".join([str(len(wrong)), *wrong[:40]])
