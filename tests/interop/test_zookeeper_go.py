"""The Go client of ZooKeeper against a face."""

import pathlib
import shutil
import subprocess

import pytest
from tests.coord.zookeeper.running import running

HERE = pathlib.Path(__file__).parent

pytestmark = pytest.mark.interop


def test_program(tmp_path):
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    folder = shutil.copytree(HERE / "go_zookeeper", tmp_path / "go_zookeeper")
    for command in (["go", "mod", "tidy"], ["go", "build", "-o", "program", "."]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    with running(tmp_path / "keys") as face:
        done = subprocess.run(
            [folder / "program", face.address], capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stdout + done.stderr
