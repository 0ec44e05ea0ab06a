"""Interim codec: JSON and query by walking the model.

State   none
Source  Smithy AWS protocols
Absent  cbor, rest, ec2
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import msgspec
import orjson

from cloudlet.kernel.fault import Fault
from cloudlet.wire.aws.shapes import OperationModel, ServiceModel, Shape
from cloudlet.wire.http1 import Head, Response

Malformed = Fault("SerializationException")


class Codec:
    def __init__(self, service: ServiceModel, operation: OperationModel, protocol: str) -> None:
        self.service = service
        self.operation = operation
        self.protocol = protocol
        self._types: dict[str, Any] = {}
        self.input = self._type(operation.input) if operation.input else None

    def _type(self, shape: Shape) -> Any:
        found = self._types.get(shape.name)
        if found is None:
            found = self._types[shape.name] = msgspec.defstruct(
                shape.name, [(name, Any, None) for name in shape.members], omit_defaults=True
            )
        return found

    def parse(self, head: Head, body: bytes, labels: Mapping[str, str]) -> msgspec.Struct:
        if self.operation.input is None:
            return msgspec.defstruct("Nothing", [])()
        if self.protocol == "json":
            try:
                raw = orjson.loads(body or b"{}")
            except ValueError:
                raise Malformed("not JSON") from None
            return self._from_json(self.operation.input, raw)
        form = dict(parse_qsl((body or head.query).decode(), keep_blank_values=True))
        return self._from_form(self.operation.input, form, "")

    def _from_json(self, shape: Shape, raw: Any) -> Any:
        if raw is None:
            return None
        if shape.type == "structure":
            if not isinstance(raw, dict):
                raise Malformed("Start of structure or map found where not expected.")
            return self._type(shape)(
                **{n: self._from_json(m.shape, raw[n]) for n, m in shape.members.items() if n in raw}
            )
        if shape.type == "list":
            if not isinstance(raw, list):
                raise Malformed("Unexpected field type")
            return [self._from_json(shape.member.shape, each) for each in raw]
        if shape.type == "map":
            return {key: self._from_json(shape.value.shape, each) for key, each in raw.items()}
        if shape.type == "blob":
            return base64.b64decode(raw)
        kinds = {"string": str, "integer": int, "long": int, "boolean": bool}
        kind = kinds.get(shape.type)
        if kind is not None and type(raw) is not kind:
            raise Malformed(f"{type(raw).__name__} value can not be converted to {shape.type}")
        return raw

    def _from_form(self, shape: Shape, form: dict[str, str], prefix: str) -> Any:
        if shape.type == "structure":
            found = {}
            for name, member in shape.members.items():
                path = f"{prefix}.{member.wire_name}" if prefix else member.wire_name
                if any(k == path or k.startswith(path + ".") for k in form):
                    found[name] = self._from_form(member.shape, form, path)
            return self._type(shape)(**found)
        if shape.type == "list":
            base = f"{prefix}.{shape.member.wire_name}"
            if not any(k.startswith(base + ".") for k in form):
                base = prefix
            out, index = [], 1
            while any(k == f"{base}.{index}" or k.startswith(f"{base}.{index}.") for k in form):
                out.append(self._from_form(shape.member.shape, form, f"{base}.{index}"))
                index += 1
            return out
        text = form[prefix]
        if shape.type in ("integer", "long"):
            return int(text)
        if shape.type == "boolean":
            return text == "true"
        return base64.b64decode(text) if shape.type == "blob" else text

    def violations(self, params: msgspec.Struct) -> list[str]:
        out: list[str] = []
        for name in self.operation.input.required if self.operation.input else ():
            if getattr(params, name) is None:
                lower = name[0].lower() + name[1:]
                out.append(f"Value null at '{lower}' failed to satisfy constraint: Member must not be null")
        for name, member in (self.operation.input.members if self.operation.input else {}).items():
            value = getattr(params, name)
            bounded = member.shape.type == "integer" and value is not None
            if bounded and value < (member.shape.min or value):
                lower = name[0].lower() + name[1:]
                out.append(
                    f"Value '{value}' at '{lower}' failed to satisfy constraint: "
                    f"Member must have value greater than or equal to {member.shape.min}"
                )
        return out

    def reply(self, result: Mapping[str, object], request_id: str) -> Response:
        rid = request_id.encode()
        if self.protocol == "json":
            body = orjson.dumps(result, default=_default)
            version = self.service.json_version.encode()
            return Response(
                200,
                [(b"content-type", b"application/x-amz-json-" + version), (b"x-amzn-requestid", rid)],
                body,
            )
        name = self.operation.name
        inner = _xml(self.operation.output, result) if self.operation.output else ""
        text = (
            f"<{name}Response><{name}Result>{inner}</{name}Result><ResponseMetadata><RequestId>{request_id}"
            f"</RequestId></ResponseMetadata></{name}Response>"
        )
        return Response(200, [(b"content-type", b"text/xml"), (b"x-amzn-requestid", rid)], text.encode())

    def refuse(self, fault: Fault, request_id: str) -> Response:
        return refuse(fault, request_id, self.protocol, None, self.service)


def refuse(
    fault: Fault,
    request_id: str,
    protocol: str | None,
    head: Head | None,
    service: ServiceModel | None = None,
) -> Response:
    rid = request_id.encode()
    error = service.errors.get(fault.code) if service else None
    status = error.status if error else fault.status
    if protocol == "query":
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(fault.code)}</Code><Message>"
            f"{escape(fault.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return Response(status, [(b"content-type", b"text/xml"), (b"x-amzn-requestid", rid)], text.encode())
    headers = [(b"content-type", b"application/x-amz-json-1.0"), (b"x-amzn-requestid", rid)]
    if error is not None:
        headers.append((b"x-amzn-query-error", f"{error.query_code};Sender".encode()))
    body = orjson.dumps({"__type": fault.code, "message": fault.message})
    return Response(status, headers, body)


def _default(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError


def _xml(shape: Shape, value: Any) -> str:
    if shape.type == "structure":
        return "".join(
            f"<{m.wire_name}>{_xml(m.shape, value[n])}</{m.wire_name}>"
            for n, m in shape.members.items()
            if value.get(n) is not None
        )
    if shape.type == "list":
        return "".join(f"<member>{_xml(shape.member.shape, each)}</member>" for each in value)
    if shape.type == "timestamp":
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return escape(str(value))


def compile_codec(service: ServiceModel, operation: OperationModel, protocol: str) -> Codec:
    return Codec(service, operation, protocol)
