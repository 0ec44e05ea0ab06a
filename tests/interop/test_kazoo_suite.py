"""kazoo's own suite against us and against Debian's ZooKeeper: see tools/kazoo_suite.py."""

import pytest

from tools import kazoo_suite

pytestmark = pytest.mark.interop


def test_nothing_passes_there_and_fails_here(capsys):
    status = kazoo_suite.main()
    if status == 2:
        pytest.skip("Debian's package zookeeper is not installed")
    assert status == 0, capsys.readouterr().out
