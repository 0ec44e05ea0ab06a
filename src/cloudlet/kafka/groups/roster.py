"""Who is in a classic group: its members, their protocols, and who leads.

State   in memory    a group's members, the names promised to those who have not joined yet
Source  Apache Kafka 4.3: KIP-62 (timeouts), KIP-345 (static members), KIP-394 (member ids)
Absent  none
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from cloudlet.kafka.faults import KafkaFault
from cloudlet.wire.kafka.error_codes import ErrorCode

UNKNOWN_MEMBER = ""
Waiter = object
"""Who waits for an answer: a future in the broker, a name in a golden script."""


class Protocol(NamedTuple):
    """A way to share the work that a member knows, and what it brings for it."""

    name: str
    metadata: bytes


class MemberImage(NamedTuple):
    """A member as its group's record keeps it."""

    id: str
    instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    subscription: bytes
    assignment: bytes


@dataclass(slots=True)
class Member:
    """A member as the coordinator knows it now."""

    id: str
    instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    protocols: tuple[Protocol, ...]
    assignment: bytes = b""
    join_waiter: Waiter | None = None
    sync_waiter: Waiter | None = None
    expires_ms: float = inf
    is_new: bool = False

    @property
    def is_satisfied(self) -> bool:
        """Whether it owes no heartbeat: it waits for us. One that has just been made may still expire, since
        a client that went away while its first join was parked would stay for ever."""
        return not self.is_new and (self.join_waiter is not None or self.sync_waiter is not None)

    def metadata(self, protocol: str | None) -> bytes:
        for each in self.protocols:
            if each.name == protocol:
                return each.metadata
        return b""


@dataclass(slots=True)
class Roster:
    """The members of one group; in the order in which they came."""

    protocol_type: str | None = None
    leader: str | None = None
    members: dict[str, Member] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)
    pending: dict[str, float] = field(default_factory=dict)
    """Names given out under KIP-394, whose bearers have yet to join, and until when we wait for them."""

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members.values())

    def __len__(self) -> int:
        return len(self.members)

    @property
    def waiting_count(self) -> int:
        return sum(member.join_waiter is not None for member in self)

    @property
    def have_all_joined(self) -> bool:
        return not self.pending and all(member.join_waiter is not None for member in self)

    @property
    def rebalance_timeout_ms(self) -> int:
        return max((member.rebalance_timeout_ms for member in self), default=0)

    def add(self, member: Member, protocol_type: str) -> None:
        if not self.members:
            self.protocol_type = protocol_type
        if member.instance_id is not None:
            self.instances[member.instance_id] = member.id
        if self.leader is None:
            self.leader = member.id
        self.members[member.id] = member
        self.pending.pop(member.id, None)

    def remove(self, member_id: str) -> None:
        self.pending.pop(member_id, None)
        member = self.members.pop(member_id, None)
        if member is not None and member.instance_id is not None:
            del self.instances[member.instance_id]
        if self.leader == member_id:
            self.leader = next(iter(self.members), None)

    def rename(self, member: Member, new_id: str) -> None:
        """Give a static member, come back, its new name: all else stays, its place in the order too."""
        old_id = member.id
        member.id = new_id
        self.members = {each.id: each for each in self.members.values()}
        if member.instance_id is not None:
            self.instances[member.instance_id] = new_id
        if self.leader == old_id:
            self.leader = new_id

    def check(self, member_id: str, instance_id: str | None) -> Member:
        """The member who calls, or the error for one who is not in the group or has been replaced."""
        if instance_id is not None:
            bearer = self.instances.get(instance_id)
            if bearer is None:
                raise KafkaFault(ErrorCode.UNKNOWN_MEMBER_ID)
            if bearer != member_id:
                raise KafkaFault(ErrorCode.FENCED_INSTANCE_ID)
        member = self.members.get(member_id)
        if member is None:
            raise KafkaFault(ErrorCode.UNKNOWN_MEMBER_ID)
        return member

    def can_join(self, protocol_type: str, protocols: tuple[Protocol, ...]) -> bool:
        """Whether all who are here know one of the protocols that a joining member brings."""
        if not protocol_type or not protocols:
            return False
        if not self.members:
            return True
        return protocol_type == self.protocol_type and any(
            protocol.name in self.shared_protocols() for protocol in protocols
        )

    def shared_protocols(self) -> set[str]:
        """The protocols that every member knows."""
        return set.intersection(*({each.name for each in member.protocols} for member in self))

    def select_protocol(self) -> str:
        """The protocol with most votes; a member votes for the first of its own that all know. What the
        first member likes wins a tie."""
        shared = self.shared_protocols()
        votes: dict[str, int] = {}
        for member in self:
            vote = next(each.name for each in member.protocols if each.name in shared)
            votes[vote] = votes.get(vote, 0) + 1
        return max(votes, key=lambda name: votes[name])

    def elect_joined_leader(self) -> bool:
        """Keep the leader if it has joined, else take the first who has; False where nobody has."""
        if self.leader is None:
            return False
        if self.members[self.leader].join_waiter is not None:
            return True
        for member in self:
            if member.join_waiter is not None:
                self.leader = member.id
                return True
        return False
