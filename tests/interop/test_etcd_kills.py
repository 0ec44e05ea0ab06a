"""The etcd engine over Debian's etcd that is killed again and again: every commit is made once, and shown."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from tests.contract.etcd_server import command_of, wait

from cloudlet.engines.etcd_keys import EtcdKeys
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.fault import Conflict, OutcomeUnknown
from cloudlet.kernel.keys import Author, Change, Commit, Compare, Guard, Put, Target

pytestmark = pytest.mark.interop

KILLS = 8
WRITERS = 8
ME = Author("kafka", request_id="r")


class Etcd:
    """A server that can be killed and started again on its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ports = []
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                probe = stack.enter_context(contextlib.closing(socket.create_server(("127.0.0.1", 0))))
                ports.append(f"127.0.0.1:{probe.getsockname()[1]}")
        self.address, self._peer = ports
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            command = command_of(self._folder / "data", self.address, self._peer)
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait(self.address)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


async def count_up(keys: EtcdKeys, name: bytes, until: asyncio.Event) -> int:
    """Add one again and again, guarded; how often that was acknowledged. A commit made twice, or one that was
    taken for lost and was not, breaks the count."""
    done = 0
    while not until.is_set():
        entry = keys.get(name)
        number = int(entry.value) if entry else 0
        guard = Guard(name, Target.MOD, Compare.EQUAL, entry.mod_revision if entry else 0)
        try:
            await keys.commit(Commit(ME, expect=[guard], put=[Put(name, b"%d" % (number + 1))]))
        except Conflict:
            raise AssertionError("the only writer of a key was refused") from None
        except OutcomeUnknown:
            pytest.fail("an outcome stayed unknown")
        done += 1
    return done


async def follow(keys: EtcdKeys, seen: list[Change]) -> None:
    watch = keys.watch(b"", b"\xff")
    while True:
        seen += await watch.take()


@contextlib.asynccontextmanager
async def opened(etcd: Etcd) -> AsyncIterator[EtcdKeys]:
    keys = await EtcdKeys.open([etcd.address], SystemClock())
    try:
        yield keys
    finally:
        await keys.close()


def test_nothing_is_lost_or_made_twice(tmp_path: Path) -> None:
    if shutil.which("etcd") is None:
        pytest.skip("etcd is not installed")
    etcd = Etcd(tmp_path)
    random = Random(5)

    async def whole() -> None:
        async with opened(etcd) as keys:
            seen: list[Change] = []
            following = asyncio.create_task(follow(keys, seen))
            until = asyncio.Event()
            names = [b"%d" % number for number in range(WRITERS)]
            writers = [asyncio.create_task(count_up(keys, name, until)) for name in names]
            for _ in range(KILLS):
                await asyncio.sleep(random.uniform(0.1, 0.6))
                await asyncio.to_thread(etcd.kill)
                await asyncio.to_thread(etcd.start)
            until.set()
            counts = await asyncio.wait_for(asyncio.gather(*writers), 60)
            found = {entry.key: (int(entry.value), entry.version) for entry in keys.scan(b"", b"\xff")}
            assert found == {name: (done, done) for name, done in zip(names, counts, strict=True)}
            assert sum(counts) > 100
            while sum(len(change.events) for change in seen) < sum(counts):
                await asyncio.sleep(0.05)
            following.cancel()
        revisions = [change.revision for change in seen]
        assert revisions == sorted(set(revisions))
        for name, done in zip(names, counts, strict=True):
            values = [
                int(each.entry.value) for change in seen for each in change.events if each.entry.key == name
            ]
            assert values == list(range(1, done + 1))
        async with opened(etcd) as again:
            assert {e.key: int(e.value) for e in again.scan(b"", b"\xff")} == dict(
                zip(names, counts, strict=True)
            )

    etcd.start()
    try:
        asyncio.run(whole())
    finally:
        etcd.kill()
