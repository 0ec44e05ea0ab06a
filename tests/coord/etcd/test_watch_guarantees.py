"""etcd's nine published guarantees of a watch, each under random interleavings.

One run for each seed: a writer, and watchers that begin in the past, now or in the future, with filters,
previous values, fragments, breaks and resumptions. What happened is told by a model of the writes that knows
nothing of the store; each test looks at the same run for its own guarantee.
"""

import asyncio
import random
from typing import NamedTuple

import pytest
from tests.coord.etcd.running import run, running

from cloudlet.wire import etcd_messages as pb

SEEDS = range(4)
WRITES = 200
KEYS = [b"a", b"b/1", b"b/2", b"b/3", b"c"]
RANGES = [(b"\0", b"\0"), (b"b/", b"b0"), (b"b/1", b""), (b"a", b"c")]
NOPUT, NODELETE = 0, 1


class Happened(NamedTuple):
    """One event, by the model."""

    revision: int
    key: bytes
    value: bytes | None  # None: deleted
    previous: bytes | None
    is_create: bool


class Model:
    """What the store holds, as a plain dict, and what has happened."""

    def __init__(self):
        self.now = {}
        self.head = 1
        self.history = []

    def apply(self, changes):
        """One transaction: [(key, value or None)] in order."""
        effects = [(key, value) for key, value in changes if value is not None or key in self.now]
        if not effects:
            return
        self.head += 1
        for key, value in effects:
            old = self.now.get(key)
            self.history.append(Happened(self.head, key, value, old, value is not None and old is None))
            if value is None:
                del self.now[key]
            else:
                self.now[key] = value


class Watched:
    """A watcher over its breaks: what each response carried."""

    def __init__(self, number, random_):
        self.number = number
        self.key, self.range_end = random_.choice(RANGES)
        self.prev_kv = random_.random() < 0.5
        self.filters = random_.choice([[], [], [NOPUT], [NODELETE]])
        self.fragment = random_.random() < 0.3
        self.start = 0  # the first revision that is owed
        self.responses = []  # (revision of the header, events, fragment)
        self.bookmarks = []  # (revision, events received before)
        self.resumptions = 0

    @property
    def events(self):
        return [event for _, events, _ in self.responses for event in events]

    def covers(self, key):
        if not self.range_end:
            return key == self.key
        return self.key <= key and (self.range_end == b"\0" or key < self.range_end)

    def passes(self, event):
        return (NODELETE if event.value is None else NOPUT) not in self.filters

    def owed(self, history):
        """What the model says that it must see."""
        return [
            event
            for event in history
            if event.revision >= self.start and self.covers(event.key) and self.passes(event)
        ]


async def write(served, model, random_, is_over):
    """Puts, deletes and transactions, with pauses that let watchers in or not."""
    for number in range(WRITES):
        kind = random_.random()
        if kind < 0.5:
            changes = [(random_.choice(KEYS), b"%d" % number)]
        elif kind < 0.7:
            changes = [(random_.choice(KEYS), None)]
        else:
            keys = random_.sample(KEYS, 3)
            changes = [(key, b"%d" % number if random_.random() < 0.6 else None) for key in keys]
        operations = [
            pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key))
            if value is None
            else pb.RequestOp(request_put=pb.PutRequest(key=key, value=value))
            for key, value in changes
        ]
        reply = await served.client.Txn(success=operations)
        model.apply(changes)
        assert reply.header.revision == model.head
        if random_.random() < 0.2:
            await asyncio.sleep(0.001)
    is_over.set()


async def follow(served, model, watched, random_, is_over):
    """Watch until everything that is owed was seen, with breaks."""
    for _ in range(random_.randrange(60)):
        await asyncio.sleep(0)
    start = random_.choice([0, 0, 1, 2, model.head, model.head + 3])
    position = start
    while True:
        stream = served.client.stream("Watch")
        await stream.create(
            key=watched.key,
            range_end=watched.range_end,
            start_revision=position,
            prev_kv=watched.prev_kv,
            filters=watched.filters,
            fragment=watched.fragment,
        )
        created = await stream.receive()
        assert created.created
        if not watched.start:
            watched.start = position or created.header.revision + 1
            position = watched.start
        position = await one_stream(model, watched, stream, random_, is_over, position)
        stream.cancel()
        if position is None:
            return
        watched.resumptions += 1


async def one_stream(model, watched, stream, random_, is_over, position):
    """The revision to resume from after a break; None once everything was seen."""
    left = random_.randrange(3, 30)  # responses until the next break
    while True:
        if random_.random() < 0.3 or is_over.is_set():
            stream.send(progress_request=pb.WatchProgressRequest())
        try:
            async with asyncio.timeout(0.2):
                reply = await stream.receive()
        except TimeoutError:
            if is_over.is_set() and position > model.head:
                return None  # what is to begin later than all that has happened is told of no progress
            continue
        if reply.watch_id == -1:
            revision = reply.header.revision
            watched.bookmarks.append((revision, len(watched.events)))
            position = max(position, revision + 1)
            if is_over.is_set() and revision >= model.head:
                return None
            continue
        watched.responses.append((reply.header.revision, reply.events, reply.fragment))
        if not reply.fragment:
            position = max(position, reply.header.revision + 1)
            left -= 1
            if left <= 0:
                return position


async def observe(seed, folder):
    """(model, watchers) of one run."""
    random_ = random.Random(seed)
    model, is_over = Model(), asyncio.Event()
    watchers = [Watched(number, random_) for number in range(8)]
    async with running(folder) as served, asyncio.TaskGroup() as group:
        group.create_task(write(served, model, random.Random(seed + 1), is_over))
        for watched in watchers:
            own = random.Random(seed * 100 + watched.number)
            group.create_task(follow(served, model, watched, own, is_over))
    return model, watchers


@pytest.fixture(scope="module", params=SEEDS)
def seen(request, tmp_path_factory):
    found = []
    folder = tmp_path_factory.mktemp("keys") if request.param % 2 else None

    async def whole():
        found.append(await observe(request.param, folder))

    run(whole)
    return found[0]


def told(event):
    """(revision, key, value) of an event as sent."""
    return event.kv.mod_revision, event.kv.key, None if event.type else event.kv.value


def test_the_run_was_worth_its_while(seen):
    model, watchers = seen
    assert model.head > WRITES // 2
    assert sum(len(watched.events) for watched in watchers) > WRITES
    assert sum(watched.resumptions for watched in watchers) > 8
    assert any(watched.bookmarks for watched in watchers)


def test_ordered(seen):
    for watched in seen[1]:
        revisions = [event.kv.mod_revision for event in watched.events]
        assert revisions == sorted(revisions)


def test_unique(seen):
    for watched in seen[1]:
        rows = [(event.kv.mod_revision, event.kv.key) for event in watched.events]
        assert len(rows) == len(set(rows))


def test_reliable(seen):
    model, watchers = seen
    for watched in watchers:
        owed = [(event.revision, event.key, event.value) for event in watched.owed(model.history)]
        assert list(map(told, watched.events)) == owed


def test_atomic(seen):
    for watched in seen[1]:
        last, is_open = 0, False
        for _, events, fragment in watched.responses:
            revisions = [event.kv.mod_revision for event in events]
            assert is_open or not revisions or revisions[0] > last
            last = revisions[-1] if revisions else last
            is_open = fragment


def test_resumable(seen):
    model, watchers = seen
    broken = [watched for watched in watchers if watched.resumptions]
    assert broken
    for watched in broken:
        assert len(watched.events) == len(watched.owed(model.history))


def test_bookmarkable(seen):
    model, watchers = seen
    for watched in watchers:
        for revision, received in watched.bookmarks:
            owed = [event for event in watched.owed(model.history) if event.revision <= revision]
            assert received >= len(owed)


def test_prev_kv(seen):
    model, watchers = seen
    for watched in watchers:
        for event, wanted in zip(watched.events, watched.owed(model.history), strict=True):
            shown = event.prev_kv.value if event.prev_kv is not None else None
            assert shown == (wanted.previous if watched.prev_kv else None)


def test_is_create(seen):
    model, watchers = seen
    for watched in watchers:
        for event, wanted in zip(watched.events, watched.owed(model.history), strict=True):
            is_create = not event.type and event.kv.create_revision == event.kv.mod_revision
            assert is_create == wanted.is_create
            assert (event.kv.version == 1) == wanted.is_create


def test_filter(seen):
    for watched in seen[1]:
        kinds = {event.type for event in watched.events}
        assert not kinds & set(watched.filters)
