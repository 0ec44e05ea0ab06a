"""Places of REST operations: from a method, a raw path and its arguments to an operation.

State   none
Source  the models' HTTP bindings; Smithy "http trait"
Absent  none

Theory of operation
    Templates of fixed length form a tree of segments, a literal before a label; those with a greedy label are
    tried after it, as patterns. Operations that share a template are told apart in this order:

        arguments that the template names    GET /{Bucket}?tagging
        members that must be there           PUT /{Bucket}/{Key+} with x-amz-copy-source, or with uploadId

    A named argument that is absent means another operation. Where no operation has all that must be there,
    the one that needs least stands, so that the model's own validation can say what is missing.

    Paths are matched raw: S3 keys hold "//", "%2F" and trailing slashes. Elsewhere a last slash is optional.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from cloudlet.wire.aws.percent import pairs, unquote
from cloudlet.wire.aws.shapes import OperationModel, ServiceModel
from cloudlet.wire.http1 import Head

LABEL = re.compile(r"\{([^}+]+)(\+?)\}\Z")

Given = Mapping[str, str]
NO_ARGUMENTS: Given = {}


class Route(msgspec.Struct, frozen=True, gc=False):
    """Where a request goes. `labels` are the decoded parts of a REST path, `closeness` tells how closely its
    template fits it (more is closer)."""

    service: str
    operation: str
    protocol: str
    labels: Mapping[str, str]
    closeness: tuple[int, int] = (0, 0)


class Place(NamedTuple):
    """What tells one operation of a template from the others."""

    operation: str
    labels: Sequence[str]
    arguments: Mapping[str, str | None]
    needed_arguments: frozenset[str]
    needed_headers: frozenset[bytes]
    order: tuple[int, bool, int]  # the most particular first

    def suits(self, given: Given) -> bool:
        """Whether the arguments that the template names are there."""
        return all(name in given and value in (None, given[name]) for name, value in self.arguments.items())

    def is_met(self, given: Given, headers: Mapping[bytes, bytes]) -> bool:
        """Whether all that must be there is."""
        for argument in self.needed_arguments:
            if argument not in given:
                return False
        return headers.keys() >= self.needed_headers


class Template:
    """A path with labels, and the operations that share it for one method."""

    def __init__(self, path: str) -> None:
        self.segments = path.strip("/").split("/") if path != "/" else []
        found = [LABEL.match(segment) for segment in self.segments]
        greedy = sum(bool(label and label[2]) for label in found)
        self.is_greedy = greedy > 0
        self.closeness = (sum(label is None for label in found), -greedy)
        parts = [
            re.escape(segment) if label is None else "(.+)" if label[2] else "([^/]+)"
            for segment, label in zip(self.segments, found, strict=True)
        ]
        self.pattern = re.compile(f"/{'/'.join(parts)}/?\\Z")
        # All labels, the last one greedy: S3's, whose paths a pattern is spared.
        self.cuts = len(found) - 1 if greedy == 1 and None not in found and found[-1][2] else None  # type: ignore[index]
        self._plain: list[Place] = []
        self._plainest: Place | None = None  # what a request means that has nothing to tell them apart
        self._telling: set[bytes] = set()  # headers that do
        self._by_argument: dict[str, list[Place]] = {}

    def labels(self, path: str) -> Sequence[str]:
        """The raw values of its labels; none for a path that is another one's."""
        if self.cuts is None:
            found = self.pattern.match(path)
            return found.groups() if found else ()
        labels = path[1:].split("/", self.cuts)
        return labels if len(labels) > self.cuts and all(labels) else ()

    def add(self, place: Place) -> None:
        """Let one more operation share the template."""
        for places in [self._by_argument.setdefault(name, []) for name in place.arguments] or [self._plain]:
            places.append(place)
            places.sort(key=lambda each: each.order)
        self._plainest = _fittest(self._plain, NO_ARGUMENTS, {})
        self._telling |= place.needed_headers

    def choose(self, given: Given, headers: Mapping[bytes, bytes]) -> Place | None:
        """The operation that the arguments and headers mean."""
        if given:
            named = [place for name in given for place in self._by_argument.get(name, ())]
            named = [place for place in named if place.suits(given)]
            if named:
                most = min(named, key=lambda place: place.order).order[0]
                return _fittest([place for place in named if place.order[0] == most], given, headers)
        elif headers.keys().isdisjoint(self._telling):
            return self._plainest
        return _fittest(self._plain, given, headers)


def _fittest(places: Sequence[Place], given: Given, headers: Mapping[bytes, bytes]) -> Place | None:
    """The first place all of whose needs are met, else the last."""
    if len(places) == 1:
        return places[0]
    for place in places:
        if place.is_met(given, headers):
            return place
    return places[-1] if places else None


Choose = Callable[[Template], Place | None]


class Node:
    """A segment's place in the tree of a method's templates."""

    __slots__ = ("depth", "label", "literals", "template")

    def __init__(self) -> None:
        self.depth = 0  # of the longest template that goes through here from the root
        self.literals: dict[str, Node] = {}
        self.label: Node | None = None
        self.template: Template | None = None

    def insert(self, template: Template) -> None:
        """Add a template of fixed length."""
        self.depth = max(self.depth, len(template.segments))
        node = self
        for segment in template.segments:
            if LABEL.match(segment):
                node.label = node.label or Node()
                node = node.label
            else:
                node = node.literals.setdefault(segment, Node())
        node.template = template

    def find(
        self, segments: Sequence[str], start: int, parts: list[str], choose: Choose
    ) -> tuple[Template, Place] | None:
        """The most literal template of these segments that has an operation to choose; `parts` holds its
        labels then."""
        if start == len(segments):
            place = None if self.template is None else choose(self.template)
            return None if self.template is None or place is None else (self.template, place)
        segment = segments[start]
        literal = self.literals.get(segment)
        found = None if literal is None else literal.find(segments, start + 1, parts, choose)
        if found is None and self.label is not None and segment:
            parts.append(segment)
            found = self.label.find(segments, start + 1, parts, choose)
            if found is None:
                parts.pop()
        return found


class RestPaths:
    """The places of one REST service; of none, where the service is not one."""

    def __init__(self, model: ServiceModel) -> None:
        self._service = model.name
        self._protocol = next((name for name in model.protocols if name.startswith("rest")), "")
        templates: dict[tuple[str, str], Template] = {}
        for operation in map(model.operation, model.operations) if self._protocol else ():
            path, _, query = operation.uri.partition("?")
            shaped = re.sub(r"\{[^}+]+", "{", path.rstrip("/") or "/")
            template = templates.get((operation.method, shaped))
            if template is None:
                template = templates[operation.method, shaped] = Template(path)
            template.add(place_of(operation, path, query))
        self._trees: dict[str, Node] = {}
        self._greedy: dict[str, list[Template]] = {}
        for (method, _), template in templates.items():
            if template.is_greedy:
                self._greedy.setdefault(method, []).append(template)
            else:
                self._trees.setdefault(method, Node()).insert(template)
        for several in self._greedy.values():
            several.sort(key=lambda template: template.closeness, reverse=True)

    def match(self, head: Head, path: str, given: Given) -> Route | None:
        """The operation at a raw path, with these arguments. UnicodeDecodeError for labels that are not
        UTF-8."""
        headers, method = head.headers, head.method
        tree = self._trees.get(method)
        if tree is not None and path.count("/", 0, -1) <= tree.depth:  # the last slash is optional
            stripped = path[1:-1] if path[-1:] == "/" else path[1:]
            segments = stripped.split("/") if stripped else ()
            parts: list[str] = []
            found = tree.find(segments, 0, parts, lambda template: template.choose(given, headers))
            if found is not None:
                return self._route(found[1], found[0], path, parts)
        for template in self._greedy.get(method, ()):
            labels = template.labels(path)
            place = template.choose(given, headers) if labels else None
            if place is not None:
                return self._route(place, template, path, labels)
        return None

    def _route(self, place: Place, template: Template, path: str, parts: Sequence[str]) -> Route:
        values = map(unquote, parts) if "%" in path else parts
        labels = dict(zip(place.labels, values))  # noqa: B905
        return Route(self._service, place.operation, self._protocol, labels, template.closeness)


def arguments_of(query: bytes) -> Given:
    """The arguments of a query string, the last of each name. UnicodeDecodeError for what is not UTF-8."""
    return dict(pairs(query))


def place_of(operation: OperationModel, path: str, query: str) -> Place:
    """What tells an operation from others of its path."""
    members = operation.input.members if operation.input else {}
    required = [
        members[name] for name in (operation.input.required if operation.input else ()) if name in members
    ]
    arguments = {name: value or None for name, value in pairs(query.encode())} if query else {}
    needed_arguments = frozenset(each.wire_name for each in required if each.location == "querystring")
    needed_headers = frozenset(
        each.wire_name.lower().encode() for each in required if each.location == "header"
    )
    found = [LABEL.match(segment) for segment in path.split("/")]
    return Place(
        operation.name,
        [label[1] for label in found if label],
        arguments,
        needed_arguments,
        needed_headers,
        (
            -len(arguments),
            bool(operation.raw.get("deprecated")),
            -len(needed_arguments) - len(needed_headers),
        ),
    )
