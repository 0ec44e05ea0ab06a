"""The HTTP/1.1 codec: each script whole, byte by byte, in any cut, and with more behind it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.wire.http1 import Request
from cloudlet.wire.http1_receiver import Ending, Event, Opening, ReceiveLimits, Receiver, Refusal

SMALL = ReceiveLimits(
    head_bytes_max=400, fields_max=8, target_bytes_max=100, body_buffer_max=20, body_bytes_max=60
)
NEXT = b"GET /next HTTP/1.1\r\nHost: n\r\n\r\n"


def trace(events: list[Event]) -> list[str]:
    """The events as text; the cuts of a streamed body do not show."""
    out: list[str] = []
    body: bytes | None = None
    for event in events:
        if isinstance(event, bytes):
            body = (body or b"") + event
            continue
        if body is not None:
            out.append(f"part {body.decode()}")
            body = None
        if isinstance(event, Request | Opening):
            head = event.head
            text = [type(event).__name__.lower(), head.method, head.path.decode()]
            if head.query:
                text.append("?" + head.query.decode())
            text += [f"{k.decode()}={v.decode()}" for k, v in head.headers.items()]
            text += [] if head.keep_alive else ["last"]
            text += [f"length {head.content_length}"] if head.content_length is not None else []
            text += ["chunked"] if head.chunked else []
            text += ["expects"] if head.expect_continue else []
            text += [f"body {event.body.decode()}"] if isinstance(event, Request) and event.body else []
            out.append(" ".join(text))
        elif isinstance(event, Ending):
            out.append("ending" + "".join(f" {k.decode()}={v.decode()}" for k, v in event.trailers.items()))
        elif isinstance(event, Refusal):
            out.append(f"refusal {event.status}")
    if body is not None:
        out.append(f"part {body.decode()}")
    return out


def receive(cuts: list[bytes]) -> list[str]:
    receiver = Receiver(SMALL)
    events: list[Event] = []
    for cut in cuts:
        events += receiver.feed(cut)
    return trace(events)


H = b"Host: h\r\n"
NEXT_TRACE = "request GET /next host=n"
# name -> (bytes, trace, whether the connection goes on)
SCRIPTS: dict[str, tuple[bytes, list[str], bool]] = {
    "get": (b"GET / HTTP/1.1\r\n" + H + b"\r\n", ["request GET / host=h"], True),
    "target is kept raw": (
        b"GET //a%2Fb/../%c3%a9?x=1&y?=%20 HTTP/1.1\r\n" + H + b"\r\n",
        ["request GET //a%2Fb/../%c3%a9 ?x=1&y?=%20 host=h"],
        True,
    ),
    "absolute form": (
        b"GET http://other:80/a?b HTTP/1.1\r\n" + H + b"\r\n",
        ["request GET /a ?b host=other:80"],
        True,
    ),
    "absolute form without path": (
        b"GET http://other HTTP/1.1\r\n" + H + b"\r\n",
        ["request GET / host=other"],
        True,
    ),
    "asterisk form": (b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n", ["request OPTIONS * host=h"], True),
    "blank lines before": (b"\r\n\r\nGET / HTTP/1.1\r\n" + H + b"\r\n", ["request GET / host=h"], True),
    "fields": (
        b"GET / HTTP/1.1\r\nHost:h\r\nX-A: \t 1  \t\r\nx-a:2\r\nEmpty:\r\n\r\n",
        ["request GET / host=h x-a=1,2 empty="],
        True,
    ),
    "body": (
        b"POST /p HTTP/1.1\r\n" + H + b"Content-Length: 5\r\n\r\nhello",
        ["request POST /p host=h content-length=5 length 5 body hello"],
        True,
    ),
    "empty body": (
        b"POST /p HTTP/1.1\r\n" + H + b"Content-Length: 0\r\nExpect: 100-continue\r\n\r\n",
        ["request POST /p host=h content-length=0 expect=100-continue length 0 expects"],
        True,
    ),
    "long body": (
        b"PUT /p HTTP/1.1\r\n" + H + b"Content-Length: 25\r\n\r\n" + b"abcde" * 5,
        ["opening PUT /p host=h content-length=25 length 25", "part " + "abcde" * 5, "ending"],
        True,
    ),
    "expect": (
        b"PUT /p HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nExpect: 100-Continue\r\n\r\nabc",
        [
            "opening PUT /p host=h content-length=3 expect=100-Continue length 3 expects",
            "part abc",
            "ending",
        ],
        True,
    ),
    "chunked": (
        b"PUT /p HTTP/1.1\r\n"
        + H
        + b"Transfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n02\r\nde\r\n0\r\nT-A: 1 \r\nt-b: 2\r\n\r\n",
        ["opening PUT /p host=h transfer-encoding=Chunked chunked", "part abcde", "ending t-a=1 t-b=2"],
        True,
    ),
    "chunked and empty": (
        b"PUT /p HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ["opening PUT /p host=h transfer-encoding=chunked chunked", "ending"],
        True,
    ),
    "upgrade is ignored": (
        b"POST /p HTTP/1.1\r\n" + H + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nab",
        ["request POST /p host=h connection=Upgrade upgrade=h2c content-length=2 length 2 body ab"],
        True,
    ),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", ["request GET / last"], False),
    "HTTP/1.0 keep-alive": (
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n",
        ["request GET / connection=keep-alive expect=100-continue"],
        True,
    ),
    "close": (
        b"GET / HTTP/1.1\r\nConnection: close\r\n" + H + b"\r\n",
        ["request GET / connection=close host=h last"],
        False,
    ),
    "long body, then close": (
        b"PUT / HTTP/1.1\r\nConnection: close\r\n" + H + b"Content-Length: 21\r\n\r\n" + b"x" * 21,
        [
            "opening PUT / connection=close host=h content-length=21 last length 21",
            "part " + "x" * 21,
            "ending",
        ],
        False,
    ),
}
# name -> (bytes, status): what is refused, and before anything of the request is given out
REFUSED: dict[str, tuple[bytes, int]] = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\n" + H + H + b"\r\n", 400),
    "length and coding": (
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "coding and length": (
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two lengths": (
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        400,
    ),
    "signed length": (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: +3\r\n\r\nabc", 400),
    "list of lengths": (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    "huge length": (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
    "length over the limit": (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 61\r\n\r\n", 413),
    "other coding": (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    "coding list": (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "coding in HTTP/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "other expectation": (b"PUT / HTTP/1.1\r\n" + H + b"Expect: 200-ok\r\nContent-Length: 1\r\n\r\na", 417),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\n" + H + b"\r\n", 505),
    "preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "unknown method": (b"BREW / HTTP/1.1\r\n" + H + b"\r\n", 400),
    "connect": (b"CONNECT a:1 HTTP/1.1\r\n" + H + b"\r\n", 501),
    "blank before colon": (b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
    "folded line": (b"GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n 2\r\n\r\n", 400),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: h\n\n", 400),
    "control character in target": (b"GET /\x01 HTTP/1.1\r\n" + H + b"\r\n", 400),
    "NUL in field": (b"GET / HTTP/1.1\r\n" + H + b"A: \0\r\n\r\n", 400),
    "long target": (b"GET /" + b"a" * 100 + b" HTTP/1.1\r\n" + H + b"\r\n", 414),
    "many fields": (b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: 1\r\n" % i for i in range(9)) + b"\r\n", 431),
    "many repeated fields": (b"GET / HTTP/1.1\r\n" + H + b"a: 1\r\n" * 9 + b"\r\n", 431),
    "long head": (
        b"GET / HTTP/1.1\r\n" + H + b"a: " + b"x" * 200 + b"\r\nb: " + b"y" * 200 + b"\r\n\r\n",
        431,
    ),
    "not HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_whole_and_byte_by_byte_and_with_more_behind(name: str) -> None:
    data, expected, goes_on = SCRIPTS[name]
    assert receive([data]) == expected
    assert receive([bytes([byte]) for byte in data]) == expected
    behind = [*expected, NEXT_TRACE] if goes_on else expected
    assert receive([data + NEXT]) == behind
    assert receive([data, NEXT]) == behind
    assert receive([bytes([byte]) for byte in data + NEXT]) == behind


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_whole_and_byte_by_byte_and_nothing_is_read_after(name: str) -> None:
    data, status = REFUSED[name]
    expected = [f"refusal {status}"]
    assert receive([data]) == expected
    assert receive([bytes([byte]) for byte in data]) == expected
    assert receive([NEXT + data + NEXT]) == [NEXT_TRACE, *expected]


def test_an_endless_head_is_refused_before_it_ends() -> None:
    receiver = Receiver(SMALL)
    events = receiver.feed(b"GET / HTTP/1.1\r\n" + H + b"a: ")
    pieces = 0
    while not events:
        events = receiver.feed(b"x" * 50)
        pieces += 1
    assert trace(events) == ["refusal 431"]
    assert pieces == 8


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_cut_of_any_sequence_gives_the_same_events(data: st.DataObject) -> None:
    scripts = data.draw(st.lists(st.sampled_from(sorted(SCRIPTS)), min_size=1, max_size=4))
    stream = b"".join(SCRIPTS[name][0] for name in scripts)
    expected: list[str] = []
    for name in scripts:
        expected += SCRIPTS[name][1]
        if not SCRIPTS[name][2]:
            break
    points = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    cuts = [stream[a:b] for a, b in zip([0, *points], [*points, len(stream)], strict=True) if a < b]
    assert receive(cuts) == expected


@settings(deadline=None, max_examples=150)
@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"GET / HTTP/1.1\r\nHost: h\r\n", b"\r\n"])))
def test_random_bytes_never_crash_and_only_a_refusal_is_last(cuts: list[bytes]) -> None:
    receiver = Receiver(SMALL)
    events = [event for cut in cuts for event in receiver.feed(cut)]
    refusals = [event for event in events if isinstance(event, Refusal)]
    assert len(refusals) <= 1
    if refusals:
        assert events[-1] is refusals[0]
        assert receiver.dead


@pytest.mark.parametrize("framing", [b"x\r\n", b"-1\r\n", b"fffffffffffffffff\r\n", b"1\r\nabc"])
def test_a_broken_chunk_is_refused_after_what_came_before(framing: bytes) -> None:
    head = b"PUT / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"
    got = receive([head + b"2\r\nab\r\n" + framing])
    assert got[0].startswith("opening")
    assert got[1].startswith("part ab")
    assert got[-1] == "refusal 400"


def test_a_chunked_body_over_the_limit_is_refused() -> None:
    head = b"PUT / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"
    assert receive([head + b"20\r\n" + b"x" * 32 + b"\r\n20\r\n" + b"x" * 32])[-1] == "refusal 413"


def test_the_state_between_and_inside_messages() -> None:
    receiver = Receiver(SMALL)
    assert (bool(receiver.idle), receiver.in_body) == (True, False)
    receiver.feed(b"P")
    assert (bool(receiver.idle), receiver.in_body) == (False, False)
    receiver.feed(b"UT / HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\n12")
    assert (bool(receiver.idle), receiver.in_body, receiver.body_left) == (False, True, 28)
    receiver.feed(b"x" * 8)
    assert receiver.body_left == 20
    receiver.feed(b"x" * 20)
    assert (bool(receiver.idle), receiver.in_body, receiver.body_left) == (True, False, 0)


def test_a_streamed_body_is_handed_on_uncopied() -> None:
    receiver = Receiver(SMALL)
    receiver.feed(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\n")
    piece = b"x" * 30
    assert receiver.feed(piece)[0] is piece


def test_a_closed_receiver_hears_nothing() -> None:
    receiver = Receiver(SMALL)
    receiver.close()
    receiver.close()
    assert receiver.feed(NEXT) == []
