"""The keys as control verbs: values, their past, who changed them."""

import asyncio
import inspect
import json

import msgspec
import pytest
from tests.shell.test_control import request

from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.disk_keys_log import LogSettings
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.keys import Author, Commit, Drop, LeaseId, Put
from cloudlet.kernel.tuples import pack
from cloudlet.shell.control import Control
from cloudlet.shell.key_verbs import KeyVerbs

ALICE = Author("aws", "alice", "::1", "request-1")
BOB = Author("aws", "bob")
A, B, C = pack(("s", "a")), pack(("s", "b")), pack(("t", "c"))


def record(number):
    return msgspec.msgpack.encode({"number": number, "bytes": b"\x00"})


async def ask(keys, path, **body):
    answer = Control(KeyVerbs(keys).verbs()).respond(request("POST", path, msgspec.json.encode(body)))
    if inspect.iscoroutine(answer):
        answer = await answer
    return answer.status, msgspec.json.decode(answer.body)


async def story(keys):
    """Revisions 2 to 6."""
    await keys.commit(Commit(ALICE, put=[Put(A, record(1)), Put(B, b"text")]))
    await keys.commit(Commit(BOB, put=[Put(A, record(2))]))
    await keys.commit(Commit(BOB, drop=[Drop(A)]))
    await keys.commit(Commit(ALICE, put=[Put(A, record(3)), Put(C, b"\xff")]))
    await keys.commit(Commit(BOB, put=[Put(B, b"other")]))


@pytest.fixture(params=["memory", "disk"])
def run(request, tmp_path):
    def run_scenario(scenario):
        async def whole():
            memory = request.param == "memory"
            keys = MemoryKeys(lambda: 0.0) if memory else await DiskKeys.open(tmp_path / "keys", lambda: 0.0)
            await story(keys)
            await scenario(keys)
            await keys.close()

        asyncio.run(whole())

    return run_scenario


def test_a_key_now_and_then(run):
    async def scenario(keys):
        status, found = await ask(keys, "/keys/get", key="s/a")
        assert (status, found["value"]) == (200, {"number": 3, "bytes": "AA=="})
        assert [found[name] for name in ("create_revision", "mod_revision", "version")] == [5, 5, 1]
        assert (await ask(keys, "/keys/get", key="s/a", at=3))[1]["value"]["number"] == 2
        assert (await ask(keys, "/keys/get", key="s/b"))[1]["value"] == "other"
        assert (await ask(keys, "/keys/get", key="t/c"))[1]["value"] == {"base64": "/w=="}
        assert (await ask(keys, "/keys/get", key="s/a", at=4))[0] == 404
        assert "newest is 6" in (await ask(keys, "/keys/get", key="s/a", at=7))[1]["error"]
        assert (await ask(keys, "/keys/get", key="#x1"))[0] == 400

    run(scenario)


def test_a_history_says_who_did_what(run):
    async def scenario(keys):
        _, found = await ask(keys, "/keys/history", key="s/a")
        rows = [(row["revision"], row["change"], row["author"]["principal"]) for row in found["changes"]]
        assert rows == [
            (2, "put", "alice"),
            (3, "changed", "bob"),
            (4, "dropped", "bob"),
            (5, "put", "alice"),
        ]
        assert found["changes"][0]["author"]["request_id"] == "request-1"
        assert found["changes"][2]["value"] is None
        assert (await ask(keys, "/keys/history", key="s/z"))[0] == 404

    run(scenario)


def test_a_diff_between_revisions(run):
    async def scenario(keys):
        async def rows(start, stop=None, prefix=""):
            status, found = await ask(keys, "/keys/diff", **{"from": start, "to": stop, "prefix": prefix})
            assert status == 200
            return [(row["key"], row["change"]) for row in found["keys"]]

        assert await rows(1) == [("s/a", "put"), ("s/b", "put"), ("t/c", "put")]
        assert await rows(2) == [("s/a", "changed"), ("s/b", "changed"), ("t/c", "put")]
        assert await rows(2, 4) == [("s/a", "dropped")]
        assert await rows(4, prefix="s") == [("s/a", "put"), ("s/b", "changed")]
        assert await rows(6) == []
        assert (await ask(keys, "/keys/diff", **{"from": 3, "to": 9}))[0] == 400
        _, found = await ask(keys, "/keys/diff", **{"from": 1, "to": 5, "prefix": "s"})
        authors = [(row["key"], row["revision"], row["author"]["principal"]) for row in found["keys"]]
        assert authors == [("s/a", 5, "alice"), ("s/b", 2, "alice")]
        _, found = await ask(keys, "/keys/diff", **{"from": 2, "to": 4})
        [gone] = found["keys"]
        assert (gone["change"], gone["revision"], gone["author"]["principal"]) == ("dropped", 4, "bob")

    run(scenario)


def test_revisions_that_there_cannot_be(run):
    async def scenario(keys):
        for number in (0, -3):
            for path, body in (
                ("/keys/get", {"key": "s/b", "at": number}),
                ("/keys/diff", {"from": number}),
                ("/keys/watch", {"since": number}),
            ):
                status, found = await ask(keys, path, **body)
                assert (status, found["error"]) == (400, f"there is no revision {number}: the first is 1")

    run(scenario)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b'{"a": 1,  "a": 2}', '{"a": 1,  "a": 2}'),
        (b"\x80", {"base64": "gA=="}),  # to MessagePack an empty map
        (b"text", "text"),
        (b"", ""),
    ],
)
def test_a_value_of_a_client_is_shown_as_it_is(value, shown):
    async def main():
        keys = MemoryKeys(lambda: 0.0)
        await keys.commit(Commit(ALICE, put=[Put(b"ejobs", value)]))
        assert (await ask(keys, "/keys/get", key="#etcd/jobs"))[1]["value"] == shown
        [change] = (await ask(keys, "/keys/history", key="#etcd/jobs"))[1]["changes"]
        assert change["value"] == shown
        await keys.close()

    asyncio.run(main())


def test_the_lease_of_a_key_is_told():
    async def main():
        keys = MemoryKeys(lambda: 0.0)
        await keys.lease_grant(LeaseId(0x1A), 60_000, ALICE)
        await keys.commit(Commit(ALICE, put=[Put(b"ejobs", b"x", lease=LeaseId(0x1A))]))
        assert (await ask(keys, "/keys/get", key="#etcd/jobs"))[1]["lease"] == "1a"
        await keys.lease_revoke(LeaseId(0x1A), BOB)
        _, found = await ask(keys, "/keys/history", key="#etcd/jobs")
        assert [(row["change"], row["lease"]) for row in found["changes"]] == [
            ("put", "1a"),
            ("dropped", "1a"),
        ]
        _, found = await ask(keys, "/keys/watch", since=1)
        assert [row["lease"] for row in found["changes"]] == ["1a", "1a"]
        await keys.commit(Commit(ALICE, put=[Put(b"ejobs", b"x")]))
        assert "lease" not in (await ask(keys, "/keys/get", key="#etcd/jobs"))[1]
        await keys.close()

    asyncio.run(main())


def test_a_watch_waits_for_what_comes_and_goes_on_where_it_was(run):
    async def scenario(keys):
        _, found = await ask(keys, "/keys/watch", prefix="s", since=4)
        assert [(row["revision"], row["key"]) for row in found["changes"]] == [
            (4, "s/a"),
            (5, "s/a"),
            (6, "s/b"),
        ]
        assert found["since"] == 7
        _, found = await ask(keys, "/keys/watch", prefix="s", since=7, wait_ms=1)
        assert (found["since"], found["changes"]) == (7, [])
        waiting = asyncio.ensure_future(ask(keys, "/keys/watch", prefix="s"))
        await asyncio.sleep(0)
        await keys.commit(Commit(BOB, put=[Put(C, b"not watched")]))
        await keys.commit(Commit(BOB, put=[Put(A, b"news")]))
        _, found = await waiting
        assert [(row["revision"], row["value"]) for row in found["changes"]] == [(8, "news")]
        assert found["changes"][0]["author"]["principal"] == "bob"
        await keys.compact(8)
        assert (await ask(keys, "/keys/watch", since=2))[0] == 410
        assert (await ask(keys, "/keys/watch", wait_ms=10**9))[0] == 400

    run(scenario)


def test_a_list_of_keys(run):
    async def scenario(keys):
        _, found = await ask(keys, "/keys/list", prefix="s")
        assert [(row["key"], row["revision"]) for row in found["keys"]] == [("s/a", 5), ("s/b", 6)]
        assert len((await ask(keys, "/keys/list"))[1]["keys"]) == 3

    run(scenario)


def test_what_is_compacted_is_refused_by_the_oldest_revision(run):
    async def scenario(keys):
        await keys.compact(4)
        for path, body in (("/keys/get", {"key": "s/b", "at": 3}), ("/keys/diff", {"from": 3})):
            status, found = await ask(keys, path, **body)
            assert (status, found["error"]) == (410, "revision 3 is no longer kept; the oldest that is: 4")
        _, found = await ask(keys, "/keys/history", key="s/a")
        assert found["oldest_revision"] == 4
        assert [row["revision"] for row in found["changes"]] == [4, 5]

    run(scenario)


def test_history_that_went_with_its_segments(tmp_path):
    settings = LogSettings(
        segment_bytes=4096, first_segment_bytes=4096, history_bytes_max=8192, checkpoint_bytes=4096
    )

    async def scenario():
        keys = await DiskKeys.open(tmp_path, lambda: 0.0, settings=settings)
        for number in range(200):
            await keys.commit(Commit(ALICE, put=[Put(A, b"%d" % number * 50)]))
        await keys.start_checkpoint()
        status, found = await ask(keys, "/keys/history", key="s/a")
        assert status == 200
        assert found["oldest_revision"] > 1
        assert found["changes"][-1]["revision"] == keys.head
        await keys.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("named", "there_is"),
    [("jobs/1", "'#etcd/jobs/1'"), ("/app/a", "'#etcd//zk/2/app/a'"), ("jobs/2", None)],
)
def test_a_key_named_as_its_client_names_it(named, there_is):
    """`cloudlet keys get jobs/1`, right after `etcdctl put jobs/1`: where it is kept is said."""

    async def main():
        keys = MemoryKeys(lambda: 0.0)
        await keys.commit(Commit(ALICE, put=[Put(b"ejobs/1", b"x"), Put(b"e/zk/2/app/a", b"x")]))
        for verb in ("/keys/get", "/keys/history"):
            status, said = await ask(keys, verb, key=named)
            assert status == 404
            assert (f"there is {there_is}" in json.dumps(said)) == (there_is is not None)
        await keys.close()

    asyncio.run(main())
