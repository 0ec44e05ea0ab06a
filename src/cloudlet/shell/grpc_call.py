"""One gRPC call on a server's connection: from its head to its trailers.

State   the call's messages on their way in, what has been sent, the task that answers it
Source  gRPC, "PROTOCOL-HTTP2.md"; the handlers' side is told in wire/grpc.py
Absent  none
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudlet.aws.drive import Rest, begin, finish
from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.grpc import (
    DEFERRED,
    OK_BLOCK,
    PREFIX_BYTES,
    REPLY_BLOCK,
    Code,
    GrpcStatus,
    Kind,
    Messages,
    Method,
    Terms,
    framed,
    header_block,
    last_block,
    refusal_block,
)
from cloudlet.wire.http2_sending import Stream

if TYPE_CHECKING:
    from cloudlet.shell.http2_connection import Http2Connection

LOG = logging.getLogger(__name__)

SLOW_BYTES = 64 << 10  # unsent: `send` waits
UNSENT_BYTES_MAX = 32 << 20  # unsent: what does not wait is refused
QUEUE_BYTES_MAX = 256 << 10  # of messages that the handler has not taken; then the client is held back

UNKNOWN_METHOD = "unknown service or method {}"
WELL = GrpcStatus(Code.OK)
DEADLINE = GrpcStatus(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
CLOSING = GrpcStatus(Code.UNAVAILABLE, "the server is closing")
ONE_MESSAGE = GrpcStatus(Code.INTERNAL, "a unary call has one message")


class ServerCall:
    """See `cloudlet.wire.grpc.Call`."""

    __slots__ = (
        "_connection",
        "_drained",
        "_incoming",
        "_is_begun",
        "_is_served",
        "_message",
        "_messages",
        "_stream",
        "_task",
        "_terms",
        "_trailers",
        "deadline_ms",
        "is_cancelled",
        "method",
        "scheme",
    )

    def __init__(
        self, connection: Http2Connection, stream: Stream, method: Method, call_terms: Terms
    ) -> None:
        self._connection, self._stream = connection, stream
        self._terms = call_terms
        self.method, self.scheme = method, call_terms.scheme
        self.is_cancelled = False
        self.deadline_ms: float | None = None
        self._messages: Messages | None = None
        self._message: bytes | None = None  # of a unary call, until the client has ended its side
        self._incoming: Incoming | None = None
        self._task: asyncio.Task[Any] | None = None
        self._trailers: list[tuple[str, str]] = []
        self._is_begun = False  # the head of the reply is out
        self._is_served = False  # the handler was called
        self._drained: asyncio.Future[None] | None = None
        if call_terms.timeout_ms is not None:
            self.deadline_ms = connection.shared.loop.time() * 1000 + call_terms.timeout_ms

    # --- what the handler sees

    @property
    def metadata(self) -> Mapping[str, str]:
        return self._terms.metadata

    @property
    def authority(self) -> str:
        return self._terms.authority

    @property
    def peer(self) -> str:
        return self._connection.peer

    @property
    def common_name(self) -> str:
        return self._connection.common_name

    @property
    def unsent_bytes(self) -> int:
        return self._stream.unsent

    @property
    def is_slow(self) -> bool:
        return self._stream.unsent > SLOW_BYTES

    def finish(self, message: bytes) -> None:
        """Answer a unary call."""
        if self.is_cancelled:
            return
        if self._is_begun or self._trailers:
            self.send_nowait(message)
            self._end_well()
            return
        self.is_cancelled = True  # nothing more is to be said
        connection = self._connection
        data = b"\x00" + len(message).to_bytes(4) + message
        connection.http2.sender.reply(self._stream, REPLY_BLOCK, data, OK_BLOCK)
        connection.forget(self, Code.OK)

    def fail(self, status: GrpcStatus) -> None:
        """End the call with a status that is not OK; a handler that is still at it is stopped."""
        self._end(last_block(status, self._trailers, is_begun=self._is_begun), status.code)

    def _end_well(self) -> None:
        if self._trailers or not self._is_begun:
            self._end(last_block(WELL, self._trailers, is_begun=self._is_begun), Code.OK)
        else:
            self._end(OK_BLOCK, Code.OK)

    def add_trailers(self, metadata: Sequence[tuple[str, str]]) -> None:
        self._trailers += metadata

    def send_header(self, metadata: Sequence[tuple[str, str]] = ()) -> None:
        if self._is_begun or self.is_cancelled:
            return
        self._is_begun = True
        self._connection.http2.sender.headers(
            self._stream, header_block(metadata) if metadata else REPLY_BLOCK
        )
        self._connection.schedule()

    def send_nowait(self, message: bytes) -> None:
        """Send without waiting; CancelledError once nobody listens."""
        if self.is_cancelled:
            raise asyncio.CancelledError
        # Whoever waits may send one that alone is larger: etcd sends revisions of any size.
        if self.is_slow and self._stream.unsent + len(message) > UNSENT_BYTES_MAX:
            raise GrpcStatus(Code.RESOURCE_EXHAUSTED, "the client reads too slowly")
        sender = self._connection.http2.sender
        if not self._is_begun:
            self._is_begun = True
            sender.headers(self._stream, REPLY_BLOCK)
        sender.data(self._stream, framed(message))
        self._connection.schedule(len(message))

    async def send(self, message: bytes) -> None:
        await self.drained()
        self.send_nowait(message)

    async def drained(self) -> None:
        while self.is_slow and not self.is_cancelled:
            if self._drained is None or self._drained.done():
                self._drained = self._connection.shared.loop.create_future()
                self._connection.slow.add(self)
            await asyncio.shield(self._drained)

    def wake(self) -> bool:
        """Let `drained` go on if it may; whether it may."""
        if self.is_slow and not self.is_cancelled:
            return False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        return True

    # --- what the connection tells

    def begin(self) -> None:
        """The head has come."""
        refusal = self._terms.refusal
        if refusal is not None:
            self.fail(refusal)
            return
        if self.method.kind is not Kind.UNARY:
            self._messages = Messages(self.method.message_bytes_max, self._terms.encoding)
            self._incoming = Incoming(self)
            if self.method.kind is Kind.BIDI:
                self._stream_begins()

    def take(self, data: bytes, flow_bytes: int, *, ends: bool) -> None:
        """A piece of the client's side."""
        if self.is_cancelled:
            return
        messages = self._messages
        if messages is None:
            size = len(data)
            if (
                ends
                and size >= PREFIX_BYTES
                and not data[0]
                and int.from_bytes(data[1:5]) == size - PREFIX_BYTES
                and self._message is None
            ):
                self._serve(data[PREFIX_BYTES:])
                return
            messages = self._messages = Messages(self.method.message_bytes_max, self._terms.encoding)
        try:
            before = messages.held_bytes
            found = messages.feed(data)
            self._connection.hold(messages.held_bytes - before)
            if self._incoming is not None:
                self._incoming.push(found, flow_bytes)
                if self.method.kind is Kind.SERVER_STREAM and found and not self._is_served:
                    self._stream_begins()
            else:
                self._connection.http2.consume(self._stream, flow_bytes)
                if found:
                    if self._message is not None or len(found) > 1:
                        raise ONE_MESSAGE
                    self._message = found[0]
        except GrpcStatus as status:
            self.fail(status)
            return
        if ends:
            self.ended()

    def ended(self) -> None:
        """The client has said its last."""
        if self.is_cancelled:
            return
        if self._messages is not None and self._messages.held_bytes:
            self.fail(GrpcStatus(Code.INTERNAL, "the stream ended within a message"))
        elif self._incoming is not None:
            if not self._is_served:
                self.fail(ONE_MESSAGE)
            self._incoming.end()
        elif self._message is None:
            self.fail(ONE_MESSAGE)
        else:
            message, self._message = self._message, None  # may be large, and calls live on in a cycle
            self._serve(message)

    def cancel(self, status: GrpcStatus | None = None) -> None:
        """Stop: the client has gone (no status), or is told why."""
        if self.is_cancelled:
            return
        if status is not None:
            self.fail(status)
        else:
            self._leave(Code.CANCELLED)

    @property
    def is_stream(self) -> bool:
        """Whether it may go on for ever."""
        return self._incoming is not None

    def expire(self) -> None:
        """The deadline has passed."""
        self.cancel(DEADLINE)

    # --- answering

    def _serve(self, message: bytes) -> None:
        """Call the handler of a unary method."""
        self._is_served = True
        try:
            answer: Any = self.method.handler(self, message)
            if type(answer) is bytes:
                self.finish(answer)
                return
            if answer is DEFERRED:
                self._connection.await_answer(self)
                return
            if asyncio.iscoroutine(answer):
                answer = begin(answer)
                if type(answer) is bytes:
                    self.finish(answer)
                    return
        except GrpcStatus as status:
            self.fail(status)
            return
        except Exception as error:  # noqa: BLE001 (the connection loop)
            self._bug(error)
            return
        coroutine = finish(answer) if isinstance(answer, Rest) else _awaited(answer)
        self._start(coroutine)

    def _stream_begins(self) -> None:
        self._is_served = True
        self._start(self.method.handler(self, self._incoming))

    def _start(self, coroutine: Any) -> None:
        self._task = self._connection.shared.loop.create_task(coroutine)
        self._task.add_done_callback(self._answered)
        self._connection.await_answer(self)

    def _answered(self, task: asyncio.Task[Any]) -> None:
        self._task = None
        if task.cancelled():
            self.cancel(CLOSING)
            return
        error = task.exception()
        if isinstance(error, GrpcStatus):
            self.fail(error)
        elif error is not None:
            self._bug(error)
        elif self.method.kind is Kind.UNARY:
            self.finish(task.result())
        else:
            self._end_well()

    def _bug(self, error: BaseException) -> None:
        if isinstance(error, ProtocolError):
            self.fail(GrpcStatus(Code.INTERNAL, f"grpc: error unmarshalling request: {error}"))
            return
        LOG.error("%s failed", self.method.path, exc_info=error)
        self.fail(GrpcStatus(Code.INTERNAL, f"{self.method.path} failed"))

    def _end(self, block: bytes, code: Code) -> None:
        if self.is_cancelled:
            return
        self._connection.http2.sender.headers(self._stream, block, ends=True)
        self._leave(code)

    def _leave(self, code: Code) -> None:
        self.is_cancelled = True
        self._connection.forget(self, code)
        if self._task is not None:
            self._task.cancel()
        self.wake()

    def give_back(self, flow_bytes: int) -> None:
        """The handler has taken messages: the client may send as much again."""
        self._connection.http2.consume(self._stream, flow_bytes)
        self._connection.schedule()

    @property
    def held_bytes(self) -> int:
        """Of a message that is not whole."""
        return self._messages.held_bytes if self._messages is not None else 0


async def _awaited(answer: Any) -> Any:
    return await answer


class Incoming(AsyncIterator[bytes]):
    """The client's messages; held back while the handler takes none."""

    __slots__ = (
        "_call",
        "_ended",
        "_owed",
        "_queue",
        "_queued_bytes",
        "_stamps",
        "_waiting",
        "arrived",
        "stamp",
    )

    def __init__(self, call: ServerCall) -> None:
        self._call = call
        self.stamp: Callable[[], int] | None = None  # asked for each message as it comes
        self.arrived = 0  # what it said of the message that was taken last
        self._stamps: deque[int] = deque()
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._owed = 0  # of the stream's window
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None

    def push(self, found: list[bytes], flow_bytes: int) -> None:
        """Messages have come."""
        self._queue.extend(found)
        if self.stamp is not None:
            self._stamps.extend([self.stamp()] * len(found))
        self._queued_bytes += sum(map(len, found)) + PREFIX_BYTES * len(found)  # empty ones count too
        self._owed += flow_bytes
        self._settle()
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _settle(self) -> None:
        if self._owed and self._queued_bytes <= QUEUE_BYTES_MAX:
            owed, self._owed = self._owed, 0
            self._call.give_back(owed)

    def __aiter__(self) -> Incoming:
        return self

    async def __anext__(self) -> bytes:
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        message = self._queue.popleft()
        self._queued_bytes -= len(message) + PREFIX_BYTES
        if self._stamps:
            self.arrived = self._stamps.popleft()
        self._settle()
        return message


def refuse(connection: Http2Connection, stream: Stream, status: int) -> None:
    """Answer what is no gRPC request, where nobody else serves it."""
    connection.http2.sender.headers(stream, refusal_block(status), ends=True)
