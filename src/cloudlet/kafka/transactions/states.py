"""One transactional id: its states, and what each request makes of them. No I/O.

State   none: `Transaction` is a value, and every step gives a new one to be written before it counts
Source  Apache Kafka 4.3, TransactionMetadata, TransactionCoordinator, TransactionState; KIP-98, KIP-360 (a
        producer that goes on after an error), KIP-890 (transactions v2: the epoch rises with every end)
Absent  two-phase commit (KIP-939)

Theory of operation
    A producer is known by its transactional id, and by the pair of producer id and epoch that InitProducerId
    gave it. Whoever asks anew for the same id gets a higher epoch: the one before is fenced.

        Empty -----------> Ongoing ---> PrepareCommit ---> CompleteCommit --.
          ^    (partitions    |                                             |--> Ongoing, or Empty by a new
          |     are added)    '-------> PrepareAbort ----> CompleteAbort ---'    InitProducerId
          '-- new producer            (EndTxn)       (markers are written)

    A Prepare state is the decision: once it is written, the transaction ends so, whatever crashes. The reply
    to EndTxn goes out then; the markers follow, and Complete is written after the last of them. Under
    transactions v2 the Prepare carries an epoch one above the one that the producer wrote with, which the
    reply tells it: a marker fences everything that was written before it. An abort of nothing is then an
    ordinary end, too.

    A transaction that is aborted by somebody else than its producer (a timeout, a new InitProducerId) ends
    as under version 2, whatever its producer speaks: its epoch is raised, which fences the producer. One that
    then says who it was goes on in the raised epoch, unless another has asked in between.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from cloudlet.kafka.faults import KafkaFault
from cloudlet.wire.kafka.error_codes import ErrorCode

NO_PRODUCER = -1
NO_EPOCH = -1
NO_TIME = -1
EPOCH_EXHAUSTED = 32_766  # the last epoch that a producer is given; the highest is kept for fencing
EPOCH_MAX = 32_767

Place = tuple[str, int]
"""A partition: topic and index."""


class State(IntEnum):
    """By its number in the log."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7

    @property
    def spelled(self) -> str:
        """As tools show it: PrepareCommit."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def is_prepared(self) -> bool:
        return self in (State.PREPARE_COMMIT, State.PREPARE_ABORT)

    @property
    def is_complete(self) -> bool:
        return self in (State.COMPLETE_COMMIT, State.COMPLETE_ABORT)


class Transaction(NamedTuple):
    """All that is known of a transactional id. Times are wall time."""

    id: str
    producer_id: int
    epoch: int
    timeout_ms: int
    state: State = State.EMPTY
    partitions: frozenset[Place] = frozenset()
    started_ms: int = NO_TIME
    updated_ms: int = NO_TIME
    previous_producer_id: int = NO_PRODUCER  # of one step before
    next_producer_id: int = NO_PRODUCER  # while a transaction ends whose epochs are exhausted
    last_epoch: int = NO_EPOCH  # the one before, for a producer that asks again
    version: int = 0  # of transactions, as the client that ended the last one spoke

    @property
    def is_exhausted(self) -> bool:
        return self.epoch >= EPOCH_EXHAUSTED

    @property
    def deadline_ms(self) -> int | None:
        """When it is aborted if its producer has not ended it; None while there is nothing to abort."""
        return self.started_ms + self.timeout_ms if self.state is State.ONGOING else None


class Identity(NamedTuple):
    """What a producer says that it is."""

    producer_id: int
    epoch: int


def fenced() -> KafkaFault:
    return KafkaFault(ErrorCode.PRODUCER_FENCED)


def concurrent() -> KafkaFault:
    return KafkaFault(ErrorCode.CONCURRENT_TRANSACTIONS)


def invalid_state() -> KafkaFault:
    return KafkaFault(ErrorCode.INVALID_TXN_STATE)


# --- InitProducerId


def check_identity(now: Transaction, said: Identity) -> None:
    """Whether a producer that says who it is may go on under this id (KIP-360)."""
    if now.epoch == NO_EPOCH or said.producer_id == now.producer_id:
        return
    if said.producer_id == now.previous_producer_id and said.epoch >= EPOCH_EXHAUSTED:
        return  # it has not heard of its new producer id
    raise fenced()


def initialised(
    now: Transaction, said: Identity | None, timeout_ms: int, at_ms: int, fresh_producer_id: int | None
) -> Transaction:
    """The next producer of an id that has no transaction open. `fresh_producer_id` is there where epochs are
    exhausted. PRODUCER_FENCED, CONCURRENT_TRANSACTIONS."""
    if said is not None:
        check_identity(now, said)
    if now.state.is_prepared or now.state is State.PREPARE_EPOCH_FENCE:
        raise concurrent()
    assert now.state is not State.ONGOING, "it is fenced and aborted first"
    empty = _moved(
        now,
        state=State.EMPTY,
        partitions=frozenset(),
        started_ms=NO_TIME,
        updated_ms=at_ms,
        timeout_ms=timeout_ms,
    )
    if now.is_exhausted and (said is None or said.epoch == now.epoch):
        assert fresh_producer_id is not None
        return empty._replace(
            producer_id=fresh_producer_id,
            epoch=0,
            last_epoch=now.epoch if said is not None else NO_EPOCH,
        )
    if said is None or now.epoch == NO_EPOCH:
        return empty._replace(epoch=now.epoch + 1, last_epoch=NO_EPOCH)
    if said.epoch == now.epoch:
        return empty._replace(epoch=now.epoch + 1, last_epoch=now.epoch)
    if said.epoch == now.last_epoch:
        return empty  # a retry: it was given its epoch, and perhaps another producer id, already
    raise fenced()


def _moved(now: Transaction, **changed: Any) -> Transaction:
    """The transaction one step on: each step notes the producer id of the one before."""
    return now._replace(previous_producer_id=now.producer_id, **changed)


# --- partitions


def check_member(now: Transaction | None, said: Identity) -> Transaction:
    """The transaction of a producer that takes part in it. INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED."""
    if now is None or now.producer_id != said.producer_id:
        raise KafkaFault(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if now.epoch != said.epoch:
        raise fenced()
    return now


def with_partitions(
    now: Transaction, said: Identity, places: frozenset[Place], at_ms: int, version: int
) -> Transaction | None:
    """The transaction with partitions added, begun if there was none; None where it has them all."""
    check_member(now, said)
    if now.state.is_prepared:
        raise concurrent()
    if now.state is State.ONGOING:
        if places <= now.partitions:
            return None
        return _moved(now, partitions=now.partitions | places, updated_ms=at_ms, version=version)
    return _moved(
        now, state=State.ONGOING, partitions=places, started_ms=at_ms, updated_ms=at_ms, version=version
    )


def missing(now: Transaction | None, said: Identity, places: frozenset[Place]) -> frozenset[Place]:
    """Those of the partitions that are not part of the open transaction: they must not be written to."""
    found = check_member(now, said)
    if found.state.is_prepared:
        raise concurrent()
    return places - found.partitions


# --- the end


class End(NamedTuple):
    """What an EndTxn comes to: what is to be written (None: nothing), and what its producer is from then
    on."""

    next: Transaction | None
    identity: Identity


def ended(
    now: Transaction,
    said: Identity,
    at_ms: int,
    *,
    is_commit: bool,
    version: int,
    fresh_producer_id: int | None = None,
) -> End:
    """Decide a transaction. The errors are those of Kafka for each state."""
    if version >= 2:
        return _ended_v2(now, said, at_ms, fresh_producer_id, is_commit=is_commit)
    check_member(now, said)
    if now.state is State.ONGOING:
        return End(_prepared(now, at_ms, is_commit=is_commit, version=version), said)
    if now.state is _complete(is_commit=is_commit):
        return End(None, said)  # a retry
    if now.state is _prepare(is_commit=is_commit):
        raise concurrent()
    raise invalid_state()


def _ended_v2(
    now: Transaction, said: Identity, at_ms: int, fresh_producer_id: int | None, *, is_commit: bool
) -> End:
    # A producer that has not heard of its last end has the epoch below, or the last one of the producer id
    # before.
    is_raised = said.epoch + 1 == now.epoch
    is_rotated = (said.producer_id, said.epoch, now.epoch) == (now.previous_producer_id, EPOCH_EXHAUSTED, 0)
    if said.producer_id != now.producer_id and not is_rotated:
        raise KafkaFault(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if not (
        (is_raised and (now.state.is_prepared or now.state.is_complete))
        or (is_rotated and now.state.is_complete)
        or (said.epoch == now.epoch and not now.state.is_prepared)
    ):
        raise fenced()
    if now.state.is_prepared:
        raise concurrent() if now.state is _prepare(is_commit=is_commit) else invalid_state()
    if now.state.is_complete and (is_raised or is_rotated):
        if now.state is _complete(is_commit=is_commit):
            return End(None, Identity(now.producer_id, now.epoch))
        raise invalid_state()
    if now.state is not State.ONGOING and is_commit:
        raise invalid_state()
    return _raised(now, at_ms, fresh_producer_id, is_commit=is_commit)


def _raised(now: Transaction, at_ms: int, fresh_producer_id: int | None, *, is_commit: bool) -> End:
    """The end of version 2: the marker carries the next epoch, and the producer goes on with it, or under
    another producer id where that was the last one."""
    found = _prepared(now, at_ms, is_commit=is_commit, version=2)
    if now.state is not State.ONGOING:
        found = found._replace(started_ms=at_ms)
    found = found._replace(epoch=min(now.epoch + 1, EPOCH_MAX), last_epoch=now.epoch)
    if not now.is_exhausted:
        return End(found, Identity(now.producer_id, found.epoch))
    assert fresh_producer_id is not None
    return End(found._replace(next_producer_id=fresh_producer_id), Identity(fresh_producer_id, 0))


def aborted(now: Transaction, at_ms: int, fresh_producer_id: int | None) -> Transaction:
    """The abort of an open transaction by somebody else than its producer, who is fenced by it."""
    assert now.state is State.ONGOING
    found = _raised(now, at_ms, fresh_producer_id, is_commit=False).next
    assert found is not None
    return found


def _prepare(*, is_commit: bool) -> State:
    return State.PREPARE_COMMIT if is_commit else State.PREPARE_ABORT


def _complete(*, is_commit: bool) -> State:
    return State.COMPLETE_COMMIT if is_commit else State.COMPLETE_ABORT


def _prepared(now: Transaction, at_ms: int, *, is_commit: bool, version: int) -> Transaction:
    return _moved(now, state=_prepare(is_commit=is_commit), updated_ms=at_ms, version=version)


def completed(now: Transaction, at_ms: int) -> Transaction:
    """After the last marker."""
    state = _complete(is_commit=now.state is State.PREPARE_COMMIT)
    done = _moved(now, state=state, partitions=frozenset(), updated_ms=at_ms)
    if now.next_producer_id == NO_PRODUCER:
        return done
    return done._replace(producer_id=now.next_producer_id, next_producer_id=NO_PRODUCER, epoch=0)


def is_expired(now: Transaction, unused_ms: int, expiration_ms: int) -> bool:
    """Whether nobody has used the id for so long that it is forgotten."""
    return (now.state is State.EMPTY or now.state.is_complete) and unused_ms >= expiration_ms
