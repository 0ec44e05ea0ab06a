"""Watch streams: ids, cancels, progress, fragments, the compacted past. See test_watch_guarantees.py too."""

import asyncio

import pytest
from tests.coord.etcd.running import run, running

from cloudlet.coord.etcd.watch import fragments
from cloudlet.kernel.keys import Author, Commit, Put
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Code, GrpcStatus

COMPACTED = "etcdserver: mvcc: required revision has been compacted"


async def created(stream):
    reply = await stream.receive()
    assert reply.created
    return reply


async def progress(stream):
    stream.send(progress_request=pb.WatchProgressRequest())
    return await stream.receive()


def test_ids_are_given_and_kept():
    async def body():
        async with running() as served:
            stream = served.client.stream("Watch")
            for asked, given in ((0, 0), (0, 1), (3, 3), (2, 2), (0, 4)):
                await stream.create(key=b"k", watch_id=asked)
                assert (await created(stream)).watch_id == given
            await stream.create(key=b"k", watch_id=3)
            twice = await created(stream)
            assert (twice.watch_id, twice.canceled) == (-1, True)
            assert twice.cancel_reason == "mvcc: duplicate watch ID provided on the WatchStream"
            await served.client.Put(key=b"k")
            seen = {(await stream.receive()).watch_id for _ in range(5)}
            assert seen == {0, 1, 2, 3, 4}
            stream.cancel()

    run(body)


def test_cancelling():
    async def body():
        async with running() as served:
            stream = await served.client.watch(key=b"k")
            stream.send(cancel_request=pb.WatchCancelRequest(watch_id=9))  # unknown: nothing is said
            stream.send(cancel_request=pb.WatchCancelRequest(watch_id=0))
            told = await stream.receive()
            assert (told.watch_id, told.canceled, told.created) == (0, True, False)
            await served.client.Put(key=b"k")
            await stream.create(key=b"other")
            assert (await created(stream)).watch_id == 1  # an id is not given twice
            stream.cancel()

    run(body)


def test_a_client_that_asks_for_nothing_more_still_listens():
    async def body():
        async with running() as served:
            stream = await served.client.watch(key=b"k")
            stream.end()
            for value in (b"1", b"2"):
                await served.client.Put(key=b"k", value=value)
                assert [event.kv.value for event in await stream.events(1)] == [value]
            stream.cancel()
            await served.client.Put(key=b"k")

    run(body)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"key": b"k", "start_revision": -1}, COMPACTED),
        ({"key": b"k", "range_end": b"a"}, "mvcc: watcher range is empty"),
        ({"key": b"k", "range_end": b"k"}, "mvcc: watcher range is empty"),
    ],
)
def test_a_watch_that_cannot_be(fields, reason):
    async def body():
        async with running() as served:
            stream = served.client.stream("Watch")
            await stream.create(**fields)
            reply = await created(stream)
            assert (reply.watch_id, reply.canceled, reply.cancel_reason) == (-1, True, reason)
            await stream.create(key=b"k")  # the stream lives on
            assert (await created(stream)).watch_id == 0
            stream.cancel()

    run(body)


def test_the_compacted_past(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            for number in range(5):
                await served.client.Put(key=b"k", value=b"%d" % number)
            await served.client.Compact(revision=4)
            stream = served.client.stream("Watch")
            await stream.create(key=b"k", start_revision=2)
            await created(stream)
            reply = await stream.receive()
            assert (reply.canceled, reply.compact_revision, reply.header.revision) == (True, 4, 0)
            await stream.create(key=b"k", start_revision=reply.compact_revision)
            await created(stream)
            assert [event.kv.value for event in await stream.events(3)] == [b"2", b"3", b"4"]
            stream.cancel()

    run(body)


def test_progress_is_told_once_all_are_there():
    async def body():
        async with running() as served:
            stream = served.client.stream("Watch")
            stream.send(progress_request=pb.WatchProgressRequest())  # of no watcher: nothing is said
            await stream.create(key=b"a")
            await stream.create(key=b"b")
            await created(stream)
            await created(stream)
            await served.client.Put(key=b"z")
            told = await progress(stream)
            assert (told.watch_id, told.header.revision, told.events) == (-1, 2, [])
            await stream.create(key=b"c", start_revision=4)
            await created(stream)
            stream.send(progress_request=pb.WatchProgressRequest())
            await served.client.Put(key=b"a")
            event = await stream.receive()  # revision 3: the third watcher is still to begin
            assert event.events
            await served.client.Put(key=b"c")
            assert {(await stream.receive()).watch_id, (await stream.receive()).watch_id} == {-1, 2}
            stream.cancel()

    run(body)


def test_progress_by_itself():
    async def body():
        async with running(progress_s=0.05) as served:
            stream = served.client.stream("Watch")
            await stream.create(key=b"a", progress_notify=True)
            await stream.create(key=b"a")
            await created(stream)
            await created(stream)
            told = await stream.receive()
            assert (told.watch_id, told.events, told.header.revision) == (0, [], 1)
            stream.cancel()

    run(body)


def test_fragments():
    """A revision that is too large for one response comes in pieces to whom asked for it, else whole."""

    async def body():
        async with running() as served:
            value = bytes(300_000)
            keys = [b"k%02d" % number for number in range(12)]
            for key in keys:
                await served.client.Put(key=key, value=value)
            cut = await served.client.watch(key=b"k", range_end=b"l", prev_kv=True, fragment=True)
            whole = await served.client.watch(key=b"k", range_end=b"l", prev_kv=True)
            await served.client.DeleteRange(key=b"k", range_end=b"l")
            reply = await whole.receive()
            assert (len(reply.events), reply.fragment) == (12, False)
            seen, pieces = [], []
            while True:
                reply = await cut.receive()
                seen += [event.kv.key for event in reply.events]
                pieces.append(reply.fragment)
                if not reply.fragment:
                    break
            assert seen == keys
            assert len(pieces) > 2
            cut.cancel()
            whole.cancel()

    run(body)


def test_an_event_that_is_too_large_alone_is_a_piece():
    events = [pb.Event(kv=pb.KeyValue(key=b"k", value=bytes(size))) for size in (10, 2_000_000, 10)]
    assert [(len(each.events), each.fragment) for each in fragments(1, events)] == [
        (1, True),
        (1, True),
        (1, False),
    ]


def test_a_client_that_does_not_read_harms_nobody(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            slow = await served.client.watch(key=b"k")
            # `slow` is not received from, so its window of 4 MiB is never given back.
            other = await served.client.watch(key=b"k")
            for _ in range(60):
                await served.client.Put(key=b"k", value=bytes(200_000))
            assert len(await other.events(60)) == 60
            assert (await asyncio.wait_for(served.client.Range(key=b"k"), 5)).count == 1
            slow.cancel()
            other.cancel()

    run(body)


def test_many_watchers_on_one_stream():
    async def body():
        async with running() as served:
            stream = served.client.stream("Watch")
            for number in range(500):
                await stream.create(key=b"k%d" % (number % 100))
            for _ in range(500):
                await created(stream)
            await served.client.Put(key=b"k7")
            assert {(await stream.receive()).watch_id for _ in range(5)} == {7, 107, 207, 307, 407}
            stream.cancel()

    run(body)


def test_a_write_right_behind_a_watch_is_shown():
    """Both come in one piece of the connection: jetcd does not wait for the watch before it puts."""

    async def body():
        async with running() as served:
            await served.client.Put(key=b"k", value=b"before")
            stream = served.client.stream("Watch")
            stream.send(create_request=pb.WatchCreateRequest(key=b"k"))
            await served.client.Put(key=b"k", value=b"right behind")
            created = await stream.receive()
            assert (created.created, created.header.revision) == (True, 2)
            [event] = (await stream.receive()).events
            assert (event.kv.value, event.kv.mod_revision) == (b"right behind", 3)

    run(body)


def test_progress_is_told_to_who_finds_nothing_in_the_past(tmp_path):
    """Nothing is sent when a watcher has caught up in vain, so nothing else would say that it has."""

    async def body():
        async with running(tmp_path) as served:
            for number in range(1500):  # more than a page of the past
                served.keys.commit_now(Commit(Author("test"), put=[Put(b"ebusy", b"%d" % number)]))
            stream = served.client.stream("Watch")
            await stream.create(key=b"quiet", start_revision=2)
            stream.send(progress_request=pb.WatchProgressRequest())
            await created(stream)
            told = await stream.receive()
            assert (told.watch_id, told.events, told.header.revision) == (-1, [], 1501)
            stream.cancel()

    run(body)


def test_progress_is_told_when_the_watcher_that_was_behind_is_compacted_away(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            for number in range(5):
                await served.client.Put(key=b"k", value=b"%d" % number)
            await served.client.Compact(revision=4)
            stream = served.client.stream("Watch")
            await stream.create(key=b"k", start_revision=2)
            stream.send(progress_request=pb.WatchProgressRequest())
            await stream.create(key=b"k")
            told = [await stream.receive() for _ in range(4)]
            assert {each.compact_revision for each in told} == {0, 4}
            assert (told[-1].watch_id, told[-1].header.revision) == (-1, 6)
            stream.cancel()

    run(body)


def test_a_revision_of_any_size_is_shown(tmp_path):
    """etcd's clients take messages of any size, and would come back to the same one for ever."""

    async def body():
        async with running(tmp_path) as served:
            for number in range(34):
                await served.client.Put(key=b"k%02d" % number, value=bytes(1 << 20))
            stream = await served.client.watch(key=b"k", range_end=b"l", prev_kv=True)
            await served.client.DeleteRange(key=b"k", range_end=b"l")
            assert len((await stream.receive()).events) == 34
            stream.cancel()

    run(body)


def test_damage_in_the_past_ends_the_stream(tmp_path, caplog):
    async def body():
        async with running(tmp_path) as served:
            await served.client.Put(key=b"k", value=b"x" * 100)
            await served.client.Put(key=b"k")
            [segment] = tmp_path.glob("log-*")
            with segment.open("r+b") as file:
                file.seek(file.read().index(b"x" * 100))
                file.write(b"y")
            stream = await served.client.watch(key=b"k", start_revision=2)
            with pytest.raises(GrpcStatus) as caught:
                await stream.receive()
            assert caught.value.code is Code.UNAVAILABLE

    run(body)
    assert "Damaged" in caplog.text


def test_a_stream_that_is_refused_leaves_no_watcher():
    async def body():
        async with running() as served:
            before = asyncio.all_tasks()
            stream = await served.client.watch(key=b"k")
            stream.raw.send(bytes(3 << 20))
            with pytest.raises(GrpcStatus) as caught:
                await stream.receive()
            assert caught.value.code is Code.RESOURCE_EXHAUSTED
            await asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True)
            assert not served.keys._feed._watches

    run(body)
