"""DATA/keys.sock: the keys store for the cloud's other processes; the folder's owner alone can open it.

State   none
Source  docs/architecture.md, "Processes"; coord/keys_endpoint.py
Absent  none
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from cloudlet.coord.keys_endpoint import PREFIX, KeysEndpoint
from cloudlet.engines.etcd_keys import EtcdKeys
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.keys import Keys
from cloudlet.shell.http2_server import Server, serve
from cloudlet.shell.socket_paths import short

NAME = "keys.sock"


class KeysSocket:
    """The socket while it is served; it falls silent with the faces."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def silence(self) -> None:
        """Break the connections: nobody commits while a checkpoint is brought back."""
        await self.server.silence()

    def go_on(self) -> None:
        self.server.release()

    async def close(self) -> None:
        await self.server.close(0)


async def serve_keys(path: Path, keys: Keys, clock: Clock) -> KeysSocket:
    """Listen at the path, which a former process may have left behind."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    old = os.umask(0o177)
    try:
        with short(path) as name:
            listener.bind(name)
    finally:
        os.umask(old)
    return KeysSocket(await serve(KeysEndpoint(keys).methods, sockets=[listener], clock=clock))


async def open_keys(path: Path, clock: Clock) -> EtcdKeys:
    """The store behind the socket; GrpcStatus when nobody serves it."""
    return await EtcdKeys.open([f"unix:{path}"], clock, prefix=PREFIX)
