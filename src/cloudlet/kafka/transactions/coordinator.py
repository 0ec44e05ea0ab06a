"""The transaction coordinator of a broker: who may write in which transaction, and how each ends.

State   the topic __transaction_state (shard.py); in memory its partitions that are loaded
Source  Apache Kafka 4.3, TransactionCoordinator, TransactionMarkerChannelManager
Absent  markers to partitions that another broker leads

A partition is loaded at its first use; those that hold something are loaded soon after the start, since the
transactions in them end whether anybody asks or not: what was decided gets its markers, what is overdue is
aborted. The time-outs of open transactions run on wall time, since a live producer is not overdue when cloud
time is moved; the expiry of ids that nobody uses runs on cloud time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable

from cloudlet.kafka.broker import Broker
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.hashes import java_hash
from cloudlet.kafka.topics import TRANSACTIONS_TOPIC, TopicImage
from cloudlet.kafka.transactions.producer_ids import ProducerIds
from cloudlet.kafka.transactions.shard import Shard
from cloudlet.kafka.transactions.states import (
    NO_EPOCH,
    End,
    Identity,
    Place,
    State,
    Transaction,
    aborted,
    check_identity,
    check_member,
    completed,
    concurrent,
    ended,
    initialised,
    is_expired,
    missing,
    with_partitions,
)
from cloudlet.kernel.fault import StoreError
from cloudlet.wire.kafka.error_codes import ErrorCode

log = logging.getLogger(__name__)

COORDINATOR_EPOCH = 0
START_DELAY_SECONDS = 0.5  # what a start has to do first for its clients
LOOK_SECONDS_MAX = 10.0  # Kafka's transaction.abort.timed.out.transaction.cleanup.interval.ms
LOOK_SECONDS_MIN = 0.01
MARKERS_SECONDS = 1.0  # what the reply to EndTxn waits for them
RETRY_SECONDS = 0.1  # before markers that could not be written are tried again
GONE = frozenset(
    # What needs no marker: the partition is no more, or newer writers have fenced ours already.
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.INVALID_PRODUCER_EPOCH,
        ErrorCode.TRANSACTION_COORDINATOR_FENCED,
    }
)


class Transactions:
    """All transactions of a broker; a part of it."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.producer_ids = ProducerIds(broker.keys, broker.author("transactions"), broker.node_id)
        self._shards: dict[int, Shard] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()

    def start(self) -> None:
        """Load what holds something, and look for what is due."""
        self._spawn(self._load_soon())
        self._spawn(self._watch())

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for shard in self._shards.values():
            await shard.close()
        self._shards.clear()

    def clock_moved(self) -> None:
        """Cloud time has made a step: look for what is due by it."""
        self._look.set()

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- where an id is

    async def shard_of(self, transactional_id: str) -> Shard:
        """The loaded partition that has an id. INVALID_REQUEST for the empty one."""
        if not transactional_id:
            raise KafkaFault(ErrorCode.INVALID_REQUEST)
        image = await self.broker.internal_topic(TRANSACTIONS_TOPIC)
        shard = self._shard(image, java_hash(transactional_id) % len(image.states))
        await shard.ready()
        return shard

    def _shard(self, image: TopicImage, index: int) -> Shard:
        found = self._shards.get(index)
        if found is None:
            found = self._shards[index] = Shard(self.broker.open(image, index))
            self._spawn(self._resume(found))
        return found

    async def every(self) -> list[Transaction]:
        """All transactions; COORDINATOR_LOAD_IN_PROGRESS until all partitions are loaded."""
        found: list[Transaction] = []
        for shard in self._filled():
            await shard.ready()
            found += shard.transactions.values()
        return found

    def _filled(self) -> list[Shard]:
        """The partitions that may hold something: those that have a log."""
        image = self.broker.topics.by_name.get(TRANSACTIONS_TOPIC)
        if image is None:
            return []
        logs = set(self.broker.logs.names(f"{self.broker.log_prefix}{image.name}-"))
        return [
            self._shard(image, index)
            for index in range(len(image.states))
            if index in self._shards or self.broker.log_name(image.name, index) in logs
        ]

    async def _load_soon(self) -> None:
        await asyncio.sleep(START_DELAY_SECONDS)
        try:
            shards = self._filled()
        except StoreError as error:  # whoever asks for one of them tries again
            log.warning("%s is not loaded: %s", TRANSACTIONS_TOPIC, error)
            return
        for shard in shards:
            try:
                await shard.loaded()
            except KafkaFault as fault:
                log.warning("%s cannot be loaded: %s", shard.partition.name, fault)
        self._look.set()

    async def _resume(self, shard: Shard) -> None:
        """Write the markers of what was decided before the last crash."""
        try:
            await shard.loaded()
        except KafkaFault:
            return  # which was told
        for transaction in list(shard.transactions.values()):
            if transaction.state.is_prepared:
                self._spawn(self._complete(shard, transaction.id))

    # --- what producers ask for

    async def initialise(self, transactional_id: str, timeout_ms: int, said: Identity | None) -> Identity:
        """The producer id and epoch of whoever has the id from now on. While a transaction of the one before
        is being aborted, CONCURRENT_TRANSACTIONS: the client asks again."""
        is_allowed = 0 < timeout_ms <= self.broker.configs.number("transaction.max.timeout.ms")
        if transactional_id and not is_allowed:
            raise KafkaFault(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
        shard = await self.shard_of(transactional_id)
        async with shard.line(transactional_id):
            now = shard.transactions.get(transactional_id)
            at_ms = self.broker.clock.wall_ms()
            if now is None:
                now = Transaction(
                    transactional_id, await self.producer_ids.fresh(), NO_EPOCH, timeout_ms, updated_ms=at_ms
                )
            if now.state is State.ONGOING:
                if said is not None:
                    check_identity(now, said)
                await self._fence_and_abort(shard, now)
                raise concurrent()
            fresh = await self.producer_ids.fresh() if now.is_exhausted else None
            found = initialised(now, said, timeout_ms, at_ms, fresh)
            await shard.write(found)
        return Identity(found.producer_id, found.epoch)

    async def _fence_and_abort(self, shard: Shard, now: Transaction) -> None:
        """End a transaction that its producer has not ended; for whoever stands first in the id's line."""
        fresh = await self.producer_ids.fresh() if now.is_exhausted else None
        await shard.write(aborted(now, self.broker.clock.wall_ms(), fresh))
        self._spawn(self._complete(shard, now.id))

    async def add_partitions(
        self, transactional_id: str, said: Identity, places: Iterable[Place], *, version: int = 0
    ) -> None:
        """Make partitions part of the transaction, which begins with the first. `version` is that of
        transactions, as the client speaks."""
        shard = await self.shard_of(transactional_id)
        async with shard.line(transactional_id):
            now = check_member(shard.transactions.get(transactional_id), said)
            found = with_partitions(now, said, frozenset(places), self.broker.clock.wall_ms(), version)
            if found is not None:
                await shard.write(found)
                self._look.set()

    async def missing(
        self, transactional_id: str, said: Identity, places: Iterable[Place]
    ) -> frozenset[Place]:
        """Those of the partitions that the open transaction does not have."""
        shard = await self.shard_of(transactional_id)
        return missing(shard.transactions.get(transactional_id), said, frozenset(places))

    async def end(self, transactional_id: str, said: Identity, *, is_commit: bool, version: int) -> Identity:
        """Decide the transaction; what its producer is from then on. The markers follow by themselves, and
        are waited for a little: with all partitions at hand, whoever reads after a commit sees it."""
        shard = await self.shard_of(transactional_id)
        async with shard.line(transactional_id):
            now = shard.transactions.get(transactional_id)
            if now is None:
                raise KafkaFault(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
            fresh = await self.producer_ids.fresh() if version >= 2 and now.is_exhausted else None
            at_ms = self.broker.clock.wall_ms()
            found: End = ended(
                now, said, at_ms, is_commit=is_commit, version=version, fresh_producer_id=fresh
            )
            if found.next is not None:
                await shard.write(found.next)
        if found.next is not None:
            marking = self._spawn(self._complete(shard, transactional_id))
            await asyncio.wait([marking], timeout=MARKERS_SECONDS)
        return found.identity

    # --- markers

    async def _complete(self, shard: Shard, transactional_id: str) -> None:
        """Write a decided transaction's markers, again and again until all are written, then that it is
        complete."""
        now = shard.transactions.get(transactional_id)
        while now is not None and now.state.is_prepared:
            left = [place for place in sorted(now.partitions) if not await self._mark(now, place)]
            if not left:
                break
            await asyncio.sleep(RETRY_SECONDS)
        while now is not None:
            async with shard.line(transactional_id):
                if shard.transactions.get(transactional_id) != now:
                    return  # another has completed it
                try:
                    await shard.write(completed(now, self.broker.clock.wall_ms()))
                    return
                except KafkaFault as fault:
                    log.warning("transaction %s cannot be completed: %s", transactional_id, fault)
            await asyncio.sleep(RETRY_SECONDS)

    async def _mark(self, now: Transaction, place: Place) -> bool:
        """Write one marker; False where it is to be tried again."""
        try:
            partition = self.broker.partition(*place)
            await partition.append_marker(
                now.producer_id,
                now.epoch,
                is_commit=now.state is State.PREPARE_COMMIT,
                coordinator_epoch=COORDINATOR_EPOCH,
                transaction_version=now.version,
            )
        except KafkaFault as fault:
            if fault.code in GONE:
                return True
            log.warning("transaction %s: no marker in %s-%d: %s", now.id, *place, fault)
            return False
        except StoreError as error:
            log.warning("transaction %s: no marker in %s-%d: %s", now.id, *place, error)
            return False
        return True

    # --- what is due

    async def _watch(self) -> None:
        while True:
            wait_s = self._until_next_s()
            try:
                async with asyncio.timeout(wait_s):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            await self.look()

    def _until_next_s(self) -> float:
        """How long nothing is due, for all that one knows now."""
        now_ms = self.broker.clock.wall_ms()
        soonest = LOOK_SECONDS_MAX
        for shard in self._shards.values():
            for transaction in shard.transactions.values():
                if transaction.deadline_ms is not None:
                    soonest = min(soonest, (transaction.deadline_ms - now_ms) / 1000)
        return max(soonest, LOOK_SECONDS_MIN)

    async def look(self) -> None:
        """Abort what is overdue, forget ids that nobody uses."""
        clock = self.broker.clock
        wall_ms, cloud_ms = clock.wall_ms(), clock.cloud_ms()
        expiration_ms = self.broker.configs.number("transactional.id.expiration.ms")
        for shard in list(self._shards.values()):
            for transaction in list(shard.transactions.values()):
                is_due = transaction.deadline_ms is not None and transaction.deadline_ms <= wall_ms
                try:
                    unused_ms = cloud_ms - clock.cloud_at(transaction.updated_ms)
                    if is_due or is_expired(transaction, unused_ms, expiration_ms):
                        await self._settle(shard, transaction)
                except (KafkaFault, StoreError) as error:
                    log.warning("transaction %s: %s", transaction.id, error)

    async def _settle(self, shard: Shard, seen: Transaction) -> None:
        async with shard.line(seen.id):
            if shard.transactions.get(seen.id) != seen:
                return  # it has moved on
            if seen.state is State.ONGOING:
                log.info("transaction %s has timed out and is aborted", seen.id)
                await self._fence_and_abort(shard, seen)
            else:
                await shard.forget(seen.id)
