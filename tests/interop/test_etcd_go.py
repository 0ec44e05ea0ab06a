"""etcd's own Go client, and kube-apiserver's way of using it, as black boxes against us."""

import asyncio
import pathlib
import shutil
import subprocess

import pytest
from tests.coord.etcd.running import running

pytestmark = pytest.mark.interop

SOURCE = pathlib.Path(__file__).with_name("go_etcd")
BUILD_SECONDS = 600
RUN_SECONDS = 90


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    found = tmp_path_factory.mktemp("go") / "client"
    subprocess.run(["go", "build", "-o", found, "."], cwd=SOURCE, check=True, timeout=BUILD_SECONDS)
    return found


def test_the_go_client(program, tmp_path):
    async def body():
        async with running(tmp_path) as served:
            found = await asyncio.to_thread(
                subprocess.run,
                [program, served.address],
                capture_output=True,
                text=True,
                timeout=RUN_SECONDS,
                check=False,
            )
            assert (found.returncode, found.stdout) == (0, "ok\n"), found.stderr

    asyncio.run(body())
