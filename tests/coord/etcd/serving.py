"""A process that serves etcd over a folder on a port, to be killed: `python serving.py FOLDER PORT`."""

import asyncio
import pathlib
import socket
import sys

from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.shell.etcd_face import EtcdFace


async def serve(folder, port):
    clock = SystemClock()
    keys = await DiskKeys.open(pathlib.Path(folder), clock.monotonic_ms)
    face = EtcdFace(keys, clock, Ids())
    await face.start([socket.create_server(("127.0.0.1", port))], f"127.0.0.1:{port}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
