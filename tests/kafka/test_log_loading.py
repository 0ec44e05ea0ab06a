"""The load of a coordinator's log: in slices, again after a shortage, never for ever on what is damaged."""

import asyncio

import pytest
from tests.kafka.partition_world import World, batch

from cloudlet.kafka import log_loading
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_loading import Loading, slices
from cloudlet.kernel.batches import header
from cloudlet.kernel.fault import Damaged, StoreError
from cloudlet.wire.kafka.error_codes import ErrorCode


def run(work):
    asyncio.run(work())


def test_every_batch_is_replayed_once_some_in_each_step(tmp_path):
    async def work():
        world = World(tmp_path)
        partition = world.partition()
        for number in range(10):
            await partition.append(batch(f"{number}", "and another"))
        partition.trim(4)
        found = []
        step = slices(partition, 200, lambda raw, offset: found.append((header(raw).records_count, offset)))
        counts = []
        while step():
            counts.append(len(found))
        assert found == [(2, offset) for offset in range(4, 20, 2)]
        assert len(counts) > 2
        await partition.append(batch("later"))
        assert step()
        assert found[-1] == (1, 20)
        await world.logs.close()

    run(work)


def test_a_shortage_is_waited_out(monkeypatch, caplog):
    async def work():
        monkeypatch.setattr(log_loading, "AGAIN_SECONDS", 0.0)
        monkeypatch.setattr(log_loading, "WAIT_SECONDS", 0.0)
        left, ends = [StoreError("too many open files")] * 3, []
        enough = asyncio.Event()

        def step():
            if left:
                raise left.pop()
            return not enough.is_set()

        loading = Loading("t-0", step, lambda: ends.append(None))
        with pytest.raises(KafkaFault) as fault:
            await loading.ready()
        assert fault.value.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        enough.set()
        await loading.done()
        await loading.ready()
        assert ends == [None]
        assert caplog.text.count("cannot be loaded yet: too many open files") == 1

    run(work)


def test_what_is_damaged_is_told(caplog):
    async def work():
        def step():
            raise Damaged("0.log")

        loading = Loading("t-0", step)
        for wait in (loading.done, loading.ready):
            with pytest.raises(KafkaFault) as fault:
                await wait()
            assert fault.value.code is ErrorCode.NOT_COORDINATOR
        assert "t-0 cannot be loaded: 0.log" in caplog.text

    run(work)


def test_one_that_is_closed_is_over():
    async def work():
        loading = Loading("t-0", lambda: True)
        await loading.close()
        with pytest.raises(KafkaFault):
            await loading.ready()

    run(work)
