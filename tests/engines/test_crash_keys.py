"""kill -9 at any instant: promised commits are there, no half of one, and nothing that was seen is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from tests.engines.crash_writer import EVERYTHING, WRITERS, open_keys
from tests.engines.crashes import Line, Note, killed_writer

from cloudlet.kernel.fault import Compacted
from cloudlet.kernel.keys import Change, Keys, Revision

PARTS = 4  # so that several workers share the kills


@pytest.mark.parametrize("seed", range(PARTS))
def test_nothing_promised_is_lost(tmp_path: Path, seed: int, kills: int, record_property: Note) -> None:
    told = kill_again_and_again(tmp_path, seed, -(-kills // PARTS))
    record_property("kills", -(-kills // PARTS))
    record_property("checked", len(told))


def kill_again_and_again(folder: Path, seed: int, kills: int) -> list[Line]:
    """One store, killed and opened again and again."""
    random = Random(seed)
    told: list[Line] = []
    for _ in range(kills):
        told += killed_writer(folder, random, ["keys"])
        asyncio.run(check(folder, told))
    assert sum(line[0] == "commit" for line in told) > 10
    assert sum(line[0] == "seen" for line in told) > 10
    return told


async def check(folder: Path, told: list[Line]) -> None:
    keys = await open_keys(folder)
    assert keys.settled == keys.head
    kept = await kept_history(keys)
    for writer in range(WRITERS):
        check_writer(keys, kept, told, writer)
    check_leases(keys, told)
    await keys.close()


async def kept_history(keys: Keys) -> dict[int, Change]:
    """Every change that is still kept, without a gap."""
    try:
        changes = await every_change(keys, 2)
    except Compacted as compacted:
        changes = await every_change(keys, compacted.revision)
    revisions = [change.revision for change in changes]
    assert revisions == list(range(revisions[0], keys.head + 1)) if revisions else keys.head == 1
    return {change.revision: change for change in changes}


async def every_change(keys: Keys, since: int) -> list[Change]:
    watch = keys.watch(*EVERYTHING, Revision(since))
    found: list[Change] = []
    while watch.position <= keys.head:
        found += await watch.take()
    return found


def check_writer(keys: Keys, kept: dict[int, Change], told: list[Line], writer: int) -> None:
    prefix = b"w%d/" % writer
    values = {entry.key: entry.value for entry in keys.scan(prefix, prefix + b"u")}
    last = int(values.get(prefix + b"a", b"0"))
    assert values.get(prefix + b"b") == values.get(prefix + b"a"), "a half commit"
    # The `t` of the last commit may be gone with its lease, and no other is there.
    assert set(values) <= {prefix + b"a", prefix + b"b", prefix + b"t%d" % last}
    for line in told:
        if line[0] in ("commit", "seen") and line[1] == writer:
            _, _, number, revision = line
            assert isinstance(number, int)
            assert isinstance(revision, int)
            assert number <= last, line
            assert revision <= keys.head, line
            if kept and revision >= min(kept):
                author = kept[revision].author
                assert (author.principal, author.request_id) == (f"writer {writer}", str(number)), line


def check_leases(keys: Keys, told: list[Line]) -> None:
    alive = {lease.id for lease in keys.leases()}
    granted = {line[1] for line in told if line[0] == "granted"}
    assert granted - {line[1] for line in told if line[0] == "revoking"} <= alive
    assert not alive & {line[1] for line in told if line[0] == "revoked"}
    for lease in alive:
        for key in keys.lease_keys(lease):
            entry = keys.get(key)
            assert entry is not None
            assert entry.lease == lease
