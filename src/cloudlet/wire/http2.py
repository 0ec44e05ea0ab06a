"""One end of an HTTP/2 connection without its socket: bytes in, events out; calls in, bytes out.

State   the streams that are open, the windows, the header tables of one connection
Source  RFC 9113; CVE-2023-44487 (rapid reset), CVE-2024-27316 (CONTINUATION), CVE-2019-9512 to 9518 (floods)
Absent  server push, priorities (their frames are checked and ignored), CONNECT, upgrade from HTTP/1.1

Theory of operation
    `receive` takes any cut of the peer's bytes and returns what has become whole. A stream lives from its
    first HEADERS until both sides have ended it or either has reset it:

                       HEADERS                    END_STREAM of one side               END_STREAM of the other
        (idle) ------------------------> open ------------------------------> half closed --------------> gone
                                           '------------------- RST_STREAM of either ----------------------^

    Streams that are gone take no memory. Those that we reset are remembered for a while, because frames that
    crossed our RST_STREAM may still come and mean nothing. A frame for any other gone stream is the peer's
    fault. A fault of a stream resets it; a fault of the connection is the event Failed, behind a GOAWAY in
    `sender.out`, after which nothing more is read.

    Floods are bounded twice. What we would have to answer (PING, SETTINGS) costs the peer its reading: the
    owner stops reading while its socket is full. What costs us work and the peer nothing (streams that are
    reset before they are answered, empty frames) is counted, and the count is let down by `tick`.
"""

from __future__ import annotations

from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.http2_fields import Head, reply_head, request_head, trailers
from cloudlet.wire.http2_frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES,
    FRAME_BYTES_MAX,
    GOAWAY,
    HAS_PRIORITY,
    HEAD,
    HEAD_BYTES,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTING,
    SETTINGS,
    WINDOW_MAX,
    WINDOW_UPDATE,
    ConnectionFault,
    ErrorCode,
    Setting,
    StreamFault,
    frame,
    unpadded,
    window_frame,
)
from cloudlet.wire.http2_hpack import Block, ListTooLarge
from cloudlet.wire.http2_sending import Stream
from cloudlet.wire.http2_streams import (
    Data,
    Ended,
    Event,
    GoneAway,
    Http2Limits,
    Opened,
    Ponged,
    Reset,
    Streams,
)

DEFAULT_LIMITS = Http2Limits()
FRAME_BYTES_SENT_MAX = 64 << 10  # of a larger frame nothing else could go between


class Http2(Streams):
    """See the module."""

    def __init__(self, limits: Http2Limits = DEFAULT_LIMITS, *, is_client: bool = False) -> None:
        super().__init__(limits, is_client=is_client)
        self._rest = b""
        self._awaits_preface = not is_client
        self._block: bytearray | None = None  # of a block whose CONTINUATION is to come
        self._block_flags = 0
        self._block_stream = 0
        self._block_frames = 0
        self._given = 0  # of the connection's window, to be given back

    # --- receiving

    def receive(self, data: bytes) -> list[Event]:
        """What has become whole."""
        if self.is_failed:
            return []
        if self._rest:
            data = self._rest + data
        events = self._events
        at, size = 0, len(data)
        try:
            if self._awaits_preface:
                at = self._preface(data)
                if not at:
                    self._rest = data
                    return events
            unpack = HEAD.unpack_from
            while size - at >= HEAD_BYTES:
                high, low, kind, flags, number = unpack(data, at)
                stop = at + HEAD_BYTES + low
                if high or low > FRAME_BYTES:
                    raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a frame longer than allowed")
                if stop > size:
                    break
                payload = data[at + HEAD_BYTES : stop]
                at = stop
                try:
                    self._frame(kind, flags, number & WINDOW_MAX, payload)
                except StreamFault as fault:
                    self._break_off(fault)
        except ConnectionFault as fault:
            self._fail(fault)
            return events
        finally:
            self._events = []  # which the garbage collector does not look into: see http2_streams.py
        self._rest = data[at:] if at < size else b""
        if self.sender.closed:
            self.tidy()
        return events

    def _preface(self, data: bytes) -> int:
        """Where the first frame begins; 0 while that has not come."""
        size = len(PREFACE)
        if data[:size] != PREFACE[: len(data)]:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "no connection preface")
        if len(data) < size:
            return 0
        self._awaits_preface = False
        return size

    def _frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._block is not None and kind != CONTINUATION:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame within a block of fields")
        if kind == DATA:
            self._data(flags, number, payload)
        elif kind == HEADERS:
            self._headers(flags, number, payload)
        elif kind == WINDOW_UPDATE:
            self._window_update(number, payload)
        elif kind == PING:
            self._ping(flags, number, payload)
        elif kind == SETTINGS:
            self._settings(flags, number, payload)
        elif kind == RST_STREAM:
            self._rst_stream(number, payload)
        elif kind == PRIORITY:
            check_priority(number, payload)
        elif kind == CONTINUATION:
            self._continuation(flags, number, payload)
        elif kind == GOAWAY:
            self._goaway(number, payload)
        elif kind == PUSH_PROMISE:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a push")
        if not self.is_greeted and kind != SETTINGS:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        size = len(payload)
        if not number:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "DATA on stream 0")
        stream = self.streams.get(number)
        self._given += size
        if self._given > self.limits.connection_window_bytes:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window")
        if self._given * 2 > self.limits.connection_window_bytes:
            # Given back at once: what bounds memory are the windows of the streams.
            self.sender.out.append(window_frame(0, self._given))
            self._given = 0
        data = unpadded(flags, payload) if flags & PADDED else payload
        if stream is None:
            self._gone(number, "DATA")
            return
        ends = flags & END_STREAM != 0
        if stream.is_remote_closed:
            raise StreamFault(ErrorCode.STREAM_CLOSED, number, "DATA behind the end of a stream")
        if stream.head is None and self.is_client:
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, number, "DATA before HEADERS")
        if size > stream.receive_window:
            raise StreamFault(ErrorCode.FLOW_CONTROL_ERROR, number, "more DATA than the stream's window")
        stream.receive_window -= size
        if stream.content_left is not None:
            stream.content_left -= len(data)
            if stream.content_left < 0 or (ends and stream.content_left):
                raise StreamFault(ErrorCode.PROTOCOL_ERROR, number, "a body of another length than announced")
        if ends:
            stream.is_remote_closed = True
            if stream.is_local_closed and not stream.queue:
                self.streams.pop(number, None)
        elif not data:
            self._disturb("frames without content")
        self._events.append(Data(stream, data, size, ends))

    def _headers(self, flags: int, number: int, payload: bytes) -> None:
        if not number:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "HEADERS on stream 0")
        if flags & PADDED:
            payload = unpadded(flags, payload)
        if flags & HAS_PRIORITY:
            if len(payload) < 5:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS without the priority that it says")
            depends = int.from_bytes(payload[:4]) & WINDOW_MAX
            payload = payload[5:]
        else:
            depends = -1
        if flags & END_HEADERS:
            self._whole_block(flags, number, payload)
        else:
            self._block = bytearray(payload)
            self._block_flags, self._block_stream, self._block_frames = flags, number, 1
        if depends == number:
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, number, "a stream that depends on itself")

    def _continuation(self, flags: int, number: int, payload: bytes) -> None:
        block = self._block
        if block is None or number != self._block_stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without its HEADERS")
        block += payload
        self._block_frames += 1
        if (
            len(block) > self.limits.header_list_bytes_max
            or self._block_frames > self.limits.header_frames_max
        ):
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a block of fields without end")
        if flags & END_HEADERS:
            self._block = None
            self._whole_block(self._block_flags, number, bytes(block))

    def _whole_block(self, flags: int, number: int, raw: bytes) -> None:
        """The fields of a request, of a reply, or of trailers."""
        ends = flags & END_STREAM != 0
        stream = self.streams.get(number)
        too_large = None
        try:
            block = self._decoder.decode(raw)
        except ListTooLarge as error:
            too_large = error
        except ProtocolError as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, str(error)) from None
        if stream is None:
            opened = self._admit(number)
            if opened is None:
                return
            stream = opened
            if ends:
                stream.is_remote_closed = True
        elif stream.is_remote_closed:
            raise StreamFault(ErrorCode.STREAM_CLOSED, number, "HEADERS behind the end of a stream")
        if too_large is not None:
            raise StreamFault(ErrorCode.ENHANCE_YOUR_CALM, number, str(too_large))
        try:
            self._take_block(stream, block, ends=ends)
        except StreamFault:
            raise
        except ProtocolError as error:
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, number, str(error)) from None

    def _take_block(self, stream: Stream, block: Block, *, ends: bool) -> None:
        if stream.head is not None:
            if not ends:
                raise ProtocolError("trailers that do not end the stream")
            if stream.content_left:
                raise ProtocolError("a body of another length than announced")
            self._remote_end(stream)
            self._events.append(Ended(stream, trailers(block.fields)))
            return
        head = block.head
        if head is None:
            head = block.head = (reply_head if self.is_client else request_head)(block.fields)
        assert isinstance(head, Head)
        if self.is_client and head.status < 200:
            if ends:
                raise ProtocolError("an interim reply that ends the stream")
            return
        stream.head = head
        if head.content_length is not None and not (self.is_client and ends):
            if ends and head.content_length:
                raise ProtocolError("a body that does not come")
            stream.content_left = head.content_length
        if ends:
            self._remote_end(stream)
        self._events.append(Opened(stream, ends))

    def _remote_end(self, stream: Stream) -> None:
        stream.is_remote_closed = True
        if stream.is_local_closed and not stream.queue:
            self.streams.pop(stream.id, None)

    # --- frames that carry no request

    def _window_update(self, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE of another length than 4")
        increment = int.from_bytes(payload) & WINDOW_MAX
        if not number:
            self.sender.opened(None, increment)
            return
        stream = self.streams.get(number)
        if stream is not None:
            self.sender.opened(stream, increment)
        elif self._is_idle(number):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE on a stream that was not opened")

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "PING of another length than 8")
        if flags & ACK:
            self._events.append(Ponged(payload))
        else:
            # Go's client pings with nearly every call, to learn how fast the line is.
            self.sender.unhurried.append(frame(PING, ACK, 0, payload))

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & ACK:
            if payload:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement with settings")
            return
        if len(payload) % SETTING.size:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of an odd length")
        self.is_greeted = True
        # Before what the settings let go: h2spec loses a frame that stands before the acknowledgement.
        self.sender.out.append(frame(SETTINGS, ACK, 0))
        for name, value in SETTING.iter_unpack(payload):
            self._setting(name, value)

    def _setting(self, name: int, value: int) -> None:
        sender = self.sender
        if name == Setting.HEADER_TABLE_SIZE:
            sender.encoder.resize(value)
        elif name == Setting.ENABLE_PUSH:
            if value > 1 or (value and self.is_client):
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"ENABLE_PUSH {value}")
        elif name == Setting.MAX_CONCURRENT_STREAMS:
            self.peer_streams_max = value
        elif name == Setting.INITIAL_WINDOW_SIZE:
            if value > WINDOW_MAX:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, f"INITIAL_WINDOW_SIZE {value}")
            sender.resize(value, self.streams.values())
        elif name == Setting.MAX_FRAME_SIZE:
            if not FRAME_BYTES <= value <= FRAME_BYTES_MAX:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"MAX_FRAME_SIZE {value}")
            sender.frame_bytes_max = min(value, FRAME_BYTES_SENT_MAX)

    def _rst_stream(self, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM of another length than 4")
        if not number or self._is_idle(number):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "RST_STREAM on a stream that was not opened")
        stream = self.streams.pop(number, None)
        if stream is None:
            return
        self.sender.drop(stream)
        stream.is_remote_closed = stream.is_local_closed = True
        self._events.append(Reset(stream, int.from_bytes(payload)))
        if not stream.is_begun:  # who has had an answer may leave: etcd's clients do so at every keepalive
            self._disturb("streams that are reset")

    def _goaway(self, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY shorter than 8")
        last = int.from_bytes(payload[:4]) & WINDOW_MAX
        self._events.append(GoneAway(last, int.from_bytes(payload[4:8]), payload[8:]))


def check_priority(number: int, payload: bytes) -> None:
    """A PRIORITY frame has no effect, but may be wrong."""
    if not number:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0")
    if len(payload) != 5:
        raise StreamFault(ErrorCode.FRAME_SIZE_ERROR, number, "PRIORITY of another length than 5")
    if int.from_bytes(payload[:4]) & WINDOW_MAX == number:
        raise StreamFault(ErrorCode.PROTOCOL_ERROR, number, "a stream that depends on itself")
