"""An operation's codec over one protocol: request to parameters, result to reply; compiled at the first call.

State   none
Source  Smithy's AWS protocol documents; botocore's models
Absent  event streams (refused by name); streaming payloads are bound, their bytes are the framework's concern
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cloudlet.kernel.fault import Fault
from cloudlet.wire.aws import cbor, form, json, s3_spelling, xml
from cloudlet.wire.aws.errors import Refuser
from cloudlet.wire.aws.rest import ReplyBindings, RequestBindings
from cloudlet.wire.aws.shapes import Member, OperationModel, ServiceModel, Shape
from cloudlet.wire.aws.values import NOTHING, Malformed, Types
from cloudlet.wire.aws.violations import Check, Checks
from cloudlet.wire.http1 import Head, Response

Parse = Callable[[Head, bytes, Mapping[str, str]], msgspec.Struct]
Reply = Callable[[Mapping[str, Any], str], Response]

NoEventStreams = Fault("NotImplemented", status=501)


class Codec:
    """Parses and answers one operation over one protocol."""

    __slots__ = ("_check", "_refuser", "parse", "reply")

    def __init__(self, parse: Parse, reply: Reply, refuser: Refuser, check: Check | None) -> None:
        self.parse = parse
        self.reply = reply
        self._refuser = refuser
        self._check = check

    def violations(self, params: msgspec.Struct) -> list[str]:
        """What the parameters break of the model's constraints, in AWS's words."""
        out: list[str] = []
        if self._check is not None:
            self._check(params, "", out)
        return out

    def refuse(self, fault: Fault, request_id: str) -> Response:
        """The reply that carries a fault."""
        return self._refuser.refuse(fault, request_id)


class Compiler:
    """What the codecs of one service share."""

    def __init__(self, service: ServiceModel) -> None:
        self.service = service
        self.types = Types()
        self.checks = Checks()
        self._json_readers = json.JsonReaders(self.types, uses_location_names=False)
        self._rest_json_readers = json.JsonReaders(self.types, uses_location_names=True)
        self._json_writers = json.JsonWriters(uses_location_names=False)
        self._rest_json_writers = json.JsonWriters(uses_location_names=True)
        self._cbor_readers = cbor.CborReaders(self.types)
        self._cbor_writers = cbor.CborWriters()
        self._query_readers = form.FormReaders(self.types, is_ec2=False)
        self._ec2_readers = form.FormReaders(self.types, is_ec2=True)
        self._xml_readers = xml.XmlReaders(self.types)
        self._refusers: dict[str, Refuser] = {}
        self._is_s3 = service.name == s3_spelling.S3
        times = s3_spelling.TIMESTAMPS if self._is_s3 else "iso8601"
        self._xml_writers = xml.XmlWriters(timestamp_form=times)
        namespace = s3_spelling.NAMESPACE if self._is_s3 else service.metadata.get("xmlNamespace")
        self._namespace = {"uri": namespace} if isinstance(namespace, str) else namespace

    def codec(self, operation: OperationModel, protocol: str) -> Codec:
        if operation.event_streams:
            raise NoEventStreams(f"{self.service.name}: {operation.name} needs event streams")
        if protocol in ("query", "ec2") and self.service.legacy:
            operation = self.service.as_query.operation(operation.name)
        make_parse, make_reply = {
            "json": (self._parse_json, self._reply_json),
            "query": (self._parse_form, self._reply_query),
            "ec2": (self._parse_form, self._reply_ec2),
            "rpc-v2-cbor": (self._parse_cbor, self._reply_cbor),
            "rest-json": (self._parse_rest, self._reply_rest),
            "rest-xml": (self._parse_rest, self._reply_rest),
        }[protocol]
        refuser = self._refusers.setdefault(protocol, Refuser(self.service, protocol))
        check = self.checks.check(operation.input) if operation.input else None
        return Codec(make_parse(operation, protocol), make_reply(operation, protocol), refuser, check)

    # --- requests

    def _parse_json(self, operation: OperationModel, protocol: str) -> Parse:
        if operation.input is None:
            return lambda head, body, labels: NOTHING()
        read = self._json_readers.whole(operation.input)
        return lambda head, body, labels: read(body or b"{}")

    def _parse_cbor(self, operation: OperationModel, protocol: str) -> Parse:
        if operation.input is None:
            return lambda head, body, labels: NOTHING()
        read = self._cbor_readers.reader(operation.input)
        return lambda head, body, labels: read(cbor.load(body) if body else {})

    def _parse_form(self, operation: OperationModel, protocol: str) -> Parse:
        if operation.input is None:
            return lambda head, body, labels: NOTHING()
        readers = self._ec2_readers if protocol == "ec2" else self._query_readers
        read = readers.structure(operation.input)
        read_flat = readers.flat(operation.input)

        def parse(head: Head, body: bytes, labels: Mapping[str, str]) -> msgspec.Struct:
            params: msgspec.Struct | None = None if head.query else read_flat(body)
            if params is None:
                pairs = form.fields(head.query) + form.fields(body) if head.query else form.fields(body)
                params = read(form.tree(pairs))
            return params

        return parse

    def _parse_rest(self, operation: OperationModel, protocol: str) -> Parse:
        shape = operation.input
        if shape is None:
            return lambda head, body, labels: NOTHING()
        struct = self.types.struct(shape)
        bindings = RequestBindings(shape)
        read_body = self._rest_body(shape, protocol)

        def parse(head: Head, body: bytes, labels: Mapping[str, str]) -> msgspec.Struct:
            found = read_body(body)
            bindings.read(head, labels, found)
            return struct(**found)

        return parse

    def _rest_body(self, shape: Shape, protocol: str) -> Callable[[bytes], dict[str, Any]]:
        if shape.payload is not None:
            member = shape.members[shape.payload]
            read_payload = self._payload_reader(member, protocol)
            return lambda body: {member.name: read_payload(body)} if body else {}
        members = [member for member in shape.members.values() if member.location is None]
        if not members:
            return lambda body: {}
        if protocol == "rest-json":
            read_object = self._rest_json_readers.members(shape, members)
            return lambda body: read_object(json.load(body)) if body else {}
        read_element = self._xml_readers.members(members)
        return lambda body: read_element(xml.parse(body)) if body else {}

    def _payload_reader(self, member: Member, protocol: str) -> Callable[[bytes], Any]:
        if member.shape.type == "blob":
            return lambda body: body
        if member.shape.type in ("string", "character"):
            return _utf8
        if protocol == "rest-json":
            read_value = self._rest_json_readers.reader(member.shape)
            return lambda body: read_value(json.load(body))
        read_element = self._xml_readers.reader(member)
        return lambda body: read_element(xml.parse(body))

    # --- replies

    def _reply_json(self, operation: OperationModel, protocol: str) -> Reply:
        shape = operation.output
        write = self._json_writers.members(list(shape.members.values())) if shape else _no_members
        plain = shape is not None and not any(
            self._json_writers.writer(member.shape, member.timestamp_format)
            for member in shape.members.values()
        )
        kind = (b"content-type", b"application/x-amz-json-" + self.service.json_version.encode())
        names = frozenset(shape.members) if shape else frozenset()

        def reply(result: Mapping[str, Any], request_id: str) -> Response:
            if plain and None not in result.values():
                assert names.issuperset(result), f"{operation.name} answers {set(result) - names}"
                body = json.dump(result)
            else:
                body = json.dump(write(result))
            return Response(200, [kind, (b"x-amzn-requestid", request_id.encode())], body)

        return reply

    def _reply_cbor(self, operation: OperationModel, protocol: str) -> Reply:
        shape = operation.output
        write = self._cbor_writers.members(list(shape.members.values())) if shape else None
        fixed = [(b"content-type", b"application/cbor")] if shape else []

        def reply(result: Mapping[str, Any], request_id: str) -> Response:
            headers = [
                *fixed,
                (b"smithy-protocol", b"rpc-v2-cbor"),
                (b"x-amzn-requestid", request_id.encode()),
            ]
            return Response(200, headers, cbor.dump(write(result)) if write else b"")

        return reply

    def _reply_query(self, operation: OperationModel, protocol: str) -> Reply:
        name = operation.name
        shape = operation.output
        wrapper = operation.result_wrapper or f"{name}Result"
        namespace = self.service.as_query.metadata.get("xmlNamespace")
        declared = f' xmlns="{namespace}"' if namespace else ""
        write = self._xml_writers.structure(shape) if shape else None

        def reply(result: Mapping[str, Any], request_id: str) -> Response:
            inside = f"<{wrapper}>{write(result)}</{wrapper}>" if write else ""
            text = (
                f"<{name}Response{declared}>{inside}<ResponseMetadata><RequestId>{request_id}</RequestId>"
                f"</ResponseMetadata></{name}Response>"
            )
            return _xml_reply(200, text, request_id)

        return reply

    def _reply_ec2(self, operation: OperationModel, protocol: str) -> Reply:
        name = operation.name
        write = self._xml_writers.structure(operation.output) if operation.output else None
        namespace = self.service.metadata.get("xmlNamespace") or (
            f"http://ec2.amazonaws.com/doc/{self.service.api_version}/"
        )

        def reply(result: Mapping[str, Any], request_id: str) -> Response:
            inside = write(result) if write else ""
            opening = f'<{name}Response xmlns="{namespace}"><requestId>{request_id}</requestId>'
            return _xml_reply(200, f"{opening}{inside}</{name}Response>", request_id)

        return reply

    def _reply_rest(self, operation: OperationModel, protocol: str) -> Reply:
        shape = operation.output
        bindings = ReplyBindings(shape)
        known = frozenset(shape.members) if shape else frozenset()
        write_body = self._rest_reply_body(shape, protocol) if shape else None
        tells_length = "ContentLength" in known  # of a body that is not here: the reply to a HEAD
        is_s3 = self._is_s3
        success = operation.status

        def reply(result: Mapping[str, Any], request_id: str) -> Response:
            assert known.issuperset(result), f"{operation.name} answers {set(result) - known}"
            headers: list[tuple[bytes, bytes]] = []
            status = bindings.write(result, headers) or success
            kind, body = write_body(result) if write_body else (b"", b"")
            if kind and not any(name == b"content-type" for name, _ in headers):
                headers.append((b"content-type", kind))
            if is_s3:
                s3_spelling.identify(headers, request_id)
            else:
                headers.append((b"x-amzn-requestid", request_id.encode()))
            return Response(status, headers, body, result.get("ContentLength") if tells_length else None)

        return reply

    def _rest_reply_body(
        self, shape: Shape, protocol: str
    ) -> Callable[[Mapping[str, Any]], tuple[bytes, bytes]]:
        if shape.payload is not None:
            return self._payload_writer(shape.members[shape.payload], protocol)
        # In a reply only headers and the status are outside of the body, whatever else a member is bound to.
        members = [member for member in shape.members.values() if member.location not in xml.ELSEWHERE]
        names = {member.name for member in members}
        if protocol == "rest-json":
            write = self._rest_json_writers.members(members)
            return lambda result: (
                b"application/json",
                json.dump(write({name: each for name, each in result.items() if name in names})),
            )
        if not members:
            return lambda result: (b"", b"")
        write_elements = self._xml_writers.members(list(shape.members.values()))
        write_attributes = self._xml_writers.attributes(members)
        tag = str(shape.raw.get("locationName") or shape.name)
        if self._is_s3:
            tag = s3_spelling.ROOTS.get(shape.name, tag)
        declared = xml.namespace_of(shape.raw.get("xmlNamespace") or self._namespace)
        if self._is_s3 and shape.name in s3_spelling.UNWRAPPED:
            tag = members[0].wire_name
            return lambda result: (
                b"application/xml",
                xml_document(f"<{tag}{declared}>{xml.escape(result.get(members[0].name) or '')}</{tag}>"),
            )
        mingled = s3_spelling.MINGLED.get(shape.name) if self._is_s3 else None
        if mingled is not None:
            return lambda result: (
                b"application/xml",
                xml_document(
                    f"<{tag}{declared}>"
                    + "".join(map(write_elements, s3_spelling.in_one_order(result, mingled)))
                    + f"</{tag}>"
                ),
            )
        return lambda result: (
            b"application/xml",
            xml_document(f"<{tag}{declared}{write_attributes(result)}>{write_elements(result)}</{tag}>"),
        )

    def _payload_writer(
        self, member: Member, protocol: str
    ) -> Callable[[Mapping[str, Any]], tuple[bytes, bytes]]:
        name = member.name
        if member.shape.type == "blob":
            return lambda result: _payload(result.get(name), b"application/octet-stream", _as_bytes)
        if member.shape.type in ("string", "character"):
            return lambda result: _payload(result.get(name), b"text/plain", str.encode)
        if protocol == "rest-json":
            change = self._rest_json_writers.writer(member.shape)
            return lambda result: _payload(
                result.get(name),
                b"application/json",
                lambda value: json.dump(change(value) if change else value),
            )
        tag = str(member.location_name or member.shape.raw.get("locationName") or member.shape.name)
        write = self._xml_writers.element(member, tag)
        if self._is_s3:
            opening = f"<{tag}{xml.namespace_of(self._namespace)}"
            return lambda result: _payload(
                result.get(name),
                b"application/xml",
                lambda value: xml_document(opening + write(value).removeprefix(f"<{tag}")),
            )
        return lambda result: _payload(
            result.get(name), b"application/xml", lambda value: xml_document(write(value))
        )


def _no_members(result: Mapping[str, Any]) -> dict[str, Any]:
    assert not result, f"an operation without output answers {result}"
    return {}


def _payload(value: Any, kind: bytes, write: Callable[[Any], bytes]) -> tuple[bytes, bytes]:
    return (b"", b"") if value is None else (kind, write(value))


def _as_bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8") from None


def xml_document(text: str) -> bytes:
    """An XML document of one root."""
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode()


def _xml_reply(status: int, text: str, request_id: str) -> Response:
    headers = [(b"content-type", b"text/xml"), (b"x-amzn-requestid", request_id.encode())]
    return Response(status, headers, xml_document(text))


def compile_codec(service: ServiceModel, operation: OperationModel, protocol: str) -> Codec:
    """The codec of an operation; what a service's operations share is kept with its model."""
    compiler = service.compiled.get("compiler")
    if compiler is None:
        compiler = service.compiled["compiler"] = Compiler(service)
    codec: Codec = compiler.codec(operation, protocol)
    return codec
