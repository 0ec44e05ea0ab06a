"""gRPC's reflection and health services: what a client without etcd's protos asks first.

State   none
Source  grpc.reflection.v1 and v1alpha, grpc.health.v1; the descriptors are made of wire/etcd_schema.py
Absent  options and extensions in descriptors: the gateway's paths, gogoproto's marks
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import msgspec

from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire import etcd_messages, grpc_messages
from cloudlet.wire.grpc import Answer, Call, Code, GrpcStatus, Method, bidi, server_stream, unary
from cloudlet.wire.grpc_messages import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumValueDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    HealthCheckRequest,
    HealthCheckResponse,
    MethodDescriptorProto,
    OneofDescriptorProto,
    ServerReflectionRequest,
    ServerReflectionResponse,
    ServiceDescriptorProto,
)
from cloudlet.wire.protobuf import decode, encode
from cloudlet.wire.protobuf_schema import Field, File, Schema

SCHEMAS = (etcd_messages.MODULE.schema, grpc_messages.MODULE.schema)
TYPES = {
    "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "message": 11, "bytes": 12, "uint32": 13,
    "enum": 14,
}  # fmt: skip
OPTIONAL, REPEATED = 1, 3
REFLECTIONS = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
SERVING, SERVICE_UNKNOWN = 1, 3
NOT_FOUND = 5

M = TypeVar("M", bound=msgspec.Struct)
Full = Callable[[str], str]
"""The full name of a message or an enum."""


def methods(served: Sequence[str]) -> dict[str, Method]:
    """Both services beside those of `served`, which are paths."""
    names = sorted({path.strip("/").partition("/")[0] for path in served})
    names += [*REFLECTIONS, "grpc.health.v1.Health"]
    reflection = Reflection(names)
    health = Health(frozenset(names))
    rows = [bidi(f"/{name}/ServerReflectionInfo", reflection.serve) for name in REFLECTIONS]
    rows.append(unary("/grpc.health.v1.Health/Check", health.check))
    rows.append(server_stream("/grpc.health.v1.Health/Watch", health.watch))
    return {method.path: method for method in rows}


class Health:
    """Every service that there is serves, as long as the process lives."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def check(self, call: Call, message: bytes) -> Answer:
        if not self._is_known(message):
            raise GrpcStatus(Code.NOT_FOUND, "unknown service")
        return encode(HealthCheckResponse(status=SERVING))

    async def watch(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        async for message in incoming:
            status = SERVING if self._is_known(message) else SERVICE_UNKNOWN
            await call.send(encode(HealthCheckResponse(status=status)))
        await asyncio.Event().wait()  # nothing changes; the client ends it

    def _is_known(self, message: bytes) -> bool:
        name = _decoded(HealthCheckRequest, message).service
        return not name or name in self._names


class Reflection:
    """Answers what is asked of names and files."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._files: dict[str, FileDescriptorProto] = {}
        self._home: dict[str, str] = {}  # full name of a symbol -> file
        for schema in SCHEMAS:
            for file in schema.files.values():
                self._files[file.path] = described(schema, file)
                self._home |= dict.fromkeys(symbols(schema, file), file.path)

    async def serve(self, call: Call, incoming: AsyncIterator[bytes]) -> None:
        async for message in incoming:
            await call.send(encode(self._answer(_decoded(ServerReflectionRequest, message))))

    def _answer(self, request: ServerReflectionRequest) -> ServerReflectionResponse:
        reply = ServerReflectionResponse(valid_host=request.host, original_request=request)
        wanted: str | None = None
        if request.list_services is not None:
            services = [grpc_messages.ServiceResponse(name=name) for name in self._names]
            reply.list_services_response = grpc_messages.ListServiceResponse(service=services)
            return reply
        if request.file_by_filename is not None:
            wanted = request.file_by_filename
        elif request.file_containing_symbol is not None:
            wanted = self._home.get(request.file_containing_symbol)
        if wanted in self._files:
            raw = [encode(self._files[path]) for path in self._with_dependencies(wanted)]
            reply.file_descriptor_response = grpc_messages.FileDescriptorResponse(file_descriptor_proto=raw)
            return reply
        asked = request.file_by_filename or request.file_containing_symbol or "extensions"
        reply.error_response = grpc_messages.ErrorResponse(
            error_code=NOT_FOUND, error_message=f"not found: {asked}"
        )
        return reply

    def _with_dependencies(self, path: str) -> Sequence[str]:
        """The file first, then what it needs, each once."""
        found = [path]
        for each in found:
            found += [need for need in self._files[each].dependency if need not in found]
        return found


def _decoded(cls: type[M], message: bytes) -> M:
    try:
        return decode(cls, message)
    except ProtocolError as error:
        raise GrpcStatus(Code.INTERNAL, f"grpc: error unmarshalling request: {error}") from None


def symbols(schema: Schema, file: File) -> Sequence[str]:
    """The full names that a file declares."""
    found = [f"{file.package}.{name}" for name in (*file.messages, *file.enums)]
    found += file.services
    found += [
        f"{service}.{method.name}"
        for service in file.services
        for method in schema.methods.values()
        if method.service == service
    ]
    return found


def described(schema: Schema, file: File) -> FileDescriptorProto:
    """The descriptor of a file."""
    homes = {name: each for each in schema.files.values() for name in (*each.messages, *each.enums)}
    needs: dict[str, None] = {}

    def full(name: str) -> str:
        home = homes[name.partition(".")[0]]
        if home.path != file.path:
            needs[home.path] = None
        return f".{home.package}.{name}"

    messages = [_message(schema, name, full) for name in file.messages]
    services = []
    for service in file.services:
        rows = [
            MethodDescriptorProto(
                name=method.name,
                input_type=full(method.request),
                output_type=full(method.reply),
                client_streaming=method.streams_request,
                server_streaming=method.streams_reply,
            )
            for method in schema.methods.values()
            if method.service == service
        ]
        services.append(ServiceDescriptorProto(name=service.rpartition(".")[2], method=rows))
    return FileDescriptorProto(
        name=file.path,
        package=file.package,
        dependency=list(needs),
        message_type=messages,
        enum_type=[_enum(name, schema.enums[name]) for name in file.enums],
        service=services,
        syntax="proto3",
    )


def _message(schema: Schema, name: str, full: Full) -> DescriptorProto:
    message = schema.messages[name]
    oneofs = list(dict.fromkeys(field.oneof for field in message.fields if field.oneof))
    return DescriptorProto(
        name=name,
        field=[_field(field, oneofs, full) for field in message.fields],
        enum_type=[_enum(enum, values) for enum, values in message.enums.items()],
        oneof_decl=[OneofDescriptorProto(name=oneof) for oneof in oneofs],
    )


def _field(field: Field, oneofs: Sequence[str], full: Full) -> FieldDescriptorProto:
    return FieldDescriptorProto(
        name=field.name,
        number=field.number,
        label=REPEATED if field.is_repeated else OPTIONAL,
        type=TYPES[field.kind],
        type_name=full(field.type) if field.kind in ("enum", "message") else "",
        oneof_index=oneofs.index(field.oneof) if field.oneof else None,
        json_name=field.json_name,
    )


def _enum(name: str, values: Sequence[str]) -> EnumDescriptorProto:
    rows = [EnumValueDescriptorProto(name=value, number=number) for number, value in enumerate(values)]
    return EnumDescriptorProto(name=name, value=rows)
