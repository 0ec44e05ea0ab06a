"""The share groups of a broker: their share-partitions at work, their sessions, what is kept of them.

State   the topic __share_group_state (state_log.py); in memory sessions and share-partitions that are read
Source  Apache Kafka 4.3: SharePartitionManager, ShareCoordinatorService; KIP-932
Absent  the requests by which brokers keep the state with each other (API keys 83 to 87): it is at hand

A share-partition is made when somebody first fetches from it, from what is kept, and forgotten when no
session is left that has read from it.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Coroutine, Iterable

from cloudlet.kafka.broker import Broker
from cloudlet.kafka.call import Peer
from cloudlet.kafka.config_records import ConfigType, stored_configs
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.coordinator import Groups
from cloudlet.kafka.hashes import java_hash
from cloudlet.kafka.partition import Isolation, Partition
from cloudlet.kafka.share.group import ShareGroup
from cloudlet.kafka.share.live import Live
from cloudlet.kafka.share.offset_reset import Strategy, parse_offset_reset
from cloudlet.kafka.share.sessions import Place, Session, SessionKey, Sessions
from cloudlet.kafka.share.share_partition import Limits
from cloudlet.kafka.share.state_log import StateLog, is_begun
from cloudlet.kafka.share.state_records import ShareKey
from cloudlet.kafka.topics import SHARE_STATE_TOPIC
from cloudlet.kafka.turns import Turn, in_turns
from cloudlet.wire.kafka.error_codes import ErrorCode

log = logging.getLogger(__name__)


class Shares:
    """All share groups' partitions of a broker; a part of it."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.sessions = Sessions()
        self._lives: dict[ShareKey, Live] = {}
        self._logs: dict[int, StateLog] = {}
        self._making: dict[ShareKey, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Nothing is under way after a start: what was acquired before is available again."""
        self.broker.on_topic_deleted(lambda _: self._spawn(self._drop_deleted()))

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.sessions = Sessions()  # so that fetches which wait end, and make nothing anew
        for live in self._lives.values():
            await live.close()
        self._lives.clear()
        for state_log in self._logs.values():
            await state_log.close()
        self._logs.clear()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- what is kept

    async def state_log(self, key: ShareKey) -> StateLog:
        """The partition that keeps a share-partition's state, loaded."""
        image = await self.broker.internal_topic(SHARE_STATE_TOPIC)
        topic = base64.urlsafe_b64encode(key.topic_id).decode().rstrip("=")
        index = java_hash(f"{key.group}:{topic}:{key.partition}") % len(image.states)
        found = self._logs.get(index)
        is_new = found is None
        if found is None:
            updates_max = self.broker.configs.number("share.coordinator.snapshot.update.records.per.snapshot")
            partition = self.broker.open(image, index)
            found = self._logs[index] = StateLog(partition, self.broker.clock, updates_max)
        await found.ready()
        by_id = self.broker.topics.by_id
        strays = [each for each in found.kept if each.topic_id not in by_id] if is_new else []
        if strays:
            await found.forget(strays)  # their topics were deleted while nobody looked
        return found

    async def begin(self, keys: Iterable[ShareKey], start: int) -> None:
        """Let share-partitions begin anew at an offset."""
        for key in keys:
            live = self._lives.pop(key, None)
            if live is not None:
                await live.close()
            await (await self.state_log(key)).begin(key, start, 0)

    async def forget(self, keys: Iterable[ShareKey]) -> None:
        """Share-partitions are gone, with all that was kept of them."""
        turn = Turn(self.broker.clock)
        for key in keys:
            live = self._lives.pop(key, None)
            if live is not None:
                await live.close()
            await (await self.state_log(key)).forget([key])
            if turn.is_over():
                await turn.end()

    async def _drop_deleted(self) -> None:
        """Forget the share-partitions of topics that are gone."""
        by_id = self.broker.topics.by_id
        if SHARE_STATE_TOPIC not in self.broker.topics.by_name:
            return
        gone = {key for key in self._lives if key.topic_id not in by_id}
        gone |= {key for each in self._logs.values() for key in each.kept if key.topic_id not in by_id}
        try:
            await self.forget(gone)
        except KafkaFault as fault:
            log.warning("share-partitions of a deleted topic: %s", fault)

    # -- share-partitions

    def peek(self, key: ShareKey) -> Live | None:
        """A share-partition that somebody reads."""
        return self._lives.get(key)

    async def live(self, key: ShareKey) -> Live:
        """A share-partition, made at its first use. KafkaFault: UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION,
        and for a group that does not keep state of it UNKNOWN_SERVER_ERROR, as Kafka has it."""
        image = self.broker.topics.by_id.get(key.topic_id)
        if image is None:
            raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_ID)
        partition = self.broker.open(image, key.partition)
        found = self._lives.get(key)
        if found is not None:
            return found
        lock = self._making.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                found = self._lives.get(key)
                return found or await self._make(key, partition)
        finally:
            if not lock.locked():
                self._making.pop(key, None)

    async def _make(self, key: ShareKey, partition: Partition) -> Live:
        group = await self.group(key.group)
        if group is None or not group.has_state(key.topic_id, key.partition):
            raise KafkaFault(
                ErrorCode.UNKNOWN_SERVER_ERROR, f"Group {key.group} keeps no state of {partition.name}."
            )
        state_log = await self.state_log(key)
        if not is_begun(state_log.kept.get(key)):
            start = await self._first_offset(key.group, partition)
            await state_log.begin(key, start, partition.leader_epoch)
        found = self._lives.get(key)
        if found is not None:
            return found  # others were let through whose turn it was not: two would give a record twice
        if key.topic_id not in self.broker.topics.by_id:
            raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_ID)
        live = Live(
            key,
            partition,
            state_log.kept[key],
            state_log,
            lambda: self.limits(key.group),
            self.broker.clock,
        )
        self._lives[key] = live
        return live

    async def group(self, group_id: str) -> ShareGroup | None:
        """A share group, if there is one."""
        runner = await self.broker.part(Groups).runner(group_id)
        found = (await runner.ready()).groups.get(group_id)
        return found if isinstance(found, ShareGroup) else None

    async def _first_offset(self, group_id: str, partition: Partition) -> int:
        """Where a group begins to read a partition of which nothing is kept: share.auto.offset.reset."""
        reset = parse_offset_reset(self._own(group_id).get("share.auto.offset.reset", Strategy.LATEST))
        if reset.strategy is Strategy.EARLIEST:
            return partition.start_offset
        if reset.strategy is Strategy.BY_DURATION:
            steps = partition.offset_for_timestamp(self.broker.clock.wall_ms() - reset.age_ms)
            found = await in_turns(steps, Turn(self.broker.clock))
            return partition.high_watermark if found is None else found.offset
        return partition.high_watermark

    # -- settings

    def _own(self, group_id: str) -> dict[str, str]:
        return dict(stored_configs(self.broker.keys, ConfigType.GROUP, group_id))

    def limits(self, group_id: str) -> Limits:
        """What holds for the records of a group: its own properties, else the broker's."""
        own, number = self._own(group_id), self.broker.configs.number

        def setting(name: str, broker_name: str) -> int:
            value = own.get(name)
            return int(value) if value else number(broker_name)

        return Limits(
            setting("share.delivery.count.limit", "group.share.delivery.count.limit"),
            setting("share.partition.max.record.locks", "group.share.partition.max.record.locks"),
            setting("share.record.lock.duration.ms", "group.share.record.lock.duration.ms"),
            own.get("share.renew.acknowledge.enable", "true").lower() == "true",
        )

    def isolation(self, group_id: str) -> Isolation:
        own = self._own(group_id).get("share.isolation.level", "read_uncommitted")
        is_committed = own.lower() == "read_committed"
        return Isolation.READ_COMMITTED if is_committed else Isolation.READ_UNCOMMITTED

    # -- sessions

    async def open_session(self, key: SessionKey, peer: Peer) -> Session:
        """A session in place of the one that the member had, if any; it ends with the connection."""
        old = self.sessions.peek(key)
        if old is not None:
            self.sessions.drop(old)
            self._leave(old)
        session = self.sessions.make(key, self.broker.configs.number("group.share.max.share.sessions"))
        session.cancel = peer.on_gone(lambda: self._spawn(self.close_session(session)))
        return session

    async def close_session(self, session: Session) -> None:
        """A session ends: all that its member has is released."""
        if not self.sessions.drop(session):
            return
        group, member = session.key
        turn = Turn(self.broker.clock)
        for topic_id, index in session.used:
            if turn.is_over():
                await turn.end()
            live = self._lives.get(ShareKey(group, topic_id, index))
            if live is not None:
                try:
                    await live.release(member)
                except KafkaFault as fault:  # they come free when their locks are over
                    log.warning("share group %s, member %s: %s", group, member, fault)
        self._leave(session)

    def use(self, session: Session, place: Place, live: Live) -> None:
        """A session reads from a share-partition."""
        session.used.add(place)
        live.users.add(session.key)

    def _leave(self, session: Session) -> None:
        """A session does not read any more."""
        for topic_id, index in session.used:
            key = ShareKey(session.key.group, topic_id, index)
            live = self._lives.get(key)
            if live is None:
                continue
            live.users.discard(session.key)
            if live.is_idle:
                del self._lives[key]
                self._spawn(live.close())
        session.used.clear()
