"""Compiles codecs: a straight-line reader and writer for one message in one version, made at first use.

State   none
Source  Apache Kafka 4.3, "Protocol primitive types", KIP-482 (flexible versions and tagged fields), KIP-893
        (nullable structures)
Absent  none

For each structure of a message one function reads it and one writes it; runs of numbers are one `struct`
call. A reader trusts nothing: a length is compared with what is left before anything is made of it. A tagged
field that holds its default is never written, since librdkafka below 2.2 misreads those it does not know.

    reader   (buffer, position, stop) -> (value, position behind it)
    writer   (value, bytearray that grows, list of finished parts or None)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any

from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka.schema import Field, Schema

FIXED = {
    "bool": "?", "int8": "b", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q",
    "float64": "d", "uuid": "16s",
}  # fmt: skip
PARTS_BYTES_MIN = 4096  # records of this size and more leave as they are, not copied into the reply
EMPTY_ELEMENTS_MAX = 100_000  # of an array whose elements take no bytes
NO_UUID = bytes(16)

Reader = Callable[[Any, int, int], tuple[Any, int]]
Writer = Callable[[Any, bytearray, list[Any] | None], None]


def uvarint(number: int) -> bytes:
    """An unsigned varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


SMALL = tuple(uvarint(number) for number in range(256))


def prefix(number: int) -> bytes:
    """The same, quick for what is short."""
    return SMALL[number] if number < 256 else uvarint(number)


def rest_of_uvarint(buffer: Any, position: int, first: int) -> tuple[int, int]:
    """(number, position) of an unsigned varint of at most 32 bits whose first byte goes on."""
    number, shift = first & 0x7F, 7
    while True:
        byte = buffer[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 28:
            raise ProtocolError("a varint has more than five bytes")
    if number > 0xFFFFFFFF:
        raise ProtocolError("a varint has more than 32 bits")
    return number, position


def absent(name: str) -> ProtocolError:
    return ProtocolError(f"{name} is null and may not be")


def short(name: str) -> ProtocolError:
    return ProtocolError(f"{name} ends behind the message")


class Source:
    """Python being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {
            "more": rest_of_uvarint, "prefix": prefix, "absent": absent, "short": short,
            "ProtocolError": ProtocolError, "NO_UUID": NO_UUID,
        }  # fmt: skip

    def add(self, depth: int, *lines: str) -> None:
        self.lines += ["    " * depth + line for line in lines]

    def struct(self, layout: str) -> Struct:
        return Struct(">" + layout)

    def constant(self, value: object) -> str:
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name


class Compiler:
    """One message in one version. `classes` has the message's class, and its structures' by name."""

    def __init__(self, schema: Schema, version: int, classes: dict[str, type]) -> None:
        self._schema = schema
        self._version = version
        self._is_flexible = version in schema.flexible
        self._classes = classes
        self._source = Source()
        self._done: set[str] = set()

    def reader(self) -> Reader:
        """The function that reads it."""
        self._structure(self._schema.name, self._schema.fields, self._write_reader)
        return self._made(f"read_{self._schema.name}")

    def writer(self) -> Writer:
        """The function that writes it."""
        self._structure(self._schema.name, self._schema.fields, self._write_writer)
        return self._made(f"write_{self._schema.name}")

    def _made(self, name: str) -> Any:
        names = {**self._source.names, **{f"class_{key}": value for key, value in self._classes.items()}}
        exec(compile("\n".join(self._source.lines), f"<{name} version {self._version}>", "exec"), names)
        return names[name]

    def _structure(
        self, name: str, fields: tuple[Field, ...], write: Callable[[str, tuple[Field, ...]], None]
    ) -> None:
        if name in self._done:
            return
        self._done.add(name)
        for field in fields:
            if field.fields and self._version in field.versions:
                self._structure(field.type, field.fields, write)
        write(name, fields)

    # --- what a compiler of steps does otherwise (stepping.py)

    def _call(self, field: Field) -> str:
        """What stands before the call of a structure's function."""
        return ""

    def _step(self, depth: int) -> None:
        """An element of an array is done."""

    # --- what a field is in this version

    def _plain(self, fields: tuple[Field, ...]) -> list[Field]:
        version = self._version
        return [field for field in fields if version in field.versions and version not in field.tagged]

    def _tagged(self, fields: tuple[Field, ...]) -> list[Field]:
        found = [field for field in fields if self._version in field.tagged]
        return sorted(found, key=lambda field: field.tag or 0)

    def _is_null(self, field: Field) -> bool:
        return self._version in field.nullable

    def _is_compact(self, field: Field) -> bool:
        return self._is_flexible and (field.compact is None or self._version in field.compact)

    def _is_run(self, field: Field) -> bool:
        return not field.is_array and field.type in FIXED

    def _runs(self, fields: list[Field]) -> Iterator[list[Field]]:
        """Neighbours that one struct holds, and every other field alone."""
        run: list[Field] = []
        for field in fields:
            if self._is_run(field):
                run.append(field)
                continue
            if run:
                yield run
                run = []
            yield [field]
        if run:
            yield run

    # --- reading

    def _write_reader(self, name: str, fields: tuple[Field, ...]) -> None:
        source = self._source
        source.add(0, f"def read_{name}(b, p, e):")
        source.add(1, f"o = new_{name}(class_{name})")
        source.names[f"new_{name}"] = self._classes[name].__new__
        for field in fields:
            if self._version not in field.versions or self._version in field.tagged:
                source.add(1, f"o.{field.name} = {default_source(field)}")
        for run in self._runs(self._plain(fields)):
            if self._is_run(run[0]):
                layout = source.struct("".join(FIXED[field.type] for field in run))
                targets = ", ".join(f"o.{field.name}" for field in run)
                unpack = source.constant(layout.unpack_from)
                source.add(1, f"{targets}, = {unpack}(b, p)", f"p += {layout.size}")
            else:
                self._read(1, run[0], f"o.{run[0].name}")
        if self._is_flexible:
            self._read_tags(self._tagged(fields))
        source.add(1, "return o, p")

    def _read(self, depth: int, field: Field, target: str) -> None:
        """Read one field that is no number by itself."""
        if field.is_array:
            self._read_array(depth, field, target)
        elif field.type in ("string", "bytes", "records"):
            self._read_text(depth, field, target)
        elif field.type in FIXED:
            layout = self._source.struct(FIXED[field.type])
            unpack = self._source.constant(layout.unpack_from)
            self._source.add(depth, f"{target}, = {unpack}(b, p)", f"p += {layout.size}")
        elif self._is_null(field):
            self._source.add(
                depth,
                "p += 1",
                f"if b[p - 1] > 127: {target} = None",
                f"else: {target}, p = {self._call(field)}read_{field.type}(b, p, e)",
            )
        else:
            self._source.add(depth, f"{target}, p = {self._call(field)}read_{field.type}(b, p, e)")

    def _read_count(self, depth: int, field: Field, target: str, *, is_short: bool = False) -> None:
        """Read a length into `n`, whose null has been seen to behind it: `else` branches follow."""
        source = self._source
        if self._is_compact(field):
            source.add(depth, "n = b[p] - 1", "p += 1", "if n > 126:")
            source.add(depth + 1, "n, p = more(b, p, n + 1)", "n -= 1")
        else:
            layout = source.struct("h" if is_short else "i")
            source.add(depth, f"n, = {source.constant(layout.unpack_from)}(b, p)", f"p += {layout.size}")
        source.add(depth, "if n < 0:")
        if self._is_null(field):
            source.add(depth + 1, f"{target} = None")
        else:
            source.add(depth + 1, f"raise absent({field.name!r})")

    def _read_text(self, depth: int, field: Field, target: str) -> None:
        self._read_count(depth, field, target, is_short=field.type == "string")
        source = self._source
        source.add(depth, "else:")
        source.add(depth + 1, "q = p + n", f"if q > e: raise short({field.name!r})")
        made = {"string": 'str(b[p:q], "utf-8")', "bytes": "bytes(b[p:q])", "records": "b[p:q]"}[field.type]
        source.add(depth + 1, f"{target} = {made}", "p = q")

    def _read_array(self, depth: int, field: Field, target: str) -> None:
        self._read_count(depth, field, target)
        source = self._source
        source.add(depth, "else:")
        depth += 1
        if field.type in FIXED and field.type != "uuid":
            letter = FIXED[field.type]
            size = source.struct(letter).size
            unpack = source.constant(_unpack_many)
            source.add(depth, f"if n * {size} > e - p: raise short({field.name!r})")
            source.add(depth, f"{target} = list({unpack}(f'>{{n}}{letter}', b, p))", f"p += n * {size}")
            return
        least = self._least(field._replace(is_array=False, nullable=self._nothing()))
        limit = f"(e - p) // {least}" if least else str(EMPTY_ELEMENTS_MAX)
        source.add(depth, f"if n > {limit}: raise short({field.name!r})", "a = []", "for _ in range(n):")
        element = field._replace(is_array=False, nullable=self._nothing())
        if element.fields or element.type not in ("string", "bytes", "records", *FIXED):
            call = self._call(element)
            source.add(depth + 1, f"x, p = {call}read_{field.type}(b, p, e)", "a.append(x)")
        else:  # a text: its own length does not disturb the count that the loop has taken
            self._read(depth + 1, element, "x")
            source.add(depth + 1, "a.append(x)")
        self._step(depth + 1)
        source.add(depth, f"{target} = a")

    def _nothing(self) -> Any:
        return type(self._schema.versions)(1, 0)

    def _least(self, field: Field) -> int:
        """How many bytes a value takes at least: an array has no more elements than there is room for."""
        if field.is_array or field.type in ("bytes", "records"):
            return 1 if self._is_compact(field) else 4
        if field.type == "string":
            return 1 if self._is_compact(field) else 2
        if field.type in FIXED:
            return self._source.struct(FIXED[field.type]).size
        if self._is_null(field):
            return 1
        tags = 1 if self._is_flexible else 0
        return tags + sum(self._least(inner) for inner in self._plain(field.fields))

    def _read_tags(self, fields: list[Field]) -> None:
        source = self._source
        source.add(1, "n = b[p]", "p += 1", "if n:")
        source.add(2, "if n > 127: n, p = more(b, p, n)", "if n > e - p: raise short('tags')")
        source.add(2, "for _ in range(n):")
        source.add(3, "t = b[p]", "p += 1", "if t > 127: t, p = more(b, p, t)")
        source.add(3, "s = b[p]", "p += 1", "if s > 127: s, p = more(b, p, s)", "s += p")
        source.add(3, "if s > e: raise short('a tagged field')")
        word = "if"
        for field in fields:
            source.add(3, f"{word} t == {field.tag}:")
            self._read(4, field, f"o.{field.name}")
            source.add(4, "if p != s: raise ProtocolError('a tagged field has another size than it says')")
            word = "elif"
        source.add(3, "p = s")

    # --- writing

    def _write_writer(self, name: str, fields: tuple[Field, ...]) -> None:
        source = self._source
        source.add(0, f"def write_{name}(o, w, parts):")
        for run in self._runs(self._plain(fields)):
            if self._is_run(run[0]):
                layout = source.struct("".join(FIXED[field.type] for field in run))
                values = ", ".join(f"o.{field.name}" for field in run)
                source.add(1, f"w += {source.constant(layout.pack)}({values})")
            else:
                source.add(1, f"v = o.{run[0].name}")
                self._write(1, run[0], "v", "w", "parts")
        if self._is_flexible:
            self._write_tags(self._tagged(fields))
        source.add(1, "return")

    def _write(self, depth: int, field: Field, value: str, to: str, parts: str) -> None:
        source = self._source
        if field.is_array:
            self._write_array(depth, field, value, to, parts)
        elif field.type in ("string", "bytes", "records"):
            self._write_text(depth, field, value, to, parts)
        elif field.type in FIXED:
            pack = source.constant(source.struct(FIXED[field.type]).pack)
            source.add(depth, f"{to} += {pack}({value})")
        elif self._is_null(field):
            source.add(depth, f"if {value} is None: {to} += b'\\xff'", "else:")
            call = self._call(field)
            source.add(depth + 1, f"{to} += b'\\x01'", f"{call}write_{field.type}({value}, {to}, {parts})")
        else:
            source.add(depth, f"{self._call(field)}write_{field.type}({value}, {to}, {parts})")

    def _write_count(self, depth: int, field: Field, value: str, to: str, *, is_short: bool = False) -> None:
        """Write the length of `value`; an `else` branch for what is not null follows."""
        source = self._source
        layout = source.struct("h" if is_short else "i")
        is_compact = self._is_compact(field)
        source.add(depth, f"if {value} is None:")
        if self._is_null(field):
            source.add(depth + 1, f"{to} += {(b'' + SMALL[0]) if is_compact else layout.pack(-1)!r}")
        else:
            source.add(depth + 1, f"raise absent({field.name!r})")
        source.add(depth, "else:")
        if field.type == "string" and not field.is_array:
            source.add(depth + 1, f"{value} = {value}.encode()")
        if is_compact:
            source.add(depth + 1, f"{to} += prefix(len({value}) + 1)")
        else:
            source.add(depth + 1, f"{to} += {source.constant(layout.pack)}(len({value}))")

    def _write_text(self, depth: int, field: Field, value: str, to: str, parts: str) -> None:
        self._write_count(depth, field, value, to, is_short=field.type == "string")
        source = self._source
        depth += 1
        if field.type == "records" and parts != "None":
            source.add(depth, f"if {parts} is None or len({value}) < {PARTS_BYTES_MIN}: {to} += {value}")
            source.add(depth, "else:")
            source.add(depth + 1, f"{parts}.append(bytes({to}))", f"{parts}.append({value})", f"{to}.clear()")
        else:
            source.add(depth, f"{to} += {value}")

    def _write_array(self, depth: int, field: Field, value: str, to: str, parts: str) -> None:
        self._write_count(depth, field, value, to)
        source = self._source
        depth += 1
        if field.type in FIXED and field.type != "uuid":
            pack = source.constant(_pack_many)
            source.add(depth, f"{to} += {pack}(f'>{{len({value})}}{FIXED[field.type]}', *{value})")
            return
        source.add(depth, f"for x in {value}:")
        element = field._replace(is_array=False, nullable=self._nothing())
        self._write(depth + 1, element, "x", to, parts)
        self._step(depth + 1)

    def _write_tags(self, fields: list[Field]) -> None:
        source = self._source
        if not fields:
            source.add(1, "w += b'\\x00'")
            return
        source.add(1, "n = 0", "g = bytearray()")
        for field in fields:
            source.add(1, f"v = o.{field.name}", f"if {self._differs(field)}:")
            source.add(2, "n += 1", "h = bytearray()")
            self._write(2, field, "v", "h", "None")
            source.add(2, f"g += {prefix(field.tag or 0)!r}", "g += prefix(len(h))", "g += h")
        source.add(1, "w += prefix(n)", "w += g")

    def _differs(self, field: Field) -> str:
        """Whether the value `v` is to be written at all."""
        if default_source(field) == "None":
            is_structure = bool(field.fields) and not field.is_array and not self._is_null(field)
            return f"v is not None and v != class_{field.type}()" if is_structure else "v is not None"
        if field.is_array:
            return "v is None or len(v)" if self._is_null(field) else "v"
        return f"v != {default_source(field)}"


def default_source(field: Field) -> str:
    """The default of a field, as Python; a structure is made anew, and a tagged one is None."""
    default = field.default
    if default == "null":
        return "None"
    if field.is_array:
        return "[]"
    if field.type == "string":
        return repr(default or "")
    if field.type in ("bytes", "records"):
        return "b''"
    if field.type == "uuid":
        return "NO_UUID"
    if field.type == "bool":
        return "True" if default == "true" else "False"
    if field.type == "float64":
        return repr(float(default or 0))
    if field.type in FIXED:
        return str(int(default or "0", 0))
    return f"class_{field.type}()" if field.tag is None else "None"


def _unpack_many(layout: str, buffer: Any, position: int) -> tuple[Any, ...]:
    return Struct(layout).unpack_from(buffer, position)


def _pack_many(layout: str, *values: Any) -> bytes:
    return Struct(layout).pack(*values)
