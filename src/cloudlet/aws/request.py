"""What an operation sees of the cloud while it decides: reads that join the guards, one commit, logs.

State   none: a Request lives for one attempt of one call
Source  docs/architecture.md, "Decide, then commit, then act"
Absent  reads at a past revision; calling another service's operation inside a call

An operation is run again from the start when what it read has changed, so it has no effect but through its
Request. Keys that it `get`s are guarded; a `scan` guards that nothing in its range was put since; `peek`
guards nothing. A log's state is derived from its records: the operation appends records, and the framework
applies them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar, cast

import msgspec

from cloudlet.aws.record import Key, R, Record, decoder, encode, packed
from cloudlet.kernel.keys import Commit, Compare, Drop, Durability, Entry, Guard, Put, Revision, Target
from cloudlet.kernel.logs import LogName, Offset
from cloudlet.kernel.tuples import prefix_range, unpack

if TYPE_CHECKING:
    from cloudlet.aws.bodies import Slice
    from cloudlet.aws.call import Call, Desk
    from cloudlet.kernel.keys import Keys

SCAN_MAX = 10_000  # entries of one scan: a listing pages well below


class Derived(Protocol):
    """State that is derived from one log and from nothing else."""

    def apply(self, offset: Offset, record: bytes) -> None:
        """Take one record in; called for every record of the log in order, live and after a restart alike."""

    def live_bytes(self) -> int:
        """About how many bytes of the log are still needed."""

    def keep(self, offset: Offset, record: bytes) -> bytes | None:
        """What must be appended so that the record at `offset` may go: None if nothing in it is needed."""


D = TypeVar("D", bound=Derived)


class Wait(NamedTuple):
    """The operation cannot answer yet: run it again when the log has changed, or at a time.

    `timeout_ms` is liveness, counted from the call's start (`Request.waited_ms` tells how much is gone);
    `wake_at_ms` is cloud time, when something becomes visible by itself. Waiters of a log are woken one by
    one, in the order in which they came. An operation that has appended and waits nevertheless is run again
    as soon as its records are applied: they may be what it waits for.
    """

    log: LogName
    timeout_ms: float
    wake_at_ms: int | None = None


class Anew(Exception):
    """What was appended so far comes first: it is carried out, then the operation is run again."""


class Append(msgspec.Struct, frozen=True, gc=False):
    """Records for one log, in order; several appends of a call happen in the order they were asked for.

    `at` is where the log stopped when they were decided: they are appended there or not at all.
    """

    log: LogName
    records: Sequence[bytes]
    at: Offset


Decoded = dict[bytes, tuple[Revision, Record]]
"""Key -> the record decoded at that mod revision: records are frozen, so all readers share one."""

DECODED_MAX = 50_000

MOD, EQUAL = Target.MOD, Compare.EQUAL  # a member of an enumeration takes a while to be looked up

V = TypeVar("V")
Views = dict[bytes, tuple[Entry, object, object]]
"""Key -> what was derived from the record in this entry, and by which function."""


class Request(msgspec.Struct):
    """One attempt of one call; made by `Desk.request`."""

    call: Call  # caller, host, path, request id and all else that stays the same between attempts
    account: str
    region: str
    now_ms: int  # cloud time, one value for the whole attempt
    _desk: Desk
    _keys: Keys
    _decoded: Decoded
    appends: list[Append] = []  # what `append` was asked for, in order
    dropped_logs: list[LogName] = []
    _guards: dict[bytes, Guard] = {}  # by where their range starts: no key is a range's start
    _seen: dict[Key, Record] = {}  # what `get` has found
    _commit: tuple[list[Put], list[Drop]] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the operation has only read."""
        return self._commit is None and not self.appends and not self.dropped_logs

    @property
    def wall_ms(self) -> int:
        """Wall time: for what a client compares with a clock of its own, such as a token's end."""
        return self._desk.clock.wall_ms()

    @property
    def waited_ms(self) -> float:
        """How long the call has taken so far, on the monotonic clock."""
        return self.call.waited_ms()

    def cooldown_ms(self, ms: int) -> int:
        """How long AWS makes callers wait before they may do something again; 0 under --no-cooldowns."""
        return ms if self._desk.has_cooldowns else 0

    def uuid(self) -> str:
        """A fresh random UUID."""
        return self._desk.ids.uuid()

    def token(self, size_bytes: int) -> bytes:
        """Fresh random bytes."""
        return self._desk.ids.token(size_bytes)

    # --- reading keys

    def get(self, key: Key, kind: type[R]) -> R | None:
        """The record under a key; the commit is refused if it has changed meanwhile."""
        seen = self._seen.get(key)
        if type(seen) is kind:
            return seen
        raw = packed(key)
        entry = self._keys.get(raw)
        if raw not in self._guards:
            self._guards[raw] = Guard(raw, MOD, EQUAL, 0 if entry is None else entry.mod_revision)
        if entry is None:
            return None
        record = self._seen[key] = self._decode(raw, entry.mod_revision, entry.value, kind)
        return record

    def peek(self, key: Key, kind: type[R]) -> R | None:
        """The record under a key, unguarded: for what may be a moment old."""
        raw = packed(key)
        entry = self._keys.get(raw)
        return None if entry is None else self._decode(raw, entry.mod_revision, entry.value, kind)

    def view(self, key: Key, kind: type[R], make: Callable[[Key, R], V]) -> V | None:
        """What `make` derives from the record under a key and from nothing else, unguarded; made once for
        each version of the record."""
        raw = packed(key)
        entry = self._keys.get(raw)
        if entry is None:
            return None
        known = self._desk.views.get(raw)
        if known is not None and known[0] is entry and known[1] is make:
            return cast(V, known[2])
        if len(self._desk.views) >= DECODED_MAX:
            self._desk.views.clear()
        made = make(key, decoder(kind).decode(entry.value))
        self._desk.views[raw] = entry, make, made
        return made

    def scan(
        self, prefix: Key, kind: type[R], *, after: Key | None = None, limit: int = SCAN_MAX
    ) -> Sequence[tuple[Key, R]]:
        """The records whose key begins with `prefix` and goes on, in key order, those behind `after`.

        Guards that nothing in the range is put before the commit; a delete inside it is not seen, so a
        decision that rests on a record's presence `get`s it.
        """
        start, stop = prefix_range(prefix)
        if start not in self._guards:
            self._guards[start] = Guard(start, Target.MOD, Compare.LESS, self._keys.head + 1, stop)
        return self.glance(prefix, kind, after=after, limit=limit)

    def glance(
        self,
        prefix: Key,
        kind: type[R],
        *,
        after: Key | None = None,
        first: Key | None = None,
        limit: int = SCAN_MAX,
    ) -> Sequence[tuple[Key, R]]:
        """The same, unguarded: for listings, which show a moment and decide nothing. `first` itself is shown
        where it is there."""
        start, stop = prefix_range(prefix)
        if after is not None:
            start = packed(after) + b"\0"
        elif first is not None:
            start = packed(first)
        return [
            (unpack(entry.key), self._decode(entry.key, entry.mod_revision, entry.value, kind))
            for entry in self._keys.scan(start, stop, limit=limit)
        ]

    def entries(self, start: bytes, stop: bytes, limit: int) -> Sequence[Entry]:
        """The entries of a range of packed keys, unguarded and as they are kept: for listings that skip what
        they do not show, and decode only what they do."""
        return self._keys.scan(start, stop, limit=limit)

    def _decode(self, raw: bytes, revision: Revision, value: bytes, kind: type[R]) -> R:
        known = self._decoded.get(raw)
        if known is not None and known[0] == revision and type(known[1]) is kind:
            return known[1]
        record: R = decoder(kind).decode(value)
        if len(self._decoded) >= DECODED_MAX:
            self._decoded.clear()
        self._decoded[raw] = (revision, record)
        return record

    # --- the one commit

    def commit(self, put: Mapping[Key, Record] | None = None, drop: Sequence[Key | Prefix] = ()) -> None:
        """Write and delete records as one step, after the operation has returned; at most once a call."""
        assert self._commit is None, "an operation commits once"
        puts: list[Put] = []
        if put:
            for key, record in put.items():
                puts.append(Put(packed(key), encode(record)))
        drops: list[Drop] = []
        for each in drop:
            if isinstance(each, Prefix):
                drops.append(Drop(*prefix_range(each.parts)))
            else:
                drops.append(Drop(packed(each)))
        self._commit = puts, drops

    def add_to_commit(self, put: Mapping[Key, Record], drop: Sequence[Key]) -> None:
        """What the framework itself keeps beside an operation's commit, if the operation made one."""
        if self._commit is not None:
            self._commit[0].extend(Put(packed(key), encode(record)) for key, record in put.items())
            self._commit[1].extend(Drop(packed(key)) for key in drop)

    def decided(self, durability: Durability) -> Commit | None:
        """The commit with its guards, None where the operation only read."""
        if self._commit is None:
            return None
        put, drop = self._commit
        return Commit(self.call.author(), list(self._guards.values()), put, drop, durability)

    # --- bodies

    def sums(self, slices: Sequence[Slice], algorithms: Sequence[str]) -> Mapping[str, bytes]:
        """The sums over bytes that are kept: the operation is run again once they have been read."""
        return self._desk.bodies.sums(slices, algorithms)

    # --- logs

    def log(self, name: LogName, empty: Callable[[], D]) -> D:
        """The state derived from a log; `empty` makes the one of a log without records."""
        return self._desk.traffic.state(name, empty)

    def records(self, name: LogName, offsets: Sequence[Offset]) -> Sequence[bytes]:
        """The records at these offsets, in the order asked for."""
        return self._desk.traffic.records(name, offsets)

    def append(self, name: LogName, records: Sequence[bytes]) -> None:
        """Append records after the operation has returned, then apply them to the log's state.

        Several appends happen in this order, each durable before the next, and nobody else sees any of their
        logs before the last is done. A crash between them leaves the first ones done: a move writes down what
        it is about to do, where what it does can be looked for.
        """
        at = self._desk.traffic.stop(name)
        for each in self.appends:
            if each.log == name:
                at = Offset(at + len(each.records))
        self.appends.append(Append(name, records, at))

    def drop_log(self, name: LogName) -> None:
        """Delete a log once the commit has taken its name away: a crash in between leaves a log without a
        name."""
        self.dropped_logs.append(name)


class Prefix(NamedTuple):
    """All keys that begin with `parts` and go on, for `commit(drop=…)`."""

    parts: Key
