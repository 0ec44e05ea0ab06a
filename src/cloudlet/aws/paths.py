"""Places of REST operations: from a method, a raw path and its arguments to an operation.

State   none
Source  the models' HTTP bindings; Smithy "http trait"
Absent  none

Theory of operation
    Templates are grouped by method and first literal segment, so that a request is held against few patterns.
    Operations that share a template are told apart in this order:

        arguments that the template names    GET /{Bucket}?tagging
        members that must be there           PUT /{Bucket}/{Key+} with x-amz-copy-source, or with uploadId

    A named argument that is absent means another operation. Where no operation has all that must be there,
    the one that needs least stands, so that the model's own validation can say what is missing.

    Paths are matched raw: S3 keys hold "//", "%2F" and trailing slashes. Elsewhere a last slash is optional.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

from cloudlet.wire.aws.shapes import OperationModel, ServiceModel
from cloudlet.wire.http1 import Head

LABEL = re.compile(r"\{([^}+]+)(\+?)\}\Z")

Given = Mapping[str, str]


class Match(NamedTuple):
    """An operation, its decoded labels, and how closely its template fits (more is closer)."""

    operation: str
    labels: Mapping[str, str]
    closeness: tuple[int, int]


class Place(NamedTuple):
    """What tells one operation of a template from the others."""

    operation: str
    labels: Sequence[str]
    arguments: Mapping[str, str | None]
    needed_arguments: Sequence[str]
    needed_headers: Sequence[bytes]
    is_deprecated: bool

    @property
    def order(self) -> tuple[int, bool, int]:
        """The most particular first."""
        needed = len(self.needed_arguments) + len(self.needed_headers)
        return -len(self.arguments), self.is_deprecated, -needed


class Template:
    """A path with labels, and the operations that share it for one method."""

    def __init__(self, path: str) -> None:
        segments = path.strip("/").split("/")
        found = [LABEL.match(segment) for segment in segments]
        greedy = sum(bool(label and label[2]) for label in found)
        self.closeness = (sum(label is None for label in found), -greedy)
        self.first = None if found[0] else segments[0]
        parts = [
            re.escape(segment) if label is None else "(.+)" if label[2] else "([^/]+)"
            for segment, label in zip(segments, found, strict=True)
        ]
        self.pattern = re.compile(f"/{'/'.join(parts)}/?\\Z") if path != "/" else re.compile(r"/?\Z")
        self.places: list[Place] = []

    def choose(self, given: Given, headers: Mapping[bytes, bytes]) -> Place | None:
        """The operation that the arguments and headers mean."""
        last: Place | None = None
        for place in self.places:
            if place.arguments and not all(
                name in given and value in (None, given[name]) for name, value in place.arguments.items()
            ):
                continue
            if last is not None and place.order[0] != last.order[0]:
                break
            if all(name in given for name in place.needed_arguments) and all(
                name in headers for name in place.needed_headers
            ):
                return place
            last = place
        return last


class RestPaths:
    """The places of one REST service; of none, without a model."""

    def __init__(self, model: ServiceModel | None) -> None:
        templates: dict[tuple[str, str], Template] = {}
        for operation in map(model.operation, model.operations) if model else ():
            path, _, query = operation.uri.partition("?")
            shaped = re.sub(r"\{[^}+]+", "{", path.rstrip("/") or "/")
            template = templates.get((operation.method, shaped))
            if template is None:
                template = templates[operation.method, shaped] = Template(path)
            template.places.append(place_of(operation, path, query))
        self._by_method: dict[str, dict[str | None, list[Template]]] = {}
        for (method, _), template in templates.items():
            template.places.sort(key=lambda place: place.order)
            self._by_method.setdefault(method, {}).setdefault(template.first, []).append(template)
        for groups in self._by_method.values():
            for group in groups.values():
                group.sort(key=lambda template: template.closeness, reverse=True)

    def match(self, head: Head) -> Match | None:
        """The operation at a raw path."""
        groups = self._by_method.get(head.method)
        if groups is None:
            return None
        path = head.path.decode("latin-1")
        stop = path.find("/", 1)
        given = dict(pairs(head.query)) if head.query else {}
        for first in (path[1:stop] if stop > 0 else path[1:], None):
            for template in groups.get(first, ()):
                found = template.pattern.match(path)
                place = template.choose(given, head.headers) if found else None
                if found and place:
                    labels = zip(place.labels, map(unquote, found.groups()), strict=True)
                    return Match(place.operation, dict(labels), template.closeness)
        return None


def pairs(query: bytes) -> Iterator[tuple[str, str]]:
    """The arguments of a query string, decoded."""
    for pair in query.decode("latin-1").split("&"):
        name, _, value = pair.partition("=")
        yield unquote_plus(name), unquote_plus(value)


def place_of(operation: OperationModel, path: str, query: str) -> Place:
    """What tells an operation from others of its path."""
    members = operation.input.members if operation.input else {}
    required = [
        members[name] for name in (operation.input.required if operation.input else ()) if name in members
    ]
    arguments = {name: value or None for name, value in pairs(query.encode())} if query else {}
    found = [LABEL.match(segment) for segment in path.split("/")]
    return Place(
        operation.name,
        [label[1] for label in found if label],
        arguments,
        [each.wire_name for each in required if each.location == "querystring"],
        [each.wire_name.lower().encode() for each in required if each.location == "header"],
        bool(operation.raw.get("deprecated")),
    )
