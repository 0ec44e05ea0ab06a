"""A broker as a process of its own, to be killed: `python broker_process.py FOLDER PORT`; says "ready"."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import uvloop

from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.shell.kafka_face import KafkaFace
from cloudlet.shell.stores import open_stores


async def serve(folder: Path, port: int) -> None:
    clock = SystemClock()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    stores = await open_stores(folder, clock, Ids())
    face = KafkaFace(stores.keys, stores.logs, clock, Ids(), properties={"log.segment.bytes": "1048576"})
    await face.start([listener], f"127.0.0.1:{port}")
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
