"""Protocol Buffers: messages to bytes and back, by code made per message at its first use.

State   the code that was made, per schema
Source  protobuf.dev, "Encoding"; presence and merging as proto3 has them
Absent  what the schema tables lack (protobuf_schema.py); unknown fields are skipped and not kept

    codec = Codec(schema)
    codec.decode("RangeRequest", data)     the message; ProtocolError for bytes that are none
    codec.encode(message)                  its bytes, fields in the order of their numbers

`decode` and `encode` at the bottom take the class, `decoder` and `encoder` give the functions for hot paths.
A field that holds a message may be given that message's bytes instead (`encoded`), so what every reply
repeats (etcd's header) need not be written anew. A member of a oneof is None unless it is the one set.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.protobuf_schema import Field, Message, Schema

M = TypeVar("M", bound=msgspec.Struct)
Buffer = bytes | memoryview
Decoder = Callable[[Buffer], Any]
Encoder = Callable[[Any], bytes]

DEPTH_MAX = 100  # of nested messages: what the runtimes of C++, Java and Python allow
MASK_64 = (1 << 64) - 1


class Codec:
    """The compiled functions of a schema's messages."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        schema.codec = self
        self._names: dict[str, Any] = {
            "ProtocolError": ProtocolError,
            "varint": varint,
            "more": more,
            "skip": skip,
            "packed": packed,
            "text": text,
            "deep": deep,
        }
        self._compiled: set[str] = set()

    def decoder(self, name: str) -> Decoder:
        """bytes -> message."""
        self._compile(name)
        cls, merge = self._names[f"new_{name}"], self._names[f"merge_{name}"]

        def decode(data: Buffer) -> Any:
            message = cls()
            whole = bytes(data)
            try:
                merge(message, whole, 0, len(whole), 0)
            except IndexError:
                raise ProtocolError(f"{name}: the bytes end within a field") from None
            return message

        return decode

    def encoder(self, name: str) -> Encoder:
        """message -> bytes."""
        self._compile(name)
        encode: Encoder = self._names[f"encode_{name}"]
        return encode

    def _compile(self, name: str) -> None:
        """Make the code of a message and of every one that it may hold."""
        waiting = [name]
        source: list[str] = []
        while waiting:
            each = waiting.pop()
            if each in self._compiled:
                continue
            self._compiled.add(each)
            message = self.schema.messages[each]
            waiting += [field.type for field in message.fields if field.kind == "message"]
            self._names[f"new_{each}"] = self.schema.message(each)
            source += _merge_source(message)
            source += _encode_source(message)
        if source:
            exec(compile("\n".join(source), f"<protobuf {name}>", "exec"), self._names)


def more(data: bytes, at: int, first: int) -> tuple[int, int]:
    """A varint of several bytes, whose first is read; the value in 64 bits, and where it ends."""
    value = first & 127
    shift = 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & MASK_64, at
        shift += 7
        if shift > 63:
            raise ProtocolError("a varint of more than ten bytes")


def varint(value: int) -> bytes:
    """The bytes of a varint; negative numbers as ten bytes, in two's complement."""
    if 0 <= value < 1 << 28:
        if value < 1 << 7:
            return bytes((value,))
        if value < 1 << 14:
            return bytes((value & 127 | 128, value >> 7))
        if value < 1 << 21:
            return bytes((value & 127 | 128, value >> 7 & 127 | 128, value >> 14))
        return bytes((value & 127 | 128, value >> 7 & 127 | 128, value >> 14 & 127 | 128, value >> 21))
    return _long_varint(value & MASK_64)


@lru_cache(maxsize=1024)  # the ids of a cluster and its members, in every reply
def _long_varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def skip(data: bytes, at: int, end: int, tag: int, depth: int = 0) -> int:
    """Where the unknown field ends whose tag is read."""
    kind = tag & 7
    if tag < 8:
        raise ProtocolError("a field numbered 0")
    if kind == 0:
        byte = data[at]
        at += 1
        return at if byte < 128 else more(data, at, byte)[1]
    if kind == 1:
        return at + 8
    if kind == 5:
        return at + 4
    if kind == 2:
        size = data[at]
        at += 1
        if size > 127:
            size, at = more(data, at, size)
        return at + size
    if kind == 3:
        deep(depth)
        while at < end:
            inner = data[at]
            at += 1
            if inner > 127:
                inner, at = more(data, at, inner)
            if inner & 7 == 4:
                if inner >> 3 != tag >> 3:
                    break
                return at
            at = skip(data, at, end, inner, depth + 1)
        raise ProtocolError("a group without its end")
    raise ProtocolError(f"wire type {kind}")


def packed(data: bytes, at: int, end: int) -> list[int]:
    """The varints of a packed run, in 64 bits."""
    found = []
    while at < end:
        value = data[at]
        at += 1
        if value > 127:
            value, at = more(data, at, value)
        found.append(value)
    if at != end:
        raise ProtocolError("a packed run ends within a number")
    return found


def text(data: bytes) -> str:
    """A string, which has to be UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ProtocolError("a string that is not UTF-8") from None


def deep(depth: int) -> None:
    if depth >= DEPTH_MAX:
        raise ProtocolError(f"messages nested more than {DEPTH_MAX} deep")


# How a varint of 64 bits becomes the value of its type; {v} is the variable.
SIGNS = {
    "int64": "{v} - (1 << 64) if {v} >> 63 else {v}",
    "int32": "({v} & 0xFFFFFFFF) - (1 << 32) if {v} & 0x80000000 else {v} & 0xFFFFFFFF",
    "enum": "({v} & 0xFFFFFFFF) - (1 << 32) if {v} & 0x80000000 else {v} & 0xFFFFFFFF",
    "uint64": "{v}",
    "uint32": "{v} & 0xFFFFFFFF",
    "bool": "{v} != 0",
}
VALUES_128 = {"int64": "v", "int32": "v", "enum": "v", "uint64": "v", "uint32": "v", "bool": "v != 0"}


def _merge_source(message: Message) -> list[str]:
    """merge_X(m, data, at, end, depth): read fields into a message."""
    lines = [
        f"def merge_{message.name}(m, data, at, end, depth):",
        "  while at < end:",
        "    tag = data[at]; at += 1",
        "    if tag > 127: tag, at = more(data, at, tag)",
    ]
    word = "if"
    for field in message.fields:
        clear = "".join(
            f"; m.{other.name} = None"
            for other in message.fields
            if field.oneof and other.oneof == field.oneof and other is not field
        )
        lines.append(f"    {word} tag == {field.number << 3 | field.wire_type}:")
        word = "elif"
        body = _merge_varint(field, clear) if field.wire_type == 0 else _merge_sized(field, clear)
        lines += [f"      {line}" for line in body]
        if field.is_repeated and field.wire_type == 0:
            lines.append(f"    elif tag == {field.number << 3 | 2}:")
            lines += [f"      {line}" for line in _merge_packed(field)]
    if message.fields:
        lines += ["    else: at = skip(data, at, end, tag)"]
    else:
        lines += ["    at = skip(data, at, end, tag)"]
    lines += [f"  if at != end: raise ProtocolError('{message.name}: the bytes end within a field')"]
    return lines


def _merge_varint(field: Field, clear: str) -> list[str]:
    value = SIGNS[field.kind].format(v="v")
    store = f"m.{field.name}.append({{}})" if field.is_repeated else f"m.{field.name} = {{}}{clear}"
    return [
        "v = data[at]; at += 1",
        "if v > 127:",
        "  v, at = more(data, at, v)",
        f"  {store.format(value)}",
        f"else: {store.format(VALUES_128[field.kind])}",
    ]


SIZE = [
    "n = data[at]; at += 1",
    "if n > 127: n, at = more(data, at, n)",
    "stop = at + n",
    "if stop > end: raise ProtocolError('a field that is longer than its message')",
]


def _merge_packed(field: Field) -> list[str]:
    value = SIGNS[field.kind].format(v="v")
    return [*SIZE, f"m.{field.name} += [{value} for v in packed(data, at, stop)]", "at = stop"]


def _merge_sized(field: Field, clear: str) -> list[str]:
    name = field.name
    if field.kind != "message":
        value = "text(data[at:stop])" if field.kind == "string" else "data[at:stop]"
        store = f"m.{name}.append({value})" if field.is_repeated else f"m.{name} = {value}{clear}"
        return [*SIZE, store, "at = stop"]
    lines = [*SIZE, "deep(depth)"]
    if field.is_repeated:
        lines += [f"v = new_{field.type}()", f"m.{name}.append(v)"]
    else:
        lines += [f"v = m.{name}", f"if v is None: v = m.{name} = new_{field.type}(){clear}"]
    return [*lines, f"merge_{field.type}(v, data, at, stop, depth + 1)", "at = stop"]


def _encode_source(message: Message) -> list[str]:
    """encode_X(m) -> bytes."""
    lines = [f"def encode_{message.name}(m):", "  out = bytearray()"]
    for field in message.fields:
        tag = repr(varint(field.number << 3 | (2 if field.is_repeated else field.wire_type)))
        value = f"m.{field.name}"
        lines.append(f"  v = {value}")
        if field.is_repeated and field.wire_type == 0:
            lines += ["  if v:", "    b = b''.join(map(varint, v))", *_sized(tag, "    ")]
        elif field.is_repeated:
            lines += ["  for v in v:", f"    b = {_raw(field)}", *_sized(tag, "    ")]
        else:
            lines.append("  if v is not None:" if field.may_lack else "  if v:")
            if field.wire_type == 0:
                lines.append(f"    out += {tag}")
                lines.append("    if 0 <= v < 128: out.append(v)")
                lines.append("    else: out += varint(v)")
            else:
                lines += [f"    b = {_raw(field)}", *_sized(tag, "    ")]
    lines.append("  return bytes(out)")
    return lines


def _raw(field: Field) -> str:
    if field.kind == "message":
        return f"v if type(v) is bytes else encode_{field.type}(v)"
    return "v.encode()" if field.kind == "string" else "v"


def _sized(tag: str, indent: str) -> list[str]:
    return [
        f"{indent}n = len(b)",
        f"{indent}out += {tag}",
        f"{indent}if n < 128: out.append(n)",
        f"{indent}else: out += varint(n)",
        f"{indent}out += b",
    ]


class Module:
    """What a module of messages offers: its classes by name, each with its codec."""

    def __init__(self, *texts: str) -> None:
        self.schema = Schema(*texts)
        self.codec = Codec(self.schema)

    def attribute(self, name: str) -> Any:
        """A message's or an enum's class; for the module's own `__getattr__`."""
        if name in self.schema.messages:
            return self.schema.message(name)
        if name in self.schema.enums:
            return self.schema.enum(name)
        raise AttributeError(name)


def encoded(data: bytes) -> Any:
    """Bytes in the place of the message that they are, for a field of a message to be encoded."""
    return data


def decoder(cls: type[M]) -> Callable[[Buffer], M]:
    """The function that reads messages of this class; ProtocolError for bytes that are none."""
    try:
        return cls.decoder_of  # type: ignore[attr-defined]
    except AttributeError:
        codec: Codec = cls.codec_of  # type: ignore[attr-defined]
        made = cls.decoder_of = codec.decoder(cls.__name__)  # type: ignore[attr-defined]
        return made


def encoder(cls: type[M]) -> Callable[[M], bytes]:
    """The function that writes messages of this class."""
    try:
        return cls.encoder_of  # type: ignore[attr-defined]
    except AttributeError:
        codec: Codec = cls.codec_of  # type: ignore[attr-defined]
        made = cls.encoder_of = codec.encoder(cls.__name__)  # type: ignore[attr-defined]
        return made


def decode(cls: type[M], data: Buffer) -> M:
    """The message that the bytes are; ProtocolError."""
    return decoder(cls)(data)


def encode(message: msgspec.Struct) -> bytes:
    """The bytes of a message."""
    return encoder(type(message))(message)
