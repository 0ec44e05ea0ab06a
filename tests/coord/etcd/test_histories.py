"""Histories of concurrent clients are those of an etcd; and each seeded bug is seen."""

import asyncio

import pytest
from tests.coord.etcd.histories import Recorder, judged
from tests.coord.etcd.running import run, running
from tests.coord.etcd.seeded_bugs import BUGS

CALLS = 500


async def enough(recorder):
    while recorder.done < CALLS:
        await asyncio.sleep(0.01)


def recorded(folder, seed):
    """What clients were told, judged."""
    found = []

    async def body():
        async with running(folder) as served:
            recorder = Recorder(served.address, seed, settled=lambda: served.keys.settled)
            await recorder.run(enough)
            found.extend(judged(recorder))
            assert len(recorder.whole) > CALLS // 4

    run(body)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_all_is_well(seed, tmp_path):
    assert recorded(tmp_path, seed) == []


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_seeded_bug_is_seen(bug, tmp_path, monkeypatch, caplog):
    bug(monkeypatch)
    assert recorded(tmp_path, 1) != []
    assert not [each for each in caplog.records if each.exc_info]  # it is a lie, and no crash
