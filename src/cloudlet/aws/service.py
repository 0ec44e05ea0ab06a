"""A service: its operations, its faults, and what the model says of them.

State   none
Source  botocore's service models; Smithy 2.0 traits
Absent  operations with streaming bodies (admit, carry, decide) come with the first service that has one

A service's folder declares one `Service` and decorates one plain function per operation:

    ssm = Service("ssm")
    AlreadyExists = ssm.fault("ParameterAlreadyExists", "The parameter already exists.")

    @ssm.op(resource="arn:aws:ssm:{region}:{account}:parameter/{Name}")
    def put_parameter(rq: Request, p: shapes.PutParameterRequest) -> shapes.PutParameterResult: ...

Which request members an operation understands is read off its code: a member of the model that neither the
function nor any function of the service that it calls mentions as an attribute is refused by name when a
client sends it, unless it is listed as harmless. A member that a newer model adds is thereby refused, never
ignored.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from cloudlet.kernel.fault import Fault

if TYPE_CHECKING:
    from cloudlet.aws.controller import Controller
    from cloudlet.aws.request import Request, Wait

Params = msgspec.Struct
"""What an operation gets: the input shape as a struct, absent members None."""

Result = Mapping[str, object]
"""What an operation returns: the output shape's members by name."""


class Access(NamedTuple):
    """One thing that a call wants to do to one resource, as policies see it."""

    action: str
    resource: str
    conditions: Mapping[str, str]


Accesses = Callable[["Request", msgspec.Struct], Sequence[Access]]

ControllerRun = Callable[["Controller"], Awaitable[None]]

Act = TypeVar("Act", bound="Callable[..., object]")

# The codes that any service may answer, whatever its model lists (AWS API references, "Common Errors", and
# the names that the query services share).
COMMON_CODES = frozenset(
    {
        "AccessDenied", "AccessDeniedException", "AuthFailure", "ExpiredToken", "ExpiredTokenException",
        "IncompleteSignature", "InternalFailure", "InvalidAction", "InvalidClientTokenId",
        "InvalidParameterCombination", "InvalidParameterValue", "InvalidQueryParameter",
        "MalformedQueryString", "MissingAction", "MissingAuthenticationToken", "MissingParameter",
        "NotAuthorized", "NotImplemented", "OptInRequired", "RequestExpired", "ServiceUnavailable",
        "SignatureDoesNotMatch", "Throttling", "ThrottlingException", "UnrecognizedClientException",
        "UnsupportedOperation", "ValidationError", "ValidationException",
    }
)  # fmt: skip

NotImplementedFault = Fault("NotImplemented", status=501)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as its service declares it; `act` decides, the framework does the rest."""

    service: Service
    function: str  # "create_queue"
    act: Callable[[Request, msgspec.Struct], Result | Wait | None]
    resource: str | Accesses | None
    action: str | None
    harmless: frozenset[str]
    is_data: bool  # a data event in CloudTrail's sense: recorded only on request


class Service:
    """A service under botocore's folder name. `validation` is the fault that carries the model's violations.

    With `missing` a service judges its members itself: the model's constraints are not checked, and an absent
    required member is that fault, unless it is one that the operations look for elsewhere.
    """

    def __init__(
        self,
        name: str,
        *,
        validation: Fault | None = None,
        throttling: Fault | None = None,
        missing: Callable[[str], Fault] | None = None,
        found_elsewhere: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.validation = validation or Fault("ValidationException")
        self.missing = missing
        self.found_elsewhere = frozenset(found_elsewhere)
        self.throttling = throttling or Fault("ThrottlingException", "Rate exceeded")
        self.faults: list[Fault] = []
        self.operations: dict[str, Operation] = {}
        self.controllers: list[ControllerRun] = []

    def fault(self, code: str, message: str = "", *, status: int = 400) -> Fault:
        """Declare an error that the service answers; its code is checked against the model at load."""
        made = Fault(code, message, status=status)
        self.faults.append(made)
        return made

    def op(
        self,
        *,
        resource: str | Accesses | None = None,
        action: str | None = None,
        harmless: Sequence[str] = (),
        is_data: bool = False,
    ) -> Callable[[Act], Act]:
        """Declare an operation; its name is the function's, its shape the model's.

        `resource` is what policies judge: a template over region, account and the request's members, or a
        function that gives every Access of the call; None is "*". `harmless` are members that change nothing.
        """

        def declare(act: Act) -> Act:
            function = act.__name__
            self.operations[function.replace("_", "")] = Operation(
                self, function, act, resource, action, frozenset(harmless), is_data  # type: ignore[arg-type]
            )  # fmt: skip
            return act

        return declare

    def controller(self, run: ControllerRun) -> ControllerRun:
        """Declare a controller: it runs from the service's load until the cloud stops."""
        self.controllers.append(run)
        return run

    def operation(self, name: str) -> Operation | None:
        """The operation by the model's name ("CreateQueue"), None where it is not implemented."""
        return self.operations.get(name.lower())

    def check(self, operations: Sequence[str], error_codes: Sequence[str]) -> None:
        """Hold the declarations against the model; AssertionError names what the model does not know."""
        known = {name.lower() for name in operations}
        for operation in self.operations.values():
            assert operation.function.replace("_", "") in known, f"{self.name} has no {operation.function}"
        codes = COMMON_CODES.union(error_codes)
        for fault in self.faults:
            assert fault.code in codes, f"{self.name} has no error {fault.code}"


def names_read(act: Callable[..., object], package: str) -> frozenset[str]:
    """Every attribute name and text constant in a function and in what it calls of the same package."""
    names: set[str] = set()
    seen: set[types.CodeType] = set()
    waiting: list[object] = [act]
    while waiting:
        function = waiting.pop()
        if isinstance(function, type):
            waiting.extend(vars(function).values())
        if not isinstance(function, types.FunctionType) or function.__code__ in seen:
            continue
        seen.add(function.__code__)
        for code in _codes(function.__code__):
            names.update(code.co_names)
            names.update(constant for constant in code.co_consts if isinstance(constant, str))
            waiting.extend(_callees(code, function.__globals__, package))
    return frozenset(names)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _callees(code: types.CodeType, scope: Mapping[str, object], package: str) -> Iterator[object]:
    for name in code.co_names:
        found = scope.get(name)
        if isinstance(found, types.ModuleType) and found.__name__.startswith(package):
            yield from (vars(found).get(inner) for inner in code.co_names)
        elif (getattr(found, "__module__", None) or "").startswith(package):
            yield found
