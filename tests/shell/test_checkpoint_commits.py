"""The way back: after the commits the keys are what they were, in steps that the port takes."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.keys import COMMIT_BYTES_MAX, OPERATIONS_MAX, Author, Commit, Drop, Put
from cloudlet.shell.checkpoint_commits import commits_towards, differences, pages_of

AUTHOR = Author("test")
OWN = b"\x7f"
KEYS = st.integers(0, 40).map(lambda number: b"k%02d" % number)
CONTENTS = st.dictionaries(KEYS, st.binary(min_size=1, max_size=2), max_size=40)


async def fill(keys, contents):
    for key, value in contents.items():
        await keys.commit(Commit(AUTHOR, put=[Put(key, value)]))


def contents_of(keys, stop=OWN):
    return {entry.key: entry.value for page in pages_of(keys, stop) for entry in page}


def paged(entries):
    return [entries[at : at + 7] for at in range(0, len(entries), 7)]


@settings(deadline=None, max_examples=200)
@given(CONTENTS, CONTENTS, st.sets(KEYS))
def test_the_keys_are_what_they_were(old, new, dropped):
    async def scenario():
        keys = MemoryKeys(lambda: 0.0)
        await keys.commit(Commit(AUTHOR, put=[Put(OWN + b"own", b"1")]))
        await fill(keys, old)
        saved = list(keys.scan(b"", OWN))
        for key in dropped:
            await keys.commit(Commit(AUTHOR, drop=[Drop(key)]))
        await fill(keys, new)
        differing = {each.key for each in differences(paged(saved), pages_of(keys, OWN))}
        present = contents_of(keys)
        assert differing == {key for key in {*old, *present} if old.get(key) != present.get(key)}
        untouched = {entry.key: entry.mod_revision for entry in keys.scan(b"", OWN)}
        for commit in commits_towards(keys, paged(saved), OWN, AUTHOR):
            before = keys.head
            assert await keys.commit(commit) > before, "an empty commit"
        assert contents_of(keys) == old
        for entry in keys.scan(b"", OWN):
            assert (entry.mod_revision == untouched.get(entry.key)) == (entry.key not in differing)
        assert keys.get(OWN + b"own").value == b"1"
        assert list(commits_towards(keys, paged(saved), OWN, AUTHOR)) == []

    asyncio.run(scenario())


def test_many_and_large_keys_are_cut_into_commits_that_the_port_takes():
    async def scenario():
        keys = MemoryKeys(lambda: 0.0)
        await fill(keys, {b"%04d" % number: b"x" * (number % 5 * 90_000) for number in range(500)})
        saved = list(keys.scan(b"", OWN))
        await keys.commit(Commit(AUTHOR, drop=[Drop(b"", OWN)]))
        await fill(keys, {b"%04d-new" % number: b"" for number in range(0, 500, 2)})
        for commit in commits_towards(keys, paged(saved), OWN, AUTHOR):
            assert len(commit.put) + len(commit.drop) <= OPERATIONS_MAX
            assert sum(len(put.key) + len(put.value) for put in commit.put) <= COMMIT_BYTES_MAX
            await keys.commit(commit)
        assert contents_of(keys) == {entry.key: entry.value for entry in saved}

    asyncio.run(scenario())
