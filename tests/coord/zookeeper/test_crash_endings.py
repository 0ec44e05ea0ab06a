"""kill -9 amid the ends of sessions with thousands of ephemerals, and amid an etcd client's deletes of as
many znodes: each is one transaction, in the eyes of everybody, and its parents know of it.

What is checked of lists, Stats, listeners and sessions: endings.py.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.coord.etcd.long_drops import END, Recorder
from tests.coord.zookeeper.endings import (
    PARENTS,
    Caller,
    Judge,
    Known,
    Worker,
    end_sessions,
    fill_outside,
    listen,
    meddle,
)
from tests.coord.zookeeper.serving_endings import AIMS, BUGS
from tests.coord.zookeeper.test_crash_zookeeper import REPOSITORY, free_port

import cloudlet
from cloudlet.wire.grpc import GrpcStatus
from cloudlet.wire.zookeeper import OpCode

KILLS_A_RUN = 8
KILLS_DIVISOR = 10
KILLS_LONG = 100  # where so many are asked for, each of the bugs is looked for
QUICK = ("end_not_replayed",)
TRIES = 4
AIM_S = 4.0
LIFE_S = 0.3
ENDERS = 2
HISTORY_S = 300
RANGE = {"key": b"/zk/2/q/", "range_end": b"/zk/2/q0"}


class Victim:
    """The process."""

    def __init__(self, folder, bug):
        self.folder, self.bug = folder, bug
        self.port, self.etcd_port = free_port(), free_port()
        self.start()

    def start(self, aim=None):
        command = [sys.executable, "-m", "tests.coord.zookeeper.serving_endings", str(self.folder)]
        command += [str(self.port), str(self.etcd_port)]
        if aim is not None:
            command += ["--aim", aim[0], str(aim[1])]
        if self.bug is not None:
            command += ["--bug", self.bug]
        source = str(Path(cloudlet.__file__).parents[1])
        self.process = subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": source})

    def kill(self):
        self.process.kill()
        self.process.wait()
        return self.process.returncode


async def delete_outside(recorder):
    """An etcd client deletes znodes, as soon as they are many."""
    while not recorder.is_over.is_set():
        client = await recorder.connect()
        try:
            while not recorder.is_over.is_set():
                await asyncio.sleep(0.1)
                if (await client.Range(**RANGE, count_only=True)).count >= 2_000:
                    await client.DeleteRange(**RANGE)
                    recorder.done += 1
        except GrpcStatus:
            pass
        await client.close()


async def kill_it(victim, known, pick, kills):
    aim = None
    for _ in range(kills):
        known.is_ending.clear()
        if aim is None:
            await asyncio.to_thread(known.is_ending.wait, AIM_S)
            await asyncio.sleep(pick.random() * LIFE_S)
        else:
            await asyncio.to_thread(_wait, victim.process)
        if victim.kill() != -signal.SIGKILL:
            known.wrong.append("it does not open again")
            return
        aim = (pick.choice(list(AIMS)), pick.randint(1, 24)) if pick.random() < 0.6 else None
        victim.start(aim)
    if aim is not None:
        victim.kill()
        victim.start()


def _wait(process):
    try:
        process.wait(AIM_S)
    except subprocess.TimeoutExpired:
        pass


def prepare(known):
    """The parents."""
    caller = Caller(known)
    caller.connect()
    caller.make(PARENTS, 0)
    caller.call(OpCode.closeSession)
    caller.close()


async def one_history(folder, seed, kills, bug=None):
    """(violations, operations that were answered, sessions that came back)."""
    victim = Victim(folder, bug)
    known = Known(victim.port)
    works = [end_sessions] * ENDERS + [meddle, meddle, listen, fill_outside]
    workers = [Worker(known, number, seed, work) for number, work in enumerate(works)]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    recorder = Recorder(f"127.0.0.1:{victim.etcd_port}", seed)
    try:
        async with asyncio.timeout(HISTORY_S):
            await asyncio.to_thread(prepare, known)
            for thread in threads:
                thread.start()
            watching = asyncio.create_task(recorder.watch(0, b"\0", b"\0"))
            deleting = asyncio.create_task(delete_outside(recorder))
            await kill_it(victim, known, random.Random(seed), kills)
            recorder.is_over.set()
            known.is_over.set()
            if not known.wrong:
                await or_dead(victim, known, finish(known, recorder, threads, deleting, watching))
            for task in (watching, deleting):
                task.cancel()
    finally:
        known.is_over.set()
        victim.kill()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    history = [event for response in recorder.watched[0][1] for event in response]
    return Judge(known, history).run() + recorder.wrong, known.done + recorder.done, known.resumed


async def finish(known, recorder, threads, deleting, watching):
    """Let everybody come to an end, and look once more."""
    for thread in threads:
        await asyncio.to_thread(thread.join)
    await deleting
    client = await recorder.connect()
    await asyncio.to_thread(look_at_last, known)
    await client.Put(key=END)
    await watching
    await client.close()


async def or_dead(victim, known, ending):
    """Wait for it, unless the process ends by itself."""
    task = asyncio.ensure_future(ending)
    while not task.done():
        await asyncio.wait([task], timeout=0.1)
        if victim.process.poll() is not None:
            known.wrong.append("it does not open again")
            task.cancel()
            await asyncio.wait([task])
            return
    task.result()


def look_at_last(known):
    caller = Caller(known, is_last=True)
    caller.connect()
    for parent in PARENTS:
        caller.list(parent)
    caller.close()


def test_a_kill_amid_the_ends_of_large_sessions(tmp_path, kills, record_property):
    checked = done = resumed = 0
    kills = max(kills // KILLS_DIVISOR, 2)
    while done < kills:
        some = min(KILLS_A_RUN, kills - done)
        found, answered, sessions = asyncio.run(one_history(tmp_path / str(done), done, some))
        assert found == []
        done += some
        checked += answered
        resumed += sessions
    record_property("kills", done)
    record_property("checked", checked)


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_at_the_end_of_large_sessions_is_seen(tmp_path, kills, bug):
    if kills < KILLS_LONG and bug not in QUICK:
        pytest.skip("in long runs")
    for seed in range(1, TRIES + 1):
        found, *_ = asyncio.run(one_history(tmp_path / str(seed), seed, 3, bug))
        if found:
            return
    raise AssertionError("nobody has seen it")
