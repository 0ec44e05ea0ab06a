"""Concurrent clients of an etcd, what they were told, and what must hold of it.

`Recorder` runs clients and watchers, over breaks of the connection too; `judged` looks at what was recorded
and says what cannot have come from an etcd, in words.
"""

import asyncio
import itertools
import random
import time
from typing import NamedTuple

from tests.coord.etcd.running import Client
from tests.linearizable import UNKNOWN, Call, violations

from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import GrpcStatus

KEYS = [b"k%d" % number for number in range(4)]
PAIR = (b"p/1", b"p/2")  # written together, or not at all
EVERYTHING = {"key": b"\0", "range_end": b"\0"}
END = b"end"
PAUSE_S = 0.02
WATCHERS_S = 8


class Told(NamedTuple):
    """A reply: at which revision, and when."""

    client: int
    revision: int
    wrote: tuple  # ((key, value or None), …)
    invoked: float
    returned: float


class Shown(NamedTuple):
    """An event as a watcher saw it."""

    revision: int
    key: bytes
    value: bytes | None
    previous: bytes | None
    version: int


class Recorder:
    """Runs clients against an address, and keeps what they see."""

    def __init__(self, address, seed, *, clients=5, settled=None):
        self.address = address
        self.calls, self.told = [], []
        self.watches = []  # of each watcher: a list of responses, each a list of Shown
        self.early = []  # what was shown above the settled mark
        self.is_over = asyncio.Event()
        self._settled = settled
        self._seed = seed
        self._clients = clients
        self._numbers = itertools.count()
        self.done = 0
        self.resumed = 0  # watches that went on where a broken one had left off

    async def run(self, until):
        """Clients and watchers until `until` says so; then the watchers see the rest."""
        async with asyncio.TaskGroup() as group:
            working = [group.create_task(self._work(number)) for number in range(self._clients)]
            watching = [group.create_task(self._watch(number)) for number in range(2)]
            await until(self)
            self.is_over.set()
            await asyncio.wait(working)
            client = await self._connect()
            self.last = (await client.Put(key=END)).header.revision
            _, late = await asyncio.wait(watching, timeout=WATCHERS_S)
            for task in late:
                task.cancel()
                self.early.append("a watcher has not come to the end")
            self.whole = await self._history(client)
            await client.close()

    async def _connect(self):
        while True:
            try:
                return await Client.connect(self.address)
            except GrpcStatus:
                await asyncio.sleep(PAUSE_S)

    async def _work(self, number):
        pick = random.Random(self._seed * 1000 + number)
        client, seen = await self._connect(), {}
        while not self.is_over.is_set():
            try:
                await self._step(client, number, pick, seen)
                self.done += 1
            except GrpcStatus:
                await client.close()
                client = await self._connect()
        await client.close()

    async def _step(self, client, number, pick, seen):
        """One call, noted also when nobody tells its outcome."""
        key, value = pick.choice(KEYS), b"%d" % next(self._numbers)
        kind = pick.choice(["put", "put", "get", "get", "swap", "swap", "delete", "pair"])
        if kind == "pair":
            await self._pair(client, number, value)
            return
        argument = {"put": value, "swap": (seen.get(key), value)}.get(kind)
        invoked = time.monotonic()
        try:
            reply, result, wrote = await getattr(self, f"_{kind}")(client, key, argument)
        except GrpcStatus:
            if kind != "get":
                self.calls.append(Call(number, key, kind, argument, None, invoked, UNKNOWN))
            raise
        returned = time.monotonic()
        self._note(number, reply, wrote, invoked, returned)
        self.calls.append(Call(number, key, kind, argument, result, invoked, returned))
        if kind == "get":
            seen[key] = result

    def _note(self, number, reply, wrote, invoked, returned):
        revision = reply.header.revision
        if self._settled is not None and revision > self._settled():
            self.early.append(f"a reply told of revision {revision} before it was settled")
        self.told.append(Told(number, revision, wrote, invoked, returned))

    async def _put(self, client, key, value):
        reply = await client.Put(key=key, value=value)
        return reply, None, ((key, value),)

    async def _get(self, client, key, _):
        reply = await client.Range(key=key)
        return reply, reply.kvs[0].value if reply.kvs else None, ()

    async def _delete(self, client, key, _):
        reply = await client.DeleteRange(key=key)
        return reply, None, ((key, None),) if reply.deleted else ()

    async def _swap(self, client, key, argument):
        expected, value = argument
        compare = pb.Compare(key=key, target=1, create_revision=0)
        if expected is not None:
            compare = pb.Compare(key=key, target=3, value=expected)
        put = pb.RequestOp(request_put=pb.PutRequest(key=key, value=value))
        reply = await client.Txn(compare=[compare], success=[put])
        return reply, reply.succeeded, ((key, value),) if reply.succeeded else ()

    async def _pair(self, client, number, value):
        """A transaction of two puts."""
        puts = [pb.RequestOp(request_put=pb.PutRequest(key=key, value=value)) for key in PAIR]
        invoked = time.monotonic()
        reply = await client.Txn(success=puts)
        wrote = tuple((key, value) for key in PAIR)
        self._note(number, reply, wrote, invoked, time.monotonic())

    async def _watch(self, number):
        """Everything from the first revision on, going on after each break where it left off."""
        pick = random.Random(self._seed * 77 + number)
        responses = []
        self.watches.append(responses)
        position, is_over = 2, False
        while not is_over:
            try:
                client = await self._connect()
                stream = await client.watch(**EVERYTHING, start_revision=position, prev_kv=True)
                self.resumed += position > 2
                for _ in range(pick.randrange(5, 60)):  # then break off, to begin anew
                    reply = await stream.receive()
                    if reply is None or reply.canceled:
                        break
                    self._see(responses, reply)
                    position = reply.header.revision + 1
                    is_over = any(event.kv.key == END for event in reply.events)
                    if is_over:
                        break
                stream.cancel()
                await client.close()
            except GrpcStatus:
                await asyncio.sleep(PAUSE_S)

    def _see(self, responses, reply):
        events = [shown(event) for event in reply.events]
        if self._settled is not None:
            settled = self._settled()
            self.early += [
                f"a watch showed revision {event.revision} before it was settled"
                for event in events
                if event.revision > settled
            ]
        responses.append(events)

    async def _history(self, client):
        """What the store says at last that has happened."""
        stream = await client.watch(**EVERYTHING, start_revision=2, prev_kv=True)
        found = []
        while not found or max(event.revision for event in found) < self.last:
            found += map(shown, (await stream.receive()).events)
        stream.cancel()
        return found


def shown(event):
    previous = event.prev_kv.value if event.prev_kv is not None else None
    value = None if event.type else event.kv.value
    return Shown(event.kv.mod_revision, event.kv.key, value, previous, event.kv.version)


def judged(recorder):
    """What cannot be, as lines; empty when all is well."""
    found = violations(recorder.calls)
    found += recorder.early[:3]
    found += out_of_order(recorder.told)
    found += lost_writes(recorder.told, recorder.whole)
    found += broken_chain(recorder.whole)
    for responses in recorder.watches:
        found += wrong_watch(responses, recorder.whole, recorder.last)
    return found


def out_of_order(told):
    """Revisions must rise in real time: whoever begins after a reply sees at least its revision."""
    newest = 0
    found = []
    moments = sorted(
        [(each.returned, 1, each) for each in told] + [(each.invoked, 0, each) for each in told],
        key=lambda row: row[:2],
    )
    floor = {}
    for _, is_return, each in moments:
        if not is_return:
            floor[id(each)] = newest
        else:
            newest = max(newest, each.revision)
            if each.revision < floor[id(each)]:
                found.append(f"a reply went back to revision {each.revision} from {floor[id(each)]}")
    return found[:3]


def lost_writes(told, whole):
    """Each write that was acknowledged is in the history, at its revision, whole."""
    at = {(event.revision, event.key): event.value for event in whole}
    missing = object()
    return [
        f"lost: {key!r} = {value!r} at {each.revision}"
        for each in told
        for key, value in each.wrote
        if at.get((each.revision, key), missing) != value
    ][:3]


def broken_chain(whole):
    """In the history a key's events follow each other, and revisions rise without a gap."""
    now, found = {}, []
    for event in whole:
        value, version = now.get(event.key, (None, 0))
        if event.previous != value:
            found.append(f"{event.key!r} at {event.revision} was {event.previous!r}, not {value!r}")
        if event.version != (0 if event.value is None else version + 1):
            found.append(f"{event.key!r} at {event.revision} has version {event.version} after {version}")
        now[event.key] = (event.value, event.version)
    revisions = sorted({event.revision for event in whole})
    if revisions != list(range(2, len(revisions) + 2)):
        found.append("the history has a gap")
    return found[:3]


def wrong_watch(responses, whole, last):
    """A watcher has seen exactly the history, in order, each revision in one response."""
    events = [event for response in responses for event in response]
    wanted = [event for event in whole if event.revision <= last]
    found = []
    if events != wanted:
        at = next(
            (n for n, pair in enumerate(zip(events, wanted, strict=False)) if pair[0] != pair[1]),
            min(len(events), len(wanted)),
        )
        found.append(f"a watch differs at {at}: saw {events[at : at + 2]}, history {wanted[at : at + 2]}")
    before = 0
    for response in responses:
        if response and response[0].revision <= before:
            found.append(f"revision {before} was split, repeated or out of order")
        before = response[-1].revision if response else before
    return found[:3]
