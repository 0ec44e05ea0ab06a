"""The gateway: an HTTP request to an AWS service, from its head to its reply.

State   none
Source  docs/architecture.md, "The AWS gateway"
Absent  CORS replies to browsers

    guard against foreign web pages -> read the credential -> route -> load -> who is calling -> parse ->
    check -> authorise -> [admit -> take the body in] -> run -> serialise -> event and metrics
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from functools import partial
from types import CoroutineType

import msgspec

from cloudlet.aws.authorise import accesses
from cloudlet.aws.bodies import INLINE_BYTES, Body, Intake, Slices, at_once, check_length
from cloudlet.aws.call import Call, Contended, Desk
from cloudlet.aws.catalogue import Catalogue, LoadedService
from cloudlet.aws.drive import Rest, begin, finish
from cloudlet.aws.events import Events
from cloudlet.aws.idempotency import once
from cloudlet.aws.identity import Identities, in_json
from cloudlet.aws.metrics import Metrics
from cloudlet.aws.operation import LoadedOperation
from cloudlet.aws.origin import OriginGuard
from cloudlet.aws.paths import Route
from cloudlet.aws.request import Request, Wait
from cloudlet.aws.route import Router, Unroutable
from cloudlet.aws.service import Answer, Result, Several
from cloudlet.kernel.fault import Fault, NoSpace
from cloudlet.wire import presigned
from cloudlet.wire.aws.errors import refuse, spoken_protocol
from cloudlet.wire.aws_chunked import is_framed
from cloudlet.wire.http1 import BodyStream, Buffer, Head, Response, Stream
from cloudlet.wire.http1 import Request as HttpRequest
from cloudlet.wire.sigv4 import Claim, read_credential

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 16 << 20  # of a request that is not streamed; the largest such quota is API Gateway's 10 MiB

Decided = Result | Answer | Several

Unfinished = (CoroutineType, Several)

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

    def admit(self, head: Head, peer: str, *, secure: bool = False) -> Response | Buffer | Stream:
        """Refuse what a foreign page sends before its body is read; a streamed body gets its operation."""
        refused = self._guard.refusal(head)
        if refused is not None:
            return refused
        if not may_stream(head):
            return Buffer(BODY_BYTES_MAX)
        opened = self._open(HttpRequest(head, b"", peer, secure))
        if isinstance(opened, Response):
            return opened
        if opened.operation.declared.admit is None:
            return Buffer(BODY_BYTES_MAX)
        try:
            self._begin(opened, None)
        except Fault as fault:
            return self._refuse(opened, fault.spent())
        return Stream(partial(self._serve, opened))

    def respond(self, request: HttpRequest) -> Response | Coroutine[object, object, Response]:
        """Answer at once where nothing has to be waited for, which is nearly always."""
        refused = self._guard.refusal(request.head)
        if refused is not None:
            return refused
        opened = self._open(request)
        if isinstance(opened, Response):
            return opened
        return self._answer(opened)

    def _answer(self, exchange: Exchange) -> Response | Coroutine[object, object, Response]:
        """The reply to a request that is here whole. One without a stream in either direction, that nothing
        has to be waited for, needs no coroutine."""
        decided: Decided | CoroutineType[object, None, Decided] | None = None
        body: Body | None = None
        try:
            self._begin(exchange, exchange.http.body)
            call, intake = exchange.call, exchange.intake
            assert call is not None
            if intake is not None and is_small(exchange.http):
                body = self._desk.bodies.keep_now(exchange.http.head, exchange.http.body, intake)
            if intake is None or body is not None:
                decided = self._desk.begin_run(call, partial(self._decide, exchange, body), exchange.look)
                if exchange.operation.payload is None and not isinstance(decided, Unfinished):
                    reply = self._reply(exchange, decided)
                    self._done(exchange, None, decided)
                    return reply
        except Fault as raised:
            fault = raised.spent()
        except NoSpace:
            fault = Unavailable
        else:
            answer = begin(self._serve(exchange, None, body, decided))
            return finish(answer) if isinstance(answer, Rest) else answer
        if body is not None:
            return self._forget(exchange, body, fault)
        return self._refuse(exchange, fault)

    async def _forget(self, exchange: Exchange, body: Body, fault: Fault) -> Response:
        """Refuse a request whose body was taken in already."""
        await self._desk.bodies.drop(body)
        return self._refuse(exchange, fault)

    def _open(self, request: HttpRequest) -> Exchange | Response:
        """Find the operation that a request means, or refuse it."""
        request_id = self._desk.ids.uuid()
        route: Route | None = None
        try:
            claim = read_credential(request.head)
            route = self._router.route(request.head, request.body, claim.signing.service if claim else None)
            loaded = self._catalogue.service(route.service)
            operation = loaded.operation(route.operation, route.protocol)
        except Fault as fault:
            return self._unrouted(fault.spent(), route, request, request_id)
        return Exchange(request, request_id, claim, route, loaded, operation, self._desk.clock.monotonic_ms())

    def _unrouted(self, fault: Fault, route: Route | None, request: HttpRequest, request_id: str) -> Response:
        """Refuse a request that reached no operation, in the protocol that it speaks."""
        if isinstance(fault, Unroutable):
            protocol, service = fault.protocol, fault.service
        elif route is not None:
            protocol, service = route.protocol, route.service
        else:
            protocol, service = spoken_protocol(request.head, request.body), "-"
        self._metrics.called(service, "-", fault.code, 0.0)
        fault = in_json(fault) if protocol in JSON_PROTOCOLS else fault
        return refuse(fault, request_id, protocol, is_bare=service in ("s3", "-"))  # plain URLs are S3's

    async def _serve(
        self,
        exchange: Exchange,
        stream: BodyStream | None,
        body: Body | None = None,
        decided: Decided | CoroutineType[object, None, Decided] | None = None,
    ) -> Response:
        """The reply to a request that is known who makes it; `stream` is its body where that is still to
        come, `body` what was taken in already, `decided` what was decided, or is to be awaited."""
        desk = self._desk
        try:
            call = exchange.call
            assert call is not None
            if exchange.intake is not None and body is None:
                body = await self._receive(exchange, exchange.intake, stream)
            if decided is None:
                look = exchange.look if stream is None else None  # one from before a long body is out of date
                decided = desk.begin_run(call, partial(self._decide, exchange, body), look)
            if isinstance(decided, CoroutineType):
                decided = await decided
            if isinstance(decided, Several):
                throttling = exchange.operation.declared.service.throttling
                decided = await desk.run_several(call, decided, throttling)
            reply = self._reply(exchange, decided)
            if exchange.slices is not None:
                reply.body = await desk.bodies.open(exchange.slices)
        except Fault as raised:
            fault = raised.spent()
        except Contended:
            fault = exchange.operation.declared.service.throttling
        except NoSpace:
            fault = Unavailable
        else:
            self._done(exchange, None, decided)
            return reply
        if body is not None:
            return await self._forget(exchange, body, fault)
        return self._refuse(exchange, fault)

    def _begin(self, exchange: Exchange, body: bytes | None) -> None:
        """Who is calling, and with what; `body` is None while it is still to come."""
        operation, http, claim = exchange.operation, exchange.http, exchange.claim
        head = http.head
        declared, service = operation.declared, operation.declared.service
        if service.unsigned is not None and claim is None and not operation.is_free:
            raise service.unsigned
        labels = exchange.route.labels
        is_streamed = declared.admit is not None
        caller = self._identities.caller(
            claim,
            head,
            None if is_streamed else body,
            is_free=operation.is_free,
            bucket=labels.get("Bucket", ""),
        )
        call = exchange.call = Call(
            caller,
            claim.signing.region if claim else self._region,
            exchange.request_id,
            self._desk.clock,
            exchange.started_ms,
            "aws",
            http.peer,
            head,
            http.secure,
        )
        if claim is not None and claim.expires_s is not None and claim.signing.is_s3:
            head = presigned.with_headers(head)
        payload = b"" if is_streamed else http.body
        if service.inspect is not None:
            service.inspect(operation.model.name, head, payload)
        params = exchange.params = operation.codec.parse(head, payload, labels)
        operation.check(params)
        if declared.admit is not None:
            request = exchange.look = self._desk.request(call)
            if not caller.root:
                self._judge(operation, params, request)
            exchange.intake = declared.admit(request, params)
            check_length(head, exchange.intake)

    async def _receive(self, exchange: Exchange, intake: Intake, stream: BodyStream | None) -> Body:
        """The streamed body of a request, aside in a blob of its own."""
        http, bodies = exchange.http, self._desk.bodies
        if stream is None and is_small(http):
            return await bodies.keep(http.head, http.body, intake)
        pieces = at_once(http.body) if stream is None else stream
        return await bodies.receive(
            http.head, pieces, self._identities.body(exchange.claim, http.head), intake
        )

    def _decide(self, exchange: Exchange, body: Body | None, rq: Request) -> Decided | Wait:
        operation, params = exchange.operation, exchange.params
        assert params is not None
        if not rq.call.caller.root:
            self._judge(operation, params, rq)
        if operation.token_member and getattr(params, operation.token_member) is not None:
            return once(operation.declared, operation.token_member, rq, params)
        act = operation.declared.act
        return (act(rq, params) if exchange.intake is None else act(rq, params, body)) or {}

    def _judge(self, operation: LoadedOperation, params: msgspec.Struct, rq: Request) -> None:
        wanted = accesses(operation.declared, operation.action, rq, params)
        self._desk.authoriser.judge(rq.call.caller, wanted)

    def _reply(self, exchange: Exchange, result: Result | Answer) -> Response:
        """The reply without a body that is streamed: that is left in the exchange."""
        operation = exchange.operation
        answer = None
        if isinstance(result, Answer):
            answer, result = result, result.result
        slices = result.get(operation.payload) if operation.payload else None
        if isinstance(slices, Slices):
            exchange.slices = slices
            result = {name: value for name, value in result.items() if value is not slices}
        reply = operation.codec.reply(result, exchange.request_id)
        if answer is not None:
            if answer.status is not None:
                reply.status = answer.status
            reply.headers.extend((name.encode(), value.encode()) for name, value in answer.headers)
        if exchange.slices is not None:
            reply.length = exchange.slices.size_bytes
        return reply

    def _refuse(self, exchange: Exchange, fault: Fault) -> Response:
        """The reply that carries a fault; one about who is calling is spelled as the protocol does."""
        if exchange.call is None and exchange.route.protocol in JSON_PROTOCOLS:
            fault = in_json(fault)
        elif exchange.route.protocol == "query":
            text = exchange.operation.declared.service.texts_in_query.get(fault.code)
            fault = fault if text is None else fault(text)
        self._done(exchange, fault)
        return exchange.operation.codec.refuse(fault, exchange.request_id)

    def _done(self, exchange: Exchange, fault: Fault | None, decided: Result | Answer | None = None) -> None:
        """Count the call, and record it unless nobody is known to have made it."""
        operation, route = exchange.operation, exchange.route
        elapsed_ms = self._desk.clock.monotonic_ms() - exchange.started_ms
        self._metrics.called(route.service, route.operation, fault.code if fault else "OK", elapsed_ms)
        if exchange.call is None or (operation.declared.is_data and not self._records_data_events):
            return
        user_agent = exchange.http.head.headers.get(b"user-agent", b"").decode("latin-1")
        call, source, params = exchange.call, exchange.loaded.source, exchange.params
        result = decided.result if isinstance(decided, Answer) else decided
        if exchange.slices is not None:
            result = None
        self._events.record(
            call, source, operation, params, user_agent=user_agent, fault=fault, result=result
        )


class Exchange(msgspec.Struct):
    """One HTTP request with what has been found out about it."""

    http: HttpRequest
    request_id: str
    claim: Claim | None
    route: Route
    loaded: LoadedService
    operation: LoadedOperation
    started_ms: float
    call: Call | None = None  # once it is known who is calling
    params: msgspec.Struct | None = None
    intake: Intake | None = None  # of an operation whose body is streamed
    look: Request | None = None  # what admitted it has seen
    slices: Slices | None = None  # of a reply whose body is streamed


def is_small(http: HttpRequest) -> bool:
    """Whether a body that is whole is taken in at one go."""
    return len(http.body) <= INLINE_BYTES and not is_framed(http.head)


def may_stream(head: Head) -> bool:
    """Whether the operation can be told without the body: in the REST protocols."""
    headers = head.headers
    return not (
        b"x-amz-target" in headers
        or b"smithy-protocol" in headers
        or headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded")
    )
