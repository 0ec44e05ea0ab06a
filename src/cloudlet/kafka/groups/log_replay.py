"""Replays the log of one partition of __consumer_offsets into its state.

State   how far the log has been replayed
Source  Apache Kafka 4.3, CoordinatorLoaderImpl
Absent  none
"""

from __future__ import annotations

import logging

from cloudlet.kafka.groups.records import decode_entry
from cloudlet.kafka.groups.shard import Shard
from cloudlet.kafka.partition import Isolation, Partition
from cloudlet.kafka.record_reader import read_records
from cloudlet.kernel.batches import header
from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka.records import CONTROL, TRANSACTIONAL, decode

log = logging.getLogger(__name__)

SLICE_BYTES = 64 << 10  # about 5 ms of replay
COMMIT_MARKER = 1
OFFSET_KEYS = frozenset((b"\0\0", b"\0\1"))  # the types of the records of offsets

Latest = dict[bytes, tuple[bytes | None, int]]


class LogReplay:
    """The state is that of the log below `applied`."""

    def __init__(self, partition: Partition, shard: Shard) -> None:
        self.partition = partition
        self.shard = shard
        self.applied = partition.start_offset
        self.is_loading = True

    def replay_slice(self) -> bool:
        """Replay some of the log; False at its end."""
        if self.applied >= self.partition.stop_offset:
            return False
        start = max(self.applied, self.partition.start_offset)
        batches = self.partition.read(start, bytes_max=SLICE_BYTES, isolation=Isolation.LOG_END).records
        position = 0
        latest: Latest = {}
        while position < len(batches):
            found = header(batches, position)
            batch = batches[position : position + found.size_bytes]
            try:
                if found.attributes & (CONTROL | TRANSACTIONAL):
                    self._replay_latest(latest)
                    if found.attributes & CONTROL:
                        self._replay_marker(batch, found.producer_id)
                    else:
                        self._replay_batch(batch, found.producer_id, latest)
                else:
                    self._replay_batch(batch, -1, latest)
            except ProtocolError:
                log.warning(
                    "%s: unreadable records at %d", self.partition.name, found.base_offset, exc_info=True
                )
            self.applied = found.next_offset
            position += found.size_bytes
        self._replay_latest(latest)
        return bool(batches)

    def _replay_batch(self, batch: bytes, producer_id: int, latest: Latest) -> None:
        for offset, _, key, value in decode(batch):
            if producer_id < 0 and key is not None and key[:2] in OFFSET_KEYS:
                latest[key] = (value, offset)
                continue
            self._replay_latest(latest)
            self._replay_record(key or b"", value, offset, producer_id)

    def _replay_latest(self, latest: Latest) -> None:
        """Most records of such a log are offsets, and most of them are superseded a little later: of a run
        of them, the last of each key is read."""
        if latest:
            for key, (value, offset) in latest.items():
                self._replay_record(key, value, offset, -1)
            latest.clear()

    def _replay_record(self, key: bytes, value: bytes | None, offset: int, producer_id: int) -> None:
        try:
            entry = decode_entry(key, value, offset)
        except ProtocolError as error:
            log.warning("%s: the record at %d is unreadable: %s", self.partition.name, offset, error)
            return
        if entry is not None:
            self.shard.replay(entry, producer_id, is_loading=self.is_loading)

    def _replay_marker(self, batch: bytes, producer_id: int) -> None:
        for record in read_records(batch):
            kind = int.from_bytes((record.key or b"")[2:4], "big")
            self.shard.offsets.replay_marker(producer_id, is_commit=kind == COMMIT_MARKER)
