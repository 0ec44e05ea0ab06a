"""The engines that the keys contract is held against, each opened on a folder of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.keys import Keys

Open = Callable[[Path, ManualClock, Sequence[bytes]], Awaitable[Keys]]


async def open_memory(_folder: Path, clock: ManualClock, history_free: Sequence[bytes]) -> Keys:
    return MemoryKeys(clock.monotonic_ms, history_free)


ENGINES: dict[str, Open] = {"memory": open_memory}
DURABLE: frozenset[str] = frozenset()
"""Those that find everything again when they are opened on the same folder."""
