"""Committed offsets, and those of transactions that have not ended.

State   in memory    what the offset records of one __consumer_offsets partition say; changed by replay alone
Source  Apache Kafka 4.3: OffsetCommitValue, KIP-98 (transactional offsets), KIP-211 (expiry), KIP-447
Absent  none

Theory of operation
    An offset that a producer writes within a transaction stays aside, by producer id, until the transaction's
    marker comes by in the same log. A commit moves it to the others unless a later record has been committed
    there meanwhile: compaction keeps the last record of a key, so the last must win however they came.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Committed(NamedTuple):
    """One committed offset."""

    offset: int
    leader_epoch: int
    metadata: str
    commit_ms: int  # cloud time
    expire_ms: int = -1  # asked for by a client of old (OffsetCommit below version 5)
    record_offset: int = -1
    topic_id: bytes = bytes(16)  # zeroes where the client did not say


ByPartition = dict[str, dict[int, Committed]]
"""Topic -> partition -> what is committed."""


class Offsets:
    """The offsets of all groups of one partition of the internal topic."""

    __slots__ = ("_committed", "_open", "_pending")

    def __init__(self) -> None:
        self._committed: dict[str, ByPartition] = {}
        self._pending: dict[int, dict[str, ByPartition]] = {}  # by producer id, by group
        self._open: dict[str, set[int]] = {}  # the producers with pending offsets in a group

    def replay(
        self, group: str, topic: str, partition: int, committed: Committed | None, producer_id: int = -1
    ) -> None:
        """Take in one record; None is a tombstone, which takes pending offsets back as well."""
        if committed is None:
            _remove(self._committed, group, topic, partition)
            for producer in self._open.get(group, ()):
                _remove(self._pending.get(producer, {}), group, topic, partition)
        elif producer_id < 0:
            self._committed.setdefault(group, {}).setdefault(topic, {})[partition] = committed
        else:
            groups = self._pending.setdefault(producer_id, {})
            groups.setdefault(group, {}).setdefault(topic, {})[partition] = committed
            self._open.setdefault(group, set()).add(producer_id)

    def replay_marker(self, producer_id: int, *, is_commit: bool) -> None:
        """The transaction of a producer has ended."""
        for group, topics in self._pending.pop(producer_id, {}).items():
            self._close(group, producer_id)
            if is_commit:
                for topic, partition, committed in _each(topics):
                    known = self.find(group, topic, partition)
                    if known is None or committed.record_offset > known.record_offset:
                        self.replay(group, topic, partition, committed)
        for group in [group for group, producers in self._open.items() if producer_id in producers]:
            self._close(group, producer_id)  # all that was pending there had been taken back

    def _close(self, group: str, producer_id: int) -> None:
        producers = self._open.get(group)
        if producers is not None:
            producers.discard(producer_id)
            if not producers:
                del self._open[group]

    def find(self, group: str, topic: str, partition: int) -> Committed | None:
        return self._committed.get(group, {}).get(topic, {}).get(partition)

    def topics(self, group: str) -> ByPartition:
        """All that is committed in a group; not to be changed."""
        return self._committed.get(group, {})

    def groups(self) -> Iterator[str]:
        """The groups with committed offsets."""
        return iter(self._committed)

    def is_pending(self, group: str, topic: str, partition: int) -> bool:
        """Whether a transaction is under way that may commit this one."""
        return any(
            partition in self._pending.get(producer, {}).get(group, {}).get(topic, {})
            for producer in self._open.get(group, ())
        )

    def has_open(self, group: str) -> bool:
        """Whether a transaction is under way that has committed in this group."""
        return group in self._open

    def each(self, group: str) -> list[tuple[str, int]]:
        """The (topic, partition) of everything in a group, committed or pending, once."""
        found = dict.fromkeys(
            (topic, partition) for topic, partition, _ in _each(self._committed.get(group, {}))
        )
        for producer in self._open.get(group, ()):
            for topic, partition, _ in _each(self._pending.get(producer, {}).get(group, {})):
                found[topic, partition] = None
        return list(found)

    def of_topic(self, topic: str) -> list[tuple[str, int]]:
        """The (group, partition) that have something in a topic."""
        groups = dict.fromkeys([*self._committed, *self._open])
        return [
            (group, partition) for group in groups for name, partition in self.each(group) if name == topic
        ]


def _each(topics: ByPartition) -> Iterator[tuple[str, int, Committed]]:
    for topic, partitions in topics.items():
        for partition, committed in partitions.items():
            yield topic, partition, committed


def _remove(groups: dict[str, ByPartition], group: str, topic: str, partition: int) -> None:
    topics = groups.get(group, {})
    partitions = topics.get(topic, {})
    if partitions.pop(partition, None) is not None:
        if not partitions:
            del topics[topic]
        if not topics:
            del groups[group]
