"""Share-partitions: who gets what, what acknowledgements and time do to it."""

import random
from math import inf

import pytest

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.share.share_partition import (
    Acknowledge,
    Acknowledgement,
    Limits,
    RecordState,
    SharePartition,
    Wish,
    few_of,
)
from cloudlet.kafka.share.window import Window
from cloudlet.wire.kafka.error_codes import ErrorCode

SEED = 2026
LIMITS = Limits(deliveries_max=5, locks_max=100, lock_ms=1000)
ACCEPT, RELEASE, REJECT, RENEW, GAP = (
    Acknowledge.ACCEPT,
    Acknowledge.RELEASE,
    Acknowledge.REJECT,
    Acknowledge.RENEW,
    Acknowledge.GAP,
)


class Stage:
    """A share-partition over a log of batches of ten records."""

    def __init__(self, start=0, stop=1000, size=10, limits=LIMITS):
        self.share = SharePartition(Window(start))
        self.batches = [(base, base + size) for base in range(0, stop, size)]
        self.limits = limits
        self.now_ms = 0.0

    def take(self, member, count, *, is_exact=False, batch_size=500, batches=2):
        """[(first, last, delivered)] of what a member gets of a read of some batches."""
        offset = self.share.next_offset()
        read = [each for each in self.batches if each[1] > offset][:batches]
        if not read or not self.share.may_acquire(self.limits):
            return []
        wish = Wish(member, count, batch_size, is_exact)
        return [tuple(each) for each in self.share.acquire(wish, read, self.limits, self.now_ms)]

    def say(self, member, first, last, *types):
        changes = self.share.decide(member, [Acknowledgement(first, last, types)], self.limits, self.now_ms)
        foreseen = self.share.after(changes)
        self.share.apply(changes)
        assert foreseen == (self.share.start, self.share.done_count())

    def refusal(self, member, first, last, *types):
        with pytest.raises(KafkaFault) as caught:
            self.say(member, first, last, *types)
        return caught.value.code

    def states(self):
        return [
            (first, stop, held.state.name, held.delivered) for first, stop, held in self.share.window.runs()
        ]


def test_whole_batches_are_given_and_nobody_else_gets_them():
    stage = Stage()
    assert stage.take("a", 5) == [(0, 9, 1)]
    assert stage.take("b", 15) == [(10, 29, 1)]
    stage.say("a", 0, 9, ACCEPT)
    assert stage.share.start == 10
    stage.say("b", 10, 29, ACCEPT)
    assert (stage.share.start, stage.states()) == (30, [])


def test_exactly_as_many_as_asked_for_if_so_wished():
    stage = Stage()
    assert stage.take("a", 7, is_exact=True) == [(0, 6, 1)]
    assert stage.take("a", 7, is_exact=True) == [(7, 13, 1)]
    stage.say("a", 0, 13, RELEASE)
    assert stage.take("b", 5, is_exact=True) == [(0, 4, 2)]


def test_what_is_acquired_is_told_in_pieces_of_the_batch_size():
    stage = Stage()
    assert stage.take("a", 40, batch_size=15, batches=4) == [(0, 19, 1), (20, 39, 1)]


def test_each_record_may_be_told_something_else():
    stage = Stage()
    stage.take("a", 5)
    stage.say("a", 0, 5, ACCEPT, RELEASE, RELEASE, REJECT, GAP, ACCEPT)
    assert stage.share.start == 1
    assert stage.states() == [
        (1, 3, "AVAILABLE", 1),
        (3, 5, "ARCHIVED", 1),
        (5, 6, "ACKNOWLEDGED", 1),
        (6, 10, "ACQUIRED", 1),
    ]
    assert stage.take("b", 2) == [(1, 2, 2)]
    assert stage.share.done_count() == 3


def test_what_is_wrong_is_refused_and_changes_nothing():
    stage = Stage()
    stage.take("a", 5)
    before = stage.states()
    assert stage.refusal("b", 0, 9, ACCEPT) is ErrorCode.INVALID_RECORD_STATE
    assert stage.refusal("a", 5, 14, ACCEPT) is ErrorCode.INVALID_REQUEST
    assert stage.refusal("a", 50, 59, ACCEPT) is ErrorCode.INVALID_RECORD_STATE
    twice = [Acknowledgement(0, 5, [ACCEPT]), Acknowledgement(5, 9, [ACCEPT])]
    with pytest.raises(KafkaFault):
        stage.share.decide("a", twice, LIMITS, 0)
    assert stage.states() == before
    stage.say("a", 3, 4, ACCEPT)
    assert stage.refusal("a", 4, 5, ACCEPT) is ErrorCode.INVALID_RECORD_STATE
    stage.say("a", 0, 2, ACCEPT)
    stage.say("a", 0, 4, REJECT)  # all of it is done with: nothing happens
    assert stage.share.start == 5


def test_a_lock_that_is_over_lets_go():
    stage = Stage()
    stage.take("a", 5)
    stage.now_ms = 600
    stage.say("a", 0, 4, RENEW)
    assert stage.share.deadline_ms() == 1000
    stage.now_ms = 1000
    assert [(each.first, each.stop) for each in stage.share.expired(LIMITS, 1000)] == [(5, 10)]
    stage.share.apply(stage.share.expired(LIMITS, 1000))
    assert stage.states() == [(0, 5, "ACQUIRED", 1), (5, 10, "AVAILABLE", 1)]
    assert stage.share.deadline_ms() == 1600
    assert stage.take("b", 1) == [(5, 9, 2)]
    stage.share.apply(stage.share.released("a", LIMITS))
    assert stage.states()[0] == (0, 5, "AVAILABLE", 1)
    assert stage.share.deadline_ms() < inf


def test_locks_are_not_renewed_where_the_group_has_it_so():
    stage = Stage(limits=LIMITS._replace(may_renew=False))
    stage.take("a", 5)
    assert stage.refusal("a", 0, 4, RENEW) is ErrorCode.INVALID_RECORD_STATE


def test_after_so_many_deliveries_a_record_is_given_up():
    stage = Stage(stop=10)
    seen = []
    while taken := stage.take("a", 100):
        seen += taken
        for first, last, _ in taken:
            stage.say("a", first, last, RELEASE)
    assert stage.share.start == 10
    # ten at once, then fewer, and at last each alone: one that is bad spoils no other's last attempt
    assert seen[:4] == [(0, 9, 1), (0, 9, 2), (0, 9, 3), (0, 4, 4)]
    assert [last - first for first, last, delivered in seen if delivered == 5] == [0] * 10


def test_few_go_out_of_what_was_delivered_often():
    assert [few_of(16, delivered, 6) for delivered in range(6)] == [None, None, None, 8, 4, 1]
    assert [few_of(16, delivered, 2) for delivered in range(2)] == [None, None]


def test_no_more_are_under_way_than_allowed():
    stage = Stage(limits=LIMITS._replace(locks_max=25))
    assert stage.take("a", 100) == [(0, 19, 1)]
    assert stage.take("a", 100) == [(20, 29, 1)]  # to the end of the batch
    assert stage.take("a", 100) == []
    stage.say("a", 5, 9, RELEASE)
    assert stage.take("b", 100) == [(5, 9, 2)]  # what is under way may always be given again
    stage.say("a", 0, 4, ACCEPT)
    assert stage.take("b", 100) == []
    stage.say("b", 5, 9, ACCEPT)
    assert stage.take("b", 100) == [(30, 39, 1)]


def test_the_log_begins_later():
    stage = Stage()
    stage.take("a", 15)
    stage.share.trim(5)
    assert (stage.share.start, stage.states()) == (5, [(5, 20, "ACQUIRED", 1)])
    stage.say("a", 0, 19, ACCEPT)
    assert stage.share.start == 20
    stage.share.trim(100)
    assert stage.take("a", 1) == [(100, 109, 1)]


def test_records_that_were_compacted_away_are_passed_over():
    stage = Stage()
    stage.take("a", 25, batches=3)
    stage.say("a", 0, 29, RELEASE)
    stage.batches = [(base, stop) for base, stop in stage.batches if base not in (0, 10, 30)]
    assert stage.take("a", 30, batches=2) == [(20, 29, 2), (30, 49, 1)]
    assert stage.share.start == 20
    stage.say("a", 20, 49, ACCEPT)
    stage.batches = [(100, 110)]
    assert stage.take("a", 1) == [(100, 109, 1)]
    assert stage.share.start == 100


def test_records_of_aborted_transactions_are_for_nobody():
    stage = Stage()
    stage.take("a", 15)
    stage.share.archive([(0, 10)])
    assert stage.states() == [(10, 20, "ACQUIRED", 1)]


def test_whatever_members_do_every_record_is_done_with_once():
    """Random members, acknowledgements, lost locks: one owner at a time, never more deliveries than allowed,
    and in the end all of the log is accepted or given up."""
    for seed in range(40):
        rng = random.Random(f"{SEED} {seed}")
        stage = Stage(stop=300, limits=LIMITS._replace(locks_max=rng.choice([15, 60])))
        accepted, given, deliveries = set(), {}, {}
        for _ in range(3000):
            stage.now_ms += rng.randrange(40)
            member = rng.choice("abc")
            for first, last, delivered in stage.take(
                member, rng.randrange(1, 30), is_exact=rng.random() < 0.5
            ):
                for offset in range(first, last + 1):
                    assert offset not in given
                    assert offset not in accepted
                    assert delivered == deliveries.get(offset, 0) + 1 <= 5
                    deliveries[offset] = delivered
                    given[offset] = member
            for offset, owner in sorted(given.items()):
                if rng.random() < 0.2:
                    kind = rng.choice([ACCEPT, ACCEPT, RELEASE, REJECT])
                    stage.say(owner, offset, offset, kind)
                    del given[offset]
                    if kind is ACCEPT:
                        accepted.add(offset)
            over = stage.share.expired(stage.limits, stage.now_ms)
            stage.share.apply(over)
            for change in over:
                for offset in range(change.first, change.stop):
                    del given[offset]
            if stage.share.start == 300:
                break
        assert stage.share.start == 300
        assert not given
        assert set(deliveries) == set(range(300))
        assert RecordState.ACQUIRED not in {held.state for _, _, held in stage.share.window.runs()}
