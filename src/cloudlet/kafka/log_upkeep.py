"""The upkeep of a broker's partitions, as a part of the broker.

State   see kafka/upkeep.py
Source  Apache Kafka 4.3, LogManager: log.retention.check.interval.ms, log.cleaner.backoff.ms,
        log.flush.offset.checkpoint.interval.ms
Absent  none
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from cloudlet.kafka.broker import Broker
from cloudlet.kafka.upkeep import Held, Rhythm, Upkeep


class LogUpkeep:
    """One broker's."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        folder = broker.log_prefix.rstrip("/")
        self._upkeep = Upkeep(broker.partition_logs, folder, self._held, broker.clock, self._rhythm)

    def _rhythm(self) -> Rhythm:
        """As the properties are now: some may change while the broker runs."""
        configs = self._broker.configs
        cleans = configs.flag("log.cleaner.enable") and configs.number("log.cleaner.threads") > 0
        return Rhythm(
            retention_s=configs.number("log.retention.check.interval.ms") / 1000,
            cleaning_s=configs.number("log.cleaner.backoff.ms") / 1000 if cleans else math.inf,
            checkpoint_s=configs.number("log.flush.offset.checkpoint.interval.ms") / 1000,
        )

    def _held(self) -> Iterator[Held]:
        broker = self._broker
        for image in list(broker.topics.by_name.values()):
            settings = partial(broker.settings, image)
            for index, state in enumerate(image.states):
                if broker.topics.by_id.get(image.id) is not image:
                    break  # it was deleted since the round began
                if state.leader == broker.node_id:
                    opened = image.opened[index]
                    open_it = partial(broker.open, image, index)
                    yield Held(
                        image.name, index, broker.log_name(image.name, index), opened, settings, open_it
                    )

    def start(self) -> None:
        self._upkeep.start()

    async def close(self) -> None:
        await self._upkeep.close()

    def clock_moved(self) -> None:
        """Cloud time has made a step."""
        self._upkeep.clock_moved()
