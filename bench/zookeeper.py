"""ZooKeeper's clients against cloudlet and Debian's ZooKeeper, in one run, both syncing to disk.

`python -m bench.zookeeper [SECONDS]`: cells of SECONDS (3) each, as a table. A cell is a rate, the latency's
median and 99th percentile, and what an operation costs the server in CPU time, which holds also where the
client is what limits. The client is our own and the same for both: a connection each, one request at a time.
It shares the machine with the server; compare within one run only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cloudlet.wire.jute import INT, codec
from cloudlet.wire.zookeeper import (
    ACL,
    HEADER,
    ConnectRequest,
    CreateRequest,
    Id,
    OpCode,
    PathModeRequest,
    PathWatchRequest,
    SetDataRequest,
)

CELL_S = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
CLIENTS = (1, 16, 64)
WATCHERS = 100
FANOUTS = 200
VALUE = b"v" * 256
ANYONE = [ACL(31, Id("world", "anyone"))]
JAR = Path("/usr/share/java/zookeeper.jar")
TICKS_S = os.sysconf("SC_CLK_TCK")


class Client(asyncio.Protocol):
    """A connection with a session. `answered` is called with each frame but the welcome."""

    def __init__(self) -> None:
        self._rest = b""
        self._xid = 0
        self.answered = lambda frame: None
        self.ready = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.write(codec(ConnectRequest).encode(ConnectRequest(0, 0, 30_000, 0, bytes(16))) + b"\0")

    def write(self, body: bytes) -> None:
        self.transport.write(INT.pack(len(body)) + body)

    def ask(self, kind: int, body: bytes) -> None:
        self._xid += 1
        self.write(HEADER.pack(self._xid, kind) + body)

    async def call(self, kind: int, body: bytes) -> bytes:
        done = asyncio.get_running_loop().create_future()
        self.answered = done.set_result
        self.ask(kind, body)
        return await done

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at = 0
        while at + 4 <= len(data):
            stop = at + 4 + INT.unpack_from(data, at)[0]
            if stop > len(data):
                break
            frame = data[at + 4 : stop]
            at = stop
            if self.ready.done():
                self.answered(frame)
            else:
                self.ready.set_result(frame)
        self._rest = data[at:]


async def connected(port: int) -> Client:
    _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port)
    await client.ready
    return client


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def cell(port: int, pid: int, count: int, kind: int) -> str:
    """One kind of request from so many clients."""
    clients = [await connected(port) for _ in range(count)]
    latencies: list[float] = []
    end = time.perf_counter() + CELL_S
    began_cpu = cpu_s(pid)

    async def work(client: Client, path: str) -> None:
        await client.call(OpCode.create, codec(CreateRequest).encode(CreateRequest(path, VALUE, ANYONE, 0)))
        bodies = {
            OpCode.setData: codec(SetDataRequest).encode(SetDataRequest(path, VALUE, -1)),
            OpCode.getData: codec(PathWatchRequest).encode(PathWatchRequest(path, False)),
        }
        done = asyncio.get_running_loop().create_future()
        began = time.perf_counter()

        def answered(frame: bytes) -> None:
            nonlocal began
            now = time.perf_counter()
            latencies.append(now - began)
            if now > end:
                done.set_result(None)
                return
            began = now
            client.ask(kind, bodies[kind])

        client.answered = answered
        client.ask(kind, bodies[kind])
        await done

    await asyncio.gather(*(work(client, f"/bench{number}") for number, client in enumerate(clients)))
    used = cpu_s(pid) - began_cpu
    for client in clients:
        client.transport.close()
    latencies.sort()
    total = len(latencies)
    middle, high = latencies[total // 2] * 1000, latencies[int(total * 0.99)] * 1000
    return f"{total / CELL_S:,.0f}/s {middle:.2f}/{high:.2f} ms ({used / total * 1e6:.0f} us)"


async def fan_out(port: int) -> str:
    """A set that so many clients watch for good: until the last has heard of it."""
    clients = [await connected(port) for _ in range(WATCHERS)]
    writer = await connected(port)
    await writer.call(OpCode.create, codec(CreateRequest).encode(CreateRequest("/fan", VALUE, ANYONE, 0)))
    heard = asyncio.Event()
    left = 0

    def told(frame: bytes) -> None:
        nonlocal left
        left -= 1
        if not left:
            heard.set()

    for client in clients:
        await client.call(OpCode.addWatch, codec(PathModeRequest).encode(PathModeRequest("/fan", 0)))
        client.answered = told
    latencies: list[float] = []
    body = codec(SetDataRequest).encode(SetDataRequest("/fan", VALUE, -1))
    for _ in range(FANOUTS):
        left = WATCHERS
        heard.clear()
        began = time.perf_counter()
        await writer.call(OpCode.setData, body)
        await heard.wait()
        latencies.append((time.perf_counter() - began) * 1000)
    for client in (*clients, writer):
        client.transport.close()
    latencies.sort()
    return f"{latencies[len(latencies) // 2]:.2f}/{latencies[int(len(latencies) * 0.99)]:.2f} ms"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def is_ready(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as asked:
        asked.sendall(b"srvr")
        return b"Mode:" in asked.makefile("rb").read()
    return False


@contextlib.contextmanager
def started(command: list[str], port: int) -> Iterator[tuple[int, float]]:
    """A server: its process, and how long it took to answer."""
    began = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not is_ready(port):
            assert server.poll() is None, command
            time.sleep(0.01)
        yield server.pid, time.perf_counter() - began
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def commands(folder: Path) -> Iterator[tuple[str, list[str], int]]:
    """Who is compared: name, command, port."""
    port = free_port()
    words = ["up", "--data", str(folder / "ours"), "--only", "zookeeper", "--ports", f"zookeeper={port}"]
    yield "cloudlet", [sys.executable, "-m", "cloudlet", *words], port
    if shutil.which("java") is None or not JAR.exists():
        print("Debian's package zookeeper is not installed: nothing to compare with")
        return
    port = free_port()
    (folder / "zoo.cfg").write_text(
        f"clientPort={port}\nclientPortAddress=127.0.0.1\ndataDir={folder / 'theirs'}\ntickTime=2000\n"
        "maxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=srvr\n"
    )
    main = "org.apache.zookeeper.server.ZooKeeperServerMain"
    command = [
        "java",
        "-Xmx1g",
        "-Dzookeeper.admin.enableServer=false",
        "-Dzookeeper.extendedTypesEnabled=true",
    ]
    yield "ZooKeeper", [*command, "-cp", str(JAR), main, str(folder / "zoo.cfg")], port


async def measured(port: int, pid: int) -> dict[str, str]:
    rows: dict[str, str] = {}
    for name, kind in (("setData", OpCode.setData), ("getData", OpCode.getData)):
        for count in CLIENTS:
            rows[f"{name}, {count} clients"] = await cell(port, pid, count, kind)
    rows[f"fan-out to {WATCHERS} watchers, last"] = await fan_out(port)
    return rows


def main() -> None:
    """Measure and print a table."""
    table: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as name:
        for who, command, port in commands(Path(name)):
            with started(command, port) as (pid, ready_s):
                idle = rss_mb(pid)
                table[who] = asyncio.run(measured(port, pid))
                table[who]["start to ready"] = f"{ready_s:.2f} s"
                table[who]["memory idle, after"] = f"{idle:.0f}, {rss_mb(pid):.0f} MB"
    print("| | " + " | ".join(table) + " |\n|---|" + "---|" * len(table))
    for row in next(iter(table.values())):
        print(f"| {row} | " + " | ".join(found[row] for found in table.values()) + " |")


if __name__ == "__main__":
    main()
