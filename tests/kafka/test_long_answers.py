"""A response with a long array is the same bytes, however many turns its encoding takes."""

import asyncio

import pytest

from cloudlet.kafka.long_answers import ROWS_A_STEP, encode_long
from cloudlet.kernel.clock import ManualClock, SystemClock
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.codec import encode

Response = messages.MetadataResponse
COUNTS = (0, 1, ROWS_A_STEP, ROWS_A_STEP + 1, 127, 128, 1000)


def response(count):
    partitions = [
        Response.MetadataResponsePartition(PartitionIndex=index, ReplicaNodes=[1]) for index in range(3)
    ]
    return Response(
        Brokers=[Response.MetadataResponseBroker(NodeId=1, Host="kafka.example", Port=9092)],
        ClusterId="cluster",
        ControllerId=1,
        ClusterAuthorizedOperations=7,
        Topics=[
            Response.MetadataResponseTopic(Name=f"topic-{number}", TopicId=bytes(16), Partitions=partitions)
            for number in range(count)
        ],
    )


@pytest.mark.parametrize("version", range(14))
@pytest.mark.parametrize("count", COUNTS)
def test_every_version_is_encoded_as_it_is_in_one_turn(version, count):
    whole = encode(response(count), version)
    asked = response(count)
    rows, asked.Topics = asked.Topics, []
    clock, is_flexible = SystemClock(), version >= 9
    work = encode_long(asked, "Topics", rows, lambda row: row, version, clock, is_flexible=is_flexible)
    assert asyncio.run(work) == whole


def test_others_have_their_turn_meanwhile():
    class Slow(ManualClock):
        def monotonic_ms(self):
            self.pass_ms(1)
            return super().monotonic_ms()

    async def scenario():
        turns = 0

        async def bystander():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(bystander())
        rows = response(1000).Topics
        await encode_long(response(0), "Topics", rows, lambda row: row, 12, Slow(0), is_flexible=True)
        other.cancel()
        return turns

    assert asyncio.run(scenario()) > 3
