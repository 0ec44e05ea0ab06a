"""Compiles codecs that work in steps: for messages of thousands of elements.

State   none
Source  see compiler.py
Absent  none

The functions are those of compiler.py, but that a structure with arrays is read and written by a generator,
which yields behind each element. What they read and write is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from cloudlet.wire.kafka.compiler import FIXED, Compiler
from cloudlet.wire.kafka.schema import Field

SlowReader = Callable[[Any, int, int], Generator[None, None, tuple[Any, int]]]
SlowWriter = Callable[[Any, bytearray, list[Any] | None], Generator[None, None, None]]


class SteppingCompiler(Compiler):
    """One message in one version."""

    def _call(self, field: Field) -> str:
        return "yield from " if self.has_steps(field.fields) else ""

    def _step(self, depth: int) -> None:
        self._source.add(depth, "yield")

    def has_steps(self, fields: tuple[Field, ...]) -> bool:
        """Whether a structure with these fields has arrays that are gone through element by element."""
        there = [field for field in fields if self._version in field.versions]
        return any(_is_long(field) or self.has_steps(field.fields) for field in there)


def _is_long(field: Field) -> bool:
    """Whether a field is an array, and not one of numbers that are read and written as one."""
    return field.is_array and (field.type not in FIXED or field.type == "uuid")
