"""A real etcd for one test: on free ports, with its data in the test's folder."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

START_SECONDS = 30


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """Its address, HOST:PORT; also written to `folder`/etcd."""
    with (
        contextlib.closing(socket.create_server(("127.0.0.1", 0))) as one,
        contextlib.closing(socket.create_server(("127.0.0.1", 0))) as two,
    ):
        client, peer = (f"127.0.0.1:{each.getsockname()[1]}" for each in (one, two))
    command = command_of(folder / "etcd-data", client, peer)
    with (
        (folder / "etcd.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            wait(client)
            (folder / "etcd").write_text(client, encoding="utf-8")
            yield client
        finally:
            process.kill()


def command_of(data: Path, client: str, peer: str) -> list[str]:
    """The server alone, on two addresses."""
    executable = shutil.which("etcd")
    if executable is None:
        pytest.skip("etcd is not installed")
    return [
        executable,
        *("--name", "only", "--data-dir", str(data), "--log-level", "error"),
        *("--listen-client-urls", f"http://{client}", "--advertise-client-urls", f"http://{client}"),
        *("--listen-peer-urls", f"http://{peer}", "--initial-advertise-peer-urls", f"http://{peer}"),
        *("--initial-cluster", f"only=http://{peer}"),
    ]


def wait(address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/health", timeout=1) as answer:
                if b"true" in answer.read():
                    return
        except OSError:
            pass
        assert time.monotonic() < deadline, "etcd does not answer"
        time.sleep(0.02)
