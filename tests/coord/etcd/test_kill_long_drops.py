"""kill -9 amid drops of thousands of keys, at random instants and at those that matter: each drop is one
revision, whole or not at all; what was acknowledged is there; watches, the past and saves show the same."""

import asyncio
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys

import pytest
from tests.coord.etcd.long_aims import AIMS, BUGS
from tests.coord.etcd.long_drops import END, EVERYTHING, Judge, Kv, Recorder, Seen, digest, field, shown

import cloudlet
from cloudlet.engines.keys_dump import read_dump
from cloudlet.wire.grpc import GrpcStatus

REPOSITORY = pathlib.Path(__file__).parents[3]
KILLS_A_RUN = 8  # then the history is judged, and a new one begun
AIM_S = 4  # where it is not met, the kill comes from outside
LIFE_S = 0.4  # of a drop and what is around it
HISTORY_S = 300
READS = 8
SAVES = 10
KILLS_DIVISOR = 10  # a life has tens of thousands of keys
KILLS_LONG = 100  # where so many are asked for, each of the bugs is looked for
QUICK = ("half_replayed", "lost_put", "old_previous")
TRIES = 4  # until a bug must have been seen


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


class Victim:
    """The process."""

    def __init__(self, folder, bug=None):
        self.folder = folder
        self.port = free_port()
        self.bug = bug
        folder.mkdir()
        self.start()

    def start(self, aim=None):
        command = [sys.executable, "-m", "tests.coord.etcd.serving_long", str(self.folder), str(self.port)]
        if aim is not None:
            command += ["--aim", aim[0], str(aim[1])]
        if self.bug is not None:
            command += ["--bug", self.bug]
        source = str(pathlib.Path(cloudlet.__file__).parents[1])
        self.process = subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": source})

    def kill(self):
        self.process.kill()
        self.process.wait()

    @property
    def is_dead(self):
        return self.process.poll() is not None


async def until_dead(victim, seconds):
    """Wait for a process that is to kill itself; whether it has."""
    for _ in range(int(seconds / 0.02)):
        if victim.is_dead:
            return True
        await asyncio.sleep(0.02)
    return False


class Spoilt(Exception):
    """What is on the disk cannot be read."""


class Killing:
    """One history: when the process is killed, and what is looked at behind each kill."""

    def __init__(self, victim, seed, kills):
        self.victim = victim
        self.pick = random.Random(seed)
        self.kills = kills
        self.aim = None
        self.met = []

    async def until(self, recorder):
        for _ in range(self.kills):
            if self.aim is None:
                await self._wait(recorder)
                assert not self.victim.is_dead
            elif await until_dead(self.victim, AIM_S):
                assert self.victim.process.returncode == -signal.SIGKILL
                self.met.append(self.aim[0])
            self.victim.kill()
            self.aim = None
            if self.pick.random() < 0.6:
                self.aim = (self.pick.choice(list(AIMS)), self.pick.randint(1, 24))
            self.victim.start(self.aim)
            await self._look(recorder)
        if self.aim is not None:
            self.victim.kill()
            self.victim.start()

    async def _wait(self, recorder):
        """Until some time into a drop."""
        done = recorder.done
        for _ in range(20):
            recorder.is_dropping.clear()
            try:
                await asyncio.wait_for(recorder.is_dropping.wait(), AIM_S)
            except TimeoutError:
                return
            if recorder.done > done + 20:
                break
        await asyncio.sleep(self.pick.random() * LIFE_S)

    async def _look(self, recorder):
        """At everything, right behind the kill."""
        connecting = asyncio.create_task(recorder.connect())
        while not connecting.done():
            if self.victim.is_dead and self.victim.process.returncode != -signal.SIGKILL:
                raise Spoilt("it does not open again")
            await asyncio.wait([connecting], timeout=0.2)
        client = connecting.result()
        try:
            await recorder.look(client, b"\0", b"\0", is_counted=False)
        except GrpcStatus:
            pass  # it has met its aim already
        await client.close()

    async def look_at_last(self, recorder):
        """Before one more kill, and behind it: everything, the past, and the hash."""
        found, hashes = [], []
        last = next(event.revision for event in recorder.watched[0][1][-1] if event.key == END)
        for _ in range(2):
            client = await recorder.connect()
            hashes.append((await client.HashKV(revision=last)).hash)
            await recorder.look(client, b"\0", b"\0")
            for _ in range(READS):
                revision = self.pick.randint(recorder.compacted, last)
                await recorder.look(client, *field(self.pick.randrange(3)), revision)
            since = recorder.compacted + 1
            stream = await client.watch(**EVERYTHING, start_revision=since, prev_kv=True)
            events = []
            while not events or not events[-1].key.endswith(END):
                events += map(shown, (await stream.receive()).events)
            known = [event for response in recorder.watched[0][1] for event in response]
            known = [event for event in known if since <= event.revision <= last]
            events = [event for event in events if event.revision <= last]
            if events != known:
                pairs = enumerate(zip(events, known, strict=False))
                differ = next((pair for _, pair in pairs if pair[0] != pair[1]), None)
                found.append(f"{len(events)} events are told, {len(known)} were; {differ}")
            await client.close()
            self.victim.kill()
            self.victim.start()
        if len(set(hashes)) > 1:
            found.append("the hash is another behind the kill")
        return found


def saved(folder):
    """What the last saves hold."""
    for path in sorted(folder.glob("[0-9]*"), key=lambda path: int(path.name))[-SAVES:]:
        entries = [entry for page in read_dump(path) for entry in page]
        kvs = [
            (each.key[1:], Kv(each.value, each.mod_revision, each.create_revision, each.version, each.lease))
            for each in entries
        ]
        yield Seen(int(path.name), b"\0", b"\0", len(kvs), digest(kvs))


async def one_history(folder, seed, kills, bug=None, *, large=True):
    """(violations, acknowledged writes, watches resumed, aims met)."""
    found = []
    victim = Victim(folder, bug)
    killing = Killing(victim, seed, kills)
    try:
        recorder = Recorder(f"127.0.0.1:{victim.port}", seed, large=large)
        async with asyncio.timeout(HISTORY_S):
            await recorder.run(killing.until)
            found += await killing.look_at_last(recorder)
    except* Spoilt as spoilt:
        found += map(str, spoilt.exceptions)
    finally:
        victim.kill()
    if found:
        return found, 0, 0, []
    recorder.seen += saved(folder / "saves")
    found += Judge(recorder).run()
    acknowledged = sum(each.revision is not None for each in recorder.asked)
    return found, acknowledged, recorder.resumed, killing.met


def test_a_kill_amid_long_drops(tmp_path, kills, record_property):
    checked = done = resumed = 0
    kills = max(kills // KILLS_DIVISOR, 2)
    while done < kills:
        some = min(KILLS_A_RUN, kills - done)
        found, writes, watches, _ = asyncio.run(one_history(tmp_path / str(done), done, some))
        assert found == []
        done += some
        checked += writes
        resumed += watches
    record_property("kills", done)
    record_property("checked", checked)
    record_property("resumed", resumed)


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_in_long_drops_is_seen(tmp_path, kills, bug):
    if kills < KILLS_LONG and bug not in QUICK:
        pytest.skip("in long runs")
    for seed in range(1, TRIES + 1):
        found, *_ = asyncio.run(one_history(tmp_path / str(seed), seed, 2, bug, large=False))
        if found:
            return
    raise AssertionError("nobody has seen it")
