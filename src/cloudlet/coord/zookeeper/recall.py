"""After a start: what other faces changed, and a crash kept from being noted.

State   none
Source  coord/zookeeper/tree.py, "owed"
Absent  none
"""

from __future__ import annotations

from cloudlet.coord.zookeeper.keeper import Keeper
from cloudlet.kernel.fault import Compacted
from cloudlet.kernel.keys import FIRST_REVISION, Revision

RECALLED_MAX = 1000  # revisions: a note follows its change in the next turn of the loop
EVERYTHING = b"\xff" * 8


async def catch_up(keeper: Keeper) -> None:
    """Look through the end of the history; before anybody is served."""
    head = keeper.keys.head
    since = Revision(max(head - RECALLED_MAX, FIRST_REVISION + 1))
    while since <= head:
        watch = keeper.keys.watch(b"", EVERYTHING, since)
        try:
            for change in await watch.take():
                keeper.tree.recall(change)
                since = Revision(change.revision + 1)
        except Compacted as compacted:
            since = Revision(max(compacted.revision, since + 1))
        finally:
            watch.close()
    keeper.repay()
