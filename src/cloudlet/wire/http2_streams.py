"""The streams of an HTTP/2 connection: which are open, which are gone, and what the user of one may do.

State   the open streams; the numbers that were used up; the settings of both sides
Source  RFC 9113 sections 5.1, 6.8 and 6.9
Absent  none
"""

from __future__ import annotations

from collections import deque

import msgspec

from cloudlet.wire.http2_fields import Head
from cloudlet.wire.http2_frames import (
    PING,
    PREFACE,
    WINDOW_MAX,
    WINDOW_START,
    ConnectionFault,
    ErrorCode,
    Setting,
    StreamFault,
    frame,
    goaway_frame,
    reset_frame,
    settings_frame,
    window_frame,
)
from cloudlet.wire.http2_hpack import HeaderDecoder, HeaderEncoder
from cloudlet.wire.http2_sending import Sender, Stream

RESET_REMEMBERED_MAX = 1000
CALM_MAX = 5000  # resets and empty frames at once: as many calls may meet one deadline
CALM_PER_TICK = 500
GAPS_MAX = 100


class Http2Limits(msgspec.Struct, frozen=True):
    """What the peer may take of us."""

    streams_max: int = 20_000
    window_bytes: int = 1 << 20  # of each stream: a usual message comes without waiting for an update
    connection_window_bytes: int = 16 << 20
    header_list_bytes_max: int = 64 << 10
    header_frames_max: int = 16  # of one block


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A request (on a server), or the head of a reply (on a client)."""

    stream: Stream
    ends: bool


class Data(msgspec.Struct, frozen=True, gc=False):
    """A piece of a body; `flow_bytes` are what it took of the windows, to be given back by `consume`."""

    stream: Stream
    data: bytes
    flow_bytes: int
    ends: bool


class Ended(msgspec.Struct, frozen=True, gc=False):
    """The trailers behind a body."""

    stream: Stream
    trailers: Head


class Reset(msgspec.Struct, frozen=True, gc=False):
    """The stream was broken off: by the peer, or by us for its fault."""

    stream: Stream
    code: int
    is_ours: bool = False


class Ponged(msgspec.Struct, frozen=True, gc=False):
    """The peer answered a ping of ours."""

    data: bytes


class GoneAway(msgspec.Struct, frozen=True, gc=False):
    """The peer takes no more streams; those above `last_stream` it has not looked at."""

    last_stream: int
    code: int
    debug: bytes


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The connection is over: write what is out, and close."""

    code: ErrorCode
    message: str


# The garbage collector does not look into events, as there are so many. So whoever has read them
# lets go of them: one that is kept by its own connection keeps that, and all of its streams, for ever.
Event = Opened | Data | Ended | Reset | Ponged | GoneAway | Failed


class Streams:
    """The table of streams, and what leaves this end."""

    def __init__(self, limits: Http2Limits, *, is_client: bool) -> None:
        self.limits = limits
        self.is_client = is_client
        self.streams: dict[int, Stream] = {}
        self.sender = Sender(HeaderEncoder(indexes=is_client))
        self.peer_streams_max = WINDOW_MAX
        self.is_failed = False
        self.is_greeted = False  # the peer's SETTINGS have come
        self.is_leaving = False  # GOAWAY is out: no further streams of the peer
        self.last_peer_stream = 0
        self.calm = 0  # floods: see http2.py
        self._next_stream = 1
        self._decoder = HeaderDecoder(limits.header_list_bytes_max)
        self._reset: dict[int, None] = {}  # numbers of the streams that we reset, the oldest first
        self._gaps: deque[tuple[int, int]] = deque(maxlen=GAPS_MAX)  # numbers that the peer has left out
        self._events: list[Event] = []
        self._greet()

    def _greet(self) -> None:
        limits = self.limits
        settings = [
            (Setting.INITIAL_WINDOW_SIZE, limits.window_bytes),
            (Setting.MAX_HEADER_LIST_SIZE, limits.header_list_bytes_max),
        ]
        out = self.sender.out
        if self.is_client:
            out.append(PREFACE)
            settings.append((Setting.ENABLE_PUSH, 0))
        else:
            settings.append((Setting.MAX_CONCURRENT_STREAMS, limits.streams_max))
        out.append(settings_frame(settings))
        out.append(window_frame(0, limits.connection_window_bytes - WINDOW_START))

    # --- for the user of the connection

    def open(self) -> Stream:
        """A new stream of ours (a client's), which `sender.headers` then begins."""
        stream = Stream(self._next_stream, self.sender.window_start, self.limits.window_bytes)
        self._next_stream += 2
        self.streams[stream.id] = stream
        return stream

    @property
    def may_open(self) -> bool:
        """Whether the peer takes another stream now, and numbers are left."""
        return len(self.streams) < self.peer_streams_max and self._next_stream < WINDOW_MAX

    @property
    def has_unsent(self) -> bool:
        """Whether something waits for the peer's windows."""
        return any(stream.queue for stream in self.streams.values())

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """Break a stream off; nothing for one that is gone."""
        if self.streams.pop(stream.id, None) is None:
            return
        self.sender.reset(stream, code)
        stream.is_remote_closed = True
        self._remember(stream.id)

    def consume(self, stream: Stream, flow_bytes: int) -> None:
        """What came as DATA has been taken: let the peer send as much again."""
        if stream.is_remote_closed:
            return
        stream.owed += flow_bytes
        # Small pieces are given back together: an update for each would cost more than they.
        if stream.owed * 4 >= self.limits.window_bytes:
            stream.receive_window += stream.owed
            self.sender.out.append(window_frame(stream.id, stream.owed))
            stream.owed = 0

    def ping(self, data: bytes) -> None:
        """Ask for the event Ponged, with the same eight bytes."""
        self.sender.out.append(frame(PING, 0, 0, data))

    def leave(self, *, is_final: bool) -> None:
        """Tell the peer that no more streams are taken: first as a warning, then with the last number that
        was, so that none is lost that is on its way (RFC 9113 6.8)."""
        last = self.last_peer_stream if is_final else WINDOW_MAX
        self.is_leaving = self.is_leaving or is_final
        self.sender.out.append(goaway_frame(last, ErrorCode.NO_ERROR))

    def tick(self) -> None:
        """A second has passed."""
        self.calm = max(0, self.calm - CALM_PER_TICK)

    def tidy(self) -> None:
        """Let go of the streams that both sides have ended; before what was sent is taken.

        A server that has said all tells a client that has not: it need not go on (RFC 9113 8.1).
        """
        closed = self.sender.closed
        for stream in closed:
            if stream.is_remote_closed:
                self.streams.pop(stream.id, None)
            elif not self.is_client:
                self.reset(stream, ErrorCode.NO_ERROR)
        closed.clear()

    # --- for the frames

    def _admit(self, number: int) -> Stream | None:
        """A stream that the peer opens; None for one that we have reset, or refuse."""
        if self.is_client or not number & 1:
            self._gone(number, "HEADERS")
            return None
        last = self.last_peer_stream
        if number <= last:
            if number in self._reset:
                return None
            if any(start <= number < stop for start, stop in self._gaps):
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a stream number that went back")
            raise ConnectionFault(ErrorCode.STREAM_CLOSED, "HEADERS on a stream that is gone")
        due = last + 2 if last else 1
        if number > due:
            self._gaps.append((due, number))
        self.last_peer_stream = number
        if self.is_leaving:
            self._remember(number)
            return None
        if len(self.streams) >= self.limits.streams_max:
            raise StreamFault(ErrorCode.REFUSED_STREAM, number, "too many streams at once")
        stream = Stream(number, self.sender.window_start, self.limits.window_bytes)
        self.streams[number] = stream
        return stream

    def _gone(self, number: int, what: str) -> None:
        """A frame on a stream that is not there: late, or the peer's fault."""
        if number in self._reset:
            return
        if self._is_idle(number):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"{what} on a stream that was not opened")
        raise ConnectionFault(ErrorCode.STREAM_CLOSED, f"{what} on a stream that is gone")

    def _is_idle(self, number: int) -> bool:
        is_ours = (number & 1 == 1) == self.is_client
        return number >= self._next_stream if is_ours else number > self.last_peer_stream

    def _remember(self, number: int) -> None:
        """Frames that crossed our RST_STREAM may still come."""
        self._reset[number] = None
        if len(self._reset) > RESET_REMEMBERED_MAX:
            del self._reset[next(iter(self._reset))]

    def _break_off(self, fault: StreamFault) -> None:
        """Reset the stream of a fault."""
        stream = self.streams.pop(fault.stream, None)
        self._remember(fault.stream)
        self._disturb(str(fault))
        if stream is None:
            self.sender.out.append(reset_frame(fault.stream, fault.code))
            return
        self.sender.reset(stream, fault.code)
        stream.is_remote_closed = True
        if stream.head is not None:
            self._events.append(Reset(stream, fault.code, is_ours=True))

    def _disturb(self, what: str) -> None:
        self.calm += 1
        if self.calm > CALM_MAX:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"too often: {what}")

    def _fail(self, fault: ConnectionFault) -> None:
        self.is_failed = True
        self.sender.out.append(goaway_frame(self.last_peer_stream, fault.code, str(fault).encode()))
        self._events.append(Failed(fault.code, str(fault)))
