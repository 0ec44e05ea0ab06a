"""A partition: what is appended, refused, committed and read."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.kafka.partition_world import NOW_MS, TOPIC_ID, World, batch, contents

from cloudlet.engines import disk_segment
from cloudlet.engines.disk_pins import DiskPins
from cloudlet.kafka.compressing import pack
from cloudlet.kafka.compression import GZIP
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.partition import Isolation
from cloudlet.kafka.replicas import Replicas
from cloudlet.kafka.turns import Turn, whole
from cloudlet.kernel.batches import HEADER_BYTES, header
from cloudlet.kernel.fault import StoreError
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import TRANSACTIONAL, Producer, Record, decode, seal

Scenario = Callable[[World], Awaitable[None]]
Play = Callable[[Scenario], None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def run(scenario: Scenario) -> None:
        async def whole() -> None:
            world = World(tmp_path)
            try:
                await scenario(world)
            finally:
                await world.logs.close()

        asyncio.run(whole())

    return run


async def refused(code: ErrorCode, work: Awaitable[object]) -> KafkaFault:
    with pytest.raises(KafkaFault) as fault:
        await work
    assert fault.value.code is code, fault.value
    return fault.value


def test_appends_are_stamped_and_read_back(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition(leader_epoch=3)
        assert await partition.append(batch("a", "b")) == (0, 2, -1, 0, False)
        view = memoryview(bytearray(batch("c")))
        assert (await partition.append(view)).base_offset == 2
        fetched = partition.read(0, bytes_max=10_000)
        assert [value for _, _, _, value in decode(fetched.records)] == [b"a", b"b", b"c"]
        assert header(fetched.records).leader_epoch == 3
        assert fetched[1:] == (3, 3, 0, None)
        assert partition.topic_id == TOPIC_ID
        assert partition.read(3, bytes_max=10).records == b""
        await refused(ErrorCode.OFFSET_OUT_OF_RANGE, _read(partition, 4))

    play(scenario)


async def _read(partition, offset):
    return partition.read(offset, bytes_max=10)


def test_everything_is_there_after_a_restart(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition()
        for number in range(10):
            await partition.append(batch(f"{number}", producer=Producer(7, 0, number)))
        partition.close()
        await world.reopen()
        partition = world.partition()
        assert partition.high_watermark == 10
        assert len(contents(partition)) == 10
        again = await partition.append(batch("7", producer=Producer(7, 0, 7)))
        assert again == (7, 8, -1, 0, True)
        await refused(
            ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, partition.append(batch("x", producer=Producer(7, 0, 12)))
        )

    play(scenario)


def test_read_committed_ends_before_the_first_open_transaction(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition()
        moves: list[int] = []
        partition.on_change(lambda: moves.append(partition.last_stable_offset))
        await partition.append(batch("before"))
        await partition.append(batch("t1", producer=Producer(1, 0, 0), attributes=TRANSACTIONAL))
        await partition.append(batch("t2", producer=Producer(2, 0, 0), attributes=TRANSACTIONAL))
        await partition.append(batch("plain"))
        assert (partition.last_stable_offset, partition.high_watermark) == (1, 4)
        committed = partition.read(0, bytes_max=1000, isolation=Isolation.READ_COMMITTED)
        assert [offset for offset, _, _, _ in decode(committed.records)] == [0]
        await partition.append_marker(1, 0, is_commit=False, coordinator_epoch=0)
        assert partition.last_stable_offset == 2
        await partition.append_marker(2, 0, is_commit=True, coordinator_epoch=0)
        assert partition.last_stable_offset == 6
        committed = partition.read(0, bytes_max=1000, isolation=Isolation.READ_COMMITTED)
        assert [offset for offset, _, _, _ in decode(committed.records)] == [0, 1, 2, 3]
        assert committed.aborted == [(1, 1)]
        assert moves == [1, 1, 1, 1, 2, 6]
        partition.close()
        await world.reopen()
        partition = world.partition()
        assert partition.read(0, bytes_max=1000, isolation=Isolation.READ_COMMITTED).aborted == [(1, 1)]

    play(scenario)


def test_coordinators_append_records_as_one_batch(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition(LogSettings(cleanup_policy=frozenset({"compact"})))
        appended = await partition.append_records([Record(b"v1", b"k1"), Record(None, b"k2")])
        assert appended[:2] == (0, 2)
        found = list(decode(partition.read(0, bytes_max=1000).records))
        assert found == [(0, NOW_MS, b"k1", b"v1"), (1, NOW_MS, b"k2", None)]

    play(scenario)


def test_log_append_time_is_the_brokers(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition(LogSettings(message_timestamp_type="LogAppendTime"))
        world.clock.pass_ms(5)
        sent = batch("a", "b", time_ms=12, producer=Producer(3, 0, 0))
        appended = await partition.append(sent)
        assert appended.append_time_ms == NOW_MS + 5
        found = list(decode(partition.read(0, bytes_max=1000).records))  # the checksum is right too
        assert [stamp for _, stamp, _, _ in found] == [NOW_MS + 5, NOW_MS + 5]
        world.clock.pass_ms(5)
        retry = await partition.append(sent)
        assert (retry.base_offset, retry.append_time_ms, retry.is_retry) == (0, NOW_MS + 5, True)
        assert whole(partition.offset_for_timestamp(NOW_MS + 5)) == (0, NOW_MS + 5, 0)

    play(scenario)


def test_what_is_not_synced_is_not_shown_where_a_sync_was_promised(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition(LogSettings(flush_messages=1))
        begun = [asyncio.ensure_future(partition.append(batch(f"{n}"))) for n in range(3)]
        await asyncio.sleep(0)
        assert partition.stop_offset == 3
        assert partition.high_watermark == 0
        assert partition.read(0, bytes_max=1000).records == b""
        assert [done.base_offset for done in await asyncio.gather(*begun)] == [0, 1, 2]
        assert partition.high_watermark == 3
        partition.configure(LogSettings(flush_messages=3))
        await partition.append(batch("3"))
        assert partition.high_watermark == 4

    play(scenario)


class Syncs:
    """Stands for the disk's syncs: each may be told to fail."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.error = 0
        self._sync = disk_segment.sync_file
        patch.setattr(disk_segment, "sync_file", self.sync)

    def sync(self, path: str) -> None:
        if self.error:
            raise OSError(self.error, os.strerror(self.error), path)
        self._sync(path)


def test_what_could_not_be_synced_is_neither_shown_nor_claimed_by_its_retry(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        syncs = Syncs(monkeypatch)
        partition = world.partition(LogSettings(flush_messages=1))
        await partition.append(batch("a", producer=Producer(7, 0, 0)))
        syncs.error = errno.EMFILE
        with pytest.raises(StoreError, match="not synced yet"):
            await partition.append(batch("b", producer=Producer(7, 0, 1)))
        with pytest.raises(StoreError, match="not synced yet"):
            await partition.append(batch("b", producer=Producer(7, 0, 1)))
        partition.trim(1)  # after which the high watermark is looked at
        assert (partition.high_watermark, partition.stop_offset) == (1, 2)
        syncs.error = 0
        again = await partition.append(batch("b", producer=Producer(7, 0, 1)), acks=-1)
        assert (again.base_offset, again.is_retry) == (1, True)
        assert partition.high_watermark == 2

    play(scenario)


def test_after_a_sync_that_failed_for_good_no_retry_is_answered_as_if_it_were_there(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        syncs = Syncs(monkeypatch)
        partition = world.partition()
        await partition.append(batch("a", producer=Producer(7, 0, 0)))
        syncs.error = errno.EIO
        with pytest.raises(StoreError, match="a sync failed"):
            await partition.log.settle()
        syncs.error = 0
        for sent in (batch("a", producer=Producer(7, 0, 0)), batch("b", producer=Producer(7, 0, 1))):
            with pytest.raises(StoreError, match="reopen the logs"):
                await partition.append(sent)

    play(scenario)


def test_a_record_that_was_verified_before_the_marker_does_not_come_behind_it(play: Play) -> None:
    """It would be of no transaction that ever ends, and nobody would read beyond it."""

    async def scenario(world: World) -> None:
        partition = world.partition()
        first = batch("a", producer=Producer(7, 0, 0), attributes=TRANSACTIONAL)
        await refused(ErrorCode.INVALID_TXN_STATE, partition.append(first, is_verified=False))
        assert partition.verify(7, 0, 0, is_v2=False)
        await partition.append_marker(7, 0, is_commit=False, coordinator_epoch=0)
        await refused(ErrorCode.INVALID_TXN_STATE, partition.append(first, is_verified=True))
        assert partition.verify(7, 0, 0, is_v2=False)
        await partition.append(first, is_verified=True)
        assert not partition.verify(7, 0, 1, is_v2=False)
        second = batch("b", producer=Producer(7, 0, 1), attributes=TRANSACTIONAL)
        await partition.append(second, is_verified=False)  # it is open here
        await partition.append_marker(7, 0, is_commit=True, coordinator_epoch=0)
        again = await partition.append(second, is_verified=False)
        assert (again.base_offset, again.is_retry) == (2, True)
        third = batch("c", producer=Producer(7, 0, 2), attributes=TRANSACTIONAL)
        await refused(ErrorCode.INVALID_TXN_STATE, partition.append(third, is_verified=False))
        assert partition.last_stable_offset == partition.high_watermark == 4

    play(scenario)


def test_a_flush_interval_syncs_by_itself(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition(LogSettings(flush_ms=1))
        await partition.append(batch("a"))
        assert partition.high_watermark == 1
        segment = world.logs.find(partition.log.name).active  # type: ignore[union-attr]
        async with asyncio.timeout(10):
            while segment.dirty:
                await asyncio.sleep(0.001)

    play(scenario)


def test_acks_all_wait_for_the_replicas_in_sync(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition(LogSettings(min_insync_replicas=2), "alone-0")
        assert (await partition.append(batch("a"), acks=-1)).base_offset == 0  # it is all there are
        partition = world.partition(LogSettings(min_insync_replicas=2))
        partition.replicas = Replicas(1, assigned=[1, 2, 3, 4])
        await refused(ErrorCode.NOT_ENOUGH_REPLICAS, partition.append(batch("a"), acks=-1))
        partition.replicas.change([1, 2, 3])
        waiting = asyncio.ensure_future(partition.append(batch("a"), acks=-1))
        await asyncio.sleep(0)
        assert (await partition.append(batch("b"), acks=1)).base_offset == 1
        assert (partition.high_watermark, partition.stop_offset) == (0, 2)
        partition.follower_fetched(2, 2)
        assert partition.high_watermark == 0
        assert not waiting.done()
        partition.follower_fetched(3, 1)
        assert partition.high_watermark == 1
        assert (await waiting).base_offset == 0
        # A replica that is about to join counts; one that left does not.
        partition.replicas.change([1, 2], joining=[4])
        partition.follower_fetched(4, 1)
        assert partition.high_watermark == 1
        partition.follower_fetched(4, 2)
        assert partition.high_watermark == 2
        # Never back, and no further with too few in sync.
        partition.replicas.change([1])
        await partition.append(batch("c"))
        assert partition.high_watermark == 2
        partition.replicas.change([1, 2])
        await refused(ErrorCode.REQUEST_TIMED_OUT, partition.append(batch("d"), acks=-1, timeout_ms=1))
        shrunk = asyncio.ensure_future(partition.append(batch("e"), acks=-1))
        await asyncio.sleep(0)
        partition.follower_fetched(2, 5)
        partition.replicas.change([1])
        await refused(ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND, shrunk)

    play(scenario)


def test_epochs_tell_where_logs_part(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition(leader_epoch=2)
        await partition.append(batch("a", "b"))
        partition.lead(5)
        await partition.append(batch("c"))
        assert partition.epoch_end(2) == (2, 2)
        assert partition.epoch_end(3) == partition.epoch_end(4) == (2, 2)
        assert partition.epoch_end(5) == (5, 3)
        assert partition.epoch_end(1) == (1, 0)
        assert partition.epoch_end(6) == partition.epoch_end(-1) == (-1, -1)
        assert [partition.epoch_at(offset) for offset in range(4)] == [2, 2, 5, 5]
        assert partition.diverging(2, 2) is None
        assert partition.diverging(2, 3) == (2, 2)
        assert partition.diverging(4, 3) == (2, 2)
        for wrong, code in ((4, ErrorCode.FENCED_LEADER_EPOCH), (6, ErrorCode.UNKNOWN_LEADER_EPOCH)):
            with pytest.raises(KafkaFault) as fault:
                partition.check_leader_epoch(wrong)
            assert fault.value.code is code
        partition.check_leader_epoch(5)
        partition.check_leader_epoch(-1)
        partition.close()
        await world.reopen()
        # Whoever brings an older epoch leads in the log's: a checkpoint was brought back.
        partition = world.partition(leader_epoch=3)
        assert partition.leader_epoch == 5
        partition.truncate(2)
        assert partition.epoch_end(2) == (2, 2)
        assert partition.epoch_at(1) == 2

    play(scenario)


def test_the_first_batch_of_a_response_may_be_too_large(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition()
        size = len(batch("x" * 100))
        for _ in range(4):
            await partition.append(batch("x" * 100))
        for bytes_max, is_first, count in (
            (0, True, 1),
            (0, False, 0),
            (size - 1, False, 0),
            (size, False, 1),
            (2 * size - 1, True, 1),
            (2 * size, True, 2),
            (10 * size, False, 4),
        ):
            fetched = partition.read(0, bytes_max=bytes_max, is_first=is_first)
            assert len(fetched.records) == count * size, (bytes_max, is_first)
        assert partition.read(0, bytes_max=-1).records == b""

    play(scenario)


def test_segments_roll_by_time(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition(LogSettings(segment_ms=1000))
        for later_ms in (0, 999, 1000, 1001, 1002, 5000):
            await partition.append(batch("x", time_ms=NOW_MS + later_ms))
        assert [span.base for span in partition.log.spans()] == [0, 3, 5]
        # Without times of their own the clock decides.
        partition = world.partition(LogSettings(segment_ms=1000), "u-0")
        await partition.append(batch("x", time_ms=-1))
        await partition.append(batch("x", time_ms=-1))
        world.move_clock(1001)
        await partition.append(batch("x", time_ms=-1))
        assert [span.base for span in partition.log.spans()] == [0, 2]

    play(scenario)


def test_a_checkpoint_brings_everything_back(play: Play) -> None:
    """Indexes, producers and aborted transactions are those of the instant; the epoch is a new one."""

    async def scenario(world: World) -> None:
        settings = LogSettings(segment_bytes=400, index_interval_bytes=100)
        partition = world.partition(settings)
        for number in range(8):
            await partition.append(
                batch(f"{number}", producer=Producer(1, 0, number), time_ms=NOW_MS + number)
            )
        await partition.append(batch("t", producer=Producer(2, 0, 0), attributes=TRANSACTIONAL))
        await partition.append_marker(2, 0, is_commit=False, coordinator_epoch=0)
        pins = DiskPins(world.logs, is_durable=False)
        pinned = pins.pin("p", partition.log.name)
        assert (pinned.start, pinned.stop) == (0, 10)
        for number in range(8, 20):
            await partition.append(batch(f"{number}", producer=Producer(1, 0, number), time_ms=NOW_MS + 100))
        partition.trim(15)
        partition.close()
        await pins.bring_back("p", pinned, 7)
        partition = world.partition(settings)
        assert (partition.start_offset, partition.stop_offset, partition.leader_epoch) == (0, 10, 7)
        assert [value for _, value in contents(partition)][:8] == [b"%d" % n for n in range(8)]
        assert partition.read(8, bytes_max=5000, isolation=Isolation.READ_COMMITTED).aborted == [(2, 8)]
        assert whole(partition.offset_for_timestamp(NOW_MS + 3)) == (3, NOW_MS + 3, 0)
        assert whole(partition.offset_for_timestamp(NOW_MS + 100)) is None
        assert (await partition.append(batch("7", producer=Producer(1, 0, 7)))).is_retry
        appended = await partition.append(batch("8", producer=Producer(1, 0, 8)))
        assert appended.base_offset == 10
        assert header(partition.read(10, bytes_max=0).records).leader_epoch == 7
        assert partition.epoch_end(0) == (0, 10)
        # The pin is as it was: it can be brought back again.
        partition.close()
        await pins.bring_back("p", pinned, 8)
        partition = world.partition(settings)
        assert (partition.stop_offset, partition.leader_epoch) == (10, 8)

    play(scenario)


def test_a_restart_replays_no_more_than_so_much(play: Play) -> None:
    async def scenario(world: World) -> None:
        partition = world.partition(LogSettings(max_message_bytes=20 << 20))
        for number in range(5):
            await partition.append(batch("x" * (9 << 20), producer=Producer(1, 0, number)))
        assert partition.log.snapshots() == [4]
        await world.reopen()
        partition = world.partition()
        assert (await partition.append(batch("y", producer=Producer(1, 0, 5)))).base_offset == 5

    play(scenario)


@pytest.mark.parametrize(
    "settings",
    [
        LogSettings(cleanup_policy=frozenset({"compact"})),
        LogSettings(compression_type="lz4"),
        LogSettings(message_timestamp_before_max_ms=1),
    ],
    ids=["keys", "another codec", "times"],
)
def test_others_have_their_turn_while_many_records_are_looked_at(
    play: Play, monkeypatch: pytest.MonkeyPatch, settings: LogSettings
) -> None:
    async def scenario(world: World) -> None:
        monkeypatch.setattr(Turn, "is_over", lambda _: True)
        partition = world.partition(settings)
        plain = batch(*["the same value"] * 20_000, key="k")
        sent = seal(pack(GZIP, plain[HEADER_BYTES:]), 20_000, NOW_MS - 5, NOW_MS, attributes=GZIP)
        appending = asyncio.ensure_future(partition.append(sent))
        turns = 0
        while not appending.done():
            turns += 1
            await asyncio.sleep(0)
        assert turns > 20
        if settings.message_timestamp_before_max_ms == 1:
            await refused(ErrorCode.INVALID_TIMESTAMP, appending)
            return
        assert (await appending).stop_offset == 20_000
        assert sum(1 for _ in partition.offset_for_timestamp(NOW_MS - 4)) > 20

    play(scenario)
