"""Parameters and results made from a model: the least, all of it, and what lies at the edges.

A value is the same at every run: it follows from the style and from where it stands in the structure.
"""

import math
import zlib

STYLES = ("least", "all", "edge")
TEXTS = {
    "least": ["a"],
    "all": ["alpha", "Beta-2", "c_3"],
    "edge": ["a b+c%20&d=e", 'q"uo\\te', "Käse 𝄞", "<x>&amp;</x>", "a,b", "null", "0", "true", "x" * 300],
}
PLAIN = ["a b+c%20&d=e", "0", "true", "x" * 300, "a;b"]  # what a header carries unharmed
NUMBERS = {"least": [1], "all": [2, 3, 40], "edge": [0, -1, 2**31 - 1, -(2**31)]}
LONGS = {"least": [1], "all": [2, 3, 40], "edge": [0, -1, 2**63 - 1, -(2**63)]}
FLOATS = {"least": [1.5], "all": [2.25, 3.0], "edge": [0.0, -1.5, 1e-7, 123456.75]}
TIMES = {"least": [1_600_000_000], "all": [1_600_000_000.25, 1_234_567_890], "edge": [0, 951_782_400.5]}
BLOBS = {"least": [b"a"], "all": [b"bytes", b"\x00\xff\xfe"], "edge": [b"", bytes(range(256))]}


class Sample:
    """Makes values of one style. `texts_only` is set where emptiness has no spelling (query, XML)."""

    def __init__(self, style, spells_emptiness, is_request=True):
        self.style = style
        self.spells_emptiness = spells_emptiness
        self.is_request = is_request

    def pick(self, choices, place):
        return choices[zlib.crc32("/".join(place).encode()) % len(choices)]

    def structure(self, shape, place=(), inside=()):
        """{member: value}; a shape inside itself is left out."""
        if shape.union:
            members = list(shape.members.items())[:1]
        elif self.style == "least":
            members = [(name, shape.members[name]) for name in shape.required if name in shape.members]
        else:
            members = list(shape.members.items())
        found = {}
        for name, member in members:
            if member.host_label:
                found[name] = "123456789012"
                continue
            if member.location == "statusCode" or member.shape.event_stream:
                continue
            value = self.member(member, (*place, name), (*inside, shape.name))
            if name == shape.payload and member.shape.type == "blob":
                value = b"bytes"
            if value is not None:
                found[name] = value
        if shape.payload and self.is_request and not found.get(shape.payload):
            found.pop(shape.payload, None)
        return found

    def member(self, member, place, inside):
        shape = member.shape
        if member.jsonvalue:
            return {"a": [1, "b", None], "c": {"d": True}}
        if member.location in ("header", "headers", "uri", "querystring"):
            return self.outside(member, place, inside)
        if shape.type == "timestamp":
            return self.time(member, place)
        return self.value(shape, place, inside)

    def time(self, member, place):
        value = self.pick(TIMES[self.style], place)
        form = member.timestamp_format
        whole = form == "rfc822" or member.location == "header"  # botocore drops the rest in any header
        return int(value) if whole else value

    def outside(self, member, place, inside):
        """A member whose place is outside of the body: never empty, and printable ASCII."""
        shape = member.shape
        if shape.type == "timestamp":
            return self.time(member, place)
        if shape.type == "string" and self.style == "edge" and not shape.enum:
            return self.pick(PLAIN, place) if member.location != "uri" else self.pick(TEXTS["edge"], place)
        if shape.type == "list":
            return [self.outside(shape.member, (*place, str(n)), inside) for n in range(1 + (len(place) < 3))]
        if shape.type == "map" and shape.value.shape.type == "string":
            return {"k1": "v1", "k-2": "v 2"}
        if shape.type == "blob":
            return b"bytes"
        return self.value(shape, place, inside)

    def value(self, shape, place, inside):
        if shape.name in inside:
            return None
        if shape.document:
            return {"any": ["json", 1, 2.5, None, True], "deep": {"er": {}}}
        if shape.type == "structure":
            return self.structure(shape, place, inside)
        if shape.type == "list":
            return self.list(shape, place, (*inside, shape.name))
        if shape.type == "map":
            return self.map(shape, place, (*inside, shape.name))
        if shape.type == "string":
            return self.pick(shape.enum, place) if shape.enum else self.text(place)
        if shape.type == "boolean":
            return self.pick([True, False], place)
        if shape.type in ("float", "double") and self.style == "edge" and self.is_request:
            return self.pick(
                [*FLOATS["edge"], math.inf, -math.inf], place
            )  # botocore sends, but does not read
        table = {"integer": NUMBERS, "long": LONGS, "blob": BLOBS, "timestamp": TIMES}
        return self.pick(table.get(shape.type, FLOATS)[self.style], place)

    def text(self, place):
        choices = TEXTS[self.style]
        return self.pick([*choices, ""] if self.style == "edge" else choices, place)

    def list(self, shape, place, inside):
        count = {"least": 1, "all": 2}.get(self.style, 0 if self.pick([0, 1], place) else 3)
        if count == 0 and self.spells_emptiness:
            return []
        items = [self.member(shape.member, (*place, str(n)), inside) for n in range(count or 1)]
        return [item for item in items if item is not None]

    def map(self, shape, place, inside):
        keys = shape.key.shape.enum[:2] or {"least": ("k",), "all": ("k1", "k2")}.get(
            self.style, ("k. 1", "k&2")
        )
        found = {key: self.member(shape.value, (*place, key), inside) for key in keys}
        return {key: value for key, value in found.items() if value is not None}
