"""Errors as each protocol and SDK generation expects them.

State   none
Source  Smithy "AWS JSON", "restJson1", "restXml", "query", "EC2 query", "rpcv2Cbor" error serialization;
"AWS query
        compatible protocol"; SQS Developer Guide, "Error codes for the JSON protocol"
Absent  none
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.kernel.fault import Fault
from cloudlet.wire.aws import cbor, json, s3_spelling, xml
from cloudlet.wire.aws.rest import ReplyBindings
from cloudlet.wire.aws.shapes import ErrorModel, Member, ServiceModel
from cloudlet.wire.aws.xml import escape
from cloudlet.wire.http1 import Head, Headers, Response

SENDER_BELOW = 500
STATUS_DEFAULT = 400

# Errors that a service's model lacks are named otherwise in JSON than in the older protocol's code.
NAMES_IN_JSON: Mapping[str, Mapping[str, str]] = {
    "sqs": {
        "InvalidParameterValue": "InvalidParameterValueException",
        "MissingParameter": "MissingRequiredParameterException",
    }
}


class Refuser:
    """Writes the faults of one service over one protocol."""

    def __init__(self, service: ServiceModel | None, protocol: str, *, is_bare: bool = False) -> None:
        self._service = service.as_query if service and protocol in ("query", "ec2") else service
        # S3's XML errors come without a wrapper: its model's noErrorWrapping.
        self._is_bare = is_bare or (service is not None and service.name == "s3")
        name = service.name if service else ""
        self._names_in_json = NAMES_IN_JSON.get(name, {})
        self._detail = "<Detail/>" if name == "sqs" else ""  # SQS's own, and always empty
        self._json_writers = json.JsonWriters(uses_location_names=protocol.startswith("rest"))
        self._cbor_writers = cbor.CborWriters()
        self._xml_writers = xml.XmlWriters()
        self._headers: dict[str, ReplyBindings] = {}
        self._write = {
            "query": self._query,
            "ec2": self._ec2,
            "rest-xml": self._rest_xml,
            "rest-json": self._rest_json,
            "rpc-v2-cbor": self._cbor,
        }.get(protocol, self._json)

    def refuse(self, fault: Fault, request_id: str) -> Response:
        """The reply that carries a fault."""
        model = self._service.errors.get(fault.code) if self._service else None
        status = model.status if model and fault.status == STATUS_DEFAULT else fault.status
        reply = self._write(fault, model, status, request_id)
        reply.headers.extend((name.encode(), value.encode()) for name, value in fault.headers)
        return reply

    def _json(self, fault: Fault, model: ErrorModel | None, status: int, request_id: str) -> Response:
        version = self._service.json_version if self._service else "1.0"
        headers = [
            (b"content-type", b"application/x-amz-json-" + version.encode()),
            (b"x-amzn-requestid", request_id.encode()),
        ]
        self._query_compatible(headers, fault, model, status)
        kind = self._qualified(fault, model) if version == "1.0" else self._named(fault, model)
        return Response(status, headers, json.dump({"__type": kind, **self._members(fault, model)}))

    def _rest_json(self, fault: Fault, model: ErrorModel | None, status: int, request_id: str) -> Response:
        headers = [
            (b"content-type", b"application/json"),
            (b"x-amzn-requestid", request_id.encode()),
            (b"x-amzn-errortype", self._named(fault, model).encode()),
        ]
        self._bind(headers, fault, model)
        return Response(status, headers, json.dump(self._members(fault, model)))

    def _bind(self, headers: Headers, fault: Fault, model: ErrorModel | None) -> None:
        """Append the headers that members of the error are bound to."""
        if model is not None and fault.detail:
            bindings = self._headers.get(model.shape.name)
            if bindings is None:
                bindings = self._headers[model.shape.name] = ReplyBindings(model.shape)
            bindings.write(fault.detail, headers)

    def _cbor(self, fault: Fault, model: ErrorModel | None, status: int, request_id: str) -> Response:
        headers = [
            (b"content-type", b"application/cbor"),
            (b"smithy-protocol", b"rpc-v2-cbor"),
            (b"x-amzn-requestid", request_id.encode()),
        ]
        self._query_compatible(headers, fault, model, status)
        members = self._members(fault, model, self._cbor_writers)
        return Response(status, headers, cbor.dump({"__type": self._qualified(fault, model), **members}))

    def _query(self, fault: Fault, model: ErrorModel | None, status: int, request_id: str) -> Response:
        namespace = self._service.as_query.metadata.get("xmlNamespace") if self._service else None
        declared = f' xmlns="{escape(namespace)}"' if isinstance(namespace, str) else ""
        code = (model.query_code if model else "") or fault.code
        body = (
            f"<ErrorResponse{declared}><Error><Type>{_side(model, status)}</Type><Code>{escape(code)}</Code>"
            f"<Message>{escape(fault.message)}</Message>{self._elements(fault, model)}{self._detail}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return _xml(status, body, request_id)

    def _ec2(self, fault: Fault, model: ErrorModel | None, status: int, request_id: str) -> Response:
        body = (
            f"<Response><Errors><Error><Code>{escape(fault.code)}</Code><Message>{escape(fault.message)}</Message>"
            f"{self._elements(fault, model)}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        )
        return _xml(status, body, request_id)

    def _rest_xml(self, fault: Fault, model: ErrorModel | None, status: int, request_id: str) -> Response:
        code = model.code if model else fault.code
        inside = f"<Code>{escape(code)}</Code><Message>{escape(fault.message)}</Message>"
        inside += self._elements(fault, model)
        if self._is_bare:
            host_id = s3_spelling.host_id_of(request_id.encode()).decode()
            body = f"<Error>{inside}<RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>"
        else:
            body = (
                f"<ErrorResponse><Error><Type>{_side(model, status)}</Type>{inside}</Error>"
                f"<RequestId>{request_id}</RequestId></ErrorResponse>"
            )
        reply = _xml(status, body, request_id)
        if self._is_bare:
            reply.headers[:] = [(b"content-type", b"application/xml")]
            s3_spelling.identify(reply.headers, request_id)
        self._bind(reply.headers, fault, model)
        return reply

    def _query_compatible(
        self, headers: Headers, fault: Fault, model: ErrorModel | None, status: int
    ) -> None:
        """Clients that grew up with the query protocol find its error code in a header."""
        if self._service is not None and self._service.query_compatible:
            code = (model.query_code if model else "") or fault.code
            headers.append((b"x-amzn-query-error", f"{code};{_side(model, status)}".encode()))

    def _named(self, fault: Fault, model: ErrorModel | None) -> str:
        return model.shape.name if model else self._names_in_json.get(fault.code, fault.code)

    def _qualified(self, fault: Fault, model: ErrorModel | None) -> str:
        name = self._named(fault, model)
        return f"com.amazonaws.{self._service.name.replace('-', '')}#{name}" if self._service else name

    def _members(
        self,
        fault: Fault,
        model: ErrorModel | None,
        writers: cbor.CborWriters | json.JsonWriters | None = None,
    ) -> dict[str, Any]:
        """What JSON or CBOR say of a fault: its message, and those members that are not headers."""
        bodied = _bodied(model)
        spelled = next((name for name in bodied if name.lower() == "message"), "message")
        listed, others = _split(fault, model)
        written = (writers or self._json_writers).members(list(bodied.values()))(listed) if listed else {}
        return {spelled: fault.message, **others, **written}

    def _elements(self, fault: Fault, model: ErrorModel | None) -> str:
        """What XML says of a fault beside its code and message."""
        bodied = _bodied(model)
        listed, others = _split(fault, model)
        written = self._xml_writers.members(list(bodied.values()))(listed) if listed else ""
        plain = [f"<{name}>{escape(str(value))}</{name}>" for name, value in others.items()]
        return "".join([written, *plain])


def _bodied(model: ErrorModel | None) -> Mapping[str, Member]:
    """The members of an error that its body carries."""
    members = model.shape.members if model else {}
    return {name: member for name, member in members.items() if member.location is None}


def _split(fault: Fault, model: ErrorModel | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """A fault's detail: what the body's model lists, and what no model lists (S3's errors say more)."""
    detail = {name: value for name, value in (fault.detail or {}).items() if value is not None}
    members = model.shape.members if model else {}
    listed = {n: value for n, value in detail.items() if n in members and members[n].location is None}
    return listed, {name: value for name, value in detail.items() if name not in members}


def _side(model: ErrorModel | None, status: int) -> str:
    is_sender = model.sender if model else status < SENDER_BELOW
    return "Sender" if is_sender else "Receiver"


def _xml(status: int, body: str, request_id: str) -> Response:
    headers = [(b"content-type", b"text/xml"), (b"x-amzn-requestid", request_id.encode())]
    return Response(status, headers, b'<?xml version="1.0" encoding="UTF-8"?>\n' + body.encode())


def spoken_protocol(head: Head, body: bytes = b"") -> str:
    """The protocol that a request speaks, as far as its wire form shows."""
    headers = head.headers
    if b"smithy-protocol" in headers:
        return "rpc-v2-cbor"
    if b"x-amz-target" in headers:
        return "json"
    kind = headers.get(b"content-type", b"")
    if kind.startswith(b"application/x-www-form-urlencoded") or b"Action=" in head.query:
        return "query"
    return "rest-json" if b"json" in kind else "rest-xml"


def refuse(fault: Fault, request_id: str, protocol: str, *, is_bare: bool) -> Response:
    """The reply to a request that reached no operation; `is_bare` where S3 would answer."""
    return Refuser(None, protocol, is_bare=is_bare).refuse(fault, request_id)
