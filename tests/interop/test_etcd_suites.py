"""The own suites of three Python clients against us and against Debian's etcd: see tools/etcd_suites.py."""

import shutil

import pytest

from tools import etcd_suites

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("suite", [suite.project for suite in etcd_suites.SUITES])
def test_a_suite(suite):
    if shutil.which("etcd") is None or shutil.which("etcdctl") is None:
        pytest.skip("etcd is not installed")
    status = etcd_suites.main([suite])
    if status == 2:
        pytest.skip("something else is at etcd's port")
    assert status == 0
