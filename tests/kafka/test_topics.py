"""Topics as guarded commits: what is visible after a crash between two of them, and who wins a race."""

import asyncio

import pytest

from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kafka.topics import STATES_PER_COMMIT, Topics, invalid_name, state_key
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.fault import Conflict
from cloudlet.kernel.keys import Author

AUTHOR = Author("kafka")
ONE, TWO = b"\1" * 16, b"\2" * 16
MANY = [(1,)] * (3 * STATES_PER_COMMIT + 1)


class Cut(Exception):
    """The process ends here."""


class CutKeys:
    """Keys whose owner dies after so many commits."""

    def __init__(self, keys, commits):
        self._keys = keys
        self._left = commits

    def __getattr__(self, name):
        return getattr(self._keys, name)

    async def commit(self, commit):
        if not self._left:
            raise Cut
        self._left -= 1
        return await self._keys.commit(commit)


@pytest.fixture
def keys():
    return MemoryKeys(ManualClock().monotonic_ms)


def loaded(keys):
    topics = Topics(keys, AUTHOR)
    topics.load()
    return topics


def shape(topics):
    return {
        name: (image.id, len(image.states), dict(image.configs)) for name, image in topics.by_name.items()
    }


def test_what_was_made_is_there_after_a_reload(keys):
    async def run():
        topics = loaded(keys)
        image = await topics.create("t", ONE, MANY, {"retention.ms": "5"})
        await topics.grow(image, [(1,)] * 7)
        await topics.configure(image, {"segment.ms": "6"})
        await topics.create("u", TWO, [(1,)], {})
        return topics

    topics = asyncio.run(run())
    assert shape(topics) == {"t": (ONE, len(MANY) + 7, {"segment.ms": "6"}), "u": (TWO, 1, {})}
    again = loaded(keys)
    assert shape(again) == shape(topics)
    assert again.by_id[ONE].states == topics.by_id[ONE].states
    assert again.partitions == len(MANY) + 8


@pytest.mark.parametrize("commits", range(5))
def test_a_topic_is_there_whole_or_not_at_all(keys, commits):
    async def run():
        with pytest.raises(Cut):
            await loaded(CutKeys(keys, commits)).create("t", ONE, MANY, {})
        assert shape(loaded(keys)) == {}
        # What was left behind is written over by the next topic of the name.
        await loaded(keys).create("t", TWO, [(1,)] * 5, {})
        topics = loaded(keys)
        assert shape(topics) == {"t": (TWO, 5, {})}
        assert {state.topic_id for state in topics.by_name["t"].states} == {TWO}

    asyncio.run(run())


@pytest.mark.parametrize("commits", range(4))
def test_a_topic_has_grown_wholly_or_not_at_all(keys, commits):
    async def run():
        await loaded(keys).create("t", ONE, [(1,)], {})
        cut = loaded(CutKeys(keys, commits))
        with pytest.raises(Cut):
            await cut.grow(cut.by_name["t"], MANY)
        assert shape(cut) == shape(loaded(keys)) == {"t": (ONE, 1, {})}

    asyncio.run(run())


def test_a_deleted_topic_leaves_no_key(keys):
    async def run():
        topics = loaded(keys)
        image = await topics.create("t", ONE, MANY, {})
        await topics.create("tt", TWO, [(1,)], {})
        await topics.delete(image)
        assert keys.get(state_key("t", 0)) is None
        assert shape(loaded(keys)) == shape(topics) == {"tt": (TWO, 1, {})}

    asyncio.run(run())


def test_of_two_brokers_one_makes_a_topic_and_the_slower_one_learns_it(keys):
    async def run():
        one, two = loaded(keys), loaded(keys)
        await one.create("t", ONE, [(1,)], {})
        with pytest.raises(Conflict):
            await two.create("t", TWO, [(1,)], {})
        image = loaded(keys).by_name["t"]
        two = loaded(keys)
        await two.configure(two.by_name["t"], {"retention.ms": "1"})
        stale = one.by_name["t"]
        for change in (one.configure(stale, {}), one.grow(stale, [(1,)]), one.delete(stale)):
            with pytest.raises(Conflict):
                await change
        assert image.id == ONE

    asyncio.run(run())


def test_every_change_that_clients_can_see_moves_the_epoch(keys):
    async def run():
        topics = loaded(keys)
        epochs = [topics.epoch]
        image = await topics.create("t", ONE, [(1,)], {})
        epochs.append(topics.epoch)
        await topics.grow(image, [(1,)])
        epochs.append(topics.epoch)
        await topics.delete(image)
        epochs.append(topics.epoch)
        assert epochs == sorted(set(epochs))

    asyncio.run(run())


def test_names_that_differ_in_dots_and_underscores_clash(keys):
    async def run():
        topics = loaded(keys)
        image = await topics.create("a.b_c", ONE, [(1,)], {})
        assert topics.clash("a_b.c") == "a.b_c"
        assert topics.clash("a.b") is None
        assert loaded(keys).clash("a_b_c") == "a.b_c"
        await topics.delete(image)
        assert topics.clash("a_b.c") is None

    asyncio.run(run())


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "..a", "x" * 249])
def test_good_names(name):
    assert invalid_name(name) is None


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "a\n", "x" * 250])
def test_bad_names(name):
    assert invalid_name(name) is not None
