"""Writes messages.pyi: the types of Kafka's messages, from their schemas.

    python -m tools.kafka_stubs

A test holds that it is current.
"""

import pathlib

from cloudlet.wire.kafka.classes import attribute_of
from cloudlet.wire.kafka.schema import schema_of, texts

TARGET = pathlib.Path(__file__).parent.parent / "src" / "cloudlet" / "wire" / "kafka" / "messages.pyi"

HEAD = '''"""Written by tools/kafka_stubs.py; see messages.py."""

from cloudlet.wire.kafka.classes import Message

'''
PYTHON = {
    "bool": "bool", "float64": "float", "string": "str", "bytes": "bytes", "uuid": "bytes",
    "records": "bytes | memoryview",
}  # fmt: skip


def type_of(field, message, names):
    if field.fields:
        inner = f"{message}.{attribute_of(field.type, names)}"
    else:
        inner = PYTHON.get(field.type, "int")
    text = f"list[{inner}]" if field.is_array else inner
    may_be_absent = bool(field.nullable) or (field.fields and field.tag is not None and not field.is_array)
    return f"{text} | None" if may_be_absent else text


def class_lines(name, fields, message, names, indent, inner=()):
    yield f"{indent}class {name}(Message):"
    for lines in inner:
        yield from lines
    for field in fields:
        yield f"{indent}    {field.name}: {type_of(field, message, names)}"
    if not fields:
        yield f"{indent}    def __init__(self) -> None: ..."
        return
    yield f"{indent}    def __init__("
    yield f"{indent}        self,"
    yield f"{indent}        *,"
    for field in fields:
        yield f"{indent}        {field.name}: {type_of(field, message, names)} = ...,"
    yield f"{indent}    ) -> None: ..."


def structures(fields):
    for field in fields:
        if field.fields:
            yield from structures(field.fields)
            yield field


def message_lines(name):
    schema = schema_of(name)
    names = tuple(field.name for field in schema.fields)
    found = {}
    for field in structures(schema.fields):
        found.setdefault(field.type, field)
    inner = [
        class_lines(attribute_of(kind, names), field.fields, name, names, "    ")
        for kind, field in found.items()
    ]
    return class_lines(name, schema.fields, name, names, "", inner)


def text():
    """What messages.pyi should be."""
    return HEAD + "\n\n".join("\n".join(message_lines(name)) for name in texts()) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
