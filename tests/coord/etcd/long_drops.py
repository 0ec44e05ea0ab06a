"""Clients that delete very many keys at once, what they were told, and what must hold of it.

`Recorder` runs clients and watchers against an address, over breaks of the connection too; `judged` walks
through the history that a watcher has seen, keeps the state at each revision, and holds against it whatever
anybody was told, in words.
"""

import asyncio
import random
import time
from typing import NamedTuple

from tests.coord.etcd.running import Client

from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Code, GrpcStatus

FIELDS = 3
BATCH = 128
SIZES = (3_000, 3_000, 4_000, 4_000, 6_000, 10_000)
LARGE = 30_000
EVERYTHING = {"key": b"\0", "range_end": b"\0"}
END = b"end"
PAUSE_S = 0.02
ROUNDS = 40  # of writes into a field that is dropped
WATCHERS_S = 30
BROKEN = (Code.UNAVAILABLE, Code.CANCELLED, Code.INTERNAL, Code.UNKNOWN)


class Kv(NamedTuple):
    """A key as it is at a revision."""

    value: bytes
    mod: int
    create: int
    version: int
    lease: int


class Shown(NamedTuple):
    """An event: what a key is by it (None: gone), and what it was."""

    revision: int
    key: bytes
    now: Kv | None
    before: Kv | None


class Asked:
    """A write, and what was answered: `revision` is None where nobody knows."""

    def __init__(self, operations, compare=None):
        self.operations = operations  # ("put", key, value, lease), ("drop", start, stop), ("revoke", lease)
        self.compare = compare  # (start, stop, mod revision that all keys must be below)
        self.revision = None
        self.deleted = []  # of each drop that was answered
        self.previous = None  # of the one drop, where they were asked for
        self.succeeded = True
        self.invoked = time.monotonic()
        self.returned = None

    def answered(self, revision):
        self.revision = revision
        self.returned = time.monotonic()


class Seen(NamedTuple):
    """A read: at which revision, and what was there (None: it was only counted)."""

    revision: int
    start: bytes
    stop: bytes
    count: int
    digest: int | None


def digest(kvs):
    """Of (key, Kv), in any order."""
    return sum(map(hash, kvs)) % (1 << 64)


def kv_of(one):
    return Kv(one.value, one.mod_revision, one.create_revision, one.version, one.lease)


def field(number):
    """Its range."""
    return b"f%d/" % number, b"f%d0" % number


def key_in(number, at):
    return b"f%d/%06d" % (number, at)


class Recorder:
    """Runs clients against an address, and keeps what they see."""

    def __init__(self, address, seed, *, large=True):
        self.address = address
        self.asked, self.seen = [], []
        self.instants = []  # (invoked, returned, revision) of everything that was answered
        self.watched = {}  # name -> ((start, stop), responses: each a list of Shown)
        self.positions = {}
        self.wrong = []
        self.is_over = asyncio.Event()
        self.is_dropping = asyncio.Event()  # a long drop has just been asked for
        self.is_pursued = asyncio.Event()  # the same for who writes in the midst of it
        self.pursued = 0  # the field
        self.done = self.resumed = 0
        self.compacted = 1
        self._large = large
        self._seed = seed
        self._numbers = 0
        self._leases = 0

    async def run(self, until):
        """Clients and watchers until `until` says so; then the watchers see the rest."""
        async with asyncio.TaskGroup() as group:
            working = [group.create_task(self._client(number, self._own)) for number in range(FIELDS)]
            working += [group.create_task(self._client(number, self._meddle)) for number in (3, 4)]
            working.append(group.create_task(self._client(5, self._pursue)))
            ranges = [(b"\0", b"\0"), (b"\0", b"\0"), (key_in(0, 1_500), key_in(1, 700))]
            watching = [group.create_task(self.watch(n, *each)) for n, each in enumerate(ranges)]
            await until(self)
            self.is_over.set()
            await asyncio.wait(working)
            client = await self.connect()
            await client.Put(key=END)
            await client.Put(key=key_in(0, 1_501) + b"end")
            _, late = await asyncio.wait(watching, timeout=WATCHERS_S)
            for task in late:
                task.cancel()
                self.wrong.append("a watcher has not come to the end")
            await client.close()

    async def connect(self):
        while True:
            try:
                return await Client.connect(self.address)
            except GrpcStatus:
                await asyncio.sleep(PAUSE_S)

    async def _client(self, number, step):
        pick = random.Random(self._seed * 1000 + number)
        client = await self.connect()
        while not self.is_over.is_set():
            try:
                await step(client, number, pick)
            except GrpcStatus as status:
                if status.code not in BROKEN:
                    self.wrong.append(f"a client was told {status.code} {status.message}")
                await client.close()
                client = await self.connect()
        await client.close()

    # --- what is written

    async def _txn(self, client, asked):
        """Ask for a write, noted also when nobody tells its outcome."""
        success = [self._operation(each) for each in asked.operations]
        compare = []
        if asked.compare is not None:
            start, stop, below = asked.compare
            compare = [pb.Compare(key=start, range_end=stop, target=2, result=2, mod_revision=below)]
        self.asked.append(asked)
        reply = await client.Txn(compare=compare, success=success)
        asked.succeeded = reply.succeeded
        deletions = [each.response_delete_range for each in reply.responses]
        asked.deleted = [each.deleted for each in deletions if each is not None]
        self._answered(asked, reply)

    def _answered(self, asked, reply):
        asked.answered(reply.header.revision)
        self.instants.append((asked.invoked, asked.returned, asked.revision))
        self.done += 1

    @staticmethod
    def _operation(each):
        if each[0] == "put":
            return pb.RequestOp(request_put=pb.PutRequest(key=each[1], value=each[2], lease=each[3]))
        return pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=each[1], range_end=each[2]))

    def _value(self):
        self._numbers += 1
        return b"%d-%d" % (self._seed, self._numbers)

    async def _own(self, client, number, pick):
        """Fill a field, unless it is full, and delete it."""
        start, stop = field(number)
        there = (await client.Range(key=start, range_end=stop, count_only=True)).count
        lease = 0
        if there < 3_000 or pick.random() < 0.3:
            size = LARGE if self._large and pick.random() < 0.06 else pick.choice(SIZES)
            lease = await self._lease(client, pick) if pick.random() < 0.5 else 0
            for at in range(0, size, BATCH):
                value = self._value()
                keys = [key_in(number, one) for one in range(at, min(at + BATCH, size))]
                try:
                    await self._txn(client, Asked([("put", key, value, lease) for key in keys]))
                except GrpcStatus as status:
                    if status.code != Code.NOT_FOUND:
                        raise
                    break  # the lease has ended by itself
                if self.is_over.is_set():
                    return
        self.pursued = number
        self.is_dropping.set()
        self.is_pursued.set()
        if lease and pick.random() < 0.8:
            await self._revoke(client, lease)
            return
        await pick.choice([self._delete, self._delete, self._delete_in_txn])(client, number, pick)

    async def _lease(self, client, pick):
        """A lease; some of them end by themselves."""
        self._leases += 1
        lease = self._seed * 100_000 + self._leases + 1
        await client.LeaseGrant(TTL=pick.choice((5, 3600)), ID=lease)
        return lease

    async def _revoke(self, client, lease):
        asked = Asked([("revoke", lease)])
        self.asked.append(asked)
        try:
            self._answered(asked, await client.LeaseRevoke(ID=lease))
        except GrpcStatus as status:
            if status.code != Code.NOT_FOUND:
                raise
            self.done += 1  # it has ended by itself, or before the kill

    async def _delete(self, client, number, pick):
        start, stop = field(number)
        if pick.random() < 0.3:
            start, stop = key_in(number, pick.randrange(500)), key_in(number, pick.randrange(2000, 6000))
        asked = Asked([("drop", start, stop)])
        self.asked.append(asked)
        with_previous = pick.random() < 0.4
        reply = await client.DeleteRange(key=start, range_end=stop, prev_kv=with_previous)
        asked.deleted = [reply.deleted]
        if with_previous:
            asked.previous = [(one.key, kv_of(one)) for one in reply.prev_kvs]
        self._answered(asked, reply)

    async def _delete_in_txn(self, client, number, pick):
        """One or two fields, with puts beside, where the field was not written since."""
        start, stop = field(number)
        operations = [("drop", start, stop)]
        operations.insert(pick.randrange(2), ("put", b"m%d" % number, self._value(), 0))
        if pick.random() < 0.4:
            operations.append(("drop", *field((number + 1) % FIELDS)))
            operations.append(("put", b"n%d" % number, self._value(), 0))
        head = (await client.Range(key=b"m")).header.revision
        below = head + pick.choice((1, 2, 1 << 40))
        compare = (start, stop, below) if pick.random() < 0.6 else None
        await self._txn(client, Asked(operations, compare))

    # --- others

    async def _meddle(self, client, number, pick):
        """What others do to the same keys."""
        kinds = (self._put,) * 6 + (self._look,) * 3 + (self._look_back,) * 2
        kinds += (self._compare, self._compact, self._maintain)
        await pick.choice(kinds)(client, pick)
        self.done += 1

    async def _put(self, client, pick):
        key = key_in(pick.randrange(FIELDS), pick.randrange(4_000))
        if pick.random() < 0.2:
            key += b"-"
        if pick.random() < 0.2:
            await self._txn(client, Asked([("drop", key, b"")]))
        else:
            await self._txn(client, Asked([("put", key, self._value(), 0)]))

    async def _pursue(self, client, number, pick):
        """Write and count in a field while it is dropped."""
        try:
            await asyncio.wait_for(self.is_pursued.wait(), 1)
        except TimeoutError:
            return
        self.is_pursued.clear()
        start, stop = field(self.pursued)
        asked = []
        for at in range(ROUNDS):
            key = key_in(self.pursued, pick.randrange(pick.choice((600, 3_000)))) + pick.choice((b"", b"+"))
            put = self._txn(client, Asked([("put", key, self._value(), 0)]))
            asked.append(asyncio.create_task(put))
            if at % 4 == 0:
                look = self.look(client, start, stop, is_counted=True)
                asked.append(asyncio.create_task(look))
            await asyncio.sleep(pick.choice((0, 0, 0.001)))
        for one in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(one, BaseException):
                raise one

    async def _compare(self, client, pick):
        """A transaction that writes nothing in the fields, over all of one."""
        start, stop = field(pick.randrange(FIELDS))
        head = (await client.Range(key=b"m")).header.revision
        await self._txn(client, Asked([("put", b"c", self._value(), 0)], (start, stop, head + 1)))

    async def _look(self, client, pick, revision=0):
        start, stop = field(pick.randrange(FIELDS))
        counted = pick.random() < 0.6
        await self.look(client, start, stop, revision, is_counted=counted)

    async def look(self, client, start, stop, revision=0, *, is_counted=False):
        """Read a range."""
        invoked = time.monotonic()
        asked = {"key": start, "range_end": stop, "revision": revision, "count_only": is_counted}
        reply = await client.Range(**asked)
        head = reply.header.revision
        kvs = [(one.key, kv_of(one)) for one in reply.kvs]
        if not is_counted and len(kvs) != reply.count:
            self.wrong.append(f"{len(kvs)} keys of {reply.count}")
        summed = None if is_counted else digest(kvs)
        self.seen.append(Seen(revision or head, start, stop, reply.count, summed))
        self.instants.append((invoked, time.monotonic(), head))

    async def _look_back(self, client, pick):
        newest = max((row[2] for row in self.instants), default=2)
        try:
            await self._look(client, pick, pick.randrange(self.compacted, newest + 1))
        except GrpcStatus as status:
            if status.code != Code.OUT_OF_RANGE:  # compacted meanwhile
                raise

    async def _compact(self, client, pick):
        """What every watcher has seen."""
        revision = min(self.positions.values()) - pick.randrange(1, 200)
        if revision > self.compacted and pick.random() < 0.2:
            self.compacted = revision
            try:
                await client.Compact(revision=revision)
            except GrpcStatus as status:
                if status.code != Code.OUT_OF_RANGE:  # it was done, and the answer lost
                    raise

    async def _maintain(self, client, pick):
        await pick.choice((client.Defragment, client.Status, client.HashKV))()

    # --- watches

    async def watch(self, name, start, stop):
        """Everything from the first revision on, going on after each break where it left off."""
        responses = []
        self.watched[name] = ((start, stop), responses)
        self.positions[name] = 2
        while True:
            try:
                client = await self.connect()
                position = self.positions[name]
                stream = await client.watch(
                    key=start, range_end=stop, start_revision=position, prev_kv=True, fragment=name == 1
                )
                self.resumed += position > 2
                pieces = []
                while (reply := await stream.receive()) is not None and not reply.canceled:
                    pieces += map(shown, reply.events)
                    if reply.fragment:
                        continue
                    responses.append(pieces)
                    self.positions[name] = reply.header.revision + 1
                    if any(event.key.endswith(END) for event in pieces):
                        stream.cancel()
                        await client.close()
                        return
                    pieces = []
                if reply is not None and reply.canceled:
                    self.wrong.append(f"a watch was ended: {reply.cancel_reason} {reply.compact_revision}")
                    return
            except GrpcStatus:
                await asyncio.sleep(PAUSE_S)


def shown(event):
    before = kv_of(event.prev_kv) if event.prev_kv is not None else None
    now = None if event.type else kv_of(event.kv)
    return Shown(event.kv.mod_revision, event.kv.key, now, before)


def within(key, start, stop):
    """As etcd has ranges: no end is one key, an end of NUL is the end of everything."""
    return key == start if not stop else start <= key and (stop == b"\0" or key < stop)


class Judge:
    """Walks through the history, and keeps what is there."""

    def __init__(self, recorder):
        self.recorder = recorder
        self.found = list(recorder.wrong[:5])
        self.there = {}
        self.reads = {}
        self.last = 0
        self.unknown = []
        self.later = {}
        for asked in recorder.asked:
            if asked.revision is None:
                self.unknown.append(asked)
            else:
                self.later.setdefault(asked.revision, []).append(asked)
        for seen in recorder.seen:
            self.reads.setdefault(seen.revision, []).append(seen)

    def say(self, text):
        if len(self.found) < 10:
            self.found.append(text)

    def run(self):
        history = [event for response in self.recorder.watched[0][1] for event in response]
        self.last = next(event.revision for event in reversed(history) if event.key == END)
        by_revision = {}
        for event in history:
            by_revision.setdefault(event.revision, []).append(event)
        revisions = sorted(by_revision)
        if revisions != list(range(2, len(revisions) + 2)):
            self.say("the history has a gap")
        if max(self.later, default=0) > (revisions[-1] if revisions else 1):
            self.say(f"lost: {max(self.later)} was acknowledged, and the history ends at {revisions[-1]}")
        for revision in revisions:
            events = by_revision[revision]
            self._explain(revision, events)
            self._apply(events)
            self._idle(revision)
            self._read(revision)
        for name in (1, 2):
            self._watch(name, [event for event in history if event.revision <= self.last])
        self._order()
        return self.found

    def effect(self, asked, revision):
        """The events that a write has."""
        if asked.compare is not None and asked.succeeded:
            start, stop, below = asked.compare
            mods = [kv.mod for key, kv in self.there.items() if within(key, start, stop)] or [0]
            if max(mods) >= below:
                return None
        if not asked.succeeded:
            return []
        events = []
        for each in asked.operations:
            if each[0] == "put":
                _, key, value, lease = each
                old = self.there.get(key)
                created, version = (old.create, old.version + 1) if old is not None else (revision, 1)
                events.append(Shown(revision, key, Kv(value, revision, created, version, lease), old))
                continue
            events += [Shown(revision, key, None, self.there[key]) for key in sorted(self._taken(each))]
        return events

    def _taken(self, operation):
        """The keys that a drop or a revocation takes now."""
        kind, start, *stop = operation
        if kind == "revoke":
            return [key for key, kv in self.there.items() if kv.lease == start]
        if not stop[0]:
            return [start] if start in self.there else []
        return [key for key in self.there if within(key, start, stop[0])]

    def _has_done(self, asked, events):
        """Whether an acknowledged write is what has made this revision; others tell of it as the head."""
        if asked.operations[0][0] == "revoke":
            return self.effect(asked, events[0].revision) == events
        is_put = any(each[0] == "put" for each in asked.operations)
        return bool(asked.succeeded) and (is_put or any(asked.deleted))

    def _explain(self, revision, events):
        """Somebody has asked for exactly this."""
        acknowledged = [each for each in self.later.get(revision, ()) if self._has_done(each, events)]
        for asked in acknowledged:
            wanted = self.effect(asked, revision) or []
            if wanted != events:
                pairs = enumerate(zip(events, wanted, strict=False))
                at = next((number for number, pair in pairs if pair[0] != pair[1]), None)
                differ = f"; at {at}: {events[at]} and not {wanted[at]}" if at is not None else ""
                self.say(
                    f"{revision}: {asked.operations[0][:3]} was acknowledged: {len(events)} events, "
                    f"not {len(wanted)}{differ}"
                )
            gone = [len(self._taken(each)) for each in asked.operations if each[0] == "drop"]
            if gone != asked.deleted:
                self.say(f"{revision}: {asked.deleted} were deleted, it is told; there were {gone}")
            if asked.previous is not None and asked.previous != [(each.key, each.before) for each in events]:
                self.say(f"{revision}: the deleted ones that are told are not those that were there")
            asked.succeeded = None  # judged
        if acknowledged or events[0].key.endswith(END):
            return
        for asked in self.unknown:
            if self.effect(asked, revision) == events:
                self.unknown.remove(asked)
                return
        lease = events[0].before.lease if events[0].now is None else 0
        if lease and events == self.effect(Asked([("revoke", lease)]), revision):
            return  # it has ended by itself
        self.say(f"{revision}: nobody has asked for {len(events)} events that begin with {events[0]}")

    def _apply(self, events):
        for event in events:
            if self.there.get(event.key) != event.before:
                self.say(
                    f"{event.revision}: {event.key!r} was {event.before}, not {self.there.get(event.key)}"
                )
            if event.now is None:
                self.there.pop(event.key, None)
            else:
                self.there[event.key] = event.now

    def _idle(self, revision):
        """Writes that have found nothing to do at this revision."""
        for asked in self.later.pop(revision, ()):
            if asked.succeeded is None:
                continue
            if asked.succeeded:
                events = self.effect(asked, revision + 1)
                if events is None or events or any(asked.deleted):
                    self.say(
                        f"{revision}: {asked.operations[0][:2]} is lost, or done in part: {asked.deleted}"
                    )
            else:
                asked.succeeded = True
                if self.effect(asked, revision) is not None:
                    self.say(f"{revision}: a comparison has failed that holds")
                asked.succeeded = False

    def _read(self, revision):
        for seen in self.reads.pop(revision, ()):
            there = [pair for pair in self.there.items() if within(pair[0], seen.start, seen.stop)]
            if seen.count != len(there) or seen.digest not in (None, digest(there)):
                self.say(
                    f"{revision}: {seen.count} keys were shown in {seen.start!r}, there were {len(there)}"
                )

    def _watch(self, name, history):
        """A watcher has seen the history, in order, each revision in one response."""
        (start, stop), responses = self.recorder.watched[name]
        events = [event for response in responses for event in response if event.revision <= self.last]
        wanted = [event for event in history if within(event.key, start, stop)]
        if events != wanted:
            self.say(f"watch {name} has seen {len(events)} events, not the {len(wanted)} of the history")
        before = 0
        for response in self.recorder.watched[name][1]:
            if response and response[0].revision <= before:
                self.say(f"revision {before} was split, repeated or out of order")
            before = response[-1].revision if response else before

    def _order(self):
        """Whoever begins after a reply sees at least its revision."""
        moments = [(returned, 1, revision) for _, returned, revision in self.recorder.instants]
        floors, newest = {}, 0
        rows = enumerate(self.recorder.instants)
        moments += [(invoked, 0, number) for number, (invoked, _, _) in rows]
        for _, is_return, each in sorted(moments):
            if is_return:
                newest = max(newest, each)
            else:
                floors[each] = newest
        for number, floor in floors.items():
            if self.recorder.instants[number][2] < floor:
                self.say(f"a reply went back to revision {self.recorder.instants[number][2]} from {floor}")
