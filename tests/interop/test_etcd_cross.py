"""Random operations on us and on a real etcd: every answer and every event is alike."""

import asyncio

import pytest
from tests.coord.etcd.running import running
from tests.interop import real_etcd
from tests.interop.etcd_cross import cross_check

pytestmark = pytest.mark.interop

SEEDS = range(8)
STEPS = 400


@pytest.mark.parametrize("seed", SEEDS)
def test_every_answer_is_alike(seed, tmp_path):
    version = real_etcd.version()
    if version is None:
        pytest.skip("etcd is not installed")

    async def compared(theirs):
        async with running(tmp_path / "keys" if seed % 2 else None) as ours:
            return await cross_check(ours.address, theirs, seed, STEPS, is_old=version < (3, 6))

    with real_etcd.running(tmp_path / "etcd", "--unsafe-no-fsync") as theirs:
        assert asyncio.run(compared(theirs)) == []
