"""What the whole suite shares: how often kill loops kill, and the conformance ledger."""

import json
import os
import tempfile

import pytest
from tests import ledger

KILLS_DEFAULT = 20


def pytest_addoption(parser):
    parser.addoption(
        "--kills", type=int, default=KILLS_DEFAULT, help="how often a kill loop kills its process"
    )
    parser.addoption(
        "--ledger",
        choices=("check", "write"),
        help="after a whole run, hold docs/ledger.json against it or write it",
    )


@pytest.fixture
def kills(request):
    """How many kills a kill loop owes."""
    return request.config.getoption("--kills")


def pytest_configure(config):
    if config.getoption("--ledger") and not hasattr(config, "workerinput"):
        config.ledger_notes = tempfile.TemporaryDirectory(prefix="cloudlet-ledger-")
        os.environ[ledger.NOTES_VARIABLE] = config.ledger_notes.name  # the workers inherit it


def pytest_sessionfinish(session, exitstatus):
    config = session.config
    notes = getattr(config, "ledger_notes", None)
    if notes is None or exitstatus != 0:
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
