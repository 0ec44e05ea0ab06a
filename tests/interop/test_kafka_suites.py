"""The integration tests of Kafka's Python clients; docs/kafka-suites.md."""

import os
import pathlib

import pytest

from tools import kafka_suites

pytestmark = pytest.mark.interop

CHECKOUT = "CONFLUENT_KAFKA_PYTHON"  # where a checkout of confluent-kafka-python is


def test_kafka_python():
    assert kafka_suites.main(["kafka-python"]) == 0


@pytest.mark.parametrize("name", ["confluent-kafka", "confluent-kafka-848"])
def test_confluent_kafka(name):
    checkout = os.environ.get(CHECKOUT)
    if not checkout:
        pytest.skip(f"its releases bring no tests: {CHECKOUT}=DIR names a checkout of its repository")
    assert kafka_suites.main([name, "--from", str(pathlib.Path(checkout))]) == 0
