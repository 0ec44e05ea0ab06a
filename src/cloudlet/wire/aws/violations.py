"""The model's constraints, checked after parsing, in AWS's own words.

State   none
Source  Smithy "Constraint traits"; the texts of the services' ValidationException
Absent  patterns that Python's re cannot compile (Java's \\p classes) are not checked
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cloudlet.wire.aws.shapes import Shape

Out = list[str]
Check = Callable[[Any, str, Out], None]

VALUE_CHARACTERS_MAX = 1024  # of a value that is repeated in an error


class Checks:
    """Compiles a check per shape; None for a shape that constrains nothing."""

    def __init__(self) -> None:
        self._made: dict[str, Check | None] = {}
        self._open: set[str] = set()

    def check(self, shape: Shape) -> Check | None:
        if shape.name in self._open:
            return self._made.get(shape.name) or _nothing
        if shape.name not in self._made:
            self._open.add(shape.name)
            inner = {"structure": self._structure, "list": self._list, "map": self._map}.get(shape.type)
            parts = [*_own(shape), *([found] if inner and (found := inner(shape)) else [])]
            self._made[shape.name] = _all(parts)
            self._open.discard(shape.name)
        return self._made[shape.name]

    def _structure(self, shape: Shape) -> Check | None:
        required = frozenset(shape.required)
        members: list[tuple[str, str, Check | None, bool]] = []
        for name, member in shape.members.items():
            found = self.check(member.shape)
            if found is not None or name in required:
                members.append((name, name[:1].lower() + name[1:], found, name in required))
        if not members:
            return None

        def check(value: Any, path: str, out: Out) -> None:
            for name, spelled, inner, is_required in members:
                member = getattr(value, name)
                if member is None:
                    if is_required:
                        out.append(_text("null", f"{path}{spelled}", "Member must not be null"))
                elif inner is not None:
                    inner(member, f"{path}{spelled}", out)

        return lambda value, path, out: check(value, f"{path}." if path else "", out)

    def _list(self, shape: Shape) -> Check | None:
        inner = self.check(shape.member.shape)
        if inner is None:
            return None

        def check(value: Any, path: str, out: Out) -> None:
            for number, each in enumerate(value, 1):
                if each is not None:
                    inner(each, f"{path}.{number}.member", out)

        return check

    def _map(self, shape: Shape) -> Check | None:
        key, inner = self.check(shape.key.shape), self.check(shape.value.shape)
        if key is None and inner is None:
            return None

        def check(value: Any, path: str, out: Out) -> None:
            for name, each in value.items():
                if key is not None:
                    key(name, path, out)
                if inner is not None and each is not None:
                    inner(each, f"{path}.{name}.member", out)

        return check


def _nothing(value: Any, path: str, out: Out) -> None:
    """A shape that constrains nothing."""


def _all(parts: list[Check]) -> Check | None:
    if len(parts) < 2:
        return parts[0] if parts else None

    def check(value: Any, path: str, out: Out) -> None:
        for part in parts:
            part(value, path, out)

    return check


def _own(shape: Shape) -> list[Check]:
    """The constraints of the shape itself."""
    parts: list[Check] = []
    measure, noun = _measure(shape.type)
    hidden = shape.sensitive
    if measure is not None and shape.min is not None:
        parts.append(
            _bound(measure, shape.min, f"{noun} greater than or equal to {_number(shape.min)}", hidden, -1)
        )
    if measure is not None and shape.max is not None:
        parts.append(
            _bound(measure, shape.max, f"{noun} less than or equal to {_number(shape.max)}", hidden, 1)
        )
    if shape.type == "string" and shape.enum:
        allowed = frozenset(shape.enum)
        said = f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
        parts.append(_unless(lambda value: value in allowed, said, hidden))
    if shape.type == "string" and shape.pattern:
        found = _pattern(shape.pattern)
        if found is not None:
            said = f"Member must satisfy regular expression pattern: {shape.pattern}"
            parts.append(_unless(lambda value: found.search(value) is not None, said, hidden))
    return parts


def _measure(kind: str) -> tuple[Callable[[Any], float] | None, str]:
    if kind in ("string", "blob", "list", "map"):
        return len, "Member must have length"
    if kind in ("integer", "long", "float", "double"):
        return lambda value: value, "Member must have value"
    return None, ""


def _number(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else str(limit)


def _bound(measure: Callable[[Any], float], limit: float, said: str, hidden: bool, side: int) -> Check:
    def check(value: Any, path: str, out: Out) -> None:
        if (measure(value) - limit) * side > 0:
            out.append(_text(_shown(value, hidden), path, said))

    return check


def _unless(holds: Callable[[Any], bool], said: str, hidden: bool) -> Check:
    def check(value: Any, path: str, out: Out) -> None:
        if not holds(value):
            out.append(_text(_shown(value, hidden), path, said))

    return check


def _pattern(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(rf"\A(?:{pattern})\Z")
    except re.error:
        return None


def _shown(value: Any, hidden: bool) -> str:
    """A value as an error repeats it; nothing of one that the model calls sensitive."""
    if hidden or isinstance(value, bytes):
        return ""
    if isinstance(value, list):
        return f"'[{', '.join(str(each) for each in value)}]'"[:VALUE_CHARACTERS_MAX]
    return f"'{str(value)[:VALUE_CHARACTERS_MAX]}'"


def _text(shown: str, path: str, said: str) -> str:
    return f"Value {shown} at '{path}' failed to satisfy constraint: {said}".replace("Value  at", "Value at")
