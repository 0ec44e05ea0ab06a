"""AWS's own protocol cases, run backwards: their requests are parsed, their results are serialised.

The cases lie beside the repository (../shared/cases/aws-protocols); where they are absent, these tests are
skipped.
"""

import base64
import json
import math
import pathlib
from urllib.parse import urlsplit

import botocore.model
import botocore.parsers
import msgspec
import pytest

from cloudlet.aws.paths import RestPaths, arguments_of
from cloudlet.wire.aws.codec import compile_codec
from cloudlet.wire.aws.shapes import ServiceModel
from cloudlet.wire.aws.values import read_timestamp
from cloudlet.wire.http1 import Head

CASES = pathlib.Path(__file__).parents[3] / "shared" / "cases" / "aws-protocols"

pytestmark = pytest.mark.skipif(not CASES.exists(), reason=f"the protocol cases are not at {CASES}")

# Cases that cannot be met backwards, each with its reason.
COMPRESSED = "the case gives no body: a compressed one has many forms"
LEFT_OUT = {
    **{
        f"SDK{what}_{protocol}": COMPRESSED
        for what in (
            "AppliedContentEncoding",
            "AppendsGzipAndIgnoresHttpProvidedEncoding",
            "AppendedGzipAfterProvidedEncoding",
        )
        for protocol in ("awsJson1_0", "awsJson1_1", "awsQuery", "ec2Query", "restJson1", "restXml")
    },
    "Ec2ProtocolIdempotencyTokenAutoFillIsSet": "the case gives no token in its request",
    "RestJsonHostWithPath": "the path of the client's endpoint is before the operation's; we are at the root",
    "MediaTypeHeaderInputBase64": "the case means the text of the JSON value, a service gets the value",
    "RestJsonQueryPrecedence": "the client drops what its map says of a bound argument, so it cannot arrive",
    "RestXmlQueryPrecedence": "the client drops what its map says of a bound argument, so it cannot arrive",
    "HttpPrefixHeadersResponse": "with an empty prefix a client reads every header, ours too",
}
READER_LIMITS = "botocore's parser, which reads our replies here, leaves the case out too"


def left_out(case, direction, suite):
    if case["id"] in LEFT_OUT:
        return LEFT_OUT[case["id"]]
    if direction == "output":
        ignored = json.loads((CASES / "ignore-list.json").read_text(encoding="utf-8"))["protocols"]
        if case["id"] in ignored.get(suite["metadata"]["protocol"], {}).get("output", {}).get("cases", ()):
            return READER_LIMITS
    return None


def load(direction):
    found = []
    for path in sorted((CASES / direction).glob("*.json")):
        for suite in json.loads(path.read_text(encoding="utf-8")):
            for case in suite["cases"]:
                if direction == "output" and "error" in case:
                    continue
                found.append(pytest.param(path.stem, suite, case, id=f"{path.stem}-{case['id']}"))
    return found if CASES.exists() else []


def model_of(suite, case):
    given = case["given"]
    metadata = {"endpointPrefix": "test", **suite["metadata"]}
    return ServiceModel(
        "test", {"metadata": metadata, "operations": {given["name"]: given}, "shapes": suite["shapes"]}
    )


def protocol_of(suite):
    name = suite["metadata"]["protocol"]
    return {"smithy-rpc-v2-cbor": "rpc-v2-cbor"}.get(name, name)


def plain(value):
    """Parameters as the cases spell them: absent members left out."""
    if isinstance(value, msgspec.Struct):
        return {
            name: plain(each)
            for name in value.__struct_fields__
            if (each := getattr(value, name)) is not None
        }
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def same(left, right, shape):
    """Whether two values of a shape mean the same."""
    if left is None or right is None:
        return left is right
    if shape.document:
        return left == right
    if shape.type == "structure":
        names = {
            name
            for name in (*left, *right)
            if left.get(name) or right.get(name) or (name in left and name in right)
        }
        return all(same(left.get(n), right.get(n), shape.members[n].shape) for n in names)
    if shape.type == "list":
        return len(left) == len(right) and all(
            same(a, b, shape.member.shape) for a, b in zip(left, right, strict=True)
        )
    if shape.type == "map":
        return left.keys() == right.keys() and all(same(left[k], right[k], shape.value.shape) for k in left)
    if shape.type in ("float", "double"):
        left, right = float(left), float(right)
        return (
            left == right
            or (math.isnan(left) and math.isnan(right))
            or math.isclose(left, right, rel_tol=1e-6)
        )
    if shape.type == "timestamp":
        return abs(seconds(left) - seconds(right)) < 0.001
    if shape.type == "blob":
        return octets(left) == octets(right)
    return left == right


def seconds(value):
    return (
        read_timestamp(value)
        if isinstance(value, str)
        else value
        if isinstance(value, int | float)
        else value.timestamp()
    )


def octets(value):
    return value.encode() if isinstance(value, str) else bytes(value)


def body_of(suite, text):
    if suite["metadata"]["protocol"] == "smithy-rpc-v2-cbor":
        return base64.b64decode(text)
    return text.encode()


@pytest.mark.parametrize(("name", "suite", "case"), load("input"))
def test_requests_are_read(name, suite, case):
    reason = left_out(case, "input", suite)
    if reason:
        pytest.skip(reason)
    model = model_of(suite, case)
    protocol = protocol_of(suite)
    operation = model.operation(case["given"]["name"])
    sent = case["serialized"]
    target = urlsplit(sent["uri"])
    headers = {key.lower().encode(): value.encode() for key, value in sent.get("headers", {}).items()}
    head = Head(
        sent["method"], sent["uri"].encode(), target.path.encode(), target.query.encode(), headers,
        keep_alive=True, content_length=None, chunked=False, expect_continue=False,
    )  # fmt: skip
    labels = {}
    if protocol.startswith("rest"):
        found = RestPaths(model).match(head, target.path, arguments_of(head.query))
        assert found is not None, f"no operation at {sent['method']} {sent['uri']}"
        labels = found.labels
    params = compile_codec(model, operation, protocol).parse(
        head, body_of(suite, sent.get("body", "")), labels
    )
    wanted = dict(case["params"])
    for member in operation.idempotency_tokens:
        if member not in wanted and getattr(params, member, None) is not None:
            wanted[member] = getattr(params, member)  # the client filled it in
    found = plain(params)
    for member in operation.input.members.values() if operation.input else ():
        if member.location == "querystring" and member.shape.type == "map" and member.name in found:
            # A server's map holds every argument; a case's only those that no other member is bound to.
            kept = wanted.get(member.name, {})
            found[member.name] = {name: each for name, each in found[member.name].items() if name in kept}
    assert operation.input is None or same(found, wanted, operation.input), (found, wanted)


@pytest.mark.parametrize(("name", "suite", "case"), load("output"))
def test_results_are_written(name, suite, case):
    reason = left_out(case, "output", suite)
    if reason:
        pytest.skip(reason)
    model = model_of(suite, case)
    protocol = protocol_of(suite)
    operation = model.operation(case["given"]["name"])
    if operation.output is None:
        result = {}
    else:
        result = {n: v for n, v in case.get("result", {}).items() if n in operation.output.members}
        result = typed(result, operation.output)
    reply = compile_codec(model, operation, protocol).reply(result, "request-1")
    read = read_by_botocore(suite, case, reply)
    read.pop("ResponseMetadata", None)
    if operation.output is not None:
        wanted = {name: value for name, value in result.items() if value is not None}
        found = {
            name: value for name, value in read.items() if name in wanted or value not in ("", b"", [], {})
        }
        assert same(found, wanted, operation.output), (found, wanted, reply)


def typed(value, shape):
    """A case's result as a service would give it: bytes for blobs, seconds for timestamps."""
    if value is None or shape.document:
        return value
    if shape.type == "structure":
        return {name: typed(each, shape.members[name].shape) for name, each in value.items()}
    if shape.type == "list":
        return [typed(each, shape.member.shape) for each in value]
    if shape.type == "map":
        return {name: typed(each, shape.value.shape) for name, each in value.items()}
    if shape.type == "blob":
        return octets(value)
    if shape.type == "timestamp":
        return seconds(value)
    return float(value) if shape.type in ("float", "double") else value


def read_by_botocore(suite, case, reply):
    given = dict(case["given"])
    if suite["metadata"]["protocol"] == "query" and "output" in given:
        given["output"] = {**given["output"], "resultWrapper": f"{given['name']}Result"}
    raw = {"metadata": suite["metadata"], "operations": {given["name"]: given}, "shapes": suite["shapes"]}
    model = botocore.model.ServiceModel(raw, "test").operation_model(case["given"]["name"])
    parser = botocore.parsers.ResponseParserFactory().create_parser(suite["metadata"]["protocol"])
    headers = {key.decode(): value.decode() for key, value in reply.headers}
    response = {
        "status_code": reply.status,
        "headers": botocore.awsrequest.HeadersDict(headers),
        "body": reply.body,
    }
    return parser.parse(response, model.output_shape)
