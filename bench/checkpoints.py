"""How long a save and a restore take: a queue of many messages and as many keys, each changed since.

State   none
Source  docs/checkpoints.md
Absent  objects: a key of the size of an object's record stands for each

`python -m bench.checkpoints [COUNT]`. The verbs go over the control socket, as the command line's.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from cloudlet.cli.running import ask
from cloudlet.kernel.keys import Author, Commit, Put
from cloudlet.kernel.logs import LogName
from cloudlet.kernel.settings import Settings
from cloudlet.kernel.tuples import pack
from cloudlet.shell.cloud import Cloud
from cloudlet.wire.kafka.records import encode_value

COUNT = 100_000
PER_COMMIT = 100
AUTHOR = Author("bench")
LOG = LogName("sqs/000000000000/us-east-1/bench/0000000000000000")
VALUE = b"v" * 200  # about an object's record
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


async def put_keys(cloud: Cloud, count: int, value: bytes) -> None:
    keys = cloud._stores.keys
    for start in range(0, count, PER_COMMIT):
        puts = [
            Put(pack(("bench", f"key-{number:08d}")), value) for number in range(start, start + PER_COMMIT)
        ]
        await keys.commit(Commit(AUTHOR, put=puts))
        await asyncio.sleep(0)


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

    print(f"{count} keys and {count} messages, {'ephemeral' if is_ephemeral else 'on disk'}")
    await put_keys(cloud, count, VALUE)
    await append(cloud, count)
    with Watch("save"):
        await tell("/checkpoints/save")
    with Watch("restore, nothing changed"):
        await tell("/checkpoints/restore")
    await put_keys(cloud, count, b"changed")
    await append(cloud, count)
    with Watch("restore, every key changed, as many messages more"):
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
