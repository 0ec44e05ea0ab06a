"""A share group: its members say what they want by heartbeats, and are told what they have.

State   in memory    one group, changed by `apply` alone: what its records in __consumer_offsets say
                     beside it the sessions of members, which a restart starts anew
Source  Apache Kafka 4.3: KIP-932; texts of errors as Kafka gives them
Absent  share.assignment.interval.ms: an assignment is computed as soon as something has changed

Theory of operation
    Epochs follow each other as in a consumer group (groups/consumer.py), but nobody has to let go of a
    partition before another gets it: a member goes to its target in one step. The state of a share-partition
    begins with its first subscriber: the group notes that it has one, and is assigned it, in one commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from math import inf

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.assignors import Assignment, Candidate, TopicId
from cloudlet.kafka.groups.consumer import metadata_hash
from cloudlet.kafka.groups.consumer_values import (
    JOIN_EPOCH,
    NOTHING,
    BeatAnswer,
    Current,
    CurrentFact,
    GroupFact,
    MemberState,
    TargetEpochFact,
    TargetFact,
    Topics,
)
from cloudlet.kafka.groups.epoch_group import EpochGroup
from cloudlet.kafka.share.assignor import assign_simple
from cloudlet.kafka.share.group_values import (
    ShareBeat,
    ShareFact,
    ShareMember,
    ShareMemberFact,
    ShareSettings,
    StateTopic,
    StateTopicsFact,
)
from cloudlet.wire.kafka.error_codes import ErrorCode

ASSIGNOR = "simple"


class ShareState(StrEnum):
    """Spelled as ShareGroupDescribe and ListGroups spell them."""

    EMPTY = "Empty"
    STABLE = "Stable"
    DEAD = "Dead"


class ShareGroup(EpochGroup[ShareMember]):
    """One group. `now_ms` is monotonic."""

    __slots__ = ("state_topics",)

    def __init__(self, group_id: str) -> None:
        super().__init__(group_id)
        self.state_topics: Mapping[TopicId, StateTopic] = {}

    @property
    def state(self) -> ShareState:
        return ShareState.STABLE if self.members else ShareState.EMPTY

    # -- what records say

    def apply(self, fact: ShareFact) -> None:
        """Change the state as a record says."""
        if isinstance(fact, GroupFact | TargetEpochFact | TargetFact):
            self.apply_to_group(fact)
        elif isinstance(fact, StateTopicsFact):
            self.state_topics = fact.topics or {}
        elif isinstance(fact, ShareMemberFact):
            self._apply_member(fact)
        else:
            self._apply_current(fact)

    def _apply_member(self, fact: ShareMemberFact) -> None:
        old = self.members.pop(fact.member_id, None)
        if fact.member is None:
            self.sessions.pop(fact.member_id, None)
            return
        new = fact.member
        if old is not None:
            new = replace(new, epoch=old.epoch, previous_epoch=old.previous_epoch, assigned=old.assigned)
        self.members[new.id] = new

    def _apply_current(self, fact: CurrentFact) -> None:
        member = self.members.get(fact.member_id)
        if fact.current is None:
            return  # the member's own tombstone follows, or came before
        # compaction may keep this record and drop the member's older one, whose newer one comes later
        member = member or ShareMember(fact.member_id)
        now = fact.current
        self.members[member.id] = replace(
            member, epoch=now.epoch, previous_epoch=now.previous_epoch, assigned=now.assigned
        )

    # -- decisions

    def heartbeat(
        self, beat: ShareBeat, topics: Topics, settings: ShareSettings
    ) -> tuple[BeatAnswer, list[ShareFact]]:
        """Decide on a heartbeat of a member that joins or is in the group: the answer, and what it rests
        on."""
        if len(self.members) >= settings.members_max and beat.member_id not in self.members:
            raise KafkaFault(
                ErrorCode.GROUP_MAX_SIZE_REACHED,
                f"The share group has reached its maximum capacity of {settings.members_max} members.",
            )
        member = self._caller(beat)
        updated = replace(
            member,
            rack_id=member.rack_id if beat.rack_id is None else beat.rack_id,
            topics=member.topics if beat.topics is None else tuple(sorted(set(beat.topics))),
            client_id=beat.client_id,
            client_host=beat.client_host,
        )
        facts: list[ShareFact] = []
        is_new = member.id not in self.members
        if is_new or updated != member:
            facts.append(ShareMemberFact(updated.id, updated))
        members = {**self.members, updated.id: updated}
        targets, target_epoch = self._targets_for(
            members, topics, facts, must_bump=is_new or updated.topics != member.topics
        )
        target = targets.get(updated.id, NOTHING)
        moved = updated
        if updated.epoch != target_epoch or updated.assigned != target:
            moved = replace(updated, epoch=target_epoch, previous_epoch=updated.epoch, assigned=target)
            current = Current(moved.epoch, moved.previous_epoch, MemberState.STABLE, target, NOTHING)
            facts.append(CurrentFact(moved.id, current))
        is_told = beat.epoch == JOIN_EPOCH or beat.topics is not None or moved.assigned != member.assigned
        return BeatAnswer(moved.id, moved.epoch, moved.assigned if is_told else None), facts

    def _caller(self, beat: ShareBeat) -> ShareMember:
        known = self.members.get(beat.member_id)
        if beat.epoch == JOIN_EPOCH:
            return known or ShareMember(beat.member_id)
        member = self.member(beat.member_id)
        if beat.epoch > member.epoch:
            raise KafkaFault(
                ErrorCode.FENCED_MEMBER_EPOCH,
                f"The share group member has a greater member epoch ({beat.epoch}) than the one known by the "
                f"group coordinator ({member.epoch}). The member must abandon all its partitions and rejoin.",
            )
        if beat.epoch not in (member.epoch, member.previous_epoch):
            raise KafkaFault(
                ErrorCode.FENCED_MEMBER_EPOCH,
                f"The share group member has a smaller member epoch ({beat.epoch}) than the one known by the "
                f"group coordinator ({member.epoch}), and it does not match the previous member epoch "
                f"({member.previous_epoch}). The member must abandon all its partitions and rejoin.",
            )
        return member

    def _targets_for(
        self, members: Mapping[str, ShareMember], topics: Topics, facts: list[ShareFact], *, must_bump: bool
    ) -> tuple[Mapping[str, Assignment], int]:
        """Who is to have what, and for which epoch that holds; what differs from before is added to the
        facts."""
        epoch = self.epoch
        if not must_bump and self.checked_version == topics.version and epoch <= self.target_epoch:
            return self.targets, self.target_epoch
        wanted = _wanted(members.values(), topics)
        topics_hash = metadata_hash(wanted)
        if must_bump or topics_hash != self.topics_hash:
            epoch += 1
            facts.append(GroupFact(epoch, topics_hash))
        else:
            self.checked_version = topics.version
        state_topics = self._state_topics(wanted)
        if state_topics != self.state_topics:
            facts.append(StateTopicsFact(state_topics))
        if epoch <= self.target_epoch:
            return self.targets, self.target_epoch
        candidates = [
            Candidate(
                member.id,
                None,
                frozenset(wanted[name][0] for name in member.topics if name in wanted),
                self.targets.get(member.id, NOTHING),
            )
            for member in members.values()
        ]
        targets = assign_simple(candidates, dict(wanted.values()))
        for member_id, target in targets.items():
            if self.targets.get(member_id) != target:
                facts.append(TargetFact(member_id, target))
        facts.append(TargetEpochFact(epoch))
        return targets, epoch

    def _state_topics(self, wanted: Mapping[str, tuple[TopicId, int]]) -> dict[TopicId, StateTopic]:
        found = dict(self.state_topics)
        for name, (topic, count) in wanted.items():
            known = found.get(topic)
            if known is None or len(known.partitions) < count:
                found[topic] = StateTopic(name, frozenset(range(count)))
        return found

    def fence(self, member_ids: Sequence[str], topics: Topics) -> list[ShareFact]:
        """The facts by which members are gone."""
        facts = [fact for member_id in member_ids for fact in removal(member_id)]
        left = [member for member in self.members.values() if member.id not in member_ids]
        facts.append(GroupFact(self.epoch + 1, metadata_hash(_wanted(left, topics))))
        return facts

    def with_state(self, topics: Mapping[TopicId, StateTopic]) -> list[ShareFact]:
        """The facts by which the group keeps state of these topics too."""
        found = dict(self.state_topics)
        for topic, state in topics.items():
            known = found.get(topic)
            partitions = state.partitions | (known.partitions if known else frozenset())
            found[topic] = StateTopic(state.name, partitions)
        facts: list[ShareFact] = [] if self.epoch else [GroupFact(self.epoch, self.topics_hash)]
        return [*facts, StateTopicsFact(found)]

    def without_state(self, topics: Iterable[TopicId]) -> list[ShareFact]:
        """The facts by which the group keeps no state of these topics any more."""
        gone = set(topics)
        left = {topic: state for topic, state in self.state_topics.items() if topic not in gone}
        return [StateTopicsFact(left)] if len(left) != len(self.state_topics) else []

    def tombstones(self) -> list[ShareFact]:
        """The facts by which the group is gone."""
        facts = [fact for member_id in self.members for fact in removal(member_id)]
        return [*facts, TargetEpochFact(None), StateTopicsFact(None), GroupFact(None)]

    # -- liveness

    def beaten(self, member_id: str, now_ms: float, session_timeout_ms: int) -> None:
        """A heartbeat of a member was answered: its session starts anew."""
        if member_id in self.members:
            self.sessions[member_id] = now_ms + session_timeout_ms

    def watch(self, now_ms: float, session_timeout_ms: int) -> None:
        """Start the session of every member that has none."""
        for member_id in self.members:
            self.sessions.setdefault(member_id, now_ms + session_timeout_ms)

    def expired(self, now_ms: float) -> list[str]:
        return [member_id for member_id in self.members if self.sessions.get(member_id, inf) <= now_ms]

    def deadline_ms(self) -> float:
        return min(self.sessions.values(), default=inf)

    # -- questions

    def has_state(self, topic: TopicId, index: int) -> bool:
        known = self.state_topics.get(topic)
        return known is not None and index in known.partitions


def _wanted(members: Iterable[ShareMember], topics: Topics) -> dict[str, tuple[TopicId, int]]:
    """The topics that exist of those that members have subscribed to."""
    names = {name for member in members for name in member.topics}
    found = ((name, topics.find(name)) for name in sorted(names))
    return {name: place for name, place in found if place is not None}


def removal(member_id: str) -> list[ShareFact]:
    return [CurrentFact(member_id, None), TargetFact(member_id, None), ShareMemberFact(member_id, None)]
