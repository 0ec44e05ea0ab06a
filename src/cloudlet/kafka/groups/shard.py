"""The groups and offsets of one partition of __consumer_offsets: what its log says, and what may be done.

State   in memory    the groups and offsets of the partition, changed by `replay` alone; within a classic
                     group its members come and go, and only its agreed generations are in the log
Source  Apache Kafka 4.3: the group coordinator's replay of records, validation of offset commits, expiry
Absent  none
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.classic import ClassicGroup
from cloudlet.kafka.groups.classic_values import GroupImage, Leaver, Limits, State
from cloudlet.kafka.groups.consumer import ConsumerGroup, ConsumerSettings
from cloudlet.kafka.groups.consumer_values import Fact, GroupFact, TargetEpochFact, Topics
from cloudlet.kafka.groups.mixed import CONSUMER_PROTOCOL, downgraded, may_downgrade, upgraded
from cloudlet.kafka.groups.offsets import Committed, Offsets
from cloudlet.kafka.groups.records import (
    ClassicEntry,
    ConsumerEntry,
    Entry,
    OffsetEntry,
    ShareEntry,
    subscribed_topics,
)
from cloudlet.kafka.share.group import ShareGroup
from cloudlet.kafka.share.group_values import ShareFact, ShareSettings, StateTopicsFact
from cloudlet.kernel.clock import Clock
from cloudlet.wire.kafka.error_codes import ErrorCode

EPOCH_COMMIT_VERSION = 9  # the first OffsetCommit that speaks of member epochs

Group = ClassicGroup | ConsumerGroup | ShareGroup


class Settings(NamedTuple):
    """Where a shard reads the broker's settings, each time anew: they may be changed."""

    limits: Callable[[], Limits]
    consumer: Callable[[str], ConsumerSettings]  # of a group, by its id
    migrations: Callable[[], str] = lambda: "BIDIRECTIONAL"  # group.consumer.migration.policy
    share: Callable[[str], ShareSettings] = lambda _: ShareSettings()  # of a group, by its id


class Committer(NamedTuple):
    """Who commits offsets, as the request says; -1 and "" for one that is in no group."""

    group: str
    member_id: str = ""
    instance_id: str | None = None
    generation: int = -1  # or a consumer group's member epoch
    is_transactional: bool = False
    version: int = 0  # of the request


class Shard:
    """One partition's state."""

    __slots__ = ("buried", "clock", "groups", "offsets", "settings")

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.groups: dict[str, Group] = {}
        self.buried: list[ClassicGroup] = []  # whose waiting members have yet to be told
        self.offsets = Offsets()

    # -- what the log says

    def replay(self, entry: Entry, producer_id: int = -1, *, is_loading: bool = False) -> None:
        """Take in one record of the log."""
        if isinstance(entry, OffsetEntry):
            if entry.committed is not None and entry.group not in self.groups:
                self._make_simple(entry.group)
            self.offsets.replay(entry.group, entry.topic, entry.partition, entry.committed, producer_id)
        elif isinstance(entry, ClassicEntry):
            self._replay_classic(entry, is_loading=is_loading)
        elif isinstance(entry, ShareEntry):
            self._replay_share(entry)
        else:
            self._replay_consumer(entry)

    def _replay_classic(self, entry: ClassicEntry, *, is_loading: bool) -> None:
        known = self.groups.get(entry.group)
        if entry.image is None:
            if isinstance(known, ClassicGroup):
                known.bury()
                self.buried.append(known)
                del self.groups[entry.group]
        elif is_loading or not isinstance(known, ClassicGroup):
            self.groups[entry.group] = ClassicGroup.of(
                entry.group,
                entry.image,
                self.settings.limits(),
                self.clock.cloud_ms,
                self.clock.monotonic_ms(),
            )
        # else it is this group's own image, whose `then` follows

    def _replay_consumer(self, entry: ConsumerEntry) -> None:
        known = self.groups.get(entry.group)
        if entry.fact == GroupFact(None):
            if isinstance(known, ConsumerGroup):
                del self.groups[entry.group]
            return
        if not isinstance(known, ConsumerGroup):
            if is_tombstone(entry.fact):
                return
            known = self.groups[entry.group] = ConsumerGroup(entry.group)
        known.apply(entry.fact)

    def _replay_share(self, entry: ShareEntry) -> None:
        known = self.groups.get(entry.group)
        if entry.fact == GroupFact(None):
            if isinstance(known, ShareGroup):
                del self.groups[entry.group]
            return
        if not isinstance(known, ShareGroup):
            if is_tombstone(entry.fact):
                return
            known = self.groups[entry.group] = ShareGroup(entry.group)
        known.apply(entry.fact)

    def _make_simple(self, group: str) -> None:
        """A group of offsets alone, whose consumers take their partitions by themselves."""
        self.groups[group] = ClassicGroup(group, self.settings.limits(), self.clock.cloud_ms)

    def loaded(self) -> None:
        """The log has been replayed to its end."""
        now_ms = self.clock.monotonic_ms()
        for group in list(self.groups.values()):
            if isinstance(group, ConsumerGroup):
                if group.epoch == 0 and not group.members:
                    del self.groups[group.id]  # facts that tombstones have outlived
                else:
                    group.watch(now_ms, self.settings.consumer(group.id).session_timeout_ms)
            elif isinstance(group, ShareGroup):
                group.watch(now_ms, self.settings.share(group.id).session_timeout_ms)

    # -- groups

    def new_group(self, group: str) -> list[Entry]:
        """The facts by which a classic group begins, in place of an empty consumer group if there is one;
        INCONSISTENT_GROUP_PROTOCOL in place of a share group."""
        if isinstance(self.groups.get(group), ShareGroup):
            raise KafkaFault(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        return [
            *self._without_consumer(group),
            ClassicEntry(group, GroupImage(None, 0, None, None, self.clock.cloud_ms())),
        ]

    def _without_consumer(self, group: str) -> list[Entry]:
        known = self.groups.get(group)
        if isinstance(known, ConsumerGroup):
            return [ConsumerEntry(group, fact) for fact in known.tombstones()]
        return []

    def consumer_group(
        self, group: str, topics: Topics, *, may_make: bool
    ) -> tuple[ConsumerGroup, list[Entry]]:
        """The consumer group, perhaps one that is to be made, with what makes room for it."""
        known = self.groups.get(group)
        if isinstance(known, ConsumerGroup):
            return known, []
        if known is None and not may_make:
            raise KafkaFault(ErrorCode.GROUP_ID_NOT_FOUND, f"Consumer group {group} not found.")
        if known is None:
            return ConsumerGroup(group), []
        if not may_make or isinstance(known, ShareGroup) or not self._may_upgrade(known):
            raise KafkaFault(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group} is not a consumer group.")
        found = ConsumerGroup(group)
        facts = upgraded(known, topics) if len(known.roster) else []
        for fact in facts:
            found.apply(fact)
        return found, [ClassicEntry(group, None), *(ConsumerEntry(group, fact) for fact in facts)]

    def _may_upgrade(self, group: ClassicGroup) -> bool:
        if not len(group.roster):
            return group.state is State.EMPTY
        return (
            self.settings.migrations().upper() in ("UPGRADE", "BIDIRECTIONAL")
            and group.roster.protocol_type == CONSUMER_PROTOCOL
            and len(group.roster) <= self.settings.consumer(group.id).members_max
        )

    def share_group(self, group: str, *, may_make: bool) -> ShareGroup:
        """The share group, perhaps one that is to be made; GROUP_ID_NOT_FOUND."""
        known = self.groups.get(group)
        if isinstance(known, ShareGroup):
            return known
        if known is not None:
            raise KafkaFault(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group} is not a share group.")
        if not may_make:
            raise KafkaFault(ErrorCode.GROUP_ID_NOT_FOUND, f"Share group {group} not found.")
        return ShareGroup(group)

    def fenced(self, group: ConsumerGroup | ShareGroup, gone: Sequence[str], topics: Topics) -> list[Entry]:
        """The facts by which members of a group are gone; a consumer group where only classic ones are left
        becomes a classic group."""
        if isinstance(group, ShareGroup):
            return [ShareEntry(group.id, fact) for fact in group.fence(gone, topics)]
        may = self.settings.migrations().upper() in ("DOWNGRADE", "BIDIRECTIONAL")
        if may and may_downgrade(group, gone) and not may_downgrade(group, ()):
            image = downgraded(group, gone, topics, self.clock.cloud_ms())
            return [*self._without_consumer(group.id), ClassicEntry(group.id, image)]
        facts = group.fence(gone, topics, self.clock.cloud_ms())
        return [ConsumerEntry(group.id, fact) for fact in facts]

    def remove_members(
        self, group_id: str, leavers: Sequence[Leaver], topics: Topics
    ) -> tuple[list[ErrorCode], list[Entry]]:
        """Remove members of a consumer group by an administrator's word: an error for each, and the facts."""
        group = self.groups.get(group_id)
        if not isinstance(group, ConsumerGroup):
            raise KafkaFault(ErrorCode.UNKNOWN_MEMBER_ID)
        errors, gone = [], []
        for leaver in leavers:
            member_id = leaver.member_id or group.instances.get(leaver.instance_id or "", "")
            member = group.members.get(member_id)
            if member is None or leaver.instance_id not in (None, member.instance_id):
                errors.append(ErrorCode.UNKNOWN_MEMBER_ID)
            else:
                errors.append(ErrorCode.NONE)
                gone.append(member_id)
        return errors, self.fenced(group, gone, topics) if gone else []

    def delete(self, group: str) -> list[Entry]:
        """The facts by which a group is gone; GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP."""
        known = self.groups.get(group)
        if known is None:
            raise KafkaFault(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group} not found.")
        if not is_empty(known):
            raise KafkaFault(ErrorCode.NON_EMPTY_GROUP)
        offsets = [
            OffsetEntry(group, topic, partition, None) for topic, partition in self.offsets.each(group)
        ]
        return [*offsets, *self._tombstones(known)]

    def _tombstones(self, group: Group) -> list[Entry]:
        if isinstance(group, ClassicGroup):
            return [ClassicEntry(group.id, None)]
        if isinstance(group, ShareGroup):
            return [ShareEntry(group.id, fact) for fact in group.tombstones()]
        return self._without_consumer(group.id)

    # -- offsets

    def check_commit(self, by: Committer) -> None:
        """Raise what is wrong with who commits; a member's session starts anew."""
        group = self.groups.get(by.group)
        if group is None:
            if by.generation >= 0:
                is_new = by.version >= EPOCH_COMMIT_VERSION and not by.is_transactional
                code = ErrorCode.GROUP_ID_NOT_FOUND if is_new else ErrorCode.ILLEGAL_GENERATION
                raise KafkaFault(code, f"Group {by.group} not found.")
        elif isinstance(group, ClassicGroup):
            self._check_classic_commit(group, by)
        elif isinstance(group, ShareGroup):
            raise _no_consumers(group)
        else:
            _check_consumer_commit(group, by)

    def _check_classic_commit(self, group: ClassicGroup, by: Committer) -> None:
        if by.generation < 0 and group.state is State.EMPTY:
            return  # an administrator, or a consumer that takes its partitions by itself
        if by.generation >= 0 or by.member_id or by.instance_id is not None:
            group.roster.check(by.member_id, by.instance_id)
            if by.generation != group.generation:
                raise KafkaFault(ErrorCode.ILLEGAL_GENERATION)
        elif not by.is_transactional:
            raise KafkaFault(ErrorCode.UNKNOWN_MEMBER_ID)
        if by.is_transactional:
            return
        if group.state is State.COMPLETING:
            # the member has heard of the new generation, and commits what it did in the old one
            raise KafkaFault(ErrorCode.REBALANCE_IN_PROGRESS)
        group.heartbeat(by.member_id, by.instance_id, by.generation, self.clock.monotonic_ms())

    def check_fetch(self, group_id: str, member_id: str | None, member_epoch: int) -> None:
        """Raise what is wrong with a member that asks for offsets by its epoch."""
        group = self.groups.get(group_id)
        if isinstance(group, ShareGroup):
            raise _no_consumers(group)
        if isinstance(group, ConsumerGroup) and not (member_id is None and member_epoch < 0):
            if not member_id and member_epoch < 0:
                return
            _check_member_epoch(group, member_id or "", member_epoch)

    def check_delete_offsets(self, group_id: str) -> Group:
        """The group whose offsets may be deleted."""
        group = self.groups.get(group_id)
        if group is None:
            raise KafkaFault(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
        if isinstance(group, ShareGroup):
            raise _no_consumers(group)
        if (
            isinstance(group, ClassicGroup)
            and group.state is not State.EMPTY
            and group.roster.protocol_type != CONSUMER_PROTOCOL
        ):
            raise KafkaFault(ErrorCode.NON_EMPTY_GROUP)
        return group

    def expired(self, retention_ms: int) -> Iterator[list[Entry]]:
        """What has expired by now, a list for each group; groups without members and offsets too."""
        now_ms = self.clock.cloud_ms()
        for group in list(self.groups.values()):
            if isinstance(group, ShareGroup):
                continue  # it has no offsets that expire, and stays until it is deleted
            entries: list[Entry] = []
            are_all_gone = True
            topics = self.offsets.topics(group.id)
            since = self._expiry_base(group)
            for topic, partitions in topics.items():
                may_expire = since is not None and not is_subscribed(group, topic)
                for partition, committed in partitions.items():
                    is_over = may_expire and _is_over(committed, since, now_ms, retention_ms)
                    if is_over and not self.offsets.is_pending(group.id, topic, partition):
                        entries.append(OffsetEntry(group.id, topic, partition, None))
                    else:
                        are_all_gone = False
            if are_all_gone and is_empty(group) and not self.offsets.has_open(group.id):
                entries += self._tombstones(group)
            if entries:
                yield entries

    def _expiry_base(self, group: ClassicGroup | ConsumerGroup) -> int | None:
        """Since when an offset counts as unused: -1 for its own commit, None for never."""
        if isinstance(group, ConsumerGroup) or group.roster.protocol_type is None:
            return -1
        if group.state is State.EMPTY:
            return group.changed_ms
        is_known = group.state is State.STABLE and topics_of(group) is not None
        return -1 if is_known and group.roster.protocol_type == CONSUMER_PROTOCOL else None

    def forgotten(self, topics: Iterable[str]) -> list[Entry]:
        """The facts by which the offsets in deleted topics are gone, and what share groups know of them."""
        names = set(topics)
        entries: list[Entry] = [
            OffsetEntry(group, topic, partition, None)
            for topic in names
            for group, partition in self.offsets.of_topic(topic)
        ]
        for share in self.groups.values():
            if isinstance(share, ShareGroup):
                gone = [topic for topic, state in share.state_topics.items() if state.name in names]
                entries += [ShareEntry(share.id, fact) for fact in share.without_state(gone)]
        return entries


def _no_consumers(group: ShareGroup) -> KafkaFault:
    return KafkaFault(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group.id} is not a consumer group.")


def is_tombstone(fact: Fact | ShareFact) -> bool:
    """Whether a fact takes one back."""
    if isinstance(fact, StateTopicsFact):
        return fact.topics is None
    return (fact.epoch if isinstance(fact, GroupFact | TargetEpochFact) else fact[1]) is None


def is_empty(group: Group) -> bool:
    """Whether nobody is in a group, or promised to be."""
    if not isinstance(group, ClassicGroup):
        return not group.members
    return group.state is State.EMPTY and not group.roster.pending


def topics_of(group: ClassicGroup) -> frozenset[str] | None:
    """The topics that its members have subscribed to; None where that is not known."""
    if group.roster.protocol_type != CONSUMER_PROTOCOL:
        return None
    if not len(group.roster):
        return frozenset()
    if group.protocol is None:
        return None
    return subscribed_topics([member.metadata(group.protocol) for member in group.roster])


def is_subscribed(group: Group, topic: str) -> bool:
    """Whether members of a group read a topic, or might."""
    if isinstance(group, ShareGroup):
        return any(topic in member.topics for member in group.members.values())
    if isinstance(group, ConsumerGroup):
        matched = (found.topics for found in group.regexes.values())
        return any(topic in member.topics for member in group.members.values()) or any(
            topic in topics for topics in matched
        )
    topics = topics_of(group)
    return group.roster.protocol_type == CONSUMER_PROTOCOL if topics is None else topic in topics


def _is_over(committed: Committed, since: int | None, now_ms: int, retention_ms: int) -> bool:
    if committed.expire_ms != -1:
        return now_ms >= committed.expire_ms
    base = committed.commit_ms if since is None or since < 0 else since
    return now_ms - base >= retention_ms


def _check_consumer_commit(group: ConsumerGroup, by: Committer) -> None:
    if by.generation < 0 and not group.members:
        return
    is_classic = group.member(by.member_id).classic is not None
    if not is_classic and not by.is_transactional and by.version < EPOCH_COMMIT_VERSION:
        raise KafkaFault(
            ErrorCode.UNSUPPORTED_VERSION,
            "OffsetCommit version 9 or above must be used by members using the modern group protocol",
        )
    try:
        _check_member_epoch(group, by.member_id, by.generation)
    except KafkaFault:
        if by.is_transactional or is_classic:
            raise KafkaFault(ErrorCode.ILLEGAL_GENERATION) from None
        raise


def _check_member_epoch(group: ConsumerGroup, member_id: str, epoch: int) -> None:
    member = group.member(member_id)
    if epoch != member.epoch:
        raise KafkaFault(
            ErrorCode.STALE_MEMBER_EPOCH,
            f"The received member epoch {epoch} does not match the expected member epoch {member.epoch}.",
        )
