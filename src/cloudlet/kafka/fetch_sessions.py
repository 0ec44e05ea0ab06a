"""What a consumer fetches: its partitions, remembered from one fetch to the next (KIP-227), and which of them
have anything new.

State   in memory: the sessions; a client whose session is gone is told, and begins anew
Source  Apache Kafka 4.3: FetchSession, FetchManager; KIP-227, KIP-516
Absent  sessions of followers are not preferred to those of consumers

Theory of operation
    A slot is one partition of a fetch. It is *pending* while a look at it may find something, and *quiet*
    when the reader had seen all there is: then the partition calls back, and makes it pending again, when its
    high watermark or last stable offset moves. A fetch looks at pending slots alone, so that one of a session
    with ten thousand quiet partitions costs as little as one with ten.

        pending ──look: nothing more, no error──▶ quiet ──the partition moved, or a new offset──▶ pending

    The callback stays with the slot as long as the slot does: of a session, from fetch to fetch; without one,
    until the fetch is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.topics import TopicImage
from cloudlet.wire.kafka.error_codes import ErrorCode

if TYPE_CHECKING:
    from cloudlet.kafka.broker import Broker
    from cloudlet.kafka.partition import Partition

FINAL_EPOCH = -1
FIRST_EPOCH = 0
EPOCH_MAX = (1 << 31) - 1
EVICTION_MS = 120_000  # a session that was not used for so long makes room for another

SlotKey = tuple[str | bytes, int]
"""A topic by its name, or since version 13 by its id, and a partition's index."""


class Slot:
    """One partition of a fetch: where the reader is, and what it was told."""

    __slots__ = (
        "bytes_max",
        "cancel",
        "epoch",
        "fetched_epoch",
        "image",
        "index",
        "key",
        "leader_epoch",
        "offset",
        "partition",
        "told_high_watermark",
        "told_start",
    )

    def __init__(self, key: SlotKey) -> None:
        self.key = key
        self.index = key[1]
        self.offset = 0
        self.bytes_max = 0
        self.leader_epoch = -1
        self.fetched_epoch = -1
        self.image: TopicImage | None = None
        self.partition: Partition | None = None
        self.epoch = -1  # of the topics, when the partition was found
        self.cancel: Callable[[], None] | None = None
        self.told_high_watermark = self.told_start = -1

    def find(self, broker: Broker) -> Partition:
        """The partition; KafkaFault where it is not there, or not any more."""
        if self.epoch == broker.topics.epoch and self.partition is not None:
            return self.partition
        topic = self.key[0]
        by_id = isinstance(topic, bytes)
        image = (
            broker.topics.by_id.get(topic) if isinstance(topic, bytes) else broker.topics.by_name.get(topic)
        )
        self.epoch = -1
        if image is None:
            # Of a topic that was there when the session began, Kafka speaks by its name.
            is_new = by_id and self.image is None
            raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_ID if is_new else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        found = broker.open(image, self.index)
        if found is not self.partition:
            self.let_go()
        self.image, self.partition, self.epoch = image, found, broker.topics.epoch
        return found

    def let_go(self) -> None:
        """Forget the partition."""
        if self.cancel is not None:
            self.cancel()
            self.cancel = None
        self.partition = None


class Slots:
    """The partitions of one fetch, or of a session's fetches."""

    def __init__(self) -> None:
        self.slots: dict[SlotKey, Slot] = {}
        self.pending: dict[Slot, None] = {}
        self._waiters: set[asyncio.Future[None]] = set()

    def want(self, slot: Slot) -> None:
        """Look at a slot the next time."""
        self.pending[slot] = None

    def quiet(self, slot: Slot) -> None:
        """The reader has seen all of a partition: be told when there is more."""
        if slot.cancel is None:
            assert slot.partition is not None

            def moved() -> None:
                self.pending[slot] = None
                self.wake()

            slot.cancel = slot.partition.on_change(moved)

    def wake(self) -> None:
        """Let those who wait look again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, time_ms: float) -> None:
        """Until something is pending, or some time has passed."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.add(waiter)
        timer = loop.call_later(time_ms / 1000, _settle, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiters.discard(waiter)

    def close(self) -> None:
        """Let go of the partitions."""
        for slot in self.slots.values():
            slot.let_go()


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Session(Slots):
    """A session; `epoch` is what its next fetch must bring."""

    def __init__(self, session_id: int, *, by_id: bool, epoch: int, used_ms: float) -> None:
        super().__init__()
        self.id = session_id
        self.by_id = by_id
        self.epoch = epoch
        self.used_ms = used_ms

    def step(self, now_ms: float) -> None:
        """A fetch of the session has come."""
        self.epoch = 1 if self.epoch == EPOCH_MAX else self.epoch + 1
        self.used_ms = now_ms


class FetchSessions:
    """The sessions of a broker, the one used longest ago first."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._sessions: dict[int, Session] = {}

    def start(self) -> None:
        """Nothing runs by itself."""

    async def close(self) -> None:
        for session in self._sessions.values():
            session.close()
            session.wake()
        self._sessions.clear()

    def __len__(self) -> int:
        return len(self._sessions)

    def make(self, slots: Slots, *, by_id: bool) -> int:
        """A session of what was fetched just now; its id, 0 where there is no room for it."""
        limit = self._broker.configs.number("max.incremental.fetch.session.cache.slots")
        now_ms = self._broker.clock.monotonic_ms()
        if len(self._sessions) >= limit:
            oldest = next(iter(self._sessions.values()), None)
            if oldest is None or now_ms - oldest.used_ms < EVICTION_MS:
                return 0
            self.drop(oldest.id)
        number = 0
        while number == 0 or number in self._sessions:
            number = int.from_bytes(self._broker.ids.token(4), "big") & EPOCH_MAX
        session = Session(number, by_id=by_id, epoch=FIRST_EPOCH + 1, used_ms=now_ms)
        session.slots = slots.slots
        self._sessions[number] = session
        return number

    def find(self, session_id: int, epoch: int, *, by_id: bool) -> Session:
        """The session that a fetch goes on with. KafkaFault."""
        session = self._sessions.get(session_id)
        if session is None:
            raise KafkaFault(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        if session.by_id != by_id:
            raise KafkaFault(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
        if session.epoch != epoch:
            raise KafkaFault(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
        session.step(self._broker.clock.monotonic_ms())
        self._sessions[session_id] = self._sessions.pop(session_id)
        return session

    def peek(self, session_id: int) -> Session:
        """A session that was made just now."""
        return self._sessions[session_id]

    def drop(self, session_id: int) -> None:
        """End a session, if there is one."""
        session = self._sessions.pop(session_id, None)
        if session is not None:
            session.close()
            session.wake()
