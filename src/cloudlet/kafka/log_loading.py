"""Reads the log of a coordinator's partition once, a slice in each turn of the loop.

State   none kept; how far it has read
Source  Apache Kafka 4.3, CoordinatorLoaderImpl
Absent  none

What the store refuses for a while (no file can be opened) is tried again, and whoever asks meanwhile is told
that the coordinator is loading. What it cannot read at all ends the load, and whoever asks is told so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.partition import Isolation, Partition
from cloudlet.kernel.batches import header
from cloudlet.kernel.fault import Damaged, StoreError
from cloudlet.wire.kafka.error_codes import ErrorCode

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.1  # what a request waits for a load before it is sent away
AGAIN_SECONDS = 0.5

Replay = Callable[[bytes, int], None]
"""Takes in one batch, and its first offset."""


def slices(partition: Partition, bytes_max: int, replay: Replay) -> Callable[[], bool]:
    """A function that replays the next slice of a log; False at its end."""
    offset = partition.start_offset

    def step() -> bool:
        nonlocal offset
        offset = max(offset, partition.start_offset)
        if offset >= partition.stop_offset:
            return False
        batches = partition.read(offset, bytes_max=bytes_max, isolation=Isolation.LOG_END).records
        position = 0
        while position < len(batches):
            found = header(batches, position)
            replay(batches[position : position + found.size_bytes], found.base_offset)
            offset = found.next_offset
            position += found.size_bytes
        return bool(position)

    return step


class Loading:
    """One load, which begins at once. `step` replays some of the log and is False at its end; `then` is
    called once, behind it."""

    def __init__(self, name: str, step: Callable[[], bool], then: Callable[[], None] | None = None) -> None:
        self._name = name
        self._task = asyncio.get_running_loop().create_task(self._load(step, then))

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _load(self, step: Callable[[], bool], then: Callable[[], None] | None) -> None:
        is_told = False
        while True:
            try:
                if not step():
                    break
            except Damaged as error:
                log.error("%s cannot be loaded: %s", self._name, error)
                raise
            except StoreError as error:
                if not is_told:
                    log.warning("%s cannot be loaded yet: %s", self._name, error)
                    is_told = True
                await asyncio.sleep(AGAIN_SECONDS)
            await asyncio.sleep(0)
        if then is not None:
            then()

    async def done(self) -> None:
        """Wait until the log is read, or cannot be; NOT_COORDINATOR then."""
        if not self._task.done():
            await asyncio.wait([self._task])
        self._check()

    async def ready(self) -> None:
        """The same for a request: COORDINATOR_LOAD_IN_PROGRESS if it takes longer than a moment."""
        if not self._task.done():
            await asyncio.wait([self._task], timeout=WAIT_SECONDS)
            if not self._task.done():
                raise KafkaFault(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, "The coordinator is loading.")
        self._check()

    def _check(self) -> None:
        if self._task.cancelled() or self._task.exception() is not None:
            raise KafkaFault(ErrorCode.NOT_COORDINATOR)
