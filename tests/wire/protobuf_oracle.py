"""Google's runtime over the same tables: builds its descriptors from ours."""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from cloudlet.wire.protobuf_schema import Field, Schema

KINDS = descriptor_pb2.FieldDescriptorProto


def classes(schema: Schema) -> dict[str, type]:
    """The runtime's class of each message, all in one package of the oracle's own."""
    file = descriptor_pb2.FileDescriptorProto(name="oracle.proto", package="oracle", syntax="proto3")
    for name, values in schema.enums.items():
        enum = file.enum_type.add(name=name.replace(".", "_"))
        for number, value in enumerate(values):
            enum.value.add(name=f"{enum.name}_{value}", number=number)
    for message in schema.messages.values():
        made = file.message_type.add(name=message.name)
        oneofs = list(dict.fromkeys(field.oneof for field in message.fields if field.oneof))
        for oneof in oneofs:
            made.oneof_decl.add(name=oneof)
        for field in message.fields:
            add_field(made, field, oneofs)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"oracle.{name}"))
        for name in schema.messages
    }


def add_field(made: descriptor_pb2.DescriptorProto, field: Field, oneofs: list[str]) -> None:
    row = made.field.add(name=field.name, number=field.number)
    row.label = KINDS.LABEL_REPEATED if field.is_repeated else KINDS.LABEL_OPTIONAL
    row.type = getattr(KINDS, f"TYPE_{field.kind.upper()}")
    if field.kind in ("enum", "message"):
        row.type_name = ".oracle." + field.type.replace(".", "_")
    if field.oneof:
        row.oneof_index = oneofs.index(field.oneof)


def fill(theirs, ours) -> None:
    """Copy a message of ours into the runtime's."""
    for field in ours.codec_of.schema.messages[type(ours).__name__].fields:
        value = getattr(ours, field.name)
        if field.is_repeated:
            for each in value:
                if field.kind == "message":
                    fill(getattr(theirs, field.name).add(), each)
                else:
                    getattr(theirs, field.name).append(each)
        elif field.kind == "message":
            if value is not None:
                getattr(theirs, field.name).SetInParent()
                fill(getattr(theirs, field.name), value)
        elif value is not None:
            setattr(theirs, field.name, value)
