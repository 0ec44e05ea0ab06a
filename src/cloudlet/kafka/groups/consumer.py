"""A consumer group (KIP-848): its members say what they want by heartbeats, and are told what they have.

State   none beside its image (consumer_image.py)
Source  Apache Kafka 4.3: KIP-848; texts of errors as Kafka gives them
Absent  none

Members of the classic protocol in the same group are in mixed.py.

Theory of operation
    Three epochs follow each other: the *group epoch* goes up when the members or their topics change, the
    *target epoch* says for which group epoch the target (who is to have what) was computed, and each
    *member's epoch* how far it has come. `heartbeat` decides on all three at once, on what is known now, and
    returns facts; nothing has changed until they have been written and come back through `apply`.

        change of members, subscriptions, topics -> group epoch + 1 -> new target -> each member, step by step
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.assignors import ASSIGNORS, Assignment, Candidate, TopicId
from cloudlet.kafka.groups.consumer_image import NO_CURRENT, ConsumerImage, current_of, removal, with_current
from cloudlet.kafka.groups.consumer_values import (
    JOIN_EPOCH,
    NOTHING,
    STATIC_LEAVE_EPOCH,
    Beat,
    BeatAnswer,
    ConsumerMember,
    CurrentFact,
    Fact,
    GroupFact,
    Matched,
    MemberFact,
    RegexFact,
    TargetEpochFact,
    TargetFact,
    Topics,
    is_subset,
)
from cloudlet.kafka.groups.reconcile import reconcile
from cloudlet.kafka.groups.regexes import compiled
from cloudlet.wire.kafka.error_codes import ErrorCode

DEFAULT_ASSIGNOR = next(iter(ASSIGNORS))


class ConsumerSettings(NamedTuple):
    """The broker's, or the group's own."""

    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 5_000
    members_max: int = 2**31 - 1
    assignor: str = DEFAULT_ASSIGNOR


class ConsumerGroup(ConsumerImage):
    """One group and its decisions. `cloud_ms` is cloud time."""

    __slots__ = ()

    def heartbeat(
        self, beat: Beat, topics: Topics, settings: ConsumerSettings, cloud_ms: int
    ) -> tuple[BeatAnswer, list[Fact]]:
        """Decide on a heartbeat of a member that joins or is in the group: the answer, and what it rests on.

        Once the facts are written, `beaten` starts the member's session anew."""
        self.check_room(beat.member_id, settings)
        facts: list[Fact] = []
        member, replaced = self._caller(beat, facts)
        moved = self.step(
            member, _updated(member, beat), replaced, beat.owned, facts, topics, settings, cloud_ms
        )
        is_told = beat.is_full or moved.assigned != member.assigned or moved.revoking != member.revoking
        return BeatAnswer(moved.id, moved.epoch, moved.assigned if is_told else None), facts

    def check_room(self, member_id: str, settings: ConsumerSettings) -> None:
        if len(self.members) >= settings.members_max and member_id not in self.members:
            raise KafkaFault(
                ErrorCode.GROUP_MAX_SIZE_REACHED,
                f"The consumer group has reached its maximum capacity of {settings.members_max} members.",
            )

    def step(
        self,
        member: ConsumerMember,
        updated: ConsumerMember,
        replaced: str | None,
        owned: Assignment | None,
        facts: list[Fact],
        topics: Topics,
        settings: ConsumerSettings,
        cloud_ms: int,
    ) -> ConsumerMember:
        """Take in what a member says anew, and take it one step towards its target; the facts are added.
        `replaced` is the one whose place it takes, `owned` what it says that it has."""
        is_new = member.id not in self.members and replaced is None
        if is_new or _identity(updated) != _identity(member):
            facts.append(MemberFact(updated.id, updated))
        must_bump = is_new or (updated.topics, updated.regex) != (member.topics, member.regex)
        members = self._with(updated, replaced)
        epoch, targets = self.epoch, self.targets
        wanted: Mapping[str, tuple[TopicId, int]] | None = None
        if must_bump or self.checked_version != topics.version:
            wanted = self._wanted(members.values(), topics, facts, cloud_ms)
            topics_hash = metadata_hash(wanted)
            if must_bump or topics_hash != self.topics_hash:
                epoch += 1
                facts.append(GroupFact(epoch, topics_hash))
            else:
                self.checked_version = topics.version
        target_epoch = self.target_epoch
        if epoch > target_epoch:
            target_epoch = epoch
            if wanted is None:
                wanted = self._wanted(members.values(), topics, facts, cloud_ms)
            targets = self._targets(members.values(), wanted, settings, facts, replaced)
            facts.append(TargetEpochFact(target_epoch))
        old_id = updated.id if replaced is None else replaced
        target = targets.get(updated.id, targets.get(old_id, NOTHING))
        mine = (None, updated.id, old_id)

        def is_free(topic: TopicId, partition: int) -> bool:
            return self.owners.get((topic, partition)) in mine

        moved = reconcile(updated, target_epoch, target, is_free, owned)
        if moved != updated:
            facts.append(CurrentFact(moved.id, current_of(moved)))
        return moved

    def leave(self, beat: Beat, topics: Topics, cloud_ms: int) -> tuple[BeatAnswer, list[Fact]]:
        """Decide on a heartbeat that says good-bye: for good, or (static) until the session ends."""
        if beat.instance_id is None:
            member = self.member(beat.member_id)
        else:
            member = self.static_caller(beat.instance_id, beat.member_id)
        if beat.epoch == STATIC_LEAVE_EPOCH:
            current = current_of(member)._replace(epoch=STATIC_LEAVE_EPOCH, revoking=NOTHING)
            return BeatAnswer(member.id, beat.epoch), [CurrentFact(member.id, current)]
        return BeatAnswer(member.id, beat.epoch), self.fence([member.id], topics, cloud_ms)

    def fence(self, member_ids: Sequence[str], topics: Topics, cloud_ms: int) -> list[Fact]:
        """The facts by which members are gone."""
        facts = [fact for member_id in member_ids for fact in removal(member_id)]
        left = [member for member in self.members.values() if member.id not in member_ids]
        wanted = self._wanted(left, topics, facts, cloud_ms)
        facts.append(GroupFact(self.epoch + 1, metadata_hash(wanted)))
        return facts

    # -- decisions

    def _caller(self, beat: Beat, facts: list[Fact]) -> tuple[ConsumerMember, str | None]:
        """The member that beats, perhaps a new one, and the id of the one whose place it takes."""
        if beat.instance_id is None:
            if beat.epoch == JOIN_EPOCH:
                known = self.members.get(beat.member_id)
                # one that was fenced, gave up all it had, and comes again under its name
                fresh = ConsumerMember(beat.member_id)
                return (fresh if known is None else with_current(known, current_of(fresh))), None
            member = self.member(beat.member_id)
        elif beat.epoch == JOIN_EPOCH:
            return self.static_joiner(beat.instance_id, beat.member_id, facts, is_classic=False)
        else:
            member = self.static_caller(beat.instance_id, beat.member_id)
        _check_epoch(member, beat)
        return member, None

    def static_joiner(
        self, instance_id: str, member_id: str, facts: list[Fact], *, is_classic: bool
    ) -> tuple[ConsumerMember, str | None]:
        """A static member that joins, and the id of the one whose place it takes: between members of the
        consumer protocol only of one that has left."""
        bearer = self.instances.get(instance_id)
        if bearer is None:
            return ConsumerMember(member_id), None
        old = self.members[bearer]
        if not is_classic and old.classic is None and old.epoch != STATIC_LEAVE_EPOCH:
            raise KafkaFault(
                ErrorCode.UNRELEASED_INSTANCE_ID,
                f"Static member {member_id} with instance id {instance_id} cannot join the group "
                f"because the instance id is owned by {old.id} member.",
            )
        new = replace(old, id=member_id, epoch=0, previous_epoch=0)
        facts += removal(old.id)
        facts.append(MemberFact(new.id, new))
        facts.append(TargetFact(new.id, self.targets.get(old.id, NOTHING)))
        facts.append(CurrentFact(new.id, current_of(new)))
        return new, old.id

    def static_caller(self, instance_id: str, member_id: str) -> ConsumerMember:
        """The static member that calls; UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID."""
        bearer = self.instances.get(instance_id)
        if bearer is None:
            raise KafkaFault(ErrorCode.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")
        if bearer != member_id:
            raise KafkaFault(
                ErrorCode.FENCED_INSTANCE_ID,
                f"Static member {member_id} with instance id {instance_id} was fenced by member {bearer}.",
            )
        return self.members[bearer]

    def _with(self, updated: ConsumerMember, replaced: str | None) -> dict[str, ConsumerMember]:
        members = {each.id: each for each in self.members.values() if each.id != replaced}
        members[updated.id] = updated
        return members

    def _wanted(
        self, members: Iterable[ConsumerMember], topics: Topics, facts: list[Fact], cloud_ms: int
    ) -> dict[str, tuple[TopicId, int]]:
        """The topics that exist of those that the members want; expressions are resolved on the way, and
        those that nobody has any more forgotten."""
        names: set[str] = set()
        regexes: set[str] = set()
        for member in members:
            names.update(member.topics)
            if member.regex:
                regexes.add(member.regex)
        for regex in sorted(regexes):
            matched = self._matched(regex, topics, facts, cloud_ms)
            names.update(matched)
        for regex in self.regexes:
            if regex not in regexes and RegexFact(regex, None) not in facts:
                facts.append(RegexFact(regex, None))
        found = ((name, topics.find(name)) for name in sorted(names))
        return {name: place for name, place in found if place is not None}

    def _matched(self, regex: str, topics: Topics, facts: list[Fact], cloud_ms: int) -> tuple[str, ...]:
        for fact in facts:
            if isinstance(fact, RegexFact) and fact.regex == regex and fact.matched is not None:
                return fact.matched.topics
        known = self.regexes.get(regex)
        if known is not None and self.checked_version == topics.version:
            return known.topics
        matches = compiled(regex)
        names = tuple(sorted(name for name in topics.names() if matches(name)))
        if known is None or known.topics != names:
            facts.append(RegexFact(regex, Matched(names, cloud_ms)))
        return names

    def _targets(
        self,
        members: Iterable[ConsumerMember],
        wanted: Mapping[str, tuple[TopicId, int]],
        settings: ConsumerSettings,
        facts: list[Fact],
        replaced: str | None,
    ) -> dict[str, Assignment]:
        """Who is to have what from now on; what differs from before is added to the facts."""
        votes: dict[str, int] = {}
        candidates = []
        resolved = {fact.regex: fact.matched for fact in facts if isinstance(fact, RegexFact)}
        for member in members:
            if member.assignor:
                votes[member.assignor] = votes.get(member.assignor, 0) + 1
            names = set(member.topics)
            if member.regex:
                matched = resolved.get(member.regex) or self.regexes.get(member.regex)
                names.update(matched.topics if matched else ())
            ids = frozenset(wanted[name][0] for name in names if name in wanted)
            old = self.targets.get(member.id)
            if old is None and replaced is not None and member.id not in self.members:
                old = self.targets.get(replaced)
            candidates.append(Candidate(member.id, member.instance_id, ids, old or NOTHING))
        name = max(votes, key=lambda each: votes[each]) if votes else settings.assignor
        targets = ASSIGNORS[name](candidates, dict(wanted.values()))
        for member_id, target in targets.items():
            if self.targets.get(member_id) != target:
                facts.append(TargetFact(member_id, target))
        return targets


def _check_epoch(member: ConsumerMember, beat: Beat) -> None:
    if beat.epoch == member.epoch:
        return
    size = "greater" if beat.epoch > member.epoch else "smaller"
    # "If the member comes with the previous epoch and has a subset of the current assignment partitions, the
    # coordinator accepts it because the response with the bumped epoch may have been lost."
    is_late = beat.epoch == member.previous_epoch and beat.owned is not None
    if size == "smaller" and is_late and is_subset(beat.owned or NOTHING, member.assigned):
        return
    raise KafkaFault(
        ErrorCode.FENCED_MEMBER_EPOCH,
        f"The consumer group member has a {size} member epoch ({beat.epoch}) than the one known by the group "
        f"coordinator ({member.epoch}). The member must abandon all its partitions and rejoin.",
    )


def _updated(member: ConsumerMember, beat: Beat) -> ConsumerMember:
    """The member with what the heartbeat says anew; an empty expression takes the old one back."""
    return replace(
        member,
        instance_id=member.instance_id if beat.instance_id is None else beat.instance_id,
        rack_id=member.rack_id if beat.rack_id is None else beat.rack_id,
        rebalance_timeout_ms=(
            member.rebalance_timeout_ms if beat.rebalance_timeout_ms == -1 else beat.rebalance_timeout_ms
        ),
        topics=member.topics if beat.topics is None else tuple(sorted(set(beat.topics))),
        regex=member.regex if beat.regex is None else beat.regex or None,
        assignor=member.assignor if beat.assignor is None else beat.assignor,
        client_id=beat.client_id,
        client_host=beat.client_host,
        classic=None,
    )


def _identity(member: ConsumerMember) -> ConsumerMember:
    """What the member's own record says of it."""
    return with_current(member, NO_CURRENT)


def metadata_hash(wanted: Mapping[str, tuple[TopicId, int]]) -> int:
    """A number that tells two sets of topics, with their sizes, from each other."""
    if not wanted:
        return 0
    text = hashlib.blake2b(digest_size=8)
    for name in sorted(wanted):
        topic_id, count = wanted[name]
        text.update(b"%s %s %d\n" % (name.encode(), topic_id, count))
    return int.from_bytes(text.digest(), "big", signed=True)
