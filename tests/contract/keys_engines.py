"""The engines that the keys contract is held against, each opened on a folder of its own."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random

from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.disk_keys_log import LogSettings
from cloudlet.engines.etcd_keys import EtcdKeys
from cloudlet.engines.hostile_keys import HostileKeys
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.clock import ManualClock, SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Keys
from cloudlet.shell.etcd_face import EtcdFace
from cloudlet.shell.keys_socket import PREFIX, KeysSocket, serve_keys

Open = Callable[[Path, ManualClock, Sequence[bytes]], Awaitable[Keys]]


async def open_memory(_folder: Path, clock: ManualClock, history_free: Sequence[bytes]) -> Keys:
    return MemoryKeys(clock.monotonic_ms, history_free)


async def open_disk(folder: Path, clock: ManualClock, history_free: Sequence[bytes]) -> Keys:
    return await DiskKeys.open(folder, clock.monotonic_ms, history_free=history_free)


async def open_small_disk(folder: Path, clock: ManualClock, history_free: Sequence[bytes]) -> Keys:
    """Segments of a few frames and checkpoints all the time: the same contract."""
    settings = LogSettings(segment_bytes=2048, first_segment_bytes=1024, checkpoint_bytes=1500)
    return await DiskKeys.open(folder, clock.monotonic_ms, history_free=history_free, settings=settings)


async def open_hostile(folder: Path, clock: ManualClock, history_free: Sequence[bytes]) -> Keys:
    """Slow, but not foreign: what it adds to the history would not be the model's."""
    return HostileKeys(MemoryKeys(clock.monotonic_ms, history_free), Random(1), conflicts=0.0, delays=0.5)


ENGINES: dict[str, Open] = {
    "memory": open_memory,
    "disk": open_disk,
    "small disk": open_small_disk,
    "hostile": open_hostile,
}


async def open_etcd(folder: Path, clock: ManualClock) -> Keys:
    """In the etcd whose address stands in the folder: see `etcd_server`."""
    address = (folder / "etcd").read_text(encoding="utf-8")
    return await EtcdKeys.open([address], clock)


class ServedKeys(EtcdKeys):
    """A client that takes the server and the store behind it along when it closes."""

    server: KeysSocket | EtcdFace
    inner: DiskKeys

    async def close(self) -> None:
        await super().close()
        await self.server.close()
        await self.inner.close()


async def open_socket(folder: Path, clock: ManualClock) -> Keys:
    """Through DATA/keys.sock, a store on disk behind it."""
    inner = await DiskKeys.open(folder, clock.monotonic_ms)
    server = await serve_keys(folder / "s", inner, clock)
    keys = await ServedKeys.open([f"unix:{folder / 's'}"], clock, prefix=PREFIX)
    assert isinstance(keys, ServedKeys)
    keys.server, keys.inner = server, inner
    return keys


async def open_face(folder: Path, clock: ManualClock) -> Keys:
    """Through our own etcd face, a store on disk behind it."""
    real = SystemClock()  # it ends leases by its own time
    inner = await DiskKeys.open(folder, real.monotonic_ms)
    face = EtcdFace(inner, real, Ids())
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    await face.start([listener], address)
    keys = await ServedKeys.open([address], clock)
    assert isinstance(keys, ServedKeys)
    keys.server, keys.inner = face, inner
    return keys


REMOTE: dict[str, Callable[[Path, ManualClock], Awaitable[Keys]]] = {
    "etcd": open_etcd,
    "etcd face": open_face,
    "keys socket": open_socket,
}
"""Engines over a server; their `commit` suspends, and they have no history-free spaces."""

DURABLE: frozenset[str] = frozenset({"disk", "small disk", "etcd face", "keys socket"})
"""Those that find everything again when they are opened on the same folder."""


async def open_engine(name: str, folder: Path, clock: ManualClock, history_free: Sequence[bytes]) -> Keys:
    """Any of them; the spaces are free of history where the engine has such."""
    if name in REMOTE:
        return await REMOTE[name](folder, clock)
    return await ENGINES[name](folder, clock, history_free)
