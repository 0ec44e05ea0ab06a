"""How the outcomes of kazoo's suite are compared."""

from tools import kazoo_suite


def test_what_passes_there_and_fails_here_is_told():
    theirs = {"a::one": "passed", "a::two": "failed", "a::three": "passed", "a::four": "passed"}
    ours = {"a::one": "passed", "a::two": "failed", "a::three": "skipped"}
    assert kazoo_suite.judged(ours, theirs) == [
        "a::three passes with Debian's ZooKeeper and has skipped here",
        "a::four passes with Debian's ZooKeeper and has None here",
    ]
    assert kazoo_suite.judged({**theirs}, theirs) == []


def test_a_reason_excuses_and_must_not_be_idle(monkeypatch):
    monkeypatch.setattr(kazoo_suite, "EXPLAINED", {"::one": "because"})
    assert kazoo_suite.judged({"a::one": "failed"}, {"a::one": "passed"}) == []
    assert kazoo_suite.judged({"a::one": "passed"}, {"a::one": "passed"}) == [
        "a::one passes, and is explained: because"
    ]


def test_a_report_is_read(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuite><testcase classname='a' name='one'/>"
        "<testcase classname='a' name='two'><failure/></testcase>"
        "<testcase classname='a' name='three'><skipped/></testcase>"
        "<testcase classname='venv.lib.kazoo.tests.test_x.T' name='four'><error/></testcase></testsuite>"
    )
    assert kazoo_suite.outcomes(report) == {
        "a::one": "passed", "a::two": "failed", "a::three": "skipped", "kazoo.tests.test_x.T::four": "failed",
    }  # fmt: skip


def test_what_is_missing_is_named():
    said = kazoo_suite.missing(lambda program: None)
    assert said.startswith("not installed: ")
    assert said.endswith("java, a C compiler (gcc)")
    assert "java, " not in kazoo_suite.missing(lambda program: f"/usr/bin/{program}")
