"""What a consumer group (KIP-848) is made of: members, and the facts that its records state.

State   none
Source  Apache Kafka 4.3: ConsumerGroupHeartbeat, and ConsumerGroup*Key/Value of __consumer_offsets
Absent  none
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple
from typing import Protocol as Interface

from cloudlet.kafka.groups.assignors import Assignment, TopicId
from cloudlet.kafka.groups.roster import Protocol

JOIN_EPOCH = 0
LEAVE_EPOCH = -1
STATIC_LEAVE_EPOCH = -2

NOTHING: Assignment = {}


class MemberState(IntEnum):
    """How far a member is on its way to its target, as its record says it."""

    STABLE = 0
    UNREVOKED_PARTITIONS = 1  # it has yet to say that it let go of some
    UNRELEASED_PARTITIONS = 2  # it waits for some that others have not let go of
    UNKNOWN = 127  # a later Kafka's


class ClassicSide(NamedTuple):
    """What a member of a consumer group has that speaks the classic protocol."""

    session_timeout_ms: int
    protocols: tuple[Protocol, ...]


@dataclass(frozen=True, slots=True)
class ConsumerMember:
    """A member: who it is and what it wants, and what it has now."""

    id: str
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topics: tuple[str, ...] = ()
    regex: str | None = None
    rebalance_timeout_ms: int = -1
    assignor: str | None = None
    classic: ClassicSide | None = None  # None: it speaks the consumer protocol
    epoch: int = 0
    previous_epoch: int = 0
    state: MemberState = MemberState.STABLE
    assigned: Assignment = field(default_factory=dict)
    revoking: Assignment = field(default_factory=dict)

    def is_reconciled_to(self, target_epoch: int) -> bool:
        return self.state is MemberState.STABLE and self.epoch == target_epoch


class Current(NamedTuple):
    """What a member has now."""

    epoch: int
    previous_epoch: int
    state: MemberState
    assigned: Assignment
    revoking: Assignment


class Matched(NamedTuple):
    """The topics that a regular expression stands for, as of an instant of cloud time."""

    topics: tuple[str, ...]
    resolved_ms: int


# The facts, one for each kind of record; None in the last field takes the fact back (a tombstone).


class GroupFact(NamedTuple):
    epoch: int | None
    topics_hash: int = 0


class MemberFact(NamedTuple):
    member_id: str
    member: ConsumerMember | None


class TargetEpochFact(NamedTuple):
    epoch: int | None


class TargetFact(NamedTuple):
    member_id: str
    target: Assignment | None


class CurrentFact(NamedTuple):
    member_id: str
    current: Current | None


class RegexFact(NamedTuple):
    regex: str
    matched: Matched | None


Fact = GroupFact | MemberFact | TargetEpochFact | TargetFact | CurrentFact | RegexFact


class Beat(NamedTuple):
    """A ConsumerGroupHeartbeat; what is None has not changed since the last one."""

    member_id: str
    epoch: int
    instance_id: str | None = None
    rack_id: str | None = None
    rebalance_timeout_ms: int = -1
    topics: tuple[str, ...] | None = None
    regex: str | None = None
    assignor: str | None = None
    owned: Assignment | None = None
    client_id: str = ""
    client_host: str = ""

    @property
    def is_full(self) -> bool:
        """Whether it says everything, as a client does at first and after errors."""
        return self.epoch == JOIN_EPOCH or (
            self.rebalance_timeout_ms != -1
            and (self.topics is not None or self.regex is not None)
            and self.owned is not None
        )


class BeatAnswer(NamedTuple):
    member_id: str
    epoch: int
    assignment: Assignment | None = None  # None: as the member knows it


class Topics(Interface):
    """The topics of the cluster, as far as a group must know them."""

    @property
    def version(self) -> int:
        """Another number whenever a topic has come, gone or grown."""

    def find(self, name: str) -> tuple[TopicId, int] | None:
        """A topic's id and number of partitions."""

    def name(self, topic: TopicId) -> str | None:
        """A topic's name by its id."""

    def names(self) -> Iterable[str]:
        """Those that a regular expression may stand for: Kafka has the internal ones among them."""


def pairs(assignment: Assignment) -> Iterable[tuple[TopicId, int]]:
    for topic, partitions in assignment.items():
        for partition in partitions:
            yield topic, partition


def is_subset(one: Assignment, other: Assignment) -> bool:
    return all(partitions <= other.get(topic, frozenset()) for topic, partitions in one.items())


def without_empty(assignment: Mapping[TopicId, frozenset[int]]) -> Assignment:
    return {topic: partitions for topic, partitions in assignment.items() if partitions}
