"""etcd's own Go client against cloudlet and Debian's etcd, in one run, both syncing to disk.

`python -m bench.etcd [SECONDS [ROUNDS]]`: cells of SECONDS (3) each, as a table. A cell is a rate, the
latency's median and 99th percentile, and what an operation costs the server in CPU time, which holds also
where the client is what limits. Each cell is the best of ROUNDS (3) that take turns between the servers. The
client shares the machine with the server; compare within one run only. It needs `go` and `etcd`, and is
compiled in a folder of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CELL_S = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
CELLS = [
    ("put", 1),
    ("put", 16),
    ("put", 64),
    ("get", 1),
    ("get", 64),
    ("txn", 64),
    ("keepalive", 16),
    ("fanout", 100),
]
TITLES = {
    "put": "durable put",
    "get": "range of one key, linearizable",
    "txn": "txn: compare, put, get",
    "keepalive": "keepalive of 1,000 leases",
    "fanout": "put to the last of the watchers",
}
HERE = Path(__file__).resolve().parent
TICKS_S = os.sysconf("SC_CLK_TCK")
READY_S = 60.0


@dataclass
class Running:
    """A server that answers, and how long it took to."""

    name: str
    address: str
    pid: int
    ready_s: float
    idle_mb: float = 0.0

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_S

    def rss_mb(self) -> float:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def etcd_command(folder: Path, port: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    return [
        "etcd",
        *("--name", "only", "--data-dir", str(folder), "--log-level", "error"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        *("--initial-cluster", f"only={peer}"),
    ]


def cloudlet_command(folder: Path, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "cloudlet", "up", "--data", str(folder)),
        *("--only", "etcd", "--ports", f"etcd={port}"),
    ]


@contextlib.contextmanager
def running(name: str, command: Callable[[Path, int], list[str]], folder: Path) -> Iterator[Running]:
    """The server on a fresh folder, until the block ends."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
    with (folder / f"{name}.log").open("wb") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            command(folder / name, port), stdout=log, stderr=log, env=environment, start_new_session=True
        )
        try:
            wait(port, process)
            yield Running(name, f"127.0.0.1:{port}", process.pid, time.monotonic() - began)
        finally:
            process.terminate()
            process.wait(30)


def wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer,
        ):
            if b"true" in answer.read():
                return
        time.sleep(0.002)
    raise SystemExit("a server did not answer")


def compiled(folder: Path) -> Path:
    """The client, made with the toolchain that is there."""
    shutil.copytree(HERE / "etcd_client", folder / "client")
    for command in (["go", "mod", "tidy"], ["go", "build", "-o", "client", "."]):
        subprocess.run(command, cwd=folder / "client", check=True, capture_output=True)
    return folder / "client" / "client"


@dataclass
class Cell:
    """What one kind of request from so many clients came to."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s, {self.p50_ms:.2f}/{self.p99_ms:.2f} ms, {self.cpu_us:.0f} us"


def cell(client: Path, server: Running, kind: str, clients: int) -> Cell:
    before = server.cpu_s()
    done = subprocess.run(
        [client, server.address, kind, str(clients), str(CELL_S)], capture_output=True, check=True, text=True
    )
    cpu_s = server.cpu_s() - before
    found = json.loads(done.stdout)
    count = max(1, found["operations"])
    return Cell(count / found["seconds"], found["p50_ms"], found["p99_ms"], cpu_s / count * 1e6)


def main() -> None:
    if absent := [program for program in ("go", "etcd") if shutil.which(program) is None]:
        print(f"nothing is measured beside etcd; not installed: {', '.join(absent)}")
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        client = compiled(folder)
        commands = {"cloudlet": cloudlet_command, "etcd": etcd_command}
        servers = [stack.enter_context(running(name, command, folder)) for name, command in commands.items()]
        time.sleep(3)
        for server in servers:
            server.idle_mb = server.rss_mb()
        print("| | " + " | ".join(server.name for server in servers) + " |")
        print("|---" * (len(servers) + 1) + "|")
        print("| start to ready | " + " | ".join(f"{each.ready_s:.2f} s" for each in servers) + " |")
        print("| memory when idle | " + " | ".join(f"{each.idle_mb:.0f} MB" for each in servers) + " |")
        for kind, clients in CELLS:
            best: dict[str, Cell] = {}
            for _ in range(ROUNDS):
                for server in servers:
                    found = cell(client, server, kind, clients)
                    if server.name not in best or found.rate > best[server.name].rate:
                        best[server.name] = found
            row = " | ".join(str(best[server.name]) for server in servers)
            print(f"| {TITLES[kind]}, {clients} | {row} |", flush=True)
        print("| memory after | " + " | ".join(f"{each.rss_mb():.0f} MB" for each in servers) + " |")


if __name__ == "__main__":
    main()
