"""One partition of __share_group_state: what is kept of share-partitions, and how a change is written.

State   the partition's log; in memory what its records have said (state_records.Kept)
Source  Apache Kafka 4.3, ShareCoordinatorShard
Absent  none

A change is appended and then counts, by the same replay as at the load. After so many updates a
share-partition gets a snapshot, and with it the one whose snapshot is the oldest: so all of the log before
the oldest one is superfluous at some time, and is trimmed away. Changes of one share-partition come one at a
time; whoever makes them sees to that.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_loading import Loading, slices
from cloudlet.kafka.partition import Partition
from cloudlet.kafka.share.state_records import (
    NO_OFFSET,
    Kept,
    ShareKey,
    Snapshot,
    Span,
    StateEntry,
    Update,
    decode_entry,
    encode_entry,
)
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import ProtocolError, StoreError
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import Record, decode

log = logging.getLogger(__name__)

SLICE_BYTES = 64 << 10


class StateLog:
    """The share-partitions of one partition of the topic."""

    def __init__(self, partition: Partition, clock: Clock, updates_max: int) -> None:
        self.partition = partition
        self.kept: dict[ShareKey, Kept] = {}
        self._clock = clock
        self._updates_max = updates_max  # before another snapshot
        self._loading = Loading(partition.name, slices(partition, SLICE_BYTES, self._replay))

    async def close(self) -> None:
        await self._loading.close()

    async def ready(self) -> None:
        """Wait until the log is read; COORDINATOR_NOT_AVAILABLE if that takes longer than a moment, or cannot
        be."""
        try:
            await self._loading.ready()
        except KafkaFault as fault:
            raise KafkaFault(ErrorCode.COORDINATOR_NOT_AVAILABLE, fault.message) from None

    def _replay(self, batch: bytes, base_offset: int) -> None:
        try:
            for offset, _, key, value in decode(batch):
                entry = decode_entry(key or b"", value)
                if entry is not None:
                    self._apply(entry, offset)
        except ProtocolError:
            log.warning("%s: unreadable records at %d", self.partition.name, base_offset, exc_info=True)

    def _apply(self, entry: StateEntry, offset: int) -> None:
        key, fact = entry
        if fact is None:
            self.kept.pop(key, None)
        elif isinstance(fact, Snapshot):
            self.kept[key] = Kept(fact, offset)
        else:
            known = self.kept.get(key)
            # older than the snapshot: it lies in a batch of which a part was trimmed away
            if known is not None and known.snapshot_epoch == fact.snapshot_epoch:
                known.update(fact)

    # -- changes

    async def begin(self, key: ShareKey, start: int, leader_epoch: int) -> None:
        """A share-partition begins at an offset, whatever it was before; -1: at that which the group's
        settings name, when somebody first reads from it."""
        now_ms = self._clock.wall_ms()
        known = self.kept.get(key)
        epoch, state_epoch = (0, 0) if known is None else (known.snapshot_epoch + 1, known.state_epoch + 1)
        await self._append(
            [StateEntry(key, Snapshot(epoch, state_epoch, leader_epoch, start, 0, now_ms, now_ms))]
        )

    async def update(
        self, key: ShareKey, leader_epoch: int, start: int, done_count: int, spans: Sequence[Span]
    ) -> None:
        """Some of its records have come on, and its start perhaps."""
        known = self.kept.get(key)
        if known is None:
            raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "The share-partition was deleted.")
        await self._append(
            [StateEntry(key, Update(known.snapshot_epoch, leader_epoch, start, done_count, spans))]
        )
        known = self.kept.get(key)
        if known is not None and known.updates >= self._updates_max:
            await self._take_snapshots(key, leader_epoch)

    async def forget(self, keys: Sequence[ShareKey]) -> None:
        """Share-partitions are gone."""
        found = [StateEntry(key, None) for key in keys if key in self.kept]
        if found:
            await self._append(found)

    async def _take_snapshots(self, key: ShareKey, leader_epoch: int) -> None:
        now_ms = self._clock.wall_ms()
        entries = [StateEntry(key, self.kept[key].snapshot(now_ms, leader_epoch))]
        oldest = min(self.kept, key=lambda each: self.kept[each].offset)
        if oldest != key:
            other = self.kept[oldest]
            entries.append(StateEntry(oldest, other.snapshot(now_ms, other.leader_epoch)))
        await self._append(entries)
        try:
            self.partition.trim(min(each.offset for each in self.kept.values()))
        except StoreError as error:
            log.warning("%s: not trimmed: %s", self.partition.name, error)

    async def _append(self, entries: Sequence[StateEntry]) -> None:
        records = []
        for entry in entries:
            key, value = encode_entry(entry)
            records.append(Record(value, key))
        try:
            appended = await self.partition.append_records(records)
        except KafkaFault as fault:
            raise KafkaFault(ErrorCode.COORDINATOR_NOT_AVAILABLE, fault.message) from None
        except StoreError as error:
            log.warning("%s: %s", self.partition.name, error)
            raise KafkaFault(ErrorCode.COORDINATOR_NOT_AVAILABLE, "The log cannot be written.") from None
        for place, entry in enumerate(entries):
            self._apply(entry, appended.base_offset + place)


def is_begun(kept: Kept | None) -> bool:
    """Whether somebody has read from it."""
    return kept is not None and kept.start != NO_OFFSET
