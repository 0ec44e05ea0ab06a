"""Producer ids are never given twice: not by two brokers, not after a crash, not after a restore."""

import asyncio

from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kafka.transactions.producer_ids import BLOCK, KEY, ProducerIds
from cloudlet.kernel.keys import Author, Commit, Drop

AUTHOR = Author("kafka", "", "127.0.0.1", "test")


def test_two_brokers_and_a_restart_give_different_ids():
    async def scenario():
        keys = MemoryKeys(lambda: 0.0)
        one, two = ProducerIds(keys, AUTHOR, 1), ProducerIds(keys, AUTHOR, 2)
        given = [await each.fresh() for _ in range(BLOCK + 10) for each in (one, two)]
        again = ProducerIds(keys, AUTHOR, 1)
        given += [await again.fresh() for _ in range(10)]
        assert len(set(given)) == len(given)
        assert min(given) >= 0

    asyncio.run(scenario())


def test_a_store_that_has_forgotten_gives_new_ids_all_the_same():
    """As after a reset, or a restore of a checkpoint in which none was reserved."""

    async def scenario():
        keys = MemoryKeys(lambda: 0.0)
        before = await ProducerIds(keys, AUTHOR, 1).fresh()
        await keys.commit(Commit(AUTHOR, (), (), (Drop(KEY),)))
        assert await ProducerIds(keys, AUTHOR, 1).fresh() > before

    asyncio.run(scenario())
