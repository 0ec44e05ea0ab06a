"""The hostile engine does what it threatens, and nothing worse."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from cloudlet.engines.hostile_keys import IN_A_ROW_MAX, HostileKeys
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.fault import Conflict, OutcomeUnknown
from cloudlet.kernel.keys import Author, Commit, Compare, Guard, Put, Revision, Target

ANNA = Author("aws", "anna", request_id="one")
EVERYTHING = (b"", b"\xff" * 8)


def hostile(**how: float) -> HostileKeys:
    return HostileKeys(MemoryKeys(lambda: 0.0), Random(7), **how)


def increment(keys: HostileKeys) -> Commit:
    """A decision on what is there now."""
    old = keys.get(b"n")
    revision, value = (old.mod_revision, int(old.value)) if old else (0, 0)
    expect = [Guard(b"n", Target.MOD, Compare.EQUAL, revision)]
    return Commit(ANNA, expect, [Put(b"n", b"%d" % (value + 1))])


def test_conflicts_come_and_a_retry_gets_through() -> None:
    async def body() -> None:
        keys = hostile(conflicts=1.0)
        refused = 0
        for _ in range(20):
            for _ in range(IN_A_ROW_MAX):
                with pytest.raises(Conflict) as conflict:
                    await keys.commit(increment(keys))
                assert conflict.value.revision <= keys.head
                refused += 1
            await keys.commit(increment(keys))
        assert refused == keys.conflicts_made == 20 * IN_A_ROW_MAX
        assert [entry.value for entry in keys.scan(*EVERYTHING)] == [b"20"]  # and nothing of the stranger's

    asyncio.run(body())


def test_an_unguarded_commit_is_left_alone() -> None:
    async def body() -> None:
        keys = hostile(conflicts=1.0)
        assert await keys.commit(Commit(ANNA, put=[Put(b"a", b"")])) == 2

    asyncio.run(body())


def test_a_lost_reply_is_settled_by_looking() -> None:
    async def body() -> None:
        keys = hostile(conflicts=0.0, lost=0.5)
        applied = 0
        for n in range(100):
            author = Author("aws", "anna", request_id=f"request-{n}")
            head = keys.head
            try:
                await keys.commit(Commit(author, put=[Put(b"k", b"%d" % n)]))
                applied += 1
            except OutcomeUnknown:
                if keys.head > head:
                    watch = keys.watch(*EVERYTHING, Revision(head + 1))
                    applied += [change.author for change in await watch.take()].count(author)
        assert keys.replies_lost > 20
        assert applied == keys.head - 1 < 100  # some were lost before they were applied

    asyncio.run(body())


def test_the_same_seed_does_the_same() -> None:
    async def story() -> list[object]:
        keys = hostile(conflicts=0.5, lost=0.2)
        told: list[object] = []
        for _ in range(50):
            try:
                told.append(await keys.commit(increment(keys)))
            except (Conflict, OutcomeUnknown) as refused:
                told.append(repr(refused))
        return told

    assert asyncio.run(story()) == asyncio.run(story())


def test_delays_do_not_touch_commits() -> None:
    keys = hostile(conflicts=0.0, delays=1.0)
    with pytest.raises(StopIteration):
        keys.commit(Commit(ANNA, put=[Put(b"a", b"")])).send(None)
    with pytest.raises(AssertionError):
        drive_at_once(keys)


def drive_at_once(keys: HostileKeys) -> None:
    """Fails if `settle` suspends."""
    waiting = keys.settle(keys.head)
    try:
        waiting.send(None)
    except StopIteration:
        return
    waiting.close()
    raise AssertionError
