"""The control verbs: what is said to the cloud itself, over DATA/control.sock or with the folder's token.

State   none
Source  docs/cli.md, "Control verbs"
Absent  none

A verb is a method and a path; its answer is a plain or an async function of the HTTP request. Whoever has
verbs gives a table of them, and the cloud puts the tables together:

    {("POST", "/clock/advance"): advance}

Bodies are JSON both ways. An answer reads its body with `said`, and raises `Refused` for what it will not do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from hmac import compare_digest
from typing import TypeVar

import msgspec

from cloudlet.kernel.fault import StoreError
from cloudlet.wire.http1 import Buffer, Head, Request, Response, Stream

JSON = (b"content-type", b"application/json")

BODY_BYTES_MAX = 1 << 20
PREFIX = "/_cloudlet"
"""Before a verb's path on the AWS port."""

Answer = Callable[[Request], Response | Coroutine[object, object, Response]]
Verbs = Mapping[tuple[str, str], Answer]

T = TypeVar("T")


class Refused(Exception):
    """A verb that is not carried out; the message is for a person, the status is HTTP's."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Control:
    """The App of DATA/control.sock, which only the owner of the folder can open."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs

    def admit(self, head: Head, peer: str) -> Response | Buffer | Stream:
        return Buffer(BODY_BYTES_MAX)

    def respond(self, request: Request) -> Response | Coroutine[object, object, Response]:
        return self.answer(request.head.path.decode("latin-1"), request)

    def answer(self, path: str, request: Request) -> Response | Coroutine[object, object, Response]:
        """Answer the verb at `path`, whatever path the request came by."""
        verb = self._verbs.get((request.head.method, path))
        if verb is None:
            return self._unknown(path)
        try:
            answer = verb(request)
        except (Refused, StoreError) as error:
            return _refusal(error)
        return answer if isinstance(answer, Response) else _awaited(answer)

    def _unknown(self, path: str) -> Response:
        methods = sorted(method for method, known in self._verbs if known == path)
        if methods:
            return json_reply({"error": f"control verb {path} wants {' or '.join(methods)}"}, 405)
        return json_reply({"error": f"no control verb {path}"}, 404)


class Tokened:
    """The same verbs under PREFIX on the AWS port, for who knows the folder's token."""

    def __init__(self, control: Control, token: str) -> None:
        self._control = control
        self._token = token.encode()

    def answer(self, request: Request) -> Response | Coroutine[object, object, Response]:
        if not compare_digest(_token_of(request.head), self._token):
            return json_reply(
                {
                    "error": "control verbs on this port want the token of the data folder (DATA/token) as "
                    "`Authorization: Bearer TOKEN` or `x-cloudlet-token: TOKEN`"
                },
                401,
                (b"www-authenticate", b"Bearer"),
            )
        return self._control.answer(request.head.path.decode("latin-1").removeprefix(PREFIX), request)


def _token_of(head: Head) -> bytes:
    scheme, _, given = head.headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        return given.strip()
    return head.headers.get(b"x-cloudlet-token", b"")


async def _awaited(answer: Coroutine[object, object, Response]) -> Response:
    try:
        return await answer
    except (Refused, StoreError) as error:
        return _refusal(error)


def _refusal(error: Refused | StoreError) -> Response:
    if isinstance(error, Refused):
        return json_reply({"error": str(error)}, error.status)
    return json_reply({"error": f"the store refused: {error!r}"}, 503)


def said(request: Request, shape: type[T]) -> T:
    """A verb's body; an empty one stands for {}. Refused where it is not of this shape."""
    try:
        return msgspec.json.decode(request.body or b"{}", type=shape)
    except msgspec.DecodeError as error:
        raise Refused(f"the body is not what {request.head.path.decode('latin-1')} wants: {error}") from None


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a verb that takes no word: one that has some meant less than the verb does, or more."""


def json_reply(value: Mapping[str, object], status: int = 200, *more: tuple[bytes, bytes]) -> Response:
    """A reply of JSON."""
    return Response(status, [JSON, *more], msgspec.json.encode(value))


def life_verbs(status: Callable[[], Mapping[str, object]], stop: asyncio.Event) -> Verbs:
    """How the cloud is, and that it is to stop."""

    def stopping(request: Request) -> Response:
        said(request, Nothing)
        stop.set()
        return json_reply({"status": "stopping"})

    return {
        ("GET", "/status"): lambda request: json_reply(status()),
        ("POST", "/stop"): stopping,
    }


def reset_verbs(reset: Callable[[], Awaitable[None]]) -> Verbs:
    """Forgetting everything."""

    async def reset_all(request: Request) -> Response:
        said(request, Nothing)
        await reset()
        return json_reply({"status": "ok"})

    return {("POST", "/reset"): reset_all}
