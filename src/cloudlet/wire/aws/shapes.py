"""A service's model as values: shapes, members, operations and errors, resolved at first use.

State   none beyond what has been resolved
Source  the service-2.json files that botocore ships (format 2.0); Smithy 2.0 for what the traits mean
Absent  endpoint rules, examples
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

Raw = Mapping[str, Any]
"""A part of a model file, decoded from JSON."""


class Shape:
    """A type of the model. `type` is one of structure, list, map, string, blob, boolean, integer, long,
    float, double, timestamp."""

    __slots__ = ("__dict__", "_find", "name", "raw", "type")

    def __init__(self, name: str, raw: Raw, find: Callable[[str], Shape]) -> None:
        self.name = name
        self.raw = raw
        self.type: str = raw["type"]
        self._find = find

    @cached_property
    def members(self) -> dict[str, Member]:
        """A structure's members in the model's order; empty for other types."""
        listed: Mapping[str, Raw] = self.raw.get("members", {})
        return {name: Member(name, raw, self._find) for name, raw in listed.items()}

    @cached_property
    def member(self) -> Member:
        """What a list holds."""
        return Member("member", self.raw["member"], self._find)

    @cached_property
    def key(self) -> Member:
        """A map's keys."""
        return Member("key", self.raw["key"], self._find)

    @cached_property
    def value(self) -> Member:
        """A map's values."""
        return Member("value", self.raw["value"], self._find)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(self.raw.get("required", ()))

    @property
    def enum(self) -> tuple[str, ...]:
        return tuple(self.raw.get("enum", ()))

    @property
    def pattern(self) -> str | None:
        return self.raw.get("pattern")

    @property
    def min(self) -> float | None:
        return self.raw.get("min")

    @property
    def max(self) -> float | None:
        return self.raw.get("max")

    @property
    def payload(self) -> str | None:
        """The member that is the whole HTTP body, of a REST operation's structure."""
        return self.raw.get("payload")

    @property
    def sparse(self) -> bool:
        """Whether a list or map may hold nulls."""
        return bool(self.raw.get("sparse"))

    @property
    def union(self) -> bool:
        return bool(self.raw.get("union"))

    @property
    def document(self) -> bool:
        """Whether this is free-form JSON (spelled as a structure without members)."""
        return bool(self.raw.get("document"))

    @property
    def event_stream(self) -> bool:
        return bool(self.raw.get("eventstream"))

    @property
    def sensitive(self) -> bool:
        return bool(self.raw.get("sensitive"))

    def __repr__(self) -> str:
        return f"<{self.type} {self.name}>"


class Member:
    """A structure's member, or what a list or map holds: a shape, with the traits of this use of it."""

    __slots__ = ("__dict__", "_find", "name", "raw", "shape_name")

    def __init__(self, name: str, raw: Raw, find: Callable[[str], Shape]) -> None:
        self.name = name
        self.raw = raw
        self.shape_name: str = raw["shape"]
        self._find = find

    @cached_property
    def shape(self) -> Shape:
        return self._find(self.shape_name)

    @property
    def location(self) -> str | None:
        """uri, querystring, header, headers or statusCode; None for the body."""
        return self.raw.get("location")

    @property
    def location_name(self) -> str | None:
        """The name on the wire, where it differs from the member's; a list or map may name itself."""
        named: str | None = self.raw.get("locationName")
        if named is None and self.shape.type in ("list", "map"):
            return self.shape.raw.get("locationName")
        return named

    @property
    def wire_name(self) -> str:
        return self.location_name or self.name

    @property
    def query_name(self) -> str | None:
        """The name in EC2's query protocol, where it has one of its own."""
        return self.raw.get("queryName")

    @property
    def flattened(self) -> bool:
        return bool(self.raw.get("flattened", self.shape.raw.get("flattened")))

    @property
    def streaming(self) -> bool:
        return bool(self.raw.get("streaming", self.shape.raw.get("streaming")))

    @property
    def timestamp_format(self) -> str | None:
        return self.raw.get("timestampFormat", self.shape.raw.get("timestampFormat"))

    @property
    def xml_namespace(self) -> Raw | None:
        """{"uri": …, "prefix": …}"""
        return self.raw.get("xmlNamespace", self.shape.raw.get("xmlNamespace"))

    @property
    def xml_attribute(self) -> bool:
        return bool(self.raw.get("xmlAttribute"))

    @property
    def jsonvalue(self) -> bool:
        """Whether the string is JSON, which the caller passes decoded."""
        return bool(self.raw.get("jsonvalue"))

    @property
    def idempotency_token(self) -> bool:
        return bool(self.raw.get("idempotencyToken"))

    @property
    def host_label(self) -> bool:
        return bool(self.raw.get("hostLabel"))

    def __repr__(self) -> str:
        return f"<member {self.name}: {self.shape_name}>"


class ErrorModel:
    """An error of a service: how each protocol spells it."""

    __slots__ = ("code", "query_code", "sender", "shape", "status")

    def __init__(self, shape: Shape, legacy: Raw | None = None) -> None:
        trait: Raw = shape.raw.get("error", {})
        self.shape = shape
        self.code: str = trait.get("code", shape.name)  # what query and XML protocols spell
        self.query_code: str = (legacy or {}).get("code", self.code)  # what query-compatible services spell
        self.sender = bool(trait.get("senderFault", not shape.raw.get("fault")))
        self.status: int = trait.get("httpStatusCode", 400 if self.sender else 500)


class OperationModel:
    """An operation: its HTTP binding and its shapes."""

    __slots__ = ("__dict__", "_find", "name", "raw")

    def __init__(self, name: str, raw: Raw, find: Callable[[str], Shape]) -> None:
        self.name = name
        self.raw = raw
        self._find = find

    @property
    def method(self) -> str:
        return str(self.raw["http"]["method"])

    @property
    def uri(self) -> str:
        """The template of the path, with `{labels}`, and the required query arguments after a "?"."""
        return str(self.raw["http"]["requestUri"])

    @property
    def status(self) -> int:
        """The HTTP status of success."""
        return int(self.raw["http"].get("responseCode", 200))

    @cached_property
    def input(self) -> Shape | None:
        return self._find(self.raw["input"]["shape"]) if "input" in self.raw else None

    @cached_property
    def output(self) -> Shape | None:
        return self._find(self.raw["output"]["shape"]) if "output" in self.raw else None

    @property
    def input_traits(self) -> Raw:
        """locationName and xmlNamespace of a rest-xml body."""
        return self.raw.get("input", {})

    @property
    def result_wrapper(self) -> str | None:
        """The element around a query protocol's result."""
        return self.raw.get("output", {}).get("resultWrapper")

    @property
    def error_names(self) -> tuple[str, ...]:
        """The shapes of the errors that this operation lists."""
        return tuple(error["shape"] for error in self.raw.get("errors", ()))

    @property
    def authtype(self) -> str | None:
        """ "none" where the request need not be signed."""
        return self.raw.get("authtype")

    @property
    def host_prefix(self) -> str | None:
        return self.raw.get("endpoint", {}).get("hostPrefix")

    @property
    def requires_checksum(self) -> bool:
        checksum: Raw = self.raw.get("httpChecksum", {})
        return bool(self.raw.get("httpChecksumRequired") or checksum.get("requestChecksumRequired"))

    @property
    def http_checksum(self) -> Raw:
        """requestAlgorithmMember, requestValidationModeMember, responseAlgorithms."""
        return self.raw.get("httpChecksum", {})

    @cached_property
    def idempotency_tokens(self) -> tuple[str, ...]:
        """The input's members that a client fills with a token of its own when the caller gives none."""
        members = self.input.members.values() if self.input else ()
        return tuple(member.name for member in members if member.idempotency_token)

    @cached_property
    def streaming_input(self) -> str | None:
        """The payload member whose bytes are not read before the operation runs."""
        return streaming_member(self.input)

    @cached_property
    def streaming_output(self) -> str | None:
        return streaming_member(self.output)

    @cached_property
    def event_streams(self) -> bool:
        """Whether the input or the output is a stream of events."""
        shapes = (shape for shape in (self.input, self.output) if shape)
        return any(member.shape.event_stream for shape in shapes for member in shape.members.values())

    def __repr__(self) -> str:
        return f"<operation {self.name}>"


def streaming_member(shape: Shape | None) -> str | None:
    """The structure's payload member, when that is a streaming blob."""
    if shape is None or shape.payload is None:
        return None
    member = shape.members[shape.payload]
    return member.name if member.shape.type == "blob" and member.streaming else None


class ServiceModel:
    """A service: what its model file says, resolved as it is asked for.

    `legacy` is what a query-compatible service's model said while it still spoke query: traits by shape,
    in the format of the model, to be laid over it.
    """

    def __init__(self, name: str, raw: Raw, legacy: Raw | None = None) -> None:
        self.name = name
        self.raw = raw
        self.legacy: Raw = legacy or {}
        self.metadata: Raw = raw["metadata"]
        self.compiled: dict[object, Any] = {}  # what the codecs of this service share
        self._shapes: dict[str, Shape] = {}
        self._operations: dict[str, OperationModel] = {}

    @property
    def api_version(self) -> str:
        return str(self.metadata["apiVersion"])

    @property
    def signing_name(self) -> str:
        return str(self.metadata.get("signingName", self.metadata["endpointPrefix"]))

    @property
    def target_prefix(self) -> str | None:
        return self.metadata.get("targetPrefix")

    @property
    def json_version(self) -> str:
        return str(self.metadata.get("jsonVersion", "1.0"))

    @cached_property
    def protocols(self) -> tuple[str, ...]:
        """The protocols that AWS serves this service over, as `compile_codec` names them."""
        listed = list(self.metadata.get("protocols") or [self.metadata["protocol"]])
        if self.query_compatible and "query" not in listed:
            listed.append("query")
        return tuple("rpc-v2-cbor" if name == "smithy-rpc-v2-cbor" else name for name in listed)

    @property
    def query_compatible(self) -> bool:
        """Whether clients of the query protocol find their error codes in a header."""
        return "awsQueryCompatible" in self.metadata

    @property
    def operations(self) -> tuple[str, ...]:
        return tuple(self.raw["operations"])

    def operation(self, name: str) -> OperationModel:
        """KeyError when the service has no such operation."""
        found = self._operations.get(name)
        if found is None:
            found = self._operations[name] = OperationModel(name, self.raw["operations"][name], self.shape)
        return found

    def shape(self, name: str) -> Shape:
        found = self._shapes.get(name)
        if found is None:
            found = self._shapes[name] = Shape(name, self.raw["shapes"][name], self.shape)
        return found

    @cached_property
    def errors(self) -> dict[str, ErrorModel]:
        """Every error of the service by its shape's name, and by its codes where no shape has that name."""
        named: dict[str, ErrorModel] = {}
        for name in self._error_names():
            legacy: Raw = self.legacy.get("shapes", {}).get(name, {}).get("error", {})
            named[name] = ErrorModel(self.shape(name), legacy)
        coded = {code: error for error in named.values() for code in (error.code, error.query_code)}
        return {**coded, **named}

    def _error_names(self) -> Iterator[str]:
        for name, raw in self.raw["shapes"].items():
            if raw.get("exception"):
                yield name

    @cached_property
    def as_query(self) -> ServiceModel:
        """The model under which the query protocol is spoken: this one, or with its old names laid over
        it."""
        if not self.legacy:
            return self
        return ServiceModel(self.name, overlay(self.raw, self.legacy))


def overlay(below: Raw, above: Raw) -> dict[str, Any]:
    """Both, with what `above` says where they differ."""
    both = dict(below)
    for name, value in above.items():
        under = both.get(name)
        both[name] = overlay(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return both
