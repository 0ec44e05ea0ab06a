"""What the HTTP server costs: CPU per small request, MB per CPU-second of large bodies, bytes per idle
connection.

State   none
Source  docs/decisions/0004-http-server.md holds the figures
Absent  Windows, macOS: it reads /proc

    python -m bench.http [small] [large] [idle] [--rounds 9] [--seconds 1]

The server runs on core 0, the client on core 1. Wall rates on a shared machine are noise: judge by CPU,
and by the ratio to `echo` (a bare protocol over httptools without any of a server's duties) of the same run.
Rounds are interleaved; the table has medians, and the best in brackets.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import os
import re
import resource
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.peers import ROOT, NotInstalled, installed

SOURCE = Path(__file__).resolve().parent.parent / "src"
SERVERS = ("echo", "echo-asyncio", "cloudlet", "cloudlet-task", "cloudlet-asyncio", "uvicorn")
BODY = b'{"MessageId":"%s","MD5OfMessageBody":"%s"}' % (b"a" * 36, b"b" * 90)
LARGE_BYTES = 64 << 20

# About what boto3 sends for SendMessage.
FIELDS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "AmazonSQS.SendMessage",
    "X-Amz-Date": "20260101T000000Z",
    "X-Amz-Content-Sha256": "0" * 64,
    "User-Agent": "Boto3/1.43.0 md/Botocore#1.43.0 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.11.7"
    " md/pyimpl#CPython m/Z,b cfg/retry-mode#legacy Botocore/1.43.0",
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=" + "0123456789abcdef" * 4,
    "amz-sdk-invocation-id": "d1b9c9f4-5d7d-4b1e-9a59-111111111111",
    "amz-sdk-request": "attempt=1",
    "x-amzn-query-mode": "true",
}
REQUEST = (
    "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 300\r\n"
    + "".join(f"{name}: {value}\r\n" for name, value in FIELDS.items())
    + "\r\n"
    + "x" * 300
).encode()


# The servers


def serve_echo(port: int) -> None:
    import httptools

    class Echo(asyncio.Protocol):
        def connection_made(self, transport) -> None:
            self.transport = transport
            self.parser = httptools.HttpRequestParser(self)
            self.fields = {}

        def on_url(self, url: bytes) -> None:
            self.url = url

        def on_header(self, name: bytes, value: bytes) -> None:
            self.fields[name.lower()] = value

        def on_body(self, body: bytes) -> None:
            self.body = body

        def on_message_complete(self) -> None:
            self.fields = {}
            self.transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: %d\r\n\r\n%b"
                % (len(BODY), BODY)
            )

        def data_received(self, data: bytes) -> None:
            self.parser.feed_data(data)

    async def main() -> None:
        await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
        await asyncio.Event().wait()

    asyncio.run(main())


def serve_cloudlet(port: int, *, tasks: bool) -> None:
    sys.path.insert(0, str(SOURCE))
    from cloudlet.shell.http import Limits, serve
    from cloudlet.wire.http1 import BodyStream, FileBody, Head, Request, Response, Stream

    headers = [(b"content-type", b"application/x-amz-json-1.0"), (b"x-amzn-requestid", b"0" * 36)]
    path = os.environ["LARGE"]

    class App:
        def admit(self, head: Head, peer: str):
            return Stream(self.hash if head.path == b"/hash" else self.take)

        async def take(self, body: BodyStream) -> Response:
            size = 0
            async for piece in body:
                size += len(piece)
            return Response(200, [], b"%d" % size)

        async def hash(self, body: BodyStream) -> Response:
            import google_crc32c

            md5, crc = hashlib.md5(), 0
            async for piece in body:
                md5.update(piece)
                crc = google_crc32c.extend(crc, piece)
            return Response(200, [], md5.hexdigest().encode())

        def respond(self, request: Request):
            if request.head.path == b"/file":
                fileno = os.open(path, os.O_RDONLY)
                return Response(200, [], FileBody(fileno, 0, LARGE_BYTES, lambda: os.close(fileno)))
            return self.task() if tasks else Response(200, headers, BODY)

        async def task(self) -> Response:
            return Response(200, headers, BODY)

    async def main() -> None:
        await serve(App(), host="127.0.0.1", port=port, limits=Limits(idle_ms=600_000))
        await asyncio.Event().wait()

    asyncio.run(main())


def serve_uvicorn(port: int) -> None:
    import uvicorn

    head = [(b"content-type", b"application/x-amz-json-1.0"), (b"content-length", b"%d" % len(BODY))]

    async def app(scope, receive, send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": BODY})

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, lifespan="off")


def run_server(name: str, port: int) -> None:
    os.sched_setaffinity(0, {0})
    if not name.endswith("-asyncio"):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    if name.startswith("echo"):
        serve_echo(port)
    elif name == "uvicorn":
        serve_uvicorn(port)
    else:
        serve_cloudlet(port, tasks=name == "cloudlet-task")


# The client


class Process:
    """A server in a process of its own."""

    def __init__(self, name: str, large: str) -> None:
        self.name = name
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        python = uvicorn_python() if name == "uvicorn" else sys.executable
        self.process = subprocess.Popen(
            [python, "-m", "bench.http", "--serve", name, str(self.port)],
            env=os.environ | {"LARGE": large},
            cwd=ROOT,
        )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise SystemExit(f"{name} does not listen")

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def replay_wrk(port: int, seconds: int, folder: str) -> int:
    script = Path(folder) / "post.lua"
    lines = [f'wrk.headers["{name}"]="{value}"' for name, value in FIELDS.items()]
    script.write_text('wrk.method="POST"\nwrk.body=string.rep("x",300)\n' + "\n".join(lines))
    command = ["taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{seconds}s", "-s", str(script)]
    out = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/"], check=True, capture_output=True, text=True
    ).stdout
    if "Non-2xx" in out:
        raise SystemExit(out)
    return int(re.search(r"(\d+) requests in", out)[1])  # type: ignore[index]


def replay_own(port: int, seconds: int) -> int:
    """Without wrk: 32 connections, one request each in flight."""
    os.sched_setaffinity(0, {1})
    selector = selectors.DefaultSelector()
    for _ in range(32):
        sock = socket.create_connection(("127.0.0.1", port))
        selector.register(sock, selectors.EVENT_READ)
        sock.sendall(REQUEST)
    count = 0
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        for key, _ in selector.select():
            key.fileobj.recv(65536)  # type: ignore[union-attr]
            key.fileobj.sendall(REQUEST)  # type: ignore[union-attr]
            count += 1
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return count


def show(title: str, unit: str, samples: dict[str, list[float]], best) -> None:
    print(f"\n{title}")
    for name, values in samples.items():
        print(f"  {name:<24} {median(values):>10.1f} {unit:<12} [{best(values):.1f}]")


def bench_small(rounds: int, seconds: int, folder: str, large: str) -> None:
    names = list(SERVERS)
    try:
        uvicorn_python()
    except NotInstalled as error:
        print(f"uvicorn could not be installed: {error}")
        names.remove("uvicorn")
    servers: list[Process] = []
    cpu: dict[str, list[float]] = {name: [] for name in names}
    rate: dict[str, list[float]] = {name: [] for name in names}
    with contextlib.ExitStack() as running:
        for name in names:
            servers.append(Process(name, large))
            running.callback(servers[-1].stop)
        measure_small(servers, cpu, rate, rounds, seconds, folder)
    show("CPU per small request (0.9 KB in, 0.3 KB out, 32 connections)", "us", cpu, min)
    show("requests per second (wall)", "/s", rate, max)
    print("\nratio to echo, of the least disturbed rounds")
    for name in names:
        print(f"  {name:<24} {min(cpu[name]) / min(cpu['echo']):>10.2f}")


def measure_small(
    servers: list[Process],
    cpu: dict[str, list[float]],
    rate: dict[str, list[float]],
    rounds: int,
    seconds: int,
    folder: str,
) -> None:
    for _ in range(rounds):
        for server in servers:
            before = server.cpu_s()
            if shutil.which("wrk"):
                count = replay_wrk(server.port, seconds, folder)
            else:
                count = replay_own(server.port, seconds)
            cpu[server.name].append((server.cpu_s() - before) * 1e6 / count)
            rate[server.name].append(count / seconds)


def uvicorn_python() -> str:
    """The interpreter of an environment with uvicorn and what makes it fast. NotInstalled."""
    return str(installed("uvicorn", "uvicorn[standard]") / "python")


def put(port: int, path: str, content: bytes) -> None:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(b"PUT %b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(content)))
    sock.sendall(content)
    assert sock.recv(65536).startswith(b"HTTP/1.1 200")
    sock.close()


def fetch(port: int, buffer: bytearray) -> None:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(b"GET /file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    size = 0
    while count := sock.recv_into(buffer):
        size += count
    assert size > LARGE_BYTES
    sock.close()


def bench_large(rounds: int, large: str) -> None:
    os.sched_setaffinity(0, {1})
    content = Path(large).read_bytes()
    buffer = bytearray(1 << 20)
    wall: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    servers = [Process(name, large) for name in ("cloudlet", "cloudlet-asyncio")]
    repeats = 4
    for _ in range(rounds):
        for server in servers:
            for what in ("PUT /take", "PUT /hash", "GET /file"):
                start, before = time.perf_counter(), server.cpu_s()
                for _ in range(repeats):
                    if what == "GET /file":
                        fetch(server.port, buffer)
                    else:
                        put(server.port, what[4:], content)
                size = repeats * LARGE_BYTES / 1e6
                name = f"{what} {server.name}"
                wall.setdefault(name, []).append(size / (time.perf_counter() - start))
                cpu.setdefault(name, []).append(size / max(server.cpu_s() - before, 0.01))
    for server in servers:
        server.stop()
    show("64 MiB bodies, MB per CPU-second (/hash: MD5 and CRC-32C on the loop)", "MB/CPU-s", cpu, max)
    show("64 MiB bodies, MB/s (wall)", "MB/s", wall, max)


def bench_idle(large: str) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(10_000, hard - 200)
    print(f"\n{count} idle connections, each after one request")
    for name in ("echo", "cloudlet", "cloudlet-asyncio"):
        server = Process(name, large)
        before = server.rss_bytes()
        socks = []
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", server.port))
            sock.sendall(REQUEST)
            sock.recv(65536)
            socks.append(sock)
        used = server.rss_bytes() - before
        start = server.cpu_s()
        time.sleep(3)
        idle_us = (server.cpu_s() - start) / 3 * 1e6
        print(f"  {name:<24} {used / count:>10.0f} B each, {idle_us:.0f} us CPU per second of idleness")
        for sock in socks:
            sock.close()
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", default=["small", "large", "idle"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--serve", nargs=2)
    arguments = parser.parse_args()
    if arguments.serve:
        run_server(arguments.serve[0], int(arguments.serve[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large"
        large.write_bytes(hashlib.shake_128(b"large").digest(LARGE_BYTES))
        if "small" in arguments.what:
            bench_small(arguments.rounds, arguments.seconds, folder, str(large))
        if "large" in arguments.what:
            bench_large(arguments.rounds, str(large))
        if "idle" in arguments.what:
            bench_idle(str(large))


if __name__ == "__main__":
    main()
