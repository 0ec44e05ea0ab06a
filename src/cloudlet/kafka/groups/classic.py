"""A classic group: its members agree by JoinGroup and SyncGroup on who leads and who does what.

State   in memory    one group; a restart brings back the last generation that was agreed upon (`image`)
Source  Apache Kafka 4.3, classic groups: KIP-62, KIP-134, KIP-345, KIP-394, KIP-559, KIP-800, KIP-814
Absent  none

Theory of operation
    Everything that happens to a group is a call of a method with the time and leaves effects behind, which
    `take` hands to the driver: answers for those who wait, and images to be written down. The driver lets
    nothing else happen to the group between an image and its `then`, which is told whether the write
    succeeded; a group is stable only once its generation is written.

        Empty -- join --> PreparingRebalance -- all have joined, or time is up --> CompletingRebalance
          ^                 ^    ^                                                   |  the leader syncs,
          |   all are gone  |    +-- a join that changes things, a leave, ... -------+  its word is written
          +-----------------+    +-- the same ------------------ Stable <------------+

    Deadlines: each member's session, each promised name's; `join_deadline_ms` ends PreparingRebalance (for a
    group that was empty the initial delay, started anew while members keep coming, within the rebalance
    timeout), `sync_deadline_ms` ends the wait for members that joined and never asked for their share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.classic_values import (
    Answer,
    GroupImage,
    Join,
    Joined,
    Leaver,
    Limits,
    State,
    Synced,
    Write,
)
from cloudlet.kafka.groups.generations import Generations
from cloudlet.kafka.groups.roster import UNKNOWN_MEMBER, Member, Protocol, Waiter
from cloudlet.wire.kafka.error_codes import ErrorCode

NEW_MEMBER_JOIN_MS = 300_000  # Kafka's own bound for a join of a member that cannot send heartbeats yet
PENDING_MAX = 10_000  # promised names: a client that never keeps its name may not fill the memory


class ClassicGroup(Generations):
    """One group and the requests of its members."""

    __slots__ = ()

    @classmethod
    def of(
        cls, group_id: str, image: GroupImage, limits: Limits, cloud_ms: Callable[[], int], now_ms: float
    ) -> ClassicGroup:
        """The group that an image tells of, each session started anew."""
        group = cls(group_id, limits, cloud_ms)
        group.generation = image.generation
        group.protocol = image.protocol
        group.changed_ms = image.changed_ms
        roster = group.roster
        roster.protocol_type = image.protocol_type or None
        for each in image.members:
            member = Member(
                each.id,
                each.instance_id,
                each.client_id,
                each.client_host,
                each.session_timeout_ms if each.rebalance_timeout_ms == -1 else each.rebalance_timeout_ms,
                each.session_timeout_ms,
                (Protocol(image.protocol or "", each.subscription),),
                each.assignment,
                expires_ms=now_ms + each.session_timeout_ms,
            )
            roster.add(member, image.protocol_type or "")
        if image.members:
            group.state = State.STABLE
            if image.leader in roster.members:
                roster.leader = image.leader
        return group

    def join(self, join: Join, waiter: Waiter, new_id: str, now_ms: float) -> None:
        """A JoinGroup; answered now or when the rebalance has gathered all. `new_id` is for a new member."""
        roster = self.roster
        if self.state is State.DEAD:
            self._answer_join(waiter, join.member_id, ErrorCode.COORDINATOR_NOT_AVAILABLE)
        elif not self._has_room(join.member_id):
            roster.remove(join.member_id)
            self._answer_join(waiter, UNKNOWN_MEMBER, ErrorCode.GROUP_MAX_SIZE_REACHED)
        elif not self._can_join(join):
            self._answer_join(waiter, join.member_id, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        elif join.member_id != UNKNOWN_MEMBER:
            self._rejoin(join, waiter, now_ms)
        elif join.instance_id is not None and join.instance_id in roster.instances:
            self._replace(join, waiter, new_id, now_ms)
        elif join.instance_id is None and join.must_know_its_id:
            if len(roster.pending) >= PENDING_MAX:
                self._answer_join(waiter, UNKNOWN_MEMBER, ErrorCode.GROUP_MAX_SIZE_REACHED)
                return
            roster.pending[new_id] = now_ms + join.session_timeout_ms
            self._answer_join(waiter, new_id, ErrorCode.MEMBER_ID_REQUIRED)
        else:
            self._add(join, waiter, new_id, now_ms)

    def sync(
        self,
        member_id: str,
        instance_id: str | None,
        generation: int,
        protocol_type: str | None,
        protocol: str | None,
        assignments: dict[str, bytes],
        waiter: Waiter,
        now_ms: float,
    ) -> None:
        """A SyncGroup; answered once the leader's assignments are written."""
        try:
            member = self._check_sync(member_id, instance_id, generation, protocol_type, protocol)
        except KafkaFault as fault:
            self.effects.append(Answer(waiter, Synced(fault.code)))
            return
        if self.state is State.COMPLETING:
            member.sync_waiter = waiter
            self._has_synced(member_id)
            if member_id == self.roster.leader:
                shares = {each: assignments.get(each, b"") for each in self.roster.members}

                image = self.image(shares)._replace(changed_ms=self.cloud_ms())

                def then(error: ErrorCode, now_ms: float) -> None:
                    self._agreed(shares, error, now_ms)
                    if not error:
                        self.changed_ms = image.changed_ms

                self.effects.append(Write(image, then))
        else:
            self._has_synced(member_id)
            answer = Synced(ErrorCode.NONE, self.roster.protocol_type, self.protocol, member.assignment)
            self.effects.append(Answer(waiter, answer))

    def heartbeat(self, member_id: str, instance_id: str | None, generation: int, now_ms: float) -> ErrorCode:
        """A Heartbeat, and what an offset commit counts as."""
        if self.state is State.DEAD:
            return ErrorCode.COORDINATOR_NOT_AVAILABLE
        try:
            member = self.roster.check(member_id, instance_id)
        except KafkaFault as fault:
            return fault.code
        if generation != self.generation:
            return ErrorCode.ILLEGAL_GENERATION
        member.expires_ms = now_ms + member.session_timeout_ms
        return ErrorCode.REBALANCE_IN_PROGRESS if self.state is State.PREPARING else ErrorCode.NONE

    def leave(self, leavers: Iterable[Leaver], now_ms: float) -> list[ErrorCode]:
        """A LeaveGroup of several members; an error for each."""
        errors = [self._leave(leaver) for leaver in leavers]
        if ErrorCode.NONE in errors:
            if self.state in (State.STABLE, State.COMPLETING):
                self._rebalance(now_ms)
            else:
                self._complete_if_all_joined(now_ms)
        return errors

    def _leave(self, leaver: Leaver) -> ErrorCode:
        roster = self.roster
        member_id = leaver.member_id
        if member_id == UNKNOWN_MEMBER:
            # an administrator removes a static member, whose name nobody but the coordinator knows
            found = roster.instances.get(leaver.instance_id or "")
            if leaver.instance_id is None or found is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            member_id = found
        elif member_id in roster.pending:
            roster.remove(member_id)
            return ErrorCode.NONE
        else:
            try:
                roster.check(member_id, leaver.instance_id)
            except KafkaFault as fault:
                return fault.code
        self._remove(roster.members[member_id])
        return ErrorCode.NONE

    def tick(self, now_ms: float) -> None:
        """Let what is due expire."""
        for member_id in [each for each, ends_ms in self.roster.pending.items() if ends_ms <= now_ms]:
            self.roster.remove(member_id)
            if self.state is State.PREPARING and self.roster.have_all_joined:
                self._complete_join(now_ms)
        for member in [each for each in self.roster if each.expires_ms <= now_ms]:
            if member.id in self.roster.members:
                self._expire(member, now_ms)
        if self.join_deadline_ms <= now_ms:
            self._join_time_is_up(now_ms)
        if self.sync_deadline_ms <= now_ms:
            self._sync_time_is_up(now_ms)

    def call_to_join(self, now_ms: float) -> None:
        """Begin a rebalance that no member has asked for: the group was of another protocol until now."""
        if self.state is State.STABLE:
            self._rebalance(now_ms)

    def bury(self, error: ErrorCode = ErrorCode.REBALANCE_IN_PROGRESS) -> None:
        """The group is deleted, becomes another, or its partition has moved: whoever waits is told."""
        self.state = State.DEAD
        for member in self.roster:
            self._answer_waiting_join(member, Joined(member.id, error))
            self._answer_waiting_sync(member, Synced(error))
        self.join_deadline_ms = self.sync_deadline_ms = inf

    # -- joining

    def _has_room(self, member_id: str) -> bool:
        roster = self.roster
        if self.state in (State.EMPTY, State.DEAD):
            return True
        known = roster.members.get(member_id)
        if self.state is State.PREPARING:
            # those who wait are counted: so the last to rejoin are sent away once the bound was lowered
            is_waiting = known is not None and known.join_waiter is not None
            return is_waiting or roster.waiting_count < self.limits.members_max
        return known is not None or len(roster) < self.limits.members_max

    def _can_join(self, join: Join) -> bool:
        if self.state is State.EMPTY:
            return bool(join.protocol_type and join.protocols)
        return self.roster.can_join(join.protocol_type, join.protocols)

    def _add(self, join: Join, waiter: Waiter, member_id: str, now_ms: float) -> None:
        member = Member(
            member_id,
            join.instance_id,
            join.client_id,
            join.client_host,
            join.rebalance_timeout_ms,
            join.session_timeout_ms,
            join.protocols,
            join_waiter=waiter,
            expires_ms=now_ms + NEW_MEMBER_JOIN_MS,
            is_new=True,
        )
        if self.state is State.PREPARING and self.previous_state is State.EMPTY:
            self.has_new_member = True
        self.roster.add(member, join.protocol_type)
        self._rebalance_or_complete(now_ms)

    def _rejoin(self, join: Join, waiter: Waiter, now_ms: float) -> None:
        """A member that has a name: a promised one, or one that it bears already."""
        roster = self.roster
        if join.member_id in roster.pending:
            self._add(join, waiter, join.member_id, now_ms)
            return
        try:
            member = roster.check(join.member_id, join.instance_id)
        except KafkaFault as fault:
            self._answer_join(waiter, join.member_id, fault.code)
            return
        # The leader rejoins when it has seen something that asks for a new assignment (more partitions, say).
        must_rebalance = (
            self.state is State.PREPARING
            or member.protocols != join.protocols
            or (self.state is State.STABLE and member.id == roster.leader)
        )
        if must_rebalance:
            self._update(member, join, waiter)
            self._rebalance_or_complete(now_ms)
        else:
            # It did not hear our answer: the generation that it has joined already.
            self._answer_joined(waiter, member, is_leader_told=self.state is State.COMPLETING)

    def _replace(self, join: Join, waiter: Waiter, new_id: str, now_ms: float) -> None:
        """A static member comes back, perhaps before the old one's session has ended: it takes its place."""
        roster = self.roster
        member = roster.members[roster.instances[join.instance_id or ""]]
        old_id, old_leader = member.id, roster.leader
        old = (member.protocols, member.rebalance_timeout_ms, member.session_timeout_ms)
        self._answer_waiting_join(member, Joined(old_id, ErrorCode.FENCED_INSTANCE_ID))
        self._answer_waiting_sync(member, Synced(ErrorCode.FENCED_INSTANCE_ID))
        roster.rename(member, new_id)
        member.is_new = False
        member.expires_ms = now_ms + join.session_timeout_ms
        if old_id in self.pending_sync:
            self.pending_sync.remove(old_id)
            self.pending_sync.add(new_id)
        self._update(member, join, waiter)
        if self.state is State.STABLE and roster.select_protocol() == self.protocol:

            def then(error: ErrorCode, now_ms: float) -> None:
                if error:
                    roster.rename(member, old_id)
                    member.protocols, member.rebalance_timeout_ms, member.session_timeout_ms = old
                    self._answer_waiting_join(member, Joined(UNKNOWN_MEMBER, error))
                    return
                member.join_waiter = None
                if join.may_skip_assignment:
                    self._answer_joined(
                        waiter, member, is_leader_told=True, must_skip=new_id == roster.leader
                    )
                else:
                    # An older client that reads its own name here would assign again, with nobody listening.
                    self._answer_joined(waiter, member, leader=old_leader)

            self.effects.append(Write(self.image(), then))
        elif self.state in (State.STABLE, State.COMPLETING):
            # the leader may hold the old name already: its word would pass the new one by
            self._rebalance(now_ms)
        else:
            self._complete_if_all_joined(now_ms)

    def _update(self, member: Member, join: Join, waiter: Waiter) -> None:
        superseded = member.join_waiter
        member.protocols = join.protocols
        member.rebalance_timeout_ms = join.rebalance_timeout_ms
        member.session_timeout_ms = join.session_timeout_ms
        member.join_waiter = waiter
        if superseded is not None and superseded is not waiter:
            # its connection broke, or it grew impatient: the old request has nobody to read the answer
            self._answer_join(superseded, member.id, ErrorCode.REBALANCE_IN_PROGRESS)

    def _check_sync(
        self,
        member_id: str,
        instance_id: str | None,
        generation: int,
        protocol_type: str | None,
        protocol: str | None,
    ) -> Member:
        if self.state is State.DEAD:
            raise KafkaFault(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        member = self.roster.check(member_id, instance_id)
        if generation != self.generation:
            raise KafkaFault(ErrorCode.ILLEGAL_GENERATION)
        for asked, ours in ((protocol_type, self.roster.protocol_type), (protocol, self.protocol)):
            if asked is not None and ours is not None and asked != ours:
                raise KafkaFault(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        if self.state is State.PREPARING:
            raise KafkaFault(ErrorCode.REBALANCE_IN_PROGRESS)
        return member
