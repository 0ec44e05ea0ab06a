"""Checkpoints and reset as control verbs.

State   none
Source  docs/cli.md, "Control verbs"
Absent  none
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import msgspec

from cloudlet.aws.events import EVENTS_LOG
from cloudlet.engines.disk_pins import Pinned
from cloudlet.kernel.key_paths import path_of
from cloudlet.kernel.keys import Keys
from cloudlet.kernel.logs import LogName, Logs
from cloudlet.shell.checkpoint_commits import Difference, Pages, differences, pages_of
from cloudlet.shell.checkpoints import OWN, Checkpoint, Checkpoints
from cloudlet.shell.control import Refused, Verbs, json_reply, reset_verbs, said
from cloudlet.shell.quiet import QuietCloud
from cloudlet.wire.http1 import Request, Response

ROWS_MAX = 10_000  # of a diff: what is beyond is counted
ROWS_PER_TURN = 500

T = TypeVar("T")

MakeQuiet = Callable[["asyncio.Task[object] | None"], QuietCloud]


class Named(msgspec.Struct, forbid_unknown_fields=True):
    """Which checkpoint."""

    name: str


class Compared(msgspec.Struct, forbid_unknown_fields=True):
    """A checkpoint and another one, or now."""

    name: str
    other: str | None = None


class CheckpointVerbs:
    """The verbs over one cloud."""

    def __init__(self, checkpoints: Checkpoints, keys: Keys, logs: Logs, quiet: MakeQuiet) -> None:
        self._checkpoints = checkpoints
        self._keys = keys
        self._logs = logs
        self._quiet = quiet

    def verbs(self) -> Verbs:
        """The table."""
        return {
            ("GET", "/checkpoints"): self._list,
            ("POST", "/checkpoints/save"): self._save,
            ("POST", "/checkpoints/restore"): self._restore,
            ("POST", "/checkpoints/drop"): self._drop,
            ("POST", "/checkpoints/diff"): self._diff,
            **reset_verbs(self.reset),
        }

    def _list(self, request: Request) -> Response:
        return json_reply({"checkpoints": [spoken(each) for each in self._checkpoints.list()]})

    async def _save(self, request: Request) -> Response:
        name, quiet = said(request, Named).name, self._quiet(asyncio.current_task())
        return json_reply(spoken(await to_its_end(self._checkpoints.save(name, quiet))))

    async def _restore(self, request: Request) -> Response:
        name, quiet = said(request, Named).name, self._quiet(asyncio.current_task())
        revision = await to_its_end(self._checkpoints.restore(name, quiet))
        return json_reply({"name": name, "revision": revision})

    async def _drop(self, request: Request) -> Response:
        name = said(request, Named).name
        await to_its_end(self._checkpoints.drop(name))
        return json_reply({"name": name})

    async def reset(self) -> None:
        """Forget everything, on behalf of the request that the present task answers."""
        await to_its_end(self._checkpoints.reset(self._quiet(asyncio.current_task())))

    async def _diff(self, request: Request) -> Response:
        asked = said(request, Compared)
        old = self._checkpoints.find(asked.name)
        new = None if asked.other is None else self._checkpoints.find(asked.other)
        pages: Pages = pages_of(self._keys, OWN) if new is None else self._checkpoints.entries(new.name)
        logs = self._present() if new is None else self._checkpoints.pinned(new.name)
        rows: list[Mapping[str, object]] = []
        counts = {"put": 0, "changed": 0, "dropped": 0}
        try:
            found = differences(self._checkpoints.entries(old.name), pages)
            while some := list(islice(found, ROWS_PER_TURN)):
                for each in some:
                    counts[kind_of(each)] += 1
                    if len(rows) < ROWS_MAX:
                        rows.append(key_row(each))
                await asyncio.sleep(0)
        except FileNotFoundError:
            raise Refused("a checkpoint was dropped meanwhile", 409) from None
        return json_reply(
            {
                "from": old.revision,
                "to": self._keys.head if new is None else new.revision,
                "counts": counts,
                "keys": rows,
                "logs": list(log_rows(self._checkpoints.pinned(old.name), logs)),
            }
        )

    def _present(self) -> Sequence[Pinned]:
        return [self._as_now(name) for name in self._logs.names() if name != EVENTS_LOG]

    def _as_now(self, name: LogName) -> Pinned:
        return Pinned(name, *self._logs.ends(name), self._logs.epoch(name))


async def to_its_end(work: Coroutine[object, object, T]) -> T:
    """Do it even if the client that asked goes away meanwhile."""
    return await asyncio.shield(asyncio.ensure_future(work))


def spoken(checkpoint: Checkpoint) -> Mapping[str, object]:
    """A checkpoint as JSON."""
    return {
        "name": checkpoint.name,
        "revision": checkpoint.revision,
        "wall_ms": checkpoint.wall_ms,
        "cloud_ms": checkpoint.cloud_ms,
        "keys": checkpoint.keys,
        "logs": checkpoint.logs,
    }


def kind_of(difference: Difference) -> str:
    """What has happened to a key since."""
    if difference.old is None:
        return "put"
    return "dropped" if difference.new is None else "changed"


def key_row(difference: Difference) -> Mapping[str, object]:
    """A key that differs as JSON; revisions are 0 where it is not there."""
    old, new = difference.old, difference.new
    return {
        "key": path_of(difference.key),
        "change": kind_of(difference),
        "from_revision": 0 if old is None else old.mod_revision,
        "to_revision": 0 if new is None else new.mod_revision,
    }


def log_rows(old: Sequence[Pinned], new: Sequence[Pinned]) -> Iterator[Mapping[str, object]]:
    """The logs that differ: by offsets, or because one of them was brought back since."""
    before, after = ({each.name: each for each in side} for side in (old, new))
    for name in sorted({*before, *after}):
        left, right = before.get(name), after.get(name)
        if left == right:
            continue
        change = "made" if left is None else "dropped" if right is None else "changed"
        yield {
            "log": name,
            "change": change,
            "from": None if left is None else [left.start, left.stop],
            "to": None if right is None else [right.start, right.stop],
        }
