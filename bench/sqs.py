"""A queue under a million messages: cost per operation, memory per message, time to come back.

`python -m bench.sqs [MESSAGES]`. The service is called in this process, without HTTP, over the disk engines;
the client's cost is not in the figures.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
from pathlib import Path

from cloudlet.aws.call import Call
from cloudlet.aws.identity import root_of
from cloudlet.aws.models import Models
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.disk_logs import DiskLogs
from cloudlet.kernel.blobs_memory import MemoryBlobs
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.shell.aws_face import AwsFace
from cloudlet.wire.http1 import Head

MESSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
SAMPLE = 20_000
BODY = "x" * 100
HEAD = Head(
    "POST", b"/", b"/", b"", {}, keep_alive=True, content_length=0, chunked=False, expect_continue=False
)


def rss_bytes() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Queue:
    """SQS's operations, called with plain members."""

    def __init__(self, face: AwsFace, clock: SystemClock) -> None:
        self._face = face
        self._clock = clock
        self._service = face.catalogue.service("sqs")

    async def call(self, name: str, **members: object) -> dict[str, object]:
        operation = self._service.operation(name, "json")
        struct = type(operation.codec.parse(HEAD, b"{}", {}))
        clock = self._clock
        call = Call(
            root_of("000000000000"),
            "us-east-1",
            "id",
            clock,
            clock.monotonic_ms(),
            base_url="http://localhost",
        )
        return await self._face.desk.run(call, lambda rq: operation.declared.act(rq, struct(**members)) or {})


def row(name: str, count: int, cpu_s: float) -> None:
    print(f"| {name} | {cpu_s / count * 1e6:.1f} us CPU |", flush=True)


async def timed(name: str, queue: Queue, count: int, step) -> None:
    started = time.process_time()
    for _ in range(count):
        await step(queue)
        await asyncio.sleep(0)  # what runs in the background has its turns, as behind a socket
    row(name, count, time.process_time() - started)


async def send(queue: Queue) -> None:
    await queue.call("SendMessage", QueueUrl="/q", MessageBody=BODY)


async def receive_and_delete(queue: Queue) -> None:
    (message,) = (await queue.call("ReceiveMessage", QueueUrl="/q"))["Messages"]
    await queue.call("DeleteMessage", QueueUrl="/q", ReceiptHandle=message["ReceiptHandle"])


async def open_face(folder: Path, clock: SystemClock) -> AwsFace:
    keys = await DiskKeys.open(folder / "keys", clock.monotonic_ms)
    return AwsFace(
        keys, DiskLogs.open(folder / "logs"), MemoryBlobs(clock, Ids()), clock, Ids(), models=Models()
    )


async def close(face: AwsFace) -> None:
    await face.close()
    await face.desk.traffic.logs.close()
    await face.desk.keys.close()


async def main() -> None:
    clock = SystemClock()
    print("| what | cost |\n|---|---|")
    with tempfile.TemporaryDirectory() as name:
        face = await open_face(Path(name), clock)
        queue = Queue(face, clock)
        await queue.call("CreateQueue", QueueName="q")
        await timed("SendMessage, empty queue", queue, SAMPLE, send)
        await timed("ReceiveMessage and DeleteMessage", queue, SAMPLE, receive_and_delete)
        gc.collect()
        before = rss_bytes()
        entry = type((await parsed(face)).Entries[0])
        started = time.process_time()
        for _ in range(MESSAGES // 10):
            await asyncio.sleep(0)
            entries = [entry(Id=str(n), MessageBody=BODY) for n in range(10)]
            await queue.call("SendMessageBatch", QueueUrl="/q", Entries=entries)
        row("SendMessageBatch of ten", MESSAGES // 10, time.process_time() - started)
        gc.collect()
        each = (rss_bytes() - before) / MESSAGES
        print(f"| memory of a waiting message, {MESSAGES:,} of them | {each:.0f} bytes |")
        await timed(f"SendMessage, {MESSAGES:,} waiting", queue, SAMPLE, send)
        await timed(f"the pair of them, {MESSAGES:,} waiting", queue, SAMPLE, receive_and_delete)
        await face.traffic.forget()  # nothing is left behind at the end, as after kill -9
        await close(face)
        for before in ("kill -9", "a clean end"):
            face = await open_face(Path(name), clock)
            started_wall = time.perf_counter()
            await Queue(face, clock).call("GetQueueAttributes", QueueUrl="/q", AttributeNames=["All"])
            taken = time.perf_counter() - started_wall
            print(f"| first call after {before}, {MESSAGES:,} waiting | {taken:.2f} s |")
            await close(face)


async def parsed(face: AwsFace):
    operation = face.catalogue.service("sqs").operation("SendMessageBatch", "json")
    return operation.codec.parse(HEAD, b'{"Entries":[{"Id":"a","MessageBody":"b"}]}', {})


if __name__ == "__main__":
    asyncio.run(main())
