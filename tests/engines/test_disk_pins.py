"""Pinned logs: whatever happens to the log, the pin brings back what it was."""

import asyncio
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.engines.disk_logs import DiskLogs
from cloudlet.engines.disk_pins import DiskPins
from cloudlet.kernel.fault import Fenced
from cloudlet.kernel.logs import Ends, LogName, Offset
from cloudlet.wire.kafka.records import decode, encode_value

LOG, INNER = LogName("a"), LogName("a/b")


async def append(logs, text, log=LOG):
    await logs.append(log, encode_value(text.encode(), 1), epoch=logs.epoch(log))


async def texts(logs, log=LOG):
    start, stop = logs.ends(log)
    found = []
    while start < stop:
        batches = await logs.read(log, start, bytes_max=1000)
        for at, _, _, value in decode(batches):
            if at >= start:
                found.append(value.decode())
                start = Offset(at + 1)
    return found


async def change(logs, step, number):
    start, stop = logs.ends(LOG)
    if step == "append":
        await append(logs, f"later {number}" * 5)
    elif step == "trim":
        await logs.trim(LOG, Offset((start + stop + 1) // 2))
    elif step == "truncate":
        await logs.truncate(LOG, Offset((start + stop) // 2))
    elif step == "drop":
        await logs.drop(LOG)
    elif step == "fence":
        await logs.fence(LOG, logs.epoch(LOG) + 1)


STEPS = st.lists(st.sampled_from(["append", "trim", "truncate", "drop", "fence", "pin", "back", "reopen"]))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 12), STEPS, st.sampled_from([250, 1 << 20]))
def test_a_pin_outlives_everything(tmp_path_factory, count, steps, segment_bytes):
    folder = tmp_path_factory.mktemp("logs")

    async def scenario():
        def reopened():
            return DiskLogs.open(folder, segment_bytes=segment_bytes, descriptors_max=2)

        logs = reopened()
        pins = DiskPins(logs, is_durable=False)
        await append(logs, "inner", INNER)
        for number in range(count):
            await append(logs, f"first {number}")
        held, epoch = {}, 0
        for number, step in enumerate([*steps, "pin", "append", "back"]):
            if step == "pin" and LOG in logs.names():
                label = f"pin{number}"
                pinned = pins.pin(label, LOG)
                held[label] = (pinned, await texts(logs))
            elif step == "reopen":
                await logs.close()
                logs = reopened()
                pins = DiskPins(logs, is_durable=False)
            elif step != "back":
                await change(logs, step, number)
            for label in list(held) if step == "back" else ():
                pinned, expected = held[label]
                epoch = max(logs.epoch(LOG), epoch, pinned.epoch) + 1
                await pins.bring_back(label, pinned, epoch)
                assert logs.ends(LOG) == Ends(pinned.start, pinned.stop)
                assert await texts(logs) == expected
                assert logs.epoch(LOG) == epoch
                await append(logs, "behind")
                assert await texts(logs) == [*expected, "behind"]
        assert await texts(logs, INNER) == ["inner"]
        await logs.close()

    asyncio.run(scenario())


def test_what_was_decided_before_is_refused_behind_it(tmp_path):
    async def scenario():
        logs = DiskLogs.open(tmp_path)
        pins = DiskPins(logs)
        await append(logs, "a")
        pinned = pins.pin("p", LOG)
        await pins.settle("p")
        await pins.bring_back("p", pinned, 3)
        try:
            await logs.append(LOG, encode_value(b"b", 1), epoch=2)
        except Fenced:
            pass
        else:
            raise AssertionError("an append under the old epoch")
        await logs.close()
        logs = DiskLogs.open(tmp_path)
        assert logs.epoch(LOG) == 3
        await logs.close()

    asyncio.run(scenario())


def test_unpinning_gives_the_space_back(tmp_path):
    async def scenario():
        logs = DiskLogs.open(tmp_path)
        pins = DiskPins(logs)
        await append(logs, "a")
        pins.pin("p", LOG)
        path = min((tmp_path / "a").glob("*.log"))
        assert os.stat(path).st_nlink == 2
        assert pins.labels() == ["p"]
        assert logs.names() == [LOG]
        await pins.unpin("p")
        await pins.unpin("p")
        assert os.stat(path).st_nlink == 1
        assert pins.labels() == []
        await logs.close()

    asyncio.run(scenario())
