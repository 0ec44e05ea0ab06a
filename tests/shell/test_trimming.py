"""Memory goes back when the process is idle, and only then."""

import asyncio

from cloudlet.shell.trimming import GROWN_BYTES, Trimmer, malloc_trim, resident_bytes

MIB = 1 << 20


class Process:
    """What a process would tell of itself."""

    def __init__(self):
        self.resident = 100 * MIB
        self.used_s = 0.0
        self.trims = 0
        self.kept = 40 * MIB

    def trim(self):
        self.trims += 1
        self.resident = min(self.resident, self.kept)


def trimmer_of(process):
    trimmer = Trimmer(process.trim, lambda: process.resident, lambda: process.used_s)
    trimmer.start()
    trimmer.stop()
    return trimmer


def test_it_waits_for_an_idle_second_and_for_growth():
    async def run():
        process = Process()
        trimmer = trimmer_of(process)
        assert trimmer.look() is None  # nothing has grown
        process.resident += GROWN_BYTES
        process.used_s += 0.5
        assert trimmer.look() is None  # busy
        process.used_s += 0.01
        await trimmer.look()
        assert (process.trims, process.resident) == (1, 40 * MIB)
        await asyncio.sleep(0)
        process.resident += GROWN_BYTES - 1
        assert trimmer.look() is None
        process.resident += 1
        process.kept = process.resident  # all of it is in use
        await trimmer.look()
        await asyncio.sleep(0)
        assert trimmer.look() is None  # which is not tried again and again
        process.resident -= 20 * MIB
        assert trimmer.look() is None
        process.resident += GROWN_BYTES  # from its lowest on
        await trimmer.look()
        assert process.trims == 3

    asyncio.run(run())


def test_without_such_a_function_nothing_is_looked_at():
    async def run():
        process = Process()
        trimmer = Trimmer(None, lambda: process.resident, lambda: process.used_s)
        trimmer.start()
        process.resident += GROWN_BYTES
        assert trimmer.look() is None
        trimmer.stop()

    asyncio.run(run())


def test_the_systems_own_figures_and_function():
    assert resident_bytes() > MIB
    trim = malloc_trim()
    if trim is not None:
        assert trim() in (0, 1)
