"""The gateway: an HTTP request to an AWS service, from its head to its reply.

State   none
Source  docs/architecture.md, "The AWS gateway"
Absent  streaming bodies (admit, carry, decide) come with the first service that has one; CORS replies to
browsers

    guard against foreign web pages -> read the credential -> route -> load -> who is calling -> parse ->
    check -> authorise -> run -> serialise -> event and metrics
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from functools import partial

import msgspec

from cloudlet.aws.authorise import accesses
from cloudlet.aws.call import Call, Contended, Desk
from cloudlet.aws.catalogue import Catalogue, LoadedService
from cloudlet.aws.drive import Rest, begin, finish
from cloudlet.aws.events import Events
from cloudlet.aws.idempotency import once
from cloudlet.aws.identity import Caller, Identities, in_json
from cloudlet.aws.metrics import Metrics
from cloudlet.aws.operation import LoadedOperation
from cloudlet.aws.origin import OriginGuard
from cloudlet.aws.request import Request, Wait
from cloudlet.aws.route import Route, Router, Unroutable
from cloudlet.aws.service import Result
from cloudlet.kernel.fault import Fault, NoSpace
from cloudlet.wire.aws.errors import refuse, spoken_protocol
from cloudlet.wire.http1 import Buffer, Head, Response, Stream
from cloudlet.wire.http1 import Request as HttpRequest
from cloudlet.wire.sigv4 import Claim, read_credential

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 16 << 20  # of a request that is not streamed; the largest such quota is API Gateway's 10 MiB

JSON_PROTOCOLS = frozenset({"json", "rest-json", "rpc-v2-cbor"})

Unavailable = Fault("ServiceUnavailable", "The disk is full.", status=503)


class Gateway:
    """The App of the AWS port."""

    def __init__(
        self,
        desk: Desk,
        catalogue: Catalogue,
        router: Router,
        identities: Identities,
        guard: OriginGuard,
        events: Events,
        metrics: Metrics,
        *,
        region: str,
        records_data_events: bool,
    ) -> None:
        self._desk = desk
        self._catalogue = catalogue
        self._router = router
        self._identities = identities
        self._guard = guard
        self._events = events
        self._metrics = metrics
        self._records_data_events = records_data_events
        self._region = region  # of a request that names none

    def admit(self, head: Head, peer: str) -> Response | Buffer | Stream:
        """Refuse what a foreign page sends before its body is read; no service streams yet."""
        refused = self._guard.refusal(head)
        return refused if refused is not None else Buffer(BODY_BYTES_MAX)

    def respond(self, request: HttpRequest) -> Response | Coroutine[object, object, Response]:
        """Answer at once where nothing has to be waited for, which is nearly always."""
        answer = begin(self._answer(request))
        return finish(answer) if isinstance(answer, Rest) else answer

    async def _answer(self, request: HttpRequest) -> Response:
        head = request.head
        refused = self._guard.refusal(head)
        if refused is not None:
            return refused
        started_ms = self._desk.clock.monotonic_ms()
        request_id = self._desk.ids.uuid()
        route: Route | None = None
        try:
            claim = read_credential(head)
            route = self._router.route(head, request.body, claim.service if claim else None)
            loaded = self._catalogue.service(route.service)
            operation = loaded.operation(route.operation, route.protocol)
        except Fault as fault:
            return self._unrouted(fault.spent(), route, request, request_id)
        exchange = Exchange(request, request_id, claim, route, loaded, operation)
        reply, code = await self._serve(exchange)
        elapsed_ms = self._desk.clock.monotonic_ms() - started_ms
        self._metrics.called(route.service, route.operation, code, elapsed_ms)
        return reply

    def _unrouted(self, fault: Fault, route: Route | None, request: HttpRequest, request_id: str) -> Response:
        """Refuse a request that reached no operation, in the protocol that it speaks."""
        if isinstance(fault, Unroutable):
            protocol, service = fault.protocol, fault.service
        elif route is not None:
            protocol, service = route.protocol, route.service
        else:
            protocol, service = spoken_protocol(request.head, request.body), "-"
        self._metrics.called(service, "-", fault.code, 0.0)
        return refuse(
            in_json(fault) if protocol in JSON_PROTOCOLS else fault, request_id, protocol, request.head
        )

    async def _serve(self, exchange: Exchange) -> tuple[Response, str]:
        """The reply, and "OK" or the fault's code."""
        operation, request_id = exchange.operation, exchange.request_id
        try:
            caller = self._identities.caller(
                exchange.claim,
                exchange.http.head,
                exchange.http.body,
                is_free=operation.model.authtype == "none",
            )
        except Fault as refused:
            refused.spent()
            spelled = in_json(refused) if exchange.route.protocol in JSON_PROTOCOLS else refused
            return operation.codec.refuse(spelled, request_id), spelled.code
        call = self._call(exchange, caller)
        params: msgspec.Struct | None = None
        fault: Fault
        try:
            params = operation.codec.parse(exchange.http.head, exchange.http.body, exchange.route.labels)
            operation.check(params)
            result = await self._desk.run(call, partial(self._decide, operation, params))
            reply = operation.codec.reply(result, request_id)
        except Fault as raised:
            fault = raised.spent()
        except Contended:
            fault = operation.declared.service.throttling
        except NoSpace:
            fault = Unavailable
        else:
            self._record(exchange, call, params, None)
            return reply, "OK"
        self._record(exchange, call, params, fault)
        return operation.codec.refuse(fault, request_id), fault.code

    def _decide(self, operation: LoadedOperation, params: msgspec.Struct, rq: Request) -> Result | Wait:
        if not rq.call.caller.root:
            self._desk.authoriser.judge(
                rq.call.caller, accesses(operation.declared, operation.action, rq, params)
            )
        if operation.token_member and getattr(params, operation.token_member) is not None:
            return once(operation.declared, operation.token_member, rq, params)
        return operation.declared.act(rq, params) or {}

    def _call(self, exchange: Exchange, caller: Caller) -> Call:
        http = exchange.http
        host = http.head.headers.get(b"host", b"localhost").decode("latin-1")
        return Call(
            caller,
            exchange.claim.region if exchange.claim else self._region,
            exchange.request_id,
            self._desk.clock,
            address=http.peer,
            base_url=f"{'https' if http.secure else 'http'}://{host}",
            path=http.head.path.decode("latin-1"),
        )

    def _record(
        self, exchange: Exchange, call: Call, params: msgspec.Struct | None, fault: Fault | None
    ) -> None:
        operation = exchange.operation
        if operation.declared.is_data and not self._records_data_events:
            return
        user_agent = exchange.http.head.headers.get(b"user-agent", b"").decode("latin-1")
        self._events.record(
            call, exchange.loaded.source, operation, params, user_agent=user_agent, fault=fault
        )


class Exchange:
    """One HTTP request with what has been found out about it."""

    __slots__ = ("claim", "http", "loaded", "operation", "request_id", "route")

    def __init__(
        self,
        http: HttpRequest,
        request_id: str,
        claim: Claim | None,
        route: Route,
        loaded: LoadedService,
        operation: LoadedOperation,
    ) -> None:
        self.http = http
        self.request_id = request_id
        self.claim = claim
        self.route = route
        self.loaded = loaded
        self.operation = operation
