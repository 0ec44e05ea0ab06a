"""What is told of properties that stand for each other, as Apache Kafka 4.3 was seen to tell it."""

import pytest

from cloudlet.kafka.configs import Configs
from cloudlet.kafka.described_configs import Origin, broker_rows, topic_rows

HOURS_DEFAULT = ("log.retention.hours", "168", Origin.DEFAULT)


def told(rows, name):
    [row] = [row for row in rows if row.name == name]
    return row.value, row.source, [tuple(synonym) for synonym in row.synonyms]


@pytest.mark.parametrize(
    ("given", "retention_ms", "segment_ms"),
    [
        ({}, "604800000", "604800000"),
        ({"log.retention.hours": "2"}, "7200000", "604800000"),
        ({"log.retention.minutes": "70", "log.roll.hours": "5"}, "4200000", "18000000"),
    ],
)
def test_a_topic_tells_nothing_of_coarser_properties(given, retention_ms, segment_ms):
    rows = topic_rows(Configs(given), {})
    assert told(rows, "retention.ms") == (retention_ms, Origin.DEFAULT, [])
    assert told(rows, "segment.ms") == (segment_ms, Origin.DEFAULT, [])
    assert told(rows, "flush.ms") == (str(2**63 - 1), Origin.DEFAULT, [])
    own = topic_rows(Configs(given), {"retention.ms": "5"})
    assert told(own, "retention.ms") == ("5", Origin.TOPIC, [("retention.ms", "5", Origin.TOPIC)])


def test_they_are_told_below_the_property_itself():
    given = {"log.retention.minutes": "70", "log.retention.ms": "9"}
    layers = [
        ("log.retention.ms", "9", Origin.STATIC),
        ("log.retention.minutes", "70", Origin.STATIC),
        HOURS_DEFAULT,
    ]
    assert told(topic_rows(Configs(given), {}), "retention.ms") == ("9", Origin.STATIC, layers)
    rows = broker_rows(Configs(given))
    assert told(rows, "log.retention.ms") == ("9", Origin.STATIC, layers)
    assert told(rows, "log.retention.minutes") == ("70", Origin.STATIC, layers[1:])
    assert told(rows, "log.retention.hours") == ("168", Origin.DEFAULT, [HOURS_DEFAULT])
    assert told(broker_rows(Configs({})), "log.retention.ms") == (None, Origin.DEFAULT, [])
