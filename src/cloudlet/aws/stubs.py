"""Writes the typed shapes of services: `python -m cloudlet.aws.stubs sqs sts`, a development step.

State   none
Source  the services' models
Absent  none

A service's shapes.pyi has a class per input structure and a TypedDict per output structure. A required member
of an input is typed as present: the framework refuses a request without it before the operation runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from cloudlet.aws.models import Models
from cloudlet.wire.aws.shapes import ServiceModel, Shape

SERVICES = Path(__file__).parent.parent / "services"

SCALARS = {
    "string": "str",
    "character": "str",
    "integer": "int",
    "long": "int",
    "float": "float",
    "double": "float",
    "boolean": "bool",
    "blob": "bytes",
    "timestamp": "float",
}


def stub(model: ServiceModel, operations: Sequence[str]) -> str:
    """The text of a service's shapes.pyi, for its implemented operations."""
    lines = [
        "# Generated from the model by `python -m cloudlet.aws.stubs`; do not edit.",
        "from typing import Any, TypedDict",
        "",
        "import msgspec",
    ]
    inputs: dict[str, Shape] = {}
    outputs: dict[str, Shape] = {}
    for name in operations:
        operation = model.operation(name)
        _collect(operation.input, inputs)
        _collect(operation.output, outputs)
    for shape in inputs.values():
        lines += ["", f"class {shape.name}(msgspec.Struct):", *_input(shape)]
    for shape in outputs.values():
        if shape.name not in inputs:
            lines += ["", f"class {shape.name}(TypedDict, total=False):", *_output(shape)]
    return "\n".join(lines) + "\n"


def _collect(shape: Shape | None, found: dict[str, Shape]) -> None:
    """A structure and all that it holds, innermost first."""
    if shape is None or shape.document:
        return
    if shape.type == "list":
        _collect(shape.member.shape, found)
    elif shape.type == "map":
        _collect(shape.value.shape, found)
    elif shape.type == "structure" and shape.name not in found:
        found[shape.name] = shape
        for member in shape.members.values():
            _collect(member.shape, found)


def _input(shape: Shape) -> Iterator[str]:
    if not shape.members:
        yield "    pass"
    for name, member in shape.members.items():
        optional = "" if name in shape.required else " | None"
        yield f"    {name}: {_type(member.shape)}{optional}"


def _output(shape: Shape) -> Iterator[str]:
    if not shape.members:
        yield "    pass"
    for name, member in shape.members.items():
        yield f"    {name}: {_type(member.shape)}"


def _type(shape: Shape) -> str:
    if shape.document:
        return "Any"
    if shape.type == "list":
        return f"list[{_type(shape.member.shape)}]"
    if shape.type == "map":
        return f"dict[str, {_type(shape.value.shape)}]"
    return SCALARS.get(shape.type, shape.name)


def target(service: str) -> Path:
    """Where a service's stub stands."""
    return SERVICES / service.replace("-", "_") / "shapes.pyi"


def main() -> int:
    """Write the stubs of the services named."""
    models = Models()
    for name in sys.argv[1:]:
        model = models.service(name)
        target(name).write_text(stub(model, model.operations), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
