"""SQS's operations without HTTP, over stores in memory whose appends can be held up or cut off."""

import asyncio
import json

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
        now_ms = self.clock.monotonic_ms()
        call = Call(root_of(ACCOUNT), "us-east-1", "id", self.clock, now_ms, own_url="http://localhost")
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


def arn(name):
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


def run(scenario):
    asyncio.run(asyncio.wait_for(scenario(), 30))


async def turns():
    for _ in range(20):
        await asyncio.sleep(0)
