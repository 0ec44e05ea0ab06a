"""What the whole suite shares: how often kill loops kill, and the conformance ledger."""

import json
import os
import signal
import tempfile

import pytest
from tests import kafka_ledger, ledger

KILLS_DEFAULT = 20


def pytest_addoption(parser):
    parser.addoption(
        "--kills", type=int, default=KILLS_DEFAULT, help="how often a kill loop kills its process"
    )
    parser.addoption(
        "--rewrite",
        action="store_true",
        help="write the traces of golden scripts anew, to be read in the diff",
    )
    parser.addoption(
        "--ledger",
        choices=("check", "write", "add"),
        help="after a whole run, hold docs/ledger.json against it, write it, or only add Kafka clients seen",
    )


@pytest.fixture
def kills(request):
    """How many kills a kill loop owes."""
    return request.config.getoption("--kills")


def pytest_configure(config):
    # Whatever started this run may have these ignored (nohup, a script's &), and every process that the tests
    # start would inherit it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if config.getoption("--ledger") and not hasattr(config, "workerinput"):
        config.ledger_notes = tempfile.TemporaryDirectory(prefix="cloudlet-ledger-")
        os.environ[ledger.NOTES_VARIABLE] = config.ledger_notes.name  # the workers inherit it
    notes = os.environ.get(ledger.NOTES_VARIABLE)
    if notes and config.getoption("--ledger") != "check":
        config.kafka_notes = kafka_ledger.watch(notes)


def pytest_collection_modifyitems(items):
    for item in items:
        if "kills" in getattr(item, "fixturenames", ()):
            item.add_marker("kills")


def pytest_terminal_summary(terminalreporter):
    """What the kill loops have done."""
    loops = [
        (report, dict(report.user_properties))
        for report in terminalreporter.getreports("passed")
        if "kills" in dict(report.user_properties)
    ]
    if not loops:
        return
    terminalreporter.section("kill loops")
    for report, told in sorted(loops, key=lambda loop: loop[0].nodeid):
        watches = f", {told['resumed']:,} watches resumed" if "resumed" in told else ""
        figures = f"{told['kills']} kills, {told['checked']:,} acknowledged{watches}, {report.duration:.0f} s"
        terminalreporter.write_line(f"{report.nodeid}: {figures}")
    kills, checked = (sum(told[name] for _, told in loops) for name in ("kills", "checked"))
    terminalreporter.write_line(f"together {kills:,} kills; of {checked:,} acknowledged writes none was lost")


def pytest_sessionfinish(session, exitstatus):
    config = session.config
    if hasattr(config, "kafka_notes"):
        config.kafka_notes()
    notes = getattr(config, "ledger_notes", None)
    if notes is None or exitstatus != 0:
        return
    if config.getoption("--ledger") != "check":
        kafka_ledger.add(notes.name)
    if config.getoption("--ledger") == "add":
        return
    seen = ledger.collected(notes.name)
    if config.getoption("--ledger") == "write":
        ledger.LEDGER.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")
        return
    worse = ledger.fallen(json.loads(ledger.LEDGER.read_text(encoding="utf-8")), seen)
    if worse:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        for line in worse:
            reporter.write_line(f"ledger: {line}", red=True)


def pytest_unconfigure(config):
    notes = getattr(config, "ledger_notes", None)
    if notes is not None:
        notes.cleanup()
