"""The AWS gateway's call events as a topic: a consumer of `aws.events` reads who has called what.

State   the topic aws.events, once somebody makes it: its offsets are those of the log of events
Source  docs/kafka.md, "Call events"
Absent  the events from before those that the gateway's log still holds

Whoever wants the events makes the topic (a consumer that subscribes to it does, where topics are made by
themselves). From then on the batches of the gateway's log are appended to its partition 0 as they are, so
that an event has the same offset in both, and nothing has to be remembered: a restart goes on at the
partition's end. While there is no such topic, nothing is done.
"""

from __future__ import annotations

import asyncio
import logging

from cloudlet.aws.events import EVENTS_LOG
from cloudlet.kafka.batch_checks import Origin
from cloudlet.kafka.broker import Broker
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.partition import Partition
from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.logs import Offset

log = logging.getLogger(__name__)

EVENTS_TOPIC = "aws.events"
LOOK_SECONDS = 0.25  # for the topic, while there is none
POLL_SECONDS = 0.02  # for events, while there are none
PIECE_BYTES = 256 << 10  # of one append: below the topic's max.message.bytes by batches, a few ms of work
RETRY_SECONDS = 1.0


class CallEvents:
    """Carries events into the topic; a part of a broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for the topic."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                is_idle = not await self._carry()
            except (KafkaFault, StoreError) as error:
                log.warning("call events are not carried into %s: %s", EVENTS_TOPIC, error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if is_idle:
                has_topic = EVENTS_TOPIC in self._broker.topics.by_name
                await asyncio.sleep(POLL_SECONDS if has_topic else LOOK_SECONDS)
            else:
                await asyncio.sleep(0)

    async def _carry(self) -> bool:
        """Append what has come since; False where there is nothing, or no topic."""
        image = self._broker.topics.by_name.get(EVENTS_TOPIC)
        if image is None:
            return False
        partition = self._broker.open(image, 0)
        self._align(partition)
        logs = self._broker.logs
        if partition.stop_offset >= logs.ends(EVENTS_LOG).stop:
            return False
        batches = await logs.read(EVENTS_LOG, Offset(partition.stop_offset), bytes_max=PIECE_BYTES)
        await partition.append(batches, origin=Origin.COORDINATOR)
        return True

    def _align(self, partition: Partition) -> None:
        """See to it that the topic goes on where the log of events can: where that was trimmed beyond it, or
        brought back to an earlier end, it begins anew there."""
        start, stop = self._broker.logs.ends(EVENTS_LOG)
        if not start <= partition.stop_offset <= stop:
            partition.truncate_fully(start)
