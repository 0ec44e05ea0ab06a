"""Where a process that is to be killed kills itself: at an instant of a long drop that is hard to hit from
outside; and bugs that are put into long drops on purpose, which the judges have to see.

Both are names that `serving_long.py` is given.
"""

import os
import signal

from cloudlet.coord.etcd import kv
from cloudlet.coord.etcd import watch as watching
from cloudlet.coord.etcd.replies import Replies
from cloudlet.engines import disk_keys_checkpoint, disk_keys_drop, disk_keys_replay, disk_window, keys_feed
from cloudlet.engines.disk_keys_log import Log
from cloudlet.engines.disk_keys_past import DiskPast
from cloudlet.kernel.keys_drop import Foreseen, Part
from cloudlet.kernel.keys_newest import Newest

LONG_BYTES = 20_000  # a write of so much has the rows of a long drop, or a transaction of many puts
LONG = 1000


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def counted(owner, name, number, *, is_after=False):
    """Die at the call of this number, or right behind it."""
    whole = getattr(owner, name)
    left = [number]

    def call(*arguments, **named):
        left[0] -= 1
        if left[0] <= 0 and not is_after:
            die()
        found = whole(*arguments, **named)
        if left[0] <= 0:
            die()
        return found

    setattr(owner, name, call)


def torn(number, long_bytes=LONG_BYTES):
    """Die when a part of a long write is done."""
    whole = disk_window._write_all
    left = [number]

    def write(descriptor, data, at):
        if len(data) > long_bytes:
            left[0] -= 1
            if left[0] <= 0:
                whole(descriptor, data[: len(data) * (number * 7 % 10) // 10], at)
                die()
        whole(descriptor, data, at)

    disk_window._write_all = write


AIMS = {
    "foresee": lambda number: counted(Part, "add", number),
    "patch": lambda number: counted(Part, "_patch", number),
    "torn": torn,
    "leave": lambda number: counted(Newest, "_leave", 1 + number // 8),
    "left": lambda number: counted(Newest, "_leave", 1 + number // 8, is_after=True),
    "sweep": lambda number: counted(Newest, "sweep", number),
    "show": lambda number: counted(watching, "event_of", number * 900),
    "reply": lambda number: counted(Replies, "settled", 1 + number // 4),
    "page": lambda number: counted(disk_keys_checkpoint, "entries_page", number),
    "publish": lambda number: counted(disk_keys_checkpoint, "publish", 1 + number // 8, is_after=True),
    "roll": lambda number: counted(Log, "_roll", 1 + number // 8),
    "compact": lambda number: counted(DiskPast, "compact", 1),
}
"""Each with a number from 1 to 30: how late it is."""


def not_replayed():
    """After a crash, a long drop has left its keys."""
    whole = disk_keys_replay.read_step

    def read_step(body):
        found = whole(body)
        if len(found.drops) > LONG:
            del found.drops[:]
        return found

    disk_keys_replay.read_step = read_step


def half_replayed():
    """After a crash, it has left one of them."""
    whole = disk_keys_replay.read_step

    def read_step(body):
        found = whole(body)
        if len(found.drops) > LONG:
            del found.drops[-1:]
        return found

    disk_keys_replay.read_step = read_step


def half_shown():
    """While it is swept, some of its keys are still listed."""
    leave = Newest._leave
    ended = disk_keys_drop.LongDrops._sweep

    def _leave(self, long, revision):
        leave(self, long, revision)
        self.shown = [key for run in self.leaving.keys.runs for key in run[:2]]
        self.order.add_all(self.shown)

    async def _sweep(self):
        shown = self._newest.shown
        runs = self._newest.leaving.keys
        while len(runs.runs) > 1 or (runs.runs and not shown):
            await disk_keys_drop.asyncio.sleep(0)
            if shown:
                self._newest.order.remove_all(shown)
                self._newest.shown = shown = []
            keys = runs.take_run()
            self._newest.sweep(keys)
            self._past.bury(keys, self._newest.leaving.revision)
        await ended(self)

    class Showing(Newest):
        __slots__ = ("shown",)

    from cloudlet.engines import disk_keys

    disk_keys.Newest = Showing
    Newest._leave = _leave
    disk_keys_drop.LongDrops._sweep = _sweep


def wrong_count():
    """One too few is told."""
    whole = kv.delete_in

    def delete_in(draft, request):
        found = whole(draft, request)
        if found.deleted > LONG:
            found.deleted -= 1
        return found

    kv.delete_in = delete_in


def watch_gap():
    """A watcher is not shown the last page of the keys."""
    whole = keys_feed.in_order

    def in_order(gone, *others):
        return whole(gone[:-1] if len(gone) > LONG else gone, *others)

    keys_feed.in_order = in_order


def unordered_watch():
    """A watcher is shown the keys out of order."""
    whole = keys_feed.in_order
    keys_feed.in_order = lambda gone, *others: whole(gone[::-1] if len(gone) > LONG else gone, *others)


def lost_put():
    """What is put while a drop is swept goes with it."""
    whole = Newest.sweep

    def sweep(self, keys):
        held = [key for key in keys if key in self.entries]
        whole(self, held)
        for key in held:
            if self.order.count(key, key + b"\0"):
                self.order.remove(key)

    Newest.sweep = sweep
    disk_keys_drop.LongDrops.sweep_first = lambda self, entries: None


def unseen_put():
    """A put that comes while a drop is foreseen is not in it."""
    whole = Foreseen.note

    def note(self, entries, previous, gone):
        known = [pair for pair in zip(entries, previous, strict=True) if pair[1] is not None]
        whole(self, [pair[0] for pair in known], [pair[1] for pair in known], gone)

    Foreseen.note = note


def old_previous():
    """What is put over a key while a drop is foreseen is told as it was before."""
    whole = Foreseen.note

    def note(self, entries, previous, gone):
        new = [pair for pair in zip(entries, previous, strict=True) if pair[1] is None]
        whole(self, [pair[0] for pair in new], [pair[1] for pair in new], gone)

    Foreseen.note = note


def forgotten_past():
    """Reads of the past do not see what has gone."""
    whole = DiskPast.bury
    DiskPast.bury = lambda self, keys, revision: whole(self, keys[: LONG // 2], revision)


def half_revoked():
    """A lease that ends leaves a key."""
    whole = Newest.decide_revoke

    def decide_revoke(self, lease, author):
        keys = self.held(lease).keys
        if len(keys) > LONG:
            last = max(keys)
            keys.discard(last)
            if self.foreseen is not None:
                for part in self.foreseen.parts:
                    part.changed.add(last)
                concerns = Part.concerns
                Part.concerns = lambda part, entry: (
                    concerns(part, entry) and (entry is None or entry.key != last)
                )
        return whole(self, lease, author)

    Newest.decide_revoke = decide_revoke


BUGS = {
    bug.__name__: bug
    for bug in (
        not_replayed, half_replayed, half_shown, wrong_count, watch_gap, unordered_watch, lost_put,
        unseen_put, old_previous, forgotten_past, half_revoked,
    )
}  # fmt: skip
