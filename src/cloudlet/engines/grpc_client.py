"""A gRPC client on one HTTP/2 connection, for the engines that keep their facts in other processes.

State   the connection, the calls in flight
Source  gRPC, "PROTOCOL-HTTP2.md"; the wire is wire/http2.py and wire/grpc.py
Absent  balancing, retries, compression: who calls knows what may be sent again

    client = await GrpcClient.connect("127.0.0.1:2379")          or "unix:/path/of/socket"
    reply = await client.unary("/etcdserverpb.KV/Range", request)
    stream = client.stream("/etcdserverpb.Watch/Watch"); stream.send(request); await stream.receive()

A call ends with its reply or with GrpcStatus. `ConnectionLost` is the one (UNAVAILABLE) that says that the
connection broke: the call may have been carried out.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import cast

from cloudlet.wire.grpc import Code, GrpcStatus, Messages, framed, status_of
from cloudlet.wire.http2 import Http2
from cloudlet.wire.http2_frames import ErrorCode
from cloudlet.wire.http2_sending import Stream
from cloudlet.wire.http2_streams import Data, Ended, Event, Failed, GoneAway, Http2Limits, Opened, Reset

MESSAGE_BYTES_MAX = 64 << 20  # a batch of etcd's events is not bounded by a request's size
LIMITS = Http2Limits(window_bytes=4 << 20, connection_window_bytes=32 << 20)
CONNECT_S = 10.0
PING_S = 10.0  # without a byte while calls wait; and as long again for the answer
USER_AGENT = b"cloudlet"
KNOWN_CODES = frozenset(int(code) for code in ErrorCode)
RESET_CODES = {
    ErrorCode.REFUSED_STREAM: Code.UNAVAILABLE,
    ErrorCode.CANCEL: Code.CANCELLED,
    ErrorCode.ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED,
}


class ConnectionLost(GrpcStatus):
    """The connection broke while the call was in flight."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.UNAVAILABLE, message)


class ClientStream:
    """One call: messages out, messages in."""

    __slots__ = ("_client", "_flow", "_messages", "_queue", "_status", "_stream", "_waiting", "is_over")

    def __init__(self, client: GrpcClient, stream: Stream) -> None:
        self._client = client
        self._stream = stream
        self._messages = Messages(MESSAGE_BYTES_MAX)
        self._queue: deque[bytes] = deque()
        self._flow = 0  # bytes of the window that `receive` gives back
        self._status: GrpcStatus | None = None
        self._waiting: asyncio.Future[None] | None = None
        self.is_over = False  # the server has said its last

    def send(self, message: bytes, *, ends: bool = False) -> None:
        """Say a message; what the server does not take yet waits."""
        if not self.is_over:
            self._client.send(self._stream, framed(message), ends=ends)

    def end(self) -> None:
        """Say that nothing more comes."""
        if not self.is_over and not self._stream.is_local_closed:
            self._client.send(self._stream, b"", ends=True)

    async def receive(self) -> bytes | None:
        """The next message; None when the call has ended well, GrpcStatus when not. Cancelling loses
        nothing."""
        while not self._queue:
            if self.is_over:
                if self._status is not None:
                    raise self._status
                return None
            if self._flow:
                self._client.consume(self._stream, self._flow)
                self._flow = 0
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._queue.popleft()

    def cancel(self) -> None:
        """Break the call off."""
        if not self.is_over:
            self._client.cancel(self._stream)
            self.over(GrpcStatus(Code.CANCELLED, "the call was cancelled"))

    # --- what the connection tells

    def take(self, data: bytes, flow_bytes: int) -> None:
        try:
            self._queue.extend(self._messages.feed(data))
        except GrpcStatus as status:
            self._client.cancel(self._stream)
            self.over(status)
            return
        self._flow += flow_bytes
        if not self._queue:  # of a long message: let the rest of it come
            self._client.consume(self._stream, self._flow)
            self._flow = 0
        self._wake()

    def over(self, status: GrpcStatus | None) -> None:
        if not self.is_over:
            self.is_over = True
            self._status = status
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class GrpcClient(asyncio.Protocol):
    """See the module."""

    def __init__(self, authority: bytes, scheme: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._http2 = Http2(LIMITS, is_client=True)
        self._fields = (
            (b":method", b"POST"),
            (b":scheme", scheme),
            (b":authority", authority),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
            (b"user-agent", USER_AGENT),
        )
        self._is_scheduled = False
        self._is_leaving = False  # the server has said that it takes no more calls
        self._heard = True  # since the last look of the watchdog
        self._is_asked = False  # a ping is out
        self._room: deque[asyncio.Future[None]] = deque()
        self._watchdog: asyncio.TimerHandle | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()

    @classmethod
    async def connect(cls, address: str, *, tls: ssl.SSLContext | None = None) -> GrpcClient:
        """Connect to HOST:PORT or unix:PATH; ConnectionLost when nobody answers."""
        loop = asyncio.get_running_loop()
        path = address.removeprefix("unix:")
        scheme = b"http" if tls is None else b"https"
        if tls is not None:
            tls.set_alpn_protocols(["h2"])
        authority = b"localhost" if path != address else address.encode()
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        try:
            async with asyncio.timeout(CONNECT_S):
                if path != address:
                    _, client = await loop.create_unix_connection(lambda: cls(authority, scheme), path)
                else:
                    _, client = await loop.create_connection(
                        lambda: cls(authority, scheme), host, int(port), ssl=tls
                    )
        except (OSError, TimeoutError) as error:
            raise ConnectionLost(f"{address}: {error or 'no answer'}") from None
        return client

    @property
    def is_lost(self) -> bool:
        """The connection has gone, or takes no more calls."""
        return self.lost.done() or self._is_leaving

    # --- calls

    async def unary(self, path: str, message: bytes, *, timeout_ms: float | None = None) -> bytes:
        """One message there, one back; GrpcStatus. A cancelled call is broken off."""
        while not self._http2.may_open and not self.is_lost:
            waiting = self._loop.create_future()
            self._room.append(waiting)
            await waiting
        stream = self.stream(path, timeout_ms)
        stream.send(message, ends=True)
        try:
            async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000):
                reply = await stream.receive()
                if reply is None:
                    raise GrpcStatus(Code.INTERNAL, "a reply without its message")
                if await stream.receive() is not None:
                    raise GrpcStatus(Code.INTERNAL, "a reply of several messages")
                return reply
        except TimeoutError:
            raise GrpcStatus(Code.DEADLINE_EXCEEDED, "the call took too long") from None
        finally:
            stream.cancel()

    def stream(self, path: str, timeout_ms: float | None = None) -> ClientStream:
        """Begin a call; ConnectionLost when there is no connection."""
        if self.is_lost:
            raise ConnectionLost("the connection is gone")
        http2 = self._http2
        fields = [(b":path", path.encode()), *self._fields]
        if timeout_ms is not None:
            fields.append((b"grpc-timeout", b"%dm" % min(max(1, timeout_ms), 99_999_999)))
        stream = http2.open()
        http2.sender.headers(stream, http2.sender.encoder.encode(fields, fresh=(b"grpc-timeout",)))
        call = ClientStream(self, stream)
        stream.user = call
        self._schedule()
        return call

    def send(self, stream: Stream, data: bytes, *, ends: bool) -> None:
        self._http2.sender.data(stream, data, ends=ends)
        self._schedule()

    def consume(self, stream: Stream, flow_bytes: int) -> None:
        self._http2.consume(stream, flow_bytes)
        self._schedule()

    def cancel(self, stream: Stream) -> None:
        self._http2.reset(stream, ErrorCode.CANCEL)
        self._schedule()

    async def close(self) -> None:
        """Break everything off."""
        if not self.lost.done():
            self._transport.abort()
            await asyncio.wait([self.lost])

    # --- the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._schedule()
        self._watchdog = self._loop.call_later(PING_S, self._watch)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        for event in self._http2.receive(data):
            self._take(event)
        if self._http2.sender.out or self._http2.sender.unhurried:
            self._schedule()
        while self._room and self._http2.may_open:
            waiting = self._room.popleft()
            if not waiting.done():
                waiting.set_result(None)
                break

    def _take(self, event: Event) -> None:
        if isinstance(event, Data):
            call = event.stream.user
            assert isinstance(call, ClientStream)
            call.take(event.data, event.flow_bytes)
            if event.ends:
                call.over(GrpcStatus(Code.INTERNAL, "a reply without trailers"))
        elif isinstance(event, Opened):
            call, head = event.stream.user, event.stream.head
            assert isinstance(call, ClientStream)
            assert head is not None
            if event.ends:
                call.over(status_of(head))
            elif head.status != 200:
                call.over(GrpcStatus(Code.UNAVAILABLE, f"HTTP status {head.status}"))
        elif isinstance(event, Ended):
            call = event.stream.user
            assert isinstance(call, ClientStream)
            call.over(status_of(event.trailers))
        elif isinstance(event, Reset):
            call = event.stream.user
            assert isinstance(call, ClientStream)
            code = ErrorCode(event.code) if event.code in KNOWN_CODES else ErrorCode.INTERNAL_ERROR
            call.over(GrpcStatus(RESET_CODES.get(code, Code.INTERNAL), f"the stream was reset: {code.name}"))
        elif isinstance(event, GoneAway):
            self._leave(event.last_stream)
        elif isinstance(event, Failed):
            self._flush()
            self._transport.close()

    def _leave(self, last_stream: int) -> None:
        """The server takes no more calls, and has not looked at those above a number."""
        self._is_leaving = True
        for stream in list(self._http2.streams.values()):
            if stream.id > last_stream and isinstance(stream.user, ClientStream):
                stream.user.over(GrpcStatus(Code.UNAVAILABLE, "the server is closing"))
        self._let_all_in()

    def _let_all_in(self) -> None:
        while self._room:
            waiting = self._room.popleft()
            if not waiting.done():
                waiting.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        if not self.lost.done():
            self.lost.set_result(None)
        for stream in list(self._http2.streams.values()):
            if isinstance(stream.user, ClientStream):
                stream.user.over(ConnectionLost(f"the connection broke: {exc or 'closed'}"))
        self._http2.streams.clear()
        self._let_all_in()

    def pause_writing(self) -> None:
        self._http2.sender.is_congested = True

    def resume_writing(self) -> None:
        self._http2.sender.is_congested = False
        self._http2.sender.pump()
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_scheduled = False
        sender = self._http2.sender
        self._http2.tidy()
        if (sender.out or sender.unhurried) and not self._transport.is_closing():
            self._transport.write(sender.take())
        if sender.is_unfinished:
            sender.pump()
            self._schedule()

    def _watch(self) -> None:
        """Every so often: a connection on which calls wait and nothing comes is asked, then given up."""
        self._watchdog = self._loop.call_later(PING_S, self._watch)
        if self._http2.streams:
            if not self._heard and self._is_asked:
                self._transport.abort()
                return
            self._is_asked = not self._heard
            if self._is_asked:
                self._http2.ping(b"watchdog")
                self._schedule()
        self._heard = False
