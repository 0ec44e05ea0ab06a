"""Moves between queues: whatever comes in between, or cuts them short, a message is in one queue."""

import asyncio

import pytest

from cloudlet.kernel.fault import StoreError

from .inside import Cloud, arn, run, turns


async def queues_with_dead_letters(cloud):
    """`queue` holds a and b, received once, and buries what has been; `dead` is empty."""
    for name in ("dead", "queue"):
        await cloud.call("CreateQueue", QueueName=name)
    await cloud.policy(1)
    for body in "ab":
        await cloud.call("SendMessage", QueueUrl="/queue", MessageBody=body)
    assert await cloud.receive("queue", VisibilityTimeout=0) == ["a", "b"]


async def status(cloud):
    (task,) = (await cloud.call("ListMessageMoveTasks", SourceArn=arn("dead")))["Results"]
    return task["Status"]


def test_a_consumer_does_not_overtake_a_move_task():
    async def scenario():
        cloud = Cloud()
        await queues_with_dead_letters(cloud)
        assert await cloud.receive("queue") == [], "both go to the dead-letter queue"
        await cloud.policy(3)
        cloud.logs.gated = "queue"
        await cloud.call("StartMessageMoveTask", SourceArn=arn("dead"))
        while not cloud.logs.waits:
            await asyncio.sleep(0)
        consuming = asyncio.ensure_future(cloud.receive("dead"))
        await turns()
        assert not consuming.done(), "a message was given out on its way to another queue"
        cloud.logs.gate.set()
        assert await consuming == []
        while await status(cloud) != "COMPLETED":
            await turns()
        assert await cloud.drain("queue", "dead") == ["a", "b"]
        await cloud.face.close()

    run(scenario)


def test_a_policy_changed_in_the_middle_doubles_nothing():
    async def scenario():
        cloud = Cloud()
        await queues_with_dead_letters(cloud)
        cloud.logs.gated = "dead"
        burying = asyncio.ensure_future(cloud.receive("queue"))
        while not cloud.logs.waits:
            await asyncio.sleep(0)
        await cloud.policy(0)
        others = [asyncio.ensure_future(cloud.receive("queue", VisibilityTimeout=0)) for _ in range(3)]
        await turns()
        cloud.logs.gate.set()
        assert await burying == []
        assert [await other for other in others] == [[], [], []]
        assert await cloud.drain("queue", "dead") == ["a", "b"]
        await cloud.face.close()

    run(scenario)


def test_a_target_deleted_in_the_middle_takes_what_reached_it_with_it():
    async def scenario():
        cloud = Cloud()
        await queues_with_dead_letters(cloud)
        cloud.logs.gated = "dead"
        burying = asyncio.ensure_future(cloud.receive("queue"))
        while not cloud.logs.waits:
            await asyncio.sleep(0)
        deleting = asyncio.ensure_future(cloud.call("DeleteQueue", QueueUrl="/dead"))
        await turns()
        cloud.logs.gate.set()
        assert await burying == []
        await deleting
        assert await cloud.drain("queue") == []
        assert [name for name in cloud.logs.names("sqs/") if "/dead/" in name] == []
        await cloud.face.close()

    run(scenario)


@pytest.mark.parametrize("appends", range(4))
def test_a_burial_that_a_crash_cut_short(appends):
    async def scenario():
        cloud = Cloud()
        await queues_with_dead_letters(cloud)
        cloud.logs.left = appends
        if appends < 3:
            with pytest.raises(StoreError):
                await cloud.receive("queue")
        else:
            assert await cloud.receive("queue") == []
        await cloud.crash()
        await cloud.policy(0)  # nobody would finish the burial for its own sake
        assert await cloud.drain("queue") == (["a", "b"] if appends < 2 else [])
        assert await cloud.drain("dead") == ([] if appends < 2 else ["a", "b"])
        await cloud.face.close()

    run(scenario)


@pytest.mark.parametrize("appends", range(4))
def test_a_step_of_a_move_task_that_a_crash_cut_short(appends):
    async def scenario():
        cloud = Cloud()
        await queues_with_dead_letters(cloud)
        assert await cloud.receive("queue") == []
        await cloud.policy(3)
        cloud.logs.left = appends
        await cloud.call("StartMessageMoveTask", SourceArn=arn("dead"))
        await turns()
        await cloud.face.close()
        cloud.logs.left = None
        # Another consumer is there before the task goes on.
        handles = await cloud.drain("dead")
        assert handles == (["a", "b"] if appends < 2 else []), "what has arrived is here no more"
        assert await cloud.drain("queue") == ([] if appends < 2 else ["a", "b"])

    run(scenario)
