"""Requests that take more than one turn: what each slice does, and where the reply stands among events."""

import pytest
from tests.coord.zookeeper.keepers import Told, opened

from cloudlet.coord.zookeeper import children, long_replies, reads, requests, watches
from cloudlet.coord.zookeeper.requests import answer
from cloudlet.kernel.keys import Author, Commit, Put
from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import (
    MULTI_END,
    Code,
    GetChildrenResponse,
    MultiHeader,
    NumberResponse,
    OpCode,
    PathRequest,
    PathWatchRequest,
    ReplyHeader,
    RequestHeader,
    SetWatches,
    SetWatches2,
    WatcherEvent,
)

EVENT = -1


@pytest.fixture
def keeper(monkeypatch):
    monkeypatch.setattr(requests, "PATHS_MAX", 5)
    monkeypatch.setattr(reads, "READS_MAX", 5)
    monkeypatch.setattr(watches, "FORGOTTEN_MAX", 5)
    return opened()


def ask(client, kind, body):
    client.xid += 1
    head = codec(RequestHeader).encode(RequestHeader(client.xid, kind))
    answer(client.keeper, client.client, head + body)


def rest(keeper, between=lambda step: None):
    """Make what is being made; how many steps it took."""
    steps = 0
    while keeper.long_replies.step():
        steps += 1
        between(steps)
    return steps


def shown(frame):
    """An event as (kind, path), a reply as (xid, error, body)."""
    header, at = codec(ReplyHeader).decode(frame, 0)
    if header.xid == EVENT:
        event, _ = codec(WatcherEvent).decode(frame, at)
        return event.type, event.path
    return header.xid, header.err, frame[at:]


def filled(keeper, count):
    client = Told(keeper)
    for number in range(count):
        client.create(f"/n{number:02}", b"%d" % number)
    return client


def test_watches_are_set_path_by_path_and_the_reply_comes_behind_their_events(keeper):
    writer = filled(keeper, 30)
    client = Told(keeper)
    paths = [f"/n{number:02}" for number in range(30)]
    head = keeper.keys.head
    asked = SetWatches(head, [*paths, "/gone"], ["/none", "/n03"], ["/n00", "/missing"])
    ask(client, OpCode.setWatches, codec(SetWatches).encode(asked))
    assert client.client.is_waiting
    assert client.frames() == []

    def change(step):
        if step == 1:
            writer.set("/n00", b"1")  # which is watched by now
            writer.set("/n29", b"1")  # which is not: it is found to be newer

    assert rest(keeper, change) >= 6
    frames = [shown(frame) for frame in client.frames()]
    assert frames[-1] == (client.xid, 0, b"")
    assert frames[:-1] == [(3, "/n00"), (3, "/n29"), (2, "/gone"), (1, "/n03"), (2, "/missing")]
    writer.set("/n28", b"2")
    writer.create("/none")
    writer.create("/n00/child")
    told = [shown(frame) for frame in client.frames()]
    assert told == [(3, "/n28"), (1, "/none"), (4, "/n00")]
    assert not client.client.is_waiting


def test_many_persistent_watches_are_added_in_slices(keeper):
    filled(keeper, 12)
    client = Told(keeper)
    paths = [f"/n{number:02}" for number in range(12)]
    ask(client, OpCode.setWatches2, codec(SetWatches2).encode(SetWatches2(9, [], [], [], paths, ["/"])))
    assert rest(keeper) == 1
    assert [shown(frame) for frame in client.frames()] == [(client.xid, 0, b"")]
    assert keeper.watches.data.count() == 13


def multi_read(operations):
    head, path = codec(MultiHeader), codec(PathWatchRequest)
    parts = [
        head.encode(MultiHeader(kind, False, -1)) + path.encode(PathWatchRequest(name, False))
        for kind, name in operations
    ]
    return b"".join(parts) + MULTI_END


OPERATIONS = [
    *((OpCode.getData, f"/n{number:02}") for number in range(12)),
    (OpCode.getChildren, "/"),
    (OpCode.getData, "/none"),
    (OpCode.getChildren, "/none"),
    (OpCode.getChildren, "/n00"),
]


def test_a_long_multi_read_tells_what_a_short_one_does(keeper, monkeypatch):
    filled(keeper, 40)
    monkeypatch.setattr(children, "SLICE_NAMES", 7)
    monkeypatch.setattr(reads, "NAMES_A_READ", 2)
    client = Told(keeper)
    ask(client, OpCode.multiRead, multi_read(OPERATIONS))
    assert rest(keeper) >= 5
    [(_, error, body)] = [shown(frame) for frame in client.frames()]
    monkeypatch.setattr(reads, "READS_MAX", 1000)
    assert client.call(OpCode.multiRead, multi_read(OPERATIONS)) == (Code.OK, body)
    assert error == 0


def test_what_changes_during_a_multi_read_is_told_before_its_reply(keeper):
    writer = filled(keeper, 12)
    client = Told(keeper)
    client.data("/n11", watch=True)
    ask(client, OpCode.multiRead, multi_read(OPERATIONS))
    writer.set("/n11", b"new")
    rest(keeper)
    event, reply = [shown(frame) for frame in client.frames()]
    assert event == (3, "/n11")
    assert b"new" in reply[2]
    assert client.client.last_zxid == keeper.keys.head


def test_a_multi_read_that_cannot_be_told_has_an_error(keeper, monkeypatch):
    filled(keeper, 12)
    client = Told(keeper)
    ask(client, OpCode.multiRead, multi_read([*OPERATIONS, (OpCode.setData, "/")]))
    rest(keeper)
    assert [shown(frame) for frame in client.frames()] == [(client.xid, Code.MARSHALLINGERROR, b"")]
    monkeypatch.setattr(long_replies, "OUTBOX_BYTES_MAX", 500)
    ask(client, OpCode.multiRead, multi_read(OPERATIONS))
    rest(keeper)
    assert [shown(frame) for frame in client.frames()] == [(client.xid, Code.SYSTEMERROR, b"")]


def test_the_watches_of_a_client_that_has_gone_go_in_slices(keeper):
    writer = filled(keeper, 22)
    client = Told(keeper)
    for number in range(22):
        client.data(f"/n{number:02}", watch=True)
    client.add_watch("/", recursive=True)
    keeper.leave(client.client)
    assert keeper.watches.data.count() == 18
    writer.set("/n21", b"")
    writer.set("/n00", b"")
    assert rest(keeper) >= 3
    assert keeper.watches.is_idle
    assert keeper.watches._recursive == 0
    assert client.frames() == []


def hanging(keeper, count):
    """A client with that many ephemerals, and a key that another face has hung on its session."""
    client = Told(keeper)
    client.create("/e")
    for number in range(count):
        client.create(f"/e/{number:02}", flags=1)
    session = client.client.session
    keeper.keys.commit_now(Commit(Author("etcd"), put=[Put(b"ehung", b"", lease=session.id)]))
    return client, session


def test_many_ephemerals_are_listed_and_many_znodes_counted_in_slices(keeper, monkeypatch):
    client, _ = hanging(keeper, 17)
    filled(keeper, 7)
    asked = codec(PathRequest).encode(PathRequest("/"))
    listed = client.read(OpCode.getEphemerals, PathRequest("/e/0"), GetChildrenResponse).children
    counted = client.read(OpCode.getAllChildrenNumber, PathRequest("/"), NumberResponse).number
    assert (len(listed), counted) == (10, 17 + 7 + 1 + 3)
    monkeypatch.setattr(reads, "LISTED_MAX", 5)
    ask(client, OpCode.getEphemerals, codec(PathRequest).encode(PathRequest("/e/0")))
    assert rest(keeper) == 4
    [(_, error, body)] = [shown(frame) for frame in client.frames()]
    assert (error, sorted(codec(GetChildrenResponse).decode(body, 0)[0].children)) == (0, listed)
    ask(client, OpCode.getAllChildrenNumber, asked)
    assert rest(keeper) >= 4
    assert [shown(frame)[1:] for frame in client.frames()] == [(0, counted.to_bytes(4))]


def broken_multi_read(count):
    """So many reads, and then what is none."""
    read = codec(PathWatchRequest).encode(PathWatchRequest("/", False))
    heads = [MultiHeader(OpCode.getData, False, -1)] * count + [MultiHeader(OpCode.delete, False, -1)]
    return b"".join(codec(MultiHeader).encode(head) + read for head in heads) + MULTI_END


def test_a_request_that_nobody_hears_of_may_be_broken(keeper):
    client = Told(keeper)
    keeper.faults.unanswered = 1
    ask(client, OpCode.multiRead, broken_multi_read(12))
    ask(client, OpCode.multiRead, broken_multi_read(12))
    rest(keeper)
    [reply] = client.frames()
    assert shown(reply)[:2] == (client.xid, Code.MARSHALLINGERROR)


def test_what_fails_is_given_up_and_the_others_go_on(keeper):
    lost, kept = filled(keeper, 12), Told(keeper)
    paths = SetWatches(keeper.keys.head, [f"/n{number:02}" for number in range(12)], [], [])
    ask(lost, OpCode.setWatches, codec(SetWatches).encode(paths))
    ask(kept, OpCode.setWatches, codec(SetWatches).encode(paths))
    keeper.watches.data.add = lambda path, *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        keeper.long_replies.step()
    del keeper.watches.data.add
    assert (lost.client.is_closing, list(lost.client.outbox)) == (True, [])
    rest(keeper)
    assert shown(kept.frames()[-1]) == (kept.xid, 0, b"")
