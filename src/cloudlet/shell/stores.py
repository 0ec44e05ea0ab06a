"""Opens the stores of a data folder.

State   DATA/keys, DATA/logs, DATA/blobs
Source  docs/architecture.md, "Three stores, many faces"
Absent  none

An ephemeral cloud runs on the same disk engines, on a temporary folder: its memory stays bounded, and what is
tested on it is what runs elsewhere.
"""

from __future__ import annotations

from pathlib import Path

from cloudlet.engines.disk_blobs import DiskBlobs
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.disk_keys_log import LogSettings
from cloudlet.engines.disk_keys_sync import RELAXED_SYNC_S
from cloudlet.engines.disk_logs import FLUSH_INTERVAL_MS, DiskLogs
from cloudlet.kernel.blobs import Blobs
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import LocalKeys
from cloudlet.kernel.logs import Logs
from cloudlet.shell.open_files import log_files

UNSYNCED_S = 3_600.0
INDEXED_MS = 1_000.0  # how often the logs of an ephemeral cloud write their indexes, which lets go of memory
NEVER = 1 << 62  # bytes


class Stores:
    """The open stores of one cloud."""

    def __init__(self, keys: LocalKeys, logs: Logs, blobs: Blobs) -> None:
        self.keys = keys
        self.logs = logs
        self.blobs = blobs

    async def close(self) -> None:
        """Settle and let go."""
        await self.blobs.close()
        await self.logs.close()
        await self.keys.close()


async def open_stores(folder: Path, clock: Clock, ids: Ids, *, is_ephemeral: bool = False) -> Stores:
    """Open or make the stores of a folder; an ephemeral one has no power loss to survive, so no sync."""
    relaxed_sync_s = UNSYNCED_S if is_ephemeral else RELAXED_SYNC_S
    interval_ms = INDEXED_MS if is_ephemeral else FLUSH_INTERVAL_MS
    settings = LogSettings(end_checkpoint_bytes=NEVER) if is_ephemeral else LogSettings()
    keys = await DiskKeys.open(
        folder / "keys", clock.monotonic_ms, settings=settings, relaxed_sync_s=relaxed_sync_s
    )
    logs = DiskLogs.open(
        folder / "logs",
        flush_interval_ms=interval_ms,
        is_durable=not is_ephemeral,
        descriptors_max=log_files(),
    )
    return Stores(keys, logs, DiskBlobs.open_folder(folder / "blobs", clock, ids))
