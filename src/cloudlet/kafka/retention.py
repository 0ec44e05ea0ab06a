"""Which segments of a partition are old or many enough to be deleted.

State   none
Source  Apache Kafka 4.3, UnifiedLog.deleteOldSegments; docs/time.md
Absent  file.delete.delay.ms: readers of a deleted file have it open, so it goes at once

The age of a segment is that of its youngest record, or of its file where the records have no time. Both are
wall times; retention runs on cloud time, so they are mapped by the step that was in force then.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.partition_logs import Span


def first_kept(spans: Sequence[Span], high_watermark: int, settings: LogSettings, clock: Clock) -> int:
    """The offset below which everything may be deleted: the end of the last segment in a row, from the first
    on, that is too old or beyond the size. What is not committed stays."""
    start = spans[0].base
    if not settings.is_deleted:
        return start
    now_ms = clock.cloud_ms()
    surplus = sum(span.size_bytes for span in spans) - settings.retention_bytes
    for span in spans:
        if span.stop > high_watermark or not span.size_bytes:
            break
        youngest_ms = span.max_timestamp_ms if span.max_timestamp_ms >= 0 else span.written_ms
        is_old = 0 <= settings.retention_ms < now_ms - clock.cloud_at(youngest_ms)
        surplus -= span.size_bytes
        is_beyond = settings.retention_bytes >= 0 and surplus >= 0
        if not (is_old or is_beyond):
            break
        start = span.stop
    return start
