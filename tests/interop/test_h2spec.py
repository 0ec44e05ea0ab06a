"""The public conformance suite of HTTP/2 against the gRPC server."""

import asyncio
import os
import re
import shutil
import subprocess

import pytest
from tests.shell.grpc_face import served

pytestmark = pytest.mark.interop

MODULE = "github.com/summerwind/h2spec/cmd/h2spec@latest"
BUILD_SECONDS = 240
RUN_SECONDS = 60


@pytest.fixture(scope="module")
def h2spec(tmp_path_factory):
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    folder = tmp_path_factory.mktemp("h2spec")
    environment = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "-mod=mod"}
    subprocess.run(["go", "install", MODULE], env=environment, check=True, timeout=BUILD_SECONDS)
    return folder / "h2spec"


def test_h2spec(h2spec):
    async def whole():
        async with served() as (_, server):
            command = [h2spec, "-h", "127.0.0.1", "-p", str(server.ports[0]), "-o", "5"]
            return await asyncio.to_thread(
                subprocess.run, command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
            )

    found = asyncio.run(whole())
    passed = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", found.stdout)
    assert passed is not None, found.stdout + found.stderr
    total, good, skipped, failed = map(int, passed.groups())
    assert (total > 140, good, skipped, failed) == (True, total, 0, 0), found.stdout
