"""A ZooKeeper face in a process of its own, that tests may kill.

python -m tests.coord.zookeeper.server_process FOLDER PORT [--secure-port N --tls CERTIFICATE KEY AUTHORITY]
    [--setting NAME=VALUE …] [--sasl USER=PASSWORD …]

Prints "ready" once it listens.
"""

import argparse
import asyncio
import errno
import pathlib
import signal
import socket
import ssl
import time

from cloudlet.coord.zookeeper.settings import KeeperSettings
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.shell.zookeeper_face import ZooKeeperFace

PATIENCE_S = 30.0


def settings_of(asked):
    given = {}
    for pair in asked.setting:
        name, _, value = pair.partition("=")
        kind = KeeperSettings.__annotations__[name]
        given[name] = value if kind == "str" else (value == "true" if kind == "bool" else int(value))
    users = dict(pair.split("=", 1) for pair in asked.sasl)
    return KeeperSettings(sasl_users=users, **given)


def context_of(certificate, key, authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def listening(port):
    """A socket that listens. A client that asks for the port while nobody listens may be given it as its own,
    and be connected to itself until it gives up."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > until_s:
                raise
        time.sleep(0.05)


async def serve(asked):
    clock = SystemClock()
    keys = await DiskKeys.open(pathlib.Path(asked.folder), clock.monotonic_ms)
    tls = context_of(*asked.tls) if asked.tls else None
    face = ZooKeeperFace(keys, clock, Ids(), settings_of(asked), tls=tls)
    ports = [port for port in (asked.port, asked.secure_port) if port]
    listeners = [listening(port) for port in ports]
    await face.start(listeners, f"127.0.0.1:{asked.port}")
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    print("ready", flush=True)
    await stopping.wait()
    await face.close()
    await keys.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("port", type=int)
    parser.add_argument("--secure-port", type=int, default=0)
    parser.add_argument("--tls", nargs=3)
    parser.add_argument("--setting", action="append", default=[])
    parser.add_argument("--sasl", action="append", default=[])
    asked = parser.parse_args()
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(asked))
    else:
        uvloop.run(serve(asked))


if __name__ == "__main__":
    main()
