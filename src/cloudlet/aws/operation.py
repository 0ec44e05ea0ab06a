"""An operation ready to be called: its declaration, its model, and its codec for one protocol.

State   none
Source  docs/architecture.md, "The AWS gateway"
Absent  none
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import NoReturn

import msgspec

from cloudlet.aws.service import NotImplementedFault, Operation, names_read
from cloudlet.wire.aws.codec import Codec
from cloudlet.wire.aws.shapes import OperationModel, ServiceModel, Shape

READ_ONLY_VERBS = (
    "Get",
    "List",
    "Describe",
    "Head",
    "BatchGet",
    "Lookup",
    "Search",
    "Scan",
    "Query",
    "Select",
)
PATHS_DEPTH_MAX = 6  # how deep ignored members are looked for; recursive shapes end there


class LoadedOperation:
    """What the gateway needs to answer one call."""

    __slots__ = (
        "_unread_names", "_unread_values", "action", "codec", "declared", "is_free", "is_read", "model",
        "payload", "required", "sensitive", "sensitive_output", "token_member", "unread",
    )  # fmt: skip

    def __init__(
        self, declared: Operation, model: OperationModel, codec: Codec, service: ServiceModel
    ) -> None:
        self.declared = declared
        self.model = model
        self.codec = codec
        self.action = declared.action or f"{service.signing_name}:{model.name}"
        package = declared.act.__module__.rpartition(".")[0]
        read = names_read(declared.act, package) | declared.harmless
        if declared.admit is not None:
            read |= names_read(declared.admit, package) | {"ContentLength", model.streaming_input or ""}
            assert model.streaming_input, f"{model.name} has no streaming payload"
        read |= frozenset(model.idempotency_tokens)  # the framework reads those
        unread = list(unread_members(model.input, read)) if model.input else []
        flat = [path[0] for path in unread if len(path) == 1]
        self.unread = tuple(path for path in unread if len(path) > 1)
        self._unread_values = attrgetter(*flat, "__class__") if flat else None
        self._unread_names = flat
        self.payload = model.streaming_output
        self.token_member = next(iter(model.idempotency_tokens), None)
        required = model.input.required if model.input else ()
        self.required = tuple(name for name in required if name not in declared.service.found_elsewhere)
        self.is_free = model.authtype == "none"  # it needs no credentials
        self.is_read = model.name.startswith(READ_ONLY_VERBS)
        self.sensitive = tuple(sensitive_members(model.input)) if model.input else ()
        self.sensitive_output = tuple(sensitive_members(model.output)) if model.output else ()

    def check(self, params: msgspec.Struct) -> None:
        """Raise the service's validation fault for what breaks the model, NotImplemented for an unread
        member."""
        service = self.declared.service
        if service.missing is not None:
            for name in self.required:
                if getattr(params, name) is None:
                    raise service.missing(name)
        elif broken := self.codec.violations(params):
            noun = "error" if len(broken) == 1 else "errors"
            raise service.validation(f"{len(broken)} validation {noun} detected: " + "; ".join(broken))
        if self._unread_values is not None:
            values = self._unread_values(params)
            if values.count(None) != len(values) - 1:
                self._refuse(next(name for name in self._unread_names if getattr(params, name) is not None))
        for path in self.unread:
            if is_present(params, path):
                self._refuse(".".join(path))

    def _refuse(self, member: str) -> NoReturn:
        raise NotImplementedFault(
            f"{self.declared.service.name}: {self.model.name} does not implement the member {member}"
        )


def unread_members(shape: Shape, read: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """The paths of members that no code reads; inside of one that nobody reads, nothing is looked for."""
    return _paths(shape, lambda name, _: name not in read, ())


def sensitive_members(shape: Shape) -> Iterator[tuple[str, ...]]:
    """The paths of members that the model marks sensitive."""
    return _paths(shape, lambda _, inner: inner.sensitive, ())


def _paths(
    shape: Shape, chosen: Callable[[str, Shape], bool], path: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    if len(path) > PATHS_DEPTH_MAX:
        return
    for name, member in shape.members.items():
        inner = member.shape
        while inner.type in ("list", "map"):
            inner = (inner.member if inner.type == "list" else inner.value).shape
        if chosen(name, inner) or chosen(name, member.shape):
            yield (*path, name)
        elif inner.type == "structure":
            yield from _paths(inner, chosen, (*path, name))


def is_present(value: object, path: Sequence[str]) -> bool:
    """Whether a client sent anything at this path, in any element of lists and maps on the way."""
    if not path or value is None:
        return value is not None
    if isinstance(value, list):
        return any(is_present(each, path) for each in value)
    if isinstance(value, dict):
        return any(is_present(each, path) for each in value.values())
    return is_present(getattr(value, path[0], None), path[1:])
