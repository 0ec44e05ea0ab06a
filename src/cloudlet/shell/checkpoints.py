"""Checkpoints: the whole cloud as it was at an instant, to be looked at, compared and brought back; reset.

State   SPACE + name           -> Checkpoint (JSON): it exists once this is committed
        RESTORING              -> Goal (JSON): while a restore or a reset is under way
        DATA/checkpoints/NAME/   keys: the entries (engines/keys_dump); logs: what was pinned
        pins of the logs, under the checkpoint's name (engines/disk_pins)
Source  docs/checkpoints.md
Absent  checkpoints over a real etcd or Kafka; copies of a checkpoint that outlive the data folder

Theory of operation
    A save is one cut. It closes the desk's gate: nobody decides any more, and who has decided is waited for,
    so every call is wholly before the cut or wholly behind it. With the gate closed the revision is read and
    the logs are pinned, a log at a time (some 0.1 ms each); then the gate opens, and the keys are read *at
    that revision* while the cloud goes on. Last comes the record; a crash before it leaves files that no
    record names, which the next start clears away.

        gate closes -> revision R, logs pinned -> gate opens -> keys at R are written -> record

    Of logs, a rewrite may be under way at the cut: it shows some records twice, as after a crash.

    A restore lets no client see two states. New connections are held, calls that have decided are waited
    for, and every connection is closed: a reply that has begun goes out whole, all others get none. Then a
    Goal is committed, controllers are stopped, derived states forgotten; logs and keys are brought to what
    they were, by steps that may be repeated; the Goal is dropped, and all goes on.

        hold -> gate closes -> shed -> Goal -> logs -> keys as new revisions -> Goal dropped -> gate opens

    After a crash in between, the Goal is found at the next start and all steps are done again, before anybody
    is served. Should a step be refused (a full disk), the cloud stops, for the same reason. Revisions only
    grow, since the old entries come back by commits; a log that comes back is in a new leader epoch, which
    is above that of every log that there was.

    What is the cloud's own (keys from OWN on: the clock's steps, these records; the log of call events) is
    neither saved nor restored.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from cloudlet.aws.events import EVENTS_LOG
from cloudlet.engines.disk_pins import DiskPins, Pinned
from cloudlet.engines.keys_dump import read_dump, write_dump
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import NoSpace, StoreError
from cloudlet.kernel.keys import Author, Commit, Drop, Durability, Entry, Keys, Put, Revision
from cloudlet.kernel.logs import Logs
from cloudlet.shell.checkpoint_commits import commits_towards
from cloudlet.shell.control import Refused
from cloudlet.shell.folder import write_whole

log = logging.getLogger(__name__)

OWN = b"\x7f"
"""Keys from here on are the cloud's own."""

SPACE = b"\x7fcheckpoint\x00"
SPACE_STOP = b"\x7fcheckpoint\x01"
RESTORING = b"\x7frestoring"

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PINS_PER_TURN = 20  # 2 ms of a loop turn
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class NoSuchCheckpoint(Refused):
    """There is none of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no checkpoint {name!r}", 404)


class CheckpointExists(Refused):
    """There is one of this name already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a checkpoint {name!r} already; drop it first", 409)


class Checkpoint(msgspec.Struct, frozen=True):
    """What is said of a checkpoint."""

    name: str
    revision: Revision
    wall_ms: int
    cloud_ms: int
    keys: int
    logs: int


class Goal(msgspec.Struct, frozen=True):
    """What a restore is on its way to: a checkpoint, or nothing at all."""

    name: str | None
    epoch: int  # of every log that comes back


class Quiet(Protocol):
    """Whoever serves clients from the stores, as far as a restore has to do with it."""

    async def pause(self) -> None:
        """Let nobody decide, with no call half done."""

    def resume(self) -> None:
        """Let calls decide again."""

    async def silence(self) -> None:
        """Pause, close every connection, stop what runs, forget what was derived."""

    def go_on(self) -> None:
        """Serve again, from what the stores hold now."""

    def give_up(self) -> None:
        """The stores are in between two states: end the cloud."""


class Checkpoints:
    """All checkpoints of one data folder. One save, restore, reset or drop at a time."""

    def __init__(
        self, folder: Path, keys: Keys, logs: Logs, pins: DiskPins, clock: Clock, *, is_durable: bool = True
    ) -> None:
        self._folder = folder
        self._keys = keys
        self._logs = logs
        self._pins = pins
        self._clock = clock
        self._is_durable = is_durable
        self._turn = asyncio.Lock()

    # --- looking

    def list(self) -> Sequence[Checkpoint]:
        """All of them, by name."""
        return [_read_record(entry) for entry in self._keys.scan(SPACE, SPACE_STOP)]

    def find(self, name: str) -> Checkpoint:
        """The one of this name; NoSuchCheckpoint."""
        entry = self._keys.get(SPACE + name.encode())
        if entry is None:
            raise NoSuchCheckpoint(name)
        return _read_record(entry)

    def entries(self, name: str) -> Iterator[Sequence[Entry]]:
        """The keys of a checkpoint, a page at a time."""
        return read_dump(self._folder / name / "keys")

    def pinned(self, name: str) -> Sequence[Pinned]:
        """The logs of a checkpoint, by name."""
        return msgspec.json.decode((self._folder / name / "logs").read_bytes(), type=list[Pinned])

    async def walk(self, note: Callable[[bytes, bytes], None]) -> None:
        """Show every entry (key, value) of every checkpoint: what they name is held."""
        async with self._turn:
            for checkpoint in self.list():
                for page in self.entries(checkpoint.name):
                    for entry in page:
                        note(entry.key, entry.value)
                    await asyncio.sleep(0)

    # --- making and letting go

    async def save(self, name: str, quiet: Quiet) -> Checkpoint:
        """Save the cloud as it is now; CheckpointExists, NoSpace."""
        async with self._turn:
            if not NAME.fullmatch(name):
                raise Refused(f"{name!r} is no name: letters, digits, '.', '_' and '-', at most 64")
            if self._keys.get(SPACE + name.encode()) is not None:
                raise CheckpointExists(name)
            await self._clear(name)
            try:
                return await self._save(name, quiet)
            except OSError as error:
                await self._clear(name)
                if error.errno in FULL:
                    raise NoSpace(str(error)) from error
                raise
            except StoreError:
                await self._clear(name)
                raise

    async def _save(self, name: str, quiet: Quiet) -> Checkpoint:
        await quiet.pause()
        try:
            revision, wall_ms, cloud_ms = self._keys.head, self._clock.wall_ms(), self._clock.cloud_ms()
            pinned: list[Pinned] = []
            for log_name in self._logs.names():
                if log_name != EVENTS_LOG:
                    pinned.append(self._pins.pin(name, log_name))
                if len(pinned) % PINS_PER_TURN == 0:
                    await asyncio.sleep(0)
        finally:
            quiet.resume()
        folder = self._folder / name
        folder.mkdir(mode=0o700, parents=True)
        path = folder / "keys"
        count = await write_dump(path, self._keys, revision, b"", OWN, is_durable=self._is_durable)
        write_whole(folder / "logs", msgspec.json.encode(pinned), is_durable=self._is_durable)
        await self._pins.settle(name)
        made = Checkpoint(name, revision, wall_ms, cloud_ms, count, len(pinned))
        await self._put(SPACE + name.encode(), made, f"checkpoint save {name}")
        log.info("checkpoint %s saved: revision %d, %d keys, %d logs", name, revision, count, len(pinned))
        return made

    async def drop(self, name: str) -> None:
        """Let go of a checkpoint and of all that it holds; NoSuchCheckpoint."""
        async with self._turn:
            self.find(name)
            await self._drop(SPACE + name.encode(), f"checkpoint drop {name}")
            await self._clear(name)

    async def _clear(self, name: str) -> None:
        await self._pins.unpin(name)
        if (self._folder / name).exists():
            await asyncio.get_running_loop().run_in_executor(None, shutil.rmtree, self._folder / name)

    # --- bringing back

    async def restore(self, name: str, quiet: Quiet) -> Revision:
        """Make the cloud what it was; the revision that it is at then. NoSuchCheckpoint with nothing done."""
        async with self._turn:
            self.find(name)
            return await self._reach(name, quiet)

    async def reset(self, quiet: Quiet) -> Revision:
        """Make the cloud empty."""
        async with self._turn:
            return await self._reach(None, quiet)

    async def _reach(self, name: str | None, quiet: Quiet) -> Revision:
        epochs = [0] if name is None else [0, *(pinned.epoch for pinned in self.pinned(name))]
        await quiet.silence()
        try:
            epochs += [self._logs.epoch(each) for each in self._logs.names()]
            goal = Goal(name, max(epochs) + 1)
            await self._put(RESTORING, goal, _purpose(goal))
        except StoreError:
            quiet.go_on()
            raise
        try:
            revision = await self._bring_back(goal)
        except (StoreError, OSError):
            log.critical("%s cannot be finished: the next start goes on with it", _purpose(goal))
            quiet.give_up()
            raise
        quiet.go_on()
        return revision

    async def recover(self) -> None:
        """At the start, before anybody is served: finish a restore, and clear away saves without a record."""
        entry = self._keys.get(RESTORING)
        if entry is not None:
            goal = msgspec.json.decode(entry.value, type=Goal)
            log.info("%s was cut short: it is done again", _purpose(goal))
            await self._bring_back(goal)
        left = set(self._pins.labels())
        if self._folder.is_dir():
            left.update(found.name for found in self._folder.iterdir())
        for name in left - {checkpoint.name for checkpoint in self.list()}:
            await self._clear(name)

    async def _bring_back(self, goal: Goal) -> Revision:
        """Every step of it may be done twice."""
        wanted = [] if goal.name is None else self.pinned(goal.name)
        names = {pinned.name for pinned in wanted}
        for name in self._logs.names():
            if name not in names and name != EVENTS_LOG:
                await self._logs.drop(name)
        for pinned in wanted:
            await self._pins.bring_back(goal.name or "", pinned, goal.epoch)
            await asyncio.sleep(0)
        pages: Iterator[Sequence[Entry]] = iter(()) if goal.name is None else self.entries(goal.name)
        author = Author("cloudlet", principal=_purpose(goal))
        for commit in commits_towards(self._keys, pages, OWN, author):
            await self._keys.commit(commit)
            await asyncio.sleep(0)
        if self._is_durable:
            await self._logs.sync()
        await self._drop(RESTORING, _purpose(goal))
        log.info("%s done, at revision %d", _purpose(goal), self._keys.head)
        return self._keys.head

    # --- records

    async def _put(self, key: bytes, record: Checkpoint | Goal, purpose: str) -> None:
        await self._commit(purpose, put=[Put(key, msgspec.json.encode(record))])

    async def _drop(self, key: bytes, purpose: str) -> None:
        await self._commit(purpose, drop=[Drop(key)])

    async def _commit(self, purpose: str, put: Sequence[Put] = (), drop: Sequence[Drop] = ()) -> None:
        durability = Durability.SYNC if self._is_durable else Durability.RELAXED
        author = Author("cloudlet", principal=purpose)
        await self._keys.settle(await self._keys.commit(Commit(author, (), put, drop, durability)))


def _purpose(goal: Goal) -> str:
    return "reset" if goal.name is None else f"checkpoint restore {goal.name}"


def _read_record(entry: Entry) -> Checkpoint:
    return msgspec.json.decode(entry.value, type=Checkpoint)
