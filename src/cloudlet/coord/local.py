"""Commits of the coordination faces: over a local engine, decided and applied within one turn of the loop.

State   none
Source  kernel/keys.py, LocalKeys
Absent  none
"""

from __future__ import annotations

from cloudlet.kernel.keys import Commit, LocalKeys, Revision


def commit_now(keys: LocalKeys, commit: Commit) -> Revision:
    """Apply a commit in this turn; raises what the port's `commit` raises. It is not settled yet."""
    running = keys.commit(commit)
    try:
        running.send(None)
    except StopIteration as done:
        return Revision(done.value)
    running.close()
    raise AssertionError("a local engine's commit has suspended")
