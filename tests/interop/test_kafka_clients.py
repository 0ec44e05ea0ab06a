"""Clients of Kafka in other languages, and old ones: each lives a topic's life and prints "ok".

Runs where the language is installed; what is missing is said.
"""

import os
import sys

import pytest
from tests.interop.test_sdks import build, copied, run
from tests.kafka.running_broker import running_broker

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": broker.address, "KAFKAJS_NO_PARTITIONER_WARNING": "1"}


def test_kafkajs(tmp_path, environment):
    folder = copied("kafkajs", tmp_path)
    build("npm", ["npm", "install", "--silent", "--no-audit", "--no-fund"], folder, environment)
    run(["node", "client.js"], folder, environment)


def test_franz_go(tmp_path, environment):
    folder = copied("franz_go", tmp_path)
    build("go", ["sh", "-c", "go mod tidy && go build -o client ."], folder, environment)
    run(["./client"], folder, environment)


@pytest.mark.parametrize("version", ["2.0.2", "2.3.0"])
def test_kafka_python_2(tmp_path, environment, version):
    folder = copied("kafka_python_2", tmp_path)
    python = str(tmp_path / "venv" / "bin" / "python")
    build(sys.executable, [sys.executable, "-m", "venv", str(tmp_path / "venv")], folder, environment)
    build(
        python,
        [python, "-m", "pip", "install", "--quiet", f"kafka-python=={version}", "six"],
        folder,
        environment,
    )
    run([python, "-W", "ignore", "client.py"], folder, {**environment, "PYTHONPATH": ""})
