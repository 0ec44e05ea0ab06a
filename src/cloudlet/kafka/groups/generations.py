"""How a classic group goes from one generation to the next: the states, and what time does to them.

State   in memory    one group's state, generation, deadlines, and the effects not yet taken
Source  Apache Kafka 4.3, classic groups: KIP-62, KIP-134, KIP-345
Absent  none
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from cloudlet.kafka.groups.classic_values import (
    Answer,
    Effect,
    GroupImage,
    Joined,
    JoinedMember,
    Limits,
    State,
    Synced,
    Write,
)
from cloudlet.kafka.groups.roster import UNKNOWN_MEMBER, Member, MemberImage, Roster, Waiter
from cloudlet.wire.kafka.error_codes import ErrorCode


class Generations:
    """One group's course; `ClassicGroup` adds the requests.

    `now_ms` is monotonic everywhere, `cloud_ms` (a function) cloud time.
    """

    __slots__ = (
        "changed_ms",
        "cloud_ms",
        "effects",
        "generation",
        "has_new_member",
        "id",
        "initial_left_ms",
        "join_deadline_ms",
        "limits",
        "pending_sync",
        "previous_state",
        "protocol",
        "roster",
        "state",
        "sync_deadline_ms",
    )

    def __init__(self, group_id: str, limits: Limits, cloud_ms: Callable[[], int]) -> None:
        self.id = group_id
        self.limits = limits
        self.cloud_ms = cloud_ms
        self.roster = Roster()
        self.state = State.EMPTY
        self.previous_state = State.DEAD
        self.generation = 0
        self.protocol: str | None = None
        self.changed_ms = cloud_ms()
        self.join_deadline_ms = inf
        self.sync_deadline_ms = inf
        self.initial_left_ms = -1.0  # of the rebalance timeout, while the initial delay runs; else negative
        self.has_new_member = False
        self.pending_sync: set[str] = set()
        self.effects: list[Effect] = []

    def image(self, assignments: dict[str, bytes] | None = None) -> GroupImage:
        """The group as it is to be written, with these assignments in place of the present ones."""
        return GroupImage(
            self.roster.protocol_type,
            self.generation,
            self.protocol,
            self.roster.leader,
            self.changed_ms,
            tuple(
                MemberImage(
                    member.id,
                    member.instance_id,
                    member.client_id,
                    member.client_host,
                    member.rebalance_timeout_ms,
                    member.session_timeout_ms,
                    member.metadata(self.protocol),
                    member.assignment if assignments is None else assignments.get(member.id, b""),
                )
                for member in self.roster
            ),
        )

    def take(self) -> list[Effect]:
        """What has come of the calls so far, in order; taken once."""
        taken, self.effects = self.effects, []
        return taken

    def deadline_ms(self) -> float:
        """When `tick` has something to do, at the earliest; infinite for never."""
        soonest = min(self.join_deadline_ms, self.sync_deadline_ms)
        for member in self.roster:
            if member.expires_ms < soonest:
                soonest = member.expires_ms
        return min(soonest, min(self.roster.pending.values(), default=inf))

    # -- rebalancing

    def _rebalance_or_complete(self, now_ms: float) -> None:
        if self.state in (State.EMPTY, State.STABLE, State.COMPLETING):
            self._rebalance(now_ms)
        else:
            self._complete_if_all_joined(now_ms)

    def _rebalance(self, now_ms: float) -> None:
        """To PreparingRebalance: those who wait for their share must join again."""
        if self.state is State.COMPLETING:
            self._share({}, ErrorCode.REBALANCE_IN_PROGRESS, now_ms)
        self.pending_sync.clear()
        self.sync_deadline_ms = inf
        was = self.state
        self._turn(State.PREPARING)
        timeout_ms = self.roster.rebalance_timeout_ms
        if was is State.EMPTY:
            delay_ms = self.limits.initial_delay_ms
            self.join_deadline_ms = now_ms + delay_ms
            self.initial_left_ms = max(timeout_ms - delay_ms, 0)
        elif self.roster.have_all_joined:
            self._complete_join(now_ms)
        else:
            self.join_deadline_ms = now_ms + timeout_ms

    def _complete_if_all_joined(self, now_ms: float) -> None:
        is_initial = self.previous_state is State.EMPTY  # its time is given to those still on their way
        if self.state is State.PREPARING and not is_initial and self.roster.have_all_joined:
            self._complete_join(now_ms)

    def _join_time_is_up(self, now_ms: float) -> None:
        if self.initial_left_ms > 0 and self.has_new_member:
            self.has_new_member = False
            delay_ms = min(self.limits.initial_delay_ms, self.initial_left_ms)
            self.join_deadline_ms = now_ms + delay_ms
            self.initial_left_ms = max(self.initial_left_ms - delay_ms, 0)
        else:
            self._complete_join(now_ms)

    def _complete_join(self, now_ms: float) -> None:
        """To the next generation, with those who have joined and the static members that will be back."""
        roster = self.roster
        self.join_deadline_ms = inf
        self.initial_left_ms = -1.0
        self.has_new_member = False
        for member in [each for each in roster if each.join_waiter is None and each.instance_id is None]:
            roster.remove(member.id)
        if roster.members and not roster.elect_joined_leader():
            # only static members, none of them here: until their sessions end
            self.join_deadline_ms = now_ms + roster.rebalance_timeout_ms
            return
        self.generation = self.generation + 1 if self.generation < 2**31 - 1 else 1
        self.pending_sync.clear()
        if not roster.members:
            self.protocol = None
            self._turn(State.EMPTY)
            self.effects.append(Write(self.image()))
            return
        self.protocol = roster.select_protocol()
        self._turn(State.COMPLETING)
        for member in roster:
            waiter, member.join_waiter = member.join_waiter, None
            if waiter is not None:
                self._answer_joined(waiter, member, is_leader_told=True)
            member.is_new = False
            member.expires_ms = now_ms + member.session_timeout_ms
            self.pending_sync.add(member.id)
        self.sync_deadline_ms = now_ms + roster.rebalance_timeout_ms

    # -- agreeing

    def _agreed(self, shares: dict[str, bytes], error: ErrorCode, now_ms: float) -> None:
        """The leader's word is written, or could not be."""
        if error:
            self._share({}, error, now_ms)
            self._rebalance(now_ms)
        else:
            self._turn(State.STABLE)
            self._share(shares, ErrorCode.NONE, now_ms)

    def _share(self, shares: dict[str, bytes], error: ErrorCode, now_ms: float) -> None:
        for member in self.roster:
            member.assignment = shares.get(member.id, b"")
            if member.sync_waiter is not None:
                member.expires_ms = now_ms + member.session_timeout_ms
                if error:
                    self._answer_waiting_sync(member, Synced(error))
                else:
                    answer = Synced(error, self.roster.protocol_type, self.protocol, member.assignment)
                    self._answer_waiting_sync(member, answer)

    def _has_synced(self, member_id: str) -> None:
        self.pending_sync.discard(member_id)
        if not self.pending_sync:
            self.sync_deadline_ms = inf

    def _sync_time_is_up(self, now_ms: float) -> None:
        self.sync_deadline_ms = inf
        if self.state in (State.COMPLETING, State.STABLE) and self.pending_sync:
            for member_id in sorted(self.pending_sync):
                self.roster.remove(member_id)
            self._rebalance(now_ms)

    # -- leaving

    def _expire(self, member: Member, now_ms: float) -> None:
        if member.is_satisfied:
            member.expires_ms = inf  # until it is answered, which starts its session anew
            return
        self._remove(member)
        if self.state in (State.STABLE, State.COMPLETING):
            self._rebalance(now_ms)
        elif self.state is State.PREPARING and self.roster.have_all_joined:
            self._complete_join(now_ms)

    def _remove(self, member: Member) -> None:
        self._answer_waiting_join(member, Joined(UNKNOWN_MEMBER, ErrorCode.UNKNOWN_MEMBER_ID))
        self._answer_waiting_sync(member, Synced(ErrorCode.UNKNOWN_MEMBER_ID))
        self.pending_sync.discard(member.id)
        self.roster.remove(member.id)

    # -- answers

    def _turn(self, state: State) -> None:
        self.previous_state, self.state = self.state, state
        self.changed_ms = self.cloud_ms()

    def _answer_join(self, waiter: Waiter, member_id: str, error: ErrorCode) -> None:
        self.effects.append(Answer(waiter, Joined(member_id, error)))

    def _answer_joined(
        self,
        waiter: Waiter,
        member: Member,
        *,
        is_leader_told: bool = False,
        must_skip: bool = False,
        leader: str | None = None,
    ) -> None:
        """The present generation; its leader is told who the members are, for it must assign."""
        roster = self.roster
        leader = roster.leader if leader is None else leader
        members: Sequence[JoinedMember] = ()
        if is_leader_told and member.id == leader:
            members = [
                JoinedMember(each.id, each.instance_id, each.metadata(self.protocol)) for each in roster
            ]
        joined = Joined(
            member.id,
            ErrorCode.NONE,
            self.generation,
            roster.protocol_type,
            self.protocol,
            leader or "",
            must_skip,
            tuple(members),
        )
        self.effects.append(Answer(waiter, joined))

    def _answer_waiting_join(self, member: Member, answer: Joined) -> None:
        if member.join_waiter is not None:
            waiter, member.join_waiter = member.join_waiter, None
            self.effects.append(Answer(waiter, answer))

    def _answer_waiting_sync(self, member: Member, answer: Synced) -> None:
        if member.sync_waiter is not None:
            waiter, member.sync_waiter = member.sync_waiter, None
            self.effects.append(Answer(waiter, answer))
