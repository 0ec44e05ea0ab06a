"""Writes the types of a service's parameters and results from its model: `python -m cloudlet.aws.stubs`.

State   none
Source  botocore's data folder
Absent  members whose names Python cannot spell as attributes (a comment names them; getattr reaches them)

Each services/<name>/shapes.pyi holds a class per structure that a request may hold, and a TypedDict per
structure that a reply may hold (named …Dict where a request may hold it too). Required members are typed as
present: operations run after validation. They are types only: services import them under TYPE_CHECKING.

    string str      blob bytes      boolean bool     integer, long int     float, double float
    timestamp float (seconds since 1970, int where whole)     document, JSON value object
"""

from __future__ import annotations

import keyword
import sys
from collections.abc import Iterator
from pathlib import Path

from cloudlet.aws.implemented import implemented
from cloudlet.aws.models import Models
from cloudlet.wire.aws.shapes import Member, ServiceModel, Shape

SERVICES = Path(__file__).parent.parent / "services"
SCALARS = {
    "string": "str",
    "character": "str",
    "blob": "bytes",
    "boolean": "bool",
    "integer": "int",
    "long": "int",
    "float": "float",
    "double": "float",
    "timestamp": "float",
}
HEADER = """\
# Written by `python -m cloudlet.aws.stubs {name}` from the model of API {version}. Do not edit.
from typing import TypedDict

import msgspec
"""


def structures(roots: Iterator[Shape | None]) -> dict[str, Shape]:
    """The structures among these shapes and in what they hold."""
    found: dict[str, Shape] = {}
    seen: set[str] = set()
    waiting = [shape for shape in roots if shape]
    while waiting:
        shape = waiting.pop()
        if shape.name in seen:
            continue
        seen.add(shape.name)
        if shape.type == "structure" and not shape.document:
            found[shape.name] = shape
        inner = {"list": [shape.member] if shape.type == "list" else [], "structure": shape.members.values()}
        members = [shape.value] if shape.type == "map" else list(inner.get(shape.type, []))
        waiting += [member.shape for member in members]
    return dict(sorted(found.items()))


class Stub:
    """The stub of one service."""

    def __init__(self, service: ServiceModel) -> None:
        self._service = service
        operations = [service.operation(name) for name in service.operations]
        operations = [operation for operation in operations if not operation.event_streams]
        self._inputs = structures(operation.input for operation in operations)
        self._outputs = structures(operation.output for operation in operations)

    def text(self) -> str:
        """The whole file."""
        parts = [HEADER.format(name=self._service.name, version=self._service.api_version)]
        parts += map(self._params, self._inputs.values())
        parts += map(self._result, self._outputs.values())
        return "\n".join(parts)

    def _params(self, shape: Shape) -> str:
        required = () if shape.union else shape.required
        lines = [
            f"    {name}: {self._type(member, is_input=True)}{'' if name in required else ' | None'}"
            if name.isidentifier() and not keyword.iskeyword(name)
            else f"    # {name}: {self._type(member, is_input=True)}"
            for name, member in shape.members.items()
        ]
        spelled = [line for line in lines if not line.startswith("    #")]
        return "\n".join(
            [f"class {shape.name}(msgspec.Struct):", *lines, *([] if spelled else ["    ..."]), ""]
        )

    def _result(self, shape: Shape) -> str:
        members = {name: self._type(member, is_input=False) for name, member in shape.members.items()}
        name = self._result_name(shape)
        if all(each.isidentifier() and not keyword.iskeyword(each) for each in members):
            lines = [f"    {member}: {kind}" for member, kind in members.items()] or ["    ..."]
            return "\n".join([f"class {name}(TypedDict, total=False):", *lines, ""])
        pairs = ", ".join(f'"{member}": "{kind}"' for member, kind in members.items())
        return f'{name} = TypedDict("{name}", {{{pairs}}}, total=False)\n'

    def _result_name(self, shape: Shape) -> str:
        return f"{shape.name}Dict" if shape.name in self._inputs else shape.name

    def _type(self, member: Member, *, is_input: bool) -> str:
        shape = member.shape
        if member.jsonvalue or shape.document:
            return "object"
        if shape.type == "structure":
            return shape.name if is_input else self._result_name(shape)
        if shape.type in SCALARS:
            return SCALARS[shape.type]
        item = self._type(shape.member if shape.type == "list" else shape.value, is_input=is_input)
        held = f"{item} | None" if shape.sparse else item
        return f"list[{held}]" if shape.type == "list" else f"dict[str, {held}]"


def target(name: str) -> Path:
    """Where a service's stub stands."""
    return SERVICES / name.replace("-", "_") / "shapes.pyi"


def stale(models: Models) -> list[str]:
    """The services whose stub is not the one that the models give."""
    return [
        name
        for name in implemented()
        for path in [target(name)]
        if not path.exists() or path.read_text(encoding="utf-8") != Stub(models.service(name)).text()
    ]


def main() -> int:
    """Write the stubs of the services named, or of all; with --check, say which are not current."""
    models = Models()
    if "--check" in sys.argv:
        print("\n".join(stale(models)))
        return 1 if stale(models) else 0
    for name in sys.argv[1:] or implemented():
        target(name).write_text(Stub(models.service(name)).text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
