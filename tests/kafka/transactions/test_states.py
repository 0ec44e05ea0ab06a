"""What each request makes of a transaction, state by state, as Kafka's coordinator decides it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.transactions.records import decode_transaction, encode_transaction, tombstone
from cloudlet.kafka.transactions.states import (
    EPOCH_EXHAUSTED,
    Identity,
    State,
    Transaction,
    aborted,
    completed,
    ended,
    initialised,
    is_expired,
    missing,
    with_partitions,
)
from cloudlet.wire.kafka.error_codes import ErrorCode

A, B = ("orders", 0), ("orders", 1)
PRODUCER = Identity(7, 3)
FRESH = 99


def transaction(state=State.EMPTY, **changed):
    made = Transaction("id", 7, 3, 60_000, state, updated_ms=1_000)
    if state is State.ONGOING or state.is_prepared:
        made = made._replace(partitions=frozenset({A}), started_ms=900)
    return made._replace(**changed)


def refused(code):
    return _Refused(code)


class _Refused:
    def __init__(self, code):
        self.code = code

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        assert isinstance(value, KafkaFault), f"{self.code} was expected, not {value!r}"
        assert value.code is self.code
        return True


def test_a_new_producer_gets_the_next_epoch_and_the_old_one_is_fenced():
    first = initialised(Transaction("id", 7, -1, 1), None, 60_000, 5, None)
    assert (first.producer_id, first.epoch, first.state, first.timeout_ms) == (7, 0, State.EMPTY, 60_000)
    second = initialised(first, None, 60_000, 6, None)
    assert second.epoch == 1
    with refused(ErrorCode.PRODUCER_FENCED):
        with_partitions(second, Identity(7, 0), frozenset({A}), 7, 0)
    with refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING):
        with_partitions(second, Identity(8, 1), frozenset({A}), 7, 0)


@pytest.mark.parametrize("state", [State.PREPARE_COMMIT, State.PREPARE_ABORT])
def test_a_new_producer_waits_for_the_markers(state):
    with refused(ErrorCode.CONCURRENT_TRANSACTIONS):
        initialised(transaction(state), None, 60_000, 5, None)


@pytest.mark.parametrize("state", [State.EMPTY, State.COMPLETE_COMMIT, State.COMPLETE_ABORT])
def test_a_producer_that_says_who_it_is_goes_on_and_may_ask_twice(state):
    now = transaction(state)
    after = initialised(now, PRODUCER, 60_000, 5, None)
    assert (after.epoch, after.last_epoch) == (4, 3)
    again = initialised(after, PRODUCER, 60_000, 6, None)
    assert (again.producer_id, again.epoch) == (7, 4)
    with refused(ErrorCode.PRODUCER_FENCED):
        initialised(after, Identity(7, 1), 60_000, 6, None)
    with refused(ErrorCode.PRODUCER_FENCED):
        initialised(now, Identity(8, 3), 60_000, 6, None)


def test_exhausted_epochs_give_another_producer_id_and_a_retry_the_same():
    now = transaction(epoch=EPOCH_EXHAUSTED)
    said = Identity(7, EPOCH_EXHAUSTED)
    after = initialised(now, said, 60_000, 5, FRESH)
    assert (after.producer_id, after.epoch, after.previous_producer_id) == (FRESH, 0, 7)
    again = initialised(after, said, 60_000, 6, None)
    assert (again.producer_id, again.epoch) == (FRESH, 0)


def test_partitions_begin_a_transaction_and_are_added_once():
    now = with_partitions(transaction(), PRODUCER, frozenset({A}), 50, 0)
    assert (now.state, now.started_ms, now.partitions) == (State.ONGOING, 50, {A})
    assert with_partitions(now, PRODUCER, frozenset({A}), 60, 0) is None
    more = with_partitions(now, PRODUCER, frozenset({B}), 60, 0)
    assert (more.started_ms, more.updated_ms, more.partitions) == (50, 60, {A, B})
    assert missing(now, PRODUCER, frozenset({A, B})) == {B}
    assert missing(transaction(), PRODUCER, frozenset({A})) == {A}
    for state in (State.PREPARE_COMMIT, State.PREPARE_ABORT):
        with refused(ErrorCode.CONCURRENT_TRANSACTIONS):
            with_partitions(transaction(state), PRODUCER, frozenset({A}), 60, 0)


OK = None
V1 = [
    # state, is_commit -> what becomes of it, or the error
    (State.ONGOING, True, State.PREPARE_COMMIT),
    (State.ONGOING, False, State.PREPARE_ABORT),
    (State.COMPLETE_COMMIT, True, OK),
    (State.COMPLETE_COMMIT, False, ErrorCode.INVALID_TXN_STATE),
    (State.COMPLETE_ABORT, False, OK),
    (State.COMPLETE_ABORT, True, ErrorCode.INVALID_TXN_STATE),
    (State.PREPARE_COMMIT, True, ErrorCode.CONCURRENT_TRANSACTIONS),
    (State.PREPARE_COMMIT, False, ErrorCode.INVALID_TXN_STATE),
    (State.PREPARE_ABORT, False, ErrorCode.CONCURRENT_TRANSACTIONS),
    (State.PREPARE_ABORT, True, ErrorCode.INVALID_TXN_STATE),
    (State.EMPTY, True, ErrorCode.INVALID_TXN_STATE),
    (State.EMPTY, False, ErrorCode.INVALID_TXN_STATE),
]


@pytest.mark.parametrize(("state", "is_commit", "outcome"), V1)
def test_the_end_of_version_1(state, is_commit, outcome):
    now = transaction(state)
    if isinstance(outcome, ErrorCode):
        with refused(outcome):
            ended(now, PRODUCER, 70, is_commit=is_commit, version=0)
        return
    found = ended(now, PRODUCER, 70, is_commit=is_commit, version=0)
    assert found.identity == PRODUCER
    if outcome is OK:
        assert found.next is None
    else:
        assert (found.next.state, found.next.epoch, found.next.partitions) == (outcome, 3, {A})


V2 = [
    (State.ONGOING, True, State.PREPARE_COMMIT),
    (State.ONGOING, False, State.PREPARE_ABORT),
    (State.EMPTY, False, State.PREPARE_ABORT),
    (State.COMPLETE_COMMIT, False, State.PREPARE_ABORT),
    (State.COMPLETE_ABORT, False, State.PREPARE_ABORT),
    (State.EMPTY, True, ErrorCode.INVALID_TXN_STATE),
    (State.COMPLETE_COMMIT, True, ErrorCode.INVALID_TXN_STATE),
    (State.PREPARE_COMMIT, True, ErrorCode.PRODUCER_FENCED),
    (State.PREPARE_ABORT, False, ErrorCode.PRODUCER_FENCED),
]


@pytest.mark.parametrize(("state", "is_commit", "outcome"), V2)
def test_the_end_of_version_2_raises_the_epoch(state, is_commit, outcome):
    now = transaction(state, version=2)
    if isinstance(outcome, ErrorCode):
        with refused(outcome):
            ended(now, PRODUCER, 70, is_commit=is_commit, version=2)
        return
    found = ended(now, PRODUCER, 70, is_commit=is_commit, version=2)
    assert found.identity == (7, 4)
    assert (found.next.state, found.next.epoch) == (outcome, 4)
    # What was not heard is asked again: while the markers are written, and after.
    with refused(ErrorCode.CONCURRENT_TRANSACTIONS):
        ended(found.next, PRODUCER, 71, is_commit=is_commit, version=2)
    done = completed(found.next, 72)
    again = ended(done, PRODUCER, 73, is_commit=is_commit, version=2)
    assert (again.next, again.identity) == (None, (7, 4))
    with refused(ErrorCode.INVALID_TXN_STATE):
        ended(done, PRODUCER, 73, is_commit=not is_commit, version=2)
    begun = with_partitions(done, Identity(7, 4), frozenset({B}), 74, 2)
    assert (begun.state, begun.partitions) == (State.ONGOING, {B})


def test_version_2_goes_on_under_another_producer_id_when_epochs_are_exhausted():
    now = transaction(State.ONGOING, epoch=EPOCH_EXHAUSTED, version=2)
    said = Identity(7, EPOCH_EXHAUSTED)
    found = ended(now, said, 70, is_commit=True, version=2, fresh_producer_id=FRESH)
    assert found.identity == (FRESH, 0)
    assert (found.next.producer_id, found.next.epoch) == (7, EPOCH_EXHAUSTED + 1)
    done = completed(found.next, 71)
    assert (done.producer_id, done.epoch, done.previous_producer_id) == (FRESH, 0, 7)
    assert ended(done, said, 72, is_commit=True, version=2, fresh_producer_id=1).identity == (FRESH, 0)


def test_who_is_overdue_is_fenced_and_aborted():
    now = transaction(State.ONGOING)
    assert now.deadline_ms == 60_900
    assert transaction().deadline_ms is None
    after = aborted(now, 61_000, None)
    assert (after.state, after.epoch, after.partitions, after.version) == (State.PREPARE_ABORT, 4, {A}, 2)
    with refused(ErrorCode.PRODUCER_FENCED):
        ended(after, PRODUCER, 61_001, is_commit=True, version=0)
    done = completed(after, 61_002)
    assert (done.state, done.partitions) == (State.COMPLETE_ABORT, frozenset())
    assert initialised(done, PRODUCER, 60_000, 61_003, None).epoch == 4, "it may go on"
    other = initialised(done, None, 60_000, 61_003, None)
    assert other.epoch == 5
    with refused(ErrorCode.PRODUCER_FENCED):
        initialised(other, PRODUCER, 60_000, 61_004, None)


def test_who_is_overdue_in_his_last_epoch_leaves_another_producer_id_to_the_next():
    now = transaction(State.ONGOING, epoch=EPOCH_EXHAUSTED)
    after = aborted(now, 61_000, FRESH)
    assert (after.producer_id, after.epoch) == (7, EPOCH_EXHAUSTED + 1)
    done = completed(after, 61_002)
    assert (done.producer_id, done.epoch) == (FRESH, 0)
    assert initialised(done, None, 60_000, 61_003, None).epoch == 1


def test_an_id_that_nobody_uses_is_forgotten_unless_something_is_open():
    for state in State:
        quiet = state in (State.EMPTY, State.COMPLETE_COMMIT, State.COMPLETE_ABORT)
        assert is_expired(transaction(state), 1_000, 1_000) is quiet
        assert not is_expired(transaction(state), 999, 1_000)


@settings(deadline=None)
@given(
    st.sampled_from(State),
    st.frozensets(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 9))),
    st.integers(0, 32_767),
)
def test_a_record_is_read_as_it_was_written(state, partitions, epoch):
    if state is State.EMPTY:
        partitions = frozenset()
    now = transaction(state, partitions=partitions, epoch=epoch, next_producer_id=4, previous_producer_id=2)
    record = encode_transaction(now)
    assert decode_transaction(record.key, record.value) == ("id", now)
    gone = tombstone("id")
    assert decode_transaction(gone.key, gone.value) == ("id", None)
