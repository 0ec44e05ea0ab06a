"""What goes into a classic group and comes out of it: requests, answers, images, effects.

State   none
Source  Apache Kafka 4.3: JoinGroup, SyncGroup, LeaveGroup, GroupMetadataValue
Absent  none
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from cloudlet.kafka.groups.roster import MemberImage, Protocol, Waiter
from cloudlet.wire.kafka.error_codes import ErrorCode


class State(StrEnum):
    """Spelled as DescribeGroups and ListGroups spell them."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


class Limits(NamedTuple):
    """The broker's settings that decide."""

    initial_delay_ms: int = 100
    members_max: int = 2**31 - 1


class GroupImage(NamedTuple):
    """A group as its record keeps it."""

    protocol_type: str | None
    generation: int
    protocol: str | None
    leader: str | None
    changed_ms: int  # cloud time of the last change of state: offsets of an empty group expire from here
    members: tuple[MemberImage, ...] = ()


class Join(NamedTuple):
    """A JoinGroup request."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    protocol_type: str
    protocols: tuple[Protocol, ...]
    must_know_its_id: bool  # version 4 on: a new member first learns its name and joins again with it
    may_skip_assignment: bool  # version 9 on


class JoinedMember(NamedTuple):
    id: str
    instance_id: str | None
    metadata: bytes


class Joined(NamedTuple):
    """The answer to a join."""

    member_id: str
    error: ErrorCode = ErrorCode.NONE
    generation: int = -1
    protocol_type: str | None = None
    protocol: str | None = None
    leader: str = ""
    must_skip_assignment: bool = False
    members: tuple[JoinedMember, ...] = ()


class Synced(NamedTuple):
    """The answer to a sync."""

    error: ErrorCode = ErrorCode.NONE
    protocol_type: str | None = None
    protocol: str | None = None
    assignment: bytes = b""


class Leaver(NamedTuple):
    """Who is to leave; without a member id whoever bears the instance id."""

    member_id: str
    instance_id: str | None = None


class Answer(NamedTuple):
    waiter: Waiter
    value: Joined | Synced


class Write(NamedTuple):
    """An image to be written down; then `then` is told how it went, and when."""

    image: GroupImage
    then: Callable[[ErrorCode, float], None] | None = None


Effect = Answer | Write
