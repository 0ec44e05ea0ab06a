"""What a share group is made of: members, and the facts that its records state.

State   none
Source  Apache Kafka 4.3: ShareGroupHeartbeat, and ShareGroup*Key/Value of __consumer_offsets
Absent  none
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cloudlet.kafka.groups.assignors import Assignment, TopicId
from cloudlet.kafka.groups.consumer_values import CurrentFact, GroupFact, TargetEpochFact, TargetFact


@dataclass(frozen=True, slots=True)
class ShareMember:
    """A member: who it is and what it wants, and what it has now."""

    id: str
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topics: tuple[str, ...] = ()
    epoch: int = 0
    previous_epoch: int = 0
    assigned: Assignment = field(default_factory=dict)


class StateTopic(NamedTuple):
    """A topic of whose partitions a group keeps state."""

    name: str
    partitions: frozenset[int]


class ShareMemberFact(NamedTuple):
    """None: the member is gone."""

    member_id: str
    member: ShareMember | None


class StateTopicsFact(NamedTuple):
    """Of which partitions the group keeps state; None: of none."""

    topics: Mapping[TopicId, StateTopic] | None


ShareFact = GroupFact | ShareMemberFact | TargetEpochFact | TargetFact | CurrentFact | StateTopicsFact


class ShareBeat(NamedTuple):
    """A ShareGroupHeartbeat; what is None has not changed since the last one."""

    member_id: str
    epoch: int
    rack_id: str | None = None
    topics: tuple[str, ...] | None = None
    client_id: str = ""
    client_host: str = ""


class ShareSettings(NamedTuple):
    """The broker's, or the group's own."""

    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 5_000
    members_max: int = 200
