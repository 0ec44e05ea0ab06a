"""The HTTP server over real sockets, on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import itertools
import logging
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.shell.http_face import Client, Face

from cloudlet.shell import http_line
from cloudlet.shell.http import Limits, Server, http_date, serve
from cloudlet.shell.http_line import TURN_BYTES
from cloudlet.wire.http1_receiver import ReceiveLimits

H = b"Host: h\r\n"
QUICK = Limits(head_ms=60, body_ms=60, idle_ms=60, write_ms=60, linger_ms=60)


class World:
    """A server, its face, and its clients."""

    def __init__(self, face: Face, server: Server) -> None:
        self.face = face
        self.server = server
        self.port = server.ports[0]
        self.clients: list[Client] = []

    async def client(self) -> Client:
        client = await Client.connect(self.port)
        self.clients.append(client)
        return client


@asynccontextmanager
async def world(limits: Limits = Limits(), **more: Any) -> AsyncIterator[World]:  # noqa: B008
    face = Face()
    it = World(face, await serve(face, host="127.0.0.1", port=0, limits=limits, **more))
    try:
        yield it
    finally:
        for client in it.clients:
            await client.close()
        await it.server.close(grace_ms=1000)
        assert it.server.connections == 0


def get(path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: h", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def put(path: str, body: bytes, *fields: str) -> bytes:
    return get(path, f"Content-Length: {len(body)}", *fields, method="PUT") + body


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it holds; the runner's deadline bounds it."""
    while not condition():
        await asyncio.sleep(0.001)


# Replies


def test_a_connection_serves_many_requests(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            for number in range(3):
                client.send(put("/echo", b"%d" % number))
                status, fields, body = await client.reply()
                assert (status, body) == (200, b"%d" % number)
                assert fields["content-length"] == "1"
                assert fields["content-type"] == "text/plain"
                assert fields["date"].endswith("GMT")
                assert "connection" not in fields
            client.send(put("/task", b"x"))
            assert (await client.reply())[2] == b"task x"

    run(main)


def test_pipelined_requests_are_answered_in_order_one_at_a_time(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/1") + get("/wait") + put("/task", b"2") + get("/iterate?5") + get("/3"))
            assert (await client.reply())[2] == b"hello /1"
            await w.face.waiting.wait()
            assert w.face.seen == ["GET /1", "GET /wait"]
            w.face.gate.set()
            bodies = [(await client.reply())[2] for _ in range(4)]
            assert bodies == [b"message", b"task 2", b"0124", b"hello /3"]

    run(main)


def test_a_client_of_many_pipelined_requests_leaves_turns_to_others(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            turns = [0]

            async def count() -> None:
                while True:
                    turns.append(len(w.face.seen))
                    await asyncio.sleep(0)

            counting = asyncio.ensure_future(count())
            client.send(get("/x") * 20_000)
            for _ in range(20_000):
                assert (await client.reply())[2] == b"hello /x"
            counting.cancel()
            served = [after - before for before, after in itertools.pairwise(turns)]
            assert max(served) <= 2 * TURN_BYTES // len(get("/x")) + 2  # a read, and what an earlier one left
            assert len(w.face.seen) == 20_000

    run(main)


def test_reading_stops_when_many_requests_wait(run) -> None:
    async def main() -> None:
        async with world(Limits(pipelined_max=4)) as w:
            client = await w.client()
            many = get("/x" + "y" * 1000) * 40_000
            client.send(get("/wait"))
            await w.face.waiting.wait()
            client.send(many)
            sending = asyncio.ensure_future(client.writer.drain())
            left = -1
            transport = client.writer.transport
            while left != transport.get_write_buffer_size():
                left = transport.get_write_buffer_size()
                await asyncio.sleep(0.05)
            assert left > len(many) // 2  # the rest waits in the client
            w.face.gate.set()
            assert (await client.reply())[2] == b"message"
            for _ in range(40_000):
                assert (await client.reply())[0] == 200
            await sending

    run(main)


def test_http_1_0(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            _, fields, body = await client.reply()
            assert (fields["connection"], body) == ("keep-alive", b"hello /a")
            client.send(b"GET /iterate?3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            _, fields, body = await client.reply()
            assert (fields["connection"], body) == ("close", b"012")
            assert "transfer-encoding" not in fields
            client = await w.client()
            client.send(b"GET /a HTTP/1.0\r\n\r\n")
            _, fields, body = await client.reply()
            assert (fields["connection"], body) == ("close", b"hello /a")
            assert await client.ended() == b""

    run(main)


def test_connection_close_is_obeyed_and_said(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/a", "Connection: close") + get("/b"))
            assert (await client.reply())[1]["connection"] == "close"
            assert await client.ended() == b""
            assert w.face.seen == ["GET /a"]

    run(main)


@pytest.mark.parametrize(
    ("path", "length"),
    [
        ("/a", "8"),
        ("/length", "1234"),
        ("/iterate?3", None),
        ("/iterate-length?10", "10"),
        ("/file?2-7", "5"),
    ],
)
def test_head_has_the_length_but_no_body(run, tmp_path: Path, path: str, length: str | None) -> None:
    async def main() -> None:
        async with world() as w:
            w.face.file = tmp_path / "file"
            w.face.file.write_bytes(b"0123456789")
            client = await w.client()
            client.send(get(path, method="HEAD") + get("/next"))
            status, fields, _ = await client.reply(empty=True)
            assert (status, fields.get("content-length")) == (200, length)
            assert (await client.reply())[2] == b"hello /next"

    run(main)


@pytest.mark.parametrize(("status", "length"), [(204, None), (304, None), (200, "0"), (500, "0")])
def test_replies_without_a_body(run, status: int, length: str | None) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get(f"/status/{status}") + get("/next"))
            got, fields, _ = await client.reply()
            assert (got, fields.get("content-length")) == (status, length)
            assert (await client.reply())[2] == b"hello /next"

    run(main)


@pytest.mark.parametrize("size", [0, 1, 300_000, 5_000_000])
def test_files(run, tmp_path: Path, size: int) -> None:
    async def main() -> None:
        async with world() as w:
            w.face.file = tmp_path / "file"
            content = hashlib.shake_128(b"file").digest(size + 20)
            w.face.file.write_bytes(content)
            client = await w.client()
            client.send(get(f"/file?7-{size + 7}") + get("/next"))
            _, fields, body = await client.reply()
            assert fields["content-length"] == str(size)
            assert body == content[7 : size + 7]
            assert (await client.reply())[2] == b"hello /next"
            assert len(w.face.closed) == 1

    run(main)


@pytest.mark.parametrize("path", ["/file?0-30000000", "/large?30000000", "/iterate-length?9"])
def test_the_last_reply_ends_after_it_was_held_back(run, tmp_path: Path, path: str) -> None:
    async def main() -> None:
        async with world() as w:
            w.face.file = tmp_path / "file"
            with w.face.file.open("wb") as file:
                file.truncate(30_000_000)
            client = await w.client()
            client.send(get("/large?3000000") + get(path, "Connection: close"))
            assert len((await client.reply())[2]) == 3_000_000
            _, fields, body = await client.reply()
            assert len(body) == int(fields["content-length"])
            assert await client.ended() == b""

    run(main)


def test_a_file_that_is_too_short_breaks_the_connection(run, tmp_path: Path, caplog) -> None:
    async def main() -> None:
        async with world() as w:
            w.face.file = tmp_path / "file"
            w.face.file.write_bytes(b"0123456789")
            client = await w.client()
            client.send(get("/file?0-20"))
            await client.head()
            assert len(await client.ended()) <= 10
            assert len(w.face.closed) == 1

    run(main)
    assert "the file ends at 10, not at 20" in caplog.text


def test_iterators_go_out_in_chunks_or_with_the_length_that_was_said(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/iterate?6"))
            _, fields, body = await client.reply()
            assert fields["transfer-encoding"] == "chunked"
            assert "content-length" not in fields
            assert body == b"01245"
            client.send(get("/iterate-length?9"))
            _, fields, body = await client.reply()
            assert (fields["content-length"], body) == ("9", b"012456789")

    run(main)


@pytest.mark.parametrize(("said", "complaint"), [(12, "ended after 9"), (3, "went on")])
def test_an_iterator_of_another_length_breaks_the_connection(run, caplog, said: int, complaint: str) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get(f"/iterate-length?{said}"))
            await client.head()
            assert len(await client.ended()) <= 9

    run(main)
    assert complaint in caplog.text


def test_a_slow_reader_holds_an_iterator_back(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/endless"))
            await client.head()
            pieces = -1
            while pieces != w.face.pieces:
                pieces = w.face.pieces
                await asyncio.sleep(0.05)
            assert pieces < 200
            client.abort()
            await w.face.gone.wait()

    run(main)


def test_a_large_body_reaches_a_slow_reader(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/large?20000000") + get("/next"))
            _, _, body = await client.reply()
            assert len(body) == 20_000_000
            assert (await client.reply())[2] == b"hello /next"

    run(main)


# Bodies


CHUNKED = b"3\r\nabc\r\n2;x\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"


def test_a_small_body_asks_nobody(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            body = b"x" * (1 << 20)
            client.send(put("/echo", body))
            assert (await client.reply())[2] == body
            assert w.face.seen == ["PUT /echo"]

    run(main)


def test_a_streamed_body_with_trailers(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/digest", "Transfer-Encoding: chunked", method="PUT") + CHUNKED + get("/next"))
            _, _, body = await client.reply()
            assert body == f"5 {hashlib.sha256(b'abcde').hexdigest()} x-sum=5".encode()
            assert (await client.reply())[2] == b"hello /next"

    run(main)


def test_a_chunked_body_is_gathered(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/buffer/5", "Transfer-Encoding: chunked", method="PUT") + CHUNKED)
            assert (await client.reply())[2] == b"abcde"
            assert w.face.seen == ["admit PUT /buffer/5", "PUT /buffer/5"]

    run(main)


@pytest.mark.parametrize("framing", ["Content-Length: 2000000", "Transfer-Encoding: chunked"])
def test_a_body_over_what_the_operation_takes(run, framing: str) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/buffer/4", framing, method="PUT") + CHUNKED)
            status, fields, _ = await client.reply()
            assert (status, fields["connection"]) == (413, "close")
            assert await client.ended() == b""

    run(main)


def test_a_long_body_is_streamed_no_faster_than_it_is_taken(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            body = hashlib.shake_128(b"body").digest(40_000_000)
            client.send(put("/held", body) + get("/next"))
            await w.face.waiting.wait()
            left = -1
            transport = client.writer.transport
            while left != transport.get_write_buffer_size():
                left = transport.get_write_buffer_size()
                await asyncio.sleep(0.05)
            assert left > 10_000_000  # the rest waits in the client
            w.face.gate.set()
            _, _, reply = await client.reply()
            assert reply == f"40000000 {hashlib.sha256(body).hexdigest()} ".encode()
            assert (await client.reply())[2] == b"hello /next"

    run(main)


@pytest.mark.parametrize("path", ["/digest", "/buffer/100", "/echo"])
def test_the_client_is_told_to_continue(run, path: str) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            for _ in range(2):
                client.send(get(path, "Content-Length: 5", "Expect: 100-continue", method="PUT"))
                assert (await client.head())[0] == 100
                assert w.face.seen == [f"admit PUT {path}"]
                client.send(b"hello")
                status, fields, _ = await client.reply()
                assert (status, "connection" in fields) == (200, False)
                w.face.seen.clear()

    run(main)


@pytest.mark.parametrize("path", ["/digest", "/buffer/9"])
def test_a_client_that_has_begun_its_body_is_not_told(run, path: str) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get(path, "Content-Length: 5", "Expect: 100-continue", method="PUT") + b"he")
            await until(lambda: bool(w.face.seen))
            await asyncio.sleep(0.02)
            client.send(b"llo")
            assert (await client.reply())[0] == 200

    run(main)


def test_a_client_that_does_not_wait_is_not_told(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(put("/digest", b"hello", "Expect: 100-continue"))
            assert (await client.reply())[0] == 200

    run(main)


@pytest.mark.parametrize("path", ["/digest", "/buffer/9", "/echo"])
def test_a_client_with_nothing_to_send_is_told_to_continue_too(run, path: str) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            for _ in range(2):
                client.send(get(path, "Content-Length: 0", "Expect: 100-continue", method="PUT"))
                assert (await client.head())[0] == 100
                status, fields, _ = await client.reply()
                assert (status, "connection" in fields) == (200, False)
            client.send(
                put("/digest", b"") + get(path, "Content-Length: 0", "Expect: 100-continue", method="PUT")
            )
            assert (await client.reply())[0] == 200
            assert (await client.head())[0] == 100
            assert (await client.reply())[0] == 200

    run(main)


def test_a_refused_client_that_waits_is_not_told_to_continue(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/refuse", "Content-Length: 5", "Expect: 100-continue", method="PUT"))
            status, fields, body = await client.reply()
            assert (status, fields["connection"], body) == (403, "close", b"refused")
            assert await client.ended() == b""

    run(main)


@pytest.mark.parametrize("path", ["/refuse", "/ignored", "/first"])
def test_a_long_body_that_nobody_reads_costs_the_connection(run, path: str) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get(path, "Content-Length: 8000000", method="PUT"))
            client.send(b"x" * 4_000_000)
            status, fields, _ = await client.reply()
            assert (status, fields["connection"]) == (403 if path == "/refuse" else 200, "close")
            assert await client.ended() == b""

    run(main)


@pytest.mark.parametrize("path", ["/refuse", "/ignored", "/first"])
def test_a_short_body_that_nobody_reads_is_thrown_away(run, path: str) -> None:
    async def main() -> None:
        async with world(Limits(receive=ReceiveLimits(body_buffer_max=10))) as w:
            client = await w.client()
            client.send(put(path, b"x" * 1000) + get("/next"))
            status, fields, _ = await client.reply()
            assert (status, "connection" in fields) == (403 if path == "/refuse" else 200, False)
            assert (await client.reply())[2] == b"hello /next"
            client.send(get(path, "Content-Length: 1000", method="PUT") + b"x")
            await client.reply()
            client.send(b"x" * 999 + get("/next"))
            assert (await client.reply())[2] == b"hello /next"

    run(main)


# Broken and slow clients


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (get("/", "Content-Length: 1", "Transfer-Encoding: chunked"), 400),
        (get("/", "Content-Length: 1", "Content-Length: 2"), 400),
        (get("/", "Expect: magic"), 417),
        (get("/", "Transfer-Encoding: gzip"), 501),
        (get("/" + "x" * 20_000), 414),
        (get("/", *[f"f{n}: 1" for n in range(201)]), 431),
        (get("/", *[f"f{n}: {'x' * 1000}" for n in range(70)]), 431),
        (get("/", "Content-Length: 99999999999"), 413),
        (get("/digest", "Transfer-Encoding: chunked", method="PUT") + b"1\r\naX", 400),
        (get("/buffer/9", "Transfer-Encoding: chunked", method="PUT") + b"Z", 400),
    ],
)
def test_hostile_requests_are_refused_after_those_before(run, data: bytes, status: int) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(put("/task", b"1") + data + b"x" * 100_000)
            assert (await client.reply())[2] == b"task 1"
            got, fields, _ = await client.reply()
            assert (got, fields["connection"]) == (status, "close")
            assert await client.ended() == b""

    run(main)


def test_random_bytes_never_hang_the_server(run) -> None:
    async def main() -> None:
        async with world(QUICK) as w:
            for seed in range(60):
                client = await w.client()
                noise = hashlib.shake_128(b"%d" % seed).digest(seed * 7)
                client.send(b"POST / HTTP/1.1\r\n"[: seed % 18] + noise)
                await client.ended()
            client = await w.client()
            client.send(get("/a"))
            assert (await client.reply())[2] == b"hello /a"

    run(main)


def test_damaged_requests_never_hang_the_server(run) -> None:
    script = (
        put("/echo", b"hello")
        + get("/digest", "Transfer-Encoding: chunked", method="PUT")
        + CHUNKED
        + put("/digest", b"hello", "Expect: 100-continue")
        + get("/iterate?3", method="HEAD")
    )

    async def main() -> None:
        async with world(QUICK) as w:
            for seed in range(80):
                noise = hashlib.shake_128(b"%d" % seed).digest(10)
                data = bytearray(script)
                for a, b, c in zip(noise[::3], noise[1::3], noise[2::3], strict=False):
                    data[(a * 256 + b) % len(data)] = c
                client = await w.client()
                client.send(bytes(data))
                await client.ended()
            await until(lambda: w.server.connections == 0)

    run(main)


def test_tiny_chunks_are_held_back_too(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/held", "Transfer-Encoding: chunked", method="PUT"))
            client.send(b"1\r\nx\r\n" * 2_000_000 + b"0\r\n\r\n")
            await w.face.waiting.wait()
            left = -1
            transport = client.writer.transport
            while left != transport.get_write_buffer_size():
                left = transport.get_write_buffer_size()
                await asyncio.sleep(0.05)
            assert left > 1_000_000
            client.abort()

    run(main)


def test_a_slow_head_is_given_up_as_a_whole(run) -> None:
    async def main() -> None:
        async with world(QUICK) as w:
            client = await w.client()
            got = asyncio.ensure_future(client.reply())
            client.send(b"GET / HTTP/1.1\r\n")
            while not got.done():  # a byte now and then does not buy time
                client.send(b"a: b\r\n")
                await asyncio.sleep(0.01)
            assert got.result()[0] == 408
            assert await client.ended() == b""

    run(main)


@pytest.mark.parametrize("path", ["/echo", "/digest", "/buffer/999"])
def test_a_stalled_body_is_given_up(run, path: str) -> None:
    async def main() -> None:
        async with world(QUICK) as w:
            client = await w.client()
            framing = "Content-Length: 9" if path == "/echo" else "Transfer-Encoding: chunked"
            client.send(get(path, framing, method="PUT") + b"1\r\na")
            assert (await client.reply())[0] == 408
            assert await client.ended() == b""

    run(main)


def test_a_body_that_goes_on_is_not_given_up(run) -> None:
    async def main() -> None:
        async with world(Limits(body_ms=200)) as w:
            client = await w.client()
            client.send(get("/digest", "Transfer-Encoding: chunked", method="PUT"))
            for _ in range(8):
                client.send(b"1\r\na\r\n")
                await asyncio.sleep(0.05)
            client.send(b"0\r\n\r\n")
            assert (await client.reply())[2].startswith(b"8 ")

    run(main)


def test_a_client_that_was_not_told_to_continue_is_not_hurried(run) -> None:
    async def main() -> None:
        async with world(QUICK) as w:
            client = await w.client()
            client.send(get("/held", "Content-Length: 5", "Expect: 100-continue", method="PUT"))
            await w.face.waiting.wait()
            await asyncio.sleep(0.2)
            w.face.gate.set()
            assert (await client.head())[0] == 100
            client.send(b"hello")
            assert (await client.reply())[0] == 200

    run(main)


def test_an_idle_connection_is_closed_without_a_word(run) -> None:
    async def main() -> None:
        async with world(QUICK) as w:
            fresh, used = await w.client(), await w.client()
            used.send(get("/a"))
            await used.reply()
            assert await fresh.ended() == b""
            assert await used.ended() == b""
            await until(lambda: w.server.connections == 0)

    run(main)


def test_a_long_poll_outlives_the_deadlines_of_the_client(run) -> None:
    async def main() -> None:
        async with world(QUICK) as w:
            client = await w.client()
            client.send(get("/wait"))
            await asyncio.sleep(0.25)
            w.face.gate.set()
            assert (await client.reply())[2] == b"message"

    run(main)


@pytest.mark.parametrize("path", ["/endless", "/large?50000000", "/file?0-50000000"])
def test_a_client_that_does_not_read_is_given_up(run, tmp_path: Path, path: str) -> None:
    async def main() -> None:
        async with world(QUICK) as w:
            w.face.file = tmp_path / "file"
            with w.face.file.open("wb") as file:
                file.truncate(50_000_000)
            sock = socket.create_connection(("127.0.0.1", w.port))
            sock.sendall(get(path))
            await until(lambda: w.server.connections == 1)
            await until(lambda: w.server.connections == 0)
            if not path.startswith("/large"):
                await w.face.gone.wait()
            sock.close()

    run(main)


def test_connections_are_bounded(run) -> None:
    async def main() -> None:
        async with world(Limits(connections_max=2)) as w:
            one, two = await w.client(), await w.client()
            two.send(get("/a"))
            await two.reply()
            three = await w.client()
            status, fields, _ = await three.reply()
            assert (status, fields["connection"]) == (503, "close")
            await three.close()
            await one.close()
            await until(lambda: w.server.connections == 1)
            four = await w.client()
            four.send(get("/a"))
            assert (await four.reply())[0] == 200

    run(main)


def test_a_connection_that_takes_a_file_from_the_stores_is_closed_at_once(run, monkeypatch) -> None:
    async def main() -> None:
        async with world() as w:
            monkeypatch.setattr(http_line, "leaves_room", lambda transport: False)
            refused = await w.client()
            async with asyncio.timeout(20):
                with contextlib.suppress(ConnectionResetError):
                    assert await refused.reader.read() == b""
            monkeypatch.undo()
            again = await w.client()
            again.send(get("/a"))
            assert (await again.reply())[0] == 200

    run(main)


# Clients that go away


@pytest.mark.parametrize("way", ["close", "abort", "half"])
def test_a_long_poll_of_a_dead_client_takes_nothing(run, way: str) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/wait") + get("/never"))
            await w.face.waiting.wait()
            if way == "half":
                client.writer.write_eof()
            elif way == "abort":
                client.abort()
            else:
                client.writer.close()
            await w.face.gone.wait()
            w.face.gate.set()
            await until(lambda: w.server.connections == 0)
            assert w.face.seen == ["GET /wait", "cancelled"]

    run(main)


def test_a_carry_whose_body_is_whole_is_cancelled_too(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/held-first", "Transfer-Encoding: chunked", method="PUT") + CHUNKED)
            await w.face.waiting.wait()
            client.abort()
            await w.face.gone.wait()
            assert "cancelled" in w.face.seen

    run(main)


@pytest.mark.parametrize("framing", ["Content-Length: 8000000", "Transfer-Encoding: chunked"])
def test_a_broken_body_is_told_to_its_reader(run, framing: str) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/digest", framing, method="PUT") + b"5\r\nabcde\r\n")
            await until(lambda: w.face.pieces > 0)
            client.abort()
            await w.face.gone.wait()
            assert w.face.seen == ["admit PUT /digest", "broken"]

    run(main)


def test_an_iterator_without_a_reader_is_closed_though_it_is_quiet(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/quiet"))
            await w.face.waiting.wait()
            await client.close()
            await w.face.gone.wait()

    run(main)


def test_a_file_without_a_reader_is_closed(run, tmp_path: Path) -> None:
    async def main() -> None:
        async with world() as w:
            w.face.file = tmp_path / "file"
            with w.face.file.open("wb") as file:
                file.truncate(50_000_000)
            client = await w.client()
            client.send(get("/file?0-50000000"))
            await client.head()
            client.abort()
            await w.face.gone.wait()

    run(main)


def test_a_client_that_half_closes_still_reads_a_file(run, tmp_path: Path) -> None:
    async def main() -> None:
        async with world() as w:
            w.face.file = tmp_path / "file"
            with w.face.file.open("wb") as file:
                file.truncate(30_000_000)
            client = await w.client()
            client.send(get("/file?0-30000000"))
            client.writer.write_eof()
            assert len((await client.reply())[2]) == 30_000_000
            assert await client.ended() == b""

    run(main)


# Faults of the face


@pytest.mark.parametrize("path", ["/boom", "/boom-task", "/inject"])
def test_a_bug_of_the_face_is_logged_once_and_the_connection_goes_on(run, caplog, path: str) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get(path) + get("/next"))
            status, fields, body = await client.reply()
            assert status == 500
            request_id = fields["x-request-id"]
            assert request_id in body.decode()
            assert "set-cookie" not in fields
            assert (await client.reply())[2] == b"hello /next"
            assert [request_id in record.getMessage() for record in caplog.records] == [True]

    run(main)


@pytest.mark.parametrize("path", ["/admit-boom", "/carry-boom"])
def test_a_bug_before_the_body_closes_the_connection(run, caplog, path: str) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get(path, "Content-Length: 5", "Expect: 100-continue", method="PUT"))
            status, fields, _ = await client.reply()
            assert (status, fields["connection"]) == (500, "close")
            assert await client.ended() == b""

    run(main)
    assert len(caplog.records) == 1


# The end


def test_close_finishes_what_is_at_work(run) -> None:
    async def main() -> None:
        async with world() as w:
            idle, busy = await w.client(), await w.client()
            busy.send(get("/wait") + get("/dropped"))
            await w.face.waiting.wait()
            closing = asyncio.ensure_future(w.server.close(grace_ms=5000))
            assert await idle.ended() == b""
            with pytest.raises(OSError):
                await Client.connect(w.port)
            w.face.gate.set()
            _, fields, body = await busy.reply()
            assert (fields["connection"], body) == ("close", b"message")
            assert await busy.ended() == b""
            await closing
            assert w.face.seen == ["GET /wait", "took"]

    run(main)


def test_close_lets_a_request_arrive_that_has_begun(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/first"))
            await client.reply()
            client.send(b"GET /begun HTTP/1.1\r\n")
            await asyncio.sleep(0.05)
            closing = asyncio.ensure_future(w.server.close(grace_ms=5000))
            await asyncio.sleep(0)
            client.send(b"Host: h\r\n\r\n" + get("/dropped"))
            _, fields, body = await client.reply()
            assert (fields["connection"], body) == ("close", b"hello /begun")
            assert await client.ended() == b""
            await closing
            assert w.face.seen == ["GET /first", "GET /begun"]

    run(main)


def test_close_cancels_what_outlives_its_grace(run) -> None:
    async def main() -> None:
        async with world() as w:
            client = await w.client()
            client.send(get("/wait"))
            await w.face.waiting.wait()
            await w.server.close(grace_ms=20)
            assert w.face.gone.is_set()
            assert await client.ended() == b""

    run(main)


# Other faces of the socket


def test_http_client(run) -> None:
    def talk(port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for number in range(3):
            connection.request("POST", "/echo", body=b"%d" % number)
            assert connection.getresponse().read() == b"%d" % number
        connection.request("PUT", "/digest", body=iter([b"abc", b"de"]), encode_chunked=True)
        assert connection.getresponse().read().startswith(b"5 ")
        connection.request("GET", "/iterate?5")
        assert connection.getresponse().read() == b"0124"
        connection.request("HEAD", "/length")
        reply = connection.getresponse()
        assert (reply.length, reply.read()) == (0, b"")
        assert reply.headers["content-length"] == "1234"
        connection.close()

    async def main() -> None:
        async with world() as w:
            await asyncio.to_thread(talk, w.port)

    run(main)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl(run, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(hashlib.shake_128(b"curl").digest(3_000_000))

    def curl(*arguments: str) -> bytes:
        return subprocess.run(["curl", "-sS", *arguments], check=True, capture_output=True).stdout

    async def main() -> None:
        async with world() as w:
            url = f"http://127.0.0.1:{w.port}"
            w.face.file = body
            digest = hashlib.sha256(body.read_bytes()).hexdigest()
            got = await asyncio.to_thread(curl, "-T", str(body), f"{url}/digest")
            assert digest in got.decode()
            got = await asyncio.to_thread(
                curl, "-T", str(body), "-H", "Transfer-Encoding: chunked", f"{url}/digest"
            )
            assert digest in got.decode()
            got = await asyncio.to_thread(
                curl, f"{url}/file?0-3000000", "--next", "-sS", f"{url}/a", "--next", "-sSI", f"{url}/b"
            )
            assert got.startswith(body.read_bytes() + b"hello /aHTTP/1.1 200 OK\r\n")

    run(main)


def test_a_unix_socket(run, tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "s")
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(path)
        server = await serve(Face(), sockets=[sock])
        client = Client(*await asyncio.open_unix_connection(path))
        client.send(get("/peer"))
        assert (await client.reply())[2] == b" False"
        await client.close()
        await server.close()

    run(main)


def test_a_taken_port_is_an_error_and_nothing_stays_open(run) -> None:
    async def main() -> None:
        async with world() as w:
            with pytest.raises(OSError):
                await serve(Face(), host="127.0.0.1", port=w.port)

    run(main)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate of localhost."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = datetime.datetime(2020, 1, 1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "cert.pem", folder / "key.pem"


def test_tls(run, tmp_path: Path) -> None:
    async def main() -> None:
        cert, key = certificate(tmp_path)
        ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ours.load_cert_chain(cert, key)
        theirs = ssl.create_default_context(cafile=str(cert))
        async with world(ssl=ours) as w:
            w.face.file = tmp_path / "file"
            w.face.file.write_bytes(b"x" * 3_000_000)
            client = Client(
                *await asyncio.open_connection("127.0.0.1", w.port, ssl=theirs, server_hostname="localhost")
            )
            w.clients.append(client)
            client.send(get("/peer"))
            assert (await client.reply())[2] == b"127.0.0.1 True"
            client.send(put("/digest", b"x" * 3_000_000))
            assert (await client.reply())[2].startswith(b"3000000 ")
            client.send(get("/file?0-3000000"))
            assert len((await client.reply())[2]) == 3_000_000
            client.send(get("/refuse", "Content-Length: 8000000", method="PUT"))
            assert (await client.reply())[0] == 403
            client.send(get("/wait"))

    run(main)


def test_the_access_log_has_a_line_per_request_and_no_query(run, caplog) -> None:
    async def main() -> None:
        with caplog.at_level(logging.DEBUG, "cloudlet.shell.http_connection"):
            async with world() as w:
                client = await w.client()
                client.send(get("/a?secret") + get("/iterate?2"))
                await client.reply()
                await client.reply()
                lines = [record.getMessage().rsplit(" ", 2)[0] for record in caplog.records]
                assert lines == ["127.0.0.1 GET /a 200", "127.0.0.1 GET /iterate 200"]

    run(main)


def test_the_date_is_that_of_the_rfc() -> None:
    assert http_date(784_111_777_999) == "Sun, 06 Nov 1994 08:49:37 GMT"
