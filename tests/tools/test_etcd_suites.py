"""The runner of the etcd clients' suites: what it tells of is in the docs, and it judges as it says."""

import dataclasses
from pathlib import Path

from tools.etcd_suites import SUITES, judge

TEXT = (Path(__file__).parents[2] / "docs" / "etcd-suites.md").read_text(encoding="utf-8")


def test_every_suite_and_every_failure_is_in_the_docs():
    for suite in SUITES:
        assert f"{suite.project} {suite.version}" in TEXT
        for test in suite.explained:
            assert f"`{test}`" in TEXT


def test_judging():
    suite = dataclasses.replace(SUITES[0], explained={"test_b": "why"})
    there = {"m.T::test_a": "passed", "m.T::test_b": "passed", "m.T::test_c": "failed"}
    here = {"m.T::test_a": "passed", "m.T::test_b": "failed", "m.T::test_c": "failed"}
    assert judge(suite, here, there) == []
    assert judge(suite, {**here, "m.T::test_a": "failed"}, there) == ["only fails here: m.T::test_a"]
    assert judge(suite, {**here, "m.T::test_b": "passed"}, there) == ["no longer differs: test_b (why)"]
    assert judge(suite, here, {}) == ["no test ran"]
