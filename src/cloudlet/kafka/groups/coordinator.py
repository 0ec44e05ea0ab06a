"""The group coordinator of a broker: which partition has a group, and the partitions at work.

State   the topic __consumer_offsets; in memory its partitions that are loaded (runner.py)
Source  Apache Kafka 4.3, GroupCoordinatorService
Absent  moving a partition to another broker

A partition is loaded at its first use; those that hold something are loaded soon after the start, since their
members' sessions end whether anybody asks or not. What has expired by cloud time is looked for every
`offsets.retention.check.interval.ms` of it, and when the clock is moved.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence

from cloudlet.kafka.broker import Broker
from cloudlet.kafka.call import Call
from cloudlet.kafka.config_records import ConfigType, stored_configs
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.classic_values import Limits
from cloudlet.kafka.groups.consumer import DEFAULT_ASSIGNOR, ConsumerSettings
from cloudlet.kafka.groups.runner import Runner
from cloudlet.kafka.groups.shard import Group, Settings
from cloudlet.kafka.hashes import java_hash
from cloudlet.kafka.security.acls import may_describe
from cloudlet.kafka.share.group_values import ShareSettings
from cloudlet.kafka.topics import OFFSETS_TOPIC, TopicImage
from cloudlet.kernel.fault import StoreError
from cloudlet.wire.kafka.error_codes import ErrorCode

log = logging.getLogger(__name__)

START_DELAY_SECONDS = 0.5  # what a start has to do first for its clients
IDLE_SECONDS = 60.0  # while cloud time stands still, until the clock is moved


class KnownTopics:
    """The topics of the cluster as consumer groups look at them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    @property
    def version(self) -> int:
        return self._broker.topics.epoch

    def find(self, name: str) -> tuple[bytes, int] | None:
        image = self._broker.topics.by_name.get(name)
        return None if image is None else (image.id, len(image.states))

    def name(self, topic: bytes) -> str | None:
        image = self._broker.topics.by_id.get(topic)
        return None if image is None else image.name

    def names(self) -> Iterable[str]:
        return self._broker.topics.by_name


class DescribedTopics(KnownTopics):
    """The same for a client, whose expression stands for no topic that it may not describe."""

    def __init__(self, call: Call) -> None:
        super().__init__(call.broker)
        self._call = call

    def names(self) -> Iterable[str]:
        return (name for name in super().names() if may_describe(self._call, name))


class Groups:
    """All groups of a broker; a part of it."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.topics = KnownTopics(broker)
        self._runners: dict[int, Runner] = {}
        self._settings = Settings(
            self._limits,
            self.consumer_settings,
            lambda: str(broker.configs.value("group.consumer.migration.policy")),
            self.share_settings,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()

    def start(self) -> None:
        """Load what holds something, and begin to look for what expires."""
        self._spawn(self._load_soon())
        self._spawn(self._expire())
        self.broker.on_topic_deleted(lambda name: self._spawn(self._topic_deleted(name)))

    async def close(self) -> None:
        """Stop; who waits is told to look for another coordinator."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close_runners()

    async def _close_runners(self) -> None:
        runners = list(self._runners.values())
        self._runners.clear()
        for runner in runners:
            await runner.close()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def clock_moved(self) -> None:
        """Cloud time has made a step: look for what has expired by it."""
        self._moved.set()

    # -- where a group is

    async def runner(self, group_id: str, *, may_be_empty: bool = False) -> Runner:
        """The partition that has a group. INVALID_GROUP_ID for the empty name, where that is not allowed
        (offsets of consumers without a group, as old ones have)."""
        if not group_id and not may_be_empty:
            raise KafkaFault(ErrorCode.INVALID_GROUP_ID)
        image = await self.broker.internal_topic(OFFSETS_TOPIC)
        return self._runner(image, java_hash(group_id) % len(image.states))

    def _runner(self, image: TopicImage, index: int) -> Runner:
        found = self._runners.get(index)
        if found is None:
            partition = self.broker.open(image, index)
            found = Runner(partition, self._settings, self.topics, self.broker.clock)
            self._runners[index] = found
        return found

    async def every(self) -> Sequence[Group]:
        """All groups; COORDINATOR_LOAD_IN_PROGRESS until all partitions are loaded."""
        image = self.broker.topics.by_name.get(OFFSETS_TOPIC)
        if image is None:
            return []
        found: list[Group] = []
        for index in self._filled(image):
            shard = await self._runner(image, index).ready()
            found += shard.groups.values()
        return found

    def _filled(self, image: TopicImage) -> list[int]:
        """The partitions that may hold something: those that have a log."""
        logs = set(self.broker.logs.names(f"{self.broker.log_prefix}{image.name}-"))
        return [
            index
            for index in range(len(image.states))
            if index in self._runners or self.broker.log_name(image.name, index) in logs
        ]

    async def _topic_deleted(self, name: str) -> None:
        """A topic is gone: so are the offsets in it."""
        if name == OFFSETS_TOPIC:
            await self._close_runners()
            return
        image = self.broker.topics.by_name.get(OFFSETS_TOPIC)
        if image is None:
            return
        for index in self._filled(image):
            try:
                runner = self._runner(image, index)
                await runner.loaded()
                await runner.change(lambda shard: (None, shard.forgotten([name])))
            except (KafkaFault, StoreError) as error:
                log.warning("%s-%d: offsets in %s were not forgotten: %s", OFFSETS_TOPIC, index, name, error)

    # -- settings

    def _limits(self) -> Limits:
        number = self.broker.configs.number
        return Limits(number("group.initial.rebalance.delay.ms"), number("group.max.size"))

    def consumer_settings(self, group_id: str) -> ConsumerSettings:
        """What holds for a consumer group: its own properties, else the broker's."""
        own = stored_configs(self.broker.keys, ConfigType.GROUP, group_id)
        number = self.broker.configs.number
        session = own.get("consumer.session.timeout.ms")
        interval = own.get("consumer.heartbeat.interval.ms")
        assignors = self.broker.configs.value("group.consumer.assignors")
        return ConsumerSettings(
            int(session) if session else number("group.consumer.session.timeout.ms"),
            int(interval) if interval else number("group.consumer.heartbeat.interval.ms"),
            number("group.consumer.max.size"),
            assignors[0] if isinstance(assignors, tuple) and assignors else DEFAULT_ASSIGNOR,
        )

    def share_settings(self, group_id: str) -> ShareSettings:
        """What holds for the members of a share group."""
        own = stored_configs(self.broker.keys, ConfigType.GROUP, group_id)
        number = self.broker.configs.number
        session = own.get("share.session.timeout.ms")
        interval = own.get("share.heartbeat.interval.ms")
        return ShareSettings(
            int(session) if session else number("group.share.session.timeout.ms"),
            int(interval) if interval else number("group.share.heartbeat.interval.ms"),
            number("group.share.max.size"),
        )

    # -- in the background

    async def _load_soon(self) -> None:
        await asyncio.sleep(START_DELAY_SECONDS)
        image = self.broker.topics.by_name.get(OFFSETS_TOPIC)
        if image is None:
            return
        for index in self._filled(image):
            try:
                await self._runner(image, index).loaded()
            except (KafkaFault, StoreError) as error:  # whoever asks for a group of it tries again
                log.warning("%s-%d is not loaded: %s", OFFSETS_TOPIC, index, error)

    async def _expire(self) -> None:
        """Look for expired offsets, every so often by cloud time."""
        clock, number = self.broker.clock, self.broker.configs.number
        while True:
            due_ms = clock.cloud_ms() + number("offsets.retention.check.interval.ms")
            while (left_ms := clock.until_ms(due_ms)) != 0:
                seconds = IDLE_SECONDS if left_ms is None else left_ms / 1000.0
                self._moved.clear()
                try:
                    await asyncio.wait_for(self._moved.wait(), seconds)
                    break  # a step, whichever way: what has expired is asked at once
                except TimeoutError:
                    continue
            await self.expire_offsets()

    async def expire_offsets(self) -> None:
        """Forget the offsets that have expired by now, and the groups that nothing is left of."""
        image = self.broker.topics.by_name.get(OFFSETS_TOPIC)
        if image is None:
            return
        retention_ms = self.broker.configs.number("offsets.retention.minutes") * 60_000
        for index in self._filled(image):
            try:
                await self._runner(image, index).expire_offsets(retention_ms)
            except (KafkaFault, StoreError) as error:
                log.warning("%s-%d: offsets were not expired: %s", OFFSETS_TOPIC, index, error)
