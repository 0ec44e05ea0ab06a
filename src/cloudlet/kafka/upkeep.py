"""What partitions need beside requests: syncing, retention, compaction, forgetting of producers, checkpoints.

State   in the folder of the broker's logs, Kafka's own: `cleaner-offset-checkpoint`, how far each compacted
        log is clean; `replication-offset-checkpoint`, `recovery-point-offset-checkpoint` and
        `log-start-offset-checkpoint`, for Kafka's tools; `.kafka_cleanshutdown` while nobody runs
Source  Apache Kafka 4.3, LogManager, LogCleanerManager, CleanShutdownFileHandler
Absent  cleaner threads and their throttles: one compaction at a time, in slices of a millisecond

One task does everything, a partition at a time, and gives the loop its turns. Rounds are real time; what is
old is decided on cloud time, and a step of the clock (`clock_moved`) starts a round at once. A partition that
is not open is glanced at, and opened only where its files say that there is something to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass

from cloudlet.kafka.cleaning import clean, extent, is_due
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.partition import Partition
from cloudlet.kafka.retention import first_kept
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import StoreError
from cloudlet.kernel.logs import LogName
from cloudlet.kernel.partition_logs import Glance, PartitionLogs, Step

CLEANER = "cleaner-offset-checkpoint"
HIGH_WATERMARKS = "replication-offset-checkpoint"
RECOVERY_POINTS = "recovery-point-offset-checkpoint"
STARTS = "log-start-offset-checkpoint"
CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
CLEAN_SHUTDOWN_TEXT = '{"version":0,"brokerEpoch":-1}'
SLICE_MS = 1.0
PAUSE_S_MIN = 0.1  # between two rounds, however short an interval is
CLOCKED_JOBS = 3  # of the jobs, the first ones, go by cloud time
PER_TURN = 16  # partitions looked at between two turns of the loop

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A partition of the broker: open, or to be opened."""

    topic: str
    index: int
    log_name: LogName
    opened: Partition | None
    settings: Callable[[], LogSettings]
    open: Callable[[], Partition]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often what is done, in seconds of real time; infinity: not at all. Kafka's defaults, but for
    syncing."""

    sync_s: float = 5.0
    retention_s: float = 300.0  # log.retention.check.interval.ms
    cleaning_s: float = 15.0  # log.cleaner.backoff.ms
    checkpoint_s: float = 60.0  # log.flush.offset.checkpoint.interval.ms
    producers_s: float = 600.0  # producer.id.expiration.check.interval.ms


class Upkeep:
    """One broker's; `held` names its partitions anew each time."""

    def __init__(
        self,
        logs: PartitionLogs,
        folder: str,
        held: Callable[[], Iterable[Held]],
        clock: Clock,
        rhythm: Callable[[], Rhythm] = Rhythm,
    ) -> None:
        self._logs = logs
        self._folder = folder
        self._held = held
        self._clock = clock
        self._rhythm = rhythm
        self._cleaned = logs.read_offsets(folder, CLEANER)
        self._files: dict[str, dict[str, int]] = {}
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def start(self) -> None:
        """Begin; the loop runs."""
        self._logs.write_text(self._folder, CLEAN_SHUTDOWN, None)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="kafka-upkeep")

    def clock_moved(self) -> None:
        """Cloud time has made a step: what is old now goes now."""
        self._wake.set()

    async def close(self) -> None:
        """Stop, and leave what a clean shutdown leaves."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        with contextlib.suppress(StoreError, OSError):
            await self.checkpoint(is_clean=True)
            self._logs.write_text(self._folder, CLEAN_SHUTDOWN, CLEAN_SHUTDOWN_TEXT)

    # The rounds

    async def _run(self) -> None:
        jobs: list[tuple[Callable[[Rhythm], float], Callable[[], Awaitable[None]]]] = [
            (lambda rhythm: rhythm.retention_s, self.retain),
            (lambda rhythm: rhythm.cleaning_s, self.compact),
            (lambda rhythm: rhythm.producers_s, self.expire_producers),
            (lambda rhythm: rhythm.checkpoint_s, self.checkpoint),
        ]
        synced_s = self._clock.monotonic_ms() / 1000
        done_s = [synced_s] * len(jobs)
        while True:
            now_s = self._clock.monotonic_ms() / 1000
            rhythm = self._rhythm()
            left_s = min(last + interval(rhythm) for last, (interval, _) in zip(done_s, jobs, strict=True))
            is_moved = await self._pause(max(min(left_s - now_s, rhythm.sync_s), PAUSE_S_MIN))
            now_s = self._clock.monotonic_ms() / 1000
            rhythm = self._rhythm()  # it may have changed meanwhile
            if now_s - synced_s >= rhythm.sync_s:
                synced_s = now_s
                self._logs.hurry()
            for number, (interval, job) in enumerate(jobs):
                every_s = interval(rhythm)
                is_asked = is_moved and number < CLOCKED_JOBS and every_s != math.inf
                if now_s - done_s[number] < every_s and not is_asked:
                    continue
                try:
                    await job()
                except (KafkaFault, StoreError, OSError) as error:
                    logger.warning("upkeep of %s: %s", self._folder, error)
                done_s[number] = self._clock.monotonic_ms() / 1000

    async def _pause(self, seconds: float) -> bool:
        """Wait; whether the clock moved meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def retain(self) -> None:
        """Delete what is too old or too much, of every partition."""
        async for held in self._each():
            partition = held.opened
            if partition is None:
                settings = held.settings()
                glance = self._logs.glance(held.log_name)
                if glance is None or not self._is_worth(glance, settings):
                    continue
                partition = held.open()
            try:
                self.retain_one(partition)
            except (StoreError, OSError) as error:
                logger.warning("retention of %s: %s", partition.name, error)

    def _is_worth(self, glance: Glance, settings: LogSettings) -> bool:
        age_ms = self._clock.cloud_ms() - self._clock.cloud_at(glance.oldest_ms)
        is_old = 0 <= settings.retention_ms < age_ms
        is_beyond = 0 <= settings.retention_bytes < glance.size_bytes
        return settings.is_deleted and glance.size_bytes > 0 and (is_old or is_beyond)

    def retain_one(self, partition: Partition) -> None:
        """Delete what is too old or too much of one partition."""
        spans = partition.log.spans()
        start = first_kept(spans, partition.high_watermark, partition.settings, self._clock)
        if start > partition.start_offset:
            logger.info("%s: offsets below %d are deleted by retention", partition.name, start)
            partition.trim(start)

    async def compact(self) -> None:
        """Clean the logs that are dirty enough, the dirtiest first."""
        due: list[tuple[float, Partition]] = []
        async for held in self._each():
            partition = held.opened
            if partition is None:
                if not held.settings().is_compacted:
                    continue
                glance = self._logs.glance(held.log_name)
                if glance is None or glance.segments < 2:
                    continue
                partition = held.open()
            if partition.settings.is_compacted:
                self._take_up(partition)
                found = extent(partition, self._clock)
                if is_due(found, partition.settings, self._clock):
                    due.append((found.ratio, partition))
        for _, partition in sorted(due, key=lambda entry: -entry[0]):
            try:
                await self.compact_one(partition)
            except (StoreError, OSError) as error:  # deleted meanwhile, or no room
                logger.warning("%s is not compacted: %s", partition.name, error)

    async def compact_one(self, partition: Partition) -> None:
        """One pass over one log, in slices."""
        found = extent(partition, self._clock)
        await self._slices(clean(partition, found, self._clock))
        logger.info("%s: cleaned to offset %d", partition.name, partition.cleaned_to)
        self._cleaned[_key(partition)] = partition.cleaned_to
        self._logs.write_offsets(self._folder, CLEANER, self._cleaned)

    async def _slices(self, steps: Iterator[Step]) -> None:
        began = self._clock.monotonic_ms()
        for step in steps:
            if step is not None:
                await asyncio.get_running_loop().run_in_executor(None, step)
            elif self._clock.monotonic_ms() - began < SLICE_MS:
                continue
            else:
                await asyncio.sleep(0)
            began = self._clock.monotonic_ms()

    def _take_up(self, partition: Partition) -> None:
        """Let a partition know how far it is clean, if it was opened since."""
        cleaned_to = self._cleaned.get(_key(partition), 0)
        if not partition.cleaned_to and cleaned_to <= partition.stop_offset:
            partition.cleaned_to = cleaned_to

    async def expire_producers(self) -> None:
        """Forget the producers that have been silent for long."""
        async for held in self._each():
            if held.opened is not None:
                held.opened.expire_producers()

    # Checkpoints

    async def checkpoint(self, *, is_clean: bool = False) -> None:
        """Write Kafka's checkpoints of the open partitions. What the files say of others stays."""
        files: dict[str, dict[str, int]] = {HIGH_WATERMARKS: {}, RECOVERY_POINTS: {}, STARTS: {}}
        known = {name: self._known(name) for name in files}
        async for held in self._each():
            partition = held.opened
            key = f"{held.topic} {held.index}"
            if partition is None:
                for name, offsets in files.items():
                    if key in known[name]:
                        offsets[key] = known[name][key]
                continue
            files[HIGH_WATERMARKS][key] = partition.high_watermark
            base = partition.log.active_base
            files[RECOVERY_POINTS][key] = partition.stop_offset if is_clean else base
            files[STARTS][key] = partition.start_offset
        for name, offsets in files.items():
            if offsets != known[name]:
                self._logs.write_offsets(self._folder, name, offsets)
                self._files[name] = offsets
                await asyncio.sleep(0)

    def _known(self, file: str) -> dict[str, int]:
        """What a checkpoint says."""
        if file not in self._files:
            self._files[file] = self._logs.read_offsets(self._folder, file)
        return self._files[file]

    async def _each(self) -> AsyncIterator[Held]:
        """The partitions, some in each turn of the loop."""
        for count, held in enumerate(self._held()):
            if count % PER_TURN == PER_TURN - 1:
                await asyncio.sleep(0)
            yield held


def _key(partition: Partition) -> str:
    return f"{partition.topic} {partition.index}"
