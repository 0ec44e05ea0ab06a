"""Opening the keys store on disk: the checkpoint, then the log behind it.

State   none of its own
Source  disk_keys_record.py, disk_keys_checkpoint.py
Absent  none
"""

from __future__ import annotations

from pathlib import Path

from cloudlet.engines import disk_keys_checkpoint as checkpoint
from cloudlet.engines.disk_keys_log import Log
from cloudlet.engines.disk_keys_past import DiskPast
from cloudlet.engines.disk_keys_record import (
    COMPACT,
    GRANT,
    REVOKE,
    STEP,
    Frame,
    author_of,
    entry_of,
    read_grant,
    read_number,
    read_step,
)
from cloudlet.kernel.fault import Damaged
from cloudlet.kernel.keys import LeaseId, Revision
from cloudlet.kernel.keys_newest import Newest, Step
from cloudlet.kernel.ordered_keys import OrderedKeys


def replay(folder: Path, log: Log, newest: Newest, past: DiskPast) -> int:
    """Fill `newest` and `past`, repair the log; the log's place at the checkpoint. Damaged."""
    place = 0
    loaded = checkpoint.load(folder, newest)
    if loaded is not None:
        head, past.tombstones = loaded
        past.buried = OrderedKeys(past.tombstones)
        past.mark, place = head.mark, head.place
    for frame in log.open(place):
        replay_frame(frame, newest, past, folder)
    first = log.segments[0]
    if first.start and first.base_revision >= past.mark:
        past.mark = Revision(first.base_revision + 1)
    return place


def replay_frame(frame: Frame, newest: Newest, past: DiskPast, folder: Path) -> None:
    """What the frame did when it was written, once more."""
    if frame.kind == STEP:
        if frame.revision != newest.head + 1:
            raise Damaged(f"{folder}: revision {frame.revision} follows {newest.head}")
        replay_step(frame, newest, past)
    elif frame.kind == GRANT:
        grant = read_grant(frame.body)
        newest.grant(grant.lease, grant.ttl_ms)
    elif frame.kind == REVOKE:
        newest.forget(LeaseId(read_number(frame.body)))
    elif frame.kind == COMPACT:
        past.mark = Revision(read_number(frame.body))


def replay_step(frame: Frame, newest: Newest, past: DiskPast) -> None:
    body = read_step(frame.body)
    revision = Revision(frame.revision)
    find = newest.entries.get
    step = Step(
        revision,
        author_of(body),
        [newest.entries[row.key] for row in body.drops],
        [entry_of(row, revision) for row in body.puts],
        [find(row.key) for row in body.puts],
    )
    newest.apply(step)
    if step.dropped or past.tombstones:
        past.note(step)
    if body.lease:
        newest.forget(body.lease)
