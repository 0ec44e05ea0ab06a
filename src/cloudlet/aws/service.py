"""A service: its operations, its faults, and what the model says of them.

State   none
Source  botocore's service models; Smithy 2.0 traits
Absent  operations that answer while their body is still coming in

A service's folder declares one `Service` and decorates one plain function per operation:

    ssm = Service("ssm")
    AlreadyExists = ssm.fault("ParameterAlreadyExists", "The parameter already exists.")

    @ssm.op(resource="arn:aws:ssm:{region}:{account}:parameter/{Name}")
    def put_parameter(rq: Request, p: shapes.PutParameterRequest) -> shapes.PutParameterResult: ...

Which request members an operation understands is read off its code: a member of the model that neither the
function nor any function of the service that it calls mentions as an attribute is refused by name when a
client sends it, unless it is listed as harmless. A member that a newer model adds is thereby refused, never
ignored.

An operation whose body is streamed declares how it is admitted, and gets the body when it is whole:

    @s3.op(resource=object_arn, admit=admit_object)
    def put_object(rq: Request, p: shapes.PutObjectRequest, body: Body) -> Result: ...

One that streams its answer gives `Slices` of blobs as the payload member (see `aws.bodies`).
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from cloudlet.aws.record import Key
from cloudlet.kernel.blobs import BlobId
from cloudlet.kernel.fault import Fault
from cloudlet.wire.http1 import Head

if TYPE_CHECKING:
    from cloudlet.aws.bodies import Intake
    from cloudlet.aws.controller import Controller
    from cloudlet.aws.request import Request, Wait

Params = msgspec.Struct
"""What an operation gets: the input shape as a struct, absent members None."""

Result = Mapping[str, object]
"""What an operation returns: the output shape's members by name."""


class Answer(msgspec.Struct, frozen=True):
    """A result with another status than the model's, or with headers that no member is bound to."""

    result: Result
    status: int | None = None
    headers: Sequence[tuple[str, str]] = ()


class Several(msgspec.Struct, frozen=True):
    """What AWS lets fail in part: several decisions, each with a commit of its own, one after the other.

    `join` gets of each step what it returned, or the Fault that it raised, and makes the result.
    """

    steps: Sequence[Callable[[Request], object]]
    join: Callable[[Sequence[object]], Result]


class Access(NamedTuple):
    """One thing that a call wants to do to one resource, as policies see it."""

    action: str
    resource: str
    conditions: Mapping[str, str]


Accesses = Callable[["Request", msgspec.Struct], Sequence[Access]]

Admit = Callable[["Request", msgspec.Struct], "Intake"]

BlobsOf = Callable[[Key, bytes], Iterable[BlobId]]
"""The blobs that a record names, by its key and its value as kept."""

Inspect = Callable[[str, Head, bytes], None]

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
    act: Callable[..., Result | Answer | Several | Wait | None]  # (request, params[, body])
    resource: str | Accesses | None
    action: str | None
    harmless: frozenset[str]
    is_data: bool  # a data event in CloudTrail's sense: recorded only on request
    admit: Admit | None = None  # of an operation whose body is streamed


class Service:
    """A service under botocore's folder name. `validation` is the fault that carries the model's violations.

    With `missing` a service judges its members itself: the model's constraints are not checked, and an absent
    required member is that fault, unless it is one that the operations look for elsewhere. `unsigned` is what
    a request without credentials is answered where that is not the fault that the services share;
    `texts_in_query` are messages, by their fault's code, that the older protocol words in another way.
    """

    def __init__(
        self,
        name: str,
        *,
        validation: Fault | None = None,
        throttling: Fault | None = None,
        missing: Callable[[str], Fault] | None = None,
        found_elsewhere: Sequence[str] = (),
        unsigned: Fault | None = None,
        texts_in_query: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.unsigned = unsigned
        self.inspect: Inspect | None = None
        self.texts_in_query = texts_in_query or {}
        self.validation = validation or Fault("ValidationException")
        self.missing = missing
        self.found_elsewhere = frozenset(found_elsewhere)
        self.throttling = throttling or Fault("ThrottlingException", "Rate exceeded")
        self.faults: list[Fault] = []
        self.operations: dict[str, Operation] = {}
        self.controllers: list[ControllerRun] = []
        self.held: list[tuple[Key, BlobsOf]] = []

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
        admit: Callable[..., Intake] | None = None,
    ) -> Callable[[Act], Act]:
        """Declare an operation; its name is the function's, its shape the model's.

        `resource` is what policies judge: a template over region, account and the request's members, or a
        function that gives every Access of the call; None is "*". `harmless` are members that change nothing.
        `admit` makes it one whose body is streamed: a decision that only reads, before the body comes.
        """

        def declare(act: Act) -> Act:
            function = act.__name__
            self.operations[function.replace("_", "")] = Operation(
                self, function, act, resource, action, frozenset(harmless), is_data, admit  # type: ignore[arg-type]
            )  # fmt: skip
            return act

        return declare

    def controller(self, run: ControllerRun) -> ControllerRun:
        """Declare a controller: it runs from the service's load until the cloud stops."""
        self.controllers.append(run)
        return run

    def inspects(self, inspect: Inspect) -> Inspect:
        """Declare who refuses what is wrong with a request as it came: by the operation's name, the head and
        the body, which is empty where it is streamed."""
        self.inspect = inspect
        return inspect

    def holds(self, *prefix: str) -> Callable[[BlobsOf], BlobsOf]:
        """Declare which blobs the records under a prefix name: a blob that no record names is collected."""

        def declare(blobs_of: BlobsOf) -> BlobsOf:
            self.held.append((prefix, blobs_of))
            return blobs_of

        return declare

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
