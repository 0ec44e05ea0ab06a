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

    A transaction that is aborted by somebody else than its producer (a timeout, a new InitProducerId) has its
    epoch raised first.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from cloudlet.kafka.faults import KafkaFault
from cloudlet.wire.kafka.error_codes import ErrorCode

NO_PRODUCER = -1
NO_EPOCH = -1
NO_TIME = -1
EPOCH_EXHAUSTED = 32_766  # the last epoch that a producer is given; the highest is kept for fencing

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
    """All that is known of a transactional id. Times are cloud time."""

    id: str
    producer_id: int
    epoch: int
    timeout_ms: int
    state: State = State.EMPTY
    partitions: frozenset[Place] = frozenset()
    started_ms: int = NO_TIME
    updated_ms: int = NO_TIME
    previous_producer_id: int = NO_PRODUCER  # of before the epochs were exhausted
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
    empty = now._replace(
        state=State.EMPTY, partitions=frozenset(), started_ms=NO_TIME, updated_ms=at_ms, timeout_ms=timeout_ms
    )
    if now.is_exhausted and (said is None or said.epoch == now.epoch):
        assert fresh_producer_id is not None
        return empty._replace(
            producer_id=fresh_producer_id,
            epoch=0,
            previous_producer_id=now.producer_id,
            last_epoch=now.epoch if said is not None else NO_EPOCH,
        )
    if said is None or now.epoch == NO_EPOCH:
        return empty._replace(epoch=now.epoch + 1, last_epoch=NO_EPOCH)
    if said.producer_id == now.previous_producer_id != now.producer_id:
        return empty  # a retry: it was given its new producer id already
    if said.epoch == now.epoch:
        return empty._replace(epoch=now.epoch + 1, last_epoch=now.epoch)
    if said.epoch == now.last_epoch:
        return empty  # a retry: it was given its epoch already
    raise fenced()


def fence(now: Transaction, at_ms: int) -> Transaction:
    """Raise the epoch of an open transaction, which is then aborted: nobody but us knows it."""
    assert now.state is State.ONGOING
    # The producer does not get to know the raised epoch, so it may be the highest.
    return now._replace(epoch=now.epoch + 1, last_epoch=NO_EPOCH, updated_ms=at_ms)


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
        return now._replace(partitions=now.partitions | places, updated_ms=at_ms, version=version)
    return now._replace(
        state=State.ONGOING, partitions=places, started_ms=at_ms, updated_ms=at_ms, version=version
    )


def missing(now: Transaction | None, said: Identity, places: frozenset[Place]) -> frozenset[Place]:
    """Those of the partitions that are not part of the open transaction: they must not be written to."""
    found = check_member(now, said)
    return places if found.state is not State.ONGOING else places - found.partitions


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
    wanted = State.COMPLETE_COMMIT if is_commit else State.COMPLETE_ABORT
    if now.state is State.ONGOING:
        return End(_prepared(now, at_ms, is_commit=is_commit, version=version), said)
    if now.state is wanted:
        return End(None, said)  # a retry
    if now.state is (State.PREPARE_COMMIT if is_commit else State.PREPARE_ABORT):
        raise concurrent()
    raise invalid_state()


def _ended_v2(
    now: Transaction, said: Identity, at_ms: int, fresh_producer_id: int | None, *, is_commit: bool
) -> End:
    if _is_retry(now, said):
        if now.state is (State.COMPLETE_COMMIT if is_commit else State.COMPLETE_ABORT):
            return End(None, Identity(now.producer_id, now.epoch))
        if now.state is (State.PREPARE_COMMIT if is_commit else State.PREPARE_ABORT):
            raise concurrent()
        raise invalid_state()
    check_member(now, said)
    if now.state.is_prepared:
        raise concurrent()
    if now.state is not State.ONGOING and is_commit:
        raise invalid_state()
    found = _prepared(now, at_ms, is_commit=is_commit, version=2)
    if now.state is not State.ONGOING:
        found = found._replace(partitions=frozenset(), started_ms=at_ms)
    if now.is_exhausted:
        assert fresh_producer_id is not None
        # The marker takes the highest epoch, and the producer goes on under another producer id.
        found = found._replace(epoch=now.epoch + 1, last_epoch=now.epoch, next_producer_id=fresh_producer_id)
        return End(found, Identity(fresh_producer_id, 0))
    found = found._replace(epoch=now.epoch + 1, last_epoch=now.epoch)
    return End(found, Identity(now.producer_id, now.epoch + 1))


def _is_retry(now: Transaction, said: Identity) -> bool:
    """Whether the producer has not heard that this transaction was ended, by itself."""
    if not (now.state.is_prepared or now.state.is_complete) or now.version < 2:
        return False
    if said.producer_id == now.producer_id and said.epoch == now.epoch - 1 == now.last_epoch:
        return True
    is_rotated = now.previous_producer_id == said.producer_id != now.producer_id
    return is_rotated and now.epoch == 0 and said.epoch == now.last_epoch


def aborted(now: Transaction, at_ms: int) -> Transaction:
    """The abort of a transaction whose epoch was raised by `fence`."""
    return _prepared(now, at_ms, is_commit=False, version=now.version)


def _prepared(now: Transaction, at_ms: int, *, is_commit: bool, version: int) -> Transaction:
    state = State.PREPARE_COMMIT if is_commit else State.PREPARE_ABORT
    return now._replace(state=state, updated_ms=at_ms, version=version)


def completed(now: Transaction, at_ms: int) -> Transaction:
    """After the last marker."""
    state = State.COMPLETE_COMMIT if now.state is State.PREPARE_COMMIT else State.COMPLETE_ABORT
    done = now._replace(state=state, partitions=frozenset(), updated_ms=at_ms)
    if now.next_producer_id == NO_PRODUCER:
        return done
    return done._replace(
        producer_id=now.next_producer_id,
        previous_producer_id=now.producer_id,
        next_producer_id=NO_PRODUCER,
        epoch=0,
    )


def is_expired(now: Transaction, at_ms: int, expiration_ms: int) -> bool:
    """Whether nobody has used the id for so long that it is forgotten."""
    return (now.state is State.EMPTY or now.state.is_complete) and now.updated_ms <= at_ms - expiration_ms
