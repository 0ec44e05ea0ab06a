"""The HTTP/2 state machine: two ends of our own against each other, and frames by hand."""

from __future__ import annotations

import itertools

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.wire.http2 import Http2
from cloudlet.wire.http2_frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    ErrorCode,
    Setting,
    frame,
    reset_frame,
    settings_frame,
    window_frame,
)
from cloudlet.wire.http2_sending import Stream
from cloudlet.wire.http2_streams import (
    CALM_MAX,
    Data,
    Ended,
    Failed,
    GoneAway,
    Http2Limits,
    Opened,
    Ponged,
    Reset,
)

REQUEST = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a"), (b":authority", b"h"))
HELLO = PREFACE + settings_frame([])
EVERY = END_HEADERS | END_STREAM


class Peer:
    """A client that speaks in frames."""

    def __init__(self, limits: Http2Limits | None = None, hello: bytes = HELLO) -> None:
        self.server = Http2(limits or Http2Limits())
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.server.sender.take()
        self.events = self.say(hello)
        self.heard()

    def say(self, *frames: bytes):
        return self.server.receive(b"".join(frames))

    def block(self, *more, fields=REQUEST) -> bytes:
        return self.encoder.encode([*fields, *more])

    def open(self, number: int, flags: int = END_HEADERS, **more):
        return self.say(frame(HEADERS, flags, number, self.block(**more)))

    def heard(self):
        """(type, flags, stream, payload) of what the server has said."""
        return frames(self.server.sender.take())

    def failed(self, events, code: ErrorCode) -> None:
        assert isinstance(events[-1], Failed), events
        assert events[-1].code is code, events[-1]
        kind, _, _, payload = self.heard()[-1]
        assert (kind, int.from_bytes(payload[4:8])) == (GOAWAY, code)
        assert self.say(frame(PING, 0, 0, bytes(8))) == []  # nothing is read any more

    def reset(self, number: int, code: ErrorCode) -> None:
        assert (RST_STREAM, 0, number, code.to_bytes(4)) in self.heard()


def frames(data: bytes):
    found = []
    at = 0
    while at < len(data):
        high, low, kind, flags, number = HEAD.unpack_from(data, at)
        size = high << 16 | low
        found.append((kind, flags, number, data[at + 9 : at + 9 + size]))
        at += 9 + size
    return found


def told(events):
    """Events without their streams, so that they can be compared."""
    rows = []
    for event in events:
        match event:
            case Opened():
                rows.append(("opened", event.stream.id, event.stream.head.path, event.ends))
            case Data():
                rows.append(("data", event.stream.id, event.data, event.ends))
            case Ended():
                rows.append(("ended", event.stream.id, event.trailers.fields))
            case Reset():
                rows.append(("reset", event.stream.id, event.code, event.is_ours))
            case _:
                rows.append(event)
    return rows


def test_a_request_and_its_reply():
    peer = Peer()
    events = peer.open(1)
    events += peer.say(frame(DATA, END_STREAM, 1, b"body"))
    assert told(events) == [("opened", 1, b"/a", False), ("data", 1, b"body", True)]
    stream = events[0].stream
    peer.server.sender.reply(stream, b"\x88", b"answer", b"\x89")
    peer.server.tidy()
    assert peer.heard() == [
        (HEADERS, END_HEADERS, 1, b"\x88"),
        (DATA, 0, 1, b"answer"),
        (HEADERS, EVERY, 1, b"\x89"),
    ]
    assert peer.server.streams == {}


@given(st.lists(st.integers(0, 4000), max_size=12))
@settings(deadline=None)
def test_any_cut_of_the_bytes_gives_the_same_events(at):
    client = hpack.Encoder()
    whole = HELLO + b"".join(
        [
            frame(HEADERS, END_HEADERS, 1, client.encode(REQUEST)),
            frame(DATA, 8, 1, b"\x03abc\0\0\0"),
            frame(PING, ACK, 0, b"12345678"),
            frame(HEADERS, EVERY | 0x20, 3, b"\0\0\0\0\x10" + client.encode(REQUEST)),
            frame(0x77, 0, 0, b"unknown"),
            frame(DATA, 0, 1, b"x" * 3000),
            frame(HEADERS, EVERY, 1, client.encode([(b"trailer", b"1")])),
            frame(RST_STREAM, 0, 3, (8).to_bytes(4)),
            frame(GOAWAY, 0, 0, (0).to_bytes(4) + (0).to_bytes(4) + b"bye"),
        ]
    )
    expected = [
        ("opened", 1, b"/a", False),
        ("data", 1, b"abc", False),
        Ponged(b"12345678"),
        ("opened", 3, b"/a", True),
        ("data", 1, b"x" * 3000, False),
        ("ended", 1, ((b"trailer", b"1"),)),
        ("reset", 3, 8, False),
        GoneAway(0, 0, b"bye"),
    ]
    places = [0, *sorted(each % (len(whole) + 1) for each in at), len(whole)]
    server = Http2()
    events = []
    for start, stop in itertools.pairwise(places):
        events += server.receive(whole[start:stop])
    assert told(events) == expected
    server = Http2()
    events = [event for at in range(len(whole)) for event in server.receive(whole[at : at + 1])]
    assert told(events) == expected


def test_a_block_may_come_in_pieces_and_nothing_may_come_between():
    peer = Peer()
    block = peer.block()
    events = peer.say(
        frame(HEADERS, END_STREAM, 1, block[:2]),
        frame(CONTINUATION, 0, 1, block[2:3]),
        frame(CONTINUATION, END_HEADERS, 1, block[3:]),
    )
    assert told(events) == [("opened", 1, b"/a", True)]
    peer.failed(
        peer.say(frame(HEADERS, 0, 3, b"\x82"), frame(PING, 0, 0, bytes(8))), ErrorCode.PROTOCOL_ERROR
    )


@pytest.mark.parametrize("pieces", [[b"\x82"] * 20, [b"x" * 16_000] * 6])
def test_a_block_without_end_is_refused(pieces):
    peer = Peer()
    events = peer.say(frame(HEADERS, 0, 1, b"\x82"), *(frame(CONTINUATION, 0, 1, piece) for piece in pieces))
    peer.failed(events, ErrorCode.ENHANCE_YOUR_CALM)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (frame(DATA, 0, 1, b"x"), ErrorCode.PROTOCOL_ERROR),  # idle
        (frame(DATA, 0, 0, b"x"), ErrorCode.PROTOCOL_ERROR),
        (frame(HEADERS, EVERY, 2, b"\x82"), ErrorCode.PROTOCOL_ERROR),  # a number of ours
        (frame(HEADERS, EVERY, 1, b"\xbf"), ErrorCode.COMPRESSION_ERROR),
        (frame(CONTINUATION, EVERY, 1, b"\x82"), ErrorCode.PROTOCOL_ERROR),
        (frame(RST_STREAM, 0, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
        (frame(RST_STREAM, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
        (frame(WINDOW_UPDATE, 0, 0, bytes(4)), ErrorCode.PROTOCOL_ERROR),
        (window_frame(0, (1 << 31) - 1), ErrorCode.FLOW_CONTROL_ERROR),
        (frame(SETTINGS, 0, 0, b"\0"), ErrorCode.FRAME_SIZE_ERROR),
        (frame(SETTINGS, ACK, 0, b"123456"), ErrorCode.FRAME_SIZE_ERROR),
        (frame(SETTINGS, 0, 1), ErrorCode.PROTOCOL_ERROR),
        (settings_frame([(Setting.ENABLE_PUSH, 2)]), ErrorCode.PROTOCOL_ERROR),
        (settings_frame([(Setting.INITIAL_WINDOW_SIZE, 1 << 31)]), ErrorCode.FLOW_CONTROL_ERROR),
        (settings_frame([(Setting.MAX_FRAME_SIZE, 100)]), ErrorCode.PROTOCOL_ERROR),
        (frame(PING, 0, 0, b"1"), ErrorCode.FRAME_SIZE_ERROR),
        (frame(PING, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
        (frame(GOAWAY, 0, 0, b"1"), ErrorCode.FRAME_SIZE_ERROR),
        (frame(5, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
        (HEAD.pack(1, 0, DATA, 0, 1), ErrorCode.FRAME_SIZE_ERROR),  # before its payload has come
    ],
)
def test_faults_of_the_connection(said, code):
    peer = Peer()
    peer.failed(peer.say(said), code)


@pytest.mark.parametrize("hello", [b"GET / HTTP/1.1\r\n", PREFACE + frame(PING, 0, 0, bytes(8))])
def test_a_connection_begins_with_the_preface_and_settings(hello):
    server = Http2()
    assert server.receive(hello)[-1].code is ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "fields",
    [
        REQUEST[1:],
        (*REQUEST, (b":method", b"GET")),
        (*REQUEST, (b"X", b"1")),
        (*REQUEST, (b"a", b"1\n2")),
        (*REQUEST, (b"connection", b"close")),
        (*REQUEST, (b"te", b"gzip")),
        (*REQUEST, (b"a", b"1"), (b":authority", b"x")),
        ((b":status", b"200"), *REQUEST),
        (*REQUEST[:2], (b":path", b""), REQUEST[3]),
        (*REQUEST, (b"content-length", b"-1")),
        (*REQUEST, (b"content-length", b"1"), (b"content-length", b"2")),
    ],
)
def test_malformed_requests_are_reset_and_harm_no_other(fields):
    peer = Peer()
    assert peer.open(1, EVERY, fields=fields) == []
    peer.reset(1, ErrorCode.PROTOCOL_ERROR)
    assert told(peer.open(3, EVERY)) == [("opened", 3, b"/a", True)]


def test_a_body_has_the_length_that_was_announced():
    peer = Peer()
    fields = (*REQUEST, (b"content-length", b"3"))
    peer.open(1, fields=fields)
    assert told(peer.say(frame(DATA, END_STREAM, 1, b"ab"))) == [("reset", 1, 1, True)]
    peer.open(3, fields=fields)
    assert told(peer.say(frame(DATA, 0, 3, b"abcd"))) == [("reset", 3, 1, True)]
    peer.open(5, fields=fields)
    events = peer.say(frame(DATA, 0, 5, b"ab"), frame(DATA, END_STREAM, 5, b"c"))
    assert told(events)[-1] == ("data", 5, b"c", True)


def test_frames_behind_the_end_of_a_stream():
    peer = Peer()
    peer.open(1, EVERY)
    assert told(peer.say(frame(DATA, 0, 1, b"x"))) == [("reset", 1, ErrorCode.STREAM_CLOSED, True)]
    peer.reset(1, ErrorCode.STREAM_CLOSED)
    # Frames that crossed our RST_STREAM mean nothing.
    assert peer.say(frame(DATA, 0, 1, b"x"), frame(HEADERS, EVERY, 1, peer.block())) == []
    peer.open(3, EVERY)
    peer.say(reset_frame(3, ErrorCode.CANCEL))
    assert peer.say(window_frame(3, 1), reset_frame(3, ErrorCode.CANCEL)) == []
    peer.failed(peer.say(frame(DATA, 0, 3, b"x")), ErrorCode.STREAM_CLOSED)


def test_numbers_go_up():
    peer = Peer()
    peer.open(5, EVERY)
    peer.failed(peer.open(3, EVERY), ErrorCode.PROTOCOL_ERROR)


def test_streams_at_once_are_bounded():
    peer = Peer(Http2Limits(streams_max=2))
    peer.open(1)
    peer.open(3)
    assert peer.open(5) == []
    peer.reset(5, ErrorCode.REFUSED_STREAM)
    peer.say(reset_frame(1, ErrorCode.CANCEL))
    assert told(peer.open(7)) == [("opened", 7, b"/a", False)]


def test_streams_that_are_reset_again_and_again_end_the_connection():
    peer = Peer()
    for number in range(CALM_MAX + 1):
        events = peer.say(
            frame(HEADERS, EVERY, 2 * number + 1, peer.block()), reset_frame(2 * number + 1, ErrorCode.CANCEL)
        )
    peer.failed(events, ErrorCode.ENHANCE_YOUR_CALM)


def test_a_client_that_cancels_now_and_then_may():
    peer = Peer()
    for number in range(3 * CALM_MAX):
        if number % 50 == 0:
            peer.server.tick()
        events = peer.say(
            frame(HEADERS, EVERY, 2 * number + 1, peer.block()), reset_frame(2 * number + 1, ErrorCode.CANCEL)
        )
    assert not isinstance(events[-1], Failed)


def test_a_client_that_leaves_after_an_answer_may():
    peer = Peer()
    for number in range(CALM_MAX + 10):
        (opened,) = peer.open(2 * number + 1, EVERY)
        peer.server.sender.headers(opened.stream, b"\x88")
        events = peer.say(reset_frame(2 * number + 1, ErrorCode.CANCEL))
    assert told(events) == [("reset", 2 * number + 1, ErrorCode.CANCEL, False)]


def test_frames_without_content_end_the_connection():
    peer = Peer()
    peer.open(1)
    peer.failed(peer.say(*[frame(DATA, 0, 1)] * (CALM_MAX + 1)), ErrorCode.ENHANCE_YOUR_CALM)


def test_a_body_over_its_window_is_refused():
    peer = Peer(Http2Limits(window_bytes=70_000))
    stream = peer.open(1)[0].stream
    events = peer.say(*[frame(DATA, 0, 1, bytes(16_000))] * 4)
    assert len(events) == 4
    peer.server.consume(stream, 32_000)
    assert (WINDOW_UPDATE, 0, 1, (32_000).to_bytes(4)) in peer.heard()
    assert len(peer.say(*[frame(DATA, 0, 1, bytes(16_000))] * 2)) == 2
    assert told(peer.say(frame(DATA, 0, 1, bytes(16_000)))) == [
        ("reset", 1, ErrorCode.FLOW_CONTROL_ERROR, True)
    ]


def test_the_connections_window_is_given_back():
    peer = Peer(Http2Limits(window_bytes=1 << 20, connection_window_bytes=100_000))
    peer.open(1)
    given = 0
    for _ in range(30):
        peer.say(frame(DATA, 0, 1, bytes(16_000)))
        given += sum(int.from_bytes(row[3]) for row in peer.heard() if row[0] == WINDOW_UPDATE and not row[2])
    assert given > 400_000


# --- what is sent


def body(peer: Peer, number: int) -> bytes:
    return b"".join(payload for kind, _, at, payload in peer.heard() if kind == DATA and at == number)


def test_a_reply_waits_for_the_windows_of_stream_and_connection():
    peer = Peer(hello=PREFACE + settings_frame([(Setting.INITIAL_WINDOW_SIZE, 10)]))
    stream = peer.open(1, EVERY)[0].stream
    peer.server.sender.reply(stream, b"\x88", b"0123456789abcdef", b"\x89")
    assert peer.heard() == [(HEADERS, END_HEADERS, 1, b"\x88"), (DATA, 0, 1, b"0123456789")]
    assert stream.unsent == 6
    peer.say(window_frame(1, 4))
    assert peer.heard() == [(DATA, 0, 1, b"abcd")]
    peer.say(settings_frame([(Setting.INITIAL_WINDOW_SIZE, 8)]))  # the window is now -2
    peer.say(window_frame(1, 3))
    assert [row for row in peer.heard() if row[0] == DATA] == [(DATA, 0, 1, b"e")]
    peer.say(settings_frame([(Setting.INITIAL_WINDOW_SIZE, 100)]))
    assert [row for row in peer.heard() if row[0] != SETTINGS] == [
        (DATA, 0, 1, b"f"),
        (HEADERS, EVERY, 1, b"\x89"),
    ]
    assert peer.server.streams == {}


def test_the_end_of_a_stream_needs_no_window():
    """Nor where the client has taken back what it had given."""
    peer = Peer(hello=PREFACE + settings_frame([(Setting.INITIAL_WINDOW_SIZE, 5)]))
    stream = peer.open(1, EVERY)[0].stream
    peer.server.sender.headers(stream, b"\x88")
    peer.server.sender.data(stream, b"abcde")
    peer.say(settings_frame([(Setting.INITIAL_WINDOW_SIZE, 0)]))
    assert stream.send_window == -5
    peer.heard()
    peer.server.sender.data(stream, b"", ends=True)
    assert peer.heard() == [(DATA, END_STREAM, 1, b"")]


def test_a_frame_is_cut_from_a_long_body_without_a_copy_of_the_rest():
    peer = Peer()
    stream = peer.open(1, EVERY)[0].stream
    body = bytes(1 << 20)
    peer.server.sender.reply(stream, b"\x88", body, b"\x89")
    peer.heard()
    for _ in range(3):
        peer.say(window_frame(0, 20_000), window_frame(1, 20_000))
        assert [len(row[3]) for row in peer.heard()] == [16384, 20_000 - 16384]
        assert stream.queue[0].obj is body


def test_a_client_that_goes_on_behind_the_reply_is_told_to_stop():
    peer = Peer(hello=PREFACE + settings_frame([(Setting.INITIAL_WINDOW_SIZE, 1)]))
    stream = peer.open(1)[0].stream
    peer.server.sender.reply(stream, b"\x88", b"xy", b"\x89")
    assert RST_STREAM not in [row[0] for row in peer.heard()]  # the reply is not whole yet
    assert told(peer.say(frame(DATA, 0, 1, b"more"))) == [("data", 1, b"more", False)]
    peer.say(window_frame(1, 1))
    assert [row[0] for row in peer.heard()] == [DATA, HEADERS, RST_STREAM]
    assert peer.server.streams == {}
    assert peer.say(frame(DATA, END_STREAM, 1, b"late")) == []


def test_streams_that_wait_take_turns():
    peer = Peer(hello=PREFACE + settings_frame([(Setting.INITIAL_WINDOW_SIZE, 1 << 20)]))
    streams = [peer.open(number, EVERY)[0].stream for number in (1, 3)]
    peer.heard()
    for stream in streams:
        peer.server.sender.data(stream, bytes(100_000), ends=True)
    assert sum(len(row[3]) for row in peer.heard()) == 65_535
    peer.say(window_frame(0, 65_536))
    assert {number for _, _, number, _ in peer.heard()} == {1, 3}
    peer.say(window_frame(0, 1 << 20))
    assert [row[1] for row in peer.heard()].count(END_STREAM) == 2
    assert peer.server.streams == {}


def test_nothing_is_taken_from_queues_while_the_socket_is_full():
    peer = Peer()
    stream = peer.open(1, EVERY)[0].stream
    sender = peer.server.sender
    sender.is_congested = True
    sender.reply(stream, b"\x88", b"x", b"\x89")
    assert [row[0] for row in peer.heard()] == [HEADERS]
    sender.is_congested = False
    sender.pump()
    assert [row[0] for row in peer.heard()] == [DATA, HEADERS]


def test_large_pieces_are_cut_to_the_frames_that_the_peer_takes():
    peer = Peer(hello=PREFACE + settings_frame([(Setting.INITIAL_WINDOW_SIZE, 1 << 20)]))
    peer.say(window_frame(0, 1 << 20))
    stream = peer.open(1, EVERY)[0].stream
    peer.heard()
    peer.server.sender.data(stream, bytes(40_000))
    assert [len(row[3]) for row in peer.heard()] == [16_384, 16_384, 7_232]
    peer.say(settings_frame([(Setting.MAX_FRAME_SIZE, 30_000)]))
    peer.heard()
    peer.server.sender.data(stream, bytes(40_000))
    assert [len(row[3]) for row in peer.heard()] == [30_000, 10_000]


def test_a_reset_drops_what_waits():
    peer = Peer(hello=PREFACE + settings_frame([(Setting.INITIAL_WINDOW_SIZE, 0)]))
    stream = peer.open(1, EVERY)[0].stream
    peer.server.sender.data(stream, b"x", ends=True)
    peer.heard()
    assert told(peer.say(reset_frame(1, ErrorCode.CANCEL))) == [("reset", 1, 8, False)]
    peer.say(settings_frame([(Setting.INITIAL_WINDOW_SIZE, 100)]))
    assert [row[0] for row in peer.heard()] == [SETTINGS]


# --- two ends of our own


def pass_on(client: Http2, server: Http2):
    """Let both ends talk until neither has anything to say; the events of each."""
    found: tuple[list, list] = ([], [])
    while client.sender.out or server.sender.out:
        found[1].extend(server.receive(client.sender.take()))
        found[0].extend(client.receive(server.sender.take()))
    return found


@given(st.lists(st.binary(max_size=100_000), min_size=1, max_size=5), st.booleans())
@settings(max_examples=40, deadline=None)
def test_bodies_of_any_size_pass_both_ways(pieces, at_once):
    client, server = Http2(is_client=True), Http2()
    pass_on(client, server)
    stream = client.open()
    client.sender.headers(stream, client.sender.encoder.encode(REQUEST))
    for piece in pieces:
        client.sender.data(stream, piece)
    client.sender.data(stream, b"", ends=True)
    theirs = pass_on(client, server)[1]
    opened = theirs[0].stream
    sent = b"".join(event.data for event in theirs if isinstance(event, Data))
    assert sent == b"".join(pieces)
    if at_once:
        server.sender.reply(opened, b"\x88", sent, b"\x89")
    else:
        server.sender.headers(opened, b"\x88")
        for piece in pieces:
            server.sender.data(opened, piece)
        server.sender.data(opened, b"", ends=True)
    ours = drain(client, server, stream)
    assert b"".join(event.data for event in ours if isinstance(event, Data)) == sent
    server.tidy()
    assert client.streams == server.streams == {}


def drain(client: Http2, server: Http2, stream: Stream):
    found = []
    while client.sender.out or server.sender.out:
        for event in client.receive(server.sender.take()):
            found.append(event)
            if isinstance(event, Data):
                client.consume(stream, event.flow_bytes)
        server.receive(client.sender.take())
    return found


def test_a_client_hears_of_leaving_and_of_interim_replies():
    client, server = Http2(is_client=True), Http2()
    pass_on(client, server)
    stream = client.open()
    client.sender.headers(stream, client.sender.encoder.encode(REQUEST), ends=True)
    pass_on(client, server)
    said = frame(HEADERS, END_HEADERS, 1, hpack.Encoder().encode([(b":status", b"103")]))
    assert client.receive(said) == []
    server.leave(is_final=True)
    events = client.receive(server.sender.take())
    assert events == [GoneAway(1, 0, b"")]
    assert client.receive(frame(5, 0, 1, bytes(8)))[-1].code is ErrorCode.PROTOCOL_ERROR  # a push


def test_a_server_that_leaves_takes_no_more_streams():
    peer = Peer()
    peer.open(1, EVERY)
    peer.server.leave(is_final=True)
    assert peer.open(3, EVERY) == []
    assert (GOAWAY, 0, 0, (1).to_bytes(4) + bytes(4)) in peer.heard()


# --- any peer at all

KINDS = st.sampled_from([*range(11), 0x77])
NUMBERS = st.sampled_from([0, 1, 1, 1, 2, 3, 3, 5, 7, (1 << 31) - 1])
BLOCKS = st.sampled_from(
    [
        hpack.Encoder().encode(REQUEST),
        hpack.Encoder().encode([*REQUEST, (b"content-length", b"3")]),
        hpack.Encoder().encode([(b"trailer", b"1")]),
        hpack.Encoder().encode([(b":status", b"200")]),
    ]
)
PAYLOADS = BLOCKS | st.binary(max_size=12) | st.sampled_from([bytes(4), bytes(5), bytes(8), b"\xff" * 6])
FRAMES = st.builds(frame, KINDS, st.sampled_from([0, 1, 4, 5, 8, 13, 0x20, 0x25, 0xFF]), NUMBERS, PAYLOADS)


@given(st.lists(FRAMES, max_size=30), st.integers(0, 3), st.booleans())
@settings(max_examples=500, deadline=None)
def test_no_frames_are_too_odd(said, replies, is_client):
    """Whatever comes, there is an event or a fault; and what is sent stays whole frames."""
    end = Http2(is_client=is_client)
    if is_client:
        stream = end.open()
        end.sender.headers(stream, end.sender.encoder.encode(REQUEST))
        end.sender.data(stream, bytes(100_000))
    hello = settings_frame([]) if is_client else HELLO
    over = False
    for data in [hello, *said]:
        for event in end.receive(data):
            assert not over
            over = isinstance(event, Failed)
            if isinstance(event, Opened) and not is_client and replies:
                replies -= 1
                end.sender.reply(event.stream, b"\x88", bytes(70_000), b"\x89")
            if isinstance(event, Data):
                end.consume(event.stream, event.flow_bytes)
        end.tidy()
        out = end.sender.take()
        parsed = frames(out.removeprefix(PREFACE))
        assert sum(9 + len(row[3]) for row in parsed) == len(out.removeprefix(PREFACE))
    assert end.is_failed == over
