"""A process that serves etcd over a folder on a port, to be killed amid long drops:

python -m tests.coord.etcd.serving_long FOLDER PORT [--aim NAME NUMBER] [--bug NAME]

Its log is cut short and its checkpoints come often; and it saves what there is again and again, as
`cloudlet checkpoint save` does, in FOLDER/saves.
"""

import argparse
import asyncio
import pathlib
import socket

from tests.coord.etcd.long_aims import AIMS, BUGS

from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.disk_keys_log import LogSettings
from cloudlet.engines.keys_dump import write_dump
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.spaces import ETCD, ETCD_STOP
from cloudlet.shell.etcd_face import EtcdFace

SETTINGS = LogSettings(segment_bytes=2 << 20, checkpoint_bytes=1 << 20)
SAVE_S = 0.7


async def save(keys, folder):
    folder.mkdir(exist_ok=True)
    while True:
        await asyncio.sleep(SAVE_S)
        revision = keys.head
        aside = folder / "aside"
        try:
            await write_dump(aside, keys, revision, ETCD, ETCD_STOP, is_durable=False)
            await keys.settle(revision)
        except StoreError:
            continue  # it was compacted meanwhile
        aside.rename(folder / str(revision))


async def serve(asked):
    clock = SystemClock()
    folder = pathlib.Path(asked.folder)
    keys = await DiskKeys.open(folder / "keys", clock.monotonic_ms, settings=SETTINGS)
    face = EtcdFace(keys, clock, Ids())
    await face.start([socket.create_server(("127.0.0.1", asked.port))], f"127.0.0.1:{asked.port}")
    if asked.aim:
        AIMS[asked.aim[0]](int(asked.aim[1]))
    await save(keys, folder / "saves")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("port", type=int)
    parser.add_argument("--aim", nargs=2)
    parser.add_argument("--bug")
    asked = parser.parse_args()
    if asked.bug:
        BUGS[asked.bug]()
    asyncio.run(serve(asked))


if __name__ == "__main__":
    main()
