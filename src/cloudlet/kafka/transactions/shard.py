"""One partition of __transaction_state: its transactions in memory, and how a change of one is written.

State   the partition's log; in memory the newest value of every transactional id of it
Source  Apache Kafka 4.3, TransactionStateManager
Absent  none

Changes of one id stand in line. A change is decided on the present value, appended, and counts only then; the
value in memory is always the log's. Markers are written outside of the line, while the value says Prepare.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_loading import Loading, slices
from cloudlet.kafka.partition import Partition
from cloudlet.kafka.record_reader import read_records
from cloudlet.kafka.transactions.records import decode_transaction, encode_transaction, tombstone
from cloudlet.kafka.transactions.states import Transaction
from cloudlet.kernel.fault import ProtocolError, StoreError
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import Record

log = logging.getLogger(__name__)

SLICE_BYTES = 256 << 10


class Shard:
    """The transactional ids of one partition."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.transactions: dict[str, Transaction] = {}
        self._lines: dict[str, asyncio.Lock] = {}
        self._standing: Counter[str] = Counter()  # in each line
        self._loading = Loading(partition.name, slices(partition, SLICE_BYTES, self._replay))

    async def close(self) -> None:
        await self._loading.close()

    async def loaded(self) -> None:
        """Wait until the log was read; NOT_COORDINATOR where it cannot be."""
        await self._loading.done()

    async def ready(self) -> None:
        """The same for a request: COORDINATOR_LOAD_IN_PROGRESS if it takes longer than a moment."""
        await self._loading.ready()

    def _replay(self, batch: bytes, offset: int) -> None:
        try:
            for record in read_records(batch):
                found = decode_transaction(record.key or b"", record.value)
                if found is None:
                    continue
                transactional_id, transaction = found
                if transaction is None:
                    self.transactions.pop(transactional_id, None)
                else:
                    self.transactions[transactional_id] = transaction
        except (ProtocolError, ValueError):
            log.warning("%s: unreadable records at %d", self.partition.name, offset, exc_info=True)

    @asynccontextmanager
    async def line(self, transactional_id: str) -> AsyncIterator[None]:
        """The right to change an id, one at a time."""
        lock = self._lines.setdefault(transactional_id, asyncio.Lock())
        self._standing[transactional_id] += 1
        try:
            async with lock:
                yield
        finally:
            self._standing[transactional_id] -= 1
            if not self._standing[transactional_id]:
                del self._standing[transactional_id], self._lines[transactional_id]

    async def write(self, transaction: Transaction) -> None:
        """Make a value count; COORDINATOR_NOT_AVAILABLE where it cannot be written."""
        await self._append(encode_transaction(transaction))
        self.transactions[transaction.id] = transaction

    async def forget(self, transactional_id: str) -> None:
        """Let an id go."""
        await self._append(tombstone(transactional_id))
        self.transactions.pop(transactional_id, None)

    async def _append(self, record: Record) -> None:
        try:
            await self.partition.append_records([record])
        except KafkaFault as fault:
            code = ErrorCode.COORDINATOR_NOT_AVAILABLE
            if fault.code in (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.KAFKA_STORAGE_ERROR):
                code = ErrorCode.NOT_COORDINATOR
            raise KafkaFault(code, fault.message) from None
        except StoreError as error:
            log.warning("%s: %s", self.partition.name, error)
            raise KafkaFault(ErrorCode.COORDINATOR_NOT_AVAILABLE, "The log cannot be written.") from None
