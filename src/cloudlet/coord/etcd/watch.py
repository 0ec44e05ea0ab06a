"""etcd's Watch: many watchers on one stream.

State   in memory: the watchers of each open stream
Source  etcd 3.6, "Watch API guarantees", v3rpc's watch stream; tests/robustness names its nine guarantees
Absent  none

Theory of operation
    A watcher is a cursor of the store (kernel/keys.py, Watch) and a task that carries what it takes to the
    stream. The cursor gives each change once, in order, and only when it has settled; so what remains here is
    what etcd says *around* the events:

        create      -> created:true, before any event of that id; a watch from the compacted past is then
                       canceled with the revision that it must begin from
        events      a response holds whole revisions, unless the client asked for fragments
        cancel      -> one canceled:true; what was taken and not sent is dropped
        progress    -> one response without events under id -1, once every watcher of the stream has been sent
                       all that it is owed up to the revision told; watchers that asked for it are told by
                       themselves every so often without events

    A client that does not read is waited for: the cursor falls behind into the past, which is bounded, and at
    last the watcher is canceled as compacted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Protocol, runtime_checkable

from cloudlet.coord.etcd.faults import PREFIX, TEXTS, of_store
from cloudlet.coord.etcd.long_range import Turns
from cloudlet.coord.etcd.ranges import key_value, range_of
from cloudlet.coord.etcd.replies import Replies
from cloudlet.kernel.fault import Compacted, ProtocolError, StoreError
from cloudlet.kernel.keys import Change, Event, LocalKeys, Revision, Watch
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Call, Code, GrpcStatus
from cloudlet.wire.protobuf import decode, encode, encoded

log = logging.getLogger(__name__)

CHANGES_MAX = 512  # revisions in one response
EVENTS_MAX = 512  # that are encoded in one turn; a response is closed at the revision that reaches this
SHOWN_MAX = 64  # events kept, for the watchers that take them a moment later
SHOWN_BYTES_MAX = 64 << 10  # of one that is kept
EVENTS_BYTES_MAX = 1 << 20  # a response is closed at the revision that reaches this
FRAGMENT_BYTES_MAX = 1536 << 10  # etcd's max-request-bytes
WATCHERS_MAX = 100_000  # of one stream
CATCH_UP_S = 0.1  # until the next look whether watchers are synced of whom progress is owed
NO_ID = -1
NOPUT, NODELETE = 0, 1

Permitted = Callable[[Call, bytes, bytes], str | None]
"""Why a client may not watch a range, in etcd's words; None where it may."""

COMPACTED_TEXT = PREFIX + TEXTS["Compacted"][1]
DUPLICATE_TEXT = "mvcc: duplicate watch ID provided on the WatchStream"
EMPTY_TEXT = "mvcc: watcher range is empty"


class Watcher:
    """One watch of a stream. `sent` is the revision up to which all events were sent."""

    __slots__ = ("cursor", "id", "is_quiet", "is_sending", "request", "sent", "task")

    def __init__(self, number: int, request: pb.WatchCreateRequest, cursor: Watch) -> None:
        self.id = number
        self.request = request
        self.cursor = cursor
        self.is_sending = False
        self.is_quiet = True  # no event since the last round of progress
        self.sent = Revision(cursor.position - 1)
        self.task: asyncio.Task[None] | None = None


@runtime_checkable
class Stamping(Protocol):
    """Messages that know when they came."""

    stamp: Callable[[], int] | None
    arrived: int


class Shown:
    """The last events as clients see them, encoded: all watchers of a key are sent the same bytes."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, bool], tuple[Event, Any]] = {}

    def event(self, event: Event, *, with_previous: bool) -> Any:
        """The event's bytes, in the place of its message."""
        place = (id(event), with_previous)
        found = self._kept.get(place)
        if found is not None:  # what is kept lives, so its id is nobody else's
            return found[1]
        raw = encoded(encode(event_of(event, with_previous=with_previous)))
        if len(self._kept) >= SHOWN_MAX:
            self._kept.clear()
        if len(raw) <= SHOWN_BYTES_MAX:
            self._kept[place] = (event, raw)
        return raw


class WatchStream:
    """The watchers of one call."""

    def __init__(
        self,
        call: Call,
        keys: LocalKeys,
        replies: Replies,
        permitted: Permitted,
        progress_s: float,
        shown: Shown,
        turns: Turns,
    ) -> None:
        self._call = call
        self._shown = shown
        self._turns = turns
        self._keys = keys
        self._replies = replies
        self._permitted = permitted
        self._progress_s = progress_s
        self._watchers: dict[int, Watcher] = {}
        self._next = 0
        self._is_progress_owed = False
        self._catching_up: asyncio.TimerHandle | None = None
        self._paying: asyncio.Task[None] | None = None

    def serve(self, incoming: AsyncIterator[bytes]) -> Coroutine[Any, Any, None]:
        """Until the client goes away."""
        if isinstance(incoming, Stamping):
            incoming.stamp = lambda: self._keys.head
        return self._serve(incoming)

    async def _serve(self, incoming: AsyncIterator[bytes]) -> None:
        ticking = self._begin(self._tick())
        try:
            async for message in incoming:
                try:
                    request = decode(pb.WatchRequest, message)
                except ProtocolError as error:
                    raise GrpcStatus(Code.INTERNAL, f"grpc: error unmarshalling request: {error}") from None
                if request.create_request is not None:
                    arrived = incoming.arrived if isinstance(incoming, Stamping) else 0
                    await self._create(request.create_request, arrived)
                elif request.cancel_request is not None:
                    await self._cancel(request.cancel_request.watch_id)
                elif request.progress_request is not None:
                    self._is_progress_owed = True
                    await self._progress_if_owed()
            # A client that asks for nothing more (Ruby's, with a list of one request) still listens.
            await asyncio.get_running_loop().create_future()
        finally:
            if self._catching_up is not None:
                self._catching_up.cancel()
            begun = (self._paying, *(each.task for each in self._watchers.values()))
            tasks = [ticking, *(task for task in begun if task is not None)]
            for watcher in self._watchers.values():
                watcher.cursor.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- what the client asks

    async def _create(self, request: pb.WatchCreateRequest, arrived: int) -> None:
        """`arrived`: the head when the request came. What was written behind it in that turn is shown."""
        key = request.key or b"\0"
        reason = self._permitted(self._call, key, request.range_end)
        start, stop = range_of(key, request.range_end)
        if request.start_revision < 0:
            reason = COMPACTED_TEXT
        elif request.watch_id and request.watch_id in self._watchers:
            reason = DUPLICATE_TEXT
        elif start >= stop:
            reason = EMPTY_TEXT
        elif len(self._watchers) >= WATCHERS_MAX:
            reason = PREFIX + TEXTS["TooManyRequests"][1]
        if reason is not None:
            await self._say(watch_id=NO_ID, created=True, canceled=True, cancel_reason=reason)
            return
        number = request.watch_id or self._free_id()
        since = Revision(request.start_revision) if request.start_revision else None
        begins = since
        if since is None and self._keys.compacted <= arrived < self._keys.head and arrived:
            begins = Revision(arrived + 1)
        watcher = Watcher(number, request, self._keys.watch(start, stop, begins))
        self._watchers[number] = watcher
        before = None
        if since is None:
            before = watcher.sent  # a client takes what it is told as the last revision before its events
            await self._keys.settle(before)
        await self._say(watch_id=number, created=True, revision=before)
        watcher.task = self._begin(self._carry(watcher))

    def _free_id(self) -> int:
        while self._next in self._watchers:
            self._next += 1
        self._next += 1
        return self._next - 1

    async def _cancel(self, number: int) -> None:
        watcher = self._watchers.pop(number, None)
        if watcher is None:
            return  # as etcd: nothing is said of an unknown one
        watcher.cursor.close()
        if watcher.task is not None:
            watcher.task.cancel()
        await self._say(watch_id=number, canceled=True)
        await self._progress_if_owed()

    def _begin(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of the stream, which ends with it if it fails."""
        task = asyncio.get_running_loop().create_task(coroutine)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, GrpcStatus):
            self._call.fail(error)  # the client cannot take it; it may come back and go on
        elif isinstance(error, StoreError):
            log.warning("a stream of watches has ended: %r", error)
            self._call.fail(of_store(error))
        elif error is not None:
            log.error("a stream of watches has failed", exc_info=error)
            self._call.fail(GrpcStatus(Code.INTERNAL, "the watch has failed"))

    # --- what the store tells

    async def _carry(self, watcher: Watcher) -> None:
        """Send a watcher's events until it is canceled."""
        cursor = watcher.cursor
        try:
            while changes := await cursor.take(CHANGES_MAX):
                watcher.is_sending = True
                for number, some in enumerate(portions(changes)):
                    if number:
                        await self._turns.next()
                    if len(some[0].events) > EVENTS_MAX:
                        await self._send_long(watcher, some[0])
                    else:
                        await self._send(watcher, some)
                watcher.is_sending = False
                watcher.sent = Revision(changes[-1].revision)
                if self._is_progress_owed:
                    await self._progress_if_owed()
        except Compacted as error:
            self._watchers.pop(watcher.id, None)
            cursor.close()
            reply = pb.WatchResponse(watch_id=watcher.id, canceled=True, compact_revision=error.revision)
            reply.header = self._replies.header(0)
            await self._call.send(encode(reply))
            await self._progress_if_owed()

    async def _send(self, watcher: Watcher, changes: Sequence[Change]) -> None:
        request = watcher.request
        with_previous = request.prev_kv
        refused, shown = request.filters, self._shown
        events = [
            shown.event(event, with_previous=with_previous)
            for change in changes
            for event in change.events
            if not refused or (NODELETE if event.dropped else NOPUT) not in refused
        ]
        if not events:
            return
        watcher.is_quiet = False
        header = self._replies.header(changes[-1].revision)
        if request.fragment:
            for reply in fragments(watcher.id, events):
                reply.header = header
                await self._call.send(encode(reply))
            return
        await self._call.send(encode(pb.WatchResponse(header=header, watch_id=watcher.id, events=events)))

    async def _send_long(self, watcher: Watcher, change: Change) -> None:
        """A revision of very many events: encoded over several turns, whole or in fragments."""
        header = self._replies.header(change.revision)
        if watcher.request.fragment:
            await self._send_fragments(watcher, change, header)
            return
        # One is made after the other, however many are to have it: they would all be half made together.
        async with self._turns.message:
            pieces = [encode(pb.WatchResponse(events=some)) async for some in self._slices(watcher, change)]
            if not any(pieces):
                return
            # What is concatenated is one message: each piece adds to its list.
            whole = b"".join([encode(pb.WatchResponse(header=header, watch_id=watcher.id)), *pieces])
            pieces.clear()
        watcher.is_quiet = False
        await self._call.send(whole)

    async def _send_fragments(self, watcher: Watcher, change: Change, header: Any) -> None:
        held: pb.WatchResponse | None = None
        async for some in self._slices(watcher, change):
            for reply in fragments(watcher.id, some) if some else ():
                if held is not None:
                    await self._call.send(encode(held))
                reply.header, reply.fragment = header, True
                held = reply
        if held is not None:
            watcher.is_quiet = False
            held.fragment = False
            await self._call.send(encode(held))

    async def _slices(self, watcher: Watcher, change: Change) -> AsyncIterator[list[pb.Event]]:
        """The events that a watcher is to see, some in each turn."""
        request = watcher.request
        for at in range(0, len(change.events), EVENTS_MAX):
            await self._turns.next()
            yield [
                event_of(event, with_previous=request.prev_kv)
                for event in change.events[at : at + EVENTS_MAX]
                if (NODELETE if event.dropped else NOPUT) not in request.filters
            ]

    async def _say(
        self,
        *,
        watch_id: int,
        created: bool = False,
        canceled: bool = False,
        cancel_reason: str = "",
        revision: Revision | None = None,
    ) -> None:
        reply = pb.WatchResponse(
            watch_id=watch_id, created=created, canceled=canceled, cancel_reason=cancel_reason
        )
        reply.header = self._replies.header(self._keys.settled if revision is None else revision)
        await self._call.send(encode(reply))

    # --- progress

    def _is_synced(self, watcher: Watcher) -> bool:
        """Whether all that a watcher is owed up to the settled mark was sent. One that is to begin later is
        not: a client takes what it is told for the place to go on from."""
        settled = self._keys.settled
        return (
            not watcher.is_sending
            and watcher.cursor.position > settled
            and watcher.request.start_revision <= settled
        )

    async def _progress_if_owed(self) -> None:
        """One answer for all watchers, as soon as every one is synced."""
        watchers = self._watchers.values()
        if self._is_progress_owed and all(map(self._is_synced, watchers)):
            self._is_progress_owed = False
            if watchers:
                await self._say(watch_id=NO_ID)
        elif self._is_progress_owed and self._catching_up is None and any(map(self._is_behind, watchers)):
            self._catching_up = asyncio.get_running_loop().call_later(CATCH_UP_S, self._caught_up)

    def _is_behind(self, watcher: Watcher) -> bool:
        """Whether a watcher reads the past, at whose end it may find nothing to send."""
        return watcher.cursor.position <= self._keys.settled

    def _caught_up(self) -> None:
        self._catching_up = None
        self._paying = self._begin(self._progress_if_owed())

    async def _tick(self) -> None:
        """Tell the watchers that asked for it how far the store is, unless events have told them."""
        while True:
            await asyncio.sleep(self._progress_s)
            for watcher in list(self._watchers.values()):
                if watcher.request.progress_notify and watcher.is_quiet and self._is_synced(watcher):
                    await self._say(watch_id=watcher.id)
                watcher.is_quiet = True


def portions(changes: Sequence[Change]) -> list[Sequence[Change]]:
    """The changes in runs of whole revisions that make bearable responses; a long one stands alone."""
    found: list[Sequence[Change]] = []
    start, size, count = 0, 0, 0
    for number, change in enumerate(changes):
        if len(change.events) > EVENTS_MAX:
            if start < number:
                found.append(changes[start:number])
            found.append((change,))
            start, size, count = number + 1, 0, 0
            continue
        count += len(change.events)
        size += sum(len(event.entry.value) + len(event.entry.key) for event in change.events)
        if size >= EVENTS_BYTES_MAX or count >= EVENTS_MAX:
            found.append(changes[start : number + 1])
            start, size, count = number + 1, 0, 0
    if start < len(changes):
        found.append(changes[start:])
    return found


def event_of(event: Event, *, with_previous: bool) -> pb.Event:
    """An event as clients see it: a delete shows its key and the revision that deleted it."""
    entry = event.entry
    if event.dropped:
        shown = pb.Event(type=1, kv=pb.KeyValue(key=entry.key[1:], mod_revision=entry.mod_revision))
    else:
        shown = pb.Event(kv=key_value(entry))
    if with_previous and event.previous is not None:
        shown.prev_kv = key_value(event.previous)
    return shown


def fragments(watch_id: int, events: Sequence[pb.Event | bytes]) -> list[pb.WatchResponse]:
    """One response in pieces below FRAGMENT_BYTES_MAX, each with at least one event; all but the last say
    that more follow."""
    pieces: list[list[pb.Event]] = [[]]
    size = 0
    for event in events:
        raw = event if isinstance(event, bytes) else encode(event)
        if pieces[-1] and size + len(raw) >= FRAGMENT_BYTES_MAX:
            pieces.append([])
            size = 0
        pieces[-1].append(encoded(raw))
        size += len(raw)
    last = len(pieces) - 1
    return [
        pb.WatchResponse(watch_id=watch_id, events=piece, fragment=number < last)
        for number, piece in enumerate(pieces)
    ]
