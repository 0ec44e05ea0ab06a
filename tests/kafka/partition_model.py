"""A partition as a plain list of batches, and the steps of a random life that both have to go through."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from tests.kafka.partition_world import NOW_MS
from tests.kafka.reading import Entry, newest, records

from cloudlet.kafka.cleaning import clean, extent
from cloudlet.kafka.partition import Isolation, Partition
from cloudlet.kafka.turns import whole
from cloudlet.kernel.clock import ManualClock
from cloudlet.wire.kafka.records import TRANSACTIONAL, Producer, Record, encode

KEYS = ("a", "b", "c", "d")
Step = tuple[str, int, int]
KINDS = (
    *["append"] * 6,
    *["numbered"] * 4,
    *["transactional"] * 4,
    *["commit"] * 2,
    *["abort"] * 2,
    "trim",
    "truncate",
    "compact",
    "compact later",
    "settle",
    "settle",
    "reopen",
    "crash",
)
steps = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.integers(0, 99)), min_size=8, max_size=100
)


@dataclass(frozen=True)
class Event:
    """One batch; a marker has no entries."""

    base: int
    stop: int
    entries: tuple[Entry, ...]
    producer: Producer
    is_transactional: bool = False
    marker: str = ""


@dataclass
class Model:
    """What a partition should be."""

    events: list[Event]
    start: int = 0
    clean_to: int = 0
    settled_at: int = 0
    is_compacted: bool = False
    written: int = 0

    @property
    def stop(self) -> int:
        return self.events[-1].stop if self.events else self.start

    def sequence(self, producer_id: int) -> int:
        """The next sequence number of a producer."""
        return sum(
            len(event.entries)
            for event in self.events
            if event.producer.id == producer_id and not event.marker
        )

    def open_transactions(self) -> dict[int, int]:
        """Producer -> first offset."""
        found: dict[int, int] = {}
        for event in self.events:
            if event.marker:
                found.pop(event.producer.id, None)
            elif event.is_transactional:
                found.setdefault(event.producer.id, event.base)
        return found

    @property
    def stable(self) -> int:
        first = min(self.open_transactions().values(), default=self.stop)
        return max(first, self.start)

    def committed(self) -> list[Entry]:
        """What read_committed shows, from the first record on."""
        stable, shown = self.stable, []
        for number, event in enumerate(self.events):
            if event.base >= stable or event.marker:
                continue
            if event.is_transactional:
                later = self.events[number:]
                ends = [e.marker for e in later if e.marker and e.producer.id == event.producer.id]
                if ends[:1] != ["commit"]:
                    continue
            shown += [entry for entry in event.entries if entry.offset < stable]
        return shown

    def everything(self) -> list[Entry]:
        return [entry for event in self.events for entry in event.entries]

    # Steps

    async def step(self, partition: Partition, clock: ManualClock, kind: str, count: int, seed: int) -> bool:
        """Go a step of a life with the partition; False for one that opens it anew: that is the caller's."""
        if kind in ("append", "numbered", "transactional"):
            await self.append(partition, count, seed, kind)
        elif kind in ("commit", "abort"):
            await self.end(partition, kind, seed)
        elif kind == "trim":
            self.trim(partition, seed)
        elif kind == "truncate":
            self.truncate(partition, seed)
        elif kind == "settle":
            await partition.log.settle()
        elif kind.startswith("compact"):
            self.compact(partition, clock, kind != "compact")
        else:
            return False
        return True

    async def append(self, partition: Partition, count: int, seed: int, kind: str) -> None:
        producer_id = -1 if kind == "append" else (10 if kind == "numbered" else 20) + seed % 2
        sequence = self.sequence(producer_id) if producer_id >= 0 else -1
        producer = Producer(producer_id, 0 if producer_id >= 0 else -1, sequence)
        entries = []
        for number in range(1 + count % 3):
            self.written += 1
            value = None if (seed + number) % 7 == 0 else f"{self.written}".rjust(1 + seed % 60, ".").encode()
            entries.append(
                Entry(
                    self.stop + number,
                    KEYS[(seed + number) % len(KEYS)].encode(),
                    value,
                    NOW_MS + (seed * 37 + number * 11) % 1000,
                )
            )
        is_transactional = kind == "transactional"
        raw = encode(
            [Record(entry.value, entry.key, entry.time_ms) for entry in entries],
            producer=producer,
            attributes=TRANSACTIONAL if is_transactional else 0,
        )
        appended = await partition.append(raw)
        assert appended.base_offset == self.stop
        assert not appended.is_retry
        self.events.append(
            Event(self.stop, self.stop + len(entries), tuple(entries), producer, is_transactional)
        )
        if producer_id >= 0:
            retry = await partition.append(raw)
            assert retry.is_retry
            assert retry.base_offset == appended.base_offset

    async def end(self, partition: Partition, kind: str, seed: int) -> None:
        producer_id = 20 + seed % 2
        if producer_id not in self.open_transactions():
            return
        appended = await partition.append_marker(
            producer_id, 0, is_commit=kind == "commit", coordinator_epoch=0
        )
        assert appended.base_offset == self.stop
        producer = Producer(producer_id, 0)
        self.events.append(Event(self.stop, self.stop + 1, (), producer, True, kind))

    def trim(self, partition: Partition, seed: int) -> None:
        wanted = self.start + (partition.high_watermark - self.start) * seed // 99
        partition.trim(wanted)
        self.start = wanted

    def truncate(self, partition: Partition, seed: int) -> None:
        """Never what was committed when compaction passed, nor what the first batch holds."""
        low = max(self.clean_to, self.start, self.settled_at)
        wanted = low + (self.stop - low) * seed // 99
        cut = [event for event in self.events if event.stop > wanted]
        if not cut or cut[0].base < low:
            return
        partition.truncate(wanted)
        self.events = self.events[: -len(cut)]

    def compact(self, partition: Partition, clock: ManualClock, later: bool) -> None:
        if later:
            clock.advance_ms(partition.settings.delete_retention_ms + 1)
        for step in clean(partition, extent(partition, clock), clock):
            if step is not None:
                step()
        self.clean_to = max(self.clean_to, partition.cleaned_to)
        self.is_compacted = True
        self.settled_at = self.stop

    # Checks

    def check(self, partition: Partition) -> None:
        assert (partition.start_offset, partition.stop_offset) == (self.start, self.stop)
        assert partition.high_watermark == self.stop
        assert partition.last_stable_offset == self.stable
        all_found = records(partition, Isolation.READ_UNCOMMITTED)
        committed_found = records(partition, Isolation.READ_COMMITTED)
        everything = [entry for entry in self.everything() if entry.offset >= self.start]
        committed = [entry for entry in self.committed() if entry.offset >= self.start]
        if not self.is_compacted:
            assert all_found == everything
            assert committed_found == committed
            self._check_times(partition)
        assert set(all_found) <= set(everything)
        assert set(committed_found) <= set(committed)
        assert all_found == sorted(all_found, key=lambda entry: entry.offset)
        assert newest(committed_found) == newest(committed)
        tail = [entry for entry in committed if entry.offset >= self.clean_to]
        assert [entry for entry in committed_found if entry.offset >= self.clean_to] == tail
        for producer_id, first in self.open_transactions().items():
            assert partition.has_open_transaction(producer_id, 0), (producer_id, first)

    def _check_times(self, partition: Partition) -> None:
        """Markers have a time too."""
        markers = [Entry(event.base, b"", None, NOW_MS) for event in self.events if event.marker]
        every = sorted(self.everything() + markers, key=lambda entry: entry.offset)
        entries = [entry for entry in every if entry.offset >= self.start]
        highest = max((entry.time_ms for entry in entries), default=-1)
        if self.start == 0:
            found = whole(partition.offset_of_max_timestamp())
            if highest < 0:
                assert found is None
            else:
                expected = next(entry for entry in entries if entry.time_ms == highest)
                assert found is not None
                assert found.timestamp_ms == highest
                assert found.offset == expected.offset
        for time_ms in {NOW_MS, highest, highest + 1, NOW_MS + 500}:
            first = next((entry for entry in entries if entry.time_ms >= time_ms), None)
            found = whole(partition.offset_for_timestamp(time_ms))
            assert (found and found[:2]) == (first and (first.offset, first.time_ms)), time_ms
