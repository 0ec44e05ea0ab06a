"""Moves between queues: whatever comes in between, or cuts them short, a message is in one queue."""

import asyncio
import json

import pytest

from cloudlet.aws.call import Call
from cloudlet.aws.identity import root_of
from cloudlet.aws.models import Models
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.blobs_memory import MemoryBlobs
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.logs_memory import MemoryLogs
from cloudlet.shell.aws_face import AwsFace
from cloudlet.wire.http1 import Head

ACCOUNT = "000000000000"
HEAD = Head(
    "POST", b"/", b"/", b"", {}, keep_alive=True, content_length=0, chunked=False, expect_continue=False
)
MODELS = Models()


class Logs(MemoryLogs):
    """Logs of queues that wait at a gate before each append to one of them, or end after some appends."""

    def __init__(self):
        super().__init__()
        self.gated = None
        self.gate = asyncio.Event()
        self.waits = 0
        self.left = None

    async def append(self, log, batches, **options):
        if not log.startswith("sqs/"):
            return await super().append(log, batches, **options)
        if self.gated is not None and f"/{self.gated}/" in log:
            self.waits += 1
            await self.gate.wait()
        if self.left is not None:
            if not self.left:
                raise StoreError("the machine is gone")
            self.left -= 1
        return await super().append(log, batches, **options)


class Cloud:
    """SQS's operations over stores that outlive it."""

    def __init__(self):
        self.clock = ManualClock()
        self.keys = MemoryKeys(self.clock.monotonic_ms)
        self.logs = Logs()
        self.start()

    def start(self):
        self.face = AwsFace(
            self.keys, self.logs, MemoryBlobs(self.clock, Ids()), self.clock, Ids(), models=MODELS
        )
        self.service = self.face.catalogue.service("sqs")

    async def crash(self):
        """What follows is another process on the same stores."""
        self.logs.left = self.logs.gated = None
        await self.face.close()
        self.start()

    async def call(self, name, **members):
        operation = self.service.operation(name, "json")
        params = operation.codec.parse(HEAD, json.dumps(members).encode(), {})
        call = Call(root_of(ACCOUNT), "us-east-1", "id", self.clock, base_url="http://localhost")
        return await self.face.desk.run(call, lambda rq: operation.declared.act(rq, params) or {})

    async def receive(self, queue, **more):
        found = await self.call("ReceiveMessage", QueueUrl=f"/{queue}", MaxNumberOfMessages=10, **more)
        return [message["Body"] for message in found.get("Messages", [])]

    async def drain(self, *queues):
        """What can be received from queues, hidden messages included."""
        self.clock.pass_ms(1_000_000)
        found = []
        for queue in queues:
            while bodies := await self.receive(queue, VisibilityTimeout=40_000):
                found += bodies
        return sorted(found)

    async def policy(self, count):
        text = json.dumps({"deadLetterTargetArn": arn("dead"), "maxReceiveCount": count}) if count else ""
        await self.call("SetQueueAttributes", QueueUrl="/queue", Attributes={"RedrivePolicy": text})

    async def queues_with_dead_letters(self):
        """`queue` holds a and b, received once, and buries what has been; `dead` is empty."""
        for name in ("dead", "queue"):
            await self.call("CreateQueue", QueueName=name)
        await self.policy(1)
        for body in "ab":
            await self.call("SendMessage", QueueUrl="/queue", MessageBody=body)
        assert await self.receive("queue", VisibilityTimeout=0) == ["a", "b"]

    async def status(self):
        (task,) = (await self.call("ListMessageMoveTasks", SourceArn=arn("dead")))["Results"]
        return task["Status"]


def arn(name):
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


def run(scenario):
    asyncio.run(asyncio.wait_for(scenario(), 30))


async def turns():
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_consumer_does_not_overtake_a_move_task():
    async def scenario():
        cloud = Cloud()
        await cloud.queues_with_dead_letters()
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
        while await cloud.status() != "COMPLETED":
            await turns()
        assert await cloud.drain("queue", "dead") == ["a", "b"]
        await cloud.face.close()

    run(scenario)


def test_a_policy_changed_in_the_middle_doubles_nothing():
    async def scenario():
        cloud = Cloud()
        await cloud.queues_with_dead_letters()
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
        await cloud.queues_with_dead_letters()
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
        await cloud.queues_with_dead_letters()
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
        await cloud.queues_with_dead_letters()
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
