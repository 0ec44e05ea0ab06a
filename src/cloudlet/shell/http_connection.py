"""One connection of the HTTP server: what is read goes to the face, what the face answers goes out, in order.

State   the request at work, and those that wait behind it
Source  RFC 9112 section 9.3 (persistence, pipelining); RFC 9110 section 10.1.1 (100-continue)
Absent  none

Theory of operation
    One request at a time is at work. RFC 9112 9.3.2 lets a server run pipelined requests side by side only
    if all are safe, so those behind wait; when more than `pipelined_max` do, nothing is read any more.

        waiting for a request   ──Request──▶ respond ──▶ reply
                                ──Opening─▶ admit ──Response──▶ reply, the body is thrown away
                                                  ──Buffer────▶ gather ──▶ respond ──▶ reply
                                                  ──Stream────▶ carry  ──▶ reply

    A client that ends its stream has gone (a killed client does just that, and few ever half-close). Then
    - a coroutine of `respond`, a `carry` whose body is whole, and an iterator that is being sent are
      cancelled, so that a long poll of a dead client takes nothing;
    - a `carry` whose body is not whole is not cancelled: its stream raises BrokenBody, so it can tidy up;
    - what was handed over already, and a file body, still go out: `nc -N` half-closes and reads on.
    It goes unnoticed while nothing is read: behind a full pipeline, or a body that a carry does not take.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from cloudlet.kernel.fault import ProtocolError
from cloudlet.shell.http_body import Discarding, Gathering, Incoming
from cloudlet.shell.http_line import NEVER, TEXT, TURN_BYTES, Line
from cloudlet.shell.http_sending import FileSending, IteratorSending
from cloudlet.wire.http1 import (
    BODILESS,
    CONTINUE,
    BrokenBody,
    Buffer,
    FileBody,
    Head,
    Request,
    Response,
    Stream,
    plan_reply,
    render_plain,
    render_planned,
)
from cloudlet.wire.http1_receiver import Ending, Event, Opening, Refusal

if TYPE_CHECKING:
    from cloudlet.shell.http import Shared

LOG = logging.getLogger(__name__)

DISCARD_BYTES_MAX = 256 * 1024  # reading this much costs less than a new connection
JOIN_BYTES_MAX = 64 * 1024  # a body up to this size is copied behind its head: one write is cheaper


class Connection(Line):
    """The requests of one connection."""

    __slots__ = ("_app", "_refusal", "_started", "_status")

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._app = shared.app
        self._refusal: Refusal | None = None  # what a carry's BrokenBody is answered with
        self._status = 0
        self._started = 0.0

    # Reading

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        receiver = self._receiver
        if len(data) > TURN_BYTES and not receiver.in_body:
            self._receive_slices(data)
            self._rearm()
            return
        events = receiver.feed(data)
        if len(events) == 1 and self._head is None and not self._waiting and not self._write_paused:
            event = events[0]
            shared = self._shared
            if type(event) is not Request or self._last or shared.careful or event.head.expect_continue:
                self._take(event)
            else:
                self._serve_plain(event)
                if self._head is None and receiver.idle and not self._lingering:
                    self._heading = False
                    self.read_deadline = shared.tick + shared.idle_ticks
                    return
        elif events:
            self._take_all(events)
        self._rearm()

    def _take(self, event: Event) -> None:
        sink = self._sink
        if type(event) is Request:
            if event.head.expect_continue:
                # It has no body, and a server may omit the 100. But the AWS CLI's HTTP client, once answered
                # without one, takes the 100 of the connection's next request for that request's reply.
                self._write(CONTINUE)
            self._serve(event)
        elif type(event) is Opening:
            self._open(event.head)
        elif isinstance(event, Refusal):
            self._refuse(event)
        elif sink is None:
            pass  # of a body that was given up
        elif isinstance(event, bytes):
            sink.part(event)
        elif type(event) is Ending:
            self._sink = None
            sink.end(event.trailers)

    # Serving

    def _serve(self, request: Request) -> None:
        """Answer a request."""
        shared = self._shared
        self._head = request.head
        if shared.access:
            self._started = shared.loop.time()
        try:
            answer = self._app.respond(request)
        except Exception as error:  # noqa: BLE001 (the connection loop)
            answer = self._failed(error)
        if isinstance(answer, Response):
            self._reply(answer)
        else:
            self._task = task = shared.loop.create_task(answer)
            task.add_done_callback(self._answered)

    def _serve_plain(self, request: Request) -> None:
        """As `_serve`, for the one request that was read, with a shorter way for the usual reply."""
        shared = self._shared
        self._head = head = request.head
        rendered = b""
        try:
            answer = self._app.respond(request)
            if isinstance(answer, Response):
                body = answer.body
                if (
                    type(body) is bytes
                    and head.keep_alive
                    and head.minor_version == 1
                    and head.method != "HEAD"
                    and len(body) <= JOIN_BYTES_MAX
                    and answer.status not in BODILESS
                ):
                    rendered = render_plain(answer.status, answer.headers, shared.date, body)
        except Exception as error:  # noqa: BLE001 (the connection loop)
            answer = self._failed(error)
        if rendered:
            self._head = None
            self._write_soon(rendered)
        elif isinstance(answer, Response):
            self._reply(answer)
        else:
            self._task = task = shared.loop.create_task(answer)
            task.add_done_callback(self._answered)

    def _open(self, head: Head) -> None:
        """A request that needs a word before its body."""
        self._head = head
        if self._shared.access:
            self._started = self._shared.loop.time()
        try:
            answer = self._app.admit(head, self._peer)
        except Exception as error:  # noqa: BLE001 (the connection loop)
            answer = self._failed(error)
        if isinstance(answer, Stream):
            self._sink = sink = Incoming(self._continue, self._room)
            self._task = task = self._shared.loop.create_task(answer.carry(sink))
            task.add_done_callback(self._answered)
        elif isinstance(answer, Buffer):
            self._sink = Gathering(
                head, self._peer, answer.bytes_max, self._serve, self._overflow, secure=self._secure
            )
            if head.content_length is not None and head.content_length > answer.bytes_max:
                self._overflow()
            else:
                self._continue()
        else:
            self._sink = self._discarding()
            self._reply(answer)

    def _continue(self) -> None:
        """Let the client send its body."""
        head = self._head
        # RFC 9110 10.1.1: "A server MAY omit sending a 100 (Continue) response if it has already received
        # some or all of the content".
        if head is not None and head.expect_continue and self._sink is not None and not self._gone:
            if self._receiver.body_left == head.content_length and not self._waiting:
                self._write(CONTINUE)
            self._rearm()

    def _room(self) -> None:
        """The carry has taken a piece of a full queue."""
        self._update_reading()
        self._rearm()

    def _discarding(self) -> Discarding:
        return Discarding(DISCARD_BYTES_MAX, self._discarded, self._linger)

    def _discarded(self) -> None:
        if self._head is None:
            self._advance()

    def _overflow(self) -> None:
        """More of a body than the face would have."""
        self._refuse(Refusal(413, "the body is larger than this operation takes"))

    def _refuse(self, refusal: Refusal) -> None:
        """The client broke the protocol, or was too slow, or sent too much."""
        sink = self._sink
        self._sink = None
        self._last = True
        if isinstance(sink, Incoming):
            self._refusal = refusal
            sink.fail(BrokenBody(refusal.reason))
        elif isinstance(sink, Discarding):
            if self._head is None:
                self._linger()  # its reply is out
        else:
            self._send_error(refusal.status, refusal.reason)

    def _answered(self, task: asyncio.Task[Response]) -> None:
        """A coroutine of the face is done."""
        self._task = None
        self._shared.left_alone.discard(task)
        if task.cancelled():
            if not self._gone:
                self._transport.abort()  # a face that cancels itself has no answer
            return
        error = task.exception()
        if self._gone:
            if error is None:
                self._shared.dispose(task.result())
            elif not isinstance(error, BrokenBody):
                self._failed(error)
            return
        if isinstance(error, ProtocolError):
            refusal = self._refusal or Refusal(400, str(error))
            self._send_error(refusal.status, refusal.reason)
            return
        self._reply(task.result() if error is None else self._failed(error))
        self._advance()

    def _failed(self, error: BaseException) -> Response:
        return report(error, self._head, self._shared.ids.uuid())

    def _leave(self) -> None:
        if self._gone:
            return
        self._gone = True
        self._waiting = None
        self._rest = b""
        self.read_deadline = NEVER
        sink = self._sink
        self._sink = None
        if isinstance(sink, Incoming):
            sink.fail(BrokenBody("the client went away before the end of its body"))
            if self._task is not None:
                self._shared.left_alone.add(self._task)
        elif self._task is not None:
            self._task.cancel()
        if self._sending is not None and not self._sending.outlives_eof:
            self._sending.abandon()
            self._sending = None

    def abort(self) -> None:
        """Close without flushing."""
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

    # Replying

    def _reply(self, response: Response) -> None:
        """Begin any reply."""
        head = self._head
        assert head is not None
        try:
            plan = plan_reply(head, response, may_keep=self._may_keep(head))
            rendered = render_planned(plan, head, response, self._shared.date)
        except Exception as error:  # noqa: BLE001 (the connection loop)
            self._shared.dispose(response)
            response = self._failed(error)
            plan = plan_reply(head, response, may_keep=self._may_keep(head))
            rendered = render_planned(plan, head, response, self._shared.date)
        self._status = response.status
        self._last = not plan.keep
        body = response.body
        transport = self._transport
        if plan.empty:
            self._write(rendered)
            self._shared.dispose(response)
            self._finish()
        elif isinstance(body, bytes):
            if len(body) <= JOIN_BYTES_MAX:
                self._write(rendered + body)
            else:
                self._write(rendered)
                transport.write(body)
            self._finish()
        else:
            self._write(rendered)
            loop = self._shared.loop
            if isinstance(body, FileBody):
                self._sending = FileSending(loop, transport, self._fileno, body, self._sent)
            else:
                self._sending = IteratorSending(
                    loop, transport, body, plan.length, self._sent, chunked=plan.chunked
                )
            self._sending.paused = self._write_paused
            self._sending.start()

    def _may_keep(self, head: Head) -> bool:
        """Whether the connection may serve another request: a body that is still arriving has to be read to
        its end."""
        if self._last or self._shared.closing:
            return False
        if self._sink is None:
            return True
        if self._waiting and any(type(event) is Ending for event in self._waiting):
            return True
        left = self._receiver.body_left
        if left is None or left > DISCARD_BYTES_MAX:
            return False
        # A client that was not told to continue may, or may not, send its body: the bytes that come next
        # could be read either way.
        return not (head.expect_continue and left == head.content_length)

    def _sent(self, error: BaseException | None) -> None:
        """The file or the iterator of a reply is done."""
        self._sending = None
        if error is not None:
            self._failed(error)
            self._transport.abort()  # the client must not take the reply for whole
        else:
            self._finish()
            self._advance()

    def _finish(self) -> None:
        """The reply is handed over whole."""
        head = self._head
        self._head = None
        if head is not None and self._shared.access:
            elapsed_ms = (self._shared.loop.time() - self._started) * 1000
            path = head.path.decode("latin-1")  # without the query: presigned ones are secrets
            LOG.debug("%s %s %s %d %.1f ms", self._peer, head.method, path, self._status, elapsed_ms)
        if self._last:
            self._end()
        elif isinstance(self._sink, Incoming):
            self._sink.fail(BrokenBody("the reply is out"))
            self._sink = self._discarding()


def report(error: BaseException, head: Head | None, request_id: str) -> Response:
    """Log a bug of the face once, with an id that the client sees too."""
    what = f"{head.method} {head.path.decode('latin-1')}" if head is not None else "a request"
    LOG.error("%s failed, request id %s", what, request_id, exc_info=error)
    return Response(
        500,
        [TEXT, (b"x-request-id", request_id.encode())],
        f"internal error, request id {request_id}\n".encode(),
    )
