"""From a frame to its answer: header, version, body, handler, response.

State   none
Source  Apache Kafka 4.3: KafkaApis, RequestChannel, SocketServer; KIP-511 (unknown versions), KIP-219
Absent  none

A request is begun at once, without a task, and most are answered in the same turn of the loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from struct import Struct
from typing import Any, NamedTuple

from cloudlet.aws.drive import Rest, begin
from cloudlet.kafka.api_versions import API_VERSIONS, unsupported_version
from cloudlet.kafka.broker import Broker
from cloudlet.kafka.call import Call, Encoded, Handler, Peer
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.long_answers import LONG_BYTES, LONG_PRODUCE_BYTES
from cloudlet.kafka.quotas import Quotas, charge
from cloudlet.kafka.turns import Turn, in_turns
from cloudlet.kernel.fault import ProtocolError, StoreError
from cloudlet.wire.kafka.apis import Api, apis
from cloudlet.wire.kafka.classes import Message
from cloudlet.wire.kafka.codec import decode, decode_slowly, encode_slowly
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.frames import framed, read_front, read_header, response_parts

log = logging.getLogger(__name__)

FRONT = Struct(">ii")


class Answer(NamedTuple):
    """What goes out for a request: nothing, or the parts of a whole frame. Nothing more is read for
    `mute_ms`."""

    parts: Sequence[bytes | memoryview]
    mute_ms: int = 0


class Route(NamedTuple):
    """How one version of one API is answered."""

    api: Api
    handler: Handler
    request: type[Message]
    is_flexible: bool


Admit = Callable[[Call, Any, Handler], Any]
"""What stands before the handlers of a secured broker; it calls them."""


class Answering:
    """Answers frames for one broker."""

    def __init__(self, broker: Broker, handlers: Mapping[int, Handler], admit: Admit | None = None) -> None:
        self._admit = admit
        self._broker = broker
        self._handlers = handlers
        self._apis = apis()
        self._routes: dict[tuple[int, int], Route] = {}
        broker.served = frozenset(handlers)

    def answer(self, frame: memoryview, peer: Peer) -> Answer | Rest[Answer]:
        """The answer to a frame (without its length), or the rest of the work on it. ProtocolError: the
        connection is to be closed."""
        key, version, correlation_id = read_front(frame)
        route = self._routes.get((key, version))
        if route is None:
            found = self._route(key, version)
            if found is None:
                api = self._apis[API_VERSIONS]
                return Answer(
                    response_parts(api, 0, correlation_id, unsupported_version(self._broker.served))
                )
            route = self._routes[key, version] = found
        header = read_header(frame, is_flexible=route.is_flexible)
        call = Call(self._broker, peer, key, version, correlation_id, header.client_id)
        call.request_bytes = len(frame)
        if len(frame) > (LONG_BYTES if key else LONG_PRODUCE_BYTES):
            call.is_long = True
            rest = begin(self._slowly(call, route, frame, header.stop))
            call.has_waited = isinstance(rest, Rest)
            return rest
        request, _ = decode(route.request, version, frame, header.stop)
        began_ms = self._broker.clock.monotonic_ms()
        try:
            result = self._handled(call, route, request)
            if isinstance(result, Coroutine):
                rest = begin(self._later(call, route.api, result, began_ms))
                call.has_waited = isinstance(rest, Rest)
                return rest
        except (KafkaFault, StoreError) as error:
            result = _fault_response(route.api, error)
        used_ms = self._broker.clock.monotonic_ms() - began_ms
        if call.is_long and isinstance(result, Message):
            return begin(self._finish_slowly(call, route.api, result, used_ms))
        return self._finish(call, route.api, result, used_ms)

    def _handled(self, call: Call, route: Route, request: Message) -> Any:
        if self._admit is None:
            return route.handler(call, request)
        return self._admit(call, request, route.handler)

    async def _slowly(self, call: Call, route: Route, frame: memoryview, start: int) -> Answer:
        """Answer a long frame: it is read in turns, and so is what may be as long written."""
        turn = Turn(self._broker.clock)
        request, _ = await in_turns(decode_slowly(route.request, call.api_version, frame, start), turn)
        began_ms = self._broker.clock.monotonic_ms()
        try:
            result = self._handled(call, route, request)
        except (KafkaFault, StoreError) as error:
            result = _fault_response(route.api, error)
        work = result if isinstance(result, Coroutine) else _itself(result)
        return await self._later(call, route.api, work, began_ms)

    async def _later(
        self, call: Call, api: Api, work: Coroutine[object, None, object], began_ms: float
    ) -> Answer:
        try:
            result = await work
        except (KafkaFault, StoreError) as error:
            result = _fault_response(api, error)
        # What a request waits for is not the broker's time; what it takes beside that goes uncounted.
        used_ms = 0.0 if call.has_waited else self._broker.clock.monotonic_ms() - began_ms
        if call.is_long and isinstance(result, Message):
            return await self._finish_slowly(call, api, result, used_ms)
        return self._finish(call, api, result, used_ms)

    async def _finish_slowly(self, call: Call, api: Api, response: Message, used_ms: float) -> Answer:
        quotas = self._broker.part(Quotas)
        if quotas:
            charge(quotas, call, response, used_ms)
        turn = Turn(self._broker.clock)
        parts = await in_turns(encode_slowly(response, call.api_version), turn)
        return Answer(framed(api, call.api_version, call.correlation_id, parts), call.mute_ms)

    def _route(self, key: int, version: int) -> Route | None:
        """How a version is answered; None for a version of ApiVersions that is not known. ProtocolError."""
        api = self._apis.get(key)
        handler = self._handlers.get(key)
        if api is None or handler is None:
            raise ProtocolError(f"API {key} is not served")
        if version not in api.versions:
            if key == API_VERSIONS:
                return None
            raise ProtocolError(f"version {version} of {api.name} is not served")
        return Route(api, handler, api.request, api.is_flexible(version))

    def _finish(self, call: Call, api: Api, result: object, used_ms: float) -> Answer:
        quotas = self._broker.part(Quotas)
        if quotas:
            charge(quotas, call, result, used_ms)
        if result is None:
            return Answer((), call.mute_ms)
        if isinstance(result, Encoded):
            head = b"\0" if api.response_header(call.api_version) else b""
            size = 4 + len(head) + len(result.body)
            return Answer((FRONT.pack(size, call.correlation_id) + head + result.body,), call.mute_ms)
        assert isinstance(result, Message)
        parts = response_parts(api, call.api_version, call.correlation_id, result)
        return Answer(parts, call.mute_ms)


async def _itself(result: object) -> object:
    return result


def _fault_response(api: Api, error: KafkaFault | StoreError) -> Message:
    """A response that is an error as a whole. ProtocolError for an API that has no place to say so."""
    if isinstance(error, StoreError):
        log.error("%s failed: %s", api.name, error)
        error = KafkaFault(ErrorCode.KAFKA_STORAGE_ERROR, str(error))
    response = api.response()
    fields = response.FIELDS
    if "ErrorCode" not in fields:
        raise ProtocolError(f"{api.name} failed: {error.code.name} {error.message}")
    response.ErrorCode = error.code  # type: ignore[attr-defined]  # one of its fields
    if "ErrorMessage" in fields:
        response.ErrorMessage = error.message or None  # type: ignore[attr-defined]
    return response
