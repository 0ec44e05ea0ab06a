"""Pins: logs held as they are at an instant, for checkpoints, without a copy of their bytes.

State   ROOT/~pins/LABEL/<log's name>/: hard links to the log's segments and Kafka's checkpoint files
Source  docs/checkpoints.md
Absent  logs over a real Kafka

Theory of operation
    A pinned log is sealed first: it goes on in a new segment, so the files that the pin links to are never
    written again. A trim or a drop of the log takes away names, not bytes. To bring the log back its files
    are dropped and the pinned ones linked into their place; it goes on in a new segment again. A cut inside
    a file that has a second name would reach the pin: disk_log copies such a file before it cuts it.

    Nothing here is atomic: whoever brings logs back keeps a note of what is to be done, and does it again
    after a crash. All of it may be done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Sequence

import msgspec

from cloudlet.engines.disk_calls import sync_folder
from cloudlet.engines.disk_log import EPOCHS, START
from cloudlet.engines.disk_logs import DiskLogs
from cloudlet.engines.disk_partition_log import CLEANER, METADATA, PartitionDiskLog
from cloudlet.engines.disk_segment import path_of, sync_file
from cloudlet.kernel.fault import Damaged
from cloudlet.kernel.logs import LogName, Offset

PINS = "~pins"


class Pinned(msgspec.Struct, frozen=True):
    """One log as it was held."""

    name: LogName
    start: Offset
    stop: Offset
    epoch: int


class DiskPins:
    """The pins of one logs store. A label is a folder's name."""

    def __init__(self, logs: DiskLogs, *, is_durable: bool = True) -> None:
        self._logs = logs
        self._root = f"{logs.root}/{PINS}"
        self._is_durable = is_durable

    def labels(self) -> Sequence[str]:
        """Every label that holds something."""
        try:
            return sorted(os.listdir(self._root))
        except FileNotFoundError:
            return []

    def pin(self, label: str, name: LogName) -> Pinned:
        """Hold a log as it is now. NoSpace."""
        log = self._logs.sealed(name)
        folder = f"{self._root}/{label}/{name}"
        os.makedirs(folder, mode=0o700, exist_ok=True)
        for segment in log.segments[:-1]:
            for suffix in log.suffixes:
                path = path_of(log.folder, segment.base, suffix)
                _link(path, f"{folder}/{os.path.basename(path)}")
        if isinstance(log, PartitionDiskLog) and log.stop in log.snapshots:
            path = path_of(log.folder, log.stop, "snapshot")
            _link(path, f"{folder}/{os.path.basename(path)}")
        for checkpoint in (START, EPOCHS, METADATA):
            _link(f"{log.folder}/{checkpoint}", f"{folder}/{checkpoint}")
        return Pinned(name, Offset(log.start), Offset(log.stop), log.epoch)

    async def settle(self, label: str) -> None:
        """Make what a label holds survive power loss."""
        if self._is_durable:
            await asyncio.get_running_loop().run_in_executor(None, _sync_tree, self._root, label)

    async def unpin(self, label: str) -> None:
        """Let go of all that a label holds; no error if it is nothing."""
        path = f"{self._root}/{label}"
        if os.path.isdir(path):
            await asyncio.get_running_loop().run_in_executor(None, shutil.rmtree, path)

    async def bring_back(self, label: str, pinned: Pinned, epoch: int) -> None:
        """Make a log what it was, under a new leader epoch. Damaged where the pin is not whole."""
        await self._logs.drop(pinned.name)
        folder = f"{self._logs.root}/{pinned.name}"
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with os.scandir(f"{self._root}/{label}/{pinned.name}") as entries:
            files = [entry.name for entry in entries if not entry.is_dir()]
        for name in sorted(files):  # an index before its segment
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{folder}/{name}")  # of an attempt that was cut short
            os.link(f"{self._root}/{label}/{pinned.name}/{name}", f"{folder}/{name}")
        with contextlib.suppress(FileNotFoundError):  # it says of another history how far it is compacted
            os.unlink(f"{os.path.dirname(folder)}/{CLEANER}")
        log = self._logs.adopt(pinned.name)
        if (log.start, log.stop) != (pinned.start, pinned.stop):
            raise Damaged(
                f"{folder}: offsets {log.start} to {log.stop}, pinned {pinned.start} to {pinned.stop}"
            )
        log.note_epoch(max(epoch, log.epoch), log.stop)
        log.save_epochs(durable=self._is_durable)


def _link(source: str, target: str) -> None:
    """A second name, where there is a file; an older one of an attempt that failed goes."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    with contextlib.suppress(FileNotFoundError):
        os.link(source, target)


def _sync_tree(root: str, label: str) -> None:
    for folder, _, files in os.walk(f"{root}/{label}", topdown=False):
        for name in files:
            sync_file(f"{folder}/{name}")
        _sync_folder(folder)
    _sync_folder(root)
    _sync_folder(os.path.dirname(root))


def _sync_folder(folder: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        sync_folder(folder)
