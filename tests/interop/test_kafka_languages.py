"""Kafka clients of other languages: each lives a topic's life against a broker and prints "ok".

Runs where the language is installed; what is missing is said. Dependencies come from each language's own
registry.
"""

import os

import pytest
from tests.interop.test_sdks import build, copied, run
from tests.kafka.running_broker import running_broker

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield os.environ | {"KAFKA_BOOTSTRAP_SERVERS": broker.address}


def test_kafkajs(environment, tmp_path):
    folder = copied("node_kafka", tmp_path)
    build("npm", ["npm", "install", "--no-audit", "--no-fund", "--silent"], folder, environment)
    run(["node", "life.mjs"], folder, environment)


def test_franz_go(environment, tmp_path):
    folder = copied("go_kafka", tmp_path)
    build("go", ["go", "mod", "tidy"], folder, environment)
    build("go", ["go", "build", "-o", "life", "."], folder, environment)
    run(["./life"], folder, environment)


def test_kafka_python_2(environment, tmp_path):
    folder = copied("python_kafka", tmp_path)
    build("python3", ["python3", "-m", "venv", "own"], folder, environment)
    install = ["own/bin/pip", "install", "--quiet", "-r", "requirements.txt"]
    build("python3", install, folder, environment)
    run(["own/bin/python", "life.py"], folder, environment)
