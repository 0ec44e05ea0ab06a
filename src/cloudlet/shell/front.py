"""What the AWS port answers beside its protocol: health, metrics, and with a token the control verbs.

State   none
Source  docs/cli.md; LocalStack's health path and moto's reset path, for people who migrate
Absent  none
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Protocol

from cloudlet import __version__
from cloudlet.aws.gateway import Gateway
from cloudlet.aws.implemented import implemented
from cloudlet.aws.metrics import Metrics
from cloudlet.shell.control import BODY_BYTES_MAX, PREFIX, Answer, Tokened, json_reply
from cloudlet.wire.http1 import Buffer, Head, Request, Response, Stream

TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")

OURS = f"{PREFIX}/".encode()
SIGNED = b"AWS4"  # how an Authorization begins that only the gateway reads


class Judge(Protocol):
    """What may refuse a request for where it comes from."""

    def refusal(self, head: Head) -> Response | None: ...


class Front:
    """The App of the AWS port: a few paths of our own in front of the gateway.

    They are taken only from requests without a signature, so a bucket may be called "metrics".
    """

    def __init__(
        self,
        gateway: Gateway,
        guard: Judge,
        metrics: Metrics,
        reset: Callable[[], Awaitable[None]],
        verbs: Tokened | None = None,
    ) -> None:
        self._gateway = gateway
        self._guard = guard
        self._metrics = metrics
        self._reset = reset
        self._verbs = verbs
        self._own: Mapping[tuple[str, bytes], Answer] = {
            ("GET", b"/_cloudlet/health"): self._health,
            ("GET", b"/_localstack/health"): self._health,
            ("HEAD", b"/_localstack/health"): self._health,
            ("GET", b"/metrics"): self._exposition,
            ("POST", b"/moto-api/reset"): self._reset_all,
            ("POST", b"//moto-api/reset"): self._reset_all,  # behind an endpoint that ends with a slash
        }

    def admit(self, head: Head, peer: str) -> Response | Buffer | Stream:
        if self._own_answer(head) is None:
            return self._gateway.admit(head, peer)
        return self._guard.refusal(head) or Buffer(BODY_BYTES_MAX)

    def respond(self, request: Request) -> Response | Coroutine[object, object, Response]:
        signed = request.head.headers.get(b"authorization")
        if signed is not None and signed.startswith(SIGNED):
            return self._gateway.respond(request)
        own = self._own_answer(request.head)
        if own is None:
            return self._gateway.respond(request)
        return self._guard.refusal(request.head) or own(request)

    def _own_answer(self, head: Head) -> Answer | None:
        """Who answers instead of the gateway, None for what is AWS's."""
        signed = head.headers.get(b"authorization")
        if signed is not None and signed.startswith(SIGNED):
            return None
        own = self._own.get((head.method, head.path))
        if own is not None and signed is None:
            return own
        if self._verbs is None or not head.path.startswith(OURS):
            return None
        return self._verbs.answer if signed is None or signed[:6].lower() == b"bearer" else None

    def _health(self, request: Request) -> Response:
        services = dict.fromkeys(implemented(), "running")
        return json_reply({"services": services, "edition": "cloudlet", "version": __version__})

    def _exposition(self, request: Request) -> Response:
        return Response(200, [TEXT], self._metrics.exposition().encode())

    async def _reset_all(self, request: Request) -> Response:
        await self._reset()
        return json_reply({"status": "ok"})
