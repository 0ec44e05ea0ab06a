"""Holding and shedding: how the server lets a restore come between two answers."""

import asyncio

from tests.shell.http_face import Client, Face

from cloudlet.shell.http import serve


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def test_every_connection_is_closed_and_no_answer_is_torn(run, tmp_path):
    async def main():
        face = Face()
        face.file = tmp_path / "file"
        face.file.write_bytes(b"x" * 20_000_000)
        server = await serve(face, host="127.0.0.1", port=0)
        idle, waiting, streaming, filing, slow, sending = [
            await Client.connect(server.ports[0]) for _ in range(6)
        ]
        idle.send(get("/a"))
        assert (await idle.reply())[2] == b"hello /a"
        streaming.send(get("/quiet"))
        assert (await streaming.head())[0] == 200
        await face.waiting.wait()
        filing.send(get("/file?0-20000000") + get("/never"))
        slow.send(get("/large?3000000") + get("/wait"))
        waiting.send(get("/wait"))
        sending.send(b"PUT /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\nhalf")
        while "GET /file" not in face.seen or "GET /wait" not in face.seen or face.pieces == 0:
            await asyncio.sleep(0.001)
        server.hold()
        server.shed()
        assert await idle.ended() == b""
        assert await waiting.ended() == b""
        assert await sending.ended() == b""
        assert "broken" in face.seen
        assert "cancelled" in face.seen
        status, _, body = await filing.reply()
        assert (status, len(body)) == (200, 20_000_000)
        assert await filing.ended() == b""
        assert len((await slow.reply())[2]) == 3_000_000
        assert await slow.ended() == b""
        face.gate.set()
        rest = await streaming.ended()
        assert rest.endswith(b"0\r\n\r\n")
        assert "GET /never" not in face.seen
        server.release()
        await server.close()
        for client in (idle, waiting, streaming, filing, slow, sending):
            await client.close()

    run(main)


def test_requests_of_new_connections_wait_until_they_are_let_in(run):
    async def main():
        face = Face()
        server = await serve(face, host="127.0.0.1", port=0)
        server.hold()
        plain, later, streamed = [await Client.connect(server.ports[0]) for _ in range(3)]
        plain.send(get("/a"))
        later.send(get("/task"))
        streamed.send(b"PUT /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert (await streamed.reply())[0] == 503
        await streamed.close()
        await asyncio.sleep(0.01)
        assert face.seen == []
        server.release()
        assert (await plain.reply())[2] == b"hello /a"
        assert (await later.reply())[2] == b"task "
        plain.send(get("/b"))
        assert (await plain.reply())[2] == b"hello /b"
        await server.close()
        for client in (plain, later):
            await client.close()

    run(main)


def test_who_asks_for_it_gets_an_answer(run):
    async def main():
        face = Face()
        server = await serve(face, host="127.0.0.1", port=0)

        async def shed():
            server.shed(asyncio.current_task())
            return await face.task(asked[0])

        asked = []
        inner = face.respond

        def respond(request):
            asked.append(request)
            return shed() if request.head.path == b"/shed" else inner(request)

        face.respond = respond
        one, other = [await Client.connect(server.ports[0]) for _ in range(2)]
        other.send(get("/a"))
        await other.reply()
        one.send(get("/shed"))
        assert (await one.reply())[0] == 200
        assert await other.ended() == b""
        one.send(get("/b"))
        assert (await one.reply())[2] == b"hello /b"
        await server.close()
        for client in (one, other):
            await client.close()

    run(main)
