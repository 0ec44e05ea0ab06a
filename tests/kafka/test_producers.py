"""Sequences, epochs and transactions of producers, without a log; and Kafka's snapshot file."""

from __future__ import annotations

import pytest

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.producers import SEQUENCE_MAX, Kept, Producers, after
from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka.error_codes import ErrorCode

GOLDEN = bytes.fromhex(
    "0001"  # version
    "ad103757"  # CRC-32C of what follows
    "00000002"
    "0000000000000007" "0002" "00000004" "000000000000000e" "00000002" "0000018bcfe56800" "ffffffff"
    "ffffffffffffffff"
    "0000000000000008" "0000" "ffffffff" "ffffffffffffffff" "00000000" "0000018bcfe56801" "00000003"
    "ffffffffffffffff"
)  # fmt: skip


def offer(
    producers: Producers,
    first: int,
    count: int = 1,
    *,
    producer: int = 7,
    epoch: int = 0,
    offset: int = 0,
    transactional: bool = False,
) -> Kept | None:
    """Check a batch, and add it if it is new."""
    kept = producers.check(producer, epoch, first, count, is_transactional=transactional)
    if kept is None:
        batch = Kept(first, after(first, count - 1), offset, offset + count - 1, 1)
        producers.add(producer, epoch, batch, is_transactional=transactional)
    return kept


def refused(code: ErrorCode, producers: Producers, first: int, **more: int) -> None:
    with pytest.raises(KafkaFault) as fault:
        offer(producers, first, **more)
    assert fault.value.code is code


def test_five_batches_are_remembered() -> None:
    producers = Producers()
    for number in range(7):
        assert offer(producers, number * 2, 2, offset=100 + number * 2) is None
    for number in range(2, 7):
        kept = offer(producers, number * 2, 2)
        assert kept is not None
        assert (kept.first_offset, kept.last_offset) == (100 + number * 2, 101 + number * 2)
    refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, producers, 2, count=2)  # no longer remembered
    refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, producers, 12, count=1)  # half of a batch
    refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, producers, 16, count=1)  # a gap
    assert offer(producers, 14) is None


def test_sequences_wrap_to_zero() -> None:
    producers = Producers()
    assert offer(producers, SEQUENCE_MAX - 1) is None  # an unknown producer may begin anywhere
    assert offer(producers, SEQUENCE_MAX, 3) is None
    assert offer(producers, SEQUENCE_MAX, 3) is not None
    assert offer(producers, 2) is None
    assert after(SEQUENCE_MAX, 1) == 0


def test_a_higher_epoch_begins_at_zero_and_a_lower_one_is_fenced() -> None:
    producers = Producers()
    offer(producers, 0, 5)
    refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, producers, 5, epoch=1)
    assert offer(producers, 0, epoch=1) is None
    refused(ErrorCode.INVALID_PRODUCER_EPOCH, producers, 5, epoch=0)
    refused(ErrorCode.INVALID_PRODUCER_EPOCH, producers, 0, epoch=0)
    with pytest.raises(KafkaFault):
        producers.check_epoch(7, 0)
    producers.check_epoch(7, 1)
    producers.check_epoch(99, 0)


def test_transactions_bound_what_is_stable() -> None:
    producers = Producers()
    offer(producers, 0, producer=1, offset=10, transactional=True)
    offer(producers, 0, producer=2, offset=11, transactional=True)
    offer(producers, 1, producer=1, offset=12, transactional=True)
    refused(ErrorCode.INVALID_TXN_STATE, producers, 2, producer=1, offset=13)
    assert producers.first_unstable == 10
    ended = producers.end(1, 0, 3, 13, 1, is_commit=False)
    assert ended == (1, 10, 13, 11, False)
    assert producers.first_unstable == 10  # the marker is not committed yet
    producers.settle(13)
    assert producers.first_unstable == 10
    producers.settle(14)
    assert producers.first_unstable == 11
    assert producers.end(1, 0, 3, 14, 1, is_commit=True) is None  # no transaction was open
    ended = producers.end(2, 0, 3, 15, 1, is_commit=True)
    assert ended == (2, 11, 15, 16, True)
    producers.settle(16)
    assert producers.first_unstable is None
    producers.expire(lambda last_ms: True)
    assert len(producers) == 0


def test_markers_are_fenced_by_both_epochs() -> None:
    producers = Producers()
    offer(producers, 0, epoch=4, transactional=True)
    producers.check_marker(7, 4, 2, 1)
    producers.check_marker(7, 5, 2, 2)
    with pytest.raises(KafkaFault) as fault:
        producers.check_marker(7, 3, 2, 1)
    assert fault.value.code is ErrorCode.INVALID_PRODUCER_EPOCH
    with pytest.raises(KafkaFault) as fault:
        producers.check_marker(7, 4, 2, 2)  # v2: the coordinator would have raised the epoch
    assert fault.value.code is ErrorCode.INVALID_PRODUCER_EPOCH
    producers.end(7, 5, 2, 1, 1, is_commit=True)
    producers.check_marker(7, 5, 2, 2)  # v2: the retry of a marker that was written
    with pytest.raises(KafkaFault) as fault:
        producers.check_marker(7, 5, 1, 1)
    assert fault.value.code is ErrorCode.TRANSACTION_COORDINATOR_FENCED
    # A raised epoch begins anew at sequence 0.
    refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, producers, 1, epoch=5)
    assert offer(producers, 0, epoch=5) is None


def golden_state() -> Producers:
    producers = Producers()
    producers.add(7, 2, Kept(2, 4, 12, 14, 1_700_000_000_000), is_transactional=False)
    producers.end(8, 0, 3, 15, 1_700_000_000_001, is_commit=True)
    return producers


def test_a_snapshot_is_kafkas_file() -> None:
    data = golden_state().encode()
    assert data[6:] == GOLDEN[6:]
    assert data == GOLDEN
    producers = Producers()
    producers.load(data)
    assert producers.encode() == data
    kept = producers.check(7, 2, 2, 3, is_transactional=False)
    assert kept is not None
    assert (kept.first_offset, kept.last_offset) == (12, 14)


def test_a_spoilt_snapshot_is_refused() -> None:
    for spoilt in (
        b"",
        GOLDEN[:5],
        GOLDEN[:-1],
        GOLDEN[:20],
        b"\0\2" + GOLDEN[2:],
        GOLDEN[:-1] + b"\0",
    ):
        with pytest.raises(ProtocolError):
            Producers().load(spoilt)


def test_open_transactions_survive_in_a_snapshot_in_their_order() -> None:
    producers = Producers()
    for producer, offset in ((9, 5), (3, 8)):
        offer(producers, 0, producer=producer, offset=offset, transactional=True)
    again = Producers()
    again.load(producers.encode())
    assert again.first_unstable == 5
    again.end(9, 0, 0, 9, 1, is_commit=True)
    again.settle(100)
    assert again.first_unstable == 8


def test_behind_a_first_batch_that_failed_nothing_is_taken_before_it_comes_again() -> None:
    producers = Producers()
    assert producers.verify(7, 0, 0, 1, is_v2=False), "the coordinator refuses this one"
    assert producers.verify(7, 0, 1, 1, is_v2=False), "and lets this one pass"
    with pytest.raises(KafkaFault) as refused:
        producers.check(7, 0, 1, 1, is_transactional=True)
    assert refused.value.code is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert producers.check(7, 0, 0, 1, is_transactional=True) is None
    producers.add(7, 0, Kept(0, 0, 10, 10, 1), is_transactional=True)
    assert not producers.verify(7, 0, 1, 1, is_v2=False), "the transaction is open here"
    assert producers.check(7, 0, 1, 1, is_transactional=True) is None


def test_the_second_version_begins_each_epoch_at_sequence_0() -> None:
    producers = Producers()
    producers.verify(7, 0, 3, 1, is_v2=True)
    with pytest.raises(KafkaFault) as refused:
        producers.check(7, 0, 3, 1, is_transactional=True)
    assert refused.value.code is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    producers.verify(7, 0, 0, 1, is_v2=True)
    assert producers.check(7, 0, 0, 1, is_transactional=True) is None


def test_what_was_verified_outlives_only_the_marker_of_the_transaction_before() -> None:
    producers = Producers()
    producers.verify(7, 1, 0, 1, is_v2=True)
    producers.end(7, 1, 0, 5, 1, is_commit=True)  # the marker of epoch 0's transaction carries epoch 1
    with pytest.raises(KafkaFault):
        producers.check(7, 1, 2, 1, is_transactional=True)
    producers.end(7, 2, 0, 6, 1, is_commit=True)
    with pytest.raises(KafkaFault) as refused:
        producers.verify(7, 1, 0, 1, is_v2=True)
    assert refused.value.code is ErrorCode.INVALID_PRODUCER_EPOCH


def test_a_marker_in_the_highest_epoch_may_come_twice() -> None:
    producers = Producers()
    producers.add(7, 32_767, Kept(0, 0, 10, 10, 1), is_transactional=True)
    producers.check_marker(7, 32_767, 0, 2)
    producers.add(8, 5, Kept(0, 0, 11, 11, 1), is_transactional=True)
    with pytest.raises(KafkaFault):
        producers.check_marker(8, 5, 0, 2)
