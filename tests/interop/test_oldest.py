"""The oldest dependencies that the package says it takes: with just those, parts of the suite run."""

import pathlib
import re
import subprocess
import sys
import tomllib
import venv

import pytest

pytestmark = pytest.mark.interop

ROOT = pathlib.Path(__file__).parent.parent.parent
TESTS = (
    "tests/kernel",
    "tests/wire/test_http1_receiver.py",
    "tests/wire/test_http2.py",
    "tests/services/sqs/test_service.py",
    "tests/services/s3/test_reading.py",
    "tests/coord/test_two_faces.py",
    "tests/testing",
)
CLIENTS = (
    "aiokafka", "boto3", "cbor2", "confluent-kafka", "hypothesis", "kafka-python", "kazoo", "pytest",
    "pytest-xdist",
)  # fmt: skip
BOUND = re.compile(r"([a-z0-9-]+)>=([\d.]+)")


def test_the_oldest_dependencies_serve(tmp_path):
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    bounds = [BOUND.match(each) for each in declared]
    assert all(bounds), declared
    oldest = [f"{bound[1]}=={bound[2]}" for bound in bounds]
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "-q", "install", *oldest, *CLIENTS, str(ROOT)]
    found = subprocess.run(install, capture_output=True, text=True, check=False)
    if "No matching distribution" in found.stderr and sys.version_info >= (3, 12):
        pytest.skip(f"the oldest are not published for this Python: {found.stderr.splitlines()[-1]}")
    assert found.returncode == 0, found.stderr
    tests = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    found = subprocess.run(tests, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1200)
    assert found.returncode == 0, found.stdout
