"""What the records of a consumer group have said so far, and since when its members are silent.

State   in memory    one group, changed by `apply` alone: what its records in __consumer_offsets say
                     beside it the sessions and rebalance deadlines of members, which a restart starts anew
Source  Apache Kafka 4.3: KIP-848
Absent  none
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from math import inf

from cloudlet.kafka.groups.assignors import TopicId
from cloudlet.kafka.groups.consumer_values import (
    LEAVE_EPOCH,
    NOTHING,
    ConsumerMember,
    Current,
    CurrentFact,
    Fact,
    GroupFact,
    Matched,
    MemberFact,
    MemberState,
    RegexFact,
    TargetEpochFact,
    TargetFact,
    pairs,
)
from cloudlet.kafka.groups.epoch_group import EpochGroup


class ConsumerState(StrEnum):
    """Spelled as ConsumerGroupDescribe and ListGroups spell them."""

    EMPTY = "Empty"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"
    STABLE = "Stable"
    DEAD = "Dead"


class ConsumerImage(EpochGroup[ConsumerMember]):
    """One group as it is; `ConsumerGroup` adds the decisions. `now_ms` is monotonic."""

    __slots__ = ("deadlines", "instances", "owners", "regexes")

    def __init__(self, group_id: str) -> None:
        super().__init__(group_id)
        self.instances: dict[str, str] = {}
        self.owners: dict[tuple[TopicId, int], str] = {}
        self.regexes: dict[str, Matched] = {}
        self.deadlines: dict[str, float] = {}  # of members that are to let go of something

    @property
    def state(self) -> ConsumerState:
        if not self.members:
            return ConsumerState.EMPTY
        if self.epoch > self.target_epoch:
            return ConsumerState.ASSIGNING
        if all(member.is_reconciled_to(self.target_epoch) for member in self.members.values()):
            return ConsumerState.STABLE
        return ConsumerState.RECONCILING

    # -- what records say

    def apply(self, fact: Fact) -> None:
        """Change the state as a record says."""
        if isinstance(fact, GroupFact | TargetEpochFact | TargetFact):
            self.apply_to_group(fact)
        elif isinstance(fact, MemberFact):
            self._apply_member(fact)
        elif isinstance(fact, CurrentFact):
            self._apply_current(fact)
        elif fact.matched is None:
            self.regexes.pop(fact.regex, None)
        else:
            self.regexes[fact.regex] = fact.matched

    def _apply_member(self, fact: MemberFact) -> None:
        old = self.members.get(fact.member_id)
        if fact.member is None:
            if old is not None:
                self._let_go(old)
                del self.members[fact.member_id]
                if old.instance_id is not None and self.instances.get(old.instance_id) == old.id:
                    del self.instances[old.instance_id]
            self.sessions.pop(fact.member_id, None)
            self.deadlines.pop(fact.member_id, None)
            return
        new = fact.member
        if old is not None:
            new = with_current(new, current_of(old))
        self.members[new.id] = new
        if new.instance_id is not None:
            self.instances[new.instance_id] = new.id

    def _apply_current(self, fact: CurrentFact) -> None:
        old = self.members.get(fact.member_id)
        if old is None:
            if fact.current is None:
                return
            # compaction may keep this record and drop the member's older one, whose newer one comes later
            old = ConsumerMember(fact.member_id)
        self._let_go(old)
        current = fact.current or Current(LEAVE_EPOCH, LEAVE_EPOCH, MemberState.STABLE, NOTHING, NOTHING)
        new = self.members[old.id] = with_current(old, current)
        for held in (new.assigned, new.revoking):
            for pair in pairs(held):
                self.owners[pair] = new.id

    def _let_go(self, member: ConsumerMember) -> None:
        for held in (member.assigned, member.revoking):
            for pair in pairs(held):
                if self.owners.get(pair) == member.id:
                    del self.owners[pair]

    # -- liveness

    def beaten(self, member_id: str, now_ms: float, session_timeout_ms: int) -> None:
        """A heartbeat of a member was answered: its session starts anew, and if it is to let go of
        something, its time for that runs from the first time that it was told."""
        member = self.members.get(member_id)
        if member is None:
            return
        self.sessions[member_id] = now_ms + self._session_ms(member, session_timeout_ms)
        if member.state is MemberState.UNREVOKED_PARTITIONS:
            self.deadlines.setdefault(member_id, now_ms + member.rebalance_timeout_ms)
        else:
            self.deadlines.pop(member_id, None)

    def expired(self, now_ms: float) -> list[str]:
        """The members whose session, or whose time to let go, has ended."""
        return [
            member_id
            for member_id in self.members
            if min(self.sessions.get(member_id, inf), self.deadlines.get(member_id, inf)) <= now_ms
        ]

    def deadline_ms(self) -> float:
        return min(
            min(self.sessions.values(), default=inf),
            min(self.deadlines.values(), default=inf),
        )

    def watch(self, now_ms: float, session_timeout_ms: int) -> None:
        """Start the session of every member that has none: after a restart, or when the group was a classic
        one just now."""
        for member_id in self.members:
            if member_id not in self.sessions:
                self.beaten(member_id, now_ms, session_timeout_ms)

    @staticmethod
    def _session_ms(member: ConsumerMember, session_timeout_ms: int) -> int:
        return session_timeout_ms if member.classic is None else member.classic.session_timeout_ms

    def must_act(self, member_id: str, now_ms: float) -> None:
        """A classic member is to join or sync within its rebalance timeout."""
        self.deadlines.setdefault(member_id, now_ms + self.members[member_id].rebalance_timeout_ms)

    def tombstones(self) -> list[Fact]:
        """The facts by which the group is gone."""
        facts = [fact for member_id in self.members for fact in removal(member_id)]
        facts += [RegexFact(regex, None) for regex in self.regexes]
        return [*facts, TargetEpochFact(None), GroupFact(None)]


def current_of(member: ConsumerMember) -> Current:
    return Current(member.epoch, member.previous_epoch, member.state, member.assigned, member.revoking)


def with_current(member: ConsumerMember, current: Current) -> ConsumerMember:
    return replace(
        member,
        epoch=current.epoch,
        previous_epoch=current.previous_epoch,
        state=current.state,
        assigned=current.assigned,
        revoking=current.revoking,
    )


NO_CURRENT = Current(0, 0, MemberState.STABLE, NOTHING, NOTHING)


def removal(member_id: str) -> list[Fact]:
    return [CurrentFact(member_id, None), TargetFact(member_id, None), MemberFact(member_id, None)]
