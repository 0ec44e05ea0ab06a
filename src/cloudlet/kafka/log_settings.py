"""What a topic's configuration says of its partitions' logs, typed.

State   none
Source  Apache Kafka 4.3, TopicConfig, LogConfig: names and defaults
Absent  remote storage; preallocate: files grow as they are written; segment.jitter.ms: nothing is gained by
        spreading the rolls of one machine
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from cloudlet.kafka.compressing import CODEC_OF, Levels
from cloudlet.kernel.partition_logs import Options

INT64_MAX = (1 << 63) - 1
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class LogSettings:
    """One topic's settings. Names are Kafka's, with underscores."""

    compression_gzip_level: int = -1
    compression_lz4_level: int = 9
    compression_type: str = "producer"
    compression_zstd_level: int = 3
    cleanup_policy: frozenset[str] = frozenset({"delete"})
    delete_retention_ms: int = DAY_MS
    file_delete_delay_ms: int = 60_000
    flush_messages: int = INT64_MAX
    flush_ms: int = INT64_MAX
    index_interval_bytes: int = 4096
    max_compaction_lag_ms: int = INT64_MAX
    max_message_bytes: int = 1_048_588
    message_timestamp_after_max_ms: int = HOUR_MS
    message_timestamp_before_max_ms: int = INT64_MAX
    message_timestamp_type: str = "CreateTime"
    min_cleanable_dirty_ratio: float = 0.5
    min_compaction_lag_ms: int = 0
    min_insync_replicas: int = 1
    retention_bytes: int = -1
    retention_ms: int = 7 * DAY_MS
    segment_bytes: int = 1 << 30
    segment_index_bytes: int = 10 << 20
    segment_ms: int = 7 * DAY_MS
    unclean_leader_election_enable: bool = False
    # Of the broker, not of a topic.
    producer_id_expiration_ms: int = DAY_MS
    # What is asked with every append, derived.
    is_compacted: bool = field(init=False)
    is_deleted: bool = field(init=False)
    is_log_append_time: bool = field(init=False)
    codec: int | None = field(init=False)  # of all batches; None: the producer's
    levels: Levels = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_compacted", "compact" in self.cleanup_policy)
        object.__setattr__(self, "is_deleted", "delete" in self.cleanup_policy)
        object.__setattr__(self, "is_log_append_time", self.message_timestamp_type == "LogAppendTime")
        object.__setattr__(self, "codec", CODEC_OF.get(self.compression_type))
        levels = Levels(self.compression_gzip_level, self.compression_lz4_level, self.compression_zstd_level)
        object.__setattr__(self, "levels", levels)

    @classmethod
    def from_configs(cls, configs: Mapping[str, str | None]) -> LogSettings:
        """From configurations as a client writes them ("retention.ms": "1000"), each checked already; what is
        not there has its default, what is no setting of a log is passed over."""
        given: dict[str, object] = {}
        for each in fields(cls):
            name, kind = each.name, each.type
            text = configs.get(name.replace("_", ".")) if each.init else None
            if text is None:
                continue
            if kind == "int":
                given[name] = int(text)
            elif kind == "float":
                given[name] = float(text)
            elif kind == "bool":
                given[name] = text.strip().lower() == "true"
            elif kind == "str":
                given[name] = text
            else:
                given[name] = frozenset(part.strip() for part in text.split(",") if part.strip())
        return cls(**given)  # type: ignore[arg-type]  # by the annotations

    def options(self) -> Options:
        """What the log's files are laid out by. A compacted log may not keep records from its cleaner for
        longer than the compaction's lag allows, so it goes on in a new segment by then."""
        segment_ms = self.segment_ms
        if self.is_compacted:
            segment_ms = min(segment_ms, max(self.max_compaction_lag_ms, 1))
        return Options(self.segment_bytes, segment_ms, self.segment_index_bytes, self.index_interval_bytes)
