"""The log of one Kafka partition: what only Kafka needs of a log, beside the logs store's port.

State   none here; an engine owns the logs
Source  Apache Kafka 4.3, storage/.../internals/log: UnifiedLog, LogSegment, TimeIndex, TransactionIndex
Absent  none

Theory of operation
    A partition's log is a log of the logs store (it has a name there, is pinned and dropped there), and more:
    it is searched by time, it knows which transactions were aborted, it keeps snapshots of its producers'
    state, its records are compacted. Its owner is the partition (kafka/partition.py), which has checked the
    batches and given them their offsets; the engine adds them as they are, and does not look at them again.

    No method suspends but `settle`. Whoever opens a log hands it a function that gives the producers' state
    as bytes: the log calls it before it goes on in a new segment, so that a snapshot lies where each segment
    begins, and recovery replays one segment at most.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cloudlet.kernel.batches import FRONT, HEADER_BYTES, LENGTH_STOP
from cloudlet.kernel.logs import LogName

Bytes = bytes | bytearray | memoryview

SEGMENT_BYTES = 1 << 30
WEEK_MS = 7 * 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Options:
    """How a log is laid out; may be changed while it is in use, and holds for what is appended from then
    on."""

    segment_bytes: int = SEGMENT_BYTES
    segment_ms: int = WEEK_MS
    segment_index_bytes: int = 10 << 20
    index_interval_bytes: int = 4096


Step = Callable[[], None] | None
"""Of a long work that is done by steps: what a thread is to do before the next one, if anything."""


class Mark(NamedTuple):
    """One batch of an append: where it begins in the bytes, its last offset, its highest timestamp."""

    position: int
    last_offset: int
    max_timestamp_ms: int


class Aborted(NamedTuple):
    """One aborted transaction: its producer, its first offset, the offset of the marker that ended it, and
    the last stable offset from then on."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


class Span(NamedTuple):
    """One segment: [base, stop) of the offsets, its bytes, its highest timestamp (-1 where no record has
    one), and when its file was last written."""

    base: int
    stop: int
    size_bytes: int
    max_timestamp_ms: int
    written_ms: int


class Glance(NamedTuple):
    """What is seen of a log without opening it: how many segments, their bytes, when the oldest was last
    written."""

    segments: int
    size_bytes: int
    oldest_ms: int


class EpochStart(NamedTuple):
    """A leader epoch and the offset at which it began."""

    epoch: int
    start: int


class PartitionLog(Protocol):
    """An open log. Offsets are plain ints; every method may raise NoSpace where it writes."""

    name: LogName
    options: Options
    snapshot: Callable[[], bytes]

    @property
    def start(self) -> int: ...

    @property
    def stop(self) -> int: ...

    @property
    def epoch(self) -> int: ...

    @property
    def topic_id(self) -> bytes: ...

    @property
    def size_bytes(self) -> int:
        """Of all segments."""

    @property
    def active_base(self) -> int:
        """Where the active segment begins."""

    def append(self, data: Bytes, marks: Sequence[Mark], cloud_ms: Callable[[], int]) -> None:
        """Add checked batches, whose offsets go on from `stop`, stamped with an epoch not below the log's. It
        goes on in a new segment first where the options want it; `cloud_ms` tells the time, where the
        batches do not."""

    def read(self, offset: int, bytes_max: int) -> bytes:
        """Whole batches from the one that holds `offset` on: at least one, and no more than `bytes_max` in
        all beyond it. Empty at the stop; OutOfRange outside of [start, stop]."""

    def replay(self, offset: int) -> Iterator[bytes]:
        """All batches that hold `offset` or more, some at a time; also those below the start that are still
        there: a producer's state may rest on them."""

    def offset_before(self, timestamp_ms: int) -> int | None:
        """An offset before which no batch has so high a timestamp, near the first that has; None where none
        has."""

    def latest(self) -> tuple[int, int]:
        """The highest timestamp, and the last offset of the first batch that has it; (-1, -1) for none."""

    def spans(self) -> Sequence[Span]:
        """The segments in order; the last one is the active one."""

    def roll(self, now_ms: int) -> None:
        """Go on in a new segment, unless the active one is empty."""

    def trim(self, start: int) -> None:
        """Move the start up; segments that lie below it as a whole are deleted."""

    def truncate(self, stop: int) -> None:
        """Cut the batches that hold offsets from `stop` on; what indexes and snapshots say of them goes
        too."""

    def truncate_fully(self, start: int) -> None:
        """Delete everything, and go on at `start`: what a follower does whose leader begins later."""

    def begin_epoch(self, epoch: int) -> None:
        """Go over to a higher leader epoch at the stop. Not synced: the batches tell of it, and an epoch
        without a batch is its leader's to remember."""

    def epochs(self) -> Sequence[EpochStart]:
        """The leader epochs that have records, or are the present one, in order."""

    def aborted(self, start: int, stop: int) -> Sequence[Aborted]:
        """The aborted transactions that touch offsets in [start, stop)."""

    def note_aborted(self, entry: Aborted) -> None:
        """A transaction's marker, appended just now, aborts it."""

    def forget_aborted(self, start: int) -> None:
        """Forget those whose marker lies at `start` or above: a replay notes them again."""

    def snapshots(self) -> Sequence[int]:
        """The offsets of the producers' snapshots, in order."""

    def read_snapshot(self, offset: int) -> bytes: ...

    def write_snapshot(self, offset: int, data: bytes) -> None:
        """Keep the producers' state as of `offset`; of those that no segment begins with, only the newest
        one stays."""

    def drop_snapshot(self, offset: int) -> None:
        """Delete one that cannot be read."""

    def rewrite(
        self, spans: Sequence[Span], batches: Iterable[bytes], aborted: Callable[[], Sequence[Aborted]]
    ) -> Generator[Step, None, bool]:
        """Put other batches in place of adjacent segments, never the active one: they keep their offsets,
        some are gone. `aborted` tells, when the batches are at their end, which transactions' markers among
        them abort records. A step at a time, for whoever must not hold the loop; all or nothing: False where
        the segments were trimmed or cut meanwhile."""

    def check(self) -> None:
        """StoreError where what was appended may be lost already: a sync has failed for good."""

    async def settle(self) -> None:
        """Make what was appended survive power loss."""


class PartitionLogs(Protocol):
    """Opens partitions' logs within a logs store."""

    def open(
        self, name: LogName, topic_id: bytes, options: Options, snapshot: Callable[[], bytes]
    ) -> PartitionLog:
        """The log, made if there is none; recovered where its process was killed. The caller is its one owner
        until it lets go (`release`)."""

    def release(self, log: PartitionLog) -> None:
        """The owner has no more use of the log; it stays."""

    def hurry(self) -> None:
        """Begin to sync what was appended and not synced yet; called every few seconds."""

    def glance(self, name: LogName) -> Glance | None:
        """A look at a log that is not to be opened; None if there is none."""

    def read_offsets(self, folder: str, file: str) -> dict[str, int]:
        """One of the checkpoints of the folder of a broker's logs ("kafka/1"): "TOPIC INDEX" -> offset; empty
        if it is not there or not whole."""

    def write_offsets(self, folder: str, file: str, offsets: Mapping[str, int]) -> None:
        """Replace one of them. NoSpace leaves the old one."""

    def read_text(self, folder: str, file: str) -> str | None:
        """Another small file of that folder; None if it is not there."""

    def write_text(self, folder: str, file: str, text: str | None) -> None:
        """Replace it; None deletes it."""


def cut_at(batches: bytes, stop: int) -> bytes:
    """Of whole batches, those that begin below the offset `stop`."""
    position, size = 0, len(batches)
    unpack = FRONT.unpack_from
    while size - position >= HEADER_BYTES:
        base, length, _, _, _, _, _ = unpack(batches, position)
        if base >= stop:
            return batches[:position]
        position += length + LENGTH_STOP
    return batches


def cut_to(batches: bytes, bytes_max: int, *, keeps_first: bool) -> bytes:
    """Of whole batches, the first ones, as many as make up no more than `bytes_max`; the very first one
    anyway, where that is wanted."""
    position, size = 0, len(batches)
    while size - position >= HEADER_BYTES:
        following = position + FRONT.unpack_from(batches, position)[1] + LENGTH_STOP
        if following > bytes_max and not (keeps_first and not position):
            break
        position = following
    return batches[:position]
