"""The gRPC server under TLS: what is offered, who is known, and plain clients beside."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from tests.shell.grpc_face import Face, served

from cloudlet.engines.grpc_client import GrpcClient
from cloudlet.kernel.clock import SystemClock
from cloudlet.shell.local_ca import LocalAuthority

Script = Callable[[LocalAuthority, int], None]


def run(folder: Path, script: Script, *, wants_clients: bool = False) -> Face:
    """Run a blocking script beside a server with the folder's certificates."""
    authority = LocalAuthority(folder, SystemClock().wall_ms())

    async def whole() -> Face:
        context = authority.server_context([], wants_clients=wants_clients)
        async with served(tls=context) as (face, server):
            await asyncio.to_thread(script, authority, server.ports[0])
        return face

    return asyncio.run(whole())


def channel(authority: LocalAuthority, port: int, common_name: str = "") -> grpc.Channel:
    certificate, key = authority.client_pair(common_name) if common_name else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.ca_file.read_bytes(), key, certificate)
    return grpc.secure_channel(f"localhost:{port}", credentials)


def test_a_client_is_known_by_its_certificate(tmp_path: Path) -> None:
    def script(authority: LocalAuthority, port: int) -> None:
        for name in ("anna", ""):
            with channel(authority, port, name) as secure:
                assert secure.unary_unary("/test.T/Echo")(b"x", timeout=10) == b"x"

    face = run(tmp_path, script)
    assert [call.common_name for call in face.calls] == ["anna", ""]


def test_a_client_without_a_certificate_may_be_refused(tmp_path: Path) -> None:
    def script(authority: LocalAuthority, port: int) -> None:
        with channel(authority, port) as secure, pytest.raises(grpc.RpcError):
            secure.unary_unary("/test.T/Echo")(b"x", timeout=5)
        with channel(authority, port, "anna") as secure:
            assert secure.unary_unary("/test.T/Echo")(b"x", timeout=10) == b"x"

    run(tmp_path, script, wants_clients=True)


@pytest.mark.parametrize("options", [["--http2"], ["--http1.1"]])
def test_pages_by_what_the_handshake_chose(tmp_path: Path, options: list[str]) -> None:
    def script(authority: LocalAuthority, port: int) -> None:
        command = ["curl", "-sS", *options, "--cacert", str(authority.ca_file), "-w", "%{http_version}"]
        url = f"https://localhost:{port}/page"
        found = subprocess.run([*command, url], capture_output=True, text=True, check=True)
        assert found.stdout == f"GET /page 0\n{'2' if options == ['--http2'] else '1.1'}"

    run(tmp_path, script)


def test_plain_clients_are_served_on_the_same_port(tmp_path: Path) -> None:
    def script(authority: LocalAuthority, port: int) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as plain:
            assert plain.unary_unary("/test.T/Echo")(b"x", timeout=10) == b"x"
        url = f"http://127.0.0.1:{port}/page"
        found = subprocess.run(["curl", "-sS", url], capture_output=True, text=True, check=True)
        assert found.stdout == "GET /page 0\n"

    run(tmp_path, script)


def test_our_own_client_speaks_tls(tmp_path: Path) -> None:
    def script(authority: LocalAuthority, port: int) -> None:
        async def call() -> bytes:
            context = ssl.create_default_context(cafile=str(authority.ca_file))
            client = await GrpcClient.connect(f"localhost:{port}", tls=context)
            reply = await client.unary("/test.T/Echo", bytes(300_000))
            await client.close()
            return reply

        assert asyncio.run(call()) == bytes(300_000)

    run(tmp_path, script)
