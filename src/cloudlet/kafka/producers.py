"""What a partition remembers of the producers that number their batches, and of their transactions.

State   derived: rebuilt from a snapshot and the batches behind it; `encode` is Kafka's snapshot file
Source  Apache Kafka 4.3, ProducerStateManager, ProducerAppendInfo, ProducerStateEntry; KIP-98, KIP-890
Absent  none

Theory of operation
    Of each producer the last five batches are remembered. A batch that equals one of them in epoch and
    sequences is a retry: it is answered with the offsets of the first try. A batch else goes on where the
    last one stopped, or starts at 0 in a higher epoch:

        epoch below the one known                     INVALID_PRODUCER_EPOCH
        epoch above it, sequence not 0                OUT_OF_ORDER_SEQUENCE_NUMBER
        same epoch, sequence not the last + 1         OUT_OF_ORDER_SEQUENCE_NUMBER  (0 follows 2^31 - 1)
        producer not known                            any sequence: it may have been forgotten
        in a transaction, but the batch is not        INVALID_TXN_STATE
        verified, sequence above the lowest verified  OUT_OF_ORDER_SEQUENCE_NUMBER
        the same, and of transactions v2: not 0       OUT_OF_ORDER_SEQUENCE_NUMBER

    The first batch of a transaction is verified with the coordinator. Of several that are under way the
    lowest sequence is remembered: where that one fails and is sent again, the ones behind it must wait.

    A transaction is open from its first batch to its marker, and *unstable* until the marker is below the
    high watermark. The first unstable offset bounds what read_committed shows. First offsets rise in the
    order in which transactions begin, so the first one in the dictionary is the lowest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct, error
from typing import NamedTuple

import google_crc32c

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka.error_codes import ErrorCode

BATCHES_KEPT = 5
SEQUENCE_MAX = (1 << 31) - 1
NO_EPOCH = -1
EPOCH_MAX = 32_767
_SNAPSHOT_VERSION = 1
_FRONT = Struct(">hI")
_COUNT = Struct(">i")
_ENTRY = Struct(">qhiqiqiq")


class Kept(NamedTuple):
    """One batch of a producer."""

    first_sequence: int
    last_sequence: int
    first_offset: int
    last_offset: int
    timestamp_ms: int


class Verifying(NamedTuple):
    """The first batches of a transaction, which its coordinator is asked about."""

    epoch: int
    lowest_sequence: int
    is_v2: bool
    at_ms: int


class Ended(NamedTuple):
    """A transaction whose marker was appended at `last_offset`."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int
    is_commit: bool


class Producer:
    """One producer id's state."""

    __slots__ = ("batches", "coordinator_epoch", "epoch", "id", "last_ms", "transaction_start")

    def __init__(self, producer_id: int, epoch: int = NO_EPOCH) -> None:
        self.id = producer_id
        self.epoch = epoch
        self.coordinator_epoch = -1
        self.last_ms = -1
        self.transaction_start = -1  # -1: none is open
        self.batches: list[Kept] = []  # the last ones; a deque would cost 600 bytes a producer

    @property
    def last_sequence(self) -> int:
        return self.batches[-1].last_sequence if self.batches else -1


def after(sequence: int, count: int) -> int:
    """The sequence number `count` after another: they wrap to 0."""
    following = sequence + count
    return following if following <= SEQUENCE_MAX else following - SEQUENCE_MAX - 1


class Producers:
    """The producers of one partition."""

    def __init__(self) -> None:
        self._known: dict[int, Producer] = {}
        self._open: dict[int, int] = {}  # producer -> first offset, in the order of the offsets
        self._unstable: list[Ended] = []  # ended, the marker at or above the high watermark
        self._verifying: dict[int, Verifying] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Producer]:
        return iter(self._known.values())

    def find(self, producer_id: int) -> Producer | None:
        return self._known.get(producer_id)

    @property
    def is_unstable(self) -> bool:
        """Whether a transaction is open, or ended above the high watermark."""
        return bool(self._open or self._unstable)

    @property
    def first_unstable(self) -> int | None:
        """The first offset of the earliest transaction that is not decided below the high watermark."""
        first = next(iter(self._open.values()), None)
        if self._unstable:
            ended = min(entry.first_offset for entry in self._unstable)
            return ended if first is None else min(first, ended)
        return first

    # Batches

    def check(
        self,
        producer_id: int,
        epoch: int,
        first: int,
        count: int,
        *,
        is_transactional: bool,
        is_verified: bool | None = None,
    ) -> Kept | None:
        """Whether a client's batch may be appended; the earlier one if it is a retry. KafkaFault. A
        transactional one is to be of an open transaction, here or as was verified just now; what was may have
        ended since, and a record behind its marker would be of no transaction that ever ends."""
        known = self._known.get(producer_id)
        last = after(first, count - 1)
        if known is not None and epoch == known.epoch:
            for kept in known.batches:
                if kept.first_sequence == first and kept.last_sequence == last:
                    return kept
        if is_transactional and is_verified is not None:
            is_open = known is not None and known.epoch == epoch and known.transaction_start >= 0
            if not is_open and not (is_verified and producer_id in self._verifying):
                raise KafkaFault(ErrorCode.INVALID_TXN_STATE, "Record was not part of an ongoing transaction")
        if known is not None:
            self._check_epoch(known, epoch)
        self._check_verified(producer_id, first, is_empty=known is None or not known.batches)
        if known is None:
            return None
        if epoch == known.epoch:
            expected = after(known.last_sequence, 1)
            if first != expected:
                raise KafkaFault(
                    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                    f"Out of order sequence number for producer {producer_id}: {first} "
                    f"(incoming seq. number), {known.last_sequence} (current end sequence number)",
                )
        elif first != 0 and known.epoch != NO_EPOCH:
            raise KafkaFault(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Invalid sequence number for new epoch of producer {producer_id}: {epoch} "
                f"(request epoch), {first} (seq. number), {known.epoch} (current producer epoch)",
            )
        if known.transaction_start >= 0 and not is_transactional:
            raise KafkaFault(
                ErrorCode.INVALID_TXN_STATE, f"Expected transactional write from producer {producer_id}"
            )
        return None

    def verify(self, producer_id: int, epoch: int, sequence: int, now_ms: int, *, is_v2: bool) -> bool:
        """Whether the coordinator must be asked about a transactional batch: not while the transaction is
        open here. KafkaFault for an epoch below the one known."""
        known = self._known.get(producer_id)
        if known is not None:
            self._check_epoch(known, epoch)
            if known.transaction_start >= 0 and known.epoch == epoch:
                return False
        now = self._verifying.get(producer_id)
        if now is None:
            self._verifying[producer_id] = Verifying(epoch, sequence, is_v2, now_ms)
        elif epoch > now.epoch or (epoch == now.epoch and sequence < now.lowest_sequence):
            self._verifying[producer_id] = now._replace(epoch=epoch, lowest_sequence=sequence)
        return True

    def _check_verified(self, producer_id: int, first: int, *, is_empty: bool) -> None:
        found = self._verifying.get(producer_id)
        if found is None:
            return
        if found.is_v2 and first and is_empty:
            raise KafkaFault(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Invalid sequence number for producer {producer_id}: {first}. Expected "
                "sequence 0 for transactions v2 idempotent producer with no existing state.",
            )
        if first > found.lowest_sequence:
            raise KafkaFault(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Out of order sequence number for producer {producer_id}: {first} "
                f"(incoming seq. number), {found.lowest_sequence} (earliest seen sequence)",
            )

    def check_epoch(self, producer_id: int, epoch: int) -> None:
        """Refuse an epoch below the one known: all that is asked of what a coordinator writes."""
        known = self._known.get(producer_id)
        if known is not None:
            self._check_epoch(known, epoch)

    def _check_epoch(self, known: Producer, epoch: int) -> None:
        if epoch < known.epoch:
            raise KafkaFault(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"Epoch of producer {known.id} is {epoch}, which is smaller than the last seen epoch "
                f"{known.epoch}",
            )

    def add(self, producer_id: int, epoch: int, kept: Kept, *, is_transactional: bool) -> None:
        """A batch was appended, or is replayed."""
        known = self._known.get(producer_id)
        if known is None:
            known = self._known[producer_id] = Producer(producer_id, epoch)
        elif epoch != known.epoch:
            known.epoch = epoch
            known.batches.clear()
        known.batches.append(kept)
        del known.batches[:-BATCHES_KEPT]
        known.last_ms = kept.timestamp_ms
        if is_transactional:
            self._verifying.pop(producer_id, None)
        if is_transactional and known.transaction_start < 0:
            known.transaction_start = self._open[producer_id] = kept.first_offset

    # Markers

    def check_marker(
        self, producer_id: int, epoch: int, coordinator_epoch: int, transaction_version: int
    ) -> None:
        """Whether a marker may be written: KafkaFault where a newer producer or coordinator has been here."""
        known = self._known.get(producer_id)
        if known is None:
            return
        self._check_epoch(known, epoch)
        # Under transactions v2 the coordinator raises the epoch before it writes markers (KIP-1228). One of
        # the present epoch and without a transaction is a retry, and is written again (KAFKA-19999).
        is_same = epoch == known.epoch != EPOCH_MAX
        if transaction_version >= 2 and is_same and known.transaction_start >= 0:
            raise KafkaFault(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"Epoch of producer {producer_id} is {epoch}, which is not above the last seen epoch",
            )
        if coordinator_epoch < known.coordinator_epoch:
            raise KafkaFault(
                ErrorCode.TRANSACTION_COORDINATOR_FENCED,
                f"Invalid coordinator epoch for producer {producer_id}: {coordinator_epoch} (zombie), "
                f"{known.coordinator_epoch} (current)",
            )

    def end(
        self,
        producer_id: int,
        epoch: int,
        coordinator_epoch: int,
        offset: int,
        timestamp_ms: int,
        *,
        is_commit: bool,
    ) -> Ended | None:
        """A marker was appended at `offset`; the transaction that it ended, None if none was open."""
        verifying = self._verifying.get(producer_id)
        if verifying is not None and not (verifying.is_v2 and verifying.epoch == epoch):
            del self._verifying[producer_id]  # else it is the next transaction that is verified already
        known = self._known.get(producer_id)
        if known is None:
            known = self._known[producer_id] = Producer(producer_id, epoch)
        if epoch != known.epoch:
            known.epoch = epoch
            known.batches.clear()
        known.coordinator_epoch = coordinator_epoch
        known.last_ms = timestamp_ms
        start, known.transaction_start = known.transaction_start, -1
        if start < 0:
            return None
        self._open.pop(producer_id, None)
        stable = next(iter(self._open.values()), offset + 1)
        ended = Ended(producer_id, start, offset, stable, is_commit)
        self._unstable.append(ended)
        return ended

    def settle(self, high_watermark: int) -> None:
        """Markers below the high watermark are decided for good."""
        while self._unstable and self._unstable[0].last_offset < high_watermark:
            del self._unstable[0]

    # What is forgotten

    def expire(self, is_over: Callable[[int], bool]) -> None:
        """Forget producers without an open transaction for whose last write it is over."""
        gone = [known.id for known in self if known.transaction_start < 0 and is_over(known.last_ms)]
        for producer_id in gone:
            del self._known[producer_id]
        for producer_id in [each for each, found in self._verifying.items() if is_over(found.at_ms)]:
            del self._verifying[producer_id]

    def clear(self) -> None:
        self._known.clear()
        self._open.clear()
        self._unstable.clear()
        self._verifying.clear()

    # Snapshots

    def encode(self) -> bytes:
        """A snapshot file: version i16, CRC-32C u32 of what follows, count i32, and for each producer
        id i64, epoch i16, last sequence i32, last offset i64, offset delta i32, timestamp i64,
        coordinator epoch i32, first offset of its transaction i64."""
        parts = [_COUNT.pack(len(self._known))]
        for known in self:
            last = known.batches[-1] if known.batches else None
            parts.append(
                _ENTRY.pack(
                    known.id,
                    known.epoch,
                    known.last_sequence,
                    last.last_offset if last else -1,
                    last.last_offset - last.first_offset if last else 0,
                    known.last_ms,
                    known.coordinator_epoch,
                    known.transaction_start,
                )
            )
        body = b"".join(parts)
        return _FRONT.pack(_SNAPSHOT_VERSION, google_crc32c.value(body)) + body

    def load(self, data: bytes) -> None:
        """Take up the state of a snapshot; ProtocolError for what is none."""
        self.clear()
        body = data[_FRONT.size :]
        try:
            version, checksum = _FRONT.unpack_from(data)
            if version != _SNAPSHOT_VERSION or google_crc32c.value(body) != checksum:
                raise ProtocolError(f"a snapshot of version {version} that fails its checksum")
            (count,) = _COUNT.unpack_from(body)
            entries = [
                _ENTRY.unpack_from(body, _COUNT.size + number * _ENTRY.size) for number in range(count)
            ]
        except error as problem:
            raise ProtocolError("a snapshot that is cut short") from problem
        for producer_id, epoch, sequence, offset, delta, last_ms, coordinator_epoch, start in entries:
            known = self._known[producer_id] = Producer(producer_id, epoch)
            known.last_ms, known.coordinator_epoch, known.transaction_start = (
                last_ms,
                coordinator_epoch,
                start,
            )
            if sequence >= 0:
                first = sequence - delta if sequence >= delta else sequence - delta + SEQUENCE_MAX + 1
                known.batches.append(Kept(first, sequence, offset - delta, offset, last_ms))
        opened = sorted((known.transaction_start, known.id) for known in self if known.transaction_start >= 0)
        self._open.update((producer_id, start) for start, producer_id in opened)
