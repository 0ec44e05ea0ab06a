"""The timekeeper: moves the cloud's clock, each step recorded before it takes force.

State   CLOCK_SPACE + (number) -> Step, numbers from 0 without gaps, the oldest dropped beyond STEPS_MAX
        DATA/clock      the newest cloud time shown, noted every second: where the machine's clock has gone
                        back while no cloud ran, cloud time goes on from there
Source  docs/time.md
Absent  several nodes that follow each other's steps while they run

The steps lie outside the space of accounts' resources, so neither a reset nor a restored checkpoint takes
cloud time back. A step is put into force once its commit is as durable as promised; a crash in between leaves
a step that was never acknowledged, and holds after the restart.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from cloudlet.kernel.clock import CLOUD_MS_MAX, STEPS_MAX, MovableClock, Step
from cloudlet.kernel.durations import Unreadable, parse_duration, parse_instant, spell_duration, spell_instant
from cloudlet.kernel.fault import Conflict, OutcomeUnknown
from cloudlet.kernel.keys import Author, Commit, Compare, Drop, Durability, Entry, Guard, Keys, Put, Target
from cloudlet.kernel.tuples import pack, unpack
from cloudlet.shell.control import Nothing, Refused, Verbs, json_reply, said
from cloudlet.wire.http1 import Request, Response

log = logging.getLogger(__name__)

CLOCK_SPACE = b"\x7fclock\x00"
CLOCK_STOP = b"\x7fclock\x01"
"""The key space of the clock: no account's, and not one of the faces' own."""

TICK_S = 1.0
BACK_MS_MAX = 1000  # the machine's clock may be set back by less without a step: cloud time stands still
JUMP_MS_MAX = 1000  # between the wall and the monotonic clock; after more, alarms look again

Decide = Callable[[], Step | None]


class Timekeeper:
    """Owns the steps of one cloud; `open` before anybody looks at the clock."""

    def __init__(
        self,
        keys: Keys,
        clock: MovableClock,
        *,
        mark: Path | None = None,
        durability: Durability = Durability.RELAXED,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._mark = mark
        self._durability = durability
        self._number = 0  # of the next step
        self._moving = asyncio.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._mending: asyncio.Task[None] | None = None
        self._marked_ms = 0
        self._drift_ms = 0.0

    async def open(self) -> None:
        """Take in the recorded steps, and see to it that cloud time has not gone back since the last run."""
        self._catch_up()
        shown_ms = max(self._clock.step.cloud_ms, self._read_mark())
        if shown_ms - self._clock.cloud_ms() > BACK_MS_MAX or self._clock.held_ms() > BACK_MS_MAX:
            await self._record("the wall went back", lambda: Step(self._clock.wall_ms(), shown_ms))

    def listen(self, moved: Callable[[], None]) -> None:
        """Call `moved` after each step."""
        self._listeners.append(moved)

    # --- moving

    async def advance(self, by_ms: int) -> None:
        """Move cloud time forward; frozen time moves too, and stays frozen."""

        def decide() -> Step | None:
            wall_ms, now_ms = self._clock.both_ms()
            return self._to(now_ms + by_ms, wall_ms, now_ms)

        await self._record("advance", decide)

    async def advance_to(self, cloud_ms: int) -> None:
        """Move cloud time forward to an instant."""
        await self._record("advance", lambda: self._to(cloud_ms, *self._clock.both_ms()))

    async def freeze(self) -> None:
        """Let cloud time stand still; nothing where it does already."""
        await self._record("freeze", lambda: self._turned(is_frozen=True))

    async def thaw(self) -> None:
        """Let it go on from where it stands; nothing where it runs."""
        await self._record("thaw", lambda: self._turned(is_frozen=False))

    def _to(self, cloud_ms: int, wall_ms: int, now_ms: int) -> Step | None:
        if cloud_ms < now_ms:
            raise Refused(
                f"{spell_instant(cloud_ms)} is before the cloud's {spell_instant(now_ms)}: "
                "cloud time never goes back."
            )
        if cloud_ms > CLOUD_MS_MAX:
            raise Refused("Cloud time ends with the year 9999.")
        if cloud_ms == now_ms:
            return None
        return Step(wall_ms, cloud_ms, self._clock.step.is_frozen)

    def _turned(self, *, is_frozen: bool) -> Step | None:
        if self._clock.step.is_frozen == is_frozen:
            return None
        return Step(*self._clock.both_ms(), is_frozen)

    async def _record(self, verb: str, decide: Decide) -> None:
        """Commit the step that `decide` gives, then put it in force; None is nothing to do."""
        async with self._moving:
            while True:
                step = decide()
                if step is None:
                    return
                if await self._recorded(verb, step):
                    return

    async def _recorded(self, verb: str, step: Step) -> bool:
        """Record one step; False where another node's came first, which is then in force."""
        stops = step.is_frozen and not self._clock.step.is_frozen
        if stops:  # at once, lest time goes on beyond the step while it is being recorded
            self._clock.move(step)
        key, value = step_key(self._number), msgspec.msgpack.encode(step)
        is_done = False
        try:
            await self._commit(verb, key, value)
            is_done = True
        except (Conflict, OutcomeUnknown):
            entry = self._keys.get(key)
            is_done = entry is not None and entry.value == value
        finally:
            if stops and not is_done:
                self._clock.move(Step(self._clock.wall_ms(), step.cloud_ms))
        if is_done:
            self._take(step)
        else:
            self._catch_up()
        return is_done

    async def _commit(self, verb: str, key: bytes, value: bytes) -> None:
        drop = (
            [Drop(CLOCK_SPACE, step_key(self._number - STEPS_MAX + 1))] if self._number >= STEPS_MAX else []
        )
        revision = await self._keys.commit(
            Commit(
                Author("clock", principal=verb),
                [Guard(key, Target.VERSION, Compare.EQUAL, 0)],
                [Put(key, value)],
                drop,
                self._durability,
            )
        )
        await self._keys.settle(revision)

    def _catch_up(self) -> None:
        """Put into force what the keys hold beyond our own steps."""
        for entry in self._keys.scan(step_key(self._number), CLOCK_STOP):
            self._number = number_of(entry)
            self._take(msgspec.msgpack.decode(entry.value, type=Step))

    def _take(self, step: Step) -> None:
        self._number += 1
        if step is not self._clock.step:
            self._clock.move(step)
        for moved in self._listeners:
            moved()

    # --- the machine's clock

    def start(self) -> None:
        """Watch the machine's clock while the loop runs."""
        self._drift_ms = self._clock.wall_ms() - self._clock.monotonic_ms()
        self._tick()

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        drift_ms = self._clock.wall_ms() - self._clock.monotonic_ms()
        if abs(drift_ms - self._drift_ms) > JUMP_MS_MAX:
            self._drift_ms = drift_ms
            for moved in self._listeners:
                moved()
        if self._clock.held_ms() > BACK_MS_MAX and (self._mending is None or self._mending.done()):
            log.warning("the machine's clock went back by %d ms", self._clock.held_ms())
            self._mending = asyncio.ensure_future(self._go_on())
        self._write_mark()

    async def _go_on(self) -> None:
        """Let cloud time run although the wall went back."""
        await self._record("the wall went back", lambda: Step(*self._clock.both_ms()))

    def _read_mark(self) -> int:
        try:
            return int(self._mark.read_bytes()) if self._mark else 0
        except (OSError, ValueError):
            return 0

    def _write_mark(self) -> None:
        """Note what was shown, in one small write that a kill cannot cut."""
        now_ms = self._clock.cloud_ms()
        if self._mark is None or now_ms == self._marked_ms:
            return
        self._marked_ms = now_ms
        try:
            descriptor = os.open(self._mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            log.warning("cannot note the time in %s: %r", self._mark, error)
            return
        try:
            os.pwrite(descriptor, b"%020d\n" % now_ms, 0)
        except OSError as error:
            log.warning("cannot note the time in %s: %r", self._mark, error)
        finally:
            os.close(descriptor)

    async def close(self) -> None:
        """Note the time and stop."""
        if self._timer is not None:
            self._timer.cancel()
            self._write_mark()
        if self._mending is not None:
            await asyncio.gather(self._mending, return_exceptions=True)

    # --- what is said of it

    def ahead_ms(self) -> int:
        """How far cloud time is before the wall; negative where it is behind."""
        wall_ms, cloud_ms = self._clock.both_ms()
        return cloud_ms - wall_ms

    def shown(self) -> Response:
        """Both times."""
        wall_ms, cloud_ms = self._clock.both_ms()
        return json_reply(
            {
                "cloud": spell_instant(cloud_ms),
                "wall": spell_instant(wall_ms),
                "ahead": spell_duration(cloud_ms - wall_ms),
                "cloud_ms": cloud_ms,
                "wall_ms": wall_ms,
                "ahead_ms": cloud_ms - wall_ms,
                "frozen": self._clock.step.is_frozen,
                "steps": self._number,
            }
        )


def step_key(number: int) -> bytes:
    """Where a step is kept."""
    return CLOCK_SPACE + pack((number,))


def number_of(entry: Entry) -> int:
    """The number of a step by its key."""
    (number,) = unpack(entry.key[len(CLOCK_SPACE) :])
    assert isinstance(number, int)
    return number


class Advance(msgspec.Struct, forbid_unknown_fields=True):
    """How far to go: one of the three."""

    by: str | None = None  # "8d"
    by_ms: int | None = None
    to: str | None = None  # "2026-12-31T23:59:00Z"


def clock_verbs(timekeeper: Timekeeper) -> Verbs:
    """Showing and moving the clock; each answers both times, as they are then."""

    async def advance(request: Request) -> Response:
        asked = said(request, Advance)
        if [asked.by, asked.by_ms, asked.to].count(None) != 2:
            raise Refused('one of "by", "by_ms" and "to" is wanted: {"by": "8d"}')
        try:
            if asked.to is not None:
                await timekeeper.advance_to(parse_instant(asked.to))
            else:
                by_ms = parse_duration(asked.by) if asked.by is not None else asked.by_ms
                assert by_ms is not None
                await timekeeper.advance(by_ms)
        except Unreadable as error:
            raise Refused(str(error)) from None
        return timekeeper.shown()

    async def freeze(request: Request) -> Response:
        said(request, Nothing)
        await timekeeper.freeze()
        return timekeeper.shown()

    async def thaw(request: Request) -> Response:
        said(request, Nothing)
        await timekeeper.thaw()
        return timekeeper.shown()

    return {
        ("GET", "/clock"): lambda request: timekeeper.shown(),
        ("POST", "/clock/advance"): advance,
        ("POST", "/clock/freeze"): freeze,
        ("POST", "/clock/thaw"): thaw,
    }
