"""A topic's configuration becomes typed settings, and a log's options."""

from cloudlet.kafka.config_table import TOPIC_PROPERTIES
from cloudlet.kafka.configs import text_of, topic_definitions
from cloudlet.kafka.log_settings import INT64_MAX, LogSettings


def test_defaults_are_those_of_the_table_of_properties():
    definitions = topic_definitions()
    assert TOPIC_PROPERTIES
    said = {name: definition.default for name, definition in definitions.items()}
    given = {name: None if text is None else text_of(text) for name, text in said.items()}
    assert LogSettings.from_configs(given) == LogSettings()


def test_texts_become_values():
    settings = LogSettings.from_configs(
        {
            "cleanup.policy": "compact, delete",
            "retention.ms": "-1",
            "min.cleanable.dirty.ratio": "0.25",
            "unclean.leader.election.enable": "TRUE",
            "message.timestamp.type": "LogAppendTime",
            "is.compacted": "false",  # no property, though an attribute
            "not.a.property": "x",
            "flush.ms": None,
        }
    )
    assert settings.cleanup_policy == {"compact", "delete"}
    assert (settings.is_compacted, settings.is_deleted, settings.is_log_append_time) == (True, True, True)
    assert (settings.retention_ms, settings.min_cleanable_dirty_ratio) == (-1, 0.25)
    assert settings.unclean_leader_election_enable is True
    assert settings.flush_ms == INT64_MAX


def test_a_compacted_log_goes_on_in_a_new_segment_before_its_lag_is_over():
    lag = {"segment.ms": "1000", "max.compaction.lag.ms": "10"}
    assert LogSettings.from_configs(lag).options().segment_ms == 1000
    assert LogSettings.from_configs({**lag, "cleanup.policy": "compact"}).options().segment_ms == 10
