"""The gate: who closes it finds nobody inside, and nobody comes in."""

import asyncio

from cloudlet.aws.gate import Gate


def test_closing_waits_for_those_inside_and_opening_lets_those_outside_in():
    async def scenario():
        gate, seen = Gate(), []

        async def call(number):
            if gate.is_closed:
                await gate.opened()
            gate.enter()
            seen.append(f"in {number}")
            await asyncio.sleep(0.001)
            seen.append(f"out {number}")
            gate.leave()

        first = [asyncio.ensure_future(call(number)) for number in range(2)]
        await asyncio.sleep(0)
        await gate.close()
        assert seen == ["in 0", "in 1", "out 0", "out 1"]
        later = asyncio.ensure_future(call(2))
        await asyncio.sleep(0.005)
        assert seen[4:] == []
        gate.open()
        await asyncio.gather(later, *first)
        assert seen[4:] == ["in 2", "out 2"]
        await gate.close()  # nobody is inside: at once
        gate.open()
        assert not gate.is_closed

    asyncio.run(scenario())


def test_one_who_waits_may_go_away():
    async def scenario():
        gate = Gate()
        await gate.close()
        waits = [asyncio.ensure_future(gate.opened()) for _ in range(2)]
        await asyncio.sleep(0)
        waits[0].cancel()
        await asyncio.sleep(0)
        gate.open()
        await waits[1]
        assert waits[0].cancelled()

    asyncio.run(scenario())
