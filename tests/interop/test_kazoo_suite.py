"""kazoo's own suite against us and against Debian's ZooKeeper: see tools/kazoo_suite.py."""

import pytest

from tools import kazoo_suite

pytestmark = pytest.mark.interop


def test_nothing_passes_there_and_fails_here(capsys):
    if said := kazoo_suite.missing():
        pytest.skip(said)
    assert kazoo_suite.main() == 0, capsys.readouterr().out
