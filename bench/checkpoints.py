"""How long a save and a restore take: a queue of many messages and as many S3 objects, each changed since.

State   none
Source  docs/checkpoints.md
Absent  none

`python -m bench.checkpoints [COUNT]`. The verbs go over the control socket, as the command line's.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from bench.objects import Client
from cloudlet.cli.running import ask
from cloudlet.kernel.logs import LogName
from cloudlet.kernel.settings import Settings
from cloudlet.shell.cloud import Cloud
from cloudlet.wire.kafka.records import encode_value

COUNT = 100_000
LOG = LogName("sqs/000000000000/us-east-1/bench/0000000000000000")
BODY = b"b" * 1024
MESSAGE = b"m" * 200


class Watch:
    """Prints wall and CPU time of a block."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._started = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        wall_s, cpu_s = time.perf_counter() - self._started[0], time.process_time() - self._started[1]
        print(f"{self._what:<60} {wall_s * 1000:8.0f} ms  {cpu_s * 1000:8.0f} ms of CPU", flush=True)


def put_objects(url: str, count: int, body: bytes) -> None:
    """Over one connection, one at a time: what the client does is not measured."""
    client = Client(url)
    client.put("/bench", 0)
    for number in range(count):
        client.put(f"/bench/key-{number:08d}", len(body), [body])
    client.close()


async def append(cloud: Cloud, count: int) -> None:
    logs = cloud._stores.logs
    for number in range(count):
        await logs.append(LOG, encode_value(MESSAGE, number), epoch=logs.epoch(LOG))
        if number % 1000 == 0:
            await asyncio.sleep(0)


async def scenario(count: int, data: Path, *, is_ephemeral: bool) -> None:
    cloud = Cloud(Settings(str(data), ports="auto", ephemeral=is_ephemeral))
    await cloud.start()

    async def tell(verb: str) -> None:
        await asyncio.to_thread(
            ask, cloud.data, "POST", verb, {} if verb == "/reset" else {"name": "c"}, timeout_s=600.0
        )

    url = cloud.endpoints["aws"]
    print(f"{count} objects and {count} messages, {'ephemeral' if is_ephemeral else 'on disk'}")
    await asyncio.to_thread(put_objects, url, count, BODY)
    await append(cloud, count)
    with Watch("save"):
        await tell("/checkpoints/save")
    with Watch("restore, nothing changed"):
        await tell("/checkpoints/restore")
    await asyncio.to_thread(put_objects, url, count, b"changed")
    await append(cloud, count)
    with Watch("restore, every object changed, as many messages more"):
        await tell("/checkpoints/restore")
    with Watch("reset"):
        await tell("/reset")
    with Watch("restore into the empty cloud"):
        await tell("/checkpoints/restore")
    cloud.stop()
    await cloud.close()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    for is_ephemeral in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(scenario(count, Path(folder) / "data", is_ephemeral=is_ephemeral))


if __name__ == "__main__":
    main()
