"""What one end of an HTTP/2 connection sends: frames in order, bodies as far as the peer's windows let them.

State   the bytes to write, the peer's settings and windows, what streams have waiting
Source  RFC 9113 sections 5.2 and 6.9
Absent  priorities (RFC 9113 5.3.2 deprecates them): streams that wait take turns, a frame each

A body goes out at once while the windows of the stream and the connection allow it. What they do not allow
waits in the stream's queue; `pump` goes on when a window opens. The owner takes `out` and writes it, and
pumps again while `is_unfinished`. While the socket is full the owner sets `is_congested`, and nothing of a
queue is moved.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from cloudlet.wire.http2_fields import Head
from cloudlet.wire.http2_frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES,
    HEAD,
    HEADERS,
    WINDOW_MAX,
    WINDOW_START,
    ConnectionFault,
    ErrorCode,
    StreamFault,
    headers_frames,
    reset_frame,
)
from cloudlet.wire.http2_hpack import HeaderEncoder

PUMP_BYTES_MAX = 1 << 20  # moved from queues at a time; more than a socket takes at once
HEADERS_WHOLE = END_HEADERS
HEADERS_LAST = END_HEADERS | END_STREAM


class Stream:
    """One stream of a connection, between its first frame and its last."""

    __slots__ = (
        "content_left",
        "ends",
        "head",
        "id",
        "is_begun",
        "is_local_closed",
        "is_remote_closed",
        "is_waiting",
        "owed",
        "queue",
        "receive_window",
        "send_window",
        "tail",
        "unsent",
        "user",
    )

    def __init__(self, number: int, send_window: int, receive_window: int) -> None:
        self.id = number
        self.send_window = send_window  # what the peer lets us send
        self.receive_window = receive_window  # what we let the peer send
        self.owed = 0  # of that window, to be given back
        self.is_begun = False  # we have said something on it
        self.is_local_closed = False  # our END_STREAM is out, or in the queue
        self.is_remote_closed = False
        self.head: Head | None = None  # the request's, or on a client the reply's
        self.content_left: int | None = None  # of a body whose length was announced
        self.queue: deque[bytes | memoryview] | None = None
        self.unsent = 0  # bytes in the queue
        self.tail = b""  # a block of trailers behind the queue
        self.ends = False  # the queue's last byte is the stream's
        self.is_waiting = False  # stands among those that `pump` looks at
        self.user: object = None


class Sender:
    """The sending half of a connection."""

    def __init__(self, encoder: HeaderEncoder) -> None:
        self.out: list[bytes | memoryview] = []
        self.unhurried: list[bytes] = []  # goes with what is written next, or after a while alone
        self.encoder = encoder
        self.window = WINDOW_START
        self.window_start = WINDOW_START  # of new streams
        self.frame_bytes_max = FRAME_BYTES
        self.is_congested = False
        self.is_unfinished = False  # the last `pump` moved as much as is good at a time
        self.closed: list[Stream] = []  # whose queue has gone out to its end, for the owner to take note
        self._waiting: deque[Stream] = deque()

    def take(self) -> bytes:
        """What is to be written now."""
        out = self.out
        if self.unhurried:
            out += self.unhurried
            self.unhurried.clear()
        data = b"".join(out)
        out.clear()
        return data

    # --- sending

    def headers(self, stream: Stream, block: bytes, *, ends: bool = False) -> None:
        """Send a block of fields; one that ends the stream waits behind its queue."""
        stream.is_begun = True
        if ends:
            stream.is_local_closed = True
            if stream.queue:
                stream.tail = block
                stream.ends = True
                return
        self._block(stream, block, ends=ends)
        if ends:
            self.closed.append(stream)

    def data(self, stream: Stream, data: bytes, *, ends: bool = False) -> None:
        """Send a piece of the body, or as much of it as the peer takes now."""
        size = len(data)
        if ends:
            stream.is_local_closed = True
        if not stream.queue and self._takes(stream, size):
            self.window -= size
            stream.send_window -= size
            flags = END_STREAM if ends else 0
            self.out.append(HEAD.pack(size >> 16, size & 0xFFFF, DATA, flags, stream.id))
            self.out.append(data)
            if ends:
                self.closed.append(stream)
            return
        if stream.queue is None:
            stream.queue = deque()
        stream.queue.append(memoryview(data))  # of which a frame is cut without a copy of the rest
        stream.unsent += size
        stream.ends = ends
        self._wait(stream)
        self.pump()

    def reply(self, stream: Stream, head: bytes, data: bytes, tail: bytes) -> None:
        """Send a whole reply: a block of fields, one piece of body, a block of trailers. The blocks are short
        ones, prepared once."""
        size = len(data)
        if self._takes(stream, size):
            self.window -= size
            if self.encoder.update:
                head = self.encoder.prefix() + head
            number = stream.id
            pack = HEAD.pack
            stream.is_local_closed = True
            self.out += (
                pack(0, len(head), HEADERS, HEADERS_WHOLE, number),
                head,
                pack(size >> 16, size & 0xFFFF, DATA, 0, number),
                data,
                pack(0, len(tail), HEADERS, HEADERS_LAST, number),
                tail,
            )
            self.closed.append(stream)
        else:
            self.headers(stream, head)
            self.data(stream, data)
            self.headers(stream, tail, ends=True)

    def _takes(self, stream: Stream, size: int) -> bool:
        """Whether a piece may go out now, in one frame."""
        return (
            size <= stream.send_window
            and size <= self.window
            and size <= self.frame_bytes_max
            and not self.is_congested
        )

    def _block(self, stream: Stream, block: bytes, *, ends: bool) -> None:
        if self.encoder.update:
            block = self.encoder.prefix() + block
        self.out.append(headers_frames(stream.id, block, ends=ends, frame_bytes_max=self.frame_bytes_max))

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """Break the stream off; what waits of it is dropped."""
        self.drop(stream)
        stream.is_local_closed = True
        self.out.append(reset_frame(stream.id, code))

    def drop(self, stream: Stream) -> None:
        """Forget what a stream has waiting."""
        stream.queue = None
        stream.unsent = 0
        stream.ends = False
        stream.tail = b""

    # --- windows

    def opened(self, stream: Stream | None, increment: int) -> None:
        """The peer opened a window: of a stream, or (None) of the connection."""
        if stream is None:
            if not increment:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a window opened by 0")
            self.window += increment
            if self.window > WINDOW_MAX:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window over 2^31-1")
        else:
            if not increment:
                raise StreamFault(ErrorCode.PROTOCOL_ERROR, stream.id, "a window opened by 0")
            stream.send_window += increment
            if stream.send_window > WINDOW_MAX:
                raise StreamFault(ErrorCode.FLOW_CONTROL_ERROR, stream.id, "a window over 2^31-1")
            if not stream.queue:
                return
            self._wait(stream)
        if self._waiting:
            self.pump()

    def resize(self, window_start: int, streams: Iterable[Stream]) -> None:
        """The peer's SETTINGS_INITIAL_WINDOW_SIZE, which also moves the windows of the open streams."""
        moved = window_start - self.window_start
        self.window_start = window_start
        for stream in streams:
            stream.send_window += moved
            if stream.send_window > WINDOW_MAX:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window over 2^31-1")
            if stream.queue and moved > 0:
                self._wait(stream)
        if self._waiting:
            self.pump()

    def _wait(self, stream: Stream) -> None:
        if not stream.is_waiting:
            stream.is_waiting = True
            self._waiting.append(stream)

    def pump(self) -> None:
        """Move what waits into the windows, the streams in turns."""
        waiting = self._waiting
        budget = PUMP_BYTES_MAX
        self.is_unfinished = False
        while waiting and not self.is_congested and budget > 0:
            stream = waiting.popleft()
            stream.is_waiting = False
            queue = stream.queue
            if not queue:
                continue
            # Not below 0: an empty piece, which ends a stream, needs no window, not even one above it.
            size = max(min(len(queue[0]), stream.send_window, self.window, self.frame_bytes_max), 0)
            if not size and queue[0]:
                if self.window <= 0:
                    stream.is_waiting = True
                    waiting.appendleft(stream)
                    return
                continue  # its own window is shut: `opened` brings it back
            budget -= self._send_piece(stream, queue, size)
            if queue:
                self._wait(stream)
        self.is_unfinished = budget <= 0

    def _send_piece(self, stream: Stream, queue: deque[bytes | memoryview], size: int) -> int:
        data = queue.popleft()
        if size < len(data):
            queue.appendleft(data[size:])
            data = data[:size]
        self.window -= size
        stream.send_window -= size
        stream.unsent -= size
        is_last = not queue and stream.ends
        flags = END_STREAM if is_last and not stream.tail else 0
        self.out.append(HEAD.pack(size >> 16, size & 0xFFFF, DATA, flags, stream.id))
        self.out.append(data)
        if is_last:
            if stream.tail:
                self._block(stream, stream.tail, ends=True)
            self.closed.append(stream)
        return size + HEAD.size
