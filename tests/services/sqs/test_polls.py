"""Receives that find nothing to give out: what they sweep away, and that they go on waiting."""

import asyncio

import pytest

from cloudlet.kernel.fault import Fault

from .inside import Cloud, run, turns

DAY_MS = 86_400_000


async def queue_of(cloud, *bodies, **attributes):
    await cloud.call("CreateQueue", QueueName="queue", Attributes=attributes)
    for body in bodies:
        await cloud.call("SendMessage", QueueUrl="/queue", MessageBody=body)


async def count(cloud):
    found = await cloud.call("GetQueueAttributes", QueueUrl="/queue", AttributeNames=["All"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def test_a_long_poll_that_meets_only_expired_messages_goes_on_waiting():
    async def scenario():
        cloud = Cloud()
        await queue_of(cloud, "old", "older")
        cloud.clock.pass_ms(5 * DAY_MS)
        polling = asyncio.ensure_future(cloud.receive("queue", WaitTimeSeconds=20))
        await turns()
        assert not polling.done()
        await cloud.call("SendMessage", QueueUrl="/queue", MessageBody="new")
        assert await asyncio.wait_for(polling, 5) == ["new"]
        await cloud.face.close()

    run(scenario)


def test_a_long_poll_that_meets_only_dead_letters_goes_on_waiting():
    async def scenario():
        cloud = Cloud()
        await cloud.call("CreateQueue", QueueName="dead")
        await queue_of(cloud, "bad")
        await cloud.policy(1)
        assert await cloud.receive("queue", VisibilityTimeout=0) == ["bad"]
        polling = asyncio.ensure_future(cloud.receive("queue", WaitTimeSeconds=20))
        await turns()
        assert not polling.done()
        assert await cloud.receive("dead") == ["bad"]
        await cloud.call("SendMessage", QueueUrl="/queue", MessageBody="good")
        assert await asyncio.wait_for(polling, 5) == ["good"]
        await cloud.face.close()

    run(scenario)


def test_what_lies_behind_many_expired_messages_is_found_at_once(monkeypatch):
    monkeypatch.setattr("cloudlet.services.sqs.shelf.LOOKED_AT_MAX", 3)

    async def scenario():
        cloud = Cloud()
        await queue_of(cloud, *"abcdefgh")
        cloud.clock.pass_ms(5 * DAY_MS)
        await cloud.call("SendMessage", QueueUrl="/queue", MessageBody="new")
        assert await cloud.receive("queue") == ["new"]
        await cloud.face.close()

    run(scenario)


def test_expired_messages_are_not_counted(monkeypatch):
    monkeypatch.setattr("cloudlet.services.sqs.shelf.LOOKED_AT_MAX", 3)

    async def scenario():
        cloud = Cloud()
        await queue_of(cloud, *"abcdefgh", MessageRetentionPeriod="60")
        cloud.clock.pass_ms(30_000)
        await cloud.call("SendMessage", QueueUrl="/queue", MessageBody="new")
        assert await count(cloud) == 9
        cloud.clock.pass_ms(30_000)
        assert await count(cloud) == 1
        await cloud.crash()
        assert await count(cloud) == 1
        await cloud.face.close()

    run(scenario)


def test_a_long_poll_is_not_told_that_too_many_are_held(monkeypatch):
    monkeypatch.setattr("cloudlet.services.sqs.decide.HELD_MAX", 1)

    async def scenario():
        cloud = Cloud()
        await queue_of(cloud, "a", "b")
        (held,) = (await cloud.call("ReceiveMessage", QueueUrl="/queue"))["Messages"]
        with pytest.raises(Fault, match="OverLimit"):
            await cloud.receive("queue")
        polling = asyncio.ensure_future(cloud.receive("queue", WaitTimeSeconds=20))
        await turns()
        assert not polling.done()
        await cloud.call("DeleteMessage", QueueUrl="/queue", ReceiptHandle=held["ReceiptHandle"])
        assert await asyncio.wait_for(polling, 5) == ["b"]
        await cloud.face.close()

    run(scenario)
