"""The JSON mapping of Protocol Buffers, as gRPC gateways speak it.

State   none
Source  protobuf.dev, "ProtoJSON format"; grpc-gateway as etcd sets it (the fields' own names)
Absent  the well-known types, and the types that the schema tables lack

Out: 64-bit numbers are strings, bytes are base64, zeroes are left out, fields keep their names, enums are
names. In: also the lowerCamelCase names, numbers for strings of digits, base64 of either alphabet with or
without padding, and null for what is absent.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Any, TypeVar

import msgspec

from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.protobuf import DEPTH_MAX, Codec, decode
from cloudlet.wire.protobuf_schema import Field, Message, Schema

M = TypeVar("M", bound=msgspec.Struct)

RANGES = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "uint32": (0, (1 << 32) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint64": (0, (1 << 64) - 1),
    "enum": (-(1 << 31), (1 << 31) - 1),
}
BIG = ("int64", "uint64")


def to_json(message: msgspec.Struct) -> dict[str, Any]:
    """What json.dumps or orjson makes the mapping's text of."""
    codec: Codec = type(message).codec_of  # type: ignore[attr-defined]
    return _write(codec.schema, codec.schema.messages[type(message).__name__], message)


def _write(schema: Schema, shape: Message, message: msgspec.Struct) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in shape.fields:
        value = getattr(message, field.name)
        if field.is_repeated:
            if value:
                found[field.name] = [_write_value(schema, field, each) for each in value]
        elif value is not None and (value or field.may_lack):
            found[field.name] = _write_value(schema, field, value)
    return found


def _write_value(schema: Schema, field: Field, value: Any) -> Any:
    kind = field.kind
    if kind in BIG:
        return str(value)
    if kind == "bytes":
        return b64encode(value).decode()
    if kind == "enum":
        names = schema.enums[field.type]
        return names[value] if 0 <= value < len(names) else value
    if kind == "message":
        if type(value) is bytes:  # encoded before
            cls = schema.message(field.type)
            value = decode(cls, value)
        return _write(schema, schema.messages[field.type], value)
    return value


def from_json(cls: type[M], found: Any) -> M:
    """The message that a parsed JSON object stands for; ProtocolError, which names the member at fault. What
    the message does not have is passed over, as etcd's gateway does."""
    codec: Codec = cls.codec_of  # type: ignore[attr-defined]
    return _read(codec.schema, codec.schema.messages[cls.__name__], found, 0)


def _read(schema: Schema, shape: Message, found: Any, depth: int) -> Any:
    if not isinstance(found, dict):
        raise ProtocolError(f"{shape.name}: expected an object")
    if depth > DEPTH_MAX:
        raise ProtocolError(f"messages nested more than {DEPTH_MAX} deep")
    names = {field.name: field for field in shape.fields} | {field.json_name: field for field in shape.fields}
    message = schema.message(shape.name)()
    for name, value in found.items():
        field = names.get(name)
        if field is None or value is None:
            continue
        if field.is_repeated:
            if not isinstance(value, list):
                raise ProtocolError(f"{field.name}: expected a list")
            setattr(message, field.name, [_read_value(schema, field, each, depth) for each in value])
            continue
        if field.oneof:
            for other in shape.fields:
                if other.oneof == field.oneof and getattr(message, other.name) is not None:
                    raise ProtocolError(f"{field.name}: another member of {field.oneof} is set")
        setattr(message, field.name, _read_value(schema, field, value, depth))
    return message


def _read_value(schema: Schema, field: Field, value: Any, depth: int) -> Any:
    kind = field.kind
    if kind == "message":
        return _read(schema, schema.messages[field.type], value, depth + 1)
    if kind == "bytes":
        return _base64(field, value)
    if kind == "string":
        if isinstance(value, str):
            return value
    elif kind == "bool":
        if isinstance(value, bool):
            return value
    elif kind == "enum" and isinstance(value, str):
        names = schema.enums[field.type]
        if value in names:
            return names.index(value)
    else:
        return _number(field, value)
    raise ProtocolError(f"{field.name}: {value!r} is no {field.type}")


def _number(field: Field, value: Any) -> int:
    low, high = RANGES[field.kind]
    number: Any = value
    if isinstance(value, str):
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is not None and str(number) != value:
            number = None  # no spaces, signs, underscores
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
        raise ProtocolError(f"{field.name}: {value!r} is no {field.kind}")
    return number


def _base64(field: Field, value: Any) -> bytes:
    if isinstance(value, str):
        plain = value.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise ProtocolError(f"{field.name}: not base64")
