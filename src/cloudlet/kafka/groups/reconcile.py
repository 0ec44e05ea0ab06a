"""One step of a consumer group's member on its way from what it has to what it is to have.

State   none
Source  Apache Kafka 4.3: KIP-848, "Reconciliation"; the states of ConsumerGroupCurrentMemberAssignmentValue
Absent  none

Theory of operation
    A partition is given to a member only once nobody else has it, and taken from one by asking: the member
    is told of what it may keep, and says in a later heartbeat what it still owns.

        STABLE -- the target has changed, some must go --> UNREVOKED_PARTITIONS -- it owns them no more --+
          ^ |                                                                                             |
          | +-- nothing must go; what is free is added; all of it was free? -- no --> UNRELEASED <--------+
          +----------------------------------------------------------------- yes ------------+
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cloudlet.kafka.groups.assignors import Assignment, TopicId
from cloudlet.kafka.groups.consumer_values import ConsumerMember, MemberState

NONE: frozenset[int] = frozenset()

IsFree = Callable[[TopicId, int], bool]


def reconcile(
    member: ConsumerMember,
    target_epoch: int,
    target: Assignment,
    is_free: IsFree,
    owned: Assignment | None,
) -> ConsumerMember:
    """The member after one step, or itself. `owned` is what its heartbeat says that it has, None if it says
    nothing; `is_free` tells whether nobody has a partition."""
    if member.state is MemberState.STABLE:
        if member.epoch == target_epoch:
            return member
        epoch = member.epoch
    elif member.state is MemberState.UNREVOKED_PARTITIONS:
        if _owns(owned, member.revoking):
            return member
        epoch = member.epoch + 1
    elif member.state is MemberState.UNRELEASED_PARTITIONS:
        epoch = member.epoch
    else:
        epoch = target_epoch  # of a later Kafka's making: from scratch
    return _next(member, epoch, target_epoch, target, is_free, owned)


def _next(
    member: ConsumerMember,
    epoch: int,
    target_epoch: int,
    target: Assignment,
    is_free: IsFree,
    owned: Assignment | None,
) -> ConsumerMember:
    kept: dict[TopicId, frozenset[int]] = {}
    revoking: dict[TopicId, frozenset[int]] = {}
    added: dict[TopicId, frozenset[int]] = {}
    must_wait = False
    for topic in target.keys() | member.assigned.keys():
        wanted, has = target.get(topic, NONE), member.assigned.get(topic, NONE)
        missing = wanted - has
        free = frozenset(partition for partition in missing if is_free(topic, partition))
        must_wait |= len(free) < len(missing)
        for into, partitions in ((kept, has & wanted), (revoking, has - wanted), (added, free)):
            if partitions:
                into[topic] = partitions
    if revoking and _owns(owned, revoking):
        return _moved(member, epoch, MemberState.UNREVOKED_PARTITIONS, kept, revoking)
    for topic, partitions in added.items():
        kept[topic] = kept.get(topic, NONE) | partitions
    state = MemberState.UNRELEASED_PARTITIONS if must_wait else MemberState.STABLE
    return _moved(member, target_epoch, state, kept, {})


def _moved(
    member: ConsumerMember, epoch: int, state: MemberState, assigned: Assignment, revoking: Assignment
) -> ConsumerMember:
    # "If the last epoch bump is lost before reaching the member, the member will retry with the previous
    # epoch": so the one before is kept as long as the epoch does not move.
    previous = member.epoch if epoch != member.epoch else member.previous_epoch
    return replace(
        member, epoch=epoch, previous_epoch=previous, state=state, assigned=assigned, revoking=revoking
    )


def _owns(owned: Assignment | None, revoking: Assignment) -> bool:
    if owned is None:
        return True
    return any(owned.get(topic, NONE) & partitions for topic, partitions in revoking.items())
