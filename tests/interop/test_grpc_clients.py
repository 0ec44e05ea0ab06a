"""gRPC by other languages' HTTP/2: Netty's through jetcd, Node's through grpc-js."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from tests.shell.grpc_face import served

from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.shell.etcd_face import EtcdFace

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
BUILD_SECONDS = 300
RUN_SECONDS = 60


def build(tool: str, command: list[str], folder: Path) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


async def ends_well(command: list[str], folder: Path) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "ok"), done.stdout + done.stderr


def test_jetcd(tmp_path: Path) -> None:
    folder = shutil.copytree(HERE / "java_etcd", tmp_path / "java")
    classpath = ["mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=classpath", "compile"]
    build("mvn", classpath, folder)
    jars = (folder / "classpath").read_text(encoding="utf-8").strip()

    async def whole() -> None:
        clock = SystemClock()
        keys = await DiskKeys.open(tmp_path / "data", clock.monotonic_ms)
        face = EtcdFace(keys, clock, Ids())
        listener = socket.create_server(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        await face.start([listener], address)
        try:
            await ends_well(["java", "-cp", f"target/classes:{jars}", "EtcdLife", address], folder)
        finally:
            await face.close()
            await keys.close()

    (tmp_path / "data").mkdir()
    asyncio.run(whole())


def test_grpc_js(tmp_path: Path) -> None:
    folder = shutil.copytree(HERE / "node_grpc", tmp_path / "node")
    build("npm", ["npm", "install", "--no-audit", "--no-fund", "--silent"], folder)

    async def whole() -> None:
        async with served() as (_, server):
            await ends_well(["node", "calls.mjs", f"127.0.0.1:{server.ports[0]}"], folder)

    asyncio.run(whole())
