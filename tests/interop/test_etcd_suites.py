"""The own suites of three Python clients against us and against Debian's etcd: see tools/etcd_suites.py."""

import shutil
import socket

import pytest

from tools import etcd_suites

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("suite", [suite.project for suite in etcd_suites.SUITES])
def test_a_suite(suite):
    if shutil.which("etcd") is None or shutil.which("etcdctl") is None:
        pytest.skip("etcd is not installed")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", etcd_suites.PORT)) == 0:
            pytest.skip("something else is at etcd's port")
    assert etcd_suites.main([suite]) == 0
