"""The answers of a real Kafka to whole scripts of transactions, and ours beside them."""

import pytest
from tests.kafka.raw_client import RawClient
from tests.kafka.transactions.scripts import TRACES, told_scripts, traced


def test_every_script_has_a_trace_and_every_trace_its_script():
    assert {path.stem for path in TRACES.glob("*.txt")} == set(told_scripts())


@pytest.mark.parametrize("path", sorted(TRACES.glob("*.txt")), ids=lambda path: path.stem)
def test_kafka_answered_so(kafka, path):
    """Line by line the answer of Apache Kafka 4.3."""
    trace = path.read_text(encoding="utf-8").splitlines()
    lines = [line.partition(" -> ")[0] for line in trace]
    assert lines == told_scripts()[path.stem]
    with RawClient(kafka.address) as client:
        assert traced(client, f"trace-{path.stem}", lines) == trace
