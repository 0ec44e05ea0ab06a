"""One client per language: each runs a queue's life against a cloud and prints "ok".

Runs where the language is installed; what is missing is said. Dependencies come from each language's own
registry.
"""

import os
import pathlib
import shutil
import subprocess

import pytest
from tests.cloud import running

HERE = pathlib.Path(__file__).parent
BUILD_SECONDS = 240
RUN_SECONDS = 60

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def environment():
    with running() as cloud:
        yield {
            **os.environ,
            "AWS_ENDPOINT_URL": cloud.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def build(tool, command, folder, environment):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def run(command, folder, environment):
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    assert (done.returncode, done.stdout.strip().splitlines()[-1:]) == (0, ["ok"]), done.stdout + done.stderr


def copied(name, tmp_path):
    return shutil.copytree(HERE / name, tmp_path / name)


def test_javascript(environment, tmp_path):
    folder = copied("node", tmp_path)
    build("npm", ["npm", "install", "--no-audit", "--no-fund", "--silent"], folder, environment)
    run(["node", "queue.mjs"], folder, environment)


def test_go(environment, tmp_path):
    folder = copied("go", tmp_path)
    build("go", ["go", "mod", "tidy"], folder, environment)
    build("go", ["go", "build", "-o", "queue", "."], folder, environment)
    run(["./queue"], folder, environment)


def test_java(environment, tmp_path):
    folder = copied("java", tmp_path)
    classpath = ["mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=classpath", "compile"]
    build("mvn", classpath, folder, environment)
    jars = (folder / "classpath").read_text(encoding="utf-8").strip()
    run(["java", "-cp", f"target/classes:{jars}", "QueueLife"], folder, environment)


def test_files_in_python(environment, tmp_path):
    folder = copied("python", tmp_path)
    # A folder of their own: s3fs pins another botocore than the one that we are tested with.
    build("python3", ["python3", "-m", "venv", "own"], folder, environment)
    install = ["own/bin/pip", "install", "--quiet", "-r", "requirements.txt"]
    build("python3", install, folder, environment)
    run(["own/bin/python", "files.py"], folder, {**environment, "AWS_REGION": "us-east-1"})
