"""Routing: from the wire form of a request to a service, an operation and a protocol.

State   none
Source  the models' protocols, target prefixes, HTTP bindings; aws/data/routes.json, derived from them
Absent  website hosts of S3 buckets; access point hosts

What is sent decides, not what a model lists: current and older SDKs speak different protocols to one service.

    Smithy-Protocol: rpc-v2-cbor   /service/ID/operation/NAME               rpc-v2-cbor
    X-Amz-Target: PREFIX.NAME      application/x-amz-json-1.x               json
    Action=NAME&Version=…          in a form, or in the query string        query, ec2
    anything else                  method, raw path, required arguments     rest-json, rest-xml

A request that is signed for S3, or for nothing and that no other service could mean, goes to S3, the only
service whose resources are plain URLs. A bucket may stand before the name of the host: .localhost,
.s3.localhost, .s3.REGION.amazonaws.com, or a dot and a name that the cloud was told (`--advertise`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import resources
from urllib.parse import quote

import orjson

from cloudlet.aws.models import Models
from cloudlet.aws.paths import NO_ARGUMENTS, RestPaths, Route, arguments_of
from cloudlet.kernel.fault import Fault
from cloudlet.wire.aws.percent import unquote_plus
from cloudlet.wire.http1 import Head

UnknownOperation = Fault("UnknownOperationException", status=404)
InvalidAction = Fault("InvalidAction", status=400)
MethodNotAllowed = Fault(
    "MethodNotAllowed", "The specified method is not allowed against this resource.", status=405
)
NotImplementedFault = Fault("NotImplemented", status=501)
InvalidURI = Fault("InvalidURI", "Couldn't parse the specified URI.", status=400)
MissingAction = Fault("MissingAction", "The request must contain the parameter Action.", status=400)

CBOR_PATH = re.compile(rb"/service/([^/]+)/operation/([^/]+)\Z")

LOCAL_NAMES = ("localhost", "localhost.localstack.cloud")
S3_ENDPOINT = r"s3(?:[.-][a-z0-9-]+)?(?:\.dualstack\.[a-z0-9-]+)?\.amazonaws\.com"

ONLY_S3: Sequence[str] = ("s3",)
S3_CONTROL_PATH = "/v20180820/"  # S3 Control shares S3's signing name; the host's label is an account there

KNOWN_MAX = 10_000  # remembered targets and forms
REMEMBERED_BYTES_MAX = 256


NO_LABELS: Mapping[str, str] = {}


class Unroutable(Fault):
    """A request that names no operation of any service, with the protocol to say so in."""

    def __init__(self, fault: Fault, protocol: str, service: str = "-") -> None:
        super().__init__(fault.code, fault.message, status=fault.status, detail=fault.detail)
        self.protocol = protocol
        self.service = service


class Router:
    """Routes over the models of one botocore. `host_names` are those by which clients reach us, beside
    localhost's: below them a name is a bucket's."""

    def __init__(self, models: Models, host_names: Sequence[str] = ()) -> None:
        self._models = models
        ours = "|".join(re.escape(name.lower()) for name in (*LOCAL_NAMES, *host_names))
        self._bucket_host = re.compile(rf"(?!s3[.-])(.+?)\.(?:{S3_ENDPOINT}|(?:s3\.)?(?:{ours}))(?::\d+)?\Z")
        self._buckets: dict[bytes, str] = {}
        self._paths: dict[str, RestPaths] = {}
        self._targets: dict[bytes, Route] = {}
        self._forms: dict[tuple[bytes, str | None], Route] = {}  # by a form's first two fields

    @cached_property
    def _index(self) -> dict[str, dict[str, list[str]]]:
        raw = resources.files("cloudlet.aws.data").joinpath("routes.json").read_bytes()
        found: dict[str, dict[str, list[str]]] = orjson.loads(raw)
        return found

    def route(self, head: Head, body: bytes, signing_name: str | None) -> Route:
        """The route of a request; Unroutable."""
        headers = head.headers
        target = headers.get(b"x-amz-target")
        if target is not None:
            known = self._targets.get(target)
            return known or self._by_target(target, signing_name)
        if b"smithy-protocol" in headers:
            return self._by_cbor_path(head.path)
        is_form = headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded")
        if not is_form and b"Action=" not in head.query:
            return self._by_path(head, signing_name)
        if is_form and body.startswith(b"Action="):
            return self._by_form(body, signing_name)
        source = body if is_form and b"Action=" in body else head.query
        action = first_value(source, b"Action=")
        if action is not None:
            return self._by_action(action, first_value(source, b"Version=") or b"", signing_name)
        if is_form and head.path == b"/" and not head.query:
            raise Unroutable(MissingAction, "query")
        return self._by_path(head, signing_name)

    # --- json

    def _by_target(self, target: bytes, signing_name: str | None) -> Route:
        prefix, _, operation = target.decode("latin-1").rpartition(".")
        names = self._index["target"].get(prefix, [])
        for name in names:
            if operation in self._models.service(name).operations:
                route = Route(name, operation, "json", NO_LABELS)
                if len(self._targets) < KNOWN_MAX:
                    self._targets[target] = route
                return route
        what = (
            f"{prefix} has no operation {operation}."
            if names
            else f"No service has the target prefix {prefix}."
        )
        raise Unroutable(UnknownOperation(what), "json", names[0] if names else "-")

    # --- rpc-v2-cbor

    def _by_cbor_path(self, path: bytes) -> Route:
        found = CBOR_PATH.search(path)
        if found is None:
            raise Unroutable(
                UnknownOperation("An rpc-v2-cbor request names its operation in its path."), "rpc-v2-cbor"
            )
        shape, operation = found[1].decode("latin-1"), found[2].decode("latin-1")
        # SDKs send the service shape's name, which is the target prefix where there is one.
        for name in self._index["target"].get(shape) or self._index["id"].get(shape) or []:
            if operation in self._models.service(name).operations:
                return Route(name, operation, "rpc-v2-cbor", NO_LABELS)
        raise Unroutable(
            UnknownOperation(f"The service {shape} has no operation {operation}."), "rpc-v2-cbor"
        )

    # --- query and ec2

    def _by_form(self, form: bytes, signing_name: str | None) -> Route:
        """The route of a form that begins with its action; what is remembered has the version behind it."""
        stop = form.find(b"&", form.find(b"&") + 1)
        stem = form if stop < 0 else form[:stop]
        known = self._forms.get((stem, signing_name))
        if known is not None:
            return known
        action = first_value(form, b"Action=")
        assert action is not None
        route = self._by_action(action, first_value(form, b"Version=") or b"", signing_name)
        is_dated = stem.partition(b"&")[2].startswith(b"Version=")
        if is_dated and len(stem) <= REMEMBERED_BYTES_MAX and len(self._forms) < KNOWN_MAX:
            self._forms[stem, signing_name] = route
        return route

    def _by_action(self, raw_action: bytes, raw_version: bytes, signing_name: str | None) -> Route:
        try:
            action, version = unquote_plus(raw_action.decode()), unquote_plus(raw_version.decode())
        except UnicodeDecodeError:
            raise Unroutable(InvalidAction("The action is not UTF-8."), "query") from None
        for name in self._speakers_of_query(version, signing_name):
            model = self._models.service(name)
            if action in model.operations:
                protocol = "ec2" if "ec2" in model.protocols else "query"
                return Route(name, action, protocol, NO_LABELS)
        text = (
            f"Could not find operation {action} for version {version}"
            if version
            else f"The action {action} is not valid"
        )
        if signing_name == "sqs":
            text = f"The action {action} is not valid for this endpoint."
        protocol = "ec2" if signing_name == "ec2" else "query"
        raise Unroutable(InvalidAction(text), protocol)

    def _speakers_of_query(self, version: str, signing_name: str | None) -> Sequence[str]:
        """The services that may be meant: of that signing name and version, else of either."""
        dated = self._index["version"].get(version, [])
        if signing_name is None:
            return dated
        signed = self._index["signing"].get(signing_name, [])
        speakers = [name for names in self._index["version"].values() for name in names if name in signed]
        return (
            [name for name in speakers if name in dated]
            or ([] if dated and version else speakers)
            or speakers
        )

    # --- rest

    def _by_path(self, head: Head, signing_name: str | None) -> Route:
        names: Sequence[str] = self._index["signing"].get(signing_name or "s3", ())
        path = head.path.decode("latin-1")
        if "s3" in names and not path.startswith(S3_CONTROL_PATH):
            host = head.headers.get(b"host", b"")
            bucket = self._buckets.get(host)
            if bucket is None:
                bucket = self._bucket_of(host)
            path = f"/{bucket}{path}" if bucket else path
            names = ONLY_S3
        try:
            closest = self._closest(names, head, path)
        except UnicodeDecodeError:
            raise Unroutable(InvalidURI, self._rest_protocol(names), names[0] if names else "-") from None
        if closest is not None:
            return closest
        if not names:
            what = f"{head.method} {path}: no service has the signing name {signing_name}."
        else:
            what = f"{names[0]} has no operation at {head.method} {path}."
        if names is ONLY_S3 and (refused := _refused_by_s3(head, path, signing_name)) is not None:
            raise Unroutable(refused, "rest-xml", "s3")
        raise Unroutable(UnknownOperation(what), self._rest_protocol(names), names[0] if names else "-")

    def _closest(self, names: Sequence[str], head: Head, path: str) -> Route | None:
        """The closest operation among services that share a signing name."""
        given = arguments_of(head.query) if head.query else NO_ARGUMENTS
        if len(names) == 1:
            return (self._paths.get(names[0]) or self._paths_of(names[0])).match(head, path, given)
        closest: Route | None = None
        for name in names:
            paths = self._paths.get(name) or self._paths_of(name)
            found = paths.match(head, path, given)
            if found is not None and (closest is None or found.closeness > closest.closeness):
                closest = found
        return closest

    def _bucket_of(self, host: bytes) -> str:
        """The bucket that stands before a host's name, "" for none; remembered in `_buckets`."""
        found = self._bucket_host.match(host.decode("latin-1").lower())
        bucket = quote(found[1]) if found else ""
        if len(self._buckets) < KNOWN_MAX:
            self._buckets[host] = bucket
        return bucket

    def _paths_of(self, name: str) -> RestPaths:
        found = self._paths[name] = RestPaths(self._models.service(name))
        return found

    def _rest_protocol(self, names: Sequence[str]) -> str:
        protocols = [each for name in names for each in self._models.service(name).protocols]
        return next(
            (each for each in protocols if each.startswith("rest")),
            protocols[0] if protocols else "rest-json",
        )


def _refused_by_s3(head: Head, path: str, signing_name: str | None) -> Fault | None:
    """What S3 answers where no operation is meant; its forms, which carry no signature, are not there yet."""
    if head.method == "POST" and head.headers.get(b"content-type", b"").startswith(b"multipart/form-data"):
        return NotImplementedFault(
            "s3: POST forms, by which browsers upload, are not implemented by cloudlet"
        )
    if signing_name is None:
        return None
    bucket, _, key = path.lstrip("/").partition("/")
    kind = "OBJECT" if key else "BUCKET" if bucket else "SERVICE"
    return MethodNotAllowed(MethodNotAllowed.message, Method=head.method, ResourceType=kind)


def first_value(form: bytes, name: bytes) -> bytes | None:
    """What follows the first `name` (with its "=") of a form, still encoded; None where it is not there."""
    if form.startswith(name):
        start = len(name)
    else:
        start = form.find(b"&" + name) + 1
        if not start:
            return None
        start += len(name)
    stop = form.find(b"&", start)
    return form[start:] if stop < 0 else form[start:stop]
