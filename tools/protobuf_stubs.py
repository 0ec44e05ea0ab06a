"""Writes the types of the Protocol Buffers messages: `python -m tools.protobuf_stubs`."""

from __future__ import annotations

from pathlib import Path

from cloudlet.wire import etcd_messages, grpc_messages
from cloudlet.wire.protobuf import Module
from cloudlet.wire.protobuf_schema import Field, Schema

WIRE = Path(etcd_messages.__file__).parent
MODULES = {"etcd_messages": etcd_messages.MODULE, "grpc_messages": grpc_messages.MODULE}
HEADER = """\
# Written by `python -m tools.protobuf_stubs` from the tables. Do not edit.
from collections.abc import Mapping
from enum import IntEnum

import msgspec

from cloudlet.wire.protobuf import Module
from cloudlet.wire.protobuf_schema import Method

MODULE: Module
METHODS: Mapping[str, Method]
"""
TYPES = {"string": "str", "bytes": "bytes", "bool": "bool"}


def stub(module: Module) -> str:
    """The text of a module's stub."""
    schema = module.schema
    parts = [HEADER]
    for name, values in schema.enums.items():
        if "." not in name:
            parts += ["", *enum_lines(name, values, "")]
    for message in schema.messages.values():
        parts += ["", f"class {message.name}(msgspec.Struct, kw_only=True):"]
        for name, values in message.enums.items():
            parts += enum_lines(name, values, "    ")
        parts += [f"    {field.name}: {field_type(schema, field)} = ..." for field in message.fields]
        if not message.fields:
            parts.append("    ...")
    return "\n".join([*parts, ""])


def enum_lines(name: str, values: tuple[str, ...], indent: str) -> list[str]:
    return [
        f"{indent}class {name}(IntEnum):",
        *(f"{indent}    {value} = {number}" for number, value in enumerate(values)),
    ]


def field_type(schema: Schema, field: Field) -> str:
    found = field.type if field.kind == "message" else TYPES.get(field.kind, "int")
    if field.is_repeated:
        return f"list[{found}]"
    return f"{found} | None" if field.may_lack else found


def main() -> None:
    for name, module in MODULES.items():
        (WIRE / f"{name}.pyi").write_text(stub(module), encoding="utf-8")


if __name__ == "__main__":
    main()
