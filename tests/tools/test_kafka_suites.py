"""The runner of Kafka's suites: what it tells of is in the docs."""

from pathlib import Path

from tools.kafka_suites import SUITES

TEXT = (Path(__file__).parents[2] / "docs" / "kafka-suites.md").read_text(encoding="utf-8")


def test_every_suite_and_every_failure_is_in_the_docs():
    for suite in SUITES:
        assert f"{suite.name} {suite.version}" in TEXT
        for test in suite.explained:
            assert f"`{test.rpartition('::')[2]}`" in TEXT
        for name, value in zip(*[iter(suite.flags.split())] * 2, strict=True):
            assert f"`{name} {value}`" in TEXT
