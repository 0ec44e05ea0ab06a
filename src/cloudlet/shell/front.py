"""What the ports answer beside their protocol: health, metrics, and the control verbs.

State   none
Source  docs/cli.md; LocalStack's health path and moto's reset path, for people who migrate
Absent  clock, faults and checkpoints as control verbs
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Protocol

import msgspec

from cloudlet import __version__
from cloudlet.aws.catalogue import implemented
from cloudlet.aws.gateway import Gateway
from cloudlet.aws.metrics import Metrics
from cloudlet.wire.http1 import Buffer, Head, Request, Response, Stream

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")

Answer = Callable[[Request], Response | Coroutine[object, object, Response]]

Reset = Callable[[], Awaitable[None]]


class Judge(Protocol):
    """What may refuse a request for where it comes from."""

    def refusal(self, head: Head) -> Response | None: ...


class Front:
    """The App of the AWS port: a few paths of our own in front of the gateway.

    They are taken only from requests without a signature, so a bucket may be called "metrics".
    """

    def __init__(
        self, gateway: Gateway, guard: Judge, metrics: Metrics, reset: Callable[[], Awaitable[None]]
    ) -> None:
        self._gateway = gateway
        self._guard = guard
        self._metrics = metrics
        self._reset = reset
        self._own: Mapping[tuple[str, bytes], Answer] = {
            ("GET", b"/_cloudlet/health"): self._health,
            ("GET", b"/_localstack/health"): self._health,
            ("HEAD", b"/_localstack/health"): self._health,
            ("GET", b"/metrics"): self._exposition,
            ("POST", b"/moto-api/reset"): self._reset_all,
        }

    def admit(self, head: Head, peer: str) -> Response | Buffer | Stream:
        return self._gateway.admit(head, peer)

    def respond(self, request: Request) -> Response | Coroutine[object, object, Response]:
        head = request.head
        own = self._own.get((head.method, head.path))
        if own is None or b"authorization" in head.headers:
            return self._gateway.respond(request)
        refused = self._guard.refusal(head)
        return refused if refused is not None else own(request)

    def _health(self, request: Request) -> Response:
        services = dict.fromkeys(implemented(), "running")
        return json_reply({"services": services, "edition": "cloudlet", "version": __version__})

    def _exposition(self, request: Request) -> Response:
        return Response(200, [TEXT], self._metrics.exposition().encode())

    async def _reset_all(self, request: Request) -> Response:
        await self._reset()
        return json_reply({"status": "ok"})


class Control:
    """The App of DATA/control.sock, which only the owner of the folder can open."""

    def __init__(
        self,
        status: Callable[[], Mapping[str, object]],
        stop: asyncio.Event,
        reset: Callable[[], Awaitable[None]],
    ) -> None:
        self._status = status
        self._stop = stop
        self._reset = reset

    def admit(self, head: Head, peer: str) -> Response | Buffer | Stream:
        return Buffer(1 << 20)

    def respond(self, request: Request) -> Response | Coroutine[object, object, Response]:
        verb = (request.head.method, request.head.path)
        if verb == ("GET", b"/status"):
            return json_reply(self._status())
        if verb == ("POST", b"/stop"):
            self._stop.set()
            return json_reply({"status": "stopping"})
        if verb == ("POST", b"/reset"):
            return self._reset_all()
        return json_reply({"error": f"no control verb {request.head.path.decode('latin-1')}"}, 404)

    async def _reset_all(self) -> Response:
        await self._reset()
        return json_reply({"status": "ok"})


def json_reply(value: Mapping[str, object], status: int = 200) -> Response:
    """A reply of JSON."""
    return Response(status, [JSON], msgspec.json.encode(value))
