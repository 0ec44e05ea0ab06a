"""ZooKeeper's own Java client, and Curator with its recipes, against a face."""

import pathlib
import shutil
import subprocess

import pytest
from tests.coord.zookeeper.running import running

HERE = pathlib.Path(__file__).parent

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    if shutil.which("mvn") is None:
        pytest.skip("mvn is not installed")
    folder = shutil.copytree(HERE / "java_zookeeper", tmp_path_factory.mktemp("java") / "java_zookeeper")
    command = ["mvn", "-q", "-B", "compile", "dependency:copy-dependencies", "-DoutputDirectory=target/lib"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("program", ["JavaClient", "CuratorClient"])
def test_program(program, built, tmp_path):
    with running(tmp_path / "keys") as face:
        done = subprocess.run(
            ["java", "-cp", "target/classes:target/lib/*", program, face.address],
            cwd=built, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "ok"), done.stdout + done.stderr
