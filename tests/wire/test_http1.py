"""How replies become bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cloudlet.wire.http1 import (
    FileBody,
    Head,
    HeaderInjection,
    Response,
    plan_reply,
    render_chunk,
    render_head,
    render_plain,
    render_planned,
)


def test_a_rendered_head_has_our_lines_before_the_face_s() -> None:
    head = render_head(200, [(b"a", b"1"), (b"b", b"2")], b"date: now\r\n")
    assert head == b"HTTP/1.1 200 OK\r\ndate: now\r\na: 1\r\nb: 2\r\n\r\n"
    assert render_plain(404, [(b"a", b"1")], b"date: now\r\n", b"xy") == (
        b"HTTP/1.1 404 Not Found\r\ndate: now\r\na: 1\r\ncontent-length: 2\r\n\r\nxy"
    )
    assert render_head(299, [], b"") == b"HTTP/1.1 299 \r\n\r\n"


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\nb", b"a\rb", b"a\r\n", b"a\n", b"\r"])
def test_a_line_break_in_a_header_never_leaves(value: bytes) -> None:
    with pytest.raises(HeaderInjection):
        render_head(200, [(b"a", value)], b"")
    with pytest.raises(HeaderInjection):
        render_plain(200, [(b"a", value)], b"", b"")


def test_chunks() -> None:
    assert render_chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
    assert render_chunk(b"") == b""


async def pieces() -> AsyncIterator[bytes]:
    yield b"1"


def head(method: str = "GET", minor: int = 1, *, keep_alive: bool = True) -> Head:
    return Head(
        method=method,
        target=b"/",
        path=b"/",
        query=b"",
        headers={},
        keep_alive=keep_alive,
        content_length=None,
        chunked=False,
        expect_continue=False,
        minor_version=minor,
    )


FILE = FileBody(0, 10, 15, lambda: None)
# method, minor version, status, body, said length -> length, empty, chunked, keep
PLANS = [
    ("GET", 1, 200, b"abc", None, (3, False, False, True)),
    ("GET", 0, 200, b"abc", None, (3, False, False, True)),
    ("GET", 1, 200, FILE, None, (5, False, False, True)),
    ("GET", 1, 200, None, None, (None, False, True, True)),
    ("GET", 1, 200, None, 7, (7, False, False, True)),
    ("GET", 0, 200, None, None, (None, False, False, False)),
    ("GET", 0, 200, None, 7, (7, False, False, True)),
    ("HEAD", 1, 200, b"", 99, (99, True, False, True)),
    ("HEAD", 1, 200, b"abc", None, (3, True, False, True)),
    ("HEAD", 0, 200, None, None, (None, True, False, True)),
    ("HEAD", 1, 200, FILE, None, (5, True, False, True)),
    ("GET", 1, 204, b"", None, (None, True, False, True)),
    ("GET", 1, 304, b"", None, (None, True, False, True)),
    ("GET", 1, 304, b"", 99, (99, True, False, True)),
]


@pytest.mark.parametrize(("method", "minor", "status", "body", "said", "expected"), PLANS)
def test_the_framing_of_replies(
    method: str,
    minor: int,
    status: int,
    body: bytes | FileBody | None,
    said: int | None,
    expected: tuple[int | None, bool, bool, bool],
) -> None:
    response = Response(status, [], pieces() if body is None else body, said)
    plan = plan_reply(head(method, minor), response, may_keep=True)
    assert (plan.length, plan.empty, plan.chunked, plan.keep) == expected
    rendered = render_planned(plan, head(method, minor), response, b"")
    assert (b"content-length" in rendered) == (plan.length is not None)
    assert (b"chunked" in rendered) == plan.chunked
    assert (b"connection: close" in rendered) == (not plan.keep)
    assert (b"connection: keep-alive" in rendered) == (plan.keep and minor == 0)
    assert not plan_reply(head(method, minor), response, may_keep=False).keep
    assert not plan_reply(head(method, minor, keep_alive=False), response, may_keep=True).keep
