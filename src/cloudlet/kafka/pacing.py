"""How fast a consumer of librdkafka is served: as fast as it reads, and no faster.

State   in memory, a connection's: what it was given lately, and at which rate it may have more
Source  librdkafka, CONFIGURATION.md: queued.min.messages, queued.max.messages.kbytes, fetch.queue.backoff.ms
Absent  clients that have changed these settings are paced as if they had not

Theory of operation
    librdkafka asks for more as soon as it has an answer, whether anybody has read that or not. Once 100,000
    records (or 64 MiB) wait in it, it rests for a second, although what waits is read in a tenth of one: a
    broker that answers at once makes it slower by far than one that takes its time. So answers to it come at
    a rate that it bears. If it has rested all the same, it was given more than it could read: what it has
    read until then tells the rate from there on. It rises slowly again while all goes well.
"""

from __future__ import annotations

from struct import Struct

FAMILY = ("librdkafka", "confluent-kafka-")
"""How the names of clients that stand on librdkafka begin (KIP-511)."""

RATE = 1_200.0  # records a millisecond, at first
RATE_BYTES = 600_000.0  # bytes a millisecond, at first: long records
RATE_LEAST = 300.0  # about what it reads where nobody paces it: pacing costs nobody anything
MARGIN = 0.9  # of what it was seen to read
RISE = 1.0001  # with every answer: a tenth in a thousand of them, since each rest costs a second
REST_MS = 500.0  # since the last answer: it has rested
HEAVY = 1_000  # records of an answer; whoever is given fewer follows the end, and is not paced
SLACK_MS = 20.0  # may be given at once
DELAY_MS_MAX = 200.0  # of one answer
QUEUED = 100_000
QUEUED_BYTES = 64 << 20

BATCH = Struct(">qi")  # the first offset, the length behind it
COUNT_AT = 57
HEAD_BYTES = 61


def is_paced(software_name: str) -> bool:
    """Whether a client is one that rests."""
    return software_name.startswith(FAMILY)


def count_records(records: bytes | memoryview) -> int:
    """How many records there are in whole batches."""
    view = memoryview(records)
    at, count, size = 0, 0, len(view)
    while at + HEAD_BYTES <= size:
        _, length = BATCH.unpack_from(view, at)
        count += int.from_bytes(view[at + COUNT_AT : at + HEAD_BYTES], "big")
        at += 12 + length
    return count


class Pace:
    """One connection's. `asked` at each fetch, then `delay_ms` with what is about to be given."""

    __slots__ = ("_answered_ms", "_began_ms", "_bytes", "_count", "_free_ms", "_had_more", "_rate")

    def __init__(self, now_ms: float) -> None:
        self._rate = RATE
        self._began_ms = self._answered_ms = self._free_ms = now_ms
        self._count = self._bytes = 0
        self._had_more = False

    def asked(self, now_ms: float) -> None:
        """A fetch has come."""
        if now_ms - self._answered_ms < REST_MS:
            return
        if self._had_more and self._count:
            self._learn()
        self._began_ms = now_ms
        self._count = self._bytes = 0

    def _learn(self) -> None:
        """It has rested: what it had read by then is the rate that it bears."""
        queued = min(QUEUED, QUEUED_BYTES * self._count // max(1, self._bytes))
        read = max(self._count - queued, self._count // 10)
        self._rate = max(RATE_LEAST, MARGIN * read / max(1.0, self._answered_ms - self._began_ms))

    def delay_ms(self, now_ms: float, count: int, size: int, *, has_more: bool) -> float:
        """How long an answer of so many records is to wait."""
        self._had_more = has_more
        self._answered_ms = now_ms
        if count < HEAVY:
            return 0.0
        self._count += count
        self._bytes += size
        self._rate *= RISE
        at_ms = max(now_ms, self._free_ms)
        self._free_ms = at_ms + max(count / self._rate, size / RATE_BYTES)
        wait_ms = min(at_ms - now_ms - SLACK_MS, DELAY_MS_MAX)
        if wait_ms <= 0:
            return 0.0
        self._answered_ms = now_ms + wait_ms
        return wait_ms
