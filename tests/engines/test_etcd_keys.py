"""The etcd engine when connections break and others write: what the contract cannot show."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudlet.coord.keys_commits import author_of, record_of
from cloudlet.engines.etcd_keys import EtcdKeys
from cloudlet.engines.etcd_layout import HeadRecord
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.fault import Conflict, InvalidCommit, NoSuchLease, StoreError
from cloudlet.kernel.keys import (
    LOCAL_LIMITS,
    Author,
    Commit,
    Compare,
    Drop,
    Entry,
    Guard,
    LeaseId,
    Put,
    Revision,
    Target,
)
from cloudlet.shell.http2_server import Server
from cloudlet.shell.keys_socket import open_keys, serve_keys
from cloudlet.wire.grpc import Call, Method

ANNA = Author("kafka", "anna", "10.0.0.1", "request-1")
EVERYTHING = (b"", b"\xff" * 8)


class House:
    """A store behind its socket, and the ways to disturb it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys.sock"
        self.clock = ManualClock()
        self.inner = MemoryKeys(self.clock.monotonic_ms)
        self.server: Server
        self.break_before = 0  # so many transactions are lost on their way there
        self.break_after = 0  # and of so many the reply is lost

    async def open(self) -> None:
        self.server = (await serve_keys(self.path, self.inner, self.clock)).server
        methods = self.server._shared.methods
        txn = methods["/etcdserverpb.KV/Txn"]
        methods["/etcdserverpb.KV/Txn"] = Method(txn.path, txn.kind, self.disturbed(txn), 1 << 23)

    def disturbed(self, txn: Method):
        async def answer(call: Call, message: bytes) -> bytes:
            if self.break_before:
                self.break_before -= 1
                await self.cut()
            reply = await txn.handler(call, message)
            if self.break_after:
                self.break_after -= 1
                await self.cut()
            return reply

        return answer

    async def cut(self) -> None:
        """Break every connection; in a task of its own, as the caller is cancelled by it."""

        async def whole() -> None:
            await self.server.silence()
            self.server.release()

        self.cutting = asyncio.ensure_future(whole())
        await asyncio.sleep(3600)

    async def restart(self) -> None:
        """As if the process began anew over the same store."""
        await self.server.close(0)
        await self.open()


@contextlib.asynccontextmanager
async def house(folder: Path) -> AsyncIterator[tuple[House, EtcdKeys]]:
    it = House(folder)
    await it.open()
    keys = await open_keys(it.path, it.clock)
    try:
        yield it, keys
    finally:
        await keys.close()
        await it.server.close(0)
        await it.inner.close()


def run(folder: Path, body) -> None:
    async def whole() -> None:
        async with house(folder) as (it, keys):
            await asyncio.wait_for(body(it, keys), 15)

    asyncio.run(whole())


def put(key: bytes, value: bytes = b"", **more) -> Commit:
    return Commit(ANNA, put=[Put(key, value, **more)])


def test_the_socket_is_for_the_owner_alone(tmp_path):
    async def body(it, keys):
        assert stat.S_IMODE(os.stat(it.path).st_mode) == 0o600

    run(tmp_path, body)


def test_a_commit_whose_reply_is_lost_is_found_and_not_made_twice(tmp_path):
    async def body(it, keys):
        it.break_after = 1
        assert await keys.commit(put(b"a", b"1")) == 2
        assert keys.get(b"a") == it.inner.get(b"a") == Entry(b"a", b"1", b"", 2, 2, 1, LeaseId(0))
        assert it.inner.head == 2
        assert await keys.commit(put(b"a", b"2")) == 3  # in a new session

    run(tmp_path, body)


def test_a_commit_that_was_lost_on_its_way_is_made_again(tmp_path):
    async def body(it, keys):
        it.break_before = 2
        guard = Guard(b"a", Target.MOD, Compare.EQUAL, 0)
        assert await keys.commit(Commit(ANNA, expect=[guard], put=[Put(b"a", b"1")])) == 2
        assert it.inner.head == 2

    run(tmp_path, body)


def test_many_commits_over_breaking_connections_are_each_made_once(tmp_path):
    async def body(it, keys):
        async def one(number: int) -> None:
            if number % 7 == 3:
                it.break_after += 1
            if number % 11 == 5:
                it.break_before += 1
            await keys.commit(put(b"%d" % number))

        await asyncio.gather(*(one(number) for number in range(60)))
        assert it.inner.head == 61
        found = it.inner.scan(*EVERYTHING)
        assert {entry.version for entry in found} == {1}
        assert list(keys.scan(*EVERYTHING)) == list(found)

    run(tmp_path, body)


def test_a_server_that_begins_anew_is_found_again_and_nothing_is_missed(tmp_path):
    async def body(it, keys):
        watch = keys.watch(*EVERYTHING)
        await keys.commit(put(b"a"))
        await it.restart()
        await it.inner.commit(put(b"b"))  # by another, while nobody is connected
        await keys.commit(put(b"c"))
        found = []
        while len(found) < 3:
            found += await watch.take()
        assert [change.events[0].entry.key for change in found] == [b"a", b"b", b"c"]

    run(tmp_path, body)


def test_what_others_commit_is_seen_with_its_author_and_meta(tmp_path):
    async def body(it, keys):
        watch = keys.watch(*EVERYTHING)
        await it.inner.commit(Commit(Author("zookeeper", "s"), put=[Put(b"z", b"1", b"meta")]))
        (change,) = await watch.take()
        assert change.author == Author("zookeeper", "s")
        assert keys.get(b"z") == it.inner.get(b"z")
        await keys.commit(put(b"z", b"2"))
        assert it.inner.get(b"z").meta == b""
        (change,) = await watch.take()
        assert change.author == ANNA
        assert change.events[0].previous.meta == b"meta"

    run(tmp_path, body)


def test_refresh_shows_what_was_committed_before_it(tmp_path):
    async def body(it, keys):
        for number in range(20):
            await it.inner.commit(put(b"a", b"%d" % number))
            await asyncio.gather(*(keys.refresh() for _ in range(5)))
            assert keys.get(b"a").value == b"%d" % number

    run(tmp_path, body)


def test_two_engines_share_one_history(tmp_path):
    async def body(it, keys):
        other = await open_keys(it.path, it.clock)
        done = 0
        seen: list[bool] = []

        async def count(mine: EtcdKeys) -> None:
            nonlocal done
            for _ in range(20):
                while True:
                    entry = mine.get(b"n")
                    number = int(entry.value) if entry else 0
                    guard = Guard(b"n", Target.MOD, Compare.EQUAL, entry.mod_revision if entry else 0)
                    try:
                        await mine.commit(Commit(ANNA, expect=[guard], put=[Put(b"n", b"%d" % (number + 1))]))
                    except Conflict as conflict:
                        seen.append(conflict.revision <= mine.head)
                        continue
                    done += 1
                    break

        await asyncio.gather(count(keys), count(other))
        assert (done, it.inner.get(b"n").value) == (40, b"40")
        assert seen
        assert all(seen)
        await other.close()

    run(tmp_path, body)


def test_many_metas_and_many_guards_in_one_commit(tmp_path):
    async def body(it, keys):
        puts = [Put(b"%d" % number, b"v", b"m%d" % number) for number in range(120)]
        guards = [Guard(each.key, Target.MOD, Compare.EQUAL, 0) for each in puts]
        assert await keys.commit(Commit(ANNA, expect=guards, put=puts)) == 2
        assert list(keys.scan(*EVERYTHING)) == list(it.inner.scan(*EVERYTHING))
        drops = [Drop(each.key) for each in puts[:119]]
        guards = [Guard(each.key, Target.MOD, Compare.EQUAL, 2) for each in puts]
        assert await keys.commit(Commit(ANNA, expect=guards, drop=drops)) == 3
        assert await keys.commit(Commit(ANNA, expect=guards[119:], drop=drops)) == 3
        with pytest.raises(Conflict):
            await keys.commit(Commit(ANNA, expect=guards, drop=drops))

    run(tmp_path, body)


def test_a_commit_over_the_port_is_refused(tmp_path):
    async def body(it, keys):
        puts = [Put(b"%d" % number, b"") for number in range(200)]
        with pytest.raises(InvalidCommit):
            await keys.commit(Commit(ANNA, put=puts, limits=LOCAL_LIMITS))

    run(tmp_path, body)


def test_leases_of_others_are_known_and_kept(tmp_path):
    async def body(it, keys):
        await it.inner.lease_grant(LeaseId(5), 7_000, ANNA)
        await it.inner.commit(put(b"a", lease=LeaseId(5)))
        await keys.refresh()
        assert [(lease.id, lease.ttl_ms) for lease in keys.leases()] == [(5, 7_000)]
        assert keys.lease_keys(LeaseId(5)) == [b"a"]
        it.clock.pass_ms(3_000)
        assert keys.lease_keepalive(LeaseId(5)) == 7_000
        (lease,) = it.inner.leases()
        while lease.ends_ms != 10_000:
            await asyncio.sleep(0.05)
            (lease,) = it.inner.leases()
        await keys.lease_revoke(LeaseId(5), ANNA)
        assert not it.inner.leases()
        with pytest.raises(NoSuchLease):
            await keys.lease_revoke(LeaseId(5), ANNA)

    run(tmp_path, body)


def test_a_closed_engine_says_so(tmp_path):
    async def body(it, keys):
        await keys.close()
        with pytest.raises(StoreError):
            await keys.commit(put(b"a"))
        with pytest.raises(StoreError):
            await keys.watch(*EVERYTHING).take()

    run(tmp_path, body)


def test_a_change_larger_than_a_message_comes_in_pieces(tmp_path):
    async def body(it, keys):
        watch = keys.watch(*EVERYTHING)
        puts = [Put(b"%d" % number, bytes(900_000), b"m") for number in range(6)]
        await it.inner.commit(Commit(ANNA, put=puts, limits=LOCAL_LIMITS))
        await it.inner.commit(put(b"last"))
        found = []
        while len(found) < 2:
            found += await watch.take()
        assert [len(change.events) for change in found] == [6, 1]
        assert keys.scan(*EVERYTHING) == it.inner.scan(*EVERYTHING)
        again = await keys.scan_at(Revision(2), *EVERYTHING, limit=4, reverse=True)
        assert list(again) == list(await it.inner.scan_at(Revision(2), *EVERYTHING, limit=4, reverse=True))

    run(tmp_path, body)


def test_the_token_of_a_commit_stands_behind_the_requests_id():
    record = HeadRecord("kafka", "p", "a", "r#1", 0, bytes(range(16)))
    author = author_of(record)
    assert author.request_id == "r#1#000102030405060708090a0b0c0d0e0f"
    assert record_of(author) == record
    assert record_of(ANNA).author == ANNA
    assert record_of(Author("aws", request_id="x#y")).author == Author("aws", request_id="x#y")


def test_a_store_of_many_pages_is_read_whole_while_others_write(tmp_path):
    async def whole() -> None:
        it = House(tmp_path)
        await it.open()
        puts = [Put(b"%05d" % number, b"v", b"m" if number % 700 == 0 else b"") for number in range(9000)]
        await it.inner.commit(Commit(ANNA, put=puts, limits=LOCAL_LIMITS))

        async def write() -> None:
            number = 0
            while True:
                number += 1
                await it.inner.commit(put(b"%05d" % (number * 37 % 9000), b"w", meta=b"n"))
                await asyncio.sleep(0)

        writing = asyncio.create_task(write())
        keys = await open_keys(it.path, it.clock)
        await asyncio.sleep(0.05)
        writing.cancel()
        await keys.refresh()
        assert list(keys.scan(*EVERYTHING)) == list(it.inner.scan(*EVERYTHING))
        assert keys.head == it.inner.head
        await keys.close()
        await it.server.close(0)
        await it.inner.close()

    asyncio.run(asyncio.wait_for(whole(), 30))
