"""The replicas of a partition as its leader knows them: who is in sync, and what is thereby committed.

State   derived: the in-sync set is a key's (("kafka", "partition", …)), log ends come with followers' fetches
Source  Apache Kafka 4.3, core/.../cluster/Partition, KIP-966
Absent  followers, until there are several brokers: the leader is alone in sync

Theory of operation
    The high watermark is the lowest log end over those who count: the in-sync set, and, until the change of
    it is confirmed, also whoever is about to join it. It never falls, and does not rise while the set is
    smaller than min.insync.replicas: what was acknowledged to acks=all is then on so many logs. Where there
    are not so many replicas at all, all of them are enough.
"""

from __future__ import annotations

from collections.abc import Iterable


class Replicas:
    """One partition's; ids are brokers'."""

    __slots__ = ("_counted", "_ends", "assigned", "in_sync", "is_alone", "joining", "leader")

    def __init__(self, leader: int, assigned: Iterable[int] = (), in_sync: Iterable[int] = ()) -> None:
        self.leader = leader
        self.assigned = frozenset(assigned) | {leader}
        self.in_sync = frozenset(in_sync) | {leader}
        self.joining: frozenset[int] = frozenset()
        self._ends: dict[int, int] = {}
        self._counted = self.in_sync - {leader}
        self.is_alone = len(self.assigned) == 1 and not self._counted  # what it has is committed

    def change(self, in_sync: Iterable[int], joining: Iterable[int] = ()) -> None:
        """A change of the in-sync set was confirmed, or one by which `joining` come in is under way."""
        self.in_sync = frozenset(in_sync) | {self.leader}
        self.joining = frozenset(joining)
        self._counted = (self.in_sync | self.joining) - {self.leader}
        self.is_alone = len(self.assigned) == 1 and not self._counted

    def fetched(self, replica: int, offset: int) -> None:
        """A follower fetches from `offset`: so far its log goes."""
        self._ends[replica] = offset

    def end(self, replica: int) -> int:
        """Where a follower's log ends, as far as is known; -1 before it has fetched."""
        return self._ends.get(replica, -1)

    def least(self, in_sync_min: int) -> int:
        """How many have to be in sync, if min.insync.replicas is `in_sync_min`."""
        return min(in_sync_min, len(self.assigned))

    def committed(self, own_end: int, in_sync_min: int) -> int:
        """How far the log is committed by what is known now; -1 while too few are in sync."""
        if len(self.in_sync) < self.least(in_sync_min):
            return -1
        if not self._counted:
            return own_end
        return min(own_end, *(self.end(replica) for replica in self._counted))
