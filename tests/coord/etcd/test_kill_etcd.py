"""etcd is killed under load, again and again: nothing acknowledged is lost, nothing shown is gone, and every
watch goes on without a gap."""

import asyncio
import pathlib
import random
import socket
import subprocess
import sys

from tests.coord.etcd.histories import Recorder, judged

SERVING = pathlib.Path(__file__).with_name("serving.py")
KILLS_A_RUN = 10  # then the history is judged, and a new one begun
CALLS_BETWEEN = 60  # at the least, so that each kill meets load


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


class Victim:
    """The process."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.start()

    def start(self):
        self.process = subprocess.Popen([sys.executable, str(SERVING), str(self.folder), str(self.port)])

    def kill(self):
        self.process.kill()
        self.process.wait()


async def one_history(folder, seed, kills):
    """(violations, acknowledged writes, watches resumed)."""
    victim = Victim(folder)
    pick = random.Random(seed)

    async def until(recorder):
        for _ in range(kills):
            before = recorder.done
            while recorder.done < before + CALLS_BETWEEN:
                assert victim.process.poll() is None
                await asyncio.sleep(0.005)
            await asyncio.sleep(pick.random() * 0.05)
            victim.kill()
            victim.start()

    try:
        recorder = Recorder(f"127.0.0.1:{victim.port}", seed)
        async with asyncio.timeout(120):
            await recorder.run(until)
    finally:
        victim.kill()
    return judged(recorder), sum(len(each.wrote) for each in recorder.told), recorder.resumed


def test_a_killed_etcd(tmp_path, kills, record_property):
    checked = done = resumed = 0
    while done < kills:
        some = min(KILLS_A_RUN, kills - done)
        found, writes, watches = asyncio.run(one_history(tmp_path / str(done), done, some))
        assert found == []
        done += some
        checked += writes
        resumed += watches
    record_property("kills", done)
    record_property("checked", checked)
    record_property("resumed", resumed)
