"""etcd's JSON gateway and its small pages: the same methods for curl.

State   none
Source  etcd 3.6: grpc-gateway (paths and errors), /version, /metrics; those of health are in health.py
Absent  web sockets; the gateway's Swagger page

A POST of JSON to a method's path becomes the message, goes to the method, and its reply comes back as JSON;
a stream answers a line of JSON per message, `{"result": …}`. The token of Auth comes as `Authorization`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any

import orjson

from cloudlet.coord.etcd.cluster import CLUSTER_VERSION, STORAGE_VERSION, VERSION
from cloudlet.coord.etcd.health import Health
from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import DEFERRED, Code, GrpcStatus, Kind, Method
from cloudlet.wire.http1 import Buffer, Head, Request, Response, Stream
from cloudlet.wire.protobuf import decode, encode
from cloudlet.wire.protobuf_json import from_json, to_json

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; version=0.0.4")
BODY_BYTES_MAX = 4 << 20
SLOW_BYTES = 64 << 10  # not yet taken by the page: `send` waits

STATUSES = {
    Code.OK: 200, Code.CANCELLED: 408, Code.UNKNOWN: 500, Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504, Code.NOT_FOUND: 404, Code.ALREADY_EXISTS: 409, Code.PERMISSION_DENIED: 403,
    Code.UNAUTHENTICATED: 401, Code.RESOURCE_EXHAUSTED: 429, Code.FAILED_PRECONDITION: 400, Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400, Code.UNIMPLEMENTED: 501, Code.INTERNAL: 500, Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
}  # fmt: skip


class PageCall:
    """A call that came as a page: see wire/grpc.py, Call."""

    def __init__(self, method: Method, head: Head, peer: str) -> None:
        self.method = method
        self.peer = peer
        self.metadata: Mapping[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers.items()
        }
        self.authority = self.metadata.get("host", "")
        self.scheme = "http"
        self.common_name = ""
        self.deadline_ms: float | None = None
        self.is_cancelled = False
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.unsent_bytes = 0
        self.is_ended = False
        self._sent: deque[bytes] = deque()
        self._moved = asyncio.Event()

    @property
    def is_slow(self) -> bool:
        return self.unsent_bytes > SLOW_BYTES

    def finish(self, message: bytes) -> None:
        if not self.answer.done():
            self.answer.set_result(message)

    def fail(self, status: GrpcStatus) -> None:
        if not self.answer.done():
            self.answer.set_exception(status)

    def send_header(self, metadata: Sequence[tuple[str, str]] = ()) -> None:
        """A page's head is sent with its first line."""

    async def send(self, message: bytes) -> None:
        await self.drained()
        self.send_nowait(message)

    def send_nowait(self, message: bytes) -> None:
        self._sent.append(message)
        self.unsent_bytes += len(message)
        self._moved.set()

    async def drained(self) -> None:
        while self.is_slow:
            self._moved.clear()
            await self._moved.wait()

    def end(self) -> None:
        """No message comes any more."""
        self.is_ended = True
        self._moved.set()

    async def take(self) -> bytes | None:
        """The next message of a stream, for its page; None behind the last."""
        while not self._sent:
            if self.is_ended:
                return None
            self._moved.clear()
            await self._moved.wait()
        message = self._sent.popleft()
        self.unsent_bytes -= len(message)
        self._moved.set()
        return message


class Gateway:
    """The App beside the gRPC methods. `metrics` gives the exposition; `guard` refuses foreign pages;
    `raised` tells the alarms by their names."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        metrics: Callable[[], str],
        guard: Callable[[Head], Response | None],
        raised: Callable[[], Sequence[str]],
    ) -> None:
        self._methods = methods
        self._metrics = metrics
        self._guard = guard
        self._health = Health(raised)
        self._paths = {
            path: rpc for rpc in pb.METHODS.values() for path in rpc.gateway if rpc.path in methods
        }
        self._pages: Mapping[str, Callable[[], Response]] = {
            "/version": self._version,
            "/metrics": lambda: Response(200, [TEXT], self._metrics().encode()),
        }

    def admit(self, head: Head, peer: str) -> Response | Buffer | Stream:
        return self._guard(head) or Buffer(BODY_BYTES_MAX)

    def respond(self, request: Request) -> Any:
        refusal = self._guard(request.head)
        if refusal is not None:
            return refusal
        path = request.head.path.decode("latin-1").rstrip("/")
        page = self._pages.get(path)
        if page is not None:
            return page()
        health = self._health.page(path, request.head)
        if health is not None:
            return health
        rpc = self._paths.get(path.replace("/v3beta/", "/v3/"))
        if rpc is None:
            return error_page(GrpcStatus(Code.NOT_FOUND, "Not Found"))
        if request.head.method != "POST":
            return error_page(GrpcStatus(Code.UNIMPLEMENTED, "Method Not Allowed"))
        method = self._methods[rpc.path]
        try:
            found = orjson.loads(request.body) if request.body.strip() else {}
            message = from_json(getattr(pb, rpc.request), found)
        except (ProtocolError, orjson.JSONDecodeError) as error:
            return error_page(GrpcStatus(Code.INVALID_ARGUMENT, str(error)))
        call = PageCall(method, request.head, request.peer)
        reply = getattr(pb, rpc.reply)
        if method.kind is Kind.UNARY:
            return self._unary(call, encode(message), reply)
        return Response(200, [JSON], _lines(call, encode(message), reply))

    async def _unary(self, call: PageCall, message: bytes, reply: type) -> Response:
        try:
            answer: Any = call.method.handler(call, message)
            if answer is DEFERRED:
                answer = await call.answer
            elif isawaitable(answer):
                answer = await answer
        except GrpcStatus as status:
            return error_page(status)
        return Response(200, [JSON], orjson.dumps(to_json(decode(reply, answer))))

    def _version(self) -> Response:
        said = {"etcdserver": VERSION, "etcdcluster": CLUSTER_VERSION, "storage": STORAGE_VERSION}
        return Response(200, [JSON], orjson.dumps(said))


async def _lines(call: PageCall, message: bytes, reply: type) -> AsyncIterator[bytes]:
    """A line of JSON per message of a stream, until it or its client ends."""
    running: Any = call.method.handler(call, _once(message, call))
    task: asyncio.Task[None] = asyncio.ensure_future(running)
    task.add_done_callback(lambda done: call.end())
    try:
        while (got := await call.take()) is not None:
            yield orjson.dumps({"result": to_json(decode(reply, got))}) + b"\n"
        failure = task.exception() if task.done() and not task.cancelled() else None
        if isinstance(failure, GrpcStatus):
            yield orjson.dumps({"error": error_of(failure)}) + b"\n"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _once(message: bytes, call: PageCall) -> AsyncIterator[bytes]:
    """The one message of a page; a stream that goes on without being asked stays open behind it."""
    yield message
    if call.method.kind is Kind.BIDI and call.method.path.endswith("/Watch"):
        await asyncio.Event().wait()


def error_of(status: GrpcStatus) -> dict[str, object]:
    return {"error": status.message, "message": status.message, "code": int(status.code)}


def error_page(status: GrpcStatus) -> Response:
    """A refusal as the gateway spells it."""
    return Response(STATUSES[status.code], [JSON], orjson.dumps(error_of(status)))
