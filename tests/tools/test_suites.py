"""The runner of foreign suites: what it makes of a report, and what it calls wrong."""

from pathlib import Path

from tools.suites import SUITES, Suite, judge, read

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_s3.TestCopy" name="test_a"/>
<testcase classname="tests.test_s3.TestCopy" name="test_b[one]"><failure>no</failure></testcase>
<testcase classname="tests.test_s3" name="test_c"><error>no</error></testcase>
<testcase classname="tests.test_s3" name="test_d"><skipped/></testcase>
<testcase classname="tests.test_s3" name="test_e">
<failure message="s3: X is not implemented by cloudlet"/></testcase>
</testsuite></testsuites>"""


def suite(**explained):
    return Suite("one", "one", "1", (), ("tests",), explained=explained)


def test_a_report_is_read_and_judged(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    outcomes = read(report)
    assert outcomes == {
        "tests.test_s3.TestCopy::test_a": "passed",
        "tests.test_s3.TestCopy::test_b[one]": "failed",
        "tests.test_s3::test_c": "failed",
        "tests.test_s3::test_d": "skipped",
        "tests.test_s3::test_e": "refused",
    }
    assert judge(suite(**{"TestCopy::test_b": "x", "test_c": "y"}), outcomes) == []
    assert judge(suite(**{"TestCopy::test_b": "x", "test_c": "y", "test_e": "z"}), outcomes) == []
    assert judge(suite(test_c="y"), outcomes) == ["not explained: tests.test_s3.TestCopy::test_b[one]"]
    both = {"TestCopy::test_b": "x", "test_c": "y", "TestCopy::test_a": "z"}
    assert judge(suite(**both), outcomes) == ["no longer fails: TestCopy::test_a (z)"]
    assert judge(suite(), {}) == ["no test ran"]
    chancy = Suite("one", "one", "1", (), ("tests",), by_chance={"test_c": "x", "test_b": "y", "test_d": "z"})
    assert judge(chancy, outcomes) == []


def test_every_suite_that_is_told_of_is_in_the_docs():
    text = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text()
    for each in SUITES:
        assert f"{each.name.replace('smart-open', 'smart_open')} {each.version}" in text
