"""Calls of the cloud's own to its operations: by the members' names, without HTTP.

State   none
Source  docs/architecture.md, "The AWS gateway"
Absent  operations whose body is streamed

What the gateway does with a request between parsing and serialising happens here too: validation in the
service's words, members that are not implemented refused by name, decide and commit, the event, the metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from cloudlet.aws.call import Call, Contended, Desk
from cloudlet.aws.catalogue import Catalogue, LoadedService
from cloudlet.aws.events import Events
from cloudlet.aws.idempotency import once
from cloudlet.aws.identity import root_of
from cloudlet.aws.metrics import Metrics
from cloudlet.aws.operation import LoadedOperation
from cloudlet.aws.request import Request, Wait
from cloudlet.aws.service import Answer, Result, Several
from cloudlet.kernel.fault import Fault
from cloudlet.wire.aws.json import JsonReaders
from cloudlet.wire.aws.values import NOTHING, Types


class Place(NamedTuple):
    """Whose resources a call means."""

    account: str
    region: str


class Inside:
    """Calls operations as the root of an account, in the name of one part of the cloud."""

    def __init__(
        self, name: str, desk: Desk, catalogue: Catalogue, events: Events, metrics: Metrics, base_url: str
    ) -> None:
        self._name = name
        self._desk = desk
        self._catalogue = catalogue
        self._events = events
        self._metrics = metrics
        self._base_url = base_url

    async def call(self, place: Place, service: str, operation: str, members: Mapping[str, object]) -> Result:
        """The operation's result; its fault where it refuses."""
        loaded = self._catalogue.service(service)
        found = loaded.operation(operation, loaded.model.protocols[0])
        assert found.declared.admit is None, f"{operation} streams its body"
        params = _params(found, members)
        clock = self._desk.clock
        call = Call(
            root_of(place.account), place.region, self._desk.ids.uuid(), clock, clock.monotonic_ms(),
            face=self._name, own_url=self._base_url,
        )  # fmt: skip
        try:
            found.check(params)
            result = await self._run(call, found, params)
        except Fault as fault:
            self._done(call, loaded, found, params, fault.spent())
            raise
        except Contended:
            throttling = found.declared.service.throttling
            self._done(call, loaded, found, params, throttling)
            raise throttling from None
        self._done(call, loaded, found, params, None, result)
        return result

    async def _run(self, call: Call, operation: LoadedOperation, params: msgspec.Struct) -> Result:
        decide = _decision(operation, params)
        decided: Result | Answer | Several = await self._desk.run(call, decide)
        if isinstance(decided, Several):
            return await self._desk.run_several(call, decided, operation.declared.service.throttling)
        return decided.result if isinstance(decided, Answer) else decided

    def _done(
        self, call: Call, loaded: LoadedService, operation: LoadedOperation, params: msgspec.Struct,
        fault: Fault | None, result: Result | None = None,
    ) -> None:  # fmt: skip
        code = fault.code if fault else "OK"
        self._metrics.called(loaded.service.name, operation.model.name, code, call.waited_ms())
        if not operation.declared.is_data:
            self._events.record(
                call, loaded.source, operation, params, user_agent=self._name, fault=fault, result=result
            )


def _params(operation: LoadedOperation, members: Mapping[str, object]) -> msgspec.Struct:
    shape = operation.model.input
    if shape is None:
        return NOTHING()
    params: msgspec.Struct = JsonReaders(Types(), uses_location_names=False).reader(shape)(dict(members))
    return params


def _decision(
    operation: LoadedOperation, params: msgspec.Struct
) -> Callable[[Request], Result | Answer | Several | Wait]:
    declared = operation.declared

    def decide(rq: Request) -> Result | Answer | Several | Wait:
        if operation.token_member and getattr(params, operation.token_member) is not None:
            return once(declared, operation.token_member, rq, params)
        return declared.act(rq, params) or {}

    return decide
