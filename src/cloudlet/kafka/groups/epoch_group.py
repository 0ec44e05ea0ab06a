"""What groups have in common whose members are told by heartbeats what they have: consumer and share groups.

State   in memory    the epochs of the group and of its target, its members, what each is to have, and since
                     when they are silent
Source  Apache Kafka 4.3: ModernGroup; KIP-848, KIP-932
Absent  none
"""

from __future__ import annotations

from typing import Generic, TypeVar

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.assignors import Assignment
from cloudlet.kafka.groups.consumer_values import GroupFact, TargetEpochFact, TargetFact
from cloudlet.wire.kafka.error_codes import ErrorCode

M = TypeVar("M")


class EpochGroup(Generic[M]):
    """One group of members of a kind."""

    __slots__ = (
        "checked_version",
        "epoch",
        "id",
        "members",
        "sessions",
        "target_epoch",
        "targets",
        "topics_hash",
    )

    def __init__(self, group_id: str) -> None:
        self.id = group_id
        self.epoch = 0
        self.topics_hash = 0
        self.target_epoch = 0
        self.members: dict[str, M] = {}
        self.targets: dict[str, Assignment] = {}
        self.sessions: dict[str, float] = {}  # when each is over
        self.checked_version = -1  # of the topics, when they were last compared with the group's hash

    def apply_to_group(self, fact: GroupFact | TargetEpochFact | TargetFact) -> None:
        """Change the state as a record says that is not of one member alone."""
        if isinstance(fact, GroupFact):
            self.epoch, self.topics_hash = fact.epoch or 0, fact.topics_hash
        elif isinstance(fact, TargetEpochFact):
            self.target_epoch = fact.epoch or 0
        elif fact.target is None:
            self.targets.pop(fact.member_id, None)
        else:
            self.targets[fact.member_id] = fact.target

    def member(self, member_id: str) -> M:
        """A member; UNKNOWN_MEMBER_ID."""
        found = self.members.get(member_id)
        if found is None:
            raise KafkaFault(
                ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {self.id}."
            )
        return found
